//! The beam and the shapes it crosses: how many g/cm² of what each detector looks through at each column.
//!
//! A point source stands beside the track at the height `source_z_m`, a vertical column of detectors behind the track; the fan between
//! them is a plane across the track, and the train moves through it. Axes: x along the car from its head end, y across the track and
//! away from the source with 0 in the middle of the track, z up from the rail. Ray i is named by the height at which it crosses y = 0.
//!
//! Every part is an extrusion along x of a rectangle or an ellipse in the y-z plane, whose measures may change with x; its chord with a ray
//! is closed form, so areal densities are exact for point rays. A detector is [`SUB`] rays deep (its height, averaged in g/cm²), a
//! column as wide as the train moved during one readout (averaged in g/cm² at a part's ends).
//!
//! Caveat: averaging g/cm² rather than transmission over a pixel is off where a pixel is cut by the edge of something very dense
//! (a pixel half covered by opaque steel comes out too dark by a few per cent of air), much less than the detectors' own blur.

use super::attenuation::{PLANES, Plane, Stuff};

/// Rays per detector.
const SUB: usize = 3;

/// Where source and detectors stand.
#[derive(Debug, Clone, Copy)]
pub struct Portal {
    /// Source to the middle of the track, m.
    pub source_to_centre_m: f64,
    /// Height of the source over the rail, m.
    pub source_z_m: f64,
    /// Height of detector 0 at the middle of the track, m.
    pub top_m: f64,
    /// Detector pitch at the middle of the track, m.
    pub pitch_m: f64,
    /// Number of detectors, counted from the top.
    pub detectors: usize,
}

/// The fan of rays of a portal.
#[derive(Debug, Clone)]
pub struct Rays {
    /// The portal.
    pub portal: Portal,
    /// dz/dy of each ray, [detector * SUB + sub].
    slope: Vec<f32>,
    /// 1/slope, huge for the level ray.
    inverse: Vec<f32>,
    /// cm of path per m of y: 100 sqrt(1 + slope²).
    stretch: Vec<f32>,
}

impl Rays {
    /// The rays of `portal`.
    #[must_use]
    pub fn new(portal: Portal) -> Rays {
        let mut rays = Rays { portal, slope: Vec::new(), inverse: Vec::new(), stretch: Vec::new() };
        for i in 0..portal.detectors {
            for sub in 0..SUB {
                let z = portal.top_m - portal.pitch_m * (i as f64 + (sub as f64 - (SUB - 1) as f64 / 2.0) / SUB as f64);
                let slope = (z - portal.source_z_m) / portal.source_to_centre_m;
                rays.slope.push(slope as f32);
                rays.inverse.push(if slope.abs() < 1e-7 { 1e7 } else { (1.0 / slope) as f32 });
                rays.stretch.push(100.0 * (1.0 + slope * slope).sqrt() as f32);
            }
        }
        rays
    }

    /// The detector (fractional) that sees the point (y, z).
    #[must_use]
    pub fn detector(&self, y_m: f64, z_m: f64) -> f64 {
        let p = &self.portal;
        let at_centre = p.source_z_m + (z_m - p.source_z_m) * p.source_to_centre_m / (p.source_to_centre_m + y_m);
        (p.top_m - at_centre) / p.pitch_m
    }

    /// Half-open range of detectors that can see the rectangle.
    fn range(&self, section: &Section) -> (usize, usize) {
        let corners = [
            self.detector(section.y0, section.z0),
            self.detector(section.y1, section.z0),
            self.detector(section.y0, section.z1),
            self.detector(section.y1, section.z1),
        ];
        let low = corners.iter().copied().fold(f64::INFINITY, f64::min) - 1.0;
        let high = corners.iter().copied().fold(f64::NEG_INFINITY, f64::max) + 2.0;
        let last = self.portal.detectors as f64;
        (low.clamp(0.0, last) as usize, high.clamp(0.0, last) as usize)
    }
}

/// A cut through a part across the track, m; for an ellipse, the rectangle around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Section {
    /// Near side (to the source).
    pub y0: f64,
    /// Far side.
    pub y1: f64,
    /// Bottom.
    pub z0: f64,
    /// Top.
    pub z1: f64,
}

impl Section {
    /// From its four sides.
    #[must_use]
    pub fn new(y0: f64, y1: f64, z0: f64, z1: f64) -> Section {
        Section { y0, y1, z0, z1 }
    }

    /// The rectangle around an ellipse of radii (ry, rz) about (yc, zc).
    #[must_use]
    pub fn round(yc: f64, zc: f64, ry: f64, rz: f64) -> Section {
        Section { y0: yc - ry, y1: yc + ry, z0: zc - rz, z1: zc + rz }
    }

