//! Which car is which: the ordered list of the train, laid against the cars that were cut from the image.
//!
//! Goal: the right mark on the right car in ≥ 99.9 % of cars with 2 % of the tags missing, and "did not match" rather than a guess. Both lists are in order, so this
//! is a sequence alignment: every path through it pays for lengths that differ (pulling faces: ±0.35 m and 2.5 % for the speed), for axle counts that
//! differ, and for a car or an entry that the other list does not have. One car may cover several entries (a gap was missed; locomotives that passed
//! with the source shut), one entry several cars (platforms).
//!
//! The sum over all paths (forward-backward) gives each pairing its probability: in a train of equal cars a missing tag makes every pairing
//! behind it doubtful, and the probabilities say so.

use serde::{Deserialize, Serialize};

use super::identity::{ReportingMark, TagRead, tag_read};
use super::segment::CarSegment;
use crate::error::{Error, Fault, Result};

/// The most cars in a list: the longest train that ever ran had 682.
pub const MAX_CARS: usize = 1000;
/// The longest list in bytes: 1,000 cars of 4 KB.
pub const MAX_BYTES: u64 = 4 << 20;

/// The ordered list of a train.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Consist {
    /// The train's name.
    #[serde(default)]
    pub train: Option<String>,
    /// From the head.
    pub cars: Vec<ConsistCar>,
}

/// One car as the railway and its shipper declare it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ConsistCar {
    /// From the head, from 1.
    #[serde(default)]
    pub position: usize,
    /// Reporting mark or number, as written.
    #[serde(default)]
    pub mark: Option<String>,
    /// Over pulling faces, dm.
    #[serde(default)]
    pub length_dm: Option<f64>,
    /// Wheel sets.
    #[serde(default, deserialize_with = "whole")]
    pub axles: Option<u32>,
    /// Platforms of an articulated car.
    #[serde(default, deserialize_with = "whole")]
    pub platforms: Option<u32>,
    /// Whether it is declared loaded.
    #[serde(default)]
    pub loaded: Option<bool>,
    /// What it is declared to carry.
    #[serde(default)]
    pub commodity: Option<String>,
    /// Mass of the load as declared, kg.
    #[serde(default)]
    pub weight_kg: Option<f64>,
    /// Container codes, if the list has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
    /// Known to be a locomotive (a tag's equipment group).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locomotive: bool,
}

/// A whole number, also where it is written `4.0`.
fn whole<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<u32>, D::Error> {
    let Some(value) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    // 1,000: no car has so many of anything.
    if value.fract() == 0.0 && (0.0..=1000.0).contains(&value) {
        return Ok(Some(value as u32));
    }
    Err(serde::de::Error::custom(format!("{value} is no number of axles or platforms")))
}

impl Consist {
    /// Parses a list: the JSON of `shared/rail-samples/README.md`, or the lines of a tag reader ([`super::identity::tag_read`]).
    ///
    /// # Errors
    /// `Limit` over [`MAX_BYTES`] or [`MAX_CARS`], `Damaged` naming the line or key.
    pub fn parse(text: &[u8]) -> Result<Consist> {
        if text.len() as u64 > MAX_BYTES {
            return Err(Error::new(Fault::Limit, format!("{} bytes, more than the limit of {MAX_BYTES}", text.len())));
        }
        // What some editors write before everything else.
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let consist = if text.trim_ascii_start().starts_with(b"{") {
            serde_json::from_slice(text).map_err(|error| Error::new(Fault::Damaged, format!("not the JSON of a consist: {error}")))?
        } else {
            Consist::from_tags(std::str::from_utf8(text).map_err(|_| Error::new(Fault::Damaged, "neither JSON nor the text of a tag reader"))?)?
        };
        if consist.cars.len() > MAX_CARS {
            return Err(Error::new(Fault::Limit, format!("{} cars, more than the limit of {MAX_CARS}", consist.cars.len())));
        }
        for (index, car) in consist.cars.iter().enumerate() {
            // 3 to 200 m: nothing on rails is shorter, and five articulated platforms have 80 m.
            let sane = car.length_dm.is_none_or(|length| (30.0..=2000.0).contains(&length)) && car.weight_kg.is_none_or(|mass| (0.0..=1e6).contains(&mass));
            // A mark stands in terminals and file names; what is written of containers is only ever compared and shown as text.
            let plain = |text: &String| !text.chars().any(char::is_control);
            if !sane || !car.mark.iter().chain(&car.containers).all(plain) || car.mark.as_ref().is_some_and(|mark| mark.len() > 64) {
                return Err(Error::new(Fault::Damaged, format!("car {}: its length, weight, mark or a container is impossible", index + 1)));
            }
        }
        Ok(consist)
    }

