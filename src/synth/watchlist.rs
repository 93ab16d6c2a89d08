//! Made-up watchlists and made-up reads: plates as the United States and Mexico issue them, and posteriors as a calibrated reader would give.
//!
//! Goal: a list of ten million entries has the *shape* of a real one, because what a search costs depends on how texts crowd together: many
//! from few states, serials that were issued lately rather than evenly, runs of one fleet. No plate here is anybody's but by chance.
//! Assumptions, from the states' published serial formats; the shares are guesses at traffic on the Californian border, unmeasured. Mexico's letters leave out I, O, Q and
//! Ñ; California's leave out I, O and Q in the first and third place.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::posterior::{ALPHABET, MAX_POSITIONS, Position, Posterior, symbol};
use crate::watchlist::Key;
use crate::watchlist::text::EQUIVALENT;

/// One state's plates.
struct Format {
    jurisdiction: &'static str,
    /// Share of the plates.
    share: f64,
    /// `A` a letter, `M` a letter as Mexico uses them, `0` a digit, `9` a leading digit that leans to what was issued lately; others stand for themselves.
    pattern: &'static str,
    /// What the first letter `A` or `M` is taken from.
    first: &'static str,
}

const FORMATS: [Format; 18] = [
    Format { jurisdiction: "US-CA", share: 0.30, pattern: "9AAA000", first: "ABCDEFGHJKLMNPRSTUVWXYZ" },
    Format { jurisdiction: "US-CA", share: 0.06, pattern: "00000A0", first: "ABCDEFGHJKLMNPRSTUVWXYZ" },
    Format { jurisdiction: "US-TX", share: 0.10, pattern: "AAA0000", first: "BCDFGHJKLMNPRSTVWXYZ" },
    Format { jurisdiction: "US-AZ", share: 0.06, pattern: "AAA0000", first: "ABC" },
    Format { jurisdiction: "US-AZ", share: 0.03, pattern: "A0A0AA", first: "ABCDEFGHJKLMNPRSTUVWXYZ" },
    Format { jurisdiction: "US-NM", share: 0.02, pattern: "AAAA00", first: "ABCDEFGHJKLMNPRSTUVWXYZ" },
    Format { jurisdiction: "US-NV", share: 0.02, pattern: "00A000", first: "ABCDEFGHJKLMNPRSTUVWXYZ" },
    Format { jurisdiction: "US-FL", share: 0.02, pattern: "AAAA00", first: "ABCDEFGHIJKLMNPQRSTUVWXYZ" },
    Format { jurisdiction: "US-WA", share: 0.02, pattern: "AAA0000", first: "ABC" },
    Format { jurisdiction: "US-IL", share: 0.02, pattern: "AA00000", first: "ABCDEFGHJKLMNPRSTUVWXYZ" },
    Format { jurisdiction: "US-CO", share: 0.02, pattern: "AAA000", first: "ABCDEFGHJKLMNPRSTUVWXYZ" },
    Format { jurisdiction: "MX-BCN", share: 0.14, pattern: "MMM000M", first: "AB" },
    Format { jurisdiction: "MX-BCN", share: 0.05, pattern: "MM00000", first: "BC" },
    Format { jurisdiction: "MX-SON", share: 0.05, pattern: "MMM000M", first: "UVW" },
    Format { jurisdiction: "MX-CHH", share: 0.03, pattern: "MMM000M", first: "DE" },
    Format { jurisdiction: "MX-SIN", share: 0.02, pattern: "MMM0000", first: "UVW" },
    Format { jurisdiction: "MX-JAL", share: 0.02, pattern: "MMM0000", first: "HJ" },
    Format { jurisdiction: "MX-CMX", share: 0.02, pattern: "A00MMM", first: "ABCDEFGHJKLMNPRSTUVWXYZ" },
];

const MEXICAN: &[u8] = b"ABCDEFGHJKLMNPRSTUVWXYZ";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Makes plates and reads of them, always the same from one seed.
pub struct Maker {
    random: Pcg64,
    shares: [f64; FORMATS.len()],
}

/// A read as a calibrated reader would give it.
pub struct Seen {
    /// What was seen.
    pub posterior: Posterior,
    /// The likeliest character of each position.
    pub text: Key,
    /// The jurisdiction and how sure; `None` where it could not be told.
    pub jurisdiction: Option<(&'static str, f32)>,
}

impl Maker {
    /// A maker with a seed.
    #[must_use]
    pub fn new(seed: u64) -> Maker {
        let mut sum = 0.0;
        let shares = std::array::from_fn(|at| {
            sum += FORMATS[at].share;
            sum
        });
        Maker { random: Pcg64::seed_from_u64(seed), shares }
    }

    /// A number in 0..1.
    pub fn chance(&mut self) -> f64 {
        self.random.random_range(0.0..1.0)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.random.random_range(0..limit)
    }

