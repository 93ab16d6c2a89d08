//! From stored values to transmission: dark field, air level, gain, drift, dead channels.
//!
//! Goal: T = (stored − dark) / (air · g) with an error that is right, for any source and any state of the array, from the scan alone.
//! - *air* per detector: the mean over the columns before the first car, and then every gap between cars, the older forgotten ([`MEMORY_COLUMNS`]).
//! - *gain* (stored units per quantum): variance over mean of the air columns, after each column was divided by its own level so that dose
//!   jitter of a linac does not pass for quantum noise. Quanta are `(stored − dark) / gain`; every σ here rests on them.
//! - *drift* g(column): the air of all detectors in each gap against the beginning, linear in between; times the reference detector where the
//!   air columns show that it explains their jitter.
//! - *dead and noisy*: air outside 0.3-3 times the median, or variance over mean outside 0.5-2 times it (`shared/rail.md` 5.4 (2)). They are masked, and
//!   reported; nothing is filled in silently.
//!
//! Assumptions: the first detectors are not all dead; somewhere in the scan nothing is in the beam. Where the scan does not begin in air, air
//! columns are looked for by the level that each band of detectors has when it is brightest.
//!
//! Caveat: crosstalk between neighbours makes air columns look quieter than their quanta are (4 % crosstalk: 8 % of the variance), and the gain with it.

use std::ops::Range;

use super::attenuation::Attenuation;
use super::scan::{FLAG_REPAIRED, FLAG_SHUT, Scan};
use crate::error::{Error, Fault, Result};

/// Columns of air that a detector's level remembers: at 161 quanta they make its error 0.2 %, and 1,500 columns are the gaps of some 20 cars, over
/// which temperature drifts by less than that (`shared/rail.md` 2.4).
const MEMORY_COLUMNS: f64 = 1500.0;

/// The most columns at the beginning that are taken for air: 8 m, longer waits add nothing.
const MOST_LEADING: usize = 1024;

/// Columns that are judged together when air is looked for.
const BLOCK: usize = 16;

/// Rows of detectors that are judged together when air is looked for: 24 of 368 are 0.38 m.
const BANDS: usize = 16;

/// What turns a scan's stored values into transmission.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// Stored value without beam, per detector.
    pub dark: Vec<f32>,
    /// Stored value in open beam minus dark, per detector, at drift 1.
    pub air: Vec<f32>,
    /// Stored units per quantum.
    pub gain: f32,
    /// Detectors that are not used.
    pub dead: Vec<bool>,
    /// Whether the reference detector is divided out column by column.
    pub use_reference: bool,
    /// How steel attenuates the source.
    pub attenuation: Attenuation,
    /// Scattered shares that the cars so far have shown ([`super::car::CarImage::veil`]); the least is subtracted.
    pub veils: Vec<f32>,
    /// Columns of air that stand behind `air`.
    weight: f64,
    /// (column, level of air against the beginning), ascending.
    knots: Vec<(usize, f32)>,
}

impl Calibration {
    /// Calibrates from the air before the first car, or from what air there is.
    ///
    /// # Errors
    /// `Damaged` where no air can be found, or all detectors are dead.
    pub fn begin(scan: &Scan) -> Result<Calibration> {
        let dark = dark(scan)?;
        let mut columns = leading_air(scan, &dark)?;
        if columns.len() < 3 * BLOCK {
            columns = scattered_air(scan, &dark)?;
        }
        let stated_air = !scan.fields.air.is_empty();
        if columns.len() < 3 * BLOCK && !stated_air {
            return Err(Error::new(Fault::Damaged, "no columns with nothing in the beam: the air level cannot be known").in_(&scan.name));
        }
        let attenuation = Attenuation::of(&scan.description.source);
        let detectors = scan.detectors();
        let dead = vec![false; detectors];
        let mut calibration = Calibration {
            dark,
            air: vec![0.0; detectors],
            gain: 1.0,
            dead,
            use_reference: false,
            attenuation,
            veils: Vec::new(),
            weight: 0.0,
            knots: Vec::new(),
        };
        if stated_air {
            calibration.air = scan.fields.air.iter().zip(&calibration.dark).map(|(air, dark)| air - dark).collect();
            calibration.weight = 150.0;
        }
        calibration.measure(scan, &columns)?;
        if !calibration.dead.contains(&false) {
            return Err(Error::new(Fault::Damaged, "all detectors are dead").in_(&scan.name));
        }
        Ok(calibration)
    }

