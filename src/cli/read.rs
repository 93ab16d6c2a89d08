//! `garita read`: reads the plates of image files.

use std::collections::{BTreeSet, HashSet};
use std::io::{IsTerminal, Write};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use serde::Serialize;

use garita::bytes::Bytes;
use garita::custody::evidence;
use garita::draw;
use garita::error::{Error, Fault, Result};
use garita::infer::Engine;
use garita::lane::detect::View;
use garita::lane::frame::MAX_BYTES;
use garita::lane::hit::{Hit, Matcher};
use garita::lane::line::PlateLine;
use garita::lane::read::PlateRead;
use garita::pipeline::{LaneWorker, ordered};
use garita::watchlist::snapshot::Snapshot;

/// Reads the plates of images, folders or globs.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Image files, folders (searched for .jpg, .jpeg and .png, sorted, linked folders too, each folder once) or globs.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Print one JSON object per image, in input order. Bytes of a file's name that are not UTF-8 are written as `\xff`.
    #[arg(long)]
    json: bool,
    /// Write each image with its plates drawn into this folder.
    #[arg(long, value_name = "DIR")]
    draw: Option<PathBuf>,
    /// Match reads against this watchlist: an index of `garita watchlist import`, or a CSV file with plate, jurisdiction, list, priority, reason, valid_from, valid_until.
    #[arg(long, value_name = "FILE")]
    watchlist: Option<PathBuf>,
    /// Look also at overlapping tiles: for wide views with small plates. Costs some 25 times as much on a 4K picture.
    #[arg(long)]
    tiles: bool,
    /// Worker threads; as many as there are cores unless given.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    #[command(flatten)]
    models: super::ModelArgs,
}

/// One line of `--json`; other tools read it.
#[derive(Serialize)]
struct Line {
    /// The path as [`shown`] writes it.
    image: String,
    width: Option<usize>,
    height: Option<usize>,
    error: Option<String>,
    plates: Vec<PlateLine>,
    timing_ms: TimingLine,
}

