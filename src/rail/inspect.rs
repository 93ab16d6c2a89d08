//! One car, looked at by every detector: from a segment to what `garita inspect` writes.
//!
//! The caller opens, cuts and keeps time; [`examine`] does one car with nothing kept between cars, so that memory does not depend on the train's length and
//! cars could be looked at in any order. Reports are plain data in the JSON's own order.

use std::collections::BTreeMap;

use serde::Serialize;

use super::anomaly::{Anomaly, Heat};
use super::calibrate::Calibration;
use super::car::CarImage;
use super::consist::{Consist, ConsistCar, Identity};
use super::earlier::Change;
use super::empty::{self, Fill};
use super::expect::Coarse;
use super::finding::{Finding, Suspect};
use super::residual::Residual;
use super::scan::{FLAG_SHUT, Scan};
use super::segment::CarSegment;
use super::shape::{Kind, Shape};
use super::thresholds::Thresholds;
use super::{manifest, opaque, structure};
use crate::error::{Error, Fault, Result};

/// One car, as `garita inspect --json` writes it.
#[derive(Debug, Clone, Serialize)]
pub struct CarReport {
    /// The scan's path as given.
    pub scan: String,
    /// From the head of the train, from 1.
    pub position: usize,
    /// Absolute columns, half-open.
    pub columns: [usize; 2],
    /// Kind of car.
    pub kind: &'static str,
    /// How sure, 0..=1.
    pub kind_confidence: f64,
    /// Reporting mark from the consist; null where no entry matched.
    pub mark: Option<String>,
    /// Probability of that pairing.
    pub mark_confidence: f64,
    /// Probability that nothing is in the car, declared or hidden.
    pub empty_probability: f64,
    /// Fraction of the cargo area that cannot be judged.
    pub penetration_limited: f64,
    /// Higher is more unusual: −log10 of the fraction of normal cars of its kind in which the detectors together see as much.
    pub score: f64,
    /// Most probable first.
    pub findings: Vec<Finding>,
    /// Watchlist entries that the mark or a container met, as in `garita read`.
    pub hits: Vec<serde_json::Value>,
    /// Milliseconds by stage, from whoever keeps time.
    pub timing_ms: BTreeMap<&'static str, f64>,
    /// What prevented looking at this car.
    pub error: Option<String>,
}

/// One scan, after its cars.
#[derive(Debug, Clone, Serialize)]
pub struct ScanReport {
    /// The scan's path as given.
    pub scan: String,
    /// Cars found.
    pub cars: usize,
    /// Detectors that were not used.
    pub dead: Vec<usize>,
    /// Stored units per quantum.
    pub gain: f64,
    /// Open beam above dark, stored units, median over the detectors.
    pub air: f64,
    /// Figures in the spirit of ANSI N42.46.
    pub image_quality: serde_json::Value,
    /// `matched`, `partly` or `none`.
    pub consist: &'static str,
    /// What the portal or the site should look into.
    pub alarms: Vec<String>,
    /// What prevented looking at the scan, or cut it short.
    pub error: Option<String>,
}

impl ScanReport {
    /// The report of a scan that could not be read.
    pub fn failed(scan: &str, error: String) -> ScanReport {
        ScanReport {
            scan: scan.to_owned(),
            cars: 0,
            dead: Vec::new(),
            gain: 0.0,
            air: 0.0,
            image_quality: serde_json::json!({}),
            consist: "none",
            alarms: Vec::new(),
            error: Some(error),
        }
    }
}

/// An earlier scan of a car.
pub struct Earlier<'a> {
    /// The scan.
    pub scan: &'a Scan,
    /// Its calibration.
    pub calibration: &'a Calibration,
    /// The car in it.
    pub segment: &'a CarSegment,
}

