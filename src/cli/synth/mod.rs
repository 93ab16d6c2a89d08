//! `garita synth`: renders inputs with exact truth; one file per kind.

use std::process::ExitCode;

use garita::error::Result;

mod lane;
mod rail;

/// What to render.
#[derive(clap::Subcommand)]
pub(crate) enum Synth {
    /// Lane cameras' pictures of vehicles and their plates, with the truth about each plate.
    Lane(lane::Args),
    /// Gamma scans of trains: NAME.tif, NAME.consist.json and the truth in NAME.json.
    Rail(rail::Rail),
}

/// Renders what was asked for.
pub(crate) fn run(synth: Synth) -> Result<ExitCode> {
    match synth {
        Synth::Lane(args) => lane::run(args),
        Synth::Rail(args) => rail::run(args),
    }
}
