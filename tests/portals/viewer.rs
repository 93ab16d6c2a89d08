//! What the scan viewer is given: the scan's own pixels, thicknesses with their errors, the earlier scan; and what it takes: decisions and drawings.

use std::path::Path;

use garita::rail::scan::Scan;
use serde_json::{Value, json};

use super::server::*;

fn rail(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rail").join(name)).expect("a scan")
}

/// The same train twice; answers the second scan's number.
fn twice(server: &Server) -> i64 {
    let mut last = 0;
    for (name, file) in [("before", "earlier/G-3-e"), ("now", "G-3")] {
        server.post(&format!("/v1/portals/bridge/scans/{name}/consist"), &[], &rail(&format!("{file}.consist.json")));
        last = server.post("/v1/portals/bridge/scans", &[("Idempotency-Key", name)], &rail(&format!("{file}.tif"))).scan();
        server.inspected(last);
    }
    last
}

fn values(answer: &Answer) -> Vec<u16> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.body.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
}

#[test]
fn tiles_are_the_scans_own_pixels() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "");
    let id = server.post("/v1/portals/bridge/scans", &[], &rail("G-3.tif")).scan();
    server.inspected(id);
    let scan = Scan::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rail/G-3.tif")).expect("a scan");
    let (columns, detectors) = (scan.columns(), scan.detectors());
    let counts = scan.counts(0..columns).expect("there");
    let stored = |x: usize, y: usize| counts[x * detectors + y];
    assert!(columns > 512 && detectors < 512, "testdata/rail has two tiles along and one up");
    for tile in 0..columns.div_ceil(512) {
        let told = values(&server.get(&format!("/v1/scans/{id}/tiles/0/{tile}/0")));
        let width = (columns - tile * 512).min(512);
        assert_eq!(told.len(), width * detectors);
        assert!((0..told.len()).all(|index| told[index] == stored(tile * 512 + index % width, index / width)), "tile {tile}");
    }
    // Twice halved: means of squares of four, cut off at the ends.
    let told = values(&server.get(&format!("/v1/scans/{id}/tiles/2/0/0")));
    let width = columns.div_ceil(4).min(512);
    assert_eq!(told.len(), width * detectors.div_ceil(4));
    for (index, &value) in told.iter().enumerate() {
        let (x, y) = (index % width * 4, index / width * 4);
        let square: Vec<u64> =
            (x..(x + 4).min(columns)).flat_map(|x| (y..(y + 4).min(detectors)).map(move |y| (x, y))).map(|(x, y)| stored(x, y).into()).collect();
        assert_eq!(u64::from(value), square.iter().sum::<u64>() / square.len() as u64, "{x}, {y}");
    }
    for nowhere in ["7/0/0", "0/99/0", "0/0/1", "0/18446744073709551615/0", "0/-1/0"] {
        let refused = server.get(&format!("/v1/scans/{id}/tiles/{nowhere}"));
        assert_eq!((refused.status, refused.field("content-type")), (404, "application/problem+json"), "{nowhere}");
    }
    assert_eq!(server.get("/v1/scans/99/tiles/0/0/0").status, 404);
    let thumbnail = server.get(&format!("/v1/scans/{id}/cars/1/thumbnail"));
    assert!(thumbnail.status == 200 && thumbnail.body.starts_with(b"\x89PNG"));
}

#[test]
fn a_car_comes_with_thicknesses_and_its_earlier_scan() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "");
    let id = twice(&server);
    let trains = server.get("/v1/scans").json();
    assert_eq!((trains["scans"].as_array().map(Vec::len), &trains["scans"][0]["scan"], &trains["scans"][0]["cars"]), (Some(2), &id.into(), &3.into()));
    let train = server.get(&format!("/v1/scans/{id}/cars")).json();
    assert_eq!(train["cars"].as_array().map(Vec::len), Some(3), "{train}");
    let car = server.get(&format!("/v1/scans/{id}/cars/2")).json();
    assert_eq!((&car["mark"], &car["declared"]["mark"], &car["earlier"]["position"]), (&json!("RBOX 81454"), &json!("RBOX 81454"), &json!(2)), "{car}");
    let columns = car["columns"][1].as_u64().zip(car["columns"][0].as_u64()).map(|(end, start)| (end - start) as usize);
    assert_eq!(car["x_mm"].as_array().map(|x| x.len() - 1), columns);
    let cells = (car["cells"]["width"].as_u64().unwrap_or(0) * car["cells"]["height"].as_u64().unwrap_or(0)) as usize;
    let thickness = server.get(&format!("/v1/scans/{id}/cars/2/thickness"));
    assert_eq!(thickness.body.len(), 9 * cells);
    let told = floats(&thickness.body[..8 * cells]);
    assert!(told[cells..].iter().all(|sigma| *sigma > 0.0) && thickness.body[8 * cells..].iter().all(|limited| *limited <= 1));
    let change = floats(&server.get(&format!("/v1/scans/{id}/cars/2/change")).body);
    assert_eq!(change.len(), 2 + 2 * cells);
    assert!(change[0] < 3.0 && change[1] == 0.0, "the same car, the same way round: {:?}", &change[..2]);
    // The first scan of it has none before.
    let first = server.get(&format!("/v1/scans/{}/cars/2", car["earlier"]["scan"]));
    assert_eq!(first.json()["earlier"], Value::Null);
    assert_eq!(server.get(&format!("/v1/scans/{}/cars/2/change", car["earlier"]["scan"])).status, 404);
    assert_eq!(server.get(&format!("/v1/scans/{id}/cars/9")).status, 404);
    // Opening is in the trail, once a view.
    let opened = server.get("/v1/audit?action=car.viewed").json();
    assert_eq!(opened["records"].as_array().map(Vec::len), Some(2), "{opened}");
    assert_eq!(opened["records"][1]["subject"], format!("scan {id} car 2"));
}

