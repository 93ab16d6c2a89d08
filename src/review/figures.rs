//! What dispositions say of the reader and the lists, and how lanes did by the hour: counts for the pages' tables and plots.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;

use super::HIT_BUDGET_MS;
use crate::eval::statistics::{Proportion, quantile};

const HOUR_MS: i64 = 3_600_000;

/// How the hits of one group were judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Judged {
    /// Which: a list, class or lane.
    pub name: String,
    /// Found right.
    pub confirmed: usize,
    /// Found wrong.
    pub rejected: usize,
    /// Of these, because of a misread.
    pub misread: usize,
    /// Share found wrong among those judged, 0..=1, and its 95 % interval (Wilson); none before the first.
    #[schema(value_type = Option<Vec<f64>>)]
    pub wrong: Option<[f64; 3]>,
}

/// How hits were judged.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Accuracy {
    /// Of hits stored since then, milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// By `all`, `list`, `class`, `lane`.
    #[schema(value_type = BTreeMap<String, Vec<Judged>>)]
    pub groups: BTreeMap<&'static str, Vec<Judged>>,
    /// Rejections by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Cases by where they stand.
    pub states: BTreeMap<String, u64>,
    /// Decisions that were taken back.
    pub undone: i64,
    /// How long pictures were looked at: half of them, nine of ten within; milliseconds.
    #[schema(value_type = Option<Vec<f64>>)]
    pub looked_ms: Option<[f64; 2]>,
    /// How long cases were in hand, likewise.
    #[schema(value_type = Option<Vec<f64>>)]
    pub handled_ms: Option<[f64; 2]>,
}

/// How lanes did by the hour, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Hours {
    /// When the first hour begins, milliseconds since the Unix epoch.
    pub first_ms: i64,
    /// How long one is, milliseconds.
    pub hour_ms: i64,
    /// What a hit may take from frame to store, milliseconds.
    pub budget_ms: i64,
    /// Passages.
    pub passages: Vec<i64>,
    /// Hits.
    pub hits: Vec<i64>,
    /// Frames that were shed.
    pub shed: Vec<i64>,
    /// Hits that were confirmed or rejected.
    pub judged: Vec<i64>,
    /// Of these, because of a misread.
    pub misread: Vec<i64>,
    /// From frame to store, milliseconds: half of the hits within.
    pub took_p50_ms: Vec<Option<f64>>,
    /// 99 of 100 within.
    pub took_p99_ms: Vec<Option<f64>>,
}

