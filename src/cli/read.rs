//! `garita read`: reads the plates of image files.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use serde::Serialize;

use garita::bytes::Bytes;
use garita::draw;
use garita::error::{Error, Fault, Result};
use garita::infer::Engine;
use garita::lane::detect::View;
use garita::lane::frame::MAX_BYTES;
use garita::lane::hit::{Hit, Matcher};
use garita::lane::line::PlateLine;
use garita::lane::read::PlateRead;
use garita::pipeline::{LaneWorker, ordered};
use garita::watchlist::snapshot::Snapshot;

use super::{percent, printable};
use paths::{Job, drawing_name, expand, shown, shown_to_people};

mod paths;

/// Reads the plates of images, folders or globs.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Image files, folders (searched for .jpg, .jpeg and .png, sorted, linked folders too, each folder once) or globs.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Print one JSON object per image, in input order. Bytes of a file's name that are not UTF-8 are written as `\xff`.
    #[arg(long)]
    json: bool,
    /// Write each image with its plates drawn into this folder.
    #[arg(long, value_name = "DIR")]
    draw: Option<PathBuf>,
    /// Match reads against this watchlist: an index of `garita watchlist import`, or a CSV file with plate, jurisdiction, list, priority, reason, valid_from, valid_until.
    #[arg(long, value_name = "FILE")]
    watchlist: Option<PathBuf>,
    /// Look also at overlapping tiles: for wide views with small plates. Costs some 25 times as much on a 4K picture.
    #[arg(long)]
    tiles: bool,
    #[command(flatten)]
    threads: super::Threads,
    #[command(flatten)]
    models: super::ModelArgs,
}

/// One line of `--json`; other tools read it.
#[derive(Serialize)]
struct Line {
    /// The path as [`shown`] writes it.
    image: String,
    /// The path as [`shown_to_people`] writes it.
    #[serde(skip)]
    to_people: String,
    width: Option<usize>,
    height: Option<usize>,
    error: Option<String>,
    plates: Vec<PlateLine>,
    timing_ms: TimingLine,
}