    /// The text of a plate, and who issued it.
    pub fn plate(&mut self) -> (String, &'static str) {
        let total = self.shares[FORMATS.len() - 1];
        let drawn = self.chance() * total;
        let format = &FORMATS[self.shares.iter().position(|share| drawn < *share).unwrap_or(0)];
        let mut first = true;
        let mut text = String::with_capacity(8);
        for character in format.pattern.bytes() {
            let from: &[u8] = match character {
                b'A' | b'M' if std::mem::take(&mut first) => format.first.as_bytes(),
                b'A' => LETTERS,
                b'M' => MEXICAN,
                // California's first digit: half the plates are of the last two.
                b'9' => b"123456777788889999",
                b'0' => b"0123456789",
                _ => std::slice::from_ref(&character),
            };
            text.push(from[self.below(from.len())] as char);
        }
        (text, format.jurisdiction)
    }

    /// A plate that a camera reads at `count` neighbours of `text`: one to `edits` characters replaced, left out or put in.
    pub fn misread(&mut self, text: &str, edits: usize) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..edits {
            let at = self.below(bytes.len());
            let any = ALPHABET[self.below(36)];
            match self.below(3) {
                0 => bytes[at] = any,
                1 if bytes.len() > 2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, any),
            }
        }
        bytes.into_iter().take(MAX_POSITIONS).map(char::from).collect()
    }

    /// What a reader sees of a plate. It is calibrated: of the positions that it gives to a character with 0.9, nine in ten are that character. About nine
    /// in ten reads are right.
    pub fn see(&mut self, text: &str, jurisdiction: &'static str) -> Seen {
        // 4 in 5 pictures are sharp, one in twenty is poor: a guess at a lane camera, by day and night.
        let quality = self.chance();
        let doubt = if quality < 0.8 {
            0.003
        } else if quality < 0.95 {
            0.03
        } else {
            0.15
        };
        let mut seen = Seen { posterior: Posterior::default(), text: Key::default(), jurisdiction: None };
        let mut read = String::new();
        for character in text.bytes() {
            if self.chance() < 0.002 {
                continue; // missed
            }
            let Some(truth) = symbol(character) else { continue };
            let doubled = self.chance() < 0.001;
            let doubt = (doubt * self.random.random_range(0.1..1.9f64)).min(0.7);
            let taken = if self.chance() < doubt { self.confused(truth) } else { truth };
            let mut characters = [0.0f32; 36];
            // Bayes, with all characters alike beforehand: what else may have been taken for this.
            for (other, probability) in characters.iter_mut().enumerate() {
                *probability = (doubt * confusion(other, taken)) as f32;
            }
            characters[taken] = 1.0 - doubt as f32;
            let sum: f32 = characters.iter().sum();
            characters = characters.map(|probability| probability / sum);
            for _ in 0..=usize::from(doubled) {
                if seen.posterior.push(Position { characters, absent: 0.0 }) {
                    let best = (0..36).max_by(|one, other| characters[*one].total_cmp(&characters[*other])).unwrap_or(0);
                    read.push(ALPHABET[best] as char);
                }
            }
        }
        seen.text = Key::of(&read).unwrap_or_default();
        let sure = self.chance();
        if sure < 0.9 {
            // Mostly right, and as sure as it is right.
            let confidence = if sure < 0.7 { 0.98 } else { 0.8 };
            let named = if self.chance() < f64::from(confidence) { jurisdiction } else { FORMATS[self.below(FORMATS.len())].jurisdiction };
            seen.jurisdiction = Some((named, confidence));
        }
        seen
    }

    /// What a symbol is misread as.
    fn confused(&mut self, symbol: usize) -> usize {
        let mut drawn = self.chance();
        for other in 0..36 {
            drawn -= confusion(symbol, other);
            if drawn < 0.0 && other != symbol {
                return other;
            }
        }
        symbol
    }
}

/// Of the misreads of a symbol, the share that take it for `other`.
fn confusion(symbol: usize, other: usize) -> f64 {
    if symbol == other {
        return 0.0;
    }
    let class = |symbol: usize| EQUIVALENT.iter().position(|class| class.contains(&ALPHABET[symbol]));
    match (class(symbol), class(other)) {
        (Some(one), Some(two)) if one == two => 0.7 / (EQUIVALENT[one].len() - 1) as f64,
        (Some(one), _) => 0.3 / (36 - EQUIVALENT[one].len()) as f64,
        (None, _) => 1.0 / 35.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_as_good_as_they_say() {
        let mut maker = Maker::new(1);
        let (mut right, mut said, mut count) = (0.0, 0.0, 0.0);
        for _ in 0..20_000 {
            let (text, jurisdiction) = maker.plate();
            let seen = maker.see(&text, jurisdiction);
            let confidence: f32 = seen.posterior.positions().iter().map(|position| position.characters.iter().copied().fold(0.0, f32::max)).product();
            said += f64::from(confidence);
            right += f64::from(u8::from(seen.text.to_string() == text));
            count += 1.0;
        }
        // Missed and doubled characters are what the product does not know of.
        assert!((said / count - right / count).abs() < 0.03, "said {} right {}", said / count, right / count);
        assert!((0.85..0.95).contains(&(right / count)), "{}", right / count);
    }
}
