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
//! Taken are regular files `*.jpg`, `*.jpeg`, `*.png` that had the same size and time at two looks and end as such a picture does, or have not changed for
//! [`QUIET`]. Everything else stays where it is: `*.part` in silence, other things said once. `done/` and `failed/` are emptied by age and size, the oldest first.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use super::door::{Answer, Incoming, MAX_CLOCK_OFF_MS, now_ms};
use super::source::{Backoff, Patience, Source};
use crate::bytes::Bytes;
use crate::custody::evidence::{hex, sha256};
use crate::error::{Error, Fault, Result};
use crate::lane::frame::MAX_BYTES;

/// A file without a picture's end is taken when it has not changed for this long: its writer has died. A guess.
pub const QUIET: Duration = Duration::from_secs(10);
/// Files that one look takes note of; the others, later in the order of names, wait for the next.
const MOST_AT_ONCE: usize = 4096;
/// What has been said once is remembered for this many names.
const MOST_SAID: usize = 4096;
/// The folders that are made in it.
const OWN: [&str; 3] = ["done", "failed", "taking"];
/// How often `done/` and `failed/` are looked at.
const EMPTIED_EVERY: Duration = Duration::from_secs(60);

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
    /// The most bytes in `done/`, and in `failed/`.
    pub keep_bytes: u64,
    /// Waits while nothing is kept.
    pub patience: Patience,
}

impl Folder {
    /// The folder at `path` for a lane, looked at five times a second, a day or 1 GiB kept: guesses.
    #[must_use]
    pub fn new(lane: usize, path: PathBuf) -> Folder {
        let keep_for = Duration::from_secs(24 * 3600);
        Folder { lane, path, every: Duration::from_millis(200), keep_for, keep_bytes: 1 << 30, patience: Patience::default() }
    }

    fn done(&self) -> PathBuf {
        self.path.join("done")
    }

    fn failed(&self) -> PathBuf {
        self.path.join("failed")
    }

    fn taking(&self) -> PathBuf {
        self.path.join("taking")
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
            let found = sight.look(&at);
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
    let (at, own) = (folder.clone(), name.clone());
    let taken = match blocking(move || take(&at, &own)).await? {
        Some(taken) => taken,
        None => return Ok(Fate::Over),
    };
    let (answer, digest) = match taken.bytes {
        Ok(bytes) => {
            source.frame(&folder.patience);
            source.counts.submitted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let digest = sha256(&bytes);
            let key = format!("folder {} {}", name.to_string_lossy(), hex(&digest));
            let incoming = Incoming { lane: folder.lane, bytes, captured_ms: taken.written_ms, sequence: None, digest: Some(digest), key: Some(key) };
            (submit(incoming).await, hex(&digest))
        }
        Err(error) => {
            refused();
            (Answer::Bad(error), String::new())
        }
    };
    let (at, own) = (folder.clone(), name.clone());
    match answer {
        Answer::Kept(_) => blocking(move || put(&at.taking().join(&own), &at.done(), &own, &digest)).await.map(|()| Fate::Over),
        Answer::Bad(error) => {
            tracing::warn!(lane = source.lane(), file = %name.to_string_lossy(), %error, "a bad frame: it is in failed/");
            blocking(move || fail(&at, &own, &digest, &error)).await.map(|()| Fate::Over)
        }
        Answer::Shed { retry_after_s } => {
            let least = Duration::from_secs(retry_after_s.into());
            blocking(move || give_back(&at, &own)).await.map(|()| Fate::Later(least))
        }
        Answer::Full | Answer::Stopped(_) => blocking(move || give_back(&at, &own)).await.map(|()| Fate::Later(Duration::ZERO)),
    }
}

struct Taken {
    bytes: Result<bytes::Bytes>,
    /// When it was written, where that can be the time of capture.
    written_ms: Option<i64>,
}

/// Renames a file into `taking/` and reads it; `None` where it has gone.
fn take(folder: &Folder, name: &OsString) -> Result<Option<Taken>> {
    let path = folder.taking().join(name);
    if !path.exists() {
        match fs::rename(folder.path.join(name), &path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(in_folder(&error, &path)),
        }
    }
    let written_ms = fs::metadata(&path)
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|time| i64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_millis()).ok())
        .filter(|written| written.abs_diff(now_ms()) <= MAX_CLOCK_OFF_MS.unsigned_abs());
    match Bytes::read(&path, MAX_BYTES) {
        // The disk's fault is no fault of the file.
        Err(error) if error.fault == Fault::Machine => Err(error),
        bytes => Ok(Some(Taken { bytes: bytes.map(|bytes| bytes::Bytes::copy_from_slice(&bytes)), written_ms })),
    }
}

