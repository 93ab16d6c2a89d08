//! What is stored goes when its time has come, by list, class and jurisdiction, to the hour and for good; what is held stays; and each deletion is recorded.

use std::path::Path;

use garita::custody::keeping::{self, Held, NewHold};
use garita::custody::record::{Fate, PassageRecord, Record};
use garita::custody::{Custody, Settings};
use garita::lane::hit::Hit;
use garita::lane::read::{Code, Jurisdiction};
use garita::site::{Class, RetentionRule};
use garita::watchlist::entry::Entry;
use tempfile::tempdir;

use super::store::*;

const HOUR_MS: i64 = 3_600_000;

fn rule(id: &str, class: Class, list: Option<&str>, jurisdiction: Option<&str>, days: u32) -> RetentionRule {
    RetentionRule { id: id.to_owned(), class, list: list.map(str::to_owned), jurisdiction: jurisdiction.map(str::to_owned), days }
}

fn rules() -> Vec<RetentionRule> {
    vec![
        rule("amber", Class::Hit, Some("amber"), None, 700),
        rule("tolls-ca", Class::Hit, Some("tolls"), Some("US-CA"), 2),
        rule("tolls", Class::Hit, Some("tolls"), None, 5),
        rule("ca", Class::Passage, None, Some("US-CA"), 1),
        rule("unread", Class::Passage, None, Some(""), 3),
    ]
}

/// A passage that nobody else's test has, of `jurisdiction`, met by an entry of each of `lists`.
fn pass(custody: &Custody, track: u64, jurisdiction: Option<&str>, lists: &[&str]) {
    keep(custody, "north", track, Some(track));
    let hits = lists
        .iter()
        .map(|list| Hit { entry: Entry { list: (*list).to_owned(), jurisdiction: entry_of(jurisdiction), ..hit(&text(track)).entry }, ..hit(&text(track)) });
    let Record::Passage(mut record) = passage_at("north", track, track, hits.collect(), BEGIN_MS + HOUR_MS) else { unreachable!("a passage is a passage") };
    record.passage.jurisdiction = jurisdiction.map(|code| Jurisdiction { code: Code::of(code).unwrap(), confidence: 0.9 });
    custody.put(Record::Passage(Box::new(PassageRecord { ..*record })));
    settle(custody);
}

fn entry_of(jurisdiction: Option<&str>) -> garita::watchlist::entry::Jurisdiction {
    garita::watchlist::entry::Jurisdiction::of(jurisdiction.unwrap_or_default()).expect("a code")
}

fn tracks(custody: &Custody) -> Vec<i64> {
    let left = custody.ask(|connection| {
        connection.prepare("SELECT track FROM passage ORDER BY track")?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()
    });
    left.unwrap()
}

/// Nothing of the passage's plate or pictures is left anywhere below `folder`.
fn assert_unreadable(folder: &Path, track: u64) {
    let (plate, picture) = (text(track), bytes("north", track));
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let content = std::fs::read(&path).unwrap();
            let holds = |needle: &[u8]| content.windows(needle.len()).any(|window| window == needle);
            assert!(!holds(plate.as_bytes()), "{}: plate {plate} is still readable", path.display());
            assert!(!holds(&picture[..64]), "{}: the picture of {plate} is still there", path.display());
        }
    }
}

#[test]
fn each_goes_to_the_hour_by_its_own_rule_and_nothing_is_left() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), Settings { passages_days: 30, hits_days: 365, rules: rules(), ..settings() });
    // Track, jurisdiction, lists, days that it is kept.
    let plan: [(u64, Option<&str>, &[&str], i64); 8] = [
        (0, Some("US-CA"), &[], 1),
        (1, Some("US-CA"), &["tolls"], 2),
        (2, None, &[], 3),
        (3, Some("MX-BCN"), &["tolls"], 5),
        (4, Some("MX-BCN"), &[], 30),
        (5, Some("US-TX"), &["stolen"], 365),
        (6, Some("US-CA"), &["tolls", "amber"], 700),
        (7, Some("US-CA"), &["amber"], 700),
    ];
    for (track, jurisdiction, lists, _) in plan {
        pass(&custody, track, jurisdiction, lists);
    }
    let stored_ms = BEGIN_MS + HOUR_MS;
    let mut days: Vec<i64> = plan.iter().map(|one| one.3).collect();
    days.dedup();
    for day in days {
        let due: Vec<i64> = plan.iter().filter(|one| one.3 == day).map(|one| one.0 as i64).collect();
        sweep(&custody, stored_ms + day * DAY_MS);
        assert!(due.iter().all(|track| tracks(&custody).contains(track)), "day {day}: {due:?} before their time, {:?} are left", tracks(&custody));
        sweep(&custody, stored_ms + day * DAY_MS + HOUR_MS);
        assert!(due.iter().all(|track| !tracks(&custody).contains(track)), "day {day}: {due:?} an hour late, {:?} are left", tracks(&custody));
        for track in due {
            assert_unreadable(folder.path(), track as u64);
        }
    }
    assert_eq!(tracks(&custody), Vec::<i64>::new());
    let told = custody.ask(|connection| {
        let mut statement = connection.prepare("SELECT value FROM audit, json_each(details, '$.passages') WHERE action = 'deleted' ORDER BY 1")?;
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()
    });
    assert_eq!(told.unwrap(), (1..=8).collect::<Vec<i64>>(), "each deletion is recorded, once");
    assert_eq!(custody.ask(|connection| garita::audit::verify::verify(connection, &[])).unwrap().wrong, None);
    custody.close();
    assert_sound(folder.path());
}

