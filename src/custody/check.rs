//! Looks whether a store's invariants hold, as numbered at the head of [`super`]; repairs nothing.
//!
//! | number | what is looked at |
//! |---|---|
//! | 1 | the database is whole (`integrity_check`) and in WAL mode. That nothing acknowledged is missing cannot be seen from what is there; `tests/custody_faults.rs` holds that |
//! | 2 | every byte that a row names: journal, evidence and scans, by SHA-256 |
//! | 3 | no two rows where there may be one; no number that could come back |
//! | 4 | reads, tracks, passages, evidence and hits fit together, and scans with their cars; no read of a vehicle that has passed is missing |
//! | 5 | no file that nobody knows of: in the journal, evidence, scans, uploads, and the store's own folder; what the next start or sweep deletes is counted as `left` |
//! | 6 | cannot be seen afterwards; `tests/custody_faults.rs` holds it |
//! | 7 | version, tables and indexes are those of this garita |
//! | 8 | every record of the audit trail ([`crate::audit::verify`]), and that there are any beside what is never done without one; that its last ones are gone is seen only against a checkpoint (`garita audit verify`) |
//! | 9 | every hit is a case, nobody has decided twice on one, none that wants two persons is confirmed by fewer, and no case, of a hit or a car, stands where nobody's decision has put it |
//!
//! *Cost.* It reads the database some three times and every other byte once: about the time that `sha256sum` takes for the folder, some 10 s a GB from a cold disk.
//! It holds some 40 bytes of memory a piece of evidence, 100 a scan.
//!
//! *While a server runs*: one read transaction, so the rows are those of one instant; the `deletion` lock, so that no file goes meanwhile (the server deletes with its
//! next sweep instead); files are listed before the rows are asked, and evidence that is being written is in its list. Nothing waits for it, but the write-ahead
//! log grows until it is done.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::evidence::{self, Sha};
use super::{database, journal, reader, schema, sqlite, strays};
use crate::audit::verify::verify;
use crate::error::{Error, Fault, Result};

/// Findings that are told one by one; of further ones the number.
pub const MAX_FINDINGS: usize = 1_000;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its number at the head of [`super`].
    pub invariant: u8,
    /// The row or file.
    pub subject: String,
    /// What is wrong with it, and what to do.
    pub message: String,
}

/// What a check saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Invariants that do not hold, at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// Further ones.
    pub more: u64,
    /// Frames, those whose bytes were deleted included.
    pub frames: u64,
    /// Passages.
    pub passages: u64,
    /// Hits.
    pub hits: u64,
    /// Scans.
    pub scans: u64,
    /// Files of evidence that rows name.
    pub evidence: u64,
    /// Bytes that were read and compared, the database not counted.
    pub bytes: u64,
    /// Files that no row names and that the next start or sweep deletes: of a crash, or of a group that is being written just now.
    pub left: u64,
}

/// What to do about a file that is damaged or missing.
const RESTORE: &str = "the disk or somebody changed it; restore it from a backup, and look at the disk";
/// What to do about rows that contradict each other.
const REPORT: &str = "keep a copy of the data folder, and report it: no garita writes that";

