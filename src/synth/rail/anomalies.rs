//! What does not belong in a car, drawn apart from it: extra (or missing) g/cm², and the pixels that it covers.
//!
//! These are test classes. The network in `models/train/rail.py` is trained with generic shapes thinned into counts and never sees them.
//! Each is drawn into a canvas of its own, so that the same car can be had with it, without it, and with its density scaled to nothing.

use serde::Serialize;

use super::attenuation::Stuff;
use super::cars::{Car, Form, Kind, Space, pair, steel};
use super::dice::Dice;
use super::geometry::{Canvas, Section};
use super::loads::{Cargo, Item};

/// The kinds of anomaly, named as in the truth files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Anomaly {
    /// A second end wall with goods behind it.
    FalseWall,
    /// A raised floor with goods under it.
    FalseFloor,
    /// A lowered ceiling with goods over it.
    FalseRoof,
    /// A heavy block among the goods.
    DenseBlock,
    /// A hollow in the goods with packages in it.
    VoidBulk,
    /// Packages in an empty car.
    PkgEmpty,
    /// Packages in place of part of the goods.
    PkgLoaded,
    /// One to three people.
    Person,
    /// A container of lead.
    LeadPig,
    /// A box under the floor.
    Undercarriage,
}

impl Anomaly {
    /// The anomalies that this car can have.
    #[must_use]
    pub fn possible(car: &Car, cargo: &Cargo) -> Vec<Anomaly> {
        use Anomaly::{DenseBlock, FalseFloor, FalseRoof, FalseWall, LeadPig, Person, PkgEmpty, PkgLoaded, Undercarriage, VoidBulk};
        if car.kind == Kind::Locomotive {
            return vec![Undercarriage];
        }
        if cargo.empty {
            let mut all = vec![PkgEmpty, PkgEmpty, LeadPig, Undercarriage];
            match cargo.rooms.first().map(|r| r.form) {
                Some(Form::Room | Form::Container) => all.extend([FalseWall, FalseWall, FalseFloor, FalseRoof, Person, Person]),
                Some(Form::Cylinder) => all.extend([FalseWall, Person]),
                Some(Form::Bay { .. }) => all.extend([Person, FalseWall]),
                _ => all.push(Person),
            }
            all
        } else {
            let mut all = vec![PkgLoaded, PkgLoaded, DenseBlock, LeadPig, Undercarriage];
            if cargo.items.iter().any(|i| i.stuff.density_g_cm3 > 0.05) {
                all.push(VoidBulk);
            }
            if matches!(car.kind, Kind::Boxcar | Kind::Well | Kind::Autorack) {
                all.extend([FalseWall, Person]);
            }
            all
        }
    }

    /// Draws it. The canvas keeps its mask and its mass.
    pub fn draw(self, car: &Car, cargo: &Cargo, canvas: &mut Canvas<'_>, dice: &mut Dice) {
        let room = if cargo.rooms.is_empty() {
            Space { x0: 2.0, x1: car.length_m - 2.0, half_width: 1.2, z0: 1.1, z1: 2.5, form: Form::Deck }
        } else {
            dice.pick(&cargo.rooms)
        };
        match self {
            Anomaly::FalseWall => false_wall(room, canvas, dice),
            Anomaly::FalseFloor => false_level(room, canvas, dice, true),
            Anomaly::FalseRoof => false_level(room, canvas, dice, false),
            Anomaly::Person => people(room, canvas, dice),
            Anomaly::LeadPig => lead_pig(room, canvas, dice),
            Anomaly::Undercarriage => undercarriage(car, canvas, dice),
            Anomaly::PkgEmpty => {
                let (x, z) = place(room, dice, 0.8);
                packages(canvas, dice, x, 0.0, z, 0.8);
            }
            Anomaly::PkgLoaded | Anomaly::VoidBulk | Anomaly::DenseBlock => {
                let item = if cargo.items.is_empty() { None } else { Some(dice.pick(&cargo.items)) };
                among(self, item, room, canvas, dice);
            }
        }
    }
}

fn bay(room: Space) -> bool {
    matches!(room.form, Form::Bay { .. })
}

