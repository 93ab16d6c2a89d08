//! The outbox: events that must leave the site, made in the commit of what they speak of, and which of them each webhook has not taken yet.
//!
//! An event names its rows ([`crate::service`] looks them up when it is sent): what has had its time there leaves in no event. In the commit that makes an event a
//! trigger makes a *delivery* for each webhook that wants it. A delivery goes when its event was taken, or is dead a day after it began to wait; dead ones are kept
//! until somebody replays them, as long as the event is.
//!
//! *Order.* Events of one subject (a vehicle, a scan, a lane, a list) are given out in order, and none before those before it were taken or are dead.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::Value;

/// A delivery is given up so long after it began to wait, milliseconds.
pub const GIVEN_UP_MS: i64 = 86_400_000;
/// The longest wait between two attempts, milliseconds: a due time further away is of a clock that jumped.
pub const LONGEST_WAIT_MS: i64 = 3_600_000;

/// An event to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Its number.
    pub event: i64,
    /// What happened.
    pub kind: String,
    /// To what.
    pub subject: String,
    /// What names its rows.
    pub body: Value,
    /// When, milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// Attempts that failed.
    pub attempts: u32,
    /// Since when it waits, milliseconds since the Unix epoch.
    pub since_ms: i64,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The other side took it, or there is nothing to tell any more.
    Taken,
    /// It did not; not to be tried again before this, milliseconds since the Unix epoch.
    Failed {
        /// Why.
        error: String,
        /// When it is due again.
        next_ms: i64,
    },
}

/// How a webhook is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Events that wait.
    pub waiting: i64,
    /// Since when the one waits that has waited longest, milliseconds since the Unix epoch.
    pub since_ms: Option<i64>,
    /// Events that were given up.
    pub dead: i64,
}

/// An event that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// Its number.
    pub event: i64,
    /// What happened.
    pub kind: String,
    /// To what.
    pub subject: String,
    /// When, milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// Attempts that failed.
    pub attempts: i64,
    /// Of the last one.
    pub error: Option<String>,
}

/// Puts an event into the outbox; answers its number.
pub fn tell(transaction: &Transaction<'_>, kind: &str, subject: &str, body: &Value, now_ms: i64) -> rusqlite::Result<i64> {
    let add = "INSERT INTO outbox (kind, subject, body, created_ms) VALUES (?1, ?2, ?3, ?4)";
    transaction.prepare_cached(add)?.execute(params![kind, subject, body.to_string(), now_ms])?;
    Ok(transaction.last_insert_rowid())
}

/// Makes the webhooks those of the site file: id and wanted kinds (none: all). A new one is told what happens from now on; what waits for one that is gone goes.
pub fn set_webhooks(transaction: &Transaction<'_>, webhooks: &[(String, Vec<String>)]) -> rusqlite::Result<i64> {
    let ids = serde_json::to_string(&webhooks.iter().map(|(id, _)| id).collect::<Vec<_>>()).expect("plain data");
    transaction.execute("DELETE FROM webhook WHERE id NOT IN (SELECT value FROM json_each(?1))", [ids])?;
    for (id, kinds) in webhooks {
        let kinds = serde_json::to_string(kinds).expect("plain data");
        transaction.execute("INSERT INTO webhook VALUES (?1, ?2) ON CONFLICT DO UPDATE SET kinds = excluded.kinds", params![id, kinds])?;
    }
    Ok(webhooks.len() as i64)
}

/// The store's own name, never another store's.
///
/// # Errors
/// What SQLite says.
pub fn store_id(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("SELECT id FROM store", [], |row| row.get(0))
}

