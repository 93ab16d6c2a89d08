//! Who in a train is sought: reporting marks and containers of its list against the watchlists.
//!
//! A tag says its text exactly, so an entry meets it by the same text or not at all. What may be wrong is which car of the picture it is:
//! a hit's probability is that of the text alone, and the car's own `mark_confidence` stands beside it. A container's code that lacks its check digit, or has another,
//! was typed: it meets the code that its other ten characters make, as *near*.

use jiff::Timestamp;

use super::consist::ConsistCar;
use super::identity::{Written, with_check_digit};
use crate::error::Result;
use crate::watchlist::entry::{Entry, Mode, Subject, key_of};
use crate::watchlist::find::{Finder, Match, MatchClass, Query, ReaderModel, posterior_of_text};
use crate::watchlist::snapshot::Snapshot;

/// Probability that a character of a tag's text is wrong. A guess: tags carry no check, but are read many times each.
const DOUBT: f32 = 1e-5;

/// An entry met a mark or a container of a train's list.
#[derive(Debug, Clone)]
pub struct Hit {
    /// Whether it is the car or what it carries.
    pub subject: Subject,
    /// The text in the train's list.
    pub seen: String,
    /// Who is sought.
    pub entry: Entry,
    /// How it met.
    pub class: MatchClass,
    /// Characters exchanged, missing or additional.
    pub edits: u8,
    /// Probability that this entry's text is the one that was meant, 0..=1.
    pub probability: f32,
}

impl Hit {
    /// As `hits` of a car tells it: the keys of `garita read`'s, and which text of the train it is about.
    pub fn told(&self) -> serde_json::Value {
        serde_json::json!({
            "entry": self.entry.text, "list": self.entry.list, "class": self.class, "edits": self.edits, "probability": self.probability,
            "priority": self.entry.priority, "subject": self.subject, "seen": self.seen,
        })
    }
}

/// One thread's search.
pub struct Sought {
    finder: Finder,
    matches: Vec<Match>,
}

impl Default for Sought {
    fn default() -> Sought {
        // A tag's text is not read off a picture: no character of it is missed or seen twice more often than it is wrong.
        Sought { finder: Finder::new(ReaderModel { missed: DOUBT, doubled: DOUBT, smear: DOUBT, ..ReaderModel::default() }), matches: Vec::new() }
    }
}

impl Sought {
    /// Adds the hits of one car of a list, its mark and its containers, to `hits`. `at_ms`: when the train passed.
    ///
    /// # Errors
    /// `Damaged` where the index turns out to be.
    pub fn hits(&mut self, snapshot: &Snapshot, car: &ConsistCar, at_ms: i64, hits: &mut Vec<Hit>) -> Result<()> {
        let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX);
        let mark = car.written_mark().map(|mark| (Subject::Mark, mark));
        let containers = car.containers.iter().map(|container| (Subject::Container, container.clone()));
        for (subject, seen) in mark.into_iter().chain(containers) {
            // Where the check digit is wrong, one character in eleven is, and it is the digit itself once in eleven times.
            let typed = with_check_digit(&seen).filter(|(_, written)| subject == Subject::Container && *written != Written::Right);
            let (text, doubt) = match &typed {
                Some((right, Written::Missing)) => (right, 1.0),
                Some((right, _)) => (right, 1.0 / 11.0),
                None => (&seen, 1.0),
            };
            // What is neither mark nor container (a UIC number, a name) is on no such list.
            let Ok(key) = key_of(subject, text) else { continue };
            let posterior = posterior_of_text(key, DOUBT);
            let query = Query { subject, ..Query::new(&posterior, key, None, at) };
            self.matches.clear();
            self.finder.find(snapshot, &query, &mut self.matches);
            for found in self.matches.iter().filter(|found| found.mode == Mode::AlertOnMatch && found.edits == 0 && found.class == MatchClass::Exact) {
                let entry = snapshot.entry(found.entry)?;
                let (class, edits) = if typed.is_some() { (MatchClass::Near, 1) } else { (found.class, found.edits) };
                hits.push(Hit { subject, seen: seen.clone(), entry, class, edits, probability: doubt * found.probability });
            }
        }
        Ok(())
    }
}
