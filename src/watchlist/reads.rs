//! Reads from a file: JSON lines in the shape of `garita read --json`, one object per image.
//!
//! Of each line are used `plates[].text`, `plates[].chars` (per position the likeliest characters with their probabilities; an empty
//! character says "nothing is here") and `plates[].jurisdiction`; and, where there are any, `image`, `captured_at` (RFC 3339) and
//! `plates[].truth` and `truth_jurisdiction`, which `garita eval plates --reads` writes of a labelled set. What the alternatives leave of a position's
//! probability is spread evenly over the characters that are not named.

use std::io::{BufRead, Read};

use jiff::Timestamp;
use serde::Deserialize;

use super::entry::Jurisdiction;
use super::find::posterior_of_text;
use super::text::{Key, normalise};
use crate::error::{Error, Fault, Result};
use crate::posterior::{ALPHABET, Position, Posterior, symbol};

/// The longest line, in bytes: 100 plates of 12 characters with all alternatives are a fifth.
const MAX_LINE: u64 = 4 << 20;

/// One plate of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct PlateSeen {
    /// The image's name.
    pub image: String,
    /// When it was taken, if the file says so.
    pub captured_at: Option<Timestamp>,
    /// What was seen.
    pub posterior: Posterior,
    /// What it was taken for.
    pub text: Key,
    /// Who issued the plate, and how sure the reader is.
    pub jurisdiction: Option<(Jurisdiction, f32)>,
    /// What the plate says, if the file knows.
    pub truth: Option<Key>,
    /// Who issued it, if the file knows.
    pub issued_by: Option<Jurisdiction>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    image: String,
    captured_at: Option<Timestamp>,
    #[serde(default)]
    plates: Vec<Plate>,
}

#[derive(Deserialize)]
struct Plate {
    text: String,
    #[serde(default)]
    chars: Vec<Vec<(String, f32)>>,
    jurisdiction: Option<Named>,
    truth: Option<String>,
    truth_jurisdiction: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    code: String,
    confidence: f32,
}

/// What was in a file of reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadsFile {
    /// Lines.
    pub lines: u64,
    /// Plates given out.
    pub plates: u64,
    /// Plates without a text that could be matched: no-reads, and more than 16 characters.
    pub unusable: u64,
}

/// Gives `each` every plate of the file, in order.
///
/// # Errors
/// `Damaged`, with its line, for what is not such a line; what `each` answers; `Machine` where reading fails.
pub fn each_read(mut input: impl BufRead, mut each: impl FnMut(PlateSeen) -> Result<()>) -> Result<ReadsFile> {
    let mut report = ReadsFile::default();
    let mut text = Vec::new();
    loop {
        text.clear();
        let length = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut text).map_err(|error| Error::io(&error))?;
        if length == 0 {
            return Ok(report);
        }
        report.lines += 1;
        if length as u64 == MAX_LINE {
            return Err(Error::new(Fault::Limit, format!("line {} is longer than {MAX_LINE} bytes; is this `garita read --json`?", report.lines)));
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let bad = |why: String| Error::new(Fault::Damaged, format!("line {}: {why}; lines of `garita read --json` are wanted", report.lines));
        let line: Line = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        for plate in line.plates {
            let Ok(key) = normalise(&plate.text) else {
                report.unusable += 1;
                continue;
            };
            let Some(posterior) = posterior(&plate, key).map_err(bad)? else {
                report.unusable += 1;
                continue;
            };
            let jurisdiction = plate.jurisdiction.and_then(|named| Jurisdiction::of(&named.code).map(|code| (code, named.confidence)));
            let truth = plate.truth.as_deref().and_then(|truth| normalise(truth).ok());
            let issued_by = plate.truth_jurisdiction.as_deref().and_then(Jurisdiction::of).filter(|code| !code.is_any());
            report.plates += 1;
            each(PlateSeen { image: line.image.clone(), captured_at: line.captured_at, posterior, text: key, jurisdiction, truth, issued_by })?;
        }
    }
}

/// The posterior of a plate: of its alternatives, or where there are none, of its text alone.
fn posterior(plate: &Plate, key: Key) -> std::result::Result<Option<Posterior>, String> {
    if plate.chars.is_empty() {
        return Ok(Some(posterior_of_text(key, TEXT_ALONE)));
    }
    let mut posterior = Posterior::default();
    for alternatives in &plate.chars {
        let mut position = Position { characters: [0.0; 36], absent: 0.0 };
        let mut named = [false; 36];
        for (character, probability) in alternatives {
            if !(0.0..=1.0).contains(probability) {
                return Err(format!("probability {probability} of {character:?} is not in 0 to 1"));
            }
            match character.as_bytes() {
                [] => position.absent = *probability,
                [character] if symbol(*character).is_some() => {
                    let place = symbol(*character).unwrap_or(0);
                    position.characters[place] += probability;
                    named[place] = true;
                }
                _ => return Err(format!("{character:?} is none of {}", String::from_utf8_lossy(ALPHABET))),
            }
        }
        let sum: f32 = position.characters.iter().sum();
        // What is given of a character, given that there is one.
        let present = 1.0 - position.absent;
        let rest = (present - sum).max(0.0);
        let others = named.iter().filter(|named| !**named).count().max(1) as f32;
        for (probability, named) in position.characters.iter_mut().zip(named) {
            if !named {
                *probability += rest / others;
            }
        }
        let whole: f32 = position.characters.iter().sum();
        if whole > 0.0 {
            position.characters = position.characters.map(|probability| probability / whole);
        }
        if !posterior.push(position) {
            return Ok(None);
        }
    }
    Ok(Some(posterior))
}

/// The doubt in each character of a read that comes as text alone: the built-in reader replaces 42 of the 1,244 characters of the tuning pictures
/// (`models/train/reader_model.py`).
pub const TEXT_ALONE: f32 = 0.034;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_garita_read_writes() {
        let text = br#"{"image":"a.jpg","width":1,"height":1,"error":null,"plates":[{"text":"A4","confidence":0.9,"box":[0,0,1,1],"corners":[],"chars":[[["A",0.9],["4",0.05]],[["4",0.6],["",0.25]]],"jurisdiction":{"code":"US-CA","confidence":0.8},"hits":[]}],"timing_ms":{}}
{"image":"b.jpg","error":"bad frame","plates":[]}
{"image":"c.jpg","plates":[{"text":"","chars":[],"jurisdiction":null}]}
"#;
        let mut reads = Vec::new();
        let report = each_read(&text[..], |read| {
            reads.push(read);
            Ok(())
        });
        assert_eq!(report, Ok(ReadsFile { lines: 3, plates: 1, unusable: 1 }));
        let positions = reads[0].posterior.positions();
        assert!((positions[0].characters[symbol(b'A').unwrap()] - 0.9).abs() < 1e-6);
        assert!((positions[0].characters[symbol(b'Z').unwrap()] - 0.05 / 34.0).abs() < 1e-6);
        assert!((positions[1].absent - 0.25).abs() < 1e-6 && (positions[1].characters[4] - 0.8).abs() < 1e-6);
        assert_eq!(reads[0].jurisdiction, Some((Jurisdiction::of("US-CA").unwrap(), 0.8)));
        let wrong = each_read(&b"{}\n{\"plates\":[{\"text\":\"A\",\"chars\":[[[\"A\",2]]]}]}"[..], |_| Ok(()));
        assert!(wrong.unwrap_err().message.starts_with("line 2: probability 2"));
    }
}
