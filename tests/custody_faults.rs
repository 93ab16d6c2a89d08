//! Invariants 1 and 6, where they break if they do: kill -9 at any instant, a full disk, and syncs that fail.
//!
//! Each test runs this very executable again as the *victim*: it writes to a store until it is killed, or its disk is, and says a line for every fate that it is told.
//! `GARITA_KILLS` says how many times to kill (30); 1,000 by hand.

#[path = "common/skip.rs"]
mod skip;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use garita::custody::evidence::sha256;
use garita::custody::record::{Fate, Record};
use garita::custody::{Custody, Settings, State, check};
use store::*;
use tempfile::tempdir;

const FOLDER: &str = "GARITA_VICTIM_FOLDER";
const SCRIPT: &str = "GARITA_VICTIM_SCRIPT";

/// Says a line at once, past the test harness's own buffer.
fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    output.write_all(format!("\n{line}\n").as_bytes()).and_then(|()| output.flush()).expect("somebody listens");
}

/// Not a test: what the others start.
#[test]
#[ignore = "started by the other tests"]
fn victim() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    match std::env::var(SCRIPT).unwrap_or_default().as_str() {
        "write" => write(folder, settings(), u64::MAX),
        "sync" => write(folder, settings(), 120),
        "space" => write(folder, settings(), 400),
        "full" => full(folder),
        other => panic!("no such script: {other}"),
    }
}

fn victim_command(program: &mut Command, folder: &Path, script: &str) -> Child {
    program.env(FOLDER, folder).env(SCRIPT, script).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(|error| panic!("{program:?}: {error}"))
}

fn itself() -> Vec<String> {
    let program = std::env::current_exe().expect("this executable").display().to_string();
    [&program, "--exact", "victim", "--ignored", "--nocapture", "--test-threads=1"].map(str::to_owned).to_vec()
}

/// Frames of one lane for ever, a passage every fourth; goes on where the store says. Keeps some records in flight, so that groups form.
fn write(folder: &Path, settings: Settings, most: u64) {
    let custody = match Custody::open(folder, Settings { frames_without_passage_ms: 10 * DAY_MS, ..settings }) {
        Ok(custody) => custody,
        Err(error) => return say(&format!("unopened {error}")),
    };
    let state = custody.lane_state("north").unwrap_or_else(|error| panic!("{error}"));
    let (mut sequence, mut track) = (state.next_sequence, state.next_track);
    say(&format!("ready {sequence} {track}"));
    let mut waiting = std::collections::VecDeque::new();
    // What a restart finds open passes now; whoever was told of its passage before has none open.
    for open in state.open.iter().map(|open| open.track).collect::<BTreeSet<_>>() {
        let sequence = state.open.iter().find(|read| read.track == open).expect("it is from there").sequence;
        end(&custody, open, sequence, &mut waiting);
    }
    for number in 0..most {
        let (done, told) = fate();
        custody.put(frame("north", sequence, Some(track), done));
        waiting.push_back((format!("frame {sequence}"), told));
        if sequence % 4 == 3 {
            end(&custody, track, sequence, &mut waiting);
            track += 1;
        }
        if number % 50 == 49 {
            custody.put(Record::Sweep { now_ms: BEGIN_MS + 500 * sequence as i64 });
        }
        sequence += 1;
        while waiting.len() > (number % 13) as usize {
            hear(&mut waiting);
        }
    }
    while !waiting.is_empty() {
        hear(&mut waiting);
    }
    say(&format!("ended {:?}", custody.state()));
    custody.close();
}

/// A passage, and something that is told its fate together with it.
fn end(custody: &Custody, track: u64, sequence: u64, waiting: &mut std::collections::VecDeque<(String, Receiver<Fate>)>) {
    custody.put(sighting("north", track, sequence, vec![hit(&text(track))]));
    custody.put(passage("north", track, sequence, vec![hit(&text(track))]));
    let (done, told) = fate();
    custody.put(Record::Change(Box::new(|_| Ok(0)), done));
    waiting.push_back((format!("passage {track}"), told));
}

