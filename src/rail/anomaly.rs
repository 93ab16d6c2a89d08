//! The generic anomaly network (`models/rail.onnx`): for every 64 mm of any car, does something stand there that does not belong.
//!
//! Goal: what the rules cannot name. It was trained on normal cars with generic shapes thinned into their counts (`models/train/rail.py`, card
//! `models/rail.card.md`), never on anything like the finding's name; its score is comparable among cars of a kind only, and
//! [`super::thresholds`] says how rare it is among a site's own normal cars.
//!
//! Caveats: it knows the simulator's cars. On cars unlike them it answers more often to what is normal there, which calibration on local normals
//! levels out and does not heal. In goods that let nothing through it says nothing.
//!
//! What is fed to it is the same, number for number, as in the recipe (test below): change both.

use super::attenuation::G_CM2_PER_MM;
use super::car::{CELL_MM, CarImage};
use super::finding::Suspect;
use crate::error::Result;
use crate::infer::{Engine, Network};

/// Input channels.
const CHANNELS: usize = 10;
/// Rows of a tile: 6.1 m from the top of the array.
const ROWS: usize = 192;
/// Cells of a tile along the car: 20.5 m.
const TILE: usize = 640;
/// What a car's outside scores: nothing.
const NOTHING: f32 = -20.0;
/// Added to logits so that scores are positive; what lies below is not worth pointing at.
const OFFSET: f32 = 10.0;

/// The network, for one worker.
pub struct Anomaly {
    network: Network,
    channels: Channels,
}

/// The network's answer: logits of blocks of two by two cells, `[row, column]`, averaged over three by three blocks; [`NOTHING`] outside the car.
pub struct Heat {
    /// Blocks along the car.
    pub width: usize,
    /// Blocks from the top.
    pub height: usize,
    /// Logits, `[row, column]`.
    pub logits: Vec<f32>,
}

impl Anomaly {
    /// Loads the network.
    ///
    /// # Errors
    /// `Model` where ONNX Runtime refuses it.
    pub fn open(engine: &Engine) -> Result<Anomaly> {
        let model = include_bytes!("../../models/rail.onnx");
        let network = Network::open(engine, "rail.onnx", model, &[1, CHANNELS, ROWS, TILE], &[("logits", &[1, 1, ROWS / 2, TILE / 2])])?;
        Ok(Anomaly { network, channels: Channels::default() })
    }

    /// Looks at one car.
    ///
    /// # Errors
    /// `Model` where ONNX Runtime fails.
    pub fn heat(&mut self, image: &CarImage) -> Result<Heat> {
        self.channels.fill(image);
        let Channels { width, height, .. } = self.channels;
        let (w, h) = (width / 2, height.min(ROWS) / 2);
        let mut logits = vec![NOTHING; w * h];
        // Tiles overlap by half; each gives what lies further than 80 cells from its head, so that no block is seen only at an edge.
        let starts: Vec<usize> = if width <= TILE { vec![0] } else { (0..width - TILE).step_by(TILE / 2).chain([(width - TILE) / 2 * 2]).collect() };
        for start in starts {
            self.channels.tile(start, self.network.input());
            let out = self.network.run()?;
            let out = out.get(0);
            for row in 0..h {
                for block in (if start == 0 { 0 } else { TILE / 8 })..(TILE / 2).min(w - start / 2) {
                    logits[row * w + start / 2 + block] = out[row * (TILE / 2) + block];
                }
            }
        }
        for row in 0..h {
            for block in 0..w {
                let inside = |r: usize, c: usize| self.channels.inside[r * width + c];
                if !(inside(2 * row, 2 * block) || inside(2 * row + 1, 2 * block) || inside(2 * row, 2 * block + 1) || inside(2 * row + 1, 2 * block + 1)) {
                    logits[row * w + block] = NOTHING;
                }
            }
        }
        let mut heat = Heat { width: w, height: h, logits };
        heat.smooth();
        Ok(heat)
    }

