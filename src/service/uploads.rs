//! Uploads under way: files that grow in `uploads/`, over as many connections as it takes, until they are scans.
//!
//! An upload is `ID.part` (a scan's file) or `ID.stream` (columns while the train passes) and `ID.upload`, what is known of it, which is there first.
//!
//! 1. *An offset that was told is synced.* Whatever ends a request (its end, a cut, silence, a stop), what came is synced before anything is said of it.
//! 2. *The file's length is the offset.* After a start it is synced once more, and counts.
//! 3. *One request at a time writes.* A newcomer ends the one before it: over a bad link that one is dead and does not know.
//! 4. *A scan is complete, its digest compared and its file synced under its second name in `scans/` before its row; the upload goes after the commit.*
//! 5. *What is not finished goes* when nothing has come for `retention.uploads_s`; a train whose columns stop coming for its portal's
//!    `silence_s` is taken to have passed, and what came of it is kept: its cars were told.
//!
//! Nothing is held in memory but the piece that is being written. The digest is taken of the file when it is complete: of what lies there, not of what went by.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;

use super::door::now_ms;
use super::problem::Problem;
use crate::custody::evidence::{Sha, hex};
use crate::custody::record::Fate;
use crate::custody::scans::{self, NewScan, ScanRow};
use crate::custody::{Custody, State};
use crate::error::{Error, Fault, Result};
use crate::pipeline::portals::Waker;
use crate::rail::scan::{stream, tiff};
use crate::site::Limits;

/// Uploads that may be under way at once, half ones included.
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
    /// The SHA-256 that its sender says it will have.
    pub(crate) digest: Option<Sha>,
    /// Bytes that there will be.
    pub(crate) length: Option<u64>,
}

/// What comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// One upload.
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) about: About,
    /// When something came last, milliseconds since the Unix epoch.
    pub(crate) heard_ms: AtomicI64,
    /// Bytes that are synced.
    pub(crate) offset: AtomicI64,
    /// Requests that have come for it; the newest may write.
    comers: watch::Sender<u64>,
    inside: tokio::sync::Mutex<Inside>,
}

struct Inside {
    file: tokio::fs::File,
    /// Bytes that are synced.
    length: u64,
    /// The first line of a stream is there and right.
    headed: bool,
    ended: bool,
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

/// What is said of an upload when it is complete.
#[derive(Debug, Default)]
struct Said {
    /// The SHA-256 that it has.
    digest: Option<Sha>,
    /// Why it ends before the train did.
    cut_short: Option<String>,
    /// The train's list.
    consist: Option<String>,
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
    stopping: watch::Sender<bool>,
}

impl Uploads {
    /// Takes up what was under way when the service ended.
    pub(crate) fn open(custody: &Custody, limits: Limits, waker: Waker) -> Result<Uploads> {
        let (folder, scans) = (custody.folder().join("uploads"), custody.folder().join("scans"));
        let shared = Shared { folder, scans, custody: custody.clone(), limits, waker, open: Mutex::default(), stopping: watch::Sender::new(false) };
        let uploads = Uploads { shared: Arc::new(shared) };
        uploads.recover()?;
        Ok(uploads)
    }

