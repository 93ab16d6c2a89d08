//! What normal cars score: every detector's scores on cars without findings, by kind of car, and how unusual a score is among them.
//!
//! Thresholds do not travel between sites or sources (`shared/rail.md` 4.5: a frozen 5 % became 20.8 %), so they are data: `garita calibrate rail` makes them
//! from the normal cars of a site, and what ships is made from simulated ones. A score's false-alarm rate is the fraction of normal cars of its kind
//! that score as high; beyond the highest tenth an exponential tail stands in, because 300 cars say little about 1 in 1,000. For the detectors of one
//! image ([`SHARED_TAIL`]) a kind has its own median and spread, and the tail is that of all kinds together, in such units: the highest four of forty flat cars are
//! no tail. On tuning trains (119 clean, 118 tampered empties) 52 % are found at 1 % false alarms and 59 at 2 %, with tails by kind 50 and 54: within noise.
//!
//! An alarm of its own ([`Thresholds::drift`]) says when a scan's cars no longer score like the normal ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::shape::Kind;
use crate::error::{Error, Fault, Result};

/// The most scores that a cell keeps; more are thinned by rank.
const MOST_SCORES: usize = 500;
/// Fewer normal cars of a kind than this borrow from all kinds: the tail's tenth would be two cars.
pub const LEAST_SCORES: usize = 20;
/// Fewer normal cars than this say little about one false alarm in a hundred: `garita calibrate rail` warns, and scans judged by them have an alarm.
pub const LEAST_CARS: usize = 300;

/// Detectors whose tail is shared by all kinds of car. What compares with an earlier scan has none: of most kinds nothing is ever seen, of others clutter.
const SHARED_TAIL: [&str; 2] = ["network", "opaque"];

/// What was seen of a normal car.
#[derive(Debug, Clone)]
pub struct NormalCar {
    /// What it is compared as ([`super::shape::Shape::compared_as`]).
    pub kind: Kind,
    /// Whether it looks unloaded.
    pub empty: bool,
    /// Highest score of each detector that looked.
    pub highest: Vec<(&'static str, f64)>,
}

/// Scores of normal cars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// `rail-thresholds/1`.
    pub schema: String,
    /// What shone (nuclide or MV), for the alarm when something else does.
    pub source: String,
    /// Quanta of an open 32 mm cell.
    pub air_quanta: f32,
    /// Cars that the scores are of.
    pub cars: usize,
    /// Highest score of each normal car, ascending, by `detector/kind/empty|loaded`.
    pub scores: BTreeMap<String, Vec<f32>>,
    /// Cells of `scores` that are of another source, since too few normal cars of this one came ([`Thresholds::or`]).
    #[serde(skip)]
    pub borrowed: Vec<String>,
    /// That source.
    #[serde(skip)]
    pub borrowed_from: String,
}

impl Thresholds {
    /// The thresholds that ship: from simulated normal cars.
    pub fn built_in() -> Thresholds {
        Thresholds::parse(include_bytes!("../../models/rail-thresholds.json")).expect("checked by a test")
    }

    /// Parses a file that `garita calibrate rail` wrote.
    ///
    /// # Errors
    /// `Damaged` for what is not such a file, `Unsupported` for another schema.
    pub fn parse(text: &[u8]) -> Result<Thresholds> {
        let mut thresholds: Thresholds =
            serde_json::from_slice(text).map_err(|error| Error::new(Fault::Damaged, format!("not thresholds made by `garita calibrate rail`: {error}")))?;
        if thresholds.schema != "rail-thresholds/1" {
            return Err(Error::new(Fault::Unsupported, format!("schema {:?}, this version of garita reads rail-thresholds/1", thresholds.schema)));
        }
        if !(thresholds.air_quanta > 0.0 && thresholds.air_quanta.is_finite()) {
            return Err(Error::new(Fault::Damaged, format!("air_quanta {}: open beam holds some quanta", thresholds.air_quanta)));
        }
        if thresholds.cars == 0 || thresholds.scores.is_empty() {
            return Err(Error::new(Fault::Damaged, "thresholds of no car: make them from normal cars, 300 or more"));
        }
        for (cell, scores) in &mut thresholds.scores {
            if scores.iter().any(|score| !score.is_finite()) {
                return Err(Error::new(Fault::Damaged, format!("{cell}: a score is not a number")));
            }
            scores.sort_by(f32::total_cmp);
        }
        Ok(thresholds)
    }

    /// Thresholds from normal cars: what each detector scored, and what the detectors together said of each ([`super::inspect::combined`]), with its
    /// earlier scan and as if there were none.
    pub fn of(source: String, air_quanta: f32, cars: &[NormalCar]) -> Thresholds {
        let mut made = Thresholds {
            schema: "rail-thresholds/1".to_owned(),
            source,
            air_quanta,
            cars: cars.len(),
            scores: BTreeMap::new(),
            borrowed: Vec::new(),
            borrowed_from: String::new(),
        };
        for car in cars {
            for &(detector, score) in &car.highest {
                made.scores.entry(cell(detector, car.kind.name(), car.empty)).or_default().push(score as f32);
            }
        }
        made.settle();
        let mut together: BTreeMap<String, Vec<f32>> = BTreeMap::new();
        for car in cars.iter().filter(|car| !car.highest.is_empty()) {
            let compared = car.highest.iter().any(|(detector, _)| *detector == "earlier");
            for with_earlier in [true, false].into_iter().filter(|&with| compared || !with) {
                let detectors = car.highest.iter().filter(|(detector, _)| with_earlier || !detector.starts_with("earlier"));
                let all = super::inspect::combined(
                    car.kind,
                    detectors.map(|&(detector, score)| (detector, made.false_alarm_rate(detector, car.kind, car.empty, score))),
                );
                together.entry(cell(together_name(with_earlier), "all", car.empty)).or_default().push(all as f32);
            }
        }
        made.scores.extend(together);
        made.settle();
        made
    }

