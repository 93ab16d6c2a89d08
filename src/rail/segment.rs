//! Cutting a scan into cars while the train passes: what is clear of cars, where a coupler is, where wheels stand on the rail.
//!
//! Goal: boundaries within 1 m of the coupler's tip, no car missed, none too many, from the image alone; the consist comes after ([`super::consist`]).
//! A column is *clear* when no band of detectors above the couplers' (0.66-1.10 m above the rail, `shared/rail.md` 1.4) is darker than open beam, and
//! there is no truck below (hoses and brake rods may hang there). A *gap* is 0.25 to 5 m of clear columns with a coupler through them; it is cut where the coupler is thinnest near its middle. Before the first and after the
//! last car the coupler ends in air, and the cut is at its tip. Clear for longer, with something at the couplers' height, is an empty flat or spine
//! car's middle: no gap. Articulated platforms share a truck, so there is no gap between them and they stay one car.
//!
//! Assumptions: the couplers' band is where the AAR puts it (centre 0.876 m); speed is known to some 5 %, so that lengths are.
//! Columns without beam (the source was shut for a locomotive) count as car, and the car that is mostly that is a locomotive.
//!
//! Stops and reversals: only columns in which the beam comes further along the train than it ever was are judged (*places*, counted from 0); what is seen
//! again on the way back, and while the train stands, adds to the picture of the car ([`super::car`]) and to no boundary.
//!
//! Streaming: [`Segmenter::advance`] takes whatever columns are there, gives back every car that is complete, and calibrates in each gap.

use std::collections::VecDeque;
use std::ops::Range;

use super::calibrate::Calibration;
use super::scan::{FLAG_REPAIRED, FLAG_REVERSED, FLAG_SHUT, FLAG_STOPPED, Scan};
use crate::error::Result;

/// One car in a scan.
#[derive(Debug, Clone, PartialEq)]
pub struct CarSegment {
    /// From the head of the train, from 1.
    pub position: usize,
    /// From coupler tip to coupler tip: columns of the scan, half-open.
    pub columns: Range<usize>,
    /// The part that is more than couplers.
    pub body: Range<usize>,
    /// Distance between the coupler tips, mm.
    pub length_mm: f64,
    /// Wheel sets, mm from the head end.
    pub axles_mm: Vec<f64>,
    /// Fraction of the body's columns without beam.
    pub blank: f64,
    /// Whether the scan begins or ends inside this car.
    pub cut_off: bool,
}

// Heights above the rail in mm, `shared/rail.md` 1.4 and 5.4 (3).
const COUPLER_MM: Range<f64> = 660.0..1100.0;
/// Strips near the rail, where only wheels reach. How low side frames and brake gear hang differs from truck to truck, and how the rail's own height is
/// known from portal to portal, so several are looked at and the one that shows most wheels counts.
const TREAD_MM: [Range<f64>; 4] = [-40.0..10.0, 0.0..50.0, 30.0..80.0, 60.0..130.0];
/// Where a wheel is at its widest.
const HUB_MM: Range<f64> = 330.0..530.0;

/// A wheel is dark over this width in one of the strips, mm: chords of wheels of 0.7 to 1 m.
const WHEEL_MM: std::ops::RangeInclusive<f64> = 350.0..=1100.0;
/// Wheelbases of trucks, mm: 1.4 m (short) to 2.2 m (six-wheel locomotive trucks, next wheel).
const TRUCK_MM: std::ops::RangeInclusive<f64> = 1300.0..=2300.0;
/// What counts as dark near the rail: treads let 5-20 % through, springs between them 20-60 %, in an order that differs from truck to truck.
const TREAD_T: [f32; 3] = [0.6, 0.3, 0.14];
/// Least distance between wheel sets: the shortest truck in use has a wheelbase of 1.4 m.
const NEAREST_AXLES_MM: f64 = 1200.0;

/// Shortest clear stretch that can be a gap, mm (`shared/rail.md` 5.4).
const GAP_MM: f64 = 250.0;
/// Longest clear stretch with a coupler through it that is still a gap: two overhanging decks of 1.5 m and the couplers between. An empty flat car is
/// clear for 8 m and more between its trucks.
const LONGEST_GAP_MM: f64 = 5000.0;
/// Air after the coupler has ended that ends a train.
const END_MM: f64 = 400.0;
/// Shortest car over couplers: the shortest ore cars have 6.5 m; anything shorter is part of its neighbour.
const SHORTEST_CAR_MM: f64 = 5500.0;
/// Below the couplers, trucks let less than this through over 0.3 m; air hoses and brake rods between cars are narrower than that, or thinner.
const TRUCK_T: f32 = 0.5;
/// Columns are smoothed over this distance before they are called clear.
const SMOOTH_MM: f64 = 100.0;

