//! The store's one writing thread: groups, syncs, commits, then answers. Invariants at the head of [`super`].

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::edge_reads::Came;
use super::evidence::{Evidence, hex};
use super::journal::Journal;
use super::quarantine::Quarantine;
use super::record::{Done, EdgeReadRecord, Fate, FrameRecord, Record};
use super::{Settings, State, edge_reads, recover, retention, rows, schema, sqlite};
use crate::error::{Error, Fault, Result};

/// The most records of one commit. 32 rows a commit were measured at 14,000 rows a second elsewhere; more only adds to the first one's wait.
pub const MAX_GROUP: usize = 64;

/// How long a group that is begun waits for more where several senders' frames come close together ([`CLOSE`]): the syncs of a group cost the processor as much as
/// the bytes of some frames. Where a port is as busy as sixteen lanes at two frames a second, none waits, nor does a sender who sends one after another.
const GATHER: Duration = Duration::from_millis(30);

/// Frames come close together while this many came within this time, and more than one of them in the last group.
const CLOSE: (usize, Duration) = (16, Duration::from_millis(160));

/// Records that wait in memory for the disk to have space again, and the bytes of their evidence; beyond that the store stops, and whatever can be is derived
/// from the reads after a restart.
const MAX_HELD: (usize, usize) = (10_000, 512 << 20);

/// Pages in the write-ahead log before they are brought into the database: SQLite's own default, 4 MB.
const CHECKPOINT_PAGES: i32 = 1_000;

const DAY_MS: i64 = 86_400_000;

/// Starts the writer; it ends when the other end of `records` is dropped, and holds `held` until then.
pub(super) fn start(
    mut connection: Connection,
    folder: &Path,
    settings: Settings,
    records: Receiver<Record>,
    (state, lost): (Arc<RwLock<State>>, Arc<AtomicU64>),
    held: File,
) -> Result<JoinHandle<()>> {
    let said = |name: &str, error: std::io::Error| Error::io(&error).in_(folder.join(name).display());
    let last =
        connection.query_row("SELECT coalesce(max(segment), 0) FROM frame WHERE segment IS NOT NULL", [], |row| row.get(0)).map_err(|error| sqlite(&error))?;
    let wal_pages = Arc::new(AtomicI32::new(0));
    let pages = Arc::clone(&wal_pages);
    let hook = move |_: &mut rusqlite::hooks::Wal, written| {
        pages.store(written, Ordering::Relaxed);
        Ok(())
    };
    connection.wal_hook(Some(hook)).map_err(|error| sqlite(&error))?;
    let mut writer = Writer {
        journal: Journal::open(&folder.join("journal"), last)?,
        evidence: Evidence::open(&folder.join("evidence")).map_err(|error| said("evidence", error))?,
        quarantine: Quarantine::open(&folder.join("quarantine"), settings.quarantine_bytes).map_err(|error| said("quarantine", error))?,
        deletion: schema::deletion(folder)?,
        connection,
        folder: folder.to_owned(),
        settings,
        state,
        lost,
        held: VecDeque::new(),
        sweeping: None,
        wal_pages,
        // What a crash left in it.
        unemptied: true,
    };
    writer.delete_unnamed(true);
    let body = move || {
        let _held = held;
        let _end = StopOnPanic(Arc::clone(&writer.state));
        writer.run(&records);
    };
    std::thread::Builder::new().name("custody".to_owned()).spawn(body).map_err(|error| Error::io(&error).in_("starting the store's thread"))
}

struct Writer {
    connection: Connection,
    journal: Journal,
    evidence: Evidence,
    quarantine: Quarantine,
    /// Locked alone while files are deleted.
    deletion: File,
    folder: PathBuf,
    settings: Settings,
    state: Arc<RwLock<State>>,
    /// As [`super::Custody::lost`] tells it.
    lost: Arc<AtomicU64>,
    /// What nobody waits for, and is not on the disk yet.
    held: VecDeque<Record>,
    /// The time of a sweep that is not over.
    sweeping: Option<i64>,
    /// Pages in the write-ahead log.
    wal_pages: Arc<AtomicI32>,
    /// Something was deleted that may still be readable in the log.
    unemptied: bool,
}

/// Why a group failed.
enum Failure {
    Full(String),
    Stopped(String),
}

impl Failure {
    fn io(what: &str, error: &std::io::Error) -> Failure {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Failure::Full(format!("{what}: the disk is full")),
            _ => Failure::Stopped(format!("{what}: {error}")),
        }
    }

    fn sqlite(error: &rusqlite::Error) -> Failure {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Failure::Full("the store's database: the disk is full".to_owned()),
            _ => Failure::Stopped(sqlite(error).message),
        }
    }
}

