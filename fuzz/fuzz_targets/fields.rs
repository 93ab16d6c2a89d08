//! Any bytes are a request's header fields or an error: structured fields, digests, names; whichever is taken is what was written.
#![no_main]

use garita::service::fields::{CONTENT_DIGEST, Digests, IDEMPOTENCY_KEY, UPLOAD_COMPLETE, UPLOAD_OFFSET, boolean, digests, integer, name, sha256_field};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let of = |field: &'static str| {
        let mut headers = HeaderMap::new();
        for value in data.split(|&byte| byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok()) {
            headers.append(HeaderName::from_static(field), value);
        }
        headers
    };
    let _ = boolean(&of(UPLOAD_COMPLETE), UPLOAD_COMPLETE);
    if let Ok(Some(number)) = integer(&of(UPLOAD_OFFSET), UPLOAD_OFFSET) {
        assert!(number < 1_000_000_000_000_000);
    }
    if let Ok(Some(name)) = name(&of(IDEMPOTENCY_KEY)) {
        assert!((1..=255).contains(&name.len()));
    }
    if let Ok(Some(said)) = digests(&of(CONTENT_DIGEST), CONTENT_DIGEST) {
        assert!(said != Digests::default() && said.sha512.as_ref().is_none_or(|digest| digest.len() == 64));
        let _ = said.are_of(data);
        if let Some(digest) = said.sha256 {
            let again = HeaderMap::from_iter([(HeaderName::from_static(CONTENT_DIGEST), HeaderValue::from_str(&sha256_field(&digest)).expect("ASCII"))]);
            assert_eq!(digests(&again, CONTENT_DIGEST), Ok(Some(Digests { sha256: Some(digest), sha512: None })));
        }
    }
});
