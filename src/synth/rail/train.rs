//! A whole train: which cars, with what, in which order; its scan, column after column; and the truth about it.

use serde::Serialize;

use super::anomalies::Anomaly;
use super::attenuation::Source;
use super::cars::{Car, Kind};
use super::detector::{Array, Effects, Exposure};
use super::dice::{Dice, mix};
use super::geometry::{Canvas, Portal, Rays};
use super::loads::{self, Load};
use super::motion::{self, Driving, Step};
use super::testcar;

/// Slack between two couplers' tips, m.
const SLACK_M: f64 = 0.12;
/// Open beam before and after a train, m: 250 columns of 16 mm.
const LEAD_M: f64 = 4.0;
/// Columns drawn beside a block for its veil.
const HALO: usize = 72;
/// The most columns drawn at once.
const BLOCK: usize = 2048;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides everything below.
    pub seed: u64,
    /// Which visit of these cars: clutter, motion and noise differ between visits, steel and marks do not.
    pub visit: u64,
    /// Another draw of the noise alone, for pairs.
    pub noise: u64,
    /// Number of cars.
    pub cars: usize,
    /// Kinds to draw from; empty for the usual mix.
    pub kinds: Vec<Kind>,
    /// Loads to draw from, where the kind carries them; empty for all.
    pub loads: Vec<Load>,
    /// Anomalies to draw from, where the car can have them; empty for all.
    pub anomalies: Vec<Anomaly>,
    /// Every car empty.
    pub empties: bool,
    /// Locomotives at the head.
    pub locomotives: usize,
    /// Source shut until the locomotives have passed.
    pub shutter: bool,
    /// Share of cars with an anomaly.
    pub anomaly_share: f64,
    /// Their density times this: 1 as drawn, 0 nothing at all.
    pub density: f64,
    /// What shines.
    pub source: Source,
    /// Quanta in an open pixel of 16 x 16 mm; `None` for the source's own at this speed.
    pub quanta: Option<f64>,
    /// Where things stand.
    pub portal: Portal,
    /// Travel per column at the usual speed, m.
    pub column_m: f64,
    /// How it is driven.
    pub driving: Driving,
    /// What the array does; `None` to draw it.
    pub effects: Option<Effects>,
    /// A car of test objects behind the last car.
    pub test_car: bool,
}

/// One car's truth, as `garita eval rail` reads it (format of `shared/rail-samples`, and more).
#[derive(Debug, Clone, Serialize)]
pub struct CarTruth {
    /// From 1.
    pub position: usize,
    /// Half-open columns from coupler tip to coupler tip.
    pub columns: [usize; 2],
    /// Its kind.
    pub kind: Kind,
    /// What it carries.
    pub load: String,
    /// Nothing declared in it.
    pub empty: bool,
    /// Reporting mark.
    pub mark: String,
    /// Over pulling faces, m.
    pub length_m: f64,
    /// Axles.
    pub axles: usize,
    /// Units.
    pub platforms: usize,
    /// Goods, kg.
    pub cargo_kg: f64,
    /// What does not belong in it.
    pub anomaly: Option<AnomalyTruth>,
}

/// One anomaly's truth.
#[derive(Debug, Clone, Serialize)]
pub struct AnomalyTruth {
    /// Its kind.
    pub kind: Anomaly,
    /// d' of an observer who knows the car and the anomaly to the gram: √Σ (Δλ)²/λ over all pixels. Below 3 nobody could see it.
    pub d_ideal: f64,
    /// `[column, detector, columns, detectors]`, absolute.
    #[serde(rename = "box")]
    pub bounds: [usize; 4],
    /// Its pixels: `[column, first detector, end]`, half-open runs.
    pub mask: Vec<[usize; 3]>,
    /// Mean of what it adds over its mask, g/cm²; negative where it takes away.
    pub delta_g_cm2: f64,
    /// Mass, kg, less the goods that it replaces.
    pub mass_kg: f64,
}

