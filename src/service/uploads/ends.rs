//! How uploads end: as scans, called off, silent for too long; and what a restart finds of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;

use super::turn::{Turn, Upload};
use super::{About, GivenUp, Halt, Kind, MOST_UPLOADS, Received, Uploads, blocking, disk, kept, lock};
use crate::custody::record::Fate;
use crate::custody::scans::{self, NewScan};
use crate::custody::{State, strays};
use crate::error::{Error, Fault, Result};
use crate::service::door::now_ms;
use crate::service::fields::Digests;
use crate::service::problem::Problem;

/// What is said of an upload when it is complete.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The digests that it has.
    pub(super) digest: Option<Digests>,
    /// Why it ends before the train did.
    pub(super) cut_short: Option<String>,
    /// The train's list.
    pub(super) consist: Option<String>,
}

/// Where an upload stands that the last run left.
enum Standing {
    /// More of it is to come.
    GoesOn(About),
    /// It is a scan by now, was called off, or had not begun.
    Over,
    /// It is neither.
    Unknown(&'static str),
}

impl Uploads {
    /// Takes up what was under way when the service ended. Deletes what is over, and what had not begun; what else is no upload may be what somebody was told is
    /// there: it stays, and the log says so.
    pub(super) fn recover(&self) -> Result<()> {
        let shared = &self.shared;
        let said = |error: std::io::Error| Error::io(&error).in_(shared.folder.display());
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in std::fs::read_dir(&shared.folder).map_err(said)? {
            let name = file.map_err(said)?.file_name();
            match name.to_str().and_then(strays::upload_file) {
                Some((id, ending)) => found.entry(id.to_owned()).or_default().push(ending.to_owned()),
                None => tracing::error!(file = %shared.folder.join(&name).display(), "is nothing of an upload: it is left, and `garita check` names it"),
            }
        }
        for (id, endings) in found {
            match self.standing(&id, &endings)? {
                Standing::GoesOn(about) => {
                    let path = shared.path(&id, about.kind);
                    let file = File::options().append(true).open(&path).map_err(said)?;
                    file.sync_all().map_err(said)?;
                    let length = file.metadata().map_err(said)?.len();
                    self.register(id, about, file, length);
                }
                Standing::Over => {
                    let train = id.clone();
                    let given_up = shared.custody.change(move |transaction| scans::give_up_passing(transaction, &train));
                    if !matches!(given_up, Fate::Kept(_)) {
                        tracing::warn!(upload = id, ?given_up, "an upload that is over could not be taken away; the next start does it");
                        continue;
                    }
                    // What says that it is over goes last.
                    for ending in strays::UPLOAD_ENDINGS.iter().filter(|ending| endings.iter().any(|there| there == *ending)) {
                        std::fs::remove_file(shared.folder.join(format!("{id}.{ending}"))).map_err(said)?;
                    }
                }
                Standing::Unknown(why) => {
                    tracing::error!(upload = id, folder = %shared.folder.display(), "an upload cannot go on, and is left: {why}; `garita check` names it");
                }
            }
        }
        let lost = shared.custody.passing_scans()?.into_iter().filter(|row| self.get(&row.upload).is_none());
        for row in lost {
            tracing::error!(portal = row.portal, scan = row.id, "the file of a passing train is gone from uploads/: the train is given up");
            scans::kept(shared.custody.change(move |transaction| scans::give_up_passing(transaction, &row.upload)))?;
        }
        Ok(())
    }

    /// Where an upload stands whose files end so.
    fn standing(&self, id: &str, endings: &[String]) -> Result<Standing> {
        let shared = &self.shared;
        let there = |ending: &str| endings.iter().any(|there| there == ending);
        let bytes = |kind: Kind| std::fs::metadata(shared.path(id, kind)).map_or(0, |found| found.len());
        if there("over") {
            return Ok(Standing::Over);
        }
        if !there("upload") {
            // What is known of it is there before anything comes.
            let begun = bytes(Kind::Scan) + bytes(Kind::Columns) > 0;
            return Ok(if begun { Standing::Unknown("nothing is known of what came") } else { Standing::Over });
        }
        let note = shared.folder.join(format!("{id}.upload"));
        let text = std::fs::read(&note).map_err(|error| Error::io(&error).in_(note.display()))?;
        let Ok(about) = serde_json::from_slice::<About>(&text) else { return Ok(Standing::Unknown("what is known of it is damaged")) };
        if !there(about.kind.ending()) {
            if about.kind == Kind::Columns {
                tracing::error!(portal = about.portal, upload = id, "the columns of a passing train are gone from uploads/: the train is given up");
            }
            return Ok(Standing::Over);
        }
        Ok(match (shared.custody.scan_of_upload(id)?, about.kind) {
            (None, Kind::Scan) => Standing::GoesOn(about),
            (None, Kind::Columns) if bytes(Kind::Columns) == 0 => Standing::Over,
            (None, Kind::Columns) => Standing::Unknown("no row knows the train whose columns these are"),
            (Some(row), _) => match row.file {
                None => Standing::GoesOn(about),
                Some(file) if shared.scans.join(&file).is_file() => Standing::Over,
                Some(_) => Standing::Unknown("it is a scan, but that one's file is gone: this may be the only copy"),
            },
        })
    }

