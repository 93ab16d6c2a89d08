//! One plate: its sheeting, characters, words, stickers, frame, bolts and dirt, painted flat in metres.
//!
//! Caveat: embossing is a shadow and a light edge, not a height; the sheeting's watermarks and the graphics of real plates are left out.

use super::canvas::{Canvas, Paint, linear};
use super::designs::{Backdrop, Design, US};
use super::designs_mexico::{MEXICO, State};
use super::dice::Dice;
use super::serial;
use super::strokes::{self, Die};

/// Which vehicle the plate is for, as far as it decides the plate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mount {
    Car,
    Truck,
    Motorcycle,
}

/// What a plate says and how it is made, before it is painted at the size that a scene needs.
#[derive(Clone)]
pub(crate) struct PlateDesign {
    issuer: Issuer,
    serial: String,
    mount: Mount,
    /// The characters are on two lines.
    two_lines: bool,
    /// Seeds the wear, stickers and frame, so that the same plate looks the same in every frame of a sequence.
    wear: u64,
}

#[derive(Clone, Copy)]
enum Issuer {
    Us(&'static Design),
    Mexico(&'static State),
}

/// US border states, seen most often at a crossing.
const NEAR: &[&str] = &["US-TX", "US-CA", "US-AZ", "US-NM"];
/// Mexican border states.
const NEAR_MEXICO: &[&str] = &["MX-BCN", "MX-SON", "MX-CHH", "MX-COA", "MX-NLE", "MX-TAM"];

impl PlateDesign {
    /// A plate for `mount`: 55 % US, 45 % Mexican, a quarter of each from the border states (guesses, unmeasured).
    pub(crate) fn roll(mount: Mount, dice: &mut Dice) -> PlateDesign {
        let issuer = if dice.chance(0.55) {
            let near: Vec<&'static Design> = US.iter().filter(|d| NEAR.contains(&d.jurisdiction)).collect();
            Issuer::Us(if dice.chance(0.25) { dice.pick(&near) } else { &US[dice.below(US.len())] })
        } else {
            let near: Vec<&'static State> = MEXICO.iter().filter(|s| NEAR_MEXICO.contains(&s.jurisdiction)).collect();
            Issuer::Mexico(if dice.chance(0.25) { dice.pick(&near) } else { &MEXICO[dice.below(MEXICO.len())] })
        };
        let serial = match (mount, issuer) {
            (Mount::Motorcycle, _) => serial::of_motorcycle(dice),
            (_, Issuer::Us(design)) => serial::of_design(design, dice),
            (_, Issuer::Mexico(state)) => serial::of_state(state, mount == Mount::Truck, dice),
        };
        // Nearly square two-line plates are on motorcycles, and on some imports and trailers.
        let two_lines = serial.contains([' ', '-', '.']) && dice.chance(if mount == Mount::Motorcycle { 0.7 } else { 0.07 });
        PlateDesign { issuer, serial, mount, two_lines, wear: dice.word() }
    }

    /// ISO 3166-2.
    pub(crate) fn jurisdiction(&self) -> &'static str {
        match self.issuer {
            Issuer::Us(design) => design.jurisdiction,
            Issuer::Mexico(state) => state.jurisdiction,
        }
    }

    /// Registration characters in reading order.
    pub(crate) fn text(&self) -> String {
        serial::text_of(&self.serial)
    }

    /// 1 or 2 lines of characters.
    pub(crate) fn lines(&self) -> u8 {
        1 + u8::from(self.two_lines)
    }

    /// Width and height in metres: 12x6 inch, 300x150 mm, 7x4 inch for motorcycles (200x140 mm in Mexico), 260x170 mm for two-line car plates.
    pub(crate) fn size(&self) -> (f32, f32) {
        match (self.mount, self.issuer, self.two_lines) {
            (Mount::Motorcycle, Issuer::Us(_), false) => (0.178, 0.102),
            (Mount::Motorcycle, Issuer::Us(_), true) => (0.178, 0.125),
            (Mount::Motorcycle, Issuer::Mexico(_), _) => (0.200, 0.140),
            (_, _, true) => (0.260, 0.170),
            (_, Issuer::Us(_), false) => (0.305, 0.152),
            (_, Issuer::Mexico(_), false) => (0.300, 0.150),
        }
    }

    /// The plate at `scale` texels per metre; the canvas's origin is the plate's left top corner, and a frame reaches beyond it.
    pub(crate) fn paint(&self, scale: f32) -> Canvas {
        let mut dice = Dice::new(self.wear, 0);
        let (width, height) = self.size();
        let margin = 0.02;
        let clear = Paint { retro: -1.0, ..Paint::matt(0) };
        let mut canvas = Canvas::new([-margin, -margin, width + margin, height + margin], scale, clear);
        let look = self.look();
        let sheet = Paint { retro: look.retro, ..Paint::shiny(look.ground, 0.35, 0.0) };
        canvas.rect([0.0, 0.0, width, height], 0.008, sheet);
        self.backdrop(&mut canvas, &look, width, height, &mut dice);
        self.words(&mut canvas, &look, width, height);
        self.characters(&mut canvas, &look, width, height);
        stickers(&mut canvas, width, height, &mut dice);
        let framed = self.mount == Mount::Car && dice.chance(0.3);
        if framed {
            frame(&mut canvas, width, height, &mut dice);
        }
        bolts(&mut canvas, width, height, &mut dice);
        dirt(&mut canvas, width, height, &mut dice);
        canvas
    }

    fn look(&self) -> Look {
        match self.issuer {
            Issuer::Us(d) => Look {
                ground: d.ground,
                ink: d.ink,
                words: d.words,
                name: d.name,
                slogan: d.slogan,
                die: d.die,
                script: d.script,
                backdrop: d.backdrop,
                // On dark plates it is the characters that return the lamp's light.
                retro: if dark(d) { 0.2 } else { 1.0 },
                ink_retro: if dark(d) { 0.85 } else { 0.06 },
            },
            Issuer::Mexico(s) => Look {
                ground: 0xf3f3f0,
                ink: 0x1c1c20,
                words: s.words,
                name: s.name,
                slogan: if self.mount == Mount::Truck { "TRANSPORTE PRIVADO CAMION" } else { "TRANSPORTE PRIVADO AUTOMOVIL" },
                die: &strokes::MEXICAN,
                script: false,
                backdrop: Backdrop::Disc(s.tint),
                retro: 0.9,
                ink_retro: 0.06,
            },
        }
    }

    fn backdrop(&self, canvas: &mut Canvas, look: &Look, width: f32, height: f32, dice: &mut Dice) {
        let sheet = |srgb: u32| Paint { retro: look.retro * 0.8, ..Paint::shiny(srgb, 0.35, 0.0) };
        let all = [0.0, 0.0, width, height];
        let inside = |x: f32, y: f32| x > 0.002 && y > 0.002 && x < width - 0.002 && y < height - 0.002;
        match look.backdrop {
            Backdrop::Plain => {}
            Backdrop::Fade(colour) => canvas.each(all, |x, y, t| {
                if inside(x, y) {
                    *t = t.mixed(&sheet(colour), (y / height).powf(1.6) * 0.9);
                }
            }),
            Backdrop::Sky(colour) => canvas.each(all, |x, y, t| {
                if inside(x, y) {
                    *t = t.mixed(&sheet(colour), (1.0 - y / height * 2.0).max(0.0));
                }
            }),
            Backdrop::Bands(top, bottom) => {
                canvas.rect([0.002, 0.002, width - 0.002, height * 0.24], 0.006, sheet(top));
                canvas.rect([0.002, height * 0.84, width - 0.002, height - 0.002], 0.006, sheet(bottom));
            }
            Backdrop::Ridge(colour) => {
                let (a, b) = (dice.range(0.0, 6.0), dice.range(0.0, 6.0));
                canvas.each(all, |x, y, t| {
                    let u = x / width;
                    let crest = 0.42 + 0.10 * (u * 9.0 + a).sin() + 0.06 * (u * 23.0 + b).sin() + 0.02 * (u * 61.0).sin();
                    if inside(x, y) {
                        let share = ((y / height - crest) * 25.0).clamp(0.0, 1.0) * (1.15 - y / height).clamp(0.0, 1.0);
                        *t = t.mixed(&sheet(colour), share * 0.75);
                    }
                });
            }
            Backdrop::Disc(colour) => canvas.each(all, |x, y, t| {
                if inside(x, y) {
                    let d = ((x / width - 0.5) / 0.36).hypot((y / height - 0.55) / 0.42);
                    *t = t.mixed(&sheet(colour), (1.1 - d).clamp(0.0, 1.0));
                }
            }),
            Backdrop::Border(colour) => {
                let ground = sheet(look.ground);
                canvas.rect([0.004, 0.004, width - 0.004, height - 0.004], 0.007, sheet(colour));
                canvas.rect([0.0065, 0.0065, width - 0.0065, height - 0.0065], 0.006, ground);
            }
        }
        if let Issuer::Mexico(state) = self.issuer {
            canvas.rect([0.003, 0.003, width - 0.003, height * 0.25], 0.006, sheet(state.strip));
            // The national colours beside the name, and the square code at the lower right.
            for (index, colour) in [0x1f6b42, 0xf4f4f4, 0xb02030].into_iter().enumerate() {
                let x = width * 0.045 + index as f32 * 0.006;
                canvas.rect([x, height * 0.07, x + 0.006, height * 0.18], 0.0, sheet(colour));
            }
        }
    }

    fn words(&self, canvas: &mut Canvas, look: &Look, width: f32, height: f32) {
        let ink = Paint { retro: look.retro * 0.25, ..Paint::shiny(look.words, 0.25, 0.0) };
        let slant = if look.script { 0.22 } else { 0.0 };
        let room = width * 0.56;
        canvas.text_centred(&strokes::WORDS, look.name, [width * 0.5, height * 0.135], height * 0.125, room, slant, ink);
        if !look.slogan.is_empty() && !self.two_lines {
            let small = height * if matches!(self.issuer, Issuer::Us(_)) { 0.075 } else { 0.055 };
            let on_band = matches!(look.backdrop, Backdrop::Bands(..));
            let ink = if on_band { Paint { retro: look.retro * 0.25, ..Paint::shiny(look.ink, 0.25, 0.0) } } else { ink };
            let ink = if matches!(self.issuer, Issuer::Mexico(_)) { Paint { retro: 0.2, ..Paint::matt(0x3a3a40) } } else { ink };
            canvas.text_centred(&strokes::WORDS, look.slogan, [width * 0.5, height * 0.915], small, width * 0.7, 0.0, ink);
        }
    }

    fn characters(&self, canvas: &mut Canvas, look: &Look, width: f32, height: f32) {
        let room = width * 0.90;
        if self.two_lines {
            let cut = self.serial.find([' ', '-', '.']).unwrap_or(self.serial.len() / 2);
            let tall = height * 0.31;
            for (line, text) in [&self.serial[..cut], self.serial[cut..].trim_start_matches([' ', '-', '.'])].into_iter().enumerate() {
                let y = height * (0.27 + 0.36 * line as f32);
                line_of(canvas, look, text, [width / 2.0, y + tall / 2.0], tall, room);
            }
            return;
        }
        let tall = height * if matches!(self.issuer, Issuer::Us(_)) { 0.48 } else { 0.46 };
        let middle = height * if matches!(self.issuer, Issuer::Us(_)) { 0.53 } else { 0.565 };
        line_of(canvas, look, &self.serial, [width / 2.0, middle], tall, room);
    }
}

/// How a plate looks, whoever issued it.
struct Look {
    ground: u32,
    ink: u32,
    words: u32,
    name: &'static str,
    slogan: &'static str,
    die: &'static Die,
    script: bool,
    backdrop: Backdrop,
    /// Retroreflection of the sheeting, 1 = new white sheeting.
    retro: f32,
    /// The same of the characters.
    ink_retro: f32,
}

/// True for light characters on a dark ground.
fn dark(design: &Design) -> bool {
    luminance(design.ground) < luminance(design.ink)
}

/// One line of characters centred on `centre`, embossed where the die is not flat-printed.
fn line_of(canvas: &mut Canvas, look: &Look, serial: &str, centre: [f32; 2], tall: f32, room: f32) {
    // A half-high dot stands for the emblems that some states put between the groups; a gap is all that is drawn for it.
    let text = serial.replace('.', " ");
    let ink = Paint { retro: look.ink_retro, ..Paint::shiny(look.ink, 0.4, 0.0) };
    let natural = strokes::length(look.die, &text) * tall;
    let room = room.min(natural);
    if !look.die.slashed_zero {
        let dark = Paint { retro: look.retro * 0.5, ..Paint::matt(look.ground).scaled(0.55) };
        let light = Paint { retro: look.retro, ..Paint::matt(look.ground).scaled(1.25) };
        canvas.text_centred(look.die, &text, [centre[0] + 0.0010, centre[1] + 0.0014], tall, room, 0.0, dark);
        canvas.text_centred(look.die, &text, [centre[0] - 0.0008, centre[1] - 0.0010], tall, room, 0.0, light);
    }
    canvas.text_centred(look.die, &text, centre, tall, room, 0.0, ink);
}

/// Validation stickers in the corners, 0 to 2 of them.
fn stickers(canvas: &mut Canvas, width: f32, height: f32, dice: &mut Dice) {
    let colours = [0xd8442f, 0x2f6fc0, 0xe8c53c, 0x3f9a5a, 0xf0f0ee, 0xe08a2f];
    let low = dice.chance(0.25);
    for side in [0, 1] {
        if !dice.chance(0.38) {
            continue;
        }
        let (w, h) = (width * 0.10, height * 0.14);
        let x = if side == 0 { width * 0.045 } else { width * 0.955 - w };
        let y = if low { height * 0.83 } else { height * 0.055 };
        canvas.rect([x, y, x + w, y + h], 0.002, Paint { retro: 0.5, ..Paint::shiny(dice.pick(&colours), 0.3, 0.0) });
        let digits = format!("{}", 20 + dice.below(9));
        canvas.text_centred(&strokes::WORDS, &digits, [x + w / 2.0, y + h * 0.45], h * 0.5, w * 0.8, 0.0, Paint::matt(0x18181c));
    }
}

/// A dealer's frame around the plate, covering its rim.
fn frame(canvas: &mut Canvas, width: f32, height: f32, dice: &mut Dice) {
    let chrome = dice.chance(0.4);
    let paint = if chrome { Paint::shiny(0xb8bcc2, 0.9, 0.8) } else { Paint::shiny(0x16171a, 0.5, 0.0) };
    let (out, side) = (0.010, 0.006);
    let top = dice.range(0.008, height * 0.11);
    let bottom = dice.range(0.010, height * 0.13);
    let inner = [side, top, width - side, height - bottom];
    canvas.fill([-out, -out, width + out, height + out], paint, |x, y| {
        let outer = super::canvas::rounded_rect(x, y, [-out, -out, width + out, height + out], 0.012);
        outer.max(-super::canvas::rounded_rect(x, y, inner, 0.006))
    });
    let names = ["MESA VALLEY MOTORS", "RIO AUTOS", "LAKESIDE", "PUERTO NORTE", "HIGHWAY 9 AUTO", "CANYON SALES", "AUTOS DEL SUR", "GOLDEN HILL"];
    let ink = if chrome { Paint::matt(0x202226) } else { Paint::matt(0xd8d8d8) };
    if bottom > 0.012 {
        canvas.text_centred(&strokes::WORDS, dice.pick(&names), [width / 2.0, height - bottom / 2.0 + 0.003], bottom * 0.62, width * 0.8, 0.0, ink);
    }
}

/// Two or four bolts in the plate's slots.
fn bolts(canvas: &mut Canvas, width: f32, height: f32, dice: &mut Dice) {
    let across = if width > 0.25 { 0.089 } else { width * 0.39 };
    let rows: &[f32] = if dice.chance(0.4) { &[0.10, 0.91] } else { &[0.10] };
    let bolt = if dice.chance(0.5) { Paint::shiny(0x8c9096, 0.8, 0.6) } else { Paint::shiny(0x2a2a2c, 0.4, 0.0) };
    for &row in rows {
        for side in [-1.0, 1.0] {
            let (x, y) = (width / 2.0 + side * across, height * row);
            canvas.ellipse(x + 0.0008, y + 0.001, 0.0062, 0.0062, Paint::matt(0x202020));
            canvas.ellipse(x, y, 0.0055, 0.0055, bolt);
        }
    }
}

/// Dust over everything, thicker below, with splashes. A fifth of the plates are really dirty.
fn dirt(canvas: &mut Canvas, width: f32, height: f32, dice: &mut Dice) {
    let grime = Paint { retro: 0.15, ..Paint::matt(0x6b5e4c) };
    let level = if dice.chance(0.2) { dice.range(0.12, 0.38) } else { dice.range(0.0, 0.08) };
    canvas.each([0.0, 0.0, width, height], |_, y, t| {
        if t.retro >= 0.0 {
            *t = t.mixed(&grime, level * (0.35 + 0.65 * y / height));
        }
    });
    for _ in 0..(level * 60.0) as usize {
        let (x, y, r) = (dice.range(0.0, width), dice.range(0.0, height), dice.range(0.001, 0.006));
        let alpha = dice.range(0.2, 0.7);
        canvas.blend([x - r, y - r, x + r, y + r], grime, alpha, r, |px, py| (px - x).hypot(py - y) - r * 0.5);
    }
}

/// Linear luminance of an sRGB colour, 0..1.
fn luminance(srgb: u32) -> f32 {
    let c = linear(srgb);
    0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]
}

