//! What a pixel of a scan looks like on the operators' page: the reference that `web/display.js` and its shader are held to, value by value.
//!
//! Everything is integers, so that "the same picture" means the same bytes in Rust, in a script and on a graphics card:
//!
//! 1. a *table* takes each of 65,536 stored values to a grey of 16 bits: window, logarithm, gamma, inversion ([`Setting::table`]);
//! 2. *detail* compares greys: of a pixel and the mean about it (local contrast), or of means on both sides of it (edges). Means are of stored values, and made once;
//! 3. a *palette* takes the grey's upper 8 bits to a colour.
//!
//! Logarithms and powers are made by squaring in fixed point instead of by a library, whose last digit differs from machine to machine.
//! `testdata/display/golden.json` holds what comes out; the page's tests compare both of its renderers with it.

/// How stored values become grey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Stored value that is black, and everything below it.
    pub low: u16,
    /// Stored value that is white, and everything above it; at least `low` + 1.
    pub high: u16,
    /// Whether the window is divided by the logarithm: equal thicknesses, equal steps.
    pub log: bool,
    /// Stored value with the source shut: what logarithms are taken above.
    pub zero: u16,
    /// Exponent of the grey, sixteenths, 1..=64; 16 leaves it as it is.
    pub gamma16: u8,
    /// Black for white.
    pub invert: bool,
}

/// What is done to greys by their neighbourhood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    Plain,
    /// Only how much it differs from its surroundings, on a middle grey, four times as much: the same behind thin and thick.
    Contrast,
    /// Only where it changes is light.
    Edges,
}

impl Detail {
    /// Half-width of the square that means are made of, pixels. 24: 0.8 m at 16 mm, a package and what is about it; 1: nine pixels of an isotope portal have an
    /// error of 3 %, one has 8.
    pub fn reach(self) -> usize {
        match self {
            Detail::Plain => 0,
            Detail::Contrast => 24,
            Detail::Edges => 1,
        }
    }
}

/// From where to where a change counts as an edge, pixels on each side.
const STRIDE: usize = 2;

/// 2^(2^-k), k = 1..=12, times 32,768.
const ROOTS: [u32; 12] = [46341, 38968, 35734, 34219, 33486, 33125, 32946, 32857, 32812, 32790, 32779, 32774];

/// Logarithm to base 2 of 1..=65,536, times 4,096; 12 binary digits, cut off.
fn log2(value: u32) -> u32 {
    let whole = value.ilog2();
    let mut x = if whole > 15 { value >> (whole - 15) } else { value << (15 - whole) };
    let mut log = whole;
    for _ in 0..12 {
        x = ((u64::from(x) * u64::from(x)) >> 15) as u32;
        log <<= 1;
        if x >= 1 << 16 {
            log |= 1;
            x >>= 1;
        }
    }
    log
}

/// 2 to the power of `log` / 4,096, for less than 16; cut off.
fn exp2(log: u32) -> u32 {
    let mut x: u32 = 1 << 15;
    for (k, root) in ROOTS.iter().enumerate() {
        if log & (1 << (11 - k)) != 0 {
            x = ((u64::from(x) * u64::from(*root)) >> 15) as u32;
        }
    }
    let whole = log >> 12;
    if whole >= 15 { x << (whole - 15) } else { x >> (15 - whole) }
}

impl Setting {
    /// The grey of each stored value: 65,536 of them.
    pub fn table(&self) -> Vec<u16> {
        let high = self.high.max(self.low.saturating_add(1));
        let height = |value: u16| if self.log { log2(u32::from(value.saturating_sub(self.zero)) + 1) } else { u32::from(value) };
        let (low, span) = (height(self.low), u64::from((height(high) - height(self.low)).max(1)));
        let grey = |value: u16| {
            let inside = u64::from(height(value.clamp(self.low, high)) - low).min(span);
            let mut x = (inside * 65_535 / span) as u32;
            if self.gamma16 != 16 && x > 0 {
                // x^γ = 2^(16 − γ·(16 − log2 x)), all times 65,536.
                let below = (65_536 - log2(x + 1)) * u32::from(self.gamma16) / 16;
                x = if below >= 65_536 {
                    0
                } else if below == 0 {
                    65_535
                } else {
                    exp2(65_536 - below).clamp(1, 65_536) - 1
                };
            }
            (if self.invert { 65_535 - x } else { x }) as u16
        };
        (0..=u16::MAX).map(grey).collect()
    }
}

