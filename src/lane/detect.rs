//! Where plates are: one pass of a small network over the whole frame at about 640x384, or over tiles of a wide view.
//!
//! The network says, for each cell of 8x8 input pixels, how sure it is that a plate's centre lies there, and where that plate's four corners
//! are. Cells that speak of the same plate are merged: the surest wins, and the corners are the mean of all that agree with it, weighted by
//! their scores.
//!
//! A tile costs as much as a whole frame, so tiles are for cameras that need them ([`View::Tiled`]): at 640 pixels a plate 50 pixels wide in a 4K view is 8
//! pixels wide, which no network reads; tiles at two thirds of the resolution show it at 33.
//!
//! A plate that fills the view is missed too: nearly all that the network learnt from are smaller. A single photograph in which nothing is found is therefore
//! looked at once more from twice as far ([`View::Still`]), which found plates in a third of such pictures of the tuning and training data (43 of 118), and
//! a false one in two. A lane's frames, most of which are empty, are not: its vehicle comes by in the next frame.

use ndarray::{ArrayView3, Axis};

use crate::error::Result;
use crate::infer::{Engine, Network};
use crate::lane::frame::Luma;
use crate::lane::rectify::Corners;
use crate::models::Models;

/// Width of the network's input, pixels.
pub const WIDTH: usize = 640;
/// Height of the network's input, pixels.
pub const HEIGHT: usize = 384;
/// Side of one output cell, input pixels.
const STRIDE: usize = 8;
/// Output columns and rows.
const GRID: (usize, usize) = (WIDTH / STRIDE, HEIGHT / STRIDE);
/// Values of a cell: the score's logit, the logarithm of a size, and eight corner numbers in units of eight pixels of that size.
const VALUES: usize = 10;
/// What fills the input beside and below the frame; the recipe trains with it.
const PAD: u8 = 128;
/// From how many times as far a photograph is looked at again. 1.6 and 2.6 found fewer plates on the tuning slice.
pub const AFAR: f32 = 2.0;
/// The most plates reported of one frame; a guess well above what a lane or a wide street view shows.
pub const MAX_PLATES: usize = 32;
/// The most boxes named of a frame, and of a frame looked at in tiles: each costs a close look. Five in a hundred photographs name more than ten.
const MAX_NAMED: [usize; 2] = [24, 160];
/// The most cells considered before merging: a plate lights up a dozen.
const MAX_CANDIDATES: usize = 4096;
/// Width and height of a tile, frame pixels: one and a half of the input's, so that plates of 50 pixels become 33. On rendered wide views of the tuning
/// seed, that finds some five in a hundred more than twice the input's size, which needs 16 tiles for a 4K picture in place of 25.
const TILE: (usize, usize) = (WIDTH * 3 / 2, HEIGHT * 3 / 2);
/// Neighbouring tiles share this many frame pixels, so that a plate cut by one border is whole in the next tile.
const TILE_OVERLAP: usize = 144;

/// One plate in a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlateBox {
    /// In frame pixels.
    pub corners: Corners,
    /// How sure the detector is, in 0..=1; not calibrated.
    pub score: f32,
}

impl PlateBox {
    /// An upright rectangle: left, top, width, height, frame pixels.
    pub fn of_hull([x, y, width, height]: [f32; 4]) -> PlateBox {
        PlateBox { corners: [[x, y], [x + width, y], [x + width, y + height], [x, y + height]], score: 1.0 }
    }

    /// The axis-aligned hull: left, top, right, bottom, frame pixels.
    pub fn hull(&self) -> [f32; 4] {
        let [xs, ys] = [0, 1].map(|axis| self.corners.map(|corner| corner[axis]));
        let low = |values: [f32; 4]| values.into_iter().fold(f32::INFINITY, f32::min);
        let high = |values: [f32; 4]| values.into_iter().fold(f32::NEG_INFINITY, f32::max);
        [low(xs), low(ys), high(xs), high(ys)]
    }

    /// Width of the plate along its upper and lower edges, frame pixels.
    pub fn plate_width(&self) -> f32 {
        let [a, b, c, d] = self.corners;
        ((b[0] - a[0]).hypot(b[1] - a[1]) + (c[0] - d[0]).hypot(c[1] - d[1])) / 2.0
    }
}

