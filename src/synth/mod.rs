//! What is rendered rather than recorded, with exact truth, and made-up lists and reads: the source of `testdata/`, of training data and of load.
//! Deterministic by seed. Nothing outside `eval`, the tests and `garita synth` may depend on it: a detector that knew how its examples were
//! drawn would prove nothing.

pub mod lane;
pub mod rail;
pub mod watchlist;
