//! The portals' doors: scans whole or in pieces, columns while the train passes, and what is said of trains.
//!
//! | request | does |
//! |---|---|
//! | `POST /v1/portals/{id}/scans` | takes a scan's file: whole, or with `Upload-Complete: ?0` its beginning |
//! | `POST /v1/portals/{id}/columns` | takes a train while it passes, as [`crate::rail::scan::stream`] lays it out |
//! | `HEAD`, `PATCH`, `DELETE /v1/uploads/{upload}` | how much is there; goes on; calls it off |
//! | `POST /v1/portals/{id}/scans/{scan}/consist`, `…/manifest` | says who is in the train and what they carry, before or after its scan |
//! | `GET /v1/portals`, `GET /v1/portals/{id}/scans`, `GET /v1/scans/{scan}` | what there is |
//!
//! Uploads speak draft-ietf-httpbis-resumable-upload (`Upload-Complete`, `Upload-Offset`, `Upload-Length`, `application/partial-upload`) as far as
//! HTTP/1.1 without interim answers carries it. `Repr-Digest: sha-256=:…:` is compared when all is there, `Content-Digest` of a piece when that is: one that changed
//! on the way is taken back, and the answer says from where to send it again. `sha-512` does as well; a digest of other algorithms alone is refused.
//! An upload that was given up is a 410 with the reason until the next start, then a 404 as any that never was. `Idempotency-Key` names the scan: the same name
//! (without one, the same bytes) is the same scan of that portal, however often and on however many connections it comes.

mod answers;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use self::answers::{Begun, PaperKept, ScanHitTold, ScanKept, ScanTold, ScanWhole, ScansTold, Taken, UnderWay};
pub(super) use self::answers::{PortalTold, PortalsTold};
use super::access::{Person, Role};
use super::door::now_ms;
use super::fields::{self, CONTENT_DIGEST, Digests, REPR_DIGEST, UPLOAD_COMPLETE, UPLOAD_LENGTH, UPLOAD_OFFSET};
use super::problem::{Problem, ProblemBody};
use super::uploads::{self, About, Halt, Kind, Piece, Received, Upload, blocking, key_of_name};
use super::{Service, metrics};
use crate::audit::Action;
use crate::custody::evidence::{Sha, hex};
use crate::custody::scans::{self, Paper, ScanRow, ScanState};
use crate::error::{Error, Fault};
use crate::rail::consist::{Consist, MAX_BYTES};
use crate::rail::waybill::Manifest;

/// Scans that a list tells at most.
const MOST_LISTED: usize = 100;

/// What the fields of a request say of an upload.
struct Asked {
    name: Option<String>,
    /// The digests of the whole.
    whole: Option<Digests>,
    /// Those of a body that is a piece of it.
    piece: Option<Digests>,
    complete: Option<bool>,
    length: Option<u64>,
    /// Bytes of this request, where it says.
    content_length: Option<u64>,
}

impl Asked {
    /// Of one that begins an upload, or goes on with it.
    fn of(headers: &HeaderMap, begins: bool) -> Result<Asked, Problem> {
        let complete = fields::boolean(headers, UPLOAD_COMPLETE)?;
        let (whole, piece) = match begins && complete != Some(false) {
            // Its body is all of it.
            true => (fields::said_of_whole(headers)?, None),
            false => (fields::said(headers, REPR_DIGEST)?, fields::said(headers, CONTENT_DIGEST)?),
        };
        Ok(Asked {
            name: fields::name(headers)?,
            whole,
            piece,
            complete,
            length: fields::integer(headers, UPLOAD_LENGTH)?,
            content_length: fields::integer(headers, header::CONTENT_LENGTH.as_str())?,
        })
    }

    /// Refuses by what is said what would be refused by its bytes.
    fn check(&self, offset: u64, most: u64) -> Result<(), Problem> {
        let here = self.content_length.map(|length| length.saturating_add(offset));
        match here.max(self.length) {
            Some(length) if length > most => {
                let detail = format!("{length} bytes, more than {most} (limits.scan_bytes of the site file)");
                Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Over a limit", detail))
            }
            _ => Ok(()),
        }
    }
}

