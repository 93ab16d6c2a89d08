//! What people change: claims, dispositions, undo, notes, viewings. Each function runs inside the store's transaction, with the audit record of who did it,
//! and answers either what came of it or why nothing did.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;

use super::{LEASE_MS, MAX_NOTE, OPEN_MS, Officer, Reason, State, UNDO_MS, Verdict, state_after};
use crate::audit::{self, Act, Action};
use crate::custody::evidence::{Sha, hex};
use crate::custody::outbox;

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Refusal {
    /// There is no such case (any more).
    Unknown,
    /// Somebody else has it in hand.
    Claimed {
        /// Their name.
        by: String,
        /// Milliseconds since the Unix epoch.
        until_ms: i64,
    },
    /// Nothing is to be decided.
    Closed {
        /// Where it stands.
        state: State,
    },
    /// This person has decided on it: another one must.
    DecidedAlready,
    /// It waits for a supervisor.
    SupervisorOnly,
    /// The picture is none of this case's, or was never sent to this person.
    NotSeen,
    /// A rejection, and only a rejection, has a reason.
    Reason,
    /// The reason `other` wants a note of this person's beside it.
    NoteWanted,
    /// A note of 1 to [`MAX_NOTE`] characters is wanted.
    Note,
    /// There is nothing of this person's that can be taken back (any more).
    TooLate,
}

/// What came of a change.
pub type Outcome<T> = rusqlite::Result<Result<T, Refusal>>;

/// A claim that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Until when, milliseconds since the Unix epoch.
    pub until_ms: i64,
    /// Since when.
    pub since_ms: i64,
}

/// What somebody decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// Of a rejection.
    pub reason: Option<Reason>,
    /// SHA-256 of the picture on the screen.
    pub evidence: Sha,
    /// How long it had been painted, milliseconds.
    pub looked_ms: u32,
}

/// A case's row.
struct Row {
    state: State,
    owner: Option<(String, String)>,
    until_ms: i64,
    claimed_ms: i64,
    two_person: bool,
}

fn row(transaction: &Transaction<'_>, hit: i64) -> rusqlite::Result<Option<Row>> {
    transaction
        .prepare_cached(
            "SELECT review.state, owner, owner_name, coalesce(lease_until_ms, 0), coalesce(claimed_ms, 0), coalesce(json_extract(entry, '$.two_person'), 0)
             FROM review JOIN hit ON hit.id = review.hit WHERE hit = ?1",
        )?
        .query_row([hit], |row| {
            let owner: Option<String> = row.get(1)?;
            let name: Option<String> = row.get(2)?;
            Ok(Row { state: state(row.get_ref(0)?)?, owner: owner.zip(name), until_ms: row.get(3)?, claimed_ms: row.get(4)?, two_person: row.get(5)? })
        })
        .optional()
}

pub(super) fn state(value: rusqlite::types::ValueRef<'_>) -> rusqlite::Result<State> {
    State::named(value.as_str()?).ok_or_else(|| rusqlite::Error::InvalidColumnType(0, "state".to_owned(), rusqlite::types::Type::Text))
}

/// The case, if `who` may decide on it now.
fn open_to(transaction: &Transaction<'_>, hit: i64, who: &Officer, now_ms: i64) -> Outcome<Row> {
    let Some(row) = row(transaction, hit)? else { return Ok(Err(Refusal::Unknown)) };
    if !row.state.waits() {
        return Ok(Err(Refusal::Closed { state: row.state }));
    }
    if let Some((id, name)) = &row.owner
        && *id != who.id
        && row.until_ms > now_ms
    {
        return Ok(Err(Refusal::Claimed { by: name.clone(), until_ms: row.until_ms }));
    }
    let own = "SELECT EXISTS (SELECT 1 FROM disposition WHERE hit = ?1 AND person = ?2 AND undone_ms IS NULL)";
    if transaction.prepare_cached(own)?.query_row(params![hit, who.id], |row| row.get(0))? {
        return Ok(Err(Refusal::DecidedAlready));
    }
    if row.state == State::Supervisor && !who.supervises {
        return Ok(Err(Refusal::SupervisorOnly));
    }
    Ok(Ok(row))
}

