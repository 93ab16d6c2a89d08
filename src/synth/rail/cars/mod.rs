//! Rolling stock: what each kind of car is made of, by the common AAR measures (`shared/rail.md` 2.5), drawn with a seed per car so that the same
//! car comes out the same on every visit.
//!
//! Assumptions: masses and outlines are of the class, not of one builder's drawing; sheets are flat where real ones are pressed;
//! every second car of a series differs by its patches, which is what an earlier scan of the same number is compared with.

mod bodies;
mod flats;
mod under;

use serde::Serialize;

use super::attenuation::Stuff;
use super::dice::Dice;
use super::geometry::Canvas;

pub(crate) use flats::container;

/// The kinds of car, named as `garita inspect` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Closed box with side doors.
    Boxcar,
    /// Tank car, with and without insulation.
    Tank,
    /// Hopper, covered or open.
    Hopper,
    /// Open top with a flat floor.
    Gondola,
    /// Two or three decks of road vehicles.
    Autorack,
    /// Containers in wells, single or articulated.
    Well,
    /// Flat: plain, bulkhead, centre beam, with trailers.
    Flat,
    /// Diesel locomotive.
    Locomotive,
    /// Coil cars and cabooses.
    Other,
}

impl Kind {
    /// All kinds that carry something, as often as a North American manifest train has them (a guess at a mix, not a statistic).
    pub const MIX: [(Kind, f64); 8] = [
        (Kind::Boxcar, 0.18),
        (Kind::Tank, 0.2),
        (Kind::Hopper, 0.18),
        (Kind::Gondola, 0.13),
        (Kind::Autorack, 0.1),
        (Kind::Well, 0.1),
        (Kind::Flat, 0.08),
        (Kind::Other, 0.03),
    ];

    /// One of the mix.
    pub fn draw(dice: &mut Dice) -> Kind {
        let mut left = dice.unit() * Kind::MIX.iter().map(|m| m.1).sum::<f64>();
        for (kind, share) in Kind::MIX {
            left -= share;
            if left < 0.0 {
                return kind;
            }
        }
        Kind::Boxcar
    }

    /// True where loose things move between two visits, so that an earlier scan differs without anybody's wrongdoing.
    #[must_use]
    pub fn clutter_changes(self) -> bool {
        matches!(self, Kind::Boxcar | Kind::Gondola | Kind::Well | Kind::Flat | Kind::Other)
    }
}

/// How a car of a kind is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// The usual one.
    Plain,
    /// Tank: insulated and jacketed; flat: bulkheads; hopper: open top; other: caboose.
    Second,
    /// Flat: centre beam; tank: pressure.
    Third,
    /// Flat: with trailers.
    Fourth,
}

/// One car, as it is whatever it carries.
#[derive(Debug, Clone)]
pub struct Car {
    /// Its kind.
    pub kind: Kind,
    pub(crate) build: Build,
    /// Over the pulling faces of its couplers, m.
    pub length_m: f64,
    /// Axles, all platforms together.
    pub axles: usize,
    /// Units that share one reporting mark: 1, or 3 or 5 for articulated wells.
    pub platforms: usize,
    /// Owner's letters and number.
    pub mark: String,
    /// Draws its steel.
    pub seed: u64,
}

/// Room for goods (and for what hides among them) in a car, m in the car's own axes.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// Head end.
    pub x0: f64,
    /// Tail end.
    pub x1: f64,
    /// Half the inner width.
    pub half_width: f64,
    /// Floor.
    pub z0: f64,
    /// Ceiling, or the top of the sides of an open car.
    pub z1: f64,
    /// What shape it has.
    pub form: Form,
}

/// The shape of a [`Space`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// A room with a floor.
    Room,
    /// A lying cylinder with round heads.
    Cylinder,
    /// One bay of a hopper: its floor falls from both ends to a gate.
    Bay {
        /// Middle of the gate, m.
        gate_x: f64,
        /// Height of the floor at the head end, m.
        head_z: f64,
        /// Height of the floor at the tail end, m.
        tail_z: f64,
    },
    /// A place to stand things on, open on all sides.
    Deck,
    /// One deck of an autorack.
    Rack,
    /// The inside of a container.
    Container,
    /// A place for one container, by its length in the well.
    Well,
}

impl Space {
    /// Height of the floor at x, m.
    #[must_use]
    pub fn floor_m(&self, x: f64) -> f64 {
        let Form::Bay { gate_x, head_z, tail_z } = self.form else { return self.z0 };
        let (end_z, run, length) =
            if x < gate_x { (head_z, gate_x - 0.42 - x, gate_x - 0.42 - self.x0) } else { (tail_z, x - gate_x - 0.42, self.x1 - gate_x - 0.42) };
        self.z0 + (end_z - self.z0) * (run / length.max(0.1)).clamp(0.0, 1.0)
    }
}