/// Takes a scan's file, or its beginning.
#[utoipa::path(post, path = "/v1/portals/{id}/scans", tag = "portals", params(("id" = String, Path, description = "The portal's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is the same scan"), ("Upload-Complete" = Option<String>, Header, description = "`?0`: more follows"),
        ("Repr-Digest" = Option<String>, Header, description = "RFC 9530: sha-256, sha-512; of the whole"),
        ("Content-Digest" = Option<String>, Header, description = "The same of this body")),
    request_body(content = Vec<u8>, content_type = "image/tiff"),
    responses((status = 201, description = "Kept; or begun: `Upload-Offset` says how much is there", body = Taken), (status = 413, description = "Too large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Changed on the way; where more was to follow, `Upload-Offset` says from where to send it again", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn scans(State(service): State<Service>, Path(id): Path<String>, request: Request) -> Response {
    answer(begin(&service, &id, Kind::Scan, request).await)
}

/// Takes a train while it passes.
#[utoipa::path(post, path = "/v1/portals/{id}/columns", tag = "portals", params(("id" = String, Path, description = "The portal's id")), request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, description = "The train has passed; or begun", body = Taken), (status = 409, description = "Its columns have begun to come before", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn columns(State(service): State<Service>, Path(id): Path<String>, request: Request) -> Response {
    answer(begin(&service, &id, Kind::Columns, request).await)
}

async fn begin(service: &Service, id: &str, kind: Kind, request: Request) -> Result<Response, Halt> {
    let portal = service.portal(id)?;
    let (asked, body) = (Asked::of(request.headers(), true)?, request.into_body());
    service.activity.hear(portal, kind.into());
    asked.check(0, service.site.limits.scan_bytes).inspect_err(|_| metrics::scan(id, "refused"))?;
    let key = asked.name.as_deref().map(key_of_name);
    if let Some(key) = key {
        let (custody, of) = (service.custody.clone(), id.to_owned());
        let known = blocking(move || custody.scan_of_key(&of, &key)).await?;
        match (known, kind) {
            // By its SHA-256 alone: of another digest the store knows nothing.
            (Some(row), Kind::Scan) if row.digest.is_some() && asked.whole == Some(Digests { sha256: row.digest, sha512: None }) => {
                return Ok(whole(service, &row, true));
            }
            (Some(row), Kind::Columns) => return Ok(known_train(service, &row).await),
            _ => {}
        }
    }
    let about = About { portal: id.to_owned(), kind, name: asked.name, key, digest: asked.whole, length: asked.length };
    service.uploads.refuses(asked.content_length.unwrap_or(0))?;
    let upload = service.uploads.create(about).await?;
    let piece = Piece { offset: 0, completes: asked.complete.unwrap_or(true), digest: asked.piece, whole: None };
    let received = service.uploads.receive(upload.clone(), body, piece).await;
    match received {
        // Nobody was told where it goes on; a train's columns are there and told all the same.
        Err(halt) if asked.complete.is_none() && kind == Kind::Scan => {
            service.uploads.forget(&upload, "cut off").await;
            refused(&upload, &halt);
            Err(Halt { offset: None, ..halt })
        }
        Err(halt) => Ok(halted(&upload, halt)),
        Ok(Received::Whole(row, replay)) => Ok(whole(service, &row, replay)),
        Ok(Received::Partly(offset)) => {
            let told = Taken::Begun(Begun { upload: upload.id.clone(), offset });
            let mut response = (StatusCode::CREATED, Json(told)).into_response();
            at(&mut response, &upload.id, offset);
            set(&mut response, "upload-limit", &format!("max-size={}", service.site.limits.scan_bytes));
            Ok(response)
        }
    }
}

/// Its columns have begun to come before: where they go on.
async fn known_train(service: &Service, row: &ScanRow) -> Response {
    let under_way = service.uploads.get(&row.upload);
    let Some(upload) = under_way else {
        return Problem::new(StatusCode::CONFLICT, "Known train", format!("the train of this Idempotency-Key is scan {}: give the next one its own", row.id))
            .into_response();
    };
    let detail = format!("the train of this Idempotency-Key is passing: go on at /v1/uploads/{}", upload.id);
    let problem = Problem::new(StatusCode::CONFLICT, "Known train", detail);
    match service.uploads.offset(&upload).await {
        Ok(offset) => halted(&upload, Halt { problem, offset: Some(offset) }),
        Err(halt) => halt.problem.into_response(),
    }
}

/// How much of an upload is there.
#[utoipa::path(head, path = "/v1/uploads/{upload}", tag = "portals", params(("upload" = String, Path, description = "As `Location` said")), responses((status = 204, description = "`Upload-Offset` says how much is there")))]
pub(super) async fn offset(State(service): State<Service>, Path(id): Path<String>) -> Response {
    let Some(upload) = service.uploads.get(&id) else { return ended(&service, id).await };
    match service.uploads.offset(&upload).await {
        Ok(offset) => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            at(&mut response, &upload.id, offset);
            set(&mut response, "upload-limit", &format!("max-size={}", service.site.limits.scan_bytes));
            if let Some(length) = upload.about.length {
                set(&mut response, UPLOAD_LENGTH, &length.to_string());
            }
            response
        }
        // It ended while this one waited for its turn.
        Err(_) if service.uploads.get(&id).is_none() => ended(&service, id).await,
        Err(halt) => halted(&upload, halt),
    }
}

