//! Reads that cameras made themselves, as a second opinion: what they send, in one shape. How it compares with what garita read is [`crate::lane::opinion`]'s business, what is
//! kept of it [`crate::custody::edge_reads`]'s.
//!
//! | sender | shape |
//! |---|---|
//! | Axis (AXIS License Plate Verifier, push events) | JSON; pictures in Base64 in `ImageArray`, or parts of their own |
//! | Hikvision (ANPR events, ISAPI) | XML (`EventNotificationAlert`) alone, or in a multipart form with pictures |
//!
//! Written against the vendors' published field lists; no event of a real camera was at hand. Confidences are the vendors' own: calibrated by nobody.

use base64::Engine;
use bytes::Bytes;
use quick_xml::events::Event;
use serde::Serialize;
use serde_json::Value;

use super::multipart::{Part, Parts, boundary_of};
use crate::error::{Error, Fault, Result};
use crate::lane::frame::MAX_BYTES;
use crate::watchlist::entry::Jurisdiction;

/// The most characters of a plate that is taken for one.
const MOST_CHARACTERS: usize = 32;
/// The most elements inside one another; real events have six.
const MOST_DEPTH: usize = 32;
/// The most parts of a form, pictures and texts.
const MOST_PARTS: usize = 32;

/// One read made by a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeRead {
    /// As the camera writes it, without spaces around; not empty.
    pub text: String,
    /// How sure the camera is, 0..=1, by its own measure.
    pub confidence: Option<f32>,
    /// Who issued the plate, where the camera says so in a code that is known; else [`Jurisdiction::ANY`].
    pub jurisdiction: Jurisdiction,
    /// When, milliseconds since the Unix epoch; `None` where the camera states no time zone.
    pub captured_ms: Option<i64>,
    /// Which way the vehicle went, if known.
    pub direction: Option<Direction>,
    /// The widest picture that came with it.
    pub picture: Option<Picture>,
}

/// Which way a vehicle goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the camera.
    Approaching,
    /// Away from it.
    Leaving,
}

impl Direction {
    /// As it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Direction::Approaching => "approaching",
            Direction::Leaving => "leaving",
        }
    }
}

/// A picture that came with a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// How much of the scene it shows.
    pub view: View,
    /// The JPEG or PNG file, not decoded yet.
    pub bytes: Bytes,
}

/// How much of the scene a picture shows; the wider the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Not much more than the plate.
    Plate,
    /// The vehicle.
    Vehicle,
    /// Everything that the camera sees.
    Whole,
}

impl View {
    /// By what vendors call their pictures; something unknown is taken for the whole.
    fn of(name: &str) -> View {
        let name = name.to_ascii_lowercase();
        match () {
            () if name.contains("plate") => View::Plate,
            () if name.contains("vehicle") || name.contains("crop") => View::Vehicle,
            () => View::Whole,
        }
    }
}

impl EdgeRead {
    /// Reads an event as it was posted, with its Content-Type.
    ///
    /// # Errors
    /// `Damaged` for what is no event, `Unsupported` for an event that is no read or of a kind that is not known, `Limit` for what is too long.
    pub fn parse(content_type: &str, body: &[u8]) -> Result<EdgeRead> {
        let Some(boundary) = boundary_of(content_type) else { return of_text(body) };
        let mut parts = Parts::new(&boundary, usize::try_from(MAX_BYTES).unwrap_or(usize::MAX))?;
        parts.push(body);
        // The last boundary is there whether it came or not: some cameras leave it out.
        parts.push(format!("\r\n--{}--\r\n", boundary.trim_start_matches('-')).as_bytes());
        let (mut read, mut pictures, mut seen) = (None, Vec::new(), 0);
        while let Some(part) = parts.next_part()? {
            seen += 1;
            if seen > MOST_PARTS {
                return Err(Error::new(Fault::Limit, format!("more than {MOST_PARTS} parts in one event")));
            }
            match picture_of(&part) {
                Some(picture) => pictures.push(picture),
                None if read.is_none() && begins_a_text(&part.body) => read = Some(of_text(&part.body)?),
                None => {}
            }
        }
        let mut read: EdgeRead = read.ok_or_else(|| Error::new(Fault::Damaged, "no part of the form is an event (XML or JSON)"))?;
        read.picture = pictures.into_iter().chain(read.picture.take()).max_by_key(|picture| picture.view);
        Ok(read)
    }
}

