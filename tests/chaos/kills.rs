//! R1, R13: whatever was acknowledged survives kill -9 at any instant, exactly once.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::camera::{Connection, Shot, pictures, testdata, unlike};
use super::ledger::{Ledger, Train};
use super::number;
use super::proxy::Proxy;
use super::server::{SOUGHT, Server, Site};

/// A camera posts one frame after the other; what had no answer it posts again, under the same key, until it has one. Half of them over a bad link.
fn film(lane: &str, seed: u64, address: &Mutex<SocketAddr>, over: &AtomicBool, ledger: &Ledger) {
    let (pictures, mut connection, mut number) = (pictures("lane000-"), None, 0u64);
    while !over.load(Ordering::Relaxed) {
        let picture = &pictures[number as usize % pictures.len()];
        let shot = Shot::new(lane, format!("{seed}-{number}"), unlike(picture, seed << 32 | number));
        loop {
            if connection.is_none() {
                connection = Connection::open(*address.lock().expect("nobody panics with it")).ok();
            }
            let outcome = match &mut connection {
                Some(connection) => shot.post(connection),
                None => Err(std::io::ErrorKind::NotConnected.into()),
            };
            if ledger.note(&shot, outcome).is_some() {
                break;
            }
            connection = None;
            if over.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        number += 1;
    }
}

/// A portal sends one train after the other: first its consist, then its scan, each again until it is acknowledged.
fn scan(portal: &str, address: &Mutex<SocketAddr>, over: &AtomicBool, ledger: &Ledger) {
    let read = |name: &str| std::fs::read(testdata().join("rail").join(name)).expect("testdata");
    let (scan, consist) = (read("G-3.tif"), String::from_utf8(read("G-3.consist.json")).expect("JSON"));
    for number in 0.. {
        let name = format!("train-{number}");
        let train = Train { portal: portal.to_owned(), scan: unlike(&scan, number), consist: consist.clone() + &" ".repeat(number as usize % 100), name };
        let requests = [
            (format!("/v1/portals/{portal}/scans/{}/consist", train.name), vec![], train.consist.as_bytes()),
            (format!("/v1/portals/{portal}/scans"), vec![("idempotency-key", train.name.as_str())], train.scan.as_slice()),
        ];
        for (path, headers, body) in &requests {
            loop {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let to = *address.lock().expect("nobody panics with it");
                let reply = Connection::open(to).and_then(|mut connection| connection.request("POST", path, headers, body));
                match reply.map(|reply| reply.status) {
                    Ok(200..300) => break,
                    // Cut off by a kill; or an earlier try of the same upload still lies open; or there are too many.
                    Err(_) | Ok(408 | 409 | 429 | 503 | 507) => std::thread::sleep(Duration::from_millis(20)),
                    Ok(status) => panic!("{path}: {status}"),
                }
            }
        }
        ledger.note_train(train);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn nothing_acknowledged_is_lost_to_kill_9() {
    let (kills, seed) = (number("GARITA_KILLS", 30), number("GARITA_CHAOS_SEED", 20_261_124));
    println!("{kills} kills, seed {seed}: GARITA_KILLS, GARITA_CHAOS_SEED");
    let mut dice = Pcg64::seed_from_u64(seed);
    let site = Site::new(4, "[[portal]]\nid = \"bridge\"\n[[portal]]\nid = \"far-bridge\"\n");
    let mut server = site.start();
    let proxy = Proxy::start(server.address, seed);
    let (straight, bent) = (Mutex::new(server.address), Mutex::new(proxy.address));
    let (over, ledger, mut ready_after) = (AtomicBool::new(false), Ledger::default(), Vec::new());
    let server = std::thread::scope(|scope| {
        for (number, lane) in site.lanes().into_iter().enumerate() {
            let (address, over, ledger) = (if number % 2 == 0 { &straight } else { &bent }, &over, &ledger);
            scope.spawn(move || film(&lane, number as u64, address, over, ledger));
        }
        for (portal, address) in [("bridge", &straight), ("far-bridge", &bent)] {
            let (over, ledger) = (&over, &ledger);
            scope.spawn(move || scan(portal, address, over, ledger));
        }
        for _ in 0..kills {
            std::thread::sleep(Duration::from_millis(dice.random_range(5..600)));
            server.kill();
            // Also while it puts in order what the kill before left behind.
            if dice.random_range(0..4) == 0 {
                site.start_and_kill(Duration::from_millis(dice.random_range(0..400)));
            }
            server = site.start();
            ready_after.push(server.ready_after.as_secs_f64());
            proxy.aim(server.address);
            *straight.lock().expect("nobody panics with it") = server.address;
        }
        std::thread::sleep(Duration::from_millis(500));
        over.store(true, Ordering::Relaxed);
        server
    });
    let (_, well) = server.stop();
    assert!(well, "{}", site.log());
    let tally = ledger.tally();
    let (kept, trains) = (ledger.check(&site.data, SOUGHT), ledger.check_trains(&site.data));
    let worst = ready_after.iter().copied().fold(0.0, f64::max);
    println!("{tally:?}; {kept} frames and {trains} trains acknowledged, all there; ready again after at most {worst:.2} s");
    assert!(kept as u64 >= kills && trains as u64 >= kills / 3, "hardly anything was accepted between the kills: {tally:?}, {trains} trains");
    assert!(!site.log().contains("panicked"), "{}", site.log());
}

#[test]
fn one_frame_ten_times_is_one_row_and_one_hit() {
    let site = Site::new(1, "");
    let picture = pictures("lane000-").swap_remove(5);
    // Known by its key, and known by its contents and count alone.
    for (round, key) in [(0, "the same"), (1, "")] {
        let ledger = Ledger::default();
        let shot = Shot::new("lane-0", key.to_owned(), unlike(&picture, round));
        let post = |connection: &mut Connection| {
            let mut headers = vec![("garita-sequence", "7")];
            if !key.is_empty() {
                headers.push(("idempotency-key", key));
            }
            connection.request("POST", "/v1/lanes/lane-0/frames", &headers, &shot.bytes)
        };
        let mut frames = Vec::new();
        let mut fresh = 0;
        for crash in [false, true, false] {
            let server = site.start();
            let replies: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..10)
                    .map(|_| scope.spawn(|| Connection::open(server.address).and_then(|mut connection| post(&mut connection)).expect("an answer")))
                    .collect();
                threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
            });
            for reply in replies {
                assert_eq!(reply.status, 201, "{}", reply.text());
                let told = reply.json();
                fresh += usize::from(told["replay"] == false);
                frames.push((told["frame"].as_i64(), told["sequence"].as_i64(), told["plates"][0]["text"].as_str().map(str::to_owned)));
                ledger.note(&shot, Ok(reply));
            }
            if crash { server.kill() } else { assert!(server.stop().1, "{}", site.log()) }
        }
        frames.dedup();
        assert_eq!((frames.len(), fresh), (1, 1), "{frames:?}");
        if !key.is_empty() {
            assert_eq!(ledger.check(&site.data, SOUGHT), 1);
        }
    }
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let count = |table: &str| store.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).expect("asks");
    // Two frames of one vehicle, the second after the first's passage had ended: each has its passage and its hit.
    let passages = count(&format!("passage WHERE text = '{SOUGHT}'"));
    assert_eq!((count("frame"), passages, count("hit")), (2, 2, 2));
}