fn hear(waiting: &mut std::collections::VecDeque<(String, Receiver<Fate>)>) {
    let (what, told) = waiting.pop_front().expect("it is not empty");
    match told.recv().expect("every record is told its fate") {
        Fate::Kept(_) => say(&format!("kept {what}")),
        Fate::Full(why) => say(&format!("full {what}: {why}")),
        Fate::Stopped(why) => say(&format!("stopped {what}: {why}")),
        Fate::Failed(error) => say(&format!("failed {what}: {error}")),
    }
}

/// Everything acknowledged so far.
#[derive(Default)]
struct Ledger {
    frames: BTreeSet<u64>,
    passages: BTreeSet<u64>,
}

impl Ledger {
    fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        if let (Some("kept"), Some(what), Some(Ok(number))) = (words.next(), words.next(), words.next().map(str::parse)) {
            match what {
                "frame" => assert!(self.frames.insert(number), "frame {number} was acknowledged twice"),
                _ => drop(self.passages.insert(number)),
            }
        }
    }

    /// All of it is there, once, with its bytes.
    fn assert_kept(&self, folder: &Path) {
        assert_sound(folder);
        let custody = open(folder);
        for &sequence in &self.frames {
            let stored = custody.frame("north", &key("north", sequence)).unwrap().unwrap_or_else(|| panic!("frame {sequence} was acknowledged and is lost"));
            assert_eq!((stored.sequence, stored.digest), (sequence as i64, sha256(&bytes("north", sequence))));
        }
        let tracks = custody.ask(|connection| {
            let mut statement =
                connection.prepare("SELECT track, count(*), (SELECT count(*) FROM hit WHERE hit.track = passage.track) FROM passage GROUP BY track")?;
            let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, (row.get(1)?, row.get(2)?))))?;
            rows.collect::<rusqlite::Result<BTreeMap<u64, (i64, i64)>>>()
        });
        let tracks = tracks.unwrap();
        for &track in &self.passages {
            assert_eq!(tracks.get(&track), Some(&(1, 1)), "passage {track} was acknowledged: passages and hits");
        }
        assert!(tracks.values().all(|&found| found == (1, 1)), "a passage or a hit is there twice");
        custody.close();
        assert_eq!(assert_sound(folder).left, 0, "the start has tidied up");
    }
}

#[test]
fn killed_at_any_instant() {
    let kills: u64 = std::env::var("GARITA_KILLS").map_or(30, |count| count.parse().expect("GARITA_KILLS is a number"));
    let folder = tempdir().unwrap();
    let mut ledger = Ledger::default();
    let mut random = 0x2545_F491_4F6C_DD1Du64;
    for kill in 0..kills {
        let arguments = itself();
        let mut child = victim_command(Command::new(&arguments[0]).args(&arguments[1..]), folder.path(), "write");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // So many acknowledgements, then so many more microseconds: also while it opens.
        let (mut left, pause) = ((random >> 33) % 90, Duration::from_micros((random >> 20) % 9_000));
        let mut killer = (kill % 6 == 5).then(|| {
            std::thread::sleep(4 * pause);
            child.kill()
        });
        for line in lines.lines() {
            let Ok(line) = line else { break };
            ledger.hear(&line);
            assert!(!line.starts_with("failed") && !line.starts_with("stopped") && !line.starts_with("unopened"), "{line}");
            left = left.saturating_sub(u64::from(line.starts_with("kept") || line.starts_with("ready")));
            if left == 0 && killer.is_none() {
                std::thread::sleep(pause);
                killer = Some(child.kill());
            }
        }
        child.wait().expect("it has ended");
        if folder.path().join("garita.db").exists() {
            // As it was left, before anything tidies up; a database without a table yet is no store.
            let report = check::check(folder.path()).unwrap_or_else(|error| panic!("after kill {kill}: {error}"));
            let begun = !ledger.frames.is_empty();
            assert!(report.findings.is_empty() || !begun, "after kill {kill}: {:#?}", report.findings);
        }
        if kill % 5 == 4 {
            open(folder.path()).close();
            ledger.assert_kept(folder.path());
        }
    }
    open(folder.path()).close();
    ledger.assert_kept(folder.path());
    assert!(ledger.frames.len() as u64 > kills && !ledger.passages.is_empty(), "{} frames and {} passages are few", ledger.frames.len(), ledger.passages.len());
}

