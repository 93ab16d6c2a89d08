//! Vehicle shapes: each end of a body is a profile from roof to sill, lofted across its width.
//!
//! Local coordinates in metres: the end that the camera sees is at z = 0, x to the camera's right, y up, the vehicle reaches away along z.
//! Caveat: the far end is never modelled, wheels are dark blocks, and a side is painted, not modelled.

use super::camera::{Vec3, cross, normalised, scale, sub};
use super::raster::Mesh;

/// The kinds of vehicle that a scene has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sedan,
    Suv,
    Pickup,
    Van,
    Bus,
    BoxTruck,
    Tractor,
    Motorcycle,
}

/// Points of a profile, from the top down: height and the value there (distance from the end, or half width).
type Profile = &'static [(f32, f32)];

/// A body's proportions.
pub(crate) struct Shape {
    pub rear: Profile,
    pub front: Profile,
    pub half_width: Profile,
    pub length: f32,
    /// How far the end's corners lie behind its middle.
    pub bulge: f32,
    /// Window band on the sides: sill and top.
    pub windows: (f32, f32),
    /// Middle of the wheels at the rear and front ends, from each end; tyre radius.
    pub wheels: (f32, f32, f32),
}

/// The proportions of `kind`.
pub(crate) fn shape(kind: Kind) -> Shape {
    match kind {
        Kind::Sedan => Shape {
            rear: &[
                (1.46, 1.85),
                (1.445, 1.55),
                (1.38, 1.22),
                (1.12, 0.72),
                (1.08, 0.60),
                (1.05, 0.25),
                (1.0, 0.13),
                (0.95, 0.10),
                (0.70, 0.08),
                (0.63, 0.06),
                (0.61, 0.01),
                (0.50, 0.0),
                (0.32, 0.03),
                (0.24, 0.12),
            ],
            front: &[
                (1.46, 2.3),
                (1.44, 2.1),
                (1.36, 1.85),
                (1.02, 1.20),
                (0.97, 1.10),
                (0.88, 0.60),
                (0.80, 0.22),
                (0.75, 0.10),
                (0.66, 0.05),
                (0.55, 0.0),
                (0.45, 0.0),
                (0.30, 0.04),
                (0.22, 0.14),
            ],
            half_width: &[(1.46, 0.42), (1.42, 0.56), (1.10, 0.72), (1.04, 0.84), (0.9, 0.90), (0.6, 0.92), (0.35, 0.90), (0.24, 0.84)],
            length: 4.7,
            bulge: 0.30,
            windows: (1.02, 1.38),
            wheels: (0.95, 0.90, 0.32),
        },
        Kind::Suv => Shape {
            rear: &[
                (1.72, 1.2),
                (1.70, 0.55),
                (1.64, 0.42),
                (1.14, 0.16),
                (1.08, 0.13),
                (0.78, 0.09),
                (0.72, 0.06),
                (0.70, 0.0),
                (0.52, -0.01),
                (0.38, 0.04),
                (0.30, 0.14),
            ],
            front: &[
                (1.72, 2.5),
                (1.69, 2.25),
                (1.62, 2.0),
                (1.2, 1.32),
                (1.14, 1.2),
                (1.05, 0.60),
                (0.98, 0.22),
                (0.9, 0.08),
                (0.7, 0.03),
                (0.55, 0.0),
                (0.4, 0.03),
                (0.28, 0.14),
            ],
            half_width: &[(1.72, 0.50), (1.66, 0.62), (1.15, 0.80), (1.05, 0.90), (0.8, 0.94), (0.5, 0.94), (0.3, 0.88)],
            length: 4.7,
            bulge: 0.22,
            windows: (1.12, 1.60),
            wheels: (0.90, 0.92, 0.36),
        },
        Kind::Pickup => Shape {
            rear: &[
                (1.88, 2.4),
                (1.85, 2.0),
                (1.78, 1.86),
                (1.36, 1.72),
                (1.33, 1.68),
                (1.31, 0.16),
                (1.29, 0.11),
                (1.25, 0.10),
                (0.80, 0.10),
                (0.76, 0.10),
                (0.74, -0.06),
                (0.55, -0.08),
                (0.50, 0.0),
                (0.42, 0.2),
            ],
            front: &[
                (1.88, 2.7),
                (1.84, 2.45),
                (1.76, 2.2),
                (1.32, 1.55),
                (1.27, 1.45),
                (1.2, 0.6),
                (1.14, 0.15),
                (1.05, 0.06),
                (0.8, 0.03),
                (0.7, 0.0),
                (0.5, -0.02),
                (0.4, 0.08),
            ],
            half_width: &[(1.88, 0.55), (1.80, 0.66), (1.36, 0.82), (1.30, 0.95), (0.9, 0.98), (0.74, 0.98), (0.42, 0.95)],
            length: 5.6,
            bulge: 0.12,
            windows: (1.30, 1.74),
            wheels: (1.2, 1.0, 0.39),
        },
        Kind::Van => Shape {
            rear: &[(2.3, 0.6), (2.27, 0.22), (2.2, 0.14), (1.3, 0.08), (0.7, 0.06), (0.66, 0.0), (0.5, 0.0), (0.36, 0.1)],
            front: &[(2.3, 1.9), (2.26, 1.6), (2.15, 1.45), (1.25, 0.72), (1.18, 0.6), (1.05, 0.2), (0.95, 0.08), (0.7, 0.02), (0.5, 0.0), (0.35, 0.08)],
            half_width: &[(2.3, 0.7), (2.22, 0.85), (1.3, 0.97), (0.6, 0.99), (0.36, 0.95)],
            length: 5.4,
            bulge: 0.10,
            windows: (1.25, 2.0),
            wheels: (1.0, 1.0, 0.34),
        },
        Kind::Bus => Shape {
            rear: &[(3.1, 0.5), (3.06, 0.12), (2.95, 0.05), (0.9, 0.0), (0.5, -0.02), (0.38, 0.06)],
            front: &[(3.1, 0.8), (3.05, 0.3), (2.9, 0.16), (1.2, 0.04), (0.8, 0.0), (0.4, 0.03)],
            half_width: &[(3.1, 1.0), (3.0, 1.22), (0.4, 1.25)],
            length: 11.0,
            bulge: 0.14,
            windows: (1.35, 2.6),
            wheels: (2.6, 2.4, 0.48),
        },
        Kind::BoxTruck => Shape {
            rear: &[(3.4, 0.3), (3.39, 0.0), (1.10, 0.0), (1.08, 0.05)],
            front: &[(3.0, 2.0), (2.5, 1.9), (2.4, 1.5), (1.6, 0.9), (1.5, 0.8), (1.35, 0.15), (1.2, 0.05), (0.6, 0.0), (0.45, 0.05)],
            half_width: &[(3.4, 1.22), (1.0, 1.22), (0.45, 1.0)],
            length: 8.0,
            bulge: 0.01,
            windows: (9.0, 9.1),
            wheels: (1.6, 1.1, 0.45),
        },
        Kind::Tractor => Shape {
            rear: &[(3.4, 0.3), (3.39, 0.0), (1.10, 0.0), (1.08, 0.05)],
            front: &[
                (3.3, 3.4),
                (3.2, 2.6),
                (2.8, 2.15),
                (2.75, 2.05),
                (2.15, 1.85),
                (2.05, 1.75),
                (1.95, 1.5),
                (1.75, 0.35),
                (1.6, 0.12),
                (1.4, 0.06),
                (0.95, 0.04),
                (0.85, 0.06),
                (0.80, -0.05),
                (0.5, -0.06),
                (0.42, 0.05),
            ],
            half_width: &[(3.3, 0.75), (3.0, 0.95), (2.8, 1.05), (2.1, 1.05), (1.98, 0.85), (1.2, 0.82), (0.88, 1.12), (0.45, 1.18)],
            length: 7.0,
            bulge: 0.18,
            windows: (2.05, 2.7),
            wheels: (1.0, 1.1, 0.5),
        },
        Kind::Motorcycle => Shape {
            rear: &[(1.02, 0.5), (0.98, 0.1), (0.86, 0.05), (0.74, 0.12)],
            front: &[(1.15, 0.6), (1.1, 0.35), (0.95, 0.25), (0.75, 0.35)],
            half_width: &[(1.02, 0.10), (0.92, 0.16), (0.74, 0.10)],
            length: 2.0,
            bulge: 0.08,
            windows: (9.0, 9.1),
            wheels: (0.32, 0.32, 0.32),
        },
    }
}

