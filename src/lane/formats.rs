//! What is known of the formats of registrations, weighed against what was seen: a soft prior, which pixels that are clear overrule.
//!
//! A format here is the *pattern* of a text, letter or digit at each position (`AAA9999`). Where the reader doubts whether a position is a letter or a digit, the
//! patterns that remain are weighed by what the pixels say of them and by how usual they are; the posterior's positions get the shares that come of it, within the
//! letters and within the digits as before. So text, vote and search go on speaking of the same thing. Which letter it is no format says.

use crate::models::FormatSettings;
use crate::posterior::{MAX_POSITIONS, Position, Posterior, Text};

/// A position is in doubt where both letters and digits are more probable than this.
const DOUBT: f32 = 0.003;
/// The most positions in doubt that are weighed against each other, those of the greatest doubt: 64 patterns.
const MOST: usize = 6;
/// Where the letters begin in the alphabet.
const LETTERS: usize = 10;

/// How usual each pattern is.
#[derive(Debug, Clone, Default)]
pub struct Formats {
    /// What a pattern's log-probability is multiplied with; 0: formats say nothing.
    weight: f32,
    /// Patterns and their log-probabilities, by pattern: a one, then a bit for each position, one for a letter.
    known: Vec<(u32, f32)>,
    /// The log-probability of any other pattern.
    unseen: f32,
}

impl Formats {
    /// Formats as `settings` tell them; `None` where a pattern is not of the letters `A` and `9`, or longer than a text, the weight is not in 0..=1, or a log-probability not
    /// in -100..=0.
    pub fn of(settings: &FormatSettings) -> Option<Formats> {
        let sound = (0.0..=1.0).contains(&settings.weight) && settings.patterns.values().chain([&settings.unseen]).all(|log| (-100.0..=0.0).contains(log));
        if !sound {
            return None;
        }
        let bits = |pattern: &String| {
            let fits = pattern.len() <= MAX_POSITIONS && pattern.bytes().all(|kind| matches!(kind, b'A' | b'9'));
            fits.then(|| pattern.bytes().fold(1, |bits, kind| bits << 1 | u32::from(kind == b'A')))
        };
        let mut known = settings.patterns.iter().map(|(pattern, &log)| Some((bits(pattern)?, log))).collect::<Option<Vec<_>>>()?;
        known.sort_unstable_by_key(|&(pattern, _)| pattern);
        Some(Formats { weight: settings.weight, known, unseen: settings.unseen })
    }

    fn log_probability(&self, pattern: u32) -> f32 {
        self.known.binary_search_by_key(&pattern, |&(known, _)| known).map_or(self.unseen, |at| self.known[at].1)
    }