impl Car {
    /// A car of this kind, its measures and mark drawn from `seed`.
    #[must_use]
    pub fn draw(kind: Kind, seed: u64) -> Car {
        let mut dice = Dice::new(seed, 1);
        let mut build = Build::Plain;
        let mut platforms = 1;
        let mut axles = 4;
        let length_m = match kind {
            Kind::Boxcar => dice.pick(&[16.9, 17.9, 20.6]) + dice.span(-0.15, 0.15),
            Kind::Tank => {
                build = dice.pick(&[Build::Plain, Build::Plain, Build::Second, Build::Third]);
                match build {
                    Build::Third => dice.span(18.6, 20.4),
                    _ => dice.span(13.2, 18.4),
                }
            }
            Kind::Hopper => {
                build = if dice.chance(0.25) { Build::Second } else { Build::Plain };
                if build == Build::Second { dice.span(14.6, 16.4) } else { dice.span(15.2, 20.2) }
            }
            Kind::Gondola => dice.span(15.8, 20.0),
            Kind::Autorack => dice.span(28.2, 28.5),
            Kind::Well => {
                platforms = dice.pick(&[1, 1, 1, 3, 3, 5]);
                axles = 2 * (platforms + 1);
                let (end, joint) = flats::WELL_ENDS_M;
                let well = flats::well_length_m(seed);
                2.0 * end + well * platforms as f64 + joint * (platforms - 1) as f64
            }
            Kind::Flat => {
                build = dice.pick(&[Build::Plain, Build::Second, Build::Third, Build::Fourth]);
                match build {
                    Build::Fourth => dice.span(27.9, 28.3),
                    Build::Third => dice.span(22.0, 24.6),
                    _ => dice.span(19.2, 23.4),
                }
            }
            Kind::Locomotive => {
                axles = 6;
                dice.span(21.2, 23.1)
            }
            Kind::Other => {
                build = if dice.chance(0.6) { Build::Plain } else { Build::Second };
                if build == Build::Second { dice.span(11.0, 12.4) } else { dice.span(16.4, 18.4) }
            }
        };
        let mark = format!("{} {}", owner(kind, &mut dice), dice.count(1_000, 999_999));
        Car { kind, build, length_m, axles, platforms, mark, seed }
    }

    /// Draws the empty car and says where goods go. Called again it draws the same.
    pub fn body(&self, canvas: &mut Canvas<'_>) -> Vec<Space> {
        let mut dice = Dice::new(self.seed, 2);
        match self.kind {
            Kind::Boxcar => bodies::boxcar(self, canvas, &mut dice),
            Kind::Tank => bodies::tank(self, canvas, &mut dice),
            Kind::Hopper => bodies::hopper(self, canvas, &mut dice),
            Kind::Gondola => bodies::gondola(self, canvas, &mut dice),
            Kind::Autorack => bodies::autorack(self, canvas, &mut dice),
            Kind::Well => flats::well(self, canvas, &mut dice),
            Kind::Flat => flats::flat(self, canvas, &mut dice),
            Kind::Locomotive => flats::locomotive(self, canvas, &mut dice),
            Kind::Other if self.build == Build::Plain => flats::coil_car(self, canvas, &mut dice),
            Kind::Other => flats::caboose(self, canvas, &mut dice),
        }
    }
}

/// Reporting marks as the kind's usual owners have them (public letters; the numbers are drawn).
fn owner(kind: Kind, dice: &mut Dice) -> &'static str {
    match kind {
        Kind::Tank => dice.pick(&["GATX", "UTLX", "ACFX", "PROX", "TILX", "CTCX"]),
        Kind::Hopper => dice.pick(&["GACX", "CEFX", "BNSF", "UP", "KCSM", "NAHX"]),
        Kind::Autorack => dice.pick(&["TTGX", "ETTX", "CTTX", "FXE"]),
        Kind::Well => dice.pick(&["DTTX", "TTAX", "BNSF", "NDTX"]),
        Kind::Locomotive => dice.pick(&["UP", "BNSF", "FXE", "KCSM"]),
        _ => dice.pick(&["FXE", "KCSM", "UP", "BNSF", "NS", "CSXT", "TTX", "RBOX"]),
    }
}

/// Steel, the most used word of these files.
pub(crate) fn steel() -> Stuff {
    Stuff::of("steel")
}

/// A pair of equal slabs, left and right: `half` from the middle to their inner face, `thick` deep.
#[allow(clippy::too_many_arguments)]
pub(crate) fn pair(canvas: &mut Canvas<'_>, stuff: Stuff, x0: f64, x1: f64, half: f64, thick: f64, z0: f64, z1: f64) {
    canvas.slab(stuff, x0, x1, -half - thick, -half, z0, z1);
    canvas.slab(stuff, x0, x1, half, half + thick, z0, z1);
}

/// Doublers welded over rust and dents: the fingerprint of one car among its series.
pub(crate) fn patches(canvas: &mut Canvas<'_>, dice: &mut Dice, space: Space, most: usize) {
    for _ in 0..dice.count(0, most) {
        let (length, height) = (dice.span(0.2, 1.3), dice.span(0.15, 0.8));
        let x = dice.span(space.x0, (space.x1 - length).max(space.x0 + 0.01));
        let z = dice.span(space.z0, (space.z1 - height).max(space.z0 + 0.01));
        let half = if dice.chance(0.5) { space.half_width } else { -space.half_width - 0.02 };
        canvas.slab(steel(), x, x + length, half, half + dice.span(0.0012, 0.003), z, z + height);
    }
}