/// What is kept of each column.
#[derive(Debug, Clone, Copy)]
struct Profile {
    /// Column of the scan in which the beam first came here.
    column: usize,
    /// Distance along the train, mm.
    x_mm: f32,
    /// Transmission of the darkest band above the couplers'.
    darkest: f32,
    /// Transmission of the darkest band below them.
    low: f32,
    /// Transmission of the couplers' band.
    coupler: f32,
    tread: [f32; 4],
    hub: f32,
    /// No beam.
    blank: bool,
}

/// A run of detectors whose counts are added up.
struct Band {
    rows: Range<usize>,
    air: f32,
    dark: f32,
    dead: Vec<usize>,
}

impl Band {
    fn between(scan: &Scan, calibration: &Calibration, heights_mm: Range<f64>) -> Band {
        let d = &scan.description;
        let row = |height: f64| (((d.top_mm - height) / d.pitch_mm).ceil().max(0.0) as usize).min(scan.detectors());
        Band::of(calibration, row(heights_mm.end)..row(heights_mm.start))
    }

    fn of(calibration: &Calibration, rows: Range<usize>) -> Band {
        let dead: Vec<usize> = rows.clone().filter(|&i| calibration.dead[i]).collect();
        let live = |values: &[f32]| rows.clone().filter(|i| !dead.contains(i)).map(|i| values[i]).sum::<f32>();
        Band { air: live(&calibration.air), dark: live(&calibration.dark), rows: rows.clone(), dead }
    }

    /// Transmission of the band in one column; 1 where no detector lives.
    fn transmission(&self, column: &[u16], level: f32) -> f32 {
        if self.air <= 0.0 {
            return 1.0;
        }
        let stored: u32 = column[self.rows.clone()].iter().map(|&value| u32::from(value)).sum();
        let dead: u32 = self.dead.iter().map(|&i| u32::from(column[i])).sum();
        ((stored - dead) as f32 - self.dark) / (self.air * level)
    }
}

/// Where the segmenter is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Before the first car, or between the end of one train and something else: nothing but air so far.
    Open,
    /// In a car whose first place (coupler tip) is `from`.
    Car { from: usize },
}

/// Cuts a scan into cars.
pub struct Segmenter {
    bands: Vec<Band>,
    low: Vec<Band>,
    coupler: Band,
    tread: [Band; 4],
    hub: Band,
    /// Columns taken so far.
    taken: usize,
    /// Profiles from place `first` on.
    profiles: VecDeque<Profile>,
    first: usize,
    smooth: usize,
    low_reach: usize,
    /// Places judged so far.
    judged: usize,
    state: State,
    /// Where the present clear stretch begins, and where the body before it ended.
    clear_from: Option<usize>,
    body_from: Option<usize>,
    body_to: usize,
    cars: usize,
    /// Where the beam is along the train, mm, and the furthest that it was.
    x_mm: f64,
    furthest_mm: f64,
    /// A clear stretch that was taken into the calibration already (it is long, and the train has not come or has passed).
    absorbed: usize,
    /// The first column that was dark though nothing said that the source was shut, and how many there were.
    beamless: Option<(usize, usize)>,
}

