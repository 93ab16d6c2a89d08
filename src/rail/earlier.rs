//! The same car on another day: registered column by column, subtracted, and what is left judged against both scans' noise.
//!
//! The best single detector for empties (`shared/rail.md` 4.4), and registration is what it stands or falls with: speed is known to a few percent, couplers
//! to 0.3 m, and a car may come back the other way round. So the body's ends give a first line, and a path of least cost through the half-cell
//! shifts about it (Viterbi; ±1 m, at most half a cell per cell) gives the rest, for both directions, of which the cheaper is taken.
//!
//! Differences count against the counting noise of both scans, plus a quarter of a cell of misregistration at every edge and 3 % of the thickness
//! (gain, scatter). Wheels turn and springs move: axles are left out. What changes between visits by itself lies on floors (dunnage, debris) and stands out from
//! them, so the metre above an open floor is a detector of its own, and so is what is below it, where nothing changes: each with its own normal cars.

use super::blobs::{Differences, find};
use super::car::{CELL_MM, CarImage};
use super::finding::Suspect;
use super::residual::{quantile, smoothed};
use super::segment::CarSegment;
use super::shape::{Kind, Shape};

/// Shifts reach ±1 m about the line through the body's ends.
const REACH: i32 = (1000.0 / CELL_MM * 2.0) as i32;
/// Rows of the array are described in this many bands.
const BANDS: usize = 24;
/// Differences beyond this tell nothing more about the place, mm: a package must not pull the registration.
const MOST_MM: f32 = 6.0;
/// Cost of changing the shift by half a cell, in bands of 1 mm: the speed error of `shared/rail.md` 2.4 changes it every 20 cells or so.
const STEP_COST: f32 = 3.0;
/// Mean cost per band, mm, above which the two pictures are not the same car in the same state (loaded against empty, another car under the mark).
const WORST_MM: f32 = 3.0;

/// Today's car against an earlier scan of it.
pub struct Change {
    /// Thickness more than then, mm, `[column, row]` of today's image.
    pub mm: Vec<f32>,
    /// Standard error.
    pub sigma_mm: Vec<f32>,
    /// Mean difference of the bands after registration, mm: how well the two fit.
    pub misfit_mm: f32,
    /// Whether the car came the other way round.
    pub reversed: bool,
    /// For each cell along today's body, from `start`, the place in the earlier image, cells.
    pub places: Vec<f32>,
    /// First cell of today's body.
    pub start: usize,
    /// Where each cell is, `None` where nothing can be said.
    zones: Vec<Option<Zone>>,
}

/// Where in a car something has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// Below an open floor: frame, brakes, tanks of air.
    Under,
    /// On an open floor, and in reach of what lies there.
    Floor,
    /// Anywhere else.
    Above,
}

impl Zone {
    /// The zone at a height above the rail, mm. Floors reach higher here than [`Shape::on_floor`]: from visit to visit all that lies there changes, not only its lowest half metre.
    fn of(kind: Kind, height_mm: f64) -> Zone {
        match kind {
            Kind::Boxcar | Kind::Gondola | Kind::Flat if height_mm < 950.0 => Zone::Under,
            Kind::Boxcar | Kind::Gondola | Kind::Flat if height_mm < 1900.0 => Zone::Floor,
            // Between its trucks a well car's floor is as low as what hangs under others; the floor of an upper container (ISO 668: the lower one is 2.6 or 2.9 m high)
            // is a floor too.
            Kind::Well if height_mm < 1300.0 || (3000.0..4300.0).contains(&height_mm) => Zone::Floor,
            _ => Zone::Above,
        }
    }

    fn detector(self) -> &'static str {
        match self {
            Zone::Under => "earlier-under",
            Zone::Floor => "earlier-floor",
            Zone::Above => "earlier",
        }
    }
}

