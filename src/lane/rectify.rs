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
    let step = [(1.0 + 2.0 * margin[0]) / width as f32, (1.0 + 2.0 * margin[1]) / height as f32];
    let samples = samples_per_pixel(corners, step);
    output.fill(0.0);
    let done = upright(corners).is_some_and(|rectangle| rectify_upright(luma, rectangle, margin, samples, output, width));
    if !done {
        rectify_any(luma, corners, margin, samples, output, width);
    }
}

/// [`rectify`] of any corners, into an `output` of zeros.
fn rectify_any(luma: &Luma, corners: &Corners, margin: [f32; 2], samples: [usize; 2], output: &mut [f32], width: usize) {
    let height = output.len() / width;
    let step = [(1.0 + 2.0 * margin[0]) / width as f32, (1.0 + 2.0 * margin[1]) / height as f32];
    let map = Homography::to_quad(corners);
    let share = 1.0 / (255.0 * (samples[0] * samples[1]) as f32);
    let mut spots = Spots::default();
    for (row, line) in output.chunks_exact_mut(width).enumerate() {
        for (chunk, values) in line.chunks_mut(CHUNK).enumerate() {
            for j in 0..samples[1] {
                let v = (row as f32 + (j as f32 + 0.5) / samples[1] as f32) * step[1] - margin[1];
                for i in 0..samples[0] {
                    let first = (chunk * CHUNK) as f32 + (i as f32 + 0.5) / samples[0] as f32;
                    spots.place(luma, |column| map.map((first + column) * step[0] - margin[0], v));
                    spots.gather(luma);
                    spots.add(share, values);
                }
            }
        }
    }
}

/// Left, top, right, bottom of corners that are those of a rectangle which stands upright.
fn upright(corners: &Corners) -> Option<[f32; 4]> {
    let [[left, top], [right, _], [_, bottom], _] = *corners;
    (*corners == [[left, top], [right, top], [right, bottom], [left, bottom]]).then_some([left, top, right, bottom])
}

/// The most samples of a row, and the most pixels that they come from, for which [`rectify_upright`] has room.
const ROW: usize = 1_024;

/// [`rectify`] where rows of the rectangle are rows of the frame, into an `output` of zeros, in some two thirds of the time: two rows of pixels are blended as they stand, and
/// where the samples of a row lie is the same for all. False, and nothing is written, where a row does not fit in [`ROW`] or the frame is one pixel wide or high.
fn rectify_upright(luma: &Luma, [left, top, right, bottom]: [f32; 4], margin: [f32; 2], samples: [usize; 2], output: &mut [f32], width: usize) -> bool {
    let height = output.len() / width;
    let across = width * samples[0];
    if across > ROW || luma.width < 2 || luma.height < 2 {
        return false;
    }
    // A sample's pixel before it and how far beyond that one's centre it lies, as `Spots::place` has them.
    let sample = |index: usize, (from, to): (f32, f32), margin: f32, count: usize, length: usize| {
        let share = (index as f32 + 0.5) / count as f32 * (1.0 + 2.0 * margin) - margin;
        let at = clamp(from + share * (to - from) - 0.5, (length - 1) as f32);
        let before = floor(at).min(length as i32 - 2);
        (before as usize, at - before as f32)
    };
    let of_column = |index| sample(index, (left, right), margin[0], across, luma.width);
    let (first, last) = (of_column(0).0.min(of_column(across - 1).0), of_column(0).0.max(of_column(across - 1).0));
    let span = last + 2 - first;
    if span > ROW {
        return false;
    }
    let (mut before, mut beyond) = ([0u16; ROW], [0.0f32; ROW]);
    for index in 0..across {
        let (pixel, share) = of_column(index);
        // Sorted by which of an output pixel's samples it is, so that neighbours are summed into neighbours.
        let at = index % samples[0] * width + index / samples[0];
        (before[at], beyond[at]) = ((pixel - first) as u16, share);
    }
    let share = 1.0 / (255.0 * (samples[0] * samples[1]) as f32);
    let mut blended = [0.0f32; ROW];
    for (row, values) in output.chunks_exact_mut(width).enumerate() {
        for j in 0..samples[1] {
            let (pixel, below) = sample(row * samples[1] + j, (top, bottom), margin[1], height * samples[1], luma.height);
            let upper = &luma.pixels[pixel * luma.width + first..][..span];
            let lower = &luma.pixels[(pixel + 1) * luma.width + first..][..span];
            for ((blended, upper), lower) in blended.iter_mut().zip(upper).zip(lower) {
                let (upper, lower) = (f32::from(*upper), f32::from(*lower));
                *blended = share * (upper + below * (lower - upper));
            }
            for i in 0..samples[0] {
                let (before, beyond) = (&before[i * width..][..width], &beyond[i * width..][..width]);
                for ((value, before), beyond) in values.iter_mut().zip(before).zip(beyond) {
                    // Never beyond the row: said in a way that costs no branch.
                    let at = usize::from(*before) & (ROW - 1);
                    let (here, next) = (blended[at], blended[(at + 1) & (ROW - 1)]);
                    *value += here + beyond * (next - here);
                }
            }
        }
    }
    true
}

