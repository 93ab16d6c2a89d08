//! How well plates are found and read: figures on a manifest, broken down, with their intervals.
//!
//! *Detection*: a truth is found by a plate box whose hull overlaps its box with IoU ≥ 0.5, each box used once, surest first. Plates under 40 pixels
//! wide are ignored both ways: neither missed, nor false when found.
//!
//! A picture that cannot be looked at has all its plates missed, lest a detector or reader that fails on hard pictures seem better for it; the times are of
//! those that could.
//!
//! *Reading*: exact and within one edit, strict and folded (O, Q → 0; I → 1: labels and dies mix them). On crops the plate is read from
//! its labelled box; on pictures end to end, a missed plate counting as misread. Truths with an unreadable character are left out.

use std::collections::BTreeMap;
use std::time::Duration;

use cpu_time::ThreadTime;
use serde::Serialize;

use crate::bytes::Bytes;
use crate::error::Result;
use crate::eval::manifest::{CROP_MARGIN, Sample, Truth};
use crate::eval::statistics::{Proportion, calibration_error, quantile, yield_at};
use crate::lane::detect::{PlateBox, View, iou};
use crate::lane::read::PlateRead;
use crate::pipeline::LaneWorker;
use crate::posterior::Text;

/// Narrower plates are ignored unless said otherwise, pixels.
pub const MIN_WIDTH: f32 = 40.0;
/// A plate is found by a box that overlaps it by this much.
const FOUND_IOU: f32 = 0.5;

/// What one sample gave.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Index of the sample in the manifest.
    pub sample: usize,
    /// Why it could not be looked at; then no read found anything.
    pub error: Option<String>,
    /// Each truth of the sample with the read that found it.
    pub truths: Vec<(Truth, Option<PlateRead>)>,
    /// Reads of boxes that found nothing.
    pub false_plates: Vec<PlateRead>,
    /// Wall and CPU time from bytes to reads, milliseconds.
    pub wall_ms: f64,
    /// As above, CPU time of the thread.
    pub cpu_ms: f64,
    /// How much of the wall time went into the decoding of a picture, milliseconds; 0 of a crop.
    pub decode_ms: f64,
}

/// Looks at one sample.
pub fn look(worker: &mut LaneWorker, index: usize, sample: &Sample, view: View) -> Outcome {
    let (wall, cpu) = (std::time::Instant::now(), ThreadTime::now());
    let reads = reads(worker, sample, view);
    let mut outcome = Outcome {
        sample: index,
        error: None,
        truths: sample.plates.iter().cloned().map(|truth| (truth, None)).collect(),
        false_plates: Vec::new(),
        wall_ms: wall.elapsed().as_secs_f64() * 1e3,
        cpu_ms: cpu.elapsed().as_secs_f64() * 1e3,
        decode_ms: reads.as_ref().map_or(0.0, |(_, decode)| decode.as_secs_f64() * 1e3),
    };
    match reads {
        Err(error) => outcome.error = Some(error.to_string()),
        Ok((reads, _)) if sample.is_crop => outcome.truths.iter_mut().zip(reads).for_each(|((_, found), read)| *found = Some(read)),
        Ok((reads, _)) => assign(reads, &mut outcome),
    }
    outcome
}

/// What is read of one sample, and how long the decoding of a picture took.
fn reads(worker: &mut LaneWorker, sample: &Sample, view: View) -> Result<(Vec<PlateRead>, Duration)> {
    let encoded = Bytes::map(&sample.path)?;
    if !sample.is_crop {
        let mut reads = Vec::new();
        let times = worker.analyse(&encoded, view, &mut reads)?;
        return Ok((reads, times.decode));
    }
    worker.luma.decode(&encoded)?;
    let (width, height) = (worker.luma.width as f32, worker.luma.height as f32);
    let inset = CROP_MARGIN / (1.0 + 2.0 * CROP_MARGIN);
    let plate = PlateBox::of_hull([width * inset, height * inset, width * (1.0 - 2.0 * inset), height * (1.0 - 2.0 * inset)]);
    worker.reader.rectify(&worker.luma, &plate);
    let first = worker.reader.read(&plate)?;
    Ok((vec![worker.reader.read_again(&worker.luma, first)?], Duration::ZERO))
}

