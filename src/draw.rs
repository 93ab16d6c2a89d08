//! Annotated pictures: what was read, drawn on the frame that it was read from.

use std::path::Path;

use image::{DynamicImage, ImageFormat, ImageReader, Rgb, RgbImage};
use imageproc::drawing::draw_polygon_mut;
use imageproc::point::Point;

use crate::error::{Error, Fault, Result};
use crate::lane::frame::{MAX_PIXELS, MAX_SIDE};
use crate::lane::read::PlateRead;
use crate::lane::rectify::Corners;

/// Orange that stands out on asphalt and on bodywork, also for the colour-blind (Okabe and Ito's set).
const OUTLINE: Rgb<u8> = Rgb([230, 159, 0]);
/// Red-purple of the same set, for a plate with a hit.
pub const HIT: Rgb<u8> = Rgb([204, 121, 167]);

/// A colour picture to draw on.
pub struct Picture {
    /// The pixels.
    pub pixels: RgbImage,
}

impl Picture {
    /// Decodes a frame in colour.
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
        let picture = reader.decode().map_err(|error| Error::new(Fault::Damaged, error.to_string()))?;
        Ok(Picture { pixels: picture.into_rgb8() })
    }

    /// Draws a quadrilateral, its line as wide as the picture asks for.
    pub fn outline(&mut self, corners: &Corners, color: Rgb<u8>) {
        let width = (self.pixels.width() / 400).max(2) as f32;
        for side in 0..4 {
            let ([ax, ay], [bx, by]) = (corners[side], corners[(side + 1) % 4]);
            let length = (bx - ax).hypot(by - ay).max(1e-3);
            let (nx, ny) = ((by - ay) / length * width / 2.0, (ax - bx) / length * width / 2.0);
            let point = |x: f32, y: f32| Point::new(x.round() as i32, y.round() as i32);
            let band = [point(ax + nx, ay + ny), point(bx + nx, by + ny), point(bx - nx, by - ny), point(ax - nx, ay - ny)];
            if band[0] != band[3] && band.iter().all(|point| point.x.abs() < 1 << 20 && point.y.abs() < 1 << 20) {
                draw_polygon_mut(&mut self.pixels, &band, color);
            }
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

    /// Writes the picture as a JPEG file.
    ///
    /// # Errors
    /// `Machine` or `Caller` where it cannot be written.
    pub fn save_jpeg(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.to_jpeg()?).map_err(|error| Error::io(&error).in_(path.display()))
    }
}

/// The frame with each plate outlined and its read beside it.
///
/// # Errors
/// As [`Picture::decode`].
pub fn annotated(encoded: &[u8], reads: &[PlateRead]) -> Result<Picture> {
    let mut picture = Picture::decode(encoded)?;
    for read in reads {
        picture.outline(&read.plate.corners, OUTLINE);
    }
    Ok(picture)
}
