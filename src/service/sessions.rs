//! Logging in and out, the idle lock, a person's own password, second factor and settings.
//!
//! | request | does |
//! |---|---|
//! | `POST /v1/session` `{id, password, code?}` | logs in: a cookie that scripts cannot read and that no other site's page sends |
//! | `GET /v1/session` | who asks, whether locked, the page's settings; answers also whoever has not logged in |
//! | `POST /v1/session/unlock` `{password, code?}` | opens a session that has locked |
//! | `DELETE /v1/session` | logs out |
//! | `POST /v1/session/password` `{password, new}` | sets a password; ends the person's other sessions |
//! | `POST`, `PUT`, `DELETE /v1/session/second-factor` | proposes a secret; takes it `{password, secret, code}`; does without `{password}` |
//! | `PUT /v1/session/settings` | keeps an object of the page's own, at most 4 KB |
//! | `GET /login`, `/login.js` | a page that does the first four |

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, extract::ConnectInfo};
use rusqlite::{OptionalExtension, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::Service;
use super::access::{Carried, LOCAL, Person, Role, cookie_name};
use super::asked::Body;
use super::door::now_ms;
use super::problem::{Problem, ProblemBody};
use super::uploads::blocking;
use crate::audit::{self, Act, Action};
use crate::custody::evidence::{hex, sha256};
use crate::people::login::{self, Begun, Secrets};
use crate::people::{password, session, totp};

/// Passwords that are looked at at once: each takes 19 MiB and a core for some 20 ms.
pub(super) const HASHES_AT_ONCE: usize = 2;
/// Bytes of a person's settings.
const MOST_SETTINGS: usize = 4096;
/// The file with the first administrator's password, in the data folder.
pub(super) const FIRST_PASSWORD: &str = "first-password";

/// Somebody, as answers tell them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Somebody {
    id: String,
    /// As pages write it.
    name: String,
    /// What they may do.
    role: Role,
}

impl From<Person> for Somebody {
    fn from(person: Person) -> Somebody {
        Somebody { id: person.id, name: person.name, role: person.role }
    }
}

/// Somebody who has logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LoggedIn {
    person: Somebody,
    /// The password was good once: set another before anything else.
    must_change: bool,
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionTold {
    /// None where nobody has logged in.
    person: Option<Somebody>,
    /// Nothing was done for a while: the password opens it again.
    locked: bool,
    /// The password was good once.
    must_change: bool,
    /// What the page keeps for this person.
    #[schema(value_type = Object)]
    settings: Value,
    /// Whether somebody has to log in here.
    login: bool,
    /// Minutes until a session locks.
    idle_minutes: u32,
}

/// A secret for a second factor.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FactorProposed {
    /// Base32.
    secret: String,
    /// As an `otpauth:` address.
    link: String,
}

/// What somebody proves who they are by.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Proof {
    #[serde(default)]
    id: String,
    password: String,
    code: Option<String>,
}

type Peer = ConnectInfo<std::net::SocketAddr>;

/// Logs in.
#[utoipa::path(post, path = "/v1/session", tag = "people", request_body = Proof, responses((status = 200, description = "Logged in: the session is in the cookie", body = LoggedIn),
    (status = 401, description = "Not proven", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "Nobody logs in here", body = ProblemBody, content_type = "application/problem+json"),
    (status = 429, description = "Locked for a while", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn log_in(
    State(service): State<Service>,
    peer: Peer,
    Extension(carried): Extension<Option<Carried>>,
    Body(proof): Body<Proof>,
) -> Result<Response, Problem> {
    if !service.site.login.required {
        return Err(Problem::new(StatusCode::CONFLICT, "Nobody logs in", "this site asks nobody who they are ([login] of the site file)"));
    }
    let proven = prove(&service, &proof, &peer).await?;
    let secret = hex(&rand::random::<[u8; 32]>());
    let (digest, id, old) = (sha256(secret.as_bytes()), proof.id.clone(), carried.map(|carried| carried.digest));
    let (once, from) = (proven.secrets.once, peer.0.ip().to_canonical().to_string());
    let begun = move |transaction: &Transaction<'_>| {
        if !login::succeed(transaction, &id, &proven.secrets, proven.step)? {
            return Ok(false);
        }
        if let Some(old) = old {
            session::end(transaction, &old)?;
        }
        session::begin(transaction, &digest, &id, once, now_ms())?;
        let act = Act { who: id.clone(), action: Action::Login, subject: format!("person {id}"), details: json!({ "from": from }), now_ms: now_ms() };
        audit::append(transaction, &act).map(|_| true)
    };
    if !service.change(begun).await? {
        return Err(wrong());
    }
    let told = LoggedIn { person: Somebody { id: proof.id, name: proven.name, role: proven.role }, must_change: once };
    let mut response = Json(told).into_response();
    set_cookie(&service, &mut response, &secret, "");
    Ok(response)
}

