//! R9: lists replaced under load are in force whole or not at all; entries expire to the second, without a reload.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::camera::{Connection, Shot, pictures, unlike};
use super::server::{SOUGHT, Server, Site};

/// A list whose two entries for one plate both name their version, and `version` further ones so that its length does too.
fn list(version: usize) -> String {
    let mut text = "plate,list,priority,reason,source_version,jurisdiction\n".to_owned();
    for (name, jurisdiction) in [("wanted", ""), ("stolen", "MX-TAM")] {
        text += &format!("{SOUGHT},{name},0,version {version},{version},{jurisdiction}\n");
    }
    (0..version).for_each(|number| text += &format!("ZZZ99{number:02},wanted,0,filler,{version},\n"));
    text
}

fn entries(server: &Server) -> u64 {
    server.status()["lists"][0]["entries"].as_u64().expect("a count")
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what} took more than two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn lists_change_whole_while_frames_come() {
    let site = Site::new(2, "");
    site.write_list(&list(1));
    let server = site.start();
    let over = std::sync::atomic::AtomicBool::new(false);
    // Which versions may be met: those that were in force at some time between a frame's sending and its answer.
    let (first, last) = (std::sync::atomic::AtomicUsize::new(1), std::sync::atomic::AtomicUsize::new(1));
    let ordering = std::sync::atomic::Ordering::SeqCst;
    let mut sent: Vec<(String, i64, usize, usize)> = Vec::new();
    let answered = std::sync::atomic::AtomicUsize::new(0);
    let some_frames = || {
        let before = answered.load(ordering);
        wait_for("six frames", || answered.load(ordering) >= before + 6);
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = site
            .lanes()
            .into_iter()
            .map(|lane| {
                let (server, over, first, last, answered) = (&server, &over, &first, &last, &answered);
                scope.spawn(move || {
                    let (picture, mut sent) = (pictures("lane000-").swap_remove(5), Vec::new());
                    let mut connection = Connection::open(server.address).expect("connects");
                    for number in 0.. {
                        if over.load(ordering) {
                            break;
                        }
                        let least = first.load(ordering);
                        let reply = Shot::new(&lane, format!("{lane} {number}"), unlike(&picture, number)).post(&mut connection).expect("an answer");
                        assert_eq!(reply.status, 201, "{}", reply.text());
                        // The vehicle has passed: the next frame's is another one, with hits of its own.
                        assert_eq!(connection.request("POST", &format!("/v1/lanes/{lane}/triggers"), &[], &[]).expect("an answer").status, 202);
                        answered.fetch_add(1, ordering);
                        sent.push((lane.clone(), reply.json()["sequence"].as_i64().expect("a number"), least, last.load(ordering)));
                    }
                    sent
                })
            })
            .collect();
        for version in 2..=4 {
            some_frames();
            if version == 3 {
                // A bad file in between changes nothing, and is said.
                site.write_list("no such column\n\"open quote\n");
                wait_for("noticing a bad list", || server.get("/readyz").status == 503);
                assert!(server.get("/readyz").text().contains("sought"), "{}", server.get("/readyz").text());
                assert_eq!(entries(&server), 4, "the old list is not in force any more");
            }
            last.store(version, ordering);
            site.write_list(&list(version));
            wait_for("a list's coming into force", || entries(&server) == 2 + version as u64);
            first.store(version, ordering);
        }
        some_frames();
        over.store(true, ordering);
        sent = threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
    });
    assert!(server.stop().1, "{}", site.log());
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let mut hits: BTreeMap<(String, i64), Vec<usize>> = BTreeMap::new();
    let mut rows = store.prepare("SELECT lane, sequence, json_extract(entry, '$.reason'), json_extract(entry, '$.source_version') FROM hit").expect("hits");
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?))).expect("asks");
    for row in rows {
        let (lane, sequence, reason, version) = row.expect("a hit");
        assert_eq!(reason, format!("version {version}"), "an entry of two versions");
        hits.entry((lane, sequence)).or_default().push(version.parse().expect("a version"));
    }
    assert!(sent.len() > 20, "only {} frames", sent.len());
    for (lane, sequence, least, most) in sent {
        let versions = hits.get(&(lane.clone(), sequence)).unwrap_or_else(|| panic!("frame {sequence} of {lane} has no hit"));
        assert_eq!(versions.len(), 2, "frame {sequence} of {lane}: {versions:?}");
        assert!(
            versions[0] == versions[1] && (least..=most).contains(&versions[0]),
            "frame {sequence} of {lane}: {versions:?} while {least} to {most} were in force"
        );
    }
    println!("{} frames met one whole version each, of four", hits.len());
    let seen: std::collections::BTreeSet<usize> = hits.into_values().flatten().collect();
    assert_eq!(seen, (1..=4).collect(), "versions met");
}

#[test]
fn entries_expire_to_the_second_without_reload() {
    let site = Site::new(4, "");
    let now = jiff::Timestamp::now();
    let until = jiff::Timestamp::from_second(now.as_second() + 60).expect("a time");
    site.write_list(&format!(
        "plate,list,priority,reason,valid_from,valid_until\n{SOUGHT},wanted,0,chaos,{},{until}\n",
        now - jiff::SignedDuration::from_secs(60)
    ));
    let server = site.start();
    assert_eq!(entries(&server), 1, "{}", server.status());
    let picture = pictures("lane000-").swap_remove(5);
    // One lane each, so that each is a vehicle of its own.
    for (lane, off_ms) in [(0, -1_000), (1, 1_000), (2, -119_000), (3, -121_000)] {
        let mut shot = Shot::new(&format!("lane-{lane}"), off_ms.to_string(), unlike(&picture, lane));
        shot.captured_ms = Some(until.as_millisecond() + off_ms);
        let reply = shot.post(&mut Connection::open(server.address).expect("connects")).expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    assert!(server.stop().1, "{}", site.log());
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let mut lanes = store.prepare("SELECT lane FROM hit ORDER BY lane").expect("hits");
    let lanes: Vec<String> = lanes.query_map([], |row| row.get(0)).expect("asks").collect::<rusqlite::Result<_>>().expect("hits");
    assert_eq!(lanes, ["lane-0", "lane-2"], "hits a second before the end and a second after the beginning, and no others");
}
