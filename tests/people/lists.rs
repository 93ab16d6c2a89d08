//! A new version of a list: what it would change, a second person, across restarts, kills and changes of the list meanwhile.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use garita::custody::{self, proposals};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::server::{Answer, Client, PATIENCE, Server};

/// A list of `AAA000` to `AAA199`, but for what `change` makes of a number's line.
fn list(mut change: impl FnMut(usize) -> Option<String>) -> String {
    let mut file = "plate,list,priority,reason\n".to_owned();
    for number in 0..200 {
        let line = change(number).unwrap_or_else(|| format!("AAA{number:03},sought,50,as it was"));
        if !line.is_empty() {
            let _ = writeln!(file, "{line}");
        }
    }
    file
}

/// One line changed, one gone, one new, and one that is none.
fn new_version() -> String {
    list(|number| match number {
        7 => Some("AAA007,sought,0,armed".to_owned()),
        8 => Some(String::new()),
        9 => Some("AAA009,sought,50,as it was\nBBB001,sought,50,new".to_owned()),
        10 => Some("AAA010,sought,50,as it was\nCCC001,sought,urgent,what priority is that".to_owned()),
        _ => None,
    })
}

fn start(folder: &Path) -> Server {
    Server::start(folder, "[[list]]\nname = \"sought\"\nfile = \"sought.csv\"\nreload_s = 1\n")
}

fn propose(client: &mut Client, query: &str, file: &str) -> Answer {
    client.request("POST", &format!("/v1/lists/sought/proposals{query}"), file.as_bytes())
}

/// Entries in force.
fn entries(client: &mut Client) -> Value {
    client.get("/v1/lists/sought").json()["entries"].clone()
}

fn activate(client: &mut Client, id: &Value) -> Answer {
    client.send("POST", &format!("/v1/proposals/{id}/activation"), &json!({}))
}

/// The actions of the audit trail that speak of the list, and who did them.
fn acts(admin: &mut Client) -> Vec<(String, String)> {
    let records = admin.get("/v1/audit?subject=list%20sought").json();
    let text = |record: &Value, name: &str| record[name].as_str().expect("a text").to_owned();
    records["records"].as_array().expect("records").iter().rev().map(|record| (text(record, "action"), text(record, "who"))).collect()
}

fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_list_is_shown_proposed_and_activated_by_a_second_person() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("sought.csv"), list(|_| None)).unwrap();
    let mut server = start(folder.path());
    let mut admin = server.admin();
    let mut ann = server.person(&mut admin, "ann", "list-manager");
    let mut bob = server.person(&mut admin, "bob", "list-manager");

    // Too much of it is wrong: it says where, and nothing waits.
    let refused = propose(&mut ann, "", "plate,priority\nAAA001,high\nAAA002,1\n");
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.json()["detail"].as_str().unwrap().contains("line 2, column 8"), "{}", refused.text());
    assert_eq!(propose(&mut ann, "?preset=excel", "plate\nA1\n").status, 400);
    assert_eq!(ann.request("POST", "/v1/lists/none/proposals", b"").status, 404);
    assert_eq!(ann.get("/v1/proposals").json()["proposals"], json!([]));

    let proposed = propose(&mut ann, "?note=weekly%20update", &new_version());
    assert_eq!(proposed.status, 201, "{}", proposed.text());
    let told = proposed.json();
    let id = told["id"].clone();
    assert_eq!(proposed.field("location"), Some(format!("/v1/proposals/{id}").as_str()));
    let count = |name: &str| told["told"][name].as_u64().unwrap();
    assert_eq!(["added", "removed", "changed", "same", "entries", "bad"].map(count), [1, 1, 1, 198, 200, 1]);
    let first = |name: &str| told["told"][name][0].clone();
    assert_eq!((&first("first_added")["text"], &first("first_removed")["text"]), (&json!("BBB001"), &json!("AAA008")));
    let changed = first("first_changed");
    assert_eq!((&changed["before"]["priority"], &changed["after"]["priority"]), (&json!(50), &json!(0)));
    assert_eq!(changed["fields"], json!(["priority", "reason"]));
    assert_eq!(first("first_bad")["line"], json!(13));
    assert_eq!(entries(&mut ann), 200);
    assert_eq!(admin.get("/v1/audit?action=list.changed").json()["records"], json!([]));

    // Not by herself, not even by the database's own hand, and not without the role.
    let refused = activate(&mut ann, &id);
    assert_eq!((refused.status, &refused.json()["title"]), (409, &json!("Second person")), "{}", refused.text());
    let beside = custody::writer_beside(&server.data()).unwrap();
    let by_hand = "UPDATE proposal SET state = 'activated', decided_by = 'ann', decided_name = 'ann', decided_ms = 1";
    assert!(beside.execute(by_hand, []).is_err_and(|error| error.to_string().contains("CHECK")));
    assert!(beside.execute("UPDATE proposal SET proposed_by = 'carl'", []).is_err());
    drop(beside);

    // It waits across a kill.
    server.kill();
    drop(server);
    let server = start(folder.path());
    for client in [&mut admin, &mut ann, &mut bob] {
        client.address = server.address;
    }
    assert_eq!(bob.get(&format!("/v1/proposals/{id}")).json()["told"], told["told"]);
    let activated = activate(&mut bob, &id);
    assert_eq!(activated.status, 200, "{}", activated.text());
    let activated = activated.json();
    assert_eq!((&activated["state"], &activated["decided_by"]), (&json!("activated"), &json!("bob")));
    assert!(activated["in_force_ms"].is_i64() && activated["told"]["first_added"] == json!([]), "{activated}");
    assert_eq!(activate(&mut bob, &id).status, 409, "once");
    let mut expected = vec![("list.proposed", "ann"), ("list.activated", "bob"), ("list.changed", "garita")];
    assert_eq!(acts(&mut admin), expected.iter().map(|(act, who)| ((*act).to_owned(), (*who).to_owned())).collect::<Vec<_>>());
    let told: String = custody::reader(&server.data()).unwrap().query_row("SELECT body FROM outbox WHERE kind = 'list.changed'", [], |row| row.get(0)).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["by"], &told["proposal"], &told["entries"]), (&json!("bob"), &id, &json!(200)));
    assert_eq!(std::fs::read_dir(server.data().join("lists")).unwrap().count(), 0, "nobody wants its index there any more");

    // And stays in force: as an index, of which an incremental file of another layout changes a part. Somebody takes it back.
    drop(server);
    let server = start(folder.path());
    for client in [&mut admin, &mut ann, &mut bob] {
        client.address = server.address;
    }
    let proposed = propose(&mut ann, "?incremental=true", "plate;list;action\nBBB001;sought;remove\nBBB002;sought;add\n").json();
    assert_eq!(["added", "removed", "same"].map(|name| proposed["told"][name].as_u64().unwrap()), [1, 1, 199], "{proposed}");
    let refusal = |client: &mut Client, why: &str| client.send("POST", &format!("/v1/proposals/{}/refusal", proposed["id"]), &json!({ "why": why }));
    assert_eq!(refusal(&mut bob, "").status, 400);
    assert_eq!(refusal(&mut ann, "by mistake").json()["state"], "refused");
    assert_eq!(refusal(&mut bob, "too").status, 409);
    assert_eq!(activate(&mut bob, &proposed["id"]).status, 409);
    expected.extend([("list.proposed", "ann"), ("list.refused", "ann")]);
    assert_eq!(acts(&mut admin).len(), expected.len());
    assert_eq!(entries(&mut ann), 200);
}