fn lines_of(child: Child) -> Vec<String> {
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(str::to_owned).collect()
}

/// strace, or a loud skip where it is missing and that is not forbidden.
fn strace(inject: &str, folder: &Path, files: &[&str], script: &str) -> Option<Child> {
    if !Command::new("strace").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        skip::skip("no failing syncs are tried, because strace is missing (Debian package strace)");
        return None;
    }
    let calls = inject.split(':').next().expect("the calls");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &format!("inject={inject}")]);
    command.args(files.iter().flat_map(|file| ["-P".to_owned(), folder.join(file).display().to_string()])).args(itself());
    Some(victim_command(&mut command, folder, script))
}

/// The N-th sync of a thread fails, and all others succeed: nothing is acknowledged from then on, and what was before is there.
#[test]
fn a_sync_that_fails_stops_the_store() {
    let mut stopped = 0;
    // New stores for the first few: they fail to open.
    for (new, nth) in [(true, 1), (true, 2), (true, 4), (false, 1), (false, 2)].into_iter().chain((3..16).map(|nth| (false, nth))).chain([(false, 33)]) {
        let folder = tempdir().unwrap();
        if !new {
            open(folder.path()).close();
        }
        let Some(child) = strace(&format!("fsync,fdatasync:error=EIO:when={nth}"), folder.path(), &[], "sync") else { return };
        let lines = lines_of(child);
        let mut ledger = Ledger::default();
        lines.iter().for_each(|line| ledger.hear(line));
        if lines.iter().any(|line| line.starts_with("unopened")) {
            assert!(ledger.frames.is_empty());
        } else if let Some(first) = lines.iter().position(|line| line.starts_with("stopped")) {
            stopped += 1;
            let after = lines[first..].iter().find(|line| line.starts_with("kept"));
            assert_eq!(after, None, "acknowledged after sync {nth} had failed: {lines:#?}");
            assert!(lines.iter().any(|line| line.starts_with("ended Stopped")), "{lines:#?}");
        }
        assert!(!lines.iter().any(|line| line.starts_with("failed")), "{lines:#?}");
        open(folder.path()).close();
        ledger.assert_kept(folder.path());
    }
    assert!(stopped >= 10, "only {stopped} failing syncs met the store at work");
}

/// The disk is full for a while (every write to the store's files says so, from the N-th to the M-th): nothing is corrupted, and it heals by itself.
#[test]
fn a_full_disk_heals() {
    let files = ["garita.db-wal", "journal/00000001.frames", "journal/00000002.frames", "evidence/unnamed.tmp", "evidence/unsettled"];
    for (from, to) in [(1, 2), (30, 45), (41, 60), (75, 95)] {
        let folder = tempdir().unwrap();
        open(folder.path()).close();
        let Some(child) = strace(&format!("write,pwrite64:error=ENOSPC:when={from}..{to}"), folder.path(), &files, "space") else { return };
        let lines = lines_of(child);
        let mut ledger = Ledger::default();
        lines.iter().for_each(|line| ledger.hear(line));
        let Some(last) = lines.iter().rposition(|line| line.starts_with("full")) else { panic!("it was never full: {lines:#?}") };
        assert!(lines[last..].iter().any(|line| line.starts_with("kept")), "it heals: {lines:#?}");
        assert!(lines.iter().any(|line| line == "ended Open"), "{lines:#?}");
        open(folder.path()).close();
        ledger.assert_kept(folder.path());
    }
}

