//! Goods, and the normal clutter that is nobody's wrongdoing: dunnage and sweepings in empties, tank heels, uneven heaps, missing pallets.
//!
//! In `clutter` what an empty is not quite empty of, in `vehicles` what stands on an autorack.
//!
//! Densities are of goods as they lie (`shared/rail.md` 2.2); how full a car is comes from what it may carry, roughly 40 to 100 t.

mod clutter;
mod vehicles;

use serde::Serialize;

use super::attenuation::Stuff;
use super::cars::{Car, Form, Kind, Space, container, pair, steel};
use super::dice::Dice;
use super::geometry::{Canvas, Section};

/// What a car carries. Which kinds carry what: [`Load::of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Load {
    Empty,
    Pallets,
    Cartons,
    Rolls,
    Parts,
    Lumber,
    Machinery,
    Grain,
    Pellets,
    Cement,
    Coal,
    Scrap,
    Coils,
    Plates,
    Pipes,
    Fuel,
    Gas,
    Acid,
    Syrup,
    Autos,
    Containers,
    Trailers,
}

impl Load {
    /// The loads of a kind; the empty car is every kind's first.
    #[must_use]
    pub fn of(kind: Kind) -> &'static [Load] {
        match kind {
            Kind::Boxcar => &[Load::Empty, Load::Pallets, Load::Cartons, Load::Rolls, Load::Parts, Load::Lumber, Load::Machinery],
            Kind::Tank => &[Load::Empty, Load::Fuel, Load::Gas, Load::Acid, Load::Syrup],
            Kind::Hopper => &[Load::Empty, Load::Grain, Load::Pellets, Load::Cement, Load::Coal],
            Kind::Gondola => &[Load::Empty, Load::Scrap, Load::Coils, Load::Coal, Load::Plates, Load::Pipes],
            Kind::Autorack => &[Load::Empty, Load::Autos],
            Kind::Well => &[Load::Empty, Load::Containers],
            Kind::Flat => &[Load::Empty, Load::Lumber, Load::Machinery, Load::Pipes, Load::Plates, Load::Trailers],
            Kind::Locomotive => &[Load::Empty],
            Kind::Other => &[Load::Empty, Load::Coils],
        }
    }
}

/// One piece or heap of goods, the box around it.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// x, from-to, m.
    pub x: (f64, f64),
    /// y, from-to, m.
    pub y: (f64, f64),
    /// z, from-to, m.
    pub z: (f64, f64),
    /// What it is made of, so that it can be taken away.
    pub stuff: Stuff,
}

/// What was loaded.
#[derive(Debug, Clone)]
pub struct Cargo {
    /// In words, as the truth file has it: `cartons`, `pallets+empty`.
    pub name: String,
    /// Nothing declared in it.
    pub empty: bool,
    /// Rooms where something can be hidden: the car's, or those of its containers.
    pub rooms: Vec<Space>,
    /// The goods, piece by piece.
    pub items: Vec<Item>,
    /// Mass of the goods, kg.
    pub mass_kg: f64,
    /// Mass of the containers and trailers around them, kg.
    pub tare_kg: f64,
}

/// Loads `car`. `goods` draws what is declared, the same on every visit; `clutter` what lies about on this one.
pub fn load(car: &Car, canvas: &mut Canvas<'_>, spaces: &[Space], load: Load, goods: &mut Dice, clutter: &mut Dice) -> Cargo {
    let before = canvas.grams();
    // Containers and trailers are not goods.
    let mut cargo =
        Cargo { name: format!("{load:?}").to_lowercase(), empty: load == Load::Empty, rooms: spaces.to_vec(), items: Vec::new(), mass_kg: 0.0, tare_kg: 0.0 };
    if car.kind == Kind::Well {
        wells(canvas, spaces, load, goods, clutter, &mut cargo);
    } else {
        for (k, space) in spaces.iter().enumerate() {
            fill(canvas, *space, load, goods, clutter, &mut cargo, k);
        }
    }
    cargo.mass_kg = ((canvas.grams() - before) / 1000.0 - cargo.tare_kg).max(0.0);
    cargo
}

