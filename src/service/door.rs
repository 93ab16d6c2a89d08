//! The lanes' door: a frame goes in, its fate comes out when it is known for good.
//!
//! ```text
//! any source ──submit──▶ door ──▶ lane's slot ──▶ workers ──▶ settler ──events──▶ relay ──records──▶ custody ──fate──▶ whoever waits
//!                          └── displaced by a newer one: shed at once
//! ```
//!
//! Three things are known of every frame that was handed in, and each is counted: *accepted* (looked at, its result durable), *shed* (displaced by a newer one of its lane, or
//! refused because there was no place or the store takes nothing), *rejected* (damaged, too large, not what its sender says). They add up to what was sent; what is of no lane of
//! the site, or does not tell its lane, counts under [`UNKNOWN`]. What was shed is in the store too, by lane and minute, and in the log.
//!
//! *Once.* A frame is known by its idempotency key, else by its contents with what its sender says of time and count. The same frame again, ten at once, or after
//! a crash gets the answer of the first one: those under way are joined, those in the store are looked up.
//!
//! *Triggers* take their turn among their lane's frames. One is acknowledged when the store has committed what it ended: the lane tells that first, the store keeps in order,
//! and what has ended is given back to no lane after a restart. So one that was acknowledged stays where it was.
//!
//! *Dead threads.* Should one that a frame goes through panic, nothing comes out any more: whoever waits is told so ([`Answer::Stopped`]), and whoever comes
//! ([`Door::dead`]).
//!
//! *Clocks.* Order is the order of coming in. Gaps are measured by a clock that never jumps. A capture time that is further from this machine's than
//! [`MAX_CLOCK_OFF_MS`] is not believed, and said so in the log, once a minute.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::Receiver;
use tokio::sync::oneshot;

use super::metrics;
use crate::bytes::Bytes;
use crate::custody::evidence::{Sha, sha256};
use crate::custody::record::{Fate, FrameRecord, PassageRecord, Record, SightingRecord, StoredRead};
use crate::custody::{Custody, State, StoredFrame};
use crate::error::{Error, Fault};
use crate::lane::frame::{Frame, MAX_BYTES};
use crate::lane::line::PlateLine;
use crate::pipeline::FrameTimes;
use crate::pipeline::lanes::{LaneEvent, Lanes, Reads};

/// A sender's capture time is believed when it is at most this far from this machine's clock. A guess: cameras without NTP drift by minutes a month.
pub const MAX_CLOCK_OFF_MS: i64 = 600_000;

/// What a shed sender is told to wait, seconds: the next frame is newer anyway.
pub const SHED_RETRY_S: u32 = 1;

/// What frames count under that are of no lane of the site, or do not tell which.
pub const UNKNOWN: &str = "unknown";

/// One frame as it came through a door.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Index of its lane in the site.
    pub lane: usize,
    /// The JPEG or PNG file.
    pub bytes: bytes::Bytes,
    /// When it was captured, milliseconds since the Unix epoch, if the sender says so.
    pub captured_ms: Option<i64>,
    /// The sender's own count.
    pub sequence: Option<u64>,
    /// The SHA-256 that the sender says it has.
    pub digest: Option<Sha>,
    /// What the sender calls this frame, so that sending it again is known for what it is.
    pub key: Option<String>,
}

/// What became of a frame.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Looked at, and the result is durable.
    Kept(Kept),
    /// Looked at in vain, or not what its sender says: sending it again as it is helps nobody. The original is in quarantine where it could be stored.
    Bad(Error),
    /// Displaced by a newer frame of its lane; not kept.
    Shed {
        /// Seconds.
        retry_after_s: u32,
    },
    /// The store's disk is full; not kept.
    Full,
    /// The store takes nothing; not kept.
    Stopped(String),
}

/// A frame whose result is durable.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
#[schema(as = FrameKept)]
pub struct Kept {
    /// Its number in the store.
    pub frame: i64,
    /// Its number in the lane.
    pub sequence: u64,
    /// It had been handed in before.
    pub replay: bool,
    /// Frames of the lane that were displaced before it.
    pub skipped: u32,
    /// Its plates, surest first: as `garita read --json` tells them.
    #[schema(value_type = Vec<Object>)]
    pub plates: Vec<PlateLine>,
    /// From the last byte to the commit.
    pub took_ms: f64,
}

