//! What was sent and what was answered, and whether the store says the same.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use garita::custody::evidence::{Sha, sha256};
use garita::custody::journal::{self, Place};
use garita::custody::{database, evidence};
use rusqlite::{Connection, OpenFlags};

use super::camera::{Reply, Shot};

/// Everything sent, by all cameras. Filled from many threads.
#[derive(Default)]
pub(crate) struct Ledger {
    lines: Mutex<Vec<Line>>,
    trains: Mutex<Vec<Train>>,
}

/// A train whose scan was acknowledged.
pub(crate) struct Train {
    pub(crate) portal: String,
    /// What its sender calls it.
    pub(crate) name: String,
    pub(crate) scan: Vec<u8>,
    /// Its list of cars, which was acknowledged before the scan.
    pub(crate) consist: String,
}

struct Line {
    shot: Shot,
    /// `None`: the connection ended before an answer came.
    status: Option<u16>,
    replay: bool,
}

/// How the answers divide.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) accepted: u64,
    pub(crate) shed: u64,
    pub(crate) rejected: u64,
    pub(crate) unanswered: u64,
}

impl Ledger {
    /// Writes down what became of one sending; hands the answer on.
    pub(crate) fn note(&self, shot: &Shot, outcome: std::io::Result<Reply>) -> Option<Reply> {
        let reply = outcome.ok();
        let replay = reply.as_ref().is_some_and(|reply| reply.status == 201 && reply.json()["replay"] == true);
        let line = Line { shot: shot.clone(), status: reply.as_ref().map(|reply| reply.status), replay };
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        reply
    }

    /// Writes down that a train's consist and scan were acknowledged.
    pub(crate) fn note_train(&self, train: Train) {
        self.trains.lock().unwrap_or_else(PoisonError::into_inner).push(train);
    }

    /// How the answers divide; each has exactly one kind.
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for line in self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            tally.sent += 1;
            let kind = match line.status {
                Some(200..300) => &mut tally.accepted,
                Some(429 | 503 | 507) => &mut tally.shed,
                Some(400..500) => &mut tally.rejected,
                None => &mut tally.unanswered,
                Some(status) => panic!("{status} is no answer to a frame"),
            };
            *kind += 1;
        }
        tally
    }

    /// Holds what was acknowledged against the store in `data`: every accepted frame has one row with its digest, and its bytes lie where the row says;
    /// nothing stands there twice; every read that meets the list has its hit. Answers how many frames were found.
    ///
    /// # Panics
    /// Where anything is not so.
    pub(crate) fn check(&self, data: &Path, sought: &str) -> usize {
        let store = Connection::open_with_flags(database(data), OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a store");
        let mut accepted: HashMap<String, Shot> = HashMap::new();
        let mut fresh: HashMap<String, usize> = HashMap::new();
        for line in self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|line| line.status == Some(201)) {
            accepted.insert(line.shot.key.clone(), line.shot.clone());
            *fresh.entry(line.shot.key.clone()).or_default() += usize::from(!line.replay);
        }
        assert_eq!(fresh.values().filter(|&&times| times > 1).count(), 0, "frames were accepted anew more than once");
        let mut find = store.prepare("SELECT digest, segment, at, length FROM frame WHERE lane = ?1 AND key = ?2").expect("a frame table");
        let mut lost = Vec::new();
        for shot in accepted.values() {
            let key = sha256(format!("key {}", shot.key).as_bytes());
            type Row = (Vec<u8>, Option<i64>, Option<i64>, i64);
            let rows: Vec<Row> = find
                .query_map((&shot.lane, key), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                .expect("asks")
                .collect::<rusqlite::Result<_>>()
                .expect("rows");
            let [(digest, segment, at, length)] = rows.as_slice() else {
                lost.push(format!("{} of {}: {} rows", shot.key, shot.lane, rows.len()));
                continue;
            };
            if digest != &shot.digest || *length as usize != shot.bytes.len() {
                lost.push(format!("{} of {}: other contents", shot.key, shot.lane));
            }
            if let (Some(segment), Some(at)) = (*segment, *at) {
                let place = Place { segment, at: at as u64 };
                match journal::read(&data.join("journal"), place, *length as usize) {
                    Ok(bytes) if sha256(&bytes) == shot.digest => {}
                    Ok(_) => lost.push(format!("{} of {}: other bytes in the journal", shot.key, shot.lane)),
                    Err(error) => lost.push(format!("{} of {}: {error}", shot.key, shot.lane)),
                }
            }
        }
        assert!(lost.is_empty(), "{} of {} acknowledged frames are lost:\n{}", lost.len(), accepted.len(), lost.join("\n"));
        sound(&store, data, sought);
        accepted.len()
    }

    /// Holds the acknowledged trains against the store in `data`: each has one row, its file has the bytes that were sent, and its consist stands word for
    /// word. Answers how many were found.
    ///
    /// # Panics
    /// Where anything is not so.
    pub(crate) fn check_trains(&self, data: &Path) -> usize {
        let store = Connection::open_with_flags(database(data), OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a store");
        let mut lost = Vec::new();
        let trains = self.trains.lock().unwrap_or_else(PoisonError::into_inner);
        let mut find = store.prepare("SELECT id, file, digest, length, key FROM scan WHERE portal = ?1 AND name = ?2").expect("a scan table");
        let mut papers = store.prepare("SELECT body FROM paper WHERE portal = ?1 AND key = ?2 AND kind = 'consist'").expect("a paper table");
        for train in trains.iter() {
            let name = format!("{} of {}", train.name, train.portal);
            type Row = (i64, String, Sha, i64, Sha);
            let rows = find.query_map((&train.portal, &train.name), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))).expect("asks");
            let rows: Vec<Row> = rows.collect::<rusqlite::Result<_>>().expect("rows");
            let [(_, file, digest, length, key)] = rows.as_slice() else {
                lost.push(format!("{name}: {} rows", rows.len()));
                continue;
            };
            if *digest != sha256(&train.scan) || *length as usize != train.scan.len() {
                lost.push(format!("{name}: the row speaks of other contents"));
            }
            if std::fs::read(data.join("scans").join(file)).map_err(|error| error.to_string()).as_deref() != Ok(&train.scan) {
                lost.push(format!("{name}: its file does not hold what was sent"));
            }
            let kept = papers.query_map((&train.portal, key), |row| row.get::<_, String>(0)).expect("asks");
            if kept.collect::<rusqlite::Result<Vec<_>>>().expect("rows") != [train.consist.as_str()] {
                lost.push(format!("{name}: its consist is not there once"));
            }
        }
        assert!(lost.is_empty(), "of {} acknowledged trains are lost:\n{}", trains.len(), lost.join("\n"));
        trains.len()
    }
}

