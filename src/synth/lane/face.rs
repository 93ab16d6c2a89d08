//! The painted ends of vehicles: glass, lamps, grilles, seams, badges, bumper stickers, and where the plate goes.
//!
//! Makes and names are invented. Measures in metres, y up from the road, x from the middle; `both` draws a shape on either side.

use super::body::Kind;
use super::canvas::{Canvas, Paint};
use super::dice::Dice;
use super::strokes;

/// An end of a vehicle being painted.
pub(crate) struct Face {
    pub canvas: Canvas,
    /// Where lamps are that shine towards the camera: x, y, and the colour of their glow.
    pub lamps: Vec<(f32, f32, [f32; 3])>,
    /// Where the plate's middle is: x, y.
    pub plate: [f32; 2],
    body: Paint,
}

pub(crate) const RED: [f32; 3] = [1.0, 0.04, 0.02];
pub(crate) const WHITE: [f32; 3] = [1.0, 0.95, 0.86];

fn glass() -> Paint {
    Paint::shiny(0x171b1d, 1.0, 0.0)
}

fn plastic() -> Paint {
    Paint::shiny(0x1b1c1e, 0.25, 0.0)
}

fn chrome() -> Paint {
    Paint::shiny(0xc4c8cc, 1.0, 0.85)
}

fn seam() -> Paint {
    Paint::matt(0x0c0c0d)
}

/// Words on tailgates and doors that are no plate.
const NAMES: &[&str] = &["MARETA", "SOLANO", "TORVAL", "VELINA GT", "CORDERA", "ALTEON", "BRENTA 4X4", "NIMBA", "ORVETO XL", "SERRANO 2500"];
const STICKERS: &[&str] = &["MY KID 1ST", "VOTE 24", "I LOVE RIO", "NO FEAR", "SURF 805", "VIVA", "USA 76", "DOG MOM", "RADIO 98.5", "COPA 10"];
const FIRMS: &[&str] = &["FRUTAS DEL VALLE", "NORTE CARGO 24H", "LINEA 7", "TRANSPORTES RIO", "MESA FREIGHT", "HIELO POLAR", "DESERT MOVERS"];

impl Face {
    /// A blank face of `body` paint for a vehicle up to `top` metres high, at `scale` texels per metre.
    fn new(body: Paint, top: f32, scale: f32) -> Face {
        Face { canvas: Canvas::new([-1.35, -top - 0.1, 1.35, 0.0], scale, body), lamps: Vec::new(), plate: [0.0, 0.6], body }
    }

    fn rect(&mut self, x0: f32, low: f32, x1: f32, high: f32, radius: f32, paint: Paint) {
        self.canvas.rect([x0, -high, x1, -low], radius, paint);
    }

    fn both(&mut self, x0: f32, low: f32, x1: f32, high: f32, radius: f32, paint: Paint) {
        self.rect(x0, low, x1, high, radius, paint);
        self.rect(-x1, low, -x0, high, radius, paint);
    }

    fn soft(&mut self, x0: f32, low: f32, x1: f32, high: f32, soft: f32, alpha: f32, paint: Paint) {
        self.canvas.soft_rect([x0, -high, x1, -low], 0.02, soft, alpha, paint);
    }

    fn poly(&mut self, points: &[[f32; 2]], paint: Paint) {
        let flipped: Vec<[f32; 2]> = points.iter().map(|p| [p[0], -p[1]]).collect();
        self.canvas.polygon(&flipped, paint);
    }

    fn poly_both(&mut self, points: &[[f32; 2]], paint: Paint) {
        self.poly(points, paint);
        let mirrored: Vec<[f32; 2]> = points.iter().map(|p| [-p[0], p[1]]).collect();
        self.poly(&mirrored, paint);
    }

    fn line(&mut self, a: [f32; 2], b: [f32; 2], width: f32, paint: Paint) {
        self.canvas.line([a[0], -a[1]], [b[0], -b[1]], width, paint);
    }

    fn oval(&mut self, x: f32, y: f32, rx: f32, ry: f32, paint: Paint) {
        self.canvas.ellipse(x, -y, rx, ry, paint);
    }

    fn words(&mut self, text: &str, x: f32, y: f32, height: f32, room: f32, slant: f32, paint: Paint) {
        self.canvas.text_centred(&strokes::WORDS, text, [x, -y], height, room, slant, paint);
    }