/// Output pixels that are sampled together.
const CHUNK: usize = 32;

/// Points between four pixels of a frame each. Where they lie, what is there and what it comes to are three loops, so that the compiler makes the first and the last wide.
struct Spots {
    left: [u32; CHUNK],
    top: [u32; CHUNK],
    right: [f32; CHUNK],
    below: [f32; CHUNK],
    /// Grey values: upper left, upper right, lower left, lower right.
    grey: [[u8; CHUNK]; 4],
}

impl Default for Spots {
    fn default() -> Spots {
        Spots { left: [0; CHUNK], top: [0; CHUNK], right: [0.0; CHUNK], below: [0.0; CHUNK], grey: [[0; CHUNK]; 4] }
    }
}

impl Spots {
    /// Takes the points that `at` says, frame pixels with centres at half integers, column by column; outside the frame, its nearest edge; the corner for NaN.
    fn place(&mut self, luma: &Luma, at: impl Fn(f32) -> [f32; 2]) {
        let most = [luma.width, luma.height].map(|length| (length - 1) as f32);
        let last = [luma.width, luma.height].map(|length| length.saturating_sub(2) as i32);
        for column in 0..CHUNK {
            let [x, y] = at(column as f32);
            let (x, y) = (clamp(x - 0.5, most[0]), clamp(y - 0.5, most[1]));
            let (left, top) = (floor(x).min(last[0]), floor(y).min(last[1]));
            self.left[column] = left as u32;
            self.top[column] = top as u32;
            self.right[column] = x - left as f32;
            self.below[column] = y - top as f32;
        }
    }

    /// Fetches the four pixels around each point.
    fn gather(&mut self, luma: &Luma) {
        let (next, down) = (usize::from(luma.width > 1), if luma.height > 1 { luma.width } else { 0 });
        let pixels = luma.pixels.as_slice();
        let [a, b, c, d] = &mut self.grey;
        for column in 0..CHUNK {
            let at = self.top[column] as usize * luma.width + self.left[column] as usize;
            let upper = &pixels[at..][..next + 1];
            let lower = &pixels[at + down..][..next + 1];
            a[column] = upper[0];
            b[column] = upper[next];
            c[column] = lower[0];
            d[column] = lower[next];
        }
    }

    /// Adds `share` of the grey value at each point, 0..=255, to `values`, at most [`CHUNK`].
    fn add(&self, share: f32, values: &mut [f32]) {
        let [a, b, c, d] = &self.grey;
        let mut sums = [0.0f32; CHUNK];
        for column in 0..CHUNK {
            let grey = [a, b, c, d].map(|values| f32::from(values[column]));
            let upper = grey[0] + self.right[column] * (grey[1] - grey[0]);
            let lower = grey[2] + self.right[column] * (grey[3] - grey[2]);
            sums[column] = share * (upper + self.below[column] * (lower - upper));
        }
        for (value, sum) in values.iter_mut().zip(&sums) {
            *value += sum;
        }
    }
}

/// `value` within 0..=`most`; 0 for NaN.
fn clamp(value: f32, most: f32) -> f32 {
    let value = if value > 0.0 { value } else { 0.0 };
    if value < most { value } else { most }
}

/// The whole part of one in 0..=16,384; one less, at times, for whole numbers, which is the same point between pixels.
fn floor(value: f32) -> i32 {
    // 1.5 x 2^23: adding it leaves the nearest integer in the low bits. A cast would check for what cannot be here.
    const MAGIC: f32 = 12_582_912.0;
    (value - 0.5 + MAGIC).to_bits() as i32 - MAGIC.to_bits() as i32
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

    /// Rectangles inside and outside of frames, mirrored, of no size: all as the general way makes them.
    #[test]
    fn an_upright_rectangle_is_what_the_general_way_makes_of_it() {
        let noise = |index: usize| (index.wrapping_mul(2_654_435_761) >> 7) as u8;
        for (width, height) in [(200, 100), (2, 2), (1_920, 40)] {
            let luma = Luma { width, height, pixels: (0..width * height).map(noise).collect() };
            for [left, top, right, bottom] in [
                [20.0, 20.0, 180.0, 60.0],
                [-30.5, -7.25, 40.0, 30.0],
                [150.0, 60.0, 260.0, 130.0],
                [90.0, 50.0, 10.0, 20.0],
                [5.0, 5.0, 5.0, 5.0],
                [0.0, 0.0, 900.0, 40.0],
            ] {
                for margin in [[0.0, 0.0], [0.06, 0.1]] {
                    let corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
                    let samples = samples_per_pixel(&corners, [(1.0 + 2.0 * margin[0]) / 48.0, (1.0 + 2.0 * margin[1]) / 20.0]);
                    let (mut quick, mut slow) = (vec![0.0; 48 * 20], vec![0.0; 48 * 20]);
                    assert!(rectify_upright(&luma, [left, top, right, bottom], margin, samples, &mut quick, 48));
                    rectify_any(&luma, &corners, margin, samples, &mut slow, 48);
                    let worst = quick.iter().zip(&slow).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(worst < 1e-3, "{width}x{height}, {left},{top},{right},{bottom}: {worst}");
                }
            }
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
