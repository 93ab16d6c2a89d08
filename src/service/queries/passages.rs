//! Vehicles that have passed.

use axum::Json;
use axum::extract::State;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ask, limit, may_see, missing, open_since, place, query};
use crate::custody::search::{Found, Search};
use crate::custody::told::{self, Passage, PassageWhole};
use crate::masking;
use crate::service::Service;
use crate::service::access::Person;
use crate::service::asked::{Asked, At};
use crate::service::problem::{Problem, ProblemBody};

/// Which passages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::service) struct PassagesQuery {
    /// The lane's id; all lanes unless given.
    lane: Option<String>,
    /// Last seen not before this, milliseconds since the Unix epoch.
    from_ms: Option<i64>,
    /// Last seen before this, milliseconds since the Unix epoch.
    until_ms: Option<i64>,
    /// Where the page begins: from `next` of the one before.
    before: Option<String>,
    /// How many, 1 to 500; 50 unless given.
    limit: Option<usize>,
}

/// A page of passages, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct Passages {
    pub(super) passages: Vec<Passage>,
    /// Where the next page is, if there is more.
    pub(super) next: Option<String>,
}

/// Lists the passages of the last hours (the site's `search.open_hours`); older ones want a search with a reason.
#[utoipa::path(get, path = "/v1/passages", tag = "queries", params(PassagesQuery), responses((status = 200, body = Passages),
    (status = 403, description = "Older than can be listed", body = ProblemBody, content_type = "application/problem+json")))]
pub(in crate::service) async fn listed(State(service): State<Service>, person: Person, Asked(asked): Asked<PassagesQuery>) -> Result<Json<Passages>, Problem> {
    let mut search = Search::all(limit(asked.limit)?);
    search.from_ms = open_since(&service, &person, asked.from_ms)?;
    (search.until_ms, search.before) = (asked.until_ms, place(asked.before.as_deref())?);
    search.lanes = asked.lane.iter().cloned().collect();
    let (found, mut passages) = ask(&service, move |connection| {
        let found = search.run(connection)?;
        let passages = passages_of(connection, &found)?;
        Ok((found, passages))
    })
    .await?;
    if person.is_told_less(&service.site) {
        passages.iter_mut().for_each(obscure);
    }
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let more =
        [("lane", asked.lane), ("from_ms", number(asked.from_ms)), ("until_ms", number(asked.until_ms)), ("limit", asked.limit.map(|limit| limit.to_string()))];
    let next = found.next.map(|(last_ms, id)| format!("/v1/passages{}", query(&more, &format!("{last_ms}.{id}"))));
    Ok(Json(Passages { passages, next }))
}

/// One passage with its pictures and hits.
#[utoipa::path(get, path = "/v1/passages/{id}", tag = "queries", params(("id" = i64, Path, description = "The passage's number")),
    responses((status = 200, body = PassageWhole), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(in crate::service) async fn one(State(service): State<Service>, person: Person, At(id): At<i64>) -> Result<Json<PassageWhole>, Problem> {
    let whole = ask(&service, move |connection| told::passage_whole(connection, id)).await?.ok_or_else(|| missing("passage"))?;
    may_see(&service, &person, whole.passage.stored_ms)?;
    Ok(Json(whole))
}

/// The passages that a search found, in its order.
pub(super) fn passages_of(connection: &Connection, found: &Found) -> rusqlite::Result<Vec<Passage>> {
    let passages = found.matches.iter().map(|one| told::passage(connection, one.passage));
    // What had its time between the search and this is gone.
    passages.filter_map(Result::transpose).collect()
}

/// A plate without a hit is none of their business.
fn obscure(passage: &mut Passage) {
    if !passage.sought {
        passage.text = masking::plate(&passage.text);
        (passage.jurisdiction, passage.jurisdiction_confidence) = (None, None);
    }
}
