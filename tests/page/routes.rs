//! The page's routes over plain HTTP: its files and their policy, the stream of changes.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use garita::review::web;
use garita::watchlist::find::MatchClass;

use super::camera::Connection;
use super::seed;
use super::server::Site;

fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> super::camera::Reply {
    let headers = [("content-type", "application/json")];
    Connection::open(address).and_then(|mut connection| connection.request(method, path, &headers, body.as_bytes())).expect("the server answers")
}

/// Events of the stream after change `after`, until `wanted` says so.
fn events(address: SocketAddr, after: i64, mut wanted: impl FnMut(&str, &serde_json::Value, Option<i64>) -> bool) {
    let stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("sets");
    (&stream).write_all(format!("GET /v1/events HTTP/1.1\r\nhost: garita\r\nlast-event-id: {after}\r\n\r\n").as_bytes()).expect("sends");
    let (mut name, mut id) = (String::new(), None);
    for line in BufReader::new(&stream).lines() {
        let line = line.expect("the stream goes on");
        if let Some(found) = line.strip_prefix("event: ") {
            name = found.to_owned();
        } else if let Some(found) = line.strip_prefix("id: ") {
            id = found.parse().ok();
        } else if let Some(data) = line.strip_prefix("data: ")
            && wanted(&name, &serde_json::from_str(data).expect("JSON"), id.take())
        {
            return;
        }
    }
    panic!("the stream ended");
}

#[test]
fn files_come_under_a_policy_and_are_not_sent_twice() {
    let site = Site::new(1, "");
    let server = site.start();
    for path in std::iter::once("/".to_owned()).chain(web::FILES.iter().map(|file| format!("/web/{}", file.name))) {
        let reply = server.get(&path);
        assert_eq!(reply.status, 200, "{path}");
        let policy = reply.header("content-security-policy").expect("a policy");
        for wanted in ["default-src 'none'", "script-src 'self';", "trusted-types 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(wanted), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        let tag = reply.header("etag").expect("a tag").to_owned();
        let again = Connection::open(server.address)
            .and_then(|mut connection| connection.request("GET", &path, &[("if-none-match", &tag), ("connection", "close")], &[]))
            .expect("answers");
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    let missing = server.get("/web/..%2fmod.rs");
    assert_eq!(missing.status, 404);
    missing.assert_problem();
}

#[test]
fn a_stream_goes_on_where_it_was_cut() {
    let site = Site::new(1, "");
    seed::store(
        &site.data,
        (0..3).map(|number| seed::vehicle(&format!("AAA{number:03}"), seed::entry(&format!("AAA{number:03}"), 5), MatchClass::Exact)).collect(),
    );
    let server = site.start();
    let queue = server.get("/v1/cases").json();
    let (change, first) = (queue["change"].as_i64().expect("a number"), queue["cases"][0]["id"].as_i64().expect("a case"));
    assert_eq!((queue["cases"].as_array().map(Vec::len), queue["me"]["id"].as_str()), (Some(3), Some("local")));
    assert_eq!(ask(server.address, "PUT", &format!("/v1/cases/{first}/claim"), "").status, 200);
    let mut claimed = 0;
    events(server.address, change, |name, data, id| {
        claimed = id.unwrap_or(claimed);
        name == "case" && data["id"] == first && data["owner"]["id"] == "local"
    });
    assert!(claimed > change);
    // Cut, and the server too: what changed meanwhile is told after what was heard last.
    let (_, well) = server.stop();
    assert!(well, "an open stream keeps nobody from stopping");
    let server = site.start();
    assert_eq!(ask(server.address, "DELETE", &format!("/v1/cases/{first}/claim"), "").status, 204);
    events(server.address, claimed, |name, data, id| {
        assert!(id.is_none_or(|id| id > claimed), "what was heard is not told again");
        name == "case" && data["id"] == first && data["owner"].is_null()
    });
    // A number from nowhere: ask for everything.
    events(server.address, 1_000_000, |name, _, _| name == "missed");
    events(server.address, claimed, |name, data, _| name == "tick" && data["not_ready"].is_array());
}

#[test]
fn a_decision_wants_the_picture_that_was_sent() {
    let site = Site::new(1, "");
    seed::store(&site.data, vec![seed::vehicle("AAA001", seed::entry("AAA001", 5), MatchClass::Exact)]);
    let server = site.start();
    let queue = server.get("/v1/cases").json();
    let id = queue["cases"][0]["id"].as_i64().expect("a case");
    let case = server.get(&format!("/v1/cases/{id}")).json();
    let digest = case["pictures"][0]["digest"].as_str().expect("a digest");
    let body = format!("{{\"verdict\":\"confirmed\",\"reason\":null,\"evidence\":\"{digest}\",\"looked_ms\":900}}");
    let address = format!("/v1/cases/{id}/disposition");
    let unseen = ask(server.address, "POST", &address, &body);
    unseen.assert_problem();
    assert_eq!((unseen.status, unseen.json()["why"]["why"].as_str()), (422, Some("not_seen")));
    let picture = server.get(&format!("/v1/cases/{id}/pictures/{digest}"));
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/jpeg")));
    assert_eq!(garita::custody::evidence::hex(&garita::custody::evidence::sha256(&picture.body)), digest);
    assert_eq!(ask(server.address, "POST", &address, &body).json()["state"], "confirmed");
    assert_eq!(ask(server.address, "POST", &address, &body).status, 409);
    assert_eq!(ask(server.address, "DELETE", &address, "").json()["state"], "open");
    for (path, status) in
        [(format!("/v1/cases/{id}/pictures/{}", "0".repeat(64)), 404), (format!("/v1/cases/{id}/pictures/x"), 404), ("/v1/cases/99".to_owned(), 404)]
    {
        assert_eq!(server.get(&path).status, status, "{path}");
    }
}
