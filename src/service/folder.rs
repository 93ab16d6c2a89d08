//! Folders that cameras and portals write to: finished pictures are handed in, in the order of their names, and put into `done/` or `failed/`.
//!
//! ```text
//! NAME.part ──renamed by its writer──▶ NAME.jpg ──▶ taking/NAME.jpg ──handed in──▶ done/NAME.jpg
//!                                         ▲                                  ├──▶ failed/NAME.jpg and NAME.jpg.why.txt
//!                                         └── not kept: tried again later ◀──┘
//! ```
//!
//! # Invariants
//!
//! 1. A file is moved to `done/` only after its result is durable, and to `failed/` only after its frame was refused for good.
//! 2. What is handed in is what is moved: the file is renamed into `taking/` first, so that a writer that uses its name again makes another file.
//! 3. A crash at any point leaves the file in the folder, in `taking/` or where it belongs; what is in `taking/` at start is handed in again, and known by its key
//!    (name and SHA-256) for what it is.
//!
//! Taken are regular files `*.jpg`, `*.jpeg`, `*.png` that are finished: had the same size and time at two looks, and end as such a picture does or
//! have not changed for [`QUIET`] (`watched` is what this has in common with the folders of portals). Everything else stays where it is: `*.part` in silence,
//! other things said once. `done/` and `failed/` are emptied by age and size, the oldest first.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use super::door::{Answer, Incoming, is_believed, now_ms};
use super::source::{Backoff, Patience, Source};
pub use super::watched::QUIET;
use super::watched::{self, Belongs, Looks, Places, Sight, Stamp};
use crate::custody::evidence::{Sha, hex, sha256};
use crate::error::{Fault, Result};
use crate::lane::frame::MAX_BYTES;

/// A folder to watch.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Index of its lane in the site.
    pub lane: usize,
    /// Where it is; need not be there yet.
    pub path: PathBuf,
    /// From one look to the next.
    pub every: Duration,
    /// How old a file in `done/` and `failed/` gets.
    pub keep_for: Duration,
    /// The most bytes in `done/`, and in `failed/`; one file stays however large it is.
    pub keep_bytes: u64,
    /// Waits while nothing is kept.
    pub patience: Patience,
}

impl Folder {
    /// The folder at `path` for a lane, looked at five times a second, a day or 1 GiB kept: guesses.
    #[must_use]
    pub fn new(lane: usize, path: PathBuf) -> Folder {
        let (keep_for, keep_bytes) = (watched::KEEP_FOR, watched::KEEP_BYTES);
        Folder { lane, path, every: Duration::from_millis(200), keep_for, keep_bytes, patience: Patience::default() }
    }

    fn places(&self) -> Places {
        Places::new(self.path.clone())
    }
}

/// Watches `folder`, and hands its files to `submit`, one after the other; `refused` counts those that are no frame by their size alone. Ends only by being dropped.
pub async fn watch<F, Fut>(folder: Folder, source: &Source, submit: F, refused: impl Fn())
where
    F: Fn(Incoming) -> Fut,
    Fut: Future<Output = Answer>,
{
    let (mut backoff, mut looks) = (Backoff::new(folder.patience), Looks::default());
    loop {
        let (mut sight, at) = (looks, folder.clone());
        let (back, found) = blocking(move || {
            let found = look(&mut sight, &at);
            (sight, found)
        })
        .await;
        looks = back;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                source.failed(&error);
                sleep(backoff.next()).await;
                continue;
            }
        };
        source.well(&folder.patience);
        for name in found {
            match one(&folder, source, &submit, &refused, &name).await {
                Ok(Fate::Over) => backoff.reset(),
                // Later ones would fare no better, and the order would be lost.
                Ok(Fate::Later(least)) => {
                    sleep(backoff.next().max(least)).await;
                    break;
                }
                Err(error) => {
                    source.failed(&error);
                    sleep(backoff.next()).await;
                    break;
                }
            }
        }
        sleep(folder.every).await;
    }
}

enum Fate {
    /// In `done/` or in `failed/`, or gone.
    Over,
    /// Back in the folder; not to be tried again before this.
    Later(Duration),
}