/// The truth of one scan.
#[derive(Debug, Clone, Serialize)]
pub struct Truth {
    /// File name.
    pub scan: String,
    /// Name of the settings.
    pub config: String,
    /// The source's name.
    pub source: Source,
    /// Quanta of an open pixel.
    pub quanta: f64,
    /// Stored units per quantum.
    pub gain: f64,
    /// Channels that answer nothing, or noise.
    pub faulty: Vec<usize>,
    /// What the array did.
    pub effects: Effects,
    /// What an ideal observer makes of this beam and array.
    pub image_quality: ImageQuality,
    /// In order from the head.
    pub cars: Vec<CarTruth>,
    /// The test car's pieces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test_objects: Vec<testcar::Piece>,
}

/// Figures in the spirit of ANSI N42.46, computed from the beam, not from the picture (`shared/rail.md` 2.3).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ImageQuality {
    /// Steel behind which an opaque block of 10 x 10 cm is still seen with d' = 5, mm.
    pub penetration_mm_steel: f64,
    /// Least steel over 10 x 10 cm that is seen with d' = 3 on 0, 25, 50 and 100 mm of steel, mm; `None` where no block is.
    pub contrast_mm_steel: [Option<f64>; 4],
}

/// One car of a train and what is in it.
struct Wagon {
    car: Car,
    load: Load,
    goods: u64,
    clutter: u64,
    anomaly: Option<(Anomaly, u64)>,
    /// Its head's coupler tip behind the train's head, m.
    at_m: f64,
    test: bool,
}

/// A train ready to be scanned.
pub struct Train {
    options: Options,
    wagons: Vec<Wagon>,
    steps: Vec<Step>,
    rays: Rays,
    arrays: Vec<Array>,
    effects: Effects,
    quanta: f64,
}

/// One column for the writer.
pub struct Column<'a> {
    /// When and where.
    pub step: Step,
    /// Measured dose over the usual.
    pub ref_dose: f64,
    /// Source shut.
    pub shut: bool,
    /// Filled with the column before.
    pub repaired: bool,
    /// Stored values, one slice per beam.
    pub counts: &'a [&'a [u16]],
}

impl Train {
    /// Couples the train that `options` asks for.
    #[must_use]
    pub fn new(options: Options) -> Train {
        let mut wagons: Vec<Wagon> = Vec::new();
        let mut at_m = 0.0;
        let rays = Rays::new(options.portal);
        for k in 0..options.locomotives + options.cars + usize::from(options.test_car) {
            // One seed per car, so that a longer train begins like a shorter one.
            let own = mix(options.seed.wrapping_mul(1_000_003) ^ k as u64);
            let mut draw = Dice::new(own, 32);
            let test = k == options.locomotives + options.cars;
            let kind = if test {
                Kind::Other
            } else if k < options.locomotives {
                Kind::Locomotive
            } else if options.kinds.is_empty() {
                Kind::draw(&mut draw)
            } else {
                draw.pick(&options.kinds)
            };
            let car = if test { testcar::car(own) } else { Car::draw(kind, own) };
            let load = if test { Load::Empty } else { choose_load(&options, kind, &mut draw) };
            // The same goods on every visit only where there are none: an empty's steel stays, a load does not come twice.
            let goods = if load == Load::Empty { mix(own ^ 0x60) } else { mix(own ^ 0x60 ^ options.visit.wrapping_mul(77)) };
            let clutter = mix(own ^ 0xc1 ^ options.visit.wrapping_mul(0x1_0001));
            let wanted = draw.chance(options.anomaly_share) && !test && kind != Kind::Locomotive;
            let anomaly_seed = draw.seed();
            let length_m = car.length_m;
            let mut wagon = Wagon { car, load, goods, clutter, anomaly: None, at_m, test };
            if wanted {
                wagon.anomaly = choose_anomaly(&options, &wagon, &rays, anomaly_seed).map(|kind| (kind, mix(anomaly_seed)));
            }
            wagons.push(wagon);
            at_m += length_m + SLACK_M;
        }
        let length_m = (at_m - SLACK_M).max(0.0);
        let today = mix(options.seed ^ options.visit.wrapping_mul(0x5bd1_e995));
        let steps = motion::drive(options.driving, length_m, LEAD_M, options.column_m, today);
        let mut day = Dice::new(today, 33);
        let effects = options.effects.unwrap_or_else(|| Effects::draw(options.source, &mut day));
        let quanta = options.quanta.unwrap_or_else(|| options.source.quanta(options.driving.speed_m_s)) * options.portal.pitch_m * options.column_m / 256e-6;
        let integration_s = options.column_m / options.driving.speed_m_s;
        // The array itself is the portal's, the same on every visit of a seed; its noise is not.
        let noise = mix(today ^ options.noise.wrapping_mul(0x9e37));
        let arrays = options.source.beams().into_iter().enumerate().map(|(beam, lines)| {
            // The low-energy pulses are weaker.
            let quanta = if beam == 0 { quanta } else { quanta * 0.45 };
            Array::new(options.portal, lines, effects, quanta, integration_s, options.seed ^ beam as u64, noise ^ beam as u64)
        });
        let arrays = arrays.collect();
        Train { options, wagons, steps, rays, arrays, effects, quanta }
    }