    fn recover(&self) -> Result<()> {
        let shared = &self.shared;
        let said = |error: std::io::Error| Error::io(&error).in_(shared.folder.display());
        let mut kept = Vec::new();
        for file in std::fs::read_dir(&shared.folder).map_err(said)? {
            let path = file.map_err(said)?.path();
            let about = path.extension().is_some_and(|ending| ending == "upload").then(|| std::fs::read(&path).map_err(said)).transpose()?;
            if let Some(about) = about.and_then(|text| serde_json::from_slice::<About>(&text).ok())
                && let Some(id) = path.file_stem().and_then(|stem| stem.to_str())
                && self.goes_on(id, &about)?
            {
                kept.push((id.to_owned(), about));
            }
        }
        for file in std::fs::read_dir(&shared.folder).map_err(said)? {
            let path = file.map_err(said)?.path();
            if !kept.iter().any(|(id, _)| path.file_stem().is_some_and(|stem| stem == id.as_str())) {
                std::fs::remove_file(&path).map_err(said)?;
            }
        }
        for (id, about) in kept {
            let path = shared.path(&id, about.kind);
            let file = File::options().append(true).open(&path).map_err(said)?;
            file.sync_all().map_err(said)?;
            let length = file.metadata().map_err(said)?.len();
            self.register(id, about, file, length);
        }
        let lost = shared.custody.passing_scans()?.into_iter().filter(|row| self.get(&row.upload).is_none());
        for row in lost {
            tracing::error!(portal = row.portal, scan = row.id, "the file of a passing train is gone from uploads/: the train is given up");
            scans::kept(shared.custody.change(move |transaction| scans::give_up_passing(transaction, &row.upload)))?;
        }
        Ok(())
    }

    /// Whether what is in `uploads/` is still to be finished: not a scan already, and a train only if it has its row.
    fn goes_on(&self, id: &str, about: &About) -> Result<bool> {
        let row = self.shared.custody.scan_of_upload(id)?;
        let there = self.shared.path(id, about.kind).is_file();
        Ok(there && if about.kind == Kind::Columns { row.is_some_and(|row| row.file.is_none()) } else { row.is_none() })
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
        if lock(&self.shared.open).len() >= MOST_UPLOADS {
            let detail = format!("{MOST_UPLOADS} uploads are under way; finish or DELETE some");
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
            offset: AtomicI64::new(length as i64),
            comers: watch::Sender::new(0),
            inside: tokio::sync::Mutex::new(inside),
        });
        lock(&self.shared.open).insert(id, Arc::clone(&upload));
        upload
    }

    /// Bytes that are there for good; whoever writes now is ended first.
    pub(crate) async fn offset(&self, upload: &Upload) -> std::result::Result<u64, Halt> {
        upload.come();
        let inside = upload.inside.lock().await;
        if inside.ended { Err(gone().into()) } else { Ok(inside.length) }
    }

    /// Appends `body` at `offset`; where that `completes` it, makes a scan of it. `digest`: what the sender says of the whole.
    ///
    /// Runs to its end whatever becomes of the caller.
    pub(crate) async fn receive(
        &self,
        upload: Arc<Upload>,
        offset: u64,
        body: Body,
        completes: bool,
        digest: Option<Sha>,
    ) -> std::result::Result<Received, Halt> {
        let elsewhere = move |there: u64| {
            let detail = format!("{there} bytes are there, the request begins at {offset}");
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
            uploads.append(&upload, &mut turn, body).await?;
            if !completes {
                return Ok(Received::Partly(turn.inside.length));
            }
            uploads.finish(&upload, &mut turn, Said { digest, ..Said::default() }).await
        });
        task.await.unwrap_or_else(|error| Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Panicked", error.to_string()).into()))
    }

