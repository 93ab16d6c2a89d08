//! One car as a picture in physical units: cells of 32 mm, transmission and steel-equivalent thickness with their errors.
//!
//! Goal: what every detector looks at, the same whatever the portal's pixels, the train's speed, or a stop in the middle of a car. Counts are added up into
//! cells by the area that a pixel shares with them, numerator (net counts) and denominator (air) apart, so that Poisson statistics survive; columns that were
//! taken while the train stood add to the same cells. 32 mm: the grid of the prototypes in `shared/rail.md` 4.5, two of an isotope portal's pixels.
//!
//! Scattered photons lie over everything as a smooth veil, a few percent of what is open within a metre; its size is read off the darkest parts and it is
//! subtracted, as otherwise 80 mm of steel would look like 60.
//!
//! Penetration-limited: where less came through three by three cells than three sigma of none ([`LIMIT_SIGMA`]). What lies behind cannot be cleared.
//!
//! Unmeasured: where no detector lives, or no beam came (the source was shut, columns were lost and repaired, or all detectors were dark). Filled in from beside so
//! that a picture can be drawn; nothing is said of it, and it cannot be cleared either.

use std::ops::Range;

use super::attenuation::Attenuation;
use super::calibrate::Calibration;
use super::scan::{FLAG_REPAIRED, FLAG_SHUT, Scan};
use super::segment::{CarSegment, step_mm};
use crate::error::{Error, Fault, Result};

/// Edge of a cell, mm.
pub const CELL_MM: f64 = 32.0;

/// What comes through a cell's neighbourhood, veil subtracted, must be this many standard errors to count as seen (`shared/rail.md` 5.4 (2): "floor at 3 sigma").
const LIMIT_SIGMA: f32 = 3.0;

/// The longest car, mm: 120 m, half as long again as five articulated platforms. What is longer was not cut, and is refused.
const LONGEST_MM: f64 = 120_000.0;

/// A car in cells. Arrays are `[column, row]`, row 0 topmost.
#[derive(Debug, Clone)]
pub struct CarImage {
    /// Cells along the car.
    pub width: usize,
    /// Cells from the top of the array to its foot.
    pub height: usize,
    /// Height above the rail of the upper edge of row 0, mm.
    pub top_mm: f64,
    /// Transmission, 0 opaque, 1 open; NaN where no detector lived and no neighbour could stand in.
    pub t: Vec<f32>,
    /// Standard error of `t`.
    pub sigma_t: Vec<f32>,
    /// Steel-equivalent mm (negative by noise in open beam).
    pub steel_mm: Vec<f32>,
    /// Standard error of `steel_mm`.
    pub sigma_mm: Vec<f32>,
    /// True where too little came through to say what is there.
    pub limited: Vec<bool>,
    /// True where nothing was measured, and what stands here is filled in from beside.
    pub unmeasured: Vec<bool>,
    /// Quanta that an open cell holds.
    pub air_quanta: f32,
    /// Scattered share that this car's darkest parts show, 0..=0.25.
    pub veil: f32,
    /// What a transmission means in steel.
    pub attenuation: Attenuation,
    /// Columns of the scan.
    pub columns: Range<usize>,
    /// Distance of each column of the scan from the head end of the car, mm, and of the end of the last.
    x_mm: Vec<f32>,
    pitch_mm: f64,
    detectors: usize,
    source_height_mm: f64,
    near: f64,
}

/// Where a run of pixels falls in the grid: first cell and the share of it, and the next cell with the rest.
struct Share {
    cell: usize,
    first: f32,
    second: f32,
}

/// Splits `from..to` (mm) over cells; the middle cells of anything wider than two get nothing (pixels are smaller than cells, or are cut by the caller).
fn share(from_mm: f64, to_mm: f64, cells: usize) -> Option<Share> {
    let (low, high) = (from_mm.min(to_mm), from_mm.max(to_mm));
    if high <= 0.0 || low >= cells as f64 * CELL_MM {
        return None;
    }
    let cell = (low.max(0.0) / CELL_MM) as usize;
    let edge = (cell + 1) as f64 * CELL_MM;
    let first = if high <= edge || high - low < 1e-9 { 1.0 } else { ((edge - low.max(0.0)) / (high - low)).clamp(0.0, 1.0) };
    Some(Share { cell, first: first as f32, second: if cell + 1 < cells { 1.0 - first as f32 } else { 0.0 } })
}

