//! `POST /v1/lanes/{id}/edge-reads`, where cameras that read plates themselves say what they read, and `GET /v1/edge-reads`.
//!
//! *The read is kept whatever becomes of its picture*, for it is an opinion by itself: where the picture is bad, or there is no place for it, the answer says so, and
//! its camera has done its part.
//!
//! *A picture that was handed in counts as a frame* of its lane, accepted, shed or rejected, also where its read is refused; one of no lane of the site under
//! [`super::door::UNKNOWN`]. That one was handed in is known when the event has come as its sender says and could be taken apart. What is turned away before that
//! (unread, cut off, damaged, no event) counts as no frame; where its sender was let in, as a read that was refused.

use std::sync::mpsc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::{IntoParams, ToSchema};

use super::access::Credentials;
use super::access::Person;
use super::asked::Asked;
use super::door::{Incoming, Kept, Refused, is_believed, now_ms};
use super::edge::{EdgeRead, View};
use super::frames::{Answered, has_place, kept, refused, whole};
use super::problem::{Problem, ProblemBody};
use super::queries::{self, ask};
use super::uploads::{self, blocking};
use super::{Service, fields, metrics};
use crate::audit::Action;
use crate::bytes::Bytes;
use crate::custody::edge_reads::{self, Came, EDGE_READ};
use crate::custody::evidence::{Sha, sha256};
use crate::custody::record::{EdgeReadRecord, Record};
use crate::error::{Error, Fault};
use crate::lane::hit::{Hit, Matcher};
use crate::lane::line::PlateLine;
use crate::lane::opinion::Opinion;
use crate::lane::read::{Code, Jurisdiction};
use crate::posterior::Text;
use crate::watchlist::find::posterior_of_text;
use crate::watchlist::normalise;

/// How unsure each character of a camera's read is taken to be, whatever the camera says. A guess: vendors state two to five reads in a hundred wrong, and what they call
/// confidence is calibrated by nobody.
const DOUBT: f32 = 0.005;

/// What became of a camera's event.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EdgeTaken {
    /// The number of its picture's frame in the store; as the next three, none where no picture of it was looked at.
    frame: Option<i64>,
    /// The frame's number in the lane.
    sequence: Option<u64>,
    /// Frames of the lane that were displaced before it.
    skipped: Option<u32>,
    /// From the last byte to the frame's commit.
    took_ms: Option<f64>,
    /// What became of its picture; none where it brought no picture of more than the plate.
    picture: Option<EdgePicture>,
    /// It had come before: what is told is what was kept of it then.
    replay: bool,
    /// Our plates in it, surest first: as `garita read --json` tells them.
    #[schema(value_type = Vec<Object>)]
    plates: Vec<PlateLine>,
    /// What the camera read.
    theirs: Theirs,
    /// How that compares with ours: `opinion` is `agree`, `differ` (with `at`, character by character) or `only_theirs`.
    #[schema(value_type = Object)]
    comparison: Opinion,
    /// Whom it may be by itself, where we read nothing like it: `entry`, `class`, `edits` of each.
    #[schema(value_type = Vec<Object>)]
    entries: Value,
    /// Its number among cameras' reads.
    edge_read: i64,
}

/// What a camera read.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Theirs {
    /// As it writes it.
    text: String,
    /// By its own measure.
    confidence: Option<f64>,
    /// ISO 3166-2; empty where it does not say.
    jurisdiction: String,
    /// `approaching` or `leaving`.
    direction: Option<String>,
}

/// What became of a picture that came with a read.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EdgePicture {
    /// `looked_at`; `shed`: there was no place for it, or a newer frame took it; `bad`: it cannot be looked at.
    outcome: &'static str,
    /// Why it was not looked at.
    why: Option<String>,
}

impl EdgePicture {
    fn of(looked: &Result<Kept, Problem>) -> EdgePicture {
        match looked {
            Ok(_) => EdgePicture { outcome: "looked_at", why: None },
            Err(problem) => EdgePicture { outcome: if is_shed(problem) { "shed" } else { "bad" }, why: Some(problem.detail.clone()) },
        }
    }
}

/// Whether the same picture might have been looked at another time.
fn is_shed(problem: &Problem) -> bool {
    matches!(problem.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE)
}