    /// Writes what comes and syncs it, whatever ends it.
    async fn append(&self, upload: &Arc<Upload>, turn: &mut Turn<'_>, mut body: Body) -> std::result::Result<(), Halt> {
        let patience = Duration::from_secs(self.shared.limits.body_timeout_s);
        let mut stopping = self.shared.stopping.subscribe();
        let most = upload.about.length.unwrap_or(u64::MAX).min(self.shared.limits.scan_bytes);
        let (mut length, mut unasked) = (turn.inside.length, SPACE_EVERY);
        let ended: std::result::Result<(), Problem> = loop {
            let piece = tokio::select! {
                biased;
                _ = turn.comers.changed() => break Err(Problem::new(StatusCode::CONFLICT, "Another request", "a newer request for this upload came")),
                _ = stopping.wait_for(|&stopping| stopping) => break Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Stopping", "the service is stopping").retry(5)),
                piece = tokio::time::timeout(patience, body.frame()) => piece,
            };
            let bytes = match piece {
                Err(_) => break Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "Too slow", format!("nothing came for {} s", patience.as_secs()))),
                Ok(None) => break Ok(()),
                Ok(Some(Err(_))) => break Err(Problem::new(StatusCode::BAD_REQUEST, "Body cut off", "the connection ended before the body was complete")),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => bytes,
                    Err(_) => continue,
                },
            };
            upload.heard_ms.store(now_ms(), Ordering::Relaxed);
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
            if upload.about.kind == Kind::Columns && !turn.inside.headed {
                if let Err(error) = turn.inside.file.flush().await {
                    break Err(disk(&error));
                }
                let path = self.shared.path(&upload.id, Kind::Columns);
                match blocking(move || stream::head(&path)).await {
                    Ok(Some(_)) => {
                        turn.inside.headed = true;
                        self.shared.waker.wake();
                    }
                    Ok(None) => {}
                    Err(error) => {
                        self.end(upload, turn).await;
                        return Err(Error::new(error.fault, error.message).in_(format!("portal {}", upload.about.portal)).into());
                    }
                }
            }
        };
        if let Err(problem) = turn.sync(upload).await {
            return Err(Halt { problem, offset: Some(turn.inside.length) });
        }
        ended.map_err(|problem| Halt { problem, offset: Some(turn.inside.length) })
    }

    /// Makes a scan of a complete upload.
    async fn finish(&self, upload: &Arc<Upload>, turn: &mut Turn<'_>, said: Said) -> std::result::Result<Received, Halt> {
        let length = turn.inside.length;
        let goes_on = |problem| Halt { problem, offset: Some(length) };
        if let Some(said) = upload.about.length.filter(|&said| said != length) {
            let detail = format!("{length} of the {said} bytes of Upload-Length are there");
            return Err(goes_on(Problem::new(StatusCode::BAD_REQUEST, "Not complete", detail)));
        }
        if length == 0 {
            self.end(upload, turn).await;
            return Err(Error::new(Fault::Damaged, "the scan is empty").in_(format!("portal {}", upload.about.portal)).into());
        }
        let (shared, hashed) = (Arc::clone(&self.shared), Arc::clone(upload));
        let (found, ending) = blocking(move || shared.hash(&hashed)).await.map_err(|error| goes_on(disk(&error)))?;
        if [said.digest, upload.about.digest].into_iter().flatten().any(|said| said != found) {
            self.end(upload, turn).await;
            let message = "the bytes are not those that the digest speaks of: they changed on the way; send the scan again";
            return Err(Error::new(Fault::Damaged, message).in_(format!("portal {}", upload.about.portal)).into());
        }
        let file = format!("{}.{ending}", upload.id);
        let (shared, named, name) = (Arc::clone(&self.shared), Arc::clone(upload), file.clone());
        blocking(move || shared.name(&named, &name)).await.map_err(|error| goes_on(disk(&error)))?;
        let scan = NewScan {
            portal: upload.about.portal.clone(),
            key: upload.key(Some(&found)),
            name: upload.about.name.clone(),
            upload: upload.id.clone(),
            file: (file.clone(), found, length),
            cut_short: said.cut_short,
            consist: said.consist,
            now_ms: now_ms(),
        };
        let (custody, kind) = (self.shared.custody.clone(), upload.about.kind);
        let change = move |transaction: &rusqlite::Transaction<'_>| match kind {
            Kind::Scan => scans::insert(transaction, &scan),
            Kind::Columns => scans::end_passing(transaction, &scan),
        };
        let fate = blocking(move || custody.change(change)).await;
        let id = kept(fate).map_err(goes_on)?;
        let custody = self.shared.custody.clone();
        let row = blocking(move || custody.scan(id)).await?.ok_or_else(|| Error::new(Fault::Machine, "the scan's row is gone"))?;
        self.end(upload, turn).await;
        if row.upload == upload.id {
            self.shared.waker.wake();
            return Ok(Received::Whole(Box::new(row), false));
        }
        // The portal has it already: the other file is nobody's.
        let path = self.shared.scans.join(file);
        let _ = blocking(move || std::fs::remove_file(path)).await;
        if row.digest == Some(found) {
            return Ok(Received::Whole(Box::new(row), true));
        }
        Err(Error::new(Fault::Caller, "this Idempotency-Key has come with other bytes before; give each scan its own")
            .in_(format!("portal {}", row.portal))
            .into())
    }

    /// Takes an upload away; what came of a train is kept.
    pub(crate) async fn forget(&self, upload: &Arc<Upload>, why: &str) {
        if let Ok(mut turn) = upload.turn().await {
            self.call_off(upload, &mut turn, why).await;
        }
    }

    /// Nothing more will come: half a file is nothing, half a train is what passed of it.
    async fn call_off(&self, upload: &Arc<Upload>, turn: &mut Turn<'_>, why: &str) {
        if upload.about.kind == Kind::Scan || turn.sync(upload).await.is_err() || turn.inside.length == 0 {
            return self.end(upload, turn).await;
        }
        if let Err(halt) = self.finish(upload, turn, Said { cut_short: Some(why.to_owned()), ..Said::default() }).await {
            tracing::warn!(portal = upload.about.portal, upload = upload.id, problem = halt.problem.detail, "a train that ended early is not kept yet");
        }
    }

    /// The upload is over: its files go, and a train that is no scan by now.
    async fn end(&self, upload: &Upload, turn: &mut Turn<'_>) {
        turn.inside.ended = true;
        lock(&self.shared.open).remove(&upload.id);
        let (shared, id, kind) = (Arc::clone(&self.shared), upload.id.clone(), upload.about.kind);
        blocking(move || {
            if kind == Kind::Columns {
                let train = id.clone();
                shared.custody.change(move |transaction| scans::give_up_passing(transaction, &train));
            }
            for path in [shared.path(&id, kind), shared.folder.join(format!("{id}.upload"))] {
                if let Err(error) = std::fs::remove_file(&path) {
                    tracing::warn!(file = %path.display(), %error, "an upload that is over could not be deleted");
                }
            }
        })
        .await;
    }

    /// Ends what nothing has come of for too long: half scans go, trains have passed. To be called every few seconds.
    pub(crate) async fn expire(&self, now_ms: i64, keep_s: u64, silence_s: impl Fn(&str) -> u64) {
        for upload in self.all() {
            let silent_s = (now_ms - upload.heard_ms.load(Ordering::Relaxed)).max(0) as u64 / 1000;
            let patience = match upload.about.kind {
                Kind::Scan => keep_s,
                Kind::Columns => silence_s(&upload.about.portal),
            };
            // Somebody who is writing is not silent: the turn would end it.
            if silent_s <= patience || upload.inside.try_lock().is_err() {
                continue;
            }
            let Ok(mut turn) = upload.turn().await else { continue };
            tracing::warn!(portal = upload.about.portal, upload = upload.id, silent_s, bytes = turn.inside.length, "an upload is given up");
            let why = format!("its columns stopped coming, and for {patience} s nobody said that the train has passed");
            self.call_off(&upload, &mut turn, &why).await;
        }
    }

    /// Copies the file at `path` in as one upload, with the train's list if there is one. For files that come by another way than HTTP; blocks.
    pub(crate) fn copy(&self, about: About, path: &Path, consist: Option<String>) -> std::result::Result<Received, Halt> {
        let runtime = tokio::runtime::Handle::current();
        let length = std::fs::metadata(path).map_err(|error| Error::io(&error).in_(path.display()))?.len();
        if length > self.shared.limits.scan_bytes {
            let message = format!("{length} bytes, more than {} (limits.scan_bytes of the site file)", self.shared.limits.scan_bytes);
            return Err(Error::new(Fault::Limit, message).in_(path.display()).into());
        }
        let mut from = File::open(path).map_err(|error| Error::io(&error).in_(path.display()))?;
        let upload = runtime.block_on(self.create(About { length: None, ..about }))?;
        let copied = File::options().append(true).open(self.shared.path(&upload.id, upload.about.kind)).and_then(|mut to| {
            let copied = std::io::copy(&mut (&mut from).take(length), &mut to)?;
            to.sync_all().map(|()| copied)
        });
        runtime.block_on(async {
            let mut turn = upload.turn().await?;
            match copied {
                Ok(copied) => turn.inside.length = copied,
                Err(error) => {
                    self.end(&upload, &mut turn).await;
                    return Err(disk(&error).into());
                }
            }
            let finished = self.finish(&upload, &mut turn, Said { consist, ..Said::default() }).await;
            if finished.is_err() && !turn.inside.ended {
                self.end(&upload, &mut turn).await;
            }
            finished
        })
    }

    /// Whether nothing can be taken now, with `bytes` to come.
    pub(crate) fn refuses(&self, bytes: u64) -> std::result::Result<(), Problem> {
        let shared = &self.shared;
        if *shared.stopping.borrow() {
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Stopping", "the service is stopping").retry(5));
        }
        if let State::Stopped(why) = shared.custody.state() {
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Store stopped", why).retry(30));
        }
        let space = rustix::fs::statvfs(&shared.folder).map_err(|error| disk(&error.into()))?;
        if (space.f_bavail * space.f_frsize).saturating_sub(bytes) < shared.limits.free_bytes {
            return Err(full(format!("less than {} bytes would stay free (limits.free_bytes of the site file)", shared.limits.free_bytes)));
        }
        Ok(())
    }
}

