//! Two workers in one process against two processes of one worker: the ratio of their throughputs, which issue and README want at 0.95 or more.
//!
//! Everything counts, in both arrangements: starting the program, loading the networks, mapping, decoding and reading the frames, writing the answers. The
//! same frames are read by both, in rounds that alternate which goes first, and the median of the rounds' ratios decides. Wall time is what throughput is, so
//! this wants a quiet machine of two cores or more; exit code 1 below the aim.
//!
//! `cargo bench --bench workers [-- --rounds N --frames N]`

#[path = "../tests/common/scenes.rs"]
mod scenes;

use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use scenes::scenes;

/// The least ratio that is right.
const AIM: f64 = 0.95;
/// Different frames; each is read over and over.
const SCENES: usize = 12;

fn main() -> ExitCode {
    let option = |name: &str, otherwise: usize| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
        arguments.next().map_or(otherwise, |value| value.parse().unwrap_or_else(|_| panic!("{name} takes a number, not {value}")))
    };
    let (rounds, count) = (option("--rounds", 9).max(1), option("--frames", 300));
    let folder = tempfile::tempdir().expect("a folder");
    let scenes = scenes(folder.path(), SCENES);
    let list = |frames: usize| scenes.iter().cycle().take(frames).cloned().collect::<Vec<_>>();
    let (half, whole) = (list(count), [list(count), list(count)].concat());
    let mut walls = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        for turn in 0..2 {
            let arrangement = (round + turn) % 2;
            let began = Instant::now();
            let children = if arrangement == 0 { vec![start(&whole, 2)] } else { vec![start(&half, 1), start(&half, 1)] };
            for mut child in children {
                assert!(child.wait().expect("waits").success(), "garita read failed");
            }
            walls[arrangement].push(began.elapsed());
        }
        let [two, apart] = [0, 1].map(|arrangement| per_second(whole.len(), walls[arrangement][round]));
        println!("round {:>2}: two workers {two:.1} frames/s, two processes {apart:.1}", round + 1);
    }
    // Each round's own ratio, so that a machine that gets busier over the rounds does not decide.
    let mut ratios: Vec<f64> = (0..rounds).map(|round| walls[1][round].as_secs_f64() / walls[0][round].as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    let (ratio, least, most) = (ratios[rounds / 2], ratios[0], ratios[rounds - 1]);
    println!(
        "\n{} 1080p frames a round, start-up included: two workers at {ratio:.3} of two processes (median; {least:.3} to {most:.3}), aim {AIM}",
        whole.len()
    );
    if ratio >= AIM { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn per_second(frames: usize, wall: Duration) -> f64 {
    frames as f64 / wall.as_secs_f64()
}

fn start(frames: &[PathBuf], threads: usize) -> Child {
    Command::new(env!("CARGO_BIN_EXE_garita"))
        .args(["read", "--json", "--threads", &threads.to_string()])
        .args(frames)
        .stdout(Stdio::null())
        .spawn()
        .expect("garita starts")
}
