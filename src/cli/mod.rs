//! One file per subcommand: its arguments (`Args`) and `run`, which answers the exit code.

pub(crate) mod calibrate;
pub(crate) mod eval;
pub(crate) mod inspect;
pub(crate) mod synth;
