//! A train's gamma scan, from raw columns to findings: Scan → calibrated car → findings.
//!
//! In reading order: [`scan`] (the container: bytes in, counts out).

pub mod scan;