/// Puts `load` into one room.
fn fill(canvas: &mut Canvas<'_>, space: Space, load: Load, goods: &mut Dice, clutter: &mut Dice, cargo: &mut Cargo, number: usize) {
    let items = &mut cargo.items;
    match load {
        Load::Empty => clutter::empty(canvas, space, goods, clutter),
        Load::Pallets => units(canvas, space, goods, items, &Unit::PALLET),
        Load::Cartons => units(canvas, space, goods, items, &Unit::CARTON),
        Load::Parts => units(canvas, space, goods, items, &Unit::PARTS),
        Load::Rolls => rolls(canvas, space, goods, items),
        Load::Lumber => lumber(canvas, space, goods, items),
        Load::Machinery => machinery(canvas, space, goods, items),
        Load::Grain => heap(canvas, space, Stuff::of("grain"), goods, items, (0.85, 1.0)),
        Load::Pellets => heap(canvas, space, Stuff::packed("polyethylene", 0.58), goods, items, (0.75, 1.0)),
        Load::Cement => heap(canvas, space, Stuff::packed("cement", 1.3), goods, items, (0.55, 0.75)),
        Load::Coal => heap(canvas, space, Stuff::of("coal"), goods, items, (0.85, 1.15)),
        Load::Scrap => heap(canvas, space, steel().times(goods.span(0.06, 0.14)), goods, items, (0.4, 1.0)),
        Load::Coils => coils(canvas, space, goods, items),
        Load::Plates => plates(canvas, space, goods, items),
        Load::Pipes => pipes(canvas, space, goods, items),
        Load::Fuel => liquid(canvas, space, Stuff::packed("gasoline", 0.78), goods, items, (0.85, 0.96)),
        Load::Gas => liquid(canvas, space, Stuff::of("propane"), goods, items, (0.75, 0.88)),
        Load::Acid => liquid(canvas, space, Stuff::of("sulfuric acid"), goods, items, (0.45, 0.7)),
        Load::Syrup => liquid(canvas, space, Stuff::packed("water", 1.35), goods, items, (0.6, 0.85)),
        Load::Autos => vehicles::autos(canvas, space, goods, items),
        Load::Trailers => {
            let name = trailers(canvas, space, goods, clutter, cargo);
            if number == 0 {
                cargo.name = format!("trailers {name}");
            }
        }
        Load::Containers => {}
    }
}

/// A packed unit: its footprint, height and density ranges, and how often a place is empty.
struct Unit {
    length_m: (f64, f64),
    height_m: (f64, f64),
    density: (f64, f64),
    across: usize,
    missing: f64,
    pallet: bool,
    tiers: usize,
    metal: bool,
}

impl Unit {
    const PALLET: Unit =
        Unit { length_m: (1.0, 1.25), height_m: (0.9, 1.7), density: (0.15, 0.55), across: 2, missing: 0.12, pallet: true, tiers: 1, metal: false };
    const CARTON: Unit =
        Unit { length_m: (0.6, 1.3), height_m: (0.5, 0.75), density: (0.1, 0.3), across: 3, missing: 0.06, pallet: false, tiers: 4, metal: false };
    const PARTS: Unit =
        Unit { length_m: (1.2, 2.3), height_m: (0.85, 1.2), density: (0.08, 0.2), across: 2, missing: 0.15, pallet: false, tiers: 2, metal: true };
}

