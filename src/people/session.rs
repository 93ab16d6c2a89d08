//! Who is logged in. A session is known by the digest of its cookie; it survives a restart, locks when its person does nothing for a while, and ends at the
//! latest after some hours. A locked session is the same session: the password opens it again, and the page goes on where it was.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Role, role_column};
use crate::custody::evidence::Sha;

/// How often it is written down that somebody still does something, milliseconds.
pub const NOTE_EVERY_MS: i64 = 60_000;

/// A session and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The person's id.
    pub person: String,
    /// As pages write it.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When it began, milliseconds since the Unix epoch.
    pub made_ms: i64,
    /// When the person did something last, to [`NOTE_EVERY_MS`], milliseconds since the Unix epoch.
    pub seen_ms: i64,
    /// Nothing but a new password is taken.
    pub must_change: bool,
}

/// The session with this digest, if there is one, of a person who may log in.
///
/// # Errors
/// What SQLite says.
pub fn find(connection: &Connection, digest: &Sha) -> rusqlite::Result<Option<Session>> {
    connection
        .prepare_cached(
            "SELECT person.id, person.name, person.role, session.made_ms, session.seen_ms, session.must_change
             FROM session JOIN person ON person.id = session.person WHERE session.digest = ?1 AND person.disabled = 0",
        )?
        .query_row([digest], |row| {
            Ok(Session {
                person: row.get(0)?,
                name: row.get(1)?,
                role: role_column(row, 2)?,
                made_ms: row.get(3)?,
                seen_ms: row.get(4)?,
                must_change: row.get(5)?,
            })
        })
        .optional()
}

/// Begins one.
///
/// # Errors
/// What SQLite says.
pub fn begin(transaction: &Transaction<'_>, digest: &Sha, person: &str, must_change: bool, now_ms: i64) -> rusqlite::Result<()> {
    let insert = "INSERT INTO session (digest, person, made_ms, seen_ms, must_change) VALUES (?1, ?2, ?3, ?3, ?4)";
    transaction.prepare_cached(insert)?.execute(params![digest, person, now_ms, must_change]).map(|_| ())
}

/// Somebody did something.
///
/// # Errors
/// What SQLite says.
pub fn note(transaction: &Transaction<'_>, digest: &Sha, now_ms: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE session SET seen_ms = max(seen_ms, ?2) WHERE digest = ?1")?.execute(params![digest, now_ms]).map(|_| ())
}

/// Its person has set a password of their own.
///
/// # Errors
/// What SQLite says.
pub fn has_changed(transaction: &Transaction<'_>, digest: &Sha) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE session SET must_change = 0 WHERE digest = ?1")?.execute([digest]).map(|_| ())
}

/// Ends one.
///
/// # Errors
/// What SQLite says.
pub fn end(transaction: &Transaction<'_>, digest: &Sha) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM session WHERE digest = ?1")?.execute([digest]).map(|_| ())
}

/// Ends all of a person's, but for one.
///
/// # Errors
/// What SQLite says.
pub fn end_all(transaction: &Transaction<'_>, person: &str, but: Option<&Sha>) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM session WHERE person = ?1 AND digest IS NOT ?2")?.execute(params![person, but]).map(|_| ())
}

/// Deletes those that began before `before_ms`.
///
/// # Errors
/// What SQLite says.
pub fn sweep(transaction: &Transaction<'_>, before_ms: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM session WHERE made_ms < ?1")?.execute([before_ms]).map(|_| ())
}
