//! Looking back among what has passed, for entries that came onto a list since, or when somebody asks: a job in the background, with progress.
//!
//! Bounded: [`MOST_ENTRIES`] entries, [`MOST_PASSAGES`] passages of each, one job at a time, and a rest after each entry, so that lanes do not notice. A job that did not
//! get through says `cut`. What it meets is no hit - the vehicle is long gone - but is told outside as `lookback.match`.
//!
//! | request | does |
//! |---|---|
//! | `GET /v1/lookbacks`, `/v1/lookbacks/{id}` | how far they are, and what they met |
//! | `POST /v1/lookbacks` | begins one |

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::access::Person;
use super::asked::{Asked, At, Body};
use super::door::now_ms;
use super::lists::Replaced;
use super::problem::{Problem, ProblemBody};
use super::queries::{Why, ask, bad, missing};
use super::uploads::{blocking, kept};
use crate::audit::{self, Act, Action};
use crate::custody::lookback::{self, Lookback, LookbackMatch, NewLookback};
use crate::custody::record::StoredRead;
use crate::custody::search::{Meant, Search, automaton};
use crate::error::{Error, Result};
use crate::lane::hit::{Hit, Matcher};
use crate::watchlist::entry::{Entry, Mode, Subject};
use crate::watchlist::snapshot::Snapshot;
use crate::watchlist::update::{Change, diff};

/// Entries of one job at most, and passages that one entry meets.
const MOST_ENTRIES: usize = 10_000;
const MOST_PASSAGES: usize = 500;
/// Characters that may differ: as for hits.
const EDITS: u8 = 1;
/// After each entry.
const REST: Duration = Duration::from_millis(5);
/// Entries after which progress is kept.
const STEP: usize = 20;
/// Matches that an answer tells at most.
const MOST_TOLD: usize = 1_000;
const DAY_MS: i64 = 86_400_000;

/// Looks for the entries that a list has and did not have before, where the site wants that.
pub(super) async fn of_added(service: &Service, replaced: &Replaced) {
    let Some(days) = service.site.lists.iter().find(|list| list.name == replaced.list).map(|list| list.lookback_days).filter(|days| *days > 0) else { return };
    let (before, after) = (replaced.before.clone(), replaced.after.clone());
    let added = blocking(move || {
        let (mut added, mut more) = (Vec::new(), false);
        let each = |change| match change {
            Change::Added(entry) if is_sought(&entry) && added.len() < MOST_ENTRIES => added.push(*entry),
            Change::Added(entry) => more |= is_sought(&entry),
            Change::Removed(_) | Change::Changed(..) => {}
        };
        diff(Some(before.base()), after.base(), each).map(|_| (added, more))
    });
    match added.await {
        Ok((added, _)) if added.is_empty() => {}
        Ok((added, more)) => {
            let (list, from_ms) = (replaced.list.clone(), now_ms() - DAY_MS * i64::from(days));
            let new = NewLookback { list, reason: "new entries".to_owned(), case: String::new(), person: "garita".to_owned(), from_ms, entries: added.len() };
            if let Err(problem) = begin(service, new, added, more).await {
                tracing::error!(list = replaced.list, error = problem.detail, "nobody looks back for its new entries");
            }
        }
        Err(error) => tracing::error!(list = replaced.list, %error, "nobody looks back for its new entries"),
    }
}

fn is_sought(entry: &Entry) -> bool {
    entry.subject == Subject::Plate && entry.mode == Mode::AlertOnMatch
}