/// Rows of units, each drawn by itself, some missing, some short.
fn units(canvas: &mut Canvas<'_>, space: Space, dice: &mut Dice, items: &mut Vec<Item>, unit: &Unit) {
    let length = dice.span(unit.length_m.0, unit.length_m.1);
    let height = dice.span(unit.height_m.0, unit.height_m.1);
    let density = dice.log_span(unit.density.0, unit.density.1);
    let share = if dice.chance(0.25) { dice.span(0.35, 0.8) } else { 1.0 };
    let tiers = (((space.z1 - space.z0 - 0.25) / (height + 0.02)) as usize).clamp(1, unit.tiers);
    let tiers = dice.count(tiers.div_ceil(2), tiers);
    let width = (2.0 * space.half_width - 0.06 * unit.across as f64) / unit.across as f64;
    let gap = dice.span(0.01, 0.06);
    let mut x = space.x0 + dice.span(0.02, 0.2);
    let end = space.x0 + (space.x1 - space.x0) * share;
    while x + length < end {
        for place in 0..unit.across {
            if dice.chance(unit.missing) {
                continue;
            }
            let y = -space.half_width + 0.03 + (width + 0.06) * place as f64;
            let tall = if dice.chance(0.15) { dice.count(1, tiers) } else { tiers };
            let mut z = space.z0;
            for _ in 0..tall {
                let (dx, own) = (dice.span(-0.02, 0.02), density * dice.span(0.88, 1.12));
                let mut top = z + height * if unit.pallet { dice.span(0.92, 1.0) } else { 1.0 };
                if top > space.z1 - 0.03 {
                    top = space.z1 - 0.03;
                }
                if top - z < 0.15 {
                    break;
                }
                let mut low = z;
                if unit.pallet {
                    let wood = Stuff::of("wood");
                    for (z0, z1) in [(0.0, 0.022), (0.118, 0.14)] {
                        canvas.slab(wood, x + dx, x + dx + length, y, y + width, z + z0, z + z1);
                    }
                    for k in 0..3 {
                        let block = x + dx + (length - 0.12) * f64::from(k) / 2.0;
                        canvas.slab(wood, block, block + 0.12, y, y + width, z + 0.022, z + 0.118);
                    }
                    low = z + 0.14;
                }
                let stuff = if unit.metal {
                    // A wire rack with parts in it, denser at its bottom.
                    for post in [x + dx, x + dx + length - 0.05] {
                        canvas.slab(steel().times(0.3), post, post + 0.05, y, y + 0.05, z, top);
                        canvas.slab(steel().times(0.3), post, post + 0.05, y + width - 0.05, y + width, z, top);
                    }
                    canvas.slab(steel().times(0.1), x + dx, x + dx + length, y, y + width, z, z + 0.06);
                    let layers = dice.count(2, 4);
                    let step = (top - z - 0.1) / layers as f64;
                    for layer in 0..layers {
                        let base = z + 0.08 + step * layer as f64;
                        let part = steel().times(own / 7.85 * dice.span(0.6, 1.7));
                        canvas.slab(part, x + dx + 0.06, x + dx + length - 0.06, y + 0.06, y + width - 0.06, base, base + step * dice.span(0.5, 0.85));
                    }
                    steel().times(own / 7.85)
                } else {
                    let stuff = Stuff::packed("paper", own);
                    canvas.slab(stuff, x + dx, x + dx + length, y, y + width, low, top);
                    stuff
                };
                items.push(Item { x: (x + dx, x + dx + length), y: (y, y + width), z: (low, top), stuff });
                z = top + 0.01;
            }
        }
        x += length + gap + if dice.chance(0.06) { dice.span(0.1, 0.6) } else { 0.0 };
    }
}

fn rolls(canvas: &mut Canvas<'_>, space: Space, dice: &mut Dice, items: &mut Vec<Item>) {
    let radius = dice.span(0.5, 0.62);
    let height = dice.span(0.9, 1.4);
    let paper = Stuff::packed("paper", dice.span(0.7, 0.95));
    let tiers = (((space.z1 - space.z0) / height) as usize).clamp(1, 2);
    let mut x = space.x0 + radius + dice.span(0.05, 0.3);
    let mut odd = false;
    while x + radius < space.x1 {
        let places: &[f64] = if odd { &[0.0] } else { &[-0.78, 0.78] };
        for y in places {
            let tall = if dice.chance(0.2) { 1 } else { tiers };
            for tier in 0..tall {
                let z = space.z0 + height * tier as f64;
                canvas.drum(paper, x, *y, radius, z, z + height);
                canvas.drum(paper.times(-1.0), x, *y, 0.04, z, z + height);
                items.push(Item { x: (x - radius * 0.7, x + radius * 0.7), y: (y - radius * 0.7, y + radius * 0.7), z: (z, z + height), stuff: paper });
            }
        }
        odd = !odd;
        x += radius * if odd { 1.25 } else { 1.3 } + dice.span(0.0, 0.04);
    }
}

