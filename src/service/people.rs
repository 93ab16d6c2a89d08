//! `GET`, `POST /v1/people`, `PATCH /v1/people/{id}`: administrators make people and change them. A new password is told once, in the answer, and is good once.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Service;
use super::access::{Person, Role};
use super::asked::Body;
use super::door::now_ms;
use super::problem::{Problem, ProblemBody};
use super::uploads::blocking;
use crate::custody::Custody;
use crate::custody::record::Fate;
use crate::error::{Error, Fault};
use crate::people::{self, Change, Refusal, password};

/// A person to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPerson {
    id: String,
    name: Option<String>,
    role: Role,
}

/// Makes the first administrator of a store in which there is nobody. The password is good once, and lies in a file that only we and root can read until
/// somebody has set one of their own: not in the log, which others keep.
pub(super) fn first(custody: &Custody) -> crate::error::Result<()> {
    let path = custody.folder().join(super::sessions::FIRST_PASSWORD);
    if custody.ask(|connection| connection.query_row("SELECT EXISTS (SELECT 1 FROM person)", [], |row| row.get(0)))? {
        return Ok(());
    }
    let once = password::once();
    let hash = password::hash(&once)?;
    // Before there is anybody whose password it is: a crash in between makes another one.
    let said = |error: std::io::Error| Error::io(&error).in_(path.display());
    let _ = std::fs::remove_file(&path);
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(said)?;
    file.write_all(format!("{once}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(said)?;
    let made = custody.change(move |transaction| people::add(transaction, "garita", ("admin", "Administrator", Role::Admin), &hash, now_ms()).map(|_| 0));
    if !matches!(made, Fate::Kept(_)) {
        return Err(Error::new(Fault::Machine, format!("the first administrator could not be made: {made:?}")).in_(custody.folder().display()));
    }
    tracing::warn!(file = %path.display(), "nobody works here yet: log in as `admin` with the password in this file, which is good once, and set your own");
    Ok(())
}

/// Everybody.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Everybody {
    people: Vec<people::Account>,
}

/// A person who was made or changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PersonTold {
    person: Option<people::Account>,
    /// A password that is good once, where there is a new one; told this once.
    password: Option<String>,
}

/// Everybody.
#[utoipa::path(get, path = "/v1/people", tag = "people", responses((status = 200, body = Everybody)))]
pub(super) async fn list(State(service): State<Service>) -> Result<Json<Everybody>, Problem> {
    let custody = service.custody.clone();
    let people = blocking(move || custody.ask(people::accounts)).await?;
    Ok(Json(Everybody { people }))
}

/// Makes a person.
#[utoipa::path(post, path = "/v1/people", tag = "people", request_body = NewPerson, responses((status = 201, description = "Made, with a password for one login", body = PersonTold),
    (status = 409, description = "There is one", body = ProblemBody, content_type = "application/problem+json"), (status = 422, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn make(State(service): State<Service>, by: Person, Body(new): Body<NewPerson>) -> Result<(StatusCode, Json<PersonTold>), Problem> {
    let name = new.name.unwrap_or_else(|| new.id.clone());
    if !people::is_id(&new.id) || new.role == Role::Device {
        let detail = "an id takes 1 to 32 of a-z, 0-9 and hyphens inside, and is neither `local` nor `garita`; a device is made in the site file";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Not that person", detail));
    }
    check_name(&name)?;
    let (once, hash) = once(&service).await?;
    let (id, by) = (new.id.clone(), by.id);
    service.change(move |transaction| people::add(transaction, &by, (&id, &name, new.role), &hash, now_ms())).await?.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(PersonTold { person: account(&service, new.id).await?, password: Some(once) })))
}

/// Changes a person.
#[utoipa::path(patch, path = "/v1/people/{id}", tag = "people", params(("id" = String, Path, description = "The person's id")), request_body = Change, responses((status = 200, description = "Changed", body = PersonTold), (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, body = ProblemBody, content_type = "application/problem+json"), (status = 422, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn change(
    State(service): State<Service>,
    by: Person,
    Path(id): Path<String>,
    Body(change): Body<Change>,
) -> Result<Json<PersonTold>, Problem> {
    change.name.as_deref().map(check_name).transpose()?;
    if change.role == Some(Role::Device) {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Not that role", "no person is a device"));
    }
    let once = if change.reset { Some(once(&service).await?) } else { None };
    let (of, by, hash) = (id.clone(), by.id, once.as_ref().map(|once| once.1.clone()));
    service.change(move |transaction| people::change(transaction, &by, &of, &change, hash.as_deref(), now_ms())).await?.map_err(refused)?;
    Ok(Json(PersonTold { person: account(&service, id).await?, password: once.map(|once| once.0) }))
}

/// One person.
pub(super) async fn account(service: &Service, id: String) -> Result<Option<people::Account>, Problem> {
    let custody = service.custody.clone();
    Ok(blocking(move || custody.ask(|connection| people::account(connection, &id))).await?)
}

/// A password that is good once, and its hash.
async fn once(service: &Service) -> Result<(String, String), Problem> {
    let once = password::once();
    let _place = Arc::clone(&service.hashing).acquire_owned().await.expect("never closed");
    let hashed = once.clone();
    Ok((once, blocking(move || password::hash(&hashed)).await?))
}

fn check_name(name: &str) -> Result<(), Problem> {
    match people::is_name(name) {
        true => Ok(()),
        false => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Not that name", "a name takes 1 to 100 characters on one line, without spaces around")),
    }
}

fn refused(refusal: Refusal) -> Problem {
    let (status, title, detail) = match refusal {
        Refusal::Exists => (StatusCode::CONFLICT, "Exists", "there is a person of this id"),
        Refusal::Missing => (StatusCode::NOT_FOUND, "No such person", "there is no person of this id"),
        Refusal::LastAdmin => (StatusCode::CONFLICT, "The last administrator", "nobody could make people any more: make another administrator first"),
    };
    Problem::new(status, title, detail)
}
