//! Triangles into a layer: a depth buffer with four samples a pixel, shaded once a triangle and pixel.
//!
//! A layer is a cut-out of the picture that one vehicle or one piece of scenery is drawn into, blurred in, and laid over the picture with.

use super::camera::{Camera, Vec3, add, cross, dot, normalised, scale, sub};
use super::canvas::{Canvas, Paint};
use super::light::Light;

/// Where the four samples of a pixel are: a rotated grid.
const SAMPLES: [[f32; 2]; 4] = [[0.375, 0.125], [0.875, 0.375], [0.125, 0.625], [0.625, 0.875]];

/// A surface made of triangles; `st` are the coordinates that the surface's painter wants, in metres.
#[derive(Default)]
pub(crate) struct Mesh {
    pub points: Vec<Vec3>,
    pub normals: Vec<Vec3>,
    pub st: Vec<[f32; 2]>,
    pub triangles: Vec<[u32; 3]>,
}

impl Mesh {
    /// Adds a grid of `columns` x `rows` points, row by row; normals point to the side from which rows run down and columns to the right.
    pub(crate) fn grid(&mut self, columns: usize, rows: usize, at: impl Fn(usize, usize) -> (Vec3, [f32; 2])) {
        let base = self.points.len();
        for row in 0..rows {
            for column in 0..columns {
                let (point, st) = at(column, row);
                self.points.push(point);
                self.st.push(st);
            }
        }
        for row in 0..rows {
            for column in 0..columns {
                let p = |c: usize, r: usize| self.points[base + r * columns + c];
                let across = sub(p((column + 1).min(columns - 1), row), p(column.saturating_sub(1), row));
                let down = sub(p(column, (row + 1).min(rows - 1)), p(column, row.saturating_sub(1)));
                self.normals.push(normalised(cross(scale(down, -1.0), across)));
                if row + 1 < rows && column + 1 < columns {
                    let (a, b) = ((base + row * columns + column) as u32, (base + (row + 1) * columns + column) as u32);
                    self.triangles.push([a, b, a + 1]);
                    self.triangles.push([a + 1, b, b + 1]);
                }
            }
        }
    }

    /// Adds a flat quadrilateral: corners left top, right top, right bottom, left bottom as seen from its outside, `st` from 0,0 to `size`.
    pub(crate) fn quad(&mut self, corners: [Vec3; 4], size: [f32; 2]) {
        let uv = [[0.0, 0.0], [size[0], 0.0], [size[0], size[1]], [0.0, size[1]]];
        let order = [0, 1, 3, 2];
        self.grid(2, 2, |c, r| (corners[order[r * 2 + c]], uv[order[r * 2 + c]]));
    }

    /// Adds a box between two opposite corners.
    pub(crate) fn cuboid(&mut self, low: Vec3, high: Vec3) {
        let ([x0, y0, z0], [x1, y1, z1]) = (low, high);
        let (w, h, d) = (x1 - x0, y1 - y0, z1 - z0);
        self.quad([[x0, y1, z0], [x1, y1, z0], [x1, y0, z0], [x0, y0, z0]], [w, h]);
        self.quad([[x1, y1, z0], [x1, y1, z1], [x1, y0, z1], [x1, y0, z0]], [d, h]);
        self.quad([[x0, y1, z1], [x0, y1, z0], [x0, y0, z0], [x0, y0, z1]], [d, h]);
        self.quad([[x0, y1, z1], [x1, y1, z1], [x1, y1, z0], [x0, y1, z0]], [w, d]);
    }

    /// Adds an upright tube of `radius` around `(x, z)`.
    pub(crate) fn tube(&mut self, x: f32, z: f32, radius: f32, low: f32, high: f32) {
        let steps = 17;
        self.grid(steps, 2, |c, r| {
            // From a little behind the left side, around the front, to a little behind the right side.
            let angle = std::f32::consts::PI * (0.95 + 1.1 * c as f32 / (steps - 1) as f32);
            let point = [x + radius * angle.cos(), if r == 0 { high } else { low }, z + radius * angle.sin()];
            (point, [c as f32 / (steps - 1) as f32 * radius * 5.0, if r == 0 { 0.0 } else { high - low }])
        });
        self.grid(steps, 2, |c, r| {
            let angle = std::f32::consts::TAU * c as f32 / (steps - 1) as f32;
            let reach = if r == 0 { 0.0 } else { radius };
            ([x + reach * angle.cos(), high, z + reach * angle.sin()], [0.0, 0.0])
        });
    }

