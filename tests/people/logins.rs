//! Logging in, being locked out, locking, and what is left of it in cookies, logs and the store.

use std::time::{Duration, Instant};

use garita::people::totp;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::server::{Server, own_password};

#[test]
fn the_first_start_makes_one_administrator_whose_password_is_good_once() {
    let folder = tempdir().unwrap();
    let mut server = Server::start(folder.path(), "");
    let file = server.data().join("first-password");
    let once = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!server.log().contains(&once), "the log is kept by others");
    let mut client = server.client();
    let answer = client.log_in("admin", &once);
    assert_eq!((answer.status, &answer.json()["must_change"]), (200, &Value::Bool(true)));
    assert_eq!(client.get("/v1/people").status, 403, "a new password first");
    assert_eq!(server.client().log_in("admin", &once).status, 401, "it was good once");
    assert_eq!(client.send("POST", "/v1/session/password", &json!({ "new": "short" })).status, 422);
    assert_eq!(client.send("POST", "/v1/session/password", &json!({ "new": own_password("admin") })).status, 204);
    assert_eq!(client.get("/v1/people").status, 200);
    assert!(!file.exists(), "it is of no use any more");
    server.kill();
    let again = Server::start(folder.path(), "");
    assert!(!again.data().join("first-password").exists(), "there is somebody");
    client = super::server::Client { cookie: client.cookie, ..again.client() };
    assert_eq!(client.get("/v1/people").status, 200, "a session survives a restart");
    assert_eq!(again.client().log_in("admin", &own_password("admin")).status, 200);
}

#[test]
fn cookies_are_for_our_page_alone() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), "");
    let _ = server.admin();
    let answer = server.client().log_in("admin", &own_password("admin"));
    let cookie = answer.field("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict") && cookie.contains("; Path=/"), "{cookie}");
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    let value = cookie.split(['=', ';']).nth(1).unwrap();
    assert_eq!(value.len(), 64);
    let database = std::fs::read(server.data().join("garita.db")).unwrap();
    let log = std::fs::read(server.data().join("garita.db-wal")).unwrap_or_default();
    for bytes in [database, log] {
        assert!(!bytes.windows(64).any(|window| window == value.as_bytes()), "the store holds its digest alone");
    }
    // A browser is sent to the page where one logs in; a program is told.
    let mut page = server.client();
    page.fields.push(("Accept".to_owned(), "text/html,*/*".to_owned()));
    let sent = page.get("/");
    assert_eq!((sent.status, sent.field("location")), (303, Some("/login")));
    let login = page.get("/login");
    assert!(login.field("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
    assert_eq!(server.client().get("/v1/status").status, 401);
}

/// Ten wrong ones at once count as ten, and a restart does not make them forgotten.
#[test]
fn a_lock_out_survives_a_restart_and_counts_a_crowd() {
    let folder = tempdir().unwrap();
    let mut server = Server::start(folder.path(), "");
    let mut admin = server.admin();
    let _ = server.person(&mut admin, "jdoe", "operator");
    let tried: Vec<(u16, Value)> = std::thread::scope(|scope| {
        let server = &server;
        let all: Vec<_> = (0..10).map(|number| scope.spawn(move || server.client().log_in("jdoe", &format!("a wrong guess {number}")))).collect();
        all.into_iter().map(|one| one.join().unwrap()).map(|answer| (answer.status, answer.json()["title"].clone())).collect()
    });
    let looked_at = tried.iter().filter(|(status, _)| *status == 401).count();
    assert_eq!(looked_at, 5, "four, and the one that locks: {tried:?}");
    assert!(tried.iter().filter(|(status, _)| *status != 401).all(|(status, title)| *status == 429 && title == "Locked out"), "{tried:?}");
    let mut right = server.client().log_in("jdoe", &own_password("jdoe"));
    assert_eq!(right.status, 429, "also the right one: {}", right.text());
    assert!(right.field("retry-after").and_then(|wait| wait.parse::<u32>().ok()).is_some_and(|wait| (1..=31).contains(&wait)));
    server.kill();
    let again = Server::start(folder.path(), "");
    right = again.client().log_in("jdoe", &own_password("jdoe"));
    assert_eq!(right.status, 429, "{}", right.text());
    // Others are not locked out; an administrator ends it.
    let mut admin = again.client();
    assert_eq!(admin.log_in("admin", &own_password("admin")).status, 200);
    let reset = admin.send("PATCH", "/v1/people/jdoe", &json!({ "reset": true })).json();
    assert_eq!(again.client().log_in("jdoe", reset["password"].as_str().unwrap()).status, 200);
    let records = admin.get("/v1/audit?action=login.failed").json();
    assert!(records["records"].as_array().unwrap().len() >= 11, "each is recorded");
    assert!(!records.to_string().contains("a wrong guess"), "but no password");
}

#[test]
fn a_second_factor_is_asked_for_and_taken_once() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), "");
    let mut admin = server.admin();
    let secret = admin.send("POST", "/v1/session/second-factor", &json!({})).json()["secret"].as_str().unwrap().to_owned();
    let code = |offset: i64| {
        let now_ms = jiff::Timestamp::now().as_millisecond();
        (0..1_000_000).map(|code| format!("{code:06}")).find(|code| totp::step_of(&secret, code, 0, now_ms) == Some(now_ms / 30_000 + offset)).unwrap()
    };
    let take = |code: &str| json!({ "password": own_password("admin"), "secret": secret, "code": code });
    assert_eq!(admin.send("PUT", "/v1/session/second-factor", &take("x")).status, 422);
    assert_eq!(admin.send("PUT", "/v1/session/second-factor", &take(&code(0))).status, 204);
    let log_in = |code: Option<&str>| server.client().send("POST", "/v1/session", &json!({ "id": "admin", "password": own_password("admin"), "code": code }));
    let asked = log_in(None);
    assert_eq!((asked.status, &asked.json()["title"]), (401, &json!("Code needed")));
    assert_eq!(log_in(Some("000000")).status, 401);
    let next = code(1);
    assert_eq!(log_in(Some(&next)).status, 200);
    assert_eq!(log_in(Some(&next)).status, 401, "twice");
}

