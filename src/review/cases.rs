//! The queue and one case, as the page gets them.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::diff::{self, Column};
use super::{DECIDE_BUDGET_MS, HIT_BUDGET_MS, State};
use crate::custody::edge_reads::{self, EdgeRead};
use crate::custody::evidence::{Sha, from_hex, hex};
use crate::custody::journal::Place;
use crate::custody::record::StoredRead;
use crate::watchlist::entry::Jurisdiction;
use crate::watchlist::text::normalise;

/// The most cases that the queue tells.
pub const MAX_QUEUE: usize = 10_000;
/// Earlier passages of the same plate that a case tells.
const HISTORY: i64 = 12;

/// A case in the queue.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Item {
    /// The hit's number.
    pub id: i64,
    /// Where it stands.
    pub state: State,
    /// The hit's own, by its passage's vote: sighted, confirmed, withdrawn.
    pub hit: String,
    /// The lane's id.
    pub lane: String,
    /// What was read: by vote once the vehicle has passed.
    pub read: String,
    /// The entry's text.
    pub sought: String,
    /// The entry's jurisdiction; empty for any.
    pub jurisdiction: String,
    /// The entry's list.
    pub list: String,
    /// The list's class of it.
    pub category: String,
    /// 0 is the most urgent, 100 the least.
    pub priority: u8,
    /// How they met.
    pub class: String,
    /// Whether two persons are wanted.
    pub two_person: bool,
    /// When it was stored, milliseconds since the Unix epoch.
    pub stored_ms: i64,
    /// From its frame's coming in until then, milliseconds.
    pub took_ms: i64,
    /// Who has it in hand.
    pub owner: Option<Owner>,
    /// Who has decided on it so far, ids.
    pub decided_by: Vec<String>,
}

/// Who has a case in hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Owner {
    /// Their id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Until when, milliseconds since the Unix epoch.
    pub until_ms: i64,
}

const ITEM: &str = "SELECT hit.id, review.state, hit.state, hit.lane,
       coalesce(passage.text, (SELECT json_extract(read.seen, '$.text') FROM frame JOIN read ON read.frame = frame.id AND read.track = hit.track
                               WHERE frame.lane = hit.lane AND frame.sequence = hit.sequence), ''),
       hit.text, hit.jurisdiction, hit.list, json_extract(hit.entry, '$.category'), hit.priority, hit.class, coalesce(json_extract(hit.entry, '$.two_person'), 0),
       hit.stored_ms, hit.stored_ms - hit.received_ms, review.owner, review.owner_name, review.lease_until_ms,
       (SELECT json_group_array(person) FROM disposition WHERE disposition.hit = hit.id AND undone_ms IS NULL)
     FROM review JOIN hit ON hit.id = review.hit LEFT JOIN passage ON passage.id = hit.passage";

fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let owner: Option<String> = row.get(14)?;
    Ok(Item {
        id: row.get(0)?,
        state: super::decide::state(row.get_ref(1)?)?,
        hit: row.get(2)?,
        lane: row.get(3)?,
        read: row.get(4)?,
        sought: row.get(5)?,
        jurisdiction: row.get(6)?,
        list: row.get(7)?,
        category: row.get::<_, Option<String>>(8)?.unwrap_or_default(),
        priority: row.get(9)?,
        class: row.get(10)?,
        two_person: row.get(11)?,
        stored_ms: row.get(12)?,
        took_ms: row.get(13)?,
        owner: match owner {
            Some(id) => Some(Owner { id, name: row.get(15)?, until_ms: row.get(16)? }),
            None => None,
        },
        decided_by: serde_json::from_str(row.get_ref(17)?.as_str()?).unwrap_or_default(),
    })
}

