//! **garita** looks at what crosses a border: it reads licence plates in lanes and gamma scans of trains, matches both against
//! watchlists inside latency budgets, and puts every hit before an operator with the evidence. Nothing in it acts on a hit.
//!
//! # Floor plan, in reading order
//!
//! | module | is |
//! |---|---|
//! | [`error`], [`bytes`], [`infer`], [`posterior`] | the foundation: whose fault, whose bytes, how long, which network, what was seen |
//! | [`draw_rail`] | pictures of cars |
//! | [`rail`] | a train's gamma scan: Scan → calibrated car → findings |
//! | [`eval`] | accuracy, calibration and speed on labelled data |
//! | [`synth`] | what is rendered rather than recorded: testdata, training data, load |
//!
//! # Invariants
//!
//! - Only `infer` names `ort`; only `bytes` is unsafe.

pub mod bytes;
pub mod draw_rail;
pub mod error;
pub mod eval;
pub mod infer;
pub mod posterior;
pub mod rail;
pub mod synth;
