//! What people may do with hits, and what the store refuses whoever asks.

#[path = "store/mod.rs"]
mod store;

use std::sync::mpsc::channel;

use garita::custody::evidence::{Sha, hex, sha256};
use garita::custody::record::{Fate, Record};
use garita::custody::{Custody, Settings, check, told};
use garita::lane::hit::Hit;
use garita::review::decide::{self, Decision, Outcome, Refusal};
use garita::review::{LEASE_MS, OPEN_MS, Officer, Reason, State, UNDO_MS, Verdict, cases, changes, figures};
use garita::watchlist::entry::Entry;
use rusqlite::Transaction;
use store::{BEGIN_MS, DAY_MS, assert_sound, bytes, count, hit, keep, open, open_with, passage, settings, settle, sighting, sweep};
use tempfile::tempdir;

const LANE: &str = "north";
const NOW: i64 = BEGIN_MS + 60_000;

fn officer(id: &str) -> Officer {
    Officer { id: id.to_owned(), name: format!("Officer {id}"), supervises: id.starts_with("super") }
}

/// Runs a change as the service does.
fn change<T: Send + 'static>(custody: &Custody, work: impl FnOnce(&Transaction<'_>) -> Outcome<T> + Send + 'static) -> Result<T, Refusal> {
    let (tell, told) = channel();
    let fate = custody.change(move |transaction| {
        let _ = tell.send(work(transaction)?);
        Ok(0)
    });
    assert_eq!(fate, Fate::Kept(0));
    told.recv().expect("the change ran")
}

fn two_person(text: &str) -> Hit {
    let hit = hit(text);
    Hit { entry: Entry { two_person: true, ..hit.entry }, ..hit }
}

/// A vehicle that has passed with these hits; its cases in the order of the hits, and the digest of the evidence.
fn passed(custody: &Custody, track: u64, hits: Vec<Hit>) -> (Vec<i64>, Sha) {
    keep(custody, LANE, track, Some(track));
    custody.put(passage(LANE, track, track, hits));
    settle(custody);
    let ids = custody
        .ask(|connection| connection.prepare("SELECT id FROM hit WHERE track = ?1 ORDER BY id")?.query_map([track as i64], |row| row.get(0))?.collect())
        .expect("asks");
    (ids, sha256(&bytes(LANE, track)))
}

fn claim(custody: &Custody, case: i64, who: &str, now: i64) -> Result<decide::Claim, Refusal> {
    let who = officer(who);
    change(custody, move |transaction| decide::claim(transaction, case, &who, now))
}

fn view(custody: &Custody, case: i64, who: &str, evidence: Sha) {
    let who = officer(who);
    change(custody, move |transaction| decide::view(transaction, case, &who, &evidence, NOW)).expect("a case");
}

fn decision(verdict: Verdict, evidence: Sha) -> Decision {
    Decision { verdict, reason: (verdict == Verdict::Rejected).then_some(Reason::Misread), evidence, looked_ms: 1_200 }
}

/// Looks and decides.
fn decides(custody: &Custody, case: i64, who: &str, verdict: Verdict, evidence: Sha, now: i64) -> Result<State, Refusal> {
    view(custody, case, who, evidence);
    let (who, decision) = (officer(who), decision(verdict, evidence));
    change(custody, move |transaction| decide::decide(transaction, case, &who, &decision, now))
}

fn undo(custody: &Custody, case: i64, who: &str, now: i64) -> Result<State, Refusal> {
    let who = officer(who);
    change(custody, move |transaction| decide::undo(transaction, case, &who, now))
}

#[test]
fn a_hit_is_a_case_until_somebody_decides() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (ids, evidence) = passed(&custody, 1, vec![hit("ABC0001")]);
    let (queue, all) = custody.ask(|connection| cases::queue(connection, i64::MIN)).unwrap();
    assert_eq!((queue.len(), all, queue[0].id, queue[0].state, queue[0].read.as_str()), (1, 1, ids[0], State::Open, "ABC0001"));
    assert_eq!(decides(&custody, ids[0], "ann", Verdict::Confirmed, evidence, NOW), Ok(State::Confirmed));
    assert!(custody.ask(|connection| cases::queue(connection, i64::MIN)).unwrap().0.is_empty());
    assert_eq!(decides(&custody, ids[0], "bob", Verdict::Rejected, evidence, NOW), Err(Refusal::Closed { state: State::Confirmed }));
    let actions: Vec<String> = custody
        .ask(|connection| {
            connection.prepare("SELECT action || ' ' || who || ' ' || subject FROM audit ORDER BY id")?.query_map([], |row| row.get(0))?.collect()
        })
        .unwrap();
    let subject = format!("hit {}", ids[0]);
    assert_eq!(actions, [format!("hit.viewed ann {subject}"), format!("disposition ann {subject}"), format!("hit.viewed bob {subject}")]);
    custody.close();
    assert!(check::check(folder.path()).unwrap().findings.is_empty());
}

