//! An attempt to log in. It is written down as failed before the password is looked at, and as succeeded after: however many try at once, and whatever
//! ends the service meanwhile, no more passwords are tried than the lock-out allows.
//!
//! The fifth attempt that fails locks for half a minute, each one after it for twice as long as the one before, at most for an hour. A lock-out is the
//! person's and not an address's: it is meant to be seen. An administrator ends it (`garita user reset`, or on the page).

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Role, role_column};
use crate::audit::{self, Act, Action};

/// Attempts that may fail before the lock-out begins.
const FREE: i64 = 4;
/// The first lock-out, milliseconds.
const FIRST_LOCK_MS: i64 = 30_000;
/// The longest lock-out, milliseconds.
const LONGEST_LOCK_MS: i64 = 3_600_000;

/// What an attempt begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nobody of this id may log in.
    Nobody,
    /// Locked out until then, milliseconds since the Unix epoch.
    Locked(i64),
    /// To be proven.
    Open(Secrets),
}

/// What a person proves to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    /// As pages write it.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Hash of the password.
    pub password: Option<String>,
    /// The password is good once.
    pub once: bool,
    /// Secret of the second factor.
    pub totp: Option<String>,
    /// The last step of it that was used.
    pub totp_step: i64,
}

/// Begins an attempt: it has failed until [`succeed`] says otherwise.
///
/// # Errors
/// What SQLite says.
pub fn begin(transaction: &Transaction<'_>, id: &str, now_ms: i64) -> rusqlite::Result<Begun> {
    let found = transaction
        .prepare_cached("SELECT name, role, password, once, totp, totp_step, failures, locked_until_ms FROM person WHERE id = ?1 AND disabled = 0")?
        .query_row([id], |row| {
            let secrets =
                Secrets { name: row.get(0)?, role: role_column(row, 1)?, password: row.get(2)?, once: row.get(3)?, totp: row.get(4)?, totp_step: row.get(5)? };
            Ok((secrets, row.get::<_, i64>(6)?, row.get::<_, i64>(7)?))
        })
        .optional()?;
    let Some((secrets, failures, locked_until_ms)) = found else { return Ok(Begun::Nobody) };
    if locked_until_ms > now_ms {
        return Ok(Begun::Locked(locked_until_ms));
    }
    let failures = failures + 1;
    let lock_ms = if failures > FREE { (FIRST_LOCK_MS << (failures - FREE - 1).min(20)).min(LONGEST_LOCK_MS) } else { 0 };
    let until_ms = if lock_ms > 0 { now_ms + lock_ms } else { 0 };
    transaction.prepare_cached("UPDATE person SET failures = ?2, locked_until_ms = ?3 WHERE id = ?1")?.execute(params![id, failures, until_ms])?;
    Ok(Begun::Open(secrets))
}

/// The attempt was right: nothing counts against them any more. A password that was good once is good no more; `step`: of the second factor that was used. False where
/// the same code or password has been used meanwhile.
///
/// # Errors
/// What SQLite says.
pub fn succeed(transaction: &Transaction<'_>, id: &str, secrets: &Secrets, step: Option<i64>) -> rusqlite::Result<bool> {
    let update =
        "UPDATE person SET failures = 0, locked_until_ms = 0, totp_step = coalesce(?2, totp_step), password = CASE once WHEN 1 THEN NULL ELSE password END
                  WHERE id = ?1 AND disabled = 0 AND password IS ?3 AND (?2 IS NULL OR totp_step < ?2)";
    Ok(transaction.prepare_cached(update)?.execute(params![id, step, secrets.password])? > 0)
}

/// Writes a failed attempt down. `id`: only where such a person exists: else somebody's password may stand there.
///
/// # Errors
/// What SQLite says.
pub fn failed(transaction: &Transaction<'_>, id: Option<&str>, why: &str, from: &str, now_ms: i64) -> rusqlite::Result<()> {
    let subject = id.map_or_else(String::new, |id| format!("person {id}"));
    let details = serde_json::json!({ "why": why, "from": from });
    let act = Act { who: id.unwrap_or("unknown").to_owned(), action: Action::LoginFailed, subject, details, now_ms };
    audit::append(transaction, &act).map(|_| ())
}

/// Sets a password of the person's own.
///
/// # Errors
/// What SQLite says.
pub fn set_password(transaction: &Transaction<'_>, id: &str, hash: &str, now_ms: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE person SET password = ?2, once = 0, failures = 0, locked_until_ms = 0 WHERE id = ?1")?.execute(params![id, hash])?;
    changed(transaction, id, "password", now_ms)
}

/// Sets the second factor, with the step whose code proved it; `None` takes it away.
///
/// # Errors
/// What SQLite says.
pub fn set_totp(transaction: &Transaction<'_>, id: &str, totp: Option<(&str, i64)>, now_ms: i64) -> rusqlite::Result<()> {
    let set = "UPDATE person SET totp = ?2, totp_step = ?3 WHERE id = ?1";
    transaction.prepare_cached(set)?.execute(params![id, totp.map(|one| one.0), totp.map_or(0, |one| one.1)])?;
    changed(transaction, id, if totp.is_some() { "second factor" } else { "no second factor" }, now_ms)
}

fn changed(transaction: &Transaction<'_>, id: &str, what: &str, now_ms: i64) -> rusqlite::Result<()> {
    let details = serde_json::json!({ "what": what });
    let act = Act { who: id.to_owned(), action: Action::CredentialsChanged, subject: format!("person {id}"), details, now_ms };
    audit::append(transaction, &act).map(|_| ())
}
