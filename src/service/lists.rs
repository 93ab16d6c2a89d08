//! The site's watchlists: loaded at start, looked at again when their files change. A file that cannot be read leaves the old list in force.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use super::door::now_ms;
use super::metrics;
use crate::audit::{self, Act, Action};
use crate::custody::Custody;
use crate::custody::record::Record;
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

    /// The list of this name, wherever it lies: when the index in force was built, and how many entries that has.
    pub(super) fn of_name(&self, name: &str) -> Option<serde_json::Value> {
        self.lists.iter().find_map(|one| {
            let snapshot = one.watchlist.load();
            let known = snapshot.base().lists().iter().any(|list| list.name == name);
            known.then(|| serde_json::json!({ "file": one.list.name, "built": version(&snapshot), "entries": snapshot.len() }))
        })
    }

    /// Looks at the files that are due; answers what is to be told of lists that are in force now.
    fn reload_due(&self) -> Vec<Act> {
        self.lists.iter().filter_map(One::reload_due).collect()
    }
}

impl One {
    fn state(&self) -> std::sync::MutexGuard<'_, ListState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reload_due(&self) -> Option<Act> {
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
                let (before, after) = (version(&self.watchlist.load()), version(&snapshot));
                metrics::list(&self.list.name, Some(&before), &after);
                self.watchlist.replace(Arc::clone(snapshot.base()));
                (state.stamp, state.error) = (found, None);
                let details = serde_json::json!({ "by": "its file", "entries": snapshot.len(), "version": after, "before": before });
                let subject = format!("list {}", self.list.name);
                Some(Act { who: "garita".to_owned(), action: Action::ListChanged, subject, details, now_ms: now_ms() })
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

/// Looks at the lists' files until `stopped`, and tells the audit trail what changed.
pub(super) async fn watch(lists: Lists, custody: Custody, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.changed() => return,
        }
        let (lists, custody) = (lists.clone(), custody.clone());
        let reloaded = tokio::task::spawn_blocking(move || {
            for act in lists.reload_due() {
                let append = move |transaction: &rusqlite::Transaction<'_>| audit::append(transaction, &act);
                custody.put(Record::Change(Box::new(append), Box::new(|_| {})));
            }
        });
        let _ = reloaded.await;
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