/// What `who` did, of the audit trail: details.
fn views(custody: &Custody, who: &'static str) -> Vec<serde_json::Value> {
    let question = "SELECT details FROM audit WHERE action = 'hit.viewed' AND who = ?1 ORDER BY id";
    let details: Vec<String> =
        custody.ask(|connection| connection.prepare(question)?.query_map([who], |row| row.get(0))?.collect::<rusqlite::Result<_>>()).unwrap();
    details.iter().map(|details| serde_json::from_str(details).unwrap()).collect()
}

#[test]
fn a_view_of_a_case_is_one_record_that_names_its_pictures() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (ids, _) = passed(&custody, 1, vec![hit("ABC0001")]);
    let strip: Vec<Sha> = (0..12u8).map(|number| sha256(&[number])).collect();
    let names: Vec<String> = strip.iter().map(hex).collect();
    let opens = |who: &'static str, pictures: &[String], now_ms: i64| {
        let (case, pictures) = (ids[0], pictures.to_vec());
        change(&custody, move |transaction| decide::open(transaction, case, &officer(who), &pictures, now_ms)).unwrap();
    };
    let looks = |who: &'static str, picture: &Sha, now_ms: i64| {
        let (case, picture) = (ids[0], *picture);
        change(&custody, move |transaction| decide::view(transaction, case, &officer(who), &picture, now_ms)).unwrap();
    };
    let is_open = |who: &str, pictures: &[String], now_ms| custody.ask(|connection| decide::is_open(connection, ids[0], who, pictures, now_ms)).unwrap();
    assert!(!is_open("ann", &[], NOW), "nothing was recorded");
    // The whole strip is one record, however often she looks.
    opens("ann", &names[..10], NOW);
    strip[..10].iter().for_each(|picture| looks("ann", picture, NOW + 1));
    opens("ann", &names[..10], NOW + OPEN_MS);
    assert!(is_open("ann", &names[..10], NOW + OPEN_MS));
    assert_eq!(views(&custody, "ann"), [serde_json::json!({ "evidence": names[..10] })]);
    // What comes meanwhile is named; so is what she asks for without having been shown it.
    assert!(!is_open("ann", &names[..11], NOW + 2));
    opens("ann", &names[..11], NOW + 2);
    looks("ann", &strip[11], NOW + 3);
    assert_eq!(views(&custody, "ann")[1..], [serde_json::json!({ "evidence": [names[10]] }), serde_json::json!({ "evidence": [names[11]] })]);
    // Another time is another view, and so is somebody else's.
    opens("ann", &names[..1], NOW + OPEN_MS + 1);
    looks("bob", &strip[0], NOW);
    assert_eq!((views(&custody, "ann").len(), views(&custody, "bob")), (4, vec![serde_json::json!({ "evidence": [names[0]] })]));
    custody.close();
    assert!(check::check(folder.path()).unwrap().findings.is_empty());
}

#[test]
fn a_disposition_and_its_undoing_leave() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (ids, evidence) = passed(&custody, 1, vec![hit("ABC0001")]);
    assert_eq!(decides(&custody, ids[0], "ann", Verdict::Rejected, evidence, NOW), Ok(State::Rejected));
    assert_eq!(undo(&custody, ids[0], "ann", NOW + 1), Ok(State::Open));
    let events: Vec<(String, String, String)> = custody
        .ask(|connection| {
            let question = "SELECT kind, subject, body FROM outbox WHERE kind LIKE 'disposition%' ORDER BY id";
            connection.prepare(question)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
        })
        .unwrap();
    let of = |kind: &str| (kind.to_owned(), format!("{LANE}/1"), "{\"row\":1}".to_owned());
    assert_eq!(events, [of("disposition"), of("disposition.undone")]);
    let told = custody.ask(|connection| told::disposition(connection, 1)).unwrap().unwrap();
    assert_eq!((told.hit.id, told.verdict.as_str(), told.reason.as_deref(), told.person.as_str()), (ids[0], "rejected", Some("misread"), "ann"));
    assert_eq!((told.undone_ms, told.state.as_str(), told.evidence), (Some(NOW + 1), "open", hex(&evidence)));
    custody.close();
}

