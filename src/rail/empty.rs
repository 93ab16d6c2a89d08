//! Is there nothing in this car? Per kind of car, because an empty tank has more steel in the beam than a boxcar with parcels.
//!
//! Two questions in one probability: is it loaded at all (is its cargo area thicker than such a car's walls, or opaque), and if not, does any detector
//! see something hidden. `empty_probability` speaks of nothing being in the car, declared or hidden.
//!
//! The limits come from simulated cars, loads and empties of every kind (`garita synth rail`).

use super::car::CarImage;
use super::residual::quantile;
use super::shape::{Kind, Shape};

/// Where an empty car of a kind ends: which share of its cargo area is looked at (0.75: three quarters of it are thinner), how thick that may be in mm of
/// steel, and how much of the area may be penetration-limited. Between what 98 % of 188 empties and 141 loaded cars of `garita synth rail` have (Cs-137).
fn limits(kind: Kind) -> (f64, f64, f64) {
    match kind {
        Kind::Boxcar => (0.9, 28.0, 0.05),
        Kind::Tank => (0.5, 60.0, 0.25),
        Kind::Hopper => (0.75, 26.0, 0.05),
        Kind::Gondola => (0.75, 42.0, 0.04),
        Kind::Autorack => (0.9, 35.0, 0.02),
        Kind::Well => (0.75, 29.0, 0.05),
        Kind::Flat => (0.75, 34.0, 0.04),
        Kind::Locomotive | Kind::Other => (0.75, 30.0, 0.05),
    }
}

/// What speaks for a load.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fill {
    /// Thickness that the kind's share of the cargo area is below, mm of steel, where it was measured.
    pub thickness_mm: f64,
    /// Fraction of the cargo area that cannot be judged: penetration-limited, or not measured.
    pub limited: f64,
}

impl Fill {
    /// Looks at the cargo area.
    pub fn of(image: &CarImage, shape: &Shape) -> Fill {
        let cells: Vec<usize> = (0..shape.cargo.len()).filter(|&index| shape.cargo[index]).collect();
        let limited = cells.iter().filter(|&&index| image.is_hidden(index)).count() as f64 / cells.len().max(1) as f64;
        // What is not penetrated is thicker than anything that is.
        let measured = cells.iter().filter(|&&index| !image.unmeasured[index]);
        let mut thickness: Vec<f32> = measured.map(|&index| if image.limited[index] { 1000.0 } else { image.steel_mm[index] }).collect();
        Fill { thickness_mm: f64::from(quantile(&mut thickness, limits(shape.kind).0)), limited }
    }

    /// Probability that no cargo is in the car, whatever may be hidden.
    pub fn unloaded(&self, kind: Kind) -> f64 {
        if kind == Kind::Locomotive {
            return 0.0;
        }
        let (_, thickest, most) = limits(kind);
        // The steepness is a guess: an eighth below the limit is 73 %, an eighth above it 27 %.
        let margin = ((thickest - self.thickness_mm) / thickest).min((most - self.limited) / most);
        1.0 / (1.0 + (-8.0 * margin).exp())
    }
}

/// Probability that nothing is in the car: unloaded, and no detector's score is rarer among normal empties than one in a hundred.
pub fn probability(unloaded: f64, lowest_false_alarm_rate: f64) -> f64 {
    // Even odds at 1.2 %: at 2 % false alarms the officer would be sent to one clean empty in fifty (issue 4 asks for 98 % cleared).
    let hidden = 1.0 / (1.0 + ((lowest_false_alarm_rate.max(1e-9).ln() - 0.012_f64.ln()) * 2.0).exp());
    unloaded * (1.0 - hidden)
}
