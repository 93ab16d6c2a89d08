//! What an index file looks like.
//!
//! ```text
//! header   magic, version, length of the file, depth of the first-characters table, checksum of the header, table of sections
//! texts    each entry's texts as filed, in the order of the import
//! rows     one row of 32 bytes per entry, sorted by key: what matching needs, and where its texts are
//! radix    the first row of each beginning of 1 to 4 characters
//! near     a hash table of folded keys and of each with one character deleted → rows
//! far      the same with two characters deleted, for lists that turn two edits on
//! grams    the rows of each run of three characters (the ends of a text count as characters)
//! info     JSON: who built it when, and its lists
//! ```
//!
//! Numbered invariants, and what verifying each costs:
//! 1. The header's checksum holds, the length is the file's, sections lie in the file, are aligned and hold whole elements: verified at
//!    every [`open`](super::index::Index::open), microseconds.
//! 2. Rows are sorted by (key, jurisdiction, list, subject) and no two have the same: verified with 3.
//! 3. Each section's checksum holds: verified by [`Index::verify`](super::index::Index::verify), 30 ms CPU for a million entries; a loaded list is verified before it is swapped in.
//!
//! No query relies on 2 or 3 to stay in bounds: a file that breaks them gives wrong answers, never a panic.
//!
//! Everything is little-endian; big-endian machines are refused at compile time.

use jiff::Timestamp;

use super::entry::{Entry, Jurisdiction, Mode, Subject};
use super::text::Key;
use crate::error::{Error, Fault, Result};

#[cfg(target_endian = "big")]
compile_error!("watchlist indexes are mapped as they lie in the file, which is little-endian");

/// The first bytes of every index.
pub(crate) const MAGIC: [u8; 8] = *b"GARITAWL";
/// Rises with every change that an older garita cannot read.
pub(crate) const VERSION: u32 = 1;
/// Sections begin at multiples of this: a cache line.
pub(crate) const ALIGNMENT: u64 = 64;

/// The sections, in the order of the header's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Info,
    Texts,
    Rows,
    Radix,
    NearStarts,
    NearTags,
    NearRows,
    FarStarts,
    FarTags,
    FarRows,
    GramStarts,
    GramRows,
}

impl Section {
    pub(crate) const ALL: [Section; 12] = [
        Section::Info,
        Section::Texts,
        Section::Rows,
        Section::Radix,
        Section::NearStarts,
        Section::NearTags,
        Section::NearRows,
        Section::FarStarts,
        Section::FarTags,
        Section::FarRows,
        Section::GramStarts,
        Section::GramRows,
    ];

    /// Bytes of one element.
    pub(crate) fn element(self) -> u64 {
        match self {
            Section::Info | Section::Texts => 1,
            Section::Rows => 32,
            Section::NearTags | Section::FarTags => 2,
            _ => 4,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Section::Info => "info",
            Section::Texts => "texts",
            Section::Rows => "rows",
            Section::Radix => "radix",
            Section::NearStarts => "near starts",
            Section::NearTags => "near tags",
            Section::NearRows => "near rows",
            Section::FarStarts => "far starts",
            Section::FarTags => "far tags",
            Section::FarRows => "far rows",
            Section::GramStarts => "gram starts",
            Section::GramRows => "gram rows",
        }
    }
}

/// Where a section lies, and its CRC-32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) checksum: u32,
}

/// Bytes of the header: 32 and 24 a section.
pub(crate) const HEADER: usize = 32 + 24 * Section::ALL.len();

/// Where the texts begin, the first section.
pub(crate) const TEXTS_BEGIN: u64 = (HEADER as u64).next_multiple_of(ALIGNMENT);

