//! Files of others become entries: streaming, in fixed memory, every bad line counted and the first ones told with line and column.
//!
//! A few bad lines never stop a list: their entries are not sought, which is told. Too many do: then the file is not what the mapping says, and nothing of it
//! is taken, so that the list it was to replace stays. Too many are more than [`Limits::bad_share`] (1 %) of the lines and also more than five, or
//! more than the good ones; five of a list of twenty are somebody's typing, 1 % of a hundred thousand are another layout. The same for a file without
//! entries, and for one whose entries are all expired already, which is mostly last year's file, or a date format misread.

use std::fmt;
use std::io::Read;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::encoding::{Decoded, Encoding};
use super::entry::{Entry, Subject, key_of};
use super::header::{Header, no_text};
use super::mapping::{Columns, FIELDS, FieldName, Mapping, mode, priority, subject, yes};
use super::records::{BadRecord, Record, Records, Separation};
use crate::error::{Error, Fault, Result};

/// How many bad lines are told one by one.
const TOLD: usize = 20;
/// So many bad lines are borne where as many are good, whatever share of a short list they are. A guess.
const FEW: u64 = 5;
/// So many bad lines are read before their share refuses the file: the rest of it would not make it a good one.
const ENOUGH: u64 = 10_000;
/// The longest text of one field that is kept, in bytes: a page.
const MAX_TEXT: usize = 4096;

/// When a file is refused whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The largest share of bad lines, 0..=1, of those that are more than a few (the [module](self) says which); 0 bears none at all.
    pub bad_share: f64,
    /// Whether a file with no entries, or with expired ones only, may replace a list.
    pub empty: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        // 1 %: a guess. Exports of agencies that were described to us had some bad lines in ten thousand.
        Limits { bad_share: 0.01, empty: false }
    }
}

/// What a line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Add the entry, or replace the one of its identity.
    Add,
    /// Remove it.
    Remove,
}

/// One bad line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// From 1, in the file as decoded.
    pub line: u64,
    /// The character at which the field at fault begins, from 1.
    pub column: u32,
    /// What is wrong, and with which field.
    pub why: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}: {}", self.line, self.column, self.why)
    }
}

/// Something of a list's file that the list does not have, to be told to whoever keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// A bad line, whose entry is not sought.
    Line(BadLine),
    /// So many bad lines more.
    Lines(u64),
    /// Columns that are no field: where the first begins, and their names.
    Columns(BadLine),
}

impl fmt::Display for NotTaken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotTaken::Line(place) | NotTaken::Columns(place) => place.fmt(formatter),
            NotTaken::Lines(count) => write!(formatter, "… and {count} more bad lines"),
        }
    }
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imported {
    /// Lines with something on them, without the header.
    pub lines: u64,
    /// Entries to add.
    pub added: u64,
    /// Entries to remove.
    pub removed: u64,
    /// Of those to add: expired already.
    pub expired: u64,
    /// Bad lines.
    pub bad: u64,
    /// The first of them.
    pub told: Vec<BadLine>,
    /// Columns that are no field, where every column is to be one ([`Mapping::every_column`]).
    pub unknown_columns: Option<BadLine>,
    /// What the file was taken to be written in.
    pub encoding: Encoding,
    /// What was taken to separate its fields; `None` in a fixed-width file.
    pub delimiter: Option<char>,
}

