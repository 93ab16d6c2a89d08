//! Any bytes as a lane frame: an error or pixels of the declared size, never a panic.
#![no_main]

use garita::lane::frame::{Luma, MAX_PIXELS};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut luma = Luma::default();
    if luma.decode(bytes).is_ok() {
        assert!(luma.pixels.len() == luma.width * luma.height && luma.pixels.len() <= MAX_PIXELS);
    }
});