/// Takes a case in hand, or prolongs the lease; what the same person had in hand before is free again.
///
/// # Errors
/// What SQLite says.
pub fn claim(transaction: &Transaction<'_>, hit: i64, who: &Officer, now_ms: i64) -> Outcome<Claim> {
    let row = match open_to(transaction, hit, who, now_ms)? {
        Ok(row) => row,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mine = row.owner.as_ref().is_some_and(|owner| owner.0 == who.id) && row.until_ms > now_ms;
    let claim = Claim { until_ms: now_ms + LEASE_MS, since_ms: if mine { row.claimed_ms } else { now_ms } };
    free_others(transaction, who, Some(hit), None)?;
    transaction.prepare_cached("UPDATE review SET owner = ?2, owner_name = ?3, lease_until_ms = ?4, claimed_ms = ?5 WHERE hit = ?1")?.execute(params![
        hit,
        who.id,
        who.name,
        claim.until_ms,
        claim.since_ms
    ])?;
    if !mine {
        record(transaction, who, Action::Claimed, hit, serde_json::json!({}), now_ms)?;
    }
    Ok(Ok(claim))
}

/// Gives back what this person has in hand, a hit or a car, but for this one.
pub(super) fn free_others(transaction: &Transaction<'_>, who: &Officer, hit: Option<i64>, car: Option<i64>) -> rusqlite::Result<()> {
    transaction.prepare_cached(&format!("{FREE} WHERE owner = ?1 AND hit IS NOT ?2"))?.execute(params![who.id, hit])?;
    let cars = "UPDATE car_case SET owner = NULL, owner_name = NULL, lease_until_ms = NULL, claimed_ms = NULL WHERE owner = ?1 AND id IS NOT ?2";
    transaction.prepare_cached(cars)?.execute(params![who.id, car]).map(|_| ())
}

const FREE: &str = "UPDATE review SET owner = NULL, owner_name = NULL, lease_until_ms = NULL, claimed_ms = NULL";

/// Gives a case back; nothing where it is not in this person's hand.
///
/// # Errors
/// What SQLite says.
pub fn release(transaction: &Transaction<'_>, hit: i64, who: &Officer, now_ms: i64) -> Outcome<()> {
    let freed = transaction.prepare_cached(&format!("{FREE} WHERE owner = ?1 AND hit = ?2"))?.execute(params![who.id, hit])?;
    if freed > 0 {
        record(transaction, who, Action::Claimed, hit, serde_json::json!({ "given_back": true }), now_ms)?;
    }
    Ok(Ok(()))
}

/// Notes that a picture of a case is sent to this person; recorded unless the record of the case's opening names it.
///
/// # Errors
/// What SQLite says.
pub fn view(transaction: &Transaction<'_>, hit: i64, who: &Officer, evidence: &Sha, now_ms: i64) -> Outcome<()> {
    if let Err(refusal) = open(transaction, hit, who, &[hex(evidence)], now_ms)? {
        return Ok(Err(refusal));
    }
    let seen = "INSERT OR IGNORE INTO viewing (hit, person, evidence, at_ms) VALUES (?1, ?2, ?3, ?4)";
    transaction.prepare_cached(seen)?.execute(params![hit, who.id, evidence, now_ms])?;
    Ok(Ok(()))
}

/// Notes that a case with these pictures (SHA-256, hexadecimal) is shown to this person: one record for [`OPEN_MS`], and one for pictures that come meanwhile.
///
/// # Errors
/// What SQLite says.
pub fn open(transaction: &Transaction<'_>, hit: i64, who: &Officer, pictures: &[String], now_ms: i64) -> Outcome<()> {
    if row(transaction, hit)?.is_none() {
        return Ok(Err(Refusal::Unknown));
    }
    let opened = opened(transaction, hit, &who.id, now_ms)?;
    let (at_ms, mut named) = opened.clone().unwrap_or((now_ms, Vec::new()));
    let new: Vec<&String> = pictures.iter().filter(|picture| !named.contains(picture)).collect();
    if opened.is_none() || !new.is_empty() {
        record(transaction, who, Action::HitViewed, hit, serde_json::json!({ "evidence": new }), now_ms)?;
        named.extend(new.into_iter().cloned());
        let open = "INSERT INTO opening VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms, pictures = excluded.pictures";
        transaction.prepare_cached(open)?.execute(params![hit, who.id, at_ms, serde_json::to_string(&named).expect("plain data")])?;
    }
    Ok(Ok(()))
}

/// Whether a record names the case and these pictures, so that nothing is to be written.
///
/// # Errors
/// What SQLite says.
pub fn is_open(connection: &Connection, hit: i64, person: &str, pictures: &[String], now_ms: i64) -> rusqlite::Result<bool> {
    Ok(opened(connection, hit, person, now_ms)?.is_some_and(|(_, named)| pictures.iter().all(|picture| named.contains(picture))))
}

/// Since when this person has the case open, and the pictures that their record names.
fn opened(connection: &Connection, hit: i64, person: &str, now_ms: i64) -> rusqlite::Result<Option<(i64, Vec<String>)>> {
    let opened = "SELECT at_ms, pictures FROM opening WHERE hit = ?1 AND person = ?2 AND at_ms BETWEEN ?3 AND ?4";
    connection
        .prepare_cached(opened)?
        .query_row(params![hit, person, now_ms - OPEN_MS, now_ms], |row| Ok((row.get(0)?, serde_json::from_str(row.get_ref(1)?.as_str()?).unwrap_or_default())))
        .optional()
}

/// Decides; answers where the case stands now. A case that nobody has in hand may be decided at once.
///
/// # Errors
/// What SQLite says.
pub fn decide(transaction: &Transaction<'_>, hit: i64, who: &Officer, decision: &Decision, now_ms: i64) -> Outcome<State> {
    let row = match open_to(transaction, hit, who, now_ms)? {
        Ok(row) => row,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if (decision.verdict == Verdict::Rejected) != decision.reason.is_some() {
        return Ok(Err(Refusal::Reason));
    }
    // The sighting's frame, or a picture of the passage: of one and the same vehicle.
    let seen = "SELECT EXISTS (SELECT 1 FROM viewing WHERE hit = ?1 AND person = ?2 AND evidence = ?3)
                   AND (EXISTS (SELECT 1 FROM hit JOIN frame USING (lane, sequence) WHERE hit.id = ?1 AND frame.digest = ?3)
                     OR EXISTS (SELECT 1 FROM hit JOIN evidence ON evidence.passage = hit.passage WHERE hit.id = ?1 AND evidence.digest = ?3))";
    if !transaction.prepare_cached(seen)?.query_row(params![hit, who.id, decision.evidence], |row| row.get::<_, bool>(0))? {
        return Ok(Err(Refusal::NotSeen));
    }
    let noted = "SELECT EXISTS (SELECT 1 FROM note WHERE hit = ?1 AND person = ?2)";
    if decision.reason == Some(Reason::Other) && !transaction.prepare_cached(noted)?.query_row(params![hit, who.id], |row| row.get::<_, bool>(0))? {
        return Ok(Err(Refusal::NoteWanted));
    }
    let claimed_ms = if row.owner.is_some_and(|owner| owner.0 == who.id) { row.claimed_ms } else { now_ms };
    transaction
        .prepare_cached(
            "INSERT INTO disposition (hit, stage, person, name, verdict, reason, evidence, looked_ms, claimed_ms, decided_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            hit,
            row.state.name(),
            who.id,
            who.name,
            decision.verdict.name(),
            decision.reason.map(Reason::name),
            decision.evidence,
            decision.looked_ms,
            claimed_ms,
            now_ms
        ])?;
    let disposition = transaction.last_insert_rowid();
    let state = settle(transaction, hit, row.two_person)?;
    transaction.prepare_cached(&format!("{FREE} WHERE hit = ?1"))?.execute([hit])?;
    tell(transaction, "disposition", hit, disposition, now_ms)?;
    let details = serde_json::json!({
        "stage": row.state, "verdict": decision.verdict, "reason": decision.reason, "evidence": hex(&decision.evidence), "looked_ms": decision.looked_ms, "state": state
    });
    record(transaction, who, Action::Disposition, hit, details, now_ms)?;
    Ok(Ok(state))
}

/// Takes this person's disposition back, where it is the case's newest and younger than [`UNDO_MS`]; the case is in their hand again.
///
/// # Errors
/// What SQLite says.
pub fn undo(transaction: &Transaction<'_>, hit: i64, who: &Officer, now_ms: i64) -> Outcome<State> {
    let Some(row) = row(transaction, hit)? else { return Ok(Err(Refusal::Unknown)) };
    let newest = "SELECT id, person, decided_ms FROM disposition WHERE hit = ?1 AND undone_ms IS NULL ORDER BY id DESC LIMIT 1";
    let newest: Option<(i64, String, i64)> =
        transaction.prepare_cached(newest)?.query_row([hit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let taken = row.owner.is_some_and(|owner| owner.0 != who.id) && row.until_ms > now_ms;
    let Some((id, ..)) = newest.filter(|(_, person, decided_ms)| *person == who.id && now_ms - decided_ms <= UNDO_MS && !taken) else {
        return Ok(Err(Refusal::TooLate));
    };
    transaction.prepare_cached("UPDATE disposition SET undone_ms = ?2 WHERE id = ?1")?.execute(params![id, now_ms])?;
    let state = settle(transaction, hit, row.two_person)?;
    if state.waits() {
        transaction.prepare_cached("UPDATE review SET owner = ?2, owner_name = ?3, lease_until_ms = ?4, claimed_ms = ?5 WHERE hit = ?1")?.execute(params![
            hit,
            who.id,
            who.name,
            now_ms + LEASE_MS,
            now_ms
        ])?;
    }
    tell(transaction, "disposition.undone", hit, id, now_ms)?;
    record(transaction, who, Action::DispositionUndone, hit, serde_json::json!({ "state": state }), now_ms)?;
    Ok(Ok(state))
}

/// Writes a note beside a case; answers its number.
///
/// # Errors
/// What SQLite says.
pub fn note(transaction: &Transaction<'_>, hit: i64, who: &Officer, body: &str, now_ms: i64) -> Outcome<i64> {
    let body = body.trim();
    if body.is_empty() || body.chars().count() > MAX_NOTE {
        return Ok(Err(Refusal::Note));
    }
    if row(transaction, hit)?.is_none() {
        return Ok(Err(Refusal::Unknown));
    }
    let write = "INSERT INTO note (hit, person, name, body, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
    transaction.prepare_cached(write)?.execute(params![hit, who.id, who.name, body, now_ms])?;
    let id = transaction.last_insert_rowid();
    record(transaction, who, Action::Noted, hit, serde_json::json!({ "note": id }), now_ms)?;
    Ok(Ok(id))
}

/// Sets the state that the case's dispositions make.
fn settle(transaction: &Transaction<'_>, hit: i64, two_person: bool) -> rusqlite::Result<State> {
    let dispositions = transaction
        .prepare_cached("SELECT stage, verdict FROM disposition WHERE hit = ?1 AND undone_ms IS NULL ORDER BY id")?
        .query_map([hit], |row| {
            let verdict = Verdict::named(row.get_ref(1)?.as_str()?).ok_or(rusqlite::Error::InvalidQuery)?;
            Ok((state(row.get_ref(0)?)?, verdict))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut state = state_after(two_person, &dispositions);
    let withdrawn = "SELECT state = 'withdrawn' FROM hit WHERE id = ?1";
    if state == State::Open && transaction.prepare_cached(withdrawn)?.query_row([hit], |row| row.get(0))? {
        state = State::Withdrawn;
    }
    transaction.prepare_cached("UPDATE review SET state = ?2 WHERE hit = ?1")?.execute(params![hit, state.name()])?;
    Ok(state)
}

/// Tells a disposition outside, in the order of what is told of its vehicle.
fn tell(transaction: &Transaction<'_>, kind: &str, hit: i64, disposition: i64, now_ms: i64) -> rusqlite::Result<()> {
    let subject = "SELECT lane || '/' || track FROM hit WHERE id = ?1";
    let subject: String = transaction.prepare_cached(subject)?.query_row([hit], |row| row.get(0))?;
    outbox::tell(transaction, kind, &subject, &serde_json::json!({ "row": disposition }), now_ms).map(|_| ())
}

fn record(transaction: &Transaction<'_>, who: &Officer, action: Action, hit: i64, details: serde_json::Value, now_ms: i64) -> rusqlite::Result<()> {
    audit::append(transaction, &Act { who: who.id.clone(), action, subject: format!("hit {hit}"), details, now_ms }).map(|_| ())
}