/// Means of bands of rows per cell along the car, kept below 80 mm so that opaque cargo does not drown the rest.
fn bands(image: &CarImage) -> Vec<[f32; BANDS]> {
    let h = image.height;
    (0..image.width)
        .map(|x| {
            std::array::from_fn(|band| {
                let rows = band * h / BANDS..((band + 1) * h / BANDS).max(band * h / BANDS + 1).min(h);
                let column = &image.steel_mm[x * h..(x + 1) * h];
                column[rows.clone()].iter().map(|mm| mm.clamp(-2.0, 80.0)).sum::<f32>() / rows.len().max(1) as f32
            })
        })
        .collect()
}

/// Values between two cells.
fn between<const N: usize>(bands: &[[f32; N]], at: f32) -> [f32; N] {
    let at = at.clamp(0.0, (bands.len() - 1) as f32);
    let (low, part) = (at as usize, at.fract());
    let high = (low + 1).min(bands.len() - 1);
    std::array::from_fn(|band| bands[low][band] * (1.0 - part) + bands[high][band] * part)
}

/// For each cell of today's body the place in the earlier image (in cells), and the mean cost per band, mm.
fn register(now: &[[f32; BANDS]], then: &[[f32; BANDS]], body: (usize, usize), then_body: (usize, usize), reversed: bool) -> (Vec<f32>, f32) {
    let length = body.1 - body.0;
    let stretch = (then_body.1 - then_body.0) as f32 / length.max(1) as f32;
    let line = |x: usize| {
        let along = (x - body.0) as f32 * stretch;
        if reversed { then_body.1 as f32 - 1.0 - along } else { then_body.0 as f32 + along }
    };
    let shifts = (2 * REACH + 1) as usize;
    // Every other cell is enough to follow the speed, and halves the work.
    let nodes: Vec<usize> = (body.0..body.1).step_by(2).collect();
    let mut best = vec![0.0_f32; shifts];
    let mut from = vec![0_i8; nodes.len() * shifts];
    for (node, &x) in nodes.iter().enumerate() {
        let mut next = vec![0.0_f32; shifts];
        for shift in 0..shifts {
            let (mut cost, mut step) = (best[shift], 0_i8);
            for change in [-1_i8, 1] {
                let other = shift as i32 + i32::from(change);
                if (0..shifts as i32).contains(&other) && best[other as usize] + STEP_COST < cost {
                    (cost, step) = (best[other as usize] + STEP_COST, change);
                }
            }
            let then = between(then, line(x) + (shift as i32 - REACH) as f32 / 2.0);
            let local: f32 = now[x].iter().zip(&then).map(|(a, b)| (a - b).abs().min(MOST_MM)).sum();
            next[shift] = cost + local;
            from[node * shifts + shift] = step;
        }
        best = next;
    }
    let mut shift = (0..shifts).min_by(|&a, &b| best[a].total_cmp(&best[b])).unwrap_or(0);
    let misfit = best[shift] / (nodes.len() * BANDS).max(1) as f32;
    let mut path = vec![0.0_f32; nodes.len()];
    for node in (0..nodes.len()).rev() {
        path[node] = (shift as i32 - REACH) as f32 / 2.0;
        shift = (shift as i32 + i32::from(from[node * shifts + shift])) as usize;
    }
    // The speed is smooth: half-cell steps are averaged over 0.7 m.
    let smooth: Vec<f32> = (0..path.len())
        .map(|node| {
            let window = &path[node.saturating_sub(5)..(node + 6).min(path.len())];
            window.iter().sum::<f32>() / window.len() as f32
        })
        .collect();
    let places = (body.0..body.1).map(|x| line(x) + smooth[(x - body.0) / 2]).collect();
    (places, misfit)
}

