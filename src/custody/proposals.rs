//! New versions of lists that wait for a second person. The database itself holds that whoever proposed one never activates it.
//!
//! A proposal's index lies in the store's folder `lists/`, synced before its row. Deciding comes first, then the index comes into force, then that it did is kept: a service
//! that ends in between finishes it when it starts. What was not decided for [`EXPIRES_MS`] expires; rows go [`FORGOTTEN_MS`] after that (the audit trail keeps who did what).

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::evidence::Sha;
use crate::audit::{self, Act, Action};
use crate::watchlist::entry::Entry;

/// A proposal that nobody decided for so long is none any more, milliseconds: a week, for a list is out of date by then.
pub const EXPIRES_MS: i64 = 7 * 86_400_000;
/// A row goes so long after it was decided, milliseconds.
pub const FORGOTTEN_MS: i64 = 90 * 86_400_000;
/// Proposals that a list of them has at most.
const MOST_TOLD: i64 = 100;

/// A line of the file that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bad {
    /// From 1.
    pub line: u64,
    /// The character at which the field at fault begins, from 1.
    pub column: u32,
    /// What is wrong, and with which field.
    pub why: String,
}

/// What a proposal would change.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Told {
    /// Entries that it would add, remove, change and leave as they are.
    pub added: u64,
    /// See `added`.
    pub removed: u64,
    /// See `added`.
    pub changed: u64,
    /// See `added`.
    pub same: u64,
    /// Entries that the list would have.
    pub entries: u64,
    /// Lines of the file with something on them.
    pub lines: u64,
    /// Of its entries: expired already.
    pub expired: u64,
    /// Lines that say the same entry again; the last of them counts.
    pub repeated: u64,
    /// Removals of entries that are not there.
    pub removed_nothing: u64,
    /// Lines that could not be understood.
    pub bad: u64,
    /// The first of them.
    pub first_bad: Vec<Bad>,
    /// The first entries that it would add.
    #[schema(value_type = Vec<Object>)]
    pub first_added: Vec<serde_json::Value>,
    /// The first entries that it would remove.
    #[schema(value_type = Vec<Object>)]
    pub first_removed: Vec<serde_json::Value>,
    /// The first entries that it would change, as they are and as they would be.
    pub first_changed: Vec<ChangeTold>,
}

/// An entry that would change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeTold {
    /// As it is.
    #[schema(value_type = Object)]
    pub before: serde_json::Value,
    /// As it would be.
    #[schema(value_type = Object)]
    pub after: serde_json::Value,
    /// The fields that differ.
    pub fields: Vec<String>,
}

impl ChangeTold {
    /// Of two entries with one identity.
    #[must_use]
    pub fn of(before: &Entry, after: &Entry) -> ChangeTold {
        let [before, after] = [before, after].map(|entry| serde_json::to_value(entry).expect("plain data"));
        let differs = |name: &&String| !["line", "source_version"].contains(&name.as_str()) && before[name.as_str()] != after[name.as_str()];
        let fields = after.as_object().into_iter().flat_map(|fields| fields.keys()).filter(differs).cloned().collect();
        ChangeTold { before, after, fields }
    }
}

/// A new version of a list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Proposal {
    /// Its number.
    pub id: i64,
    /// The list's name.
    pub list: String,
    /// `proposed`; `activated`, `refused` or `expired`.
    pub state: String,
    /// What its proposer says of it.
    pub note: String,
    /// Who proposed it.
    pub proposed_by: String,
    /// Their name.
    pub proposed_name: String,
    /// When, milliseconds since the Unix epoch.
    pub proposed_ms: i64,
    /// Until when it can be decided, milliseconds since the Unix epoch.
    pub expires_ms: i64,
    /// Who activated or refused it.
    pub decided_by: Option<String>,
    /// Their name.
    pub decided_name: Option<String>,
    /// When, milliseconds since the Unix epoch.
    pub decided_ms: Option<i64>,
    /// Why it was refused.
    pub why: String,
    /// When it came into force, milliseconds since the Unix epoch.
    pub in_force_ms: Option<i64>,
    /// What it would change; no entries in a list of proposals, nor once it is decided.
    pub told: Told,
    /// The name of its index in `lists/`.
    #[serde(skip)]
    pub file: String,
    /// SHA-256 of what it would change.
    #[serde(skip)]
    pub changes: Sha,
}

