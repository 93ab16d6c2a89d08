//! Any bytes are a scan or an error, whole or cut off, and all of a scan's columns can be read.
#![no_main]

use garita::bytes::Bytes;
use garita::rail::scan::{Scan, tiff};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::from(data.to_vec());
    for scan in [Scan::parse(bytes.clone()), tiff::parse_partial(bytes)].into_iter().flatten() {
        for plane in 0..scan.planes() {
            let _ = scan.plane(plane, 0..scan.columns());
        }
        let _ = scan.column(0);
    }
});
