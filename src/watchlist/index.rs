//! An index, opened: sorted rows and tables over shared bytes, searched in place.
//!
//! Goal: opened in microseconds from a mapping, shared by all workers, no state and no allocation in a search but the caller's own buffers.
//! Caveat: `open` verifies the structure, not the content; see the invariants in `format.rs`. Every number read from the file is taken
//! for a hint and clamped to what is there.

use std::ops::Range;

use bytemuck::Pod;

use super::build::Info;
use super::entry::{Entry, List};
use super::format::{Header, Row, Section, read_entry};
use super::tables::{FAR_HASH, GRAMS, Variants, far_slot, near_slot, radix_cell};
use super::text::{Distance, Key};
use crate::bytes::Bytes;
use crate::error::{Error, Fault, Result};

/// What is verified between two rests: about a millisecond with the pages not in memory yet.
const PIECE_BYTES: usize = 2 << 20;
/// The same for the order of rows.
const PIECE_ROWS: usize = 1 << 18;

/// An immutable list of entries, made by [`Builder`](super::build::Builder).
#[derive(Debug)]
pub struct Index {
    bytes: Bytes,
    header: Header,
    info: Info,
}

/// An index's tables as slices; made once per search.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) rows: &'a [[u32; 8]],
    radix: &'a [u32],
    depth: u32,
    near: Table<'a>,
    far: Table<'a>,
    gram_starts: &'a [u32],
    gram_rows: &'a [u32],
}

#[derive(Clone, Copy)]
struct Table<'a> {
    starts: &'a [u32],
    tags: &'a [u16],
    rows: &'a [u32],
}

impl Index {
    /// Takes an index as it lies in a file, verifying its structure but not its content: see [`Index::verify`].
    ///
    /// # Errors
    /// `Damaged` for what is not a whole index, `Unsupported` for one of another format.
    pub fn open(bytes: Bytes) -> Result<Index> {
        let bytes = bytes.aligned();
        let header = Header::parse(&bytes)?;
        let place = header.places[Section::Info as usize];
        let info = serde_json::from_slice(&bytes[place.offset as usize..(place.offset + place.length) as usize])
            .map_err(|error| Error::new(Fault::Damaged, format!("has damaged settings ({error}); build it again")))?;
        Ok(Index { bytes, header, info })
    }

    /// Verifies the checksum of every section, which reads the whole file.
    ///
    /// # Errors
    /// `Damaged`, naming the first section whose checksum does not hold.
    pub fn verify(&self) -> Result<()> {
        self.verify_in_pieces(|| {})
    }

    /// [`Index::verify`], with `rest` called after each piece of about a millisecond: who swaps lists under a running load sleeps there.
    ///
    /// # Errors
    /// As [`Index::verify`].
    pub fn verify_in_pieces(&self, mut rest: impl FnMut()) -> Result<()> {
        for (section, place) in Section::ALL.into_iter().zip(self.header.places) {
            let mut checksum = crc32fast::Hasher::new();
            for piece in self.bytes[place.offset as usize..(place.offset + place.length) as usize].chunks(PIECE_BYTES) {
                checksum.update(piece);
                rest();
            }
            if checksum.finalize() != place.checksum {
                let message = format!("has damaged {} (their checksum does not hold); build or copy it again", section.name());
                return Err(Error::new(Fault::Damaged, message));
            }
        }
        let rows = self.rows();
        // Row numbers are 32 bits and most arithmetic on them is; the builder keeps to fewer.
        if rows.len() as u64 > super::build::MAX_ENTRIES {
            return Err(Error::new(Fault::Limit, format!("has {} entries, at most {} are possible", rows.len(), super::build::MAX_ENTRIES)));
        }
        for at in 1..rows.len() {
            if Row(rows[at - 1]).identity() >= Row(rows[at]).identity() {
                return Err(Error::new(Fault::Damaged, format!("has rows out of order at {at}; build it again")));
            }
            if at.is_multiple_of(PIECE_ROWS) {
                rest();
            }
        }
        Ok(())
    }