/// A proposal to make.
#[derive(Debug, Clone)]
pub struct NewProposal {
    /// The list's name.
    pub list: String,
    /// The name of its index in `lists/`.
    pub file: String,
    /// SHA-256 of what it would change.
    pub changes: Sha,
    /// What it would change.
    pub told: Told,
    /// What its proposer says of it.
    pub note: String,
    /// Who proposes it: id, name.
    pub by: (String, String),
}

/// Why a proposal is not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is none of this number.
    Missing,
    /// Somebody decided before, or it expired.
    Decided,
    /// Whoever proposed it wants to activate it.
    SamePerson,
}

/// Keeps a proposal; answers its number.
///
/// # Errors
/// What SQLite says.
pub fn propose(transaction: &Transaction<'_>, new: &NewProposal, now_ms: i64) -> rusqlite::Result<i64> {
    let (told, (by, name)) = (serde_json::to_string(&new.told).expect("plain data"), &new.by);
    let add = "INSERT INTO proposal (list, state, file, changes, told, note, proposed_by, proposed_name, proposed_ms) VALUES (?1, 'proposed', ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    transaction.prepare_cached(add)?.execute(params![new.list, new.file, new.changes, told, new.note, by, name, now_ms])?;
    let id = transaction.last_insert_rowid();
    let Told { added, removed, changed, entries, bad, .. } = new.told;
    let details = json!({ "proposal": id, "note": new.note, "added": added, "removed": removed, "changed": changed, "entries": entries, "bad": bad });
    let act = Act { who: by.clone(), action: Action::ListProposed, subject: format!("list {}", new.list), details, now_ms };
    audit::append(transaction, &act)?;
    Ok(id)
}

/// Activates a proposal, or refuses it with `refused`, why; `by`: id and name. Who proposed it may refuse it, never activate it.
///
/// # Errors
/// What SQLite says.
pub fn decide(transaction: &Transaction<'_>, id: i64, by: (&str, &str), refused: Option<&str>, now_ms: i64) -> rusqlite::Result<Result<(), Refusal>> {
    let Some(proposal) = one(transaction, id)? else { return Ok(Err(Refusal::Missing)) };
    if proposal.state != "proposed" || proposal.expires_ms <= now_ms {
        return Ok(Err(Refusal::Decided));
    }
    if refused.is_none() && proposal.proposed_by == by.0 {
        return Ok(Err(Refusal::SamePerson));
    }
    let state = if refused.is_some() { "refused" } else { "activated" };
    let decide = "UPDATE proposal SET state = ?2, decided_by = ?3, decided_name = ?4, decided_ms = ?5, why = ?6, told = ?7 WHERE id = ?1";
    let why = refused.unwrap_or_default();
    transaction.prepare_cached(decide)?.execute(params![id, state, by.0, by.1, now_ms, why, without_entries(&proposal.told)])?;
    let action = if refused.is_some() { Action::ListRefused } else { Action::ListActivated };
    let details = json!({ "proposal": id, "proposed_by": proposal.proposed_by, "why": why });
    audit::append(transaction, &Act { who: by.0.to_owned(), action, subject: format!("list {}", proposal.list), details, now_ms })?;
    Ok(Ok(()))
}

/// Keeps that an activated proposal is in force.
///
/// # Errors
/// What SQLite says.
pub fn in_force(transaction: &Transaction<'_>, id: i64, now_ms: i64) -> rusqlite::Result<()> {
    let force = "UPDATE proposal SET in_force_ms = ?2 WHERE id = ?1 AND state = 'activated' AND in_force_ms IS NULL";
    transaction.prepare_cached(force)?.execute(params![id, now_ms]).map(|_| ())
}

/// Whether [`expire`] has something to do.
///
/// # Errors
/// What SQLite says.
pub fn is_due(connection: &Connection, now_ms: i64) -> rusqlite::Result<bool> {
    let due = "SELECT EXISTS (SELECT 1 FROM proposal WHERE (state = 'proposed' AND proposed_ms <= ?1) OR decided_ms < ?2)";
    connection.prepare_cached(due)?.query_row([now_ms - EXPIRES_MS, now_ms - FORGOTTEN_MS], |row| row.get(0))
}

