//! The road, its marks and its edges, and the sky and skyline behind it, for every pixel that nothing else covers.
//!
//! Caveat: the far background is painted silhouettes by direction; nothing in it moves, and nothing beyond the shoulder stands up.

use super::camera::{Camera, Vec3, dot};
use super::canvas::{length, linear};
use super::dice::Dice;
use super::light::Light;
use super::raster::Layer;
use super::sensor::Picture;
use super::vehicle::Vehicle;

/// Width of a lane in metres (12 feet, the US standard; crossings have some narrower).
pub(crate) const LANE: f32 = 3.6;
/// Beyond this many metres the road is lost in haze.
const FAR: f32 = 220.0;

/// Smooth noise that repeats every [`Noise::SIZE`] cells.
pub(crate) struct Noise(Vec<f32>);

/// The whole number below `v`, and what is left; faster than `floor` where the target has no instruction for it.
fn split(v: f32) -> (i32, f32) {
    let whole = v as i32 - i32::from(v < 0.0);
    (whole, v - whole as f32)
}

impl Noise {
    const SIZE: usize = 256;

    fn new(dice: &mut Dice) -> Noise {
        Noise((0..Self::SIZE * Self::SIZE).map(|_| dice.unit()).collect())
    }

    /// Interpolated, in 0..1.
    pub(crate) fn at(&self, x: f32, y: f32) -> f32 {
        let ((ix, fx), (iy, fy)) = (split(x), split(y));
        let mask = Self::SIZE as i32 - 1;
        let (x0, x1) = ((ix & mask) as usize, ((ix + 1) & mask) as usize);
        let (y0, y1) = ((iy & mask) as usize * Self::SIZE, ((iy + 1) & mask) as usize * Self::SIZE);
        let (sx, sy) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
        let top = self.0[y0 + x0] + (self.0[y0 + x1] - self.0[y0 + x0]) * sx;
        let bottom = self.0[y1 + x0] + (self.0[y1 + x1] - self.0[y1 + x0]) * sx;
        top + (bottom - top) * sy
    }

    /// The cell's own value, in 0..1.
    fn grain(&self, x: f32, y: f32) -> f32 {
        let mask = Self::SIZE as i32 - 1;
        self.0[(split(y).0 & mask) as usize * Self::SIZE + (split(x).0 & mask) as usize]
    }
}

/// A vehicle's footprint, ready for a test per pixel.
struct Footprint {
    middle: [f32; 2],
    /// Sine and cosine of its heading.
    turn: (f32, f32),
    half: f32,
    long: f32,
    /// Colour and strength of the light that it throws before it; 0 for none.
    lamp: Vec3,
}

/// How the road and what is behind it look at this place.
pub(crate) struct Ground {
    pub noise: Noise,
    seed: f32,
    concrete: bool,
    /// Reflectance of the road and of what lies beside it.
    albedo: Vec3,
    shoulder: Vec3,
    /// Half the road's width, metres.
    edge: f32,
    line: Vec3,
    yellow: Vec3,
    dashed: bool,
    /// How much of the marks is gone, 0..1.
    worn: f32,
    /// Where the stop line is, metres down the road.
    stop_line: f32,
    hills: Vec3,
    hill_height: f32,
    houses: bool,
}

impl Ground {
    /// A road of `2 * lanes + 1` lanes around the middle one.
    pub(crate) fn roll(lanes: i32, dice: &mut Dice) -> Ground {
        let concrete = dice.chance(0.5);
        let tone = if concrete { dice.range(0.24, 0.40) } else { dice.range(0.08, 0.18) };
        let warm = dice.range(0.90, 1.0);
        Ground {
            noise: Noise::new(dice),
            seed: dice.range(0.0, 200.0),
            concrete,
            albedo: [tone, tone * (0.5 + 0.5 * warm), tone * warm * 0.98],
            shoulder: linear(dice.pick(&[0x9a8a6c, 0x7f7a66, 0x6f7a4e, 0x8c8478, 0x5f6a48])),
            edge: (lanes as f32 + 0.5) * LANE + dice.range(0.3, 1.6) + if dice.chance(0.3) { LANE } else { 0.0 },
            line: linear(0xe6e4dc),
            yellow: linear(0xdba52c),
            dashed: dice.chance(0.5),
            worn: dice.range(0.15, 0.8),
            stop_line: dice.range(-1.0, 6.0),
            hills: linear(dice.pick(&[0x6a7a5a, 0x8a7a5e, 0x5a6a7a, 0x7a6a58])),
            hill_height: dice.range(0.01, 0.10),
            houses: dice.chance(0.6),
        }
    }

