//! TIFF and BigTIFF, uncompressed 16-bit grey, read in place.
//!
//! Two layouts. *Time-major* (Orientation 5-8, `shared/rail.md` 5.4): a TIFF row is a column of the scan, strips contiguous. *Row-major*
//! (Orientation 1-4 or none, what other tools write): a TIFF row is a detector; columns are gathered from the rows when they are asked for, so
//! that even a file of 1 GB is never in memory whole.
//!
//! Own parser rather than the `tiff` crate: that one copies what it reads, knows nothing of time-major, and 0.11 panics on some valid files
//! (`shared/operations.md`). Everything compressed, tiled, big-endian or not 16-bit is refused by name.

use std::borrow::Cow;
use std::ops::Range;

use super::foreign::Sidecar;
use super::{COLUMN_BYTES, Description, Fields, Scan, ScanSource, Table, as_u16, check_size};
use crate::bytes::Bytes;
use crate::error::{Error, Fault, Result};

/// The most pages looked at: counts (1-2), table, dark, air, dead map, and as many again.
const MAX_PAGES: usize = 16;

const WIDTH: u16 = 256;
const LENGTH: u16 = 257;
const BITS: u16 = 258;
const COMPRESSION: u16 = 259;
const DESCRIPTION: u16 = 270;
const STRIP_OFFSETS: u16 = 273;
const ORIENTATION: u16 = 274;
const SAMPLES: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_BYTES: u16 = 279;
const PLANAR: u16 = 284;
const TILE_WIDTH: u16 = 322;
const SAMPLE_FORMAT: u16 = 339;

/// True for what begins like a TIFF of either byte order.
pub fn is_tiff(bytes: &[u8]) -> bool {
    matches!(bytes.get(..4), Some(b"II*\0" | b"MM\0*" | b"II+\0" | b"MM\0+"))
}

fn damaged<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::new(Fault::Damaged, message))
}

fn unsupported<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::new(Fault::Unsupported, message))
}

/// Parses a scan; what is allocated is the calibration page and the description, both bounded by the bytes that are there.
///
/// # Errors
/// `Damaged` for a file that is cut off or contradicts itself, `Unsupported` for other encodings, `Limit` for absurd sizes.
pub fn parse(bytes: Bytes) -> Result<Scan> {
    read(bytes, false, None)
}

/// As [`parse`], with what a sidecar says of a file that says nothing of itself: what shines, and its dark field.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(bytes: Bytes, sidecar: Option<&Sidecar>) -> Result<Scan> {
    read(bytes, false, sidecar)
}

/// As [`parse`], but a file that ends early is a scan of the columns that are there: for recovery, and for what is still being written.
///
/// # Errors
/// As [`parse`], but for what is missing at the end.
pub fn parse_partial(bytes: Bytes) -> Result<Scan> {
    read(bytes, true, None)
}

fn read(bytes: Bytes, partial: bool, sidecar: Option<&Sidecar>) -> Result<Scan> {
    if matches!(bytes.get(..2), Some(b"MM")) {
        return unsupported("big-endian TIFF; scans are little-endian (\"II\"): convert it");
    }
    if !is_tiff(&bytes) {
        return damaged("not a TIFF: it does not begin with II*");
    }
    let wide = bytes[2] == 43;
    if wide && (number(&bytes, 4, 2) != Some(8) || number(&bytes, 6, 2) != Some(0)) {
        return damaged("BigTIFF with offsets of another size than 8 bytes");
    }
    let mut next = if wide { number(&bytes, 8, 8) } else { number(&bytes, 4, 4) };
    let mut found = Found::default();
    for page in 0.. {
        let offset = match next {
            Some(0) => break,
            Some(offset) => offset,
            None if partial => break,
            None => return damaged("the file ends inside its header"),
        };
        if page == MAX_PAGES {
            return Err(Error::new(Fault::Limit, format!("more than {MAX_PAGES} pages, or pages that refer to each other in a ring")));
        }
        let directory = match Directory::parse(&bytes, offset, wide) {
            Ok(directory) => directory,
            Err(_) if partial && page > 0 => break,
            Err(error) => return Err(at_page(page, error)),
        };
        next = directory.next;
        match found.take(&bytes, &directory, partial) {
            Ok(()) => {}
            Err(_) if partial && page > 0 => break,
            Err(error) => return Err(at_page(page, error)),
        }
    }
    let Some(mut pixels) = found.counts else {
        return damaged("no page with 16-bit counts");
    };
    if let Some(low) = found.low {
        pixels.join(&low)?;
    }
    let mut description = found.description.or_else(|| sidecar.map(|sidecar| sidecar.description.clone())).unwrap_or_default();
    description.detectors = description.detectors.or(Some(pixels.detectors()));
    let fields = match sidecar {
        Some(sidecar) if found.fields == Fields::default() => sidecar.fields(pixels.detectors())?,
        _ => found.fields,
    };
    Scan::assemble(description, fields, found.table.unwrap_or(Table::Missing), Box::new(pixels))
}

