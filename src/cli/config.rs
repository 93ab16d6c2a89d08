//! `garita config`: is a site file right, and what does it come to?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use garita::error::Result;
use garita::site::{self, Explained, Site};

/// Checks and explains site files.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Tells what is wrong with a site file, a line each: `file:line:column: what, and what to do`. Exits with 1 if anything is.
    Check(SiteArgs),
    /// Tells every value, and where it came from: the file, an environment variable, or the default. As TOML; passwords are not shown.
    Explain(SiteArgs),
    /// Prints a site file to begin with, every key explained.
    Example,
}

/// What most call their site file.
const CUSTOMARY: &str = "garita.toml";

/// Which site file.
#[derive(ClapArgs)]
pub(crate) struct SiteArgs {
    /// The site file; without one, the built-in example over `testdata/`, which is written into `garita-demo/` where there is none.
    #[arg(value_name = "FILE", env = "GARITA_SITE")]
    file: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let args = match command {
        Command::Example => return super::say(&site::beginning()).map(|()| ExitCode::SUCCESS),
        Command::Check(args) | Command::Explain(args) => args,
    };
    if args.file.is_none() {
        site::demo::inputs()?;
        if Path::new(CUSTOMARY).exists() {
            eprintln!("note: {CUSTOMARY} of this folder was not looked at: name it (garita config check {CUSTOMARY})");
        }
    }
    let Explained { site, settings, notes } = match Site::explain(args.file.as_deref(), site::environment()) {
        Ok(explained) => explained,
        Err(mistakes) => {
            let lines: String = mistakes.iter().map(|mistake| format!("{mistake}\n")).collect();
            super::say(&lines)?;
            return Ok(ExitCode::FAILURE);
        }
    };
    for note in &notes {
        eprintln!("note: {note}");
    }
    if matches!(command, Command::Explain(_)) {
        let width = settings.iter().map(|setting| setting.key.chars().count() + setting.value.chars().count()).max().unwrap_or(0).min(80);
        let line = |setting: &site::Setting| {
            let pad = width.saturating_sub(setting.key.chars().count() + setting.value.chars().count());
            format!("{} = {}{:pad$}  # {}\n", setting.key, setting.value, "", setting.origin)
        };
        super::say(&settings.iter().map(line).collect::<String>())?;
    } else {
        let name = args.file.as_ref().map_or_else(|| "the built-in example".to_owned(), |file| file.display().to_string());
        let (lanes, portals, lists) = (site.lanes.len(), site.portals.len(), site.lists.len());
        super::say(&format!("{name} is right: lanes {lanes}, portals {portals}, lists {lists}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
