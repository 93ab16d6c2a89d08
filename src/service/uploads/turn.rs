//! One upload, and whose turn it is to write to it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use tokio::io::AsyncWriteExt;
use tokio::sync::watch;

use super::{About, Halt, Kind, Shared, disk, gone, lock, overtaken};
use crate::custody::evidence::{Sha, hex, sha256};
use crate::service::door::now_ms;
use crate::service::problem::Problem;

/// One upload.
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) about: About,
    /// When something came last, milliseconds since the Unix epoch: to be told, never to be reckoned with, for that clock jumps.
    pub(crate) heard_ms: AtomicI64,
    /// The same by a clock that never jumps. It begins anew with the service, and so does silence.
    pub(super) heard: Mutex<Instant>,
    /// Bytes that are synced.
    pub(crate) offset: AtomicI64,
    /// Requests that have come for it; the newest may write.
    pub(super) comers: watch::Sender<u64>,
    pub(super) inside: tokio::sync::Mutex<Inside>,
}

pub(super) struct Inside {
    pub(super) file: tokio::fs::File,
    /// Bytes that are synced.
    pub(super) length: u64,
    /// The first line of a stream is there and right.
    pub(super) headed: bool,
    pub(super) ended: bool,
}

/// The right to write to an upload, until a newer request comes.
pub(super) struct Turn<'a> {
    pub(super) inside: tokio::sync::MutexGuard<'a, Inside>,
    pub(super) comers: watch::Receiver<u64>,
}

impl Turn<'_> {
    /// Makes what was written durable. Where there is no space for that, what was durable before is all that there is; after any other failure nobody knows,
    /// and the store stops.
    pub(super) async fn sync(&mut self, shared: &Shared, upload: &Upload) -> std::result::Result<(), Problem> {
        let inside = &mut *self.inside;
        // Space may have run out in the middle of a piece: what fits of it is there.
        let flushed = inside.file.flush().await;
        let synced = match shared.refuses_stopped() {
            Ok(()) => shared.synced(inside.file.sync_data().await),
            // A second try of a sync that failed says "done" of what is lost.
            stopped => stopped,
        };
        let length = inside.file.metadata().await.map(|metadata| metadata.len()).map_err(|error| disk(&error));
        match synced.and(length) {
            Ok(length) => {
                inside.length = length;
                upload.offset.store(length as i64, Ordering::Relaxed);
                flushed.map_err(|error| disk(&error))
            }
            Err(problem) => {
                let _ = inside.file.set_len(inside.length).await;
                Err(problem)
            }
        }
    }

    /// Takes back what was written since the last sync, for good. Where that fails nobody knows what is there, and the store stops as after a failed sync.
    pub(super) async fn take_back(&mut self, shared: &Shared) -> std::result::Result<(), Problem> {
        let inside = &mut *self.inside;
        // What is on its way to the file would come after.
        let _ = inside.file.flush().await;
        shared.refuses_stopped()?;
        shared.synced(inside.file.set_len(inside.length).await)?;
        shared.synced(inside.file.sync_data().await)
    }
}

impl Upload {
    /// Something came.
    pub(super) fn hear(&self) {
        self.heard_ms.store(now_ms(), Ordering::Relaxed);
        *lock(&self.heard) = Instant::now();
    }

    /// When something came last, by a clock that never jumps.
    pub(crate) fn heard(&self) -> Instant {
        *lock(&self.heard)
    }

    /// Ends whoever writes now; answers which comer this is.
    pub(super) fn come(&self) -> u64 {
        let mut mine = 0;
        self.comers.send_modify(|comers| {
            *comers += 1;
            mine = *comers;
        });
        mine
    }

    /// Waits for its turn, ending whoever has it.
    pub(super) async fn turn(&self) -> std::result::Result<Turn<'_>, Halt> {
        let mine = self.come();
        let inside = self.inside.lock().await;
        let mut comers = self.comers.subscribe();
        if inside.ended {
            return Err(gone().into());
        }
        if *comers.borrow_and_update() != mine {
            return Err(Halt { problem: overtaken(), offset: Some(inside.length) });
        }
        Ok(Turn { inside, comers })
    }

    pub(super) fn key(&self, digest: Option<&Sha>) -> Sha {
        match (self.about.key, digest) {
            (Some(key), _) => key,
            (None, Some(digest)) if self.about.kind == Kind::Scan => key_of_contents(digest),
            _ => sha256(format!("upload {}", self.id).as_bytes()),
        }
    }
}
/// The key of a scan that its sender calls `name`.
pub(crate) fn key_of_name(name: &str) -> Sha {
    sha256(format!("key {name}").as_bytes())
}

/// The key of a scan without a name.
pub(crate) fn key_of_contents(digest: &Sha) -> Sha {
    sha256(format!("scan {}", hex(digest)).as_bytes())
}