    /// A trapezoid window with a dark rim, and what shows through: seats at `seats` height, or people.
    fn window(&mut self, low: f32, high: f32, bottom: f32, top: f32, people: bool, dice: &mut Dice) {
        let rim = 0.03;
        self.poly(&[[-bottom - rim, low - rim], [bottom + rim, low - rim], [top + rim * 0.6, high + rim], [-top - rim * 0.6, high + rim]], plastic());
        self.poly(&[[-bottom, low], [bottom, low], [top, high], [-top, high]], glass());
        let inside = Paint::shiny(0x2a2c2e, 1.0, 0.0);
        let tall = high - low;
        for side in [-1.0, 1.0] {
            let x = side * bottom * 0.48;
            self.rect(x - 0.12, low, x + 0.12, low + tall * 0.42, 0.05, inside);
            if people && (side > 0.0 || dice.chance(0.5)) {
                let skin = Paint::shiny(dice.pick(&[0x8a6248, 0x6a4630, 0xb08868]), 1.0, 0.0).scaled(0.32);
                let shirt = Paint::shiny(dice.pick(&[0x506080, 0x804038, 0x909090, 0x304030]), 1.0, 0.0).scaled(0.32);
                self.rect(x - 0.20, low, x + 0.20, low + tall * 0.30, 0.08, shirt);
                self.oval(x, low + tall * 0.48, 0.08, 0.10, skin);
            }
        }
        // A band of light along the glass, as a bright sky leaves it.
        self.soft(-bottom, high - tall * 0.22, bottom, high - tall * 0.05, 0.08, 0.25, Paint::shiny(0x50585c, 1.0, 0.0));
        self.soft(-bottom, low, bottom, low + 0.05, 0.05, 0.6, Paint::shiny(0x0a0a0a, 0.6, 0.0));
    }

    /// A pair of tail lamps: red lens with a bright core, a white reversing lens, an amber or red edge.
    fn tail_lamps(&mut self, x0: f32, low: f32, x1: f32, high: f32, dice: &mut Dice) {
        let lens = Paint::shiny(0x7a0a0c, 0.9, 0.0);
        let core = Paint::shiny(0xa81414, 0.8, 0.0).lit([0.75, 0.02, 0.01]);
        let reversing = Paint::shiny(0xb8b8b4, 0.9, 0.3);
        let slope = dice.range(-0.03, 0.05);
        let (w, h) = (x1 - x0, high - low);
        self.poly_both(&[[x0 - 0.01, low + 0.01], [x1 + 0.01, low - 0.01 + slope], [x1 + 0.01, high + 0.01 + slope], [x0 - 0.01, high]], plastic());
        self.poly_both(&[[x0, low + 0.015], [x1, low + slope], [x1, high + slope], [x0, high - 0.01]], lens);
        if w > h {
            self.both(x0 + w * 0.42, low + h * 0.25, x1 - w * 0.08, high - h * 0.2 + slope * 0.5, 0.02, core);
            self.both(x0 + w * 0.08, low + h * 0.28, x0 + w * 0.36, high - h * 0.28, 0.015, reversing);
        } else {
            self.both(x0 + w * 0.15, low + h * 0.52, x1 - w * 0.12, high - h * 0.08, 0.02, core);
            self.both(x0 + w * 0.15, low + h * 0.28, x1 - w * 0.12, low + h * 0.46, 0.015, reversing);
            self.both(x0 + w * 0.15, low + h * 0.06, x1 - w * 0.12, low + h * 0.24, 0.015, Paint::shiny(0xa86010, 0.8, 0.0));
        }
        for step in 0..6 {
            let y = low + h * (0.12 + 0.15 * step as f32);
            self.canvas.blend([x0, -y - 0.004, x1, -y + 0.004], Paint::shiny(0x500606, 0.9, 0.0), 0.35, 0.002, |_, v| (v + y).abs() - 0.003);
            self.canvas.blend([-x1, -y - 0.004, -x0, -y + 0.004], Paint::shiny(0x500606, 0.9, 0.0), 0.35, 0.002, |_, v| (v + y).abs() - 0.003);
        }
        for side in [-1.0, 1.0] {
            self.lamps.push((side * (x0 + x1) / 2.0, (low + high) / 2.0 + slope, RED));
        }
    }