#[test]
fn a_case_is_in_one_hand() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (ids, evidence) = passed(&custody, 1, vec![hit("ABC0001")]);
    let (others, _) = passed(&custody, 2, vec![hit("ABC0002")]);
    assert_eq!(claim(&custody, ids[0], "ann", NOW).unwrap().until_ms, NOW + LEASE_MS);
    let taken = Refusal::Claimed { by: "Officer ann".to_owned(), until_ms: NOW + LEASE_MS };
    assert_eq!(claim(&custody, ids[0], "bob", NOW + 1), Err(taken.clone()));
    assert_eq!(decides(&custody, ids[0], "bob", Verdict::Confirmed, evidence, NOW + 1), Err(taken));
    // Prolonged, and since when stays.
    let later = NOW + LEASE_MS - 1;
    assert_eq!(claim(&custody, ids[0], "ann", later), Ok(decide::Claim { until_ms: later + LEASE_MS, since_ms: NOW }));
    // Who takes another one leaves this one.
    claim(&custody, others[0], "ann", later).expect("free");
    claim(&custody, ids[0], "bob", later).expect("free");
    // A lease that ran out keeps nobody out.
    claim(&custody, others[0], "cid", later + LEASE_MS).expect("the lease is over");
    let cid = officer("cid");
    let case = others[0];
    change(&custody, move |transaction| decide::release(transaction, case, &cid, NOW)).expect("released");
    claim(&custody, others[0], "bob", NOW).expect("given back");
    assert_eq!(count(&custody, "SELECT count(*) FROM review WHERE owner IS NOT NULL"), 1);
}

#[test]
fn ten_who_claim_at_once_are_one() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (ids, _) = passed(&custody, 1, vec![hit("ABC0001")]);
    let won = std::thread::scope(|scope| {
        let racing: Vec<_> = (0..10)
            .map(|number| {
                scope.spawn({
                    let custody = &custody;
                    let case = ids[0];
                    move || claim(custody, case, &format!("p{number}"), NOW).is_ok()
                })
            })
            .collect();
        racing.into_iter().filter(|_| true).map(|thread| thread.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!(won, 1);
}

#[test]
fn the_second_person_is_never_the_first() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (ids, evidence) = passed(&custody, 1, vec![two_person("ABC0001")]);
    let case = ids[0];
    assert_eq!(decides(&custody, case, "ann", Verdict::Confirmed, evidence, NOW), Ok(State::Second));
    assert_eq!(decides(&custody, case, "ann", Verdict::Confirmed, evidence, NOW), Err(Refusal::DecidedAlready));
    assert_eq!(claim(&custody, case, "ann", NOW), Err(Refusal::DecidedAlready));
    // The store itself refuses what this code would not ask.
    let by_hand = [
        format!("UPDATE review SET state = 'confirmed' WHERE hit = {case}"),
        format!(
            "INSERT INTO disposition SELECT NULL, hit, 'second', person, name, verdict, reason, evidence, 0, 0, 0, NULL FROM disposition WHERE hit = {case}"
        ),
    ];
    for forged in by_hand {
        let fate = custody.change(move |transaction| transaction.execute_batch(&forged).map(|()| 0));
        assert!(matches!(fate, Fate::Failed(_)), "{fate:?}");
    }
    assert_eq!(decides(&custody, case, "bob", Verdict::Confirmed, evidence, NOW), Ok(State::Confirmed));
}

#[test]
fn who_disagrees_calls_a_supervisor() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (ids, evidence) = passed(&custody, 1, vec![two_person("ABC0001")]);
    let case = ids[0];
    assert_eq!(decides(&custody, case, "ann", Verdict::Confirmed, evidence, NOW), Ok(State::Second));
    assert_eq!(decides(&custody, case, "bob", Verdict::Rejected, evidence, NOW), Ok(State::Supervisor));
    assert_eq!(decides(&custody, case, "cid", Verdict::Confirmed, evidence, NOW), Err(Refusal::SupervisorOnly));
    assert_eq!(decides(&custody, case, "super", Verdict::Confirmed, evidence, NOW), Ok(State::Confirmed));
    let (ids, evidence) = passed(&custody, 2, vec![two_person("ABC0002")]);
    assert_eq!(decides(&custody, ids[0], "super1", Verdict::Referred, evidence, NOW), Ok(State::Supervisor));
    assert_eq!(decides(&custody, ids[0], "super1", Verdict::Confirmed, evidence, NOW), Err(Refusal::DecidedAlready));
    assert_eq!(decides(&custody, ids[0], "super2", Verdict::Confirmed, evidence, NOW), Ok(State::Second));
    assert_eq!(decides(&custody, ids[0], "ann", Verdict::Confirmed, evidence, NOW), Ok(State::Confirmed));
}

