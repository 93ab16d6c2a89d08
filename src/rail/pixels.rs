//! Thickness at the portal's own resolution, for whoever wants the numbers behind the picture.
//!
//! A pixel in which 25 quanta or more are expected is taken as it is (σ of thickness = 1/(μ √n)); with fewer, counts and air are added up over squares of 3, 5 and 9
//! pixels until there are 25, because the logarithm of a handful of quanta is wrong on average and not only noisy. What is expected, the square of 5 pixels
//! says: choosing by a pixel's own count would keep the high ones and spread the low ones (30 mm of steel came out 1 mm too thin).
//!
//! The veil of scattered photons is subtracted as in [`super::car`]: the share that the cars seen so far have shown, of what is open within half a metre.

use std::ops::Range;

use super::calibrate::Calibration;
use super::scan::Scan;
use crate::error::Result;

/// Quanta that make a logarithm sound: its bias is 1/(2n), 2 % of one mean free path.
const ENOUGH: f32 = 25.0;
/// Half-widths of the squares.
const REACHES: [usize; 4] = [0, 1, 2, 4];
/// Half-width of the square that the veil comes from, mm: as wide (in its standard deviation) as the two boxes of `car`'s.
const VEIL_MM: f64 = 500.0;

/// Steel-equivalent mm and its standard error of a run of columns, `[column, detector]` each; NaN for dead detectors without live ones near.
///
/// # Errors
/// Where columns cannot be read.
pub fn thickness(scan: &Scan, calibration: &Calibration, columns: Range<usize>) -> Result<(Vec<f32>, Vec<f32>)> {
    let detectors = scan.detectors();
    let most = REACHES[REACHES.len() - 1];
    let (along, up) = ((VEIL_MM / scan.description.column_mm) as usize, (VEIL_MM / scan.description.pitch_mm) as usize);
    let veil = f64::from(calibration.veils.iter().copied().reduce(f32::min).unwrap_or(0.0));
    let reach = most.max(along);
    let wide = columns.start.saturating_sub(reach)..(columns.end + reach).min(scan.columns());
    let counts = scan.counts(wide.clone())?;
    // Running sums of quanta, and of quanta in open beam.
    let stride = detectors + 1;
    let mut sums = vec![[0.0_f64; 2]; (wide.len() + 1) * stride];
    for (k, column) in counts.chunks_exact(detectors).enumerate() {
        let level = calibration.level(scan, wide.start + k);
        let mut line = [0.0_f64; 2];
        for i in 0..detectors {
            if !calibration.dead[i] {
                line[0] += f64::from((f32::from(column[i]) - calibration.dark[i]) / calibration.gain);
                line[1] += f64::from(calibration.air[i] * level / calibration.gain);
            }
            let before = sums[k * stride + i + 1];
            sums[(k + 1) * stride + i + 1] = [before[0] + line[0], before[1] + line[1]];
        }
    }
    let sum = |x: Range<usize>, y: Range<usize>| {
        let at = |x: usize, y: usize| sums[x * stride + y];
        let (a, b, c, d) = (at(x.end, y.end), at(x.start, y.end), at(x.end, y.start), at(x.start, y.start));
        [a[0] - b[0] - c[0] + d[0], a[1] - b[1] - c[1] + d[1]]
    };
    let mut mm = vec![f32::NAN; columns.len() * detectors];
    let mut sigma = mm.clone();
    for column in columns.clone() {
        let k = column - wide.start;
        for i in 0..detectors {
            let index = (column - columns.start) * detectors + i;
            let [near, near_open] = sum(k.saturating_sub(2)..(k + 3).min(wide.len()), i.saturating_sub(2)..(i + 3).min(detectors));
            let expected = near / near_open.max(f64::MIN_POSITIVE);
            for reach in REACHES {
                let x = k.saturating_sub(reach)..(k + reach + 1).min(wide.len());
                let y = i.saturating_sub(reach)..(i + reach + 1).min(detectors);
                let [quanta, open] = sum(x, y);
                if open <= 0.0 || (expected * open < f64::from(ENOUGH) && reach != most) {
                    continue;
                }
                let [around, around_open] = sum(k.saturating_sub(along)..(k + along + 1).min(wide.len()), i.saturating_sub(up)..(i + up + 1).min(detectors));
                let scattered = veil * around.max(0.0) / around_open.max(f64::MIN_POSITIVE);
                let t = ((1.0 + veil) * (quanta.max(0.0) + 0.5) / open - scattered).max(0.5 / open);
                let (thickness, slope) = calibration.attenuation.thickness_mm(t);
                mm[index] = thickness as f32;
                sigma[index] = ((1.0 + veil) * slope.abs() * (quanta.max(0.0) + 1.0).sqrt() / open) as f32;
                break;
            }
        }
    }
    Ok((mm, sigma))
}
