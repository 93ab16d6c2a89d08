//! `garita user`: people of a store, on its machine. What the page does too, but for the case that nobody can log in.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use garita::error::{Error, Fault, Result};
use garita::people::{self, Account, Change, Refusal, Role, password};
use rusqlite::{Transaction, TransactionBehavior};

/// Makes and changes the people of a store, also while a server has it open. Recorded as done by `garita`.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes a person, and prints a password that is good once.
    Add(AddArgs),
    /// Prints everybody.
    List(StoreArgs),
    /// Prints a new password for a person, good once; ends a lock-out and takes the second factor away.
    Reset(PersonArgs),
    /// Gives a person another role.
    Role(RoleArgs),
    /// Ends a person's sessions and lets them log in no more.
    Disable(PersonArgs),
    /// Lets a person log in again.
    Enable(PersonArgs),
}

/// Which store.
#[derive(ClapArgs)]
pub(crate) struct StoreArgs {
    /// The data folder (`data_dir` of the site file).
    #[arg(value_name = "DATA_DIR")]
    folder: PathBuf,
}

/// Whom.
#[derive(ClapArgs)]
pub(crate) struct PersonArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The person's id.
    id: String,
}

/// Whom, and as what.
#[derive(ClapArgs)]
pub(crate) struct RoleArgs {
    #[command(flatten)]
    person: PersonArgs,
    /// viewer, operator, supervisor, list-manager, auditor or admin.
    #[arg(value_parser = role)]
    role: Role,
}

/// Whom to make.
#[derive(ClapArgs)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    person: PersonArgs,
    /// viewer, operator, supervisor, list-manager, auditor or admin.
    #[arg(long, value_parser = role)]
    role: Role,
    /// As pages write it; the id unless given.
    #[arg(long)]
    name: Option<String>,
}

fn role(text: &str) -> std::result::Result<Role, String> {
    Role::of_person(text).ok_or_else(|| "it takes viewer, operator, supervisor, list-manager, auditor or admin".to_owned())
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let changed = |args: &PersonArgs, change: Change| {
        let once = if change.reset { Some(password::once()) } else { None };
        let hash = once.as_deref().map(password::hash).transpose()?;
        write(&args.store.folder, |transaction, now_ms| people::change(transaction, "garita", &args.id, &change, hash.as_deref(), now_ms))?;
        once.map_or(Ok(()), |once| super::say(&format!("{once}\n")))
    };
    match command {
        Command::Add(AddArgs { person, role, name }) => {
            let name = name.as_deref().unwrap_or(&person.id);
            if !people::is_id(&person.id) || !people::is_name(name) {
                let message = "an id takes 1 to 32 of a-z, 0-9 and hyphens inside, and is neither local nor garita; a name up to 100 characters on one line";
                return Err(Error::new(Fault::Caller, message).in_(&person.id));
            }
            let once = password::once();
            let hash = password::hash(&once)?;
            write(&person.store.folder, |transaction, now_ms| people::add(transaction, "garita", (&person.id, name, *role), &hash, now_ms))?;
            super::say(&format!("{once}\n"))?;
        }
        Command::List(args) => list(&args.folder)?,
        Command::Reset(args) => changed(args, Change { reset: true, ..Change::default() })?,
        Command::Role(RoleArgs { person, role }) => changed(person, Change { role: Some(*role), ..Change::default() })?,
        Command::Disable(args) => changed(args, Change { disabled: Some(true), ..Change::default() })?,
        Command::Enable(args) => changed(args, Change { disabled: Some(false), ..Change::default() })?,
    }
    Ok(ExitCode::SUCCESS)
}

fn write(folder: &Path, change: impl FnOnce(&Transaction<'_>, i64) -> rusqlite::Result<std::result::Result<(), Refusal>>) -> Result<()> {
    let said = |error: rusqlite::Error| Error::new(Fault::Machine, format!("the store's database: {error}")).in_(folder.display());
    let mut connection = garita::custody::writer_beside(folder)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(said)?;
    let refusal = change(&transaction, jiff::Timestamp::now().as_millisecond()).map_err(said)?;
    refusal.map_err(|refusal| {
        let message = match refusal {
            Refusal::Exists => "there is a person of this id",
            Refusal::Missing => "there is no person of this id: `garita user list` prints them",
            Refusal::LastAdmin => "nobody could make people any more: make another administrator first",
        };
        Error::new(Fault::Caller, message)
    })?;
    transaction.commit().map_err(said)
}

fn list(folder: &Path) -> Result<()> {
    let connection = garita::custody::reader(folder)?;
    let accounts = people::accounts(&connection).map_err(|error| Error::new(Fault::Machine, format!("the store's database: {error}")).in_(folder.display()))?;
    let line = |account: &Account| {
        let mut notes = Vec::new();
        for (is_so, note) in [(account.disabled, "disabled"), (account.second_factor, "second factor"), (!account.has_password, "no password of their own yet")]
        {
            notes.extend(is_so.then_some(note));
        }
        format!("{:<32} {:<12} {}{}{}\n", account.id, account.role.name(), account.name, if notes.is_empty() { "" } else { "  " }, notes.join(", "))
    };
    super::say(&accounts.iter().map(line).collect::<String>())
}
