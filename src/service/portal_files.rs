//! Scans that come as files: a portal's watched folder, and files that stand in for trains.
//!
//! *The folder.* A scan is written as `NAME.part` and renamed to `NAME.tif` (`.tiff`, `.png`, `.stream`), its list, if any, before it as `NAME.consist.json`.
//! When the store has both they go to `done/`; what is refused goes to `failed/` with `NAME.why.txt`. The same bytes again are the same scan, so a
//! crash between the store and the move does nothing twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::activity::Source;
use super::door::now_ms;
use super::uploads::{About, Halt, Kind, Received, blocking, key_of_name};
use super::{Service, metrics};
use crate::bytes::Bytes;
use crate::custody::{keeping, scans};
use crate::error::{Error, Result};
use crate::rail::consist::{self, Consist};
use crate::rail::scan::Scan;
use crate::site::Portal;

/// How often a folder is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A file that changed within this may still be written by somebody who does not know of `.part`.
const STILL_WRITTEN: Duration = Duration::from_secs(1);
/// Scans of a replay that are kept; the oldest go, so that a demo runs for ever on a small disk.
const REPLAYED_KEPT: usize = 10;

/// Files that are taken for scans.
const ENDINGS: [&str; 4] = ["tif", "tiff", "png", "stream"];

/// Starts a task for each folder and each replay; they end when `stopped` says so.
pub(super) fn start(service: &Service, stopped: &watch::Receiver<bool>) {
    for (index, portal) in service.site.portals.iter().enumerate() {
        if let Some(folder) = &portal.folder {
            tokio::spawn(watch_folder(service.clone(), index, folder.clone(), stopped.clone()));
        }
        if let Some(replay) = portal.replay.as_ref().filter(|replay| !replay.files.is_empty()) {
            tokio::spawn(play(service.clone(), index, replay.clone(), stopped.clone()));
        }
    }
}

async fn watch_folder(service: Service, index: usize, folder: PathBuf, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.changed() => return,
        }
        let (service, looked) = (service.clone(), folder.clone());
        let trouble = blocking(move || look(&service, index, &looked)).await.err().map(|error| error.to_string());
        if trouble != told {
            if let Some(error) = &trouble {
                tracing::warn!(error, folder = %folder.display(), "a portal's folder cannot be emptied; it is tried again");
            }
            told = trouble;
        }
    }
}

/// Takes what lies in the folder.
fn look(service: &Service, index: usize, folder: &Path) -> Result<()> {
    let said = |error: std::io::Error| Error::io(&error).in_(folder.display());
    let mut files = Vec::new();
    for file in std::fs::read_dir(folder).map_err(said)? {
        let file = file.map_err(said)?;
        let path = file.path();
        let is_scan = path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)));
        let metadata = file.metadata().map_err(said)?;
        let settled = metadata.modified().is_ok_and(|changed| changed.elapsed().map_or(true, |age| age >= STILL_WRITTEN));
        if is_scan && settled && metadata.is_file() {
            files.push((metadata.modified().ok(), path));
        }
    }
    // In the order in which they came.
    files.sort();
    for (_, path) in files {
        let portal = &service.site.portals[index];
        let list = path.with_extension("consist.json");
        let refused = match take(service, portal, &path, None) {
            Ok(()) => None,
            // Not the file's fault: it is tried again.
            Err(halt) if halt.problem.status.is_server_error() || halt.problem.retry_after_s.is_some() => {
                return Err(Error::new(crate::error::Fault::Machine, halt.problem.detail).in_(path.display()));
            }
            Err(halt) => Some(halt.problem.detail),
        };
        service.activity.hear(index, Source::Folder);
        // What is no scan is in the store as a bad one; whoever looks at the folder sees it there.
        let refused = refused.or_else(|| Scan::open_or_recover(&path).err().map(|error| error.to_string()));
        let place = folder.join(if refused.is_some() { "failed" } else { "done" });
        std::fs::create_dir_all(&place).map_err(said)?;
        for file in [&list, &path] {
            if file.exists() {
                std::fs::rename(file, place.join(file.file_name().unwrap_or_default())).map_err(said)?;
            }
        }
        if let Some(why) = refused {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            std::fs::write(place.join(format!("{name}.why.txt")), format!("{why}\n")).map_err(said)?;
        }
    }
    Ok(())
}