fn lumber(canvas: &mut Canvas<'_>, space: Space, dice: &mut Dice, items: &mut Vec<Item>) {
    let wood = Stuff::packed("wood", dice.span(0.42, 0.6));
    let length = dice.pick(&[2.44, 3.05, 3.66, 4.88]);
    let height = dice.span(0.5, 0.75);
    let tiers = (((space.z1 - space.z0 - 0.1) / (height + 0.09)) as usize).clamp(1, 5);
    let mut x = space.x0 + dice.span(0.05, 0.3);
    while x + length < space.x1 {
        let tall = if dice.chance(0.25) { dice.count(1, tiers) } else { tiers };
        for tier in 0..tall {
            let z = space.z0 + (height + 0.09) * tier as f64;
            for stick in [0.25, length - 0.34] {
                canvas.slab(Stuff::of("wood"), x + stick, x + stick + 0.09, -1.2, 1.2, z, z + 0.09);
            }
            for (y0, y1) in [(-1.22_f64, -0.03), (0.03, 1.22)] {
                let y1 = f64::min(y1, space.half_width);
                let (dx, cut) = (dice.span(-0.05, 0.05), dice.span(0.0, 0.15));
                canvas.slab(wood, x + dx, x + dx + length - cut, y0.max(-space.half_width), y1, z + 0.09, z + 0.09 + height);
                items.push(Item { x: (x + dx, x + dx + length - cut), y: (y0, y1), z: (z + 0.09, z + 0.09 + height), stuff: wood });
            }
        }
        x += length + dice.span(0.06, 0.2);
    }
    if space.form == Form::Deck {
        // Straps.
        let mut x = space.x0 + 0.6;
        while x < space.x1 {
            pair(canvas, Stuff::packed("polyethylene", 1.1), x, x + 0.05, 1.23, 0.004, space.z0, space.z0 + (height + 0.09) * tiers as f64);
            x += dice.span(1.3, 2.0);
        }
    }
}