fn at_page(page: usize, mut error: Error) -> Error {
    error.message = format!("page {page}: {}", error.message);
    error
}

/// The pages of a scan, as they are met.
#[derive(Default)]
struct Found {
    counts: Option<Pixels>,
    low: Option<Pixels>,
    description: Option<Description>,
    fields: Fields,
    table: Option<Table>,
}

impl Found {
    /// Takes what a page holds; pages are told apart by their description, not by their number, and unknown ones are passed over.
    fn take(&mut self, bytes: &Bytes, page: &Directory, partial: bool) -> Result<()> {
        let text = page.text(bytes, DESCRIPTION)?.unwrap_or_default();
        let text = text.strip_suffix(b"\0").unwrap_or(text).trim_ascii();
        let says = |word: &str| text.len() >= word.len() && text[..word.len()].eq_ignore_ascii_case(word.as_bytes());
        let width = page.one(bytes, WIDTH)?.unwrap_or(0);
        let length = page.one(bytes, LENGTH)?.unwrap_or(0);
        if says("columns") {
            let values = page.values(bytes, width, length, 64, 3)?;
            if width < 4 {
                return damaged(format!("per-column table: {width} values a row, expected t_s, v_m_s, ref_dose, flags"));
            }
            self.table = Some(Table::Rows { bytes: values, stride: width as usize * COLUMN_BYTES / 4 });
        } else if says("dark") || says("air") {
            let values = page.values(bytes, width, length, 32, 3)?;
            let mut rows = values.chunks_exact(width as usize * 4).map(floats);
            if says("dark") {
                self.fields.dark = rows.next().unwrap_or_default();
            }
            if let Some(air) = rows.next() {
                self.fields.air = air;
            }
        } else if says("dead") {
            self.fields.dead = page.values(bytes, width, length, 8, 1)?.iter().map(|&value| value != 0).collect();
        } else if self.counts.is_none() {
            let pixels = Pixels::parse(bytes, page, partial)?;
            if text.starts_with(b"{") {
                self.description = Some(Description::parse(text)?);
            } else if pixels.time_major {
                return damaged("time-major counts without the JSON description of a rail scan");
            }
            self.counts = Some(pixels);
        } else if self.low.is_none() && text.to_ascii_lowercase().windows(3).any(|word| word == b"low") {
            self.low = Some(Pixels::parse(bytes, page, partial)?);
        }
        Ok(())
    }
}

fn floats(row: &[u8]) -> Vec<f32> {
    row.chunks_exact(4).map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]])).collect()
}

/// Where the 16-bit values are: `strips` of `rows_per_strip` TIFF rows, plane after plane.
struct Pixels {
    bytes: Bytes,
    time_major: bool,
    width: usize,
    length: usize,
    planes: usize,
    rows_per_strip: usize,
    /// File offset of each strip; one for a contiguous plane, whose strips are joined.
    strips: Vec<usize>,
}