fn hold(custody: &Custody, kind: Held, subject: &str) -> i64 {
    let new = NewHold { kind, subject: subject.to_owned(), reason: "evidence".to_owned(), case_number: "2026-17".to_owned() };
    match custody.change(move |transaction| Ok(keeping::hold(transaction, "jdoe", &new, BEGIN_MS)?.unwrap_or(0))) {
        Fate::Kept(id) => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_held_stays_until_it_is_released() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), Settings { passages_days: 1, ..settings() });
    (0..4).for_each(|track| pass(&custody, track, None, &[]));
    let (by_number, by_plate) = (hold(&custody, Held::Passage, "2"), hold(&custody, Held::Plate, &text(2)));
    assert_eq!(
        (hold(&custody, Held::Passage, "99"), hold(&custody, Held::Scan, "1"), hold(&custody, Held::Passage, "2 ")),
        (0, 0, 0),
        "there is no such thing"
    );
    let late = BEGIN_MS + 100 * DAY_MS;
    sweep(&custody, late);
    assert_eq!(tracks(&custody), [1, 2]);
    let release = |id: i64| custody.change(move |transaction| keeping::release(transaction, "boss", id, late).map(i64::from));
    assert_eq!((release(by_plate), release(by_plate), release(99)), (Fate::Kept(1), Fate::Kept(0), Fate::Kept(0)), "once");
    sweep(&custody, late);
    assert_eq!(tracks(&custody), [1]);
    assert_unreadable_but_in(&custody, folder.path(), 2);
    release(by_number);
    sweep(&custody, late);
    assert_eq!(tracks(&custody), Vec::<i64>::new());
    let acts = "SELECT count(*) FROM audit WHERE action IN ('hold.placed', 'hold.released')";
    assert_eq!(count(&custody, acts), 4);
    let holds = custody.ask(keeping::holds).unwrap();
    assert_eq!((holds.len(), holds[0].released_by.as_deref()), (2, Some("boss")));
    custody.close();
    assert_sound(folder.path());
}

/// Of a plate that was held the hold and its record still tell: somebody named it on purpose. The passage is gone.
fn assert_unreadable_but_in(custody: &Custody, folder: &Path, track: u64) {
    assert_eq!(count(custody, &format!("SELECT count(*) FROM passage WHERE text = '{}'", text(track))), 0);
    let evidence = folder.join("evidence");
    assert!(!garita::custody::evidence::path(&evidence, &garita::custody::evidence::sha256(&bytes("north", track))).exists());
}

/// New rules count for what is there already, and what they keep longer does not go by the old ones.
#[test]
fn rules_that_change_count_for_what_is_there() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), Settings { passages_days: 1, ..settings() });
    (0..700).for_each(|track| {
        custody.put(passage_at("north", track, track, Vec::new(), BEGIN_MS));
    });
    settle(&custody);
    sweep(&custody, BEGIN_MS + 1);
    sweep(&custody, BEGIN_MS + 1);
    assert_eq!(count(&custody, "SELECT count(*) FROM passage WHERE expires_ms IS NULL"), 0);
    custody.close();

    let longer = open_with(folder.path(), Settings { passages_days: 20, ..settings() });
    for _ in 0..5 {
        sweep(&longer, BEGIN_MS + 10 * DAY_MS);
    }
    assert_eq!(count(&longer, "SELECT count(*) FROM passage"), 700, "by the new rules they stay");
    longer.close();
    let shorter = open_with(folder.path(), Settings { passages_days: 20, rules: vec![rule("all", Class::Passage, None, None, 2)], ..settings() });
    for _ in 0..5 {
        sweep(&shorter, BEGIN_MS + 10 * DAY_MS);
    }
    assert_eq!(count(&shorter, "SELECT count(*) FROM passage"), 0);
    shorter.close();
    assert_sound(folder.path());
}

/// A hit that joins a passage later makes it stay as long as hits stay.
#[test]
fn a_hit_that_comes_later_counts() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), Settings { passages_days: 1, hits_days: 50, ..settings() });
    pass(&custody, 0, None, &[]);
    sweep(&custody, BEGIN_MS + HOUR_MS + 1);
    let joined = custody.change(|transaction| {
        transaction.execute_batch(
            "INSERT INTO hit (lane, track, passage, state, sequence, list, text, jurisdiction, class, edits, probability, priority, entry, received_ms, stored_ms)
             SELECT lane, track, id, 'confirmed', 0, 'late', text, '', 'exact', 0, 1, 0, '{}', stored_ms, stored_ms FROM passage",
        )?;
        Ok(0)
    });
    assert_eq!(joined, Fate::Kept(0));
    sweep(&custody, BEGIN_MS + 40 * DAY_MS);
    assert_eq!(tracks(&custody), [0]);
    sweep(&custody, BEGIN_MS + 51 * DAY_MS);
    assert_eq!(tracks(&custody), Vec::<i64>::new());
    custody.close();
    assert_sound(folder.path());
}