/// Contraband as it is packed, or what weighs about the same.
fn goods(dice: &mut Dice) -> Stuff {
    let (name, low, high) = dice.pick(&[
        ("cannabis", 0.2, 0.45),
        ("cocaine", 0.7, 1.1),
        ("methamphetamine", 0.6, 0.95),
        ("heroin", 0.7, 1.0),
        ("paper", 0.25, 0.7),
        ("rdx", 1.0, 1.6),
    ]);
    Stuff::packed(name, dice.span(low, high))
}

/// A spot on the floor of a room, at least `length` from its far end: x and the floor's height there.
fn place(room: Space, dice: &mut Dice, length: f64) -> (f64, f64) {
    let (low, high) = match room.form {
        Form::Bay { gate_x, .. } => (gate_x - 0.5, gate_x + 0.1),
        Form::Cylinder => (room.x0 + 0.9, room.x1 - 0.9 - length),
        _ => (room.x0 + 0.05, room.x1 - length),
    };
    (dice.span(low, high.max(low + 0.01)), if bay(room) { room.z0 + 0.35 } else { room.z0 + 0.02 })
}

/// A stack or scatter of bricks, bags and boxes around (x, y) from the floor z.
fn packages(canvas: &mut Canvas<'_>, dice: &mut Dice, x: f64, y: f64, z: f64, spread: f64) {
    let stuff = goods(dice);
    let count = dice.count(1, 6);
    let (mut at, mut base) = (x, z);
    for _ in 0..count {
        let (length, width, height) = (dice.log_span(0.15, 0.6), dice.log_span(0.15, 0.7), dice.log_span(0.1, 0.5));
        let y0 = y - width / 2.0 + dice.span(-0.3, 0.3);
        if dice.chance(0.3) {
            canvas.ellipsoid(stuff, at + length / 2.0, y0 + width / 2.0, base + height / 2.0, length / 2.0, width / 2.0, height / 2.0);
        } else {
            canvas.slab(stuff, at, at + length, y0, y0 + width, base, base + height);
        }
        if dice.chance(0.5) {
            base += height;
        } else {
            at += length + dice.span(0.0, 0.1);
            base = z;
        }
        if at > x + spread {
            break;
        }
    }
}

fn false_wall(room: Space, canvas: &mut Canvas<'_>, dice: &mut Dice) {
    let depth = dice.span(0.15, 0.9);
    let head = dice.chance(0.5);
    let (wall, low, high) = if head { (room.x0 + depth, room.x0, room.x0 + depth) } else { (room.x1 - depth, room.x1 - depth, room.x1) };
    let stuff = goods(dice);
    let fill = dice.span(0.3, 0.95);
    let round = room.form == Form::Cylinder;
    let thick = dice.span(0.002, 0.004);
    let (yc, zc, radius) = (0.0, (room.z0 + room.z1) / 2.0, room.half_width);
    if round {
        canvas.tube(steel(), wall, wall + thick, |_| Section::round(yc, zc, radius * 0.98, radius * 0.98));
    } else {
        canvas.slab(steel(), wall, wall + thick, -room.half_width, room.half_width, if bay(room) { room.floor_m(wall) } else { room.z0 }, room.z1);
    }
    let base = room.floor_m(if head { low + 0.02 } else { high - 0.02 });
    let (z0, height) = if bay(room) { (base, room.z1 - base - 0.1) } else { (room.z0 + 0.05, room.z1 - room.z0 - 0.1) };
    let half = if round { room.half_width * 0.6 } else { room.half_width - 0.05 };
    let (inner0, inner1) = if round { if head { (high - depth * 0.8, high) } else { (low, low + depth * 0.8) } } else { (low, high) };
    // Packages behind it, stacked, with gaps.
    let rows = dice.count(2, 5);
    for row in 0..rows {
        let z = z0 + height * fill * row as f64 / rows as f64;
        canvas.slab(
            stuff.times(dice.span(0.8, 1.1)),
            inner0 + 0.02,
            inner1 - 0.02,
            -half * dice.span(0.6, 1.0),
            half * dice.span(0.6, 1.0),
            z,
            z + height * fill / rows as f64 * 0.95,
        );
    }
}

