//! Scans that other tools write: 16-bit PNG, and raw counts beside a JSON sidecar; a TIFF that says nothing of itself may have one too.
//!
//! A PNG is a picture: a row is a detector. It has to be decoded whole, so its size is limited. Raw counts are time-major, little-endian,
//! from the first byte. The sidecar (`NAME.scan.json`, or a `NAME.json` that says `"schema": "rail-scan/1"`: beside a simulated scan `NAME.json` is the truth)
//! holds the keys of the TIFF's description and, if wanted, `dark` and `air` (a number, or one per detector) and `dead` (indices).

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

use super::{Description, Fields, MAX_DESCRIPTION, Scan, ScanSource, Table, as_u16, check_size};
use crate::bytes::Bytes;
use crate::error::{Error, Fault, Result};

/// The most pixels of a PNG: 128 MB decoded, half of what the process may hold (issue 4: RssAnon ≤ 256 MB).
const MAX_PNG_PIXELS: u64 = 1 << 26;

/// What a sidecar says beside the description.
#[derive(Debug, Clone, PartialEq)]
pub struct Sidecar {
    /// The TIFF's description.
    pub description: Description,
    dark: Levels,
    air: Levels,
    dead: Vec<usize>,
}

/// One level for all detectors, or one for each.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(untagged)]
enum Levels {
    #[default]
    Unknown,
    One(f32),
    Each(Vec<f32>),
}

impl Levels {
    fn spread(&self, detectors: usize) -> Vec<f32> {
        match self {
            Levels::Unknown => Vec::new(),
            Levels::One(level) => vec![*level; detectors],
            Levels::Each(levels) => levels.clone(),
        }
    }
}

impl Sidecar {
    /// Parses a sidecar.
    ///
    /// # Errors
    /// As [`Description::parse`].
    pub fn parse(text: &[u8]) -> Result<Sidecar> {
        let mut description = Description::parse(text)?;
        fn take<T: for<'json> Deserialize<'json> + Default>(description: &mut Description, key: &str) -> Result<T> {
            let Some(value) = description.other.remove(key) else { return Ok(T::default()) };
            serde_json::from_value(value).map_err(|error| Error::new(Fault::Damaged, format!("sidecar: {key}: {error}")))
        }
        let (dark, air, dead) = (take(&mut description, "dark")?, take(&mut description, "air")?, take(&mut description, "dead")?);
        Ok(Sidecar { description, dark, air, dead })
    }

    /// Per-detector fields for an array of `detectors`.
    ///
    /// # Errors
    /// `Damaged` where a detector is called dead that there is not.
    pub(crate) fn fields(&self, detectors: usize) -> Result<Fields> {
        let mut dead = Vec::new();
        if !self.dead.is_empty() {
            dead = vec![false; detectors];
            for &index in &self.dead {
                let missing = || Error::new(Fault::Damaged, format!("sidecar: dead: there is no detector {index} among {detectors}, counted from 0"));
                *dead.get_mut(index).ok_or_else(missing)? = true;
            }
        }
        Ok(Fields { dark: self.dark.spread(detectors), air: self.air.spread(detectors), dead })
    }
}

/// The sidecar beside `path`, if there is one.
///
/// # Errors
/// As [`Sidecar::parse`]; a missing file is none.
pub fn sidecar(path: &Path) -> Result<Option<Sidecar>> {
    for (extension, certain) in [("scan.json", true), ("json", false)] {
        let beside = path.with_extension(extension);
        if !beside.is_file() {
            continue;
        }
        let text = Bytes::read(&beside, MAX_DESCRIPTION as u64)?;
        if certain || serde_json::from_slice::<serde_json::Value>(&text).is_ok_and(|json| json.get("schema").is_some()) {
            return Sidecar::parse(&text).map(Some).map_err(|error| error.in_(beside.display()));
        }
    }
    Ok(None)
}

/// Counts in memory or in a mapping, time-major.
struct Plain {
    bytes: Bytes,
    detectors: usize,
}

impl ScanSource for Plain {
    fn detectors(&self) -> usize {
        self.detectors
    }

    fn columns(&self) -> usize {
        self.bytes.len() / (self.detectors * 2)
    }

    fn counts(&self, _plane: usize, columns: Range<usize>) -> Result<Cow<'_, [u16]>> {
        Ok(as_u16(&self.bytes[columns.start * self.detectors * 2..columns.end * self.detectors * 2]))
    }
}

