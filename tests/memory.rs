//! `garita read` over a thousand 1080p frames: its memory stays below 300 MB and does not grow.

#![cfg(target_os = "linux")]

#[path = "common/scenes.rs"]
mod scenes;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use scenes::scenes;

/// Frames read.
const FRAMES: usize = 1_000;
/// Different pictures among them.
const SCENES: usize = 4;
/// The most that the process may ever hold, kB.
const MOST_KB: u64 = 300_000;

/// `VmRSS` or `VmHWM` of a process, kB; `None` once it has gone.
fn memory_kb(process: u32, which: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(which)?.trim_start_matches(':').trim().strip_suffix(" kB")?.parse().ok())
}

#[test]
fn a_thousand_frames_take_no_more_memory_than_a_hundred() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenes = scenes(folder.path(), SCENES);
    let paths = scenes.iter().cycle().take(FRAMES);
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_garita")).args(["read", "--json", "--threads", "2"]).args(paths).stdout(Stdio::piped()).spawn().expect("starts");
    // Resident kB by answers received: lines come in blocks of a few, which is fine enough.
    let mut resident = Vec::with_capacity(FRAMES);
    let mut peak = 0;
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let line = line.expect("text");
        assert!(line.contains("\"error\":null"), "{line}");
        resident.extend(memory_kb(child.id(), "VmRSS"));
        peak = memory_kb(child.id(), "VmHWM").unwrap_or(peak);
    }
    assert!(child.wait().expect("waits").success());
    assert!(resident.len() > FRAMES / 2, "only {} samples", resident.len());
    println!("peak {peak} kB; resident after 100 frames {} kB, at the end {} kB", resident[100], resident[resident.len() - 1]);
    assert!(peak > 0 && peak <= MOST_KB, "peak {peak} kB");
    let most = |part: &[u64]| part.iter().copied().max().expect("not empty");
    let (early, late) = (most(&resident[50..resident.len() / 4]), most(&resident[resident.len() / 4..]));
    // Workers meet the largest frame within the first fifty; after that nothing may grow but the allocator's crumbs.
    assert!(late <= early + early / 10, "resident {early} kB in the first quarter, {late} kB later");
}
