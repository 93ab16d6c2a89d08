//! Trains: columns while they pass, what is said of them, folders, restarts.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use garita::rail::scan::Scan;
use serde_json::{Value, json};

use super::server::*;

/// A scan as a portal sends it while the train passes: its first line, and its columns.
fn stream_of(name: &str) -> (Vec<u8>, Vec<Vec<u8>>) {
    let scan = Scan::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rail").join(name)).expect("a scan");
    let mut head = serde_json::to_value(&scan.description).expect("JSON");
    head["detectors"] = scan.detectors().into();
    head["dark"] = json!(scan.fields.dark);
    let mut line = serde_json::to_vec(&head).expect("JSON");
    line.push(b'\n');
    let columns = (0..scan.columns()).map(|column| {
        let counts = scan.counts(column..column + 1).expect("there");
        counts.iter().flat_map(|count| count.to_le_bytes()).chain(scan.column(column).to_bytes()).collect()
    });
    (line, columns.collect())
}

/// What `garita inspect --json` says in `testdata/rail`: cars, and the scan's own report.
fn inspect(arguments: &[&str]) -> (Vec<Value>, Value) {
    let rail = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rail");
    let done = Command::new(env!("CARGO_BIN_EXE_garita")).args(["inspect", "--json"]).args(arguments).current_dir(rail).output().expect("garita runs");
    let text = String::from_utf8(done.stdout).expect("text");
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let summary = lines.pop().expect("a report");
    (lines, summary)
}

/// What of a car must be the same however it was looked at.
fn essence(car: &Value) -> Value {
    json!([car["position"], car["columns"], car["kind"], car["mark"], car["score"], car["findings"], car["empty_probability"]])
}

#[test]
fn the_store_says_of_a_scan_what_garita_inspect_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "");
    let named = [("Idempotency-Key", "G-3")];
    // Its list comes before it.
    let paper = server.post("/v1/portals/bridge/scans/G-3/consist", &[], &rail("G-3.consist.json"));
    assert_eq!((paper.status, &paper.json()["scan"]), (202, &Value::Null), "{}", paper.text());
    let scan = server.post("/v1/portals/bridge/scans", &named, &rail("G-3.tif")).scan();
    let told = server.inspected(scan);
    let (cars, summary) = inspect(&["G-3.tif"]);
    let essences = |cars: &[Value]| cars.iter().map(essence).collect::<Vec<_>>();
    assert_eq!(essences(told["cars"].as_array().expect("cars")), essences(&cars));
    assert_eq!((&told["summary"]["consist"], &told["summary"]["image_quality"]), (&json!("matched"), &summary["image_quality"]));
}

#[test]
fn a_car_is_compared_with_its_earlier_scan_in_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "");
    let mut told = Value::Null;
    // Sent twice under two names, a scan is not its own earlier scan: that would hide what is in it.
    for (name, file) in [("before", "earlier/G-3-e"), ("now", "G-3"), ("again", "G-3")] {
        let list = server.post(&format!("/v1/portals/bridge/scans/{name}/consist"), &[], &rail(&format!("{file}.consist.json")));
        assert_eq!(list.status, 202, "{}", list.text());
        told = server.inspected(server.post("/v1/portals/bridge/scans", &[("Idempotency-Key", name)], &rail(&format!("{file}.tif"))).scan());
    }
    let (cars, _) = inspect(&["--earlier", "earlier", "G-3.tif"]);
    let essences = |cars: &[Value]| cars.iter().map(essence).collect::<Vec<_>>();
    assert!(essences(&cars) != essences(&inspect(&["G-3.tif"]).0), "the earlier scan makes a difference");
    assert_eq!(essences(told["cars"].as_array().expect("cars")), essences(&cars));
}

