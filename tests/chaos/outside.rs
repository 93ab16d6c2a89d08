//! Seen from outside: a stop under load finishes what was accepted, the log says of every line which request it belongs to, the dashboard asks for what is served, and nothing is
//! written elsewhere than into the site's folder.

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::camera::{Connection, Shot, pictures, testdata, unlike};
use super::ledger::Ledger;
use super::server::{SOUGHT, Server, Site, signal};

#[test]
fn a_stop_under_load_finishes_what_was_accepted() {
    let site = Site::new(4, "");
    let (server, ledger, over) = (site.start(), Ledger::default(), AtomicBool::new(false));
    // A camera over a bad link: half of its frame has come when the server is told to stop. And one that has not said what it wants.
    let mut half = Connection::open(server.address).expect("connects");
    half.send(b"POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n\xff\xd8").expect("sends");
    let mut unsaid = Connection::open(server.address).expect("connects");
    unsaid.send(b"POST /v1/lanes/lane-0/fra").expect("sends");
    let (took, well) = std::thread::scope(|scope| {
        for lane in site.lanes() {
            let (ledger, over, address) = (&ledger, &over, server.address);
            scope.spawn(move || {
                let picture = pictures("lane000-").swap_remove(2);
                let mut connection = Connection::open(address).expect("connects");
                for number in 0.. {
                    let shot = Shot::new(&lane, format!("{lane} {number}"), unlike(&picture, number));
                    // Until the server has gone.
                    if ledger.note(&shot, shot.post(&mut connection)).is_none() || over.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        let begun = std::time::Instant::now();
        while ledger.tally().accepted < 20 && begun.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let stopped = server.stop();
        over.store(true, Ordering::Relaxed);
        stopped
    });
    println!("stopping under load took {took:?}: {:?}", ledger.tally());
    // limits.drain_s, for all of it.
    assert!(well && took < Duration::from_secs(10), "stopping took {took:?}: {}", site.log());
    let reply = half.reply().expect("an answer");
    reply.assert_problem();
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")), "{}", reply.text());
    assert!(ledger.check(&site.data, SOUGHT) >= 20);
    // It was sent, and is counted; who had no answer may be as well.
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let shed: i64 = store.query_row("SELECT coalesce(sum(frames), 0) FROM shed", [], |row| row.get(0)).expect("asks");
    let tally = ledger.tally();
    assert!((tally.shed + 1..=tally.shed + 1 + tally.unanswered).contains(&shed.cast_unsigned()), "{shed} are shed in the store: {tally:?}");
}

#[test]
fn systemd_hears_that_all_is_well_and_of_a_stop_when_it_begins() {
    let site = Site::new(1, "");
    let socket = UnixDatagram::bind(site.path("systemd")).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let hear = || {
        let mut text = [0; 1024];
        let length = socket.recv(&mut text).expect("something is said");
        String::from_utf8_lossy(&text[..length]).trim().to_owned()
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_garita"));
    command.env("NOTIFY_SOCKET", site.path("systemd"));
    let mut server = site.start_under(command);
    assert_eq!(hear(), "READY=1");
    assert_eq!(hear(), "WATCHDOG=1");
    // Whoever has not said yet what they want holds the end up for a while.
    let mut unsaid = Connection::open(server.address).expect("connects");
    unsaid.send(b"GET /heal").expect("sends");
    assert_eq!(server.get("/healthz").status, 200);
    signal(server.pid, "TERM");
    let stops = (0..60).any(|_| match hear().as_str() {
        "STOPPING=1" => true,
        other => {
            assert_eq!(other, "WATCHDOG=1");
            false
        }
    });
    assert!(stops);
    assert!(server.runs(), "it was said after the end");
}

#[test]
fn every_line_of_the_log_is_json_and_names_its_request() {
    let site = Site::new(1, "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_garita"));
    command.env("GARITA__LOG__FORMAT", "json").env("GARITA__LOG__LEVEL", "debug");
    let server = site.start_under(command);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut connection = Connection::open(server.address).expect("connects");
    let headers = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    let reply = connection.request("POST", "/v1/lanes/lane-0/frames", &headers, &pictures("lane000-")[2]).expect("an answer");
    assert_eq!((reply.status, reply.header("trace-id")), (201, Some(trace)));
    let other = server.get("/healthz");
    let other = other.header("trace-id").expect("a trace id of the server's own");
    assert!(server.stop().1, "{}", site.log());
    let log = site.log();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    for (trace, path) in [(trace, "/v1/lanes/lane-0/frames"), (other, "/healthz")] {
        let of =
            |line: &&serde_json::Value| line["spans"].as_array().is_some_and(|spans| spans.iter().any(|span| span["trace"] == trace && span["path"] == path));
        assert!(lines.iter().any(|line| of(&line)), "no line of {path}: {log}");
    }
}

#[test]
fn the_dashboard_asks_for_what_is_served() {
    // Besides what is posted: a camera that is not there, and a webhook that nobody takes.
    let more = "[[portal]]\nid = \"bridge\"\n[[lane]]\nid = \"fetched\"\n[lane.pull]\nkind = \"mjpeg\"\nurl = \"http://127.0.0.1:9/video\"\n\
                [[webhook]]\nid = \"sink\"\nurl = \"http://127.0.0.1:9/in\"\nsecret_file = \"secret\"\nnetworks = [\"127.0.0.1\"]\n";
    let site = Site::new(2, more);
    std::fs::write(site.path("secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=\n").expect("writes");
    let server = site.start();
    let mut connection = Connection::open(server.address).expect("connects");
    let mut post = |path: &str, kind: &str, bytes: &[u8]| connection.request("POST", path, &[("content-type", kind)], bytes).expect("an answer").status;
    // A vehicle that is sought, a frame that is none, a camera's own read in a lane where we saw nothing, and a train.
    for picture in pictures("lane000-").iter().take(8) {
        assert_eq!(post("/v1/lanes/lane-0/frames", "image/jpeg", picture), 201);
    }
    assert_eq!(post("/v1/lanes/lane-0/frames", "image/jpeg", b"no picture"), 415);
    assert_eq!(post("/v1/lanes/lane-0/triggers", "", b""), 202);
    let read = format!("{{\"plateUTF8\":\"{SOUGHT}\",\"plateConfidence\":\"0.9\"}}");
    assert_eq!(post("/v1/lanes/lane-1/edge-reads", "application/json", read.as_bytes()), 201);
    assert_eq!(post("/v1/portals/bridge/scans", "image/tiff", &std::fs::read(testdata().join("rail/G-3.tif")).expect("testdata")), 201);
    let dashboard = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana-dashboard.json")).expect("a dashboard");
    let mut asked = BTreeSet::new();
    selectors(&serde_json::from_str(&dashboard).expect("JSON"), &mut asked);
    assert!(asked.len() > 20 && asked.iter().any(|(_, labels)| !labels.is_empty()), "{asked:?}");
    // What the service is asked by hand.
    asked.insert(("garita_queue_depth".to_owned(), vec!["queue=\"scans\"".to_owned()]));
    asked.insert(("garita_model_info".to_owned(), vec!["model=\"rail\"".to_owned()]));
    let (mut missing, begun) = (asked.clone(), std::time::Instant::now());
    // The train is inspected and a gauge is set a while later.
    while !missing.is_empty() && begun.elapsed() < Duration::from_secs(60) {
        let metrics = server.get("/metrics").text();
        missing.retain(|(name, labels)| !series(&metrics, name).any(|series| labels.iter().all(|label| series.contains(label.as_str()))));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(missing.is_empty(), "the dashboard asks for {missing:?}, which is not served");
    // What is divided by each other has the same stages.
    let metrics = server.get("/metrics").text();
    let stages = |name| series(&metrics, name).filter_map(|series| series.split("stage=\"").nth(1)?.split('"').next()).collect::<BTreeSet<&str>>();
    assert_eq!(stages("garita_stage_seconds_bucket"), stages("garita_budget_seconds"));
    // A list that was replaced leaves nothing behind.
    let lists = |metrics: &str| series(metrics, "garita_list_info").map(str::to_owned).collect::<Vec<String>>();
    let before = lists(&metrics);
    site.write_list("plate,list,priority,reason\nXPX802H,wanted,0,again\n");
    let replaced = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        lists(&server.get("/metrics").text()) != before
    });
    let after = lists(&server.get("/metrics").text());
    assert!(replaced && before.len() == 1 && after.len() == 1, "{before:?}, {after:?}");
}

/// The labels of a metric's series in what `/metrics` said.
fn series<'m>(metrics: &'m str, name: &str) -> impl Iterator<Item = &'m str> {
    let of = move |line: &'m str| line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']));
    metrics.lines().filter_map(of).map(|rest| rest.rsplit_once(' ').map_or(rest, |(labels, _)| labels)).collect::<Vec<&str>>().into_iter()
}

