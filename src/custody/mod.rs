//! What must never be lost: frames, reads, passages, hits and scans, from the moment that their sender was told so.
//!
//! # Invariants
//!
//! `garita check` verifies each by its number ([`check`]); nothing is repaired silently. What verifying costs is said there.
//!
//! 1. *Acknowledged means durable.* A sender is told "kept" only after the commit (WAL, `synchronous=FULL`) of the row that holds its result, and that
//!    commit comes after the sync of the bytes that the row names. A trigger is
//!    acknowledged only after the commit of what it ended: no track that was open before it is given back to its lane.
//! 2. *Every row's bytes are there.* A frame's row names a segment, offset and length inside the journal, or none once they were deleted on purpose; an
//!    evidence row names a file by the SHA-256 of its contents, complete and synced under that name; a scan's row likewise.
//! 3. *Once.* A lane holds one frame per idempotency key and per sequence, one passage per track; a passage holds one hit per entry; a portal holds one
//!    scan per idempotency key. A lane's numbers never come back, even when what bore them has had its time; nor do those of frames, passages, hits, scans and edge reads.
//! 4. *A read belongs to one track, and a track is open, or has passed (one passage), or was never read.* Open tracks are given back to the lane at start. A
//!    passage keeps the reads that were stored when it had passed; a scan that was inspected has its summary, and the cars that it speaks of.
//! 5. *Bytes without a row are nobody's.* They come from a crash between sync and commit, or between commit and deletion, and are deleted at start and with
//!    the next sweep. Every such file is known: a segment that no row names, evidence in the list of the unsettled ([`evidence`]), a scan whose upload still has
//!    it, or of which the audit trail says that it was deleted ([`strays`]). What else lies there is deleted by nobody, and is told.
//! 6. *A store that failed to sync never acknowledges again* until it is opened anew, be it the writer's sync or that of an upload: what the disk holds is unknown
//!    after that. A full disk is not that: what did not fit is refused and rolled back, and the store heals when space returns.
//! 7. *The schema is the newest.* Older files are migrated at start, in one transaction each version; newer ones are refused.
//! 8. *What was recorded stays.* Every record of the audit trail goes with its digest and the record before it ([`crate::audit`]); none is ever changed or deleted,
//!    and nobody decides, holds or proposes anything without one.
//! 9. *Every hit is a case, decided by the rules* of [`crate::review`]: nobody twice, two persons where the entry wants two. No case, nor a car's, is decided by nobody.
//!
//! # How
//!
//! One thread writes ([`writer`]). It takes what has queued up, at most [`writer::MAX_GROUP`] records (where frames come close together it waits 30 ms for more), appends the frames' bytes to the journal and syncs it once, writes evidence
//! files, commits all rows in one transaction, and only then answers: group commit, measured elsewhere at 14,000 rows a second against 500 with a commit each. Readers have
//! their own connections and are never in the writer's way (WAL).
//!
//! Frames lie in *segments* of the journal, files of some minutes that are deleted whole when everything in them has had its time: one sync a group instead of
//! one or two a frame, and no hole to punch. What a passage needs as evidence is copied out into files of its own.
//!
//! What nobody waits for (passages, sightings, counts) waits in memory while the disk is full, and is kept when space returns.
//!
//! Considered: a file per frame (two syncs each: a third of the frames on the disk this was tried on), frames in the database (WAL and checkpoint write each twice).
//!
//! # What leaves
//!
//! [`outbox`] holds events until each webhook has taken them, [`told`] is how rows are told to others, [`search`] finds passages by plate and time, [`outages`] says what lanes
//! cannot have seen, [`lookback`] what has passed before an entry was filed. [`edge_reads`] are what cameras read by themselves.

pub mod check;
pub mod copy;
pub mod edge_reads;
pub mod evidence;
pub mod journal;
pub mod keeping;
pub mod lookback;
pub mod outages;
pub mod outbox;
pub mod proposals;
mod quarantine;
pub mod record;
pub mod recover;
mod retention;
mod rows;
pub mod scans;
pub mod schema;
pub mod search;
pub mod strays;
pub mod told;
pub mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::error::{Error, Fault, Result};
use crate::site::RetentionRule;
use record::{Record, StoredRead};

/// Records that wait for the writer before whoever brings them waits too: some groups.
const WAITING_RECORDS: usize = 256;
/// Connections that read.
const READERS: usize = 4;

