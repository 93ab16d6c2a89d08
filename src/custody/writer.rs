//! The store's one writing thread: groups, syncs, commits, then answers. Invariants at the head of [`super`].

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use crossbeam_channel::Receiver;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::evidence::{Evidence, sha256};
use super::journal::{self, Journal, Place};
use super::record::{Done, Fate, FrameRecord, PassageRecord, Record, SightingRecord, StoredRead};
use super::{Settings, State, quarantine, sqlite};
use crate::error::{Error, Fault, Result};
use crate::lane::hit::Hit;

/// The most records of one commit. 32 rows a commit were measured at 14,000 rows a second elsewhere; more only adds to the first one's wait.
pub const MAX_GROUP: usize = 64;

/// Passages that wait in memory for the disk to have space again; they can be derived from their reads after a restart too.
const MAX_HELD: usize = 10_000;

/// Below this much free space nothing is taken in any more, so that the database itself never meets a full disk in the middle of a checkpoint.
pub const RESERVE_BYTES: u64 = 24 << 20;

/// Starts the writer; it ends when the other end of `records` is dropped, and holds `held` until then.
pub(super) fn start(
    connection: Connection,
    folder: &Path,
    settings: Settings,
    records: Receiver<Record>,
    state: Arc<RwLock<State>>,
    held: File,
) -> Result<JoinHandle<()>> {
    let mut writer = Writer {
        connection,
        journal: Journal::open(&folder.join("journal"))?,
        evidence: Evidence::new(&folder.join("evidence")),
        folder: folder.to_owned(),
        settings,
        state,
        held: VecDeque::new(),
    };
    let body = move || {
        let _held = held;
        writer.run(&records);
    };
    std::thread::Builder::new().name("custody".to_owned()).spawn(body).map_err(|error| Error::io(&error).in_("starting the store's thread"))
}

