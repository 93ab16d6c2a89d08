//! From four corners to the reader's input: the plate, straightened, with a margin around it.
//!
//! A homography (Heckbert, *Fundamentals of Texture Mapping and Image Warping*, 1989, 2.2.3: unit square to quadrilateral in closed form) and bilinear
//! samples, several per output pixel where the plate is larger in the frame than in the input, so that close plates do not alias. An own kernel
//! because it writes `f32` straight into the tensor; `imageproc`'s warp was measured at twice its cost before the conversion to `f32`.

use crate::lane::frame::Luma;

/// A quadrilateral in frame pixels: top left, top right, bottom right, bottom left as the plate is read; `[x, y]` with pixel centres at half integers.
pub type Corners = [[f32; 2]; 4];

/// The most samples a side that are averaged into one output pixel.
const MAX_SAMPLES: usize = 4;

/// The projective map from the unit square to a quadrilateral.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Homography {
    /// Row-major 3x3, bottom right element 1.
    matrix: [f32; 9],
}

impl Homography {
    /// The map that takes (0,0), (1,0), (1,1), (0,1) to `corners` in order. Degenerate corners give a degenerate map, never a panic.
    pub fn to_quad(corners: &Corners) -> Homography {
        let [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = *corners;
        let (sum_x, sum_y) = (x0 - x1 + x2 - x3, y0 - y1 + y2 - y3);
        let (dx1, dy1, dx2, dy2) = (x1 - x2, y1 - y2, x3 - x2, y3 - y2);
        let determinant = dx1 * dy2 - dx2 * dy1;
        let (g, h) = if determinant.abs() < 1e-6 { (0.0, 0.0) } else { ((sum_x * dy2 - dx2 * sum_y) / determinant, (dx1 * sum_y - sum_x * dy1) / determinant) };
        Homography { matrix: [x1 - x0 + g * x1, x3 - x0 + h * x3, x0, y1 - y0 + g * y1, y3 - y0 + h * y3, y0, g, h, 1.0] }
    }

    /// Where the point (`u`, `v`) of the unit square lies; points outside 0..=1 lie outside the quadrilateral.
    pub fn map(&self, u: f32, v: f32) -> [f32; 2] {
        let [a, b, c, d, e, f, g, h, _] = self.matrix;
        let scale = 1.0 / (g * u + h * v + 1.0);
        [(a * u + b * v + c) * scale, (d * u + e * v + f) * scale]
    }
}

/// Writes the plate with `margin` (fractions of its width and height, added on each side) into `output`, `[height, width]` values in 0..=1. What
/// lies outside the frame repeats the frame's edge.
///
/// # Panics
/// Where `output` does not hold `width * height` values, or the frame is empty.
pub fn rectify(luma: &Luma, corners: &Corners, margin: [f32; 2], output: &mut [f32], width: usize, height: usize) {
    assert_eq!(output.len(), width * height, "output of {width}x{height}");
    assert!(!luma.pixels.is_empty(), "an empty frame");
    let map = Homography::to_quad(corners);
    let step = [(1.0 + 2.0 * margin[0]) / width as f32, (1.0 + 2.0 * margin[1]) / height as f32];
    let samples = samples_per_pixel(corners, step);
    let share = 1.0 / (255.0 * (samples[0] * samples[1]) as f32);
    output.fill(0.0);
    let mut spots = [Spot::default(); CHUNK];
    for (row, line) in output.chunks_exact_mut(width).enumerate() {
        for (chunk, values) in line.chunks_mut(CHUNK).enumerate() {
            for j in 0..samples[1] {
                let v = (row as f32 + (j as f32 + 0.5) / samples[1] as f32) * step[1] - margin[1];
                for i in 0..samples[0] {
                    // Where the samples lie first, without a branch, then what is there: the compiler makes the former wide.
                    let first = (chunk * CHUNK) as f32 + (i as f32 + 0.5) / samples[0] as f32;
                    for (column, spot) in spots.iter_mut().enumerate() {
                        *spot = Spot::of(luma, map.map((first + column as f32) * step[0] - margin[0], v));
                    }
                    for (value, spot) in values.iter_mut().zip(&spots) {
                        *value += share * spot.grey(luma);
                    }
                }
            }
        }
    }
}

/// Output pixels that are sampled together.
const CHUNK: usize = 32;

/// A point between four pixels of a frame.
#[derive(Clone, Copy, Default)]
struct Spot {
    left: u32,
    top: u32,
    right: f32,
    below: f32,
}

impl Spot {
    /// The point in frame pixels, centres at half integers; outside the frame, its nearest edge; the corner for NaN.
    fn of(luma: &Luma, [x, y]: [f32; 2]) -> Spot {
        let x = (x - 0.5).max(0.0).min((luma.width - 1) as f32);
        let y = (y - 0.5).max(0.0).min((luma.height - 1) as f32);
        let (left, top) = (x as u32, y as u32);
        Spot { left, top, right: x - left as f32, below: y - top as f32 }
    }

