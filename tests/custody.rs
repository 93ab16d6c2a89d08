//! The store through its public seam: what goes in comes out, once, also after it was opened anew; what has had its time goes, and nothing else.

mod store;

use std::collections::BTreeMap;

use garita::custody::evidence;
use garita::custody::record::{Fate, FrameRecord, Record, StoredRead};
use garita::custody::scans;
use garita::custody::{Custody, Settings, State};
use garita::error::{Error, Fault};
use proptest::prelude::*;
use store::*;
use tempfile::tempdir;

#[test]
fn what_goes_in_comes_out() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    for sequence in 0..5 {
        keep(&custody, "north", sequence, Some(0));
    }
    keep(&custody, "north", 5, None);
    custody.put(sighting("north", 0, 1, vec![hit("ABC0000"), hit("ABC000O")]));
    custody.put(passage("north", 0, 2, vec![hit("ABC0000")]));
    settle(&custody);

    let stored = custody.frame("north", &key("north", 3)).unwrap().expect("it was kept");
    assert_eq!((stored.sequence, stored.digest, stored.error), (3, evidence::sha256(&bytes("north", 3)), None));
    assert_eq!(stored.reads, [StoredRead::of(&plate_read("ABC0000"))]);
    assert!(custody.frame("north", &key("north", 5)).unwrap().expect("it was kept").reads.is_empty());
    assert!(custody.frame("south", &key("north", 3)).unwrap().is_none(), "keys are a lane's own");

    let passage = custody.ask(|connection| {
        connection.query_row("SELECT lane, track, text, sequence, sought FROM passage", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?, row.get::<_, i64>(3)?, row.get::<_, bool>(4)?))
        })
    });
    assert_eq!(passage.unwrap(), ("north".to_owned(), 0, "ABC0000".to_owned(), 2, true));
    let hits = custody.ask(|connection| {
        let mut statement = connection.prepare("SELECT text, state, received_ms FROM hit ORDER BY id")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<rusqlite::Result<Vec<(String, String, i64)>>>()
    });
    let came_in = BEGIN_MS + 507;
    let expected = [("ABC0000".to_owned(), "confirmed".to_owned(), came_in), ("ABC000O".to_owned(), "withdrawn".to_owned(), came_in)];
    assert_eq!(hits.unwrap(), expected, "sighted at once, settled by the passage");
    let news = custody.ask(|connection| {
        let mut statement = connection.prepare("SELECT kind FROM outbox ORDER BY id")?;
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
    });
    assert_eq!(news.unwrap(), ["hit", "hit", "hit.withdrawn", "passage"]);

    custody.close();
    let report = assert_sound(folder.path());
    assert_eq!((report.frames, report.passages, report.hits, report.evidence, report.left), (6, 1, 2, 5, 0));
}

/// A reading given back is the one that was made, but for the rounding of its alternatives.
#[test]
fn a_read_survives_its_column() {
    let read = plate_read("7ABC123");
    let back = StoredRead::of(&read).to_read();
    assert_eq!((back.text, back.confidence, back.probability), (read.text, read.confidence, read.probability));
    for (before, after) in read.posterior.positions().iter().zip(back.posterior.positions()) {
        let difference = before.characters.iter().zip(after.characters).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference < 1e-3, "a character's probability moved by {difference}");
        assert!((after.characters.iter().sum::<f32>() - 1.0).abs() < 1e-3);
    }
}

#[test]
fn the_same_frame_twice_is_kept_once() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    keep(&custody, "north", 0, None);
    let again = put(&custody, |done| match frame("north", 0, None, done) {
        Record::Frame(frame) => Record::Frame(Box::new(FrameRecord { sequence: 1, ..*frame })),
        _ => unreachable!("a frame is a frame"),
    });
    assert!(matches!(&again, Fate::Failed(error) if error.fault == Fault::Caller), "the same key: {again:?}");
    let same_number = put(&custody, |done| match frame("north", 0, None, done) {
        Record::Frame(frame) => Record::Frame(Box::new(FrameRecord { key: key("north", 77), ..*frame })),
        _ => unreachable!("a frame is a frame"),
    });
    assert!(matches!(same_number, Fate::Failed(_)), "the same number: {same_number:?}");
    keep(&custody, "south", 0, None);
    keep(&custody, "north", 2, None);
    assert_eq!(count(&custody, "SELECT count(*) FROM frame"), 3);
    custody.close();
    assert_sound(folder.path());
}

