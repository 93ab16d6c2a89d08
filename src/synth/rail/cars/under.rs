//! Running gear and what hangs under every car: trucks, couplers, brakes, ladders.

use super::super::attenuation::Stuff;
use super::super::dice::Dice;
use super::super::geometry::{Canvas, Section};
use super::{pair, steel};

/// Wheels, m: 33, 36 and 38 inches.
const WHEEL_RADII_M: [f64; 3] = [0.419, 0.457, 0.483];

/// One wheelset with its bearings at x.
fn wheelset(canvas: &mut Canvas<'_>, x: f64, radius: f64) {
    let steel = steel();
    for side in [-1.0, 1.0] {
        let (inner, outer) = (0.685 * side, 0.82 * side);
        let (y0, y1) = (f64::min(inner, outer), f64::max(inner, outer));
        canvas.roller(steel, x, radius, radius, y0, y1);
        canvas.roller(steel.times(-1.0), x, radius, radius - 0.05, y0, y1);
        let middle = (y0 + y1) / 2.0;
        canvas.roller(steel, x, radius, radius - 0.05, middle - 0.011, middle + 0.011);
        canvas.roller(steel, x, radius, 0.135, middle - 0.08, middle + 0.08);
        // The flange, towards the middle of the track.
        let flange = if side < 0.0 { y1 - 0.03 } else { y0 };
        canvas.roller(steel, x, radius, radius + 0.025, flange, flange + 0.03);
        let bearing = if side < 0.0 { -1.13 } else { 0.93 };
        canvas.roller(steel.times(0.7), x, radius, 0.105, bearing, bearing + 0.2);
    }
    canvas.roller(steel, x, radius, 0.082, -0.95, 0.95);
}

/// A freight truck of two axles about x.
pub(super) fn truck(canvas: &mut Canvas<'_>, dice: &mut Dice, x: f64, heavy: bool) {
    let radius = if heavy { WHEEL_RADII_M[2] } else { dice.pick(&WHEEL_RADII_M[..2]) };
    let half = if heavy { 0.915 } else { 0.87 };
    let steel = steel();
    // Cast side frames are hollow: two walls of 20 mm in 140.
    let cast = steel.times(0.28);
    for wheel in [x - half, x + half] {
        wheelset(canvas, wheel, radius);
    }
    for side in [-1.0, 1.0] {
        let (y0, y1) = if side < 0.0 { (-1.09, -0.95) } else { (0.95, 1.09) };
        let top = radius + 0.33;
        canvas.slope(cast, (x - half - 0.2, radius + 0.15), (x - 0.42, top), 0.14, y0, y1);
        canvas.slope(cast, (x + half + 0.2, radius + 0.15), (x + 0.42, top), 0.14, y0, y1);
        canvas.slab(cast, x - 0.42, x + 0.42, y0, y1, top - 0.07, top + 0.07);
        canvas.slope(cast, (x - half + 0.08, radius), (x - 0.36, 0.24), 0.13, y0, y1);
        canvas.slope(cast, (x + half - 0.08, radius), (x + 0.36, 0.24), 0.13, y0, y1);
        canvas.slab(cast, x - 0.36, x + 0.36, y0, y1, 0.17, 0.29);
        for post in [-0.37, 0.29] {
            canvas.slab(cast, x + post, x + post + 0.08, y0, y1, 0.24, top);
        }
        // Spring group: coils seen from the side, with light between them.
        for k in 0..4 {
            let spring = x - 0.2 + 0.133 * f64::from(k);
            canvas.drum(steel.times(0.42), spring, (y0 + y1) / 2.0, 0.055, 0.29, 0.29 + 0.22);
        }
        for wheel in [x - half, x + half] {
            canvas.slab(cast, wheel - 0.14, wheel + 0.14, y0, y1, radius + 0.1, radius + 0.22);
        }
    }
    // Bolster: a cast box across the car.
    canvas.slab(steel.times(0.14), x - 0.2, x + 0.2, -1.2, 1.2, 0.55, 0.78);
    canvas.drum(steel.times(0.8), x, 0.0, 0.2, 0.78, 0.9);
    for beam in [-0.42, 0.36] {
        canvas.slab(steel.times(0.35), x + beam, x + beam + 0.06, -0.75, 0.75, 0.36, 0.46);
    }
}