impl Writer {
    fn run(&mut self, records: &Receiver<Record>) {
        // When the last frames came, and how many of them in the last group.
        let (mut lately, mut frames) = (VecDeque::with_capacity(CLOSE.0 + MAX_GROUP), 0);
        loop {
            // While a sweep goes on, it fills the time in which nothing waits.
            let first = match self.sweeping {
                None => records.recv().map_err(|_| TryRecvError::Disconnected),
                Some(_) => records.try_recv(),
            };
            let mut group = match first {
                Ok(first) => vec![first],
                Err(TryRecvError::Empty) => Vec::new(),
                Err(TryRecvError::Disconnected) => break,
            };
            let now = Instant::now();
            let close_together = frames > 1 && lately.len() == CLOSE.0 && lately.front().is_some_and(|&first| now.duration_since(first) < CLOSE.1);
            let gathered = now + if close_together { GATHER } else { Duration::ZERO };
            while !group.is_empty()
                && group.len() < MAX_GROUP
                && let Ok(record) = records.recv_deadline(gathered)
            {
                group.push(record);
            }
            frames = group.iter().filter(|record| matches!(record, Record::Frame(_))).count();
            lately.extend(std::iter::repeat_n(now, frames));
            lately.drain(..lately.len().saturating_sub(CLOSE.0));
            self.group(group);
            self.sweep();
            self.checkpoint();
        }
        // Perhaps there is space now.
        if !self.held.is_empty() {
            self.group(Vec::new());
        }
        self.empty_log();
    }

    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who has stopped stays so (invariant 6), whoever stopped it; answers the state that it is in now.
    fn set_state(&self, state: State) -> State {
        let mut now = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*now, State::Stopped(_)) {
            *now = state;
        }
        now.clone()
    }

    /// Keeps a group, or refuses all of it.
    fn group(&mut self, group: Vec<Record>) {
        let state = self.state();
        if let State::Stopped(_) = state {
            group.into_iter().for_each(|record| record.refuse(&state));
            return;
        }
        let mut awaited = VecDeque::with_capacity(group.len());
        for record in group {
            match record {
                Record::Frame(_) | Record::EdgeRead(_) | Record::Change(..) => awaited.push_back(record),
                Record::Sweep { now_ms } => self.sweeping = Some(now_ms),
                Record::Sighting(_) | Record::Passage(_) | Record::Unread { .. } | Record::Shed { .. } => self.held.push_back(record),
            }
        }
        if awaited.is_empty() && self.held.is_empty() {
            return;
        }
        let (mut answers, mut bad) = (Vec::new(), Vec::new());
        match self.keep(&mut awaited, &mut answers, &mut bad) {
            Ok(()) => {
                self.held.clear();
                let state = self.set_state(State::Open);
                for (name, bytes, why) in bad {
                    self.quarantine.keep(name, &bytes, &why);
                }
                // Somebody's sync may have failed meanwhile: it is not acknowledged, though it may be there.
                let fate = |fate| if state == State::Open { fate } else { Fate::of(&state) };
                answers.into_iter().for_each(|(done, kept)| done(fate(kept)));
            }
            Err(failure) => {
                self.journal.give_up();
                let bytes: usize = self.held.iter().map(waiting_bytes).sum();
                let state = match failure {
                    Failure::Full(_) if self.held.len() > MAX_HELD.0 || bytes > MAX_HELD.1 => {
                        State::Stopped(format!("{} records wait for space on the disk: make room, then start garita again", self.held.len()))
                    }
                    Failure::Full(why) => State::Full(why),
                    Failure::Stopped(why) => State::Stopped(why),
                };
                tracing::error!(?state, refused = awaited.len() + answers.len(), waiting = self.held.len(), "the store refuses");
                let state = self.set_state(state);
                awaited.into_iter().for_each(|record| record.refuse(&state));
                answers.into_iter().for_each(|(done, _)| done(Fate::of(&state)));
            }
        }
    }

    /// Bytes, syncs, rows, files, commit. `awaited` is emptied as its rows are made; whoever waits for one stands in `answers` then.
    fn keep(
        &mut self,
        awaited: &mut VecDeque<Record>,
        answers: &mut Vec<(Done, Fate)>,
        bad: &mut Vec<(String, crate::bytes::Bytes, String)>,
    ) -> std::result::Result<(), Failure> {
        let journal_failed = |error: std::io::Error| Failure::io("the journal of frames", &error);
        let evidence_failed = |error: std::io::Error| Failure::io("evidence", &error);
        self.has_space()?;
        let (mut places, mut files) = (VecDeque::new(), Vec::new());
        for record in &*awaited {
            if let Record::Frame(frame) = record {
                places.push_back(self.journal.append(&frame.encoded, frame.received_ms).map_err(journal_failed)?);
            }
        }
        self.journal.sync().map_err(journal_failed)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| Failure::sqlite(&error))?;
        while let Some(record) = awaited.pop_front() {
            match record {
                Record::Frame(frame) => {
                    let place = places.pop_front().expect("one for each frame");
                    let row = alone(&transaction, |transaction| rows::insert_frame(transaction, &frame, place));
                    let FrameRecord { lane, digest, received_ms, encoded, error, done, .. } = *frame;
                    // Whoever waits for it must stand in `answers`, also when the group fails.
                    answers.push((done, Fate::Kept(0)));
                    let fate = row?;
                    if let (Fate::Kept(_), Some(error)) = (&fate, error) {
                        bad.push((format!("{received_ms}-{lane}-{}", &hex(&digest)[..12]), encoded, error.to_string()));
                    }
                    answers.last_mut().expect("pushed above").1 = fate;
                }
                Record::EdgeRead(read) => {
                    let (mut picture, mut came) = (false, Came::First);
                    let row = alone(&transaction, |transaction| {
                        edge_reads::insert(transaction, &read).map(|inserted| {
                            (picture, came) = (inserted.picture, inserted.came);
                            inserted.id
                        })
                    });
                    let EdgeReadRecord { picture: bytes, done, .. } = *read;
                    answers.push((Box::new(move |fate| done(fate, came)), Fate::Kept(0)));
                    answers.last_mut().expect("pushed above").1 = row?;
                    files.extend(bytes.filter(|_| picture));
                }
                Record::Change(change, done) => {
                    answers.push((done, Fate::Kept(0)));
                    answers.last_mut().expect("pushed above").1 = alone(&transaction, change)?;
                }
                Record::Sighting(_) | Record::Passage(_) | Record::Unread { .. } | Record::Shed { .. } | Record::Sweep { .. } => {
                    unreachable!("nobody waits for it")
                }
            }
        }
        let (strip_frames, journal, mut lost) = (self.settings.strip_frames, self.folder.join("journal"), 0);
        for record in &self.held {
            let mut needed = Vec::new();
            let fate = alone(&transaction, |transaction| {
                match record {
                    Record::Sighting(sighting) => rows::sight(transaction, sighting)?,
                    Record::Passage(passage) => needed = rows::insert_passage(transaction, passage, strip_frames, &journal)?,
                    Record::Unread { lane, track } => rows::close_track(transaction, lane, *track, "unread").map(|_| ())?,
                    Record::Shed { lane, minute_ms, frames } => rows::add_shed(transaction, lane, *minute_ms, *frames)?,
                    Record::Frame(_) | Record::EdgeRead(_) | Record::Change(..) | Record::Sweep { .. } => unreachable!("it is awaited"),
                }
                Ok(0)
            })?;
            match fate {
                Fate::Failed(error) => {
                    lost += 1;
                    tracing::error!(%error, "a record does not fit the store and is lost; please report this");
                }
                _ => files.append(&mut needed),
            }
        }
        let digests: Vec<_> = files.iter().map(|(digest, _)| *digest).collect();
        self.evidence.announce(&digests).map_err(evidence_failed)?;
        for (digest, bytes) in &files {
            self.evidence.write(bytes, digest).map_err(evidence_failed)?;
        }
        self.evidence.sync().map_err(evidence_failed)?;
        transaction.commit().map_err(|error| Failure::sqlite(&error))?;
        self.lost.fetch_add(lost, Ordering::Relaxed);
        Ok(())
    }

    /// That as much is free as must be.
    fn has_space(&self) -> std::result::Result<(), Failure> {
        let space = rustix::fs::statvfs(&self.folder).map_err(|error| Failure::Stopped(format!("{}: {error}", self.folder.display())))?;
        if space.f_bavail * space.f_frsize < self.settings.free_bytes {
            return Err(Failure::Full(format!("{}: less than {} MB are free", self.folder.display(), self.settings.free_bytes.div_ceil(1 << 20))));
        }
        Ok(())
    }

    /// A full store takes things in again once there is space, without waiting for one to try: who asks whether it is ready may send nothing before it is.
    fn heal(&mut self) {
        if matches!(self.state(), State::Full(_)) && self.has_space().is_ok() {
            match self.held.is_empty() {
                true => _ = self.set_state(State::Open),
                false => self.group(Vec::new()),
            }
        }
    }

    /// One step of a sweep that is due; also on a full disk, which may heal by it.
    fn sweep(&mut self) {
        // After a failed sync nobody knows which rows there are: no file may go.
        if let State::Stopped(_) = self.state() {
            self.sweeping = None;
            return;
        }
        let Some(now_ms) = self.sweeping else { return self.delete_unnamed(false) };
        let step = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| Failure::sqlite(&error))?;
            let swept = retention::sweep(&transaction, now_ms, &self.settings).map_err(|error| Failure::sqlite(&error))?;
            self.evidence.announce(&swept.digests).map_err(|error| Failure::io("evidence", &error))?;
            transaction.commit().map_err(|error| Failure::sqlite(&error))?;
            Ok(swept)
        })();
        match step {
            Ok(swept) => {
                self.sweeping = self.sweeping.filter(|_| swept.more);
                self.delete_unnamed(!swept.more);
                self.unemptied |= swept.rows > 0;
                if self.unemptied && !swept.more {
                    self.empty_log();
                }
                if !swept.more
                    && let Err(error) = self.quarantine.expire(now_ms - DAY_MS * i64::from(self.settings.passages_days))
                {
                    tracing::error!(%error, "what is in quarantine and has had its time could not be deleted; the next sweep tries again");
                }
                self.heal();
            }
            Err(failure) => {
                self.sweeping = None;
                self.failed("nothing could be deleted", failure);
            }
        }
    }

    /// Deletes files that no row names any more (segments of the journal only if told to: that looks at all of them), unless somebody checks or copies the
    /// store: then the next sweep does.
    fn delete_unnamed(&mut self, segments: bool) {
        if !segments && !self.evidence.is_unsettled() || self.deletion.try_lock().is_err() {
            return;
        }
        // Where nothing comes any more, the last frames have their time as well.
        if segments && self.journal.current().is_some_and(|current| matches!(recover::is_named(&self.connection, current), Ok(false))) {
            self.journal.give_up();
        }
        let segments = if segments { recover::delete_segments(&self.connection, &self.folder.join("journal"), self.journal.current()) } else { Ok(()) };
        let said = |error: std::io::Error| Error::io(&error).in_("evidence");
        let evidence = self.evidence.settle(&self.connection).map_err(|error| sqlite(&error)).and_then(|settled| settled.map_err(said));
        if let Err(error) = segments.and(evidence) {
            tracing::error!(%error, "what no row names could not be deleted; the next sweep tries again");
        }
        let _ = self.deletion.unlock();
    }

    /// Brings the write-ahead log into the database when it has grown.
    fn checkpoint(&mut self) {
        if self.wal_pages.load(Ordering::Relaxed) >= CHECKPOINT_PAGES {
            self.pragma("PRAGMA wal_checkpoint(PASSIVE)");
        }
    }

    /// After a deletion, so that nothing that was deleted stays readable in the log, and at the end; not while a reader is at it: then the next sweep does it.
    fn empty_log(&mut self) {
        let _ = self.connection.busy_timeout(Duration::ZERO);
        self.unemptied = !self.pragma("PRAGMA wal_checkpoint(TRUNCATE)");
        let _ = self.connection.busy_timeout(schema::PATIENCE);
    }

    /// Runs a checkpoint; whether it went all the way.
    fn pragma(&mut self, pragma: &str) -> bool {
        if let State::Stopped(_) = self.state() {
            return false;
        }
        match self.connection.query_row(pragma, [], |row| row.get::<_, bool>(0)) {
            Ok(busy) => {
                self.wal_pages.store(0, Ordering::Relaxed);
                !busy
            }
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => false,
            Err(error) => {
                self.failed("the write-ahead log could not be brought into the database", Failure::sqlite(&error));
                false
            }
        }
    }

    /// A failure of what no sender waits for.
    fn failed(&self, what: &str, failure: Failure) {
        let state = match failure {
            Failure::Full(why) => State::Full(why),
            Failure::Stopped(why) => State::Stopped(why),
        };
        tracing::error!(?state, "{what}");
        self.set_state(state);
    }
}

