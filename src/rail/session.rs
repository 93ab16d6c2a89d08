//! One scan being worked through: calibration, cutting, and what accumulates for the scan's own report.
//!
//! The caller says how many columns there are and when the last has come, so that a file that is complete and one that grows are the same to it.

use super::anomaly::Anomaly;
use super::calibrate::Calibration;
use super::consist::{Consist, ConsistCar, Identity};
use super::identity;
use super::image_quality::{ImageQuality, Watch};
use super::inspect::{CarReport, Earlier, Examined, ScanReport, consist_state, examine, mark_of};
use super::scan::Scan;
use super::segment::{CarSegment, Segmenter};
use super::thresholds::{LEAST_CARS, LEAST_SCORES, Thresholds};
use crate::error::Result;

/// A scan that is being worked through.
pub struct Session {
    calibration: Calibration,
    segmenter: Segmenter,
    watch: Watch,
    cars: usize,
    /// False-alarm rate of the detector that is asked of every car, one per car, for the alarm of its own.
    rates: Vec<f64>,
    /// A car was looked at without the network.
    without_network: bool,
    /// Detectors that fail during the scan, where it was complete from the start: unused from its first column on.
    failed: Vec<usize>,
}

impl Session {
    /// Calibrates from the scan's first columns.
    ///
    /// # Errors
    /// As [`Calibration::begin`].
    pub fn begin(scan: &Scan) -> Result<Session> {
        let calibration = Calibration::begin(scan)?;
        let segmenter = Segmenter::new(scan, &calibration);
        Ok(Session { calibration, segmenter, watch: Watch::default(), cars: 0, rates: Vec::new(), without_network: false, failed: Vec::new() })
    }

    /// Takes the columns up to `columns`; the cars that are complete with them.
    ///
    /// # Errors
    /// Where columns cannot be read.
    pub fn advance(&mut self, scan: &Scan, columns: usize, last: bool) -> Result<Vec<CarSegment>> {
        // Of a whole scan its end is known before its cars: what has failed by then would be dark in each gap from there on.
        if last && self.segmenter.is_untouched() {
            self.failed = self.calibration.failed(scan);
            if !self.failed.is_empty() {
                self.failed.iter().for_each(|&detector| self.calibration.dead[detector] = true);
                self.segmenter = Segmenter::new(scan, &self.calibration);
            }
        }
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
        network: Option<&mut Anomaly>,
    ) -> Result<Examined> {
        self.without_network |= network.is_none();
        let examined = examine(scan, &self.calibration, segment, entry, earlier, thresholds, network)?;
        self.calibration.veils.push(examined.image.veil);
        self.watch.see(scan, &self.calibration, segment, examined.image.veil)?;
        self.rates.extend(examined.scores.iter().find(|(detector, _, _)| *detector == "residual").map(|&(_, _, rate)| rate));
        Ok(examined)
    }

