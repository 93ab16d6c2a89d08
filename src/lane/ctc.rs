//! From the reader's columns to a text, its probability, and what else each position could be.
//!
//! The network gives, for each column, a distribution over blank and the 36 characters; a text's probability is the sum over all ways to lay it
//! out on the columns (connectionist temporal classification: Graves et al., ICML 2006, equations 6-8). The best text comes from a prefix beam
//! search; what else a position could be is *computed*, not read off one column: the probability of the same text with that character
//! exchanged, or left out, summed over all layouts. With forward and backward sums at hand all exchanges of a position cost a pass over the columns.
//!
//! A plate that the network looked at several times is decoded once: the looks are taken for equally likely to be the right one.
//!
//! Everything is in linear f64: a certain text has a probability near 1, and the least that 128 columns of 37 equal classes give is 1e-201.

use crate::posterior::{MAX_POSITIONS, Position, Posterior, Text};

/// Classes of a column: blank, then the alphabet.
pub const CLASSES: usize = 37;
/// The most columns of a reader's output, both lines together.
pub const MAX_COLUMNS: usize = 128;
/// Prefixes kept from column to column; a guess: most columns have one or two candidates.
const BEAM: usize = 16;
/// Characters less probable than this in a column do not start a prefix there.
const LEAST: f32 = 1e-4;
/// Prefixes less probable than this share of the best are not begun: they cannot win more than they have.
const HOPELESS: f64 = 1e-7;
/// Layouts less probable than this share of the text's own are left out where a character is exchanged: 80 columns of them change no probability by 1e-7.
const NEGLIGIBLE: f64 = 1e-9;
/// The most looks at one plate that are decoded together.
pub const MAX_LOOKS: usize = 8;

/// One column: probability of blank (index 0) and of each character (index 1 + its place in the alphabet); sums to 1.
pub type Column = [f32; CLASSES];

/// A decoder's scratch; one per worker.
pub struct Decoder {
    beam: Vec<Prefix>,
    next: Vec<Prefix>,
    forward: Sums,
    backward: Sums,
    exchanged: [Exchanges; MAX_POSITIONS],
}

#[derive(Clone, Copy)]
struct Prefix {
    text: Text,
    last: Option<usize>,
    /// Probability of all layouts that end in blank, and of those that end in the last character.
    blank: f64,
    symbol: f64,
}

impl Prefix {
    fn total(&self) -> f64 {
        self.blank + self.symbol
    }
}

/// Per characters done (rows) and columns done (columns): sums over layouts that stand in blank, or in the last character done.
struct Sums {
    blank: Vec<[f64; MAX_COLUMNS + 1]>,
    symbol: Vec<[f64; MAX_COLUMNS + 1]>,
}

/// What the texts are worth in which one character of the decoded text is exchanged: probability by the character put in its place, and without any.
#[derive(Clone, Copy)]
struct Exchanges {
    characters: [f64; 36],
    absent: f64,
}

impl Exchanges {
    const NONE: Exchanges = Exchanges { characters: [0.0; 36], absent: 0.0 };

    fn position(&self) -> Position {
        let total: f64 = self.characters.iter().sum();
        if total <= 0.0 {
            return Position { characters: [1.0 / 36.0; 36], absent: 0.5 };
        }
        Position { characters: self.characters.map(|weight| (weight / total) as f32), absent: (self.absent / (self.absent + total)) as f32 }
    }
}

impl Sums {
    fn new() -> Sums {
        let rows = || vec![[0.0; MAX_COLUMNS + 1]; MAX_POSITIONS + 2];
        Sums { blank: rows(), symbol: rows() }
    }
}

impl Default for Decoder {
    fn default() -> Decoder {
        let beam = || Vec::with_capacity(BEAM * (CLASSES + 1));
        Decoder { beam: beam(), next: beam(), forward: Sums::new(), backward: Sums::new(), exchanged: [Exchanges::NONE; MAX_POSITIONS] }
    }
}

