//! `POST /v1/lanes/{id}/edge-reads`, where cameras that read plates themselves say what they read, and `GET /v1/edge-reads`.

use std::sync::mpsc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::access::Credentials;
use super::access::Person;
use super::asked::Asked;
use super::door::{Incoming, MAX_CLOCK_OFF_MS, now_ms};
use super::edge::{EdgeRead, View};
use super::frames::{Answered, admitted, kept, refused, whole};
use super::problem::{Problem, ProblemBody};
use super::queries::{self, ask};
use super::uploads::{self, blocking};
use super::{Service, fields, metrics};
use crate::audit::Action;
use crate::bytes::Bytes;
use crate::custody::edge_reads::{self, EDGE_READ};
use crate::custody::evidence::{Sha, sha256};
use crate::custody::record::{EdgeReadRecord, Record};
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
    /// The number of its picture's frame in the store; as the next five, none where it brought no picture of more than the plate.
    frame: Option<i64>,
    /// The frame's number in the lane.
    sequence: Option<u64>,
    /// The frame had been handed in before.
    replay: Option<bool>,
    /// Frames of the lane that were displaced before it.
    skipped: Option<u32>,
    /// From the last byte to the frame's commit.
    took_ms: Option<f64>,
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

/// Takes the event of a camera that reads plates itself (Axis, Hikvision). What it read is kept as a second opinion beside our passage of the same vehicle; its picture, if
/// there is one of more than the plate, is a frame like others. Where nothing that we read is like it, its text meets the watchlists by itself: `entries`.
#[utoipa::path(post, path = "/v1/lanes/{id}/edge-reads", tag = "lanes", params(("id" = String, Path, description = "The lane's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is the same event")),
    request_body(content = Vec<u8>, content_type = "multipart/form-data", description = "What a camera that reads plates itself posts: Axis, Hikvision"),
    responses((status = 201, description = "The read is kept, and its picture was looked at; how its text and ours differ", body = EdgeTaken), (status = 422, description = "Damaged", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A newer frame took its picture's place, or the store has stopped", body = ProblemBody, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn take(State(service): State<Service>, Path(id): Path<String>, credentials: Credentials, request: Request) -> Answered<EdgeTaken> {
    let lane = service.lane(&id)?;
    admitted(&service, credentials, lane).inspect_err(|problem| service.door.refused(Some(lane), refused(problem)))?;
    looked_at(&service, &id, lane, request).await.inspect_err(|_| metrics::edge_read_refused(&id))
}

/// Reads, looks at and keeps an event of a camera that is let in.
async fn looked_at(service: &Service, id: &str, lane: usize, request: Request) -> Answered<EdgeTaken> {
    let kind = fields::text(request.headers(), "content-type")?.unwrap_or_default().to_owned();
    let name = fields::name(request.headers())?;
    let limit = usize::try_from(service.site.limits.frame_bytes).unwrap_or(usize::MAX);
    let patience = std::time::Duration::from_secs(service.site.limits.body_timeout_s);
    let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "Too slow", format!("the body had not come after {} s", patience.as_secs()));
    let (body, _room) = tokio::time::timeout(patience, whole(request.into_body(), limit, &service.room)).await.map_err(slow)??;
    let received_ms = now_ms();
    let theirs = EdgeRead::parse(&kind, &body).map_err(|error| error.in_(format!("lane {id}")))?;
    let picture = theirs.picture.as_ref().filter(|picture| picture.view > View::Plate).map(|picture| picture.bytes.clone());
    let digest = picture.as_ref().map(|bytes| sha256(bytes));
    let key = key_of(&theirs, name.as_deref(), digest, received_ms);
    let looked = match &picture {
        None => None,
        Some(bytes) => {
            let incoming = Incoming { lane, bytes: bytes.clone(), captured_ms: theirs.captured_ms, sequence: None, digest: None, key: None };
            Some(kept(service.door.submit(incoming).await)?)
        }
    };
    let captured_ms = theirs.captured_ms.filter(|said| (said - received_ms).abs() <= MAX_CLOCK_OFF_MS).unwrap_or(received_ms);
    let frame = looked.as_ref().map(|kept| kept.frame);
    let row = keep(service, id, theirs, key, (captured_ms, received_ms), frame, digest.zip(picture)).await?;
    let kept = ask(service, move |connection| edge_reads::one(connection, row)).await?.ok_or_else(|| queries::missing("edge read"))?;
    let opinion = match kept.comparison {
        Opinion::Agree => "agree",
        Opinion::Differ { .. } => "differ",
        _ => "only_theirs",
    };
    metrics::edge_read(id, opinion, &kept.entries);
    tracing::info!(lane = id, edge_read = kept.id, frame, theirs = kept.written, opinion, "a camera's own read");
    let theirs = Theirs { text: kept.written, confidence: kept.confidence, jurisdiction: kept.jurisdiction, direction: kept.direction };
    let taken = EdgeTaken {
        frame,
        sequence: looked.as_ref().map(|kept| kept.sequence),
        replay: looked.as_ref().map(|kept| kept.replay),
        skipped: looked.as_ref().map(|kept| kept.skipped),
        took_ms: looked.as_ref().map(|kept| kept.took_ms),
        plates: looked.map(|kept| kept.plates).unwrap_or_default(),
        theirs,
        comparison: kept.comparison,
        entries: kept.entries,
        edge_read: kept.id,
    };
    Ok((StatusCode::CREATED, Json(taken)))
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

/// Keeps a camera's read; its row, once it is durable.
async fn keep(
    service: &Service,
    lane: &str,
    theirs: EdgeRead,
    key: Sha,
    (captured_ms, received_ms): (i64, i64),
    frame: Option<i64>,
    picture: Option<(Sha, bytes::Bytes)>,
) -> Result<i64, Problem> {
    let (service, lane) = (service.clone(), lane.to_owned());
    let fate = blocking(move || {
        let hits = met(&service, &theirs, captured_ms)?;
        let text: String = theirs.text.chars().filter(|one| one.is_alphanumeric()).flat_map(char::to_uppercase).collect();
        let (tell, told) = mpsc::sync_channel(1);
        let picture = picture.map(|(digest, bytes)| (digest, Bytes::from(bytes)));
        service.custody.put(Record::EdgeRead(Box::new(EdgeReadRecord {
            lane,
            key,
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
            done: Box::new(move |fate| _ = tell.send(fate)),
        })));
        Ok::<_, Problem>(told.recv())
    });
    match fate.await? {
        Ok(fate) => uploads::kept(fate),
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
