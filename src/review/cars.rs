//! What people make of cars: decisions on findings, and what they draw beside the pixels.
//!
//! A car in which something was found is a case as a hit is, and goes the same way ([`super::state_after`]), finding by finding: it waits as long as one of its
//! findings does. As with hits, one person has it in hand at a time, nobody decides twice on one finding nor on what they were not sent, a decision can be taken
//! back by whoever made it, two persons confirm where a list's entry that names the car or the portal wants two, and each change and the audit record of it are
//! one commit. The store holds all of that (`migrations/009_cars.sql`), not this code.
//!
//! A car that is only found is less urgent than one that somebody looks for: a finding is high at most, an entry of a list as urgent as it says.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::cases::Owner;
use super::decide::{Claim, Outcome, Refusal, free_others};
use super::{LEASE_MS, MAX_NOTE, Officer, State, UNDO_MS, Verdict, state_after};
use crate::audit::{self, Act, Action};

/// Findings at least so probable wait for somebody: more likely something than nothing.
pub const WAITS_PROBABILITY: f64 = 0.5;

/// The most cars that the queue tells.
pub const MAX_QUEUE: usize = 2_000;

/// The priority of a finding that is certain; each chance in a hundred that it is nothing makes it less urgent by one.
const FOUND: f64 = 10.0;

/// The most annotations of a car that are kept.
const MOST_ANNOTATIONS: i64 = 200;

/// A car: its scan's number, and its place from the head of the train.
pub type Place = (i64, i64);

/// As the audit trail names a car.
pub fn subject((scan, position): Place) -> String {
    format!("scan {scan} car {position}")
}

/// Why a finding is rejected, in the order of the keys 1 to 6 on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingReason {
    /// Part of the car.
    Structure,
    /// Cargo as it usually is.
    Cargo,
    /// What the papers say.
    Declared,
    /// The portal's doing: a dead detector, a jerk of the train.
    Artefact,
    /// It was there on an earlier day, and looked into.
    SeenBefore,
    /// What the note says.
    Other,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingDecision {
    /// The verdict.
    pub verdict: Verdict,
    /// Of a rejection.
    pub reason: Option<FindingReason>,
    /// In the person's own words; the reason `other` wants one.
    pub note: Option<String>,
    /// How long the car's pixels had been painted, milliseconds.
    pub looked_ms: u32,
}

/// What somebody draws: from one pixel of the scan to another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    /// What.
    pub kind: DrawnKind,
    /// `[column, detector]` where it begins.
    pub from: [u32; 2],
    /// `[column, detector]` where it ends.
    pub to: [u32; 2],
    /// What it says.
    pub body: String,
}

/// Shapes that can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrawnKind {
    /// Around something.
    Box,
    /// At something.
    Arrow,
    /// Only words.
    Text,
}

/// Serde's name of a plain variant.
fn name(variant: impl Serialize) -> String {
    serde_json::to_value(variant).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn record(transaction: &Transaction<'_>, who: &Officer, action: Action, place: Place, details: Value, now_ms: i64) -> rusqlite::Result<()> {
    audit::append(transaction, &Act { who: who.id.clone(), action, subject: subject(place), details, now_ms }).map(|_| ())
}

/// The text of a car's finding as the store has it.
fn finding(connection: &Connection, (scan, position): Place, number: i64) -> rusqlite::Result<Option<String>> {
    let one = "SELECT json_extract(told, '$.findings[' || ?3 || ']') FROM car WHERE scan = ?1 AND position = ?2";
    connection.prepare_cached(one)?.query_row(params![scan, position, number], |row| row.get(0)).optional().map(Option::flatten)
}

/// Whether this person has opened the car.
fn opened(connection: &Connection, who: &Officer, place: Place) -> rusqlite::Result<bool> {
    let opened = "SELECT EXISTS (SELECT 1 FROM audit WHERE subject = ?1 AND who = ?2 AND action = ?3)";
    connection.prepare_cached(opened)?.query_row(params![subject(place), who.id, Action::CarViewed.name()], |row| row.get(0))
}

fn said(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty() && text.chars().count() <= MAX_NOTE).then_some(text)
}

