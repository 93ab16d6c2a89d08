//! Where cameras hang and vehicles drive: the three kinds of scene, rolled.

use std::sync::Arc;

use super::camera::{Camera, Vec3};
use super::dice::Dice;
use super::ground::LANE;
use super::light::{CONDITIONS, Conditions, Light};
use super::scene::{Placed, Scene};
use super::scenery::Surroundings;
use super::sensor::Optics;
use super::vehicle::Model;

/// Width of a US plate, which sets how near a camera has to be, metres.
const PLATE: f32 = 0.305;
/// How high vehicles' fronts carry their plates, about, metres.
const MOUNT: f32 = 0.56;

/// The conditions asked for, or any.
fn conditions(asked: Option<Conditions>, dice: &mut Dice) -> Conditions {
    asked.unwrap_or_else(|| dice.pick(&CONDITIONS))
}

/// How long the shutter is open, seconds: short by day and in infrared, as cameras for moving plates are set.
fn shutter(conditions: Conditions, dice: &mut Dice) -> f32 {
    let (slow, fast) = match conditions {
        Conditions::Day => (700.0, 2000.0),
        Conditions::Ir => (1000.0, 2000.0),
        Conditions::Rain => (500.0, 1000.0),
        Conditions::Dusk => (250.0, 600.0),
        Conditions::Night | Conditions::Glare => (250.0, 500.0),
    };
    1.0 / dice.range(slow, fast)
}

/// A vehicle in lane `lane` (0 the camera's own) whose seen end is `z` metres down the road.
fn in_lane(lane: i32, z: f32, model: Model, dice: &mut Dice) -> Placed {
    let place: Vec3 = [lane as f32 * LANE + dice.range(-0.35, 0.35), 0.0, z];
    Placed { model, place, yaw: dice.range(-0.035, 0.035), speed: dice.range(0.0, 9.0) }
}

/// One lane's picture: a vehicle in the middle, now and then others beside and behind it.
pub(crate) fn single(size: (usize, usize), asked: Option<Conditions>, dice: &mut Dice) -> Scene {
    let conditions = conditions(asked, dice);
    let scale = size.0 as f32 / 1920.0;
    let distance = dice.range(5.0, 13.0);
    let plate_px = 60.0 * (dice.range(60.0f32, 190.0) / 60.0) * scale.max(0.72);
    let focal = plate_px * distance / PLATE;
    let position = [dice.range(-2.4, 2.4), dice.range(1.0, 4.2f32.min(0.5 + distance * 0.42)), 0.0];
    let model = Model::roll(conditions != Conditions::Glare && dice.chance(0.55), true, dice);
    let main = in_lane(0, distance, model, dice);
    let at = [size.0 as f32 * dice.range(0.34, 0.66), size.1 as f32 * dice.range(0.50, 0.76)];
    let camera = Camera::aimed(position, [main.place[0], 0.7, main.place[2]], at, dice.range(-0.045, 0.045), focal, size);
    let light = Light::roll(conditions, position, distance, dice);
    let mut vehicles = vec![main];
    for lane in [-1, 1] {
        if dice.chance(0.45) {
            let model = Model::roll(dice.chance(0.6), true, dice);
            let z = distance + dice.range(0.5, 12.0);
            vehicles.push(in_lane(lane, z, model, dice));
        }
    }
    if dice.chance(0.35) {
        let rear = vehicles[0].model.rear;
        let model = Model::roll(rear, true, dice);
        let z = distance + dice.range(8.0, 16.0);
        vehicles.push(in_lane(0, z, model, dice));
    }
    let hard = dice.unit();
    let optics = Optics::roll(conditions, hard, size.1, dice);
    let shutter = shutter(conditions, dice);
    Scene { camera, light, surroundings: Arc::new(Surroundings::roll(1, dice)), vehicles, optics, shutter }
}

