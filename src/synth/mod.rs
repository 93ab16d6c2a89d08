//! What is made up: the source of `testdata` and of load.

pub mod watchlist;
