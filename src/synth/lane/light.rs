//! Light of a scene: sun and sky, canopy lamps, the camera's own lamp, and what a mirror sees. Linear RGB, 1 = white in the picture.
//!
//! The numbers are exposures chosen by eye so that pictures look like a lane camera's; none is a measured radiance.

use super::camera::{Vec3, dot, normalised, scale, sub};
use super::canvas::Paint;
use super::dice::Dice;

/// Under which conditions a scene is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conditions {
    /// Sun or overcast sky.
    Day,
    /// Little sky light, lamps on.
    Dusk,
    /// Canopy lamps and headlights.
    Night,
    /// Monochrome, lit by the camera's own infrared lamp: the plate returns it, the rest is dark.
    Ir,
    /// Rain by day or dusk, on a wet road.
    Rain,
    /// Headlights straight into the lens.
    Glare,
}

/// What a mixed set draws from: a third day, the rest about alike (a guess at what is wanted of a test set, not at what lanes see).
pub(crate) const CONDITIONS: [Conditions; 9] = [
    Conditions::Day,
    Conditions::Day,
    Conditions::Day,
    Conditions::Dusk,
    Conditions::Night,
    Conditions::Ir,
    Conditions::Ir,
    Conditions::Rain,
    Conditions::Glare,
];

impl Conditions {
    /// The word for it on the command line and in the manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Conditions::Day => "day",
            Conditions::Dusk => "dusk",
            Conditions::Night => "night",
            Conditions::Ir => "ir",
            Conditions::Rain => "rain",
            Conditions::Glare => "glare",
        }
    }
}

/// The light of one scene.
#[derive(Clone)]
pub(crate) struct Light {
    pub conditions: Conditions,
    /// Towards the sun or the canopy lamps, and their strength on a surface that faces them.
    pub key: Vec3,
    pub key_colour: Vec3,
    /// How hard the key's shadows are, 0..1.
    pub shadow: f32,
    /// From the sky above and from the ground below.
    pub sky: Vec3,
    pub bounce: Vec3,
    /// Sky at the horizon and overhead, as the camera sees it.
    pub horizon: Vec3,
    pub zenith: Vec3,
    /// The camera's own lamp: strength on white paint that faces it at `lamp_distance` metres.
    pub lamp: Vec3,
    pub lamp_distance: f32,
    pub lamp_position: Vec3,
    /// What white retroreflective sheeting returns of the lamp, at `lamp_distance`.
    pub lamp_retro: f32,
    /// Brightness of head and tail lamps, 0 off.
    pub lamps: f32,
    /// The picture has no colour.
    pub mono: bool,
    /// The road is wet, 0..1.
    pub wet: f32,
    /// What a mirror sees by elevation: 256 steps from straight down to straight up.
    mirror: Vec<Vec3>,
}

impl Light {
    /// Light for `conditions` around a camera at `lamp_position`, whose subject is `lamp_distance` metres away.
    pub(crate) fn roll(conditions: Conditions, lamp_position: Vec3, lamp_distance: f32, dice: &mut Dice) -> Light {
        let sun = normalised([dice.range(-0.9, 0.9), dice.range(0.35, 1.0), dice.range(-0.8, 0.5)]);
        let grey = |v: f32| [v, v, v];
        let mut light = Light {
            conditions,
            key: sun,
            key_colour: grey(0.0),
            shadow: 0.0,
            sky: grey(0.0),
            bounce: grey(0.0),
            horizon: grey(0.0),
            zenith: grey(0.0),
            lamp: grey(0.0),
            lamp_distance,
            lamp_position,
            lamp_retro: 0.0,
            lamps: 0.0,
            mono: false,
            wet: 0.0,
            mirror: Vec::new(),
        };
        let overcast = |light: &mut Light, level: f32| {
            light.key = normalised([0.1, 1.0, -0.2]);
            light.key_colour = scale([0.20, 0.20, 0.21], level);
            light.shadow = 0.25;
            light.sky = scale([0.52, 0.55, 0.60], level);
            light.bounce = scale([0.16, 0.16, 0.16], level);
            light.horizon = scale([0.80, 0.82, 0.85], level);
            light.zenith = scale([0.62, 0.66, 0.72], level);
        };
        match conditions {
            Conditions::Day if dice.chance(0.35) => overcast(&mut light, dice.range(0.8, 1.1)),
            Conditions::Day => {
                let level = dice.range(0.85, 1.15);
                light.key_colour = scale([0.78, 0.72, 0.62], level);
                light.shadow = 1.0;
                light.sky = scale([0.22, 0.245, 0.285], level);
                light.bounce = scale([0.13, 0.12, 0.10], level);
                light.horizon = scale([0.72, 0.78, 0.86], level);
                light.zenith = scale([0.24, 0.40, 0.70], level);
                light.lamps = if dice.chance(0.3) { 0.35 } else { 0.0 };
            }
            Conditions::Rain => {
                overcast(&mut light, dice.range(0.35, 0.7));
                light.wet = dice.range(0.6, 1.0);
                light.lamps = 0.6;
            }
            Conditions::Dusk => {
                light.key = normalised([dice.range(-0.4, 0.4), 1.0, -0.5]);
                light.key_colour = [0.16, 0.13, 0.09];
                light.shadow = 0.4;
                light.sky = scale([0.17, 0.18, 0.25], dice.range(0.8, 1.3));
                light.bounce = [0.05, 0.05, 0.05];
                light.horizon = [0.44, 0.30, 0.25];
                light.zenith = [0.09, 0.11, 0.22];
                light.lamps = 0.8;
            }
            Conditions::Night => {
                light.key = normalised([dice.range(-0.3, 0.3), 1.0, dice.range(-0.7, -0.3)]);
                light.key_colour = scale([0.26, 0.24, 0.19], dice.range(0.7, 1.3));
                light.shadow = 0.7;
                light.sky = [0.035, 0.035, 0.04];
                light.bounce = [0.035, 0.032, 0.03];
                light.horizon = [0.018, 0.017, 0.02];
                light.zenith = [0.006, 0.006, 0.010];
                light.lamp = scale([0.05, 0.05, 0.05], dice.range(0.3, 2.0));
                light.lamp_retro = dice.range(0.1, 0.4);
                light.lamps = 1.0;
            }
            Conditions::Glare => {
                light.key = normalised([dice.range(-0.3, 0.3), 1.0, -0.4]);
                light.key_colour = [0.13, 0.12, 0.11];
                light.shadow = 0.5;
                light.sky = [0.030, 0.030, 0.035];
                light.bounce = [0.03, 0.03, 0.03];
                light.horizon = [0.015, 0.015, 0.02];
                light.zenith = [0.005, 0.005, 0.008];
                light.lamp = scale([0.06, 0.06, 0.06], dice.range(0.6, 1.6));
                light.lamp_retro = dice.range(0.25, 0.6);
                light.lamps = 2.6;
                light.wet = if dice.chance(0.3) { 0.8 } else { 0.0 };
            }
            Conditions::Ir => {
                light.key = normalised([0.1, 1.0, -0.4]);
                light.key_colour = grey(0.02);
                light.shadow = 0.3;
                light.sky = grey(0.012);
                light.bounce = grey(0.008);
                light.horizon = grey(0.012);
                light.zenith = grey(0.004);
                light.lamp = grey(dice.range(0.06, 0.18));
                light.lamp_retro = dice.range(0.50, 0.95);
                light.lamps = 0.7;
                light.mono = true;
            }
        }
        light.mirror = (0..256).map(|step| light.seen_by_mirror(step as f32 / 127.5 - 1.0)).collect();
        light
    }

