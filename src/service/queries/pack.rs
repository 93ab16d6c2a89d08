//! Evidence packs: everything of some passages, hits and scans in one zip that whoever gets it can verify alone:
//!
//! ```sh
//! unzip -q pack.zip -d pack && cd pack && sha256sum --check --strict SHA256SUMS &&
//!     openssl pkeyutl -verify -pubin -inkey ../site.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig
//! ```
//!
//! `SHA256SUMS` names every other file and `SHA256SUMS.sig` is its Ed25519 signature by the key of the audit checkpoints, whose public half `garita audit key` prints
//! (`site.pem`). The digest of `SHA256SUMS` is in the audit trail, in the record that the pack was taken out, before the first byte leaves. Pictures are read while
//! they are sent: one that does not hold what its digest says breaks the answer off.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::evidence::unreadable;
use super::stream::{self, Pieces};
use super::{Why, ask, bad, missing, record};
use crate::audit::Action;
use crate::bytes::Bytes;
use crate::custody::evidence::{self, Sha, from_hex, hex, sha256};
use crate::custody::record::StoredRead;
use crate::custody::{outbox, told};
use crate::lane::rectify::Corners;
use crate::masking;
use crate::service::Service;
use crate::service::access::Person;
use crate::service::asked::Body;
use crate::service::door::now_ms;
use crate::service::problem::{Problem, ProblemBody};
use crate::service::uploads::blocking;

/// Passages, hits and scans of one pack at most: their pictures may have to be blurred.
const MOST: usize = 100;

/// What a pack tells of itself.
const README: &str = "An evidence pack of garita.\n\n\
    Verify it:\n\n    sha256sum --check --strict SHA256SUMS && openssl pkeyutl -verify -pubin -inkey site.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig\n\n\
    The first half names every file that is not as it was when the pack was made. The second says whether the site made it: site.pem is\n\
    the site's public key (`garita audit key` prints it there), which you have from the site by another way than this pack. The SHA-256 of\n\
    SHA256SUMS is also in the site's audit trail, as `manifest` of the record that the pack was taken out (pack.json says when, by whom).\n\n\
    pack.json                     who took it out, when, why; of which store\n\
    passages/N/passage.json       a vehicle: what was read, with every alternative; whom the lists say it may be\n\
    passages/N/NN.jpg             its pictures: 00 is the one that the text is from. As they came in, or with a mosaic where people sit if\n\
    \x20                             the site wants that; passage.json has the SHA-256 of each as it came in, which the site's store is asked by\n\
    hits/N.json                   a hit whose vehicle had not passed yet\n\
    scans/N/scan.json             a train: its cars and what was found in them\n\
    scans/N/scan.tif              its scan as it came in, where it was asked for\n\
    audit.jsonl                   what the audit trail says of these, a record a line\n";

/// What is packed, and why.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::service) struct PackAsked {
    /// Why; compulsory unless the site says otherwise.
    reason: Option<String>,
    /// The number of the case that it is for; compulsory unless the site says otherwise.
    case: Option<String>,
    /// Numbers of passages.
    #[serde(default)]
    passages: BTreeSet<i64>,
    /// Numbers of hits; their passages are packed.
    #[serde(default)]
    hits: BTreeSet<i64>,
    /// Numbers of scans.
    #[serde(default)]
    scans: BTreeSet<i64>,
    /// The scans' files as well, not what was found in them alone.
    #[serde(default)]
    scan_files: bool,
}

/// What stands in a file of the pack.
enum Content {
    Here(Vec<u8>),
    /// Path, SHA-256.
    File(PathBuf, Sha),
    /// Path, the plates in it, and the SHA-256 of the picture in which nobody can be recognised: made again when it is sent, so that no more than one is in memory.
    Blurred(PathBuf, Vec<Corners>, Sha),
}

impl Content {
    /// Not blurred after all.
    fn unblurred(self) -> Content {
        match self {
            Content::Blurred(path, _, digest) => Content::File(path, digest),
            other => other,
        }
    }
}

/// The files of a pack by name.
type Files = BTreeMap<String, Content>;

