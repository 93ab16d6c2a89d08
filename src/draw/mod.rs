//! Annotated pictures: what was read, drawn on the frame that it was read from; of rail cars in [`rail`].

pub mod rail;

use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Rgb, RgbImage};
use imageproc::drawing::draw_polygon_mut;
use imageproc::point::Point;

use crate::error::{Error, Fault, Result};
use crate::lane::frame::{MAX_PIXELS, MAX_SIDE};
use crate::lane::read::PlateRead;
use crate::lane::rectify::Corners;
use crate::synth::lane::strokes::{self, Die};

/// Orange that stands out on asphalt and on bodywork, also for the colour-blind (Okabe and Ito's set).
const OUTLINE: Rgb<u8> = Rgb([230, 159, 0]);
/// Red-purple of the same set, for a plate with a hit.
pub const HIT: Rgb<u8> = Rgb([204, 121, 167]);

/// What labels are written in: `garita synth lane`'s lettering for small words, as light as small sizes need.
const LETTERING: Die = Die { pen: 0.12, ..strokes::WORDS };
/// Labels' white.
const INK: Rgb<u8> = Rgb([255, 255, 255]);

/// A colour picture to draw on.
pub struct Picture {
    /// The pixels.
    pub pixels: RgbImage,
}

impl Picture {
    /// Decodes a frame in colour, turned as it says that it lies.
    ///
    /// # Errors
    /// `Damaged` or `Limit`; a frame that [`crate::lane::frame::Luma::decode`] takes is fine.
    pub fn decode(encoded: &[u8]) -> Result<Picture> {
        let mut reader = ImageReader::new(std::io::Cursor::new(encoded)).with_guessed_format().map_err(|error| Error::io(&error))?;
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(MAX_SIDE as u32);
        limits.max_image_height = Some(MAX_SIDE as u32);
        limits.max_alloc = Some(8 * MAX_PIXELS as u64);
        reader.limits(limits);
        let damaged = |error: image::ImageError| Error::new(Fault::Damaged, error.to_string());
        let mut decoder = reader.into_decoder().map_err(damaged)?;
        let orientation = decoder.orientation().map_err(damaged)?;
        let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
        picture.apply_orientation(orientation);
        Ok(Picture { pixels: picture.into_rgb8() })
    }

    /// Draws a quadrilateral, its line as wide as the picture asks for.
    pub fn outline(&mut self, corners: &Corners, color: Rgb<u8>) {
        let width = (self.pixels.width() / 400).max(2) as f32;
        for side in 0..4 {
            self.line(corners[side], corners[(side + 1) % 4], width, color);
        }
    }

    /// Writes `text` in our own lettering, `height` pixels high, light on a dark band; `at` is the band's left bottom.
    pub fn label(&mut self, text: &str, at: [f32; 2], height: f32) {
        let pad = height * 0.3;
        let (wide, tall) = (strokes::length(&LETTERING, text) * height + 2.0 * pad, height + 2.0 * pad);
        let left = at[0].min(self.pixels.width() as f32 - wide).max(0.0);
        let top = (at[1] - tall).max(0.0);
        let inside = |value: f32, most: u32| (value.max(0.0) as u32).min(most);
        for y in inside(top, self.pixels.height())..inside(top + tall, self.pixels.height()) {
            for x in inside(left, self.pixels.width())..inside(left + wide, self.pixels.width()) {
                let pixel = self.pixels.get_pixel_mut(x, y);
                pixel.0 = pixel.0.map(|value| value / 5);
            }
        }
        let mut x = left + pad;
        for character in text.chars() {
            for stroke in strokes::outline(&LETTERING, character, height) {
                for pair in stroke.points.windows(2) {
                    let place = |point: [f32; 2]| [point[0] + x, point[1] + top + pad];
                    self.line(place(pair[0]), place(pair[1]), (LETTERING.pen * height).max(1.0), INK);
                }
            }
            x += (strokes::advance(&LETTERING, character) + LETTERING.gap) * height;
        }
    }

    /// A straight line with square ends, `width` pixels wide.
    fn line(&mut self, [ax, ay]: [f32; 2], [bx, by]: [f32; 2], width: f32, color: Rgb<u8>) {
        let length = (bx - ax).hypot(by - ay).max(1e-3);
        let (nx, ny) = ((by - ay) / length * width / 2.0, (ax - bx) / length * width / 2.0);
        let point = |x: f32, y: f32| Point::new(x.round() as i32, y.round() as i32);
        let band = [point(ax + nx, ay + ny), point(bx + nx, by + ny), point(bx - nx, by - ny), point(ax - nx, ay - ny)];
        let drawable = band.iter().all(|point| point.x.abs() < 1 << 20 && point.y.abs() < 1 << 20);
        // A polygon whose first and last point coincide is refused by `imageproc`.
        if drawable && band[0] != band[3] {
            draw_polygon_mut(&mut self.pixels, &band, color);
        }
    }

    /// The picture as a JPEG file.
    ///
    /// # Errors
    /// `Machine` where the encoder fails.
    pub fn to_jpeg(&self) -> Result<Vec<u8>> {
        let mut file = std::io::Cursor::new(Vec::new());
        DynamicImage::from(self.pixels.clone())
            .write_to(&mut file, ImageFormat::Jpeg)
            .map_err(|error| Error::new(Fault::Machine, format!("cannot encode a picture: {error}")))?;
        Ok(file.into_inner())
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// `Machine` where the encoder fails.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let mut file = std::io::Cursor::new(Vec::new());
        self.pixels.write_to(&mut file, ImageFormat::Png).map_err(|error| Error::new(Fault::Machine, format!("cannot encode a picture: {error}")))?;
        Ok(file.into_inner())
    }

    /// Writes the picture as a PNG file.
    ///
    /// # Errors
    /// `Machine` or `Caller` where it cannot be written.
    pub fn save_png(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.to_png()?).map_err(|error| Error::io(&error).in_(path.display()))
    }

    /// Writes the picture as a JPEG file.
    ///
    /// # Errors
    /// `Machine` or `Caller` where it cannot be written.
    pub fn save_jpeg(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.to_jpeg()?).map_err(|error| Error::io(&error).in_(path.display()))
    }
}

/// The frame with each plate outlined, its read and its confidence in percent above it; another colour where the flag says that it met a hit.
///
/// # Errors
/// As [`Picture::decode`].
pub fn annotated(encoded: &[u8], reads: &[(PlateRead, bool)]) -> Result<Picture> {
    let mut picture = Picture::decode(encoded)?;
    for (read, hit) in reads {
        let color = if *hit { HIT } else { OUTLINE };
        picture.outline(&read.plate.corners, color);
        let height = (read.plate.plate_width() / 7.0).clamp(11.0, 60.0);
        let [left, top, ..] = read.plate.hull();
        let text = if read.text.is_empty() { "NOT READ" } else { read.text.as_str() };
        picture.label(&format!("{text} {:.0}", 100.0 * read.confidence), [left, top - height * 0.3], height);
    }
    Ok(picture)
}
