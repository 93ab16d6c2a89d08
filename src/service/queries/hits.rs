//! Entries of lists that met vehicles.

use axum::Json;
use axum::extract::State;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{ask, limit, may_see, missing, query, record, since};
use crate::audit::Action;
use crate::custody::told::{self, HIT, Hit};
use crate::service::Service;
use crate::service::access::Person;
use crate::service::asked::{Asked, At};
use crate::service::problem::{Problem, ProblemBody};

/// Which hits.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::service) struct HitsQuery {
    /// The lane's id; all lanes unless given.
    lane: Option<String>,
    /// The list's name; all lists unless given.
    list: Option<String>,
    /// `sighted`, `confirmed` or `withdrawn`; all unless given.
    state: Option<String>,
    /// Stored not before this, milliseconds since the Unix epoch.
    from_ms: Option<i64>,
    /// Stored before this, milliseconds since the Unix epoch.
    until_ms: Option<i64>,
    /// Where the page begins: from `next` of the one before.
    before: Option<i64>,
    /// How many, 1 to 500; 50 unless given.
    limit: Option<usize>,
}

/// A page of hits, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct Hits {
    hits: Vec<Hit>,
    /// Where the next page is, if there is more.
    next: Option<String>,
}

/// Lists hits.
#[utoipa::path(get, path = "/v1/hits", tag = "queries", params(HitsQuery), responses((status = 200, body = Hits)))]
pub(in crate::service) async fn listed(State(service): State<Service>, person: Person, Asked(asked): Asked<HitsQuery>) -> Result<Json<Hits>, Problem> {
    let limit = limit(asked.limit)?;
    let of = (asked.lane.clone(), asked.list.clone(), asked.state.clone());
    let (before, from_ms, until_ms) = (asked.before, since(&service, &person, asked.from_ms)?, asked.until_ms);
    let hits: Vec<Hit> = ask(&service, move |connection| {
        let question = format!(
            "SELECT {HIT} FROM hit WHERE id < ?1 AND (?2 IS NULL OR lane = ?2) AND (?3 IS NULL OR list = ?3) AND (?4 IS NULL OR state = ?4)
             AND (?5 IS NULL OR stored_ms >= ?5) AND (?6 IS NULL OR stored_ms < ?6) ORDER BY id DESC LIMIT ?7"
        );
        let parameters = params![before.unwrap_or(i64::MAX), of.0, of.1, of.2, from_ms, until_ms, limit as i64];
        connection.prepare_cached(&question)?.query_map(parameters, told::hit_row)?.collect()
    })
    .await?;
    if !hits.is_empty() {
        let ids: Vec<i64> = hits.iter().map(|hit| hit.id).collect();
        record(&service, &person, Action::HitViewed, "hits".to_owned(), json!({ "hits": ids })).await?;
    }
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let more = [
        ("lane", asked.lane),
        ("list", asked.list),
        ("state", asked.state),
        ("from_ms", number(from_ms)),
        ("until_ms", number(until_ms)),
        ("limit", asked.limit.map(|limit| limit.to_string())),
    ];
    let next = hits.last().filter(|_| hits.len() == limit).map(|last| format!("/v1/hits{}", query(&more, &last.id.to_string())));
    Ok(Json(Hits { hits, next }))
}

/// One hit.
#[utoipa::path(get, path = "/v1/hits/{id}", tag = "queries", params(("id" = i64, Path, description = "The hit's number")),
    responses((status = 200, body = Hit), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(in crate::service) async fn one(State(service): State<Service>, person: Person, At(id): At<i64>) -> Result<Json<Hit>, Problem> {
    let hit = ask(&service, move |connection| told::hit(connection, id)).await?.ok_or_else(|| missing("hit"))?;
    may_see(&service, &person, hit.stored_ms)?;
    record(&service, &person, Action::HitViewed, format!("hit {id}"), json!({})).await?;
    Ok(Json(hit))
}