/// An upload that is no longer one may be a scan.
async fn ended(service: &Service, id: String) -> Response {
    match scan_of_upload(service, id.clone()).await {
        Ok(Some(row)) => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            set(&mut response, UPLOAD_COMPLETE, "?1");
            set(&mut response, UPLOAD_OFFSET, &row.length.unwrap_or(0).to_string());
            set(&mut response, "location", &format!("/v1/scans/{}", row.id));
            set(&mut response, "cache-control", "no-store");
            response
        }
        Ok(None) => service.uploads.gone(&id).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn scan_of_upload(service: &Service, id: String) -> Result<Option<ScanRow>, Problem> {
    let custody = service.custody.clone();
    Ok(blocking(move || custody.scan_of_upload(&id)).await?.filter(|row| row.state != ScanState::Passing))
}

/// What a PATCH of an upload is told that is no longer one: the scan that it became, for that answer may have been lost; else why it is gone.
async fn finished(service: &Service, id: String) -> Result<Response, Halt> {
    let row = scan_of_upload(service, id.clone()).await?.ok_or_else(|| service.uploads.gone(&id))?;
    Ok(whole(service, &row, true))
}

/// Goes on with an upload.
#[utoipa::path(patch, path = "/v1/uploads/{upload}", tag = "portals", params(("upload" = String, Path, description = "As `Location` said"), ("Upload-Offset" = u64, Header, description = "Where the body begins"),
        ("Content-Digest" = Option<String>, Header, description = "RFC 9530: sha-256, sha-512; of this body")),
    request_body(content = Vec<u8>, content_type = "application/partial-upload"),
    responses((status = 201, description = "Kept", body = ScanKept), (status = 204, description = "More follows"), (status = 409, description = "It goes on elsewhere", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Changed on the way; `Upload-Offset`, where there is one, says from where to send it again", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn go_on(State(service): State<Service>, Path(id): Path<String>, request: Request) -> Response {
    answer(append(&service, id, request).await)
}

async fn append(service: &Service, id: String, request: Request) -> Result<Response, Halt> {
    let headers = request.headers();
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind != Some(b"application/partial-upload") {
        let detail = "a PATCH of an upload is application/partial-upload: send it with that Content-Type";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported", detail).into());
    }
    let asked = Asked::of(headers, false)?;
    let offset =
        fields::integer(headers, UPLOAD_OFFSET)?.ok_or_else(|| Error::new(Fault::Caller, "is missing: say where the body begins").in_(UPLOAD_OFFSET))?;
    let Some(upload) = service.uploads.get(&id) else { return finished(service, id).await };
    if let Some(portal) = service.site.portals.iter().position(|portal| portal.id == upload.about.portal) {
        service.activity.hear(portal, upload.about.kind.into());
    }
    asked.check(offset, service.site.limits.scan_bytes)?;
    if let Some(other) = asked.length.filter(|_| asked.length != upload.about.length && upload.about.length.is_some()) {
        let detail = format!("is {other}, and was {} when the upload began: leave it out, or begin anew", upload.about.length.unwrap_or(0));
        return Err(Error::new(Fault::Caller, detail).in_(UPLOAD_LENGTH).into());
    }
    let piece = Piece { offset, completes: asked.complete == Some(true), digest: asked.piece, whole: asked.whole };
    let received = service.uploads.receive(upload.clone(), request.into_body(), piece).await;
    match received {
        // It ended while this one waited for its turn.
        Err(halt) if halt.problem.status == StatusCode::NOT_FOUND => finished(service, id).await,
        Err(halt) => Ok(halted(&upload, halt)),
        Ok(Received::Whole(row, replay)) => Ok(whole(service, &row, replay)),
        Ok(Received::Partly(offset)) => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            at(&mut response, &upload.id, offset);
            Ok(response)
        }
    }
}

