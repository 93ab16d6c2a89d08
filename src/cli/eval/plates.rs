//! `garita eval plates`: how well plates are found and read.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;

use garita::error::{Error, Fault, Result};
use garita::eval::manifest::{self, Truth};
use garita::eval::plates::{Outcome, Report, ReportJson, look, report};
use garita::eval::sheet;
use garita::infer::Engine;
use garita::lane::detect::View;
use garita::lane::line::PlateLine;
use garita::lane::read::PlateRead;
use garita::pipeline::{LaneWorker, ordered};

use crate::cli::printable;

/// Smaller rows of the break-down say nothing and are printed only by `--json`.
const MIN_ROW: usize = 10;

/// Measures how well plates are found and read on a manifest of labelled pictures or crops.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// JSON lines: pictures with boxes, or full-resolution crops with texts.
    manifest: PathBuf,
    /// Of a manifest of crops, only this split.
    #[arg(long, default_value = "dev")]
    split: String,
    /// Print the figures as one JSON object.
    #[arg(long)]
    json: bool,
    /// Where to write a picture sheet of the worst errors (PNG): wrong texts, boxes that are no plate, plates that were missed.
    #[arg(long, value_name = "FILE", default_value = "out/eval.png")]
    sheet: PathBuf,
    /// Write every read with what its confidence was made of, as JSON lines: what `models/train/calibrate.py` fits on.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Write every read as `garita read --json` does, each with the truth it met: what `garita watchlist fit`, `advise` and `find --reads` take.
    #[arg(long, value_name = "FILE")]
    reads: Option<PathBuf>,
    /// Look also at overlapping tiles, as `garita read --tiles` does.
    #[arg(long)]
    tiles: bool,
    /// Plates narrower than this are ignored both ways, pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = garita::eval::plates::MIN_WIDTH)]
    min_width: f32,
    #[command(flatten)]
    threads: crate::cli::Threads,
    #[command(flatten)]
    models: crate::cli::ModelArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let samples = manifest::read(&args.manifest, Some(&args.split))?;
    if samples.is_empty() {
        return Err(Error::new(Fault::Caller, format!("nothing to measure in split {}", args.split)).in_(args.manifest.display()));
    }
    check_writable(&args.sheet).map_err(|error| Error { message: format!("{}; --sheet FILE puts the sheet elsewhere", error.message), ..error })?;
    [&args.answers, &args.reads].into_iter().flatten().try_for_each(|path| check_writable(path))?;
    let engine = Engine::load()?;
    let models = args.models.load()?;
    let view = if args.tiles { View::Tiled } else { View::Still };
    let threads = args.threads.for_jobs(samples.len());
    let mut workers = crate::cli::workers(threads, || LaneWorker::open_for(&engine, &models, view))?;
    let progress = crate::cli::progress(samples.len() as u64, "images", true);
    let mut outcomes = Vec::with_capacity(samples.len());
    ordered(
        &mut workers,
        samples.iter().enumerate(),
        |worker, (index, sample)| look(worker, index, sample, view),
        |outcome| {
            progress.inc(1);
            outcomes.push(outcome);
        },
    );
    progress.finish_and_clear();
    let report = report(&samples, &outcomes, args.min_width);
    let text = if args.json { serde_json::to_string_pretty(&ReportJson::from(&report)).expect("plain data") + "\n" } else { tables(&report, samples.len()) };
    crate::cli::say(&text)?;
    report.errors.iter().for_each(|error| eprintln!("{}", printable(error)));
    if let Some(path) = &args.answers {
        let lines: String = report.answers.iter().map(|answer| serde_json::to_string(answer).expect("plain data") + "\n").collect();
        write(path, lines.as_bytes())?;
    }
    if let Some(path) = &args.reads {
        let lines: String = outcomes.iter().map(|outcome| reads_line(&samples[outcome.sample].name, outcome) + "\n").collect();
        write(path, lines.as_bytes())?;
    }
    write(&args.sheet, &sheet::draw(&samples, &outcomes, args.min_width)?.to_png()?)?;
    eprintln!("the worst errors: {}", printable(&args.sheet.display().to_string()));
    Ok(if report.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says at once what would otherwise be said after the work; what is in the file stays until there is something to write.
fn check_writable(path: &Path) -> Result<()> {
    crate::cli::make_folder_of(path)?;
    std::fs::File::options().append(true).create(true).open(path).map(drop).map_err(|error| Error::io(&error).in_(path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|error| Error::io(&error).in_(path.display()))
}

/// The reads of one sample, in the shape of `garita read --json`; `truth` and `truth_jurisdiction` where the label knows them.
fn reads_line(image: &str, outcome: &Outcome) -> String {
    let plate = |read: &PlateRead, truth: Option<&Truth>| {
        let mut plate = serde_json::to_value(PlateLine::of(read, &[])).expect("plain data");
        plate["truth"] = truth.and_then(Truth::full_text).into();
        plate["truth_jurisdiction"] = truth.and_then(|truth| truth.region.as_deref()).into();
        plate
    };
    let met = outcome.truths.iter().filter_map(|(truth, read)| read.as_ref().map(|read| plate(read, Some(truth))));
    let plates: Vec<_> = met.chain(outcome.false_plates.iter().map(|read| plate(read, None))).collect();
    serde_json::json!({"image": image, "plates": plates}).to_string()
}

/// The figures for people.
fn tables(report: &Report, images: usize) -> String {
    let mut text = String::new();
    let error = |error: Option<f64>| error.map_or("-".to_owned(), |error| format!("{error:.3}"));
    let unseen = match report.errors.len() {
        0 => String::new(),
        errors => format!(", {errors} of them could not be looked at: their plates count as missed"),
    };
    let _ = writeln!(text, "{images} images{unseen}; share (95 % interval, n)");
    let _ = writeln!(text, "detection recall    {}", report.recall);
    let _ = writeln!(text, "detection precision {}", report.precision);
    let _ = writeln!(text, "exact               {}   folded {}", report.reading.exact, report.reading.exact_folded);
    let _ = writeln!(text, "within one edit     {}   folded {}", report.reading.within_one, report.reading.within_one_folded);
    let _ = writeln!(text, "state, if named     {}   of all of a known state {}", report.reading.jurisdiction, report.reading.jurisdiction_of_all);
    let _ = writeln!(
        text,
        "calibration error   {}   of labelled plates {}   yield at 0.5 % error {:.1} %, at 1 % {:.1} %",
        error(report.calibration_error),
        error(report.calibration_error_labelled),
        100.0 * report.yield_at_half_percent,
        100.0 * report.yield_at_one_percent
    );
    let _ = writeln!(text, "wall ms per image   p50 {:.2}  p95 {:.2}  p99 {:.2}", report.wall_ms[0], report.wall_ms[1], report.wall_ms[2]);
    let _ = writeln!(text, "  all but decode    p50 {:.2}", report.rest_ms);
    let _ = writeln!(text, "CPU ms per image    mean {:.2}  median {:.2}", report.cpu_ms[0], report.cpu_ms[1]);
    for (kind, cells) in &report.by {
        let _ = writeln!(text, "\n{kind:<12} {:<28} {:<28} {:<28}", "recall", "exact (folded)", "within one (folded)");
        for (value, (recall, reading)) in cells.iter().filter(|(_, (recall, reading))| recall.of.max(reading.exact.of) >= MIN_ROW) {
            let value = printable(value);
            let _ = writeln!(text, "{value:<12} {recall:<28} {:<28} {:<28}", reading.exact_folded, reading.within_one_folded);
        }
    }
    text
}
