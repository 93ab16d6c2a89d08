//! One file per subcommand: its arguments (`Args`) and `run`, which answers the exit code.

pub(crate) mod synth;
