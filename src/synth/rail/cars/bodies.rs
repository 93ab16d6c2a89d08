//! Boxcars, tanks, hoppers, gondolas, autoracks.

use super::super::attenuation::Stuff;
use super::super::dice::Dice;
use super::super::geometry::{Canvas, Section};
use super::{Build, Car, Form, Space, pair, patches, steel, under};

/// Trucks and couplers of a four-axle car whose body stands between x0 and x1; answers the truck centres.
fn running_gear(car: &Car, canvas: &mut Canvas<'_>, dice: &mut Dice, x0: f64, x1: f64, inset: f64) -> (f64, f64) {
    let (a, b) = (x0 + inset, x1 - inset);
    under::truck(canvas, dice, a, false);
    under::truck(canvas, dice, b, false);
    under::coupler(canvas, dice, 0.0, x0);
    under::coupler(canvas, dice, car.length_m, x1);
    (a, b)
}

/// Bars across the car at equal steps: floor beams, carlines.
#[allow(clippy::too_many_arguments)]
fn ribs(canvas: &mut Canvas<'_>, stuff: Stuff, x0: f64, x1: f64, step: f64, width: f64, half: f64, z0: f64, z1: f64) {
    let count = ((x1 - x0) / step).round().max(1.0) as usize;
    for k in 0..=count {
        let x = x0 + (x1 - x0 - width) * k as f64 / count as f64;
        canvas.slab(stuff, x, x + width, -half, half, z0, z1);
    }
}

