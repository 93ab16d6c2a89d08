//! Road vehicles on an autorack.

use super::super::attenuation::Stuff;
use super::super::cars::{Space, pair, steel};
use super::super::dice::Dice;
use super::super::geometry::{Canvas, Section};
use super::Item;

/// Road vehicles nose to tail on one deck.
pub(super) fn autos(canvas: &mut Canvas<'_>, space: Space, dice: &mut Dice, items: &mut Vec<Item>) {
    let mut x = space.x0 + dice.span(0.05, 0.5);
    let room = space.z1 - space.z0;
    let tall = room > 1.75 && dice.chance(0.6);
    loop {
        let length = if tall { dice.span(4.6, 5.4) } else { dice.span(4.1, 4.9) };
        if x + length > space.x1 {
            break;
        }
        if !dice.chance(0.06) {
            let height = if tall { dice.span(1.65, 1.85) } else { dice.span(1.35, 1.46) };
            auto(canvas, dice, x, length, space.z0, height.min(room - 0.03));
            items.push(Item { x: (x, x + length), y: (-0.9, 0.9), z: (space.z0 + 0.25, space.z0 + 0.8), stuff: steel().times(0.005) });
        }
        x += length + dice.span(0.1, 0.35);
    }
}

fn auto(canvas: &mut Canvas<'_>, dice: &mut Dice, x0: f64, length: f64, z: f64, height: f64) {
    let steel = steel();
    let half = 0.9;
    let flip = dice.chance(0.5);
    let at = |u: f64| if flip { x0 + length * (1.0 - u) } else { x0 + length * u };
    let span = |a: f64, b: f64| (at(a).min(at(b)), at(a).max(at(b)));
    let sheet = 0.0016;
    let waist = z + height * 0.62;
    // Body sides, with the roof line and the screens sloped.
    for side in [-1.0, 1.0] {
        canvas.prism(steel, x0, x0 + length, |x| {
            let u = if flip { 1.0 - (x - x0) / length } else { (x - x0) / length };
            let roof = z + height;
            let hood = z + height * 0.6;
            let top = if u < 0.25 {
                hood
            } else if u < 0.42 {
                hood + (roof - hood) * (u - 0.25) / 0.17
            } else if u < 0.85 {
                roof
            } else {
                roof - (roof - waist) * (u - 0.85) / 0.15
            };
            let low = z + 0.22;
            // Glass is half as heavy as sheet: the sides end at the waist, pillars do the rest.
            Section::new(side * half - sheet * 1.5, side * half + sheet * 1.5, low, top.min(waist + 0.03))
        });
    }
    let (r0, r1) = span(0.42, 0.86);
    canvas.slab(steel, r0, r1, -0.65, 0.65, z + height - 0.02, z + height - 0.017);
    for pillar in [0.3, 0.42, 0.62, 0.86] {
        let (a, b) = span(pillar, pillar + 0.02);
        pair(canvas, steel.times(0.12), a, b, 0.7, 0.06, waist, z + height);
    }
    let (f0, f1) = span(0.03, 0.97);
    canvas.slab(steel, f0, f1, -0.85, 0.85, z + 0.24, z + 0.2435);
    // Engine, gearbox, exhaust, tank, seats, wheels.
    let (e0, e1) = span(0.08, 0.2);
    canvas.slab(steel.times(0.23), e0, e1, -0.25, 0.3, z + 0.28, z + 0.75);
    let (g0, g1) = span(0.2, 0.28);
    canvas.slab(steel.times(0.2), g0, g1, -0.2, 0.15, z + 0.25, z + 0.5);
    let (h0, h1) = span(0.02, 0.05);
    canvas.slab(steel.times(0.06), h0, h1, -0.6, 0.6, z + 0.3, z + 0.7);
    let (t0, t1) = span(0.68, 0.78);
    canvas.slab(Stuff::packed("gasoline", dice.span(0.05, 0.35)), t0, t1, -0.5, 0.5, z + 0.25, z + 0.45);
    for seat in [0.46, 0.64] {
        let (a, b) = span(seat, seat + 0.09);
        canvas.slab(Stuff::packed("polyethylene", 0.12), a, b, -0.65, 0.65, z + 0.4, z + 0.55);
        let (a, b) = span(seat + 0.07, seat + 0.1);
        canvas.slab(Stuff::packed("polyethylene", 0.12), a, b, -0.65, 0.65, z + 0.5, z + height * 0.78);
    }
    for axle in [0.19, 0.79] {
        for (y0, y1) in [(-0.88, -0.68), (0.68, 0.88)] {
            canvas.roller(Stuff::packed("polyethylene", 0.35), at(axle), z + 0.32, 0.32, y0, y1);
            canvas.roller(steel.times(0.1), at(axle), z + 0.32, 0.2, y0, y1);
            canvas.roller(steel.times(0.7), at(axle), z + 0.32, 0.13, y0 + 0.08, y0 + 0.12);
        }
        canvas.roller(steel.times(0.5), at(axle), z + 0.32, 0.04, -0.68, 0.68);
    }
}