/// Why a frame was refused before the door saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There was no place or time for it; sending it again may help.
    Shed,
    /// It is not what a frame may be, or its sender may not send it.
    Rejected,
}

/// What the door has counted of one lane.
///
/// A frame that several handed in is counted for each.
#[derive(Debug, Default)]
pub struct Counts {
    /// Looked at, result durable.
    pub accepted: AtomicU64,
    /// Displaced, or there was no place, or the store took nothing.
    pub shed: AtomicU64,
    /// Damaged, too large, or not what the sender says.
    pub rejected: AtomicU64,
    /// When the last frame came in, milliseconds since the Unix epoch; 0 before the first.
    pub last_ms: AtomicI64,
}

/// Where frames go in. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    desk: Arc<Desk>,
}

struct Desk {
    /// None once the service stops.
    lanes: Mutex<Option<Arc<Lanes>>>,
    ids: Vec<String>,
    gates: Vec<Mutex<Gate>>,
    counts: Vec<Counts>,
    /// Of each lane, and of none.
    shed: Vec<Mutex<Shed>>,
    /// The minute in which the log said last that a lane's camera has another time.
    clock_said_ms: Vec<AtomicI64>,
    /// What relays the lanes' events has panicked.
    relay_panicked: AtomicBool,
    custody: Custody,
    begun: Instant,
}

/// What was shed of one lane.
#[derive(Default)]
struct Shed {
    /// By the minute, milliseconds since the Unix epoch: what the store has not been told yet.
    untold: BTreeMap<i64, u64>,
    /// The newest minute, and how many in it: what the log has not been told yet.
    unsaid: (i64, u64),
}

/// One lane's frames under way.
struct Gate {
    next_sequence: u64,
    under_way: HashMap<u64, UnderWay>,
    by_key: HashMap<Sha, u64>,
    /// Triggers that the lane has not come to yet, in order: the lane's number of each, and who waits for it.
    triggers: Vec<(u64, oneshot::Sender<Fate>)>,
}

struct UnderWay {
    key: Sha,
    digest: Sha,
    sender_sequence: Option<i64>,
    received_ms: i64,
    received: Instant,
    waiting: Vec<oneshot::Sender<Answer>>,
}

impl Door {
    /// A door to `lanes`, whose ids are `ids` and whose next frames' numbers are `next`.
    pub fn new(lanes: Lanes, ids: Vec<String>, next: &[u64], custody: Custody) -> Door {
        let gate = |&next_sequence| Mutex::new(Gate { next_sequence, under_way: HashMap::new(), by_key: HashMap::new(), triggers: Vec::new() });
        let counts = ids.iter().map(|_| Counts::default()).collect();
        let gates = next.iter().map(gate).collect();
        let shed = (0..=ids.len()).map(|_| Mutex::default()).collect();
        let clock_said_ms = ids.iter().map(|_| AtomicI64::new(i64::MIN)).collect();
        let desk = Desk {
            lanes: Mutex::new(Some(Arc::new(lanes))),
            ids,
            gates,
            counts,
            shed,
            clock_said_ms,
            relay_panicked: AtomicBool::new(false),
            custody,
            begun: Instant::now(),
        };
        Door { desk: Arc::new(desk) }
    }

    /// Hands a frame in, and waits until its fate is known for good.
    ///
    /// # Panics
    /// Where `incoming.lane` is no lane of the site.
    pub async fn submit(&self, incoming: Incoming) -> Answer {
        let lane = incoming.lane;
        match self.desk.enter(incoming) {
            // Counted when it is told, whether or not anybody still waits for it here.
            Entered::Waiting(answer) => answer.await.unwrap_or_else(|_| Answer::Stopped("the service is stopping".to_owned())),
            Entered::Known(answer) => {
                self.desk.count(lane, &answer);
                answer
            }
        }
    }

    /// Counts a frame that was refused before it came this far, so that what was sent adds up; one of no lane of the site, too.
    ///
    /// # Panics
    /// Where `lane` is no lane of the site.
    pub fn refused(&self, lane: Option<usize>, outcome: Refused) {
        self.desk.refused(lane, outcome);
    }

    /// A lane's trigger: the vehicle before it has passed. Waits until what it ended is durable; the number in [`Fate::Kept`] means nothing.
    ///
    /// # Panics
    /// Where `lane` is no lane of the site.
    pub async fn trigger(&self, lane: usize) -> Fate {
        match self.desk.enter_trigger(lane) {
            Ok(fate) => fate.await.unwrap_or_else(|_| Fate::Stopped("the service is stopping".to_owned())),
            Err(why) => Fate::Stopped(why),
        }
    }