fn false_level(room: Space, canvas: &mut Canvas<'_>, dice: &mut Dice, floor: bool) {
    let stuff = goods(dice);
    let deep = dice.span(0.08, 0.25);
    let (x0, x1) = {
        let long = dice.span(1.5, (room.x1 - room.x0).max(1.6));
        let start = dice.span(room.x0, (room.x1 - long).max(room.x0 + 0.01));
        (start, start + long)
    };
    let (low, plate) = if floor { (room.z0, room.z0 + deep) } else { (room.z1 - deep, room.z1 - deep - 0.003) };
    canvas.slab(steel(), x0, x1, -room.half_width, room.half_width, plate, plate + 0.003);
    let mut x = x0 + 0.05;
    while x + 0.3 < x1 {
        let long = dice.span(0.3, 1.0).min(x1 - x);
        if dice.chance(0.75) {
            canvas.slab(stuff, x, x + long, -room.half_width * dice.span(0.4, 0.95), room.half_width * dice.span(0.4, 0.95), low + 0.01, low + deep - 0.01);
        }
        x += long + 0.05;
    }
}

/// People, of ellipsoids of tissue: standing, sitting, lying.
fn people(room: Space, canvas: &mut Canvas<'_>, dice: &mut Dice) {
    for _ in 0..dice.pick(&[1, 1, 2, 3]) {
        let (x, floor) = place(room, dice, 1.8);
        let size = dice.span(0.9, 1.06);
        let y = dice.span(-0.6, 0.6) * room.half_width.min(1.2);
        person(canvas, dice, x, y, floor, size, room.z1 - floor);
    }
}

fn person(canvas: &mut Canvas<'_>, dice: &mut Dice, x: f64, y: f64, z: f64, size: f64, room: f64) {
    let body = Stuff::of("tissue");
    let s = size;
    let posture = if room < 1.85 { dice.count(1, 2) } else { dice.count(0, 2) };
    match posture {
        0 => {
            for side in [-0.1, 0.1] {
                canvas.ellipsoid(body, x + 0.15 + 0.3 * side, y + side, z + 0.42 * s, 0.075, 0.075, 0.43 * s);
            }
            canvas.ellipsoid(body, x + 0.15, y, z + 1.12 * s, 0.13, 0.19, 0.34 * s);
            for side in [-0.24, 0.24] {
                canvas.ellipsoid(body, x + 0.15 + 0.2 * side, y + side, z + 1.1 * s, 0.05, 0.05, 0.33 * s);
            }
            canvas.ellipsoid(body, x + 0.15, y, z + 1.58 * s, 0.095, 0.08, 0.125 * s);
        }
        1 => {
            // Sitting, knees up.
            canvas.ellipsoid(body, x + 0.2, y, z + 0.38 * s, 0.15, 0.19, 0.33 * s);
            canvas.ellipsoid(body, x + 0.24, y, z + 0.82 * s, 0.1, 0.08, 0.12 * s);
            for side in [-0.11, 0.11] {
                canvas.slope(body, (x + 0.25, z + 0.14), (x + 0.6 * s, z + 0.48 * s), 0.14, y + side - 0.07, y + side + 0.07);
                canvas.slope(body, (x + 0.58 * s, z + 0.48 * s), (x + 0.72 * s, z + 0.05), 0.12, y + side - 0.055, y + side + 0.055);
                canvas.slope(body, (x + 0.2, z + 0.6 * s), (x + 0.52 * s, z + 0.4 * s), 0.09, y + 1.9 * side - 0.04, y + 1.9 * side + 0.04);
            }
        }
        _ => {
            canvas.ellipsoid(body, x + 0.12, y, z + 0.11, 0.125 * s, 0.08, 0.095);
            canvas.ellipsoid(body, x + 0.58 * s, y, z + 0.12, 0.36 * s, 0.19, 0.115);
            for side in [-0.1, 0.1] {
                canvas.ellipsoid(body, x + 1.28 * s, y + side, z + 0.08, 0.44 * s, 0.075, 0.075);
            }
        }
    }
}

