//! Delimited and fixed-width files as records of fields, each of which knows the line and column that it began at.
//!
//! Goal: an error names the character at fault, and no input takes more than a fixed amount of memory: not ten gigabytes without a line
//! end (given up after [`MAX_SKIPPED`]), not a quote that is never closed (its line is reported, and reading goes on with the next).
//! Why not the `csv` crate here: it grows its record to whatever the file holds, and knows lines but not columns.
//! Quoting is RFC 4180's: a field that begins with `"` ends with `"`, may hold anything in between, and `""` is one `"`.

use std::io::{self, Read};

/// The most bytes of a record; the longest sensible one, with a page of text as its reason, is a tenth.
pub(crate) const MAX_RECORD: usize = 1 << 16;
/// The most bytes of a bad line that are read to find its end: what has none by then is no list.
pub(crate) const MAX_SKIPPED: usize = 1 << 26;
/// The most fields of a record.
const MAX_FIELDS: usize = 512;
/// What is read at once.
const CHUNK: usize = 1 << 18;

/// One field: where its text is in [`Record`], and the line and column (in characters, from 1) where it began in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    from: usize,
    to: usize,
    pub(crate) line: u64,
    pub(crate) column: u32,
}

/// One record; its buffers are used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Record {
    text: Vec<u8>,
    pub(crate) fields: Vec<Field>,
    /// The line it began on, from 1.
    pub(crate) line: u64,
}

impl Record {
    /// The text of field `at`; `Err` where it is not UTF-8.
    pub(crate) fn text(&self, at: usize) -> Result<&str, std::str::Utf8Error> {
        self.fields.get(at).map_or(Ok(""), |field| std::str::from_utf8(&self.text[field.from..field.to]))
    }
}

/// A record that cannot be read: where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRecord {
    pub(crate) line: u64,
    pub(crate) column: u32,
    pub(crate) why: String,
    /// Whether its line goes on for more than [`MAX_SKIPPED`]: there is nothing to go on with.
    pub(crate) endless: bool,
}

/// How fields are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Separation {
    /// By a character (ASCII), with or without quotes.
    Delimited { delimiter: u8, quotes: bool },
    /// The whole line is one field, cut by whoever reads it.
    Lines,
}

/// Reads records from UTF-8.
pub(crate) struct Records<R> {
    input: R,
    buffer: Vec<u8>,
    /// What of `buffer` was given out.
    taken: usize,
    ended: bool,
    separation: Separation,
    /// The line that `taken` is on, from 1.
    line: u64,
}

impl<R: Read> Records<R> {
    pub(crate) fn new(input: R, separation: Separation) -> Records<R> {
        Records { input, buffer: Vec::new(), taken: 0, ended: false, separation, line: 1 }
    }

    pub(crate) fn separate_by(&mut self, separation: Separation) {
        self.separation = separation;
    }

    /// What comes next, as far as it was read, without taking it: a line at least, unless that is longer than [`MAX_RECORD`].
    pub(crate) fn beginning(&mut self) -> io::Result<&[u8]> {
        self.fill()?;
        Ok(&self.buffer[self.taken..])
    }

    /// Reads the next record that is not an empty line; `None` at the end.
    pub(crate) fn next(&mut self, record: &mut Record) -> io::Result<Option<Result<(), BadRecord>>> {
        loop {
            self.fill()?;
            let rest = &self.buffer[self.taken..];
            if rest.is_empty() {
                return Ok(None);
            }
            let whole = self.ended && rest.len() <= MAX_RECORD;
            let rest = &rest[..rest.len().min(MAX_RECORD)];
            record.text.clear();
            record.fields.clear();
            record.line = self.line;
            match parse(rest, whole, self.line, self.separation, record) {
                Parsed::Record { bytes, lines } => {
                    self.take(bytes, lines);
                    let blank = record.fields.len() <= 1 && record.text.iter().all(u8::is_ascii_whitespace);
                    if !blank {
                        return Ok(Some(Ok(())));
                    }
                }
                Parsed::Bad(mut bad) => {
                    bad.endless = !self.skip_line()?;
                    if bad.endless {
                        bad.why = format!("the line goes on for more than {} MiB; is this the right file?", MAX_SKIPPED >> 20);
                    }
                    return Ok(Some(Err(bad)));
                }
            }
        }
    }