impl CarImage {
    /// Calibrates and resamples one car.
    ///
    /// # Errors
    /// `Limit` for a car of more than 120 m; where columns cannot be read.
    pub fn new(scan: &Scan, calibration: &Calibration, segment: &CarSegment) -> Result<CarImage> {
        let columns = segment.columns.clone();
        let mut x = 0.0_f64;
        let mut x_mm = Vec::with_capacity(columns.len() + 1);
        x_mm.push(0.0);
        for column in columns.clone() {
            x += step_mm(scan, column);
            x_mm.push(x as f32);
        }
        // Columns beyond it belong to the next car: the train came back from there.
        let length = segment.length_mm;
        if length > LONGEST_MM {
            return Err(Error::new(
                Fault::Limit,
                format!("columns {columns:?}: {:.0} m without a gap between cars, more than the limit of 120 m", length / 1000.0),
            ));
        }
        let d = &scan.description;
        let width = (length / CELL_MM).ceil().max(1.0) as usize;
        let height = (scan.detectors() as f64 * d.pitch_mm / CELL_MM).ceil().max(1.0) as usize;
        let rows: Vec<Option<Share>> =
            (0..scan.detectors()).map(|i| if calibration.dead[i] { None } else { share(i as f64 * d.pitch_mm, (i + 1) as f64 * d.pitch_mm, height) }).collect();
        let (live, all) = rows_covered(calibration, d.pitch_mm, height);
        let mut net = vec![0.0_f32; width * height];
        let mut air = vec![0.0_f32; width * height];
        // Per cell along the car: shares of columns with and without beam.
        let (mut taken, mut lost) = (vec![0.0_f32; width], vec![0.0_f32; width]);
        // In blocks of columns: a file that is not time-major allocates what it gathers.
        for block in (columns.start..columns.end).step_by(256) {
            let block = block..(block + 256).min(columns.end);
            let counts = scan.counts(block.clone())?;
            for (column, values) in block.zip(counts.chunks_exact(scan.detectors())) {
                let k = column - columns.start;
                let flags = scan.column(column).flags;
                let Some(along) = share(f64::from(x_mm[k]), f64::from(x_mm[k + 1]), width) else { continue };
                let level = calibration.level(scan, column);
                let beam = flags & (FLAG_SHUT | FLAG_REPAIRED) == 0 && calibration.has_beam(values, level);
                for (cell, part) in [(along.cell, along.first), (along.cell + 1, along.second)] {
                    if part <= 0.0 {
                        continue;
                    }
                    *if beam { &mut taken[cell] } else { &mut lost[cell] } += part;
                    if !beam {
                        continue;
                    }
                    let at = cell * height;
                    for (i, row) in rows.iter().enumerate() {
                        let Some(row) = row else { continue };
                        let open = calibration.air[i] * level;
                        let value = f32::from(values[i]) - calibration.dark[i];
                        net[at + row.cell] += value * part * row.first;
                        air[at + row.cell] += open * part * row.first;
                        if row.second > 0.0 {
                            net[at + row.cell + 1] += value * part * row.second;
                            air[at + row.cell + 1] += open * part * row.second;
                        }
                    }
                }
            }
        }
        let top_mm = d.top_mm + d.pitch_mm / 2.0;
        let mut image = CarImage {
            width,
            height,
            top_mm,
            t: net,
            sigma_t: air,
            steel_mm: vec![0.0; width * height],
            sigma_mm: vec![0.0; width * height],
            limited: vec![false; width * height],
            unmeasured: (0..width * height)
                .map(|index| (lost[index / height] > 0.0 && taken[index / height] < 0.25) || (live[index % height] <= 0.0 && all[index % height] > 0.0))
                .collect(),
            air_quanta: 0.0,
            veil: 0.0,
            attenuation: calibration.attenuation.clone(),
            columns,
            x_mm,
            pitch_mm: d.pitch_mm,
            detectors: scan.detectors(),
            source_height_mm: d.geometry.source_height_m * 1000.0,
            // Half the width of a car, 1.4 m (`shared/rail.md` 2.5).
            near: 1.0 - (1.4 / d.geometry.source_to_centre_m).min(0.9),
        };
        image.finish(calibration);
        Ok(image)
    }