    /// A pair of headlamps: a dark housing, a clear lens with reflector, an amber corner.
    fn headlamps(&mut self, x0: f32, low: f32, x1: f32, high: f32, dice: &mut Dice) {
        let slope = dice.range(0.0, 0.05);
        let (w, h) = (x1 - x0, high - low);
        let tall = high + slope;
        self.poly_both(&[[x0, low], [x1, low + slope], [x1, tall], [x0, high - h * 0.25]], Paint::shiny(0x1c1e20, 1.0, 0.1));
        self.poly_both(
            &[[x0 + 0.015, low + 0.012], [x1 - 0.012, low + slope + 0.01], [x1 - 0.012, tall - 0.012], [x0 + 0.015, high - h * 0.3]],
            Paint::shiny(0x9aa0a4, 1.0, 0.45),
        );
        let (cx, cy) = (x0 + w * 0.55, (low + tall) / 2.0);
        for side in [-1.0, 1.0] {
            let r = (h * 0.36).min(w * 0.3);
            self.oval(side * cx, cy, r * 1.25, r * 1.2, Paint::shiny(0x3a3e42, 1.0, 0.5));
            self.oval(side * cx, cy, r, r, Paint::shiny(0xe4e8ea, 1.0, 0.3).lit([9.0, 8.6, 7.8]));
            self.oval(side * (x1 - w * 0.12), cy, w * 0.07, h * 0.25, Paint::shiny(0xb86a14, 0.9, 0.2));
            self.lamps.push((side * cx, cy, WHITE));
        }
    }

    /// A grille of bars or mesh.
    fn grille(&mut self, half: f32, low: f32, high: f32, dice: &mut Dice) {
        let bright = dice.chance(0.5);
        self.rect(-half - 0.02, low - 0.02, half + 0.02, high + 0.02, 0.05, if bright { chrome() } else { plastic() });
        self.rect(-half, low, half, high, 0.04, Paint::matt(0x0b0b0c));
        let bar = if bright { chrome() } else { Paint::shiny(0x303234, 0.5, 0.2) };
        if dice.chance(0.5) {
            let count = ((high - low) / 0.045) as usize;
            for index in 1..count.max(2) {
                let y = low + (high - low) * index as f32 / count as f32;
                self.rect(-half, y - 0.006, half, y + 0.006, 0.003, bar);
            }
        } else {
            let count = (half / 0.04) as usize;
            for index in 0..count {
                let x = half * index as f32 / count as f32;
                self.both(x - 0.006, low, x + 0.006, high, 0.002, bar);
            }
        }
        self.oval(0.0, (low + high) / 2.0, 0.07, 0.055, chrome());
        self.oval(0.0, (low + high) / 2.0, 0.05, 0.036, Paint::shiny(0x202a44, 0.8, 0.2));
    }

    /// Where the plate goes: a shaded recess, with the plate lamps' glow at night.
    fn recess(&mut self, x: f32, y: f32, deep: bool) {
        self.plate = [x, y];
        let dark = self.body.scaled(0.55);
        if deep {
            self.soft(x - 0.24, y - 0.115, x + 0.24, y + 0.125, 0.02, 0.9, dark);
            self.soft(x - 0.22, y + 0.085, x + 0.22, y + 0.125, 0.03, 0.8, self.body.scaled(0.25));
            self.line([x - 0.23, y - 0.115], [x + 0.23, y - 0.115], 0.008, self.body.scaled(1.2));
            for side in [-0.09, 0.09] {
                self.rect(x + side - 0.03, y + 0.10, x + side + 0.03, y + 0.115, 0.004, Paint::shiny(0xa0a0a0, 0.8, 0.0).lit([0.5, 0.48, 0.4]));
            }
        } else {
            // A soft shadow of the plate itself.
            self.soft(x - 0.155, y - 0.095, x + 0.165, y + 0.075, 0.03, 0.6, dark);
        }
    }

