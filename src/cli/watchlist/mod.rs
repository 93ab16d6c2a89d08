//! `garita watchlist …`: lists in, questions out. `lists` makes and compares indexes, `questions` asks one.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use garita::error::{Error, Fault, Result};
use garita::watchlist::import::Limits;
use garita::watchlist::update::Import;
use garita::watchlist::{Entry, List, Mapping};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

mod lists;
mod questions;

/// Lists of who is sought: import, build, compare, search.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Imports a list's file into an index, replacing the lists that the file has entries of; a bad file changes nothing.
    Import(ImportArgs),
    /// Builds an index anew from files and other indexes.
    Build(BuildArgs),
    /// Tells what differs between two indexes.
    Diff(DiffArgs),
    /// Finds the entries of a plate, of a partial one (`AB?12*`), or of the reads in a file.
    Find(FindArgs),
    /// Verifies an index: every checksum, row and text, and that each entry is found.
    Check(IndexArgs),
    /// Counts what is in an index.
    Stats(StatsArgs),
    /// Tells what each threshold costs in false hits a day, and what it finds.
    Advise(AdviseArgs),
    /// Writes an index's entries as CSV or JSON lines.
    Export(ExportArgs),
    /// Matches reads of the last days against entries: was it here before it was sought?
    Lookback(LookbackArgs),
    /// Tells how a reader errs, from reads whose truth is known (`garita eval plates --reads`), and the constants that fit it.
    #[command(hide = true)]
    Fit(FitArgs),
    /// Writes a made-up list as CSV, or made-up reads as JSON lines.
    #[command(hide = true)]
    Synth(SynthArgs),
}

#[derive(ClapArgs)]
struct FormatArgs {
    /// Layout of the file: garita, genetec, vigilant, uk-voi, rail-consist.
    #[arg(long, default_value = "garita", conflicts_with = "mapping")]
    preset: String,
    /// Layout of the file, in TOML of your own.
    #[arg(long)]
    mapping: Option<PathBuf>,
    /// Name of the list, where the file does not say.
    #[arg(long)]
    list: Option<String>,
    /// Edits that a text search of the list allows: 1, or 2 for a larger index.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    edits: Option<u8>,
    /// Probability from which an entry with another text is a hit; `advise` tells what it costs.
    #[arg(long)]
    threshold: Option<f32>,
    /// How many times likelier than any other a vehicle of the list is to come by.
    #[arg(long)]
    prior: Option<f32>,
    /// The largest share of bad lines, in percent; up to five are borne where as many are good, unless this is 0.
    #[arg(long, default_value_t = 1.0)]
    max_bad: f64,
    /// Imports a file without entries, or with expired ones only.
    #[arg(long)]
    allow_empty: bool,
    /// Memory to build in, in MiB.
    #[arg(long, default_value_t = 1024)]
    memory: u64,
}

#[derive(ClapArgs)]
struct ImportArgs {
    /// The list's file.
    file: PathBuf,
    /// The index to import into; created if it does not exist.
    #[arg(long)]
    into: PathBuf,
    /// The file adds and removes entries, instead of being the whole list.
    #[arg(long)]
    incremental: bool,
    /// Tells what would change, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Changes that a dry run shows one by one.
    #[arg(long, default_value_t = 20)]
    show: usize,
    #[command(flatten)]
    format: FormatArgs,
}

#[derive(ClapArgs)]
struct BuildArgs {
    /// Files of lists (all of one layout), and indexes.
    #[arg(required = true)]
    sources: Vec<PathBuf>,
    /// The index to write.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    format: FormatArgs,
}

#[derive(ClapArgs)]
struct DiffArgs {
    /// The old index.
    old: PathBuf,
    /// The new one.
    new: PathBuf,
    /// Changes shown one by one.
    #[arg(long, default_value_t = 50)]
    show: usize,
}

#[derive(ClapArgs)]
struct IndexArgs {
    /// The index.
    index: PathBuf,
}

#[derive(ClapArgs)]
struct StatsArgs {
    /// The index.
    index: PathBuf,
    /// When "in force" is meant; now if left out.
    #[arg(long)]
    at: Option<Timestamp>,
}

#[derive(ClapArgs)]
struct FindArgs {
    /// The index, or a CSV file in garita's columns.
    index: PathBuf,
    /// A text, or a pattern with `?` (one character) and `*` (any number).
    #[arg(required_unless_present = "reads")]
    text: Option<String>,
    /// Reads of a file instead, as `garita read --json` writes them.
    #[arg(long, conflicts_with = "text")]
    reads: Option<PathBuf>,
    /// Also entries that differ in so many characters, 0 to 2, however improbable.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=2))]
    edits: Option<u8>,
    /// The plate's jurisdiction, if known: US-CA, MX-BCN.
    #[arg(long)]
    jurisdiction: Option<String>,
    /// plate, mark or container.
    #[arg(long, default_value = "plate")]
    subject: String,
    /// Also entries of at least this probability, instead of each list's own threshold.
    #[arg(long)]
    threshold: Option<f32>,
    /// When; now if left out.
    #[arg(long)]
    at: Option<Timestamp>,
    /// Entries shown at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Prints one JSON object a match.
    #[arg(long)]
    json: bool,
    /// Also looks at every entry, and fails where the search found something else.
    #[arg(long)]
    prove: bool,
}