/// One record that does not fit fails alone, whatever shares its group.
#[test]
fn a_failure_is_its_own() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let mut fates = Vec::new();
    for sequence in 0..60 {
        let (done, told) = fate();
        // Every fifth repeats the number before it.
        let number = if sequence % 5 == 4 { sequence - 1 } else { sequence };
        custody.put(frame("north", number, None, done));
        fates.push((sequence % 5 != 4, told));
    }
    let (done, told) = fate();
    custody.put(Record::Change(Box::new(|transaction| transaction.execute("INSERT INTO nowhere VALUES (1)", []).map(|_| 1)), done));
    assert!(matches!(told.recv().unwrap(), Fate::Failed(_)));
    for (good, told) in fates {
        assert_eq!(good, matches!(told.recv().unwrap(), Fate::Kept(_)));
    }
    assert_eq!(custody.state(), State::Open);
    custody.close();
    assert_sound(folder.path());
}

/// What nobody waits for and does not fit is lost alone, and counted.
#[test]
fn what_is_lost_is_counted() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    keep(&custody, "north", 0, Some(0));
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON passage WHEN NEW.track = 7 BEGIN SELECT RAISE(ABORT, 'it contradicts something'); END";
    let made = put(&custody, |done| Record::Change(Box::new(|transaction| transaction.execute_batch(refuse).map(|()| 0)), done));
    assert!(matches!(made, Fate::Kept(_)));
    for track in [7, 0] {
        custody.put(passage("north", track, 0, Vec::new()));
    }
    settle(&custody);
    assert_eq!((custody.lost(), count(&custody, "SELECT count(*) FROM passage"), custody.state()), (1, 1, State::Open));
    custody.close();
}

#[test]
fn a_bad_frame_is_kept_aside() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), Settings { quarantine_bytes: 6_000, ..settings() });
    for sequence in 0..6 {
        let fate = put(&custody, |done| match frame("north", sequence, None, done) {
            Record::Frame(frame) => Record::Frame(Box::new(FrameRecord { error: Some(Error::new(Fault::Damaged, "cut off at byte 9")), ..*frame })),
            _ => unreachable!("a frame is a frame"),
        });
        assert!(matches!(fate, Fate::Kept(_)));
        let newest = std::fs::read_dir(folder.path().join("quarantine")).unwrap().filter(|file| {
            let path = file.as_ref().unwrap().path();
            path.extension().is_some_and(|ending| ending == "bin") && std::fs::read(path).unwrap() == *bytes("north", sequence)
        });
        assert_eq!(newest.count(), 1, "it lies there before its sender is told");
    }
    let stored = custody.frame("north", &key("north", 5)).unwrap().unwrap();
    assert_eq!(stored.error, Some(Error::new(Fault::Damaged, "cut off at byte 9")), "with whose fault it was");
    let kept = files(&folder.path().join("quarantine"), "bin");
    assert!((1..=3).contains(&kept), "the oldest gave way: {kept} files of 2 to 3 kB in 6 kB");
    assert_eq!(files(&folder.path().join("quarantine"), "txt"), kept);
    custody.close();
    assert_sound(folder.path());
}

#[test]
fn a_plate_never_read_is_no_passage() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    keep(&custody, "north", 0, Some(0));
    custody.put(Record::Unread { lane: "north".to_owned(), track: 0 });
    // Its end came; a passage of the same track would be a second.
    custody.put(passage("north", 0, 0, Vec::new()));
    settle(&custody);
    assert_eq!(count(&custody, "SELECT count(*) FROM passage"), 0);
    sweep(&custody, BEGIN_MS + 3_600_000);
    assert_eq!(count(&custody, "SELECT count(*) FROM frame") + count(&custody, "SELECT count(*) FROM track"), 0, "it leaves no trace");
    custody.close();
    assert_sound(folder.path());
}