#[test]
fn a_list_that_comes_later_names_the_cars_and_meets_the_watchlist() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = "subject,text,jurisdiction,list,category,priority,reason\nmark,RBOX 081454,,stolen,car,5,taken in Reno\nmark,UTLX 1,,stolen,car,5,elsewhere\n\
                container,CSQU 305438-3,,stolen,box,1,seal broken\n";
    std::fs::write(folder.path().join("list.csv"), list).expect("written");
    let server = Server::start(folder.path(), "[[list]]\nname = \"stolen\"\nfile = \"list.csv\"");
    let scan = server.post("/v1/portals/bridge/scans", &[], &rail("G-3.tif")).scan();
    let told = server.inspected(scan);
    assert!(told["cars"].as_array().expect("cars").iter().all(|car| car["mark"] == Value::Null), "{told}");
    assert_eq!(told["hits"], json!([]));
    let at = format!("/v1/portals/bridge/scans/{scan}/");
    let paper = server.post(&format!("{at}consist"), &[], &rail("G-3.consist.json"));
    assert_eq!((paper.status, &paper.json()["scan"], &paper.json()["cars"]), (200, &scan.into(), &3.into()), "{}", paper.text());
    let told = server.scan_when(scan, |scan| scan["state"] == "inspected" && scan["summary"]["consist"] == "matched");
    assert_eq!(told["cars"][1]["mark"], "RBOX 81454");
    let hit = &told["hits"][0];
    assert_eq!(
        (&hit["state"], &hit["position"], &hit["seen"], &hit["class"]),
        (&json!("confirmed"), &json!(2), &json!("RBOX 81454"), &json!("exact")),
        "{told}"
    );
    assert_eq!((told["hits"].as_array().map(Vec::len), &told["cars"][1]["hits"][0]["list"]), (Some(1), &json!("stolen")), "{told}");
    // Lines of a manifest: what is declared, and what is in the car.
    let lines = "{\"mark\":\"RBOX 81454\",\"containers\":[\"CSQU3054383\"]}\n{\"mark\":\"CTCX 938969\",\"loaded\":true}\n";
    assert_eq!(server.post(&format!("{at}manifest"), &[], lines.as_bytes()).status, 200);
    let told = server.scan_when(scan, |scan| scan["state"] == "inspected" && scan["hits"].as_array().is_some_and(|hits| hits.len() == 2));
    let finding = |car: &Value| car["findings"].as_array().is_some_and(|findings| findings.iter().any(|finding| finding["detector"] == "manifest"));
    assert!(finding(&told["cars"][0]), "declared loaded, and empty: {}", told["cars"][0]);
    // A list without the car withdraws its hits; the text of a tag reader does as well as JSON.
    let tags = "12:00:00,1,R1,1,19,CTCX,938969,Left,146,4,1,0\n12:00:09,2,R1,1,19,AAAX,000017,Left,170,4,1,0\n12:00:20,3,R1,1,19,CTCX,039562,Left,196,4,1,0\n";
    assert_eq!(server.post(&format!("{at}consist"), &[], tags.as_bytes()).status, 200);
    let told = server.scan_when(scan, |scan| scan["state"] == "inspected" && scan["cars"][1]["mark"] == "AAAX 17");
    assert!(told["hits"].as_array().expect("hits").iter().all(|hit| hit["state"] == "withdrawn"), "{told}");
    // What is no list is refused; so is a number that is no scan's.
    let refused = server.post(&format!("{at}consist"), &[], b"12:00:00,1,R1\n");
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("line 1"), "{}", refused.text());
    assert_eq!(server.post("/v1/portals/bridge/scans/4711/consist", &[], &rail("G-3.consist.json")).status, 404);
    assert_eq!(server.post(&format!("{at}waybill"), &[], b"{}").status, 404);
}

