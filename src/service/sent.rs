//! A JSON body, small and prompt; what is wrong with it is told as every other error is.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::Service;
use super::problem::Problem;

/// The most bytes of a body that a person or a program sends to be understood: lists and pictures have doors of their own.
const MOST_BYTES: usize = 64 << 10;

/// What was sent.
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Service> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Sent<T>, Problem> {
        let patience = Duration::from_secs(service.site.limits.body_timeout_s);
        let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "Too slow", format!("the body had not come after {} s", patience.as_secs()));
        let body = tokio::time::timeout(patience, axum::body::to_bytes(request.into_body(), MOST_BYTES)).await.map_err(slow)?;
        let body = body.map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Over a limit", format!("cut off, or more than {MOST_BYTES} bytes")))?;
        let sent = serde_json::from_slice(&body);
        // serde's own words name the line and column, and never quote a password: it says which type or field it expected.
        sent.map(Sent)
            .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Not understood", format!("the body is not the JSON that goes here: {error}")))
    }
}
