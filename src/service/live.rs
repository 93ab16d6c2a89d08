//! `GET /v1/events`: what changes, as server-sent events, to screens that are open.
//!
//! | event | data |
//! |---|---|
//! | `case` | a case as the queue tells it, as it is now; its id is the number of the change: `Last-Event-ID` goes on after it, also after a restart |
//! | `car` | a car in which something was found, as the queue tells it, likewise |
//! | `gone` | `{"id"}` of a case that has had its time |
//! | `missed` | the change that was named lies too far back: ask for the queue anew |
//! | `tick` | every two seconds the time, and why the service is not ready: a screen that hears none is stale and must say so |
//!
//! A stream ends after some minutes, so that whoever may no longer see it does not; browsers come back by themselves with `Last-Event-ID`.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Service;
use super::access::Person;
use super::asked::Asked;
use super::cases::ask;
use super::door::now_ms;
use super::problem::Problem;
use crate::review::{cars, cases, changes};

/// How often the store is asked for news while a screen is open. A hit must be on the screen within 300 ms of its commit.
const ASK_EVERY: Duration = Duration::from_millis(50);
const TICK_EVERY: Duration = Duration::from_secs(2);
/// What a screen may take to take what is sent to it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one stream goes on.
const LONGEST: Duration = Duration::from_secs(300);
/// Events that wait in a stream.
const WAITING: usize = 64;

/// Tells the streams the number of the newest change, until `stopped`.
pub(super) async fn watch(service: Service, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(ASK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.changed() => {
                // Streams that wait for news look whether they should end.
                service.newest_change.send_modify(|_| {});
                return;
            }
        }
        if service.newest_change.receiver_count() > 0
            && let Ok(newest) = ask(&service, changes::newest).await
        {
            service.newest_change.send_if_modified(|known| std::mem::replace(known, newest) != newest);
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct After {
    /// The number of a change, where a browser's first request cannot say `Last-Event-ID`.
    after: Option<i64>,
}

/// The stream.
#[utoipa::path(get, path = "/v1/events", tag = "cases", responses((status = 200,
    description = "Server-sent events: each case that changes; goes on from `Last-Event-ID`", content_type = "text/event-stream", body = String)))]
pub(super) async fn events(State(service): State<Service>, person: Person, Asked(after): Asked<After>, headers: HeaderMap) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok()).or(after.after);
    let last = match last {
        Some(last) => last,
        None => ask(&service, changes::newest).await?,
    };
    let (sender, body) = Channel::<bytes::Bytes>::new(WAITING);
    let since_ms = person.sees_since_ms(&service.site, now_ms());
    tokio::spawn(stream(service, sender, last, since_ms));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::new(body)).into_response())
}

/// Writes events until the screen goes away, the service stops, or it has been [`LONGEST`].
async fn stream(service: Service, mut screen: Sender<bytes::Bytes>, mut last: i64, since_ms: i64) {
    let mut newest = service.newest_change.subscribe();
    let mut stopping = service.stopping.subscribe();
    let mut tick = tokio::time::interval(TICK_EVERY);
    let end = tokio::time::Instant::now() + LONGEST;
    let mut text = "retry: 1000\n\n".to_owned();
    loop {
        if *newest.borrow_and_update() != last {
            match news(&service, last, since_ms).await {
                Ok((more, reached)) => (last, text) = (reached, text + &more),
                // Said by the ticks too: the store's state.
                Err(problem) => tracing::warn!(detail = problem.detail, "a screen is not told what changed"),
            }
        }
        if !text.is_empty() && !matches!(tokio::time::timeout(PATIENCE, screen.send_data(std::mem::take(&mut text).into())).await, Ok(Ok(()))) {
            return;
        }
        tokio::select! {
            changed = newest.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            _ = tick.tick() => text = event("tick", None, &json!({ "now_ms": now_ms(), "not_ready": super::health::reasons(&service) })),
            () = tokio::time::sleep_until(end) => return,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

/// What changed after change `last`, as events, and the number that was reached; of cases that were stored since `since_ms`.
async fn news(service: &Service, last: i64, since_ms: i64) -> Result<(String, i64), Problem> {
    ask(service, move |connection| {
        let (mut text, mut last) = (String::new(), last);
        loop {
            let changes = changes::since(connection, last)?;
            if changes.missed {
                text += &event("missed", Some(changes.last), &json!({}));
            }
            let mut told: Vec<(i64, String)> = Vec::new();
            for (change, hit) in changes.hits {
                told.push((
                    change,
                    match cases::one(connection, hit)? {
                        Some(item) if item.stored_ms < since_ms => String::new(),
                        Some(item) => event("case", Some(change), &serde_json::to_value(item).unwrap_or_default()),
                        None => event("gone", Some(change), &json!({ "id": hit })),
                    },
                ));
            }
            for (change, case) in changes.cars {
                // One that is gone goes from screens when they ask for it.
                if let Some(item) = cars::one(connection, case, since_ms)? {
                    told.push((change, event("car", Some(change), &serde_json::to_value(item).unwrap_or_default())));
                }
            }
            told.sort_by_key(|(change, _)| *change);
            text.extend(told.into_iter().map(|(_, event)| event));
            last = changes.last;
            if !changes.more {
                return Ok((text, last));
            }
        }
    })
    .await
}

fn event(name: &str, id: Option<i64>, data: &Value) -> String {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    // JSON has no line breaks outside its texts, and escapes those inside.
    format!("{id}event: {name}\ndata: {data}\n\n")
}
