//! Queries, searches with their reasons, exports and packs of the real server.

use std::io::{Cursor, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::server::hex;
use crate::{SOUGHT, because, list_of, pass, passages, post, refusal, site, site_with, until};

/// The details of the newest record of the audit trail of this kind.
fn audited(folder: &std::path::Path, action: &str) -> Value {
    let store = rusqlite::Connection::open(folder.join("data/garita.db")).expect("opens");
    let question = "SELECT details FROM audit WHERE action = ?1 ORDER BY id DESC LIMIT 1";
    let details: String = store.query_row(question, [action], |row| row.get(0)).unwrap_or_else(|error| panic!("{action}: {error}"));
    serde_json::from_str(&details).expect("JSON")
}

#[test]
fn a_search_says_why_and_what_it_cannot_know() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = site(folder.path(), "");
    pass(&server, "south-1", 4, 1);
    until("it has passed", || !passages(&server).is_empty());
    for body in [json!({}), json!({ "reason": "because" }), json!({ "case": "1" }), json!({ "reason": " ", "case": "1" })] {
        assert_eq!(refusal(&post(&server, "/v1/search", &body)), (422, "Say why".to_owned()), "{body}");
    }
    for body in [
        json!({ "txet": "A" }),
        json!({ "text": "A#" }),
        json!({ "text": "A", "meant": "near", "edits": 3 }),
        json!({ "jurisdiction": "XX-YY" }),
        json!({ "limit": 0 }),
    ] {
        assert_eq!(post(&server, "/v1/search", &because(body.clone())).status, 400, "{body}");
    }
    server.kill();
    std::thread::sleep(std::time::Duration::from_millis(200));
    // The service was away for a day, a lane was down, another displaced frames.
    let store = rusqlite::Connection::open(folder.path().join("data/garita.db")).expect("opens");
    let now_ms = jiff::Timestamp::now().as_millisecond();
    store.execute("UPDATE store SET beat_ms = ?1", [now_ms - 86_400_000]).expect("updated");
    store
        .execute("INSERT INTO outage (lane, from_ms, until_ms, why) VALUES ('south-2', ?1, ?2, 'unplugged')", [now_ms - 9_000, now_ms - 8_000])
        .expect("inserted");
    store.execute("INSERT INTO shed VALUES (?1, 'south-1', 7)", [now_ms / 60_000 * 60_000]).expect("inserted");
    drop(store);
    let server = site(folder.path(), "");
    until("the outage is known", || {
        let found = post(&server, "/v1/search", &because(json!({ "text": SOUGHT }))).json();
        found["outages"].as_array().is_some_and(|outages| outages.len() == 3)
    });
    let found = post(&server, "/v1/search", &because(json!({ "text": SOUGHT, "lanes": ["south-1"] }))).json();
    assert_eq!((found["passages"].as_array().map(Vec::len), &found["passages"][0]["text"]), (Some(1), &json!(SOUGHT)), "{found}");
    assert_eq!(found["outages"][0]["why"], "the service was not running", "{found}");
    assert_eq!((&found["shed"][0]["lane"], &found["shed"][0]["frames"]), (&json!("south-1"), &json!(7)));
    let details = audited(folder.path(), "searched");
    assert_eq!((&details["reason"], &details["case"], &details["text"], &details["found"]), (&json!("a test"), &json!("T-1"), &json!(SOUGHT), &json!(1)));
    let window = json!({ "text": SOUGHT, "from_ms": now_ms - 8_500, "until_ms": now_ms - 8_100 });
    let found = post(&server, "/v1/search", &because(window)).json();
    assert_eq!((found["passages"].as_array().map(Vec::len), found["outages"].as_array().map(Vec::len)), (Some(0), Some(3)), "{found}");
}