    /// Weighs a read: `posterior` and `text` become what pixels and formats say together. Answers by what the text's probability is to be multiplied.
    pub fn weigh(&self, text: &mut Text, posterior: &mut Posterior) -> f32 {
        let positions = posterior.positions_mut();
        let count = positions.len();
        if self.weight == 0.0 || count != text.len() {
            return 1.0;
        }
        let mut letters = [0.0f32; MAX_POSITIONS];
        for (share, position) in letters.iter_mut().zip(&*positions) {
            *share = position.characters[LETTERS..].iter().sum::<f32>().clamp(0.0, 1.0);
        }
        let doubt = |at: usize| letters[at].min(1.0 - letters[at]);
        let (mut doubted, mut most) = ([0; MAX_POSITIONS], 0);
        for at in (0..count).filter(|&at| doubt(at) > DOUBT) {
            doubted[most] = at;
            most += 1;
        }
        doubted[..most].sort_unstable_by(|&a, &b| doubt(b).total_cmp(&doubt(a)));
        let doubted = &doubted[..most.min(MOST)];
        if doubted.is_empty() {
            return 1.0;
        }
        let sure = (0..count).fold(1u32, |bits, at| bits << 1 | u32::from(letters[at] > 0.5));
        let bit = |at: usize| 1u32 << (count - 1 - at);
        let (mut total, mut of_letters) = (0.0f64, [0.0f64; MOST]);
        for choice in 0..1usize << doubted.len() {
            let (mut pattern, mut seen) = (sure, 1.0f64);
            for (index, &at) in doubted.iter().enumerate() {
                let letter = choice >> index & 1 == 1;
                pattern = if letter { pattern | bit(at) } else { pattern & !bit(at) };
                seen *= f64::from(if letter { letters[at] } else { 1.0 - letters[at] });
            }
            let worth = seen * f64::from(self.weight * self.log_probability(pattern)).exp();
            total += worth;
            for (index, sum) in of_letters[..doubted.len()].iter_mut().enumerate() {
                *sum += if choice >> index & 1 == 1 { worth } else { 0.0 };
            }
        }
        if total <= 0.0 {
            return 1.0;
        }
        let mut symbols = [0; MAX_POSITIONS];
        symbols.iter_mut().zip(text.symbols()).for_each(|(slot, symbol)| *slot = symbol);
        let mut factor = 1.0;
        for (&at, &sum) in doubted.iter().zip(&of_letters) {
            let (share, Position { characters, .. }) = ((sum / total) as f32, &mut positions[at]);
            let before = characters[symbols[at]];
            characters[..LETTERS].iter_mut().for_each(|digit| *digit *= (1.0 - share) / (1.0 - letters[at]));
            characters[LETTERS..].iter_mut().for_each(|letter| *letter *= share / letters[at]);
            // A tie stays as it was said.
            let best = (0..characters.len()).fold(symbols[at], |best, one| if characters[one] > characters[best] { one } else { best });
            factor *= characters[best] / before.max(f32::MIN_POSITIVE);
            symbols[at] = best;
        }
        let mut weighed = Text::default();
        symbols[..count].iter().for_each(|&symbol| {
            weighed.push(symbol);
        });
        *text = weighed;
        factor
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn formats(weight: f32, patterns: &[(&str, f32)]) -> Formats {
        let patterns = patterns.iter().map(|&(pattern, share)| (pattern.to_owned(), share.ln())).collect();
        Formats::of(&FormatSettings { weight, unseen: 1e-4f32.ln(), patterns }).expect("patterns")
    }

    /// A read whose last position is 8 or B with these probabilities, the others certain.
    fn eight(share: f32) -> (Text, Posterior) {
        let mut posterior = Posterior::certain("ABC12", 0.0).expect("a text");
        let mut characters = [0.0; 36];
        (characters[8], characters[11]) = (share, 1.0 - share);
        posterior.push(Position { characters, absent: 0.0 });
        (Text::of(if share >= 0.5 { "ABC128" } else { "ABC12B" }).expect("a text"), posterior)
    }

    #[test]
    fn a_usual_format_decides_what_the_pixels_leave_open() {
        let (mut text, mut posterior) = eight(0.45);
        let factor = formats(0.5, &[("AAA999", 0.1), ("AAA99A", 0.001)]).weigh(&mut text, &mut posterior);
        // 0.45 sqrt(0.1) against 0.55 sqrt(0.001).
        let share = 0.45 * 0.1f32.sqrt() / (0.45 * 0.1f32.sqrt() + 0.55 * 0.001f32.sqrt());
        assert_eq!(text.as_str(), "ABC128");
        assert!((posterior.positions()[5].characters[8] - share).abs() < 1e-5 && (factor - share / 0.55).abs() < 1e-5);
    }

    #[test]
    fn what_is_no_prior_is_refused() {
        let of =
            |weight: f32, pattern: &str, log: f32, unseen: f32| Formats::of(&FormatSettings { weight, unseen, patterns: [(pattern.to_owned(), log)].into() });
        assert!(of(1.0, "AAA999", 0.0, -100.0).is_some());
        for (weight, pattern, log, unseen) in [
            (1.1, "A", -1.0, -1.0),
            (-0.1, "A", -1.0, -1.0),
            (f32::NAN, "A", -1.0, -1.0),
            (0.4, "a", -1.0, -1.0),
            (0.4, "A", 0.1, -1.0),
            (0.4, "A", -1.0, f32::NEG_INFINITY),
        ] {
            assert!(of(weight, pattern, log, unseen).is_none(), "{weight} {pattern} {log} {unseen}");
        }
    }

    #[test]
    fn clear_pixels_overrule_it() {
        let (mut text, mut posterior) = eight(0.02);
        formats(0.3, &[("AAA999", 0.1)]).weigh(&mut text, &mut posterior);
        assert_eq!(text.as_str(), "ABC12B");
        let (mut text, mut posterior) = eight(0.001);
        let before = posterior;
        assert_eq!(formats(0.3, &[("AAA999", 0.1)]).weigh(&mut text, &mut posterior), 1.0);
        assert_eq!(posterior, before, "in no doubt");
    }

    #[test]
    fn patterns_are_letters_and_digits() {
        for pattern in ["AB9", "aa", "AAAAAAAAAAAAAAAAA"] {
            let settings = FormatSettings { weight: 1.0, unseen: -9.0, patterns: [(pattern.to_owned(), -1.0)].into() };
            assert!(Formats::of(&settings).is_none(), "{pattern}");
        }
    }

    proptest! {
        /// Whatever is known: positions stay distributions, and the text is the most probable character of each position in doubt.
        #[test]
        fn positions_stay_distributions(rows in prop::collection::vec(prop::array::uniform4(0.0f32..1.0), 1..=MAX_POSITIONS), weight in 0.0f32..=1.0, usual in 0.001f32..1.0) {
            let (mut text, mut posterior) = (Text::default(), Posterior::default());
            for row in &rows {
                let mut characters = [0.0; 36];
                let total: f32 = row.iter().sum::<f32>() + 1e-3;
                for (symbol, weight) in [1, 8, 11, 18].into_iter().zip(row) {
                    characters[symbol] = (weight + 2.5e-4) / total;
                }
                let best = (0..36).fold(0, |best, one| if characters[one] > characters[best] { one } else { best });
                text.push(best);
                posterior.push(Position { characters, absent: 0.0 });
            }
            let before = posterior;
            let factor = formats(weight, &[("AAA999", usual), ("999AAA", 0.5)]).weigh(&mut text, &mut posterior);
            prop_assert!(factor.is_finite() && factor > 0.0);
            for (position, symbol) in posterior.positions().iter().zip(text.symbols()) {
                prop_assert!((position.characters.iter().sum::<f32>() - 1.0).abs() < 1e-4);
                prop_assert!(position.characters.iter().all(|&one| one <= position.characters[symbol] + 1e-6));
            }
            if weight == 0.0 {
                prop_assert_eq!(before, posterior);
            }
        }
    }
}
