//! Scans for people's eyes: trains, cars, raw pixels in tiles, thicknesses with their errors, what changed since an earlier scan; and what people decide and draw.
//!
//! That somebody opened a car is in the audit trail before they are told of it, once a view; pictures and tiles that belong to the view are not recorded again.

mod opened;

use std::io::Cursor;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

pub(super) use self::opened::Scans;
use self::opened::{Energy, Opened};
use super::Service;
use super::access::{Person, too_old};
use super::asked::{Asked, At, Body};
use super::cases;
use super::door::now_ms;
use super::problem::{Problem, ProblemBody};
use super::queries::ask;
use super::uploads::blocking;
use crate::audit::Action;
use crate::custody::evidence::{hex, sha256};
use crate::custody::scans::{Paper, ScanRow, ScanState};
use crate::custody::told;
use crate::error::{Error, Fault};
use crate::rail::car::CELL_MM;
use crate::rail::consist::Consist;
use crate::rail::segment::{CarSegment, step_mm};
use crate::rail::waybill::Manifest;
use crate::review::cars::{self, Drawn, FindingDecision, FindingReason, Place};
use crate::review::decide::Outcome;
use crate::review::display::{Detail, greys};
use crate::review::{Officer, Verdict};

/// Edge of a tile, pixels: two of them are half a megabyte, and a graphics card takes 256 layers of it.
const TILE: usize = 512;
/// How often a scan is halved at most: a train of 100 cars at 16 mm is then 1,800 pixels long.
const MOST_HALVED: u32 = 6;
/// Scans of a page, and the most that can be asked for.
const PAGE: usize = 20;
const MOST_A_PAGE: usize = 100;
/// A thumbnail is at most so wide, pixels.
const THUMBNAIL: usize = 360;
/// An earlier scan counts where both marks are known at least so well: as the inspection compares.
const MARK_CONFIDENCE: f64 = 0.8;

/// Where a page of trains begins.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Trains {
    /// Scans with lower numbers than this.
    before: Option<i64>,
    /// How many, 1 to 100; 20 unless given.
    limit: Option<usize>,
}

/// Scans of all portals, newest first: of each how many cars it has, how unusual the most unusual is, and how many cars wait for somebody to judge their findings.
#[utoipa::path(get, path = "/v1/scans", tag = "viewer", params(Trains), responses((status = 200, description = "Scans, newest first", body = Object)))]
pub(super) async fn trains(State(service): State<Service>, person: Person, Asked(asked): Asked<Trains>) -> Result<Response, Problem> {
    let limit = asked.limit.unwrap_or(PAGE).clamp(1, MOST_A_PAGE);
    let (before, since_ms) = (asked.before.unwrap_or(i64::MAX), person.sees_since_ms(&service.site, now_ms()));
    let scans: Vec<Value> = ask(&service, move |connection| {
        let newest = "SELECT id, portal, name, state, received_ms, cut_short, error, (SELECT count(*) FROM car WHERE scan = scan.id),
                      (SELECT max(score) FROM car WHERE scan = scan.id) FROM scan WHERE id < ?1 AND received_ms >= ?2 ORDER BY id DESC LIMIT ?3";
        let told = |row: &rusqlite::Row<'_>| {
            Ok(json!({
                "scan": row.get::<_, i64>(0)?, "portal": row.get::<_, String>(1)?, "name": row.get::<_, Option<String>>(2)?, "state": row.get::<_, String>(3)?,
                "received_ms": row.get::<_, i64>(4)?, "cut_short": row.get::<_, Option<String>>(5)?, "error": row.get::<_, Option<String>>(6)?,
                "cars": row.get::<_, i64>(7)?, "score": row.get::<_, Option<f64>>(8)?,
            }))
        };
        let mut scans = connection.prepare_cached(newest)?.query_map(params![before, since_ms, limit as i64], told)?.collect::<rusqlite::Result<Vec<_>>>()?;
        for scan in &mut scans {
            let waiting = cars::waiting(connection, scan["scan"].as_i64().unwrap_or_default())?;
            scan["waiting"] = waiting.iter().filter(|(_, findings)| *findings > 0).count().into();
        }
        Ok(scans)
    })
    .await?;
    let next = scans.last().filter(|_| scans.len() == limit).map(|last| last["scan"].clone());
    Ok(no_store(Json(json!({ "scans": scans, "next": next, "now_ms": now_ms() }))))
}

