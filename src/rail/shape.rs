//! The outline of a car: where its body begins and ends, how high it is, what kind of car that makes it.
//!
//! Goal: kind for the right expectations (what an empty one looks like) and the cargo area for "how much of it cannot be seen". From the image alone, by
//! the few proportions that rolling stock is built to (`shared/rail.md` 2.5); every rule is worth points, and the points make a confidence by
//! softmax. The rules are physical, not learnt, because a learnt classifier would know the simulator's drawings rather than cars (`shared/rail.md` 4.7).
//!
//! Caveat: a loaded flat car is what its load looks like; double stacks, well cars with one container and spine cars all count as `well`.

use std::ops::Range;

use serde::Serialize;

use super::car::{CELL_MM, CarImage};
use super::segment::CarSegment;

/// What a car is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Kind {
    Boxcar,
    Tank,
    Hopper,
    Gondola,
    Autorack,
    Well,
    Flat,
    Locomotive,
    Other,
}

/// All kinds, in the order of their scores.
pub const KINDS: [Kind; 9] = [Kind::Boxcar, Kind::Tank, Kind::Hopper, Kind::Gondola, Kind::Autorack, Kind::Well, Kind::Flat, Kind::Locomotive, Kind::Other];

impl Kind {
    /// The kind as it is written.
    pub fn name(self) -> &'static str {
        ["boxcar", "tank", "hopper", "gondola", "autorack", "well", "flat", "locomotive", "other"][self as usize]
    }
}

/// Where bodies begin: the upper edge of the couplers' band.
const DECK_MM: f64 = 1100.0;

/// What a car's outline says.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Kind and how sure.
    pub kind: Kind,
    /// Softmax of the rules' points, 0..=1.
    pub confidence: f64,
    /// Cells along the car that the body covers (what reaches above the couplers).
    pub body: Range<usize>,
    /// Height of the outline's top above the rail in each cell along the car, mm; 0 where nothing is.
    pub top_mm: Vec<f32>,
    /// Height of the body: the 90th percentile of the tops over the body, taken for the near side's edge, mm above the rail.
    pub height_mm: f64,
    /// Where cargo can be, `[column, row]` like the image.
    pub cargo: Vec<bool>,
    /// What the rules looked at, for people and for tuning.
    pub features: Features,
}

/// The proportions that the rules look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Features {
    pub length_m: f64,
    pub height_m: f64,
    /// Fraction of the body below 1.9 m.
    pub low: f64,
    /// Fraction of the two end sixths below 1.9 m (decks of a well car, and their hand brakes).
    pub low_ends: f64,
    /// Between the trucks, at 0.15-0.5 m above the rail: mean thickness, mm.
    pub belly: f64,
    /// Wheel sets.
    pub axles: f64,
    /// Fraction of the body's cells above the deck that are penetration-limited.
    pub opaque: f64,
    /// How much lower the outline is at the body's ends than in the middle, m.
    pub round_ends: f64,
    /// A narrow thing above an even top near the middle (a tank's dome), m.
    pub dome: f64,
    /// How much of the lower corners at the ends is open: hoppers slope.
    pub corners: f64,
    /// Thickness at mid-height over thickness at a quarter and three quarters: a shell is thinnest in the middle.
    pub shell: f64,
    /// Extra thickness in the uppermost 0.25 m below the top over that below: a roof or side plate.
    pub roof: f64,
    /// Thickness of the floor line (1.0-1.25 m) in mm.
    pub floor: f64,
    /// Evenness of the top: median absolute deviation of tops over the middle of the body, m.
    pub uneven: f64,
}

/// T of the three by three about each cell, for the outline: one cell's noise is 4 % at 161 quanta, nine cells' 1.3 %.
fn smooth(image: &CarImage) -> Vec<f32> {
    let (w, h) = (image.width, image.height);
    let mut vertical = vec![0.0_f32; w * h];
    for x in 0..w {
        for y in 0..h {
            let rows = y.saturating_sub(1)..(y + 2).min(h);
            vertical[x * h + y] = rows.clone().map(|row| image.t[x * h + row]).sum::<f32>() / rows.len() as f32;
        }
    }
    let mut out = vec![0.0_f32; w * h];
    for x in 0..w {
        let columns = x.saturating_sub(1)..(x + 2).min(w);
        for y in 0..h {
            out[x * h + y] = columns.clone().map(|column| vertical[column * h + y]).sum::<f32>() / columns.len() as f32;
        }
    }
    out
}

