//! From light to a file: lens blur, bloom, rain, shutter, noise, tone curve, JPEG.
//!
//! A picture is linear RGB, three `f32` a pixel, rows from the top. Caveat: noise is added after demosaicing, so it has no colour-filter pattern.

use image::RgbImage;

use super::dice::Dice;
use super::light::{Conditions, Light};
use super::raster::Layer;
use crate::error::{Error, Fault, Result};

/// A picture in linear light.
pub(crate) struct Picture {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<[f32; 3]>,
}

/// What lens, sensor and encoder do to one picture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Optics {
    /// Blur of the lens, deviation in pixels.
    pub blur: f32,
    /// Factor on the light before the tone curve.
    pub exposure: f32,
    /// Noise: variance per unit of signal, and floor variance (both of linear signal, white = 1).
    pub shot: f32,
    pub floor: f32,
    /// Share of bright light that the lens spreads.
    pub bloom: f32,
    /// Even veil over the picture, white = 1.
    pub veil: f32,
    /// Rain streaks for a 1080-line picture, and drops on the lens.
    pub streaks: usize,
    pub drops: usize,
    /// Colour cast, a factor a channel.
    pub cast: [f32; 3],
    /// How far the camera itself moved while the shutter was open, pixels.
    pub shake: [f32; 2],
    /// JPEG quality, 1..=100.
    pub quality: u8,
}

impl Optics {
    /// Optics as cameras have under `conditions`; `hard` (0..1) moves towards what is difficult to read. All ranges by eye.
    pub(crate) fn roll(conditions: Conditions, hard: f32, height: usize, dice: &mut Dice) -> Optics {
        let size = height as f32 / 1080.0;
        let dark = matches!(conditions, Conditions::Night | Conditions::Glare);
        let mut optics = Optics {
            blur: (0.45 + 0.5 * dice.unit() * hard + if dice.chance(0.25 * hard) { dice.range(0.3, 1.6) } else { 0.0 }) * size.sqrt().max(0.8),
            exposure: dice.range(0.9, 1.12),
            shot: 0.0003 * dice.range(0.6, 2.0),
            floor: 0.000_006 * dice.range(0.6, 2.0),
            bloom: 0.05,
            veil: dice.range(0.0, 0.012),
            streaks: 0,
            drops: 0,
            cast: [dice.range(0.97, 1.03), 1.0, dice.range(0.96, 1.05)],
            shake: [0.0; 2],
            quality: dice.range(72.0, 93.0) as u8,
        };
        if dark || conditions == Conditions::Dusk {
            let gain = if dark { dice.range(2.0, 5.0 + 5.0 * hard) } else { dice.range(1.5, 3.0) };
            optics.exposure *= if dark { dice.range(1.2, 1.9) } else { 1.25 };
            optics.shot *= gain;
            optics.floor *= gain * gain;
            optics.bloom = dice.range(0.08, 0.16);
            optics.cast = [dice.range(1.0, 1.12), 1.0, dice.range(0.80, 0.98)];
        }
        match conditions {
            Conditions::Ir => {
                optics.shot *= 4.0;
                optics.floor *= 10.0;
                optics.bloom = dice.range(0.06, 0.12);
            }
            Conditions::Glare => {
                optics.bloom = dice.range(0.08, 0.20);
                optics.veil += dice.range(0.0, 0.025);
            }
            Conditions::Rain => {
                optics.streaks = dice.range(250.0, 1100.0) as usize;
                optics.drops = if dice.chance(0.6) { dice.below(7) } else { 0 };
                optics.veil += dice.range(0.0, 0.04);
            }
            _ => {}
        }
        optics
    }

