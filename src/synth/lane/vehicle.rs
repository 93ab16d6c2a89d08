//! A vehicle in the scene: its painted meshes, where its plate hangs and where its lamps shine.

use super::body::{self, Kind, Loft};
use super::camera::{Vec3, add};
use super::canvas::{Canvas, Paint};
use super::dice::Dice;
use super::face;
use super::plate::{Mount, PlateDesign};
use super::raster::{Mesh, turned};

/// What a mesh is painted with.
pub(crate) enum Skin {
    /// One paint.
    Flat(Paint),
    /// A picture in the mesh's own `st` metres.
    Picture(Canvas),
}

/// A mesh and its skin, in world coordinates.
pub(crate) struct Part {
    pub mesh: Mesh,
    pub skin: Skin,
}

/// Everything about a vehicle that does not change from frame to frame.
#[derive(Clone)]
pub(crate) struct Model {
    pub kind: Kind,
    /// The camera sees its rear, not its front.
    pub rear: bool,
    pub plate: Option<PlateDesign>,
    pub lights_on: bool,
    /// Seeds its looks.
    pub looks: u64,
}

/// A vehicle where it stands in one frame.
pub(crate) struct Vehicle {
    pub parts: Vec<Part>,
    pub plate: Option<PlateDesign>,
    /// The plate's corners in the world: left top, right top, right bottom, left bottom as read.
    pub corners: [Vec3; 4],
    /// Lamps that shine towards the camera: place and colour.
    pub lamps: Vec<(Vec3, Vec3)>,
    /// Middle of its footprint, half width, half length, and heading in radians.
    pub footprint: (Vec3, f32, f32, f32),
    pub rear: bool,
}

/// Body colours as often as they are seen: mostly white, grey, black and silver (a guess after public paint statistics).
const COLOURS: &[(u32, f32)] = &[
    (0xe9eaec, 0.0),
    (0xe9eaec, 0.0),
    (0xdfe1e2, 0.0),
    (0x17181a, 0.0),
    (0x1d1f22, 0.05),
    (0x131416, 0.0),
    (0x6e7276, 0.15),
    (0x4c5054, 0.12),
    (0xa9adb1, 0.2),
    (0xb4b8bc, 0.22),
    (0x8b1a1f, 0.03),
    (0xa32126, 0.0),
    (0x1d3a6b, 0.05),
    (0x2a4f86, 0.08),
    (0x3f5a4a, 0.05),
    (0xb7a988, 0.1),
    (0x6a4a30, 0.05),
    (0xc9752a, 0.0),
    (0x7f93a6, 0.15),
];

impl Model {
    /// A vehicle of a kind as often as lanes have it (guesses), front or rear.
    pub(crate) fn roll(rear: bool, plated: bool, dice: &mut Dice) -> Model {
        use Kind::{BoxTruck, Bus, Motorcycle, Pickup, Sedan, Suv, Tractor, Van};
        let kinds: &[Kind] = if rear {
            &[Sedan, Sedan, Sedan, Suv, Suv, Suv, Pickup, Pickup, Pickup, Van, BoxTruck, Bus, Motorcycle, Motorcycle]
        } else {
            &[Sedan, Sedan, Sedan, Suv, Suv, Suv, Pickup, Pickup, Van, Bus, Tractor, Tractor]
        };
        let kind = dice.pick(kinds);
        let mount = match kind {
            Kind::Motorcycle => Mount::Motorcycle,
            Kind::Pickup | Kind::BoxTruck | Kind::Tractor | Kind::Bus => Mount::Truck,
            _ => Mount::Car,
        };
        Model { kind, rear, plate: plated.then(|| PlateDesign::roll(mount, dice)), lights_on: dice.chance(0.9), looks: dice.word() }
    }

