//! Which entries made this picture: searching a snapshot with all that the reader saw.
//!
//! # The model
//!
//! A read has positions i = 1..n, each with a probability a(i) that nothing is there (a doubled character) and probabilities q(i, c) of what it is if
//! something is. The text t of the plate is taken to come about like this: before each position and after the last one, one character was
//! missed with probability `missed`, any of the 36 alike; position i gives nothing with a(i), else character c with q(i, c). So
//!
//! ```text
//! R(t) = sum over all ways to make t of the product of their probabilities,      sum over all t of R(t) = 1
//! ```
//!
//! which is what a calibrated reader says of "the text is t" before it knows any list. R of one text is a forward recursion over n·|t| cells.
//! No reader is as sure as its softmax says: a(i) is raised by `doubled`, and q mixed with `smear` of the even distribution.
//!
//! An entry e of text t, jurisdiction j and list l *is* that plate with probability
//!
//! ```text
//! P(e) = prior(l)·R(t)·J(j) / (prior(l)·R(t)·J(j) + 1 − R(t)·J(j))
//! ```
//!
//! - J(j) is the probability that the plate is j's: 1 if the entry states none; else known + (1 − known)·unknown where read and entry agree, and
//!   (1 − known)·unknown where they do not; `known` is the reader's confidence in the jurisdiction it names (0 if it names none) and
//!   `unknown` what is left to agree by chance. So a read without jurisdiction matches, and says with a smaller probability that it does not know.
//! - prior(l) is how many times likelier than the reader takes for granted a vehicle of that list is to come by. 1 leaves R·J as it is.
//!
//! # Entries of one text
//!
//! A plate is of one jurisdiction, so entries of one text that exclude each other (US-TX and MX-BCN; neither US and US-TX, nor two lists' entries of US-TX)
//! are together no more probable than the text. What a match tells is therefore
//!
//! ```text
//! P'(e) = P(e)·min(1, T / S(e))
//! ```
//!
//! - T is P of the text itself, with J = 1; where lists have several priors, the greatest.
//! - S(e) is the most that entries come to which exclude each other, e among them: of each country either P of the country's own entry or the sum over its
//!   subdivisions, whichever e is one of, and in other countries whichever is greater. Several entries of one jurisdiction count as the likeliest of them.
//!
//! Entries that exclude each other, E of them, then come to T at most, because S of each is at least the sum over E. An entry that states no jurisdiction excludes
//! none and keeps P. Only entries that are found share. **Thresholds are held against P**, not P': what is a hit of one list does not depend on what another has,
//! and the search below bounds P. So a hit may be told with less than its list's threshold.
//!
//! # The search
//!
//! P(e) ≥ p bounds R from below, whatever J is. The rows are sorted, so they are a tree of beginnings; a beginning is given up as soon as
//! no text that begins with it reaches that bound: what was made so far, times the best that each rest can still make. The bound is never below
//! what it bounds, so nothing is missed (a property test holds it against looking at every entry). At most 1/p beginnings of each
//! length can reach p, mostly a dozen do.

use std::ops::Range;

use jiff::Timestamp;

use super::entry::{Jurisdiction, Mode, Subject};
use super::format::Row;
use super::index::View;
use super::share::share;
use super::snapshot::{Handle, Layer, Snapshot};
use super::text::{Distance, EQUIVALENT, Key};
use crate::posterior::{ALPHABET, MAX_POSITIONS, Position, Posterior};

/// How much less sure than it says a reader is taken to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReaderModel {
    /// Probability of a missed character in one place between two others, in 0..1.
    pub missed: f32,
    /// Probability that a position which the reader is sure of is a character seen twice, in 0..1.
    pub doubled: f32,
    /// Share of the even distribution mixed into each position, in 0..1.
    pub smear: f32,
    /// Probability that an entry's jurisdiction is the plate's where the reader cannot tell, in 0..1.
    pub unknown: f32,
}

impl Default for ReaderModel {
    fn default() -> ReaderModel {
        // What `models/train/reader_model.py` makes of the built-in reader's 184 reads of the tuning pictures: the truths' log-likelihood is -1.940 a read,
        // and -1.989 with a third of `missed` and a seventh of `doubled`, so a factor of two matters little. `unknown` is a guess: it is no matter of reading.
        ReaderModel { missed: 0.0056, doubled: 0.0075, smear: 0.00075, unknown: 0.5 }
    }
}

