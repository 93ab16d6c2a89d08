//! The audit trail and holds, over HTTP.
//!
//! | request | answers |
//! |---|---|
//! | `GET /v1/audit?before=N&who=ID&subject=TEXT&action=NAME` | the newest 200 records before record N |
//! | `GET /v1/audit/checkpoint` | how far they go, signed: to be kept elsewhere |
//! | `GET /v1/audit/verification` | whether all are as they were written; the first that is not |
//! | `GET /v1/holds`, `POST /v1/holds`, `DELETE /v1/holds/{id}` | what is kept whatever its time |
//!
//! Whenever records have come for [`EXPORT_EVERY`], and at the end, a checkpoint goes into the service's log.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::access::Person;
use super::asked::Body;
use super::door::now_ms;
use super::problem::{Problem, ProblemBody};
use super::uploads::blocking;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::verify;
use crate::custody::keeping::{self, Held, Hold, NewHold};
use crate::people;

/// Records that one answer tells.
const MOST_TOLD: i64 = 200;
/// From one checkpoint in the log to the next.
const EXPORT_EVERY: Duration = Duration::from_secs(600);

/// Which records.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Those before this one.
    before: Option<i64>,
    /// Of this person or device.
    who: Option<String>,
    /// Of this subject: `hit 17`.
    subject: Option<String>,
    /// Of this action: `searched`.
    action: Option<String>,
}

/// A record.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordTold {
    /// Its number.
    id: i64,
    /// When, milliseconds since the Unix epoch.
    at_ms: i64,
    /// The person's or device's id; `garita` for what the service does by itself.
    who: String,
    /// What.
    action: String,
    /// To what.
    subject: String,
    /// What else is worth knowing.
    #[schema(value_type = Object)]
    details: Value,
}

/// Records, newest first, at most 200.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Records {
    records: Vec<RecordTold>,
}

/// What is kept whatever its time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Holds {
    holds: Vec<Hold>,
}

/// A hold that was placed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HoldMade {
    /// Its number.
    id: i64,
}

/// Records, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(Asked), responses((status = 200, description = "Records, newest first", body = Records)))]
pub(super) async fn records(
    State(service): State<Service>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Records>, Problem> {
    let Query(asked) = asked.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "Bad request", error.body_text()))?;
    let custody = service.custody.clone();
    let records = blocking(move || {
        custody.ask(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, at_ms, who, action, subject, details FROM audit
                 WHERE id < ?1 AND (?2 IS NULL OR who = ?2) AND (?3 IS NULL OR subject = ?3) AND (?4 IS NULL OR action = ?4) ORDER BY id DESC LIMIT ?5",
            )?;
            let told = |row: &rusqlite::Row<'_>| {
                let details = serde_json::from_str(&row.get::<_, String>(5)?).unwrap_or(Value::Null);
                Ok(RecordTold { id: row.get(0)?, at_ms: row.get(1)?, who: row.get(2)?, action: row.get(3)?, subject: row.get(4)?, details })
            };
            let rows = statement.query_map(params![asked.before.unwrap_or(i64::MAX), asked.who, asked.subject, asked.action, MOST_TOLD], told)?;
            rows.collect::<rusqlite::Result<Vec<RecordTold>>>()
        })
    })
    .await?;
    Ok(Json(Records { records }))
}

/// How far they go.
#[utoipa::path(get, path = "/v1/audit/checkpoint", tag = "audit", responses((status = 200, description = "How far they go, signed", body = Checkpoint)))]
pub(super) async fn checkpoint(State(service): State<Service>) -> Result<Json<Checkpoint>, Problem> {
    Ok(Json(blocking(move || service.custody.ask(|connection| service.signer.checkpoint(connection, now_ms()))).await?))
}

/// Whether all are as they were written.
#[utoipa::path(get, path = "/v1/audit/verification", tag = "audit", responses((status = 200, description = "Whether all are as they were written", body = verify::Verdict)))]
pub(super) async fn verification(State(service): State<Service>) -> Result<Json<verify::Verdict>, Problem> {
    Ok(Json(blocking(move || service.custody.ask(|connection| verify::verify(connection, &[]))).await?))
}

/// Writes a checkpoint into the log whenever there are new records, until `stopped`.
pub(super) async fn export(service: Service, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(EXPORT_EVERY);
    let mut told = 0;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.changed() => return,
        }
        let service = service.clone();
        told = blocking(move || tell(&service, told)).await;
    }
}

/// Writes a checkpoint into the log where there are records after `told`; answers how far it goes.
pub(super) fn tell(service: &Service, told: i64) -> i64 {
    match service.custody.ask(|connection| service.signer.checkpoint(connection, now_ms())) {
        Ok(checkpoint) if checkpoint.record > told => {
            tracing::info!(checkpoint = serde_json::to_string(&checkpoint).expect("plain data"), "audit");
            checkpoint.record
        }
        Ok(_) => told,
        Err(error) => {
            tracing::error!(%error, "how far the audit records go could not be told");
            told
        }
    }
}

/// What is held.
#[utoipa::path(get, path = "/v1/holds", tag = "audit", responses((status = 200, body = Holds)))]
pub(super) async fn holds(State(service): State<Service>) -> Result<Json<Holds>, Problem> {
    let holds = blocking(move || service.custody.ask(keeping::holds)).await?;
    Ok(Json(Holds { holds }))
}

/// Holds something.
#[utoipa::path(post, path = "/v1/holds", tag = "audit", request_body = NewHold, responses((status = 201, description = "Held", body = HoldMade),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"), (status = 422, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn hold(State(service): State<Service>, by: Person, Body(new): Body<NewHold>) -> Result<(StatusCode, Json<HoldMade>), Problem> {
    if ![&new.reason, &new.case_number, &new.subject].into_iter().all(|text| people::is_name(text)) {
        let detail = "a hold states subject, reason and case_number, each 1 to 100 characters on one line";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Not that hold", detail));
    }
    // As reads write it.
    let subject = if new.kind == Held::Plate { new.subject.to_uppercase().replace([' ', '-'], "") } else { new.subject };
    let new = NewHold { subject, ..new };
    let placed = service.change(move |transaction| keeping::hold(transaction, &by.id, &new, now_ms())).await?;
    let id = placed.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "Nothing to hold", "there is no passage or scan of this number"))?;
    Ok((StatusCode::CREATED, Json(HoldMade { id })))
}

/// Takes a hold back.
#[utoipa::path(delete, path = "/v1/holds/{id}", tag = "audit", params(("id" = i64, Path, description = "The hold's number")), responses((status = 204, description = "No longer held"), (status = 404, description = "No such hold")))]
pub(super) async fn release(State(service): State<Service>, by: Person, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "No such hold", format!("{id:?} is the number of no hold in force"));
    let number = id.parse().map_err(|_| missing())?;
    let released = service.change(move |transaction| keeping::release(transaction, &by.id, number, now_ms())).await?;
    if released { Ok(StatusCode::NO_CONTENT) } else { Err(missing()) }
}