/// Moves `from` into `to` under its name, or under one with its digest where that is taken.
fn put(from: &Path, to: &Path, name: &OsString, digest: &str) -> Result<()> {
    let mut target = to.join(name);
    if target.exists() {
        let stem = Path::new(name).file_stem().unwrap_or(name).to_string_lossy().into_owned();
        let extension = Path::new(name).extension().unwrap_or_default().to_string_lossy().into_owned();
        let mark = digest.get(..16).map_or_else(|| now_ms().to_string(), str::to_owned);
        target = to.join(format!("{stem}-{mark}.{extension}"));
    }
    fs::rename(from, &target).map_err(|error| in_folder(&error, &target))
}

/// Why first: a file in `failed/` always has its reason beside it.
fn fail(folder: &Folder, name: &OsString, digest: &str, error: &Error) -> Result<()> {
    let mut why = name.clone();
    why.push(".why.txt");
    let why = folder.failed().join(why);
    fs::write(&why, format!("{error}\nsend the frame again, whole, as another file\n")).map_err(|error| in_folder(&error, &why))?;
    put(&folder.taking().join(name), &folder.failed(), name, digest)
}

/// Puts a file that was not kept back, unless its name is in use again: then it stays in `taking/`, which comes first.
fn give_back(folder: &Folder, name: &OsString) -> Result<()> {
    let (from, to) = (folder.taking().join(name), folder.path.join(name));
    match rustix::fs::renameat_with(rustix::fs::CWD, &from, rustix::fs::CWD, &to, rustix::fs::RenameFlags::NOREPLACE) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        // File systems that cannot do this (some network shares): it stays in taking/ as well.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => Ok(()),
        Err(error) => Err(in_folder(&error.into(), &to)),
    }
}

fn in_folder(error: &std::io::Error, path: &Path) -> Error {
    let said = Error::io(error);
    Error::new(said.fault, format!("{}; the service needs to write in this folder", said.message)).in_(path.display())
}

/// What the looks before have seen.
#[derive(Debug, Default)]
struct Looks {
    /// Size and time of change of files that may still be written.
    growing: BTreeMap<OsString, (u64, SystemTime)>,
    said: BTreeSet<OsString>,
    emptied: Option<std::time::Instant>,
}

impl Looks {
    /// The finished files, in the order of their names; those in `taking/` first.
    fn look(&mut self, folder: &Folder) -> Result<Vec<OsString>> {
        let entries = fs::read_dir(&folder.path).map_err(|error| Error::io(&error).in_(folder.path.display()))?;
        for own in OWN.map(|own| folder.path.join(own)) {
            if !own.is_dir() {
                fs::create_dir(&own).map_err(|error| in_folder(&error, &own))?;
            }
        }
        if self.emptied.is_none_or(|at| at.elapsed() >= EMPTIED_EVERY) {
            self.emptied = Some(std::time::Instant::now());
            for own in [folder.done(), folder.failed()] {
                empty(&own, folder.keep_for, folder.keep_bytes)?;
            }
        }
        let mut names = BTreeSet::new();
        for entry in entries {
            let entry = entry.map_err(|error| Error::io(&error).in_(folder.path.display()))?;
            let name = entry.file_name();
            match Path::new(&name).extension().and_then(end_of) {
                Some(_) => {
                    names.insert(name);
                    if names.len() > MOST_AT_ONCE {
                        names.pop_last();
                    }
                }
                None if OWN.iter().any(|own| name == *own) || name.as_encoded_bytes().ends_with(b".part") => {}
                None => self.say_once(folder, &name, "is no .jpg, .jpeg or .png"),
            }
        }
        let mut growing = BTreeMap::new();
        let mut finished: Vec<OsString> = names_in(&folder.taking())?;
        for name in names {
            match self.is_finished(folder, &name, &mut growing) {
                Ok(true) if !finished.contains(&name) => finished.push(name),
                Ok(_) => {}
                Err(why) => self.say_once(folder, &name, &why),
            }
        }
        self.growing = growing;
        Ok(finished)
    }