#[test]
fn an_idle_session_locks_and_its_password_opens_it() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), "[login]\nidle_minutes = 1\n");
    let mut admin = server.admin();
    // As if a minute had passed: the store says when somebody did something last.
    let later = |by_ms: i64| {
        let connection = rusqlite::Connection::open(server.data().join("garita.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.execute("UPDATE session SET seen_ms = seen_ms - ?1", [by_ms]).unwrap();
    };
    assert_eq!(admin.get("/v1/people").status, 200);
    later(61_000);
    let locked = admin.get("/v1/people");
    assert_eq!((locked.status, &locked.json()["title"]), (401, &json!("Locked")));
    let told = admin.get("/v1/session").json();
    assert_eq!((&told["locked"], &told["person"]["id"]), (&json!(true), &json!("admin")), "the page knows whose it is");
    assert_eq!(admin.send("POST", "/v1/session/unlock", &json!({ "password": "something else" })).status, 401);
    assert_eq!(admin.send("POST", "/v1/session/unlock", &json!({ "password": own_password("admin") })).status, 204);
    assert_eq!(admin.get("/v1/people").status, 200);
    assert_eq!(admin.send("DELETE", "/v1/session", &json!({})).status, 204);
    assert!(admin.cookie.is_none());
    assert_eq!(admin.get("/v1/people").status, 401);
}

/// How long a refusal takes does not tell whether there is such a person: both look at a hash.
#[test]
fn nobody_and_a_wrong_password_are_told_the_same() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), "");
    let _ = server.admin();
    let (nobody, wrong) = (server.client().log_in("nobody", "a wrong guess"), server.client().log_in("admin", "a wrong guess"));
    assert_eq!((nobody.status, nobody.json()), (wrong.status, wrong.json()));
    let begun = Instant::now();
    server.client().log_in("nobody-else", &"x".repeat(60_000));
    assert!(begun.elapsed() < super::server::PATIENCE, "what is too long is not looked at");
}
