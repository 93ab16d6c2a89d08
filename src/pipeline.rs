//! The wiring: every analysis thread and every analysis channel of the program.
//!
//! Two shapes. [`ordered`] fans jobs out to workers and hands the answers back in the order of the jobs, nothing dropped, for files and scans that
//! wait. [`Lanes`] is for cameras that do not wait: each lane has one place for a waiting frame, the newest wins, and how many were passed
//! over travels with the next frame as data.
//!
//! ```text
//! cameras ──submit──▶ slot per lane ──ready──▶ workers (one per core) ──analyses──▶ settler ──▶ events
//!                     newest frame wins        decode → detect → rectify → read     order per lane → passage → match
//! ```
//!
//! A worker owns its sessions and buffers; in the steady state it allocates nothing outside the JPEG decoder. Shutdown is the data ending: dropping the
//! submitting side ends the workers, which ends the settler, which ends the events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::error::{Error, Result};
use crate::infer::Engine;
use crate::lane::detect::{Detector, MAX_PLATES, PlateBox, View};
use crate::lane::frame::{Frame, Luma};
use crate::lane::hit::{Hit, Matcher};
use crate::lane::passage::{Passage, Passages};
use crate::lane::read::{PlateRead, Reader};
use crate::models::Models;
use crate::watchlist::snapshot::Watchlist;

/// How long the stages of one frame took, wall time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FrameTimes {
    /// Bytes to luma.
    pub decode: Duration,
    /// Luma to plate boxes.
    pub detect: Duration,
    /// All plates straightened.
    pub rectify: Duration,
    /// All plates read, the unsure ones carefully.
    pub read: Duration,
}

