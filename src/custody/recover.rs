//! After a start: what was never acknowledged is deleted, and what had not settled is given back to its lane.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::journal::{self, Place};
use super::record::StoredRead;
use super::{Custody, sqlite};
use crate::bytes::Bytes;
use crate::error::{Error, Fault, Result};

/// Where a lane goes on.
#[derive(Debug, Default)]
pub struct LaneState {
    /// The number of its next frame.
    pub next_sequence: u64,
    /// The number of its next track.
    pub next_track: u64,
    /// Reads of tracks that had not ended, in order.
    pub open: Vec<OpenRead>,
}

/// A read of a track that had not ended.
#[derive(Debug)]
pub struct OpenRead {
    /// Its track.
    pub track: u64,
    /// What was read.
    pub read: StoredRead,
    /// The frame's number in the lane.
    pub sequence: u64,
    /// When the frame was captured, milliseconds since the Unix epoch.
    pub captured_ms: i64,
    /// The frame's file.
    pub encoded: Bytes,
}

impl Custody {
    /// Where a lane goes on after a start.
    ///
    /// A read whose frame's bytes are gone, on purpose or not, is not given back; for the latter the log says so.
    ///
    /// # Errors
    /// `Machine` with what SQLite says.
    pub fn lane_state(&self, lane: &str) -> Result<LaneState> {
        let (next_sequence, next_track, rows) = self.ask(|connection| {
            let next = "SELECT next_sequence, next_track FROM lane WHERE id = ?1";
            let next = connection.query_row(next, [lane], |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64))).optional()?;
            let (sequence, track) = next.unwrap_or((0, 0));
            // In this order (CROSS JOIN is SQLite's word for it): by itself it would walk all frames of the lane to have them sorted.
            let mut statement = connection.prepare(
                "SELECT track.number, read.seen, frame.sequence, frame.captured_ms, frame.segment, frame.at, frame.length
                 FROM track INDEXED BY open_track CROSS JOIN read ON read.lane = track.lane AND read.track = track.number CROSS JOIN frame ON frame.id = read.frame
                 WHERE track.lane = ?1 AND track.state = 'open' ORDER BY frame.sequence, read.number",
            )?;
            let rows = statement
                .query_map(params![lane], |row| {
                    let place = row.get::<_, Option<i64>>(4)?.zip(row.get::<_, Option<i64>>(5)?);
                    let place = place.map(|(segment, at)| Place { segment, at: at as u64 });
                    let read = StoredRead::from_column(row.get_ref(1)?)?;
                    Ok((row.get::<_, i64>(0)? as u64, read, row.get::<_, i64>(2)? as u64, row.get(3)?, place, row.get::<_, i64>(6)? as usize))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            Ok((sequence, track, rows))
        })?;
        let folder = self.folder().join("journal");
        let mut open = Vec::with_capacity(rows.len());
        for (track, read, sequence, captured_ms, place, length) in rows {
            match place.map(|place| journal::read(&folder, place, length)) {
                Some(Ok(bytes)) => open.push(OpenRead { track, read, sequence, captured_ms, encoded: Bytes::from(bytes) }),
                // One frame's loss must not keep a lane shut.
                Some(Err(error)) => tracing::error!(lane, track, sequence, %error, "a read is not given back to its lane"),
                None => {}
            }
        }
        Ok(LaneState { next_sequence, next_track, open })
    }
}

/// Whether a row names this segment.
pub(super) fn is_named(connection: &Connection, segment: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM frame WHERE segment = ?1 LIMIT 1")?.query_row([segment], |_| Ok(())).optional().map(|found| found.is_some())
}

/// Deletes segments that no row names (invariant 5), but for the one that is being written.
pub(super) fn delete_segments(connection: &Connection, folder: &Path, current: Option<i64>) -> Result<()> {
    for number in journal::segments(folder)?.into_iter().filter(|&number| Some(number) != current) {
        if !is_named(connection, number).map_err(|error| sqlite(&error))? {
            let path = journal::path(folder, number);
            std::fs::remove_file(&path).map_err(|error| Error::io(&error).in_(path.display()))?;
        }
    }
    Ok(())
}

/// Refuses to begin a new store beside the files of one whose database is missing: they would all be nobody's.
pub(super) fn refuse_headless(folder: &Path) -> Result<()> {
    let mut files = journal::segments(&folder.join("journal"))?.len();
    let evidence = folder.join("evidence");
    let said = |error: std::io::Error| Error::io(&error).in_(evidence.display());
    for shelf in std::fs::read_dir(&evidence).map_err(said)? {
        let shelf = shelf.map_err(said)?.path();
        if shelf.is_dir() {
            files += std::fs::read_dir(&shelf).map_err(said)?.count();
        }
    }
    for name in ["scans", "uploads"] {
        let folder = folder.join(name);
        files += std::fs::read_dir(&folder).map_err(|error| Error::io(&error).in_(folder.display()))?.count();
    }
    if files == 0 {
        return Ok(());
    }
    let message = format!(
        "holds {files} files of frames, evidence, scans and uploads, but no database (garita.db): put it back, restore a backup, or name another data folder"
    );
    Err(Error::new(Fault::Damaged, message).in_(folder.display()))
}
