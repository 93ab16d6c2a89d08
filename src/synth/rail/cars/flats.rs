//! Wells and their containers, flats, locomotives, coil cars and cabooses.

use super::super::attenuation::Stuff;
use super::super::dice::Dice;
use super::super::geometry::{Canvas, Section};
use super::{Build, Car, Form, Space, pair, steel, under};

/// From a pulling face to the first well, and between two wells of an articulated car, m.
pub(super) const WELL_ENDS_M: (f64, f64) = (3.75, 3.1);

/// Length of each well of the car with this seed, m: 40, 48 or 53 feet and room.
pub(super) fn well_length_m(seed: u64) -> f64 {
    Dice::new(seed, 3).pick(&[12.5, 12.5, 14.9, 16.4])
}

pub(super) fn well(car: &Car, canvas: &mut Canvas<'_>, dice: &mut Dice) -> Vec<Space> {
    let steel = steel();
    let (end, joint) = WELL_ENDS_M;
    let well = well_length_m(car.seed);
    let (half, floor) = (1.33, 0.4);
    let mut spaces = Vec::new();
    under::coupler(canvas, dice, 0.0, 0.75);
    under::coupler(canvas, dice, car.length_m, car.length_m - 0.75);
    under::truck(canvas, dice, 2.35, false);
    under::truck(canvas, dice, car.length_m - 2.35, false);
    for k in 0..car.platforms {
        let w0 = end + (well + joint) * k as f64;
        let w1 = w0 + well;
        // Side girders: top and bottom chord, web, posts.
        pair(canvas, steel.times(0.3), w0 - 0.5, w1 + 0.5, half, 0.11, 1.0, 1.14);
        pair(canvas, steel.times(0.55), w0 - 0.3, w1 + 0.3, half - 0.02, 0.12, 0.33, 0.45);
        pair(canvas, steel, w0 - 0.4, w1 + 0.4, half, 0.006, 0.4, 1.05);
        let count = (well / 1.3).round() as usize;
        for post in 0..=count {
            let x = w0 + (well - 0.06) * post as f64 / count as f64;
            pair(canvas, steel, x, x + 0.06, half + 0.02, 0.008, 0.4, 1.05);
            if post % 2 == 0 {
                canvas.slab(steel.times(0.5), x, x + 0.05, -half, half, floor - 0.1, floor - 0.02);
            }
        }
        for (x, width) in [(w0 + 0.1, 0.5), (w1 - 0.6, 0.5), ((w0 + w1) / 2.0 - 0.25, 0.5)] {
            canvas.slab(steel.times(0.16), x, x + width, -half, half, floor - 0.13, floor);
        }
        spaces.push(Space { x0: w0 + 0.08, x1: w1 - 0.08, half_width: half - 0.08, z0: floor, z1: 6.15, form: Form::Well });
        // Bulkhead plates at the ends of the well.
        for x in [w0 - 0.02, w1 + 0.01] {
            canvas.slab(steel, x, x + 0.01, -half, half, 0.45, 1.14);
        }
    }
    // End platforms over the trucks.
    for (a, b) in [(0.75, end), (car.length_m - end, car.length_m - 0.75)] {
        under::sill(canvas, a, b, 0.72, 1.05);
        canvas.slab(steel, a, b, -half - 0.05, half + 0.05, 1.05, 1.06);
        pair(canvas, steel, a, b, half - 0.05, 0.012, 0.88, 1.1);
        canvas.slab(steel.times(0.09), a, b, -half + 0.2, half - 0.2, 0.95, 1.05);
        pair(canvas, steel.times(0.5), a + 0.05, b - 0.3, half, 0.035, 1.95, 1.985);
        for post in [a + 0.05, (a + b) / 2.0, b - 0.33] {
            pair(canvas, steel.times(0.5), post, post + 0.035, half, 0.035, 1.06, 1.96);
        }
    }
    // Shared trucks between wells.
    for k in 1..car.platforms {
        let x = end + (well + joint) * k as f64 - joint / 2.0;
        under::truck(canvas, dice, x, true);
        under::sill(canvas, x - joint / 2.0, x + joint / 2.0, 0.72, 1.05);
        canvas.slab(steel.times(0.12), x - joint / 2.0, x + joint / 2.0, -half + 0.3, half - 0.3, 0.95, 1.06);
        canvas.drum(steel.times(0.9), x, 0.0, 0.22, 0.72, 1.1);
    }
    under::brakes(canvas, dice, 1.95, 1.0, 3.4, 1.5);
    under::hand_brake(canvas, car.length_m - 0.8, 1.0, 1.5);
    spaces
}

