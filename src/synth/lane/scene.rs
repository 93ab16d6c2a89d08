//! One picture: a camera, its light, the site and the vehicles in it, drawn from far to near.

use std::sync::Arc;

use image::RgbImage;

use super::camera::{Camera, Vec3, add, cross, normalised, scale, sub};
use super::canvas::Paint;
use super::dice::Dice;
use super::light::Light;
use super::plate::PlateDesign;
use super::raster::{Drawing, Layer, Scratch, homography};
use super::scenery::{Object, Surroundings};
use super::sensor::{Optics, Picture, smear};
use super::vehicle::{Model, Part, Skin, Vehicle};

/// A vehicle and where the middle of its seen end is.
#[derive(Clone)]
pub(crate) struct Placed {
    pub model: Model,
    /// On the road, metres.
    pub place: Vec3,
    /// Heading, radians off the lane's direction.
    pub yaw: f32,
    /// Towards the camera, metres per second.
    pub speed: f32,
}

/// Everything that a picture is made from.
pub(crate) struct Scene {
    pub camera: Camera,
    pub light: Light,
    pub surroundings: Arc<Surroundings>,
    pub vehicles: Vec<Placed>,
    pub optics: Optics,
    /// How long the shutter is open, seconds.
    pub shutter: f32,
}

/// The truth about one plate in a picture.
#[derive(Debug, Clone)]
pub(crate) struct PlateTruth {
    /// Left top, right top, right bottom, left bottom as read; continuous pixels.
    pub corners: [[f32; 2]; 4],
    pub text: String,
    pub jurisdiction: &'static str,
    pub lines: u8,
}

impl PlateTruth {
    /// Mean of the upper and lower edge's lengths, pixels.
    pub(crate) fn width_px(&self) -> f32 {
        let edge = |a: usize, b: usize| (self.corners[a][0] - self.corners[b][0]).hypot(self.corners[a][1] - self.corners[b][1]);
        (edge(0, 1) + edge(3, 2)) / 2.0
    }

    /// Left, top, right, bottom of the corners.
    pub(crate) fn bounds(&self) -> [f32; 4] {
        self.corners.iter().fold([f32::MAX, f32::MAX, f32::MIN, f32::MIN], |b, c| [b[0].min(c[0]), b[1].min(c[1]), b[2].max(c[0]), b[3].max(c[1])])
    }
}

/// A vehicle ready to draw: nearer ones come last.
struct Standing {
    vehicle: Vehicle,
    depth: f32,
    truth: Option<PlateTruth>,
    speed: f32,
}

impl Scene {
    /// Takes the picture.
    pub(crate) fn shoot(&self, scratch: &mut Scratch, dice: &mut Dice) -> (RgbImage, Vec<PlateTruth>) {
        let mut standing: Vec<Standing> = self.vehicles.iter().filter_map(|placed| self.stand(placed)).collect();
        standing.sort_by(|a, b| b.depth.total_cmp(&a.depth));
        let standing = self.without_hidden_plates(standing);
        let plates: Vec<[f32; 4]> = standing.iter().filter_map(|s| s.truth.as_ref()).map(PlateTruth::bounds).collect();
        let (truths, speeds): (Vec<_>, Vec<_>) = standing.iter().map(|s| (s.truth.clone(), s.speed)).unzip();
        let vehicles: Vec<Vehicle> = standing.into_iter().map(|s| s.vehicle).collect();

        // All that stands on the ground, from far to near; furniture that would hide a plate is left out.
        let mut layers: Vec<Layer> = Vec::new();
        layers.extend(self.draw(scratch, &self.surroundings.islands));
        let mut furniture: Vec<(f32, &Object)> = self.surroundings.furniture.iter().filter_map(|object| Some((self.depth(object)?, object))).collect();
        furniture.retain(|(_, object)| !object.iter().any(|part| plates.iter().any(|plate| overlap(self.seen(part), *plate))));
        furniture.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut furniture = furniture.into_iter().peekable();
        for ((vehicle, truth), speed) in vehicles.iter().zip(&truths).zip(&speeds) {
            let near = self.camera.project(vehicle.footprint.0).map_or(0.0, |p| p[2] - vehicle.footprint.2);
            while let Some((_, object)) = furniture.next_if(|(depth, _)| *depth > near) {
                layers.extend(self.draw(scratch, object));
            }
            layers.extend(self.vehicle(scratch, vehicle, truth.as_ref(), *speed));
        }
        for (_, object) in furniture {
            layers.extend(self.draw(scratch, object));
        }
        let shadow = self.shadows(&vehicles);
        let mut picture = self.surroundings.ground.paint(&self.camera, &self.light, &vehicles, &shadow, &layers);
        self.wet_lamps(&mut picture, &vehicles);
        for layer in &layers {
            picture.lay(layer);
        }
        (picture.develop(&self.light, &self.optics, dice), truths.into_iter().flatten().collect())
    }

