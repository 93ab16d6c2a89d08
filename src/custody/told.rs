//! Rows as others are told of them: in answers to queries, in events, exports and evidence packs alike.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::edge_reads::{self, EdgeRead};
use super::evidence::{Sha, hex};

/// One vehicle that has passed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Passage {
    /// Its number.
    pub id: i64,
    /// The lane's id.
    pub lane: String,
    /// Its number in the lane.
    pub track: i64,
    /// The plate's text, by the vote of all reads.
    #[schema(example = "7ABC123")]
    pub text: String,
    /// Calibrated probability that it is exactly right, 0..=1.
    pub confidence: f64,
    /// Who issued the plate, ISO 3166-2 or `other`; a weak hint, `null` where the reader does not know.
    #[schema(example = "US-CA")]
    pub jurisdiction: Option<String>,
    /// Probability of that.
    pub jurisdiction_confidence: Option<f64>,
    /// Reads that the vote was taken over.
    pub reads: i64,
    /// First seen, milliseconds since the Unix epoch, by the frames' clock.
    pub first_ms: i64,
    /// Last seen, milliseconds since the Unix epoch, by the frames' clock.
    pub last_ms: i64,
    /// Whether a hit names it.
    pub sought: bool,
    /// When it was stored, milliseconds since the Unix epoch.
    pub stored_ms: i64,
}

/// A passage with what was seen of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PassageWhole {
    /// The passage.
    #[serde(flatten)]
    pub passage: Passage,
    /// The winning read, as `garita read --json` tells a plate.
    #[schema(value_type = Object)]
    pub best: Value,
    /// Per position the voted characters with their probabilities, likeliest first.
    #[schema(value_type = Vec<Vec<Vec<Value>>>)]
    pub chars: Value,
    /// Its pictures: first the frame of the winning read, then the film strip in order.
    pub evidence: Vec<Evidence>,
    /// Whom the lists say it may be.
    pub hits: Vec<Hit>,
    /// What cameras read of it by themselves, and how that compares with ours.
    pub second_opinions: Vec<EdgeRead>,
}

/// A picture of a passage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Evidence {
    /// 0 for the frame of the winning read.
    pub number: i64,
    /// The frame's number in its lane.
    pub sequence: i64,
    /// When it was captured, milliseconds since the Unix epoch.
    pub captured_ms: i64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub length: i64,
    /// Where it is.
    pub href: String,
}

/// An entry of a list that met a vehicle.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Hit {
    /// Its number.
    pub id: i64,
    /// The lane's id.
    pub lane: String,
    /// The vehicle's number in the lane.
    pub track: i64,
    /// Its passage, once it has passed.
    pub passage: Option<i64>,
    /// `sighted` by one read, then `confirmed` or `withdrawn` by the vote of all.
    pub state: String,
    /// The list's name.
    pub list: String,
    /// The entry's text.
    pub text: String,
    /// The entry's jurisdiction; empty for any.
    pub jurisdiction: String,
    /// How it met: `exact`, `equivalent`, `near`, `other_jurisdiction`, or `absent`: none of those enrolled in this lane.
    pub class: String,
    /// Characters exchanged, missing or additional.
    pub edits: i64,
    /// Probability that this entry's plate made this picture, 0..=1.
    pub probability: f64,
    /// 0 is the most urgent, 100 the least.
    pub priority: i64,
    /// All of the entry, as it stood then.
    #[schema(value_type = Object)]
    pub entry: Value,
    /// When the frame came in that met it first, milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// When the hit was stored, milliseconds since the Unix epoch.
    pub stored_ms: i64,
}

