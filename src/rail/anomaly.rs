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

use super::car::CarImage;
use super::earlier::Change;
use super::expect::{Coarse, Unexplained, box_mean, square_mean};
use super::finding::Suspect;
use crate::error::Result;
use crate::infer::{Engine, Network};

/// Input channels.
const CHANNELS: usize = 15;
/// Rows of a tile: 6.1 m from the top of the array.
const ROWS: usize = 96;
/// Cells of a tile along the car: 20.5 m.
const TILE: usize = 320;
/// What a car's outside scores: nothing.
const NOTHING: f32 = -20.0;
/// Added to logits so that scores are positive; what lies below is not worth pointing at.
const OFFSET: f32 = 10.0;

/// The network, for one worker.
pub struct Anomaly {
    network: Network,
    channels: Channels,
}

/// The network's answer: logits of blocks of two by two cells (64 mm), `[row, column]`, averaged over three by three blocks; [`NOTHING`] outside the car.
#[derive(Debug, Clone)]
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
        let network = Network::open(engine, "rail.onnx", model, &[1, CHANNELS, ROWS, TILE], &[("logits", &[1, 1, ROWS, TILE])])?;
        Ok(Anomaly { network, channels: Channels::default() })
    }

    /// Looks at one car, and at its mirror image: the mean of both answers. On 357 cars of the recipe that finds 67 in a hundred at 1 % false alarms in place of 63
    /// (`models/rail.card.md`).
    ///
    /// # Errors
    /// `Model` where ONNX Runtime fails.
    pub fn heat(&mut self, coarse: &Coarse, unexplained: &Unexplained) -> Result<Heat> {
        self.channels.compute(coarse, unexplained);
        let (w, h) = (coarse.width, coarse.height.min(ROWS));
        let mut logits = vec![NOTHING; w * h];
        // Tiles overlap by half; each gives what lies further than an eighth from its head, so that no block is seen only at an edge.
        let starts: Vec<usize> = if w <= TILE { vec![0] } else { (0..w - TILE).step_by(TILE / 2).chain([w - TILE]).collect() };
        for start in starts {
            let columns = TILE.min(w - start);
            for reversed in [false, true] {
                self.channels.tile(start, reversed, self.network.input());
                let out = self.network.run()?;
                let out = out.get(0);
                for row in 0..h {
                    for block in (if start == 0 { 0 } else { TILE / 8 })..columns {
                        let at = row * w + start + block;
                        if self.channels.inside[at] {
                            let logit = out[row * TILE + if reversed { columns - 1 - block } else { block }];
                            logits[at] = if reversed { f32::midpoint(logits[at], logit) } else { logit };
                        }
                    }
                }
            }
        }
        // Means over three by three blocks of the car: at its edge nothing beyond it counts.
        let inside: Vec<f32> = self.channels.inside[..w * h].iter().map(|&inside| f32::from(u8::from(inside))).collect();
        let known: Vec<f32> = logits.iter().zip(&inside).map(|(logit, inside)| logit * inside).collect();
        let (sums, counts) = (square_mean(&known, h, w, 1), square_mean(&inside, h, w, 1));
        for (index, logit) in logits.iter_mut().enumerate().filter(|(index, _)| inside[*index] > 0.0) {
            *logit = sums[index] / counts[index].max(0.1);
        }
        Ok(Heat { width: w, height: h, logits })
    }

    /// What it points at, highest first, at most five.
    ///
    /// # Errors
    /// As [`Anomaly::heat`].
    pub fn suspects(&mut self, image: &CarImage, coarse: &Coarse, unexplained: &Unexplained) -> Result<Vec<Suspect>> {
        Ok(self.heat(coarse, unexplained)?.suspects(image, "network"))
    }
}

impl Heat {
    /// What the map points at, highest first, at most five.
    pub fn suspects(mut self, image: &CarImage, detector: &'static str) -> Vec<Suspect> {
        const MOST: usize = 5;
        let mut suspects = Vec::new();
        while suspects.len() < MOST {
            let Some((peak, cells)) = self.take() else { break };
            suspects.push(Suspect { detector, ..measure(image, peak, &cells) });
        }
        suspects
    }