/// The mean of the square about each pixel, cut off at the picture's ends; `[row, column]` like the picture.
pub fn means(picture: &[u16], width: usize, reach: usize) -> Vec<u16> {
    let height = picture.len() / width.max(1);
    let stride = width + 1;
    let mut sums = vec![0_u64; stride * (height + 1)];
    for y in 0..height {
        let mut line = 0;
        for x in 0..width {
            line += u64::from(picture[y * width + x]);
            sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1] + line;
        }
    }
    let mut means = Vec::with_capacity(picture.len());
    for y in 0..height {
        let (top, foot) = (y.saturating_sub(reach), (y + reach + 1).min(height));
        for x in 0..width {
            let (left, right) = (x.saturating_sub(reach), (x + reach + 1).min(width));
            let sum = sums[foot * stride + right] + sums[top * stride + left] - sums[top * stride + right] - sums[foot * stride + left];
            means.push((sum / ((foot - top) * (right - left)) as u64) as u16);
        }
    }
    means
}

/// Greys of a picture, `[row, column]`, 0..=65,535.
pub fn greys(picture: &[u16], width: usize, setting: &Setting, detail: Detail) -> Vec<u16> {
    let table = setting.table();
    let grey = |value: u16| i64::from(table[usize::from(value)]);
    if detail == Detail::Plain {
        return picture.iter().map(|&value| table[usize::from(value)]).collect();
    }
    let height = picture.len() / width.max(1);
    let means = means(picture, width, detail.reach());
    let mean = |x: usize, y: usize| grey(means[y.min(height - 1) * width + x.min(width - 1)]);
    let of = |index: usize| {
        let (x, y) = (index % width, index / width);
        let value = match detail {
            Detail::Contrast => 32_768 + 4 * (grey(picture[index]) - mean(x, y)),
            _ => {
                let along = mean(x + STRIDE, y) - mean(x.saturating_sub(STRIDE), y);
                let up = mean(x, y + STRIDE) - mean(x, y.saturating_sub(STRIDE));
                2 * (along.abs() + up.abs())
            }
        };
        value.clamp(0, 65_535) as u16
    };
    (0..picture.len()).map(of).collect()
}

/// Colours of greys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// Black to white.
    Grey,
    /// Viridis: as light goes up so does the order, for whoever tells no colours apart too.
    Viridis,
}

/// Viridis at eighths (matplotlib, CC0), interpolated between.
const VIRIDIS: [[u32; 3]; 9] =
    [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];

