//! Writing scans: columns appended while a train passes, sealed into one TIFF when it has passed.
//!
//! Everything here writes to what the caller opened: the rail wing itself never opens a file for writing.

use std::io::{Read, Write};

use super::{COLUMN_BYTES, Column, Description, Fields, check_size};
use crate::error::{Error, Fault, Result};

/// Where counts, table and calibration begin in the TIFF: multiples of a page of memory, so that they can be mapped and cast in place.
const ALIGNMENT: u64 = 4096;

/// Appends the columns of a scan in progress to its two files.
pub struct ScanWriter<W: Write> {
    counts: W,
    table: W,
    detectors: usize,
    columns: usize,
    bytes: Vec<u8>,
}

impl<W: Write> ScanWriter<W> {
    /// A writer of columns of `detectors`; `counts` and `table` (`NAME.counts`, `NAME.columns`) hold `columns` whole columns already.
    ///
    /// # Errors
    /// `Limit` or `Damaged` for a number of detectors that no array has.
    pub fn new(counts: W, table: W, detectors: usize, columns: usize) -> Result<ScanWriter<W>> {
        check_size(detectors as u64, 1)?;
        Ok(ScanWriter { counts, table, detectors, columns, bytes: Vec::with_capacity(detectors * 2) })
    }

    /// Appends one column: its counts, then its row of the table, which makes it count.
    ///
    /// # Errors
    /// `Caller` for another number of detectors, `Limit` for a scan without end, `Machine` where writing fails.
    pub fn append(&mut self, counts: &[u16], column: Column) -> Result<()> {
        if counts.len() != self.detectors {
            return Err(Error::new(Fault::Caller, format!("column {}: {} detectors, expected {}", self.columns, counts.len(), self.detectors)));
        }
        check_size(self.detectors as u64, self.columns as u64 + 1)?;
        self.bytes.clear();
        self.bytes.extend(counts.iter().flat_map(|value| value.to_le_bytes()));
        let failed = |error: std::io::Error| Error::io(&error);
        self.counts.write_all(&self.bytes).map_err(failed)?;
        self.counts.flush().map_err(failed)?;
        self.table.write_all(&column.to_bytes()).map_err(failed)?;
        self.table.flush().map_err(failed)?;
        self.columns += 1;
        Ok(())
    }

    /// Columns written so far.
    pub fn columns(&self) -> usize {
        self.columns
    }
}

/// The sidecar of a scan in progress (`NAME.scan.json`): the description with the dark field and air, so that a reader needs nothing else.
pub fn sidecar_json(description: &Description, fields: &Fields) -> String {
    let mut description = description.clone();
    for (key, levels) in [("dark", &fields.dark), ("air", &fields.air)] {
        if !levels.is_empty() {
            description.other.insert(key.to_owned(), serde_json::json!(levels));
        }
    }
    if fields.dead.contains(&true) {
        let dead: Vec<usize> = (0..fields.dead.len()).filter(|&index| fields.dead[index]).collect();
        description.other.insert("dead".to_owned(), serde_json::json!(dead));
    }
    serde_json::to_string_pretty(&description).expect("numbers and text")
}

/// Writes a sealed scan: a time-major TIFF, or a BigTIFF where it would pass 4 GB.
///
/// `planes` are one or two streams (high, then low energy) of little-endian counts `[column, detector]`, each of exactly as many columns as `table` has rows.
///
/// # Errors
/// `Caller` where the parts do not agree, `Limit` for absurd sizes, `Damaged` where a stream ends early, `Machine` where writing fails.
pub fn seal(out: impl Write, description: &Description, table: &[Column], planes: &mut [&mut dyn Read], fields: &Fields) -> Result<()> {
    seal_as(out, description, table, planes, fields, false)
}

/// As [`seal`], but a BigTIFF whatever its size.
///
/// # Errors
/// As [`seal`].
pub fn seal_big(out: impl Write, description: &Description, table: &[Column], planes: &mut [&mut dyn Read], fields: &Fields) -> Result<()> {
    seal_as(out, description, table, planes, fields, true)
}