/// The cars of a train, from its head: what they are, how unusual, what waits. No picture is in it, and nothing is recorded.
#[utoipa::path(get, path = "/v1/scans/{scan}/cars", tag = "viewer", params(("scan" = i64, Path, description = "Its number")),
    responses((status = 200, description = "The train and its cars", body = Object), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn train(State(service): State<Service>, person: Person, At(scan): At<i64>) -> Result<Response, Problem> {
    let row = row(&service, &person, scan).await?;
    let cars: Vec<Value> = ask(&service, move |connection| {
        let all = "SELECT position, told FROM car WHERE scan = ?1 ORDER BY position";
        let told = |row: &rusqlite::Row<'_>| {
            let told: Value = serde_json::from_str(row.get_ref(1)?.as_str()?).unwrap_or_default();
            let findings = told["findings"].as_array().map_or(0, Vec::len);
            let most = told["findings"].as_array().into_iter().flatten().filter_map(|finding| finding["probability"].as_f64()).fold(0.0, f64::max);
            let of = ["kind", "mark", "score", "columns", "empty_probability", "penetration_limited", "hits", "error"];
            let mut car: Value = of.into_iter().map(|key| (key.to_owned(), told[key].clone())).collect::<serde_json::Map<_, _>>().into();
            (car["position"], car["findings"], car["probability"]) = (row.get::<_, i64>(0)?.into(), findings.into(), most.into());
            Ok(car)
        };
        let mut cars = connection.prepare_cached(all)?.query_map([scan], told)?.collect::<rusqlite::Result<Vec<Value>>>()?;
        for (car, (_, waiting)) in cars.iter_mut().zip(cars::waiting(connection, scan)?) {
            car["waiting"] = waiting.into();
        }
        Ok(cars)
    })
    .await?;
    let told = json!({ "scan": scan, "portal": row.portal, "name": row.name, "state": row.state.name(), "received_ms": row.received_ms,
        "cut_short": row.cut_short, "error": row.error, "pictures": row.file.is_some() || row.state == ScanState::Passing, "cars": cars });
    Ok(no_store(Json(told)))
}

