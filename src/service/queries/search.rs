//! Searches: why, for what, and what the answer cannot know.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Why, ask, bad, limit, place, record, since};
use crate::audit::Action;
use crate::custody::edge_reads::EdgeRead;
use crate::custody::outages::{self, Outage, Shed};
use crate::custody::search::{Found, Meant, PATIENCE, Search, automaton, edge, marks};
use crate::custody::told::{self, Car, Passage};
use crate::service::Service;
use crate::service::access::Person;
use crate::service::asked::Body;
use crate::service::door::now_ms;
use crate::service::problem::{Problem, ProblemBody};
use crate::watchlist::entry::Jurisdiction;

/// Outages that one answer tells at most.
const MOST_OUTAGES: usize = 200;
/// Edits of a near search, unless given.
const EDITS: u8 = 1;

/// What is sought, and why.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::service) struct SearchAsked {
    /// Why; compulsory unless the site says otherwise.
    pub(super) reason: Option<String>,
    /// The number of the case that it is for; compulsory unless the site says otherwise.
    pub(super) case: Option<String>,
    /// What is searched.
    #[serde(default)]
    pub(super) subject: Sought,
    /// The plate, or the reporting mark, or a part of it; any unless given.
    #[schema(example = "7ABC123")]
    pub(super) text: Option<String>,
    /// How `text` is meant; `exact` unless given.
    #[serde(default = "exact")]
    pub(super) meant: Meant,
    /// For `near`: characters that may be exchanged, missing or additional, 0 to 2; 1 unless given. What a reader confuses (0-O, 8-B, …) is none.
    pub(super) edits: Option<u8>,
    /// Ids of lanes; all unless given.
    #[serde(default)]
    pub(super) lanes: Vec<String>,
    /// Last seen not before this, milliseconds since the Unix epoch.
    pub(super) from_ms: Option<i64>,
    /// Last seen before this, milliseconds since the Unix epoch.
    pub(super) until_ms: Option<i64>,
    /// With a hit of this list.
    pub(super) list: Option<String>,
    /// That may be issued by this state or country, ISO 3166: `US-CA`, `MX`.
    pub(super) jurisdiction: Option<String>,
    /// Where the page begins: `next` of the one before.
    pub(super) before: Option<String>,
    /// How many, 1 to 500; 50 unless given.
    pub(super) limit: Option<usize>,
}

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::service) enum Sought {
    /// Vehicles by their plates.
    #[default]
    Plate,
    /// Railcars by their reporting marks.
    Mark,
    /// What cameras read by themselves.
    EdgeRead,
}

fn exact() -> Meant {
    Meant::Exact
}

/// What was found, and what may be missing.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct SearchTold {
    /// Vehicles, newest first; of a list, most recently settled first.
    passages: Vec<PassageFound>,
    /// Railcars, newest first.
    cars: Vec<Car>,
    /// Cameras' reads, newest first.
    edge_reads: Vec<EdgeRead>,
    /// `before` of the next page, if there is more.
    next: Option<String>,
    /// Where the search took too long, what was not looked at: older than `next`.
    cut: Option<String>,
    /// The window that it was about, milliseconds since the Unix epoch.
    window_ms: [i64; 2],
    /// Lanes that saw nothing in the window, newest first: who passed then is not found.
    outages: Vec<Outage>,
    /// Lanes that displaced frames in the window: some who passed then may not be found.
    shed: Vec<Shed>,
    /// The number of its record in the audit trail.
    audit: i64,
    /// How long it took, milliseconds.
    took_ms: f64,
}

/// A vehicle that was found.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct PassageFound {
    #[serde(flatten)]
    passage: Passage,
    /// How many characters differ from what was sought.
    edits: u8,
}

impl SearchAsked {
    /// As the store searches.
    pub(super) fn search(&self, service: &Service, person: &Person, limit: usize) -> Result<Search, Problem> {
        for lane in &self.lanes {
            service.lane(lane)?;
        }
        let edits = self.edits.unwrap_or(EDITS);
        let text = self.text.as_deref().map(|text| automaton(text, self.meant, edits)).transpose()?;
        let code =
            |code: &str| Jurisdiction::of(code).ok_or_else(|| bad(format!("jurisdiction: {code:?} is no state or country of ISO 3166: \"US-CA\", \"MX\"")));
        let jurisdiction = self.jurisdiction.as_deref().map(code).transpose()?;
        let before = place(self.before.as_deref())?;
        let (list, from_ms) = (self.list.clone(), since(service, person, self.from_ms)?);
        Ok(Search { text, lanes: self.lanes.clone(), from_ms, until_ms: self.until_ms, list, jurisdiction, before, limit, patience: PATIENCE })
    }

