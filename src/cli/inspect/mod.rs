//! `garita inspect`: cars and findings of rail scans.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use garita::bytes::Bytes;
use garita::error::{Error, Fault, Result};
use garita::infer::Engine;
use garita::rail::anomaly::Anomaly;
use garita::rail::consist::{self, Consist, Identity};
use garita::rail::inspect::{CarReport, Earlier, Examined, ScanReport};
use garita::rail::scan::Scan;
use garita::rail::segment::CarSegment;
use garita::rail::session::Session;
use garita::rail::sought::Sought;
use garita::rail::thresholds::Thresholds;
use garita::watchlist::snapshot::Snapshot;
use serde::Serialize;

pub(crate) mod files;
mod output;

use files::{EarlierScans, consist_of, scan_files};

/// How long `--follow` waits for another column.
const POLL: Duration = Duration::from_millis(50);

/// Cuts rail scans into cars and finds what does not belong in them.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Scans: TIFF (time-major or ordinary), 16-bit PNG, raw counts with NAME.scan.json, NAME.counts in progress, NAME.stream as a portal sends it; or folders of them.
    #[arg(required = true, value_name = "SCAN")]
    scans: Vec<PathBuf>,
    /// The train's list: JSON, or the text message of a tag reader; NAME.consist.json beside NAME.tif is picked up by itself.
    #[arg(long, value_name = "FILE")]
    consist: Option<PathBuf>,
    /// Print one JSON object per car, then one per scan.
    #[arg(long)]
    json: bool,
    /// Write grey, thickness, overlay and not-penetrated pictures of each car into this folder.
    #[arg(long, value_name = "DIR")]
    draw: Option<PathBuf>,
    /// Compare each car with its latest earlier scan in this folder, found by reporting mark.
    #[arg(long, value_name = "DIR")]
    earlier: Option<PathBuf>,
    /// Write steel-equivalent mm (and its standard error as page 2) as f32 TIFF, time-major like the scan, into this folder.
    #[arg(long, value_name = "DIR")]
    thickness: Option<PathBuf>,
    /// Read a scan in progress: report each car as soon as it has passed.
    #[arg(long)]
    follow: bool,
    /// With --follow: seconds without a new column after which the train has passed.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds)]
    idle: f64,
    /// Thresholds made by `garita calibrate rail` from normal cars of this site.
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Match marks and containers against this watchlist: an index of `garita watchlist import`, or a CSV file.
    #[arg(long, value_name = "FILE")]
    watchlist: Option<PathBuf>,
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    text.parse().ok().filter(|seconds| (0.05..=86_400.0).contains(seconds)).ok_or_else(|| "it takes 0.05 to 86400 seconds".to_owned())
}

/// Everything that stays the same from scan to scan.
struct Desk<'a> {
    args: &'a Args,
    thresholds: Thresholds,
    consist: Option<Consist>,
    earlier: Option<EarlierScans>,
    watchlist: Option<Snapshot>,
    sought: Sought,
    network: Option<Anomaly>,
    /// What pictures and thicknesses of a scan are called, and which scan was called so first.
    stems: BTreeMap<String, PathBuf>,
    /// A car could not be looked at.
    failed: bool,
}