pub(super) fn boxcar(car: &Car, canvas: &mut Canvas<'_>, dice: &mut Dice) -> Vec<Space> {
    let (x0, x1) = (0.78, car.length_m - 0.78);
    running_gear(car, canvas, dice, x0, x1, dice_inset(car));
    let steel = steel();
    let (floor, roof, half) = (1.1, dice.pick(&[4.45, 4.75, 5.05]), dice.span(1.41, 1.45));
    under::sill(canvas, x0, x1, 0.72, 1.02);
    under::brakes(canvas, dice, car.length_m / 2.0, x0 + 3.2, x1 - 3.2, 0.95);
    ribs(canvas, steel, x0 + 0.4, x1 - 0.4, dice.span(0.9, 1.3), 0.008, half - 0.05, 0.86, 1.03);
    // Nailable steel or wood on stringers.
    let deck = if dice.chance(0.5) { Stuff::packed("wood", 0.65) } else { steel.times(0.07) };
    canvas.slab(deck, x0, x1, -half, half, floor - 0.057, floor);
    pair(canvas, steel, x0, x1, half, 0.008, 0.92, floor + 0.06);
    // Sides, panel by panel between the posts; doors in the middle.
    let sheet = dice.span(0.0023, 0.003);
    let (door, doors) = (dice.pick(&[2.44, 3.05, 3.66]), dice.pick(&[1, 1, 2]));
    let middle = car.length_m / 2.0 + dice.span(-0.15, 0.15);
    let (door0, door1) = (middle - door * doors as f64 / 2.0, middle + door * doors as f64 / 2.0);
    for (a, b) in [(x0, door0), (door1, x1)] {
        let count = ((b - a) / dice.span(0.9, 1.25)).round().max(1.0) as usize;
        let step = (b - a) / count as f64;
        for k in 0..count {
            let x = a + step * k as f64;
            pair(canvas, steel, x, x + step, half, sheet * dice.span(0.96, 1.04), floor, roof - 0.05);
            // Hat posts: web and flanges.
            pair(canvas, steel, x - 0.045, x + 0.045, half + 0.004, 0.0035, floor - 0.05, roof - 0.08);
            pair(canvas, steel.times(0.3), x - 0.012, x + 0.012, half + 0.008, 0.03, floor - 0.05, roof - 0.08);
        }
    }
    let plug = dice.chance(0.6);
    for leaf in 0..doors {
        let (a, b) = (door0 + door * leaf as f64, door0 + door * (leaf + 1) as f64);
        pair(canvas, steel, a, b, half + 0.02, if plug { 0.0045 } else { 0.003 }, floor - 0.05, roof - 0.22);
        for bar in [a, b - 0.07] {
            pair(canvas, steel, bar, bar + 0.07, half + 0.02, 0.014, floor - 0.08, roof - 0.1);
        }
        for z in [floor + 0.5, floor + 1.3, floor + 2.1] {
            pair(canvas, steel, a, b, half + 0.03, 0.006, z, z + 0.06);
        }
        if plug {
            for pipe in [a + door * 0.35, a + door * 0.65] {
                pair(canvas, steel.times(0.5), pipe, pipe + 0.045, half + 0.06, 0.045, floor - 0.1, roof - 0.25);
            }
        }
    }
    for post in [door0 - 0.14, door1] {
        pair(canvas, steel, post, post + 0.14, half - 0.01, 0.012, floor - 0.15, roof);
    }
    pair(canvas, steel, door0 - door * 0.6, door1 + door * 0.6, half + 0.05, 0.02, floor - 0.12, floor - 0.06);
    // Top chord, roof with carlines.
    pair(canvas, steel, x0, x1, half - 0.02, 0.01, roof - 0.13, roof);
    canvas.slab(steel, x0, x1, -half, half, roof, roof + dice.span(0.0018, 0.0024));
    ribs(canvas, steel.times(0.3), x0 + 0.3, x1 - 0.3, dice.span(1.1, 1.35), 0.04, half - 0.02, roof - 0.05, roof);
    ends(canvas, dice, x0, x1, half, floor - 0.1, roof);
    if dice.chance(0.5) {
        // Plywood lining.
        pair(canvas, Stuff::of("wood"), x0 + 0.05, x1 - 0.05, half - 0.02, 0.014, floor, floor + dice.pick(&[1.2, 2.4, roof - floor - 0.2]));
    }
    under::ladder(canvas, x0 + 0.12, half + 0.05, floor, if dice.chance(0.5) { roof - 0.3 } else { floor + 1.3 });
    under::ladder(canvas, x1 - 0.6, half + 0.05, floor, if dice.chance(0.5) { roof - 0.3 } else { floor + 1.3 });
    under::hand_brake(canvas, x1, 1.0, 1.9);
    let space = Space { x0: x0 + 0.06, x1: x1 - 0.06, half_width: half - 0.03, z0: floor, z1: roof - 0.07, form: Form::Room };
    patches(canvas, dice, space, 5);
    vec![space]
}

fn dice_inset(car: &Car) -> f64 {
    // Truck centres a seventh of the car from its ends, as most four-axle cars have them.
    (car.length_m * 0.115).clamp(1.55, 2.3)
}

/// Corrugated end walls with corner posts.
fn ends(canvas: &mut Canvas<'_>, dice: &mut Dice, x0: f64, x1: f64, half: f64, z0: f64, z1: f64) {
    let thick = dice.span(0.005, 0.007);
    for (a, b) in [(x0, x0 + thick), (x1 - thick, x1)] {
        canvas.slab(steel(), a, b, -half, half, z0, z1);
        pair(canvas, steel(), a - 0.03, b + 0.03, half - 0.07, 0.07, z0, z1 - 0.02);
        canvas.slab(steel().times(0.15), a - 0.04, b + 0.04, -half, half, z0, z0 + 0.25);
        let mut z = z0 + 0.5;
        while z < z1 - 0.2 {
            canvas.slab(steel().times(0.12), a - 0.035, b + 0.035, -half, half, z, z + 0.12);
            z += 0.34;
        }
    }
}

