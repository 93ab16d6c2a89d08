//! Reads that cameras made themselves: kept before they are acknowledged, once, beside our own read of the same vehicle, and alone where there is none.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use garita::custody::evidence::{Sha, hex, sha256};
use serde_json::{Value, json};

use super::camera::{Connection, Reply, Shot, pictures, testdata, unlike};
use super::overload::counted;
use super::server::{SOUGHT, Server, Site};

/// What an Axis camera says it read.
fn event(text: &str, captured_ms: Option<i64>, picture: Option<&[u8]>) -> Vec<u8> {
    let images = picture.map(|bytes| json!([{ "ImageType": "scene", "BinaryImage": base64::engine::general_purpose::STANDARD.encode(bytes) }]));
    json!({ "plateUTF8": text, "plateConfidence": "0.91", "capture_timestamp": captured_ms.map(|ms| ms.to_string()), "ImageArray": images })
        .to_string()
        .into_bytes()
}

/// Posts an event of a camera.
fn post(server: &Server, lane: &str, headers: &[(&str, &str)], event: &[u8]) -> Reply {
    let headers = [&[("content-type", "application/json")][..], headers].concat();
    let mut connection = Connection::open(server.address).expect("connects");
    connection.request("POST", &format!("/v1/lanes/{lane}/edge-reads"), &headers, event).expect("an answer")
}

/// Posts what an Axis camera says it read.
fn tell(server: &Server, lane: &str, text: &str, captured_ms: Option<i64>, picture: Option<&[u8]>) -> Reply {
    post(server, lane, &[], &event(text, captured_ms, picture))
}

/// The same with its camera's name for it.
fn tell_named(server: &Server, name: &str, text: &str, captured_ms: i64, picture: Option<&[u8]>) -> Reply {
    post(server, "lane-0", &[("idempotency-key", name)], &event(text, Some(captured_ms), picture))
}

/// A digest as fields write it.
fn digest_field(digest: &Sha) -> String {
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(digest))
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

#[test]
fn another_event_under_a_name_of_before_is_refused() {
    let (site, pictures) = (Site::new(1, ""), pictures("lane000-"));
    let server = site.start();
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let first = told(&tell_named(&server, "event 1", SOUGHT, now_ms, None));
    assert_eq!(first["replay"], false, "{first}");
    let again = told(&tell_named(&server, "event 1", SOUGHT, now_ms, None));
    assert_eq!((&again["replay"], &again["edge_read"], &again["theirs"]), (&json!(true), &first["edge_read"], &first["theirs"]));
    // The same in a form, whose boundary is another each time.
    for boundary in ["B", "C"] {
        let part = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"event\"\r\n\r\n");
        let form = [part.as_bytes(), &event(SOUGHT, Some(now_ms), None), format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
        let kind = format!("multipart/form-data; boundary={boundary}");
        let mut connection = Connection::open(server.address).expect("connects");
        let headers = [("content-type", kind.as_str()), ("idempotency-key", "event 1")];
        assert_eq!(told(&connection.request("POST", "/v1/lanes/lane-0/edge-reads", &headers, &form).expect("an answer"))["replay"], true);
    }
    let refused = |server: &Server| {
        for (text, at_ms, picture) in [("KTE0327", now_ms, None), (SOUGHT, now_ms + 1, None), (SOUGHT, now_ms, Some(&pictures[18][..]))] {
            let reply = tell_named(server, "event 1", text, at_ms, picture);
            assert_eq!(reply.status, 400, "{}", reply.text());
            reply.assert_problem();
            assert!(reply.text().contains("this Idempotency-Key has come with other bytes before"), "{}", reply.text());
        }
        // Its picture was handed in, and is refused with it.
        assert_eq!(server.counts(), [0, 0, 1]);
    };
    refused(&server);
    server.kill();
    let server = site.start();
    refused(&server);
    assert_eq!(told(&tell_named(&server, "event 1", SOUGHT, now_ms, None))["replay"], true);
    assert_eq!(told(&tell_named(&server, "event 2", "KTE0327", now_ms, None))["replay"], false);
    // Ten at once are one, and one of them is the first.
    let at_once: Vec<Value> = std::thread::scope(|scope| {
        let tells: Vec<_> = (0..10).map(|_| scope.spawn(|| told(&tell_named(&server, "event 3", SOUGHT, now_ms + 5, None)))).collect();
        tells.into_iter().map(|tell| tell.join().expect("answered")).collect()
    });
    assert_eq!(at_once.iter().filter(|told| told["replay"] == false).count(), 1, "{at_once:?}");
    assert!(at_once.iter().all(|told| told["edge_read"] == at_once[0]["edge_read"]), "{at_once:?}");
    let kept = server.get("/v1/edge-reads?lane=lane-0").json();
    assert_eq!(kept["edge_reads"].as_array().map(Vec::len), Some(3), "{kept}");
    assert!(server.stop().1, "{}", site.log());
    assert_eq!(garita::custody::check::check(&site.data).expect("a store").findings, [], "the store's invariants");
}

