//! Scans that people look at, open: mapped once, calibrated and cut when somebody wants thicknesses.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::error::{Error, Fault, Result};
use crate::rail::calibrate::Calibration;
use crate::rail::car::CarImage;
use crate::rail::earlier::Change;
use crate::rail::scan::Scan;
use crate::rail::segment::CarSegment;
use crate::rail::session::Session;
use crate::rail::shape::Shape;
use crate::review::display::Setting;

/// How many stay open: a person looks at one and its earlier one; three people at once.
const MOST_OPEN: usize = 6;

/// How long one stays open that nobody looks at: what retention deletes must not be kept by a mapping.
const IDLE: Duration = Duration::from_secs(300);

/// A scan, open.
pub(super) struct Opened {
    pub(super) scan: Scan,
    path: PathBuf,
    /// Its train still passes: columns come, and the cars that have passed are cut from what was there when it was opened.
    passing: bool,
    worked: OnceLock<Result<Worked>>,
    low: OnceLock<Result<Low>>,
}

/// The low energy of a dual-energy portal.
struct Low {
    scan: Scan,
    calibration: Calibration,
}

/// Which picture of a car.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Energy {
    /// As stored: of the high energy, or the only one.
    #[default]
    High,
    /// As stored: of the low energy.
    Low,
    /// How much more strongly the low energy is attenuated than the high one, in 16,384ths; 16,384 where there is next to nothing, 0 where nothing came through.
    Ratio,
}

/// One, of [`Energy::Ratio`].
const ONE: f32 = 16_384.0;
/// Less attenuation than this says nothing of a ratio: 2 % is what a pixel's noise is worth in open beam.
const LEAST_ATTENUATION: f32 = 0.02;

/// What its thicknesses rest on.
struct Worked {
    calibration: Calibration,
    cars: Vec<CarSegment>,
}

/// Those that were looked at last, newest last.
#[derive(Default)]
pub(in crate::service) struct Scans(Mutex<Vec<Kept>>);

/// One that stays open.
struct Kept {
    id: i64,
    looked: Instant,
    opened: Arc<Opened>,
}

impl Scans {
    /// The scan of this number, whose file is at `path`; blocks.
    ///
    /// Of a train that is passing, with the car at `position` if that has passed: where an opening from before has not cut it yet, the scan is opened anew.
    pub(super) fn open(&self, id: i64, path: &Path, passing: bool, position: Option<i64>) -> Result<Arc<Opened>> {
        let has = |known: &Opened| known.path == path && (!passing || position.is_none_or(|position| matches!(known.car(position), Ok(Some(_)))));
        if let Some(known) = self.known(id)
            && has(&known)
        {
            return Ok(known);
        }
        let scan = if passing { Scan::open(path)? } else { Scan::open_or_recover(path)?.0 };
        let opened = Arc::new(Opened { scan, path: path.to_owned(), passing, worked: OnceLock::new(), low: OnceLock::new() });
        let mut all = self.lock();
        all.retain(|kept| kept.id != id);
        all.push(Kept { id, looked: Instant::now(), opened: Arc::clone(&opened) });
        let many = all.len().saturating_sub(MOST_OPEN);
        all.drain(..many);
        Ok(opened)
    }

    fn known(&self, id: i64) -> Option<Arc<Opened>> {
        let mut all = self.lock();
        let at = all.iter().position(|kept| kept.id == id)?;
        let kept = Kept { looked: Instant::now(), ..all.remove(at) };
        let opened = Arc::clone(&kept.opened);
        all.push(kept);
        Some(opened)
    }

    /// Closes what nobody has looked at for a while.
    pub(in crate::service) fn close_idle(&self) {
        self.lock().retain(|kept| kept.looked.elapsed() < IDLE);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    /// Calibrated and cut, as the inspection did it; once.
    fn worked(&self) -> Result<&Worked> {
        let work = || {
            let mut session = Session::begin(&self.scan)?;
            let cars = session.advance(&self.scan, self.scan.columns(), !self.passing)?;
            Ok(Worked { calibration: session.calibration().clone(), cars })
        };
        self.worked.get_or_init(work).as_ref().map_err(Clone::clone)
    }

    /// How a car is shown at first: black where one quantum came through, or a two-thousandth of open beam, white in open beam, by the logarithm; medians of the detectors.
    pub(super) fn setting(&self, energy: Energy) -> Result<Setting> {
        let calibration = match energy {
            Energy::High => &self.worked()?.calibration,
            Energy::Low => &self.low()?.calibration,
            // From a fifth less to three fifths more: what hydrogen and what lead do between the energies of linacs.
            Energy::Ratio => {
                let of = |ratio: f32| (ratio * ONE) as u16;
                return Ok(Setting { low: of(0.8), high: of(1.6), log: false, zero: 0, gamma16: 16, invert: false });
            }
        };
        let median = |values: &[f32]| {
            let mut live: Vec<f32> = values.iter().zip(&calibration.dead).filter(|(_, dead)| !**dead).map(|(value, _)| *value).collect();
            live.sort_by(f32::total_cmp);
            live.get(live.len() / 2).copied().unwrap_or(0.0)
        };
        let (dark, air) = (median(&calibration.dark), median(&calibration.air));
        let least = calibration.gain.max(air / 2000.0).min(air / 2.0);
        Ok(Setting { low: (dark + least).round() as u16, high: (dark + air).round() as u16, log: true, zero: dark.round() as u16, gamma16: 16, invert: false })
    }

    /// The pictures that there are of its cars.
    pub(super) fn energies(&self) -> &'static [Energy] {
        if self.scan.planes() > 1 { &[Energy::High, Energy::Low, Energy::Ratio] } else { &[Energy::High] }
    }

