//! What is rendered rather than recorded: the source of `testdata`, of training data and of load. Nothing outside `eval`, the tests
//! and `garita synth` may depend on it: a detector that knew how its examples were drawn would prove nothing.

pub mod rail;