impl Shared {
    fn path(&self, id: &str, kind: Kind) -> PathBuf {
        self.folder.join(format!("{id}.{}", kind.ending()))
    }

    /// Makes an upload's two files, for good.
    fn begin(&self, id: &str, about: &About) -> std::result::Result<File, Problem> {
        let begun = (|| {
            let note = self.folder.join(format!("{id}.tmp"));
            std::fs::write(&note, serde_json::to_vec(about).expect("plain data"))?;
            File::open(&note)?.sync_all()?;
            let file = File::options().append(true).create_new(true).open(self.path(id, about.kind))?;
            std::fs::rename(&note, self.folder.join(format!("{id}.upload")))?;
            File::open(&self.folder)?.sync_all()?;
            Ok(file)
        })();
        begun.map_err(|error: std::io::Error| {
            for ending in ["tmp", "upload", about.kind.ending()] {
                let _ = std::fs::remove_file(self.folder.join(format!("{id}.{ending}")));
            }
            disk(&error)
        })
    }

    /// The SHA-256 of an upload's file, and how a file of its kind is called.
    fn hash(&self, upload: &Upload) -> std::io::Result<(Sha, &'static str)> {
        let mut file = File::open(self.path(&upload.id, upload.about.kind))?;
        let (mut hash, mut piece, mut ending) = (Sha256::new(), vec![0; 256 << 10], None);
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            ending.get_or_insert_with(|| ending_of(&piece[..read], upload.about.kind));
            hash.update(&piece[..read]);
        }
        Ok((hash.finalize().into(), ending.unwrap_or("bin")))
    }

    /// Gives an upload's file its second name, in `scans/`, for good.
    fn name(&self, upload: &Upload, name: &str) -> std::io::Result<()> {
        match std::fs::hard_link(self.path(&upload.id, upload.about.kind), self.scans.join(name)) {
            // From an attempt that the store refused.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            linked => linked?,
        }
        File::open(&self.scans)?.sync_all()
    }
}

