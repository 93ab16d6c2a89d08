//! The crossing's furniture: islands with kerbs, bollards, booths, signs and barriers, a canopy, a wall.
//!
//! Each is an object of its own: one that would hide a plate is left out of the picture as a whole.

use super::canvas::{Canvas, Paint};
use super::dice::Dice;
use super::ground::{Ground, LANE};
use super::raster::Mesh;
use super::strokes;
use super::vehicle::{Part, Skin};

/// The parts of one thing that stands on the ground.
pub(crate) type Object = Vec<Part>;

fn flat(mesh: Mesh, paint: Paint) -> Part {
    Part { mesh, skin: Skin::Flat(paint) }
}

/// What stands around the lanes, and the ground that it stands on.
pub(crate) struct Surroundings {
    pub ground: Ground,
    pub furniture: Vec<Object>,
    /// The islands: drawn with the ground, before anything that stands on it.
    pub islands: Object,
}

impl Surroundings {
    /// A crossing whose lanes are centred on multiples of [`LANE`]; `lanes` to either side of the middle one.
    pub(crate) fn roll(lanes: i32, dice: &mut Dice) -> Surroundings {
        let mut surroundings = Surroundings { ground: Ground::roll(lanes, dice), furniture: Vec::new(), islands: Vec::new() };
        surroundings.furnish(lanes, dice);
        surroundings
    }

    fn furnish(&mut self, lanes: i32, dice: &mut Dice) {
        let concrete = Paint::matt(0xa8a49a);
        let yellow = Paint::shiny(0xd8a11c, 0.4, 0.0);
        // Islands between some lanes, with what stands on them.
        for lane in -lanes - 1..=lanes {
            if !dice.chance(0.55) {
                continue;
            }
            let middle = (lane as f32 + 0.5) * LANE;
            let start = dice.range(-2.0, 5.0);
            let mut kerb = Mesh::default();
            kerb.cuboid([middle - 0.42, 0.0, start], [middle + 0.42, 0.17, start + 26.0]);
            self.islands.push(flat(kerb, concrete));
            if dice.chance(0.7) {
                let mut nose = Mesh::default();
                nose.cuboid([middle - 0.44, 0.0, start - 0.03], [middle + 0.44, 0.20, start + 0.5]);
                self.islands.push(flat(nose, yellow));
            }
            for post in 0..dice.below(4) {
                let mut bollard = Mesh::default();
                let (z, high) = (start + 0.9 + 1.6 * post as f32, dice.range(0.85, 1.15));
                bollard.tube(middle, z, 0.085, 0.15, high);
                let mut band = Mesh::default();
                band.tube(middle, z, 0.088, high - 0.25, high - 0.15);
                let white = Paint { retro: 0.5, ..Paint::matt(0xe8e8e8) };
                self.furniture.push(vec![flat(bollard, yellow), flat(band, white)]);
            }
            if dice.chance(0.55) {
                self.booth(middle, start + dice.range(6.0, 12.0), dice);
            }
            if dice.chance(0.4) {
                self.sign(middle, start + dice.range(1.0, 9.0), dice);
            }
            if dice.chance(0.35) {
                self.barrier(middle, start + dice.range(9.0, 16.0), dice);
            }
        }
        if dice.chance(0.35) {
            let side = if dice.chance(0.5) { -1.0 } else { 1.0 };
            let x = side * (lanes as f32 + 0.5) * LANE + side * 0.6;
            let mut wall = Mesh::default();
            wall.cuboid([x - 0.3, 0.0, 0.0], [x + 0.3, 0.25, 60.0]);
            wall.cuboid([x - 0.12, 0.25, 0.0], [x + 0.12, 0.85, 60.0]);
            self.furniture.push(vec![flat(wall, concrete)]);
        }
        if dice.chance(0.4) {
            let z = dice.range(14.0, 24.0);
            let mut canopy = Mesh::default();
            let wide = (lanes as f32 + 1.0) * LANE;
            canopy.cuboid([-wide, 5.0, z], [wide, 5.9, z + 14.0]);
            for lane in [-lanes - 1, lanes] {
                let x = (lane as f32 + 0.5) * LANE;
                canopy.cuboid([x - 0.22, 0.0, z + 1.0], [x + 0.22, 5.0, z + 1.44]);
            }
            let roof = Paint::matt(dice.pick(&[0xd8d8d4, 0x8a8e92, 0xb8b2a4]));
            // Lane lights under its edge: a green arrow or a red cross, here only their glow.
            let mut lamps = Mesh::default();
            for lane in -lanes..=lanes {
                let x = lane as f32 * LANE;
                lamps.cuboid([x - 0.22, 4.6, z - 0.05], [x + 0.22, 5.0, z]);
            }
            self.furniture.push(vec![flat(canopy, roof), flat(lamps, Paint::matt(0x183018).lit([0.05, 1.2, 0.25]))]);
        }
    }