/// Takes one file, with the list beside it; `name` where it has one.
fn take(service: &Service, portal: &Portal, path: &Path, name: Option<String>) -> std::result::Result<(), Halt> {
    let list = path.with_extension("consist.json");
    let list = if list.is_file() { Some(Bytes::read(&list, consist::MAX_BYTES)?) } else { None };
    let consist = list.and_then(|list| match Consist::parse(&list) {
        Ok(_) => String::from_utf8(list.to_vec()).ok(),
        Err(error) => {
            tracing::warn!(%error, file = %path.display(), "the list beside a scan is left out");
            None
        }
    });
    let key = name.as_deref().map(key_of_name);
    let about = About { portal: portal.id.clone(), kind: Kind::Scan, name, key, digest: None, length: None };
    if let Received::Whole(_, replay) = service.uploads.copy(about, path, consist)? {
        metrics::scan(&portal.id, if replay { "replayed" } else { "received" });
    }
    service.waker.wake();
    Ok(())
}

/// Hands files in, over and over, each time as a train of its own.
async fn play(service: Service, index: usize, replay: crate::site::Replay, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(Duration::from_millis(replay.every_ms.max(1)));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let files = Arc::new(replay.files);
    for round in 0usize.. {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.changed() => return,
        }
        let (service, files) = (service.clone(), Arc::clone(&files));
        blocking(move || {
            let (portal, path) = (&service.site.portals[index], &files[round % files.len()]);
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("replay {stem} {}", jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ"));
            if let Err(halt) = take(&service, portal, path, Some(name)) {
                tracing::warn!(problem = halt.problem.detail, file = %path.display(), "a file to replay is not taken");
                return;
            }
            service.activity.hear(index, Source::Replay);
            if let Err(error) = forget_oldest(&service, &portal.id) {
                tracing::warn!(%error, portal = portal.id, "old replays are not deleted");
            }
        })
        .await;
    }
}

fn forget_oldest(service: &Service, portal: &str) -> Result<()> {
    let old = service.custody.ask(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT id, file FROM scan WHERE portal = ?1 AND name LIKE 'replay %' AND state IN ('inspected', 'bad') ORDER BY id DESC LIMIT -1 OFFSET ?2",
        )?;
        statement.query_map(rusqlite::params![portal, REPLAYED_KEPT as i64], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<Vec<_>>>()
    })?;
    forget(service, old, now_ms())
}

/// Forgets what has had its time: scans, and papers whose scans never came. Blocks.
pub(super) fn expire(service: &Service, now_ms: i64) -> Result<()> {
    let before_ms = now_ms - 86_400_000 * i64::from(service.site.retention.scans_days);
    let old = service.custody.ask(|connection| {
        let due = format!("SELECT id, file FROM scan WHERE expires_ms < ?1 AND state IN ('inspected', 'bad') AND {} LIMIT 100", keeping::SCAN_IS_FREE);
        let mut statement = connection.prepare_cached(&due)?;
        statement.query_map([now_ms], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<Vec<_>>>()
    })?;
    forget(service, old, now_ms)?;
    let papers = "DELETE FROM paper WHERE received_ms < ?1 AND NOT EXISTS (SELECT 1 FROM scan WHERE scan.portal = paper.portal AND scan.key = paper.key)";
    scans::kept(service.custody.change(move |transaction| Ok(transaction.execute(papers, [before_ms])? as i64))).map(|_| ())
}

fn forget(service: &Service, scans: Vec<(i64, Option<String>)>, now_ms: i64) -> Result<()> {
    if scans.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = scans.iter().map(|(id, _)| *id).collect();
    scans::kept(service.custody.change(move |transaction| scans::forget(transaction, &ids, now_ms)))?;
    for (id, file) in scans {
        let Some(file) = file.filter(|_| matches!(service.custody.scan(id), Ok(None))) else { continue };
        let path = service.custody.folder().join("scans").join(file);
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(%error, file = %path.display(), "a scan that has had its time could not be deleted; the next start does it");
        }
    }
    Ok(())
}
