//! What a text must be like, as a machine that takes it character by character: known characters, `?`, `*`, and a few edits.
//!
//! One bit a place of what is sought, one row of bits for each number of edits (Wu and Manber 1992); a character is a handful of instructions, and all of it fits
//! in registers. Because it is told after each character whether anything can still come of the text, an index in the order of its texts is walked without looking at what
//! cannot match ([`super::walk`]).

use crate::error::{Error, Fault, Result};
use crate::watchlist::text::{EQUIVALENT, Key};

/// The most edits.
pub const MOST_EDITS: u8 = 2;
/// What can be sought at most: as many characters as a text has, and a `*` around each.
const MOST_PLACES: usize = 33;

/// What a text must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Automaton {
    /// By packed symbol (1 + its place in the alphabet): the places that take it.
    takes: [u64; 37],
    /// Places that take any number of characters.
    any: u64,
    places: Vec<Place>,
    edits: u8,
}

/// One place of what is sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// This packed symbol.
    Is(u8),
    /// This one, or one that a reader may take for it.
    Like(u8),
    /// Any one character.
    One,
    /// Any number of characters.
    Any,
}

/// How far a text has come, for each number of edits: bit i, that the first i places are met.
pub type State = [u64; MOST_EDITS as usize + 1];

impl Automaton {
    /// Takes texts that meet `places` after at most `edits` characters were replaced, left out or added.
    ///
    /// # Errors
    /// `Caller` for more edits than [`MOST_EDITS`], no places, or too many.
    pub fn new(places: Vec<Place>, edits: u8) -> Result<Automaton> {
        if places.is_empty() || places.len() > MOST_PLACES || edits > MOST_EDITS {
            let message = format!("{} characters with {edits} edits: 1 to {MOST_PLACES} are understood, with at most {MOST_EDITS} edits", places.len());
            return Err(Error::new(Fault::Caller, message));
        }
        let (mut takes, mut any) = ([0; 37], 0);
        for (at, place) in places.iter().enumerate() {
            match place {
                Place::Any => any |= 1 << at,
                Place::One => takes[1..].iter_mut().for_each(|takes| *takes |= 1 << at),
                Place::Is(symbol) => takes[usize::from(*symbol)] |= 1 << at,
                Place::Like(symbol) => alike(*symbol).for_each(|symbol| takes[usize::from(symbol)] |= 1 << at),
            }
        }
        Ok(Automaton { takes, any, places, edits })
    }

    /// Takes the same texts from their ends.
    #[must_use]
    pub fn reversed(&self) -> Automaton {
        let places = self.places.iter().rev().copied().collect();
        Automaton::new(places, self.edits).expect("as many places as before")
    }

    /// What is sought.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Before the first character.
    #[must_use]
    pub fn start(&self) -> State {
        let mut state = [0; 3];
        state[0] = self.onwards(1);
        for edits in 1..=usize::from(self.edits) {
            state[edits] = self.onwards(state[edits - 1] | state[edits - 1] << 1) & self.whole();
        }
        state
    }

    /// After one more character, a packed symbol.
    #[inline]
    #[must_use]
    pub fn step(&self, state: &State, symbol: u8) -> State {
        let takes = self.takes[usize::from(symbol)];
        let taken = |row: u64| (row & takes) << 1 | row & self.any;
        let mut next = [0; 3];
        next[0] = self.onwards(taken(state[0]));
        for edits in 1..=usize::from(self.edits) {
            // Taken as it is; one too many; another in its place; or left out before it.
            let edited = state[edits - 1] | state[edits - 1] << 1 | next[edits - 1] << 1;
            next[edits] = self.onwards((taken(state[edits]) | edited) & self.whole());
        }
        next
    }

    /// Whether nothing can come of it any more.
    #[inline]
    #[must_use]
    pub fn is_dead(state: &State) -> bool {
        *state == [0; 3]
    }

    /// With how many edits a text that ends here is taken.
    #[inline]
    #[must_use]
    pub fn accepts(&self, state: &State) -> Option<u8> {
        let end = 1u64 << self.places.len();
        (0..=self.edits).find(|&edits| state[usize::from(edits)] & end != 0)
    }

    /// With how many edits it takes a text, if it does.
    #[must_use]
    pub fn takes(&self, text: &[u8]) -> Option<u8> {
        let mut state = self.start();
        for &character in text {
            state = self.step(&state, symbol(character)?);
            if Automaton::is_dead(&state) {
                return None;
            }
        }
        self.accepts(&state)
    }

    /// `*` may also stand for nothing.
    #[inline]
    fn onwards(&self, row: u64) -> u64 {
        row | (row & self.any) << 1
    }

    fn whole(&self) -> u64 {
        (2 << self.places.len()) - 1
    }
}

/// The packed symbol of a character of a normalised text.
pub(crate) fn symbol(character: u8) -> Option<u8> {
    crate::posterior::symbol(character).map(|place| place as u8 + 1)
}

/// A packed symbol and those that readers take for it.
fn alike(one: u8) -> impl Iterator<Item = u8> {
    let class = EQUIVALENT.iter().find(|class| class.iter().any(|&member| symbol(member) == Some(one)));
    class.into_iter().flat_map(|class| class.iter().filter_map(|&member| symbol(member))).chain(class.is_none().then_some(one))
}

/// The places of a text that is known.
pub(crate) fn known(key: Key, place: fn(u8) -> Place) -> Vec<Place> {
    (0..key.len()).map(|at| place(key.symbol(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watchlist::text::Distance;
    use proptest::prelude::*;

    fn near(text: &str, edits: u8) -> Automaton {
        Automaton::new(known(Key::of(text).expect("a key"), Place::Like), edits).expect("sound")
    }

    #[test]
    fn edits_are_counted_and_what_readers_confuse_is_none() {
        let automaton = near("7ABC123", 2);
        for (text, edits) in [("7ABC123", Some(0)), ("7A8CI23", Some(0)), ("7AXC123", Some(1)), ("ABC123", Some(1)), ("7ABCC1234", Some(2)), ("XYZ", None)] {
            assert_eq!(automaton.takes(text.as_bytes()), edits, "{text}");
        }
        assert!(Automaton::new(Vec::new(), 0).is_err() && Automaton::new(vec![Place::One], 3).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn it_agrees_with_the_edit_distance(sought in "[AB81]{1,7}", text in "[AB81C]{1,8}", edits in 0u8..=2) {
            let distance = Distance::from(Key::of(&sought).expect("a key")).to(Key::of(&text).expect("a key"));
            let expected = (distance <= edits).then_some(distance);
            prop_assert_eq!(near(&sought, edits).takes(text.as_bytes()), expected);
            let reversed: String = text.chars().rev().collect();
            prop_assert_eq!(near(&sought, edits).reversed().takes(reversed.as_bytes()), expected);
        }
    }
}
