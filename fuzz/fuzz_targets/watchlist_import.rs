//! `cargo +nightly fuzz run watchlist_import testdata/watchlist/import`: any bytes as a list's file, in every layout.
#![no_main]

#[path = "../bodies/watchlist.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::import(bytes));