    #[allow(clippy::too_many_arguments)]
    /// Looks at one car and says what is written of it; of one that could not be looked at, why.
    pub fn look(
        &mut self,
        name: &str,
        scan: &Scan,
        segment: &CarSegment,
        (identity, consist): (&Identity, Option<&Consist>),
        earlier: Option<&Earlier<'_>>,
        thresholds: &Thresholds,
        network: Option<&mut Anomaly>,
    ) -> (CarReport, Option<Examined>) {
        let (mark, confidence) = consist.map_or((None, 0.0), |list| mark_of(identity, list));
        let entry = consist.and_then(|list| match identity.entries[..] {
            [entry] => list.cars.get(entry),
            _ => None,
        });
        match self.examine(scan, segment, entry, earlier, thresholds, network) {
            Ok(examined) => {
                let mut report = examined.report(name, segment, mark, confidence);
                if segment.cut_off {
                    report.error = Some("the scan begins or ends inside this car: only part of it was seen, and it is not cleared".to_owned());
                }
                (report, Some(examined))
            }
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
            alarms: self.alarms(scan, &dead, &quality, thresholds).into_iter().chain(consist.map(doubts_of).unwrap_or_default()).collect(),
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
        if self.without_network {
            alarms.push("cars were looked at without the anomaly network: ONNX Runtime could not be loaded".to_owned());
        }
        if self.cars == 0 {
            alarms.push("no car in it".to_owned());
        }
        if let Some((first, count)) = self.segmenter.beamless().filter(|&(_, count)| count >= LOST_COLUMNS) {
            alarms.push(format!("no beam in {count} columns from {first} on, and nothing says that the source was shut: look at the source and the array"));
        }
        if let [first, .., last] | [first @ last] = self.failed[..] {
            alarms.push(format!("{} detectors from {first} to {last} fail during the scan and were not used in any of it", self.failed.len()));
        }
        let failed = self.calibration.failed(scan);
        if let [first, .., last] | [first @ last] = failed[..] {
            alarms.push(format!("{} detectors from {first} to {last} have failed during the scan: cars may be cut wrongly and judged wrongly", failed.len()));
        }
        let open = f64::from(self.calibration.air_stored());
        if open > 0.98 * f64::from(u16::MAX) {
            alarms.push(format!("open beam is stored as {open:.0} of 65535: the detectors are saturated"));
        }
        if scan.fields.dark.is_empty() && !self.calibration.dark.iter().any(|&dark| dark > 0.0) {
            alarms.push("no dark field: thicknesses are too small where little comes through".to_owned());
        }
        if thresholds.cars < LEAST_CARS {
            alarms.push(format!("the thresholds are of {} normal cars; {LEAST_CARS} and more are needed", thresholds.cars));
        }
        if !thresholds.borrowed.is_empty() {
            alarms.push(format!(
                "the calibration has fewer than {} normal cars of {} of its {} kinds of score: theirs are of {}",
                LEAST_SCORES,
                thresholds.borrowed.len(),
                thresholds.scores.len(),
                thresholds.borrowed_from
            ));
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

/// What is odd in a train's list, in words: at most [`MOST_DOUBTS`], and how many more.
fn doubts_of(consist: &Consist) -> Vec<String> {
    let mut doubts = Vec::new();
    let mut seen = std::collections::BTreeMap::new();
    for (index, car) in consist.cars.iter().enumerate() {
        let mark = car.written_mark();
        let codes = identity::doubts(mark.as_deref(), car.containers.iter().map(String::as_str));
        doubts.extend(codes.into_iter().map(|doubt| format!("the list's car {}: {doubt}", index + 1)));
        if let Some(mark) = mark
            && let Some(before) = seen.insert(mark.clone(), index + 1)
        {
            doubts.push(format!("the list's cars {before} and {} have one mark, {mark}", index + 1));
        }
        if car.position != 0 && car.position != index + 1 {
            doubts.push(format!("the list's car {} says that its position is {}: the order of the list counts", index + 1, car.position));
        }
    }
    if doubts.len() > MOST_DOUBTS {
        let more = doubts.len() - MOST_DOUBTS;
        doubts.truncate(MOST_DOUBTS);
        doubts.push(format!("{more} more doubts about the list"));
    }
    doubts
}

/// A list that is all wrong is told in so many lines.
const MOST_DOUBTS: usize = 10;

/// Columns without beam that are no accident of one or two: 0.2 s at 112 columns a second.
const LOST_COLUMNS: usize = 24;

/// What shines, as thresholds name it: `cs137` and `CS 137` are `Cs-137`.
pub fn source_name(scan: &Scan) -> String {
    let source = &scan.description.source;
    match (&source.nuclide, source.mv) {
        (Some(nuclide), _) => {
            let letters: String = nuclide.chars().filter(char::is_ascii_alphabetic).collect();
            let digits: String = nuclide.chars().filter(char::is_ascii_digit).collect();
            let written = letters.len() + digits.len() + nuclide.chars().filter(|c| matches!(c, ' ' | '-' | '_')).count();
            if (1..=2).contains(&letters.len()) && (2..=3).contains(&digits.len()) && written == nuclide.chars().count() {
                format!("{}{}-{digits}", letters[..1].to_ascii_uppercase(), letters[1..].to_ascii_lowercase())
            } else {
                nuclide.clone()
            }
        }
        (None, Some(mv)) => format!("{mv} MV"),
        (None, None) => "unknown".to_owned(),
    }
}