/// What holds in any store, whatever was sent.
fn sound(store: &Connection, data: &Path, sought: &str) {
    let count = |question: &str| store.query_row(question, [], |row| row.get::<_, i64>(0)).unwrap_or_else(|error| panic!("{question}: {error}"));
    assert_eq!(store.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).expect("asks"), "ok");
    for (what, question) in [
        ("frames twice", "SELECT count(*) FROM (SELECT 1 FROM frame GROUP BY lane, key HAVING count(*) > 1)"),
        ("scans twice", "SELECT count(*) FROM (SELECT 1 FROM scan GROUP BY portal, key HAVING count(*) > 1)"),
        ("passages twice", "SELECT count(*) FROM (SELECT 1 FROM passage GROUP BY lane, track HAVING count(*) > 1)"),
        ("hits twice", "SELECT count(*) FROM (SELECT 1 FROM hit GROUP BY lane, track, list, text, jurisdiction HAVING count(*) > 1)"),
        (
            "passed tracks without a passage",
            "SELECT count(*) FROM track WHERE state = 'passed' AND NOT EXISTS (SELECT 1 FROM passage WHERE passage.lane = track.lane AND passage.track = track.number)",
        ),
        (
            "passages of tracks that have not passed",
            "SELECT count(*) FROM passage JOIN track ON track.lane = passage.lane AND track.number = passage.track WHERE state <> 'passed'",
        ),
        ("settled hits without a passage", "SELECT count(*) FROM hit WHERE state <> 'sighted' AND passage IS NULL"),
        (
            "hits that nobody is told of",
            "SELECT count(*) FROM hit WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE kind = 'hit' AND json_extract(body, '$.row') = hit.id)",
        ),
        ("news of a hit twice", "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE kind = 'hit' GROUP BY body HAVING count(*) > 1)"),
        ("hits before their frame", "SELECT count(*) FROM hit WHERE stored_ms < received_ms"),
    ] {
        assert_eq!(count(question), 0, "{what}");
    }
    let missed = "SELECT count(*) FROM read WHERE json_extract(seen, '$.text') = ?1
                  AND NOT EXISTS (SELECT 1 FROM hit WHERE hit.lane = read.lane AND hit.track = read.track AND hit.text = ?1)";
    let missed: i64 = store.query_row(missed, [sought], |row| row.get(0)).expect("asks");
    assert_eq!(missed, 0, "reads that meet the list without a hit");
    let mut files = store.prepare("SELECT digest, length FROM evidence").expect("an evidence table");
    let files = files.query_map([], |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, i64>(1)?))).expect("asks");
    for file in files {
        let (digest, length) = file.expect("a row");
        let path = evidence::path(&data.join("evidence"), &digest);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(bytes.len() as i64 == length && sha256(&bytes) == digest, "{} is not what its name says", path.display());
    }
}