    /// What was counted of a lane.
    ///
    /// # Panics
    /// Where `lane` is no lane of the site.
    pub fn counts(&self, lane: usize) -> &Counts {
        &self.desk.counts[lane]
    }

    /// Frames under way in all lanes.
    pub fn under_way(&self) -> usize {
        self.desk.gates.iter().map(|gate| lock(gate).under_way.len()).sum()
    }

    /// A thread that has ended though frames go through it, by name.
    pub fn dead(&self) -> Option<String> {
        self.desk.dead()
    }

    /// To be called every second or so: lets passages end in lanes that get no frames, tells the store what was shed, and whoever waits in vain that it is so.
    pub fn tick(&self, now_ms: i64) {
        if let Some(thread) = self.desk.dead() {
            self.desk.give_up(&without(&thread));
        }
        let clock_ms = self.desk.clock_ms();
        let lanes = self.desk.lanes();
        for lane in 0..self.desk.ids.len() {
            if let Some(lanes) = &lanes {
                lanes.quiet(lane, clock_ms);
            }
        }
        // A full store is told when it has space again: what waits for that waits in its memory.
        self.desk.tell_shed(minute(now_ms), self.desk.custody.state() == State::Open);
    }

    /// Tells the store and the log all that was shed. For the end.
    pub fn tell_shed(&self) {
        self.desk.tell_shed(i64::MAX, true);
    }

    /// Takes no more frames, and hands the lanes back to be finished.
    pub fn close(&self) -> Option<Lanes> {
        let lanes = lock(&self.desk.lanes).take()?;
        // Whoever is handing a frame in holds it for microseconds.
        let mut lanes = lanes;
        loop {
            match Arc::try_unwrap(lanes) {
                Ok(lanes) => return Some(lanes),
                Err(shared) => {
                    lanes = shared;
                    std::thread::yield_now();
                }
            }
        }
    }

    /// Takes the lanes' events until they end, and gives each to the store. For a thread of its own.
    pub fn relay(&self, events: &Receiver<LaneEvent>) {
        let _tells = TellsPanic(&self.desk.relay_panicked);
        events.iter().for_each(|event| self.desk.relay(event));
        // Whoever waits for a trigger that the lanes did not come to any more.
        self.desk.gates.iter().for_each(|gate| lock(gate).triggers.clear());
    }
}

/// What is said of frames that need a thread which has ended.
pub(super) fn without(thread: &str) -> String {
    format!("thread {thread} has panicked, and garita must be started again: see the log")
}

/// Should the relay panic, the door says so instead of looking well.
struct TellsPanic<'a>(&'a AtomicBool);

impl Drop for TellsPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}

enum Entered {
    Waiting(oneshot::Receiver<Answer>),
    Known(Answer),
}

impl Desk {
    fn lanes(&self) -> Option<Arc<Lanes>> {
        lock(&self.lanes).clone()
    }

    fn dead(&self) -> Option<String> {
        if self.relay_panicked.load(Ordering::SeqCst) {
            return Some("relay".to_owned());
        }
        self.lanes()?.dead().map(str::to_owned)
    }

    /// Tells everybody who waits why it is in vain.
    fn give_up(&self, why: &str) {
        for (lane, gate) in self.gates.iter().enumerate() {
            let (waiting, triggers) = {
                let mut gate = lock(gate);
                gate.by_key.clear();
                (std::mem::take(&mut gate.under_way), std::mem::take(&mut gate.triggers))
            };
            let answer = Answer::Stopped(why.to_owned());
            waiting.into_values().for_each(|first| self.tell(lane, first, &answer));
            triggers.into_iter().for_each(|(_, waiting)| _ = waiting.send(Fate::Stopped(why.to_owned())));
        }
    }

    /// Milliseconds of a clock that never jumps. Starts well above 0, so that reads given back at start are not in its future.
    fn clock_ms(&self) -> i64 {
        self.begun.elapsed().as_millis() as i64
    }

