//! Seen from outside: alive, ready, measured.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use std::sync::atomic::Ordering;
use utoipa::ToSchema;

use super::Service;
use super::access::{Person, Role};
use super::door::without;
use super::portals::PortalTold;
use super::problem::Problem;
use crate::custody::State as StoreState;
use crate::masking;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "It runs", content_type = "text/plain", body = String)))]
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Whether it does its work; 503 with every reason why not.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, description = "Ready", content_type = "text/plain", body = String),
    (status = 503, description = "Why not, a reason a line", content_type = "text/plain", body = String)))]
pub(super) async fn ready(State(service): State<Service>) -> Response {
    let reasons = reasons(&service);
    if reasons.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n").into_response()
}

/// Why the service does not do all of its work; none where it does.
pub(super) fn reasons(service: &Service) -> Vec<String> {
    let mut reasons = Vec::new();
    if service.is_stopping() {
        reasons.push("stopping".to_owned());
    }
    reasons.extend(service.dead().as_deref().map(without));
    match service.custody.state() {
        StoreState::Open => {}
        StoreState::Full(why) => reasons.push(format!("store full: {why}")),
        StoreState::Stopped(why) => reasons.push(format!("store stopped: {why}")),
    }
    reasons.extend(service.lists.told().into_iter().filter_map(|(name, _, error)| error.map(|error| format!("list {name}: {error}"))));
    reasons
}

/// In Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, description = "Prometheus' text format", content_type = "text/plain", body = String)))]
pub(super) async fn metrics(State(service): State<Service>) -> Response {
    let lists = service.lists.states();
    let lists = super::metrics::lists(lists.iter().map(|(name, _, version, _)| (name.as_str(), version.as_str())));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], service.recorder.render() + &lists).into_response()
}

/// How the service is doing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    /// The site's name.
    site: String,
    /// Why it does not do all of its work.
    not_ready: Vec<String>,
    lanes: Vec<LaneStatus>,
    portals: Vec<PortalTold>,
    lists: Vec<ListStatus>,
    /// The newest.
    passages: Vec<PassageStatus>,
    /// The newest; none for who may not see them.
    hits: Vec<HitStatus>,
}

/// How a lane is doing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LaneStatus {
    id: String,
    name: String,
    /// Frames that were looked at and kept.
    accepted: u64,
    /// Frames that a newer one displaced.
    shed: u64,
    /// Frames that were refused.
    rejected: u64,
    /// When a frame came last, milliseconds since the Unix epoch.
    last_frame_ms: Option<i64>,
    /// How the camera that is pulled is doing.
    #[schema(value_type = Option<Object>)]
    pull: Option<Value>,
    /// How the folder that is watched is doing.
    #[schema(value_type = Option<Object>)]
    folder: Option<Value>,
}

/// A list in force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ListStatus {
    name: String,
    entries: usize,
    /// Why its newest file is not in force.
    error: Option<String>,
}

/// A passage, in short.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PassageStatus {
    id: i64,
    lane: String,
    text: String,
    confidence: f64,
    jurisdiction: Option<String>,
    reads: i64,
    /// Milliseconds since the Unix epoch.
    last_ms: i64,
}

/// A hit, in short.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HitStatus {
    id: i64,
    lane: String,
    list: String,
    /// The entry's text.
    entry: String,
    class: String,
    edits: i64,
    probability: f64,
    state: String,
    /// Milliseconds since the Unix epoch.
    stored_ms: i64,
    /// From its frame's coming in until then, milliseconds.
    after_ms: i64,
}

/// Lanes, store, lists and the newest hits.
#[utoipa::path(get, path = "/v1/status", tag = "health", responses((status = 200, description = "Lanes, portals, lists, newest passages and hits", body = Status)))]
pub(super) async fn status(State(service): State<Service>, person: Person) -> Result<Json<Status>, Problem> {
    tokio::task::spawn_blocking(move || told(&service, &person))
        .await
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Panicked", error.to_string()))?
        .map(Json)
}

fn told(service: &Service, person: &Person) -> Result<Status, Problem> {
    let (told_less, sees_hits) = (person.is_told_less(&service.site), !matches!(person.role, Role::Viewer | Role::ListManager));
    let lanes = service
        .site
        .lanes
        .iter()
        .enumerate()
        .map(|(index, lane)| {
            let counts = service.door.counts(index);
            let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
            let last_ms = counts.last_ms.load(Ordering::Relaxed);
            LaneStatus {
                id: lane.id.clone(),
                name: lane.name.clone(),
                accepted: of(&counts.accepted),
                shed: of(&counts.shed),
                rejected: of(&counts.rejected),
                last_frame_ms: (last_ms > 0).then_some(last_ms),
                pull: service.fetched[index].pull.as_ref().map(|source| source.told()),
                folder: service.fetched[index].folder.as_ref().map(|source| source.told()),
            }
        })
        .collect();
    let portals = super::portals::tell(service)?;
    let lists = service.lists.told().into_iter().map(|(name, entries, error)| ListStatus { name, entries, error }).collect();
    let (passages, hits) = service.custody.ask(|connection| {
        let passages = connection
            .prepare_cached("SELECT id, lane, text, confidence, jurisdiction, reads, last_ms, sought FROM passage ORDER BY id DESC LIMIT 20")?
            .query_map([], |row| {
                let text: String = row.get(2)?;
                let text = if told_less && !row.get::<_, bool>(7)? { masking::plate(&text) } else { text };
                let (id, lane, confidence) = (row.get(0)?, row.get(1)?, row.get(3)?);
                Ok(PassageStatus { id, lane, text, confidence, jurisdiction: row.get(4)?, reads: row.get(5)?, last_ms: row.get(6)? })
            })?
            .collect::<rusqlite::Result<Vec<PassageStatus>>>()?;
        let hits = connection
            .prepare_cached(
                "SELECT id, lane, list, text, class, edits, probability, state, stored_ms, stored_ms - received_ms FROM hit ORDER BY id DESC LIMIT 20",
            )?
            .query_map([], |row| {
                Ok(HitStatus {
                    id: row.get(0)?,
                    lane: row.get(1)?,
                    list: row.get(2)?,
                    entry: row.get(3)?,
                    class: row.get(4)?,
                    edits: row.get(5)?,
                    probability: row.get(6)?,
                    state: row.get(7)?,
                    stored_ms: row.get(8)?,
                    after_ms: row.get(9)?,
                })
            })?
            .collect::<rusqlite::Result<Vec<HitStatus>>>()?;
        Ok((passages, hits))
    })?;
    let hits = if sees_hits { hits } else { Vec::new() };
    Ok(Status { site: service.site.name.clone(), not_ready: reasons(service), lanes, portals, lists, passages, hits })
}
