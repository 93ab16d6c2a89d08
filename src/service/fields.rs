//! Header fields of frames and uploads: structured fields (RFC 9651) as resumable uploads (draft-ietf-httpbis-resumable-upload) and digests (RFC 9530) write them.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};

use super::problem::Problem;
use crate::custody::evidence::Sha;
use crate::error::{Error, Fault, Result};

/// Whether this request ends the upload.
pub const UPLOAD_COMPLETE: &str = "upload-complete";
/// Bytes that the receiver has.
pub const UPLOAD_OFFSET: &str = "upload-offset";
/// Bytes that there will be.
pub const UPLOAD_LENGTH: &str = "upload-length";
/// The digest of all of it.
pub const REPR_DIGEST: &str = "repr-digest";
/// The digest of one request's body.
pub const CONTENT_DIGEST: &str = "content-digest";
/// What the sender calls it.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The text of a field, if it is there.
///
/// # Errors
/// `Caller` where it is given twice or is not ASCII.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(wrong(name, "is given twice"));
    }
    value.to_str().map(|text| Some(text.trim())).map_err(|_| wrong(name, "is not ASCII"))
}

/// A Boolean, `?0` or `?1`.
///
/// # Errors
/// As [`text`], and `Caller` for anything else.
pub fn boolean(headers: &HeaderMap, name: &str) -> Result<Option<bool>> {
    match text(headers, name)? {
        None => Ok(None),
        Some("?0") => Ok(Some(false)),
        Some("?1") => Ok(Some(true)),
        Some(_) => Err(wrong(name, "it takes ?0 or ?1")),
    }
}

/// A number that is not negative, of at most 15 digits.
///
/// # Errors
/// As [`text`], and `Caller` for anything else.
pub fn integer(headers: &HeaderMap, name: &str) -> Result<Option<u64>> {
    let Some(text) = text(headers, name)? else { return Ok(None) };
    let digits = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.map(Some).ok_or_else(|| wrong(name, "it takes a whole number of at most 15 digits"))
}

/// Digests of the same bytes, as their sender says them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Noted")]
pub struct Digests {
    /// Their SHA-256.
    pub sha256: Option<Sha>,
    /// Their SHA-512, 64 bytes.
    pub sha512: Option<Vec<u8>>,
}

/// Digests in the note of an upload: one that was written before SHA-512 was known has the SHA-256 alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Noted {
    Sha256(Sha),
    Each { sha256: Option<Sha>, sha512: Option<Vec<u8>> },
}

impl From<Noted> for Digests {
    fn from(noted: Noted) -> Digests {
        match noted {
            Noted::Sha256(sha256) => Digests { sha256: Some(sha256), sha512: None },
            Noted::Each { sha256, sha512 } => Digests { sha256, sha512 },
        }
    }
}

impl Digests {
    /// Whether each of these is among those that were `found`.
    #[must_use]
    pub fn are(&self, found: &Digests) -> bool {
        (self.sha256.is_none() || self.sha256 == found.sha256) && (self.sha512.is_none() || self.sha512 == found.sha512)
    }

    /// Whether these are of `bytes`.
    #[must_use]
    pub fn are_of(&self, bytes: &[u8]) -> bool {
        let mut hasher = Hasher::of(self);
        hasher.take(bytes);
        self.are(&hasher.found())
    }

    /// These and `others`, said of the same bytes; `None` where they contradict each other.
    #[must_use]
    pub fn and(self, others: Digests) -> Option<Digests> {
        let sha256 = one_of(self.sha256, others.sha256)?;
        Some(Digests { sha256, sha512: one_of(self.sha512, others.sha512)? })
    }
}

/// The one of two that is there; `None` where they are different ones.
fn one_of<T: PartialEq>(one: Option<T>, other: Option<T>) -> Option<Option<T>> {
    match (one, other) {
        (Some(one), Some(other)) => (one == other).then_some(Some(one)),
        (one, other) => Some(one.or(other)),
    }
}

/// Takes digests of bytes that come piece by piece: those that are to be compared, and no other.
pub struct Hasher {
    sha256: Option<Sha256>,
    sha512: Option<Sha512>,
}

impl Hasher {
    /// For what `said` names.
    #[must_use]
    pub fn of(said: &Digests) -> Hasher {
        Hasher { sha256: said.sha256.map(|_| Sha256::new()), sha512: said.sha512.as_ref().map(|_| Sha512::new()) }
    }

