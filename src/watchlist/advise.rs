//! Which threshold to choose: what each costs in false hits a day, and what it finds.
//!
//! A threshold is not a matter of taste: with a list of L entries and a reader that is right so often, every threshold means a number of false
//! hits a day for a given traffic. It is counted, not modelled: reads of the site's own reader (or made-up ones) are matched against the very list
//! at a low threshold, and what each match would be at each higher one is tallied. Reads whose truth is known tell
//! what is found: how probable would an entry for that very plate have been?
//!
//! Caveat: false hits are rarer than reads can be had. Beside each count stands what it is at most, with 95 % confidence (Poisson): no false hit
//! in 100,000 reads is "at most 0.6 a day" at 20,000 reads a day, not "none".

use std::fmt::Write;

use jiff::Timestamp;

use super::entry::Jurisdiction;
use super::find::{Finder, Likelihood, Match, MatchClass, Query, ReaderModel, agreement};
use super::reads::PlateSeen;
use super::snapshot::Snapshot;

/// The thresholds that are looked at: eight a decade would be finer than any list can tell apart.
pub const THRESHOLDS: [f32; 13] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9];

/// What one threshold means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Advice {
    /// Matches from this probability on are hits.
    pub threshold: f32,
    /// False hits a day by class: exact, equivalent, near, other jurisdiction.
    pub false_a_day: [f64; 4],
    /// All of them at most, with 95 % confidence.
    pub at_most_a_day: f64,
    /// Hits that are right, a day, in this very traffic (its plates that are on the list).
    pub right_a_day: f64,
    /// Of vehicles whose plate is on the list, the share that would be found; `None` if no read's truth is known.
    pub found: Option<f64>,
}

/// The classes in the order of [`Advice::false_a_day`].
pub const CLASSES: [MatchClass; 4] = [MatchClass::Exact, MatchClass::Equivalent, MatchClass::Near, MatchClass::OtherJurisdiction];

/// Matches reads and tallies them.
pub struct Adviser<'a> {
    snapshot: &'a Snapshot,
    finder: Finder,
    model: ReaderModel,
    at: Timestamp,
    matches: Vec<Match>,
    reads: u64,
    truths: u64,
    /// By threshold and class.
    wrong: [[u64; 4]; THRESHOLDS.len()],
    right: [u64; THRESHOLDS.len()],
    found: [u64; THRESHOLDS.len()],
}

impl<'a> Adviser<'a> {
    /// An adviser for the entries that are in force at `at`.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, model: ReaderModel, at: Timestamp) -> Adviser<'a> {
        Adviser {
            snapshot,
            finder: Finder::new(model),
            model,
            at,
            matches: Vec::new(),
            reads: 0,
            truths: 0,
            wrong: [[0; 4]; THRESHOLDS.len()],
            right: [0; THRESHOLDS.len()],
            found: [0; THRESHOLDS.len()],
        }
    }

    /// Takes one read into account; its truth and who issued the plate, where known, tell a true hit from a false one.
    pub fn add(&mut self, seen: &PlateSeen) {
        let query = Query { threshold: Some(THRESHOLDS[0]), ..Query::new(&seen.posterior, seen.text, seen.jurisdiction, self.at) };
        self.finder.find(self.snapshot, &query, &mut self.matches);
        self.reads += 1;
        // One vehicle raises one case, however many entries it meets: the most probable one decides whether that was right.
        if let Some(found) = self.matches.first()
            && let Ok(entry) = self.snapshot.entry(found.entry)
        {
            // Without a truth the reader's text stands for it: exact matches then count as right.
            let right = entry.key() == Ok(seen.truth.unwrap_or(seen.text)) && seen.issued_by.is_none_or(|issued| issued.agrees(entry.jurisdiction));
            let class = CLASSES.iter().position(|class| *class == found.class).unwrap_or(0);
            let alone = self.matches.iter().map(|found| found.alone).fold(0.0, f32::max);
            for (at, _) in THRESHOLDS.iter().enumerate().filter(|(_, threshold)| alone >= **threshold) {
                if right { self.right[at] += 1 } else { self.wrong[at][class] += 1 }
            }
        }
        if let Some(truth) = seen.truth {
            self.truths += 1;
            let text = Likelihood::new(&seen.posterior, &self.model).of(truth);
            let (_, share) = agreement(seen.issued_by.unwrap_or(Jurisdiction::ANY), seen.jurisdiction, self.model.unknown);
            for (at, threshold) in THRESHOLDS.iter().enumerate() {
                self.found[at] += u64::from(text * share >= *threshold);
            }
        }
    }

    /// Reads so far.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads
    }

    /// What each threshold means for `reads_a_day`.
    #[must_use]
    pub fn advice(&self, reads_a_day: f64) -> Vec<Advice> {
        let scale = reads_a_day / (self.reads.max(1) as f64);
        let one = |at: usize| Advice {
            threshold: THRESHOLDS[at],
            false_a_day: self.wrong[at].map(|count| count as f64 * scale),
            at_most_a_day: poisson_upper(self.wrong[at].iter().sum()) * scale,
            right_a_day: self.right[at] as f64 * scale,
            found: (self.truths > 0).then(|| self.found[at] as f64 / self.truths as f64),
        };
        (0..THRESHOLDS.len()).map(one).collect()
    }
}

