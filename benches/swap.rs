//! What a list of a million entries costs the lanes when it is replaced once a second: p99 from frame to hit, with and without, under full load.
//!
//! `cargo bench --bench swap` builds two lists, keeps as many lanes as there are workers busy without pause (each gets its next frame when its last one is
//! done, so the workers never wait), and alternates periods in which the list is swapped with periods in which it is not. Frame to hit is from handing a
//! frame in until its reads, matched against the list, are told. Exits 1 where the swaps make p99 more than a tenth longer, by the median over pairs
//! of periods: single ones are noise.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use garita::bytes::Bytes;
use garita::infer::Engine;
use garita::lane::detect::View;
use garita::lane::frame::Frame;
use garita::lane::passage::{GAP_MS, Passages};
use garita::models::{Models, Precision};
use garita::pipeline::lanes::{LaneEvent, LaneSettings, Lanes};
use garita::synth::watchlist::Maker;
use garita::watchlist::build::Builder;
use garita::watchlist::{Entry, Jurisdiction, List, Snapshot, Watchlist, load_index, load_index_gently};
use jiff::Timestamp;

const ENTRIES: usize = 1_000_000;
/// A period: some swaps, some hundred frames.
const PERIOD: Duration = Duration::from_secs(6);
/// Pairs of periods.
const PAIRS: usize = 12;
/// p99 with swaps over p99 without, at most.
const MOST: f64 = 1.1;

fn build(path: &Path, seed: u64) {
    let list = List { name: "wanted".into(), ..List::default() };
    let mut builder = Builder::create(path, std::slice::from_ref(&list), 1 << 30).unwrap_or_else(|error| panic!("{error}"));
    let mut maker = Maker::new(seed);
    for _ in 0..ENTRIES {
        let (text, jurisdiction) = maker.plate();
        let jurisdiction = Jurisdiction::of(jurisdiction).expect("a code");
        builder.add(&Entry { text, jurisdiction, list: list.name.clone(), ..Entry::default() }).expect("a plate");
    }
    builder.finish(Timestamp::now()).unwrap_or_else(|error| panic!("{error}"));
}

fn frames() -> Vec<Bytes> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/lane/img");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).expect("testdata").map(|file| file.expect("testdata").path()).collect();
    paths.sort();
    paths.iter().map(|path| Bytes::map(path).unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// Milliseconds from frame to hit of every frame of a period, while `lanes` run without pause.
fn period(lanes: &Lanes, events: &crossbeam_channel::Receiver<LaneEvent>, frames: &[Bytes], busy: usize, sequence: &mut u64) -> Vec<f64> {
    let begin = Instant::now();
    let mut handed = vec![begin; busy];
    let mut under_way = 0;
    let mut took = Vec::new();
    let mut hand = |lane: usize, handed: &mut [Instant]| {
        let encoded = frames[*sequence as usize % frames.len()].clone();
        let captured_ms = Timestamp::now().as_millisecond();
        handed[lane] = Instant::now();
        assert!(lanes.submit(Frame { lane, sequence: *sequence, captured_ms, clock_ms: captured_ms, skipped: 0, encoded }).is_none());
        *sequence += 1;
    };
    for lane in 0..busy {
        hand(lane, &mut handed);
        under_way += 1;
    }
    while under_way > 0 {
        let (LaneEvent::Analysed { frame: Frame { lane, .. }, .. } | LaneEvent::BadFrame { frame: Frame { lane, .. }, .. }) = events.recv().expect("lanes run")
        else {
            continue;
        };
        took.push(handed[lane].elapsed().as_secs_f64() * 1e3);
        under_way -= 1;
        if begin.elapsed() < PERIOD {
            hand(lane, &mut handed);
            under_way += 1;
        }
    }
    took
}

fn p99(took: &mut [f64]) -> f64 {
    took.sort_by(f64::total_cmp);
    took[(took.len() - 1) * 99 / 100]
}

fn main() -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder");
    let files = [folder.path().join("a.index"), folder.path().join("b.index")];
    files.iter().zip(1..).for_each(|(file, seed)| build(file, seed));
    let engine = Engine::load().unwrap_or_else(|error| panic!("{error}"));
    let models = Models::embedded(Precision::of_this_machine());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let settings = vec![LaneSettings { view: View::Whole, gap_ms: GAP_MS, first: false, enrolled: None }; workers];
    let passages = settings.iter().map(|lane| Passages::new(lane.gap_ms, 0)).collect();
    let watchlist = Arc::new(Watchlist::new(Snapshot::new(Arc::new(load_index(&files[0]).unwrap_or_else(|error| panic!("{error}"))))));
    let (lanes, events) = Lanes::start(&engine, &models, workers, &settings, passages, vec![Arc::clone(&watchlist)]).unwrap_or_else(|error| panic!("{error}"));
    let (swapping, ended, swaps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let swapper = {
        let (swapping, ended, swaps) = (Arc::clone(&swapping), Arc::clone(&ended), Arc::clone(&swaps));
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let begin = Instant::now();
                if swapping.load(Ordering::Relaxed) {
                    let next = swaps.fetch_add(1, Ordering::Relaxed) as usize + 1;
                    watchlist.replace(Arc::new(load_index_gently(&files[next % 2]).unwrap_or_else(|error| panic!("{error}"))));
                }
                std::thread::sleep(Duration::from_secs(1).saturating_sub(begin.elapsed()));
            }
        })
    };
    let frames = frames();
    let mut sequence = 0;
    period(&lanes, &events, &frames, workers, &mut sequence);
    let mut ratios = Vec::new();
    println!(
        "{ENTRIES} entries, {workers} lanes without pause; milliseconds from frame to hit, p99\n\n| pair | without | with swaps | ratio |\n|---|---|---|---|"
    );
    for pair in 0..PAIRS {
        let mut of = [0.0; 2];
        // Which goes first alternates, so that a machine that gets busier favours neither.
        for with in [pair % 2, 1 - pair % 2] {
            swapping.store(with == 1, Ordering::Relaxed);
            of[with] = p99(&mut period(&lanes, &events, &frames, workers, &mut sequence));
        }
        ratios.push(of[1] / of[0]);
        println!("| {} | {:.1} | {:.1} | {:.2} |", pair + 1, of[0], of[1], of[1] / of[0]);
    }
    ended.store(true, Ordering::Relaxed);
    let _ = swapper.join();
    let finishing = std::thread::spawn(move || lanes.finish());
    events.iter().for_each(drop);
    let _ = finishing.join();
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    println!("\n{} swaps; median ratio {median:.2}, at most {MOST} is wanted", swaps.load(Ordering::Relaxed));
    if median > MOST { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
