//! Cases over HTTP: the queue, one case with its pictures, and what people do with it ([`crate::review`]).

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rusqlite::{Connection, Transaction};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Service;
use super::access::{Person, Role};
use super::asked::{Asked, At, Body};
use super::door::now_ms;
use super::lists::InForce;
use super::problem::{Problem, ProblemBody};
use super::sessions::Somebody;
use crate::custody::evidence::{self, from_hex};
use crate::custody::record::Fate;
use crate::custody::{Custody, journal};
use crate::error::{Error, Fault};
use crate::review::decide::{self, Decision, Outcome, Refusal};
use crate::review::{Officer, Reason, State as CaseState, Verdict, cars, cases, changes, figures};

/// What happened longest ago that figures are told of, hours: a month.
const MOST_HOURS: i64 = 24 * 31;

impl From<Person> for Officer {
    fn from(person: Person) -> Officer {
        Officer { supervises: matches!(person.role, Role::Supervisor | Role::Admin), id: person.id, name: person.name }
    }
}

/// The queue.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Queue {
    /// The number of the newest change of a case that it knows.
    change: i64,
    /// Milliseconds since the Unix epoch.
    now_ms: i64,
    /// Cases that wait, also those that are not told.
    all: usize,
    /// Most urgent first, at most ten thousand.
    cases: Vec<cases::Item>,
    /// Cars in which something was found that nobody has judged, most urgent first, at most two thousand.
    cars: Vec<cars::CarItem>,
    /// Who asks.
    me: Somebody,
    /// The site's name.
    site: String,
    /// Whether everything here is made up.
    demo: bool,
}

/// The queue, and the number of the change that it is as of: what [`super::live`] goes on from.
#[utoipa::path(get, path = "/v1/cases", tag = "cases", responses((status = 200, body = Queue)))]
pub(super) async fn queue(State(service): State<Service>, person: Person) -> Result<Response, Problem> {
    let since_ms = person.sees_since_ms(&service.site, now_ms());
    let (change, cases, all, cars) = ask(&service, move |connection| {
        // Before the cases: what changes meanwhile is told twice, and never missed.
        let change = changes::newest(connection)?;
        let (cases, all) = cases::queue(connection, since_ms)?;
        Ok((change, cases, all, cars::queue(connection, since_ms)?))
    })
    .await?;
    let told = Queue { change, now_ms: now_ms(), all, cases, cars, me: person.into(), site: service.site.name.clone(), demo: service.site.demo };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(told)).into_response())
}

/// A case, as somebody is shown it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CaseTold {
    #[serde(flatten)]
    case: cases::Case,
    /// The list in force that has its entry.
    list: Option<InForce>,
    /// The lane's name.
    lane: Option<String>,
    /// Milliseconds since the Unix epoch.
    now_ms: i64,
}

/// One case; that this person was shown it, and which pictures it has, is durable before it goes.
#[utoipa::path(get, path = "/v1/cases/{id}", tag = "cases", params(("id" = i64, Path, description = "The hit's number")), responses((status = 200, description = "The case with its evidence, history and notes", body = CaseTold), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn case(State(service): State<Service>, person: Person, At(id): At<i64>) -> Result<Response, Problem> {
    let since_ms = person.sees_since_ms(&service.site, now_ms());
    let case = ask(&service, move |connection| cases::case(connection, id, since_ms)).await?;
    let case = case.filter(|case| case.item.stored_ms >= since_ms).ok_or_else(|| refused(&Refusal::Unknown))?;
    let pictures: Vec<String> = case.pictures.iter().map(|picture| picture.digest.clone()).collect();
    let (who, named) = (person.id.clone(), pictures.clone());
    if !ask(&service, move |connection| decide::is_open(connection, id, &who, &named, now_ms())).await? {
        change(&service, person, move |transaction, officer| decide::open(transaction, id, officer, &pictures, now_ms())).await?;
    }
    let list = service.lists.of_name(&case.item.list);
    let lane = service.site.lanes.iter().find(|lane| lane.id == case.item.lane).map(|lane| lane.name.clone());
    let told = CaseTold { case, list, lane, now_ms: now_ms() };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(told)).into_response())
}