/// Reads a list's file and hands each good line to `each`, in order.
///
/// # Errors
/// `Caller` for a header without the mapping's columns, or with two for one field, or with a misspelt one; `Damaged` for a file beyond `limits` (with its
/// first bad lines) and for what is no text; what `each` answers; and `Machine` where reading fails.
pub fn read(input: impl Read, mapping: &Mapping, limits: Limits, at: Timestamp, each: &mut dyn FnMut(Action, &Entry) -> Result<()>) -> Result<Imported> {
    let input = Decoded::new(input, mapping.file.encoding).map_err(|error| Error::io(&error))?;
    let mut imported = Imported { encoding: input.encoding, ..Imported::default() };
    let mut records = Records::new(input, Separation::Lines);
    let mut record = Record::default();
    for _ in 0..mapping.file.skip_lines {
        let _ = records.next(&mut record).map_err(|error| Error::io(&error))?;
    }
    let mut plan = Plan { mapping, zone: mapping.zone()?, fields: [const { None }; FIELDS], needed: 0 };
    if mapping.fixed.is_empty() {
        let delimiter = match mapping.file.delimiter.as_bytes() {
            [delimiter] => *delimiter,
            _ => guess_delimiter(first_line(records.beginning().map_err(|error| Error::io(&error))?)),
        };
        imported.delimiter = Some(delimiter as char);
        records.separate_by(Separation::Delimited { delimiter, quotes: mapping.file.quotes });
    }
    if mapping.file.header && mapping.fixed.is_empty() {
        let no_text = no_text(records.beginning().map_err(|error| Error::io(&error))?);
        let header = match records.next(&mut record).map_err(|error| Error::io(&error))? {
            None => Ok(None),
            Some(Ok(())) => plan.read_header(&record),
            Some(Err(bad)) => Err(Error::new(Fault::Damaged, format!("has a bad header: {}", told(bad)))),
        };
        imported.unknown_columns = header.map_err(|error| no_text.unwrap_or(error))?;
    } else {
        plan.number_columns()?;
    }

    let mut entry = Entry::default();
    while let Some(result) = records.next(&mut record).map_err(|error| Error::io(&error))? {
        imported.lines += 1;
        if let Err(bad) = &result
            && bad.endless
        {
            return Err(Error::new(Fault::Damaged, format!("line {}: {}; nothing of the file is taken", bad.line, bad.why)));
        }
        let outcome = result.map_err(told).and_then(|()| plan.read(&record, &mut entry));
        match outcome {
            Ok(action) => {
                match action {
                    Action::Add => {
                        imported.added += 1;
                        imported.expired += u64::from(entry.valid_until.is_some_and(|until| until <= at));
                    }
                    Action::Remove => imported.removed += 1,
                }
                each(action, &entry)?;
            }
            Err(bad) => {
                imported.bad += 1;
                if imported.told.len() < TOLD {
                    imported.told.push(bad);
                }
                if imported.bad >= ENOUGH && imported.bad_share() > limits.bad_share {
                    break;
                }
            }
        }
    }
    imported.judge(limits)?;
    Ok(imported)
}

impl Imported {
    /// What of the file is not taken: the first bad lines, how many more there are, and the columns that are no field.
    #[must_use]
    pub fn not_taken(&self) -> Vec<NotTaken> {
        let more = self.bad.saturating_sub(self.told.len() as u64);
        let lines = self.told.iter().cloned().map(NotTaken::Line);
        lines.chain((more > 0).then_some(NotTaken::Lines(more))).chain(self.unknown_columns.clone().map(NotTaken::Columns)).collect()
    }

    fn bad_share(&self) -> f64 {
        if self.lines == 0 { 0.0 } else { self.bad as f64 / self.lines as f64 }
    }

    /// Why so many bad lines are too many, if they are.
    fn too_many(&self, limits: Limits) -> Option<String> {
        if self.bad_share() <= limits.bad_share {
            return None;
        }
        if self.bad > FEW || limits.bad_share == 0.0 {
            return Some(format!("more than {} %", limits.bad_share * 100.0));
        }
        (self.bad > self.lines - self.bad).then(|| "more than are good".to_owned())
    }

    /// Refuses what must not replace a list.
    fn judge(&self, limits: Limits) -> Result<()> {
        let refuse = |why: String| {
            let mut message = format!("{why}; nothing of the file is taken");
            for one in self.not_taken() {
                message.push_str(&format!("\n  {one}"));
            }
            Err(Error::new(Fault::Damaged, message))
        };
        if let Some(why) = self.too_many(limits) {
            let (bad, lines) = (self.bad, self.lines);
            return refuse(format!("{bad} of {lines} lines are bad, {why}: mend them, or `garita watchlist import --max-bad` makes an index of the others"));
        }
        if limits.empty {
            return Ok(());
        }
        if self.added + self.removed == 0 {
            return refuse("has no entries (`garita watchlist import --allow-empty` takes it all the same)".to_owned());
        }
        if self.removed == 0 && self.expired == self.added {
            return refuse(format!(
                "all {} entries are expired already: an old file, or dates misread? (`garita watchlist import --allow-empty` takes it all the same)",
                self.added
            ));
        }
        Ok(())
    }
}