    fn booth(&mut self, x: f32, z: f32, dice: &mut Dice) {
        let wall = Paint::shiny(dice.pick(&[0xc9ccce, 0xe4e2da, 0x8a9098, 0x3a5a86]), 0.35, 0.0);
        let (w, d, h) = (1.0, 2.4, 2.5);
        let mut canvas = Canvas::new([0.0, 0.0, d, h], 60.0, wall);
        let pane = Paint::shiny(0x141a1e, 1.0, 0.0).lit([0.10, 0.09, 0.07]);
        canvas.rect([0.15, 0.55, 0.85, 1.45], 0.03, pane);
        canvas.rect([1.0, 0.55, 2.2, 1.45], 0.03, pane);
        canvas.rect([0.0, 2.2, d, h], 0.0, Paint::matt(0x606468));
        canvas.text_centred(&strokes::WORDS, dice.pick(&["INSPECTION", "ADUANA", "CASETA 4", "LANE 3"]), [0.5, 0.32], 0.13, 0.9, 0.0, Paint::matt(0x20242c));
        let mut body = Mesh::default();
        body.cuboid([x - w / 2.0, 0.17, z], [x + w / 2.0, h + 0.17, z + d]);
        let mut roof = Mesh::default();
        roof.cuboid([x - w * 0.7, h + 0.17, z - 0.3], [x + w * 0.7, h + 0.35, z + d + 0.3]);
        self.furniture.push(vec![Part { mesh: body, skin: Skin::Picture(canvas) }, flat(roof, Paint::matt(0x9a9c9e))]);
    }

    fn sign(&mut self, x: f32, z: f32, dice: &mut Dice) {
        let (text, ground, ink) = dice.pick(&[
            ("STOP", 0xb01c22, 0xf4f4f4),
            ("ALTO", 0xb01c22, 0xf4f4f4),
            ("LANE 5", 0x1f6b42, 0xf4f4f4),
            ("CARRIL 2", 0x1f6b42, 0xf4f4f4),
            ("MAX 10 KM", 0xf2f2f0, 0x1a1a1c),
            ("SENTRI", 0x1f3f86, 0xf4f4f4),
            ("DECLARE", 0xe0b020, 0x1a1a1c),
            ("NO 15 MPH", 0xf2f2f0, 0x1a1a1c),
        ]);
        let (w, h) = (dice.range(0.5, 0.8), dice.range(0.28, 0.6));
        let low = dice.range(1.3, 2.2);
        let mut canvas = Canvas::new([0.0, 0.0, w, h], 250.0, Paint { retro: 0.5, ..Paint::matt(ink) });
        canvas.rect([0.015, 0.015, w - 0.015, h - 0.015], 0.03, Paint { retro: 0.5, ..Paint::matt(ground) });
        canvas.text_centred(&strokes::WORDS, text, [w / 2.0, h / 2.0], (h * 0.45).min(0.16), w * 0.82, 0.0, Paint::matt(ink));
        let mut panel = Mesh::default();
        panel.quad([[x - w / 2.0, low + h, z - 0.06], [x + w / 2.0, low + h, z - 0.06], [x + w / 2.0, low, z - 0.06], [x - w / 2.0, low, z - 0.06]], [w, h]);
        let mut post = Mesh::default();
        post.tube(x, z, 0.035, 0.1, low + h - 0.05);
        self.furniture.push(vec![flat(post, Paint::shiny(0x8a8e92, 0.5, 0.4)), Part { mesh: panel, skin: Skin::Picture(canvas) }]);
    }

    fn barrier(&mut self, x: f32, z: f32, dice: &mut Dice) {
        let mut case = Mesh::default();
        case.cuboid([x - 0.18, 0.17, z - 0.18], [x + 0.18, 1.1, z + 0.18]);
        let paint = Paint::shiny(dice.pick(&[0xd88a1c, 0xd0d2d4, 0xb02028]), 0.4, 0.0);
        // Raised, as it is while a vehicle passes.
        let (reach, lean) = (3.2, dice.range(0.05, 0.2));
        let mut canvas = Canvas::new([0.0, 0.0, 0.1, reach], 60.0, Paint::matt(0xf0f0ee));
        for step in 0..4 {
            canvas.rect([0.0, 0.2 + 0.8 * step as f32, 0.1, 0.6 + 0.8 * step as f32], 0.0, Paint::matt(0xb81c20));
        }
        let mut arm = Mesh::default();
        let (top, foot) = (1.0 + reach, 1.0);
        arm.quad(
            [[x - 0.05 + lean * reach, top, z - 0.2], [x + 0.05 + lean * reach, top, z - 0.2], [x + 0.05, foot, z - 0.2], [x - 0.05, foot, z - 0.2]],
            [0.1, reach],
        );
        self.furniture.push(vec![flat(case, paint), Part { mesh: arm, skin: Skin::Picture(canvas) }]);
    }
}
