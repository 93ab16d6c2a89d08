//! A source of frames that the service fetches itself - a camera pulled, a folder watched - and how it is doing.
//!
//! *One alarm per incident.* A source that was up and fails is *down*: said once, however often it is tried and however it flaps. It is *up* again after
//! frames have come for [`Patience::steady`] without a failure. What is said is the link's state and since when, in the log, in `/metrics`, and to whoever watches.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::RngExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::door::{Answer, Incoming, now_ms};
use super::metrics;
use crate::error::{Error, Fault, Result};

/// How long a source is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Before the first new attempt after a failure; doubled by each further one.
    pub first_wait: Duration,
    /// The most that is waited between attempts.
    pub most_wait: Duration,
    /// For a connection, an answer, and from one picture to the next.
    pub stall: Duration,
    /// How long frames must come without a failure until a source that was down is up.
    pub steady: Duration,
}

impl Default for Patience {
    /// A guess: a camera restarts within a minute, and the slowest useful one sends a picture every few seconds.
    fn default() -> Patience {
        let seconds = Duration::from_secs;
        Patience { first_wait: Duration::from_millis(500), most_wait: seconds(30), stall: seconds(10), steady: seconds(10) }
    }
}

/// Whether frames come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Not known yet.
    Starting,
    /// They do.
    Up {
        /// Milliseconds since the Unix epoch.
        since_ms: i64,
    },
    /// They do not: one incident, until it is up again.
    Down {
        /// Milliseconds since the Unix epoch.
        since_ms: i64,
        /// What failed first.
        why: String,
    },
}

/// What a source has counted.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections made to a camera.
    pub connects: AtomicU64,
    /// Pictures that came whole.
    pub frames: AtomicU64,
    /// Of these, handed in; the others were passed over for a newer one.
    pub submitted: AtomicU64,
    /// Packets or pictures that the stream says it lost on the way.
    pub lost: AtomicU64,
    /// Times that it went from up to down.
    pub incidents: AtomicU64,
}

/// One source.
#[derive(Debug)]
pub struct Source {
    /// The lane's id, and which of its sources: what it is called in the log and in metrics.
    lane: String,
    kind: &'static str,
    link: watch::Sender<Link>,
    /// Since when frames have come without a failure.
    well_since: Mutex<Option<Instant>>,
    /// What was counted.
    pub counts: Counts,
}

impl Source {
    /// A source of a lane, "pull" or "folder", not known yet to be up or down.
    #[must_use]
    pub fn new(lane: &str, kind: &'static str) -> Source {
        metrics::source(lane, kind);
        Source { lane: lane.to_owned(), kind, link: watch::Sender::new(Link::Starting), well_since: Mutex::default(), counts: Counts::default() }
    }

    /// Its lane's id.
    #[must_use]
    pub fn lane(&self) -> &str {
        &self.lane
    }

    /// Its state, and each change of it.
    #[must_use]
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    /// All of it, for the status page.
    #[must_use]
    pub fn told(&self) -> Value {
        let (link, since_ms, why) = match &*self.link.borrow() {
            Link::Starting => ("starting", None, None),
            Link::Up { since_ms } => ("up", Some(*since_ms), None),
            Link::Down { since_ms, why } => ("down", Some(*since_ms), Some(why.clone())),
        };
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        json!({
            "link": link, "since_ms": since_ms, "why": why, "connects": of(&self.counts.connects), "frames": of(&self.counts.frames),
            "submitted": of(&self.counts.submitted), "lost": of(&self.counts.lost), "incidents": of(&self.counts.incidents),
        })
    }

    /// A connection was made.
    pub(super) fn connected(&self) {
        self.counts.connects.fetch_add(1, Ordering::Relaxed);
        metrics::source_connected(&self.lane);
    }

    /// A picture came whole: it is well, and up once it has been so for long enough.
    pub(super) fn frame(&self, patience: &Patience) {
        self.counts.frames.fetch_add(1, Ordering::Relaxed);
        self.well(patience);
    }

