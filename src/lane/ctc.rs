//! From the reader's columns to a text, its probability, and what else each position could be.
//!
//! The network gives, for each column, a distribution over blank and the 36 characters; a text's probability is the sum over all ways to lay it
//! out on the columns (connectionist temporal classification: Graves et al., ICML 2006, equations 6-8). The best text comes from a prefix beam
//! search; what else a position could be is *computed*, not read off one column: the probability of the same text with that character
//! exchanged, or left out, summed over all layouts. With forward and backward sums at hand one exchange costs a pass over the columns.
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

/// One column: probability of blank (index 0) and of each character (index 1 + its place in the alphabet); sums to 1.
pub type Column = [f32; CLASSES];

/// A decoder's scratch; one per worker.
pub struct Decoder {
    beam: Vec<Prefix>,
    next: Vec<Prefix>,
    forward: Sums,
    backward: Sums,
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

impl Sums {
    fn new() -> Sums {
        let rows = || vec![[0.0; MAX_COLUMNS + 1]; MAX_POSITIONS + 2];
        Sums { blank: rows(), symbol: rows() }
    }
}

impl Default for Decoder {
    fn default() -> Decoder {
        let beam = || Vec::with_capacity(BEAM * (CLASSES + 1));
        Decoder { beam: beam(), next: beam(), forward: Sums::new(), backward: Sums::new() }
    }
}

impl Decoder {
    /// The most probable text of `columns` and its probability in 0..=1; `posterior` (overwritten) gets one position per character.
    ///
    /// # Panics
    /// With more than [`MAX_COLUMNS`] columns.
    pub fn decode(&mut self, columns: &[Column], posterior: &mut Posterior) -> (Text, f64) {
        assert!(columns.len() <= MAX_COLUMNS, "{} columns", columns.len());
        let text = self.best_prefix(columns);
        let mut symbols = [0; MAX_POSITIONS];
        for (slot, symbol) in symbols.iter_mut().zip(text.symbols()) {
            *slot = symbol + 1;
        }
        let symbols = &symbols[..text.len()];
        forward(columns, symbols, &mut self.forward);
        backward(columns, symbols, &mut self.backward);
        let probability = self.forward.blank[symbols.len()][columns.len()] + self.forward.symbol[symbols.len()][columns.len()];
        *posterior = Posterior::default();
        for position in 0..symbols.len() {
            posterior.push(self.alternatives(columns, symbols, position));
        }
        (text, probability.min(1.0))
    }

    fn best_prefix(&mut self, columns: &[Column]) -> Text {
        self.beam.clear();
        self.beam.push(Prefix { text: Text::default(), last: None, blank: 1.0, symbol: 0.0 });
        for column in columns {
            self.next.clear();
            for prefix in &self.beam {
                let stay = prefix.last.map_or(0.0, |last| prefix.symbol * f64::from(column[last + 1]));
                add(&mut self.next, Prefix { blank: prefix.total() * f64::from(column[0]), symbol: stay, ..*prefix });
                for (symbol, &probability) in column[1..].iter().enumerate() {
                    if probability < LEAST {
                        continue;
                    }
                    // The same character again needs a blank between.
                    let from = if prefix.last == Some(symbol) { prefix.blank } else { prefix.total() };
                    let mut text = prefix.text;
                    if from > 0.0 && text.push(symbol) {
                        add(&mut self.next, Prefix { text, last: Some(symbol), blank: 0.0, symbol: from * f64::from(probability) });
                    }
                }
            }
            self.next.sort_unstable_by(|a, b| b.total().total_cmp(&a.total()));
            self.next.truncate(BEAM);
            std::mem::swap(&mut self.beam, &mut self.next);
        }
        self.beam.first().map_or(Text::default(), |best| best.text)
    }

    /// What else the character at `position` could be, everything else as decoded.
    fn alternatives(&self, columns: &[Column], symbols: &[usize], position: usize) -> Position {
        let (done, left) = (&self.forward, &self.backward);
        let before = position.checked_sub(1).map(|index| symbols[index]);
        let after = symbols.get(position + 1).copied();
        let mut weights = [0.0f64; 36];
        for (index, weight) in weights.iter_mut().enumerate() {
            let class = index + 1;
            let mut standing = 0.0;
            for (at, column) in columns.iter().enumerate() {
                let enter = done.blank[position][at] + if before == Some(class) { 0.0 } else { done.symbol[position][at] };
                standing = f64::from(column[class]) * (standing + enter);
                *weight += standing * leave(columns, left, position + 1, at + 1, after, class);
            }
        }
        let without = self.without(columns, symbols, position);
        let total: f64 = weights.iter().sum();
        if total <= 0.0 {
            return Position { characters: [1.0 / 36.0; 36], absent: 0.5 };
        }
        Position { characters: weights.map(|weight| (weight / total) as f32), absent: (without / (without + total)) as f32 }
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

/// Adds a prefix, joining it with an equal one.
fn add(prefixes: &mut Vec<Prefix>, prefix: Prefix) {
    match prefixes.iter_mut().find(|known| known.text == prefix.text) {
        Some(known) => {
            known.blank += prefix.blank;
            known.symbol += prefix.symbol;
        }
        None => prefixes.push(prefix),
    }
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

/// Probability that the columns from `at` on are the symbols from `count` on, where the column before was `class` and is done with it.
fn leave(columns: &[Column], left: &Sums, count: usize, at: usize, after: Option<usize>, class: usize) -> f64 {
    let Some(column) = columns.get(at) else { return left.blank[count][at] };
    let next = match after {
        Some(symbol) if symbol != class => f64::from(column[symbol]) * left.symbol[count + 1][at + 1],
        _ => 0.0,
    };
    f64::from(column[0]) * left.blank[count][at + 1] + next
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
            let (text, probability) = Decoder::default().decode(&columns, &mut posterior);
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

        /// A beam is no proof over many columns; while all prefixes fit it (13 after two columns), the search is exact.
        #[test]
        fn no_text_is_more_probable(columns in columns(3)) {
            let (_, best) = Decoder::default().decode(&columns, &mut Posterior::default());
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
