//! R10: a camera that comes and goes a thousand times leaks nothing, and is one alarm. Alone in its file: it counts the whole process's descriptors.

// Each of these tests uses its part of what they share.
#![allow(dead_code)]

#[path = "common/camera.rs"]
mod camera;
#[path = "common/door.rs"]
mod door;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use camera::{FakeCamera, Script, Then};
use door::{FakeDoor, until};
use garita::service::mjpeg::{Camera, pull};
use garita::service::source::{Link, Patience, Source};

const RECONNECTS: u64 = 1_000;

/// Open descriptors, tasks that live, bytes in memory.
fn held() -> (usize, usize, u64) {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("Linux").count();
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    (descriptors, tokio::runtime::Handle::current().metrics().num_alive_tasks(), pages * 4096)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reconnects_leak_nothing_and_are_one_alarm() {
    // As large as real ones, so that one that is kept would be seen.
    let picture = [&[0xFF, 0xD8][..], &[0x55; 100_000], &[0xFF, 0xD9]].concat();
    let milliseconds = Duration::from_millis;
    let script = Script { flapping: RECONNECTS, then: Then::Half, ..Script::of(vec![picture], milliseconds(1)) };
    let server = FakeCamera::start(script).await;
    let patience = Patience { first_wait: milliseconds(1), most_wait: milliseconds(2), stall: Duration::from_secs(5), steady: Duration::from_secs(1) };
    let camera = Camera { lane: 0, url: server.url(), login: None, fps: 1_000.0, patience };
    let source = Arc::new(Source::new("south-1", "pull"));
    let door = FakeDoor::default();
    let task = {
        let (source, submit) = (Arc::clone(&source), door.answering(|_| door::kept()));
        // What is handed in is not what is measured: only its number is kept.
        tokio::spawn(
            async move { pull(camera, &source, move |incoming| submit(garita::service::door::Incoming { bytes: bytes::Bytes::new(), ..incoming })).await },
        )
    };
    let connections = || server.connections.load(Ordering::SeqCst);
    let mut alarms = source.link();
    while connections() < RECONNECTS / 10 {
        tokio::time::sleep(milliseconds(5)).await;
    }
    let before = held();
    while connections() < RECONNECTS {
        tokio::time::sleep(milliseconds(5)).await;
        assert!(!task.is_finished());
    }
    // Only one that stays is up.
    alarms.wait_for(|link| matches!(link, Link::Up { .. })).await.expect("a state");
    let after = held();
    assert!(after.0 <= before.0 + 4 && after.1 <= before.1 + 4, "descriptors and tasks: {before:?}, then {after:?}");
    assert!(after.2 <= before.2 + (16 << 20), "memory: {before:?}, then {after:?}");
    assert_eq!(source.counts.incidents.load(Ordering::Relaxed), 1, "one alarm for all of it");
    assert!(connections() > RECONNECTS && source.counts.frames.load(Ordering::Relaxed) >= RECONNECTS);
    // Another incident is another alarm.
    drop(server);
    alarms.wait_for(|link| matches!(link, Link::Down { .. })).await.expect("a state");
    until("the connection is let go", || held().0 < after.0).await;
    tokio::time::sleep(milliseconds(50)).await;
    assert_eq!(source.counts.incidents.load(Ordering::Relaxed), 2);
    task.abort();
}