/// A zip with everything of these passages, hits and scans; that it was made is in the audit trail before it is sent.
#[utoipa::path(post, path = "/v1/packs", tag = "queries", request_body = PackAsked, responses(
    (status = 200, description = "The pack. Verify it: unzip -q pack.zip -d pack && cd pack && sha256sum --check --strict SHA256SUMS && \
        openssl pkeyutl -verify -pubin -inkey ../site.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig, with what `garita audit key` prints as site.pem",
        content_type = "application/zip", body = Vec<u8>),
    (status = 422, description = "No reason or case number", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(in crate::service) async fn pack(State(service): State<Service>, person: Person, Body(asked): Body<PackAsked>) -> Result<Response, Problem> {
    let why = Why::of(&service, asked.reason.as_deref(), asked.case.as_deref())?;
    let count = asked.passages.len() + asked.hits.len() + asked.scans.len();
    if !(1..=MOST).contains(&count) {
        return Err(bad(format!("name 1 to {MOST} passages, hits and scans")));
    }
    let (of, folder, since_ms) = (asked.clone(), service.custody.folder().to_owned(), person.sees_since_ms(&service.site, now_ms()));
    let gathered = ask(&service, move |connection| gather(connection, &of, &folder, since_ms)).await?;
    let Some((mut files, store)) = gathered else { return Err(missing("passage, hit or scan")) };
    files = match service.site.masking.blur_exports {
        true => blocking(move || blur_all(files)).await?,
        false => files.into_iter().map(|(name, content)| (name, content.unblurred())).collect(),
    };
    let made = jiff::Timestamp::from_millisecond(now_ms()).unwrap_or_default().to_string();
    let about = json!({
        "site": service.site.name, "store": store, "made": made, "by": person.id, "reason": why.reason, "case": why.case,
        "passages": asked.passages, "hits": asked.hits, "scans": asked.scans, "garita": env!("CARGO_PKG_VERSION"),
    });
    files.insert("pack.json".to_owned(), Content::Here(pretty(&about)));
    files.insert("README.txt".to_owned(), Content::Here(README.as_bytes().to_vec()));
    let sums = sums(&files);
    let manifest = hex(&sha256(sums.as_bytes()));
    let mut details = about;
    details["manifest"] = manifest.clone().into();
    record(&service, &person, Action::Exported, "pack".to_owned(), details).await?;
    let signature = service.signer.sign(sums.as_bytes());
    let mut response = stream::body(move |pieces| write(pieces, (&sums, &signature), &files)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"pack.zip\""));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&manifest) {
        headers.insert("garita-manifest-sha256", value);
    }
    Ok(response)
}

