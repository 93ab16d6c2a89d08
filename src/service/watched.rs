//! What the watched folders of lanes and of portals have in common: telling when a file is finished, taking it, putting it away, emptying what that fills.
//!
//! ```text
//! NAME ──finished──▶ taking/NAME ──┬──▶ done/NAME
//!  ▲                               ├──▶ failed/NAME and NAME.why.txt
//!  └──── not kept, or has grown ◀──┘
//! ```
//!
//! # Invariants
//!
//! 1. A file is finished when two looks saw the same size and time, and it is whole by what is in it or has not changed for [`QUIET`] by a clock that nobody sets.
//!    The time that a file bears is only compared with the one that it bore before: it may lie in the future.
//! 2. No link is followed: not to a file, and not to `done/`, `failed/` or `taking/`.
//! 3. What lies in `done/` and `failed/` is replaced by nothing but the same bytes, and what lies in `failed/` has its reason beside it, under the same name.
//! 4. `done/` and `failed/` are emptied by age and size, the oldest first, each file with its reason. The newest of each stays however large it is.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileType, Metadata};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::door::now_ms;
use crate::custody::evidence::{Sha, hex};
use crate::error::{Error, Fault, Result};

/// What is not whole is taken when it has not changed for this long: its writer has died. A guess.
pub const QUIET: Duration = Duration::from_secs(10);
/// How old a file in `done/` and `failed/` gets. A guess.
pub(super) const KEEP_FOR: Duration = Duration::from_secs(24 * 3600);
/// The most bytes in `done/`, and in `failed/`. A guess.
pub(super) const KEEP_BYTES: u64 = 1 << 30;

/// Files that one look takes note of; the others, later in the order of names, wait for the next.
const MOST_AT_ONCE: usize = 4096;
/// What has been said once is remembered for this many names.
const MOST_SAID: usize = 4096;
/// The folders that are made in it.
const OWN: [&str; 3] = ["done", "failed", "taking"];
/// How often `done/` and `failed/` are looked at.
const EMPTIED_EVERY: Duration = Duration::from_secs(60);
/// What the name of a reason ends with.
const WHY: &str = ".why.txt";
/// The longest name that is put away as it is: its reason's name must fit into the 255 bytes of a file system.
const LONGEST: usize = 255 - WHY.len();
/// Of a longer one, or one that is in use, so much stays in front of the mark: a digest's 16 digits, and an ending.
const STEM: usize = 200;
/// An end mark lies in so many last bytes.
const TAIL: u64 = 64;

/// A watched folder, and the folders in it.
#[derive(Debug, Clone)]
pub(super) struct Places {
    root: PathBuf,
}

impl Places {
    pub(super) fn new(root: PathBuf) -> Places {
        Places { root }
    }

    /// The folder itself.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// What is being handed in.
    pub(super) fn taking(&self) -> PathBuf {
        self.root.join("taking")
    }

    fn done(&self) -> PathBuf {
        self.root.join("done")
    }

    fn failed(&self) -> PathBuf {
        self.root.join("failed")
    }

