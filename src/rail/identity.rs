//! Who a car is: reporting marks, UIC wagon numbers, container codes, and what a tag reader sends.
//!
//! - *Reporting mark*: 2-4 letters of the owner and 1-6 digits. It has no check digit (`shared/rail.md` 1.7): agreement with the tag and the consist is
//!   what speaks for it.
//! - *UIC*: 12 digits, the last a Luhn check over the others.
//! - *ISO 6346*: owner (3 letters), category (U, J, Z), six digits, check digit.
//! - *AEI*: the text message of a tag reader with the fields of AAR S-918, comma-separated as the Softrail AI4100 manual (2015, p. 39, "message layout") gives
//!   them: time, sequence, reader, antenna, equipment group, initials, number, side, length in dm, axles, bearing, platform. Raw 128-bit tags are not decoded:
//!   the bit layout is the AAR's to publish, and readers send text.

use std::fmt;

use crate::error::{Error, Fault, Result};
use crate::watchlist::codes;

/// Owner and number of a North American car.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReportingMark {
    /// 2-4 capital letters.
    pub initials: String,
    /// 0 to 999,999, without leading zeros.
    pub number: u32,
}

impl ReportingMark {
    /// Reads `UTLX 123456` with any spaces, hyphens or leading zeros; `None` for what is no reporting mark.
    pub fn parse(text: &str) -> Option<ReportingMark> {
        if text.len() > 32 {
            return None;
        }
        let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
        let letters = text.find(|c: char| !c.is_ascii_uppercase())?;
        let (initials, digits) = text.split_at(letters);
        let fits = (2..=4).contains(&initials.len()) && (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| ReportingMark { initials: initials.to_owned(), number: digits.parse().expect("six digits at most") })
    }
}

impl fmt::Display for ReportingMark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.initials, self.number)
    }
}

/// True for a 12-digit UIC wagon number (spaces and hyphens do not count) whose check digit is right.
pub fn is_uic(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter(|c| !matches!(c, ' ' | '-')).map_while(|c| c.to_digit(10)).collect();
    let written = text.chars().filter(|c| !matches!(c, ' ' | '-')).count();
    if digits.len() != 12 || written != 12 {
        return false;
    }
    // Luhn: every other digit doubled, beginning with the last before the check digit.
    let sum: u32 = digits[..11].iter().rev().enumerate().map(|(i, &digit)| if i % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }).sum();
    (10 - sum % 10) % 10 == digits[11]
}

/// The check digit of an ISO 6346 code from its first ten characters; `None` where they are not four letters (the last U, J or Z) and six digits.
pub fn iso6346_check(code: &str) -> Option<u32> {
    let bytes = code.as_bytes();
    if bytes.len() < 10 || !bytes[..4].iter().all(u8::is_ascii_uppercase) || !bytes[4..10].iter().all(u8::is_ascii_digit) || !b"UJZ".contains(&bytes[3]) {
        return None;
    }
    Some(u32::from(codes::check_digit(&bytes[..10])))
}

/// A container code without spaces and hyphens (`CSQU3054383`), if its check digit is right.
pub fn container(text: &str) -> Option<String> {
    with_check_digit(text).filter(|(_, written)| *written == Written::Right).map(|(code, _)| code)
}

/// What a container code says as its check digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The digit that belongs there.
    Right,
    /// Another: some character of the code is wrong.
    Wrong,
    /// None.
    Missing,
}

/// A container code with the check digit that belongs to its first ten characters, and what was written in its place; `None` for what is no such code.
pub fn with_check_digit(text: &str) -> Option<(String, Written)> {
    if text.len() > 32 {
        return None;
    }
    let code: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase()).collect();
    let check = b'0' + iso6346_check(&code)? as u8;
    let written = match code.as_bytes()[10..] {
        [] => Written::Missing,
        [digit] if digit == check => Written::Right,
        [digit] if digit.is_ascii_digit() => Written::Wrong,
        _ => return None,
    };
    Some((format!("{}{}", &code[..10], char::from(check)), written))
}

