//! In the steady state nothing is allocated per frame outside the JPEG decoder, whose own allocations are counted and reported.

#![allow(dead_code)]

mod common;

use allocation_counter::measure;
use garita::lane::detect::View;
use garita::lane::frame::{Frame, Luma};
use garita::lane::passage::{Passages, Settled};

#[test]
fn a_frame_allocates_nothing_outside_the_decoder() {
    let samples = common::lane_samples();
    let mut worker = common::worker();
    let (mut luma, mut reads) = (Luma::default(), Vec::with_capacity(garita::lane::detect::MAX_PLATES));
    let mut plates = 0;
    for round in 0..2 {
        for sample in &samples {
            let encoded = common::encoded(sample);
            let decoder = measure(|| luma.decode(&encoded).expect("testdata is sound"));
            let all = measure(|| {
                worker.analyse(&encoded, View::Whole, &mut reads).expect("testdata is sound");
            });
            plates += reads.len();
            // The first round is where buffers grow to the largest frame.
            if round > 0 {
                assert_eq!(
                    all.count_total, decoder.count_total,
                    "{}: {} allocations, {} of them the decoder's",
                    sample.name, all.count_total, decoder.count_total
                );
                println!("{}: the JPEG decoder makes {} allocations of {} bytes", sample.name, decoder.count_total, decoder.bytes_total);
            }
        }
    }
    assert!(plates > 0, "no plate was found in testdata: nothing was measured");
}

#[test]
fn a_lane_s_passages_allocate_nothing_between_vehicles() {
    let samples = common::lane_samples();
    let mut worker = common::worker();
    let (mut reads, mut joined, mut settled) = (Vec::new(), Vec::with_capacity(8), Settled::default());
    let mut passages = Passages::new(1_000, 0);
    let encoded = samples.iter().map(common::encoded).find(|encoded| {
        worker.analyse(encoded, View::Whole, &mut reads).expect("testdata is sound");
        reads.iter().any(|read| !read.text.is_empty())
    });
    let encoded = encoded.expect("a frame with a read");
    let frame =
        |sequence: u64| Frame { lane: 0, sequence, captured_ms: 100 * sequence as i64, clock_ms: 100 * sequence as i64, skipped: 0, encoded: encoded.clone() };
    passages.observe(&frame(0), &reads, &mut joined, &mut settled);
    let counted = measure(|| (1..50).for_each(|sequence| passages.observe(&frame(sequence), &reads, &mut joined, &mut settled)));
    assert_eq!(counted.count_total, 0);
}
