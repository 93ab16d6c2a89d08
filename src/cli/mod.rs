//! One file per subcommand: its arguments (`Args`) and `run`, which answers the exit code.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use garita::error::{Error, Result};
use garita::models::{Models, Precision};
use garita::watchlist::import::NotTaken;
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

/// How many threads work; shared by commands that do many things side by side.
#[derive(clap::Args)]
pub(crate) struct Threads {
    /// Worker threads, 1 to 256; as many as there are cores unless given, and never more than there is work for.
    #[arg(long = "threads", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    wanted: Option<u16>,
}

/// The most worker threads: each has its own networks (200 took 1.3 GB), and more than the cores are no faster. A guess.
const MAX_THREADS: i64 = 256;

impl Threads {
    /// How many there are to be where there are so many jobs; at least one.
    pub(crate) fn for_jobs(&self, jobs: usize) -> usize {
        self.wanted.map_or_else(cores, usize::from).min(jobs).max(1)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The watchlist at `path`: an index or a CSV file in garita's own columns. What of it is not taken is said on standard error, since it is not sought.
pub(crate) fn load_watchlist(path: &Path, at: Timestamp) -> Result<Snapshot> {
    let (watchlist, not_taken) = snapshot::load(path, at)?;
    for one in not_taken {
        let what = if matches!(one, NotTaken::Columns(_)) { "not taken" } else { "NOT sought" };
        eprintln!("garita: {}: {what}: {}", printable(&path.display().to_string()), printable(&one.to_string()));
    }
    Ok(watchlist)
}

/// `text` from outside, to be printed: the bytes of control characters as `\x1b`, lest they steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            _ if character.is_control() => printable.push_str(&in_hexadecimal(character.encode_utf8(&mut [0; 4]).as_bytes())),
            _ => printable.push(character),
        }
    }
    printable
}

/// Each byte as `\xff`.
pub(crate) fn in_hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

/// A probability or share (0..=1) as people read it: what may be is not "0 %", and what is not certain not "100 %".
pub(crate) fn percent(share: impl Into<f64>) -> String {
    let share: f64 = share.into();
    if share > 0.0 && share < 0.01 {
        "< 1 %".to_owned()
    } else if (0.995..1.0).contains(&share) {
        "> 99 %".to_owned()
    } else {
        format!("{:.0} %", 100.0 * share)
    }
}

/// The folder that a file goes into, made where it is missing.
pub(crate) fn make_folder_of(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder).map_err(|error| Error::io(&error).in_(folder.display())),
        None => Ok(()),
    }
}

/// Writes to standard output; whoever reads it may stop reading.
pub(crate) fn say(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io(&error).in_("standard output")),
        _ => Ok(()),
    }
}

/// So many workers, opened side by side, because loading networks takes as long as dozens of frames.
pub(crate) fn workers<Worker: Send>(threads: usize, open: impl Fn() -> Result<Worker> + Sync) -> Result<Vec<Worker>> {
    std::thread::scope(|scope| {
        let opening: Vec<_> = (0..threads).map(|_| scope.spawn(&open)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_is_not_nothing() {
        let shown = [0.0, 1e-9, 0.0099, 0.012, 0.5, 0.994, 0.9951, 1.0].map(percent);
        assert_eq!(shown, ["0 %", "< 1 %", "< 1 %", "1 %", "50 %", "99 %", "> 99 %", "100 %"]);
    }

    #[test]
    fn control_characters_do_not_steer_the_terminal() {
        assert_eq!(printable("\u{1b}[2J\tü\u{9b}1m\n"), "\\x1b[2J\\x09ü\\xc2\\x9b1m\\x0a");
    }

    #[test]
    fn there_are_never_more_workers_than_work() {
        let threads = |wanted: u16, jobs: usize| Threads { wanted: Some(wanted) }.for_jobs(jobs);
        assert_eq!([threads(256, 1), threads(3, 10), threads(8, 0)], [1, 3, 1]);
        assert!(Threads { wanted: None }.for_jobs(1) == 1);
    }
}