#[test]
fn a_film_strip_is_for_hits() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), Settings { strip_frames: 4, ..settings() });
    for sequence in 0..20 {
        keep(&custody, "north", sequence, Some(sequence / 10));
    }
    custody.put(passage("north", 0, 3, Vec::new()));
    custody.put(passage("north", 1, 13, vec![hit("ABC0001")]));
    settle(&custody);
    let strip = |track: u64| {
        custody.ask(|connection| {
            let question = "SELECT evidence.sequence FROM evidence JOIN passage ON passage.id = evidence.passage WHERE passage.track = ?1 ORDER BY number";
            connection.prepare(question)?.query_map([track as i64], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()
        })
    };
    assert_eq!(strip(0).unwrap(), [3]);
    assert_eq!(strip(1).unwrap(), [13, 10, 12, 15, 17], "the winning frame, then four others in order");
    for sequence in [13, 10, 12, 15, 17] {
        let bytes = bytes("north", sequence);
        assert_eq!(std::fs::read(evidence::path(&folder.path().join("evidence"), &evidence::sha256(&bytes))).unwrap(), *bytes);
    }
    custody.close();
    assert_sound(folder.path());
}

#[test]
fn frames_without_a_passage_go_in_time() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), Settings { frames_without_passage_ms: 60_000, ..settings() });
    // A frame in half a second: 400 s, some seven segments. Tracks 1 and 3 pass, 2 was never read, 9 is in view at the end.
    for sequence in 0..800 {
        let track = match sequence {
            100..110 => Some(1),
            200..210 => Some(2),
            300..310 => Some(3),
            790..800 => Some(9),
            _ => None,
        };
        let (done, _) = fate();
        custody.put(frame("north", sequence, track, done));
    }
    custody.put(passage("north", 1, 105, Vec::new()));
    custody.put(Record::Unread { lane: "north".to_owned(), track: 2 });
    custody.put(passage("north", 3, 305, vec![hit("ABC0003")]));
    settle(&custody);
    let journal = folder.path().join("journal");
    let before = files(&journal, "frames");
    assert!(before >= 6, "{before} segments");

    sweep(&custody, BEGIN_MS + 60_000 + 500 * 400 + 7);
    assert_eq!(count(&custody, "SELECT count(*) FROM frame WHERE sequence < 400"), 20, "the rows of the two passages stay");
    assert_eq!(count(&custody, "SELECT count(*) FROM frame WHERE sequence < 400 AND segment IS NOT NULL"), 0, "their bytes do not");
    assert_eq!(count(&custody, "SELECT count(*) FROM frame WHERE sequence >= 400 AND segment IS NOT NULL"), 400, "not one too early");
    assert_eq!(count(&custody, "SELECT count(*) FROM passage"), 2);
    assert_eq!(count(&custody, "SELECT count(*) FROM track"), 3, "the track that was never read is gone");
    let between = files(&journal, "frames");
    assert!((1..before).contains(&between), "segments go whole: {before}, then {between}");

    // Long after: only the vehicle in view is waited for.
    sweep(&custody, BEGIN_MS + 1_000_000);
    assert_eq!(count(&custody, "SELECT count(*) FROM frame WHERE segment IS NOT NULL"), 10);
    custody.close();
    assert_sound(folder.path());

    let custody = open(folder.path());
    let state = custody.lane_state("north").unwrap();
    assert_eq!((state.next_sequence, state.next_track), (800, 10));
    assert_eq!(state.open.iter().map(|open| (open.track, open.sequence)).collect::<Vec<_>>(), (790..800).map(|sequence| (9, sequence)).collect::<Vec<_>>());
    assert!(state.open.iter().all(|open| *open.encoded == *bytes("north", open.sequence)), "with the very frames");
    // Parked for hours: no disk is filled by it.
    sweep(&custody, BEGIN_MS + 2 * 3_600_000);
    assert_eq!(count(&custody, "SELECT count(*) FROM frame WHERE segment IS NOT NULL"), 0);
    custody.put(passage("north", 9, 795, Vec::new()));
    settle(&custody);
    assert_eq!(count(&custody, "SELECT count(*) FROM passage"), 3, "it passes all the same");
    custody.close();
    assert_sound(folder.path());
}

