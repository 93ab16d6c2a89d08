//! Where a map of differences holds more than its noise: boxes of many sizes, inverse-variance weighted, the best that do not overlap.
//!
//! A map is "thickness more than expected" per cell, with a standard error per cell. For a box the score is the weighted sum over its error, the ideal
//! observer's d' for a uniform change of that size; sizes go from 0.1 m to 2.5 m. Where two explanations of the same cells exist (two expectations), a box
//! counts what both leave unexplained: the smaller of its scores.
//!
//! Integral images make each box four additions; a car of 550 x 184 cells takes some 10 ms for all sizes.

use std::ops::Range;

use super::car::CarImage;
use super::finding::Suspect;

/// Sizes of boxes in cells (along, up): from what is 0.1 m to a person standing or lying, a pallet, a wall.
const SIZES: [(usize, usize); 11] = [(3, 3), (5, 5), (8, 8), (12, 12), (20, 20), (6, 20), (12, 45), (20, 6), (45, 10), (30, 40), (4, 12)];

/// A map of differences over the cells of a car, `[column, row]`.
pub struct Differences<'a> {
    /// Thickness more than expected, mm, by one or two expectations.
    pub mm: Vec<&'a [f32]>,
    /// Standard error per cell of each, mm.
    pub sigma_mm: Vec<&'a [f32]>,
    /// Cells that count.
    pub mask: &'a [bool],
}

/// Running sums over rectangles.
struct Integral {
    sums: Vec<f64>,
    height: usize,
}

impl Integral {
    fn new(width: usize, height: usize, value: impl Fn(usize) -> f64) -> Integral {
        let stride = height + 1;
        let mut sums = vec![0.0; (width + 1) * stride];
        for x in 0..width {
            let mut column = 0.0;
            for y in 0..height {
                column += value(x * height + y);
                sums[(x + 1) * stride + y + 1] = sums[x * stride + y + 1] + column;
            }
        }
        Integral { sums, height }
    }

    fn sum(&self, x: Range<usize>, y: Range<usize>) -> f64 {
        let at = |x: usize, y: usize| self.sums[x * (self.height + 1) + y];
        at(x.end, y.end) - at(x.start, y.end) - at(x.end, y.start) + at(x.start, y.start)
    }
}

/// The best boxes in the map, highest score first, none overlapping, at most `most`, none below `least`. `sign` is 1 for more, -1 for less than expected.
pub fn find(image: &CarImage, map: &Differences<'_>, sign: f32, least: f64, most: usize, detector: &'static str, kind: &'static str) -> Vec<Suspect> {
    let (w, h) = (image.width, image.height);
    let weight = |layer: usize, index: usize| if map.mask[index] { 1.0 / f64::from(map.sigma_mm[layer][index]).powi(2) } else { 0.0 };
    let layers: Vec<(Integral, Integral)> = (0..map.mm.len())
        .map(|layer| {
            let value = |index: usize| f64::from(sign * map.mm[layer][index]) * weight(layer, index);
            (Integral::new(w, h, value), Integral::new(w, h, |index| weight(layer, index)))
        })
        .collect();
    let covered = Integral::new(w, h, |index| f64::from(u8::from(map.mask[index])));
    let score = |x: Range<usize>, y: Range<usize>| {
        let scores = layers.iter().map(|(values, weights)| values.sum(x.clone(), y.clone()) / weights.sum(x.clone(), y.clone()).max(1e-12).sqrt());
        scores.fold(f64::MAX, f64::min)
    };
    let mut candidates: Vec<(f64, Range<usize>, Range<usize>)> = Vec::new();
    for (along, up) in SIZES {
        if along > w || up > h {
            continue;
        }
        // A quarter of the box per step loses little of a box that lies in between.
        let (step_x, step_y) = ((along / 4).max(1), (up / 4).max(1));
        for left in (0..=w - along).step_by(step_x) {
            for upper in (0..=h - up).step_by(step_y) {
                let (x, y) = (left..left + along, upper..upper + up);
                if covered.sum(x.clone(), y.clone()) < 0.6 * (along * up) as f64 {
                    continue;
                }
                let score = score(x.clone(), y.clone());
                if score >= least {
                    candidates.push((score, x, y));
                }
            }
        }
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut found: Vec<Suspect> = Vec::new();
    for (score, x, y) in candidates {
        let suspect = Suspect { detector, kind, x, y, score, excess_mm: 0.0, sigma_mm: 0.0, cells: 0, thickness_mm: 0.0 };
        if !found.iter().any(|other| other.overlaps(&suspect)) {
            found.push(suspect);
            if found.len() == most {
                break;
            }
        }
    }
    found.iter_mut().for_each(|suspect| measure(image, map, sign, suspect));
    found
}

/// Tightens a box to the cells that stick out, and sums them up.
fn measure(image: &CarImage, map: &Differences<'_>, sign: f32, suspect: &mut Suspect) {
    let h = image.height;
    let cells: Vec<usize> = suspect.x.clone().flat_map(|x| suspect.y.clone().map(move |y| x * h + y)).filter(|&index| map.mask[index]).collect();
    // What the expectations leave unexplained: the smaller, cell by cell.
    let excess = |index: usize| map.mm.iter().map(|layer| sign * layer[index]).fold(f32::MAX, f32::min);
    let mean = cells.iter().map(|&index| f64::from(excess(index))).sum::<f64>() / cells.len().max(1) as f64;
    let mut inside: Vec<usize> = cells.iter().copied().filter(|&index| f64::from(excess(index)) > 0.5 * mean).collect();
    if inside.is_empty() {
        inside = cells;
    }
    let (xs, ys): (Vec<usize>, Vec<usize>) = inside.iter().map(|&index| (index / h, index % h)).unzip();
    let tight = |values: &mut Vec<usize>| {
        values.sort_unstable();
        // A twentieth off each side: single noisy cells do not widen the box.
        let cut = values.len() / 20;
        values[cut]..values[values.len() - 1 - cut] + 1
    };
    if !inside.is_empty() {
        let (mut xs, mut ys) = (xs, ys);
        suspect.x = tight(&mut xs);
        suspect.y = tight(&mut ys);
    }
    suspect.cells = inside.len();
    suspect.excess_mm = f64::from(sign) * inside.iter().map(|&index| f64::from(excess(index))).sum::<f64>();
    suspect.sigma_mm = inside.iter().map(|&index| f64::from(map.sigma_mm[0][index]).powi(2)).sum::<f64>().sqrt();
    suspect.thickness_mm = inside.iter().map(|&index| f64::from(image.steel_mm[index])).sum::<f64>() / inside.len().max(1) as f64;
}