/// A jurisdiction that disagrees is said to be *known* to be another from this confidence on.
// A guess: of the tuning pictures two reads name a jurisdiction so surely (both rightly), too few to measure it on.
pub const KNOWN_JURISDICTION: f32 = 0.8;

/// The most beginnings that one search looks at; what a search that stopped there has not seen is counted in [`Finder::cut_short`].
pub const MAX_BEGINNINGS: u32 = 50_000;

/// So few rows are looked at one by one.
const FEW: usize = 4;

/// What is sought in the watchlist: one read, or one passage.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// What was seen.
    pub posterior: &'a Posterior,
    /// What it was taken for, A-Z 0-9.
    pub text: Key,
    /// A plate, a mark or a container.
    pub subject: Subject,
    /// The jurisdiction that was seen and the reader's confidence in it, 0..=1; `None` if it cannot tell.
    pub jurisdiction: Option<(Jurisdiction, f32)>,
    /// When: entries not in force then do not match.
    pub at: Timestamp,
    /// Entries whose text differs from `text` in at most so many characters are found whatever their probability: 0 (equivalent ones), 1 or 2;
    /// `None`: those of this very text only.
    pub edits: Option<u8>,
    /// Other entries are found from this probability on, 0..=1; `None`: from their list's threshold on.
    pub threshold: Option<f32>,
}

impl<'a> Query<'a> {
    /// The query of a lane: entries of this very text, and whatever is probable enough for its list.
    pub fn new(posterior: &'a Posterior, text: Key, jurisdiction: Option<(Jurisdiction, f32)>, at: Timestamp) -> Query<'a> {
        Query { posterior, text, subject: Subject::Plate, jurisdiction, at, edits: None, threshold: None }
    }
}

/// The posterior of a read that comes as text alone, `doubt` of each character: half the misreads are of an equivalent one, where there is any.
#[must_use]
pub fn posterior_of_text(text: Key, doubt: f32) -> Posterior {
    // 21 of the 42 characters that the built-in reader replaces on the tuning pictures (`models/train/reader_model.py`).
    const TO_EQUIVALENT: f32 = 0.5;
    let mut posterior = Posterior::default();
    for at in 0..text.len() {
        let symbol = (text.symbol(at) as usize).wrapping_sub(1);
        let character = ALPHABET.get(symbol).copied().unwrap_or(b'0');
        let class = EQUIVALENT.into_iter().find(|class| class.contains(&character)).unwrap_or_default();
        let to_class = if class.is_empty() { 0.0 } else { TO_EQUIVALENT * doubt };
        let others = 36 - class.len().max(1);
        let mut characters = [(doubt - to_class) / others as f32; 36];
        for (other, probability) in ALPHABET.iter().zip(&mut characters) {
            if class.contains(other) {
                *probability = to_class / (class.len() - 1) as f32;
            }
            if *other == character {
                *probability = 1.0 - doubt;
            }
        }
        posterior.push(Position { characters, absent: 0.0 });
    }
    posterior
}

/// How an entry's text and jurisdiction meet a read's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchClass {
    /// The same text.
    Exact,
    /// The same text under [`EQUIVALENT`](super::text::EQUIVALENT), whatever its jurisdiction.
    Equivalent,
    /// Another text: by as many edits as the match says.
    Near,
    /// The same text, but the plate is known to be another jurisdiction's.
    OtherJurisdiction,
    /// None of the enrolled: no search gives it; it is the alert of a lane for the enrolled ([`absent`]).
    Absent,
}

/// An entry that meets a read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Which entry: [`Snapshot::entry`] tells all of it.
    pub entry: Handle,
    /// The entry's text, as it is compared.
    pub text: Key,
    /// The entry's jurisdiction.
    pub jurisdiction: Jurisdiction,
    /// How it meets.
    pub class: MatchClass,
    /// Characters replaced, missing or additional, equivalent ones not counted.
    pub edits: u8,
    /// Probability that this entry's plate made this picture, 0..=1: P' of the [model](self).
    pub probability: f32,
    /// The same before other entries of its text took their share, which thresholds are held against: P.
    pub alone: f32,
    /// Probability of the entry's text, whatever the plate's jurisdiction: T. At least `alone`.
    pub of_text: f32,
    /// The entry's, 0 (highest) to 100.
    pub priority: u8,
    /// Whether this match is worth an alert, or its absence.
    pub mode: Mode,
    /// Whether a second person must confirm it.
    pub two_person: bool,
}