    /// The same optics at another instant: exposure and focus hunt, gain and bit rate vary, the mast shakes. With `hard` at 1 about half
    /// of the frames have something wrong with them; chosen so that single frames are sometimes misread, unmeasured.
    pub(crate) fn next(&self, hard: f32, dice: &mut Dice) -> Optics {
        let mut optics = *self;
        optics.exposure *= dice.range(0.90, 1.10);
        if dice.chance(0.12 * hard) {
            optics.exposure *= dice.range(1.5, 2.2);
        }
        if dice.chance(0.5 * hard) {
            optics.blur += dice.range(0.2, 1.9) * hard;
        }
        if dice.chance(0.4 * hard) {
            let gain = dice.range(1.5, 6.0);
            optics.shot *= gain;
            optics.floor *= gain;
        }
        if dice.chance(0.4 * hard) {
            let (length, angle) = (dice.range(1.0, 6.0) * hard, dice.range(0.0, std::f32::consts::TAU));
            optics.shake = [length * angle.cos(), length * angle.sin()];
        }
        if dice.chance(0.3 * hard) {
            optics.quality = (f32::from(optics.quality) * dice.range(0.35, 0.8)) as u8;
        }
        optics.bloom *= dice.range(0.7, 1.5);
        optics
    }
}

impl Picture {
    /// Black.
    pub(crate) fn new(width: usize, height: usize) -> Picture {
        Picture { width, height, pixels: vec![[0.0; 3]; width * height] }
    }

    /// Lays `layer` over the picture.
    pub(crate) fn lay(&mut self, layer: &Layer) {
        for y in 0..layer.height {
            let row = (layer.y + y) * self.width + layer.x;
            for (pixel, over) in self.pixels[row..row + layer.width].iter_mut().zip(&layer.pixels[y * layer.width..]) {
                let rest = 1.0 - over[3];
                *pixel = std::array::from_fn(|c| pixel[c] * rest + over[c]);
            }
        }
    }