/// Checks the store in `folder`.
///
/// # Errors
/// `Caller` where there is no store, `Machine` where it cannot be read. What is wrong *in* it is a finding.
pub fn check(folder: &Path) -> Result<Report> {
    let path = database(folder);
    if !path.is_file() {
        return Err(Error::new(Fault::Caller, "is no store: there is no garita.db in it").in_(folder.display()));
    }
    let lock = folder.join("deletion");
    let _kept = match File::open(&lock) {
        // A store of which only files were copied has none, and no writer.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        opened => Some(opened.and_then(|file| file.lock_shared().map(|()| file)).map_err(|error| Error::io(&error).in_(lock.display()))?),
    };
    let mut check = Check { folder, report: Report::default(), buffer: vec![0; 1 << 20] };
    let segments = check.list_segments()?;
    let files = check.list_evidence()?;
    let scans = check.list_scans()?;
    let uploads = check.list_uploads()?;
    check.list_store()?;
    let unsettled: HashSet<Sha> = evidence::unsettled(&folder.join("evidence")).map_err(|error| Error::io(&error).in_("evidence"))?.into_iter().collect();
    let connection = reader(folder)?;
    let version = connection.execute_batch("BEGIN").map_err(|error| sqlite(&error)).and_then(|()| schema::version(&connection));
    match version {
        Ok(version) if version == schema::VERSION => {
            let listed = Listed { segments, evidence: files, unsettled, scans, uploads };
            check.rows(&connection, &listed).map_err(|error| sqlite(&error).in_(path.display()))?;
        }
        Ok(version) => check.find(7, "garita.db", format!("is of version {version}, not {}: start garita once, which brings it there", schema::VERSION)),
        Err(error) if error.fault == Fault::Unsupported => check.find(7, "garita.db", error.message),
        Err(error) if error.fault == Fault::Damaged => check.find(1, "garita.db", format!("{}; {RESTORE}", error.message)),
        Err(error) => return Err(error.in_(path.display())),
    }
    check.report.findings.sort_by_key(|finding| finding.invariant);
    Ok(check.report)
}

/// One part of the check.
type Section<'section> = &'section dyn Fn(&mut Check<'_>) -> rusqlite::Result<()>;

/// Files as they lay there before the rows were asked.
struct Listed {
    segments: Vec<i64>,
    evidence: Vec<Sha>,
    unsettled: HashSet<Sha>,
    /// And whether the upload that each came as was there.
    scans: Vec<(String, bool)>,
    uploads: Vec<UploadFile>,
}

/// A file of an upload.
struct UploadFile {
    id: String,
    ending: String,
    length: u64,
}

struct Check<'folder> {
    folder: &'folder Path,
    report: Report,
    buffer: Vec<u8>,
}

