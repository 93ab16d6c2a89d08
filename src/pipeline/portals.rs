//! The rail worker: one thread that takes waiting scans from the store, in order, and cuts, examines and matches them; nothing is shed, a scan waits.
//!
//! ```text
//! store ──the scan that has waited longest──▶ rail worker ──cars, summary, hits: one commit──▶ store
//!        └─the scans that are passing─────────▶    └──each car as soon as it has passed────────▶ store
//! ```
//!
//! The store is the queue, so that a restart loses nothing and does nothing twice: what was half inspected still waits. The worker takes one step at a
//! time, a car at most: trains that are passing now come first, so that their cars are told while the next ones pass; what waits is inspected
//! between them. When a train has passed, its scan waits like any other and is inspected as a whole: what was told on the way is provisional.
//!
//! A step that panics ends with that scan marked bad, and the log says so; one that takes the process with it is counted in the store
//! ([`scans::MOST_ATTEMPTS`]).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::spawn;
use crate::custody::Custody;
use crate::custody::record::Fate;
use crate::custody::scans::{self, CarHit, Inspected, MOST_ATTEMPTS, Paper, ScanRow};
use crate::error::{Error, Fault, Result};
use crate::rail::anomaly::Anomaly;
use crate::rail::calibrate::Calibration;
use crate::rail::consist::{self, Consist, Identity};
use crate::rail::inspect::{CarReport, Earlier, mark_of};
use crate::rail::scan::{Description, Scan};
use crate::rail::segment::CarSegment;
use crate::rail::session::Session;
use crate::rail::sought::Sought;
use crate::rail::thresholds::Thresholds;
use crate::rail::waybill::Manifest;
use crate::watchlist::snapshot::Watchlist;

/// How often the files of passing trains are looked at: a column comes every 9 ms at 112 a second.
const PASSING_POLL: Duration = Duration::from_millis(50);
/// How often the store is asked without having been woken.
const IDLE_POLL: Duration = Duration::from_secs(1);
/// Columns before a first calibration is tried: 1.7 s of air at 112 a second; as `garita inspect --follow`.
const FIRST_COLUMNS: usize = 192;
/// Earlier scans that are kept cut: the cars of one train mostly came in the same few.
const MOST_EARLIER: usize = 4;

/// How one portal's scans are looked at.
#[derive(Debug, Clone)]
pub struct PortalSettings {
    /// The portal's id.
    pub id: String,
    /// What normal cars score there.
    pub thresholds: Thresholds,
    /// Whether two persons must confirm each finding.
    pub two_person: bool,
}

/// What the worker says as it goes; the store has it already.
#[derive(Debug)]
pub enum ScanNews<'a> {
    /// A car has passed while others still come.
    Car(&'a ScanRow, &'a CarReport),
    /// A scan is inspected.
    Inspected(&'a Inspected, &'a Description),
    /// What came is no scan.
    Bad(&'a ScanRow, &'a Error),
}

/// The rail worker, running.
pub struct Portals {
    calls: Sender<Call>,
    alive: Weak<()>,
    thread: JoinHandle<()>,
}

/// Calls the rail worker. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Waker {
    calls: Sender<Call>,
    alive: Weak<()>,
}

#[derive(Debug)]
enum Call {
    Wake,
    End,
}

impl Waker {
    /// Says that the store has something new. Never waits.
    pub fn wake(&self) {
        // A call that was not taken yet does for both.
        let _ = self.calls.try_send(Call::Wake);
    }

    /// Whether the worker is there; it ends before its time by a panic alone.
    pub fn is_heard(&self) -> bool {
        self.alive.strong_count() > 0
    }
}

