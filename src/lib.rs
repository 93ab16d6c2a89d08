//! **garita** looks at what crosses a border: it reads licence plates in lanes and gamma scans of trains, matches both against
//! watchlists inside latency budgets, and puts every hit before an operator with the evidence. Nothing in it acts on a hit.
//!
//! # Floor plan, in reading order
//!
//! | module | is |
//! |---|---|
//! | [`error`], [`bytes`], [`posterior`] | the foundation: whose fault, whose bytes, what was seen |
//! | [`models`], [`infer`] | the weights, and the engine that runs them |
//! | [`lane`] | one camera's line: frame → plate box → read → passage → hit |
//! | [`rail`] | a train's gamma scan: Scan → calibrated car → findings |
//! | [`watchlist`] | who is sought; immutable, mapped |
//! | [`pipeline`], [`budget`] | every thread and channel, and how long each stage may take |
//! | [`eval`], [`draw`] | accuracy, calibration and speed on a manifest; annotated pictures |
//! | [`synth`] | rendered inputs with exact truth |
//!
//! # Invariants
//!
//! - Only `infer` names `ort`; only `bytes` is unsafe.
//! - Only `pipeline` spawns analysis threads or names an analysis channel.
//! - Nothing in `lane` reads a clock or writes a file: time arrives with the frame, results leave as values.

pub mod budget;
pub mod bytes;
pub mod draw;
pub mod error;
pub mod eval;
pub mod infer;
pub mod lane;
pub mod models;
pub mod pipeline;
pub mod posterior;
pub mod rail;
pub mod synth;
pub mod watchlist;