    /// Takes from `other` the cells that are missing here (a detector that found nothing to compare with on this site, a kind that did not come), and keeps in mind
    /// which of them are of another source.
    #[must_use]
    pub fn or(mut self, other: Thresholds) -> Thresholds {
        for (cell, scores) in other.scores {
            let own = self.scores.entry(cell.clone()).or_default();
            if own.len() < LEAST_SCORES {
                *own = scores;
                if other.source != self.source {
                    self.borrowed.push(cell);
                }
            }
        }
        self.borrowed_from = other.source;
        self
    }

    /// Sorts, and thins what is too much by rank, keeping the highest hundred.
    fn settle(&mut self) {
        for scores in self.scores.values_mut() {
            scores.sort_by(f32::total_cmp);
            if scores.len() > MOST_SCORES {
                let low = scores.len() - 100;
                let kept = MOST_SCORES - 100;
                let mut thinned: Vec<f32> = (0..kept).map(|rank| scores[rank * low / kept]).collect();
                thinned.extend_from_slice(&scores[low..]);
                *scores = thinned;
            }
        }
    }

    /// Fraction of normal cars that score as high or higher, 0..=1; 1 where nothing is known.
    pub fn false_alarm_rate(&self, detector: &str, kind: Kind, empty: bool, score: f64) -> f64 {
        let known = |scores: &&Vec<f32>| scores.len() >= LEAST_SCORES;
        let suffix = if empty { "/empty" } else { "/loaded" };
        let cells = || self.scores.iter().filter(|(cell, _)| cell.split('/').next() == Some(detector) && cell.ends_with(suffix)).map(|(_, scores)| scores);
        let Some(own) = self.scores.get(&cell(detector, kind.name(), empty)).filter(known) else {
            let mut pooled: Vec<f32> = cells().flatten().copied().collect();
            pooled.sort_by(f32::total_cmp);
            return if pooled.len() < LEAST_SCORES { 1.0 } else { tail(&pooled, score) };
        };
        if !SHARED_TAIL.contains(&detector) {
            return tail(own, score);
        }
        let spread = |scores: &[f32]| scores[(scores.len() - 1) * 9 / 10] - scores[scores.len() / 2];
        let mut spreads: Vec<f32> = cells().filter(known).map(|scores| spread(scores)).collect();
        spreads.sort_by(f32::total_cmp);
        // A kind whose few cars happen to score alike has a spread nevertheless.
        let least = (0.4 * spreads[spreads.len() / 2]).max(0.1);
        let unit = |scores: &[f32]| (scores[scores.len() / 2], spread(scores).max(least));
        let mut pooled: Vec<f32> = Vec::new();
        for scores in cells().filter(known) {
            let (median, spread) = unit(scores);
            pooled.extend(scores.iter().map(|score| (score - median) / spread));
        }
        pooled.sort_by(f32::total_cmp);
        let (median, spread) = unit(own);
        tail(&pooled, (score - f64::from(median)) / f64::from(spread))
    }

    /// Fraction of normal cars whose detectors together say as much (`inspect::combined`), with an earlier scan to compare with or without: of all kinds together,
    /// because each detector's rate is of the car's kind already; what the detectors say themselves where that is not known.
    pub fn car_rate(&self, empty: bool, earlier: bool, combined: f64) -> f64 {
        match self.scores.get(&cell(together_name(earlier), "all", empty)) {
            Some(scores) if scores.len() >= LEAST_SCORES => tail(scores, combined),
            _ => 10.0_f64.powf(-combined).min(1.0),
        }
    }

    /// Whether these false-alarm rates (one per car and detector, of a whole train) could come from normal cars: the worst over levels of how many
    /// standard deviations too many lie below. Above 4 the threshold no longer holds.
    pub fn drift(rates: &[f64]) -> f64 {
        let n = rates.len() as f64;
        // Levels at which a site that is in order has 10, 20 and 50 % of its cars; findings alone do not move these.
        let excess = |level: f64| {
            let below = rates.iter().filter(|&&rate| rate < level).count() as f64;
            (below - level * n) / (n * level * (1.0 - level)).sqrt().max(1e-9)
        };
        [0.1, 0.2, 0.5].into_iter().map(excess).fold(0.0, f64::max)
    }
}

/// The cell of what the detectors together say.
fn together_name(earlier: bool) -> &'static str {
    if earlier { "car-earlier" } else { "car" }
}

fn cell(detector: &str, kind: &str, empty: bool) -> String {
    format!("{detector}/{kind}/{}", if empty { "empty" } else { "loaded" })
}

/// Fraction of ascending `scores` at or above `score`, with an exponential tail beyond their highest tenth.
fn tail(scores: &[f32], score: f64) -> f64 {
    let n = scores.len();
    let upper = n - (n / 10).max(2);
    let edge = f64::from(scores[upper]);
    let share = (n - upper) as f64 / n as f64;
    if score <= edge {
        let above = n - scores.partition_point(|&other| f64::from(other) < score);
        return (above as f64 / n as f64).max(share);
    }
    let excess = scores[upper..].iter().map(|&other| f64::from(other) - edge).sum::<f64>() / (n - upper) as f64;
    share * (-(score - edge) / excess.max(0.05 * edge.abs().max(0.1))).exp()
}
