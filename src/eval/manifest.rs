//! Manifests of labelled photographs: JSON lines, one picture or one full-resolution crop of a plate each.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::bytes::Bytes;
use crate::error::{Error, Fault, Result};

/// The most bytes of a manifest.
const MAX_BYTES: u64 = 1 << 30;

/// How much of a plate's width and height a crop shows on each side of it.
pub const CROP_MARGIN: f32 = 0.12;

/// One picture, or one crop.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The image file.
    pub path: PathBuf,
    /// Its name as the manifest has it.
    pub name: String,
    /// Its plates; exactly one, without a box, for a crop.
    pub plates: Vec<Truth>,
    /// True for a crop: the plate fills it but for [`CROP_MARGIN`].
    pub is_crop: bool,
    /// For a frame of a rendered sequence: where and when in it.
    pub moment: Option<Moment>,
    /// Where it comes from, for breaking figures down: the file name up to its number (`openlpr-`), or the stated source.
    pub source: String,
}

/// Where and when a frame of a sequence was captured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Moment {
    /// The lane.
    pub lane: String,
    /// The vehicle that is passing, if any.
    #[serde(default)]
    pub vehicle: Option<String>,
    /// The camera's count of frames.
    pub sequence: u64,
    /// Milliseconds by the camera's clock.
    pub captured_ms: i64,
}

/// What is known of one plate.
#[derive(Debug, Clone, Deserialize)]
pub struct Truth {
    /// Left, top, width, height, pixels of the picture.
    #[serde(rename = "box")]
    pub hull: Option<[f32; 4]>,
    /// Its text; `?` for a character that could not be read; `None` where it was not read.
    pub text: Option<String>,
    /// ISO 3166 code of who issued it, as far as known.
    pub region: Option<String>,
    /// One or two lines.
    pub lines: Option<u8>,
    /// How legible it was to the eye.
    #[serde(default)]
    pub quality: Option<String>,
    /// Width of the plate in the original, pixels, for a crop.
    #[serde(default)]
    pub plate_px: Option<f32>,
}

impl Truth {
    /// Width of the plate, pixels.
    pub fn width(&self) -> Option<f32> {
        self.hull.map(|hull| hull[2]).or(self.plate_px)
    }

    /// The text if every character of it is known.
    pub fn full_text(&self) -> Option<&str> {
        self.text.as_deref().filter(|text| !text.is_empty() && !text.contains('?'))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Row {
    Picture {
        image: String,
        plates: Vec<Truth>,
        #[serde(default)]
        source: Option<String>,
        #[serde(flatten)]
        moment: Option<Moment>,
    },
    Crop {
        crop: String,
        #[serde(default)]
        split: Option<String>,
        #[serde(default)]
        source: Option<String>,
        #[serde(flatten)]
        truth: Truth,
    },
}

/// Reads the manifest at `path`. With `split`, crops of other splits are left out.
///
/// # Errors
/// What [`Bytes::read`] says, and `Caller` with the line of a row that does not parse.
pub fn read(path: &Path, split: Option<&str>) -> Result<Vec<Sample>> {
    let bytes = Bytes::read(path, MAX_BYTES)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut samples = Vec::new();
    for (number, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let row: Row = serde_json::from_slice(line).map_err(|error| {
            Error::new(Fault::Caller, format!("line {}: neither a picture nor a crop of the manifest format ({error})", number + 1)).in_(path.display())
        })?;
        let (name, plates, is_crop, source, moment) = match row {
            Row::Picture { image, plates, source, moment } => (image, plates, false, source, moment),
            Row::Crop { split: Some(of), .. } if split.is_some_and(|wanted| wanted != of) => continue,
            Row::Crop { crop, truth, source, .. } => (crop, vec![truth], true, source, None),
        };
        let source = source_of(&name, source);
        samples.push(Sample { path: folder.join(&name), name, plates, is_crop, moment, source });
    }
    Ok(samples)
}

fn source_of(name: &str, source: Option<String>) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let prefix = file.trim_end_matches(|character: char| character.is_ascii_alphanumeric() || character == '.');
    match source {
        Some(source) if prefix.is_empty() => source.split([':', '@']).next().unwrap_or_default().to_owned(),
        _ => prefix.to_owned(),
    }
}
