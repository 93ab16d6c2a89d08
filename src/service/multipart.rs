//! Bodies of many parts, taken apart as they arrive: `multipart/x-mixed-replace` (a camera's pictures) and `multipart/form-data` (a camera's events).
//!
//! Cameras do not keep to the standard, so: the dashes before a boundary may be counted in its name or not, lines may end with LF alone, a part may or may
//! not state its length, and what lies between a part's end and the next boundary is passed over. A stated length is believed; where it is wrong the
//! picture is cut off or has a tail, which decoding finds out, and the next boundary is found again.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{Error, Fault, Result};

/// The most bytes of a part's headers, and of what is passed over before the first boundary; before a later one there may be a whole part, where a length was too long.
const MOST_HEADER_BYTES: usize = 16 << 10;
const MOST_BEFORE_BYTES: usize = 64 << 10;

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Names in lower case, values as they came.
    pub headers: Vec<(String, String)>,
    /// Without the line end before the boundary.
    pub body: Bytes,
}

impl Part {
    /// The value of a header, asked for in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// What a form calls it: `name` or `filename` of its Content-Disposition.
    #[must_use]
    pub fn disposition(&self, parameter: &str) -> Option<String> {
        parameter_of(self.header("content-disposition")?, parameter)
    }
}

/// Takes a body apart. Holds at most a part of the stated limit, its headers, and what was pushed last.
#[derive(Debug)]
pub struct Parts {
    /// Without the dashes before it.
    boundary: Vec<u8>,
    limit: usize,
    buffer: BytesMut,
    state: State,
    /// In what was passed over before a boundary.
    passed_over: usize,
    /// Most that may be.
    may_pass_over: usize,
    /// Up to here the buffer has been searched in vain.
    searched: usize,
    /// The buffer begins within a line, whose beginning was let go.
    within_line: bool,
}

#[derive(Debug)]
enum State {
    /// Before a boundary.
    Between,
    Headers,
    Body {
        headers: Vec<(String, String)>,
        length: Option<usize>,
    },
    Over,
}

impl Parts {
    /// Parts between lines of `boundary`, of at most `limit` bytes each.
    ///
    /// # Errors
    /// `Damaged` for a boundary without a character that is no dash, or of more than 200.
    pub fn new(boundary: &str, limit: usize) -> Result<Parts> {
        let boundary = boundary.trim_start_matches('-').as_bytes().to_vec();
        if boundary.is_empty() || boundary.len() > 200 {
            return Err(Error::new(Fault::Damaged, "a multipart boundary must have 1 to 200 characters"));
        }
        Ok(Parts {
            boundary,
            limit,
            buffer: BytesMut::new(),
            state: State::Between,
            passed_over: 0,
            may_pass_over: MOST_BEFORE_BYTES,
            searched: 0,
            within_line: false,
        })
    }

    /// Takes in what came next.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Over) {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether the last boundary has come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The next part that is complete; `None` until more is pushed.
    ///
    /// # Errors
    /// `Limit` for a part or headers that are too long, `Damaged` for what is no multipart body. Nothing can be taken out after an error.
    pub fn next_part(&mut self) -> Result<Option<Part>> {
        loop {
            match &mut self.state {
                State::Over => return Ok(None),
                State::Between => {
                    let Some(line) = self.boundary_line(0) else {
                        // What cannot be the beginning of a boundary any more is let go.
                        let keep = self.boundary.len() + 200;
                        let excess = self.buffer.len().saturating_sub(keep);
                        self.pass_over(excess)?;
                        return Ok(None);
                    };
                    self.passed_over = 0;
                    self.may_pass_over = MOST_BEFORE_BYTES + self.limit;
                    self.step_over(line.end);
                    self.state = if line.last { State::Over } else { State::Headers };
                }
                State::Headers => match end_of_headers(&self.buffer) {
                    Some((end, next)) if end <= MOST_HEADER_BYTES => {
                        let headers = headers_of(&self.buffer[..end]);
                        let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
                        if length.is_some_and(|length: usize| length > self.limit) {
                            return Err(self.too_long());
                        }
                        self.step_over(next);
                        self.state = State::Body { headers, length };
                    }
                    None if self.buffer.len() <= MOST_HEADER_BYTES => return Ok(None),
                    _ => return Err(Error::new(Fault::Limit, format!("a part's headers have more than {MOST_HEADER_BYTES} bytes"))),
                },
                State::Body { headers, length: Some(length) } => {
                    if self.buffer.len() < *length {
                        return Ok(None);
                    }
                    let (headers, length) = (std::mem::take(headers), *length);
                    let body = self.buffer.split_to(length).freeze();
                    (self.searched, self.within_line) = (0, false);
                    self.state = State::Between;
                    return Ok(Some(Part { headers, body }));
                }
                State::Body { headers, length: None } => {
                    let headers = std::mem::take(headers);
                    let Some(line) = self.boundary_line(self.searched) else {
                        // A boundary, its dashes and its line end may be cut in two by the end of the buffer.
                        self.searched = self.buffer.len().saturating_sub(self.boundary.len() + 200);
                        self.state = State::Body { headers, length: None };
                        return if self.buffer.len() > self.limit + self.boundary.len() + 200 { Err(self.too_long()) } else { Ok(None) };
                    };
                    let body = self.buffer.split_to(line.text_end).freeze();
                    if body.len() > self.limit {
                        return Err(self.too_long());
                    }
                    self.step_over(line.end - line.text_end);
                    self.state = if line.last { State::Over } else { State::Headers };
                    return Ok(Some(Part { headers, body }));
                }
            }
        }
    }

