//! What the writer is given.

use rusqlite::Transaction;
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};

use super::State;
use super::edge_reads::Came;
use super::evidence::Sha;
use crate::bytes::Bytes;
use crate::error::Error;
use crate::lane::detect::PlateBox;
use crate::lane::hit::Hit;
use crate::lane::line::PlateLine;
use crate::lane::passage::Passage;
use crate::lane::read::{Code, Jurisdiction, PlateRead};
use crate::posterior::{Position, Posterior, Text, symbol};

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// Durable; its row's number.
    Kept(i64),
    /// Refused and rolled back: the disk is full.
    Full(String),
    /// Refused: the store takes nothing any more.
    Stopped(String),
    /// Refused for a reason of its own.
    Failed(Error),
}

impl Fate {
    /// Of what a store in this state refuses.
    pub(crate) fn of(state: &State) -> Fate {
        match state {
            State::Full(why) => Fate::Full(why.clone()),
            State::Stopped(why) => Fate::Stopped(why.clone()),
            State::Open => Fate::Stopped("the store has ended".to_owned()),
        }
    }
}

/// Called once, when a record's fate is known, on the writer's thread: it must not wait.
pub type Done = Box<dyn FnOnce(Fate) + Send>;

/// A change of rows; answers a number for whoever waits.
pub type Change = Box<dyn FnOnce(&Transaction<'_>) -> rusqlite::Result<i64> + Send>;

/// One thing to keep.
pub enum Record {
    /// A frame that was looked at.
    Frame(Box<FrameRecord>),
    /// A read that meets the watchlist.
    Sighting(Box<SightingRecord>),
    /// A vehicle that has passed.
    Passage(Box<PassageRecord>),
    /// A plate that has gone without a character read.
    Unread {
        /// The lane's id.
        lane: String,
        /// Its number.
        track: u64,
    },
    /// Frames that were displaced.
    Shed {
        /// The lane's id.
        lane: String,
        /// The minute, milliseconds since the Unix epoch.
        minute_ms: i64,
        /// How many.
        frames: u64,
    },
    /// What a camera read by itself.
    EdgeRead(Box<EdgeReadRecord>),
    /// Any other change, made in the group's transaction after its frames so far, before its sightings and passages; answers the number that [`Fate::Kept`] tells.
    /// Once that is told, all sightings and passages that were put before it are durable too: with it, or earlier.
    Change(Change, Done),
    /// Time to delete what has had its time.
    Sweep {
        /// Now, milliseconds since the Unix epoch.
        now_ms: i64,
    },
}

impl Record {
    /// Tells whoever waits that it was not kept.
    pub(crate) fn refuse(self, state: &State) {
        let fate = Fate::of(state);
        match self {
            Record::Frame(frame) => (frame.done)(fate),
            Record::EdgeRead(read) => (read.done)(fate, Came::First),
            Record::Change(_, done) => done(fate),
            Record::Passage(_) | Record::Sighting(_) | Record::Unread { .. } | Record::Shed { .. } | Record::Sweep { .. } => {}
        }
    }
}

/// A frame that was looked at.
pub struct FrameRecord {
    /// The lane's id.
    pub lane: String,
    /// Its number in the lane.
    pub sequence: u64,
    /// What makes two submissions the same frame.
    pub key: Sha,
    /// SHA-256 of its bytes.
    pub digest: Sha,
    /// The sender's own count.
    pub sender_sequence: Option<i64>,
    /// When it was captured, milliseconds since the Unix epoch.
    pub captured_ms: i64,
    /// When it came in, milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// Frames displaced since the one before.
    pub skipped: u32,
    /// The file.
    pub encoded: Bytes,
    /// Why it could not be looked at, for a bad one; its bytes go into quarantine.
    pub error: Option<Error>,
    /// Its reads, and the track that each joined.
    pub reads: Vec<(u64, StoredRead)>,
    /// Told its fate.
    pub done: Done,
}

/// What a camera read by itself.
pub struct EdgeReadRecord {
    /// The lane's id.
    pub lane: String,
    /// What makes two events the same.
    pub key: Sha,
    /// All that it says, where its sender has a name for it.
    pub event: Option<Sha>,
    /// Its text, letters and digits alone.
    pub text: String,
    /// As the camera writes it.
    pub written: String,
    /// How sure it is, 0..=1, by its own measure.
    pub confidence: Option<f32>,
    /// Who issued the plate; empty where it does not say.
    pub jurisdiction: String,
    /// `approaching`, `leaving`.
    pub direction: Option<&'static str>,
    /// When, milliseconds since the Unix epoch.
    pub captured_ms: i64,
    /// When it came in, milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// The frame that its picture was looked at as.
    pub frame: Option<i64>,
    /// Its picture, and the SHA-256 of that.
    pub picture: Option<(Sha, Bytes)>,
    /// Whom it may be by itself.
    pub hits: Vec<Hit>,
    /// Told its fate, and of one that was kept whether it had come before; as [`Done`].
    pub done: Box<dyn FnOnce(Fate, Came) + Send>,
}

/// A read that meets the watchlist.
pub struct SightingRecord {
    /// The lane's id.
    pub lane: String,
    /// The number of its vehicle.
    pub track: u64,
    /// The frame's number in the lane.
    pub sequence: u64,
    /// Whom it may be.
    pub hits: Vec<Hit>,
    /// Now, milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// How long ago the frame came in, milliseconds by a clock that never jumps; `None` where none ran that long.
    pub after_ms: Option<i64>,
}

/// A vehicle that has passed.
pub struct PassageRecord {
    /// The lane's id.
    pub lane: String,
    /// The passage.
    pub passage: Passage,
    /// Whom it may be.
    pub hits: Vec<Hit>,
    /// Now, milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// How long ago its evidence's frame came in, milliseconds by a clock that never jumps; `None` where none ran that long.
    pub after_ms: Option<i64>,
}

/// A read, complete enough to be given back to its lane after a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredRead {
    /// What others are told of it.
    #[serde(flatten)]
    pub line: PlateLine,
    /// The detector's score.
    score: f32,
    /// The decoder's own probability.
    probability: f32,
    /// Per position, the probability that nothing is there.
    absent: Vec<f32>,
    /// Whether it took further looks.
    looked_again: bool,
}