    /// What it points at, highest first, at most five.
    ///
    /// # Errors
    /// As [`Anomaly::heat`].
    pub fn suspects(&mut self, image: &CarImage) -> Result<Vec<Suspect>> {
        const MOST: usize = 5;
        let mut heat = self.heat(image)?;
        let mut suspects = Vec::new();
        while suspects.len() < MOST {
            let Some((peak, cells)) = heat.take() else { break };
            suspects.push(measure(image, peak, &cells));
        }
        Ok(suspects)
    }
}

impl Heat {
    /// Means over three by three blocks, edges repeated.
    fn smooth(&mut self) {
        let mut flat = Vec::with_capacity(self.logits.len());
        let mut to = Vec::new();
        box_mean(&self.logits, self.height, self.width, 1, true, &mut flat);
        box_mean(&flat, self.height, self.width, 1, false, &mut to);
        self.logits = to;
    }

    /// The car's score: its highest logit and [`OFFSET`], 0 or more.
    pub fn score(&self) -> f64 {
        f64::from((self.logits.iter().copied().fold(NOTHING, f32::max) + OFFSET).max(0.0))
    }

    /// Takes the highest block and what is connected with it, down to a third of its odds, out of the map.
    fn take(&mut self) -> Option<(f32, Vec<(usize, usize)>)> {
        let (at, peak) = self.logits.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
        if peak <= -OFFSET {
            return None;
        }
        // ln 3 below the peak, at least: a plateau of certainty is one thing.
        let least = (peak - 1.1).min(1.0);
        let mut cells = Vec::new();
        let mut open = vec![at];
        self.logits[at] = NOTHING;
        while let Some(index) = open.pop() {
            let (row, column) = (index / self.width, index % self.width);
            cells.push((row, column));
            for (r, c) in [(row.wrapping_sub(1), column), (row + 1, column), (row, column.wrapping_sub(1)), (row, column + 1)] {
                if r < self.height && c < self.width && self.logits[r * self.width + c] >= least {
                    self.logits[r * self.width + c] = NOTHING;
                    open.push(r * self.width + c);
                }
            }
        }
        // Its flanks are no finding of their own.
        for &(row, column) in &cells {
            for r in row.saturating_sub(2)..(row + 3).min(self.height) {
                for c in column.saturating_sub(2)..(column + 3).min(self.width) {
                    self.logits[r * self.width + c] = NOTHING;
                }
            }
        }
        Some((peak, cells))
    }
}

/// A suspect of the blocks that the network points at: more (or less) than the same rows a little further along on both sides.
fn measure(image: &CarImage, peak: f32, blocks: &[(usize, usize)]) -> Suspect {
    let range = |values: &mut dyn Iterator<Item = usize>| {
        let (mut low, mut high) = (usize::MAX, 0);
        values.for_each(|v| (low, high) = (low.min(v), high.max(v + 1)));
        low..high
    };
    let (rows, columns) = (range(&mut blocks.iter().map(|b| b.0)), range(&mut blocks.iter().map(|b| b.1)));
    let x = columns.start * 2..(columns.end * 2).min(image.width);
    let y = rows.start * 2..(rows.end * 2).min(image.height);
    let (mut excess, mut variance, mut thickness, mut cells) = (0.0_f64, 0.0_f64, 0.0_f64, 0_usize);
    for row in y.clone() {
        let aside = x.start.saturating_sub(12)..x.start.saturating_sub(2);
        let beyond = (x.end + 2).min(image.width)..(x.end + 12).min(image.width);
        let mut around: Vec<f32> = aside.chain(beyond).map(|column| image.steel_mm[column * image.height + row]).collect();
        if around.is_empty() {
            continue;
        }
        let usual = super::residual::quantile(&mut around, 0.5);
        for column in x.clone() {
            let index = column * image.height + row;
            excess += f64::from(image.steel_mm[index] - usual);
            variance += f64::from(image.sigma_mm[index]).powi(2);
            thickness += f64::from(image.steel_mm[index]);
            cells += 1;
        }
    }
    Suspect {
        detector: "network",
        kind: if excess < 0.0 { "density-" } else { "density+" },
        x,
        y,
        score: f64::from(peak + OFFSET),
        excess_mm: excess,
        sigma_mm: variance.sqrt(),
        cells,
        thickness_mm: thickness / cells.max(1) as f64,
    }
}

