//! Seen from outside: alive, ready, measured.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

use super::Service;
use super::access::{Person, Role};
use super::problem::Problem;
use crate::custody::State as StoreState;
use crate::masking;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "It runs")))]
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Whether it does its work; 503 with every reason why not.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, description = "Ready"), (status = 503, description = "Why not")))]
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
    if service.stopping.load(Ordering::SeqCst) {
        reasons.push("stopping".to_owned());
    }
    match service.custody.state() {
        StoreState::Open => {}
        StoreState::Full(why) => reasons.push(format!("store full: {why}")),
        StoreState::Stopped(why) => reasons.push(format!("store stopped: {why}")),
    }
    reasons.extend(service.lists.told().into_iter().filter_map(|(name, _, error)| error.map(|error| format!("list {name}: {error}"))));
    reasons
}

/// In Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, description = "Prometheus' text format")))]
pub(super) async fn metrics(State(service): State<Service>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], service.recorder.render()).into_response()
}

/// Lanes, store, lists and the newest hits.
#[utoipa::path(get, path = "/v1/status", tag = "health", responses((status = 200, description = "Lanes, portals, lists, newest passages and hits")))]
pub(super) async fn status(State(service): State<Service>, person: Person) -> Result<Json<Value>, Problem> {
    tokio::task::spawn_blocking(move || told(&service, &person))
        .await
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Panicked", error.to_string()))?
        .map(Json)
}

fn told(service: &Service, person: &Person) -> Result<Value, Problem> {
    let (told_less, sees_hits) = (person.is_told_less(&service.site), !matches!(person.role, Role::Viewer | Role::ListManager));
    let lanes: Vec<Value> = service
        .site
        .lanes
        .iter()
        .enumerate()
        .map(|(index, lane)| {
            let counts = service.door.counts(index);
            let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
            let last_ms = counts.last_ms.load(Ordering::Relaxed);
            json!({
                "id": lane.id, "name": lane.name, "accepted": of(&counts.accepted), "shed": of(&counts.shed), "rejected": of(&counts.rejected),
                "last_frame_ms": (last_ms > 0).then_some(last_ms),
                "pull": service.fetched[index].pull.as_ref().map(|source| source.told()),
                "folder": service.fetched[index].folder.as_ref().map(|source| source.told()),
            })
        })
        .collect();
    let portals = super::portals::tell(service)?;
    let lists: Vec<Value> =
        service.lists.told().into_iter().map(|(name, entries, error)| json!({ "name": name, "entries": entries, "error": error })).collect();
    let (passages, hits) = service.custody.ask(|connection| {
        let passages = connection
            .prepare_cached("SELECT id, lane, text, confidence, jurisdiction, reads, last_ms, sought FROM passage ORDER BY id DESC LIMIT 20")?
            .query_map([], |row| {
                let text: String = row.get(2)?;
                let text = if told_less && !row.get::<_, bool>(7)? { masking::plate(&text) } else { text };
                Ok(json!({
                    "id": row.get::<_, i64>(0)?, "lane": row.get::<_, String>(1)?, "text": text, "confidence": row.get::<_, f64>(3)?,
                    "jurisdiction": row.get::<_, Option<String>>(4)?, "reads": row.get::<_, i64>(5)?, "last_ms": row.get::<_, i64>(6)?,
                }))
            })?
            .collect::<rusqlite::Result<Vec<Value>>>()?;
        let hits = connection
            .prepare_cached(
                "SELECT id, lane, list, text, class, edits, probability, state, stored_ms, stored_ms - received_ms FROM hit ORDER BY id DESC LIMIT 20",
            )?
            .query_map([], |row| {
                Ok(json!({
                    "id": row.get::<_, i64>(0)?, "lane": row.get::<_, String>(1)?, "list": row.get::<_, String>(2)?, "entry": row.get::<_, String>(3)?,
                    "class": row.get::<_, String>(4)?, "edits": row.get::<_, i64>(5)?, "probability": row.get::<_, f64>(6)?,
                    "state": row.get::<_, String>(7)?, "stored_ms": row.get::<_, i64>(8)?, "after_ms": row.get::<_, i64>(9)?,
                }))
            })?
            .collect::<rusqlite::Result<Vec<Value>>>()?;
        Ok((passages, hits))
    })?;
    let hits = if sees_hits { hits } else { Vec::new() };
    Ok(
        json!({ "site": service.site.name, "not_ready": reasons(service), "lanes": lanes, "portals": portals, "lists": lists, "passages": passages, "hits": hits }),
    )
}
