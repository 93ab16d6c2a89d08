//! `garita eval passages`: how well successive frames become passages, and what voting gains.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;

use garita::error::Result;
use garita::eval::manifest;
use garita::eval::passages::{look, report, sequences};
use garita::eval::statistics::calibration_error;
use garita::infer::Engine;
use garita::pipeline::{LaneWorker, ordered};

/// Measures passages on sequences, such as `garita synth lane --kind sequence` makes.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// JSON lines: pictures with boxes, lane, sequence and captured_ms.
    manifest: PathBuf,
    /// A passage is over when no read of it came for this long, milliseconds.
    #[arg(long, value_name = "MS", default_value_t = garita::lane::passage::GAP_MS)]
    gap: i64,
    #[command(flatten)]
    threads: crate::cli::Threads,
    #[command(flatten)]
    models: crate::cli::ModelArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let samples = manifest::read(&args.manifest, None)?;
    let sequences = sequences(&samples).map_err(|error| error.in_(args.manifest.display()))?;
    let engine = Engine::load()?;
    let models = args.models.load()?;
    let mut workers = crate::cli::workers(args.threads.for_jobs(sequences.len()), || LaneWorker::open(&engine, &models))?;
    let progress = crate::cli::progress(sequences.len() as u64, "lanes", true);
    let mut outcomes = Vec::new();
    let mut failed = None;
    ordered(
        &mut workers,
        sequences.iter(),
        |worker, sequence| look(worker, sequence, args.gap),
        |outcome| {
            progress.inc(1);
            match outcome {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => failed = failed.take().or(Some(error)),
            }
        },
    );
    progress.finish_and_clear();
    if let Some(error) = failed {
        return Err(error);
    }
    let report = report(&outcomes);
    let calibration = calibration_error(&report.answers).map_or("-".to_owned(), |error| format!("{error:.3}"));
    crate::cli::say(&format!(
        "vehicles with exactly one passage  {}   ({} without, {} with several)\n\
         passages of nothing that passes    {}\n\
         right text by vote                 {}\n\
         right text in a single frame       {}\n\
         right text in the surest frame     {}\n\
         calibration error of the vote      {calibration}\n",
        report.once, report.missed, report.split, report.others, report.voted, report.single, report.surest
    ))?;
    Ok(ExitCode::SUCCESS)
}