impl Shape {
    /// Looks at one car.
    pub fn of(image: &CarImage, segment: &CarSegment) -> Shape {
        let (w, h) = (image.width, image.height);
        let t = smooth(image);
        // 0.95, or five sigma of nine cells: below that something is there.
        let open = 1.0 - (5.0 / (9.0 * image.air_quanta).max(1.0).sqrt()).clamp(0.04, 0.2);
        let filled = |x: usize, y: usize| t[x * h + y] < open;
        let top_mm: Vec<f32> = (0..w)
            .map(|x| {
                // Two filled cells on top of each other: a single one is noise.
                let top = (0..h.saturating_sub(1)).find(|&y| filled(x, y) && filled(x, y + 1));
                top.map_or(0.0, |y| (image.height_mm(y) + CELL_MM / 2.0) as f32)
            })
            .collect();
        // What the cutting called body; couplers are seen above their band where the beam looks up at them.
        let cell = |column: usize| image.cell_of(column).min(w);
        let body = cell(segment.body.start).min(w - 1)..cell(segment.body.end).max(cell(segment.body.start).min(w - 1) + 1);
        let mut tops: Vec<f32> = top_mm[body.clone()].to_vec();
        tops.sort_by(f32::total_cmp);
        let seen_mm = f64::from(tops.get(tops.len() * 9 / 10).copied().unwrap_or(0.0));
        let height_mm = image.near_height_mm(seen_mm);
        let mut shape = Shape { kind: Kind::Other, confidence: 0.0, body, top_mm, height_mm, cargo: vec![false; w * h], features: Features::default() };
        shape.features = shape.measure(image, segment, &t, open);
        let points = points(&shape.features, segment.blank);
        let best = (0..KINDS.len()).max_by(|&a, &b| points[a].total_cmp(&points[b])).unwrap_or(KINDS.len() - 1);
        shape.kind = KINDS[best];
        shape.confidence = 1.0 / points.iter().map(|value| (value - points[best]).exp()).sum::<f64>();
        shape.mark_cargo(image);
        shape
    }