/// The cases that wait and were stored since `since_ms`, most urgent first, then oldest first; at most [`MAX_QUEUE`], and how many there are in all.
///
/// # Errors
/// What SQLite says.
pub fn queue(connection: &Connection, since_ms: i64) -> rusqlite::Result<(Vec<Item>, usize)> {
    let waiting = "review.state IN ('open', 'second', 'supervisor')";
    let items = connection
        .prepare_cached(&format!("{ITEM} WHERE {waiting} AND hit.stored_ms >= ?1 ORDER BY hit.priority, hit.id LIMIT ?2"))?
        .query_map([since_ms, MAX_QUEUE as i64], item)?
        .collect::<rusqlite::Result<Vec<Item>>>()?;
    let count = format!("SELECT count(*) FROM review JOIN hit ON hit.id = review.hit WHERE {waiting} AND hit.stored_ms >= ?1");
    let all = connection.prepare_cached(&count)?.query_row([since_ms], |row| row.get::<_, i64>(0))?;
    Ok((items, all as usize))
}

/// One case of the queue, whatever its state; none where it is gone.
///
/// # Errors
/// What SQLite says.
pub fn one(connection: &Connection, hit: i64) -> rusqlite::Result<Option<Item>> {
    connection.prepare_cached(&format!("{ITEM} WHERE hit.id = ?1"))?.query_row([hit], item).optional()
}

/// Everything that an officer is shown of a case.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Case {
    /// As in the queue.
    pub item: Item,
    /// The entry, as it stood when the hit was made.
    #[schema(value_type = Object)]
    pub entry: Value,
    /// The read that is shown: of the evidence's frame.
    pub read: Option<ShownRead>,
    /// Read against entry.
    pub columns: Vec<Column>,
    /// Probability that this entry's plate made this picture, 0..=1.
    pub probability: f64,
    /// Who issued the plate, as read and as sought, and how they meet.
    pub jurisdiction: Issuer,
    /// Pictures, the one to decide by first.
    pub pictures: Vec<Picture>,
    /// Its passage; none while the vehicle is in view.
    pub passage: Option<ShownPassage>,
    /// What was decided, oldest first, also what was taken back.
    pub dispositions: Vec<ShownDisposition>,
    /// Notes, oldest first.
    pub notes: Vec<ShownNote>,
    /// Earlier passages that were read as this plate, newest first.
    pub history: Vec<Earlier>,
    /// What cameras read of the vehicle by themselves.
    pub second_opinions: Vec<EdgeRead>,
    /// Other entries that the same vehicle meets: their cases' numbers, texts and lists.
    pub others: Vec<OtherCase>,
    /// What it may take: from frame to hit, from hit to decision; milliseconds.
    #[schema(value_type = Vec<i64>)]
    pub budget_ms: [i64; 2],
}

/// What somebody decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownDisposition {
    /// Where the case stood.
    pub stage: String,
    /// Who, id.
    pub person: String,
    /// Their name.
    pub name: String,
    /// `confirmed`, `rejected`, `referred`.
    pub verdict: String,
    /// Of a rejection.
    pub reason: Option<String>,
    /// For how long the picture had been painted, milliseconds.
    pub looked_ms: i64,
    /// When, milliseconds since the Unix epoch.
    pub decided_ms: i64,
    /// When it was taken back.
    pub undone_ms: Option<i64>,
}

/// A note beside a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownNote {
    /// Who wrote it, id.
    pub person: String,
    /// Their name.
    pub name: String,
    /// What it says.
    pub body: String,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// An earlier passage of the same plate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Earlier {
    /// Its number.
    pub passage: i64,
    /// The lane's id.
    pub lane: String,
    /// What was read.
    pub read: String,
    /// When it was seen last, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The cases that it made.
    pub cases: Vec<PastCase>,
}

/// A case of an earlier passage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastCase {
    /// The hit's number.
    pub id: i64,
    /// Where it stands.
    pub state: State,
    /// The entry's list.
    pub list: String,
    /// The entry's text.
    pub sought: String,
}