/// Takes one file to its end. An error is the folder's, not the file's.
async fn one<F, Fut>(folder: &Folder, source: &Source, submit: &F, refused: &impl Fn(), name: &OsString) -> Result<Fate>
where
    F: Fn(Incoming) -> Fut,
    Fut: Future<Output = Answer>,
{
    let (places, own) = (folder.places(), name.clone());
    let Some(taken) = blocking(move || take(&places, &own)).await? else { return Ok(Fate::Over) };
    let (answer, digest) = match taken.bytes {
        Ok(bytes) => {
            source.frame(&folder.patience);
            source.counts.submitted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let digest = sha256(&bytes);
            let key = format!("folder {} {}", name.to_string_lossy(), hex(&digest));
            let incoming = Incoming { lane: folder.lane, bytes, captured_ms: taken.written_ms, sequence: None, digest: Some(digest), key: Some(key) };
            (submit(incoming).await, Some(digest))
        }
        Err(error) => {
            refused();
            (Answer::Bad(error), None)
        }
    };
    if let Answer::Bad(error) = &answer {
        tracing::warn!(lane = source.lane(), file = %name.to_string_lossy(), %error, "a bad frame: it goes to failed/");
    }
    let (places, own) = (folder.places(), name.clone());
    blocking(move || put_away(&places, &own, taken.stamp, digest.as_ref(), answer)).await
}

struct Taken {
    bytes: Result<bytes::Bytes>,
    /// Of what was handed in.
    stamp: Option<Stamp>,
    /// When it was written, where that can be the time of capture.
    written_ms: Option<i64>,
}

/// Renames a file into `taking/` and reads it; `None` where it has gone.
fn take(places: &Places, name: &OsStr) -> Result<Option<Taken>> {
    if !places.take(name)? {
        return Ok(None);
    }
    let path = places.taking().join(name);
    let stamp = Stamp::at(&path);
    let written_ms = stamp
        .and_then(|stamp| i64::try_from(stamp.modified.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_millis()).ok())
        .filter(|&written| is_believed(written, now_ms()));
    match watched::read(&path, MAX_BYTES) {
        // The disk's fault is no fault of the file.
        Err(error) if error.fault == Fault::Machine => Err(error),
        bytes => Ok(Some(Taken { bytes: bytes.map(bytes::Bytes::from), stamp, written_ms })),
    }
}

/// Puts a file where it belongs after what became of its frame.
fn put_away(places: &Places, name: &OsStr, handed_in: Option<Stamp>, digest: Option<&Sha>, answer: Answer) -> Result<Fate> {
    match answer {
        Answer::Shed { retry_after_s } => places.give_back(name).map(|_| Fate::Later(Duration::from_secs(retry_after_s.into()))),
        Answer::Full | Answer::Stopped(_) => places.give_back(name).map(|_| Fate::Later(Duration::ZERO)),
        // Its writer still has it open: what lies there is not what was handed in, and is handed in when it is finished.
        Answer::Kept(_) | Answer::Bad(_) if Stamp::at(&places.taking().join(name)) != handed_in => places.give_back(name).map(|_| Fate::Over),
        Answer::Kept(_) => places.finish(name, digest).map(|()| Fate::Over),
        Answer::Bad(error) => places.fail(name, digest, &format!("{error}\nsend the frame again, whole, as another file\n")).map(|()| Fate::Over),
    }
}

/// The finished files, in the order of their names; those in `taking/` first.
fn look(looks: &mut Looks, folder: &Folder) -> Result<Vec<OsString>> {
    let places = folder.places();
    looks.begin(&places, folder.keep_for, folder.keep_bytes)?;
    let belongs = |name: &Path| name.extension().and_then(end_of).map_or(Belongs::Nowhere, |_| Belongs::Taken);
    let names = looks.names(&places, belongs, "is no .jpg, .jpeg or .png")?;
    let taken = places.taken()?;
    let later = names.iter().filter(|name| taken.binary_search(name).is_err());
    let first = taken.iter().map(|name| (name, places.taking().join(name)));
    let mut finished = Vec::new();
    for (name, path) in first.chain(later.map(|name| (name, places.root().join(name)))) {
        let end = path.extension().and_then(end_of);
        match looks.sight(name, &path, |file| end.is_some_and(|end| watched::ends_with(&file, end))) {
            Sight::Finished(_) => finished.push(name.clone()),
            Sight::Odd(why) => looks.say_once(&path, &why),
            Sight::Growing | Sight::Gone => {}
        }
    }
    Ok(finished)
}

/// What a picture whose file has this extension ends with; `None` for what is no picture.
fn end_of(extension: &OsStr) -> Option<&'static [u8]> {
    let is = |one: &str| extension.eq_ignore_ascii_case(one);
    if is("jpg") || is("jpeg") {
        return Some(&[0xFF, 0xD9]);
    }
    is("png").then_some(b"IEND")
}

/// Runs what waits for the disk beside the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