#[test]
fn nobody_decides_on_what_they_were_not_sent() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (ids, evidence) = passed(&custody, 1, vec![hit("ABC0001")]);
    let (others, other_evidence) = passed(&custody, 2, vec![hit("ABC0002")]);
    let (case, ann) = (ids[0], officer("ann"));
    let unseen = decision(Verdict::Confirmed, evidence);
    assert_eq!(change(&custody, move |transaction| decide::decide(transaction, case, &ann, &unseen, NOW)), Err(Refusal::NotSeen));
    // Seen, but another case's; seen by somebody else.
    view(&custody, others[0], "ann", other_evidence);
    view(&custody, case, "bob", evidence);
    assert_eq!(decides(&custody, case, "ann", Verdict::Confirmed, other_evidence, NOW), Err(Refusal::NotSeen));
    let forged = format!(
        "INSERT INTO disposition (hit, stage, person, name, verdict, evidence, looked_ms, claimed_ms, decided_ms) VALUES ({case}, 'open', 'eve', 'Eve', 'confirmed', zeroblob(32), 0, 0, 0)"
    );
    let fate = custody.change(move |transaction| transaction.execute_batch(&forged).map(|()| 0));
    assert!(matches!(fate, Fate::Failed(_)), "{fate:?}");
    assert_eq!(decides(&custody, case, "ann", Verdict::Confirmed, evidence, NOW), Ok(State::Confirmed));
}

#[test]
fn a_rejection_has_a_reason_and_other_has_a_note() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (ids, evidence) = passed(&custody, 1, vec![hit("ABC0001")]);
    let case = ids[0];
    view(&custody, case, "ann", evidence);
    let ask = |verdict, reason| {
        let (ann, decision) = (officer("ann"), Decision { verdict, reason, evidence, looked_ms: 5 });
        change(&custody, move |transaction| decide::decide(transaction, case, &ann, &decision, NOW))
    };
    assert_eq!(ask(Verdict::Rejected, None), Err(Refusal::Reason));
    assert_eq!(ask(Verdict::Confirmed, Some(Reason::Misread)), Err(Refusal::Reason));
    assert_eq!(ask(Verdict::Rejected, Some(Reason::Other)), Err(Refusal::NoteWanted));
    let note = |who: &str, body: &str| {
        let (who, body) = (officer(who), body.to_owned());
        change(&custody, move |transaction| decide::note(transaction, case, &who, &body, NOW))
    };
    assert_eq!((note("ann", " "), note("ann", &"x".repeat(2_001))), (Err(Refusal::Note), Err(Refusal::Note)));
    note("bob", "not my case").unwrap();
    assert_eq!(ask(Verdict::Rejected, Some(Reason::Other)), Err(Refusal::NoteWanted));
    note("ann", "<b>a trailer</b>").unwrap();
    assert_eq!(ask(Verdict::Rejected, Some(Reason::Other)), Ok(State::Rejected));
    let told = custody.ask(|connection| cases::case(connection, case, i64::MIN)).unwrap().unwrap();
    assert_eq!((told.notes.len(), told.notes[1].body.as_str()), (2, "<b>a trailer</b>"));
}

