//! What the tests of custody share: records as a lane makes them, a store in a folder of its own, and its ledger.
#![allow(dead_code)]

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use garita::bytes::Bytes;
use garita::custody::evidence::{Sha, sha256};
use garita::custody::record::{Done, Fate, FrameRecord, PassageRecord, Record, SightingRecord, StoredRead};
use garita::custody::{Custody, Settings, check, database};
use garita::lane::detect::PlateBox;
use garita::lane::frame::Frame;
use garita::lane::hit::Hit;
use garita::lane::passage::Passage;
use garita::lane::read::PlateRead;
use garita::posterior::{Posterior, Text};
use garita::watchlist::entry::Entry;
use garita::watchlist::find::MatchClass;
use rusqlite::Connection;

/// When the tests' first frame comes in, milliseconds since the Unix epoch.
pub(crate) const BEGIN_MS: i64 = 1_700_000_000_000;
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Settings for disks that may be smaller than a server's.
pub(crate) fn settings() -> Settings {
    Settings { free_bytes: 1 << 20, ..Settings::default() }
}

pub(crate) fn open(folder: &Path) -> Custody {
    open_with(folder, settings())
}

pub(crate) fn open_with(folder: &Path, settings: Settings) -> Custody {
    Custody::open(folder, settings).unwrap_or_else(|error| panic!("{error}"))
}

/// The bytes of a frame: told apart by lane and number, of a length that varies.
pub(crate) fn bytes(lane: &str, sequence: u64) -> Bytes {
    let word = format!("{lane} {sequence} ");
    Bytes::from(word.as_bytes().iter().copied().cycle().take(2_000 + (sequence as usize * 37) % 1_000).collect::<Vec<u8>>())
}

pub(crate) fn key(lane: &str, sequence: u64) -> Sha {
    sha256(format!("key of {lane} {sequence}").as_bytes())
}

pub(crate) fn plate_read(text: &str) -> PlateRead {
    PlateRead {
        plate: PlateBox { corners: [[10.0, 10.0], [110.0, 12.0], [110.0, 42.0], [10.0, 40.0]], score: 0.9 },
        text: Text::of(text).expect("a short text"),
        posterior: Posterior::certain(text, 0.1).expect("a short text"),
        probability: 0.8,
        confidence: 0.9,
        looked_again: false,
        jurisdiction: None,
    }
}

/// A frame with one read, of `track`, if there is one.
pub(crate) fn frame(lane: &str, sequence: u64, track: Option<u64>, done: Done) -> Record {
    let encoded = bytes(lane, sequence);
    let reads = track.map(|track| (track, StoredRead::of(&plate_read(&text(track))))).into_iter().collect();
    Record::Frame(Box::new(FrameRecord {
        lane: lane.to_owned(),
        sequence,
        key: key(lane, sequence),
        digest: sha256(&encoded),
        sender_sequence: Some(sequence as i64 + 1_000),
        captured_ms: BEGIN_MS + 500 * sequence as i64,
        received_ms: BEGIN_MS + 500 * sequence as i64 + 7,
        skipped: 0,
        encoded,
        error: None,
        reads,
        done,
    }))
}

/// The plate of a track.
pub(crate) fn text(track: u64) -> String {
    format!("ABC{track:04}")
}

pub(crate) fn hit(text: &str) -> Hit {
    let entry = Entry { text: text.to_owned(), list: "stolen".to_owned(), ..Entry::default() };
    Hit { entry, class: MatchClass::Exact, edits: 0, probability: 0.97 }
}

/// The passage of a track, whose winning read is of the frame `sequence`.
pub(crate) fn passage(lane: &str, track: u64, sequence: u64, hits: Vec<Hit>) -> Record {
    passage_at(lane, track, sequence, hits, BEGIN_MS + 500 * sequence as i64)
}

pub(crate) fn passage_at(lane: &str, track: u64, sequence: u64, hits: Vec<Hit>, now_ms: i64) -> Record {
    let best = plate_read(&text(track));
    let captured_ms = BEGIN_MS + 500 * sequence as i64;
    let evidence = Frame { lane: 0, sequence, captured_ms, clock_ms: 0, skipped: 0, encoded: bytes(lane, sequence) };
    let passage = Passage {
        lane: 0,
        track,
        text: best.text,
        posterior: best.posterior,
        confidence: 0.95,
        jurisdiction: None,
        reads: 3,
        best,
        evidence,
        seen_ms: (captured_ms, captured_ms),
    };
    Record::Passage(Box::new(PassageRecord { lane: lane.to_owned(), passage, hits, now_ms, after_ms: None }))
}

pub(crate) fn sighting(lane: &str, track: u64, sequence: u64, hits: Vec<Hit>) -> Record {
    Record::Sighting(Box::new(SightingRecord { lane: lane.to_owned(), track, sequence, hits, now_ms: BEGIN_MS + 500 * sequence as i64, after_ms: None }))
}

/// Puts one record that is answered, and waits for its fate.
pub(crate) fn put(custody: &Custody, record: impl FnOnce(Done) -> Record) -> Fate {
    let (told, fate) = fate();
    custody.put(record(told));
    fate.recv().expect("every record is told its fate")
}

pub(crate) fn fate() -> (Done, Receiver<Fate>) {
    let (told, fate) = channel();
    (Box::new(move |fate| drop(told.send(fate))), fate)
}

/// Keeps a frame that must be kept.
pub(crate) fn keep(custody: &Custody, lane: &str, sequence: u64, track: Option<u64>) -> i64 {
    match put(custody, |done| frame(lane, sequence, track, done)) {
        Fate::Kept(row) => row,
        other => panic!("frame {sequence} of {lane}: {other:?}"),
    }
}

/// Waits until everything put so far is on the disk.
pub(crate) fn settle(custody: &Custody) {
    let fate = put(custody, |done| Record::Change(Box::new(|_| Ok(0)), done));
    assert_eq!(fate, Fate::Kept(0), "the store keeps");
}

/// Deletes what has had its time at `now_ms`.
pub(crate) fn sweep(custody: &Custody, now_ms: i64) {
    custody.put(Record::Sweep { now_ms });
    // The sweep follows the group that it came with; this one is of a later group, or came with it.
    settle(custody);
    settle(custody);
}

/// One number out of the store.
pub(crate) fn count(custody: &Custody, question: &str) -> i64 {
    custody.ask(|connection| connection.query_row(question, [], |row| row.get(0))).unwrap_or_else(|error| panic!("{question}: {error}"))
}

/// Files below a folder of the store.
pub(crate) fn files(folder: &Path, ending: &str) -> usize {
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        found += if path.is_dir() { files(&path, ending) } else { usize::from(path.extension().is_some_and(|found| found == ending)) };
    }
    found
}

/// Every invariant holds.
pub(crate) fn assert_sound(folder: &Path) -> check::Report {
    let report = check::check(folder).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    report
}

/// The database of a closed store, to do to it what no garita does.
pub(crate) fn raw(folder: &Path) -> Connection {
    Connection::open(database(folder)).expect("the database opens")
}