    fn too_long(&self) -> Error {
        Error::new(Fault::Limit, format!("a part has more than {} bytes", self.limit))
    }

    fn step_over(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        (self.searched, self.within_line) = (0, false);
    }

    fn pass_over(&mut self, bytes: usize) -> Result<()> {
        if let Some(last) = self.buffer[..bytes].last() {
            self.within_line = *last != b'\n';
        }
        self.buffer.advance(bytes);
        self.passed_over += bytes;
        if self.passed_over > self.may_pass_over {
            let (boundary, bytes) = (String::from_utf8_lossy(&self.boundary), self.may_pass_over);
            return Err(Error::new(Fault::Damaged, format!("no boundary ({boundary:?}) in {bytes} bytes: this is no multipart body")));
        }
        Ok(())
    }

    /// The first complete line at or after `from` that is a boundary: dashes, two or more, then its name.
    fn boundary_line(&self, from: usize) -> Option<Line> {
        let buffer = &self.buffer[..];
        let mut at = from;
        while let Some(found) = find(&buffer[at..], &self.boundary) {
            let name = at + found;
            at = name + 1;
            let dashes = buffer[..name].iter().rev().take_while(|&&byte| byte == b'-').count();
            let start = name - dashes;
            let begins_line = if start > 0 { buffer[start - 1] == b'\n' } else { !self.within_line };
            if dashes < 2 || !begins_line {
                continue;
            }
            let rest = &buffer[name + self.boundary.len()..];
            let last = rest.starts_with(b"--");
            let end = rest.iter().position(|&byte| byte == b'\n')? + 1;
            if !rest[..end].iter().all(|byte| b"- \t\r\n".contains(byte)) {
                continue;
            }
            let text_end = start.saturating_sub(1);
            let text_end = if text_end > 0 && buffer[text_end - 1] == b'\r' { text_end - 1 } else { text_end };
            return Some(Line { text_end, end: name + self.boundary.len() + end, last });
        }
        None
    }
}

/// A boundary's line in the buffer.
struct Line {
    /// Where the text before it ends, its line end not counted.
    text_end: usize,
    /// Where what follows it begins.
    end: usize,
    last: bool,
}

fn find(text: &[u8], sought: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].iter().position(|&byte| byte == sought[0]) {
        if text[at + found..].starts_with(sought) {
            return Some(at + found);
        }
        at += found + 1;
    }
    None
}

/// Where the headers end, and where the body begins.
fn end_of_headers(buffer: &[u8]) -> Option<(usize, usize)> {
    let mut line = 0;
    for (at, _) in buffer.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let text = buffer[line..at].strip_suffix(b"\r").unwrap_or(&buffer[line..at]);
        if text.is_empty() {
            return Some((line, at + 1));
        }
        line = at + 1;
        if line > MOST_HEADER_BYTES {
            return Some((line, line));
        }
    }
    None
}

fn headers_of(text: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(text);
    let pair = |line: &str| line.split_once(':').map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    text.lines().filter_map(pair).collect()
}

/// The boundary that a Content-Type of `multipart/…` names.
#[must_use]
pub fn boundary_of(content_type: &str) -> Option<String> {
    let kind = content_type.trim_start().as_bytes();
    kind.get(..10).filter(|kind| kind.eq_ignore_ascii_case(b"multipart/"))?;
    parameter_of(content_type, "boundary")
}

/// `name=value` or `name="value"` behind a semicolon.
fn parameter_of(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|parameter| {
        let (own, value) = parameter.split_once('=')?;
        own.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}