    fn measure(&self, image: &CarImage, segment: &CarSegment, t: &[f32], open: f32) -> Features {
        let h = image.height;
        let body = self.body.clone();
        let count = body.len().max(1) as f64;
        let fraction = |range: Range<usize>, test: &dyn Fn(usize) -> bool| range.clone().filter(|&x| test(x)).count() as f64 / range.len().max(1) as f64;
        let sixth = (body.len() / 6).max(1);
        let (head, tail) = (body.start..body.start + sixth, body.end.saturating_sub(sixth)..body.end);
        let middle = body.start + body.len() * 3 / 10..body.start + body.len() * 7 / 10;
        let rows = |low_mm: f64, high_mm: f64| image.row_at(high_mm)..image.row_at(low_mm) + 1;
        let mean_mm = |columns: Range<usize>, rows: Range<usize>| {
            let cells = (columns.len() * rows.len()).max(1) as f32;
            f64::from(columns.flat_map(|x| rows.clone().map(move |y| x * h + y)).map(|index| image.steel_mm[index]).sum::<f32>() / cells)
        };
        let top = |x: usize| f64::from(self.top_mm[x]);
        // Hand rails and ladders let 0.8 and more through: what has a wall or a roof does not.
        let dense_top = |x: usize| (0..h - 1).find(|&y| t[x * h + y] < 0.78 && t[x * h + y + 1] < 0.78).map_or(0.0, |y| image.height_mm(y));
        let mut middle_tops: Vec<f32> = self.top_mm[middle.clone()].to_vec();
        let middle_top = f64::from(super::calibrate::median_of(&mut middle_tops)).max(0.0);
        let mut off: Vec<f32> = self.top_mm[middle.clone()].iter().map(|&top| (f64::from(top) - middle_top).abs() as f32).collect();
        let end_top = |columns: Range<usize>| {
            let mut tops: Vec<f32> = columns.map(|x| self.top_mm[x]).collect();
            f64::from(super::calibrate::median_of(&mut tops))
        };
        // The last 0.25 m of the body at each end.
        let ends = (end_top(body.start..(body.start + 8).min(body.end)) + end_top(body.end.saturating_sub(8)..body.end)) / 2.0;
        let dome = middle.clone().map(top).fold(0.0, f64::max) - middle_top;
        let high = middle.clone().filter(|&x| top(x) > middle_top + 150.0).count() as f64 * CELL_MM / 1000.0;
        let above_deck: Vec<usize> = body
            .clone()
            .flat_map(|x| (0..image.row_at(DECK_MM)).filter(move |&y| image.height_mm(y) < f64::from(self.top_mm[x])).map(move |y| x * h + y))
            .collect();
        let opaque = above_deck.iter().filter(|&&index| image.limited[index]).count() as f64 / above_deck.len().max(1) as f64;
        // The middle half is between the trucks.
        let belly = mean_mm(body.start + body.len() / 4..body.end - body.len() / 4, rows(150.0, 500.0)).max(0.0);
        // The corners: 0.2-1.2 m from the body's ends, 1.3-1.9 m above the rail: how much of them is as open as the air beside.
        let (from, to) = ((200.0 / CELL_MM) as usize, (1200.0 / CELL_MM) as usize);
        let corner_rows = rows(1300.0, 1900.0);
        let corner_columns = (body.start + from..(body.start + to).min(body.end))
            .chain(body.end.saturating_sub(to).max(body.start)..body.end.saturating_sub(from).max(body.start));
        let corner_cells: Vec<usize> = corner_columns.flat_map(|x| corner_rows.clone().map(move |y| x * h + y)).collect();
        let corners = corner_cells.iter().filter(|&&index| t[index] > open).count() as f64 / corner_cells.len().max(1) as f64;
        let span = (middle_top - 1200.0).max(100.0);
        let band = |share: f64| rows(1200.0 + span * share - 60.0, 1200.0 + span * share + 60.0);
        let (centre, quarters) = (mean_mm(middle.clone(), band(0.5)), (mean_mm(middle.clone(), band(0.12)) + mean_mm(middle.clone(), band(0.88))) / 2.0);
        let roof = mean_mm(middle.clone(), rows(middle_top - 250.0, middle_top - 30.0)) - mean_mm(middle.clone(), rows(middle_top - 700.0, middle_top - 400.0));
        Features {
            length_m: segment.length_mm / 1000.0,
            height_m: self.height_mm / 1000.0,
            low: body.clone().filter(|&x| dense_top(x) < 1900.0).count() as f64 / count,
            low_ends: (fraction(head, &|x| dense_top(x) < 1900.0) + fraction(tail, &|x| dense_top(x) < 1900.0)) / 2.0,
            belly,
            axles: segment.axles_mm.len() as f64,
            opaque,
            round_ends: (middle_top - ends) / 1000.0,
            dome: if (0.2..=2.5).contains(&high) { dome / 1000.0 } else { 0.0 },
            corners,
            shell: centre / quarters.max(1.0),
            roof,
            floor: mean_mm(middle.clone(), rows(1000.0, 1250.0)),
            uneven: f64::from(super::calibrate::median_of(&mut off)) / 1000.0,
        }
    }

    /// The kind whose normal cars this one is compared with: `other` where the kind is in doubt, because a gondola among hoppers makes every hopper look normal.
    /// Below 0.85 a third of the kinds were wrong (of 1,572 rendered cars), above it 3 %.
    pub fn compared_as(&self) -> Kind {
        if self.kind == Kind::Locomotive || self.confidence >= 0.85 { self.kind } else { Kind::Other }
    }

    /// Where dunnage and debris lie: the half metre above the floor of cars that have an open one. Height above the rail, mm.
    pub(crate) fn on_floor(&self, height_mm: f64) -> bool {
        match self.kind {
            Kind::Boxcar | Kind::Gondola | Kind::Flat => (950.0..1600.0).contains(&height_mm),
            Kind::Well => height_mm < 900.0,
            _ => false,
        }
    }