/// Gives each truth the surest unused read that overlaps it enough.
fn assign(mut reads: Vec<PlateRead>, outcome: &mut Outcome) {
    reads.sort_by(|a, b| b.plate.score.total_cmp(&a.plate.score));
    for read in reads {
        let overlap = |truth: &Truth| truth.hull.map_or(0.0, |hull| iou(&read.plate, &PlateBox::of_hull(hull)));
        let best = outcome
            .truths
            .iter_mut()
            .filter(|(truth, found)| found.is_none() && overlap(truth) >= FOUND_IOU)
            .max_by(|a, b| overlap(&a.0).total_cmp(&overlap(&b.0)));
        match best {
            Some((_, found)) => *found = Some(read),
            None => outcome.false_plates.push(read),
        }
    }
}

/// Reading figures of some plates.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Text as labelled.
    pub exact: Proportion,
    /// Text as labelled, O and Q taken for 0 and I for 1.
    pub exact_folded: Proportion,
    /// At most one edit away.
    pub within_one: Proportion,
    /// At most one edit away, folded.
    pub within_one_folded: Proportion,
    /// State as labelled, among reads that name a state, of plates of a known one.
    pub jurisdiction: Proportion,
    /// State as labelled, of all plates of a known one: "unknown" and "other" are wrong here.
    pub jurisdiction_of_all: Proportion,
}

impl Reading {
    fn count(&mut self, text: &str, read: Option<&PlateRead>, region: Option<&str>) {
        let said = read.map_or("", |read| read.text.as_str()).to_owned();
        let edits = |a: &str, b: &str| match (Text::of(a), Text::of(b)) {
            (Some(a), Some(b)) => a.edits(&b),
            _ => usize::MAX,
        };
        let (strict, folded) = (edits(text, &said), edits(&fold(text), &fold(&said)));
        self.exact.count(strict == 0);
        self.exact_folded.count(folded == 0);
        self.within_one.count(strict <= 1);
        self.within_one_folded.count(folded <= 1);
        if let Some(region) = region.filter(|region| region.contains('-')) {
            let named = read.and_then(|read| read.jurisdiction).filter(|named| named.code.as_str() != "other");
            self.jurisdiction_of_all.count(named.is_some_and(|named| named.code.as_str() == region));
            if let Some(named) = named {
                self.jurisdiction.count(named.code.as_str() == region);
            }
        }
    }
}

/// O and Q for 0, I for 1.
pub fn fold(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            'O' | 'Q' => '0',
            'I' => '1',
            other => other,
        })
        .collect()
}

/// What calibration is fitted on and judged by.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Answer {
    /// The decoder's probability of the text.
    pub probability: f32,
    /// Width of the plate, frame pixels.
    pub width: f32,
    /// The detector's score.
    pub score: f32,
    /// Characters of the text.
    pub length: usize,
    /// Whether the plate was looked at again.
    pub looked_again: bool,
    /// The calibrated confidence.
    pub confidence: f32,
    /// Whether the box is a labelled plate's; where it is not, the text counts as wrong.
    pub labelled: bool,
    /// Whether the text is right (folded).
    pub right: bool,
}

impl Answer {
    fn of(read: &PlateRead, labelled: bool, right: bool) -> Answer {
        Answer {
            probability: read.probability,
            width: read.plate.plate_width(),
            score: read.plate.score,
            length: read.text.len(),
            looked_again: read.looked_again,
            confidence: read.confidence,
            labelled,
            right,
        }
    }
}