    /// Road and sky. `shadow` says for each pixel which share of the key light a shadow takes there (empty for none); what `layers` will
    /// cover is left black.
    pub(crate) fn paint(&self, camera: &Camera, light: &Light, vehicles: &[Vehicle], shadow: &[f32], layers: &[Layer]) -> Picture {
        let mut picture = Picture::new(camera.width, camera.height);
        let footprints: Vec<Footprint> = vehicles.iter().map(|v| footprint(v, light)).collect();
        let lit = light.on([0.0, 0.0, light.lamp_distance], [0.0, 1.0, 0.0]);
        let key: Vec3 = std::array::from_fn(|c| light.key_colour[c] * light.key[1].max(0.0) * light.shadow);
        let mut covered = vec![false; camera.width];
        for y in 0..camera.height {
            covered.fill(false);
            for layer in layers.iter().filter(|l| (l.y..l.y + l.height).contains(&y)) {
                let row = &layer.pixels[(y - layer.y) * layer.width..][..layer.width];
                covered[layer.x..].iter_mut().zip(row).for_each(|(c, pixel)| *c |= pixel[3] > 0.999);
            }
            for x in 0..camera.width {
                if covered[x] {
                    continue;
                }
                let ray = camera.ray(x as f32 + 0.5, y as f32 + 0.5);
                let pixel = y * camera.width + x;
                let t = if ray[1] < -0.004 { -camera.position[1] / ray[1] } else { FAR };
                picture.pixels[pixel] = if t >= FAR {
                    self.sky(light, ray)
                } else {
                    let point = [camera.position[0] + t * ray[0], camera.position[2] + t * ray[2]];
                    let shade = shadow.get(pixel).copied().unwrap_or(0.0);
                    let ground = self.ground(light, point, t / camera.focal, ray, (lit, key.map(|k| k * shade)), &footprints);
                    let haze = (t / 260.0).powi(2);
                    std::array::from_fn(|c| ground[c] + (light.horizon[c] * 0.8 - ground[c]) * haze)
                };
            }
        }
        picture
    }

    /// The ground at `(x, z)`, whose pixel is `foot` metres wide; `lit` is the open light on it and what a shadow takes from that.
    fn ground(&self, light: &Light, [x, z]: [f32; 2], foot: f32, ray: Vec3, (lit, lost): (Vec3, Vec3), footprints: &[Footprint]) -> Vec3 {
        let fade = |cell: f32| (1.0 - foot / cell * 0.8).clamp(0.0, 1.0);
        let broad = self.noise.at(x * 0.35 + self.seed, z * 0.22) - 0.5;
        let middle = (self.noise.at(x * 2.7, z * 2.1 + self.seed) - 0.5) * fade(0.3);
        let grain = (self.noise.grain(x * 70.0, z * 70.0) - 0.5) * fade(0.02).max(0.14);
        let blotch = if foot < 0.04 { (self.noise.at(x * 13.0 + self.seed, z * 11.0) - 0.5) * fade(0.08) } else { 0.0 };
        let beyond = x.abs() - self.edge - 0.25 * middle;
        let albedo = if beyond > 0.0 {
            let tone = 1.0 + 0.5 * broad + 0.5 * middle + 0.5 * blotch + 0.6 * grain;
            self.shoulder.map(|a| a * tone.max(0.2))
        } else {
            self.road(x, z, foot, [broad, middle, blotch, grain])
        };
        // Vehicles stand in each other's light; lamps light the road before them, headlamps far, tail lamps hardly.
        let mut open = 1.0f32;
        let mut pool = [0.0f32; 3];
        for f in footprints {
            let (dx, dz) = (x - f.middle[0], z - f.middle[1]);
            let (across, along) = (dx * f.turn.1 - dz * f.turn.0, dz * f.turn.1 + dx * f.turn.0);
            let (aside, beyond) = ((across.abs() - f.half + 0.1).max(0.0), (along.abs() - f.long).max(0.0));
            let near = aside * aside + beyond * beyond;
            if near < 2.56 {
                let d = near.sqrt() / 1.6;
                open *= 1.0 - 0.80 * (1.0 - d).powi(3);
            }
            let ahead = -along - f.long;
            if f.lamp[0] > 0.0 && ahead > 0.0 && ahead < 25.0 {
                let side = across / (0.9 + 0.25 * ahead);
                let fall = (ahead / (ahead + 1.5)).powi(2) * 6.0 / (6.0 + ahead * ahead) * (-side * side).exp();
                pool = std::array::from_fn(|c| pool[c] + fall * f.lamp[c]);
            }
        }
        let mut out: Vec3 = std::array::from_fn(|c| albedo[c] * ((lit[c] - lost[c]).max(lit[c] * 0.04) * open + pool[c]));
        if light.wet > 0.0 {
            let slope = -ray[1] / dot(ray, ray).sqrt();
            let fresnel = 0.03 + 0.97 * (1.0 - slope).powi(5);
            let puddle = (0.55 + 1.2 * broad + 0.5 * middle).clamp(0.15, 1.0) * light.wet;
            let mirror = light.mirrored((slope + 0.03 * middle).min(1.0));
            out = std::array::from_fn(|c| out[c] * (1.0 - 0.5 * puddle) + mirror[c] * fresnel * puddle * (0.25 + 0.75 * open));
        }
        out
    }

