//! L3: more frames than can be looked at. The newest of each lane wins, and every one sent is accepted, shed or rejected, by the server's count as by the cameras'.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use garita::custody::evidence::{hex, sha256};

use super::camera::{Connection, Shot, pictures, unlike};
use super::ledger::Ledger;
use super::number;
use super::server::{SOUGHT, Server, Site};

#[test]
fn every_frame_of_an_overload_is_accounted_for() {
    let seconds = number("GARITA_OVERLOAD_S", 6);
    let site = Site::new(4, "");
    let server = site.start();
    let (ledger, over, next) = (Ledger::default(), AtomicBool::new(false), AtomicU64::new(0));
    let (pictures, begun) = (pictures("lane000-"), Instant::now());
    std::thread::scope(|scope| {
        // Each lane has more senders at a time than frames that may wait or be under way.
        for sender in 0..24 {
            let (site, server, ledger, over, next, pictures) = (&site, &server, &ledger, &over, &next, &pictures);
            scope.spawn(move || {
                let lanes = site.lanes();
                let lane = &lanes[sender % lanes.len()];
                let mut connection = Connection::open(server.address).expect("connects");
                while !over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let picture = &pictures[number as usize % pictures.len()];
                    let bytes = match number % 20 {
                        0 => picture[..picture.len() / 2].to_vec(),
                        _ => unlike(picture, number),
                    };
                    let shot = Shot::new(lane, number.to_string(), bytes);
                    let outcome = shot.post(&mut connection);
                    let reply = ledger.note(&shot, outcome).expect("the server answers everybody");
                    if reply.status == 503 {
                        reply.assert_problem();
                        assert!(reply.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{reply:?}");
                    }
                }
            });
        }
        // So long, and on a slow machine until there is something to judge.
        let enough = || {
            let tally = ledger.tally();
            tally.accepted >= 20 && tally.rejected >= 2 && tally.shed > 2 * tally.accepted
        };
        while begun.elapsed() < Duration::from_secs(seconds) || !enough() && begun.elapsed() < Duration::from_secs(180) {
            std::thread::sleep(Duration::from_millis(100));
        }
        over.store(true, Ordering::Relaxed);
    });
    let (tally, counts) = (ledger.tally(), server.counts());
    println!("{tally:?}");
    assert_eq!(tally.accepted + tally.shed + tally.rejected, tally.sent, "{tally:?}");
    assert_eq!(counts, [tally.accepted, tally.shed, tally.rejected], "what the server counted is not what the cameras were told");
    assert!(tally.shed > tally.accepted / 2 && tally.accepted > 0 && tally.rejected > 0, "this was no overload: {tally:?}");
    assert!(server.stop().1, "{}", site.log());
    ledger.check(&site.data, SOUGHT);
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let count = |question: &str| store.query_row(question, [], |row| row.get::<_, i64>(0).map(i64::cast_unsigned)).expect("asks");
    assert_eq!(count("SELECT count(*) FROM frame WHERE error IS NULL"), tally.accepted);
    // A damaged frame that a newer one displaced was never looked at: it is among the shed.
    assert_eq!(count("SELECT count(*) FROM frame WHERE error IS NOT NULL"), tally.rejected);
    assert_eq!(count("SELECT sum(frames) FROM shed"), tally.shed, "the store's count of shed frames");
    // What a frame says was skipped before it adds up, too, but for what was shed after a lane's last kept frame.
    assert!(count("SELECT sum(skipped) FROM frame") <= tally.shed);
    assert_quiet(&site, begun.elapsed());
}

/// That the log has a line a lane and minute of what was shed, and none of each answer.
fn assert_quiet(site: &Site, took: Duration) {
    let log = site.log();
    let shed = log.lines().filter(|line| line.contains("frames were shed")).count();
    // The minutes that it began and ended in count as well.
    assert!((1..=site.lanes().len() * (took.as_secs() as usize / 60 + 2)).contains(&shed), "{shed} lines of what was shed in {took:?}: {log}");
    assert!(!log.contains("answered"), "{log}");
}