    /// Air levels, gain and dead channels from columns that hold nothing but air.
    fn measure(&mut self, scan: &Scan, columns: &[usize]) -> Result<()> {
        let detectors = scan.detectors();
        let moments = |use_reference: bool, dark: &[f32]| -> Result<Moments> {
            let mut moments = Moments::new(detectors);
            for &column in columns {
                let counts = scan.counts(column..column + 1)?;
                let reference = if use_reference { reference(scan, column) } else { 1.0 };
                moments.add(&counts, dark, reference);
            }
            Ok(moments)
        };
        if columns.len() >= 3 * BLOCK {
            let mut plain = moments(false, &self.dark)?;
            let referred = moments(true, &self.dark)?;
            // The reference detector earns its place when it removes a tenth of the columns' jitter.
            if referred.level_variance() < 0.9 * plain.level_variance() {
                self.use_reference = true;
                plain = referred;
            }
            self.air = plain.mean.iter().map(|&mean| mean as f32).collect();
            self.weight = columns.len() as f64;
            let ratios: Vec<f32> = plain.variance_over_mean();
            let median_air = median(&self.air);
            let mut live: Vec<f32> = (0..detectors).filter(|&i| self.air[i] > 0.3 * median_air).map(|i| ratios[i]).collect();
            let gain = median_of(&mut live);
            self.gain = if gain.is_finite() && gain > 1e-3 { gain } else { 1.0 };
            for (dead, &ratio) in self.dead.iter_mut().zip(&ratios) {
                *dead = gain > 1e-3 && !(0.5..=2.0).contains(&(ratio / gain));
            }
            self.knots.push((columns[columns.len() / 2], 1.0));
        }
        let around = local_medians(&self.air);
        for (i, dead) in self.dead.iter_mut().enumerate() {
            *dead |= scan.fields.dead.get(i).copied().unwrap_or(false) || !(0.3..=3.0).contains(&(self.air[i] / around[i]));
        }
        Ok(())
    }

    /// Level of air in `column` against the beginning of the scan, including the reference detector where it is used.
    pub fn level(&self, scan: &Scan, column: usize) -> f32 {
        let reference = if self.use_reference { reference(scan, column) } else { 1.0 };
        self.drift(column) * reference
    }

    /// Slow drift of the air level in `column`.
    pub fn drift(&self, column: usize) -> f32 {
        let after = self.knots.partition_point(|&(at, _)| at <= column);
        match (after.checked_sub(1).map(|before| self.knots[before]), self.knots.get(after)) {
            (Some((a, level_a)), Some(&(b, level_b))) => level_a + (level_b - level_a) * (column - a) as f32 / (b - a) as f32,
            (Some((_, level)), None) | (None, Some(&(_, level))) => level,
            (None, None) => 1.0,
        }
    }

    /// Whether anything shines in a column: one of [`BANDS`] runs of detectors sees 2 % of open beam or more. Over the highest car there is air, which is looked at first.
    pub fn has_beam(&self, values: &[u16], level: f32) -> bool {
        let size = values.len().div_ceil(BANDS).max(1);
        (0..values.len()).step_by(size).any(|start| {
            let live = (start..(start + size).min(values.len())).filter(|&i| !self.dead[i]);
            let (net, open) = live.fold((0.0, 0.0), |(net, open), i| (net + f32::from(values[i]) - self.dark[i], open + self.air[i]));
            open > 0.0 && net > 0.02 * open * level
        })
    }

