//! Who did what, so that nobody can change it unseen.
//!
//! Every record's digest is a SHA-256 over the digest before it and over every column of its own row, each with its length in front. So a byte that
//! changes, a record that goes, comes in between or changes places makes the first record after the change wrong, and [`append`] puts a record into the
//! very transaction that does what it tells of: neither is there without the other.
//!
//! ```text
//! digest(n) = SHA-256( "garita audit 1" 0 · digest(n-1) · n · at_ms · who · action · subject · details )       digest(0) = 32 zeros
//! ```
//!
//! Numbers are eight bytes, big-endian; a text is its length so written, then its UTF-8. [`mod@verify`] reads them all; [`checkpoint`] is what tells that all of them
//! were made anew, or that the last ones are gone.
//!
//! Records are kept for ever: a record that could go would be one that could be taken away. What they say of a passage is its number, not its plate, but for what
//! somebody searched for.

pub mod checkpoint;
pub mod verify;

use rusqlite::{OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use crate::custody::evidence::Sha;

/// The digest before the first record.
pub const NOTHING_BEFORE: Sha = [0; 32];

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// The person's or device's id; `garita` for what the service does by itself.
    pub who: String,
    /// What.
    pub action: Action,
    /// To what: `hit 17`, `list stolen`, `person jdoe`; empty where it is nothing.
    pub subject: String,
    /// What else is worth knowing. Never a password or key; a plate only where it is what was asked for.
    pub details: serde_json::Value,
    /// When, milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// What can be done that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Logged in.
    Login,
    /// Did not prove who they are.
    LoginFailed,
    /// Logged out.
    Logout,
    /// Came back after the idle lock.
    Unlocked,
    /// Set a password of their own, or a second factor.
    CredentialsChanged,
    /// Made or changed a person.
    PersonChanged,
    /// Looked at a hit or its evidence.
    HitViewed,
    /// Opened a car in the scan viewer.
    CarViewed,
    /// Searched, with the reason in the details.
    Searched,
    /// Took data out.
    Exported,
    /// Took a case, or gave it back.
    Claimed,
    /// Decided on a case.
    Disposition,
    /// Took a decision back.
    DispositionUndone,
    /// Wrote a note beside a case.
    Noted,
    /// A list in force changed.
    ListChanged,
    /// Proposed a new version of a list.
    ListProposed,
    /// Activated what somebody else had proposed.
    ListActivated,
    /// Refused it; `garita` where nobody decided in time.
    ListRefused,
    /// The service runs with other settings than before.
    ConfigurationChanged,
    /// What has had its time was deleted.
    Deleted,
    /// Something is kept beyond its time.
    HoldPlaced,
    /// It is no longer.
    HoldReleased,
    /// Sent again what could not be delivered.
    Replayed,
}

impl Action {
    /// As records write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Action::Login => "login",
            Action::LoginFailed => "login.failed",
            Action::Logout => "logout",
            Action::Unlocked => "unlocked",
            Action::CredentialsChanged => "credentials.changed",
            Action::PersonChanged => "person.changed",
            Action::HitViewed => "hit.viewed",
            Action::CarViewed => "car.viewed",
            Action::Searched => "searched",
            Action::Exported => "exported",
            Action::Claimed => "claimed",
            Action::Disposition => "disposition",
            Action::DispositionUndone => "disposition.undone",
            Action::Noted => "noted",
            Action::ListChanged => "list.changed",
            Action::ListProposed => "list.proposed",
            Action::ListActivated => "list.activated",
            Action::ListRefused => "list.refused",
            Action::ConfigurationChanged => "configuration.changed",
            Action::Deleted => "deleted",
            Action::HoldPlaced => "hold.placed",
            Action::HoldReleased => "hold.released",
            Action::Replayed => "replayed",
        }
    }
}

/// Adds a record in the caller's transaction; answers its number.
///
/// # Errors
/// What SQLite says.
pub fn append(transaction: &Transaction<'_>, act: &Act) -> rusqlite::Result<i64> {
    let last =
        transaction.prepare_cached("SELECT id, digest FROM audit ORDER BY id DESC LIMIT 1")?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (last, before): (i64, Sha) = last.unwrap_or((0, NOTHING_BEFORE));
    let (id, details) = (last + 1, act.details.to_string());
    let digest = digest(&before, id, act.now_ms, [&act.who, act.action.name(), &act.subject, &details]);
    transaction
        .prepare_cached("INSERT INTO audit (id, at_ms, who, action, subject, details, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![id, act.now_ms, act.who, act.action.name(), act.subject, details, digest])?;
    Ok(id)
}

/// The digest of a record: see the head of this module. `texts`: who, action, subject, details.
fn digest(before: &Sha, id: i64, at_ms: i64, texts: [&str; 4]) -> Sha {
    let mut hash = Sha256::new();
    hash.update(b"garita audit 1\0");
    hash.update(before);
    hash.update(id.to_be_bytes());
    hash.update(at_ms.to_be_bytes());
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}