impl Check<'_> {
    fn find(&mut self, invariant: u8, subject: impl Into<String>, message: impl Into<String>) {
        if self.report.findings.len() < MAX_FINDINGS {
            self.report.findings.push(Finding { invariant, subject: subject.into(), message: message.into() });
        } else {
            self.report.more += 1;
        }
    }

    fn list_segments(&mut self) -> Result<Vec<i64>> {
        let folder = self.folder.join("journal");
        for file in list(&folder)? {
            let known = file.file_stem().and_then(|stem| stem.to_str()?.parse::<i64>().ok()).is_some_and(|number| journal::path(&folder, number) == file);
            if !known {
                self.find(5, shown(self.folder, &file), "is no segment of the journal: move it elsewhere");
            }
        }
        if folder.is_dir() { journal::segments(&folder) } else { Ok(Vec::new()) }
    }

    fn list_evidence(&mut self) -> Result<Vec<Sha>> {
        let folder = self.folder.join("evidence");
        let mut digests = Vec::new();
        for shelf in list(&folder)? {
            let name = shelf.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name == evidence::LIST || name == evidence::UNNAMED {
                continue;
            }
            if !shelf.is_dir() {
                self.find(5, shown(self.folder, &shelf), "is nothing of garita's: move it elsewhere");
                continue;
            }
            for file in list(&shelf)? {
                let digest = file.file_stem().and_then(|stem| evidence::from_hex(stem.to_str()?));
                match digest.filter(|digest| evidence::path(&folder, digest) == file) {
                    Some(digest) => digests.push(digest),
                    None => self.find(5, shown(self.folder, &file), "is no evidence: move it elsewhere"),
                }
            }
        }
        Ok(digests)
    }

    /// Names in `scans/`.
    fn list_scans(&mut self) -> Result<Vec<(String, bool)>> {
        let mut scans = Vec::new();
        for file in list(&self.folder.join("scans"))? {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let linked = strays::is_linked(self.folder, &name);
            scans.push((name, linked));
        }
        Ok(scans)
    }

    fn list_uploads(&mut self) -> Result<Vec<UploadFile>> {
        let mut uploads = Vec::new();
        for file in list(&self.folder.join("uploads"))? {
            match file.file_name().and_then(|name| strays::upload_file(name.to_str()?)) {
                Some((id, ending)) => {
                    // Gone meanwhile: its upload is over.
                    let Ok(found) = std::fs::metadata(&file) else { continue };
                    uploads.push(UploadFile { id: id.to_owned(), ending: ending.to_owned(), length: found.len() });
                }
                None => self.find(5, shown(self.folder, &file), "is nothing of an upload: move it elsewhere"),
            }
        }
        Ok(uploads)
    }

    /// What lies beside the store's folders.
    fn list_store(&mut self) -> Result<()> {
        for file in list(self.folder)? {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if !STORE.contains(&name.as_str()) {
                self.find(5, shown(self.folder, &file), "is nothing of garita's: move it elsewhere");
            }
        }
        Ok(())
    }

    fn rows(&mut self, connection: &Connection, listed: &Listed) -> rusqlite::Result<()> {
        let sections: [(&str, Section<'_>); 9] = [
            ("the schema", &|check| check.schema(connection)),
            ("the database", &|check| check.integrity(connection)),
            ("the numbers of rows", &|check| check.count(connection)),
            ("the journal", &|check| check.frames(connection, &listed.segments)),
            ("evidence", &|check| check.evidence(connection, &listed.evidence, &listed.unsettled)),
            ("scans", &|check| check.scans(connection, &listed.scans)),
            ("uploads", &|check| check.uploads(connection, &listed.uploads)),
            ("rows that belong together", &|check| check.contradictions(connection)),
            ("the audit trail", &|check| check.audit(connection)),
        ];
        for (what, section) in sections {
            let Err(error) = section(self) else { continue };
            match error.sqlite_error_code() {
                // No such table or column.
                Some(rusqlite::ErrorCode::Unknown) => self.find(7, "garita.db", format!("{what} cannot be looked at: {error}")),
                Some(rusqlite::ErrorCode::DatabaseCorrupt) | None => self.find(1, "garita.db", format!("{what} cannot be read: {error}; {RESTORE}")),
                Some(_) => return Err(error),
            }
        }
        Ok(())
    }

    fn count(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let count = |table: &str| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0).map(|count| count as u64));
        (self.report.frames, self.report.passages) = (count("frame")?, count("passage")?);
        (self.report.hits, self.report.scans) = (count("hit")?, count("scan")?);
        Ok(())
    }

    /// 7: what the migrations make is what is there.
    fn schema(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let tell = |connection: &Connection| {
            let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<Vec<(String, String)>>>()
        };
        let mut fresh = Connection::open_in_memory()?;
        if let Err(error) = schema::migrate(&mut fresh) {
            self.find(7, "garita", error.message);
            return Ok(());
        }
        let (found, wanted) = (tell(connection)?, tell(&fresh)?);
        for (name, _) in wanted.iter().filter(|one| !found.contains(one)) {
            self.find(7, name.as_str(), format!("is not in the database as version {} has it; {REPORT}", schema::VERSION));
        }
        for (name, _) in found.iter().filter(|one| !wanted.iter().any(|(name, _)| *name == one.0)) {
            self.find(7, name.as_str(), "is in the database, but nothing of garita's: move it elsewhere");
        }
        Ok(())
    }

    /// 1: the database is whole. Rows that name none, found on the way, belong to 4.
    fn integrity(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0))?;
        if mode != "wal" {
            self.find(1, "garita.db", format!("is in journal mode {mode}, not WAL: start garita once"));
        }
        let mut statement = connection.prepare("PRAGMA integrity_check(100)")?;
        for line in statement.query_map([], |row| row.get::<_, String>(0))? {
            let line = line?;
            if line != "ok" {
                self.find(1, "garita.db", format!("{line}; {RESTORE}"));
            }
        }
        let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
        let broken = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, String>(2)?)))?;
        for row in broken {
            let (table, row, parent) = row?;
            let subject = row.map_or_else(|| format!("a row of {table}"), |row| format!("{table} {row}"));
            self.find(4, subject, format!("names a row of {parent} that is not there; {REPORT}"));
        }
        Ok(())
    }

    /// 8: nobody has changed what was recorded.
    fn audit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let verdict = verify(connection, &[])?;
        if let Some(wrong) = verdict.wrong {
            self.find(8, format!("audit record {}", wrong.record), format!("{}: somebody or the disk changed it; compare with a backup", wrong.message));
        } else if verdict.right == 0 {
            for (table, act) in RECORDED {
                let rows: i64 = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
                if rows > 0 {
                    let message = format!("is empty, beside {rows} rows of {table}: nobody {act} unrecorded; compare with a backup");
                    self.find(8, "the audit trail", message);
                    break;
                }
            }
        }
        Ok(())
    }

    /// 2 and 5 for the journal.
    fn frames(&mut self, connection: &Connection, segments: &[i64]) -> rusqlite::Result<()> {
        let folder = self.folder.join("journal");
        let mut statement = connection
            .prepare("SELECT segment, at, length, digest, lane, sequence FROM frame WHERE segment IS NOT NULL OR at IS NOT NULL ORDER BY segment, at")?;
        let mut rows = statement.query([])?;
        let mut open: Option<(i64, std::io::Result<File>)> = None;
        let mut named = HashSet::new();
        while let Some(row) = rows.next()? {
            let subject = format!("frame {} of lane {}", row.get::<_, i64>(5)?, row.get::<_, String>(4)?);
            let (Some(segment), Some(at)) = (row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?) else {
                self.find(2, subject, format!("has only half a place in the journal; {REPORT}"));
                continue;
            };
            let path = journal::path(&folder, segment);
            if open.as_ref().is_none_or(|(number, _)| *number != segment) {
                named.insert(segment);
                let opened = File::open(&path);
                if let Err(error) = &opened {
                    let rows: i64 = connection.query_row("SELECT count(*) FROM frame WHERE segment = ?1", [segment], |row| row.get(0))?;
                    self.find(2, shown(self.folder, &path), format!("{rows} frames lie in it, the first {subject}: {error}; {RESTORE}"));
                }
                open = Some((segment, opened));
            }
            let Some((_, Ok(file))) = &open else { continue };
            let (length, digest) = (row.get::<_, i64>(2)? as u64, row.get::<_, Sha>(3)?);
            match self.digest_of(file, at as u64, length) {
                Ok(found) if found == digest => {}
                Ok(_) => self.find(2, subject, format!("{} from byte {at}: not the bytes that came in; {RESTORE}", shown(self.folder, &path))),
                Err(error) => self.find(2, subject, format!("{} from byte {at}: {error}; {RESTORE}", shown(self.folder, &path))),
            }
        }
        self.report.left += segments.iter().filter(|number| !named.contains(number)).count() as u64;
        Ok(())
    }

    /// 2 and 5 for evidence.
    fn evidence(&mut self, connection: &Connection, files: &[Sha], unsettled: &HashSet<Sha>) -> rusqlite::Result<()> {
        let folder = self.folder.join("evidence");
        let mut statement = connection.prepare(
            "SELECT evidence.digest, evidence.length, 'evidence ' || evidence.number || ' of passage ' || passage.lane || '/' || passage.track
             FROM evidence JOIN passage ON passage.id = evidence.passage GROUP BY evidence.digest, evidence.length
             UNION ALL SELECT digest, length, 'edge read ' || id FROM edge_read WHERE digest IS NOT NULL GROUP BY digest, length",
        )?;
        let mut rows = statement.query([])?;
        let mut named = HashSet::new();
        while let Some(row) = rows.next()? {
            let (digest, length) = (row.get::<_, Sha>(0)?, row.get::<_, i64>(1)? as u64);
            named.insert(digest);
            let path = evidence::path(&folder, &digest);
            let found = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), self.digest_of(&file, 0, length)?)));
            let wrong = match found {
                Ok((found, _)) if found != length => format!("has {found} bytes, not {length}"),
                Ok((_, found)) if found != digest => "does not hold what its name says".to_owned(),
                Ok(_) => continue,
                Err(error) => error.to_string(),
            };
            let whose: String = row.get(2)?;
            self.find(2, shown(self.folder, &path), format!("{whose}: {wrong}; {RESTORE}"));
        }
        self.report.evidence = named.len() as u64;
        for digest in files.iter().filter(|digest| !named.contains(*digest)) {
            if unsettled.contains(digest) {
                self.report.left += 1;
            } else {
                let path = evidence::path(&folder, digest);
                self.find(5, shown(self.folder, &path), "no row names it: move it elsewhere, or find out which rows are missing");
            }
        }
        Ok(())
    }

    /// 2 and 5 for scans.
    fn scans(&mut self, connection: &Connection, files: &[(String, bool)]) -> rusqlite::Result<()> {
        let mut statement = connection.prepare("SELECT portal, id, file, length, digest FROM scan WHERE file IS NOT NULL")?;
        let mut rows = statement.query([])?;
        let mut named = HashSet::new();
        while let Some(row) = rows.next()? {
            let subject = format!("scan {} of portal {}", row.get::<_, i64>(1)?, row.get::<_, String>(0)?);
            let (name, length, digest) = (row.get::<_, String>(2)?, row.get::<_, i64>(3)? as u64, row.get::<_, Sha>(4)?);
            let found = File::open(self.folder.join("scans").join(&name)).and_then(|file| Ok((file.metadata()?.len(), self.digest_of(&file, 0, length)?)));
            match found {
                Ok(found) if found == (length, digest) => {}
                Ok(_) => self.find(2, subject, format!("scans/{name}: not the bytes that came in; {RESTORE}")),
                Err(error) => self.find(2, subject, format!("scans/{name}: {error}; {RESTORE}")),
            }
            named.insert(name);
        }
        for (name, linked) in files.iter().filter(|(name, _)| !named.contains(name)) {
            let path = self.folder.join("scans").join(name);
            if *linked || strays::is_deleted(connection, name)? {
                self.report.left += 1;
            } else if path.exists() {
                self.find(
                    5,
                    shown(self.folder, &path),
                    "no row names it: perhaps a scan of which an older garita.db does not know; find out which rows are missing",
                );
            }
        }
        Ok(())
    }

    /// 5 for uploads. What a server has begun or ended since the files were listed is looked at once more.
    fn uploads(&mut self, connection: &Connection, files: &[UploadFile]) -> rusqlite::Result<()> {
        let folder = self.folder.join("uploads");
        let there = |id: &str, ending: &str| folder.join(format!("{id}.{ending}")).exists();
        for UploadFile { id, ending, length } in files {
            let row = "SELECT file IS NULL FROM scan WHERE upload = ?1";
            let passing: Option<bool> = connection.prepare_cached(row)?.query_row([id], |row| row.get(0)).optional()?;
            let wrong = match (ending.as_str(), passing) {
                ("tmp" | "over", _) | ("part" | "stream", Some(false)) => {
                    self.report.left += 1;
                    continue;
                }
                ("upload", _) if self.is_note(id) => continue,
                ("upload", _) => "is damaged: nobody knows what came",
                _ if *length == 0 || there(id, "over") => continue,
                ("part", _) | ("stream", Some(true)) if there(id, "upload") => continue,
                ("stream", None) if there(id, "upload") => "no row knows the train whose columns these are: find out which rows are missing",
                _ => "nothing is known of what came: move it elsewhere",
            };
            if there(id, ending) {
                self.find(5, format!("uploads/{id}.{ending}"), wrong);
            }
        }
        Ok(())
    }

    /// Whether what is known of an upload can be read, or is gone by now.
    fn is_note(&self, id: &str) -> bool {
        match std::fs::read(self.folder.join("uploads").join(format!("{id}.upload"))) {
            Ok(note) => serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&note).is_ok(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
    }

    /// 3 and 4: rows that contradict each other.
    fn contradictions(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        for (table, columns) in ONCE {
            let question = format!("SELECT min(rowid), max(rowid), count(*) FROM {table} NOT INDEXED GROUP BY {columns} HAVING count(*) > 1");
            let mut statement = connection.prepare(&question)?;
            for row in statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))? {
                let (first, last, count) = row?;
                self.find(3, format!("{table} {first} and {last}"), format!("{count} rows have the same {columns}; {REPORT}"));
            }
        }
        for (invariant, question, message) in NEVER {
            let mut statement = connection.prepare(question)?;
            for subject in statement.query_map([], |row| row.get::<_, String>(0))? {
                self.find(invariant, subject?, format!("{message}; {REPORT}"));
            }
        }
        Ok(())
    }

    fn digest_of(&mut self, file: &File, mut at: u64, length: u64) -> std::io::Result<Sha> {
        let mut digest = Sha256::new();
        let end = at + length;
        while at < end {
            let part = (end - at).min(self.buffer.len() as u64) as usize;
            file.read_exact_at(&mut self.buffer[..part], at)?;
            digest.update(&self.buffer[..part]);
            at += part as u64;
        }
        self.report.bytes += length;
        Ok(digest.finalize().into())
    }
}

