//! Rendered inputs with exact truth, and made-up lists and reads: the source of `testdata/`, and of load. Deterministic by seed.

pub mod lane;
pub mod watchlist;