/// Odd things of steel: frames, gear boxes, motors, cable drums, vehicles.
fn machinery(canvas: &mut Canvas<'_>, space: Space, dice: &mut Dice, items: &mut Vec<Item>) {
    let mut x = space.x0 + dice.span(0.3, 1.5);
    loop {
        let length = dice.span(1.2, 4.5);
        if x + length > space.x1 - 0.2 {
            break;
        }
        let (half, height) = (dice.span(0.5, space.half_width.min(1.3)), dice.span(0.8, (space.z1 - space.z0 - 0.2).clamp(0.9, 2.8)));
        let z = space.z0 + 0.12;
        for skid in [-half, half - 0.12] {
            canvas.slab(Stuff::of("wood"), x, x + length, skid, skid + 0.12, space.z0, z);
        }
        match dice.count(0, 3) {
            0 => {
                canvas.slab(steel().times(0.05), x, x + length, -half, half, z, z + height * 0.4);
                canvas.tube(steel().times(0.4), x + 0.2, x + length * 0.6, |_| Section::round(0.0, z + height * 0.5, height * 0.3, height * 0.3));
                canvas.slab(steel().times(0.2), x + length * 0.62, x + length * 0.9, -half * 0.6, half * 0.6, z, z + height * 0.8);
                canvas.roller(steel().times(0.5), x + length * 0.75, z + height * 0.55, height * 0.25, -half, -half + 0.15);
            }
            1 => {
                // A cable drum.
                let r = height / 2.0;
                canvas.roller(steel().times(0.25), x + r, z + r, r * 0.75, -half * 0.7, half * 0.7);
                for y in [-half * 0.75, half * 0.72] {
                    canvas.roller(Stuff::of("wood"), x + r, z + r, r, y, y + 0.08);
                }
            }
            2 => {
                // A tractor.
                canvas.roller(Stuff::packed("polyethylene", 0.35), x + length * 0.75, z + height * 0.35, height * 0.35, -half, -half + 0.35);
                canvas.roller(Stuff::packed("polyethylene", 0.35), x + length * 0.75, z + height * 0.35, height * 0.35, half - 0.35, half);
                canvas.roller(Stuff::packed("polyethylene", 0.3), x + length * 0.15, z + height * 0.22, height * 0.22, -half, -half + 0.25);
                canvas.roller(Stuff::packed("polyethylene", 0.3), x + length * 0.15, z + height * 0.22, height * 0.22, half - 0.25, half);
                canvas.slab(steel().times(0.22), x + length * 0.05, x + length * 0.5, -0.3, 0.3, z + height * 0.3, z + height * 0.62);
                canvas.slab(steel().times(0.3), x + length * 0.5, x + length * 0.85, -0.35, 0.35, z + height * 0.25, z + height * 0.5);
                pair(canvas, steel(), x + length * 0.5, x + length * 0.85, half * 0.6, 0.003, z + height * 0.5, z + height);
                canvas.slab(steel(), x + length * 0.5, x + length * 0.85, -half * 0.6, half * 0.6, z + height - 0.01, z + height);
            }
            _ => {
                // A crate with something heavy in it.
                let wood = Stuff::of("wood");
                pair(canvas, wood, x, x + length, half - 0.025, 0.025, z, z + height);
                canvas.slab(wood, x, x + length, -half, half, z + height - 0.025, z + height);
                for wall in [x, x + length - 0.025] {
                    canvas.slab(wood, wall, wall + 0.025, -half, half, z, z + height);
                }
                let core = dice.span(0.2, 0.5);
                canvas.slab(
                    steel().times(dice.span(0.1, 0.4)),
                    x + length * 0.25,
                    x + length * 0.75,
                    -half * core,
                    half * core,
                    z,
                    z + height * dice.span(0.4, 0.8),
                );
            }
        }
        items.push(Item { x: (x, x + length), y: (-half, half), z: (z, z + height * 0.6), stuff: steel().times(0.02) });
        x += length + dice.span(0.2, 2.5);
    }
}