    fn is_empty(&self) -> bool {
        self.y1 <= self.y0 || self.z1 <= self.z0
    }
}

/// What a ray's chord is taken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Rectangle,
    Ellipse,
}

/// Areal densities being drawn: g/cm², one plane per material, [plane][column, detector].
pub struct Canvas<'a> {
    rays: &'a Rays,
    /// Where in the car each column's readout began and ended, m (head end 0); the two differ by the way travelled and may run backwards.
    columns: &'a [(f64, f64)],
    planes: Vec<f32>,
    touched: Option<Vec<bool>>,
    grams: f64,
    chords: Vec<f32>,
}

impl<'a> Canvas<'a> {
    /// An empty canvas. `columns`: from-to position in the car of each column, m.
    #[must_use]
    pub fn new(rays: &'a Rays, columns: &'a [(f64, f64)]) -> Canvas<'a> {
        let pixels = rays.portal.detectors * columns.len();
        Canvas { rays, columns, planes: vec![0.0; PLANES * pixels], touched: None, grams: 0.0, chords: vec![0.0; rays.portal.detectors] }
    }

    /// The same, remembering which pixels a part was drawn over, whatever its density.
    #[must_use]
    pub fn with_mask(rays: &'a Rays, columns: &'a [(f64, f64)]) -> Canvas<'a> {
        let mut canvas = Canvas::new(rays, columns);
        canvas.touched = Some(vec![false; rays.portal.detectors * columns.len()]);
        canvas
    }

    /// The fan it is drawn with.
    #[must_use]
    pub fn rays(&self) -> &Rays {
        self.rays
    }

    /// g/cm², [plane][column, detector].
    #[must_use]
    pub fn planes(&self) -> &[f32] {
        &self.planes
    }

    /// The drawn pixels, [column, detector]; empty unless made by [`Canvas::with_mask`].
    #[must_use]
    pub fn mask(&self) -> &[bool] {
        self.touched.as_deref().unwrap_or(&[])
    }

    /// Grams drawn since the beginning (whole parts, also what lies outside the columns); taken-away parts count negative.
    #[must_use]
    pub fn grams(&self) -> f64 {
        self.grams
    }

    /// Becomes a copy of another canvas's planes; only for reading and adding afterwards.
    pub fn copy_from(&mut self, other: &Canvas<'_>) {
        self.planes.clear();
        self.planes.extend_from_slice(&other.planes);
    }

    /// Adds `factor` times another canvas of the same size, nowhere going below zero.
    pub fn add(&mut self, other: &Canvas<'_>, factor: f32) {
        for (mine, theirs) in self.planes.iter_mut().zip(&other.planes) {
            *mine = (*mine + factor * theirs).max(0.0);
        }
    }

    /// Nothing is less than empty: called after parts were taken away.
    pub fn clamp(&mut self) {
        for value in &mut self.planes {
            *value = value.max(0.0);
        }
    }

    /// A box.
    #[allow(clippy::too_many_arguments)]
    pub fn slab(&mut self, stuff: Stuff, x0: f64, x1: f64, y0: f64, y1: f64, z0: f64, z1: f64) {
        let section = Section::new(y0, y1, z0, z1);
        if section.is_empty() || x1 <= x0 {
            return;
        }
        self.grams += (x1 - x0) * (y1 - y0) * (z1 - z0) * 1e6 * stuff.density_g_cm3 * stuff.grams;
        let (from, to) = self.chord(&section, Shape::Rectangle);
        for column in 0..self.columns.len() {
            let share = overlap(self.columns[column], x0, x1);
            if share > 0.0 {
                self.lay(stuff, column, from, to, share);
            }
        }
    }

    /// A part between x0 and x1 whose rectangular section depends on x.
    pub fn prism(&mut self, stuff: Stuff, x0: f64, x1: f64, section: impl Fn(f64) -> Section) {
        self.extrude(stuff, x0, x1, Shape::Rectangle, section);
    }

    /// A part between x0 and x1 whose section is an ellipse in the given rectangle.
    pub fn tube(&mut self, stuff: Stuff, x0: f64, x1: f64, section: impl Fn(f64) -> Section) {
        self.extrude(stuff, x0, x1, Shape::Ellipse, section);
    }

    /// An ellipsoid.
    #[allow(clippy::too_many_arguments)]
    pub fn ellipsoid(&mut self, stuff: Stuff, x: f64, y: f64, z: f64, rx: f64, ry: f64, rz: f64) {
        self.tube(stuff, x - rx, x + rx, |at| {
            let scale = (1.0 - ((at - x) / rx).powi(2)).max(0.0).sqrt();
            Section::round(y, z, ry * scale, rz * scale)
        });
    }

    /// A disc or roller lying across the track: axis along y.
    pub fn roller(&mut self, stuff: Stuff, x: f64, z: f64, radius: f64, y0: f64, y1: f64) {
        self.prism(stuff, x - radius, x + radius, |at| {
            let half = (radius * radius - (at - x).powi(2)).max(0.0).sqrt();
            Section::new(y0, y1, z - half, z + half)
        });
    }

    /// A standing cylinder: axis along z.
    #[allow(clippy::too_many_arguments)]
    pub fn drum(&mut self, stuff: Stuff, x: f64, y: f64, radius: f64, z0: f64, z1: f64) {
        self.prism(stuff, x - radius, x + radius, |at| {
            let half = (radius * radius - (at - x).powi(2)).max(0.0).sqrt();
            Section::new(y - half, y + half, z0, z1)
        });
    }

    /// A sheet or bar of constant height running straight from (x0, z at its middle) to (x1, z).
    #[allow(clippy::too_many_arguments)]
    pub fn slope(&mut self, stuff: Stuff, (xa, za): (f64, f64), (xb, zb): (f64, f64), height: f64, y0: f64, y1: f64) {
        let (xa, za, xb, zb) = if xa <= xb { (xa, za, xb, zb) } else { (xb, zb, xa, za) };
        if xb - xa < 1e-6 {
            return;
        }
        self.prism(stuff, xa, xb, |x| {
            let z = za + (zb - za) * (x - xa) / (xb - xa);
            Section::new(y0, y1, z - height / 2.0, z + height / 2.0)
        });
    }

    fn extrude(&mut self, stuff: Stuff, x0: f64, x1: f64, shape: Shape, section: impl Fn(f64) -> Section) {
        if x1 <= x0 {
            return;
        }
        self.weigh(stuff, x0, x1, shape, &section);
        for column in 0..self.columns.len() {
            let share = overlap(self.columns[column], x0, x1);
            if share <= 0.0 {
                continue;
            }
            let (from, to) = self.columns[column];
            let middle = (from + to) / 2.0;
            let section = section(middle.clamp(x0, x1));
            if section.is_empty() {
                continue;
            }
            let (first, last) = self.chord(&section, shape);
            self.lay(stuff, column, first, last, share);
        }
    }

    fn weigh(&mut self, stuff: Stuff, x0: f64, x1: f64, shape: Shape, section: &impl Fn(f64) -> Section) {
        const STEPS: usize = 24;
        let fill = if shape == Shape::Ellipse { std::f64::consts::FRAC_PI_4 } else { 1.0 };
        let area: f64 = (0..STEPS)
            .map(|k| section(x0 + (x1 - x0) * (k as f64 + 0.5) / STEPS as f64))
            .filter(|s| !s.is_empty())
            .map(|s| (s.y1 - s.y0) * (s.z1 - s.z0) * fill)
            .sum();
        self.grams += area / STEPS as f64 * (x1 - x0) * 1e6 * stuff.density_g_cm3 * stuff.grams;
    }

    /// Chords (cm) with the section into `self.chords`, and the range of detectors that may have one.
    fn chord(&mut self, section: &Section, shape: Shape) -> (usize, usize) {
        let (from, to) = self.rays.range(section);
        let source_y = -self.rays.portal.source_to_centre_m as f32;
        let source_z = self.rays.portal.source_z_m as f32;
        let (y0, y1) = (section.y0 as f32 - source_y, section.y1 as f32 - source_y);
        let (z0, z1) = (section.z0 as f32 - source_z, section.z1 as f32 - source_z);
        let (yc, zc) = ((y0 + y1) / 2.0, (z0 + z1) / 2.0);
        let (ry, rz) = ((y1 - y0) / 2.0, (z1 - z0) / 2.0);
        for detector in from..to {
            let mut sum = 0.0;
            for k in detector * SUB..(detector + 1) * SUB {
                let along = match shape {
                    Shape::Rectangle => {
                        let (a, b) = (z0 * self.rays.inverse[k], z1 * self.rays.inverse[k]);
                        y1.min(a.max(b)) - y0.max(a.min(b))
                    }
                    Shape::Ellipse => {
                        // |((y - yc)/ry, (s y - zc)/rz)| = 1, a quadratic in y.
                        let s = self.rays.slope[k];
                        let (p, q) = (1.0 / (ry * ry), 1.0 / (rz * rz));
                        let (a, b, c) = (p + q * s * s, p * yc + q * s * zc, p * yc * yc + q * zc * zc - 1.0);
                        let discriminant = b * b - a * c;
                        if discriminant > 0.0 { 2.0 * discriminant.sqrt() / a } else { 0.0 }
                    }
                };
                sum += along.max(0.0) * self.rays.stretch[k];
            }
            self.chords[detector] = sum / SUB as f32;
        }
        (from, to)
    }

    fn lay(&mut self, stuff: Stuff, column: usize, from: usize, to: usize, share: f64) {
        let detectors = self.rays.portal.detectors;
        let factor = (share * stuff.density_g_cm3) as f32;
        let plane = (stuff.plane as usize) * detectors * self.columns.len();
        let row = plane + column * detectors;
        for (value, chord) in self.planes[row + from..row + to].iter_mut().zip(&self.chords[from..to]) {
            *value += factor * chord;
        }
        if let Some(touched) = &mut self.touched {
            let row = column * detectors;
            for (seen, chord) in touched[row + from..row + to].iter_mut().zip(&self.chords[from..to]) {
                *seen |= *chord > 0.0;
            }
        }
    }
}