/// Calls an upload off.
#[utoipa::path(delete, path = "/v1/uploads/{upload}", tag = "portals", params(("upload" = String, Path, description = "As `Location` said")), responses((status = 204, description = "Forgotten")))]
pub(super) async fn call_off(State(service): State<Service>, Path(id): Path<String>) -> Response {
    match service.uploads.get(&id) {
        Some(upload) => {
            service.uploads.forget(&upload, "its sender called it off").await;
            StatusCode::NO_CONTENT.into_response()
        }
        None => service.uploads.gone(&id).into_response(),
    }
}

/// Keeps a paper of a train.
#[utoipa::path(post, path = "/v1/portals/{id}/scans/{scan}/{paper}", tag = "portals", params(("id" = String, Path, description = "The portal's id"),
        ("scan" = String, Path, description = "Its Idempotency-Key, or its number"), ("paper" = String, Path, description = "`consist` or `manifest`"),
        ("Content-Digest" = Option<String>, Header, description = "RFC 9530: sha-256, sha-512; of the body, as Repr-Digest is here")),
    request_body(content = Object, content_type = "application/json"),
    responses((status = 200, description = "The scan is inspected with it", body = PaperKept), (status = 202, description = "Kept until its scan comes", body = PaperKept),
        (status = 422, description = "Damaged", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn paper(State(service): State<Service>, Path((id, scan, kind)): Path<(String, String, String)>, request: Request) -> Response {
    answer(keep_paper(&service, id, &scan, &kind, request).await)
}

async fn keep_paper(service: &Service, id: String, scan: &str, kind: &str, request: Request) -> Result<Response, Halt> {
    let portal = service.portal(&id)?;
    let kind = [Paper::Consist, Paper::Manifest].into_iter().find(|paper| paper.name() == kind);
    let kind = kind.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "Not found", "a scan has a consist and a manifest"))?;
    let patience = std::time::Duration::from_secs(service.site.limits.body_timeout_s);
    let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "Too slow", format!("the body had not come after {} s", patience.as_secs()));
    let (head, body) = request.into_parts();
    let text = tokio::time::timeout(patience, axum::body::to_bytes(body, MAX_BYTES as usize)).await.map_err(slow)?;
    let text = text.map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Over a limit", format!("cut off, or more than {MAX_BYTES} bytes")))?;
    fields::hold(&head.headers, &text)?;
    let cars = match kind {
        Paper::Consist => Consist::parse(&text).map(|consist| consist.cars.len()),
        Paper::Manifest => Manifest::parse(&text).map(|manifest| manifest.lines.len()),
    };
    let cars = cars.map_err(|error| error.in_(kind.name()))?;
    let text = String::from_utf8(text.into()).map_err(|_| Error::new(Fault::Damaged, "is no UTF-8").in_(kind.name()))?;
    service.activity.hear(portal, super::activity::Source::Http);
    let key = key_of(service, &id, scan).await?;
    let custody = service.custody.clone();
    let fate = blocking(move || custody.change(move |transaction| scans::insert_paper(transaction, (&id, &key), kind, &text, now_ms()))).await;
    let number = uploads::kept(fate)?;
    service.waker.wake();
    let custody = service.custody.clone();
    let row = blocking(move || custody.scan(number)).await?;
    let told = PaperKept { scan: row.as_ref().map(|row| row.id), state: row.as_ref().map(|row| row.state.name()), cars };
    Ok((if row.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(told)).into_response())
}