    /// Why not, where it never will be.
    fn is_finished(&self, folder: &Folder, name: &OsString, growing: &mut BTreeMap<OsString, (u64, SystemTime)>) -> std::result::Result<bool, String> {
        let path = folder.path.join(name);
        let Ok(metadata) = fs::symlink_metadata(&path) else { return Ok(false) };
        let kind = metadata.file_type();
        let odd = if kind.is_dir() {
            "a folder"
        } else if kind.is_symlink() {
            "a link"
        } else if !kind.is_file() {
            "a pipe, socket or device"
        } else {
            ""
        };
        if !odd.is_empty() {
            return Err(format!("is {odd}"));
        }
        let Some(end) = path.extension().and_then(end_of) else { return Ok(false) };
        let changed = metadata.modified().map_err(|error| error.to_string())?;
        let stamp = (metadata.len(), changed);
        growing.insert(name.clone(), stamp);
        let tail = tail(&path).map_err(|error| format!("cannot be read ({error}): give the service the right to"))?;
        let whole = tail.windows(end.len()).any(|window| window == end);
        let quiet = changed.elapsed().is_ok_and(|age| age >= QUIET);
        Ok(self.growing.get(name) == Some(&stamp) && (whole || quiet))
    }

    fn say_once(&mut self, folder: &Folder, name: &OsString, why: &str) {
        if self.said.len() >= MOST_SAID {
            self.said.clear();
        }
        if self.said.insert(name.clone()) {
            tracing::warn!(file = %folder.path.join(name).display(), "left alone: it {why}");
        }
    }
}

/// What a picture whose file has this extension ends with; `None` for what is no picture.
fn end_of(extension: &OsStr) -> Option<&'static [u8]> {
    let is = |one: &str| extension.eq_ignore_ascii_case(one);
    if is("jpg") || is("jpeg") {
        return Some(&[0xFF, 0xD9]);
    }
    is("png").then_some(b"IEND")
}

/// The last bytes of a file, where a picture has its end mark.
fn tail(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(64)))?;
    let mut tail = Vec::with_capacity(64);
    file.take(64).read_to_end(&mut tail)?;
    Ok(tail)
}

fn names_in(folder: &Path) -> Result<Vec<OsString>> {
    let entries = fs::read_dir(folder).map_err(|error| Error::io(&error).in_(folder.display()))?;
    let mut names: Vec<OsString> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    names.sort();
    Ok(names)
}

/// Deletes files older than `keep_for`, then the oldest until no more than `keep_bytes` are left.
fn empty(folder: &Path, keep_for: Duration, keep_bytes: u64) -> Result<()> {
    let mut files = Vec::new();
    for name in names_in(folder)? {
        let path = folder.join(name);
        if let Ok(metadata) = fs::symlink_metadata(&path)
            && metadata.is_file()
        {
            // Of its name and place: it was put here then, however old the picture is.
            let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(metadata.ctime().unsigned_abs());
            files.push((changed, metadata.len(), path));
        }
    }
    files.sort();
    let mut bytes: u64 = files.iter().map(|(_, length, _)| length).sum();
    for (changed, length, path) in files {
        if bytes <= keep_bytes && changed.elapsed().is_ok_and(|age| age < keep_for) {
            break;
        }
        fs::remove_file(&path).map_err(|error| in_folder(&error, &path))?;
        bytes -= length;
    }
    Ok(())
}

/// Runs what waits for the disk beside the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
