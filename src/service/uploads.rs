//! Uploads under way: files that grow in `uploads/`, over as many connections as it takes, until they are scans.
//!
//! An upload is `ID.part` (a scan's file) or `ID.stream` (columns while the train passes) and `ID.upload`, what is known of it, which is there first.
//!
//! 1. *An offset that was told is synced.* Whatever ends a request (its end, a cut, silence, a stop), what came is synced before anything is said of it.
//! 2. *The file's length is the offset.* After a start it is synced once more, and counts.
//! 3. *One request at a time writes.* A newcomer ends the one before it: over a bad link that one is dead and does not know.
//! 4. *A scan is complete, its digest compared and its file synced under its second name in `scans/` before its row; the upload goes after the commit.*
//! 5. *What is not finished goes* when nothing has come for `retention.uploads_s`; a train whose columns stop coming for its portal's
//!    `silence_s` is taken to have passed, and what came of it is kept: its cars were told. Silence is measured by a clock that never jumps, anew after each start.
//! 6. *Whoever leaves uploads behind keeps nobody out.* Of each portal so many may be under way; beyond that the one silent longest gives way, trains last.
//! 7. *A sync that fails for anything but space stops the store*, as the writer's own does (invariant 6 of [`crate::custody`]).
//! 8. *What nobody knows is not deleted.* After a start only that goes which is over, or had not begun; a train that is over is renamed `ID.over` before its row goes.
//! 9. *A piece that is not what its own digest says is taken back whole*, before anything is said of it: its sender sends it again. One that was cut off counts as
//!    far as it came: whether that is right only the whole's digest tells. A train's cars may have been told of a piece by then, as provisional as all of them.
//!
//! Nothing is held in memory but the piece that is being written. The whole's digest is taken of the file when it is complete: of what lies there, not of what went by.

mod ends;
mod files;
mod turn;

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;

use self::ends::Said;
use self::turn::{Inside, Turn};
pub(crate) use self::turn::{Upload, key_of_name};
use super::door::now_ms;
use super::fields::{Digests, Hasher};
use super::problem::Problem;
use crate::custody::Custody;
use crate::custody::evidence::Sha;
use crate::custody::record::Fate;
use crate::custody::scans::{self, ScanRow};
use crate::error::{Error, Fault, Result};
use crate::pipeline::portals::Waker;
use crate::rail::scan::stream;
use crate::site::Limits;

/// Uploads that may be under way at once at one portal, half ones included. A portal has some.
const MOST_UPLOADS: usize = 256;
/// Free space is looked at again after this many bytes.
const SPACE_EVERY: u64 = 16 << 20;

/// What is known of an upload from its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// The portal's id.
    pub(crate) portal: String,
    /// What comes.
    pub(crate) kind: Kind,
    /// What its sender calls it.
    pub(crate) name: Option<String>,
    /// What makes two submissions the same scan; `None`: its contents.
    pub(crate) key: Option<Sha>,
    /// The digests that its sender says it will have.
    pub(crate) digest: Option<Digests>,
    /// Bytes that there will be.
    pub(crate) length: Option<u64>,
}

/// What comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = UploadKind)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The file of a scan.
    Scan,
    /// Columns, while the train passes.
    Columns,
}

impl Kind {
    fn ending(self) -> &'static str {
        match self {
            Kind::Scan => "part",
            Kind::Columns => "stream",
        }
    }
}

/// What a request says of the bytes that it brings.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Where they begin.
    pub(crate) offset: u64,
    /// Nothing comes after them.
    pub(crate) completes: bool,
    /// Their own digests.
    pub(crate) digest: Option<Digests>,
    /// The digests of all that there is with them, where nothing comes after them.
    pub(crate) whole: Option<Digests>,
}

/// Why a request ended early.
#[derive(Debug)]
pub(crate) struct Halt {
    pub(crate) problem: Problem,
    /// Bytes that are there, where the upload goes on.
    pub(crate) offset: Option<u64>,
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Halt {
        Halt { problem, offset: None }
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Problem::from(error).into()
    }
}

/// What a request came to.
pub(crate) enum Received {
    /// So many bytes are there, and more are to come.
    Partly(u64),
    /// It is a scan; whether it had been one before.
    Whole(Box<ScanRow>, bool),
}

