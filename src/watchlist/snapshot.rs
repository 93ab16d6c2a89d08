//! What the workers search: an index, and what was added and removed by hand since it was built.
//!
//! A [`Snapshot`] never changes; [`Watchlist`] swaps one for the next, so that a worker sees all of a change or nothing of it, and takes no
//! lock to look. What is added by hand is a second, small index of the same kind, built in memory at each change (about 1 µs an entry):
//! one search, one format, nothing to keep in step. Limit: [`MAX_OVERLAY`] entries; a list that grows further is built anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;

use super::build::Builder;
use super::entry::{Entry, List};
use super::find::least_likelihood;
use super::format::Row;
use super::import::{self, Action, Limits, NotTaken};
use super::index::Index;
use super::mapping::Mapping;
use crate::bytes::Bytes;
use crate::error::{Error, Fault, Result};

/// The most entries that are added by hand: building their index takes 10 ms CPU (`benches/watchlist.rs`), of the 50 ms in which they are to be visible.
pub const MAX_OVERLAY: usize = 10_000;

/// See [`load_index_gently`].
const REST: std::time::Duration = std::time::Duration::from_millis(5);

/// Names an entry of one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle {
    pub(crate) layer: u8,
    pub(crate) row: u32,
}

/// An index and which of its rows no longer count.
#[derive(Debug, Clone)]
pub struct Layer {
    index: Arc<Index>,
    /// Sorted.
    removed: Vec<u32>,
}

impl Layer {
    fn new(index: Arc<Index>) -> Layer {
        Layer { index, removed: Vec::new() }
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    #[inline]
    pub(crate) fn is_removed(&self, row: u32) -> bool {
        !self.removed.is_empty() && self.removed.binary_search(&row).is_ok()
    }

    /// The settings of a list; those of a damaged row's list, which there is none of, are the usual ones.
    pub(crate) fn list(&self, number: u8) -> &List {
        static USUAL: std::sync::LazyLock<List> = std::sync::LazyLock::new(List::default);
        self.index.lists().get(number as usize).unwrap_or(&USUAL)
    }

    /// The least R that can make a match of any list.
    pub(crate) fn least_likelihood(&self, threshold: Option<f32>) -> f32 {
        self.index.lists().iter().map(|list| least_likelihood(threshold.unwrap_or(list.threshold), list.prior)).fold(f32::INFINITY, f32::min)
    }

    /// The row of the entry with the identity of `entry`.
    fn row_of(&self, entry: &Entry) -> Option<u32> {
        let key = entry.key().ok()?;
        let view = self.index.view();
        let mut rows = view.exact(key);
        rows.find(|at| {
            let row = Row(view.rows[*at]);
            row.jurisdiction() == entry.jurisdiction && row.subject() == entry.subject && self.list(row.list()).name == entry.list
        })
        .map(|row| row as u32)
    }
}

/// One state of the watchlist, immutable.
#[derive(Debug, Clone)]
pub struct Snapshot {
    layers: Vec<Layer>,
    /// The entries of the second layer, by subject and identity.
    added: BTreeMap<String, Arc<Entry>>,
}

impl Snapshot {
    /// The entries of an index.
    #[must_use]
    pub fn new(index: Arc<Index>) -> Snapshot {
        Snapshot { layers: vec![Layer::new(index)], added: BTreeMap::new() }
    }

    /// A snapshot of these entries, built in memory.
    ///
    /// # Errors
    /// As [`Builder::add`].
    pub fn of_entries(entries: &[Entry], lists: &[List]) -> Result<Snapshot> {
        let mut builder = Builder::in_memory(lists);
        for entry in entries {
            builder.add(entry)?;
        }
        Ok(Snapshot::new(Arc::new(builder.into_index(Timestamp::UNIX_EPOCH)?)))
    }

    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The index that was built, without what was changed by hand.
    #[must_use]
    pub fn base(&self) -> &Arc<Index> {
        &self.layers[0].index
    }

    /// Entries, those of changes by hand included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layers.iter().map(|layer| layer.index.len() - layer.removed.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of an entry.
    ///
    /// # Errors
    /// `Caller` for a handle of another snapshot, `Damaged` for damaged texts.
    pub fn entry(&self, handle: Handle) -> Result<Entry> {
        let layer = self.layers.get(handle.layer as usize).ok_or_else(|| Error::new(Fault::Caller, "this match is of another state of the watchlist"))?;
        layer.index.entry(handle.row as usize)
    }

    /// The settings of an entry's list.
    #[must_use]
    pub fn list(&self, handle: Handle) -> Option<&List> {
        let layer = self.layers.get(handle.layer as usize)?;
        layer.index.rows().get(handle.row as usize).map(|row| layer.list(Row(*row).list()))
    }

    /// This snapshot with `entries` added as one change, each replacing the one of its identity.
    ///
    /// # Errors
    /// As [`Builder::add`]; `Limit` beyond [`MAX_OVERLAY`].
    pub fn with(&self, entries: &[Entry]) -> Result<Snapshot> {
        let mut next = self.clone();
        for entry in entries {
            next.forget(entry);
            next.added.insert(name(entry), Arc::new(entry.clone()));
        }
        if next.added.len() > MAX_OVERLAY {
            return Err(Error::new(Fault::Limit, format!("more than {MAX_OVERLAY} entries added by hand; build the index anew with `garita watchlist build`")));
        }
        next.rebuilt()
    }

