//! The crossing's furniture: islands with kerbs, bollards, booths, signs and barriers, a canopy, a wall.
//!
//! Each is an object of its own: one that would hide a plate is left out of the picture as a whole.

use super::camera::Camera;
use super::canvas::{Canvas, Paint};
use super::dice::Dice;
use super::ground::{Ground, LANE};
use super::light::Light;
use super::raster::Mesh;
use super::sensor::Picture;
use super::strokes;
use super::vehicle::{Part, Skin, Vehicle};

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

    /// The empty picture: ground and sky, with what the vehicles' shadows and lamps do to them.
    pub(crate) fn paint(&self, camera: &Camera, light: &Light, vehicles: &[Vehicle], shadow: &[f32]) -> Picture {
        self.ground.paint(camera, light, vehicles, shadow)
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
        self.furniture.push(Part { mesh: arm, skin: Skin::Picture(canvas) });
    }

    /// Paints the road and the sky. `shade_at` answers the key light's share that a pixel loses to a vehicle's shadow.
    pub(crate) fn paint(&self, camera: &Camera, light: &Light, vehicles: &[Vehicle], shadow: &[f32]) -> Picture {
        let mut picture = Picture::new(camera.width, camera.height);
        let lit = light.on([0.0, 0.0, light.lamp_distance], [0.0, 1.0, 0.0]);
        let key: Vec3 = std::array::from_fn(|c| light.key_colour[c] * light.key[1].max(0.0) * light.shadow);
        for y in 0..camera.height {
            for x in 0..camera.width {
                let ray = camera.ray(x as f32 + 0.5, y as f32 + 0.5);
                let pixel = y * camera.width + x;
                let sky = || self.sky(light, ray);
                picture.pixels[pixel] = if ray[1] >= -0.004 {
                    sky()
                } else {
                    let t = -camera.position[1] / ray[1];
                    let point = [camera.position[0] + t * ray[0], camera.position[2] + t * ray[2]];
                    if t > 220.0 {
                        sky()
                    } else {
                        let ground = self.ground(light, point, t / camera.focal, ray, lit, key, shadow.get(pixel).copied().unwrap_or(0.0), vehicles);
                        let haze = (t / 260.0).min(1.0);
                        let far = light.horizon;
                        std::array::from_fn(|c| ground[c] + (far[c] * 0.8 - ground[c]) * haze * haze)
                    }
                };
            }
        }
        picture
    }

    #[allow(clippy::too_many_arguments)]
    fn ground(&self, light: &Light, [x, z]: [f32; 2], foot: f32, ray: Vec3, lit: Vec3, key: Vec3, shadow: f32, vehicles: &[Vehicle]) -> Vec3 {
        let fade = |cell: f32| (1.0 - foot / cell * 0.8).clamp(0.0, 1.0);
        let broad = self.noise.at(x * 0.35 + self.seed, z * 0.22) - 0.5;
        let middle = (self.noise.at(x * 2.7, z * 2.1 + self.seed) - 0.5) * fade(0.3);
        let grain = (self.noise.grain(x * 70.0, z * 70.0) - 0.5) * fade(0.02).max(0.12);
        let mut tone = 1.0 + 0.30 * broad + 0.22 * middle + if self.concrete { 0.22 } else { 0.45 } * grain;
        // Tyres polish two tracks, oil drips between them.
        let lane = ((x / LANE).round() * LANE - x).abs();
        let bump = |at: f32, wide: f32| (1.0 - ((lane - at) / wide).abs()).max(0.0);
        tone *= 1.0 - 0.22 * bump(0.8, 0.45) * (0.6 + broad) - 0.35 * bump(0.0, 0.35) * (0.4 + 0.9 * middle.abs() + 0.6 * broad).max(0.0);
        if self.concrete {
            let joint = (z / 4.5).fract().abs() * 4.5;
            tone *= 1.0 - 0.55 * ((0.02 - (joint - 0.1).abs()) / foot.max(0.004) + 0.5).clamp(0.0, 1.0);
        } else {
            // A wandering crack.
            let crack = (x - 0.9 - 0.5 * (self.noise.at(z * 0.8, self.seed) - 0.5) - 0.12 * (self.noise.at(z * 6.0, self.seed) - 0.5)).abs();
            tone *= 1.0 - 0.5 * ((0.008 - crack) / foot.max(0.004) + 0.5).clamp(0.0, 1.0);
        }
        let mut albedo = self.albedo.map(|a| a * tone.max(0.25));
        // Marks.
        let number = ((x - self.mark_offset) / LANE).round();
        let off = (x - self.mark_offset - number * LANE).abs();
        let mut cover = ((0.065 - off) / foot.max(0.002) + 0.5).clamp(0.0, 1.0);
        if self.dashed && (z / 9.0).rem_euclid(1.0) > 0.35 {
            cover = 0.0;
        }
        let across = ((0.25 - (z - self.stop_line).abs()) / foot.max(0.004) / 3.0 + 0.5).clamp(0.0, 1.0);
        let cover = cover.max(if lane < LANE / 2.0 - 0.25 { across } else { 0.0 });
        let wear = (1.0 - self.worn * (0.5 + 1.6 * middle + 1.2 * broad + 0.5 * grain)).clamp(0.1, 1.0);
        let mark = if number as i32 % 2 == 0 && across <= 0.0 { self.yellow } else { self.line };
        albedo = std::array::from_fn(|c| albedo[c] + (mark[c] * 0.9 - albedo[c]) * cover * wear);
        // Vehicles stand in each other's light.
        let mut open = 1.0f32;
        let mut pool = [0.0f32; 3];
        for vehicle in vehicles {
            let ([cx, _, cz], half, long, yaw) = vehicle.footprint;
            let local = super::raster::turned([x - cx, 0.0, z - cz], -yaw);
            let d = (local[0].abs() - half + 0.1).max(0.0).hypot((local[2].abs() - long).max(0.0));
            if d < 1.6 {
                open *= 1.0 - 0.80 * (1.0 - d / 1.6).powi(3);
            }
            // Lamps light the road before them; headlamps far, tail lamps hardly.
            let ahead = -local[2] - long;
            if ahead > 0.0 && ahead < 25.0 && light.lamps > 0.3 && !vehicle.lamps.is_empty() {
                let side = (local[0] / (0.9 + 0.25 * ahead)).powi(2);
                let near = (ahead / (ahead + 1.5)).powi(2) * 6.0 / (6.0 + ahead * ahead);
                let strength = light.lamps * near * (-side).exp() * if vehicle.rear { 0.10 } else { 0.8 };
                let colour = if vehicle.rear { super::face::RED } else { super::face::WHITE };
                pool = std::array::from_fn(|c| pool[c] + strength * colour[c]);
            }
        }
        let mut out: Vec3 = std::array::from_fn(|c| albedo[c] * ((lit[c] * open - key[c] * shadow).max(lit[c] * 0.04) + pool[c]));
        if light.wet > 0.0 {
            let slope = -ray[1] / dot(ray, ray).sqrt();
            let fresnel = 0.03 + 0.97 * (1.0 - slope).powi(5);
            let puddle = (0.55 + 1.2 * broad + 0.5 * middle).clamp(0.15, 1.0) * light.wet;
            let mirror = light.mirrored((slope + 0.03 * middle).min(1.0));
            out = std::array::from_fn(|c| out[c] * (1.0 - 0.5 * puddle) + mirror[c] * fresnel * puddle * (0.25 + 0.75 * open));
        }
        out
    }

    fn sky(&self, light: &Light, ray: Vec3) -> Vec3 {
        let flat = ray[0].hypot(ray[2]).max(1e-6);
        let (elevation, azimuth) = (ray[1] / flat, ray[0] / ray[2].abs().max(1e-3));
        let mix = |a: Vec3, b: Vec3, t: f32| -> Vec3 { std::array::from_fn(|c| a[c] + (b[c] - a[c]) * t) };
        let cloud = self.noise.at(azimuth * 3.0 + self.seed, elevation * 14.0) * 0.6 + self.noise.at(azimuth * 9.0, elevation * 40.0 + self.seed) * 0.4;
        let mut colour = mix(light.horizon, light.zenith, (elevation * 1.8).clamp(0.0, 1.0).powf(0.7));
        colour = mix(colour, light.horizon.map(|c| c * 1.15), ((cloud - 0.45) * 1.6).clamp(0.0, 0.8));
        let ambient: Vec3 = std::array::from_fn(|c| light.sky[c] + 0.35 * light.key_colour[c]);
        let hill = self.hill_height * (0.4 + 1.2 * self.noise.at(azimuth * 2.2 + self.seed, 3.5)) + 0.006 * self.noise.at(azimuth * 40.0, 9.5);
        if elevation < hill {
            let texture = 0.7 + 0.6 * self.noise.at(azimuth * 60.0, elevation * 200.0);
            let own: Vec3 = std::array::from_fn(|c| self.hills[c] * ambient[c] * texture * 0.8);
            colour = mix(own, light.horizon, 0.42);
        }
        if self.houses {
            let cell = (azimuth * 9.0 + self.seed).floor();
            let pick = |k: f32| self.noise.grain(cell * 7.0 + k, 31.0);
            let tall = if pick(1.0) > 0.35 { 0.02 + 0.10 * pick(2.0) } else { 0.0 };
            if elevation < tall {
                let inside = (azimuth * 9.0 + self.seed).fract();
                let tone = 0.18 + 0.45 * pick(3.0);
                let mut own: Vec3 = std::array::from_fn(|c| tone * ambient[c] * (1.0 - 0.12 * c as f32 * pick(4.0)));
                let (wx, wy) = ((inside * 7.0).fract(), (elevation * 90.0).fract());
                if (0.25..0.7).contains(&wx) && (0.3..0.75).contains(&wy) {
                    let lamp = light.lamps > 0.7 && self.noise.grain(cell * 13.0 + (inside * 7.0).floor(), (elevation * 90.0).floor()) > 0.72 && !light.mono;
                    own = if lamp { [0.55, 0.42, 0.22] } else { own.map(|c| c * 0.4) };
                }
                colour = mix(own, light.horizon, 0.15);
            }
        }
        let tree = (0.035 * self.noise.at(azimuth * 14.0 + self.seed, 7.5) + 0.02 * self.noise.at(azimuth * 55.0, 2.5) - 0.012).max(0.0);
        if elevation < tree {
            let texture = 0.5 + self.noise.at(azimuth * 130.0, elevation * 300.0);
            colour = std::array::from_fn(|c| [0.05, 0.07, 0.035][c] * ambient[c] * texture * 1.3 + light.horizon[c] * 0.05);
        }
        colour
        arm.quad([[x - 0.05 + lean * reach, top, z - 0.2], [x + 0.05 + lean * reach, top, z - 0.2], [x + 0.05, foot, z - 0.2], [x - 0.05, foot, z - 0.2]], [0.1, reach]);
        self.furniture.push(vec![flat(case, paint), Part { mesh: arm, skin: Skin::Picture(canvas) }]);
    }
}
