//! Pictures of a car: what was scanned, how thick it is, what was found, what could not be seen through.
//!
//! Grey is the logarithm of transmission, white open and black opaque, as officers know it. Thickness is drawn with one fixed, colour-blind-safe scale for every car and
//! portal (viridis, 0 to 100 mm of steel), so that colours compare from day to day. Penetration-limited areas are hatched, never coloured: nothing is
//! known there. Where nothing was measured the grey pictures are hatched too: filled in from beside, it would look like open air. Findings are outlined in two strokes, white in black, that no ground hides.

use image::{Rgb, RgbImage};

use crate::rail::car::CarImage;
use crate::rail::inspect::Examined;

/// Pixels per cell, along and up: a car of 18 m is 1,124 pixels.
const SCALE: u32 = 2;
/// −ln T at which grey is black: T = 0.1 %, where an isotope portal has counted less than one quantum a pixel.
const DARKEST: f32 = 6.9;
/// Upper end of the colour scale, mm of steel: what Cs-137 penetrates (`shared/rail.md` 2.3).
const THICKEST_MM: f32 = 100.0;

/// Viridis at eighths (matplotlib, CC0), interpolated between.
const VIRIDIS: [[f32; 3]; 9] = [
    [68.0, 1.0, 84.0],
    [71.0, 44.0, 122.0],
    [59.0, 81.0, 139.0],
    [44.0, 113.0, 142.0],
    [33.0, 144.0, 141.0],
    [39.0, 173.0, 129.0],
    [92.0, 200.0, 99.0],
    [170.0, 220.0, 50.0],
    [253.0, 231.0, 37.0],
];

/// The four pictures of a car, by name, in the order in which people look at them: `grey`, `overlay`, `thickness`, `limited`.
pub fn pictures(car: &Examined) -> Vec<(&'static str, RgbImage)> {
    let image = &car.image;
    let grey = hatched(image, paint(image, |index| grey(image.t[index])), Rgb([128, 128, 128]), |index| image.unmeasured[index]);
    let thickness = hatched(image, paint(image, |index| colour(image.steel_mm[index])), Rgb([0, 0, 0]), |index| image.is_hidden(index));
    let limited = hatched(image, grey.clone(), Rgb([213, 94, 0]), |index| image.is_hidden(index));
    let mut overlay = grey.clone();
    for finding in &car.findings {
        let x = (finding.box_mm[0] / crate::rail::car::CELL_MM) as i64;
        let y = ((image.top_mm - finding.box_mm[1] - finding.box_mm[3]) / crate::rail::car::CELL_MM).round() as i64;
        let size = [finding.box_mm[2], finding.box_mm[3]].map(|mm| (mm / crate::rail::car::CELL_MM).round() as i64);
        outline(&mut overlay, [x, y, size[0], size[1]]);
    }
    vec![("grey", grey), ("overlay", overlay), ("thickness", thickness), ("limited", limited)]
}

fn paint(image: &CarImage, colour: impl Fn(usize) -> Rgb<u8>) -> RgbImage {
    let (width, height) = (image.width as u32 * SCALE, image.height as u32 * SCALE);
    RgbImage::from_fn(width, height, |x, y| colour((x / SCALE) as usize * image.height + (y / SCALE) as usize))
}

fn grey(t: f32) -> Rgb<u8> {
    let level = 255.0 * (1.0 + t.max(1e-6).ln() / DARKEST).clamp(0.0, 1.0);
    Rgb([level as u8; 3])
}

fn colour(mm: f32) -> Rgb<u8> {
    let at = (mm / THICKEST_MM).clamp(0.0, 1.0) * 8.0;
    let (low, part) = ((at as usize).min(7), at - (at as usize).min(7) as f32);
    Rgb(std::array::from_fn(|channel| (VIRIDIS[low][channel] * (1.0 - part) + VIRIDIS[low + 1][channel] * part) as u8))
}

/// Diagonal lines over the cells that are `hidden`.
fn hatched(image: &CarImage, mut picture: RgbImage, ink: Rgb<u8>, hidden: impl Fn(usize) -> bool) -> RgbImage {
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        if hidden((x / SCALE) as usize * image.height + (y / SCALE) as usize) {
            *pixel = if (x + y) % 8 < 2 { Rgb([255, 255, 255]) } else { ink };
        }
    }
    picture
}

/// A box in cells, two strokes wide.
fn outline(picture: &mut RgbImage, [x, y, w, h]: [i64; 4]) {
    let scale = i64::from(SCALE);
    let (x0, y0, x1, y1) = (x * scale, y * scale, (x + w) * scale - 1, (y + h) * scale - 1);
    for (grow, ink) in [(3, [0, 0, 0]), (2, [255, 255, 255]), (1, [230, 159, 0])] {
        for px in x0 - grow..=x1 + grow {
            put(picture, px, y0 - grow, ink);
            put(picture, px, y1 + grow, ink);
        }
        for py in y0 - grow..=y1 + grow {
            put(picture, x0 - grow, py, ink);
            put(picture, x1 + grow, py, ink);
        }
    }
}

fn put(picture: &mut RgbImage, x: i64, y: i64, ink: [u8; 3]) {
    if (0..i64::from(picture.width())).contains(&x) && (0..i64::from(picture.height())).contains(&y) {
        picture.put_pixel(x as u32, y as u32, Rgb(ink));
    }
}
