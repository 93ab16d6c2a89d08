//! Latency budgets, declared once: metered while garita runs, enforced by `benches/budgets.rs`, printed in the README by the same code.
//!
//! A budget is a p99 of *CPU time on the working thread* for the named case of `testdata/` (or one that `garita synth` makes), because wall
//! time on a shared machine says more about its neighbours. The parts are asserted to fit the whole at compile time.

use std::time::Duration;

/// One stage's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The stage.
    pub stage: Stage,
    /// What its p99 may take, microseconds of CPU time.
    pub p99_us: u32,
    /// What it is held for.
    pub case: &'static str,
    /// Where the number comes from.
    pub origin: &'static str,
}

/// The stages of a lane's frame, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Stage {
    /// Bytes to luma.
    Decode,
    /// Luma to what may be plates.
    Detect,
    /// All that may be plates of a frame to plate boxes.
    Refine,
    /// One plate box to the reader's input.
    Rectify,
    /// One input to a read.
    Read,
    /// One frame's reads to passages.
    Passage,
    /// One read against the watchlist.
    Match,
    /// From bytes to hit.
    Frame,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Stage; 8] = [Stage::Decode, Stage::Detect, Stage::Refine, Stage::Rectify, Stage::Read, Stage::Passage, Stage::Match, Stage::Frame];

    /// Its name in tables and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Decode => "decode",
            Stage::Detect => "detect",
            Stage::Refine => "refine",
            Stage::Rectify => "rectify",
            Stage::Read => "read",
            Stage::Passage => "passage",
            Stage::Match => "match",
            Stage::Frame => "frame",
        }
    }
}

const CASE: &str = "1080p JPEG of about 400 KB, two plates";

/// Plates in [`CASE`]: each is straightened, read and matched.
const PLATES: u32 = 2;

/// The median to reach for a frame with one plate that is read surely, microseconds of CPU time; from the issue.
pub const FRAME_P50_US: u32 = 15_000;
/// Likewise for all of such a frame but its decode.
pub const REST_P50_US: u32 = 6_000;

/// The lane's budgets. The medians to reach are [`FRAME_P50_US`] and [`REST_P50_US`]; a p99 is allowed about half again, which is what the same
/// work was seen to vary by on a shared processor.
pub const LANE: [Budget; 8] = [
    Budget { stage: Stage::Decode, p99_us: 9_000, case: CASE, origin: "luma decode of 409 KB: p99 6.1-7.1 ms in eight runs, and a quarter" },
    Budget {
        stage: Stage::Detect,
        p99_us: 8_500,
        case: CASE,
        origin: "int8 network at 640x384: median 4.1-4.4 ms, p99 4.6-7.5 in seven runs (6.0 failed one of them)",
    },
    Budget { stage: Stage::Refine, p99_us: 4_000, case: CASE, origin: "1.9 ms in the median of the demo on a busy machine, and as much again" },
    Budget { stage: Stage::Rectify, p99_us: 400, case: CASE, origin: "warp to the reader's input: 0.2 ms median" },
    Budget { stage: Stage::Read, p99_us: 2_400, case: CASE, origin: "int8 network and decoder: median 1.1 ms, p99 1.2-1.7 in seven runs" },
    Budget { stage: Stage::Passage, p99_us: 600, case: CASE, origin: "a dozen reads of each of two vehicles settle in 0.4 ms at p99" },
    Budget { stage: Stage::Match, p99_us: 100, case: CASE, origin: "posterior search at ten million entries: p99 78 us in benches/watchlist.rs" },
    Budget {
        stage: Stage::Frame,
        p99_us: 28_000,
        case: CASE,
        origin: "what its parts may take, those of a plate twice; 15 ms median, half again, and 5 to look again at unsure plates (p99 24.3 on a busy machine)",
    },
];

const fn parts() -> u32 {
    let mut sum = 0;
    let mut index = 0;
    while index < LANE.len() {
        let times = match LANE[index].stage {
            Stage::Frame => 0,
            Stage::Decode | Stage::Detect | Stage::Refine | Stage::Passage => 1,
            Stage::Rectify | Stage::Read | Stage::Match => PLATES,
        };
        sum += times * LANE[index].p99_us;
        index += 1;
    }
    sum
}

