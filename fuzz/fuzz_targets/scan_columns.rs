//! Any bytes behind a sound first line are columns of a train that passes: as many as are whole, each of which can be read.
#![no_main]

use std::io::Write;

use garita::rail::scan::Scan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::Builder::new().suffix(".stream").tempfile().expect("a file");
    file.write_all(b"{\"schema\":\"rail-scan/1\",\"detectors\":5}\n").and_then(|()| file.write_all(data)).expect("writes");
    let Ok(scan) = Scan::open(file.path()) else { return };
    assert!(scan.columns() <= data.len() / 42);
    for column in 0..scan.columns() {
        let _ = (scan.counts(column..column + 1), scan.column(column));
    }
});
