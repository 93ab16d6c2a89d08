//! What lies about in an empty: nobody's wrongdoing, and every false alarm's first suspect.

use super::super::attenuation::Stuff;
use super::super::cars::{Form, Space, steel};
use super::super::dice::Dice;
use super::super::geometry::{Canvas, Section};
use super::pour;

/// What is in an empty: what the last load left, and what the crew keeps there. `clutter` moves between visits; what `goods` draws stays.
pub(super) fn empty(canvas: &mut Canvas<'_>, space: Space, goods: &mut Dice, clutter: &mut Dice) {
    match space.form {
        Form::Cylinder => {
            // A heel.
            if goods.chance(0.6) {
                let stuff = goods.pick(&[Stuff::packed("gasoline", 0.8), Stuff::packed("water", 1.2), Stuff::of("sulfuric acid")]);
                pour(canvas, space, stuff, space.z0 + goods.log_span(0.01, 0.12));
            }
        }
        Form::Bay { gate_x: middle, .. } => {
            // Grain left on the slopes and over the gate.
            if goods.chance(0.4) {
                let high = goods.span(0.02, 0.15);
                canvas.prism(Stuff::of("grain"), middle - 0.5, middle + 0.5, |x| {
                    Section::new(-0.5, 0.5, space.z0, space.z0 + high * (1.0 - ((x - middle) / 0.5).abs()))
                });
            }
        }
        Form::Rack => {
            // Wheel chocks stay on the deck.
            for _ in 0..goods.count(0, 10) {
                let x = goods.span(space.x0, space.x1 - 0.3);
                let y = goods.pick(&[-0.8, 0.75]);
                canvas.slab(Stuff::packed("polyethylene", 0.5), x, x + 0.25, y, y + 0.1, space.z0, space.z0 + 0.15);
            }
        }
        Form::Room | Form::Container | Form::Deck | Form::Well => debris(canvas, space, clutter),
    }
}

/// Dunnage, straps, sweepings, broken pallets, tarpaulins.
fn debris(canvas: &mut Canvas<'_>, space: Space, dice: &mut Dice) {
    let wood = Stuff::of("wood");
    let length = space.x1 - space.x0;
    for _ in 0..dice.count(0, (length * 0.45) as usize) {
        let x = dice.span(space.x0, space.x1 - 0.6);
        let y = dice.span(-space.half_width, space.half_width - 0.4);
        let room = space.x1 - x;
        match dice.count(0, 7) {
            0 | 1 => {
                // Timber lying lengthwise.
                let long = dice.log_span(0.4, 3.0).min(room);
                canvas.slab(wood, x, x + long, y, y + dice.span(0.08, 0.2), space.z0, space.z0 + dice.span(0.04, 0.12));
            }
            2 => {
                // Timber lying across.
                let across = dice.span(0.4, 1.6).min(space.half_width - y);
                canvas.slab(wood, x, x + 0.1, y, y + across, space.z0, space.z0 + 0.1);
            }
            3 => {
                // A board leaning on the wall or an end.
                let long = dice.span(0.3, 1.2).min(room);
                canvas.slope(wood, (x, space.z0 + 0.02), (x + long, space.z0 + dice.span(0.4, 1.6).min(space.z1 - space.z0)), 0.04, y, y + 0.15);
            }
            4 => {
                // Sweepings.
                let (rx, rz) = (dice.span(0.2, 0.9).min(room / 2.0), dice.log_span(0.02, 0.18));
                let stuff = dice.pick(&[Stuff::packed("grain", 0.4), Stuff::packed("paper", 0.2), Stuff::packed("limestone", 1.2), Stuff::packed("coal", 0.6)]);
                canvas.prism(stuff, x, x + 2.0 * rx, |at| {
                    let u = 1.0 - ((at - x - rx) / rx).powi(2);
                    Section::new(y, y + 0.6, space.z0, space.z0 + rz * u.max(0.0))
                });
            }
            5 => {
                // Empty pallets, one to four.
                for k in 0..dice.count(1, 4) {
                    let z = space.z0 + 0.145 * k as f64;
                    let (a, b) = (x, (x + 1.2).min(space.x1));
                    canvas.slab(wood, a, b, y, y + 0.9, z, z + 0.022);
                    canvas.slab(wood, a, b, y, y + 0.9, z + 0.118, z + 0.14);
                    canvas.slab(wood.times(0.25), a, b, y, y + 0.9, z + 0.022, z + 0.118);
                }
            }
            6 => {
                // A folded tarpaulin or air bags.
                let (rx, rz) = (dice.span(0.2, 0.5).min(room / 2.0), dice.span(0.06, 0.2));
                canvas.ellipsoid(Stuff::packed("polyethylene", dice.span(0.1, 0.4)), x + rx, y + 0.3, space.z0 + rz, rx, 0.3, rz);
            }
            _ => {
                // Bars, chains, a length of pipe.
                let long = dice.span(0.3, 2.4).min(room);
                canvas.slab(steel().times(0.6), x, x + long, y, y + 0.04, space.z0, space.z0 + dice.span(0.02, 0.05));
            }
        }
    }
    if matches!(space.form, Form::Room | Form::Container) && dice.chance(0.3) {
        // Load bars or bulkhead panels left standing.
        let (x, z) = (dice.span(space.x0 + 0.2, space.x1 - 0.2), space.z0 + dice.span(0.6, 1.7));
        canvas.slab(steel().times(0.3), x, x + 0.05, -space.half_width, space.half_width, z, z + 0.1);
    }
}