    /// From net counts (in `t`) and air (in `sigma_t`) to transmission, thickness and limits.
    fn finish(&mut self, calibration: &Calibration) {
        let gain = calibration.gain;
        let quanta: Vec<f32> = self.t.iter().map(|net| (net / gain).max(0.0)).collect();
        let mut open: Vec<f32> = self.sigma_t.iter().map(|air| air / gain).filter(|&air| air > 0.0).collect();
        // 1: nothing was measured at all, and nothing is divided by it.
        self.air_quanta = if open.is_empty() { 1.0 } else { super::calibrate::median_of(&mut open) };
        for (index, &quanta) in quanta.iter().enumerate() {
            let air = self.sigma_t[index] / gain;
            // A quarter of the usual air: half a row of a dead detector, or a column half covered, still counts; less is filled in below.
            if air < 0.25 * self.air_quanta {
                self.t[index] = f32::NAN;
                continue;
            }
            self.t[index] /= self.sigma_t[index];
            self.sigma_t[index] = (quanta + 1.0).sqrt() / air;
        }
        self.fill_in();
        let blur = self.blurred();
        self.veil = self.veil_of(&blur);
        // Every car's figure is an upper bound, and the veil is the portal's: the least so far.
        let veil = calibration.veils.iter().copied().fold(self.veil, f32::min);
        for (index, t) in self.t.iter_mut().enumerate() {
            *t = (1.0 + veil) * *t - veil * blur[index];
            self.sigma_t[index] *= 1.0 + veil;
        }
        for x in 0..self.width {
            for y in 0..self.height {
                let (through, counted) = self.neighbours(x, y).fold((0.0, 0.0), |(t, n), index| (t + self.t[index], n + quanta[index]));
                self.limited[x * self.height + y] = through * self.air_quanta < LIMIT_SIGMA * (counted + 1.0_f32).sqrt();
            }
        }
        // Half a quantum more makes the logarithm of a count right on average (its bias is half a count's inverse).
        let half = 0.5 / self.air_quanta.max(1.0);
        for index in 0..self.t.len() {
            let (mm, slope) = thickness(&calibration.attenuation, (self.t[index] + half).max(half));
            self.steel_mm[index] = mm;
            self.sigma_mm[index] = slope.abs() * self.sigma_t[index];
        }
    }

    /// Transmission averaged over about a metre (two boxes of 0.7 m): where scattered photons come from.
    fn blurred(&self) -> Vec<f32> {
        let (w, h) = (self.width, self.height);
        let mut field = self.t.clone();
        for _ in 0..2 {
            for x in 0..w {
                box_mean(&mut field[x * h..(x + 1) * h]);
            }
            let mut row = vec![0.0; w];
            for y in 0..h {
                (0..w).for_each(|x| row[x] = field[x * h + y]);
                box_mean(&mut row);
                (0..w).for_each(|x| field[x * h + y] = row[x]);
            }
        }
        field
    }

    /// The scattered share that this car's darkest parts show, at most: what comes through squares of five by five cells, and two sigma, against what is open
    /// within a metre; the fifth lowest of all squares. Bolsters and wheels are opaque to an isotope; with a linac they let half a percent through, and the
    /// veil is overestimated by as much.
    fn veil_of(&self, blur: &[f32]) -> f32 {
        let (w, h) = (self.width, self.height);
        let open = 25.0 * self.air_quanta.max(1.0);
        let mut ratios: Vec<f32> = Vec::new();
        for x in (2..w.saturating_sub(2)).step_by(2) {
            for y in (2..h.saturating_sub(2)).step_by(2) {
                if blur[x * h + y] > 0.05 && self.t[x * h + y] < 0.2 {
                    let square: f32 = (x - 2..x + 3).map(|x| self.t[x * h + y - 2..x * h + y + 3].iter().sum::<f32>()).sum();
                    let quanta = (square / 25.0 * open).max(0.0);
                    ratios.push((quanta + 2.0 * (quanta + 1.0).sqrt()) / open / blur[x * h + y]);
                }
            }
        }
        if ratios.len() < 50 {
            return 0.0;
        }
        let ratio = ratios.select_nth_unstable_by(4, f32::total_cmp).1.clamp(0.0, 0.2);
        ratio / (1.0 - ratio)
    }

    /// Cells without counts take the mean of the cells above and below, with an error as wide as their difference.
    fn fill_in(&mut self) {
        for x in 0..self.width {
            for y in 0..self.height {
                let index = x * self.height + y;
                if !self.t[index].is_nan() {
                    continue;
                }
                let column = x * self.height..(x + 1) * self.height;
                let above = (column.start..index).rev().find(|&i| !self.t[i].is_nan());
                let below = (index + 1..column.end).find(|&i| !self.t[i].is_nan());
                let beside = (x > 0).then(|| index - self.height).filter(|&i| !self.t[i].is_nan());
                let (t, sigma) = match (above, below, beside) {
                    (Some(a), Some(b), _) => ((self.t[a] + self.t[b]) / 2.0, (self.t[a] - self.t[b]).abs() / 2.0 + self.sigma_t[a]),
                    (Some(a), None, None) | (None, Some(a), None) | (_, _, Some(a)) => (self.t[a], self.sigma_t[a] * 2.0),
                    (None, None, None) => (1.0, 1.0),
                };
                (self.t[index], self.sigma_t[index]) = (t, sigma);
            }
        }
    }

