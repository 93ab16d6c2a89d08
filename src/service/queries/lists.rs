//! The site's watchlists.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::missing;
use crate::service::Service;
use crate::service::asked::At;
use crate::service::problem::{Problem, ProblemBody};

/// A list.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct ListTold {
    /// Its name.
    name: String,
    /// Entries in force or to come.
    entries: usize,
    /// When it was built: its version.
    version: String,
    /// Why its newest file is not in force.
    error: Option<String>,
}

/// The site's lists.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct Lists {
    lists: Vec<ListTold>,
}

/// Lists the lists, and which version of each is in force.
#[utoipa::path(get, path = "/v1/lists", tag = "queries", responses((status = 200, body = Lists)))]
pub(in crate::service) async fn listed(State(service): State<Service>) -> Json<Lists> {
    Json(Lists { lists: all(&service) })
}

/// One list.
#[utoipa::path(get, path = "/v1/lists/{name}", tag = "queries", params(("name" = String, Path, description = "The list's name")),
    responses((status = 200, body = ListTold), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(in crate::service) async fn one(State(service): State<Service>, At(name): At<String>) -> Result<Json<ListTold>, Problem> {
    all(&service).into_iter().find(|list| list.name == name).map(Json).ok_or_else(|| missing("list"))
}

fn all(service: &Service) -> Vec<ListTold> {
    service.lists.states().into_iter().map(|(name, entries, version, error)| ListTold { name, entries, version, error }).collect()
}
