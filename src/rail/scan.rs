//! One train's raw image: 16-bit counts `[column, detector]`, what each column was taken at, and the portal's dark field.
//!
//! Goal: every kind of file that a scan comes in (`shared/rail.md` 5.4) behind one [`ScanSource`], read in place where the layout allows.
//! - *time-major TIFF* ([`tiff`]): one TIFF row per column, so a car is one contiguous range of the mapping and nothing is copied;
//! - *row-major TIFF*, 16-bit *PNG* and *raw counts with a JSON sidecar* ([`foreign`]): transposed or decoded car by car where they can be;
//! - *a scan in progress* ([`growing`]): two append-only files that [`write`] made, sealed into the TIFF when the train has passed;
//! - *a scan as it is sent* ([`stream`]): one file of columns with their table between them, whole or still growing.
//!
//! Assumptions: stored values are `dark + gain × quanta`; nothing states the gain. Detector 0 is the topmost; a file that starts at the
//! bottom is turned round when it is read.
//!
//! Invariants: nothing is allocated from a number that a file states before that number was checked against the bytes that are there;
//! every refusal names the column (or detector, or page) where it stopped.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::error::{Error, Fault, Result};

pub mod foreign;
pub mod growing;
pub mod stream;
pub mod tiff;
pub mod write;

pub use write::{ScanWriter, seal};

/// The most detectors that an array may have (`shared/rail.md` 5.4); the largest portal known has 850.
pub const MAX_DETECTORS: usize = 16_384;
/// The most pixels that one plane may have (`shared/rail.md` 5.4: columns ≤ 2^31 / detectors).
pub const MAX_PIXELS: u64 = 1 << 31;
/// The longest JSON description in bytes. The samples' have 300; a table of detector heights of the largest array needs some 200,000.
pub const MAX_DESCRIPTION: usize = 1 << 20;

/// The source was shut in this column: what is stored is the dark field.
pub const FLAG_SHUT: u32 = 1;
/// The train stood still.
pub const FLAG_STOPPED: u32 = 2;
/// The train moved backwards.
pub const FLAG_REVERSED: u32 = 4;
/// The column was lost and filled in by the portal.
pub const FLAG_REPAIRED: u32 = 8;

/// Where counts come from: a mapping, a file that still grows, or memory.
pub trait ScanSource: Send + Sync {
    /// Elements of the array.
    fn detectors(&self) -> usize;

    /// Columns that are there now.
    fn columns(&self) -> usize;

    /// 1, or 2 for a dual-energy portal (0 = high energy, 1 = low energy).
    fn planes(&self) -> usize {
        1
    }

    /// Stored values of `columns` in `plane`, `[column, detector]`, in the file's detector order; borrowed where the file's layout allows.
    ///
    /// # Errors
    /// `Caller` for columns or a plane that are not there, `Machine` or `Damaged` where the file fails under the reader.
    fn counts(&self, plane: usize, columns: Range<usize>) -> Result<Cow<'_, [u16]>>;
}

/// What a scan says of itself: the JSON in a TIFF's ImageDescription, or in the sidecar. Keys that garita does not use are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// `rail-scan/1`.
    pub schema: String,
    /// The train's name at the portal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<String>,
    /// What shines.
    #[serde(default)]
    pub source: Source,
    /// Distance between detectors in the plane of the car's centre, mm.
    #[serde(default = "default_pitch_mm")]
    pub pitch_mm: f64,
    /// Nominal travel of the train per column, mm; what a column without a speed is taken for.
    #[serde(default = "default_pitch_mm")]
    pub column_mm: f64,
    /// Number of detectors; where the container says it too, both must agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detectors: Option<usize>,
    /// Height of the topmost detector's ray above the rail in the plane of the car's centre, mm.
    #[serde(default = "default_top_mm")]
    pub top_mm: f64,
    /// Whether detector 0 is the topmost or the lowest.
    #[serde(default)]
    pub first_detector: FirstDetector,
    /// Where the source stands.
    #[serde(default)]
    pub geometry: Geometry,
    /// Everything else that was said (site, lane, direction, clock …), kept as it came.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

// 16 mm and 5,850 mm: rail-samples, `shared/rail.md` 4.1; for files that do not say.
fn default_pitch_mm() -> f64 {
    16.0
}

fn default_top_mm() -> f64 {
    5850.0
}

/// Which end of the array detector 0 is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirstDetector {
    /// Detector 0 looks highest.
    #[default]
    Top,
    /// Detector 0 looks lowest.
    Bottom,
}

