//! What has had its time is deleted, for good: rows (`secure_delete` overwrites them), evidence that no other row names, whole segments of the journal.
//!
//! When that is, [`super::keeping`] has reckoned. What went is told to the audit trail in the same commit: numbers, no plates. Tables of others that name a hit or
//! a passage let their rows go with it (`ON DELETE CASCADE`).
//!
//! Time is the store's own of coming in, not the cameras'. A sweep goes in steps of [`STEP`] rows, each its own commit, so that it holds nobody up; after an
//! outage it catches up while nothing else waits.

use rusqlite::{Transaction, params};

use super::evidence::Sha;
use super::{Settings, edge_reads, keeping};
use crate::audit::{self, Act, Action};

/// Rows of each kind that one step looks at.
const STEP: i64 = 500;

/// The frames of a vehicle that stays in view are given back after a restart for this long, milliseconds; one that is parked for a night fills no disk.
const LONGEST_VIEW_MS: i64 = 3_600_000;

const DAY_MS: i64 = 86_400_000;

/// What a step did.
#[derive(Default)]
pub(super) struct Swept {
    /// Evidence whose row went.
    pub(super) digests: Vec<Sha>,
    /// Rows that went or changed.
    pub(super) rows: usize,
    /// There may be more to do.
    pub(super) more: bool,
}

/// One step of a sweep.
pub(super) fn sweep(transaction: &Transaction<'_>, now_ms: i64, settings: &Settings) -> rusqlite::Result<Swept> {
    let mut swept = Swept::default();
    let passages_ms = now_ms - DAY_MS * i64::from(settings.passages_days);
    let hits_ms = now_ms - DAY_MS * i64::from(settings.hits_days.max(settings.passages_days));
    sweep_frames(transaction, now_ms, settings.frames_without_passage_ms, &mut swept)?;
    sweep_tracks(transaction, passages_ms, &mut swept)?;
    let reckoned = keeping::reckon(transaction, settings, STEP)?;
    if reckoned.all {
        sweep_passages(transaction, now_ms, &mut swept)?;
    }
    swept.more |= !reckoned.all || reckoned.rows as i64 >= STEP;
    let (edge_reads, mut digests) = edge_reads::sweep(transaction, passages_ms, hits_ms, STEP)?;
    if edge_reads > 0 {
        let details = serde_json::json!({ "edge_reads": edge_reads, "evidence": digests.len() });
        audit::append(transaction, &Act { who: "garita".to_owned(), action: Action::Deleted, subject: "edge reads".to_owned(), details, now_ms })?;
    }
    swept.digests.append(&mut digests);
    swept.rows += edge_reads;
    swept.more |= edge_reads as i64 == STEP;
    let news = "DELETE FROM outbox WHERE created_ms < ?1 AND id IN (SELECT id FROM outbox ORDER BY id LIMIT ?2)";
    swept.rows += transaction.prepare_cached(news)?.execute(params![hits_ms, STEP])?;
    super::outages::forget(transaction, hits_ms)?;
    swept.rows += transaction.prepare_cached("DELETE FROM shed WHERE minute_ms < ?1")?.execute([hits_ms])?;
    Ok(swept)
}

/// Frames that belong to no passage go; of those that do, or still may, the bytes in the journal.
fn sweep_frames(transaction: &Transaction<'_>, now_ms: i64, keep_ms: i64, swept: &mut Swept) -> rusqlite::Result<()> {
    let old = transaction
        .prepare_cached(
            "SELECT id, EXISTS (SELECT 1 FROM read JOIN track ON track.lane = read.lane AND track.number = read.track
                                WHERE read.frame = frame.id AND track.state <> 'unread')
             FROM frame
             WHERE segment IS NOT NULL AND received_ms < ?1
               AND (received_ms < ?2 OR NOT EXISTS (SELECT 1 FROM read JOIN track ON track.lane = read.lane AND track.number = read.track
                                                    WHERE read.frame = frame.id AND track.state = 'open'))
             ORDER BY received_ms LIMIT ?3",
        )?
        .query_map(params![now_ms - keep_ms, now_ms - keep_ms.max(LONGEST_VIEW_MS), STEP], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(i64, bool)>>>()?;
    for &(frame, linked) in &old {
        if linked {
            transaction.prepare_cached("UPDATE frame SET segment = NULL, at = NULL WHERE id = ?1")?.execute([frame])?;
        } else {
            transaction.prepare_cached("DELETE FROM read WHERE frame = ?1")?.execute([frame])?;
            transaction.prepare_cached("DELETE FROM frame WHERE id = ?1")?.execute([frame])?;
        }
    }
    swept.rows += old.len();
    swept.more |= old.len() as i64 == STEP;
    Ok(())
}

