//! Who asks, and whether they may: every request goes through [`guard`], which makes it a [`Person`]'s and looks into the one table of rights ([`RIGHTS`]).
//!
//! | file | is |
//! |---|---|
//! | this one | the guard |
//! | [`rights`] | the table: method, route, roles; what has no row nobody may |
//! | `device` | devices, by their keys |
//! | `origin` | whether a browser's request is our own page's |
//! | `rates` | how often somebody may ask |
//!
//! A request is a device's (by its key), a person's (by the cookie of a session), this machine's (where the site file says that nobody logs in: its
//! administrator), or nobody's. What is refused is refused before its body is read.

mod device;
mod origin;
mod rates;
pub mod rights;

use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use self::device::Sender;
use self::origin::From;
use super::door::now_ms;
use super::problem::Problem;
use super::uploads::blocking;
use super::{Service, frames};
use crate::custody::evidence::{Sha, sha256};
use crate::custody::record::Record;
use crate::people::session::{self, Session};
use crate::site::Site;

pub(super) use self::device::{ClientCertificate, Credentials};
pub(super) use self::rates::Rates;
pub use self::rights::{RIGHTS, Right, Who, who};
pub use crate::people::Role;

/// Requests a second from one address of nobody known that change something: logins, mostly.
const STRANGERS_PER_S: f64 = 5.0;

/// Sent by a page that asks by itself: nobody has done anything, and the idle lock comes nearer.
const IDLE: &str = "garita-idle";

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

impl Person {
    /// Whether plates of passages without a hit are obscured for them.
    #[must_use]
    pub fn is_told_less(&self, site: &Site) -> bool {
        site.masking.obscured.contains(&self.role)
    }

    /// What was stored before this, milliseconds since the Unix epoch, they may not see.
    #[must_use]
    pub fn sees_since_ms(&self, site: &Site, now_ms: i64) -> i64 {
        match (self.role, site.retention.supervisor_after_days) {
            (Role::Supervisor | Role::Auditor | Role::Admin, _) | (_, 0) => i64::MIN,
            (_, days) => now_ms - i64::from(days) * 86_400_000,
        }
    }
}

/// What somebody is told who asks for what is older than they may see.
pub(super) fn too_old(site: &Site) -> Problem {
    let detail =
        format!("what is older than {} days needs a supervisor (retention.supervisor_after_days of the site file)", site.retention.supervisor_after_days);
    Problem::new(StatusCode::FORBIDDEN, "Old", detail)
}

impl FromRequestParts<Service> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Person, Problem> {
        parts.extensions.get::<Person>().cloned().ok_or_else(|| unknown("nobody has logged in"))
    }
}

/// The session whose cookie a request carries, locked or not.
#[derive(Debug, Clone)]
pub(super) struct Carried {
    pub(super) digest: Sha,
    pub(super) session: Session,
    /// Its person has done nothing for too long.
    pub(super) locked: bool,
}

/// Lets a request in whose sender may, and tells its handler who that is ([`Person`]).
pub(super) async fn guard(State(service): State<Service>, credentials: Credentials, route: Option<MatchedPath>, mut request: Request, next: Next) -> Response {
    // Nothing is at this address: the router says so.
    let Some(route) = route else { return next.run(request).await };
    let carried = match credentials.is_device() {
        true => None,
        // A screen's stream comes back by itself: nobody has done anything.
        false => carried(&service, request.headers(), route.as_str() == "/v1/events").await,
    };
    let person = person(&service, credentials, carried.as_ref(), request.headers());
    match may(&service, credentials, &person, carried.as_ref(), &request, route.as_str()) {
        Ok(()) => {
            request.extensions_mut().insert(carried);
            if let Ok(person) = person {
                request.extensions_mut().insert(person);
            }
            next.run(request).await
        }
        Err(problem) => refused(&service, problem, &request, route.as_str()),
    }
}

