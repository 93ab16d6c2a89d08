//! Accuracy, calibration and speed on labelled photographs and scans.

pub mod rail;