struct Writer {
    connection: Connection,
    journal: Journal,
    evidence: Evidence,
    folder: PathBuf,
    settings: Settings,
    state: Arc<RwLock<State>>,
    /// Passages that did not fit on the disk yet.
    held: VecDeque<Box<PassageRecord>>,
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
        while let Ok(first) = records.recv() {
            let mut group = vec![first];
            while group.len() < MAX_GROUP
                && let Ok(record) = records.try_recv()
            {
                group.push(record);
            }
            if let State::Stopped(_) = self.state() {
                let state = self.state();
                group.into_iter().for_each(|record| record.refuse(&state));
                continue;
            }
            self.group(group);
        }
    }

    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_state(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Keeps a group, or refuses all of it.
    fn group(&mut self, group: Vec<Record>) {
        let before = self.held.len();
        let mut records = Vec::with_capacity(group.len());
        for record in group {
            match record {
                Record::Passage(passage) => self.held.push_back(passage),
                other => records.push(other),
            }
        }
        let (mut answers, mut quarantined) = (Vec::new(), Vec::new());
        match self.keep(&mut records, &mut answers, &mut quarantined) {
            Ok(()) => {
                self.held.clear();
                self.set_state(State::Open);
                answers.into_iter().for_each(|(done, fate)| done(fate));
                for (name, bytes, why) in quarantined {
                    quarantine::keep(&self.folder.join("quarantine"), &name, &bytes, &why, self.settings.quarantine_bytes);
                }
            }
            Err(failure) => {
                self.journal.give_up();
                let state = match failure {
                    Failure::Full(_) if self.held.len() > MAX_HELD => {
                        State::Stopped(format!("{} passages wait for space on the disk: make room, then start garita again; none is lost", self.held.len()))
                    }
                    Failure::Full(why) => State::Full(why),
                    Failure::Stopped(why) => State::Stopped(why),
                };
                tracing::error!(
                    ?state,
                    refused = records.len() + answers.len(),
                    passages_waiting = self.held.len(),
                    new = self.held.len() - before,
                    "the store refuses"
                );
                self.set_state(state.clone());
                records.into_iter().for_each(|record| record.refuse(&state));
                for (done, _) in answers {
                    done(match &state {
                        State::Full(why) => Fate::Full(why.clone()),
                        State::Stopped(why) => Fate::Stopped(why.clone()),
                        State::Open => unreachable!("the group failed"),
                    });
                }
            }
        }
    }

    /// Bytes, syncs, rows, commit. `records` is emptied as its rows are made; whoever waits for one stands in `answers` then.
    fn keep(
        &mut self,
        records: &mut Vec<Record>,
        answers: &mut Vec<(Done, Fate)>,
        quarantined: &mut Vec<(String, crate::bytes::Bytes, String)>,
    ) -> std::result::Result<(), Failure> {
        let space = rustix::fs::statvfs(&self.folder).map_err(|error| Failure::Stopped(format!("{}: {error}", self.folder.display())))?;
        if space.f_bavail * space.f_frsize < RESERVE_BYTES {
            return Err(Failure::Full(format!("{}: less than {} MB are free", self.folder.display(), RESERVE_BYTES >> 20)));
        }
        let mut places = VecDeque::new();
        for record in &*records {
            if let Record::Frame(frame) = record {
                places.push_back(self.journal.append(&frame.encoded, frame.received_ms).map_err(|error| Failure::io("the journal of frames", &error))?);
            }
        }
        self.journal.sync().map_err(|error| Failure::io("the journal of frames", &error))?;
        for held in &self.held {
            let bytes = &held.passage.evidence.encoded;
            self.evidence.write(bytes, &sha256(bytes)).map_err(|error| Failure::io("evidence", &error))?;
        }
        let journal_folder = self.folder.join("journal");
        let swept = records.iter().any(|record| matches!(record, Record::Sweep { .. }));
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| Failure::sqlite(&error))?;
        for record in records.drain(..) {
            match record {
                Record::Frame(frame) => {
                    let place = places.pop_front().expect("one for each frame");
                    let row = alone(&transaction, |transaction| insert_frame(transaction, &frame, place));
                    let FrameRecord { lane, digest, received_ms, encoded, error, done, .. } = *frame;
                    if let Some(error) = error {
                        quarantined.push((format!("{received_ms}-{lane}-{}", &super::evidence::hex(&digest)[..12]), encoded, error.to_string()));
                    }
                    answers.push((done, row?));
                }
                Record::Sighting(sighting) => {
                    alone(&transaction, |transaction| sight(transaction, &sighting).map(|()| 0))?;
                }
                Record::Unread { lane, track } => {
                    alone(&transaction, |transaction| close_track(transaction, &lane, track, "unread").map(|_| 0))?;
                }
                Record::Shed { lane, minute_ms, frames } => {
                    let add = "INSERT INTO shed VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET frames = frames + excluded.frames";
                    alone(&transaction, |transaction| transaction.prepare_cached(add)?.execute(params![lane, minute_ms, frames as i64]).map(|_| 0))?;
                }
                Record::Change(change, done) => answers.push((done, alone(&transaction, change)?)),
                Record::Sweep { now_ms } => sweep(&transaction, now_ms - self.settings.frames_without_passage_ms).map_err(|error| Failure::sqlite(&error))?,
                Record::Passage(_) => unreachable!("they wait in `held`"),
            }
        }
        for held in &self.held {
            let strip = match insert_passage(&transaction, held).map_err(|error| Failure::sqlite(&error))? {
                Some(passage) if !held.hits.is_empty() => {
                    film_strip(&transaction, held, passage, self.settings.strip_frames).map_err(|error| Failure::sqlite(&error))?
                }
                _ => Vec::new(),
            };
            for (passage, number, sequence, captured_ms, place, length) in strip {
                let bytes = journal::read(&journal_folder, place, length).map_err(|error| Failure::Stopped(error.to_string()))?;
                let digest = sha256(&bytes);
                self.evidence.write(&bytes, &digest).map_err(|error| Failure::io("evidence", &error))?;
                insert_evidence(&transaction, passage, number, sequence, captured_ms, &digest, length).map_err(|error| Failure::sqlite(&error))?;
            }
        }
        self.evidence.sync().map_err(|error| Failure::io("evidence", &error))?;
        transaction.commit().map_err(|error| Failure::sqlite(&error))?;
        if swept { self.delete_segments() } else { Ok(()) }
    }

    /// Deletes segments that no row names any more.
    fn delete_segments(&self) -> std::result::Result<(), Failure> {
        let folder = self.folder.join("journal");
        let numbers = journal::segments(&folder).map_err(|error| Failure::Stopped(error.to_string()))?;
        for number in numbers.into_iter().filter(|&number| Some(number) != self.journal.current()) {
            let named = super::recover::is_named(&self.connection, number).map_err(|error| Failure::sqlite(&error))?;
            if !named {
                let path = journal::path(&folder, number);
                std::fs::remove_file(&path).map_err(|error| Failure::io("deleting a segment", &error))?;
            }
        }
        Ok(())
    }
}

