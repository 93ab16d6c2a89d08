//! What leaves the real server: events, answers to queries and searches, exports, packs; held to second implementations of the standards that they claim.

mod contract;
mod mqtt;
mod queries;
mod search;
#[allow(dead_code)]
#[path = "../portals/server.rs"]
mod server;
mod sink;
#[path = "../common/skip.rs"]
mod skip;
#[path = "../store/mod.rs"]
mod store;
mod webhooks;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use server::{Answer, Server, send};

/// The plate of `testdata/lane`'s first vehicle, on the site's list.
pub(crate) const SOUGHT: &str = "XPX802H";

/// A site with lanes `south-1` and `south-2`, a list of [`SOUGHT`], and `more`.
pub(crate) fn site(folder: &Path, more: &str) -> Server {
    site_with(folder, "", more)
}

/// The same, with `first` before its sections.
pub(crate) fn site_with(folder: &Path, first: &str, more: &str) -> Server {
    let list = folder.join("sought.csv");
    if !list.exists() {
        std::fs::write(&list, list_of(&[SOUGHT])).expect("written");
    }
    let lanes = "[[lane]]\nid = \"south-1\"\nsilence_s = 0\n[[lane]]\nid = \"south-2\"\nsilence_s = 0\n[limits]\nfree_bytes = \"1 MiB\"\n";
    Server::start(folder, &format!("{first}\n{lanes}[[list]]\nname = \"sought\"\nfile = \"sought.csv\"\nreload_s = 1\n{more}"))
}

/// A list's file.
pub(crate) fn list_of(plates: &[&str]) -> String {
    plates.iter().fold("plate,list,priority,reason\n".to_owned(), |file, plate| file + &format!("{plate},sought,0,=cmd|' /C calc'!A0\n"))
}

/// A picture of `testdata/lane`.
pub(crate) fn picture(number: usize) -> Vec<u8> {
    let path = format!("testdata/lane/img/lane000-{number:05}.jpg");
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("testdata")
}

/// A vehicle passes through a lane: one frame of it, then a trigger. `count` makes frames unlike each other.
pub(crate) fn pass(server: &Server, lane: &str, number: usize, count: usize) {
    let answer =
        server.post(&format!("/v1/lanes/{lane}/frames"), &[("content-type", "image/jpeg"), ("idempotency-key", &format!("{count}"))], &picture(number));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let answer = server.post(&format!("/v1/lanes/{lane}/triggers"), &[], b"");
    assert_eq!(answer.status, 202, "{}", answer.text());
}

/// Posts JSON.
pub(crate) fn post(server: &Server, path: &str, body: &Value) -> Answer {
    send(server.address, "POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
}

/// Why a test searches.
pub(crate) fn because(mut body: Value) -> Value {
    body["reason"] = "a test".into();
    body["case"] = "T-1".into();
    body
}

/// Waits until `so`.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !so() {
        assert!(begun.elapsed() < server::PATIENCE, "waited in vain until {what}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// The passages that can be listed.
pub(crate) fn passages(server: &Server) -> Vec<Value> {
    server.get("/v1/passages?limit=500").json()["passages"].as_array().expect("passages").clone()
}

/// Runs a script of this folder, which checks with libraries that share nothing with garita; what it prints. None, loudly, where they are not installed.
pub(crate) fn python(script: &str, arguments: &[&str]) -> Option<String> {
    let python = std::env::var_os("GARITA_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let known = Command::new(&python).args(["-c", "import jsonschema, openapi_spec_validator, standardwebhooks"]).output();
    if !known.is_ok_and(|known| known.status.success()) {
        skip::skip("python3 lacks what tests/outward/requirements.txt names; python3 -m pip install -r tests/outward/requirements.txt");
        return None;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outward").join(script);
    let output = Command::new(&python).arg(path).args(arguments).output().expect("python runs");
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A person's question that the site refuses: its status and its title, told as RFC 9457 has it.
pub(crate) fn refusal(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.field("content-type"), "application/problem+json", "{}", answer.text());
    let told = answer.json();
    assert_eq!(told["status"], json!(answer.status));
    (answer.status, told["title"].as_str().expect("a title").to_owned())
}
