//! `garita demo`: lanes over `testdata/`, from frames to hits; a train, from scan to findings; and a page that shows them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args as ClapArgs;
use crossbeam_channel::Receiver;

use garita::budget::{LANE, Meter, Stage};
use garita::bytes::Bytes;
use garita::error::{Error, Fault, Result};
use garita::eval::manifest::{self, Sample};
use garita::infer::Engine;
use garita::lane::detect::View;
use garita::lane::frame::Frame;
use garita::lane::hit::Hit;
use garita::lane::passage::{GAP_MS, Passage, Passages};
use garita::pipeline::FrameTimes;
use garita::pipeline::lanes::{LaneEvent, LaneSettings, Lanes};
use garita::watchlist::snapshot::Watchlist;

use super::percent;

mod page;
mod rail;

/// Frames that are no sequence count as this far apart, milliseconds: each is a vehicle of its own.
const APART_MS: i64 = 2 * GAP_MS;

/// Runs lanes over testdata: passages, hits, a latency table, and a page with annotated pictures.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Folder with `lane/manifest.jsonl`, its pictures, and `lane/watchlist.csv`; without one `testdata/` here, else the executable's own in `garita-demo/`.
    #[arg(long, value_name = "DIR")]
    testdata: Option<PathBuf>,
    /// Where to write the page.
    #[arg(long, value_name = "FILE", default_value = "out/demo.html")]
    page: PathBuf,
    #[command(flatten)]
    threads: super::Threads,
    #[command(flatten)]
    models: super::ModelArgs,
}

/// What the lanes said.
#[derive(Default)]
struct Told {
    passages: Vec<(Passage, Vec<Hit>)>,
    bad_frames: Vec<String>,
    frames: u64,
    meters: BTreeMap<usize, Meter>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let inputs = args.testdata.clone().map_or_else(garita::site::demo::inputs, Ok)?;
    let folder = inputs.join("lane");
    let samples = manifest::read(&folder.join("manifest.jsonl"), None)?;
    let lanes = lanes_of(&samples);
    let engine = Engine::load()?;
    let models = args.models.load()?;
    let watchlist = Watchlist::new(super::load_watchlist(&folder.join("watchlist.csv"), jiff::Timestamp::now())?);
    super::say(&format!("garita demo: {} frames of {} lanes, {} entries on the watchlist\n\n", samples.len(), lanes.len(), watchlist.load().len()))?;
    let settings = vec![LaneSettings { view: View::Whole, gap_ms: GAP_MS, first: false, enrolled: None }; lanes.len()];
    let passages = settings.iter().map(|lane| Passages::new(lane.gap_ms, 0)).collect();
    // Each lane has one frame under way.
    let threads = args.threads.for_jobs(lanes.len());
    let (running, events) = Lanes::start(&engine, &models, threads, &settings, passages, vec![Arc::new(watchlist)])?;
    let mut told = Told::default();
    feed(&running, &lanes, &events, &mut told)?;
    let rest = std::thread::spawn(move || running.finish());
    for event in events {
        told.take(event);
    }
    rest.join().map_err(|_| Error::new(Fault::Machine, "a lane's thread panicked"))?;
    told.passages.sort_by_key(|(passage, _)| (passage.lane, passage.seen_ms.0));
    let names: Vec<&str> = lanes.iter().map(|(name, _)| name.as_str()).collect();
    let trains = rail::run(&engine, &inputs.join("rail"))?;
    page::write(&args.page, &names, &told, &trains.section)?;
    let shown = args.page.canonicalize().unwrap_or_else(|_| args.page.clone());
    super::say(&format!(
        "{}\n{}\n{}\nPictures of every passage and car: {}\n",
        passages_table(&names, &told),
        latency_table(&told),
        trains.table,
        shown.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// A lane's name and its frames, capture times filled in for pictures that are no sequence.
type Lane<'a> = (String, Vec<(&'a Sample, u64, i64)>);

fn lanes_of(samples: &[Sample]) -> Vec<Lane<'_>> {
    let mut lanes: BTreeMap<String, Vec<(&Sample, u64, i64)>> = BTreeMap::new();
    for sample in samples {
        let name = sample.moment.as_ref().map_or("single pictures", |moment| &moment.lane).to_owned();
        let lane = lanes.entry(name).or_default();
        let (sequence, captured_ms) = match &sample.moment {
            Some(moment) => (moment.sequence, moment.captured_ms),
            None => (lane.len() as u64, 1_767_225_600_000 + APART_MS * lane.len() as i64),
        };
        lane.push((sample, sequence, captured_ms));
    }
    lanes.into_iter().collect()
}