    /// Says nothing where nothing was measured.
    pub fn forget_unmeasured(&mut self, image: &CarImage) {
        for (index, logit) in self.logits.iter_mut().enumerate() {
            let (row, column) = (index / self.width * 2, index % self.width * 2);
            let cells = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(down, along)| (column + along) * image.height + row + down);
            if cells.iter().filter(|&&cell| image.unmeasured.get(cell).is_some_and(|&unmeasured| unmeasured)).count() >= 2 {
                *logit = NOTHING;
            }
        }
    }

    /// What of this map is news against an earlier one: a block keeps its logit where the earlier car was as good as silent about the place, and loses most of what the
    /// earlier car said there or within a quarter of a metre (`change` knows the place to a cell or two). Structure that looks odd looks odd on every visit.
    pub fn news(&self, before: &Heat, change: &Change) -> Heat {
        // Below this a block is silent; 0.8: two looks at one thing differ by noise.
        const SILENT: f32 = -7.0;
        let mut news = Heat { width: self.width, height: self.height, logits: self.logits.clone() };
        for column in 0..self.width {
            let place = change.places.get((2 * column).saturating_sub(change.start)).or(change.places.last()).copied().unwrap_or(0.0);
            let then = (place / 2.0).max(0.0) as usize;
            let near = then.saturating_sub(4).min(before.width)..(then + 5).min(before.width);
            for row in 0..self.height {
                let logit = &mut news.logits[row * self.width + column];
                if *logit <= NOTHING {
                    continue;
                }
                let rows = row.saturating_sub(2)..(row + 3).min(before.height);
                let said = rows.flat_map(|r| &before.logits[r * before.width + near.start..r * before.width + near.end]).copied().fold(SILENT, f32::max);
                *logit -= 0.8 * (said - SILENT);
            }
        }
        news
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
    fn compute(&mut self, car: &Coarse, unexplained: &Unexplained) {
        let (w, h) = (car.width, car.height);
        (self.width, self.height) = (w, h);
        self.inside.clone_from(&car.inside);
        let squash = |v: f32| (v / 8.0).clamp(-4.0, 4.0);
        let (mut along, mut up) = (Vec::new(), Vec::new());
        box_mean(&car.x, h, w, 10, false, &mut along);
        box_mean(&car.x, h, w, 4, true, &mut up);
        // How surely something differs, over squares of 2 k + 1 cells, in standard errors: a network does not divide by itself.
        let variance: Vec<f32> = car.sigma.iter().map(|s| s * s).collect();
        let surely = |difference: &[f32], k: usize, unit: f32| -> Vec<f32> {
            let (mean, of) = (square_mean(difference, h, w, k), square_mean(&variance, h, w, k));
            mean.iter().zip(&of).map(|(d, v)| (d * (2 * k + 1) as f32 / v.sqrt() / unit).clamp(-4.0, 4.0)).collect()
        };
        let sure = [
            surely(&unexplained.over, 1, 4.0),
            surely(&unexplained.lopsided, 1, 4.0),
            surely(&unexplained.both, 1, 4.0),
            surely(&unexplained.both, 3, 8.0),
            surely(&unexplained.lonely, 1, 4.0),
            surely(&unexplained.lonely, 3, 8.0),
        ];
        self.planes.resize_with(CHANNELS, Vec::new);
        for plane in &mut self.planes {
            plane.clear();
        }
        for row in 0..h {
            let height = car.height_mm(row) / 6000.0;
            for column in 0..w {
                let index = row * w + column;
                let here = car.x[index];
                let end = column.min(w - 1 - column) as f32;
                let values = [
                    (here / 4.0).asinh() / 3.0,
                    car.sigma[index].ln() / 2.0,
                    squash(unexplained.over[index]),
                    squash(unexplained.lopsided[index]),
                    sure[0][index],
                    sure[1][index],
                    sure[2][index],
                    sure[3][index],
                    squash(here - along[index]),
                    squash(here - up[index]),
                    height,
                    if self.inside[index] { (end / 75.0).min(1.5) } else { 0.0 },
                    squash(unexplained.lonely[index]),
                    sure[4][index],
                    sure[5][index],
                ];
                for (plane, value) in self.planes.iter_mut().zip(values) {
                    plane.push(value);
                }
            }
        }
    }

    /// Copies the columns from `start` into `input`, the last first where `reversed`, zeros beyond the car.
    fn tile(&self, start: usize, reversed: bool, input: &mut [f32]) {
        input.fill(0.0);
        let columns = TILE.min(self.width - start);
        for (channel, plane) in self.planes.iter().enumerate() {
            for row in 0..self.height.min(ROWS) {
                let to = (channel * ROWS + row) * TILE;
                let from = row * self.width + start;
                input[to..to + columns].copy_from_slice(&plane[from..from + columns]);
                if reversed {
                    input[to..to + columns].reverse();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `channels` of models/train/rail_data.py answers for the same made-up car: sums, and three cells (row, column) of each channel.
    #[test]
    fn the_recipe_and_the_product_see_the_same() {
        let (w, h) = (90, 92);
        let mut x = vec![0.0_f32; w * h];
        let mut sigma = vec![0.0_f32; w * h];
        for r in 0..h {
            for c in 0..w {
                let (rf, cf) = (r as f64, c as f64);
                let mut value = if r > 20 && c > 5 && c < 80 {
                    5.0 + 3.0 * (cf * 0.7).sin() + 2.0 * (rf * 0.31).cos() + 0.02 * cf
                } else {
                    0.1 * (cf * 1.3 + rf * 0.9).sin()
                } as f32;
                if (75..80).contains(&r) && (30..40).contains(&c) {
                    value += 60.0;
                }
                if (50..55).contains(&r) && (60..66).contains(&c) {
                    value += 9.0;
                }
                x[r * w + c] = value;
                sigma[r * w + c] = (0.8 + 0.3 * (rf * 0.2 + cf * 0.1).cos()) as f32;
            }
        }
        let car = Coarse::new(x, sigma, w, h, 5858.0);
        let mut channels = Channels::default();
        channels.compute(&car, &car.unexplained());
        assert_eq!(channels.inside.iter().filter(|i| **i).count(), 5_433);
        let expected: [(f64, [f32; 3]); CHANNELS] = [
            (1_980.261_015, [0.599_701, 1.168_459_5, 0.008_160_5]),
            (-1_082.497_016, [-0.245_796_2, 0.046_112_4, -0.252_167_6]),
            (-455.862_907, [1.096_200_2, 4.0, -0.172_719_5]),
            (111.275_655, [0.706_413_6, 4.0, 0.007_460_1]),
            (-3_209.367_572, [4.0, 4.0, -1.396_641]),
            (242.025_386, [4.0, 4.0, 0.024_335_2]),
            (472.906_301, [4.0, 4.0, 0.005_692_0]),
            (890.060_494, [4.0, 4.0, -0.002_959_8]),
            (7.702_789, [0.622_421_1, 3.950_709_8, 0.011_390_8]),
            (2.246_501, [0.433_254_2, 3.355_419_6, 0.014_707_8]),
            (4_021.320_001, [0.416_333_3, 0.149_666_7, 0.811]),
            (1_852.360_003, [0.36, 0.48, 0.0]),
            (73.118_288, [0.951_541_6, 4.0, 0.011_110_8]),
            (-743.615_134, [4.0, 4.0, 0.042_529_0]),
            (-432.733_935, [4.0, 4.0, 0.000_133_5]),
        ];
        for (k, (sum, cells)) in expected.into_iter().enumerate() {
            let total: f64 = channels.planes[k].iter().map(|v| f64::from(*v)).sum();
            assert!((total - sum).abs() < 0.05, "channel {k}: sum {total}, expected {sum}");
            for ((r, c), value) in [(52, 62), (77, 36), (15, 10)].into_iter().zip(cells) {
                let here = channels.planes[k][r * w + c];
                assert!((here - value).abs() < 5e-5, "channel {k} at {r}, {c}: {here}, expected {value}");
            }
        }
    }
}