/// All uploads. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Uploads {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    scans: PathBuf,
    custody: Custody,
    limits: Limits,
    waker: Waker,
    open: Mutex<HashMap<String, Arc<Upload>>>,
    /// The newest last, at most [`MOST_UPLOADS`].
    given_up: Mutex<VecDeque<GivenUp>>,
    stopping: watch::Sender<bool>,
}

/// An upload that ended without its sender, and what whoever returns to it is told.
struct GivenUp {
    id: String,
    title: &'static str,
    why: String,
}

impl Uploads {
    /// Takes up what was under way when the service ended.
    pub(crate) fn open(custody: &Custody, limits: Limits, waker: Waker) -> Result<Uploads> {
        let (folder, scans) = (custody.folder().join("uploads"), custody.folder().join("scans"));
        let custody = custody.clone();
        let shared = Shared { folder, scans, custody, limits, waker, open: Mutex::default(), given_up: Mutex::default(), stopping: watch::Sender::new(false) };
        let uploads = Uploads { shared: Arc::new(shared) };
        ::metrics::describe_gauge!("garita_uploads_open", "Uploads under way, half ones included, by portal");
        ::metrics::describe_counter!("garita_uploads_gave_way_total", "Uploads that gave way to newer ones, because too many of their portal were under way");
        uploads.recover()?;
        Ok(uploads)
    }