    /// Columns of the scan.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.steps.len()
    }

    /// Beams: 2 for dual energy.
    #[must_use]
    pub fn beams(&self) -> usize {
        self.arrays.len()
    }

    /// Dark level of each detector, stored units.
    #[must_use]
    pub fn dark(&self) -> Vec<f32> {
        self.arrays[0].dark.clone()
    }

    /// Quanta of an open pixel.
    #[must_use]
    pub fn quanta(&self) -> f64 {
        self.quanta
    }

    /// The cars' reporting marks, lengths and so on, in order from the head, as a tag reader has them.
    pub fn cars(&self) -> impl Iterator<Item = (&Car, Load)> {
        self.wagons.iter().map(|w| (&w.car, w.load))
    }

    /// Scans the train: every column in order to `out`; answers the truth, its `scan` and `config` left to the caller.
    ///
    /// # Errors
    /// What `out` answers.
    pub fn scan<E>(mut self, mut out: impl FnMut(Column<'_>) -> Result<(), E>) -> Result<Truth, E> {
        let mut cars: Vec<Option<CarTruth>> = self.wagons.iter().map(|_| None).collect();
        let mut test_objects = Vec::new();
        let mut seen: Vec<Seen> = self.wagons.iter().map(|_| Seen::default()).collect();
        let mut day = Dice::new(mix(self.options.seed ^ self.options.visit ^ self.options.noise.wrapping_mul(31)), 34);
        let n = self.rays.portal.detectors;
        let open_until = if self.options.shutter { self.wagons.get(self.options.locomotives).map_or(0.0, |w| w.at_m - 0.3) } else { f64::NEG_INFINITY };
        for (from, to) in self.blocks() {
            let (low, high) = (from.saturating_sub(HALO), (to + HALO).min(self.steps.len()));
            let block = self.draw(low, high, from, to, &mut cars, &mut seen, &mut test_objects);
            let mut stored: Vec<Vec<u16>> = vec![Vec::with_capacity(n); self.arrays.len()];
            for column in from..to {
                let step = self.steps[column];
                let dose = 1.0 + self.effects.dose_jitter * if self.effects.dose_jitter > 0.0 { day.normal() } else { 0.0 };
                // The beam is tried before the train (LEAD_M) and shut only while locomotives are in it.
                let shut = step.way_m.0 > -0.5 && step.way_m.0 < open_until;
                let lost = self.effects.lost > 0.0 && day.chance(self.effects.lost);
                for (beam, array) in self.arrays.iter_mut().enumerate() {
                    stored[beam].clear();
                    let row = (column - low) * n;
                    array.read(&block[beam][row..row + n], Exposure { dose, shut, lost }, &mut stored[beam]);
                }
                let slices: Vec<&[u16]> = stored.iter().map(Vec::as_slice).collect();
                let ref_dose = if shut {
                    0.0
                } else if self.effects.dose_jitter > 0.0 {
                    dose * (1.0 + 0.002 * day.normal())
                } else {
                    1.0
                };
                out(Column { step, ref_dose, shut, repaired: lost, counts: &slices })?;
            }
        }
        let image_quality = image_quality(self.options.source, self.quanta, self.effects.scatter, self.options.portal.pitch_m * self.options.column_m);
        let cars = cars
            .into_iter()
            .zip(seen)
            .flatten_pairs()
            .filter(|(_, seen)| seen.columns.is_some())
            .map(|(mut car, seen)| {
                let (first, last) = seen.columns.unwrap_or((0, 0));
                car.columns = [first, last + 1];
                if let Some(anomaly) = &mut car.anomaly {
                    seen.finish(anomaly);
                }
                car
            })
            .collect();
        Ok(Truth {
            scan: String::new(),
            config: String::new(),
            source: self.options.source,
            quanta: self.quanta,
            gain: self.arrays[0].gain,
            faulty: self.arrays[0].faulty(),
            effects: self.effects,
            image_quality,
            cars,
            test_objects,
        })
    }

    /// Columns cut where the cars meet, in pieces of at most [`BLOCK`].
    fn blocks(&self) -> Vec<(usize, usize)> {
        let mut cuts = vec![0];
        let mut next = 1;
        for (column, step) in self.steps.iter().enumerate() {
            if next < self.wagons.len() && step.way_m.0 >= self.wagons[next].at_m - SLACK_M / 2.0 {
                cuts.push(column);
                next += 1;
            }
        }
        cuts.push(self.steps.len());
        let mut blocks = Vec::new();
        for pair in cuts.windows(2) {
            let pieces = (pair[1] - pair[0]).div_ceil(BLOCK).max(1);
            for piece in 0..pieces {
                let cut = |k: usize| pair[0] + (pair[1] - pair[0]) * k / pieces;
                if cut(piece) < cut(piece + 1) {
                    blocks.push((cut(piece), cut(piece + 1)));
                }
            }
        }
        blocks
    }

    /// Draws columns `low..high`, of which `from..to` count for the truth; answers transmissions per beam, `[column - low, detector]`.
    #[allow(clippy::too_many_arguments)]
    fn draw(
        &self,
        low: usize,
        high: usize,
        from: usize,
        to: usize,
        cars: &mut [Option<CarTruth>],
        seen: &mut [Seen],
        test_objects: &mut Vec<testcar::Piece>,
    ) -> Vec<Vec<f32>> {
        let n = self.rays.portal.detectors;
        let steps = &self.steps[low..high];
        let first_way = steps.iter().map(|s| s.way_m.0.min(s.way_m.1)).fold(f64::INFINITY, f64::min);
        let last_way = steps.iter().map(|s| s.way_m.0.max(s.way_m.1)).fold(f64::NEG_INFINITY, f64::max);
        // Hung on one canvas per car, in the car's own x; then summed.
        let mut base: Option<Canvas<'_>> = None;
        let mut extras: Vec<(usize, Canvas<'_>)> = Vec::new();
        let axes: Vec<Vec<(f64, f64)>> = self
            .wagons
            .iter()
            .map(|w| {
                if w.at_m > last_way + 0.5 || w.at_m + w.car.length_m < first_way - 0.5 {
                    Vec::new()
                } else {
                    steps.iter().map(|s| (s.way_m.0 - w.at_m, s.way_m.1 - w.at_m)).collect()
                }
            })
            .collect();
        for (k, wagon) in self.wagons.iter().enumerate().filter(|(k, _)| !axes[*k].is_empty()) {
            let mut canvas = Canvas::new(&self.rays, &axes[k]);
            let cargo = if wagon.test {
                let pieces = testcar::draw(&wagon.car, &mut canvas, &self.rays);
                if test_objects.is_empty() {
                    *test_objects = pieces;
                }
                loads::Cargo { name: "test objects".into(), empty: false, rooms: Vec::new(), items: Vec::new(), mass_kg: 0.0, tare_kg: 0.0 }
            } else {
                let spaces = wagon.car.body(&mut canvas);
                let mut goods = Dice::new(wagon.goods, 41);
                loads::load(&wagon.car, &mut canvas, &spaces, wagon.load, &mut goods, &mut Dice::new(wagon.clutter, 42))
            };
            canvas.clamp();
            for (column, step) in steps.iter().enumerate() {
                let (a, b) = (step.way_m.0.min(step.way_m.1) - wagon.at_m, step.way_m.0.max(step.way_m.1) - wagon.at_m);
                if (low + column) >= from && (low + column) < to && b >= 0.0 && a <= wagon.car.length_m {
                    seen[k].column(low + column);
                }
            }
            if let Some((kind, seed)) = wagon.anomaly {
                let mut extra = Canvas::with_mask(&self.rays, &axes[k]);
                kind.draw(&wagon.car, &cargo, &mut extra, &mut Dice::new(seed, 43));
                extras.push((k, extra));
            }
            cars[k].get_or_insert_with(|| CarTruth {
                position: k + 1,
                columns: [0, 0],
                kind: wagon.car.kind,
                load: cargo.name.clone(),
                empty: cargo.empty,
                mark: wagon.car.mark.clone(),
                length_m: (wagon.car.length_m * 100.0).round() / 100.0,
                axles: wagon.car.axles,
                platforms: wagon.car.platforms,
                cargo_kg: cargo.mass_kg.round(),
                anomaly: wagon.anomaly.map(|(kind, _)| AnomalyTruth { kind, d_ideal: 0.0, bounds: [0; 4], mask: Vec::new(), delta_g_cm2: 0.0, mass_kg: 0.0 }),
            });
            match &mut base {
                None => base = Some(canvas),
                Some(base) => base.add(&canvas, 1.0),
            }
        }
        let Some(mut base) = base else {
            return self.arrays.iter().map(|_| vec![1.0; steps.len() * n]).collect();
        };
        let without: Option<Vec<Vec<f32>>> =
            (!extras.is_empty()).then(|| self.arrays.iter().map(|array| array.transmission(base.planes(), steps.len())).collect());
        for (k, extra) in &extras {
            if let Some(without) = &without {
                self.grade(&base, extra, without, low, from, to, &mut seen[*k]);
            }
        }
        let density = self.options.density as f32;
        for (_, extra) in &extras {
            base.add(extra, density);
        }
        match without {
            Some(without) if density == 0.0 => without,
            _ => self.arrays.iter().map(|array| array.transmission(base.planes(), steps.len())).collect(),
        }
    }

    /// Adds to `seen` what an ideal observer has of one anomaly in these columns.
    #[allow(clippy::too_many_arguments)]
    fn grade(&self, base: &Canvas<'_>, extra: &Canvas<'_>, without: &[Vec<f32>], low: usize, from: usize, to: usize, seen: &mut Seen) {
        let n = self.rays.portal.detectors;
        let columns = without[0].len() / n;
        let mask = extra.mask();
        if !mask.contains(&true) {
            return;
        }
        let mut with = Canvas::new(&self.rays, &[]);
        with.copy_from(base);
        with.add(extra, self.options.density as f32);
        for (beam, array) in self.arrays.iter().enumerate() {
            let t1 = array.transmission(with.planes(), columns);
            for column in from - low..to - low {
                for i in column * n..(column + 1) * n {
                    let (a, b) = (f64::from(without[beam][i]), f64::from(t1[i]));
                    if a > 0.0 {
                        seen.d_squared += array.quanta() * (b - a).powi(2) / a;
                    }
                }
            }
        }
        for column in from - low..to - low {
            let row = &mask[column * n..(column + 1) * n];
            let mut at = 0;
            while let Some(start) = row[at..].iter().position(|m| *m) {
                let first = at + start;
                let end = row[first..].iter().position(|m| !*m).map_or(n, |l| first + l);
                seen.mask.push([low + column, first, end]);
                let pixels = columns * n;
                for i in first..end {
                    let difference = super::geometry::total_g_cm2(with.planes(), pixels, column * n + i)
                        - super::geometry::total_g_cm2(base.planes(), pixels, column * n + i);
                    seen.delta += f64::from(difference);
                }
                at = end;
            }
        }
        seen.mass_kg = extra.grams() * self.options.density / 1000.0;
    }
}

/// What was seen of one car so far.
#[derive(Debug, Clone, Default)]
struct Seen {
    columns: Option<(usize, usize)>,
    d_squared: f64,
    mask: Vec<[usize; 3]>,
    delta: f64,
    mass_kg: f64,
}

impl Seen {
    fn column(&mut self, column: usize) {
        self.columns = Some(self.columns.map_or((column, column), |(a, b)| (a.min(column), b.max(column))));
    }

    fn finish(self, anomaly: &mut AnomalyTruth) {
        anomaly.d_ideal = self.d_squared.sqrt();
        let pixels: usize = self.mask.iter().map(|m| m[2] - m[1]).sum();
        anomaly.delta_g_cm2 = self.delta / pixels.max(1) as f64;
        anomaly.mass_kg = self.mass_kg;
        if let (Some(c0), Some(c1), Some(d0), Some(d1)) = (
            self.mask.iter().map(|m| m[0]).min(),
            self.mask.iter().map(|m| m[0]).max(),
            self.mask.iter().map(|m| m[1]).min(),
            self.mask.iter().map(|m| m[2]).max(),
        ) {
            anomaly.bounds = [c0, d0, c1 + 1 - c0, d1 - d0];
        }
        anomaly.mask = self.mask;
    }
}

/// Pairs of which the first is there.
trait FlattenPairs<A, B>: Iterator<Item = (Option<A>, B)> + Sized {
    fn flatten_pairs(self) -> impl Iterator<Item = (A, B)> {
        self.filter_map(|(a, b)| a.map(|a| (a, b)))
    }
}

impl<A, B, I: Iterator<Item = (Option<A>, B)>> FlattenPairs<A, B> for I {}

fn choose_load(options: &Options, kind: Kind, dice: &mut Dice) -> Load {
    if options.empties {
        return Load::Empty;
    }
    let wanted: Vec<Load> = Load::of(kind).iter().copied().filter(|l| options.loads.is_empty() || options.loads.contains(l)).collect();
    match wanted.len() {
        0 => Load::Empty,
        // Between a third and a half of a manifest train's cars run empty.
        _ if options.loads.is_empty() && dice.chance(0.4) => Load::Empty,
        _ => dice.pick(&wanted),
    }
}

/// Which anomaly a car gets: its cargo has to be drawn to know what it can have.
fn choose_anomaly(options: &Options, wagon: &Wagon, rays: &Rays, seed: u64) -> Option<Anomaly> {
    let mut canvas = Canvas::new(rays, &[]);
    let spaces = wagon.car.body(&mut canvas);
    let cargo = loads::load(&wagon.car, &mut canvas, &spaces, wagon.load, &mut Dice::new(wagon.goods, 41), &mut Dice::new(wagon.clutter, 42));
    let possible: Vec<Anomaly> =
        Anomaly::possible(&wagon.car, &cargo).into_iter().filter(|a| options.anomalies.is_empty() || options.anomalies.contains(a)).collect();
    if possible.is_empty() { None } else { Some(Dice::new(seed, 44).pick(&possible)) }
}

/// Counts behind `steel_g_cm2`, as a share of the open beam, and with the scatter that an open scan throws in.
fn behind(lines: &[super::attenuation::Line], scatter: f64, steel_g_cm2: f64) -> f64 {
    let t: f64 = lines.iter().map(|l| l.share * (-l.mass_attenuation_cm2_g[0] * steel_g_cm2).exp()).sum();
    // Around a test object stands open beam: the veil is that of a picture half open.
    (t + scatter * (0.5 + 0.5 * t)) / (1.0 + scatter)
}

fn image_quality(source: Source, quanta: f64, scatter: f64, pixel_m2: f64) -> ImageQuality {
    let lines = &source.beams()[0];
    let pixels = 0.01 / pixel_m2;
    let steel = 0.785;
    let d_block = |mm: f64| {
        let (plate, block) = (behind(lines, scatter, mm * steel), behind(lines, scatter, 1e6));
        (pixels * quanta * (plate - block).powi(2) / plate).sqrt()
    };
    let d_extra = |mm: f64, extra: f64| {
        let (plate, more) = (behind(lines, scatter, mm * steel), behind(lines, scatter, (mm + extra) * steel));
        (pixels * quanta * (plate - more).powi(2) / plate).sqrt()
    };
    let solve = |rising: &dyn Fn(f64) -> bool, mut low: f64, mut high: f64| {
        for _ in 0..50 {
            let middle = (low + high) / 2.0;
            if rising(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        (high * 100.0).round() / 100.0
    };
    ImageQuality {
        penetration_mm_steel: solve(&|mm| d_block(mm) < 5.0, 0.0, 600.0),
        contrast_mm_steel: [0.0, 25.0, 50.0, 100.0].map(|mm| Some(solve(&|extra| d_extra(mm, extra) >= 3.0, 0.0, 300.0)).filter(|least| *least < 299.0)),
    }
}