    /// The vehicle in place, with the truth about its plate where all of it is in the picture; `None` where the vehicle is not.
    fn stand(&self, placed: &Placed) -> Option<Standing> {
        let depth = self.camera.project(add(placed.place, [0.0, 0.6, 0.0]))?[2];
        if depth < 1.5 {
            return None;
        }
        let vehicle = placed.model.stand(placed.place, placed.yaw, self.camera.pixels_per_metre(depth) * 1.25);
        let truth = vehicle.plate.as_ref().and_then(|plate| self.truth(plate, &vehicle));
        Some(Standing { vehicle, depth, truth, speed: placed.speed })
    }

    fn truth(&self, plate: &PlateDesign, vehicle: &Vehicle) -> Option<PlateTruth> {
        let (w, h) = (self.camera.width as f32, self.camera.height as f32);
        let mut corners = [[0.0; 2]; 4];
        for (corner, point) in corners.iter_mut().zip(&vehicle.corners) {
            let [u, v, _] = self.camera.project(*point)?;
            if !(1.0..w - 1.0).contains(&u) || !(1.0..h - 1.0).contains(&v) {
                return None;
            }
            *corner = [u, v];
        }
        Some(PlateTruth { corners, text: plate.text(), jurisdiction: plate.jurisdiction(), lines: plate.lines() })
    }

    /// Takes away vehicles that would hide a farther vehicle's plate, in part or whole: truth has no half-hidden plates.
    fn without_hidden_plates(&self, standing: Vec<Standing>) -> Vec<Standing> {
        let boxes: Vec<[f32; 4]> =
            standing.iter().map(|s| s.vehicle.parts.iter().fold([f32::MAX, f32::MAX, f32::MIN, f32::MIN], |b, part| union(b, self.seen(part)))).collect();
        // Sorted from far to near: whoever is later is nearer. A nearer vehicle stays, a farther one whose plate it covers loses its place.
        let kept: Vec<bool> = (0..standing.len())
            .map(|i| standing[i].truth.as_ref().is_none_or(|truth| !boxes[i + 1..].iter().any(|near| overlap(*near, truth.bounds()))))
            .collect();
        standing.into_iter().zip(kept).filter_map(|(s, keep)| keep.then_some(s)).collect()
    }

    /// Left, top, right, bottom of a part in the picture, pixels.
    fn seen(&self, part: &Part) -> [f32; 4] {
        part.mesh
            .points
            .iter()
            .filter_map(|p| self.camera.project(*p))
            .fold([f32::MAX, f32::MAX, f32::MIN, f32::MIN], |b, p| union(b, [p[0], p[1], p[0], p[1]]))
    }

    /// Depth of the nearest point of `object` in metres; `None` where all of it is behind the camera.
    fn depth(&self, object: &Object) -> Option<f32> {
        object.iter().flat_map(|part| &part.mesh.points).filter_map(|p| self.camera.project(*p)).map(|p| p[2]).reduce(f32::min)
    }

    fn draw(&self, scratch: &mut Scratch, object: &Object) -> Option<Layer> {
        let mut drawing = Drawing::around(scratch, &self.camera, object.iter().map(|part| &part.mesh), 2.0)?;
        for part in object {
            self.draw_part(&mut drawing, part);
        }
        Some(drawing.layer())
    }