    /// Reflectance of the road: its stone, tracks, oil, joints or cracks, patches and marks.
    fn road(&self, x: f32, z: f32, foot: f32, [broad, middle, blotch, grain]: [f32; 4]) -> Vec3 {
        let mut tone = 1.0 + 0.30 * broad + 0.22 * middle + 0.18 * blotch + if self.concrete { 0.30 } else { 0.60 } * grain;
        // Tyres polish two tracks, oil drips between them.
        let number = split(x / LANE + 0.5).0;
        let lane = (number as f32 * LANE - x).abs();
        let bump = |at: f32, wide: f32| (1.0 - ((lane - at) / wide).abs()).max(0.0);
        tone *= 1.0 - 0.25 * bump(0.8, 0.45) * (0.6 + broad) - bump(0.0, 0.4) * (0.15 + 0.5 * middle.abs() + 0.5 * broad + 0.5 * blotch.abs()).clamp(0.0, 0.6);
        let cover = |distance: f32, half: f32| ((half - distance) / foot.max(0.003) + 0.5).clamp(0.0, 1.0);
        if self.concrete {
            let (slab, within) = split(z / 4.5);
            tone *= 0.92 + 0.16 * self.noise.grain(slab as f32 * 3.0 + self.seed, number as f32 * 5.0);
            tone *= 1.0 - 0.55 * cover((within * 4.5 - 0.1).abs(), 0.012);
        } else {
            // A wandering crack, sealed in places, and now and then a darker patch.
            let crack = (x - 0.9 - 0.5 * (self.noise.at(z * 0.8, self.seed) - 0.5) - 0.12 * (self.noise.at(z * 6.0, self.seed) - 0.5)).abs();
            tone *= 1.0 - 0.5 * cover(crack, 0.006 + 0.012 * (broad + 0.3).max(0.0));
            if self.noise.grain(z * 0.16 + self.seed, number as f32 * 7.0 + 3.0) > 0.8 && lane < 1.2 {
                tone *= 0.72;
            }
        }
        let albedo = self.albedo.map(|a| a * tone.max(0.25));
        // Marks between lanes and across them.
        let side = split(x / LANE).0;
        let off = (x - (side as f32 + 0.5) * LANE).abs();
        let mut mark = cover(off, 0.06);
        if self.dashed && split(z / 9.0).1 > 0.35 {
            mark = 0.0;
        }
        let across = if lane < LANE / 2.0 - 0.25 { cover((z - self.stop_line).abs(), 0.22) } else { 0.0 };
        let kept = (1.0 - self.worn * (0.5 + 1.6 * middle + 1.2 * broad + 1.2 * blotch + 0.8 * grain)).clamp(0.08, 1.0);
        let colour = if side % 2 == 0 && across <= 0.0 { self.yellow } else { self.line };
        let share = mark.max(across) * kept;
        std::array::from_fn(|c| albedo[c] + (colour[c] * 0.9 - albedo[c]) * share)
    }

