//! Scans in the store: from the last byte of an upload to what was found in each car.
//!
//! ```text
//! passing ──the train has passed──▶ waiting ──inspected──▶ inspected         a later paper: back to waiting
//!                whole files ──────▶ waiting ──no scan──▶ bad
//! ```
//!
//! *Once.* A portal has one scan per key; whoever brings it again finds the first. An inspection ends in one commit: state, cars, summary, hits, news for
//! outside. It counts only if no paper has come since it began ([`ScanRow::revision`]); otherwise the scan is still waiting, and is inspected again.
//!
//! *Files.* A scan's file has its second name, in `scans/`, before the commit of its row; the first one, in `uploads/`, goes after it. So a file in `scans/`
//! without a row, whose upload is still there, was never acknowledged. Whose it is otherwise, [`super::strays`] says.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::evidence::Sha;
use super::record::{Fate, Record};
use super::{Custody, keeping, outbox};
use crate::audit::{self, Act, Action};
use crate::error::{Error, Fault, Result};
use crate::rail::inspect::{CarReport, ScanReport};
use crate::rail::sought::Hit;
use crate::review::cars;

/// After so many inspections that were begun and never ended, a scan is taken to end the process. A guess: restarts by hand or by a test do not come so often.
pub const MOST_ATTEMPTS: i64 = 10;

/// A scan as the store holds it, without what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanRow {
    /// Its number.
    pub id: i64,
    /// The portal's id.
    pub portal: String,
    /// What makes two submissions the same scan.
    pub key: Sha,
    /// What its sender calls it.
    pub name: Option<String>,
    /// The upload that it came as.
    pub upload: String,
    /// Where it stands.
    pub state: ScanState,
    /// Its file in `scans/`; none while the train passes.
    pub file: Option<String>,
    /// SHA-256 of the file.
    pub digest: Option<Sha>,
    /// Bytes.
    pub length: Option<i64>,
    /// When it had come, or began to, milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// Why it ends before the train did.
    pub cut_short: Option<String>,
    /// How many papers have come.
    pub revision: i64,
    /// Inspections begun since it waits.
    pub attempts: i64,
    /// Why it is bad.
    pub error: Option<String>,
}

/// Where a scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanState {
    /// Its columns are still coming.
    Passing,
    /// Complete, not inspected yet.
    Waiting,
    /// Its cars are known.
    Inspected,
    /// Not a scan, or too damaged.
    Bad,
}

impl ScanState {
    /// As columns and answers call it.
    pub fn name(self) -> &'static str {
        match self {
            ScanState::Passing => "passing",
            ScanState::Waiting => "waiting",
            ScanState::Inspected => "inspected",
            ScanState::Bad => "bad",
        }
    }

    fn of(name: &str) -> Option<ScanState> {
        [ScanState::Passing, ScanState::Waiting, ScanState::Inspected, ScanState::Bad].into_iter().find(|state| state.name() == name)
    }
}

/// A scan to keep.
#[derive(Debug, Clone)]
pub struct NewScan {
    /// The portal's id.
    pub portal: String,
    /// What makes two submissions the same scan.
    pub key: Sha,
    /// What its sender calls it.
    pub name: Option<String>,
    /// The upload that it came as.
    pub upload: String,
    /// Its file in `scans/`, synced, digest and length.
    pub file: (String, Sha, u64),
    /// Why it ends before the train did.
    pub cut_short: Option<String>,
    /// The train's list, where it comes with it.
    pub consist: Option<String>,
    /// Now, milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// What is said of a train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// Who is in it, in order.
    Consist,
    /// What shippers declare.
    Manifest,
}

impl Paper {
    /// As columns and addresses call it.
    pub fn name(self) -> &'static str {
        match self {
            Paper::Consist => "consist",
            Paper::Manifest => "manifest",
        }
    }
}

