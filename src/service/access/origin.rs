//! Whether a request comes from where it seems to: that another site's page has not sent it with our person's cookie, or with their machine's address.
//!
//! A browser says on every request that changes something where the page is from (`Sec-Fetch-Site`, `Origin`), and no page can change that. So a change with a
//! cookie must come with one of the two, and it must be our own; programs without a browser send `Origin` or use a device's key. The cookie is
//! `SameSite=Strict` besides. Where nobody logs in, what a browser says is believed if it says something, and names that somebody else could have
//! pointed at this machine (DNS rebinding) are refused: `Host` must be a loopback address or a name without a dot.

use axum::http::{HeaderMap, HeaderValue, Method, header};

/// Whether the request changes nothing.
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Where the page that sends this is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// Our own, or the person typed the address.
    Us,
    /// Somebody else's.
    Others,
    /// It does not say: no browser, or an old one.
    Unsaid,
}

/// What the browser says.
pub(super) fn from(headers: &HeaderMap) -> From {
    if let Some(site) = headers.get("sec-fetch-site") {
        return if matches!(site.as_bytes(), b"same-origin" | b"none") { From::Us } else { From::Others };
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return From::Unsaid };
    let ours = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if ours.is_some() && ours == host { From::Us } else { From::Others }
}

/// Whether `Host` is a name that only this machine's people can have meant.
pub(super) fn is_local_host(headers: &HeaderMap) -> bool {
    let is_local = |host: &HeaderValue| {
        let Ok(host) = host.to_str() else { return false };
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        name.parse::<std::net::IpAddr>().map_or(!name.contains('.'), |address| address.to_canonical().is_loopback())
    };
    headers.get_all(header::HOST).iter().all(is_local)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_page_of_somebody_else_is_told_from_ours() {
        for (fields, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], From::Us),
            (&[("sec-fetch-site", "none")], From::Us),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://g"), ("host", "g")], From::Others),
            (&[("sec-fetch-site", "cross-site")], From::Others),
            (&[("origin", "https://g:8750"), ("host", "g:8750")], From::Us),
            (&[("origin", "https://g"), ("host", "g:8750")], From::Others),
            (&[("origin", "null"), ("host", "null")], From::Others),
            (&[("origin", "https://evil.example"), ("host", "g")], From::Others),
            (&[("host", "g")], From::Unsaid),
        ] {
            assert_eq!(from(&headers(fields)), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_name_that_others_can_point_here_is_none_of_ours() {
        for (host, ours) in [
            ("127.0.0.1:8750", true),
            ("localhost", true),
            ("[::1]:8750", true),
            ("garita", true),
            ("evil.example:8750", false),
            ("192.0.2.1", false),
            ("[2001:db8::1]", false),
        ] {
            assert_eq!(is_local_host(&headers(&[("host", host)])), ours, "{host}");
        }
    }
}