/// Another entry that the same vehicle meets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OtherCase {
    /// The hit's number.
    pub id: i64,
    /// The entry's text.
    pub sought: String,
    /// The entry's jurisdiction; empty for any.
    pub jurisdiction: String,
    /// The entry's list.
    pub list: String,
    /// Where it stands.
    pub state: String,
}

/// A read, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ShownRead {
    /// The text; by vote once the vehicle has passed.
    pub text: String,
    /// Calibrated probability that it is exactly right, 0..=1.
    pub confidence: f64,
    /// Left, top, width, height of the plate in the first picture, its pixels.
    #[serde(rename = "box")]
    #[schema(value_type = Vec<f32>)]
    pub hull: [f32; 4],
    /// Its corners there.
    #[schema(value_type = Vec<Vec<f32>>)]
    pub corners: [[f32; 2]; 4],
}

/// Whose plate.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Issuer {
    /// As read; none where the reader does not know.
    pub read: Option<String>,
    /// How sure, 0..=1.
    pub probability: Option<f64>,
    /// As the entry says; empty for any.
    pub sought: String,
    /// `same`, `other`, or `unknown`.
    pub meets: &'static str,
}

/// A passage, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownPassage {
    /// Its number.
    pub id: i64,
    /// Reads that voted.
    pub reads: i64,
    /// When the first and the last was captured, milliseconds since the Unix epoch.
    #[schema(value_type = Vec<i64>)]
    pub seen_ms: [i64; 2],
}

/// One picture of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Picture {
    /// Its SHA-256, in hexadecimal: its address, and what a disposition names.
    pub digest: String,
    /// Its number in the lane.
    pub sequence: i64,
    /// When it was captured, milliseconds since the Unix epoch.
    pub captured_ms: i64,
}

