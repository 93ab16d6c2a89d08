//! What people may do with cars in which something was found, and what the store refuses whoever asks.

#[path = "store/mod.rs"]
mod store;

use std::path::Path;
use std::sync::mpsc::channel;

use garita::audit::{self, Act, Action};
use garita::custody::Custody;
use garita::custody::record::Fate;
use garita::review::cars::{self, CarItem, FindingDecision, FindingReason};
use garita::review::decide::{self, Claim, Outcome, Refusal};
use garita::review::{LEASE_MS, Officer, State, UNDO_MS, Verdict, changes};
use rusqlite::Transaction;
use store::{BEGIN_MS, count, hit, keep, open, passage, raw, settle};
use tempfile::{TempDir, tempdir};

const NOW: i64 = BEGIN_MS + 60_000;
const CAR: cars::Place = (1, 1);

fn officer(id: &str) -> Officer {
    Officer { id: id.to_owned(), name: format!("Officer {id}"), supervises: id.starts_with("super") }
}

fn change<T: Send + 'static>(custody: &Custody, work: impl FnOnce(&Transaction<'_>) -> Outcome<T> + Send + 'static) -> Result<T, Refusal> {
    let (tell, told) = channel();
    let fate = custody.change(move |transaction| {
        let _ = tell.send(work(transaction)?);
        Ok(0)
    });
    assert_eq!(fate, Fate::Kept(0));
    told.recv().expect("the change ran")
}

/// A train of one car with these findings' probabilities, and an entry that names the car where `listed` says its priority and whether it wants two persons.
fn train(probabilities: &[f64], listed: Option<(i64, bool)>, portal_wants_two: bool) -> (TempDir, Custody) {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let findings: Vec<_> = probabilities.iter().map(|p| serde_json::json!({ "kind": "box", "probability": p })).collect();
    let told = serde_json::json!({ "kind": "boxcar", "columns": [0, 9], "findings": findings }).to_string();
    let made = change(&custody, move |transaction| {
        transaction.execute_batch(
            "INSERT INTO scan (id, portal, key, name, upload, state, file, digest, length, received_ms) VALUES (1, 'bridge', zeroblob(32), 'monday', 'u', 'inspected', 'f', zeroblob(32), 1, 5)",
        )?;
        transaction.execute("INSERT INTO car VALUES (1, 1, 'RBOX 1', 1.0, ?1)", [told])?;
        if let Some((priority, two)) = listed {
            let entry = serde_json::json!({ "two_person": two }).to_string();
            transaction.execute(
                "INSERT INTO scan_hit (scan, position, state, subject, seen, list, text, jurisdiction, class, edits, probability, priority, entry, stored_ms)
                 VALUES (1, 1, 'confirmed', 'mark', 'RBOX 1', 'stolen', 'RBOX 1', '', 'exact', 0, 1, ?1, ?2, 5)",
                rusqlite::params![priority, entry],
            )?;
        }
        cars::renew_all(transaction, 1, portal_wants_two, NOW).map(Ok)
    });
    assert_eq!(made, Ok(()));
    (folder, custody)
}

fn queue(custody: &Custody) -> Vec<CarItem> {
    custody.ask(|connection| cars::queue(connection, i64::MIN)).unwrap()
}

fn claim(custody: &Custody, who: &str, now: i64) -> Result<Claim, Refusal> {
    let who = officer(who);
    change(custody, move |transaction| cars::claim(transaction, CAR, &who, now))
}

fn look(custody: &Custody, who: &str) {
    let who = officer(who);
    change(custody, move |transaction| cars::view(transaction, CAR, &who, NOW)).unwrap();
}

fn decide_unseen(custody: &Custody, who: &str, number: i64, verdict: Verdict, now: i64) -> Result<State, Refusal> {
    let who = officer(who);
    let decision = FindingDecision { verdict, reason: (verdict == Verdict::Rejected).then_some(FindingReason::Cargo), note: None, looked_ms: 900 };
    change(custody, move |transaction| cars::decide(transaction, CAR, number, &who, &decision, now))
}

fn decides(custody: &Custody, who: &str, number: i64, verdict: Verdict, now: i64) -> Result<State, Refusal> {
    look(custody, who);
    decide_unseen(custody, who, number, verdict, now)
}

fn undo(custody: &Custody, who: &str, number: i64, now: i64) -> Result<State, Refusal> {
    let who = officer(who);
    change(custody, move |transaction| cars::undo(transaction, CAR, number, &who, now))
}