/// A lane's numbers never come back, though everything that bore them is gone.
#[test]
fn numbers_go_on() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    for sequence in 0..10 {
        keep(&custody, "north", sequence, (sequence < 3).then_some(4));
    }
    custody.put(Record::Unread { lane: "north".to_owned(), track: 4 });
    settle(&custody);
    sweep(&custody, BEGIN_MS + DAY_MS);
    assert_eq!(count(&custody, "SELECT count(*) FROM frame"), 0);
    custody.close();
    let custody = open(folder.path());
    let state = custody.lane_state("north").unwrap();
    assert_eq!((state.next_sequence, state.next_track), (10, 5));
    let unknown = custody.lane_state("south").unwrap();
    assert_eq!((unknown.next_sequence, unknown.next_track), (0, 0));
    custody.close();
}

/// Nor do the numbers that senders and receivers were told, of frames, passages, hits and scans.
#[test]
fn numbers_of_rows_never_come_back() {
    let folder = tempdir().unwrap();
    let fill = |custody: &Custody, round: u64| {
        let frame = keep(custody, "north", round, Some(round));
        custody.put(passage_at("north", round, round, vec![hit(&text(round))], BEGIN_MS));
        settle(custody);
        let scan = custody.change(move |transaction| scans::begin_passing(transaction, "bridge", &[round as u8; 32], None, &format!("{round:032x}"), BEGIN_MS));
        let Fate::Kept(scan) = scan else { panic!("{scan:?}") };
        [frame, count(custody, "SELECT max(id) FROM passage"), count(custody, "SELECT max(id) FROM hit"), scan]
    };
    let mut before = [0; 4];
    for round in 0..3 {
        let custody = open(folder.path());
        let now = fill(&custody, round);
        assert!(now.iter().zip(before).all(|(now, before)| *now > before), "{now:?} after {before:?}");
        before = now;
        sweep(&custody, BEGIN_MS + 1_000 * DAY_MS);
        assert_eq!(custody.change(move |transaction| scans::give_up_passing(transaction, &format!("{round:032x}"))), Fate::Kept(1));
        let left = "SELECT (SELECT count(*) FROM frame) + (SELECT count(*) FROM passage) + (SELECT count(*) FROM hit) + (SELECT count(*) FROM scan)";
        assert_eq!(count(&custody, left), 0);
        custody.close();
        assert_sound(folder.path());
    }
}

