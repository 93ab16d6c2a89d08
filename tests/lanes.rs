//! The lanes as a whole: order, shedding, bad frames, hits, and the commands that show them.

#![allow(dead_code)]

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use garita::bytes::Bytes;
use garita::lane::detect::View;
use garita::lane::frame::Frame;
use garita::lane::passage::{GAP_MS, NO_TRIGGER_MS, Passages};
use garita::models::{Models, Precision};
use garita::pipeline::lanes::{LaneEvent, LaneSettings, Lanes};
use garita::pipeline::ordered;
use garita::watchlist::snapshot::{Snapshot, Watchlist};

fn start(lanes: usize) -> (Lanes, crossbeam_channel::Receiver<LaneEvent>) {
    start_with(vec![LaneSettings { view: View::Whole, gap_ms: GAP_MS, first: false, enrolled: None }; lanes], 2)
}

fn start_with(settings: Vec<LaneSettings>, workers: usize) -> (Lanes, crossbeam_channel::Receiver<LaneEvent>) {
    let passages = settings.iter().map(|lane| Passages::new(lane.gap_ms, 0)).collect();
    let watchlist = Arc::new(Watchlist::new(Snapshot::of_entries(&[], &[]).expect("an empty watchlist")));
    Lanes::start(&common::engine(), &Models::embedded(Precision::of_this_machine()), workers, &settings, passages, vec![watchlist])
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Every frame is looked at, displaced or bad; looked-at frames of a lane come in order and say how many were skipped before them.
#[test]
fn nothing_is_lost_without_a_word() {
    let samples = common::lane_samples();
    let (lanes, events) = start(2);
    let sent = 60;
    let mut displaced = 0;
    for sequence in 0..sent {
        let sample = &samples[sequence as usize % samples.len()];
        let encoded = if sequence % 10 == 7 { Bytes::from(common::encoded(sample)[..100].to_vec()) } else { common::encoded(sample) };
        let frame = Frame { lane: (sequence % 2) as usize, sequence, captured_ms: 100 * sequence as i64, clock_ms: 100 * sequence as i64, skipped: 0, encoded };
        displaced += u64::from(lanes.submit(frame).is_some());
        if sequence % 4 == 3 {
            std::thread::sleep(std::time::Duration::from_millis(15));
        }
    }
    let ended = std::thread::spawn(move || lanes.finish());
    let (mut looked_at, mut bad, mut skipped) = (0, 0, 0);
    let mut last = [None; 2];
    for event in events {
        let frame = match event {
            LaneEvent::Analysed { frame, .. } => {
                looked_at += 1;
                frame
            }
            LaneEvent::BadFrame { frame, error } => {
                bad += 1;
                assert!(error.message.starts_with("bad frame: "), "{error}");
                assert_eq!(frame.sequence % 10, 7);
                frame
            }
            _ => continue,
        };
        skipped += u64::from(frame.skipped);
        assert!(last[frame.lane].is_none_or(|before| before < frame.sequence), "lane {} out of order", frame.lane);
        last[frame.lane] = Some(frame.sequence);
    }
    ended.join().expect("no thread panics");
    assert_eq!(looked_at + bad + displaced, sent, "sent = looked at + bad + displaced");
    assert_eq!(skipped, displaced, "every displaced frame is counted in a later one");
}

/// The lane of the next frame that was looked at.
fn next_lane(events: &crossbeam_channel::Receiver<LaneEvent>) -> usize {
    loop {
        if let LaneEvent::Analysed { frame, .. } = events.recv().expect("the lanes run") {
            return frame.lane;
        }
    }
}

/// Where every lane always has a frame that waits, each gets its share.
#[test]
fn lanes_get_equal_shares() {
    const LANES: usize = 4;
    let encoded = common::encoded(&common::lane_samples()[0]);
    let (lanes, events) = start_with(vec![LaneSettings { view: View::Whole, gap_ms: GAP_MS, first: false, enrolled: None }; LANES], 1);
    let frame = |lane, sequence| Frame { lane, sequence, captured_ms: 0, clock_ms: 0, skipped: 0, encoded: encoded.clone() };
    let mut looked_at = [0u64; LANES];
    (0..LANES).for_each(|lane| assert!(lanes.submit(frame(lane, 0)).is_none()));
    for _ in 0..10 * LANES {
        let lane = next_lane(&events);
        looked_at[lane] += 1;
        assert!(lanes.submit(frame(lane, looked_at[lane])).is_none(), "one frame at a time is never displaced");
    }
    drop(events);
    lanes.finish();
    assert!(looked_at.iter().all(|count| (8..=12).contains(count)), "frames by lane: {looked_at:?}");
}

/// A triggered or watched lane's frame is next, however many lanes wait.
#[test]
fn lanes_in_which_something_happens_go_first() {
    const OTHERS: usize = 8;
    let encoded = common::encoded(&common::lane_samples()[0]);
    let settings = (0..=OTHERS).map(|lane| LaneSettings { view: View::Whole, gap_ms: GAP_MS, first: lane == OTHERS, enrolled: None }).collect();
    let (lanes, events) = start_with(settings, 1);
    let frame = |lane, sequence| Frame { lane, sequence, captured_ms: 0, clock_ms: 0, skipped: 0, encoded: encoded.clone() };
    let mut before = Vec::new();
    for round in 0..5 {
        (0..=OTHERS).for_each(|lane| drop(lanes.submit(frame(lane, round))));
        let order: Vec<usize> = (0..=OTHERS).map(|_| next_lane(&events)).collect();
        before.push(order.iter().position(|&lane| lane == OTHERS).expect("it is looked at"));
    }
    drop(events);
    lanes.finish();
    // What was under way when it came; in turn, all the others would be before it. This thread may lose its core between two lanes, but not every time.
    assert!(before.iter().any(|&others| others <= 2), "lanes before the one that goes first: {before:?} of {OTHERS}");
}

/// A trigger ends a passage at once, and silence does.
#[test]
fn triggers_and_silence_end_passages() {
    let samples = common::lane_samples();
    let sample = samples.iter().find(|sample| sample.plates.iter().any(|plate| plate.text.is_some())).expect("a frame with a plate");
    let (lanes, events) = start(1);
    let frame = |sequence: u64| Frame { lane: 0, sequence, captured_ms: 0, clock_ms: 10 * sequence as i64, skipped: 0, encoded: common::encoded(sample) };
    let mut sequence = 0;
    let mut passages_after = |count: usize, end: &dyn Fn(&Lanes)| {
        for _ in 0..count {
            assert!(lanes.submit(frame(sequence)).is_none(), "one frame at a time is never displaced");
            sequence += 1;
            while !matches!(events.recv().expect("the lanes run"), LaneEvent::Analysed { .. }) {}
        }
        end(&lanes);
        match events.recv().expect("the lanes run") {
            LaneEvent::Passage(passage, _) => (passage.track, passage.reads),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(passages_after(3, &|lanes| _ = lanes.trigger(0)), (0, 3));
    assert_eq!(passages_after(2, &|lanes| _ = lanes.trigger(0)), (1, 2));
    assert_eq!(passages_after(1, &|lanes| lanes.quiet(0, 1_000_000)), (2, 1));
    drop(events);
    lanes.finish();
}

/// Two reads of one vehicle further apart than `GAP_MS`, with quiet in between: one passage where triggers end them, two where silence does.
#[test]
fn between_two_triggers_is_one_passage_whatever_the_gap() {
    let samples = common::lane_samples();
    let sample = samples.iter().find(|sample| sample.plates.iter().any(|plate| plate.text.is_some())).expect("a frame with a plate");
    let settings = [NO_TRIGGER_MS, GAP_MS].map(|gap_ms| LaneSettings { view: View::Whole, gap_ms, first: false, enrolled: None });
    let (lanes, events) = start_with(settings.to_vec(), 1);
    let reads_of_passages = |lane: usize| {
        let mut passages: Vec<u32> = Vec::new();
        let mut take_until = |is_last: fn(&LaneEvent) -> bool| loop {
            let event = events.recv().expect("the lanes run");
            if let LaneEvent::Passage(passage, _) = &event {
                passages.push(passage.reads);
            }
            if is_last(&event) {
                break;
            }
        };
        for sequence in 0..2u64 {
            let clock_ms = 3 * GAP_MS * sequence as i64;
            let frame = Frame { lane, sequence, captured_ms: 0, clock_ms, skipped: 0, encoded: common::encoded(sample) };
            assert!(lanes.submit(frame).is_none(), "one frame at a time is never displaced");
            take_until(|event| matches!(event, LaneEvent::Analysed { .. }));
            lanes.quiet(lane, clock_ms + 2 * GAP_MS);
        }
        assert_eq!(lanes.trigger(lane), 1);
        take_until(|event| matches!(event, LaneEvent::Triggered { trigger: 1, .. }));
        passages
    };
    assert_eq!(reads_of_passages(0), [2], "with triggers");
    assert_eq!(reads_of_passages(1), [1, 1], "without");
    drop(events);
    lanes.finish();
}

#[test]
fn ordered_keeps_the_order_and_stops_at_the_end() {
    let mut answers = Vec::new();
    ordered(
        &mut [1u64, 2, 3],
        0..200u64,
        |worker, job| {
            std::thread::sleep(std::time::Duration::from_micros((job * 7919 % 13) * 50 * *worker));
            job * job
        },
        |answer| answers.push(answer),
    );
    assert_eq!(answers, (0..200).map(|job| job * job).collect::<Vec<u64>>());
}

fn garita(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_garita")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("runs")
}

/// The shape that other tools read, and plates of testdata read right.
#[test]
fn read_prints_one_object_per_image_in_order() {
    let samples = common::lane_samples();
    let paths: Vec<String> = samples.iter().map(|sample| sample.path.display().to_string()).collect();
    let mut arguments = vec!["read", "--json", "--watchlist", "testdata/lane/watchlist.csv"];
    arguments.extend(paths.iter().map(String::as_str));
    let output = garita(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<serde_json::Value> =
        output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).expect("JSON")).collect();
    assert_eq!(lines.len(), samples.len());
    let (mut right, mut plates, mut hits) = (0, 0, 0);
    for (line, sample) in lines.iter().zip(&samples) {
        assert_eq!(line["image"], sample.path.display().to_string());
        for key in ["width", "height", "error", "plates", "timing_ms"] {
            assert!(line.get(key).is_some(), "no {key}");
        }
        for key in ["decode", "detect", "read", "match", "total"] {
            assert!(line["timing_ms"][key].is_number(), "no timing_ms.{key}");
        }
        let read = line["plates"].as_array().expect("a list");
        let confidences: Vec<f64> = read.iter().map(|plate| plate["confidence"].as_f64().expect("a number")).collect();
        assert!(confidences.is_sorted_by(|a, b| a >= b), "plates by confidence");
        for plate in read {
            assert_eq!(plate["box"].as_array().map(Vec::len), Some(4));
            assert_eq!(plate["corners"].as_array().map(Vec::len), Some(4));
            assert_eq!(plate["chars"].as_array().map(Vec::len), plate["text"].as_str().map(str::len));
            assert!(plate["jurisdiction"].is_null() || plate["jurisdiction"]["code"].is_string());
            for hit in plate["hits"].as_array().expect("a list") {
                hits += 1;
                assert!(["exact", "equivalent", "near", "other_jurisdiction"].contains(&hit["class"].as_str().expect("a class")), "{hit}");
                assert!(
                    hit["entry"].is_string() && hit["list"].is_string() && hit["edits"].is_u64() && hit["probability"].is_number() && hit["priority"].is_u64()
                );
            }
        }
        for truth in sample.plates.iter().filter(|truth| truth.width().is_some_and(|width| width >= 70.0)) {
            plates += 1;
            right += usize::from(read.iter().any(|plate| plate["text"].as_str() == truth.full_text()));
        }
    }
    assert!(2 * right > plates, "{right} of {plates} plates of at least 70 pixels read right");
    assert!(hits > 0, "no hit on the demo's watchlist");
}

#[test]
fn read_tells_people_in_words() {
    let output = garita(&["read", "--watchlist", "testdata/lane/watchlist.csv", "testdata/lane/img"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("  HIT exact ") && !said.contains("HIT Exact"), "{said}");
    let plates: Vec<&str> = said.lines().filter(|line| line.ends_with(" ms") || line.contains(" ms  HIT ")).collect();
    // Of what was not read nothing is probable; of what was, something.
    let plates: Vec<&str> = plates.into_iter().filter(|line| !line.contains("(not read)")).collect();
    assert!(!plates.is_empty() && plates.iter().all(|line| line.contains(" %  ") && !line.contains(" 0 %")), "{said}");
}

#[test]
fn the_demo_shows_passages_and_hits_on_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("deep/demo.html");
    let output = garita(&["demo", "--page", page.to_str().expect("UTF-8")]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("EXACT") && said.contains("detect") && said.contains("demo.html"), "{said}");
    let page = std::fs::read_to_string(page).expect("the page");
    assert!(page.contains("data:image/jpeg;base64,") && page.ends_with("</html>\n"));
    assert!(!page.contains("http://") && !page.contains("https://"), "the page needs nothing from elsewhere");
}

/// `garita eval plates --json` in `folder`: the report, what was said beside it, and the exit code.
fn eval(folder: &Path, manifest: &Path) -> (serde_json::Value, String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_garita")).current_dir(folder).args(["eval", "plates", "--json"]).arg(manifest).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}")), said, output.status.code())
}