    /// Bumper stickers and family decals: words and patches, none of them a plate.
    fn stickers(&mut self, x: f32, low: f32, high: f32, dice: &mut Dice) {
        for _ in 0..dice.below(4) {
            if !dice.chance(0.5) {
                continue;
            }
            let (w, h) = (dice.range(0.10, 0.24), dice.range(0.05, 0.09));
            let cx = dice.range(0.3, x) * if dice.chance(0.5) { -1.0 } else { 1.0 };
            let cy = dice.range(low + h, high - h);
            let ground = Paint::shiny(dice.pick(&[0xf0f0ee, 0x1f3f86, 0xb02030, 0x1c1c1e, 0xe8c53c, 0x2f7a4a]), 0.3, 0.0);
            self.rect(cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0, 0.006, ground);
            let ink = if ground.albedo[1] > 0.4 { Paint::matt(0x202024) } else { Paint::matt(0xf0f0f0) };
            self.words(dice.pick(STICKERS), cx, cy, h * 0.5, w * 0.88, 0.0, ink);
        }
    }
}

/// Paints the rear of `kind`, or its front.
pub(crate) fn paint(kind: Kind, rear: bool, body: Paint, scale: f32, dice: &mut Dice) -> Face {
    let top = match kind {
        Kind::Bus | Kind::BoxTruck | Kind::Tractor => 3.5,
        Kind::Van => 2.4,
        _ => 2.0,
    };
    let mut face = Face::new(body, top, scale);
    match (kind, rear) {
        (Kind::Sedan, true) => sedan_rear(&mut face, dice),
        (Kind::Suv, true) => suv_rear(&mut face, dice),
        (Kind::Pickup, true) => pickup_rear(&mut face, dice),
        (Kind::Van, true) => van_rear(&mut face, dice),
        (Kind::Bus, true) => bus_rear(&mut face, dice),
        (Kind::BoxTruck | Kind::Tractor, true) => box_rear(&mut face, dice),
        (Kind::Sedan, false) => car_front(&mut face, Front { sill: 1.04, roof: 1.35, lamps: 0.66, hood: 0.80, half: 0.9, plate: 0.46 }, dice),
        (Kind::Suv, false) => car_front(&mut face, Front { sill: 1.22, roof: 1.60, lamps: 0.82, hood: 0.98, half: 0.92, plate: 0.55 }, dice),
        (Kind::Van, false) => car_front(&mut face, Front { sill: 1.30, roof: 2.10, lamps: 0.80, hood: 1.02, half: 0.96, plate: 0.50 }, dice),
        (Kind::Pickup, false) => pickup_front(&mut face, dice),
        (Kind::Bus, false) => bus_front(&mut face, dice),
        (Kind::Tractor | Kind::BoxTruck, false) => tractor_front(&mut face, dice),
        (Kind::Motorcycle, _) => {}
    }
    face
}

fn sedan_rear(f: &mut Face, dice: &mut Dice) {
    f.window(1.11, 1.37, 0.66, 0.50, false, dice);
    f.rect(-0.12, 1.115, 0.12, 1.135, 0.005, Paint::shiny(0x801010, 0.8, 0.0).lit([0.8, 0.02, 0.01]));
    // Trunk lid and bumper.
    f.line([-0.70, 1.03], [0.70, 1.03], 0.006, seam());
    f.poly_both(&[[0.605, 1.03], [0.613, 1.03], [0.59, 0.64], [0.582, 0.64]], seam());
    f.line([-0.59, 0.64], [0.59, 0.64], 0.010, seam());
    f.line([-0.92, 0.615], [0.92, 0.615], 0.008, seam());
    let wide = dice.range(0.46, 0.56);
    f.tail_lamps(wide, dice.range(0.72, 0.76), 0.88, dice.range(0.90, 0.95), dice);
    if dice.chance(0.5) {
        f.rect(-wide + 0.02, 0.905, wide - 0.02, 0.925, 0.008, chrome());
    }
    f.oval(0.0, 0.965, 0.05, 0.04, chrome());
    f.words(dice.pick(NAMES), -0.40, 0.955, 0.032, 0.25, 0.0, chrome());
    let low = dice.chance(0.3);
    f.recess(0.0, if low { 0.47 } else { 0.79 }, true);
    f.both(0.62, 0.40, 0.80, 0.43, 0.01, Paint::shiny(0x8a1010, 0.9, 0.0));
    f.rect(-1.0, 0.2, 1.0, 0.36, 0.06, plastic());
    f.both(0.48, 0.27, 0.62, 0.335, 0.03, chrome());
    f.both(0.495, 0.28, 0.605, 0.325, 0.025, Paint::matt(0x050505));
    f.stickers(0.5, 0.42, 0.6, dice);
}