/// Passages go after their days, those with hits after theirs, and what they shared stays as long as one of them.
#[test]
fn passages_and_hits_have_their_days() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), Settings { passages_days: 30, hits_days: 365, ..settings() });
    for sequence in 0..6 {
        keep(&custody, "north", sequence, Some(sequence / 2));
    }
    custody.put(passage_at("north", 0, 0, Vec::new(), BEGIN_MS));
    custody.put(passage_at("north", 1, 2, vec![hit("ABC0001")], BEGIN_MS));
    // Withdrawn is a hit too: somebody may have acted on it.
    custody.put(sighting("north", 2, 4, vec![hit("ABC0002")]));
    custody.put(passage_at("north", 2, 4, Vec::new(), BEGIN_MS));
    settle(&custody);
    // Another passage whose evidence has the same bytes as the first one's.
    custody.put(Record::Change(
        Box::new(|transaction| {
            transaction.execute_batch(
                "INSERT INTO lane VALUES ('twin', 0, 1); INSERT INTO track VALUES ('twin', 0, 'passed');
                 INSERT INTO passage (lane, track, text, confidence, reads, first_ms, last_ms, sequence, best, seen, sought, stored_ms)
                   SELECT 'twin', 0, text, confidence, reads, first_ms, last_ms, sequence, best, seen, 1, stored_ms FROM passage WHERE track = 0 AND lane = 'north';
                 INSERT INTO evidence SELECT (SELECT max(id) FROM passage), number, sequence, captured_ms, digest, length FROM evidence
                   WHERE passage = (SELECT id FROM passage WHERE track = 0 AND lane = 'north')",
            )?;
            Ok(0)
        }),
        Box::new(|_| {}),
    ));
    settle(&custody);
    assert_eq!(count(&custody, "SELECT count(*) FROM passage"), 4);
    let evidence = folder.path().join("evidence");
    let file = |sequence| evidence::path(&evidence, &evidence::sha256(&bytes("north", sequence))).exists();
    assert!(file(0) && file(2) && file(4));

    sweep(&custody, BEGIN_MS + 30 * DAY_MS + 10_000);
    assert_eq!(count(&custody, "SELECT count(*) FROM passage"), 3, "only the one without a hit");
    assert_eq!(count(&custody, "SELECT count(*) FROM passage WHERE lane = 'north' AND track = 0"), 0);
    assert_eq!(count(&custody, "SELECT count(*) FROM read WHERE track = 0"), 0);
    assert!(file(0), "its file stays as long as the twin names it");
    assert!(file(2) && file(4));

    sweep(&custody, BEGIN_MS + 365 * DAY_MS + 10_000);
    let left = "SELECT (SELECT count(*) FROM passage) + (SELECT count(*) FROM hit) + (SELECT count(*) FROM read) + (SELECT count(*) FROM evidence)
                + (SELECT count(*) FROM frame) + (SELECT count(*) FROM track) + (SELECT count(*) FROM outbox)";
    assert_eq!(count(&custody, left), 0);
    assert_eq!(files(&evidence, "jpg"), 0);
    custody.close();
    assert_sound(folder.path());
    for name in ["garita.db", "garita.db-wal"] {
        let content = std::fs::read(folder.path().join(name)).unwrap_or_default();
        assert!(!content.windows(7).any(|seven| seven == b"ABC0001"), "{name}: what was deleted is still readable");
    }
}

/// A backlog is deleted in steps, to the end.
#[test]
fn a_sweep_catches_up() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    for sequence in 0..1_700 {
        let (done, _) = fate();
        custody.put(frame("north", sequence, None, done));
    }
    settle(&custody);
    custody.put(Record::Sweep { now_ms: BEGIN_MS + DAY_MS });
    let patience = std::time::Instant::now();
    while count(&custody, "SELECT count(*) FROM frame") > 0 {
        assert!(patience.elapsed().as_secs() < 60, "a step must follow the other");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    custody.close();
    assert_sound(folder.path());
}

#[test]
fn a_closed_store_refuses() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    custody.close();
    assert!(matches!(put(&custody, |done| frame("north", 0, None, done)), Fate::Stopped(_)));
}

#[test]
fn one_process_has_it() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let second = Custody::open(folder.path(), settings()).err().expect("it is held");
    assert!(second.fault == Fault::Machine && second.message.contains("another garita"), "{second}");
    custody.close();
    open(folder.path()).close();
}

/// What may happen to a lane's vehicle.
#[derive(Debug, Clone)]
enum Step {
    Frame { lane: usize, track: u64 },
    Replay { lane: usize, back: u64 },
    Sighted { lane: usize, track: u64, entry: u64 },
    Passed { lane: usize, track: u64, hit: bool },
    Unread { lane: usize, track: u64 },
    Reopened,
}

fn step() -> impl Strategy<Value = Step> {
    let (lane, track) = (0..2usize, 0..6u64);
    prop_oneof![
        6 => (lane.clone(), track.clone()).prop_map(|(lane, track)| Step::Frame { lane, track }),
        2 => (lane.clone(), 0..4u64).prop_map(|(lane, back)| Step::Replay { lane, back }),
        2 => (lane.clone(), track.clone(), 0..3u64).prop_map(|(lane, track, entry)| Step::Sighted { lane, track, entry }),
        3 => (lane.clone(), track.clone(), any::<bool>()).prop_map(|(lane, track, hit)| Step::Passed { lane, track, hit }),
        1 => (lane, track).prop_map(|(lane, track)| Step::Unread { lane, track }),
        1 => Just(Step::Reopened),
    ]
}