/// What shines: an isotope or a linac. Nothing may assume one (`shared/rail.md` 1.1: isotope portals are being replaced by linacs).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Source {
    /// `Cs-137`, `Co-60` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nuclide: Option<String>,
    /// End-point energy of a linac, MV.
    #[serde(default, rename = "MV", alias = "mv", alias = "linac_MV", alias = "energy_MV", skip_serializing_if = "Option::is_none")]
    pub mv: Option<f64>,
    /// Activity when the scan was made, GBq.
    #[serde(default, rename = "activity_GBq", skip_serializing_if = "Option::is_none")]
    pub activity_gbq: Option<f64>,
    /// Everything else (assay date, serial), kept as it came.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// Where the source stands relative to the plane of the car's centre.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// Horizontal distance from the source to the car's centre plane, m.
    #[serde(default = "default_source_to_centre_m")]
    pub source_to_centre_m: f64,
    /// Height of the source above the rail, m.
    #[serde(default = "default_source_height_m")]
    pub source_height_m: f64,
    /// Everything else, kept as it came.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

// 7.2 m and 2.3 m: rail-samples; for files that do not say.
fn default_source_to_centre_m() -> f64 {
    7.2
}

fn default_source_height_m() -> f64 {
    2.3
}

impl Default for Geometry {
    fn default() -> Geometry {
        Geometry { source_to_centre_m: default_source_to_centre_m(), source_height_m: default_source_height_m(), other: serde_json::Map::new() }
    }
}

impl Default for Description {
    fn default() -> Description {
        Description {
            schema: "rail-scan/1".to_owned(),
            train: None,
            source: Source::default(),
            pitch_mm: default_pitch_mm(),
            column_mm: default_pitch_mm(),
            detectors: None,
            top_mm: default_top_mm(),
            first_detector: FirstDetector::Top,
            geometry: Geometry::default(),
            other: serde_json::Map::new(),
        }
    }
}

impl Description {
    /// Parses and checks a description.
    ///
    /// # Errors
    /// `Limit` over [`MAX_DESCRIPTION`], `Damaged` for what is not such JSON or says impossible sizes, `Unsupported` for another schema.
    pub fn parse(text: &[u8]) -> Result<Description> {
        if text.len() > MAX_DESCRIPTION {
            return Err(Error::new(Fault::Limit, format!("the description has {} bytes, more than the limit of {MAX_DESCRIPTION}", text.len())));
        }
        let text = text.strip_suffix(b"\0").unwrap_or(text);
        let description: Description = serde_json::from_slice(text)
            .map_err(|error| Error::new(Fault::Damaged, format!("the scan's description is not the JSON of a rail scan: {error}")))?;
        description.check()?;
        Ok(description)
    }

    /// Refuses sizes that no portal has.
    ///
    /// # Errors
    /// `Damaged` or `Unsupported`, naming the key.
    pub fn check(&self) -> Result<()> {
        if self.schema != "rail-scan/1" && !self.schema.starts_with("rail-scan/1.") {
            return Err(Error::new(Fault::Unsupported, format!("schema {:?}, this version of garita reads rail-scan/1", self.schema)));
        }
        // Ranges wide enough for any portal in `shared/rail.md` 1.1 and narrow enough that arithmetic on them stays finite.
        for (key, value, range) in [
            ("pitch_mm", self.pitch_mm, 0.5..=200.0),
            ("column_mm", self.column_mm, 0.5..=500.0),
            ("top_mm", self.top_mm, 0.0..=20_000.0),
            ("geometry.source_to_centre_m", self.geometry.source_to_centre_m, 0.5..=50.0),
            ("geometry.source_height_m", self.geometry.source_height_m, -10.0..=30.0),
        ] {
            if !range.contains(&value) {
                return Err(Error::new(Fault::Damaged, format!("description: {key} is {value}, outside {range:?}")));
            }
        }
        Ok(())
    }

    /// Height of detector `index` (0 = topmost) above the rail in the plane of the car's centre, mm.
    pub fn height_mm(&self, index: usize) -> f64 {
        self.top_mm - index as f64 * self.pitch_mm
    }
}

/// What one column was taken at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// Seconds since the scan began.
    pub t_s: f64,
    /// Measured speed of the train, m/s.
    pub v_m_s: f64,
    /// Reference detector, 1 = nominal.
    pub ref_dose: f64,
    /// `FLAG_…` bits.
    pub flags: u32,
}

/// Bytes of one row of the per-column table: four f64.
pub const COLUMN_BYTES: usize = 32;

impl Column {
    /// Reads one row of the table; values that are not numbers stay so, flags out of range count as none.
    pub fn from_bytes(row: &[u8; COLUMN_BYTES]) -> Column {
        let value = |index: usize| f64::from_le_bytes(std::array::from_fn(|byte| row[index * 8 + byte]));
        Column { t_s: value(0), v_m_s: value(1), ref_dose: value(2), flags: value(3) as u32 }
    }

