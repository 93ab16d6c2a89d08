//! Wildcards and partial plates: `AB?12*`, where `?` is one character and `*` any number of them.
//!
//! Two ways to find them, and the one that promises less work is taken. What comes before the first `*` is a path in the tree of beginnings
//! that the sorted rows are, with 36 branches at a `?`. Three known characters in a row (the two ends count as characters) have a list of
//! the rows that they occur in. A pattern that gives neither (`*A*7*`) looks at every row: 5 ms in a million.

use std::fmt;
use std::ops::Range;

use jiff::Timestamp;

use super::format::Row;
use super::index::View;
use super::snapshot::{Handle, Snapshot};
use super::tables::{BEGIN, gram};
use super::text::{Key, is_separator, packed, plain};
use crate::error::{Error, Fault, Result};
use crate::posterior::MAX_POSITIONS;

/// The most tokens of a pattern: every character, and a `*` around each.
const MAX_TOKENS: usize = 2 * MAX_POSITIONS + 1;

/// What stands at one place of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// This packed symbol.
    Symbol(u8),
    /// Any one.
    One,
    /// Any number of any.
    Any,
}

/// A text of which parts are unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
}

impl Pattern {
    /// Reads a pattern: letters and digits as in [`normalise`](super::text::normalise), `?` for one unknown character, `*` for any number.
    ///
    /// # Errors
    /// `Caller` for other characters, for none, or for more than 16 characters beside the `*`.
    pub fn parse(written: &str) -> Result<Pattern> {
        let mut tokens = Vec::new();
        for (at, character) in written.chars().enumerate() {
            let token = match character {
                '?' => Token::One,
                '*' if tokens.last() == Some(&Token::Any) => continue,
                '*' => Token::Any,
                _ => match plain(character) {
                    Some(plain) => Token::Symbol(packed(plain)),
                    None if is_separator(character) => continue,
                    None => {
                        return Err(Error::new(
                            Fault::Caller,
                            format!("pattern {written:?}: character {} is {character:?}; letters, digits, ? and * are understood", at + 1),
                        ));
                    }
                },
            };
            tokens.push(token);
        }
        let characters = tokens.iter().filter(|token| **token != Token::Any).count();
        if characters == 0 || characters > MAX_POSITIONS || tokens.len() > MAX_TOKENS {
            return Err(Error::new(Fault::Caller, format!("pattern {written:?} has {characters} characters beside *; 1 to {MAX_POSITIONS} are understood")));
        }
        Ok(Pattern { tokens })
    }

    /// Whether a text meets it.
    #[must_use]
    pub fn matches(&self, key: Key) -> bool {
        let length = key.len();
        let (mut token, mut at) = (0, 0);
        // Where the last `*` was, and how far the text was when it stood for nothing yet.
        let mut star: Option<(usize, usize)> = None;
        while at < length {
            match self.tokens.get(token) {
                Some(Token::Any) => {
                    star = Some((token, at));
                    token += 1;
                }
                Some(Token::One) => (token, at) = (token + 1, at + 1),
                Some(Token::Symbol(symbol)) if *symbol == key.symbol(at) => (token, at) = (token + 1, at + 1),
                _ => {
                    let Some((begin, taken)) = star else { return false };
                    star = Some((begin, taken + 1));
                    (token, at) = (begin + 1, taken + 1);
                }
            }
        }
        self.tokens[token..].iter().all(|token| *token == Token::Any)
    }

