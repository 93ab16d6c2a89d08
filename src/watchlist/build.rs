//! Building an index in bounded memory.
//!
//! Goal: ten million entries in less than 2 GB and a minute, and the same bytes whatever the memory limit. How: texts go to the file as
//! they come and only rows of 32 bytes are kept; rows beyond the limit are sorted and spilled beside the file as runs, and merged at the
//! end. The tables are filled by counting: one pass over the rows counts what falls into each bucket, then as many passes as the limit
//! asks for put the rows in their places, so that nothing is sorted but rows.
//!
//! Changes are entries too: an entry that comes later wins over one of the same identity, and a removal is a row that wins and is then
//! dropped. So an incremental import is "everything of the old index, then the changes", and costs what a full one does.
//!
//! Tried: sorting (hash, row) pairs of 12 bytes in runs took longer than counting, and more disk than the index itself.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, List};
use super::format::{Row, Section, TEXTS_BEGIN, texts_of, write_texts};
use super::index::Index;
use super::tables::{CHUNK, Sections, radix, radix_depth};
use super::text::Key;
use crate::bytes::Bytes;
use crate::error::{Error, Fault, Result};

/// The most lists that one index has: a row has a byte for it.
pub const MAX_LISTS: usize = 255;
/// The most entries that one index has.
pub const MAX_ENTRIES: u64 = 1 << 31;

/// The section "info".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Info {
    /// The garita that built it.
    pub garita: String,
    /// When it was built.
    pub built: Timestamp,
    /// Its lists; a row names one by its place here.
    pub lists: Vec<List>,
}

/// What a build did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Built {
    /// Entries in the index.
    pub entries: u64,
    /// Entries that another of the same identity among the changes, filed later, replaced.
    pub repeated: u64,
    /// Where the texts of the first few of them lie, `(replaced, by)`: [`Index::line_of`] tells the lines they stood on.
    pub repeated_texts: Vec<(u64, u64)>,
    /// Removals that removed nothing.
    pub removed_nothing: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of it that are the entries' own texts.
    pub text_bytes: u64,
}

/// How many repeated lines are reported one by one.
const REPORTED: usize = 20;

/// Builds an index into `out`, entry by entry.
pub struct Builder<W: Write + Seek> {
    out: W,
    lists: Vec<List>,
    /// Texts not yet written, and where they begin in the section.
    texts: Vec<u8>,
    texts_written: u64,
    checksum: crc32fast::Hasher,
    rows: Vec<[u32; 8]>,
    spill: Spill,
    /// Texts from here on belong to changes.
    changes_from: u64,
}

/// Sorted runs of rows on disk, beside the index; gone when this is dropped.
struct Spill {
    beside: Option<PathBuf>,
    /// The most rows held in memory.
    limit: usize,
    runs: Vec<PathBuf>,
}

impl Drop for Spill {
    fn drop(&mut self) {
        for run in &self.runs {
            // Nobody is left to tell; a leftover run is harmless.
            let _ = std::fs::remove_file(run);
        }
    }
}

impl Builder<std::io::Cursor<Vec<u8>>> {
    /// Builds in memory, for small lists.
    pub fn in_memory(lists: &[List]) -> Builder<std::io::Cursor<Vec<u8>>> {
        Builder { spill: Spill { beside: None, limit: usize::MAX, runs: Vec::new() }, ..Builder::onto(std::io::Cursor::new(Vec::new()), lists) }
    }

    /// The index, ready to search.
    ///
    /// # Errors
    /// As [`Builder::finish`].
    pub fn into_index(self, built: Timestamp) -> Result<Index> {
        let (_, out) = self.finish(built)?;
        Index::open(Bytes::from(out.into_inner()))
    }
}

