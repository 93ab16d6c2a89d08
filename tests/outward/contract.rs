//! The OpenAPI document is what the server does: whole, committed, and held by its answers.

use std::collections::BTreeSet;
use std::path::Path;

use garita::service::access::RIGHTS;
use garita::service::openapi::DOCUMENT;
use serde_json::{Value, json};

use crate::{because, pass, passages, post, python, refusal, site, until};

/// Pages are for people.
const PAGES: [&str; 5] = ["/", "/docs", "/login", "/login.js", "/web/{file}"];

#[test]
fn every_request_is_in_the_document_and_no_other() {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let told: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, methods)| methods.as_object().expect("methods").keys().map(move |method| (method.to_uppercase(), path.clone())))
        .collect();
    let there: BTreeSet<(String, String)> =
        RIGHTS.iter().filter(|right| !PAGES.contains(&right.1)).map(|right| (right.0.to_owned(), right.1.to_owned())).collect();
    assert_eq!(told, there);
}

/// A success has a schema, or no content at all; a failure is a problem.
#[test]
fn every_answer_has_a_schema() {
    for (path, methods) in DOCUMENT["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            for (status, answer) in operation["responses"].as_object().expect("responses") {
                let content = answer["content"].as_object();
                let what = format!("{method} {path}, {status}");
                if !status.starts_with('2') {
                    assert!(content.is_none_or(|content| content.contains_key("application/problem+json") || content.contains_key("text/plain")), "{what}");
                    continue;
                }
                assert_eq!(content.is_none(), status == "204", "{what}");
                for (kind, content) in content.into_iter().flatten() {
                    let schema = &content["schema"];
                    // What the scan viewer gets is described in words alone: it is the page's.
                    let says = operation["tags"][0] == "viewer" || ["$ref", "oneOf", "allOf", "properties"].iter().any(|key| !schema[key].is_null());
                    assert!(says || !kind.ends_with("json") || path == "/v1/openapi.json", "{what}: {schema}");
                    assert!(schema.is_object(), "{what}, {kind}");
                }
            }
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            // Settings are the page's own, and a paper is as a train's list is written.
            let free = path.ends_with("/settings") || path.ends_with("/{paper}") || operation["tags"][0] == "viewer";
            assert!(body.is_null() || !body["$ref"].is_null() || (free && body["type"] == "object"), "{method} {path} takes {body}");
        }
    }
}

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/openapi.json");
    let written = serde_json::to_string_pretty(&*DOCUMENT).expect("plain data") + "\n";
    if std::env::var_os("GARITA_WRITE_OPENAPI").is_some() {
        std::fs::write(&path, &written).expect("written");
    }
    let committed = std::fs::read_to_string(&path).expect("testdata/openapi.json");
    assert!(committed == written, "testdata/openapi.json is another: GARITA_WRITE_OPENAPI=1 cargo test --test outward committed");
}

