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
    Demo(cli::demo::Args),
    Read(cli::read::Args),
    Serve(cli::serve::Args),
    Check(cli::check::Args),
    Backup(cli::backup::BackupArgs),
    Restore(cli::backup::RestoreArgs),
    Inspect(cli::inspect::Args),
    #[command(subcommand)]
    Calibrate(cli::calibrate::Kind),
    #[command(subcommand)]
    Eval(cli::eval::Kind),
    /// Renders inputs with exact truth.
    #[command(subcommand)]
    Synth(cli::synth::Synth),
    Watchlist(cli::watchlist::Args),
    #[command(subcommand)]
    Config(cli::config::Command),
    #[command(subcommand)]
    Audit(cli::audit::Command),
    #[command(subcommand)]
    User(cli::user::Command),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Demo(args) => cli::demo::run(&args),
        Command::Read(args) => cli::read::run(&args),
        Command::Serve(args) => cli::serve::run(&args),
        Command::Check(args) => cli::check::run(&args),
        Command::Backup(args) => cli::backup::backup(&args),
        Command::Restore(args) => cli::backup::restore(&args),
        Command::Calibrate(kind) => cli::calibrate::run(&kind),
        Command::Inspect(arguments) => cli::inspect::run(&arguments),
        Command::Eval(kind) => cli::eval::run(&kind),
        Command::Synth(synth) => cli::synth::run(synth),
        Command::Watchlist(args) => cli::watchlist::run(args),
        Command::Config(command) => cli::config::run(&command),
        Command::Audit(command) => cli::audit::run(&command),
        Command::User(command) => cli::user::run(&command),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("garita: {error}");
        ExitCode::from(2)
    })
}