/// What a dashboard's queries ask for: names, each with the labels whose values it says.
fn selectors(value: &serde_json::Value, found: &mut BTreeSet<(String, Vec<String>)>) {
    match value {
        serde_json::Value::Object(map) => {
            if let Some(query) = map.get("expr").and_then(serde_json::Value::as_str) {
                for (at, _) in query.match_indices("garita_").chain(query.match_indices("process_")) {
                    let end = query[at..].find(|character: char| !character.is_ascii_alphanumeric() && character != '_').map_or(query.len(), |end| at + end);
                    let labels = query[end..].strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(labels, _)| labels);
                    let said = labels.split(',').filter(|label| label.contains("=\"") && !label.contains('$'));
                    found.insert((query[at..end].to_owned(), said.map(str::to_owned).collect()));
                }
            }
            map.values().for_each(|value| selectors(value, found));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| selectors(value, found)),
        _ => {}
    }
}

#[test]
fn without_a_site_file_it_replays_what_the_executable_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_garita"));
    command.arg("serve").current_dir(folder.path()).env_remove("GARITA_SITE").env("GARITA_LISTEN", "127.0.0.1:0");
    let server = Server::started(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()), String::new);
    let begun = Instant::now();
    let (mut hits, mut scans) = (0, 0);
    while hits == 0 || scans == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", server.status());
        std::thread::sleep(Duration::from_millis(200));
        let metrics = server.get("/metrics").text();
        let sum = |name: &str| {
            metrics.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
        };
        (hits, scans) = (sum("garita_hits_total{"), sum("garita_scans_total{portal=\"bridge\",outcome=\"inspected\"}"));
    }
    assert!(folder.path().join("garita-demo/out/site/garita.db").is_file());
}

