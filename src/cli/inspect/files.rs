//! Where scans, lists and earlier scans are found, and how a scan in progress is kept up with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use garita::bytes::Bytes;
use garita::error::{Error, Fault, Result};
use garita::rail::calibrate::Calibration;
use garita::rail::consist::{self, Consist};
use garita::rail::scan::Scan;
use garita::rail::segment::CarSegment;
use garita::rail::session::Session;

/// Scan files by their endings.
const ENDINGS: [&str; 5] = ["tif", "tiff", "png", "counts", "stream"];

/// The scans named: files as they are, folders as the scans in them, sorted.
pub(crate) fn scan_files(paths: &[PathBuf], follow: bool) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            let counts = path.with_extension("counts");
            // `--follow NAME.tif` before it is sealed.
            files.push(if follow && !path.exists() && counts.exists() { counts } else { path.clone() });
            continue;
        }
        let mut inside = folder(path)?;
        inside.retain(|file| !(file.extension().is_some_and(|ending| ending == "counts") && file.with_extension("tif").exists()));
        if inside.is_empty() {
            return Err(Error::new(Fault::Caller, "no scans in it (.tif, .tiff, .png, .counts, .stream)").in_(path.display()));
        }
        files.extend(inside);
    }
    Ok(files)
}

/// The scans in a folder, sorted.
pub(crate) fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(path).map_err(|error| Error::io(&error).in_(path.display()))?;
    let is_scan = |file: &PathBuf| file.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)));
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_scan).collect();
    files.sort();
    Ok(files)
}

/// A consist from a file.
pub(crate) fn read_consist(path: &Path) -> Result<Consist> {
    let bytes = Bytes::read(path, consist::MAX_BYTES)?;
    Consist::parse(&bytes).map_err(|error| error.in_(path.display()))
}

/// `NAME.consist.json` beside `NAME.tif`, if it is there.
pub(crate) fn consist_of(scan: &Path) -> Result<Option<Consist>> {
    let beside = scan.with_extension("consist.json");
    if beside.is_file() { read_consist(&beside).map(Some) } else { Ok(None) }
}

/// A scan in progress: `NAME.counts` with its table, or a TIFF that grows.
pub(crate) struct Live {
    path: PathBuf,
    scan: Option<Scan>,
}

impl Live {
    /// What is at `path` may not be there yet.
    pub(crate) fn open(path: &Path) -> Live {
        Live { path: path.to_owned(), scan: None }
    }

    fn in_two_files(&self) -> bool {
        self.path.extension().is_some_and(|ending| ending == "counts")
    }

    /// Columns that are there now.
    pub(crate) fn refresh(&mut self) -> usize {
        if self.in_two_files() {
            if self.scan.is_none() {
                self.scan = Scan::open(&self.path).ok();
            }
        } else if let Ok((scan, _)) = Scan::open_or_recover(&self.path) {
            // A mapping does not grow: it is made anew.
            self.scan = Some(scan);
        }
        self.scan.as_ref().map_or(0, Scan::columns)
    }

    /// Whether no more columns will come: the sealed TIFF is beside the two files, or the TIFF is whole.
    pub(crate) fn sealed(&self) -> bool {
        if self.path.extension().is_some_and(|ending| ending == "stream") {
            // Nothing in it says that it is over.
            return false;
        }
        if self.in_two_files() { self.path.with_extension("tif").exists() } else { Scan::open(&self.path).is_ok() }
    }

    pub(crate) fn scan(&self) -> Option<&Scan> {
        self.scan.as_ref()
    }
}

/// One car of an earlier scan.
pub(crate) struct Before {
    pub(crate) scan: Rc<Scan>,
    pub(crate) calibration: Rc<Calibration>,
    pub(crate) segment: CarSegment,
}

/// An earlier scan, cut.
struct Cut {
    scan: Rc<Scan>,
    calibration: Rc<Calibration>,
    cars: Vec<CarSegment>,
    /// Mark of each car, where it is known well enough to compare with.
    marks: Vec<Option<String>>,
}

/// Earlier scans by reporting mark. Lists are read at once, scans opened and cut when one of their cars is asked for.
pub(crate) struct EarlierScans {
    by_mark: BTreeMap<String, Vec<PathBuf>>,
    cut: BTreeMap<PathBuf, Option<Cut>>,
}

impl EarlierScans {
    /// Reads the consists of a folder's scans.
    pub(crate) fn index(path: &Path) -> Result<EarlierScans> {
        let mut by_mark: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for scan in folder(path)? {
            match consist_of(&scan) {
                Ok(Some(list)) => {
                    for mark in list.cars.iter().filter_map(consist::ConsistCar::written_mark) {
                        by_mark.entry(mark).or_default().push(scan.clone());
                    }
                }
                Ok(None) => {}
                Err(error) => eprintln!("garita: earlier scan left out: {error}"),
            }
        }
        Ok(EarlierScans { by_mark, cut: BTreeMap::new() })
    }

    /// The latest earlier scan of a car (by file name), never the scan itself, nor a copy of it.
    pub(crate) fn find(&mut self, mark: &str, own: &Scan) -> Option<Before> {
        for path in self.by_mark.get(mark)?.iter().rev() {
            let cut = self.cut.entry(path.clone()).or_insert_with(|| match cut(path) {
                Ok(cut) => Some(cut),
                Err(error) => {
                    eprintln!("garita: earlier scan left out: {error}");
                    None
                }
            });
            if let Some(cut) = cut
                && !is_copy(&cut.scan, own)
                && let Some(index) = cut.marks.iter().position(|known| known.as_deref() == Some(mark))
            {
                return Some(Before { scan: Rc::clone(&cut.scan), calibration: Rc::clone(&cut.calibration), segment: cut.cars[index].clone() });
            }
        }
        None
    }
}

/// Whether two scans hold the same counts: in 16 places, which no two passages of a train share.
fn is_copy(one: &Scan, other: &Scan) -> bool {
    let columns = one.columns();
    let same = |column: usize| matches!((one.counts(column..column + 1), other.counts(column..column + 1)), (Ok(a), Ok(b)) if a == b);
    columns > 0 && (columns, one.detectors()) == (other.columns(), other.detectors()) && (0..16).all(|place| same(place * (columns - 1) / 15))
}

fn cut(path: &Path) -> Result<Cut> {
    let scan = Scan::open(path)?;
    let mut session = Session::begin(&scan)?;
    let cars = session.advance(&scan, scan.columns(), true)?;
    let list = consist_of(path)?.unwrap_or_default();
    let marks = consist::align(&cars, &list, true)
        .iter()
        // Another car's picture is worse than none.
        .map(|identity| garita::rail::inspect::mark_of(identity, &list))
        .map(|(mark, confidence)| mark.filter(|_| confidence > 0.8))
        .collect();
    Ok(Cut { calibration: Rc::new(session.calibration().clone()), scan: Rc::new(scan), cars, marks })
}