impl Portals {
    /// Starts the worker over the scans of `custody`, with its anomaly network; `told` hears of each result after its commit, on the worker's thread.
    ///
    /// # Errors
    /// `Machine` where no thread can be had.
    pub fn start(
        custody: Custody,
        portals: Vec<PortalSettings>,
        watchlists: Vec<Arc<Watchlist>>,
        network: Anomaly,
        told: impl FnMut(ScanNews<'_>) + Send + 'static,
    ) -> Result<Portals> {
        let (calls, called) = bounded(1);
        let life = Arc::new(());
        let alive = Arc::downgrade(&life);
        let body = move || {
            let _life = life;
            let worker = Worker {
                custody,
                portals,
                network,
                lists: Lists { watchlists, sought: Sought::default() },
                told: Box::new(told),
                passing: BTreeMap::new(),
                current: None,
                settled: None,
                earlier: Vec::new(),
            };
            worker.run(&called);
        };
        Ok(Portals { calls, alive, thread: spawn("rail worker".to_owned(), body)? })
    }

    /// What calls it.
    pub fn waker(&self) -> Waker {
        Waker { calls: self.calls.clone(), alive: self.alive.clone() }
    }

    /// Ends the worker after the car that it looks at; what is not done waits for the next start.
    pub fn finish(self) {
        let _ = self.calls.send(Call::End);
        let _ = self.thread.join();
    }
}

struct Worker {
    custody: Custody,
    portals: Vec<PortalSettings>,
    network: Anomaly,
    lists: Lists,
    told: Box<dyn FnMut(ScanNews<'_>)>,
    passing: BTreeMap<i64, Passing>,
    current: Option<Inspection>,
    /// Done, but not committed yet.
    settled: Option<(Arc<Inspected>, Description)>,
    /// Newest last.
    earlier: Vec<(String, Option<Rc<Cut>>)>,
}

/// Who is sought.
struct Lists {
    watchlists: Vec<Arc<Watchlist>>,
    sought: Sought,
}

/// One scan being inspected, a car at a time.
struct Inspection {
    row: ScanRow,
    scan: Scan,
    cut_short: Option<String>,
    consist: Option<Consist>,
    session: Session,
    cars: Vec<CarSegment>,
    identities: Vec<Identity>,
    reports: Vec<CarReport>,
    /// What its cars have in common: opening the scan and cutting it.
    shared_ms: [(&'static str, f64); 2],
}

/// A train that is passing.
struct Passing {
    row: ScanRow,
    path: PathBuf,
    scan: Option<Scan>,
    session: Option<Session>,
    consist: Option<Consist>,
    cars: Vec<CarSegment>,
    seen: usize,
    /// Said once: what is wrong with it is told when it has passed.
    failed: bool,
}

/// An earlier scan, calibrated and cut.
struct Cut {
    scan: Scan,
    calibration: Calibration,
    cars: Vec<CarSegment>,
}

impl Worker {
    fn run(mut self, called: &Receiver<Call>) {
        loop {
            let patience = match (&self.current, self.passing.is_empty()) {
                (Some(_), _) => Duration::ZERO,
                (None, false) => PASSING_POLL,
                (None, true) => IDLE_POLL,
            };
            match called.recv_timeout(patience) {
                Ok(Call::End) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Call::Wake) | Err(RecvTimeoutError::Timeout) => {}
            }
            if let Err(error) = self.step() {
                tracing::error!(%error, "the rail worker waits");
                // Nothing may hurry it while the store refuses: not even being woken.
                std::thread::sleep(IDLE_POLL);
            }
        }
        let unfinished = self.current.map(|current| current.row.id).or(self.settled.map(|(found, _)| found.scan.id));
        if let Some(id) = unfinished {
            self.custody.change(move |transaction| scans::leave_inspection(transaction, id));
        }
    }

    /// What has passed of passing trains, then a car of what waits.
    fn step(&mut self) -> Result<()> {
        self.follow()?;
        self.settle()?;
        if self.current.is_none() {
            self.begin()?;
        }
        let Some(mut current) = self.current.take() else { return Ok(()) };
        let thresholds = thresholds(&self.portals, &current.row.portal);
        let before = current.next_mark().and_then(|mark| self.earlier_car(&mark, current.row.id));
        let stepped = guarded(|| Ok(current.step(&thresholds, &mut self.network, before.as_ref())));
        match stepped {
            Ok(true) => self.current = Some(current),
            Ok(false) => {
                self.settled = Some(self.end(current, &thresholds));
                self.settle()?;
            }
            Err(error) => self.bad(current.row, &error)?,
        }
        Ok(())
    }

    /// Begins with the scan that has waited longest.
    fn begin(&mut self) -> Result<()> {
        let Some(row) = self.custody.next_waiting_scan()? else { return Ok(()) };
        if row.attempts >= MOST_ATTEMPTS {
            let error = Error::new(Fault::Limit, format!("garita ended {} times while it was inspecting this scan; it is left alone now", row.attempts));
            return self.bad(row, &error);
        }
        let id = row.id;
        scans::kept(self.custody.change(move |transaction| scans::begin_inspection(transaction, id)))?;
        let consist = self.consist(&row)?;
        let path = self.custody.folder().join("scans").join(row.file.as_deref().unwrap_or_default());
        match guarded(|| Inspection::begin(row.clone(), &path, consist)) {
            Ok(inspection) => self.current = Some(inspection),
            Err(error) if error.fault == Fault::Machine => return Err(error),
            Err(error) => return self.bad(row, &error),
        }
        Ok(())
    }

    fn end(&mut self, current: Inspection, thresholds: &Thresholds) -> (Arc<Inspected>, Description) {
        let Inspection { row, scan, cut_short, consist, session, identities, mut reports, .. } = current;
        let mut summary = session.report(&name_of(&row), &scan, &identities, consist.as_ref(), thresholds);
        summary.alarms.extend(cut_short.as_ref().map(|why| format!("only a part of the train came, and cars of it are missing: {why}")));
        summary.error = cut_short;
        let hits = self.lists.of_train(consist.as_ref(), &identities, &mut reports, row.received_ms);
        let two_person = two_person(&self.portals, &row.portal);
        (Arc::new(Inspected { scan: row, cars: reports, summary, hits, two_person }), scan.description)
    }

    /// Commits what is done. Where the store refuses, it is kept: the work is done, only the place for it is missing.
    fn settle(&mut self) -> Result<()> {
        let Some((found, description)) = &self.settled else { return Ok(()) };
        let (kept, now_ms) = (Arc::clone(found), now_ms());
        if scans::kept(self.custody.change(move |transaction| scans::insert_inspected(transaction, &kept, now_ms)))? > 0 {
            (self.told)(ScanNews::Inspected(found, description));
        }
        self.settled = None;
        Ok(())
    }

    fn bad(&mut self, row: ScanRow, error: &Error) -> Result<()> {
        let (id, text, now_ms) = (row.id, format!("{}: {}", name_of(&row), error.message), now_ms());
        if scans::kept(self.custody.change(move |transaction| scans::mark_bad(transaction, id, &text, now_ms)))? > 0 {
            tracing::warn!(portal = row.portal, scan = row.id, %error, "a scan is bad; its file is kept");
            (self.told)(ScanNews::Bad(&row, error));
        }
        Ok(())
    }

    /// The train's list as its papers say it.
    fn consist(&self, row: &ScanRow) -> Result<Option<Consist>> {
        let Some(text) = self.custody.paper(&row.portal, &row.key, Paper::Consist)? else { return Ok(None) };
        let mut consist = Consist::parse(text.as_bytes())?;
        if let Some(text) = self.custody.paper(&row.portal, &row.key, Paper::Manifest)? {
            Manifest::parse(text.as_bytes())?.lay_over(&mut consist);
        }
        Ok(Some(consist))
    }

    /// The latest earlier scan of a car, by its mark.
    fn earlier_car(&mut self, mark: &str, than: i64) -> Option<(Rc<Cut>, usize)> {
        let (file, position) = self.custody.earlier_car(mark, than).ok()??;
        let cut = match self.earlier.iter().position(|(known, _)| *known == file) {
            Some(at) => self.earlier[at].1.clone(),
            None => {
                let path = self.custody.folder().join("scans").join(&file);
                let cut = guarded(|| Cut::of(&path)).inspect_err(|error| tracing::warn!(%error, "an earlier scan is left out")).ok().map(Rc::new);
                if self.earlier.len() == MOST_EARLIER {
                    self.earlier.remove(0);
                }
                self.earlier.push((file, cut.clone()));
                cut
            }
        }?;
        let index = cut.cars.iter().position(|car| car.position == position)?;
        Some((cut, index))
    }

    /// Tells the cars that have passed of trains that are passing.
    fn follow(&mut self) -> Result<()> {
        let rows = self.custody.passing_scans()?;
        self.passing.retain(|id, _| rows.iter().any(|row| row.id == *id));
        for row in rows {
            let (thresholds, two_person) = (thresholds(&self.portals, &row.portal), two_person(&self.portals, &row.portal));
            let mut train = match self.passing.remove(&row.id) {
                Some(train) if train.row.revision == row.revision => train,
                // A paper has come: its cars are told from now on with it.
                known => {
                    let consist = self.consist(&row)?;
                    match known {
                        Some(train) => Passing { consist, row: row.clone(), ..train },
                        None => Passing::new(row.clone(), self.custody.folder(), consist),
                    }
                }
            };
            match guarded(|| train.advance(&thresholds, &mut self.network)) {
                Ok(fresh) => {
                    for (index, mut report) in fresh {
                        let hits = self.lists.of_car(train.consist.as_ref(), &train.identities()[index], &mut report, row.received_ms);
                        let (id, car, now_ms) = (row.id, report.clone(), now_ms());
                        // Provisional: where there is no space for it now, the whole scan says it again.
                        let fate = self.custody.change(move |transaction| scans::insert_passing_car(transaction, id, &car, &hits, two_person, now_ms));
                        if let Fate::Kept(1..) = fate {
                            (self.told)(ScanNews::Car(&row, &report));
                        }
                    }
                }
                Err(error) if !train.failed => {
                    tracing::warn!(portal = row.portal, scan = row.id, %error, "a passing train cannot be followed");
                    train.failed = true;
                }
                Err(_) => {}
            }
            self.passing.insert(row.id, train);
        }
        Ok(())
    }
}

impl Inspection {
    fn begin(row: ScanRow, path: &Path, consist: Option<Consist>) -> Result<Inspection> {
        let begun = Instant::now();
        let (scan, damage) = Scan::open_or_recover(path)?;
        let opened = begun.elapsed();
        let mut session = Session::begin(&scan)?;
        let cars = session.advance(&scan, scan.columns(), true)?;
        let shared_ms = [("open", milliseconds(opened)), ("cut", milliseconds(begun.elapsed() - opened))];
        let identities = align(&cars, consist.as_ref(), true);
        // Whom the store's own path would tell nothing knows the scan by its name.
        let told = |error: Error| error.to_string().replace(&path.display().to_string(), &name_of(&row));
        let cut_short = row.cut_short.clone().or(damage.map(told));
        Ok(Inspection { shared_ms, reports: Vec::with_capacity(cars.len()), row, scan, cut_short, consist, session, cars, identities })
    }