const COLUMNS: &str = "id, portal, key, name, upload, state, file, digest, length, received_ms, cut_short, revision, attempts, error";

fn scan_row(row: &Row<'_>) -> rusqlite::Result<ScanRow> {
    let state: String = row.get(5)?;
    Ok(ScanRow {
        id: row.get(0)?,
        portal: row.get(1)?,
        key: row.get(2)?,
        name: row.get(3)?,
        upload: row.get(4)?,
        state: ScanState::of(&state).ok_or_else(|| rusqlite::Error::InvalidColumnType(5, "state".to_owned(), rusqlite::types::Type::Text))?,
        file: row.get(6)?,
        digest: row.get(7)?,
        length: row.get(8)?,
        received_ms: row.get(9)?,
        cut_short: row.get(10)?,
        revision: row.get(11)?,
        attempts: row.get(12)?,
        error: row.get(13)?,
    })
}

impl Custody {
    /// Makes a change in the writer's next group, and waits until its fate is known.
    pub fn change(&self, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<i64> + Send + 'static) -> Fate {
        let (tell, told) = crossbeam_channel::bounded(1);
        self.put(Record::Change(Box::new(change), Box::new(move |fate| _ = tell.send(fate))));
        told.recv().unwrap_or_else(|_| Fate::Stopped("the store has ended".to_owned()))
    }

    /// The scan with this number.
    ///
    /// # Errors
    /// `Machine` with what SQLite says.
    pub fn scan(&self, id: i64) -> Result<Option<ScanRow>> {
        self.one_scan("id = ?1", params![id])
    }

    /// The scan of `portal` with this key.
    ///
    /// # Errors
    /// `Machine` with what SQLite says.
    pub fn scan_of_key(&self, portal: &str, key: &Sha) -> Result<Option<ScanRow>> {
        self.one_scan("portal = ?1 AND key = ?2", params![portal, key])
    }

    /// The scan that came as this upload.
    ///
    /// # Errors
    /// `Machine` with what SQLite says.
    pub fn scan_of_upload(&self, upload: &str) -> Result<Option<ScanRow>> {
        self.one_scan("upload = ?1", params![upload])
    }

    /// The scan that has waited longest.
    ///
    /// # Errors
    /// `Machine` with what SQLite says.
    pub fn next_waiting_scan(&self) -> Result<Option<ScanRow>> {
        self.one_scan("state = 'waiting' ORDER BY id LIMIT 1", params![])
    }

    fn one_scan(&self, which: &str, parameters: impl rusqlite::Params) -> Result<Option<ScanRow>> {
        self.ask(|connection| connection.prepare_cached(&format!("SELECT {COLUMNS} FROM scan WHERE {which}"))?.query_row(parameters, scan_row).optional())
    }

    /// The scans whose columns are still coming.
    ///
    /// # Errors
    /// `Machine` with what SQLite says.
    pub fn passing_scans(&self) -> Result<Vec<ScanRow>> {
        self.ask(|connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM scan WHERE state = 'passing' ORDER BY id"))?;
            statement.query_map([], scan_row)?.collect()
        })
    }

    /// The newest scans of a portal, newest first.
    ///
    /// # Errors
    /// `Machine` with what SQLite says.
    pub fn newest_scans(&self, portal: &str, most: usize) -> Result<Vec<ScanRow>> {
        self.ask(|connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM scan WHERE portal = ?1 ORDER BY id DESC LIMIT ?2"))?;
            statement.query_map(params![portal, most as i64], scan_row)?.collect()
        })
    }

    /// The newest paper of a kind that came for a scan, or for one that is to come.
    ///
    /// # Errors
    /// `Machine` with what SQLite says.
    pub fn paper(&self, portal: &str, key: &Sha, kind: Paper) -> Result<Option<String>> {
        let newest = "SELECT body FROM paper WHERE portal = ?1 AND key = ?2 AND kind = ?3 ORDER BY id DESC LIMIT 1";
        self.ask(|connection| connection.prepare_cached(newest)?.query_row(params![portal, key, kind.name()], |row| row.get(0)).optional())
    }

    /// The latest other inspected scan that has a car of this mark, known well: its file, and the car's position. No copy of the scan itself: one that was sent
    /// twice under two names would hide what is in it.
    ///
    /// # Errors
    /// `Machine` with what SQLite says.
    pub fn earlier_car(&self, mark: &str, than: i64) -> Result<Option<(String, usize)>> {
        // 0.8: another car's picture is worse than none; as `garita inspect --earlier`.
        let latest = "SELECT scan.file, car.position FROM car JOIN scan ON scan.id = car.scan
                      WHERE car.mark = ?1 AND scan.id < ?2 AND scan.state = 'inspected' AND car.told ->> 'mark_confidence' > 0.8
                        AND scan.digest IS NOT (SELECT digest FROM scan WHERE id = ?2) ORDER BY scan.id DESC LIMIT 1";
        self.ask(|connection| {
            connection.prepare_cached(latest)?.query_row(params![mark, than], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as usize))).optional()
        })
    }
}