/// Bytes that a record holds in memory.
fn waiting_bytes(record: &Record) -> usize {
    match record {
        Record::Passage(passage) => passage.passage.evidence.encoded.len(),
        _ => 0,
    }
}

/// Should the writer panic, the store says so instead of looking well.
struct StopOnPanic(Arc<RwLock<State>>);

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = State::Stopped("the store's writer panicked; see the log".to_owned());
        }
    }
}

/// Runs one record's change so that its failure undoes only itself; a full or broken disk fails the group.
fn alone(transaction: &Transaction<'_>, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<i64>) -> std::result::Result<Fate, Failure> {
    let group = |error: rusqlite::Error| Failure::sqlite(&error);
    transaction.prepare_cached("SAVEPOINT one").and_then(|mut begin| begin.execute([])).map_err(group)?;
    match change(transaction) {
        Ok(row) => {
            transaction.prepare_cached("RELEASE one").and_then(|mut end| end.execute([])).map_err(group)?;
            Ok(Fate::Kept(row))
        }
        Err(error) => match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure | rusqlite::ErrorCode::DatabaseCorrupt) => Err(group(error)),
            _ => {
                transaction.execute_batch("ROLLBACK TO one; RELEASE one").map_err(group)?;
                Ok(Fate::Failed(Error::new(Fault::Caller, error.to_string()).in_("the store")))
            }
        },
    }
}
