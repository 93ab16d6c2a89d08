//! Who asks, and whether they may: every request goes through [`guard`], which makes it a [`Person`]'s and looks into the one table of rights ([`RIGHTS`]).
//!
//! Devices come with a key; where the site names none, whoever connects from this machine may post.
//!
//! A key comes as `Authorization: Bearer KEY`, as `X-Api-Key: KEY`, or as `Authorization: Token KEY`, which Plate Recognizer's clients send. The site file holds
//! its SHA-256 alone. All devices are compared, each to its last byte, so that how long a refusal takes says nothing about any key.

mod rights;

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Service;
use super::door::Refused;
use super::problem::Problem;
use crate::custody::evidence::{Sha, sha256};
use crate::site::{Device, Site};

pub use rights::{RIGHTS, Right, Who, who};

/// Somebody or something that asks. A handler that takes one as an argument is told who; the guard has seen that they may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Names them in records: `local` for whoever is on this machine of a site without logins.
    pub id: String,
    /// As pages write it.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// What somebody may do: the columns of [`RIGHTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks at lanes, portals and passages; plates without a hit are obscured unless the site file says otherwise.
    Viewer,
    /// Looks at hits and findings, and decides.
    Operator,
    /// Decides again, and second; sees what is old; places holds.
    Supervisor,
    /// Changes lists.
    ListManager,
    /// Reads everything, the audit trail too, and changes nothing.
    Auditor,
    /// Makes and changes people; may do what all people may.
    Admin,
    /// A camera, portal or program.
    Device,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 7] = [Role::Viewer, Role::Operator, Role::Supervisor, Role::ListManager, Role::Auditor, Role::Admin, Role::Device];

    /// As records and answers write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Supervisor => "supervisor",
            Role::ListManager => "list-manager",
            Role::Auditor => "auditor",
            Role::Admin => "admin",
            Role::Device => "device",
        }
    }
}

impl FromRequestParts<Service> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Person, Problem> {
        parts.extensions.get::<Person>().cloned().ok_or_else(|| unknown("nobody has logged in"))
    }
}

/// Who sends a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sender<'site> {
    /// Somebody on this machine, at a site without devices.
    Local,
    /// One of the site's devices.
    Device(&'site Device),
}

/// What a request says of its sender; extracted before its body is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Credentials {
    key: Option<Sha>,
    local: bool,
}

impl FromRequestParts<Service> for Credentials {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Credentials, Self::Rejection> {
        let local = parts.extensions.get::<ConnectInfo<SocketAddr>>().is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
        Ok(Credentials { key: key_of(&parts.headers).map(sha256), local })
    }
}

impl Credentials {
    /// The sender, if it may post at all.
    ///
    /// # Errors
    /// 401 for one that the site does not know.
    pub(super) fn sender(self, site: &Site) -> Result<Sender<'_>, Problem> {
        if site.devices.is_empty() {
            return match self.local {
                true => Ok(Sender::Local),
                false => Err(unknown("this site names no [[device]], so that only this machine may post")),
            };
        }
        let key = self.key.ok_or_else(|| unknown("no key: send `Authorization: Bearer KEY`, `Authorization: Token KEY` or `X-Api-Key: KEY`"))?;
        // Not `find`, which stops at the first.
        let known = site.devices.iter().fold(None, |known, device| if same(&device.key_sha256, &key) { Some(device) } else { known });
        known.map(Sender::Device).ok_or_else(|| unknown("no [[device]] of this site has this key"))
    }
}