impl Change {
    /// Registers and subtracts; `None` where the two pictures are not of the same car in the same state.
    pub fn of(image: &CarImage, shape: &Shape, segment: &CarSegment, earlier: &CarImage, earlier_shape: &Shape) -> Option<Change> {
        let (w, h) = (image.width, image.height);
        if earlier.height != h || shape.body.len() < 60 || earlier_shape.body.len() < 60 {
            return None;
        }
        let (now, then) = (bands(image), bands(earlier));
        let ends = (shape.body.start, shape.body.end);
        let then_ends = (earlier_shape.body.start, earlier_shape.body.end);
        let ahead = register(&now, &then, ends, then_ends, false);
        let back = register(&now, &then, ends, then_ends, true);
        let reversed = back.1 < ahead.1;
        let (places, misfit_mm) = if reversed { back } else { ahead };
        if misfit_mm > WORST_MM {
            return None;
        }
        let edges = smoothed(earlier, 1);
        let mut change = Change {
            mm: vec![0.0; w * h],
            sigma_mm: vec![1.0; w * h],
            misfit_mm,
            reversed,
            places: places.clone(),
            start: shape.body.start,
            zones: vec![None; w * h],
        };
        let mut offsets: Vec<f32> = Vec::new();
        for (x, place) in (shape.body.start..shape.body.end).zip(places) {
            let place = place.clamp(0.0, (earlier.width - 1) as f32);
            let (low, part) = (place as usize, place.fract());
            let high = (low + 1).min(earlier.width - 1);
            let (before, after) = (low.saturating_sub(1), (high + 1).min(earlier.width - 1));
            let near_axle = segment.axles_mm.iter().any(|axle| (axle - (x as f64 + 0.5) * CELL_MM).abs() < 600.0);
            for y in 0..h {
                let (index, a, b) = (x * h + y, low * h + y, high * h + y);
                let expected = earlier.steel_mm[a] * (1.0 - part) + earlier.steel_mm[b] * part;
                let variance = (earlier.sigma_mm[a] * (1.0 - part)).powi(2) + (earlier.sigma_mm[b] * part).powi(2);
                let slope = (edges[after * h + y] - edges[before * h + y]).abs() / (after - before).max(1) as f32;
                change.mm[index] = image.steel_mm[index] - expected;
                change.sigma_mm[index] = (image.sigma_mm[index].powi(2) + variance + (0.25 * slope).powi(2) + (0.03 * expected).powi(2)).sqrt();
                let height = image.height_mm(y);
                let seen = height > 150.0 && height < f64::from(shape.top_mm[x]) + 100.0 && !(near_axle && height < 1050.0);
                let hidden = image.limited[index] && earlier.limited[a] || image.unmeasured[index] || earlier.unmeasured[a];
                if seen && !hidden {
                    change.zones[index] = Some(Zone::of(shape.kind, height));
                    offsets.push(change.mm[index]);
                }
            }
        }
        let offset = quantile(&mut offsets, 0.5);
        change.mm.iter_mut().for_each(|mm| *mm -= offset);
        Some(change)
    }

    /// What is more, and what is less, than it was: each detector that looked, with what it saw.
    pub fn suspects(&self, image: &CarImage) -> Vec<(&'static str, Vec<Suspect>)> {
        let mut looked = Vec::new();
        for zone in [Zone::Above, Zone::Floor, Zone::Under] {
            let mask: Vec<bool> = self.zones.iter().map(|&of| of == Some(zone)).collect();
            // Who has no such zone did not see that nothing is in it.
            if zone != Zone::Above && !mask.contains(&true) {
                continue;
            }
            let map = Differences { mm: vec![&self.mm], sigma_mm: vec![&self.sigma_mm], mask: &mask };
            looked.push((zone.detector(), find(image, &map, 1.0, 3.0, 4, zone.detector(), "changed")));
            // What was taken away is news of a lesser kind, and only above the floor.
            if zone == Zone::Above {
                looked.push(("earlier-less", find(image, &map, -1.0, 4.0, 2, "earlier-less", "density-")));
            }
        }
        looked
    }
}
