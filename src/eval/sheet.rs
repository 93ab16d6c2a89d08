//! The worst errors of a run as one picture: each plate as it was seen, what it says, what was read, and how sure.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use crate::bytes::Bytes;
use crate::draw::Picture;
use crate::error::Result;
use crate::eval::manifest::{Sample, Truth};
use crate::eval::plates::{Outcome, fold};
use crate::lane::read::PlateRead;

/// Columns of the sheet, and the most errors that it shows.
const COLUMNS: usize = 6;
const MOST: usize = 72;
/// Size of one plate and of the two lines of writing under it, pixels.
const PLATE: (u32, u32) = (240, 110);
const WRITING: u32 = 52;

/// Draws the worst errors: surely wrong reads first, then unsure ones, then plates that were not found.
///
/// # Errors
/// Where a picture that was read a moment ago cannot be read again.
pub fn draw(samples: &[Sample], outcomes: &[Outcome]) -> Result<Picture> {
    let mut wrong: Vec<(&Sample, &Truth, Option<&PlateRead>)> = outcomes
        .iter()
        .flat_map(|outcome| outcome.truths.iter().map(|(truth, read)| (&samples[outcome.sample], truth, read.as_ref())))
        .filter(|(_, truth, read)| truth.full_text().is_some_and(|text| read.is_none_or(|read| fold(read.text.as_str()) != fold(text))))
        .collect();
    let sureness = |read: Option<&PlateRead>| read.map_or(-1.0, |read| read.confidence);
    wrong.sort_by(|a, b| sureness(b.2).total_cmp(&sureness(a.2)));
    wrong.truncate(MOST);
    let rows = wrong.len().div_ceil(COLUMNS).max(1) as u32;
    let mut sheet = Picture { pixels: RgbImage::from_pixel(COLUMNS as u32 * PLATE.0, rows * (PLATE.1 + WRITING), Rgb([40, 40, 40])) };
    for (place, (sample, truth, read)) in wrong.into_iter().enumerate() {
        let (x, y) = ((place % COLUMNS) as u32 * PLATE.0, (place / COLUMNS) as u32 * (PLATE.1 + WRITING));
        let plate = cut(sample, truth)?;
        imageops::replace(&mut sheet.pixels, &plate, i64::from(x), i64::from(y));
        let said = read.map_or("NOT FOUND".to_owned(), |read| {
            format!("{} {:.0}", if read.text.is_empty() { "NOT READ" } else { read.text.as_str() }, 100.0 * read.confidence)
        });
        let line = |number: u32| [x as f32 + 4.0, (y + PLATE.1 + number * WRITING / 2 - 2) as f32];
        sheet.label(&format!("IS {}", truth.text.as_deref().unwrap_or_default()), line(1), 13.0);
        sheet.label(&said, line(2), 13.0);
    }
    Ok(sheet)
}

/// The plate with a little of what is around it, fitted into [`PLATE`].
fn cut(sample: &Sample, truth: &Truth) -> Result<RgbImage> {
    let picture = Picture::decode(&Bytes::map(&sample.path)?)?.pixels;
    let cut = match truth.hull {
        None => picture,
        Some([x, y, width, height]) => {
            let inside = |value: f32, most: u32| (value.max(0.0) as u32).min(most - 1);
            let (left, top) = (inside(x - 0.1 * width, picture.width()), inside(y - 0.1 * height, picture.height()));
            let (right, bottom) = (inside(x + 1.1 * width, picture.width()), inside(y + 1.1 * height, picture.height()));
            imageops::crop_imm(&picture, left, top, (right - left).max(1), (bottom - top).max(1)).to_image()
        }
    };
    let scale = (PLATE.0 as f32 / cut.width() as f32).min(PLATE.1 as f32 / cut.height() as f32);
    let side = |length: u32, most: u32| ((length as f32 * scale) as u32).clamp(1, most);
    Ok(imageops::resize(&cut, side(cut.width(), PLATE.0), side(cut.height(), PLATE.1), FilterType::Triangle))
}