/// Runs one record's change so that its failure undoes only itself; a full or broken disk fails the group.
fn alone(transaction: &Transaction<'_>, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<i64>) -> std::result::Result<Fate, Failure> {
    let group = |error: rusqlite::Error| Failure::sqlite(&error);
    transaction.execute_batch("SAVEPOINT one").map_err(group)?;
    match change(transaction) {
        Ok(row) => {
            transaction.execute_batch("RELEASE one").map_err(group)?;
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

fn insert_frame(transaction: &Transaction<'_>, frame: &FrameRecord, place: Place) -> rusqlite::Result<i64> {
    let fault = frame.error.as_ref().map(|error| error.fault.name());
    transaction
        .prepare_cached(
            "INSERT INTO frame (lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            frame.lane,
            frame.sequence as i64,
            frame.key,
            frame.digest,
            frame.sender_sequence,
            frame.captured_ms,
            frame.received_ms,
            frame.skipped,
            place.segment,
            place.at as i64,
            frame.encoded.len() as i64,
            fault,
            frame.error.as_ref().map(|error| &error.message)
        ])?;
    let id = transaction.last_insert_rowid();
    for (number, (track, read)) in frame.reads.iter().enumerate() {
        transaction.prepare_cached("INSERT OR IGNORE INTO track VALUES (?1, ?2, 'open')")?.execute(params![frame.lane, *track as i64])?;
        transaction.prepare_cached("INSERT INTO read (frame, number, lane, track, seen) VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            id,
            number as i64,
            frame.lane,
            *track as i64,
            read.to_column()
        ])?;
    }
    Ok(id)
}

/// Ends an open track; false where it has ended already.
fn close_track(transaction: &Transaction<'_>, lane: &str, track: u64, state: &str) -> rusqlite::Result<bool> {
    let close = "INSERT INTO track VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET state = excluded.state WHERE state = 'open'";
    Ok(transaction.prepare_cached(close)?.execute(params![lane, track as i64, state])? > 0)
}

/// The passage's row, its evidence's and its hits'; `None` where the track has ended already (invariant 3).
fn insert_passage(transaction: &Transaction<'_>, record: &PassageRecord) -> rusqlite::Result<Option<i64>> {
    let PassageRecord { lane, passage, hits, now_ms, .. } = record;
    if !close_track(transaction, lane, passage.track, "passed")? {
        return Ok(None);
    }
    let best = StoredRead::of(&passage.best);
    let voted = StoredRead::of(&crate::lane::read::PlateRead { text: passage.text, posterior: passage.posterior, ..passage.best });
    transaction
        .prepare_cached(
            "INSERT INTO passage (lane, track, text, confidence, jurisdiction, jurisdiction_confidence, reads, first_ms, last_ms, sequence, best, seen, stored_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            lane,
            passage.track as i64,
            passage.text.as_str(),
            passage.confidence,
            passage.jurisdiction.map(|one| one.code.as_str().to_owned()),
            passage.jurisdiction.map(|one| one.confidence),
            passage.reads,
            passage.seen_ms.0,
            passage.seen_ms.1,
            passage.evidence.sequence as i64,
            best.to_column(),
            serde_json::to_string(&voted.line.chars).expect("plain data"),
            now_ms
        ])?;
    let id = transaction.last_insert_rowid();
    let bytes = &passage.evidence.encoded;
    insert_evidence(transaction, id, 0, passage.evidence.sequence as i64, passage.evidence.captured_ms, &sha256(bytes), bytes.len())?;
    for hit in hits {
        settle_hit(transaction, record, id, hit)?;
    }
    let withdraw = "UPDATE hit SET state = 'withdrawn', passage = ?1, stored_ms = ?2 WHERE lane = ?3 AND track = ?4 AND passage IS NULL RETURNING id";
    let withdrawn = transaction
        .prepare_cached(withdraw)?
        .query_map(params![id, now_ms, lane, passage.track as i64], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    for hit in withdrawn {
        tell_outside(transaction, "hit.withdrawn", lane, passage.track, hit, *now_ms)?;
    }
    tell_outside(transaction, "passage", lane, passage.track, id, *now_ms)?;
    Ok(Some(id))
}

/// A hit that the vote of its passage says; news outside where no single read had said it.
fn settle_hit(transaction: &Transaction<'_>, record: &PassageRecord, passage: i64, hit: &Hit) -> rusqlite::Result<()> {
    let PassageRecord { lane, passage: settled, now_ms, after_ms, .. } = record;
    let known = "UPDATE hit SET state = 'confirmed', passage = ?1, class = ?2, edits = ?3, probability = ?4
                 WHERE lane = ?5 AND track = ?6 AND list = ?7 AND text = ?8 AND jurisdiction = ?9";
    let changed = transaction.prepare_cached(known)?.execute(params![
        passage,
        class(hit),
        hit.edits,
        hit.probability,
        lane,
        settled.track as i64,
        hit.entry.list,
        hit.entry.text,
        hit.entry.jurisdiction.to_string()
    ])?;
    if changed == 0 {
        insert_hit(transaction, (lane, settled.track, settled.evidence.sequence), ("confirmed", Some(passage)), hit, (*now_ms, *after_ms))?;
    }
    Ok(())
}

/// The hits of one read, where they are new to its vehicle.
fn sight(transaction: &Transaction<'_>, record: &SightingRecord) -> rusqlite::Result<()> {
    for hit in &record.hits {
        insert_hit(transaction, (&record.lane, record.track, record.sequence), ("sighted", None), hit, (record.now_ms, record.after_ms))?;
    }
    Ok(())
}

fn insert_hit(
    transaction: &Transaction<'_>,
    (lane, track, sequence): (&str, u64, u64),
    (state, passage): (&str, Option<i64>),
    hit: &Hit,
    (now_ms, after_ms): (i64, Option<i64>),
) -> rusqlite::Result<()> {
    transaction.prepare_cached("INSERT OR IGNORE INTO track VALUES (?1, ?2, 'open')")?.execute(params![lane, track as i64])?;
    let entry = serde_json::to_string(&hit.entry).expect("plain data");
    // What the time of day did since the frame came in has no say in how long it took.
    let received = "SELECT received_ms FROM frame WHERE lane = ?1 AND sequence = ?2";
    let received_ms: i64 = transaction.prepare_cached(received)?.query_row(params![lane, sequence as i64], |row| row.get(0)).optional()?.unwrap_or(now_ms);
    let stored_ms = after_ms.map_or(now_ms.max(received_ms), |after_ms| received_ms + after_ms.max(0));
    let inserted = transaction
        .prepare_cached(
            "INSERT INTO hit (lane, track, passage, state, sequence, list, text, jurisdiction, class, edits, probability, priority, entry, received_ms, stored_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            lane,
            track as i64,
            passage,
            state,
            sequence as i64,
            hit.entry.list,
            hit.entry.text,
            hit.entry.jurisdiction.to_string(),
            class(hit),
            hit.edits,
            hit.probability,
            hit.entry.priority,
            entry,
            received_ms,
            stored_ms
        ])?;
    if inserted > 0 {
        tell_outside(transaction, "hit", lane, track, transaction.last_insert_rowid(), now_ms)?;
    }
    Ok(())
}