impl Builder<File> {
    /// Builds the file at `path`, which is overwritten, holding at most about `memory` bytes at a time (at least 1 MiB).
    ///
    /// # Errors
    /// What the system says of creating the file.
    pub fn create(path: &Path, lists: &[List], memory: u64) -> Result<Builder<File>> {
        let open = File::options().read(true).write(true).create(true).truncate(true).open(path);
        let out = open.map_err(|error| Error::io(&error).in_(path.display()))?;
        let limit = usize::try_from(memory.max(1 << 20) / 2 / 32).unwrap_or(usize::MAX);
        Ok(Builder { spill: Spill { beside: Some(path.to_owned()), limit, runs: Vec::new() }, ..Builder::onto(out, lists) })
    }
}

impl<W: Write + Seek> Builder<W> {
    fn onto(out: W, lists: &[List]) -> Builder<W> {
        Builder {
            out,
            lists: lists.to_vec(),
            texts: Vec::with_capacity(CHUNK),
            texts_written: 0,
            checksum: crc32fast::Hasher::new(),
            rows: Vec::new(),
            spill: Spill { beside: None, limit: usize::MAX, runs: Vec::new() },
            changes_from: 0,
        }
    }

    /// Everything filed from now on is a change to what was filed before: replacing that is no repetition.
    pub fn begin_changes(&mut self) {
        self.changes_from = self.text_position();
    }

    /// Files an entry; its list is created with the usual settings if it is new.
    ///
    /// # Errors
    /// `Caller` for a text without a key or a priority above 100, `Limit` for too many lists or entries, `Machine` for a full disk.
    pub fn add(&mut self, entry: &Entry) -> Result<()> {
        let key = entry.key().map_err(|why| Error::new(Fault::Caller, why))?;
        let row = self.row(key, entry)?;
        write_texts(entry, &mut self.texts);
        self.push(row)
    }

    /// Removes the entry of the same subject, text, jurisdiction and list, filed earlier.
    ///
    /// # Errors
    /// As [`Builder::add`].
    pub fn remove(&mut self, entry: &Entry) -> Result<()> {
        let key = entry.key().map_err(|why| Error::new(Fault::Caller, why))?;
        let row = self.row(key, entry)?.tombstone();
        write_texts(&Entry { line: entry.line, ..Entry::default() }, &mut self.texts);
        self.push(row)
    }

    /// Files everything of `index` that `keep` says yes to (given the list's name), copying texts as they are.
    ///
    /// # Errors
    /// As [`Builder::add`], and `Damaged` for an index whose texts are.
    pub fn add_index(&mut self, index: &Index, mut keep: impl FnMut(&str) -> bool) -> Result<()> {
        let lists: Vec<Option<u8>> =
            index.lists().iter().map(|list| if keep(&list.name) { self.list(list).map(Some) } else { Ok(None) }).collect::<Result<_>>()?;
        let section = index.texts();
        for row in index.rows() {
            let row = Row(*row);
            let Some(list) = lists.get(row.list() as usize).copied().flatten() else { continue };
            let texts = texts_of(row, section).ok_or_else(|| Error::new(Fault::Damaged, format!("the texts of {} are damaged", row.key())))?;
            let moved = row.moved(self.text_position(), list);
            self.texts.extend_from_slice(texts);
            self.push(moved)?;
        }
        Ok(())
    }

    /// The number of a list, created with these settings if it is new.
    ///
    /// # Errors
    /// `Limit` for too many.
    pub fn list(&mut self, settings: &List) -> Result<u8> {
        if let Some(place) = self.lists.iter().position(|list| list.name == settings.name) {
            return Ok(place as u8);
        }
        if self.lists.len() == MAX_LISTS {
            return Err(Error::new(Fault::Limit, format!("more than {MAX_LISTS} lists; is the mapping's `list` column the right one?")));
        }
        self.lists.push(settings.clone());
        Ok((self.lists.len() - 1) as u8)
    }

    fn text_position(&self) -> u64 {
        self.texts_written + self.texts.len() as u64
    }