/// What somebody decided on a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Where the finding stood.
    pub stage: State,
    /// Who, id.
    pub person: String,
    /// Their name.
    pub name: String,
    /// What they decided.
    pub verdict: Verdict,
    /// Of a rejection.
    pub reason: Option<String>,
    /// In their words.
    pub note: Option<String>,
    /// When, milliseconds since the Unix epoch.
    pub decided_ms: i64,
}

/// A finding and what was decided on it, oldest first, without what was taken back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Where it stands.
    pub state: State,
    /// What was decided.
    pub by: Vec<Judgement>,
    /// The finding as the store has it.
    #[serde(skip)]
    text: String,
    #[serde(skip)]
    probability: f64,
}

impl Judged {
    /// Whether it counts for its car's case: it is probable, or somebody has decided on it.
    fn counts(&self) -> bool {
        self.probability >= WAITS_PROBABILITY || !self.by.is_empty()
    }

    /// Whether somebody must do something.
    fn waits(&self) -> bool {
        self.counts() && self.state.waits()
    }

    /// Why this person may not decide on it.
    fn hinders(&self, who: &Officer) -> Option<Refusal> {
        if !self.state.waits() {
            Some(Refusal::Closed { state: self.state })
        } else if self.by.iter().any(|one| one.person == who.id) {
            Some(Refusal::DecidedAlready)
        } else if self.state == State::Supervisor && !who.supervises {
            Some(Refusal::SupervisorOnly)
        } else {
            None
        }
    }
}

/// A car's case, where it has one.
struct Row {
    id: i64,
    state: State,
    two_person: bool,
    owner: Option<(String, String)>,
    until_ms: i64,
    claimed_ms: i64,
}

fn row(connection: &Connection, (scan, position): Place) -> rusqlite::Result<Option<Row>> {
    let one =
        "SELECT id, state, two_person, owner, owner_name, coalesce(lease_until_ms, 0), coalesce(claimed_ms, 0) FROM car_case WHERE scan = ?1 AND position = ?2";
    connection
        .prepare_cached(one)?
        .query_row(params![scan, position], |row| {
            let (owner, name): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
            let state = super::decide::state(row.get_ref(1)?)?;
            Ok(Row { id: row.get(0)?, state, two_person: row.get(2)?, owner: owner.zip(name), until_ms: row.get(5)?, claimed_ms: row.get(6)? })
        })
        .optional()
}

/// Each finding of a car, in order, with what was decided on it.
///
/// # Errors
/// What SQLite says.
pub fn judged(connection: &Connection, place: Place) -> rusqlite::Result<Vec<Judged>> {
    let two_person = row(connection, place)?.is_some_and(|row| row.two_person);
    let all = "SELECT f.value, coalesce(f.value ->> 'probability', 0),
                 (SELECT json_group_array(json_object('stage', stage, 'person', person, 'name', name, 'verdict', verdict, 'reason', reason, 'note', note, 'decided_ms', decided_ms))
                  FROM (SELECT * FROM finding_disposition AS d WHERE d.scan = car.scan AND d.position = car.position AND d.finding = f.value AND undone_ms IS NULL ORDER BY id))
               FROM car, json_each(car.told, '$.findings') AS f WHERE car.scan = ?1 AND car.position = ?2 ORDER BY f.key";
    let told = |row: &rusqlite::Row<'_>| {
        let by: Vec<Judgement> = serde_json::from_str(row.get_ref(2)?.as_str()?).map_err(|_| rusqlite::Error::InvalidQuery)?;
        let so_far: Vec<(State, Verdict)> = by.iter().map(|one| (one.stage, one.verdict)).collect();
        Ok(Judged { state: state_after(two_person, &so_far), by, text: row.get(0)?, probability: row.get(1)? })
    };
    connection.prepare_cached(all)?.query_map(params![place.0, place.1], told)?.collect()
}

