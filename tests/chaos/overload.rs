//! L3: more frames than can be looked at. The newest of each lane wins, and every one sent is accepted, shed or rejected, by the server's count as by the cameras'.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::camera::{Connection, Shot, pictures, unlike};
use super::ledger::Ledger;
use super::number;
use super::server::{SOUGHT, Site};

#[test]
fn every_frame_of_an_overload_is_accounted_for() {
    let seconds = number("GARITA_OVERLOAD_S", 6);
    let site = Site::new(4, "");
    let server = site.start();
    let (ledger, over, next) = (Ledger::default(), AtomicBool::new(false), AtomicU64::new(0));
    let pictures = pictures("lane000-");
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
        let begun = Instant::now();
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