    /// Verifies each entry after [`Index::verify`]: its texts can be read and give its key, and the tables find it. `each` is called after every one.
    ///
    /// # Errors
    /// `Damaged`, naming the first entry that is not so.
    pub fn verify_entries(&self, mut each: impl FnMut()) -> Result<()> {
        let view = self.view();
        let mut found = Vec::new();
        for at in 0..self.len() {
            let entry = self.entry(at)?;
            let damaged = |why: &str| Error::new(Fault::Damaged, format!("entry {at}, {}, {why}; build the index again", entry.identity()));
            let key = entry.key().map_err(|why| damaged(&why))?;
            let rows = view.exact(key);
            if view.key(at) != key || !rows.contains(&at) {
                return Err(damaged("is not where its text says"));
            }
            view.within(key, &Distance::from(key), 0, &mut found);
            if !found.iter().any(|row| *row as usize == rows.start) {
                return Err(damaged("is not in the table of near texts"));
            }
            each();
        }
        Ok(())
    }

    /// Entries in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows().is_empty()
    }

    /// Its lists.
    #[must_use]
    pub fn lists(&self) -> &[List] {
        &self.info.lists
    }

    /// Who built it when.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Name and bytes of each section.
    pub fn sections(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Section::ALL.into_iter().zip(self.header.places).map(|(section, place)| (section.name(), place.length))
    }

    /// Entry number `at` in the order of the keys.
    ///
    /// # Errors
    /// `Caller` where there is none, `Damaged` for damaged texts.
    pub fn entry(&self, at: usize) -> Result<Entry> {
        let row = self.rows().get(at).ok_or_else(|| Error::new(Fault::Caller, format!("there is no entry {at}, only {}", self.len())))?;
        let list = self.info.lists.get(Row(*row).list() as usize).map_or("", |list| list.name.as_str());
        read_entry(Row(*row), list, self.texts())
    }

    /// Every entry in the order of the keys.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry>> + '_ {
        (0..self.len()).map(|at| self.entry(at))
    }

    /// The line on which the texts at `place` stood; 0 if unknown.
    pub(crate) fn line_of(&self, place: u64) -> u64 {
        super::format::read_line(place, self.texts()).unwrap_or(0)
    }

    pub(crate) fn rows(&self) -> &[[u32; 8]] {
        self.section(Section::Rows)
    }

    pub(crate) fn texts(&self) -> &[u8] {
        self.section(Section::Texts)
    }

    /// The bytes of a section as its elements; the header was checked to hold whole ones.
    #[inline]
    fn section<T: Pod>(&self, section: Section) -> &[T] {
        let place = self.header.places[section as usize];
        bytemuck::try_cast_slice(&self.bytes[place.offset as usize..(place.offset + place.length) as usize]).unwrap_or_default()
    }

    pub(crate) fn view(&self) -> View<'_> {
        View {
            rows: self.rows(),
            radix: self.section(Section::Radix),
            depth: self.header.radix_depth,
            near: Table { starts: self.section(Section::NearStarts), tags: self.section(Section::NearTags), rows: self.section(Section::NearRows) },
            far: Table { starts: self.section(Section::FarStarts), tags: self.section(Section::FarTags), rows: self.section(Section::FarRows) },
            gram_starts: self.section(Section::GramStarts),
            gram_rows: self.section(Section::GramRows),
        }
    }
}

impl<'a> View<'a> {
    #[inline]
    pub(crate) fn key(&self, row: usize) -> Key {
        self.rows.get(row).map_or(Key::default(), |row| Row(*row).key())
    }

    /// The rows whose key has the first `length` characters of `prefix` (which has no more).
    #[inline]
    pub(crate) fn with_prefix(&self, prefix: Key, length: usize) -> Range<usize> {
        let depth = self.depth as usize;
        if length <= depth {
            let span = 37usize.pow((depth - length) as u32);
            let cell = radix_cell(prefix, self.depth);
            return self.clamp(self.radix.get(cell), self.radix.get(cell + span));
        }
        let cell = radix_cell(prefix, self.depth);
        self.narrow(self.clamp(self.radix.get(cell), self.radix.get(cell + 1)), prefix, length)
    }

