//! The lanes of a site: cameras that do not wait.
//!
//! Each lane has one place for a waiting frame: the newest wins, and how many were passed over travels with the next frame as data. Workers look at
//! frames of every lane; the settler puts what they say back into each lane's order, makes passages of it and compares these with the watchlists.
//!
//! ```text
//! cameras ──submit──▶ slot per lane ──ready──▶ workers (one per core) ──said──▶ settler ──▶ events
//!                     newest frame wins        decode → detect → refine → rectify → read  order per lane → passage → match
//! ```

use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::Guard;
use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::{FrameTimes, LaneWorker, spawn};
use crate::error::{Error, Result};
use crate::infer::Engine;
use crate::lane::detect::View;
use crate::lane::frame::Frame;
use crate::lane::hit::{Hit, Matcher};
use crate::lane::passage::{Passage, Passages, Settled};
use crate::lane::read::PlateRead;
use crate::models::Models;
use crate::watchlist::snapshot::{Snapshot, Watchlist};

/// What a lane says.
#[derive(Debug)]
pub enum LaneEvent {
    /// A frame was looked at; its reads.
    Analysed {
        /// The frame.
        frame: Frame,
        /// Its reads, surest plate first, and the vehicle that each joined.
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
    /// A read that just came meets the watchlist, while its vehicle is still in view: told at once, and again with every read that does. What the
    /// passage says of it counts in the end.
    Sighting {
        /// Index of the lane in its site.
        lane: usize,
        /// The number of the vehicle.
        track: u64,
        /// The frame's number.
        sequence: u64,
        /// When it came, by the frames' clock.
        clock_ms: i64,
        /// Whom it may be, most probable first.
        hits: Vec<Hit>,
    },
    /// A vehicle has passed, and whom the watchlist says it may be.
    Passage(Box<Passage>, Vec<Hit>),
    /// A plate was seen and has gone, without a single character read.
    Unread {
        /// Index of the lane in its site.
        lane: usize,
        /// The number that its reads joined.
        track: u64,
    },
    /// All that a lane's triggers up to this one have ended was told before.
    Triggered {
        /// Index of the lane in its site.
        lane: usize,
        /// The trigger's number, as [`Lanes::trigger`] answered it.
        trigger: u64,
    },
    /// The watchlist could not be read: hits of the passage just told may be missing.
    Watchlist(Error),
}

/// The reads of one frame, in a buffer that goes back to the workers when it is dropped.
#[derive(Debug)]
pub struct Reads {
    buffer: Buffer,
    home: Sender<Buffer>,
}

#[derive(Debug, Default)]
struct Buffer {
    reads: Vec<PlateRead>,
    tracks: Vec<u64>,
}

impl Reads {
    /// For each read the number of the vehicle that it joined ([`Passage::track`]), once the lane has settled the frame.
    pub fn tracks(&self) -> &[u64] {
        &self.buffer.tracks
    }
}

impl std::ops::Deref for Reads {
    type Target = [PlateRead];