    /// The upload with this id, if it is under way.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Upload>> {
        lock(&self.shared.open).get(id).cloned()
    }

    /// Those under way.
    pub(crate) fn all(&self) -> Vec<Arc<Upload>> {
        lock(&self.shared.open).values().cloned().collect()
    }

    /// Ends every request; what came of each is synced. None is taken after that.
    pub(crate) fn stop(&self) {
        self.shared.stopping.send_replace(true);
    }

    /// Begins an upload; it is there for good when this answers.
    pub(crate) async fn create(&self, about: About) -> std::result::Result<Arc<Upload>, Halt> {
        self.refuses(about.length.unwrap_or(0))?;
        // A train that passes passes now: it is never refused for what others have left behind.
        if !self.make_room(&about.portal).await && about.kind == Kind::Scan {
            let detail = format!("{MOST_UPLOADS} uploads of portal {} are being written just now", about.portal);
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many uploads", detail).retry(60).into());
        }
        let id = format!("{:032x}", rand::random::<u128>());
        let (uploads, begun) = (self.clone(), (id.clone(), about.clone()));
        let file = blocking(move || uploads.shared.begin(&begun.0, &begun.1)).await?;
        let upload = self.register(id, about, file, 0);
        if upload.about.kind == Kind::Columns
            && let Err(halt) = self.begin_passing(&upload).await
        {
            let mut turn = upload.turn().await?;
            self.end(&upload, &mut turn).await;
            return Err(halt);
        }
        Ok(upload)
    }

    async fn begin_passing(&self, upload: &Arc<Upload>) -> std::result::Result<(), Halt> {
        let (custody, train) = (self.shared.custody.clone(), Arc::clone(upload));
        let key = upload.key(None);
        let change = move |transaction: &rusqlite::Transaction<'_>| {
            scans::begin_passing(transaction, &train.about.portal, &key, train.about.name.as_deref(), &train.id, now_ms())
        };
        let (fate, asked) = (blocking(move || custody.change(change)).await, self.shared.custody.clone());
        let id = kept(fate)?;
        let row = blocking(move || asked.scan(id)).await?;
        match row {
            Some(row) if row.upload == upload.id => Ok(()),
            _ => Err(Problem::new(
                StatusCode::CONFLICT,
                "Known train",
                "a train of this Idempotency-Key has begun before; go on with it, or give this one its own",
            )
            .into()),
        }
    }

    fn register(&self, id: String, about: About, file: File, length: u64) -> Arc<Upload> {
        let inside = Inside { file: tokio::fs::File::from_std(file), length, headed: false, ended: false };
        let upload = Arc::new(Upload {
            id: id.clone(),
            about,
            heard_ms: AtomicI64::new(now_ms()),
            heard: Mutex::new(Instant::now()),
            offset: AtomicI64::new(length as i64),
            comers: watch::Sender::new(0),
            inside: tokio::sync::Mutex::new(inside),
        });
        lock(&self.shared.open).insert(id, Arc::clone(&upload));
        self.tell(&upload.about.portal);
        upload
    }

    fn unregister(&self, upload: &Upload) {
        lock(&self.shared.open).remove(&upload.id);
        self.tell(&upload.about.portal);
    }

    /// How many uploads of a portal are under way.
    fn under_way(&self, portal: &str) -> usize {
        lock(&self.shared.open).values().filter(|upload| upload.about.portal == portal).count()
    }

    fn tell(&self, portal: &str) {
        ::metrics::gauge!("garita_uploads_open", "portal" => portal.to_owned()).set(self.under_way(portal) as f64);
    }

    /// Why there is no upload with this id.
    pub(crate) fn gone(&self, id: &str) -> Problem {
        let told = lock(&self.shared.given_up).iter().find(|upload| upload.id == id).map(|upload| (upload.title, upload.why.clone()));
        told.map_or_else(gone, |(title, why)| Problem::new(StatusCode::GONE, title, format!("{why}; begin anew")))
    }

    /// Bytes that are there for good; whoever writes now is ended first.
    pub(crate) async fn offset(&self, upload: &Upload) -> std::result::Result<u64, Halt> {
        upload.come();
        let inside = upload.inside.lock().await;
        self.shared.refuses_stopped()?;
        if inside.ended { Err(gone().into()) } else { Ok(inside.length) }
    }

    /// Appends `body`, of which its sender says `piece`; where that completes the upload, makes a scan of it.
    ///
    /// Runs to its end whatever becomes of the caller.
    pub(crate) async fn receive(&self, upload: Arc<Upload>, body: Body, piece: Piece) -> std::result::Result<Received, Halt> {
        let Piece { offset, completes, digest, whole } = piece;
        let elsewhere = move |there: u64| {
            let detail = format!("{there} bytes are there, and this request begins at {offset}: go on with Upload-Offset: {there}");
            Halt { problem: Problem::new(StatusCode::CONFLICT, "Another offset", detail), offset: Some(there) }
        };
        // A request of before, late over another connection, ends nobody.
        let synced = upload.offset.load(Ordering::Relaxed) as u64;
        if offset < synced {
            return Err(elsewhere(synced));
        }
        let uploads = self.clone();
        let task = tokio::spawn(async move {
            let mut turn = upload.turn().await?;
            if offset != turn.inside.length {
                return Err(elsewhere(turn.inside.length));
            }
            uploads.append(&upload, &mut turn, body, digest.as_ref()).await?;
            if !completes {
                return Ok(Received::Partly(turn.inside.length));
            }
            uploads.finish(&upload, &mut turn, Said { digest: whole, ..Said::default() }).await
        });
        task.await.unwrap_or_else(|error| Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Panicked", error.to_string()).into()))
    }

    /// Writes what comes and syncs it, whatever ends it; takes it back where all of it has come and it is not what was `said` of it.
    async fn append(&self, upload: &Arc<Upload>, turn: &mut Turn<'_>, mut body: Body, said: Option<&Digests>) -> std::result::Result<(), Halt> {
        let patience = Duration::from_secs(self.shared.limits.body_timeout_s);
        let mut stopping = self.shared.stopping.subscribe();
        let most = upload.about.length.unwrap_or(u64::MAX).min(self.shared.limits.scan_bytes);
        let (mut length, mut unasked, mut hasher) = (turn.inside.length, SPACE_EVERY, said.map(Hasher::of));
        let ended: std::result::Result<(), Problem> = loop {
            let piece = tokio::select! {
                biased;
                _ = turn.comers.changed() => break Err(overtaken()),
                _ = stopping.wait_for(|&stopping| stopping) => break Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Stopping", "the service is stopping").retry(5)),
                piece = tokio::time::timeout(patience, body.frame()) => piece,
            };
            let bytes = match piece {
                Err(_) => {
                    let detail = format!("nothing came for {} s: go on at the Upload-Offset of this answer; without one, send it again", patience.as_secs());
                    break Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "Too slow", detail));
                }
                Ok(None) => break Ok(()),
                Ok(Some(Err(_))) => break Err(Problem::new(StatusCode::BAD_REQUEST, "Body cut off", "the connection ended before the body was complete")),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => bytes,
                    Err(_) => continue,
                },
            };
            upload.hear();
            if bytes.len() as u64 > most - length.min(most) {
                let detail = match upload.about.length {
                    Some(said) if said <= most => format!("more than the {said} bytes of Upload-Length"),
                    _ => format!("more than {most} bytes (limits.scan_bytes of the site file)"),
                };
                self.call_off(upload, turn, &detail).await;
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Over a limit", detail).into());
            }
            unasked += bytes.len() as u64;
            if unasked >= SPACE_EVERY {
                unasked = 0;
                if let Err(problem) = self.refuses(0) {
                    break Err(problem);
                }
            }
            if let Err(error) = turn.inside.file.write_all(&bytes).await {
                break Err(disk(&error));
            }
            length += bytes.len() as u64;
            match &mut hasher {
                // What its first line says counts when it is known to be the sender's.
                Some(hasher) => hasher.take(&bytes),
                None if upload.about.kind == Kind::Columns && !turn.inside.headed => {
                    if let Err(error) = turn.inside.file.flush().await {
                        break Err(disk(&error));
                    }
                    self.look_for_head(upload, turn).await?;
                }
                None => {}
            }
        };
        if ended.is_ok() && said.zip(hasher).is_some_and(|(said, hasher)| !said.are(&hasher.found())) {
            let there = turn.inside.length;
            turn.take_back(&self.shared).await?;
            let message =
                format!("the bytes are not those that Content-Digest speaks of: they changed on the way; send them again with Upload-Offset: {there}");
            let problem = Error::new(Fault::Damaged, message).in_(format!("portal {}", upload.about.portal)).into();
            return Err(Halt { problem, offset: Some(there) });
        }
        if let Err(problem) = turn.sync(&self.shared, upload).await {
            return Err(Halt { problem, offset: Some(turn.inside.length) });
        }
        if said.is_some() && upload.about.kind == Kind::Columns && !turn.inside.headed {
            self.look_for_head(upload, turn).await?;
        }
        ended.map_err(|problem| Halt { problem, offset: Some(turn.inside.length) })
    }

    /// Looks whether the first line of columns has come; refuses them where it is none.
    async fn look_for_head(&self, upload: &Arc<Upload>, turn: &mut Turn<'_>) -> std::result::Result<(), Halt> {
        let path = self.shared.path(&upload.id, Kind::Columns);
        match blocking(move || stream::head(&path)).await {
            Ok(Some(_)) => {
                turn.inside.headed = true;
                self.shared.waker.wake();
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => {
                self.end(upload, turn).await;
                Err(Error::new(error.fault, error.message).in_(format!("portal {}", upload.about.portal)).into())
            }
        }
    }

    /// Whether nothing can be taken now, with `bytes` to come.
    pub(crate) fn refuses(&self, bytes: u64) -> std::result::Result<(), Problem> {
        let shared = &self.shared;
        if *shared.stopping.borrow() {
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Stopping", "the service is stopping").retry(5));
        }
        shared.refuses_stopped()?;
        let space = rustix::fs::statvfs(&shared.folder).map_err(|error| disk(&error.into()))?;
        if (space.f_bavail * space.f_frsize).saturating_sub(bytes) < shared.limits.free_bytes {
            return Err(full(format!("less than {} bytes would stay free (limits.free_bytes of the site file)", shared.limits.free_bytes)));
        }
        Ok(())
    }
}