/// How the store is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Frames that belong to no passage are deleted after this long, milliseconds.
    pub frames_without_passage_ms: i64,
    /// Frames of a passage with a hit that are kept as its film strip, beside the evidence frame.
    pub strip_frames: usize,
    /// Quarantined originals are kept up to this many bytes; the oldest give way.
    pub quarantine_bytes: u64,
    /// Below this much free space nothing is taken in any more, so that the database itself never meets a full disk in the middle of something.
    pub free_bytes: u64,
    /// Passages that no hit names are deleted after this many days, with their frames and evidence.
    pub passages_days: u32,
    /// Hits and their passages are deleted after this many days; not before `passages_days`.
    pub hits_days: u32,
    /// Scans that no entry met are deleted after this many days.
    pub scans_days: u32,
    /// What is kept for another time.
    pub rules: Vec<RetentionRule>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            frames_without_passage_ms: 600_000,
            strip_frames: 12,
            quarantine_bytes: 256 << 20,
            free_bytes: 64 << 20,
            passages_days: 30,
            hits_days: 365,
            scans_days: 90,
            rules: Vec::new(),
        }
    }
}

/// Whether the store takes anything in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does.
    Open,
    /// The disk is full; it will again when space returns.
    Full(String),
    /// It failed to sync or is damaged; it will not until it is opened anew.
    Stopped(String),
}

/// The store of one site. Cheap to clone.
#[derive(Clone)]
pub struct Custody {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    queue: Mutex<Option<Sender<Record>>>,
    state: Arc<RwLock<State>>,
    lost: Arc<AtomicU64>,
    readers: Vec<Mutex<Connection>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Custody {
    /// Opens the store in `folder`, making or migrating it, deletes what was never acknowledged (invariant 5), and starts its writer.
    ///
    /// # Errors
    /// `Machine` where the folder cannot be written or another process holds it, `Unsupported` for a store of a newer garita or a database of somebody else,
    /// `Damaged` for one that is no database, or is missing beside its files.
    pub fn open(folder: &Path, settings: Settings) -> Result<Custody> {
        for name in ["", "journal", "evidence", "quarantine", "uploads", "scans"] {
            let path = folder.join(name);
            std::fs::create_dir_all(&path).map_err(|error| Error::io(&error).in_(path.display()))?;
        }
        let held = schema::hold(folder)?;
        let path = database(folder);
        let mut connection = schema::open(&path)?;
        if schema::version(&connection)? == 0 {
            recover::refuse_headless(folder)?;
        }
        schema::migrate(&mut connection).map_err(|error| error.in_(path.display()))?;
        // After the migrations, which may have more to sort than fits.
        schema::keep_in_memory(&connection).map_err(|error| error.in_(path.display()))?;
        strays::sweep_scans(&connection, folder)?;
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| Error::io(&error).in_(folder.display()))?;
        let readers = (0..READERS).map(|_| reader(folder).map(Mutex::new)).collect::<Result<_>>()?;
        let (queue, records) = bounded(WAITING_RECORDS);
        let state = Arc::new(RwLock::new(State::Open));
        let lost = Arc::new(AtomicU64::new(0));
        let writer = writer::start(connection, folder, settings, records, (Arc::clone(&state), Arc::clone(&lost)), held)?;
        let shared = Shared { folder: folder.to_owned(), queue: Mutex::new(Some(queue)), state, lost, readers, writer: Mutex::new(Some(writer)) };
        Ok(Custody { shared: Arc::new(shared) })
    }

    /// Hands a record to the writer; waits while [`WAITING_RECORDS`] others wait. Its `done`, where it has one, is called when its fate is known.
    pub fn put(&self, record: Record) {
        let queue = lock(&self.shared.queue).clone();
        match queue {
            Some(queue) => {
                if let Err(refused) = queue.send(record) {
                    refused.0.refuse(&State::Stopped("the store's writer has ended".to_owned()));
                }
            }
            None => record.refuse(&State::Stopped("the store is closed".to_owned())),
        }
    }

    /// Records that wait for the writer.
    pub fn waiting(&self) -> usize {
        lock(&self.shared.queue).as_ref().map_or(0, Sender::len)
    }

