//! New versions of lists over HTTP: somebody proposes one and sees what it would change, a second person activates or refuses it.
//!
//! | request | does |
//! |---|---|
//! | `POST /v1/lists/{name}/proposals?preset=genetec&incremental=true&note=…` | takes a list's file, as `garita watchlist import` does, and says what it would change |
//! | `GET /v1/proposals`, `/v1/proposals/{id}` | what waits, and what became of others |
//! | `POST /v1/proposals/{id}/activation`, `…/refusal` | puts it into force; does not |
//!
//! A file that is not incremental is the whole list. What is activated is what was shown: where the list in force has changed meanwhile, so that activating would change
//! something else, it is refused. The list's file of the site then is the index; whoever may write that file still changes the list by it, alone.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Json;
use axum::body::Body as Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use utoipa::{IntoParams, ToSchema};

use super::access::Person;
use super::asked::{Asked, At, Body};
use super::door::now_ms;
use super::problem::{Problem, ProblemBody};
use super::queries::{ask, bad, missing};
use super::uploads::blocking;
use super::{Service, lookback};
use crate::custody::Custody;
use crate::custody::evidence::Sha;
use crate::custody::proposals::{self as kept, Bad, ChangeTold, NewProposal, Proposal, Refusal, Told};
use crate::error::{Error, Fault, Result};
use crate::people::is_name;
use crate::watchlist::Mapping;
use crate::watchlist::import::Limits;
use crate::watchlist::index::Index;
use crate::watchlist::update::{Change, Import, Staged, diff};

/// The most bytes of a list's file: some ten million lines.
const MOST_BYTES: u64 = 2 << 30;
/// A whole file must have come within this.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long somebody waits while another one's is read.
const TURN: Duration = Duration::from_secs(10);
/// Memory for building an index, bytes.
const MEMORY: u64 = 256 << 20;
/// Entries that are told of each kind.
const FIRST: usize = 50;

/// Where what was proposed lies.
pub(super) fn path(custody: &Custody, file: &str) -> PathBuf {
    custody.folder().join("lists").join(file)
}

/// How a file is read.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    /// Its layout: `garita`, `genetec`, `vigilant`, `uk-voi`, `rail-consist`; that of the site file's list unless given.
    preset: Option<String>,
    /// Whether it adds and removes, instead of being the whole list.
    #[serde(default)]
    incremental: bool,
    /// What the second person should know, on one line of at most 100 characters.
    note: Option<String>,
}

/// Proposes a new version of a list; nothing changes until a second person activates it.
#[utoipa::path(post, path = "/v1/lists/{name}/proposals", tag = "lists", params(("name" = String, Path, description = "The list's name"), How),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "The list's file"), responses(
    (status = 201, description = "It waits for a second person; what it would change", body = Proposal, headers(("Location" = String))),
    (status = 400, body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    (status = 413, body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "Not a list's file, too many bad lines, or nothing in it", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "Another one is being read", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn propose(
    State(service): State<Service>,
    by: Person,
    At(name): At<String>,
    Asked(how): Asked<How>,
    request: Request,
) -> std::result::Result<Response, Problem> {
    let list = service.lists.site_list(&name).ok_or_else(|| missing("list"))?;
    let mapping = how.preset.as_deref().map_or_else(|| Ok(list.mapping.clone()), Mapping::preset)?;
    let note = how.note.unwrap_or_default().trim().to_owned();
    if !note.is_empty() && !is_name(&note) {
        return Err(bad("note: at most 100 characters on one line".to_owned()));
    }
    let _turn = turn(&service).await?;
    let folder = path(&service.custody, "");
    std::fs::create_dir_all(&folder).map_err(|error| Error::io(&error).in_(folder.display()))?;
    let (upload, file) = (folder.join("upload"), format!("{:032x}", rand::random::<u128>()));
    let staged = folder.join(&file);
    let received = tokio::time::timeout(PATIENCE, receive(&service, request.into_body(), &upload)).await;
    let slow = || Problem::new(StatusCode::REQUEST_TIMEOUT, "Too slow", format!("it had not come after {} s", PATIENCE.as_secs()));
    let built = match received.unwrap_or_else(|_| Err(slow())) {
        Ok(()) => {
            let (upload, watchlist) = (upload.clone(), service.lists.watchlist(&name).ok_or_else(|| missing("list"))?);
            blocking(move || build(&upload, &watchlist.load().base().clone(), &mapping, how.incremental, &staged)).await.map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    let _ = tokio::fs::remove_file(&upload).await;
    let (told, changes) = built?;
    let new = NewProposal { list: name, file, changes, told, note, by: (by.id, by.name) };
    let id = service.change(move |transaction| kept::propose(transaction, &new, now_ms())).await?;
    let told = told_of(&service, id).await?;
    let location = HeaderValue::from_str(&format!("/v1/proposals/{id}")).expect("a number");
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(told)).into_response())
}

/// One at a time: building an index takes a core and much memory.
async fn turn(service: &Service) -> std::result::Result<tokio::sync::MutexGuard<'_, ()>, Problem> {
    let busy = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Busy", "another new version of a list is being read").retry(10);
    tokio::time::timeout(TURN, service.proposing.lock()).await.map_err(busy)
}

/// Writes the body to a file.
async fn receive(service: &Service, mut body: Bytes, to: &Path) -> std::result::Result<(), Problem> {
    let said = |error: std::io::Error| Problem::from(Error::io(&error).in_(to.display()));
    let patience = Duration::from_secs(service.site.limits.body_timeout_s);
    let mut file = tokio::fs::File::create(to).await.map_err(said)?;
    let mut length = 0;
    loop {
        service.uploads.refuses(0)?;
        let piece = tokio::time::timeout(patience, body.frame()).await;
        let piece = piece.map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "Too slow", format!("nothing came for {} s", patience.as_secs())))?;
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|_| bad("the connection ended before the body was complete".to_owned()))?;
        let Ok(bytes) = piece.into_data() else { continue };
        length += bytes.len() as u64;
        if length > MOST_BYTES {
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Over a limit", format!("more than {MOST_BYTES} bytes")));
        }
        file.write_all(&bytes).await.map_err(said)?;
    }
    file.flush().await.map_err(said)
}