fn suv_rear(f: &mut Face, dice: &mut Dice) {
    f.window(1.17, 1.57, 0.70, 0.58, false, dice);
    f.rect(-0.14, 1.61, 0.14, 1.63, 0.005, Paint::shiny(0x801010, 0.8, 0.0).lit([0.8, 0.02, 0.01]));
    f.line([0.05, 1.19], [-0.38, 1.26], 0.016, plastic());
    f.poly_both(&[[0.735, 1.62], [0.742, 1.62], [0.70, 0.72], [0.692, 0.72]], seam());
    f.line([-0.70, 0.73], [0.70, 0.73], 0.010, seam());
    if dice.chance(0.55) {
        f.tail_lamps(0.725, 0.82, 0.91, dice.range(1.12, 1.4), dice);
    } else {
        f.tail_lamps(0.50, 0.92, 0.91, 1.08, dice);
    }
    f.rect(-0.26, 1.03, 0.26, 1.06, 0.01, if dice.chance(0.6) { chrome() } else { plastic() });
    f.oval(0.0, 1.10, 0.055, 0.042, chrome());
    f.words(dice.pick(NAMES), -0.45, 0.81, 0.034, 0.28, 0.0, chrome());
    f.words(dice.pick(&["4X4", "AWD", "TD 4", "V6"]), 0.5, 0.81, 0.034, 0.16, 0.0, chrome());
    let low = dice.chance(0.2);
    f.recess(0.0, if low { 0.56 } else { 0.91 }, true);
    f.rect(-1.0, 0.25, 1.0, if low { 0.44 } else { 0.66 }, 0.05, plastic());
    f.both(0.62, 0.52, 0.84, 0.56, 0.01, Paint::shiny(0x8a1010, 0.9, 0.0));
    f.rect(-0.3, 0.30, 0.3, 0.36, 0.02, Paint::shiny(0x8c9094, 0.6, 0.4));
    f.stickers(0.62, 0.75, 1.0, dice);
}

fn pickup_rear(f: &mut Face, dice: &mut Dice) {
    f.window(1.40, 1.73, 0.68, 0.58, false, dice);
    f.line([-0.22, 1.40], [-0.22, 1.73], 0.012, plastic());
    f.line([0.22, 1.40], [0.22, 1.73], 0.012, plastic());
    f.rect(-0.16, 1.785, 0.16, 1.81, 0.005, Paint::shiny(0x801010, 0.8, 0.0).lit([0.8, 0.02, 0.01]));
    f.rect(-1.0, 1.295, 1.0, 1.345, 0.0, plastic());
    // Tailgate.
    f.both(0.755, 0.78, 0.765, 1.29, 0.0, seam());
    f.line([-0.76, 0.79], [0.76, 0.79], 0.012, seam());
    f.soft(-0.66, 0.86, 0.66, 1.21, 0.012, 0.5, f.body.scaled(0.7));
    f.soft(-0.645, 0.855, 0.645, 1.195, 0.012, 0.9, f.body);
    f.rect(-0.13, 1.13, 0.13, 1.20, 0.02, plastic());
    if dice.chance(0.65) {
        let ink = if dice.chance(0.5) { f.body.scaled(0.6) } else { chrome() };
        f.words(dice.pick(NAMES), 0.0, 1.0, 0.10, 1.1, 0.0, ink);
    } else {
        f.words(dice.pick(NAMES), 0.45, 0.9, 0.045, 0.4, 0.0, chrome());
    }
    f.tail_lamps(0.785, 0.83, 0.955, 1.24, dice);
    // Step bumper.
    let bumper = if dice.chance(0.6) { chrome() } else { plastic() };
    f.rect(-0.98, 0.50, 0.98, 0.745, 0.04, bumper);
    f.rect(-0.30, 0.50, 0.30, 0.735, 0.03, plastic());
    f.rect(-0.75, 0.715, 0.75, 0.75, 0.0, plastic());
    f.recess(0.0, 0.62, false);
    f.rect(-1.0, 0.36, 1.0, 0.50, 0.0, Paint::matt(0x0c0c0c));
    f.rect(-0.07, 0.42, 0.07, 0.51, 0.01, Paint::shiny(0x2a2a2a, 0.3, 0.1));
    f.stickers(0.6, 0.86, 1.1, dice);
}