const LANES: [&str; 2] = ["north", "south"];

/// What the store must hold: per lane the frames, per track how it ended, and the entries that met it.
#[derive(Default)]
struct Model {
    frames: [u64; 2],
    ended: BTreeMap<(usize, u64), &'static str>,
    met: BTreeMap<(usize, u64), Vec<String>>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariant 3 whatever happens in whichever order, compared with a model that has nothing but counts.
    #[test]
    fn once_is_once(steps in prop::collection::vec(step(), 1..60)) {
        let folder = tempdir().unwrap();
        let mut custody = open(folder.path());
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Frame { lane, track } if !model.ended.contains_key(&(lane, track)) => {
                    let (done, _) = fate();
                    custody.put(frame(LANES[lane], model.frames[lane], Some(track), done));
                    model.frames[lane] += 1;
                }
                Step::Replay { lane, back } if model.frames[lane] > back => {
                    let sequence = model.frames[lane] - 1 - back;
                    let (done, told) = fate();
                    custody.put(frame(LANES[lane], sequence, None, done));
                    prop_assert!(matches!(told.recv().unwrap(), Fate::Failed(_)));
                }
                Step::Sighted { lane, track, entry } if !model.ended.contains_key(&(lane, track)) => {
                    custody.put(sighting(LANES[lane], track, 0, vec![hit(&format!("E{entry}"))]));
                    let met = model.met.entry((lane, track)).or_default();
                    if !met.contains(&format!("E{entry}")) {
                        met.push(format!("E{entry}"));
                    }
                }
                // Also of a track that has ended: a restart may say so again.
                Step::Passed { lane, track, hit: sought } => {
                    let hits = if sought { vec![hit("E0")] } else { Vec::new() };
                    custody.put(passage(LANES[lane], track, 0, hits));
                    if model.ended.contains_key(&(lane, track)) {
                        continue;
                    }
                    model.ended.insert((lane, track), "passed");
                    let met = model.met.entry((lane, track)).or_default();
                    if sought && !met.contains(&"E0".to_owned()) {
                        met.push("E0".to_owned());
                    }
                }
                Step::Unread { lane, track } if !model.met.contains_key(&(lane, track)) => {
                    custody.put(Record::Unread { lane: LANES[lane].to_owned(), track });
                    model.ended.entry((lane, track)).or_insert("unread");
                }
                Step::Reopened => {
                    custody.close();
                    custody = open(folder.path());
                }
                _ => {}
            }
        }
        settle(&custody);
        for (lane, name) in LANES.iter().enumerate() {
            prop_assert_eq!(count(&custody, &format!("SELECT count(*) FROM frame WHERE lane = '{name}'")), model.frames[lane] as i64);
            let state = custody.lane_state(name).unwrap();
            prop_assert_eq!(state.next_sequence, model.frames[lane]);
            for open in &state.open {
                prop_assert!(!model.ended.contains_key(&(lane, open.track)), "track {} has ended", open.track);
            }
        }
        for (&(lane, track), &how) in &model.ended {
            let found = count(&custody, &format!("SELECT count(*) FROM passage WHERE lane = '{}' AND track = {track}", LANES[lane]));
            prop_assert_eq!(found, i64::from(how == "passed"), "passages of {}/{}", LANES[lane], track);
        }
        for (&(lane, track), met) in &model.met {
            let found = count(&custody, &format!("SELECT count(*) FROM hit WHERE lane = '{}' AND track = {track}", LANES[lane]));
            prop_assert_eq!(found, met.len() as i64, "hits of {}/{}", LANES[lane], track);
        }
        custody.close();
        assert_sound(folder.path());
    }
}