    /// Takes in what came next.
    pub fn take(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.sha256 {
            hash.update(bytes);
        }
        if let Some(hash) = &mut self.sha512 {
            hash.update(bytes);
        }
    }

    /// The digests of all that came.
    #[must_use]
    pub fn found(self) -> Digests {
        Digests { sha256: self.sha256.map(|hash| hash.finalize().into()), sha512: self.sha512.map(|hash| hash.finalize().to_vec()) }
    }
}

/// The digests of a digest field, SHA-256 and SHA-512; `None` where there is no such field. Several lines of it are one dictionary, of what is named twice the last counts.
///
/// # Errors
/// `Caller` for what is no digest field, or one of other algorithms only: its sender would believe that flipped bits are found.
pub fn digests(headers: &HeaderMap, name: &str) -> Result<Option<Digests>> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str()).collect::<std::result::Result<Vec<_>, _>>();
    let lines = lines.map_err(|_| wrong(name, "is not ASCII"))?;
    if lines.is_empty() {
        return Ok(None);
    }
    let bad = || wrong(name, "is no digest: send sha-256=:BASE64: (RFC 9530)");
    let lines = lines.join(", ");
    let members = dictionary(&lines).ok_or_else(bad)?;
    let of = |algorithm: &str| members.iter().rev().find(|(named, _)| *named == algorithm).map(|(_, digest)| digest.clone());
    let sha256 = of("sha-256").map(|digest| digest.try_into().map_err(|_| bad())).transpose()?;
    let sha512 = of("sha-512");
    if sha512.as_ref().is_some_and(|digest| digest.len() != 64) {
        return Err(bad());
    }
    if sha256.is_none() && sha512.is_none() {
        return Err(wrong(name, "holds neither sha-256 nor sha-512, and nothing else is compared: send sha-256=:BASE64: (RFC 9530), alone or among others"));
    }
    Ok(Some(Digests { sha256, sha512 }))
}

/// As [`digests`]; a sender whose field is refused is told which digest to send.
pub(super) fn said(headers: &HeaderMap, name: &str) -> std::result::Result<Option<Digests>, Problem> {
    digests(headers, name).map_err(|error| Problem::from(error).field(&("want-content-digest", "sha-256=10")))
}

/// What a request says of a body that is all there is: of one, Content-Digest and Repr-Digest mean the same.
pub(super) fn said_of_whole(headers: &HeaderMap) -> std::result::Result<Option<Digests>, Problem> {
    let (content, whole) = (said(headers, CONTENT_DIGEST)?, said(headers, REPR_DIGEST)?);
    match (content, whole) {
        (Some(content), Some(whole)) => {
            let contradict =
                || Error::new(Fault::Damaged, "Content-Digest and Repr-Digest are not of the same bytes: one of them changed on the way; send it again");
            Ok(Some(content.and(whole).ok_or_else(contradict)?))
        }
        (content, whole) => Ok(content.or(whole)),
    }
}

/// Refuses a body that is all there is, and not what its sender says of it.
pub(super) fn hold(headers: &HeaderMap, body: &[u8]) -> std::result::Result<(), Problem> {
    match said_of_whole(headers)? {
        Some(said) if !said.are_of(body) => Err(not_as_said()),
        _ => Ok(()),
    }
}

/// What the sender of such a body is told.
pub(super) fn not_as_said() -> Problem {
    Error::new(Fault::Damaged, "the body is not what its digest speaks of: it changed on the way; send it again").into()
}

/// The members of a dictionary (RFC 9651) of byte sequences, as they come; what is said of them beside (`;x=1`) is passed over. `None` for any other text.
fn dictionary(text: &str) -> Option<Vec<(&str, Vec<u8>)>> {
    let mut rest = text.trim_matches([' ', '\t']);
    let mut members = Vec::new();
    while !rest.is_empty() {
        let (name, value) = key(rest)?;
        let (encoded, after) = value.strip_prefix("=:")?.split_once(':')?;
        members.push((name, STANDARD.decode(encoded).ok()?));
        rest = past_parameters(after)?.trim_start_matches([' ', '\t']);
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?.trim_start_matches([' ', '\t']);
            // Nothing may end with a comma.
            key(rest)?;
        }
    }
    Some(members)
}

/// A key, and what follows it.
fn key(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|one: char| !matches!(one, 'a'..='z' | '0'..='9' | '_' | '-' | '.' | '*')).unwrap_or(text.len());
    text.starts_with(|first: char| matches!(first, 'a'..='z' | '*')).then(|| text.split_at(end))
}

