//! `garita audit`: who did what, and is it as it was written?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use garita::audit::checkpoint::{Checkpoint, Signer, usual_key};
use garita::audit::verify;
use garita::custody::{database, reader};
use garita::error::{Error, Fault, Result};
use rusqlite::Connection;

/// Verifies, prints and checkpoints the audit trail of a store, also of one that a server has open.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Reads every record, and names the first that is not as it was written. Exits with 1 if there is one.
    Verify(VerifyArgs),
    /// Prints how far the records go, signed: keep it where nobody who can change the store can change it.
    Checkpoint(KeyArgs),
    /// Prints the public key that verifies evidence packs, as PEM: give it to whoever is to verify them, by another way than the packs.
    Key(KeyArgs),
    /// Prints records, oldest first, a JSON object a line.
    Show(ShowArgs),
}

/// Which store.
#[derive(ClapArgs)]
pub(crate) struct StoreArgs {
    /// The data folder (`data_dir` of the site file), or a backup.
    #[arg(value_name = "DATA_DIR")]
    folder: PathBuf,
}

/// Which store, and where its key lies.
#[derive(ClapArgs)]
pub(crate) struct KeyArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The key, where the site file says `audit_key`; DATA_DIR/audit.key unless given.
    #[arg(long, value_name = "FILE")]
    audit_key: Option<PathBuf>,
}

impl KeyArgs {
    fn signer(&self) -> Result<Signer> {
        let path = self.audit_key.clone().unwrap_or_else(|| usual_key(&self.store.folder));
        if !path.is_file() {
            return Err(
                Error::new(Fault::Caller, "is no key: the service makes it when it starts; `audit_key` of the site file says where").in_(path.display())
            );
        }
        Signer::open(&path)
    }
}

/// What to verify, and against what.
#[derive(ClapArgs)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Checkpoints taken away before: files with one a line, as `garita audit checkpoint` prints them. Only against one is it seen that the last records
    /// are gone, or that all were made anew.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// The public key (hexadecimal) that checkpoints must be signed by: the one noted down when garita was installed.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// The verdict as JSON.
    #[arg(long)]
    json: bool,
}

/// Which records.
#[derive(ClapArgs)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Only the last so many.
    #[arg(long, value_name = "N", default_value_t = i64::MAX)]
    last: i64,
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Verify(args) => verify(args),
        Command::Checkpoint(args) => {
            let (connection, signer) = (open(&args.store.folder)?, args.signer()?);
            let checkpoint = signer.checkpoint(&connection, jiff::Timestamp::now().as_millisecond()).map_err(|error| asked(&error))?;
            super::say(&format!("{}\n", serde_json::to_string(&checkpoint).expect("plain data"))).map(|()| ExitCode::SUCCESS)
        }
        Command::Key(args) => super::say(&args.signer()?.pem()).map(|()| ExitCode::SUCCESS),
        Command::Show(args) => show(args),
    }
}

fn open(folder: &std::path::Path) -> Result<Connection> {
    if !database(folder).is_file() {
        return Err(Error::new(Fault::Caller, "is no store: there is no garita.db in it").in_(folder.display()));
    }
    reader(folder)
}

fn asked(error: &rusqlite::Error) -> Error {
    Error::new(Fault::Machine, format!("the store's database: {error}"))
}

fn verify(args: &VerifyArgs) -> Result<ExitCode> {
    let connection = open(&args.store.folder)?;
    let mut checkpoints = Vec::new();
    for path in &args.checkpoint {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(&error).in_(path.display()))?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = format!("{}:{}", path.display(), number + 1);
            let checkpoint = Checkpoint::parse(line).map_err(|error| error.in_(&place))?;
            if args.key.as_ref().is_some_and(|key| !key.eq_ignore_ascii_case(&checkpoint.key)) {
                return Err(Error::new(Fault::Damaged, format!("is signed by another key, {}", checkpoint.key)).in_(place));
            }
            checkpoints.push(checkpoint);
        }
    }
    let verdict = verify::verify(&connection, &checkpoints).map_err(|error| asked(&error))?;
    if args.json {
        super::say(&format!("{}\n", serde_json::to_string_pretty(&verdict).expect("plain data")))?;
    } else {
        let text = match &verdict.wrong {
            None => format!("all {} records are as they were written; {} of {} checkpoints agree\n", verdict.right, verdict.checkpoints, checkpoints.len()),
            Some(wrong) => format!("record {} {}\n{} records before it are as they were written\n", wrong.record, wrong.message, wrong.record - 1),
        };
        super::say(&text)?;
    }
    Ok(if verdict.wrong.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(args: &ShowArgs) -> Result<ExitCode> {
    let connection = open(&args.store.folder)?;
    let lines = (|| {
        let question = "SELECT id, at_ms, who, action, subject, details FROM (SELECT * FROM audit ORDER BY id DESC LIMIT ?1) ORDER BY id";
        let mut statement = connection.prepare(question)?;
        let rows = statement.query_map([args.last], |row| {
            let details: serde_json::Value = serde_json::from_str(&row.get::<_, String>(5)?).unwrap_or_default();
            let at = jiff::Timestamp::from_millisecond(row.get(1)?).map_or_else(|_| String::new(), |time| time.to_string());
            Ok(serde_json::json!({
                "id": row.get::<_, i64>(0)?, "at": at, "who": row.get::<_, String>(2)?, "action": row.get::<_, String>(3)?,
                "subject": row.get::<_, String>(4)?, "details": details,
            }))
        })?;
        rows.map(|row| row.map(|row| format!("{row}\n"))).collect::<rusqlite::Result<String>>()
    })();
    super::say(&lines.map_err(|error| asked(&error))?).map(|()| ExitCode::SUCCESS)
}