/// What somebody decided on a hit.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Disposition {
    /// Its number.
    pub id: i64,
    /// The hit.
    pub hit: Hit,
    /// Where the case stood when it was decided: `open`, `second`, `supervisor`.
    pub stage: String,
    /// `confirmed`, `rejected`, `referred`.
    pub verdict: String,
    /// Why it was rejected: `misread`, `other_jurisdiction`, `other_vehicle`, `entry_outdated`, `duplicate`, `not_a_plate`, `other`.
    pub reason: Option<String>,
    /// Who decided.
    pub person: String,
    /// SHA-256 of the picture that was on the screen, hexadecimal.
    pub evidence: String,
    /// When, milliseconds since the Unix epoch.
    pub decided_ms: i64,
    /// When it was taken back.
    pub undone_ms: Option<i64>,
    /// Where the case stands now: also `confirmed`, `rejected`.
    pub state: String,
}

/// One train at a portal.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Scan {
    /// Its number.
    pub id: i64,
    /// The portal's id.
    pub portal: String,
    /// What its sender calls it.
    pub name: Option<String>,
    /// `passing`, `waiting`, `inspected` or `bad`.
    pub state: String,
    /// When it had come, milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// SHA-256 of its file, hexadecimal.
    pub sha256: Option<String>,
    /// Bytes.
    pub length: Option<i64>,
    /// Why it ends before the train did.
    pub cut_short: Option<String>,
    /// Why it is bad.
    pub error: Option<String>,
    /// Raised by each paper that came for it.
    pub revision: i64,
    /// Cars found in it.
    pub cars: i64,
}

/// One car of a train.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Car {
    /// The scan's number.
    pub scan: i64,
    /// The portal's id.
    pub portal: String,
    /// When the scan had come, milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// From the head of the train, from 1.
    pub position: i64,
    /// Reporting mark from the train's list.
    pub mark: Option<String>,
    /// How unusual it is; higher is more.
    pub score: Option<f64>,
    /// The object per car of `garita inspect --json`.
    #[schema(value_type = Object)]
    pub told: Value,
}

/// Something unusual in a car.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Finding {
    /// The scan's number.
    pub scan: i64,
    /// The portal's id.
    pub portal: String,
    /// When the scan had come, milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// The car, from the head of the train, from 1.
    pub position: i64,
    /// Its reporting mark.
    pub mark: Option<String>,
    /// Its number in the car, from 0: most probable first.
    pub number: i64,
    /// The finding of `garita inspect --json`: kind, place in the scan and in mm, probability.
    #[schema(value_type = Object)]
    pub finding: Value,
}

/// An entry of a list that met a train's list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ScanHit {
    /// Its number, among those of scans.
    pub id: i64,
    /// The scan's number.
    pub scan: i64,
    /// The car; none where the list's car was not found in the picture.
    pub position: Option<i64>,
    /// `sighted` while the train passes, then `confirmed` or `withdrawn`.
    pub state: String,
    /// `mark` or `container`.
    pub subject: String,
    /// The mark or container as the train's list has it.
    pub seen: String,
    /// The list's name.
    pub list: String,
    /// The entry's text.
    pub text: String,
    /// How it met.
    pub class: String,
    /// Probability, 0..=1.
    pub probability: f64,
    /// 0 is the most urgent, 100 the least.
    pub priority: i64,
    /// All of the entry, as it stood then.
    #[schema(value_type = Object)]
    pub entry: Value,
    /// When it was stored, milliseconds since the Unix epoch.
    pub stored_ms: i64,
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// The columns of a [`Passage`].
pub const PASSAGE: &str = "id, lane, track, text, confidence, jurisdiction, jurisdiction_confidence, reads, first_ms, last_ms, sought, stored_ms";

/// A row of [`PASSAGE`].
///
/// # Errors
/// What SQLite says.
pub fn passage_row(row: &Row<'_>) -> rusqlite::Result<Passage> {
    Ok(Passage {
        id: row.get(0)?,
        lane: row.get(1)?,
        track: row.get(2)?,
        text: row.get(3)?,
        confidence: row.get(4)?,
        jurisdiction: row.get(5)?,
        jurisdiction_confidence: row.get(6)?,
        reads: row.get(7)?,
        first_ms: row.get(8)?,
        last_ms: row.get(9)?,
        sought: row.get(10)?,
        stored_ms: row.get(11)?,
    })
}

