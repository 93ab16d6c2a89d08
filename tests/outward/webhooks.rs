//! Events reach who wants them: all, in order, signed, whatever the other side does in between; and nobody else.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

use crate::sink::{Received, Sink};
use crate::{SOUGHT, Server, list_of, pass, passages, post, python, refusal, site, until};

fn secret(byte: u8) -> String {
    format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode([byte; 32]))
}

fn webhook(sink: &Sink, more: &str) -> String {
    format!("[[webhook]]\nid = \"sink\"\nurl = \"http://{}/in\"\nsecret_file = \"secret\"\n{more}\n", sink.address)
}

const LOCAL: &str = "networks = [\"127.0.0.1\"]";

/// The second implementation agrees with each signature.
fn verify(folder: &Path, taken: &[Received], secrets: &[&str]) {
    let path = folder.join("received.jsonl");
    std::fs::write(&path, taken.iter().map(|one| one.line() + "\n").collect::<String>()).expect("written");
    let arguments: Vec<&str> = std::iter::once(path.to_str().expect("UTF-8")).chain(secrets.iter().copied()).collect();
    if let Some(verified) = python("verify.py", &arguments) {
        assert_eq!(verified, taken.len().to_string(), "all were verified");
    }
}

/// Each event's number in the store: `evt_STORE_NUMBER_TIME`.
fn number(event: &Value) -> i64 {
    event["id"].as_str().and_then(|id| id.split('_').nth(2)).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{event}"))
}

/// First deliveries came in order of each subject; what came again is the same event.
fn assert_in_order(taken: &[Received]) -> Vec<Value> {
    let (mut seen, mut last, mut first) = (HashSet::new(), HashMap::new(), Vec::new());
    for one in taken {
        let event = one.json();
        assert_eq!(event["id"], one.header("webhook-id"));
        if seen.insert(event["id"].as_str().expect("an id").to_owned()) {
            let before = last.insert(event["subject"].to_string(), number(&event));
            assert!(before < Some(number(&event)), "out of order: {event}");
            first.push(event);
        }
    }
    first
}

fn kinds(events: &[Value]) -> BTreeMap<String, usize> {
    events.iter().fold(BTreeMap::new(), |mut kinds, event| {
        *kinds.entry(event["type"].as_str().expect("a type").to_owned()).or_default() += 1;
        kinds
    })
}

/// R14: the sink goes away in the middle and answers nonsense before it comes back; secrets change hands meanwhile; the server is killed. Everything is delivered all the same.
#[test]
fn everything_is_delivered_in_order_and_signed_after_the_sink_was_down() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), secret(1)).expect("written");
    let sink = Sink::start(None);
    let address = sink.address;
    let more = webhook(&sink, LOCAL);
    let mut server = site(folder.path(), &more);
    for count in 0..4 {
        pass(&server, ["south-1", "south-2"][count % 2], 4, count);
    }
    let before = sink.taken_when("the first vehicles are told", |taken| taken.iter().filter(|one| one.body.contains("garita.passage")).count() >= 4);
    verify(folder.path(), &before, &[&secret(1)]);
    drop(sink);
    for count in 4..14 {
        pass(&server, ["south-1", "south-2"][count % 2], 4, count);
    }
    std::fs::write(folder.path().join("sought.csv"), list_of(&[SOUGHT, "AAA0001"])).expect("written");
    until("the webhook is failing", || !server.get("/v1/webhooks").json()["webhooks"][0]["failing_since_ms"].is_null());
    let told = server.get("/v1/webhooks").json();
    // What is acknowledged is the frame; its passage a moment later.
    until("all have passed, and the list is in force", || passages(&server).len() == 14 && server.get("/v1/lists/sought").json()["entries"] == 2);
    assert!(told["webhooks"][0]["waiting"].as_i64() > Some(0) && told["webhooks"][0]["dead"] == 0, "{told}");
    server.kill();
    let server = site(folder.path(), &more);
    for count in 14..18 {
        pass(&server, ["south-1", "south-2"][count % 2], 4, count);
    }
    let sink = Sink::start(Some(address));
    sink.answer(503);
    until("it was tried", || sink.received().iter().any(|one| one.status == 503));
    // Both sign while the receiver changes from one to the other.
    std::fs::write(folder.path().join("secret"), format!("{}\n{}\n", secret(2), secret(1))).expect("written");
    sink.answer(204);
    let all = |taken: &[Received]| taken.iter().filter(|one| one.body.contains("\"garita.passage\"")).count() + 4 >= 18;
    let after = sink.taken_when("all others are told", all);
    until("nothing waits", || server.get("/v1/webhooks").json()["webhooks"][0]["waiting"] == 0);
    let after = if after.len() < sink.received().len() { sink.taken_when("all", |_| true) } else { after };
    verify(folder.path(), &after, &[&secret(1), &secret(2)]);
    let events = assert_in_order(&before.into_iter().chain(after).collect::<Vec<_>>());
    let kinds = kinds(&events);
    assert_eq!(kinds["garita.passage"], 18, "{kinds:?}");
    assert_eq!(kinds["garita.list.changed"], 1, "{kinds:?}");
    let stored: HashSet<i64> = passages(&server).iter().filter_map(|passage| passage["id"].as_i64()).collect();
    let told: HashSet<i64> = events.iter().filter(|event| event["type"] == "garita.passage").filter_map(|event| event["data"]["id"].as_i64()).collect();
    assert_eq!(told, stored, "what is stored is told, each once");
    // A hit's vehicle is told as one that is sought, with its hits.
    let hits = server.get("/v1/hits?limit=500").json()["hits"].as_array().expect("hits").len();
    assert_eq!(kinds["garita.hit"], hits, "{kinds:?}");
    assert!(hits > 0 && server.metric("garita_webhook_waiting{webhook=\"sink\"}") == Some(0.0));
}

