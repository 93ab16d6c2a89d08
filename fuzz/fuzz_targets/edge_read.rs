//! Any bytes are a camera's read or an error, alone and in a form.
#![no_main]

use garita::service::edge::EdgeRead;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for kind in ["application/json", "multipart/form-data; boundary=b"] {
        if let Ok(read) = EdgeRead::parse(kind, data) {
            assert!(!read.text.is_empty() && read.confidence.is_none_or(|confidence| (0.0..=1.0).contains(&confidence)));
        }
    }
});