fn seal_as(mut out: impl Write, description: &Description, table: &[Column], planes: &mut [&mut dyn Read], fields: &Fields, big: bool) -> Result<()> {
    let caller = |message: &str| Error::new(Fault::Caller, message);
    let detectors = description.detectors.ok_or_else(|| caller("the description does not say how many detectors there are"))?;
    description.check()?;
    check_size(detectors as u64, table.len() as u64)?;
    if planes.is_empty() || planes.len() > 2 {
        return Err(caller("a scan has one plane of counts, or two"));
    }
    if [fields.dark.len(), fields.air.len(), fields.dead.len()].iter().any(|&length| length != 0 && length != detectors) {
        return Err(caller("dark, air and dead have one value per detector, or none"));
    }
    if fields.dark.is_empty() && !fields.air.is_empty() {
        return Err(caller("air without a dark field"));
    }
    let pages = pages(description, detectors as u64, table.len() as u64, planes.len(), fields);
    let head: u64 = ALIGNMENT + pages.iter().map(|page| page.text.len() as u64).sum::<u64>().next_multiple_of(ALIGNMENT);
    let total = head + pages.iter().map(|page| page.bytes().next_multiple_of(ALIGNMENT)).sum::<u64>();
    let layout = Layout { wide: big || total > u64::from(u32::MAX), head };
    let failed = |error: std::io::Error| Error::io(&error);
    out.write_all(&layout.header(&pages)).map_err(failed)?;
    let counts_bytes = pages[0].bytes();
    for (plane, stream) in planes.iter_mut().enumerate() {
        let copied = std::io::copy(&mut stream.take(counts_bytes), &mut out).map_err(failed)?;
        if copied < counts_bytes {
            let column = copied / (detectors as u64 * 2);
            return Err(Error::new(Fault::Damaged, format!("plane {plane}, column {column} of {}: its counts end here", table.len())));
        }
        pad(&mut out, copied)?;
    }
    for column in table {
        out.write_all(&column.to_bytes()).map_err(failed)?;
    }
    pad(&mut out, (table.len() * COLUMN_BYTES) as u64)?;
    if !fields.dark.is_empty() {
        for level in fields.dark.iter().chain(&fields.air) {
            out.write_all(&level.to_le_bytes()).map_err(failed)?;
        }
        pad(&mut out, ((fields.dark.len() + fields.air.len()) * 4) as u64)?;
    }
    if !fields.dead.is_empty() {
        let dead: Vec<u8> = fields.dead.iter().map(|&dead| u8::from(dead)).collect();
        out.write_all(&dead).map_err(failed)?;
        pad(&mut out, dead.len() as u64)?;
    }
    out.flush().map_err(failed)
}

/// Fills up to the next multiple of [`ALIGNMENT`].
fn pad(out: &mut impl Write, written: u64) -> Result<()> {
    let padding = written.next_multiple_of(ALIGNMENT) - written;
    out.write_all(&[0; ALIGNMENT as usize][..padding as usize]).map_err(|error| Error::io(&error))
}

/// One page: `width` x `length` values of `bits` bits.
struct Page {
    width: u64,
    length: u64,
    bits: u64,
    format: u64,
    text: Vec<u8>,
}

impl Page {
    fn bytes(&self) -> u64 {
        self.width * self.length * self.bits / 8
    }
}

/// The pages in the order in which their data follow.
fn pages(description: &Description, detectors: u64, columns: u64, planes: usize, fields: &Fields) -> Vec<Page> {
    let page = |width, length, bits, format, text: &str| Page { width, length, bits, format, text: [text.as_bytes(), b"\0"].concat() };
    let json = serde_json::to_string(description).expect("numbers and text");
    let mut pages = vec![page(detectors, columns, 16, 1, &json)];
    if planes == 2 {
        pages.push(page(detectors, columns, 16, 1, "counts, low energy"));
    }
    pages.push(page(4, columns, 64, 3, "columns: t_s, v_m_s, ref_dose, flags"));
    if !fields.dark.is_empty() {
        let (rows, text) = if fields.air.is_empty() { (1, "dark field") } else { (2, "dark field, air") };
        pages.push(page(detectors, rows, 32, 3, text));
    }
    if !fields.dead.is_empty() {
        pages.push(page(detectors, 1, 8, 1, "dead map"));
    }
    pages
}