/// The probability that a read is of none of the enrolled entries among its matches: the alert of a lane for the enrolled. 1 with no match.
#[must_use]
pub fn absent(matches: &[Match]) -> f32 {
    let enrolled = matches.iter().filter(|found| found.mode == Mode::AlertIfAbsent);
    // The likeliest stands for all: adding them up would count a text that is enrolled on two lists twice.
    let mut present = 0.0f32;
    for found in enrolled {
        present = present.max(found.alone);
    }
    1.0 - present
}

/// One worker's search: its buffers are kept between searches, so that none but the first few allocate.
#[derive(Debug, Default)]
pub struct Finder {
    model: ReaderModel,
    rows: Vec<u32>,
    searched: Vec<u32>,
    /// Searches that stopped at [`MAX_BEGINNINGS`] so far.
    pub cut_short: u64,
}

impl Finder {
    /// A finder that takes the reader to be as good as `model` says.
    #[must_use]
    pub fn new(model: ReaderModel) -> Finder {
        Finder { model, ..Finder::default() }
    }

    /// Replaces what is in `matches` by what meets the query, the most probable first.
    pub fn find(&mut self, snapshot: &Snapshot, query: &Query<'_>, matches: &mut Vec<Match>) {
        matches.clear();
        let (likelihood, distance) = (Likelihood::new(query.posterior, &self.model), Distance::from(query.text));
        for (number, layer) in snapshot.layers().iter().enumerate() {
            let view = layer.index().view();
            match query.edits {
                Some(edits) => view.within(query.text, &distance, edits.min(2), &mut self.rows),
                None => {
                    self.rows.clear();
                    self.rows.extend(view.exact(query.text).next().map(|row| row as u32));
                }
            }
            let least = layer.least_likelihood(query.threshold);
            if least <= 1.0 {
                self.searched.clear();
                if !likelihood.search(&view, least, &mut self.searched) {
                    self.cut_short += 1;
                }
                self.rows.extend_from_slice(&self.searched);
                self.rows.sort_unstable();
                self.rows.dedup();
            }
            for first in &self.rows {
                judge(&view, *first, number as u8, layer, &likelihood, &distance, &self.model, query, matches);
            }
        }
        settle(matches);
    }

    /// As [`Finder::find`], by looking at every entry: what it is proven against.
    #[doc(hidden)]
    pub fn find_by_looking_at_all(&mut self, snapshot: &Snapshot, query: &Query<'_>, matches: &mut Vec<Match>) {
        matches.clear();
        let (likelihood, distance) = (Likelihood::new(query.posterior, &self.model), Distance::from(query.text));
        for (number, layer) in snapshot.layers().iter().enumerate() {
            let view = layer.index().view();
            for row in 0..view.rows.len() {
                if row == 0 || view.key(row) != view.key(row - 1) {
                    judge(&view, row as u32, number as u8, layer, &likelihood, &distance, &self.model, query, matches);
                }
            }
        }
        settle(matches);
    }
}

/// Appends the entries with the key of row `first` that meet the query.
#[expect(clippy::too_many_arguments, reason = "the one leaf of two loops; a struct of its arguments would live for one call")]
fn judge(
    view: &View<'_>,
    first: u32,
    number: u8,
    layer: &Layer,
    likelihood: &Likelihood,
    distance: &Distance,
    model: &ReaderModel,
    query: &Query<'_>,
    matches: &mut Vec<Match>,
) {
    let key = view.key(first as usize);
    let second = u32::try_from(query.at.as_second().max(0)).unwrap_or(u32::MAX);
    let mut seen: Option<(f32, u8)> = None;
    for at in first..view.rows.len() as u32 {
        let row = Row(view.rows[at as usize]);
        if row.key() != key {
            break;
        }
        if row.subject() != query.subject || !row.valid(second) || layer.is_removed(at) {
            continue;
        }
        let (text, edits) = *seen.get_or_insert_with(|| (likelihood.of(key), distance.to(key)));
        let list = layer.list(row.list());
        let (agrees, share) = agreement(row.jurisdiction(), query.jurisdiction, model.unknown);
        let (alone, of_text) = (probability(text * share, list.prior), probability(text, list.prior));
        let known_other = !agrees && query.jurisdiction.is_some_and(|(_, confidence)| confidence >= KNOWN_JURISDICTION);
        let class = match edits {
            0 if key == query.text && known_other => MatchClass::OtherJurisdiction,
            0 if key == query.text => MatchClass::Exact,
            0 => MatchClass::Equivalent,
            _ => MatchClass::Near,
        };
        let in_reach = query.edits.is_some_and(|reach| edits <= reach.min(list.edits));
        if key == query.text || in_reach || alone >= query.threshold.unwrap_or(list.threshold) {
            matches.push(Match {
                entry: Handle { layer: number, row: at },
                text: key,
                jurisdiction: row.jurisdiction(),
                class,
                edits,
                probability: alone,
                alone,
                of_text,
                priority: row.priority(),
                mode: row.mode(),
                two_person: row.two_person(),
            });
        }
    }
}