#[test]
fn findings_are_judged_once_by_whoever_has_looked() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "");
    let id = twice(&server);
    let at = format!("/v1/scans/{id}/cars/2");
    let finding = format!("{at}/findings/0/disposition");
    let why = |answer: &Answer| (answer.status, answer.json()["why"]["why"].as_str().unwrap_or_default().to_owned());
    let confirm = json!({ "verdict": "confirmed", "looked_ms": 900 }).to_string();
    let waiting = server.get("/v1/scans").json()["scans"][0]["waiting"].as_i64().expect("a number");
    assert!(waiting > 0, "who sits in the boxcar waits for somebody");
    // It is in the queue as hits are, and stays there until it is decided.
    let queued = || server.get("/v1/cases").json()["cars"].as_array().expect("cars").iter().find(|car| car["scan"] == id && car["position"] == 2).cloned();
    let car = queued().expect("the boxcar");
    assert_eq!((&car["state"], &car["mark"], &car["owner"]), (&json!("open"), &json!("RBOX 81454"), &Value::Null), "{car}");
    assert_eq!(send(server.address, "PUT", &format!("{at}/claim"), &[], b"").status, 200);
    assert_eq!(queued().expect("the boxcar")["owner"]["id"], "local");
    assert_eq!(send(server.address, "DELETE", &format!("{at}/claim"), &[], b"").status, 204);
    // Told of it is not shown it: some of its pixels must have been sent, and pixels of another car are none of it.
    let told = server.get(&at).json();
    let first = told["columns"][0].as_u64().expect("a column") / 512;
    assert_eq!(server.get(&format!("/v1/scans/{id}/tiles/0/{first}/0")).status, 200);
    assert_eq!(server.get(&format!("/v1/scans/{id}/tiles/0/0/0?car=3")).status, 200);
    assert_eq!(why(&server.post(&finding, &[], confirm.as_bytes())), (422, "not_seen".to_owned()));
    assert_eq!(server.get(&format!("/v1/scans/{id}/tiles/0/{first}/0?car=2")).status, 200);
    for (body, refused) in [
        (json!({ "verdict": "rejected", "looked_ms": 1 }), "reason"),
        (json!({ "verdict": "confirmed", "reason": "cargo", "looked_ms": 1 }), "reason"),
        (json!({ "verdict": "rejected", "reason": "other", "looked_ms": 1 }), "note_wanted"),
        (json!({ "verdict": "rejected", "reason": "other", "note": " ", "looked_ms": 1 }), "note"),
    ] {
        assert_eq!(why(&server.post(&finding, &[], body.to_string().as_bytes())), (422, refused.to_owned()), "{body}");
    }
    assert_eq!(server.post(&format!("{at}/findings/77/disposition"), &[], confirm.as_bytes()).status, 404);
    let reject = json!({ "verdict": "rejected", "reason": "other", "note": "the crew's stove", "looked_ms": 1 });
    assert_eq!(server.post(&finding, &[], reject.to_string().as_bytes()).json()["judged"][0]["by"][0]["note"], "the crew's stove");
    assert_eq!(why(&server.post(&finding, &[], confirm.as_bytes())), (409, "closed".to_owned()));
    assert_eq!(send(server.address, "DELETE", &finding, &[], b"").json()["judged"][0]["by"], json!([]));
    assert_eq!(why(&send(server.address, "DELETE", &finding, &[], b"")), (409, "too_late".to_owned()));
    assert_eq!(server.post(&finding, &[], confirm.as_bytes()).status, 200);
    // All of its probable findings judged: it waits no more.
    let mut made = Value::Null;
    for number in 1..told["told"]["findings"].as_array().map_or(0, Vec::len) {
        let answer = server.post(&format!("{at}/findings/{number}/disposition"), &[], confirm.as_bytes());
        assert_eq!(answer.status, 200);
        made = answer.json();
    }
    assert!(made["case"]["state"] == "confirmed" || made == Value::Null, "{made}");
    assert_eq!(queued(), None);
    assert_eq!(server.get("/v1/scans").json()["scans"][0]["waiting"], waiting - 1);
    let records = server.get("/v1/audit?action=disposition.undone").json();
    assert_eq!(records["records"][0]["subject"], format!("scan {id} car 2"));
}

