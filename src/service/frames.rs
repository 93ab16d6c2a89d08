//! `POST /v1/lanes/{id}/frames`, `POST /v1/lanes/{id}/triggers`, and the Plate-Recognizer-compatible `POST /v1/plate-reader/`.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use http_body_util::BodyExt;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::ToSchema;

use super::Service;
use super::access::Credentials;
use super::door::{Answer, Incoming, Kept, Refused};
use super::fields::{self, Digests};
use super::problem::{Problem, ProblemBody};
use super::uploads;
use crate::error::{Error, Fault};
use crate::lane::line::PlateLine;

/// When the sender captured the frame: RFC 3339, or milliseconds since the Unix epoch.
const CAPTURED: &str = "garita-captured-at";
/// Bytes of frames that are being received or looked at, all senders together; a guess: sixteen of the largest that the site file allows by default. However many
/// connections there are, they cost no more memory than this.
pub(super) const MOST_BYTES_AT_ONCE: usize = 256 << 20;

/// The sender's own count.
const SEQUENCE: &str = "garita-sequence";

pub(super) type Answered<T> = Result<(StatusCode, Json<T>), Problem>;

/// Takes one frame, as the body or as the first file of a multipart form.
#[utoipa::path(post, path = "/v1/lanes/{id}/frames", tag = "lanes", params(("id" = String, Path, description = "The lane's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is the same frame"),
        ("Content-Digest" = Option<String>, Header, description = "RFC 9530: sha-256, sha-512; of the body, as Repr-Digest is here")),
    request_body(content = Vec<u8>, content_type = "image/jpeg", description = "A JPEG or PNG, or a form with one"),
    responses((status = 201, description = "Looked at, and kept", body = Kept), (status = 415, description = "No JPEG or PNG", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Damaged", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "As many frames as may are under way", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A newer frame of the lane took its place, or the store has stopped", body = ProblemBody, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn frame(State(service): State<Service>, Path(id): Path<String>, credentials: Credentials, request: Request) -> Answered<Kept> {
    let lane = service.lane(&id);
    let sent = match lane.clone().and_then(|lane| admitted(&service, credentials, lane).map(|()| lane)) {
        Ok(lane) => incoming(&service, lane, request, &mut Fields::default()).await,
        Err(problem) => Err(problem),
    };
    let (incoming, _room) = sent.inspect_err(|problem| service.door.refused(lane.ok(), refused(problem)))?;
    let kept = kept(service.door.submit(incoming).await)?;
    Ok((StatusCode::CREATED, Json(kept)))
}

/// That a sender may post to a lane, and that there is a place for what it posts.
fn admitted(service: &Service, credentials: Credentials, lane: usize) -> Result<(), Problem> {
    credentials.sender(&service.site)?.may_use_lane(lane)?;
    has_place(service)
}

/// That there is a place for one more frame.
pub(super) fn has_place(service: &Service) -> Result<(), Problem> {
    if service.door.under_way() >= service.site.limits.waiting {
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too much waits", "as many frames as may (limits.waiting) are under way").retry(1));
    }
    Ok(())
}

/// How a frame counts that was refused with `problem`.
pub(super) fn refused(problem: &Problem) -> Refused {
    match problem.status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Refused::Shed,
        _ => Refused::Rejected,
    }
}

/// Counts a post of a frame that was turned away before its handler had it: in its lane where its address tells that, for into a form nobody has looked.
/// A camera's own read counts as no frame then: whether it brings a picture is known when its body has come (`edge_reads`).
pub(super) fn turned_away(service: &Service, method: &Method, route: &str, path: &str, outcome: Refused) {
    let lane = match route {
        "/v1/lanes/{id}/frames" => path.split('/').nth(3).and_then(|id| service.lane(id).ok()),
        "/v1/plate-reader/" => None,
        _ => return,
    };
    // Other methods bring none.
    if method == Method::POST {
        service.door.refused(lane, outcome);
    }
}

/// A trigger that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Triggered {
    /// The lane's id.
    lane: String,
}