impl StoredRead {
    /// From a lane's read.
    pub fn of(read: &PlateRead) -> StoredRead {
        StoredRead {
            line: PlateLine::of(read, &[]),
            score: read.plate.score,
            probability: read.probability,
            absent: read.posterior.positions().iter().map(|position| position.absent).collect(),
            looked_again: read.looked_again,
        }
    }

    /// The lane's read again; what the alternatives leave of a position's probability is spread over the characters not named.
    pub fn to_read(&self) -> PlateRead {
        let mut posterior = Posterior::default();
        for (alternatives, &absent) in self.line.chars.iter().zip(&self.absent) {
            let named: f32 = alternatives.iter().map(|one| one.1).sum();
            let rest = (1.0 - named).max(0.0) / (36 - alternatives.len().min(35)) as f32;
            let mut characters = [rest; 36];
            for &(character, probability) in alternatives {
                if let Some(index) = u8::try_from(character).ok().and_then(symbol) {
                    characters[index] = probability;
                }
            }
            posterior.push(Position { characters, absent });
        }
        PlateRead {
            plate: PlateBox { corners: self.line.corners, score: self.score },
            text: Text::of(&self.line.text).unwrap_or_default(),
            posterior,
            probability: self.probability,
            confidence: self.line.confidence,
            looked_again: self.looked_again,
            jurisdiction: self.line.jurisdiction.as_ref().and_then(|one| Some(Jurisdiction { code: Code::of(&one.code)?, confidence: one.confidence })),
        }
    }

    /// As a column of the database.
    pub(crate) fn to_column(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }

    /// From a column of the database.
    pub(crate) fn from_column(value: ValueRef<'_>) -> rusqlite::Result<StoredRead> {
        let text = value.as_str()?;
        serde_json::from_str(text).map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))
    }
}
