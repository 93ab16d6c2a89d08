//! The worst errors of a run as one picture: each plate as it was seen, what it says, what was read, and how sure.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use crate::bytes::Bytes;
use crate::draw::Picture;
use crate::error::Result;
use crate::eval::manifest::Sample;
use crate::eval::plates::{Outcome, fold, is_wide, is_wide_box};
use crate::lane::read::PlateRead;

/// Columns of the sheet, and the most errors that it shows.
const COLUMNS: usize = 6;
const MOST: usize = 72;
/// Size of one plate and of the two lines of writing under it, pixels.
const PLATE: (u32, u32) = (240, 110);
const WRITING: u32 = 52;

/// One error.
struct Wrong<'a> {
    sample: &'a Sample,
    /// Where in the picture: left, top, width, height; everywhere in it, of a crop.
    place: Option<[f32; 4]>,
    /// What is there.
    is: String,
    /// What was read, and how sure.
    said: String,
    /// How bad it is: how sure the read is, or how wide the plate that was missed.
    weight: f32,
}

/// Draws the worst errors in the pictures that could be looked at: wrong texts, then boxes that are no labelled plate, surest first, then plates that were
/// not found, widest first; of each kind as many as of the others, as far as there are. Plates narrower than `min_width` pixels are neither missed nor false.
///
/// # Errors
/// Where a picture that was read a moment ago cannot be read again.
pub fn draw(samples: &[Sample], outcomes: &[Outcome], min_width: f32) -> Result<Picture> {
    let seen = || outcomes.iter().filter(|outcome| outcome.error.is_none()).map(|outcome| (&samples[outcome.sample], outcome));
    let misread = seen().flat_map(|(sample, outcome)| misread(sample, outcome)).collect();
    let no_plates = seen().flat_map(|(sample, outcome)| no_plates(sample, outcome, min_width)).collect();
    let missed = seen().flat_map(|(sample, outcome)| missed(sample, outcome, min_width)).collect();
    let worst = worst_of_each([misread, no_plates, missed]);
    let rows = worst.len().div_ceil(COLUMNS).max(1) as u32;
    let mut sheet = Picture { pixels: RgbImage::from_pixel(COLUMNS as u32 * PLATE.0, rows * (PLATE.1 + WRITING), Rgb([40, 40, 40])) };
    for (number, wrong) in worst.iter().enumerate() {
        let (x, y) = ((number % COLUMNS) as u32 * PLATE.0, (number / COLUMNS) as u32 * (PLATE.1 + WRITING));
        imageops::replace(&mut sheet.pixels, &cut(wrong)?, i64::from(x), i64::from(y));
        let line = |number: u32| [x as f32 + 4.0, (y + PLATE.1 + number * WRITING / 2 - 2) as f32];
        sheet.label(&format!("IS {}", wrong.is), line(1), 13.0);
        sheet.label(&wrong.said, line(2), 13.0);
    }
    Ok(sheet)
}

fn misread<'a>(sample: &'a Sample, outcome: &'a Outcome) -> impl Iterator<Item = Wrong<'a>> {
    outcome.truths.iter().filter_map(move |(truth, read)| {
        let (text, read) = (truth.full_text()?, read.as_ref()?);
        let wrong = Wrong { sample, place: truth.hull, is: text.to_owned(), said: said(read), weight: read.confidence };
        (fold(read.text.as_str()) != fold(text)).then_some(wrong)
    })
}

fn no_plates<'a>(sample: &'a Sample, outcome: &'a Outcome, min_width: f32) -> impl Iterator<Item = Wrong<'a>> {
    outcome.false_plates.iter().filter(move |read| is_wide_box(&read.plate, min_width)).map(move |read| {
        let [left, top, right, bottom] = read.plate.hull();
        let place = Some([left, top, right - left, bottom - top]);
        Wrong { sample, place, is: "NO LABELLED PLATE".to_owned(), said: said(read), weight: read.confidence }
    })
}

fn missed<'a>(sample: &'a Sample, outcome: &'a Outcome, min_width: f32) -> impl Iterator<Item = Wrong<'a>> {
    outcome.truths.iter().filter(move |(truth, read)| read.is_none() && is_wide(truth, min_width)).map(move |(truth, _)| Wrong {
        sample,
        place: truth.hull,
        is: truth.text.clone().unwrap_or_else(|| "A PLATE".to_owned()),
        said: "NOT FOUND".to_owned(),
        weight: truth.width().unwrap_or_default(),
    })
}

fn said(read: &PlateRead) -> String {
    format!("{} {:.0}", if read.text.is_empty() { "NOT READ" } else { read.text.as_str() }, 100.0 * read.confidence)
}