#[derive(Serialize, Default)]
struct TimingLine {
    decode: f64,
    detect: f64,
    read: f64,
    #[serde(rename = "match")]
    matching: f64,
    total: f64,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let jobs = expand(&args.paths).into_iter();
    let engine = Engine::load()?;
    let models = args.models.load()?;
    if let Some(folder) = &args.draw {
        std::fs::create_dir_all(folder).map_err(|error| Error::io(&error).in_(folder.display()))?;
    }
    let watchlist = args.watchlist.as_deref().map(|path| super::load_watchlist(path, jiff::Timestamp::now())).transpose()?;
    let view = if args.tiles { View::Tiled } else { View::Still };
    let mut workers = super::workers(args.threads, || Ok((LaneWorker::open_for(&engine, &models, view)?, Matcher::default())))?;
    let progress = super::progress(jobs.len() as u64, "images", !args.json || !std::io::stdout().is_terminal());
    let mut failed = 0;
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let mut broken = None;
    ordered(
        &mut workers,
        jobs,
        |(worker, matcher), job| one(worker, matcher, job, args, watchlist.as_ref()),
        |line: Line| {
            failed += usize::from(line.error.is_some());
            // Each line goes out at once, and not through the bar.
            let written = progress.suspend(|| {
                let text = if args.json { writeln!(output, "{}", serde_json::to_string(&line).expect("plain data")) } else { write_text(&mut output, &line) };
                text.and_then(|()| output.flush())
            });
            if let Err(error) = written {
                broken.get_or_insert(error);
            }
            progress.inc(1);
        },
    );
    progress.finish_and_clear();
    match broken.map_or_else(|| output.flush(), Err) {
        // The reader of our output has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(Error::io(&error).in_("standard output")),
        Ok(()) => {}
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One file to read, or why there is none.
struct Job {
    path: PathBuf,
    refused: Option<Error>,
}

fn one(worker: &mut LaneWorker, matcher: &mut Matcher, Job { path, refused }: Job, args: &Args, watchlist: Option<&Snapshot>) -> Line {
    let begin = Instant::now();
    let view = if args.tiles { View::Tiled } else { View::Still };
    let mut line = Line { image: shown(&path), width: None, height: None, error: None, plates: Vec::new(), timing_ms: TimingLine::default() };
    let mut reads = Vec::new();
    let encoded = refused.map_or_else(|| read_frame(&path), Err);
    let outcome = encoded.and_then(|encoded| {
        let times = worker.analyse(&encoded, view, &mut reads)?;
        reads.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let analysed = Instant::now();
        let hits = reads.iter().map(|read| hits_of(matcher, read, watchlist)).collect::<Result<Vec<_>>>()?;
        let matching = analysed.elapsed();
        Ok((encoded, times, matching, hits))
    });
    match outcome {
        Ok((encoded, times, matching, hits)) => {
            (line.width, line.height) = (Some(worker.luma.width), Some(worker.luma.height));
            line.plates = reads.iter().zip(&hits).map(|(read, hits)| PlateLine::of(read, hits)).collect();
            line.timing_ms = TimingLine {
                decode: milliseconds(times.decode),
                detect: milliseconds(times.detect + times.refine),
                read: milliseconds(times.rectify + times.read),
                matching: milliseconds(matching),
                total: milliseconds(begin.elapsed()),
            };
            if let Some(folder) = &args.draw {
                let drawn: Vec<_> = reads.iter().zip(&hits).map(|(read, hits)| (*read, !hits.is_empty())).collect();
                let to = folder.join(drawing_name(&path));
                // What was read stands, whatever becomes of its picture.
                if let Err(error) = draw::annotated(&encoded, &drawn).and_then(|picture| picture.save_jpeg(&to)) {
                    line.error = Some(format!("was read, but its drawing {} cannot be written: {}", to.display(), error.message));
                }
            }
        }
        Err(error) => {
            line.error = Some(error.message);
            line.timing_ms.total = milliseconds(begin.elapsed());
        }
    }
    line
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// An image on disk says no time of capture: entries in force now are sought.
fn hits_of(matcher: &mut Matcher, read: &PlateRead, watchlist: Option<&Snapshot>) -> Result<Vec<Hit>> {
    let mut hits = Vec::new();
    if let Some(watchlist) = watchlist {
        let now_ms = jiff::Timestamp::now().as_millisecond();
        matcher.hits(watchlist, (&read.text, &read.posterior), read.jurisdiction, now_ms, &mut hits)?;
    }
    Ok(hits)
}

/// A frame's file, refused where it is longer than a frame may be. Read and not mapped: a camera may still be writing it.
fn read_frame(path: &Path) -> Result<Bytes> {
    Bytes::read(path, MAX_BYTES).map_err(|error| match error.fault {
        // What is in the file is at fault, which is said as the decoder says it.
        Fault::Damaged | Fault::Limit => Error { message: format!("bad frame: {}", error.message), ..error },
        _ => error,
    })
}

fn write_text(output: &mut impl Write, line: &Line) -> std::io::Result<()> {
    match &line.error {
        Some(error) => writeln!(output, "{}: {error}", line.image)?,
        None if line.plates.is_empty() => writeln!(output, "{}: no plate", line.image)?,
        None => {}
    }
    for plate in &line.plates {
        let text = if plate.text.is_empty() { "(not read)" } else { &plate.text };
        let jurisdiction = plate.jurisdiction.as_ref().map_or("?", |one| &one.code);
        write!(output, "{}: {text:<10} {:>5.1} %  {jurisdiction:<7} {:.1} ms", line.image, 100.0 * plate.confidence, line.timing_ms.total)?;
        for hit in &plate.hits {
            write!(output, "  HIT {:?} {} on {} ({:.0} %)", hit.class, hit.entry, hit.list, 100.0 * hit.probability)?;
        }
        writeln!(output)?;
    }
    Ok(())
}

/// A path as text, two paths never as the same one: as it is, or, where it is not all UTF-8 or has `\x` in it, with each byte that is not UTF-8
/// as `\xff` and each `\` as `\\`.
fn shown(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains("\\x") => text.to_owned(),
        _ => bytes
            .utf8_chunks()
            .map(|chunk| {
                let others: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
                chunk.valid().replace('\\', "\\\\") + &others
            })
            .collect(),
    }
}

/// What the name of a drawing ends with.
const DRAWN: &str = ".plates.jpg";

/// The most bytes of a file's name on Linux.
const MAX_NAME: usize = 255;

/// The name of the drawing of `path`, so that two files never share one: its folders are part of it, with `+` between them, and each byte that is
/// neither an ASCII letter or digit nor `.`, `-` or `_` is `%` and its two hexadecimal digits; so is a `.` in front, lest the drawing be hidden. A
/// name that would be too long is the path's SHA-256 and its end.
fn drawing_name(path: &Path) -> String {
    // `./x.jpg` is `x.jpg`.
    let plain: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    let mut name = String::new();
    for &byte in plain.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' => name.push('+'),
            b'.' if !name.is_empty() => name.push('.'),
            b'-' | b'_' => name.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.len() + DRAWN.len() > MAX_NAME {
        // No name that is not too long has `%s` in it.
        let digest = format!("%sha256-{}-", evidence::hex(&evidence::sha256(name.as_bytes())));
        let end = name.len() + digest.len() + DRAWN.len() - MAX_NAME;
        name = digest + &name[end..];
    }
    name + DRAWN
}

/// Files stay as they are (also when they do not exist: that becomes a line), folders become their images, globs what they match. A folder or glob
/// without images is a line too, so that it costs none of the others, and so is what cannot be looked into.
fn expand(paths: &[PathBuf]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for path in paths {
        let text = path.to_string_lossy();
        // What exists is meant, even if its name could be a glob.
        if path.exists() || !text.contains(['*', '?', '[']) {
            jobs.extend(file_or_folder(path.clone()));
        } else {
            jobs.extend(matched(path, &text));
        }
    }
    jobs
}

fn refused(path: PathBuf, error: Error) -> Job {
    Job { path, refused: Some(error) }
}

fn file_or_folder(path: PathBuf) -> Vec<Job> {
    if !path.is_dir() {
        return vec![Job { path, refused: None }];
    }
    let images = images_below(&path);
    if images.is_empty() {
        return vec![refused(path, Error::new(Fault::Caller, "is a folder with no .jpg, .jpeg or .png in it or below"))];
    }
    images
}

/// What the glob `path` matches, each once: `**` matches a folder and those in it.
fn matched(path: &Path, text: &str) -> Vec<Job> {
    let nothing = |message: &str| vec![refused(path.to_owned(), Error::new(Fault::Caller, message))];
    let matches = match glob::glob(text) {
        Ok(matches) => matches,
        Err(error) => return nothing(&error.to_string()),
    };
    let mut seen = HashSet::new();
    let jobs: Vec<Job> = matches
        .flat_map(|found| match found {
            Ok(path) => file_or_folder(path),
            // A folder in which there might have been matches.
            Err(error) => vec![refused(error.path().to_owned(), Error::io(error.error()))],
        })
        .filter(|job| seen.insert(job.path.clone()))
        .collect();
    if jobs.is_empty() { nothing("matches no file") } else { jobs }
}

/// The images in `folder` and below, sorted by path. Links are followed, but each folder is read once, by its own name rather than a link's: so links
/// that lead back up end, and no picture is read twice for them.
fn images_below(folder: &Path) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut seen = HashSet::new();
    let (mut folders, mut links) = (vec![folder.to_owned()], BTreeSet::new());
    while let Some(folder) = folders.pop().or_else(|| links.pop_first()) {
        let paths = match folder.canonicalize().and_then(|place| if seen.insert(place) { paths_in(&folder) } else { Ok(Vec::new()) }) {
            Ok(paths) => paths,
            Err(error) => {
                jobs.push(refused(folder, Error::io(&error)));
                continue;
            }
        };
        for path in paths {
            let is_image = path.extension().is_some_and(|extension| ["jpg", "jpeg", "png"].iter().any(|known| extension.eq_ignore_ascii_case(known)));
            match std::fs::metadata(&path) {
                Ok(found) if found.is_dir() && path.is_symlink() => _ = links.insert(path),
                Ok(found) if found.is_dir() => folders.push(path),
                _ if is_image => jobs.push(Job { path, refused: None }),
                // What cannot be looked at, such as a link that leads nowhere, may have been a folder of images.
                Err(error) => jobs.push(refused(path, Error::io(&error))),
                Ok(_) => {}
            }
        }
    }
    jobs.sort_by(|a, b| a.path.cmp(&b.path));
    jobs
}

fn paths_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn drawings_are_named_after_their_pictures() {
        for (path, name) in [
            ("plate_001-a.jpg", "plate_001-a.jpg.plates.jpg"),
            ("cam1/plate.jpg", "cam1+plate.jpg.plates.jpg"),
            ("./cam1//plate.jpg", "cam1+plate.jpg.plates.jpg"),
            ("/data/cam 1/plate.jpg", "+data+cam%201+plate.jpg.plates.jpg"),
            ("../plate.jpg", "%2E.+plate.jpg.plates.jpg"),
        ] {
            assert_eq!(drawing_name(Path::new(path)), name);
        }
        let long = "a".repeat(200);
        for (one, other) in [(format!("{long}/{long}/x.jpg"), format!("{long}/b{long}/x.jpg")), ("/\u{fc}".repeat(90), "/\u{fc}".repeat(91))] {
            let names = [one, other].map(|path| drawing_name(Path::new(&path)));
            assert!(names[0] != names[1] && names.iter().all(|name| name.len() == MAX_NAME && name.ends_with(DRAWN)), "{names:?}");
        }
    }

