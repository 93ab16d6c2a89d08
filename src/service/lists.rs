//! The site's watchlists: loaded at start, looked at again when their files change, replaced by what a second person activated. A file that cannot be read leaves the old
//! list in force.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::http::StatusCode;
use rusqlite::Transaction;
use serde_json::json;
use tokio::sync::watch;

use super::door::now_ms;
use super::problem::Problem;
use super::queries::missing;
use super::uploads::blocking;
use super::{Service, lookback, proposals};
use crate::audit::{self, Act, Action};
use crate::custody::proposals::{self as kept, Proposal};
use crate::custody::record::Fate;
use crate::custody::{Custody, outbox};
use crate::error::{Error, Result};
use crate::site::List;
use crate::watchlist::index::Index;
use crate::watchlist::snapshot::{self, Snapshot, Watchlist};

/// All lists of the site. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lists {
    lists: Arc<[One]>,
}

struct One {
    list: List,
    watchlist: Arc<Watchlist>,
    state: Mutex<ListState>,
}

/// A list in force, as a case tells it.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct InForce {
    /// The site file's name of the list that has it.
    file: String,
    /// When that was built.
    built: String,
    /// Entries that it has.
    entries: usize,
}

/// How a list's file was found last.
#[derive(Debug, Clone)]
pub(super) struct ListState {
    /// Size and time of change of the file in force.
    stamp: Option<(u64, SystemTime)>,
    looked: Instant,
    /// Why the newest file is not in force.
    pub(super) error: Option<String>,
}

impl Lists {
    /// Loads the lists; one whose file is missing or wrong is empty, and says so.
    pub(super) fn load(lists: &[List]) -> Result<Lists> {
        let lists = lists
            .iter()
            .map(|list| {
                // Before the file is read: should it change meanwhile, it is read again.
                let found = stamp(&list.file);
                let (snapshot, stamp, error) = match load(list, snapshot::load_index) {
                    Ok(snapshot) => (snapshot, found, None),
                    Err(error) => {
                        tracing::error!(list = list.name, %error, "the list is empty until its file is right");
                        (Snapshot::of_entries(&[], &[])?, None, Some(error.to_string()))
                    }
                };
                let state = Mutex::new(ListState { stamp, looked: Instant::now(), error });
                Ok(One { list: list.clone(), watchlist: Arc::new(Watchlist::new(snapshot)), state })
            })
            .collect::<Result<_>>()?;
        Ok(Lists { lists })
    }

    /// As the lanes search them.
    pub(super) fn watchlists(&self) -> Vec<Arc<Watchlist>> {
        self.lists.iter().map(|one| Arc::clone(&one.watchlist)).collect()
    }

    /// Name, entries in force, and why the newest file is not, of each.
    pub(super) fn told(&self) -> Vec<(String, usize, Option<String>)> {
        self.lists.iter().map(|one| (one.list.name.clone(), one.watchlist.load().len(), one.state().error.clone())).collect()
    }

    /// The list with this name, as it is searched.
    pub(super) fn watchlist(&self, name: &str) -> Option<Arc<Watchlist>> {
        self.lists.iter().find(|one| one.list.name == name).map(|one| Arc::clone(&one.watchlist))
    }

    /// Name, entries in force, when it was built, and why the newest file is not in force, of each.
    pub(super) fn states(&self) -> Vec<(String, usize, String, Option<String>)> {
        let state = |one: &One| {
            let snapshot = one.watchlist.load();
            (one.list.name.clone(), snapshot.len(), version(&snapshot), one.state().error.clone())
        };
        self.lists.iter().map(state).collect()
    }

    /// The list of this name, wherever it lies: when the index in force was built, and how many entries that has.
    pub(super) fn of_name(&self, name: &str) -> Option<InForce> {
        self.lists.iter().find_map(|one| {
            let snapshot = one.watchlist.load();
            let known = snapshot.base().lists().iter().any(|list| list.name == name);
            known.then(|| InForce { file: one.list.name.clone(), built: version(&snapshot), entries: snapshot.len() })
        })
    }

    /// The list of this name in the site file.
    pub(super) fn site_list(&self, name: &str) -> Option<&List> {
        self.lists.iter().map(|one| &one.list).find(|list| list.name == name)
    }

