//! A train's gamma scan, from raw columns to findings: Scan → calibrated car → findings.
//!
//! In reading order: [`scan`] (the container: bytes in, counts out), [`attenuation`] and [`calibrate`] (counts to transmission and steel), [`segment`]
//! (cars), [`identity`] and [`consist`] (which car is which), [`car`] (one car in physical units), [`shape`] (outline and kind), then the detectors
//! [`residual`], [`anomaly`] (a network, over what [`expect`] leaves unexplained), [`structure`], [`opaque`], [`earlier`], [`manifest`] over [`blobs`], judged against normal cars by [`thresholds`] and put together by
//! [`inspect`]; [`image_quality`] says how well the portal sees today. [`waybill`] is what shippers declare, [`sought`] who of the train is on a watchlist.
//!
//! Nothing here reads a clock or writes a file, and nothing is kept between cars but the calibration: a car of 1,700 columns takes some 6 MB while it is looked at.

pub mod anomaly;
pub mod attenuation;
pub mod blobs;
pub mod calibrate;
pub mod car;
pub mod consist;
pub mod earlier;
pub mod empty;
pub mod expect;
pub mod finding;
pub mod identity;
pub mod image_quality;
pub mod inspect;
pub mod manifest;
pub mod opaque;
pub mod pixels;
pub mod residual;
pub mod scan;
pub mod segment;
pub mod session;
pub mod shape;
pub mod sought;
pub mod structure;
pub mod thresholds;
pub mod waybill;
