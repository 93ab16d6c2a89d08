//! The database: opened as durably as SQLite can, migrated one version a transaction, held by one process.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::sqlite;
use crate::error::{Error, Fault, Result};

/// Each version's changes, from version 1 on. Never edited once released: a new version is a new file.
const MIGRATIONS: [&str; 12] = [
    include_str!("migrations/001.sql"),
    include_str!("migrations/002_people.sql"),
    include_str!("migrations/003_outward.sql"),
    include_str!("migrations/004_review.sql"),
    include_str!("migrations/005_edge.sql"),
    include_str!("migrations/006_viewer.sql"),
    include_str!("migrations/007_proposals.sql"),
    include_str!("migrations/008_openings.sql"),
    include_str!("migrations/009_cars.sql"),
    include_str!("migrations/010_news.sql"),
    include_str!("migrations/011_numbers.sql"),
    include_str!("migrations/012_edge_names.sql"),
];

/// The version that this garita writes.
pub const VERSION: usize = MIGRATIONS.len();

/// Marks the file as garita's (`PRAGMA application_id`): "GRTA".
pub const APPLICATION: i32 = 0x4752_5441;

/// How long a connection waits for another one's lock.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How long the store's own lock is asked for. A garita that is ending, or a program that this process has just forked and that inherits the lock until
/// it becomes another one, holds it for a moment.
const MOMENT: Duration = Duration::from_secs(2);

/// Locks `folder` for this process until the answer is dropped; waits a [`MOMENT`] for it.
///
/// # Errors
/// `Machine` where another process holds it.
pub(crate) fn hold(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::options().create(true).write(true).truncate(false).open(&path).map_err(|error| Error::io(&error).in_(path.display()))?;
    let asked = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if asked.elapsed() < MOMENT => std::thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(Fault::Machine, "another garita has this store open; end it first, or name another data folder").in_(folder.display()));
            }
            Err(TryLockError::Error(error)) => return Err(Error::io(&error).in_(path.display())),
        }
    }
}

/// The lock that keeps the store's files from being deleted while somebody looks at them: held shared by whoever checks or copies a store, alone by its
/// writer while it deletes.
///
/// # Errors
/// What the system says.
pub(crate) fn deletion(folder: &Path) -> Result<File> {
    let path = folder.join("deletion");
    File::options().create(true).append(true).open(&path).map_err(|error| Error::io(&error).in_(path.display()))
}

/// Opens or makes the database at `path` for writing.
pub(crate) fn open(path: &Path) -> Result<Connection> {
    let said = |error: rusqlite::Error| sqlite(&error).in_(path.display());
    let connection = Connection::open(path).map_err(said)?;
    connection.busy_timeout(PATIENCE).map_err(said)?;
    // Before anything is changed: it may be somebody else's.
    version(&connection).map_err(|error| error.in_(path.display()))?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(said)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(said)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(said)?;
    // What is deleted is overwritten: a deleted read must not be readable in the file.
    connection.pragma_update(None, "secure_delete", true).map_err(said)?;
    // The writer does it after answering, and hears what comes of it; SQLite by itself would swallow a failed sync there.
    connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(said)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// For the connection that writes all the time: what a transaction may have to take back, and the pages that it changes, stay in memory. Left to itself, SQLite writes the former into
/// files in `/var/tmp`: as much again as into its log, plates among it, outside of the store's folder.
///
/// # Errors
/// `Machine` with what SQLite says.
pub(super) fn keep_in_memory(connection: &Connection) -> Result<()> {
    let set = connection.pragma_update(None, "temp_store", "MEMORY");
    // KiB. A group of 64 records changes some 1,000 pages of 4 KiB: beyond the cache they would be written twice.
    set.and_then(|()| connection.pragma_update(None, "cache_size", -16_384)).map_err(|error| sqlite(&error))
}

/// The version of a database.
///
/// # Errors
/// `Damaged` for a file that is no database, `Unsupported` for one of a newer garita, or of somebody else.
pub fn version(connection: &Connection) -> Result<usize> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(|error| sqlite(&error));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let foreign = || Error::new(Fault::Unsupported, "is a database, but none of garita's: name another data folder");
    let version = usize::try_from(version).map_err(|_| foreign())?;
    if version == 0 {
        // Just made, or somebody else's who numbers no versions.
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map_err(|error| sqlite(&error))?;
        return if tables == 0 && application == 0 { Ok(0) } else { Err(foreign()) };
    }
    if application != APPLICATION {
        return Err(foreign());
    }
    if version > VERSION {
        let message = format!("is of version {version}; this garita knows {VERSION}: install the newer garita, or restore a backup from before");
        return Err(Error::new(Fault::Unsupported, message));
    }
    Ok(version)
}

/// Brings a database to [`VERSION`].
///
/// # Errors
/// As [`version`], and `Machine` where a change fails; the database is then as it was.
pub fn migrate(connection: &mut Connection) -> Result<()> {
    let found = version(connection)?;
    for (version, script) in (1i64..).zip(MIGRATIONS).skip(found) {
        let step = |error: rusqlite::Error| sqlite(&error).in_(format!("migration to version {version}"));
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive).map_err(step)?;
        transaction.execute_batch(script).map_err(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(step)?;
        transaction.pragma_update(None, "user_version", version).map_err(step)?;
        transaction.commit().map_err(step)?;
    }
    Ok(())
}
