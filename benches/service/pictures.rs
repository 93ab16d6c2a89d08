//! What the cameras of the bench see: rendered frames, each with a plate that is read, one in a hundred of them on the list.

use garita::infer::Engine;
use garita::lane::detect::View;
use garita::models::{Models, Precision};
use garita::pipeline::LaneWorker;
use garita::synth::lane::{self, Kind, Options};

/// The scenes' seed, of no set that anything was trained or tuned on.
const SEED: u64 = 6_001;
/// Scenes rendered; those without a read are left out.
const SCENES: usize = 130;
/// Frames used: one of them is sought.
const FRAMES: usize = 100;

/// The frames, and the text of the one that is sought.
pub(crate) struct Frames {
    pub(crate) frames: Vec<Vec<u8>>,
    /// As the reader reads it, so that each time it comes is a hit.
    pub(crate) sought: String,
    /// Its index.
    pub(crate) at: usize,
    /// Frames in a row of the same vehicle.
    pub(crate) held: u64,
}

impl Frames {
    /// Renders them and looks for the surest read.
    pub(crate) fn render() -> Frames {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options {
            seed: SEED,
            count: SCENES,
            kind: Kind::Single,
            width: 1280,
            height: 720,
            conditions: None,
            out: folder.path().to_owned(),
            sheet: None,
            append: false,
        };
        lane::generate(&options, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error}"));
        let engine = Engine::load().unwrap_or_else(|error| panic!("{error}"));
        let mut worker = LaneWorker::open(&engine, &Models::embedded(Precision::of_this_machine())).unwrap_or_else(|error| panic!("{error}"));
        let (mut reads, mut frames, mut surest) = (Vec::new(), Vec::new(), (0.0, String::new(), 0));
        for number in 0..SCENES {
            let bytes = std::fs::read(folder.path().join(format!("img/single-{number:04}.jpg"))).expect("rendered");
            worker.analyse(&bytes, View::Whole, &mut reads).unwrap_or_else(|error| panic!("{error}"));
            let Some(read) = reads.iter().filter(|read| read.text.len() >= 6).max_by(|a, b| a.confidence.total_cmp(&b.confidence)) else { continue };
            if frames.len() < FRAMES {
                if read.confidence > surest.0 {
                    surest = (read.confidence, read.text.to_string(), frames.len());
                }
                frames.push(bytes);
            }
        }
        assert_eq!(frames.len(), FRAMES, "too few scenes with a plate that is read");
        Frames { frames, sought: surest.1, at: surest.2, held: 1 }
    }

    /// Which picture frame `number` of a lane shows. Lanes begin at different ones.
    pub(crate) fn picture(&self, lane: usize, number: u64, lanes: usize) -> usize {
        ((number / self.held) as usize + lane * self.frames.len() / lanes) % self.frames.len()
    }

    /// What they are, for the table.
    pub(crate) fn told(&self) -> String {
        let bytes: usize = self.frames.iter().map(Vec::len).sum();
        format!("{} rendered, 1280x720, {} KB on average, {} sought", self.frames.len(), bytes / self.frames.len() / 1_000, self.sought)
    }
}