/// Loose bulk in a hopper bay, gondola or open hopper: an uneven surface over the floor; scrap is also uneven inside.
fn heap(canvas: &mut Canvas<'_>, space: Space, stuff: Stuff, dice: &mut Dice, items: &mut Vec<Item>, (low, high): (f64, f64)) {
    let level = space.z0 + (space.z1 - space.z0) * dice.span(low, high);
    let bay = matches!(space.form, Form::Bay { .. });
    let (a, b, c, d) = (dice.span(0.0, 0.25), dice.span(0.0, 6.3), dice.span(0.03, 0.15), dice.span(0.0, 6.3));
    let length = space.x1 - space.x0;
    let scrap = stuff.density_g_cm3 < 1.3 && matches!(stuff.plane, super::attenuation::Plane::Steel);
    let surface = move |x: f64| {
        let u = (x - space.x0) / length;
        let wave = a * (std::f64::consts::TAU * u * if bay { 1.0 } else { 3.0 } + b).cos() + c * (31.0 * u + d).sin() * 0.4;
        // The slope of the material to the end walls.
        (level + wave)
            .min(space.z1 + if bay { 0.0 } else { 0.35 })
            .min(level + 0.15 + if bay { 1.0 } else { 0.8 * (x - space.x0).min(space.x1 - x) })
            .max(space.z0 + 0.05)
    };
    let neck = space.z0 + 1.45;
    let layers = if scrap { 14 } else { 6 };
    for layer in 0..layers {
        let (u0, u1) = (layer as f64 / layers as f64, (layer + 1) as f64 / layers as f64);
        let half = if bay { (0.55 + 0.5 * u0 * 4.0).min(1.0) * space.half_width } else { space.half_width };
        // The top of a heap is a ridge: narrower than the car.
        let half = if layer + 1 == layers { half * 0.8 } else { half };
        canvas.prism(stuff, space.x0, space.x1, |x| {
            let floor = space.floor_m(x);
            let top = surface(x).max(floor);
            Section::new(-half, half, floor + (top - floor) * u0, floor + (top - floor) * u1)
        });
    }
    if scrap {
        for _ in 0..(length * 9.0) as usize {
            let (x, size) = (dice.span(space.x0 + 0.1, space.x1 - 0.8), dice.log_span(0.1, 0.9));
            let z = dice.span(space.z0, (surface(x) - size * 0.4).max(space.z0 + 0.05));
            let y = dice.span(-space.half_width, space.half_width - 0.3);
            let thick = dice.log_span(0.004, 0.05);
            match dice.count(0, 2) {
                0 => canvas.slab(steel(), x, x + size, y, y + thick, z, z + size * dice.span(0.1, 0.6)),
                1 => canvas.slope(steel(), (x, z), (x + size, z + dice.span(-0.3, 0.5)), thick.max(0.01), y, y + dice.span(0.05, 0.3)),
                _ => canvas.roller(steel().times(0.25), x + size * 0.3, z + size * 0.3, size * 0.3, y, y + dice.span(0.05, 0.3)),
            }
        }
    }
    let floor = if bay { neck } else { space.z0 };
    if level > floor + 0.2 {
        items.push(Item { x: (space.x0 + 0.3, space.x1 - 0.3), y: (-space.half_width, space.half_width), z: (floor, level - a - 0.05), stuff });
    }
}

fn liquid(canvas: &mut Canvas<'_>, space: Space, stuff: Stuff, dice: &mut Dice, items: &mut Vec<Item>, (low, high): (f64, f64)) {
    pour(canvas, space, stuff, space.z0 + (space.z1 - space.z0) * dice.span(low, high));
    let zc = (space.z0 + space.z1) / 2.0;
    items.push(Item { x: (space.x0 + 1.0, space.x1 - 1.0), y: (-0.8, 0.8), z: (space.z0 + 0.4, zc + 0.4), stuff });
}

/// Fills a lying cylinder up to the height `level`, in layers of at most 4 cm.
fn pour(canvas: &mut Canvas<'_>, space: Space, stuff: Stuff, level: f64) {
    let (radius, zc) = (space.half_width, (space.z0 + space.z1) / 2.0);
    let layers = ((level - space.z0) / 0.04).ceil().max(1.0) as usize;
    let step = (level - space.z0) / layers as f64;
    for layer in 0..layers {
        let z = space.z0 + step * (layer as f64 + 0.5);
        let half = (radius * radius - (z - zc).powi(2)).max(0.0).sqrt();
        // The heads: 2:1 ellipses, as far as the layer's width lets them reach.
        let inset = radius / 2.0 * (1.0 - half / radius);
        canvas.prism(stuff, space.x0 + inset, space.x1 - inset, |x| {
            let into = ((space.x0 + radius / 2.0 - x).max(x - space.x1 + radius / 2.0)).max(0.0) / (radius / 2.0);
            let y = (radius * radius * (1.0 - into * into).max(0.0) - (z - zc).powi(2)).max(0.0).sqrt().min(half);
            Section::new(-y, y, z - step / 2.0, z + step / 2.0)
        });
    }
}

