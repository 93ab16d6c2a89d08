//! Walks over an index in the order of its texts, seeking past what an automaton cannot take.
//!
//! Each text is taken character by character, the part that it has in common with the one before not again. Where nothing can come of it any more, the next text that something can
//! come of is sought in the index: some hundred seeks of a few microseconds for one edit in ten million texts, some ten thousand for two.

use std::ops::ControlFlow;

use rusqlite::{Row, Statement};

use super::automaton::{Automaton, State, symbol};
use crate::posterior::ALPHABET;

/// Rows that are passed over one by one before the index is asked for a later one.
const STEPS: usize = 4;

/// Gives `each` the rows whose text is taken, in order, until it breaks; with how many edits. `statement` asks for rows from the text `?1` on, in order, the
/// text first. Ends early where `go_on` says so, which is asked at each seek and each row.
///
/// # Errors
/// What SQLite says.
pub(super) fn walk(
    statement: &mut Statement<'_>,
    automaton: &Automaton,
    mut go_on: impl FnMut() -> bool,
    mut each: impl FnMut(&Row<'_>, u8) -> rusqlite::Result<ControlFlow<()>>,
) -> rusqlite::Result<ControlFlow<()>> {
    let mut path = Path::new(automaton);
    let mut from: Vec<u8> = Vec::new();
    loop {
        let target = std::str::from_utf8(&from).unwrap_or_default().to_owned();
        let mut rows = statement.query([target])?;
        let mut passed = 0;
        let next = loop {
            if !go_on() {
                return Ok(ControlFlow::Break(()));
            }
            let Some(row) = rows.next()? else { return Ok(ControlFlow::Continue(())) };
            let text = row.get_ref(0)?.as_str()?.as_bytes();
            if text < from.as_slice() && passed < STEPS {
                passed += 1;
                continue;
            }
            if text < from.as_slice() {
                break true;
            }
            match path.take(text) {
                Taken::Whole(Some(edits)) => {
                    if each(row, edits)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Taken::Whole(None) => {}
                Taken::Until(depth) => match path.after(text, depth) {
                    Some(later) => (from, passed) = (later, 0),
                    None => break false,
                },
            }
        };
        if !next {
            return Ok(ControlFlow::Continue(()));
        }
    }
}

/// What became of a text.
enum Taken {
    /// It was looked at whole; taken with so many edits, or not yet.
    Whole(Option<u8>),
    /// Nothing can come of it and its character at this depth.
    Until(usize),
}

/// The automaton's states along a text.
struct Path<'a> {
    automaton: &'a Automaton,
    text: Vec<u8>,
    /// Before each character, and after the last.
    states: Vec<State>,
}

impl<'a> Path<'a> {
    fn new(automaton: &'a Automaton) -> Path<'a> {
        Path { automaton, text: Vec::with_capacity(16), states: vec![automaton.start()] }
    }

    fn take(&mut self, text: &[u8]) -> Taken {
        let common = self.text.iter().zip(text).take_while(|(one, other)| one == other).count();
        self.text.truncate(common);
        self.states.truncate(common + 1);
        for (depth, &character) in text.iter().enumerate().skip(common) {
            let state = symbol(character).map(|symbol| self.automaton.step(&self.states[depth], symbol)).filter(|state| !Automaton::is_dead(state));
            let Some(state) = state else { return Taken::Until(depth) };
            self.text.push(character);
            self.states.push(state);
        }
        Taken::Whole(self.automaton.accepts(&self.states[text.len()]))
    }

    /// The least beginning of a text behind `text[..=depth]` that something can come of.
    fn after(&self, text: &[u8], depth: usize) -> Option<Vec<u8>> {
        (0..=depth).rev().find_map(|depth| {
            let later = ALPHABET.iter().filter(|&&character| character > text[depth]);
            let mut possible =
                later.filter(|&&character| symbol(character).is_some_and(|symbol| !Automaton::is_dead(&self.automaton.step(&self.states[depth], symbol))));
            possible.next().map(|&character| text[..depth].iter().copied().chain([character]).collect())
        })
    }
}