/// The parsed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) file_length: u64,
    pub(crate) radix_depth: u32,
    pub(crate) places: [Place; Section::ALL.len()],
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&(Section::ALL.len() as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.file_length.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.radix_depth.to_le_bytes());
        for (place, slot) in self.places.iter().zip(bytes[32..].chunks_exact_mut(24)) {
            slot[..8].copy_from_slice(&place.offset.to_le_bytes());
            slot[8..16].copy_from_slice(&place.length.to_le_bytes());
            slot[16..20].copy_from_slice(&place.checksum.to_le_bytes());
        }
        let checksum = crc32fast::hash(&bytes);
        bytes[28..32].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Invariant 1 of the file.
    pub(crate) fn parse(file: &[u8]) -> Result<Header> {
        let damaged = |message: String| Error::new(Fault::Damaged, message);
        if file.get(..8) != Some(&MAGIC[..]) {
            return Err(damaged("is not a garita watchlist index (its first bytes are not GARITAWL); build one with `garita watchlist build`".to_owned()));
        }
        let u32_at = |at: usize| file.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
        let u64_at = |at: usize| file.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        if u32_at(8) != VERSION {
            let message = format!("is a watchlist index of format {}, this garita reads format {VERSION}; build it again from its sources", u32_at(8));
            return Err(Error::new(Fault::Unsupported, message));
        }
        let Some(header) = file.get(..HEADER) else { return Err(damaged(format!("is cut off inside its header, after {} of {HEADER} bytes", file.len()))) };
        let mut zeroed = [0; HEADER];
        zeroed.copy_from_slice(header);
        zeroed[28..32].fill(0);
        if crc32fast::hash(&zeroed) != u32_at(28) {
            return Err(damaged("has a damaged header (its checksum does not hold); build or copy it again".to_owned()));
        }
        if u64_at(16) != file.len() as u64 {
            return Err(damaged(format!("has {} bytes where its header says {}: cut off or still being copied", file.len(), u64_at(16))));
        }
        let mut header = Header { file_length: u64_at(16), radix_depth: u32_at(24), places: [Place::default(); Section::ALL.len()] };
        for (at, section) in Section::ALL.into_iter().enumerate() {
            let place = Place { offset: u64_at(32 + 24 * at), length: u64_at(40 + 24 * at), checksum: u32_at(48 + 24 * at) };
            let inside = place.offset.checked_add(place.length).is_some_and(|end| end <= header.file_length);
            if !inside || !place.offset.is_multiple_of(ALIGNMENT) || !place.length.is_multiple_of(section.element()) {
                return Err(damaged(format!("says that its {} lie at {} with {} bytes, which cannot be", section.name(), place.offset, place.length)));
            }
            header.places[at] = place;
        }
        let radix_length = 37u64.checked_pow(header.radix_depth).map(|cells| (cells + 1) * 4);
        if header.radix_depth > 4 || radix_length != Some(header.places[Section::Radix as usize].length) {
            return Err(damaged("has a table of first characters of a size that cannot be".to_owned()));
        }
        Ok(header)
    }
}

/// One entry as matching needs it: 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) [u32; 8]);

/// `valid_until` of an entry without one.
const FOR_GOOD: u32 = u32::MAX;
const TOMBSTONE: u32 = 1 << 4;

impl Row {
    /// The row of an entry whose texts begin at `texts` (below 2^40) and whose list is number `list`.
    pub(crate) fn new(key: Key, entry: &Entry, list: u8, texts: u64) -> Row {
        let second = |time: Timestamp| u32::try_from(time.as_second().max(0)).unwrap_or(FOR_GOOD);
        let words = key.words();
        let flags = entry.subject as u32 | (entry.mode as u32) << 2 | u32::from(entry.two_person) << 3;
        Row([
            words[0],
            words[1],
            words[2],
            entry.jurisdiction.0,
            entry.valid_from.map_or(0, second),
            entry.valid_until.map_or(FOR_GOOD, second),
            texts as u32,
            u32::from(list) << 24 | u32::from(entry.priority) << 16 | flags << 8 | (texts >> 32) as u32 & 255,
        ])
    }

    /// The same identity, marked as "was removed".
    pub(crate) fn tombstone(mut self) -> Row {
        self.0[7] |= TOMBSTONE << 8;
        self
    }

    pub(crate) fn is_tombstone(self) -> bool {
        self.flags() & TOMBSTONE != 0
    }

    fn flags(self) -> u32 {
        self.0[7] >> 8 & 255
    }

    #[inline]
    pub(crate) fn key(self) -> Key {
        Key::from_words([self.0[0], self.0[1], self.0[2]])
    }

    pub(crate) fn jurisdiction(self) -> Jurisdiction {
        Jurisdiction(self.0[3])
    }

    /// In force at `second` since 1970.
    #[inline]
    pub(crate) fn valid(self, second: u32) -> bool {
        self.0[4] <= second && (second < self.0[5] || self.0[5] == FOR_GOOD)
    }

    /// Seconds since 1970; `None`: for good.
    pub(crate) fn valid_until(self) -> Option<u32> {
        (self.0[5] != FOR_GOOD).then_some(self.0[5])
    }

    pub(crate) fn list(self) -> u8 {
        (self.0[7] >> 24) as u8
    }