fn coils(canvas: &mut Canvas<'_>, space: Space, dice: &mut Dice, items: &mut Vec<Item>) {
    let mut x = space.x0 + dice.span(0.3, 1.5);
    while x + 1.5 < space.x1 {
        let (radius, half) = (dice.span(0.5, 0.9_f64.min((space.z1 - space.z0 + 0.8) / 2.0).max(0.55)), dice.span(0.4, 0.9_f64.min(space.half_width)));
        canvas.roller(steel().times(0.97), x + radius, space.z0 + radius, radius, -half, half);
        canvas.roller(steel().times(-0.97), x + radius, space.z0 + radius, 0.28, -half, half);
        for chock in [x + 0.1, x + 2.0 * radius - 0.2] {
            canvas.slab(Stuff::of("wood"), chock, chock + 0.12, -half, half, space.z0, space.z0 + 0.12);
        }
        items.push(Item { x: (x + 0.2, x + 2.0 * radius - 0.2), y: (-half, half), z: (space.z0, space.z0 + radius), stuff: steel() });
        x += 2.0 * radius + dice.span(0.4, 2.5);
    }
}

fn plates(canvas: &mut Canvas<'_>, space: Space, dice: &mut Dice, items: &mut Vec<Item>) {
    let mut z = space.z0;
    for _ in 0..dice.count(1, 4) {
        let (thick, half) = (dice.span(0.02, 0.16), dice.span(0.7, space.half_width.min(1.25)));
        let (x0, x1) = (space.x0 + dice.span(0.2, 2.5), space.x1 - dice.span(0.2, 2.5));
        let mut x = x0;
        while x < x1 {
            canvas.slab(Stuff::of("wood"), x, x + 0.1, -half, half, z, z + 0.1);
            x += 1.4;
        }
        canvas.slab(steel(), x0, x1, -half, half, z + 0.1, z + 0.1 + thick);
        items.push(Item { x: (x0, x1), y: (-half, half), z: (z + 0.1, z + 0.1 + thick), stuff: steel() });
        z += 0.1 + thick;
    }
}

fn pipes(canvas: &mut Canvas<'_>, space: Space, dice: &mut Dice, items: &mut Vec<Item>) {
    let (radius, wall) = (dice.log_span(0.08, 0.55), dice.span(0.006, 0.016));
    let (x0, x1) = (space.x0 + dice.span(0.2, 1.0), space.x1 - dice.span(0.2, 3.0));
    let across = ((2.0 * space.half_width) / (2.0 * radius + 0.01)) as usize;
    let rows = (((space.z1 - space.z0) * dice.span(0.3, 0.95)) / (2.0 * radius)).clamp(1.0, 6.0) as usize;
    for row in 0..rows {
        let z = space.z0 + 0.1 + radius + (2.0 * radius + if row > 0 { 0.05 } else { 0.0 }) * row as f64;
        for k in 0..across.min(8) {
            let y = -space.half_width + radius + 2.0 * (space.half_width - radius) * (k as f64 + 0.001) / (across.clamp(2, 8) - 1) as f64;
            if y + radius > space.half_width + 0.02 {
                continue;
            }
            let (a, b) = (x0 + dice.span(-0.1, 0.1), x1 + dice.span(-0.1, 0.1));
            canvas.tube(steel(), a, b, |_| Section::round(y, z, radius, radius));
            canvas.tube(steel().times(-1.0), a, b, |_| Section::round(y, z, radius - wall, radius - wall));
        }
        let mut x = x0 + 0.5;
        while x < x1 {
            canvas.slab(Stuff::of("wood"), x, x + 0.1, -space.half_width, space.half_width, z - radius - 0.06, z - radius);
            x += 3.0;
        }
    }
    let mean = steel().times((wall * 2.0 / radius).min(0.6));
    items.push(Item { x: (x0, x1), y: (-space.half_width, space.half_width), z: (space.z0 + 0.1, space.z0 + 0.1 + 2.0 * radius * rows as f64), stuff: mean });
}