#[test]
fn a_car_waits_until_each_probable_finding_is_decided() {
    let (_folder, custody) = train(&[0.9, 0.7, 0.2], None, false);
    let waiting = queue(&custody);
    assert_eq!((waiting.len(), waiting[0].state, waiting[0].waiting, waiting[0].priority, waiting[0].two_person), (1, State::Open, 2, 20, false));
    assert_eq!((waiting[0].mark.as_deref(), waiting[0].train.as_deref(), waiting[0].kind.as_deref()), (Some("RBOX 1"), Some("monday"), Some("boxcar")));
    assert_eq!(decides(&custody, "ann", 0, Verdict::Rejected, NOW), Ok(State::Open));
    assert_eq!(queue(&custody)[0].waiting, 1);
    assert_eq!(decides(&custody, "bob", 0, Verdict::Confirmed, NOW), Err(Refusal::Closed { state: State::Rejected }));
    assert_eq!(decides(&custody, "bob", 1, Verdict::Confirmed, NOW), Ok(State::Confirmed));
    assert!(queue(&custody).is_empty());
    // What waited for nobody can be decided too; what there is not cannot.
    assert_eq!(decides(&custody, "bob", 2, Verdict::Confirmed, NOW), Ok(State::Confirmed));
    assert_eq!(decides(&custody, "bob", 3, Verdict::Confirmed, NOW), Err(Refusal::Unknown));
}

#[test]
fn nothing_found_is_no_case_and_a_low_finding_becomes_one_by_a_decision() {
    let (_folder, custody) = train(&[0.4], Some((3, false)), false);
    assert!(queue(&custody).is_empty());
    assert_eq!(claim(&custody, "ann", NOW), Err(Refusal::Unknown));
    assert_eq!(decides(&custody, "ann", 0, Verdict::Referred, NOW), Ok(State::Supervisor));
    assert_eq!((queue(&custody)[0].priority, queue(&custody)[0].sought.clone()), (3, Some(["RBOX 1".to_owned(), "stolen".to_owned()])));
    assert_eq!(decides(&custody, "bob", 0, Verdict::Confirmed, NOW), Err(Refusal::SupervisorOnly));
    assert_eq!(decides(&custody, "super", 0, Verdict::Rejected, NOW), Ok(State::Rejected));
}

#[test]
fn one_hand_at_a_time_and_one_thing_in_a_hand() {
    let (_folder, custody) = train(&[0.9], None, false);
    assert_eq!(claim(&custody, "ann", NOW).map(|claim| claim.until_ms), Ok(NOW + LEASE_MS));
    let taken = Refusal::Claimed { by: "Officer ann".to_owned(), until_ms: NOW + LEASE_MS };
    assert_eq!(claim(&custody, "bob", NOW + 1), Err(taken.clone()));
    assert_eq!(decides(&custody, "bob", 0, Verdict::Confirmed, NOW + 1), Err(taken));
    assert_eq!(queue(&custody)[0].owner.as_ref().map(|owner| owner.id.as_str()), Some("ann"));
    // Prolonged by whoever has it; free for others when its time is over.
    assert_eq!(claim(&custody, "ann", NOW + 1_000).map(|claim| claim.since_ms), Ok(NOW));
    assert!(claim(&custody, "bob", NOW + 1_000 + LEASE_MS).is_ok());
    // Who takes a hit gives the car back, and the other way round.
    keep(&custody, "north", 1, Some(1));
    custody.put(passage("north", 1, 1, vec![hit("ABC0001")]));
    settle(&custody);
    let bob = officer("bob");
    assert!(
        change(&custody, {
            let bob = bob.clone();
            move |transaction| decide::claim(transaction, 1, &bob, NOW + 2_000)
        })
        .is_ok()
    );
    assert_eq!(queue(&custody)[0].owner, None);
    assert!(claim(&custody, "bob", NOW + 3_000).is_ok());
    assert_eq!(count(&custody, "SELECT count(*) FROM review WHERE owner IS NOT NULL"), 0);
    assert_eq!(change(&custody, move |transaction| cars::release(transaction, CAR, &bob, NOW + 3_001)), Ok(()));
    assert_eq!(queue(&custody)[0].owner, None);
}