impl Segmenter {
    /// A segmenter at the beginning of `scan`.
    pub fn new(scan: &Scan, calibration: &Calibration) -> Segmenter {
        let top_mm = scan.description.top_mm;
        let band = |heights: Range<f64>| Band::between(scan, calibration, heights);
        let mut bands = Vec::new();
        // Body bands of some 0.25 m: thin enough that a deck of 0.1 m darkens one by a third, thick enough for quanta.
        let count = (((top_mm - COUPLER_MM.end) / 250.0).round() as usize).max(1);
        let step = (top_mm - COUPLER_MM.end) / count as f64;
        bands.extend((0..count).map(|index| band(COUPLER_MM.end + index as f64 * step..COUPLER_MM.end + (index + 1) as f64 * step + 1.0)));
        bands.retain(|band| band.air > 0.0);
        let smooth = ((SMOOTH_MM / scan.description.column_mm / 2.0).round() as usize).max(1);
        Segmenter {
            bands,
            low: vec![band(50.0..200.0), band(200.0..430.0), band(430.0..COUPLER_MM.start)],
            coupler: band(COUPLER_MM),
            tread: TREAD_MM.map(band),
            hub: band(HUB_MM),
            taken: 0,
            profiles: VecDeque::new(),
            first: 0,
            smooth,
            low_reach: smooth * 3 / 2 + 1,
            judged: 0,
            state: State::Open,
            clear_from: None,
            body_from: None,
            body_to: 0,
            cars: 0,
            x_mm: 0.0,
            furthest_mm: 0.0,
            absorbed: 0,
            beamless: None,
        }
    }

    /// The first column without beam that is not marked so, and how many such columns there were.
    pub fn beamless(&self) -> Option<(usize, usize)> {
        self.beamless
    }

    /// Takes the columns up to `columns` and gives back the cars that are complete; `last` says that no more will come.
    ///
    /// # Errors
    /// Where columns cannot be read.
    pub fn advance(&mut self, scan: &Scan, calibration: &mut Calibration, columns: usize, last: bool) -> Result<Vec<CarSegment>> {
        let mut cars = Vec::new();
        // In blocks, so that the level of the air follows the gaps that are found on the way.
        while self.taken < columns {
            let end = (self.taken + 512).min(columns);
            self.profile(scan, calibration, self.taken..end)?;
            self.taken = end;
            self.judge(scan, calibration, self.places().saturating_sub(self.low_reach), &mut cars)?;
        }
        if last && self.places() > self.first {
            self.judge(scan, calibration, self.places(), &mut cars)?;
            self.finish(scan, &mut cars);
        }
        Ok(cars)
    }

    /// Adds the profiles of a block of columns.
    fn profile(&mut self, scan: &Scan, calibration: &Calibration, block: Range<usize>) -> Result<()> {
        let counts = scan.counts(block.clone())?;
        for (column, values) in block.clone().zip(counts.chunks_exact(scan.detectors())) {
            let row = scan.column(column);
            self.x_mm += step_mm(scan, column);
            if self.x_mm < self.furthest_mm || row.flags & FLAG_STOPPED != 0 {
                continue;
            }
            self.furthest_mm = self.x_mm;
            let level = calibration.level(scan, column);
            // A detector that has died since is in the band still: the worst that it does is 1/15 of the band.
            let darkest = self.bands.iter().map(|band| band.transmission(values, level)).fold(f32::MAX, f32::min);
            let dark = !calibration.has_beam(values, level);
            if dark && row.flags & (FLAG_SHUT | FLAG_REPAIRED) == 0 {
                let (first, count) = self.beamless.unwrap_or((column, 0));
                self.beamless = Some((first, count + 1));
            }
            self.profiles.push_back(Profile {
                column,
                x_mm: self.x_mm as f32,
                darkest,
                low: self.low.iter().map(|band| band.transmission(values, level)).fold(1.0, f32::min),
                coupler: self.coupler.transmission(values, level),
                tread: std::array::from_fn(|strip| self.tread[strip].transmission(values, level)),
                hub: self.hub.transmission(values, level),
                blank: row.flags & FLAG_SHUT != 0 || dark,
            });
        }
        Ok(())
    }

    /// Whether no column has been taken yet.
    pub fn is_untouched(&self) -> bool {
        self.taken == 0
    }

    /// Places known so far.
    fn places(&self) -> usize {
        self.first + self.profiles.len()
    }

    fn at(&self, place: usize) -> &Profile {
        &self.profiles[place.clamp(self.first, self.first + self.profiles.len() - 1) - self.first]
    }

    fn x(&self, place: usize) -> f64 {
        f64::from(self.at(place).x_mm)
    }

    /// Mean of a value over the smoothing window about a place.
    fn smoothed(&self, place: usize, value: impl Fn(&Profile) -> f32) -> f32 {
        self.mean(place, self.smooth, value)
    }

    /// Mean of a value over `reach` places to either side.
    fn mean(&self, place: usize, reach: usize, value: impl Fn(&Profile) -> f32) -> f32 {
        let from = place.saturating_sub(reach).max(self.first);
        let to = (place + reach + 1).min(self.first + self.profiles.len());
        (from..to).map(|k| value(self.at(k))).sum::<f32>() / (to - from) as f32
    }

