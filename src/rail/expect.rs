//! What a car makes one expect of itself, in cells of 64 mm: its long members along rows and up columns, and its other end.
//!
//! Goal: what is hidden stands on floors and sills that are as thick as it is, so a detector must see what is *more than the car itself is built of*. Three
//! expectations, none of which knows any kind of car: what a row has along the whole car plus what a column has from the floor to the roof; the mirrored car,
//! about the axis that fits best; and, since cars repeat themselves (posts, bays, wheels), the columns elsewhere in the car that are most like a column.
//!
//! 64 mm rather than the image's 32: four times the quanta, and the smallest thing that can be found (`shared/rail.md` 2.3: 0.1 m) is still two cells wide.
//! Transmissions are averaged before the logarithm, so that opaque cells do not weigh by their noise.
//!
//! The same as `models/train/rail_data.py`, number for number (test in [`super::anomaly`]): change both.

use super::attenuation::G_CM2_PER_MM;
use super::car::{CELL_MM, CarImage};

/// Edge of a coarse cell, mm.
pub const COARSE_MM: f32 = 2.0 * CELL_MM as f32;
/// Above this height over the rail columns have something of their own, mm: below it are trucks, sills and floors.
const BODY_MM: f32 = 1200.0;

/// How many columns that are most like one make the expectation of it.
const LIKE: usize = 8;
/// Columns nearer than this (1.3 m) are not asked what one would be like, nor those farther than [`NOT_FARTHER`] (41 m: one car and a half).
const NOT_NEARER: usize = 21;
const NOT_FARTHER: usize = 640;

/// A car in cells of 64 mm. Arrays are `[row, column]`, row 0 topmost; thickness in g/cm² of steel.
#[derive(Debug, Clone, Default)]
pub struct Coarse {
    /// Cells along the car.
    pub width: usize,
    /// Cells from the top.
    pub height: usize,
    /// Height above the rail of the upper edge of row 0, mm.
    pub top_mm: f32,
    /// Thickness, -4..=160.
    pub x: Vec<f32>,
    /// Its standard error.
    pub sigma: Vec<f32>,
    /// From the topmost thing that is surely there down to the rail.
    pub inside: Vec<bool>,
}

/// What the car's own expectations leave unexplained, g/cm².
#[derive(Debug, Clone, Default)]
pub struct Unexplained {
    /// More than rows and columns have.
    pub over: Vec<f32>,
    /// More than the thickest, or less than the thinnest, of the mirrored place and its neighbours; 0 between.
    pub lopsided: Vec<f32>,
    /// The smaller of both where they agree in sign, 0 elsewhere.
    pub both: Vec<f32>,
    /// More or less than the mean of the eight columns of the car that are most like this one.
    pub lonely: Vec<f32>,
}

