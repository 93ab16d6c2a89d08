//! Frames as a lane camera sends them, rendered, for what reads many of them.

use std::path::{Path, PathBuf};

use garita::synth::lane::{Conditions, Kind, Options, generate};

/// `count` different 1080p frames of about 400 KB, in `folder`; each takes half a second.
pub(crate) fn scenes(folder: &Path, count: usize) -> Vec<PathBuf> {
    let out = folder.to_owned();
    let options = Options { seed: 6, count, kind: Kind::Single, width: 1920, height: 1080, conditions: Some(Conditions::Day), out, append: false, sheet: None };
    generate(&options, &mut |_, _| {}).expect("it renders");
    (0..count).map(|index| folder.join(format!("img/single-{index:04}.jpg"))).collect()
}
