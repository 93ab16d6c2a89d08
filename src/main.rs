//! The `garita` command: arguments become one match, one file of `cli/` per subcommand.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod cli;

/// Looks at what crosses a border: plates in lanes, cars in rail scans, matched against watchlists.
#[derive(Parser)]
#[command(name = "garita", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Inspect(cli::inspect::Args),
    #[command(subcommand)]
    Calibrate(cli::calibrate::Kind),
    #[command(subcommand)]
    Eval(cli::eval::Kind),
    /// Renders synthetic trains and lanes, with their truth.
    Synth(cli::synth::Synth),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Calibrate(kind) => cli::calibrate::run(&kind),
        Command::Eval(kind) => cli::eval::run(&kind),
        Command::Inspect(arguments) => cli::inspect::run(&arguments),
        Command::Synth(arguments) => cli::synth::run(arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("garita: {error}");
            ExitCode::FAILURE
        }
    }
}
