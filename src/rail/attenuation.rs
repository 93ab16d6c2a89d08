//! What a transmission means in steel: the source's lines, and thickness with its error from T with its.
//!
//! A gamma scan measures areal electron density and nothing else (`shared/rail.md` 2.1: μ/ρ of everything but lead, tungsten and uranium is within
//! 0.0735-0.088 cm²/g at 662 keV), so the unit is *steel-equivalent*: what thickness of steel would let as much through.
//!
//! Assumptions: an isotope's lines are detected equally well. A linac is one line at its effective energy, a third of the end point (6 MV → 2 MeV, the
//! "linac ~2 MeV eff." of `shared/rail.md` 2.2); beam hardening is not modelled, so that behind much steel a real linac shows somewhat less than is there.

use super::scan::Source;

/// Density of steel, g/cm³.
pub const STEEL_G_CM3: f64 = 7.85;

/// Steel-equivalent g/cm² of one millimetre.
pub const G_CM2_PER_MM: f64 = STEEL_G_CM3 / 10.0;

/// μ/ρ of iron in cm²/g against energy in MeV: NIST XCOM (`shared/rail.md` 2.1 for 0.662-1.333; the same tables beyond).
const IRON: [(f64, f64); 13] = [
    (0.3, 0.1099),
    (0.4, 0.09400),
    (0.5, 0.08414),
    (0.662, 0.07347),
    (0.8, 0.06699),
    (1.0, 0.05995),
    (1.25, 0.05350),
    (1.5, 0.04883),
    (2.0, 0.04265),
    (3.0, 0.03621),
    (4.0, 0.03312),
    (6.0, 0.03057),
    (8.0, 0.02991),
];

/// How steel attenuates this source.
#[derive(Debug, Clone, PartialEq)]
pub struct Attenuation {
    /// (share of what the open detector sees, μ/ρ of steel in cm²/g); one or two lines.
    lines: Vec<(f64, f64)>,
    /// Whether the file said what shines; otherwise Cs-137 is assumed, and thicknesses are in proportion.
    pub known: bool,
}

impl Attenuation {
    /// The attenuation of what shines.
    pub fn of(source: &Source) -> Attenuation {
        let named = source.nuclide.as_deref().unwrap_or("").to_ascii_lowercase();
        let number = || {
            let digits: String = named.chars().skip_while(|character| !character.is_ascii_digit()).take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            digits.parse::<f64>().ok()
        };
        let stated = |key: &str| source.other.get(key).and_then(serde_json::Value::as_f64);
        let line = |mev: f64| Attenuation { lines: vec![(1.0, iron(mev))], known: true };
        if let Some(mev) = stated("effective_MeV").or_else(|| stated("energy_MeV")).or_else(|| stated("MeV")) {
            return line(mev);
        }
        if named.starts_with("cs") {
            return line(0.662);
        }
        if named.starts_with("co") {
            return Attenuation { lines: vec![(0.5, 0.05529), (0.5, 0.05179)], known: true };
        }
        if let Some(mv) = source.mv {
            return line(mv / 3.0);
        }
        if named.contains("linac") || named.contains("x-ray") || named.contains("mev") || named.contains("mv") {
            let energy = number().unwrap_or(2.0);
            return line(if named.contains("mev") || energy <= 2.5 { energy } else { energy / 3.0 });
        }
        Attenuation { known: false, ..line(0.662) }
    }

    /// The transmission behind `steel_mm` of steel.
    pub fn transmission(&self, steel_mm: f64) -> f64 {
        let areal = steel_mm * G_CM2_PER_MM;
        self.lines.iter().map(|&(share, mu)| share * (-mu * areal).exp()).sum()
    }

    /// Steel-equivalent mm for a transmission, and its derivative in mm per unit of T (negative); T is kept to `1e-9..`, above 1 gives negative thickness.
    pub fn thickness_mm(&self, transmission: f64) -> (f64, f64) {
        let t = transmission.max(1e-9);
        let first = self.lines[0].1;
        let mut areal = -t.ln() / first;
        if self.lines.len() > 1 {
            // Newton on ln T: the sum of two close lines is nearly one exponential, three steps reach 1e-9.
            for _ in 0..3 {
                let (value, slope) = self.value_and_slope(areal);
                areal += (value / t).ln() * value / -slope;
            }
        }
        let (_, slope) = self.value_and_slope(areal);
        (areal / G_CM2_PER_MM, 1.0 / (slope * G_CM2_PER_MM))
    }

    /// T and dT/d(areal density) behind `areal` g/cm² of steel.
    fn value_and_slope(&self, areal: f64) -> (f64, f64) {
        self.lines.iter().fold((0.0, 0.0), |(value, slope), &(share, mu)| {
            let part = share * (-mu * areal).exp();
            (value + part, slope - mu * part)
        })
    }
}

/// μ/ρ of iron at an energy, log-log between the table's points.
fn iron(mev: f64) -> f64 {
    let mev = mev.clamp(IRON[0].0, IRON[IRON.len() - 1].0);
    let above = IRON.iter().position(|&(energy, _)| energy >= mev).unwrap_or(IRON.len() - 1).max(1);
    let ((e0, m0), (e1, m1)) = (IRON[above - 1], IRON[above]);
    (m0.ln() + (m1 / m0).ln() * (mev / e0).ln() / (e1 / e0).ln()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steel_goes_there_and_back() {
        for name in ["Cs-137", "Co-60", "linac 6 MV", "linac-2MeV"] {
            let attenuation = Attenuation::of(&Source { nuclide: Some(name.into()), ..Source::default() });
            assert!(attenuation.known);
            for steel_mm in [0.5, 5.0, 20.0, 80.0, 150.0] {
                let t = attenuation.transmission(steel_mm);
                let (back, slope) = attenuation.thickness_mm(t);
                assert!((back - steel_mm).abs() < 1e-4, "{name}: {steel_mm} mm came back as {back}");
                let (near, _) = attenuation.thickness_mm(t * 1.001);
                assert!(((near - back) / (t * 0.001) / slope - 1.0).abs() < 0.01, "{name}: slope at {steel_mm}");
            }
        }
        // `shared/rail.md` 2.2, an empty tank car: 25 g/cm² of steel let 0.16, 0.26 and 0.34 through.
        for (name, wanted) in [("Cs-137", 0.16), ("Co-60", 0.26), ("linac 6 MV", 0.34)] {
            let t = Attenuation::of(&Source { nuclide: Some(name.into()), ..Source::default() }).transmission(25.0 / G_CM2_PER_MM);
            assert!((t - wanted).abs() < 0.01, "{name}: {t}");
        }
    }
}