/// A form as Plate Recognizer's clients send it.
fn form(camera: Option<&str>, picture: &[u8]) -> Vec<u8> {
    let camera = camera.map_or_else(String::new, |camera| format!("--B\r\ncontent-disposition: form-data; name=\"camera_id\"\r\n\r\n{camera}\r\n"));
    [camera.as_bytes(), b"--B\r\ncontent-disposition: form-data; name=\"upload\"; filename=\"a.jpg\"\r\n\r\n", picture, b"\r\n--B--\r\n"].concat()
}

/// What a form is.
const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=B");

/// What `/metrics` has counted of frames: of each lane and outcome.
pub(super) fn counted(server: &Server) -> Vec<(String, u64)> {
    let metrics = server.get("/metrics").text();
    let series = metrics.lines().filter_map(|line| line.strip_prefix("garita_frames_total{")?.rsplit_once(' '));
    let mut counted: Vec<_> = series.map(|(labels, count)| (labels.trim_end_matches('}').to_owned(), count.parse().expect("a count"))).collect();
    counted.sort();
    counted
}

#[test]
fn frames_without_a_place_are_shed_in_the_store_too() {
    let site = Site::new(1, "[limits]\nwaiting = 1\nfree_bytes = \"24 MiB\"");
    let server = site.start();
    let (ledger, refused, begun) = (Ledger::default(), AtomicU64::new(0), Instant::now());
    let pictures = pictures("lane000-");
    std::thread::scope(|scope| {
        for sender in 0..6 {
            let (server, ledger, refused, pictures) = (&server, &ledger, &refused, &pictures);
            scope.spawn(move || {
                for number in 0..20 {
                    // Who is refused before its picture was read may lose the connection, and the answer with it.
                    let mut connection = Connection::open(server.address).expect("connects");
                    let shot = Shot::new("lane-0", format!("{sender} {number}"), unlike(&pictures[2], 100 * sender + number));
                    // Half of the cameras speak as Plate Recognizer's clients do.
                    let outcome = match sender % 2 {
                        0 => shot.post(&mut connection),
                        _ => connection.request("POST", "/v1/plate-reader/", &[FORM, ("idempotency-key", &shot.key)], &form(Some("lane-0"), &shot.bytes)),
                    };
                    let reply = ledger.note(&shot, outcome);
                    refused.fetch_add(u64::from(reply.is_some_and(|reply| reply.status == 429)), Ordering::Relaxed);
                }
            });
        }
    });
    let (tally, refused) = (ledger.tally(), refused.into_inner());
    println!("{tally:?}, {refused} of them for want of a place");
    assert!(refused > 0 && tally.accepted > 0, "{tally:?}, {refused}");
    let counts = server.counts();
    assert_eq!(counts.iter().sum::<u64>(), tally.sent, "{counts:?}, {tally:?}");
    assert_eq!(counts, [tally.accepted, tally.shed + tally.unanswered, tally.rejected], "{tally:?}");
    assert!(server.stop().1, "{}", site.log());
    ledger.check(&site.data, SOUGHT);
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let shed: i64 = store.query_row("SELECT sum(frames) FROM shed WHERE lane = 'lane-0'", [], |row| row.get(0)).expect("asks");
    assert_eq!(shed.cast_unsigned(), counts[1], "the store's count of shed frames");
    assert_quiet(&site, begun.elapsed());
}

/// A JPEG made `length` bytes long by comments in it.
fn commented(jpeg: &[u8], length: usize) -> Vec<u8> {
    let (mut long, mut missing) = (jpeg[..2].to_vec(), length - jpeg.len());
    while missing > 0 {
        // Of at least 4 bytes each: a marker and a length.
        let part = if missing > 60_000 { 50_000 } else { missing };
        long.extend([0xff, 0xfe]);
        long.extend((part as u16 - 2).to_be_bytes());
        long.resize(long.len() + part - 4, b' ');
        missing -= part;
    }
    [&long, &jpeg[2..]].concat()
}

