//! After a start: what was never acknowledged is deleted, and what had not settled is given back to its lane.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::journal::{self, Place};
use super::record::StoredRead;
use super::{Custody, sqlite};
use crate::bytes::Bytes;
use crate::error::{Error, Result};

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
    /// # Errors
    /// `Machine` with what SQLite says, `Damaged` where a frame's bytes are gone.
    pub fn lane_state(&self, lane: &str) -> Result<LaneState> {
        let (next_sequence, next_track, rows) = self.ask(|connection| {
            let next = |question: &str| connection.query_row(question, [lane], |row| Ok(row.get::<_, Option<i64>>(0)?.map_or(0, |last| last as u64 + 1)));
            let sequence = next("SELECT max(sequence) FROM frame WHERE lane = ?1")?;
            let track = next("SELECT max(number) FROM track WHERE lane = ?1")?;
            let mut statement = connection.prepare(
                "SELECT track.number, read.seen, frame.sequence, frame.captured_ms, frame.segment, frame.at, frame.length
                 FROM track JOIN read ON read.lane = track.lane AND read.track = track.number JOIN frame ON frame.id = read.frame
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
            let encoded = match place {
                Some(place) => Bytes::from(journal::read(&folder, place, length)?),
                None => continue,
            };
            open.push(OpenRead { track, read, sequence, captured_ms, encoded });
        }
        Ok(LaneState { next_sequence, next_track, open })
    }
}

/// Whether a row names this segment.
pub(super) fn is_named(connection: &Connection, segment: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM frame WHERE segment = ?1 LIMIT 1")?.query_row([segment], |_| Ok(())).optional().map(|found| found.is_some())
}

/// Deletes segments and half-written files that no row names (invariant 5).
pub(super) fn sweep_unowned(connection: &Connection, folder: &Path) -> Result<()> {
    let journal = folder.join("journal");
    for number in journal::segments(&journal)? {
        if !is_named(connection, number).map_err(|error| sqlite(&error))? {
            let path = journal::path(&journal, number);
            std::fs::remove_file(&path).map_err(|error| Error::io(&error).in_(path.display()))?;
        }
    }
    super::scans::sweep_unowned(connection, &folder.join("scans"))?;
    match std::fs::remove_file(folder.join("evidence/unnamed.tmp")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&error).in_("evidence/unnamed.tmp")),
        _ => Ok(()),
    }
}