#[test]
fn a_clock_that_is_off_is_said_once_a_minute() {
    let site = Site::new(1, "");
    let server = site.start();
    let (mut connection, begun) = (Connection::open(server.address).expect("connects"), std::time::Instant::now());
    let picture = pictures("lane000-").swap_remove(2);
    for number in 0..10 {
        let mut shot = Shot::new("lane-0", number.to_string(), unlike(&picture, number));
        shot.captured_ms = Some(1_000_000_000_000);
        assert_eq!(shot.post(&mut connection).expect("an answer").status, 201);
    }
    let minutes = begun.elapsed().as_secs() as usize / 60 + 2;
    assert!(server.stop().1, "{}", site.log());
    let said = site.log().lines().filter(|line| line.contains("clock is off")).count();
    assert!((1..=minutes).contains(&said), "{said} times: {}", site.log());
}

#[test]
fn nothing_is_written_outside_the_sites_folder() {
    let site = Site::new(4, "");
    let (server, over) = (site.start(), AtomicBool::new(false));
    let folder = site.path("").canonicalize().expect("a folder");
    let mut elsewhere = BTreeSet::new();
    std::thread::scope(|scope| {
        for lane in site.lanes() {
            let (over, address) = (&over, server.address);
            scope.spawn(move || {
                let (pictures, mut connection) = (pictures(""), Connection::open(address).expect("connects"));
                for number in 0..60 {
                    let shot = Shot::new(&lane, format!("{lane} {number}"), unlike(&pictures[number as usize % pictures.len()], number));
                    assert_eq!(shot.post(&mut connection).expect("an answer").status, 201);
                }
                over.store(true, Ordering::Relaxed);
            });
        }
        // Each file that it has open for writing, again and again: temporary ones live for some milliseconds.
        while !over.load(Ordering::Relaxed) {
            for descriptor in std::fs::read_dir(format!("/proc/{}/fd", server.pid)).into_iter().flatten().flatten() {
                let Ok(path) = std::fs::read_link(descriptor.path()) else { continue };
                let flags = std::fs::read_to_string(format!("/proc/{}/fdinfo/{}", server.pid, descriptor.file_name().to_string_lossy())).unwrap_or_default();
                let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
                // Neither a socket nor a pipe, and not for reading alone.
                if path.is_absolute() && !path.starts_with("/dev") && !path.starts_with(&folder) && flags.is_some_and(|flags| flags & 3 != 0) {
                    elsewhere.insert(path);
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    assert!(elsewhere.is_empty(), "it writes {elsewhere:?}");
    assert!(server.stop().1, "{}", site.log());
}