    fn enter(self: &Arc<Self>, incoming: Incoming) -> Entered {
        let bad = |fault, message: String| Entered::Known(Answer::Bad(Error::new(fault, message).in_(format!("lane {}", self.ids[incoming.lane]))));
        let received = Instant::now();
        let received_ms = now_ms();
        self.counts[incoming.lane].last_ms.store(received_ms, Ordering::Relaxed);
        if incoming.bytes.len() as u64 > MAX_BYTES {
            return bad(Fault::Limit, format!("{} bytes, more than a frame may have ({MAX_BYTES})", incoming.bytes.len()));
        }
        match self.custody.state() {
            State::Open => {}
            // The next group finds out whether there is space again.
            State::Full(_) => {}
            State::Stopped(why) => return Entered::Known(Answer::Stopped(why)),
        }
        let digest = sha256(&incoming.bytes);
        if incoming.digest.is_some_and(|said| said != digest) {
            return bad(Fault::Damaged, "the bytes are not those that their digest speaks of: they changed on the way; send the frame again".to_owned());
        }
        let key = key_of(&incoming, &digest);
        let captured_ms = match incoming.captured_ms {
            Some(said) if is_believed(said, received_ms) => said,
            Some(said) => {
                let minute_ms = minute(received_ms);
                if self.clock_said_ms[incoming.lane].swap(minute_ms, Ordering::Relaxed) != minute_ms {
                    tracing::warn!(
                        lane = self.ids[incoming.lane],
                        off_ms = said.saturating_sub(received_ms),
                        "the camera's clock is off; the time of coming in counts"
                    );
                }
                received_ms
            }
            None => received_ms,
        };
        let mut gate = lock(&self.gates[incoming.lane]);
        let other_bytes = || bad(Fault::Caller, "this Idempotency-Key has come with other bytes before; give each frame its own".to_owned());
        if let Some(sequence) = gate.by_key.get(&key).copied() {
            let first = gate.under_way.get_mut(&sequence).expect("keys name frames under way");
            if first.digest != digest {
                return other_bytes();
            }
            let (answer, waiting) = oneshot::channel();
            first.waiting.push(answer);
            return Entered::Waiting(waiting);
        }
        match self.custody.frame(&self.ids[incoming.lane], &key) {
            Ok(Some(stored)) if stored.digest == digest => return Entered::Known(replayed(stored, received)),
            Ok(Some(_)) => return other_bytes(),
            Ok(None) => {}
            Err(error) => return Entered::Known(Answer::Stopped(error.to_string())),
        }
        let Some(lanes) = self.lanes() else { return Entered::Known(Answer::Stopped("the service is stopping".to_owned())) };
        if let Some(thread) = self.dead() {
            return Entered::Known(Answer::Stopped(without(&thread)));
        }
        let sequence = gate.next_sequence;
        gate.next_sequence += 1;
        let (answer, waiting) = oneshot::channel();
        let sender_sequence = incoming.sequence.map(|sequence| sequence as i64);
        gate.by_key.insert(key, sequence);
        gate.under_way.insert(sequence, UnderWay { key, digest, sender_sequence, received_ms, received, waiting: vec![answer] });
        let encoded = Bytes::from(incoming.bytes);
        let displaced = lanes.submit(Frame { lane: incoming.lane, sequence, captured_ms, clock_ms: self.clock_ms(), skipped: 0, encoded });
        if let Some(displaced) = displaced
            && let Some(displaced) = gate.take(displaced.sequence)
        {
            self.tell(incoming.lane, displaced, &Answer::Shed { retry_after_s: SHED_RETRY_S });
        }
        Entered::Waiting(waiting)
    }

    /// Hands a trigger to its lane: where its fate will be told, or why it is not taken.
    fn enter_trigger(&self, lane: usize) -> Result<oneshot::Receiver<Fate>, String> {
        let lanes = self.lanes().ok_or("the service is stopping")?;
        if let Some(thread) = self.dead() {
            return Err(without(&thread));
        }
        let (fate, waiting) = oneshot::channel();
        // Held until it is written down: the lane may come to it at once.
        let mut gate = lock(&self.gates[lane]);
        let trigger = lanes.trigger(lane);
        gate.triggers.push((trigger, fate));
        Ok(waiting)
    }

    /// Tells the log what was shed in the minutes before `minute_ms`, and the store (`keeps`), which it may wait for, what was shed since it was told last.
    fn tell_shed(&self, minute_ms: i64, keeps: bool) {
        for (lane, shed) in self.shed.iter().enumerate() {
            let untold = {
                let mut shed = lock(shed);
                if shed.unsaid.0 != minute_ms {
                    shed.say(self.name(Some(lane)));
                }
                if keeps { std::mem::take(&mut shed.untold) } else { BTreeMap::new() }
            };
            for (minute_ms, frames) in untold {
                self.custody.put(Record::Shed { lane: self.name(Some(lane)).to_owned(), minute_ms, frames });
            }
        }
    }