/// What follows the parameters that a text begins with, if any.
fn past_parameters(mut text: &str) -> Option<&str> {
    while let Some(parameter) = text.strip_prefix(';') {
        let (_, after) = key(parameter.trim_start_matches(' '))?;
        text = after.strip_prefix('=').map_or(Some(after), past_item)?;
    }
    Some(text)
}

/// What follows the value that a text begins with: a string, which may hold anything, or another one.
fn past_item(text: &str) -> Option<&str> {
    let Some(string) = text.strip_prefix('%').unwrap_or(text).strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        return (end > 0).then(|| &text[end..]);
    };
    let mut escaped = false;
    let end = string.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some(&string[end + 1..])
}

/// A digest as a digest field tells it.
pub fn sha256_field(digest: &Sha) -> String {
    format!("sha-256=:{}:", STANDARD.encode(digest))
}

/// What the sender calls what it sends: its Idempotency-Key, with or without quotation marks around it.
///
/// # Errors
/// As [`text`], and `Caller` for a name that is empty or longer than 255 characters.
pub fn name(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(text) = text(headers, IDEMPOTENCY_KEY)? else { return Ok(None) };
    let name = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if name.is_empty() || name.len() > 255 {
        return Err(wrong(IDEMPOTENCY_KEY, "it takes 1 to 255 characters"));
    }
    Ok(Some(name.to_owned()))
}