/// Coupler, draft gear and air hose of one end: pulling face at `face`, body beginning at `body`.
pub(super) fn coupler(canvas: &mut Canvas<'_>, dice: &mut Dice, face: f64, body: f64) {
    let steel = steel();
    let way = (body - face).signum();
    let (low, high) = (f64::min(face + 0.27 * way, body + 0.5 * way), f64::max(face + 0.27 * way, body + 0.5 * way));
    let droop = dice.span(-0.02, 0.02);
    canvas.slab(steel.times(0.75), low, high, -0.075, 0.075, 0.80 + droop, 0.95 + droop);
    let (low, high) = (f64::min(face, face + 0.27 * way), f64::max(face, face + 0.27 * way));
    canvas.slab(steel.times(0.55), low, high, -0.16, 0.16, 0.73 + droop, 1.02 + droop);
    canvas.drum(steel.times(0.8), face + 0.09 * way, 0.07, 0.08, 0.74 + droop, 1.01 + droop);
    // Uncoupling lever, hose and its gladhand.
    let rubber = Stuff::packed("polyethylene", 1.2);
    let (hose, drop) = (body - 0.05 * way, dice.span(0.28, 0.4));
    canvas.slope(rubber, (hose, 0.66), (face + 0.32 * way, drop + 0.05), 0.075, 0.28, 0.33);
    canvas.slope(rubber, (face + 0.32 * way, drop + 0.04), (face, drop + 0.1), 0.055, 0.28, 0.33);
    let (low, high) = (f64::min(face, face + 0.1 * way), f64::max(face, face + 0.1 * way));
    canvas.slab(steel.times(0.6), low, high, 0.26, 0.34, drop + 0.03, drop + 0.15);
    canvas.slab(steel, f64::min(body, body - 0.12 * way), f64::max(body, body - 0.12 * way), -1.3, -0.2, 0.96, 0.98);
}

/// Centre sill from x0 to x1: two webs and two flanges.
pub(super) fn sill(canvas: &mut Canvas<'_>, x0: f64, x1: f64, z0: f64, z1: f64) {
    pair(canvas, steel(), x0, x1, 0.155, 0.011, z0, z1);
    canvas.slab(steel(), x0, x1, -0.2, 0.2, z1 - 0.014, z1);
    canvas.slab(steel(), x0, x1, -0.2, 0.2, z0, z0 + 0.012);
}

/// Brake cylinder, reservoir, valve, rods and the train line, around `x`, under z.
pub(super) fn brakes(canvas: &mut Canvas<'_>, dice: &mut Dice, x: f64, x0: f64, x1: f64, z: f64) {
    let room = ((x1 - x0) / 2.0 - 2.0).clamp(0.05, 1.0);
    let side = if dice.chance(0.5) { -1.0 } else { 1.0 };
    let y = 0.75 * side;
    let shell = steel().times(0.2);
    let at = x + room * dice.span(-1.0, 1.0);
    canvas.tube(shell, at, at + 0.95, |_| Section::round(y, z - 0.25, 0.21, 0.21));
    canvas.slab(steel().times(0.5), at + 1.4, at + 1.75, y - 0.15, y + 0.15, z - 0.35, z - 0.08);
    canvas.tube(shell.times(1.6), at - 1.1, at - 0.55, |_| Section::round(-y, z - 0.24, 0.14, 0.14));
    canvas.slab(steel(), x0, at - 1.1, -y - 0.012, -y + 0.012, z - 0.27, z - 0.245);
    canvas.slab(steel(), at - 0.55, x1, -y - 0.012, -y + 0.012, z - 0.25, z - 0.225);
    // Train line: 1 1/4 inch pipe.
    canvas.slab(steel().times(0.45), x0 - 0.4, x1 + 0.4, y - 0.02, y + 0.02, z - 0.08, z - 0.04);
    for lever in [at - 1.2, at + 0.3] {
        canvas.slab(steel(), lever, lever + 0.07, -y - 0.02, -y + 0.02, z - 0.42, z - 0.08);
    }
}

/// Rungs on both sides between x and x + 0.42, from z0 to z1.
pub(super) fn ladder(canvas: &mut Canvas<'_>, x: f64, half: f64, z0: f64, z1: f64) {
    let mut z = z0;
    while z < z1 {
        pair(canvas, steel(), x, x + 0.42, half, 0.02, z, z + 0.02);
        z += 0.39;
    }
    for rail in [x - 0.02, x + 0.42] {
        pair(canvas, steel(), rail, rail + 0.025, half, 0.012, z0 - 0.05, z1 + 0.05);
    }
}

/// Hand brake housing and wheel at an end.
pub(super) fn hand_brake(canvas: &mut Canvas<'_>, x: f64, way: f64, z: f64) {
    let (a, b) = (f64::min(x, x + 0.14 * way), f64::max(x, x + 0.14 * way));
    canvas.slab(steel().times(0.25), a, b, 0.3, 0.6, z - 0.2, z + 0.2);
    let (a, b) = (f64::min(x + 0.16 * way, x + 0.2 * way), f64::max(x + 0.16 * way, x + 0.2 * way));
    canvas.slab(steel().times(0.4), a, b, 0.2, 0.72, z - 0.28, z + 0.28);
    let (a, b) = (f64::min(x + 0.05 * way, x + 0.08 * way), f64::max(x + 0.05 * way, x + 0.08 * way));
    canvas.slab(steel(), a, b, 0.43, 0.46, 0.7, z - 0.2);
}