/// All of a case; none where it is gone. Of earlier passages those that were seen since `since_ms`.
///
/// # Errors
/// What SQLite says.
pub fn case(connection: &Connection, hit: i64, since_ms: i64) -> rusqlite::Result<Option<Case>> {
    let Some(item) = one(connection, hit)? else { return Ok(None) };
    let (entry, probability, track, sequence, passage): (String, f64, i64, i64, Option<i64>) = connection
        .prepare_cached("SELECT entry, probability, track, sequence, passage FROM hit WHERE id = ?1")?
        .query_row([hit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
    let seen = match passage {
        Some(passage) => Seen::of_passage(connection, passage)?,
        None => Seen::of_sighting(connection, &item.lane, track, sequence)?,
    };
    let seen = seen.unwrap_or_default();
    let sought = normalise(&item.sought).map_or_else(|_| item.sought.clone(), |key| key.to_string());
    let texts = [sought, seen.read.as_ref().map_or_else(String::new, |read| read.text.clone())];
    Ok(Some(Case {
        columns: diff::columns(&seen.chars, &item.sought),
        jurisdiction: issuer(seen.jurisdiction, &item.jurisdiction),
        pictures: pictures(connection, &item.lane, sequence, passage)?,
        dispositions: dispositions(connection, hit)?,
        notes: notes(connection, hit)?,
        history: history(connection, &texts, passage.unwrap_or(0), since_ms)?,
        second_opinions: edge_reads::of_track(connection, &item.lane, track)?,
        others: others(connection, &item.lane, track, hit)?,
        entry: serde_json::from_str(&entry).unwrap_or_default(),
        read: seen.read,
        passage: seen.passage,
        probability,
        budget_ms: [HIT_BUDGET_MS, DECIDE_BUDGET_MS],
        item,
    }))
}

/// What was seen of a vehicle.
#[derive(Default)]
struct Seen {
    read: Option<ShownRead>,
    chars: Vec<Vec<(char, f32)>>,
    jurisdiction: Option<(String, f64)>,
    passage: Option<ShownPassage>,
}

impl Seen {
    fn of_passage(connection: &Connection, passage: i64) -> rusqlite::Result<Option<Seen>> {
        let question = "SELECT text, confidence, best, seen, jurisdiction, jurisdiction_confidence, reads, first_ms, last_ms FROM passage WHERE id = ?1";
        connection
            .prepare_cached(question)?
            .query_row([passage], |row| {
                let best = StoredRead::from_column(row.get_ref(2)?)?.line;
                let jurisdiction: Option<String> = row.get(4)?;
                Ok(Seen {
                    read: Some(ShownRead { text: row.get(0)?, confidence: row.get(1)?, hull: best.hull, corners: best.corners }),
                    chars: serde_json::from_str(row.get_ref(3)?.as_str()?).unwrap_or(best.chars),
                    jurisdiction: jurisdiction.zip(row.get(5)?),
                    passage: Some(ShownPassage { id: passage, reads: row.get(6)?, seen_ms: [row.get(7)?, row.get(8)?] }),
                })
            })
            .optional()
    }

    fn of_sighting(connection: &Connection, lane: &str, track: i64, sequence: i64) -> rusqlite::Result<Option<Seen>> {
        let question = "SELECT read.seen FROM frame JOIN read ON read.frame = frame.id AND read.track = ?2 WHERE frame.lane = ?1 AND frame.sequence = ?3";
        connection
            .prepare_cached(question)?
            .query_row(params![lane, track, sequence], |row| {
                let line = StoredRead::from_column(row.get_ref(0)?)?.line;
                Ok(Seen {
                    read: Some(ShownRead { text: line.text, confidence: line.confidence.into(), hull: line.hull, corners: line.corners }),
                    chars: line.chars,
                    jurisdiction: line.jurisdiction.map(|one| (one.code, one.confidence.into())),
                    passage: None,
                })
            })
            .optional()
    }
}

fn issuer(read: Option<(String, f64)>, sought: &str) -> Issuer {
    let meets = match (read.as_ref().and_then(|one| Jurisdiction::of(&one.0)), Jurisdiction::of(sought)) {
        (Some(read), Some(sought)) if !sought.is_any() => {
            if read.agrees(sought) {
                "same"
            } else {
                "other"
            }
        }
        _ => "unknown",
    };
    let (code, probability) = read.unzip();
    Issuer { read: code, probability, sought: sought.to_owned(), meets }
}

/// The pictures of a case, the one to decide by first: a passage's evidence and film strip, else the frame that met the entry.
fn pictures(connection: &Connection, lane: &str, sequence: i64, passage: Option<i64>) -> rusqlite::Result<Vec<Picture>> {
    let picture = |row: &Row<'_>| Ok(Picture { digest: hex(&row.get(0)?), sequence: row.get(1)?, captured_ms: row.get(2)? });
    match passage {
        Some(passage) => connection
            .prepare_cached("SELECT digest, sequence, captured_ms FROM evidence WHERE passage = ?1 ORDER BY number")?
            .query_map([passage], picture)?
            .collect(),
        None => connection
            .prepare_cached("SELECT digest, sequence, captured_ms FROM frame WHERE lane = ?1 AND sequence = ?2")?
            .query_map(params![lane, sequence], picture)?
            .collect(),
    }
}

/// Where the bytes of a picture lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bytes {
    /// In a file of evidence.
    Evidence(Sha),
    /// In the journal: where, and how many.
    Journal(Place, usize),
}

/// Where the picture with this digest lies, if it is one of the case's, and that was stored since `since_ms`.
///
/// # Errors
/// What SQLite says.
pub fn picture(connection: &Connection, hit: i64, digest: &str, since_ms: i64) -> rusqlite::Result<Option<Bytes>> {
    let Some(digest) = from_hex(digest) else { return Ok(None) };
    if !connection.prepare_cached("SELECT 1 FROM hit WHERE id = ?1 AND stored_ms >= ?2")?.exists([hit, since_ms])? {
        return Ok(None);
    }
    let evidence = "SELECT 1 FROM hit JOIN evidence ON evidence.passage = hit.passage WHERE hit.id = ?1 AND evidence.digest = ?2";
    if connection.prepare_cached(evidence)?.exists(params![hit, digest])? {
        return Ok(Some(Bytes::Evidence(digest)));
    }
    connection
        .prepare_cached(
            "SELECT frame.segment, frame.at, frame.length FROM hit JOIN frame USING (lane, sequence) WHERE hit.id = ?1 AND frame.digest = ?2 AND segment IS NOT NULL",
        )?
        .query_row(params![hit, digest], |row| {
            let place = Place { segment: row.get(0)?, at: row.get::<_, i64>(1)? as u64 };
            Ok(Bytes::Journal(place, row.get::<_, i64>(2)? as usize))
        })
        .optional()
}

fn dispositions(connection: &Connection, hit: i64) -> rusqlite::Result<Vec<ShownDisposition>> {
    let question = "SELECT stage, person, name, verdict, reason, looked_ms, decided_ms, undone_ms FROM disposition WHERE hit = ?1 ORDER BY id";
    connection
        .prepare_cached(question)?
        .query_map([hit], |row| {
            Ok(ShownDisposition {
                stage: row.get(0)?,
                person: row.get(1)?,
                name: row.get(2)?,
                verdict: row.get(3)?,
                reason: row.get(4)?,
                looked_ms: row.get(5)?,
                decided_ms: row.get(6)?,
                undone_ms: row.get(7)?,
            })
        })?
        .collect()
}

fn notes(connection: &Connection, hit: i64) -> rusqlite::Result<Vec<ShownNote>> {
    connection
        .prepare_cached("SELECT person, name, body, at_ms FROM note WHERE hit = ?1 ORDER BY id")?
        .query_map([hit], |row| Ok(ShownNote { person: row.get(0)?, name: row.get(1)?, body: row.get(2)?, at_ms: row.get(3)? }))?
        .collect()
}

/// Earlier passages that were read as one of these texts, and what was decided on their hits.
fn history(connection: &Connection, texts: &[String; 2], but: i64, since_ms: i64) -> rusqlite::Result<Vec<Earlier>> {
    let question = "SELECT passage.id, passage.lane, passage.text, passage.last_ms,
                           (SELECT json_group_array(json_object('id', review.hit, 'state', review.state, 'list', hit.list, 'sought', hit.text))
                            FROM hit JOIN review ON review.hit = hit.id WHERE hit.passage = passage.id)
                    FROM passage WHERE text IN (?1, ?2) AND text <> '' AND id <> ?3 AND last_ms >= ?4 ORDER BY last_ms DESC LIMIT ?5";
    connection
        .prepare_cached(question)?
        .query_map(params![texts[0], texts[1], but, since_ms, HISTORY], |row| {
            let cases = serde_json::from_str(row.get_ref(4)?.as_str()?).unwrap_or_default();
            Ok(Earlier { passage: row.get(0)?, lane: row.get(1)?, read: row.get(2)?, at_ms: row.get(3)?, cases })
        })?
        .collect()
}

fn others(connection: &Connection, lane: &str, track: i64, but: i64) -> rusqlite::Result<Vec<OtherCase>> {
    let question = "SELECT hit.id, hit.text, hit.jurisdiction, hit.list, review.state FROM hit JOIN review ON review.hit = hit.id
                    WHERE hit.lane = ?1 AND hit.track = ?2 AND hit.id <> ?3 ORDER BY hit.probability DESC";
    connection
        .prepare_cached(question)?
        .query_map(params![lane, track, but], |row| {
            Ok(OtherCase { id: row.get(0)?, sought: row.get(1)?, jurisdiction: row.get(2)?, list: row.get(3)?, state: row.get(4)? })
        })?
        .collect()
}
