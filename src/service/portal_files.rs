//! Scans that come as files: a portal's watched folder, and files that stand in for trains.
//!
//! *The folder.* A scan is written as `NAME.part` and renamed to `NAME.tif` (`.tiff`, `.png`, `.stream`); its papers, if any, lie there before it as
//! `NAME.consist.json` and `NAME.manifest.json`. They are taken together, as `watched` takes files:
//!
//! 1. *`done/` is what the store has, whole.* A scan that the store has in part, as a bad one or not at all goes to `failed/`, its papers with it, each with its
//!    reason beside it. A scan that has grown while it was taken waits in `taking/` until it is finished, and is taken once more.
//! 2. *A paper that is none keeps no scan out*: it goes to `failed/` alone.
//! 3. *The papers are in `taking/` before their scan, and leave it before that does*, so that a paper without a scan there belongs to one in the folder. The same
//!    bytes again are the same scan, and the same paper: a crash at any point does nothing twice.
//!
//! Whole is a TIFF of which every page is there, a PNG that has its end, a paper that can be read; of other things nobody knows, and they must be quiet.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::activity::Source;
use super::door::now_ms;
use super::uploads::{self, About, Halt, Kind, Received, blocking, key_of_name};
use super::watched::{self, Belongs, Looks, Places, Sight, Stamp};
use super::{Service, metrics};
use crate::bytes::Bytes;
use crate::custody::evidence::{Sha, sha256};
use crate::custody::scans::{Paper, ScanRow};
use crate::custody::{keeping, scans};
use crate::error::{Error, Fault, Result};
use crate::rail::consist::{self, Consist};
use crate::rail::scan::{Scan, tiff};
use crate::rail::waybill::Manifest;
use crate::site::Portal;

/// How often a folder is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A TIFF of more bytes is not read to see whether it is whole: it must be quiet. A guess; the train that made it took minutes.
const MOST_READ: u64 = 64 << 20;
/// Scans of a replay that are kept; the oldest go, so that a demo runs for ever on a small disk.
const REPLAYED_KEPT: usize = 10;

/// Files that are taken for scans.
const ENDINGS: [&str; 4] = ["tif", "tiff", "png", "stream"];
/// What may lie beside one.
const PAPERS: [Paper; 2] = [Paper::Consist, Paper::Manifest];

/// Starts a task for each folder and each replay; they end when `stopped` says so.
pub(super) fn start(service: &Service, stopped: &watch::Receiver<bool>) {
    for (index, portal) in service.site.portals.iter().enumerate() {
        if let Some(folder) = &portal.folder {
            tokio::spawn(watch_folder(service.clone(), index, Places::new(folder.clone()), stopped.clone()));
        }
        if let Some(replay) = portal.replay.as_ref().filter(|replay| !replay.files.is_empty()) {
            tokio::spawn(play(service.clone(), index, replay.clone(), stopped.clone()));
        }
    }
}

async fn watch_folder(service: Service, index: usize, places: Places, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut looks, mut told) = (Looks::default(), None);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.changed() => return,
        }
        let (service, looked, mut sight) = (service.clone(), places.clone(), looks);
        let (back, outcome) = blocking(move || {
            let outcome = look(&service, index, &looked, &mut sight);
            (sight, outcome)
        })
        .await;
        looks = back;
        let trouble = outcome.err().map(|error| error.to_string());
        if trouble != told {
            if let Some(error) = &trouble {
                tracing::warn!(error, folder = %places.root().display(), "a portal's folder cannot be emptied; it is tried again");
            }
            told = trouble;
        }
    }
}

/// Takes what is finished, one after the other. An error is the folder's or the store's, not a file's.
fn look(service: &Service, index: usize, places: &Places, looks: &mut Looks) -> Result<()> {
    looks.begin(places, watched::KEEP_FOR, watched::KEEP_BYTES)?;
    for ready in ready(places, looks)? {
        if !one(service, index, places, &ready)? {
            break;
        }
    }
    Ok(())
}

