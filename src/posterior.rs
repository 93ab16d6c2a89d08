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
