//! How uploads end: as scans, called off, silent for too long; and what a restart finds of them.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;

use super::turn::{Turn, Upload};
use super::{About, Halt, Kind, Received, Uploads, blocking, disk, kept, lock};
use crate::custody::evidence::Sha;
use crate::custody::record::Fate;
use crate::custody::scans::{self, NewScan};
use crate::error::{Error, Fault, Result};
use crate::service::door::now_ms;
use crate::service::problem::Problem;

/// What is said of an upload when it is complete.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The SHA-256 that it has.
    pub(super) digest: Option<Sha>,
    /// Why it ends before the train did.
    pub(super) cut_short: Option<String>,
    /// The train's list.
    pub(super) consist: Option<String>,
}

impl Uploads {
    /// Takes up what was under way when the service ended.
    pub(super) fn recover(&self) -> Result<()> {
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

    /// Makes a scan of a complete upload.
    pub(super) async fn finish(&self, upload: &Arc<Upload>, turn: &mut Turn<'_>, said: Said) -> std::result::Result<Received, Halt> {
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
        if matches!(fate, Fate::Full(_) | Fate::Failed(_)) {
            // Rolled back: without a row it is nobody's. (After a stop nobody knows; the next start does.)
            let path = self.shared.scans.join(&file);
            let _ = blocking(move || std::fs::remove_file(path)).await;
        }
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
    pub(super) async fn call_off(&self, upload: &Arc<Upload>, turn: &mut Turn<'_>, why: &str) {
        if upload.about.kind == Kind::Scan || turn.sync(upload).await.is_err() || turn.inside.length == 0 {
            return self.end(upload, turn).await;
        }
        if let Err(halt) = self.finish(upload, turn, Said { cut_short: Some(why.to_owned()), ..Said::default() }).await {
            tracing::warn!(portal = upload.about.portal, upload = upload.id, problem = halt.problem.detail, "a train that ended early is not kept yet");
        }
    }

    /// The upload is over: its files go, and a train that is no scan by now.
    pub(super) async fn end(&self, upload: &Upload, turn: &mut Turn<'_>) {
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
}