fn wrong(name: &str, message: &str) -> Error {
    Error::new(Fault::Caller, message).in_(name)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn headers(name: &'static str, values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        headers
    }

    #[test]
    fn what_the_standards_write() {
        let one = |value: &str| headers(UPLOAD_COMPLETE, &[value.as_bytes()]);
        assert_eq!(boolean(&one("?1"), UPLOAD_COMPLETE), Ok(Some(true)));
        assert_eq!(boolean(&one(" ?0 "), UPLOAD_COMPLETE), Ok(Some(false)));
        for wrong in ["1", "true", "?2", "", "?1;a=1"] {
            assert!(boolean(&one(wrong), UPLOAD_COMPLETE).is_err(), "{wrong}");
        }
        let one = |value: &str| headers(UPLOAD_OFFSET, &[value.as_bytes()]);
        assert_eq!(integer(&one("999999999999999"), UPLOAD_OFFSET), Ok(Some(999_999_999_999_999)));
        for wrong in ["-1", "+1", "1.0", "1e3", "9999999999999999", "", "0x10"] {
            assert!(integer(&one(wrong), UPLOAD_OFFSET).is_err(), "{wrong}");
        }
        assert!(integer(&headers(UPLOAD_OFFSET, &[b"1", b"2"]), UPLOAD_OFFSET).is_err());
    }

    /// The empty string's, as `printf '' | openssl dgst -sha256 -binary | base64` and the same with `-sha512` say them.
    const EMPTY_256: &str = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    const EMPTY_512: &str = "sha-512=:z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==:";

    fn of(lines: &[&str]) -> Result<Option<Digests>> {
        digests(&headers(REPR_DIGEST, &lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>()), REPR_DIGEST)
    }

    #[test]
    fn digests_are_read_as_the_standards_write_them() {
        let sha256 = crate::custody::evidence::sha256(b"");
        assert_eq!(sha256_field(&sha256), EMPTY_256);
        let sha512 = Sha512::digest(b"").to_vec();
        let (one, other) = (Digests { sha256: Some(sha256), sha512: None }, Digests { sha256: None, sha512: Some(sha512.clone()) });
        let both = Digests { sha256: Some(sha256), sha512: Some(sha512) };
        let md5 = "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:";
        let wrong = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
        for (lines, want) in [
            (vec![EMPTY_256.to_owned()], &one),
            (vec![format!(" {EMPTY_256}, {md5} ")], &one),
            (vec![format!("{md5}\t,{EMPTY_256}")], &one),
            (vec![EMPTY_512.to_owned()], &other),
            (vec![format!("{EMPTY_512},{EMPTY_256}")], &both),
            // Two lines are one dictionary, and of two members of one name the last counts.
            (vec![EMPTY_256.to_owned(), EMPTY_512.to_owned()], &both),
            (vec![md5.to_owned(), EMPTY_256.to_owned()], &one),
            (vec![wrong.to_owned(), EMPTY_256.to_owned()], &one),
            (vec![format!("sha-256=:AAAA:, {EMPTY_256}")], &one),
            // Nobody here knows what is said of a digest beside it.
            (vec![format!("{EMPTY_256};x=1")], &one),
            (vec![format!("{EMPTY_256};x; y=?1;z=:AAAA:, {md5};a=\"b,\\\";c\";d=1.5, {EMPTY_512};e=%\"f, g\"")], &both),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(of(&lines), Ok(Some(want.clone())), "{lines:?}");
        }
        assert_eq!(of(&[]), Ok(None));
        // Of the standard too, but never compared here: taken in silence it would look as if it were.
        for other in [md5, "md5=:AAAA:, sha=:AAAA:", "sha-257=:AAAA:", "", " "] {
            let refused = of(&[other]).expect_err(other);
            assert!(refused.fault == Fault::Caller && refused.message.contains("send sha-256=:BASE64:"), "{other}: {refused}");
        }
        for wrong in ["sha-256", "sha-256=", "sha-256=::", "sha-256=:AAAA:", "sha-512=:AAAA:", "sha-256=:%%%%:", ",", "sha-256=47DEQpj8HBSa", "SHA-256=:AAAA:"]
        {
            assert!(of(&[wrong]).is_err(), "{wrong}");
        }
        for end in [",", ", ,", ";", ";=1", ";x=", ";x=\"", " x", ", sha-512"] {
            assert!(of(&[&format!("{EMPTY_256}{end}")]).is_err(), "{end}");
        }
    }

    #[test]
    fn digests_say_what_they_are_of() {
        let (one, both) = (of(&[EMPTY_256]).unwrap().unwrap(), of(&[EMPTY_256, EMPTY_512]).unwrap().unwrap());
        assert!(one.are_of(b"") && both.are_of(b"") && Digests::default().are_of(b"anything"));
        assert!(!one.are_of(b"x") && !both.are_of(b"x"));
        // Where both are said both must be right.
        let half = Digests { sha512: Some(vec![0; 64]), ..one.clone() };
        assert!(!half.are_of(b""));
        assert_eq!((one.clone().and(both.clone()), one.clone().and(Digests::default())), (Some(both.clone()), Some(one.clone())));
        assert_eq!(half.and(both.clone()), None);
        // An upload's note, of now and of before SHA-512 was known.
        for said in [&one, &both] {
            assert_eq!(serde_json::from_str::<Digests>(&serde_json::to_string(said).unwrap()).unwrap(), *said);
        }
        assert_eq!(serde_json::from_str::<Digests>(&serde_json::to_string(&one.sha256.unwrap()).unwrap()).unwrap(), one);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_an_error(value in prop::collection::vec(any::<u8>(), 0..200), second in prop::collection::vec(any::<u8>(), 0..50)) {
            let headers = headers(REPR_DIGEST, &[&value, &second]);
            let _ = (text(&headers, REPR_DIGEST), boolean(&headers, REPR_DIGEST), integer(&headers, REPR_DIGEST), digests(&headers, REPR_DIGEST));
        }

        #[test]
        fn nearly_a_digest_is_a_value_or_an_error(text in "(sha-(256|512)=:[A-Za-z0-9+/]{0,8}=?:|;[a-z]=?|\"|\\\\|%|,| |[a-z*]=){0,12}") {
            if let Ok(Some(found)) = of(&[&text]) {
                prop_assert!(found.sha512.is_none_or(|digest| digest.len() == 64));
            }
        }

        #[test]
        fn digests_and_numbers_come_back(digest in any::<[u8; 32]>(), long in prop::collection::vec(any::<u8>(), 64), number in 0u64..1_000_000_000_000_000) {
            let lines = [sha256_field(&digest), format!("sha-512=:{}:;a=\"b\"", STANDARD.encode(&long))];
            prop_assert_eq!(of(&[&lines[0], &lines[1]]), Ok(Some(Digests { sha256: Some(digest), sha512: Some(long) })));
            prop_assert_eq!(integer(&headers(UPLOAD_OFFSET, &[number.to_string().as_bytes()]), UPLOAD_OFFSET), Ok(Some(number)));
        }

        #[test]
        fn pieces_have_the_digests_of_the_whole(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..5)) {
            let said = Digests { sha256: Some(crate::custody::evidence::sha256(&pieces.concat())), sha512: Some(Sha512::digest(pieces.concat()).to_vec()) };
            let mut hasher = Hasher::of(&said);
            pieces.iter().for_each(|piece| hasher.take(piece));
            prop_assert_eq!(hasher.found(), said);
        }
    }
}