fn van_rear(f: &mut Face, dice: &mut Dice) {
    let glazed = dice.chance(0.7);
    if glazed {
        for side in [-1.0, 1.0] {
            let (a, b) = if side < 0.0 { (-0.78, -0.08) } else { (0.08, 0.78) };
            f.rect(a, 1.34, b, 1.98, 0.07, plastic());
            f.rect(a + 0.03, 1.37, b - 0.03, 1.95, 0.05, glass());
            f.soft(a + 0.05, 1.8, b - 0.05, 1.9, 0.08, 0.3, Paint::shiny(0x50585c, 1.0, 0.0));
        }
    } else {
        f.words(dice.pick(FIRMS), 0.0, 1.7, 0.16, 1.5, 0.0, Paint::matt(0x1f3f86));
        f.words("TEL 664 555 01 37", 0.0, 1.45, 0.09, 1.3, 0.0, Paint::matt(0x303038));
    }
    f.rect(-0.006, 0.68, 0.006, 2.16, 0.0, seam());
    f.both(0.83, 0.68, 0.84, 2.16, 0.0, seam());
    for y in [0.95, 1.5, 2.0] {
        f.both(0.80, y, 0.87, y + 0.08, 0.01, f.body.scaled(0.5));
    }
    f.tail_lamps(0.855, 0.82, 0.965, 1.38, dice);
    f.rect(0.05, 1.10, 0.22, 1.15, 0.02, plastic());
    f.words(dice.pick(NAMES), -0.5, 1.18, 0.05, 0.4, 0.0, chrome());
    f.recess(if dice.chance(0.5) { -0.32 } else { 0.0 }, 0.92, true);
    f.rect(-1.0, 0.36, 1.0, 0.67, 0.04, plastic());
    f.both(0.70, 0.46, 0.88, 0.50, 0.01, Paint::shiny(0x8a1010, 0.9, 0.0));
    f.stickers(0.7, 0.95, 1.25, dice);
}

fn bus_rear(f: &mut Face, dice: &mut Dice) {
    let band = Paint::shiny(dice.pick(&[0xb02030, 0x1f4f9a, 0x2f7a4a, 0xe08a2f]), 0.8, 0.0);
    f.rect(-1.3, 1.40, 1.3, 1.72, 0.0, band);
    f.rect(-1.0, 2.0, 1.0, 2.75, 0.10, plastic());
    f.rect(-0.96, 2.04, 0.96, 2.71, 0.08, glass());
    f.words(dice.pick(FIRMS), 0.0, 1.56, 0.15, 1.8, 0.0, Paint::matt(0xf2f2f2));
    f.words(&format!("{}", 100 + dice.below(900)), -0.85, 2.87, 0.14, 0.4, 0.0, Paint::matt(0x202020));
    f.rect(-0.72, 0.86, 0.72, 1.30, 0.03, Paint::matt(0x161616));
    for step in 0..9 {
        let y = 0.89 + 0.046 * step as f32;
        f.rect(-0.70, y, 0.70, y + 0.022, 0.0, f.body.scaled(0.5));
    }
    f.tail_lamps(0.98, 0.75, 1.15, 1.30, dice);
    f.rect(-1.3, 0.38, 1.3, 0.60, 0.03, plastic());
    f.recess(0.0, 0.72, false);
    f.words("FRENADAS CONTINUAS", 0.0, 0.49, 0.06, 1.0, 0.0, Paint::matt(0xd8d8d0));
}