    /// The cells of the three by three about a cell that are in the image.
    fn neighbours(&self, x: usize, y: usize) -> impl Iterator<Item = usize> + use<> {
        let height = self.height;
        let rows = y.saturating_sub(1)..(y + 2).min(height);
        (x.saturating_sub(1)..(x + 2).min(self.width)).flat_map(move |x| rows.clone().map(move |y| x * height + y))
    }

    /// Fraction of the picture in which nothing was measured, 0..=1.
    pub fn unmeasured_share(&self) -> f64 {
        self.unmeasured.iter().filter(|&&unmeasured| unmeasured).count() as f64 / self.unmeasured.len().max(1) as f64
    }

    /// Whether nothing can be said of a cell: too little came through, or nothing was measured.
    pub fn is_hidden(&self, index: usize) -> bool {
        self.limited[index] || self.unmeasured[index]
    }

    /// Height above the rail of the middle of a row, mm.
    pub fn height_mm(&self, row: usize) -> f64 {
        self.top_mm - (row as f64 + 0.5) * CELL_MM
    }

    /// The row whose middle is nearest to a height above the rail, within the image.
    pub fn row_at(&self, height_mm: f64) -> usize {
        (((self.top_mm - height_mm) / CELL_MM).max(0.0) as usize).min(self.height - 1)
    }

    /// The height at which an edge of the car's near side really is that is seen at `seen_mm` (heights are those of the centre plane; the side that
    /// is nearer to the source, 1.4 m before it, is magnified).
    pub fn near_height_mm(&self, seen_mm: f64) -> f64 {
        self.source_height_mm + (seen_mm - self.source_height_mm) * self.near
    }

    /// The cell along the car that a column of the scan falls in.
    pub fn cell_of(&self, column: usize) -> usize {
        let k = column.saturating_sub(self.columns.start).min(self.x_mm.len() - 1);
        (f64::from(self.x_mm[k].max(0.0)) / CELL_MM) as usize
    }

    /// The scan's columns that a run of cells covers, absolute and half-open.
    pub fn columns_of(&self, cells: Range<usize>) -> Range<usize> {
        let (from, to) = (cells.start as f32 * CELL_MM as f32, cells.end as f32 * CELL_MM as f32);
        // Distances need not ascend where the train went back: the first and last columns inside are meant.
        let first = self.x_mm.iter().position(|&x| x >= from - 0.5).unwrap_or(0);
        let last = self.x_mm.iter().rposition(|&x| x <= to + 0.5).unwrap_or(self.columns.len());
        let last = last.clamp(first + 1, self.columns.len().max(first + 1));
        self.columns.start + first..(self.columns.start + last).min(self.columns.end)
    }

    /// The detectors that a run of rows covers, half-open.
    pub fn detectors_of(&self, rows: Range<usize>) -> Range<usize> {
        let detector = |row: usize| ((row as f64 * CELL_MM / self.pitch_mm).round() as usize).min(self.detectors);
        detector(rows.start)..detector(rows.end).max(detector(rows.start) + 1)
    }
}

/// How much of each row of cells live detectors cover, and all of them, mm.
fn rows_covered(calibration: &Calibration, pitch_mm: f64, height: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut live, mut all) = (vec![0.0; height], vec![0.0; height]);
    for (i, &dead) in calibration.dead.iter().enumerate() {
        if let Some(row) = share(i as f64 * pitch_mm, (i + 1) as f64 * pitch_mm, height) {
            for (cell, part) in [(row.cell, row.first), (row.cell + 1, row.second)] {
                if part > 0.0 {
                    all[cell] += f64::from(part) * pitch_mm;
                    live[cell] += if dead { 0.0 } else { f64::from(part) * pitch_mm };
                }
            }
        }
    }
    (live, all)
}

/// Running mean over 23 cells (0.7 m), shorter at the ends.
fn box_mean(values: &mut [f32]) {
    const REACH: usize = 11;
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(values.iter().scan(0.0, |sum, &value| {
            *sum += f64::from(value);
            Some(*sum)
        }))
        .collect();
    let n = values.len();
    for (i, value) in values.iter_mut().enumerate() {
        let (from, to) = (i.saturating_sub(REACH), (i + REACH + 1).min(n));
        *value = ((sums[to] - sums[from]) / (to - from) as f64) as f32;
    }
}

/// Thickness and slope as the image stores them.
fn thickness(attenuation: &Attenuation, t: f32) -> (f32, f32) {
    let (mm, slope) = attenuation.thickness_mm(f64::from(t));
    (mm as f32, slope as f32)
}
