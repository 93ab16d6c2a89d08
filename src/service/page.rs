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

/// A file as it is sent.
struct Sent {
    text: String,
    gzipped: Vec<u8>,
    digest: String,
}

/// All of the page's files as they are sent, by name.
static SENT: LazyLock<HashMap<&str, Sent>> = LazyLock::new(|| {
    let sent = |file: &File| {
        let text = file.light();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        // Into memory, which takes everything.
        let _ = gzip.write_all(text.as_bytes());
        let digest = hex(&sha256(text.as_bytes()));
        (file.name, Sent { gzipped: gzip.finish().unwrap_or_default(), digest, text })
    };
    web::FILES.iter().map(sent).collect()
});

/// The page itself.
pub(super) async fn index(headers: HeaderMap) -> Result<Response, Problem> {
    file(Path("index.html".to_owned()), headers).await
}

/// One of its files; 304 where the browser has it.
pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let Some((File { kind, .. }, sent)) = web::file(&name).zip(SENT.get(name.as_str())) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "Not found", "the page has no such file"));
    };
    let takes_gzip = headers.get(header::ACCEPT_ENCODING).and_then(|takes| takes.to_str().ok()).is_some_and(|takes| takes.contains("gzip"));
    let tag = format!("\"{}{}\"", &sent.digest[..16], if takes_gzip { "z" } else { "" });
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
    Ok(match takes_gzip {
        _ if same => (StatusCode::NOT_MODIFIED, told).into_response(),
        true => ([(header::CONTENT_ENCODING, "gzip")], told, sent.gzipped.as_slice()).into_response(),
        false => (told, sent.text.as_str()).into_response(),
    })
}
