//! A flat picture of a surface (a vehicle's face, a plate, a sign) in metres, painted with shapes and sampled with mip levels.
//!
//! Everything here is linear light: reflectances 0..1, y down from the top.

use super::strokes::{self, Die};

/// What a point of a surface does with light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Paint {
    /// Diffuse reflectance, linear RGB in 0..1.
    pub albedo: [f32; 3],
    /// How much of a mirror's clear coat there is on top, 0 (chalk) to 1 (lacquer, glass).
    pub gloss: f32,
    /// How much of the surface is bare metal: mirrors at every angle, 0..1.
    pub metal: f32,
    /// Own light, linear RGB, in units of the exposure (1 = white).
    pub emit: [f32; 3],
    /// Retroreflection: how much of the camera's own lamp returns, relative to white paint (sheeting is some 8..20; a guess, unmeasured).
    pub retro: f32,
}

impl Paint {
    /// Matt paint of an sRGB colour `0xRRGGBB`.
    pub(crate) fn matt(srgb: u32) -> Paint {
        Paint { albedo: linear(srgb), gloss: 0.0, metal: 0.0, emit: [0.0; 3], retro: 0.0 }
    }

    /// The same with gloss and metal.
    pub(crate) fn shiny(srgb: u32, gloss: f32, metal: f32) -> Paint {
        Paint { gloss, metal, ..Paint::matt(srgb) }
    }

    /// The same, giving off light.
    pub(crate) fn lit(self, emit: [f32; 3]) -> Paint {
        Paint { emit, ..self }
    }

    /// The same, its reflectance scaled.
    pub(crate) fn scaled(mut self, factor: f32) -> Paint {
        self.albedo = self.albedo.map(|c| (c * factor).min(1.0));
        self
    }

    /// `self` with `share` of `other` over it.
    pub(crate) fn mixed(&self, other: &Paint, share: f32) -> Paint {
        let mix = |a: f32, b: f32| a + (b - a) * share;
        let mix3 = |a: [f32; 3], b: [f32; 3]| [mix(a[0], b[0]), mix(a[1], b[1]), mix(a[2], b[2])];
        Paint {
            albedo: mix3(self.albedo, other.albedo),
            gloss: mix(self.gloss, other.gloss),
            metal: mix(self.metal, other.metal),
            emit: mix3(self.emit, other.emit),
            retro: mix(self.retro, other.retro),
        }
    }
}

/// Linear RGB of an sRGB colour `0xRRGGBB`.
pub(crate) fn linear(srgb: u32) -> [f32; 3] {
    let channel = |shift: u32| {
        let v = ((srgb >> shift) & 255) as f32 / 255.0;
        if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    };
    [channel(16), channel(8), channel(0)]
}

/// A rectangle that bounds a shape: left, top, right, bottom, in the canvas's units.
pub(crate) type Bounds = [f32; 4];

/// A flat picture: `texels` are rows from the top; `scale` is texels per unit; the left top texel's corner is at `origin`.
#[derive(Clone)]
pub(crate) struct Canvas {
    pub width: usize,
    pub height: usize,
    pub scale: f32,
    pub origin: [f32; 2],
    pub texels: Vec<Paint>,
}

impl Canvas {
    /// A canvas over `bounds`, all `paint`.
    pub(crate) fn new(bounds: Bounds, scale: f32, paint: Paint) -> Canvas {
        let width = ((bounds[2] - bounds[0]) * scale).ceil().max(1.0) as usize;
        let height = ((bounds[3] - bounds[1]) * scale).ceil().max(1.0) as usize;
        Canvas { width, height, scale, origin: [bounds[0], bounds[1]], texels: vec![paint; width * height] }
    }

    /// Calls `brush(x, y, texel)` for every texel within `bounds`.
    pub(crate) fn each(&mut self, bounds: Bounds, mut brush: impl FnMut(f32, f32, &mut Paint)) {
        let column = |x: f32| ((x - self.origin[0]) * self.scale).clamp(0.0, self.width as f32) as usize;
        let row = |y: f32| ((y - self.origin[1]) * self.scale).clamp(0.0, self.height as f32) as usize;
        let (x0, x1) = (column(bounds[0]), (column(bounds[2]) + 1).min(self.width));
        let (y0, y1) = (row(bounds[1]), (row(bounds[3]) + 1).min(self.height));
        for y in y0..y1 {
            let py = self.origin[1] + (y as f32 + 0.5) / self.scale;
            for x in x0..x1 {
                brush(self.origin[0] + (x as f32 + 0.5) / self.scale, py, &mut self.texels[y * self.width + x]);
            }
        }
    }