    /// As the audit trail keeps it.
    pub(super) fn details(&self, why: &Why, found: usize, cut: bool) -> Value {
        json!({
            "reason": why.reason, "case": why.case, "subject": self.subject, "text": self.text, "meant": self.meant, "edits": self.edits, "lanes": self.lanes,
            "from_ms": self.from_ms, "until_ms": self.until_ms, "list": self.list, "jurisdiction": self.jurisdiction, "before": self.before, "found": found, "cut": cut,
        })
    }
}

/// Searches vehicles, railcars or cameras' own reads; the search with its reason is in the audit trail before it is answered.
#[utoipa::path(post, path = "/v1/search", tag = "queries", request_body = SearchAsked, responses((status = 200, body = SearchTold),
    (status = 400, body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "No reason or case number", body = ProblemBody, content_type = "application/problem+json")))]
pub(in crate::service) async fn search(State(service): State<Service>, person: Person, Body(asked): Body<SearchAsked>) -> Result<Json<SearchTold>, Problem> {
    let begun = Instant::now();
    let why = Why::of(&service, asked.reason.as_deref(), asked.case.as_deref())?;
    let search = asked.search(&service, &person, limit(asked.limit)?)?;
    let now_ms = now_ms();
    let kept_ms = 86_400_000 * i64::from(service.site.retention.passages_days.max(service.site.retention.hits_days));
    let window = (search.from_ms.unwrap_or(now_ms - kept_ms), asked.until_ms.unwrap_or(now_ms));
    let (subject, lanes) = (asked.subject, asked.lanes.clone());
    let (found, passages, cars, edge_reads, outages, shed) = ask(&service, move |connection| {
        let (found, passages, cars, edge_reads) = match subject {
            Sought::Plate => {
                let found = search.run(connection)?;
                let passages =
                    found.matches.iter().map(|one| Ok(told::passage(connection, one.passage)?.map(|passage| PassageFound { passage, edits: one.edits })));
                let passages = passages.filter_map(rusqlite::Result::transpose).collect::<rusqlite::Result<Vec<_>>>()?;
                (found, passages, Vec::new(), Vec::new())
            }
            Sought::Mark => {
                let (cars, found) = marks::run(&search, connection)?;
                (found, Vec::new(), cars, Vec::new())
            }
            Sought::EdgeRead => {
                let (edge_reads, found) = edge::run(&search, connection)?;
                (found, Vec::new(), Vec::new(), edge_reads)
            }
        };
        let outages = outages::within(connection, &lanes, window, MOST_OUTAGES)?;
        let shed = outages::shed_within(connection, &lanes, window)?;
        Ok((found, passages, cars, edge_reads, outages, shed))
    })
    .await?;
    let details = asked.details(&why, passages.len() + cars.len() + edge_reads.len(), found.cut);
    let audit = record(&service, &person, Action::Searched, String::new(), details).await?;
    let (next, cut) = (next(&found), cut(&found));
    let took_ms = begun.elapsed().as_secs_f64() * 1000.0;
    Ok(Json(SearchTold { passages, cars, edge_reads, next, cut, window_ms: [window.0, window.1], outages, shed, audit, took_ms }))
}

/// Where the next page begins.
pub(super) fn next(found: &Found) -> Option<String> {
    found.next.map(|(one, other)| format!("{one}.{other}"))
}

/// What was not looked at.
pub(super) fn cut(found: &Found) -> Option<String> {
    let (last_ms, _) = found.next.filter(|_| found.cut)?;
    let until = jiff::Timestamp::from_millisecond(last_ms).unwrap_or_default();
    Some(format!(
        "took too long: nothing before {until} was looked at; go on from `next`, or say more of what is sought (its beginning or end, a time, a list)"
    ))
}