/// A wide picture over five lanes from a gantry: plates are about a 77th of the picture's width (50 pixels of 3840).
pub(crate) fn wide(size: (usize, usize), asked: Option<Conditions>, dice: &mut Dice) -> Scene {
    let conditions = conditions(asked, dice);
    let distance = dice.range(14.0, 18.0);
    let focal = size.0 as f32 / 76.8 * distance / PLATE;
    let position = [dice.range(-3.0, 3.0), dice.range(4.8, 7.0), 0.0];
    let at = [size.0 as f32 * dice.range(0.44, 0.56), size.1 as f32 * dice.range(0.52, 0.66)];
    let camera = Camera::aimed(position, [0.0, 0.7, distance], at, dice.range(-0.02, 0.02), focal, size);
    let light = Light::roll(conditions, position, distance, dice);
    let mut vehicles = Vec::new();
    let outward: Vec<bool> = (0..5).map(|_| dice.chance(0.6)).collect();
    for lane in -2..=2i32 {
        let rear = outward[(lane + 2) as usize] && conditions != Conditions::Glare;
        // A row about where plates are 50 pixels wide (43 to 60), and here and there a second one behind it (30 to 40).
        let mut z = distance * dice.range(0.84, 1.16);
        for share in [0.92, 0.35] {
            if dice.chance(share) {
                let model = Model::roll(rear, true, dice);
                vehicles.push(in_lane(lane, z, model, dice));
            }
            z += dice.range(8.0, 12.0);
        }
    }
    let hard = dice.unit() * 0.6;
    let mut optics = Optics::roll(conditions, hard, size.1, dice);
    // A wide view from high above is in focus all over.
    optics.blur = optics.blur.min(1.0);
    let shutter = shutter(conditions, dice);
    Scene { camera, light, surroundings: Arc::new(Surroundings::roll(2, dice)), vehicles, optics, shutter }
}

/// A camera over one lane through which vehicles come one after another.
pub(crate) struct Approach {
    scene: Scene,
    hard: f32,
    /// Distances at which a plate is about 45 and 160 pixels wide, metres.
    far: f32,
    near: f32,
}

impl Approach {
    pub(crate) fn roll(size: (usize, usize), asked: Option<Conditions>, dice: &mut Dice) -> Approach {
        let conditions = conditions(asked, dice);
        let near = dice.range(5.5, 7.5);
        let focal = 160.0 * near / PLATE;
        let far = focal * PLATE / 45.0;
        // The plate must stay in the picture all the way: it wanders by offset * focal * (1/near - 1/far) pixels. Fronts carry it 0.46 to
        // 0.63 m high; at the near end 0.1 m and half a plate are 95 pixels, and the camera's roll takes some more.
        let wander = focal * (1.0 / near - 1.0 / far);
        let (width, height) = (size.0 as f32, size.1 as f32);
        let bottom = (height * 0.83).min(height - 130.0);
        let rise = ((bottom - height * 0.22) / wander).min(3.0);
        let aside = (0.34 * width / wander).min(2.0);
        let position = [dice.range(-aside, aside), MOUNT + dice.range(0.45 * rise, rise), 0.0];
        // Near plates are low in the picture and to one side: the halfway point sits above and opposite, so that both ends fit.
        let middle = (near + far) / 2.0;
        let halfway = focal * (1.0 / near - 1.0 / middle);
        let side = width * 0.5 - position[0] * wander / 2.0;
        let at = [side + position[0] * halfway, bottom - (position[1] - MOUNT) * halfway];
        let camera = Camera::aimed(position, [0.0, MOUNT, middle], at, dice.range(-0.02, 0.02), focal, size);
        let light = Light::roll(conditions, position, middle * 0.7, dice);
        let hard = dice.range(0.3, 1.0);
        let optics = Optics::roll(conditions, hard, size.1, dice);
        let shutter = shutter(conditions, dice);
        let surroundings = Arc::new(Surroundings::roll(1, dice));
        Approach { scene: Scene { camera, light, surroundings, vehicles: Vec::new(), optics, shutter }, hard, far, near }
    }

    /// A vehicle that comes towards the camera, and where it is in each of 6 to 12 frames.
    pub(crate) fn passage(&self, dice: &mut Dice) -> (Placed, Vec<f32>) {
        let frames = 6 + dice.below(7);
        let mut placed = in_lane(0, self.far, Model::roll(false, true, dice), dice);
        placed.place[0] = dice.range(-0.2, 0.2);
        let step = (self.far - self.near) / (frames - 1) as f32;
        placed.speed = step / 0.1;
        (placed, (0..frames).map(|frame| self.far - step * frame as f32).collect())
    }

    /// The scene of one frame: `vehicle` at distance `z`, or nothing; what flickers has flickered.
    pub(crate) fn frame(&self, vehicle: Option<(&Placed, f32)>, dice: &mut Dice) -> Scene {
        let mut light = self.scene.light.clone();
        light.lamps *= dice.range(0.6, 1.5);
        light.lamp_retro *= dice.range(0.8, 1.2);
        let mut vehicles = Vec::new();
        if let Some((placed, z)) = vehicle {
            // The lamp's exposure follows the vehicle in part, as a camera's gain control does.
            light.lamp_distance = (light.lamp_distance * z).sqrt();
            vehicles.push(Placed { place: [placed.place[0], 0.0, z], ..placed.clone() });
        }
        Scene {
            camera: self.scene.camera,
            light,
            surroundings: Arc::clone(&self.scene.surroundings),
            vehicles,
            optics: self.scene.optics.next(self.hard, dice),
            shutter: self.scene.shutter * dice.range(0.8, 1.3),
        }
    }
}