/// Over TLS, to a receiver whose certificate hangs on an authority of the site's own; not to one that has it from nobody.
#[test]
fn a_receiver_is_known_by_its_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), secret(1)).expect("written");
    let certify = |name: &str| {
        let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("certified");
        std::fs::write(folder.path().join(name), cert.pem()).expect("written");
        let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
        let config = config.with_safe_default_protocol_versions().expect("sound").with_no_client_auth();
        std::sync::Arc::new(config.with_single_cert(vec![cert.der().clone()], key).expect("sound"))
    };
    let (known, unknown) = (Sink::start_secured(certify("ca.pem")), Sink::start_secured(certify("other.pem")));
    let webhook = |id: &str, sink: &Sink| {
        let port = sink.address.port();
        format!("[[webhook]]\nid = \"{id}\"\nurl = \"https://127.0.0.1:{port}/in\"\nsecret_file = \"secret\"\nca = \"ca.pem\"\n{LOCAL}\n")
    };
    let server = site(folder.path(), &(webhook("known", &known) + &webhook("unknown", &unknown)));
    pass(&server, "south-1", 4, 1);
    let taken = known.taken_when("a passage is told", |taken| taken.iter().any(|one| one.body.contains("\"garita.passage\"")));
    verify(folder.path(), &taken, &[&secret(1)]);
    until("the other one is not trusted", || {
        let told = server.get("/v1/webhooks").json();
        let other = told["webhooks"].as_array().and_then(|all| all.iter().find(|one| one["id"] == "unknown")).cloned().unwrap_or_default();
        other["last_error"].as_str().is_some_and(|error| error.contains("TLS"))
    });
    assert!(unknown.received().is_empty(), "{:?}", unknown.received());
}

