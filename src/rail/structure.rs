//! Rules of building: an end wall where the end is, a floor and a roof as thick as such cars have.
//!
//! *End walls*: what columns have from floor to roof ([`Residual::column_mm`]), within 1.3 m of an end, against the middle of the same car and against its other end. A false
//! wall with goods behind it, 0.15 to 0.9 m deep, is a plateau there that the other end does not have. Posts are narrower than the narrowest window;
//! doors are in the middle.
//!
//! *Floor and roof*: a layer of goods under a false floor or above a false ceiling is some metres long and thicker than the wall beside it and than the same rows of the
//! rest of the car. Where it runs from end to end this rule is silent: how thick a roof line is by itself differs between builders, and limits in millimetres
//! called every clean boxcar of another simulator tampered with.
//!
//! Score of an end: the window's mean excess over what both comparisons explain, over its error (counting, and how much columns of this car differ anyway).

use std::ops::Range;

use super::car::{CELL_MM, CarImage};
use super::finding::Suspect;
use super::residual::Residual;
use super::shape::{Kind, Shape};

/// Widths of a hidden space behind an end wall, mm (`shared/rail.md` 4.1: 0.15-0.9 m).
const DEPTHS_MM: [f64; 4] = [160.0, 320.0, 640.0, 900.0];
/// How far from the end such a space can reach, mm.
const REACH_MM: f64 = 1300.0;
/// Least length of a false floor or ceiling that is looked for, mm.
const LAYER_MM: f64 = 2500.0;

/// Hidden spaces at the ends, the more certain first.
pub fn walls(image: &CarImage, shape: &Shape, residual: &Residual) -> Vec<Suspect> {
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
    // From each end inwards; the end wall is where the column first has 4 mm and more (3 mm of sheet and its posts), and ladders stand before it.
    let inwards = |end: usize| -> Vec<f32> {
        let cells = (0..2 * reach).map(|step| if end == 0 { body.start + step } else { body.end - 1 - step });
        cells.map(|x| residual.column_mm[x] - usual).collect()
    };
    let wall = |line: &[f32]| line[..reach / 2].iter().position(|&mm| mm > 4.0).unwrap_or(0);
    let lines = [inwards(0), inwards(1)];
    let walls = [wall(&lines[0]), wall(&lines[1])];
    let mean = |end: usize, range: Range<usize>| {
        let line = &lines[end][walls[end] + range.start..(walls[end] + range.end).min(2 * reach)];
        f64::from(line.iter().sum::<f32>()) / line.len().max(1) as f64
    };
    let mut suspects: Vec<Suspect> = Vec::new();
    for end in [0, 1] {
        let mut best: Option<(f64, Range<usize>, f64)> = None;
        for depth_mm in DEPTHS_MM {
            let depth = (depth_mm / CELL_MM) as usize;
            // The wall's own posts: 0.16 m.
            for offset in 5..reach.saturating_sub(depth) {
                let here = offset..offset + depth;
                // The other end may be off by a cell or two.
                let there = [0, 2, 4].into_iter().map(|back| mean(1 - end, here.start - back..here.end - back)).fold(f64::MIN, f64::max);
                let level = mean(end, here.clone());
                let excess = level.min(level - there);
                let score = excess / (scatter / (depth as f64 / 4.0).max(1.0).sqrt());
                if best.as_ref().is_none_or(|(best, _, _)| score > *best) {
                    best = Some((score, here, excess));
                }
            }
        }
        if let Some((score, here, excess)) = best.filter(|(score, _, _)| *score > 1.0) {
            let (from, to) = (walls[end] + here.start, walls[end] + here.end);
            let x = if end == 0 { body.start + from..body.start + to } else { body.end - to..body.end - from };
            let rows: Vec<usize> = (0..image.height).filter(|&y| shape.cargo[(x.start + x.len() / 2) * image.height + y]).collect();
            let y = rows.first().copied().unwrap_or(0)..rows.last().map_or(1, |&row| row + 1);
            suspects.push(suspect(image, "structure", score, x, y, excess));
        }
    }
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score));
    suspects
}

/// Something under a false floor: three metres of the lowest half metre above the deck, thicker than the wall above.
pub fn floor(image: &CarImage, shape: &Shape, residual: &Residual) -> Vec<Suspect> {
    if !matches!(shape.kind, Kind::Boxcar | Kind::Gondola | Kind::Flat) {
        return Vec::new();
    }
    layer(image, shape, residual, "structure-floor", |_| image.row_at(1600.0)..image.row_at(1250.0))
}

/// Something above a false ceiling: three metres of the half metre below the roof, thicker than the wall below.
pub fn roof(image: &CarImage, shape: &Shape, residual: &Residual) -> Vec<Suspect> {
    layer(image, shape, residual, "structure-roof", |x| {
        let top = f64::from(shape.top_mm[x]);
        image.row_at(top - 200.0)..image.row_at(top - 600.0)
    })
}

/// The thickest run of [`LAYER_MM`] in a layer of rows, per cell along the car, against the middle of the car's wall and the rest of the layer. Score: mm.
fn layer(image: &CarImage, shape: &Shape, residual: &Residual, detector: &'static str, rows: impl Fn(usize) -> Range<usize>) -> Vec<Suspect> {
    let h = image.height;
    let length = (LAYER_MM / CELL_MM) as usize;
    let body = shape.body.start + 10..shape.body.end.saturating_sub(10);
    if body.len() < length {
        return Vec::new();
    }
    // The lower half of what a column has in the layer: a beam along the car is thinner than a layer of goods.
    let along: Vec<f32> = body
        .clone()
        .map(|x| {
            let mut values: Vec<f32> = rows(x).filter(|&y| residual.mask[x * h + y]).map(|y| image.steel_mm[x * h + y]).collect();
            super::residual::quantile(&mut values, 0.5)
        })
        .collect();
    let best = (0..=along.len() - length).map(|start| {
        // Most of the run, not its mean: one pile of debris is no floor.
        let mut run = along[start..start + length].to_vec();
        (super::residual::quantile(&mut run, 0.3), start)
    });
    let Some((mm, start)) = best.max_by(|a, b| a.0.total_cmp(&b.0)) else { return Vec::new() };
    // What most of the rest of the car has in these rows.
    let mut rest: Vec<f32> = along[..start].iter().chain(&along[start + length..]).copied().collect();
    let excess = f64::from(mm) - residual.wall_mm.max(f64::from(super::residual::quantile(&mut rest, 0.7)));
    if rest.len() < length / 2 || excess <= 0.0 {
        return Vec::new();
    }
    let x = body.start + start..body.start + start + length;
    let y = rows(x.start + length / 2);
    if y.is_empty() { Vec::new() } else { vec![suspect(image, detector, excess, x, y, excess)] }
}

fn suspect(image: &CarImage, detector: &'static str, score: f64, x: Range<usize>, y: Range<usize>, excess_mm: f64) -> Suspect {
    let h = image.height;
    let cells: Vec<usize> = x.clone().flat_map(|x| y.clone().map(move |y| x * h + y)).collect();
    Suspect {
        detector,
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