    /// Gaussian blur with deviation `sigma` pixels (by direct kernels; meant for sigmas under about 4).
    pub(crate) fn blur(&mut self, sigma: f32) {
        if sigma < 0.2 {
            return;
        }
        let reach = (sigma * 2.6).ceil() as usize;
        let mut kernel: Vec<f32> = (0..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
        let sum = kernel[0] + 2.0 * kernel[1..].iter().sum::<f32>();
        kernel.iter_mut().for_each(|k| *k /= sum);
        let (width, height) = (self.width, self.height);
        // Rows: a copy with the edges repeated, so that the inner loop has no bounds to mind.
        let mut padded = vec![0.0f32; (width + 2 * reach) * 3];
        for row in self.pixels.chunks_exact_mut(width) {
            for (index, slot) in padded.chunks_exact_mut(3).enumerate() {
                slot.copy_from_slice(&row[index.saturating_sub(reach).min(width - 1)]);
            }
            let flat = row.as_flattened_mut();
            let middle = 3 * reach;
            for (out, v) in flat.iter_mut().zip(&padded[middle..]) {
                *out = v * kernel[0];
            }
            for (step, weight) in kernel.iter().enumerate().skip(1) {
                let (before, after) = (&padded[middle - 3 * step..], &padded[middle + 3 * step..]);
                for ((out, a), b) in flat.iter_mut().zip(before).zip(after) {
                    *out += weight * (a + b);
                }
            }
        }
        let source = std::mem::take(&mut self.pixels);
        let mut out = vec![[0.0f32; 3]; width * height];
        for y in 0..height {
            let target = out[y * width..(y + 1) * width].as_flattened_mut();
            let row = |y: usize| source[y * width..(y + 1) * width].as_flattened();
            for (o, v) in target.iter_mut().zip(row(y)) {
                *o = v * kernel[0];
            }
            for (step, weight) in kernel.iter().enumerate().skip(1) {
                let (above, below) = (row(y.saturating_sub(step)), row((y + step).min(height - 1)));
                for ((o, a), b) in target.iter_mut().zip(above).zip(below) {
                    *o += weight * (a + b);
                }
            }
        }
        self.pixels = out;
    }

    /// The picture at a quarter of its size, each pixel changed by `f` first.
    fn quarter(&self, f: impl Fn([f32; 3]) -> [f32; 3]) -> Picture {
        let (width, height) = (self.width.div_ceil(4), self.height.div_ceil(4));
        let mut small = Picture::new(width, height);
        for (y, row) in self.pixels.chunks_exact(self.width).enumerate() {
            for (x, pixel) in row.iter().enumerate() {
                let value = f(*pixel);
                let slot = &mut small.pixels[(y / 4) * width + x / 4];
                *slot = std::array::from_fn(|c| slot[c] + value[c] / 16.0);
            }
        }
        small
    }

    /// Adds `share` of a picture a quarter of this one's size.
    fn add_quarter(&mut self, small: &Picture, share: f32) {
        let (sw, sh) = (small.width, small.height);
        for (y, row) in self.pixels.chunks_exact_mut(self.width).enumerate() {
            let v = ((y as f32 + 0.5) / 4.0 - 0.5).max(0.0);
            let y0 = v as usize;
            let fy = v - y0 as f32;
            let y1 = (y0 + 1).min(sh - 1);
            for (x, pixel) in row.iter_mut().enumerate() {
                let u = ((x as f32 + 0.5) / 4.0 - 0.5).max(0.0);
                let x0 = u as usize;
                let fx = u - x0 as f32;
                let x1 = (x0 + 1).min(sw - 1);
                let at = |x: usize, y: usize, c: usize| small.pixels[y * sw + x][c];
                *pixel = std::array::from_fn(|c| {
                    let top = at(x0, y0, c) * (1.0 - fx) + at(x1, y0, c) * fx;
                    let bottom = at(x0, y1, c) * (1.0 - fx) + at(x1, y1, c) * fx;
                    pixel[c] + share * (top * (1.0 - fy) + bottom * fy)
                });
            }
        }
    }

    /// Light beyond white, spread by the lens: a tight glow, a wide one, and a veil.
    fn bloom(&mut self, share: f32) {
        if !self.pixels.iter().any(|p| p[0].max(p[1]) > 1.15) {
            return;
        }
        let mut glow = self.quarter(|p| p.map(|v| (v - 1.0).clamp(0.0, 30.0)));
        let size = (self.height as f32 / 1080.0).max(0.7);
        let mut wide = glow.quarter(|p| p);
        let mut veil = wide.quarter(|p| p);
        glow.blur(1.6 * size);
        wide.blur(2.6 * size);
        veil.blur(2.2 * size);
        wide.add_quarter(&veil, 0.5);
        glow.pixels.iter_mut().for_each(|p| *p = p.map(|v| v * 2.2));
        glow.add_quarter(&wide, 3.0);
        self.add_quarter(&glow, share);
    }

    /// Falling rain: faint slanted streaks, near ones longer and wider.
    fn streak(&mut self, count: usize, light: f32, dice: &mut Dice) {
        let size = self.height as f32 / 1080.0;
        let slant = dice.range(-0.22, 0.22);
        for _ in 0..count {
            let near = dice.unit().powi(3);
            let (length, wide) = ((14.0 + 110.0 * near) * size, (0.7 + 1.6 * near) * size);
            let (x, y) = (dice.range(0.0, self.width as f32), dice.range(-60.0, self.height as f32));
            let alpha = dice.range(0.03, 0.14);
            let lean = slant + dice.range(-0.03, 0.03);
            for step in 0..length as usize {
                let py = y + step as f32;
                if py < 0.0 || py >= self.height as f32 {
                    continue;
                }
                let px = x + lean * step as f32;
                let fade = 1.0 - (2.0 * step as f32 / length - 1.0).powi(2);
                for column in (px - wide).floor().max(0.0) as usize..((px + wide).ceil().max(0.0) as usize).min(self.width) {
                    let cover = (1.0 - ((column as f32 + 0.5 - px) / wide).abs()).max(0.0) * alpha * fade;
                    let pixel = &mut self.pixels[py as usize * self.width + column];
                    *pixel = pixel.map(|v| v + (light - v) * cover);
                }
            }
        }
    }

    /// Drops on the lens: each shows the picture around it upside down and blurred, brighter at one rim.
    fn drop_on_lens(&mut self, dice: &mut Dice) {
        let size = self.height as f32 / 1080.0;
        let radius = dice.range(8.0, 38.0) * size;
        let (cx, cy) = (dice.range(0.0, self.width as f32), dice.range(0.0, self.height as f32));
        let stretch = dice.range(1.0, 1.4);
        let source: Vec<[f32; 3]> = self.quarter(|p| p).pixels;
        let small = self.width.div_ceil(4);
        let rows = self.height.div_ceil(4);
        for y in (cy - radius * stretch).max(0.0) as usize..((cy + radius * stretch) as usize).min(self.height) {
            for x in (cx - radius).max(0.0) as usize..((cx + radius) as usize).min(self.width) {
                let (dx, dy) = ((x as f32 - cx) / radius, (y as f32 - cy) / radius / stretch);
                let d = dx.hypot(dy);
                let cover = ((1.0 - d) * 3.0).clamp(0.0, 0.85);
                let from = ((cx - dx * radius * 2.5) / 4.0, (cy - dy * radius * 2.5) / 4.0);
                let (fx, fy) = ((from.0.max(0.0) as usize).min(small - 1), (from.1.max(0.0) as usize).min(rows - 1));
                let seen = source[fy * small + fx];
                let rim = 0.9 + 0.25 * dy;
                let pixel = &mut self.pixels[y * self.width + x];
                *pixel = std::array::from_fn(|c| pixel[c] + (seen[c] * rim - pixel[c]) * cover);
            }
        }
    }

    /// What the camera makes of the picture: 8-bit sRGB.
    pub(crate) fn develop(mut self, light: &Light, optics: &Optics, dice: &mut Dice) -> RgbImage {
        if optics.streaks > 0 {
            let size = self.width as f32 / 1920.0;
            let rain = 0.15 + (light.horizon[1] * 0.75).min(0.8);
            self.streak((optics.streaks as f32 * size) as usize, rain, dice);
        }
        self.bloom(optics.bloom);
        for _ in 0..optics.drops {
            self.drop_on_lens(dice);
        }
        self.blur(optics.blur);
        smear_pixels(&mut self.pixels, self.width, self.height, optics.shake);
        let normals: Vec<f32> = (0..4096).map(|_| dice.normal()).collect();
        let curve = curve();
        let mut state = dice.word() | 1;
        let (half_w, half_h) = (self.width as f32 / 2.0, self.height as f32 / 2.0);
        let mut bytes = Vec::with_capacity(self.width * self.height * 3);
        for (y, row) in self.pixels.chunks_exact(self.width).enumerate() {
            let dy = (y as f32 - half_h) / half_w;
            for (x, pixel) in row.iter().enumerate() {
                let dx = (x as f32 - half_w) / half_w;
                // Corners get less light.
                let gain = optics.exposure * (1.0 - 0.13 * (dx * dx + dy * dy));
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let mut value: [f32; 3] = std::array::from_fn(|c| (pixel[c] * optics.cast[c] + optics.veil) * gain);
                if light.mono {
                    value = [0.40 * value[0] + 0.40 * value[1] + 0.20 * value[2]; 3];
                }
                // Neighbouring channels share part of their noise, as demosaicing makes them.
                let common = normals[(state & 4095) as usize];
                for (c, v) in value.iter().enumerate() {
                    let own = if light.mono { 0.0 } else { normals[((state >> (12 + 12 * c)) & 4095) as usize] };
                    let noise = (0.9 * common + 0.40 * own) * (optics.shot * v.max(0.0) + optics.floor).sqrt();
                    bytes.push(curve[((v + noise) * 1024.0).clamp(0.0, 4095.0) as usize]);
                }
            }
        }
        RgbImage::from_raw(self.width as u32, self.height as u32, bytes).unwrap_or_default()
    }
}

/// The tone curve: sRGB with a shoulder from 0.65 up, for light 0..4 in 4096 steps.
fn curve() -> Vec<u8> {
    (0..4096)
        .map(|step| {
            let v = step as f32 / 1024.0;
            let v = if v < 0.65 { v } else { 0.65 + 0.35 * (1.0 - (-(v - 0.65) / 0.35).exp()) };
            let s = if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
            (s * 255.0 + 0.5) as u8
        })
        .collect()
}

/// Blurs a layer along `motion` pixels, as an open shutter does while its vehicle moves.
pub(crate) fn smear(layer: &mut Layer, motion: [f32; 2]) {
    smear_pixels(&mut layer.pixels, layer.width, layer.height, motion);
}

/// Blurs rows of `N` channels along `motion` pixels; beyond the edges is nothing.
fn smear_pixels<const N: usize>(pixels: &mut [[f32; N]], width: usize, height: usize, motion: [f32; 2]) {
    let length = motion[0].hypot(motion[1]);
    if length < 0.6 {
        return;
    }
    let taps = (length * 1.5).ceil().clamp(3.0, 33.0) as usize;
    // Each tap moves the whole layer by the same part of a pixel: four weights for all pixels.
    let reach = (length / 2.0).ceil() as usize + 1;
    let (pw, ph) = (width + 2 * reach, height + 2 * reach);
    let mut padded = vec![[0.0f32; N]; pw * ph];
    for y in 0..height {
        padded[(y + reach) * pw + reach..][..width].copy_from_slice(&pixels[y * width..][..width]);
    }
    pixels.fill([0.0; N]);
    for tap in 0..taps {
        let t = tap as f32 / (taps - 1) as f32 - 0.5;
        let (u, v) = (reach as f32 + motion[0] * t, reach as f32 + motion[1] * t);
        let (x0, y0) = (u as usize, v as usize);
        let (fx, fy) = (u - x0 as f32, v - y0 as f32);
        for (dx, dy, weight) in [(0, 0, (1.0 - fx) * (1.0 - fy)), (1, 0, fx * (1.0 - fy)), (0, 1, (1.0 - fx) * fy), (1, 1, fx * fy)] {
            let weight = weight / taps as f32;
            if weight <= 0.0 {
                continue;
            }
            for y in 0..height {
                let source = padded[(y + y0 + dy) * pw + x0 + dx..][..width].as_flattened();
                for (out, from) in pixels[y * width..][..width].as_flattened_mut().iter_mut().zip(source) {
                    *out += from * weight;
                }
            }
        }
    }
}

/// `picture` as a JPEG with 4:2:0 colour, as cameras send it, at `quality` or as near to it as the bit rate allows: cameras hold a frame
/// between about 0.12 and 0.27 bytes a pixel (250 to 560 KB at 1080 lines; a guess after lane cameras' usual settings).
///
/// # Errors
/// `Caller` where the picture is larger than JPEG allows.
pub(crate) fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>> {
    let pixels = picture.as_raw().len() as f32 / 3.0;
    let mut quality = quality;
    let mut bytes = encode(picture, quality)?;
    for _ in 0..2 {
        let rate = bytes.len() as f32 / pixels;
        quality = match rate {
            r if r > 0.27 && quality > 40 => (f32::from(quality) * (0.27 / r).powf(0.45)).max(40.0) as u8,
            r if r < 0.12 && (70..94).contains(&quality) => 94,
            _ => break,
        };
        bytes = encode(picture, quality)?;
    }
    Ok(bytes)
}

fn encode(picture: &RgbImage, quality: u8) -> Result<Vec<u8>> {
    let size = |v: u32| u16::try_from(v).map_err(|_| Error::new(Fault::Caller, format!("{v} pixels are more than a JPEG can have (65535)")));
    let (width, height) = (size(picture.width())?, size(picture.height())?);
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    encoder
        .encode(picture.as_raw(), width, height, jpeg_encoder::ColorType::Rgb)
        .map_err(|error| Error::new(Fault::Machine, format!("JPEG encoding failed: {error}")))?;
    Ok(bytes)
}
