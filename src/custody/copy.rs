//! A store copied whole: a backup of one that a server has open, or a backup brought back. Either way the copy is a store.
//!
//! The database is copied by SQLite's backup interface in one read transaction, so it is that of one instant; then the files that *its* rows name. They are all still
//! there, because the `deletion` lock keeps the server from deleting any until the copy is done. Copied into `TARGET.part`, made durable, checked, and only then named
//! `TARGET`. Quarantine, unfinished uploads and files that no row names stay behind.
//!
//! *Cost.* Room for everything once more, and twice the time of reading it; the server's write-ahead log grows while its database is copied.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::check::{Report, check};
use super::evidence::{self, Sha};
use super::{database, journal, reader, schema, sqlite};
use crate::error::{Error, Fault, Result};

/// Copies the store in `source` to the folder `target`, and checks the copy. Findings of that check are of the source too, or of its disk; the copy is there all the
/// same, because a damaged backup is better than none.
///
/// # Errors
/// `Caller` where `source` is no store or `target` is in use, `Damaged` where the database does not copy, `Machine` where the disk does not.
pub fn copy(source: &Path, target: &Path) -> Result<Report> {
    if !database(source).is_file() {
        return Err(Error::new(Fault::Caller, "is no store: there is no garita.db in it").in_(source.display()));
    }
    if std::fs::read_dir(target).map_or_else(|error| error.kind() != std::io::ErrorKind::NotFound, |mut files| files.next().is_some()) {
        return Err(Error::new(Fault::Caller, "is there already: name a folder that does not exist, or an empty one").in_(target.display()));
    }
    let part = PathBuf::from(format!("{}.part", target.display().to_string().trim_end_matches('/')));
    std::fs::create_dir_all(part.parent().expect("it has a name")).map_err(|error| Error::io(&error).in_(part.display()))?;
    std::fs::create_dir(&part).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Error::new(Fault::Caller, "is of a copy that was cut off, or still goes on: delete it").in_(part.display()),
        _ => Error::io(&error).in_(part.display()),
    })?;
    {
        let kept = schema::deletion(source)?;
        kept.lock_shared().map_err(|error| Error::io(&error).in_(source.display()))?;
        let rows = copy_database(source, &part)?;
        copy_files(&rows, source, &part)?;
    }
    let report = check(&part)?;
    let durable =
        |folder: &Path| File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?)).map_err(|error| Error::io(&error).in_(folder.display()));
    durable(&part)?;
    std::fs::rename(&part, target).map_err(|error| Error::io(&error).in_(target.display()))?;
    durable(target)?;
    Ok(report)
}

/// The database; answers a connection to the copy.
fn copy_database(source: &Path, target: &Path) -> Result<Connection> {
    let from = reader(source)?;
    schema::version(&from).map_err(|error| error.in_(database(source).display()))?;
    let path = database(target);
    let said = |error: rusqlite::Error| sqlite(&error).in_(path.display());
    let mut to = Connection::open(&path).map_err(said)?;
    {
        let backup = Backup::new(&from, &mut to).map_err(said)?;
        // All pages in one step: one read transaction. Busy is a matter of moments.
        for _ in 0..100 {
            match backup.step(-1).map_err(|error| sqlite(&error).in_(database(source).display()))? {
                StepResult::Done => break,
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
    // Whole on its own, without a log beside it; the next start brings it back into WAL mode.
    schema::version(&to).map_err(|error| error.in_(path.display()))?;
    to.pragma_update(None, "journal_mode", "WAL").map_err(said)?;
    Ok(to)
}

fn copy_files(rows: &Connection, source: &Path, target: &Path) -> Result<()> {
    let ask = |error: rusqlite::Error| sqlite(&error).in_(database(target).display());
    let segments = query(rows, "SELECT segment, max(at + length) FROM frame WHERE segment IS NOT NULL GROUP BY segment", |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)? as u64))
    });
    make(&target.join("journal"))?;
    for (number, length) in segments.map_err(ask)? {
        copy_file(&journal::path(&source.join("journal"), number), &journal::path(&target.join("journal"), number), length)?;
    }
    let (from, to) = (source.join("evidence"), target.join("evidence"));
    for digest in
        query(rows, "SELECT digest FROM evidence UNION SELECT digest FROM edge_read WHERE digest IS NOT NULL", |row| row.get::<_, Sha>(0)).map_err(ask)?
    {
        let path = evidence::path(&to, &digest);
        make(path.parent().expect("a path below the folder"))?;
        copy_file(&evidence::path(&from, &digest), &path, u64::MAX)?;
    }
    make(&target.join("scans"))?;
    for file in query(rows, "SELECT file FROM scan WHERE file IS NOT NULL", |row| row.get::<_, String>(0)).map_err(ask)? {
        copy_file(&source.join("scans").join(&file), &target.join("scans").join(&file), u64::MAX)?;
    }
    Ok(())
}

fn query<Row>(rows: &Connection, question: &str, row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<Row>) -> rusqlite::Result<Vec<Row>> {
    rows.prepare(question)?.query_map([], row)?.collect()
}

fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::io(&error).in_(folder.display()))
}

/// The first `most` bytes of a file. One that is missing is left out: the check tells it with the row that names it.
fn copy_file(from: &Path, to: &Path, most: u64) -> Result<()> {
    let source = match File::open(from) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(|error| Error::io(&error).in_(from.display()))?,
    };
    let copied = File::create_new(to).and_then(|mut target| std::io::copy(&mut source.take(most), &mut target));
    copied.map(|_| ()).map_err(|error| Error::io(&error).in_(to.display()))
}