pub(super) fn tank(car: &Car, canvas: &mut Canvas<'_>, dice: &mut Dice) -> Vec<Space> {
    let (x0, x1) = (0.8, car.length_m - 0.8);
    let (a, b) = running_gear(car, canvas, dice, x0, x1, 1.75);
    let steel = steel();
    let radius = dice.span(1.3, 1.5);
    let shell = match car.build {
        Build::Third => dice.span(0.0155, 0.0205),
        Build::Second => dice.span(0.0111, 0.0125),
        _ => dice.span(0.0111, 0.0145),
    };
    let zc = 1.05 + radius;
    let (t0, t1) = (x0 + 0.25, x1 - 0.25);
    let vessel = |r: f64, grow: f64| {
        let (h0, h1) = (t0 + r / 2.0 + grow, t1 - r / 2.0 - grow);
        move |x: f64| {
            let beyond = (h0 - x).max(x - h1).max(0.0) / (r / 2.0);
            let scale = (1.0 - beyond * beyond).max(0.0).sqrt();
            Section::round(0.0, zc, r * scale, r * scale)
        }
    };
    let cover = car.build != Build::Plain;
    if cover {
        // Glass wool under a 3 mm jacket, with flatter heads.
        let out = radius + 0.1;
        let wool = Stuff::packed("limestone", 0.06);
        canvas.tube(steel, t0 - 0.1, t1 + 0.1, vessel(out, -0.1));
        canvas.tube(steel.times(-1.0), t0 - 0.097, t1 + 0.097, vessel(out - 0.003, -0.097));
        canvas.tube(wool, t0 - 0.097, t1 + 0.097, vessel(out - 0.003, -0.097));
        canvas.tube(wool.times(-1.0), t0, t1, vessel(radius, 0.0));
    }
    canvas.tube(steel, t0, t1, vessel(radius, 0.0));
    let inner = radius - shell;
    canvas.tube(steel.times(-1.0), t0 + shell, t1 - shell, vessel(inner, shell));
    // Weld seams of the rings.
    let rings = ((t1 - t0) / 2.6).round() as usize;
    for k in 1..rings {
        let x = t0 + (t1 - t0) * k as f64 / rings as f64;
        canvas.tube(steel, x - 0.012, x + 0.012, |_| Section::round(0.0, zc, radius + 0.002, radius + 0.002));
        canvas.tube(steel.times(-1.0), x - 0.012, x + 0.012, |_| Section::round(0.0, zc, radius, radius));
    }
    // Manway with its fittings, platform, railing and ladders.
    let middle = car.length_m / 2.0 + dice.span(-0.3, 0.3);
    let top = zc + radius;
    let pressure = car.build == Build::Third;
    let dome = if pressure { 0.5 } else { dice.span(0.28, 0.4) };
    canvas.drum(steel.times(0.16), middle, 0.0, dome, top - 0.08, top + 0.32);
    canvas.drum(steel.times(0.6), middle, 0.0, dome + 0.04, top + 0.32, top + 0.37);
    canvas.drum(steel.times(0.5), middle + dome + 0.35, 0.15, 0.1, top - 0.03, top + 0.26);
    if !pressure && dice.chance(0.5) {
        canvas.drum(steel.times(0.4), middle - dome - 0.3, -0.15, 0.08, top - 0.03, top + 0.22);
    }
    if dice.chance(0.8) {
        let walk = dice.span(0.7, 1.1);
        canvas.slab(steel.times(0.25), middle - walk, middle + walk, -0.8, 0.8, top - 0.02, top + 0.02);
        for post in [-walk, -walk / 3.0, walk / 3.0, walk - 0.03] {
            pair(canvas, steel, middle + post, middle + post + 0.03, 0.78, 0.03, top, top + 0.95);
        }
        for z in [top + 0.5, top + 0.92] {
            pair(canvas, steel.times(0.5), middle - walk, middle + walk, 0.78, 0.035, z, z + 0.035);
        }
    }
    for bar in [middle - 0.25, middle + 0.2] {
        pair(canvas, steel, bar, bar + 0.05, radius + 0.08, 0.012, 1.0, top - 0.1);
    }
    under::ladder(canvas, middle - 0.21, radius + 0.08, 1.0, zc + 0.6);
    // Stub sills, saddles, end platforms; some have a through sill.
    if dice.chance(0.3) {
        under::sill(canvas, x0, x1, 0.72, 1.02);
    } else {
        under::sill(canvas, x0, a + 1.0, 0.72, 1.02);
        under::sill(canvas, b - 1.0, x1, 0.72, 1.02);
    }
    for x in [a, b] {
        canvas.slab(steel.times(0.09), x - 0.28, x + 0.28, -1.0, 1.0, 0.95, zc - radius * 0.72);
        for web in [x - 0.26, x + 0.24] {
            canvas.slab(steel, web, web + 0.014, -1.15, 1.15, 0.95, zc - radius * 0.6);
        }
    }
    for (e0, e1) in [(x0 - 0.05, x0 + 0.4), (x1 - 0.4, x1 + 0.05)] {
        canvas.slab(steel, e0, e1, -1.35, 1.35, 1.03, 1.038);
        pair(canvas, steel.times(0.5), e0 + 0.02, e1 - 0.02, 1.3, 0.035, 1.8, 1.835);
        for post in [e0 + 0.02, e1 - 0.06] {
            pair(canvas, steel, post, post + 0.03, 1.3, 0.03, 1.03, 1.83);
        }
    }
    if car.build != Build::Plain || dice.chance(0.5) {
        // Head shields over the lower half.
        for (s0, s1) in [(t0 - 0.05, t0 - 0.037), (t1 + 0.037, t1 + 0.05)] {
            canvas.prism(steel, s0, s1, |_| Section::new(-1.2, 1.2, 1.1, zc));
        }
    }
    if !pressure {
        let outlet = middle + dice.span(-0.4, 0.4);
        canvas.drum(steel.times(0.5), outlet, 0.0, 0.13, 0.72, zc - radius + 0.02);
        canvas.drum(steel.times(0.7), outlet, 0.0, 0.17, 0.66, 0.73);
    }
    if cover && dice.chance(0.6) {
        // Heater coils along the bottom, inside.
        for y in [-0.45, -0.15, 0.15, 0.45] {
            let z = zc - (radius - 0.09) * (1.0 - (y / radius) * (y / radius)).sqrt();
            canvas.slab(steel.times(0.35), t0 + 0.8, t1 - 0.8, y - 0.03, y + 0.03, z - 0.03, z + 0.03);
        }
    }
    under::brakes(canvas, dice, a + 1.6, a + 0.9, b - 0.9, 0.95);
    under::hand_brake(canvas, x1 - 0.3, 1.0, 1.7);
    let space = Space { x0: t0 + shell, x1: t1 - shell, half_width: inner, z0: zc - inner, z1: zc + inner, form: Form::Cylinder };
    patches(canvas, dice, Space { half_width: radius, z0: zc - 0.6, z1: zc + 0.6, ..space }, 2);
    vec![space]
}

