//! Files that no row names, in `scans/` and `uploads/`: whose they are.
//!
//! A file in `scans/` had its row before anybody was told "kept", and its first name, in `uploads/`, went after that. So without a row it is one of three things:
//!
//! | its upload | the audit trail | it is |
//! |---|---|---|
//! | still links it | | never acknowledged: what was, of it, is in `uploads/`; the next start deletes it |
//! | is gone | says that its scan was deleted | what a crash left of that; the next start deletes it |
//! | is gone | says nothing | a scan that was acknowledged, whose row is missing: an older database, or another. Nobody deletes it |

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::Connection;

use super::sqlite;
use crate::error::{Error, Result};

/// How an upload's files end: a scan's file, a train's columns, what is known of the upload, the same before it is whole, and the same once the upload is over.
pub const UPLOAD_ENDINGS: [&str; 5] = ["part", "stream", "upload", "tmp", "over"];

/// The upload's id and the ending, where a file in `uploads/` is called as one of an upload is.
#[must_use]
pub fn upload_file(name: &str) -> Option<(&str, &str)> {
    let (id, ending) = name.split_once('.')?;
    let plain = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (plain && UPLOAD_ENDINGS.contains(&ending)).then_some((id, ending))
}

/// Whether the upload that the file `name` in `scans/` came as is still there, with the very same bytes.
pub(super) fn is_linked(folder: &Path, name: &str) -> bool {
    let of = |path: &Path| std::fs::symlink_metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let Some((id, _)) = name.split_once('.') else { return false };
    let scan = of(&folder.join("scans").join(name));
    scan.is_some() && ["part", "stream"].iter().any(|ending| of(&folder.join("uploads").join(format!("{id}.{ending}"))) == scan)
}

/// Whether the audit trail says that the scan with this file was deleted.
pub(super) fn is_deleted(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let told =
        "SELECT 1 FROM audit, json_each(audit.details, '$.files') AS file WHERE audit.subject = 'scans' AND audit.action = 'deleted' AND file.value = ?1";
    connection.prepare_cached(told)?.exists([name])
}

/// Deletes files in the `scans/` of the store in `folder` that were never acknowledged, or whose scan was deleted (invariant 5). What else no row names may be
/// the only copy of a scan: it stays, and the log says so.
pub(super) fn sweep_scans(connection: &Connection, folder: &Path) -> Result<()> {
    let scans = folder.join("scans");
    let said = |error: std::io::Error| Error::io(&error).in_(scans.display());
    for file in std::fs::read_dir(&scans).map_err(said)? {
        let (path, name) = file.map(|file| (file.path(), file.file_name())).map_err(said)?;
        let name = name.to_string_lossy();
        let ask = |what: rusqlite::Result<bool>| what.map_err(|error| sqlite(&error));
        let named = connection.prepare_cached("SELECT 1 FROM scan WHERE file = ?1").and_then(|mut one| one.exists([&name]));
        if ask(named)? {
            continue;
        }
        if is_linked(folder, &name) || ask(is_deleted(connection, &name))? {
            std::fs::remove_file(&path).map_err(said)?;
        } else {
            tracing::error!(file = %path.display(), "no row names this file: perhaps a scan that an older garita.db does not know; it is left, and `garita check` names it");
        }
    }
    Ok(())
}