/// A picture of a case, by its SHA-256; that this person was sent it is durable before it goes.
#[utoipa::path(get, path = "/v1/cases/{id}/pictures/{digest}", tag = "cases", params(("id" = i64, Path, description = "The hit's number"), ("digest" = String, Path, description = "Its SHA-256, hexadecimal")), responses((status = 200, description = "The picture", content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"))), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn picture(State(service): State<Service>, person: Person, At((id, digest)): At<(i64, String)>) -> Result<Response, Problem> {
    let nothing = || Problem::new(StatusCode::NOT_FOUND, "No such picture", "this case has no picture of this SHA-256, or it has had its time");
    let sha = from_hex(&digest).ok_or_else(nothing)?;
    let since_ms = person.sees_since_ms(&service.site, now_ms());
    let place = ask(&service, move |connection| cases::picture(connection, id, &digest, since_ms)).await?.ok_or_else(nothing)?;
    let custody = service.custody.clone();
    let bytes = blocking(move || match place {
        cases::Bytes::Evidence(sha) => {
            let path = evidence::path(&custody.folder().join("evidence"), &sha);
            std::fs::read(&path).map_err(|error| Error::io(&error).in_(path.display()))
        }
        cases::Bytes::Journal(place, length) => journal::read(&custody.folder().join("journal"), place, length),
    })
    .await?
    .map_err(|error| Problem::from(error.in_("evidence")))?;
    if evidence::sha256(&bytes) != sha {
        return Err(Error::new(Fault::Machine, "the picture on the disk is not the one that was kept; run `garita check`").into());
    }
    change(&service, person, move |transaction, officer| decide::view(transaction, id, officer, &sha, now_ms())).await?;
    let kind = if bytes.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "private, no-store"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Ok((headers, bytes).into_response())
}

/// A case in hand.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClaimTold {
    /// Until when, milliseconds since the Unix epoch.
    until_ms: i64,
    /// Since when.
    since_ms: i64,
    /// Milliseconds since the Unix epoch.
    now_ms: i64,
}

impl From<decide::Claim> for ClaimTold {
    fn from(claim: decide::Claim) -> ClaimTold {
        ClaimTold { until_ms: claim.until_ms, since_ms: claim.since_ms, now_ms: now_ms() }
    }
}

/// Takes a case in hand, or prolongs the lease.
#[utoipa::path(put, path = "/v1/cases/{id}/claim", tag = "cases", params(("id" = i64, Path, description = "The hit's number")), responses((status = 200, description = "Until when it is in hand", body = ClaimTold), (status = 409, description = "Another has it in hand, or has decided", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn claim(State(service): State<Service>, person: Person, At(id): At<i64>) -> Result<Json<ClaimTold>, Problem> {
    let claim = change(&service, person, move |transaction, officer| decide::claim(transaction, id, officer, now_ms())).await?;
    Ok(Json(claim.into()))
}

/// Gives a case back.
#[utoipa::path(delete, path = "/v1/cases/{id}/claim", tag = "cases", params(("id" = i64, Path, description = "The hit's number")), responses((status = 204, description = "Given back"), (status = 409, description = "Another has it in hand, or has decided", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn release(State(service): State<Service>, person: Person, At(id): At<i64>) -> Result<StatusCode, Problem> {
    change(&service, person, move |transaction, officer| decide::release(transaction, id, officer, now_ms())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A decision as the page sends it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewDisposition)]
#[serde(deny_unknown_fields)]
pub(super) struct Posted {
    verdict: Verdict,
    reason: Option<Reason>,
    /// SHA-256 of the picture on the screen.
    evidence: String,
    /// For how long it had been painted, milliseconds.
    looked_ms: u32,
}

/// Where a case stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Stands {
    state: CaseState,
}

/// Decides.
#[utoipa::path(post, path = "/v1/cases/{id}/disposition", tag = "cases", params(("id" = i64, Path, description = "The hit's number")), request_body = Posted, responses((status = 200, description = "What it is now", body = Stands), (status = 409, description = "Another has it in hand, or has decided", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Not seen, or a reason is missing", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn disposition(State(service): State<Service>, person: Person, At(id): At<i64>, Body(posted): Body<Posted>) -> Result<Json<Stands>, Problem> {
    let Some(evidence) = from_hex(&posted.evidence) else { return Err(refused(&Refusal::NotSeen)) };
    let decision = Decision { verdict: posted.verdict, reason: posted.reason, evidence, looked_ms: posted.looked_ms };
    let state = change(&service, person, move |transaction, officer| decide::decide(transaction, id, officer, &decision, now_ms())).await?;
    Ok(Json(Stands { state }))
}

/// Takes the decision back.
#[utoipa::path(delete, path = "/v1/cases/{id}/disposition", tag = "cases", params(("id" = i64, Path, description = "The hit's number")), responses((status = 200, description = "What it is now", body = Stands), (status = 409, description = "Another has it in hand, or has decided", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn undo(State(service): State<Service>, person: Person, At(id): At<i64>) -> Result<Json<Stands>, Problem> {
    let state = change(&service, person, move |transaction, officer| decide::undo(transaction, id, officer, now_ms())).await?;
    Ok(Json(Stands { state }))
}

/// A note as the page sends it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewNote)]
#[serde(deny_unknown_fields)]
pub(super) struct PostedNote {
    body: String,
}

/// A note that was written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NoteMade {
    /// Its number.
    note: i64,
}

/// Writes a note beside a case.
#[utoipa::path(post, path = "/v1/cases/{id}/notes", tag = "cases", params(("id" = i64, Path, description = "The hit's number")), request_body = PostedNote, responses((status = 200, description = "The note's number", body = NoteMade),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"), (status = 422, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn note(State(service): State<Service>, person: Person, At(id): At<i64>, Body(note): Body<PostedNote>) -> Result<Json<NoteMade>, Problem> {
    let number = change(&service, person, move |transaction, officer| decide::note(transaction, id, officer, &note.body, now_ms())).await?;
    Ok(Json(NoteMade { note: number }))
}

