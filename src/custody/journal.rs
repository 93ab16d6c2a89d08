//! Frames' bytes, one after the other, in segments: files `journal/NNNNNNNN.frames` that are synced once a group and deleted whole.
//!
//! A segment has no header and no lengths of its own: rows name what lies in it. Bytes that no row names were never acknowledged (invariant 5). After
//! a start a new segment is begun, so that nothing is ever written behind bytes of unknown fate.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Fault, Result};

/// A segment is closed after this many bytes: some minutes of a busy site.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// A segment is closed after this long, so that a quiet site's frames are deleted in time too.
pub const SEGMENT_MS: i64 = 60_000;

/// Where a frame's bytes lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The segment's number.
    pub segment: i64,
    /// First byte.
    pub at: u64,
}

/// Bytes of a page of memory on every Linux that garita runs on.
const PAGE: u64 = 4096;

/// The journal as its writer has it.
pub struct Journal {
    folder: PathBuf,
    number: i64,
    open: Option<Segment>,
}

struct Segment {
    file: File,
    begun_ms: i64,
    length: u64,
    /// What was synced; a group that fails is cut back to this.
    synced: u64,
    /// What was dropped from memory, whole pages.
    dropped: u64,
}

impl Journal {
    /// The journal in `folder`, whose next segment follows all that are there, and `last`, the last that a row names.
    ///
    /// # Errors
    /// `Machine` where the folder cannot be read.
    pub fn open(folder: &Path, last: i64) -> Result<Journal> {
        let number = segments(folder)?.into_iter().max().unwrap_or(0).max(last);
        Ok(Journal { folder: folder.to_owned(), number, open: None })
    }

    /// Appends a frame; durable after the next [`Journal::sync`].
    ///
    /// # Errors
    /// What the system says of the write.
    pub fn append(&mut self, bytes: &[u8], now_ms: i64) -> std::io::Result<Place> {
        // A clock that was set back ends it too.
        let over = |segment: &Segment| segment.length >= SEGMENT_BYTES || !(0..SEGMENT_MS).contains(&(now_ms - segment.begun_ms));
        if self.open.as_ref().is_some_and(over) {
            self.open = None;
        }
        let segment = match &mut self.open {
            Some(segment) => segment,
            None => {
                let file = File::options().create_new(true).write(true).open(path(&self.folder, self.number + 1))?;
                self.number += 1;
                File::open(&self.folder)?.sync_all()?;
                self.open.insert(Segment { file, begun_ms: now_ms, length: 0, synced: 0, dropped: 0 })
            }
        };
        segment.file.write_all(bytes)?;
        let place = Place { segment: self.number, at: segment.length };
        segment.length += bytes.len() as u64;
        Ok(place)
    }

    /// Makes everything appended durable, and keeps no copy of it in memory (see [`forget`]).
    ///
    /// # Errors
    /// What the system says of the sync; nothing may be acknowledged after that.
    pub fn sync(&mut self) -> std::io::Result<()> {
        if let Some(segment) = &mut self.open
            && segment.synced < segment.length
        {
            segment.file.sync_data()?;
            segment.synced = segment.length;
            // The last page is written on: without it the next frame would have to read it back.
            let whole = segment.synced / PAGE * PAGE;
            forget(&segment.file, segment.dropped..whole);
            segment.dropped = whole;
        }
        Ok(())
    }

    /// Gives up what was appended since the last sync: the segment is cut back and closed.
    pub fn give_up(&mut self) {
        if let Some(segment) = self.open.take() {
            // Should it fail: the bytes are nobody's, and go with the segment.
            let _ = segment.file.set_len(segment.synced);
        }
    }

    /// The segment that is written now.
    pub fn current(&self) -> Option<i64> {
        self.open.as_ref().map(|_| self.number)
    }
}

/// Tells the system that nobody is going to read these bytes of a file soon, which are on the disk: their pages serve for what is written next, and what is read
/// (the database, the lists) stays in memory. A frame of 166 KB costs 51 us of CPU to write and sync with it, 55 to 100 without, and 400 while a virtual machine's memory
/// has never been used; over a whole frame's way through the service that is within the noise.
pub(super) fn forget(file: &File, bytes: std::ops::Range<u64>) {
    // No harm where the system does not take the advice. A length of 0 would mean "to the end".
    if let Some(length) = std::num::NonZeroU64::new(bytes.end.saturating_sub(bytes.start)) {
        let _ = rustix::fs::fadvise(file, bytes.start, Some(length), rustix::fs::Advice::DontNeed);
    }
}

/// The file of a segment.
pub fn path(folder: &Path, number: i64) -> PathBuf {
    folder.join(format!("{number:08}.frames"))
}

/// The numbers of the segments in `folder`.
///
/// # Errors
/// `Machine` where it cannot be read.
pub fn segments(folder: &Path) -> Result<Vec<i64>> {
    let said = |error: std::io::Error| Error::io(&error).in_(folder.display());
    let mut numbers = Vec::new();
    for file in std::fs::read_dir(folder).map_err(said)? {
        let name = file.map_err(said)?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_suffix(".frames")?.parse::<i64>().ok()));
    }
    Ok(numbers)
}

/// Reads a frame's bytes back.
///
/// # Errors
/// `Damaged` where the segment is gone or too short.
pub fn read(folder: &Path, place: Place, length: usize) -> Result<Vec<u8>> {
    let path = path(folder, place.segment);
    let mut bytes = vec![0; length];
    File::open(&path)
        .and_then(|file| file.read_exact_at(&mut bytes, place.at))
        .map_err(|error| Error::new(Fault::Damaged, format!("no {length} bytes at {}: {error}; run `garita check`", place.at)).in_(path.display()))?;
    Ok(bytes)
}