impl Decoder {
    /// The most probable text of one plate and its probability in 0..=1; `posterior` (overwritten) gets one position per character.
    ///
    /// `looks` are the columns of each time that the network looked at the plate. A text's probability is the mean of what it is in each look, and so
    /// are those of its alternatives; the texts compared are the best of each look.
    ///
    /// # Panics
    /// Without a look, with more than [`MAX_LOOKS`], or with more than [`MAX_COLUMNS`] columns in one.
    pub fn decode(&mut self, looks: &[Vec<Column>], posterior: &mut Posterior) -> (Text, f64) {
        assert!((1..=MAX_LOOKS).contains(&looks.len()), "{} looks", looks.len());
        assert!(looks.iter().all(|columns| columns.len() <= MAX_COLUMNS), "more than {MAX_COLUMNS} columns");
        let mut best = (Text::default(), -1.0);
        let mut compared = [Text::default(); MAX_LOOKS];
        for (index, columns) in looks.iter().enumerate() {
            let text = self.best_prefix(columns);
            compared[index] = text;
            if compared[..index].contains(&text) {
                continue;
            }
            let (symbols, length) = symbols(&text);
            let total: f64 = looks.iter().map(|columns| self.probability(columns, &symbols[..length])).sum();
            let mean = total / looks.len() as f64;
            if mean > best.1 {
                best = (text, mean);
            }
        }
        let (symbols, length) = symbols(&best.0);
        let symbols = &symbols[..length];
        self.exchanged[..length].fill(Exchanges::NONE);
        for columns in looks {
            forward(columns, symbols, &mut self.forward);
            backward(columns, symbols, &mut self.backward);
            for position in 0..length {
                self.exchange(columns, symbols, position);
            }
        }
        *posterior = Posterior::default();
        self.exchanged[..length].iter().for_each(|exchanges| {
            posterior.push(exchanges.position());
        });
        (best.0, best.1.min(1.0))
    }

    /// Probability of a text in one look: the sum over its layouts.
    fn probability(&mut self, columns: &[Column], symbols: &[usize]) -> f64 {
        forward(columns, symbols, &mut self.forward);
        self.forward.blank[symbols.len()][columns.len()] + self.forward.symbol[symbols.len()][columns.len()]
    }

    fn best_prefix(&mut self, columns: &[Column]) -> Text {
        self.beam.clear();
        self.beam.push(Prefix { text: Text::default(), last: None, blank: 1.0, symbol: 0.0 });
        for column in columns {
            let mut likely = [0; CLASSES];
            let mut count = 0;
            for (symbol, &probability) in column[1..].iter().enumerate() {
                likely[count] = symbol;
                count += usize::from(probability >= LEAST);
            }
            self.next.clear();
            for prefix in &self.beam {
                let stay = prefix.last.map_or(0.0, |last| prefix.symbol * f64::from(column[last + 1]));
                self.next.push(Prefix { blank: prefix.total() * f64::from(column[0]), symbol: stay, ..*prefix });
            }
            let hopeless = HOPELESS * self.next.iter().map(Prefix::total).fold(0.0, f64::max);
            for prefix in &self.beam {
                for &symbol in &likely[..count] {
                    // The same character again needs a blank between.
                    let from = if prefix.last == Some(symbol) { prefix.blank } else { prefix.total() };
                    let longer = from * f64::from(column[symbol + 1]);
                    let mut text = prefix.text;
                    if longer > hopeless && text.push(symbol) {
                        // Two prefixes grow into different texts, so that only one that stayed can be the same.
                        match self.next[..self.beam.len()].iter_mut().find(|stayed| stayed.text == text) {
                            Some(stayed) => stayed.symbol += longer,
                            None => self.next.push(Prefix { text, last: Some(symbol), blank: 0.0, symbol: longer }),
                        }
                    }
                }
            }
            if self.next.len() > BEAM {
                self.next.select_nth_unstable_by(BEAM, |a, b| b.total().total_cmp(&a.total()));
                self.next.truncate(BEAM);
            }
            std::mem::swap(&mut self.beam, &mut self.next);
        }
        self.beam.iter().max_by(|a, b| a.total().total_cmp(&b.total())).map_or(Text::default(), |best| best.text)
    }

    /// Adds what else the character at `position` could be in one look, everything else as decoded, to `exchanged`.
    fn exchange(&mut self, columns: &[Column], symbols: &[usize], position: usize) {
        let (done, left) = (&self.forward, &self.backward);
        let before = position.checked_sub(1).map(|index| symbols[index] - 1);
        let after = symbols.get(position + 1).map(|&class| class - 1);
        let weights = &mut self.exchanged[position].characters;
        let mut standing = [0.0f64; 36];
        // Where layouts neither get to this position nor get on from it, nothing is added: most columns, in a sure read.
        let cut = NEGLIGIBLE * (done.blank[symbols.len()][columns.len()] + done.symbol[symbols.len()][columns.len()]);
        let begins = |&at: &usize| done.blank[position][at] + done.symbol[position][at] > cut;
        let goes_on = |&at: &usize| left.blank[position + 1][at + 1] + left.symbol[position + 1][at + 1] > cut;
        let from = (0..columns.len()).find(begins).unwrap_or(columns.len());
        let to = (0..columns.len()).rfind(goes_on).map_or(0, |last| last + 1);
        for (at, column) in columns.iter().enumerate().take(to).skip(from) {
            let (blank, symbol) = (done.blank[position][at], done.symbol[position][at]);
            let (stay, next) = leave(columns, left, position + 1, at + 1, symbols.get(position + 1).copied());
            // A character equal to its neighbour cannot touch it: only those two differ from the rest.
            let same = |neighbour: Option<usize>| neighbour.map(|index| (index, standing[index], weights[index]));
            let (like_before, like_after) = (same(before), same(after));
            let probabilities: &[f32; 36] = column[1..].try_into().expect("blank and 36 characters");
            for ((standing, weight), &probability) in standing.iter_mut().zip(weights.iter_mut()).zip(probabilities) {
                *standing = f64::from(probability) * (*standing + blank + symbol);
                *weight += *standing * (stay + next);
            }
            for (index, stood, weight) in [like_before, like_after].into_iter().flatten() {
                let enter = if before == Some(index) { blank } else { blank + symbol };
                let go_on = if after == Some(index) { stay } else { stay + next };
                standing[index] = f64::from(probabilities[index]) * (stood + enter);
                weights[index] = weight + standing[index] * go_on;
            }
        }
        self.exchanged[position].absent += self.without(columns, symbols, position);
    }

