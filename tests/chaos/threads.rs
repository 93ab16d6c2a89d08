//! A thread that has died is no secret, and leaves nobody waiting.

use std::time::Duration;

use garita::custody::evidence::sha256;
use garita::custody::scans::{self, NewScan, ScanState};
use garita::custody::{Custody, Settings};
use garita::infer::Engine;
use garita::lane::detect::View;
use garita::lane::passage::Passages;
use garita::models::{Models, Precision};
use garita::pipeline::lanes::{LaneEvent, LaneSettings, Lanes};
use garita::pipeline::portals::{PortalSettings, Portals};
use garita::rail::anomaly::Anomaly;
use garita::rail::thresholds::Thresholds;
use garita::service::door::{Answer, Door, Incoming};

use super::camera::{pictures, testdata, unlike};

const NOW_MS: i64 = 1_770_000_000_000;

/// A door to one lane, and what the lane says.
fn door(folder: &std::path::Path) -> (Door, crossbeam_channel::Receiver<LaneEvent>) {
    let custody = Custody::open(folder, Settings { free_bytes: 24 << 20, ..Settings::default() }).expect("a store");
    let settings = [LaneSettings { view: View::Whole, gap_ms: 1_000, first: false, enrolled: None }];
    let (engine, models) = (Engine::load().expect("the engine"), Models::embedded(Precision::of_this_machine()));
    let (lanes, events) = Lanes::start(&engine, &models, 1, &settings, vec![Passages::new(1_000, 1)], Vec::new()).expect("lanes");
    (Door::new(lanes, vec!["lane-0".to_owned()], &[0], custody), events)
}

/// Hands a frame in, and waits for its fate with the service's ticks.
fn fate(door: &Door, number: u64) -> Answer {
    let bytes = unlike(&pictures("lane000-")[2], number).into();
    let ticking = async {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            door.tick(NOW_MS);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        tokio::select! {
            answer = door.submit(Incoming { lane: 0, bytes, captured_ms: None, sequence: None, digest: None, key: None }) => answer,
            () = ticking => unreachable!("it ticks for ever"),
            () = tokio::time::sleep(Duration::from_secs(60)) => panic!("the frame hangs"),
        }
    })
}

fn assert_stopped(answer: &Answer, thread: &str) {
    assert!(matches!(answer, Answer::Stopped(why) if why.contains(thread)), "{answer:?}");
}

#[test]
fn frames_in_lanes_whose_settler_has_ended_are_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let (door, events) = door(folder.path());
    assert_eq!(door.dead(), None);
    // When nobody takes what they say, the settler ends with the frame that it has, as after a panic.
    drop(events);
    assert_stopped(&fate(&door, 1), "settler");
    assert_eq!(door.dead().as_deref(), Some("settler"));
    assert_eq!(door.under_way(), 0);
    // Whoever comes now does not wait.
    assert_stopped(&fate(&door, 2), "settler");
}

#[test]
fn frames_are_answered_when_the_relay_has_panicked() {
    let folder = tempfile::tempdir().expect("a folder");
    let (door, _events) = door(folder.path());
    let (say, said) = crossbeam_channel::bounded(1);
    // There is no such lane.
    say.send(LaneEvent::Unread { lane: 9, track: 1 }).expect("there is room");
    let relay = door.clone();
    assert!(std::thread::spawn(move || relay.relay(&said)).join().is_err());
    assert_eq!(door.dead().as_deref(), Some("relay"));
    assert_stopped(&fate(&door, 1), "relay");
    assert_eq!((door.counts(0).shed.load(std::sync::atomic::Ordering::Relaxed), door.under_way()), (1, 0));
}

#[test]
fn a_rail_worker_that_has_panicked_is_known_and_what_it_had_found_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let custody = Custody::open(folder.path(), Settings { free_bytes: 24 << 20, ..Settings::default() }).expect("a store");
    let bytes = std::fs::read(testdata().join("rail/G-3.tif")).expect("testdata");
    std::fs::write(folder.path().join("scans/one.tif"), &bytes).expect("written");
    let file = ("one.tif".to_owned(), sha256(&bytes), bytes.len() as u64);
    let (portal, upload) = ("bridge".to_owned(), "one".to_owned());
    let scan = NewScan { portal, key: sha256(b"one"), name: None, upload, file, cut_short: None, consist: None, now_ms: NOW_MS };
    let id = scans::kept(custody.change(move |transaction| scans::insert(transaction, &scan))).expect("kept");
    let engine = Engine::load().expect("the engine");
    let settings = PortalSettings { id: "bridge".to_owned(), thresholds: Thresholds::built_in(), two_person: false };
    let network = Anomaly::open(&engine).expect("a network");
    let portals = Portals::start(custody.clone(), vec![settings], Vec::new(), network, |news| panic!("{news:?}")).expect("a worker");
    let (waker, begun) = (portals.waker(), std::time::Instant::now());
    waker.wake();
    while waker.is_heard() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the worker is there still");
        std::thread::sleep(Duration::from_millis(20));
    }
    // It told of the scan after it had committed what it found.
    assert_eq!(custody.scan(id).expect("asks").map(|scan| scan.state), Some(ScanState::Inspected));
    waker.wake();
    portals.finish();
}
