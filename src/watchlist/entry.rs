//! Who is sought: one entry of a watchlist, and the list it belongs to.
//!
//! The same number in two jurisdictions is two entries, and so is the same number on two lists: an entry's identity is its subject, text,
//! jurisdiction and list. An empty jurisdiction means "any".

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::codes;
use super::text::{self, Key};

/// What kind of thing an entry seeks; texts of different kinds never match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A licence plate.
    #[default]
    Plate,
    /// A railcar's reporting mark: owner's letters and number, `UTLX 123456`.
    Mark,
    /// A freight container, ISO 6346: `MSCU 123456 6` with its check digit.
    Container,
}

/// When a matching read is worth an operator's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The usual list: a match is a hit.
    #[default]
    AlertOnMatch,
    /// A list of the enrolled (SENTRI): in their lane, a read that matches none of them is a hit.
    AlertIfAbsent,
}

/// Issuing state or country: ISO 3166-2 (`US-CA`, `MX-BCN`), ISO 3166-1 alone (`US`), or unstated. Copied freely: it is one number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Jurisdiction(pub(crate) u32);

impl Serialize for Jurisdiction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Bits of the subdivision in a [`Jurisdiction`]; the country lies above.
const SUBDIVISION_BITS: u32 = 18;

impl Jurisdiction {
    /// No jurisdiction stated.
    pub const ANY: Jurisdiction = Jurisdiction(0);

    /// The jurisdiction of a code in upper or lower case; the empty text is [`Jurisdiction::ANY`]. Subdivisions of the United States, Mexico and Canada must be in
    /// ISO 3166-2; of other countries any one to three letters and digits will do. `None` for anything else.
    pub fn of(code: &str) -> Option<Jurisdiction> {
        let code = code.trim().to_ascii_uppercase();
        if code.is_empty() {
            return Some(Jurisdiction::ANY);
        }
        let (country, subdivision) = code.split_once('-').unwrap_or((&code, ""));
        if !codes::is_country(country) || code.ends_with('-') || subdivision.len() > 3 {
            return None;
        }
        let known = codes::subdivisions(country);
        if !subdivision.is_empty() && !known.is_empty() && !known.contains(&subdivision) {
            return None;
        }
        let mut packed = 0;
        for letter in country.bytes() {
            packed = packed << 5 | u32::from(letter - b'A' + 1);
        }
        for at in 0..3 {
            let symbol = match subdivision.as_bytes().get(at) {
                Some(character) => crate::posterior::symbol(*character)? as u32 + 1,
                None => 0,
            };
            packed = packed << 6 | symbol;
        }
        Some(Jurisdiction(packed))
    }

    /// Whether none is stated.
    pub fn is_any(self) -> bool {
        self.0 == 0
    }

    /// The country that it is in, or is; [`Jurisdiction::ANY`] of itself.
    pub(crate) fn country(self) -> Jurisdiction {
        Jurisdiction(self.0 >> SUBDIVISION_BITS << SUBDIVISION_BITS)
    }

    /// Whether a plate of one may be a plate of the other: equal, or one is unstated or the other's country.
    pub fn agrees(self, other: Jurisdiction) -> bool {
        self == other || self.is_any() || other.is_any() || self == other.country() || self.country() == other
    }
}

impl fmt::Display for Jurisdiction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for shift in [23, 18] {
            match (self.0 >> shift & 31) as u8 {
                letter @ 1..=26 => formatter.write_char((b'A' + letter - 1) as char)?,
                _ => return Ok(()),
            }
        }
        for (at, shift) in [12, 6, 0].into_iter().enumerate() {
            let symbol = (self.0 >> shift & 63) as usize;
            let Some(character) = symbol.checked_sub(1).and_then(|place| crate::posterior::ALPHABET.get(place)) else { break };
            if at == 0 {
                formatter.write_char('-')?;
            }
            formatter.write_char(*character as char)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Jurisdiction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Jurisdiction({self})")
    }
}

/// One entry, with everything that an operator is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Entry {
    /// What kind of thing is sought.
    pub subject: Subject,
    /// Its text as the list wrote it, `ABC-123`; [`Entry::key`] is what is compared.
    pub text: String,
    /// Who issued it.
    pub jurisdiction: Jurisdiction,
    /// The list it belongs to, a [`List::name`].
    pub list: String,
    /// The list's own class of it: "stolen vehicle", "BOLO".
    pub category: String,
    /// 0 (highest) to 100.
    pub priority: u8,
    /// Why it is sought.
    pub reason: String,
    /// Where the entry came from.
    pub source: String,
    /// The source's own version or date of that file.
    pub source_version: String,
    /// Who filed it.
    pub filed_by: String,
    /// In force from this second on; `None` since ever.
    pub valid_from: Option<Timestamp>,
    /// In force until the second before this one; `None` for good.
    pub valid_until: Option<Timestamp>,
    /// What an officer must know before walking up: "armed".
    pub caution: String,
    /// When it is worth an alert.
    pub mode: Mode,
    /// Whether a second person must confirm a hit.
    pub two_person: bool,
    /// Days that hits of it are kept, where that differs from its list's.
    pub retention_days: Option<u32>,
    /// The line of the imported file that it stands on, from 1; 0 if it was filed by hand.
    pub line: u64,
}