/// What is decided on a hit leaves after the hit, and that it was taken back after that.
#[test]
fn a_disposition_leaves_after_its_hit() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), secret(1)).expect("written");
    let sink = Sink::start(None);
    let server = site(folder.path(), &webhook(&sink, LOCAL));
    pass(&server, "south-1", 4, 1);
    until("its hit is a case", || server.get("/v1/cases").json()["cases"].as_array().is_some_and(|cases| !cases.is_empty()) && !passages(&server).is_empty());
    let case = server.get("/v1/cases").json()["cases"][0]["id"].clone();
    let evidence = server.get(&format!("/v1/cases/{case}")).json()["pictures"][0]["digest"].clone();
    let picture = evidence.as_str().expect("a digest");
    assert_eq!(server.get(&format!("/v1/cases/{case}/pictures/{picture}")).status, 200);
    let decision = json!({ "verdict": "rejected", "reason": "misread", "evidence": evidence, "looked_ms": 900 });
    let decided = post(&server, &format!("/v1/cases/{case}/disposition"), &decision);
    assert_eq!(decided.status, 200, "{}", decided.text());
    assert_eq!(crate::server::send(server.address, "DELETE", &format!("/v1/cases/{case}/disposition"), &[], b"").status, 200);
    let taken = sink.taken_when("it was taken back", |taken| taken.iter().any(|one| one.body.contains("garita.disposition.undone")));
    verify(folder.path(), &taken, &[&secret(1)]);
    let events = assert_in_order(&taken);
    let place = |kind: &str| events.iter().position(|event| event["type"] == kind).unwrap_or_else(|| panic!("{kind}: {events:?}"));
    let (hit, decided, undone) = (place("garita.hit"), place("garita.disposition"), place("garita.disposition.undone"));
    assert!(hit < decided && decided < undone, "{events:?}");
    let told = &events[decided]["data"];
    assert_eq!((&told["hit"]["id"], &told["verdict"], &told["reason"], &told["person"]), (&case, &json!("rejected"), &json!("misread"), &json!("local")));
    assert_eq!((&told["evidence"], &events[hit]["subject"]), (&evidence, &events[decided]["subject"]));
    assert!(events[undone]["data"]["undone_ms"].is_i64() && events[undone]["data"]["state"] == "open", "{events:?}");
}

#[test]
fn nothing_is_told_to_the_site_s_own_network_unless_it_is_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), secret(1)).expect("written");
    let sink = Sink::start(None);
    // By its number and by a name that means it.
    for url in [format!("http://{}/in", sink.address), format!("http://localhost:{}/in", sink.address.port())] {
        let server = site(folder.path(), &format!("[[webhook]]\nid = \"sink\"\nurl = \"{url}\"\nsecret_file = \"secret\"\nnetworks = [\"10.0.0.0/8\"]\n"));
        pass(&server, "south-1", 4, sink.address.port() as usize + url.len());
        until("it was refused", || {
            let told = server.get("/v1/webhooks").json();
            told["webhooks"][0]["last_error"].as_str().is_some_and(|error| error.contains("networks"))
        });
    }
    assert!(sink.received().is_empty(), "{:?}", sink.received());
}

#[test]
fn an_event_that_is_refused_holds_up_only_its_own_subject_and_is_replayed_once_dead() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), secret(1)).expect("written");
    let sink = Sink::start(None);
    sink.answer(400);
    let more = webhook(&sink, &format!("{LOCAL}\nevents = [\"passage\"]"));
    let mut server = site(folder.path(), &more);
    pass(&server, "south-1", 4, 1);
    until("it was refused", || !sink.received().is_empty());
    let told = server.get("/v1/webhooks").json();
    assert!(told["webhooks"][0]["failing_since_ms"].is_null(), "a refusal is about its event: {told}");
    sink.answer(204);
    pass(&server, "south-2", 4, 2);
    let taken = sink.taken_when("the other is told", |taken| !taken.is_empty());
    assert_eq!(taken[0].json()["data"]["lane"], "south-2");
    // What was taken is kept as taken a moment after the sink has it: until then a kill leaves it to be told again.
    until("that is kept", || server.get("/v1/webhooks").json()["webhooks"][0]["waiting"] == 1);
    // A day later, as the store sees it.
    server.kill();
    let store = rusqlite::Connection::open(folder.path().join("data/garita.db")).expect("opens");
    assert_eq!(store.execute("UPDATE delivery SET since_ms = since_ms - 86400001, next_ms = 0", []).expect("updated"), 1);
    drop(store);
    sink.answer(422);
    let server = site(folder.path(), &more);
    until("it is dead", || server.get("/v1/webhooks").json()["webhooks"][0]["dead"] == 1);
    let dead = server.get("/v1/webhooks/sink/dead").json();
    assert_eq!((&dead["dead"][0]["kind"], &dead["dead"][0]["attempts"]), (&json!("passage"), &json!(2)), "{dead}");
    assert_eq!(refusal(&server.get("/v1/webhooks/none/dead")), (404, "No such webhook".to_owned()));
    assert_eq!(refusal(&post(&server, "/v1/webhooks/sink/replay", &json!({ "evnet": 1 }))), (400, "Bad request".to_owned()));
    sink.answer(204);
    assert_eq!(post(&server, "/v1/webhooks/sink/replay", &json!({})).json(), json!({ "events": 1 }));
    let taken = sink.taken_when("it is told", |taken| taken.iter().any(|one| one.json()["data"]["lane"] == "south-1"));
    verify(folder.path(), &taken, &[&secret(1)]);
    assert_eq!(audited(&server, "replayed")["details"], json!({ "event": null, "events": 1 }));
}