/// Inspects each scan; exit code 0 if all were read, 1 if any failed.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let thresholds = match &args.calibration {
        Some(path) => Thresholds::parse(&Bytes::read(path, 64 << 20)?).map_err(|error| error.in_(path.display()))?.or(Thresholds::built_in()),
        None => Thresholds::built_in(),
    };
    let consist = args.consist.as_deref().map(files::read_consist).transpose()?;
    let earlier = args.earlier.as_deref().map(EarlierScans::index).transpose()?;
    for folder in [&args.draw, &args.thickness].into_iter().flatten() {
        std::fs::create_dir_all(folder).map_err(|error| Error::io(&error).in_(folder.display()))?;
    }
    let watchlist = args.watchlist.as_deref().map(|path| crate::cli::load_watchlist(path, jiff::Timestamp::now())).transpose()?;
    let scans = scan_files(&args.scans, args.follow)?;
    if consist.is_some() && scans.len() > 1 {
        let message = format!("is the list of one train, and {} scans are named: put NAME.consist.json beside each NAME.tif", scans.len());
        return Err(Error::new(Fault::Caller, message).in_("--consist"));
    }
    let (sought, stems) = (Sought::default(), BTreeMap::new());
    let mut desk = Desk { args, thresholds, consist, earlier, watchlist, sought, network: network()?, stems, failed: false };
    let mut failed = false;
    for path in scans {
        let report = match desk.scan(&path) {
            Ok(report) => report,
            Err(error) => ScanReport::failed(&path.display().to_string(), error.to_string()),
        };
        failed |= report.error.is_some();
        desk.print_scan(&report)?;
    }
    Ok(if failed || desk.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The anomaly network; none where ONNX Runtime is not on this machine, which the scans' reports say.
pub(crate) fn network() -> Result<Option<Anomaly>> {
    Engine::load().ok().map(|engine| Anomaly::open(&engine)).transpose()
}

impl Desk<'_> {
    /// One scan, from open to its report; cars are printed on the way.
    fn scan(&mut self, path: &Path) -> Result<ScanReport> {
        let name = path.display().to_string();
        // A list that cannot be read costs the names, not the pictures.
        let own = if self.consist.is_some() { Ok(None) } else { consist_of(path) };
        let unread = own.as_ref().err().map(Error::to_string);
        let consist = self.consist.clone().or(own.unwrap_or_default());
        let mut report = if self.args.follow { self.follow(path, &name, consist.as_ref()) } else { self.whole(path, &name, consist.as_ref()) }?;
        report.error = report.error.or(unread);
        Ok(report)
    }

    /// A scan that is all there.
    fn whole(&mut self, path: &Path, name: &str, consist: Option<&Consist>) -> Result<ScanReport> {
        let started = Instant::now();
        let (scan, cut_short) = Scan::open_or_recover(path)?;
        let opened = started.elapsed();
        let mut session = Session::begin(&scan)?;
        let begun = started.elapsed();
        let cars = session.advance(&scan, scan.columns(), true)?;
        let cut = started.elapsed();
        let identities = consist.map_or_else(|| vec![Identity::default(); cars.len()], |list| consist::align(&cars, list, true));
        let shared = [("open", opened), ("calibrate", begun - opened), ("cut", cut - begun)];
        for (segment, identity) in cars.iter().zip(&identities) {
            self.car(name, &scan, &mut session, segment, identity, consist, &shared)?;
        }
        let mut report = session.report(name, &scan, &identities, consist, &self.thresholds);
        report.error = cut_short.or(self.write_thickness(path, &scan, &session).err()).map(|error| error.to_string());
        Ok(report)
    }

    /// A scan in progress: cars are looked at as soon as they are complete.
    fn follow(&mut self, path: &Path, name: &str, consist: Option<&Consist>) -> Result<ScanReport> {
        let mut live = files::Live::open(path);
        let idle = Duration::from_secs_f64(self.args.idle);
        let mut seen = 0;
        let mut news = Instant::now();
        let mut session: Option<Session> = None;
        let mut cars: Vec<CarSegment> = Vec::new();
        let mut identities: Vec<Identity> = Vec::new();
        let given_up = loop {
            // Whether it was sealed is asked before the columns are counted: none can come after.
            let sealed = live.sealed();
            let columns = live.refresh();
            let waited = news.elapsed() >= idle;
            if columns > seen {
                (seen, news) = (columns, Instant::now());
            }
            let last = sealed || (waited && columns <= seen && news.elapsed() >= idle);
            if let Some(scan) = live.scan() {
                // Air enough for a first level: 1.7 s at 112 columns a second.
                if session.is_none() && (columns >= 192 || (last && columns > 0)) {
                    session = Some(Session::begin(scan)?);
                }
                if let Some(session) = &mut session {
                    let fresh = session.advance(scan, columns, last)?;
                    for segment in fresh {
                        cars.push(segment);
                        identities = consist.map_or_else(|| vec![Identity::default(); cars.len()], |list| consist::align(&cars, list, last));
                        let (segment, identity) = (cars[cars.len() - 1].clone(), identities[cars.len() - 1].clone());
                        self.car(name, scan, session, &segment, &identity, consist, &[])?;
                    }
                }
            }
            if last {
                // Nothing in a stream says that it is over.
                break !sealed && path.extension().is_none_or(|ending| ending != "stream");
            }
            std::thread::sleep(POLL);
        };
        let (Some(scan), Some(session)) = (live.scan(), session) else {
            return Err(Error::new(Fault::Damaged, "no columns came").in_(name));
        };
        let mut report = session.report(name, scan, &identities, consist, &self.thresholds);
        report.error = self.write_thickness(path, scan, &session).err().map(|error| error.to_string());
        if given_up {
            report.alarms.push(format!("no column came for {:.1} s and the scan is not sealed: the train may go on", idle.as_secs_f64()));
        }
        Ok(report)
    }

    /// Looks at one car, prints and draws it.
    #[allow(clippy::too_many_arguments)]
    fn car(
        &mut self,
        name: &str,
        scan: &Scan,
        session: &mut Session,
        segment: &CarSegment,
        identity: &Identity,
        consist: Option<&Consist>,
        shared: &[(&'static str, Duration)],
    ) -> Result<()> {
        let mark = consist.and_then(|list| garita::rail::inspect::mark_of(identity, list).0);
        let started = Instant::now();
        let before = match (&mut self.earlier, &mark) {
            (Some(scans), Some(mark)) => scans.find(mark, scan),
            _ => None,
        };
        let found = started.elapsed();
        let earlier = before.as_ref().map(|before| Earlier { scan: &before.scan, calibration: &before.calibration, segment: &before.segment });
        let (mut report, examined) = session.look(name, scan, segment, (identity, consist), earlier.as_ref(), &self.thresholds, self.network.as_mut());
        if let Some(watchlist) = &self.watchlist
            && let Some(list) = consist
            && let [entry] = identity.entries[..]
        {
            // A scan on disk says no day that could be relied on: entries in force now are sought, as `garita read` does.
            let mut hits = Vec::new();
            self.sought.hits(watchlist, &list.cars[entry], jiff::Timestamp::now().as_millisecond(), &mut hits)?;
            report.hits.extend(hits.iter().map(garita::rail::sought::Hit::told));
        }
        let total = started.elapsed();
        let milliseconds = |duration: Duration| (duration.as_secs_f64() * 1e5).round() / 100.0;
        report.timing_ms.extend(shared.iter().map(|&(stage, duration)| (stage, milliseconds(duration))));
        report.timing_ms.insert("earlier", milliseconds(found));
        report.timing_ms.insert("detect", milliseconds(total - found));
        report.timing_ms.insert("total", milliseconds(total));
        self.failed |= report.error.is_some();
        self.print_car(&report)?;
        if let (Some(folder), Some(examined)) = (&self.args.draw, &examined) {
            let stem = self.stem(Path::new(name));
            draw(folder, &stem, segment, examined)?;
        }
        Ok(())
    }

    fn write_thickness(&mut self, path: &Path, scan: &Scan, session: &Session) -> Result<()> {
        let Some(folder) = &self.args.thickness else { return Ok(()) };
        let to = folder.join(format!("{}.tif", self.stem(path)));
        // Thicknesses of another day are no scan, and give way.
        if Scan::open_or_recover(&to).is_ok() {
            return Err(Error::new(Fault::Caller, "is a scan itself: name another folder").in_(to.display()).in_("--thickness"));
        }
        output::write_thickness(&to, scan, session.calibration())
    }

    /// What is written of a scan is called like it; `NAME-2` where another scan of this run is NAME already.
    fn stem(&mut self, scan: &Path) -> String {
        let stem = scan.file_stem().map_or_else(|| "scan".into(), |stem| stem.to_string_lossy().into_owned());
        let names = std::iter::once(stem.clone()).chain((2..).map(|number| format!("{stem}-{number}")));
        for name in names {
            if self.stems.entry(name.clone()).or_insert_with(|| scan.to_owned()) == scan {
                return name;
            }
        }
        unreachable!("numbers do not end")
    }

    fn print_car(&self, report: &CarReport) -> Result<()> {
        if self.args.json {
            return print_json(report);
        }
        let mark = report.mark.as_deref().unwrap_or("?");
        let found: Vec<String> =
            report.findings.iter().map(|finding| format!("{} p={:.2} {:+.0} kg", finding.kind, finding.probability, finding.mass_kg)).collect();
        let state = if report.empty_probability >= 0.5 { "empty" } else { "not empty" };
        line(&format!(
            "{:>4}  {:<11} {:<10} {:<9} score {:>5.2}  not seen through {:>3.0} %  {}{}{}",
            report.position,
            mark,
            report.kind,
            state,
            report.score,
            100.0 * report.penetration_limited,
            found.join("; "),
            report.hits.iter().map(|hit| format!("  HIT {} {} on {}", hit["class"], hit["entry"], hit["list"])).collect::<String>(),
            report.error.as_ref().map_or_else(String::new, |error| format!("  ERROR {error}"))
        ))
    }

    fn print_scan(&self, report: &ScanReport) -> Result<()> {
        if self.args.json {
            return print_json(report);
        }
        line(&format!("{}: {} cars, consist {}, dead {:?}", report.scan, report.cars, report.consist, report.dead))?;
        report.alarms.iter().try_for_each(|alarm| line(&format!("  ALARM {alarm}")))?;
        report.error.iter().try_for_each(|error| line(&format!("  ERROR {error}")))
    }
}

/// One JSON object, one line, at once: a reader at the other end of a pipe waits for it.
fn print_json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(value).map_err(|error| Error::new(Fault::Machine, error.to_string()))?)
}

fn line(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| if out.is_terminal() { Ok(()) } else { out.flush() });
    written.map_err(|error| Error::io(&error).in_("standard output"))
}

/// The pictures of one car.
fn draw(folder: &Path, stem: &str, segment: &CarSegment, examined: &Examined) -> Result<()> {
    for (what, picture) in garita::draw::rail::pictures(examined) {
        let path = folder.join(format!("{stem}-{:03}-{what}.png", segment.position));
        picture.save(&path).map_err(|error| Error::new(Fault::Machine, error.to_string()).in_(path.display()))?;
    }
    Ok(())
}