    /// The mark of the car that is next, if it is known well enough to compare pictures.
    fn next_mark(&self) -> Option<String> {
        let (mark, confidence) = mark_of(self.identities.get(self.reports.len())?, self.consist.as_ref()?);
        mark.filter(|_| confidence > 0.8)
    }

    /// Looks at the next car; false when there is none.
    fn step(&mut self, thresholds: &Thresholds, network: &mut Anomaly, before: Option<&(Rc<Cut>, usize)>) -> bool {
        let Some(segment) = self.cars.get(self.reports.len()) else { return false };
        let identity = &self.identities[self.reports.len()];
        let earlier = before.map(|(cut, index)| Earlier { scan: &cut.scan, calibration: &cut.calibration, segment: &cut.cars[*index] });
        let begun = Instant::now();
        let (mut report, _) =
            self.session.look(&name_of(&self.row), &self.scan, segment, (identity, self.consist.as_ref()), earlier.as_ref(), thresholds, Some(network));
        report.timing_ms.extend(self.shared_ms);
        report.timing_ms.insert("detect", milliseconds(begun.elapsed()));
        self.reports.push(report);
        true
    }
}

impl Passing {
    fn new(row: ScanRow, folder: &Path, consist: Option<Consist>) -> Passing {
        let path = folder.join("uploads").join(format!("{}.stream", row.upload));
        Passing { row, path, scan: None, session: None, consist, cars: Vec::new(), seen: 0, failed: false }
    }