/// The key of the scan that an address means: by its sender's name, else by its number.
async fn key_of(service: &Service, portal: &str, scan: &str) -> Result<Sha, Problem> {
    let (custody, portal, scan) = (service.custody.clone(), portal.to_owned(), scan.to_owned());
    let key = key_of_name(&scan);
    let Ok(number) = scan.parse::<i64>() else { return Ok(key) };
    let row = blocking(move || match custody.scan_of_key(&portal, &key)? {
        Some(row) => Ok(Some(row)),
        None => Ok::<_, Error>(custody.scan(number)?.filter(|row| row.portal == portal)),
    })
    .await?;
    let detail = format!("there is no scan {number} here; what is said of a scan that has not come goes under its Idempotency-Key, which is then no number");
    row.map(|row| row.key).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "No such scan", detail))
}

/// One scan with its cars. That somebody looked at its hits is recorded.
#[utoipa::path(get, path = "/v1/scans/{scan}", tag = "portals", params(("scan" = i64, Path, description = "Its number")),
    responses((status = 200, description = "The scan, its cars, hits and papers", body = ScanWhole), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn scan(State(service): State<Service>, person: Person, Path(id): Path<String>) -> Response {
    let told = async {
        let missing = || Problem::new(StatusCode::NOT_FOUND, "No such scan", format!("{id:?} is the number of no scan"));
        let number = id.parse().map_err(|_| missing())?;
        let custody = service.custody.clone();
        let Some(row) = blocking(move || custody.scan(number)).await? else { return Err(missing()) };
        if row.received_ms < person.sees_since_ms(&service.site, now_ms()) {
            return Err(super::access::too_old(&service.site));
        }
        let custody = service.custody.clone();
        let found = row.clone();
        let (summary, cars, hits, consist, manifest) = blocking(move || {
            let (summary, cars, hits) = found_in(&custody, found.id)?;
            let paper = |kind| custody.paper(&found.portal, &found.key, kind).map(|paper| paper.is_some());
            Ok::<_, Error>((summary, cars, hits, paper(Paper::Consist)?, paper(Paper::Manifest)?))
        })
        .await?;
        if !hits.is_empty() && person.role != Role::Device {
            service.record(&person, Action::HitViewed, format!("scan {number}"), json!({ "hits": hits.len() })).await?;
        }
        Ok(Json(ScanWhole { scan: told(&row), summary, cars, hits, consist, manifest }))
    };
    told.await.into_response()
}

fn found_in(custody: &crate::custody::Custody, id: i64) -> crate::error::Result<(Value, Vec<Value>, Vec<ScanHitTold>)> {
    let parsed = |text: String| serde_json::from_str(&text).unwrap_or(Value::Null);
    custody.ask(|connection| {
        let summary = connection.prepare_cached("SELECT summary FROM scan WHERE id = ?1")?.query_row([id], |row| row.get::<_, Option<String>>(0))?;
        let mut statement = connection.prepare_cached("SELECT told FROM car WHERE scan = ?1 ORDER BY position")?;
        let cars = statement.query_map([id], |row| row.get(0).map(parsed))?.collect::<rusqlite::Result<_>>()?;
        let mut statement = connection.prepare_cached(
            "SELECT id, position, state, subject, seen, list, text, class, probability, priority, stored_ms FROM scan_hit WHERE scan = ?1 ORDER BY id",
        )?;
        let hits = statement.query_map([id], |row| {
            Ok(ScanHitTold {
                id: row.get(0)?,
                position: row.get(1)?,
                state: row.get(2)?,
                subject: row.get(3)?,
                seen: row.get(4)?,
                list: row.get(5)?,
                entry: row.get(6)?,
                class: row.get(7)?,
                probability: row.get(8)?,
                priority: row.get(9)?,
                stored_ms: row.get(10)?,
            })
        })?;
        Ok((summary.map_or(Value::Null, parsed), cars, hits.collect::<rusqlite::Result<_>>()?))
    })
}

/// The newest scans of a portal.
#[utoipa::path(get, path = "/v1/portals/{id}/scans", tag = "portals", params(("id" = String, Path, description = "The portal's id")), responses((status = 200, description = "The newest scans", body = ScansTold), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn listed(State(service): State<Service>, Path(id): Path<String>) -> Response {
    let told = async {
        service.portal(&id)?;
        let custody = service.custody.clone();
        let rows = blocking(move || custody.newest_scans(&id, MOST_LISTED)).await?;
        Ok::<_, Problem>(Json(ScansTold { scans: rows.iter().map(told).collect() }))
    };
    told.await.into_response()
}

