//! How often somebody may ask: a number a second, and a burst of four times as many.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What may come at once, in seconds' worth.
const BURST_S: f64 = 4.0;
/// Askers that are remembered; beyond that, those who have been quiet longest enough to be full again are forgotten.
const MOST: usize = 4096;

/// Who has asked how much lately: for each, when they will have been quiet for long enough to be as if they had never asked.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    full: Mutex<HashMap<String, Instant>>,
}

impl Rates {
    /// Counts one request of `who`; `Err`: they have to wait for so long.
    pub(crate) fn take(&self, who: &str, per_s: f64, now: Instant) -> Result<(), Duration> {
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        let (one, burst) = (Duration::from_secs_f64(1.0 / per_s), Duration::from_secs_f64(BURST_S));
        let at = full.get(who).copied().unwrap_or(now).max(now);
        if at + one > now + burst {
            return Err((at + one) - (now + burst));
        }
        if full.len() >= MOST && !full.contains_key(who) {
            full.retain(|_, full| *full > now);
            if full.len() >= MOST {
                return Err(one);
            }
        }
        full.insert(who.to_owned(), at + one);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_rate_and_each_their_own() {
        let (rates, begun) = (Rates::default(), Instant::now());
        let taken =
            |who: &str, after_ms: u64, most: usize| (0..most).take_while(|_| rates.take(who, 10.0, begun + Duration::from_millis(after_ms)).is_ok()).count();
        assert_eq!(taken("a", 0, 100), 40, "four seconds' worth at once");
        assert_eq!(rates.take("a", 10.0, begun).expect_err("too much"), Duration::from_millis(100));
        assert_eq!(taken("b", 0, 100), 40);
        assert_eq!(taken("a", 1_000, 100), 10);
        assert_eq!(taken("a", 60_000, 100), 40, "no more for having been quiet longer");
    }

    #[test]
    fn who_is_quiet_is_forgotten_and_a_crowd_is_bounded() {
        let (rates, now) = (Rates::default(), Instant::now());
        let crowd = |at| (0..2 * MOST).filter(|number| rates.take(&number.to_string(), 10.0, at).is_ok()).count();
        assert_eq!(crowd(now), MOST);
        assert_eq!(rates.take("newcomer", 10.0, now + Duration::from_secs(1)), Ok(()));
        assert!(rates.full.lock().expect("whole").len() <= MOST);
    }
}