    /// Judges places up to `end` one by one.
    fn judge(&mut self, scan: &Scan, calibration: &mut Calibration, end: usize, cars: &mut Vec<CarSegment>) -> Result<()> {
        // The band's noise in a window: five sigma, but never closer than what drift may do between gaps (3 % was the worst that is allowed for).
        let quanta = self.bands.iter().map(|band| band.air / calibration.gain).fold(f32::MAX, f32::min) * (2 * self.smooth + 1) as f32;
        let clear_above = 1.0 - (5.0 / quanta.max(1.0).sqrt()).clamp(0.045, 0.2);
        while self.judged < end {
            let place = self.judged;
            self.judged += 1;
            let profile = *self.at(place);
            let above = self.smoothed(place, |p| p.darkest) > clear_above - self.bias(calibration);
            let below = self.mean(place, self.low_reach, |p| p.low) > TRUCK_T;
            let clear = !profile.blank && above && below;
            match (clear, self.clear_from) {
                (true, None) => self.clear_from = Some(place),
                (true, Some(from)) => self.still_clear(scan, calibration, from, place, cars)?,
                (false, from) => self.body(scan, calibration, from, place, cars)?,
            }
        }
        self.forget();
        Ok(())
    }

    /// The minimum over bands is below 1 even in air: about two sigma of one place's band for some 20 bands.
    fn bias(&self, calibration: &Calibration) -> f32 {
        let quanta = self.bands.iter().map(|band| band.air / calibration.gain).fold(f32::MAX, f32::min);
        (2.0 / quanta.max(1.0).sqrt()).min(0.2)
    }

    /// A place with a car in it.
    fn body(&mut self, scan: &Scan, calibration: &mut Calibration, clear_from: Option<usize>, place: usize, cars: &mut Vec<CarSegment>) -> Result<()> {
        if let Some(from) = clear_from {
            self.clear_from = None;
            let length = self.x(place) - self.x(from);
            match self.state {
                State::Open => {
                    let tip = self.tip_before(place, from);
                    self.calibrate(scan, calibration, from..tip)?;
                    self.state = State::Car { from: tip };
                    self.body_from = Some(place);
                }
                State::Car { from: start } if length >= GAP_MM && self.is_gap(from..place) => {
                    let cut = self.thinnest(from..place);
                    if self.x(cut) - self.x(start) >= SHORTEST_CAR_MM {
                        self.calibrate(scan, calibration, from..place)?;
                        self.close(scan, start..cut, false, cars);
                        self.state = State::Car { from: cut };
                        self.body_from = Some(place);
                    }
                }
                State::Car { .. } => {}
            }
        } else if self.state == State::Open {
            // The scan begins inside a car.
            self.state = State::Car { from: place };
            self.body_from = Some(place);
        }
        self.body_to = place + 1;
        Ok(())
    }

    /// One more clear place: perhaps the train has passed.
    fn still_clear(&mut self, scan: &Scan, calibration: &mut Calibration, from: usize, place: usize, cars: &mut Vec<CarSegment>) -> Result<()> {
        let State::Car { from: start } = self.state else {
            // Waiting for the first car, or after the last one: long air is calibration too.
            if place - from.max(self.absorbed) >= 256 {
                self.calibrate(scan, calibration, from.max(self.absorbed)..place - 64)?;
                self.absorbed = place - 64;
            }
            return Ok(());
        };
        if self.x(place) - self.x(from) < END_MM || !self.is_open(place) {
            return Ok(());
        }
        let tip = self.tip_after(from, place);
        if self.x(place) - self.x(tip) >= END_MM {
            self.close(scan, start..tip, false, cars);
            self.state = State::Open;
            self.absorbed = tip;
        }
        Ok(())
    }

    /// Nothing at the couplers' height either.
    fn is_open(&self, place: usize) -> bool {
        self.smoothed(place, |p| p.coupler) > 0.93
    }

    /// Whether a clear stretch inside a train is a gap: short enough, or empty at the couplers' height somewhere (a parted train).
    fn is_gap(&self, stretch: Range<usize>) -> bool {
        self.x(stretch.end) - self.x(stretch.start) <= LONGEST_GAP_MM || stretch.clone().any(|place| self.is_open(place))
    }

