//! A train's gamma scan, from raw columns to findings: Scan → calibrated car → findings.
//!
//! In reading order: [`scan`] (the container: bytes in, counts out).

pub mod attenuation;
pub mod calibrate;
pub mod scan;
pub mod segment;