/// Of how long figures are wanted.
#[derive(Debug, Deserialize)]
pub(super) struct Span {
    hours: Option<i64>,
}

impl Span {
    fn since_ms(&self, usual: i64) -> i64 {
        now_ms() - self.hours.unwrap_or(usual).clamp(1, MOST_HOURS) * 3_600_000
    }
}

/// How hits were judged.
#[utoipa::path(get, path = "/v1/figures/accuracy", tag = "cases", responses((status = 200, body = figures::Accuracy)))]
pub(super) async fn accuracy(State(service): State<Service>, Asked(span): Asked<Span>) -> Result<Json<figures::Accuracy>, Problem> {
    ask(&service, move |connection| figures::accuracy(connection, span.since_ms(24 * 7))).await.map(Json)
}

/// How lanes did by the hour.
#[utoipa::path(get, path = "/v1/figures/hours", tag = "cases", responses((status = 200, body = figures::Hours)))]
pub(super) async fn hours(State(service): State<Service>, Asked(span): Asked<Span>) -> Result<Json<figures::Hours>, Problem> {
    ask(&service, move |connection| figures::hours(connection, span.since_ms(24), now_ms())).await.map(Json)
}

/// Asks the store something, off the async threads.
pub(super) async fn ask<T: Send + 'static>(
    service: &Service,
    question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let custody = service.custody.clone();
    blocking(move || custody.ask(question)).await?.map_err(Problem::from)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let panicked = |error: tokio::task::JoinError| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Panicked", error.to_string());
    tokio::task::spawn_blocking(work).await.map_err(panicked)
}

/// Changes something in the store, durably.
pub(super) async fn change<T: Send + 'static>(
    service: &Service,
    person: Person,
    work: impl FnOnce(&Transaction<'_>, &Officer) -> Outcome<T> + Send + 'static,
) -> Result<T, Problem> {
    let (custody, officer) = (service.custody.clone(), Officer::from(person));
    blocking(move || changed(&custody, &officer, work)).await?
}

fn changed<T: Send + 'static>(
    custody: &Custody,
    officer: &Officer,
    work: impl FnOnce(&Transaction<'_>, &Officer) -> Outcome<T> + Send + 'static,
) -> Result<T, Problem> {
    let (tell, told) = crossbeam_channel::bounded(1);
    let officer = officer.clone();
    let fate = custody.change(move |transaction| {
        // Nothing is written by what answers a refusal.
        let _ = tell.send(work(transaction, &officer)?);
        Ok(0)
    });
    match fate {
        Fate::Kept(_) => {
            told.recv().map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The machine failed", error.to_string()))?.map_err(|why| refused(&why))
        }
        Fate::Full(why) => Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, "Store full", why).retry(5)),
        Fate::Stopped(why) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Store stopped", why).retry(5)),
        Fate::Failed(error) => Err(Problem::new(StatusCode::CONFLICT, "The store refuses", error.to_string())),
    }
}

pub(super) fn refused(why: &Refusal) -> Problem {
    let (status, title, detail) = match why {
        Refusal::Unknown => (StatusCode::NOT_FOUND, "No such case", "there is no such case, or it has had its time".to_owned()),
        Refusal::Claimed { by, .. } => (StatusCode::CONFLICT, "Claimed", format!("{by} has this case in hand")),
        Refusal::Closed { state } => (StatusCode::CONFLICT, "Closed", format!("nothing is to be decided: the case is {}", state.name())),
        Refusal::DecidedAlready => (StatusCode::CONFLICT, "Decided already", "you have decided on this case: another person must".to_owned()),
        Refusal::SupervisorOnly => (StatusCode::FORBIDDEN, "A supervisor's", "this case waits for a supervisor".to_owned()),
        Refusal::NotSeen => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "Not seen",
            "no picture of this case was sent to you, or `evidence` is none of them: look at it before you decide".to_owned(),
        ),
        Refusal::Reason => (StatusCode::UNPROCESSABLE_ENTITY, "Reason", "a rejection has a `reason`, and nothing else has".to_owned()),
        Refusal::NoteWanted => (StatusCode::UNPROCESSABLE_ENTITY, "Note wanted", "the reason `other` wants a note of yours first".to_owned()),
        Refusal::Note => (StatusCode::UNPROCESSABLE_ENTITY, "Note", "a note has 1 to 2,000 characters".to_owned()),
        Refusal::TooLate => {
            (StatusCode::CONFLICT, "Too late", "a decision can be taken back by whoever made it, for ten seconds, until somebody else decides".to_owned())
        }
    };
    Problem::new(status, title, detail).with("why", serde_json::to_value(why).unwrap_or_default())
}