impl Coarse {
    /// Adds up two by two cells of an image.
    pub fn of(image: &CarImage) -> Coarse {
        let (width, height) = (image.width / 2, image.height / 2);
        let h = image.height;
        let half = 0.125 / image.air_quanta.max(1.0);
        let quantum = (1.0 + image.veil) / image.air_quanta.max(1.0);
        let (mut x, mut sigma) = (Vec::with_capacity(width * height), Vec::with_capacity(width * height));
        for row in 0..height {
            for column in 0..width {
                let cells = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(dx, dy)| (2 * column + dx) * h + 2 * row + dy);
                let t = cells.iter().map(|&cell| image.t[cell]).sum::<f32>() / 4.0;
                // Each cell's variance is of its quanta and one more; of the four together only one is meant.
                let variance = cells.iter().map(|&cell| image.sigma_t[cell].powi(2)).sum::<f32>() - 3.0 * quantum * quantum;
                let (mm, slope) = image.attenuation.thickness_mm(f64::from((t + half).max(half)));
                let g_cm2 = G_CM2_PER_MM as f32;
                x.push((mm as f32 * g_cm2).clamp(-4.0, 160.0));
                sigma.push((variance.max(quantum * quantum).sqrt() / 4.0 * slope.abs() as f32 * g_cm2).max(1e-6));
            }
        }
        Coarse::new(x, sigma, width, height, image.top_mm as f32)
    }

    /// Of thickness and standard error, g/cm², `[row, column]`.
    pub fn new(x: Vec<f32>, sigma: Vec<f32>, width: usize, height: usize, top_mm: f32) -> Coarse {
        let inside = envelope(&x, &sigma, width, height);
        Coarse { width, height, top_mm, x, sigma, inside }
    }

    /// Height over the rail of the middle of a row, mm.
    pub fn height_mm(&self, row: usize) -> f32 {
        self.top_mm - COARSE_MM * (row as f32 + 0.5)
    }

    /// Takes away what the car itself is built of.
    pub fn unexplained(&self) -> Unexplained {
        let (w, h) = (self.width, self.height);
        let own = self.own();
        let over: Vec<f32> = self.x.iter().zip(&own).map(|(x, own)| x - own).collect();
        let other = mirrored(&square_mean(&self.x, h, w, 1), h, w);
        let mut lopsided = Vec::with_capacity(w * h);
        for row in 0..h {
            for column in 0..w {
                // The other end, one row and two columns about: speed and cutting are off by as much.
                let (mut low, mut high) = (f32::MAX, f32::MIN);
                for r in row.saturating_sub(1)..(row + 2).min(h) {
                    for value in &other[r * w + column.saturating_sub(2)..r * w + (column + 3).min(w)] {
                        (low, high) = (low.min(*value), high.max(*value));
                    }
                }
                let x = self.x[row * w + column];
                lopsided.push(x - x.clamp(low, high));
            }
        }
        let both = over.iter().zip(&lopsided).map(|(a, b)| a.min(*b).max(0.0) + a.max(*b).min(0.0)).collect();
        let lonely = self.x.iter().zip(self.alike()).map(|(x, like)| x - like).collect();
        Unexplained { over, lopsided, both, lonely }
    }

    /// What each column would be by the [`LIKE`] columns that are most like it, `[row, column]`; itself where the car is too short to have any.
    ///
    /// Like: the smallest sum of squares of asinh(x/4), smoothed, over the column and those two before and behind it, either way round. What is hidden is like itself,
    /// hence [`NOT_NEARER`]; it makes a column unlike all others by about as much, and so hardly changes which are most like it.
    fn alike(&self) -> Vec<f32> {
        let (w, h) = (self.width, self.height);
        let squashed: Vec<f32> = self.x.iter().map(|x| (x / 4.0).asinh()).collect();
        let smooth = square_mean(&squashed, h, w, 1);
        // A column lies in one piece: they are compared by the hundred thousand.
        let columns: Vec<f32> = (0..w).flat_map(|column| (0..h).map(move |row| (row, column))).map(|(row, column)| smooth[row * w + column]).collect();
        let apart = |a: usize, b: usize| -> f32 { columns[a * h..][..h].iter().zip(&columns[b * h..][..h]).map(|(a, b)| (a - b) * (a - b)).sum() };
        let line = |a: usize| -> Vec<f32> {
            let window = a.saturating_sub(NOT_FARTHER + 4)..(a + NOT_FARTHER + 5).min(w);
            (0..w).map(|b| if window.contains(&b) { apart(a, b) } else { f32::INFINITY }).collect()
        };
        let mut lines: std::collections::VecDeque<Vec<f32>> = (0..3.min(w)).map(line).collect();
        let mut like = vec![0.0; w * h];
        let mut best: Vec<(f32, usize)> = Vec::new();
        for a in 0..w {
            // `lines` holds the distances of columns a-2 to a+2, as far as the car has them.
            if a > 0 && a + 2 < w {
                lines.push_back(line(a + 2));
            }
            if a > 2 {
                lines.pop_front();
            }
            let first = a.saturating_sub(2);
            let (before, here, behind) = (&lines[0], &lines[a - first], &lines[(a + 2).min(w - 1) - first]);
            best.clear();
            let near = a.saturating_sub(NOT_FARTHER)..(a + NOT_FARTHER + 1).min(w);
            best.extend(near.filter(|b| a.abs_diff(*b) >= NOT_NEARER).map(|b| {
                let (left, right) = (b.saturating_sub(2), (b + 2).min(w - 1));
                (here[b] + (before[left] + behind[right]).min(before[right] + behind[left]), b)
            }));
            if best.len() > LIKE {
                best.select_nth_unstable_by(LIKE - 1, |a, b| a.0.total_cmp(&b.0));
                best.truncate(LIKE);
            }
            for row in 0..h {
                let sum: f32 = best.iter().map(|(_, b)| self.x[row * w + b]).sum();
                like[row * w + a] = if best.is_empty() { self.x[row * w + a] } else { sum / best.len() as f32 };
            }
        }
        like
    }

    /// What rows have along the car and columns from floor to roof.
    fn own(&self) -> Vec<f32> {
        let (w, h) = (self.width, self.height);
        let body: Vec<bool> = (0..h).map(|row| self.height_mm(row) > BODY_MM).collect();
        let mut values = Vec::new();
        let mut of_row = |row: usize, columns: Option<&[f32]>| {
            values.clear();
            values.extend((0..w).filter(|column| self.inside[row * w + column]).map(|column| self.x[row * w + column] - columns.map_or(0.0, |c| c[column])));
            lower(&mut values, 0.5)
        };
        let rows: Vec<f32> = (0..h).map(|row| of_row(row, None)).collect();
        let mut up = Vec::new();
        let columns: Vec<f32> = (0..w)
            .map(|column| {
                up.clear();
                up.extend((0..h).filter(|&row| body[row] && self.inside[row * w + column]).map(|row| self.x[row * w + column] - rows[row]));
                // Who stands covers half of a column.
                lower(&mut up, 0.35)
            })
            .collect();
        let mut own = Vec::with_capacity(w * h);
        for row in 0..h {
            if body[row] {
                // What is left of the row once the columns are taken off.
                let rest: Vec<f32> = columns.iter().map(|column| column + rows[row]).collect();
                let again = rows[row] + of_row(row, Some(&rest));
                own.extend(columns.iter().map(|column| again + column));
            } else {
                own.extend(std::iter::repeat_n(rows[row], w));
            }
        }
        own
    }
}

