//! The tables of an index, as they are written and as they are probed: the first characters, the deletion tables, the runs of three.
//!
//! *Deletion table.* Two texts are at most one edit apart only if one of them, or one of its versions with a character deleted, equals the
//! same of the other (Mor and Fraenkel 1982; SymSpell). So the table holds each folded key and its versions, hashed; a query looks up its own
//! versions, about 8, and checks what it finds. A slot is a 16-bit tag and a row, 6 bytes: with eight slots a bucket, one slot in 8,000 has the
//! right tag by chance. Tags and rows lie apart, so that a probe that finds nothing touches two cache lines.

use std::io::{Seek, SeekFrom, Write};

use super::format::{ALIGNMENT, Header, Place, Row, Section, TEXTS_BEGIN};
use super::text::Key;
use crate::error::{Error, Fault, Result};
use crate::posterior::MAX_POSITIONS;

/// What is written at once.
pub(crate) const CHUNK: usize = 1 << 20;
/// Slots to a bucket of a deletion table, on average. 8 tags of two bytes are a quarter of a cache line.
const SLOTS: u64 = 8;
/// The most versions of a text with at most two characters deleted: 1 + 16 + 16·15/2.
pub(crate) const MAX_VARIANTS: usize = 137;
/// The symbols of a gram: 36, the begin and the end of a text.
const GRAM_SYMBOLS: u32 = 38;
/// The grams there are.
pub(crate) const GRAMS: u32 = GRAM_SYMBOLS * GRAM_SYMBOLS * GRAM_SYMBOLS;
/// The symbol before the first character.
pub(crate) const BEGIN: u8 = 37;

/// A few versions of a text, on the stack: each with the tag bits that say where it was shortened.
pub(crate) struct Variants {
    variants: [(Key, u16); MAX_VARIANTS],
    count: usize,
}

/// The bits of a far tag that are hash; those above say which two characters are deleted.
pub(crate) const FAR_HASH: u16 = (1 << 9) - 1;

impl Variants {
    /// The text itself and each different text that one deletion makes of it.
    pub(crate) fn near(key: Key) -> Variants {
        let mut variants = Variants { variants: [(Key::default(), 0); MAX_VARIANTS], count: 0 };
        variants.push(key, 0);
        for at in 0..key.len() {
            // Deleting either of two equal neighbours gives the same text.
            if key.symbol(at) != key.next_symbol(at) {
                variants.push(key.without(at), 0);
            }
        }
        variants
    }

    /// Each text that two deletions make of it, with the number of the pair of places. Two texts of one length are two *replacements* apart
    /// only if the same two places are deleted from both, so pairs of places are told apart, and equal texts from different places are all here.
    pub(crate) fn far(key: Key) -> Variants {
        let mut variants = Variants { variants: [(Key::default(), 0); MAX_VARIANTS], count: 0 };
        for second in 1..key.len() {
            let once = key.without(second);
            for first in 0..second {
                variants.push(once.without(first), (second * (second - 1) / 2 + first) as u16);
            }
        }
        variants
    }

    fn push(&mut self, key: Key, places: u16) {
        self.variants[self.count] = (key, places);
        self.count += 1;
    }

    pub(crate) fn as_slice(&self) -> &[(Key, u16)] {
        &self.variants[..self.count]
    }
}

/// Bucket and tag of a version in a near table of `buckets`.
#[inline]
pub(crate) fn near_slot(variant: (Key, u16), buckets: u32) -> (u32, u16) {
    let hash = variant.0.hash64();
    ((((hash >> 32) * u64::from(buckets)) >> 32) as u32, hash as u16)
}

/// Bucket and tag of a version in a far table of `buckets`.
#[inline]
pub(crate) fn far_slot(variant: (Key, u16), buckets: u32) -> (u32, u16) {
    let (bucket, tag) = near_slot(variant, buckets);
    // 120 pairs of 16 places: 7 bits.
    (bucket, tag & FAR_HASH | variant.1 << 9)
}

/// The number of a gram of three symbols.
#[inline]
pub(crate) fn gram(symbols: [u8; 3]) -> u32 {
    symbols.iter().fold(0, |gram, symbol| gram * GRAM_SYMBOLS + u32::from(*symbol).min(GRAM_SYMBOLS - 1))
}

/// Each different gram of a key, its ends included.
fn each_gram(key: Key, mut put: impl FnMut(u32)) {
    let mut seen = [0u32; MAX_POSITIONS];
    for at in 0..key.len() {
        let before = if at == 0 { BEGIN } else { key.symbol(at - 1) };
        seen[at] = gram([before, key.symbol(at), key.next_symbol(at)]);
        if !seen[..at].contains(&seen[at]) {
            put(seen[at]);
        }
    }
}

