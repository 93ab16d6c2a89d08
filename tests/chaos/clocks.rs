//! R11: the time of day jumps, the camera's or the server's. Order stays that of coming in, one vehicle stays one passage, nothing takes less than no time,
//! and no upload is silent for longer than it was.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use garita::custody::evidence::{hex, sha256};

use super::camera::{Connection, Reply, Shot, pictures, testdata, unlike};
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

/// A server whose clock [`jump`] sets; `None`, and said, without faketime. What never jumps does not here either.
fn under_faketime(site: &Site) -> Option<Command> {
    let library = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|folder| PathBuf::from(format!("/usr/lib/{folder}/faketime/libfaketimeMT.so.1")));
    let Some(library) = library.into_iter().find(|library| library.exists()) else {
        have("faketime (libfaketimeMT.so.1)", &mut Command::new("false"));
        return None;
    };
    jump(site, "+0");
    let mut command = Command::new(env!("CARGO_BIN_EXE_garita"));
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", site.path("offset"));
    command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    Some(command)
}

/// Sets the clock of the site's server off by this much, as faketime writes it: `+1d`.
fn jump(site: &Site, by: &str) {
    std::fs::write(site.path("offset.part"), by).and_then(|()| std::fs::rename(site.path("offset.part"), site.path("offset"))).expect("writes");
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
    let (site, ledger) = (Site::new(1, ""), Ledger::default());
    let Some(command) = under_faketime(&site) else { return };
    let server = site.start_under(patient(command));
    drive_by(&server, &ledger, |number| {
        jump(&site, ["+0", "+1d", "-1d", "+0"][number / 2]);
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
    let (site, ledger) = (Site::new(1, ""), Ledger::default());
    let Some(command) = under_faketime(&site) else { return };
    let server = site.start_under(command);
    // The clock is set back and forth all the while: some of the jumps fall between a frame's coming and its hit.
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for by in ["+1d", "+0", "-1d", "+0"].iter().cycle() {
                if over.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                jump(&site, by);
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
    println!("{hits} hits told {least} to {most} ms after their frames while the clock jumped");
    assert!(hits >= 40 && least >= 0 && most < 60_000, "{hits} hits told after {least} to {most} ms");
}

/// A request on a connection of its own.
fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Reply> {
    Connection::open(server.address)?.request(method, path, headers, body)
}

/// Bytes that are there of an upload that goes on; `None` where it does not.
fn acknowledged(server: &Server, upload: &str) -> Option<usize> {
    // To HEAD an error is told with a length and without a body: the connection that ends is an error here.
    let reply = ask(server, "HEAD", upload, &[("connection", "close")], b"").ok()?;
    let offset = reply.header("upload-offset")?.parse().ok()?;
    (reply.header("upload-complete") == Some("?0")).then_some(offset)
}

/// What was acknowledged of half a scan and of a passing train stays, however often the day changes under it.
#[test]
fn uploads_while_the_clock_jumps() {
    let site = Site::new(1, "[[portal]]\nid = \"bridge\"\n");
    let Some(command) = under_faketime(&site) else { return };
    let server = site.start_under(command);
    let scan = std::fs::read(testdata().join("rail/G-3.tif")).expect("testdata");
    // 64 counts, then t_s, v_m_s, ref_dose, flags.
    let columns = (0..200).flat_map(|at: u32| [vec![0x20_u8; 128], [f64::from(at), 5.0, 1.0, 0.0].map(f64::to_le_bytes).concat()].concat());
    let train: Vec<u8> = b"{\"schema\":\"rail-scan/1\",\"detectors\":64}\n".iter().copied().chain(columns).collect();
    let mut under_way = [("scans", scan), ("columns", train)].map(|(door, bytes)| {
        let (there, length) = (bytes.len() / 2, bytes.len().to_string());
        let headers = [("upload-complete", "?0"), ("upload-length", length.as_str())];
        let begun = ask(&server, "POST", &format!("/v1/portals/bridge/{door}"), &headers, &bytes[..there]).expect("an answer");
        assert_eq!(begun.status, 201, "{}", begun.text());
        (begun.header("location").expect("an upload").to_owned(), bytes, there)
    });
    let go_on = |upload: &str, offset: usize, complete: &str, body: &[u8]| {
        let offset = offset.to_string();
        let headers = [("content-type", "application/partial-upload"), ("upload-offset", offset.as_str()), ("upload-complete", complete)];
        ask(&server, "PATCH", upload, &headers, body).expect("an answer")
    };
    // Half a scan is kept for a day of silence, a train has passed after an hour of it, and both are looked at every 10 s.
    let mut heard = Vec::new();
    for (by, wait_s) in [("+2d", 13), ("-2d", 1), ("+1d", 1), ("-2d", 1), ("+0", 13)] {
        jump(&site, by);
        std::thread::sleep(Duration::from_secs(wait_s));
        for (upload, bytes, there) in &mut under_way {
            assert_eq!(acknowledged(&server, upload), Some(*there), "{upload} after {by}: {}", site.log());
            // And a little comes at this time of day.
            let more = go_on(upload, *there, "?0", &bytes[*there..*there + 1_000]);
            assert_eq!(more.status, 204, "{}", more.text());
            *there += 1_000;
        }
        let told = server.get("/v1/portals").json();
        let uploads = told["portals"][0]["uploads"].as_array().expect("uploads");
        heard.extend(uploads.iter().map(|upload| upload["heard_ms"].as_i64().expect("a time")));
    }
    let span = heard.iter().max().expect("some") - heard.iter().min().expect("some");
    assert!(span > 4 * DAY_MS - 60_000, "the server's clock did not jump: {span} ms");
    for (upload, bytes, there) in &under_way {
        let done = go_on(upload, *there, "?1", &bytes[*there..]);
        assert_eq!(done.status, 201, "{}", done.text());
        let told = done.json();
        assert!(told["sha256"] == hex(&sha256(bytes)) && told["cut_short"].is_null(), "{told}");
    }
    assert!(server.stop().1, "{}", site.log());
    assert!(!site.log().contains("given up"), "{}", site.log());
}
