//! Events to others: each webhook of the site file is told what happens, signed, in order, until it takes it.
//!
//! | file | is |
//! |---|---|
//! | `event` | an event of the outbox as a CloudEvent |
//! | `groups` | passages as OpenALPR's agents post them |
//! | `signature` | Standard Webhooks 1.0 |
//! | `target` | where events go, and where not |
//! | `sender` | one webhook's events, again and again until they are taken |
//!
//! | request | does |
//! |---|---|
//! | `GET /v1/webhooks` | how each is doing |
//! | `GET /v1/webhooks/{id}/dead` | the events that it did not take |
//! | `POST /v1/webhooks/{id}/replay` | sends dead events again |

pub mod event;
mod groups;
mod sender;
pub mod signature;
pub mod target;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

use self::sender::Sender;
use super::Service;
use super::access::Person;
use super::asked::{Asked, At, Body};
use super::door::now_ms;
use super::problem::{Problem, ProblemBody};
use super::uploads::{self, blocking};
use crate::audit::{self, Act, Action};
use crate::custody::record::Fate;
use crate::custody::{Custody, outbox};
use crate::error::Result;
use crate::site::Site;

/// Dead events that one answer tells at most.
const MOST_DEAD: usize = 500;
/// From one attempt to tell a full store of the webhooks to the next.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(2);

/// The site's webhooks. Cheap to clone.
#[derive(Clone)]
pub(super) struct Webhooks {
    senders: Arc<[Arc<Sender>]>,
    custody: Custody,
}

impl Webhooks {
    /// Those of the site file.
    pub(super) fn open(site: &Site, custody: &Custody) -> Result<Webhooks> {
        let mut senders = Vec::new();
        for webhook in &site.webhooks {
            senders.push(Arc::new(Sender::new(webhook.clone(), custody.clone(), target::tls(webhook.ca.as_deref())?)?));
        }
        let webhooks = Webhooks { senders: senders.into(), custody: custody.clone() };
        // Before the first frame; a full disk heals, and until then nothing happens that could be told.
        webhooks.register();
        Ok(webhooks)
    }

    /// Tells the store whom to make deliveries for; whether it has taken that.
    fn register(&self) -> bool {
        let wanted: Vec<_> = self.senders.iter().map(|sender| (sender.webhook.id.clone(), sender.webhook.events.clone())).collect();
        matches!(self.custody.change(move |transaction| outbox::set_webhooks(transaction, &wanted)), Fate::Kept(_))
    }

    /// Sends until `stopped`.
    pub(super) fn start(&self, stopped: &watch::Receiver<bool>) {
        let (webhooks, mut stopping) = (self.clone(), stopped.clone());
        tokio::spawn(async move {
            let registering = async {
                while !blocking({
                    let webhooks = webhooks.clone();
                    move || webhooks.register()
                })
                .await
                {
                    tokio::time::sleep(AGAIN).await;
                }
            };
            tokio::select! {
                () = registering => {}
                _ = stopping.changed() => {}
            }
        });
        for sender in self.senders.iter() {
            tokio::spawn(Arc::clone(sender).run(stopped.clone()));
        }
    }

    fn sender(&self, id: &str) -> std::result::Result<&Arc<Sender>, Problem> {
        let known = self.senders.iter().find(|sender| sender.webhook.id == id);
        known.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "No such webhook", format!("{id:?} is no [[webhook]] of this site")))
    }
}

/// How a webhook is doing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookTold {
    /// Its id.
    id: String,
    /// Where it goes.
    url: String,
    /// The kinds of event that it is told; empty for all.
    events: Vec<String>,
    /// Events that wait.
    waiting: i64,
    /// Since when the one waits that has waited longest, milliseconds since the Unix epoch.
    waiting_since_ms: Option<i64>,
    /// Events that were given up.
    dead: i64,
    /// Since when it takes nothing, milliseconds since the Unix epoch; none while it does.
    failing_since_ms: Option<i64>,
    /// What went wrong last.
    last_error: Option<String>,
    /// When it took an event last, milliseconds since the Unix epoch.
    taken_ms: Option<i64>,
}