    fn make(&self) -> Result<()> {
        fs::metadata(&self.root).map_err(|error| Error::io(&error).in_(self.root.display()))?;
        for own in OWN.map(|own| self.root.join(own)) {
            match fs::symlink_metadata(&own) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => {
                    return Err(Error::new(Fault::Caller, "must be a folder, and no link to one: take it away, and the service makes it").in_(own.display()));
                }
                Err(_) => fs::create_dir(&own).map_err(|error| in_folder(&error, &own))?,
            }
        }
        Ok(())
    }

    /// What lies in `taking/`, in the order of names.
    pub(super) fn taken(&self) -> Result<Vec<OsString>> {
        let mut names = names_in(&self.taking())?;
        names.truncate(MOST_AT_ONCE);
        Ok(names)
    }

    /// Renames a file into `taking/`, unless one of its name lies there: that one comes first. Answers whether there is one.
    pub(super) fn take(&self, name: &OsStr) -> Result<bool> {
        let path = self.taking().join(name);
        if fs::symlink_metadata(&path).is_ok() {
            return Ok(true);
        }
        match fs::rename(self.root.join(name), &path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(in_folder(&error, &path)),
        }
    }

    /// Puts what is in `taking/` back, unless its name is in use again: then it stays there, which comes first. Answers whether it does not.
    pub(super) fn give_back(&self, name: &OsStr) -> Result<bool> {
        let (from, to) = (self.taking().join(name), self.root.join(name));
        match rustix::fs::renameat_with(rustix::fs::CWD, &from, rustix::fs::CWD, &to, RenameFlags::NOREPLACE) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            // INVAL, NOSYS: file systems that cannot do this (some network shares). It stays in taking/ as well.
            Err(Errno::EXIST | Errno::INVAL | Errno::NOSYS) => Ok(false),
            Err(error) => Err(in_folder(&error.into(), &to)),
        }
    }

    /// Moves what is in `taking/` to `done/`; `digest`: its SHA-256.
    pub(super) fn finish(&self, name: &OsStr, digest: Option<&Sha>) -> Result<()> {
        let target = self.done().join(free(&self.done(), name, digest));
        fs::rename(self.taking().join(name), &target).map_err(|error| in_folder(&error, &target))
    }

    /// Moves what is in `taking/` to `failed/`, its reason first; `digest`: its SHA-256, where it could be read.
    pub(super) fn fail(&self, name: &OsStr, digest: Option<&Sha>, why: &str) -> Result<()> {
        let target = free(&self.failed(), name, digest);
        let beside = self.failed().join(reason_of(&target));
        // Whatever lies there is the reason of a file that has gone; what is made anew is no link.
        let _ = fs::remove_file(&beside);
        File::create_new(&beside).and_then(|mut file| file.write_all(why.as_bytes())).map_err(|error| in_folder(&error, &beside))?;
        let target = self.failed().join(target);
        fs::rename(self.taking().join(name), &target).map_err(|error| in_folder(&error, &target))
    }
}

/// The name that a file gets in `to`: its own, unless that is in use or too long; then one with its digest in it, under which nothing else can lie than the same
/// bytes; where there is no digest, one with the time in it.
fn free(to: &Path, name: &OsStr, digest: Option<&Sha>) -> OsString {
    let is_free = |name: &OsStr| name.len() <= LONGEST && fs::symlink_metadata(to.join(name)).is_err();
    if is_free(name) {
        return name.to_owned();
    }
    let stem = Path::new(name).file_stem().unwrap_or(name).as_bytes();
    let marked = |mark: &str| {
        let mut marked = OsStr::from_bytes(&stem[..stem.len().min(STEM)]).to_owned();
        marked.push(format!("-{mark}"));
        if let Some(ending) = Path::new(name).extension() {
            marked.push(".");
            marked.push(ending);
        }
        marked
    };
    match digest {
        Some(digest) => marked(&hex(digest)[..16]),
        None => (now_ms()..).map(|time| marked(&time.to_string())).find(|name| is_free(name)).unwrap_or_else(|| name.to_owned()),
    }
}

fn reason_of(name: &OsStr) -> OsString {
    let mut reason = name.to_owned();
    reason.push(WHY);
    reason
}

fn in_folder(error: &std::io::Error, path: &Path) -> Error {
    let said = Error::io(error);
    Error::new(said.fault, format!("{}; the service needs to write in this folder", said.message)).in_(path.display())
}

fn names_in(folder: &Path) -> Result<Vec<OsString>> {
    let entries = fs::read_dir(folder).map_err(|error| Error::io(&error).in_(folder.display()))?;
    let mut names: Vec<OsString> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    names.sort();
    Ok(names)
}