/// The value of a profile (heights falling) at height `y`, held at its ends.
pub(crate) fn at(profile: &[(f32, f32)], y: f32) -> f32 {
    let Some(first) = profile.first() else { return 0.0 };
    if y >= first.0 {
        return first.1;
    }
    for pair in profile.windows(2) {
        if y >= pair[1].0 {
            let share = (pair[0].0 - y) / (pair[0].0 - pair[1].0).max(1e-6);
            return pair[0].1 + (pair[1].1 - pair[0].1) * share;
        }
    }
    profile[profile.len() - 1].1
}

/// A lofted body: the end that is seen, with `st` = (x, -y), and the two sides, with `st` = (z from the seen end, -y).
pub(crate) struct Loft {
    pub face: Mesh,
    pub sides: Mesh,
}

/// Lofts `profile` (the seen end) across `half_width`, back to `length` minus the `far` end's profile.
pub(crate) fn loft(profile: &[(f32, f32)], half_width: &[(f32, f32)], far: &[(f32, f32)], length: f32, bulge: f32) -> Loft {
    const FACE: usize = 25;
    const SIDE: usize = 12;
    // Rows: every profile segment in a few steps, and a last row on top that closes the roof.
    let mut rows: Vec<[f32; 2]> = Vec::new();
    for pair in profile.windows(2) {
        let steps = (((pair[0].0 - pair[1].0).hypot(pair[0].1 - pair[1].1)) / 0.05).ceil().clamp(1.0, 8.0) as usize;
        rows.extend((0..steps).map(|s| {
            let t = s as f32 / steps as f32;
            [pair[0].0 + (pair[1].0 - pair[0].0) * t, pair[0].1 + (pair[1].1 - pair[0].1) * t]
        }));
    }
    if let Some(last) = profile.last() {
        rows.push([last.0, last.1]);
    }
    let (top, count) = (profile.first().map_or(0.0, |p| p.0), FACE + 2 * SIDE);
    let point = |row: usize, column: usize| -> Vec3 {
        // The first row lies along the roof's middle line, so that the roof closes.
        let [y, near] = rows[row.saturating_sub(1)];
        let (y, half) = if row == 0 { (top + 0.015, 0.002) } else { (y, at(half_width, y)) };
        let back = (length - at(far, y)).max(near + 0.2);
        let corner = near + bulge;
        let along = |share: f32| corner + (back.max(corner + 0.05) - corner) * share * share;
        if column < SIDE {
            return [-half, y, along((SIDE - column) as f32 / SIDE as f32)];
        }
        if column >= SIDE + FACE {
            return [half, y, along((column + 1 - SIDE - FACE) as f32 / SIDE as f32)];
        }
        // Columns crowd towards the corners, where the surface bends.
        let u = ((column - SIDE) as f32 / (FACE - 1) as f32 * 2.0 - 1.0) * std::f32::consts::FRAC_PI_2;
        let u = u.sin();
        [half * u, y, near + bulge * u.abs().powi(4)]
    };
    let height = rows.len() + 1;
    let points: Vec<Vec3> = (0..height).flat_map(|row| (0..count).map(move |column| (row, column))).map(|(r, c)| point(r, c)).collect();
    let p = |r: usize, c: usize| points[r * count + c];
    let normal = |r: usize, c: usize| {
        let across = sub(p(r, (c + 1).min(count - 1)), p(r, c.saturating_sub(1)));
        let down = sub(p((r + 1).min(height - 1), c), p(r.saturating_sub(1), c));
        normalised(cross(scale(down, -1.0), across))
    };
    let part = |columns: std::ops::Range<usize>, side: bool| {
        let mut mesh = Mesh::default();
        let width = columns.len();
        for row in 0..height {
            for column in columns.clone() {
                let at = p(row, column);
                mesh.points.push(at);
                mesh.normals.push(normal(row, column));
                mesh.st.push([if side { at[2] } else { at[0] }, -at[1]]);
            }
        }
        for row in 0..height - 1 {
            for column in 0..width - 1 {
                let (a, b) = ((row * width + column) as u32, ((row + 1) * width + column) as u32);
                mesh.triangles.extend([[a, b, a + 1], [a + 1, b, b + 1]]);
            }
        }
        mesh
    };
    let mut sides = part(0..SIDE + 1, true);
    sides.append(part(SIDE + FACE - 1..count, true));
    Loft { face: part(SIDE..SIDE + FACE, false), sides }
}