/// A car to look at: where its pixels are, what was found, what was declared, the earlier scan of it, what people made of it. That somebody opened it is recorded first.
#[utoipa::path(get, path = "/v1/scans/{scan}/cars/{position}", tag = "viewer",
    params(("scan" = i64, Path, description = "Its number"), ("position" = i64, Path, description = "From the head of the train, from 1")),
    responses((status = 200, description = "The car", body = Object), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn car(State(service): State<Service>, person: Person, At(place): At<Place>) -> Result<Response, Problem> {
    let (row, car) = found(&service, &person, place).await?;
    let mark = car.mark.clone().filter(|_| car.told["mark_confidence"].as_f64().is_some_and(|sure| sure > MARK_CONFIDENCE));
    let since_ms = person.sees_since_ms(&service.site, now_ms());
    let earlier = match mark {
        Some(mark) => earlier(&service, place.0, mark, since_ms).await?,
        None => None,
    };
    let details = json!({ "mark": car.mark, "earlier": earlier.as_ref().map(|earlier| earlier["scan"].clone()) });
    service.record(&person, Action::CarViewed, cars::subject(place), details).await?;
    let (custody, found, mark) = (service.custody.clone(), row.clone(), car.mark.clone());
    let declared = blocking(move || {
        let Some(consist) = custody.paper(&found.portal, &found.key, Paper::Consist)? else { return Ok(None) };
        let mut consist = Consist::parse(consist.as_bytes())?;
        if let Some(manifest) = custody.paper(&found.portal, &found.key, Paper::Manifest)? {
            Manifest::parse(manifest.as_bytes())?.lay_over(&mut consist);
        }
        Ok::<_, Error>(consist.cars.into_iter().find(|entry| mark.is_some() && entry.written_mark() == mark))
    })
    .await?;
    let mut told = json!({ "scan": place.0, "position": place.1, "portal": row.portal, "name": row.name, "received_ms": row.received_ms, "mark": car.mark,
        "told": car.told, "declared": declared, "earlier": earlier, "tile": TILE, "now_ms": now_ms() });
    let opened = opened(&service, &row, Some(place.1)).await?;
    let pixels = blocking(move || pixels(&opened, place.1)).await?;
    let made = ask(&service, move |connection| made_of(connection, place)).await?;
    for part in [pixels, made] {
        if let (Some(told), Value::Object(part)) = (told.as_object_mut(), part) {
            told.extend(part);
        }
    }
    Ok(no_store(Json(told)))
}

/// What the viewer has to know of a car's pixels.
fn pixels(opened: &Opened, position: i64) -> Result<Value, Problem> {
    let scan = &opened.scan;
    let car = cut(opened, position)?;
    let mut x_mm = vec![0_i64];
    let mut at = 0.0;
    for column in car.columns.clone() {
        at += step_mm(scan, column);
        x_mm.push(at.round() as i64);
    }
    let settings = |energy: &Energy| {
        let setting = opened.setting(*energy)?;
        Ok::<_, Problem>(json!({ "low": setting.low, "high": setting.high, "zero": setting.zero, "log": setting.log }))
    };
    let settings = opened.energies().iter().map(settings).collect::<Result<Vec<_>, _>>()?;
    let description = &scan.description;
    let width = (car.length_mm / CELL_MM).ceil().max(1.0) as usize;
    let height = (scan.detectors() as f64 * description.pitch_mm / CELL_MM).ceil().max(1.0) as usize;
    Ok(json!({
        "columns": [car.columns.start, car.columns.end], "scan_columns": scan.columns(), "detectors": scan.detectors(), "pitch_mm": description.pitch_mm,
        "top_mm": description.top_mm + description.pitch_mm / 2.0, "x_mm": x_mm, "settings": settings, "dead": opened.dead()?,
        "cells": { "width": width, "height": height, "mm": CELL_MM }, "source": crate::rail::session::source_name(scan),
        "measured": { "length_mm": car.length_mm.round(), "axles": car.axles_mm.len(), "cut_off": car.cut_off },
    }))
}

/// The latest earlier scan of a car of this mark that still has its picture.
async fn earlier(service: &Service, than: i64, mark: String, since_ms: i64) -> Result<Option<Value>, Problem> {
    ask(service, move |connection| {
        let latest = "SELECT scan.id, car.position, scan.received_ms, scan.portal FROM car JOIN scan ON scan.id = car.scan
                      WHERE car.mark = ?1 AND scan.id < ?2 AND scan.state = 'inspected' AND scan.file IS NOT NULL AND car.told ->> 'mark_confidence' > ?3
                        AND scan.received_ms >= ?4 AND scan.digest IS NOT (SELECT digest FROM scan WHERE id = ?2) ORDER BY scan.id DESC LIMIT 1";
        let told = |row: &rusqlite::Row<'_>| {
            Ok(json!({ "scan": row.get::<_, i64>(0)?, "position": row.get::<_, i64>(1)?, "received_ms": row.get::<_, i64>(2)?, "portal": row.get::<_, String>(3)? }))
        };
        connection.prepare_cached(latest)?.query_row(params![mark, than, MARK_CONFIDENCE, since_ms], told).optional()
    })
    .await
}

/// Which picture is wanted, and of which car.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TileOf {
    /// `high` unless given; of a dual-energy portal also `low`, and `ratio`: how much more strongly the low energy is attenuated, in 16,384ths.
    #[param(value_type = Option<String>)]
    energy: Option<Energy>,
    /// The place of the car that it is looked at for. That this person was sent pixels of it is durable before they go; without that nobody decides on the car.
    car: Option<i64>,
}