/// A car with everything that was made of it.
pub struct Examined {
    /// In physical units.
    pub image: CarImage,
    /// Outline and kind.
    pub shape: Shape,
    /// What the detectors point at, judged.
    pub findings: Vec<Finding>,
    /// Highest score of each detector that looked, and how rare it is among normal cars.
    pub scores: Vec<(&'static str, f64, f64)>,
    /// Fraction of normal cars of this kind in which the detectors together see as much.
    pub car_rate: f64,
    /// Whether the car counts as empty for the thresholds' sake (no cargo; hidden things do not matter).
    pub unloaded: bool,
    /// Probability that nothing is in it.
    pub empty_probability: f64,
    /// Fraction of the cargo area that is penetration-limited.
    pub limited: f64,
    /// How well an earlier scan fitted, mm; none where there was none or it did not.
    pub misfit_mm: Option<f32>,
}

/// Findings rarer than this among normal cars are reported: "look here" (`shared/rail.md` 1.2; 1 % is for referrals).
pub const CUE_RATE: f64 = 0.05;
/// A car whose cargo area is hidden by this much and more has opaque cargo.
const OPAQUE_CARGO: f64 = 0.03;
/// A car of which more than this was not measured was not seen.
const MOST_UNMEASURED: f64 = 0.5;
/// The most findings of a car that are reported.
const MOST_FINDINGS: usize = 8;

/// Looks at one car.
///
/// # Errors
/// Where the car is impossibly long, columns cannot be read, or the network fails.
pub fn examine(
    scan: &Scan,
    calibration: &Calibration,
    segment: &CarSegment,
    entry: Option<&ConsistCar>,
    earlier: Option<&Earlier<'_>>,
    thresholds: &Thresholds,
    mut network: Option<&mut Anomaly>,
) -> Result<Examined> {
    let image = CarImage::new(scan, calibration, segment)?;
    let mut shape = Shape::of(&image, segment);
    let unmeasured = image.unmeasured_share();
    if unmeasured > MOST_UNMEASURED {
        let shut = image.columns.clone().filter(|&column| scan.column(column).flags & FLAG_SHUT != 0).count();
        if 2 * shut <= image.columns.len() {
            let message =
                format!("columns {:?}: nothing was measured in {:.0} % of this car: look at the source and the array", image.columns, 100.0 * unmeasured);
            return Err(Error::new(Fault::Damaged, message));
        }
        // The source is shut for who drives the train. 0.9 is a guess.
        (shape.kind, shape.confidence) = (Kind::Locomotive, 0.9);
    }
    let residual = Residual::of(&image, &shape);
    let mut fill = Fill::of(&image, &shape);
    if unmeasured > MOST_UNMEASURED {
        fill.limited = 1.0;
    }
    let coarse = Coarse::of(&image);
    let unexplained = coarse.unexplained();
    let unloaded = fill.unloaded(shape.kind);
    let looks_empty = unloaded > 0.5;
    // (detector, its suspects): a detector that looked and saw nothing scores 0.
    let mut looked: Vec<(&'static str, Vec<Suspect>)> = Vec::new();
    let mut heat: Option<Heat> = None;
    if shape.kind != Kind::Locomotive {
        let suspects = residual.suspects(&image, &shape);
        for detector in ["residual", "residual-floor"] {
            looked.push((detector, suspects.iter().filter(|suspect| suspect.detector == detector).cloned().collect()));
        }
        if looks_empty {
            looked.push(("structure", structure::walls(&image, &shape, &residual)));
            looked.push(("structure-floor", structure::floor(&image, &shape, &residual)));
            looked.push(("structure-roof", structure::roof(&image, &shape, &residual)));
        }
        if let Some(network) = network.as_deref_mut() {
            let mut map = network.heat(&coarse, &unexplained)?;
            map.forget_unmeasured(&image);
            looked.push(("network", map.clone().suspects(&image, "network")));
            heat = Some(map);
        }
        if fill.limited < OPAQUE_CARGO {
            looked.push(("opaque", opaque::suspects(&image, &shape)));
        }
    }
    let mut misfit_mm = None;
    if let Some(earlier) = earlier {
        let before = CarImage::new(earlier.scan, earlier.calibration, earlier.segment)?;
        let before_shape = Shape::of(&before, earlier.segment);
        if let Some(change) = Change::of(&image, &shape, segment, &before, &before_shape) {
            misfit_mm = Some(change.misfit_mm);
            looked.extend(change.suspects(&image));
            if let (Some(network), Some(heat)) = (network, &heat) {
                let coarse = Coarse::of(&before);
                let then = network.heat(&coarse, &coarse.unexplained())?;
                looked.push(("earlier-network", heat.news(&then, &change).suspects(&image, "earlier-network")));
            }
        }
    }
    let mut scores: Vec<(&'static str, f64, f64)> = Vec::new();
    let mut judged: Vec<(f64, Suspect)> = Vec::new();
    for (detector, suspects) in looked {
        let rate = |score: f64| thresholds.false_alarm_rate(detector, shape.compared_as(), looks_empty, score);
        let highest = suspects.iter().map(|suspect| suspect.score).fold(0.0, f64::max);
        scores.push((detector, highest, rate(highest)));
        judged.extend(suspects.into_iter().map(|suspect| (rate(suspect.score), suspect)));
    }
    // Together they cannot be rarer than the rarest of them, though a tail fitted to few cars may say so.
    let lowest = scores.iter().map(|&(_, _, rate)| rate).fold(1.0, f64::min);
    let together = combined(shape.compared_as(), scores.iter().map(|&(detector, _, rate)| (detector, rate)));
    let car_rate = thresholds.car_rate(looks_empty, misfit_mm.is_some(), together).max(lowest);
    let empty_probability = empty::probability(unloaded, car_rate);
    judged.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut kept: Vec<(f64, Suspect)> = Vec::new();
    for (rate, suspect) in judged {
        // Nothing is claimed inside opaque cargo; a small opaque thing in a car that is seen through otherwise is what is looked for.
        let hidden = suspect.kind != "dense-opaque" && fill.limited >= OPAQUE_CARGO && mostly_hidden(&image, &suspect);
        let repeated = kept.iter().any(|(_, other)| other.overlaps(&suspect) && (other.kind == "density-") == (suspect.kind == "density-"));
        if rate <= CUE_RATE && !hidden && !repeated && kept.len() < MOST_FINDINGS {
            kept.push((rate, suspect));
        }
    }
    let of = |probability: f64| if segment.cut_off { in_part(probability) } else { probability };
    let mut findings: Vec<Finding> = kept.iter().map(|(rate, suspect)| suspect.finding(&image, of(probability(suspect.detector, *rate)), *rate)).collect();
    // Rare is not probable: what normal cars hardly ever have on their floors is hardly ever something hidden.
    findings.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    // Nothing is in the car only if none of what may be in it is: an officer is not told "empty" beside a finding that is more likely than not.
    let in_it = findings.iter().filter(|finding| finding.kind != "density-").map(|finding| finding.probability).fold(0.0, f64::max);
    // A car of which part was not seen is not cleared.
    let empty_probability = if segment.cut_off { 0.0 } else { empty_probability.min(1.0 - in_it) };
    // Of a car that is not all there the papers are no witness.
    if let Some(entry) = entry.filter(|_| !segment.cut_off) {
        // Contradictions with the papers have odds of their own: they are not compared with normal cars, and say nothing of what is in the car.
        let papers = manifest::suspects(&image, &shape, &residual, entry, empty_probability);
        findings.extend(papers.iter().map(|suspect| {
            let probability = manifest::probability(suspect);
            suspect.finding(&image, probability, 1.0 - probability)
        }));
        findings.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        findings.truncate(MOST_FINDINGS);
    }
    Ok(Examined { findings, scores, car_rate, unloaded: looks_empty, empty_probability, limited: fill.limited, misfit_mm, image, shape })
}

/// What the detectors together say, higher is more unusual: −log10 of the lowest false-alarm rate, each divided by how much the detector is trusted. How rare that is
/// among normal cars is [`Thresholds::car_rate`]'s to say.
///
/// Trust was chosen on tuning trains (seeds 310,000 and 330,000 up). The rules of structure and the residual have none: wherever the network was silent they were wrong, and
/// with them 19 % were found at 1 % false alarms instead of 56. What they point at is a finding all the same. Where a kind's clutter stays in it from visit to visit, what is new since an
/// earlier scan counts first; in the others it is mostly new clutter, and what the network says counts, and what is new below the floor, where no clutter lies: of 313 tampered empties 80 %
/// are found at 0.5 to 5 % false alarms, where 78 were without that.
pub fn combined(kind: Kind, rates: impl Iterator<Item = (&'static str, f64)>) -> f64 {
    let rates: Vec<(&'static str, f64)> = rates.collect();
    let has = |name: &str| rates.iter().any(|(detector, _)| *detector == name);
    let (compared, network) = (has("earlier"), has("network"));
    let stays = matches!(kind, Kind::Tank | Kind::Hopper | Kind::Autorack);
    let trust = |detector: &str| match detector {
        "earlier" => Some(if stays { 1.0 } else { 0.03 }),
        "earlier-network" => Some(if stays { 0.3 } else { 1.0 }),
        "earlier-under" if !stays => Some(0.3),
        "network" if compared => Some(if stays { 0.03 } else { 1.0 }),
        "network" => Some(1.0),
        "opaque" if !compared => Some(0.1),
        // Better than nothing.
        "residual" | "structure" if !compared && !network => Some(0.1),
        _ => None,
    };
    rates.iter().filter_map(|&(detector, rate)| Some(-(rate.max(1e-12) / trust(detector)?).log10())).fold(-2.0, f64::max)
}

/// Probability that a finding of this rarity is something that does not belong. Fitted on 1,700 findings in 56 trains of `garita synth rail` (seeds 310,000 and 330,000 up), with and
/// without an earlier scan, by `models/train/rail_odds.py`. Half of the cars in them are tampered with; where fewer are, fewer findings are real.
fn probability(detector: &str, rate: f64) -> f64 {
    // −log10 of the rate at which half of a detector's findings are real, and the power of the rate that the odds grow with. What normal cars have on floors and
    // roofs anyway is hardly ever real.
    let (even, power) = match detector {
        "network" => (1.1, 0.5),
        "earlier" => (1.8, 0.5),
        "earlier-network" => (1.8, 0.3),
        "earlier-under" => (2.3, 1.0),
        "opaque" => (2.9, 0.7),
        "residual" => (3.2, 1.0),
        "structure" => (4.3, 0.5),
        "structure-floor" | "structure-roof" => (3.8, 1.0),
        _ => (6.0, 1.0),
    };
    // Rarer than one in a million nothing was fitted; how far rules in millimetres go beyond some hundred normal cars depends on who built the cars.
    let rarest = if detector.starts_with("network") || detector.starts_with("earlier") { 1e-6 } else { 1e-4 };
    let odds = 10.0_f64.powf(power * (-rate.max(rarest).log10() - even));
    odds / (1.0 + odds)
}

/// Probability of a finding in a car that the scan cuts off, from what it would be in a whole one: whole cars are what normal cars are, and what the network was trained on, so that half a car is
/// unusual everywhere. Fitted on 278 findings in 97 cars of tuning trains (seeds 310,000 up) cut at 30 to 92 % of their length, of which 29 were real where 183 had been expected.
fn in_part(probability: f64) -> f64 {
    let p = probability.clamp(1e-4, 1.0 - 1e-4);
    let log_odds = 0.3 * (p / (1.0 - p)).ln() - 2.6;
    1.0 / (1.0 + (-log_odds).exp())
}

/// True where nothing can be said of more than half of a suspect's box.
fn mostly_hidden(image: &CarImage, suspect: &Suspect) -> bool {
    let cells = suspect.x.len() * suspect.y.len();
    let limited = suspect.x.clone().flat_map(|x| suspect.y.clone().map(move |y| x * image.height + y)).filter(|&index| image.is_hidden(index)).count();
    2 * limited > cells
}

impl Examined {
    /// What is written of it.
    pub fn report(&self, scan: &str, segment: &CarSegment, mark: Option<String>, mark_confidence: f64) -> CarReport {
        let round = |value: f64| (value * 1e4).round() / 1e4;
        CarReport {
            scan: scan.to_owned(),
            position: segment.position,
            columns: [segment.columns.start, segment.columns.end],
            kind: self.shape.kind.name(),
            kind_confidence: round(self.shape.confidence),
            mark,
            mark_confidence: round(mark_confidence),
            empty_probability: round(self.empty_probability),
            penetration_limited: round(self.limited),
            // 0 more: no zero is negative.
            score: round(-self.car_rate.max(1e-12).log10()) + 0.0,
            findings: self.findings.clone(),
            hits: Vec::new(),
            timing_ms: BTreeMap::new(),
            error: None,
        }
    }
}

impl CarReport {
    /// The report of a car that could not be looked at.
    pub fn failed(scan: &str, segment: &CarSegment, error: String) -> CarReport {
        CarReport {
            scan: scan.to_owned(),
            position: segment.position,
            columns: [segment.columns.start, segment.columns.end],
            kind: Kind::Other.name(),
            kind_confidence: 0.0,
            mark: None,
            mark_confidence: 0.0,
            empty_probability: 0.0,
            penetration_limited: 1.0,
            score: 0.0,
            findings: Vec::new(),
            hits: Vec::new(),
            timing_ms: BTreeMap::new(),
            error: Some(error),
        }
    }
}

/// The mark of a car and how sure that is, from its place in the list.
pub fn mark_of(identity: &Identity, consist: &Consist) -> (Option<String>, f64) {
    // Several entries in one segment: nothing is said of which.
    let mark = match identity.entries[..] {
        [entry] => consist.cars[entry].written_mark(),
        _ => None,
    };
    let confidence = if mark.is_some() { identity.confidence } else { 0.0 };
    (mark, confidence)
}

/// `matched` where every car found its entry and every entry its car, `none` where no car did, `partly` otherwise.
pub fn consist_state(identities: &[Identity], consist: Option<&Consist>) -> &'static str {
    let Some(consist) = consist else { return "none" };
    let matched = identities.iter().filter(|identity| !identity.entries.is_empty()).count();
    let used: std::collections::BTreeSet<usize> = identities.iter().flat_map(|identity| identity.entries.iter().copied()).collect();
    match matched {
        0 => "none",
        all if all == identities.len() && used.len() == consist.cars.len() => "matched",
        _ => "partly",
    }
}