    /// Each run of three known characters, the ends of the text among them.
    fn grams(&self) -> impl Iterator<Item = u32> + '_ {
        let symbol = |at: isize| match usize::try_from(at).ok().map(|at| self.tokens.get(at)) {
            None => Some(BEGIN),
            Some(None) => Some(0),
            Some(Some(Token::Symbol(symbol))) => Some(*symbol),
            Some(Some(_)) => None,
        };
        (0..self.tokens.len() as isize).filter_map(move |at| Some(gram([symbol(at - 1)?, symbol(at)?, symbol(at + 1)?])))
    }

    /// What comes before the first `*`.
    fn beginning(&self) -> &[Token] {
        self.tokens.split(|token| *token == Token::Any).next().unwrap_or_default()
    }

    /// Gives `each` the first row of every key that meets the pattern, until it answers false.
    fn search(&self, view: &View<'_>, mut each: impl FnMut(u32) -> bool) {
        let beginning = self.beginning();
        let walk = walk_cost(view, beginning);
        // The two rarest of its runs of three.
        let (mut rare, mut rarer): (Option<&[u32]>, Option<&[u32]>) = (None, None);
        for rows in self.grams().map(|gram| view.with_gram(gram)) {
            if rarer.is_none_or(|rarer| rows.len() < rarer.len()) {
                (rare, rarer) = (rarer, Some(rows));
            } else if rare.is_none_or(|rare| rows.len() < rare.len()) {
                rare = Some(rows);
            }
        }
        match rarer {
            // A row that is looked up costs about three times what one that is walked over does.
            Some(rows) if rows.len() * 3 < walk => {
                // Reading a second list in step is cheaper than looking rows up, unless it is far longer.
                let mut second = rare.filter(|rare| rare.len() < rows.len() * 8).map(|rare| rare.iter().peekable());
                for row in rows {
                    if let Some(second) = &mut second {
                        while second.next_if(|other| *other < row).is_some() {}
                        if second.peek() != Some(&row) {
                            continue;
                        }
                    }
                    if self.matches(view.key(*row as usize)) && !each(*row) {
                        return;
                    }
                }
            }
            _ => {
                let mut walker = Walker { pattern: self, view, beginning, each: &mut each };
                walker.walk(0..view.rows.len(), Key::default(), 0);
            }
        }
    }
}

/// About how many rows and branches a walk touches.
fn walk_cost(view: &View<'_>, beginning: &[Token]) -> usize {
    let known = beginning.iter().take_while(|token| matches!(token, Token::Symbol(_))).count();
    let mut prefix = Key::default();
    for (at, token) in beginning[..known].iter().enumerate().take(MAX_POSITIONS) {
        if let Token::Symbol(symbol) = token {
            prefix = prefix.then(at, *symbol);
        }
    }
    let all = view.with_prefix(prefix, known.min(MAX_POSITIONS)).len();
    let (mut rows, mut branches) = (all, 1usize);
    for token in &beginning[known..] {
        match token {
            // 20: of the letters and digits that stand in one place of plates, mostly so many are in use. A guess that only chooses a way.
            Token::Symbol(_) => rows /= 20,
            _ => branches = branches.saturating_mul(36),
        }
    }
    all.min(branches.saturating_add(rows))
}

/// One walk over the tree of beginnings.
struct Walker<'a, F> {
    pattern: &'a Pattern,
    view: &'a View<'a>,
    beginning: &'a [Token],
    each: &'a mut F,
}

impl<F: FnMut(u32) -> bool> Walker<'_, F> {
    /// Walks over the rows `within`, whose keys begin with `prefix`, which meets `length` tokens; false to stop.
    fn walk(&mut self, within: Range<usize>, prefix: Key, length: usize) -> bool {
        if within.is_empty() {
            return true;
        }
        let token = if length < MAX_POSITIONS { self.beginning.get(length) } else { None };
        // Few rows, or nothing more to narrow them down by: look at each.
        if within.len() <= 16 || token.is_none() || self.beginning[length..].iter().all(|token| *token == Token::One) {
            let mut last = Key::default();
            for row in within {
                let key = self.view.key(row);
                if std::mem::replace(&mut last, key) != key && self.pattern.matches(key) && !(self.each)(row as u32) {
                    return false;
                }
            }
            return true;
        }
        let symbols = match token {
            Some(Token::Symbol(symbol)) => *symbol..=*symbol,
            _ => 1..=36,
        };
        for symbol in symbols {
            let next = prefix.then(length, symbol);
            let rows =
                if self.view.is_direct(length + 1) { self.view.with_prefix(next, length + 1) } else { self.view.narrow(within.clone(), next, length + 1) };
            if !self.walk(rows, next, length + 1) {
                return false;
            }
        }
        true
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.tokens {
            match token {
                Token::One => formatter.write_str("?")?,
                Token::Any => formatter.write_str("*")?,
                Token::Symbol(symbol) => write!(formatter, "{}", Key::default().then(0, *symbol))?,
            }
        }
        Ok(())
    }
}

