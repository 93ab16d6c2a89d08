//! What `/metrics` tells, in one place: names, labels, buckets.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::budget::{self, Stage};
use crate::custody::State;
use crate::custody::evidence::{hex, sha256};
use crate::error::{Error, Fault, Result};
use crate::lane::hit::Hit;
use crate::models::Models;
use crate::pipeline::FrameTimes;
use crate::pipeline::portals::ScanNews;
use crate::rail::inspect::CarReport;

/// Upper ends of the histograms' buckets, seconds: a budget's neighbourhood is finer than its far ends.
const BUCKETS: [f64; 16] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The stage from a frame's last byte to its acknowledgement, and the one to its hit.
const ACK: &str = "ack";
const HIT: &str = "hit";
/// The stages of a scan: opening it, cutting it, by the car, and looking at a car.
const RAIL_OPEN: &str = "rail open";
const RAIL_CUT: &str = "rail cut of a car";
const RAIL_CAR: &str = "rail car";

/// Starts recording for the process; later calls share the first one's recorder.
///
/// # Errors
/// `Machine` where another recorder has been installed.
pub(crate) fn install() -> Result<PrometheusHandle> {
    static INSTALLED: std::sync::Mutex<Option<PrometheusHandle>> = std::sync::Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let failed = |error: String| Error::new(Fault::Machine, error).in_("metrics");
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| failed(error.to_string()))?;
    describe_counter!(
        "garita_frames_total",
        "Frames handed in, by lane (unknown: of none of the site's, or none was told) and outcome: accepted, shed, rejected"
    );
    describe_counter!(
        "garita_bad_frames_total",
        "Frames that came to the lane and could not be looked at, by lane and whose fault it is; what was refused before is in garita_frames_total alone"
    );
    describe_counter!("garita_passages_total", "Vehicles that have passed, by lane");
    describe_counter!("garita_hits_total", "Hits of passages, by list and class");
    describe_histogram!("garita_stage_seconds", "How long a stage took, by stage; its budget is garita_budget_seconds");
    describe_gauge!("garita_budget_seconds", "The latency budget (p99) of a stage");
    describe_gauge!("garita_model_info", "1 for each model in use, by name and SHA-256 of its weights");
    describe_gauge!("garita_queue_depth", "What waits, by queue: frames under way, records for the store, scans for their inspection");
    describe_counter!(
        "garita_scans_total",
        "Scans, by portal and outcome: received, replayed, refused at the door; afterwards inspected, cut (inspected as far as it came), bad"
    );
    describe_counter!("garita_passing_cars_total", "Cars told while their train was passing, by portal");
    describe_gauge!("garita_portal_image_quality", "How well a portal saw in its newest scan, by portal and figure");
    describe_gauge!("garita_portal_source_activity_gbq", "The activity of a portal's source as its newest scan states it");
    describe_gauge!("garita_portal_alarms", "What a portal's newest scan says that its site should look into");
    describe_gauge!("garita_source_active", "1 where something came from a source within the last minute, by source and lane or portal");
    describe_counter!(
        "garita_edge_reads_total",
        "Reads that cameras made themselves, by lane and how ours compares: agree, differ, only_theirs; refused: not kept"
    );
    describe_counter!("garita_edge_hits_total", "Entries that reads of cameras met by themselves, by list");
    describe_gauge!("garita_source_up", "1 while frames come from a camera that is pulled or a folder that is watched, by lane and source");
    describe_counter!(
        "garita_source_incidents_total",
        "Times that a camera that is pulled or a folder that is watched went from up to down, by lane and source"
    );
    describe_counter!("garita_source_connects_total", "Connections made to a camera that is pulled, by lane");
    describe_gauge!("garita_store_state", "1 for the state that the store is in: open, full, stopped");
    describe_counter!("garita_store_lost_total", "Passages, sightings and counts that contradict what the store holds, and are lost: a fault of garita");
    describe_counter!("garita_webhook_events_total", "Attempts to tell events, by webhook and outcome: taken, failed, gone (there was nothing left to tell)");
    describe_gauge!("garita_webhook_waiting", "Events that a webhook has not taken yet");
    describe_gauge!("garita_webhook_dead", "Events that a webhook did not take within a day");
    describe_gauge!("garita_connections", "Connections that are open");
    describe_counter!("garita_connections_refused_total", "Connections refused, by limit: total (503), peer (429)");
    for limit in ["total", "peer"] {
        counter!("garita_connections_refused_total", "limit" => limit).absolute(0);
    }
    describe_gauge!("process_resident_memory_bytes", "Memory that the process holds");
    describe_gauge!("garita_lane_down", "1 while a lane sees nothing, by lane");
    for budget in budget::LANE {
        gauge!("garita_budget_seconds", "stage" => budget.stage.name()).set(f64::from(budget.p99_us) / 1e6);
    }
    for (stage, budget_ms) in [(ACK, budget::ACK_MS), (HIT, budget::HIT_MS)] {
        gauge!("garita_budget_seconds", "stage" => stage).set(budget_ms as f64 / 1e3);
    }
    let [open, _, car] = budget::RAIL.map(|budget| budget.p99_us);
    for (stage, budget_us) in [(RAIL_OPEN, open), (RAIL_CUT, budget::RAIL_CUT_OF_A_CAR_US), (RAIL_CAR, car)] {
        gauge!("garita_budget_seconds", "stage" => stage).set(f64::from(budget_us) / 1e6);
    }
    Ok(installed.insert(handle).clone())
}

