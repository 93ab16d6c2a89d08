//! Header fields of frames and uploads: structured fields (RFC 9651) as resumable uploads (draft-ietf-httpbis-resumable-upload) and digests (RFC 9530) write them.

use axum::http::HeaderMap;
use base64::Engine;

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

/// The SHA-256 of a digest field; `None` where there is no such field.
///
/// # Errors
/// As [`text`], and `Caller` for what is no digest field, or one of other algorithms only: its sender would believe that flipped bits are found.
pub fn sha256(headers: &HeaderMap, name: &str) -> Result<Option<Sha>> {
    let Some(text) = text(headers, name)? else { return Ok(None) };
    let bad = || wrong(name, "is no digest: send sha-256=:BASE64: (RFC 9530)");
    let mut found: Option<Sha> = None;
    for member in text.split(',') {
        let (algorithm, value) = member.trim().split_once('=').ok_or_else(bad)?;
        let encoded = value.strip_prefix(':').and_then(|value| value.strip_suffix(':')).ok_or_else(bad)?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).map_err(|_| bad())?;
        if algorithm == "sha-256" {
            found = Some(bytes.try_into().map_err(|_| bad())?);
        }
    }
    found.map(Some).ok_or_else(|| wrong(name, "holds no sha-256, and nothing else is compared: send sha-256=:BASE64: (RFC 9530), alone or among others"))
}

/// A digest as a digest field tells it.
pub fn sha256_field(digest: &Sha) -> String {
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(digest))
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
        // The empty string's, as `printf '' | openssl dgst -sha256 -binary | base64` says it.
        let empty = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        let digest = crate::custody::evidence::sha256(b"");
        assert_eq!(sha256_field(&digest), empty);
        for text in [empty.to_owned(), format!("{empty}, md5=:1B2M2Y8AsgTpgAmY7PhCfg==:"), format!("md5=:1B2M2Y8AsgTpgAmY7PhCfg==:,{empty}")] {
            assert_eq!(sha256(&headers(REPR_DIGEST, &[text.as_bytes()]), REPR_DIGEST), Ok(Some(digest)), "{text}");
        }
        assert_eq!(sha256(&HeaderMap::new(), REPR_DIGEST), Ok(None));
        // Of the standard too, but never compared here: taken in silence it would look as if it were.
        for other in ["sha-512=:AAAA:", "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", "sha-512=:AAAA:, md5=:AAAA:", "sha-257=:AAAA:"] {
            let refused = sha256(&headers(REPR_DIGEST, &[other.as_bytes()]), REPR_DIGEST).expect_err(other);
            assert!(refused.fault == Fault::Caller && refused.message.contains("send sha-256=:BASE64:"), "{other}: {refused}");
        }
        for wrong in ["sha-256", "sha-256=", "sha-256=::", "sha-256=:AAAA:", "sha-256=:%%%%:", ",", "sha-256=47DEQpj8HBSa"] {
            assert!(sha256(&headers(REPR_DIGEST, &[wrong.as_bytes()]), REPR_DIGEST).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_an_error(value in prop::collection::vec(any::<u8>(), 0..200)) {
            let headers = headers(REPR_DIGEST, &[&value]);
            let _ = (text(&headers, REPR_DIGEST), boolean(&headers, REPR_DIGEST), integer(&headers, REPR_DIGEST), sha256(&headers, REPR_DIGEST));
        }

        #[test]
        fn digests_and_numbers_come_back(digest in any::<[u8; 32]>(), number in 0u64..1_000_000_000_000_000) {
            prop_assert_eq!(sha256(&headers(REPR_DIGEST, &[sha256_field(&digest).as_bytes()]), REPR_DIGEST), Ok(Some(digest)));
            prop_assert_eq!(integer(&headers(UPLOAD_OFFSET, &[number.to_string().as_bytes()]), UPLOAD_OFFSET), Ok(Some(number)));
        }
    }
}