fn of_text(body: &[u8]) -> Result<EdgeRead> {
    match body.trim_ascii_start().first() {
        Some(b'{') => axis(body),
        Some(b'<') => hikvision(body),
        // A byte order mark.
        Some(0xEF) if body.starts_with(b"\xEF\xBB\xBF") => of_text(&body[3..]),
        _ => Err(Error::new(Fault::Damaged, "is neither JSON nor XML: the events of Axis and Hikvision cameras are understood")),
    }
}

fn begins_a_text(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'<' | 0xEF))
}

fn picture_of(part: &Part) -> Option<Picture> {
    let is_picture = part.body.starts_with(&[0xFF, 0xD8]) || part.body.starts_with(b"\x89PNG");
    let name = part.disposition("filename").or_else(|| part.disposition("name")).unwrap_or_default();
    is_picture.then(|| Picture { view: View::of(&name), bytes: part.body.clone() })
}

fn axis(body: &[u8]) -> Result<EdgeRead> {
    let event: Value = serde_json::from_slice(body).map_err(|error| Error::new(Fault::Damaged, format!("is no JSON: {error}")))?;
    let text_of = |name: &str| match &event[name] {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let plate = ["plateUTF8", "plateText", "plateUnicode", "plateASCII"].into_iter().find_map(|name| text_of(name).filter(|text| !text.is_empty()));
    let Some(plate) = plate else {
        return Err(Error::new(Fault::Unsupported, "is no read of an Axis camera: it has neither plateUTF8 nor plateText"));
    };
    // Milliseconds since the Unix epoch; the older `datetime` is in the camera's own time unless a zone stands behind it.
    let captured_ms = text_of("capture_timestamp").and_then(|text| text.parse().ok()).filter(|ms: &i64| *ms > 0);
    let captured_ms = captured_ms.or_else(|| {
        let stated = text_of("datetime")?;
        jiff::Timestamp::strptime("%Y%m%d %H%M%S%3f %z", &stated).or_else(|_| stated.parse()).ok().map(jiff::Timestamp::as_millisecond)
    });
    let direction = match text_of("carMoveDirection").as_deref() {
        Some("in") => Some(Direction::Approaching),
        Some("out") => Some(Direction::Leaving),
        _ => None,
    };
    let pictures = event["ImageArray"].as_array().map_or(&[][..], Vec::as_slice).iter().take(MOST_PARTS).filter_map(|image| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(image["BinaryImage"].as_str()?.trim_ascii()).ok()?;
        Some(Picture { view: View::of(image["ImageType"].as_str().unwrap_or_default()), bytes: bytes.into() })
    });
    Ok(EdgeRead {
        text: plate_text(&plate)?,
        confidence: text_of("plateConfidence").as_deref().and_then(confidence),
        jurisdiction: jurisdiction(&text_of("plateCountry").unwrap_or_default()),
        captured_ms,
        direction,
        picture: pictures.max_by_key(|picture| picture.view),
    })
}

/// What is taken out of a Hikvision event; of each the first that is not empty.
#[derive(Default)]
struct Alert {
    event: String,
    plate: String,
    original: String,
    confidence: String,
    country: String,
    time: String,
    direction: String,
}