    fn deref(&self) -> &[PlateRead] {
        &self.buffer.reads
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        // Where enough buffers lie ready already, this one goes.
        let _ = self.home.try_send(std::mem::take(&mut self.buffer));
    }
}

/// Buffers for reads that may lie ready: as many as there are events waiting, and some under way.
const SPARE_BUFFERS: usize = 2 * WAITING_EVENTS;
/// Events that wait for whoever takes them, before the lanes wait too.
const WAITING_EVENTS: usize = 64;

/// How one lane is run.
#[derive(Debug, Clone)]
pub struct LaneSettings {
    /// How its frames are looked at.
    pub view: View,
    /// A passage is over when no read of it came for this long, milliseconds of the frames' clock; [`NO_TRIGGER_MS`](crate::lane::passage::NO_TRIGGER_MS) where
    /// triggers end them.
    pub gap_ms: i64,
    /// Its frames are looked at before those of lanes that are not `first`: something is happening there (a trigger, a watch).
    pub first: bool,
    /// Where it is a lane for the enrolled: which of the watchlists names them, and what that list is called. Passages of nobody on it are hits.
    pub enrolled: Option<(usize, String)>,
}

/// The lanes of a site, running.
pub struct Lanes {
    slots: Arc<[Mutex<Slot>]>,
    /// Lanes with a waiting frame: those that go first, and the others.
    ready: Option<[Sender<usize>; 2]>,
    said: Option<Sender<Said>>,
    threads: Vec<JoinHandle<()>>,
}

/// Where a lane's newest frame waits.
#[derive(Default)]
struct Slot {
    waiting: Option<Frame>,
    /// Triggers that came before and after the waiting frame.
    ends: Ends,
    /// Triggers so far: the number of the last one.
    triggers: u64,
    /// Whether its frames go first.
    first: bool,
    /// Frames and triggers handed on so far; they settle in this order.
    ticket: u64,
}

/// Where open passages end, before a frame's reads and after them: the number of the last trigger there.
#[derive(Default)]
struct Ends {
    before: Option<u64>,
    after: Option<u64>,
}

/// What the settler is told, in any order.
struct Said {
    lane: usize,
    ticket: u64,
    what: What,
}

#[expect(clippy::large_enum_variant, reason = "nearly all are frames, and a box for each would allocate")]
enum What {
    /// A frame was looked at.
    Looked { frame: Frame, outcome: Result<FrameTimes>, reads: Reads, ends: Ends },
    /// A trigger with no frame waiting, by its number.
    End { trigger: u64 },
    /// No frame is under way, and this is the time by the frames' clock. Takes no turn.
    Quiet { clock_ms: i64 },
}

impl Lanes {
    /// Starts the workers and the settler of `settings.len()` lanes, each with its open passages. Events must be taken from the channel, or the lanes come
    /// to a halt (and shed frames).
    ///
    /// # Errors
    /// `Model` where a network does not load.
    ///
    /// # Panics
    /// Where there are not as many `passages` as `lanes`.
    pub fn start(
        engine: &Engine,
        models: &Models,
        workers: usize,
        lanes: &[LaneSettings],
        passages: Vec<Passages>,
        watchlists: Vec<Arc<Watchlist>>,
    ) -> Result<(Lanes, Receiver<LaneEvent>)> {
        assert_eq!(lanes.len(), passages.len(), "each lane has its passages");
        let slots: Arc<[Mutex<Slot>]> = lanes.iter().map(|lane| Mutex::new(Slot { first: lane.first, ..Slot::default() })).collect();
        let views: Arc<[View]> = lanes.iter().map(|lane| lane.view).collect();
        // One token per lane at most: sending never blocks.
        let (first, first_tokens) = bounded::<usize>(lanes.len().max(1));
        let (others, other_tokens) = bounded::<usize>(lanes.len().max(1));
        let (said, sayings) = bounded::<Said>(2 * workers.max(1));
        let (event, events) = bounded::<LaneEvent>(WAITING_EVENTS);
        let buffers = bounded::<Buffer>(SPARE_BUFFERS);
        let mut threads = Vec::new();
        // Every worker takes frames of every lane.
        let view = if lanes.iter().any(|lane| lane.view == View::Tiled) { View::Tiled } else { View::Whole };
        for number in 0..workers.max(1) {
            let worker = LaneWorker::open_for(engine, models, view)?;
            let (slots, said, views, buffers) = (Arc::clone(&slots), said.clone(), Arc::clone(&views), buffers.clone());
            let tokens = [first_tokens.clone(), other_tokens.clone()];
            threads.push(spawn(format!("lane worker {number}"), move || look(worker, &slots, tokens, &said, &buffers, &views))?);
        }
        let teller = Teller {
            matcher: Matcher::default(),
            versions: Vec::with_capacity(watchlists.len()),
            watchlists,
            enrolled: lanes.iter().map(|lane| lane.enrolled.clone()).collect(),
            event,
        };
        threads.push(spawn("settler".to_owned(), move || settle(&sayings, passages, teller))?);
        Ok((Lanes { slots, ready: Some([first, others]), said: Some(said), threads }, events))
    }

    /// Hands over a lane's newest frame. What was still waiting is displaced and comes back; it counts in the new frame's `skipped`.
    ///
    /// # Panics
    /// Where `frame.lane` is not a lane of the settings.
    pub fn submit(&self, mut frame: Frame) -> Option<Frame> {
        let lane = frame.lane;
        let mut slot = self.slot(lane);
        let displaced = slot.waiting.take();
        if let Some(displaced) = &displaced {
            frame.skipped += displaced.skipped + 1;
        }
        slot.ends = Ends { before: slot.ends.after.or(slot.ends.before), after: None };
        slot.waiting = Some(frame);
        if displaced.is_none()
            && let Some([first, others]) = &self.ready
        {
            let _ = if slot.first { first } else { others }.send(lane);
        }
        displaced
    }

    /// A lane's trigger: its open passages end after the frames handed over before it. Answers its number in the lane; [`LaneEvent::Triggered`] says when all that
    /// it ended has been told.
    ///
    /// # Panics
    /// Where `lane` is not a lane of the settings.
    pub fn trigger(&self, lane: usize) -> u64 {
        let mut slot = self.slot(lane);
        slot.triggers += 1;
        let trigger = slot.triggers;
        if slot.waiting.is_some() {
            slot.ends.after = Some(trigger);
        } else {
            slot.ends.before = Some(trigger);
            self.hand_on_trigger(lane, &mut slot);
        }
        trigger
    }

