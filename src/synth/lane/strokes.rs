//! Our own stroke lettering: each character is a few polylines in a unit box, whose marked corners a style rounds.
//!
//! Goal: characters that look stamped by a US or Mexican die, without a font from anywhere. Drawn by hand for garita from what plates
//! in general look like. One table serves every style: a die differs in proportions, corner radius, pen width and in how strokes end.
//! Caveat: real dies also vary their width along a stroke; ours only differ between vertical and horizontal.

/// What makes one die look unlike another. Lengths are in units of the character height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Die {
    /// Width of the stroke's box (outer edges), for an ordinary character.
    pub width: f32,
    /// Stroke width.
    pub pen: f32,
    /// How much thinner horizontal strokes are than vertical ones, 0..1 (1 = alike).
    pub horizontal: f32,
    /// Corner radius of a rounded corner, measured at the stroke's middle.
    pub radius: f32,
    /// Strokes end square instead of round.
    pub square: bool,
    /// I and 1 carry feet.
    pub serifs: bool,
    /// Zero carries a slash.
    pub slashed_zero: bool,
    /// Clear space between two characters.
    pub gap: f32,
}

/// The rounded die of most US states.
pub(crate) const ROUNDED: Die = Die { width: 0.47, pen: 0.118, horizontal: 0.92, radius: 0.17, square: false, serifs: false, slashed_zero: false, gap: 0.105 };
/// A straight-sided, condensed die with small corners.
pub(crate) const STRAIGHT: Die = Die { width: 0.43, pen: 0.112, horizontal: 0.95, radius: 0.10, square: true, serifs: false, slashed_zero: false, gap: 0.11 };
/// The heavier condensed lettering of the Mexican standard.
pub(crate) const MEXICAN: Die = Die { width: 0.49, pen: 0.140, horizontal: 0.84, radius: 0.15, square: true, serifs: true, slashed_zero: false, gap: 0.085 };
/// Flat-printed digital lettering: as the straight die, wider and lighter, with a slashed zero.
pub(crate) const PRINTED: Die = Die { width: 0.50, pen: 0.105, horizontal: 0.9, radius: 0.20, square: true, serifs: true, slashed_zero: true, gap: 0.09 };
/// Small words: state names, slogans, signs.
pub(crate) const WORDS: Die = Die { width: 0.62, pen: 0.135, horizontal: 0.85, radius: 0.24, square: true, serifs: false, slashed_zero: false, gap: 0.16 };

/// The strokes of a character: `;` between strokes, `x,y` from the left top, `r` after a corner that is rounded, `z` for closed.
/// `None` for what has no glyph; a space has an empty one.
fn strokes_of(character: char) -> Option<&'static str> {
    Some(match character {
        'A' => "0,1 .40,0 .60,0 1,1;.17,.68 .83,.68",
        'B' => "0,0 .95,0r .95,.47r 0,.47;0,.47 1,.47r 1,1r 0,1;0,0 0,1",
        'C' => "1,.27 1,0r 0,0r 0,1r 1,1r 1,.73",
        'D' => "0,0 1,0r 1,1r 0,1z",
        'E' => "1,0 0,0 0,1 1,1;0,.48 .82,.48",
        'F' => "1,0 0,0 0,1;0,.48 .82,.48",
        'G' => "1,.27 1,0r 0,0r 0,1r 1,1r 1,.56 .55,.56",
        'H' => "0,0 0,1;1,0 1,1;0,.48 1,.48",
        'I' => ".5,0 .5,1",
        'J' => "1,0 1,1r 0,1r 0,.70",
        'K' => "0,0 0,1;1,0 .03,.58;.38,.38 1,1",
        'L' => "0,0 0,1 1,1",
        'M' => "0,1 0,0 .5,.62 1,0 1,1",
        'N' => "0,1 0,0 1,1 1,0",
        'O' => "0,0r 1,0r 1,1r 0,1rz",
        'P' => "0,1 0,0 1,0r 1,.53r 0,.53",
        'Q' => "0,0r 1,0r 1,1r 0,1rz;.60,.72 1.02,1.05",
        'R' => "0,1 0,0 1,0r 1,.51r 0,.51;.50,.51 1,1",
        'S' => "1,.24 1,0r 0,0r 0,.48r 1,.48r 1,1r 0,1r 0,.76",
        'T' => "0,0 1,0;.5,0 .5,1",
        'U' => "0,0 0,1r 1,1r 1,0",
        'V' => "0,0 .5,1 1,0",
        'W' => "0,0 .22,1 .5,.38 .78,1 1,0",
        'X' => "0,0 1,1;1,0 0,1",
        'Y' => "0,0 .5,.50 1,0;.5,.50 .5,1",
        'Z' => "0,0 1,0 0,1 1,1",
        '0' => "0,0r 1,0r 1,1r 0,1rz",
        '1' => ".12,.20 .52,0 .52,1",
        '2' => "0,.26 0,0r 1,0r 1,.42r 0,.86r 0,1 1,1",
        '3' => "0,.22 0,0r 1,0r 1,.47r .42,.47;.42,.47 1,.47r 1,1r 0,1r 0,.78",
        '4' => ".76,1 .76,0 0,.70 1.05,.70",
        '5' => ".95,0 .05,0 .02,.44 .02,.40 1,.40r 1,1r 0,1r 0,.78",
        '6' => ".97,.22 .97,0r 0,0r 0,1r 1,1r 1,.43r 0,.43r 0,.60",
        '7' => "0,0 1,0 .36,1",
        '8' => ".05,0r .95,0r .95,.47r .05,.47rz;0,.47r 1,.47r 1,1r 0,1rz",
        '9' => ".03,.78 .03,1r 1,1r 1,0r 0,0r 0,.57r 1,.57r 1,.40",
        '-' => ".05,.5 .95,.5",
        '.' => ".5,.98 .5,1",
        ',' => ".5,.96 .35,1.12",
        '\'' => ".5,0 .5,.16",
        '&' => "1,1 .1,.25r .3,0r .7,.2r 0,.65r .1,1r .6,1r 1,.6",
        '/' => "1,0 0,1",
        '!' => ".5,0 .5,.7;.5,.98 .5,1",
        ' ' => "",
        _ => return None,
    })
}