    /// Fills where `distance` (signed, in units, negative inside) says, anti-aliased.
    pub(crate) fn fill(&mut self, bounds: Bounds, paint: Paint, distance: impl Fn(f32, f32) -> f32) {
        self.blend(bounds, paint, 1.0, 0.0, distance);
    }

    /// Fills with `alpha` 0..1 and an edge that is `soft` units wide beyond the anti-aliasing.
    pub(crate) fn blend(&mut self, bounds: Bounds, paint: Paint, alpha: f32, soft: f32, distance: impl Fn(f32, f32) -> f32) {
        let sharp = 1.0 / (1.0 / self.scale + soft);
        let margin = 1.0 / self.scale + soft;
        self.each([bounds[0] - margin, bounds[1] - margin, bounds[2] + margin, bounds[3] + margin], |x, y, texel| {
            let cover = (0.5 - distance(x, y) * sharp).clamp(0.0, 1.0) * alpha;
            if cover > 0.0 {
                *texel = texel.mixed(&paint, cover);
            }
        });
    }

    /// A rounded rectangle.
    pub(crate) fn rect(&mut self, b: Bounds, radius: f32, paint: Paint) {
        self.fill(b, paint, |x, y| rounded_rect(x, y, b, radius));
    }

    /// A rounded rectangle with alpha and a soft edge.
    pub(crate) fn soft_rect(&mut self, b: Bounds, radius: f32, soft: f32, alpha: f32, paint: Paint) {
        self.blend(b, paint, alpha, soft, |x, y| rounded_rect(x, y, b, radius));
    }

    /// An ellipse around `(cx, cy)`.
    pub(crate) fn ellipse(&mut self, cx: f32, cy: f32, rx: f32, ry: f32, paint: Paint) {
        let small = rx.min(ry);
        self.fill([cx - rx, cy - ry, cx + rx, cy + ry], paint, |x, y| ((((x - cx) / rx).powi(2) + ((y - cy) / ry).powi(2)).sqrt() - 1.0) * small);
    }

    /// A polygon (not self-crossing).
    pub(crate) fn polygon(&mut self, points: &[[f32; 2]], paint: Paint) {
        let bounds = points.iter().fold([f32::MAX, f32::MAX, f32::MIN, f32::MIN], |b, p| [b[0].min(p[0]), b[1].min(p[1]), b[2].max(p[0]), b[3].max(p[1])]);
        self.fill(bounds, paint, |x, y| polygon_distance(x, y, points));
    }

    /// A line of `width` with round ends.
    pub(crate) fn line(&mut self, from: [f32; 2], to: [f32; 2], width: f32, paint: Paint) {
        let half = width / 2.0;
        let bounds = [from[0].min(to[0]) - half, from[1].min(to[1]) - half, from[0].max(to[0]) + half, from[1].max(to[1]) + half];
        self.fill(bounds, paint, |x, y| segment_distance([x, y], from, to, false) - half);
    }

    /// Writes `text` with its left top at `(x, y)`, `height` units high, sheared by `slant` (0 upright, 0.25 like a script) and stretched
    /// to `stretch` times its natural width. Characters without a glyph are skipped.
    pub(crate) fn text(&mut self, die: &Die, text: &str, at: [f32; 2], height: f32, stretch: f32, slant: f32, paint: Paint) {
        let mut x = at[0];
        for character in text.chars() {
            self.character(die, character, [x, at[1]], height, stretch, slant, paint);
            x += (strokes::advance(die, character) + die.gap) * height * stretch;
        }
    }

    /// The same, centred on `(cx, cy)` and shrunk in width to fit `room` units; answers the width used.
    pub(crate) fn text_centred(&mut self, die: &Die, text: &str, centre: [f32; 2], height: f32, room: f32, slant: f32, paint: Paint) -> f32 {
        let natural = strokes::length(die, text) * height;
        let stretch = (room / natural.max(1e-6)).min(1.0);
        self.text(die, text, [centre[0] - natural * stretch / 2.0, centre[1] - height / 2.0], height, stretch, slant, paint);
        natural * stretch
    }