/// The newest record of the audit trail of this kind.
fn audited(server: &Server, action: &str) -> Value {
    let store = rusqlite::Connection::open(server.folder.join("data/garita.db")).expect("opens");
    let question = "SELECT subject, details FROM audit WHERE action = ?1 ORDER BY id DESC LIMIT 1";
    let row = |row: &rusqlite::Row<'_>| {
        Ok(json!({ "subject": row.get::<_, String>(0)?, "details": serde_json::from_str::<Value>(&row.get::<_, String>(1)?).expect("JSON") }))
    };
    store.query_row(question, [action], row).unwrap_or_else(|error| panic!("{action}: {error}"))
}

#[test]
fn trains_are_told_car_by_car_and_finding_by_finding() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), secret(1)).expect("written");
    let sink = Sink::start(None);
    let server = site(folder.path(), &webhook(&sink, LOCAL));
    let scan = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rail")).expect("testdata");
    let scan = scan.map(|file| file.expect("there").path()).filter(|path| path.extension().is_some_and(|kind| kind == "tif")).min().expect("a scan");
    let answer = server.post("/v1/portals/bridge/scans", &[], &std::fs::read(scan).expect("read"));
    let told = server.inspected(answer.scan());
    let cars = told["cars"].as_array().expect("cars");
    let findings: usize = cars.iter().map(|car| car["findings"].as_array().map_or(0, Vec::len)).sum();
    let taken = sink.taken_when("the train is told", |taken| taken.len() >= 1 + cars.len() + findings);
    let events = assert_in_order(&taken);
    let kinds = kinds(&events);
    assert_eq!((kinds["garita.scan"], kinds["garita.car"]), (1, cars.len()), "{kinds:?}");
    assert_eq!(kinds.get("garita.finding").copied().unwrap_or(0), findings);
    let scan = events.iter().find(|event| event["type"] == "garita.scan").expect("counted");
    assert_eq!(scan["data"]["cars"], json!(cars.len()));
    let listed = server.get("/v1/cars?limit=1").json();
    assert_eq!(listed["cars"][0]["told"], cars[cars.len() - 1], "the last car comes first");
    let next = server.get(listed["next"].as_str().expect("there is more")).json();
    assert_eq!(next["cars"][0]["position"], cars[cars.len() - 2]["position"]);
    let all = server.get("/v1/findings?limit=500").json();
    assert_eq!(all["findings"].as_array().map(Vec::len), Some(findings));
}

#[test]
fn openalpr_s_receivers_are_told_passages_as_they_know_them() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), secret(1)).expect("written");
    let sink = Sink::start(None);
    let server = site(folder.path(), &webhook(&sink, &format!("{LOCAL}\nformat = \"openalpr\"")));
    pass(&server, "south-1", 4, 1);
    let taken = sink.taken_when("it is told", |taken| !taken.is_empty());
    let group = taken[0].json();
    let passage = &passages(&server)[0];
    assert_eq!((&group["data_type"], &group["best_plate_number"]), (&json!("alpr_group"), &passage["text"]));
    assert_eq!((&group["epoch_end"], &group["best_plate"]["candidates"][0]["plate"]), (&passage["last_ms"], &passage["text"]));
    assert_eq!(group["best_plate"]["coordinates"].as_array().map(Vec::len), Some(4));
    let percent = group["best_confidence"].as_f64().expect("a number");
    assert!((percent / 100.0 - passage["confidence"].as_f64().expect("a number")).abs() < 1e-4);
    std::thread::sleep(Duration::from_millis(500));
    assert!(sink.received().iter().all(|one| one.json()["data_type"] == "alpr_group"), "nothing else is sent in this format");
}