/// A container standing at x0 with its floor at z, `length` long; answers the room inside.
pub(crate) fn container(canvas: &mut Canvas<'_>, dice: &mut Dice, x0: f64, length: f64, z: f64, height: f64) -> Space {
    let steel = steel();
    let (x1, half) = (x0 + length, 1.2);
    let sheet = dice.span(0.0016, 0.002);
    pair(canvas, steel, x0, x1, half, sheet, z + 0.1, z + height - 0.08);
    // Corrugation: the slanted flanks are longer in the beam.
    let pitch = 0.278;
    for k in 0..(length / pitch) as usize {
        let x = x0 + 0.1 + pitch * k as f64;
        pair(canvas, steel, x, x + 0.07, half, sheet * 0.45, z + 0.16, z + height - 0.1);
    }
    for (a, b) in [(x0, x0 + 0.16), (x1 - 0.16, x1)] {
        pair(canvas, steel.times(0.14), a, b, half - 0.14, 0.16, z, z + height);
        for (c0, c1) in [(z, z + 0.12), (z + height - 0.12, z + height)] {
            pair(canvas, steel.times(0.5), a, b, half - 0.14, 0.17, c0, c1);
        }
    }
    if length > 14.0 {
        // Domestic boxes are lifted at 40 ft posts.
        for x in [x0 + length / 2.0 - 6.1, x0 + length / 2.0 + 5.95] {
            pair(canvas, steel.times(0.12), x, x + 0.16, half - 0.1, 0.12, z, z + height);
        }
    }
    pair(canvas, steel, x0, x1, half - 0.03, 0.005, z, z + 0.15);
    pair(canvas, steel, x0, x1, half - 0.03, 0.004, z + height - 0.09, z + height);
    canvas.slab(steel, x0, x1, -half, half, z + height - 0.03, z + height - 0.028);
    // Plywood on cross members.
    canvas.slab(Stuff::packed("wood", 0.7), x0 + 0.05, x1 - 0.05, -half + 0.03, half - 0.03, z + 0.14, z + 0.168);
    let count = (length / 0.305) as usize;
    for k in 1..count {
        let x = x0 + length * k as f64 / count as f64;
        canvas.slab(steel, x, x + 0.004, -half, half, z + 0.02, z + 0.14);
    }
    // Front wall, and doors with their locking bars.
    let (front, door) = if dice.chance(0.5) { (x0 + 0.03, x1 - 0.06) } else { (x1 - 0.03, x0 + 0.04) };
    canvas.slab(steel, front, front + sheet, -half, half, z + 0.1, z + height - 0.05);
    canvas.slab(steel, door, door + 0.003, -half, half, z + 0.1, z + height - 0.05);
    for y in [-0.9, -0.35, 0.35, 0.9] {
        canvas.drum(steel.times(0.6), door + 0.03, y, 0.018, z + 0.1, z + height - 0.05);
    }
    if dice.chance(0.15) {
        // A refrigeration unit at the front.
        let (a, b) = (front.min(front + 0.4 * (door - front).signum()), front.max(front + 0.4 * (door - front).signum()));
        canvas.slab(steel.times(0.05), a, b, -1.0, 1.0, z + 0.4, z + height - 0.3);
        canvas.slab(steel.times(0.2), a, b, -0.4, 0.3, z + 0.6, z + 1.1);
    }
    Space { x0: x0 + 0.1, x1: x1 - 0.1, half_width: half - 0.05, z0: z + 0.168, z1: z + height - 0.06, form: Form::Container }
}

