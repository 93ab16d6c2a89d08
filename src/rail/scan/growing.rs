//! A scan in progress: `NAME.counts` and `NAME.columns`, two append-only files (`shared/rail.md` 5.4), read while they grow.
//!
//! A column counts as there when both files hold it whole, so that a reader never sees half of one and recovery after a crash is a division.
//! Read with positioned reads, not mapped: the files are still being written (see [`crate::bytes`]).
//!
//! What the TIFF says in its description and calibration page is in a sidecar ([`super::foreign`]) that is written before the first column. Without
//! one the number of detectors follows from the lengths of the two files, and the rest is what `rail-samples` has.

use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::foreign::sidecar;
use super::{COLUMN_BYTES, Description, MAX_DETECTORS, Scan, ScanSource, Table, check_size};
use crate::error::{Error, Fault, Result};

/// The two open files.
struct Pair {
    counts: File,
    columns: File,
}

/// The growing table, shared with the counts.
pub(crate) struct Tail(Arc<Pair>);

impl Tail {
    /// The table's row for `column`, if it is there.
    pub(crate) fn row(&self, column: usize) -> Option<[u8; COLUMN_BYTES]> {
        let mut row = [0; COLUMN_BYTES];
        self.0.columns.read_exact_at(&mut row, (column * COLUMN_BYTES) as u64).ok().map(|()| row)
    }
}

/// Columns that are whole in both files, by their lengths: what recovery after a crash goes by.
pub fn whole_columns(counts_bytes: u64, table_bytes: u64, detectors: usize) -> u64 {
    (counts_bytes / (detectors as u64 * 2)).min(table_bytes / COLUMN_BYTES as u64)
}

struct Growing {
    pair: Arc<Pair>,
    detectors: usize,
}

impl ScanSource for Growing {
    fn detectors(&self) -> usize {
        self.detectors
    }

    fn columns(&self) -> usize {
        let length = |file: &File| file.metadata().map_or(0, |metadata| metadata.len());
        let columns = whole_columns(length(&self.pair.counts), length(&self.pair.columns), self.detectors);
        columns.min(super::MAX_PIXELS / self.detectors as u64) as usize
    }

    fn counts(&self, _plane: usize, columns: Range<usize>) -> Result<Cow<'_, [u16]>> {
        let mut counts = vec![0_u16; columns.len() * self.detectors];
        self.pair
            .counts
            .read_exact_at(bytemuck::cast_slice_mut(&mut counts), (columns.start * self.detectors * 2) as u64)
            .map_err(|error| Error::new(Fault::Machine, format!("column {}: {error}", columns.start)))?;
        if cfg!(target_endian = "big") {
            counts.iter_mut().for_each(|value| *value = value.swap_bytes());
        }
        Ok(Cow::Owned(counts))
    }
}

/// Opens `NAME.counts` with `NAME.columns` beside it; [`Scan::columns`] grows as they do.
///
/// # Errors
/// `Caller` where a file is missing, `Damaged` where nothing says how many detectors there are.
pub(crate) fn open(path: &Path) -> Result<Scan> {
    let table = path.with_extension("columns");
    let file = |path: &Path| File::open(path).map_err(|error| Error::io(&error).in_(path.display()));
    let pair = Arc::new(Pair { counts: file(path)?, columns: file(&table)? });
    let sidecar = sidecar(path)?;
    let detectors = match sidecar.as_ref().and_then(|sidecar| sidecar.description.detectors) {
        Some(detectors) => detectors,
        None => detectors_by_length(&pair)?,
    };
    check_size(detectors as u64, 1)?;
    let description = sidecar.as_ref().map_or_else(Description::default, |sidecar| sidecar.description.clone());
    let fields = sidecar.as_ref().map(|sidecar| sidecar.fields(detectors)).transpose()?.unwrap_or_default();
    Scan::assemble(description, fields, Table::Growing(Tail(Arc::clone(&pair))), Box::new(Growing { pair, detectors }))
}

/// Detectors per column from the two lengths, once enough columns are there that a column half written makes no difference.
fn detectors_by_length(pair: &Pair) -> Result<usize> {
    let length = |file: &File| file.metadata().map(|metadata| metadata.len()).map_err(|error| Error::io(&error));
    let (counts, rows) = (length(&pair.counts)?, length(&pair.columns)? / COLUMN_BYTES as u64);
    // 368: rail-samples; right to within two columns' difference between the files, it is taken as it is.
    let per_row = counts / 2 / rows.max(1);
    if rows >= 4 && counts.abs_diff(rows * 368 * 2) <= 2 * 368 * 2 {
        return Ok(368);
    }
    if rows < 2 * MAX_DETECTORS as u64 / 64 || per_row == 0 {
        return Err(Error::new(Fault::Damaged, "no NAME.scan.json beside it that says how many \"detectors\" a column has, and too few columns to tell"));
    }
    Ok(per_row as usize)
}
