//! Which images a command line means, and what they and their drawings are called.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use garita::custody::evidence;
use garita::error::{Error, Fault};
use glob::{Pattern, PatternError};

use crate::cli::in_hexadecimal;

/// One file to read, or why there is none.
pub(super) struct Job {
    pub(super) path: PathBuf,
    pub(super) refused: Option<Error>,
}

fn refused(path: PathBuf, error: Error) -> Job {
    Job { path, refused: Some(error) }
}

/// Files stay as they are (also when they do not exist: that becomes a line), folders become their images, globs what they match. A folder or glob
/// without images is a line too, so that it costs none of the others, and so is what cannot be looked into.
pub(super) fn expand(paths: &[PathBuf]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for path in paths {
        // What exists is meant, even if its name could be a glob.
        if path.exists() || !is_pattern(&as_text(path.as_os_str())) {
            jobs.extend(file_or_folder(path.clone()));
        } else {
            jobs.extend(matched(path));
        }
    }
    jobs
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

/// The images in `folder` and below, sorted by path.
fn images_below(folder: &Path) -> Vec<Job> {
    let is_image = |path: &Path| {
        let extension = path.extension().unwrap_or_default();
        ["jpg", "jpeg", "png"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    };
    let job = |Found { path, is_folder }| match is_folder {
        Ok(true) => None,
        _ if is_image(&path) => Some(Job { path, refused: None }),
        Ok(false) => None,
        Err(error) => Some(refused(path, Error::io(&error))),
    };
    everything_below(folder).into_iter().filter_map(job).collect()
}

/// What is in a folder.
struct Found {
    path: PathBuf,
    /// What cannot be looked at, such as a link that leads nowhere, may have been a folder of images.
    is_folder: std::io::Result<bool>,
}

/// All that is in `folder` and below, sorted by path; also the folders that cannot be read. Links are followed, but each folder is read once, by its own
/// name rather than a link's: so links that lead back up end, and no picture is read twice for them.
fn everything_below(folder: &Path) -> Vec<Found> {
    let mut everything = Vec::new();
    let mut seen = HashSet::new();
    let (mut folders, mut links) = (vec![folder.to_owned()], BTreeSet::new());
    while let Some(folder) = folders.pop().or_else(|| links.pop_first()) {
        let names = match here(&folder).canonicalize().and_then(|place| if seen.insert(place) { names_in(&folder) } else { Ok(Vec::new()) }) {
            Ok(names) => names,
            Err(error) => {
                everything.push(Found { path: folder, is_folder: Err(error) });
                continue;
            }
        };
        for path in names.into_iter().map(|name| folder.join(name)) {
            let is_folder = std::fs::metadata(&path).map(|found| found.is_dir());
            match is_folder {
                Ok(true) if path.is_symlink() => _ = links.insert(path.clone()),
                Ok(true) => folders.push(path.clone()),
                _ => {}
            }
            everything.push(Found { path, is_folder });
        }
    }
    everything.sort_by(|a, b| a.path.cmp(&b.path));
    everything
}

/// The names in `folder`, sorted.
fn names_in(folder: &Path) -> std::io::Result<Vec<OsString>> {
    let mut names = std::fs::read_dir(here(folder))?.map(|entry| entry.map(|entry| entry.file_name())).collect::<std::io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// The path that names `folder` to the system, for which no path is no folder.
fn here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// What the glob `path` matches, each once: `**` matches a folder and those in it. Bytes that are not UTF-8 are matched too, each as one character; the
/// crate's own search passes over names that have any.
fn matched(path: &Path) -> Vec<Job> {
    let nothing = |message: &str| vec![refused(path.to_owned(), Error::new(Fault::Caller, message))];
    // The whole first: an error then says where in it.
    let parts = Pattern::new(&as_text(path.as_os_str())).and_then(|_| {
        let parts = path.components().filter(|part| *part != Component::CurDir);
        parts.map(|part| Part::of(part.as_os_str())).collect::<std::result::Result<Vec<_>, _>>()
    });
    let parts = match parts {
        Ok(parts) => parts,
        Err(error) => return nothing(&error.to_string()),
    };
    let mut found = Vec::new();
    matches_of(&parts, Path::new(""), &mut found);
    let folders_only = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    found.retain(|job| !folders_only || job.refused.is_some() || job.path.is_dir());
    let mut seen = HashSet::new();
    let images = found.into_iter().flat_map(|Job { path, refused }| if refused.is_some() { vec![Job { path, refused }] } else { file_or_folder(path) });
    let jobs: Vec<Job> = images.filter(|job| seen.insert(job.path.clone())).collect();
    if jobs.is_empty() { nothing("matches no file") } else { jobs }
}

/// One name in a glob.
enum Part {
    /// As it is.
    Name(OsString),
    Pattern(Pattern),
    /// `**`.
    Below,
}

impl Part {
    fn of(name: &OsStr) -> std::result::Result<Part, PatternError> {
        let text = as_text(name);
        Ok(match &*text {
            "**" => Part::Below,
            text if is_pattern(text) => Part::Pattern(Pattern::new(text)?),
            _ => Part::Name(name.to_owned()),
        })
    }

    fn matches(&self, name: &OsStr) -> bool {
        match self {
            Part::Name(own) => own == name,
            Part::Pattern(pattern) => pattern.matches(&as_text(name)),
            Part::Below => true,
        }
    }
}

/// Adds what is in `folder` and matches `parts`, sorted, and what cannot be looked into.
fn matches_of(parts: &[Part], folder: &Path, found: &mut Vec<Job>) {
    let Some((part, rest)) = parts.split_first() else {
        found.push(Job { path: folder.to_owned(), refused: None });
        return;
    };
    match part {
        Part::Name(name) => {
            let path = folder.join(name);
            match path.symlink_metadata() {
                Ok(_) => matches_of(rest, &path, found),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => found.push(refused(path, Error::io(&error))),
            }
        }
        Part::Pattern(_) if !here(folder).is_dir() => {}
        Part::Pattern(_) => match names_in(folder) {
            Ok(names) => names.iter().filter(|name| part.matches(name)).for_each(|name| matches_of(rest, &folder.join(name), found)),
            Err(error) => found.push(refused(folder.to_owned(), Error::io(&error))),
        },
        Part::Below => matches_below(rest, folder, found),
    }
}

/// Adds what is in `folder` or in a folder below and matches `parts`; all of the folder where there are none.
fn matches_below(parts: &[Part], folder: &Path, found: &mut Vec<Job>) {
    match parts.split_first() {
        Some((Part::Below, rest)) => matches_below(rest, folder, found),
        _ if !here(folder).is_dir() => {}
        None => found.push(Job { path: here(folder).to_owned(), refused: None }),
        Some((part, rest)) => {
            for Found { path, is_folder } in everything_below(folder) {
                if path.file_name().is_some_and(|name| part.matches(name)) {
                    matches_of(rest, &path, found);
                } else if let Some(error) = is_folder.err().filter(|error| error.kind() != ErrorKind::NotFound) {
                    found.push(refused(path, Error::io(&error)));
                }
            }
        }
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// A name as patterns are matched with it: each byte that is not UTF-8 as one of the last characters there are, which nobody uses.
fn as_text(name: &OsStr) -> Cow<'_, str> {
    let bytes = name.as_encoded_bytes();
    let other = |&byte: &u8| char::from_u32(0x10_FF00 + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER);
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => bytes.utf8_chunks().flat_map(|chunk| chunk.valid().chars().chain(chunk.invalid().iter().map(other))).collect(),
    }
}

/// A path as text, two paths never as the same one: as it is, or, where it is not all UTF-8 or has `\x` in it, with each byte that is not UTF-8
/// as `\xff` and each `\` as `\\`.
pub(super) fn shown(path: &Path) -> String {
    written(path, |_| true)
}

/// The same for people, with the bytes of control characters as those that are not UTF-8: they would steer the terminal.
pub(super) fn shown_to_people(path: &Path) -> String {
    written(path, |character| !character.is_control())
}

fn written(path: &Path, is_plain: impl Fn(char) -> bool) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let one = |character: char| match character {
        '\\' => "\\\\".to_owned(),
        character if is_plain(character) => character.to_string(),
        character => in_hexadecimal(character.encode_utf8(&mut [0; 4]).as_bytes()),
    };
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains("\\x") && text.chars().all(&is_plain) => text.to_owned(),
        _ => bytes.utf8_chunks().map(|chunk| chunk.valid().chars().map(one).collect::<String>() + &in_hexadecimal(chunk.invalid())).collect(),
    }
}

/// What the name of a drawing ends with.
const DRAWN: &str = ".plates.jpg";

/// The most bytes of a file's name on Linux.
const MAX_NAME: usize = 255;

/// The name of the drawing of `path`, so that two files never share one: its folders are part of it, with `+` between them, and each byte that is
/// neither an ASCII letter or digit nor `.`, `-` or `_` is `%` and its two hexadecimal digits; so is a `.` in front, lest the drawing be hidden. A
/// name that would be too long is the path's SHA-256 and its end.
pub(super) fn drawing_name(path: &Path) -> String {
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
        assert_eq!(shown_to_people(Path::new("\u{1b}[2J\n\u{9b}\u{fc}.jpg")), "\\x1b[2J\\x0a\\xc2\\x9b\u{fc}.jpg");
    }

    /// Paths of the bytes that matter, short enough that two are often alike.
    fn path() -> impl Strategy<Value = PathBuf> {
        let bytes = prop::sample::select(b"a_+%./\\x5F \xfe\xff\n".to_vec());
        prop::collection::vec(bytes, 1..5).prop_map(|bytes| PathBuf::from(OsStr::from_bytes(&bytes)))
    }

    proptest! {
        #[test]
        fn different_pictures_have_different_names(a in path(), b in path()) {
            let plain = |path: &Path| path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
            prop_assert_eq!(plain(&a) == plain(&b), drawing_name(&a) == drawing_name(&b));
            prop_assert_eq!(a.as_os_str() == b.as_os_str(), shown(&a) == shown(&b));
            prop_assert_eq!(a.as_os_str() == b.as_os_str(), shown_to_people(&a) == shown_to_people(&b));
        }
    }
}