fn class(hit: &Hit) -> Option<String> {
    serde_json::to_value(hit.class).expect("plain data").as_str().map(str::to_owned)
}

/// Puts news into the outbox; in order per vehicle.
fn tell_outside(transaction: &Transaction<'_>, kind: &str, lane: &str, track: u64, row: i64, now_ms: i64) -> rusqlite::Result<()> {
    let body = serde_json::json!({ "row": row }).to_string();
    let add = "INSERT INTO outbox (kind, subject, body, created_ms) VALUES (?1, ?2, ?3, ?4)";
    transaction.prepare_cached(add)?.execute(params![kind, format!("{lane}/{track}"), body, now_ms]).map(|_| ())
}

fn insert_evidence(
    transaction: &Transaction<'_>,
    passage: i64,
    number: usize,
    sequence: i64,
    captured_ms: i64,
    digest: &[u8; 32],
    length: usize,
) -> rusqlite::Result<()> {
    let add = "INSERT INTO evidence (passage, number, sequence, captured_ms, digest, length) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    transaction.prepare_cached(add)?.execute(params![passage, number as i64, sequence, captured_ms, digest, length as i64]).map(|_| ())
}

/// A frame of a film strip: passage, number, sequence, captured, where, how long.
type StripFrame = (i64, usize, i64, i64, Place, usize);