/// How the head of the file is laid out: header, directories one after the other, then the descriptions.
struct Layout {
    wide: bool,
    /// Where the first page's data begin.
    head: u64,
}

impl Layout {
    fn header(&self, pages: &[Page]) -> Vec<u8> {
        const TAGS: u64 = 12;
        let (first, directory) = if self.wide { (16, 8 + TAGS * 20 + 8) } else { (8, 2 + TAGS * 12 + 4) };
        let mut head = Vec::with_capacity(self.head as usize);
        head.extend_from_slice(if self.wide { b"II+\0\x08\0\0\0" } else { b"II*\0" });
        self.word(&mut head, first);
        let mut text_at = ALIGNMENT;
        let mut data_at = self.head;
        for (index, page) in pages.iter().enumerate() {
            head.extend_from_slice(&TAGS.to_le_bytes()[..if self.wide { 8 } else { 2 }]);
            // Orientation 8 marks what is time-major and one value per detector; the other pages are what they look like.
            let orientation = if page.bits == 16 || (page.bits == 32 && page.length > 2) { 8 } else { 1 };
            self.entry(&mut head, 256, 4, page.width);
            self.entry(&mut head, 257, 4, page.length);
            self.entry(&mut head, 258, 3, page.bits);
            self.entry(&mut head, 259, 3, 1);
            self.entry(&mut head, 262, 3, 1);
            self.list(&mut head, 270, 2, page.text.len() as u64, text_at);
            self.entry(&mut head, 273, if self.wide { 16 } else { 4 }, data_at);
            self.entry(&mut head, 274, 3, orientation);
            self.entry(&mut head, 277, 3, 1);
            self.entry(&mut head, 278, 4, page.length);
            self.entry(&mut head, 279, if self.wide { 16 } else { 4 }, page.bytes());
            self.entry(&mut head, 339, 3, page.format);
            let next = if index + 1 == pages.len() { 0 } else { first + (index as u64 + 1) * directory };
            self.word(&mut head, next);
            text_at += page.text.len() as u64;
            data_at += page.bytes().next_multiple_of(ALIGNMENT);
        }
        head.resize(ALIGNMENT as usize, 0);
        for page in pages {
            head.extend_from_slice(&page.text);
        }
        head.resize(self.head as usize, 0);
        head
    }

    fn word(&self, head: &mut Vec<u8>, value: u64) {
        head.extend_from_slice(&value.to_le_bytes()[..if self.wide { 8 } else { 4 }]);
    }

    fn entry(&self, head: &mut Vec<u8>, tag: u16, kind: u16, value: u64) {
        self.list(head, tag, kind, 1, value);
    }

    fn list(&self, head: &mut Vec<u8>, tag: u16, kind: u16, count: u64, value: u64) {
        head.extend_from_slice(&tag.to_le_bytes());
        head.extend_from_slice(&kind.to_le_bytes());
        self.word(head, count);
        self.word(head, value);
    }
}

/// The layout of a TIFF of pages of 32-bit floats, time-major, all of one size; the caller writes the values where [`FloatPages::offset`] says.
pub struct FloatPages {
    header: Vec<u8>,
    head: u64,
    row: u64,
    page: u64,
}

impl FloatPages {
    /// A layout of one page per text, each of `columns` rows of `detectors` values.
    pub fn new(detectors: usize, columns: usize, texts: &[&str]) -> FloatPages {
        let (width, length) = (detectors as u64, columns as u64);
        let pages: Vec<Page> = texts.iter().map(|text| Page { width, length, bits: 32, format: 3, text: [text.as_bytes(), b"\0"].concat() }).collect();
        let head = ALIGNMENT + pages.iter().map(|page| page.text.len() as u64).sum::<u64>().next_multiple_of(ALIGNMENT);
        let page = pages.first().map_or(0, |page| page.bytes().next_multiple_of(ALIGNMENT));
        let layout = Layout { wide: head + page * pages.len() as u64 > u64::from(u32::MAX), head };
        FloatPages { header: layout.header(&pages), head, row: width * 4, page }
    }

    /// What the file begins with.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Where a column of a page begins.
    pub fn offset(&self, page: usize, column: usize) -> u64 {
        self.head + page as u64 * self.page + column as u64 * self.row
    }
}