/// Gives each lane its next frame when its last one has been looked at, so that the demo sheds none.
fn feed(running: &Lanes, lanes: &[Lane<'_>], events: &Receiver<LaneEvent>, told: &mut Told) -> Result<()> {
    let mut next = vec![0; lanes.len()];
    let mut under_way = 0;
    let mut submit = |lane: usize| -> Result<bool> {
        let Some((sample, sequence, captured_ms)) = lanes[lane].1.get(next[lane]) else { return Ok(false) };
        next[lane] += 1;
        let encoded = Bytes::map(&sample.path)?;
        let displaced = running.submit(Frame { lane, sequence: *sequence, captured_ms: *captured_ms, clock_ms: *captured_ms, skipped: 0, encoded });
        debug_assert!(displaced.is_none());
        Ok(true)
    };
    for lane in 0..lanes.len() {
        under_way += usize::from(submit(lane)?);
    }
    while under_way > 0 {
        let Ok(event) = events.recv() else { break };
        if let LaneEvent::Analysed { frame, .. } | LaneEvent::BadFrame { frame, .. } = &event {
            under_way = under_way - 1 + usize::from(submit(frame.lane)?);
        }
        told.take(event);
    }
    Ok(())
}

impl Told {
    fn take(&mut self, event: LaneEvent) {
        match event {
            LaneEvent::Analysed { times, reads, .. } => {
                self.frames += 1;
                self.meter(times, reads.len());
            }
            LaneEvent::BadFrame { frame, error } => {
                self.frames += 1;
                self.bad_frames.push(format!("frame {}: {error}", frame.sequence));
            }
            LaneEvent::Passage(passage, hits) => self.passages.push((*passage, hits)),
            LaneEvent::Unread { .. } | LaneEvent::Sighting { .. } | LaneEvent::Triggered { .. } => {}
            LaneEvent::Watchlist(error) => self.bad_frames.push(error.to_string()),
        }
    }

    fn meter(&mut self, times: FrameTimes, plates: usize) {
        let mut record = |stage: Stage, duration| self.meters.entry(stage as usize).or_default().record(duration);
        record(Stage::Decode, times.decode);
        record(Stage::Detect, times.detect);
        record(Stage::Refine, times.refine);
        record(Stage::Passage, times.passage);
        record(Stage::Frame, times.frame());
        if plates > 0 {
            record(Stage::Rectify, times.rectify / plates as u32);
            record(Stage::Read, times.read / plates as u32);
            record(Stage::Match, times.matching / plates as u32);
        }
    }
}

fn passages_table(lanes: &[&str], told: &Told) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{:<16} {:<10} {:>6} {:<8} {:>5}  hits", "lane", "plate", "sure", "state", "reads");
    for (passage, hits) in &told.passages {
        let state = passage.jurisdiction.as_ref().map_or("?", |one| one.code.as_str());
        let hits: Vec<String> = hits.iter().map(page::hit_text).collect();
        let _ = writeln!(
            text,
            "{:<16} {:<10} {:>6} {:<8} {:>5}  {}",
            lanes[passage.lane],
            passage.text,
            percent(passage.confidence),
            state,
            passage.reads,
            hits.join("; ")
        );
    }
    for bad in &told.bad_frames {
        let _ = writeln!(text, "{bad}");
    }
    text
}

fn latency_table(told: &Told) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{} frames, wall milliseconds. The budgets are of another case (p99 of CPU time, 1080p, two plates) and judge", told.frames);
    let _ = writeln!(text, "nothing here: `cargo bench --bench budgets` holds them.");
    let _ = writeln!(text, "{:<10} {:>8} {:>8} {:>8}", "stage", "p50", "p99", "budget");
    for budget in &LANE {
        let Some(meter) = told.meters.get(&(budget.stage as usize)) else { continue };
        let quantile = |share| meter.quantile_ms(share).unwrap_or(0.0);
        let _ = writeln!(text, "{:<10} {:>8.3} {:>8.3} {:>8.1}", budget.stage.name(), quantile(0.5), quantile(0.99), f64::from(budget.p99_us) / 1e3);
    }
    text
}
