//! One scan being worked through: calibration, cutting, and what accumulates for the scan's own report.
//!
//! The caller says how many columns there are and when the last has come, so that a file that is complete and one that grows are the same to it.

use super::calibrate::Calibration;
use super::consist::{Consist, ConsistCar, Identity};
use super::image_quality::{ImageQuality, Watch};
use super::inspect::{CarReport, Earlier, Examined, ScanReport, consist_state, examine, mark_of};
use super::scan::Scan;
use super::segment::{CarSegment, Segmenter};
use super::thresholds::Thresholds;
use crate::error::Result;

/// A scan that is being worked through.
pub struct Session {
    calibration: Calibration,
    segmenter: Segmenter,
    watch: Watch,
    cars: usize,
    /// False-alarm rate of the detector that is asked of every car, one per car, for the alarm of its own.
    rates: Vec<f64>,
}

impl Session {
    /// Calibrates from the scan's first columns.
    ///
    /// # Errors
    /// As [`Calibration::begin`].
    pub fn begin(scan: &Scan) -> Result<Session> {
        let calibration = Calibration::begin(scan)?;
        let segmenter = Segmenter::new(scan, &calibration);
        Ok(Session { calibration, segmenter, watch: Watch::default(), cars: 0, rates: Vec::new() })
    }

    /// Takes the columns up to `columns`; the cars that are complete with them.
    ///
    /// # Errors
    /// Where columns cannot be read.
    pub fn advance(&mut self, scan: &Scan, columns: usize, last: bool) -> Result<Vec<CarSegment>> {
        let cars = self.segmenter.advance(scan, &mut self.calibration, columns, last)?;
        self.cars += cars.len();
        Ok(cars)
    }

    /// The calibration as it stands.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Looks at one car.
    ///
    /// # Errors
    /// As [`examine`].
    pub fn examine(
        &mut self,
        scan: &Scan,
        segment: &CarSegment,
        entry: Option<&ConsistCar>,
        earlier: Option<&Earlier<'_>>,
        thresholds: &Thresholds,
    ) -> Result<Examined> {
        let examined = examine(scan, &self.calibration, segment, entry, earlier, thresholds)?;
        self.calibration.veils.push(examined.image.veil);
        self.watch.see(&examined.image, &examined.shape);
        self.rates.extend(examined.scores.iter().find(|(detector, _, _)| *detector == "residual").map(|&(_, _, rate)| rate));
        Ok(examined)
    }

    /// Looks at one car and says what is written of it; of one that could not be looked at, why.
    pub fn look(
        &mut self,
        name: &str,
        scan: &Scan,
        segment: &CarSegment,
        (identity, consist): (&Identity, Option<&Consist>),
        earlier: Option<&Earlier<'_>>,
        thresholds: &Thresholds,
    ) -> (CarReport, Option<Examined>) {
        let (mark, confidence) = consist.map_or((None, 0.0), |list| mark_of(identity, list));
        let entry = consist.and_then(|list| match identity.entries[..] {
            [entry] => list.cars.get(entry),
            _ => None,
        });
        match self.examine(scan, segment, entry, earlier, thresholds) {
            Ok(examined) => (examined.report(name, segment, mark, confidence), Some(examined)),
            Err(error) => (CarReport::failed(name, segment, error.to_string()), None),
        }
    }

    /// The scan's own report, after its cars.
    pub fn report(&self, name: &str, scan: &Scan, identities: &[Identity], consist: Option<&Consist>, thresholds: &Thresholds) -> ScanReport {
        let round = |value: f64| (value * 1e3).round() / 1e3;
        let dead = self.calibration.dead_detectors();
        let quality = self.watch.quality(&self.calibration, scan.description.pitch_mm * scan.description.column_mm);
        let mut air: Vec<f32> = (0..self.calibration.air.len()).filter(|&i| !self.calibration.dead[i]).map(|i| self.calibration.air[i]).collect();
        ScanReport {
            scan: name.to_owned(),
            cars: self.cars,
            alarms: self.alarms(scan, &dead, &quality, thresholds),
            dead,
            gain: round(f64::from(self.calibration.gain)),
            air: round(f64::from(super::calibrate::median_of(&mut air))),
            image_quality: serde_json::to_value(&quality).unwrap_or_default(),
            consist: consist_state(identities, consist),
            error: None,
        }
    }

    fn alarms(&self, scan: &Scan, dead: &[usize], quality: &ImageQuality, thresholds: &Thresholds) -> Vec<String> {
        let mut alarms = Vec::new();
        // 1 %: 3 of 368 is what portals live with (`shared/rail.md` 2.4).
        if dead.len() * 100 > scan.detectors() {
            alarms.push(format!("{} of {} detectors are dead or noisy", dead.len(), scan.detectors()));
        }
        if !self.calibration.attenuation.known {
            alarms.push("the scan does not say what shines: thicknesses are as if it were Cs-137".to_owned());
        }
        let source = source_name(scan);
        if source != thresholds.source {
            alarms.push(format!("thresholds are of {}, this scan is of {source}: make new ones with `garita calibrate rail`", thresholds.source));
        } else {
            let ratio = quality.air_quanta_cell / f64::from(thresholds.air_quanta.max(1e-3));
            // A third of the quanta more or less moves every score by a sixth.
            if !(0.67..=1.5).contains(&ratio) {
                alarms.push(format!("{ratio:.2} times the quanta that the thresholds are of: make new ones with `garita calibrate rail`"));
            }
        }
        // 10 cars: fewer cannot show it.
        if self.rates.len() >= 10 && Thresholds::drift(&self.rates) > 4.0 {
            alarms.push("more cars score like few normal ones than the thresholds allow: they no longer hold for this portal".to_owned());
        }
        alarms
    }
}

/// What shines, as thresholds name it.
pub fn source_name(scan: &Scan) -> String {
    let source = &scan.description.source;
    match (&source.nuclide, source.mv) {
        (Some(nuclide), _) => nuclide.clone(),
        (None, Some(mv)) => format!("{mv} MV"),
        (None, None) => "unknown".to_owned(),
    }
}