    fn take(&mut self, bytes: usize, lines: u64) {
        self.taken += bytes;
        self.line += lines;
    }

    /// Holds a record's worth of bytes, or all that is left.
    fn fill(&mut self) -> io::Result<()> {
        while !self.ended && self.buffer.len() - self.taken < MAX_RECORD {
            self.buffer.drain(..self.taken);
            self.taken = 0;
            let before = self.buffer.len();
            self.input.by_ref().take(CHUNK as u64).read_to_end(&mut self.buffer)?;
            self.ended = self.buffer.len() == before;
        }
        Ok(())
    }

    /// Takes everything up to the next line end; false if there is none within [`MAX_SKIPPED`].
    fn skip_line(&mut self) -> io::Result<bool> {
        let mut skipped = 0;
        loop {
            let rest = &self.buffer[self.taken..];
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                self.take(end + 1, 1);
                return Ok(true);
            }
            skipped += rest.len();
            self.take(rest.len(), 0);
            if self.ended {
                return Ok(true);
            }
            if skipped > MAX_SKIPPED {
                return Ok(false);
            }
            self.fill()?;
        }
    }
}

enum Parsed {
    Record { bytes: usize, lines: u64 },
    Bad(BadRecord),
}

/// Parses one record from the beginning of `bytes`, which hold all of the file that is left if `whole`.
fn parse(bytes: &[u8], whole: bool, line: u64, separation: Separation, record: &mut Record) -> Parsed {
    let too_long = |column: u32| {
        let why = format!("the line is longer than {MAX_RECORD} bytes; is this the right file, and are its lines ended?");
        Parsed::Bad(BadRecord { line, column, why, endless: false })
    };
    let Separation::Delimited { delimiter, quotes } = separation else {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        if end.is_none() && !whole {
            return too_long(1);
        }
        let text = &bytes[..end.unwrap_or(bytes.len())];
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        record.text.extend_from_slice(text);
        record.fields.push(Field { from: 0, to: text.len(), line, column: 1 });
        return Parsed::Record { bytes: end.map_or(bytes.len(), |end| end + 1), lines: 1 };
    };
    let (mut at, mut lines) = (0, 0);
    // Where the current line began, to tell columns.
    let mut line_begin = 0;
    let column = |line_begin: usize, at: usize| characters(&bytes[line_begin..at]) + 1;
    loop {
        if record.fields.len() == MAX_FIELDS {
            return Parsed::Bad(BadRecord {
                line: line + lines,
                column: column(line_begin, at),
                why: format!("more than {MAX_FIELDS} fields; is the delimiter right?"),
                endless: false,
            });
        }
        let from = record.text.len();
        let begin = Field { from, to: from, line: line + lines, column: column(line_begin, at) };
        if quotes && bytes.get(at) == Some(&b'"') {
            at += 1;
            loop {
                let Some(length) = bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'\n')) else {
                    let why = format!("a quote is opened here and not closed within {MAX_RECORD} bytes");
                    return Parsed::Bad(BadRecord { line: begin.line, column: begin.column, why, endless: false });
                };
                record.text.extend_from_slice(&bytes[at..at + length]);
                at += length + 1;
                if bytes[at - 1] == b'\n' {
                    record.text.push(b'\n');
                    lines += 1;
                    line_begin = at;
                } else if bytes.get(at) == Some(&b'"') {
                    record.text.push(b'"');
                    at += 1;
                } else {
                    break;
                }
            }
        }
        // What follows a closing quote, mostly nothing, belongs to the field too.
        let end = bytes[at..].iter().position(|byte| *byte == delimiter || *byte == b'\n');
        if end.is_none() && !whole {
            return too_long(begin.column);
        }
        let end = end.map_or(bytes.len(), |length| at + length);
        record.text.extend_from_slice(&bytes[at..end]);
        let ended = bytes.get(end) != Some(&delimiter);
        if ended && record.text.len() > from && record.text.last() == Some(&b'\r') {
            record.text.pop();
        }
        record.fields.push(Field { to: record.text.len(), ..begin });
        at = (end + 1).min(bytes.len());
        if ended {
            return Parsed::Record { bytes: at, lines: lines + 1 };
        }
    }
}