/// Builds the index at `staged`, synced; what it would change, and the digest of that.
fn build(upload: &Path, base: &Index, mapping: &Mapping, incremental: bool, staged: &Path) -> Result<(Told, Sha)> {
    let import = Import { mapping, incremental, limits: Limits::default(), memory: MEMORY, at: Timestamp::now() };
    let input = BufReader::with_capacity(1 << 20, File::open(upload).map_err(|error| Error::io(&error).in_(upload.display()))?);
    let new = import.stage_beside(input, base, staged)?;
    let (mut told, changes) = compared(base, &new.index)?;
    count(&mut told, &new);
    new.commit()?;
    Ok((told, changes))
}

/// What was read.
fn count(told: &mut Told, new: &Staged) {
    told.entries = new.index.len() as u64;
    told.repeated = new.built.repeated;
    told.removed_nothing = new.built.removed_nothing;
    for imported in &new.imported {
        told.lines += imported.lines;
        told.expired += imported.expired;
        told.bad += imported.bad;
        told.first_bad.extend(imported.told.iter().map(|bad| Bad { line: bad.line, column: bad.column, why: bad.why.clone() }));
    }
}

/// What `new` changes, and its digest.
fn compared(base: &Index, new: &Index) -> Result<(Told, Sha)> {
    let (mut told, mut hash) = (Told::default(), Sha256::new());
    let json = |entry: &_| serde_json::to_value(entry).expect("plain data");
    let changes = diff(Some(base), new, |change| match change {
        Change::Added(entry) => {
            hash.update(format!("+{}\n", json(&*entry)));
            if told.first_added.len() < FIRST {
                told.first_added.push(json(&*entry));
            }
        }
        Change::Removed(entry) => {
            hash.update(format!("-{}\n", json(&*entry)));
            if told.first_removed.len() < FIRST {
                told.first_removed.push(json(&*entry));
            }
        }
        Change::Changed(before, after) => {
            hash.update(format!("~{}\n{}\n", json(&*before), json(&*after)));
            if told.first_changed.len() < FIRST {
                told.first_changed.push(ChangeTold::of(&before, &after));
            }
        }
    })?;
    (told.added, told.removed, told.changed, told.same) = (changes.added, changes.removed, changes.changed, changes.same);
    hash.update(changes.same.to_be_bytes());
    Ok((told, hash.finalize().into()))
}

/// The SHA-256 of what `new` changes.
///
/// # Errors
/// `Damaged` for damaged texts.
pub(super) fn digest(base: &Index, new: &Index) -> Result<Sha> {
    compared(base, new).map(|(_, digest)| digest)
}

/// New versions of lists.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Proposals {
    /// Those that wait come first, then the newest; at most a hundred. Without entries.
    proposals: Vec<Proposal>,
}

/// Lists what was proposed.
#[utoipa::path(get, path = "/v1/proposals", tag = "lists", responses((status = 200, body = Proposals)))]
pub(super) async fn listed(State(service): State<Service>) -> std::result::Result<Json<Proposals>, Problem> {
    Ok(Json(Proposals { proposals: ask(&service, kept::newest).await? }))
}