pub(super) fn frame(lane: &str, outcome: &'static str) {
    counter!("garita_frames_total", "lane" => lane.to_owned(), "outcome" => outcome).increment(1);
}

/// Whether frames come from a source that is fetched.
pub(super) fn source_up(lane: &str, kind: &'static str, up: bool) {
    gauge!("garita_source_up", "lane" => lane.to_owned(), "source" => kind).set(f64::from(u8::from(up)));
    if !up {
        counter!("garita_source_incidents_total", "lane" => lane.to_owned(), "source" => kind).increment(1);
    }
}

pub(super) fn source_connected(lane: &str) {
    counter!("garita_source_connects_total", "lane" => lane.to_owned()).increment(1);
}

/// A read that a camera made itself, how ours compares, and the entries that it met by itself.
pub(super) fn edge_read(lane: &str, opinion: &'static str, entries: &serde_json::Value) {
    counter!("garita_edge_reads_total", "lane" => lane.to_owned(), "opinion" => opinion).increment(1);
    for met in entries.as_array().into_iter().flatten() {
        let list = met["entry"]["list"].as_str().unwrap_or_default().to_owned();
        counter!("garita_edge_hits_total", "list" => list).increment(1);
    }
}

/// A read of a camera that was let in and is not kept: damaged, shed, or there was no room.
pub(super) fn edge_read_refused(lane: &str) {
    counter!("garita_edge_reads_total", "lane" => lane.to_owned(), "opinion" => "refused").increment(1);
}

pub(super) fn bad_frame(lane: &str, fault: Fault) {
    counter!("garita_bad_frames_total", "lane" => lane.to_owned(), "fault" => fault.name()).increment(1);
}

pub(super) fn passage(lane: &str, hits: &[Hit]) {
    counter!("garita_passages_total", "lane" => lane.to_owned()).increment(1);
    for hit in hits {
        let class = serde_json::to_value(hit.class).ok().and_then(|class| class.as_str().map(str::to_owned)).unwrap_or_default();
        counter!("garita_hits_total", "list" => hit.entry.list.clone(), "class" => class).increment(1);
    }
}

pub(super) fn scan(portal: &str, outcome: &'static str) {
    counter!("garita_scans_total", "portal" => portal.to_owned(), "outcome" => outcome).increment(1);
}