    fn low(&self) -> Result<&Low> {
        let open = || {
            let scan = if self.passing { Scan::open(&self.path)? } else { Scan::open_or_recover(&self.path)?.0 };
            if scan.planes() < 2 {
                return Err(Error::new(Fault::Caller, "this scan has one energy"));
            }
            let scan = scan.of_plane(1);
            Ok(Low { calibration: Calibration::begin(&scan)?, scan })
        };
        self.low.get_or_init(open).as_ref().map_err(Clone::clone)
    }

    /// Detectors that are not used.
    pub(super) fn dead(&self) -> Result<Vec<usize>> {
        Ok(self.worked()?.calibration.dead_detectors())
    }

    /// The car at this place; none where the cut has no such car.
    pub(super) fn car(&self, position: i64) -> Result<Option<&CarSegment>> {
        Ok(self.worked()?.cars.iter().find(|car| i64::try_from(car.position) == Ok(position)))
    }

    /// A car in physical units.
    pub(super) fn image(&self, car: &CarSegment) -> Result<CarImage> {
        CarImage::new(&self.scan, &self.worked()?.calibration, car)
    }

    /// A car against an earlier scan of it; none where the two do not fit.
    pub(super) fn change(&self, car: &CarSegment, earlier: &Opened, then: &CarSegment) -> Result<Option<Change>> {
        let (now, before) = (self.image(car)?, earlier.image(then)?);
        Ok(Change::of(&now, &Shape::of(&now, car), car, &before, &Shape::of(&before, then)))
    }

    /// Pixels `[row, column]` of a part of the scan, `level` times halved: each is the mean of a square of 2^`level`, cut off at the scan's ends.
    /// `x` and `y` are in pixels of that level.
    pub(super) fn part(&self, energy: Energy, level: u32, x: Range<usize>, y: Range<usize>) -> Result<Vec<u16>> {
        match energy {
            Energy::High => part(&self.scan, level, x, y),
            Energy::Low => part(&self.low()?.scan, level, x, y),
            Energy::Ratio => self.ratio(level, x, y),
        }
    }

    fn ratio(&self, level: u32, x: Range<usize>, y: Range<usize>) -> Result<Vec<u16>> {
        let (high, low) = (&self.worked()?.calibration, self.low()?);
        // What the detectors of a row have on average without beam, in open beam, and of one quantum in it.
        let row = |calibration: &Calibration, y: usize| {
            let rows = y << level..((y + 1) << level).min(calibration.air.len());
            let mean = |values: &[f32]| values[rows.clone()].iter().sum::<f32>() / rows.len().max(1) as f32;
            let air = mean(&calibration.air).max(1.0);
            (mean(&calibration.dark), air, (calibration.gain / air).clamp(1e-6, 0.5))
        };
        let attenuation = |value: u16, (dark, air, least): (f32, f32, f32)| {
            let through = (f32::from(value) - dark) / air;
            (through > least).then(|| -through.ln())
        };
        let wide = x.len();
        let highs = part(&self.scan, level, x.clone(), y.clone())?;
        let lows = part(&low.scan, level, x, y.clone())?;
        let rows: Vec<_> = y.map(|y| (row(high, y), row(&low.calibration, y))).collect();
        let ratio = |(index, (&high, &low)): (usize, (&u16, &u16))| {
            let (of_high, of_low) = rows[index / wide.max(1)];
            match (attenuation(high, of_high), attenuation(low, of_low)) {
                (Some(high), Some(_)) if high < LEAST_ATTENUATION => ONE as u16,
                (Some(high), Some(low)) => (ONE * low / high).round().clamp(1.0, 65_535.0) as u16,
                _ => 0,
            }
        };
        Ok(highs.iter().zip(&lows).enumerate().map(ratio).collect())
    }
}

fn part(scan: &Scan, level: u32, x: Range<usize>, y: Range<usize>) -> Result<Vec<u16>> {
    let (columns, detectors, edge) = (scan.columns(), scan.detectors(), 1_usize << level);
    let rows = y.start * edge..(y.end * edge).min(detectors);
    let mut sums = vec![0_u64; x.len() * y.len()];
    // In blocks: a file that is not time-major allocates what it gathers.
    let wanted = x.start * edge..(x.end * edge).min(columns);
    for block in wanted.clone().step_by(256) {
        let block = block..(block + 256).min(wanted.end);
        let counts = scan.counts(block.clone())?;
        for (column, values) in block.zip(counts.chunks_exact(detectors)) {
            let at = (column - wanted.start) / edge;
            for (row, &value) in rows.clone().zip(&values[rows.clone()]) {
                sums[(row - rows.start) / edge * x.len() + at] += u64::from(value);
            }
        }
    }
    let share = |from: usize, most: usize| ((from + 1) * edge).min(most) - from * edge;
    for (index, sum) in sums.iter_mut().enumerate() {
        *sum /= (share(x.start + index % x.len(), columns) * share(y.start + index / x.len(), detectors)) as u64;
    }
    Ok(sums.into_iter().map(|mean| mean as u16).collect())
}