/// The value that `share` of the values lie below; 0 where there are none.
fn lower(values: &mut [f32], share: f64) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = ((values.len() - 1) as f64 * share) as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

/// The car the other way round, about the axis within 0.5 m of its middle that fits best; where that leaves nothing, its outermost column.
fn mirrored(x: &[f32], h: usize, w: usize) -> Vec<f32> {
    let kept: Vec<f32> = x.iter().map(|x| x.clamp(-4.0, 40.0)).collect();
    let cost = |shift: i32| {
        let (low, high) = (shift.max(0) as usize, (w as i32 + shift).min(w as i32) as usize);
        let line = |row: usize| {
            let here = &kept[row * w + low..row * w + high];
            here.iter().zip(here.iter().rev()).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>()
        };
        (0..h).map(line).sum::<f64>() / (h * (high - low)) as f64
    };
    let reach = 8.min(w as i32 - 1);
    let axis = (-reach..=reach).map(|shift| (cost(shift), shift)).min_by(|a, b| a.0.total_cmp(&b.0)).map_or(0, |(_, shift)| shift);
    let mut out = Vec::with_capacity(w * h);
    for row in 0..h {
        out.extend((0..w).map(|column| x[row * w + (w as i32 - 1 - column as i32 + axis).clamp(0, w as i32 - 1) as usize]));
    }
    out
}

/// Where the car is: from the topmost thing that is surely there down to the rail, `[row, column]`.
fn envelope(x: &[f32], sigma: &[f32], w: usize, h: usize) -> Vec<bool> {
    let (smooth, noise) = (square_mean(x, h, w, 1), square_mean(sigma, h, w, 1));
    let there: Vec<f32> = smooth.iter().zip(&noise).map(|(x, s)| f32::from(u8::from(*x > (1.7 * s).max(0.5)))).collect();
    let mut tall = Vec::new();
    box_mean(&there, h, w, 1, true, &mut tall);
    let mut inside = vec![false; w * h];
    for column in 0..w {
        let mut below = false;
        for row in 0..h {
            below |= tall[row * w + column] > 0.6;
            inside[row * w + column] = below;
        }
    }
    inside
}

/// Means over squares of `2 reach + 1` cells, edges repeated.
pub(crate) fn square_mean(values: &[f32], rows: usize, columns: usize, reach: usize) -> Vec<f32> {
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    box_mean(values, rows, columns, reach, true, &mut once);
    box_mean(&once, rows, columns, reach, false, &mut twice);
    twice
}

/// Running mean of `2 reach + 1` values along rows or columns of a `[row, column]` array, edges repeated.
pub(crate) fn box_mean(values: &[f32], rows: usize, columns: usize, reach: usize, down: bool, out: &mut Vec<f32>) {
    out.clear();
    out.resize(values.len(), 0.0);
    if values.is_empty() {
        return;
    }
    let (lines, length, stride, step) = if down { (columns, rows, columns, 1) } else { (rows, columns, 1, columns) };
    let count = (2 * reach + 1) as f64;
    for line in 0..lines {
        let at = |k: isize| f64::from(values[line * step + k.clamp(0, length as isize - 1) as usize * stride]);
        let mut sum: f64 = (-(reach as isize)..=reach as isize).map(at).sum();
        for k in 0..length {
            out[line * step + k * stride] = (sum / count) as f32;
            sum += at((k + reach + 1) as isize) - at(k as isize - reach as isize);
        }
    }
}