/// How a frame is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// One pass over the whole frame: plates from about 1/40 of its width.
    #[default]
    Whole,
    /// One pass as in [`View::Whole`], and where it shows no plate, another from [`AFAR`] times as far: for photographs, which have no next frame.
    Still,
    /// The whole frame, then overlapping tiles at two thirds of its resolution: plates from about 40 pixels in a wide 4K view.
    Tiled,
}

/// The detector of one worker.
pub struct Detector {
    network: Network<u8>,
    /// What looks at tiles, where that is another network.
    tiles: Option<Network<u8>>,
    shrink: Shrink,
    candidates: Vec<PlateBox>,
    candidate_threshold: f32,
    nms_iou: f32,
}

/// Part of a frame, pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Region {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Region {
    fn whole(luma: &Luma) -> Region {
        Region { x: 0, y: 0, width: luma.width, height: luma.height }
    }
}

impl Detector {
    /// Loads the detector of `models`, and for [`View::Tiled`] the one for tiles beside it.
    ///
    /// # Errors
    /// `Model` where one does not load or is not the detector that this version expects.
    pub fn open(engine: &Engine, models: &Models, view: View) -> Result<Detector> {
        let open = |name, model| Network::open(engine, name, model, &[1, 1, HEIGHT, WIDTH], &[("cells", &[1, GRID.1, GRID.0, VALUES])]);
        let network = open("plate detector", &models.detector)?;
        let tiles = if view == View::Tiled && !models.tile_detector.is_empty() { Some(open("plate detector for tiles", &models.tile_detector)?) } else { None };
        let settings = &models.detector_settings;
        Ok(Detector {
            network,
            tiles,
            shrink: Shrink::default(),
            candidates: Vec::with_capacity(MAX_CANDIDATES),
            candidate_threshold: settings.candidate_threshold,
            nms_iou: settings.nms_iou,
        })
    }

    /// Finds what may be plates of a frame, surest first, into `named` (cleared first): [`super::refine`] says which are.
    ///
    /// # Errors
    /// `Model` where inference fails.
    pub fn detect(&mut self, luma: &Luma, view: View, named: &mut Vec<PlateBox>) -> Result<()> {
        self.candidates.clear();
        self.look(luma, Region::whole(luma), 1.0, View::Whole)?;
        if view == View::Tiled {
            for (y, height) in tiles(luma.height, TILE.1) {
                for (x, width) in tiles(luma.width, TILE.0) {
                    self.look(luma, Region { x, y, width, height }, 1.0, View::Tiled)?;
                }
            }
        }
        merge(&mut self.candidates, self.nms_iou, MAX_NAMED[usize::from(view == View::Tiled)], named);
        Ok(())
    }

    /// As [`Detector::detect`], from [`AFAR`] times as far.
    ///
    /// # Errors
    /// `Model` where inference fails.
    pub fn detect_from_afar(&mut self, luma: &Luma, named: &mut Vec<PlateBox>) -> Result<()> {
        self.candidates.clear();
        self.look(luma, Region::whole(luma), AFAR, View::Whole)?;
        merge(&mut self.candidates, self.nms_iou, MAX_NAMED[0], named);
        Ok(())
    }

    /// Adds what the network for `view` sees in `region` to the candidates, from `far` times as far as where that fills its input.
    fn look(&mut self, luma: &Luma, region: Region, far: f32, view: View) -> Result<()> {
        let network = match &mut self.tiles {
            Some(tiles) if view == View::Tiled => tiles,
            _ => &mut self.network,
        };
        let scale = self.shrink.fit(luma, region, far, network.input());
        let outputs = network.run()?;
        let logit_threshold = (self.candidate_threshold / (1.0 - self.candidate_threshold)).ln();
        let cells = ArrayView3::from_shape((GRID.1, GRID.0, VALUES), outputs.get(0)).expect("opened with this shape");
        for ((row, column), &logit) in cells.index_axis(Axis(2), 0).indexed_iter() {
            if logit.is_nan() || logit <= logit_threshold || self.candidates.len() == MAX_CANDIDATES {
                continue;
            }
            let centre = [column, row].map(|cell| (cell * STRIDE) as f32 + STRIDE as f32 / 2.0);
            // As the network was trained: the recipe clips at the same places.
            let unit = STRIDE as f32 * cells[[row, column, 1]].clamp(-2.0, 5.0).exp();
            let value = |at: usize| unit * cells[[row, column, 2 + at]];
            let corner =
                |index: usize| [(centre[0] + value(2 * index)) * scale[0] + region.x as f32, (centre[1] + value(2 * index + 1)) * scale[1] + region.y as f32];
            let plate = PlateBox { corners: [corner(0), corner(1), corner(2), corner(3)], score: 1.0 / (1.0 + (-logit).exp()) };
            if plate.corners.iter().flatten().all(|value| value.is_finite()) && !cut_by_tile(&plate, region, luma) {
                self.candidates.push(plate);
            }
        }
        Ok(())
    }
}