/// Keeps a scan that waits to be inspected, unless the portal has one of this key; answers the number of the one that it has.
pub fn insert(transaction: &Transaction<'_>, scan: &NewScan) -> rusqlite::Result<i64> {
    let (file, digest, length) = &scan.file;
    if let Some(consist) = &scan.consist {
        insert_paper(transaction, (&scan.portal, &scan.key), Paper::Consist, consist, scan.now_ms)?;
    }
    transaction
        .prepare_cached(
            "INSERT INTO scan (id, portal, key, name, upload, state, file, digest, length, received_ms, cut_short)
             VALUES ((SELECT last + 1 FROM numbered WHERE kind = 'scan'), ?1, ?2, ?3, ?4, 'waiting', ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        )?
        .execute(params![scan.portal, scan.key, scan.name, scan.upload, file, digest, *length as i64, scan.now_ms, scan.cut_short])?;
    number(transaction, &scan.portal, &scan.key)
}

/// Begins a scan whose columns come while the train passes, unless the portal has one of this key; answers the number of the one that it has.
pub fn begin_passing(transaction: &Transaction<'_>, portal: &str, key: &Sha, name: Option<&str>, upload: &str, now_ms: i64) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached(
            "INSERT INTO scan (id, portal, key, name, upload, state, received_ms)
             VALUES ((SELECT last + 1 FROM numbered WHERE kind = 'scan'), ?1, ?2, ?3, ?4, 'passing', ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![portal, key, name, upload, now_ms])?;
    number(transaction, portal, key)
}

fn number(transaction: &Transaction<'_>, portal: &str, key: &Sha) -> rusqlite::Result<i64> {
    transaction.prepare_cached("SELECT id FROM scan WHERE portal = ?1 AND key = ?2")?.query_row(params![portal, key], |row| row.get(0))
}

/// The train has passed: what came of it waits to be inspected. Its cars told so far stay until then.
pub fn end_passing(transaction: &Transaction<'_>, scan: &NewScan) -> rusqlite::Result<i64> {
    let (file, digest, length) = &scan.file;
    transaction
        .prepare_cached("UPDATE scan SET state = 'waiting', file = ?2, digest = ?3, length = ?4, cut_short = ?5 WHERE upload = ?1 AND state = 'passing'")?
        .execute(params![scan.upload, file, digest, *length as i64, scan.cut_short])?;
    number(transaction, &scan.portal, &scan.key)
}

/// Forgets a train of which nothing usable has come.
pub fn give_up_passing(transaction: &Transaction<'_>, upload: &str) -> rusqlite::Result<i64> {
    for table in ["car", "scan_hit"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE scan IN (SELECT id FROM scan WHERE upload = ?1 AND state = 'passing')"), [upload])?;
    }
    Ok(transaction.execute("DELETE FROM scan WHERE upload = ?1 AND state = 'passing'", [upload])? as i64)
}

/// Keeps a paper, unless it is the one that counts already; a scan that is there is inspected again with it. Answers the scan's number, or 0 where it has not come.
pub fn insert_paper(transaction: &Transaction<'_>, (portal, key): (&str, &Sha), kind: Paper, body: &str, now_ms: i64) -> rusqlite::Result<i64> {
    let newest = "SELECT body FROM paper WHERE portal = ?1 AND key = ?2 AND kind = ?3 ORDER BY id DESC LIMIT 1";
    let newest: Option<String> = transaction.prepare_cached(newest)?.query_row(params![portal, key, kind.name()], |row| row.get(0)).optional()?;
    if newest.is_some_and(|newest| newest == body) {
        let known = "SELECT id FROM scan WHERE portal = ?1 AND key = ?2";
        return transaction.prepare_cached(known)?.query_row(params![portal, key], |row| row.get(0)).optional().map(|id| id.unwrap_or(0));
    }
    let add = "INSERT INTO paper (portal, key, kind, body, received_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
    transaction.prepare_cached(add)?.execute(params![portal, key, kind.name(), body, now_ms])?;
    let again = "UPDATE scan SET revision = revision + 1, attempts = 0, state = CASE state WHEN 'passing' THEN state ELSE 'waiting' END
                 WHERE portal = ?1 AND key = ?2 RETURNING id";
    transaction.prepare_cached(again)?.query_row(params![portal, key], |row| row.get(0)).optional().map(|id| id.unwrap_or(0))
}

/// An inspection begins: counted, so that a scan that ends the process does not do so for ever.
pub fn begin_inspection(transaction: &Transaction<'_>, id: i64) -> rusqlite::Result<i64> {
    Ok(transaction.prepare_cached("UPDATE scan SET attempts = attempts + 1 WHERE id = ?1 AND state = 'waiting'")?.execute([id])? as i64)
}

/// An inspection is left for the next start, by nobody's fault.
pub fn leave_inspection(transaction: &Transaction<'_>, id: i64) -> rusqlite::Result<i64> {
    Ok(transaction.prepare_cached("UPDATE scan SET attempts = max(attempts - 1, 0) WHERE id = ?1 AND state = 'waiting'")?.execute([id])? as i64)
}

/// A hit, and the position of its car where that was found.
pub type CarHit = (Option<usize>, Hit);

/// What an inspection found.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// The scan and what it knew of it.
    pub scan: ScanRow,
    /// Cars, from the head.
    pub cars: Vec<CarReport>,
    /// The scan's own report.
    pub summary: ScanReport,
    /// Who of it is sought.
    pub hits: Vec<CarHit>,
    /// Whether the portal wants two persons to confirm each finding.
    pub two_person: bool,
}

