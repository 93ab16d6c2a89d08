//! A flat with test objects: a wedge of steel, opaque blocks behind steel, thin steps, wires, bar patterns; for the image-quality self-test.
//!
//! All plates stand square to the level ray in the middle of the track, so that a plate's thickness along a ray is its own times that ray's secant.

use serde::Serialize;

use super::attenuation::Stuff;
use super::cars::{Car, Kind, pair, steel};
use super::geometry::{Canvas, Rays};

/// Steps of the wedge, mm of steel.
pub const WEDGE_MM: [f64; 12] = [5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 100.0];

/// One test piece.
#[derive(Debug, Clone, Serialize)]
pub struct Piece {
    /// `wedge`, `block`, `contrast`, `wire` or `bars`.
    pub kind: &'static str,
    /// Steel in the beam, mm (without the piece, for a block or contrast piece).
    pub steel_mm: f64,
    /// The piece's own measure: thickness or diameter, mm.
    pub size_mm: f64,
    /// From-to along the car, m from its head.
    pub x_m: [f64; 2],
    /// From-to height over the rail, m, at the middle of the track.
    pub z_m: [f64; 2],
    /// First and last detector that see it whole.
    pub detectors: [usize; 2],
}

/// The test car: 20 m, axles like any flat.
#[must_use]
pub fn car(seed: u64) -> Car {
    let mut car = Car::draw(Kind::Flat, seed);
    car.kind = Kind::Other;
    car.length_m = 20.0;
    car.mark = "GTST 1".into();
    car
}

/// Draws it and lists its pieces.
pub fn draw(car: &Car, canvas: &mut Canvas<'_>, rays: &Rays) -> Vec<Piece> {
    let mut plain = car.clone();
    plain.kind = Kind::Flat;
    plain.build = super::cars::Build::Plain;
    plain.body(canvas);
    let mut pieces = Vec::new();
    let (z0, z1) = (1.3, 3.3);
    let note = |kind, steel_mm, size_mm, x: (f64, f64), z: (f64, f64), pieces: &mut Vec<Piece>| {
        let (top, bottom) = (rays.detector(0.0, z.1).ceil() as usize + 1, rays.detector(0.0, z.0).floor() as usize - 1);
        pieces.push(Piece { kind, steel_mm, size_mm, x_m: [x.0, x.1], z_m: [z.0, z.1], detectors: [top, bottom] });
    };
    // The wedge: steps of 0.5 m.
    let mut x = 1.5;
    for mm in WEDGE_MM {
        let half = mm / 2000.0;
        canvas.slab(steel(), x, x + 0.5, -half, half, z0, z1);
        note("wedge", mm, mm, (x, x + 0.5), (z0, z1), &mut pieces);
        x += 0.5;
    }
    // Plates with an opaque block and thin pieces on them.
    x += 0.4;
    for mm in [0.0, 25.0, 50.0, 100.0] {
        let half = mm / 2000.0;
        let (a, b) = (x, x + 1.2);
        if mm > 0.0 {
            canvas.slab(steel(), a, b, -half, half, z0, z1);
        }
        canvas.slab(Stuff::of("lead"), a + 0.2, a + 0.3, -0.15, 0.15, 2.9, 3.0);
        note("block", mm, 100.0, (a + 0.2, a + 0.3), (2.9, 3.0), &mut pieces);
        for (k, thin) in [0.5, 1.0, 2.0, 4.0, 8.0].into_iter().enumerate() {
            let z = 1.5 + 0.25 * k as f64;
            canvas.slab(steel(), a + 0.7, a + 0.8, half, half + thin / 1000.0, z, z + 0.1);
            note("contrast", mm, thin, (a + 0.7, a + 0.8), (z, z + 0.1), &mut pieces);
        }
        x = b + 0.15;
    }
    // Wires across nothing, and bars.
    for (k, mm) in [1.0, 2.0, 4.0, 6.0, 10.0].into_iter().enumerate() {
        let z = 1.5 + 0.3 * k as f64;
        canvas.slab(steel(), x + 0.1, x + 1.1, -mm / 2000.0, mm / 2000.0, z, z + mm / 1000.0);
        note("wire", 0.0, mm, (x + 0.1, x + 1.1), (z, z + mm / 1000.0), &mut pieces);
    }
    x += 1.4;
    for (k, mm) in [8.0, 12.0, 16.0, 24.0, 32.0].into_iter().enumerate() {
        let z = 1.5 + 0.3 * k as f64;
        for bar in 0..4 {
            let at = x + f64::from(bar) * 2.0 * mm / 1000.0;
            canvas.slab(steel(), at, at + mm / 1000.0, -0.05, 0.05, z, z + 0.2);
        }
        note("bars", 0.0, mm, (x, x + 7.0 * mm / 1000.0), (z, z + 0.2), &mut pieces);
    }
    // What holds it all.
    for post in [1.4, x + 0.5] {
        pair(canvas, steel(), post, post + 0.05, 0.3, 0.02, 1.15, 3.4);
    }
    pieces
}