/// Raw pixels of a scan: 512 by 512 values of 16 bits, little-endian, rows from the top, cut off at the scan's ends; `level` times halved by means of four.
#[utoipa::path(get, path = "/v1/scans/{scan}/tiles/{level}/{x}/{y}", tag = "viewer",
    params(TileOf, ("scan" = i64, Path, description = "Its number"), ("level" = u32, Path, description = "0 is as scanned; each halves both edges; at most 6"),
        ("x" = usize, Path, description = "Tile along the train"), ("y" = usize, Path, description = "Tile from the top")),
    responses((status = 200, description = "Stored values", content_type = "application/octet-stream", body = Vec<u8>), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn tile(
    State(service): State<Service>,
    person: Person,
    At((scan, level, x, y)): At<(i64, u32, usize, usize)>,
    Asked(of): Asked<TileOf>,
) -> Result<Response, Problem> {
    let opened = opened(&service, &row(&service, &person, scan).await?, None).await?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "No such tile", "this scan has no tile there");
    if level > MOST_HALVED {
        return Err(missing());
    }
    let part = |tile: usize, pixels: usize| {
        let most = pixels.div_ceil(1 << level);
        let from = tile.checked_mul(TILE).filter(|&from| from < most)?;
        Some(from..(from + TILE).min(most))
    };
    let (x, y) = part(x, opened.scan.columns()).zip(part(y, opened.scan.detectors())).ok_or_else(missing)?;
    let energy = of.energy.unwrap_or_default();
    if !opened.energies().contains(&energy) {
        return Err(missing());
    }
    let columns = x.start << level..x.end << level;
    let values = blocking(move || opened.part(energy, level, x, y)).await?;
    if let Some(position) = of.car {
        sent(&service, person, (scan, position), columns).await?;
    }
    Ok(bytes(values.into_iter().flat_map(u16::to_le_bytes).collect()))
}

/// Notes that pixels of these columns were sent to this person, where they are of this car.
async fn sent(service: &Service, person: Person, place: Place, columns: std::ops::Range<usize>) -> Result<(), Problem> {
    let id = person.id.clone();
    let known = ask(service, move |connection| Ok((cars::viewed(connection, place, &id)?, told::car(connection, place.0, place.1)?))).await?;
    let (false, Some(car)) = known else { return Ok(()) };
    let edge = |index: usize| car.told["columns"][index].as_u64().map_or(0, |column| column as usize);
    if edge(0) < columns.end && columns.start < edge(1) {
        cases::change(service, person, move |transaction, officer| cars::view(transaction, place, officer, now_ms())).await?;
    }
    Ok(())
}