    fn row(&mut self, key: Key, entry: &Entry) -> Result<Row> {
        if entry.priority > super::entry::LEAST_URGENT {
            return Err(Error::new(Fault::Caller, format!("priority {} is not in 0 (highest) to 100", entry.priority)));
        }
        let list = match self.lists.iter().position(|list| list.name == entry.list) {
            Some(place) => place as u8,
            None => self.list(&List { name: entry.list.clone(), ..List::default() })?,
        };
        Ok(Row::new(key, entry, list, self.text_position()))
    }

    fn push(&mut self, row: Row) -> Result<()> {
        if self.rows.len() >= self.spill.limit {
            self.rows.sort_unstable_by_key(order);
            self.spill.write(&mut self.rows)?;
        }
        self.rows.push(row.0);
        if self.texts.len() >= CHUNK { self.write_texts() } else { Ok(()) }
    }

    fn write_texts(&mut self) -> Result<()> {
        // The header's place is left free until everything else is known.
        self.out.seek(SeekFrom::Start(TEXTS_BEGIN + self.texts_written)).map_err(|error| Error::io(&error))?;
        self.out.write_all(&self.texts).map_err(|error| Error::io(&error))?;
        self.checksum.update(&self.texts);
        self.texts_written += self.texts.len() as u64;
        self.texts.clear();
        Ok(())
    }

    /// Writes the index and answers what was done, and where it was written to (flushed, not synchronised).
    ///
    /// # Errors
    /// `Machine` for a full disk, `Limit` for more than [`MAX_ENTRIES`].
    pub fn finish(mut self, built: Timestamp) -> Result<(Built, W)> {
        self.write_texts()?;
        let mut report = Built { text_bytes: self.texts_written, ..Built::default() };
        let rows = self.settle(&mut report)?;
        let rows: &[[u32; 8]] = match &rows {
            Rows::Memory(rows) => rows,
            Rows::Mapped(bytes) => bytemuck::try_cast_slice(bytes).map_err(|_| Error::new(Fault::Machine, "a spilled run has an odd length"))?,
        };
        if rows.len() as u64 > MAX_ENTRIES {
            return Err(Error::new(Fault::Limit, format!("{} entries, at most {MAX_ENTRIES} are possible", rows.len())));
        }
        let mut file = Sections::after_texts(self.out, self.texts_written, self.checksum.finalize());
        file.write(Section::Rows, bytemuck::cast_slice(rows))?;
        let depth = radix_depth(rows.len());
        file.write(Section::Radix, bytemuck::cast_slice(&radix(rows, depth)))?;
        let two_edits: Vec<bool> = self.lists.iter().map(|list| list.edits >= 2).collect();
        file.write_tables(rows, &two_edits, (self.spill.limit as u64).saturating_mul(32))?;
        let info = Info { garita: env!("CARGO_PKG_VERSION").to_owned(), built, lists: self.lists };
        let json = serde_json::to_vec(&info).map_err(|error| Error::new(Fault::Machine, error.to_string()))?;
        file.write(Section::Info, &json)?;
        report.entries = rows.len() as u64;
        report.bytes = file.length();
        Ok((report, file.finish(depth)?))
    }

    /// The rows in order, one of each identity, tombstones gone.
    fn settle(&mut self, report: &mut Built) -> Result<Rows> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_unstable_by_key(order);
        let mut settle = Settle { last: None, report, changes_from: self.changes_from };
        if !self.spill.runs.is_empty() {
            self.spill.write(&mut rows)?;
            drop(rows);
            return self.spill.merge(&mut settle);
        }
        let mut kept = 0;
        for at in 0..rows.len() {
            if let Some(row) = settle.push(Row(rows[at])) {
                rows[kept] = row.0;
                kept += 1;
            }
        }
        if let Some(row) = settle.end() {
            rows[kept] = row.0;
            kept += 1;
        }
        rows.truncate(kept);
        Ok(Rows::Memory(rows))
    }
}

/// Rows sort by identity, and the one that was filed last comes last.
fn order(row: &[u32; 8]) -> ((Key, u32, u8, u32), u64) {
    (Row(*row).identity(), Row(*row).texts())
}

