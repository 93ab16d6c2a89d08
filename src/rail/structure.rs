//! Rules of building: an end wall where the end is, a floor and a roof as thick as such cars have.
//!
//! *End walls*: what columns have from floor to roof ([`Residual::column_mm`]), within 1.3 m of an end, against the middle of the same car and against its other end. A false
//! wall with goods behind it, 0.15 to 0.9 m deep, is a plateau there that the other end does not have. Posts are narrower than the narrowest window;
//! doors are in the middle.
//!
//! Score: the window's mean excess over what both comparisons explain, over its error (counting, and how much columns of this car differ anyway).

use std::ops::Range;

use super::car::{CELL_MM, CarImage};
use super::finding::Suspect;
use super::residual::Residual;
use super::shape::Shape;

/// Widths of a hidden space behind an end wall, mm (`shared/rail.md` 4.1: 0.15-0.9 m).
const DEPTHS_MM: [f64; 4] = [160.0, 320.0, 640.0, 900.0];
/// How far from the end such a space can reach, mm.
const REACH_MM: f64 = 1300.0;

/// Hidden spaces at the ends, the more certain first.
pub fn suspects(image: &CarImage, shape: &Shape, residual: &Residual) -> Vec<Suspect> {
    let body = shape.body.clone();
    let reach = (REACH_MM / CELL_MM) as usize;
    if body.len() < 4 * reach {
        return Vec::new();
    }
    let middle = body.start + 2 * reach..body.end - 2 * reach;
    let mut values: Vec<f32> = residual.column_mm[middle.clone()].to_vec();
    let usual = super::residual::quantile(&mut values, 0.5);
    let mut off: Vec<f32> = residual.column_mm[middle].iter().map(|value| (value - usual).abs()).collect();
    // 1.48 times the median absolute deviation is a standard deviation; never below 0.2 mm, a sheet's tolerance.
    let scatter = f64::from(1.48 * super::residual::quantile(&mut off, 0.5)).max(0.2);
    let mean = |range: Range<usize>| range.clone().map(|x| f64::from(residual.column_mm[x])).sum::<f64>() / range.len().max(1) as f64;
    let mut suspects: Vec<Suspect> = Vec::new();
    for end in [0, 1] {
        let mut best: Option<(f64, Range<usize>, f64)> = None;
        for depth_mm in DEPTHS_MM {
            let depth = (depth_mm / CELL_MM) as usize;
            // The end wall and its posts: 0.15 m.
            for offset in 5..reach.saturating_sub(depth) {
                let near = body.start + offset..body.start + offset + depth;
                let far = body.end - offset - depth..body.end - offset;
                let (here, there) = if end == 0 { (near, far) } else { (far, near) };
                let level = mean(here.clone());
                let excess = (level - f64::from(usual)).min(level - mean(there));
                let score = excess / (scatter / (depth as f64 / 4.0).max(1.0).sqrt());
                if best.as_ref().is_none_or(|(best, _, _)| score > *best) {
                    best = Some((score, here, excess));
                }
            }
        }
        if let Some((score, x, excess)) = best.filter(|(score, _, _)| *score > 1.0) {
            suspects.push(suspect(image, shape, score, x, excess));
        }
    }
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score));
    suspects
}

fn suspect(image: &CarImage, shape: &Shape, score: f64, x: Range<usize>, excess_mm: f64) -> Suspect {
    let h = image.height;
    let rows: Vec<usize> = (0..h).filter(|&y| shape.cargo[(x.start + x.len() / 2) * h + y]).collect();
    let y = rows.first().copied().unwrap_or(0)..rows.last().map_or(1, |&row| row + 1);
    let cells: Vec<usize> = x.clone().flat_map(|x| y.clone().map(move |y| x * h + y)).collect();
    Suspect {
        detector: "structure",
        kind: "structure",
        score,
        excess_mm: excess_mm * cells.len() as f64,
        sigma_mm: cells.iter().map(|&index| f64::from(image.sigma_mm[index]).powi(2)).sum::<f64>().sqrt(),
        cells: cells.len(),
        thickness_mm: cells.iter().map(|&index| f64::from(image.steel_mm[index])).sum::<f64>() / cells.len().max(1) as f64,
        x,
        y,
    }
}