#[derive(ClapArgs)]
struct AdviseArgs {
    /// The index, or a CSV file in garita's columns.
    index: PathBuf,
    /// Reads a day that the site has.
    #[arg(long, default_value_t = 20_000.0)]
    reads_per_day: f64,
    /// Reads of the site's own reader (`garita read --json`; `truth` beside `text` where known) instead of made-up ones.
    #[arg(long)]
    reads: Option<PathBuf>,
    /// Made-up reads.
    #[arg(long, default_value_t = 100_000)]
    samples: u64,
    /// Suggests the least threshold with at most so many false hits a day.
    #[arg(long, default_value_t = 1.0)]
    budget: f64,
    /// Writes the plot here, as SVG.
    #[arg(long)]
    plot: Option<PathBuf>,
    /// When; now if left out.
    #[arg(long)]
    at: Option<Timestamp>,
    /// Prints one JSON object a threshold.
    #[arg(long)]
    json: bool,
}

#[derive(ClapArgs)]
struct ExportArgs {
    /// The index.
    index: PathBuf,
    /// csv or jsonl.
    #[arg(long, default_value = "csv")]
    format: String,
    /// One list only.
    #[arg(long)]
    list: Option<String>,
    /// Where to; standard output if left out.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Also writes the lists' settings (threshold, prior, edits, retention) as a mapping: `import --mapping` of both gives the same index again.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
}

#[derive(ClapArgs)]
struct LookbackArgs {
    /// The index, or a CSV file in garita's columns, with the new entries.
    index: PathBuf,
    /// The reads, as `garita read --json` writes them, with `captured_at` where known.
    #[arg(long)]
    reads: PathBuf,
    /// How far to look back; reads without `captured_at` count as inside.
    #[arg(long, default_value_t = 30)]
    days: i32,
    /// Entries of this list only.
    #[arg(long)]
    list: Option<String>,
    /// The entry of this text only.
    #[arg(long)]
    text: Option<String>,
    /// When "now" is; now if left out.
    #[arg(long)]
    at: Option<Timestamp>,
}

#[derive(ClapArgs)]
struct FitArgs {
    /// The reads.
    reads: PathBuf,
}

#[derive(ClapArgs)]
struct SynthArgs {
    /// Entries.
    #[arg(long, default_value_t = 1000)]
    entries: u64,
    /// Reads instead of entries.
    #[arg(long)]
    reads: Option<u64>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs `garita watchlist`.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Import(args) => lists::import(&args),
        Command::Build(args) => lists::build(&args),
        Command::Diff(args) => lists::show_diff(&args),
        Command::Find(args) => questions::find(&args),
        Command::Check(args) => questions::check(&args.index),
        Command::Stats(args) => questions::stats(&args),
        Command::Advise(args) => questions::advise(&args),
        Command::Export(args) => lists::export(&args),
        Command::Lookback(args) => questions::lookback(&args),
        Command::Fit(args) => questions::fit(&args.reads),
        Command::Synth(args) => lists::synth(&args),
    }
}

impl FormatArgs {
    /// The mapping with what the command line says beside it.
    fn mapping(&self) -> Result<Mapping> {
        let mut mapping = match &self.mapping {
            Some(path) => {
                let toml = std::fs::read_to_string(path).map_err(|error| Error::io(&error).in_(path.display()))?;
                Mapping::parse(&toml).map_err(|error| error.in_(path.display()))?
            }
            None => Mapping::preset(&self.preset)?,
        };
        if let Some(list) = &self.list {
            mapping.set_list(list);
        }
        let settings = (self.edits, self.threshold, self.prior);
        if settings != (None, None, None) {
            let name =
                mapping.list().ok_or_else(|| Error::new(Fault::Caller, "--edits, --threshold and --prior are of one list: --list says which"))?.to_owned();
            let place = mapping.lists.iter().position(|list| list.name == name).unwrap_or_else(|| {
                mapping.lists.push(List { name, ..List::default() });
                mapping.lists.len() - 1
            });
            let list = &mut mapping.lists[place];
            list.edits = self.edits.unwrap_or(list.edits);
            list.threshold = self.threshold.unwrap_or(list.threshold);
            list.prior = self.prior.unwrap_or(list.prior);
            if !(0.0..=1.0).contains(&list.threshold) || list.prior.is_nan() || list.prior <= 0.0 {
                return Err(Error::new(Fault::Caller, "--threshold is in 0 to 1, --prior above 0"));
            }
        }
        Ok(mapping)
    }

    fn import<'a>(&self, mapping: &'a Mapping, incremental: bool) -> Import<'a> {
        let limits = Limits { bad_share: self.max_bad / 100.0, empty: self.allow_empty };
        Import { mapping, incremental, limits, memory: self.memory << 20, at: Timestamp::now() }
    }
}

/// Opens a file to be read from beginning to end, with a progress bar on a terminal.
fn open_with_progress(path: &Path) -> Result<impl Read> {
    let file = File::open(path).map_err(|error| Error::io(&error).in_(path.display()))?;
    let metadata = file.metadata().map_err(|error| Error::io(&error).in_(path.display()))?;
    if metadata.is_dir() {
        return Err(Error::new(Fault::Caller, "is a directory, not a file").in_(path.display()));
    }
    let bar = ProgressBar::new(metadata.len());
    bar.set_style(ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {eta}").unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(path.display().to_string());
    Ok(bar.wrap_read(BufReader::with_capacity(1 << 20, file)))
}

fn entry_json(entry: &Entry) -> serde_json::Value {
    serde_json::json!({
        "entry": entry.identity(), "subject": entry.subject, "text": entry.text, "jurisdiction": entry.jurisdiction.to_string(), "list": entry.list,
        "category": entry.category, "priority": entry.priority, "reason": entry.reason, "source": entry.source, "source_version": entry.source_version,
        "filed_by": entry.filed_by, "valid_from": entry.valid_from, "valid_until": entry.valid_until, "caution": entry.caution, "mode": entry.mode,
        "two_person": entry.two_person, "retention_days": entry.retention_days,
    })
}