    /// Adds another mesh's triangles.
    pub(crate) fn append(&mut self, other: Mesh) {
        let base = self.points.len() as u32;
        self.points.extend(other.points);
        self.normals.extend(other.normals);
        self.st.extend(other.st);
        self.triangles.extend(other.triangles.into_iter().map(|t| t.map(|index| index + base)));
    }

    /// Moves every point and turns every normal: heading `yaw` radians about the upright axis, then `offset`.
    pub(crate) fn placed(mut self, yaw: f32, offset: Vec3) -> Mesh {
        let turn = |v: Vec3| turned(v, yaw);
        self.points.iter_mut().for_each(|p| *p = add(turn(*p), offset));
        self.normals.iter_mut().for_each(|n| *n = turn(*n));
        self
    }
}

/// `v` turned by `yaw` radians about the upright axis.
pub(crate) fn turned(v: Vec3, yaw: f32) -> Vec3 {
    let (s, c) = yaw.sin_cos();
    [v[0] * c + v[2] * s, v[1], v[2] * c - v[0] * s]
}

/// A cut-out of the picture at `(x, y)`; premultiplied linear RGB and coverage.
pub(crate) struct Layer {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<[f32; 4]>,
}

/// Four depths and colours a pixel, kept from drawing to drawing because fresh memory costs more than drawing into it.
#[derive(Default)]
pub(crate) struct Scratch {
    /// 1 / depth of each sample; 0 where nothing is.
    nearness: Vec<[f32; 4]>,
    /// Colour of each sample; means nothing where nothing is.
    colour: Vec<[Vec3; 4]>,
}

/// A layer being drawn at `(x, y)` of the picture.
pub(crate) struct Drawing<'a> {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    nearness: &'a mut [[f32; 4]],
    colour: &'a mut [[Vec3; 4]],
}

impl<'a> Drawing<'a> {
    /// A drawing that holds all of `meshes` as the camera sees them, with `margin` pixels around; `None` where nothing is in the picture.
    pub(crate) fn around<'m>(scratch: &'a mut Scratch, camera: &Camera, meshes: impl Iterator<Item = &'m Mesh>, margin: f32) -> Option<Drawing<'a>> {
        let mut bounds = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
        for point in meshes.flat_map(|mesh| &mesh.points) {
            if let Some([u, v, _]) = camera.project(*point) {
                bounds = [bounds[0].min(u), bounds[1].min(v), bounds[2].max(u), bounds[3].max(v)];
            }
        }
        let (w, h) = (camera.width as f32, camera.height as f32);
        let (x0, y0) = ((bounds[0] - margin).clamp(0.0, w) as usize, (bounds[1] - margin).clamp(0.0, h) as usize);
        let (x1, y1) = ((bounds[2] + margin).clamp(0.0, w).ceil() as usize, (bounds[3] + margin).clamp(0.0, h).ceil() as usize);
        if x1 <= x0 || y1 <= y0 {
            return None;
        }
        let (width, height) = (x1 - x0, y1 - y0);
        if scratch.nearness.len() < width * height {
            scratch.nearness.resize(width * height, [0.0; 4]);
            scratch.colour.resize(width * height, [[0.0; 3]; 4]);
        }
        let nearness = &mut scratch.nearness[..width * height];
        nearness.fill([0.0; 4]);
        Some(Drawing { x: x0, y: y0, width, height, nearness, colour: &mut scratch.colour[..width * height] })
    }

    /// Draws `mesh`, whose surface at `st` is what `painter` says.
    pub(crate) fn draw(&mut self, camera: &Camera, light: &Light, mesh: &Mesh, painter: impl Fn(f32, f32) -> Paint) {
        // Per point: place in the layer, depth, and what shading needs: st, light on it, mirror elevation, angle of view.
        let seen: Vec<Option<([f32; 3], [f32; 7])>> = mesh
            .points
            .iter()
            .zip(&mesh.normals)
            .zip(&mesh.st)
            .map(|((point, normal), st)| {
                let [u, v, depth] = camera.project(*point)?;
                let eye = normalised(sub(camera.position, *point));
                let facing = dot(eye, *normal);
                let mirrored = sub(scale(*normal, 2.0 * facing), eye);
                let on = light.on(*point, *normal);
                Some(([u - self.x as f32, v - self.y as f32, depth], [st[0], st[1], on[0], on[1], on[2], mirrored[1], facing]))
            })
            .collect();
        for triangle in &mesh.triangles {
            let [Some(a), Some(b), Some(c)] = triangle.map(|index| seen[index as usize]) else { continue };
            self.triangle(light, [a, b, c], &painter);
        }
    }