enum Rows {
    Memory(Vec<[u32; 8]>),
    Mapped(Bytes),
}

/// Lets the last of each identity through, unless it is a tombstone.
struct Settle<'a> {
    last: Option<Row>,
    report: &'a mut Built,
    changes_from: u64,
}

impl Settle<'_> {
    /// Takes the next row in order; answers the one before if it was the last of its identity.
    fn push(&mut self, row: Row) -> Option<Row> {
        let Some(last) = self.last.replace(row) else {
            self.lonely(row, None);
            return None;
        };
        if last.identity() == row.identity() {
            if last.texts() >= self.changes_from && !last.is_tombstone() && !row.is_tombstone() {
                self.report.repeated += 1;
                if self.report.repeated_texts.len() < REPORTED {
                    self.report.repeated_texts.push((last.texts(), row.texts()));
                }
            }
            self.lonely(row, Some(last));
            return None;
        }
        self.lonely(row, None);
        (!last.is_tombstone()).then_some(last)
    }

    fn end(&mut self) -> Option<Row> {
        self.last.take().filter(|row| !row.is_tombstone())
    }

    /// Counts a tombstone with nothing before it to remove.
    fn lonely(&mut self, row: Row, before: Option<Row>) {
        if row.is_tombstone() && before.is_none_or(Row::is_tombstone) {
            self.report.removed_nothing += 1;
        }
    }
}

impl Spill {
    /// Writes a sorted run and empties `rows`.
    fn write(&mut self, rows: &mut Vec<[u32; 8]>) -> Result<()> {
        let path = self.name(&format!("run{}", self.runs.len()))?;
        std::fs::write(&path, bytemuck::cast_slice::<_, u8>(rows)).map_err(|error| Error::io(&error).in_(path.display()))?;
        self.runs.push(path);
        rows.clear();
        Ok(())
    }

    fn name(&self, what: &str) -> Result<PathBuf> {
        let beside = self.beside.as_ref().ok_or_else(|| Error::new(Fault::Limit, "too many entries to build in memory"))?;
        Ok(beside.with_added_extension(what))
    }

    /// Merges the runs into one file and maps it.
    fn merge(&mut self, settle: &mut Settle<'_>) -> Result<Rows> {
        let path = self.name("merged")?;
        let machine = |error: std::io::Error| Error::io(&error).in_(path.display());
        let mut merged = BufWriter::with_capacity(CHUNK, File::create(&path).map_err(machine)?);
        let mut runs = Vec::new();
        let mut heads = BinaryHeap::new();
        for (number, run) in self.runs.iter().enumerate() {
            let mut run = BufReader::with_capacity(CHUNK / 4, File::open(run).map_err(machine)?);
            if let Some(row) = next_row(&mut run).map_err(machine)? {
                heads.push(Reverse((order(&row), row, number)));
            }
            runs.push(run);
        }
        self.runs.push(path.clone());
        let mut empty = true;
        while let Some(Reverse((_, row, number))) = heads.pop() {
            if let Some(row) = next_row(&mut runs[number]).map_err(machine)? {
                heads.push(Reverse((order(&row), row, number)));
            }
            if let Some(row) = settle.push(Row(row)) {
                merged.write_all(bytemuck::bytes_of(&row.0)).map_err(machine)?;
                empty = false;
            }
        }
        if let Some(row) = settle.end() {
            merged.write_all(bytemuck::bytes_of(&row.0)).map_err(machine)?;
            empty = false;
        }
        merged.flush().map_err(machine)?;
        if empty { Ok(Rows::Memory(Vec::new())) } else { Bytes::map(&path).map(Rows::Mapped) }
    }
}

fn next_row(run: &mut impl Read) -> std::io::Result<Option<[u32; 8]>> {
    let mut row = [0u32; 8];
    match run.read_exact(bytemuck::bytes_of_mut(&mut row)) {
        Ok(()) => Ok(Some(row)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
