//! Events as others get them: CloudEvents 1.0, structured mode, JSON.
//!
//! The outbox names rows; what is told of them is what they are when the event is sent. So an event that waited never tells less than is known, and nothing that has had its time
//! leaves: its event is then nobody's.

use rusqlite::Connection;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::custody::outbox::Due;
use crate::custody::{edge_reads, told};

/// As what events are sent.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";

/// What can happen. The kinds of the outbox, each a `type` with `garita.` before it.
pub const KINDS: [&str; 15] = [
    "passage",
    "hit",
    "hit.withdrawn",
    "edge.hit",
    "disposition",
    "disposition.undone",
    "scan",
    "car",
    "finding",
    "scan.hit",
    "scan.hit.withdrawn",
    "list.changed",
    "lane.down",
    "lane.up",
    "lookback.match",
];

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Event {
    /// `1.0`.
    #[schema(example = "1.0")]
    pub specversion: &'static str,
    /// Never another event's, and the same at each attempt: also the `webhook-id`.
    pub id: String,
    /// The store that it comes from: `urn:garita:…`.
    pub source: String,
    /// `garita.` and what happened.
    #[serde(rename = "type")]
    #[schema(example = "garita.hit")]
    pub kind: String,
    /// To what: events of one subject are sent in order.
    #[schema(example = "south-1/4711")]
    pub subject: String,
    /// When it happened, RFC 3339.
    pub time: String,
    /// `application/json`.
    pub datacontenttype: &'static str,
    /// What is known of it now: a passage, hit, disposition, scan, car, finding, or what the kind says.
    #[schema(value_type = Object)]
    pub data: Value,
}

impl Event {
    /// What is told of an event of the outbox; none where there is nothing left to tell.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn of(connection: &Connection, store: &str, due: &Due) -> rusqlite::Result<Option<Event>> {
        let Some(data) = data(connection, due)? else { return Ok(None) };
        Ok(Some(Event {
            specversion: "1.0",
            id: id(store, due),
            source: format!("urn:garita:{store}"),
            kind: format!("garita.{}", due.kind),
            subject: due.subject.clone(),
            time: jiff::Timestamp::from_millisecond(due.created_ms).unwrap_or_default().to_string(),
            datacontenttype: "application/json",
            data,
        }))
    }
}

/// What names an event: told apart also from those of a store that was restored from before it.
pub(super) fn id(store: &str, due: &Due) -> String {
    format!("evt_{store}_{}_{:x}", due.event, due.created_ms)
}

fn data(connection: &Connection, due: &Due) -> rusqlite::Result<Option<Value>> {
    fn told<T: Serialize>(found: Option<T>) -> Option<Value> {
        found.map(|found| serde_json::to_value(found).expect("plain data"))
    }
    let number = |name: &str| due.body[name].as_i64().unwrap_or(-1);
    let row = number("row");
    Ok(match due.kind.as_str() {
        "passage" => told(told::passage_whole(connection, row)?.map(|mut whole| {
            // Who wants every character's alternatives asks for them.
            whole.best.take();
            whole.chars.take();
            whole
        })),
        "hit" | "hit.withdrawn" => told(told::hit(connection, row)?),
        "disposition" | "disposition.undone" => told(told::disposition(connection, row)?),
        "edge.hit" => told(edge_reads::one(connection, row)?),
        "scan" => told(told::scan(connection, row)?),
        "car" => told(told::car(connection, row, number("position"))?),
        "finding" => told(told::finding(connection, row, number("position"), number("number"))?),
        "scan.hit" | "scan.hit.withdrawn" => told(told::scan_hit(connection, row)?),
        _ => Some(due.body.clone()),
    })
}
