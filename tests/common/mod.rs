//! What several test files need: testdata, the engine, and a loud skip.

use std::path::PathBuf;

use garita::bytes::Bytes;
use garita::eval::manifest::{self, Sample};
use garita::infer::Engine;
use garita::models::{Models, Precision};
use garita::pipeline::LaneWorker;

/// The repository's `testdata/`.
pub(crate) fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// The engine; `cargo tests` provisions what it loads.
pub(crate) fn engine() -> Engine {
    Engine::load().unwrap_or_else(|error| panic!("{error}"))
}

/// A worker with the shipped weights.
pub(crate) fn worker() -> LaneWorker {
    LaneWorker::open(&engine(), &Models::embedded(Precision::of_this_machine())).unwrap_or_else(|error| panic!("{error}"))
}

/// The samples of `testdata/lane`.
pub(crate) fn lane_samples() -> Vec<Sample> {
    manifest::read(&testdata().join("lane/manifest.jsonl"), None).unwrap_or_else(|error| panic!("{error}"))
}

/// A sample's file.
pub(crate) fn encoded(sample: &Sample) -> Bytes {
    Bytes::map(&sample.path).unwrap_or_else(|error| panic!("{error}"))
}
