//! Passages as OpenALPR's agents post them (`alpr_group`, version 2), for receivers that speak that.
//!
//! Written from published fields and from what receivers read of them, not tried with a vendor's. What garita does not know (vehicle, direction, position) is left out or empty; pictures stay
//! here. Other events than passages are not sent in this format.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::event;
use crate::custody::outbox::Due;
use crate::custody::record::StoredRead;
use crate::custody::told::{self, PassageWhole};

/// Candidates of a plate that are told at most: OpenALPR's own default.
const CANDIDATES: usize = 10;

/// What is told of an event; none where it is no passage, or there is nothing left to tell.
///
/// # Errors
/// What SQLite says.
pub(super) fn of(connection: &Connection, store: &str, due: &Due) -> rusqlite::Result<Option<Value>> {
    if due.kind != "passage" {
        return Ok(None);
    }
    let whole = told::passage_whole(connection, due.body["row"].as_i64().unwrap_or(-1))?;
    Ok(whole.map(|whole| group(store, &event::id(store, due), &whole)))
}

fn group(store: &str, id: &str, whole: &PassageWhole) -> Value {
    let PassageWhole { passage, best, chars, .. } = whole;
    let percent = |probability: f64| (probability * 1e6).round() / 1e4;
    let region = passage.jurisdiction.as_deref().unwrap_or_default().to_lowercase();
    let region_confidence = percent(passage.jurisdiction_confidence.unwrap_or(0.0));
    let candidates: Vec<Value> = candidates(&passage.text, passage.confidence, chars)
        .into_iter()
        .map(|(plate, confidence)| json!({ "plate": plate, "confidence": percent(confidence), "matches_template": 0 }))
        .collect();
    let corners = serde_json::from_value::<StoredRead>(best.clone()).map(|best| best.line.corners).unwrap_or_default();
    let coordinates: Vec<Value> = corners.iter().map(|[x, y]| json!({ "x": x.round() as i64, "y": y.round() as i64 })).collect();
    json!({
        "data_type": "alpr_group", "version": 2, "epoch_start": passage.first_ms, "epoch_end": passage.last_ms, "frame_start": 0, "frame_end": 0,
        "company_id": "", "agent_uid": store, "agent_type": "garita", "agent_version": env!("CARGO_PKG_VERSION"),
        // A number there, a name here: the same lane is always the same number.
        "camera_id": crc32fast::hash(passage.lane.as_bytes()) >> 1, "country": region.split('-').next().unwrap_or_default(),
        "web_server_config": { "camera_label": passage.lane, "agent_label": "garita" },
        "uuids": [id], "best_uuid": id, "best_uuid_epoch_ms": passage.last_ms, "plate_indexes": [0],
        "best_plate_number": passage.text, "best_confidence": percent(passage.confidence), "best_region": region, "best_region_confidence": region_confidence,
        "matches_template": false, "candidates": candidates,
        "best_plate": {
            "plate": passage.text, "confidence": percent(passage.confidence), "region": region, "region_confidence": region_confidence, "plate_index": 0,
            "matches_template": 0, "requested_topn": CANDIDATES, "processing_time_ms": 0.0, "coordinates": coordinates, "candidates": candidates,
        },
        "is_parked": false, "is_preview": false,
    })
}

/// The text, and what it would be with one character's second choice, most probable first.
fn candidates(text: &str, confidence: f64, chars: &Value) -> Vec<(String, f64)> {
    let mut candidates = vec![(text.to_owned(), confidence)];
    for (at, alternatives) in chars.as_array().into_iter().flatten().enumerate().filter(|(at, _)| *at < text.len()) {
        let choice = |number: usize| Some((alternatives[number][0].as_str()?, alternatives[number][1].as_f64()?));
        if let (Some((first, likely)), Some((second, less))) = (choice(0), choice(1))
            && text[at..].starts_with(first)
        {
            candidates.push((format!("{}{second}{}", &text[..at], &text[at + 1..]), confidence * less / likely));
        }
    }
    candidates[1..].sort_by(|one, other| other.1.total_cmp(&one.1));
    candidates.truncate(CANDIDATES);
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_exchange_the_least_sure_character_first() {
        let chars = json!([[["A", 0.9], ["4", 0.1]], [["8", 0.6], ["B", 0.3]], [["C", 1.0]]]);
        let found = candidates("A8C", 0.5, &chars);
        assert_eq!(found.iter().map(|one| one.0.as_str()).collect::<Vec<_>>(), ["A8C", "ABC", "48C"]);
        assert!((found[1].1 - 0.25).abs() < 1e-9, "{found:?}");
        assert_eq!(candidates("", 0.0, &Value::Null).len(), 1);
    }
}