fn box_rear(f: &mut Face, dice: &mut Dice) {
    let steel = Paint::shiny(0x9a9ea2, 0.5, 0.3);
    f.both(1.10, 1.1, 1.24, 3.4, 0.0, steel);
    f.rect(-1.24, 3.22, 1.24, 3.4, 0.0, steel);
    if dice.chance(0.5) {
        // Roll-up door.
        for step in 0..7 {
            f.rect(-1.10, 1.28 + 0.28 * step as f32, 1.10, 1.295 + 0.28 * step as f32, 0.0, f.body.scaled(0.45));
        }
        f.rect(-0.10, 1.32, 0.10, 1.38, 0.01, plastic());
    } else {
        // Swing doors with locking bars.
        f.rect(-0.008, 1.1, 0.008, 3.22, 0.0, seam());
        for x in [0.25, 0.75] {
            f.both(x - 0.018, 1.12, x + 0.018, 3.2, 0.0, steel);
            f.both(x - 0.05, 1.7, x + 0.12, 1.75, 0.01, steel);
        }
    }
    f.words(dice.pick(FIRMS), 0.0, 2.45, 0.20, 1.9, 0.0, Paint::matt(dice.pick(&[0x1f3f86, 0xa02030, 0x202020, 0x2f6a3a])));
    f.words(&format!("TEL {} 555 01{:02}", 600 + dice.below(300), dice.below(100)), 0.0, 2.1, 0.12, 1.6, 0.0, Paint::matt(0x303030));
    f.words(&format!("{}", 10 + dice.below(990)), 0.85, 2.9, 0.16, 0.4, 0.0, Paint::matt(0x202020));
    // Red and white marking tape.
    for step in 0..16 {
        let x = -1.12 + 0.14 * step as f32;
        let paint = if step % 2 == 0 { 0xa81818 } else { 0xe8e8e8 };
        f.rect(x, 1.12, x + 0.14, 1.17, 0.0, Paint { retro: 0.6, ..Paint::shiny(paint, 0.4, 0.0) });
    }
    f.plate = [-0.45, 0.72];
    for side in [-1.0, 1.0] {
        f.lamps.push((side * 0.95, 0.84, RED));
    }
}

/// Heights and half width that tell one car's front from another's.
struct Front {
    sill: f32,
    roof: f32,
    lamps: f32,
    hood: f32,
    half: f32,
    plate: f32,
}

fn car_front(f: &mut Face, front: Front, dice: &mut Dice) {
    let Front { sill, roof, lamps, hood, half, plate } = front;
    f.window(sill, roof, half * 0.74, half * 0.57, true, dice);
    f.rect(-0.05, roof - 0.10, 0.05, roof - 0.05, 0.01, plastic());
    f.rect(0.35, sill + 0.03, 0.44, sill + 0.09, 0.005, Paint::shiny(0xd0d0c8, 0.6, 0.0));
    f.line([-0.5, sill - 0.01], [0.05, sill + 0.035], 0.014, plastic());
    f.line([0.0, sill - 0.01], [0.55, sill + 0.035], 0.014, plastic());
    // Hood.
    f.poly_both(&[[half * 0.80, sill - 0.06], [half * 0.808, sill - 0.06], [half * 0.60, hood - 0.02], [half * 0.59, hood - 0.02]], seam());
    f.line([-half * 0.6, hood - 0.02], [half * 0.6, hood - 0.02], 0.008, seam());
    f.headlamps(half * 0.56, lamps, half * 0.98, hood - 0.01, dice);
    let grille_low = (plate + 0.10).max(lamps - 0.12);
    f.grille(half * 0.48, grille_low, hood - 0.05, dice);
    // Bumper with its lower intake and fog lamps.
    f.line([-half, lamps - 0.03], [-half * 0.55, lamps - 0.03], 0.006, seam());
    f.line([half, lamps - 0.03], [half * 0.55, lamps - 0.03], 0.006, seam());
    f.rect(-half * 0.58, plate - 0.24, half * 0.58, plate - 0.10, 0.03, Paint::matt(0x0d0d0e));
    for step in 0..3 {
        let y = plate - 0.22 + 0.04 * step as f32;
        f.rect(-half * 0.56, y, half * 0.56, y + 0.008, 0.0, Paint::shiny(0x303234, 0.4, 0.0));
    }
    f.both(half * 0.66, plate - 0.16, half * 0.86, plate - 0.04, 0.03, plastic());
    for side in [-1.0, 1.0] {
        f.oval(side * half * 0.76, plate - 0.10, 0.045, 0.04, Paint::shiny(0xc0c4c8, 1.0, 0.4));
    }
    f.rect(-1.0, 0.1, 1.0, (plate - 0.25).max(0.26), 0.05, plastic());
    f.recess(0.0, plate, false);
    f.rect(-0.17, plate - 0.085, 0.17, plate + 0.085, 0.01, plastic());
}

