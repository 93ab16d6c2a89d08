//! From g/cm² to stored values: transmission, scatter, crosstalk, afterglow, counting, channels and their faults.
//!
//! Order: T = Σ share · exp(-Σ µ g) per beam; a smooth veil of scattered photons; crosstalk to the neighbours; afterglow along the scan;
//! times the quanta of an open pixel, the channel's efficiency, dose and drift; dead time; Poisson; times gain, plus dark level and read noise;
//! rounded to 16 bits. With [`Effects::none`] what is left is T and Poisson, exactly.

use serde::Serialize;

use super::attenuation::{Line, PLANES, Source};
use super::dice::Dice;
use super::geometry::Portal;

/// What a real array does to the picture. Ranges from `shared/rail.md` 2.4.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Effects {
    /// Scattered share: a wide blur of T times this is added, and everything divided by 1 + it.
    pub scatter: f64,
    /// Share of the light that reaches each neighbour detector.
    pub crosstalk: f64,
    /// Share of a reading that comes from earlier columns (decay over 6 columns).
    pub afterglow: f64,
    /// Relative spread of the channels' efficiency.
    pub spread: f64,
    /// Relative size of the slow drift of each channel and of all together over a train.
    pub drift: f64,
    /// Relative pulse-to-pulse spread of the dose (linacs); the reference detector reads it to 0.2 %.
    pub dose_jitter: f64,
    /// Dead time as a share of the integration time per counted quantum, in units of 1e-6 s.
    pub dead_time_us: f64,
    /// Read noise, stored units.
    pub read_noise: f64,
    /// Dead channels.
    pub dead: usize,
    /// Channels with many times the noise.
    pub noisy: usize,
    /// Share of columns lost and filled with their neighbour (flag bit 3).
    pub lost: f64,
}

impl Effects {
    /// None at all: transmission and Poisson.
    #[must_use]
    pub fn none() -> Effects {
        Effects {
            scatter: 0.0,
            crosstalk: 0.0,
            afterglow: 0.0,
            spread: 0.0,
            drift: 0.0,
            dose_jitter: 0.0,
            dead_time_us: 0.0,
            read_noise: 0.0,
            dead: 0,
            noisy: 0,
            lost: 0.0,
        }
    }

    /// As a portal of this source has them on one day.
    #[must_use]
    pub fn draw(source: Source, dice: &mut Dice) -> Effects {
        let linac = matches!(source, Source::Linac | Source::Dual);
        Effects {
            scatter: dice.span(0.02, 0.06),
            crosstalk: dice.span(0.01, 0.04),
            afterglow: if linac { dice.span(0.0002, 0.001) } else { dice.span(0.001, 0.006) },
            spread: dice.span(0.02, 0.05),
            drift: dice.span(0.002, 0.01),
            dose_jitter: if linac { dice.span(0.01, 0.03) } else { 0.0 },
            dead_time_us: if linac { 0.0 } else { 1.0 },
            read_noise: dice.span(1.0, 4.0),
            dead: dice.count(0, 2),
            noisy: dice.count(0, 1),
            lost: if dice.chance(0.2) { 0.0005 } else { 0.0 },
        }
    }
}

/// One column's circumstances.
#[derive(Debug, Clone, Copy)]
pub struct Exposure {
    /// Dose over the usual dose.
    pub dose: f64,
    /// Source shut.
    pub shut: bool,
    /// Lost in transmission: filled with the column before.
    pub lost: bool,
}

/// What a channel does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Channel {
    Good,
    Dead,
    /// Extra noise, stored units.
    Noisy(f64),
}

/// The array during one train.
pub struct Array {
    portal: Portal,
    lines: Vec<Line>,
    effects: Effects,
    /// Quanta of an open pixel at usual dose.
    quanta: f64,
    /// Stored units per quantum.
    pub gain: f64,
    /// Dark level of each channel, stored units.
    pub dark: Vec<f32>,
    efficiency: Vec<f32>,
    drift: Vec<f32>,
    common: f64,
    channels: Vec<Channel>,
    glow: Vec<f32>,
    before: Vec<u16>,
    dead_share: f64,
    dice: Dice,
}