#[test]
fn answers_are_what_the_document_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = site(folder.path(), "");
    pass(&server, "south-1", 4, 1);
    until("it has passed", || !passages(&server).is_empty());
    let scan = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rail")).expect("testdata");
    let scan = scan.map(|file| file.expect("there").path()).filter(|path| path.extension().is_some_and(|kind| kind == "tif")).min().expect("a scan");
    let scan = server.post("/v1/portals/bridge/scans", &[], &std::fs::read(scan).expect("read")).scan();
    server.inspected(scan);
    let passage = passages(&server)[0]["id"].clone();
    let hit = server.get("/v1/hits").json()["hits"][0]["id"].clone();
    assert_eq!(post(&server, "/v1/lookbacks", &because(json!({ "list": "sought" }))).status, 202);
    let case = server.get("/v1/cases").json()["cases"][0]["id"].clone();
    let picture = server.get(&format!("/v1/cases/{case}")).json()["pictures"][0]["digest"].as_str().expect("a digest").to_owned();
    let jpeg = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/lane/img/lane000-00004.jpg").display().to_string();
    let event = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/edge/axis-new.json").display().to_string();
    let list = folder.path().join("proposed.csv").display().to_string();
    std::fs::write(&list, crate::list_of(&["AAA0001", "AAA0002"])).expect("written");
    let with = |method: &str, route: &str, path: String, body: Value| json!({ "method": method, "route": route, "path": path, "body": body });
    let gives = |route: &str, path: &str, file: &str, kind: &str| json!({ "method": "POST", "route": route, "path": path, "file": file, "type": kind });
    let decision = json!({ "verdict": "confirmed", "reason": null, "evidence": picture, "looked_ms": 1 });
    let get = |route: &str, path: String| json!({ "method": "GET", "route": route, "path": path });
    let asks = |route: &str, body: Value| json!({ "method": "POST", "route": route, "path": route, "body": body });
    let requests = [
        get("/v1/passages", "/v1/passages?limit=1".to_owned()),
        get("/v1/passages", "/v1/passages?from_ms=1".to_owned()),
        get("/v1/passages/{id}", format!("/v1/passages/{passage}")),
        get("/v1/passages/{id}", "/v1/passages/0".to_owned()),
        get("/v1/hits", "/v1/hits".to_owned()),
        get("/v1/hits/{id}", format!("/v1/hits/{hit}")),
        get("/v1/hits/{id}", "/v1/hits/0".to_owned()),
        get("/v1/cars", "/v1/cars".to_owned()),
        get("/v1/findings", "/v1/findings?probability=0.1".to_owned()),
        get("/v1/lists", "/v1/lists".to_owned()),
        get("/v1/lists/{name}", "/v1/lists/sought".to_owned()),
        get("/v1/lists/{name}", "/v1/lists/none".to_owned()),
        get("/v1/lookbacks", "/v1/lookbacks".to_owned()),
        get("/v1/lookbacks/{id}", "/v1/lookbacks/1".to_owned()),
        get("/v1/webhooks", "/v1/webhooks".to_owned()),
        get("/v1/webhooks/{id}/dead", "/v1/webhooks/none/dead".to_owned()),
        get("/v1/evidence/{sha256}", "/v1/evidence/none".to_owned()),
        get("/v1/portals", "/v1/portals".to_owned()),
        get("/v1/scans/{scan}", format!("/v1/scans/{scan}")),
        get("/v1/scans/{scan}", "/v1/scans/0".to_owned()),
        get("/v1/status", "/v1/status".to_owned()),
        get("/healthz", "/healthz".to_owned()),
        asks("/v1/search", because(json!({ "text": "XPX8", "meant": "prefix", "from_ms": 0 }))),
        asks("/v1/search", because(json!({ "subject": "mark" }))),
        asks("/v1/search", json!({})),
        asks("/v1/search", json!({ "no": 1 })),
        asks("/v1/exports", json!({ "format": "json", "search": because(json!({})) })),
        asks("/v1/exports", json!({ "format": "json", "search": {} })),
        asks("/v1/packs", because(json!({ "passages": [passage] }))),
        asks("/v1/packs", because(json!({ "passages": [0] }))),
        asks("/v1/lookbacks", json!({ "list": "sought" })),
        get("/readyz", "/readyz".to_owned()),
        get("/metrics", "/metrics".to_owned()),
        get("/v1/openapi.json", "/v1/openapi.json".to_owned()),
        // What comes in.
        gives("/v1/lanes/{id}/frames", "/v1/lanes/south-2/frames", &jpeg, "image/jpeg"),
        gives("/v1/lanes/{id}/frames", "/v1/lanes/south-2/frames", &list, "image/jpeg"),
        // Its picture is none that can be looked at.
        gives("/v1/lanes/{id}/edge-reads", "/v1/lanes/south-2/edge-reads", &event, "application/json"),
        gives("/v1/lanes/{id}/edge-reads", "/v1/lanes/south-2/edge-reads", &list, "application/json"),
        with("POST", "/v1/lanes/{id}/triggers", "/v1/lanes/south-2/triggers".to_owned(), json!({})),
        json!({ "method": "POST", "route": "/v1/plate-reader/", "path": "/v1/plate-reader/", "form": { "camera_id": "south-2", "upload": format!("@{jpeg}") } }),
        gives("/v1/portals/{id}/scans", "/v1/portals/bridge/scans", &list, "application/octet-stream"),
        with("POST", "/v1/portals/{id}/scans/{scan}/{paper}", "/v1/portals/bridge/scans/T-9/consist".to_owned(), json!({ "cars": [{ "mark": "UTLX 1" }] })),
        get("/v1/portals/{id}/scans", "/v1/portals/bridge/scans".to_owned()),
        get("/v1/portals/{id}/scans", "/v1/portals/none/scans".to_owned()),
        // What people decide.
        get("/v1/cases", "/v1/cases".to_owned()),
        get("/v1/cases/{id}", format!("/v1/cases/{case}")),
        get("/v1/cases/{id}", "/v1/cases/0".to_owned()),
        get("/v1/cases/{id}/pictures/{digest}", format!("/v1/cases/{case}/pictures/{picture}")),
        with("PUT", "/v1/cases/{id}/claim", format!("/v1/cases/{case}/claim"), json!({})),
        with("POST", "/v1/cases/{id}/notes", format!("/v1/cases/{case}/notes"), json!({ "body": "a note" })),
        with("POST", "/v1/cases/{id}/disposition", format!("/v1/cases/{case}/disposition"), decision.clone()),
        with("POST", "/v1/cases/{id}/disposition", format!("/v1/cases/{case}/disposition"), decision),
        get("/v1/cases/{id}", format!("/v1/cases/{case}")),
        with("DELETE", "/v1/cases/{id}/disposition", format!("/v1/cases/{case}/disposition"), json!({})),
        get("/v1/figures/accuracy", "/v1/figures/accuracy".to_owned()),
        get("/v1/figures/hours", "/v1/figures/hours?hours=3".to_owned()),
        gives("/v1/lists/{name}/proposals", "/v1/lists/sought/proposals?note=a%20test", &list, "text/csv"),
        gives("/v1/lists/{name}/proposals", "/v1/lists/sought/proposals", &jpeg, "text/csv"),
        get("/v1/proposals", "/v1/proposals".to_owned()),
        get("/v1/proposals/{id}", "/v1/proposals/1".to_owned()),
        with("POST", "/v1/proposals/{id}/activation", "/v1/proposals/1/activation".to_owned(), json!({})),
        with("POST", "/v1/proposals/{id}/refusal", "/v1/proposals/1/refusal".to_owned(), json!({ "why": "a test" })),
        // People, and what they did.
        get("/v1/session", "/v1/session".to_owned()),
        asks("/v1/session", json!({ "id": "a", "password": "b" })),
        asks("/v1/session/second-factor", json!({})),
        asks("/v1/people", json!({ "id": "jdoe", "role": "operator" })),
        asks("/v1/people", json!({ "id": "jdoe", "role": "operator" })),
        with("PATCH", "/v1/people/{id}", "/v1/people/jdoe".to_owned(), json!({ "reset": true })),
        get("/v1/people", "/v1/people".to_owned()),
        get("/v1/audit", "/v1/audit?who=local".to_owned()),
        get("/v1/audit/checkpoint", "/v1/audit/checkpoint".to_owned()),
        get("/v1/audit/verification", "/v1/audit/verification".to_owned()),
        asks("/v1/holds", json!({ "kind": "plate", "subject": "ABC1", "reason": "a test", "case_number": "T-1" })),
        get("/v1/holds", "/v1/holds".to_owned()),
    ];
    let path = folder.path().join("requests.jsonl");
    std::fs::write(&path, requests.iter().map(|request| format!("{request}\n")).collect::<String>()).expect("written");
    if let Some(held) = python("contract.py", &[&format!("http://{}", server.address), path.to_str().expect("UTF-8")]) {
        assert!(held.parse::<usize>().is_ok_and(|held| held >= 60), "{held} answers have a schema");
    }
}

#[test]
fn the_page_is_whole_and_needs_nothing_from_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = site(folder.path(), "");
    let page = server.get("/docs");
    let text = page.text();
    assert!(page.field("content-security-policy").starts_with("default-src 'none'; style-src 'unsafe-inline'"));
    for path in DOCUMENT["paths"].as_object().expect("paths").keys() {
        assert!(text.contains(&format!(" {path}</code>")), "{path}");
    }
    assert!(!text.contains("<script") && !text.contains("http://") && !text.contains("https://"), "nothing from elsewhere");
    assert_eq!(server.get("/v1/openapi.json").json(), *DOCUMENT);
    assert_eq!(refusal(&server.get("/v1/nothing")).0, 404);
}
