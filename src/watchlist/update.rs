//! A list's file becomes part of an index, or nothing happens: import, and what it would change.
//!
//! A full file replaces every entry of the lists that it has entries of, and leaves the other lists alone; an incremental one adds and
//! removes. Either way the new index is built beside the old one, synchronised, and renamed over it: who has the old one mapped keeps it, and
//! a crash leaves one or the other.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::build::{Builder, Built};
use super::entry::{Entry, List};
use super::format::Row;
use super::import::{Action, Imported, Limits, read};
use super::index::Index;
use super::mapping::Mapping;
use super::snapshot::{load_index, open_index};
use super::text::Key;
use crate::error::{Error, Fault, Result};

/// How a file is imported.
#[derive(Debug, Clone)]
pub struct Import<'a> {
    /// Which column is what.
    pub mapping: &'a Mapping,
    /// Whether the file adds and removes, instead of being the whole list.
    pub incremental: bool,
    /// When it is refused.
    pub limits: Limits,
    /// The most bytes held in memory while building, about.
    pub memory: u64,
    /// Now.
    pub at: Timestamp,
}

/// A new index beside the old one, not yet in its place; dropped, it is gone.
#[derive(Debug)]
pub struct Staged {
    /// What was read, one for each file.
    pub imported: Vec<Imported>,
    /// What was built.
    pub built: Built,
    /// Lines of the file that repeat an earlier one's identity, `(earlier, later)`: the first few of [`Built::repeated`].
    pub repeated_lines: Vec<(u64, u64)>,
    /// The new index.
    pub index: Index,
    part: Part,
    target: PathBuf,
}

impl Import<'_> {
    /// Builds the index at `target` anew with `input` imported, beside it; `target` may not exist yet.
    ///
    /// # Errors
    /// As [`read`], [`Builder`] and [`load_index`]. Whatever goes wrong, the old index stays as it was.
    pub fn stage(&self, input: impl Read, target: &Path) -> Result<Staged> {
        let old = if target.exists() { Some(load_index(target)?) } else { None };
        let (mut stage, mut lists) = (self.begin(old.as_ref(), target)?, BTreeSet::new());
        stage.read(input, self, &mut lists)?;
        if let Some(old) = old.as_ref().filter(|_| !self.incremental) {
            stage.builder.add_index(old, |name| !lists.contains(name))?;
        }
        stage.finish(self.at)
    }

    /// Builds an index at `target` of `input` alone, or, where that is incremental, of `base` with its changes. `base` lends its lists' settings either way.
    ///
    /// # Errors
    /// As [`Import::stage`].
    pub fn stage_beside(&self, input: impl Read, base: &Index, target: &Path) -> Result<Staged> {
        let mut stage = self.begin(Some(base), target)?;
        stage.read(input, self, &mut BTreeSet::new())?;
        stage.finish(self.at)
    }

    /// An index that begins with the settings of `old`, and where the file is incremental with its entries.
    fn begin(&self, old: Option<&Index>, target: &Path) -> Result<Stage> {
        let mut settings: Vec<List> = self.mapping.lists.clone();
        for list in old.into_iter().flat_map(Index::lists) {
            if settings.iter().all(|other| other.name != list.name) {
                settings.push(list.clone());
            }
        }
        let mut stage = Stage::begin(target, &settings, self.memory)?;
        if let Some(old) = old.filter(|_| self.incremental) {
            stage.builder.add_index(old, |_| true)?;
            stage.builder.begin_changes();
        }
        Ok(stage)
    }
}

/// Builds one index of several files and indexes, beside `target`.
///
/// # Errors
/// As [`Import::stage`].
pub fn stage_all<R: Read>(sources: Vec<Source<R>>, import: &Import<'_>, target: &Path) -> Result<Staged> {
    let mut settings: Vec<List> = import.mapping.lists.clone();
    for source in &sources {
        let Source::Index(index) = source else { continue };
        for list in index.lists() {
            if settings.iter().all(|other| other.name != list.name) {
                settings.push(list.clone());
            }
        }
    }
    let mut stage = Stage::begin(target, &settings, import.memory)?;
    for source in sources {
        match source {
            Source::Index(index) => stage.builder.add_index(&index, |_| true)?,
            Source::File(input, name) => stage.read(input, import, &mut BTreeSet::new()).map_err(|error| error.in_(name))?,
        }
    }
    stage.finish(import.at)
}

/// What an index is built of.
pub enum Source<R> {
    /// A list's file, and its name.
    File(R, String),
    /// Another index.
    Index(Box<Index>),
}

