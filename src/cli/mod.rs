//! One file per subcommand: its arguments (`Args`) and `run`, which answers the exit code.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use garita::error::{Error, Result};
use garita::models::{Models, Precision};
use garita::watchlist::snapshot::{self, Snapshot};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod calibrate;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod eval;
pub(crate) mod inspect;
pub(crate) mod read;
pub(crate) mod serve;
pub(crate) mod synth;
pub(crate) mod user;
pub(crate) mod watchlist;

/// Which weights; shared by every command that runs networks.
#[derive(clap::Args)]
pub(crate) struct ModelArgs {
    /// Folder with weights to use instead of the embedded ones, named as in the repository's `models/`.
    #[arg(long, value_name = "DIR", env = "GARITA_MODELS")]
    models: Option<PathBuf>,
    /// Use the single-precision networks even where the quantised ones are right and faster.
    #[arg(long)]
    fp32: bool,
}

impl ModelArgs {
    pub(crate) fn load(&self) -> Result<Models> {
        let precision = if self.fp32 { Precision::Fp32 } else { Precision::of_this_machine() };
        match &self.models {
            Some(folder) => Models::from_folder(folder, precision),
            None => Ok(Models::embedded(precision)),
        }
    }
}

/// The watchlist at `path`: an index or a CSV file in garita's own columns. What is bad in it is said on standard error, since it is not sought.
pub(crate) fn load_watchlist(path: &Path, at: Timestamp) -> Result<Snapshot> {
    let (watchlist, bad) = snapshot::load(path, at)?;
    for line in bad {
        eprintln!("garita: {}: NOT sought: {line}", path.display());
    }
    Ok(watchlist)
}

/// Writes to standard output; whoever reads it may stop reading.
pub(crate) fn say(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io(&error).in_("standard output")),
        _ => Ok(()),
    }
}

/// As many workers as asked for, or as there are cores; opened side by side, because loading networks takes as long as dozens of frames.
pub(crate) fn workers<Worker: Send>(threads: Option<usize>, open: impl Fn() -> Result<Worker> + Sync) -> Result<Vec<Worker>> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let opening: Vec<_> = (0..threads.unwrap_or(cores).max(1)).map(|_| scope.spawn(&open)).collect();
        opening.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// A bar on standard error where that is a terminal and `wanted`, else nothing.
pub(crate) fn progress(length: u64, unit: &'static str, wanted: bool) -> ProgressBar {
    if !wanted || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(&format!("{{bar:40}} {{pos}}/{{len}} {unit}, {{eta}} left")).expect("a template known to be right");
    ProgressBar::new(length).with_style(style)
}
