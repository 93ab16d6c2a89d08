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
    ];
    let path = folder.path().join("requests.jsonl");
    std::fs::write(&path, requests.iter().map(|request| format!("{request}\n")).collect::<String>()).expect("written");
    if let Some(held) = python("contract.py", &[&format!("http://{}", server.address), path.to_str().expect("UTF-8")]) {
        assert!(held.parse::<usize>().is_ok_and(|held| held >= 22), "{held} answers have a schema");
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