    /// The row as it is stored.
    pub fn to_bytes(self) -> [u8; COLUMN_BYTES] {
        let mut row = [0; COLUMN_BYTES];
        for (bytes, value) in row.chunks_exact_mut(8).zip([self.t_s, self.v_m_s, self.ref_dose, f64::from(self.flags)]) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
        row
    }
}

/// What the portal measured without a train, per detector (0 = topmost); each empty where the file does not say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields {
    /// Stored values with the source shut.
    pub dark: Vec<f32>,
    /// Stored values with the source open and nothing in the beam.
    pub air: Vec<f32>,
    /// Channels that the portal itself gave up.
    pub dead: Vec<bool>,
}

/// One train's raw image.
pub struct Scan {
    /// The file's name, for people.
    pub name: String,
    /// What the file says of itself.
    pub description: Description,
    /// Dark field and friends.
    pub fields: Fields,
    table: Table,
    source: Box<dyn ScanSource>,
}

/// Where the per-column table is.
pub(crate) enum Table {
    /// None: every column is nominal.
    Missing,
    /// Rows in bytes, `stride` bytes apart.
    Rows { bytes: Bytes, stride: usize },
    /// In a file that still grows.
    Growing(growing::Tail),
    /// Between the columns.
    Stream(std::sync::Arc<stream::Stream>),
}

impl Scan {
    /// Opens the scan at `path` by what it is: a TIFF (mapped), a 16-bit PNG, `NAME.counts` or `NAME.stream` in progress, or raw counts with a sidecar.
    ///
    /// # Errors
    /// Which file, where in it and whose fault, as the readers say.
    pub fn open(path: &Path) -> Result<Scan> {
        let scan = if path.extension().is_some_and(|extension| extension == "counts") {
            growing::open(path)
        } else if path.extension().is_some_and(|extension| extension == "stream") {
            stream::open(path)
        } else {
            let bytes = Bytes::map(path)?;
            if tiff::is_tiff(&bytes) {
                // A scan of ours says what it is; beside it lies no sidecar that would have to be read.
                match tiff::parse(bytes.clone()) {
                    Ok(scan) if scan.description.source == Source::default() && scan.fields == Fields::default() => {
                        tiff::parse_with(bytes, foreign::sidecar(path)?.as_ref())
                    }
                    scan => scan,
                }
            } else if foreign::is_png(&bytes) {
                foreign::png(&bytes, foreign::sidecar(path)?.as_ref())
            } else {
                foreign::raw(bytes, foreign::sidecar(path)?.as_ref())
            }
        };
        let mut scan = scan.map_err(|error| error.in_(path.display()))?;
        scan.name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(scan)
    }

    /// Opens the scan at `path`; of a TIFF that was cut off, the columns that are there, with the error that says so.
    ///
    /// # Errors
    /// As [`Scan::open`], where nothing of it can be used.
    pub fn open_or_recover(path: &Path) -> Result<(Scan, Option<Error>)> {
        let error = match Scan::open(path) {
            Ok(scan) => return Ok((scan, None)),
            Err(error) => error,
        };
        if error.fault == Fault::Damaged
            && let Ok(bytes) = Bytes::map(path)
            && tiff::is_tiff(&bytes)
            && let Ok(mut scan) = tiff::parse_partial(bytes)
        {
            scan.name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            return Ok((scan, Some(error)));
        }
        Err(error)
    }

    /// A scan from the bytes of a TIFF or PNG.
    ///
    /// # Errors
    /// As [`Scan::open`].
    pub fn parse(bytes: Bytes) -> Result<Scan> {
        if foreign::is_png(&bytes) { foreign::png(&bytes, None) } else { tiff::parse(bytes) }
    }

    /// Puts a scan together, checking that its parts agree.
    pub(crate) fn assemble(description: Description, mut fields: Fields, table: Table, source: Box<dyn ScanSource>) -> Result<Scan> {
        let detectors = source.detectors();
        if let Some(stated) = description.detectors.filter(|&stated| stated != detectors) {
            return Err(Error::new(Fault::Damaged, format!("{detectors} detectors in each column, but the description says {stated}")));
        }
        for (what, length) in [("dark field", fields.dark.len()), ("air", fields.air.len()), ("dead map", fields.dead.len())] {
            if length != 0 && length != detectors {
                return Err(Error::new(Fault::Damaged, format!("{what} has {length} values for {detectors} detectors")));
            }
        }
        if let Some(bad) = fields.dark.iter().chain(&fields.air).position(|value| !value.is_finite()) {
            return Err(Error::new(Fault::Damaged, format!("calibration page: value {bad} is not a number")));
        }
        if description.first_detector == FirstDetector::Bottom {
            fields.dark.reverse();
            fields.air.reverse();
            fields.dead.reverse();
        }
        if let Table::Rows { bytes, stride } = &table
            && bytes.len() / stride < source.columns()
        {
            return Err(Error::new(Fault::Damaged, format!("per-column table has {} rows for {} columns", bytes.len() / stride, source.columns())));
        }
        Ok(Scan { name: String::new(), description, fields, table, source })
    }