/// The worst of each kind, each in its turn until there are [`MOST`]; then each kind by itself, in their order.
fn worst_of_each(mut kinds: [Vec<Wrong<'_>>; 3]) -> Vec<Wrong<'_>> {
    let mut turns = Vec::new();
    for (kind, errors) in kinds.iter_mut().enumerate() {
        errors.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        turns.extend(errors.drain(..).enumerate().map(|(rank, wrong)| (rank, kind, wrong)));
    }
    turns.sort_by_key(|(rank, kind, _)| (*rank, *kind));
    turns.truncate(MOST);
    turns.sort_by_key(|(rank, kind, _)| (*kind, *rank));
    turns.into_iter().map(|(_, _, wrong)| wrong).collect()
}

/// The place with a little of what is around it, fitted into [`PLATE`].
fn cut(wrong: &Wrong<'_>) -> Result<RgbImage> {
    let path = &wrong.sample.path;
    let picture = Bytes::map(path).and_then(|encoded| Picture::decode(&encoded)).map_err(|error| error.in_(path.display()))?.pixels;
    let cut = match wrong.place {
        None => picture,
        Some([x, y, width, height]) => {
            let inside = |value: f32, most: u32| (value.max(0.0) as u32).min(most - 1);
            let (left, top) = (inside(x - 0.1 * width, picture.width()), inside(y - 0.1 * height, picture.height()));
            let (right, bottom) = (inside(x + 1.1 * width, picture.width()), inside(y + 1.1 * height, picture.height()));
            imageops::crop_imm(&picture, left, top, right.saturating_sub(left).max(1), bottom.saturating_sub(top).max(1)).to_image()
        }
    };
    let scale = (PLATE.0 as f32 / cut.width() as f32).min(PLATE.1 as f32 / cut.height() as f32);
    let side = |length: u32, most: u32| ((length as f32 * scale) as u32).clamp(1, most);
    Ok(imageops::resize(&cut, side(cut.width(), PLATE.0), side(cut.height(), PLATE.1), FilterType::Triangle))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::manifest::Truth;
    use crate::lane::detect::PlateBox;
    use crate::posterior::{Posterior, Text};

    const RED: Rgb<u8> = Rgb([220, 0, 0]);
    const GREEN: Rgb<u8> = Rgb([0, 220, 0]);
    const BLUE: Rgb<u8> = Rgb([0, 0, 220]);

    fn truth(hull: [f32; 4]) -> Truth {
        Truth { hull: Some(hull), text: Some("ABC123".to_owned()), region: None, lines: None, quality: None, plate_px: None }
    }

    fn read(hull: [f32; 4]) -> PlateRead {
        PlateRead {
            plate: PlateBox::of_hull(hull),
            text: Text::of("XYZ789").expect("short"),
            posterior: Posterior::certain("XYZ789", 0.1).expect("short"),
            probability: 0.9,
            confidence: 0.9,
            looked_again: false,
            jurisdiction: None,
        }
    }

    /// The sheet of one picture, red on the left, green in the middle and blue on the right.
    fn sheet(error: Option<String>, truths: Vec<(Truth, Option<PlateRead>)>, false_plates: Vec<PlateRead>) -> Picture {
        let file = tempfile::Builder::new().suffix(".png").tempfile().expect("a file");
        let colours = RgbImage::from_fn(600, 100, |x, _| [RED, GREEN, BLUE][x as usize / 200]);
        Picture { pixels: colours }.save_png(file.path()).expect("writes");
        let sample =
            Sample { path: file.path().to_owned(), name: "colours.png".to_owned(), plates: Vec::new(), is_crop: false, moment: None, source: String::new() };
        let outcome = Outcome { sample: 0, error, truths, false_plates, wall_ms: 1.0, cpu_ms: 1.0, decode_ms: 1.0 };
        draw(&[sample], &[outcome], 40.0).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What the cells show, in their order.
    fn cells(sheet: &Picture) -> Vec<Rgb<u8>> {
        let (width, height) = (PLATE.0, PLATE.1 + WRITING);
        let rows = sheet.pixels.height() / height;
        let middle = |row: u32, column: u32| *sheet.pixels.get_pixel(column * width + PLATE.0 / 2, row * height + PLATE.1 / 3);
        (0..rows).flat_map(|row| (0..COLUMNS as u32).map(move |column| middle(row, column))).collect()
    }

    #[test]
    fn every_kind_of_error_is_shown() {
        let [misread, no_plate, missed] = [50.0, 250.0, 450.0].map(|left| [left, 30.0, 100.0, 40.0]);
        let truths = vec![(truth(misread), Some(read(misread))); 80].into_iter().chain(vec![(truth(missed), None); 80]).collect();
        let sheet = sheet(None, truths, vec![read(no_plate); 80]);
        assert_eq!(cells(&sheet), [vec![RED; 24], vec![GREEN; 24], vec![BLUE; 24]].concat());
    }

    #[test]
    fn what_is_narrow_or_could_not_be_looked_at_is_no_error_to_be_seen() {
        let narrow = [50.0, 30.0, 39.0, 40.0];
        let of_narrow = sheet(None, vec![(truth(narrow), None)], vec![read(narrow)]);
        let unseen = sheet(Some("bad frame".to_owned()), vec![(truth([50.0, 30.0, 100.0, 40.0]), None)], Vec::new());
        assert!(of_narrow.pixels.pixels().chain(unseen.pixels.pixels()).all(|pixel| *pixel == Rgb([40, 40, 40])));
    }

    #[test]
    fn boxes_of_any_shape_can_be_cut() {
        for hull in [[50.0, 30.0, -100.0, -40.0], [590.0, 90.0, 500.0, 500.0], [-900.0, -900.0, 50.0, 40.0], [f32::NAN; 4]] {
            sheet(None, vec![(truth(hull), Some(read([50.0, 30.0, 100.0, 40.0])))], Vec::new());
        }
    }
}
