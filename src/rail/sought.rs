//! Marks and containers against the watchlist.
//!
//! A mark is declared or read from a tag, not guessed from a picture: cars whose numbers differ in one digit are different cars, so only the very text (and what
//! the eye takes for it, O and 0) is a hit. What is in doubt is whether this car is the one of that mark; a hit is as probable as that.

use jiff::Timestamp;
use serde::Serialize;

use crate::error::Result;
use crate::watchlist::entry::{Mode, Subject, key_of};
use crate::watchlist::find::{Finder, MatchClass, Query, posterior_of_text};
use crate::watchlist::snapshot::Snapshot;

/// Doubt in each character of a text that came from a tag or a list: one mark in 10,000 is mistyped or misread. A guess, unmeasured.
const DOUBT: f32 = 1e-5;

/// An entry that a car's mark or a container of its meets; the same object as in `garita read`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MarkHit {
    /// The entry's text.
    pub entry: String,
    /// Its list.
    pub list: String,
    /// How it meets.
    pub class: MatchClass,
    /// Characters exchanged, missing or additional.
    pub edits: u8,
    /// Probability that it is the car or container sought, 0..=1.
    pub probability: f32,
    /// 0 is the most urgent.
    pub priority: u8,
}

/// One thread's search.
#[derive(Default)]
pub struct Seeker {
    finder: Finder,
}

impl Seeker {
    /// The entries that a car's mark or its containers meet at `at`, `confidence`: that the car is the one that these belong
    /// to, 0..=1. What is no mark or container code meets nothing.
    ///
    /// # Errors
    /// `Damaged` where the index turns out to be.
    pub fn hits(&mut self, snapshot: &Snapshot, mark: Option<&str>, containers: &[String], confidence: f64, at: Timestamp) -> Result<Vec<MarkHit>> {
        let texts = mark.map(|mark| (Subject::Mark, mark)).into_iter().chain(containers.iter().map(|code| (Subject::Container, code.as_str())));
        let (mut hits, mut matches) = (Vec::new(), Vec::new());
        for (subject, text) in texts {
            let Ok(key) = key_of(subject, text) else { continue };
            let posterior = posterior_of_text(key, DOUBT);
            matches.clear();
            self.finder.find(snapshot, &Query { subject, ..Query::new(&posterior, key, None, at) }, &mut matches);
            for found in matches.iter().filter(|found| found.mode == Mode::AlertOnMatch) {
                let entry = snapshot.entry(found.entry)?;
                let probability = found.probability * confidence as f32;
                hits.push(MarkHit { entry: entry.text, list: entry.list, class: found.class, edits: found.edits, probability, priority: entry.priority });
            }
        }
        Ok(hits)
    }
}