pub(super) fn flat(car: &Car, canvas: &mut Canvas<'_>, dice: &mut Dice) -> Vec<Space> {
    let steel = steel();
    let (x0, x1) = (0.78, car.length_m - 0.78);
    let (a, b) = (x0 + 2.1, x1 - 2.1);
    let long = car.build == Build::Fourth;
    let (deck, half) = (if long { 1.0 } else { 1.15 }, 1.45);
    under::truck(canvas, dice, a, false);
    under::truck(canvas, dice, b, false);
    under::coupler(canvas, dice, 0.0, x0);
    under::coupler(canvas, dice, car.length_m, x1);
    under::sill(canvas, x0, x1, 0.7, 1.0);
    under::brakes(canvas, dice, car.length_m / 2.0, a + 1.3, b - 1.3, 0.92);
    // Fish-belly side sills, deeper in the middle.
    let belly = dice.span(0.25, 0.45);
    for side in [-1.0, 1.0] {
        canvas.prism(steel, x0, x1, |x| {
            let depth = 0.18 + belly * ((x - a - 1.2).min(b - 1.2 - x) / 2.0).clamp(0.0, 1.0);
            let y = side * (half - 0.02);
            Section::new(y - 0.006, y + 0.006, deck - depth, deck)
        });
    }
    canvas.slab(steel, x0, x1, -half, half, deck - 0.06, deck - 0.052);
    if !long {
        canvas.slab(Stuff::of("wood"), x0, x1, -half, half, deck - 0.052, deck);
    }
    let count = ((x1 - x0) / 1.4).round() as usize;
    for k in 0..=count {
        let x = x0 + (x1 - x0 - 0.02) * k as f64 / count as f64;
        canvas.slab(steel, x, x + 0.01, -half, half, 0.8, deck - 0.06);
        pair(canvas, steel, x - 0.05, x + 0.07, half, 0.02, deck - 0.14, deck - 0.02);
    }
    under::hand_brake(canvas, x1, 1.0, 1.5);
    let mut top = 4.6;
    match car.build {
        Build::Second => {
            let high = dice.span(3.9, 4.6);
            for (w, way) in [(x0 + 0.05, 1.0), (x1 - 0.05, -1.0)] {
                canvas.slab(steel, w.min(w + 0.01 * way), w.max(w + 0.01 * way), -half + 0.1, half - 0.1, deck, high);
                for y in [-1.2, -0.4, 0.4, 1.2] {
                    canvas.slab(steel.times(0.35), w.min(w + 0.14 * way), w.max(w + 0.14 * way), y - 0.07, y + 0.07, deck, high);
                }
                canvas.slope(steel.times(0.4), (w + 0.9 * way, deck + 0.05), (w + 0.14 * way, deck + 1.3), 0.12, -half + 0.1, -half + 0.22);
                canvas.slope(steel.times(0.4), (w + 0.9 * way, deck + 0.05), (w + 0.14 * way, deck + 1.3), 0.12, half - 0.22, half - 0.1);
            }
            top = high;
        }
        Build::Third => {
            // Centre beam: a truss along the middle, bulkheads at the ends.
            let high = 4.6;
            canvas.slab(steel.times(0.25), x0, x1, -0.15, 0.15, high - 0.2, high);
            let steps = ((x1 - x0) / 2.2).round() as usize;
            for k in 0..=steps {
                let x = x0 + (x1 - x0 - 0.16) * k as f64 / steps as f64;
                canvas.slab(steel.times(0.2), x, x + 0.16, -0.1, 0.1, deck, high);
                if k < steps {
                    let next = x0 + (x1 - x0 - 0.16) * (k + 1) as f64 / steps as f64;
                    let (za, zb) = if k % 2 == 0 { (deck + 0.1, high - 0.2) } else { (high - 0.2, deck + 0.1) };
                    canvas.slope(steel.times(0.2), (x + 0.08, za), (next + 0.08, zb), 0.16, -0.08, 0.08);
                }
            }
            for w in [x0 + 0.02, x1 - 0.03] {
                canvas.slab(steel, w, w + 0.01, -half + 0.15, half - 0.15, deck, high);
            }
            top = high;
        }
        _ => {}
    }
    vec![Space { x0: x0 + 0.25, x1: x1 - 0.25, half_width: half - 0.1, z0: deck, z1: top, form: Form::Deck }]
}