    /// Probability of the text with the character at `position` left out.
    fn without(&self, columns: &[Column], symbols: &[usize], position: usize) -> f64 {
        let (done, left) = (&self.forward, &self.backward);
        let before = position.checked_sub(1).map(|index| symbols[index]);
        let Some(&after) = symbols.get(position + 1) else {
            return done.blank[position][columns.len()] + done.symbol[position][columns.len()];
        };
        // Split each layout at the column where the character after the gap begins.
        let mut sum = 0.0;
        for (at, column) in columns.iter().enumerate() {
            let enter = done.blank[position][at] + if before == Some(after) { 0.0 } else { done.symbol[position][at] };
            sum += enter * f64::from(column[after]) * left.symbol[position + 2][at + 1];
        }
        sum
    }
}

/// The classes of a text's characters, and how many there are.
fn symbols(text: &Text) -> ([usize; MAX_POSITIONS], usize) {
    let mut classes = [0; MAX_POSITIONS];
    for (slot, symbol) in classes.iter_mut().zip(text.symbols()) {
        *slot = symbol + 1;
    }
    (classes, text.len())
}

/// `sums.*[i][t]`: probability that the first `t` columns are the first `i` symbols, ending in blank (or nothing yet) or in the `i`-th symbol.
fn forward(columns: &[Column], symbols: &[usize], sums: &mut Sums) {
    for count in 0..=symbols.len() {
        sums.blank[count][0] = if count == 0 { 1.0 } else { 0.0 };
        sums.symbol[count][0] = 0.0;
        for (at, column) in columns.iter().enumerate() {
            sums.blank[count][at + 1] = f64::from(column[0]) * (sums.blank[count][at] + sums.symbol[count][at]);
            sums.symbol[count][at + 1] = match count.checked_sub(1) {
                None => 0.0,
                Some(index) => {
                    let repeated = index > 0 && symbols[index - 1] == symbols[index];
                    let enter = sums.blank[index][at] + if repeated { 0.0 } else { sums.symbol[index][at] };
                    f64::from(column[symbols[index]]) * (sums.symbol[count][at] + enter)
                }
            };
        }
    }
}

/// `sums.*[i][t]`: probability that the columns from `t` on are the symbols from `i` on, standing in blank, or in symbol `i - 1`, just before.
fn backward(columns: &[Column], symbols: &[usize], sums: &mut Sums) {
    for count in (0..=symbols.len()).rev() {
        let end = if count == symbols.len() { 1.0 } else { 0.0 };
        sums.blank[count][columns.len()] = end;
        sums.symbol[count][columns.len()] = end;
        for (at, column) in columns.iter().enumerate().rev() {
            let next = symbols.get(count).map_or(0.0, |&symbol| f64::from(column[symbol]) * sums.symbol[count + 1][at + 1]);
            let blank = f64::from(column[0]) * sums.blank[count][at + 1];
            sums.blank[count][at] = blank + next;
            sums.symbol[count][at] = match count.checked_sub(1) {
                None => 0.0,
                Some(index) => {
                    let repeated = symbols.get(count) == Some(&symbols[index]);
                    let stay = f64::from(column[symbols[index]]) * sums.symbol[count][at + 1];
                    stay + blank + if repeated { 0.0 } else { next }
                }
            };
        }
    }
}

