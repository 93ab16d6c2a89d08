//! Texts as the watchlist compares them: normalised to A-Z 0-9, packed into one number, and folded by what an optical reader confuses.
//!
//! Goal: comparing, sorting, shortening and hashing a text are a handful of instructions, and nothing here allocates.
//! Assumption: no sought text has more than 16 characters (the longest labelled plate has 12, ISO 6346 has 11); longer ones are refused
//! at the door. The equivalences are *classes* (if 0 looks like O and O like D, then 0 looks like D), which is what makes folding exact.
//! 7-T, 4-A, V-Y and M-N are confused too, but rarely both ways; the posterior search covers them by what the reader saw.

use std::fmt;

use crate::posterior::{ALPHABET, MAX_POSITIONS, symbol};

/// Characters that optical readers take for one another, one class a row; the first of a class stands for all of it.
pub const EQUIVALENT: [&[u8]; 6] = [b"0OQD", b"1IL", b"8B", b"5S", b"2Z", b"6G"];

/// Bits of one packed symbol: 1 + its place in [`ALPHABET`], or 0 after the end.
const BITS: u32 = 6;
/// Where the first symbol lies.
const FIRST: u32 = BITS * (MAX_POSITIONS as u32 - 1);

/// The folded symbol of each symbol.
const FOLD: [u8; 64] = fold_table();

const fn fold_table() -> [u8; 64] {
    let mut table = [0; 64];
    let mut at = 0;
    while at < 64 {
        table[at] = at as u8;
        at += 1;
    }
    let mut class = 0;
    while class < EQUIVALENT.len() {
        let mut member = 0;
        while member < EQUIVALENT[class].len() {
            table[packed(EQUIVALENT[class][member]) as usize] = packed(EQUIVALENT[class][0]);
            member += 1;
        }
        class += 1;
    }
    table
}

/// 1 + the place in [`ALPHABET`] of an upper-case letter or digit.
pub(crate) const fn packed(character: u8) -> u8 {
    if character.is_ascii_digit() { character - b'0' + 1 } else { character - b'A' + 11 }
}

/// A normalised text of at most 16 characters of A-Z 0-9. Keys sort like their texts (digits before letters, a prefix before what it begins).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(pub(crate) u128);

impl Key {
    /// The key of a text that is already A-Z 0-9 (lower case counts as upper case); `None` for other characters or more than 16.
    pub fn of(text: &str) -> Option<Key> {
        if text.len() > MAX_POSITIONS {
            return None;
        }
        let mut key = Key::default();
        for (at, character) in text.bytes().enumerate() {
            key.0 |= (symbol(character)? as u128 + 1) << (FIRST - BITS * at as u32);
        }
        Some(key)
    }