#[test]
fn pages_join_up_and_what_is_old_wants_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = site(folder.path(), "");
    for count in 0..5 {
        pass(&server, ["south-1", "south-2"][count % 2], 4, count);
    }
    until("all have passed", || passages(&server).len() == 5);
    let (mut address, mut seen) = ("/v1/passages?limit=2".to_owned(), Vec::new());
    loop {
        let page = server.get(&address).json();
        seen.extend(page["passages"].as_array().expect("passages").clone());
        match page["next"].as_str() {
            Some(next) => address = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, passages(&server), "pages hold what one page does");
    let lane = server.get("/v1/passages?lane=south-2").json();
    assert_eq!(lane["passages"].as_array().map(Vec::len), Some(2));
    assert_eq!(refusal(&server.get("/v1/passages?from_ms=0")), (403, "Too old to be listed".to_owned()));
    for (path, status) in
        [("/v1/passages?limit=501", 400), ("/v1/passages?colour=red", 400), ("/v1/passages?before=x", 400), ("/v1/passages/0", 404), ("/v1/passages/x", 404)]
    {
        assert_eq!(refusal(&server.get(path)).0, status, "{path}");
    }
    let hits = server.get("/v1/hits?list=sought&limit=1").json();
    let hit = &hits["hits"][0];
    assert_eq!((&hit["text"], &hit["list"]), (&json!(SOUGHT), &json!("sought")), "{hits}");
    assert_eq!(server.get(&format!("/v1/hits/{}", hit["id"])).json()["entry"]["text"], SOUGHT);
    assert_eq!(audited(folder.path(), "hit.viewed"), json!({}));
    let lists = server.get("/v1/lists").json();
    assert_eq!((&lists["lists"][0]["name"], &lists["lists"][0]["entries"]), (&json!("sought"), &json!(1)));
    let whole = server.get(&format!("/v1/passages/{}", seen[0]["id"])).json();
    let picture = server.get(whole["evidence"][0]["href"].as_str().expect("an address"));
    assert_eq!((picture.status, hex(&picture.body)), (200, whole["evidence"][0]["sha256"].as_str().expect("a digest").to_owned()));
    assert_eq!(audited(folder.path(), "hit.viewed")["evidence"], whole["evidence"][0]["sha256"]);
    assert_eq!(refusal(&server.get(&format!("/v1/evidence/{}", "0".repeat(64)))).0, 404);
}

#[test]
fn exports_are_what_a_search_finds_and_harmless_in_a_spreadsheet() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = site(folder.path(), "");
    for count in 0..3 {
        pass(&server, "south-1", 4, count);
    }
    until("all have passed", || passages(&server).len() == 3);
    assert_eq!(refusal(&post(&server, "/v1/exports", &json!({ "format": "csv", "search": {} }))).0, 422);
    let answer = post(&server, "/v1/exports", &json!({ "format": "csv", "search": because(json!({ "text": "X*", "meant": "pattern", "limit": 2 })) }));
    assert_eq!((answer.status, answer.field("content-type")), (200, "text/csv; charset=utf-8; header=present"), "{}", answer.text());
    let text = unchunked(&answer);
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(lines[0].starts_with("id,lane,text,") && lines[1].contains(SOUGHT) && lines.len() == 4, "{text}");
    let next = answer.field("garita-next").to_owned();
    let search = because(json!({ "text": "X*", "meant": "pattern", "before": next }));
    let rest = post(&server, "/v1/exports", &json!({ "format": "json", "search": search }));
    assert_eq!(rest.json()["passages"].as_array().map(Vec::len), Some(1), "{}", rest.text());
    let details = audited(folder.path(), "exported");
    assert_eq!((&details["reason"], &details["found"]), (&json!("a test"), &json!(1)));
}

fn unchunked(answer: &crate::server::Answer) -> String {
    assert!(answer.field("transfer-encoding").is_empty(), "a length is stated");
    answer.text()
}

/// A body in chunks, put together.
fn joined(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").expect("a chunk's length");
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).expect("ASCII"), 16).expect("hexadecimal");
        if length == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 2 + length + 2..];
    }
}