    /// Elements of the array.
    pub fn detectors(&self) -> usize {
        self.source.detectors()
    }

    /// Columns that are there now.
    pub fn columns(&self) -> usize {
        self.source.columns()
    }

    /// 1, or 2 for a dual-energy portal.
    pub fn planes(&self) -> usize {
        self.source.planes()
    }

    /// Stored values `[column, detector]` of plane 0 (high energy), detector 0 topmost.
    ///
    /// # Errors
    /// As [`ScanSource::counts`].
    pub fn counts(&self, columns: Range<usize>) -> Result<Cow<'_, [u16]>> {
        self.plane(0, columns)
    }

    /// Stored values `[column, detector]` of one plane, detector 0 topmost.
    ///
    /// # Errors
    /// As [`ScanSource::counts`].
    pub fn plane(&self, plane: usize, columns: Range<usize>) -> Result<Cow<'_, [u16]>> {
        if columns.start > columns.end || columns.end > self.columns() || plane >= self.planes() {
            let message = format!("columns {columns:?} of plane {plane} were asked for, there are {} in {}", self.columns(), self.planes());
            return Err(Error::new(Fault::Caller, message).in_(&self.name));
        }
        let mut counts = self.source.counts(plane, columns).map_err(|error| error.in_(&self.name))?;
        if self.description.first_detector == FirstDetector::Bottom {
            counts.to_mut().chunks_exact_mut(self.detectors()).for_each(<[u16]>::reverse);
        }
        Ok(counts)
    }

    /// The same scan with this plane alone. What air the file states is of plane 0, and left out; the dark field is the electronics' and stays.
    pub(crate) fn of_plane(self, plane: usize) -> Scan {
        let fields = Fields { air: Vec::new(), ..self.fields };
        Scan { source: Box::new(OnePlane { source: self.source, plane }), fields, ..self }
    }

    /// The table's row for `column`; a nominal one where the file has none.
    pub fn column(&self, column: usize) -> Column {
        let row = match &self.table {
            Table::Missing => None,
            Table::Rows { bytes, stride } => bytes.get(column * stride..column * stride + COLUMN_BYTES).and_then(|row| row.try_into().ok()),
            Table::Growing(tail) => tail.row(column),
            Table::Stream(stream) => stream.row(column),
        };
        row.map_or(Column { t_s: f64::NAN, v_m_s: f64::NAN, ref_dose: 1.0, flags: 0 }, |row| Column::from_bytes(&row))
    }
}

/// One plane of several.
struct OnePlane {
    source: Box<dyn ScanSource>,
    plane: usize,
}

impl ScanSource for OnePlane {
    fn detectors(&self) -> usize {
        self.source.detectors()
    }

    fn columns(&self) -> usize {
        self.source.columns()
    }

    fn counts(&self, plane: usize, columns: Range<usize>) -> Result<Cow<'_, [u16]>> {
        self.source.counts(self.plane + plane, columns)
    }
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Scan({}, {} columns of {} detectors)", self.name, self.columns(), self.detectors())
    }
}

/// Refuses arrays outside [`MAX_DETECTORS`] and [`MAX_PIXELS`].
pub(crate) fn check_size(detectors: u64, columns: u64) -> Result<()> {
    if detectors == 0 || columns == 0 {
        return Err(Error::new(Fault::Damaged, format!("{columns} columns of {detectors} detectors: nothing was scanned")));
    }
    if detectors > MAX_DETECTORS as u64 {
        return Err(Error::new(Fault::Limit, format!("{detectors} detectors, more than the limit of {MAX_DETECTORS}")));
    }
    if columns > MAX_PIXELS / detectors {
        return Err(Error::new(Fault::Limit, format!("{columns} columns of {detectors} detectors, more than the limit of {} columns", MAX_PIXELS / detectors)));
    }
    Ok(())
}

/// Little-endian bytes as u16, in place where alignment and the machine allow.
pub(crate) fn as_u16(bytes: &[u8]) -> Cow<'_, [u16]> {
    if cfg!(target_endian = "little")
        && let Ok(values) = bytemuck::try_cast_slice(bytes)
    {
        return Cow::Borrowed(values);
    }
    Cow::Owned(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect())
}