    /// Takes a gap between cars into the calibration: drift from the detectors where `clear` holds, and their own levels with forgetting.
    ///
    /// # Errors
    /// Where the columns cannot be read.
    pub fn absorb(&mut self, scan: &Scan, gap: Range<usize>, clear: &[bool]) -> Result<()> {
        let mut moments = Moments::new(scan.detectors());
        for column in gap.clone() {
            if scan.column(column).flags & (FLAG_SHUT | FLAG_REPAIRED) == 0 {
                let reference = if self.use_reference { reference(scan, column) } else { 1.0 };
                moments.add(&scan.counts(column..column + 1)?, &self.dark, reference);
            }
        }
        if moments.columns < 8.0 {
            return Ok(());
        }
        let used = |i: usize| clear[i] && !self.dead[i];
        let (now, before) =
            (0..self.air.len()).filter(|&i| used(i)).fold((0.0, 0.0), |(now, before), i| (now + moments.mean[i], before + f64::from(self.air[i])));
        if before <= 0.0 {
            return Ok(());
        }
        let level = now / before;
        // Half or twice the air is no drift but something in the beam, or a source that was shut.
        if !(0.5..=2.0).contains(&level) {
            return Ok(());
        }
        let centre = (gap.start + gap.end) / 2;
        if self.knots.last().is_none_or(|&(at, _)| at < centre) {
            self.knots.push((centre, level as f32));
        }
        let share = moments.columns / (self.weight + moments.columns);
        for i in (0..self.air.len()).filter(|&i| clear[i]) {
            let fresh = moments.mean[i] / level;
            if !self.dead[i] && !(0.3..=3.0).contains(&(fresh / f64::from(self.air[i]))) {
                self.dead[i] = true;
            }
            self.air[i] += ((fresh - f64::from(self.air[i])) * share) as f32;
        }
        self.weight = (self.weight + moments.columns).min(MEMORY_COLUMNS);
        Ok(())
    }

    /// Detectors that were in order at the beginning and are not in the scan's last columns, where these show open beam: what they read is off by a third or more, or
    /// does not vary as quanta do. None where the scan does not end in air.
    pub fn failed(&self, scan: &Scan) -> Vec<usize> {
        // 64 columns: 0.6 s of air behind the train.
        const LAST: usize = 64;
        let columns = scan.columns();
        let mut moments = Moments::new(scan.detectors());
        for column in columns.saturating_sub(LAST)..columns {
            if scan.column(column).flags & (FLAG_SHUT | FLAG_REPAIRED) == 0
                && let Ok(counts) = scan.counts(column..column + 1)
            {
                moments.add(&counts, &self.dark, self.level(scan, column));
            }
        }
        if moments.columns < LAST as f64 / 2.0 {
            return Vec::new();
        }
        let live: Vec<usize> = (0..self.air.len()).filter(|&i| !self.dead[i]).collect();
        let off = |i: usize, by: f64| !((1.0 - by)..=(1.0 + by)).contains(&(moments.mean[i] / f64::from(self.air[i])));
        // Where a fifth of the array sees something else, there is something in the beam, or no beam.
        if 5 * live.iter().filter(|&&i| off(i, 0.1)).count() > live.len() {
            return Vec::new();
        }
        let ratios = moments.variance_over_mean();
        live.into_iter().filter(|&i| off(i, 0.33) || ratios[i] < 0.1 * self.gain).collect()
    }

    /// Stored value in open beam, dark included: median over the detectors.
    pub fn air_stored(&self) -> f32 {
        let mut live: Vec<f32> = (0..self.air.len()).filter(|&i| !self.dead[i]).map(|i| self.air[i] + self.dark[i]).collect();
        median_of(&mut live)
    }

    /// Quanta per pixel in open beam, median over the detectors.
    pub fn air_quanta(&self) -> f32 {
        let mut live: Vec<f32> = (0..self.air.len()).filter(|&i| !self.dead[i]).map(|i| self.air[i]).collect();
        median_of(&mut live) / self.gain
    }