/// P of the model: from R·J, and the list's prior.
fn probability(read: f32, prior: f32) -> f32 {
    prior * read / (prior * read + 1.0 - read).max(f32::MIN_POSITIVE)
}

/// Lets entries of one text share its probability, and puts the most probable first.
fn settle(matches: &mut [Match]) {
    share(matches);
    matches
        .sort_unstable_by(|one, other| other.probability.total_cmp(&one.probability).then(one.priority.cmp(&other.priority)).then(one.entry.cmp(&other.entry)));
}

/// Whether the jurisdictions of entry and read agree, and the probability that the plate is the entry's: J in the model.
pub(crate) fn agreement(entry: Jurisdiction, read: Option<(Jurisdiction, f32)>, unknown: f32) -> (bool, f32) {
    if entry.is_any() {
        return (true, 1.0);
    }
    let (agrees, known) = match read {
        Some((jurisdiction, confidence)) if !jurisdiction.is_any() => (entry.agrees(jurisdiction), confidence.clamp(0.0, 1.0)),
        _ => (true, 0.0),
    };
    (agrees, if agrees { known + (1.0 - known) * unknown } else { (1.0 - known) * unknown })
}

/// The least R for which P reaches `threshold` on a list with this prior.
pub(crate) fn least_likelihood(threshold: f32, prior: f32) -> f32 {
    threshold / (threshold + prior * (1.0 - threshold)).max(f32::MIN_POSITIVE)
}

/// Cells of a column: one before each position, and one after the last.
const CELLS: usize = MAX_POSITIONS + 1;
/// Symbols of a row of `emit`: 36 at 1..=36, none at 0, and room to the next multiple of eight lanes.
const SYMBOLS: usize = 40;

/// A read, ready to tell R of any text.
pub struct Likelihood {
    positions: usize,
    /// Probability that position i gives packed symbol s.
    emit: [[f32; SYMBOLS]; MAX_POSITIONS],
    /// Probability that position i gives nothing.
    absent: [f32; MAX_POSITIONS],
    /// Probability that nothing was missed in one place, and that one certain character was.
    keep: f32,
    miss: f32,
    /// A bound on what any rest of a text makes of the positions from i on, before and after the place where a character may be missing.
    rest_before: [f32; CELLS],
    rest_after: [f32; CELLS],
}

/// How probable it is to have made some characters with the positions before i: before and after the place where one may be missing.
#[derive(Clone, Copy)]
struct Column {
    before: [f32; CELLS],
    after: [f32; CELLS],
}

/// One search of the tree.
struct Search<'a> {
    view: &'a View<'a>,
    least: f32,
    /// As `least`, less what rounding may have taken from a bound.
    pruned_below: f32,
    beginnings: u32,
    found: &'a mut Vec<u32>,
}

impl Likelihood {
    /// Prepares a posterior.
    #[must_use]
    pub fn new(posterior: &Posterior, model: &ReaderModel) -> Likelihood {
        let positions = posterior.positions();
        let mut likelihood = Likelihood {
            positions: positions.len(),
            emit: [[0.0; SYMBOLS]; MAX_POSITIONS],
            absent: [0.0; MAX_POSITIONS],
            keep: 1.0 - model.missed,
            miss: model.missed / 36.0,
            rest_before: [0.0; CELLS],
            rest_after: [0.0; CELLS],
        };
        let mut best = [0.0f32; MAX_POSITIONS];
        for (at, position) in positions.iter().enumerate() {
            let absent = position.absent + (1.0 - position.absent) * model.doubled;
            likelihood.absent[at] = absent;
            let (scale, floor) = ((1.0 - absent) * (1.0 - model.smear), (1.0 - absent) * model.smear / 36.0);
            for (emit, character) in likelihood.emit[at][1..].iter_mut().zip(&position.characters) {
                *emit = character * scale + floor;
                best[at] = best[at].max(*emit);
            }
        }
        let end = positions.len();
        likelihood.rest_after[end] = 1.0;
        likelihood.rest_before[end] = likelihood.keep + likelihood.miss;
        for at in (0..end).rev() {
            likelihood.rest_after[at] = (likelihood.absent[at] + best[at]) * likelihood.rest_before[at + 1];
            likelihood.rest_before[at] = (likelihood.keep + likelihood.miss) * likelihood.rest_after[at];
        }
        likelihood
    }

