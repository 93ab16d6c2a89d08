//! What the reader saw: for each position of a text, how probable each character is.
//!
//! The lane's reader makes it, passages combine it, and the watchlist searches with it. Plain arrays of a fixed size, so that none of
//! them allocates.

/// The characters that a plate, mark or container code is read as, in the order of every probability array here.
pub const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The most positions that a text has. The longest labelled plate has 12; ISO 6346 needs 11.
pub const MAX_POSITIONS: usize = 16;

/// The index of an ASCII character in [`ALPHABET`]; lower case counts as upper case.
pub fn symbol(character: u8) -> Option<usize> {
    match character {
        b'0'..=b'9' => Some((character - b'0') as usize),
        b'A'..=b'Z' => Some((character - b'A') as usize + 10),
        b'a'..=b'z' => Some((character - b'a') as usize + 10),
        _ => None,
    }
}

/// One position of a read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// Probability of each character of [`ALPHABET`], given that there is one here; sums to 1.
    pub characters: [f32; 36],
    /// Probability that there is no character here at all (the reader saw one where there is none), in 0..=1.
    pub absent: f32,
}

/// The posterior of one read: at most [`MAX_POSITIONS`] positions in reading order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posterior {
    positions: [Position; MAX_POSITIONS],
    length: usize,
}

impl Default for Posterior {
    fn default() -> Posterior {
        Posterior { positions: [Position { characters: [0.0; 36], absent: 0.0 }; MAX_POSITIONS], length: 0 }
    }
}

impl Posterior {
    /// A posterior that is certain of `text` but for `doubt`, which is spread evenly over the other characters of each position; `None` if a
    /// character is not in [`ALPHABET`] or there are more than [`MAX_POSITIONS`].
    pub fn certain(text: &str, doubt: f32) -> Option<Posterior> {
        let mut posterior = Posterior::default();
        for character in text.bytes() {
            let mut characters = [doubt / 35.0; 36];
            characters[symbol(character)?] = 1.0 - doubt;
            posterior.push(Position { characters, absent: 0.0 }).then_some(())?;
        }
        Some(posterior)
    }

    /// Appends a position; false, and nothing done, when the posterior is full.
    pub fn push(&mut self, position: Position) -> bool {
        let Some(slot) = self.positions.get_mut(self.length) else { return false };
        *slot = position;
        self.length += 1;
        true
    }

    /// The positions in reading order.
    pub fn positions(&self) -> &[Position] {
        &self.positions[..self.length]
    }

    /// The positions in reading order, to change in place.
    pub fn positions_mut(&mut self) -> &mut [Position] {
        &mut self.positions[..self.length]
    }
}

/// A text of at most [`MAX_POSITIONS`] characters of [`ALPHABET`], without a heap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text {
    bytes: [u8; MAX_POSITIONS],
    length: u8,
}

impl Text {
    /// The text as registered: letters in upper case, everything that is not in [`ALPHABET`] left out; `None` where more than
    /// [`MAX_POSITIONS`] characters remain.
    pub fn of(text: &str) -> Option<Text> {
        let mut folded = Text::default();
        for character in text.bytes() {
            if let Some(index) = symbol(character) {
                folded.push(index).then_some(())?;
            }
        }
        Some(folded)
    }

    /// Appends the character of [`ALPHABET`] at `index`; false, and nothing done, when the text is full.
    ///
    /// # Panics
    /// Where `index` is not below 36.
    pub fn push(&mut self, index: usize) -> bool {
        let character = ALPHABET[index];
        let Some(slot) = self.bytes.get_mut(usize::from(self.length)) else { return false };
        *slot = character;
        self.length += 1;
        true
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("a text holds ASCII")
    }

    /// The characters as indices into [`ALPHABET`].
    pub fn symbols(&self) -> impl ExactSizeIterator<Item = usize> + DoubleEndedIterator + '_ {
        self.bytes[..usize::from(self.length)].iter().map(|&character| symbol(character).expect("a text holds the alphabet"))
    }

    /// Insertions, deletions and exchanges between two texts (Levenshtein distance).
    pub fn edits(&self, other: &Text) -> usize {
        let mut row: [usize; MAX_POSITIONS + 1] = std::array::from_fn(|index| index);
        for (line, mine) in self.as_str().bytes().enumerate() {
            let mut diagonal = row[0];
            row[0] = line + 1;
            for (column, theirs) in other.as_str().bytes().enumerate() {
                let exchanged = diagonal + usize::from(mine != theirs);
                diagonal = row[column + 1];
                row[column + 1] = exchanged.min(diagonal + 1).min(row[column] + 1);
            }
        }
        row[other.len()]
    }

    /// How many characters.
    pub fn len(&self) -> usize {
        usize::from(self.length)
    }

    /// True for a no-read.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}", self.as_str())
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}
