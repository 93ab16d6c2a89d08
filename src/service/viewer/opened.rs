//! Scans that people look at, open: mapped once, calibrated and cut when somebody wants thicknesses.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Result;
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
    worked: OnceLock<Result<Worked>>,
}

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
    pub(super) fn open(&self, id: i64, path: &Path) -> Result<Arc<Opened>> {
        if let Some(known) = self.known(id) {
            return Ok(known);
        }
        let opened = Arc::new(Opened { scan: Scan::open_or_recover(path)?.0, worked: OnceLock::new() });
        let mut all = self.lock();
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
            let cars = session.advance(&self.scan, self.scan.columns(), true)?;
            Ok(Worked { calibration: session.calibration().clone(), cars })
        };
        self.worked.get_or_init(work).as_ref().map_err(Clone::clone)
    }

    /// How a car is shown at first: black where one quantum came through, or a two-thousandth of open beam, white in open beam, by the logarithm; medians of the detectors.
    pub(super) fn setting(&self) -> Result<Setting> {
        let calibration = &self.worked()?.calibration;
        let median = |values: &[f32]| {
            let mut live: Vec<f32> = values.iter().zip(&calibration.dead).filter(|(_, dead)| !**dead).map(|(value, _)| *value).collect();
            live.sort_by(f32::total_cmp);
            live.get(live.len() / 2).copied().unwrap_or(0.0)
        };
        let (dark, air) = (median(&calibration.dark), median(&calibration.air));
        let least = calibration.gain.max(air / 2000.0).min(air / 2.0);
        Ok(Setting { low: (dark + least).round() as u16, high: (dark + air).round() as u16, log: true, zero: dark.round() as u16, gamma16: 16, invert: false })
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
    pub(super) fn part(&self, level: u32, x: std::ops::Range<usize>, y: std::ops::Range<usize>) -> Result<Vec<u16>> {
        let (columns, detectors, edge) = (self.scan.columns(), self.scan.detectors(), 1_usize << level);
        let rows = y.start * edge..(y.end * edge).min(detectors);
        let mut sums = vec![0_u64; x.len() * y.len()];
        // In blocks: a file that is not time-major allocates what it gathers.
        let wanted = x.start * edge..(x.end * edge).min(columns);
        for block in wanted.clone().step_by(256) {
            let block = block..(block + 256).min(wanted.end);
            let counts = self.scan.counts(block.clone())?;
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
}