    fn triangle(&mut self, light: &Light, [a, b, c]: [([f32; 3], [f32; 7]); 3], painter: &impl Fn(f32, f32) -> Paint) {
        let area = (b.0[0] - a.0[0]) * (c.0[1] - a.0[1]) - (b.0[1] - a.0[1]) * (c.0[0] - a.0[0]);
        // Grids wind so that what faces the camera has a negative area; the rest is hidden by it.
        if area > -1e-9 {
            return;
        }
        let low = |i: usize, limit: usize| (a.0[i].min(b.0[i]).min(c.0[i]).max(0.0) as usize).min(limit);
        let high = |i: usize, limit: usize| ((a.0[i].max(b.0[i]).max(c.0[i]).max(0.0) as usize) + 1).min(limit);
        let (x0, x1, y0, y1) = (low(0, self.width), high(0, self.width), low(1, self.height), high(1, self.height));
        let inverse = [1.0 / a.0[2], 1.0 / b.0[2], 1.0 / c.0[2]];
        let per_area = 1.0 / area;
        let weights = |x: f32, y: f32| {
            let wb = ((x - a.0[0]) * (c.0[1] - a.0[1]) - (y - a.0[1]) * (c.0[0] - a.0[0])) * per_area;
            let wc = ((b.0[0] - a.0[0]) * (y - a.0[1]) - (b.0[1] - a.0[1]) * (x - a.0[0])) * per_area;
            [1.0 - wb - wc, wb, wc]
        };
        for y in y0..y1 {
            for x in x0..x1 {
                let pixel = y * self.width + x;
                let mut covered = [false; 4];
                let mut any = false;
                for (sample, offset) in SAMPLES.iter().enumerate() {
                    let w = weights(x as f32 + offset[0], y as f32 + offset[1]);
                    if w[0] < 0.0 || w[1] < 0.0 || w[2] < 0.0 {
                        continue;
                    }
                    let nearness = w[0] * inverse[0] + w[1] * inverse[1] + w[2] * inverse[2];
                    if nearness > self.nearness[pixel][sample] {
                        self.nearness[pixel][sample] = nearness;
                        covered[sample] = true;
                        any = true;
                    }
                }
                if !any {
                    continue;
                }
                // Shading at the pixel's middle, kept within the triangle so that nothing is extrapolated.
                let w = weights(x as f32 + 0.5, y as f32 + 0.5).map(|w| w.max(0.0));
                let w = [w[0] * inverse[0], w[1] * inverse[1], w[2] * inverse[2]];
                let per_sum = 1.0 / (w[0] + w[1] + w[2]);
                let v: [f32; 7] = std::array::from_fn(|i| (a.1[i] * w[0] + b.1[i] * w[1] + c.1[i] * w[2]) * per_sum);
                let colour = light.shade(&painter(v[0], v[1]), [v[2], v[3], v[4]], v[5], v[6]);
                for (sample, covered) in covered.into_iter().enumerate() {
                    if covered {
                        self.colour[pixel][sample] = colour;
                    }
                }
            }
        }
    }

    /// The drawing as a layer: samples averaged.
    pub(crate) fn layer(self) -> Layer {
        let pixels = self
            .nearness
            .iter()
            .zip(self.colour.iter())
            .map(|(nearness, colour)| {
                let mut sum = [0.0f32; 4];
                for (n, c) in nearness.iter().zip(colour) {
                    if *n > 0.0 {
                        sum = [sum[0] + c[0], sum[1] + c[1], sum[2] + c[2], sum[3] + 1.0];
                    }
                }
                sum.map(|s| s / 4.0)
            })
            .collect();
        Layer { x: self.x, y: self.y, width: self.width, height: self.height, pixels }
    }
}