#[test]
fn one_key_for_other_bytes_is_refused() {
    let (site, pictures) = (Site::new(1, ""), pictures("single-"));
    let server = site.start();
    let mut connection = Connection::open(server.address).expect("connects");
    let mut post = |bytes: &[u8]| Shot::new("lane-0", "k".to_owned(), bytes.to_vec()).post(&mut connection).expect("an answer");
    assert_eq!(post(&pictures[0]).status, 201);
    let reply = post(&pictures[1]);
    reply.assert_problem();
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(server.counts(), [1, 0, 1]);
}

/// An acknowledged trigger still parts two vehicles after kill -9; and what comes between two triggers of a triggered lane is one, whatever the gap.
#[test]
fn triggers_part_vehicles_across_kill_9() {
    let site = Site::new(2, "");
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_garita"));
        command.env("GARITA__LANE__LANE_1__MODE", "triggered");
        site.start_under(command)
    };
    let picture = pictures("lane000-").swap_remove(5);
    let post = |server: &Server, lane: &str, number: u64| {
        let mut connection = Connection::open(server.address).expect("connects");
        let reply = Shot::new(lane, number.to_string(), unlike(&picture, number)).post(&mut connection).expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
    };
    let trigger = |server: &Server, lane: &str| {
        let mut connection = Connection::open(server.address).expect("connects");
        let reply = connection.request("POST", &format!("/v1/lanes/{lane}/triggers"), &[], &[]).expect("an answer");
        assert_eq!(reply.status, 202, "{}", reply.text());
    };
    let server = start();
    post(&server, "lane-1", 0);
    post(&server, "lane-0", 0);
    trigger(&server, "lane-0");
    server.kill();
    let server = start();
    post(&server, "lane-0", 1);
    trigger(&server, "lane-0");
    // Longer than gap_ms and some ticks.
    std::thread::sleep(Duration::from_millis(2_000));
    post(&server, "lane-1", 1);
    trigger(&server, "lane-1");
    assert!(server.stop().1, "{}", site.log());
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let reads = |lane: &str| -> Vec<i64> {
        store
            .prepare("SELECT reads FROM passage WHERE lane = ?1 AND text = ?2 ORDER BY track")
            .and_then(|mut passages| passages.query_map([lane, SOUGHT], |row| row.get(0))?.collect())
            .expect("passages")
    };
    assert_eq!(reads("lane-0"), [1, 1], "reads of each passage, parted by a trigger");
    assert_eq!(reads("lane-1"), [2], "reads of each passage, with no trigger in between");
}