#[test]
fn a_pack_is_verified_by_the_documented_command_and_a_changed_byte_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    // The key lies apart from the store.
    let server = site_with(folder.path(), "audit_key = \"elsewhere.key\"", "");
    pass(&server, "south-1", 4, 1);
    until("it has passed", || !passages(&server).is_empty());
    let scan = server.post("/v1/portals/bridge/scans", &[], b"no scan").scan();
    let hit = server.get("/v1/hits").json()["hits"][0]["id"].clone();
    server.get(&format!("/v1/hits/{hit}"));
    assert_eq!(refusal(&post(&server, "/v1/packs", &json!({ "hits": [hit] }))).0, 422);
    assert_eq!(refusal(&post(&server, "/v1/packs", &because(json!({ "hits": [999_999] })))).0, 404);
    let answer = post(&server, "/v1/packs", &because(json!({ "hits": [hit], "scans": [scan], "scan_files": true })));
    assert_eq!((answer.status, answer.field("content-type")), (200, "application/zip"));
    let zip = folder.path().join("pack.zip");
    std::fs::write(&zip, joined(&answer.body)).expect("written");
    assert_eq!(audited(folder.path(), "exported")["manifest"], answer.field("garita-manifest-sha256"));
    let data = folder.path().join("data");
    assert!(!data.join("audit.key").exists() && folder.path().join("elsewhere.key").exists());
    let key = Command::new(env!("CARGO_BIN_EXE_garita")).args(["audit", "key", "--audit-key"]).arg(folder.path().join("elsewhere.key")).arg(&data).output();
    let key = key.expect("garita runs");
    assert!(key.status.success(), "{}", String::from_utf8_lossy(&key.stderr));
    std::fs::write(folder.path().join("site.pem"), key.stdout).expect("written");
    // As the README and the pack itself say.
    let command = "sha256sum --check --strict SHA256SUMS && openssl pkeyutl -verify -pubin -inkey ../site.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig";
    let verify = |folder: &std::path::Path| Command::new("sh").args(["-c", command]).current_dir(folder).output().expect("sh runs");
    let unpacked = folder.path().join("pack");
    unpack(&zip, &unpacked);
    let output = verify(&unpacked);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let id = passages(&server)[0]["id"].clone();
    for name in
        ["audit.jsonl", "pack.json", "README.txt", &format!("passages/{id}/00.jpg"), &format!("passages/{id}/passage.json"), &format!("scans/{scan}/scan.tif")]
    {
        assert!(names.contains(name), "{name} is not in {names}");
    }
    assert!(std::fs::read_to_string(unpacked.join("audit.jsonl")).expect("there").contains("hit.viewed"));
    let sums = std::fs::read(unpacked.join("SHA256SUMS")).expect("there");
    assert_eq!(hex(&sums), answer.field("garita-manifest-sha256"));
    // A manifest that somebody made anew is right by itself, and not signed by the site.
    let readme = std::fs::read_to_string(unpacked.join("README.txt")).expect("there");
    assert!(readme.contains(command.replace("../", "").as_str()), "{readme}");
    std::fs::write(unpacked.join("README.txt"), "other words").expect("written");
    let other = String::from_utf8_lossy(&sums).replace(&hex(readme.as_bytes()), &hex(b"other words"));
    std::fs::write(unpacked.join("SHA256SUMS"), &other).expect("written");
    let output = verify(&unpacked);
    assert!(String::from_utf8_lossy(&output.stdout).contains("README.txt: OK") && !output.status.success(), "{output:?}");
    std::fs::write(unpacked.join("README.txt"), readme).expect("written");
    std::fs::write(unpacked.join("SHA256SUMS"), &sums).expect("written");
    assert!(verify(&unpacked).status.success());
    let picture = unpacked.join(format!("passages/{id}/00.jpg"));
    let mut bytes = std::fs::read(&picture).expect("there");
    bytes[1000] ^= 1;
    std::fs::write(&picture, bytes).expect("written");
    let output = verify(&unpacked);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stdout).contains("00.jpg: FAILED"));
}

/// Python's own zip reader.
fn unpack(zip: &std::path::Path, to: &std::path::Path) {
    let script = "import sys, zipfile; zip = zipfile.ZipFile(sys.argv[1]); assert zip.testzip() is None; zip.extractall(sys.argv[2])";
    let mut python =
        Command::new("python3").args(["-", zip.to_str().expect("UTF-8"), to.to_str().expect("UTF-8")]).stdin(Stdio::piped()).spawn().expect("python runs");
    std::io::copy(&mut Cursor::new(script), python.stdin.as_mut().expect("piped")).expect("written");
    python.stdin.take().expect("piped").flush().expect("written");
    assert!(python.wait().expect("python ends").success());
}