/// A real full disk: a small tmpfs of this test's own, filled by somebody else.
#[test]
fn a_small_disk_fills_and_heals() {
    let folder = tempdir().unwrap();
    let arguments = itself().iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let mount = format!("mount -t tmpfs -o size=24m none \"${FOLDER}\"");
    let mine = |script: &str| ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script].map(str::to_owned);
    let own = Command::new("unshare").args(&mine(&mount)[1..]).env(FOLDER, folder.path()).output();
    if !own.is_ok_and(|output| output.status.success()) {
        skip::untried("no disk of one's own can be mounted here; a_full_disk_heals tries the same by strace");
        return;
    }
    let words = mine(&format!("{mount} && exec {arguments}"));
    let lines = lines_of(victim_command(Command::new(&words[0]).args(&words[1..]), folder.path(), "full"));
    assert!(lines.iter().any(|line| line == "all well"), "{lines:#?}");
}

fn full(folder: &Path) {
    for free_bytes in [4 << 20, 0] {
        let store = folder.join(format!("store{free_bytes}"));
        let custody = open_with(&store, Settings { free_bytes, ..settings() });
        let mut ledger = Ledger::default();
        let mut sequence = 0;
        let mut write = |ledger: &mut Ledger, count: u64| {
            let mut told = Vec::new();
            for _ in 0..count {
                let (done, fate) = fate();
                custody.put(frame("north", sequence, Some(sequence / 4), done));
                told.push((sequence, fate));
                if sequence % 4 == 3 {
                    custody.put(sighting("north", sequence / 4, sequence, vec![hit(&text(sequence / 4))]));
                    custody.put(passage("north", sequence / 4, sequence, vec![hit(&text(sequence / 4))]));
                }
                sequence += 1;
            }
            let (mut kept, mut refused) = (0, 0);
            for (sequence, fate) in told {
                match fate.recv().unwrap() {
                    Fate::Kept(_) => {
                        kept += 1;
                        ledger.hear(&format!("kept frame {sequence}"));
                    }
                    Fate::Full(_) => refused += 1,
                    other => panic!("{other:?}"),
                }
            }
            (kept, refused)
        };
        assert_eq!(write(&mut ledger, 40), (40, 0));
        // Somebody fills the disk to the last byte, in pieces, so that groups meet every stage of it.
        let ballast = folder.join("ballast");
        let mut file = std::fs::File::create(&ballast).unwrap();
        let mut refused = 0;
        for piece in (0..14).rev() {
            let bytes = vec![7u8; 1 << (8 + piece)];
            while file.write_all(&bytes).is_ok() {
                if refused > 0 && piece > 8 {
                    break;
                }
                refused += write(&mut ledger, 1).1;
            }
        }
        while file.write_all(&[7; 64]).is_ok() {}
        let (_, more) = write(&mut ledger, 24);
        assert!(more > 0 && matches!(custody.state(), State::Full(_)), "{more} refused, {:?}", custody.state());
        assert!(check::check(&store).unwrap().findings.is_empty(), "while it is full");
        drop(file);
        std::fs::remove_file(&ballast).unwrap();
        assert_eq!(write(&mut ledger, 8), (8, 0), "it heals");
        settle(&custody);
        assert_eq!(custody.state(), State::Open);
        // The passages had waited: not one is missing, refused frames or not.
        assert_eq!(count(&custody, "SELECT count(*) FROM passage"), sequence as i64 / 4);
        assert_eq!(count(&custody, "SELECT count(*) FROM hit WHERE state = 'confirmed'"), sequence as i64 / 4);
        custody.close();
        ledger.assert_kept(&store);
        std::fs::remove_dir_all(&store).unwrap();
    }
    say("all well");
}
