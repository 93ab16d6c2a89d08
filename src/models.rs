//! The weights: embedded in the executable, or from a folder that the site names.
//!
//! Each network exists twice. The int8 version is twice as fast where the processor has VNNI instructions; without them ONNX Runtime's
//! U8S8 kernels may saturate, so the fp32 version is used there. Cards, data and licences: `models/README.md`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::bytes::Bytes;
use crate::error::{Error, Fault, Result};

/// The most bytes of one weights or settings file.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The lane's networks and what belongs to them.
pub struct Models {
    /// ONNX file of the plate detector.
    pub detector: Cow<'static, [u8]>,
    /// ONNX file of the detector for tiles, taught on small plates; empty where there is none (single precision), and the other looks at tiles too.
    pub tile_detector: Cow<'static, [u8]>,
    /// ONNX file of the refiner.
    pub refiner: Cow<'static, [u8]>,
    /// ONNX file of the reader.
    pub reader: Cow<'static, [u8]>,
    /// Thresholds of the detector and the refiner.
    pub detector_settings: DetectorSettings,
    /// Geometry, classes and calibration of the reader.
    pub reader_settings: ReaderSettings,
}

/// `models/detector.json`, written by the training recipe.
#[derive(Debug, Clone, Deserialize)]
pub struct DetectorSettings {
    /// Cells at or below this score are not looked at closely.
    pub candidate_threshold: f32,
    /// What the detector and the refiner make of it together.
    pub evidence: Evidence,
    /// What scores less by that is no plate; tuned on the tuning slice.
    pub score_threshold: f32,
    /// Boxes that overlap a surer one by more than this are the same plate.
    pub nms_iou: f32,
}

/// How probable it is that a box is a plate: the sigmoid of a weighted sum. Fitted on the tuning slice by `models/train/refiner.py`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Added.
    pub bias: f32,
    /// Times the refiner's logit.
    pub close: f32,
    /// Times the logit of the detector's score.
    pub first: f32,
    /// Times the natural logarithm of ten times the plate's width as a share of the detector's view.
    pub log_width: f32,
}

impl Evidence {
    /// The probability, 0..=1, where the refiner says `close` (a logit), the detector `first` (0..=1), and the plate is `width` of the view wide (0..=1).
    pub fn score(&self, close: f32, first: f32, width: f32) -> f32 {
        let first = first.clamp(1e-4, 1.0 - 1e-4);
        let sum = self.bias + self.close * close + self.first * (first / (1.0 - first)).ln() + self.log_width * (10.0 * width).clamp(0.01, 10.0).ln();
        1.0 / (1.0 + (-sum).exp())
    }
}

/// `models/reader.json`, written by the training recipe.
#[derive(Debug, Clone, Deserialize)]
pub struct ReaderSettings {
    /// Width of the input, pixels.
    pub width: usize,
    /// Height of the input, pixels.
    pub height: usize,
    /// Output columns for each of the two lines of a plate.
    pub columns_per_line: usize,
    /// What the input shows left and right of the plate, as a fraction of its width.
    pub margin_x: f32,
    /// What it shows above and below, as a fraction of its height.
    pub margin_y: f32,
    /// Divides the characters' log-probabilities before anything is decided on them.
    pub temperature: f32,
    /// The classes of the jurisdiction head, in its order: ISO 3166-2 codes and `other`.
    pub jurisdictions: Vec<String>,
    /// Divides the jurisdiction's logits.
    pub jurisdiction_temperature: f32,
    /// Below this probability a jurisdiction is said to be unknown.
    #[serde(default = "half")]
    pub jurisdiction_threshold: f32,
    /// Which plates are looked at again.
    #[serde(default)]
    pub look_again: LookAgain,
    /// From the decoder's probability of a text to the calibrated probability that it is exactly right, but for O, Q and 0, I and 1.
    #[serde(default)]
    pub calibration: Calibration,
    /// How usual formats are. By default they say nothing.
    #[serde(default)]
    pub formats: FormatSettings,
}

/// How usual the patterns of letters and digits of registrations are, counted by `models/train/formats.py`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormatSettings {
    /// What log-probabilities are multiplied with before they are added to those of the pixels, 0 to 1; chosen on the tuning slice.
    pub weight: f32,
    /// Log-probability of a pattern that is not among `patterns`.
    pub unseen: f32,
    /// Log-probability by pattern, such as `AAA9999`.
    pub patterns: BTreeMap<String, f32>,
}

fn half() -> f32 {
    0.5
}

/// Which plates are looked at again: those whose first read is neither sure nor hopeless. Chosen on the tuning slice, where looking at all others too
/// found next to nothing more (`models/reader.card.md`). By default none.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookAgain {
    /// The text's probability at the first look is at least this, in 0..=1.
    pub least: f32,
    /// And below this.
    pub below: f32,
    /// The detector's score is at least this: of boxes below it hardly any is a plate.
    pub score: f32,
}

impl LookAgain {
    /// Whether a read of this probability, from a box of this score, is looked at again.
    pub fn wants(&self, probability: f32, score: f32) -> bool {
        (self.least..self.below).contains(&probability) && score >= self.score
    }
}

