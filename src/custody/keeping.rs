//! Until when what is stored is kept: by list, class and jurisdiction, and beyond that while somebody holds it.
//!
//! Every passage and every scan has the time when it goes in its row, reckoned by the first sweep after it came, and again when a hit joins it. So a sweep
//! asks an index for what is due and looks at nothing else, whatever the rules are. When the rules change, everything is reckoned anew, some hundred rows a step, and
//! until that is done nothing is deleted: what a new rule keeps longer must not go by the old one.
//!
//! A passage goes with its hits, its frames and its evidence, when the last of its hits has had its time.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Settings;
use super::evidence::{Sha, sha256};
use crate::audit::{self, Act, Action};
use crate::site::{Class, RetentionRule};

const DAY_MS: i64 = 86_400_000;

/// For how long something is kept, milliseconds. `list`: of a hit's entry.
fn keep_ms(settings: &Settings, class: Class, list: Option<&str>, jurisdiction: &str) -> i64 {
    let fits = |rule: &&RetentionRule| {
        rule.class == class
            && rule.list.as_deref().is_none_or(|wanted| list == Some(wanted))
            && rule.jurisdiction.as_deref().is_none_or(|wanted| wanted == jurisdiction)
    };
    let otherwise = match class {
        Class::Passage => settings.passages_days,
        Class::Hit => settings.hits_days.max(settings.passages_days),
        Class::Scan => settings.scans_days,
        Class::ScanHit => settings.hits_days.max(settings.scans_days),
    };
    DAY_MS * i64::from(settings.rules.iter().find(fits).map_or(otherwise, |rule| rule.days))
}

/// What everything is reckoned by.
fn digest(settings: &Settings) -> Sha {
    let Settings { passages_days, hits_days, scans_days, rules, .. } = settings;
    sha256(format!("{passages_days} {hits_days} {scans_days} {rules:?}").as_bytes())
}

/// What a step of reckoning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reckoned {
    /// Rows looked at.
    pub(super) rows: usize,
    /// Every row's time is that of the rules in force, but for those that have just come.
    pub(super) all: bool,
}

/// Reckons the next `step` passages and scans.
pub(super) fn reckon(transaction: &Transaction<'_>, settings: &Settings, step: i64) -> rusqlite::Result<Reckoned> {
    let rules = digest(settings);
    let begin =
        "INSERT INTO keeping VALUES (1, ?1, 0, 0) ON CONFLICT DO UPDATE SET rules = excluded.rules, passage = 0, scan = 0 WHERE rules <> excluded.rules";
    transaction.prepare_cached(begin)?.execute([rules])?;
    let (passage, scan): (Option<i64>, Option<i64>) =
        transaction.prepare_cached("SELECT passage, scan FROM keeping")?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut reckoned = Reckoned { rows: 0, all: true };
    for (table, at) in [("passage", passage), ("scan", scan)] {
        let fresh = ids(transaction, &format!("SELECT id FROM {table} WHERE expires_ms IS NULL LIMIT ?1"), params![step])?;
        let old = match at {
            None => Vec::new(),
            Some(at) => ids(transaction, &format!("SELECT id FROM {table} WHERE id > ?2 ORDER BY id LIMIT ?1"), params![step, at])?,
        };
        for id in fresh.iter().chain(&old) {
            let expires_ms = if table == "passage" { passage_expiry(transaction, settings, *id)? } else { scan_expiry(transaction, settings, *id)? };
            transaction.prepare_cached(&format!("UPDATE {table} SET expires_ms = ?2 WHERE id = ?1"))?.execute(params![id, expires_ms])?;
        }
        if at.is_some() {
            let goes_on = old.len() as i64 == step;
            transaction.prepare_cached(&format!("UPDATE keeping SET {table} = ?1"))?.execute([old.last().filter(|_| goes_on)])?;
            reckoned.all &= !goes_on;
        }
        reckoned.rows += fresh.len() + old.len();
    }
    Ok(reckoned)
}

fn ids(transaction: &Transaction<'_>, question: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<Vec<i64>> {
    transaction.prepare_cached(question)?.query_map(parameters, |row| row.get(0))?.collect()
}

fn passage_expiry(transaction: &Transaction<'_>, settings: &Settings, id: i64) -> rusqlite::Result<i64> {
    let (stored_ms, jurisdiction, lane, track, sought): (i64, Option<String>, String, i64, bool) = transaction
        .prepare_cached("SELECT stored_ms, jurisdiction, lane, track, sought FROM passage WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
    let mut hits = transaction.prepare_cached("SELECT stored_ms, list, jurisdiction FROM hit WHERE lane = ?1 AND track = ?2")?;
    let mut last = None;
    for hit in hits.query_map(params![lane, track], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))? {
        let (hit_ms, list, jurisdiction) = hit?;
        last = last.max(Some(hit_ms.max(stored_ms) + keep_ms(settings, Class::Hit, Some(&list), &jurisdiction)));
    }
    let class = if sought { Class::Hit } else { Class::Passage };
    Ok(last.unwrap_or_else(|| stored_ms + keep_ms(settings, class, None, jurisdiction.as_deref().unwrap_or(""))))
}