/// A passage.
///
/// # Errors
/// What SQLite says.
pub fn passage(connection: &Connection, id: i64) -> rusqlite::Result<Option<Passage>> {
    connection.prepare_cached(&format!("SELECT {PASSAGE} FROM passage WHERE id = ?1"))?.query_row([id], passage_row).optional()
}

/// A passage with what was seen of it.
///
/// # Errors
/// What SQLite says.
pub fn passage_whole(connection: &Connection, id: i64) -> rusqlite::Result<Option<PassageWhole>> {
    let Some(passage) = passage(connection, id)? else { return Ok(None) };
    let seen = "SELECT best, seen FROM passage WHERE id = ?1";
    let (best, chars) = connection.prepare_cached(seen)?.query_row([id], |row| Ok((parsed(row.get_ref(0)?.as_str()?), parsed(row.get_ref(1)?.as_str()?))))?;
    let mut statement = connection.prepare_cached("SELECT number, sequence, captured_ms, digest, length FROM evidence WHERE passage = ?1 ORDER BY number")?;
    let evidence = statement.query_map([id], |row| {
        let sha256 = hex(&row.get::<_, Sha>(3)?);
        let href = format!("/v1/evidence/{sha256}");
        Ok(Evidence { number: row.get(0)?, sequence: row.get(1)?, captured_ms: row.get(2)?, sha256, length: row.get(4)?, href })
    })?;
    let evidence = evidence.collect::<rusqlite::Result<_>>()?;
    let mut statement = connection.prepare_cached(&format!("SELECT {HIT} FROM hit WHERE passage = ?1 ORDER BY priority, probability DESC, id"))?;
    let hits = statement.query_map([id], hit_row)?.collect::<rusqlite::Result<_>>()?;
    let second_opinions = edge_reads::of_track(connection, &passage.lane, passage.track)?;
    Ok(Some(PassageWhole { passage, best, chars, evidence, hits, second_opinions }))
}

/// The columns of a [`Hit`].
pub const HIT: &str = "id, lane, track, passage, state, list, text, jurisdiction, class, edits, probability, priority, entry, received_ms, stored_ms";

/// A row of [`HIT`].
///
/// # Errors
/// What SQLite says.
pub fn hit_row(row: &Row<'_>) -> rusqlite::Result<Hit> {
    Ok(Hit {
        id: row.get(0)?,
        lane: row.get(1)?,
        track: row.get(2)?,
        passage: row.get(3)?,
        state: row.get(4)?,
        list: row.get(5)?,
        text: row.get(6)?,
        jurisdiction: row.get(7)?,
        class: row.get(8)?,
        edits: row.get(9)?,
        probability: row.get(10)?,
        priority: row.get(11)?,
        entry: parsed(row.get_ref(12)?.as_str()?),
        received_ms: row.get(13)?,
        stored_ms: row.get(14)?,
    })
}

/// A hit.
///
/// # Errors
/// What SQLite says.
pub fn hit(connection: &Connection, id: i64) -> rusqlite::Result<Option<Hit>> {
    connection.prepare_cached(&format!("SELECT {HIT} FROM hit WHERE id = ?1"))?.query_row([id], hit_row).optional()
}

/// A disposition.
///
/// # Errors
/// What SQLite says.
pub fn disposition(connection: &Connection, id: i64) -> rusqlite::Result<Option<Disposition>> {
    let question = "SELECT disposition.hit, stage, verdict, reason, person, evidence, decided_ms, undone_ms, review.state
                    FROM disposition JOIN review ON review.hit = disposition.hit WHERE id = ?1";
    let row = |row: &Row<'_>| {
        let Some(hit) = hit(connection, row.get(0)?)? else { return Ok(None) };
        Ok(Some(Disposition {
            id,
            hit,
            stage: row.get(1)?,
            verdict: row.get(2)?,
            reason: row.get(3)?,
            person: row.get(4)?,
            evidence: hex(&row.get(5)?),
            decided_ms: row.get(6)?,
            undone_ms: row.get(7)?,
            state: row.get(8)?,
        }))
    };
    connection.prepare_cached(question)?.query_row([id], row).optional().map(Option::flatten)
}