    /// The number of characters.
    #[inline]
    pub fn len(self) -> usize {
        MAX_POSITIONS - (self.0.trailing_zeros() / BITS).min(MAX_POSITIONS as u32) as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Symbol `at`: 1 + its place in [`ALPHABET`], 0 after the end.
    ///
    /// # Panics
    /// In debug builds, where `at` is not below 16.
    #[inline]
    pub fn symbol(self, at: usize) -> u8 {
        (self.0 >> (FIRST - BITS * at as u32)) as u8 & 63
    }

    /// The symbol after symbol `at`; 0 after the last.
    #[inline]
    pub(crate) fn next_symbol(self, at: usize) -> u8 {
        if at + 1 < MAX_POSITIONS { self.symbol(at + 1) } else { 0 }
    }

    /// The text with each character replaced by the first of its class in [`EQUIVALENT`]: equal for two texts that a reader may confuse.
    #[inline]
    #[must_use]
    pub fn folded(self) -> Key {
        let mut folded = 0;
        for at in 0..self.len() {
            folded |= u128::from(FOLD[self.symbol(at) as usize]) << (FIRST - BITS * at as u32);
        }
        Key(folded)
    }

    /// The text without its character `at` (below its length).
    #[inline]
    #[must_use]
    pub fn without(self, at: usize) -> Key {
        // What comes after `at` moves up by one symbol; what comes before stays.
        let below = (1u128 << (FIRST - BITS * at as u32)) - 1;
        let above = !((below << BITS) | ((1 << BITS) - 1));
        Key((self.0 & above) | ((self.0 & below) << BITS))
    }

    /// The first `length` characters (fewer if there are not as many).
    #[must_use]
    pub fn prefix(self, length: usize) -> Key {
        if length >= MAX_POSITIONS { self } else { Key(self.0 & !((1u128 << (FIRST + BITS - BITS * length as u32)) - 1)) }
    }

    /// This text, shorter than 16, with packed symbol `next` (1..=36) at its `length`.
    #[inline]
    pub(crate) fn then(self, length: usize, next: u8) -> Key {
        Key(self.0 | u128::from(next) << (FIRST - BITS * length as u32))
    }

    /// The greatest key that begins with this one, which has `length` characters.
    #[inline]
    pub(crate) fn last_with_prefix(self, length: usize) -> Key {
        if length >= MAX_POSITIONS { self } else { Key(self.0 | ((1u128 << (FIRST + BITS - BITS * length as u32)) - 1)) }
    }

    /// A 64-bit hash in which every bit depends on every character.
    #[inline]
    pub(crate) fn hash64(self) -> u64 {
        // Two folded multiplications (the "mum" of wyhash, public domain); constants are its primes.
        let (high, low) = ((self.0 >> 48) as u64, self.0 as u64 & 0xFFFF_FFFF_FFFF);
        let product = u128::from(high ^ 0xa076_1d64_78bd_642f) * u128::from(low ^ 0xe703_7ed1_a0b4_28db);
        let mixed = (product >> 64) as u64 ^ product as u64;
        let product = u128::from(mixed ^ 0x8ebc_6af0_9c88_c6e3) * u128::from(high ^ 0x5899_65cc_7537_4cc3);
        (product >> 64) as u64 ^ product as u64
    }

    /// As three words, the first characters in the first.
    #[inline]
    pub(crate) fn words(self) -> [u32; 3] {
        [(self.0 >> 64) as u32, (self.0 >> 32) as u32, self.0 as u32]
    }

    /// From [`Key::words`]; words that no text has give a key that equals no text's, never a panic.
    #[inline]
    pub(crate) fn from_words(words: [u32; 3]) -> Key {
        Key(u128::from(words[0]) << 64 | u128::from(words[1]) << 32 | u128::from(words[2]))
    }
}

/// The edit distance from one text to others, equivalent characters counting as the same: a bit-parallel row per character (Myers 1999, in
/// Hyyrö's form of 2003), about 20 ns a text.
pub struct Distance {
    /// For each folded symbol, the places in the text that it stands in.
    places: [u32; 64],
    length: u32,
}

impl Distance {
    /// Distances from `text`.
    #[must_use]
    pub fn from(text: Key) -> Distance {
        let mut places = [0; 64];
        for at in 0..text.len() {
            places[FOLD[text.symbol(at) as usize] as usize] |= 1 << at;
        }
        Distance { places, length: text.len() as u32 }
    }

    /// How many characters are replaced, missing or additional in `other`; 0 for the same text and for an equivalent one.
    #[inline]
    #[must_use]
    pub fn to(&self, other: Key) -> u8 {
        let last = match self.length {
            0 => return other.len() as u8,
            length => 1u32 << (length - 1),
        };
        // Bit i: whether the cell of character i is one more, or one less, than the one above it.
        let (mut more, mut less, mut distance) = (u32::MAX, 0u32, self.length as u8);
        for at in 0..other.len() {
            let same = self.places[FOLD[other.symbol(at) as usize] as usize];
            let vertical = same | less;
            let horizontal = ((same & more).wrapping_add(more) ^ more) | same;
            let up = less | !(horizontal | more);
            let down = more & horizontal;
            distance += u8::from(up & last != 0);
            distance -= u8::from(down & last != 0);
            let (up, down) = (up << 1 | 1, down << 1);
            more = down | !(vertical | up);
            less = up & vertical;
        }
        distance
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for at in 0..self.len() {
            let character = (self.symbol(at) as usize).checked_sub(1).and_then(|place| ALPHABET.get(place)).copied().unwrap_or(b'?');
            fmt::Write::write_char(formatter, character as char)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({self})")
    }
}

/// Why a text has no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Character number `.0` (from 1) is `.1`, which plates, marks and containers do not have.
    Character(usize, char),
    /// More than 16 characters of A-Z 0-9.
    TooLong,
    /// No character of A-Z 0-9.
    Empty,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Character(at, character) => write!(formatter, "character {at} is {character:?}, which no plate, mark or container has"),
            Refused::TooLong => write!(formatter, "more than {MAX_POSITIONS} letters and digits"),
            Refused::Empty => formatter.write_str("no letter or digit"),
        }
    }
}