/// What the rail worker says.
pub(super) fn scan_news(news: &ScanNews<'_>) {
    match news {
        ScanNews::Car(scan, car) => {
            counter!("garita_passing_cars_total", "portal" => scan.portal.clone()).increment(1);
            rail_stage(RAIL_CAR, car, "detect", 1);
        }
        ScanNews::Bad(row, _) => scan(&row.portal, "bad"),
        ScanNews::Inspected(found, description) => {
            let portal = &found.scan.portal;
            scan(portal, if found.summary.error.is_some() { "cut" } else { "inspected" });
            if let Some(first) = found.cars.first() {
                rail_stage(RAIL_OPEN, first, "open", 1);
                rail_stage(RAIL_CUT, first, "cut", found.cars.len());
            }
            found.cars.iter().for_each(|car| rail_stage(RAIL_CAR, car, "detect", 1));
            for (figure, value) in found.summary.image_quality.as_object().into_iter().flatten() {
                match value {
                    serde_json::Value::Array(values) => {
                        for (index, value) in values.iter().enumerate() {
                            image_quality(portal, format!("{figure}_{index}"), value);
                        }
                    }
                    value => image_quality(portal, figure.clone(), value),
                }
            }
            gauge!("garita_portal_alarms", "portal" => portal.clone()).set(found.summary.alarms.len() as f64);
            if let Some(activity) = description.source.activity_gbq {
                gauge!("garita_portal_source_activity_gbq", "portal" => portal.clone()).set(activity);
            }
            for (_, hit) in &found.hits {
                let class = serde_json::to_value(hit.class).ok().and_then(|class| class.as_str().map(str::to_owned)).unwrap_or_default();
                counter!("garita_hits_total", "list" => hit.entry.list.clone(), "class" => class).increment(1);
            }
        }
    }
}

/// What a car's report says that a stage took, for each of `cars`.
fn rail_stage(stage: &'static str, car: &CarReport, timing: &str, cars: usize) {
    if let Some(took_ms) = car.timing_ms.get(timing) {
        histogram!("garita_stage_seconds", "stage" => stage).record(took_ms / 1e3 / cars as f64);
    }
}

fn image_quality(portal: &str, figure: String, value: &serde_json::Value) {
    if let Some(value) = value.as_f64() {
        gauge!("garita_portal_image_quality", "portal" => portal.to_owned(), "figure" => figure).set(value);
    }
}

pub(super) fn source_active(source: &'static str, lane: &str, active: bool) {
    gauge!("garita_source_active", "source" => source, "lane" => lane.to_owned()).set(f64::from(u8::from(active)));
}

pub(super) fn stages(times: &FrameTimes, reads: usize) {
    let each = reads.max(1) as f64;
    stage(Stage::Decode.name(), times.decode.as_secs_f64());
    stage(Stage::Detect.name(), times.detect.as_secs_f64());
    stage(Stage::Refine.name(), times.refine.as_secs_f64());
    stage(Stage::Passage.name(), times.passage.as_secs_f64());
    stage(Stage::Frame.name(), times.frame().as_secs_f64());
    if reads > 0 {
        stage(Stage::Rectify.name(), times.rectify.as_secs_f64() / each);
        stage(Stage::Read.name(), times.read.as_secs_f64() / each);
        stage(Stage::Match.name(), times.matching.as_secs_f64() / each);
    }
}

/// From the last byte to the commit.
pub(super) fn acknowledged(took: Duration) {
    stage(ACK, took.as_secs_f64());
}

/// From a frame's coming in until what it meets is handed to the store.
pub(super) fn hit(after_ms: i64) {
    stage(HIT, after_ms as f64 / 1e3);
}

fn stage(name: &'static str, seconds: f64) {
    histogram!("garita_stage_seconds", "stage" => name).record(seconds);
}

pub(super) fn queue(name: &'static str, depth: usize) {
    gauge!("garita_queue_depth", "queue" => name).set(depth as f64);
}