    /// Takes nothing in any more, until it is opened anew: the sync of a file that others keep in the store's folder failed (invariant 6).
    pub fn stop(&self, why: &str) {
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::Stopped(_)) {
            tracing::error!(why, "the store stops");
            *state = State::Stopped(why.to_owned());
        }
    }

    /// Whether it takes anything in.
    pub fn state(&self) -> State {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records that nobody waits for (passages, sightings, counts) and that could not be kept, since it was opened: they contradict what is there. Frames and
    /// reads that they are made of are in the store.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Writes what waits, and ends the writer. Records put after this are refused.
    pub fn close(&self) {
        lock(&self.shared.queue).take();
        if let Some(writer) = lock(&self.shared.writer).take() {
            let _ = writer.join();
        }
    }

    /// Asks the store something on one of its reading connections.
    ///
    /// # Errors
    /// `Machine` with what SQLite says.
    pub fn ask<Answer>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<Answer>) -> Result<Answer> {
        let free = self.shared.readers.iter().find_map(|reader| reader.try_lock().ok());
        let reader = free.unwrap_or_else(|| lock(&self.shared.readers[0]));
        question(&reader).map_err(|error| sqlite(&error).in_(database(&self.shared.folder).display()))
    }

    /// The frame of `lane` with this idempotency key, if it was kept.
    ///
    /// # Errors
    /// `Machine` with what SQLite says.
    pub fn frame(&self, lane: &str, key: &[u8; 32]) -> Result<Option<StoredFrame>> {
        self.ask(|connection| {
            let row = connection
                .prepare_cached("SELECT id, sequence, digest, error, fault FROM frame WHERE lane = ?1 AND key = ?2")?
                .query_row(params![lane, key], |row| {
                    let error: Option<String> = row.get(3)?;
                    let fault: Option<String> = row.get(4)?;
                    let error = error.map(|message| Error::new(fault.and_then(|name| Fault::named(&name)).unwrap_or(Fault::Damaged), message));
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, error))
                })
                .optional()?;
            let Some((id, sequence, digest, error)) = row else { return Ok(None) };
            let mut statement = connection.prepare_cached("SELECT seen FROM read WHERE frame = ?1 ORDER BY number")?;
            let reads = statement.query_map([id], |row| StoredRead::from_column(row.get_ref(0)?))?.collect::<rusqlite::Result<_>>()?;
            Ok(Some(StoredFrame { id, sequence, digest, error, reads }))
        })
    }
}

/// A frame as the store holds it.
#[derive(Debug, Clone)]
pub struct StoredFrame {
    /// Its number in the store.
    pub id: i64,
    /// Its number in its lane.
    pub sequence: i64,
    /// SHA-256 of its bytes.
    pub digest: evidence::Sha,
    /// Why it could not be looked at, for a bad one.
    pub error: Option<Error>,
    /// Its reads.
    pub reads: Vec<StoredRead>,
}

/// A connection that reads the store in `folder`, also of one that a server has open.
///
/// # Errors
/// `Machine` with what SQLite says.
pub fn reader(folder: &Path) -> Result<Connection> {
    let path = database(folder);
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    connection.and_then(|connection| connection.busy_timeout(schema::PATIENCE).map(|()| connection)).map_err(|error| sqlite(&error).in_(path.display()))
}

/// A connection that writes the store in `folder` beside a server that may have it open: for a change by hand, one short transaction.
///
/// # Errors
/// `Caller` where there is no store, or one of an older garita; `Unsupported` for one of a newer; `Machine` with what SQLite says.
pub fn writer_beside(folder: &Path) -> Result<Connection> {
    let path = database(folder);
    if !path.is_file() {
        return Err(Error::new(Fault::Caller, "is no store: there is no garita.db in it").in_(folder.display()));
    }
    let connection = schema::open(&path)?;
    let version = schema::version(&connection)?;
    if version != schema::VERSION {
        return Err(Error::new(Fault::Caller, format!("is of version {version}, not {}: start garita once, which brings it there", schema::VERSION))
            .in_(path.display()));
    }
    Ok(connection)
}

/// The database file of a store.
pub fn database(folder: &Path) -> PathBuf {
    folder.join("garita.db")
}

/// What SQLite says, as garita says it.
pub(crate) fn sqlite(error: &rusqlite::Error) -> Error {
    let fault = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => Fault::Damaged,
        _ => Fault::Machine,
    };
    Error::new(fault, format!("the store's database: {error}"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
