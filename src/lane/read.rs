//! What a plate says: text, what each position could be instead, how sure, and whose plate it is.

use crate::error::Result;
use crate::infer::{Engine, Network};
use crate::lane::ctc::{CLASSES, Column, Decoder, MAX_COLUMNS};
use crate::lane::detect::PlateBox;
use crate::lane::frame::Luma;
use crate::lane::rectify::rectify;
use crate::models::{Models, ReaderSettings};
use crate::posterior::{Posterior, Text};

/// One reading of one plate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlateRead {
    /// Where it is.
    pub plate: PlateBox,
    /// The most probable text; empty for a no-read.
    pub text: Text,
    /// One position per character of `text`.
    pub posterior: Posterior,
    /// Calibrated probability that `text` is exactly right, in 0..=1.
    pub confidence: f32,
    /// Whose plate; `None` where the reader does not know.
    pub jurisdiction: Option<Jurisdiction>,
}

/// Who issued a plate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jurisdiction {
    /// ISO 3166-2 (`US-CA`, `MX-BCN`), or `other` for a plate of none that the reader was taught.
    pub code: Code,
    /// Probability, in 0..=1.
    pub confidence: f32,
}

/// A jurisdiction's code without a heap: at most 8 ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code([u8; 8]);

impl Code {
    /// `None` for what is not 1 to 8 ASCII characters.
    pub fn of(code: &str) -> Option<Code> {
        let mut bytes = [0; 8];
        let fits = !code.is_empty() && code.len() <= bytes.len() && code.bytes().all(|byte| byte.is_ascii_graphic());
        bytes.get_mut(..code.len())?.copy_from_slice(code.as_bytes());
        fits.then_some(Code(bytes))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..length]).expect("a code holds ASCII")
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The reader of one worker.
pub struct Reader {
    network: Network,
    settings: ReaderSettings,
    codes: Vec<Code>,
    decoder: Decoder,
    columns: Vec<Column>,
}

impl Reader {
    /// Loads the reader of `models`.
    ///
    /// # Errors
    /// `Model` where it does not load or is not the reader that its settings describe.
    pub fn open(engine: &Engine, models: &Models) -> Result<Reader> {
        let settings = models.reader_settings.clone();
        let columns = 2 * settings.columns_per_line;
        let network = Network::open(
            engine,
            "plate reader",
            &models.reader,
            &[1, 1, settings.height, settings.width],
            &[("chars", &[1, columns, CLASSES]), ("jurisdiction", &[1, settings.jurisdictions.len()])],
        )?;
        let codes = settings.jurisdictions.iter().filter_map(|code| Code::of(code)).collect::<Vec<_>>();
        if codes.len() != settings.jurisdictions.len() {
            return Err(crate::error::Error::new(crate::error::Fault::Model, "a jurisdiction's code is not 1 to 8 ASCII characters").in_("plate reader"));
        }
        Ok(Reader { network, settings, codes, decoder: Decoder::default(), columns: Vec::with_capacity(MAX_COLUMNS) })
    }

    /// Straightens `plate` into the network's input; [`Reader::read`] reads what was straightened last.
    pub fn rectify(&mut self, luma: &Luma, plate: &PlateBox) {
        let settings = &self.settings;
        rectify(luma, &plate.corners, [settings.margin_x, settings.margin_y], self.network.input(), settings.width, settings.height);
    }

    /// The network's input as it stands, `[height, width]` in 0..=1, with its width: for pictures of what the reader saw.
    pub fn input(&mut self) -> (&[f32], usize) {
        (self.network.input(), self.settings.width)
    }

    /// Reads the straightened plate.
    ///
    /// # Errors
    /// `Model` where inference fails.
    pub fn read(&mut self, plate: &PlateBox) -> Result<PlateRead> {
        let outputs = self.network.run()?;
        self.columns.clear();
        for logs in outputs.get(0).as_chunks::<CLASSES>().0 {
            self.columns.push(softmax(logs, self.settings.temperature));
        }
        let mut posterior = Posterior::default();
        let (text, probability) = self.decoder.decode(&self.columns, &mut posterior);
        let jurisdiction = jurisdiction(outputs.get(1), &self.settings, &self.codes);
        let confidence = if text.is_empty() { 0.0 } else { calibrated(probability, plate.plate_width(), &self.settings) };
        Ok(PlateRead { plate: *plate, text, posterior, confidence, jurisdiction })
    }
}

/// Probabilities of one column from its logits or log-probabilities, divided by `temperature`.
fn softmax(logs: &Column, temperature: f32) -> Column {
    let most = logs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut column = logs.map(|log| ((log - most) / temperature).exp());
    let total: f32 = column.iter().sum();
    column.iter_mut().for_each(|value| *value /= total);
    column
}

/// See [`crate::models::Calibration`].
fn calibrated(probability: f64, plate_width: f32, settings: &ReaderSettings) -> f32 {
    let probability = probability.clamp(1e-6, 1.0 - 1e-6);
    let logit = (probability / (1.0 - probability)).ln() as f32;
    let calibration = &settings.calibration;
    let score = calibration.bias + calibration.slope * logit + calibration.log_width * (plate_width.max(1.0) / 100.0).ln();
    1.0 / (1.0 + (-score).exp())
}

/// The most probable jurisdiction, or `None` where it is not probable enough.
fn jurisdiction(logits: &[f32], settings: &ReaderSettings, codes: &[Code]) -> Option<Jurisdiction> {
    let (best, &most) = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    let total: f32 = logits.iter().map(|logit| ((logit - most) / settings.jurisdiction_temperature).exp()).sum();
    let confidence = 1.0 / total;
    (confidence >= settings.jurisdiction_threshold).then_some(Jurisdiction { code: codes[best], confidence })
}