fn set_cookie(service: &Service, response: &mut Response, value: &str, more: &str) {
    let secure = if service.site.tls.is_some() { "; Secure" } else { "" };
    let cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}", cookie_name(&service.site));
    response.headers_mut().insert(header::SET_COOKIE, HeaderValue::from_str(&cookie).expect("a cookie of hexadecimal digits"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Somebody who has proven who they are, but for [`login::succeed`].
struct Proven {
    secrets: Secrets,
    step: Option<i64>,
    name: String,
    role: Role,
}

/// Looks at a password, and at a code where there is a second factor. What is wrong is written down, and counts.
async fn prove(service: &Service, proof: &Proof, peer: &Peer) -> Result<Proven, Problem> {
    let id = proof.id.clone();
    let from = peer.0.ip().to_canonical().to_string();
    let begun = {
        let id = id.clone();
        service.change(move |transaction| login::begin(transaction, &id, now_ms())).await?
    };
    if let Begun::Locked(until_ms) = begun {
        note_failure(service, Some(id), "locked out", from).await?;
        let wait_s = u32::try_from((until_ms - now_ms()).max(0) / 1_000 + 1).unwrap_or(3_600);
        let detail = format!("too many attempts failed: wait {wait_s} s, or ask an administrator to reset the password");
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "Locked out", detail).retry(wait_s));
    }
    let secrets = if let Begun::Open(secrets) = begun { Some(secrets) } else { None };
    let right = {
        let (password, hash) = (proof.password.clone(), secrets.as_ref().and_then(|secrets| secrets.password.clone()));
        let _place = Arc::clone(&service.hashing).acquire_owned().await.expect("never closed");
        password.len() <= password::LONGEST && blocking(move || password::verify(&password, hash.as_deref())).await
    };
    let Some(secrets) = secrets.filter(|_| right) else {
        let known = super::people::account(service, id).await?.map(|account| account.id);
        note_failure(service, known, "wrong password", from).await?;
        return Err(wrong());
    };
    let step = match (&secrets.totp, &proof.code) {
        (None, _) => None,
        (Some(_), None) => return Err(Problem::new(StatusCode::UNAUTHORIZED, "Code needed", "this person has a second factor: send its six digits as `code`")),
        (Some(secret), Some(code)) => match totp::step_of(secret, code, secrets.totp_step, now_ms()) {
            Some(step) => Some(step),
            None => {
                note_failure(service, Some(id), "wrong code", from).await?;
                return Err(wrong());
            }
        },
    };
    Ok(Proven { name: secrets.name.clone(), role: secrets.role, secrets, step })
}

async fn note_failure(service: &Service, id: Option<String>, why: &'static str, from: String) -> Result<(), Problem> {
    service.change(move |transaction| login::failed(transaction, id.as_deref(), why, &from, now_ms())).await
}

fn wrong() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "Wrong", "id, password or code is wrong")
}

/// Who asks.
#[utoipa::path(get, path = "/v1/session", tag = "people", responses((status = 200, description = "Who asks", body = SessionTold)))]
pub(super) async fn told(
    State(service): State<Service>,
    Extension(carried): Extension<Option<Carried>>,
    person: Result<Person, Problem>,
) -> Result<Response, Problem> {
    let login = service.site.login;
    let (person, locked, must_change) = match &carried {
        Some(Carried { session, locked, .. }) => {
            (Some(Somebody { id: session.person.clone(), name: session.name.clone(), role: session.role }), *locked, session.must_change)
        }
        None => (person.ok().map(Somebody::from), false, false),
    };
    let mut settings = json!({});
    if let Some(id) = carried.map(|carried| carried.session.person) {
        let kept = "SELECT settings FROM person WHERE id = ?1";
        let custody = service.custody.clone();
        let kept: Option<String> =
            blocking(move || custody.ask(|connection| connection.prepare_cached(kept)?.query_row([id], |row| row.get(0)).optional())).await?;
        settings = kept.and_then(|kept| serde_json::from_str(&kept).ok()).unwrap_or(settings);
    }
    let told = SessionTold { person, locked, must_change, settings, login: login.required, idle_minutes: login.idle_minutes };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(told)).into_response())
}

