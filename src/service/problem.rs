//! Errors as HTTP tells them: RFC 9457 problem details.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::error::{Error, Fault};

/// One error for a client.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
    /// Seconds, where asking again may help.
    pub(crate) retry_after_s: Option<u32>,
    /// A further member, for programs.
    pub(crate) more: Option<Box<(&'static str, serde_json::Value)>>,
    /// A further header field, its name in lower case.
    pub(crate) field: Option<&'static (&'static str, &'static str)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, title, detail: detail.into(), retry_after_s: None, more: None, field: None }
    }

    pub(crate) fn retry(mut self, seconds: u32) -> Problem {
        self.retry_after_s = Some(seconds);
        self
    }

    pub(crate) fn with(mut self, member: &'static str, value: serde_json::Value) -> Problem {
        self.more = Some(Box::new((member, value)));
        self
    }

    pub(crate) fn field(mut self, field: &'static (&'static str, &'static str)) -> Problem {
        self.field = Some(field);
        self
    }
}

impl From<Error> for Problem {
    /// Whose fault it is decides the status.
    fn from(error: Error) -> Problem {
        let (status, title) = match error.fault {
            Fault::Damaged => (StatusCode::UNPROCESSABLE_ENTITY, "Damaged"),
            Fault::Unsupported => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported"),
            Fault::Limit => (StatusCode::PAYLOAD_TOO_LARGE, "Over a limit"),
            Fault::Caller => (StatusCode::BAD_REQUEST, "Bad request"),
            Fault::Machine | Fault::Model => (StatusCode::INTERNAL_SERVER_ERROR, "The machine failed"),
        };
        Problem::new(status, title, error.to_string())
    }
}

/// An error as its body tells it: RFC 9457.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(crate) struct ProblemBody {
    /// `about:blank`: the status says what kind of error it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// In a few words, always the same ones.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong here, and what to do.
    detail: String,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody { kind: "about:blank", title: self.title, status: self.status.as_u16(), detail: self.detail };
        let mut body = serde_json::to_value(body).expect("plain data");
        if let Some((member, value)) = self.more.map(|more| *more) {
            body[member] = value;
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some((name, value)) = self.field {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        response
    }
}
