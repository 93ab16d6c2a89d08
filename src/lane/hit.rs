//! A read or a passage against the watchlist: who is sought here, how it met, and how probable it is.

use jiff::Timestamp;

use crate::error::Result;
use crate::lane::read::Jurisdiction;
use crate::posterior::{Posterior, Text};
use crate::watchlist::entry::{self, Entry, Mode};
use crate::watchlist::find::{Finder, Match, MatchClass, Query, ReaderModel};
use crate::watchlist::snapshot::Snapshot;
use crate::watchlist::text::Key;

/// Entries that differ from the read in this many characters are hits whatever their probability (class `near`).
const NEAR_EDITS: u8 = 1;

/// An entry met a reading.
#[derive(Debug, Clone)]
pub struct Hit {
    /// Who is sought.
    pub entry: Entry,
    /// How it met.
    pub class: MatchClass,
    /// Characters exchanged, missing or additional, equivalent ones not counted.
    pub edits: u8,
    /// Probability that this entry's plate made this picture, in 0..=1.
    pub probability: f32,
}

/// One thread's search.
#[derive(Default)]
pub struct Matcher {
    finder: Finder,
    matches: Vec<Match>,
}

impl Matcher {
    /// A matcher that expects reads to go wrong as `model` says.
    pub fn new(model: ReaderModel) -> Matcher {
        Matcher { finder: Finder::new(model), matches: Vec::new() }
    }

    /// Adds the hits of one read or passage to `hits`, most probable first. `at_ms` is when it was captured: entries not in force then are no hits.
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
        let Some(key) = Key::of(text.as_str()).filter(|key| !key.is_empty()) else { return Ok(()) };
        let at = Timestamp::from_millisecond(at_ms).unwrap_or(if at_ms < 0 { Timestamp::MIN } else { Timestamp::MAX });
        let jurisdiction = jurisdiction.and_then(|one| Some((entry::Jurisdiction::of(one.code.as_str())?, one.confidence)));
        let query = Query { edits: Some(NEAR_EDITS), ..Query::new(posterior, key, jurisdiction, at) };
        self.matches.clear();
        self.finder.find(snapshot, &query, &mut self.matches);
        for found in self.matches.iter().filter(|found| found.mode == Mode::AlertOnMatch) {
            let entry = snapshot.entry(found.entry)?;
            hits.push(Hit { entry, class: found.class, edits: found.edits, probability: found.probability });
        }
        Ok(())
    }
}