/// Where a car stands whose findings stand so: it waits as long as one of them does.
fn car_state(judged: &[Judged]) -> Option<State> {
    let order = [State::Open, State::Second, State::Supervisor, State::Confirmed, State::Rejected];
    let states: Vec<State> = judged.iter().filter(|one| one.counts()).map(|one| one.state).collect();
    order.into_iter().find(|state| states.contains(state))
}

/// Makes a case of a car in which something was found, or makes the case say what is found in it now: after each inspection, and before somebody decides on a
/// finding that waits for nobody. `two_person`: the portal wants two for each.
///
/// # Errors
/// What SQLite says.
pub fn renew(transaction: &Transaction<'_>, place: Place, two_person: bool, now_ms: i64) -> rusqlite::Result<()> {
    let listed = "SELECT min(priority), coalesce(max(coalesce(json_extract(entry, '$.two_person'), 0)), 0) FROM scan_hit WHERE scan = ?1 AND position = ?2 AND state <> 'withdrawn'";
    let (priority, two): (Option<i64>, bool) =
        transaction.prepare_cached(listed)?.query_row(params![place.0, place.1], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let all = judged(transaction, place)?;
    let most = all.iter().filter(|one| one.counts()).map(|one| one.probability).reduce(f64::max);
    let found = most.map(|most| (FOUND + (100.0 * (1.0 - most)).round()).clamp(FOUND, 100.0) as i64);
    match (row(transaction, place)?, found) {
        (None, None) => return Ok(()),
        (None, Some(found)) => {
            let new = "INSERT INTO car_case (scan, position, state, priority, two_person, stored_ms) VALUES (?1, ?2, 'open', ?3, ?4, ?5)";
            transaction.prepare_cached(new)?.execute(params![place.0, place.1, found.min(priority.unwrap_or(100)), two_person || two, now_ms])?;
        }
        (Some(row), found) => {
            let known = "UPDATE car_case SET priority = ?2, two_person = max(two_person, ?3) WHERE id = ?1 AND (priority IS NOT ?2 OR two_person < ?3)";
            transaction.prepare_cached(known)?.execute(params![row.id, found.unwrap_or(100).min(priority.unwrap_or(100)), two_person || two])?;
        }
    }
    settle(transaction, place).map(|_| ())
}

/// [`renew`] for each car of a scan, and for what was a car of it before.
///
/// # Errors
/// What SQLite says.
pub fn renew_all(transaction: &Transaction<'_>, scan: i64, two_person: bool, now_ms: i64) -> rusqlite::Result<()> {
    let places = "SELECT position FROM car WHERE scan = ?1 UNION SELECT position FROM car_case WHERE scan = ?1";
    let places = transaction.prepare_cached(places)?.query_map([scan], |row| row.get::<_, i64>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    places.into_iter().try_for_each(|position| renew(transaction, (scan, position), two_person, now_ms))
}

/// Sets the state that the findings make, and gives the car back where it waits for nobody; answers the state.
fn settle(transaction: &Transaction<'_>, place: Place) -> rusqlite::Result<State> {
    // What is found no longer leaves the queue.
    let state = car_state(&judged(transaction, place)?).unwrap_or(State::Withdrawn);
    let set = "UPDATE car_case SET state = ?3 WHERE scan = ?1 AND position = ?2 AND state <> ?3";
    transaction.prepare_cached(set)?.execute(params![place.0, place.1, state.name()])?;
    if !state.waits() {
        transaction.prepare_cached(&format!("{FREE} WHERE scan = ?1 AND position = ?2 AND owner IS NOT NULL"))?.execute(params![place.0, place.1])?;
    }
    Ok(state)
}

const FREE: &str = "UPDATE car_case SET owner = NULL, owner_name = NULL, lease_until_ms = NULL, claimed_ms = NULL";

/// Who has the car in hand, if that is somebody else.
fn taken(row: &Row, who: &Officer, now_ms: i64) -> Option<Refusal> {
    let (id, name) = row.owner.as_ref()?;
    (*id != who.id && row.until_ms > now_ms).then(|| Refusal::Claimed { by: name.clone(), until_ms: row.until_ms })
}

/// Takes a car in hand, or prolongs the lease; what the same person had in hand before is free again.
///
/// # Errors
/// What SQLite says.
pub fn claim(transaction: &Transaction<'_>, place: Place, who: &Officer, now_ms: i64) -> Outcome<Claim> {
    let Some(row) = row(transaction, place)? else { return Ok(Err(Refusal::Unknown)) };
    if !row.state.waits() {
        return Ok(Err(Refusal::Closed { state: row.state }));
    }
    if let Some(refusal) = taken(&row, who, now_ms) {
        return Ok(Err(refusal));
    }
    let hindrances: Vec<_> = judged(transaction, place)?.iter().filter(|one| one.waits()).map(|one| one.hinders(who)).collect();
    if let Some(Some(refusal)) = hindrances.iter().min_by_key(|hindrance| hindrance.is_some()) {
        return Ok(Err(refusal.clone()));
    }
    let mine = row.owner.as_ref().is_some_and(|owner| owner.0 == who.id) && row.until_ms > now_ms;
    let claim = Claim { until_ms: now_ms + LEASE_MS, since_ms: if mine { row.claimed_ms } else { now_ms } };
    free_others(transaction, who, None, Some(row.id))?;
    let take = "UPDATE car_case SET owner = ?2, owner_name = ?3, lease_until_ms = ?4, claimed_ms = ?5 WHERE id = ?1";
    transaction.prepare_cached(take)?.execute(params![row.id, who.id, who.name, claim.until_ms, claim.since_ms])?;
    if !mine {
        record(transaction, who, Action::Claimed, place, json!({}), now_ms)?;
    }
    Ok(Ok(claim))
}

/// Gives a car back; nothing where it is not in this person's hand.
///
/// # Errors
/// What SQLite says.
pub fn release(transaction: &Transaction<'_>, place: Place, who: &Officer, now_ms: i64) -> Outcome<()> {
    let freed = transaction.prepare_cached(&format!("{FREE} WHERE owner = ?1 AND scan = ?2 AND position = ?3"))?.execute(params![who.id, place.0, place.1])?;
    if freed > 0 {
        record(transaction, who, Action::Claimed, place, json!({ "given_back": true }), now_ms)?;
    }
    Ok(Ok(()))
}

/// Notes that pixels of a car are sent to this person. That they opened it is recorded where they were told of it.
///
/// # Errors
/// What SQLite says.
pub fn view(transaction: &Transaction<'_>, place: Place, who: &Officer, now_ms: i64) -> Outcome<()> {
    let seen = "INSERT OR IGNORE INTO car_viewing (scan, position, person, at_ms) VALUES (?1, ?2, ?3, ?4)";
    transaction.prepare_cached(seen)?.execute(params![place.0, place.1, who.id, now_ms])?;
    Ok(Ok(()))
}

/// Whether pixels of a car were sent to this person.
///
/// # Errors
/// What SQLite says.
pub fn viewed(connection: &Connection, place: Place, person: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM car_viewing WHERE scan = ?1 AND position = ?2 AND person = ?3")?.exists(params![place.0, place.1, person])
}

/// Decides on a finding; answers where the car stands now. A car that nobody has in hand may be decided at once.
///
/// # Errors
/// What SQLite says.
pub fn decide(transaction: &Transaction<'_>, place: Place, number: i64, who: &Officer, decision: &FindingDecision, now_ms: i64) -> Outcome<State> {
    let before = judged(transaction, place)?;
    let Some(finding) = usize::try_from(number).ok().and_then(|number| before.get(number)) else { return Ok(Err(Refusal::Unknown)) };
    let case = row(transaction, place)?;
    if let Some(refusal) = case.as_ref().and_then(|row| taken(row, who, now_ms)).or_else(|| finding.hinders(who)) {
        return Ok(Err(refusal));
    }
    if (decision.verdict == Verdict::Rejected) != decision.reason.is_some() {
        return Ok(Err(Refusal::Reason));
    }
    let note = match decision.note.as_deref().map(said) {
        Some(None) => return Ok(Err(Refusal::Note)),
        None if decision.reason == Some(FindingReason::Other) => return Ok(Err(Refusal::NoteWanted)),
        note => note.flatten(),
    };
    if !viewed(transaction, place, &who.id)? {
        return Ok(Err(Refusal::NotSeen));
    }
    let keep = "INSERT INTO finding_disposition (scan, position, finding, stage, person, name, verdict, reason, note, looked_ms, decided_ms)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let (verdict, reason) = (decision.verdict.name(), decision.reason.map(name));
    transaction.prepare_cached(keep)?.execute(params![
        place.0,
        place.1,
        finding.text,
        finding.state.name(),
        who.id,
        who.name,
        verdict,
        reason,
        note,
        decision.looked_ms,
        now_ms
    ])?;
    if case.is_none() {
        // It waited for nobody: it was not probable enough.
        renew(transaction, place, false, now_ms)?;
    }
    let state = settle(transaction, place)?;
    if !judged(transaction, place)?.iter().any(|one| one.waits() && one.hinders(who).is_none()) {
        let free = format!("{FREE} WHERE owner = ?1 AND scan = ?2 AND position = ?3");
        transaction.prepare_cached(&free)?.execute(params![who.id, place.0, place.1])?;
    }
    let details = json!({ "finding": number, "stage": finding.state, "verdict": verdict, "reason": reason, "note": note, "looked_ms": decision.looked_ms, "state": state });
    record(transaction, who, Action::Disposition, place, details, now_ms)?;
    Ok(Ok(state))
}

/// Takes this person's decision on a finding back, where it is the finding's newest and younger than [`UNDO_MS`].
///
/// # Errors
/// What SQLite says.
pub fn undo(transaction: &Transaction<'_>, place: Place, number: i64, who: &Officer, now_ms: i64) -> Outcome<State> {
    let Some(finding) = finding(transaction, place, number)? else { return Ok(Err(Refusal::Unknown)) };
    let taken = row(transaction, place)?.and_then(|row| taken(&row, who, now_ms)).is_some();
    let newest = "SELECT id, person, decided_ms FROM finding_disposition WHERE scan = ?1 AND position = ?2 AND finding = ?3 AND undone_ms IS NULL ORDER BY id DESC LIMIT 1";
    let newest: Option<(i64, String, i64)> =
        transaction.prepare_cached(newest)?.query_row(params![place.0, place.1, finding], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((id, ..)) = newest.filter(|(_, person, decided_ms)| *person == who.id && now_ms - decided_ms <= UNDO_MS && !taken) else {
        return Ok(Err(Refusal::TooLate));
    };
    transaction.prepare_cached("UPDATE finding_disposition SET undone_ms = ?2 WHERE id = ?1")?.execute(params![id, now_ms])?;
    let state = settle(transaction, place)?;
    record(transaction, who, Action::DispositionUndone, place, json!({ "finding": number, "state": state }), now_ms)?;
    Ok(Ok(state))
}

/// Draws beside a car's pixels.
///
/// # Errors
/// What SQLite says.
pub fn annotate(transaction: &Transaction<'_>, place: Place, who: &Officer, drawn: &Drawn, now_ms: i64) -> Outcome<()> {
    let Some(body) = said(&drawn.body) else { return Ok(Err(Refusal::Note)) };
    if !transaction.prepare_cached("SELECT 1 FROM car WHERE scan = ?1 AND position = ?2")?.exists(params![place.0, place.1])? {
        return Ok(Err(Refusal::Unknown));
    }
    if !opened(transaction, who, place)? {
        return Ok(Err(Refusal::NotSeen));
    }
    let many = "SELECT count(*) FROM annotation WHERE scan = ?1 AND position = ?2 AND removed_ms IS NULL";
    if transaction.prepare_cached(many)?.query_row(params![place.0, place.1], |row| row.get::<_, i64>(0))? >= MOST_ANNOTATIONS {
        return Ok(Err(Refusal::Note));
    }
    let keep = "INSERT INTO annotation (scan, position, person, name, kind, from_column, from_detector, to_column, to_detector, body, at_ms)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let ([x0, y0], [x1, y1], kind) = (drawn.from, drawn.to, name(drawn.kind));
    transaction.prepare_cached(keep)?.execute(params![place.0, place.1, who.id, who.name, kind, x0, y0, x1, y1, body, now_ms])?;
    let id = transaction.last_insert_rowid();
    let details = json!({ "annotation": id, "kind": kind, "from": drawn.from, "to": drawn.to, "body": body });
    record(transaction, who, Action::Noted, place, details, now_ms)?;
    Ok(Ok(()))
}

/// Shows this person's annotation no longer; a supervisor's hand takes anybody's. It stays in the store, and in the audit trail.
///
/// # Errors
/// What SQLite says.
pub fn remove(transaction: &Transaction<'_>, place: Place, id: i64, who: &Officer, now_ms: i64) -> Outcome<()> {
    let remove = "UPDATE annotation SET removed_ms = ?5 WHERE id = ?3 AND scan = ?1 AND position = ?2 AND removed_ms IS NULL AND (person = ?4 OR ?6)";
    if transaction.prepare_cached(remove)?.execute(params![place.0, place.1, id, who.id, now_ms, who.supervises])? == 0 {
        return Ok(Err(Refusal::Unknown));
    }
    record(transaction, who, Action::Noted, place, json!({ "annotation": id, "removed": true }), now_ms)?;
    Ok(Ok(()))
}

/// The annotations of a car, oldest first.
///
/// # Errors
/// What SQLite says.
pub fn annotations(connection: &Connection, (scan, position): Place) -> rusqlite::Result<Vec<Value>> {
    let all = "SELECT id, person, name, kind, from_column, from_detector, to_column, to_detector, body, at_ms FROM annotation
               WHERE scan = ?1 AND position = ?2 AND removed_ms IS NULL ORDER BY id";
    let told = |row: &rusqlite::Row<'_>| {
        let [x0, y0, x1, y1] = [row.get::<_, i64>(4)?, row.get(5)?, row.get(6)?, row.get(7)?];
        Ok(json!({
            "id": row.get::<_, i64>(0)?, "person": row.get::<_, String>(1)?, "name": row.get::<_, String>(2)?, "kind": row.get::<_, String>(3)?,
            "from": [x0, y0], "to": [x1, y1], "body": row.get::<_, String>(8)?, "at_ms": row.get::<_, i64>(9)?,
        }))
    };
    connection.prepare_cached(all)?.query_map(params![scan, position], told)?.collect()
}

/// Of each car of a scan: its place, and how many of its findings wait for somebody.
///
/// # Errors
/// What SQLite says.
pub fn waiting(connection: &Connection, scan: i64) -> rusqlite::Result<Vec<(i64, i64)>> {
    let places = "SELECT car.position, car_case.state IN ('open', 'second', 'supervisor') FROM car LEFT JOIN car_case USING (scan, position) WHERE car.scan = ?1 ORDER BY 1";
    let places = connection
        .prepare_cached(places)?
        .query_map([scan], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<bool>>(1)?.unwrap_or(false))))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let count = |(position, waits): (i64, bool)| {
        let waiting = if waits { judged(connection, (scan, position))?.iter().filter(|one| one.waits()).count() } else { 0 };
        Ok((position, waiting as i64))
    };
    places.into_iter().map(count).collect()
}