/// Which of the passage's frames, beside the evidence, are its film strip: at most `most`, evenly spread.
fn film_strip(transaction: &Transaction<'_>, record: &PassageRecord, passage: i64, most: usize) -> rusqlite::Result<Vec<StripFrame>> {
    let mut statement = transaction.prepare_cached(
        "SELECT DISTINCT frame.sequence, frame.captured_ms, frame.segment, frame.at, frame.length FROM read JOIN frame ON frame.id = read.frame
         WHERE read.lane = ?1 AND read.track = ?2 AND frame.segment IS NOT NULL AND frame.sequence <> ?3 ORDER BY frame.sequence",
    )?;
    let evidence = record.passage.evidence.sequence as i64;
    let frames = statement
        .query_map(params![record.lane, record.passage.track as i64, evidence], |row| {
            let place = Place { segment: row.get(2)?, at: row.get::<_, i64>(3)? as u64 };
            Ok((row.get(0)?, row.get(1)?, place, row.get::<_, i64>(4)? as usize))
        })?
        .collect::<rusqlite::Result<Vec<(i64, i64, Place, usize)>>>()?;
    let kept = frames.len().min(most);
    Ok((0..kept)
        .map(|number| {
            let (sequence, captured_ms, place, length) = frames[number * frames.len() / kept];
            (passage, number + 1, sequence, captured_ms, place, length)
        })
        .collect())
}

/// Forgets the bytes of frames received before `before_ms` whose tracks have ended, and the rows of those that belong to no passage.
fn sweep(transaction: &Transaction<'_>, before_ms: i64) -> rusqlite::Result<()> {
    const OPEN: &str =
        "EXISTS (SELECT 1 FROM read JOIN track ON track.lane = read.lane AND track.number = read.track WHERE read.frame = frame.id AND track.state = 'open')";
    const PASSED: &str =
        "EXISTS (SELECT 1 FROM read JOIN track ON track.lane = read.lane AND track.number = read.track WHERE read.frame = frame.id AND track.state = 'passed')";
    let old = format!("received_ms < ?1 AND segment IS NOT NULL AND NOT {OPEN}");
    transaction.prepare_cached(&format!("DELETE FROM read WHERE frame IN (SELECT id FROM frame WHERE {old} AND NOT {PASSED})"))?.execute([before_ms])?;
    transaction.prepare_cached(&format!("DELETE FROM frame WHERE {old} AND NOT {PASSED}"))?.execute([before_ms])?;
    transaction.prepare_cached(&format!("UPDATE frame SET segment = NULL, at = NULL WHERE {old}"))?.execute([before_ms])?;
    let unread = "DELETE FROM track WHERE state = 'unread' AND NOT EXISTS (SELECT 1 FROM read WHERE read.lane = track.lane AND read.track = track.number)";
    // The highest number stays: the next one follows it.
    transaction.prepare_cached(&format!("{unread} AND number < (SELECT max(number) FROM track AS t WHERE t.lane = track.lane)"))?.execute([])?;
    Ok(())
}