/// A car as a small picture: logarithm, grey, dark where little came through; PNG.
#[utoipa::path(get, path = "/v1/scans/{scan}/cars/{position}/thumbnail", tag = "viewer",
    params(("scan" = i64, Path, description = "Its number"), ("position" = i64, Path, description = "From the head of the train, from 1")),
    responses((status = 200, description = "The picture", content_type = "image/png", body = Vec<u8>), (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn thumbnail(State(service): State<Service>, person: Person, At(place): At<Place>) -> Result<Response, Problem> {
    let opened = opened(&service, &row(&service, &person, place.0).await?, Some(place.1)).await?;
    let png = blocking(move || {
        let car = cut(&opened, place.1)?;
        let level = (0..MOST_HALVED).find(|&level| car.columns.len() >> level <= THUMBNAIL).unwrap_or(MOST_HALVED);
        let x = car.columns.start >> level..car.columns.end.div_ceil(1 << level);
        let (width, height) = (x.len(), opened.scan.detectors().div_ceil(1 << level));
        let setting = opened.setting(Energy::High)?;
        let grey: Vec<u8> =
            greys(&opened.part(Energy::High, level, x, 0..height)?, width, &setting, Detail::Plain).into_iter().map(|grey| (grey >> 8) as u8).collect();
        let mut png = Cursor::new(Vec::new());
        image::write_buffer_with_format(&mut png, &grey, width as u32, height as u32, image::ExtendedColorType::L8, image::ImageFormat::Png)
            .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The machine failed", error.to_string()))?;
        Ok::<_, Problem>(png.into_inner())
    })
    .await?;
    let headers = [(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "private, max-age=600"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Ok((headers, png).into_response())
}

/// How thick a car is: 32-bit floats, little-endian, from the head, each column from the top, in the cells that the car's `cells` says: steel-equivalent mm, then
/// its standard error, then a byte each: 1 where too little came through to say what is there.
#[utoipa::path(get, path = "/v1/scans/{scan}/cars/{position}/thickness", tag = "viewer",
    params(("scan" = i64, Path, description = "Its number"), ("position" = i64, Path, description = "From the head of the train, from 1")),
    responses((status = 200, description = "Thickness, standard error, penetration limit", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn thickness(State(service): State<Service>, person: Person, At(place): At<Place>) -> Result<Response, Problem> {
    let opened = opened(&service, &row(&service, &person, place.0).await?, Some(place.1)).await?;
    let told = blocking(move || {
        let image = opened.image(cut(&opened, place.1)?)?;
        let mut told = floats(&[&image.steel_mm, &image.sigma_mm]);
        told.extend((0..image.limited.len()).map(|index| u8::from(image.is_hidden(index))));
        Ok::<_, Problem>(told)
    })
    .await?;
    Ok(bytes(told))
}

/// What is more in a car than in the earlier scan that its view names, registered to it: two floats (misfit in mm; 1 where it came the other way round), then as
/// `thickness`: mm more, and its standard error.
#[utoipa::path(get, path = "/v1/scans/{scan}/cars/{position}/change", tag = "viewer",
    params(("scan" = i64, Path, description = "Its number"), ("position" = i64, Path, description = "From the head of the train, from 1")),
    responses((status = 200, description = "Misfit, direction, difference, standard error", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn change(State(service): State<Service>, person: Person, At(place): At<Place>) -> Result<Response, Problem> {
    let (row, car) = found(&service, &person, place).await?;
    let nothing = || Problem::new(StatusCode::NOT_FOUND, "No earlier scan", "there is no earlier scan of this car, or the two do not fit");
    let since_ms = person.sees_since_ms(&service.site, now_ms());
    let earlier = self::earlier(&service, place.0, car.mark.ok_or_else(nothing)?, since_ms).await?.ok_or_else(nothing)?;
    let (then, position) = earlier["scan"].as_i64().zip(earlier["position"].as_i64()).ok_or_else(nothing)?;
    let before = opened(&service, &self::row(&service, &person, then).await?, Some(position)).await?;
    let now = opened(&service, &row, Some(place.1)).await?;
    let told = blocking(move || {
        let change = now.change(cut(&now, place.1)?, &before, cut(&before, position)?)?.ok_or_else(nothing)?;
        Ok::<_, Problem>(floats(&[&[change.misfit_mm, f32::from(u8::from(change.reversed))], &change.mm, &change.sigma_mm]))
    })
    .await?;
    Ok(bytes(told))
}

/// What people have made of a car by now, for a screen that shows it and was told that something changed. Nothing that is not in the view that was recorded: nothing
/// is recorded again.
#[utoipa::path(get, path = "/v1/scans/{scan}/cars/{position}/made", tag = "viewer",
    params(("scan" = i64, Path, description = "Its number"), ("position" = i64, Path, description = "From the head of the train, from 1")),
    responses((status = 200, description = "Decisions, drawings, where the car stands, and the SHA-256 of the findings that they are about", body = Object),
        (status = 404, body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn made_by_now(State(service): State<Service>, person: Person, At(place): At<Place>) -> Result<Response, Problem> {
    found(&service, &person, place).await?;
    Ok(no_store(Json(ask(&service, move |connection| made_of(connection, place)).await?)))
}

/// A decision on a finding as the page sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Posted {
    verdict: Verdict,
    reason: Option<FindingReason>,
    note: Option<String>,
    looked_ms: u32,
}

/// Takes a car in hand, or prolongs the lease.
#[utoipa::path(put, path = "/v1/scans/{scan}/cars/{position}/claim", tag = "viewer",
    params(("scan" = i64, Path, description = "Its number"), ("position" = i64, Path, description = "From the head of the train, from 1")),
    responses((status = 200, description = "Until when it is in hand", body = cases::ClaimTold), (status = 409, description = "Another has it in hand, or has decided", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn claim(State(service): State<Service>, person: Person, At(place): At<Place>) -> Result<Json<cases::ClaimTold>, Problem> {
    row(&service, &person, place.0).await?;
    let claim = cases::change(&service, person, move |transaction, officer| cars::claim(transaction, place, officer, now_ms())).await?;
    Ok(Json(claim.into()))
}

/// Gives a car back.
#[utoipa::path(delete, path = "/v1/scans/{scan}/cars/{position}/claim", tag = "viewer",
    params(("scan" = i64, Path, description = "Its number"), ("position" = i64, Path, description = "From the head of the train, from 1")),
    responses((status = 204, description = "Given back")))]
pub(super) async fn release(State(service): State<Service>, person: Person, At(place): At<Place>) -> Result<StatusCode, Problem> {
    cases::change(&service, person, move |transaction, officer| cars::release(transaction, place, officer, now_ms())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Decides on a finding of a car whose pixels were sent to this person.
#[utoipa::path(post, path = "/v1/scans/{scan}/cars/{position}/findings/{number}/disposition", tag = "viewer",
    params(("scan" = i64, Path, description = "Its number"), ("position" = i64, Path, description = "From the head of the train, from 1"), ("number" = i64, Path, description = "The finding's, from 0")),
    request_body(content = Object, content_type = "application/json"),
    responses((status = 200, description = "What people have made of the car", body = Object), (status = 409, description = "Another has it in hand, or it is decided"), (status = 422, description = "Its pixels were not sent, or a reason or note is wanted")))]
pub(super) async fn decide(
    State(service): State<Service>,
    person: Person,
    At((scan, position, number)): At<(i64, i64, i64)>,
    Body(posted): Body<Posted>,
) -> Result<Json<Value>, Problem> {
    let decision = FindingDecision { verdict: posted.verdict, reason: posted.reason, note: posted.note, looked_ms: posted.looked_ms };
    made(&service, person, (scan, position), move |transaction, place, who| Ok(cars::decide(transaction, place, number, who, &decision, now_ms())?.map(|_| ())))
        .await
}

/// Takes a decision on a finding back.
#[utoipa::path(delete, path = "/v1/scans/{scan}/cars/{position}/findings/{number}/disposition", tag = "viewer",
    params(("scan" = i64, Path, description = "Its number"), ("position" = i64, Path, description = "From the head of the train, from 1"), ("number" = i64, Path, description = "The finding's, from 0")),
    responses((status = 200, description = "What people have made of the car", body = Object), (status = 409, description = "Too late, or somebody else's")))]
pub(super) async fn undo(State(service): State<Service>, person: Person, At((scan, position, number)): At<(i64, i64, i64)>) -> Result<Json<Value>, Problem> {
    made(&service, person, (scan, position), move |transaction, place, who| Ok(cars::undo(transaction, place, number, who, now_ms())?.map(|_| ()))).await
}

/// Draws beside a car's pixels: a box, an arrow or a text.
#[utoipa::path(post, path = "/v1/scans/{scan}/cars/{position}/annotations", tag = "viewer",
    params(("scan" = i64, Path, description = "Its number"), ("position" = i64, Path, description = "From the head of the train, from 1")),
    request_body(content = Object, content_type = "application/json"),
    responses((status = 200, description = "What people have made of the car", body = Object), (status = 422, description = "The car was not opened, or it says nothing")))]
pub(super) async fn annotate(State(service): State<Service>, person: Person, At(place): At<Place>, Body(drawn): Body<Drawn>) -> Result<Json<Value>, Problem> {
    made(&service, person, place, move |transaction, place, who| cars::annotate(transaction, place, who, &drawn, now_ms())).await
}

/// Shows an annotation no longer: one's own, or a supervisor anybody's.
#[utoipa::path(delete, path = "/v1/scans/{scan}/cars/{position}/annotations/{annotation}", tag = "viewer",
    params(("scan" = i64, Path, description = "Its number"), ("position" = i64, Path, description = "From the head of the train, from 1"), ("annotation" = i64, Path, description = "Its number")),
    responses((status = 200, description = "What people have made of the car", body = Object), (status = 404, description = "There is none of this person's")))]
pub(super) async fn remove(
    State(service): State<Service>,
    person: Person,
    At((scan, position, annotation)): At<(i64, i64, i64)>,
) -> Result<Json<Value>, Problem> {
    made(&service, person, (scan, position), move |transaction, place, who| cars::remove(transaction, place, annotation, who, now_ms())).await
}

/// Makes a change to what people make of a car, and answers all of that.
async fn made(
    service: &Service,
    person: Person,
    place: Place,
    work: impl FnOnce(&Transaction<'_>, Place, &Officer) -> Outcome<()> + Send + 'static,
) -> Result<Json<Value>, Problem> {
    // Who may not see the scan changes nothing in it.
    row(service, &person, place.0).await?;
    let officer = Officer::from(person);
    let changed = service.change(move |transaction| match work(transaction, place, &officer)? {
        Ok(()) => Ok(Ok(made_of(transaction, place)?)),
        Err(why) => Ok(Err(why)),
    });
    changed.await?.map(Json).map_err(|why| cases::refused(&why))
}

/// What people have made of a car: what they drew, and for each finding what they decided, and where the car stands with that; and which findings these are.
fn made_of(connection: &Connection, place: Place) -> rusqlite::Result<Value> {
    let findings = "SELECT json_extract(told, '$.findings') FROM car WHERE scan = ?1 AND position = ?2";
    let findings: Option<String> = connection.prepare_cached(findings)?.query_row(params![place.0, place.1], |row| row.get(0)).optional()?.flatten();
    Ok(json!({
        "annotations": cars::annotations(connection, place)?, "judged": cars::judged(connection, place)?, "case": cars::of(connection, place)?,
        "findings_sha256": hex(&sha256(findings.unwrap_or_default().as_bytes())),
    }))
}

/// The scan of this number, which this person may see.
async fn row(service: &Service, person: &Person, scan: i64) -> Result<ScanRow, Problem> {
    let custody = service.custody.clone();
    let row = blocking(move || custody.scan(scan)).await?.ok_or_else(|| missing("scan"))?;
    if row.received_ms < person.sees_since_ms(&service.site, now_ms()) { Err(too_old(&service.site)) } else { Ok(row) }
}

/// A car that was told of, with its scan.
async fn found(service: &Service, person: &Person, place: Place) -> Result<(ScanRow, told::Car), Problem> {
    let row = row(service, person, place.0).await?;
    let car = ask(service, move |connection| told::car(connection, place.0, place.1)).await?.ok_or_else(|| missing("car"))?;
    Ok((row, car))
}

/// A scan's file, open; of a train that is passing what has come of it, with the car at `position` if that has passed.
async fn opened(service: &Service, row: &ScanRow, position: Option<i64>) -> Result<Arc<Opened>, Problem> {
    let folder = service.custody.folder();
    let (path, passing) = match &row.file {
        Some(file) => (folder.join("scans").join(file), false),
        None => (folder.join("uploads").join(format!("{}.stream", row.upload)), true),
    };
    let (scans, id) = (Arc::clone(&service.opened), row.id);
    blocking(move || scans.open(id, &path, passing, position)).await.map_err(|error| match (passing, error) {
        // It has passed just now, or nothing of it has come.
        (true, error) if error.fault == Fault::Machine => Problem::new(StatusCode::CONFLICT, "Still passing", error.message).retry(2),
        (_, error) => error.into(),
    })
}

fn cut(opened: &Opened, position: i64) -> Result<&CarSegment, Problem> {
    opened.car(position)?.ok_or_else(|| missing("car"))
}

fn missing(what: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "Not found", format!("there is no such {what}, or it has had its time"))
}

fn floats(planes: &[&[f32]]) -> Vec<u8> {
    planes.iter().flat_map(|plane| plane.iter()).flat_map(|value| value.to_le_bytes()).collect()
}

fn bytes(body: Vec<u8>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "private, no-store"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, body).into_response()
}

fn no_store(told: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], told).into_response()
}
