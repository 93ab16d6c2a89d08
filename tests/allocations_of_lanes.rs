//! What is allocated while frames of one vehicle go through a whole lane, all its threads and channels: the JPEG decoder's, and nothing more.
//!
//! A file of its own, for the allocator counts every thread's: no other test may run beside it.

#![allow(dead_code)]

mod common;

use std::sync::Arc;

use crossbeam_channel::Receiver;
use garita::bytes::Bytes;
use garita::lane::detect::View;
use garita::lane::frame::{Frame, Luma};
use garita::lane::passage::Passages;
use garita::models::{Models, Precision};
use garita::pipeline::lanes::{LaneEvent, LaneSettings, Lanes};
use garita::watchlist::snapshot::{Snapshot, Watchlist};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Frames that go through before it counts (buffers grow, threads make what they keep), and while it does.
const FRAMES: (u64, u64) = (60, 60);

fn blocks() -> u64 {
    dhat::HeapStats::get().total_blocks
}

/// Hands frames over one by one, and waits for each.
fn pass(lanes: &Lanes, events: &Receiver<LaneEvent>, encoded: &Bytes, sequences: std::ops::Range<u64>) -> usize {
    let mut read = 0;
    for sequence in sequences {
        let at_ms = 100 * sequence as i64;
        assert!(lanes.submit(Frame { lane: 0, sequence, captured_ms: at_ms, clock_ms: at_ms, skipped: 0, encoded: encoded.clone() }).is_none());
        match events.recv().expect("the lane lives") {
            LaneEvent::Analysed { frame, reads, .. } => {
                assert_eq!(frame.sequence, sequence);
                read += reads.len();
            }
            _ => panic!("one vehicle that stands there, and no list: nothing but frames is told"),
        }
    }
    read
}

#[test]
fn a_lane_allocates_nothing_per_frame_outside_the_decoder() {
    let samples = common::lane_samples();
    let mut worker = common::worker();
    let mut reads = Vec::new();
    let encoded = samples.iter().map(common::encoded).find(|encoded| {
        worker.analyse(encoded, View::Whole, &mut reads).expect("testdata is sound");
        reads.iter().any(|read| read.confidence > 0.5)
    });
    let encoded = encoded.expect("a frame with a sure read");
    let settings = [LaneSettings { view: View::Whole, gap_ms: 60_000, first: false, enrolled: None }];
    let watchlist = Arc::new(Watchlist::new(Snapshot::of_entries(&[], &[]).expect("an empty watchlist")));
    let models = Models::embedded(Precision::of_this_machine());
    let (lanes, events) = Lanes::start(&common::engine(), &models, 2, &settings, vec![Passages::new(60_000, 0)], vec![watchlist]).expect("starts");

    let _counting = dhat::Profiler::builder().testing().build();
    let mut luma = Luma::default();
    luma.decode(&encoded).expect("testdata is sound");
    let before = blocks();
    luma.decode(&encoded).expect("testdata is sound");
    let of_the_decoder = blocks() - before;

    pass(&lanes, &events, &encoded, 0..FRAMES.0);
    let before = blocks();
    let read = pass(&lanes, &events, &encoded, FRAMES.0..FRAMES.0 + FRAMES.1);
    let counted = blocks() - before;
    assert!(read as u64 >= FRAMES.1, "every frame shows the plate");
    println!("{counted} allocations in {} frames, {of_the_decoder} a frame are the decoder's", FRAMES.1);
    assert_eq!(counted, FRAMES.1 * of_the_decoder);
    drop(events);
    lanes.finish();
}