/// What may lie in the store's own folder: the database and its logs, what is locked, folders, what the service keeps beside them, and what the system makes at the
/// top of a disk.
const STORE: [&str; 15] = [
    "garita.db",
    "garita.db-wal",
    "garita.db-shm",
    "garita.db-journal",
    "lock",
    "deletion",
    "journal",
    "evidence",
    "quarantine",
    "uploads",
    "scans",
    "lists",
    "first-password",
    "audit.key",
    "lost+found",
];

/// Tables of what is never done without a record in the audit trail, in the same commit; and what it is.
const RECORDED: [(&str, &str); 9] = [
    ("person", "is made"),
    ("disposition", "decides"),
    ("finding_disposition", "decides"),
    ("note", "writes a note"),
    ("annotation", "draws"),
    ("hold", "holds something"),
    ("proposal", "proposes a list"),
    ("lookback", "looks back"),
    ("opening", "opens a case"),
];

/// Columns that no two rows of a table have in common.
const ONCE: [(&str, &str); 6] = [
    ("frame", "lane, key"),
    ("frame", "lane, sequence"),
    ("passage", "lane, track"),
    ("hit", "lane, track, list, text, jurisdiction"),
    ("scan", "portal, key"),
    ("edge_read", "lane, key"),
];

/// Questions to which there must be no answer: the invariant, what names the culprits, what is wrong with them.
const NEVER: [(u8, &str, &str); 21] = [
    (9, "SELECT 'hit ' || id FROM hit WHERE NOT EXISTS (SELECT 1 FROM review WHERE review.hit = hit.id)", "is no case: nobody is asked about it"),
    (9, "SELECT 'hit ' || hit FROM disposition WHERE undone_ms IS NULL GROUP BY hit, person HAVING count(*) > 1", "was decided twice by one person"),
    (
        9,
        "SELECT 'hit ' || review.hit FROM review JOIN hit ON hit.id = review.hit WHERE review.state = 'confirmed'
           AND (SELECT count(DISTINCT person) FROM disposition WHERE disposition.hit = hit.id AND verdict = 'confirmed' AND undone_ms IS NULL)
             < CASE json_extract(hit.entry, '$.two_person') WHEN 1 THEN 2 ELSE 1 END",
        "counts as confirmed, but not by as many persons as its entry wants",
    ),
    (
        9,
        "SELECT 'hit ' || hit FROM review WHERE state = 'rejected'
           AND NOT EXISTS (SELECT 1 FROM disposition WHERE disposition.hit = review.hit AND verdict = 'rejected' AND undone_ms IS NULL)",
        "counts as rejected, but nobody has rejected it",
    ),
    (
        9,
        "SELECT 'hit ' || hit FROM review WHERE state IN ('second', 'supervisor')
           AND NOT EXISTS (SELECT 1 FROM disposition WHERE disposition.hit = review.hit AND undone_ms IS NULL)",
        "waits for a second person, but nobody was the first",
    ),
    (
        9,
        "SELECT 'car ' || position || ' of scan ' || scan FROM car_case WHERE state IN ('confirmed', 'rejected')
           AND NOT EXISTS (SELECT 1 FROM finding_disposition AS d WHERE d.scan = car_case.scan AND d.position = car_case.position
                           AND d.verdict = car_case.state AND undone_ms IS NULL)",
        "counts as decided, but nobody has decided so on a finding of it",
    ),
    (
        4,
        "SELECT 'scan ' || id || ' of portal ' || portal FROM scan WHERE state = 'inspected' AND (summary IS NULL OR inspected_ms IS NULL)",
        "is inspected, but nothing is said of it",
    ),
    (
        4,
        "SELECT 'scan ' || id || ' of portal ' || portal FROM scan
         WHERE summary IS NOT NULL AND (SELECT count(*) FROM car WHERE car.scan = scan.id) <> coalesce(summary ->> 'cars', -1)",
        "has not as many cars as its inspection found",
    ),
    (
        3,
        "SELECT kind || ' ' || id FROM (
           SELECT 'frame' AS kind, max(id) AS id FROM frame UNION ALL SELECT 'passage', max(id) FROM passage UNION ALL SELECT 'hit', max(id) FROM hit
           UNION ALL SELECT 'scan', max(id) FROM scan UNION ALL SELECT 'scan_hit', max(id) FROM scan_hit UNION ALL SELECT 'edge_read', max(id) FROM edge_read)
         LEFT JOIN numbered USING (kind) WHERE id > coalesce(last, 0)",
        "has a number that was never given: another one may get it",
    ),
    (
        4,
        "SELECT 'passage ' || lane || '/' || track FROM passage
         WHERE stored_reads <> (SELECT count(*) FROM read WHERE read.lane = passage.lane AND read.track = passage.track)",
        "has not as many reads as when it had passed",
    ),
    (
        3,
        "SELECT 'lane ' || frame.lane FROM frame LEFT JOIN lane ON lane.id = frame.lane GROUP BY frame.lane
         HAVING lane.next_sequence IS NULL OR max(frame.sequence) >= lane.next_sequence",
        "its next frame would get a number that another has",
    ),
    (
        3,
        "SELECT 'lane ' || track.lane FROM track LEFT JOIN lane ON lane.id = track.lane GROUP BY track.lane
         HAVING lane.next_track IS NULL OR max(track.number) >= lane.next_track",
        "its next track would get a number that another has",
    ),
    (
        4,
        "SELECT 'read ' || read.number || ' of frame ' || frame.id FROM read JOIN frame ON frame.id = read.frame WHERE read.lane <> frame.lane",
        "is of another lane than its frame",
    ),
    (
        4,
        "SELECT 'track ' || lane || '/' || number FROM track WHERE state = 'passed'
         AND NOT EXISTS (SELECT 1 FROM passage WHERE passage.lane = track.lane AND passage.track = track.number)",
        "has passed, but there is no passage",
    ),
    (
        4,
        "SELECT 'passage ' || passage.lane || '/' || passage.track FROM passage JOIN track ON track.lane = passage.lane AND track.number = passage.track
         WHERE track.state <> 'passed'",
        "its track has not passed",
    ),
    (
        4,
        "SELECT 'passage ' || lane || '/' || track FROM passage
         WHERE NOT EXISTS (SELECT 1 FROM evidence WHERE evidence.passage = passage.id AND evidence.number = 0 AND evidence.sequence = passage.sequence)",
        "has no evidence of its winning read",
    ),
    (
        4,
        "SELECT 'passage ' || lane || '/' || track FROM passage
         WHERE NOT sought AND EXISTS (SELECT 1 FROM hit WHERE hit.lane = passage.lane AND hit.track = passage.track)",
        "has a hit, but would be deleted as if it had none",
    ),
    (
        4,
        "SELECT 'edge read ' || edge_read.id FROM edge_read JOIN passage ON passage.id = edge_read.passage
         WHERE passage.lane <> edge_read.lane OR passage.track <> edge_read.track",
        "is of another vehicle than its passage",
    ),
    (4, "SELECT 'hit ' || id FROM hit WHERE (state = 'sighted') <> (passage IS NULL)", "its state contradicts whether its vehicle has passed"),
    (
        4,
        "SELECT 'hit ' || hit.id FROM hit JOIN passage ON passage.id = hit.passage WHERE passage.lane <> hit.lane OR passage.track <> hit.track",
        "is of another vehicle than its passage",
    ),
    (
        4,
        "SELECT 'hit ' || hit.id FROM hit JOIN track ON track.lane = hit.lane AND track.number = hit.track WHERE hit.passage IS NULL AND track.state = 'passed'",
        "was not settled with its vehicle's passage",
    ),
];

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    match entries {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries.map_err(|error| Error::io(&error).in_(folder.display())),
    }
}

/// A file as it is told: from the store's folder on.
fn shown(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}