    /// The grey value there, 0..=255, between those of the four pixels.
    fn grey(&self, luma: &Luma) -> f32 {
        let (left, top) = (self.left as usize, self.top as usize);
        let (next, down) = (usize::from(left + 1 < luma.width), if top + 1 < luma.height { luma.width } else { 0 });
        let at = top * luma.width + left;
        let grey = |at: usize| f32::from(luma.pixels[at]);
        let upper = grey(at) + self.right * (grey(at + next) - grey(at));
        let lower = grey(at + down) + self.right * (grey(at + down + next) - grey(at + down));
        upper + self.below * (lower - upper)
    }
}

/// Samples across and down one output pixel, so that neighbouring samples are at most about one frame pixel apart.
fn samples_per_pixel(corners: &Corners, step: [f32; 2]) -> [usize; 2] {
    let side = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let [top_left, top_right, bottom_right, bottom_left] = *corners;
    let across = side(top_left, top_right).max(side(bottom_left, bottom_right)) * step[0];
    let down = side(top_left, bottom_left).max(side(top_right, bottom_right)) * step[1];
    [across, down].map(|pixels| (pixels.round() as usize).clamp(1, MAX_SAMPLES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(corners: Corners) {
        let map = Homography::to_quad(&corners);
        for (corner, (u, v)) in corners.iter().zip([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]) {
            let [x, y] = map.map(u, v);
            assert!((x - corner[0]).abs() < 1e-2 && (y - corner[1]).abs() < 1e-2, "{corner:?} became {x},{y}");
        }
    }

    #[test]
    fn corners_map_to_corners() {
        check([[10.0, 20.0], [110.0, 20.0], [110.0, 70.0], [10.0, 70.0]]);
        check([[10.0, 20.0], [110.0, 35.0], [105.0, 90.0], [4.0, 61.0]]);
        check([[300.0, 20.0], [110.0, 35.0], [105.0, 90.0], [340.0, 61.0]]);
    }

    #[test]
    fn a_ramp_stays_a_ramp() {
        let luma = Luma { width: 200, height: 100, pixels: (0..200 * 100).map(|index| (index % 200) as u8).collect() };
        let mut output = vec![0.0; 32 * 8];
        rectify(&luma, &[[20.0, 20.0], [180.0, 20.0], [180.0, 60.0], [20.0, 60.0]], [0.0, 0.0], &mut output, 32, 8);
        for (column, value) in output[..32].iter().enumerate() {
            let want = (20.0 + (column as f32 + 0.5) * 5.0 - 0.5) / 255.0;
            assert!((value - want).abs() < 2e-3, "column {column}: {value}, expected {want}");
        }
    }

    #[test]
    fn degenerate_corners_do_not_panic() {
        let luma = Luma { width: 2, height: 2, pixels: vec![7; 4] };
        let mut output = vec![0.0; 16];
        rectify(&luma, &[[1.0, 1.0]; 4], [0.1, 0.1], &mut output, 4, 4);
        rectify(&luma, &[[f32::NAN; 2]; 4], [0.1, 0.1], &mut output, 4, 4);
    }
}