/// A car in the queue.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CarItem {
    /// The scan's number.
    pub scan: i64,
    /// From the head of the train, from 1.
    pub position: i64,
    /// Where the car stands.
    pub state: State,
    /// The portal's id.
    pub portal: String,
    /// What its sender calls the train.
    pub train: Option<String>,
    /// The train still passes.
    pub passing: bool,
    /// Its reporting mark.
    pub mark: Option<String>,
    /// What kind of car it is.
    pub kind: Option<String>,
    /// How many findings wait for somebody.
    pub waiting: usize,
    /// Of the most probable finding that counts, 0..=1.
    pub probability: f64,
    /// The most urgent entry of a list that names the car, and its list.
    #[schema(value_type = Option<Vec<String>>)]
    pub sought: Option<[String; 2]>,
    /// 0 is the most urgent, 100 the least.
    pub priority: u8,
    /// Whether two persons are wanted.
    pub two_person: bool,
    /// When it came into the queue, milliseconds since the Unix epoch.
    pub stored_ms: i64,
    /// Who has it in hand.
    pub owner: Option<Owner>,
    /// Who has decided on each finding of it that waits, ids.
    pub decided_by: Vec<String>,
}

const ITEM: &str = "SELECT c.scan, c.position, c.state, scan.portal, scan.name, scan.state = 'passing', car.mark, car.told ->> 'kind', c.priority, c.two_person, c.stored_ms,
       c.owner, c.owner_name, c.lease_until_ms, scan.received_ms,
       (SELECT json_array(text, list) FROM scan_hit AS h WHERE h.scan = c.scan AND h.position = c.position AND h.state <> 'withdrawn' ORDER BY h.priority, h.id LIMIT 1)
     FROM car_case AS c JOIN scan ON scan.id = c.scan LEFT JOIN car ON car.scan = c.scan AND car.position = c.position";