/// A scan that can be taken, with its papers.
struct Ready {
    scan: OsString,
    papers: Vec<(Paper, OsString)>,
    /// When it was written, as it says.
    written: SystemTime,
}

/// The scans that can be taken: those in `taking/`, then the others in the order in which they came.
fn ready(places: &Places, looks: &mut Looks) -> Result<Vec<Ready>> {
    let names = looks.names(places, belongs, "is no .tif, .tiff, .png or .stream, and no list or manifest beside one")?;
    let taken = places.taken()?;
    let (held, others): (Vec<_>, Vec<_>) = taken.into_iter().partition(|name| belongs(Path::new(name)) == Belongs::Taken);
    let is_held = |name: &OsStr| held.iter().any(|scan| stem(scan) == stem(name));
    for paper in others.iter().filter(|name| !is_held(name)) {
        // Its name is in use again: the newer one counts.
        if !places.give_back(paper)? {
            places.fail(paper, None, "was left in taking/ without its scan: put both there again, the scan last\n")?;
        }
    }
    let mut first: Vec<Ready> = held.iter().filter_map(|scan| sighted(looks, &places.taking(), scan)).collect();
    let mut later: Vec<Ready> = names.iter().filter(|name| !is_held(name)).filter_map(|scan| sighted(looks, places.root(), scan)).collect();
    later.sort_by(|a, b| (a.written, &a.scan).cmp(&(b.written, &b.scan)));
    first.append(&mut later);
    Ok(first)
}

/// A scan and what lies beside it, if all of it is finished.
fn sighted(looks: &mut Looks, at: &Path, scan: &OsStr) -> Option<Ready> {
    let path = at.join(scan);
    let mut written = match looks.sight(scan, &path, |file| is_whole(scan, &file)) {
        Sight::Finished(stamp) => Some(stamp.modified),
        Sight::Odd(why) => {
            looks.say_once(&path, &why);
            None
        }
        Sight::Growing | Sight::Gone => None,
    };
    let mut papers = Vec::new();
    for paper in PAPERS {
        let name = beside(scan, paper);
        let is_one = |file: File| watched::all_of(&file, consist::MAX_BYTES + 1).is_ok_and(|bytes| checked(paper, bytes).is_ok());
        match looks.sight(&name, &at.join(&name), is_one) {
            Sight::Finished(_) => papers.push((paper, name)),
            Sight::Growing => written = None,
            Sight::Odd(why) => looks.say_once(&at.join(&name), &why),
            Sight::Gone => {}
        }
    }
    written.map(|written| Ready { scan: scan.to_owned(), papers, written })
}

fn belongs(name: &Path) -> Belongs {
    let is_scan = name.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)));
    match is_scan {
        true => Belongs::Taken,
        false if paper_stem(name.as_os_str()).is_some() => Belongs::Beside,
        false => Belongs::Nowhere,
    }
}

/// What a scan and its papers are called alike.
fn stem(name: &OsStr) -> &[u8] {
    paper_stem(name).unwrap_or_else(|| Path::new(name).file_stem().unwrap_or(name).as_encoded_bytes())
}

fn paper_stem(name: &OsStr) -> Option<&[u8]> {
    PAPERS.iter().find_map(|paper| name.as_encoded_bytes().strip_suffix(format!(".{}.json", paper.name()).as_bytes()))
}

/// How a paper of a scan is called.
fn beside(scan: impl AsRef<Path>, paper: Paper) -> OsString {
    scan.as_ref().with_extension(format!("{}.json", paper.name())).into_os_string()
}