    /// Says what time it is by the frames' clock in a lane that gets no frames, so that its passages end. Without effect while a frame is under way.
    ///
    /// # Panics
    /// Where `lane` is not a lane of the settings.
    pub fn quiet(&self, lane: usize, clock_ms: i64) {
        let mut slot = self.slot(lane);
        self.hand_on_trigger(lane, &mut slot);
        if slot.waiting.is_none()
            && let Some(settler) = &self.said
        {
            // A settler that has no time for this is told again.
            let _ = settler.try_send(Said { lane, ticket: slot.ticket, what: What::Quiet { clock_ms } });
        }
    }

    /// Tells the settler of a trigger that no waiting frame brings it. One that is behind is told with the next frame, or when it is quiet: nobody waits here.
    fn hand_on_trigger(&self, lane: usize, slot: &mut Slot) {
        if slot.waiting.is_none()
            && let (Some(trigger), Some(settler)) = (slot.ends.before, &self.said)
            && settler.try_send(Said { lane, ticket: slot.ticket, what: What::End { trigger } }).is_ok()
        {
            slot.ticket += 1;
            slot.ends.before = None;
        }
    }

    /// Whether a lane's frames are looked at before those of others.
    ///
    /// # Panics
    /// Where `lane` is not a lane of the settings.
    pub fn set_first(&self, lane: usize, first: bool) {
        self.slot(lane).first = first;
    }

    /// A thread that has ended though it should run, by name; only a panic does that. Nothing comes out of the lanes any more then.
    pub fn dead(&self) -> Option<&str> {
        let dead = self.threads.iter().find(|thread| thread.is_finished())?;
        Some(dead.thread().name().unwrap_or("of the lanes"))
    }

    fn slot(&self, lane: usize) -> MutexGuard<'_, Slot> {
        self.slots[lane].lock().expect("no worker panics while it holds a slot")
    }

