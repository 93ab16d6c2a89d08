//! The rows of one record: a frame and its reads, a passage with its evidence and hits, a sighting.

use std::path::Path;

use rusqlite::{OptionalExtension, Transaction, params};

use super::evidence::{Sha, sha256};
use super::journal::{self, Place};
use super::record::{FrameRecord, PassageRecord, SightingRecord, StoredRead};
use super::{edge_reads, outbox};
use crate::bytes::Bytes;
use crate::lane::frame::Frame;
use crate::lane::hit::Hit;

/// A frame and its reads; its row's number.
pub(super) fn insert_frame(transaction: &Transaction<'_>, frame: &FrameRecord, place: Place) -> rusqlite::Result<i64> {
    let fault = frame.error.as_ref().map(|error| error.fault.name());
    transaction
        .prepare_cached(
            "INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error)
             VALUES ((SELECT last + 1 FROM numbered WHERE kind = 'frame'), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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
    rise(transaction, &frame.lane, frame.sequence as i64 + 1, frame.reads.iter().map(|(track, _)| *track as i64 + 1).max().unwrap_or(0))?;
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

/// The lane's next numbers are at least these.
fn rise(transaction: &Transaction<'_>, lane: &str, sequence: i64, track: i64) -> rusqlite::Result<()> {
    let rise = "INSERT INTO lane VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
                SET next_sequence = max(next_sequence, excluded.next_sequence), next_track = max(next_track, excluded.next_track)";
    transaction.prepare_cached(rise)?.execute(params![lane, sequence, track]).map(|_| ())
}

/// Frames that were displaced.
pub(super) fn add_shed(transaction: &Transaction<'_>, lane: &str, minute_ms: i64, frames: u64) -> rusqlite::Result<()> {
    let add = "INSERT INTO shed (minute_ms, lane, frames) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET frames = frames + excluded.frames";
    transaction.prepare_cached(add)?.execute(params![minute_ms, lane, frames as i64]).map(|_| ())
}

/// Ends an open track; false where it has ended already.
pub(super) fn close_track(transaction: &Transaction<'_>, lane: &str, track: u64, state: &str) -> rusqlite::Result<bool> {
    rise(transaction, lane, 0, track as i64 + 1)?;
    let close = "INSERT INTO track VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET state = excluded.state WHERE state = 'open'";
    Ok(transaction.prepare_cached(close)?.execute(params![lane, track as i64, state])? > 0)
}

/// The passage's row, its evidence's and its hits'; answers the files that its evidence needs, none where the track has ended already (invariant 3).
pub(super) fn insert_passage(
    transaction: &Transaction<'_>,
    record: &PassageRecord,
    strip_frames: usize,
    journal: &Path,
) -> rusqlite::Result<Vec<(Sha, Bytes)>> {
    let PassageRecord { lane, passage, hits, now_ms, .. } = record;
    if !close_track(transaction, lane, passage.track, "passed")? {
        return Ok(Vec::new());
    }
    let best = StoredRead::of(&passage.best);
    let voted = StoredRead::of(&crate::lane::read::PlateRead { text: passage.text, posterior: passage.posterior, ..passage.best });
    transaction
        .prepare_cached(
            "INSERT INTO passage (id, lane, track, text, confidence, jurisdiction, jurisdiction_confidence, reads, first_ms, last_ms, sequence, best, seen,
                                  stored_ms, sought, stored_reads)
             VALUES ((SELECT last + 1 FROM numbered WHERE kind = 'passage'), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,
                     EXISTS (SELECT 1 FROM hit WHERE lane = ?1 AND track = ?2) OR ?14, (SELECT count(*) FROM read WHERE lane = ?1 AND track = ?2))",
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
            now_ms,
            !hits.is_empty()
        ])?;
    let id = transaction.last_insert_rowid();
    // Its row knows the digest; hashing it again would be a tenth of what keeping the passage costs.
    let evidence: &Frame = &passage.evidence;
    let known = transaction
        .prepare_cached("SELECT digest FROM frame WHERE lane = ?1 AND sequence = ?2")?
        .query_row(params![lane, evidence.sequence as i64], |row| row.get(0))
        .optional()?;
    let mut files = vec![(known.unwrap_or_else(|| sha256(&evidence.encoded)), evidence.encoded.clone())];
    insert_evidence(transaction, id, 0, (passage.evidence.sequence as i64, passage.evidence.captured_ms), &files[0])?;
    for hit in hits {
        settle_hit(transaction, record, id, hit)?;
    }
    let withdraw = "UPDATE hit SET state = 'withdrawn', passage = ?1 WHERE lane = ?2 AND track = ?3 AND passage IS NULL RETURNING id";
    let withdrawn =
        transaction.prepare_cached(withdraw)?.query_map(params![id, lane, passage.track as i64], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    for hit in withdrawn {
        tell_outside(transaction, "hit.withdrawn", lane, passage.track, hit, *now_ms)?;
    }
    edge_reads::join(transaction, (lane, passage.track as i64), id, passage.text.as_str(), passage.seen_ms)?;
    tell_outside(transaction, "passage", lane, passage.track, id, *now_ms)?;
    if !hits.is_empty() {
        for (sequence, captured_ms, place, length) in film_strip(transaction, record, strip_frames)? {
            match journal::read(journal, place, length) {
                Ok(bytes) => {
                    let file = (sha256(&bytes), Bytes::from(bytes));
                    insert_evidence(transaction, id, files.len(), (sequence, captured_ms), &file)?;
                    files.push(file);
                }
                // The evidence frame itself is in memory: the strip alone is the poorer.
                Err(error) => tracing::error!(lane, track = passage.track, sequence, %error, "a frame is missing in a film strip"),
            }
        }
    }
    Ok(files)
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
pub(super) fn sight(transaction: &Transaction<'_>, record: &SightingRecord) -> rusqlite::Result<()> {
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
    rise(transaction, lane, 0, track as i64 + 1)?;
    transaction.prepare_cached("INSERT OR IGNORE INTO track VALUES (?1, ?2, 'open')")?.execute(params![lane, track as i64])?;
    let entry = serde_json::to_string(&hit.entry).expect("plain data");
    // What the time of day did since the frame came in has no say in how long it took.
    let received = "SELECT received_ms FROM frame WHERE lane = ?1 AND sequence = ?2";
    let received_ms: i64 = transaction.prepare_cached(received)?.query_row(params![lane, sequence as i64], |row| row.get(0)).optional()?.unwrap_or(now_ms);
    let stored_ms = after_ms.map_or(now_ms.max(received_ms), |after_ms| received_ms + after_ms.max(0));
    let inserted = transaction
        .prepare_cached(
            "INSERT INTO hit (id, lane, track, passage, state, sequence, list, text, jurisdiction, class, edits, probability, priority, entry, received_ms, stored_ms)
             VALUES ((SELECT last + 1 FROM numbered WHERE kind = 'hit'), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
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

/// Tells outside what has become of a row; in order per vehicle.
fn tell_outside(transaction: &Transaction<'_>, kind: &str, lane: &str, track: u64, row: i64, now_ms: i64) -> rusqlite::Result<()> {
    outbox::tell(transaction, kind, &format!("{lane}/{track}"), &serde_json::json!({ "row": row }), now_ms).map(|_| ())
}

fn insert_evidence(
    transaction: &Transaction<'_>,
    passage: i64,
    number: usize,
    (sequence, captured_ms): (i64, i64),
    (digest, bytes): &(Sha, Bytes),
) -> rusqlite::Result<()> {
    let add = "INSERT INTO evidence (passage, number, sequence, captured_ms, digest, length) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    transaction.prepare_cached(add)?.execute(params![passage, number as i64, sequence, captured_ms, digest, bytes.len() as i64]).map(|_| ())
}

/// A frame of a film strip: sequence, captured, where, how long.
type StripFrame = (i64, i64, Place, usize);

/// Which of the passage's frames, beside the evidence, are its film strip: at most `most`, evenly spread.
fn film_strip(transaction: &Transaction<'_>, record: &PassageRecord, most: usize) -> rusqlite::Result<Vec<StripFrame>> {
    let mut statement = transaction.prepare_cached(
        "SELECT DISTINCT frame.sequence, frame.captured_ms, frame.segment, frame.at, frame.length FROM read CROSS JOIN frame ON frame.id = read.frame
         WHERE read.lane = ?1 AND read.track = ?2 AND frame.segment IS NOT NULL AND frame.sequence <> ?3 ORDER BY frame.sequence",
    )?;
    let evidence = record.passage.evidence.sequence as i64;
    let frames = statement
        .query_map(params![record.lane, record.passage.track as i64, evidence], |row| {
            let place = Place { segment: row.get(2)?, at: row.get::<_, i64>(3)? as u64 };
            Ok((row.get(0)?, row.get(1)?, place, row.get::<_, i64>(4)? as usize))
        })?
        .collect::<rusqlite::Result<Vec<StripFrame>>>()?;
    let kept = frames.len().min(most);
    Ok((0..kept).map(|number| frames[number * frames.len() / kept]).collect())
}
