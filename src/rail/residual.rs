//! What an empty car would look like here, from the car itself, and what does not fit it.
//!
//! Rolling stock is made of long members: floors, sills and shells run along the car, posts and walls run up it. So the expectation is a sum of what a row has
//! along the whole car and what a column has from floor to roof (the roof's carlines apart); a car's other end, mirrored, is a second
//! expectation, which knows of slopes and bays. What neither explains is a suspect: packages, people, blocks. What fills a whole column from floor to
//! roof is explained away here on purpose, and is [`super::structure`]'s to find.
//!
//! Tried: medians over ±1.25 m instead of the whole car explain a person lying along the car away; a median up the column instead of the lower
//! third explains one who stands.

use super::blobs::{Differences, find};
use super::car::CarImage;
use super::finding::Suspect;
use super::shape::Shape;

/// Two expectations of a car and what is left of it.
pub struct Residual {
    /// Thickness more than rows and columns explain, mm, `[column, row]`.
    pub over_mm: Vec<f32>,
    /// Thickness more than the mirrored car, mm.
    pub mirror_mm: Vec<f32>,
    /// Standard errors of both.
    pub sigma_mm: Vec<f32>,
    sigma_mirror_mm: Vec<f32>,
    /// Cells looked at: cargo, and not penetration-limited.
    pub mask: Vec<bool>,
    /// What columns have from floor to roof, mm, per cell along the car.
    pub column_mm: Vec<f32>,
    /// Median thickness of the cargo area, mm: a wall, where the car is empty.
    pub wall_mm: f64,
}

/// The value below which `share` of the values lie.
pub(crate) fn quantile(values: &mut [f32], share: f64) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let index = ((values.len() - 1) as f64 * share) as usize;
    *values.select_nth_unstable_by(index, f32::total_cmp).1
}

impl Residual {
    /// Compares a car with itself.
    pub fn of(image: &CarImage, shape: &Shape) -> Residual {
        let (w, h) = (image.width, image.height);
        let cargo = &shape.cargo;
        let mask: Vec<bool> = cargo.iter().enumerate().map(|(index, &cargo)| cargo && !image.is_hidden(index)).collect();
        let smooth = smoothed(image, 1);
        let mut row_mm = vec![0.0_f32; h];
        for (y, row) in row_mm.iter_mut().enumerate() {
            let mut values: Vec<f32> = (0..w).map(|x| x * h + y).filter(|&index| cargo[index]).map(|index| smooth[index]).collect();
            *row = quantile(&mut values, 0.4);
        }
        let mut expected = vec![0.0_f32; w * h];
        let mut column_mm = vec![0.0_f32; w];
        for x in 0..w {
            let rows: Vec<usize> = (0..h).filter(|&y| cargo[x * h + y]).collect();
            let over = |rows: &[usize], share: f64| quantile(&mut rows.iter().map(|&y| smooth[x * h + y] - row_mm[y]).collect::<Vec<f32>>(), share);
            let upper = &rows[..rows.len() * 3 / 10];
            // The lower third: a person standing covers half of a column.
            let (whole, roof) = (over(&rows, 0.3), over(upper, 0.5));
            column_mm[x] = whole;
            for &y in &rows {
                let column = if y < rows[0] + upper.len() { roof.max(whole) } else { whole };
                expected[x * h + y] = row_mm[y] + column;
            }
        }
        // Where the two ends of the body lie: mirrored about their middle.
        let (from, to) = (shape.body.start, shape.body.end);
        let wide = smoothed(image, 2);
        let mut over_mm = vec![0.0_f32; w * h];
        let mut mirror_mm = vec![0.0_f32; w * h];
        let mut sigma_mirror_mm = vec![1.0_f32; w * h];
        let mut offsets: Vec<f32> = Vec::new();
        for x in from..to {
            let other = from + to - 1 - x;
            for y in 0..h {
                let index = x * h + y;
                if cargo[index] {
                    over_mm[index] = image.steel_mm[index] - expected[index];
                    // The mirrored cell and its neighbours along the car: the ends are known to a cell or so, and an edge may be off by one.
                    let near = other.saturating_sub(1)..(other + 2).min(w);
                    let mirrored = near.map(|x| wide[x * h + y]).fold(f32::MIN, f32::max);
                    mirror_mm[index] = image.steel_mm[index] - mirrored;
                    let sigma = image.sigma_mm[index];
                    sigma_mirror_mm[index] = (sigma * sigma + image.sigma_mm[other * h + y].powi(2) / 12.0).sqrt();
                    if mask[index] {
                        offsets.push(over_mm[index]);
                    }
                }
            }
        }
        // Quantiles of noisy values are off by a constant: the median of what is left is no more than expected.
        let offset = if offsets.is_empty() { 0.0 } else { quantile(&mut offsets, 0.5) };
        over_mm.iter_mut().zip(cargo).filter(|(_, cargo)| **cargo).for_each(|(value, _)| *value -= offset);
        let mut walls: Vec<f32> = (0..w * h).filter(|&index| cargo[index]).map(|index| smooth[index]).collect();
        let wall_mm = f64::from(quantile(&mut walls, 0.5));
        // What rows and columns of this car differ by anyway, beyond counting: a box's structure does not average out like noise, so it counts fourfold.
        let deviation = |cells: &mut dyn Iterator<Item = usize>| {
            let mut off: Vec<f32> = cells.filter(|&index| mask[index]).map(|index| over_mm[index].abs()).collect();
            1.48 * quantile(&mut off, 0.5)
        };
        let of_rows: Vec<f32> = (0..h).map(|y| deviation(&mut (from..to).map(|x| x * h + y))).collect();
        let of_columns: Vec<f32> = (0..w).map(|x| deviation(&mut (x * h..(x + 1) * h))).collect();
        let mut sigma_mm = image.sigma_mm.clone();
        for (index, sigma) in sigma_mm.iter_mut().enumerate() {
            let spread = of_rows[index % h].max(of_columns[index / h]);
            // 0.04: 0.2 mm, a sheet's tolerance.
            let structure = 4.0 * (spread.powi(2) - sigma.powi(2)).max(0.04).sqrt();
            *sigma = sigma.hypot(structure);
            sigma_mirror_mm[index] = sigma_mirror_mm[index].hypot(structure);
        }
        Residual { over_mm, mirror_mm, sigma_mm, sigma_mirror_mm, mask, column_mm, wall_mm }
    }