    fn draw_part(&self, drawing: &mut Drawing, part: &Part) {
        match &part.skin {
            // Matt paint is never even: weather and dust.
            Skin::Flat(paint) if paint.gloss < 0.45 => {
                let noise = &self.surroundings.ground.noise;
                drawing.draw(&self.camera, &self.light, &part.mesh, |s, t| {
                    paint.scaled(0.80 + 0.26 * noise.at(s * 1.7 + 40.0, t * 1.9 + 40.0) + 0.14 * noise.at(s * 19.0 + 90.0, t * 23.0 + 90.0))
                });
            }
            Skin::Flat(paint) => drawing.draw(&self.camera, &self.light, &part.mesh, |_, _| *paint),
            Skin::Picture(canvas) => drawing.draw(&self.camera, &self.light, &part.mesh, |s, t| canvas.sample(s, t)),
        }
    }

    /// A vehicle with its plate, blurred by its motion.
    fn vehicle(&self, scratch: &mut Scratch, vehicle: &Vehicle, truth: Option<&PlateTruth>, speed: f32) -> Option<Layer> {
        let mut drawing = Drawing::around(scratch, &self.camera, vehicle.parts.iter().map(|part| &part.mesh), 12.0)?;
        for part in &vehicle.parts {
            self.draw_part(&mut drawing, part);
        }
        let mut layer = drawing.layer();
        let Some(truth) = truth else { return Some(layer) };
        let design = vehicle.plate.as_ref()?;
        let (width, height) = design.size();
        let px = truth.width_px();
        let plate = design.paint((px * 4.0 / width).clamp(700.0, 2400.0)).reduced_to(px * 1.6 / width);
        let [a, b, _, d] = vehicle.corners;
        let normal = normalised(cross(sub(a, d), sub(b, a)));
        let centre = scale(add(vehicle.corners[0], vehicle.corners[2]), 0.5);
        let mut on = self.light.on(centre, normal);
        if vehicle.rear && self.light.lamps > 0.7 && !self.light.mono {
            // The plate's own lamps.
            on = add(on, [0.16, 0.15, 0.13]);
        }
        let eye = sub(self.camera.position, centre);
        let distance = super::camera::dot(eye, eye).sqrt();
        let facing = super::camera::dot(normal, eye) / distance;
        let mirrored = sub(scale(normal, 2.0 * facing), scale(eye, 1.0 / distance));
        let lamp = self.light.lamp_retro * (self.light.lamp_distance / distance).powi(2);
        let shade = |paint: &Paint| {
            let base = self.light.shade(paint, on, mirrored[1], facing);
            let back = lamp * paint.retro.max(0.0);
            std::array::from_fn(|c| base[c] + back * (0.25 + 0.75 * paint.albedo[c]))
        };
        layer.overlay(&plate, &homography(width, height, &truth.corners), shade);
        let then = self.camera.project(add(centre, [0.0, 0.0, speed * self.shutter]))?;
        let now = self.camera.project(centre)?;
        smear(&mut layer, [now[0] - then[0], now[1] - then[1]]);
        Some(layer)
    }

    /// For each pixel, how much of the key light the vehicles keep from the road there, 0..1.
    fn shadows(&self, vehicles: &[Vehicle]) -> Vec<f32> {
        let key = self.light.key;
        if self.light.shadow <= 0.0 || key[1] < 0.15 {
            return Vec::new();
        }
        let (width, height) = (self.camera.width, self.camera.height);
        let mut mask = vec![0.0f32; width * height];
        for part in vehicles.iter().flat_map(|v| &v.parts).chain(self.surroundings.furniture.iter().flatten()) {
            let fallen: Vec<Option<[f32; 3]>> = part
                .mesh
                .points
                .iter()
                .map(|p| self.camera.project([p[0] - key[0] / key[1] * p[1].max(0.0), 0.0, p[2] - key[2] / key[1] * p[1].max(0.0)]))
                .collect();
            for triangle in &part.mesh.triangles {
                let [Some(a), Some(b), Some(c)] = triangle.map(|i| fallen[i as usize]) else { continue };
                fill(&mut mask, width, height, [a, b, c]);
            }
        }
        // The sun's shadows are sharp, those of canopy lamps and of an overcast sky are not.
        let radius = if self.light.shadow > 0.9 { height / 360 } else { height / 70 };
        soften(&mut mask, width, height, radius.max(1));
        mask
    }