    /// What a lane's frames count under.
    fn name(&self, lane: Option<usize>) -> &str {
        lane.and_then(|lane| self.ids.get(lane)).map_or(UNKNOWN, String::as_str)
    }

    /// Tells everybody who waits for a frame, and counts each; all but the first handed in what was under way already.
    fn tell(&self, lane: usize, first: UnderWay, answer: &Answer) {
        for (number, waiting) in first.waiting.into_iter().enumerate() {
            let mut answer = answer.clone();
            if let Answer::Kept(kept) = &mut answer {
                kept.replay = number > 0;
            }
            self.count(lane, &answer);
            // Who has gone away finds out when asking again.
            let _ = waiting.send(answer);
        }
    }

    fn count(&self, lane: usize, answer: &Answer) {
        match answer {
            Answer::Kept(_) => {
                self.counts[lane].accepted.fetch_add(1, Ordering::Relaxed);
                metrics::frame(&self.ids[lane], "accepted");
            }
            Answer::Bad(error) => {
                metrics::bad_frame(&self.ids[lane], error.fault);
                self.refused(Some(lane), Refused::Rejected);
            }
            Answer::Shed { .. } | Answer::Full | Answer::Stopped(_) => self.refused(Some(lane), Refused::Shed),
        }
    }

    fn refused(&self, lane: Option<usize>, outcome: Refused) {
        let counts = lane.map(|lane| &self.counts[lane]);
        let (counter, outcome) = match outcome {
            Refused::Shed => {
                lock(&self.shed[lane.unwrap_or(self.ids.len())]).count(minute(now_ms()), self.name(lane));
                (counts.map(|counts| &counts.shed), "shed")
            }
            Refused::Rejected => (counts.map(|counts| &counts.rejected), "rejected"),
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        metrics::frame(self.name(lane), outcome);
    }

    fn relay(self: &Arc<Self>, event: LaneEvent) {
        match event {
            LaneEvent::Analysed { frame, reads, times } => {
                metrics::stages(&times, reads.len());
                let kept = kept_reads(&reads);
                let plates = kept.iter().map(|(_, read)| read.line.clone()).collect();
                drop(reads);
                self.keep(frame, kept, Ok((plates, times)));
            }
            LaneEvent::BadFrame { frame, error } => self.keep(frame, Vec::new(), Err(error)),
            LaneEvent::Sighting { lane, track, sequence, clock_ms, hits } => {
                let after_ms = self.clock_ms() - clock_ms;
                metrics::hit(after_ms);
                let record = SightingRecord { lane: self.ids[lane].clone(), track, sequence, hits, now_ms: now_ms(), after_ms: Some(after_ms) };
                self.custody.put(Record::Sighting(Box::new(record)));
            }
            LaneEvent::Passage(passage, hits) => {
                let lane = self.ids[passage.lane].clone();
                metrics::passage(&lane, &hits);
                let after_ms = Some(self.clock_ms() - passage.evidence.clock_ms);
                self.custody.put(Record::Passage(Box::new(PassageRecord { lane, passage: *passage, hits, now_ms: now_ms(), after_ms })));
            }
            LaneEvent::Unread { lane, track } => self.custody.put(Record::Unread { lane: self.ids[lane].clone(), track }),
            LaneEvent::Triggered { lane, trigger } => {
                let waiting = lock(&self.gates[lane]).take_triggers(trigger);
                let done = move |fate: Fate| waiting.into_iter().for_each(|waiting| _ = waiting.send(fate.clone()));
                // Changes nothing: what the trigger ended was put before it, and is kept in the same commit or an earlier one.
                self.custody.put(Record::Change(Box::new(|_| Ok(0)), Box::new(done)));
            }
            LaneEvent::Watchlist(error) => tracing::error!(%error, "a watchlist could not be searched; hits may be missing"),
        }
    }

    fn keep(self: &Arc<Self>, frame: Frame, reads: Vec<(u64, StoredRead)>, outcome: Result<(Vec<PlateLine>, FrameTimes), Error>) {
        let (lane, sequence, skipped) = (frame.lane, frame.sequence, frame.skipped);
        let Some((key, digest, sender_sequence, received_ms)) = ({
            let gate = lock(&self.gates[lane]);
            gate.under_way.get(&sequence).map(|one| (one.key, one.digest, one.sender_sequence, one.received_ms))
        }) else {
            return;
        };
        let desk = Arc::clone(self);
        let error = outcome.as_ref().err().cloned();
        let done = move |fate: Fate| {
            let Some(first) = lock(&desk.gates[lane]).take(sequence) else { return };
            let answer = match (fate, outcome) {
                (Fate::Kept(_), Err(error)) => Answer::Bad(error.in_(format!("lane {}", desk.ids[lane]))),
                (Fate::Kept(frame), Ok((plates, _))) => {
                    let took = first.received.elapsed();
                    metrics::acknowledged(took);
                    Answer::Kept(Kept { frame, sequence, replay: false, skipped, plates, took_ms: took.as_secs_f64() * 1e3 })
                }
                (Fate::Full(_), _) => Answer::Full,
                (Fate::Stopped(why), _) => Answer::Stopped(why),
                (Fate::Failed(error), _) => Answer::Stopped(error.to_string()),
            };
            desk.tell(lane, first, &answer);
        };
        self.custody.put(Record::Frame(Box::new(FrameRecord {
            lane: self.ids[lane].clone(),
            sequence,
            key,
            digest,
            sender_sequence,
            captured_ms: frame.captured_ms,
            received_ms,
            skipped,
            encoded: frame.encoded,
            error,
            reads,
            done: Box::new(done),
        })));
    }
}

impl Shed {
    fn count(&mut self, minute_ms: i64, lane: &str) {
        *self.untold.entry(minute_ms).or_default() += 1;
        if self.unsaid.0 != minute_ms {
            self.say(lane);
            self.unsaid.0 = minute_ms;
        }
        self.unsaid.1 += 1;
    }