    /// R of a text, 0..=1.
    #[must_use]
    pub fn of(&self, key: Key) -> f32 {
        let mut column = self.empty();
        for at in 0..key.len() {
            column = self.after(&column, key.symbol(at));
        }
        column.after[self.positions]
    }

    /// The column of the empty text.
    fn empty(&self) -> Column {
        let mut column = Column { before: [0.0; CELLS], after: [0.0; CELLS] };
        column.before[0] = 1.0;
        column.after[0] = self.keep;
        for at in 0..self.positions {
            column.before[at + 1] = self.absent[at] * column.after[at];
            column.after[at + 1] = self.keep * column.before[at + 1];
        }
        column
    }

    /// The column of a text with one more character.
    #[inline]
    fn after(&self, column: &Column, symbol: u8) -> Column {
        let symbol = (symbol as usize).min(SYMBOLS - 1);
        let mut next = Column { before: [0.0; CELLS], after: [0.0; CELLS] };
        next.after[0] = self.miss * column.before[0];
        for at in 0..self.positions {
            next.before[at + 1] = self.absent[at] * next.after[at] + self.emit[at][symbol] * column.after[at];
            next.after[at + 1] = self.keep * next.before[at + 1] + self.miss * column.before[at + 1];
        }
        next
    }

    /// For each symbol, a bound on R of all texts that go on with it.
    #[inline]
    fn bounds(&self, column: &Column) -> [f32; SYMBOLS] {
        let missed: f32 = (0..=self.positions).map(|at| self.miss * column.before[at] * self.rest_after[at]).sum();
        let mut bounds = [missed; SYMBOLS];
        for at in 0..self.positions {
            let weight = column.after[at] * self.rest_before[at + 1];
            for (bound, emit) in bounds.iter_mut().zip(&self.emit[at]) {
                *bound += weight * emit;
            }
        }
        bounds
    }

    /// Appends the first row of each key whose R is at least `least` (> 0); false if it stopped at [`MAX_BEGINNINGS`].
    pub(crate) fn search(&self, view: &View<'_>, least: f32, found: &mut Vec<u32>) -> bool {
        // Sums of at most 17 products of at most 32 factors: rounding stays far below one in ten thousand.
        let mut search = Search { view, least, pruned_below: least * 0.9999, beginnings: 0, found };
        self.descend(&mut search, 0..view.rows.len(), Key::default(), 0, &self.empty());
        search.beginnings < MAX_BEGINNINGS
    }

    /// Searches the rows `within`, which all begin with the `length` characters of `prefix`.
    fn descend(&self, search: &mut Search<'_>, within: Range<usize>, prefix: Key, length: usize, column: &Column) {
        if within.len() <= FEW {
            let mut last = Key::default();
            for row in within {
                let key = search.view.key(row);
                if std::mem::replace(&mut last, key) != key && self.of(key) >= search.least {
                    search.found.push(row as u32);
                }
            }
            return;
        }
        search.beginnings += 1;
        if search.beginnings >= MAX_BEGINNINGS {
            return;
        }
        if column.after[self.positions] >= search.least && search.view.key(within.start) == prefix {
            search.found.push(within.start as u32);
        }
        if length == MAX_POSITIONS {
            return;
        }
        let bounds = self.bounds(column);
        let direct = search.view.is_direct(length + 1);
        for symbol in 1..=36u8 {
            if bounds[symbol as usize] < search.pruned_below {
                continue;
            }
            let next = prefix.then(length, symbol);
            let rows = if direct { search.view.with_prefix(next, length + 1) } else { search.view.narrow(within.clone(), next, length + 1) };
            if !rows.is_empty() {
                self.descend(search, rows, next, length + 1, &self.after(column, symbol));
            }
        }
    }
}
