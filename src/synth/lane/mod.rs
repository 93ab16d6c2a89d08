//! Lane scenes, rendered: what a lane camera would send, with the exact truth about every plate in it.
//!
//! Goal: pictures that nobody photographed and everybody may have, as `testdata/lane`, as load, and as an independent test of tiled
//! reading of wide views and of voting over frames; never as proof that real plates are read. Everything is drawn here: shapes, lettering
//! ([`strokes`]), plates ([`plate`]), vehicles ([`body`], [`face`]), road and sky ([`ground`]), furniture ([`scenery`]), light and lens ([`light`], [`sensor`]).
//!
//! Assumptions: a pinhole camera over a flat road; vehicles are rigid and drive along the lane; one shutter, no rolling.
//! Caveats: simpler than life wherever a module says so. Corners are those of the metal, mid-exposure; a plate that another vehicle would
//! cover in part is not drawn, nor is one that reaches beyond the picture.
//!
//! Deterministic: a seed gives the same bytes on one kind of machine; the last bit of a sine may differ on another.

mod body;
mod camera;
mod canvas;
mod designs;
mod designs_mexico;
mod dice;
mod face;
mod ground;
mod light;
mod plate;
mod raster;
mod scene;
mod scenery;
mod sensor;
mod serial;
mod set;
mod stage;
pub(crate) mod strokes;
mod vehicle;

pub use light::Conditions;
pub use set::{Kind, Options, Summary, generate};