/// How hits stored since `since_ms` were judged: in all, by list, class and lane, by reason, and how long judging took.
///
/// # Errors
/// What SQLite says.
pub fn accuracy(connection: &Connection, since_ms: i64) -> rusqlite::Result<Accuracy> {
    let question = "SELECT hit.list, hit.class, hit.lane, review.state,
                           (SELECT reason FROM disposition WHERE disposition.hit = hit.id AND undone_ms IS NULL ORDER BY id DESC LIMIT 1)
                    FROM hit JOIN review ON review.hit = hit.id WHERE hit.stored_ms >= ?1";
    let mut statement = connection.prepare_cached(question)?;
    let mut rows = statement.query([since_ms])?;
    let mut groups: BTreeMap<(&'static str, String), Judged> = BTreeMap::new();
    let (mut reasons, mut states): (BTreeMap<String, u64>, BTreeMap<String, u64>) = Default::default();
    while let Some(row) = rows.next()? {
        let (state, reason): (String, Option<String>) = (row.get(3)?, row.get(4)?);
        *states.entry(state.clone()).or_default() += 1;
        if let Some(reason) = &reason
            && state == "rejected"
        {
            *reasons.entry(reason.clone()).or_default() += 1;
        }
        for (by, name) in [("all", String::new()), ("list", row.get(0)?), ("class", row.get(1)?), ("lane", row.get(2)?)] {
            let group = groups.entry((by, name)).or_default();
            match state.as_str() {
                "confirmed" => group.confirmed += 1,
                "rejected" => {
                    group.rejected += 1;
                    group.misread += usize::from(reason.as_deref() == Some("misread"));
                }
                _ => {}
            }
        }
    }
    let mut told: BTreeMap<&'static str, Vec<Judged>> = BTreeMap::new();
    for ((by, name), mut group) in groups {
        let wrong = Proportion { hits: group.rejected, of: group.confirmed + group.rejected };
        let (low, high) = wrong.interval();
        group.wrong = wrong.share().map(|share| [share, low, high]);
        group.name = name;
        told.entry(by).or_default().push(group);
    }
    let times = |column: &str| -> rusqlite::Result<Vec<f64>> {
        let question = format!("SELECT {column} FROM disposition JOIN hit ON hit.id = disposition.hit WHERE hit.stored_ms >= ?1 AND undone_ms IS NULL");
        connection.prepare_cached(&question)?.query_map([since_ms], |row| row.get::<_, f64>(0))?.collect()
    };
    let quantiles = |values: Vec<f64>| (!values.is_empty()).then(|| [quantile(&values, 0.5), quantile(&values, 0.9)]);
    let undone = connection
        .prepare_cached("SELECT count(*) FROM disposition WHERE undone_ms IS NOT NULL AND decided_ms >= ?1")?
        .query_row([since_ms], |row| row.get::<_, i64>(0))?;
    Ok(Accuracy {
        since_ms,
        groups: told,
        reasons,
        states,
        undone,
        looked_ms: quantiles(times("CAST(looked_ms AS REAL)")?),
        handled_ms: quantiles(times("CAST(decided_ms - claimed_ms AS REAL)")?),
    })
}

/// Hours since `since_ms`, oldest first, of all lanes together: passages, hits, frames shed, hits judged, of these misread, and how long hits took from frame
/// to store (half of them, and 99 of 100 within; milliseconds).
///
/// # Errors
/// What SQLite says.
pub fn hours(connection: &Connection, since_ms: i64, now_ms: i64) -> rusqlite::Result<Hours> {
    let first = since_ms.div_euclid(HOUR_MS);
    let count = (now_ms.div_euclid(HOUR_MS) - first + 1).clamp(0, 24 * 31) as usize;
    let series = |question: &str| -> rusqlite::Result<Vec<i64>> {
        let mut series = vec![0; count];
        let mut statement = connection.prepare_cached(question)?;
        let mut rows = statement.query([first * HOUR_MS])?;
        while let Some(row) = rows.next()? {
            if let Ok(at) = usize::try_from(row.get::<_, i64>(0)? - first)
                && let Some(place) = series.get_mut(at)
            {
                *place = row.get(1)?;
            }
        }
        Ok(series)
    };
    let mut took: Vec<Vec<f64>> = vec![Vec::new(); count];
    let mut statement = connection.prepare_cached("SELECT stored_ms / 3600000, stored_ms - received_ms FROM hit WHERE stored_ms >= ?1")?;
    let mut rows = statement.query([first * HOUR_MS])?;
    while let Some(row) = rows.next()? {
        if let Some(hour) = usize::try_from(row.get::<_, i64>(0)? - first).ok().and_then(|at| took.get_mut(at)) {
            hour.push(row.get::<_, i64>(1)? as f64);
        }
    }
    let of = |share: f64| -> Vec<Option<f64>> { took.iter().map(|hour| (!hour.is_empty()).then(|| quantile(hour, share))).collect() };
    let judged = "SELECT hit.stored_ms / 3600000, count(*) FROM hit JOIN review ON review.hit = hit.id
                  WHERE hit.stored_ms >= ?1 AND review.state IN ('confirmed', 'rejected')";
    Ok(Hours {
        first_ms: first * HOUR_MS,
        hour_ms: HOUR_MS,
        budget_ms: HIT_BUDGET_MS,
        passages: series("SELECT last_ms / 3600000, count(*) FROM passage WHERE last_ms >= ?1 GROUP BY 1")?,
        hits: series("SELECT stored_ms / 3600000, count(*) FROM hit WHERE stored_ms >= ?1 GROUP BY 1")?,
        shed: series("SELECT minute_ms / 3600000, sum(frames) FROM shed WHERE minute_ms >= ?1 GROUP BY 1")?,
        judged: series(&format!("{judged} GROUP BY 1"))?,
        misread: series(&format!(
            "{judged} AND EXISTS (SELECT 1 FROM disposition WHERE disposition.hit = hit.id AND reason = 'misread' AND undone_ms IS NULL) GROUP BY 1"
        ))?,
        took_p50_ms: of(0.5),
        took_p99_ms: of(0.99),
    })
}