impl Palette {
    /// Red, green and blue of 256 greys.
    pub fn colours(self) -> Vec<[u8; 3]> {
        let colour = |grey: u32| match self {
            Palette::Grey => [grey as u8; 3],
            Palette::Viridis => {
                let at = (grey * 8 / 255).min(7);
                let part = grey * 8 - at * 255;
                let (from, to) = (VIRIDIS[at as usize], VIRIDIS[at as usize + 1]);
                std::array::from_fn(|channel| ((from[channel] * (255 - part) + to[channel] * part + 127) / 255) as u8)
            }
        };
        (0..256).map(colour).collect()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    /// Stored values of a small picture with everything in it: shades, steps, noise, the ends of the range.
    fn picture() -> (Vec<u16>, usize) {
        let (width, height) = (70_usize, 60_usize);
        let mut dice = 7_u32;
        let pixel = |index: usize| {
            let (x, y) = (index % width, index / width);
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let shade = (x * x * 13) as u32 + if (20..44).contains(&y) { 900 } else { 0 } + (dice >> 22);
            match (x, y) {
                (0..4, _) => 0,
                (66.., _) => 65_535,
                (_, 50..) => (shade * 11) as u16,
                _ => shade as u16,
            }
        };
        ((0..width * height).map(pixel).collect(), width)
    }

    /// What the page's tests read, made anew.
    fn golden() -> serde_json::Value {
        let (picture, width) = picture();
        let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let octets = |values: &[u16]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let mut cases = Vec::new();
        for (low, high, log, zero, gamma16, invert) in [
            (0, 65_535, false, 0, 16, false),
            (100, 12_000, false, 50, 16, true),
            (5, 30_000, true, 0, 16, false),
            (0, 65_535, true, 0, 9, true),
            (200, 201, false, 0, 40, false),
            (300, 3_000, true, 280, 64, false),
            (0, 2_000, true, 2_100, 4, false),
        ] {
            let setting = Setting { low, high, log, zero, gamma16, invert };
            let table = crate::custody::evidence::hex(&crate::custody::evidence::sha256(&octets(&setting.table())));
            for (name, detail) in [("plain", Detail::Plain), ("contrast", Detail::Contrast), ("edges", Detail::Edges)] {
                let greys: Vec<u8> = greys(&picture, width, &setting, detail).into_iter().map(|grey| (grey >> 8) as u8).collect();
                cases
                    .push(serde_json::json!({ "low": low, "high": high, "log": log, "zero": zero, "gamma16": gamma16, "invert": invert, "table_sha256": table,
                    "detail": name, "reach": detail.reach(), "greys": base64(&greys) }));
            }
        }
        serde_json::json!({ "width": width, "picture": base64(&octets(&picture)), "cases": cases,
            "palettes": { "grey": base64(&Palette::Grey.colours().concat()), "viridis": base64(&Palette::Viridis.colours().concat()) } })
    }

    #[test]
    fn the_golden_file_is_what_this_makes() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/display/golden.json");
        let made = golden();
        if std::env::var_os("GARITA_WRITE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(&path, serde_json::to_string_pretty(&made).expect("plain data") + "\n").expect("written");
        }
        let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).expect("the golden file")).expect("JSON");
        assert!(kept == made, "{} is another: GARITA_WRITE_GOLDEN=1 cargo test --lib display", path.display());
    }

    #[test]
    fn logarithms_and_powers_are_what_they_are_called() {
        for value in (1..=65_536_u32).step_by(7).chain([65_535, 65_536]) {
            let true_log = f64::from(value).log2() * 4096.0;
            assert!((f64::from(log2(value)) - true_log).abs() <= 2.0, "log2({value})");
            let back = exp2(log2(value).min(65_535));
            assert!((f64::from(back) / f64::from(value) - 1.0).abs() < 0.003 || back.abs_diff(value) <= 1, "exp2(log2({value})) = {back}");
        }
        for (k, root) in (1..).zip(ROOTS) {
            assert_eq!(root, (32_768.0 * 2.0_f64.powf(0.5_f64.powi(k))).round() as u32);
        }
    }

    #[test]
    fn a_table_rises_from_black_to_white_inside_its_window() {
        for log in [false, true] {
            for gamma16 in [4, 8, 16, 32, 64] {
                let setting = Setting { low: 40, high: 9_000, log, zero: 30, gamma16, invert: false };
                let table = setting.table();
                assert!(table.windows(2).all(|pair| pair[0] <= pair[1]), "{setting:?}");
                assert_eq!((table[0], table[40], table[9_000], table[65_535]), (0, 0, 65_535, 65_535), "{setting:?}");
                let turned = Setting { invert: true, ..setting }.table();
                assert!(table.iter().zip(turned).all(|(a, b)| a + b == 65_535));
            }
        }
        let same = Setting { low: 7, high: 7, log: false, zero: 0, gamma16: 16, invert: false }.table();
        assert_eq!((same[7], same[8]), (0, 65_535));
    }

    #[test]
    fn nothing_stands_out_of_what_is_even_and_an_edge_does() {
        let setting = Setting { low: 0, high: 1000, log: false, zero: 0, gamma16: 16, invert: false };
        let even = vec![500; 40 * 30];
        assert!(greys(&even, 40, &setting, Detail::Contrast).iter().all(|&grey| grey == 32_768));
        assert!(greys(&even, 40, &setting, Detail::Edges).iter().all(|&grey| grey == 0));
        let step: Vec<u16> = (0..1200).map(|index| if index % 40 < 20 { 200 } else { 800 }).collect();
        let edges = greys(&step, 40, &setting, Detail::Edges);
        assert!(edges[5] == 0 && edges[20] > 60_000, "{} {}", edges[5], edges[20]);
        let faint: Vec<u16> = (0..1200).map(|index| if index % 40 < 20 { 480 } else { 520 }).collect();
        let contrast = greys(&faint, 40, &setting, Detail::Contrast);
        assert!(contrast[19] < contrast[0] && contrast[20] > contrast[39]);
    }
}