    /// One line a lane and minute: each answer stands in the log at debug alone.
    fn say(&mut self, lane: &str) {
        let (minute_ms, frames) = self.unsaid;
        if frames > 0 {
            tracing::warn!(lane, frames, minute_ms, "frames were shed: newer ones displaced them, or nothing could take them");
            self.unsaid.1 = 0;
        }
    }
}

impl Gate {
    fn take(&mut self, sequence: u64) -> Option<UnderWay> {
        let one = self.under_way.remove(&sequence)?;
        self.by_key.remove(&one.key);
        Some(one)
    }

    /// Who waits for the triggers up to the one with this number.
    fn take_triggers(&mut self, trigger: u64) -> Vec<oneshot::Sender<Fate>> {
        let up_to = self.triggers.partition_point(|(number, _)| *number <= trigger);
        self.triggers.drain(..up_to).map(|(_, waiting)| waiting).collect()
    }
}

fn kept_reads(reads: &Reads) -> Vec<(u64, StoredRead)> {
    reads.tracks().iter().copied().zip(reads.iter().map(StoredRead::of)).collect()
}

/// What a frame that was kept before answers now.
fn replayed(stored: StoredFrame, received: Instant) -> Answer {
    if let Some(error) = stored.error {
        return Answer::Bad(error);
    }
    Answer::Kept(Kept {
        frame: stored.id,
        sequence: stored.sequence as u64,
        replay: true,
        skipped: 0,
        plates: stored.reads.into_iter().map(|read| read.line).collect(),
        took_ms: received.elapsed().as_secs_f64() * 1e3,
    })
}

/// What makes two submissions the same frame.
fn key_of(incoming: &Incoming, digest: &Sha) -> Sha {
    match &incoming.key {
        Some(key) => sha256(format!("key {key}").as_bytes()),
        None => {
            let mut text = b"frame ".to_vec();
            text.extend(digest);
            text.extend(format!(" {:?} {:?}", incoming.captured_ms, incoming.sequence).as_bytes());
            sha256(&text)
        }
    }
}

/// Whether a capture time, any that a sender writes, is near enough to when its frame came in.
pub(super) fn is_believed(said_ms: i64, received_ms: i64) -> bool {
    said_ms.abs_diff(received_ms) <= MAX_CLOCK_OFF_MS.unsigned_abs()
}

fn minute(now_ms: i64) -> i64 {
    now_ms.div_euclid(60_000) * 60_000
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