/// The share of a column's way that lies between x0 and x1; a standing column counts by where it stands.
fn overlap((from, to): (f64, f64), x0: f64, x1: f64) -> f64 {
    let (low, high) = (from.min(to), from.max(to));
    let width = high - low;
    if width < 1e-5 {
        return if low >= x0 && low < x1 { 1.0 } else { 0.0 };
    }
    ((high.min(x1) - low.max(x0)) / width).max(0.0)
}

/// The open planes' total for a pixel, g/cm², all materials together: what masks of "something there" are made of.
#[must_use]
pub fn total_g_cm2(planes: &[f32], pixels: usize, pixel: usize) -> f32 {
    (0..PLANES).map(|plane| planes[plane * pixels + pixel]).sum()
}

const _: () = assert!(Plane::Water as usize + 1 == PLANES);

#[cfg(test)]
mod tests {
    use super::*;

    fn portal() -> Portal {
        Portal { source_to_centre_m: 7.2, source_z_m: 2.3, top_m: 5.85, pitch_m: 0.016, detectors: 368 }
    }

    #[test]
    fn a_wall_is_as_thick_as_it_is() {
        let rays = Rays::new(portal());
        let columns: Vec<(f64, f64)> = (0..20).map(|k| (f64::from(k) * 0.016, f64::from(k + 1) * 0.016)).collect();
        let mut canvas = Canvas::new(&rays, &columns);
        canvas.slab(Stuff::of("steel"), 0.0, 10.0, -0.01, 0.01, 0.0, 5.0);
        // The level ray crosses 20 mm of steel: 15.7 g/cm²; a steep one more by 1/cos.
        let level = rays.detector(0.0, 2.3).round() as usize;
        assert!((canvas.planes()[10 * 368 + level] - 15.70).abs() < 0.01);
        let steep = rays.detector(0.0, 4.8).round() as usize;
        let secant = (1.0 + (2.5_f32 / 7.2).powi(2)).sqrt();
        assert!((canvas.planes()[10 * 368 + steep] / (15.70 * secant) - 1.0).abs() < 2e-3);
    }