pub(super) fn hopper(car: &Car, canvas: &mut Canvas<'_>, dice: &mut Dice) -> Vec<Space> {
    let (x0, x1) = (0.75, car.length_m - 0.75);
    let (a, b) = running_gear(car, canvas, dice, x0, x1, 1.9);
    let steel = steel();
    let open = car.build == Build::Second;
    let (roof, half, sheet) = (if open { dice.span(3.4, 3.8) } else { dice.span(4.3, 4.65) }, 1.5, dice.span(0.004, 0.0052));
    let (neck, gate) = (dice.span(1.95, 2.2), 0.6);
    under::sill(canvas, x0, x1, 0.72, 1.02);
    // The box begins over the trucks; its ends slope to the outer bays.
    let (b0, b1) = (x0 + 0.5, x1 - 0.5);
    let bays = if open { dice.pick(&[2, 3, 4]) } else { dice.pick(&[2, 3, 3, 4]) };
    let (g0, g1) = (a + 1.15, b - 1.15);
    let bay = (g1 - g0) / bays as f64;
    let end_z = roof - dice.span(0.75, 1.2);
    pair(canvas, steel, b0, b1, half, sheet, neck, roof - 0.06);
    let count = ((b1 - b0) / dice.span(0.95, 1.3)).round() as usize;
    if dice.chance(0.75) {
        for k in 0..=count {
            let x = b0 + (b1 - b0 - 0.08) * k as f64 / count as f64;
            pair(canvas, steel, x, x + 0.08, half + sheet, 0.006, 1.15, roof - 0.08);
            pair(canvas, steel.times(0.5), x, x + 0.012, half + sheet, 0.06, 1.15, roof - 0.08);
        }
    }
    pair(canvas, steel, x0, x1, half - 0.02, 0.012, 1.02, 1.2);
    pair(canvas, steel, b0, b1, half - 0.02, 0.011, roof - 0.14, roof);
    let mut spaces = Vec::new();
    for k in 0..bays {
        let (low, high) = (g0 + bay * k as f64, g0 + bay * (k + 1) as f64);
        let middle = (low + high) / 2.0;
        let (g_low, g_high) = (middle - 0.42, middle + 0.42);
        let (top_low, z_low) = if k == 0 { (b0, end_z) } else { (low, neck - 0.1) };
        let (top_high, z_high) = if k + 1 == bays { (b1, end_z) } else { (high, neck - 0.1) };
        canvas.slope(steel, (top_low, z_low), (g_low, gate), sheet * 1.4, -half, half);
        canvas.slope(steel, (g_high, gate), (top_high, z_high), sheet * 1.4, -half, half);
        // Side slopes converge on the gate: a folded sheet, seen as a band whose lower edge follows the slopes.
        for side in [-1.0, 1.0] {
            canvas.prism(steel, low, high, |x| {
                let z = if x < g_low {
                    neck + (gate - neck) * (x - low) / (g_low - low)
                } else if x > g_high {
                    neck + (gate - neck) * (high - x) / (high - g_high)
                } else {
                    gate
                };
                let y = side * 1.0;
                Section::new(y - sheet * 0.8, y + sheet * 0.8, z.max(gate), neck)
            });
        }
        canvas.slab(steel.times(0.14), g_low - 0.05, g_high + 0.05, -0.6, 0.6, gate - 0.14, gate);
        pair(canvas, steel, g_low - 0.1, g_high + 0.1, 0.6, 0.012, gate - 0.18, gate + 0.1);
        canvas.slab(steel, g_low, g_low + 0.04, -0.9, 0.9, gate - 0.1, gate - 0.06);
        if k > 0 {
            canvas.slab(steel, low - sheet / 2.0, low + sheet / 2.0, -half, half, neck - 0.1, if open { neck + 0.5 } else { roof - 0.1 });
        }
        let form = Form::Bay { gate_x: middle, head_z: z_low, tail_z: z_high };
        spaces.push(Space { x0: top_low, x1: top_high, half_width: half - 0.02, z0: gate, z1: roof - 0.1, form });
    }
    // Ends: posts and a transverse sheet above the slope.
    for (e, way) in [(b0, -1.0), (b1, 1.0)] {
        canvas.slab(steel, e.min(e + 0.006 * way), e.max(e + 0.006 * way), -half, half, end_z, roof - 0.05);
        let post = e + 0.42 * way;
        pair(canvas, steel, post.min(post + 0.1), post.max(post + 0.1), half - 0.12, 0.09, 1.1, roof - 0.3);
        canvas.slope(steel, (post + 0.05, roof - 0.3), (e, roof - 0.1), 0.08, -half, -half + 0.09);
        canvas.slope(steel, (post + 0.05, roof - 0.3), (e, roof - 0.1), 0.08, half - 0.09, half);
        under::ladder(canvas, if way < 0.0 { e - 0.45 } else { e + 0.03 }, half - 0.02, 1.1, roof - 0.3);
    }
    if open {
        canvas.slab(steel.times(0.03), b0, b1, -0.06, 0.06, roof - 0.4, roof - 0.3);
    } else {
        canvas.slab(steel, b0, b1, -half, half, roof, roof + 0.003);
        for y in [-0.3, 0.3] {
            canvas.slab(steel.times(0.25), b0, b1, y - 0.25, y + 0.25, roof + 0.16, roof + 0.19);
        }
        if dice.chance(0.6) {
            for k in 0..(2 * bays + 2) {
                let x = b0 + 0.6 + (b1 - b0 - 1.2) * k as f64 / (2 * bays + 1) as f64;
                canvas.slab(steel.times(0.06), x - 0.42, x + 0.42, -0.35, 0.35, roof + 0.003, roof + 0.12);
            }
        } else {
            canvas.slab(steel.times(0.05), b0 + 0.5, b1 - 0.5, -0.3, 0.3, roof + 0.003, roof + 0.12);
        }
        for k in 0..count {
            let x = b0 + (b1 - b0) * (k as f64 + 0.5) / count as f64;
            canvas.slab(steel, x, x + 0.006, -half, half, roof - 0.12, roof);
        }
    }
    under::brakes(canvas, dice, x0 + 1.5, x0 + 0.3, x0 + 3.3, 1.45);
    under::hand_brake(canvas, x1 - 0.2, 1.0, 1.8);
    patches(canvas, dice, Space { x0: b0, x1: b1, half_width: half, z0: neck, z1: roof - 0.3, form: Form::Room }, 4);
    spaces
}