fn told(bad: BadRecord) -> BadLine {
    BadLine { line: bad.line, column: bad.column, why: bad.why }
}

fn first_line(beginning: &[u8]) -> &[u8] {
    beginning.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// The most frequent of the usual delimiters outside quotes; a comma where there is none.
fn guess_delimiter(line: &[u8]) -> u8 {
    let count = |delimiter: u8| {
        let mut quoted = false;
        line.iter()
            .filter(|byte| {
                quoted ^= **byte == b'"';
                !quoted && **byte == delimiter
            })
            .count()
    };
    // The last of equals wins, so the likeliest comes last.
    *b"|\t;,".iter().max_by_key(|delimiter| count(**delimiter)).unwrap_or(&b',')
}

/// Where a field comes from.
#[derive(Debug, Clone)]
enum Origin {
    /// Field number, from 0.
    Column(usize),
    /// First and last character, from 1.
    Fixed(usize, usize),
}

/// A mapping resolved against a file.
struct Plan<'a> {
    mapping: &'a Mapping,
    zone: TimeZone,
    fields: [Option<Origin>; FIELDS],
    /// How many columns a line must have.
    needed: usize,
}

impl Plan<'_> {
    /// Finds the mapping's columns by their names; what of the columns that are no field is to be told.
    fn read_header(&mut self, record: &Record) -> Result<Option<BadLine>> {
        let (header, mut places) = (Header::new(record), [None; FIELDS]);
        for (field, columns) in &self.mapping.columns {
            let place = header.place(*field, columns, self.mapping)?;
            places[*field as usize] = place;
            self.fields[*field as usize] = place.map(Origin::Column);
        }
        self.needed = places[FieldName::Text as usize].map_or(0, |place| place + 1);
        if self.mapping.every_column { header.unknown(self.mapping, &places) } else { Ok(None) }
    }

    /// Takes the mapping's columns by their numbers, or the places of a fixed-width file.
    fn number_columns(&mut self) -> Result<()> {
        for (field, columns) in &self.mapping.columns {
            let Columns::Number(number @ 1..) = columns else {
                return Err(Error::new(Fault::Caller, format!("mapping: the file has no header, so [columns] {field:?} must be a number from 1")));
            };
            self.fields[*field as usize] = Some(Origin::Column(number - 1));
            if *field == FieldName::Text {
                self.needed = *number;
            }
        }
        for (field, [from, to]) in &self.mapping.fixed {
            self.fields[*field as usize] = Some(Origin::Fixed(*from, *to));
        }
        Ok(())
    }

    /// A field of the line as the mapping understands it, and the column it begins at.
    fn field<'a>(&'a self, name: FieldName, record: &'a Record) -> std::result::Result<(&'a str, u64, u32), BadLine> {
        let (raw, line, column) = match &self.fields[name as usize] {
            None => ("", record.line, 1),
            Some(Origin::Column(at)) => {
                let (line, column) = record.fields.get(*at).map_or((record.line, 1), |field| (field.line, field.column));
                let not_utf8 =
                    |_| BadLine { line, column, why: format!("{name:?}: bytes that are not UTF-8; the mapping's [file] encoding can say what they are") };
                (record.text(*at).map_err(not_utf8)?, line, column)
            }
            Some(Origin::Fixed(from, to)) => {
                let not_utf8 = |_| BadLine {
                    line: record.line,
                    column: 1,
                    why: "bytes that are not UTF-8; the mapping's [file] encoding can say what they are".to_owned(),
                };
                let text = record.text(0).map_err(not_utf8)?;
                let byte = |character: usize| text.char_indices().nth(character).map_or(text.len(), |(at, _)| at);
                // ASCII, which nearly all is, needs no counting.
                let range = if text.is_ascii() { (from - 1).min(text.len())..(*to).min(text.len()) } else { byte(from - 1)..byte(*to) };
                (&text[range], record.line, *from as u32)
            }
        };
        let value = self.mapping.meaning(name, raw.trim());
        let value = if value.is_empty() { self.mapping.constants.get(&name).map_or("", String::as_str) } else { value };
        if value.len() > MAX_TEXT {
            return Err(BadLine { line, column, why: format!("{name:?}: {} bytes, at most {MAX_TEXT} are kept; is a quote missing?", value.len()) });
        }
        Ok((value, line, column))
    }

    /// Fills `entry` from a line.
    fn read(&self, record: &Record, entry: &mut Entry) -> std::result::Result<Action, BadLine> {
        if record.fields.len() < self.needed {
            let why = format!("{} fields, the plate would be number {}", record.fields.len(), self.needed);
            return Err(BadLine { line: record.line, column: 1, why });
        }
        /// Parses a field, or says where it is and what is wrong with it.
        fn parsed<T>(
            plan: &Plan<'_>,
            name: FieldName,
            record: &Record,
            parse: impl FnOnce(&str) -> std::result::Result<T, String>,
        ) -> std::result::Result<T, BadLine> {
            let (value, line, column) = plan.field(name, record)?;
            parse(value).map_err(|why| BadLine { line, column, why: format!("{name:?}: {why}") })
        }
        let mapping = self.mapping;
        entry.line = record.line;
        entry.subject = parsed(self, FieldName::Subject, record, subject)?;
        let (text, line, column) = self.field(FieldName::Text, record)?;
        check_text(entry.subject, text).map_err(|why| BadLine { line, column, why: format!("Text {text:?}: {why}") })?;
        set(&mut entry.text, text);
        entry.jurisdiction = parsed(self, FieldName::Jurisdiction, record, |value| mapping.jurisdiction(value))?;
        entry.priority = parsed(self, FieldName::Priority, record, |value| if value.is_empty() { Ok(50) } else { priority(value) })?;
        entry.valid_from = parsed(self, FieldName::ValidFrom, record, |value| mapping.time(value, &self.zone, false))?;
        entry.valid_until = parsed(self, FieldName::ValidUntil, record, |value| mapping.time(value, &self.zone, true))?;
        if let (Some(from), Some(until)) = (entry.valid_from, entry.valid_until)
            && from >= until
        {
            let (_, line, column) = self.field(FieldName::ValidUntil, record)?;
            return Err(BadLine { line, column, why: format!("ValidUntil: {until} is not after ValidFrom, {from}") });
        }
        entry.mode = parsed(self, FieldName::Mode, record, mode)?;
        entry.two_person = parsed(self, FieldName::TwoPerson, record, yes)?;
        entry.retention_days = parsed(self, FieldName::RetentionDays, record, |value| {
            if value.is_empty() { Ok(None) } else { value.parse().map(Some).map_err(|_| format!("{value:?} is no number of days")) }
        })?;
        for (name, into) in [
            (FieldName::List, &mut entry.list),
            (FieldName::Category, &mut entry.category),
            (FieldName::Reason, &mut entry.reason),
            (FieldName::Source, &mut entry.source),
            (FieldName::SourceVersion, &mut entry.source_version),
            (FieldName::FiledBy, &mut entry.filed_by),
            (FieldName::Caution, &mut entry.caution),
        ] {
            set(into, self.field(name, record)?.0);
        }
        if entry.list.is_empty() {
            return Err(BadLine { line: record.line, column: 1, why: "List: is empty, and the mapping has no constant for it (--list names one)".to_owned() });
        }
        parsed(self, FieldName::Action, record, |value| match value.to_ascii_lowercase().as_str() {
            "" | "add" => Ok(Action::Add),
            "remove" => Ok(Action::Remove),
            _ => Err(format!("{value:?} is neither add nor remove; the mapping's [values.action] can say what it means")),
        })
    }
}

fn check_text(subject: Subject, text: &str) -> std::result::Result<(), String> {
    if text.is_empty() { Err("is empty".to_owned()) } else { key_of(subject, text).map(|_| ()) }
}

fn set(into: &mut String, text: &str) {
    into.clear();
    into.push_str(text);
}