/// Everything of what is asked for, and the store's name; none where one of them is not there.
fn gather(connection: &Connection, asked: &PackAsked, folder: &Path, since_ms: i64) -> rusqlite::Result<Option<(Files, String)>> {
    let (mut files, mut subjects) = (Files::new(), BTreeSet::new());
    let mut passages = asked.passages.clone();
    for &id in &asked.hits {
        let Some(hit) = told::hit(connection, id)?.filter(|hit| hit.stored_ms >= since_ms) else { return Ok(None) };
        subjects.insert(format!("hit {id}"));
        match hit.passage {
            Some(passage) => drop(passages.insert(passage)),
            None => drop(files.insert(format!("hits/{id}.json"), Content::Here(pretty(&hit)))),
        }
    }
    for id in passages {
        let Some(whole) = told::passage_whole(connection, id)?.filter(|whole| whole.passage.stored_ms >= since_ms) else { return Ok(None) };
        subjects.insert(format!("passage {id}"));
        subjects.extend(whole.hits.iter().map(|hit| format!("hit {}", hit.id)));
        for picture in &whole.evidence {
            let Some(digest) = from_hex(&picture.sha256) else { continue };
            let path = evidence::path(&folder.join("evidence"), &digest);
            let plates = plates(connection, &whole.passage.lane, picture.sequence)?;
            // Blurred afterwards, where the site wants that: its digest until then is of the picture as it came in.
            files.insert(format!("passages/{id}/{:02}.jpg", picture.number), Content::Blurred(path, plates, digest));
        }
        files.insert(format!("passages/{id}/passage.json"), Content::Here(pretty(&whole)));
    }
    for &id in &asked.scans {
        let Some(scan) = told::scan(connection, id)?.filter(|scan| scan.received_ms >= since_ms) else { return Ok(None) };
        subjects.insert(format!("scan {id}"));
        let question = format!("SELECT {} FROM car JOIN scan ON scan.id = car.scan WHERE car.scan = ?1 ORDER BY position", told::CAR);
        let cars = connection.prepare_cached(&question)?.query_map([id], told::car_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut hits = connection.prepare_cached("SELECT id FROM scan_hit WHERE scan = ?1 ORDER BY id")?;
        let hits = hits.query_map([id], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        let hits = hits.into_iter().filter_map(|hit| told::scan_hit(connection, hit).transpose()).collect::<rusqlite::Result<Vec<_>>>()?;
        if asked.scan_files
            && let Some(digest) = scan.sha256.as_deref().and_then(from_hex)
        {
            let file: String = connection.query_row("SELECT file FROM scan WHERE id = ?1", [id], |row| row.get(0))?;
            files.insert(format!("scans/{id}/scan.tif"), Content::File(folder.join("scans").join(file), digest));
        }
        files.insert(format!("scans/{id}/scan.json"), Content::Here(pretty(&json!({ "scan": scan, "cars": cars, "hits": hits }))));
    }
    files.insert("audit.jsonl".to_owned(), Content::Here(audit_of(connection, &subjects)?.into_bytes()));
    Ok(Some((files, outbox::store_id(connection)?)))
}

/// Where the plates of a frame are.
fn plates(connection: &Connection, lane: &str, sequence: i64) -> rusqlite::Result<Vec<Corners>> {
    let question = "SELECT seen FROM frame JOIN read ON read.frame = frame.id WHERE frame.lane = ?1 AND frame.sequence = ?2";
    let mut statement = connection.prepare_cached(question)?;
    let reads = statement.query_map(params![lane, sequence], |row| StoredRead::from_column(row.get_ref(0)?))?;
    reads.map(|read| read.map(|read| read.line.corners)).collect()
}

/// The files, with the digests of their pictures as they leave.
fn blur_all(files: Files) -> crate::error::Result<Files> {
    let blur = |(name, content)| match content {
        Content::Blurred(path, plates, _) => {
            let digest = sha256(&blurred(&path, &plates)?);
            Ok((name, Content::Blurred(path, plates, digest)))
        }
        other => Ok((name, other)),
    };
    files.into_iter().map(blur).collect()
}

/// A picture in which nobody can be recognised.
fn blurred(path: &Path, plates: &[Corners]) -> crate::error::Result<Vec<u8>> {
    masking::blur_occupants(&Bytes::read(path, crate::lane::frame::MAX_BYTES)?, plates)
}

/// What the audit trail says of these, a record a line.
fn audit_of(connection: &Connection, subjects: &BTreeSet<String>) -> rusqlite::Result<String> {
    let subjects = serde_json::to_string(subjects).expect("plain data");
    let mut statement = connection
        .prepare_cached("SELECT id, at_ms, who, action, subject, details, digest FROM audit WHERE subject IN (SELECT value FROM json_each(?1)) ORDER BY id")?;
    let mut lines = String::new();
    let mut rows = statement.query([subjects])?;
    while let Some(row) = rows.next()? {
        let details: Value = serde_json::from_str(row.get_ref(5)?.as_str()?).unwrap_or_default();
        let line = json!({
            "id": row.get::<_, i64>(0)?, "at_ms": row.get::<_, i64>(1)?, "who": row.get::<_, String>(2)?, "action": row.get::<_, String>(3)?,
            "subject": row.get::<_, String>(4)?, "details": details, "digest": hex(&row.get::<_, Sha>(6)?),
        });
        let _ = writeln!(lines, "{line}");
    }
    Ok(lines)
}

fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain data");
    text.push(b'\n');
    text
}

/// As `sha256sum` writes it.
fn sums(files: &Files) -> String {
    files.iter().fold(String::new(), |mut sums, (name, content)| {
        let digest = match content {
            Content::Here(bytes) => sha256(bytes),
            Content::File(_, digest) | Content::Blurred(_, _, digest) => *digest,
        };
        let _ = writeln!(sums, "{}  {name}", hex(&digest));
        sums
    })
}

fn write(pieces: &mut Pieces, (sums, signature): (&str, &[u8; 64]), files: &Files) -> std::io::Result<()> {
    let mut zip = ZipWriter::new_stream(pieces);
    // Pictures are compressed as they are, and the rest is small.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o644).large_file(true);
    zip.start_file("SHA256SUMS", options)?;
    zip.write_all(sums.as_bytes())?;
    zip.start_file("SHA256SUMS.sig", options)?;
    zip.write_all(signature)?;
    for (name, content) in files {
        match content {
            Content::Here(bytes) => {
                zip.start_file(name.as_str(), options)?;
                zip.write_all(bytes)?;
            }
            Content::Blurred(path, plates, digest) => {
                zip.start_file(name.as_str(), options)?;
                let blurred = blurred(path, plates).map_err(std::io::Error::other)?;
                if sha256(&blurred) != *digest {
                    return Err(std::io::Error::other(format!("{name} is not what it was a moment ago")));
                }
                zip.write_all(&blurred)?;
            }
            Content::File(path, digest) => {
                zip.start_file(name.as_str(), options)?;
                copy(&mut zip, path, digest).map_err(|error| std::io::Error::other(unreadable(digest, &error)))?;
            }
        }
    }
    zip.finish()?;
    Ok(())
}

/// Copies a file that must hold what its digest says.
fn copy(to: &mut impl Write, path: &Path, digest: &Sha) -> std::io::Result<()> {
    let (mut file, mut buffer, mut hash) = (File::open(path)?, vec![0; 64 << 10], Sha256::new());
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
    }
    if Sha::from(hash.finalize()) == *digest { Ok(()) } else { Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "does not hold what its digest says")) }
}
