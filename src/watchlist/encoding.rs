//! A list's file as UTF-8, whatever it was written in: UTF-8 with or without a byte order mark, UTF-16, or Latin-1, read as a stream.
//!
//! Goal: a file from any agency's export button imports without being asked about, at the speed of copying where it is UTF-8 already.
//! Assumption: what is not UTF-8 and has no mark is Windows-1252, the Latin-1 that Windows writes; UTF-16 without a mark is recognised by its
//! zero bytes. The guess is made from the first megabyte and reported, and bytes after it that break a guess of UTF-8 are an error, because
//! half a list in the wrong alphabet is worse than none.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

/// How a file's characters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Guessed from the file.
    #[default]
    Auto,
    /// UTF-8.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, little-endian.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, big-endian.
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// Windows-1252, which is Latin-1 with letters where Latin-1 has controls.
    #[serde(rename = "latin-1")]
    Latin1,
}

/// How much of a file the guess looks at.
const GUESS: usize = 1 << 20;

/// The characters of Windows-1252 at 0x80..=0x9F.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š',
    '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Reads `inner` as UTF-8.
pub(crate) struct Decoded<R> {
    inner: R,
    /// What the file was taken for; never `Auto`.
    pub(crate) encoding: Encoding,
    /// Read from `inner`, from `taken` on not yet decoded.
    raw: Vec<u8>,
    taken: usize,
    /// Decoded, from `given` on not yet handed out.
    decoded: Vec<u8>,
    given: usize,
    /// A UTF-16 surrogate that waits for its second half.
    high: Option<u16>,
    ended: bool,
}

impl<R: Read> Decoded<R> {
    /// Guesses the encoding unless it is told.
    pub(crate) fn new(mut inner: R, told: Encoding) -> io::Result<Decoded<R>> {
        let mut raw = Vec::new();
        inner.by_ref().take(GUESS as u64).read_to_end(&mut raw)?;
        let (guess, mark) = guess(&raw);
        let encoding = if told == Encoding::Auto { guess } else { told };
        let taken = if encoding == guess { mark } else { 0 };
        let ended = raw.len() < GUESS;
        Ok(Decoded { inner, encoding, raw, taken, decoded: Vec::new(), given: 0, high: None, ended })
    }

    /// Decodes what is in `raw`, keeping half a character for later.
    fn decode(&mut self) {
        let raw = &self.raw[self.taken..];
        match self.encoding {
            Encoding::Utf8 | Encoding::Auto => unreachable!("UTF-8 is handed out as it is"),
            Encoding::Latin1 => {
                for byte in raw {
                    let character = if (0x80..0xA0).contains(byte) { WINDOWS[*byte as usize - 0x80] } else { *byte as char };
                    push(&mut self.decoded, character);
                }
                self.taken = self.raw.len();
            }
            Encoding::Utf16Le | Encoding::Utf16Be => {
                let pairs = raw.chunks_exact(2);
                self.taken = self.raw.len() - pairs.remainder().len();
                for pair in pairs {
                    let unit = if self.encoding == Encoding::Utf16Le { u16::from_le_bytes([pair[0], pair[1]]) } else { u16::from_be_bytes([pair[0], pair[1]]) };
                    let before = self.high.take();
                    match (before, unit) {
                        (None, 0xD800..=0xDBFF) => self.high = Some(unit),
                        (Some(high), 0xDC00..=0xDFFF) => {
                            let code = 0x10000 + ((u32::from(high) - 0xD800) << 10) + (u32::from(unit) - 0xDC00);
                            push(&mut self.decoded, char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                        }
                        (before, unit) => {
                            if before.is_some() {
                                push(&mut self.decoded, char::REPLACEMENT_CHARACTER);
                            }
                            push(&mut self.decoded, char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER));
                        }
                    }
                }
            }
        }
    }
}

fn push(into: &mut Vec<u8>, character: char) {
    into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let ready: &[u8] = if self.encoding == Encoding::Utf8 { &self.raw[self.taken..] } else { &self.decoded[self.given..] };
            if !ready.is_empty() {
                let count = ready.len().min(into.len());
                into[..count].copy_from_slice(&ready[..count]);
                if self.encoding == Encoding::Utf8 {
                    self.taken += count
                } else {
                    self.given += count
                }
                return Ok(count);
            }
            if self.encoding != Encoding::Utf8 && self.taken < self.raw.len() {
                self.decoded.clear();
                self.given = 0;
                self.decode();
                if !self.decoded.is_empty() {
                    continue;
                }
            }
            if self.ended {
                return Ok(0);
            }
            // At most half a character is left over.
            self.raw.drain(..self.taken);
            self.taken = 0;
            let before = self.raw.len();
            self.inner.by_ref().take(1 << 16).read_to_end(&mut self.raw)?;
            self.ended = self.raw.len() == before;
        }
    }
}

/// The encoding of a file that begins with `bytes`, and the length of its byte order mark.
fn guess(bytes: &[u8]) -> (Encoding, usize) {
    match bytes {
        [0xEF, 0xBB, 0xBF, ..] => return (Encoding::Utf8, 3),
        [0xFF, 0xFE, ..] => return (Encoding::Utf16Le, 2),
        [0xFE, 0xFF, ..] => return (Encoding::Utf16Be, 2),
        _ => {}
    }
    let zeros = |at: usize| bytes.iter().skip(at).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    // Text in UTF-16 is mostly ASCII here: every other byte is zero.
    if odd * 4 > bytes.len() && even * 8 < bytes.len() {
        return (Encoding::Utf16Le, 0);
    }
    if even * 4 > bytes.len() && odd * 8 < bytes.len() {
        return (Encoding::Utf16Be, 0);
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => (Encoding::Utf8, 0),
        // A character cut by the end of the guess is no error.
        Err(error) if error.error_len().is_none() => (Encoding::Utf8, 0),
        Err(_) => (Encoding::Latin1, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(bytes: &[u8]) -> (Encoding, String) {
        let mut decoded = Decoded::new(bytes, Encoding::Auto).unwrap();
        let mut text = String::new();
        decoded.read_to_string(&mut text).unwrap();
        (decoded.encoding, text)
    }

    fn utf16(text: &str, little: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    }

    #[test]
    fn guesses_what_agencies_write() {
        let text = "plate;reason\nÑU-123;señal – robado\n";
        assert_eq!(decoded(text.as_bytes()), (Encoding::Utf8, text.to_owned()));
        assert_eq!(decoded(&[b"\xEF\xBB\xBF", text.as_bytes()].concat()), (Encoding::Utf8, text.to_owned()));
        for little in [true, false] {
            let encoding = if little { Encoding::Utf16Le } else { Encoding::Utf16Be };
            assert_eq!(decoded(&utf16(text, little)), (encoding, text.to_owned()));
            assert_eq!(decoded(&utf16(&format!("\u{feff}{text}"), little)), (encoding, text.to_owned()));
        }
        assert_eq!(decoded(b"\xD1U-123;se\xF1al \x96 robado"), (Encoding::Latin1, "ÑU-123;señal – robado".to_owned()));
    }

    proptest! {
        #[test]
        fn utf16_survives_any_chunking(text in "\\PC{0,50}") {
            let bytes = utf16(&format!("\u{feff}{text}"), true);
            let mut decoded = Decoded::new(&bytes[..], Encoding::Auto).unwrap();
            let mut out = Vec::new();
            let mut one = [0u8; 1];
            while decoded.read(&mut one).unwrap() == 1 { out.push(one[0]); }
            prop_assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