/// What is wrong with the codes by which a car and its containers are named, in words; marks have no check digit.
pub fn doubts<'a>(mark: Option<&'a str>, containers: impl Iterator<Item = &'a str>) -> Vec<String> {
    let uic = mark.filter(|mark| mark.chars().filter(char::is_ascii_digit).count() == 12 && mark.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-')));
    let wagon = uic.filter(|number| !is_uic(number)).map(|number| format!("wagon {number}: the check digit is wrong"));
    let boxes = containers.filter_map(|code| match with_check_digit(code) {
        Some((_, Written::Right)) => None,
        Some((right, Written::Wrong)) => Some(format!("container {code}: the check digit is wrong, {} belongs to the rest", &right[10..])),
        Some((right, Written::Missing)) => Some(format!("container {code}: it has no check digit, {} is right", &right[10..])),
        None => Some(format!("container {code:?} is no ISO 6346 code")),
    });
    wagon.into_iter().chain(boxes).collect()
}

/// Which side of the equipment a tag is on, relative to its B end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Left of someone at the A end who looks to the B end.
    Left,
    /// The other.
    Right,
}

/// One tag, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRead {
    /// AAR equipment group: 5 locomotive, 19 railcar; others as sent.
    pub group: u8,
    /// Owner and number.
    pub mark: ReportingMark,
    /// Side of the equipment that the tag is on.
    pub side: Side,
    /// Over couplers, dm.
    pub length_dm: u32,
    /// Wheel sets.
    pub axles: u32,
    /// Bearing code, 0-7.
    pub bearing: Option<u8>,
    /// Platform code, 0-15; none for locomotives.
    pub platform: Option<u8>,
}

impl TagRead {
    /// True for the tag of a locomotive or a railcar: the others are on what cars carry, or on the train.
    pub fn is_of_a_car(&self) -> bool {
        matches!(self.group, 5 | 19)
    }

    /// True for a locomotive's tag.
    pub fn is_locomotive(&self) -> bool {
        self.group == 5
    }
}

/// Parses one line of a tag reader's message.
///
/// # Errors
/// `Damaged`, naming the field.
pub fn tag_read(line: &str) -> Result<TagRead> {
    // The longest sensible line has some 90 characters.
    if line.len() > 512 {
        return Err(Error::new(Fault::Limit, format!("{} characters in one tag read", line.len())));
    }
    let fields: Vec<&str> = line.trim().split(',').map(|field| field.trim_matches(['"', ' ', '\u{201c}', '\u{201d}', '\u{2019}'])).collect();
    if !(11..=12).contains(&fields.len()) {
        return Err(Error::new(Fault::Damaged, format!("{} fields, a tag read has 11 or 12", fields.len())));
    }
    let bad = |index: usize, what: &str| Error::new(Fault::Damaged, format!("field {}: {:?} is no {what}", index + 1, fields[index]));
    let number = |index: usize, most: u32, what: &str| {
        fields[index].parse::<u32>().ok().filter(|&value| value <= most && fields[index].len() <= 6).ok_or_else(|| bad(index, what))
    };
    let mark = ReportingMark::parse(&format!("{}{}", fields[5], fields[6])).ok_or_else(|| bad(5, "reporting mark with the next"))?;
    let side = match fields[7].to_ascii_lowercase().as_str() {
        "left" | "l" => Side::Left,
        "right" | "r" => Side::Right,
        _ => return Err(bad(7, "side (Left, Right)")),
    };
    let platform = match fields.get(11) {
        Some(&"") | None => None,
        Some(_) => Some(number(11, 15, "platform code (0-15)")? as u8),
    };
    let bearing = if fields[10].is_empty() { None } else { Some(number(10, 7, "bearing code (0-7)")? as u8) };
    Ok(TagRead {
        group: number(4, 31, "equipment group (0-31)")? as u8,
        mark,
        side,
        length_dm: number(8, 4095, "length in dm")?,
        axles: number(9, 64, "number of axles")?,
        bearing,
        platform,
    })
}
