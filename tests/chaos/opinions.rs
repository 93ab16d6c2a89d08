//! Reads that cameras made themselves: kept before they are acknowledged, once, beside our own read of the same vehicle, and alone where there is none.

use base64::Engine;
use serde_json::{Value, json};

use super::camera::{Connection, Reply, Shot, pictures};
use super::server::{SOUGHT, Server, Site};

/// Posts what an Axis camera says it read.
fn tell(server: &Server, lane: &str, text: &str, captured_ms: Option<i64>, picture: Option<&[u8]>) -> Reply {
    let images = picture.map(|bytes| json!([{ "ImageType": "scene", "BinaryImage": base64::engine::general_purpose::STANDARD.encode(bytes) }]));
    let event = json!({ "plateUTF8": text, "plateConfidence": "0.91", "capture_timestamp": captured_ms.map(|ms| ms.to_string()), "ImageArray": images });
    let path = format!("/v1/lanes/{lane}/edge-reads");
    let mut connection = Connection::open(server.address).expect("connects");
    connection.request("POST", &path, &[("content-type", "application/json")], event.to_string().as_bytes()).expect("an answer")
}

fn told(reply: &Reply) -> Value {
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()
}

/// The passage of a lane that was read as `text`, once it is there; others may be of signs and grilles.
fn passage(server: &Server, lane: &str, text: &str) -> Value {
    for _ in 0..1_200 {
        let found = server.get(&format!("/v1/passages?lane={lane}")).json();
        let passages = found["passages"].as_array().expect("passages");
        if let Some(id) = passages.iter().find(|passage| passage["text"] == text).and_then(|passage| passage["id"].as_i64()) {
            return server.get(&format!("/v1/passages/{id}")).json();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no passage of {text} in {lane} in a minute");
}

fn trigger(server: &Server, lane: &str) {
    let reply = Connection::open(server.address).and_then(|mut connection| connection.request("POST", &format!("/v1/lanes/{lane}/triggers"), &[], &[]));
    assert_eq!(reply.expect("an answer").status, 202);
}

#[test]
fn what_cameras_read_is_kept_beside_ours() {
    let (site, pictures) = (Site::new(4, ""), pictures("lane000-"));
    let server = site.start();
    let now_ms = jiff::Timestamp::now().as_millisecond();

    // One character is another; ours alone meets the list, and both are told of the passage.
    let answer = told(&tell(&server, "lane-0", "XPX-802-K", Some(now_ms), Some(&pictures[5])));
    let differ = json!({ "opinion": "differ", "at": [{ "at": 6, "ours": "H", "theirs": "K" }] });
    assert_eq!((&answer["comparison"], &answer["entries"]), (&differ, &json!([])), "{answer}");
    trigger(&server, "lane-0");
    let whole = passage(&server, "lane-0", SOUGHT);
    let opinion = &whole["second_opinions"][0];
    assert_eq!(
        (&opinion["comparison"], &opinion["written"], &opinion["passage"], &opinion["href"]),
        (&differ, &json!("XPX-802-K"), &whole["id"], &Value::Null)
    );

    // A text alone, in a lane where nothing was seen: it meets the list by itself. The same event again, and across a crash, is the same row.
    let first = told(&tell(&server, "lane-1", SOUGHT, Some(now_ms), None));
    assert_eq!((&first["comparison"]["opinion"], &first["frame"]), (&json!("only_theirs"), &Value::Null), "{first}");
    assert_eq!((&first["entries"][0]["entry"]["list"], &first["entries"][0]["class"]), (&json!("wanted"), &json!("exact")), "{first}");
    server.kill();
    let server = site.start();
    assert_eq!(told(&tell(&server, "lane-1", SOUGHT, Some(now_ms), None))["edge_read"], first["edge_read"]);

    // Where our reader finds no such plate in the picture, that is evidence.
    let answer = told(&tell(&server, "lane-2", "KTE0327", Some(now_ms), Some(&pictures[18])));
    assert_eq!(answer["comparison"]["opinion"], "only_theirs", "{answer}");
    let alone = server.get("/v1/edge-reads?lane=lane-2&alone=true").json();
    assert_eq!(alone["edge_reads"].as_array().map(Vec::len), Some(1), "{alone}");
    let href = alone["edge_reads"][0]["href"].as_str().expect("a picture").to_owned();
    assert!(server.get(&href).body == pictures[18], "not the camera's picture at {href}");

    // The camera is first, and our vehicle turns out to be the one.
    let answer = told(&tell(&server, "lane-3", "kte 0327", None, None));
    assert_eq!(answer["comparison"]["opinion"], "only_theirs", "{answer}");
    let mut connection = Connection::open(server.address).expect("connects");
    for (number, picture) in pictures[12..16].iter().enumerate() {
        let reply = Shot::new("lane-3", number.to_string(), picture.clone()).post(&mut connection).expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    trigger(&server, "lane-3");
    let whole = passage(&server, "lane-3", "KTE0327");
    assert_eq!(whole["second_opinions"][0]["comparison"]["opinion"], "agree", "{whole}");

    let asked = json!({ "reason": "a test", "case": "1", "subject": "edge_read", "text": "KTE0327" }).to_string();
    let found = connection.request("POST", "/v1/search", &[("content-type", "application/json")], asked.as_bytes()).expect("an answer").json();
    assert_eq!(found["edge_reads"].as_array().map(Vec::len), Some(2), "{found}");
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("garita_edge_hits_total{list=\"wanted\"} 1"), "{metrics}");
    assert!(server.stop().1, "{}", site.log());
    let report = garita::custody::check::check(&site.data).expect("a store");
    assert_eq!(report.findings, [], "the store's invariants");
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let count = |question: &str| store.query_row(question, [], |row| row.get::<_, i64>(0)).expect("asks");
    assert_eq!((count("SELECT count(*) FROM edge_read"), count("SELECT count(*) FROM outbox WHERE kind = 'edge.hit'")), (4, 1));
}
