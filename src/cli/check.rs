//! `garita check`: do the invariants of a store hold?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use garita::custody::check::{self, Report};
use garita::error::Result;

/// Verifies every invariant of a store, also while a server has it open, and repairs nothing. Reads every byte: about as long as `sha256sum` over the folder.
/// Exits with 1 if any does not hold.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The data folder (`data_dir` of the site file).
    #[arg(value_name = "DATA_DIR")]
    folder: PathBuf,
    /// The report as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let report = check::check(&args.folder)?;
    if args.json {
        super::say(&format!("{}\n", serde_json::to_string_pretty(&report).expect("plain data")))?;
    } else {
        tell(&report)?;
    }
    Ok(exit(&report))
}

/// 1 where an invariant does not hold.
pub(crate) fn exit(report: &Report) -> ExitCode {
    if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A line for each finding, and one for all that was looked at.
pub(crate) fn tell(report: &Report) -> Result<()> {
    let mut text: String = report.findings.iter().map(|one| format!("invariant {}: {}: {}\n", one.invariant, one.subject, one.message)).collect();
    if report.more > 0 {
        text += &format!("… and {} more\n", report.more);
    }
    let Report { frames, passages, hits, scans, evidence, bytes, left, .. } = report;
    let verdict = match report.findings.len() as u64 + report.more {
        0 => "every invariant holds".to_owned(),
        count => format!("{count} times an invariant does not hold"),
    };
    text += &format!(
        "{verdict}: frames {frames}, passages {passages}, hits {hits}, scans {scans}, files of evidence {evidence}; {} MB compared\n",
        bytes.div_ceil(1 << 20)
    );
    if *left > 0 {
        text += &format!("{left} files that no row names are left of a crash, or are being written; the next start or sweep deletes them\n");
    }
    super::say(&text)
}
