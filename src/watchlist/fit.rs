//! The reader's model, learnt from reads whose truth is known: how often a character goes missing or is seen twice, and how much less sure the reader is
//! than it says. [`ReaderModel::default`](super::ReaderModel) is what comes out for the reader that is built in.
//!
//! Maximum likelihood: the `missed`, `doubled` and `smear` that give the true texts together the highest R ([`find`](super::find)), each varied in turn over
//! the same ladder of values until none of them gets better. Reads of something else altogether (a sticker, a label of the wrong plate) would pull all
//! three up, to no use: no list finds them. So R is never taken to be less than [`HOPELESS`].

use super::find::{Likelihood, ReaderModel};
use super::reads::PlateSeen;
use super::text::{EQUIVALENT, Key};
use crate::posterior::ALPHABET;

/// A fiftieth of the least threshold that anybody is advised to take.
const HOPELESS: f32 = 1e-5;
/// Values that are tried: 10^-5 to 10^-0.5, eight a decade.
const LADDER: std::ops::Range<i32> = -40..-3;

/// Reads with a truth, and what became of their characters.
#[derive(Debug, Default)]
pub struct Fit {
    reads: Vec<(PlateSeen, Key)>,
    /// Characters of the true texts.
    pub characters: u64,
    /// Of those, read as they are.
    pub right: u64,
    /// Read as another one, by [true][read] in the order of [`ALPHABET`].
    pub replaced: Vec<[u64; 36]>,
    /// Not read at all.
    pub missed: u64,
    /// Characters read where there are none.
    pub additional: u64,
    /// Reads that name a jurisdiction with a confidence of at least [`KNOWN_JURISDICTION`](super::find::KNOWN_JURISDICTION), and how many of these agree with the truth.
    pub sure: [u64; 2],
    /// The same for reads that name one with less.
    pub unsure: [u64; 2],
}

impl Fit {
    /// Takes a read into account; one without truth is not counted.
    pub fn add(&mut self, seen: PlateSeen) {
        let Some(truth) = seen.truth else { return };
        if let (Some((said, confidence)), Some(issued)) = (seen.jurisdiction, seen.issued_by) {
            let counts = if confidence >= super::find::KNOWN_JURISDICTION { &mut self.sure } else { &mut self.unsure };
            counts[0] += 1;
            counts[1] += u64::from(said.agrees(issued));
        }
        self.replaced.resize(36, [0; 36]);
        self.align(truth, seen.text);
        self.reads.push((seen, truth));
    }