    /// Ends the lanes: what waits is still looked at, open passages settle, then the event channel closes. Take events until it does.
    pub fn finish(mut self) {
        (self.ready, self.said) = (None, None);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Buffers for reads: where they go back to, and where they are taken from.
type Buffers = (Sender<Buffer>, Receiver<Buffer>);

/// The next lane with a waiting frame, those that go first first; `None` when there will be none.
fn next_lane([first, others]: &[Receiver<usize>; 2]) -> Option<usize> {
    if let Ok(lane) = first.try_recv().or_else(|_| others.try_recv()) {
        return Some(lane);
    }
    // Whichever comes next is taken; when both senders are gone, there is nothing more.
    select! {
        recv(first) -> lane => lane.ok().or_else(|| others.recv().ok()),
        recv(others) -> lane => lane.ok().or_else(|| first.recv().ok()),
    }
}

/// A worker's life.
fn look(mut worker: LaneWorker, slots: &[Mutex<Slot>], tokens: [Receiver<usize>; 2], said: &Sender<Said>, (home, spare): &Buffers, views: &[View]) {
    while let Some(lane) = next_lane(&tokens) {
        let (frame, ticket, ends) = {
            let mut slot = slots[lane].lock().expect("no worker panics while it holds a slot");
            let Some(frame) = slot.waiting.take() else { continue };
            slot.ticket += 1;
            (frame, slot.ticket - 1, std::mem::take(&mut slot.ends))
        };
        let mut reads = Reads { buffer: spare.try_recv().unwrap_or_default(), home: home.clone() };
        let outcome = worker.analyse(&frame.encoded, views[lane], &mut reads.buffer.reads);
        if said.send(Said { lane, ticket, what: What::Looked { frame, outcome, reads, ends } }).is_err() {
            break;
        }
    }
}

/// The settler's life: results in each lane's order, passages, hits, events.
fn settle(sayings: &Receiver<Said>, mut passages: Vec<Passages>, mut teller: Teller) {
    let mut next: Vec<u64> = vec![0; passages.len()];
    // What came before its turn, per lane: at most one per worker, and triggers.
    let mut early: Vec<Vec<Said>> = passages.iter().map(|_| Vec::new()).collect();
    let mut settled = Settled::default();
    for said in sayings {
        let lane = said.lane;
        if let What::Quiet { clock_ms } = said.what {
            if said.ticket == next[lane] {
                passages[lane].quiet(clock_ms, &mut settled);
            }
            if !teller.tell(lane, &mut settled) {
                return;
            }
            continue;
        }
        early[lane].push(said);
        while let Some(due) = early[lane].iter().position(|said| said.ticket == next[lane]) {
            let said = early[lane].swap_remove(due);
            next[lane] += 1;
            let (what, trigger) = match said.what {
                What::Looked { frame, outcome: Ok(mut times), mut reads, ends } => {
                    if let Some(trigger) = ends.before {
                        passages[lane].finish(&mut settled);
                        if !teller.tell(lane, &mut settled) || !teller.send(LaneEvent::Triggered { lane, trigger }) {
                            return;
                        }
                    }
                    let Buffer { reads: seen, tracks } = &mut reads.buffer;
                    let begun = Instant::now();
                    passages[lane].observe(&frame, seen, tracks, &mut settled);
                    times.passage = begun.elapsed();
                    if ends.after.is_some() {
                        passages[lane].finish(&mut settled);
                    }
                    let begun = Instant::now();
                    let sightings = teller.sightings(&frame, &reads);
                    times.matching = begun.elapsed();
                    if !teller.send(LaneEvent::Analysed { frame, reads, times }) || !sightings.into_iter().all(|sighting| teller.send(sighting)) {
                        return;
                    }
                    (None, ends.after)
                }
                What::Looked { frame, outcome: Err(error), ends, .. } => {
                    let trigger = ends.after.or(ends.before);
                    if trigger.is_some() {
                        passages[lane].finish(&mut settled);
                    }
                    (Some(LaneEvent::BadFrame { frame, error }), trigger)
                }
                What::End { trigger } => {
                    passages[lane].finish(&mut settled);
                    (None, Some(trigger))
                }
                What::Quiet { .. } => unreachable!("it takes no turn"),
            };
            if what.is_some_and(|what| !teller.send(what)) || !teller.tell(lane, &mut settled) {
                return;
            }
            if trigger.is_some_and(|trigger| !teller.send(LaneEvent::Triggered { lane, trigger })) {
                return;
            }
        }
    }
    for (lane, passages) in passages.iter_mut().enumerate() {
        passages.finish(&mut settled);
        if !teller.tell(lane, &mut settled) {
            return;
        }
    }
}

/// Compares what settles with the watchlists, and hands it out.
struct Teller {
    matcher: Matcher,
    watchlists: Vec<Arc<Watchlist>>,
    /// The version of each list that the reads of one frame meet; empty between frames.
    versions: Vec<Guard<Arc<Snapshot>>>,
    /// Of each lane, as its settings say.
    enrolled: Vec<Option<(usize, String)>>,
    event: Sender<LaneEvent>,
}

impl Teller {
    /// False when nobody takes events any more.
    fn send(&self, event: LaneEvent) -> bool {
        self.event.send(event).is_ok()
    }

    /// What the watchlists say of single reads.
    fn sightings(&mut self, frame: &Frame, reads: &Reads) -> Vec<LaneEvent> {
        let mut sightings = Vec::new();
        if reads.is_empty() {
            return sightings;
        }
        // All reads of a frame meet the same version of each list.
        self.versions.extend(self.watchlists.iter().map(|watchlist| watchlist.load()));
        for (read, &track) in reads.iter().zip(reads.tracks()) {
            let mut hits = Vec::new();
            for version in &self.versions {
                if let Err(error) = self.matcher.hits(version, (&read.text, &read.posterior), read.jurisdiction, frame.captured_ms, &mut hits) {
                    sightings.push(LaneEvent::Watchlist(error));
                }
            }
            if !hits.is_empty() {
                sightings.push(LaneEvent::Sighting { lane: frame.lane, track, sequence: frame.sequence, clock_ms: frame.clock_ms, hits });
            }
        }
        // A version that is held is one that cannot go.
        self.versions.clear();
        sightings
    }

    /// Matches the passages that are over and hands them out; false when nobody takes them any more.
    fn tell(&mut self, lane: usize, settled: &mut Settled) -> bool {
        for passage in settled.passages.drain(..) {
            let (mut hits, mut failures) = (Vec::new(), Vec::new());
            let reading = (&passage.text, &passage.posterior);
            for watchlist in &self.watchlists {
                let found = self.matcher.hits(&watchlist.load(), reading, passage.jurisdiction, passage.seen_ms.1, &mut hits);
                failures.extend(found.err());
            }
            if let Some((list, name)) = &self.enrolled[lane] {
                hits.extend(self.matcher.absence(&self.watchlists[*list].load(), name, reading, passage.jurisdiction, passage.seen_ms.1));
            }
            if !self.send(LaneEvent::Passage(Box::new(passage), hits)) || !failures.into_iter().all(|error| self.send(LaneEvent::Watchlist(error))) {
                return false;
            }
        }
        settled.unread.drain(..).all(|track| self.send(LaneEvent::Unread { lane, track }))
    }
}
