//! `cargo +nightly fuzz run watchlist_index`: any bytes as an index file, searched in every way.
#![no_main]

#[path = "../bodies/watchlist.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::index(bytes));
