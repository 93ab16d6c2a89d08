//! Searches over railcars by their marks: there are a thousand times fewer than vehicles, so each is looked at, newest scan first.

use std::time::Instant;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Found, Search};
use crate::custody::told::{self, Car};

/// The cars whose mark is sought, without what separates its letters from its number; newest scan first. A place is a scan's number and a car's position.
///
/// # Errors
/// What SQLite says.
pub fn run(search: &Search, connection: &Connection) -> rusqlite::Result<(Vec<Car>, Found)> {
    let until = Instant::now() + search.patience;
    let mut statement = connection.prepare_cached(
        "SELECT mark, car.scan, position, received_ms FROM car JOIN scan ON scan.id = car.scan
         WHERE mark IS NOT NULL AND (car.scan, position) < (?1, ?2) ORDER BY car.scan DESC, position DESC",
    )?;
    let before = search.before.unwrap_or((i64::MAX, i64::MAX));
    let mut rows = statement.query(params![before.0, before.1])?;
    let (mut cars, mut found) = (Vec::new(), Found::default());
    while let Some(row) = rows.next()? {
        let (place, received_ms) = ((row.get(1)?, row.get(2)?), row.get::<_, i64>(3)?);
        let mark: Vec<u8> = row.get_ref(0)?.as_str()?.bytes().filter(u8::is_ascii_alphanumeric).collect();
        let within = search.from_ms.is_none_or(|from| received_ms >= from) && search.until_ms.is_none_or(|until| received_ms < until);
        if within
            && search.text.as_ref().is_none_or(|text| text.takes(&mark).is_some())
            && on_list(search, connection, place)?
            && let Some(car) = told::car(connection, place.0, place.1)?
        {
            if cars.len() == search.limit {
                found.next = cars.last().map(|last: &Car| (last.scan, last.position));
                return Ok((cars, found));
            }
            cars.push(car);
        }
        found.looked_at += 1;
        if found.looked_at.is_multiple_of(64) && Instant::now() >= until {
            (found.next, found.cut) = (Some(place), true);
            return Ok((cars, found));
        }
    }
    Ok((cars, found))
}

/// Whether the car has a hit of the list that is named, if one is.
fn on_list(search: &Search, connection: &Connection, (scan, position): (i64, i64)) -> rusqlite::Result<bool> {
    let Some(list) = &search.list else { return Ok(true) };
    let hit = "SELECT 1 FROM scan_hit INDEXED BY scan_hit_by_list WHERE list = ?1 AND scan = ?2 AND position = ?3 LIMIT 1";
    connection.prepare_cached(hit)?.query_row(params![list, scan, position], |_| Ok(())).optional().map(|hit| hit.is_some())
}
