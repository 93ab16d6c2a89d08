//! What entries of one text have of its probability: P' of the [model](super::find), which says why and how.

use std::borrow::BorrowMut;

use super::find::Match;

/// Sets each match's probability from what it is alone; the matches come to lie by text and jurisdiction. Allocates nothing.
pub(crate) fn share<Found: BorrowMut<Match>>(found: &mut [Found]) {
    found.sort_unstable_by_key(|one| (one.borrow().text, one.borrow().jurisdiction));
    for entries in found.chunk_by_mut(|one, other| one.borrow().text == other.borrow().text) {
        share_text(entries);
    }
}

/// Lets the entries of one text, in the order of their jurisdictions, share it.
fn share_text<Found: BorrowMut<Match>>(entries: &mut [Found]) {
    let of_text = likeliest(entries, |found| found.of_text);
    let countries = entries.chunk_by(same_country);
    let everywhere: f32 = countries.map(whole_and_parts).map(|(whole, parts)| whole.max(parts)).sum();
    for country in entries.chunk_by_mut(same_country) {
        let (whole, parts) = whole_and_parts(country);
        for one in country {
            let found = one.borrow_mut();
            let here = if found.jurisdiction == found.jurisdiction.country() { whole } else { parts };
            let together = everywhere - whole.max(parts) + here;
            // Nothing divided by nothing is no number, of which `min` takes 1.
            let share = if found.jurisdiction.is_any() { 1.0 } else { (of_text / together).min(1.0) };
            found.probability = found.alone * share;
        }
    }
}

fn same_country<Found: BorrowMut<Match>>(one: &Found, other: &Found) -> bool {
    one.borrow().jurisdiction.country() == other.borrow().jurisdiction.country()
}

/// How probable a country's own entry is, and all of its subdivisions' together; an entry that states no jurisdiction is neither.
fn whole_and_parts<Found: BorrowMut<Match>>(country: &[Found]) -> (f32, f32) {
    let (mut whole, mut parts) = (0.0, 0.0);
    for same in country.chunk_by(|one, other| one.borrow().jurisdiction == other.borrow().jurisdiction) {
        let jurisdiction = same[0].borrow().jurisdiction;
        match likeliest(same, |found| found.alone) {
            _ if jurisdiction.is_any() => {}
            alone if jurisdiction == jurisdiction.country() => whole = alone,
            alone => parts += alone,
        }
    }
    (whole, parts)
}

fn likeliest<Found: BorrowMut<Match>>(entries: &[Found], of: impl Fn(&Match) -> f32) -> f32 {
    entries.iter().map(|one| of(one.borrow())).fold(0.0, f32::max)
}