    /// Puts what was proposed, whose index is at `staged`, into force in the place of its list's file, once `decide` has kept that it may be.
    ///
    /// # Errors
    /// 409 where it would no longer change what was shown; what `decide` says; what the system says.
    pub(super) fn activate(
        &self,
        proposal: &Proposal,
        staged: &Path,
        decide: impl FnOnce() -> std::result::Result<(), Problem>,
    ) -> std::result::Result<Replaced, Problem> {
        let one = self.lists.iter().find(|one| one.list.name == proposal.list).ok_or_else(|| missing("list"))?;
        let changed = |detail: &str| Problem::new(StatusCode::CONFLICT, "Another list", format!("{detail}: propose it again"));
        // Everything that can fail comes before the decision.
        let ready = Ready::beside(&one.list.file, staged)?;
        let index = Arc::new(snapshot::load_index_gently(&ready.part)?);
        let before = Arc::clone(&one.watchlist.load());
        if proposals::digest(before.base(), &index)? != proposal.changes {
            return Err(changed("the list in force has changed since, and this would no longer do what was shown"));
        }
        let mut state = one.state();
        let found = stamp(&one.list.file);
        if !Arc::ptr_eq(&before, &one.watchlist.load()) || (found != state.stamp && state.error.is_none()) {
            return Err(changed("the list's file has just changed"));
        }
        decide()?;
        ready.rename()?;
        one.watchlist.replace(Arc::clone(&index));
        (state.stamp, state.error) = (stamp(&one.list.file), None);
        tracing::info!(list = one.list.name, entries = index.len(), proposal = proposal.id, "list in force");
        Ok(Replaced { list: one.list.name.clone(), before, after: Arc::new(Snapshot::new(index)), proposal: Some(proposal.id) })
    }

    fn reload_due(&self) -> Vec<Replaced> {
        self.lists.iter().filter_map(One::reload_due).collect()
    }
}

/// Puts into their files' places what was activated when the service ended, before the lists are loaded.
pub(super) fn finish(custody: &Custody, lists: &[List]) -> Result<()> {
    for proposal in custody.ask(kept::unfinished)? {
        let Some(list) = lists.iter().find(|list| list.name == proposal.list) else { continue };
        let done = Ready::beside(&list.file, &proposals::path(custody, &proposal.file)).and_then(Ready::rename);
        if let Err(error) = done {
            tracing::error!(list = list.name, proposal = proposal.id, %error, "what was activated is not in force");
            continue;
        }
        let change = move |transaction: &Transaction<'_>| {
            let told = json!({ "list": proposal.list, "by": proposal.decided_by, "proposal": proposal.id, "entries": proposal.told.entries });
            keep(transaction, &proposal.list, Some(proposal.id), told, now_ms())
        };
        if let fate @ (Fate::Full(_) | Fate::Stopped(_) | Fate::Failed(_)) = custody.change(change) {
            tracing::error!(?fate, "a list is in force, but that it changed is not kept");
        }
    }
    Ok(())
}

/// Keeps that a list changed: for the audit trail, and to be told outside.
fn keep(transaction: &Transaction<'_>, list: &str, proposal: Option<i64>, told: serde_json::Value, now_ms: i64) -> rusqlite::Result<i64> {
    if let Some(proposal) = proposal {
        kept::in_force(transaction, proposal, now_ms)?;
    }
    outbox::tell(transaction, "list.changed", &format!("list/{list}"), &told, now_ms)?;
    let act = Act { who: "garita".to_owned(), action: Action::ListChanged, subject: format!("list {list}"), details: told, now_ms };
    audit::append(transaction, &act)
}

/// An index that lies beside a list's file, synced, to take its place; gone with this, unless it did.
struct Ready {
    part: PathBuf,
    file: PathBuf,
}

impl Ready {
    fn beside(file: &Path, staged: &Path) -> Result<Ready> {
        let ready = Ready { part: file.with_added_extension("new"), file: file.to_owned() };
        let copied = std::fs::copy(staged, &ready.part).and_then(|_| std::fs::File::open(&ready.part)).and_then(|part| part.sync_all());
        copied.map_err(|error| {
            Error::new(crate::error::Fault::Machine, format!("{error}; the service must be able to write where its lists lie")).in_(ready.part.display())
        })?;
        Ok(ready)
    }