/// Ends what nobody decided in time, and forgets what was decided long ago; answers how many rows that were.
///
/// # Errors
/// What SQLite says.
pub fn expire(transaction: &Transaction<'_>, now_ms: i64) -> rusqlite::Result<usize> {
    let open = format!("SELECT {COLUMNS} FROM proposal WHERE state = 'proposed' AND proposed_ms <= ?1");
    let due: Vec<Proposal> = transaction.prepare_cached(&open)?.query_map([now_ms - EXPIRES_MS], row)?.collect::<rusqlite::Result<_>>()?;
    for proposal in &due {
        let expire = "UPDATE proposal SET state = 'expired', decided_ms = ?2, told = ?3 WHERE id = ?1";
        transaction.prepare_cached(expire)?.execute(params![proposal.id, now_ms, without_entries(&proposal.told)])?;
        let details = json!({ "proposal": proposal.id, "why": "nobody decided in time" });
        let act = Act { who: "garita".to_owned(), action: Action::ListRefused, subject: format!("list {}", proposal.list), details, now_ms };
        audit::append(transaction, &act)?;
    }
    Ok(due.len() + transaction.prepare_cached("DELETE FROM proposal WHERE decided_ms < ?1")?.execute([now_ms - FORGOTTEN_MS])?)
}

/// What was counted, without the entries.
fn without_entries(told: &Told) -> String {
    let told = Told { first_bad: Vec::new(), first_added: Vec::new(), first_removed: Vec::new(), first_changed: Vec::new(), ..told.clone() };
    serde_json::to_string(&told).expect("plain data")
}

const COLUMNS: &str =
    "id, list, state, note, proposed_by, proposed_name, proposed_ms, decided_by, decided_name, decided_ms, why, in_force_ms, told, file, changes";

fn row(row: &Row<'_>) -> rusqlite::Result<Proposal> {
    let proposed_ms: i64 = row.get(6)?;
    Ok(Proposal {
        id: row.get(0)?,
        list: row.get(1)?,
        state: row.get(2)?,
        note: row.get(3)?,
        proposed_by: row.get(4)?,
        proposed_name: row.get(5)?,
        proposed_ms,
        expires_ms: proposed_ms + EXPIRES_MS,
        decided_by: row.get(7)?,
        decided_name: row.get(8)?,
        decided_ms: row.get(9)?,
        why: row.get(10)?,
        in_force_ms: row.get(11)?,
        told: serde_json::from_str(row.get_ref(12)?.as_str()?).unwrap_or_default(),
        file: row.get(13)?,
        changes: row.get(14)?,
    })
}

/// The newest ones, without entries.
///
/// # Errors
/// What SQLite says.
pub fn newest(connection: &Connection) -> rusqlite::Result<Vec<Proposal>> {
    let question = format!("SELECT {COLUMNS} FROM proposal ORDER BY state = 'proposed' DESC, id DESC LIMIT ?1");
    let bare = |row: &Row<'_>| {
        self::row(row).map(|proposal| {
            let told = Told { first_bad: Vec::new(), first_added: Vec::new(), first_removed: Vec::new(), first_changed: Vec::new(), ..proposal.told };
            Proposal { told, ..proposal }
        })
    };
    connection.prepare_cached(&question)?.query_map([MOST_TOLD], bare)?.collect()
}

/// One.
///
/// # Errors
/// What SQLite says.
pub fn one(connection: &Connection, id: i64) -> rusqlite::Result<Option<Proposal>> {
    connection.prepare_cached(&format!("SELECT {COLUMNS} FROM proposal WHERE id = ?1"))?.query_row([id], row).optional()
}

/// Those that were activated and are not in force yet: the service ended in between.
///
/// # Errors
/// What SQLite says.
pub fn unfinished(connection: &Connection) -> rusqlite::Result<Vec<Proposal>> {
    let question = format!("SELECT {COLUMNS} FROM proposal WHERE state = 'activated' AND in_force_ms IS NULL ORDER BY id");
    connection.prepare_cached(&question)?.query_map([], row)?.collect()
}

/// The names of the files in `lists/` that are still wanted.
///
/// # Errors
/// What SQLite says.
pub fn files(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let question = "SELECT file FROM proposal WHERE state = 'proposed' OR (state = 'activated' AND in_force_ms IS NULL)";
    connection.prepare_cached(question)?.query_map([], |row| row.get(0))?.collect()
}
