//! What a lane must reach on rendered frames (issue 2: one vehicle is one passage, voting gains, small plates of wide views), held on a few scenes of seeds that nothing was
//! trained or tuned on. The figures that the README states come from more of them, by `garita eval`.

use std::path::{Path, PathBuf};

use garita::eval::{manifest, passages, plates};
use garita::infer::Engine;
use garita::lane::detect::View;
use garita::lane::passage::GAP_MS;
use garita::models::{Models, Precision};
use garita::pipeline::{LaneWorker, ordered};
use garita::synth::lane::{Kind, Options, generate};

fn render(out: &Path, kind: Kind, seed: u64, count: usize, (width, height): (usize, usize)) -> Vec<manifest::Sample> {
    let options = Options { seed, count, kind, width, height, conditions: None, out: out.to_owned(), append: false, sheet: None };
    generate(&options, &mut |_, _| {}).expect("it renders");
    manifest::read(&out.join("manifest.jsonl"), None).expect("its own manifest")
}

fn workers(view: View) -> Vec<LaneWorker> {
    let (engine, models) = (Engine::load().expect("the engine"), Models::embedded(Precision::of_this_machine()));
    (0..2).map(|_| LaneWorker::open_for(&engine, &models, view).expect("the networks")).collect()
}

#[test]
fn one_vehicle_is_one_passage_and_frames_read_better_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let samples = render(folder.path(), Kind::Sequence, 907, 10, (1280, 720));
    let sequences = passages::sequences(&samples).expect("lanes");
    let mut outcomes = Vec::new();
    let work = |worker: &mut LaneWorker, sequence: &passages::Sequence<'_>| passages::look(worker, sequence, GAP_MS).expect("the engine");
    ordered(&mut workers(View::Whole), sequences.iter(), work, |outcome| outcomes.push(outcome));
    let report = passages::report(&outcomes);
    // Of 10 vehicles 98 in 100 are all.
    assert_eq!((report.once.hits, report.once.of), (10, 10), "{} without a passage, {} with several", report.missed, report.split);
    // 8 in 60 vehicles are usual (README), so 1.3 here; twice as many are too many.
    assert!(4 * report.others < report.once.of, "{} passages of nothing beside {} vehicles", report.others, report.once.of);
    let share = |proportion: &garita::eval::statistics::Proportion| proportion.hits as f64 / proportion.of as f64;
    let gain = share(&report.voted) - share(&report.single);
    assert!(gain >= 0.08, "by vote {}, in a single frame {}", report.voted, report.single);
}

#[test]
fn tiles_find_the_small_plates_of_a_wide_view() {
    let folder = tempfile::tempdir().expect("a folder");
    let samples = render(folder.path(), Kind::Wide4k, 908, 4, (3840, 2160));
    let mut outcomes = Vec::new();
    let work = |worker: &mut LaneWorker, (index, sample): (usize, &manifest::Sample)| plates::look(worker, index, sample, View::Tiled);
    ordered(&mut workers(View::Tiled), samples.iter().enumerate(), work, |outcome| outcomes.push(outcome));
    let report = plates::report(&samples, &outcomes, plates::MIN_WIDTH);
    assert!(report.errors.is_empty() && report.recall.of >= 12, "{:?}, {} plates", report.errors, report.recall.of);
    assert!(report.recall.hits as f64 >= 0.9 * report.recall.of as f64, "{} found", report.recall);
}

/// Photographs from close by: each plate fills its picture. What one look misses, another from twice as far may show.
#[test]
fn a_photograph_from_close_by_is_looked_at_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let samples = render(folder.path(), Kind::Single, 909, 24, (1920, 1080));
    let mut close = Vec::new();
    for sample in &samples {
        let picture = image::open(&sample.path).expect("rendered");
        for hull in sample.plates.iter().filter_map(|truth| truth.hull).filter(|hull| hull[2] >= 80.0) {
            let [x, y, width, height] = hull.map(|value| value as u32);
            let (left, top) = (x.saturating_sub(width / 50), y.saturating_sub(height / 10));
            let path = folder.path().join(format!("close-{}.png", close.len()));
            picture.crop_imm(left, top, width + width / 25, height + height / 5).save(&path).expect("there is room");
            close.push(path);
        }
    }
    let found = |view: View| {
        let mut worker = workers(view).remove(0);
        let mut reads = Vec::new();
        let is_found = |path: &&PathBuf| {
            worker.analyse(&std::fs::read(path).expect("just written"), view, &mut reads).expect("sound");
            !reads.is_empty()
        };
        close.iter().filter(is_found).count()
    };
    let (once, again) = (found(View::Whole), found(View::Still));
    println!("{} pictures: something found in {once}, with another look in {again}", close.len());
    assert!(close.len() >= 12 && again > once && 10 * again >= 9 * close.len(), "{} pictures: {once} by one look, {again} by two", close.len());
}