#[test]
fn a_dual_energy_portal_shows_both_energies_and_their_ratio() {
    let folder = tempfile::tempdir().expect("a folder");
    let synth = |arguments: &[&str]| {
        let made =
            std::process::Command::new(env!("CARGO_BIN_EXE_garita")).args(["synth", "rail", "--out"]).arg(folder.path().join("made")).args(arguments).output();
        let made = made.expect("it runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    synth(&["--source", "dual", "--trains", "1", "--cars", "1", "--seed", "5"]);
    let file = std::fs::read_dir(folder.path().join("made"))
        .expect("made")
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "tif"))
        .expect("a scan");
    let server = Server::start(folder.path(), "");
    let id = server.post("/v1/portals/bridge/scans", &[], &std::fs::read(&file).expect("reads")).scan();
    server.inspected(id);
    let car = server.get(&format!("/v1/scans/{id}/cars/1")).json();
    assert_eq!(car["settings"].as_array().map(Vec::len), Some(3), "{car}");
    let scan = Scan::open(&file).expect("a scan");
    let (width, detectors) = (scan.columns().min(512), scan.detectors().min(512));
    for (energy, plane) in [("high", 0), ("low", 1)] {
        let told = values(&server.get(&format!("/v1/scans/{id}/tiles/0/0/0?energy={energy}")));
        let counts = scan.plane(plane, 0..width).expect("there");
        assert!((0..told.len()).all(|index| told[index] == counts[index % width * scan.detectors() + index / width]), "{energy}");
        assert_eq!(told.len(), width * detectors);
    }
    // In open beam neither is attenuated; in the car the low energy more than the high, as in every stuff that there is.
    let columns = [0, 1].map(|at| car["columns"][at].as_u64().expect("a column") as usize);
    let tile = (columns[0] + columns[1]) / 2 / 512;
    let told = values(&server.get(&format!("/v1/scans/{id}/tiles/0/{tile}/0?energy=ratio")));
    let mut inside: Vec<u16> = told.iter().copied().filter(|&value| value != 16_384 && value != 0).collect();
    inside.sort_unstable();
    assert!(inside.len() > told.len() / 20, "{} of {}", inside.len(), told.len());
    let median = f32::from(inside[inside.len() / 2]) / 16_384.0;
    assert!((1.02..1.9).contains(&median), "{median}");
    // One energy has no other.
    let single = server.post("/v1/portals/bridge/scans", &[("Idempotency-Key", "single")], &rail("G-3.tif")).scan();
    server.inspected(single);
    assert_eq!(server.get(&format!("/v1/scans/{single}/tiles/0/0/0?energy=low")).status, 404);
    assert_eq!(server.get(&format!("/v1/scans/{single}/cars/1")).json()["settings"].as_array().map(Vec::len), Some(1));
}

#[test]
fn drawings_lie_beside_the_pixels() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "");
    let id = twice(&server);
    let at = format!("/v1/scans/{id}/cars/2");
    let before = values(&server.get(&format!("/v1/scans/{id}/tiles/0/0/0")));
    let drawing = json!({ "kind": "arrow", "from": [700, 20], "to": [720, 60], "body": "behind the door" }).to_string();
    assert_eq!(server.post(&format!("{at}/annotations"), &[], drawing.as_bytes()).status, 422, "not opened yet");
    server.get(&at);
    let kept = server.post(&format!("{at}/annotations"), &[], drawing.as_bytes());
    assert_eq!(kept.status, 200, "{}", kept.text());
    for wrong in [json!({ "kind": "arrow", "from": [1, 2], "to": [3, 4], "body": "" }), json!({ "kind": "blob", "from": [1, 2], "to": [3, 4], "body": "x" })] {
        let refused = server.post(&format!("{at}/annotations"), &[], wrong.to_string().as_bytes()).status;
        assert!([400, 422].contains(&refused), "{wrong}: {refused}");
    }
    let told = server.get(&at).json();
    assert_eq!(told["annotations"][0]["body"], "behind the door");
    assert_eq!(told["annotations"][0]["from"], json!([700, 20]));
    assert_eq!(values(&server.get(&format!("/v1/scans/{id}/tiles/0/0/0"))), before);
    let gone = format!("{at}/annotations/{}", kept.json()["annotations"][0]["id"]);
    assert_eq!(send(server.address, "DELETE", &gone, &[], b"").json()["annotations"], json!([]));
    assert_eq!(send(server.address, "DELETE", &gone, &[], b"").status, 404);
    assert_eq!(server.get(&at).json()["annotations"], json!([]));
}
