//! A lane camera: pinhole with pan, tilt and roll. Metres; x right, y up, z away along the lane; the road is y = 0.
//!
//! Caveat: no lens distortion; lane cameras are long lenses on which it is below a pixel over a plate (a guess, unmeasured).

/// A point or direction: x, y, z.
pub(crate) type Vec3 = [f32; 3];

pub(crate) fn add(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(crate) fn sub(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(crate) fn scale(a: Vec3, s: f32) -> Vec3 {
    [a[0] * s, a[1] * s, a[2] * s]
}

pub(crate) fn dot(a: Vec3, b: Vec3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) fn cross(a: Vec3, b: Vec3) -> Vec3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(crate) fn normalised(a: Vec3) -> Vec3 {
    scale(a, 1.0 / dot(a, a).sqrt().max(1e-9))
}

/// Where the camera is, where it looks, and what it shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Camera {
    pub position: Vec3,
    pub right: Vec3,
    pub up: Vec3,
    pub forward: Vec3,
    /// Focal length in pixels.
    pub focal: f32,
    /// Picture size in pixels.
    pub width: usize,
    pub height: usize,
    /// Principal point in pixels.
    pub centre: [f32; 2],
}

impl Camera {
    /// A camera at `position` that sees `target` at the pixel `at`, rolled by `roll` radians.
    pub(crate) fn aimed(position: Vec3, target: Vec3, at: [f32; 2], roll: f32, focal: f32, size: (usize, usize)) -> Camera {
        let centre = [size.0 as f32 / 2.0, size.1 as f32 / 2.0];
        let (mut pan, mut tilt) = (0.0, 0.0);
        let mut camera = Camera::turned(position, pan, tilt, roll, focal, size);
        // Two unknown angles, two pixel coordinates: a few steps of a damped secant settle it.
        for _ in 0..12 {
            let Some(seen) = camera.project(target) else {
                pan = (target[0] - position[0]).atan2(target[2] - position[2]);
                camera = Camera::turned(position, pan, tilt, roll, focal, size);
                continue;
            };
            pan += ((seen[0] - centre[0]) / focal).atan() - ((at[0] - centre[0]) / focal).atan();
            tilt -= ((seen[1] - centre[1]) / focal).atan() - ((at[1] - centre[1]) / focal).atan();
            camera = Camera::turned(position, pan, tilt, roll, focal, size);
        }
        camera
    }

    /// A camera with angles in radians: `pan` to the right, `tilt` up, `roll` clockwise.
    pub(crate) fn turned(position: Vec3, pan: f32, tilt: f32, roll: f32, focal: f32, size: (usize, usize)) -> Camera {
        let forward = [pan.sin() * tilt.cos(), tilt.sin(), pan.cos() * tilt.cos()];
        let level = normalised(cross([0.0, 1.0, 0.0], forward));
        let upright = cross(forward, level);
        let right = add(scale(level, roll.cos()), scale(upright, roll.sin()));
        let up = sub(scale(upright, roll.cos()), scale(level, roll.sin()));
        Camera { position, right, up, forward, focal, width: size.0, height: size.1, centre: [size.0 as f32 / 2.0, size.1 as f32 / 2.0] }
    }

    /// Where `point` is in the picture (continuous pixels, the left top corner of the picture is 0, 0) and how deep in metres; `None` behind the camera.
    pub(crate) fn project(&self, point: Vec3) -> Option<[f32; 3]> {
        let d = sub(point, self.position);
        let depth = dot(d, self.forward);
        (depth > 0.2).then(|| [self.centre[0] + self.focal * dot(d, self.right) / depth, self.centre[1] - self.focal * dot(d, self.up) / depth, depth])
    }

    /// The direction (not normalised) of the pixel position `(x, y)`.
    pub(crate) fn ray(&self, x: f32, y: f32) -> Vec3 {
        let (u, v) = ((x - self.centre[0]) / self.focal, (self.centre[1] - y) / self.focal);
        add(self.forward, add(scale(self.right, u), scale(self.up, v)))
    }

    /// Pixels per metre at `depth`.
    pub(crate) fn pixels_per_metre(&self, depth: f32) -> f32 {
        self.focal / depth.max(0.2)
    }
}