    /// Makes a scan of a complete upload.
    pub(super) async fn finish(&self, upload: &Arc<Upload>, turn: &mut Turn<'_>, said: Said) -> std::result::Result<Received, Halt> {
        let length = turn.inside.length;
        let goes_on = |problem| Halt { problem, offset: Some(length) };
        if let Some(said) = upload.about.length.filter(|&said| said != length) {
            let detail =
                format!("{length} of the {said} bytes of Upload-Length came: go on at the Upload-Offset of this answer; without one, send it again whole");
            return Err(goes_on(Problem::new(StatusCode::BAD_REQUEST, "Not complete", detail)));
        }
        if length == 0 {
            self.end(upload, turn).await;
            return Err(Error::new(Fault::Damaged, "the scan is empty").in_(format!("portal {}", upload.about.portal)).into());
        }
        let (shared, hashed, digests) = (Arc::clone(&self.shared), Arc::clone(upload), [said.digest.as_ref(), upload.about.digest.as_ref()]);
        let long = digests.into_iter().flatten().any(|said| said.sha512.is_some());
        let (found, sha512, ending) = blocking(move || shared.hash(&hashed, long)).await.map_err(|error| goes_on(disk(&error)))?;
        let there = Digests { sha256: Some(found), sha512 };
        if digests.into_iter().flatten().any(|said| !said.are(&there)) {
            self.end(upload, turn).await;
            let message = "the bytes are not those that the digest speaks of: they changed on the way; send the scan again";
            return Err(Error::new(Fault::Damaged, message).in_(format!("portal {}", upload.about.portal)).into());
        }
        let file = format!("{}.{ending}", upload.id);
        let (shared, named, name) = (Arc::clone(&self.shared), Arc::clone(upload), file.clone());
        blocking(move || shared.name(&named, &name)).await.map_err(goes_on)?;
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
            // Rolled back.
            let (shared, file) = (Arc::clone(&self.shared), file.clone());
            blocking(move || shared.unname(&file)).await;
        }
        let id = kept(fate).map_err(goes_on)?;
        let custody = self.shared.custody.clone();
        let row = blocking(move || custody.scan(id)).await?.ok_or_else(|| Error::new(Fault::Machine, "the scan's row is gone"))?;
        if row.upload == upload.id {
            self.end(upload, turn).await;
            self.shared.waker.wake();
            return Ok(Received::Whole(Box::new(row), false));
        }
        // The portal has it already. The second name goes first: alone it would look like a scan whose row is missing.
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.unname(&file)).await;
        self.end(upload, turn).await;
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
        let synced = match upload.about.kind {
            Kind::Scan => return self.end(upload, turn).await,
            Kind::Columns => turn.sync(&self.shared, upload).await,
        };
        if synced.is_ok() && turn.inside.length == 0 {
            return self.end(upload, turn).await;
        }
        let said = Said { cut_short: Some(why.to_owned()), ..Said::default() };
        let finished = match synced {
            Ok(()) => self.finish(upload, turn, said).await.map(|_| ()),
            Err(problem) => Err(problem.into()),
        };
        if let Err(halt) = finished {
            tracing::warn!(portal = upload.about.portal, upload = upload.id, problem = halt.problem.detail, "a train that ended early is not kept yet");
        }
    }

    /// The upload is over: its files go, and a train that is no scan by now.
    pub(super) async fn end(&self, upload: &Upload, turn: &mut Turn<'_>) {
        turn.inside.ended = true;
        self.unregister(upload);
        let (shared, id, kind, empty) = (Arc::clone(&self.shared), upload.id.clone(), upload.about.kind, turn.inside.length == 0);
        blocking(move || {
            // After a failed sync nobody knows which rows there are: no file may go.
            if let State::Stopped(_) = shared.custody.state() {
                return;
            }
            let (mut note, over) = (shared.folder.join(format!("{id}.upload")), shared.folder.join(format!("{id}.over")));
            if kind == Kind::Columns {
                // Its row goes before its bytes: a start in between must not take them for somebody's.
                if !empty && let Err(problem) = shared.rename(&note, &over) {
                    tracing::warn!(upload = id, ?problem, "a train that is over could not be taken away; the next start does it");
                    return;
                }
                let train = id.clone();
                let fate = shared.custody.change(move |transaction| scans::give_up_passing(transaction, &train));
                if !empty && !matches!(fate, Fate::Kept(_)) {
                    tracing::warn!(upload = id, ?fate, "a train that is over could not be taken away; the next start does it");
                    return;
                }
                note = if empty { note } else { over };
            }
            for path in [shared.path(&id, kind), note] {
                if let Err(error) = std::fs::remove_file(&path) {
                    tracing::warn!(file = %path.display(), %error, "an upload that is over could not be deleted");
                }
            }
        })
        .await;
    }

    /// Where as many uploads of a portal are under way as may be, the one that has been silent longest gives way, trains last. Answers whether there is a place.
    pub(super) async fn make_room(&self, portal: &str) -> bool {
        // Several: those that begin at one instant do not see each other.
        for _ in 0..16 {
            let uploads: Vec<_> = self.all().into_iter().filter(|upload| upload.about.portal == portal).collect();
            if uploads.len() < MOST_UPLOADS {
                return true;
            }
            // Somebody who is writing is not silent.
            let silent = uploads.into_iter().filter(|upload| upload.inside.try_lock().is_ok());
            let longest = silent.min_by_key(|upload| (upload.about.kind == Kind::Columns, upload.heard()));
            let Some(upload) = longest else { return false };
            let Ok(mut turn) = upload.turn().await else { continue };
            let silent_s = upload.heard().elapsed().as_secs();
            let why = format!(
                "{MOST_UPLOADS} uploads of portal {portal} were under way, and of this one nothing had come for {silent_s} s: it gave way to a newer one"
            );
            tracing::warn!(portal, upload = upload.id, silent_s, bytes = turn.inside.length, "an upload gives way: too many are under way at its portal");
            ::metrics::counter!("garita_uploads_gave_way_total", "portal" => portal.to_owned()).increment(1);
            self.give_up(&upload, &mut turn, "Gave way", why).await;
            if !turn.inside.ended {
                return false;
            }
        }
        self.under_way(portal) < MOST_UPLOADS
    }

    /// Calls an upload off that its sender did not; whoever returns to it is told `why`.
    async fn give_up(&self, upload: &Arc<Upload>, turn: &mut Turn<'_>, title: &'static str, why: String) {
        // Before it goes: whoever returns meanwhile is told as well. One that does not go is found before this is looked at.
        {
            let mut given_up = lock(&self.shared.given_up);
            given_up.retain(|before| before.id != upload.id);
            if given_up.len() == MOST_UPLOADS {
                given_up.pop_front();
            }
            given_up.push_back(GivenUp { id: upload.id.clone(), title, why: why.clone() });
        }
        self.call_off(upload, turn, &why).await;
    }

    /// Ends what nothing has come of for too long: half scans go, trains have passed. To be called every few seconds. The time of day has no say in it.
    pub(crate) async fn expire(&self, keep_s: u64, silence_s: impl Fn(&str) -> u64) {
        if self.shared.refuses_stopped().is_err() {
            return;
        }
        for upload in self.all() {
            let patience = match upload.about.kind {
                Kind::Scan => keep_s,
                Kind::Columns => silence_s(&upload.about.portal),
            };
            // Somebody who is writing is not silent: the turn would end it.
            if upload.heard().elapsed().as_secs() <= patience || upload.inside.try_lock().is_err() {
                continue;
            }
            let Ok(mut turn) = upload.turn().await else { continue };
            // Something may have come before the turn did.
            let silent_s = upload.heard().elapsed().as_secs();
            if silent_s <= patience {
                continue;
            }
            tracing::warn!(portal = upload.about.portal, upload = upload.id, silent_s, bytes = turn.inside.length, "an upload is given up");
            let why = match upload.about.kind {
                Kind::Scan => format!("nothing of it came for {silent_s} s, and half a scan is kept for {patience} s (retention.uploads_s of the site file)"),
                Kind::Columns => format!("its columns stopped coming, and for {patience} s nobody said that the train has passed"),
            };
            self.give_up(&upload, &mut turn, "Given up", why).await;
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
            Ok((copied, to.sync_all()))
        });
        let copied = copied.map_err(|error| disk(&error)).and_then(|(copied, synced)| self.shared.synced(synced).map(|()| copied));
        runtime.block_on(async {
            let mut turn = upload.turn().await?;
            match copied {
                Ok(copied) => turn.inside.length = copied,
                Err(problem) => {
                    self.end(&upload, &mut turn).await;
                    return Err(problem.into());
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
