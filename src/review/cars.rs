//! What people make of cars: decisions on findings, and what they draw beside the pixels. As with hits, nobody decides on what they have not opened, a decision
//! can be taken back by whoever made it, and each change and the audit record of it are one commit. Unlike hits, a finding is decided by one person, unclaimed:
//! what follows is a look into the car, not an alarm on the road.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::decide::{Outcome, Refusal};
use super::{MAX_NOTE, Officer, UNDO_MS};
use crate::audit::{self, Act, Action};

/// Findings at least so probable wait for somebody: more likely something than nothing.
pub const WAITS_PROBABILITY: f64 = 0.5;

/// The most annotations of a car that are kept.
const MOST_ANNOTATIONS: i64 = 200;

/// A car: its scan's number, and its place from the head of the train.
pub type Place = (i64, i64);

/// As the audit trail names a car.
pub fn subject((scan, position): Place) -> String {
    format!("scan {scan} car {position}")
}

/// What is decided on a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingVerdict {
    /// Something is there: the car is looked into.
    Confirmed,
    /// Nothing is, for a reason.
    Rejected,
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
    pub verdict: FindingVerdict,
    /// Of a rejection.
    pub reason: Option<FindingReason>,
    /// In the person's own words; the reason `other` wants one.
    pub note: Option<String>,
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

/// Decides on a finding.
///
/// # Errors
/// What SQLite says.
pub fn decide(transaction: &Transaction<'_>, place: Place, number: i64, who: &Officer, decision: &FindingDecision, now_ms: i64) -> Outcome<()> {
    let Some(finding) = finding(transaction, place, number)? else { return Ok(Err(Refusal::Unknown)) };
    if (decision.verdict == FindingVerdict::Rejected) != decision.reason.is_some() {
        return Ok(Err(Refusal::Reason));
    }
    let note = match decision.note.as_deref().map(said) {
        Some(None) => return Ok(Err(Refusal::Note)),
        None if decision.reason == Some(FindingReason::Other) => return Ok(Err(Refusal::NoteWanted)),
        note => note.flatten(),
    };
    if !opened(transaction, who, place)? {
        return Ok(Err(Refusal::NotSeen));
    }
    let decided = "SELECT 1 FROM finding_disposition WHERE scan = ?1 AND position = ?2 AND finding = ?3 AND undone_ms IS NULL";
    if transaction.prepare_cached(decided)?.exists(params![place.0, place.1, finding])? {
        return Ok(Err(Refusal::DecidedAlready));
    }
    let keep = "INSERT INTO finding_disposition (scan, position, finding, person, name, verdict, reason, note, decided_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let (verdict, reason) = (name(decision.verdict), decision.reason.map(name));
    transaction.prepare_cached(keep)?.execute(params![place.0, place.1, finding, who.id, who.name, verdict, reason, note, now_ms])?;
    let details = json!({ "finding": number, "verdict": verdict, "reason": reason, "note": note });
    record(transaction, who, Action::Disposition, place, details, now_ms)?;
    Ok(Ok(()))
}

/// Takes this person's decision on a finding back while it is younger than [`UNDO_MS`].
///
/// # Errors
/// What SQLite says.
pub fn undo(transaction: &Transaction<'_>, place: Place, number: i64, who: &Officer, now_ms: i64) -> Outcome<()> {
    let Some(finding) = finding(transaction, place, number)? else { return Ok(Err(Refusal::Unknown)) };
    let undo = "UPDATE finding_disposition SET undone_ms = ?6
                WHERE scan = ?1 AND position = ?2 AND finding = ?3 AND person = ?4 AND undone_ms IS NULL AND decided_ms >= ?5";
    if transaction.prepare_cached(undo)?.execute(params![place.0, place.1, finding, who.id, now_ms - UNDO_MS, now_ms])? == 0 {
        return Ok(Err(Refusal::TooLate));
    }
    record(transaction, who, Action::DispositionUndone, place, json!({ "finding": number }), now_ms)?;
    Ok(Ok(()))
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

/// For each finding of a car, in order, what was decided on it; null where nothing was.
///
/// # Errors
/// What SQLite says.
pub fn dispositions(connection: &Connection, (scan, position): Place) -> rusqlite::Result<Vec<Value>> {
    let all = "SELECT d.person, d.name, d.verdict, d.reason, d.note, d.decided_ms FROM car, json_each(car.told, '$.findings') AS f
               LEFT JOIN finding_disposition AS d ON d.scan = car.scan AND d.position = car.position AND d.finding = f.value AND d.undone_ms IS NULL
               WHERE car.scan = ?1 AND car.position = ?2 ORDER BY f.key";
    let told = |row: &rusqlite::Row<'_>| {
        let Some(person) = row.get::<_, Option<String>>(0)? else { return Ok(Value::Null) };
        Ok(json!({
            "person": person, "name": row.get::<_, String>(1)?, "verdict": row.get::<_, String>(2)?, "reason": row.get::<_, Option<String>>(3)?,
            "note": row.get::<_, Option<String>>(4)?, "decided_ms": row.get::<_, i64>(5)?,
        }))
    };
    connection.prepare_cached(all)?.query_map(params![scan, position], told)?.collect()
}

/// Of each car of a scan: its place, and how many of its findings are probable and undecided.
///
/// # Errors
/// What SQLite says.
pub fn waiting(connection: &Connection, scan: i64) -> rusqlite::Result<Vec<(i64, i64)>> {
    let each = "SELECT position, (SELECT count(*) FROM json_each(car.told, '$.findings') AS f WHERE f.value ->> 'probability' >= ?2
                  AND NOT EXISTS (SELECT 1 FROM finding_disposition AS d WHERE d.scan = car.scan AND d.position = car.position AND d.finding = f.value AND d.undone_ms IS NULL))
                FROM car WHERE scan = ?1 ORDER BY position";
    connection.prepare_cached(each)?.query_map(params![scan, WAITS_PROBABILITY], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