    /// This snapshot without the entry that has the identity of `entry`; `None` if there is none.
    ///
    /// # Errors
    /// As [`Builder::add`].
    pub fn without(&self, entry: &Entry) -> Result<Option<Snapshot>> {
        let mut next = self.clone();
        if next.forget(entry) { next.rebuilt().map(Some) } else { Ok(None) }
    }

    /// Drops the entry with the identity of `entry` from both layers' making; false if there was none.
    fn forget(&mut self, entry: &Entry) -> bool {
        let mut was_there = self.added.remove(&name(entry)).is_some();
        if let Some(row) = self.layers[0].row_of(entry)
            && let Err(place) = self.layers[0].removed.binary_search(&row)
        {
            self.layers[0].removed.insert(place, row);
            was_there = true;
        }
        was_there
    }

    /// With the second layer made of `added`.
    fn rebuilt(mut self) -> Result<Snapshot> {
        self.layers.truncate(1);
        if !self.added.is_empty() {
            let mut builder = Builder::in_memory(self.layers[0].index.lists());
            for entry in self.added.values() {
                builder.add(entry)?;
            }
            self.layers.push(Layer::new(Arc::new(builder.into_index(Timestamp::UNIX_EPOCH)?)));
        }
        Ok(self)
    }
}

/// What an entry is told apart by.
fn name(entry: &Entry) -> String {
    format!("{:?} {}", entry.subject, entry.identity())
}

/// The watchlist of a running garita: the current snapshot, to be looked at by all and changed by one at a time.
#[derive(Debug)]
pub struct Watchlist {
    current: ArcSwap<Snapshot>,
    changing: Mutex<()>,
}

impl Watchlist {
    /// A watchlist that begins with `snapshot`.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Watchlist {
        Watchlist { current: ArcSwap::from_pointee(snapshot), changing: Mutex::new(()) }
    }

    /// The current snapshot, for one search: wait-free, no lock, no allocation.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Swaps in a newly built index. What was changed by hand is dropped: the new list is taken to know it.
    pub fn replace(&self, index: Arc<Index>) {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.current.store(Arc::new(Snapshot::new(index)));
    }

    /// Adds an entry by hand, or replaces the one of its identity; visible to the next [`Watchlist::load`].
    ///
    /// # Errors
    /// As [`Snapshot::with`].
    pub fn add(&self, entry: &Entry) -> Result<()> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.current.load().with(std::slice::from_ref(entry))?;
        self.current.store(Arc::new(next));
        Ok(())
    }

    /// Removes an entry by hand; false if there was none.
    ///
    /// # Errors
    /// As [`Snapshot::without`].
    pub fn remove(&self, entry: &Entry) -> Result<bool> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(next) = self.current.load().without(entry)? else { return Ok(false) };
        self.current.store(Arc::new(next));
        Ok(true)
    }
}

/// The watchlist at `path`: an index, verified, or a CSV file in garita's own columns, indexed in memory. With it what of the file is not taken.
///
/// # Errors
/// As [`load_index`] and [`import::read`](super::import::read), naming the file.
pub fn load(path: &Path, at: Timestamp) -> Result<(Snapshot, Vec<NotTaken>)> {
    load_with(path, &Mapping::preset("garita")?, at, load_index)
}

/// The watchlist at `path`: an index, opened by `open` ([`load_index`], or [`load_index_gently`] while lanes run), or a list's file in the layout of
/// `mapping`, indexed in memory. With it what of a list's file is not taken: bad lines, the first of them one by one, and unknown columns.
///
/// # Errors
/// As [`load`].
pub fn load_with(path: &Path, mapping: &Mapping, at: Timestamp, open: impl FnOnce(&Path) -> Result<Index>) -> Result<(Snapshot, Vec<NotTaken>)> {
    let bytes = Bytes::map(path)?;
    if bytes.starts_with(&super::format::MAGIC) {
        return Ok((Snapshot::new(Arc::new(open(path)?)), Vec::new()));
    }
    let mut builder = Builder::in_memory(&mapping.lists);
    let mut file = |action, entry: &Entry| match action {
        Action::Add => builder.add(entry),
        Action::Remove => builder.remove(entry),
    };
    let imported = import::read(&bytes[..], mapping, Limits::default(), at, &mut file).map_err(|error| error.in_(path.display()))?;
    let index = builder.into_index(at).map_err(|error| error.in_(path.display()))?;
    Ok((Snapshot::new(Arc::new(index)), imported.not_taken()))
}

/// Maps the index at `path`, verifying all of it: 30 ms CPU for a million entries, which also brings it into memory.
///
/// # Errors
/// As [`Bytes::map`], [`Index::open`] and [`Index::verify`], naming the file.
pub fn load_index(path: &Path) -> Result<Index> {
    let index = open_index(path)?;
    index.verify().map_err(|error| error.in_(path.display()))?;
    Ok(index)
}

/// [`load_index`], resting 5 ms after every millisecond of work: a million entries take about half a second, and lanes that are fully loaded keep their
/// latency (`benches/swap.rs`).
///
/// # Errors
/// As [`load_index`].
pub fn load_index_gently(path: &Path) -> Result<Index> {
    let index = open_index(path)?;
    index.verify_in_pieces(|| std::thread::sleep(REST)).map_err(|error| error.in_(path.display()))?;
    Ok(index)
}

/// Maps the index at `path`, verifying its structure only: milliseconds at any size.
///
/// # Errors
/// As [`Bytes::map`] and [`Index::open`], naming the file.
pub fn open_index(path: &Path) -> Result<Index> {
    Index::open(Bytes::map(path)?).map_err(|error| error.in_(path.display()))
}