/// The site's webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhooksTold {
    webhooks: Vec<WebhookTold>,
}

/// How each webhook is doing.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks", responses((status = 200, body = WebhooksTold)))]
pub(super) async fn webhooks(State(service): State<Service>) -> std::result::Result<Json<WebhooksTold>, Problem> {
    let told = blocking(move || {
        let told = service.webhooks.senders.iter().map(|sender| {
            let standing = service.custody.ask(|connection| outbox::standing(connection, &sender.webhook.id))?;
            let health = sender.health().clone();
            Ok::<_, crate::error::Error>(WebhookTold {
                id: sender.webhook.id.clone(),
                url: sender.webhook.url.clone(),
                events: sender.webhook.events.clone(),
                waiting: standing.waiting,
                waiting_since_ms: standing.since_ms,
                dead: standing.dead,
                failing_since_ms: health.failing_since_ms,
                last_error: health.last_error,
                taken_ms: health.taken_ms,
            })
        });
        told.collect::<Result<Vec<_>>>()
    });
    Ok(Json(WebhooksTold { webhooks: told.await? }))
}

/// Where a list of dead events goes on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadQuery {
    /// After this event.
    #[serde(default)]
    after: i64,
}

/// An event that was given up.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeadTold {
    /// Its number.
    event: i64,
    /// What happened.
    kind: String,
    /// To what.
    subject: String,
    /// When, milliseconds since the Unix epoch.
    created_ms: i64,
    /// Attempts that failed.
    attempts: i64,
    /// Of the last one.
    error: Option<String>,
}

/// Events that were given up, in order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeadTolds {
    dead: Vec<DeadTold>,
    /// Where the next page is, if there is more.
    next: Option<String>,
}

/// The events that a webhook did not take within a day.
#[utoipa::path(get, path = "/v1/webhooks/{id}/dead", tag = "webhooks", params(("id" = String, Path, description = "A [[webhook]] of the site file"), DeadQuery),
    responses((status = 200, body = DeadTolds), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn dead(State(service): State<Service>, At(id): At<String>, Asked(query): Asked<DeadQuery>) -> std::result::Result<Json<DeadTolds>, Problem> {
    service.webhooks.sender(&id)?;
    let of = id.clone();
    let dead = blocking(move || service.custody.ask(|connection| outbox::dead(connection, &of, query.after, MOST_DEAD))).await?;
    let next = dead.last().filter(|_| dead.len() == MOST_DEAD).map(|last| format!("/v1/webhooks/{id}/dead?after={}", last.event));
    let told = |dead: outbox::Dead| DeadTold {
        event: dead.event,
        kind: dead.kind,
        subject: dead.subject,
        created_ms: dead.created_ms,
        attempts: dead.attempts,
        error: dead.error,
    };
    Ok(Json(DeadTolds { dead: dead.into_iter().map(told).collect(), next }))
}

/// What is sent again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Replay {
    /// This event; all that are dead, where it is not given.
    event: Option<i64>,
}

/// What is sent again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Replayed {
    /// How many events wait again.
    events: i64,
}

/// Gives dead events another day.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", tag = "webhooks", params(("id" = String, Path, description = "A [[webhook]] of the site file")),
    request_body = Replay,
    responses((status = 200, body = Replayed), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn replay(
    State(service): State<Service>,
    person: Person,
    At(id): At<String>,
    Body(replay): Body<Replay>,
) -> std::result::Result<Json<Replayed>, Problem> {
    service.webhooks.sender(&id)?;
    let change = move |transaction: &rusqlite::Transaction<'_>| {
        let now_ms = now_ms();
        let events = outbox::replay(transaction, &id, replay.event, now_ms)?;
        let details = serde_json::json!({ "event": replay.event, "events": events });
        audit::append(transaction, &Act { who: person.id, action: Action::Replayed, subject: format!("webhook {id}"), details, now_ms })?;
        Ok(events)
    };
    let custody = service.custody.clone();
    let events = uploads::kept(blocking(move || custody.change(change)).await)?;
    Ok(Json(Replayed { events }))
}
