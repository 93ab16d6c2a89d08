//! What there is: passages, hits, cars, findings, evidence and lists, page by page; searches, exports and evidence packs.
//!
//! | file | requests |
//! |---|---|
//! | `passages` | `GET /v1/passages`, `/v1/passages/{id}` |
//! | `hits` | `GET /v1/hits`, `/v1/hits/{id}` |
//! | `rail` | `GET /v1/cars`, `/v1/findings` |
//! | `evidence` | `GET /v1/evidence/{sha256}` |
//! | `lists` | `GET /v1/lists`, `/v1/lists/{name}` |
//! | `search` | `POST /v1/search` |
//! | `export` | `POST /v1/exports` |
//! | `pack` | `POST /v1/packs` |
//!
//! *Pages* are newest first; `next` is the address of the one after, and of none where there is no more. *Personal data* is behind a reason: passages older than the site's `open_hours`
//! are not listed but searched for, and a search, an export and a look at a hit are in the audit trail before they are answered.

pub(super) mod evidence;
pub(super) mod export;
pub(super) mod hits;
pub(super) mod lists;
pub(super) mod pack;
pub(super) mod passages;
pub(super) mod rail;
pub(super) mod search;
mod stream;

use axum::http::StatusCode;
use serde_json::Value;

use super::Service;
use super::access::{Person, too_old};
use super::door::now_ms;
use super::problem::Problem;
use super::uploads::{blocking, kept};
use crate::audit::{self, Act, Action};

/// Rows of a page, and the most that can be asked for.
const PAGE: usize = 50;
const MOST_A_PAGE: usize = 500;

/// How many rows a page has.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(PAGE),
        Some(limit @ 1..=MOST_A_PAGE) => Ok(limit),
        Some(_) => Err(bad(format!("limit: it takes 1 to {MOST_A_PAGE}"))),
    }
}

/// The place that a page begins before, as `next` of the one before had it: two numbers with a point between.
pub(super) fn place(asked: Option<&str>) -> Result<Option<(i64, i64)>, Problem> {
    let Some(asked) = asked else { return Ok(None) };
    let place = asked.split_once('.').and_then(|(one, other)| Some((one.parse().ok()?, other.parse().ok()?)));
    place.map(Some).ok_or_else(|| bad("before: it takes what `next` of the page before has".to_owned()))
}

pub(super) fn bad(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "Bad request", detail)
}

/// The query of the next page: what was asked, from `before` on.
pub(super) fn query(asked: &[(&str, Option<String>)], before: &str) -> String {
    let asked = asked.iter().filter_map(|(name, value)| Some(format!("{name}={}&", encoded(value.as_deref()?))));
    format!("?{}before={before}", asked.collect::<String>())
}

/// A text as a query writes it.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded += &format!("%{byte:02X}"),
        }
        encoded
    })
}

/// Why somebody asks for personal data.
pub(super) struct Why {
    pub(super) reason: String,
    pub(super) case: String,
}

impl Why {
    /// The reason and case number that were given.
    ///
    /// # Errors
    /// 422 where the site demands them and they were not.
    pub(super) fn of(service: &Service, reason: Option<&str>, case: Option<&str>) -> Result<Why, Problem> {
        let given = |text: Option<&str>| text.map(str::trim).unwrap_or_default().to_owned();
        let why = Why { reason: given(reason), case: given(case) };
        if why.reason.len() > 1_000 || why.case.len() > 100 {
            return Err(bad("reason: at most 1,000 bytes; case: at most 100".to_owned()));
        }
        if service.site.search.reason && (why.reason.is_empty() || why.case.is_empty()) {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Say why",
                "state `reason` and `case`, the number of the case that this is for: both go into the audit trail",
            ));
        }
        Ok(why)
    }
}

/// Since when somebody sees what there is, who asks for it from `from_ms` on.
///
/// # Errors
/// 403 where they ask for what is too old for them.
fn since(service: &Service, person: &Person, from_ms: Option<i64>) -> Result<Option<i64>, Problem> {
    match person.sees_since_ms(&service.site, now_ms()) {
        i64::MIN => Ok(from_ms),
        oldest_ms if from_ms.is_some_and(|from_ms| from_ms < oldest_ms) => Err(too_old(&service.site)),
        oldest_ms => Ok(Some(from_ms.unwrap_or(oldest_ms))),
    }
}

/// Since when somebody sees what can be listed without a reason, who asks for it from `from_ms` on.
///
/// # Errors
/// 403 where it is older than the site's `search.open_hours`, or too old for them.
pub(super) fn open_since(service: &Service, person: &Person, from_ms: Option<i64>) -> Result<Option<i64>, Problem> {
    if !service.site.search.reason {
        return since(service, person, from_ms);
    }
    let oldest_ms = now_ms() - 3_600_000 * i64::from(service.site.search.open_hours);
    if from_ms.is_some_and(|from_ms| from_ms < oldest_ms) {
        let detail = format!("what is older than {} h is searched for, with a reason: POST /v1/search", service.site.search.open_hours);
        return Err(Problem::new(StatusCode::FORBIDDEN, "Too old to be listed", detail));
    }
    since(service, person, Some(from_ms.unwrap_or(oldest_ms)))
}

/// That somebody may see what was stored at `stored_ms`.
///
/// # Errors
/// 403 where it is too old for them.
fn may_see(service: &Service, person: &Person, stored_ms: i64) -> Result<(), Problem> {
    if stored_ms < person.sees_since_ms(&service.site, now_ms()) { Err(too_old(&service.site)) } else { Ok(()) }
}

/// Puts what somebody did into the audit trail before they are told anything; answers the record's number.
pub(super) async fn record(service: &Service, person: &Person, action: Action, subject: String, details: Value) -> Result<i64, Problem> {
    let act = Act { who: person.id.clone(), action, subject, details, now_ms: now_ms() };
    let custody = service.custody.clone();
    kept(blocking(move || custody.change(move |transaction| audit::append(transaction, &act))).await)
}

/// Asks the store where nobody waits for it.
pub(super) async fn ask<T: Send + 'static>(
    service: &Service,
    question: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let custody = service.custody.clone();
    Ok(blocking(move || custody.ask(question)).await?)
}

pub(super) fn missing(what: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "Not found", format!("there is no such {what}, or it has had its time"))
}