#[test]
fn two_where_the_entry_or_the_portal_wants_two() {
    for (listed, portal) in [(Some((5, true)), false), (None, true)] {
        let (_folder, custody) = train(&[0.9], listed, portal);
        assert!(queue(&custody)[0].two_person);
        assert_eq!(decides(&custody, "ann", 0, Verdict::Confirmed, NOW), Ok(State::Second));
        assert_eq!(queue(&custody)[0].decided_by, ["ann"]);
        assert_eq!(decides(&custody, "ann", 0, Verdict::Confirmed, NOW), Err(Refusal::DecidedAlready));
        assert_eq!(claim(&custody, "ann", NOW), Err(Refusal::DecidedAlready));
        assert_eq!(decides(&custody, "bob", 0, Verdict::Confirmed, NOW), Ok(State::Confirmed));
    }
    // Two that disagree: a supervisor.
    let (_folder, custody) = train(&[0.9], Some((5, true)), false);
    assert_eq!(decides(&custody, "ann", 0, Verdict::Confirmed, NOW), Ok(State::Second));
    assert_eq!(decides(&custody, "bob", 0, Verdict::Rejected, NOW), Ok(State::Supervisor));
    assert_eq!(claim(&custody, "eve", NOW), Err(Refusal::SupervisorOnly));
    assert_eq!(decides(&custody, "super", 0, Verdict::Confirmed, NOW), Ok(State::Confirmed));
}

#[test]
fn what_was_not_sent_is_not_decided_and_what_was_decided_can_be_taken_back() {
    let (_folder, custody) = train(&[0.9], None, false);
    assert_eq!(decide_unseen(&custody, "ann", 0, Verdict::Confirmed, NOW), Err(Refusal::NotSeen));
    assert_eq!(decides(&custody, "ann", 0, Verdict::Confirmed, NOW), Ok(State::Confirmed));
    assert_eq!(undo(&custody, "bob", 0, NOW + 1), Err(Refusal::TooLate));
    assert_eq!(undo(&custody, "ann", 0, NOW + UNDO_MS + 1), Err(Refusal::TooLate));
    assert_eq!(undo(&custody, "ann", 0, NOW + UNDO_MS), Ok(State::Open));
    assert_eq!(undo(&custody, "ann", 0, NOW + UNDO_MS), Err(Refusal::TooLate));
    assert_eq!(decides(&custody, "ann", 0, Verdict::Rejected, NOW), Ok(State::Rejected));
}

#[test]
fn the_store_refuses_whatever_the_program_thinks() {
    let (folder, custody) = train(&[0.9], Some((5, true)), false);
    assert_eq!(decides(&custody, "ann", 0, Verdict::Confirmed, NOW), Ok(State::Second));
    custody.close();
    let store = raw(folder.path());
    store.pragma_update(None, "foreign_keys", true).unwrap();
    let refused = |sql: &str| store.execute_batch(sql).unwrap_err().to_string();
    assert!(refused("UPDATE car_case SET state = 'confirmed'").contains("two persons"));
    // Not even where the case forgot that two are wanted: the entry says so.
    assert!(refused("UPDATE car_case SET two_person = 0").contains("goes on wanting"));
    let again = "INSERT INTO finding_disposition (scan, position, finding, stage, person, name, verdict, looked_ms, decided_ms)
                 SELECT scan, position, finding, 'second', 'ann', name, verdict, 1, 1 FROM finding_disposition";
    assert!(refused(again).contains("UNIQUE"));
    assert!(refused(&again.replace("'ann'", "'eve'")).contains("FOREIGN KEY"), "who was sent nothing");
    assert!(
        refused("INSERT INTO car_case (scan, position, state, priority, two_person, stored_ms) VALUES (1, 2, 'confirmed', 1, 0, 1)").contains("confirmed by")
    );
    store
        .execute_batch(&format!(
            "INSERT INTO car_viewing VALUES (1, 1, 'eve', 1); {}; UPDATE car_case SET state = 'confirmed'",
            again.replace("'ann'", "'eve'")
        ))
        .unwrap();
}