/// Keeps what an inspection found, all of it or nothing; answers 0, with nothing changed, where a paper has come since, or the scan no longer waits.
pub fn insert_inspected(transaction: &Transaction<'_>, found: &Inspected, now_ms: i64) -> rusqlite::Result<i64> {
    let (id, summary) = (found.scan.id, serde_json::to_string(&found.summary).expect("plain data"));
    // What the file lacks is known only now, where nobody said it when it came.
    let settle = "UPDATE scan SET state = 'inspected', summary = ?3, error = NULL, inspected_ms = ?4, attempts = 0, cut_short = coalesce(cut_short, ?5)
                  WHERE id = ?1 AND revision = ?2 AND state = 'waiting'";
    if transaction.prepare_cached(settle)?.execute(params![id, found.scan.revision, summary, now_ms, found.summary.error])? == 0 {
        return Ok(0);
    }
    transaction.prepare_cached("DELETE FROM car WHERE scan = ?1")?.execute([id])?;
    for car in &found.cars {
        insert_car(transaction, id, car)?;
    }
    for (position, hit) in &found.hits {
        insert_hit(transaction, id, *position, hit, "confirmed", now_ms)?;
    }
    let mut statement =
        transaction.prepare_cached("SELECT id, subject, seen, list, text, jurisdiction FROM scan_hit WHERE scan = ?1 AND state <> 'withdrawn'")?;
    let told = statement
        .query_map([id], |row| Ok((row.get::<_, i64>(0)?, [row.get::<_, String>(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?])))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for (hit, _) in told.into_iter().filter(|(_, told)| !found.hits.iter().any(|(_, hit)| &identity(hit) == told)) {
        transaction.prepare_cached("UPDATE scan_hit SET state = 'withdrawn', stored_ms = ?2 WHERE id = ?1")?.execute(params![hit, now_ms])?;
        tell_outside(transaction, "scan.hit.withdrawn", id, hit, now_ms)?;
    }
    cars::renew_all(transaction, id, found.two_person, now_ms)?;
    tell_outside(transaction, "scan", id, id, now_ms)?;
    tell_cars(transaction, id, &found.cars, now_ms)?;
    Ok(1)
}

/// Keeps a car that has passed while others still come, and its hits; `two_person` as in [`Inspected`].
pub fn insert_passing_car(transaction: &Transaction<'_>, id: i64, car: &CarReport, hits: &[CarHit], two_person: bool, now_ms: i64) -> rusqlite::Result<i64> {
    let passing = transaction.prepare_cached("SELECT 1 FROM scan WHERE id = ?1 AND state = 'passing'")?.exists([id])?;
    if passing {
        insert_car(transaction, id, car)?;
        for (position, hit) in hits {
            insert_hit(transaction, id, *position, hit, "sighted", now_ms)?;
        }
        cars::renew(transaction, (id, car.position as i64), two_person, now_ms)?;
    }
    Ok(i64::from(passing))
}

/// What came is no scan; its file stays for people to look at.
pub fn mark_bad(transaction: &Transaction<'_>, id: i64, error: &str, now_ms: i64) -> rusqlite::Result<i64> {
    let mark = "UPDATE scan SET state = 'bad', error = ?2, inspected_ms = ?3 WHERE id = ?1 AND state = 'waiting'";
    let marked = transaction.prepare_cached(mark)?.execute(params![id, error, now_ms])?;
    if marked > 0 {
        tell_outside(transaction, "scan", id, id, now_ms)?;
    }
    Ok(marked as i64)
}

fn insert_car(transaction: &Transaction<'_>, scan: i64, car: &CarReport) -> rusqlite::Result<()> {
    let told = serde_json::to_string(car).expect("plain data");
    transaction.prepare_cached("INSERT OR REPLACE INTO car (scan, position, mark, score, told) VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        scan,
        car.position as i64,
        car.mark,
        car.score,
        told
    ])?;
    Ok(())
}