#[test]
fn the_first_car_is_told_while_the_train_still_passes() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = "subject,text,jurisdiction,list,category,priority,reason\nmark,CTCX 938969,,stolen,car,5,taken in Reno\n";
    std::fs::write(folder.path().join("list.csv"), list).expect("written");
    let site = "[[list]]\nname = \"stolen\"\nfile = \"list.csv\"";
    let mut server = Server::start(folder.path(), site);
    let (line, columns) = stream_of("G-3.tif");
    let whole: Vec<u8> = line.iter().copied().chain(columns.iter().flatten().copied()).collect();
    assert_eq!(server.post("/v1/portals/bridge/scans/train%209/consist", &[], &rail("G-3.consist.json")).status, 202);
    let named = [("Idempotency-Key", "train 9"), ("Upload-Complete", "?0")];
    let begun = server.post("/v1/portals/bridge/columns", &named, &line);
    assert_eq!(begun.status, 201, "{}", begun.text());
    let upload = begun.field("location").to_owned();
    // Two thirds of the train, in a body that does not end.
    let two_thirds = line.len() + columns[..columns.len() * 2 / 3].concat().len();
    let fields = [("Content-Type", "application/partial-upload"), ("Upload-Offset", &line.len().to_string()), ("Upload-Complete", "?1")];
    let mut passing = begin(server.address, "PATCH", &upload, &fields, whole.len() - line.len());
    passing.write_all(&whole[line.len()..two_thirds]).expect("sent");
    let scan = server.get("/v1/portals/bridge/scans").json()["scans"][0]["scan"].as_i64().expect("a scan");
    let told = server.scan_when(scan, |scan| scan["cars"].as_array().is_some_and(|cars| !cars.is_empty()));
    assert_eq!((&told["state"], &told["cars"][0]["mark"]), (&json!("passing"), &json!("CTCX 938969")), "{told}");
    assert_eq!((&told["hits"][0]["state"], &told["hits"][0]["position"]), (&json!("sighted"), &json!(1)), "{told}");
    server.metric_when("garita_source_active{source=\"columns\",lane=\"bridge\"}", 1.0);
    // Who looks sees the car that has passed, while others still come.
    let train = server.get(&format!("/v1/scans/{scan}/cars")).json();
    assert_eq!((&train["state"], &train["pictures"]), (&json!("passing"), &json!(true)), "{train}");
    let car = server.get(&format!("/v1/scans/{scan}/cars/1"));
    assert_eq!((car.status, &car.json()["mark"]), (200, &json!("CTCX 938969")), "{}", car.text());
    assert!(server.get(&format!("/v1/scans/{scan}/cars/1/thumbnail")).body.starts_with(b"\x89PNG"));
    assert_eq!(server.get(&format!("/v1/scans/{scan}/cars/1/thickness")).status, 200);
    assert_eq!(server.get(&format!("/v1/scans/{scan}/tiles/0/0/0?car=1")).status, 200);
    assert_eq!(server.get(&format!("/v1/scans/{scan}/cars/3")).status, 404, "it has not passed");
    // The same train, begun anew by a portal that has lost the answer: it is told where to go on.
    let again = server.post("/v1/portals/bridge/columns", &named, &line);
    assert_eq!((again.status, again.field("location"), again.offset()), (409, upload.as_str(), two_thirds));
    drop(passing);
    server.kill();
    let server = Server::start(folder.path(), site);
    let there = send(server.address, "HEAD", &upload, &[], b"").offset();
    assert!((line.len()..=two_thirds).contains(&there));
    let fields = [
        ("Content-Type", "application/partial-upload"),
        ("Upload-Offset", &there.to_string()),
        ("Upload-Complete", "?1"),
        ("Repr-Digest", &digest_field(&whole)),
    ];
    let done = send(server.address, "PATCH", &upload, &fields, &whole[there..]);
    assert_eq!((done.status, done.scan()), (201, scan), "{}", done.text());
    let told = server.inspected(scan);
    assert_eq!((&told["state"], &told["sha256"], &told["hits"][0]["state"]), (&json!("inspected"), &hex(&whole).into(), &json!("confirmed")), "{told}");
    // The same columns in another container: the same cars.
    let (cars, _) = inspect(&["G-3.tif"]);
    let essences = |cars: &[Value]| cars.iter().map(essence).collect::<Vec<_>>();
    assert_eq!(essences(told["cars"].as_array().expect("cars")), essences(&cars));
}