pub(super) fn store(state: &State, lost: u64) {
    counter!("garita_store_lost_total").absolute(lost);
    let now = match state {
        State::Open => "open",
        State::Full(_) => "full",
        State::Stopped(_) => "stopped",
    };
    for name in ["open", "full", "stopped"] {
        gauge!("garita_store_state", "state" => name).set(f64::from(u8::from(name == now)));
    }
}

/// Memory of the process, as Prometheus' own clients call it.
pub(super) fn memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
    if let Some(kib) = kib {
        gauge!("process_resident_memory_bytes").set(kib * 1024.0);
    }
}

/// What became of an event that a webhook was told.
pub(super) fn webhook(id: &str, outcome: &'static str) {
    counter!("garita_webhook_events_total", "webhook" => id.to_owned(), "outcome" => outcome).increment(1);
}

/// What waits for a webhook.
pub(super) fn webhook_standing(id: &str, waiting: i64, dead: i64) {
    gauge!("garita_webhook_waiting", "webhook" => id.to_owned()).set(waiting as f64);
    gauge!("garita_webhook_dead", "webhook" => id.to_owned()).set(dead as f64);
}

/// Connections that are open.
pub(super) fn connections(open: usize) {
    gauge!("garita_connections").set(open as f64);
}

/// A connection for which there was no place.
pub(super) fn connection_refused(limit: &'static str) {
    counter!("garita_connections_refused_total", "limit" => limit).increment(1);
}

/// Whether a lane sees nothing.
pub(super) fn lane_down(lane: &str, down: bool) {
    gauge!("garita_lane_down", "lane" => lane.to_owned()).set(f64::from(u8::from(down)));
}

/// Begins the counters of a source at 0.
pub(super) fn source(lane: &str, kind: &'static str) {
    gauge!("garita_source_up", "lane" => lane.to_owned(), "source" => kind).set(0.0);
    counter!("garita_source_incidents_total", "lane" => lane.to_owned(), "source" => kind).absolute(0);
    counter!("garita_source_connects_total", "lane" => lane.to_owned()).absolute(0);
}

/// Begins a portal's counters at 0.
pub(super) fn portal(portal: &str) {
    counter!("garita_passing_cars_total", "portal" => portal.to_owned()).absolute(0);
    for outcome in ["received", "replayed", "refused", "inspected", "cut", "bad"] {
        counter!("garita_scans_total", "portal" => portal.to_owned(), "outcome" => outcome).absolute(0);
    }
}

/// Begins a lane's counters at 0: an increase from nothing is invisible to `rate()`.
pub(super) fn lane(lane: &str) {
    frames_of(lane);
    counter!("garita_passages_total", "lane" => lane.to_owned()).absolute(0);
}

/// Begins the counters of frames of a lane, or of none, at 0.
pub(super) fn frames_of(lane: &str) {
    for outcome in ["accepted", "shed", "rejected"] {
        counter!("garita_frames_total", "lane" => lane.to_owned(), "outcome" => outcome).absolute(0);
    }
}

/// Which weights read here.
pub(super) fn models(models: &Models) {
    let rail: &[u8] = include_bytes!("../../models/rail.onnx");
    for (model, weights) in [("detector", &*models.detector), ("refiner", &*models.refiner), ("reader", &*models.reader), ("rail", rail)] {
        gauge!("garita_model_info", "model" => model, "sha256" => hex(&sha256(weights))).set(1.0);
    }
}

/// Name and version of the lists in force, as Prometheus reads them. Not kept by the recorder, which would tell every version that ever was for as long as the process runs.
pub(super) fn lists<'l>(lists: impl Iterator<Item = (&'l str, &'l str)>) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut told = "# HELP garita_list_info 1 for the version of each list in force: its newest source's\n# TYPE garita_list_info gauge\n".to_owned();
    for (name, version) in lists {
        told += &format!("garita_list_info{{list=\"{}\",version=\"{}\"}} 1\n", escaped(name), escaped(version));
    }
    told
}