impl Pixels {
    fn parse(bytes: &Bytes, page: &Directory, partial: bool) -> Result<Pixels> {
        let one = |tag| page.one(bytes, tag);
        if one(TILE_WIDTH)?.is_some() {
            return unsupported("tiled; scans are written in strips: convert it");
        }
        match one(COMPRESSION)?.unwrap_or(1) {
            1 => {}
            method => return unsupported(format!("compressed (method {method}); counts must be stored as they are: convert it")),
        }
        let bits = page.list(bytes, BITS)?;
        if bits.as_ref().is_none_or(|bits| !(0..bits.count).all(|index| bits.get(bytes, index) == Some(16))) {
            return unsupported("not 16 bits a value");
        }
        if one(SAMPLE_FORMAT)?.unwrap_or(1) != 1 {
            return unsupported("values are not unsigned integers");
        }
        let planes = one(SAMPLES)?.unwrap_or(1);
        if planes != 1 && !(planes == 2 && one(PLANAR)? == Some(2)) {
            return unsupported(format!("{planes} values a pixel; one, or two in separate planes, are read"));
        }
        let planes = planes as usize;
        let (Some(width), Some(length)) = (one(WIDTH)?, one(LENGTH)?) else {
            return damaged("does not say how large its image is");
        };
        let time_major = one(ORIENTATION)?.is_some_and(|orientation| (5..=8).contains(&orientation));
        let (detectors, columns) = if time_major { (width, length) } else { (length, width) };
        check_size(detectors, columns)?;
        let (width, length) = (width as usize, length as usize);
        let rows_per_strip = one(ROWS_PER_STRIP)?.unwrap_or(length as u64).clamp(1, length as u64) as usize;
        let (Some(offsets), Some(sizes)) = (page.list(bytes, STRIP_OFFSETS)?, page.list(bytes, STRIP_BYTES)?) else {
            return damaged("does not say where its counts are");
        };
        let per_plane = length.div_ceil(rows_per_strip);
        if offsets.count != per_plane * planes || sizes.count != offsets.count {
            return damaged(format!("{} strips with {} sizes, expected {}", offsets.count, sizes.count, per_plane * planes));
        }
        let mut pixels = Pixels { bytes: bytes.clone(), time_major, width, length, planes, rows_per_strip, strips: Vec::new() };
        pixels.place(&offsets, &sizes, per_plane, partial)?;
        Ok(pixels)
    }

    /// Checks every strip against the bytes that are there; in a time-major plane they must follow each other without a gap.
    fn place(&mut self, offsets: &List, sizes: &List, per_plane: usize, partial: bool) -> Result<()> {
        let row_bytes = self.width as u64 * 2;
        let what = if self.time_major { "column" } else { "detector" };
        for index in 0..offsets.count {
            let first_row = index % per_plane * self.rows_per_strip;
            let rows = self.rows_per_strip.min(self.length - first_row) as u64;
            let (offset, size) = (offsets.get(&self.bytes, index).unwrap_or(0), sizes.get(&self.bytes, index).unwrap_or(0));
            if offset % 2 != 0 {
                return unsupported(format!("{what} {first_row}: counts begin at the odd byte {offset}; they must be aligned to be read in place"));
            }
            if size < rows * row_bytes {
                return damaged(format!("{what} {first_row} of {}: its strip has {size} bytes, {} are needed", self.length, rows * row_bytes));
            }
            let there = (self.bytes.len() as u64).saturating_sub(offset);
            if there < rows * row_bytes {
                let column = first_row as u64 + there / row_bytes;
                if column == 0 || !(partial && self.time_major && self.planes == 1) {
                    return damaged(format!("{what} {column} of {}: the file was cut off here; send it again", self.length));
                }
                // What is there is whole columns up to here; the first strip is always the one that is kept.
                self.length = column as usize;
            }
            if self.time_major && index % per_plane != 0 {
                let expected = self.strips[self.strips.len() - 1] as u64 + first_row as u64 * row_bytes;
                if offset != expected {
                    return unsupported(format!("column {first_row}: its strip is at byte {offset}, not at {expected} right after the one before"));
                }
            } else {
                self.strips.push(offset as usize);
            }
            if first_row + rows as usize > self.length {
                break;
            }
        }
        if self.time_major {
            self.rows_per_strip = self.length.max(1);
        }
        Ok(())
    }

