//! What deploys garita agrees with what it deploys: the dashboard's names, the unit's variables and times, what the container's build copies.

#[path = "common/skip.rs"]
mod skip;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use garita::service::WELL_EVERY;
use garita::site::{EXAMPLE, Site};
use serde_json::Value;

/// Every metric of `/metrics` that the dashboard may ask for, and its labels.
const METRICS: [(&str, &[&str]); 30] = [
    ("garita_frames_total", &["lane", "outcome"]),
    ("garita_stage_seconds_bucket", &["stage", "le"]),
    ("garita_budget_seconds", &["stage"]),
    ("garita_queue_depth", &["queue"]),
    ("garita_bad_frames_total", &["lane", "fault"]),
    ("garita_passages_total", &["lane"]),
    ("garita_hits_total", &["list", "class"]),
    ("garita_model_info", &["model", "sha256"]),
    ("garita_list_info", &["list", "version"]),
    ("garita_source_active", &["source", "lane"]),
    ("garita_portal_image_quality", &["portal", "figure"]),
    ("garita_scans_total", &["portal", "outcome"]),
    ("garita_store_state", &["state"]),
    ("garita_store_lost_total", &[]),
    ("garita_connections", &[]),
    ("garita_connections_refused_total", &["limit"]),
    ("garita_edge_reads_total", &["lane", "opinion"]),
    ("garita_edge_hits_total", &["list"]),
    ("garita_lane_down", &["lane"]),
    ("garita_source_up", &["source", "lane"]),
    ("garita_source_incidents_total", &["source", "lane"]),
    ("garita_source_connects_total", &["lane"]),
    ("garita_webhook_waiting", &["webhook"]),
    ("garita_webhook_dead", &["webhook"]),
    ("garita_webhook_events_total", &["webhook", "outcome"]),
    ("garita_portal_alarms", &["portal"]),
    ("garita_passing_cars_total", &["portal"]),
    ("garita_portal_source_activity_gbq", &["portal"]),
    ("process_resident_memory_bytes", &[]),
    // Of every series: who was asked.
    ("", &["instance"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The queries of a dashboard, each with the legend that stands beside.
fn queries<'v>(value: &'v Value, found: &mut Vec<(&'v str, &'v str)>) {
    match value {
        Value::Object(map) => {
            let legend = map.get("legendFormat").and_then(Value::as_str).unwrap_or_default();
            for (key, value) in map {
                match value {
                    Value::String(text) if key == "expr" || (key == "query" && text.starts_with("label_values")) => found.push((text, legend)),
                    _ => queries(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_').filter(|word| !word.is_empty())
}

/// What stands between `open` and the next `close`, wherever that is.
fn between<'t>(text: &'t str, open: &'t str, close: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close)).map(|(inside, _)| inside)
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana-dashboard.json")).unwrap();
    let metrics: BTreeMap<&str, &[&str]> = METRICS.into_iter().collect();
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    let mut asked = BTreeSet::new();
    for (query, legend) in found {
        let names: Vec<&str> = words(query).filter(|word| word.starts_with("garita_") || word.starts_with("process_")).collect();
        assert!(!names.is_empty(), "{query}");
        let mut labels: BTreeSet<&str> = metrics[""].iter().copied().collect();
        for name in names {
            labels.extend(metrics.get(name).unwrap_or_else(|| panic!("there is no metric {name}: {query}")).iter());
            asked.insert(name);
        }
        // In selectors the label stands before the `=`; in groups and legends alone.
        let selected = between(query, "{", "}").flat_map(|inside| inside.split(',')).filter_map(|matcher| matcher.split('=').next());
        let grouped = ["by (", "on ("].into_iter().flat_map(|open| between(query, open, ")").flat_map(words));
        let shown = between(legend, "{{", "}}");
        for label in selected.chain(grouped).chain(shown) {
            assert!(labels.contains(label), "no metric of it has a label {label}: {query} shown as {legend}");
        }
    }
    let unasked: Vec<&&str> = metrics.keys().filter(|name| !name.is_empty() && !asked.contains(**name)).collect();
    assert!(unasked.is_empty(), "the dashboard shows nothing of {unasked:?}");
    // Panels do not lie on each other, and each has an id of its own.
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut cells = BTreeSet::new();
    for panel in panels {
        let at = |name: &str| panel["gridPos"][name].as_i64().unwrap();
        for (x, y) in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
            assert!(x < 24 && cells.insert((x, y)), "{} lies on another panel", panel["title"]);
        }
    }
}

/// The variables that a file sets, as pairs.
fn assignments<'t>(text: &'t str, keyword: &'t str) -> Vec<(String, String)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(keyword));
    let pairs = lines.flat_map(str::split_whitespace).filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.replace("%S", "/var/lib"))).filter(|(name, _)| name.starts_with("GARITA_")).collect()
}

#[test]
fn the_unit_and_the_container_set_variables_that_count() {
    for (file, keyword) in [("deploy/garita.service", "Environment="), ("deploy/Containerfile", "ENV ")] {
        let variables = assignments(&read(file), keyword);
        let explained = Site::parse(EXAMPLE, &root().join("testdata/site"), variables.clone()).unwrap();
        assert_eq!(explained.site.data_dir, Path::new("/var/lib/garita"), "{file}");
        for (name, _) in variables.iter().filter(|(name, _)| name != "GARITA_SITE") {
            assert!(explained.settings.iter().any(|setting| setting.origin.to_string() == *name), "{file}: {name} sets nothing");
        }
    }
}

#[test]
fn the_unit_stops_later_than_the_service_drains() {
    let site = Site::parse(EXAMPLE, &root().join("testdata/site"), []).unwrap().site;
    let unit = read("deploy/garita.service");
    let stop: u64 = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap().parse().unwrap();
    assert!(stop > site.limits.drain_s, "{stop} s, {} s", site.limits.drain_s);
}

#[test]
fn the_unit_waits_for_more_than_one_sign_of_life() {
    let unit = read("deploy/garita.service");
    let watchdog: u64 = unit.lines().find_map(|line| line.strip_prefix("WatchdogSec=")).unwrap().parse().unwrap();
    assert!(watchdog >= 6 * WELL_EVERY.as_secs(), "{watchdog} s");
}

#[test]
fn systemd_takes_the_unit_and_finds_it_hardened() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        skip::skip("systemd-analyze is not installed; nobody has checked deploy/garita.service");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("garita.service");
    // The program itself is not installed here.
    std::fs::write(&unit, read("deploy/garita.service").replace("ExecStart=/usr/lib/garita/garita", "ExecStart=/bin/true")).unwrap();
    // 20: "2.0 of 10, OK"; 1.4 when it was written. What is left is the network and files, which it is for.
    for arguments in [&["verify"][..], &["security", "--offline=true", "--threshold=20", "--no-pager"]] {
        let output = Command::new("systemd-analyze").args(arguments).arg(&unit).output().unwrap();
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "systemd-analyze {arguments:?}: {told}");
        assert!(arguments[0] != "verify" || told.is_empty(), "{told}");
    }
}