/// No such upload.
fn gone() -> Problem {
    let detail = "it was finished, deleted, or never begun: begin anew; what has the same Idempotency-Key is kept once";
    Problem::new(StatusCode::NOT_FOUND, "No such upload", detail)
}

/// A newer request has come, and may write.
fn overtaken() -> Problem {
    let detail = "a newer request for this upload came: leave it to that one, or go on where HEAD says";
    Problem::new(StatusCode::CONFLICT, "Another request", detail)
}

fn full(detail: String) -> Problem {
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "Disk full", detail).retry(30)
}

fn stopped(why: String) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Store stopped", why).retry(30)
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

fn disk(error: &std::io::Error) -> Problem {
    match is_full(error) {
        true => full("the disk is full: go on later at the Upload-Offset of this answer; without one, send it again whole".to_owned()),
        false => Error::new(Fault::Machine, error.to_string()).in_("uploads").into(),
    }
}

/// What a fate means to a sender.
pub(crate) fn kept(fate: Fate) -> std::result::Result<i64, Problem> {
    match fate {
        Fate::Kept(id) => Ok(id),
        Fate::Full(why) => Err(full(why)),
        Fate::Stopped(why) => Err(stopped(why)),
        Fate::Failed(error) => Err(error.into()),
    }
}

/// Runs what waits for a disk where nobody else waits for it.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
