//! Every cell of the table: each route, by each role, and by nobody.

use garita::service::access::{RIGHTS, Role, Who};
use serde_json::json;
use tempfile::tempdir;

use super::server::{Client, Server, garita};

/// An address of a route: nothing is there.
fn address(route: &str) -> String {
    route.split('/').map(|part| if part.starts_with('{') { "nothing-of-this-name" } else { part }).collect::<Vec<_>>().join("/")
}

fn is_denied(client: &mut Client, method: &str, route: &str) -> (bool, String) {
    let body = if method == "GET" || method == "HEAD" { Vec::new() } else { b"{}".to_vec() };
    let answer = client.request(method, &address(route), &body);
    // A 403 that says why not of what was asked, not of who asks, comes from behind the table.
    let by_role = answer.status == 403 && answer.json()["title"] != "Say why";
    (answer.status == 401 || by_role, answer.text())
}

#[test]
fn every_cell_of_the_table() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), "[[retention.rule]]\nid = \"short\"\ndays = 3\n");
    let mut admin = server.admin();
    let mut clients: Vec<(Option<Role>, Client)> = vec![(None, server.client()), (Some(Role::Device), server.device())];
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Device) {
        clients.push((Some(role), server.person(&mut admin, &format!("a-{}", role.name()), role.name())));
    }
    let mut cells = 0;
    // Logging out comes last: who has logged out is nobody.
    let last = |right: &&(&str, &str, Who)| right.0 == "DELETE" && right.1 == "/v1/session";
    for (method, route, who) in RIGHTS.iter().filter(|right| !last(right)).chain(RIGHTS.iter().filter(last)) {
        for (role, client) in &mut clients {
            let may = match who {
                Who::Anybody => true,
                Who::Only(roles) => role.is_some_and(|role| roles.contains(&role)),
            };
            let (denied, answer) = is_denied(client, method, route);
            assert_eq!(denied, !may, "{method} {route} by {role:?}: {answer}");
            cells += 1;
        }
    }
    assert_eq!(cells, 8 * RIGHTS.len());
}

#[test]
fn what_has_no_row_nobody_may() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), "");
    let mut admin = server.admin();
    let answer = admin.send("DELETE", "/v1/people", &json!({}));
    assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, POST")), "{}", answer.text());
    assert_eq!(admin.get("/v1/nothing").status, 404);
    assert_eq!(server.client().get("/v1/nothing").status, 404);
}

#[test]
fn a_page_of_somebody_else_changes_nothing() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), "");
    let mut admin = server.admin();
    let new = json!({ "id": "jdoe", "role": "operator" });
    for fields in [
        vec![("Sec-Fetch-Site", "cross-site")],
        vec![("Sec-Fetch-Site", "same-site"), ("Origin", "http://127.0.0.1")],
        vec![("Origin", "http://evil.example")],
        vec![("Origin", "null")],
        // A program with a person's cookie says where it is from, or is none of ours.
        vec![],
    ] {
        let mut page = Client { fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), ..admin.clone() };
        let answer = page.send("POST", "/v1/people", &new);
        assert_eq!(answer.status, 403, "{fields:?}: {}", answer.text());
    }
    admin.fields = vec![("Origin".to_owned(), "http://127.0.0.1".to_owned())];
    assert_eq!(admin.send("POST", "/v1/people", &new).status, 201);
}

/// Where nobody logs in, whoever is on this machine is its administrator; a page of somebody else, or a name that they point here, is not.
#[test]
fn this_machine_alone_without_logins() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), "[login]\nrequired = \"no\"\n");
    let mut local = server.client();
    local.fields.clear();
    let told = local.get("/v1/session").json();
    assert_eq!((&told["person"]["id"], &told["person"]["role"], &told["login"]), (&json!("local"), &json!("admin"), &json!(false)));
    assert_eq!(local.send("POST", "/v1/people", &json!({ "id": "jdoe", "role": "viewer" })).status, 201);
    assert!(!server.data().join("first-password").exists(), "nobody needs it");
    local.fields = vec![("Origin".to_owned(), "http://evil.example".to_owned())];
    assert_eq!(local.send("POST", "/v1/people", &json!({ "id": "eve", "role": "admin" })).status, 403);
    local.fields = vec![("Host".to_owned(), "evil.example".to_owned())];
    assert_eq!(local.get("/v1/people").status, 403, "one of two hosts is somebody else's name");
    // A site with devices takes no frame without a key, wherever it comes from.
    local.fields.clear();
    assert_eq!(local.request("POST", "/v1/lanes/north/frames", b"x").status, 401);
}

#[test]
fn a_crowd_is_slowed_down_each_for_itself() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), "device_per_s = 5\n");
    let camera = server.device();
    let statuses: Vec<u16> = (0..60).map(|_| camera.status_of("/v1/portals")).collect();
    let at_once = statuses.iter().take_while(|status| **status == 200).count();
    assert!((20..40).contains(&at_once) && statuses.contains(&429), "four seconds' worth: {statuses:?}");
    assert_eq!(server.client().get("/healthz").status, 200);
}

#[test]
fn people_by_hand() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), "");
    let _admin = server.admin();
    let data = server.data().display().to_string();
    let (made, once) = garita(&["user", "add", &data, "jdoe", "--role", "operator", "--name", "J. Doe"]);
    assert!(made, "{once}");
    let mut jdoe = server.newcomer("jdoe", once.trim());
    assert_eq!(jdoe.get("/v1/status").status, 200);
    assert!(garita(&["user", "list", &data]).1.contains("J. Doe"));
    assert!(!garita(&["user", "add", &data, "jdoe", "--role", "admin"]).0, "there is one");
    assert!(!garita(&["user", "role", &data, "admin", "viewer"]).0, "the last administrator");
    assert!(garita(&["user", "disable", &data, "jdoe"]).0);
    assert_eq!(jdoe.get("/v1/status").status, 401, "at once");
    assert!(garita(&["audit", "verify", &data]).0, "two processes write one chain");
    // What goes into the log is a checkpoint to verify against.
    let log = folder.path().join("log");
    server.stop();
    let log = std::fs::read_to_string(log).unwrap();
    let line = log.lines().rfind(|line| line.contains("checkpoint")).expect("one at the end");
    let checkpoint = serde_json::from_str::<serde_json::Value>(line).unwrap()["fields"]["checkpoint"].as_str().unwrap().to_owned();
    let file = folder.path().join("checkpoint.json");
    std::fs::write(&file, checkpoint).unwrap();
    let (right, told) = garita(&["audit", "verify", &data, "--checkpoint", &file.display().to_string()]);
    assert!(right && told.contains("1 of 1 checkpoints agree"), "{told}");
}