/// Begins a job; `more`: entries were left out.
async fn begin(service: &Service, new: NewLookback, entries: Vec<Entry>, more: bool) -> std::result::Result<i64, Problem> {
    let from_ms = new.from_ms;
    let change = move |transaction: &rusqlite::Transaction<'_>| {
        let now_ms = now_ms();
        let id = lookback::begin(transaction, &new, now_ms)?;
        let details = json!({ "reason": new.reason, "case": new.case, "list": new.list, "entries": new.entries, "from_ms": new.from_ms });
        audit::append(transaction, &Act { who: new.person, action: Action::Searched, subject: format!("lookback {id}"), details, now_ms })?;
        Ok(id)
    };
    let custody = service.custody.clone();
    let id = kept(blocking(move || custody.change(change)).await)?;
    let service = service.clone();
    tokio::spawn(async move {
        let _turn = service.looking_back.lock().await;
        let job = service.clone();
        let state = blocking(move || run(&job, id, &entries, from_ms)).await;
        let state = match state {
            Ok(whole) if whole && !more => "done",
            Ok(_) if service.is_stopping() => "ended",
            Ok(_) => "cut",
            Err(error) => {
                tracing::error!(lookback = id, %error, "looking back failed");
                "ended"
            }
        };
        let custody = service.custody.clone();
        let _ = blocking(move || custody.change(move |transaction| lookback::end(transaction, id, state, now_ms()))).await;
    });
    Ok(id)
}

/// Looks for each entry; false where it did not look at everything.
fn run(service: &Service, id: i64, entries: &[Entry], from_ms: i64) -> Result<bool> {
    let (mut matcher, mut met, mut whole) = (Matcher::default(), Vec::new(), true);
    for (number, entry) in (1..).zip(entries) {
        if service.is_stopping() {
            return Ok(false);
        }
        whole &= look_for(service, entry, from_ms, &mut matcher, &mut met)?;
        if number % STEP == 0 || number == entries.len() {
            let met = std::mem::take(&mut met);
            crate::custody::scans::kept(service.custody.change(move |transaction| lookback::go_on(transaction, id, number, &met, now_ms())))?;
        }
        std::thread::sleep(REST);
    }
    Ok(whole)
}

/// Adds the passages that an entry means; false where there may be more.
fn look_for(service: &Service, entry: &Entry, from_ms: i64, matcher: &mut Matcher, met: &mut Vec<(i64, Hit)>) -> Result<bool> {
    let text = automaton(&entry.text, Meant::Near, EDITS)?;
    let search = Search { text: Some(text), from_ms: Some(from_ms), ..Search::all(MOST_PASSAGES) };
    let snapshot = Snapshot::of_entries(std::slice::from_ref(entry), &[])?;
    // As if it had been in force: it was filed afterwards.
    let at_ms = entry.valid_from.map_or(i64::MIN, |from| from.as_millisecond()).max(now_ms());
    let (found, reads) = service.custody.ask(|connection| {
        let found = search.run(connection)?;
        let mut best = connection.prepare_cached("SELECT best FROM passage WHERE id = ?1")?;
        let mut reads = Vec::with_capacity(found.matches.len());
        for one in &found.matches {
            let mut rows = best.query([one.passage])?;
            if let Some(row) = rows.next()? {
                reads.push((one.passage, StoredRead::from_column(row.get_ref(0)?)?));
            }
        }
        Ok((found, reads))
    })?;
    for (passage, read) in reads {
        let (read, mut hits) = (read.to_read(), Vec::new());
        matcher.hits(&snapshot, (&read.text, &read.posterior), read.jurisdiction, at_ms, &mut hits)?;
        met.extend(hits.into_iter().map(|hit| (passage, hit)));
    }
    Ok(found.next.is_none())
}

/// Which looks back.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct LookbacksQuery {
    /// Where the page begins: from `next` of the one before.
    before: Option<i64>,
}

/// A page of looks back, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Lookbacks {
    lookbacks: Vec<Lookback>,
    /// Where the next page is, if there is more.
    next: Option<String>,
}