    fn detectors(&self) -> usize {
        if self.time_major { self.width } else { self.length }
    }

    /// Adds a page of low energy as the second plane.
    fn join(&mut self, low: &Pixels) -> Result<()> {
        let same =
            |a: &Pixels, b: &Pixels| (a.time_major, a.width, a.length, a.rows_per_strip, b.planes) == (b.time_major, b.width, b.length, b.rows_per_strip, 1);
        if self.planes != 1 || !same(self, low) {
            return damaged(format!("low-energy page of {} x {}, the high-energy page has {} x {}", low.width, low.length, self.width, self.length));
        }
        self.planes = 2;
        self.strips.extend_from_slice(&low.strips);
        Ok(())
    }

    /// The bytes of part of one TIFF row.
    fn row(&self, plane: usize, row: usize, part: Range<usize>) -> &[u8] {
        let per_plane = self.strips.len() / self.planes;
        let start = self.strips[plane * per_plane + row / self.rows_per_strip] + (row % self.rows_per_strip * self.width + part.start) * 2;
        &self.bytes[start..start + part.len() * 2]
    }
}

impl ScanSource for Pixels {
    fn detectors(&self) -> usize {
        Pixels::detectors(self)
    }

    fn columns(&self) -> usize {
        if self.time_major { self.length } else { self.width }
    }

    fn planes(&self) -> usize {
        self.planes
    }

    fn counts(&self, plane: usize, columns: Range<usize>) -> Result<Cow<'_, [u16]>> {
        if self.time_major {
            let start = self.strips[plane * self.strips.len() / self.planes] + columns.start * self.width * 2;
            return Ok(as_u16(&self.bytes[start..start + columns.len() * self.width * 2]));
        }
        let detectors = self.length;
        let mut counts = vec![0_u16; columns.len() * detectors];
        let rows = if columns.is_empty() { 0 } else { detectors };
        for detector in 0..rows {
            let row = self.row(plane, detector, columns.clone());
            for (pixel, pair) in counts[detector..].iter_mut().step_by(detectors).zip(row.chunks_exact(2)) {
                *pixel = u16::from_le_bytes([pair[0], pair[1]]);
            }
        }
        Ok(Cow::Owned(counts))
    }
}

/// A little-endian number of 1, 2, 4 or 8 bytes at `offset`; `None` beyond the end.
fn number(bytes: &[u8], offset: u64, size: usize) -> Option<u64> {
    let start = usize::try_from(offset).ok()?;
    let source = bytes.get(start..start.checked_add(size)?)?;
    let mut padded = [0; 8];
    padded[..size].copy_from_slice(source);
    Some(u64::from_le_bytes(padded))
}

/// One image file directory: where its entries are, and where the next directory is.
struct Directory {
    entries: u64,
    count: u64,
    wide: bool,
    next: Option<u64>,
}

/// The values of one entry, left where they are in the file.
struct List {
    offset: u64,
    count: usize,
    size: usize,
}

impl List {
    fn get(&self, bytes: &[u8], index: usize) -> Option<u64> {
        (index < self.count).then(|| number(bytes, self.offset + (index * self.size) as u64, self.size)).flatten()
    }
}

