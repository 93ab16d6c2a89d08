//! Small things that let nothing through: dense blocks, shielded containers.
//!
//! Goal: whatever is opaque (or more than [`DENSE_MM`] of steel) and compact, with see-through surroundings, in empty or light cars. Opaque *cargo*
//! is no finding: it is what [`CarImage::limited`] says of it, and inside of it nothing is claimed.
//!
//! Score: how much denser than its surroundings (mm of steel, at least), times how compact, times the root of its size. Trucks' bolsters and outlets are dense and
//! compact too; that is what the comparison with normal cars of the kind is for.

use super::car::CarImage;
use super::finding::Suspect;
use super::shape::Shape;

/// Steel-equivalent thickness that counts as dense, mm: 80 mm of lead have 170 with Cs-137 and 130 with a linac; engines have 100.
const DENSE_MM: f32 = 90.0;
/// Smallest and largest area, cells of 0.001 m²: 0.01 m² and 2 m².
const CELLS: std::ops::RangeInclusive<usize> = 10..=2000;

/// Dense compact things in the cargo area, densest first.
pub fn suspects(image: &CarImage, shape: &Shape) -> Vec<Suspect> {
    let (w, h) = (image.width, image.height);
    let dense = |index: usize| shape.cargo[index] && !image.unmeasured[index] && (image.limited[index] || image.steel_mm[index] > DENSE_MM);
    let mut seen = vec![false; w * h];
    let mut suspects = Vec::new();
    let mut stack = Vec::new();
    for start in 0..w * h {
        if seen[start] || !dense(start) {
            continue;
        }
        stack.push(start);
        seen[start] = true;
        let mut cells = Vec::new();
        while let Some(index) = stack.pop() {
            cells.push(index);
            let (x, y) = (index / h, index % h);
            let beside = [(x > 0).then(|| index - h), (x + 1 < w).then(|| index + h), (y > 0).then(|| index - 1), (y + 1 < h).then(|| index + 1)];
            for next in beside.into_iter().flatten() {
                if !seen[next] && dense(next) {
                    seen[next] = true;
                    stack.push(next);
                }
            }
        }
        if CELLS.contains(&cells.len()) {
            suspects.extend(judge(image, shape, &cells));
        }
    }
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score));
    suspects.truncate(5);
    suspects
}

/// What one dense thing is against its surroundings, 0.1 m wide.
fn judge(image: &CarImage, shape: &Shape, cells: &[usize]) -> Option<Suspect> {
    let (w, h) = (image.width, image.height);
    let (x0, x1) = (cells.iter().map(|index| index / h).min()?, cells.iter().map(|index| index / h).max()? + 1);
    let (y0, y1) = (cells.iter().map(|index| index % h).min()?, cells.iter().map(|index| index % h).max()? + 1);
    let mut ring: Vec<f32> = Vec::new();
    for x in x0.saturating_sub(3)..(x1 + 3).min(w) {
        for y in y0.saturating_sub(3)..(y1 + 3).min(h) {
            if !(x0..x1).contains(&x) || !(y0..y1).contains(&y) {
                let index = x * h + y;
                // Above the car's outline is air: no surroundings.
                if shape.cargo[index] || image.t[index] < 0.9 {
                    ring.push(if image.limited[index] { 2.0 * DENSE_MM } else { image.steel_mm[index] });
                }
            }
        }
    }
    if ring.is_empty() {
        return None;
    }
    let around = super::calibrate::median_of(&mut ring);
    let inside: Vec<f32> = cells.iter().map(|&index| image.steel_mm[index].max(DENSE_MM)).collect();
    let mean = f64::from(inside.iter().sum::<f32>()) / cells.len() as f64;
    let excess = mean - f64::from(around.max(0.0));
    if excess <= 0.0 {
        return None;
    }
    let compact = cells.len() as f64 / ((x1 - x0) * (y1 - y0)) as f64;
    Some(Suspect {
        detector: "opaque",
        kind: "dense-opaque",
        x: x0..x1,
        y: y0..y1,
        score: excess / 10.0 * compact * (cells.len() as f64).sqrt() / 5.0,
        excess_mm: excess * cells.len() as f64,
        sigma_mm: cells.iter().map(|&index| f64::from(image.sigma_mm[index]).powi(2)).sum::<f64>().sqrt(),
        cells: cells.len(),
        thickness_mm: mean,
    })
}