pub(super) fn gondola(car: &Car, canvas: &mut Canvas<'_>, dice: &mut Dice) -> Vec<Space> {
    let (x0, x1) = (0.76, car.length_m - 0.76);
    running_gear(car, canvas, dice, x0, x1, dice_inset(car));
    let steel = steel();
    let (floor, height, half) = (1.12, dice.span(1.3, 2.6), dice.span(1.39, 1.46));
    let top = floor + height;
    under::sill(canvas, x0, x1, 0.72, 1.02);
    under::brakes(canvas, dice, car.length_m / 2.0, x0 + 3.2, x1 - 3.2, 0.95);
    ribs(canvas, steel, x0 + 0.3, x1 - 0.3, dice.span(0.8, 1.1), 0.009, half, 0.82, floor - 0.01);
    canvas.slab(steel, x0, x1, -half, half, floor - 0.009, floor);
    let sheet = dice.span(0.005, 0.0085);
    let count = ((x1 - x0) / dice.span(1.2, 1.65)).round() as usize;
    let step = (x1 - x0) / count as f64;
    for k in 0..count {
        let x = x0 + step * k as f64;
        pair(canvas, steel, x, x + step, half, sheet * dice.span(0.96, 1.04), floor - 0.05, top);
        pair(canvas, steel, x - 0.05, x + 0.05, half + sheet, 0.006, floor - 0.15, top - 0.05);
        pair(canvas, steel.times(0.5), x - 0.012, x + 0.012, half + sheet, 0.06, floor - 0.15, top - 0.05);
    }
    pair(canvas, steel.times(0.28), x0, x1, half - 0.02, 0.12, top - 0.14, top);
    pair(canvas, steel, x0, x1, half, 0.012, floor - 0.25, floor - 0.02);
    ends(canvas, dice, x0, x1, half, floor - 0.1, top);
    under::ladder(canvas, x0 + 0.1, half + 0.05, floor - 0.3, top - 0.2);
    under::ladder(canvas, x1 - 0.55, half + 0.05, floor - 0.3, top - 0.2);
    under::hand_brake(canvas, x1, 1.0, floor + height * 0.5);
    // Dents: a side pushed out and stiffened again.
    let space = Space { x0: x0 + 0.06, x1: x1 - 0.06, half_width: half - 0.02, z0: floor, z1: top, form: Form::Room };
    patches(canvas, dice, space, 6);
    vec![space]
}