/// How files that begin like this are called; [`crate::rail::scan::Scan::open`] goes by what is in them, except for a stream.
fn ending_of(beginning: &[u8], kind: Kind) -> &'static str {
    match kind {
        Kind::Columns => "stream",
        Kind::Scan if tiff::is_tiff(beginning) => "tif",
        Kind::Scan if beginning.starts_with(b"\x89PNG") => "png",
        Kind::Scan if matches!(stream::Head::parse(beginning), Ok(Some(_))) => "stream",
        Kind::Scan => "bin",
    }
}

/// The right to write to an upload, until a newer request comes.
struct Turn<'a> {
    inside: tokio::sync::MutexGuard<'a, Inside>,
    comers: watch::Receiver<u64>,
}

impl Turn<'_> {
    /// Makes what was written durable. Where that fails, what was durable before is all that there is.
    async fn sync(&mut self, upload: &Upload) -> std::result::Result<(), Problem> {
        let inside = &mut *self.inside;
        // Space may have run out in the middle of a piece: what fits of it is there.
        let flushed = inside.file.flush().await;
        let synced = inside.file.sync_data().await;
        let length = inside.file.metadata().await.map(|metadata| metadata.len());
        match (synced, length) {
            (Ok(()), Ok(length)) => {
                inside.length = length;
                upload.offset.store(length as i64, Ordering::Relaxed);
                flushed.map_err(|error| disk(&error))
            }
            (synced, length) => {
                let _ = inside.file.set_len(inside.length).await;
                Err(disk(&synced.err().or(length.err()).unwrap_or_else(|| std::io::Error::other("the upload's file could not be synced"))))
            }
        }
    }
}