/// Whether nothing of a scan can be missing, by what is in it.
fn is_whole(name: &OsStr, file: &File) -> bool {
    let ending = Path::new(name).extension().unwrap_or_default();
    if ending.eq_ignore_ascii_case("png") {
        return watched::ends_with(file, b"IEND");
    }
    let is_tiff = ending.eq_ignore_ascii_case("tif") || ending.eq_ignore_ascii_case("tiff");
    // Read, not mapped: its writer may cut it off.
    is_tiff
        && file.metadata().is_ok_and(|metadata| metadata.len() <= MOST_READ)
        && watched::all_of(file, MOST_READ).is_ok_and(|bytes| tiff::parse(Bytes::from(bytes)).is_ok())
}

/// The text of a paper, if it is one.
fn checked(paper: Paper, bytes: Vec<u8>) -> Result<String> {
    match paper {
        Paper::Consist => Consist::parse(&bytes).map(|_| ())?,
        Paper::Manifest => Manifest::parse(&bytes).map(|_| ())?,
    }
    String::from_utf8(bytes).map_err(|_| Error::new(Fault::Damaged, "is no UTF-8"))
}

/// A paper as it lies in `taking/`.
struct PaperRead<'a> {
    paper: Paper,
    name: &'a OsStr,
    digest: Option<Sha>,
    /// What it says, or why it is none.
    text: Result<String>,
}

impl PaperRead<'_> {
    fn read<'a>(paper: Paper, name: &'a OsStr, path: &Path) -> Result<PaperRead<'a>> {
        // Of its name: where it lay when it was read is not where its reason will be.
        let said = |error: Error| Error { subject: name.to_string_lossy().into_owned(), ..error };
        match watched::read(path, consist::MAX_BYTES) {
            Ok(bytes) => Ok(PaperRead { paper, name, digest: Some(sha256(&bytes)), text: checked(paper, bytes).map_err(said) }),
            // The disk's fault is no fault of the file.
            Err(error) if error.fault == Fault::Machine => Err(error),
            Err(error) => Ok(PaperRead { paper, name, digest: None, text: Err(said(error)) }),
        }
    }
}

/// Takes a scan with its papers to their end; answers whether it was one: a scan that has grown meanwhile waits in `taking/`.
fn one(service: &Service, index: usize, places: &Places, ready: &Ready) -> Result<bool> {
    let at = |name: &OsStr| places.taking().join(name);
    let mut names = Vec::new();
    for (paper, name) in &ready.papers {
        if places.take(name)? {
            names.push((*paper, name.as_os_str()));
        }
    }
    if !places.take(&ready.scan)? {
        return Ok(true);
    }
    let stamps = || std::iter::once(ready.scan.as_os_str()).chain(names.iter().map(|(_, name)| *name)).map(|name| Stamp::at(&at(name))).collect::<Vec<_>>();
    let before = stamps();
    let papers = names.iter().map(|(paper, name)| PaperRead::read(*paper, name, &at(name))).collect::<Result<Vec<_>>>()?;
    let kept = hand_in(service, &service.site.portals[index], &at(&ready.scan), &papers)?;
    service.activity.hear(index, Source::Folder);
    let why = match &kept {
        Ok(row) => lacks(service, row)?,
        Err(why) => Some(format!("{why}\nthe store has nothing of it\n")),
    };
    if stamps() != before {
        tracing::info!(file = %at(&ready.scan).display(), "has grown while it was taken: it waits until it is finished, and is taken once more");
        return Ok(false);
    }
    if let Some(why) = &why {
        tracing::warn!(file = %ready.scan.to_string_lossy(), why, "not taken whole: it goes to failed/");
    }
    for paper in &papers {
        put_paper(places, &service.site.portals[index], &kept, why.is_some(), paper)?;
    }
    let digest = kept.as_ref().ok().and_then(|row| row.digest.as_ref());
    match why {
        None => places.finish(&ready.scan, digest)?,
        Some(why) => places.fail(&ready.scan, digest, &why)?,
    }
    Ok(true)
}