/// One worker's sessions and buffers: everything that turns a frame's bytes into reads.
pub struct LaneWorker {
    /// The frame decoded last.
    pub luma: Luma,
    detector: Detector,
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
            reader: Reader::open(engine, models)?,
            plates: Vec::with_capacity(MAX_PLATES),
        })
    }

    /// Decodes, detects, straightens and reads one frame; `reads` is cleared first.
    ///
    /// # Errors
    /// What [`Luma::decode`] says of the frame, or `Model` where inference fails.
    pub fn analyse(&mut self, encoded: &[u8], view: View, reads: &mut Vec<PlateRead>) -> Result<FrameTimes> {
        reads.clear();
        let mut clock = Instant::now();
        let mut lap = || {
            let now = Instant::now();
            now.duration_since(std::mem::replace(&mut clock, now))
        };
        let mut times = FrameTimes::default();
        self.luma.decode(encoded)?;
        times.decode = lap();
        self.detect(view)?;
        times.detect = lap();
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
    /// Only finds the plates of the frame decoded last.
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

/// What a lane says.
#[derive(Debug)]
pub enum LaneEvent {
    /// A frame was looked at; its reads.
    Analysed {
        /// The frame.
        frame: Frame,
        /// Its reads, surest plate first.
        reads: Reads,
        /// How long each stage took.
        times: FrameTimes,
    },
    /// A frame could not be looked at: whose fault and why. Never a "no plate".
    BadFrame {
        /// The frame as it came.
        frame: Frame,
        /// Why.
        error: Error,
    },
    /// A vehicle has passed, and whom the watchlist says it may be.
    Passage(Box<Passage>, Vec<Hit>),
    /// The watchlist could not be read: hits of the passage just told may be missing.
    Watchlist(Error),
}

/// The reads of one frame, in a buffer that goes back to the workers when it is dropped.
#[derive(Debug)]
pub struct Reads {
    list: Vec<PlateRead>,
    home: Sender<Vec<PlateRead>>,
}

impl std::ops::Deref for Reads {
    type Target = [PlateRead];

    fn deref(&self) -> &[PlateRead] {
        &self.list
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        // Where enough buffers lie ready already, this one goes.
        let _ = self.home.try_send(std::mem::take(&mut self.list));
    }
}

/// Buffers for reads that may lie ready: as many as there are events waiting, and some under way.
const SPARE_BUFFERS: usize = 2 * WAITING_EVENTS;
/// Events that wait for whoever takes them, before the lanes wait too.
const WAITING_EVENTS: usize = 64;

/// How the lanes of a site are run.
#[derive(Debug, Clone)]
pub struct LaneSettings {
    /// How many lanes.
    pub lanes: usize,
    /// How many workers; one per core.
    pub workers: usize,
    /// How frames are looked at.
    pub view: View,
    /// A passage is over when no read of it came for this long, milliseconds of the frames' clock.
    pub gap_ms: i64,
}

/// The lanes of a site, running.
pub struct Lanes {
    slots: Arc<[Mutex<Slot>]>,
    ready: Option<Sender<usize>>,
    threads: Vec<JoinHandle<()>>,
}

/// Where a lane's newest frame waits.
#[derive(Default)]
struct Slot {
    waiting: Option<Frame>,
    /// Frames handed to workers so far; results settle in this order.
    ticket: u64,
}

struct Analysis {
    ticket: u64,
    frame: Frame,
    outcome: Result<FrameTimes>,
    reads: Reads,
}

impl Lanes {
    /// Starts the workers and the settler. Events must be taken from the channel, or the lanes come to a halt (and shed frames).
    ///
    /// # Errors
    /// `Model` where a network does not load.
    pub fn start(engine: &Engine, models: &Models, settings: &LaneSettings, watchlist: Arc<Watchlist>) -> Result<(Lanes, Receiver<LaneEvent>)> {
        let slots: Arc<[Mutex<Slot>]> = (0..settings.lanes).map(|_| Mutex::default()).collect();
        // One token per lane at most: sending never blocks.
        let (ready, tokens) = bounded::<usize>(settings.lanes.max(1));
        let (analysed, analyses) = bounded::<Analysis>(2 * settings.workers.max(1));
        let (event, events) = bounded::<LaneEvent>(WAITING_EVENTS);
        let buffers = bounded::<Vec<PlateRead>>(SPARE_BUFFERS);
        let mut threads = Vec::new();
        for number in 0..settings.workers.max(1) {
            let worker = LaneWorker::open_for(engine, models, settings.view)?;
            let (slots, tokens, analysed, view, buffers) = (Arc::clone(&slots), tokens.clone(), analysed.clone(), settings.view, buffers.clone());
            threads.push(spawn(format!("lane worker {number}"), move || look(worker, &slots, &tokens, &analysed, &buffers, view))?);
        }
        let passages = (0..settings.lanes).map(|_| Passages::new(settings.gap_ms)).collect();
        threads.push(spawn("settler".to_owned(), move || settle(&analyses, passages, &watchlist, &event))?);
        Ok((Lanes { slots, ready: Some(ready), threads }, events))
    }

    /// Hands over a lane's newest frame. What was still waiting is displaced and comes back; it counts in the new frame's `skipped`.
    ///
    /// # Panics
    /// Where `frame.lane` is not a lane of the settings.
    pub fn submit(&self, mut frame: Frame) -> Option<Frame> {
        let lane = frame.lane;
        let mut slot = self.slots[lane].lock().expect("no worker panics while it holds a slot");
        let displaced = slot.waiting.take();
        if let Some(displaced) = &displaced {
            frame.skipped += displaced.skipped + 1;
        }
        slot.waiting = Some(frame);
        if displaced.is_none()
            && let Some(ready) = &self.ready
        {
            let _ = ready.send(lane);
        }
        displaced
    }

    /// Ends the lanes: what waits is still looked at, open passages settle, then the event channel closes. Take events until it does.
    pub fn finish(mut self) {
        self.ready = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(body).map_err(|error| Error::io(&error).in_("starting a thread"))
}

/// Buffers for reads: where they go back to, and where they are taken from.
type Buffers = (Sender<Vec<PlateRead>>, Receiver<Vec<PlateRead>>);

/// A worker's life.
fn look(mut worker: LaneWorker, slots: &[Mutex<Slot>], tokens: &Receiver<usize>, analysed: &Sender<Analysis>, (home, spare): &Buffers, view: View) {
    for lane in tokens {
        let (frame, ticket) = {
            let mut slot = slots[lane].lock().expect("no worker panics while it holds a slot");
            let Some(frame) = slot.waiting.take() else { continue };
            slot.ticket += 1;
            (frame, slot.ticket - 1)
        };
        let mut reads = Reads { list: spare.try_recv().unwrap_or_default(), home: home.clone() };
        let outcome = worker.analyse(&frame.encoded, view, &mut reads.list);
        if analysed.send(Analysis { ticket, frame, outcome, reads }).is_err() {
            break;
        }
    }
}

/// The settler's life: results in each lane's order, passages, hits, events.
fn settle(analyses: &Receiver<Analysis>, mut passages: Vec<Passages>, watchlist: &Watchlist, event: &Sender<LaneEvent>) {
    let mut next: Vec<u64> = vec![0; passages.len()];
    // What came before its turn, per lane: at most one per worker.
    let mut early: Vec<Vec<Analysis>> = passages.iter().map(|_| Vec::new()).collect();
    let mut settled = Vec::new();
    let mut matcher = Matcher::default();
    for analysis in analyses {
        let lane = analysis.frame.lane;
        early[lane].push(analysis);
        while let Some(due) = early[lane].iter().position(|analysis| analysis.ticket == next[lane]) {
            let Analysis { frame, outcome, reads, .. } = early[lane].swap_remove(due);
            next[lane] += 1;
            let said = match outcome {
                Ok(times) => {
                    passages[lane].observe(&frame, &reads, &mut settled);
                    LaneEvent::Analysed { frame, reads, times }
                }
                Err(error) => LaneEvent::BadFrame { frame, error },
            };
            if event.send(said).is_err() || !tell(&mut settled, &mut matcher, watchlist, event) {
                return;
            }
        }
    }
    passages.iter_mut().for_each(|lane| lane.finish(&mut settled));
    tell(&mut settled, &mut matcher, watchlist, event);
}

/// Matches the passages that are over and hands them out; false when nobody takes them any more.
fn tell(settled: &mut Vec<Passage>, matcher: &mut Matcher, watchlist: &Watchlist, event: &Sender<LaneEvent>) -> bool {
    settled.drain(..).all(|passage| {
        let mut hits = Vec::new();
        let outcome = matcher.hits(&watchlist.load(), (&passage.text, &passage.posterior), passage.jurisdiction, passage.seen_ms.1, &mut hits);
        let told = event.send(LaneEvent::Passage(Box::new(passage), hits)).is_ok();
        told && outcome.err().is_none_or(|error| event.send(LaneEvent::Watchlist(error)).is_ok())
    })
}