    /// The vehicle with the middle of its seen end at `place` on the road, heading `yaw`, painted at `scale` texels per metre.
    pub(crate) fn stand(&self, place: Vec3, yaw: f32, scale: f32) -> Vehicle {
        let mut dice = Dice::new(self.looks, 1);
        let shape = body::shape(self.kind);
        let (near, far) = if self.rear { (shape.rear, shape.front) } else { (shape.front, shape.rear) };
        let (colour, metal) = dice.pick(COLOURS);
        let colour = if matches!(self.kind, Kind::BoxTruck | Kind::Van) && dice.chance(0.7) { 0xe6e7e8 } else { colour };
        let paint = Paint::shiny(colour, 0.9, metal);
        let mut parts: Vec<Part> = Vec::new();
        let mut flat = |mesh: Mesh, paint: Paint| parts.push(Part { mesh, skin: Skin::Flat(paint) });
        let tyre = Paint::shiny(0x121213, 0.08, 0.0);
        let (pitch, roll) = (dice.range(-0.12, 0.08), dice.range(-0.012, 0.012));
        let mut face = face::paint(self.kind, self.rear, paint, scale.min(420.0), &mut dice);
        if self.kind == Kind::Motorcycle {
            motorcycle(&mut flat, paint, &mut dice);
            face.plate = [0.0, 0.66];
            face.lamps.push((0.0, 0.80, face::RED));
        } else {
            let Loft { face: end, sides } = body::loft(near, shape.half_width, far, shape.length, shape.bulge);
            let wide = body::at(shape.half_width, 0.5);
            under(&mut flat, self, &shape, wide, (tyre, paint));
            let end_skin = Skin::Picture(face.canvas);
            let side_skin = Skin::Picture(side(&shape, self, paint, (scale / 3.0).clamp(15.0, 90.0)));
            parts.push(Part { mesh: sides, skin: side_skin });
            parts.push(Part { mesh: end, skin: end_skin });
        }
        let corners = self.plate.as_ref().map_or([[0.0; 3]; 4], |plate| {
            let (w, h) = plate.size();
            let [x, y] = face.plate;
            let surface = |y: f32| body::at(near, y);
            let z = match self.kind {
                Kind::Motorcycle => -0.02,
                Kind::BoxTruck if self.rear => -0.05,
                _ => surface(y).min(surface(y + h / 2.0)).min(surface(y - h / 2.0)) - 0.015,
            };
            [[-1.0, 1.0], [1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]].map(|[sx, sy]: [f32; 2]| {
                let (dx, dy) = (sx * w / 2.0, sy * h / 2.0);
                [x + dx - roll * dy, y + dy * pitch.cos() + roll * dx, z - dy * pitch.sin()]
            })
        });
        let world = |p: Vec3| add(turned(p, yaw), place);
        let lamps = if self.lights_on || self.rear {
            face.lamps.iter().map(|&(x, y, colour)| (world([x, y, body::at(near, y) - 0.05]), colour)).collect()
        } else {
            Vec::new()
        };
        let half = body::at(shape.half_width, 0.6);
        Vehicle {
            parts: parts.into_iter().map(|part| Part { mesh: part.mesh.placed(yaw, place), skin: part.skin }).collect(),
            plate: self.plate.clone(),
            corners: corners.map(world),
            lamps,
            footprint: (world([0.0, 0.0, shape.length / 2.0 + 0.1]), half, shape.length / 2.0 - 0.1, yaw),
            rear: self.rear,
        }
    }
}