#[test]
fn a_read_is_kept_whatever_becomes_of_its_picture() {
    let (site, pictures) = (Site::new(2, "[limits]\nwaiting = 1\nfree_bytes = \"24 MiB\""), pictures("lane000-"));
    let server = site.start();
    let example = std::fs::read(testdata().join("edge/axis-new.json")).expect("testdata");
    let bad = told(&post(&server, "lane-1", &[], &example));
    assert_eq!((&bad["frame"], &bad["plates"], &bad["replay"], &bad["picture"]["outcome"]), (&Value::Null, &json!([]), &json!(false), &json!("bad")), "{bad}");
    assert!(bad["picture"]["why"].as_str().is_some_and(|why| why.contains("bad frame")), "{bad}");
    assert_eq!((&bad["theirs"]["text"], &bad["comparison"]["opinion"]), (&json!("076CHZ"), &json!("only_theirs")), "{bad}");
    let cut = told(&tell(&server, "lane-1", SOUGHT, None, Some(&pictures[5][..pictures[5].len() / 2])));
    assert_eq!((&cut["picture"]["outcome"], &cut["entries"][0]["entry"]["list"]), (&json!("bad"), &json!("wanted")), "{cut}");
    let again = told(&post(&server, "lane-1", &[], &example));
    assert_eq!((&again["edge_read"], &again["replay"], &again["picture"]["outcome"]), (&bad["edge_read"], &json!(true), &json!("bad")), "{again}");
    assert_eq!(server.counts(), [0, 0, 3], "each picture was handed in");
    let kept = server.get("/v1/edge-reads?lane=lane-1").json();
    assert!(kept["edge_reads"].as_array().is_some_and(|reads| reads.len() == 2 && reads.iter().all(|read| read["href"].is_null())), "{kept}");

    // Another lane's frames take the place that there is.
    let (over, sent, begun, mut shed) = (AtomicBool::new(false), AtomicU64::new(3), Instant::now(), None);
    std::thread::scope(|scope| {
        for sender in 0..3 {
            let (server, over, sent, pictures) = (&server, &over, &sent, &pictures);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let number = sent.fetch_add(1, Ordering::Relaxed);
                    let shot = Shot::new("lane-0", number.to_string(), unlike(&pictures[sender], number));
                    let _ = shot.post(&mut Connection::open(server.address).expect("connects"));
                }
            });
        }
        while shed.is_none() && begun.elapsed() < Duration::from_secs(120) {
            let number = sent.fetch_add(1, Ordering::Relaxed);
            let picture = unlike(&pictures[18], number);
            let answer = told(&tell(&server, "lane-1", "ZZZ9999", Some(jiff::Timestamp::now().as_millisecond()), Some(&picture)));
            match answer["picture"]["outcome"].as_str() {
                Some("looked_at") => assert!(answer["frame"].is_i64(), "{answer}"),
                Some("shed") => shed = Some((answer, picture)),
                _ => panic!("{answer}"),
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    let (answer, picture) = shed.expect("a picture without a place within two minutes");
    assert_eq!((&answer["frame"], &answer["comparison"]["opinion"]), (&Value::Null, &json!("only_theirs")), "{answer}");
    assert!(answer["picture"]["why"].as_str().is_some_and(|why| !why.is_empty()), "{answer}");
    // Nobody has looked at it, so that a person may.
    assert!(server.get(&format!("/v1/evidence/{}", hex(&sha256(&picture)))).body == picture, "the picture is not kept");
    assert_eq!(server.counts().iter().sum::<u64>(), sent.into_inner(), "sent = accepted + shed + rejected");
    assert!(server.stop().1, "{}", site.log());
    assert_eq!(garita::custody::check::check(&site.data).expect("a store").findings, [], "the store's invariants");
}

#[test]
fn a_frame_is_counted_where_a_picture_was_handed_in() {
    let device = |id: &str, more: &str| format!("[[device]]\nid = \"{id}\"\nkey_sha256 = \"{}\"\n{more}\n", hex(&sha256(id.as_bytes())));
    let site = Site::new(2, &(device("every", "") + &device("second", "lanes = [\"lane-1\"]")));
    let (server, picture) = (site.start(), pictures("lane000-").swap_remove(18));
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let (with, without) = (event("KTE0327", Some(now_ms), Some(&picture)), event("KTE0327", Some(now_ms), None));
    let digests = [digest_field(&sha256(&with)), digest_field(&sha256(b"another"))];
    let [right, wrong] = digests.each_ref().map(String::as_str);
    let (every, second) = (("x-api-key", "every"), ("x-api-key", "second"));
    let (rejected, accepted) = (Some("rejected"), Some("accepted"));
    // What is answered, who posts what to which lane, and what that counts as.
    type Case<'case> = (u16, &'case str, Vec<(&'case str, &'case str)>, &'case [u8], &'case str, Option<&'case str>);
    let cases: Vec<Case<'_>> = vec![
        (404, "nowhere", vec![every], &with, "unknown", rejected),
        (404, "nowhere", vec![every], &without, "", None),
        (404, "nowhere", vec![every], b"no event", "", None),
        (403, "lane-0", vec![second], &with, "lane-0", rejected),
        (403, "lane-0", vec![second], &without, "", None),
        // Before anything was read of it.
        (401, "lane-0", vec![("x-api-key", "nobody")], &with, "", None),
        (422, "lane-0", vec![every], b"no event", "", None),
        (422, "lane-0", vec![every, ("content-digest", wrong)], &with, "", None),
        (422, "lane-0", vec![every, ("repr-digest", wrong)], &with, "", None),
        (400, "lane-0", vec![every, ("content-digest", "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:")], &with, "", None),
        (201, "lane-0", vec![every, ("content-digest", right), ("idempotency-key", "1")], &with, "lane-0", accepted),
        (201, "lane-0", vec![every], &without, "", None),
        (400, "lane-0", vec![every, ("idempotency-key", "1")], &without, "", None),
        (201, "lane-1", vec![second], &without, "", None),
        (201, "lane-1", vec![second, ("idempotency-key", "2")], &without, "", None),
        (400, "lane-1", vec![second, ("idempotency-key", "2")], &with, "lane-1", rejected),
    ];
    let mut expected = counted(&server);
    for (status, lane, headers, body, counts, outcome) in cases {
        let reply = post(&server, lane, &headers, body);
        assert_eq!(reply.status, status, "{lane} {headers:?}: {}", reply.text());
        if let Some(outcome) = outcome {
            let labels = format!("lane=\"{counts}\",outcome=\"{outcome}\"");
            expected.iter_mut().find(|series| series.0 == labels).unwrap_or_else(|| panic!("no {labels}")).1 += 1;
        }
        assert_eq!(counted(&server), expected, "{status} {lane} {headers:?}");
    }
    // Reads alone that come too often are no frames.
    let site = Site::new(1, &("[limits]\ndevice_per_s = 1\nfree_bytes = \"24 MiB\"\n".to_owned() + &device("every", "")));
    let server = site.start();
    let none = counted(&server);
    let statuses: Vec<u16> = (0..60).map(|number| post(&server, "lane-0", &[every], &event("KTE0327", Some(now_ms + number), None)).status).collect();
    assert!(statuses.contains(&201) && statuses.contains(&429), "{statuses:?}");
    assert_eq!(counted(&server), none);
}