    fn identities(&self) -> Vec<Identity> {
        align(&self.cars, self.consist.as_ref(), false)
    }

    /// Takes the columns that have come; the cars that are complete with them, each with its index.
    fn advance(&mut self, thresholds: &Thresholds, network: &mut Anomaly) -> Result<Vec<(usize, CarReport)>> {
        if self.scan.is_none() {
            // Before the first line has come there is nothing to open.
            if !self.path.exists() || crate::rail::scan::stream::head(&self.path)?.is_none() {
                return Ok(Vec::new());
            }
            self.scan = Some(Scan::open(&self.path)?);
        }
        let Some(scan) = &self.scan else { return Ok(Vec::new()) };
        let columns = scan.columns();
        if columns == self.seen || self.failed {
            return Ok(Vec::new());
        }
        self.seen = columns;
        if self.session.is_none() && columns >= FIRST_COLUMNS {
            self.session = Some(Session::begin(scan)?);
        }
        let Some(session) = &mut self.session else { return Ok(Vec::new()) };
        let first = self.cars.len();
        self.cars.extend(session.advance(scan, columns, false)?);
        let identities = align(&self.cars, self.consist.as_ref(), false);
        let name = name_of(&self.row);
        let fresh = (first..self.cars.len()).map(|index| {
            let (identity, begun) = ((&identities[index], self.consist.as_ref()), Instant::now());
            let (mut report, _) = session.look(&name, scan, &self.cars[index], identity, None, thresholds, Some(&mut *network));
            report.timing_ms.insert("detect", milliseconds(begun.elapsed()));
            (index, report)
        });
        Ok(fresh.collect())
    }
}

impl Cut {
    fn of(path: &Path) -> Result<Cut> {
        let (scan, _) = Scan::open_or_recover(path)?;
        let mut session = Session::begin(&scan)?;
        let cars = session.advance(&scan, scan.columns(), true)?;
        Ok(Cut { calibration: session.calibration().clone(), scan, cars })
    }
}

impl Lists {
    /// Everybody of the train's list who is sought, also where the list's car was not found in the picture; the cars' reports are told theirs.
    fn of_train(&mut self, consist: Option<&Consist>, identities: &[Identity], reports: &mut [CarReport], at_ms: i64) -> Vec<CarHit> {
        let mut hits = Vec::new();
        for entry in 0..consist.map_or(0, |consist| consist.cars.len()) {
            let car = identities.iter().position(|identity| identity.entries.contains(&entry));
            self.of_entry(consist, entry, car.and_then(|car| reports.get_mut(car)), at_ms, &mut hits);
        }
        hits
    }

