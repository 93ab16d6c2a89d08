//! `garita backup` and `garita restore`: a store copied whole, and checked.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use garita::custody::copy::copy;
use garita::error::Result;

/// Copies a store, also while a server has it open: its database as of one instant, and every file that it names. The copy is checked; exits with 1, and keeps it, if
/// an invariant does not hold there.
#[derive(ClapArgs)]
pub(crate) struct BackupArgs {
    /// The data folder (`data_dir` of the site file).
    #[arg(value_name = "DATA_DIR")]
    folder: PathBuf,
    /// Where the copy goes: a folder that does not exist yet, or an empty one.
    #[arg(value_name = "OUT")]
    target: PathBuf,
}

/// Brings a backup back as a data folder, and checks it; then `garita serve` goes on from there. Exits with 1 if an invariant does not hold.
#[derive(ClapArgs)]
pub(crate) struct RestoreArgs {
    /// What `garita backup` made.
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// The data folder: one that does not exist yet, or an empty one.
    #[arg(value_name = "DATA_DIR")]
    folder: PathBuf,
}

/// Runs `garita backup`.
pub(crate) fn backup(args: &BackupArgs) -> Result<ExitCode> {
    let report = copy(&args.folder, &args.target)?;
    super::check::tell(&report)?;
    Ok(super::check::exit(&report))
}

/// Runs `garita restore`.
pub(crate) fn restore(args: &RestoreArgs) -> Result<ExitCode> {
    let report = copy(&args.backup, &args.folder)?;
    super::check::tell(&report)?;
    Ok(super::check::exit(&report))
}
