//! Reads that cameras made themselves: kept beside ours as a second opinion, never in their place.
//!
//! A camera's read is durable before its sender is told so, and one event is one row, however often it comes; another event under the name of one that was kept is refused.
//! It *speaks of* one of our vehicles where we read something like it ([`alike`]) in its own picture, or in its lane within [`NEAR_MS`] of its time: of those that are in
//! view when it comes, and of those that pass later. What it then says against ours is told with the passage, and ours alone meets the watchlists.
//!
//! *Alone*, where no read of ours is like it, its text has met the watchlists by itself. The entries stand in its row, its picture is evidence, and `edge.hit` is told
//! outside. That is no hit and no case: an officer decides on what garita read in a picture, with a calibrated probability, and here there is neither. Should a vehicle of
//! ours turn out to be the one, that is told with it from then on; the entries stay.
//!
//! A read goes with its passage; one without when its time as a passage has come, or as a hit where it met an entry; rules by list and jurisdiction do not reach it.
//! What is held by its plate stays.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::evidence::{Sha, hex};
use super::outbox;
use super::record::EdgeReadRecord;
use crate::lane::opinion::{Opinion, alike, compare};

/// A camera's read and ours of one vehicle are at most so far apart in time, milliseconds. A guess: cameras tell after they have read, and clocks differ a little.
pub const NEAR_MS: i64 = 3_000;
/// The newest frames of a lane among whose reads its vehicle is sought: half a minute at 15 a second.
const FRAMES: i64 = 500;

/// Whether an event has come before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It has not.
    First,
    /// It has.
    Again,
    /// Another one has, under the same name.
    Other,
}

/// What became of a record.
pub(super) struct Inserted {
    /// Its row; where another event has its name, that one's.
    pub(super) id: i64,
    /// Its picture is evidence from now on.
    pub(super) picture: bool,
    pub(super) came: Came,
}

/// Whether an event has come before, known by its key; `event` is all that it says, where its sender has a name for it.
///
/// # Errors
/// What SQLite says.
pub fn came(connection: &Connection, lane: &str, key: &Sha, event: Option<&Sha>) -> rusqlite::Result<Came> {
    Ok(known(connection, lane, key, event)?.map_or(Came::First, |(_, came)| came))
}

/// The row of the event with this key, and whether it is this event.
fn known(connection: &Connection, lane: &str, key: &Sha, event: Option<&Sha>) -> rusqlite::Result<Option<(i64, Came)>> {
    let known = "SELECT id, event FROM edge_read WHERE lane = ?1 AND key = ?2";
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Option<Sha>>(1)?));
    let row = connection.prepare_cached(known)?.query_row(params![lane, key], row).optional()?;
    // Of what has no name, and of rows of before, the key is all that can be compared.
    Ok(row.map(|(id, kept)| (id, if kept.as_ref().zip(event).is_some_and(|(kept, event)| kept != event) { Came::Other } else { Came::Again })))
}