fn pickup_front(f: &mut Face, dice: &mut Dice) {
    f.window(1.36, 1.75, 0.74, 0.60, true, dice);
    f.poly_both(&[[0.80, 1.28], [0.808, 1.28], [0.70, 1.13], [0.69, 1.13]], seam());
    f.line([-0.7, 1.13], [0.7, 1.13], 0.010, seam());
    f.headlamps(0.64, 0.84, 0.95, 1.08, dice);
    f.grille(0.58, 0.78, 1.08, dice);
    f.rect(-0.98, 0.50, 0.98, 0.73, 0.05, if dice.chance(0.6) { chrome() } else { f.body });
    f.rect(-0.45, 0.40, 0.45, 0.50, 0.02, plastic());
    for side in [-1.0, 1.0] {
        f.oval(side * 0.72, 0.56, 0.06, 0.05, Paint::shiny(0xc0c4c8, 1.0, 0.4));
    }
    f.rect(-1.0, 0.30, 1.0, 0.47, 0.02, plastic());
    f.recess(0.0, 0.61, false);
}

fn bus_front(f: &mut Face, dice: &mut Dice) {
    let band = Paint::shiny(dice.pick(&[0xb02030, 0x1f4f9a, 0x2f7a4a, 0xe08a2f]), 0.8, 0.0);
    f.rect(-1.3, 0.86, 1.3, 1.12, 0.0, band);
    f.rect(-1.16, 1.26, 1.16, 2.62, 0.14, plastic());
    f.rect(-1.12, 1.30, 1.12, 2.58, 0.12, glass());
    f.rect(-0.012, 1.28, 0.012, 2.6, 0.0, plastic());
    f.oval(0.62, 1.72, 0.10, 0.13, Paint::shiny(0x6a4a38, 1.0, 0.0).scaled(0.4));
    f.rect(0.40, 1.30, 0.86, 1.60, 0.10, Paint::shiny(0x6080a0, 1.0, 0.0).scaled(0.3));
    f.soft(-1.1, 2.3, 1.1, 2.5, 0.12, 0.25, Paint::shiny(0x50585c, 1.0, 0.0));
    f.line([-0.9, 1.28], [-0.2, 1.42], 0.02, plastic());
    f.line([0.2, 1.28], [0.9, 1.42], 0.02, plastic());
    f.rect(-0.95, 2.70, 0.95, 2.96, 0.03, Paint::shiny(0x101010, 0.8, 0.0));
    let sign = Paint::matt(0xe0a020).lit([1.0, 0.55, 0.08]);
    let place = dice.pick(&["CENTRO", "GARITA", "AEROPUERTO", "TIJUANA", "NOGALES", "EXPRESS"]);
    f.words(&format!("{} {place}", 1 + dice.below(99)), 0.0, 2.83, 0.17, 1.7, 0.0, sign);
    f.headlamps(0.72, 0.58, 1.18, 0.80, dice);
    f.rect(-0.5, 0.64, 0.5, 0.84, 0.03, Paint::matt(0x161616));
    f.rect(-1.3, 0.30, 1.3, 0.52, 0.04, plastic());
    f.recess(0.0, 0.52, false);
    f.rect(-0.17, 0.435, 0.17, 0.605, 0.01, plastic());
}

fn tractor_front(f: &mut Face, dice: &mut Dice) {
    f.window(2.19, 2.72, 0.98, 0.92, true, dice);
    f.rect(-0.012, 2.17, 0.012, 2.75, 0.0, plastic());
    f.rect(-1.0, 2.76, 1.0, 2.84, 0.03, plastic());
    for x in [-0.8, -0.4, 0.0, 0.4, 0.8] {
        f.oval(x, 2.92, 0.045, 0.025, Paint::shiny(0xc07818, 0.8, 0.0).lit([0.9, 0.4, 0.05]));
    }
    f.line([-0.75, 1.9], [-0.55, 1.0], 0.008, seam());
    f.line([0.75, 1.9], [0.55, 1.0], 0.008, seam());
    f.grille(0.50, 0.92, 1.62, dice);
    f.words(dice.pick(FIRMS), 0.0, 1.72, 0.07, 0.9, 0.0, chrome());
    f.headlamps(0.72, 0.94, 1.08, 1.16, dice);
    let bumper = if dice.chance(0.7) { chrome() } else { f.body };
    f.rect(-1.18, 0.46, 1.18, 0.80, 0.06, bumper);
    f.both(0.55, 0.52, 0.95, 0.66, 0.03, Paint::matt(0x101010));
    f.recess(0.0, 0.63, false);
    f.words(&format!("{}", 1000 + dice.below(9000)), -0.75, 0.74, 0.07, 0.3, 0.0, Paint::matt(0x202020));
}
