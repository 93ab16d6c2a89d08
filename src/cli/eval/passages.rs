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
    /// Worker threads; as many as there are cores unless given.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    #[command(flatten)]
    models: crate::cli::ModelArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let samples = manifest::read(&args.manifest, None)?;
    let sequences = sequences(&samples).map_err(|error| error.in_(args.manifest.display()))?;
    let engine = Engine::load()?;
    let models = args.models.load()?;
    let mut workers = crate::cli::workers(args.threads, || LaneWorker::open(&engine, &models))?;
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
    println!("vehicles with exactly one passage  {}   ({} without, {} with several)", report.once, report.missed, report.split);
    println!("passages of nothing that passes    {}", report.others);
    println!("right text by vote                 {}", report.voted);
    println!("right text in a single frame       {}", report.single);
    println!("right text in the surest frame     {}", report.surest);
    println!("calibration error of the vote      {}", calibration_error(&report.answers).map_or("-".to_owned(), |error| format!("{error:.3}")));
    Ok(ExitCode::SUCCESS)
}