#[test]
fn a_decision_is_taken_back_by_whoever_made_it_while_it_is_fresh() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (ids, evidence) = passed(&custody, 1, vec![two_person("ABC0001")]);
    let case = ids[0];
    decides(&custody, case, "ann", Verdict::Confirmed, evidence, NOW).unwrap();
    assert_eq!(undo(&custody, case, "bob", NOW + 1), Err(Refusal::TooLate));
    assert_eq!(undo(&custody, case, "ann", NOW + UNDO_MS + 1), Err(Refusal::TooLate));
    assert_eq!(undo(&custody, case, "ann", NOW + UNDO_MS), Ok(State::Open));
    // In her hand again, and hers to decide anew.
    assert!(matches!(claim(&custody, case, "bob", NOW + UNDO_MS + 1), Err(Refusal::Claimed { .. })));
    assert_eq!(decides(&custody, case, "ann", Verdict::Confirmed, evidence, NOW + UNDO_MS + 2), Ok(State::Second));
    // Not once another person has gone on from it.
    decides(&custody, case, "bob", Verdict::Confirmed, evidence, NOW + UNDO_MS + 3).unwrap();
    assert_eq!(undo(&custody, case, "ann", NOW + UNDO_MS + 4), Err(Refusal::TooLate));
    assert_eq!(undo(&custody, case, "bob", NOW + UNDO_MS + 4), Ok(State::Second));
    assert_eq!(count(&custody, "SELECT count(*) FROM disposition WHERE undone_ms IS NOT NULL"), 2);
}

#[test]
fn a_sighting_can_be_decided_and_what_the_vote_takes_back_is_gone() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    for track in [1, 2] {
        keep(&custody, LANE, track, Some(track));
        custody.put(sighting(LANE, track, track, vec![hit(&store::text(track))]));
    }
    settle(&custody);
    let (queue, _) = custody.ask(|connection| cases::queue(connection, i64::MIN)).unwrap();
    let [first, second] = [queue[0].id, queue[1].id];
    let told = custody.ask(|connection| cases::case(connection, first, i64::MIN)).unwrap().unwrap();
    assert_eq!((told.item.hit.as_str(), told.item.read.as_str(), told.pictures.len()), ("sighted", "ABC0001", 1));
    let seen = sha256(&bytes(LANE, 1));
    assert!(custody.ask(|connection| cases::picture(connection, first, &told.pictures[0].digest, i64::MIN)).unwrap().is_some());
    view(&custody, first, "ann", seen);
    // Meanwhile the vehicle has passed, and other frames are its evidence: what was on the screen is of the same vehicle.
    keep(&custody, LANE, 3, Some(1));
    custody.put(passage(LANE, 1, 3, vec![hit("ABC0001")]));
    custody.put(passage(LANE, 2, 2, vec![]));
    settle(&custody);
    assert_eq!(decides(&custody, first, "ann", Verdict::Confirmed, seen, NOW), Ok(State::Confirmed));
    assert!(custody.ask(|connection| cases::queue(connection, i64::MIN)).unwrap().0.is_empty());
    let told = custody.ask(|connection| cases::one(connection, second)).unwrap().unwrap();
    assert_eq!((told.state, told.hit.as_str()), (State::Withdrawn, "withdrawn"));
    assert_eq!(decides(&custody, second, "ann", Verdict::Confirmed, sha256(&bytes(LANE, 2)), NOW), Err(Refusal::Closed { state: State::Withdrawn }));
}

#[test]
fn changes_go_on_where_a_screen_left_off() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (ids, evidence) = passed(&custody, 1, vec![hit("ABC0001"), hit("ABC0002")]);
    let newest = custody.ask(changes::newest).unwrap();
    let none = custody.ask(|connection| changes::since(connection, newest)).unwrap();
    assert_eq!((none.hits.len(), none.last, none.missed), (0, newest, false));
    claim(&custody, ids[1], "ann", NOW).unwrap();
    let prolonged = custody.ask(changes::newest).unwrap();
    claim(&custody, ids[1], "ann", NOW + 1).unwrap();
    assert_eq!(custody.ask(changes::newest).unwrap(), prolonged, "a longer lease is no news");
    decides(&custody, ids[1], "ann", Verdict::Confirmed, evidence, NOW).unwrap();
    custody.close();
    // Also after a restart; a case is told once, with its newest number.
    let custody = open(folder.path());
    let told = custody.ask(|connection| changes::since(connection, newest)).unwrap();
    assert_eq!(told.hits.iter().map(|one| one.1).collect::<Vec<_>>(), [ids[1]]);
    assert_eq!(told.last, custody.ask(changes::newest).unwrap());
    // A number of another store, and one that lies too far back.
    assert!(custody.ask(move |connection| changes::since(connection, newest + 1_000)).unwrap().missed);
    let case = ids[0];
    let many =
        format!("WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20100) INSERT INTO review_change (hit) SELECT {case} FROM n");
    assert_eq!(custody.change(move |transaction| transaction.execute_batch(&many).map(|()| 0)), Fate::Kept(0));
    assert_eq!(count(&custody, "SELECT count(*) FROM review_change"), 20_000);
    assert!(custody.ask(move |connection| changes::since(connection, newest)).unwrap().missed);
}