fn item(connection: &Connection, row: &rusqlite::Row<'_>) -> rusqlite::Result<CarItem> {
    let place = (row.get(0)?, row.get(1)?);
    let judged = judged(connection, place)?;
    let waiting: Vec<&Judged> = judged.iter().filter(|one| one.waits()).collect();
    let has_decided = |one: &Judged, person: &str| one.by.iter().any(|by| by.person == person);
    let decided_by = match waiting.split_first() {
        Some((first, others)) => first.by.iter().map(|by| by.person.clone()).filter(|person| others.iter().all(|one| has_decided(one, person))).collect(),
        None => Vec::new(),
    };
    Ok(CarItem {
        scan: place.0,
        position: place.1,
        state: super::decide::state(row.get_ref(2)?)?,
        portal: row.get(3)?,
        train: row.get(4)?,
        passing: row.get(5)?,
        mark: row.get(6)?,
        kind: row.get(7)?,
        waiting: waiting.len(),
        probability: judged.iter().filter(|one| one.counts()).map(|one| one.probability).fold(0.0, f64::max),
        sought: row.get::<_, Option<String>>(15)?.and_then(|sought| serde_json::from_str(&sought).ok()),
        priority: row.get(8)?,
        two_person: row.get(9)?,
        stored_ms: row.get(10)?,
        owner: match row.get::<_, Option<String>>(11)? {
            Some(id) => Some(Owner { id, name: row.get(12)?, until_ms: row.get(13)? }),
            None => None,
        },
        decided_by,
    })
}

