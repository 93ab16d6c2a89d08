//! Looking back: which vehicles that have passed a list's new entries mean. Its progress and what it met are rows, so that a restart forgets neither.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::outbox;
use super::told::{self, Passage};
use crate::lane::hit::Hit;

/// A look back.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Lookback {
    /// Its number.
    pub id: i64,
    /// The list.
    pub list: String,
    /// Why.
    pub reason: String,
    /// The number of the case that it is for.
    pub case: String,
    /// Who asked for it; `garita` where the list changed.
    pub person: String,
    /// `running`; `done`; `cut`, where it did not look for all entries or at all passages that one met; `ended` with the service before it was done.
    pub state: String,
    /// The oldest passage that it looks at, milliseconds since the Unix epoch.
    pub from_ms: i64,
    /// Entries to look for.
    pub entries: i64,
    /// Of them, so far.
    pub looked: i64,
    /// Passages that one of them met.
    pub matches: i64,
    /// When it began, milliseconds since the Unix epoch.
    pub began_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
}

/// A passage that an entry met.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LookbackMatch {
    /// The passage.
    pub passage: Passage,
    /// All of the entry.
    #[schema(value_type = Object)]
    pub entry: Value,
    /// How it met.
    pub class: String,
    /// Characters exchanged, missing or additional.
    pub edits: i64,
    /// Probability that this entry's plate made this picture, 0..=1.
    pub probability: f64,
}

/// A look back that is to begin.
#[derive(Debug, Clone)]
pub struct NewLookback {
    /// The list.
    pub list: String,
    /// Why.
    pub reason: String,
    /// The number of the case that it is for.
    pub case: String,
    /// Who asks for it.
    pub person: String,
    /// The oldest passage to look at, milliseconds since the Unix epoch.
    pub from_ms: i64,
    /// Entries to look for.
    pub entries: usize,
}

/// Begins one; answers its number.
pub fn begin(transaction: &Transaction<'_>, new: &NewLookback, now_ms: i64) -> rusqlite::Result<i64> {
    let add = "INSERT INTO lookback (list, reason, case_number, person, state, from_ms, entries, began_ms) VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?6, ?7)";
    transaction.prepare_cached(add)?.execute(params![new.list, new.reason, new.case, new.person, new.from_ms, new.entries as i64, now_ms])?;
    Ok(transaction.last_insert_rowid())
}

/// Keeps how far it has come, and what it met; each is told outside.
pub fn go_on(transaction: &Transaction<'_>, id: i64, looked: usize, met: &[(i64, Hit)], now_ms: i64) -> rusqlite::Result<i64> {
    transaction.prepare_cached("UPDATE lookback SET looked = ?2 WHERE id = ?1")?.execute(params![id, looked as i64])?;
    for (passage, hit) in met {
        let (entry, class) = (serde_json::to_value(&hit.entry).expect("plain data"), serde_json::to_value(hit.class).expect("plain data"));
        // What had its time meanwhile is gone.
        let add = "INSERT OR IGNORE INTO lookback_match (lookback, passage, entry, class, edits, probability)
                   SELECT ?1, id, ?3, ?4, ?5, ?6 FROM passage WHERE id = ?2";
        let added = transaction.prepare_cached(add)?.execute(params![id, passage, entry.to_string(), class.as_str(), hit.edits, hit.probability])?;
        if added > 0 {
            let told = json!({ "lookback": id, "row": passage, "list": hit.entry.list, "entry": hit.entry.text });
            outbox::tell(transaction, "lookback.match", &format!("lookback/{id}"), &told, now_ms)?;
        }
    }
    Ok(met.len() as i64)
}

/// Ends one as `state`.
pub fn end(transaction: &Transaction<'_>, id: i64, state: &str, now_ms: i64) -> rusqlite::Result<i64> {
    let end = "UPDATE lookback SET state = ?2, ended_ms = ?3 WHERE id = ?1 AND state = 'running'";
    Ok(transaction.prepare_cached(end)?.execute(params![id, state, now_ms])? as i64)
}

/// Ends those that a service left running.
pub fn end_all(transaction: &Transaction<'_>, now_ms: i64) -> rusqlite::Result<i64> {
    Ok(transaction.execute("UPDATE lookback SET state = 'ended', ended_ms = ?1 WHERE state = 'running'", [now_ms])? as i64)
}

const COLUMNS: &str = "id, list, reason, case_number, person, state, from_ms, entries, looked,
                       (SELECT count(*) FROM lookback_match WHERE lookback = lookback.id), began_ms, ended_ms";

fn lookback_row(row: &Row<'_>) -> rusqlite::Result<Lookback> {
    Ok(Lookback {
        id: row.get(0)?,
        list: row.get(1)?,
        reason: row.get(2)?,
        case: row.get(3)?,
        person: row.get(4)?,
        state: row.get(5)?,
        from_ms: row.get(6)?,
        entries: row.get(7)?,
        looked: row.get(8)?,
        matches: row.get(9)?,
        began_ms: row.get(10)?,
        ended_ms: row.get(11)?,
    })
}

/// The newest ones before `before`.
///
/// # Errors
/// What SQLite says.
pub fn newest(connection: &Connection, before: i64, most: usize) -> rusqlite::Result<Vec<Lookback>> {
    let question = format!("SELECT {COLUMNS} FROM lookback WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
    connection.prepare_cached(&question)?.query_map(params![before, most as i64], lookback_row)?.collect()
}

/// One.
///
/// # Errors
/// What SQLite says.
pub fn one(connection: &Connection, id: i64) -> rusqlite::Result<Option<Lookback>> {
    connection.prepare_cached(&format!("SELECT {COLUMNS} FROM lookback WHERE id = ?1"))?.query_row([id], lookback_row).optional()
}

/// What one met: newest passages first.
///
/// # Errors
/// What SQLite says.
pub fn matches(connection: &Connection, id: i64, most: usize) -> rusqlite::Result<Vec<LookbackMatch>> {
    let question = "SELECT passage, entry, class, edits, probability FROM lookback_match WHERE lookback = ?1 ORDER BY passage DESC LIMIT ?2";
    let mut statement = connection.prepare_cached(question)?;
    let mut rows = statement.query(params![id, most as i64])?;
    let mut matches = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(passage) = told::passage(connection, row.get(0)?)? else { continue };
        let entry = serde_json::from_str(row.get_ref(1)?.as_str()?).unwrap_or_default();
        matches.push(LookbackMatch { passage, entry, class: row.get(2)?, edits: row.get(3)?, probability: row.get(4)? });
    }
    Ok(matches)
}