/// Start and length of the tiles of `tile` pixels that cover `length` with the overlap; one whole piece where it fits.
fn tiles(length: usize, tile: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = if length <= tile { 1 } else { (length - TILE_OVERLAP).div_ceil(tile - TILE_OVERLAP) };
    (0..count).map(move |index| {
        let start = if count == 1 { 0 } else { index * (length - tile) / (count - 1) };
        (start, tile.min(length))
    })
}

/// True where a plate reaches over a border of `region` that is not a border of the frame: another tile sees it whole.
fn cut_by_tile(plate: &PlateBox, region: Region, luma: &Luma) -> bool {
    let [left, top, right, bottom] = plate.hull();
    (region.x > 0 && left < region.x as f32)
        || (region.y > 0 && top < region.y as f32)
        || (region.x + region.width < luma.width && right > (region.x + region.width) as f32)
        || (region.y + region.height < luma.height && bottom > (region.y + region.height) as f32)
}

/// Greedy merging: the surest candidate takes all that overlap it by more than `nms_iou`, and its corners become their weighted mean.
fn merge(candidates: &mut Vec<PlateBox>, nms_iou: f32, most: usize, plates: &mut Vec<PlateBox>) {
    plates.clear();
    candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
    while let Some(&first) = candidates.first() {
        if plates.len() == most {
            break;
        }
        let (mut sum, mut weight) = ([[0.0f32; 2]; 4], 0.0f32);
        candidates.retain(|candidate| {
            let overlap = iou(&first, candidate);
            if overlap > AGREE_IOU {
                let share = candidate.score * candidate.score;
                weight += share;
                for (total, corner) in sum.iter_mut().zip(candidate.corners) {
                    total[0] += share * corner[0];
                    total[1] += share * corner[1];
                }
            }
            overlap <= nms_iou
        });
        let corners = if weight > 0.0 { sum.map(|[x, y]| [x / weight, y / weight]) } else { first.corners };
        plates.push(PlateBox { corners, score: first.score });
        // A degenerate box overlaps nothing, not even itself.
        if candidates.first() == Some(&first) {
            candidates.remove(0);
        }
    }
}

/// Candidates that overlap the surest by more than this have a say in its corners.
const AGREE_IOU: f32 = 0.6;

/// Intersection over union of two plates' hulls, in 0..=1.
pub fn iou(a: &PlateBox, b: &PlateBox) -> f32 {
    let ([al, at, ar, ab], [bl, bt, br, bb]) = (a.hull(), b.hull());
    let overlap = (ar.min(br) - al.max(bl)).max(0.0) * (ab.min(bb) - at.max(bt)).max(0.0);
    let union = (ar - al) * (ab - at) + (br - bl) * (bb - bt) - overlap;
    if union > 0.0 { overlap / union } else { 0.0 }
}

/// Fits part of a frame into the network's input: area average when it shrinks, bilinear when it grows, top left, the rest [`PAD`].
#[derive(Default)]
struct Shrink {
    /// Column sums of one output row, `region.width` of them.
    sums: Vec<f32>,
    counts: Vec<u16>,
}

