//! Who may post: the site's devices, by their keys; where the site names none, whoever connects from this machine.
//!
//! A device that connects with a client certificate (`client_ca` of [tls], `certificate_sha256` of its [[device]]) needs no key. A key that is sent counts before it.
//!
//! A key comes as `Authorization: Bearer KEY`, as `X-Api-Key: KEY`, or as `Authorization: Token KEY`, which Plate Recognizer's clients send. The site file holds
//! its SHA-256 alone. All devices are compared, each to its last byte, so that how long a refusal takes says nothing about any key.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use super::unknown;
use crate::custody::evidence::{Sha, sha256};
use crate::service::Service;
use crate::service::problem::Problem;
use crate::site::{Device, Site};

/// Who sends a request.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) enum Sender<'site> {
    /// Somebody on this machine, at a site without devices.
    Local,
    /// One of the site's devices.
    Device(&'site Device),
}

/// SHA-256 of the client certificate of a request's connection, which hangs on the site's `client_ca`.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct ClientCertificate(pub(in crate::service) Sha);

/// What a request says of its sender; extracted before its body is read.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct Credentials {
    pub(super) key: Option<Sha>,
    /// Of the connection's client certificate, where it is a device's.
    pub(super) certificate: Option<Sha>,
    /// From this machine.
    pub(super) local: bool,
    /// From where.
    pub(super) address: IpAddr,
}

impl FromRequestParts<Service> for Credentials {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Credentials, Self::Rejection> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip().to_canonical());
        // A person's browser may have one as well: that is not what people are known by.
        let certificate = parts.extensions.get::<ClientCertificate>().map(|certificate| certificate.0);
        let certificate = certificate.filter(|known| service.site.devices.iter().any(|device| device.certificate_sha256.as_ref() == Some(known)));
        Ok(Credentials { key: key_of(&parts.headers).map(sha256), certificate, local: address.is_loopback(), address })
    }
}

impl Credentials {
    /// Whether it says that it is a device.
    pub(super) fn is_device(self) -> bool {
        self.key.is_some() || self.certificate.is_some()
    }

    /// The sender, if it may post at all.
    ///
    /// # Errors
    /// 401 for one that the site does not know.
    pub(in crate::service) fn sender(self, site: &Site) -> Result<Sender<'_>, Problem> {
        if site.devices.is_empty() {
            return match self.local {
                true => Ok(Sender::Local),
                false => Err(unknown("this site names no [[device]], so that only this machine may post")),
            };
        }
        if let (None, Some(certificate)) = (self.key, self.certificate) {
            let known = site.devices.iter().find(|device| device.certificate_sha256 == Some(certificate));
            return known.map(Sender::Device).ok_or_else(|| unknown("no [[device]] of this site has this certificate"));
        }
        let key = self.key.ok_or_else(|| unknown("no key: send `Authorization: Bearer KEY`, `Authorization: Token KEY` or `X-Api-Key: KEY`"))?;
        // Not `find`, which stops at the first.
        let known = site.devices.iter().fold(None, |known, device| if device.key_sha256.is_some_and(|its| same(&its, &key)) { Some(device) } else { known });
        known.map(Sender::Device).ok_or_else(|| unknown("no [[device]] of this site has this key"))
    }
}

impl Sender<'_> {
    /// That it may post to the lane with this index.
    ///
    /// # Errors
    /// 403 where the site file does not let it.
    pub(in crate::service) fn may_use_lane(self, lane: usize) -> Result<(), Problem> {
        match self {
            Sender::Device(device) if !device.lanes.contains(&lane) => {
                Err(Problem::new(StatusCode::FORBIDDEN, "Not yours", format!("device {} may not post to this lane (`lanes` of its [[device]])", device.id)))
            }
            _ => Ok(()),
        }
    }

    /// That it may post to the portal with this index.
    ///
    /// # Errors
    /// 403 where the site file does not let it.
    pub(super) fn may_use_portal(self, portal: usize) -> Result<(), Problem> {
        match self {
            Sender::Device(device) if !device.portals.contains(&portal) => {
                Err(Problem::new(StatusCode::FORBIDDEN, "Not yours", format!("device {} may not post to this portal (`portals` of its [[device]])", device.id)))
            }
            _ => Ok(()),
        }
    }
}

/// The key that a request carries.
fn key_of(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes().trim_ascii());
    }
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token")).then(|| key.trim().as_bytes())
}

/// Whether two digests are the same, in a time that does not depend on where they differ.
fn same(a: &Sha, b: &Sha) -> bool {
    a.iter().zip(b).fold(0, |differs, (a, b)| std::hint::black_box(differs | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(devices: &str) -> Site {
        let text = format!("[[lane]]\nid = \"a\"\n[[lane]]\nid = \"b\"\n{devices}");
        Site::parse(&text, std::path::Path::new("."), []).unwrap_or_else(|mistakes| panic!("{mistakes:?}")).site
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::HeaderName::from_static(name), value.parse().expect("a header"))])
    }

    fn credentials(key: Option<Sha>, local: bool) -> Credentials {
        Credentials { key, certificate: None, local, address: Ipv4Addr::LOCALHOST.into() }
    }

    fn device(id: &str, key: &str, more: &str) -> String {
        format!("[[device]]\nid = \"{id}\"\nkey_sha256 = \"{}\"\n{more}\n", crate::custody::evidence::hex(&sha256(key.as_bytes())))
    }

    #[test]
    fn a_key_is_found_wherever_senders_put_it() {
        for (name, value) in [("authorization", "Bearer k1"), ("authorization", "bearer  k1 "), ("authorization", "Token k1"), ("x-api-key", " k1")] {
            assert_eq!(key_of(&headers(name, value)), Some(&b"k1"[..]), "{name}: {value}");
        }
        for value in ["Basic k1", "Bearer", "k1", "Digest Bearer k1"] {
            assert_eq!(key_of(&headers("authorization", value)), None, "{value}");
        }
    }

    #[test]
    fn only_known_keys_post_and_only_where_they_may() {
        let site = site(&(device("one", "k1", "") + &device("two", "k2", "lanes = [\"b\"]")));
        let sender = |key: &str, local| credentials(Some(sha256(key.as_bytes())), local).sender(&site);
        assert!(sender("k1", false).is_ok_and(|sender| sender.may_use_lane(0).is_ok() && sender.may_use_lane(1).is_ok()));
        let two = sender("k2", false).expect("known");
        assert_eq!((two.may_use_lane(0).expect_err("not its lane").status, two.may_use_lane(1).is_ok()), (StatusCode::FORBIDDEN, true));
        // A site with devices trusts nobody for coming from this machine.
        for stranger in [sender("k3", true), sender("", true), credentials(None, true).sender(&site)] {
            assert_eq!(stranger.expect_err("unknown").status, StatusCode::UNAUTHORIZED);
        }
    }

    #[test]
    fn without_devices_only_this_machine_posts() {
        let site = site("");
        assert!(credentials(None, true).sender(&site).is_ok());
        for key in [None, Some(sha256(b""))] {
            assert_eq!(credentials(key, false).sender(&site).expect_err("from elsewhere").status, StatusCode::UNAUTHORIZED);
        }
    }

    #[test]
    fn digests_that_differ_anywhere_are_not_the_same() {
        let digest = sha256(b"k");
        assert!(same(&digest, &digest.clone()));
        for byte in 0..32 {
            let mut other = digest;
            other[byte] ^= 0x80;
            assert!(!same(&digest, &other), "byte {byte}");
        }
    }
}