    /// Where to cut a gap: the middle, or where the coupler is thinnest within 0.35 m of it (two knuckles meet in the narrowest place).
    fn thinnest(&self, gap: Range<usize>) -> usize {
        let middle_mm = (self.x(gap.start) + self.x(gap.end)) / 2.0;
        let mut best = (f64::MIN, (gap.start + gap.end) / 2);
        for place in gap {
            let off = (self.x(place) - middle_mm).abs();
            if off <= 350.0 {
                // A slight pull to the middle decides between equals.
                let value = f64::from(self.smoothed(place, |p| p.coupler)) - off / 350.0 * 0.05;
                if value > best.0 {
                    best = (value, place);
                }
            }
        }
        best.1
    }

    /// The first place of the coupler that leads to a body at `body`, looking back no further than `from` or 2 m.
    fn tip_before(&self, body: usize, from: usize) -> usize {
        let mut tip = body;
        for place in (from.max(self.first)..body).rev() {
            if self.x(body) - self.x(place) > 2000.0 || (self.is_open(place) && self.x(tip) - self.x(place) > 150.0) {
                break;
            }
            if !self.is_open(place) {
                tip = place;
            }
        }
        tip
    }

    /// The place after the last of the coupler that follows a body which ended at `from`.
    fn tip_after(&self, from: usize, to: usize) -> usize {
        (from..to).rev().find(|&place| !self.is_open(place)).map_or(from, |place| place + 1)
    }

    /// Completes the car between two places.
    fn close(&mut self, scan: &Scan, places: Range<usize>, cut_off: bool, cars: &mut Vec<CarSegment>) {
        let body = self.body_from.unwrap_or(places.start)..self.body_to.min(places.end);
        let length_mm = self.x(places.end) - self.x(places.start);
        if length_mm < SHORTEST_CAR_MM && !cut_off {
            // Too short for a car (a bird, a signal arm): nothing is reported for it.
            return;
        }
        self.cars += 1;
        let blank = body.clone().filter(|&k| self.at(k).blank).count() as f64 / body.len().max(1) as f64;
        let axles_mm = self.axles(places.clone());
        let from = self.column(places.start);
        cars.push(CarSegment {
            position: self.cars,
            columns: from..last_before(scan, self.column(places.end)),
            body: self.column(body.start)..self.column(body.end),
            length_mm,
            axles_mm,
            blank,
            cut_off,
        });
    }

    /// The column in which the beam first came to a place; the end of the columns taken for the place after the last.
    fn column(&self, place: usize) -> usize {
        if place < self.places() { self.at(place).column } else { self.taken }
    }

    /// The scan ends: whatever is open ends with it.
    fn finish(&mut self, scan: &Scan, cars: &mut Vec<CarSegment>) {
        let places = self.places();
        if let State::Car { from } = self.state
            && places > from
        {
            let in_air = self.clear_from.is_some_and(|clear| self.x(places - 1) - self.x(clear) > GAP_MM);
            let end = if in_air { self.tip_after(self.clear_from.unwrap_or(places), places).min(places) } else { places };
            self.close(scan, from..end, !in_air, cars);
        }
        self.state = State::Open;
    }

    /// Wheel sets between two places, mm from the first, as the strip and threshold see them that see most of them in trucks.
    fn axles(&self, places: Range<usize>) -> Vec<f64> {
        let mut best: (f64, Vec<f64>) = (0.0, Vec::new());
        for strip in (0..TREAD_MM.len()).filter(|&strip| self.tread[strip].air > 0.0) {
            for dark in TREAD_T {
                let (axles, strays) = in_trucks(self.axles_in(strip, dark, places.clone()));
                // A stray says that this threshold sees springs or a belly as well.
                let worth = axles.len() as f64 - 0.6 * strays as f64;
                if worth > best.0 {
                    best = (worth, axles);
                }
            }
        }
        best.1
    }