    /// The surroundings at the sine of an elevation: road, a dark line of vehicles, houses and trees, then the sky, with lamps at night.
    fn seen_by_mirror(&self, sine: f32) -> Vec3 {
        let mix = |a: Vec3, b: Vec3, t: f32| [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t];
        let road = scale(super::camera::add(self.bounce, scale(self.key_colour, 0.18)), 0.8);
        let clutter = scale(self.horizon, 0.32);
        let sky = mix(self.horizon, self.zenith, (sine * 1.6).clamp(0.0, 1.0).powf(0.6));
        let ramp = |edge: f32, soft: f32| ((sine - edge) / soft + 0.5).clamp(0.0, 1.0);
        let below = mix(road, clutter, ramp(-0.03, 0.05));
        let mut seen = mix(below, sky, ramp(0.13, 0.06));
        // A canopy's lamps.
        if self.lamps >= 0.8 && !self.mono {
            let glow = (1.0 - ((sine - 0.78) / 0.16).abs()).max(0.0) * 0.9;
            seen = super::camera::add(seen, scale(self.key_colour, glow));
        }
        seen
    }

    /// Light that reaches a matt surface at `point` with normal `n`.
    pub(crate) fn on(&self, point: Vec3, n: Vec3) -> Vec3 {
        let key = dot(n, self.key).max(0.0);
        let up = 0.5 + 0.5 * n[1];
        let to_lamp = sub(self.lamp_position, point);
        let distance = dot(to_lamp, to_lamp).sqrt().max(0.5);
        let lamp = (dot(n, to_lamp) / distance).max(0.0) * (self.lamp_distance / distance).powi(2);
        std::array::from_fn(|c| self.key_colour[c] * key + self.sky[c] * up + self.bounce[c] * (1.0 - up) + self.lamp[c] * lamp)
    }

    /// What a mirror shows that reflects towards a direction whose y is `sine` (direction of length 1).
    pub(crate) fn mirrored(&self, sine: f32) -> Vec3 {
        self.mirror[((sine + 1.0) * 127.5).clamp(0.0, 255.0) as usize]
    }

    /// Light towards the eye from `paint`, given the light `on` it, the reflected ray's `sine` of elevation and the cosine `facing` of the angle of view.
    pub(crate) fn shade(&self, paint: &Paint, on: Vec3, sine: f32, facing: f32) -> Vec3 {
        let fresnel = 0.045 + 0.955 * (1.0 - facing.clamp(0.0, 1.0)).powi(5);
        let coat = paint.gloss * (fresnel + (0.75 - fresnel).max(0.0) * paint.metal);
        let mirror = self.mirrored(sine);
        std::array::from_fn(|c| paint.albedo[c] * on[c] * (1.0 - 0.7 * paint.metal) + coat * mirror[c] + paint.emit[c] * self.lamps)
    }
}