    /// Who of one car is sought.
    fn of_car(&mut self, consist: Option<&Consist>, identity: &Identity, report: &mut CarReport, at_ms: i64) -> Vec<CarHit> {
        let mut hits = Vec::new();
        for &entry in &identity.entries {
            self.of_entry(consist, entry, Some(&mut *report), at_ms, &mut hits);
        }
        hits
    }

    fn of_entry(&mut self, consist: Option<&Consist>, entry: usize, report: Option<&mut CarReport>, at_ms: i64, hits: &mut Vec<CarHit>) {
        let Some(car) = consist.and_then(|consist| consist.cars.get(entry)) else { return };
        let mut found = Vec::new();
        for watchlist in &self.watchlists {
            if let Err(error) = self.sought.hits(&watchlist.load(), car, at_ms, &mut found) {
                tracing::error!(%error, "a watchlist could not be searched; hits may be missing");
            }
        }
        let position = report.as_ref().map(|report| report.position);
        if let Some(report) = report {
            report.hits.extend(found.iter().map(crate::rail::sought::Hit::told));
        }
        hits.extend(found.into_iter().map(|hit| (position, hit)));
    }
}

fn align(cars: &[CarSegment], consist: Option<&Consist>, complete: bool) -> Vec<Identity> {
    consist.map_or_else(|| vec![Identity::default(); cars.len()], |list| consist::align(cars, list, complete))
}

/// What a portal's scans are judged by; of one that is not in the site any more, the thresholds that ship.
fn thresholds(portals: &[PortalSettings], id: &str) -> Thresholds {
    portals.iter().find(|portal| portal.id == id).map_or_else(Thresholds::built_in, |portal| portal.thresholds.clone())
}

/// Whether two persons must confirm what is found at this portal.
fn two_person(portals: &[PortalSettings], id: &str) -> bool {
    portals.iter().any(|portal| portal.id == id && portal.two_person)
}

/// What the reports call a scan: its sender's name, else its file's.
fn name_of(row: &ScanRow) -> String {
    row.name.clone().or_else(|| row.file.clone()).unwrap_or_else(|| row.upload.clone())
}

/// Does `work`; a panic in it is an error of this scan, not the end of the worker.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        Err(Error::new(Fault::Damaged, format!("garita failed on it, which is a mistake in garita: {text}; please report it with the file")))
    })
}

/// To the hundredth.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e5).round() / 100.0
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