/// That the table of rights lets `person` ask this, now, from there.
fn may(
    service: &Service,
    credentials: Credentials,
    person: &Result<Person, Problem>,
    carried: Option<&Carried>,
    request: &Request,
    route: &str,
) -> Result<(), Problem> {
    let who = match who(request.method().as_str(), route) {
        Some(who) => who,
        None if rights::methods(route).is_empty() => return Err(Problem::new(StatusCode::FORBIDDEN, "Nobody's", "nobody may do this")),
        None => return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Wrong method", "this address takes other methods: see `Allow`")),
    };
    let changes = !origin::is_safe(request.method());
    if changes && !credentials.is_device() {
        match origin::from(request.headers()) {
            From::Us => {}
            From::Unsaid if carried.is_none() => {}
            From::Unsaid | From::Others => {
                let detail = "a change with a cookie comes from our own page: Sec-Fetch-Site or Origin must say so";
                return Err(Problem::new(StatusCode::FORBIDDEN, "From another site", detail));
            }
        }
    }
    let roles = match who {
        Who::Only(roles) => roles,
        Who::Anybody if !changes => return Ok(()),
        Who::Anybody => return allowed(service.rates.take(&format!("address {}", credentials.address), STRANGERS_PER_S, Instant::now())),
    };
    if roles == [Role::Device] {
        if let Sender::Device(device) = credentials.sender(&service.site)? {
            rate(service, Role::Device, &device.id)?;
        }
    } else {
        let person = person.as_ref().map_err(Clone::clone)?;
        if !roles.contains(&person.role) {
            tracing::warn!(who = person.id, role = person.role.name(), route, "refused");
            return Err(Problem::new(StatusCode::FORBIDDEN, "Not your role's", format!("role {} may not do this", person.role.name())));
        }
        if carried.is_some_and(|carried| carried.session.must_change) && route != "/v1/session/password" {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "New password first",
                "the password was good once: set one of your own (POST /v1/session/password)",
            ));
        }
        if person.id != LOCAL {
            rate(service, person.role, &person.id)?;
        }
    }
    let portal = request.uri().path().strip_prefix("/v1/portals/").and_then(|rest| rest.split('/').next());
    match (portal, person) {
        (Some(id), Ok(Person { role: Role::Device, .. })) => credentials.sender(&service.site)?.may_use_portal(service.portal(id)?),
        _ => Ok(()),
    }
}

fn rate(service: &Service, role: Role, id: &str) -> Result<(), Problem> {
    let limits = &service.site.limits;
    let (kind, per_s) = if role == Role::Device { ("device", limits.device_per_s) } else { ("person", limits.person_per_s) };
    allowed(service.rates.take(&format!("{kind} {id}"), per_s.into(), Instant::now()))
}

fn allowed(taken: Result<(), std::time::Duration>) -> Result<(), Problem> {
    taken.map_err(|wait| {
        let detail = "more requests than one sender may have (limits.device_per_s, limits.person_per_s of the site file)";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too often", detail).retry(wait.as_secs_f64().ceil().clamp(1.0, 60.0) as u32)
    })
}

/// Names whoever is on this machine of a site where nobody logs in.
pub(super) const LOCAL: &str = "local";

/// Whose request it is.
fn person(service: &Service, credentials: Credentials, carried: Option<&Carried>, headers: &HeaderMap) -> Result<Person, Problem> {
    let site = &service.site;
    if credentials.is_device() && !site.devices.is_empty() {
        return match credentials.sender(site)? {
            Sender::Device(device) => Ok(Person { id: device.id.clone(), name: device.id.clone(), role: Role::Device }),
            Sender::Local => Err(unknown("no [[device]] of this site has this key")),
        };
    }
    if let Some(Carried { session, locked, .. }) = carried {
        return match locked {
            true => {
                Err(Problem::new(StatusCode::UNAUTHORIZED, "Locked", "nothing was done for a while: the password opens it again (POST /v1/session/unlock)"))
            }
            false => Ok(Person { id: session.person.clone(), name: session.name.clone(), role: session.role }),
        };
    }
    if !site.login.required && credentials.local {
        return match origin::is_local_host(headers) {
            true => Ok(Person { id: LOCAL.to_owned(), name: "this machine".to_owned(), role: Role::Admin }),
            false => {
                Err(Problem::new(StatusCode::FORBIDDEN, "Not from there", "this machine is spoken to by its loopback address, or by a name without a dot"))
            }
        };
    }
    Err(unknown(match site.login.required {
        true => "nobody has logged in: POST /v1/session",
        false => "nobody logs in here ([login] of the site file), so that only this machine may ask",
    }))
}