fn lead_pig(room: Space, canvas: &mut Canvas<'_>, dice: &mut Dice) {
    let radius = dice.span(0.09, 0.24);
    let (x, z) = place(room, dice, 0.6);
    let lead = Stuff::of("lead");
    let y = dice.span(-0.4, 0.4);
    let inner = radius * dice.span(0.15, 0.4);
    canvas.drum(lead, x + radius, y, radius, z, z + 1.9 * radius);
    canvas.drum(lead.times(-1.0), x + radius, y, inner, z + 0.5 * radius, z + 1.4 * radius);
    if dice.chance(0.6) {
        // In a steel drum or a box.
        let out = radius + dice.span(0.03, 0.12);
        canvas.drum(steel(), x + radius, y, out, z, z + 2.1 * radius + 0.04);
        canvas.drum(steel().times(-1.0), x + radius, y, out - 0.0015, z, z + 2.1 * radius + 0.04);
    }
}

fn undercarriage(car: &Car, canvas: &mut Canvas<'_>, dice: &mut Dice) {
    // Between the trucks, under the floor or between sills.
    let (low, high) = (4.2, (car.length_m - 4.8).max(4.5));
    let x = dice.span(low, high);
    let (length, height) = (dice.span(0.25, 1.1), dice.span(0.1, 0.32));
    let top = if car.kind == Kind::Well { 0.3 } else { dice.span(0.7, 0.95) };
    let y = dice.span(-0.9, 0.5);
    let stuff = goods(dice);
    canvas.slab(stuff, x, x + length, y, y + 0.4, top - height, top);
    if dice.chance(0.6) {
        canvas.slab(steel(), x, x + length, y - 0.003, y, top - height, top);
        canvas.slab(steel(), x, x + length, y + 0.4, y + 0.403, top - height, top);
        for plate in [top - height - 0.003, top] {
            canvas.slab(steel(), x, x + length, y, y + 0.4, plate, plate + 0.003);
        }
    }
}

/// In place of part of the goods.
fn among(kind: Anomaly, item: Option<Item>, room: Space, canvas: &mut Canvas<'_>, dice: &mut Dice) {
    let Some(item) = item else {
        let (x, z) = place(room, dice, 0.8);
        packages(canvas, dice, x, 0.0, z, 0.8);
        return;
    };
    let fit = |dice: &mut Dice, (low, high): (f64, f64), size: f64| {
        let size = size.min(high - low);
        let start = dice.span(low, (high - size).max(low + 1e-3));
        (start, start + size)
    };
    let scale = dice.log_span(0.2, 0.9);
    let size = scale * dice.span(0.7, 1.6);
    let (x0, x1) = fit(dice, item.x, size);
    let size = scale * dice.span(0.7, 1.4);
    let (y0, y1) = fit(dice, item.y, size);
    let size = scale * dice.span(0.5, 1.0);
    let (z0, z1) = fit(dice, item.z, size);
    match kind {
        Anomaly::DenseBlock => {
            let metal = dice.pick(&[steel(), Stuff::of("lead"), Stuff::packed("steel", 4.0)]);
            let (w0, w1) = (y0.max((y0 + y1) / 2.0 - 0.2), y1.min((y0 + y1) / 2.0 + 0.2));
            canvas.slab(item.stuff.times(-1.0), x0, x1, w0, w1, z0, z1);
            canvas.slab(metal, x0, x1, w0, w1, z0, z1);
        }
        Anomaly::VoidBulk => {
            let (x, y, z) = ((x0 + x1) / 2.0, (y0 + y1) / 2.0, (z0 + z1) / 2.0);
            let (rx, ry, rz) = ((x1 - x0) / 2.0, (y1 - y0) / 2.0, (z1 - z0) / 2.0);
            canvas.ellipsoid(item.stuff.times(-1.0), x, y, z, rx, ry, rz);
            let stuff = goods(dice);
            canvas.slab(stuff, x - rx * 0.5, x + rx * 0.5, y - ry * 0.4, y + ry * 0.4, z - rz * 0.6, z + rz * 0.3);
        }
        _ => {
            let stuff = goods(dice);
            canvas.slab(item.stuff.times(-1.0), x0, x1, y0, y1, z0, z1);
            canvas.slab(stuff, x0, x1, y0, y1, z0, z1);
        }
    }
    if kind == Anomaly::PkgLoaded && dice.chance(0.3) {
        pair(canvas, steel(), x0, x1, (y1 - y0) / 2.0, 0.002, z0, z1);
    }
}
