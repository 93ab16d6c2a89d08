//! What the railway and the shipper declare against what is seen: declared empty but something in it, declared loaded but nothing in it, mass against waybill.

use super::attenuation::G_CM2_PER_MM;
use super::car::{CELL_MM, CarImage};
use super::consist::ConsistCar;
use super::finding::Suspect;
use super::residual::Residual;
use super::shape::{Kind, Shape};

/// Estimated mass of what is in a car, kg: (estimate, whether it is only a lower bound).
///
/// Thickness beyond an empty wall (the lower third of what the car has anywhere), times the area, over the cargo area. Steel-equivalent: goods rich in hydrogen
/// weigh 5-15 % less per attenuation (`shared/rail.md` 2.1).
pub fn cargo_mass_kg(image: &CarImage, shape: &Shape, residual: &Residual) -> (f64, bool) {
    let cells: Vec<usize> = (0..shape.cargo.len()).filter(|&index| shape.cargo[index]).collect();
    if cells.is_empty() {
        return (0.0, false);
    }
    let wall = residual.wall_mm.min(40.0);
    let limited = cells.iter().filter(|&&index| image.limited[index]).count();
    let excess: f64 = cells.iter().map(|&index| (f64::from(image.steel_mm[index]) - wall).max(-wall)).sum();
    let mass = excess.max(0.0) * G_CM2_PER_MM * CELL_MM * CELL_MM / 100.0 / 1000.0;
    (mass, limited * 50 > cells.len())
}

/// What the estimate of a mass is off by where nothing is wrong: 35 % and 3 t, for hydrogen, geometry and the wall each cost some 10 %.
fn margin_kg(mass_kg: f64) -> f64 {
    0.35 * mass_kg + 3000.0
}

/// Probability that a contradiction is one: its score is the logarithm of its odds. At most 0.85: where half of all cars are
/// tampered with, 14 % of the clean ones and 82 % of the others are not cleared (`models/rail.card.md`), and of a car that is not, as much can be said.
pub fn probability(suspect: &Suspect) -> f64 {
    (1.0 / (1.0 + (-suspect.score).exp())).min(0.85)
}

/// Contradictions between the list and the picture, their scores in log odds; `empty` is the probability that nothing is in the car.
pub fn suspects(image: &CarImage, shape: &Shape, residual: &Residual, entry: &ConsistCar, empty: f64) -> Vec<Suspect> {
    if shape.kind == Kind::Locomotive || entry.locomotive {
        return Vec::new();
    }
    let mut suspects = Vec::new();
    let (mass_kg, at_least) = cargo_mass_kg(image, shape, residual);
    let h = image.height;
    let rows: Vec<usize> = (0..h).filter(|&y| shape.body.clone().any(|x| shape.cargo[x * h + y])).collect();
    let y = rows.first().copied().unwrap_or(0)..rows.last().map_or(1, |&row| row + 1);
    let whole = |kind: &'static str, score: f64, mass_kg: f64| {
        let cells = shape.cargo.iter().filter(|&&cargo| cargo).count().max(1);
        let thickness = (0..shape.cargo.len()).filter(|&index| shape.cargo[index]).map(|index| f64::from(image.steel_mm[index])).sum::<f64>() / cells as f64;
        let excess_mm = mass_kg * 1000.0 / (G_CM2_PER_MM * CELL_MM * CELL_MM / 100.0);
        // The margin is what two standard errors are.
        let sigma_mm = 0.5 * margin_kg(mass_kg.abs()) * 1000.0 / (G_CM2_PER_MM * CELL_MM * CELL_MM / 100.0);
        Suspect { detector: "manifest", kind, x: shape.body.clone(), y: y.clone(), score, excess_mm, sigma_mm, cells, thickness_mm: thickness }
    };
    let odds = |p: f64| (p.clamp(1e-6, 1.0 - 1e-6) / (1.0 - p.clamp(1e-6, 1.0 - 1e-6))).ln();
    let weight_kg = entry.weight_kg.filter(|_| entry.loaded != Some(false));
    let is_said_loaded = entry.loaded.unwrap_or_else(|| weight_kg.is_some_and(|declared| declared > margin_kg(declared)));
    if entry.loaded == Some(false) && empty < 0.5 {
        suspects.push(whole("empty-mismatch", -odds(empty), mass_kg));
    } else if is_said_loaded && empty > 0.5 {
        // What is missing, where the list says how much there should be.
        suspects.push(whole("manifest", odds(empty), weight_kg.map_or(0.0, |declared| mass_kg - declared)));
    } else if let Some(declared) = weight_kg {
        let margin = margin_kg(declared);
        if mass_kg > declared + margin || (!at_least && mass_kg < declared - margin) {
            // At the margin as likely as not; at two of them, seven to one.
            suspects.push(whole("manifest", 2.0 * ((mass_kg - declared).abs() / margin - 1.0), mass_kg - declared));
        }
    }
    suspects
}
