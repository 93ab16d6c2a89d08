//! R11: the time of day jumps, the camera's or the server's. Order stays that of coming in, one vehicle stays one passage, and nothing takes less than no time.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::camera::{Connection, Shot, pictures, unlike};
use super::have;
use super::ledger::Ledger;
use super::server::{SOUGHT, Server, Site};

const DAY_MS: i64 = 86_400_000;

/// Posts the frames of testdata's first vehicle in order, telling `before` each one's number first, then triggers, and waits until its passage has settled. However slow the
/// machine is, frames are never so far apart that silence ends the passage.
fn drive_by(server: &Server, ledger: &Ledger, mut before: impl FnMut(usize) -> Option<i64>) {
    let mut connection = Connection::open(server.address).expect("connects");
    let mut last = -1;
    for (number, picture) in pictures("lane000-").iter().take(8).enumerate() {
        let mut shot = Shot::new("lane-0", number.to_string(), unlike(picture, number as u64));
        shot.captured_ms = before(number);
        let reply = ledger.note(&shot, shot.post(&mut connection)).expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let sequence = reply.json()["sequence"].as_i64().expect("a number");
        assert!(sequence > last, "frame {number} is {sequence} after {last}");
        last = sequence;
    }
    assert_eq!(connection.request("POST", "/v1/lanes/lane-0/triggers", &[], &[]).expect("an answer").status, 202);
    for _ in 0..1_200 {
        if !server.status()["passages"].as_array().expect("passages").is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the passage had not ended a minute after the trigger");
}

/// A server for which two frames a minute apart may be of one vehicle.
fn patient(mut command: Command) -> Command {
    command.env("GARITA__LANE__LANE_0__GAP_MS", "60000");
    command
}

/// One passage of one vehicle, whose times make sense, and its hit.
fn check(site: &Site, ledger: &Ledger) {
    assert_eq!(ledger.check(&site.data, SOUGHT), 8);
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let texts: Vec<String> = store
        .prepare(&format!("SELECT text FROM passage WHERE first_ms <= last_ms AND text = '{SOUGHT}'"))
        .and_then(|mut passages| passages.query_map([], |row| row.get(0))?.collect())
        .expect("passages");
    assert_eq!(texts, [SOUGHT], "passages");
    let count = |question: &str| store.query_row(question, [], |row| row.get::<_, i64>(0)).expect("asks");
    assert_eq!(count("SELECT count(*) FROM passage WHERE first_ms > last_ms"), 0);
    assert_eq!(
        count("SELECT count(*) FROM hit WHERE list = 'wanted' AND stored_ms - received_ms BETWEEN 0 AND 60000"),
        1,
        "a hit told in no less than no time"
    );
}

#[test]
fn cameras_whose_clocks_jump() {
    let (site, ledger) = (Site::new(1, ""), Ledger::default());
    let server = site.start_under(patient(Command::new(env!("CARGO_BIN_EXE_garita"))));
    drive_by(&server, &ledger, |number| Some(jiff::Timestamp::now().as_millisecond() + [0, DAY_MS, -DAY_MS, 300_000, -300_000][number % 5]));
    assert!(server.stop().1, "{}", site.log());
    check(&site, &ledger);
    assert!(site.log().contains("clock is off"), "{}", site.log());
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let off: i64 = store.query_row("SELECT max(abs(captured_ms - received_ms)) FROM frame", [], |row| row.get(0)).expect("asks");
    assert!(off <= garita::service::door::MAX_CLOCK_OFF_MS, "a capture time {off} ms away was believed");
}

#[test]
fn servers_whose_clock_jumps() {
    let library = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|folder| PathBuf::from(format!("/usr/lib/{folder}/faketime/libfaketimeMT.so.1")));
    let Some(library) = library.into_iter().find(|library| library.exists()) else {
        have("faketime (libfaketimeMT.so.1)", &mut Command::new("false"));
        return;
    };
    let (site, ledger) = (Site::new(1, ""), Ledger::default());
    let offset = site.path("offset");
    let jump = |by: &str| {
        std::fs::write(offset.with_extension("part"), by).expect("writes");
        std::fs::rename(offset.with_extension("part"), &offset).expect("renames");
    };
    jump("+0");
    let mut command = Command::new(env!("CARGO_BIN_EXE_garita"));
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &offset).env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let server = site.start_under(patient(command));
    drive_by(&server, &ledger, |number| {
        jump(["+0", "+1d", "-1d", "+0"][number / 2]);
        None
    });
    assert!(server.stop().1, "{}", site.log());
    check(&site, &ledger);
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let span: i64 = store.query_row("SELECT max(received_ms) - min(received_ms) FROM frame", [], |row| row.get(0)).expect("asks");
    assert!(span > 2 * DAY_MS - 60_000, "the server's clock did not jump: {span} ms");
}

#[test]
fn a_jump_while_a_frame_is_under_way() {
    let library = PathBuf::from("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1");
    if !library.exists() {
        have("faketime (libfaketimeMT.so.1)", &mut Command::new("false"));
        return;
    }
    let site = Site::new(1, "");
    let (offset, ledger) = (site.path("offset"), Ledger::default());
    std::fs::write(&offset, "+0").expect("writes");
    let mut command = Command::new(env!("CARGO_BIN_EXE_garita"));
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &offset).env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let server = site.start_under(command);
    // The clock is set back and forth all the while: some of the jumps fall between a frame's coming and its hit.
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for by in ["+1d", "+0", "-1d", "+0"].iter().cycle() {
                if over.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                std::fs::write(offset.with_extension("part"), by).and_then(|()| std::fs::rename(offset.with_extension("part"), &offset)).expect("writes");
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        let picture = pictures("lane000-").swap_remove(5);
        let mut connection = Connection::open(server.address).expect("connects");
        for number in 0..40 {
            let shot = Shot::new("lane-0", format!("jump {number}"), unlike(&picture, number));
            assert_eq!(ledger.note(&shot, shot.post(&mut connection)).expect("an answer").status, 201);
            connection.request("POST", "/v1/lanes/lane-0/triggers", &[], &[]).expect("an answer");
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(server.stop().1, "{}", site.log());
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let (hits, least, most): (i64, i64, i64) = store
        .query_row("SELECT count(*), min(stored_ms - received_ms), max(stored_ms - received_ms) FROM hit", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .expect("hits");
    assert!(hits >= 40 && least >= 0 && most < 60_000, "{hits} hits told after {least} to {most} ms");
}
