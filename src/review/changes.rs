//! Which cases changed: what screens that are open are told, also after they were away.

use rusqlite::Connection;

/// The most cases that one answer names.
const MOST: i64 = 500;

/// What changed after a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The number to ask with next.
    pub last: i64,
    /// The cases, in the order of their newest change, each with its number.
    pub hits: Vec<(i64, i64)>,
    /// The cases of cars, likewise.
    pub cars: Vec<(i64, i64)>,
    /// Changes after that number are gone: ask for everything.
    pub missed: bool,
    /// There are more.
    pub more: bool,
}

/// The number of the newest change.
///
/// # Errors
/// What SQLite says.
pub fn newest(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT coalesce(max(id), 0) FROM review_change")?.query_row([], |row| row.get(0))
}

/// The cases that changed after change number `last`.
///
/// # Errors
/// What SQLite says.
pub fn since(connection: &Connection, last: i64) -> rusqlite::Result<Changes> {
    let (oldest, newest): (Option<i64>, Option<i64>) = connection
        .prepare_cached("SELECT (SELECT min(id) FROM review_change), (SELECT max(id) FROM review_change)")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (oldest, newest) = (oldest.unwrap_or(1), newest.unwrap_or(0));
    // A number from another store is not of this one either.
    if last < oldest - 1 || last > newest {
        return Ok(Changes { last: newest, hits: Vec::new(), cars: Vec::new(), missed: true, more: false });
    }
    let rows = connection
        .prepare_cached("SELECT id, hit, car FROM review_change WHERE id > ?1 ORDER BY id LIMIT ?2")?
        .query_map([last, MOST], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<Vec<(i64, Option<i64>, Option<i64>)>>>()?;
    let more = rows.len() as i64 == MOST;
    let reached = rows.last().map_or(last, |row| row.0);
    let hits = newest_of(rows.iter().filter_map(|(id, hit, _)| Some((*id, (*hit)?))));
    let cars = newest_of(rows.iter().filter_map(|(id, _, car)| Some((*id, (*car)?))));
    Ok(Changes { last: reached, hits, cars, missed: false, more })
}

/// Of each case its newest change, in order.
fn newest_of(changes: impl DoubleEndedIterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut newest: Vec<(i64, i64)> = Vec::new();
    for (id, case) in changes.rev() {
        if !newest.iter().any(|known| known.1 == case) {
            newest.push((id, case));
        }
    }
    newest.reverse();
    newest
}