/// The cars that wait, of scans that came since `since_ms`, most urgent first, then oldest first; at most [`MAX_QUEUE`].
///
/// # Errors
/// What SQLite says.
pub fn queue(connection: &Connection, since_ms: i64) -> rusqlite::Result<Vec<CarItem>> {
    let waiting = "c.state IN ('open', 'second', 'supervisor') AND scan.received_ms >= ?1 ORDER BY c.priority, c.id LIMIT ?2";
    connection.prepare_cached(&format!("{ITEM} WHERE {waiting}"))?.query_map(params![since_ms, MAX_QUEUE as i64], |row| item(connection, row))?.collect()
}

/// The car of this case, whatever its state, unless its scan came before `since_ms`; none where it is gone.
///
/// # Errors
/// What SQLite says.
pub fn one(connection: &Connection, case: i64, since_ms: i64) -> rusqlite::Result<Option<CarItem>> {
    connection
        .prepare_cached(&format!("{ITEM} WHERE c.id = ?1 AND scan.received_ms >= ?2"))?
        .query_row(params![case, since_ms], |row| item(connection, row))
        .optional()
}

/// The case of a car, where it has one.
///
/// # Errors
/// What SQLite says.
pub fn of(connection: &Connection, (scan, position): Place) -> rusqlite::Result<Option<CarItem>> {
    let one = format!("{ITEM} WHERE c.scan = ?1 AND c.position = ?2");
    connection.prepare_cached(&one)?.query_row(params![scan, position], |row| item(connection, row)).optional()
}