/// Lists looks back, with their progress.
#[utoipa::path(get, path = "/v1/lookbacks", tag = "lookbacks", params(LookbacksQuery), responses((status = 200, body = Lookbacks)))]
pub(super) async fn listed(State(service): State<Service>, Asked(asked): Asked<LookbacksQuery>) -> std::result::Result<Json<Lookbacks>, Problem> {
    const PAGE: usize = 50;
    let lookbacks = ask(&service, move |connection| lookback::newest(connection, asked.before.unwrap_or(i64::MAX), PAGE)).await?;
    let next = lookbacks.last().filter(|_| lookbacks.len() == PAGE).map(|last| format!("/v1/lookbacks?before={}", last.id));
    Ok(Json(Lookbacks { lookbacks, next }))
}

/// A look back, and what it met.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LookbackTold {
    #[serde(flatten)]
    lookback: Lookback,
    /// The passages that it met, newest first, at most 1,000.
    met: Vec<LookbackMatch>,
}

/// One look back with what it met.
#[utoipa::path(get, path = "/v1/lookbacks/{id}", tag = "lookbacks", params(("id" = i64, Path, description = "Its number")),
    responses((status = 200, body = LookbackTold), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn one(State(service): State<Service>, At(id): At<i64>) -> std::result::Result<Json<LookbackTold>, Problem> {
    let told = ask(&service, move |connection| {
        let Some(lookback) = lookback::one(connection, id)? else { return Ok(None) };
        Ok(Some(LookbackTold { lookback, met: lookback::matches(connection, id, MOST_TOLD)? }))
    });
    told.await?.map(Json).ok_or_else(|| missing("look back"))
}

/// For what to look back, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LookbackAsked {
    /// Why; compulsory unless the site says otherwise.
    reason: Option<String>,
    /// The number of the case that it is for; compulsory unless the site says otherwise.
    case: Option<String>,
    /// The list.
    list: String,
    /// The text of one entry; all of the list's unless given.
    text: Option<String>,
    /// How far back, days, 1 to 3,650; 30 unless given.
    days: Option<u32>,
}

/// Begins a look back for a list's entries, or one of them; that it was asked for, with its reason, is in the audit trail.
#[utoipa::path(post, path = "/v1/lookbacks", tag = "lookbacks", request_body = LookbackAsked, responses(
    (status = 202, description = "It has begun", body = Lookback),
    (status = 422, description = "No reason or case number", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn asked(
    State(service): State<Service>,
    person: Person,
    Body(asked): Body<LookbackAsked>,
) -> std::result::Result<(StatusCode, Json<Lookback>), Problem> {
    let why = Why::of(&service, asked.reason.as_deref(), asked.case.as_deref())?;
    let days = asked.days.unwrap_or(30);
    if !(1..=3_650).contains(&days) {
        return Err(bad("days: it takes 1 to 3650".to_owned()));
    }
    let watchlist = service.lists.watchlist(&asked.list).ok_or_else(|| missing("list"))?;
    let text = asked.text.clone();
    let (entries, more) = blocking(move || {
        let snapshot = watchlist.load();
        let wanted = text.map(|text| crate::watchlist::normalise(&text).map_err(|refused| bad(format!("text: {refused}")))).transpose()?;
        let (mut entries, mut more) = (Vec::new(), false);
        for entry in snapshot.base().entries() {
            let entry = entry.map_err(Problem::from)?;
            if !is_sought(&entry) || wanted.is_some_and(|wanted| entry.key() != Ok(wanted)) {
                continue;
            }
            if entries.len() == MOST_ENTRIES {
                more = true;
                break;
            }
            entries.push(entry);
        }
        Ok::<_, Problem>((entries, more))
    })
    .await?;
    if entries.is_empty() {
        return Err(missing("entry of a plate on that list"));
    }
    let from_ms = now_ms() - DAY_MS * i64::from(days);
    let new = NewLookback { list: asked.list, reason: why.reason, case: why.case, person: person.id, from_ms, entries: entries.len() };
    let id = begin(&service, new, entries, more).await?;
    let begun = ask(&service, move |connection| lookback::one(connection, id)).await?;
    begun.map(|begun| (StatusCode::ACCEPTED, Json(begun))).ok_or_else(|| Problem::from(Error::new(crate::error::Fault::Machine, "it has not begun")))
}