/// Containers in the wells, one or two high, each with its own load.
fn wells(canvas: &mut Canvas<'_>, spaces: &[Space], load: Load, goods: &mut Dice, clutter: &mut Dice, cargo: &mut Cargo) {
    let mut names: Vec<String> = Vec::new();
    let mut rooms = Vec::new();
    let bare = load == Load::Empty && goods.chance(0.3);
    for space in spaces {
        if bare {
            clutter::empty(canvas, *space, goods, clutter);
            rooms.push(Space { z1: 1.1, form: Form::Deck, ..*space });
            continue;
        }
        let room = space.x1 - space.x0;
        let length = [16.15, 14.63, 12.19].into_iter().find(|l| *l < room).unwrap_or(12.19);
        let mut z = space.z0;
        for stack in 0..2 {
            if stack == 1 && goods.chance(0.3) {
                break;
            }
            let height = if length > 13.0 { 2.9 } else { goods.pick(&[2.59, 2.9]) };
            // Two short ones below, or one of the well's length.
            let pieces = if stack == 0 && length < 13.0 && goods.chance(0.2) { 2 } else { 1 };
            let own = if pieces == 2 { 6.06 } else { length };
            for piece in 0..pieces {
                let x = space.x0 + (room - own * f64::from(pieces) - 0.08 * f64::from(pieces - 1)) / 2.0 + (own + 0.08) * f64::from(piece);
                let before = canvas.grams();
                let inside = container(canvas, goods, x, own, z, height);
                cargo.tare_kg += (canvas.grams() - before) / 1000.0;
                let inner = if load == Load::Empty {
                    Load::Empty
                } else {
                    goods.pick(&[Load::Empty, Load::Pallets, Load::Cartons, Load::Cartons, Load::Rolls, Load::Parts, Load::Machinery])
                };
                fill(canvas, inside, inner, goods, clutter, cargo, 0);
                names.push(format!("{inner:?}").to_lowercase());
                rooms.push(inside);
            }
            z += height + 0.02;
        }
    }
    if load == Load::Containers && names.iter().all(|n| n == "empty") {
        cargo.empty = true;
    }
    cargo.name = if names.iter().all(|n| n == "empty") { "empty".to_owned() } else { names.join("+") };
    cargo.rooms = rooms;
}

fn trailers(canvas: &mut Canvas<'_>, space: Space, goods: &mut Dice, clutter: &mut Dice, cargo: &mut Cargo) -> String {
    let mut names = Vec::new();
    let mut rooms = Vec::new();
    let length = if space.x1 - space.x0 > 26.0 { 12.2 } else { (space.x1 - space.x0 - 1.0).min(16.1) };
    let mut x = space.x0 + 0.4;
    while x + length < space.x1 + 0.01 {
        let z = space.z0;
        let before = canvas.grams();
        let inside = container(canvas, goods, x, length, z + 1.15, 2.75);
        for axle in [length - 1.9, length - 0.7] {
            for (y0, y1) in [(-1.2, -0.75), (0.75, 1.2)] {
                canvas.roller(Stuff::packed("polyethylene", 0.5), x + axle, z + 0.5, 0.5, y0, y1);
                canvas.roller(steel().times(0.15), x + axle, z + 0.5, 0.3, y0, y1);
            }
            canvas.roller(steel().times(0.3), x + axle, z + 0.5, 0.07, -0.75, 0.75);
        }
        pair(canvas, steel(), x + length - 3.2, x + length, 0.45, 0.01, z + 0.95, z + 1.15);
        pair(canvas, steel().times(0.3), x + 2.6, x + 2.75, 0.85, 0.1, z + 0.1, z + 1.15);
        canvas.slope(steel().times(0.25), (x + 0.7, z), (x + 1.3, z + 1.05), 0.14, -0.25, 0.25);
        canvas.slab(steel().times(0.3), x + 0.6, x + 1.6, -0.4, 0.4, z + 1.02, z + 1.12);
        cargo.tare_kg += (canvas.grams() - before) / 1000.0;
        let inner = goods.pick(&[Load::Empty, Load::Pallets, Load::Cartons, Load::Cartons]);
        fill(canvas, inside, inner, goods, clutter, cargo, 1);
        names.push(format!("{inner:?}").to_lowercase());
        rooms.push(inside);
        x += length + 0.7;
    }
    cargo.rooms = rooms;
    if names.iter().all(|n| n == "empty") {
        cargo.empty = true;
    }
    names.join("+")
}