    /// What sticks out of both expectations: above where dunnage lies (`residual`), and there (`residual-floor`), because normal empties have things on
    /// their floors that outscore a person who stands beside them.
    pub fn suspects(&self, image: &CarImage, shape: &Shape) -> Vec<Suspect> {
        let on_floor = |index: usize| shape.on_floor(image.height_mm(index % image.height));
        let mut suspects = Vec::new();
        for (detector, low) in [("residual", false), ("residual-floor", true)] {
            let mask: Vec<bool> = (0..self.mask.len()).map(|index| self.mask[index] && on_floor(index) == low).collect();
            let map = Differences { mm: vec![&self.over_mm, &self.mirror_mm], sigma_mm: vec![&self.sigma_mm, &self.sigma_mirror_mm], mask: &mask };
            suspects.extend(find(image, &map, 1.0, 3.0, 5, detector, "density+"));
        }
        suspects
    }
}

/// Means of thickness over squares of `2 reach + 1` cells.
pub(crate) fn smoothed(image: &CarImage, reach: usize) -> Vec<f32> {
    let (w, h) = (image.width, image.height);
    let mut up = vec![0.0_f32; w * h];
    for x in 0..w {
        let column = &image.steel_mm[x * h..(x + 1) * h];
        for y in 0..h {
            let part = &column[y.saturating_sub(reach)..(y + reach + 1).min(h)];
            up[x * h + y] = part.iter().sum::<f32>() / part.len() as f32;
        }
    }
    let mut out = vec![0.0_f32; w * h];
    for x in 0..w {
        let columns = x.saturating_sub(reach)..(x + reach + 1).min(w);
        let count = columns.len() as f32;
        for column in columns {
            for y in 0..h {
                out[x * h + y] += up[column * h + y] / count;
            }
        }
    }
    out
}
