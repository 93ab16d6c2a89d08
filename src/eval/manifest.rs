//! Manifests of labelled photographs: JSON lines, one picture or one full-resolution crop of a plate each.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::bytes::Bytes;
use crate::error::{Error, Fault, Result};

/// The most bytes of a manifest.
const MAX_BYTES: u64 = 1 << 30;

/// How much of a plate's width and height a crop shows on each side of it.
pub const CROP_MARGIN: f32 = 0.12;

/// What some editors put in front of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A row, or a plate in it, field by field.
type Row = Map<String, Value>;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The lane.
    pub lane: String,
    /// The vehicle that is passing, if any.
    pub vehicle: Option<String>,
    /// The camera's count of frames.
    pub sequence: u64,
    /// Milliseconds by the camera's clock.
    pub captured_ms: i64,
}

impl Moment {
    /// Of a row that says lane, number and time; nothing of one that does not say all three.
    fn of(row: &mut Row) -> std::result::Result<Option<Moment>, String> {
        if ["lane", "sequence", "captured_ms"].iter().any(|name| row.get(*name).is_none_or(Value::is_null)) {
            return Ok(None);
        }
        let (lane, vehicle, sequence, captured_ms) = (field(row, "lane")?, field(row, "vehicle")?, field(row, "sequence")?, field(row, "captured_ms")?);
        Ok(Some(Moment { lane, vehicle, sequence, captured_ms }))
    }
}

/// What is known of one plate.
#[derive(Debug, Clone)]
pub struct Truth {
    /// Left, top, width, height, pixels of the picture; `box` in a manifest.
    pub hull: Option<[f32; 4]>,
    /// Its text; `?` for a character that could not be read; `None` where it was not read.
    pub text: Option<String>,
    /// ISO 3166 code of who issued it, as far as known.
    pub region: Option<String>,
    /// One or two lines.
    pub lines: Option<u8>,
    /// How legible it was to the eye.
    pub quality: Option<String>,
    /// Width of the plate in the original, pixels, for a crop.
    pub plate_px: Option<f32>,
}

impl Truth {
    fn of(row: &mut Row) -> std::result::Result<Truth, String> {
        let hull: Option<[f32; 4]> = field(row, "box")?;
        if hull.is_some_and(|[_, _, width, height]| width < 0.0 || height < 0.0) {
            return Err("`box` is left, top, width and height: neither of these is negative".to_owned());
        }
        let (text, region, lines) = (field(row, "text")?, field(row, "region")?, field(row, "lines")?);
        Ok(Truth { hull, text, region, lines, quality: field(row, "quality")?, plate_px: field(row, "plate_px")? })
    }

    /// Width of the plate, pixels.
    pub fn width(&self) -> Option<f32> {
        self.hull.map(|hull| hull[2]).or(self.plate_px)
    }

    /// The text if every character of it is known.
    pub fn full_text(&self) -> Option<&str> {
        self.text.as_deref().filter(|text| !text.is_empty() && !text.contains('?'))
    }
}

/// Reads the manifest at `path`. With `split`, crops of other splits are left out.
///
/// # Errors
/// What [`Bytes::read`] says, and `Caller` with the line of a row that is not right, and what is missing or wrong in it.
pub fn read(path: &Path, split: Option<&str>) -> Result<Vec<Sample>> {
    let bytes = Bytes::read(path, MAX_BYTES)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut samples = Vec::new();
    for (number, line) in bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes).split(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let sample = sample(line, folder, split);
        samples.extend(sample.map_err(|why| Error::new(Fault::Caller, format!("line {}: {why}", number + 1)).in_(path.display()))?);
    }
    Ok(samples)
}

/// The sample of a row; nothing for a crop of another split.
fn sample(line: &[u8], folder: &Path, split: Option<&str>) -> std::result::Result<Option<Sample>, String> {
    let mut row: Row = serde_json::from_slice(line).map_err(|error| format!("is not a JSON object: {error}").replace(" at line 1 column", ", column"))?;
    // A row with both names a crop and the picture that it is of.
    let is_crop = row.contains_key("crop") && !row.contains_key("plates");
    let (name, plates): (String, Vec<Truth>) = if is_crop {
        let of: Option<String> = field(&mut row, "split")?;
        if split.zip(of.as_deref()).is_some_and(|(wanted, of)| wanted != of) {
            return Ok(None);
        }
        (field(&mut row, "crop")?, vec![Truth::of(&mut row)?])
    } else if row.contains_key("image") {
        let plates: Vec<Row> = field(&mut row, "plates")?;
        let plate = |(number, mut plate): (usize, Row)| Truth::of(&mut plate).map_err(|why| format!("plate {} of `plates`: {why}", number + 1));
        (field(&mut row, "image")?, plates.into_iter().enumerate().map(plate).collect::<std::result::Result<_, _>>()?)
    } else {
        return Err("has neither `image`, as the row of a picture has, nor `crop`, as that of a crop".to_owned());
    };
    let moment = if is_crop { None } else { Moment::of(&mut row)? };
    let source = source_of(&name, field(&mut row, "source")?);
    Ok(Some(Sample { path: folder.join(&name), name, plates, is_crop, moment, source }))
}