/// Logistic calibration: confidence is the sigmoid of a weighted sum. Fitted on the tuning slice by `models/train/calibrate.py`, with boxes that are
/// no plates among the wrong answers.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Added.
    pub bias: f32,
    /// Times the logit of the decoded probability of the text.
    pub slope: f32,
    /// Times the natural logarithm of the plate's width in frame pixels over 100.
    pub log_width: f32,
    /// Times the logit of the detector's score.
    pub score: f32,
    /// Times the number of characters by which the text is shorter than [`Calibration::USUAL_LENGTH`].
    pub short: f32,
    /// Added where the plate was looked at again: the mean over several looks says less of itself than one look does.
    #[serde(default)]
    pub again: f32,
    /// Added to `slope` there.
    #[serde(default)]
    pub again_slope: f32,
}

impl Calibration {
    /// Texts of fewer characters are rare on plates and common on signs.
    pub const USUAL_LENGTH: usize = 5;
    /// Logits are held within plus and minus this: beyond it networks are sure of anything.
    pub const MOST_LOGIT: f32 = 8.0;

    /// The calibrated probability, in 0..=1, that a text of `length` characters is exactly right: `probability` is the decoder's, `width` the plate's
    /// in frame pixels, `score` the detector's; `again` where it was looked at more than once.
    pub fn confidence(&self, probability: f32, width: f32, score: f32, length: usize, again: bool) -> f32 {
        let logit = |share: f32| (share / (1.0 - share)).ln().clamp(-Calibration::MOST_LOGIT, Calibration::MOST_LOGIT);
        let (more, steeper) = if again { (self.again, self.again_slope) } else { (0.0, 0.0) };
        let sum = self.bias
            + more
            + (self.slope + steeper) * logit(probability)
            + self.log_width * (width.max(1.0) / 100.0).ln()
            + self.score * logit(score)
            + self.short * Calibration::USUAL_LENGTH.saturating_sub(length) as f32;
        1.0 / (1.0 + (-sum).exp())
    }
}

impl Default for Calibration {
    /// No calibration: confidence is the decoded probability.
    fn default() -> Calibration {
        Calibration { bias: 0.0, slope: 1.0, log_width: 0.0, score: 0.0, short: 0.0, again: 0.0, again_slope: 0.0 }
    }
}

/// Which version of each network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Quantised; needs VNNI to be right and fast.
    Int8,
    /// Single precision, for any processor.
    Fp32,
}

impl Precision {
    /// What suits this processor.
    pub fn of_this_machine() -> Precision {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512vnni") || std::arch::is_x86_feature_detected!("avxvnni") {
            return Precision::Int8;
        }
        Precision::Fp32
    }
}

impl Models {
    /// The weights inside this executable.
    pub fn embedded(precision: Precision) -> Models {
        let (detector, tile_detector, refiner, reader): (&[u8], &[u8], &[u8], &[u8]) = match precision {
            Precision::Int8 => (
                include_bytes!("../models/detector.int8.onnx"),
                include_bytes!("../models/detector.tiles.int8.onnx"),
                include_bytes!("../models/refiner.int8.onnx"),
                include_bytes!("../models/reader.int8.onnx"),
            ),
            Precision::Fp32 => {
                (include_bytes!("../models/detector.onnx"), &[], include_bytes!("../models/refiner.onnx"), include_bytes!("../models/reader.onnx"))
            }
        };
        let parse = "the embedded settings are checked by a test";
        Models {
            detector: Cow::Borrowed(detector),
            tile_detector: Cow::Borrowed(tile_detector),
            refiner: Cow::Borrowed(refiner),
            reader: Cow::Borrowed(reader),
            detector_settings: serde_json::from_str(include_str!("../models/detector.json")).expect(parse),
            reader_settings: serde_json::from_str(include_str!("../models/reader.json")).expect(parse),
        }
    }

    /// The weights in `folder`, named as in the repository's `models/`.
    ///
    /// # Errors
    /// `Caller` where a file is missing, `Model` where its settings do not parse or make no sense.
    pub fn from_folder(folder: &Path, precision: Precision) -> Result<Models> {
        let read = |name: &str| Bytes::read(&folder.join(name), MAX_FILE_BYTES);
        let suffix = if precision == Precision::Int8 { "int8.onnx" } else { "onnx" };
        let reader_settings: ReaderSettings = settings(folder, "reader.json")?;
        let sane = (8..=1024).contains(&reader_settings.width)
            && (8..=512).contains(&reader_settings.height)
            && (1..=crate::lane::ctc::MAX_COLUMNS / 2).contains(&reader_settings.columns_per_line)
            && !reader_settings.jurisdictions.is_empty()
            && reader_settings.temperature > 0.0
            && reader_settings.jurisdiction_temperature > 0.0;
        if !sane {
            return Err(Error::new(Fault::Model, "sizes or temperatures are out of range").in_(folder.join("reader.json").display()));
        }
        Ok(Models {
            detector: Cow::Owned(read(&format!("detector.{suffix}"))?.to_vec()),
            tile_detector: Cow::Owned(if precision == Precision::Int8 { read("detector.tiles.int8.onnx")?.to_vec() } else { Vec::new() }),
            refiner: Cow::Owned(read(&format!("refiner.{suffix}"))?.to_vec()),
            reader: Cow::Owned(read(&format!("reader.{suffix}"))?.to_vec()),
            detector_settings: settings(folder, "detector.json")?,
            reader_settings,
        })
    }
}

fn settings<T: serde::de::DeserializeOwned>(folder: &Path, name: &str) -> Result<T> {
    let path = folder.join(name);
    let bytes = Bytes::read(&path, MAX_FILE_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|error| Error::new(Fault::Model, error.to_string()).in_(path.display()))
}