/// Wheels, the dark underneath, mirrors, and what a truck has behind and below.
fn under(flat: &mut impl FnMut(Mesh, Paint), model: &Model, shape: &body::Shape, wide: f32, (tyre, body): (Paint, Paint)) {
    let (rear_axle, front_axle, radius) = shape.wheels;
    let (near_axle, far_axle) = if model.rear { (rear_axle, shape.length - front_axle) } else { (front_axle, shape.length - rear_axle) };
    let mut wheels = Mesh::default();
    let thick = if matches!(model.kind, Kind::BoxTruck | Kind::Bus) && model.rear { 0.5 } else { 0.22 };
    for z in [near_axle, far_axle] {
        for side in [-1.0, 1.0] {
            let (a, b) = if side < 0.0 { (-wide + 0.02, -wide + 0.02 + thick) } else { (wide - 0.02 - thick, wide - 0.02) };
            wheels.grid(2, 13, |c, r| {
                let angle = std::f32::consts::PI * (0.02 + 0.96 * r as f32 / 12.0);
                ([if c == 0 { a } else { b }, radius + radius * angle.cos(), z - radius * angle.sin()], [0.0, 0.0])
            });
        }
    }
    flat(wheels, tyre);
    let mut dark = Mesh::default();
    let low = radius * 0.55;
    dark.cuboid([-wide * 0.72, low, 0.35], [wide * 0.72, radius * 1.6, shape.length - 0.4]);
    flat(dark, Paint::matt(0x0a0a0a));
    let plastic = Paint::shiny(0x1b1c1e, 0.4, 0.0);
    if !matches!(model.kind, Kind::BoxTruck) {
        let sill = shape.windows.0;
        let z = if model.rear { shape.length - 1.75 } else { 1.35 };
        let z = if matches!(model.kind, Kind::Bus) && !model.rear { -0.1 } else { z };
        let small = matches!(model.kind, Kind::Sedan | Kind::Suv);
        let (w, h) = if small { (0.095, 0.14) } else { (0.10, 0.28) };
        let paint = if small && model.looks % 3 > 0 { body } else { plastic };
        for side in [-1.0, 1.0] {
            let x = side * (body::at(shape.half_width, sill) + w * 0.75);
            let profile = [(sill + h, 0.10), (sill + h * 0.93, 0.03), (sill + h * 0.5, 0.0), (sill + h * 0.08, 0.03), (sill, 0.10)];
            let Loft { face, sides } = body::loft(&profile, &[(sill + h, w * 0.8), (sill + h * 0.6, w), (sill, w * 0.6)], &[(9.0, 0.0)], 0.18, 0.06);
            for mesh in [face, sides] {
                flat(mesh.placed(0.0, [x, 0.0, z]), paint);
            }
        }
    }
    if model.kind == Kind::BoxTruck && model.rear {
        let mut frame = Mesh::default();
        frame.cuboid([-1.15, 0.58, 0.0], [1.15, 0.74, 0.12]);
        frame.cuboid([-0.45, 0.7, 0.4], [-0.35, 1.1, 6.0]);
        frame.cuboid([0.35, 0.7, 0.4], [0.45, 1.1, 6.0]);
        frame.cuboid([-0.63, 0.62, -0.03], [-0.27, 0.82, 0.0]);
        flat(frame, Paint::shiny(0x232527, 0.3, 0.0));
        let mut lamps = Mesh::default();
        for side in [-1.0, 1.0] {
            lamps.cuboid([side * 0.95 - 0.14, 0.79, -0.03], [side * 0.95 + 0.14, 0.90, 0.02]);
        }
        flat(lamps, Paint::shiny(0x8a1010, 0.9, 0.0).lit([0.75, 0.02, 0.01]));
        let mut flaps = Mesh::default();
        for side in [-1.0, 1.0] {
            flaps.cuboid([side * 0.85 - 0.28, 0.25, 0.95], [side * 0.85 + 0.28, 0.95, 0.97]);
        }
        flat(flaps, Paint::matt(0x0d0d0d));
    }
    if model.kind == Kind::Tractor {
        let mut trailer = Mesh::default();
        trailer.cuboid([-1.28, 1.1, 3.6], [1.28, 4.0, 16.0]);
        flat(trailer, Paint::shiny(0xd8d9da, 0.4, 0.05));
        let mut stacks = Mesh::default();
        stacks.tube(-1.2, 3.3, 0.09, 0.8, 3.6);
        stacks.tube(1.2, 3.3, 0.09, 0.8, 3.6);
        flat(stacks, Paint::shiny(0xc4c8cc, 1.0, 0.85));
    }
}