impl Upload {
    /// Ends whoever writes now; answers which comer this is.
    fn come(&self) -> u64 {
        let mut mine = 0;
        self.comers.send_modify(|comers| {
            *comers += 1;
            mine = *comers;
        });
        mine
    }

    /// Waits for its turn, ending whoever has it.
    async fn turn(&self) -> std::result::Result<Turn<'_>, Halt> {
        let mine = self.come();
        let inside = self.inside.lock().await;
        let mut comers = self.comers.subscribe();
        if inside.ended {
            return Err(gone().into());
        }
        if *comers.borrow_and_update() != mine {
            let problem = Problem::new(StatusCode::CONFLICT, "Another request", "a newer request for this upload came");
            return Err(Halt { problem, offset: Some(inside.length) });
        }
        Ok(Turn { inside, comers })
    }

    fn key(&self, digest: Option<&Sha>) -> Sha {
        match (self.about.key, digest) {
            (Some(key), _) => key,
            (None, Some(digest)) if self.about.kind == Kind::Scan => key_of_contents(digest),
            _ => crate::custody::evidence::sha256(format!("upload {}", self.id).as_bytes()),
        }
    }
}

/// The key of a scan that its sender calls `name`.
pub(crate) fn key_of_name(name: &str) -> Sha {
    crate::custody::evidence::sha256(format!("key {name}").as_bytes())
}

/// The key of a scan without a name.
pub(crate) fn key_of_contents(digest: &Sha) -> Sha {
    crate::custody::evidence::sha256(format!("scan {}", hex(digest)).as_bytes())
}

/// No such upload.
pub(crate) fn gone() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "No such upload", "it was finished, deleted, or never begun")
}

fn full(detail: String) -> Problem {
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "Disk full", detail).retry(30)
}

fn disk(error: &std::io::Error) -> Problem {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => full("the disk is full; what came before that is there".to_owned()),
        _ => Error::new(Fault::Machine, error.to_string()).in_("uploads").into(),
    }
}

/// What a fate means to a sender.
pub(crate) fn kept(fate: Fate) -> std::result::Result<i64, Problem> {
    match fate {
        Fate::Kept(id) => Ok(id),
        Fate::Full(why) => Err(full(why)),
        Fate::Stopped(why) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Store stopped", why).retry(30)),
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