#[test]
fn a_train_that_falls_silent_has_passed_and_a_stream_that_is_none_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "[[portal]]\nid = \"bridge\"\nsilence_s = 1");
    for wrong in [
        &b"II*\0 no line of JSON"[..],
        b"{\"schema\":\"rail-scan/1\"}\n",
        b"{\"schema\":\"rail-scan/1\",\"detectors\":99999}\n",
        b"{\"schema\":\"x/1\",\"detectors\":4}\n",
    ] {
        let refused = server.post("/v1/portals/bridge/columns", &[], wrong);
        assert!([413, 415, 422].contains(&refused.status), "{} {}", refused.status, refused.text());
    }
    assert_eq!((server.get("/v1/portals/bridge/scans").json(), server.files("uploads")), (json!({"scans": []}), Vec::new()));
    let (line, columns) = stream_of("G-3.tif");
    let half: Vec<u8> = line.iter().copied().chain(columns[..columns.len() / 2].iter().flatten().copied()).collect();
    let begun = server.post("/v1/portals/bridge/columns", &[("Upload-Complete", "?0")], &half);
    assert_eq!(begun.status, 201);
    let scan = server.get("/v1/portals/bridge/scans").json()["scans"][0]["scan"].as_i64().expect("a scan");
    let told = server.inspected(scan);
    assert_eq!((&told["state"], &told["sha256"]), (&json!("inspected"), &hex(&half).into()), "{told}");
    assert!(told["cut_short"].as_str().is_some_and(|why| why.contains("stopped coming")), "{told}");
    assert!(told["cars"].as_array().is_some_and(|cars| !cars.is_empty()), "{told}");
}

#[test]
fn papers_and_columns_that_changed_on_the_way_are_sent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "");
    let list = rail("G-3.consist.json");
    let post = |fields: &[(&str, &str)]| server.post("/v1/portals/bridge/scans/train%209/consist", fields, &list);
    for wrong in [("Content-Digest", digest_field(b"another")), ("Repr-Digest", long_digest_field(b"another"))] {
        let refused = post(&[(wrong.0, &wrong.1)]);
        assert_eq!(refused.status, 422, "{}", refused.text());
        assert!(refused.text().contains("changed on the way"), "{}", refused.text());
    }
    let unknown = post(&[("Content-Digest", "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:")]);
    assert_eq!((unknown.status, unknown.field("want-content-digest")), (400, "sha-256=10"));
    let (line, columns) = stream_of("G-3.tif");
    let whole: Vec<u8> = line.iter().copied().chain(columns.iter().flatten().copied()).collect();
    // A bit of the line that the columns begin with: they are not refused for it.
    let spoiled = [&b"["[..], &line[1..]].concat();
    let named = [("Idempotency-Key", "train 9"), ("Upload-Complete", "?0"), ("Content-Digest", &digest_field(&line))];
    let begun = server.post("/v1/portals/bridge/columns", &named, &spoiled);
    assert_eq!((begun.status, begun.offset()), (422, 0), "{}", begun.text());
    let scan = server.get("/v1/portals/bridge/scans").json()["scans"][0]["scan"].as_i64().expect("the train is still passing");
    assert_eq!(server.get(&format!("/v1/scans/{scan}")).json()["consist"], false);
    let right = post(&[("Content-Digest", &digest_field(&list))]);
    assert_eq!(right.status, 200, "{}", right.text());
    let patch = |offset: usize, complete: &str, digest: &str, body: &[u8]| {
        let fields =
            [("Content-Type", "application/partial-upload"), ("Upload-Offset", &offset.to_string()), ("Upload-Complete", complete), ("Content-Digest", digest)];
        send(server.address, "PATCH", begun.field("location"), &fields, body)
    };
    assert_eq!(patch(0, "?0", &digest_field(&line), &line).status, 204);
    let mut spoiled = whole[line.len()..].to_vec();
    let middle = spoiled.len() / 2;
    spoiled[middle] ^= 1;
    let digest = long_digest_field(&whole[line.len()..]);
    let refused = patch(line.len(), "?1", &digest, &spoiled);
    assert_eq!((refused.status, refused.offset()), (422, line.len()), "{}", refused.text());
    let done = patch(line.len(), "?1", &digest, &whole[line.len()..]);
    assert_eq!((done.status, done.scan()), (201, scan), "{}", done.text());
    let told = server.inspected(scan);
    assert_eq!((&told["state"], &told["sha256"], told["cars"].as_array().map(Vec::len)), (&json!("inspected"), &hex(&whole).into(), Some(3)), "{told}");
}

