//! Serials in the format of their jurisdiction, and now and then a vanity text.

use super::designs::Design;
use super::designs_mexico::State;
use super::dice::Dice;

/// Letters that serials use: most series leave out what is taken for a digit.
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPRSTUVWXYZ";

/// Share of US plates with a text of the owner's choice. A guess, unmeasured.
const VANITY: f32 = 0.06;
const WORDS: &[&str] = &[
    "ROADTRP", "GO4IT", "LUCKY7", "SUNNY1", "BIGRIG", "MOMSCAR", "HIKE", "OUTWEST", "2FAST", "OLDTRK", "QUIET", "JAZZ88", "BEACHY", "COFFEE1", "IMLATE", "ZOOM",
];

/// A serial for `design`, with its separators (`-`, `.`, ` `).
pub(crate) fn of_design(design: &Design, dice: &mut Dice) -> String {
    if dice.chance(VANITY) {
        return dice.pick(WORDS).to_owned();
    }
    let formats: Vec<&str> = design.formats.split('|').collect();
    fill(dice.pick(&formats), dice)
}

/// A serial for a private car of a Mexican state, or for a light truck.
pub(crate) fn of_state(state: &State, truck: bool, dice: &mut Dice) -> String {
    if state.first.is_empty() {
        return fill(if truck { "AA-000-A" } else { "A00-AAA" }, dice);
    }
    let (first, last) = (series(state.first), series(state.last));
    let letters = spell(first + dice.below(last - first + 1));
    if truck { fill(&format!("{}-0000-A", &literal(&letters)[..4]), dice) } else { fill(&format!("{}-000-A", literal(&letters)), dice) }
}

/// A motorcycle's serial: two groups, one for each line where there are two.
pub(crate) fn of_motorcycle(dice: &mut Dice) -> String {
    let format = dice.pick(&["AA 0000", "000 AAA", "00A 00A", "0AA 000", "A0A 0AA"]);
    fill(format, dice)
}

/// Every `A`, `0`, `1` of `format` replaced; a character after `~` is taken as it is.
fn fill(format: &str, dice: &mut Dice) -> String {
    let mut text = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        match character {
            'A' => text.push(dice.pick(LETTERS) as char),
            '0' => text.push((b'0' + dice.below(10) as u8) as char),
            '1' => text.push((b'1' + dice.below(9) as u8) as char),
            '~' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

/// `letters` so that [`fill`] leaves them alone.
fn literal(letters: &str) -> String {
    letters.chars().flat_map(|c| ['~', c]).collect()
}

/// The number of a three-letter series in base [`LETTERS`].
fn series(letters: &str) -> usize {
    letters.bytes().fold(0, |n, letter| n * LETTERS.len() + LETTERS.iter().position(|&l| l == letter).unwrap_or(0))
}

/// The three letters of a series number.
fn spell(number: usize) -> String {
    let base = LETTERS.len();
    [number / (base * base) % base, number / base % base, number % base].iter().map(|&digit| LETTERS[digit] as char).collect()
}

/// What a reader should answer for `serial`: its letters and digits alone.
pub(crate) fn text_of(serial: &str) -> String {
    serial.chars().filter(char::is_ascii_alphanumeric).collect()
}
