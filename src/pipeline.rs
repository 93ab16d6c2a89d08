//! The wiring: every analysis thread and every analysis channel of the program.
//!
//! Three shapes. [`ordered`] fans jobs out to workers and hands the answers back in the order of the jobs, nothing dropped, for files and scans that
//! wait. [`portals::Portals`] takes a site's scans, which wait in the store, one after the other. [`lanes::Lanes`] is for cameras that do not wait.
//!
//! A [`LaneWorker`] owns its sessions and buffers; in the steady state it allocates nothing outside the JPEG decoder. Shutdown is the data ending: dropping the
//! submitting side ends the workers, which ends who settles what they say, which ends the events.

pub mod lanes;
pub mod portals;

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use crate::error::{Error, Fault, Result};
use crate::infer::Engine;
use crate::lane::detect::{AFAR, Detector, MAX_PLATES, PlateBox, View};
use crate::lane::frame::Luma;
use crate::lane::read::{PlateRead, Reader};
use crate::lane::refine::Refiner;
use crate::models::Models;

/// How long the stages of one frame took, wall time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FrameTimes {
    /// Bytes to luma.
    pub decode: Duration,
    /// Luma to what may be plates.
    pub detect: Duration,
    /// A close look at all of these.
    pub refine: Duration,
    /// All plates straightened.
    pub rectify: Duration,
    /// All plates read, the unsure ones carefully.
    pub read: Duration,
    /// All reads to passages; told by [`lanes::Lanes`] alone, as the next.
    pub passage: Duration,
    /// All reads against the watchlists.
    pub matching: Duration,
}

impl FrameTimes {
    /// From bytes to hit.
    pub fn frame(&self) -> Duration {
        self.decode + self.detect + self.refine + self.rectify + self.read + self.passage + self.matching
    }
}

/// One worker's sessions and buffers: everything that turns a frame's bytes into reads.
pub struct LaneWorker {
    /// The frame decoded last.
    pub luma: Luma,
    detector: Detector,
    /// The refiner, for callers that bring their own plate boxes.
    pub refiner: Refiner,
    /// The reader, for callers that bring their own plate boxes.
    pub reader: Reader,
    plates: Vec<PlateBox>,
}

impl LaneWorker {
    /// Loads the networks for one worker that looks at whole frames; at tiles too, but with the same network.
    ///
    /// # Errors
    /// `Model` where one does not load.
    pub fn open(engine: &Engine, models: &Models) -> Result<LaneWorker> {
        LaneWorker::open_for(engine, models, View::Whole)
    }

    /// Loads the networks for one worker that looks at frames by `view`.
    ///
    /// # Errors
    /// `Model` where one does not load.
    pub fn open_for(engine: &Engine, models: &Models, view: View) -> Result<LaneWorker> {
        Ok(LaneWorker {
            luma: Luma::default(),
            detector: Detector::open(engine, models, view)?,
            refiner: Refiner::open(engine, models)?,
            reader: Reader::open(engine, models)?,
            plates: Vec::with_capacity(MAX_PLATES),
        })
    }

    /// Decodes, detects, refines, straightens and reads one frame; `reads` is cleared first.
    ///
    /// # Errors
    /// What [`Luma::decode`] says of the frame, `Damaged` too where a decoder panics on it, or `Model` where inference fails.
    pub fn analyse(&mut self, encoded: &[u8], view: View, reads: &mut Vec<PlateRead>) -> Result<FrameTimes> {
        reads.clear();
        // A decoder that panics on some file ends neither this worker nor what it works for: all state is written anew with the next frame.
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.look_at(encoded, view, reads)));
        looked.unwrap_or_else(|_| Err(Error::new(Fault::Damaged, "bad frame: it made the decoder fail; please report it with the file")))
    }

    fn look_at(&mut self, encoded: &[u8], view: View, reads: &mut Vec<PlateRead>) -> Result<FrameTimes> {
        let mut clock = Instant::now();
        let mut lap = || {
            let now = Instant::now();
            now.duration_since(std::mem::replace(&mut clock, now))
        };
        let mut times = FrameTimes::default();
        self.luma.decode(encoded)?;
        times.decode = lap();
        self.detector.detect(&self.luma, view, &mut self.plates)?;
        times.detect = lap();
        self.refiner.refine(&self.luma, 1.0, &mut self.plates)?;
        times.refine = lap();
        if view == View::Still && self.plates.is_empty() {
            self.detector.detect_from_afar(&self.luma, &mut self.plates)?;
            times.detect += lap();
            self.refiner.refine(&self.luma, AFAR, &mut self.plates)?;
            times.refine += lap();
        }
        for plate in &self.plates {
            self.reader.rectify(&self.luma, plate);
            times.rectify += lap();
            let first = self.reader.read(plate)?;
            reads.push(self.reader.read_again(&self.luma, first)?);
            times.read += lap();
        }
        Ok(times)
    }
}

impl LaneWorker {
    /// Only finds what may be plates of the frame decoded last; the refiner says which are.
    ///
    /// # Errors
    /// `Model` where inference fails.
    pub fn detect(&mut self, view: View) -> Result<&[PlateBox]> {
        self.detector.detect(&self.luma, view, &mut self.plates)?;
        Ok(&self.plates)
    }
}

/// Runs `work` on every job, one thread per worker, and hands the answers to `sink` on this thread in the order of the jobs. At most a few
/// jobs per worker are under way or waiting for their turn.
pub fn ordered<Worker: Send, Job: Send, Answer: Send>(
    workers: &mut [Worker],
    jobs: impl Iterator<Item = Job> + Send,
    work: impl Fn(&mut Worker, Job) -> Answer + Sync,
    mut sink: impl FnMut(Answer),
) {
    let window = 4 * workers.len();
    let (give_turn, turns) = bounded::<()>(window);
    (0..window).for_each(|_| give_turn.send(()).expect("the other end is held here"));
    let (feed, fed) = bounded::<(usize, Job)>(workers.len());
    let (answer, answers) = bounded::<(usize, Answer)>(window);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for job in jobs.enumerate() {
                if turns.recv().is_err() || feed.send(job).is_err() {
                    break;
                }
            }
        });
        for worker in workers {
            let (fed, answer, work) = (fed.clone(), answer.clone(), &work);
            scope.spawn(move || {
                for (index, job) in fed {
                    if answer.send((index, work(worker, job))).is_err() {
                        break;
                    }
                }
            });
        }
        drop((fed, answer));
        let (mut next, mut early) = (0, BTreeMap::new());
        for (index, one) in answers {
            early.insert(index, one);
            while let Some(one) = early.remove(&next) {
                sink(one);
                next += 1;
                // The feeder may be gone already.
                let _ = give_turn.try_send(());
            }
        }
    });
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(body).map_err(|error| Error::io(&error).in_("starting a thread"))
}
