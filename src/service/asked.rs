//! What a request asks for, taken apart: its path, query and JSON body. What cannot be understood is answered as every other error is.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Service;
use super::problem::Problem;

/// The most bytes of a JSON body: the longest is an evidence pack's list of passages.
const MOST_BYTES: usize = 256 << 10;

/// Parts of the path.
pub(super) struct At<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Service> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<At<T>, Problem> {
        match Path::from_request_parts(parts, service).await {
            Ok(Path(at)) => Ok(At(at)),
            // A number that is none names nothing.
            Err(_) => Err(Problem::new(StatusCode::NOT_FOUND, "Not found", "there is nothing at this address")),
        }
    }
}

/// The query.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Service> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Asked<T>, Problem> {
        Query::try_from_uri(&parts.uri).map(|Query(asked)| Asked(asked)).map_err(|refused| bad(refused.body_text()))
    }
}

/// The body, JSON.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Service> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Body<T>, Problem> {
        let patience = std::time::Duration::from_secs(service.site.limits.body_timeout_s);
        let body = tokio::time::timeout(patience, axum::body::to_bytes(request.into_body(), MOST_BYTES)).await;
        let body = body.map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "Too slow", format!("the body had not come after {} s", patience.as_secs())))?;
        let body = body.map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Over a limit", format!("cut off, or more than {MOST_BYTES} bytes")))?;
        serde_json::from_slice(&body).map(Body).map_err(|error| bad(format!("the body is not the JSON that is asked for: {error}")))
    }
}

fn bad(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "Bad request", detail)
}
