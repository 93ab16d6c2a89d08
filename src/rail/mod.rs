//! A train's gamma scan, from raw columns to findings: Scan → calibrated car → findings.
//!
//! In reading order: [`scan`] (the container: bytes in, counts out), [`attenuation`] and [`calibrate`] (counts to transmission and steel), [`segment`]
//! (cars), [`identity`] and [`consist`] (which car is which), [`car`] (one car in physical units).

pub mod attenuation;
pub mod calibrate;
pub mod car;
pub mod consist;
pub mod identity;
pub mod scan;
pub mod segment;
pub mod shape;