/// Characters in UTF-8 (or, where it is not, bytes that do not continue one).
fn characters(bytes: &[u8]) -> u32 {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COMMA: Separation = Separation::Delimited { delimiter: b',', quotes: true };

    fn all(text: &[u8], separation: Separation) -> Vec<Result<(Vec<String>, u64), BadRecord>> {
        let mut records = Records::new(text, separation);
        let mut record = Record::default();
        let mut out = Vec::new();
        while let Some(result) = records.next(&mut record).unwrap() {
            out.push(result.map(|()| ((0..record.fields.len()).map(|at| record.text(at).unwrap().to_owned()).collect(), record.line)));
        }
        out
    }

    fn row(fields: &[&str], line: u64) -> Result<(Vec<String>, u64), BadRecord> {
        Ok((fields.iter().map(|field| (*field).to_owned()).collect(), line))
    }

    #[test]
    fn quotes_hold_separators_line_ends_and_quotes() {
        let text = b"a,\"b, c\",\"d \"\"e\"\"\"\r\n\r\n\"two\nlines\",x\nlast";
        assert_eq!(all(text, COMMA), [row(&["a", "b, c", "d \"e\""], 1), row(&["two\nlines", "x"], 3), row(&["last"], 5)]);
    }

    #[test]
    fn an_open_quote_costs_its_line_only() {
        let mut text = b"a,b\n1,\"never closed\n2,x\n".to_vec();
        text.extend(b"3,y\n".repeat(MAX_RECORD));
        let records = all(&text, COMMA);
        assert_eq!(records[1].as_ref().map_err(|bad| (bad.line, bad.column)), Err((2, 3)));
        assert_eq!(records[2], row(&["2", "x"], 3));
        assert_eq!(records.len(), 3 + MAX_RECORD);
    }

    #[test]
    fn a_line_without_end_is_one_bad_line() {
        let mut text = b"a,b\n".to_vec();
        text.extend(vec![b'x'; MAX_RECORD * 9]);
        text.extend(b"\n1,2\n");
        let records = all(&text, COMMA);
        assert_eq!(records.len(), 3);
        assert!(records[1].is_err());
        assert_eq!(records[2], row(&["1", "2"], 3));
        assert_eq!(all(&text, Separation::Lines).len(), 3);
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(rows in prop::collection::vec(prop::collection::vec("[a\",;\n ñ]{1,6}", 2..4), 1..6)) {
            let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let text: String = rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n").collect();
            let read: Vec<Vec<String>> = all(text.as_bytes(), COMMA).into_iter().map(|record| record.unwrap().0).collect();
            prop_assert_eq!(read, rows);
        }

        #[test]
        fn no_bytes_make_it_panic_or_lose_a_line(bytes in prop::collection::vec(prop::sample::select(b"a,\"\n\r\xC3\xB1;".to_vec()), 0..200)) {
            let mut records = Records::new(&bytes[..], COMMA);
            let mut record = Record::default();
            while records.next(&mut record).unwrap().is_some() {}
            // The last line may be ended or not.
            let ended = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            prop_assert!((ended..=ended + 1).contains(&(records.line - 1)));
        }
    }
}
