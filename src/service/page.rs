//! The operators' page: its files, under a policy that lets nothing in from elsewhere and no text become markup.

use std::collections::HashMap;
use std::io::Write;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::custody::evidence::{hex, sha256};
use crate::review::web::{self, File};

/// `trusted-types 'none'`: no script of the page may hand a text to the browser as HTML, should one ever try.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// All of the page's files, gzipped, by name.
static GZIPPED: LazyLock<HashMap<&str, Vec<u8>>> = LazyLock::new(|| {
    let gzipped = |file: &File| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        // Into memory, which takes everything.
        let _ = gzip.write_all(file.text.as_bytes());
        (file.name, gzip.finish().unwrap_or_default())
    };
    web::FILES.iter().map(gzipped).collect()
});

/// The page itself.
pub(super) async fn index(headers: HeaderMap) -> Result<Response, Problem> {
    file(Path("index.html".to_owned()), headers).await
}

/// One of its files; 304 where the browser has it.
pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(File { kind, text, .. }) = web::file(&name) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "Not found", "the page has no such file"));
    };
    let takes_gzip = headers.get(header::ACCEPT_ENCODING).and_then(|takes| takes.to_str().ok()).is_some_and(|takes| takes.contains("gzip"));
    let tag = format!("\"{}{}\"", &hex(&sha256(text.as_bytes()))[..16], if takes_gzip { "z" } else { "" });
    let same = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let told = [
        (header::CONTENT_TYPE, (*kind).to_owned()),
        (header::ETAG, tag),
        (header::VARY, "accept-encoding".to_owned()),
        // Asked for again each time, and not sent again: a new garita is a new page at once.
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    Ok(match GZIPPED.get(name.as_str()).filter(|_| takes_gzip) {
        _ if same => (StatusCode::NOT_MODIFIED, told).into_response(),
        Some(gzipped) => ([(header::CONTENT_ENCODING, "gzip")], told, gzipped.as_slice()).into_response(),
        None => (told, *text).into_response(),
    })
}