    /// Reads with a truth so far.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.reads.len()
    }

    /// Reads whose text is the truth.
    #[must_use]
    pub fn exact(&self) -> usize {
        self.reads.iter().filter(|(seen, truth)| seen.text == *truth).count()
    }

    /// Characters read as another one, and how many of these as an equivalent one.
    #[must_use]
    pub fn replacements(&self) -> [u64; 2] {
        let mut counts = [0; 2];
        for (truth, read, count) in self.confusions() {
            counts[0] += count;
            counts[1] += if EQUIVALENT.iter().any(|class| class.contains(&truth) && class.contains(&read)) { count } else { 0 };
        }
        counts
    }

    /// What was read as what, and how often; the most frequent first.
    #[must_use]
    pub fn confusions(&self) -> Vec<(u8, u8, u64)> {
        let mut all = Vec::new();
        for (truth, row) in self.replaced.iter().enumerate() {
            all.extend(row.iter().enumerate().filter(|(_, count)| **count > 0).map(|(read, count)| (ALPHABET[truth], ALPHABET[read], *count)));
        }
        all.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        all
    }

    /// The mean log-likelihood of the true texts under a model, natural, per read; higher is better.
    #[must_use]
    pub fn score(&self, model: &ReaderModel) -> f64 {
        let log = |(seen, truth): &(PlateSeen, Key)| f64::from(Likelihood::new(&seen.posterior, model).of(*truth).max(HOPELESS).ln());
        self.reads.iter().map(log).sum::<f64>() / self.reads.len().max(1) as f64
    }

    /// The model under which the true texts are likeliest; `unknown` is no matter of reading and stays as in `begin`.
    #[must_use]
    pub fn model(&self, begin: ReaderModel) -> ReaderModel {
        let mut best = (self.score(&begin), begin);
        loop {
            let before = best.0;
            let changes: [fn(&mut ReaderModel) -> &mut f32; 3] = [|model| &mut model.missed, |model| &mut model.doubled, |model| &mut model.smear];
            for change in changes {
                for step in LADDER {
                    let mut model = best.1;
                    *change(&mut model) = 10f32.powf(step as f32 / 8.0);
                    let score = self.score(&model);
                    if score > best.0 {
                        best = (score, model);
                    }
                }
            }
            if best.0 - before < 1e-6 {
                return best.1;
            }
        }
    }

    /// Counts the characters of one cheapest way to make `read` of `truth`.
    fn align(&mut self, truth: Key, read: Key) {
        let (rows, columns) = (truth.len(), read.len());
        let mut cost: [[u8; 17]; 17] = std::array::from_fn(|row| std::array::from_fn(|column| if row == 0 || column == 0 { (row + column) as u8 } else { 0 }));
        for row in 0..rows {
            for column in 0..columns {
                let other = u8::from(truth.symbol(row) != read.symbol(column));
                cost[row + 1][column + 1] = (cost[row][column] + other).min(cost[row][column + 1] + 1).min(cost[row + 1][column] + 1);
            }
        }
        // Of a text that has little to do with the truth no character says what it was taken for.
        if usize::from(cost[rows][columns]) * 2 > rows {
            return;
        }
        self.characters += rows as u64;
        let (mut row, mut column) = (rows, columns);
        while row > 0 || column > 0 {
            if row > 0 && column > 0 {
                let (is, was) = (truth.symbol(row - 1), read.symbol(column - 1));
                if cost[row][column] == cost[row - 1][column - 1] + u8::from(is != was) {
                    if is == was {
                        self.right += 1
                    } else {
                        self.replaced[usize::from(is) - 1][usize::from(was) - 1] += 1
                    }
                    (row, column) = (row - 1, column - 1);
                    continue;
                }
            }
            if row > 0 && cost[row][column] == cost[row - 1][column] + 1 {
                self.missed += 1;
                row -= 1;
            } else {
                self.additional += 1;
                column -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::watchlist::Maker;

    #[test]
    fn finds_the_model_that_made_the_reads() {
        let (mut maker, mut fit) = (Maker::new(11), Fit::default());
        for _ in 0..4_000 {
            let (text, jurisdiction) = maker.plate();
            let seen = maker.see(&text, jurisdiction);
            let truth = Key::of(&text);
            fit.add(PlateSeen {
                image: String::new(),
                captured_at: None,
                posterior: seen.posterior,
                text: seen.text,
                jurisdiction: None,
                truth,
                issued_by: None,
            });
        }
        // `Maker::see` misses 2 characters and doubles 1 in 1,000, and is as sure as it says.
        let model = fit.model(ReaderModel::default());
        assert!((0.001..0.004).contains(&model.missed) && (0.0004..0.0025).contains(&model.doubled) && model.smear < 0.002, "{model:?}");
        assert!((0.0015..0.0025).contains(&(fit.missed as f64 / fit.characters as f64)), "{} of {}", fit.missed, fit.characters);
    }

    #[test]
    fn characters_are_counted_by_what_became_of_them() {
        let mut fit = Fit { replaced: vec![[0; 36]; 36], ..Fit::default() };
        for (truth, read) in [("7ABC123", "7A8C123"), ("7ABC123", "7ABC23"), ("7ABC123", "7ABC1123"), ("7ABC123", "XYZ")] {
            fit.align(Key::of(truth).unwrap(), Key::of(read).unwrap());
        }
        assert_eq!((fit.characters, fit.right, fit.missed, fit.additional), (21, 19, 1, 1));
        assert_eq!((fit.confusions(), fit.replacements()), (vec![(b'B', b'8', 1)], [1, 1]));
    }
}
