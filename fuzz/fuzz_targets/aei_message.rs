//! Any text is a tag read or an error.
#![no_main]

use garita::rail::identity::{ReportingMark, container, is_uic, tag_read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = (tag_read(text), ReportingMark::parse(text), container(text), is_uic(text));
});