    /// Where a strip is darker than a threshold over the width of a wheel, and the hub's height is dark too: (middle, width), mm.
    fn axles_in(&self, strip: usize, dark: f32, places: Range<usize>) -> Vec<(f64, f64)> {
        let mut axles: Vec<(f64, f64)> = Vec::new();
        let mut run: Option<usize> = None;
        for place in places.start..=places.end {
            let wheel = place < places.end && self.smoothed(place, |p| p.tread[strip]) < dark;
            match (wheel, run) {
                (true, None) => run = Some(place),
                (false, Some(from)) => {
                    run = None;
                    let width = self.x(place) - self.x(from);
                    if WHEEL_MM.contains(&width) && self.smoothed((from + place) / 2, |p| p.hub) < 0.5 {
                        axles.push(((self.x(from) + self.x(place)) / 2.0 - self.x(places.start), width));
                    }
                }
                _ => {}
            }
        }
        // Wheels cannot be nearer to each other than their own diameter and some: what is narrower and between them is springs or brake gear.
        while let Some(near) = (1..axles.len()).find(|&i| axles[i].0 - axles[i - 1].0 < NEAREST_AXLES_MM) {
            axles.remove(if axles[near].1 < axles[near - 1].1 { near } else { near - 1 });
        }
        axles
    }

    /// Takes a clear stretch into the calibration: all detectors but the couplers' (and where the coupler has ended, those too).
    fn calibrate(&mut self, scan: &Scan, calibration: &mut Calibration, stretch: Range<usize>) -> Result<()> {
        // The smoothing reaches over the edges of the stretch.
        let margin = 2 * self.smooth;
        let stretch = stretch.start + margin..stretch.end.saturating_sub(margin);
        if stretch.len() < 8 {
            return Ok(());
        }
        let open = stretch.clone().all(|place| self.is_open(place));
        // Hoses and brake gear hang below the coupler: nothing under it is taken in a gap.
        let clear: Vec<bool> = (0..scan.detectors()).map(|i| open || i < self.coupler.rows.start.saturating_sub(4)).collect();
        let columns = self.column(stretch.start)..self.column(stretch.end);
        // Where the train went back within the stretch, the columns between show more than the stretch.
        if columns.len() == stretch.len() { calibration.absorb(scan, columns, &clear) } else { Ok(()) }
    }

    /// Drops the profiles that nothing needs any more.
    fn forget(&mut self) {
        let needed = match self.state {
            State::Car { from } => from,
            State::Open => self.clear_from.unwrap_or(self.judged).max(self.judged.saturating_sub(4096)),
        };
        let keep = needed.min(self.judged).saturating_sub(4 * self.low_reach);
        while self.first < keep {
            self.profiles.pop_front();
            self.first += 1;
        }
    }
}

/// The wheel sets that have a partner of like width in a truck's distance, and how many others there were.
fn in_trucks(axles: Vec<(f64, f64)>) -> (Vec<f64>, usize) {
    let mates = |a: (f64, f64), b: (f64, f64)| TRUCK_MM.contains(&(b.0 - a.0).abs()) && (0.6..1.67).contains(&(a.1 / b.1));
    let paired: Vec<f64> = (0..axles.len()).filter(|&i| (0..axles.len()).any(|j| j != i && mates(axles[i], axles[j]))).map(|i| axles[i].0).collect();
    let strays = axles.len() - paired.len();
    (paired, strays)
}

/// The end of the columns, known so far, in which the beam was before the place that it first came to in `column`: later where the train went back after.
fn last_before(scan: &Scan, column: usize) -> usize {
    // 10 m on: a train that brakes from 2 m/s passes 4 m more, and rolls back hardly further than it came.
    const AHEAD_MM: f64 = 10_000.0;
    let (mut x_mm, mut end) = (0.0, column);
    for later in column + 1..scan.columns() {
        x_mm += step_mm(scan, later);
        if x_mm < 0.0 {
            end = later + 1;
        } else if x_mm > AHEAD_MM {
            break;
        }
    }
    end
}

/// Travel of the train in one column, mm; the nominal one where the table says nothing sensible, none where it stood, negative where it went back.
pub fn step_mm(scan: &Scan, column: usize) -> f64 {
    let row = scan.column(column);
    if row.flags & FLAG_STOPPED != 0 {
        return 0.0;
    }
    let before = if column == 0 { f64::NAN } else { scan.column(column - 1).t_s };
    let step = row.v_m_s.abs() * (row.t_s - before) * 1000.0;
    // Ten nominal columns: a longer step is a hole in the table, not a faster train.
    let step = if (0.0..=10.0 * scan.description.column_mm).contains(&step) { step } else { scan.description.column_mm };
    if row.flags & FLAG_REVERSED != 0 { -step } else { step }
}