impl Sender<'_> {
    /// That it may post to the lane with this index.
    ///
    /// # Errors
    /// 403 where the site file does not let it.
    pub(super) fn may_use_lane(self, lane: usize) -> Result<(), Problem> {
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

/// Lets a request in whose sender may, and tells its handler who that is ([`Person`]).
pub(super) async fn guard(State(service): State<Service>, credentials: Credentials, route: Option<MatchedPath>, mut request: Request, next: Next) -> Response {
    // Nothing is at this address: the router says so.
    let Some(route) = route else { return next.run(request).await };
    let person = person(&service, credentials);
    match may(&service, credentials, &person, &request, route.as_str()) {
        Ok(()) => {
            if let Ok(person) = person {
                request.extensions_mut().insert(person);
            }
            next.run(request).await
        }
        Err(problem) => {
            count_refused(&service, route.as_str(), request.uri().path());
            let mut response = problem.into_response();
            if response.status() == StatusCode::METHOD_NOT_ALLOWED
                && let Ok(methods) = rights::methods(route.as_str()).join(", ").parse()
            {
                response.headers_mut().insert(header::ALLOW, methods);
            }
            response
        }
    }
}

/// That the table of rights lets `person` ask this.
fn may(service: &Service, credentials: Credentials, person: &Result<Person, Problem>, request: &Request, route: &str) -> Result<(), Problem> {
    let roles = match who(request.method().as_str(), route) {
        Some(Who::Anybody) => return Ok(()),
        Some(Who::Only(roles)) => roles,
        None if rights::methods(route).is_empty() => return Err(Problem::new(StatusCode::FORBIDDEN, "Nobody's", "nobody may do this")),
        None => return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Wrong method", "this address takes other methods: see `Allow`")),
    };
    if roles == [Role::Device] {
        credentials.sender(&service.site)?;
    } else {
        let person = person.as_ref().map_err(Clone::clone)?;
        if !roles.contains(&person.role) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "Not your role's", format!("role {} may not do this", person.role.name())));
        }
    }
    let portal = request.uri().path().strip_prefix("/v1/portals/").and_then(|rest| rest.split('/').next());
    match (portal, person) {
        (Some(id), Ok(Person { role: Role::Device, .. })) => credentials.sender(&service.site)?.may_use_portal(service.portal(id)?),
        _ => Ok(()),
    }
}

/// Whose request it is.
fn person(service: &Service, credentials: Credentials) -> Result<Person, Problem> {
    if credentials.key.is_some() || !credentials.local {
        return match credentials.sender(&service.site)? {
            Sender::Device(device) => Ok(Person { id: device.id.clone(), name: device.id.clone(), role: Role::Device }),
            Sender::Local => Ok(local()),
        };
    }
    Ok(local())
}

fn local() -> Person {
    Person { id: "local".to_owned(), name: "this machine".to_owned(), role: Role::Admin }
}

/// A frame that was refused here counts in its lane, so that what was sent adds up.
fn count_refused(service: &Service, route: &str, path: &str) {
    if matches!(route, "/v1/lanes/{id}/frames" | "/v1/lanes/{id}/edge-reads")
        && let Some(Ok(lane)) = path.split('/').nth(3).map(|id| service.lane(id))
    {
        service.door.refused(lane, Refused::Rejected);
    }
}

fn unknown(detail: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "Unknown sender", detail)
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
        let sender = |key: &str, local| Credentials { key: Some(sha256(key.as_bytes())), local }.sender(&site);
        assert!(sender("k1", false).is_ok_and(|sender| sender.may_use_lane(0).is_ok() && sender.may_use_lane(1).is_ok()));
        let two = sender("k2", false).expect("known");
        assert_eq!((two.may_use_lane(0).expect_err("not its lane").status, two.may_use_lane(1).is_ok()), (StatusCode::FORBIDDEN, true));
        // A site with devices trusts nobody for coming from this machine.
        for stranger in [sender("k3", true), sender("", true), Credentials { key: None, local: true }.sender(&site)] {
            assert_eq!(stranger.expect_err("unknown").status, StatusCode::UNAUTHORIZED);
        }
    }

    #[test]
    fn without_devices_only_this_machine_posts() {
        let site = site("");
        assert!(Credentials { key: None, local: true }.sender(&site).is_ok());
        for key in [None, Some(sha256(b""))] {
            assert_eq!(Credentials { key, local: false }.sender(&site).expect_err("from elsewhere").status, StatusCode::UNAUTHORIZED);
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
