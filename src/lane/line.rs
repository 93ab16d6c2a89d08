//! A read as other programs get it: the objects in `plates` of `garita read --json`, of the service's answers, and of the store.

use serde::{Deserialize, Serialize};

use super::hit::Hit;
use super::read::PlateRead;
use crate::posterior::ALPHABET;
use crate::watchlist::find::MatchClass;

/// Alternatives of a position that are told at most, and the least probability of one that is.
const ALTERNATIVES: (usize, f32) = (8, 0.001);

/// One plate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlateLine {
    /// The most probable text; empty for a no-read.
    pub text: String,
    /// Calibrated probability that it is exactly right, 0..=1.
    pub confidence: f32,
    /// Left, top, width, height, frame pixels.
    #[serde(rename = "box")]
    pub hull: [f32; 4],
    /// Top-left, top-right, bottom-right, bottom-left, frame pixels.
    pub corners: [[f32; 2]; 4],
    /// Per position the likeliest characters with their probabilities.
    pub chars: Vec<Vec<(char, f32)>>,
    /// Whose plate; `null` where the reader does not know.
    pub jurisdiction: Option<JurisdictionLine>,
    /// Whom the watchlist says it may be, most probable first.
    #[serde(default)]
    pub hits: Vec<HitLine>,
}

/// Who issued a plate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JurisdictionLine {
    /// ISO 3166-2, or `other`.
    pub code: String,
    /// Probability, 0..=1.
    pub confidence: f32,
}

/// One entry that met a read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HitLine {
    /// The entry's text.
    pub entry: String,
    /// Its list.
    pub list: String,
    /// How it met.
    pub class: MatchClass,
    /// Characters exchanged, missing or additional.
    pub edits: u8,
    /// Probability that this entry's plate made this picture, 0..=1.
    pub probability: f32,
    /// 0 is the most urgent.
    pub priority: u8,
}

impl PlateLine {
    /// What is told of a read and its hits.
    pub fn of(read: &PlateRead, hits: &[Hit]) -> PlateLine {
        let [left, top, right, bottom] = read.plate.hull();
        let tenth = |value: f32| (value * 10.0).round() / 10.0;
        PlateLine {
            text: read.text.to_string(),
            confidence: read.confidence,
            hull: [left, top, right - left, bottom - top].map(tenth),
            corners: read.plate.corners.map(|corner| corner.map(tenth)),
            chars: read.posterior.positions().iter().map(|position| alternatives(&position.characters)).collect(),
            jurisdiction: read.jurisdiction.map(|one| JurisdictionLine { code: one.code.as_str().to_owned(), confidence: one.confidence }),
            hits: hits.iter().map(HitLine::of).collect(),
        }
    }
}

impl HitLine {
    /// What is told of a hit.
    pub fn of(hit: &Hit) -> HitLine {
        HitLine {
            entry: hit.entry.text.clone(),
            list: hit.entry.list.clone(),
            class: hit.class,
            edits: hit.edits,
            probability: hit.probability,
            priority: hit.entry.priority,
        }
    }
}

fn alternatives(characters: &[f32; 36]) -> Vec<(char, f32)> {
    let mut sorted: Vec<_> = ALPHABET.iter().map(|&character| char::from(character)).zip(characters.iter().copied()).collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    sorted.truncate(ALTERNATIVES.0);
    sorted.retain(|one| one.1 >= ALTERNATIVES.1);
    sorted
}