/// Raw little-endian counts `[column, detector]`, as the sidecar describes them.
///
/// # Errors
/// `Unsupported` without a sidecar (what the bytes are cannot be known), `Damaged` for a part of a column at the end.
pub fn raw(bytes: Bytes, sidecar: Option<&Sidecar>) -> Result<Scan> {
    let Some(sidecar) = sidecar else {
        return Err(Error::new(Fault::Unsupported, "neither TIFF nor PNG, and no NAME.scan.json beside it that says what these bytes are"));
    };
    let Some(detectors) = sidecar.description.detectors else {
        return Err(Error::new(Fault::Damaged, "the sidecar does not say how many \"detectors\" a column has"));
    };
    let columns = (bytes.len() / 2) as u64 / (detectors as u64).max(1);
    check_size(detectors as u64, columns)?;
    if !bytes.len().is_multiple_of(detectors * 2) {
        let left = bytes.len() % (detectors * 2);
        return Err(Error::new(Fault::Damaged, format!("column {columns}: {left} bytes, {detectors} detectors need {}: the file was cut off", detectors * 2)));
    }
    let fields = sidecar.fields(detectors)?;
    Scan::assemble(sidecar.description.clone(), fields, Table::Missing, Box::new(Plain { bytes, detectors }))
}

/// True for what begins like a PNG.
pub fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG")
}

/// A 16-bit grey PNG: its rows are detectors, its columns are columns.
///
/// # Errors
/// `Unsupported` for other pixels, `Limit` over 2^26 of them, `Damaged` where it ends early.
pub fn png(bytes: &[u8], sidecar: Option<&Sidecar>) -> Result<Scan> {
    // Text and colour profiles are passed over: a small file can hold a bomb there (`shared/operations.md`).
    let mut options = png::DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = png::Decoder::new_with_options(std::io::Cursor::new(bytes), options);
    decoder.set_transformations(png::Transformations::IDENTITY);
    let damaged = |error: png::DecodingError| Error::new(Fault::Damaged, format!("PNG: {error}"));
    let mut reader = decoder.read_info().map_err(damaged)?;
    let info = reader.info();
    if (info.bit_depth, info.color_type, info.interlaced) != (png::BitDepth::Sixteen, png::ColorType::Grayscale, false) {
        return Err(Error::new(Fault::Unsupported, "a PNG scan is 16-bit grey and not interlaced"));
    }
    let (columns, detectors) = (info.width as usize, info.height as usize);
    check_size(detectors as u64, columns as u64)?;
    if columns as u64 * detectors as u64 > MAX_PNG_PIXELS {
        let message =
            format!("{columns} columns of {detectors} detectors in a PNG, which is decoded whole; the limit is {MAX_PNG_PIXELS} pixels: convert it to TIFF");
        return Err(Error::new(Fault::Limit, message));
    }
    // A PNG cannot pack better than deflate's 1:1032, so that pixels without bytes behind them are refused before they are allocated.
    if (columns as u64 * detectors as u64 * 2) / 1032 > bytes.len() as u64 {
        return Err(Error::new(Fault::Damaged, format!("{columns} columns of {detectors} detectors cannot be in {} bytes: the file was cut off", bytes.len())));
    }
    let mut counts = vec![0_u8; columns * detectors * 2];
    for detector in 0..detectors {
        let row = match reader.next_row() {
            Ok(Some(row)) => row,
            Ok(None) => return Err(Error::new(Fault::Damaged, format!("detector {detector} of {detectors}: the PNG ends here"))),
            Err(error) => return Err(Error::new(Fault::Damaged, format!("detector {detector} of {detectors}: {error}"))),
        };
        for (column, pair) in row.data().chunks_exact(2).take(columns).enumerate() {
            let at = (column * detectors + detector) * 2;
            (counts[at], counts[at + 1]) = (pair[1], pair[0]);
        }
    }
    let description = sidecar.map_or_else(Description::default, |sidecar| sidecar.description.clone());
    let fields = sidecar.map(|sidecar| sidecar.fields(detectors)).transpose()?.unwrap_or_default();
    Scan::assemble(description, fields, Table::Missing, Box::new(Plain { bytes: Bytes::from(counts), detectors }))
}