    /// Two tags of one car (one on each side), and repeated reads, make one entry; tags of other equipment than locomotives and railcars (containers, devices at a
    /// train's end) none.
    fn from_tags(text: &str) -> Result<Consist> {
        // Both sides' readers speak in turns, a car or two apart.
        const TURNS: usize = 4;
        let mut cars: Vec<(TagRead, ConsistCar)> = Vec::new();
        for (line, content) in text.lines().enumerate().filter(|(_, content)| !content.trim().is_empty()) {
            let tag = tag_read(content).map_err(|error| Error::new(error.fault, format!("line {}: {}", line + 1, error.message)))?;
            if cars.len() >= MAX_CARS {
                return Err(Error::new(Fault::Limit, format!("line {}: more than {MAX_CARS} cars", line + 1)));
            }
            if !tag.is_of_a_car() || cars.iter().rev().take(TURNS).any(|(last, _)| last.mark == tag.mark) {
                continue;
            }
            let car = ConsistCar {
                position: cars.len() + 1,
                mark: Some(tag.mark.to_string()),
                length_dm: (tag.length_dm > 0).then_some(f64::from(tag.length_dm)),
                axles: (tag.axles > 0).then_some(tag.axles),
                locomotive: tag.is_locomotive(),
                ..ConsistCar::default()
            };
            cars.push((tag, car));
        }
        Ok(Consist { train: None, cars: cars.into_iter().map(|(_, car)| car).collect() })
    }
}

impl ConsistCar {
    /// The mark as garita writes it (`UTLX 123456`), or as it came where it is no reporting mark.
    pub fn written_mark(&self) -> Option<String> {
        let mark = self.mark.as_ref()?;
        Some(ReportingMark::parse(mark).map_or_else(|| mark.trim().to_owned(), |mark| mark.to_string())).filter(|mark| !mark.is_empty())
    }
}

/// Which entries a car is, and how sure that is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Identity {
    /// Indices into the list; several where one car of the image covers several entries; none where nothing matched.
    pub entries: Vec<usize>,
    /// Probability of this pairing, 0..=1.
    pub confidence: f64,
}

/// A segment covers up to this many entries (locomotives without beam), an entry up to this many segments (platforms).
const MOST_JOINED: usize = 5;
/// A car without an entry, an entry without a car: tags missing, `shared/rail.md` 5.3 (≤ 2 %).
const SKIP: f64 = 0.01;
/// A gap that was missed or found too often; the prototype of `shared/rail.md` 4.3 did neither in 72 cars.
const JOIN: f64 = 0.002;
/// Density of the length of a car that is not in the list: anything from 6 to 31 m.
const ANY_LENGTH: f64 = 1.0 / 25.0;

/// How one step of the alignment moves: this many segments and this many entries.
type Step = (usize, usize);