/// Tracks that were never read and have no frame's bytes any more, and open ones that their lane has left behind (it is in the site file no more).
fn sweep_tracks(transaction: &Transaction<'_>, before_ms: i64, swept: &mut Swept) -> rusqlite::Result<()> {
    let unread = "SELECT lane, number FROM track WHERE state = 'unread'
                  AND NOT EXISTS (SELECT 1 FROM read JOIN frame ON frame.id = read.frame
                                  WHERE read.lane = track.lane AND read.track = track.number AND frame.segment IS NOT NULL)
                  AND NOT EXISTS (SELECT 1 FROM hit WHERE hit.lane = track.lane AND hit.track = track.number) LIMIT ?1";
    let left = "SELECT lane, number FROM track WHERE state = 'open'
                AND (SELECT max(frame.received_ms) FROM read JOIN frame ON frame.id = read.frame WHERE read.lane = track.lane AND read.track = track.number) < ?2
                AND NOT EXISTS (SELECT 1 FROM hit WHERE hit.lane = track.lane AND hit.track = track.number) LIMIT ?1";
    let tracks = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
    let mut ended = transaction.prepare_cached(unread)?.query_map([STEP], tracks)?.collect::<rusqlite::Result<Vec<_>>>()?;
    swept.more |= ended.len() as i64 == STEP;
    ended.extend(transaction.prepare_cached(left)?.query_map(params![STEP, before_ms], tracks)?.collect::<rusqlite::Result<Vec<_>>>()?);
    for (lane, track) in &ended {
        delete_track(transaction, lane, *track)?;
    }
    swept.rows += ended.len();
    Ok(())
}

/// Passages whose time has come, and that nobody holds.
fn sweep_passages(transaction: &Transaction<'_>, now_ms: i64, swept: &mut Swept) -> rusqlite::Result<()> {
    let due = format!("SELECT id, lane, track FROM passage WHERE expires_ms < ?1 AND {} ORDER BY expires_ms LIMIT ?2", keeping::PASSAGE_IS_FREE);
    let old = transaction
        .prepare_cached(&due)?
        .query_map(params![now_ms, STEP], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<Vec<(i64, String, i64)>>>()?;
    let (mut hits, mut files) = (0, 0);
    for (passage, lane, track) in &old {
        let mut evidence = transaction.prepare_cached("DELETE FROM evidence WHERE passage = ?1 RETURNING digest")?;
        for digest in evidence.query_map([passage], |row| row.get(0))? {
            swept.digests.push(digest?);
            files += 1;
        }
        swept.digests.extend(edge_reads::delete_of(transaction, *passage)?);
        transaction.prepare_cached("DELETE FROM outbox WHERE subject = ?1")?.execute([format!("{lane}/{track}")])?;
        hits += transaction.prepare_cached("DELETE FROM hit WHERE lane = ?1 AND track = ?2")?.execute(params![lane, track])?;
        transaction.prepare_cached("DELETE FROM passage WHERE id = ?1")?.execute([passage])?;
        delete_track(transaction, lane, *track)?;
    }
    if !old.is_empty() {
        let passages: Vec<i64> = old.iter().map(|(passage, ..)| *passage).collect();
        let details = serde_json::json!({ "passages": passages, "hits": hits, "evidence": files });
        let act = Act { who: "garita".to_owned(), action: Action::Deleted, subject: "passages".to_owned(), details, now_ms };
        audit::append(transaction, &act)?;
    }
    swept.rows += old.len();
    swept.more |= old.len() as i64 == STEP;
    Ok(())
}

/// A track, its reads, and the frames that have no other.
fn delete_track(transaction: &Transaction<'_>, lane: &str, track: i64) -> rusqlite::Result<()> {
    let mut reads = transaction.prepare_cached("DELETE FROM read WHERE lane = ?1 AND track = ?2 RETURNING frame")?;
    let frames = reads.query_map(params![lane, track], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    for frame in frames {
        let alone = "DELETE FROM frame WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM read WHERE frame = ?1)";
        transaction.prepare_cached(alone)?.execute([frame])?;
    }
    transaction.prepare_cached("DELETE FROM track WHERE lane = ?1 AND number = ?2")?.execute(params![lane, track]).map(|_| ())
}