/// A vehicle has left: what was seen before belongs to it.
#[utoipa::path(post, path = "/v1/lanes/{id}/triggers", tag = "lanes", params(("id" = String, Path, description = "The lane's id")),
    responses((status = 202, description = "The vehicle before it has passed, and what is known of it is durable", body = Triggered),
        (status = 503, description = "The store or the analysis has stopped", body = ProblemBody, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn trigger(State(service): State<Service>, Path(id): Path<String>, credentials: Credentials) -> Answered<Triggered> {
    let lane = service.lane(&id)?;
    credentials.sender(&service.site)?.may_use_lane(lane)?;
    uploads::kept(service.door.trigger(lane).await)?;
    Ok((StatusCode::ACCEPTED, Json(Triggered { lane: id })))
}

/// Plate Recognizer's clients write its address with the last slash and without it.
pub(super) fn with_slash(address: &mut Uri) {
    if address.path() == "/v1/plate-reader" {
        let query = address.query().map_or_else(String::new, |query| format!("?{query}"));
        *address = format!("/v1/plate-reader/{query}").parse().unwrap_or_default();
    }
}

/// What Plate Recognizer's clients are answered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlateReaderAnswer {
    /// Milliseconds.
    processing_time: f64,
    results: Vec<PlateReaderResult>,
    filename: Option<String>,
    version: u32,
    camera_id: String,
    timestamp: Option<String>,
    /// The frame's number in the store.
    frame: i64,
    /// It had been handed in before.
    replay: bool,
}

/// One plate, texts in lower case.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlateReaderResult {
    #[serde(rename = "box")]
    hull: PlateReaderBox,
    plate: String,
    region: PlateReaderRegion,
    score: f32,
    /// The second-likeliest characters as other texts, at most five.
    candidates: Vec<PlateReaderCandidate>,
    dscore: f32,
}

/// Frame pixels.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlateReaderBox {
    xmin: i64,
    ymin: i64,
    xmax: i64,
    ymax: i64,
}

/// Who issued it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlateReaderRegion {
    code: Option<String>,
    score: f32,
}

/// What it may be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlateReaderCandidate {
    plate: String,
    score: f32,
}

