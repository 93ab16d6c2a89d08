//! Who works here: people with roles, passwords, second factors and sessions, as rows of the store.
//!
//! | file | is |
//! |---|---|
//! | this one | roles; a person's row, made and changed |
//! | [`password`] | argon2id, and passwords that are good once |
//! | [`totp`] | the second factor: codes of RFC 6238 |
//! | [`login`] | an attempt, and what locks a person out |
//! | [`session`] | who is logged in, since when, idle since when |
//!
//! Nothing here knows a secret that could be read back but the second factor's, which the code needs: passwords are kept as argon2id hashes, session cookies as digests.
//! There is no person that was not made here, and no password that somebody other than its owner knows for longer than until the first login.

pub mod login;
pub mod password;
pub mod session;
pub mod totp;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::audit::{self, Act, Action};

/// What somebody may do: the columns of the table of rights ([`crate::service::access::RIGHTS`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks at lanes, portals and passages; plates without a hit are obscured unless the site file says otherwise.
    Viewer,
    /// Looks at hits and findings, and decides.
    Operator,
    /// Decides again, and second; sees what is old; says what is kept beyond its time.
    Supervisor,
    /// Changes lists.
    ListManager,
    /// Reads everything, the audit trail too, and changes nothing.
    Auditor,
    /// Makes and changes people; may do what all people may.
    Admin,
    /// A camera, portal or program. No person has this role.
    Device,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 7] = [Role::Viewer, Role::Operator, Role::Supervisor, Role::ListManager, Role::Auditor, Role::Admin, Role::Device];

    /// As records, answers and the site file write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Supervisor => "supervisor",
            Role::ListManager => "list-manager",
            Role::Auditor => "auditor",
            Role::Admin => "admin",
            Role::Device => "device",
        }
    }

    /// The person's role with this name; a device's is none.
    #[must_use]
    pub fn of_person(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name && *role != Role::Device)
    }
}

/// A person as administrators see one: nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Account {
    /// Names them in records: `[a-z0-9-]{1,32}`.
    pub id: String,
    /// As pages write it.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// May not log in.
    pub disabled: bool,
    /// Has a second factor.
    pub second_factor: bool,
    /// Has a password of their own: not none, nor one that is good once.
    pub has_password: bool,
    /// Locked out until then, milliseconds since the Unix epoch; 0 if never.
    pub locked_until_ms: i64,
}

/// What changes of a person; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[schema(as = PersonChange)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The name on pages.
    pub name: Option<String>,
    /// The role.
    pub role: Option<Role>,
    /// Whether they may log in.
    pub disabled: Option<bool>,
    /// A new password that is good once; takes the second factor away and ends a lock-out.
    #[serde(default)]
    pub reset: bool,
}

/// Why a person was not made or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is one of this id already.
    Exists,
    /// There is none.
    Missing,
    /// It would leave nobody who can make people.
    LastAdmin,
}

/// Makes a person, with the hash of a password that is good once.
///
/// # Errors
/// What SQLite says.
pub fn add(transaction: &Transaction<'_>, by: &str, (id, name, role): (&str, &str, Role), once: &str, now_ms: i64) -> rusqlite::Result<Result<(), Refusal>> {
    let insert = "INSERT INTO person (id, name, role, password, once, made_ms) VALUES (?1, ?2, ?3, ?4, 1, ?5) ON CONFLICT DO NOTHING";
    if transaction.prepare_cached(insert)?.execute(params![id, name, role.name(), once, now_ms])? == 0 {
        return Ok(Err(Refusal::Exists));
    }
    told(transaction, by, id, serde_json::json!({ "made": true, "role": role, "name": name }), now_ms)?;
    Ok(Ok(()))
}

/// Changes a person; `once`: the hash of the new password where `change.reset`.
///
/// # Errors
/// What SQLite says.
pub fn change(transaction: &Transaction<'_>, by: &str, id: &str, change: &Change, once: Option<&str>, now_ms: i64) -> rusqlite::Result<Result<(), Refusal>> {
    let Some(account) = account(transaction, id)? else { return Ok(Err(Refusal::Missing)) };
    let demoted = change.role.is_some_and(|role| role != Role::Admin) || change.disabled == Some(true);
    let others = "SELECT EXISTS (SELECT 1 FROM person WHERE role = 'admin' AND disabled = 0 AND id <> ?1)";
    if account.role == Role::Admin && !account.disabled && demoted && !transaction.query_row(others, [id], |row| row.get::<_, bool>(0))? {
        return Ok(Err(Refusal::LastAdmin));
    }
    let update = "UPDATE person SET name = coalesce(?2, name), role = coalesce(?3, role), disabled = coalesce(?4, disabled) WHERE id = ?1";
    transaction.prepare_cached(update)?.execute(params![id, change.name, change.role.map(Role::name), change.disabled])?;
    if let Some(once) = once {
        let reset = "UPDATE person SET password = ?2, once = 1, totp = NULL, failures = 0, locked_until_ms = 0 WHERE id = ?1";
        transaction.prepare_cached(reset)?.execute(params![id, once])?;
    }
    // Whoever was logged in with what they no longer are logs in anew.
    if once.is_some() || demoted || change.role.is_some() {
        session::end_all(transaction, id, None)?;
    }
    let details = serde_json::json!({ "name": change.name, "role": change.role, "disabled": change.disabled, "reset": once.is_some() });
    told(transaction, by, id, details, now_ms)?;
    Ok(Ok(()))
}

fn told(transaction: &Transaction<'_>, by: &str, id: &str, details: serde_json::Value, now_ms: i64) -> rusqlite::Result<()> {
    let act = Act { who: by.to_owned(), action: Action::PersonChanged, subject: format!("person {id}"), details, now_ms };
    audit::append(transaction, &act).map(|_| ())
}

const COLUMNS: &str = "id, name, role, disabled, totp IS NOT NULL, password IS NOT NULL AND once = 0, locked_until_ms";

fn account_row(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: row.get(0)?,
        name: row.get(1)?,
        role: role_column(row, 2)?,
        disabled: row.get(3)?,
        second_factor: row.get(4)?,
        has_password: row.get(5)?,
        locked_until_ms: row.get(6)?,
    })
}

/// A role in a column.
pub(crate) fn role_column(row: &Row<'_>, column: usize) -> rusqlite::Result<Role> {
    let name: String = row.get(column)?;
    Role::of_person(&name).ok_or_else(|| rusqlite::Error::InvalidColumnType(column, "role".to_owned(), rusqlite::types::Type::Text))
}

/// One person.
///
/// # Errors
/// What SQLite says.
pub fn account(connection: &Connection, id: &str) -> rusqlite::Result<Option<Account>> {
    connection.prepare_cached(&format!("SELECT {COLUMNS} FROM person WHERE id = ?1"))?.query_row([id], account_row).optional()
}

/// Everybody, by id.
///
/// # Errors
/// What SQLite says.
pub fn accounts(connection: &Connection) -> rusqlite::Result<Vec<Account>> {
    connection.prepare_cached(&format!("SELECT {COLUMNS} FROM person ORDER BY id"))?.query_map([], account_row)?.collect()
}

/// Whether an id is one: 1 to 32 of a-z, 0-9 and hyphens inside. `local` and `garita` name others in records.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let sound = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=32).contains(&text.len()) && text.bytes().all(sound) && !text.starts_with('-') && !text.ends_with('-') && !["local", "garita"].contains(&text)
}

/// Whether a name is one: 1 to 100 characters on one line.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control) && text.trim() == text
}