/// The highest number of [`Entry::priority`], the least urgent.
pub const LEAST_URGENT: u8 = 100;

impl Entry {
    /// What is compared: the text normalised, without the leading zeros of a mark's number, a container's check digit verified.
    ///
    /// # Errors
    /// What is wrong with the text, as a sentence without its subject.
    pub fn key(&self) -> Result<Key, String> {
        key_of(self.subject, &self.text)
    }

    /// `list/jurisdiction/TEXT`, `-` for an unstated jurisdiction: what names this entry in answers and files.
    pub fn identity(&self) -> String {
        let jurisdiction = if self.jurisdiction.is_any() { "-".to_owned() } else { self.jurisdiction.to_string() };
        let text = self.key().map_or_else(|_| self.text.clone(), |key| key.to_string());
        format!("{}/{jurisdiction}/{text}", self.list)
    }

    /// Whether it is in force at `at`.
    pub fn valid(&self, at: Timestamp) -> bool {
        self.valid_from.is_none_or(|from| from.as_second() <= at.as_second()) && self.valid_until.is_none_or(|until| at.as_second() < until.as_second())
    }
}

/// The key of `text` as a text of `subject`; see [`Entry::key`].
///
/// # Errors
/// What is wrong with the text.
pub fn key_of(subject: Subject, text: &str) -> Result<Key, String> {
    let key = text::normalise(text).map_err(|refused| refused.to_string())?;
    match subject {
        Subject::Plate => Ok(key),
        Subject::Mark => codes::mark(&key.to_string()).and_then(|mark| Key::of(&mark).ok_or_else(|| "is too long for a reporting mark".to_owned())),
        Subject::Container => codes::container(&key.to_string()).map(|()| key),
    }
}

/// A list: what its entries have in common, and what a hit on one is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct List {
    /// Its name, unique in an index.
    pub name: String,
    /// How many times likelier a vehicle on this list is to come by than the reader, who knows no list, takes for granted; > 0, 1 = no
    /// opinion. `src/watchlist/find.rs` says how it enters the probability.
    pub prior: f32,
    /// A match of another text is reported from this probability on, in 0..=1. `garita watchlist advise` says what it costs.
    pub threshold: f32,
    /// How many edits a text search of it allows: 1, or 2 at the price of a larger index.
    pub edits: u8,
    /// Days that its hits are kept; `None`: the site's.
    pub retention_days: Option<u32>,
}

impl Default for List {
    fn default() -> List {
        // 0.01: with 1 M entries and 20,000 made-up reads a day, where false hits of an equivalent text fall below one a day
        // (`garita watchlist advise`); 90.2 % of listed vehicles are found, of which the reader reads 90 % exactly.
        List { name: String::new(), prior: 1.0, threshold: 0.01, edits: 1, retention_days: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jurisdictions_are_their_codes() {
        for code in ["", "US", "US-CA", "MX-BCN", "CA-ON", "FR-75", "GB-ENG"] {
            assert_eq!(Jurisdiction::of(code).map(|jurisdiction| jurisdiction.to_string()).as_deref(), Some(code));
        }
        for code in ["USA", "US-ZZ", "MX-BC", "ZZ", "U1", "US-", "FR-7575", "ñ"] {
            assert_eq!(Jurisdiction::of(code), None, "{code}");
        }
        let agree = |one, other| Jurisdiction::of(one).unwrap().agrees(Jurisdiction::of(other).unwrap());
        assert!(agree("US-CA", "US") && agree("", "MX-SON") && agree("US-CA", "us-ca"));
        assert!(!agree("US-CA", "US-AZ") && !agree("US", "MX-BCN"));
    }

    #[test]
    fn an_entry_is_in_force_from_its_first_second_to_the_one_before_its_last() {
        let second = |second| Timestamp::from_second(second).unwrap();
        let entry = Entry { valid_from: Some(second(100)), valid_until: Some(second(200)), ..Entry::default() };
        assert_eq!([99, 100, 199, 200].map(|at| entry.valid(second(at))), [false, true, true, false]);
    }

    #[test]
    fn subjects_have_their_own_rules() {
        let key = |subject, text| key_of(subject, text).map(|key| key.to_string());
        assert_eq!(key(Subject::Mark, "utlx 001234"), Ok("UTLX1234".to_owned()));
        assert_eq!(key(Subject::Container, "CSQU 305438-3"), Ok("CSQU3054383".to_owned()));
        assert!(key(Subject::Container, "CSQU 305438-4").unwrap_err().contains("check digit"));
        assert!(key(Subject::Mark, "12345").is_err());
    }
}