/// The same as other readers speak it: multipart `upload`, `camera_id` (a lane's id), `timestamp`.
#[utoipa::path(post, path = "/v1/plate-reader/", tag = "lanes",
    request_body(content = Vec<u8>, content_type = "multipart/form-data", description = "As Plate Recognizer's clients post: `upload`, `camera_id`, `timestamp`"),
    responses((status = 201, description = "As Plate Recognizer answers", body = PlateReaderAnswer), (status = 422, description = "Damaged", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn plate_reader(State(service): State<Service>, credentials: Credentials, request: Request) -> Answered<PlateReaderAnswer> {
    let mut fields = Fields::default();
    let sent = of_form(&service, credentials, request, &mut fields).await;
    let (incoming, _room) = sent.inspect_err(|problem| {
        let lane = fields.camera_id.as_deref().and_then(|camera| service.lane(camera).ok());
        service.door.refused(lane, refused(problem));
    })?;
    let kept = kept(service.door.submit(incoming).await)?;
    let results = kept.plates.iter().filter(|plate| !plate.text.is_empty()).map(result_of).collect();
    let answer = PlateReaderAnswer {
        processing_time: (kept.took_ms * 1e3).round() / 1e3,
        results,
        filename: fields.filename,
        version: 1,
        camera_id: fields.camera_id.unwrap_or_default(),
        timestamp: fields.timestamp,
        frame: kept.frame,
        replay: kept.replay,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// The frame of a form, for the lane that the form tells; `fields` are what it told, also where it is refused.
async fn of_form(service: &Service, credentials: Credentials, request: Request, fields: &mut Fields) -> Result<(Incoming, OwnedSemaphorePermit), Problem> {
    credentials.sender(&service.site)?;
    let (incoming, room) = incoming(service, usize::MAX, request, fields).await?;
    let camera = fields.camera_id.as_deref().ok_or_else(|| bad("no camera_id: say which lane the picture is of"))?;
    let lane = service.lane(camera)?;
    admitted(service, credentials, lane)?;
    Ok((Incoming { lane, ..incoming }, room))
}

/// One plate as Plate Recognizer tells it: texts in lower case, the second-likeliest characters as candidates.
fn result_of(plate: &PlateLine) -> PlateReaderResult {
    let [left, top, width, height] = plate.hull;
    let whole = |value: f32| value.round() as i64;
    let mut candidates = vec![PlateReaderCandidate { plate: plate.text.to_lowercase(), score: plate.confidence }];
    for (position, alternatives) in plate.chars.iter().enumerate() {
        let [(_, first), (character, second), ..] = alternatives.as_slice() else { continue };
        let text: String = plate.text.chars().enumerate().map(|(at, own)| if at == position { *character } else { own }).collect();
        candidates.push(PlateReaderCandidate { plate: text.to_lowercase(), score: plate.confidence * second / first.max(1e-6) });
    }
    candidates[1..].sort_by(|a, b| b.score.total_cmp(&a.score));
    candidates.truncate(5);
    PlateReaderResult {
        hull: PlateReaderBox { xmin: whole(left), ymin: whole(top), xmax: whole(left + width), ymax: whole(top + height) },
        plate: plate.text.to_lowercase(),
        region: PlateReaderRegion {
            code: plate.jurisdiction.as_ref().map(|one| one.code.to_lowercase()),
            score: plate.jurisdiction.as_ref().map_or(0.0, |one| one.confidence),
        },
        score: plate.confidence,
        candidates,
        dscore: 1.0,
    }
}

/// What a form said beside the picture.
#[derive(Default)]
struct Fields {
    camera_id: Option<String>,
    timestamp: Option<String>,
    filename: Option<String>,
}

/// The frame of a request, and its room in memory, to be kept until it is answered. `told` is what a form says beside it, also where it is refused.
async fn incoming(service: &Service, lane: usize, request: Request, told: &mut Fields) -> Result<(Incoming, OwnedSemaphorePermit), Problem> {
    let headers = request.headers().clone();
    let limit = usize::try_from(service.site.limits.frame_bytes).unwrap_or(usize::MAX);
    let patience = std::time::Duration::from_secs(service.site.limits.body_timeout_s);
    let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "Too slow", format!("the body had not come after {} s", patience.as_secs()));
    let multipart = headers.get(header::CONTENT_TYPE).is_some_and(|kind| is_form(kind.as_bytes()));
    let most = if multipart { limit.saturating_add(FORM_BYTES) } else { limit };
    let (bytes, room) = tokio::time::timeout(patience, whole(request.into_body(), most, &service.room)).await.map_err(slow)??;
    let picture = if multipart { form(&headers, bytes.clone(), limit, told).await } else { Ok(bytes.clone()) };
    let said = fields::said_of_whole(&headers)?.unwrap_or_default();
    // The door compares the SHA-256 of what it sees: of a form that is the picture alone.
    let (digest, here) = if multipart { (None, said) } else { (said.sha256, Digests { sha256: None, ..said }) };
    if !here.are_of(&bytes) {
        return Err(fields::not_as_said());
    }
    let bytes = picture?;
    told.timestamp = fields::text(&headers, CAPTURED)?.map(str::to_owned).or(told.timestamp.take());
    let captured_ms = told.timestamp.as_deref().map(time_of).transpose()?;
    let sequence = fields::text(&headers, SEQUENCE)?.map(sequence_of).transpose()?;
    let key = fields::name(&headers)?;
    Ok((Incoming { lane, bytes, captured_ms, sequence, digest, key }, room))
}

/// Whether a Content-Type is that of a form.
fn is_form(kind: &[u8]) -> bool {
    const FORM: &[u8] = b"multipart/form-data";
    kind.get(..FORM.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(FORM))
}

/// A sender's own count, as far as the store can count.
fn sequence_of(text: &str) -> Result<u64, Problem> {
    let number = text.parse().ok().filter(|&number: &u64| i64::try_from(number).is_ok());
    number.ok_or_else(|| bad(format!("{SEQUENCE}: {text:?} is no whole number of at most {}", i64::MAX)))
}

/// What a form may have beside its picture.
const FORM_BYTES: usize = 64 << 10;

/// The most bytes of a body that a place is kept for before they come: a frame of the largest cameras.
const MOST_AHEAD: usize = 2 << 20;

/// A body of at most `limit` bytes; takes from `room` as its bytes come, so that who only declares much takes none.
pub(super) async fn whole(mut body: Body, limit: usize, room: &Arc<Semaphore>) -> Result<(bytes::Bytes, OwnedSemaphorePermit), Problem> {
    let full = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "No room", "other senders' frames take all the memory that frames may take").retry(1);
    let mut held = Arc::clone(room).try_acquire_many_owned(0).map_err(full)?;
    // Addresses for what is declared, which cost nothing until its bytes come: a body that grows by itself is copied on the way.
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut bytes = bytes::BytesMut::with_capacity(declared.min(limit).min(MOST_AHEAD));
    while let Some(piece) = body.frame().await {
        let piece =
            piece.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "Body cut off", "the connection ended before the body was complete; send it again"))?;
        let Ok(piece) = piece.into_data() else { continue };
        if bytes.len() + piece.len() > limit {
            return Err(too_large(limit));
        }
        // A piece is what one read of the connection brought: some hundred KB at most.
        held.merge(Arc::clone(room).try_acquire_many_owned(piece.len() as u32).map_err(full)?);
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes.freeze(), held))
}