#[test]
fn what_has_had_its_time_takes_its_dispositions_along() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), Settings { passages_days: 1, hits_days: 2, ..settings() });
    let (ids, evidence) = passed(&custody, 1, vec![hit("ABC0001")]);
    let (case, ann) = (ids[0], officer("ann"));
    change(&custody, move |transaction| decide::note(transaction, case, &ann, "a note", NOW)).unwrap();
    decides(&custody, case, "ann", Verdict::Confirmed, evidence, NOW).unwrap();
    sweep(&custody, BEGIN_MS + 3 * DAY_MS);
    for table in ["hit", "review", "disposition", "note", "viewing"] {
        assert_eq!(count(&custody, &format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    custody.close();
    assert_sound(folder.path());
}

#[test]
fn figures_count_what_was_decided() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    for (track, verdict) in [(1, Verdict::Confirmed), (2, Verdict::Rejected), (3, Verdict::Rejected), (4, Verdict::Referred)] {
        let (ids, evidence) = passed(&custody, track, vec![hit(&store::text(track))]);
        decides(&custody, ids[0], "ann", verdict, evidence, NOW).unwrap();
    }
    let told = serde_json::to_value(custody.ask(|connection| figures::accuracy(connection, 0)).unwrap()).unwrap();
    let all = &told["groups"]["all"][0];
    assert_eq!((all["confirmed"].as_u64(), all["rejected"].as_u64(), all["misread"].as_u64()), (Some(1), Some(2), Some(2)));
    assert!((all["wrong"][0].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9, "{all}");
    assert_eq!((told["reasons"]["misread"].as_u64(), told["states"]["supervisor"].as_u64(), told["looked_ms"][0].as_f64()), (Some(2), Some(1), Some(1_200.0)));
    let hours = custody.ask(|connection| figures::hours(connection, BEGIN_MS - 3_600_000, BEGIN_MS + 3_600_000)).unwrap();
    let hours = serde_json::to_value(hours).unwrap();
    let sum = |name: &str| hours[name].as_array().unwrap().iter().filter_map(serde_json::Value::as_i64).sum::<i64>();
    assert_eq!((sum("hits"), sum("passages"), sum("judged"), sum("misread")), (4, 4, 3, 2));
}

#[test]
fn history_tells_of_the_same_plate() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (first, evidence) = passed(&custody, 1, vec![hit("ABC0001")]);
    decides(&custody, first[0], "ann", Verdict::Rejected, evidence, NOW).unwrap();
    // The same plate again, with another track's number.
    keep(&custody, LANE, 9, Some(9));
    let Record::Passage(mut again) = passage(LANE, 9, 9, vec![hit("ABC0001")]) else { unreachable!() };
    again.passage.text = garita::posterior::Text::of("ABC0001").unwrap();
    custody.put(Record::Passage(again));
    settle(&custody);
    let id = count(&custody, "SELECT max(id) FROM hit");
    let told = custody.ask(|connection| cases::case(connection, id, i64::MIN)).unwrap().unwrap();
    assert_eq!((told.history.len(), told.history[0].cases[0].state), (1, State::Rejected));
}

#[test]
fn a_check_finds_who_went_round_the_rules() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let (ids, evidence) = passed(&custody, 1, vec![two_person("ABC0001"), hit("ABC0002")]);
    decides(&custody, ids[0], "ann", Verdict::Confirmed, evidence, NOW).unwrap();
    decides(&custody, ids[1], "ann", Verdict::Confirmed, evidence, NOW).unwrap();
    custody.close();
    assert_sound(folder.path());
    let forged = format!("DROP TRIGGER two_persons; UPDATE review SET state = 'confirmed' WHERE hit = {}", ids[0]);
    store::raw(folder.path()).execute_batch(&forged).unwrap();
    let found = check::check(folder.path()).unwrap().findings;
    let subject = format!("hit {}", ids[0]);
    assert!(found.iter().any(|one| one.invariant == 9 && one.subject == subject), "{found:#?}");
    assert!(found.iter().any(|one| one.invariant == 7 && one.subject == "two_persons"), "{found:#?}");
}