/// Lays the list against the cars; `complete` says that the last car has been seen, otherwise the list may go on, as it may where the scan ends inside a car.
pub fn align(cars: &[CarSegment], consist: &Consist, complete: bool) -> Vec<Identity> {
    let complete = complete && !cars.last().is_some_and(|car| car.cut_off);
    let (n, m) = (cars.len(), consist.cars.len());
    let steps: Vec<Step> = [(1, 1), (1, 0), (0, 1)].into_iter().chain((2..=MOST_JOINED).flat_map(|k| [(1, k), (k, 1)])).collect();
    let at = |i: usize, j: usize| i * (m + 1) + j;
    let mut forward = vec![f64::NEG_INFINITY; (n + 1) * (m + 1)];
    let mut backward = forward.clone();
    forward[0] = 0.0;
    for i in 0..=n {
        for j in 0..=m {
            let here = forward[at(i, j)];
            if here > f64::NEG_INFINITY {
                for &(di, dj) in &steps {
                    // Of a list that goes on, nothing is left out behind the last car.
                    if i + di <= n && j + dj <= m && (di > 0 || i < n || complete) {
                        let to = at(i + di, j + dj);
                        forward[to] = log_add(forward[to], here + cost(&cars[i..i + di], &consist.cars[j..j + dj]));
                    }
                }
            }
        }
    }
    for j in 0..=m {
        backward[at(n, j)] = if complete { (m - j) as f64 * SKIP.ln() } else { 0.0 };
    }
    for i in (0..=n).rev() {
        for j in (0..=m).rev() {
            for &(di, dj) in &steps {
                if i + di <= n && j + dj <= m && !(i == n && di == 0) {
                    let onward = backward[at(i + di, j + dj)] + cost(&cars[i..i + di], &consist.cars[j..j + dj]);
                    backward[at(i, j)] = log_add(backward[at(i, j)], onward);
                }
            }
        }
    }
    // Every path ends at the list's end; through a list that goes on, behind any entry.
    let total = if complete { forward[at(n, m)] } else { (0..=m).map(|j| forward[at(n, j)]).fold(f64::NEG_INFINITY, log_add) };
    let mut identities = vec![Identity::default(); n];
    for i in 0..n {
        for j in 0..m {
            for &(di, dj) in steps.iter().filter(|&&(di, dj)| di > 0 && dj > 0) {
                if i + di > n || j + dj > m {
                    continue;
                }
                let path = forward[at(i, j)] + cost(&cars[i..i + di], &consist.cars[j..j + dj]) + backward[at(i + di, j + dj)];
                let probability = (path - total).exp();
                for identity in &mut identities[i..i + di] {
                    if probability > identity.confidence {
                        *identity = Identity { entries: (j..j + dj).collect(), confidence: probability.min(1.0) };
                    }
                }
            }
        }
    }
    for identity in &mut identities {
        // Below even odds it is no match.
        if identity.confidence < 0.5 {
            identity.entries.clear();
        }
    }
    identities
}

/// Log density of these cars of the image being these entries of the list.
fn cost(cars: &[CarSegment], entries: &[ConsistCar]) -> f64 {
    match (cars, entries) {
        ([], _) => SKIP.ln(),
        (cars, []) => (SKIP * ANY_LENGTH).ln() * cars.len() as f64,
        _ => {
            let blank = cars.iter().any(|car| car.blank > 0.5 || car.cut_off);
            let joined = match (cars.len(), entries.len()) {
                (1, 1) => 1.0 - 2.0 * SKIP,
                (1, _) if blank => 0.1,
                (platforms, 1) if entries[0].platforms.unwrap_or(1) as usize >= platforms => 0.1,
                _ => JOIN,
            };
            joined.ln() + length_density(cars, entries, blank) + axle_odds(cars, entries)
        }
    }
}

fn length_density(cars: &[CarSegment], entries: &[ConsistCar], uncertain: bool) -> f64 {
    let seen_m: f64 = cars.iter().map(|car| car.length_mm / 1000.0).sum();
    let stated: Option<f64> = entries.iter().map(|entry| entry.length_dm.map(|dm| dm / 10.0)).sum();
    let Some(stated_m) = stated else { return ANY_LENGTH.ln() };
    if cars.iter().any(|car| car.cut_off) {
        // What was seen of a car that the scan cuts off is less than the car.
        return if seen_m <= 1.05 * stated_m + 1.0 { ANY_LENGTH.ln() } else { 1e-5_f64.ln() };
    }
    // 0.35 m: where the gap is cut; 2.5 %: speed. A car without beam is only roughly known.
    let sigma = if uncertain { 3.0 } else { 0.35 + 0.025 * stated_m };
    let off = (seen_m - stated_m) / sigma;
    // A floor, so that one wrong length in the list is a doubt and not a wall.
    ((-0.5 * off * off).exp() / (sigma * 2.5066) + 1e-5).ln()
}

fn axle_odds(cars: &[CarSegment], entries: &[ConsistCar]) -> f64 {
    let seen: usize = cars.iter().map(|car| car.axles_mm.len()).sum();
    let stated: Option<u32> = entries.iter().map(|entry| entry.axles).sum();
    if cars.iter().any(|car| car.cut_off) {
        return if stated.is_some_and(|stated| seen > stated as usize) { 0.02_f64.ln() } else { 0.3_f64.ln() };
    }
    match stated {
        Some(stated) if seen > 0 => match seen.abs_diff(stated as usize) {
            0 => 0.9_f64.ln(),
            1 => 0.06_f64.ln(),
            _ => 0.02_f64.ln(),
        },
        _ => 0.3_f64.ln(),
    }
}

fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}