/// Hands a scan in with those of its papers that are some; answers its row, or why its bytes or their size are refused.
fn hand_in(service: &Service, portal: &Portal, path: &Path, papers: &[PaperRead<'_>]) -> Result<std::result::Result<Box<ScanRow>, String>> {
    let said = |paper: Paper| papers.iter().find(|read| read.paper == paper).and_then(|read| read.text.as_ref().ok()).cloned();
    let file = match watched::open(path) {
        Ok(file) => file,
        Err(error) if error.fault == Fault::Machine => return Err(error),
        Err(error) => return Ok(Err(error.to_string())),
    };
    // Through what was opened: nothing that is put in its place meanwhile is read.
    let through = format!("/proc/self/fd/{}", file.as_raw_fd());
    match take(service, portal, Path::new(&through), None, PAPERS.map(said)) {
        Ok(row) => Ok(Ok(row)),
        // Not the file's fault: it is tried again.
        Err(halt) if halt.problem.status.is_server_error() || halt.problem.retry_after_s.is_some() => {
            Err(Error::new(Fault::Machine, halt.problem.detail.replace(&through, "the scan")).in_(path.display()))
        }
        Err(halt) => Ok(Err(halt.problem.detail.replace(&through, &path.file_name().unwrap_or_default().to_string_lossy()))),
    }
}

/// Why the store does not have all of a scan. Looked at is what it has: nobody writes to that.
fn lacks(service: &Service, row: &ScanRow) -> Result<Option<String>> {
    let Some(file) = &row.file else { return Ok(None) };
    let what = match Scan::open_or_recover(&service.custody.folder().join("scans").join(file)) {
        Ok((_, None)) => return Ok(None),
        Ok((_, Some(error))) => format!("{}\nthe store has what came of it", error.message),
        Err(error) if error.fault == Fault::Machine => return Err(error),
        Err(error) => format!("{}\nthe store has it as a bad one", error.message),
    };
    Ok(Some(format!("{what}, scan {}: send it again, whole\n", row.id)))
}

/// Puts a paper where it belongs: to its scan, unless it is none.
fn put_paper(places: &Places, portal: &Portal, kept: &std::result::Result<Box<ScanRow>, String>, scan_failed: bool, read: &PaperRead<'_>) -> Result<()> {
    let digest = read.digest.as_ref();
    match (&read.text, kept) {
        (Ok(_), _) if !scan_failed => places.finish(read.name, digest),
        (Ok(_), _) => places.fail(read.name, digest, "its scan is in failed/: send both again\n"),
        (Err(error), Ok(row)) => {
            let paper = read.paper.name();
            tracing::warn!(%error, file = %read.name.to_string_lossy(), "a paper beside a scan is left out: it goes to failed/");
            let mend = format!("scan {} was taken without it: mend it and POST it to /v1/portals/{}/scans/{}/{paper}", row.id, portal.id, row.id);
            places.fail(read.name, digest, &format!("{error}\n{mend}\n"))
        }
        (Err(error), Err(_)) => places.fail(read.name, digest, &format!("{error}\nits scan is in failed/ as well: send both again\n")),
    }
}

/// Takes a scan's file, as an upload is, with what its papers say: the list, and the manifest; `name` where it has one.
fn take(
    service: &Service,
    portal: &Portal,
    path: &Path,
    name: Option<String>,
    [consist, manifest]: [Option<String>; 2],
) -> std::result::Result<Box<ScanRow>, Halt> {
    let key = name.as_deref().map(key_of_name);
    let about = About { portal: portal.id.clone(), kind: Kind::Scan, name, key, digest: None, length: None };
    let Received::Whole(row, replay) = service.uploads.copy(about, path, consist)? else {
        return Err(Error::new(Fault::Machine, "the scan was copied, and is not complete").in_(path.display()).into());
    };
    metrics::scan(&portal.id, if replay { "replayed" } else { "received" });
    if let Some(manifest) = manifest {
        let (portal, key) = (portal.id.clone(), row.key);
        let keep = move |transaction: &rusqlite::Transaction<'_>| scans::insert_paper(transaction, (&portal, &key), Paper::Manifest, &manifest, now_ms());
        uploads::kept(service.custody.change(keep))?;
    }
    service.waker.wake();
    Ok(row)
}

/// What a paper beside a file to replay says. One that is none is left out.
fn paper_beside(path: &Path, paper: Paper) -> Option<String> {
    let path = PathBuf::from(beside(path, paper));
    let read = path.is_file().then(|| Bytes::read(&path, consist::MAX_BYTES).and_then(|bytes| checked(paper, bytes.to_vec())))?;
    read.inspect_err(|error| tracing::warn!(%error, file = %path.display(), "the paper beside a file to replay is left out")).ok()
}

/// Hands files in, over and over, each time as a train of its own.
async fn play(service: Service, index: usize, replay: crate::site::Replay, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(Duration::from_millis(replay.every_ms.max(1)));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let files = Arc::new(replay.files);
    for round in 0usize.. {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.changed() => return,
        }
        let (service, files) = (service.clone(), Arc::clone(&files));
        blocking(move || {
            let (portal, path) = (&service.site.portals[index], &files[round % files.len()]);
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("replay {stem} {}", jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ"));
            if let Err(halt) = take(&service, portal, path, Some(name), PAPERS.map(|paper| paper_beside(path, paper))) {
                tracing::warn!(problem = halt.problem.detail, file = %path.display(), "a file to replay is not taken");
                return;
            }
            service.activity.hear(index, Source::Replay);
            if let Err(error) = forget_oldest(&service, &portal.id) {
                tracing::warn!(%error, portal = portal.id, "old replays are not deleted");
            }
        })
        .await;
    }
}

fn forget_oldest(service: &Service, portal: &str) -> Result<()> {
    let old = service.custody.ask(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT id, file FROM scan WHERE portal = ?1 AND name LIKE 'replay %' AND state IN ('inspected', 'bad') ORDER BY id DESC LIMIT -1 OFFSET ?2",
        )?;
        statement.query_map(rusqlite::params![portal, REPLAYED_KEPT as i64], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<Vec<_>>>()
    })?;
    forget(service, old, now_ms())
}