fn identity(hit: &Hit) -> [String; 5] {
    let subject = serde_json::to_value(hit.subject).expect("plain data");
    let subject = subject.as_str().unwrap_or_default().to_owned();
    [subject, hit.seen.clone(), hit.entry.list.clone(), hit.entry.text.clone(), hit.entry.jurisdiction.to_string()]
}

fn insert_hit(transaction: &Transaction<'_>, scan: i64, position: Option<usize>, hit: &Hit, state: &str, now_ms: i64) -> rusqlite::Result<()> {
    let [subject, seen, list, text, jurisdiction] = identity(hit);
    let class = serde_json::to_value(hit.class).expect("plain data");
    let position = position.map(|position| position as i64);
    // One that is known may have found its car, or found it to be another.
    let known =
        "UPDATE scan_hit SET state = ?7, position = ?8 WHERE scan = ?1 AND subject = ?2 AND seen = ?3 AND list = ?4 AND text = ?5 AND jurisdiction = ?6";
    if transaction.prepare_cached(known)?.execute(params![scan, subject, seen, list, text, jurisdiction, state, position])? > 0 {
        return Ok(());
    }
    transaction
        .prepare_cached(
            "INSERT INTO scan_hit (id, scan, position, state, subject, seen, list, text, jurisdiction, class, edits, probability, priority, entry, stored_ms)
             VALUES ((SELECT last + 1 FROM numbered WHERE kind = 'scan_hit'), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            scan,
            position,
            state,
            subject,
            seen,
            list,
            text,
            jurisdiction,
            class.as_str(),
            hit.edits,
            hit.probability,
            hit.entry.priority,
            serde_json::to_string(&hit.entry).expect("plain data"),
            now_ms
        ])?;
    tell_outside(transaction, "scan.hit", scan, transaction.last_insert_rowid(), now_ms)
}

