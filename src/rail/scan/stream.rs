//! A scan as a portal sends it while the train passes: one line of JSON, then column after column.
//!
//! ```text
//! {"schema":"rail-scan/1","detectors":368, … ,"dark":64}\n          the keys of a sidecar (NAME.scan.json), on one line, `detectors` among them
//! column 0: counts u16 × detectors, t_s f64, v_m_s f64, ref_dose f64, flags f64       little-endian, nothing between
//! column 1: …
//! ```
//!
//! Every column has the same length, so that a column is there when its last byte is, recovery after a cut connection is a division, and what is sent is
//! what is kept: one file, `NAME.stream`, that grows. A portal without a speed or a reference sends NaN, NaN, 1, 0. One energy only.
//! Read with positioned reads, not mapped: the file may still be written (see [`crate::bytes`]).

use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::foreign::Sidecar;
use super::{COLUMN_BYTES, MAX_DESCRIPTION, MAX_PIXELS, Scan, ScanSource, Table, check_size};
use crate::error::{Error, Fault, Result};

/// What stands before the first column.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Its JSON.
    pub sidecar: Sidecar,
    /// Elements of the array.
    pub detectors: usize,
    /// Bytes of the line, its end included: where column 0 begins.
    pub bytes: u64,
}

impl Head {
    /// Reads the first line of `beginning`; `None` where it has not ended yet.
    ///
    /// # Errors
    /// `Damaged` for what is not such a line, `Unsupported` for another schema, `Limit` for a line or an array that is too long.
    pub fn parse(beginning: &[u8]) -> Result<Option<Head>> {
        if beginning.first().is_some_and(|&first| first != b'{') {
            return Err(Error::new(Fault::Damaged, "a stream of columns begins with a line of JSON, {\"schema\":\"rail-scan/1\",\"detectors\":…}"));
        }
        let Some(length) = beginning.iter().take(MAX_DESCRIPTION).position(|&byte| byte == b'\n') else {
            if beginning.len() >= MAX_DESCRIPTION {
                return Err(Error::new(Fault::Limit, format!("the first line has more than {MAX_DESCRIPTION} bytes")));
            }
            return Ok(None);
        };
        let sidecar = Sidecar::parse(&beginning[..length])?;
        let detectors =
            sidecar.description.detectors.ok_or_else(|| Error::new(Fault::Damaged, "the first line does not say how many \"detectors\" there are"))?;
        check_size(detectors as u64, 1)?;
        Ok(Some(Head { sidecar, detectors, bytes: length as u64 + 1 }))
    }

    /// Bytes of one column with its row of the table.
    pub fn column_bytes(&self) -> u64 {
        self.detectors as u64 * 2 + COLUMN_BYTES as u64
    }
}

/// A stream's file: whole, or still growing.
pub(crate) struct Stream {
    file: File,
    detectors: usize,
    begins: u64,
    column_bytes: u64,
}

impl Stream {
    fn read(&self, bytes: &mut [u8], column: usize, at: usize) -> std::io::Result<()> {
        self.file.read_exact_at(bytes, self.begins + column as u64 * self.column_bytes + at as u64)
    }

    /// The table's row for `column`, if it is there.
    pub(crate) fn row(&self, column: usize) -> Option<[u8; COLUMN_BYTES]> {
        let mut row = [0; COLUMN_BYTES];
        self.read(&mut row, column, self.detectors * 2).ok().map(|()| row)
    }
}

impl ScanSource for Arc<Stream> {
    fn detectors(&self) -> usize {
        self.detectors
    }

    fn columns(&self) -> usize {
        let length = self.file.metadata().map_or(0, |metadata| metadata.len());
        (length.saturating_sub(self.begins) / self.column_bytes).min(MAX_PIXELS / self.detectors as u64) as usize
    }

    fn counts(&self, _plane: usize, columns: Range<usize>) -> Result<Cow<'_, [u16]>> {
        let mut counts = vec![0_u16; columns.len() * self.detectors];
        for (column, counts) in columns.zip(counts.chunks_exact_mut(self.detectors)) {
            self.read(bytemuck::cast_slice_mut(counts), column, 0).map_err(|error| Error::new(Fault::Machine, format!("column {column}: {error}")))?;
        }
        if cfg!(target_endian = "big") {
            counts.iter_mut().for_each(|value| *value = value.swap_bytes());
        }
        Ok(Cow::Owned(counts))
    }
}

/// The line that a stream at `path` begins with; `None` where it has not come yet.
///
/// # Errors
/// As [`Head::parse`], and what the system says.
pub fn head(path: &Path) -> Result<Option<Head>> {
    File::open(path).map_err(|error| Error::io(&error)).and_then(|file| head_of(&file)).map_err(|error| error.in_(path.display()))
}

fn head_of(file: &File) -> Result<Option<Head>> {
    let length = file.metadata().map_err(|error| Error::io(&error))?.len();
    let mut beginning = vec![0; length.min(MAX_DESCRIPTION as u64) as usize];
    file.read_exact_at(&mut beginning, 0).map_err(|error| Error::io(&error))?;
    Head::parse(&beginning)
}

/// Opens a stream, whole or growing; [`Scan::columns`] grows as it does.
///
/// # Errors
/// As [`head`]; `Damaged` before the first line has come.
pub(crate) fn open(path: &Path) -> Result<Scan> {
    let file = File::open(path).map_err(|error| Error::io(&error))?;
    let head = head_of(&file)?.ok_or_else(|| Error::new(Fault::Damaged, "ends inside its first line"))?;
    let fields = head.sidecar.fields(head.detectors)?;
    let stream = Arc::new(Stream { file, detectors: head.detectors, begins: head.bytes, column_bytes: head.column_bytes() });
    Scan::assemble(head.sidecar.description, fields, Table::Stream(Arc::clone(&stream)), Box::new(stream))
}
