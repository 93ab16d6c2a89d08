//! `garita eval`: figures on labelled data, one file per kind.

use std::process::ExitCode;

use clap::Subcommand;
use garita::error::Result;

mod passages;
mod plates;
mod rail;

/// Measures accuracy, calibration and speed on labelled data.
#[derive(Subcommand)]
pub(crate) enum Kind {
    Plates(plates::Args),
    Passages(passages::Args),
    Rail(rail::Args),
}

/// Runs the command.
pub(crate) fn run(kind: &Kind) -> Result<ExitCode> {
    match kind {
        Kind::Plates(args) => plates::run(args),
        Kind::Passages(args) => passages::run(args),
        Kind::Rail(args) => rail::run(args),
    }
}