/// A scan.
///
/// # Errors
/// What SQLite says.
pub fn scan(connection: &Connection, id: i64) -> rusqlite::Result<Option<Scan>> {
    let question = "SELECT id, portal, name, state, received_ms, digest, length, cut_short, error, revision, (SELECT count(*) FROM car WHERE scan = scan.id)
                    FROM scan WHERE id = ?1";
    let row = |row: &Row<'_>| {
        Ok(Scan {
            id: row.get(0)?,
            portal: row.get(1)?,
            name: row.get(2)?,
            state: row.get(3)?,
            received_ms: row.get(4)?,
            sha256: row.get::<_, Option<Sha>>(5)?.as_ref().map(hex),
            length: row.get(6)?,
            cut_short: row.get(7)?,
            error: row.get(8)?,
            revision: row.get(9)?,
            cars: row.get(10)?,
        })
    };
    connection.prepare_cached(question)?.query_row([id], row).optional()
}

/// The columns of a [`Car`], of `car` joined with `scan`.
pub const CAR: &str = "car.scan, portal, received_ms, position, mark, score, told";

/// A row of [`CAR`].
///
/// # Errors
/// What SQLite says.
pub fn car_row(row: &Row<'_>) -> rusqlite::Result<Car> {
    Ok(Car {
        scan: row.get(0)?,
        portal: row.get(1)?,
        received_ms: row.get(2)?,
        position: row.get(3)?,
        mark: row.get(4)?,
        score: row.get(5)?,
        told: parsed(row.get_ref(6)?.as_str()?),
    })
}

/// A car.
///
/// # Errors
/// What SQLite says.
pub fn car(connection: &Connection, scan: i64, position: i64) -> rusqlite::Result<Option<Car>> {
    let question = format!("SELECT {CAR} FROM car JOIN scan ON scan.id = car.scan WHERE car.scan = ?1 AND position = ?2");
    connection.prepare_cached(&question)?.query_row(params![scan, position], car_row).optional()
}

/// A finding.
///
/// # Errors
/// What SQLite says.
pub fn finding(connection: &Connection, scan: i64, position: i64, number: i64) -> rusqlite::Result<Option<Finding>> {
    let Some(mut car) = car(connection, scan, position)? else { return Ok(None) };
    let Some(finding) = usize::try_from(number).ok().and_then(|number| car.told["findings"].get_mut(number)).map(Value::take) else { return Ok(None) };
    Ok(Some(Finding { scan, portal: car.portal, received_ms: car.received_ms, position, mark: car.mark, number, finding }))
}

/// A hit of a train's list.
///
/// # Errors
/// What SQLite says.
pub fn scan_hit(connection: &Connection, id: i64) -> rusqlite::Result<Option<ScanHit>> {
    let question = "SELECT id, scan, position, state, subject, seen, list, text, class, probability, priority, entry, stored_ms FROM scan_hit WHERE id = ?1";
    let row = |row: &Row<'_>| {
        Ok(ScanHit {
            id: row.get(0)?,
            scan: row.get(1)?,
            position: row.get(2)?,
            state: row.get(3)?,
            subject: row.get(4)?,
            seen: row.get(5)?,
            list: row.get(6)?,
            text: row.get(7)?,
            class: row.get(8)?,
            probability: row.get(9)?,
            priority: row.get(10)?,
            entry: parsed(row.get_ref(11)?.as_str()?),
            stored_ms: row.get(12)?,
        })
    };
    connection.prepare_cached(question)?.query_row([id], row).optional()
}