    /// Cargo is above the deck and below the outline's top; in a well car down to 0.4 m between the decks.
    fn mark_cargo(&mut self, image: &CarImage) {
        if self.kind == Kind::Locomotive {
            return;
        }
        let h = image.height;
        let lowest = if self.kind == Kind::Well { 400.0 } else { 1200.0 };
        // End walls are 0.1 m or so: they are not cargo.
        let margin = 4.min(self.body.len() / 4);
        for x in self.body.start + margin..self.body.end - margin {
            let top = f64::from(self.top_mm[x]);
            if self.kind == Kind::Well && top < 1600.0 {
                continue;
            }
            for y in 0..h {
                let height = image.height_mm(y);
                self.cargo[x * h + y] = height > lowest && height < top;
            }
        }
    }
}

/// Points for each kind, as log odds: what a customs officer would say at a glance, in the order of [`KINDS`].
fn points(f: &Features, blank: f64) -> [f64; 9] {
    // Soft steps: -1 below, +1 above, over `width`.
    let above = |value: f64, limit: f64, width: f64| ((value - limit) / width).tanh();
    let below = |value: f64, limit: f64, width: f64| -above(value, limit, width);
    let between = |value: f64, low: f64, high: f64, width: f64| above(value, low, width).min(below(value, high, width));
    let full = below(f.low_ends, 0.4, 0.2) + below(f.low, 0.3, 0.15);
    let no_dome = 1.5 * below(f.dome, 0.3, 0.1);
    let thin_belly = below(f.belly, 8.0, 2.0);
    let articulated = f.axles > 6.0 || f.length_m > 32.0;
    let locomotive_trucks = f.axles == 6.0 && f.length_m < 26.0;
    [
        // Boxcar: 4.2-5.2 m, square ends, nothing below its sills.
        2.0 * between(f.height_m, 4.0, 5.4, 0.2) + full + 1.5 * below(f.corners, 0.25, 0.1) + below(f.length_m, 23.5, 1.5) + no_dome + thin_belly,
        // Tank: a dome, round ends, shell thinner in the middle.
        2.0 * between(f.height_m, 3.2, 4.9, 0.2)
            + full
            + 2.5 * above(f.dome, 0.2, 0.1)
            + 0.5 * above(f.round_ends, 0.3, 0.2)
            + below(f.shell, 0.75, 0.2)
            + below(f.uneven, 0.1, 0.05)
            + thin_belly,
        // Hopper: slopes leave the lower corners open, outlets hang below, but no floor down to the rail.
        2.0 * between(f.height_m, 3.4, 5.2, 0.2)
            + full
            + 2.5 * above(f.corners, 0.25, 0.1)
            + 3.0 * below(f.length_m, 20.6, 0.6)
            + no_dome
            + 2.0 * below(f.belly, 22.0, 1.5)
            - 1.0,
        // Gondola: low sides, nothing below them.
        2.5 * between(f.height_m, 1.9, 3.8, 0.2) + full + no_dome + 0.5 * below(f.corners, 0.25, 0.1) + thin_belly,
        // Autorack: 27 m, as high as the array sees.
        1.5 * above(f.height_m, 4.8, 0.2) + 3.0 * between(f.length_m, 25.0, 32.0, 1.0) + full + 1.0,
        // Well: a floor down to the rail between the trucks; decks at the ends; often several platforms.
        3.0 * above(f.belly, 22.0, 1.5)
            + 2.0 * above(f.low_ends, 0.5, 0.2).max(0.0)
            + above(f.corners, 0.5, 0.1)
            + if articulated { 8.0 } else { 0.0 }
            + 3.5 * (below(f.floor, 32.0, 5.0).min(above(f.low, 0.5, 0.1))).max(0.0)
            + 2.0,
        // Flat: a deck, and whatever stands on it.
        2.5 * above(f.low, 0.35, 0.15).max(0.0)
            + 1.5 * below(f.belly, 19.0, 1.5)
            + below(f.height_m, 4.6, 0.5)
            + 1.5 * above(f.length_m, 21.0, 1.5)
            + 1.5 * above(f.floor, 38.0, 5.0)
            + above(f.corners, 0.25, 0.1),
        // Locomotive: six axles and no more, or opaque from end to end, or passed with the source shut.
        if blank > 0.5 || locomotive_trucks {
            12.0
        } else {
            5.0 * above(f.opaque, 0.7, 0.05) + between(f.length_m, 13.0, 24.0, 1.0) + between(f.height_m, 3.9, 5.2, 0.3) - 3.0
        },
        2.0,
    ]
}