pub(super) fn locomotive(car: &Car, canvas: &mut Canvas<'_>, dice: &mut Dice) -> Vec<Space> {
    let steel = steel();
    let (x0, x1) = (0.85, car.length_m - 0.85);
    // Two trucks of three axles; the traction motors fill them.
    let (a, b) = (x0 + 3.1, x1 - 3.1);
    for centre in [a, b] {
        for axle in [-1.85, 0.0, 1.85] {
            let x = centre + axle;
            for (y0, y1) in [(-0.82, -0.685), (0.685, 0.82)] {
                canvas.roller(steel, x, 0.51, 0.51, y0, y1);
                canvas.roller(steel.times(-0.7), x, 0.51, 0.44, y0, y1);
            }
            canvas.roller(steel.times(0.8), x + 0.45, 0.5, 0.33, -0.6, 0.6);
        }
        for side in [-1.0, 1.0] {
            let (y0, y1) = if side < 0.0 { (-1.1, -0.95) } else { (0.95, 1.1) };
            canvas.slab(steel.times(0.4), centre - 2.5, centre + 2.5, y0, y1, 0.62, 0.86);
            for spring in [-2.1, -1.6, -0.25, 0.25, 1.6, 2.1] {
                canvas.drum(steel.times(0.4), centre + spring, (y0 + y1) / 2.0, 0.08, 0.4, 0.62);
            }
        }
    }
    under::coupler(canvas, dice, 0.0, x0);
    under::coupler(canvas, dice, car.length_m, x1);
    let half = 1.5;
    // Underframe, fuel tank with what is in it, air reservoirs.
    canvas.slab(steel.times(0.1), x0, x1, -half, half, 1.1, 1.55);
    canvas.slab(steel, x0, x1, -half, half, 1.55, 1.57);
    let (f0, f1) = (a + 3.0, b - 3.0);
    pair(canvas, steel, f0, f1, 1.4, 0.012, 0.25, 1.05);
    canvas.slab(Stuff::of("gasoline"), f0, f1, -1.4, 1.4, 0.25, dice.span(0.4, 1.0));
    pair(canvas, steel.times(0.3), f0 + 0.3, f1 - 0.3, 1.42, 0.2, 0.9, 1.1);
    // Plough and steps.
    for (e, way) in [(x0, -1.0), (x1, 1.0)] {
        canvas.slab(steel, e.min(e + 0.02 * way), e.max(e + 0.02 * way), -1.45, 1.45, 0.15, 1.1);
        for z in [0.35, 0.7, 1.05] {
            pair(canvas, steel.times(0.3), e.min(e - 0.7 * way), e.max(e - 0.7 * way), 1.3, 0.18, z, z + 0.03);
        }
        pair(canvas, steel.times(0.5), e.min(e - 0.9 * way), e.max(e - 0.9 * way), 1.45, 0.035, 2.55, 2.585);
    }
    // Nose and cab.
    let cab = x0 + 1.3;
    pair(canvas, steel, x0 + 0.3, cab, 0.85, 0.01, 1.57, 3.05);
    canvas.slab(steel, x0 + 0.3, cab, -0.85, 0.85, 3.04, 3.05);
    canvas.slab(steel.times(0.05), x0 + 0.35, cab, -0.8, 0.8, 1.6, 2.9);
    let (c0, c1) = (cab, cab + 2.3);
    pair(canvas, steel, c0, c1, 1.5, 0.008, 1.57, 4.55);
    pair(canvas, steel.times(-0.9), c0 + 0.3, c1 - 0.5, 1.5, 0.008, 3.2, 4.0);
    canvas.slab(steel, c0, c1, -1.5, 1.5, 4.55, 4.56);
    for wall in [c0, c1] {
        canvas.slab(steel, wall, wall + 0.01, -1.5, 1.5, 1.57, 4.5);
    }
    canvas.slab(steel.times(0.06), c0 + 0.3, c0 + 0.9, -1.2, 0.2, 1.6, 2.7);
    canvas.slab(Stuff::packed("polyethylene", 0.2), c0 + 1.3, c0 + 1.8, -1.2, 1.2, 1.9, 2.9);
    // Hood with blowers, engine block with its cylinders, generator, radiators.
    let (h0, h1) = (c1, x1 - 1.0);
    pair(canvas, steel, h0, h1, 0.95, 0.004, 1.57, 4.5);
    canvas.slab(steel, h0, h1, -0.95, 0.95, 4.5, 4.505);
    canvas.slab(steel.times(0.07), h0 + 0.1, h0 + 1.8, -0.9, 0.9, 1.6, 3.9);
    canvas.tube(steel.times(0.6), h0 + 2.0, h0 + 3.7, |_| Section::round(0.0, 2.5, 0.72, 0.78));
    let (e0, e1) = (h0 + 3.8, h0 + 8.6);
    canvas.slab(steel.times(0.45), e0, e1, -0.5, 0.5, 1.6, 2.9);
    canvas.slab(steel.times(0.25), e0, e1, -0.8, 0.8, 2.4, 3.5);
    for k in 0..8 {
        let x = e0 + 0.15 + 0.58 * f64::from(k);
        pair(canvas, steel.times(0.5), x, x + 0.36, 0.35, 0.4, 2.9, 3.75);
    }
    canvas.tube(steel.times(0.15), e0, e1, |_| Section::round(0.0, 4.05, 0.3, 0.25));
    canvas.slab(steel.times(0.2), e1 + 0.3, e1 + 1.4, -0.6, 0.6, 1.6, 2.8);
    canvas.slab(steel.times(0.022), e1 + 1.0, h1, -1.3, 1.3, 3.3, 4.6);
    for frame in 0..6 {
        let x = e1 + 1.0 + (h1 - e1 - 1.05) * f64::from(frame) / 5.0;
        canvas.slab(steel.times(0.15), x, x + 0.05, -1.3, 1.3, 3.3, 4.6);
    }
    canvas.slab(steel.times(0.04), e1 + 1.6, h1 - 0.2, -0.7, 0.7, 1.6, 3.0);
    for fan in [h0 + 1.2, h1 - 2.4, h1 - 1.1] {
        canvas.drum(steel.times(0.12), fan, 0.0, 0.6, 4.5, 4.75);
    }
    let rail = if dice.chance(0.5) { 2.55 } else { 2.6 };
    pair(canvas, steel.times(0.5), c1, x1, 1.45, 0.035, rail, rail + 0.035);
    let posts = ((x1 - c1) / 1.6) as usize;
    for k in 0..=posts {
        let x = c1 + (x1 - c1 - 0.04) * k as f64 / posts as f64;
        pair(canvas, steel.times(0.5), x, x + 0.04, 1.45, 0.035, 1.57, rail);
    }
    Vec::new()
}

