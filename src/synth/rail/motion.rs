//! How a train moves through the beam: speed with jitter and slack action, stops and reversals; where each column looks.

use super::dice::Dice;

/// How a train is driven.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Driving {
    /// Usual speed, m/s; a column is `column_m` of travel at it.
    pub speed_m_s: f64,
    /// Relative size of the speed's wandering (slack action: 0.05-0.1).
    pub jitter: f64,
    /// Relative error of the measured speed.
    pub speed_error: f64,
    /// Stops once.
    pub stop: bool,
    /// Rolls back a little after stopping.
    pub reverse: bool,
}

/// One column of a scan: when, where the train was, and what the speed sensor said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Begin of the readout, s.
    pub t_s: f64,
    /// How far the train's head was past the beam at its begin and end, m.
    pub way_m: (f64, f64),
    /// Measured speed, m/s; negative backwards.
    pub v_m_s: f64,
    /// The train stood.
    pub stopped: bool,
    /// The train rolled backwards.
    pub reversed: bool,
}

/// Drives a train of `length_m` through, from `lead_m` before its head to `lead_m` after its tail.
#[must_use]
pub fn drive(driving: Driving, length_m: f64, lead_m: f64, column_m: f64, seed: u64) -> Vec<Step> {
    let mut dice = Dice::new(seed, 21);
    let step_s = column_m / driving.speed_m_s;
    let (mut slow, mut fast) = (0.0, 0.0);
    let mut way = -lead_m;
    let mut t = 0.0;
    let stop_at = if driving.stop { length_m * dice.span(0.2, 0.8) } else { f64::INFINITY };
    // Braking to a stand in 4 s, 60-200 columns of standing, rolling back 0.2-1.5 m, away again.
    let mut phase = 0;
    let mut factor = 1.0_f64;
    let mut standing = dice.count(60, 200);
    let back_to = stop_at - dice.span(0.2, 1.5);
    let mut steps = Vec::with_capacity(((length_m + 2.0 * lead_m) / column_m * 1.05) as usize);
    while way < length_m + lead_m {
        match phase {
            0 if way >= stop_at => phase = 1,
            1 => {
                factor = (factor - step_s / 4.0).max(0.0);
                if factor <= 0.0 {
                    phase = 2;
                }
            }
            2 => {
                standing = standing.saturating_sub(1);
                if standing == 0 {
                    phase = if driving.reverse { 3 } else { 4 };
                }
            }
            3 => {
                factor = (factor - step_s / 4.0).max(-0.25);
                if way < back_to {
                    phase = 4;
                }
            }
            4 => {
                factor = (factor + step_s / 4.0).min(1.0);
                if factor >= 1.0 {
                    phase = 5;
                }
            }
            _ => {}
        }
        // Two wanderings: over seconds (slack) and over a minute (the driver).
        slow = slow * (1.0 - step_s / 60.0) + dice.normal() * (2.0 * step_s / 60.0).sqrt();
        fast = fast * (1.0 - step_s / 3.0) + dice.normal() * (2.0 * step_s / 3.0).sqrt();
        let v = driving.speed_m_s * factor * (1.0 + driving.jitter * (0.8 * slow + 0.25 * fast)).clamp(0.6, 1.5);
        let next = way + v * step_s;
        let measured = v * (1.0 + driving.speed_error * (0.7 * slow.sin() + 0.3 * dice.normal()));
        steps.push(Step { t_s: t, way_m: (way, next), v_m_s: measured, stopped: phase == 2, reversed: v < 0.0 });
        way = next;
        t += step_s;
    }
    steps
}
