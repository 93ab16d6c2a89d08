//! Figures on scans with their truth: boundaries, kinds, empties, detections at fixed false alarms, penetration, calibration of probabilities.
//!
//! Thresholds are set on the normal cars of the set itself, per class (empty, loaded), as `shared/rail.md` 5.3 asks: the figure is what a site would get that calibrated on
//! these normals. Anomalies are graded by the ideal observer's d′; below 3 nobody could see them, and they must score like nothing (`shared/rail.md` 4.7).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::statistics::Proportion;

/// The truth beside a scan (`shared/rail-samples/README.md`).
#[derive(Debug, Clone, Deserialize)]
pub struct Truth {
    /// From the head.
    pub cars: Vec<TrueCar>,
    /// The portal's faulty channels, if the truth has them.
    #[serde(default)]
    pub faulty: Vec<usize>,
}

/// One car as it was rendered.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct TrueCar {
    /// From the head, from 1.
    pub position: usize,
    /// Coupler tip to coupler tip, half-open.
    pub columns: [usize; 2],
    /// Kind of car.
    pub kind: String,
    /// Nothing declared in it.
    pub empty: bool,
    /// Its mark.
    #[serde(default)]
    pub mark: Option<String>,
    /// What was hidden in it.
    #[serde(default)]
    pub anomaly: Option<TrueAnomaly>,
}

/// Something hidden.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct TrueAnomaly {
    /// What it is.
    pub kind: String,
    /// The ideal observer's d′.
    pub d_ideal: f64,
    /// Column, detector, columns, detectors.
    #[serde(rename = "box")]
    pub bounds: [usize; 4],
}

/// What was found of one true car.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The truth.
    pub truth: TrueCar,
    /// Columns found; none where no car was.
    pub columns: Option<[usize; 2]>,
    /// Kind found.
    pub kind: String,
    /// Mark found.
    pub mark: Option<String>,
    /// Car score.
    pub score: f64,
    /// Probability that nothing is in it.
    pub empty_probability: f64,
    /// Findings: box and probability.
    pub findings: Vec<([usize; 4], f64)>,
    /// How far the ends found are from the true ones, along the train (a train that stands or rolls back passes many columns in no distance), m.
    pub off_m: [f64; 2],
}

/// Detections at 1 % and 5 % false alarms, by group.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Detection {
    /// Cars over the threshold that 1 % of the normal cars are over.
    pub at_1: Proportion,
    /// The same for 5 %.
    pub at_5: Proportion,
}

/// All figures of a set.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Cars found.
    pub found: Proportion,
    /// Cars found that are none.
    pub extra: usize,
    /// Of found cars, both ends within 1.0 m.
    pub within_1_m: Proportion,
    /// Median and 95th percentile of the worse end's error, m.
    pub boundary_m: [f64; 2],
    /// Kind right.
    pub kinds: Proportion,
    /// Mark right, of cars that have one.
    pub marks: Proportion,
    /// Normal cars that set the thresholds: empty, loaded.
    pub normals: [usize; 2],
    /// Score that 1 % and 5 % of normal cars are over: empty, loaded.
    pub thresholds: [[f64; 2]; 2],
    /// By class, d′ bin, kind of car and kind of anomaly.
    pub detection: BTreeMap<String, Detection>,
    /// Clean empties with `empty_probability` of at least 0.5.
    pub cleared: Proportion,
    /// Loaded cars, and empties tampered with at d′ of at least 20, with the same.
    pub wrongly_cleared: Proportion,
    /// Detected anomalies whose most probable finding overlaps the truth's box.
    pub located: Proportion,
    /// Expected calibration error of findings' probabilities against overlap with the truth.
    pub calibration_error: f64,
}

/// Upper edge of each bin of d′, and its name.
const BINS: [(f64, &str); 5] = [(3.0, "d<3"), (8.0, "d 3-8"), (20.0, "d 8-20"), (50.0, "d 20-50"), (f64::INFINITY, "d>50")];