    /// Indices of the detectors that are not used.
    pub fn dead_detectors(&self) -> Vec<usize> {
        (0..self.dead.len()).filter(|&i| self.dead[i]).collect()
    }
}

/// The reference detector's reading, 1 where it says nothing sensible.
fn reference(scan: &Scan, column: usize) -> f32 {
    let dose = scan.column(column).ref_dose;
    if (0.05..=20.0).contains(&dose) { dose as f32 } else { 1.0 }
}

/// The dark field: as stated, or from the columns at the beginning that were taken with the source shut, or zero.
fn dark(scan: &Scan) -> Result<Vec<f32>> {
    if !scan.fields.dark.is_empty() {
        return Ok(scan.fields.dark.clone());
    }
    let mut moments = Moments::new(scan.detectors());
    for column in (0..scan.columns().min(MOST_LEADING)).filter(|&column| scan.column(column).flags & FLAG_SHUT != 0) {
        moments.add(&scan.counts(column..column + 1)?, &[], 1.0);
    }
    Ok(moments.mean.iter().map(|&mean| if moments.columns >= 8.0 { mean as f32 } else { 0.0 }).collect())
}

/// Mean level of each band of detectors over a block of columns.
fn band_levels(scan: &Scan, dark: &[f32], columns: Range<usize>) -> Result<[f64; BANDS]> {
    let detectors = scan.detectors();
    let counts = scan.counts(columns.clone())?;
    let mut levels = [0.0; BANDS];
    for column in counts.chunks_exact(detectors) {
        for (band, level) in levels.iter_mut().enumerate() {
            let rows = band * detectors / BANDS..(band + 1) * detectors / BANDS;
            let stored: u64 = column[rows.clone()].iter().map(|&value| u64::from(value)).sum();
            *level += (stored as f64 - dark[rows.clone()].iter().map(|&dark| f64::from(dark)).sum::<f64>()) / rows.len().max(1) as f64;
        }
    }
    levels.iter_mut().for_each(|level| *level /= columns.len() as f64);
    Ok(levels)
}

/// True where no band is more than 4 % below `open`: the noise of a band and block is 0.6 % at 61 quanta, a coupler takes 30 %.
fn is_open(levels: &[f64; BANDS], open: &[f64; BANDS]) -> bool {
    levels.iter().zip(open).all(|(level, open)| *level > 0.96 * open && *level < 1.25 * open)
}

/// Columns at the beginning with nothing in the beam; none where the scan seems to begin inside a car.
fn leading_air(scan: &Scan, dark: &[f32]) -> Result<Vec<usize>> {
    let columns = scan.columns().min(MOST_LEADING);
    let mut found: Vec<usize> = Vec::new();
    let mut open: Option<[f64; BANDS]> = None;
    for start in (0..columns.saturating_sub(BLOCK - 1)).step_by(BLOCK) {
        let block = start..start + BLOCK;
        if block.clone().any(|column| scan.column(column).flags & FLAG_SHUT != 0) {
            continue;
        }
        let levels = band_levels(scan, dark, block.clone())?;
        match &open {
            None => open = Some(levels),
            Some(open) if is_open(&levels, open) => {}
            Some(_) => {
                // The block before may hold the tip of a coupler.
                found.truncate(found.len() - BLOCK.min(found.len()));
                break;
            }
        }
        found.extend(block);
    }
    // Open beam is smooth along the array (distance and angle only): neighbouring bands differ by less than a third.
    let smooth = open.is_some_and(|open| open.windows(2).all(|pair| pair[0] > 0.0 && (0.66..1.5).contains(&(pair[1] / pair[0]))));
    Ok(if smooth { found } else { Vec::new() })
}