impl Directory {
    fn parse(bytes: &[u8], offset: u64, wide: bool) -> Result<Directory> {
        let (head, entry, tail) = if wide { (8, 20, 8) } else { (2, 12, 4) };
        let Some(count) = number(bytes, offset, head) else {
            return damaged(format!("the file ends before byte {offset}, where this page is described"));
        };
        let entries = offset + head as u64;
        // No page has 1,000 tags; baseline TIFF knows 45.
        if count == 0 || count > 1000 {
            return damaged(format!("{count} tags"));
        }
        let next = number(bytes, entries + count * entry, tail);
        if next.is_none() {
            return damaged(format!("the file ends among the {count} tags at byte {offset}"));
        }
        Ok(Directory { entries, count, wide, next })
    }

    /// The values of `tag`, if the page has it.
    fn list(&self, bytes: &[u8], tag: u16) -> Result<Option<List>> {
        let (entry, value, word) = if self.wide { (20, 12, 8) } else { (12, 8, 4) };
        let Some(at) = (0..self.count).map(|index| self.entries + index * entry).find(|&at| number(bytes, at, 2) == Some(u64::from(tag))) else {
            return Ok(None);
        };
        let size = match number(bytes, at + 2, 2) {
            Some(1 | 2 | 6 | 7) => 1,
            Some(3 | 8) => 2,
            Some(4 | 9 | 13) => 4,
            Some(16..=18) => 8,
            kind => return damaged(format!("tag {tag} has values of kind {kind:?}, which it cannot have")),
        };
        let count = number(bytes, at + 4, word).unwrap_or(0);
        let Some(total) = count.checked_mul(size as u64) else {
            return damaged(format!("tag {tag} says it has {count} values"));
        };
        let offset = if total <= word as u64 { at + value } else { number(bytes, at + value, word).unwrap_or(u64::MAX) };
        if offset.checked_add(total).is_none_or(|end| end > bytes.len() as u64) {
            return damaged(format!("tag {tag}: its {count} values at byte {offset} are beyond the end of the file"));
        }
        Ok(Some(List { offset, count: count as usize, size }))
    }

    /// The first value of `tag`.
    fn one(&self, bytes: &[u8], tag: u16) -> Result<Option<u64>> {
        Ok(self.list(bytes, tag)?.and_then(|list| list.get(bytes, 0)))
    }

    /// The bytes of a text tag.
    fn text<'bytes>(&self, bytes: &'bytes [u8], tag: u16) -> Result<Option<&'bytes [u8]>> {
        let Some(list) = self.list(bytes, tag)? else { return Ok(None) };
        Ok(bytes.get(list.offset as usize..list.offset as usize + list.count * list.size))
    }

    /// The bytes of a page of `width` x `length` values of `bits` bits in contiguous strips (the table and the calibration).
    fn values(&self, bytes: &Bytes, width: u64, length: u64, bits: u64, format: u64) -> Result<Bytes> {
        if self.one(bytes, COMPRESSION)?.unwrap_or(1) != 1 || self.one(bytes, BITS)? != Some(bits) || self.one(bytes, SAMPLE_FORMAT)?.unwrap_or(1) != format {
            return unsupported(format!("expected uncompressed values of {bits} bits, sample format {format}"));
        }
        let total = width.checked_mul(length).and_then(|count| count.checked_mul(bits / 8)).filter(|&total| total > 0);
        let (Some(total), Some(offsets), Some(sizes)) = (total, self.list(bytes, STRIP_OFFSETS)?, self.list(bytes, STRIP_BYTES)?) else {
            return damaged(format!("{width} x {length} values"));
        };
        let start = offsets.get(bytes, 0).unwrap_or(u64::MAX);
        let mut end = start;
        for index in 0..offsets.count {
            if offsets.get(bytes, index) != Some(end) {
                return unsupported(format!("strip {index} does not follow the one before"));
            }
            end = end.saturating_add(sizes.get(bytes, index).unwrap_or(0));
        }
        if end - start < total || start.checked_add(total).is_none_or(|end| end > bytes.len() as u64) {
            return damaged(format!("{width} x {length} values at byte {start}: the file was cut off or says it is larger than it is"));
        }
        Ok(bytes.slice(start as usize..(start + total) as usize))
    }
}