    /// It does what it should.
    pub(super) fn well(&self, patience: &Patience) {
        let well_for = {
            let mut since = self.well_since.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            since.get_or_insert_with(Instant::now).elapsed()
        };
        self.link.send_if_modified(|link| {
            let up = match link {
                Link::Up { .. } => false,
                Link::Starting => true,
                Link::Down { .. } => well_for >= patience.steady,
            };
            if up {
                let down_ms = if let Link::Down { since_ms, .. } = link { Some(now_ms() - *since_ms) } else { None };
                tracing::info!(lane = self.lane, source = self.kind, down_ms, "frames come");
                metrics::source_up(&self.lane, self.kind, true);
                *link = Link::Up { since_ms: now_ms() };
            }
            up
        });
    }

    /// It failed. Said unless it was down before.
    pub(super) fn failed(&self, error: &Error) {
        *self.well_since.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
        self.link.send_if_modified(|link| {
            let fell = !matches!(link, Link::Down { .. });
            if fell {
                self.counts.incidents.fetch_add(1, Ordering::Relaxed);
                tracing::error!(lane = self.lane, source = self.kind, %error, "no frames come; it is tried again until they do");
                metrics::source_up(&self.lane, self.kind, false);
                *link = Link::Down { since_ms: now_ms(), why: error.to_string() };
            }
            fell
        });
    }
}

/// Waits between attempts: twice as long after each failure, and never the same for many cameras at once.
#[derive(Debug)]
pub(super) struct Backoff {
    patience: Patience,
    wait: Duration,
}

impl Backoff {
    pub(super) fn new(patience: Patience) -> Backoff {
        Backoff { patience, wait: patience.first_wait }
    }

    pub(super) fn reset(&mut self) {
        self.wait = self.patience.first_wait;
    }

    /// Between half of it and all of it.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.wait.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.wait = (self.wait * 2).min(self.patience.most_wait);
        wait
    }
}

/// One picture of a stream.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) bytes: bytes::Bytes,
    pub(super) captured_ms: i64,
    pub(super) sequence: u64,
}

/// The newest picture of a stream; what it replaces is passed over.
pub(super) type Newest = watch::Sender<Option<Picture>>;

/// Keeps `session` going, from failure to failure, and hands in the newest picture it has left at most `fps` times a second. Ends only by being dropped.
pub(super) async fn keep<S, Session, F, Fut>(lane: usize, fps: f64, patience: Patience, source: &Source, submit: F, session: S)
where
    S: Fn(Newest) -> Session,
    Session: Future<Output = Result<()>>,
    F: Fn(Incoming) -> Fut,
    Fut: Future<Output = Answer>,
{
    let newest = Newest::new(None);
    let fetching = async {
        let mut backoff = Backoff::new(patience);
        loop {
            let (begun, before) = (Instant::now(), source.counts.frames.load(Ordering::Relaxed));
            let ended = session(newest.clone()).await;
            let error = ended.err().unwrap_or_else(|| Error::new(Fault::Machine, "the camera ended the stream"));
            source.failed(&error.in_(format!("lane {}", source.lane)));
            if begun.elapsed() >= patience.steady && source.counts.frames.load(Ordering::Relaxed) > before {
                backoff.reset();
            }
            tokio::time::sleep(backoff.next()).await;
        }
    };
    let handing_in = async {
        let mut pictures = newest.subscribe();
        let mut bad_before = false;
        while pictures.changed().await.is_ok() {
            let Some(picture) = pictures.borrow_and_update().clone() else { continue };
            let next = Instant::now() + Duration::from_secs_f64(1.0 / fps);
            source.counts.submitted.fetch_add(1, Ordering::Relaxed);
            let Picture { bytes, captured_ms, sequence } = picture;
            let answer = submit(Incoming { lane, bytes, captured_ms: Some(captured_ms), sequence: Some(sequence), digest: None, key: None }).await;
            if let Answer::Bad(error) = &answer
                && !bad_before
            {
                tracing::warn!(lane = source.lane, %error, "the camera sends bad frames; said once until a good one comes");
            }
            bad_before = matches!(answer, Answer::Bad(_));
            tokio::time::sleep_until(next).await;
        }
    };
    tokio::join!(fetching, handing_in);
}
