//! Any bytes are the beginning of a stream of columns or an error; so they are a manifest.
#![no_main]

use garita::rail::scan::stream::Head;
use garita::rail::waybill::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Head::parse(data);
    let _ = Manifest::parse(data);
});