#[test]
fn eval_measures_testdata() {
    let folder = tempfile::tempdir().expect("a folder");
    let (report, said, code) = eval(folder.path(), &common::testdata().join("lane/manifest.jsonl"));
    assert_eq!(code, Some(0), "{said}");
    for key in ["recall", "precision", "exact", "exact_folded", "within_one", "within_one_folded"] {
        assert!(report[key]["n"].as_u64() > Some(0), "{key}: {}", report[key]);
        assert_eq!(report[key]["interval"].as_array().map(Vec::len), Some(2));
    }
    // The sheet of the worst errors, unless said otherwise.
    assert!(said.contains("out/eval.png"), "{said}");
    let sheet = image::open(folder.path().join("out/eval.png")).expect("a picture");
    assert!(sheet.width() > 0);
}

/// Pictures that cannot be read make no figure better.
#[test]
fn eval_counts_the_plates_of_pictures_that_cannot_be_read_as_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let manifest = folder.path().join("manifest.jsonl");
    std::fs::copy(common::testdata().join("lane/manifest.jsonl"), &manifest).expect("copies");
    std::fs::create_dir(folder.path().join("img")).expect("a folder");
    let samples = common::lane_samples();
    for sample in &samples {
        std::fs::copy(&sample.path, folder.path().join(&sample.name)).expect("copies");
    }
    let (sound, said, _) = eval(folder.path(), &manifest);
    let damaged: Vec<_> = samples.iter().step_by(2).collect();
    for sample in &damaged {
        std::fs::write(folder.path().join(&sample.name), &common::encoded(sample)[..1_000]).expect("writes");
    }
    let (report, worse, code) = eval(folder.path(), &manifest);
    assert_eq!((code, report["errors"].as_array().map(Vec::len)), (Some(1), Some(damaged.len())), "{said}{worse}");
    for key in ["recall", "exact", "exact_folded", "within_one", "within_one_folded", "jurisdiction_of_all"] {
        assert_eq!(report[key]["n"], sound[key]["n"], "{key}");
        assert!(report[key]["share"].as_f64() <= sound[key]["share"].as_f64(), "{key}: {} of {}", report[key], sound[key]);
    }
    assert!(report["recall"]["share"].as_f64() < sound["recall"]["share"].as_f64());
}

/// Before the work, in words.
#[test]
fn eval_refuses_what_it_cannot_write_to_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let there = folder.path().to_str().expect("UTF-8");
    for option in ["--sheet", "--answers", "--reads"] {
        let sheet = folder.path().join("sheet.png");
        let mut arguments = vec!["eval", "plates", "testdata/lane/manifest.jsonl", option, there];
        if option != "--sheet" {
            arguments.extend(["--sheet", sheet.to_str().expect("UTF-8")]);
        }
        // Without the library that the work takes.
        let output =
            Command::new(env!("CARGO_BIN_EXE_garita")).args(arguments).env("ORT_DYLIB_PATH", "/nowhere").current_dir(env!("CARGO_MANIFEST_DIR")).output();
        let output = output.expect("runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(there) && said.contains("directory") && !said.contains("os error"), "{option}: {said}");
    }
}