impl Array {
    /// An array whose channels are drawn from `seed`. `lines`: one beam; `integration_s`: time of one column.
    #[must_use]
    pub fn new(portal: Portal, lines: Vec<Line>, effects: Effects, quanta: f64, integration_s: f64, seed: u64, noise: u64) -> Array {
        let mut dice = Dice::new(seed, 11);
        let n = portal.detectors;
        let mut efficiency = Vec::with_capacity(n);
        let mut module = 0.0;
        for i in 0..n {
            // Detectors come in sticks of 16 that differ together.
            if i % 16 == 0 {
                module = dice.normal() * 0.5;
            }
            efficiency.push((1.0 + effects.spread * (module + 0.87 * dice.normal())).clamp(0.5, 1.5) as f32);
        }
        let mut channels = vec![Channel::Good; n];
        for _ in 0..effects.dead {
            channels[dice.count(0, n - 1)] = Channel::Dead;
        }
        // The largest gain that keeps a bright channel's noise under 16 bits; the round 250 of a counting portal where it fits.
        let gain = (65_535.0 / (quanta + 6.0 * quanta.sqrt()) / 1.25).min(250.0);
        for _ in 0..effects.noisy {
            channels[dice.count(0, n - 1)] = Channel::Noisy(gain * quanta * dice.span(0.2, 0.5));
        }
        let dark = (0..n).map(|_| if effects.read_noise > 0.0 { (64.0 + dice.span(-3.0, 3.0)).round() as f32 } else { 64.0 }).collect();
        Array {
            portal,
            lines,
            effects,
            quanta,
            gain,
            dark,
            efficiency,
            drift: vec![1.0; n],
            common: 0.0,
            channels,
            glow: vec![1.0; n],
            before: vec![64; n],
            dead_share: effects.dead_time_us * 1e-6 / integration_s,
            dice: Dice::new(noise, 12),
        }
    }

    /// Channels that answer nothing, or noise.
    #[must_use]
    pub fn faulty(&self) -> Vec<usize> {
        (0..self.channels.len()).filter(|i| self.channels[*i] != Channel::Good).collect()
    }

    /// Quanta of an open pixel.
    #[must_use]
    pub fn quanta(&self) -> f64 {
        self.quanta
    }

    /// Transmission with scatter and crosstalk, [column, detector], of what `planes` hold (g/cm², [plane][column, detector]).
    #[must_use]
    pub fn transmission(&self, planes: &[f32], columns: usize) -> Vec<f32> {
        let n = self.portal.detectors;
        let pixels = columns * n;
        let mut out = vec![0.0_f32; pixels];
        let mut depth = vec![0.0_f32; n];
        for column in 0..columns {
            let row = column * n..(column + 1) * n;
            for line in &self.lines {
                depth.fill(0.0);
                for plane in 0..PLANES {
                    let mu = line.mass_attenuation_cm2_g[plane] as f32;
                    let from = plane * pixels + column * n;
                    for (d, g) in depth.iter_mut().zip(&planes[from..from + n]) {
                        *d += mu * g;
                    }
                }
                let share = line.share as f32;
                for (t, d) in out[row.clone()].iter_mut().zip(&depth) {
                    *t += if *d > 0.0 { share * (-*d).exp() } else { share };
                }
            }
        }
        if self.effects.scatter > 0.0 {
            self.veil(&mut out, columns);
        }
        if self.effects.crosstalk > 0.0 {
            let c = self.effects.crosstalk as f32;
            for column in out.chunks_exact_mut(n) {
                let mut above = column[0];
                for i in 0..n {
                    let here = column[i];
                    let below = column[(i + 1).min(n - 1)];
                    column[i] = here * (1.0 - 2.0 * c) + c * (above + below);
                    above = here;
                }
            }
        }
        out
    }