const _: () = assert!(parts() <= LANE[Stage::Frame as usize].p99_us, "the parts of a frame do not fit its budget");

/// A budget of the rail line, for a train of six empties as `garita synth rail` makes it (368 detectors, 16 mm a column).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RailBudget {
    /// What is timed.
    pub name: &'static str,
    /// What its p99 may take, microseconds of CPU time.
    pub p99_us: u32,
    /// Where the number comes from.
    pub origin: &'static str,
}

/// The rail line's budgets.
pub const RAIL: [RailBudget; 3] = [
    RailBudget { name: "rail open", p99_us: 5_000, origin: "issue 4: open and map within 5 ms" },
    RailBudget { name: "rail cut", p99_us: 60_000, origin: "issue 4: calibration and cutting of 100 cars within 1 s, so of six within 60 ms" },
    RailBudget { name: "rail car", p99_us: 150_000, origin: "issue 4: 100 cars within 15 s in all" },
];

/// What cutting may take a car, microseconds: [`RAIL`]'s is for a train of six, and trains in the field have any number.
pub const RAIL_CUT_OF_A_CAR_US: u32 = RAIL[1].p99_us / 6;

/// How long a stage took, as a histogram that never allocates: buckets grow by 2^(1/8), so a quantile is at most 9 % high.
#[derive(Debug, Clone)]
pub struct Meter {
    buckets: [u32; BUCKETS],
    count: u64,
}

const BUCKETS: usize = 200;
const BUCKETS_PER_OCTAVE: f64 = 8.0;

impl Default for Meter {
    fn default() -> Meter {
        Meter { buckets: [0; BUCKETS], count: 0 }
    }
}

impl Meter {
    /// Counts one duration (up to 33 s; longer ones count as that).
    pub fn record(&mut self, duration: Duration) {
        let micros = duration.as_secs_f64() * 1e6;
        let bucket = (micros.max(1.0).log2() * BUCKETS_PER_OCTAVE).ceil() as usize;
        self.buckets[bucket.min(BUCKETS - 1)] += 1;
        self.count += 1;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The duration that `share` (0..=1) of all do not exceed, in milliseconds; `None` before the first.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let wanted = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        self.buckets
            .iter()
            .position(|&count| {
                seen += u64::from(count);
                self.count > 0 && seen >= wanted
            })
            .map(|bucket| 2f64.powf(bucket as f64 / BUCKETS_PER_OCTAVE) / 1e3)
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Meter) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
    }
}

/// From a frame's last byte to its acknowledgement, p99 of wall time, milliseconds; from the issue. Held by `benches/service`, metered as `ack`.
pub const ACK_MS: u64 = 50;
/// From a frame's last byte to its hit, likewise; metered as `hit`.
pub const HIT_MS: u64 = 500;

const _: () = assert!(LANE[Stage::Frame as usize].p99_us as u64 <= 1_000 * ACK_MS && ACK_MS <= HIT_MS, "what is looked at can be acknowledged in time");

/// A search by an exact text or its beginning, over ten million passages, p99 of wall time, milliseconds; from the issue. Held by `benches/search.rs`.
pub const SEARCH_TEXT_MS: u64 = 200;
/// A search with wildcards or edits, likewise; what did not fit says so.
pub const SEARCH_WIDE_MS: u64 = 1_000;

const _: () = assert!(crate::custody::search::PATIENCE.as_millis() < SEARCH_WIDE_MS as u128, "what a search may take fits its budget");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_bucket() {
        let mut meter = Meter::default();
        assert_eq!(meter.quantile_ms(0.5), None);
        (1..=1000).for_each(|millis| meter.record(Duration::from_millis(millis)));
        for (share, want) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let got = meter.quantile_ms(share).expect("counted");
            assert!(got >= want && got <= want * 1.1, "{share}: {got}");
        }
    }
}
