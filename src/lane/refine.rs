//! Whether a box that the detector names is a plate, and where exactly its corners are: one close look at each.
//!
//! The detector sees a 1080p frame at a third of its size, where a plate 75 pixels wide is 25. At a threshold that keeps such plates it also names grilles,
//! lamps and signs. A second, small network sees each named box in the frame's own pixels, which settles both questions at a small part of a read's cost.
//! So nothing that it refuses is read, and what is read is straightened by corners that were measured where the pixels are.

use crate::error::Result;
use crate::infer::{Engine, Network};
use crate::lane::detect::{self, MAX_PLATES, PlateBox, iou};
use crate::lane::frame::Luma;
use crate::lane::rectify::{Corners, rectify};
use crate::models::{DetectorSettings, Models};

/// Width of the network's input, pixels.
const WIDTH: usize = 128;
/// Height of the network's input, pixels.
const HEIGHT: usize = 80;
/// The view is this many times as wide as the box, or as 1.6 times its height where that is more: square plates fit too. As the recipe has it.
const SPREAD: f32 = 1.8;
/// The logit that the box is a plate, and four corners from the view's centre in units of half its width.
const VALUES: usize = 9;

/// The refiner of one worker.
pub struct Refiner {
    network: Network,
    settings: DetectorSettings,
}

/// Part of a frame as the network sees it, frame pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct ViewAt {
    centre: [f32; 2],
    half_width: f32,
}

impl ViewAt {
    fn of(plate: &PlateBox) -> ViewAt {
        let [left, top, right, bottom] = plate.hull();
        let half_width = SPREAD / 2.0 * (right - left).max(1.6 * (bottom - top)).max(1.0);
        ViewAt { centre: [(left + right) / 2.0, (top + bottom) / 2.0], half_width }
    }

    fn corners(&self) -> Corners {
        let [x, y] = self.centre;
        let (across, down) = (self.half_width, self.half_width * HEIGHT as f32 / WIDTH as f32);
        [[x - across, y - down], [x + across, y - down], [x + across, y + down], [x - across, y + down]]
    }
}

impl Refiner {
    /// Loads the refiner of `models`.
    ///
    /// # Errors
    /// `Model` where it does not load or is not the refiner that this version expects.
    pub fn open(engine: &Engine, models: &Models) -> Result<Refiner> {
        let network = Network::open(engine, "plate refiner", &models.refiner, &[1, 1, HEIGHT, WIDTH], &[("plate", &[1, VALUES])])?;
        Ok(Refiner { network, settings: models.detector_settings.clone() })
    }

    /// Looks at one box of a frame: its corners measured anew, and by how much it is a plate after both looks.
    fn look(&mut self, luma: &Luma, plate: &PlateBox, far: f32) -> Result<PlateBox> {
        let view = ViewAt::of(plate);
        rectify(luma, &view.corners(), [0.0, 0.0], self.network.input(), WIDTH, HEIGHT);
        let outputs = self.network.run()?;
        let values = outputs.get(0);
        let corner = |index: usize| [0, 1].map(|axis| view.centre[axis] + view.half_width * values[1 + 2 * index + axis]);
        let placed = PlateBox { corners: [corner(0), corner(1), corner(2), corner(3)], score: plate.score };
        let [left, _, right, _] = placed.hull();
        let share = (right - left) / far / (luma.width as f32).max(luma.height as f32 * detect::WIDTH as f32 / detect::HEIGHT as f32);
        Ok(PlateBox { score: self.settings.evidence.score(values[0], plate.score, share), ..placed })
    }

    /// Looks at each of `plates` and keeps what is a plate, each once, surest first. They were seen from `far` times as far as where the frame fills the detector's
    /// view: 1, or [`detect::AFAR`].
    ///
    /// # Errors
    /// `Model` where inference fails.
    pub fn refine(&mut self, luma: &Luma, far: f32, plates: &mut Vec<PlateBox>) -> Result<()> {
        for plate in plates.iter_mut() {
            *plate = self.look(luma, plate, far)?;
        }
        plates.retain(|plate| plate.score >= self.settings.score_threshold && plate.corners.iter().flatten().all(|value| value.is_finite()));
        plates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
        // Two boxes of one plate become one plate twice.
        let mut kept = 0;
        for index in 0..plates.len() {
            let plate = plates[index];
            if !plates[..kept].iter().any(|surer| iou(surer, &plate) > self.settings.nms_iou) {
                plates[kept] = plate;
                kept += 1;
            }
        }
        plates.truncate(kept.min(MAX_PLATES));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_view_holds_the_box_and_what_is_around_it() {
        let view = ViewAt::of(&PlateBox::of_hull([100.0, 50.0, 80.0, 40.0])).corners();
        assert_eq!([view[0], view[2]], [[68.0, 25.0], [212.0, 115.0]]);
        // A square plate decides by its height.
        let view = ViewAt::of(&PlateBox::of_hull([0.0, 0.0, 100.0, 100.0])).corners();
        assert_eq!(view[1][0] - view[0][0], 288.0);
    }
}