/// Columns anywhere in the scan in which every band is as bright as it ever is.
fn scattered_air(scan: &Scan, dark: &[f32]) -> Result<Vec<usize>> {
    let blocks = scan.columns() / BLOCK;
    // 8,000 blocks are sampled at most, so that the longest scan costs no more than a 100-car train.
    let step = blocks.div_ceil(8000).max(1);
    let mut sampled = Vec::new();
    for block in (0..blocks).step_by(step) {
        let columns = block * BLOCK..(block + 1) * BLOCK;
        sampled.push((columns.start, band_levels(scan, dark, columns)?));
    }
    let mut open = [0.0; BANDS];
    for (band, open) in open.iter_mut().enumerate() {
        let mut levels: Vec<f64> = sampled.iter().map(|(_, levels)| levels[band]).collect();
        levels.sort_by(f64::total_cmp);
        // The brightest hundredth, not the maximum: noise.
        *open = levels.get(levels.len().saturating_sub(1 + levels.len() / 100)).copied().unwrap_or(0.0);
    }
    Ok(sampled
        .iter()
        .filter(|(_, levels)| open.iter().all(|&open| open > 0.0) && is_open(levels, &open))
        .take(MOST_LEADING / BLOCK)
        .flat_map(|&(start, _)| start..start + BLOCK)
        .collect())
}

/// Mean and variance per detector over columns, each column divided by its own level for the variance.
struct Moments {
    columns: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
    level_mean: f64,
    level_squares: f64,
}

impl Moments {
    fn new(detectors: usize) -> Moments {
        Moments { columns: 0.0, mean: vec![0.0; detectors], squares: vec![0.0; detectors], level_mean: 0.0, level_squares: 0.0 }
    }

    /// Adds a column (Welford); an empty dark field counts as zero.
    fn add(&mut self, counts: &[u16], dark: &[f32], reference: f32) {
        self.columns += 1.0;
        let net = |i: usize| (f64::from(counts[i]) - dark.get(i).map_or(0.0, |&dark| f64::from(dark))) / f64::from(reference);
        let level = (0..counts.len()).map(net).sum::<f64>() / counts.len() as f64;
        let before = self.level_mean;
        self.level_mean += (level - before) / self.columns;
        self.level_squares += (level - before) * (level - self.level_mean);
        // The level of this column against all so far: dose jitter is divided out of the variance, and does not touch the mean.
        let jitter = if self.level_mean > 0.0 && self.columns > 4.0 { level / self.level_mean } else { 1.0 };
        for i in 0..counts.len() {
            let value = net(i);
            self.mean[i] += (value - self.mean[i]) / self.columns;
            let settled = value / jitter - self.mean[i];
            if self.columns > 4.0 {
                self.squares[i] += settled * settled;
            }
        }
    }

    fn level_variance(&self) -> f64 {
        self.level_squares / (self.columns - 1.0).max(1.0)
    }

    fn variance_over_mean(&self) -> Vec<f32> {
        // Squares are counted from the fifth column on, about a mean that has itself an error of 1/n: Σ (1 + 1/n) − 2/n ≈ n − 4 − ln(n/4).
        let freedom = (self.columns - 4.0 - (self.columns / 4.0).max(1.0).ln()).max(1.0);
        self.mean.iter().zip(&self.squares).map(|(mean, squares)| if *mean > 0.0 { (squares / freedom / mean) as f32 } else { 0.0 }).collect()
    }
}

/// For each value the median of the 31 around it: the array's own level there, whatever a few channels do.
fn local_medians(values: &[f32]) -> Vec<f32> {
    (0..values.len())
        .map(|i| {
            let mut near = values[i.saturating_sub(15)..(i + 16).min(values.len())].to_vec();
            median_of(&mut near)
        })
        .collect()
}

fn median(values: &[f32]) -> f32 {
    median_of(&mut values.to_vec())
}

/// The median, reordering the values; NaN for none.
pub(crate) fn median_of(values: &mut [f32]) -> f32 {
    if values.is_empty() {
        return f32::NAN;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}
