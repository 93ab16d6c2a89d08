//! Searches over what cameras read by themselves: each in the window is looked at, newest first. There is one for a vehicle at most, and where both read it the
//! passage is found by its own index.

use std::time::Instant;

use rusqlite::{Connection, params};

use super::{Found, Search};
use crate::custody::edge_reads::{EDGE_READ, EdgeRead, row};
use crate::watchlist::entry::Jurisdiction;

/// The cameras' reads whose text is sought; newest first. A place is a capture time and a number. Of a list: those that met it by themselves.
///
/// # Errors
/// What SQLite says.
pub fn run(search: &Search, connection: &Connection) -> rusqlite::Result<(Vec<EdgeRead>, Found)> {
    let until = Instant::now() + search.patience;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {EDGE_READ} FROM edge_read WHERE (captured_ms, id) < (?1, ?2) AND captured_ms >= ?3 ORDER BY captured_ms DESC, id DESC"
    ))?;
    let before = search.before.unwrap_or((search.until_ms.unwrap_or(i64::MAX), i64::MIN));
    let mut rows = statement.query(params![before.0, before.1, search.from_ms.unwrap_or(i64::MIN)])?;
    let (mut reads, mut found) = (Vec::new(), Found::default());
    while let Some(one) = rows.next()? {
        let text = one.get_ref(2)?.as_str()?;
        let sought = search.text.as_ref().is_none_or(|wanted| wanted.takes(text.as_bytes()).is_some())
            && (search.lanes.is_empty() || search.lanes.iter().any(|lane| one.get_ref(1).is_ok_and(|own| own.as_str() == Ok(lane))));
        let read = if sought { Some(row(one)?).filter(|read| is_meant(search, read)) } else { None };
        if let Some(read) = read {
            if reads.len() == search.limit {
                found.next = reads.last().map(|last: &EdgeRead| (last.captured_ms, last.id));
                return Ok((reads, found));
            }
            reads.push(read);
        }
        found.looked_at += 1;
        if found.looked_at.is_multiple_of(64) && Instant::now() >= until {
            (found.next, found.cut) = (Some((one.get(7)?, one.get(0)?)), true);
            return Ok((reads, found));
        }
    }
    Ok((reads, found))
}

/// Of the jurisdiction and the list that are asked for.
fn is_meant(search: &Search, read: &EdgeRead) -> bool {
    let issued = search.jurisdiction.is_none_or(|wanted| Jurisdiction::of(&read.jurisdiction).is_none_or(|own| own.is_any() || own.agrees(wanted)));
    let listed = |list: &String| read.entries.as_array().is_some_and(|all| all.iter().any(|met| met["entry"]["list"] == **list));
    issued && search.list.as_ref().is_none_or(listed)
}