fn hikvision(body: &[u8]) -> Result<EdgeRead> {
    let damaged = |why: String| Error::new(Fault::Damaged, format!("is no sound XML: {why}"));
    let body = String::from_utf8_lossy(body);
    let mut reader = quick_xml::Reader::from_str(&body);
    let (mut alert, mut path, mut text) = (Alert::default(), Vec::<String>::new(), String::new());
    loop {
        let at = reader.buffer_position();
        match reader.read_event().map_err(|error| damaged(format!("byte {at}: {error}")))? {
            Event::Start(start) => {
                if path.len() >= MOST_DEPTH {
                    return Err(Error::new(Fault::Limit, format!("byte {at}: more than {MOST_DEPTH} elements inside one another")));
                }
                path.push(start.local_name().as_ref().to_owned());
                text.clear();
            }
            Event::Text(piece) => text.push_str(&piece),
            Event::CData(piece) => text.push_str(&piece),
            // The five that XML has, and characters by number. Others would have to be declared, and nothing is.
            Event::GeneralRef(name) => match (name.resolve_char_ref(), &name[..]) {
                (Ok(Some(character)), _) => text.push(character),
                (_, "lt") => text.push('<'),
                (_, "gt") => text.push('>'),
                (_, "amp") => text.push('&'),
                (_, "apos") => text.push('\''),
                (_, "quot") => text.push('"'),
                _ => return Err(damaged(format!("byte {at}: &{}; is not declared", &*name))),
            },
            Event::DocType(_) => return Err(Error::new(Fault::Unsupported, "declares a document type, which no camera does: refused")),
            Event::End(_) => {
                alert.take(&path, std::mem::take(&mut text).trim());
                path.pop();
            }
            Event::Eof if path.is_empty() => break,
            Event::Eof => return Err(damaged(format!("ends inside <{}>", path.join("><")))),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    let plate = if alert.plate.is_empty() { &alert.original } else { &alert.plate };
    // "unknown" is what these cameras write for a vehicle without a plate.
    if plate.is_empty() || plate.eq_ignore_ascii_case("unknown") || !(alert.event.is_empty() || alert.event.eq_ignore_ascii_case("ANPR")) {
        return Err(Error::new(Fault::Unsupported, format!("is no read of a Hikvision camera: event type {:?}, plate {plate:?}", alert.event)));
    }
    Ok(EdgeRead {
        text: plate_text(plate)?,
        confidence: confidence(&alert.confidence),
        jurisdiction: jurisdiction(&alert.country),
        captured_ms: alert.time.parse().ok().map(jiff::Timestamp::as_millisecond),
        direction: match alert.direction.as_str() {
            "forward" => Some(Direction::Approaching),
            "reverse" => Some(Direction::Leaving),
            _ => None,
        },
        picture: None,
    })
}

impl Alert {
    fn take(&mut self, path: &[String], text: &str) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let field = match path[..] {
            ["EventNotificationAlert", "eventType"] => &mut self.event,
            ["EventNotificationAlert", "dateTime"] => &mut self.time,
            ["EventNotificationAlert", "ANPR", "licensePlate"] => &mut self.plate,
            ["EventNotificationAlert", "ANPR", "originalLicensePlate"] => &mut self.original,
            ["EventNotificationAlert", "ANPR", "confidenceLevel"] => &mut self.confidence,
            ["EventNotificationAlert", "ANPR", "country"] => &mut self.country,
            ["EventNotificationAlert", "ANPR", "direction"] => &mut self.direction,
            _ => return,
        };
        if field.is_empty() {
            text.clone_into(field);
        }
    }
}

fn plate_text(text: &str) -> Result<String> {
    let text = text.trim();
    if text.chars().count() > MOST_CHARACTERS {
        return Err(Error::new(Fault::Limit, format!("a plate of more than {MOST_CHARACTERS} characters")));
    }
    if !text.chars().any(char::is_alphanumeric) || text.chars().any(char::is_control) {
        return Err(Error::new(Fault::Damaged, format!("{text:?} is no plate")));
    }
    Ok(text.to_owned())
}

/// Vendors write 0..=1 or per cent; what is above 1 is per cent.
fn confidence(text: &str) -> Option<f32> {
    let value: f32 = text.parse().ok()?;
    let value = if value > 1.0 { value / 100.0 } else { value };
    (0.0..=1.0).contains(&value).then_some(value)
}

/// ISO 3166 in two letters, in three for the neighbours, each with or without a subdivision.
fn jurisdiction(text: &str) -> Jurisdiction {
    let code = text.to_ascii_uppercase();
    let (country, subdivision) = code.split_at(code.find('-').unwrap_or(code.len()));
    let country = match country {
        "USA" => "US",
        "MEX" => "MX",
        "CAN" => "CA",
        "GTM" => "GT",
        other => other,
    };
    Jurisdiction::of(&format!("{country}{subdivision}")).unwrap_or(Jurisdiction::ANY)
}