impl Layer {
    /// Draws the flat picture `canvas` over this layer: `place` maps canvas units to continuous picture pixels. Sixteen samples a pixel.
    /// `shade` answers the light of a paint; paints with a negative `retro` are clear.
    pub(crate) fn overlay(&mut self, canvas: &Canvas, homography: &[f32; 9], shade: impl Fn(&Paint) -> Vec3) {
        let forward = |x: f32, y: f32| apply(homography, x, y);
        let Some(back) = inverted(homography) else { return };
        let (x0, y0) = (canvas.origin[0], canvas.origin[1]);
        let (x1, y1) = (x0 + canvas.width as f32 / canvas.scale, y0 + canvas.height as f32 / canvas.scale);
        let corners = [forward(x0, y0), forward(x1, y0), forward(x1, y1), forward(x0, y1)];
        let left = corners.iter().fold(f32::MAX, |m, c| m.min(c[0])).floor().max(self.x as f32) as usize;
        let top = corners.iter().fold(f32::MAX, |m, c| m.min(c[1])).floor().max(self.y as f32) as usize;
        let right = (corners.iter().fold(0.0, |m: f32, c| m.max(c[0])).ceil() as usize).min(self.x + self.width);
        let bottom = (corners.iter().fold(0.0, |m: f32, c| m.max(c[1])).ceil() as usize).min(self.y + self.height);
        for y in top..bottom {
            for x in left..right {
                let mut sum = [0.0f32; 4];
                for sample in 0..16 {
                    let [u, v] = apply(&back, x as f32 + (sample % 4) as f32 / 4.0 + 0.125, y as f32 + (sample / 4) as f32 / 4.0 + 0.125);
                    if u < x0 || v < y0 || u > x1 || v > y1 {
                        continue;
                    }
                    let paint = canvas.sample(u, v);
                    if paint.retro < 0.0 {
                        continue;
                    }
                    let colour = shade(&paint);
                    sum = [sum[0] + colour[0], sum[1] + colour[1], sum[2] + colour[2], sum[3] + 1.0];
                }
                let pixel = &mut self.pixels[(y - self.y) * self.width + x - self.x];
                let rest = 1.0 - sum[3] / 16.0;
                *pixel = std::array::from_fn(|c| pixel[c] * rest + sum[c] / 16.0);
            }
        }
    }
}

/// The homography that maps the rectangle 0,0..width,height to four corners (left top, right top, right bottom, left bottom).
pub(crate) fn homography(width: f32, height: f32, corners: &[[f32; 2]; 4]) -> [f32; 9] {
    let [p0, p1, p2, p3] = *corners;
    let (dx1, dx2, sx) = (p1[0] - p2[0], p3[0] - p2[0], p0[0] - p1[0] + p2[0] - p3[0]);
    let (dy1, dy2, sy) = (p1[1] - p2[1], p3[1] - p2[1], p0[1] - p1[1] + p2[1] - p3[1]);
    let det = dx1 * dy2 - dx2 * dy1;
    let (g, h) = ((sx * dy2 - dx2 * sy) / det, (dx1 * sy - sx * dy1) / det);
    let (a, b) = (p1[0] - p0[0] + g * p1[0], p3[0] - p0[0] + h * p3[0]);
    let (d, e) = (p1[1] - p0[1] + g * p1[1], p3[1] - p0[1] + h * p3[1]);
    [a / width, b / height, p0[0], d / width, e / height, p0[1], g / width, h / height, 1.0]
}

/// Where a homography sends a point.
pub(crate) fn apply(m: &[f32; 9], x: f32, y: f32) -> [f32; 2] {
    let w = m[6] * x + m[7] * y + m[8];
    [(m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w]
}

/// The inverse of a homography (up to scale, which does not matter).
fn inverted(m: &[f32; 9]) -> Option<[f32; 9]> {
    let c = |a: usize, b: usize, d: usize, e: usize| m[a] * m[b] - m[d] * m[e];
    let inverse = [c(4, 8, 5, 7), c(2, 7, 1, 8), c(1, 5, 2, 4), c(5, 6, 3, 8), c(0, 8, 2, 6), c(2, 3, 0, 5), c(3, 7, 4, 6), c(1, 6, 0, 7), c(0, 4, 1, 3)];
    let det = m[0] * inverse[0] + m[1] * inverse[3] + m[2] * inverse[6];
    (det.abs() > 1e-12).then_some(inverse)
}
