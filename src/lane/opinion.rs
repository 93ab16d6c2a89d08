//! Two texts of one plate, ours and a camera's own: whether they agree, and where they differ. Theirs never overrides ours: it is told beside it.

use serde::Serialize;

/// Further characters of a text are not compared; plates have sixteen at most.
const MOST_CHARACTERS: usize = 64;

/// How a camera's read compares with ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "opinion", rename_all = "snake_case")]
pub enum Opinion {
    /// The same text.
    Agree,
    /// Other texts.
    Differ {
        /// Where, in the order of the text.
        at: Vec<Difference>,
    },
    /// Only the camera has a read.
    OnlyTheirs,
    /// Only we have one.
    OnlyOurs,
    /// Nobody has one.
    Neither,
}

/// One place in which two texts differ; a missing character is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Characters of our text before it.
    pub at: usize,
    /// Ours.
    pub ours: Option<char>,
    /// Theirs.
    pub theirs: Option<char>,
}

/// Compares a camera's text with ours, letters and digits alone, with the fewest differences.
#[must_use]
pub fn compare(theirs: &str, ours: &str) -> Opinion {
    let plain = |text: &str| -> Vec<char> { text.chars().filter(|one| one.is_alphanumeric()).flat_map(char::to_uppercase).take(MOST_CHARACTERS).collect() };
    let (theirs, ours) = (plain(theirs), plain(ours));
    match (theirs.is_empty(), ours.is_empty()) {
        (true, true) => Opinion::Neither,
        (false, true) => Opinion::OnlyTheirs,
        (true, false) => Opinion::OnlyOurs,
        (false, false) if theirs == ours => Opinion::Agree,
        (false, false) => Opinion::Differ { at: differences(&ours, &theirs) },
    }
}

/// Whether two texts may be of one plate: at most half of the longer one differs. Of other vehicles, signs and stickers nearly everything does.
#[must_use]
pub fn alike(theirs: &str, ours: &str) -> bool {
    match compare(theirs, ours) {
        Opinion::Agree => true,
        Opinion::Differ { at } => 2 * at.len() <= theirs.chars().count().max(ours.chars().count()),
        Opinion::OnlyTheirs | Opinion::OnlyOurs | Opinion::Neither => false,
    }
}

fn differences(ours: &[char], theirs: &[char]) -> Vec<Difference> {
    // rest[a][b]: the fewest differences between what follows a of ours and b of theirs.
    let mut rest = vec![vec![0usize; theirs.len() + 1]; ours.len() + 1];
    for a in (0..=ours.len()).rev() {
        for b in (0..=theirs.len()).rev() {
            rest[a][b] = match (ours.get(a), theirs.get(b)) {
                (None, _) => theirs.len() - b,
                (_, None) => ours.len() - a,
                (Some(one), Some(other)) => {
                    let exchanged = rest[a + 1][b + 1] + usize::from(one != other);
                    exchanged.min(rest[a + 1][b] + 1).min(rest[a][b + 1] + 1)
                }
            };
        }
    }
    let (mut at, mut a, mut b) = (Vec::new(), 0, 0);
    while a < ours.len() || b < theirs.len() {
        let (one, other) = (ours.get(a).copied(), theirs.get(b).copied());
        let both = one.is_some() && other.is_some();
        if both && rest[a][b] == rest[a + 1][b + 1] + usize::from(one != other) {
            if one != other {
                at.push(Difference { at: a, ours: one, theirs: other });
            }
            (a, b) = (a + 1, b + 1);
        } else if one.is_some() && rest[a][b] == rest[a + 1][b] + 1 {
            at.push(Difference { at: a, ours: one, theirs: None });
            a += 1;
        } else {
            at.push(Difference { at: a, ours: None, theirs: other });
            b += 1;
        }
    }
    at
}