/// Forgets what has had its time: scans, and papers whose scans never came. Blocks.
pub(super) fn expire(service: &Service, now_ms: i64) -> Result<()> {
    let before_ms = now_ms - 86_400_000 * i64::from(service.site.retention.scans_days);
    let old = service.custody.ask(|connection| {
        let due = format!("SELECT id, file FROM scan WHERE expires_ms < ?1 AND state IN ('inspected', 'bad') AND {} LIMIT 100", keeping::SCAN_IS_FREE);
        let mut statement = connection.prepare_cached(&due)?;
        statement.query_map([now_ms], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<Vec<_>>>()
    })?;
    forget(service, old, now_ms)?;
    let papers = "DELETE FROM paper WHERE received_ms < ?1 AND NOT EXISTS (SELECT 1 FROM scan WHERE scan.portal = paper.portal AND scan.key = paper.key)";
    scans::kept(service.custody.change(move |transaction| Ok(transaction.execute(papers, [before_ms])? as i64))).map(|_| ())
}

fn forget(service: &Service, scans: Vec<(i64, Option<String>)>, now_ms: i64) -> Result<()> {
    if scans.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = scans.iter().map(|(id, _)| *id).collect();
    scans::kept(service.custody.change(move |transaction| scans::forget(transaction, &ids, now_ms)))?;
    for (id, file) in scans {
        let Some(file) = file.filter(|_| matches!(service.custody.scan(id), Ok(None))) else { continue };
        let path = service.custody.folder().join("scans").join(file);
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(%error, file = %path.display(), "a scan that has had its time could not be deleted; the next start does it");
        }
    }
    Ok(())
}