    /// Adds the scattered share: T averaged over about a metre around.
    fn veil(&self, out: &mut [f32], columns: usize) {
        const BLOCK: usize = 12;
        let n = self.portal.detectors;
        let (w, h) = (columns.div_ceil(BLOCK), n.div_ceil(BLOCK));
        let mut coarse = vec![0.0_f32; w * h];
        for bx in 0..w {
            for by in 0..h {
                let (mut sum, mut count) = (0.0, 0.0);
                for column in (bx * BLOCK)..((bx + 1) * BLOCK).min(columns) {
                    for t in &out[column * n + by * BLOCK..column * n + ((by + 1) * BLOCK).min(n)] {
                        sum += t;
                        count += 1.0;
                    }
                }
                coarse[bx * h + by] = sum / count;
            }
        }
        // Two passes of a box of five blocks each way: about 0.6 m at 16 mm.
        for _ in 0..2 {
            coarse = box5(&coarse, w, h, true);
            coarse = box5(&coarse, w, h, false);
        }
        let share = self.effects.scatter as f32;
        let scale = 1.0 / (1.0 + share);
        for column in 0..columns {
            let x = ((column as f32 + 0.5) / BLOCK as f32 - 0.5).clamp(0.0, (w - 1) as f32);
            let (x0, fx) = (x as usize, x.fract());
            let x1 = (x0 + 1).min(w - 1);
            for i in 0..n {
                let y = ((i as f32 + 0.5) / BLOCK as f32 - 0.5).clamp(0.0, (h - 1) as f32);
                let (y0, fy) = (y as usize, y.fract());
                let y1 = (y0 + 1).min(h - 1);
                let a = coarse[x0 * h + y0] * (1.0 - fy) + coarse[x0 * h + y1] * fy;
                let b = coarse[x1 * h + y0] * (1.0 - fy) + coarse[x1 * h + y1] * fy;
                let t = &mut out[column * n + i];
                *t = (*t + share * (a * (1.0 - fx) + b * fx)) * scale;
            }
        }
    }

    /// Reads one column of transmissions into stored values, in the order of the scan.
    pub fn read(&mut self, transmission: &[f32], exposure: Exposure, stored: &mut Vec<u16>) {
        let n = self.portal.detectors;
        let start = stored.len();
        if exposure.lost && !self.before.is_empty() {
            stored.extend_from_slice(&self.before);
            return;
        }
        // Drift: each channel and all together, wandering slowly.
        if self.effects.drift > 0.0 {
            self.common = self.common * 0.9998 + self.effects.drift * 0.02 * self.dice.normal();
            let i = self.dice.count(0, n - 1);
            self.drift[i] = (1.0 + (f64::from(self.drift[i]) - 1.0) * 0.9 + self.effects.drift * 0.3 * self.dice.normal()) as f32;
        }
        let open = if exposure.shut { 0.0 } else { (self.quanta * exposure.dose * (1.0 + self.common)) as f32 };
        let (glow, decay) = (self.effects.afterglow as f32, (-1.0_f32 / 6.0).exp());
        let noise = self.effects.read_noise;
        for (i, t) in transmission.iter().enumerate() {
            let seen = if exposure.shut { 0.0 } else { *t };
            let lit = seen * (1.0 - glow) + glow * self.glow[i];
            self.glow[i] = self.glow[i] * decay + seen * (1.0 - decay);
            let mut mean = if exposure.shut { 0.0 } else { open * self.efficiency[i] * self.drift[i] * lit };
            mean /= 1.0 + mean * self.dead_share as f32;
            let quanta = self.dice.poisson(mean);
            let mut value = f64::from(self.dark[i]) + self.gain * f64::from(quanta);
            match self.channels[i] {
                Channel::Good => {}
                Channel::Dead => value = f64::from(self.dark[i]),
                Channel::Noisy(much) => value += much * self.dice.normal(),
            }
            if noise > 0.0 {
                // A triangle of two uniforms has the right deviation and costs two draws less than a normal.
                value += noise * 2.449 * (self.dice.unit() + self.dice.unit() - 1.0);
            }
            stored.push(value.round().clamp(0.0, 65_535.0) as u16);
        }
        self.before.clear();
        self.before.extend_from_slice(&stored[start..]);
    }
}

/// A running mean of five along one axis of a `[w, h]` array, edges repeated.
fn box5(values: &[f32], w: usize, h: usize, along_w: bool) -> Vec<f32> {
    let at = |x: isize, y: isize| values[x.clamp(0, w as isize - 1) as usize * h + y.clamp(0, h as isize - 1) as usize];
    let mut out = Vec::with_capacity(values.len());
    for x in 0..w as isize {
        for y in 0..h as isize {
            out.push((-2..=2).map(|k| if along_w { at(x + k, y) } else { at(x, y + k) }).sum::<f32>() / 5.0);
        }
    }
    out
}
