//! `garita read`: reads the plates of image files.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
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

/// Reads the plates of images, folders or globs.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Image files, folders (searched for .jpg, .jpeg and .png, sorted) or globs.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Print one JSON object per image, in input order.
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
    /// Worker threads; as many as there are cores unless given.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    #[command(flatten)]
    models: super::ModelArgs,
}

/// One line of `--json`; other tools read it.
#[derive(Serialize)]
struct Line {
    image: String,
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
    let view = if args.tiles { View::Tiled } else { View::Whole };
    let mut workers = super::workers(args.threads, || Ok((LaneWorker::open_for(&engine, &models, view)?, Matcher::default())))?;
    let progress = super::progress(jobs.len() as u64, "images", !args.json || !std::io::stdout().is_terminal());
    let mut failed = 0;
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let mut broken = None;
    ordered(
        &mut workers,
        jobs,
        |(worker, matcher), job| one(worker, matcher, job, args, watchlist.as_ref()),
        |line: Line| {
            failed += usize::from(line.error.is_some());
            // Each line goes out at once, and not through the bar.
            let written = progress.suspend(|| {
                let text = if args.json { writeln!(output, "{}", serde_json::to_string(&line).expect("plain data")) } else { write_text(&mut output, &line) };
                text.and_then(|()| output.flush())
            });
            if let Err(error) = written {
                broken.get_or_insert(error);
            }
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

/// One file to read, or why there is none.
struct Job {
    path: PathBuf,
    refused: Option<Error>,
}

fn one(worker: &mut LaneWorker, matcher: &mut Matcher, Job { path, refused }: Job, args: &Args, watchlist: Option<&Snapshot>) -> Line {
    let begin = Instant::now();
    let view = if args.tiles { View::Tiled } else { View::Whole };
    let mut line = Line { image: path.display().to_string(), width: None, height: None, error: None, plates: Vec::new(), timing_ms: TimingLine::default() };
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
                let to = drawing_path(folder, &path);
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
    Bytes::read(path, MAX_BYTES)
}

fn write_text(output: &mut impl Write, line: &Line) -> std::io::Result<()> {
    match &line.error {
        Some(error) => writeln!(output, "{}: {error}", line.image)?,
        None if line.plates.is_empty() => writeln!(output, "{}: no plate", line.image)?,
        None => {}
    }
    for plate in &line.plates {
        let text = if plate.text.is_empty() { "(not read)" } else { &plate.text };
        let jurisdiction = plate.jurisdiction.as_ref().map_or("?", |one| &one.code);
        write!(output, "{}: {text:<10} {:>5.1} %  {jurisdiction:<7} {:.1} ms", line.image, 100.0 * plate.confidence, line.timing_ms.total)?;
        for hit in &plate.hits {
            write!(output, "  HIT {:?} {} on {} ({:.0} %)", hit.class, hit.entry, hit.list, 100.0 * hit.probability)?;
        }
        writeln!(output)?;
    }
    Ok(())
}

/// Where the drawing of `path` goes: its own name, with the folders in it made part of the name, so that two images never share one.
fn drawing_path(folder: &Path, path: &Path) -> PathBuf {
    let flat = path.display().to_string().trim_start_matches(['.', '/']).replace(['/', '\\'], "_");
    folder.join(format!("{flat}.plates.jpg"))
}

/// Files stay as they are (also when they do not exist: that becomes a line), folders become their images, globs what they match. A folder or glob
/// without images is a line too, so that it costs none of the others.
fn expand(paths: &[PathBuf]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for path in paths {
        let text = path.to_string_lossy();
        let before = jobs.len();
        let refused = |message: &str| Job { path: path.clone(), refused: Some(Error::new(Fault::Caller, message)) };
        if path.is_dir() {
            images_below(path, &mut jobs);
            if jobs.len() == before {
                jobs.push(refused("is a folder with no .jpg, .jpeg or .png in it or below"));
            }
        } else if !path.exists() && text.contains(['*', '?', '[']) {
            match glob::glob(&text) {
                Err(error) => jobs.push(refused(&error.to_string())),
                Ok(matches) => jobs.extend(matches.filter_map(std::result::Result::ok).map(|path| Job { path, refused: None })),
            }
            if jobs.len() == before {
                jobs.push(refused("matches no file"));
            }
        } else {
            jobs.push(Job { path: path.clone(), refused: None });
        }
    }
    jobs
}

fn images_below(folder: &Path, jobs: &mut Vec<Job>) {
    let entries = std::fs::read_dir(folder).and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
    let mut entries: Vec<_> = match entries {
        Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
        Err(error) => return jobs.push(Job { path: folder.to_owned(), refused: Some(Error::io(&error)) }),
    };
    entries.sort();
    for path in entries {
        let is_image = path.extension().is_some_and(|extension| ["jpg", "jpeg", "png"].iter().any(|known| extension.eq_ignore_ascii_case(known)));
        // A folder that is a link could lead back up.
        if path.is_dir() && !path.is_symlink() {
            images_below(&path, jobs);
        } else if is_image {
            jobs.push(Job { path, refused: None });
        }
    }
}