/// The mean that a Poisson count of `count` is below with 95 % confidence: 3 for none (the "rule of three"), else Byar's approximation, within 1 %.
fn poisson_upper(count: u64) -> f64 {
    if count == 0 {
        return 3.0;
    }
    let next = count as f64 + 1.0;
    // 1.645: the 95th percentile of the normal distribution.
    next * (1.0 - 1.0 / (9.0 * next) + 1.645 / (3.0 * next.sqrt())).powi(3)
}

/// The plot of the table as SVG: false hits a day over the threshold, both in decades, and the share found on the right.
#[must_use]
pub fn plot(advice: &[Advice], title: &str) -> String {
    const WIDTH: f64 = 760.0;
    const HEIGHT: f64 = 440.0;
    const LEFT: f64 = 70.0;
    const RIGHT: f64 = 690.0;
    const TOP: f64 = 60.0;
    const BOTTOM: f64 = 360.0;
    let x = |threshold: f32| LEFT + (f64::from(threshold).log10() + 3.5) / 3.5 * (RIGHT - LEFT);
    let total = |advice: &Advice| advice.false_a_day.iter().sum::<f64>();
    let highest = advice.iter().map(|advice| advice.at_most_a_day).fold(1.0, f64::max).log10().ceil();
    let lowest = (highest - 5.0).min(-2.0);
    let y = |count: f64| BOTTOM - ((count.max(1e-9).log10() - lowest) / (highest - lowest)).clamp(0.0, 1.0) * (BOTTOM - TOP);
    let share = |found: f64| BOTTOM - found * (BOTTOM - TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n<text x=\"{LEFT}\" y=\"26\" font-size=\"16\" fill=\"#222\">{}</text>\n",
        escape(title)
    );
    let mut line = |x1: f64, y1: f64, x2: f64, y2: f64, colour: &str| {
        let _ = writeln!(svg, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>");
    };
    for decade in lowest as i32..=highest as i32 {
        line(LEFT, y(10f64.powi(decade)), RIGHT, y(10f64.powi(decade)), "#dddddd");
    }
    for advice in advice {
        line(x(advice.threshold), BOTTOM, x(advice.threshold), BOTTOM + 4.0, "#222222");
    }
    line(LEFT, BOTTOM, RIGHT, BOTTOM, "#222222");
    let mut text = |x: f64, y: f64, anchor: &str, colour: &str, text: &str| {
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{}</text>", escape(text));
    };
    for decade in lowest as i32..=highest as i32 {
        text(LEFT - 8.0, y(10f64.powi(decade)) + 4.0, "end", "#b03a2e", &format!("{}", 10f64.powi(decade)));
    }
    for percent in (0..=100).step_by(25) {
        text(RIGHT + 8.0, share(f64::from(percent) / 100.0) + 4.0, "start", "#1f618d", &format!("{percent} %"));
    }
    for advice in advice.iter().filter(|advice| [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.3, 0.9].contains(&advice.threshold)) {
        text(x(advice.threshold), BOTTOM + 20.0, "middle", "#222222", &format!("{}", advice.threshold));
    }
    text((LEFT + RIGHT) / 2.0, BOTTOM + 42.0, "middle", "#222222", "threshold: a match from this probability on is a hit");
    text(LEFT, 46.0, "start", "#b03a2e", "false hits a day (solid), at most with 95 % confidence (dotted)");
    text(RIGHT, 46.0, "end", "#1f618d", "listed vehicles found (dashed)");
    let mut curve = |points: Vec<(f64, f64)>, colour: &str, dash: &str| {
        let points: Vec<String> = points.into_iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>", points.join(" "));
    };
    curve(advice.iter().filter(|advice| total(advice) > 0.0).map(|advice| (x(advice.threshold), y(total(advice)))).collect(), "#b03a2e", "none");
    curve(advice.iter().map(|advice| (x(advice.threshold), y(advice.at_most_a_day))).collect(), "#b03a2e", "2 4");
    curve(advice.iter().filter_map(|advice| Some((x(advice.threshold), share(advice.found?)))).collect(), "#1f618d", "8 5");
    svg.push_str("</svg>\n");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poisson_bounds_are_those_of_the_tables() {
        // One-sided 95 % bounds of 0, 1, 5 and 20 events: 2.996, 4.744, 10.513, 29.06.
        for (count, bound) in [(0, 2.996), (1, 4.744), (5, 10.513), (20, 29.06)] {
            assert!((poisson_upper(count) / bound - 1.0).abs() < 0.01, "{count}: {}", poisson_upper(count));
        }
    }
}
