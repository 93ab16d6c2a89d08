//! **garita** looks at what crosses a border: it reads licence plates in lanes and gamma scans of trains, matches both against
//! watchlists inside latency budgets, and puts every hit before an operator with the evidence. Nothing in it acts on a hit.
//!
//! # Floor plan, in reading order
//!
//! | module | is |
//! |---|---|
//! | [`error`], [`bytes`], [`posterior`] | the foundation: whose fault, whose bytes, what was seen |
//! | [`site`] | what crosses here, as configured |
//! | [`models`], [`infer`] | the weights, and the engine that runs them |
//! | [`lane`] | one camera's line: frame → plate box → read → passage → hit |
//! | [`rail`] | one portal's line: scan → calibration → cars → findings |
//! | [`watchlist`] | who is sought; immutable, mapped |
//! | [`pipeline`], [`budget`] | every thread and channel, and how long each stage may take |
//! | [`eval`], [`draw`] | accuracy, calibration and speed on labelled data; pictures of frames and of cars |
//! | [`audit`] | who did what, so that nobody can change it unseen |
//! | [`custody`] | what must never be lost: frames, reads, passages, hits, scans |
//! | [`masking`] | plates and faces, obscured |
//! | [`people`] | who works here: roles, passwords, second factors, sessions |
//! | [`review`] | what people make of hits: cases, claims, dispositions; their page |
//! | [`service`] | the doors (HTTP), and the only async room |
//! | [`synth`] | rendered inputs with exact truth |
//!
//! # Invariants
//!
//! - Only `infer` names `ort`; only `bytes` is unsafe; only `site` reads configuration.
//! - `lane` and `rail` never import each other.
//! - Only `pipeline` spawns analysis threads or names an analysis channel.
//! - Async lives in `service` alone; two things are shared: the watchlists' snapshots and the store's queue.
//! - Nothing in `lane` or `rail` reads a clock or writes a file: time arrives with the frame, results leave as values.

pub mod audit;
pub mod budget;
pub mod bytes;
pub mod custody;
pub mod draw;
pub mod error;
pub mod eval;
pub mod infer;
pub mod lane;
pub mod masking;
pub mod models;
pub mod people;
pub mod pipeline;
pub mod posterior;
pub mod rail;
pub mod review;
pub mod service;
pub mod site;
pub mod synth;
pub mod watchlist;