pub(super) fn coil_car(car: &Car, canvas: &mut Canvas<'_>, dice: &mut Dice) -> Vec<Space> {
    let steel = steel();
    let (x0, x1) = (0.78, car.length_m - 0.78);
    under::truck(canvas, dice, x0 + 1.9, false);
    under::truck(canvas, dice, x1 - 1.9, false);
    under::coupler(canvas, dice, 0.0, x0);
    under::coupler(canvas, dice, car.length_m, x1);
    under::sill(canvas, x0, x1, 0.7, 1.05);
    under::brakes(canvas, dice, car.length_m / 2.0, x0 + 3.2, x1 - 3.2, 0.95);
    let half = 1.4;
    pair(canvas, steel, x0, x1, half, 0.012, 0.6, 1.25);
    // The trough: two slopes of timber on steel.
    for side in [-1.0, 1.0] {
        for k in 0..6 {
            let y = side * (0.2 + 0.2 * f64::from(k));
            let z = 0.95 + 0.07 * f64::from(k);
            canvas.slab(steel, x0 + 0.4, x1 - 0.4, y - 0.1, y + 0.1, z, z + 0.012);
            canvas.slab(Stuff::of("wood"), x0 + 0.4, x1 - 0.4, y - 0.1, y + 0.1, z + 0.012, z + 0.08);
        }
    }
    let count = ((x1 - x0) / 1.2).round() as usize;
    for k in 0..=count {
        let x = x0 + (x1 - x0 - 0.02) * k as f64 / count as f64;
        canvas.slab(steel, x, x + 0.012, -half, half, 0.75, 1.0);
    }
    // The cover: half a pipe of 2 mm sheet in two pieces.
    if dice.chance(0.8) {
        let top = dice.span(2.9, 3.3);
        let middle = car.length_m / 2.0;
        for (a, b) in [(x0 + 0.2, middle - 0.05), (middle + 0.05, x1 - 0.2)] {
            pair(canvas, steel, a, b, half - 0.03, 0.002, 1.2, top - 0.7);
            canvas.tube(steel, a, b, |_| Section::new(-half, half, top - 1.4, top));
            canvas.tube(steel.times(-1.0), a, b, |_| Section::new(-half + 0.002, half - 0.002, top - 1.398, top - 0.002));
            for e in [a, b - 0.003] {
                canvas.slab(steel, e, e + 0.003, -half, half, 1.2, top - 0.4);
            }
            let ribs = ((b - a) / 1.1) as usize;
            for k in 0..=ribs {
                let x = a + (b - a - 0.05) * k as f64 / ribs as f64;
                pair(canvas, steel, x, x + 0.05, half - 0.05, 0.006, 1.2, top - 0.6);
            }
            let lift = (a + b) / 2.0;
            canvas.slab(steel.times(0.4), lift - 0.15, lift + 0.15, -0.1, 0.1, top, top + 0.12);
        }
    }
    vec![Space { x0: x0 + 0.5, x1: x1 - 0.5, half_width: 1.1, z0: 1.1, z1: 2.75, form: Form::Deck }]
}

