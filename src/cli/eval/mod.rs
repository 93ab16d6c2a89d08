//! `garita eval`: figures on labelled data, one file per kind.

use std::process::ExitCode;

use clap::Subcommand;
use garita::error::Result;

mod rail;

/// Measures accuracy, calibration and speed on labelled data.
#[derive(Subcommand)]
pub(crate) enum Kind {
    Rail(rail::Args),
}

/// Runs the command.
pub(crate) fn run(kind: &Kind) -> Result<ExitCode> {
    match kind {
        Kind::Rail(args) => rail::run(args),
    }
}
