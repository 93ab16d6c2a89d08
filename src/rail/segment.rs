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
//! Streaming: [`Segmenter::advance`] takes whatever columns are there, gives back every car that is complete, and calibrates in each gap.

use std::collections::VecDeque;
use std::ops::Range;

use super::calibrate::Calibration;
use super::scan::{FLAG_REVERSED, FLAG_SHUT, FLAG_STOPPED, Scan};
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
    /// In a car whose first column (coupler tip) is `from`.
    Car { from: usize },
}

/// Cuts a scan into cars.
pub struct Segmenter {
    bands: Vec<Band>,
    low: Vec<Band>,
    coupler: Band,
    tread: [Band; 4],
    hub: Band,
    /// Profiles from column `first` on.
    profiles: VecDeque<Profile>,
    first: usize,
    smooth: usize,
    low_reach: usize,
    /// Columns judged so far.
    judged: usize,
    state: State,
    /// Where the present clear stretch begins, and where the body before it ended.
    clear_from: Option<usize>,
    body_from: Option<usize>,
    body_to: usize,
    cars: usize,
    x_mm: f64,
    /// A clear stretch that was taken into the calibration already (it is long, and the train has not come or has passed).
    absorbed: usize,
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
            absorbed: 0,
        }
    }

    /// Takes the columns up to `columns` and gives back the cars that are complete; `last` says that no more will come.
    ///
    /// # Errors
    /// Where columns cannot be read.
    pub fn advance(&mut self, scan: &Scan, calibration: &mut Calibration, columns: usize, last: bool) -> Result<Vec<CarSegment>> {
        let mut cars = Vec::new();
        // In blocks, so that the level of the air follows the gaps that are found on the way.
        while self.first + self.profiles.len() < columns {
            let start = self.first + self.profiles.len();
            let end = (start + 512).min(columns);
            self.profile(scan, calibration, start..end)?;
            self.judge(scan, calibration, end - self.low_reach.min(end), &mut cars)?;
        }
        if last {
            self.judge(scan, calibration, columns, &mut cars)?;
            self.finish(columns, &mut cars);
        }
        Ok(cars)
    }

    /// Adds the profiles of a block of columns.
    fn profile(&mut self, scan: &Scan, calibration: &Calibration, block: Range<usize>) -> Result<()> {
        let counts = scan.counts(block.clone())?;
        for (column, values) in block.clone().zip(counts.chunks_exact(scan.detectors())) {
            let row = scan.column(column);
            self.x_mm += step_mm(scan, column);
            let level = calibration.level(scan, column);
            // A detector that has died since is in the band still: the worst that it does is 1/15 of the band.
            let darkest = self.bands.iter().map(|band| band.transmission(values, level)).fold(f32::MAX, f32::min);
            let brightest = self.bands.iter().map(|band| band.transmission(values, level)).fold(0.0, f32::max);
            self.profiles.push_back(Profile {
                x_mm: self.x_mm as f32,
                darkest,
                low: self.low.iter().map(|band| band.transmission(values, level)).fold(1.0, f32::min),
                coupler: self.coupler.transmission(values, level),
                tread: std::array::from_fn(|strip| self.tread[strip].transmission(values, level)),
                hub: self.hub.transmission(values, level),
                blank: row.flags & FLAG_SHUT != 0 || brightest < 0.02,
            });
        }
        Ok(())
    }

    fn at(&self, column: usize) -> &Profile {
        &self.profiles[column.clamp(self.first, self.first + self.profiles.len() - 1) - self.first]
    }

    fn x(&self, column: usize) -> f64 {
        f64::from(self.at(column).x_mm)
    }

    /// Mean of a value over the smoothing window about a column.
    fn smoothed(&self, column: usize, value: impl Fn(&Profile) -> f32) -> f32 {
        self.mean(column, self.smooth, value)
    }

    /// Mean of a value over `reach` columns to either side.
    fn mean(&self, column: usize, reach: usize, value: impl Fn(&Profile) -> f32) -> f32 {
        let from = column.saturating_sub(reach).max(self.first);
        let to = (column + reach + 1).min(self.first + self.profiles.len());
        (from..to).map(|k| value(self.at(k))).sum::<f32>() / (to - from) as f32
    }

    /// Judges columns up to `end` one by one.
    fn judge(&mut self, scan: &Scan, calibration: &mut Calibration, end: usize, cars: &mut Vec<CarSegment>) -> Result<()> {
        // The band's noise in a window: five sigma, but never closer than what drift may do between gaps (3 % was the worst that is allowed for).
        let quanta = self.bands.iter().map(|band| band.air / calibration.gain).fold(f32::MAX, f32::min) * (2 * self.smooth + 1) as f32;
        let clear_above = 1.0 - (5.0 / quanta.max(1.0).sqrt()).clamp(0.045, 0.2);
        while self.judged < end {
            let column = self.judged;
            self.judged += 1;
            let profile = *self.at(column);
            let above = self.smoothed(column, |p| p.darkest) > clear_above - self.bias(calibration);
            let below = self.mean(column, self.low_reach, |p| p.low) > TRUCK_T;
            let clear = !profile.blank && above && below;
            match (clear, self.clear_from) {
                (true, None) => self.clear_from = Some(column),
                (true, Some(from)) => self.still_clear(scan, calibration, from, column, cars)?,
                (false, from) => self.body(scan, calibration, from, column, cars)?,
            }
        }
        self.forget();
        Ok(())
    }

    /// The minimum over bands is below 1 even in air: about two sigma of one column's band for some 20 bands.
    fn bias(&self, calibration: &Calibration) -> f32 {
        let quanta = self.bands.iter().map(|band| band.air / calibration.gain).fold(f32::MAX, f32::min);
        (2.0 / quanta.max(1.0).sqrt()).min(0.2)
    }

    /// A column with a car in it.
    fn body(&mut self, scan: &Scan, calibration: &mut Calibration, clear_from: Option<usize>, column: usize, cars: &mut Vec<CarSegment>) -> Result<()> {
        if let Some(from) = clear_from {
            self.clear_from = None;
            let length = self.x(column) - self.x(from);
            match self.state {
                State::Open => {
                    let tip = self.tip_before(column, from);
                    self.calibrate(scan, calibration, from..tip)?;
                    self.state = State::Car { from: tip };
                    self.body_from = Some(column);
                }
                State::Car { from: start } if length >= GAP_MM && self.is_gap(from..column) => {
                    let cut = self.thinnest(from..column);
                    if self.x(cut) - self.x(start) >= SHORTEST_CAR_MM {
                        self.calibrate(scan, calibration, from..column)?;
                        self.close(start, cut, false, cars);
                        self.state = State::Car { from: cut };
                        self.body_from = Some(column);
                    }
                }
                State::Car { .. } => {}
            }
        } else if self.state == State::Open {
            // The scan begins inside a car.
            self.state = State::Car { from: column };
            self.body_from = Some(column);
        }
        self.body_to = column + 1;
        Ok(())
    }

    /// One more clear column: perhaps the train has passed.
    fn still_clear(&mut self, scan: &Scan, calibration: &mut Calibration, from: usize, column: usize, cars: &mut Vec<CarSegment>) -> Result<()> {
        let State::Car { from: start } = self.state else {
            // Waiting for the first car, or after the last one: long air is calibration too.
            if column - from.max(self.absorbed) >= 256 {
                self.calibrate(scan, calibration, from.max(self.absorbed)..column - 64)?;
                self.absorbed = column - 64;
            }
            return Ok(());
        };
        if self.x(column) - self.x(from) < END_MM || !self.is_open(column) {
            return Ok(());
        }
        let tip = self.tip_after(from, column);
        if self.x(column) - self.x(tip) >= END_MM {
            self.close(start, tip, false, cars);
            self.state = State::Open;
            self.absorbed = tip;
        }
        Ok(())
    }

    /// Nothing at the couplers' height either.
    fn is_open(&self, column: usize) -> bool {
        self.smoothed(column, |p| p.coupler) > 0.93
    }

    /// Whether a clear stretch inside a train is a gap: short enough, or empty at the couplers' height somewhere (a parted train).
    fn is_gap(&self, stretch: Range<usize>) -> bool {
        self.x(stretch.end) - self.x(stretch.start) <= LONGEST_GAP_MM || stretch.clone().any(|column| self.is_open(column))
    }

    /// Where to cut a gap: the middle, or where the coupler is thinnest within 0.35 m of it (two knuckles meet in the narrowest place).
    fn thinnest(&self, gap: Range<usize>) -> usize {
        let middle_mm = (self.x(gap.start) + self.x(gap.end)) / 2.0;
        let mut best = (f64::MIN, (gap.start + gap.end) / 2);
        for column in gap {
            let off = (self.x(column) - middle_mm).abs();
            if off <= 350.0 {
                // A slight pull to the middle decides between equals.
                let value = f64::from(self.smoothed(column, |p| p.coupler)) - off / 350.0 * 0.05;
                if value > best.0 {
                    best = (value, column);
                }
            }
        }
        best.1
    }

    /// The first column of the coupler that leads to a body at `body`, looking back no further than `from` or 2 m.
    fn tip_before(&self, body: usize, from: usize) -> usize {
        let mut tip = body;
        for column in (from.max(self.first)..body).rev() {
            if self.x(body) - self.x(column) > 2000.0 || (self.is_open(column) && self.x(tip) - self.x(column) > 150.0) {
                break;
            }
            if !self.is_open(column) {
                tip = column;
            }
        }
        tip
    }

    /// The column after the last of the coupler that follows a body which ended at `from`.
    fn tip_after(&self, from: usize, to: usize) -> usize {
        (from..to).rev().find(|&column| !self.is_open(column)).map_or(from, |column| column + 1)
    }

    /// Completes the car that began at `start` and ends before `end`.
    fn close(&mut self, start: usize, end: usize, cut_off: bool, cars: &mut Vec<CarSegment>) {
        let body = self.body_from.unwrap_or(start)..self.body_to.min(end);
        let length_mm = self.x(end) - self.x(start);
        if length_mm < SHORTEST_CAR_MM && !cut_off {
            // Too short for a car (a bird, a signal arm): nothing is reported for it.
            return;
        }
        self.cars += 1;
        let blank = body.clone().filter(|&k| self.at(k).blank).count() as f64 / body.len().max(1) as f64;
        let axles_mm = self.axles(start..end);
        cars.push(CarSegment { position: self.cars, columns: start..end, body, length_mm, axles_mm, blank, cut_off });
    }

    /// The scan ends: whatever is open ends with it.
    fn finish(&mut self, columns: usize, cars: &mut Vec<CarSegment>) {
        if let State::Car { from } = self.state
            && columns > from
        {
            let in_air = self.clear_from.is_some_and(|clear| self.x(columns - 1) - self.x(clear) > GAP_MM);
            let end = if in_air { self.tip_after(self.clear_from.unwrap_or(columns), columns).min(columns) } else { columns };
            self.close(from, end, !in_air, cars);
        }
        self.state = State::Open;
    }

    /// Wheel sets between two columns, as the strip near the rail sees them that sees most.
    fn axles(&self, columns: Range<usize>) -> Vec<f64> {
        let seen = (0..TREAD_MM.len()).filter(|&strip| self.tread[strip].air > 0.0).map(|strip| self.axles_in(strip, columns.clone()));
        seen.fold(Vec::new(), |most, axles| if axles.len() > most.len() { axles } else { most })
    }

    /// Wheel sets in one strip: runs of 0.2-1.05 m that are dark there and at the hub's height too.
    fn axles_in(&self, strip: usize, columns: Range<usize>) -> Vec<f64> {
        // (where, how wide)
        let mut axles: Vec<(f64, f64)> = Vec::new();
        let mut run: Option<usize> = None;
        for column in columns.start..=columns.end {
            // 0.6: two wheels are at least 2 x 20 mm of steel where the web is thinnest, T = 0.25 with the softest source.
            let wheel = column < columns.end && self.smoothed(column, |p| p.tread[strip]) < 0.6;
            match (wheel, run) {
                (true, None) => run = Some(column),
                (false, Some(from)) => {
                    run = None;
                    let length = self.x(column) - self.x(from);
                    let middle = (from + column) / 2;
                    if (200.0..=1050.0).contains(&length) && self.smoothed(middle, |p| p.hub) < 0.6 {
                        axles.push(((self.x(from) + self.x(column)) / 2.0 - self.x(columns.start), length));
                    }
                }
                _ => {}
            }
        }
        // Wheels cannot be nearer to each other than their own diameter and some: what is narrower and between them is springs or brake gear.
        while let Some(near) = (1..axles.len()).find(|&i| axles[i].0 - axles[i - 1].0 < NEAREST_AXLES_MM) {
            axles.remove(if axles[near].1 < axles[near - 1].1 { near } else { near - 1 });
        }
        axles.into_iter().map(|(at, _)| at).collect()
    }

    /// Takes a clear stretch into the calibration: all detectors but the couplers' (and where the coupler has ended, those too).
    fn calibrate(&mut self, scan: &Scan, calibration: &mut Calibration, stretch: Range<usize>) -> Result<()> {
        // The smoothing reaches over the edges of the stretch.
        let margin = 2 * self.smooth;
        let stretch = stretch.start + margin..stretch.end.saturating_sub(margin);
        if stretch.len() < 8 {
            return Ok(());
        }
        let open = stretch.clone().all(|column| self.is_open(column));
        // Hoses and brake gear hang below the coupler: nothing under it is taken in a gap.
        let clear: Vec<bool> = (0..scan.detectors()).map(|i| open || i < self.coupler.rows.start.saturating_sub(4)).collect();
        calibration.absorb(scan, stretch, &clear)
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
