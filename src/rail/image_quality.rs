//! How well this portal sees today: figures in the spirit of ANSI N42.46 and IEC 62523, from the scan itself.
//!
//! - *penetration*: thickest steel behind which an opaque block of 10 x 10 cm still stands out with d' = 5;
//! - *contrast*: thinnest steel, 10 x 10 cm, that stands out with d' = 3 behind 0, 25, 50 and 100 mm of steel;
//! - *wire*: thinnest steel wire, 0.5 m of it in air, that stands out with d' = 3;
//! - *resolution*: width of an edge (10 to 90 %) along the train, from the cars' own ends;
//! - *striping*: how much the detectors' levels differ after calibration, in gaps, over what quanta explain.
//!
//! d'² = Σ (ΔI)²/I, the ideal observer of `shared/rail.md` 2.3, with I from this scan's own quanta (variance over mean, so that lost gain, a decayed source
//! or a faster train all show) and the veil of scatter that its opaque parts show. The formulas give that table's figures for its configurations.

use serde::Serialize;

use super::attenuation::Attenuation;
use super::calibrate::Calibration;

/// The figures of one scan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageQuality {
    /// Quanta per pixel in open beam.
    pub air_quanta: f64,
    /// See the module.
    pub penetration_mm_steel: f64,
    /// Behind 0, 25, 50 and 100 mm.
    pub contrast_mm_steel: [f64; 4],
    /// Diameter, mm.
    pub wire_mm_steel: f64,
    /// Transmission that shows where nothing should come through.
    pub veil: f64,
    /// 10-90 % width of an edge along the train, mm; null where no edge was sharp.
    pub resolution_mm: Option<f64>,
    /// Fraction of open beam.
    pub striping: Option<f64>,
}

/// Grounds that contrast is given for, mm of steel.
pub const GROUNDS_MM: [f64; 4] = [0.0, 25.0, 50.0, 100.0];

impl ImageQuality {
    /// From a scan's quanta per pixel, pixel size, source, and veil (0 where nothing opaque was seen).
    pub fn new(calibration: &Calibration, pixel_mm2: f64, veil: f64) -> ImageQuality {
        let quanta = f64::from(calibration.air_quanta());
        let attenuation = &calibration.attenuation;
        ImageQuality {
            air_quanta: quanta,
            penetration_mm_steel: penetration_mm(attenuation, quanta, pixel_mm2, veil),
            contrast_mm_steel: GROUNDS_MM.map(|ground| contrast_mm(attenuation, quanta, pixel_mm2, veil, ground)),
            wire_mm_steel: wire_mm(attenuation, quanta, pixel_mm2),
            veil,
            resolution_mm: None,
            striping: None,
        }
    }
}

/// Thickest steel behind which an opaque block of 10 x 10 cm has d' = 5.
pub fn penetration_mm(attenuation: &Attenuation, quanta: f64, pixel_mm2: f64, veil: f64) -> f64 {
    let open = quanta * 10_000.0 / pixel_mm2;
    let (mut low, mut high) = (0.0, 1000.0);
    for _ in 0..50 {
        let middle = (low + high) / 2.0;
        let t = attenuation.transmission(middle);
        if open * t * t / (t + veil) > 25.0 { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Thinnest additional steel of 10 x 10 cm with d' = 3 behind `ground_mm`, to first order (what the table of `shared/rail.md` 2.3 gives, so that figures
/// compare; behind 100 mm and Cs-137, where hardly a quantum is left, the exact answer is two thirds more).
pub fn contrast_mm(attenuation: &Attenuation, quanta: f64, pixel_mm2: f64, veil: f64, ground_mm: f64) -> f64 {
    let open = quanta * 10_000.0 / pixel_mm2;
    let t = attenuation.transmission(ground_mm);
    let slope = (t - attenuation.transmission(ground_mm + 0.01)) / 0.01;
    3.0 * (t + veil).sqrt() / (slope * open.sqrt())
}

/// Thinnest wire of 0.5 m in air with d' = 3: in a row of pixels wider than it, each loses the wire's area.
fn wire_mm(attenuation: &Attenuation, quanta: f64, pixel_mm2: f64) -> f64 {
    let edge = pixel_mm2.sqrt();
    let pixels = 500.0 / edge;
    let visible = |diameter: f64| {
        // Mean chord of a round wire is π/4 of its diameter; it covers diameter/edge of the pixel.
        let lost = (1.0 - attenuation.transmission(diameter * std::f64::consts::FRAC_PI_4)) * (diameter / edge).min(1.0);
        quanta * pixels * lost * lost > 9.0
    };
    let (mut low, mut high) = (0.0, 100.0);
    for _ in 0..50 {
        let middle = (low + high) / 2.0;
        if visible(middle) { high = middle } else { low = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::super::scan::Source;
    use super::*;

    #[test]
    fn the_figures_of_the_published_table() {
        // `shared/rail.md` 2.3: quanta per 16 mm pixel, penetration, contrast over 0, 25, 50, 100 mm.
        for (name, quanta, penetration, contrast) in
            [("Cs-137", 161.0, 96.0, [0.7, 1.3, 2.8, 11.7]), ("Co-60", 96.0, 119.0, [1.2, 2.0, 3.3, 9.5]), ("Cs-137", 61.0, 79.0, [1.1, 2.2, 4.5, 19.0])]
        {
            let attenuation = Attenuation::of(&Source { nuclide: Some(name.into()), ..Source::default() });
            let found = penetration_mm(&attenuation, quanta, 256.0, 0.0);
            assert!((found - penetration).abs() < 5.0, "{name} {quanta}: penetration {found}");
            for (ground, wanted) in GROUNDS_MM.into_iter().zip(contrast) {
                let found = contrast_mm(&attenuation, quanta, 256.0, 0.0, ground);
                assert!((found - wanted).abs() < 0.12 * wanted + 0.06, "{name} {quanta} over {ground}: {found}, expected {wanted}");
            }
        }
    }
}