/// All figures of one run.
#[derive(Debug, Clone)]
pub struct Report {
    /// Truths of at least [`MIN_WIDTH`] that were found.
    pub recall: Proportion,
    /// Boxes that found one.
    pub precision: Proportion,
    /// Over all plates with a full text.
    pub reading: Reading,
    /// The same by `source`, `region`, `width`, `lines`, `quality`, each by its values.
    pub by: BTreeMap<&'static str, BTreeMap<String, (Proportion, Reading)>>,
    /// Expected calibration error of `confidence` (folded), boxes that are no labelled plate counted as wrong.
    pub calibration_error: Option<f64>,
    /// The same over labelled plates only: background plates often have no label.
    pub calibration_error_labelled: Option<f64>,
    /// Share of the plates that can be answered at 0.5 % error.
    pub yield_at_half_percent: f64,
    /// As above, at 1 %.
    pub yield_at_one_percent: f64,
    /// Every read with a text: those of plates whose text is known, and those of boxes that are no plate.
    pub answers: Vec<Answer>,
    /// Wall time per image, milliseconds: p50, p95, p99.
    pub wall_ms: [f64; 3],
    /// CPU time per image, milliseconds: mean and median.
    pub cpu_ms: [f64; 2],
    /// Median wall time of all but the decoding, milliseconds.
    pub rest_ms: f64,
    /// Samples that could not be looked at, and why.
    pub errors: Vec<String>,
}

/// Figures over `outcomes` of `samples`; plates narrower than `min_width` pixels are ignored both ways.
pub fn report(samples: &[Sample], outcomes: &[Outcome], min_width: f32) -> Report {
    let mut report = Report {
        recall: Proportion::default(),
        precision: Proportion::default(),
        reading: Reading::default(),
        by: BTreeMap::new(),
        calibration_error: None,
        calibration_error_labelled: None,
        yield_at_half_percent: 0.0,
        yield_at_one_percent: 0.0,
        answers: Vec::new(),
        wall_ms: [0.0; 3],
        cpu_ms: [0.0; 2],
        rest_ms: 0.0,
        errors: Vec::new(),
    };
    for outcome in outcomes {
        let sample = &samples[outcome.sample];
        report.errors.extend(outcome.error.iter().map(|error| format!("{}: {error}", sample.name)));
        for (truth, read) in &outcome.truths {
            let wide = is_wide(truth, min_width);
            let groups = groups(sample, truth);
            let mut cells: Vec<_> = groups.into_iter().collect();
            if !sample.is_crop && wide {
                report.recall.count(read.is_some());
                if read.is_some() {
                    report.precision.count(true);
                }
                for (kind, value) in &cells {
                    report.by.entry(kind).or_default().entry(value.clone()).or_default().0.count(read.is_some());
                }
            }
            let Some(text) = truth.full_text() else { continue };
            report.reading.count(text, read.as_ref(), truth.region.as_deref());
            for (kind, value) in cells.drain(..) {
                report.by.entry(kind).or_default().entry(value).or_default().1.count(text, read.as_ref(), truth.region.as_deref());
            }
            if let Some(read) = read.filter(|read| !read.text.is_empty()) {
                report.answers.push(Answer::of(&read, true, fold(read.text.as_str()) == fold(text)));
            }
        }
        for read in outcome.false_plates.iter().filter(|read| is_wide_box(&read.plate, min_width)) {
            report.precision.count(false);
            report.answers.extend((!read.text.is_empty()).then(|| Answer::of(read, false, false)));
        }
    }
    let trials = report.reading.exact.of;
    let answers: Vec<_> = report.answers.iter().map(|answer| (answer.confidence, answer.right)).collect();
    report.calibration_error = calibration_error(&answers);
    let labelled: Vec<_> = report.answers.iter().filter(|answer| answer.labelled).map(|answer| (answer.confidence, answer.right)).collect();
    report.calibration_error_labelled = calibration_error(&labelled);
    report.yield_at_half_percent = yield_at(&answers, trials, 0.005);
    report.yield_at_one_percent = yield_at(&answers, trials, 0.01);
    let times = |of: fn(&Outcome) -> f64| outcomes.iter().filter(|outcome| outcome.error.is_none()).map(of).collect::<Vec<f64>>();
    let (wall, cpu) = (times(|outcome| outcome.wall_ms), times(|outcome| outcome.cpu_ms));
    report.wall_ms = [0.5, 0.95, 0.99].map(|share| quantile(&wall, share));
    report.rest_ms = quantile(&times(|outcome| outcome.wall_ms - outcome.decode_ms), 0.5);
    report.cpu_ms = [cpu.iter().sum::<f64>() / cpu.len().max(1) as f64, quantile(&cpu, 0.5)];
    report
}

