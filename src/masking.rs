//! What is obscured: plates from those who need not know them, people's faces in pictures that leave.
//!
//! Which roles are told less, and whether pictures are blurred, the site file says (`[masking]`).

use crate::draw::Picture;
use crate::error::Result;
use crate::lane::rectify::Corners;

/// A plate, obscured: as many dots as it has characters.
#[must_use]
pub fn plate(text: &str) -> String {
    "•".repeat(text.chars().count())
}

/// Where the mosaic begins above a plate, and how large its pieces are, in *units*: the plate's width, or twice its height if that is less, which is some 30 cm of the
/// vehicle on plates of the Americas and 22 cm on long European ones. Windscreens and rear windows begin 10 cm and more above a plate; a face of 20 cm
/// is then less than two pieces wide. From drawings of vehicles, not measured.
const BEGINS: f32 = 0.5;
const PIECE: f32 = 0.5;
/// Pieces are at least this many pixels.
const LEAST_PIECE: f32 = 8.0;

/// A frame as JPEG in which nobody can be recognised: above its plates it is a mosaic, over its whole width, because other vehicles stand there. Colour and shape of the
/// vehicle remain, and all of the plate. In columns without a plate the nearest one counts; a frame without plates is a mosaic all over.
///
/// # Errors
/// `Damaged` or `Limit` where the frame does not decode.
pub fn blur_occupants(encoded: &[u8], plates: &[Corners]) -> Result<Vec<u8>> {
    let mut picture = Picture::decode(encoded)?;
    // Centre, and where the mosaic ends, pixels.
    let mut lines: Vec<(f32, f32)> = Vec::with_capacity(plates.len());
    let mut piece = LEAST_PIECE;
    for corners in plates {
        let span = |axis: usize| {
            let values = corners.iter().map(|corner| corner[axis]);
            (values.clone().fold(f32::INFINITY, f32::min), values.fold(f32::NEG_INFINITY, f32::max))
        };
        let ((left, right), (top, bottom)) = (span(0), span(1));
        let unit = (right - left).min(2.0 * (bottom - top)).max(1.0);
        lines.push(((left + right) / 2.0, top - BEGINS * unit));
        piece = piece.max(PIECE * unit);
    }
    let (width, height) = picture.pixels.dimensions();
    // Of the plates' own size where there is one; a frame without is taken for one whose vehicle fills it.
    let side = if plates.is_empty() { (width / 12).max(LEAST_PIECE as u32) } else { piece as u32 };
    for top in (0..height).step_by(side as usize) {
        for left in (0..width).step_by(side as usize) {
            let centre = left as f32 + side as f32 / 2.0;
            let nearest = lines.iter().min_by(|a, b| (a.0 - centre).abs().total_cmp(&(b.0 - centre).abs()));
            if nearest.is_none_or(|&(_, line)| (top as f32) < line) {
                flatten(
                    &mut picture,
                    (left, top),
                    ((left + side).min(width), nearest.map_or(height, |&(_, line)| line.max(0.0) as u32 + 1).min(top + side).min(height)),
                );
            }
        }
    }
    picture.to_jpeg()
}

/// Gives a rectangle its mean colour.
fn flatten(picture: &mut Picture, (left, top): (u32, u32), (right, bottom): (u32, u32)) {
    let (mut sum, mut count) = ([0u64; 3], 0u64);
    for (x, y) in (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y))) {
        let pixel = picture.pixels.get_pixel(x, y).0;
        (0..3).for_each(|channel| sum[channel] += u64::from(pixel[channel]));
        count += 1;
    }
    let mean = sum.map(|sum| (sum / count.max(1)) as u8);
    for (x, y) in (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y))) {
        picture.pixels.put_pixel(x, y, image::Rgb(mean));
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};
    use rand::RngExt;

    use super::*;

    /// Mean difference of neighbours in a row, grey levels.
    fn detail(picture: &Picture, rows: std::ops::Range<u32>) -> f64 {
        let (mut sum, mut count) = (0.0, 0);
        for y in rows {
            for x in 1..picture.pixels.width() {
                sum += (f64::from(picture.pixels.get_pixel(x, y).0[1]) - f64::from(picture.pixels.get_pixel(x - 1, y).0[1])).abs();
                count += 1;
            }
        }
        sum / f64::from(count.max(1))
    }

    fn noise() -> Vec<u8> {
        let mut generator = rand::rng();
        let pixels = RgbImage::from_fn(640, 480, |_, _| Rgb([generator.random(), generator.random(), generator.random()]));
        Picture { pixels }.to_jpeg().expect("encodes")
    }

    #[test]
    fn above_the_plate_nothing_is_left_and_the_plate_is_whole() {
        let encoded = noise();
        let before = Picture::decode(&encoded).expect("decodes");
        let plate = [[280.0, 340.0], [360.0, 340.0], [360.0, 380.0], [280.0, 380.0]];
        let after = Picture::decode(&blur_occupants(&encoded, &[plate]).expect("blurs")).expect("decodes");
        assert_eq!(after.pixels.dimensions(), (640, 480));
        assert!(detail(&after, 0..295) < 0.15 * detail(&before, 0..295), "{} of {}", detail(&after, 0..295), detail(&before, 0..295));
        assert!(detail(&after, 335..385) > 0.8 * detail(&before, 335..385));
        let none = Picture::decode(&blur_occupants(&encoded, &[]).expect("blurs")).expect("decodes");
        assert!(detail(&none, 0..480) < 0.15 * detail(&before, 0..480), "nobody knows where people sit");
        assert_eq!(super::plate("7ABC123"), "•••••••");
    }

    #[test]
    fn plates_anywhere_are_borne() {
        let encoded = noise();
        for plate in
            [[[-50.0, -20.0], [-10.0, -20.0], [-10.0, 0.0], [-50.0, 0.0]], [[600.0, 470.0], [900.0, 470.0], [900.0, 700.0], [600.0, 700.0]], [[5.0, 5.0]; 4]]
        {
            assert!(blur_occupants(&encoded, &[plate, [[280.0, 340.0], [360.0, 340.0], [360.0, 380.0], [280.0, 380.0]]]).is_ok());
        }
        assert!(blur_occupants(b"no picture", &[]).is_err());
    }
}