    #[test]
    fn names_that_are_not_text_keep_their_identity() {
        let names: [(&[u8], &str); 5] = [
            (b"\xff\xfea.jpg", r"\xff\xfea.jpg"),
            (b"\xfe\xffa.jpg", r"\xfe\xffa.jpg"),
            (br"\xff\xfea.jpg", r"\\xff\\xfea.jpg"),
            (br"a\b.jpg", r"a\b.jpg"),
            ("\u{fc} ?.jpg".as_bytes(), "\u{fc} ?.jpg"),
        ];
        for (bytes, text) in names {
            assert_eq!(shown(Path::new(OsStr::from_bytes(bytes))), text);
        }
    }

    /// Paths of the bytes that matter, short enough that two are often alike.
    fn path() -> impl Strategy<Value = PathBuf> {
        let bytes = prop::sample::select(b"a_+%./\\x5F \xfe\xff".to_vec());
        prop::collection::vec(bytes, 1..5).prop_map(|bytes| PathBuf::from(OsStr::from_bytes(&bytes)))
    }

    proptest! {
        #[test]
        fn different_pictures_have_different_names(a in path(), b in path()) {
            let plain = |path: &Path| path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
            prop_assert_eq!(plain(&a) == plain(&b), drawing_name(&a) == drawing_name(&b));
            prop_assert_eq!(a.as_os_str() == b.as_os_str(), shown(&a) == shown(&b));
        }
    }
}
