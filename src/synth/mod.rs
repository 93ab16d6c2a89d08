//! Rendered inputs with exact truth: the source of `testdata/`, and of load. Everything here is deterministic by its seed.

pub mod lane;
//! What is made up: the source of `testdata` and of load.

pub mod watchlist;