    #[test]
    fn a_sphere_has_its_mass() {
        let rays = Rays::new(portal());
        let columns: Vec<(f64, f64)> = (0..200).map(|k| (f64::from(k) * 0.016, f64::from(k + 1) * 0.016)).collect();
        let mut canvas = Canvas::with_mask(&rays, &columns);
        canvas.ellipsoid(Stuff::of("water"), 1.6, 0.0, 2.3, 0.5, 0.5, 0.5);
        let volume = 4.0 / 3.0 * std::f64::consts::PI * 0.125 * 1e6;
        assert!((canvas.grams() / volume - 1.0).abs() < 0.01, "{}", canvas.grams() / volume);
        // What the pixels add up to, at the magnification of the centre plane: chords times pixel area.
        let seen: f64 = canvas.planes().iter().map(|g| f64::from(*g) * 1.6 * 1.6).sum();
        assert!((seen / volume - 1.0).abs() < 0.02, "{}", seen / volume);
        assert!(canvas.mask().iter().filter(|m| **m).count() > 2500);
    }

    #[test]
    fn standing_columns_see_what_they_stand_at() {
        assert!((overlap((1.0, 1.0), 0.5, 2.0) - 1.0).abs() < 1e-9);
        assert!((overlap((1.0, 0.9), 0.95, 2.0) - 0.5).abs() < 1e-9);
        assert!(overlap((0.0, 0.1), 0.2, 0.3) <= 0.0);
    }
}
