//! Takes passages out: what a search finds, as CSV or JSON.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::passages::{Passages, passages_of};
use super::search::{SearchAsked, Sought, cut, next};
use super::{Why, ask, bad, place, record};
use crate::audit::Action;
use crate::custody::search::MOST_FOUND;
use crate::custody::told::Passage;
use crate::service::Service;
use crate::service::access::Person;
use crate::service::asked::Body;
use crate::service::problem::{Problem, ProblemBody};

/// What is taken out, as what, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::service) struct ExportAsked {
    /// As what.
    format: ExportFormat,
    /// What, and why; `limit` up to 50,000, and as many unless given.
    search: SearchAsked,
}

/// As what passages are taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::service) enum ExportFormat {
    /// RFC 4180, a line a passage, names in the first line. A text that a spreadsheet would take for a formula has a `'` before it.
    Csv,
    /// As `GET /v1/passages` tells them.
    Json,
}

/// Takes out the passages that a search finds; that it was done, with its reason, is in the audit trail before.
#[utoipa::path(post, path = "/v1/exports", tag = "queries", request_body = ExportAsked, responses(
    (status = 200, description = "The passages. `garita-next` says where the next export goes on, `garita-cut` what was not looked at.", body = Passages),
    (status = 422, description = "No reason or case number", body = ProblemBody, content_type = "application/problem+json")))]
pub(in crate::service) async fn export(State(service): State<Service>, person: Person, Body(asked): Body<ExportAsked>) -> Result<Response, Problem> {
    let ExportAsked { format, search: asked } = asked;
    let why = Why::of(&service, asked.reason.as_deref(), asked.case.as_deref())?;
    if asked.subject != Sought::Plate {
        return Err(bad("subject: passages alone are taken out".to_owned()));
    }
    let limit = asked.limit.unwrap_or(MOST_FOUND);
    if !(1..=MOST_FOUND).contains(&limit) {
        return Err(bad(format!("limit: it takes 1 to {MOST_FOUND}")));
    }
    place(asked.before.as_deref())?;
    let search = asked.search(&service, &person, limit)?;
    let (found, passages) = ask(&service, move |connection| {
        let found = search.run(connection)?;
        let passages = passages_of(connection, &found)?;
        Ok((found, passages))
    })
    .await?;
    record(&service, &person, Action::Exported, "passages".to_owned(), asked.details(&why, passages.len(), found.cut)).await?;
    let mut headers = HeaderMap::new();
    for (name, value) in [("garita-next", next(&found)), ("garita-cut", cut(&found))] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let (kind, name) = match format {
        ExportFormat::Csv => ("text/csv; charset=utf-8; header=present", "attachment; filename=\"passages.csv\""),
        ExportFormat::Json => ("application/json", "attachment; filename=\"passages.json\""),
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    let text = match format {
        ExportFormat::Csv => csv(&passages),
        ExportFormat::Json => serde_json::to_vec(&Passages { passages, next: next(&found) }).expect("plain data"),
    };
    Ok((headers, text).into_response())
}

fn csv(passages: &[Passage]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let names = ["id", "lane", "text", "confidence", "jurisdiction", "jurisdiction_confidence", "reads", "first_seen", "last_seen", "sought", "stored"];
    writer.write_record(names).expect("into memory");
    let time = |ms: i64| jiff::Timestamp::from_millisecond(ms).unwrap_or_default().to_string();
    for passage in passages {
        let line = [
            passage.id.to_string(),
            harmless(&passage.lane),
            harmless(&passage.text),
            format!("{:.4}", passage.confidence),
            harmless(passage.jurisdiction.as_deref().unwrap_or_default()),
            passage.jurisdiction_confidence.map(|confidence| format!("{confidence:.4}")).unwrap_or_default(),
            passage.reads.to_string(),
            time(passage.first_ms),
            time(passage.last_ms),
            passage.sought.to_string(),
            time(passage.stored_ms),
        ];
        writer.write_record(line).expect("into memory");
    }
    writer.into_inner().expect("into memory")
}

/// A text that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula() {
        for (text, expected) in [("ABC123", "ABC123"), ("=1+1", "'=1+1"), ("-1", "'-1"), ("@SUM", "'@SUM"), ("", "")] {
            assert_eq!(harmless(text), expected);
        }
    }
}