#[test]
fn a_kill_in_the_middle_of_inspecting_loses_nothing_and_does_nothing_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(folder.path(), "");
    let scan = rail("G-3.tif");
    let ids: Vec<i64> = (0..6).map(|train| server.post("/v1/portals/bridge/scans", &[("Idempotency-Key", &format!("train {train}"))], &scan).scan()).collect();
    for patience_ms in [30, 300, 700] {
        std::thread::sleep(Duration::from_millis(patience_ms));
        server.kill();
        server = Server::start(folder.path(), "");
    }
    for &id in &ids {
        let told = server.inspected(id);
        assert_eq!((&told["state"], told["cars"].as_array().map(Vec::len)), (&json!("inspected"), Some(3)), "{told}");
    }
    server.kill();
    let store = rusqlite::Connection::open(folder.path().join("data/garita.db")).expect("a store");
    let count = |question: &str| store.query_row(question, [], |row| row.get::<_, i64>(0)).expect("an answer");
    assert_eq!(count("SELECT count(*) FROM scan WHERE state = 'inspected'"), 6);
    assert_eq!(count("SELECT count(*) FROM outbox WHERE kind = 'scan'"), 6, "each is told outside once");
    assert_eq!(count("SELECT count(*) FROM car"), 18);
}

#[test]
fn files_in_the_folder_are_taken_and_moved() {
    let folder = tempfile::tempdir().expect("a folder");
    let incoming = folder.path().join("incoming");
    std::fs::create_dir(&incoming).expect("made");
    let server = Server::start(folder.path(), "[[portal]]\nid = \"bridge\"\nfolder = \"incoming\"");
    std::fs::write(incoming.join("G-3.consist.json"), rail("G-3.consist.json")).expect("written");
    std::fs::write(incoming.join("G-3.tif.part"), rail("G-3.tif")).expect("written");
    std::fs::write(incoming.join("letter.tif"), "Dear operator").expect("written");
    std::fs::rename(incoming.join("G-3.tif.part"), incoming.join("G-3.tif")).expect("renamed");
    let begun = std::time::Instant::now();
    while !(incoming.join("done/G-3.tif").exists() && incoming.join("failed/letter.tif").exists()) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", std::fs::read_dir(&incoming).map(|files| files.count()));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(incoming.join("done/G-3.consist.json").exists() && incoming.join("failed/letter.tif.why.txt").exists());
    let scans = server.get("/v1/portals/bridge/scans").json();
    assert_eq!(scans["scans"].as_array().map(Vec::len), Some(2), "{scans}");
    let of =
        |digest: String| scans["scans"].as_array().and_then(|scans| scans.iter().find(|scan| scan["sha256"] == digest)).and_then(|scan| scan["scan"].as_i64());
    let told = server.inspected(of(hex(&rail("G-3.tif"))).expect("taken"));
    assert_eq!((&told["state"], &told["cars"][0]["mark"]), (&json!("inspected"), &json!("CTCX 938969")), "{told}");
    assert_eq!(server.inspected(of(hex(b"Dear operator")).expect("taken"))["state"], "bad");
    server.metric_when("garita_source_active{source=\"folder\",lane=\"bridge\"}", 1.0);
}

#[test]
fn a_demo_portal_replays_its_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rail/*.tif");
    let site = format!("[[portal]]\nid = \"demo\"\n[portal.replay]\nfiles = {:?}\nevery_s = 0.5", files.display().to_string());
    let server = Server::start(folder.path(), &site);
    let begun = std::time::Instant::now();
    let scans = loop {
        let scans = server.get("/v1/portals/demo/scans").json()["scans"].clone();
        let done = scans.as_array().map_or(0, |scans| scans.iter().filter(|scan| scan["state"] == "inspected").count());
        if done >= 2 {
            break scans;
        }
        assert!(begun.elapsed() < PATIENCE, "{scans}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(scans[0]["name"].as_str().is_some_and(|name| name.starts_with("replay G-3 ")), "{scans}");
    let portals = server.get("/v1/portals").json();
    assert_eq!((&portals["portals"][0]["id"], &portals["portals"][0]["bad"]), (&json!("demo"), &json!(0)), "{portals}");
}
