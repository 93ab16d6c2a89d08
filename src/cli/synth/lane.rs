//! `garita synth lane`: writes pictures, manifest, passages and a contact sheet.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use garita::error::Result;
use garita::synth::lane::{self, Conditions, Kind, Options};
use indicatif::{ProgressBar, ProgressStyle};

/// Renders lane scenes: vehicles, US and Mexican plates, weather, night and infrared, with exact ground truth.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Decides everything that is random: the same seed makes the same set.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Pictures to make; with `--kind sequence`, vehicles.
    #[arg(long, default_value_t = 16)]
    count: usize,
    /// What the pictures show.
    #[arg(long, value_enum, default_value_t = KindName::Single)]
    kind: KindName,
    /// Picture width in pixels; 1920, and 3840 for wide4k, unless given.
    #[arg(long)]
    width: Option<usize>,
    /// Picture height in pixels; nine sixteenths of the width unless given.
    #[arg(long)]
    height: Option<usize>,
    /// Light and weather.
    #[arg(long, value_enum, default_value_t = ConditionsName::Mixed)]
    conditions: ConditionsName,
    /// Folder to write `img/`, `manifest.jsonl` and, for sequences, `passages.jsonl` into.
    #[arg(long)]
    out: PathBuf,
    /// Add to the set that is already in the folder instead of starting a new one.
    #[arg(long)]
    append: bool,
    /// Also write a contact sheet (PNG) of the first 120 pictures here.
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum KindName {
    /// One vehicle near the middle of each picture.
    Single,
    /// Vehicles approaching over 6 to 12 frames each, with empty frames between.
    Sequence,
    /// Five lanes from above, plates about 50 pixels wide.
    Wide4k,
}

#[derive(Clone, Copy, ValueEnum)]
enum ConditionsName {
    Day,
    Dusk,
    Night,
    Ir,
    Rain,
    Glare,
    Mixed,
}

/// Renders the set and says what was written.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let kind = match args.kind {
        KindName::Single => Kind::Single,
        KindName::Sequence => Kind::Sequence,
        KindName::Wide4k => Kind::Wide4k,
    };
    let conditions = match args.conditions {
        ConditionsName::Day => Some(Conditions::Day),
        ConditionsName::Dusk => Some(Conditions::Dusk),
        ConditionsName::Night => Some(Conditions::Night),
        ConditionsName::Ir => Some(Conditions::Ir),
        ConditionsName::Rain => Some(Conditions::Rain),
        ConditionsName::Glare => Some(Conditions::Glare),
        ConditionsName::Mixed => None,
    };
    let width = args.width.unwrap_or(if kind == Kind::Wide4k { 3840 } else { 1920 });
    let height = args.height.unwrap_or(width * 9 / 16);
    let options = Options { seed: args.seed, count: args.count, kind, width, height, conditions, out: args.out, append: args.append, sheet: args.sheet };
    // indicatif draws nothing where standard error is not a terminal.
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} pictures, {eta} left") {
        bar.set_style(style);
    }
    let summary = lane::generate(&options, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    println!(
        "{} pictures of {width}x{height} with {} plates ({:.1} MB) in {}",
        summary.pictures,
        summary.plates,
        summary.bytes as f64 / 1e6,
        options.out.display()
    );
    if summary.passages > 0 {
        println!("{} vehicles passed: passages.jsonl", summary.passages);
    }
    Ok(ExitCode::SUCCESS)
}