    pub(crate) fn priority(self) -> u8 {
        (self.0[7] >> 16) as u8
    }

    pub(crate) fn subject(self) -> Subject {
        match self.flags() & 3 {
            1 => Subject::Mark,
            2 => Subject::Container,
            _ => Subject::Plate,
        }
    }

    pub(crate) fn mode(self) -> Mode {
        if self.flags() & 4 == 0 { Mode::AlertOnMatch } else { Mode::AlertIfAbsent }
    }

    pub(crate) fn two_person(self) -> bool {
        self.flags() & 8 != 0
    }

    pub(crate) fn texts(self) -> u64 {
        u64::from(self.0[7] & 255) << 32 | u64::from(self.0[6])
    }

    /// With its texts elsewhere, and of list number `list`.
    pub(crate) fn moved(mut self, texts: u64, list: u8) -> Row {
        self.0[6] = texts as u32;
        self.0[7] = self.0[7] & 0x00FF_FF00 | u32::from(list) << 24 | (texts >> 32) as u32 & 255;
        self
    }

    /// What makes two entries the same one, in the order of the rows.
    #[inline]
    pub(crate) fn identity(self) -> (Key, u32, u8, u32) {
        (self.key(), self.0[3], self.list(), self.flags() & 3)
    }
}

/// Appends what [`Row`] does not hold of an entry.
pub(crate) fn write_texts(entry: &Entry, into: &mut Vec<u8>) {
    for text in [&entry.text, &entry.category, &entry.reason, &entry.source, &entry.source_version, &entry.filed_by, &entry.caution] {
        write_number(text.len() as u64, into);
        into.extend_from_slice(text.as_bytes());
    }
    write_number(entry.retention_days.map_or(0, |days| u64::from(days) + 1), into);
    write_number(entry.line, into);
}

/// The entry of a row, read from the texts section.
pub(crate) fn read_entry(row: Row, list: &str, section: &[u8]) -> Result<Entry> {
    let parse = || {
        let mut rest = section.get(usize::try_from(row.texts()).ok()?..)?;
        let mut texts: [&str; 7] = [""; 7];
        for text in &mut texts {
            *text = take_text(&mut rest)?;
        }
        let retention = take_number(&mut rest)?;
        let line = take_number(&mut rest)?;
        let time = |second: u32| Timestamp::from_second(i64::from(second)).ok();
        let [text, category, reason, source, source_version, filed_by, caution] = texts.map(str::to_owned);
        Some(Entry {
            subject: row.subject(),
            text,
            jurisdiction: row.jurisdiction(),
            list: list.to_owned(),
            category,
            priority: row.priority(),
            reason,
            source,
            source_version,
            filed_by,
            valid_from: (row.0[4] != 0).then(|| time(row.0[4])).flatten(),
            valid_until: row.valid_until().and_then(time),
            caution,
            mode: row.mode(),
            two_person: row.two_person(),
            retention_days: retention.checked_sub(1).and_then(|days| u32::try_from(days).ok()),
            line,
        })
    };
    parse().ok_or_else(|| Error::new(Fault::Damaged, format!("the texts of {} at {} are damaged; build the index again", row.key(), row.texts())))
}

/// The line number in the texts at `place`.
pub(crate) fn read_line(place: u64, section: &[u8]) -> Option<u64> {
    let mut rest = section.get(usize::try_from(place).ok()?..)?;
    for _ in 0..7 {
        take_text(&mut rest)?;
    }
    take_number(&mut rest)?;
    take_number(&mut rest)
}

/// The bytes of one entry's texts, to be copied as they are.
pub(crate) fn texts_of(row: Row, section: &[u8]) -> Option<&[u8]> {
    let from = section.get(usize::try_from(row.texts()).ok()?..)?;
    let mut rest = from;
    for _ in 0..7 {
        take_text(&mut rest)?;
    }
    take_number(&mut rest)?;
    take_number(&mut rest)?;
    from.get(..from.len() - rest.len())
}

/// LEB128: seven bits a byte, the lowest first.
fn write_number(mut number: u64, into: &mut Vec<u8>) {
    while number >= 128 {
        into.push(number as u8 | 128);
        number >>= 7;
    }
    into.push(number as u8);
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..63).step_by(7) {
        let (first, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(first & 127) << shift;
        if first & 128 == 0 {
            return Some(number);
        }
    }
    None
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    let (text, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    std::str::from_utf8(text).ok()
}
