//! Any bytes are a consist or an error.
#![no_main]

use garita::rail::consist::Consist;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Consist::parse(data);
});