/// Deletes files older than `keep_for`, then the oldest until no more than `keep_bytes` are left or one file. Reasons count and go with their files.
fn empty(folder: &Path, keep_for: Duration, keep_bytes: u64) -> Result<()> {
    let names = names_in(folder)?;
    let has = |name: &OsStr| names.binary_search_by(|other| other.as_os_str().cmp(name)).is_ok();
    let length = |path: &Path| fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
    let mut files = Vec::new();
    for name in &names {
        if name.as_bytes().strip_suffix(WHY.as_bytes()).is_some_and(|of| has(OsStr::from_bytes(of))) {
            continue;
        }
        let path = folder.join(name);
        if let Ok(metadata) = fs::symlink_metadata(&path)
            && !metadata.is_dir()
        {
            let reason = folder.join(reason_of(name));
            files.push((put_there(&metadata), metadata.len() + length(&reason), path, reason));
        }
    }
    files.sort();
    let mut bytes: u64 = files.iter().map(|(_, length, ..)| length).sum();
    let mut left = files.len();
    for (since, length, path, reason) in files {
        let is_old = since.elapsed().is_ok_and(|age| age >= keep_for);
        if !is_old && (bytes <= keep_bytes || left == 1) {
            break;
        }
        for path in [&path, &reason] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(in_folder(&error, path)),
                _ => {}
            }
        }
        bytes -= length;
        left -= 1;
    }
    Ok(())
}

/// When a file was put where it is, however old what is in it: the time of change of its name and place.
fn put_there(metadata: &Metadata) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(metadata.ctime().max(0).unsigned_abs(), u32::try_from(metadata.ctime_nsec()).unwrap_or(0))
}

/// What of a file tells that somebody has written to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    length: u64,
    /// As the file bears it: to be compared, and told, never to be reckoned with.
    pub(super) modified: SystemTime,
}

impl Stamp {
    /// Of what lies at `path`, itself where it is a link; `None` where there is nothing.
    pub(super) fn at(path: &Path) -> Option<Stamp> {
        fs::symlink_metadata(path).ok().map(|metadata| Stamp::of(&metadata))
    }

    fn of(metadata: &Metadata) -> Stamp {
        Stamp { length: metadata.len(), modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH) }
    }
}

/// Opens a regular file: follows no link, and waits for no pipe.
pub(super) fn open(path: &Path) -> Result<File> {
    let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
    let said = |error: Error| error.in_(path.display());
    let file = match opened {
        Ok(file) => File::from(file),
        Err(Errno::LOOP) => return Err(said(Error::new(Fault::Caller, "is a link, and links are not followed: put the file itself there"))),
        Err(error) => return Err(said(Error::io(&error.into()))),
    };
    let metadata = file.metadata().map_err(|error| said(Error::io(&error)))?;
    match odd(metadata.file_type()) {
        Some(what) => Err(said(Error::new(Fault::Caller, format!("is {what}, not a file")))),
        None => Ok(file),
    }
}

/// Reads a regular file that is not empty, through no link, refusing more than `limit` bytes before allocating.
///
/// # Errors
/// `Caller` for what is no readable regular file, `Damaged` for an empty one, `Limit` for one that is too long, `Machine` where reading fails.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = open(path)?;
    let length = file.metadata().map_err(|error| Error::io(&error).in_(path.display()))?.len();
    if length == 0 {
        return Err(Error::new(Fault::Damaged, "is empty").in_(path.display()));
    }
    if length > limit {
        return Err(Error::new(Fault::Limit, format!("{length} bytes, more than the limit of {limit}")).in_(path.display()));
    }
    all_of(&file, limit).map_err(|error| Error::io(&error).in_(path.display()))
}

/// The bytes of a file, at most `limit`.
pub(super) fn all_of(file: &File, limit: u64) -> std::io::Result<Vec<u8>> {
    let length = file.metadata()?.len().min(limit);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether `mark` is among the last bytes of a file.
pub(super) fn ends_with(file: &File, mark: &[u8]) -> bool {
    let Ok(length) = file.metadata().map(|metadata| metadata.len()) else { return false };
    let mut tail = vec![0; length.min(TAIL) as usize];
    let begins = length - tail.len() as u64;
    file.read_exact_at(&mut tail, begins).is_ok() && tail.windows(mark.len()).any(|window| window == mark)
}

fn odd(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a folder")
    } else if kind.is_symlink() {
        Some("a link")
    } else {
        Some("a pipe, socket or device")
    }
}