/// What is due to a webhook: of at most `subjects` subjects, at most `each` events in order; who has waited longest comes first.
///
/// # Errors
/// What SQLite says.
pub fn due(connection: &Connection, webhook: &str, now_ms: i64, (subjects, each): (usize, usize)) -> rusqlite::Result<Vec<Vec<Due>>> {
    let heads = |when: &str| {
        let question = format!(
            "SELECT subject FROM delivery AS head WHERE webhook = ?1 AND state = 'waiting' AND {when}
             AND NOT EXISTS (SELECT 1 FROM delivery AS before WHERE before.webhook = ?1 AND before.subject = head.subject AND before.event < head.event
                             AND before.state = 'waiting')
             ORDER BY next_ms, event LIMIT ?3"
        );
        let limit = if when.contains('<') { now_ms } else { now_ms + LONGEST_WAIT_MS };
        let mut statement = connection.prepare_cached(&question)?;
        statement.query_map(params![webhook, limit, subjects as i64], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
    };
    let mut found = heads("next_ms <= ?2")?;
    if found.is_empty() {
        found = heads("next_ms > ?2")?;
    }
    let mut statement = connection.prepare_cached(
        "SELECT event, kind, outbox.subject, body, created_ms, attempts, since_ms FROM delivery JOIN outbox ON outbox.id = event
         WHERE webhook = ?1 AND delivery.subject = ?2 AND state = 'waiting' ORDER BY event LIMIT ?3",
    )?;
    let mut all = Vec::with_capacity(found.len());
    for subject in found {
        let due = statement.query_map(params![webhook, subject, each as i64], |row| {
            let body: String = row.get(3)?;
            Ok(Due {
                event: row.get(0)?,
                kind: row.get(1)?,
                subject: row.get(2)?,
                body: serde_json::from_str(&body).unwrap_or_default(),
                created_ms: row.get(4)?,
                attempts: row.get(5)?,
                since_ms: row.get(6)?,
            })
        })?;
        all.push(due.collect::<rusqlite::Result<Vec<Due>>>()?);
    }
    Ok(all)
}

/// Keeps what became of attempts; one that has waited for a day and failed again is dead. Answers how many died.
pub fn settle(transaction: &Transaction<'_>, webhook: &str, outcomes: &[(i64, Outcome)], now_ms: i64) -> rusqlite::Result<i64> {
    let mut died = 0;
    for (event, outcome) in outcomes {
        match outcome {
            Outcome::Taken => {
                transaction.prepare_cached("DELETE FROM delivery WHERE webhook = ?1 AND event = ?2")?.execute(params![webhook, event])?;
            }
            Outcome::Failed { error, next_ms } => {
                let fail = "UPDATE delivery SET attempts = attempts + 1, next_ms = ?3, error = ?4,
                            state = CASE WHEN since_ms < ?5 THEN 'dead' ELSE state END
                            WHERE webhook = ?1 AND event = ?2 AND state = 'waiting' RETURNING state = 'dead'";
                let dead = transaction
                    .prepare_cached(fail)?
                    .query_row(params![webhook, event, next_ms, error, now_ms - GIVEN_UP_MS], |row| row.get::<_, bool>(0))
                    .optional()?;
                died += i64::from(dead == Some(true));
            }
        }
    }
    Ok(died)
}

/// The other side answers nothing: everything that has waited for a day is dead. Answers how many.
pub fn bury(transaction: &Transaction<'_>, webhook: &str, error: &str, now_ms: i64) -> rusqlite::Result<i64> {
    let bury = "UPDATE delivery SET state = 'dead', error = coalesce(error, ?2) WHERE webhook = ?1 AND state = 'waiting' AND since_ms < ?3";
    Ok(transaction.prepare_cached(bury)?.execute(params![webhook, error, now_ms - GIVEN_UP_MS])? as i64)
}

/// The other side answers again: what waits need not wait longer.
pub fn hasten(transaction: &Transaction<'_>, webhook: &str) -> rusqlite::Result<i64> {
    let hasten = "UPDATE delivery SET next_ms = 0 WHERE webhook = ?1 AND state = 'waiting' AND next_ms > 0";
    Ok(transaction.prepare_cached(hasten)?.execute([webhook])? as i64)
}

/// Gives dead events another day: this one, or all. Answers how many.
pub fn replay(transaction: &Transaction<'_>, webhook: &str, event: Option<i64>, now_ms: i64) -> rusqlite::Result<i64> {
    let replay =
        "UPDATE delivery SET state = 'waiting', attempts = 0, next_ms = 0, since_ms = ?3 WHERE webhook = ?1 AND state = 'dead' AND (?2 IS NULL OR event = ?2)";
    Ok(transaction.prepare_cached(replay)?.execute(params![webhook, event, now_ms])? as i64)
}

/// How a webhook is doing.
///
/// # Errors
/// What SQLite says.
pub fn standing(connection: &Connection, webhook: &str) -> rusqlite::Result<Standing> {
    let mut statement = connection.prepare_cached("SELECT count(*), min(since_ms) FROM delivery WHERE webhook = ?1 AND state = ?2")?;
    let (waiting, since_ms) = statement.query_row([webhook, "waiting"], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let dead = statement.query_row([webhook, "dead"], |row| row.get(0))?;
    Ok(Standing { waiting, since_ms, dead })
}

/// Dead events of a webhook after the event `after`, in order.
///
/// # Errors
/// What SQLite says.
pub fn dead(connection: &Connection, webhook: &str, after: i64, most: usize) -> rusqlite::Result<Vec<Dead>> {
    let question = "SELECT event, kind, outbox.subject, created_ms, attempts, error FROM delivery JOIN outbox ON outbox.id = event
                    WHERE webhook = ?1 AND state = 'dead' AND event > ?2 ORDER BY event LIMIT ?3";
    let mut statement = connection.prepare_cached(question)?;
    let dead = statement.query_map(params![webhook, after, most as i64], |row| {
        Ok(Dead { event: row.get(0)?, kind: row.get(1)?, subject: row.get(2)?, created_ms: row.get(3)?, attempts: row.get(4)?, error: row.get(5)? })
    })?;
    dead.collect()
}