impl Snapshot {
    /// The entries with this very text that are in force at `at`, of any subject and jurisdiction.
    pub fn exact(&self, key: Key, at: Timestamp) -> impl Iterator<Item = Handle> + '_ {
        let second = u32::try_from(at.as_second().max(0)).unwrap_or(u32::MAX);
        self.layers().iter().enumerate().flat_map(move |(number, layer)| {
            let view = layer.index().view();
            let rows = view.exact(key);
            rows.filter(move |row| Row(view.rows[*row]).valid(second) && !layer.is_removed(*row as u32))
                .map(move |row| Handle { layer: number as u8, row: row as u32 })
        })
    }

    /// Replaces what is in `found` by the entries in force at `at` whose text meets `pattern`, at most `limit`; true if there were more.
    pub fn matching(&self, pattern: &Pattern, at: Timestamp, limit: usize, found: &mut Vec<Handle>) -> bool {
        found.clear();
        let second = u32::try_from(at.as_second().max(0)).unwrap_or(u32::MAX);
        let mut more = false;
        for (number, layer) in self.layers().iter().enumerate() {
            let view = layer.index().view();
            pattern.search(&view, |first| {
                let key = view.key(first as usize);
                for row in first as usize..view.rows.len() {
                    let entry = Row(view.rows[row]);
                    if entry.key() != key {
                        break;
                    }
                    if entry.valid(second) && !layer.is_removed(row as u32) {
                        if found.len() >= limit {
                            more = true;
                            return false;
                        }
                        found.push(Handle { layer: number as u8, row: row as u32 });
                    }
                }
                true
            });
        }
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watchlist::Entry;
    use proptest::prelude::*;

    #[test]
    fn patterns_are_read_as_people_write_them() {
        assert_eq!(Pattern::parse("ab?-12**").unwrap().to_string(), "AB?12*");
        assert!(Pattern::parse("AB#").unwrap_err().message.contains("character 3"));
        assert!(Pattern::parse("**").is_err() && Pattern::parse("12345678901234567").is_err());
    }

    fn brute(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|at| brute(rest, &text[at..])),
            Some((b'?', rest)) => !text.is_empty() && brute(rest, &text[1..]),
            Some((character, rest)) => text.first() == Some(character) && brute(rest, &text[1..]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn finds_what_looking_at_every_entry_finds(texts in prop::collection::vec("[AB1]{1,9}", 0..150), written in "[AB1?*]{1,9}") {
            let Ok(pattern) = Pattern::parse(&written) else { return Ok(()) };
            let entries: Vec<Entry> = texts.iter().map(|text| Entry { text: text.clone(), ..Entry::default() }).collect();
            let snapshot = Snapshot::of_entries(&entries, &[]).unwrap();
            let mut found = Vec::new();
            prop_assert!(!snapshot.matching(&pattern, Timestamp::UNIX_EPOCH, 1000, &mut found));
            let mut found: Vec<String> = found.iter().map(|handle| snapshot.entry(*handle).unwrap().text).collect();
            found.sort();
            let mut expected: Vec<String> = texts.into_iter().filter(|text| brute(written.as_bytes(), text.as_bytes())).collect();
            expected.sort();
            expected.dedup();
            prop_assert_eq!(found, expected);
        }
    }
}