pub(super) fn caboose(car: &Car, canvas: &mut Canvas<'_>, dice: &mut Dice) -> Vec<Space> {
    let steel = steel();
    let (x0, x1) = (0.8, car.length_m - 0.8);
    under::truck(canvas, dice, x0 + 1.6, false);
    under::truck(canvas, dice, x1 - 1.6, false);
    under::coupler(canvas, dice, 0.0, x0);
    under::coupler(canvas, dice, car.length_m, x1);
    under::sill(canvas, x0, x1, 0.72, 1.02);
    under::brakes(canvas, dice, car.length_m / 2.0, x0 + 2.6, x1 - 2.6, 0.95);
    let (b0, b1, half, roof) = (x0 + 0.75, x1 - 0.75, 1.42, 3.9);
    canvas.slab(steel, x0, x1, -half, half, 1.03, 1.04);
    canvas.slab(Stuff::of("wood"), b0, b1, -half, half, 1.04, 1.1);
    pair(canvas, steel, b0, b1, half, 0.003, 1.05, roof);
    pair(canvas, Stuff::of("wood"), b0, b1, half - 0.03, 0.02, 1.05, roof);
    for window in [0.25, 0.72] {
        let x = b0 + (b1 - b0) * window;
        pair(canvas, steel.times(-0.95), x, x + 0.7, half, 0.003, 2.2, 2.9);
    }
    canvas.slab(steel, x0 + 0.2, x1 - 0.2, -half, half, roof, roof + 0.003);
    for wall in [b0, b1] {
        canvas.slab(steel, wall, wall + 0.003, -half, half, 1.05, roof);
        canvas.slab(Stuff::of("wood"), wall + 0.003, wall + 0.02, -half, half, 1.05, roof);
    }
    let cupola = b0 + (b1 - b0) * dice.span(0.35, 0.6);
    pair(canvas, steel, cupola, cupola + 2.0, half, 0.003, roof, 4.75);
    canvas.slab(steel, cupola, cupola + 2.0, -half, half, 4.75, 4.753);
    for wall in [cupola, cupola + 2.0] {
        canvas.slab(steel, wall, wall + 0.003, -half, half, roof, 4.75);
    }
    for (e0, e1) in [(x0, x0 + 0.04), (x1 - 0.04, x1)] {
        pair(canvas, steel, e0, e1, 1.25, 0.04, 1.05, 2.1);
        canvas.slab(steel.times(0.5), e0, e1, -1.25, 1.25, 2.05, 2.1);
        canvas.slab(steel, e0, e1, -0.02, 0.02, 1.05, 2.1);
    }
    // Stove, bunks, desk, lockers.
    canvas.drum(steel.times(0.12), b0 + 1.3, 0.9, 0.28, 1.1, 2.0);
    canvas.drum(steel.times(0.1), b0 + 1.3, 0.9, 0.07, 2.0, roof + 0.4);
    canvas.slab(Stuff::packed("wood", 0.12), b1 - 2.4, b1 - 0.5, -1.35, -0.65, 1.1, 1.6);
    canvas.slab(Stuff::packed("wood", 0.2), cupola - 0.7, cupola - 0.1, 0.5, 1.35, 1.1, 1.85);
    canvas.slab(Stuff::packed("wood", 0.1), cupola, cupola + 2.0, -1.3, 1.3, 1.1, 2.3);
    vec![Space { x0: b0 + 0.1, x1: b1 - 0.1, half_width: half - 0.05, z0: 1.1, z1: roof - 0.1, form: Form::Room }]
}