/// An event that has come, taken apart.
struct Event {
    theirs: EdgeRead,
    /// What makes two events the same.
    key: Sha,
    /// All that it says, where its sender has a name for it.
    said: Option<Sha>,
    /// Its picture of more than the plate, and the SHA-256 of that.
    picture: Option<(Sha, bytes::Bytes)>,
    captured_ms: i64,
    received_ms: i64,
}

/// Takes the event of a camera that reads plates itself (Axis, Hikvision). What it read is kept as a second opinion beside our passage of the same vehicle, whatever
/// becomes of its picture; that, if there is one of more than the plate, is a frame like others. Where nothing that we read is like it, its text meets the watchlists by itself: `entries`.
#[utoipa::path(post, path = "/v1/lanes/{id}/edge-reads", tag = "lanes", params(("id" = String, Path, description = "The lane's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is the same event"),
        ("Content-Digest" = Option<String>, Header, description = "RFC 9530: sha-256, sha-512; of the body, as Repr-Digest is here")),
    request_body(content = Vec<u8>, content_type = "multipart/form-data", description = "What a camera that reads plates itself posts: Axis, Hikvision"),
    responses((status = 201, description = "The read is kept; how its text and ours differ, and what became of its picture", body = EdgeTaken),
        (status = 400, description = "Another event has come under this Idempotency-Key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Damaged", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "There is no room for its body, or the store has stopped", body = ProblemBody, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn take(State(service): State<Service>, Path(id): Path<String>, credentials: Credentials, request: Request) -> Answered<EdgeTaken> {
    let lane = service.lane(&id);
    let may_post = lane.clone().and_then(|lane| credentials.sender(&service.site)?.may_use_lane(lane).map(|()| lane));
    let event = event(&service, &id, request).await;
    match may_post {
        Ok(lane) => {
            let taken = match event {
                Ok((event, _room)) => taken(&service, &id, lane, event).await,
                Err(problem) => Err(problem),
            };
            taken.inspect_err(|_| metrics::edge_read_refused(&id))
        }
        Err(problem) => {
            if event.is_ok_and(|(event, _)| event.picture.is_some()) {
                service.door.refused(lane.ok(), refused(&problem));
            }
            Err(problem)
        }
    }
}

/// The event of a request, and its room in memory, to be kept until it is answered.
async fn event(service: &Service, lane: &str, request: Request) -> Result<(Event, OwnedSemaphorePermit), Problem> {
    let headers = request.headers().clone();
    let kind = fields::text(&headers, "content-type")?.unwrap_or_default();
    let name = fields::name(&headers)?;
    let limit = usize::try_from(service.site.limits.frame_bytes).unwrap_or(usize::MAX);
    let patience = std::time::Duration::from_secs(service.site.limits.body_timeout_s);
    let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "Too slow", format!("the body had not come after {} s", patience.as_secs()));
    let (body, room) = tokio::time::timeout(patience, whole(request.into_body(), limit, &service.room)).await.map_err(slow)??;
    let received_ms = now_ms();
    fields::hold(&headers, &body)?;
    let theirs = EdgeRead::parse(kind, &body).map_err(|error| error.in_(format!("lane {lane}")))?;
    let picture = theirs.picture.as_ref().filter(|picture| picture.view > View::Plate).map(|picture| (sha256(&picture.bytes), picture.bytes.clone()));
    let digest = picture.as_ref().map(|picture| picture.0);
    let captured_ms = theirs.captured_ms.filter(|&said| is_believed(said, received_ms)).unwrap_or(received_ms);
    let said = name.is_some().then(|| all_of(&theirs, digest));
    Ok((Event { key: key_of(&theirs, name.as_deref(), digest, received_ms), said, theirs, picture, captured_ms, received_ms }, room))
}

/// Looks at the picture of an event of a camera that is let in, and keeps the event.
async fn taken(service: &Service, id: &str, lane: usize, mut event: Event) -> Answered<EdgeTaken> {
    // As the door looks for frames: nothing is waited for between a picture's coming and its count.
    let known = service.custody.ask(|connection| edge_reads::came(connection, id, &event.key, event.said.as_ref()));
    if let Err(problem) = known.map_err(Problem::from).and_then(|came| no_other(came, id)) {
        if event.picture.is_some() {
            service.door.refused(Some(lane), refused(&problem));
        }
        return Err(problem);
    }
    let looked = match &event.picture {
        Some((_, bytes)) => Some(look(service, lane, bytes.clone(), event.theirs.captured_ms).await),
        None => None,
    };
    // Nobody can look at it, so it is no evidence; it lies in quarantine.
    let picture = looked.as_ref().map(EdgePicture::of);
    event.picture = event.picture.filter(|_| picture.as_ref().is_none_or(|picture| picture.outcome != "bad"));
    let looked = looked.and_then(Result::ok);
    let frame = looked.as_ref().map(|kept| kept.frame);
    let (row, came) = keep(service, id, event, frame).await?;
    no_other(came, id)?;
    let kept = ask(service, move |connection| edge_reads::one(connection, row)).await?.ok_or_else(|| queries::missing("edge read"))?;
    let opinion = match kept.comparison {
        Opinion::Agree => "agree",
        Opinion::Differ { .. } => "differ",
        _ => "only_theirs",
    };
    metrics::edge_read(id, opinion, &kept.entries);
    let outcome = picture.as_ref().map(|picture| picture.outcome);
    tracing::info!(lane = id, edge_read = kept.id, frame, picture = outcome, theirs = kept.written, opinion, "a camera's own read");
    let theirs = Theirs { text: kept.written, confidence: kept.confidence, jurisdiction: kept.jurisdiction, direction: kept.direction };
    let taken = EdgeTaken {
        frame,
        sequence: looked.as_ref().map(|kept| kept.sequence),
        skipped: looked.as_ref().map(|kept| kept.skipped),
        took_ms: looked.as_ref().map(|kept| kept.took_ms),
        picture,
        replay: came == Came::Again,
        plates: looked.map(|kept| kept.plates).unwrap_or_default(),
        theirs,
        comparison: kept.comparison,
        entries: kept.entries,
        edge_read: kept.id,
    };
    Ok((StatusCode::CREATED, Json(taken)))
}

/// Refuses an event under the name of another one.
fn no_other(came: Came, lane: &str) -> Result<(), Problem> {
    match came {
        Came::First | Came::Again => Ok(()),
        Came::Other => {
            Err(Error::new(Fault::Caller, "this Idempotency-Key has come with other bytes before; give each event its own").in_(format!("lane {lane}")).into())
        }
    }
}

/// Hands in a picture that came with a read, as a frame.
async fn look(service: &Service, lane: usize, bytes: bytes::Bytes, captured_ms: Option<i64>) -> Result<Kept, Problem> {
    has_place(service).inspect_err(|_| service.door.refused(Some(lane), Refused::Shed))?;
    kept(service.door.submit(Incoming { lane, bytes, captured_ms, sequence: None, digest: None, key: None }).await)
}

/// What makes two events the same: the sender's name for it, else all that it says. One without a time and a picture is its own.
fn key_of(theirs: &EdgeRead, name: Option<&str>, picture: Option<Sha>, received_ms: i64) -> Sha {
    match name {
        Some(name) => sha256(format!("key {name}").as_bytes()),
        None => {
            let when = theirs.captured_ms.or(picture.is_none().then_some(received_ms));
            sha256(format!("edge read {} {when:?} {:?} {:?} {picture:?}", theirs.text, theirs.confidence, theirs.direction).as_bytes())
        }
    }
}

/// All that an event says, as it is understood: the form around it may be another when it comes again.
fn all_of(theirs: &EdgeRead, picture: Option<Sha>) -> Sha {
    let EdgeRead { text, confidence, jurisdiction, captured_ms, direction, picture: _ } = theirs;
    sha256(format!("event {text} {confidence:?} {jurisdiction} {captured_ms:?} {direction:?} {picture:?}").as_bytes())
}

/// Keeps a camera's read; its row, and whether it had come before, once it is durable.
async fn keep(service: &Service, lane: &str, event: Event, frame: Option<i64>) -> Result<(i64, Came), Problem> {
    let (service, lane) = (service.clone(), lane.to_owned());
    let fate = blocking(move || {
        let Event { theirs, key, said, picture, captured_ms, received_ms } = event;
        let hits = met(&service, &theirs, captured_ms)?;
        let text: String = theirs.text.chars().filter(|one| one.is_alphanumeric()).flat_map(char::to_uppercase).collect();
        let (tell, told) = mpsc::sync_channel(1);
        let picture = picture.map(|(digest, bytes)| (digest, Bytes::from(bytes)));
        service.custody.put(Record::EdgeRead(Box::new(EdgeReadRecord {
            lane,
            key,
            event: said,
            text,
            written: theirs.text,
            confidence: theirs.confidence,
            jurisdiction: theirs.jurisdiction.to_string(),
            direction: theirs.direction.map(super::edge::Direction::name),
            captured_ms,
            received_ms,
            frame,
            picture,
            hits,
            done: Box::new(move |fate, came| _ = tell.send((fate, came))),
        })));
        Ok::<_, Problem>(told.recv())
    });
    match fate.await? {
        Ok((fate, came)) => Ok((uploads::kept(fate)?, came)),
        Err(_) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Stopping", "the service is stopping").retry(5)),
    }
}

/// The entries that a camera's text meets by itself; none for a text that no plate of ours can have.
fn met(service: &Service, theirs: &EdgeRead, at_ms: i64) -> crate::error::Result<Vec<Hit>> {
    let mut hits = Vec::new();
    let Ok(key) = normalise(&theirs.text) else { return Ok(hits) };
    let Some(text) = Text::of(&key.to_string()) else { return Ok(hits) };
    let jurisdiction = Code::of(&theirs.jurisdiction.to_string()).map(|code| Jurisdiction { code, confidence: 1.0 });
    let mut matcher = Matcher::default();
    for watchlist in service.lists.watchlists() {
        matcher.hits(&watchlist.load(), (&text, &posterior_of_text(key, DOUBT)), jurisdiction, at_ms, &mut hits)?;
    }
    Ok(hits)
}

/// Which reads of cameras.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EdgeReadsQuery {
    /// The lane's id; all lanes unless given.
    lane: Option<String>,
    /// Only those like which we read nothing.
    alone: Option<bool>,
    /// Captured not before this, milliseconds since the Unix epoch.
    from_ms: Option<i64>,
    /// Captured before this, milliseconds since the Unix epoch.
    until_ms: Option<i64>,
    /// Where the page begins: from `next` of the one before.
    before: Option<String>,
    /// How many, 1 to 500; 50 unless given.
    limit: Option<usize>,
}