#[derive(Serialize, Default)]
struct TimingLine {
    decode: f64,
    detect: f64,
    read: f64,
    #[serde(rename = "match")]
    matching: f64,
    total: f64,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let jobs = expand(&args.paths).into_iter();
    let engine = Engine::load()?;
    let models = args.models.load()?;
    if let Some(folder) = &args.draw {
        std::fs::create_dir_all(folder).map_err(|error| Error::io(&error).in_(folder.display()))?;
    }
    let watchlist = args.watchlist.as_deref().map(|path| super::load_watchlist(path, jiff::Timestamp::now())).transpose()?;
    let view = if args.tiles { View::Tiled } else { View::Still };
    let threads = args.threads.for_jobs(jobs.len());
    let mut workers = super::workers(threads, || Ok((LaneWorker::open_for(&engine, &models, view)?, Matcher::default())))?;
    let progress = super::progress(jobs.len() as u64, "images", !args.json || !std::io::stdout().is_terminal());
    let mut failed = 0;
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let mut broken = None;
    // Nobody reads what more would be said: what is not under way is left.
    let unheard = AtomicBool::new(false);
    ordered(
        &mut workers,
        jobs.take_while(|_| !unheard.load(Ordering::Relaxed)),
        |(worker, matcher), job| (!unheard.load(Ordering::Relaxed)).then(|| one(worker, matcher, job, args, watchlist.as_ref())),
        |line: Option<Line>| {
            let Some(line) = line.filter(|_| broken.is_none()) else { return };
            failed += usize::from(line.error.is_some());
            // Each line goes out at once, and not through the bar.
            let written = progress.suspend(|| {
                let text = if args.json { writeln!(output, "{}", serde_json::to_string(&line).expect("plain data")) } else { write_text(&mut output, &line) };
                text.and_then(|()| output.flush())
            });
            broken = written.err();
            unheard.store(broken.is_some(), Ordering::Relaxed);
            progress.inc(1);
        },
    );
    progress.finish_and_clear();
    match broken.map_or_else(|| output.flush(), Err) {
        // The reader of our output has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(Error::io(&error).in_("standard output")),
        Ok(()) => {}
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(worker: &mut LaneWorker, matcher: &mut Matcher, Job { path, refused }: Job, args: &Args, watchlist: Option<&Snapshot>) -> Line {
    let begin = Instant::now();
    let view = if args.tiles { View::Tiled } else { View::Still };
    let (image, to_people) = (shown(&path), shown_to_people(&path));
    let mut line = Line { image, to_people, width: None, height: None, error: None, plates: Vec::new(), timing_ms: TimingLine::default() };
    let mut reads = Vec::new();
    let encoded = refused.map_or_else(|| read_frame(&path), Err);
    let outcome = encoded.and_then(|encoded| {
        let times = worker.analyse(&encoded, view, &mut reads)?;
        reads.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let analysed = Instant::now();
        let hits = reads.iter().map(|read| hits_of(matcher, read, watchlist)).collect::<Result<Vec<_>>>()?;
        let matching = analysed.elapsed();
        Ok((encoded, times, matching, hits))
    });
    match outcome {
        Ok((encoded, times, matching, hits)) => {
            (line.width, line.height) = (Some(worker.luma.width), Some(worker.luma.height));
            line.plates = reads.iter().zip(&hits).map(|(read, hits)| PlateLine::of(read, hits)).collect();
            line.timing_ms = TimingLine {
                decode: milliseconds(times.decode),
                detect: milliseconds(times.detect + times.refine),
                read: milliseconds(times.rectify + times.read),
                matching: milliseconds(matching),
                total: milliseconds(begin.elapsed()),
            };
            if let Some(folder) = &args.draw {
                let drawn: Vec<_> = reads.iter().zip(&hits).map(|(read, hits)| (*read, !hits.is_empty())).collect();
                let to = folder.join(drawing_name(&path));
                // What was read stands, whatever becomes of its picture.
                if let Err(error) = draw::annotated(&encoded, &drawn).and_then(|picture| picture.save_jpeg(&to)) {
                    line.error = Some(format!("was read, but its drawing {} cannot be written: {}", to.display(), error.message));
                }
            }
        }
        Err(error) => {
            line.error = Some(error.message);
            line.timing_ms.total = milliseconds(begin.elapsed());
        }
    }
    line
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// An image on disk says no time of capture: entries in force now are sought.
fn hits_of(matcher: &mut Matcher, read: &PlateRead, watchlist: Option<&Snapshot>) -> Result<Vec<Hit>> {
    let mut hits = Vec::new();
    if let Some(watchlist) = watchlist {
        let now_ms = jiff::Timestamp::now().as_millisecond();
        matcher.hits(watchlist, (&read.text, &read.posterior), read.jurisdiction, now_ms, &mut hits)?;
    }
    Ok(hits)
}

/// A frame's file, refused where it is longer than a frame may be. Read and not mapped: a camera may still be writing it.
fn read_frame(path: &Path) -> Result<Bytes> {
    Bytes::read(path, MAX_BYTES).map_err(|error| match error.fault {
        // What is in the file is at fault, which is said as the decoder says it.
        Fault::Damaged | Fault::Limit => Error { message: format!("bad frame: {}", error.message), ..error },
        _ => error,
    })
}

fn write_text(output: &mut impl Write, line: &Line) -> std::io::Result<()> {
    let image = &line.to_people;
    match &line.error {
        Some(error) => writeln!(output, "{image}: {}", printable(error))?,
        None if line.plates.is_empty() => writeln!(output, "{image}: no plate")?,
        None => {}
    }
    for plate in &line.plates {
        let text = if plate.text.is_empty() { "(not read)" } else { &plate.text };
        let jurisdiction = plate.jurisdiction.as_ref().map_or("?", |one| &one.code);
        write!(output, "{image}: {text:<10} {:>6}  {jurisdiction:<7} {:.1} ms", percent(plate.confidence), line.timing_ms.total)?;
        for hit in &plate.hits {
            let class = serde_json::to_value(hit.class).expect("plain data");
            let class = class.as_str().expect("a word");
            write!(output, "  HIT {class} {} on {} ({})", printable(&hit.entry), printable(&hit.list), percent(hit.probability))?;
        }
        writeln!(output)?;
    }
    Ok(())
}