impl Figures {
    /// Figures from answers; `extra` is how many cars were found that are none.
    pub fn of(answers: &[Answer], extra: usize) -> Figures {
        let mut figures = Figures { extra, ..Figures::default() };
        let mut errors: Vec<f64> = Vec::new();
        for answer in answers {
            figures.found.count(answer.columns.is_some());
            if answer.columns.is_some() {
                let worse = answer.off_m[0].max(answer.off_m[1]);
                figures.within_1_m.count(worse <= 1.0);
                errors.push(worse);
                figures.kinds.count(answer.kind == answer.truth.kind);
                if answer.truth.mark.is_some() {
                    figures.marks.count(answer.mark == answer.truth.mark);
                }
            }
        }
        errors.sort_by(f64::total_cmp);
        figures.boundary_m = [0.5, 0.95].map(|share| errors.get(((errors.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN));
        figures.detect(answers);
        figures.judge_findings(answers);
        figures
    }

    fn detect(&mut self, answers: &[Answer]) {
        for (class, empty) in [true, false].into_iter().enumerate() {
            // Locomotives are not looked into.
            let normal = |a: &&Answer| a.truth.empty == empty && a.truth.anomaly.is_none() && a.truth.kind != "locomotive";
            let mut normals: Vec<f64> = answers.iter().filter(normal).map(|a| a.score).collect();
            normals.sort_by(f64::total_cmp);
            self.normals[class] = normals.len();
            // The score that at most so many normal cars exceed.
            let over = |share: f64| normals.len().checked_sub(1 + (normals.len() as f64 * share) as usize).map_or(f64::INFINITY, |rank| normals[rank]);
            self.thresholds[class] = [over(0.01), over(0.05)];
            for answer in answers.iter().filter(|a| a.truth.empty == empty) {
                let Some(anomaly) = &answer.truth.anomaly else { continue };
                let bin = BINS.iter().find(|(edge, _)| anomaly.d_ideal < *edge).map_or("d>50", |(_, name)| name);
                let class_name = if empty { "empty" } else { "loaded" };
                let mut groups = vec![format!("{class_name} {bin}")];
                if anomaly.d_ideal >= 20.0 {
                    groups.push(format!("{class_name} d>=20"));
                    groups.push(format!("{class_name} d>=20 {}", answer.truth.kind));
                    groups.push(format!("{class_name} d>=20 {}", anomaly.kind));
                }
                for group in groups {
                    let detection = self.detection.entry(group).or_default();
                    detection.at_1.count(answer.score > self.thresholds[class][0]);
                    detection.at_5.count(answer.score > self.thresholds[class][1]);
                }
            }
        }
        for answer in answers.iter().filter(|a| a.truth.kind != "locomotive") {
            let cleared = answer.empty_probability >= 0.5;
            match &answer.truth.anomaly {
                None if answer.truth.empty => self.cleared.count(cleared),
                Some(anomaly) if answer.truth.empty && anomaly.d_ideal >= 20.0 => self.wrongly_cleared.count(cleared),
                _ if !answer.truth.empty => self.wrongly_cleared.count(cleared),
                _ => {}
            }
        }
    }

    fn judge_findings(&mut self, answers: &[Answer]) {
        let overlap = |a: &[usize; 4], b: &[usize; 4]| a[0] < b[0] + b[2] && b[0] < a[0] + a[2] && a[1] < b[1] + b[3] && b[1] < a[1] + a[3];
        let mut bins = [(0.0_f64, 0.0_f64, 0.0_f64); 10];
        for answer in answers {
            let anomaly = answer.truth.anomaly.as_ref();
            if let (Some(anomaly), Some(first)) = (anomaly, answer.findings.first()) {
                self.located.count(overlap(&first.0, &anomaly.bounds));
            }
            for (bounds, probability) in &answer.findings {
                let real = anomaly.is_some_and(|anomaly| overlap(bounds, &anomaly.bounds));
                let bin = &mut bins[((probability * 10.0) as usize).min(9)];
                *bin = (bin.0 + 1.0, bin.1 + probability, bin.2 + f64::from(u8::from(real)));
            }
        }
        let total: f64 = bins.iter().map(|bin| bin.0).sum();
        self.calibration_error = bins.iter().map(|bin| (bin.1 - bin.2).abs()).sum::<f64>() / total.max(1.0);
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "cars found          {}, {} extra", self.found, self.extra)?;
        writeln!(out, "ends within 1.0 m   {}, median {:.2} m, 95 % {:.2} m", self.within_1_m, self.boundary_m[0], self.boundary_m[1])?;
        writeln!(out, "kind right          {}", self.kinds)?;
        writeln!(out, "mark right          {}", self.marks)?;
        writeln!(out, "clean empties cleared     {}", self.cleared)?;
        writeln!(out, "loaded/tampered cleared   {}", self.wrongly_cleared)?;
        writeln!(out, "first finding on target   {}", self.located)?;
        writeln!(out, "calibration error         {:.3}", self.calibration_error)?;
        writeln!(out, "normals: {} empty, {} loaded; thresholds {:?}", self.normals[0], self.normals[1], self.thresholds)?;
        writeln!(out, "{:<34} {:<32} at 5 % false alarms", "detection", "at 1 % false alarms")?;
        for (group, detection) in &self.detection {
            writeln!(out, "{group:<34} {:<32} {}", detection.at_1, detection.at_5)?;
        }
        Ok(())
    }
}