#[test]
fn what_is_activated_is_what_was_shown_in_time_and_whole() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("sought.csv");
    std::fs::write(&file, list(|_| None)).unwrap();
    let mut server = start(folder.path());
    let mut admin = server.admin();
    let mut ann = server.person(&mut admin, "ann", "list-manager");
    let mut bob = server.person(&mut admin, "bob", "list-manager");

    // The list changes by its file in between: activating would bring back what that took away.
    let stale = propose(&mut ann, "", &new_version()).json()["id"].clone();
    std::fs::write(&file, list(|number| (number < 100).then(String::new))).unwrap();
    until("the file is in force", || entries(&mut bob) == 100);
    let refused = activate(&mut bob, &stale);
    assert_eq!((refused.status, &refused.json()["title"]), (409, &json!("Another list")), "{}", refused.text());
    assert_eq!(entries(&mut bob), 100);

    // What nobody decides for a week is none any more, and its index goes.
    let beside = custody::writer_beside(&server.data()).unwrap();
    beside.execute("UPDATE proposal SET proposed_ms = proposed_ms - ?1", [proposals::EXPIRES_MS]).unwrap();
    drop(beside);
    until("it has expired", || bob.get(&format!("/v1/proposals/{stale}")).json()["state"] == "expired");
    until("its file has gone", || std::fs::read_dir(server.data().join("lists")).unwrap().count() == 0);
    assert_eq!(activate(&mut bob, &stale).status, 409);

    // A kill between the decision and the list: the next start finishes it.
    let cut = propose(&mut ann, "", &new_version()).json()["id"].clone();
    server.kill();
    let beside = custody::writer_beside(&server.data()).unwrap();
    beside.execute("UPDATE proposal SET state = 'activated', decided_by = 'bob', decided_name = 'bob', decided_ms = 1 WHERE state = 'proposed'", []).unwrap();
    drop((beside, server));
    let server = start(folder.path());
    (ann.address, bob.address) = (server.address, server.address);
    assert_eq!(entries(&mut bob), 200);
    assert!(bob.get(&format!("/v1/proposals/{cut}")).json()["in_force_ms"].is_i64());
    let events: i64 =
        custody::reader(&server.data()).unwrap().query_row("SELECT count(*) FROM outbox WHERE kind = 'list.changed'", [], |row| row.get(0)).unwrap();
    assert_eq!(events, 2, "by its file, and by this");
}