    /// Sky, hills, houses and trees in the direction `ray`, nearest first.
    fn sky(&self, light: &Light, ray: Vec3) -> Vec3 {
        let (elevation, azimuth) = (ray[1] / length(ray[0], ray[2]).max(1e-6), ray[0] / ray[2].abs().max(1e-3));
        let mix = |a: Vec3, b: Vec3, t: f32| -> Vec3 { std::array::from_fn(|c| a[c] + (b[c] - a[c]) * t) };
        let ambient: Vec3 = std::array::from_fn(|c| light.sky[c] + 0.35 * light.key_colour[c]);
        if elevation < 0.06 {
            let crowns = 0.030 * self.noise.at(azimuth * 14.0 + self.seed, 7.5)
                + 0.014 * self.noise.at(azimuth * 47.0, 2.5)
                + 0.008 * self.noise.at(azimuth * 160.0, 5.5);
            if elevation < (crowns - 0.016).max(0.0) {
                let leaves = 0.35 + 0.7 * self.noise.at(azimuth * 170.0, elevation * 300.0) + 0.5 * self.noise.at(azimuth * 40.0, elevation * 70.0);
                let own = std::array::from_fn(|c| [0.050, 0.065, 0.038][c] * ambient[c] * leaves);
                return mix(own, light.horizon, 0.10);
            }
        }
        if self.houses && elevation < 0.12 {
            let (cell, inside) = split(azimuth * 9.0 + self.seed);
            let pick = |k: f32| self.noise.grain(cell as f32 * 7.0 + k, 31.0);
            let tall = if pick(1.0) > 0.35 { 0.02 + 0.07 * pick(2.0) } else { 0.0 };
            if elevation < tall {
                let tone = 0.18 + 0.45 * pick(3.0);
                let own: Vec3 = std::array::from_fn(|c| tone * ambient[c] * (1.0 - 0.12 * c as f32 * pick(4.0)));
                let ((column, wx), (floor, wy)) = (split(inside * (9.0 + 6.0 * pick(5.0))), split(elevation * 130.0));
                let mut colour = own;
                if (0.25..0.7).contains(&wx) && (0.3..0.75).contains(&wy) {
                    let shine = self.noise.grain((cell * 13 + column) as f32, floor as f32 + 0.5);
                    let lamp = light.lamps > 0.7 && shine > 0.78 && !light.mono;
                    colour = if lamp { [0.40, 0.30, 0.16].map(|v| v * (0.3 + 3.0 * (shine - 0.78))) } else { own.map(|c| c * (0.3 + 0.4 * shine)) };
                }
                return mix(colour, light.horizon, 0.30);
            }
        }
        if elevation < self.hill_height * 1.6 + 0.01 {
            let hill = self.hill_height * (0.4 + 1.0 * self.noise.at(azimuth * 2.2 + self.seed, 3.5) + 0.2 * self.noise.at(azimuth * 9.0, 4.5))
                + 0.005 * self.noise.at(azimuth * 40.0, 9.5);
            if elevation < hill {
                let texture = 0.75 + 0.35 * self.noise.at(azimuth * 60.0, elevation * 200.0) + 0.2 * self.noise.at(azimuth * 15.0, elevation * 60.0);
                let own = std::array::from_fn(|c| self.hills[c] * ambient[c] * texture * 0.8);
                return mix(own, light.horizon, 0.45);
            }
        }
        let colour = mix(light.horizon, light.zenith, (elevation * 1.8).clamp(0.0, 1.0).sqrt());
        let cloud = self.noise.at(azimuth * 3.0 + self.seed, elevation * 14.0) * 0.6 + self.noise.at(azimuth * 9.0, elevation * 40.0 + self.seed) * 0.4;
        mix(colour, light.horizon.map(|c| c * 1.15), ((cloud - 0.45) * 1.6).clamp(0.0, 0.8))
    }
}

fn footprint(vehicle: &Vehicle, light: &Light) -> Footprint {
    let ([cx, _, cz], half, long, yaw) = vehicle.footprint;
    let strength = if light.lamps > 0.3 && !vehicle.lamps.is_empty() { light.lamps * if vehicle.rear { 0.10 } else { 0.8 } } else { 0.0 };
    let colour = if vehicle.rear { super::face::RED } else { super::face::WHITE };
    Footprint { middle: [cx, cz], turn: yaw.sin_cos(), half, long, lamp: colour.map(|c| c * strength) }
}