/// A motorcycle with its rider, from behind: tyre, tail, bags, legs, back and helmet.
fn motorcycle(flat: &mut impl FnMut(Mesh, Paint), paint: Paint, dice: &mut Dice) {
    let round = |middle: f32, radius: f32, z: f32| -> Vec<(f32, f32)> {
        (0..=12)
            .map(|step| {
                let angle = std::f32::consts::PI * step as f32 / 12.0;
                (middle + radius * angle.cos(), z + radius - radius * angle.sin() * 0.98)
            })
            .collect()
    };
    let mut lofted = |profile: &[(f32, f32)], half: &[(f32, f32)], length: f32, bulge: f32, x: f32, paint: Paint| {
        let Loft { face, sides } = body::loft(profile, half, &[(9.0, 0.0)], length, bulge);
        for mesh in [face, sides] {
            flat(mesh.placed(0.0, [x, 0.0, 0.0]), paint);
        }
    };
    let dark = Paint::shiny(0x161617, 0.3, 0.0);
    lofted(&round(0.31, 0.31, 0.12), &[(0.62, 0.06), (0.31, 0.085), (0.0, 0.05)], 0.7, 0.06, 0.0, Paint::shiny(0x101011, 0.1, 0.0));
    lofted(&[(0.78, 0.0), (0.70, -0.01), (0.56, 0.0)], &[(0.78, 0.13), (0.56, 0.09)], 0.5, 0.03, 0.0, dark);
    lofted(&[(0.98, 0.55), (0.96, 0.12), (0.84, 0.05), (0.74, 0.10)], &[(0.98, 0.10), (0.9, 0.17), (0.74, 0.12)], 1.4, 0.10, 0.0, paint);
    lofted(&[(0.84, 0.03), (0.77, 0.03)], &[(0.84, 0.09), (0.77, 0.08)], 0.2, 0.02, 0.0, Paint::shiny(0x9a1012, 0.9, 0.0).lit([0.8, 0.03, 0.02]));
    if dice.chance(0.5) {
        for side in [-1.0, 1.0] {
            lofted(&[(0.92, 0.22), (0.90, 0.18), (0.56, 0.16), (0.52, 0.22)], &[(0.92, 0.10), (0.75, 0.13), (0.52, 0.10)], 0.75, 0.05, side * 0.33, dark);
        }
    }
    let trousers = Paint::matt(dice.pick(&[0x22283a, 0x2c2c2e, 0x3a3a34]));
    for side in [-1.0, 1.0] {
        lofted(&[(0.98, 0.62), (0.80, 0.55), (0.35, 0.62), (0.22, 0.60)], &[(0.98, 0.10), (0.6, 0.085), (0.22, 0.06)], 1.0, 0.06, side * 0.26, trousers);
        lofted(&[(1.42, 0.75), (1.2, 0.80), (1.05, 1.0)], &[(1.42, 0.07), (1.2, 0.06), (1.05, 0.05)], 1.3, 0.04, side * 0.30, Paint::matt(0x26282c));
        lofted(&[(1.20, 1.30), (1.12, 1.30)], &[(1.20, 0.06), (1.12, 0.06)], 1.4, 0.02, side * 0.42, dark);
    }
    let jacket = Paint::shiny(dice.pick(&[0x1a1a1c, 0x3a1c1c, 0x24303e, 0x4a4a44, 0x8a6a2a]), 0.15, 0.0);
    lofted(&[(1.52, 0.72), (1.46, 0.62), (1.2, 0.55), (0.95, 0.55)], &[(1.52, 0.10), (1.45, 0.22), (1.2, 0.24), (0.95, 0.20)], 0.95, 0.12, 0.0, jacket);
    let helmet = Paint::shiny(dice.pick(&[0x1a1a1c, 0xe8e8e8, 0xa02020, 0x2a4a8a]), 0.9, 0.0);
    lofted(&round(1.66, 0.145, 0.60), &[(1.805, 0.03), (1.77, 0.09), (1.70, 0.135), (1.62, 0.14), (1.55, 0.11), (1.515, 0.08)], 0.9, 0.08, 0.0, helmet);
}

/// A body's side: windows, seams, wheel arches and wheels, as seen at a slant.
fn side(shape: &body::Shape, model: &Model, paint: Paint, scale: f32) -> Canvas {
    let top = shape.half_width.first().map_or(2.0, |p| p.0) + 0.1;
    let mut canvas = Canvas::new([0.0, -top, shape.length, 0.0], scale, paint);
    let (low, high) = shape.windows;
    let ends = if model.rear { (shape.rear, shape.front) } else { (shape.front, shape.rear) };
    let (start, end) = (body::at(ends.0, high) + 0.15, shape.length - body::at(ends.1, high) - 0.15);
    if high < top && end > start {
        let (a, b) = (body::at(ends.0, low) + 0.25, shape.length - body::at(ends.1, low) - 0.2);
        canvas.polygon(&[[a, -low], [b, -low], [end, -high], [start, -high]], Paint::shiny(0x14181a, 1.0, 0.0));
        let pillars = if matches!(model.kind, Kind::Bus) { 7 } else { 2 };
        for pillar in 1..=pillars {
            let z = a + (b - a) * pillar as f32 / (pillars + 1) as f32;
            canvas.rect([z - 0.04, -high, z + 0.04, -low], 0.0, Paint::shiny(0x151617, 0.5, 0.0));
        }
    }
    for share in [0.36, 0.60] {
        let z = shape.length * share;
        canvas.rect([z - 0.006, -low, z + 0.006, -0.35], 0.0, Paint::matt(0x0c0c0d));
    }
    canvas.rect([0.0, -0.36, shape.length, 0.0], 0.0, Paint::shiny(0x141415, 0.2, 0.0));
    let (rear_axle, front_axle, radius) = shape.wheels;
    let (near_axle, far_axle) = if model.rear { (rear_axle, shape.length - front_axle) } else { (front_axle, shape.length - rear_axle) };
    for z in [near_axle, far_axle] {
        canvas.ellipse(z, -radius, radius * 1.18, radius * 1.18, Paint::matt(0x070707));
        canvas.ellipse(z, -radius, radius * 0.98, radius * 0.98, Paint::shiny(0x131314, 0.1, 0.0));
        canvas.ellipse(z, -radius, radius * 0.62, radius * 0.62, Paint::shiny(0x8c9094, 0.7, 0.4));
        canvas.ellipse(z, -radius, radius * 0.18, radius * 0.18, Paint::matt(0x1a1a1a));
    }
    canvas
}
