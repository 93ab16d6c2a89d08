//! When lanes saw nothing: silent or down, with the service away, or displacing frames. A search says so of its window, for what was not seen is not found.

use rusqlite::{Connection, Transaction, params};
use serde::Serialize;

/// A time in which a lane saw nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Outage {
    /// The lane's id.
    pub lane: String,
    /// Since when, milliseconds since the Unix epoch.
    pub from_ms: i64,
    /// Until when; none while it lasts.
    pub until_ms: Option<i64>,
    /// What was wrong.
    pub why: String,
}

/// Frames that a lane displaced in a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Shed {
    /// The lane's id.
    pub lane: String,
    /// How many.
    pub frames: i64,
    /// In how many minutes.
    pub minutes: i64,
    /// The first of these, milliseconds since the Unix epoch.
    pub first_ms: i64,
    /// The last of these, milliseconds since the Unix epoch.
    pub last_ms: i64,
}

/// Begins an outage, unless the lane is in one.
pub fn begin(transaction: &Transaction<'_>, lane: &str, from_ms: i64, why: &str) -> rusqlite::Result<bool> {
    let begin = "INSERT INTO outage (lane, from_ms, why) SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM outage WHERE lane = ?1 AND until_ms IS NULL)";
    Ok(transaction.prepare_cached(begin)?.execute(params![lane, from_ms, why])? > 0)
}

/// Ends the lane's outage, if it is in one.
pub fn end(transaction: &Transaction<'_>, lane: &str, until_ms: i64) -> rusqlite::Result<bool> {
    let end = "UPDATE outage SET until_ms = max(from_ms, ?2) WHERE lane = ?1 AND until_ms IS NULL";
    Ok(transaction.prepare_cached(end)?.execute(params![lane, until_ms])? > 0)
}

/// The service runs at `now_ms`, and did not since its last beat if that is longer than `gap_ms` ago: an outage of all `lanes`, and the end of those that they were in.
pub fn resume(transaction: &Transaction<'_>, lanes: &[String], now_ms: i64, gap_ms: i64) -> rusqlite::Result<()> {
    let last_ms: i64 = transaction.query_row("SELECT beat_ms FROM store", [], |row| row.get(0))?;
    for lane in lanes {
        end(transaction, lane, now_ms)?;
        if last_ms > 0 && now_ms - last_ms > gap_ms {
            let away = "INSERT INTO outage (lane, from_ms, until_ms, why) VALUES (?1, ?2, ?3, 'the service was not running')";
            transaction.prepare_cached(away)?.execute(params![lane, last_ms, now_ms])?;
        }
    }
    beat(transaction, now_ms)
}

/// The service runs at `now_ms`.
pub fn beat(transaction: &Transaction<'_>, now_ms: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE store SET beat_ms = ?1")?.execute([now_ms]).map(|_| ())
}

/// Forgets outages that ended before `before_ms`.
pub fn forget(transaction: &Transaction<'_>, before_ms: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM outage WHERE until_ms < ?1")?.execute([before_ms]).map(|_| ())
}

/// Outages of `lanes` (of all, where none is named) that touch a window, newest first, at most `most`.
///
/// # Errors
/// What SQLite says.
pub fn within(connection: &Connection, lanes: &[String], (from_ms, until_ms): (i64, i64), most: usize) -> rusqlite::Result<Vec<Outage>> {
    let question = "SELECT lane, from_ms, until_ms, why FROM outage WHERE from_ms < ?2 AND (until_ms IS NULL OR until_ms > ?1)
                    AND (json_array_length(?3) = 0 OR lane IN (SELECT value FROM json_each(?3))) ORDER BY from_ms DESC LIMIT ?4";
    let lanes = serde_json::to_string(lanes).expect("plain data");
    let mut statement = connection.prepare_cached(question)?;
    let rows = statement.query_map(params![from_ms, until_ms, lanes, most as i64], |row| {
        Ok(Outage { lane: row.get(0)?, from_ms: row.get(1)?, until_ms: row.get(2)?, why: row.get(3)? })
    })?;
    rows.collect()
}

/// What `lanes` (all, where none is named) displaced in a window.
///
/// # Errors
/// What SQLite says.
pub fn shed_within(connection: &Connection, lanes: &[String], (from_ms, until_ms): (i64, i64)) -> rusqlite::Result<Vec<Shed>> {
    let question = "SELECT lane, sum(frames), count(*), min(minute_ms), max(minute_ms) FROM shed WHERE minute_ms > ?1 - 60000 AND minute_ms < ?2
                    AND (json_array_length(?3) = 0 OR lane IN (SELECT value FROM json_each(?3))) GROUP BY lane ORDER BY lane";
    let lanes = serde_json::to_string(lanes).expect("plain data");
    let mut statement = connection.prepare_cached(question)?;
    let rows = statement.query_map(params![from_ms, until_ms, lanes], |row| {
        Ok(Shed { lane: row.get(0)?, frames: row.get(1)?, minutes: row.get(2)?, first_ms: row.get(3)?, last_ms: row.get(4)? })
    })?;
    rows.collect()
}
