//! What there is to look at where nobody has a site yet: the pictures, the list and the train of `testdata/`, which the executable holds too.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use crate::error::{Error, Fault, Result};

static LANE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/testdata/lane");
static RAIL: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/testdata/rail");

/// Where they are in the repository.
const IN_THE_REPOSITORY: &str = "testdata";
/// Where an executable elsewhere writes them, so that the example's paths hold: its data lie in `garita-demo/out/site`.
const ELSEWHERE: &str = "garita-demo/testdata";

/// The folder with `lane/`, `rail/` and `site/`: `testdata/` of the working directory, else `garita-demo/testdata/` there, written from the executable.
///
/// # Errors
/// `Machine` where they cannot be written.
pub fn inputs() -> Result<PathBuf> {
    let folder = place();
    if folder == Path::new(ELSEWHERE) { unpack(folder) } else { Ok(folder.to_owned()) }
}

/// Where [`inputs`] are, or will be.
pub fn place() -> &'static Path {
    let here = Path::new(IN_THE_REPOSITORY);
    if here.join("lane").is_dir() && here.join("site").is_dir() { here } else { Path::new(ELSEWHERE) }
}

fn unpack(folder: &Path) -> Result<PathBuf> {
    let write = |dir: &Dir<'_>, name: &str| {
        let to = folder.join(name);
        std::fs::create_dir_all(&to)?;
        dir.extract(&to)
    };
    let written = write(&LANE, "lane").and_then(|()| write(&RAIL, "rail")).and_then(|()| std::fs::create_dir_all(folder.join("site")));
    written.map(|()| folder.to_owned()).map_err(|error| {
        let message = format!(
            "the demo's pictures cannot be written here: {error}; go to a folder that can be written to, or give a site file (`garita config example`)"
        );
        Error::new(Fault::Machine, message).in_(folder.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executable_elsewhere_writes_what_the_repository_has() {
        let folder = tempfile::tempdir().unwrap();
        // Twice: whoever starts again finds them, and one that was cut off is written anew.
        for _ in 0..2 {
            let inputs = unpack(&folder.path().join("garita-demo/testdata")).unwrap();
            for file in ["lane/manifest.jsonl", "lane/watchlist.csv", "lane/img/single-0000.jpg", "rail/G-3.tif", "rail/earlier/G-3-e.tif"] {
                let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(file);
                assert_eq!(std::fs::read(inputs.join(file)).unwrap(), std::fs::read(ours).unwrap(), "{file}");
            }
            std::fs::write(inputs.join("lane/watchlist.csv"), "cut").unwrap();
        }
    }
}