/// The first file of a form; its texts are put into `fields`, as far as it goes.
async fn form(headers: &HeaderMap, body: bytes::Bytes, limit: usize, fields: &mut Fields) -> Result<bytes::Bytes, Problem> {
    let mut request = Request::new(Body::from(body));
    *request.headers_mut() = headers.clone();
    // All of it is here already, and no larger than it may be.
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| bad(error.body_text()))?;
    let mut picture = None;
    while let Some(field) = form.next_field().await.map_err(|error| bad(error.body_text()))? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "camera_id" => fields.camera_id = Some(field.text().await.map_err(|error| bad(error.body_text()))?),
            "timestamp" => fields.timestamp = Some(field.text().await.map_err(|error| bad(error.body_text()))?),
            // Clients call it as they like.
            name if picture.is_none() && (matches!(name, "upload" | "frame") || field.file_name().is_some()) => {
                fields.filename = field.file_name().map(str::to_owned);
                picture = Some(field.bytes().await.map_err(|error| bad(error.body_text()))?);
            }
            _ => {}
        }
    }
    let picture = picture.ok_or_else(|| bad("the form has no file: send the picture as `upload`"))?;
    if picture.len() > limit { Err(too_large(limit)) } else { Ok(picture) }
}

pub(super) fn kept(answer: Answer) -> Result<Kept, Problem> {
    match answer {
        Answer::Kept(kept) => Ok(kept),
        Answer::Bad(error) => Err(error.into()),
        Answer::Shed { retry_after_s } => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Shed", "a newer frame of this lane took its place before it was looked at; it was not kept")
                .retry(retry_after_s))
        }
        Answer::Full => Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, "Disk full", "the store has no space left; the frame was not kept").retry(10)),
        Answer::Stopped(why) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Store stopped", why).retry(30)),
    }
}

/// Milliseconds since the Unix epoch of a time as senders write it.
fn time_of(text: &str) -> Result<i64, Problem> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return Ok(number);
    }
    // Plate Recognizer's clients send "2026-05-01T12:00:00", without a zone, and mean UTC.
    text.parse::<jiff::Timestamp>()
        .or_else(|_| format!("{}Z", text.replacen(' ', "T", 1)).parse())
        .map(jiff::Timestamp::as_millisecond)
        .map_err(|_| bad(format!("{text:?} is no time: RFC 3339 or milliseconds since 1970 are understood")))
}

fn too_large(limit: usize) -> Problem {
    Error::new(Fault::Limit, format!("more than {limit} bytes (limits.frame_bytes of the site file)")).into()
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "Bad request", detail)
}
