//! `garita synth`: renders what is not recorded.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use garita::error::Result;

mod rail;

/// Renders synthetic scenes with their truth.
#[derive(Args)]
pub(crate) struct Synth {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Gamma scans of trains: NAME.tif, NAME.consist.json and the truth in NAME.json.
    Rail(rail::Rail),
}

/// Runs it.
pub(crate) fn run(arguments: Synth) -> Result<ExitCode> {
    match arguments.what {
        What::Rail(arguments) => rail::run(arguments),
    }
}