/// A file beside the index; gone with this, unless it was renamed.
#[derive(Debug)]
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // What went wrong, if anything did, has been told; after a rename there is nothing to remove.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// An index being built beside another.
struct Stage {
    builder: Builder<File>,
    imported: Vec<Imported>,
    part: Part,
    target: PathBuf,
}

impl Stage {
    fn begin(target: &Path, settings: &[List], memory: u64) -> Result<Stage> {
        let path = target.with_added_extension("part");
        let builder = Builder::create(&path, settings, memory)?;
        Ok(Stage { builder, imported: Vec::new(), part: Part(path), target: target.to_owned() })
    }

    fn read(&mut self, input: impl Read, import: &Import<'_>, lists: &mut BTreeSet<String>) -> Result<()> {
        let builder = &mut self.builder;
        let imported = read(input, import.mapping, import.limits, import.at, &mut |action, entry| {
            if !lists.contains(&entry.list) {
                lists.insert(entry.list.clone());
            }
            match action {
                Action::Add => builder.add(entry),
                Action::Remove if import.incremental => builder.remove(entry),
                Action::Remove => {
                    let message = format!("line {}: removes an entry, which only an incremental file does (--incremental)", entry.line);
                    Err(Error::new(Fault::Caller, message))
                }
            }
        })?;
        self.imported.push(imported);
        Ok(())
    }

    fn finish(self, at: Timestamp) -> Result<Staged> {
        let Stage { builder, imported, part, target } = self;
        let (built, file) = builder.finish(at)?;
        file.sync_all().map_err(|error| Error::io(&error).in_(part.0.display()))?;
        let index = open_index(&part.0)?;
        let repeated_lines = built.repeated_texts.iter().map(|(earlier, later)| (index.line_of(*earlier), index.line_of(*later))).collect();
        Ok(Staged { imported, built, repeated_lines, index, part, target })
    }
}

impl Staged {
    /// Puts the new index in the place of the old one, at once and for good.
    ///
    /// # Errors
    /// What the system says.
    pub fn commit(self) -> Result<Built> {
        std::fs::rename(&self.part.0, &self.target).map_err(|error| Error::io(&error).in_(self.target.display()))?;
        // The rename itself must survive a power cut too.
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| Error::io(&error).in_(folder.display()))?;
        Ok(self.built)
    }
}

/// One difference between two indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Only in the new one.
    Added(Box<Entry>),
    /// Only in the old one.
    Removed(Box<Entry>),
    /// In both, and something but its line and its source's version differs: old, new.
    Changed(Box<Entry>, Box<Entry>),
}

/// How many of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Only in the new one.
    pub added: u64,
    /// Only in the old one.
    pub removed: u64,
    /// In both, different.
    pub changed: u64,
    /// In both, the same.
    pub same: u64,
}

/// Walks over two indexes and tells `each` what differs, in the order of the keys.
///
/// # Errors
/// `Damaged` for damaged texts.
pub fn diff(old: Option<&Index>, new: &Index, mut each: impl FnMut(Change)) -> Result<Changes> {
    let mut changes = Changes::default();
    let (old_rows, new_rows) = (old.map_or(&[][..], Index::rows), new.rows());
    let (mut at_old, mut at_new) = (0, 0);
    let key = |rows: &[[u32; 8]], at: usize| rows.get(at).map(|row| Row(*row).key());
    let run = |rows: &[[u32; 8]], at: usize, of: Key| rows[at..].iter().take_while(|row| Row(**row).key() == of).count();
    while let Some(next) = match (key(old_rows, at_old), key(new_rows, at_new)) {
        (Some(old), Some(new)) => Some(old.min(new)),
        (old, new) => old.or(new),
    } {
        let (end_old, end_new) = (at_old + run(old_rows, at_old, next), at_new + run(new_rows, at_new, next));
        // Few: entries with one text.
        let mut before = (at_old..end_old).map(|at| old.map_or_else(|| Ok(Entry::default()), |old| old.entry(at))).collect::<Result<Vec<_>>>()?;
        for at in at_new..end_new {
            let entry = new.entry(at)?;
            let same = |other: &Entry| other.subject == entry.subject && other.jurisdiction == entry.jurisdiction && other.list == entry.list;
            let Some(place) = before.iter().position(same) else {
                changes.added += 1;
                each(Change::Added(Box::new(entry)));
                continue;
            };
            let other = before.swap_remove(place);
            if other == (Entry { line: other.line, source_version: other.source_version.clone(), ..entry.clone() }) {
                changes.same += 1;
            } else {
                changes.changed += 1;
                each(Change::Changed(Box::new(other), Box::new(entry)));
            }
        }
        for entry in before {
            changes.removed += 1;
            each(Change::Removed(Box::new(entry)));
        }
        (at_old, at_new) = (end_old, end_new);
    }
    Ok(changes)
}
