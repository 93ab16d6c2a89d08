//! Gamma scans of trains, rendered: what makes `testdata/rail`, the training data of `models/rail.onnx`, and load.
//!
//! Goal: counts with the right physics and pictures that a customs officer takes for a gamma radiograph; every finding's truth known,
//! with what an ideal observer could have seen of it. In reading order: [`attenuation`] (what weakens the beam), [`geometry`] (chords),
//! [`cars`], [`loads`], [`anomalies`], [`detector`] (counts), [`motion`], [`train`], [`testcar`].
//!
//! Assumptions: point source, exact chords, Poisson quanta. Not in it: tilted goods, a neighbour track, a boom that sways.
//! Caveat: detection rates on what is drawn here say nothing about real cargo, which is far more varied; they are for comparing and for physics.

pub mod anomalies;
pub mod attenuation;
pub mod cars;
pub mod detector;
pub mod dice;
pub mod geometry;
pub mod loads;
pub mod motion;
pub mod testcar;
pub mod train;
mod write;

pub use train::{Options, Train, Truth};
pub use write::{Consist, ConsistCar, write};