/// The key of a text as people write it: case, accents (ñ counts as N) and separators (spaces, `-` `.` `·` `/` `'` `_`, dashes) do not count.
///
/// # Errors
/// The first character that is none of these, or too many, or none at all.
pub fn normalise(text: &str) -> Result<Key, Refused> {
    let mut key = Key::default();
    let mut length = 0;
    for (at, character) in text.chars().enumerate() {
        let Some(plain) = plain(character) else {
            if is_separator(character) {
                continue;
            }
            return Err(Refused::Character(at + 1, character));
        };
        if length == MAX_POSITIONS {
            return Err(Refused::TooLong);
        }
        key = key.then(length, packed(plain));
        length += 1;
    }
    if length == 0 { Err(Refused::Empty) } else { Ok(key) }
}

/// The letter or digit that `character` counts as.
pub(crate) fn plain(character: char) -> Option<u8> {
    Some(match character {
        '0'..='9' | 'A'..='Z' => character as u8,
        'a'..='z' => character.to_ascii_uppercase() as u8,
        'À'..='Å' | 'à'..='å' => b'A',
        'Ç' | 'ç' => b'C',
        'È'..='Ë' | 'è'..='ë' => b'E',
        'Ì'..='Ï' | 'ì'..='ï' => b'I',
        'Ñ' | 'ñ' => b'N',
        'Ò'..='Ö' | 'ò'..='ö' | 'Ø' | 'ø' => b'O',
        'Ù'..='Ü' | 'ù'..='ü' => b'U',
        'Ý' | 'ý' | 'ÿ' => b'Y',
        // Full-width forms, as some input methods write them.
        '０'..='９' => (character as u32 - '０' as u32) as u8 + b'0',
        'Ａ'..='Ｚ' => (character as u32 - 'Ａ' as u32) as u8 + b'A',
        _ => return None,
    })
}

/// Characters that stand between the letters and digits of a text without meaning anything.
pub(crate) fn is_separator(character: char) -> bool {
    // A combining accent follows the letter it sits on (decomposed UTF-8, as macOS writes it).
    matches!(character, ' ' | '\t' | '-' | '.' | '·' | '•' | '/' | '\'' | '_' | '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2010}'..='\u{2015}' | '\u{300}'..='\u{36f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writes_what_people_write_as_one_text() {
        for (written, text) in [("ñu-12·34", "NU1234"), ("abc 123 a", "ABC123A"), ("A\u{301}BC", "ABC"), ("ＡＢ１", "AB1"), ("Ü 7", "U7")] {
            assert_eq!(normalise(written).map(|key| key.to_string()), Ok(text.to_owned()), "{written}");
        }
        assert_eq!(normalise("AB#1"), Err(Refused::Character(3, '#')));
        assert_eq!(normalise("--"), Err(Refused::Empty));
        assert_eq!(normalise("12345678901234567"), Err(Refused::TooLong));
    }

    fn brute_levenshtein(one: &[u8], other: &[u8]) -> usize {
        let Some((first, one_rest)) = one.split_first() else { return other.len() };
        let Some((second, other_rest)) = other.split_first() else { return one.len() };
        let kept = brute_levenshtein(one_rest, other_rest) + usize::from(first != second);
        kept.min(1 + brute_levenshtein(one_rest, other)).min(1 + brute_levenshtein(one, other_rest))
    }

    proptest! {
        #[test]
        fn keys_are_their_texts(one in "[A-C0-2]{0,16}", other in "[A-C0-2]{0,16}", at in 0usize..16) {
            let (key, second) = (Key::of(&one).unwrap(), Key::of(&other).unwrap());
            prop_assert_eq!(key.to_string(), one.clone());
            prop_assert_eq!(key.len(), one.len());
            prop_assert_eq!(key.cmp(&second), one.cmp(&other));
            prop_assert_eq!(Key::from_words(key.words()), key);
            prop_assert_eq!(key.prefix(at).to_string(), &one[..at.min(one.len())]);
            if at < one.len() {
                let mut shorter = one.clone();
                shorter.remove(at);
                prop_assert_eq!(key.without(at).to_string(), shorter);
            }
        }

        #[test]
        fn distances_are_levenshteins(one in "[A-C8]{0,6}", other in "[A-C8]{0,6}") {
            let folded = |text: &str| text.replace('B', "8");
            let brute = brute_levenshtein(folded(&one).as_bytes(), folded(&other).as_bytes());
            prop_assert_eq!(Distance::from(Key::of(&one).unwrap()).to(Key::of(&other).unwrap()) as usize, brute);
        }

        #[test]
        fn normalising_never_panics(text in "\\PC{0,40}") {
            let _ = normalise(&text);
        }
    }
}