#[test]
fn what_is_refused_of_a_form_counts_for_its_camera() {
    let device = |id: &str, more: &str| format!("[[device]]\nid = \"{id}\"\nkey_sha256 = \"{}\"\n{more}\n", hex(&sha256(id.as_bytes())));
    let limits = "[limits]\nframe_bytes = \"3 MiB\"\nfree_bytes = \"24 MiB\"\n".to_owned();
    let site = Site::new(2, &(limits + &device("every", "") + &device("second", "lanes = [\"lane-1\"]")));
    let server = site.start();
    let picture = pictures("single-").swap_remove(2);
    let padded = |length: usize| commented(&picture, length);
    let (first, limit, every) = (Some("lane-0"), 3 << 20, ("x-api-key", "every"));
    let forms = [
        (201, "lane-0", every, form(first, &padded(limit))),
        (413, "lane-0", every, form(first, &padded(limit + 1))),
        (413, "unknown", every, form(first, &padded(limit + (64 << 10)))),
        (415, "lane-0", every, form(first, b"no picture")),
        (422, "lane-0", ("content-digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"), form(first, &picture)),
        (400, "lane-0", ("garita-captured-at", "yesterday"), form(first, &picture)),
        (400, "unknown", every, form(None, &picture)),
        (404, "unknown", every, form(Some("lane-9"), &picture)),
        (403, "lane-0", ("x-api-key", "second"), form(first, &picture)),
        (401, "unknown", ("x-api-key", "nobody"), form(first, &picture)),
    ];
    let mut expected: Vec<(String, u64)> = counted(&server);
    let mut count = |lane: &str, status: u16| {
        let labels = format!("lane=\"{lane}\",outcome=\"{}\"", if status == 201 { "accepted" } else { "rejected" });
        expected.iter_mut().find(|series| series.0 == labels).unwrap_or_else(|| panic!("no {labels}")).1 += 1;
    };
    for (number, (status, lane, header, body)) in forms.iter().enumerate() {
        // Clients write it both ways.
        let path = ["/v1/plate-reader/", "/v1/plate-reader"][number % 2];
        let mut headers = vec![FORM, *header];
        if header.0 != "x-api-key" {
            headers.push(every);
        }
        let reply = Connection::open(server.address).and_then(|mut connection| connection.request("POST", path, &headers, body));
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, *status, "{lane}, {header:?}: {}", reply.text());
        count(lane, *status);
    }
    let reply = Connection::open(server.address).and_then(|mut connection| connection.request("POST", "/v1/lanes/lane-9/frames", &[every], &picture));
    assert_eq!(reply.expect("an answer").status, 404);
    count("unknown", 404);
    assert_eq!(counted(&server), expected);
    assert_eq!(expected.iter().map(|series| series.1).sum::<u64>(), forms.len() as u64 + 1, "sent = accepted + shed + rejected");
}

#[test]
fn who_goes_away_is_counted_all_the_same() {
    let site = Site::new(1, "");
    let server = site.start();
    for number in 0..20 {
        let mut connection = Connection::open(server.address).expect("connects");
        let bytes = unlike(&pictures("lane000-")[3], number);
        let head = format!("POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: garita\r\nidempotency-key: {number}\r\ncontent-length: {}\r\n\r\n", bytes.len());
        connection.send(&[head.as_bytes(), &bytes].concat()).expect("sends");
        // Gone before the answer, at once or a little later.
        std::thread::sleep(Duration::from_millis(number % 5 * 4));
    }
    // Settled when nothing was counted for a second: the gauge of what is under way is up to a tick old.
    let mut counted = server.counts();
    let settled = (0..120).any(|_| {
        std::thread::sleep(Duration::from_secs(1));
        std::mem::replace(&mut counted, server.counts()) == counted && counted[0] > 0
    });
    assert!(settled, "{}", server.get("/metrics").text());
    let [accepted, shed, rejected] = server.counts();
    assert!(server.stop().1, "{}", site.log());
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let count = |question: &str| store.query_row(question, [], |row| row.get::<_, i64>(0).map(i64::cast_unsigned)).expect("asks");
    assert_eq!((count("SELECT count(*) FROM frame"), count("SELECT coalesce(sum(frames), 0) FROM shed"), 0), (accepted, shed, rejected));
    assert!(accepted > 0);
}