/// Whether a labelled plate counts as missed where nothing finds it: one of unknown width does.
pub(super) fn is_wide(truth: &Truth, min_width: f32) -> bool {
    truth.width().is_none_or(|width| width >= min_width)
}

/// Whether a box counts as false where it finds nothing.
pub(super) fn is_wide_box(plate: &PlateBox, min_width: f32) -> bool {
    let [left, _, right, _] = plate.hull();
    right - left >= min_width
}

/// Which cells of the break-down a plate falls in.
fn groups(sample: &Sample, truth: &Truth) -> Vec<(&'static str, String)> {
    let mut groups = vec![("source", sample.source.clone())];
    let country = truth.region.as_deref().map_or("unknown", |region| region.split('-').next().unwrap_or(region));
    groups.push(("region", country.to_owned()));
    if let Some(width) = truth.width() {
        let band = match width as u32 {
            0..40 => "  0-39",
            40..60 => " 40-59",
            60..100 => " 60-99",
            100..150 => "100-149",
            150..250 => "150-249",
            _ => "250-",
        };
        groups.push(("width", band.to_owned()));
    }
    groups.extend(truth.lines.map(|lines| ("lines", lines.to_string())));
    groups.extend(truth.quality.clone().map(|quality| ("quality", quality)));
    groups
}

/// The figures as JSON: shares in 0..=1 with their intervals.
#[derive(Serialize)]
pub struct ReportJson {
    recall: Cell,
    precision: Cell,
    exact: Cell,
    exact_folded: Cell,
    within_one: Cell,
    within_one_folded: Cell,
    jurisdiction: Cell,
    jurisdiction_of_all: Cell,
    calibration_error: Option<f64>,
    calibration_error_labelled: Option<f64>,
    yield_at_half_percent: f64,
    yield_at_one_percent: f64,
    wall_ms: [f64; 3],
    cpu_ms_mean: f64,
    cpu_ms_median: f64,
    rest_ms_median: f64,
    by: BTreeMap<&'static str, BTreeMap<String, ByJson>>,
    errors: Vec<String>,
}

#[derive(Serialize)]
struct ByJson {
    recall: Cell,
    exact_folded: Cell,
    within_one_folded: Cell,
}

#[derive(Serialize)]
struct Cell {
    share: Option<f64>,
    interval: (f64, f64),
    n: usize,
}

impl From<&Proportion> for Cell {
    fn from(proportion: &Proportion) -> Cell {
        Cell { share: proportion.share(), interval: proportion.interval(), n: proportion.of }
    }
}

impl From<&Report> for ReportJson {
    fn from(report: &Report) -> ReportJson {
        let by = |cells: &BTreeMap<String, (Proportion, Reading)>| {
            cells
                .iter()
                .map(|(value, (recall, reading))| {
                    let cell =
                        ByJson { recall: recall.into(), exact_folded: (&reading.exact_folded).into(), within_one_folded: (&reading.within_one_folded).into() };
                    (value.clone(), cell)
                })
                .collect()
        };
        ReportJson {
            recall: (&report.recall).into(),
            precision: (&report.precision).into(),
            exact: (&report.reading.exact).into(),
            exact_folded: (&report.reading.exact_folded).into(),
            within_one: (&report.reading.within_one).into(),
            within_one_folded: (&report.reading.within_one_folded).into(),
            jurisdiction: (&report.reading.jurisdiction).into(),
            jurisdiction_of_all: (&report.reading.jurisdiction_of_all).into(),
            calibration_error: report.calibration_error,
            calibration_error_labelled: report.calibration_error_labelled,
            yield_at_half_percent: report.yield_at_half_percent,
            yield_at_one_percent: report.yield_at_one_percent,
            wall_ms: report.wall_ms,
            cpu_ms_mean: report.cpu_ms[0],
            cpu_ms_median: report.cpu_ms[1],
            rest_ms_median: report.rest_ms,
            by: report.by.iter().map(|(&kind, cells)| (kind, by(cells))).collect(),
            errors: report.errors.clone(),
        }
    }
}
