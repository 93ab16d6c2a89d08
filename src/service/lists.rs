//! The site's watchlists: loaded at start, looked at again when their files change. A file that cannot be read leaves the old list in force.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rusqlite::Transaction;
use serde_json::json;
use tokio::sync::watch;

use super::door::now_ms;
use super::uploads::blocking;
use super::{Service, lookback, metrics};
use crate::audit::{self, Act, Action};
use crate::custody::outbox;
use crate::custody::record::Fate;
use crate::error::Result;
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
                metrics::list(&list.name, None, &version(&snapshot));
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
    pub(super) fn of_name(&self, name: &str) -> Option<serde_json::Value> {
        self.lists.iter().find_map(|one| {
            let snapshot = one.watchlist.load();
            let known = snapshot.base().lists().iter().any(|list| list.name == name);
            known.then(|| serde_json::json!({ "file": one.list.name, "built": version(&snapshot), "entries": snapshot.len() }))
        })
    }

    fn reload_due(&self) -> Vec<Replaced> {
        self.lists.iter().filter_map(One::reload_due).collect()
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
}

impl Replaced {
    /// Keeps that it was: for the audit trail, and to be told outside.
    fn keep(&self, transaction: &Transaction<'_>, now_ms: i64) -> rusqlite::Result<i64> {
        let told = json!({
            "list": self.list, "by": "its file", "version": version(&self.after), "entries": self.after.len(), "version_before": version(&self.before), "entries_before": self.before.len(),
        });
        outbox::tell(transaction, "list.changed", &format!("list/{}", self.list), &told, now_ms)?;
        let act = Act { who: "garita".to_owned(), action: Action::ListChanged, subject: format!("list {}", self.list), details: told, now_ms };
        audit::append(transaction, &act)
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
                metrics::list(&self.list.name, Some(&version(&self.watchlist.load())), &version(&snapshot));
                let before = Arc::clone(&self.watchlist.load());
                self.watchlist.replace(Arc::clone(snapshot.base()));
                (state.stamp, state.error) = (found, None);
                Some(Replaced { list: self.list.name.clone(), before, after: Arc::new(snapshot) })
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
            let fate = blocking(move || custody.change(move |transaction| kept.keep(transaction, now_ms()))).await;
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
    snapshot::load_with(&list.file, &list.mapping, jiff::Timestamp::now(), open)
}

/// When the list in force was built.
fn version(snapshot: &Snapshot) -> String {
    snapshot.base().info().built.to_string()
}