/// Probability that the columns from `at` on are the symbols from `count` on, where the column before was a character that is done: by way of a
/// blank, and by the character `after` at once.
fn leave(columns: &[Column], left: &Sums, count: usize, at: usize, after: Option<usize>) -> (f64, f64) {
    let Some(column) = columns.get(at) else { return (left.blank[count][at], 0.0) };
    let next = after.map_or(0.0, |symbol| f64::from(column[symbol]) * left.symbol[count + 1][at + 1]);
    (f64::from(column[0]) * left.blank[count][at + 1], next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Probability of `text` by enumerating every path over the columns.
    fn by_enumeration(columns: &[Column], text: &[usize]) -> f64 {
        fn walk(columns: &[Column], text: &[usize], last: usize, probability: f64) -> f64 {
            let Some((column, rest)) = columns.split_first() else { return if text.is_empty() { probability } else { 0.0 } };
            (0..CLASSES)
                .filter(|&class| column[class] > 0.0)
                .map(|class| {
                    let probability = probability * f64::from(column[class]);
                    if class == 0 || class == last {
                        walk(rest, text, class, probability)
                    } else if text.first() == Some(&class) {
                        walk(rest, &text[1..], class, probability)
                    } else {
                        0.0
                    }
                })
                .sum()
        }
        walk(columns, text, 0, 1.0)
    }

    /// At most `most` columns over blank and the first three characters only, so that enumeration stays small.
    fn columns(most: usize) -> impl Strategy<Value = Vec<Column>> {
        prop::collection::vec(prop::array::uniform4(0.01f32..1.0), 1..=most).prop_map(|rows| {
            rows.into_iter()
                .map(|weights| {
                    let mut column = [0.0; CLASSES];
                    let total: f32 = weights.iter().sum();
                    for (slot, weight) in column.iter_mut().zip(weights) {
                        *slot = weight / total;
                    }
                    column
                })
                .collect()
        })
    }

    fn classes(text: &Text) -> Vec<usize> {
        text.symbols().map(|symbol| symbol + 1).collect()
    }

    proptest! {
        #[test]
        fn probability_and_alternatives_equal_enumeration(columns in columns(6)) {
            let mut posterior = Posterior::default();
            let (text, probability) = Decoder::default().decode(std::slice::from_ref(&columns), &mut posterior);
            let text = classes(&text);
            prop_assert!((probability - by_enumeration(&columns, &text)).abs() < 1e-6);
            for (index, position) in posterior.positions().iter().enumerate() {
                let exchanged: Vec<f64> = (1..=3).map(|class| {
                    let mut other = text.clone();
                    other[index] = class;
                    by_enumeration(&columns, &other)
                }).collect();
                let total: f64 = exchanged.iter().sum();
                for (class, weight) in exchanged.iter().enumerate() {
                    prop_assert!((f64::from(position.characters[class]) - weight / total).abs() < 1e-5, "{position:?} {exchanged:?}");
                }
                let mut shorter = text.clone();
                shorter.remove(index);
                let without = by_enumeration(&columns, &shorter);
                prop_assert!((f64::from(position.absent) - without / (without + total)).abs() < 1e-5);
            }
        }

        #[test]
        fn looks_are_averaged(first in columns(5), second in columns(5)) {
            let looks = [first, second];
            let mean = |text: &[usize]| looks.iter().map(|columns| by_enumeration(columns, text)).sum::<f64>() / 2.0;
            let mut posterior = Posterior::default();
            let (text, probability) = Decoder::default().decode(&looks, &mut posterior);
            let text = classes(&text);
            prop_assert!((probability - mean(&text)).abs() < 1e-6);
            for look in &looks {
                let (alone, _) = Decoder::default().decode(std::slice::from_ref(look), &mut Posterior::default());
                prop_assert!(mean(&classes(&alone)) <= probability + 1e-6);
            }
            for (index, position) in posterior.positions().iter().enumerate() {
                let exchanged = [1, 2, 3].map(|class| {
                    let mut other = text.clone();
                    other[index] = class;
                    mean(&other)
                });
                let total: f64 = exchanged.iter().sum();
                for (class, weight) in exchanged.iter().enumerate() {
                    prop_assert!((f64::from(position.characters[class]) - weight / total).abs() < 1e-5, "{position:?} {exchanged:?}");
                }
            }
        }

        /// A beam is no proof over many columns; while all prefixes fit it (13 after two columns), the search is exact.
        #[test]
        fn no_text_is_more_probable(columns in columns(3)) {
            let (_, best) = Decoder::default().decode(std::slice::from_ref(&columns), &mut Posterior::default());
            let mut texts = vec![vec![]];
            for _ in 0..3 {
                for text in texts.clone() {
                    for class in 1..=3 {
                        let mut longer = text.clone();
                        longer.push(class);
                        prop_assert!(by_enumeration(&columns, &longer) <= best + 1e-6);
                        texts.push(longer);
                    }
                }
            }
        }
    }
}
