//! A read or a passage against the watchlist: who is sought here, how it met, and how probable it is.

use std::borrow::{Borrow, BorrowMut};

use jiff::Timestamp;

use crate::error::Result;
use crate::lane::read::Jurisdiction;
use crate::posterior::{Posterior, Text};
use crate::watchlist::entry::{self, Entry, Mode, Subject};
use crate::watchlist::find::{Finder, Match, MatchClass, Query, ReaderModel, absent};
use crate::watchlist::share::share;
use crate::watchlist::snapshot::Snapshot;
use crate::watchlist::text::Key;

/// Entries that differ from the read in this many characters are hits whatever their probability (class `near`).
const NEAR_EDITS: u8 = 1;

/// A lane for the enrolled alerts where it is more probable than not that a passage is of none of them.
const ABSENT_FROM: f32 = 0.5;
/// How urgent that alert is, 0 to 100: high, but after every vehicle that is sought as critical (under 10).
const ABSENT_PRIORITY: u8 = 20;

/// An entry met a reading, or no entry of the enrolled did.
#[derive(Debug, Clone)]
pub struct Hit {
    /// Who is sought.
    pub entry: Entry,
    /// How it met.
    pub class: MatchClass,
    /// Characters exchanged, missing or additional, equivalent ones not counted.
    pub edits: u8,
    /// Probability that this entry's plate made this picture, in 0..=1: P' of the [model](crate::watchlist::find), shared among all hits of the read.
    pub probability: f32,
}

/// One thread's search.
#[derive(Default)]
pub struct Matcher {
    finder: Finder,
    matches: Vec<Match>,
    /// The hits that the watchlists asked so far gave of this read.
    met: Vec<Met>,
}

/// A match, and which hit it became.
struct Met {
    found: Match,
    hit: usize,
}

impl Borrow<Match> for Met {
    fn borrow(&self) -> &Match {
        &self.found
    }
}

impl BorrowMut<Match> for Met {
    fn borrow_mut(&mut self) -> &mut Match {
        &mut self.found
    }
}

impl Matcher {
    /// A matcher that expects reads to go wrong as `model` says.
    pub fn new(model: ReaderModel) -> Matcher {
        Matcher { finder: Finder::new(model), ..Matcher::default() }
    }

    /// Adds the hits of one read or passage to `hits`, most probable first. `at_ms` is when it was captured: entries not in force then are no hits.
    /// `hits` is empty, or holds what other watchlists gave of this very read: whose entries of one text then share its probability with these.
    ///
    /// # Errors
    /// `Damaged` where the index turns out to be.
    pub fn hits(
        &mut self,
        snapshot: &Snapshot,
        (text, posterior): (&Text, &Posterior),
        jurisdiction: Option<Jurisdiction>,
        at_ms: i64,
        hits: &mut Vec<Hit>,
    ) -> Result<()> {
        if hits.is_empty() {
            self.met.clear();
        }
        self.find(snapshot, (text, posterior), jurisdiction, at_ms);
        for &found in self.matches.iter().filter(|found| found.mode == Mode::AlertOnMatch) {
            let entry = snapshot.entry(found.entry)?;
            self.met.push(Met { found, hit: hits.len() });
            hits.push(Hit { entry, class: found.class, edits: found.edits, probability: found.probability });
        }
        share(&mut self.met);
        for Met { found, hit } in &self.met {
            if let Some(hit) = hits.get_mut(*hit) {
                hit.probability = found.probability;
            }
        }
        Ok(())
    }

    /// The alert of a lane for the enrolled of `list`, whose entries `snapshot` holds: a hit of class `absent`, where the passage is more probably of none
    /// of them than of one. Its entry is what was read; its probability is that none of them made this picture. `None` for a passage that is of one of
    /// them, for one without a character, and where nobody is enrolled at all: then nothing was compared, and the list's own state says so.
    pub fn absence(
        &mut self,
        snapshot: &Snapshot,
        list: &str,
        (text, posterior): (&Text, &Posterior),
        jurisdiction: Option<Jurisdiction>,
        at_ms: i64,
    ) -> Option<Hit> {
        if snapshot.is_empty() || !self.find(snapshot, (text, posterior), jurisdiction, at_ms) {
            return None;
        }
        let probability = absent(&self.matches);
        let entry = Entry {
            subject: Subject::Plate,
            text: text.as_str().to_owned(),
            jurisdiction: jurisdiction.and_then(|one| entry::Jurisdiction::of(one.code.as_str())).unwrap_or_default(),
            list: list.to_owned(),
            category: "not enrolled".to_owned(),
            priority: ABSENT_PRIORITY,
            reason: format!("none of {list} has this plate"),
            mode: Mode::AlertIfAbsent,
            ..Entry::default()
        };
        (probability > ABSENT_FROM).then_some(Hit { entry, class: MatchClass::Absent, edits: 0, probability })
    }

    /// Searches for what meets a reading, into `matches`; false where there is no character to search by.
    fn find(&mut self, snapshot: &Snapshot, (text, posterior): (&Text, &Posterior), jurisdiction: Option<Jurisdiction>, at_ms: i64) -> bool {
        self.matches.clear();
        let Some(key) = Key::of(text.as_str()).filter(|key| !key.is_empty()) else { return false };
        let at = Timestamp::from_millisecond(at_ms).unwrap_or(if at_ms < 0 { Timestamp::MIN } else { Timestamp::MAX });
        let jurisdiction = jurisdiction.and_then(|one| Some((entry::Jurisdiction::of(one.code.as_str())?, one.confidence)));
        let query = Query { edits: Some(NEAR_EDITS), ..Query::new(posterior, key, jurisdiction, at) };
        self.finder.find(snapshot, &query, &mut self.matches);
        true
    }
}
