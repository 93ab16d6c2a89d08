//! Every request has a trace id: the sender's (`traceparent`, W3C Trace Context), else one of our own. It stands on every log line that the request
//! causes, and in the answer's `trace-id`.

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

/// Names the request, and logs how it ended.
pub(super) async fn named(request: Request, next: Next) -> Response {
    let said = request.headers().get("traceparent").and_then(|value| value.to_str().ok()).and_then(trace_of).map(str::to_owned);
    let trace = said.unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
    let span = tracing::info_span!("request", trace = trace.as_str(), method = %request.method(), path = request.uri().path());
    async move {
        let mut response = next.run(request).await;
        let status = response.status().as_u16();
        // That frames are shed, the disk is full or the service stops is said by what knows it, once and not with each answer.
        if response.status().is_server_error() && !matches!(response.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE) {
            tracing::warn!(status, "answered")
        } else {
            tracing::debug!(status, "answered")
        }
        if let Ok(value) = HeaderValue::from_str(&trace) {
            response.headers_mut().insert("trace-id", value);
        }
        response
    }
    .instrument(span)
    .await
}

/// The trace id of a `traceparent`: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
fn trace_of(traceparent: &str) -> Option<&str> {
    let trace = traceparent.split('-').nth(1)?;
    (trace.len() == 32 && trace.bytes().all(|digit| digit.is_ascii_hexdigit()) && trace.bytes().any(|digit| digit != b'0')).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::trace_of;

    #[test]
    fn a_sender_s_trace_is_kept_and_nonsense_is_not() {
        assert_eq!(trace_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for nonsense in ["", "00", "00-4bf9-00-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e47g6-00-01"] {
            assert_eq!(trace_of(nonsense), None, "{nonsense:?}");
        }
    }
}