/// A camera's read, once.
pub(super) fn insert(transaction: &Transaction<'_>, record: &EdgeReadRecord) -> rusqlite::Result<Inserted> {
    if let Some((id, came)) = known(transaction, &record.lane, &record.key, record.event.as_ref())? {
        return Ok(Inserted { id, picture: false, came });
    }
    let ours = ours(transaction, record)?;
    let passage = match &ours {
        Some((track, _)) => {
            let settled = "SELECT id, text FROM passage WHERE lane = ?1 AND track = ?2";
            transaction
                .prepare_cached(settled)?
                .query_row(params![record.lane, track], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
                .optional()?
        }
        None => None,
    };
    let (track, text) = ours.unzip();
    let (passage, voted) = passage.unzip();
    let alone = track.is_none();
    let entries: Vec<Value> = record.hits.iter().filter(|_| alone).map(|hit| json!({ "entry": hit.entry, "class": hit.class, "edits": hit.edits })).collect();
    let picture = record.picture.as_ref().filter(|_| alone);
    transaction
        .prepare_cached(
            "INSERT INTO edge_read
               (id, lane, key, text, written, confidence, jurisdiction, direction, captured_ms, received_ms, frame, track, passage, ours, digest, length, entries, event)
             VALUES ((SELECT last + 1 FROM numbered WHERE kind = 'edge_read'), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )?
        .execute(params![
            record.lane,
            record.key,
            record.text,
            record.written,
            record.confidence,
            record.jurisdiction,
            record.direction,
            record.captured_ms,
            record.received_ms,
            record.frame,
            track,
            passage,
            voted.or(text),
            picture.map(|picture| picture.0),
            picture.map(|picture| picture.1.len() as i64),
            serde_json::to_string(&entries).expect("plain data"),
            record.event,
        ])?;
    let id = transaction.last_insert_rowid();
    if !entries.is_empty() {
        outbox::tell(transaction, "edge.hit", &subject(&record.lane, id), &json!({ "row": id }), record.received_ms)?;
    }
    Ok(Inserted { id, picture: picture.is_some(), came: Came::First })
}

/// What its event is told of.
fn subject(lane: &str, id: i64) -> String {
    format!("{lane}/edge/{id}")
}

/// The vehicle of ours that a camera's read speaks of, and what we read of it: of the reads like it the one with the fewest differences, then the nearest.
fn ours(transaction: &Transaction<'_>, record: &EdgeReadRecord) -> rusqlite::Result<Option<(i64, String)>> {
    let mut near = transaction.prepare_cached(
        "SELECT read.track, json_extract(read.seen, '$.text'), newest.id IS NOT ?3, abs(newest.captured_ms - ?4)
         FROM (SELECT id, captured_ms FROM frame WHERE lane = ?1 ORDER BY sequence DESC LIMIT ?2) AS newest JOIN read ON read.frame = newest.id
         WHERE newest.id = ?3 OR abs(newest.captured_ms - ?4) <= ?5",
    )?;
    let mut best: Option<((usize, bool, i64), i64, String)> = None;
    let mut rows = near.query(params![record.lane, FRAMES, record.frame, record.captured_ms, NEAR_MS])?;
    while let Some(row) = rows.next()? {
        let (track, text): (i64, String) = (row.get(0)?, row.get::<_, Option<String>>(1)?.unwrap_or_default());
        let far = (differences(&record.text, &text), row.get::<_, bool>(2)?, row.get::<_, i64>(3)?);
        if alike(&record.text, &text) && best.as_ref().is_none_or(|(least, ..)| far < *least) {
            best = Some((far, track, text));
        }
    }
    Ok(best.map(|(_, track, text)| (track, text)))
}

fn differences(theirs: &str, ours: &str) -> usize {
    match compare(theirs, ours) {
        Opinion::Differ { at } => at.len(),
        _ => 0,
    }
}

/// The cameras' reads that speak of a vehicle that has passed are told with it.
pub(super) fn join(
    transaction: &Transaction<'_>,
    (lane, track): (&str, i64),
    passage: i64,
    text: &str,
    (first_ms, last_ms): (i64, i64),
) -> rusqlite::Result<()> {
    let of_track = "UPDATE edge_read SET passage = ?1, ours = ?2 WHERE lane = ?3 AND track = ?4";
    transaction.prepare_cached(of_track)?.execute(params![passage, text, lane, track])?;
    let mut alone = transaction
        .prepare_cached("SELECT id, text FROM edge_read INDEXED BY edge_read_alone WHERE lane = ?1 AND track IS NULL AND captured_ms BETWEEN ?2 AND ?3")?;
    let near = alone.query_map(params![lane, first_ms - NEAR_MS, last_ms + NEAR_MS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (id, theirs) in near.collect::<rusqlite::Result<Vec<(i64, String)>>>()? {
        if alike(&theirs, text) {
            let tell = "UPDATE edge_read SET track = ?2, passage = ?3, ours = ?4 WHERE id = ?1";
            transaction.prepare_cached(tell)?.execute(params![id, track, passage, text])?;
        }
    }
    Ok(())
}

/// Deletes those of a passage that goes; the digests of their pictures.
pub(super) fn delete_of(transaction: &Transaction<'_>, passage: i64) -> rusqlite::Result<Vec<Sha>> {
    deleted(transaction, "DELETE FROM edge_read WHERE passage = ?1 RETURNING id, lane, digest", [passage])
}

/// Deletes at most `step` without a passage whose time has come, and that nobody holds by their plate; how many, and the digests of their pictures.
pub(super) fn sweep(transaction: &Transaction<'_>, passages_ms: i64, hits_ms: i64, step: i64) -> rusqlite::Result<(usize, Vec<Sha>)> {
    let due = "SELECT id FROM edge_read WHERE passage IS NULL AND received_ms < ?1 AND (entries = '[]' OR received_ms < ?2)
                 AND NOT EXISTS (SELECT 1 FROM hold WHERE kind = 'plate' AND subject = edge_read.text AND released_ms IS NULL) LIMIT ?3";
    let due = transaction.prepare_cached(due)?.query_map(params![passages_ms, hits_ms, step], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut digests = Vec::new();
    for id in &due {
        digests.extend(deleted(transaction, "DELETE FROM edge_read WHERE id = ?1 RETURNING id, lane, digest", [*id])?);
    }
    Ok((due.len(), digests))
}

fn deleted(transaction: &Transaction<'_>, delete: &str, parameters: [i64; 1]) -> rusqlite::Result<Vec<Sha>> {
    let mut statement = transaction.prepare_cached(delete)?;
    let rows =
        statement.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<rusqlite::Result<Vec<(i64, String, Option<Sha>)>>>()?;
    for (id, lane, _) in &rows {
        transaction.prepare_cached("DELETE FROM outbox WHERE subject = ?1")?.execute([subject(lane, *id)])?;
    }
    Ok(rows.into_iter().filter_map(|row| row.2).collect())
}

/// A camera's read, as others are told of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct EdgeRead {
    /// Its number.
    pub id: i64,
    /// The lane's id.
    pub lane: String,
    /// Letters and digits alone.
    #[schema(example = "7ABC123")]
    pub text: String,
    /// As the camera writes it.
    pub written: String,
    /// How sure the camera is, 0..=1, by its own measure: calibrated by nobody.
    pub confidence: Option<f64>,
    /// Who issued the plate, ISO 3166-2; empty where the camera does not say.
    pub jurisdiction: String,
    /// `approaching` or `leaving`.
    pub direction: Option<String>,
    /// When, milliseconds since the Unix epoch.
    pub captured_ms: i64,
    /// When it came in, milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// Our passage that it speaks of; none while the vehicle is in view, and where we read nothing like it.
    pub passage: Option<i64>,
    /// Our text of it.
    pub ours: Option<String>,
    /// How they compare: `opinion` is `agree`, `differ` (with `at`, character by character) or `only_theirs`.
    #[schema(value_type = Object)]
    pub comparison: Opinion,
    /// Where its picture is; none where ours is the evidence, and where it is none that can be looked at.
    pub href: Option<String>,
    /// Whom it may be by itself, where we read nothing like it when it came: `entry`, `class`, `edits` of each.
    #[schema(value_type = Vec<Object>)]
    pub entries: Value,
}

/// The columns of an [`EdgeRead`].
pub const EDGE_READ: &str = "id, lane, text, written, confidence, jurisdiction, direction, captured_ms, received_ms, passage, ours, digest, entries";

/// A row of [`EDGE_READ`].
///
/// # Errors
/// What SQLite says.
pub fn row(row: &Row<'_>) -> rusqlite::Result<EdgeRead> {
    let (text, ours): (String, Option<String>) = (row.get(2)?, row.get(10)?);
    Ok(EdgeRead {
        id: row.get(0)?,
        lane: row.get(1)?,
        written: row.get(3)?,
        confidence: row.get(4)?,
        jurisdiction: row.get(5)?,
        direction: row.get(6)?,
        captured_ms: row.get(7)?,
        received_ms: row.get(8)?,
        passage: row.get(9)?,
        comparison: compare(&text, ours.as_deref().unwrap_or_default()),
        ours,
        href: row.get::<_, Option<Sha>>(11)?.map(|digest| format!("/v1/evidence/{}", hex(&digest))),
        entries: serde_json::from_str(row.get_ref(12)?.as_str()?).unwrap_or_default(),
        text,
    })
}

/// One of them.
///
/// # Errors
/// What SQLite says.
pub fn one(connection: &Connection, id: i64) -> rusqlite::Result<Option<EdgeRead>> {
    connection.prepare_cached(&format!("SELECT {EDGE_READ} FROM edge_read WHERE id = ?1"))?.query_row([id], row).optional()
}

/// Those that speak of a vehicle of ours, also while it is in view, in the order of their coming.
///
/// # Errors
/// What SQLite says.
pub fn of_track(connection: &Connection, lane: &str, track: i64) -> rusqlite::Result<Vec<EdgeRead>> {
    let question = format!("SELECT {EDGE_READ} FROM edge_read WHERE lane = ?1 AND track = ?2 ORDER BY id");
    connection.prepare_cached(&question)?.query_map(params![lane, track], row)?.collect()
}