fn scan_expiry(transaction: &Transaction<'_>, settings: &Settings, id: i64) -> rusqlite::Result<i64> {
    let received_ms: i64 = transaction.prepare_cached("SELECT received_ms FROM scan WHERE id = ?1")?.query_row([id], |row| row.get(0))?;
    let mut hits = transaction.prepare_cached("SELECT stored_ms, list, jurisdiction FROM scan_hit WHERE scan = ?1")?;
    let mut last = None;
    for hit in hits.query_map([id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))? {
        let (hit_ms, list, jurisdiction) = hit?;
        last = last.max(Some(hit_ms.max(received_ms) + keep_ms(settings, Class::ScanHit, Some(&list), &jurisdiction)));
    }
    Ok(last.unwrap_or_else(|| received_ms + keep_ms(settings, Class::Scan, None, "")))
}

/// The condition that nobody holds a row of `passage`.
pub(super) const PASSAGE_IS_FREE: &str = "NOT EXISTS (SELECT 1 FROM hold WHERE kind = 'passage' AND subject = CAST(passage.id AS TEXT) AND released_ms IS NULL)
    AND NOT EXISTS (SELECT 1 FROM hold WHERE kind = 'plate' AND subject = passage.text AND released_ms IS NULL)";

/// The condition that nobody holds a row of `scan`.
pub(crate) const SCAN_IS_FREE: &str = "NOT EXISTS (SELECT 1 FROM hold WHERE kind = 'scan' AND subject = CAST(scan.id AS TEXT) AND released_ms IS NULL)";

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Held {
    /// A passage, by its number.
    Passage,
    /// A scan, by its number.
    Scan,
    /// Every passage of a plate, by its text.
    Plate,
}

impl Held {
    fn name(self) -> &'static str {
        match self {
            Held::Passage => "passage",
            Held::Scan => "scan",
            Held::Plate => "plate",
        }
    }
}

/// A hold to place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// What.
    pub kind: Held,
    /// Its number, or the plate's text.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// Of the case that it is for.
    pub case_number: String,
}

/// A hold as answers tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Hold {
    /// Its number.
    pub id: i64,
    /// What.
    pub kind: String,
    /// Its number, or the plate's text.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// Of the case that it is for.
    pub case_number: String,
    /// By whom.
    pub placed_by: String,
    /// When, milliseconds since the Unix epoch.
    pub placed_ms: i64,
    /// Who took it back; `None` while it is in force.
    pub released_by: Option<String>,
    /// When.
    pub released_ms: Option<i64>,
}

fn hold_row(row: &Row<'_>) -> rusqlite::Result<Hold> {
    Ok(Hold {
        id: row.get(0)?,
        kind: row.get(1)?,
        subject: row.get(2)?,
        reason: row.get(3)?,
        case_number: row.get(4)?,
        placed_by: row.get(5)?,
        placed_ms: row.get(6)?,
        released_by: row.get(7)?,
        released_ms: row.get(8)?,
    })
}

/// The newest holds, those that were released included; at most a thousand.
///
/// # Errors
/// What SQLite says.
pub fn holds(connection: &Connection) -> rusqlite::Result<Vec<Hold>> {
    let newest = "SELECT id, kind, subject, reason, case_number, placed_by, placed_ms, released_by, released_ms FROM hold ORDER BY released_ms IS NOT NULL, id DESC LIMIT 1000";
    connection.prepare_cached(newest)?.query_map([], hold_row)?.collect()
}

/// Places a hold; answers its number, `None` where there is no such passage or scan.
///
/// # Errors
/// What SQLite says.
pub fn hold(transaction: &Transaction<'_>, by: &str, hold: &NewHold, now_ms: i64) -> rusqlite::Result<Option<i64>> {
    let there = match hold.kind {
        Held::Plate => true,
        kind => {
            let found = format!("SELECT 1 FROM {} WHERE CAST(id AS TEXT) = ?1 AND id = CAST(?1 AS INTEGER)", kind.name());
            transaction.prepare_cached(&found)?.query_row([&hold.subject], |_| Ok(())).optional()?.is_some()
        }
    };
    if !there {
        return Ok(None);
    }
    let insert = "INSERT INTO hold (kind, subject, reason, case_number, placed_by, placed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    transaction.prepare_cached(insert)?.execute(params![hold.kind.name(), hold.subject, hold.reason, hold.case_number, by, now_ms])?;
    let id = transaction.last_insert_rowid();
    let details = serde_json::json!({ "kind": hold.kind, "subject": hold.subject, "reason": hold.reason, "case_number": hold.case_number });
    audit::append(transaction, &Act { who: by.to_owned(), action: Action::HoldPlaced, subject: format!("hold {id}"), details, now_ms })?;
    Ok(Some(id))
}

/// Takes a hold back; false where none of this number is in force.
///
/// # Errors
/// What SQLite says.
pub fn release(transaction: &Transaction<'_>, by: &str, id: i64, now_ms: i64) -> rusqlite::Result<bool> {
    let update = "UPDATE hold SET released_by = ?2, released_ms = ?3 WHERE id = ?1 AND released_ms IS NULL";
    if transaction.prepare_cached(update)?.execute(params![id, by, now_ms])? == 0 {
        return Ok(false);
    }
    let act = Act { who: by.to_owned(), action: Action::HoldReleased, subject: format!("hold {id}"), details: serde_json::json!({}), now_ms };
    audit::append(transaction, &act).map(|_| true)
}