#[test]
fn what_an_inspection_says_anew_is_judged_anew() {
    let (_folder, custody) = train(&[0.9], None, false);
    assert_eq!(decides(&custody, "ann", 0, Verdict::Rejected, NOW), Ok(State::Rejected));
    let says = |findings: &'static str| {
        change(&custody, move |transaction| {
            transaction.execute("UPDATE car SET told = json_set(told, '$.findings', json(?1))", [findings])?;
            cars::renew_all(transaction, 1, false, NOW).map(Ok)
        })
        .unwrap();
    };
    // The same finding beside another: the decision holds, and the other waits.
    says(r#"[{"kind":"box","probability":0.9},{"kind":"wall","probability":0.6}]"#);
    assert_eq!((queue(&custody)[0].state, queue(&custody)[0].waiting, queue(&custody)[0].priority), (State::Open, 1, 20));
    says("[]");
    assert!(queue(&custody).is_empty());
    assert_eq!(count(&custody, "SELECT state = 'withdrawn' FROM car_case"), 1);
    says(r#"[{"kind":"wall","probability":0.6}]"#);
    assert_eq!(queue(&custody)[0].state, State::Open);
}

#[test]
fn screens_are_told_of_cars() {
    let (_folder, custody) = train(&[0.9, 0.8], None, false);
    let since = |last: i64| custody.ask(|connection| changes::since(connection, last)).unwrap();
    let first = since(0);
    assert_eq!((first.hits.len(), first.cars.len()), (0, 1));
    claim(&custody, "ann", NOW).unwrap();
    let claimed = since(first.last);
    assert_eq!(claimed.cars.len(), 1);
    claim(&custody, "ann", NOW + 1).unwrap();
    assert_eq!(since(claimed.last).cars.len(), 0, "a lease that is only prolonged is nobody's news");
    decides(&custody, "ann", 0, Verdict::Confirmed, NOW).unwrap();
    assert_eq!(since(claimed.last).cars.len(), 1, "one of two findings is decided");
    let case = since(claimed.last).cars[0].1;
    let told = custody.ask(|connection| cars::one(connection, case, i64::MIN)).unwrap().expect("it is there");
    assert_eq!((told.waiting, told.owner.map(|owner| owner.id)), (1, Some("ann".to_owned())));
    assert_eq!(custody.ask(|connection| cars::one(connection, case, NOW)).unwrap(), None, "its scan came before that");
    // Taken back, drawn beside, drawn no longer: the car waits as before, and whoever looks at it is told.
    let judged = since(claimed.last);
    undo(&custody, "ann", 0, NOW + 1).unwrap();
    let undone = since(judged.last);
    assert_eq!(undone.cars.len(), 1);
    let ann = officer("ann");
    let drawn = cars::Drawn { kind: cars::DrawnKind::Box, from: [1, 1], to: [2, 2], body: "a jar".to_owned() };
    let opened = Act { who: "ann".to_owned(), action: Action::CarViewed, subject: cars::subject(CAR), details: serde_json::json!({}), now_ms: NOW };
    let draws = change(&custody, {
        let ann = ann.clone();
        move |transaction| {
            audit::append(transaction, &opened)?;
            cars::annotate(transaction, CAR, &ann, &drawn, NOW)
        }
    });
    assert_eq!(draws, Ok(()));
    let drew = since(undone.last);
    assert_eq!(drew.cars.len(), 1);
    let id = custody.ask(|connection| connection.query_row("SELECT id FROM annotation", [], |row| row.get(0))).unwrap();
    change(&custody, move |transaction| cars::remove(transaction, CAR, id, &ann, NOW)).unwrap();
    let removed = since(drew.last);
    assert_eq!(removed.cars.len(), 1);
    // A paper that comes later: inspected anew.
    let state = |state: &'static str| change(&custody, move |transaction| transaction.execute("UPDATE scan SET state = ?1", [state]).map(|_| Ok(()))).unwrap();
    state("waiting");
    assert_eq!(since(removed.last).cars.len(), 0, "nothing is known yet");
    state("inspected");
    assert_eq!(since(removed.last).cars.len(), 1);
}

/// `testdata/custody/v8.sql`: a store as version 8 wrote it, in which one person decided for all.
#[test]
fn cars_of_an_old_store_become_cases() {
    let folder = tempdir().unwrap();
    let script = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/custody/v8.sql")).unwrap();
    raw(folder.path()).execute_batch(&script).unwrap();
    let custody = open(folder.path());
    let cases: Vec<(i64, String, i64, bool)> = custody
        .ask(|connection| {
            let mut all = connection.prepare("SELECT position, state, priority, two_person FROM car_case ORDER BY position")?;
            all.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?.collect()
        })
        .unwrap();
    let case = |position, state: &str, priority, two| (position, state.to_owned(), priority, two);
    assert_eq!(cases, [case(1, "open", 20, false), case(2, "second", 4, true), case(4, "rejected", 40, false), case(5, "confirmed", 15, false)]);
    assert_eq!(count(&custody, "SELECT count(*) FROM finding_disposition"), 5);
    // What garita makes of them says the same as what the migration did.
    change(&custody, |transaction| cars::renew_all(transaction, 1, false, NOW).map(Ok)).unwrap();
    assert_eq!(count(&custody, "SELECT group_concat(state) = 'open,second,rejected,confirmed' FROM (SELECT state FROM car_case ORDER BY position)"), 1);
    let bob = officer("bob");
    change(&custody, {
        let bob = bob.clone();
        move |transaction| cars::view(transaction, (1, 2), &bob, NOW)
    })
    .unwrap();
    let yes = FindingDecision { verdict: Verdict::Confirmed, reason: None, note: None, looked_ms: 1 };
    assert_eq!(change(&custody, move |transaction| cars::decide(transaction, (1, 2), 0, &bob, &yes, NOW)), Ok(State::Confirmed));
}