/// The portals, and what is under way at each.
#[utoipa::path(get, path = "/v1/portals", tag = "portals", responses((status = 200, description = "The portals, and what is under way", body = PortalsTold)))]
pub(super) async fn portals(State(service): State<Service>) -> Response {
    let told = blocking(move || tell(&service)).await.map_err(Problem::from);
    told.map(|portals| Json(PortalsTold { portals })).into_response()
}

/// What there is of each portal; blocks.
pub(super) fn tell(service: &Service) -> crate::error::Result<Vec<PortalTold>> {
    let uploads = service.uploads.all();
    service
        .site
        .portals
        .iter()
        .enumerate()
        .map(|(index, portal)| {
            let counts = service.custody.ask(|connection| {
                let mut statement = connection.prepare_cached("SELECT state, count(*) FROM scan WHERE portal = ?1 GROUP BY state")?;
                statement.query_map([&portal.id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<std::collections::BTreeMap<String, i64>>>()
            })?;
            let count = |state: ScanState| counts.get(state.name()).copied().unwrap_or(0);
            let newest = service.custody.newest_scans(&portal.id, 1)?;
            let uploads = uploads.iter().filter(|upload| upload.about.portal == portal.id).map(|upload| under_way(upload)).collect();
            Ok(PortalTold {
                id: portal.id.clone(),
                name: portal.name.clone(),
                passing: count(ScanState::Passing),
                waiting: count(ScanState::Waiting),
                inspected: count(ScanState::Inspected),
                bad: count(ScanState::Bad),
                newest: newest.first().map(told),
                last_heard_ms: service.activity.last_ms(index),
                uploads,
            })
        })
        .collect()
}

fn under_way(upload: &Upload) -> UnderWay {
    let heard_ms = upload.heard_ms.load(std::sync::atomic::Ordering::Relaxed);
    let offset = upload.offset.load(std::sync::atomic::Ordering::Relaxed);
    UnderWay { upload: upload.id.clone(), kind: upload.about.kind, name: upload.about.name.clone(), offset, length: upload.about.length, heard_ms }
}

/// A scan as answers tell it.
fn told(row: &ScanRow) -> ScanTold {
    ScanTold {
        scan: row.id,
        portal: row.portal.clone(),
        name: row.name.clone(),
        state: row.state.name(),
        received_ms: row.received_ms,
        length: row.length,
        sha256: row.digest.as_ref().map(hex),
        cut_short: row.cut_short.clone(),
        error: row.error.clone(),
    }
}

fn whole(service: &Service, row: &ScanRow, replay: bool) -> Response {
    metrics::scan(&row.portal, if replay { "replayed" } else { "received" });
    service.waker.wake();
    let told = Taken::Whole(ScanKept { scan: told(row), replay });
    let mut response = (StatusCode::CREATED, Json(told)).into_response();
    set(&mut response, "location", &format!("/v1/scans/{}", row.id));
    set(&mut response, UPLOAD_COMPLETE, "?1");
    if let Some(digest) = &row.digest {
        set(&mut response, REPR_DIGEST, &fields::sha256_field(digest));
    }
    response
}

fn refused(upload: &Upload, halt: &Halt) {
    // What goes on later is not refused.
    if halt.offset.is_none() {
        metrics::scan(&upload.about.portal, "refused");
    }
}

fn halted(upload: &Upload, halt: Halt) -> Response {
    refused(upload, &halt);
    let offset = halt.offset;
    let mut response = halt.problem.into_response();
    if let Some(offset) = offset {
        at(&mut response, &upload.id, offset);
    }
    response
}

fn answer(outcome: Result<Response, Halt>) -> Response {
    outcome.unwrap_or_else(|halt| halt.problem.into_response())
}

/// Says where an upload goes on.
fn at(response: &mut Response, upload: &str, offset: u64) {
    set(response, "location", &format!("/v1/uploads/{upload}"));
    set(response, UPLOAD_OFFSET, &offset.to_string());
    set(response, UPLOAD_COMPLETE, "?0");
    set(response, "cache-control", "no-store");
}

fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
