//! A finding: something unusual in a car, with place, size and mass in units that an officer can check.

use std::ops::Range;

use serde::Serialize;

use super::attenuation::G_CM2_PER_MM;
use super::car::{CELL_MM, CarImage};

/// One finding, as `garita inspect --json` writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// `density+`, `density-`, `dense-opaque`, `structure`, `changed`, `empty-mismatch`, `manifest`.
    pub kind: &'static str,
    /// Absolute column, detector, columns, detectors.
    #[serde(rename = "box")]
    pub bounds: [usize; 4],
    /// From the car's head, lower edge above the rail, length, height; mm.
    pub box_mm: [f64; 4],
    /// The detector's own score; comparable among cars of a kind only.
    pub score: f64,
    /// That something is there that does not belong, 0..=1.
    pub probability: f64,
    /// Fraction of normal cars of this kind in which the detector scores as high.
    pub false_alarm_rate: f64,
    /// Steel-equivalent thickness in the box, mm (mean over what sticks out).
    pub thickness_mm_steel: f64,
    /// What it is more (or less) than expected, g/cm² of steel.
    pub delta_g_cm2: f64,
    /// Standard error of that.
    pub sigma_g_cm2: f64,
    /// Areal density times area, kg; a lower bound where too little came through.
    pub mass_kg: f64,
    /// Which detector says so.
    pub detector: &'static str,
}

/// A part of a car that a detector points at, before it is judged against normal cars.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// Which detector.
    pub detector: &'static str,
    /// The finding's kind.
    pub kind: &'static str,
    /// Cells along the car.
    pub x: Range<usize>,
    /// Rows.
    pub y: Range<usize>,
    /// The detector's own score.
    pub score: f64,
    /// Sum over the part's cells of thickness more than expected, mm of steel times cells.
    pub excess_mm: f64,
    /// Standard error of that sum.
    pub sigma_mm: f64,
    /// Cells that the sum is over.
    pub cells: usize,
    /// Mean thickness of those cells, mm.
    pub thickness_mm: f64,
}

impl Suspect {
    /// The finding that this is, judged.
    pub fn finding(&self, image: &CarImage, probability: f64, false_alarm_rate: f64) -> Finding {
        let (columns, detectors) = (image.columns_of(self.x.clone()), image.detectors_of(self.y.clone()));
        let cells = self.cells.max(1) as f64;
        let cell_cm2 = CELL_MM * CELL_MM / 100.0;
        let round = |value: f64, places: i32| (value * 10_f64.powi(places)).round() / 10_f64.powi(places);
        Finding {
            kind: self.kind,
            bounds: [columns.start, detectors.start, columns.len(), detectors.len()],
            box_mm: [
                self.x.start as f64 * CELL_MM,
                round(image.top_mm - self.y.end as f64 * CELL_MM, 1),
                self.x.len() as f64 * CELL_MM,
                self.y.len() as f64 * CELL_MM,
            ],
            score: round(self.score, 3),
            probability: round(probability, 4),
            false_alarm_rate: round(false_alarm_rate, 6),
            thickness_mm_steel: round(self.thickness_mm, 2),
            delta_g_cm2: round(self.excess_mm / cells * G_CM2_PER_MM, 3),
            sigma_g_cm2: round(self.sigma_mm / cells * G_CM2_PER_MM, 3),
            mass_kg: round(self.excess_mm * G_CM2_PER_MM * cell_cm2 / 1000.0, 2),
            detector: self.detector,
        }
    }

    /// True where two suspects share cells.
    pub fn overlaps(&self, other: &Suspect) -> bool {
        let share = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
        share(&self.x, &other.x) && share(&self.y, &other.y)
    }
}