/// Every file below `folder` whose name ends in `.rs`.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_container_copies_what_the_build_reads() {
    let file = read("deploy/Containerfile");
    let (build, _) = file.split_once("\nFROM docker.io/library/debian").unwrap();
    let mut copied = Vec::new();
    for line in file.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--from")) {
        let (sources, _) = line.rsplit_once(' ').unwrap();
        for source in sources.split(' ') {
            let files: Vec<PathBuf> = glob::glob(&root().join(source).display().to_string()).unwrap().map(Result::unwrap).collect();
            assert!(!files.is_empty(), "COPY {source}: there is no such file");
            if build.contains(line) {
                copied.extend(files.into_iter().map(|file| file.canonicalize().unwrap()));
            }
        }
    }
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut included = 0;
    for source in files {
        let text = std::fs::read_to_string(&source).unwrap();
        for path in ["include_str!(\"", "include_bytes!(\""].into_iter().flat_map(|open| between(&text, open, "\")")) {
            let path = source.parent().unwrap().join(path).canonicalize().unwrap();
            assert!(copied.iter().any(|copied| path.starts_with(copied)), "{} includes {}, which no COPY brings", source.display(), path.display());
            included += 1;
        }
    }
    assert!(included > 5, "{included} includes found");
    // The compiler is new enough.
    let version = |text: &str| text.split(['.', '-', '"']).filter_map(|part| part.parse().ok()).take(2).collect::<Vec<u32>>();
    let image = version(build.split_once("library/rust:").unwrap().1);
    let manifest = read("Cargo.toml");
    let wanted = version(manifest.split_once("rust-version = \"").unwrap().1);
    assert!(image >= wanted, "{image:?} < {wanted:?}");
}