    /// Of the sorted rows `within`, those whose key has the first `length` characters of `prefix`.
    #[inline]
    pub(crate) fn narrow(&self, within: Range<usize>, prefix: Key, length: usize) -> Range<usize> {
        let rows = self.rows.get(within.clone()).unwrap_or_default();
        let last = prefix.last_with_prefix(length);
        let from = rows.partition_point(|row| Row(*row).key() < prefix);
        // What has the prefix is mostly few rows: walk to the end of them before searching for it.
        let near = rows[from..].iter().take(8).take_while(|row| Row(**row).key() <= last).count();
        let count = if near < 8 { near } else { near + rows[from + near..].partition_point(|row| Row(*row).key() <= last) };
        within.start + from..within.start + from + count
    }

    /// Whether [`View::with_prefix`] of this length is a look-up without a search.
    #[inline]
    pub(crate) fn is_direct(&self, length: usize) -> bool {
        length <= self.depth as usize
    }

    /// The rows with this key.
    #[inline]
    pub(crate) fn exact(&self, key: Key) -> Range<usize> {
        self.with_prefix(key, crate::posterior::MAX_POSITIONS)
    }

    fn clamp(&self, from: Option<&u32>, to: Option<&u32>) -> Range<usize> {
        let to = to.map_or(0, |to| *to as usize).min(self.rows.len());
        from.map_or(0, |from| *from as usize).min(to)..to
    }

    /// Appends the first row of each key that is at most `edits` (0 to 2) replaced, missing or additional characters from `key` under
    /// OCR equivalence (`distance` is from it), sorted and once each. Two edits are complete for the keys of lists that turn two edits on.
    pub(crate) fn within(&self, key: Key, distance: &Distance, edits: u8, found: &mut Vec<u32>) {
        found.clear();
        let folded = key.folded();
        let near = Variants::near(folded);
        let near = if edits == 0 { &near.as_slice()[..1] } else { near.as_slice() };
        self.near.probe(near, near_slot, u16::MAX, found);
        if edits >= 2 {
            // One or two characters more in an entry; one or two fewer; as many, with two replaced. (One more and one fewer is in near and near.)
            self.far.probe(near, far_slot, FAR_HASH, found);
            let far = Variants::far(folded);
            self.near.probe(far.as_slice(), near_slot, u16::MAX, found);
            self.far.probe(far.as_slice(), far_slot, u16::MAX, found);
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|row| distance.to(self.key(*row as usize)) <= edits);
    }

    /// The rows of keys that contain a gram, by number of the gram.
    pub(crate) fn with_gram(&self, gram: u32) -> &'a [u32] {
        let Some([from, to]) = self.gram_starts.get(gram as usize..gram as usize + 2) else { return &[] };
        debug_assert!(gram < GRAMS);
        self.gram_rows.get(*from as usize..*to as usize).unwrap_or_default()
    }
}

impl Table<'_> {
    /// Appends the rows in whose slots one of `variants` may be; `slot` tells bucket and tag of one, of which the bits `compared` must be equal.
    #[inline]
    fn probe(&self, variants: &[(Key, u16)], slot: impl Fn((Key, u16), u32) -> (u32, u16), compared: u16, found: &mut Vec<u32>) {
        let Some(buckets) = u32::try_from(self.starts.len()).ok().and_then(|starts| starts.checked_sub(1)).filter(|buckets| *buckets > 0) else { return };
        // In two strides, so that the processor fetches the starts of many buckets at a time instead of one after the other.
        for variants in variants.chunks(16) {
            let mut ranges = [(0u32, 0u32, 0u16); 16];
            for (range, variant) in ranges.iter_mut().zip(variants) {
                let (bucket, tag) = slot(*variant, buckets);
                *range = (self.starts[bucket as usize], self.starts[bucket as usize + 1], tag);
            }
            for (from, to, tag) in &ranges[..variants.len()] {
                let tags = self.tags.get(*from as usize..*to as usize).unwrap_or_default();
                for (at, other) in tags.iter().enumerate() {
                    if (other ^ tag) & compared == 0
                        && let Some(row) = self.rows.get(*from as usize + at)
                    {
                        found.push(*row);
                    }
                }
            }
        }
    }
}