#[cfg(test)]
mod tests {
    use super::super::strokes::has_glyph;
    use super::*;

    #[test]
    fn every_word_on_a_plate_can_be_written() {
        for design in US {
            assert!(design.name.chars().chain(design.slogan.chars()).all(has_glyph), "{}: {} / {}", design.jurisdiction, design.name, design.slogan);
            assert!(design.formats.chars().all(|c| "A01-. |".contains(c)), "{}: {}", design.jurisdiction, design.formats);
        }
        for state in MEXICO {
            assert!(state.name.chars().all(has_glyph), "{}", state.name);
        }
    }

    #[test]
    fn characters_stand_out_from_their_ground() {
        // Red on turquoise or yellow is the least that a design here has; 0.05 is where an eye begins to search.
        for design in US {
            let contrast = (luminance(design.ground) - luminance(design.ink)).abs();
            assert!(contrast > 0.05, "{}: contrast {contrast}", design.jurisdiction);
        }
    }

    #[test]
    fn serials_are_what_a_reader_can_answer() {
        let mut dice = Dice::new(7, 0);
        for mount in [Mount::Car, Mount::Truck, Mount::Motorcycle] {
            for _ in 0..500 {
                let plate = PlateDesign::roll(mount, &mut dice);
                let text = plate.text();
                assert!((4..=8).contains(&text.len()), "{text}");
                assert!(text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{text}");
                assert!(plate.serial.chars().all(has_glyph), "{}", plate.serial);
            }
        }
    }
}