    /// One character; see [`Canvas::text`].
    pub(crate) fn character(&mut self, die: &Die, character: char, at: [f32; 2], height: f32, stretch: f32, slant: f32, paint: Paint) {
        let half = die.pen * height / 2.0;
        let strokes = strokes::outline(die, character, height);
        let reach = strokes::advance(die, character) * height + half;
        let bounds = [at[0] - half - slant.abs() * height, at[1] - half, at[0] + reach * stretch + slant.abs() * height, at[1] + height * 1.15 + half];
        let squeeze = 1.0 / die.horizontal;
        // A stroke's end that is square shows as such only where texels are fine enough; the distance is the same elsewhere.
        self.fill(bounds, paint, |x, y| {
            let v = y - at[1];
            let u = (x - at[0] - slant * (height / 2.0 - v)) / stretch;
            let mut nearest = f32::MAX;
            for stroke in &strokes {
                let last = stroke.points.len().saturating_sub(2);
                for (index, pair) in stroke.points.windows(2).enumerate() {
                    let square = stroke.square && (index == 0 || index == last);
                    // Horizontal strokes are thinner: distances along y count for more.
                    let p = [u, v * squeeze];
                    let a = [pair[0][0], pair[0][1] * squeeze];
                    let b = [pair[1][0], pair[1][1] * squeeze];
                    nearest = nearest.min(segment_distance(p, a, b, square));
                }
            }
            (nearest - half) * stretch.min(1.0)
        });
    }

    /// The canvas at half the size.
    pub(crate) fn halved(&self) -> Canvas {
        let (width, height) = ((self.width / 2).max(1), (self.height / 2).max(1));
        let mut texels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let at = |dx: usize, dy: usize| &self.texels[(2 * y + dy).min(self.height - 1) * self.width + (2 * x + dx).min(self.width - 1)];
                texels.push(at(0, 0).mixed(at(1, 0), 0.5).mixed(&at(0, 1).mixed(at(1, 1), 0.5), 0.5));
            }
        }
        Canvas { width, height, scale: self.scale * width as f32 / self.width as f32, origin: self.origin, texels }
    }

    /// The canvas halved until it has at most `scale` texels per unit.
    pub(crate) fn reduced_to(self, scale: f32) -> Canvas {
        let mut canvas = self;
        while canvas.scale > scale * 1.5 && canvas.width > 8 {
            canvas = canvas.halved();
        }
        canvas
    }

    /// The surface at `(x, y)` units, interpolated; clamped at the edges.
    pub(crate) fn sample(&self, x: f32, y: f32) -> Paint {
        let u = ((x - self.origin[0]) * self.scale - 0.5).clamp(0.0, self.width as f32 - 1.0);
        let v = ((y - self.origin[1]) * self.scale - 0.5).clamp(0.0, self.height as f32 - 1.0);
        let (x0, y0) = (u as usize, v as usize);
        let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
        let (fx, fy) = (u - x0 as f32, v - y0 as f32);
        let top = self.texels[y0 * self.width + x0].mixed(&self.texels[y0 * self.width + x1], fx);
        let bottom = self.texels[y1 * self.width + x0].mixed(&self.texels[y1 * self.width + x1], fx);
        top.mixed(&bottom, fy)
    }
}

/// Length of a vector; without `hypot`'s care for overflow, which costs more than all the rest.
pub(crate) fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

/// Signed distance to a rounded rectangle.
pub(crate) fn rounded_rect(x: f32, y: f32, b: Bounds, radius: f32) -> f32 {
    let (cx, cy) = ((b[0] + b[2]) / 2.0, (b[1] + b[3]) / 2.0);
    let (dx, dy) = ((x - cx).abs() - (b[2] - b[0]) / 2.0 + radius, (y - cy).abs() - (b[3] - b[1]) / 2.0 + radius);
    length(dx.max(0.0), dy.max(0.0)) + dx.max(dy).min(0.0) - radius
}

/// Signed distance to a polygon.
fn polygon_distance(x: f32, y: f32, points: &[[f32; 2]]) -> f32 {
    let mut nearest = f32::MAX;
    let mut inside = false;
    for (index, &b) in points.iter().enumerate() {
        let a = points[(index + points.len() - 1) % points.len()];
        nearest = nearest.min(segment_distance([x, y], a, b, false));
        if (a[1] > y) != (b[1] > y) && x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]) {
            inside = !inside;
        }
    }
    if inside { -nearest } else { nearest }
}

/// Distance from `p` to the segment `a`-`b`; around a `square` end its contours are square, not round.
fn segment_distance(p: [f32; 2], a: [f32; 2], b: [f32; 2], square: bool) -> f32 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let (px, py) = (p[0] - a[0], p[1] - a[1]);
    let squared = (dx * dx + dy * dy).max(1e-12);
    let t = (px * dx + py * dy) / squared;
    let clamped = t.clamp(0.0, 1.0);
    if square && t != clamped {
        let length = squared.sqrt();
        let beyond = (if t < 0.0 { -t } else { t - 1.0 }) * length;
        let aside = (px * dy - py * dx).abs() / length;
        return aside.max(beyond);
    }
    length(px - dx * clamped, py - dy * clamped)
}