/// A page of cameras' reads, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EdgeReads {
    edge_reads: Vec<edge_reads::EdgeRead>,
    /// Where the next page is, if there is more.
    next: Option<String>,
}

/// Lists what cameras read by themselves in the last hours (the site's `search.open_hours`); older ones want a search with a reason.
#[utoipa::path(get, path = "/v1/edge-reads", tag = "queries", params(EdgeReadsQuery), responses((status = 200, body = EdgeReads),
    (status = 403, description = "Older than can be listed", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn listed(State(service): State<Service>, person: Person, Asked(asked): Asked<EdgeReadsQuery>) -> Result<Json<EdgeReads>, Problem> {
    let (limit, from_ms) = (queries::limit(asked.limit)?, queries::open_since(&service, &person, asked.from_ms)?);
    let (before, of) = (queries::place(asked.before.as_deref())?.unwrap_or((i64::MAX, i64::MAX)), (asked.lane.clone(), asked.alone));
    let until_ms = asked.until_ms;
    let found: Vec<edge_reads::EdgeRead> = ask(&service, move |connection| {
        let question = format!(
            "SELECT {EDGE_READ} FROM edge_read WHERE (captured_ms, id) < (?1, ?2) AND (?3 IS NULL OR lane = ?3) AND (?4 IS NULL OR (track IS NULL) = ?4)
             AND (?5 IS NULL OR captured_ms >= ?5) AND (?6 IS NULL OR captured_ms < ?6) ORDER BY captured_ms DESC, id DESC LIMIT ?7"
        );
        let parameters = params![before.0, before.1, of.0, of.1, from_ms, until_ms, limit as i64];
        connection.prepare_cached(&question)?.query_map(parameters, edge_reads::row)?.collect()
    })
    .await?;
    if found.iter().any(|read| read.entries != json!([])) {
        let ids: Vec<i64> = found.iter().map(|read| read.id).collect();
        queries::record(&service, &person, Action::HitViewed, "edge reads".to_owned(), json!({ "edge_reads": ids })).await?;
    }
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let more = [
        ("lane", asked.lane),
        ("alone", asked.alone.map(|alone| alone.to_string())),
        ("from_ms", number(asked.from_ms)),
        ("until_ms", number(asked.until_ms)),
        ("limit", asked.limit.map(|limit| limit.to_string())),
    ];
    let next = found.last().filter(|_| found.len() == limit);
    let next = next.map(|last| format!("/v1/edge-reads{}", queries::query(&more, &format!("{}.{}", last.captured_ms, last.id))));
    Ok(Json(EdgeReads { edge_reads: found, next }))
}