/// Takes a field from a row; without it, what null gives: nothing for an `Option`, an error for others.
fn field<T: DeserializeOwned>(row: &mut Row, name: &str) -> std::result::Result<T, String> {
    let value = row.remove(name);
    let missing = value.is_none();
    serde_json::from_value(value.unwrap_or_default()).map_err(|error| if missing { format!("`{name}` is missing") } else { format!("`{name}`: {error}") })
}

fn source_of(name: &str, source: Option<String>) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let prefix = file.trim_end_matches(|character: char| character.is_ascii_alphanumeric() || character == '.');
    match source {
        Some(source) if prefix.is_empty() => source.split([':', '@']).next().unwrap_or_default().to_owned(),
        _ => prefix.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Sample>> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("writes");
        read(file.path(), Some("dev"))
    }

    #[test]
    fn pictures_crops_and_frames_are_told_apart() {
        let rows = r#"{"image": "a/b-1.jpg", "plates": [{"box": [1, 2, 30.5, 4], "text": "AB12", "region": "US-TX", "lines": 1}, {}], "source": "us:1"}

            {"crop": "c.png", "image": "a/b-1.jpg", "split": "dev", "text": "AB12", "plate_px": 80.5}
            {"crop": "d.png", "split": "train", "text": "AB12"}
            {"image": "e.jpg", "plates": [], "lane": "north", "sequence": 7, "captured_ms": 123, "vehicle": null}"#;
        // As Windows writes it.
        let samples = read_text(&format!("\u{feff}{}", rows.replace('\n', "\r\n"))).unwrap_or_else(|error| panic!("{error}"));
        let names: Vec<_> = samples.iter().map(|sample| (sample.name.as_str(), sample.plates.len(), sample.is_crop)).collect();
        assert_eq!(names, [("a/b-1.jpg", 2, false), ("c.png", 1, true), ("e.jpg", 0, false)]);
        assert_eq!((samples[0].plates[0].hull, samples[1].plates[0].width()), (Some([1.0, 2.0, 30.5, 4.0]), Some(80.5)));
        assert_eq!(samples[2].moment, Some(Moment { lane: "north".to_owned(), vehicle: None, sequence: 7, captured_ms: 123 }));
    }

    #[test]
    fn an_error_says_which_line_and_which_field() {
        for (row, wanted) in [
            (r#"{"image": "a.jpg"}"#, "line 2: `plates` is missing"),
            (r#"{"image": 5, "plates": []}"#, "line 2: `image`: invalid type: integer `5`, expected a string"),
            (r#"{"image": "a.jpg", "plates": [{}, {"box": [1, 2, 3]}]}"#, "line 2: plate 2 of `plates`: `box`: invalid length 3"),
            (r#"{"image": "a.jpg", "plates": [{"box": [1, 2, -3, 4]}]}"#, "line 2: plate 1 of `plates`: `box` is left, top, width and height"),
            (r#"{"image": "a.jpg", "plates": [], "lane": "n", "sequence": "7", "captured_ms": 1}"#, "line 2: `sequence`: invalid type: string \"7\""),
            (r#"{"crop": "a.jpg", "text": 12}"#, "line 2: `text`: invalid type"),
            (r#"{"picture": "a.jpg"}"#, "line 2: has neither `image`"),
            (r#"{"image": "a.jpg","#, "line 2: is not a JSON object: EOF while parsing a value, column 18"),
            ("image,plates", "line 2: is not a JSON object: expected value, column 1"),
        ] {
            let error = read_text(&format!("\n{row}\n")).expect_err("is wrong");
            assert!(error.fault == Fault::Caller && error.message.starts_with(wanted), "{row}: {error}");
        }
    }
}
