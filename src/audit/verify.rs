//! Is every record as it was written? Names the first that is not.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde::Serialize;

use super::checkpoint::Checkpoint;
use super::{NOTHING_BEFORE, digest};
use crate::custody::evidence::{Sha, hex};

/// The first record that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Wrong {
    /// Its number: as it should be, not as it may stand there.
    pub record: i64,
    /// What is wrong with it.
    pub message: String,
}

/// What a verification saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AuditVerdict)]
pub struct Verdict {
    /// Records that are as they were written, from the first one on.
    pub right: i64,
    /// Digest of the last of them, hexadecimal.
    pub digest: String,
    /// Checkpoints that agree.
    pub checkpoints: usize,
    /// The first record that is not; what comes after it is not looked at.
    pub wrong: Option<Wrong>,
}

/// Reads all records, in order, and holds `checkpoints` against them.
///
/// # Errors
/// What SQLite says.
pub fn verify(connection: &Connection, checkpoints: &[Checkpoint]) -> rusqlite::Result<Verdict> {
    let mut statement = connection.prepare("SELECT id, at_ms, who, action, subject, details, digest FROM audit ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut verdict = Verdict { right: 0, digest: hex(&NOTHING_BEFORE), checkpoints: 0, wrong: disagreement(checkpoints, 0, &NOTHING_BEFORE) };
    let mut before = NOTHING_BEFORE;
    while verdict.wrong.is_none() {
        let next = verdict.right + 1;
        let wrong = |message: String| Some(Wrong { record: next, message });
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
                verdict.wrong = wrong(format!("cannot be read: {error}"));
                break;
            }
            Err(error) => return Err(error),
        };
        let id = row.get_ref(0)?.as_i64().unwrap_or(0);
        if id != next {
            verdict.wrong = wrong(if id > next {
                format!("is missing: the next one is {id}")
            } else {
                format!("stands behind a record of number {id}, which nobody wrote")
            });
            break;
        }
        match told(row) {
            None => verdict.wrong = wrong("has a column that is no text or number: somebody changed it".to_owned()),
            Some((at_ms, texts, stored)) => {
                let computed = digest(&before, id, at_ms, texts);
                if computed == stored {
                    (verdict.right, before) = (id, computed);
                    verdict.wrong = disagreement(checkpoints, id, &computed);
                } else {
                    verdict.wrong = wrong("is not as it was written, or not in its place: it does not go with its digest and the record before it".to_owned());
                }
            }
        }
    }
    verdict.digest = hex(&before);
    let cut = checkpoints.iter().filter(|checkpoint| checkpoint.record > verdict.right).max_by_key(|checkpoint| checkpoint.record);
    if let Some(cut) = cut.filter(|_| verdict.wrong.is_none()) {
        let message = format!("is missing, and all after it: a checkpoint says that there were {} at {}", cut.record, time(cut.at_ms));
        verdict.wrong = Some(Wrong { record: verdict.right + 1, message });
    }
    let agreed = verdict.wrong.as_ref().map_or(verdict.right, |wrong| wrong.record - 1);
    verdict.checkpoints = checkpoints.iter().filter(|checkpoint| checkpoint.record <= agreed).count();
    Ok(verdict)
}

type Columns<'row> = (i64, [&'row str; 4], Sha);

fn told<'row>(row: &'row rusqlite::Row<'_>) -> Option<Columns<'row>> {
    let text = |column| match row.get_ref(column) {
        Ok(ValueRef::Text(bytes)) => std::str::from_utf8(bytes).ok(),
        _ => None,
    };
    let stored = row.get_ref(6).ok()?.as_blob().ok()?.try_into().ok()?;
    Some((row.get_ref(1).ok()?.as_i64().ok()?, [text(2)?, text(3)?, text(4)?, text(5)?], stored))
}

/// What a checkpoint of this record says against it.
fn disagreement(checkpoints: &[Checkpoint], record: i64, digest: &Sha) -> Option<Wrong> {
    let other = checkpoints.iter().find(|checkpoint| checkpoint.record == record && checkpoint.sha() != Some(*digest))?;
    let message = format!("or one before it was written anew: the checkpoint of {} knows another digest", time(other.at_ms));
    Some(Wrong { record, message })
}

fn time(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |time| time.to_string())
}
