//! How well successive frames become passages: figures on rendered (or real) sequences.
//!
//! Each lane's frames go through the worker and the lane's passages in order, as in the pipeline. A settled passage belongs to the vehicle whose
//! true plate lies where the passage's evidence was read, in the very frame it came from: evidence that shows another car counts as another passage.

use std::collections::BTreeMap;

use crate::bytes::Bytes;
use crate::error::{Error, Fault, Result};
use crate::eval::manifest::{Sample, Truth};
use crate::eval::plates::fold;
use crate::eval::statistics::Proportion;
use crate::lane::detect::{PlateBox, View, iou};
use crate::lane::frame::Frame;
use crate::lane::passage::{Passage, Passages, Settled};
use crate::lane::read::PlateRead;
use crate::pipeline::LaneWorker;

/// Evidence lies on a plate that it overlaps by this much.
const SAME_PLACE_IOU: f32 = 0.3;

/// Figures over all vehicles.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Vehicles that gave exactly one passage.
    pub once: Proportion,
    /// Vehicles that gave none.
    pub missed: usize,
    /// Vehicles that gave more than one.
    pub split: usize,
    /// Passages of nothing that the truth knows as passing: background vehicles, signs, grilles.
    pub others: usize,
    /// Vehicles whose passage (the surest, if several) has the right text, folded.
    pub voted: Proportion,
    /// Frames of a passing vehicle whose single read is right, folded; a missed plate is a wrong read.
    pub single: Proportion,
    /// Vehicles whose surest single read is right, folded.
    pub surest: Proportion,
    /// Confidence of each vehicle's passage, and whether it is right.
    pub answers: Vec<(f32, bool)>,
}

/// One lane's frames, in order.
pub struct Sequence<'a> {
    samples: Vec<&'a Sample>,
}

/// The lanes of a manifest, each in the order of its frames.
///
/// # Errors
/// `Caller` where no picture says its lane and sequence number.
pub fn sequences(samples: &[Sample]) -> Result<Vec<Sequence<'_>>> {
    let mut lanes: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        if let Some(moment) = &sample.moment {
            lanes.entry(&moment.lane).or_default().push(sample);
        }
    }
    if lanes.is_empty() {
        return Err(Error::new(Fault::Caller, "no picture has lane, sequence and captured_ms: make such a set by `garita synth lane --kind sequence`"));
    }
    Ok(lanes
        .into_values()
        .map(|mut samples| {
            samples.sort_by_key(|sample| sample.moment.as_ref().map(|moment| moment.sequence));
            Sequence { samples }
        })
        .collect())
}

/// What one lane gave.
pub struct LaneOutcome {
    vehicles: BTreeMap<String, Vehicle>,
    others: usize,
}

#[derive(Default)]
struct Vehicle {
    text: String,
    passages: Vec<(f32, bool)>,
    single: Proportion,
    surest: Option<(f32, bool)>,
}

/// Runs one lane.
///
/// # Errors
/// What reading or decoding a frame says.
pub fn look(worker: &mut LaneWorker, sequence: &Sequence<'_>, gap_ms: i64) -> Result<LaneOutcome> {
    let mut passages = Passages::new(gap_ms, 0);
    let (mut reads, mut joined, mut settled) = (Vec::new(), Vec::new(), Settled::default());
    let mut outcome = LaneOutcome { vehicles: BTreeMap::new(), others: 0 };
    for (index, sample) in sequence.samples.iter().enumerate() {
        let moment = sample.moment.as_ref().expect("sequences keep only such");
        let encoded = Bytes::map(&sample.path)?;
        worker.analyse(&encoded, View::Whole, &mut reads).map_err(|error| error.in_(&sample.name))?;
        // The frame's sequence is its place here, so that a passage's evidence leads back to its sample.
        let frame = Frame { lane: 0, sequence: index as u64, captured_ms: moment.captured_ms, clock_ms: moment.captured_ms, skipped: 0, encoded };
        passages.observe(&frame, &reads, &mut joined, &mut settled);
        if let Some((name, truth)) = passing(sample) {
            let vehicle = outcome.vehicles.entry(name.to_owned()).or_default();
            vehicle.text = fold(truth.text.as_deref().unwrap_or_default());
            let read = reads.iter().filter(|read| lies_on(&read.plate, truth)).max_by(|a, b| a.plate.score.total_cmp(&b.plate.score));
            vehicle.single(read);
        }
    }
    passages.finish(&mut settled);
    for passage in &settled.passages {
        outcome.settle(sequence, passage);
    }
    Ok(outcome)
}

impl Vehicle {
    fn single(&mut self, read: Option<&PlateRead>) {
        let right = read.is_some_and(|read| fold(read.text.as_str()) == self.text);
        self.single.count(right);
        if let Some(read) = read
            && self.surest.is_none_or(|(confidence, _)| read.confidence > confidence)
        {
            self.surest = Some((read.confidence, right));
        }
    }
}

impl LaneOutcome {
    fn settle(&mut self, sequence: &Sequence<'_>, passage: &Passage) {
        let sample = sequence.samples[passage.evidence.sequence as usize];
        let vehicle = passing(sample).filter(|(_, truth)| lies_on(&passage.best.plate, truth)).and_then(|(name, _)| self.vehicles.get_mut(name));
        match vehicle {
            Some(vehicle) => vehicle.passages.push((passage.confidence, fold(passage.text.as_str()) == vehicle.text)),
            None => self.others += 1,
        }
    }
}

/// The vehicle that passes in a frame, with its plate: the widest, for those behind it do not pass yet.
fn passing(sample: &Sample) -> Option<(&str, &Truth)> {
    let name = sample.moment.as_ref()?.vehicle.as_deref()?;
    let truth = sample.plates.iter().max_by(|a, b| a.width().unwrap_or(0.0).total_cmp(&b.width().unwrap_or(0.0)))?;
    Some((name, truth))
}

fn lies_on(plate: &PlateBox, truth: &Truth) -> bool {
    truth.hull.is_some_and(|hull| iou(plate, &PlateBox::of_hull(hull)) >= SAME_PLACE_IOU)
}

/// Figures over `outcomes`.
pub fn report(outcomes: &[LaneOutcome]) -> Report {
    let mut report = Report::default();
    for outcome in outcomes {
        report.others += outcome.others;
        for vehicle in outcome.vehicles.values() {
            report.once.count(vehicle.passages.len() == 1);
            report.missed += usize::from(vehicle.passages.is_empty());
            report.split += usize::from(vehicle.passages.len() > 1);
            let settled = vehicle.passages.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0));
            report.voted.count(settled.is_some_and(|(_, right)| right));
            report.surest.count(vehicle.surest.is_some_and(|(_, right)| right));
            report.single.hits += vehicle.single.hits;
            report.single.of += vehicle.single.of;
            report.answers.extend(settled);
        }
    }
    report
}