/// How many first characters the radix table resolves for `rows` rows.
pub(crate) fn radix_depth(rows: usize) -> u32 {
    // A table of at most 16 bytes a row: half of what a row takes.
    (1..=4).rev().find(|depth| 37usize.pow(*depth) <= 4 * rows).unwrap_or(1)
}

/// The cell of the first `depth` characters of a key in the radix table.
#[inline]
pub(crate) fn radix_cell(key: Key, depth: u32) -> usize {
    (0..depth as usize).fold(0, |cell, at| cell * 37 + (key.symbol(at) as usize).min(36))
}

/// Cell c: the first row whose first characters are those of c or come after them; one more cell at the end.
pub(crate) fn radix(rows: &[[u32; 8]], depth: u32) -> Vec<u32> {
    let mut table = vec![rows.len() as u32; 37usize.pow(depth) + 1];
    let mut filled = 0;
    for (at, row) in rows.iter().enumerate() {
        let cell = radix_cell(Row(*row).key(), depth);
        while filled <= cell {
            table[filled] = at as u32;
            filled += 1;
        }
    }
    table
}

/// The first row of each different key, and the key.
fn distinct(rows: &[[u32; 8]]) -> impl Iterator<Item = (usize, Key)> + '_ {
    let mut last = Key::default();
    rows.iter().enumerate().filter_map(move |(at, row)| {
        let key = Row(*row).key();
        (std::mem::replace(&mut last, key) != key).then_some((at, key))
    })
}

/// A table from buckets to rows: where each bucket starts, a tag of each row if it has any, the rows.
struct Table {
    starts: Section,
    tags: Option<Section>,
    rows: Section,
    buckets: u32,
}

/// An index file while its sections are written.
pub(crate) struct Sections<W> {
    out: W,
    end: u64,
    places: [Place; Section::ALL.len()],
}

impl<W: Write + Seek> Sections<W> {
    /// A file in which only the texts are written.
    pub(crate) fn after_texts(out: W, length: u64, checksum: u32) -> Sections<W> {
        let mut places = [Place::default(); Section::ALL.len()];
        places[Section::Texts as usize] = Place { offset: TEXTS_BEGIN, length, checksum };
        Sections { out, end: TEXTS_BEGIN + length, places }
    }

    /// Bytes so far.
    pub(crate) fn length(&self) -> u64 {
        self.end
    }

    /// Writes a whole section.
    pub(crate) fn write(&mut self, section: Section, bytes: &[u8]) -> Result<()> {
        let offset = self.end.next_multiple_of(ALIGNMENT);
        self.put(offset, bytes)?;
        self.places[section as usize] = Place { offset, length: bytes.len() as u64, checksum: crc32fast::hash(bytes) };
        self.end = offset + bytes.len() as u64;
        Ok(())
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.out.seek(SeekFrom::Start(offset)).and_then(|_| self.out.write_all(bytes)).map_err(|error| Error::io(&error))
    }

    /// Writes the deletion tables and the grams, holding at most about `memory` bytes beside the starts of the buckets. `two_edits` says which lists are in the far table.
    pub(crate) fn write_tables(&mut self, rows: &[[u32; 8]], two_edits: &[bool], memory: u64) -> Result<()> {
        let buckets = |slots: u64| u32::try_from((slots / SLOTS).max(1)).unwrap_or(u32::MAX);
        let far = |first: usize, key: Key| {
            let mut same = rows[first..].iter().map(|row| Row(*row)).take_while(|row| row.key() == key);
            same.any(|row| two_edits.get(row.list() as usize) == Some(&true))
        };

        // About: equal neighbours make fewer.
        let slots = distinct(rows).map(|(_, key)| 1 + key.len() as u64).sum();
        let table = Table { starts: Section::NearStarts, tags: Some(Section::NearTags), rows: Section::NearRows, buckets: buckets(slots) };
        self.scatter(&table, memory, rows, |_, key, put| {
            for variant in Variants::near(key.folded()).as_slice() {
                let (bucket, tag) = near_slot(*variant, table.buckets);
                put(bucket, tag);
            }
        })?;

        let pairs = |key: Key| (key.len() * key.len().saturating_sub(1) / 2) as u64;
        let any_far = two_edits.contains(&true);
        let slots = if any_far { distinct(rows).filter(|(first, key)| far(*first, *key)).map(|(_, key)| pairs(key)).sum() } else { 0 };
        let table = Table { starts: Section::FarStarts, tags: Some(Section::FarTags), rows: Section::FarRows, buckets: buckets(slots) };
        self.scatter(&table, memory, if any_far { rows } else { &[] }, |first, key, put| {
            if far(first, key) {
                for variant in Variants::far(key.folded()).as_slice() {
                    let (bucket, tag) = far_slot(*variant, table.buckets);
                    put(bucket, tag);
                }
            }
        })?;

        let table = Table { starts: Section::GramStarts, tags: None, rows: Section::GramRows, buckets: GRAMS };
        self.scatter(&table, memory, rows, |_, key, put| each_gram(key, |gram| put(gram, 0)))
    }