/// Tells outside what has become of a row; in order per scan.
fn tell_outside(transaction: &Transaction<'_>, kind: &str, scan: i64, row: i64, now_ms: i64) -> rusqlite::Result<()> {
    outbox::tell(transaction, kind, &format!("scan/{scan}"), &serde_json::json!({ "row": row }), now_ms).map(|_| ())
}

/// Tells outside of each car and each finding of an inspected scan.
fn tell_cars(transaction: &Transaction<'_>, scan: i64, cars: &[CarReport], now_ms: i64) -> rusqlite::Result<()> {
    let subject = format!("scan/{scan}");
    for car in cars {
        let mut body = serde_json::json!({ "row": scan, "position": car.position });
        outbox::tell(transaction, "car", &subject, &body, now_ms)?;
        for number in 0..car.findings.len() {
            body["number"] = number.into();
            outbox::tell(transaction, "finding", &subject, &body, now_ms)?;
        }
    }
    Ok(())
}

/// Forgets scans with everything that was found and said of them, unless somebody holds them, and tells the audit trail; the files are to be deleted after the
/// commit, and the trail names them: a crash in between leaves them to the next start.
pub fn forget(transaction: &Transaction<'_>, ids: &[i64], now_ms: i64) -> rusqlite::Result<i64> {
    let (mut gone, mut files) = (Vec::new(), Vec::new());
    for id in ids {
        let free = format!("SELECT file FROM scan WHERE id = ?1 AND {}", keeping::SCAN_IS_FREE);
        let Some(file) = transaction.prepare_cached(&free)?.query_row([id], |row| row.get::<_, Option<String>>(0)).optional()? else { continue };
        gone.push(*id);
        files.extend(file);
        transaction.prepare_cached("DELETE FROM car WHERE scan = ?1")?.execute([id])?;
        transaction.prepare_cached("DELETE FROM scan_hit WHERE scan = ?1")?.execute([id])?;
        let papers = "DELETE FROM paper WHERE EXISTS (SELECT 1 FROM scan WHERE scan.id = ?1 AND scan.portal = paper.portal AND scan.key = paper.key)";
        transaction.prepare_cached(papers)?.execute([id])?;
        transaction.prepare_cached("DELETE FROM scan WHERE id = ?1")?.execute([id])?;
    }
    if !gone.is_empty() {
        let details = serde_json::json!({ "scans": gone, "files": files });
        audit::append(transaction, &Act { who: "garita".to_owned(), action: Action::Deleted, subject: "scans".to_owned(), details, now_ms })?;
    }
    Ok(gone.len() as i64)
}

/// What a fate that is not "kept" means to whoever asked for a change.
///
/// # Errors
/// `Machine` where the store takes nothing.
pub fn kept(fate: Fate) -> Result<i64> {
    match fate {
        Fate::Kept(number) => Ok(number),
        Fate::Full(why) | Fate::Stopped(why) => Err(Error::new(Fault::Machine, why)),
        Fate::Failed(error) => Err(error),
    }
}