/// The network's input for a whole car, `[channel][row, column]`, and where the car is. Kept from car to car.
#[derive(Default)]
struct Channels {
    width: usize,
    height: usize,
    planes: Vec<Vec<f32>>,
    inside: Vec<bool>,
}

impl Channels {
    fn fill(&mut self, image: &CarImage) {
        let (w, h) = (image.width, image.height);
        let (mut x, mut sigma) = (Vec::with_capacity(w * h), Vec::with_capacity(w * h));
        let g_cm2 = G_CM2_PER_MM as f32;
        for row in 0..h {
            for column in 0..w {
                let index = column * h + row;
                x.push((image.steel_mm[index] * g_cm2).clamp(-4.0, 160.0));
                sigma.push((image.sigma_mm[index] * g_cm2).max(1e-6));
            }
        }
        self.compute(&x, &sigma, w, h, image.top_mm as f32);
    }

    /// `x` and `sigma`: g/cm² of steel, `[row, column]`.
    fn compute(&mut self, x: &[f32], sigma: &[f32], w: usize, h: usize, top_mm: f32) {
        (self.width, self.height) = (w, h);
        self.inside = envelope(x, sigma, w, h);
        let squash = |v: f32| (v / 8.0).clamp(-4.0, 4.0);
        let (mut along, mut up) = (Vec::new(), Vec::new());
        box_mean(x, h, w, 20, false, &mut along);
        box_mean(x, h, w, 8, true, &mut up);
        let mut usual = Vec::with_capacity(h);
        let mut sorted = Vec::with_capacity(w);
        for row in x.chunks_exact(w) {
            sorted.clear();
            sorted.extend_from_slice(row);
            sorted.sort_unstable_by(f32::total_cmp);
            usual.push((sorted[(w - 1) / 2] + sorted[w / 2]) / 2.0);
        }
        // How surely something differs from what is usual in its row, and from the mirrored car: over three by three cells, in standard errors.
        let mean3 = |values: &[f32]| {
            let (mut once, mut twice) = (Vec::new(), Vec::new());
            box_mean(values, h, w, 1, true, &mut once);
            box_mean(&once, h, w, 1, false, &mut twice);
            twice
        };
        let mirror = |index: usize| index / w * w + w - 1 - index % w;
        let variance = mean3(&sigma.iter().map(|s| s * s).collect::<Vec<f32>>());
        let unusual = mean3(&x.iter().enumerate().map(|(index, here)| here - usual[index / w]).collect::<Vec<f32>>());
        let lopsided = mean3(&x.iter().enumerate().map(|(index, here)| here - x[mirror(index)]).collect::<Vec<f32>>());
        let surely = |difference: f32, variance: f32| (difference * 3.0 / variance.sqrt() / 4.0).clamp(-4.0, 4.0);
        self.planes.resize_with(CHANNELS, Vec::new);
        for plane in &mut self.planes {
            plane.clear();
        }
        for row in 0..h {
            let height = (top_mm - CELL_MM as f32 * (row as f32 + 0.5)) / 6000.0;
            for column in 0..w {
                let index = row * w + column;
                let here = x[index];
                let end = column.min(w - 1 - column) as f32;
                let values = [
                    (here / 4.0).asinh() / 3.0,
                    sigma[index].ln() / 2.0,
                    squash(here - usual[row]),
                    squash(here - along[index]),
                    squash(here - up[index]),
                    squash(here - x[row * w + w - 1 - column]),
                    height,
                    if self.inside[index] { (end / 150.0).min(1.5) } else { 0.0 },
                    surely(unusual[index], variance[index]),
                    surely(lopsided[index], variance[index] + variance[mirror(index)]),
                ];
                for (plane, value) in self.planes.iter_mut().zip(values) {
                    plane.push(value);
                }
            }
        }
    }

    /// Copies the columns from `start` into `input`, zeros beyond the car.
    fn tile(&self, start: usize, input: &mut [f32]) {
        input.fill(0.0);
        let columns = TILE.min(self.width - start);
        for (channel, plane) in self.planes.iter().enumerate() {
            for row in 0..self.height.min(ROWS) {
                let to = (channel * ROWS + row) * TILE;
                let from = row * self.width + start;
                input[to..to + columns].copy_from_slice(&plane[from..from + columns]);
            }
        }
    }
}