/// Opens a session that has locked.
#[utoipa::path(post, path = "/v1/session/unlock", tag = "people", request_body = Proof, responses((status = 204, description = "Unlocked"), (status = 401, description = "Not proven")))]
pub(super) async fn unlock(
    State(service): State<Service>,
    peer: Peer,
    Extension(carried): Extension<Option<Carried>>,
    Body(proof): Body<Proof>,
) -> Result<Response, Problem> {
    let Some(Carried { digest, session, .. }) = carried else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "No session", "there is no session to open, or it has had its time: log in"));
    };
    let proof = Proof { id: session.person, ..proof };
    let proven = prove(&service, &proof, &peer).await?;
    let id = proof.id;
    let opened = move |transaction: &Transaction<'_>| {
        if !login::succeed(transaction, &id, &proven.secrets, proven.step)? {
            return Ok(false);
        }
        session::note(transaction, &digest, now_ms())?;
        let act = Act { who: id.clone(), action: Action::Unlocked, subject: format!("person {id}"), details: json!({}), now_ms: now_ms() };
        audit::append(transaction, &act).map(|_| true)
    };
    if service.change(opened).await? { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(wrong()) }
}

/// Logs out.
#[utoipa::path(delete, path = "/v1/session", tag = "people", responses((status = 204, description = "Logged out")))]
pub(super) async fn log_out(State(service): State<Service>, Extension(carried): Extension<Option<Carried>>) -> Result<Response, Problem> {
    if let Some(Carried { digest, session, .. }) = carried {
        let ended = move |transaction: &Transaction<'_>| {
            session::end(transaction, &digest)?;
            let (who, subject) = (session.person.clone(), format!("person {}", session.person));
            audit::append(transaction, &Act { who, action: Action::Logout, subject, details: json!({}), now_ms: now_ms() })
        };
        service.change(ended).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&service, &mut response, "", "; Max-Age=0");
    Ok(response)
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// The one so far; not asked for right after a login with one that was good once.
    #[serde(default)]
    password: String,
    code: Option<String>,
    new: String,
}

/// Sets a person's own password.
#[utoipa::path(post, path = "/v1/session/password", tag = "people", request_body = NewPassword, responses((status = 204, description = "Set"), (status = 401, description = "Not proven")))]
pub(super) async fn set_password(
    State(service): State<Service>,
    peer: Peer,
    Extension(carried): Extension<Option<Carried>>,
    Body(asked): Body<NewPassword>,
) -> Result<StatusCode, Problem> {
    let Carried { digest, session, .. } = of_a_session(carried)?;
    let id = session.person;
    if let Some(why) = password::refused(&asked.new, &id) {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Not that password", format!("the new password {why}")));
    }
    let proven = match session.must_change {
        true => None,
        false => Some(prove(&service, &Proof { id: id.clone(), password: asked.password, code: asked.code }, &peer).await?),
    };
    let hash = {
        let _place = Arc::clone(&service.hashing).acquire_owned().await.expect("never closed");
        blocking(move || password::hash(&asked.new)).await?
    };
    let set = move |transaction: &Transaction<'_>| {
        if let Some(proven) = proven
            && !login::succeed(transaction, &id, &proven.secrets, proven.step)?
        {
            return Ok(false);
        }
        login::set_password(transaction, &id, &hash, now_ms())?;
        session::has_changed(transaction, &digest)?;
        session::end_all(transaction, &id, Some(&digest)).map(|()| true)
    };
    if !service.change(set).await? {
        return Err(wrong());
    }
    let first = service.custody.folder().join(FIRST_PASSWORD);
    blocking(move || match std::fs::remove_file(&first) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => tracing::warn!(%error, file = %first.display(), "delete it: it is of no use any more"),
        _ => {}
    })
    .await;
    Ok(StatusCode::NO_CONTENT)
}

/// The session of somebody who has logged in: this machine's administrator has no password.
fn of_a_session(carried: Option<Carried>) -> Result<Carried, Problem> {
    carried.ok_or_else(|| Problem::new(StatusCode::CONFLICT, "Nobody logged in", format!("`{LOCAL}` has neither password nor settings")))
}