    fn rename(self) -> Result<()> {
        let said = |error: std::io::Error| Error::io(&error).in_(self.file.display());
        std::fs::rename(&self.part, &self.file).map_err(said)?;
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(said)
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = std::fs::remove_file(&self.part);
    }
}

/// A list that came into force in the place of another.
pub(super) struct Replaced {
    /// Its name.
    pub(super) list: String,
    /// What was in force.
    pub(super) before: Arc<Snapshot>,
    /// What is.
    pub(super) after: Arc<Snapshot>,
    /// The proposal that it was; none of a file that changed.
    pub(super) proposal: Option<i64>,
}

impl Replaced {
    /// Keeps that it was; `by`: who activated it, or its file.
    pub(super) fn keep(&self, transaction: &Transaction<'_>, by: &str, now_ms: i64) -> rusqlite::Result<i64> {
        let mut told = json!({
            "list": self.list, "by": by, "version": version(&self.after), "entries": self.after.len(), "version_before": version(&self.before), "entries_before": self.before.len(),
        });
        if let Some(proposal) = self.proposal {
            told["proposal"] = proposal.into();
        }
        keep(transaction, &self.list, self.proposal, told, now_ms)
    }
}

impl One {
    fn state(&self) -> std::sync::MutexGuard<'_, ListState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reload_due(&self) -> Option<Replaced> {
        let mut state = self.state();
        if state.looked.elapsed() < Duration::from_secs(self.list.reload_s) {
            return None;
        }
        state.looked = Instant::now();
        let found = stamp(&self.list.file);
        if found == state.stamp {
            return None;
        }
        // Written to at this moment: what is there is half a list.
        if found.is_some_and(|(_, changed)| changed.elapsed().is_ok_and(|age| age < Duration::from_secs(1))) {
            return None;
        }
        match load(&self.list, snapshot::load_index_gently) {
            Ok(snapshot) => {
                tracing::info!(list = self.list.name, entries = snapshot.len(), "list in force");
                let before = Arc::clone(&self.watchlist.load());
                self.watchlist.replace(Arc::clone(snapshot.base()));
                (state.stamp, state.error) = (found, None);
                Some(Replaced { list: self.list.name.clone(), before, after: Arc::new(snapshot), proposal: None })
            }
            Err(error) => {
                let text = error.to_string();
                if state.error.as_ref() != Some(&text) {
                    tracing::error!(list = self.list.name, %error, "the old list stays in force");
                }
                state.error = Some(text);
                None
            }
        }
    }
}

/// Looks at the lists' files until `stopped`. What came into force is kept, and looked for among what has passed.
pub(super) async fn watch(service: Service, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.changed() => return,
        }
        let lists = service.lists.clone();
        for replaced in tokio::task::spawn_blocking(move || lists.reload_due()).await.unwrap_or_default() {
            let (custody, replaced) = (service.custody.clone(), Arc::new(replaced));
            let kept = Arc::clone(&replaced);
            let fate = blocking(move || custody.change(move |transaction| kept.keep(transaction, "its file", now_ms()))).await;
            if !matches!(fate, Fate::Kept(_)) {
                tracing::error!(list = replaced.list, ?fate, "the list is in force, but that it changed is not kept");
            }
            lookback::of_added(&service, &replaced).await;
        }
    }
}

fn stamp(file: &Path) -> Option<(u64, SystemTime)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

fn load(list: &List, open: fn(&Path) -> Result<Index>) -> Result<Snapshot> {
    let (snapshot, bad) = snapshot::load_with(&list.file, &list.mapping, jiff::Timestamp::now(), open)?;
    if let Some(first) = bad.first() {
        tracing::warn!(list = list.name, %first, "not all of the list's file is taken: `garita watchlist import` says all that is not");
    }
    Ok(snapshot)
}

/// When the list in force was built.
fn version(snapshot: &Snapshot) -> String {
    snapshot.base().info().built.to_string()
}