/// Where the car is: from the topmost thing that is surely there down to the rail, `[row, column]`.
fn envelope(x: &[f32], sigma: &[f32], w: usize, h: usize) -> Vec<bool> {
    let mean3 = |values: &[f32]| {
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        box_mean(values, h, w, 1, true, &mut once);
        box_mean(&once, h, w, 1, false, &mut twice);
        twice
    };
    let (smooth, noise) = (mean3(x), mean3(sigma));
    let there: Vec<f32> = smooth.iter().zip(&noise).map(|(x, s)| f32::from(u8::from(*x > (1.7 * s).max(0.5)))).collect();
    let mut tall = Vec::new();
    box_mean(&there, h, w, 2, true, &mut tall);
    let mut inside = vec![false; w * h];
    for column in 0..w {
        let mut below = false;
        for row in 0..h {
            below |= tall[row * w + column] > 0.7;
            inside[row * w + column] = below;
        }
    }
    inside
}

/// Running mean of `2 reach + 1` values along rows or columns of a `[row, column]` array, edges repeated.
fn box_mean(values: &[f32], rows: usize, columns: usize, reach: usize, down: bool, out: &mut Vec<f32>) {
    out.clear();
    out.resize(values.len(), 0.0);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What `channels` of models/train/rail.py answers for the same made-up car: sums, and three cells (row, column) of each channel.
    #[test]
    fn the_recipe_and_the_product_see_the_same() {
        let (w, h) = (90, 184);
        let mut x = vec![0.0_f32; w * h];
        let mut sigma = vec![0.0_f32; w * h];
        for r in 0..h {
            for c in 0..w {
                let (rf, cf) = (r as f64, c as f64);
                let mut value = if r > 40 && c > 5 && c < 80 {
                    5.0 + 3.0 * (cf * 0.7).sin() + 2.0 * (rf * 0.31).cos() + 0.02 * cf
                } else {
                    0.1 * (cf * 1.3 + rf * 0.9).sin()
                } as f32;
                if (150..160).contains(&r) && (30..50).contains(&c) {
                    value += 60.0;
                }
                x[r * w + c] = value;
                sigma[r * w + c] = (0.8 + 0.3 * (rf * 0.2 + cf * 0.1).cos()) as f32;
            }
        }
        let mut channels = Channels::default();
        channels.compute(&x, &sigma, w, h, 5858.0);
        assert_eq!(channels.inside.iter().filter(|i| **i).count(), 10_863);
        let expected: [(f64, [f32; 3]); CHANNELS] = [
            (4_072.247_464, [0.555_253_8, 1.162_824_7, 0.006_208_917_6]),
            (-2_167.425_957, [-0.346_561_85, -0.318_485_2, 0.012_917_068]),
            (793.827_638, [0.464_876_4, 4.0, 0.009_651_354]),
            (348.915_183, [0.493_860_13, 3.935_989_9, 0.006_114_521]),
            (-10.456_926, [0.186_406_97, 2.965_773_6, 0.008_080_444]),
            (0.0, [0.595_146_7, -0.016_416_55, 0.019_064_192]),
            (8_042.640_017, [0.440_333_34, 0.147, 0.813_666_64]),
            (1_843.293_337, [0.133_333_34, 0.266_666_68, 0.0]),
            (2_764.388_061, [4.0, 4.0, 0.022_574_566]),
            (0.0, [3.219_527_2, 4.0, 0.032_572_761]),
        ];
        for (k, (sum, cells)) in expected.into_iter().enumerate() {
            let total: f64 = channels.planes[k].iter().map(|v| f64::from(*v)).sum();
            assert!((total - sum).abs() < 0.02, "channel {k}: sum {total}, expected {sum}");
            for ((r, c), value) in [(100, 20), (155, 40), (30, 10)].into_iter().zip(cells) {
                let here = channels.planes[k][r * w + c];
                assert!((here - value).abs() < 2e-5, "channel {k} at {r}, {c}: {here}, expected {value}");
            }
        }
    }
}