impl Shrink {
    /// Writes the input, grey values, of a `far`th of its size, and answers frame pixels per input pixel, `[x, y]`.
    fn fit(&mut self, luma: &Luma, region: Region, far: f32, input: &mut [u8]) -> [f32; 2] {
        let scale = (WIDTH as f32 / region.width as f32).min(HEIGHT as f32 / region.height as f32) / far;
        let side = |length: usize, most: usize| ((length as f32 * scale).round() as usize).clamp(1, most);
        let (width, height) = (side(region.width, WIDTH), side(region.height, HEIGHT));
        let factor = [region.width as f32 / width as f32, region.height as f32 / height as f32];
        for (row, line) in input.chunks_exact_mut(WIDTH).enumerate() {
            let (line, beside) = line.split_at_mut(if row < height { width } else { 0 });
            beside.fill(PAD);
            if line.is_empty() {
                continue;
            }
            if factor[0] < 1.0 || factor[1] < 1.0 {
                grow_row(luma, region, factor, row, line);
            } else if region.width.is_multiple_of(width) && region.height.is_multiple_of(height) {
                self.shrink_row_whole(luma, region, [region.width / width, region.height / height], row, line);
            } else {
                self.shrink_row(luma, region, factor, row, line);
            }
        }
        factor
    }

    /// One output row where the factors are whole numbers, as they are for 720p, 1080p and 4K: sums of bytes fit 16 bits.
    fn shrink_row_whole(&mut self, luma: &Luma, region: Region, factor: [usize; 2], row: usize, line: &mut [u8]) {
        // 257 rows of 255 fit in a u16; frames reach 16,384 / 384 = 43 rows.
        self.counts.clear();
        self.counts.resize(region.width, 0);
        for y in row * factor[1]..(row + 1) * factor[1] {
            for (sum, &pixel) in self.counts.iter_mut().zip(pixels(luma, region, y)) {
                *sum += u16::from(pixel);
            }
        }
        let count = factor[0] * factor[1];
        // The factors of the common frame sizes, unrolled by the compiler.
        match factor[0] {
            1 => mean_chunks::<1>(&self.counts, count, line),
            2 => mean_chunks::<2>(&self.counts, count, line),
            3 => mean_chunks::<3>(&self.counts, count, line),
            6 => mean_chunks::<6>(&self.counts, count, line),
            other => {
                let mean = Mean::of(count);
                for (value, chunk) in line.iter_mut().zip(self.counts.chunks_exact(other)) {
                    *value = mean.grey(chunk);
                }
            }
        }
    }

    /// One output row by area average with fractional edges.
    fn shrink_row(&mut self, luma: &Luma, region: Region, factor: [f32; 2], row: usize, line: &mut [u8]) {
        self.sums.clear();
        self.sums.resize(region.width, 0.0);
        for (y, share) in span(row, factor[1], region.height) {
            for (sum, &pixel) in self.sums.iter_mut().zip(pixels(luma, region, y)) {
                *sum += share * f32::from(pixel);
            }
        }
        let share = 1.0 / (factor[0] * factor[1]);
        for (column, value) in line.iter_mut().enumerate() {
            *value = byte(share * span(column, factor[0], region.width).map(|(x, part)| part * self.sums[x]).sum::<f32>());
        }
    }
}

/// The nearest grey values to the means of `FACTOR` sums of columns, `count` pixels each.
fn mean_chunks<const FACTOR: usize>(counts: &[u16], count: usize, line: &mut [u8]) {
    let mean = Mean::of(count);
    for (value, chunk) in line.iter_mut().zip(counts.as_chunks::<FACTOR>().0) {
        *value = mean.grey(chunk);
    }
}

/// Division by a number of pixels, as a multiplication.
#[derive(Clone, Copy)]
struct Mean {
    half: u64,
    share: u64,
}

impl Mean {
    fn of(count: usize) -> Mean {
        Mean { half: count as u64 / 2, share: (1 << 32) / count as u64 + 1 }
    }

    /// The nearest grey value to the mean of `count` pixels whose sums of columns these are: exact below 2^16 pixels.
    fn grey(self, sums: &[u16]) -> u8 {
        let sum: u64 = sums.iter().map(|&sum| u64::from(sum)).sum();
        (((sum + self.half) * self.share) >> 32) as u8
    }
}

/// The nearest grey value of one in 0..=255.
fn byte(value: f32) -> u8 {
    (value + 0.5) as u8
}

/// The source positions under output position `index`, with the share of each that lies under it.
fn span(index: usize, factor: f32, length: usize) -> impl Iterator<Item = (usize, f32)> {
    let (start, end) = (index as f32 * factor, ((index + 1) as f32 * factor).min(length as f32));
    (start as usize..(end.ceil() as usize).min(length)).map(move |at| (at, (end.min(at as f32 + 1.0) - start.max(at as f32)).max(0.0)))
}