/// True where there is a glyph for `character`.
#[cfg(test)]
pub(crate) fn has_glyph(character: char) -> bool {
    strokes_of(character).is_some()
}

/// How wide a character's box is in `die`, in character heights, without the gap after it.
pub(crate) fn advance(die: &Die, character: char) -> f32 {
    let factor = match character {
        'I' if !die.serifs => die.pen / die.width,
        'I' => 0.62,
        '1' if !die.serifs => 0.62,
        '1' => 0.75,
        'M' | 'W' => 1.18,
        'A' | 'V' => 1.04,
        '-' => 0.55,
        '.' | ',' | '\'' | '!' => die.pen / die.width * 1.1,
        ' ' => 0.45,
        _ => 1.0,
    };
    die.width * factor
}

/// How long `text` is in `die`, in character heights.
pub(crate) fn length(die: &Die, text: &str) -> f32 {
    let characters = text.chars().count();
    text.chars().map(|c| advance(die, c)).sum::<f32>() + die.gap * characters.saturating_sub(1) as f32
}

/// One polyline in the units of whoever draws it; `ends_square` says how it ends.
pub(crate) struct Stroke {
    pub points: Vec<[f32; 2]>,
    pub square: bool,
}

/// The strokes of `character` in `die`, `height` units high, with the left top of its box at the origin (outer edges of the pen).
pub(crate) fn outline(die: &Die, character: char, height: f32) -> Vec<Stroke> {
    let mut strokes = Vec::new();
    let Some(text) = strokes_of(character) else { return strokes };
    let pen = die.pen * height;
    let (left, top) = (pen / 2.0, pen / 2.0 * die.horizontal);
    let (width, tall) = ((advance(die, character) * height - pen).max(0.0), height - 2.0 * top);
    let mut add = |text: &str| {
        for stroke in text.split(';').filter(|s| !s.is_empty()) {
            let (stroke, closed) = stroke.strip_suffix('z').map_or((stroke, false), |s| (s, true));
            let corners: Vec<([f32; 2], bool)> = stroke
                .split(' ')
                .filter_map(|vertex| {
                    let (vertex, round) = vertex.strip_suffix('r').map_or((vertex, false), |v| (v, true));
                    let (x, y) = vertex.split_once(',')?;
                    Some(([left + width * x.parse::<f32>().ok()?, top + tall * y.parse::<f32>().ok()?], round))
                })
                .collect();
            strokes.push(Stroke { points: rounded(&corners, closed, die.radius * height), square: die.square && !closed });
        }
    };
    add(text);
    match character {
        'I' if die.serifs => add("0,0 1,0;0,1 1,1"),
        '1' if die.serifs => add(".05,1 1,1"),
        '0' if die.slashed_zero => add(".22,.72 .78,.28"),
        _ => {}
    }
    strokes
}

/// `corners` as a polyline whose marked corners are arcs (quadratic curves, near enough at these sizes).
fn rounded(corners: &[([f32; 2], bool)], closed: bool, radius: f32) -> Vec<[f32; 2]> {
    let count = corners.len();
    let mut points = Vec::with_capacity(count * 7);
    let towards = |from: [f32; 2], to: [f32; 2], share: f32| {
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let length = dx.hypot(dy).max(1e-6);
        // A corner takes at most half of a side, so that two corners never overlap.
        let reach = radius.min(length * share) / length;
        [from[0] + dx * reach, from[1] + dy * reach]
    };
    for (index, &(corner, round)) in corners.iter().enumerate() {
        let inner = closed || (index > 0 && index + 1 < count);
        if !round || !inner {
            points.push(corner);
            continue;
        }
        let share = 0.5;
        let before = towards(corner, corners[(index + count - 1) % count].0, share);
        let after = towards(corner, corners[(index + 1) % count].0, share);
        for step in 0..=6 {
            let t = step as f32 / 6.0;
            // A conic with weight 0.71 is the circular arc of a right angle.
            let (a, b, c) = ((1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t) * 0.71, t * t);
            let sum = a + b + c;
            points.push([(a * before[0] + b * corner[0] + c * after[0]) / sum, (a * before[1] + b * corner[1] + c * after[1]) / sum]);
        }
    }
    if closed && let Some(&first) = points.first() {
        points.push(first);
    }
    points
}