    /// Puts every (bucket, tag) that `each` makes of a key, with the key's first row, into its bucket; rows of a bucket stay in order.
    fn scatter(&mut self, table: &Table, memory: u64, rows: &[[u32; 8]], each: impl Fn(usize, Key, &mut dyn FnMut(u32, u16))) -> Result<()> {
        let mut starts = vec![0u32; table.buckets as usize + 1];
        for (first, key) in distinct(rows) {
            each(first, key, &mut |bucket, _| starts[bucket as usize + 1] += 1);
        }
        let mut sum = 0u32;
        for start in &mut starts {
            sum = sum.checked_add(*start).ok_or_else(|| Error::new(Fault::Limit, "too many entries for one table; split the list into two indexes"))?;
            *start = sum;
        }
        self.write(table.starts, bytemuck::cast_slice(&starts))?;
        let total = u64::from(sum);
        let mut tags = self.reserve(table.tags.map(|section| (section, total * 2)));
        let mut ids = self.reserve(Some((table.rows, total * 4)));
        let mut from = 0usize;
        while from + 1 < starts.len() {
            // As many buckets as fit, at least one; a slot takes 6 bytes, a bucket's cursor 4.
            let fit = starts[from + 1..].partition_point(|end| u64::from(end - starts[from]) * 6 <= memory).max(1);
            let to = (from + fit).min(starts.len() - 1);
            let base = starts[from];
            let mut cursors = starts[from..to].to_vec();
            let count = (starts[to] - base) as usize;
            let (mut tag_part, mut row_part) = (vec![0u16; if table.tags.is_some() { count } else { 0 }], vec![0u32; count]);
            for (first, key) in distinct(rows) {
                each(first, key, &mut |bucket, tag| {
                    if let Some(cursor) = (bucket as usize).checked_sub(from).and_then(|at| cursors.get_mut(at)) {
                        let at = (*cursor - base) as usize;
                        row_part[at] = first as u32;
                        if let Some(slot) = tag_part.get_mut(at) {
                            *slot = tag;
                        }
                        *cursor += 1;
                    }
                });
            }
            tags.append(self, bytemuck::cast_slice(&tag_part))?;
            ids.append(self, bytemuck::cast_slice(&row_part))?;
            from = to;
        }
        tags.close(self);
        ids.close(self);
        Ok(())
    }

    /// Sets room aside for a section that is written piece by piece.
    fn reserve(&mut self, section: Option<(Section, u64)>) -> Reserved {
        let offset = self.end.next_multiple_of(ALIGNMENT);
        if let Some((_, length)) = section {
            self.end = offset + length;
        }
        Reserved { section: section.map(|(section, _)| section), offset, written: 0, checksum: crc32fast::Hasher::new() }
    }

    /// Writes the header and answers the file.
    pub(crate) fn finish(mut self, radix_depth: u32) -> Result<W> {
        let header = Header { file_length: self.end, radix_depth, places: self.places };
        self.put(0, &header.to_bytes())?;
        self.out.flush().map_err(|error| Error::io(&error))?;
        Ok(self.out)
    }
}

/// Room set aside in the file.
struct Reserved {
    section: Option<Section>,
    offset: u64,
    written: u64,
    checksum: crc32fast::Hasher,
}

impl Reserved {
    fn append<W: Write + Seek>(&mut self, file: &mut Sections<W>, bytes: &[u8]) -> Result<()> {
        if self.section.is_some() {
            file.put(self.offset + self.written, bytes)?;
            self.checksum.update(bytes);
            self.written += bytes.len() as u64;
        }
        Ok(())
    }

    fn close<W: Write + Seek>(self, file: &mut Sections<W>) {
        if let Some(section) = self.section {
            file.places[section as usize] = Place { offset: self.offset, length: self.written, checksum: self.checksum.finalize() };
        }
    }
}