/// Row `y` of `region`.
fn pixels(luma: &Luma, region: Region, y: usize) -> &[u8] {
    let start = (region.y + y) * luma.width + region.x;
    &luma.pixels[start..start + region.width]
}

/// One output row by bilinear interpolation between pixel centres.
fn grow_row(luma: &Luma, region: Region, factor: [f32; 2], row: usize, line: &mut [u8]) {
    let between = |at: usize, factor: f32, length: usize| {
        let position = ((at as f32 + 0.5) * factor - 0.5).clamp(0.0, (length - 1) as f32);
        (position as usize, (position as usize + 1).min(length - 1), position.fract())
    };
    let (above, below, down) = between(row, factor[1], region.height);
    let (above, below) = (pixels(luma, region, above), pixels(luma, region, below));
    for (column, value) in line.iter_mut().enumerate() {
        let (left, right, across) = between(column, factor[0], region.width);
        let mix = |row: &[u8]| f32::from(row[left]) + across * (f32::from(row[right]) - f32::from(row[left]));
        let (upper, lower) = (mix(above), mix(below));
        *value = byte(upper + down * (lower - upper));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: usize, height: usize) -> Luma {
        Luma { width, height, pixels: (0..width * height).map(|index| ((index % width) * 255 / width.max(2)) as u8).collect() }
    }

    #[test]
    fn every_path_of_the_shrink_keeps_the_mean() {
        let sizes = [(1920, 1080), (1280, 720), (3840, 2160), (1000, 700), (641, 385), (300, 300), (1, 1), (5000, 10)];
        for ((width, height), far) in sizes.into_iter().flat_map(|size| [(size, 1.0), (size, AFAR)]) {
            let luma = ramp(width, height);
            let mut input = vec![0; WIDTH * HEIGHT];
            let factor = Shrink::default().fit(&luma, Region::whole(&luma), far, &mut input);
            let (columns, rows) = ((width as f32 / factor[0]).round() as usize, (height as f32 / factor[1]).round() as usize);
            let mean = input.chunks_exact(WIDTH).take(rows).flat_map(|row| &row[..columns]).map(|&grey| f64::from(grey)).sum::<f64>() / (columns * rows) as f64;
            let want = luma.pixels.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / (width * height) as f64;
            assert!((mean - want).abs() < 0.5, "{width}x{height} from {far}: mean {mean}, expected {want}");
            assert!(columns <= (WIDTH as f32 / far) as usize && rows <= (HEIGHT as f32 / far) as usize);
            assert!(input[WIDTH * HEIGHT - 1] == PAD || (columns, rows) == (WIDTH, HEIGHT));
        }
    }

    #[test]
    fn tiles_cover_everything() {
        for length in [10, TILE.0, TILE.0 + 1, 1919, 3840, 7680] {
            let tiles: Vec<_> = tiles(length, TILE.0).collect();
            assert_eq!(tiles[0].0, 0);
            let (last, size) = tiles[tiles.len() - 1];
            assert_eq!(last + size, length);
            for pair in tiles.windows(2) {
                assert!(pair[0].0 + pair[0].1 >= pair[1].0 + TILE_OVERLAP, "{length}: {pair:?}");
            }
        }
    }

    #[test]
    fn merging_keeps_one_box_per_plate() {
        let plate = |x: f32, score: f32| PlateBox { corners: [[x, 0.0], [x + 100.0, 0.0], [x + 100.0, 50.0], [x, 50.0]], score };
        let degenerate = PlateBox { corners: [[500.0, 5.0]; 4], score: 0.4 };
        let mut candidates = vec![plate(0.0, 0.5), plate(4.0, 0.9), plate(300.0, 0.8), degenerate];
        let mut plates = Vec::new();
        merge(&mut candidates, 0.4, MAX_PLATES, &mut plates);
        assert_eq!(plates.len(), 3);
        assert!(plates[0].score == 0.9 && plates[0].corners[0][0] < 4.0 && plates[0].corners[0][0] > 0.0);
        assert_eq!(plates[2], degenerate);
    }
}
