//! Evidence by its SHA-256: pictures of passages, and scans as they came.

use std::fs::File;
use std::path::PathBuf;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use rusqlite::{OptionalExtension, params};
use serde_json::json;

use super::{ask, may_see, missing, record, stream};
use crate::audit::Action;
use crate::custody::evidence::{self, Sha, from_hex, hex};
use crate::error::Error;
use crate::service::Service;
use crate::service::access::Person;
use crate::service::asked::At;
use crate::service::fields;
use crate::service::problem::{Problem, ProblemBody};
use crate::service::uploads::blocking;

/// A file that the store keeps.
pub(super) struct Kept {
    pub(super) path: PathBuf,
    pub(super) length: u64,
    kind: &'static str,
    /// The passage with a hit that it is of.
    of: Option<String>,
    stored_ms: i64,
}

/// A file by its SHA-256: a passage's picture, or a scan.
#[utoipa::path(get, path = "/v1/evidence/{sha256}", tag = "queries", params(("sha256" = String, Path, description = "64 hexadecimal digits")),
    responses((status = 200, description = "The file, as it came in", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(in crate::service) async fn file(State(service): State<Service>, person: Person, At(sha256): At<String>) -> Result<Response, Problem> {
    let digest = from_hex(&sha256).ok_or_else(|| missing("evidence"))?;
    let kept = find(&service, digest).await?.ok_or_else(|| missing("evidence"))?;
    may_see(&service, &person, kept.stored_ms)?;
    if let Some(of) = kept.of {
        record(&service, &person, Action::HitViewed, of, json!({ "evidence": sha256 })).await?;
    }
    let file = blocking(move || File::open(&kept.path)).await.map_err(|_| missing("evidence"))?;
    let mut response = stream::body(move |pieces| {
        let copied = std::io::copy(&mut std::io::Read::take(file, kept.length), pieces)?;
        if copied == kept.length { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
    })
    .into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kept.kind));
    headers.insert(header::CONTENT_LENGTH, kept.length.into());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&fields::sha256_field(&digest)) {
        headers.insert(fields::REPR_DIGEST, value);
    }
    Ok(response)
}

/// The file with this digest.
async fn find(service: &Service, digest: Sha) -> Result<Option<Kept>, Problem> {
    let folder = service.custody.folder().to_owned();
    ask(service, move |connection| {
        let picture = "SELECT evidence.length, passage.id, passage.sought, passage.stored_ms FROM evidence JOIN passage ON passage.id = evidence.passage
                       WHERE digest = ?1 ORDER BY passage.sought DESC LIMIT 1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, bool>(2)?, row.get(3)?));
        if let Some((length, passage, sought, stored_ms)) = connection.prepare_cached(picture)?.query_row(params![digest], row).optional()? {
            let path = evidence::path(&folder.join("evidence"), &digest);
            return Ok(Some(Kept { path, length: length as u64, kind: "image/jpeg", of: sought.then(|| format!("passage {passage}")), stored_ms }));
        }
        let picture = "SELECT length, id, received_ms FROM edge_read WHERE digest = ?1 LIMIT 1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get(2)?));
        if let Some((length, read, stored_ms)) = connection.prepare_cached(picture)?.query_row(params![digest], row).optional()? {
            let path = evidence::path(&folder.join("evidence"), &digest);
            return Ok(Some(Kept { path, length: length as u64, kind: "image/jpeg", of: Some(format!("edge read {read}")), stored_ms }));
        }
        let scan = "SELECT file, length, received_ms FROM scan WHERE digest = ?1 AND file IS NOT NULL LIMIT 1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get(2)?));
        let scan = connection.prepare_cached(scan)?.query_row(params![digest], row).optional()?;
        Ok(scan.map(|(file, length, stored_ms)| Kept { path: folder.join("scans").join(file), length: length as u64, kind: "image/tiff", of: None, stored_ms }))
    })
    .await
}

/// What could not be read of a file that a row names.
pub(super) fn unreadable(digest: &Sha, error: &std::io::Error) -> Error {
    Error::io(error).in_(format!("evidence {}", hex(digest)))
}
