//! The header of a delimited file: which of its columns is which field, and which are no field.
//!
//! A lost column is worse than a refused file: without its `valid_until` an entry is sought for ever. So two columns that are one field are refused, and
//! so is a column whose name is nearly that of a field which has none, where the mapping says that every column is to be a field
//! ([`Mapping::every_column`]). Others that are no field are told then; under the other mappings they are passed over, which they were written for.

use super::import::BadLine;
use super::mapping::{Columns, FieldName, Mapping};
use super::records::Record;
use super::text::{Distance, Key, plain};
use crate::error::{Error, Fault, Result};

/// So many characters of difference suggest the other name.
const NEAR: u8 = 2;
/// A name so long is misspelt by as many; a shorter one by one, for `person` is two from `reason`.
const LONG: usize = 8;
/// Columns of lists of vehicles that are one character from `mode`, and mean what they say.
const NOT_MISSPELT: [&str; 2] = ["model", "code"];

/// The most names that are shown.
const MOST: usize = 16;
/// The most characters of a name that are shown.
const LONGEST: usize = 32;
/// What a file begins with, as far as it is shown where it is no text.
const BEGINNING: usize = 16;
/// Where what is no text shows: every picture, archive and index has control characters in so many bytes.
const LOOKED_AT: usize = 512;

/// The names of a file's columns.
pub(super) struct Header<'a> {
    record: &'a Record,
    names: Vec<&'a str>,
}

impl<'a> Header<'a> {
    pub(super) fn new(record: &'a Record) -> Header<'a> {
        let names = (0..record.fields.len()).map(|at| record.text(at).unwrap_or_default().trim()).collect();
        Header { record, names }
    }

    /// The column of a field, from 0.
    ///
    /// # Errors
    /// `Caller` where there are two of them, or none and it is the plate's.
    pub(super) fn place(&self, field: FieldName, columns: &Columns, mapping: &Mapping) -> Result<Option<usize>> {
        let wanted = match columns {
            Columns::Number(number) => return Ok(Some(number.saturating_sub(1))),
            Columns::Name(name) => std::slice::from_ref(name),
            Columns::Names(names) => names,
        };
        let mut places = wanted.iter().flat_map(|name| self.places(name).map(move |at| (name, at)));
        let Some((name, first)) = places.next() else {
            if field != FieldName::Text {
                return Ok(None);
            }
            let (line, has) = (self.record.line, listed(self.names.iter().map(|name| shown(name))));
            let message = format!("line {line}: its header has no column {} (the plate); it has: {has}", wanted.join(" or "));
            return Err(Error::new(Fault::Caller, message));
        };
        // Of several names that a field may have, the first one counts, unless every column does.
        if let Some((_, second)) = places.find(|(other, at)| *at != first && (*other == name || mapping.every_column)) {
            let (line, one, other) = (self.record.line, first.min(second), first.max(second));
            let both = listed([one, other].map(|at| shown(self.names[at])).into_iter());
            let message = format!("line {line}: columns {} and {} are both the field {field:?} ({both}): take one out", one + 1, other + 1);
            return Err(Error::new(Fault::Caller, message));
        }
        Ok(Some(first))
    }

    /// What of the columns that are no field there is to tell; `places` are those of the fields.
    ///
    /// # Errors
    /// `Caller` for one whose name is nearly a field's that has no column.
    pub(super) fn unknown(&self, mapping: &Mapping, places: &[Option<usize>]) -> Result<Option<BadLine>> {
        let (mut first, mut unknown) = (None, Vec::new());
        for (at, name) in self.names.iter().enumerate().filter(|(at, name)| !places.contains(&Some(*at)) && !name.is_empty()) {
            // Where the list is named beside the file, its column does not count.
            if same(name, "list") && !mapping.columns.contains_key(&FieldName::List) {
                continue;
            }
            let name = match nearest(name, mapping, places) {
                Some((known, true)) => {
                    let (line, column, name) = (self.record.line, self.record.fields[at].column, shown(name));
                    let message = format!(
                        "line {line}, column {column}: {name}: unknown; did you mean {known}? Entries would lack it: mend the name, or take the column out"
                    );
                    return Err(Error::new(Fault::Caller, message));
                }
                Some((known, false)) => format!("{} (did you mean {known}?)", shown(name)),
                None => shown(name),
            };
            first.get_or_insert(at);
            unknown.push(name);
        }
        let Some(first) = first else { return Ok(None) };
        let (line, column) = (self.record.line, self.record.fields[first].column);
        Ok(Some(BadLine { line, column, why: format!("unknown columns, which are not read: {}", listed(unknown.into_iter())) }))
    }

    fn places(&self, name: &str) -> impl Iterator<Item = usize> {
        self.names.iter().enumerate().filter(move |(_, other)| same(other, name)).map(|(at, _)| at)
    }
}

/// Whether two names are one: case, spaces, `_` and `-` do not count.
fn same(one: &str, other: &str) -> bool {
    fn counting(name: &str) -> impl Iterator<Item = char> {
        name.chars().filter(|character| !matches!(character, ' ' | '_' | '-')).flat_map(char::to_lowercase)
    }
    counting(one).eq(counting(other))
}

fn letters(name: &str) -> String {
    name.chars().filter_map(plain).map(char::from).collect()
}

/// The name nearest to this one of a field without a column, if any is near, and whether this one is it misspelt.
fn nearest<'a>(name: &str, mapping: &'a Mapping, places: &[Option<usize>]) -> Option<(&'a str, bool)> {
    if NOT_MISSPELT.iter().any(|other| same(name, other)) {
        return None;
    }
    let distance = Distance::from(Key::of(&letters(name))?);
    let without = mapping.columns.iter().filter(|(field, _)| places[**field as usize].is_none());
    let names = without.flat_map(|(_, columns)| match columns {
        Columns::Number(_) => &[][..],
        Columns::Name(name) => std::slice::from_ref(name),
        Columns::Names(names) => names.as_slice(),
    });
    let near = names.filter_map(|known| Some((known, letters(known).len(), distance.to(Key::of(&letters(known))?))));
    let (known, length, edits) = near.filter(|(.., edits)| *edits <= NEAR).min_by_key(|(.., edits)| *edits)?;
    Some((known.as_str(), edits <= if length < LONG { 1 } else { NEAR }))
}

/// A name for people to read: what is no character to print is escaped, and what is long is cut.
fn shown(name: &str) -> String {
    let cut = if name.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("{}{cut}", name.chars().take(LONGEST).collect::<String>().escape_debug())
}

/// Many names on one line.
fn listed(mut names: impl Iterator<Item = String>) -> String {
    let mut text = names.by_ref().take(MOST).collect::<Vec<_>>().join(", ");
    let more = names.count();
    if more > 0 {
        text.push_str(&format!(", … and {more} more"));
    }
    text
}

/// Why a file that begins with these bytes, decoded, is no list at all; `None` where it may be one.
pub(super) fn no_text(bytes: &[u8]) -> Option<Error> {
    let looked_at = &bytes[..bytes.len().min(LOOKED_AT)];
    // The last of them ends a file of DOS.
    if looked_at.iter().all(|byte| !byte.is_ascii_control() || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C | 0x1A)) {
        return None;
    }
    let beginning: String = String::from_utf8_lossy(looked_at).chars().take(BEGINNING).collect();
    Some(Error::new(Fault::Damaged, format!("is no CSV: it begins with {beginning:?}, and has control characters, which no list has; is this the right file?")))
}