/// What was proposed, and the first entries that it would change.
#[utoipa::path(get, path = "/v1/proposals/{id}", tag = "lists", params(("id" = i64, Path, description = "Its number")),
    responses((status = 200, body = Proposal), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn one(State(service): State<Service>, At(id): At<i64>) -> std::result::Result<Json<Proposal>, Problem> {
    told_of(&service, id).await.map(Json)
}

async fn told_of(service: &Service, id: i64) -> std::result::Result<Proposal, Problem> {
    ask(service, move |connection| kept::one(connection, id)).await?.ok_or_else(|| missing("proposal"))
}

/// Puts what somebody else proposed into force.
#[utoipa::path(post, path = "/v1/proposals/{id}/activation", tag = "lists", params(("id" = i64, Path, description = "Its number")), responses(
    (status = 200, description = "It is in force", body = Proposal),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "Who proposed it does not activate it; it is decided; the list is another by now", body = ProblemBody,
        content_type = "application/problem+json"),
    (status = 503, description = "Another one is being read", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn activate(State(service): State<Service>, by: Person, At(id): At<i64>) -> std::result::Result<Json<Proposal>, Problem> {
    let _turn = turn(&service).await?;
    let proposal = told_of(&service, id).await?;
    may_decide(&proposal, &by, true)?;
    let (of, who) = (service.clone(), by.id.clone());
    // Runs to its end whatever becomes of the caller.
    let replaced = blocking(move || {
        let staged = path(&of.custody, &proposal.file);
        let replaced = of.lists.activate(&proposal, &staged, || decide(&of, id, &by, None))?;
        let (replaced, kept) = (std::sync::Arc::new(replaced), of.custody.clone());
        let change = {
            let replaced = std::sync::Arc::clone(&replaced);
            move |transaction: &rusqlite::Transaction<'_>| replaced.keep(transaction, &who, now_ms())
        };
        super::uploads::kept(kept.change(change))?;
        let _ = std::fs::remove_file(&staged);
        Ok::<_, Problem>(replaced)
    })
    .await?;
    lookback::of_added(&service, &replaced).await;
    told_of(&service, id).await.map(Json)
}

/// Why it was refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefusalAsked {
    /// On one line of at most 100 characters.
    why: String,
}

/// Refuses what was proposed, or takes it back.
#[utoipa::path(post, path = "/v1/proposals/{id}/refusal", tag = "lists", params(("id" = i64, Path, description = "Its number")), request_body = RefusalAsked, responses(
    (status = 200, description = "It is refused", body = Proposal),
    (status = 400, body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "It is decided", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "Another one is being read", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn refuse(
    State(service): State<Service>,
    by: Person,
    At(id): At<i64>,
    Body(asked): Body<RefusalAsked>,
) -> std::result::Result<Json<Proposal>, Problem> {
    let _turn = turn(&service).await?;
    let proposal = told_of(&service, id).await?;
    if !is_name(&asked.why) {
        return Err(bad("why: 1 to 100 characters on one line".to_owned()));
    }
    may_decide(&proposal, &by, false)?;
    let of = service.clone();
    blocking(move || decide(&of, id, &by, Some(&asked.why))).await?;
    let _ = tokio::fs::remove_file(path(&service.custody, &proposal.file)).await;
    told_of(&service, id).await.map(Json)
}

/// What the store will say, before anything is prepared.
fn may_decide(proposal: &Proposal, by: &Person, activates: bool) -> std::result::Result<(), Problem> {
    if proposal.state != "proposed" || proposal.expires_ms <= now_ms() {
        return Err(refused(Refusal::Decided));
    }
    if activates && proposal.proposed_by == by.id { Err(refused(Refusal::SamePerson)) } else { Ok(()) }
}

/// Keeps a decision.
fn decide(service: &Service, id: i64, by: &Person, refused_for: Option<&str>) -> std::result::Result<(), Problem> {
    let (by, why) = (by.clone(), refused_for.map(str::to_owned));
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let change = move |transaction: &rusqlite::Transaction<'_>| {
        let _ = tell.send(kept::decide(transaction, id, (&by.id, &by.name), why.as_deref(), now_ms())?);
        Ok(0)
    };
    super::uploads::kept(service.custody.change(change))?;
    match told.try_recv() {
        Ok(decided) => decided.map_err(refused),
        Err(_) => Err(Error::new(Fault::Machine, "the store kept a decision without making it").into()),
    }
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Missing => missing("proposal"),
        Refusal::Decided => Problem::new(StatusCode::CONFLICT, "Decided", "somebody has decided, or nobody did in time"),
        Refusal::SamePerson => Problem::new(StatusCode::CONFLICT, "Second person", "who proposed a list does not activate it: somebody else does"),
    }
}

/// Ends what nobody decided in time, and deletes the files that nobody wants any more.
pub(super) async fn expire(service: &Service, now_ms: i64) {
    let Ok(_turn) = service.proposing.try_lock() else { return };
    let due = ask(service, move |connection| kept::is_due(connection, now_ms)).await;
    if matches!(due, Ok(true))
        && let Err(problem) = service.change(move |transaction| kept::expire(transaction, now_ms)).await
    {
        tracing::error!(error = problem.detail, "old proposals are not ended");
        return;
    }
    let custody = service.custody.clone();
    let swept = blocking(move || {
        let Ok(files) = std::fs::read_dir(path(&custody, "")) else { return Ok(()) };
        let wanted = custody.ask(kept::files)?;
        for file in files.flatten().filter(|file| file.file_name().to_str().is_none_or(|name| wanted.iter().all(|wanted| wanted != name))) {
            std::fs::remove_file(file.path()).map_err(|error| Error::io(&error).in_(file.path().display()))?;
        }
        Ok::<(), Error>(())
    });
    if let Err(error) = swept.await {
        tracing::error!(%error, "files of old proposals are not deleted");
    }
}