/// Proposes a secret for a second factor; it counts once a code has proven that the app has it.
#[utoipa::path(post, path = "/v1/session/second-factor", tag = "people", responses((status = 200, description = "A secret that counts once a code has proven that the app has it", body = FactorProposed)))]
pub(super) async fn propose_factor(State(service): State<Service>, person: Person) -> Json<FactorProposed> {
    let secret = totp::secret();
    let link = totp::link(&secret, &service.site.name, &person.id);
    Json(FactorProposed { secret, link })
}

/// A second factor, or none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Factor {
    password: String,
    secret: Option<String>,
    code: Option<String>,
}

/// Takes a second factor.
#[utoipa::path(put, path = "/v1/session/second-factor", tag = "people", request_body = Factor, responses((status = 204, description = "It counts")))]
pub(super) async fn take_factor(
    State(service): State<Service>,
    peer: Peer,
    Extension(carried): Extension<Option<Carried>>,
    Body(asked): Body<Factor>,
) -> Result<StatusCode, Problem> {
    let id = of_a_session(carried)?.session.person;
    let (Some(secret), Some(code)) = (asked.secret, asked.code) else {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "Bad request", "send the secret, and a code that the app makes of it"));
    };
    let step = (secret.len() == 32).then(|| totp::step_of(&secret, &code, 0, now_ms())).flatten();
    let step =
        step.ok_or_else(|| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Wrong code", "the code is not of this secret and time: look at the clocks"))?;
    let proven = prove_password(&service, &id, asked.password, &peer).await?;
    replace_factor(&service, id, proven, Some((secret, step))).await
}

/// Does without a second factor.
#[utoipa::path(delete, path = "/v1/session/second-factor", tag = "people", request_body = Factor, responses((status = 204, description = "Gone")))]
pub(super) async fn drop_factor(
    State(service): State<Service>,
    peer: Peer,
    Extension(carried): Extension<Option<Carried>>,
    Body(asked): Body<Factor>,
) -> Result<StatusCode, Problem> {
    let id = of_a_session(carried)?.session.person;
    let proof = Proof { id: id.clone(), password: asked.password, code: asked.code };
    let proven = prove(&service, &proof, &peer).await?;
    replace_factor(&service, id, proven, None).await
}

/// The password alone: who sets a second factor anew has lost the old one's app, but not this session.
async fn prove_password(service: &Service, id: &str, password: String, peer: &Peer) -> Result<Proven, Problem> {
    let account = super::people::account(service, id.to_owned()).await?;
    if account.is_some_and(|account| account.second_factor) {
        return Err(Problem::new(StatusCode::CONFLICT, "There is one", "do without the second factor first (DELETE), then take another"));
    }
    prove(service, &Proof { id: id.to_owned(), password, code: None }, peer).await
}

async fn replace_factor(service: &Service, id: String, proven: Proven, factor: Option<(String, i64)>) -> Result<StatusCode, Problem> {
    let set = move |transaction: &Transaction<'_>| {
        if !login::succeed(transaction, &id, &proven.secrets, proven.step)? {
            return Ok(false);
        }
        login::set_totp(transaction, &id, factor.as_ref().map(|(secret, step)| (secret.as_str(), *step)), now_ms()).map(|()| true)
    };
    if service.change(set).await? { Ok(StatusCode::NO_CONTENT) } else { Err(wrong()) }
}

/// Keeps what the page wants to know again.
#[utoipa::path(put, path = "/v1/session/settings", tag = "people", request_body(content = Object, content_type = "application/json"), responses((status = 204, description = "Kept")))]
pub(super) async fn set_settings(
    State(service): State<Service>,
    Extension(carried): Extension<Option<Carried>>,
    Body(settings): Body<Value>,
) -> Result<StatusCode, Problem> {
    let (id, text) = (of_a_session(carried)?.session.person, settings.to_string());
    if !settings.is_object() || text.len() > MOST_SETTINGS {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Not those settings", format!("settings are an object of at most {MOST_SETTINGS} bytes")));
    }
    service.change(move |transaction| transaction.execute("UPDATE person SET settings = ?2 WHERE id = ?1", [id, text])).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Only what comes from here: no other script, no picture, no frame.
const PAGE_POLICY: &str =
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The page where people log in.
pub(super) async fn page() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, PAGE_POLICY), (header::CACHE_CONTROL, "no-cache")];
    (headers, include_str!("login/login.html"))
}

/// Its script.
pub(super) async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], include_str!("login/login.js"))
}

/// Places for passwords to be looked at.
pub(super) fn hashing() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(HASHES_AT_ONCE))
}
