//! Accuracy, calibration and speed on labelled photographs and scans.

pub mod manifest;
pub mod passages;
pub mod plates;
pub mod rail;
pub mod sheet;
pub mod statistics;