    /// Long soft reflections of lamps on a wet road.
    fn wet_lamps(&self, picture: &mut Picture, vehicles: &[Vehicle]) {
        let strength = self.light.wet * self.light.lamps;
        if strength <= 0.0 {
            return;
        }
        for (lamp, colour) in vehicles.iter().flat_map(|v| &v.lamps) {
            let Some([u, v, depth]) = self.camera.project([lamp[0], -lamp[1], lamp[2]]) else { continue };
            let metre = self.camera.pixels_per_metre(depth);
            let (sx, sy) = (0.13 * metre, 0.55 * metre);
            for y in (v - 2.5 * sy).max(0.0) as usize..((v + 2.5 * sy).max(0.0) as usize).min(picture.height) {
                for x in (u - 3.0 * sx).max(0.0) as usize..((u + 3.0 * sx).max(0.0) as usize).min(picture.width) {
                    let g = (-0.5 * (((x as f32 - u) / sx).powi(2) + ((y as f32 - v) / sy).powi(2))).exp() * strength * 0.35;
                    let pixel = &mut picture.pixels[y * picture.width + x];
                    *pixel = std::array::from_fn(|c| pixel[c] + g * colour[c]);
                }
            }
        }
    }
}

fn union(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}

fn overlap(a: [f32; 4], b: [f32; 4]) -> bool {
    const MARGIN: f32 = 4.0;
    a[0] < b[2] + MARGIN && b[0] < a[2] + MARGIN && a[1] < b[3] + MARGIN && b[1] < a[3] + MARGIN
}

/// Sets the mask to 1 inside a triangle.
fn fill(mask: &mut [f32], width: usize, height: usize, [a, b, c]: [[f32; 3]; 3]) {
    let area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
    if area.abs() < 1e-6 {
        return;
    }
    let top = a[1].min(b[1]).min(c[1]).max(0.0) as usize;
    let bottom = (a[1].max(b[1]).max(c[1]).max(0.0).ceil() as usize).min(height);
    for y in top..bottom {
        let py = y as f32 + 0.5;
        let mut span = [f32::MAX, f32::MIN];
        for (p, q) in [(a, b), (b, c), (c, a)] {
            if (p[1] <= py) != (q[1] <= py) {
                let x = p[0] + (py - p[1]) / (q[1] - p[1]) * (q[0] - p[0]);
                span = [span[0].min(x), span[1].max(x)];
            }
        }
        if span[0] <= span[1] {
            let (x0, x1) = ((span[0] + 0.5).max(0.0) as usize, ((span[1] + 0.5).max(0.0) as usize).min(width));
            if x0 < x1 {
                mask[y * width + x0..y * width + x1].fill(1.0);
            }
        }
    }
}

/// Box blur with the given radius, rows then columns.
fn soften(mask: &mut [f32], width: usize, height: usize, radius: usize) {
    let span = (2 * radius + 1) as f32;
    let mut line = vec![0.0f32; width];
    for row in mask.chunks_exact_mut(width) {
        line.copy_from_slice(row);
        let mut sum: f32 = line[0] * radius as f32 + line[..=radius.min(width - 1)].iter().sum::<f32>();
        for x in 0..width {
            row[x] = sum / span;
            sum += line[(x + radius + 1).min(width - 1)] - line[x.saturating_sub(radius)];
        }
    }
    let source = mask.to_vec();
    for y in 0..height {
        let target = &mut mask[y * width..(y + 1) * width];
        target.fill(0.0);
        for step in 0..=2 * radius {
            let from = (y + step).saturating_sub(radius).min(height - 1);
            for (t, s) in target.iter_mut().zip(&source[from * width..(from + 1) * width]) {
                *t += s / span;
            }
        }
    }
}
