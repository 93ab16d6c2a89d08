//! Cars of trains, and what was found in them.

use axum::Json;
use axum::extract::State;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ask, bad, limit, place, query, since};
use crate::custody::told::{self, CAR, Car, Finding};
use crate::service::Service;
use crate::service::access::Person;
use crate::service::asked::Asked;
use crate::service::problem::Problem;
use crate::watchlist::Subject;
use crate::watchlist::entry::key_of;

/// Which cars.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::service) struct CarsQuery {
    /// The portal's id; all portals unless given.
    portal: Option<String>,
    /// The reporting mark: `UTLX 123456`.
    mark: Option<String>,
    /// Of scans that came not before this, milliseconds since the Unix epoch.
    from_ms: Option<i64>,
    /// Of scans that came before this, milliseconds since the Unix epoch.
    until_ms: Option<i64>,
    /// Where the page begins: from `next` of the one before.
    before: Option<String>,
    /// How many, 1 to 500; 50 unless given.
    limit: Option<usize>,
}

/// A page of cars: newest scans first, of each the last car first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct Cars {
    cars: Vec<Car>,
    /// Where the next page is, if there is more.
    next: Option<String>,
}

/// Lists cars.
#[utoipa::path(get, path = "/v1/cars", tag = "queries", params(CarsQuery), responses((status = 200, body = Cars)))]
pub(in crate::service) async fn cars(State(service): State<Service>, person: Person, Asked(asked): Asked<CarsQuery>) -> Result<Json<Cars>, Problem> {
    let (limit, before) = (limit(asked.limit)?, place(asked.before.as_deref())?.unwrap_or((i64::MAX, i64::MAX)));
    let mark =
        asked.mark.as_deref().map(|mark| key_of(Subject::Mark, mark).map(|key| key.to_string()).map_err(|why| bad(format!("mark: {why}")))).transpose()?;
    let (portal, from_ms, until_ms) = (asked.portal.clone(), since(&service, &person, asked.from_ms)?, asked.until_ms);
    let cars: Vec<Car> = ask(&service, move |connection| {
        let question = format!(
            "SELECT {CAR} FROM car JOIN scan ON scan.id = car.scan WHERE (car.scan, position) < (?1, ?2) AND (?3 IS NULL OR portal = ?3)
             AND (?4 IS NULL OR replace(mark, ' ', '') = ?4) AND (?5 IS NULL OR received_ms >= ?5) AND (?6 IS NULL OR received_ms < ?6)
             ORDER BY car.scan DESC, position DESC LIMIT ?7"
        );
        connection.prepare_cached(&question)?.query_map(params![before.0, before.1, portal, mark, from_ms, until_ms, limit as i64], told::car_row)?.collect()
    })
    .await?;
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let more = [
        ("portal", asked.portal),
        ("mark", asked.mark),
        ("from_ms", number(asked.from_ms)),
        ("until_ms", number(until_ms)),
        ("limit", asked.limit.map(|limit| limit.to_string())),
    ];
    let next = cars.last().filter(|_| cars.len() == limit).map(|last| format!("/v1/cars{}", query(&more, &format!("{}.{}", last.scan, last.position))));
    Ok(Json(Cars { cars, next }))
}

/// Which findings.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::service) struct FindingsQuery {
    /// The portal's id; all portals unless given.
    portal: Option<String>,
    /// The kind of finding: `density+`, `structure`, …; all unless given.
    kind: Option<String>,
    /// At least so probable, 0 to 1.
    probability: Option<f64>,
    /// Where the page begins: from `next` of the one before.
    before: Option<String>,
    /// How many cars are looked at for findings, 1 to 500; 50 unless given.
    limit: Option<usize>,
}

/// A page of findings: newest scans first, of each the last car first, of each the most probable finding first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct Findings {
    findings: Vec<Finding>,
    /// Where the next page is, if there is more.
    next: Option<String>,
}

/// Lists what was found in cars; a page never ends within a car.
#[utoipa::path(get, path = "/v1/findings", tag = "queries", params(FindingsQuery), responses((status = 200, body = Findings)))]
pub(in crate::service) async fn findings(
    State(service): State<Service>,
    person: Person,
    Asked(asked): Asked<FindingsQuery>,
) -> Result<Json<Findings>, Problem> {
    let (limit, before) = (limit(asked.limit)?, place(asked.before.as_deref())?.unwrap_or((i64::MAX, i64::MAX)));
    let (portal, from_ms) = (asked.portal.clone(), since(&service, &person, None)?);
    let cars: Vec<Car> = ask(&service, move |connection| {
        let question = format!(
            "SELECT {CAR} FROM car JOIN scan ON scan.id = car.scan WHERE (car.scan, position) < (?1, ?2) AND (?3 IS NULL OR portal = ?3)
             AND (?4 IS NULL OR received_ms >= ?4) AND json_array_length(told, '$.findings') > 0 ORDER BY car.scan DESC, position DESC LIMIT ?5"
        );
        connection.prepare_cached(&question)?.query_map(params![before.0, before.1, portal, from_ms, limit as i64], told::car_row)?.collect()
    })
    .await?;
    let more = [
        ("portal", asked.portal.clone()),
        ("kind", asked.kind.clone()),
        ("probability", asked.probability.map(|least| least.to_string())),
        ("limit", asked.limit.map(|limit| limit.to_string())),
    ];
    let next = cars.last().filter(|_| cars.len() == limit).map(|last| format!("/v1/findings{}", query(&more, &format!("{}.{}", last.scan, last.position))));
    let mut findings = Vec::new();
    for mut car in cars {
        let found = car.told["findings"].as_array_mut().map(std::mem::take).unwrap_or_default();
        for (number, finding) in (0..).zip(found) {
            let wanted = asked.kind.as_deref().is_none_or(|kind| finding["kind"] == kind)
                && asked.probability.is_none_or(|least| finding["probability"].as_f64().is_some_and(|found| found >= least));
            if wanted {
                let (portal, mark) = (car.portal.clone(), car.mark.clone());
                findings.push(Finding { scan: car.scan, portal, received_ms: car.received_ms, position: car.position, mark, number, finding });
            }
        }
    }
    Ok(Json(Findings { findings, next }))
}