/// The session that the request's cookie names, unless it has had its time; that its person does something is noted.
async fn carried(service: &Service, headers: &HeaderMap, by_itself: bool) -> Option<Carried> {
    let digest = sha256(cookie(headers, cookie_name(&service.site))?.as_bytes());
    let idle = by_itself || headers.contains_key(IDLE);
    let service = service.clone();
    blocking(move || {
        let found = service.custody.ask(|connection| session::find(connection, &digest));
        let session = found.inspect_err(|error| tracing::error!(%error, "a session could not be looked up")).ok()??;
        let (now_ms, login) = (now_ms(), service.site.login);
        if now_ms >= session.made_ms + 3_600_000 * i64::from(login.hours) {
            return None;
        }
        let locked = now_ms >= session.seen_ms + 60_000 * i64::from(login.idle_minutes);
        if !locked && !idle && now_ms >= session.seen_ms + session::NOTE_EVERY_MS {
            let note = move |transaction: &rusqlite::Transaction<'_>| session::note(transaction, &digest, now_ms).map(|()| 0);
            service.custody.put(Record::Change(Box::new(note), Box::new(|_| {})));
        }
        Some(Carried { digest, session, locked })
    })
    .await
}

/// The name of the session's cookie; over TLS one that a browser takes for this host alone.
pub(super) fn cookie_name(site: &Site) -> &'static str {
    if site.tls.is_some() { "__Host-garita" } else { "garita" }
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// What a refused sender is told: a person's browser where to log in, others why not.
fn refused(service: &Service, problem: Problem, request: &Request, route: &str) -> Response {
    // A frame that is refused here counts, too, so that what was sent adds up.
    frames::turned_away(service, request.method(), route, request.uri().path(), frames::refused(&problem));
    let wants_page = request.headers().get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"));
    let logs_in = problem.status == StatusCode::UNAUTHORIZED || problem.title == "New password first";
    if wants_page && logs_in && service.site.login.required {
        return Redirect::to("/login").into_response();
    }
    let status = problem.status;
    let mut response = problem.into_response();
    if status == StatusCode::METHOD_NOT_ALLOWED
        && let Ok(methods) = HeaderValue::from_str(&rights::methods(route).join(", "))
    {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

fn unknown(detail: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "Unknown sender", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; garitax=2;garita=x=y"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=3"));
        assert_eq!(cookie(&headers, "garita"), Some("x=y"));
        assert_eq!((cookie(&headers, "b"), cookie(&headers, "c")), (Some("3"), None));
    }

    /// Routes and their methods, as the router's source has them.
    fn routes() -> Vec<(String, Vec<&'static str>)> {
        let source = include_str!("../mod.rs");
        let routes = source.split(".route(\"").skip(1).map(|rest| {
            let (route, rest) = rest.split_once('"').expect("a text ends");
            // To the parenthesis that closes the call.
            let mut open = 1;
            let end = rest.find(|character| {
                open += i32::from(character == '(') - i32::from(character == ')');
                open == 0
            });
            let handlers = &rest[..end.expect("a call ends")];
            let has = |method: &str| {
                handlers.split(|character: char| !character.is_ascii_alphanumeric() && character != '(').any(|word| word.starts_with(&format!("{method}(")))
            };
            let methods = ["get", "head", "post", "put", "patch", "delete"].into_iter().filter(|method| has(method)).collect();
            (route.to_owned(), methods)
        });
        routes.collect()
    }

    #[test]
    fn every_route_has_its_rows_and_every_row_its_route() {
        let routes = routes();
        assert!(routes.len() > 20, "{routes:?}");
        for (route, methods) in &routes {
            assert!(!methods.is_empty(), "{route}");
            for method in methods {
                assert!(RIGHTS.iter().any(|right| right.0.eq_ignore_ascii_case(method) && right.1 == route), "{method} {route} has no row: nobody may");
            }
        }
        for (method, route, _) in RIGHTS {
            assert!(routes.iter().any(|(known, methods)| known == route && methods.contains(&method.to_lowercase().as_str())), "{method} {route} is no route");
        }
    }

    #[test]
    fn every_row_is_there_once_and_nobody_is_both() {
        for (index, (method, route, who)) in RIGHTS.iter().enumerate() {
            assert!(!RIGHTS[..index].iter().any(|right| right.0 == *method && right.1 == *route), "{method} {route} is there twice");
            if let Who::Only(roles) = who {
                assert!(!roles.is_empty(), "{method} {route}");
            }
        }
        assert_eq!(who("GET", "/v1/nothing"), None);
        assert_eq!(who("HEAD", "/healthz"), Some(Who::Anybody));
    }
}