/// Whose file a name in the folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belongs {
    /// It is taken when it is finished.
    Taken,
    /// It goes with one that is taken.
    Beside,
    /// It is left alone.
    Nowhere,
}

/// How a file looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sight {
    /// It is not there.
    Gone,
    /// It may still be written.
    Growing,
    /// It can be taken.
    Finished(Stamp),
    /// It never can, and why.
    Odd(String),
}

/// What the looks before have seen.
#[derive(Debug, Default)]
pub(super) struct Looks {
    before: BTreeMap<OsString, Seen>,
    now: BTreeMap<OsString, Seen>,
    said: BTreeSet<PathBuf>,
    emptied: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    stamp: Stamp,
    /// When it was seen so first.
    since: Instant,
    /// By what is in it; asked at the second look.
    is_whole: Option<bool>,
}

impl Looks {
    /// Begins a look: makes the folders of its own, and every so often empties them.
    pub(super) fn begin(&mut self, places: &Places, keep_for: Duration, keep_bytes: u64) -> Result<()> {
        self.before = std::mem::take(&mut self.now);
        places.make()?;
        if self.emptied.is_none_or(|at| at.elapsed() >= EMPTIED_EVERY) {
            self.emptied = Some(Instant::now());
            for own in [places.done(), places.failed()] {
                empty(&own, keep_for, keep_bytes)?;
            }
        }
        Ok(())
    }

    /// The names in the folder that may be taken, the first in their order. `*.part` and what goes with others is passed over in silence; what belongs nowhere is
    /// said once, with what it is not: `kinds`.
    pub(super) fn names(&mut self, places: &Places, belongs: impl Fn(&Path) -> Belongs, kinds: &str) -> Result<BTreeSet<OsString>> {
        let said = |error: std::io::Error| Error::io(&error).in_(places.root().display());
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(places.root()).map_err(said)? {
            let name = entry.map_err(said)?.file_name();
            match belongs(Path::new(&name)) {
                Belongs::Taken => {
                    names.insert(name);
                    if names.len() > MOST_AT_ONCE {
                        names.pop_last();
                    }
                }
                Belongs::Beside => {}
                Belongs::Nowhere if OWN.iter().any(|own| name == *own) || name.as_bytes().ends_with(b".part") => {}
                Belongs::Nowhere => self.say_once(&places.root().join(name), kinds),
            }
        }
        Ok(names)
    }

    /// How the file of this name looks, which lies at `path`: in the folder, or in `taking/`. `is_whole` is asked once of each state of a file.
    pub(super) fn sight(&mut self, name: &OsStr, path: &Path, is_whole: impl FnOnce(File) -> bool) -> Sight {
        let Ok(metadata) = fs::symlink_metadata(path) else { return Sight::Gone };
        if let Some(what) = odd(metadata.file_type()) {
            return Sight::Odd(format!("is {what}"));
        }
        let stamp = Stamp::of(&metadata);
        let before = self.before.get(name).filter(|seen| seen.stamp == stamp).copied();
        let mut seen = before.unwrap_or(Seen { stamp, since: Instant::now(), is_whole: None });
        let mut refused = None;
        if before.is_some() && seen.is_whole.is_none() {
            match open(path) {
                Ok(file) => seen.is_whole = Some(is_whole(file)),
                Err(error) => refused = Some(format!("cannot be read ({}): give the service the right to", error.message)),
            }
        }
        self.now.insert(name.to_owned(), seen);
        match refused {
            Some(_) if Stamp::at(path).is_none() => Sight::Gone,
            Some(why) => Sight::Odd(why),
            None if before.is_some() && (seen.is_whole == Some(true) || seen.since.elapsed() >= QUIET) => Sight::Finished(stamp),
            None => Sight::Growing,
        }
    }

    /// Says of what is left alone why it is.
    pub(super) fn say_once(&mut self, path: &Path, why: &str) {
        if self.said.len() >= MOST_SAID {
            self.said.clear();
        }
        if self.said.insert(path.to_owned()) {
            tracing::warn!(file = %path.display(), "left alone: it {why}");
        }
    }
}