#[test]
fn who_has_passed_is_found_when_an_entry_is_added() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("sought.csv"), list_of(&["AAA0001"])).expect("written");
    let server = site(folder.path(), "");
    pass(&server, "south-1", 4, 1);
    until("it has passed", || !passages(&server).is_empty());
    assert_eq!(server.get("/v1/hits").json()["hits"], json!([]));
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    std::fs::write(folder.path().join("sought.csv"), list_of(&["AAA0001", SOUGHT])).expect("written");
    until("it looked back", || server.get("/v1/lookbacks").json()["lookbacks"][0]["state"] == "done");
    let told = server.get("/v1/lookbacks").json();
    let lookback = &told["lookbacks"][0];
    assert_eq!((&lookback["entries"], &lookback["looked"], &lookback["matches"], &lookback["person"]), (&json!(1), &json!(1), &json!(1), &json!("garita")));
    let met = server.get(&format!("/v1/lookbacks/{}", lookback["id"])).json();
    assert_eq!((&met["met"][0]["passage"]["text"], &met["met"][0]["entry"]["text"]), (&json!(SOUGHT), &json!(SOUGHT)), "{met}");
    assert_eq!(refusal(&post(&server, "/v1/lookbacks", &json!({ "list": "sought" }))).0, 422);
    assert_eq!(refusal(&post(&server, "/v1/lookbacks", &because(json!({ "list": "sought", "text": "ZZZ9999" })))).0, 404);
    let answer = post(&server, "/v1/lookbacks", &because(json!({ "list": "sought", "text": SOUGHT })));
    assert_eq!((answer.status, &answer.json()["state"]), (202, &json!("running")));
    until("it looked back", || server.get("/v1/lookbacks").json()["lookbacks"][0]["state"] == "done");
    assert_eq!(audited(folder.path(), "searched")["case"], "T-1");
}

/// A lane for the enrolled: who is on its list passes in silence, whoever is not is a hit, and no other lane minds.
#[test]
fn a_lane_for_the_enrolled_alerts_of_everybody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("trusted.csv"), format!("plate,list,priority,reason,mode\n{SOUGHT},trusted,50,enrolled,alert_if_absent\n"))
        .expect("written");
    std::fs::write(folder.path().join("sought.csv"), list_of(&["ZZZ999"])).expect("written");
    let lane = "[[lane]]\nid = \"sentri\"\nsilence_s = 0\nenrolled = \"trusted\"\n[[list]]\nname = \"trusted\"\nfile = \"trusted.csv\"\n";
    let server = site(folder.path(), lane);
    let other = std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/lane/img/single-0000.jpg")).expect("testdata");
    let mut passed = 0;
    for lane in ["sentri", "south-1"] {
        pass(&server, lane, 4, 1);
        passed += 1;
        until("the enrolled one has passed", || passages(&server).len() == passed);
        let answer = server.post(&format!("/v1/lanes/{lane}/frames"), &[("content-type", "image/jpeg"), ("idempotency-key", "other")], &other);
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(server.post(&format!("/v1/lanes/{lane}/triggers"), &[], b"").status, 202);
        passed += 1;
        until("the other one has passed", || passages(&server).len() == passed);
    }
    let hits = server.get("/v1/hits?limit=500").json()["hits"].as_array().expect("hits").clone();
    let told: Vec<_> = hits.iter().map(|hit| [&hit["lane"], &hit["class"], &hit["entry"]["text"], &hit["entry"]["list"]]).collect();
    assert_eq!(told, [[&json!("sentri"), &json!("absent"), &json!("076CHZ"), &json!("trusted")]], "{hits:?}");
    assert!(hits[0]["probability"].as_f64().is_some_and(|probability| probability > 0.9), "{hits:?}");
}