pub(super) fn autorack(car: &Car, canvas: &mut Canvas<'_>, dice: &mut Dice) -> Vec<Space> {
    let (x0, x1) = (0.9, car.length_m - 0.9);
    running_gear(car, canvas, dice, x0, x1, 3.4);
    let steel = steel();
    let (half, roof) = (1.5, dice.span(5.55, 5.75));
    let decks: &[f64] = if dice.chance(0.45) { &[1.1, 3.05] } else { &[1.1, 2.58, 4.03] };
    under::sill(canvas, x0, x1, 0.7, 1.05);
    under::brakes(canvas, dice, car.length_m / 2.0, x0 + 4.8, x1 - 4.8, 0.95);
    pair(canvas, steel, x0 + 4.6, x1 - 4.6, half - 0.1, 0.01, 0.62, 1.1);
    ribs(canvas, steel, x0 + 0.5, x1 - 0.5, 1.5, 0.009, half, 0.85, 1.05);
    let mut spaces = Vec::new();
    for (k, z) in decks.iter().enumerate() {
        canvas.slab(steel, x0, x1, -half + 0.05, half - 0.05, z - 0.004, *z);
        pair(canvas, steel, x0, x1, half - 0.1, 0.007, z - 0.12, z + 0.05);
        ribs(canvas, steel, x0 + 0.3, x1 - 0.3, 0.9, 0.005, half - 0.05, z - 0.07, z - 0.004);
        let top = decks.get(k + 1).map_or(roof - 0.1, |next| next - 0.12);
        spaces.push(Space { x0: x0 + 0.35, x1: x1 - 0.35, half_width: half - 0.15, z0: *z, z1: top, form: Form::Rack });
    }
    let count = ((x1 - x0) / 1.22).round() as usize;
    let step = (x1 - x0) / count as f64;
    for k in 0..=count {
        let x = x0 + (x1 - x0 - 0.1) * k as f64 / count as f64;
        pair(canvas, steel, x, x + 0.1, half, 0.006, 1.0, roof);
        if k < count {
            // Perforated panels: a third of the steel is holes.
            for (z0, z1) in [(1.25, 2.5), (2.6, 3.95), (4.05, roof - 0.2)] {
                pair(canvas, steel.times(0.66), x + 0.1, x + step, half + 0.01, dice.span(0.0011, 0.0014), z0, z1);
            }
        }
    }
    canvas.slab(steel, x0, x1, -half, half, roof, roof + 0.0016);
    ribs(canvas, steel.times(0.4), x0 + 0.2, x1 - 0.2, 1.22, 0.05, half, roof - 0.06, roof);
    pair(canvas, steel, x0, x1, half - 0.02, 0.008, roof - 0.16, roof);
    for (a, b) in [(x0, x0 + 0.004), (x1 - 0.004, x1)] {
        canvas.slab(steel.times(0.6), a, b, -half, half, 1.1, roof);
        canvas.slab(steel.times(0.3), a - 0.02, b + 0.02, -half, half, 1.1, 1.25);
        pair(canvas, steel, a - 0.03, b + 0.03, half - 0.1, 0.1, 1.0, roof);
    }
    under::ladder(canvas, x0 + 0.1, half + 0.02, 1.1, roof - 0.4);
    under::ladder(canvas, x1 - 0.55, half + 0.02, 1.1, roof - 0.4);
    under::hand_brake(canvas, x1, 1.0, 1.8);
    patches(canvas, dice, Space { x0, x1, half_width: half, z0: 1.3, z1: roof - 0.4, form: Form::Room }, 3);
    spaces
}
