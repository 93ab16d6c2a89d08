//! What the store costs: records and bytes a second when 1, 8 or 64 senders wait for their acknowledgement (so many records share a commit), the parts of one group,
//! and how soon a large store is ready. No verdict: disks differ. `cargo bench --bench custody [-- --ready 1000000]`.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use garita::bytes::Bytes;
use garita::custody::evidence::sha256;
use garita::custody::record::{Fate, FrameRecord, Record, StoredRead};
use garita::custody::{Custody, Settings, database};
use garita::lane::detect::PlateBox;
use garita::lane::read::PlateRead;
use garita::posterior::{Posterior, Text};

/// A 1280x720 frame of a lane camera, bytes.
const FRAME_BYTES: usize = 250_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|word| word == "--ready").and_then(|at| arguments.get(at + 1)?.parse().ok()) {
        Some(rows) => ready(rows),
        None => {
            groups();
            parts();
        }
    }
}

fn read() -> StoredRead {
    StoredRead::of(&PlateRead {
        plate: PlateBox { corners: [[10.0, 10.0], [110.0, 12.0], [110.0, 42.0], [10.0, 40.0]], score: 0.9 },
        text: Text::of("ABC1234").expect("short"),
        posterior: Posterior::certain("ABC1234", 0.1).expect("short"),
        probability: 0.8,
        confidence: 0.9,
        looked_again: false,
        jurisdiction: None,
    })
}

fn groups() {
    println!("{:>6} {:>8} {:>10} {:>8} {:>10} {:>12}", "group", "bytes", "records/s", "MB/s", "ratio", "CPU us/record");
    for bytes in [2_000, FRAME_BYTES] {
        let mut one = 0.0;
        for group in [1usize, 8, 64] {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk");
            let custody = Custody::open(folder.path(), Settings::default()).unwrap_or_else(|error| panic!("{error}"));
            let encoded = Bytes::from(vec![0x5A; bytes]);
            let (told, fates) = channel();
            let (mut sequence, begun, cpu) = (0u64, Instant::now(), ProcessTime::now());
            // The disk's own cache must not be what is measured: at least some seconds, at most some GB.
            while begun.elapsed() < Duration::from_secs(4) && sequence * (bytes as u64) < 2 << 30 {
                for _ in 0..group {
                    let told = told.clone();
                    custody.put(frame(sequence, encoded.clone(), Box::new(move |fate| drop(told.send(fate)))));
                    sequence += 1;
                }
                for _ in 0..group {
                    let fate = fates.recv().expect("a fate");
                    assert!(matches!(fate, Fate::Kept(_)), "{fate:?}");
                }
            }
            let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
            let rate = sequence as f64 / wall;
            one = if group == 1 { rate } else { one };
            println!("{group:>6} {bytes:>8} {rate:>10.0} {:>8.1} {:>10.2} {:>12.1}", rate * bytes as f64 / 1e6, rate / one, 1e6 * cpu / sequence as f64);
            custody.close();
        }
    }
}

fn frame(sequence: u64, encoded: Bytes, done: garita::custody::record::Done) -> Record {
    let key = sha256(&sequence.to_le_bytes());
    Record::Frame(Box::new(FrameRecord {
        lane: format!("lane{}", sequence % 16),
        sequence,
        key,
        digest: key,
        sender_sequence: None,
        captured_ms: sequence as i64,
        received_ms: sequence as i64,
        skipped: 0,
        encoded,
        error: None,
        reads: vec![(sequence / 8, read())],
        done,
    }))
}

/// What could be spared in a group, microseconds of CPU each.
fn parts() {
    fn each(what: &str, times: u32, mut work: impl FnMut()) {
        let cpu = ProcessTime::now();
        (0..times).for_each(|_| work());
        println!("{what:<44} {:>8.2} us", 1e6 * cpu.elapsed().as_secs_f64() / f64::from(times));
    }
    let (bytes, read, folder) = (vec![0x5Au8; FRAME_BYTES], read(), std::env::temp_dir());
    each("SHA-256 of a frame (250 kB)", 200, || {
        std::hint::black_box(sha256(&bytes));
    });
    each("a read as JSON", 5_000, || drop(std::hint::black_box(serde_json::to_string(&read))));
    each("free space (statvfs)", 5_000, || drop(std::hint::black_box(rustix::fs::statvfs(&folder))));
}

/// A store of this many frames and half as many passages, made by SQL, without bytes: how long does it take to open, and to sweep once?
fn ready(rows: u64) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk");
    Custody::open(folder.path(), Settings::default()).unwrap_or_else(|error| panic!("{error}")).close();
    let seen = serde_json::to_string(&read()).expect("plain data");
    let now_ms = 1_700_000_000_000i64;
    let connection = rusqlite::Connection::open(database(folder.path())).expect("it opens");
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = OFF; BEGIN;
             CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {rows}) SELECT i FROM n;
             INSERT INTO lane SELECT 'lane' || i, {rows}, {rows} FROM n WHERE i < 16;
             INSERT INTO frame SELECT i + 1, 'lane' || (i % 16), i, randomblob(32), randomblob(32), NULL, {now_ms} + i, {now_ms} + i, 0, NULL, NULL, 250000, NULL, NULL
               FROM n;
             INSERT INTO track SELECT 'lane' || (i % 16), i, CASE WHEN i < {rows} - 32 THEN 'passed' ELSE 'open' END FROM n WHERE i % 32 < 16;
             INSERT INTO read SELECT i + 1, 0, 'lane' || (i % 16), i, '{seen}' FROM n WHERE i % 32 < 16;
             INSERT INTO passage SELECT i + 1, 'lane' || (i % 16), i, 'ABC' || i, 0.9, NULL, NULL, 1, {now_ms} + i, {now_ms} + i, i, '{seen}', '[]', 0, {now_ms} + i
               FROM n WHERE i % 32 < 16 AND i < {rows} - 32;
             INSERT INTO evidence SELECT i + 1, 0, i, {now_ms} + i, randomblob(32), 250000 FROM n WHERE i % 32 < 16 AND i < {rows} - 32;
             COMMIT;"
        ))
        .expect("the rows fit");
    drop(connection);
    // What was just written is on the disk before the clock runs: syncs must not wait for it.
    let synced = std::fs::File::open(folder.path()).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
    synced.expect("it syncs");
    let size = std::fs::metadata(database(folder.path())).expect("it is there").len();
    let begun = Instant::now();
    let custody = Custody::open(folder.path(), Settings::default()).unwrap_or_else(|error| panic!("{error}"));
    let opened = begun.elapsed();
    let states: usize = (0..16).map(|lane| custody.lane_state(&format!("lane{lane}")).expect("it answers").open.len()).sum();
    let ready = begun.elapsed();
    let (told, fates) = channel();
    let swept = Instant::now();
    custody.put(Record::Sweep { now_ms: now_ms + rows as i64 });
    for _ in 0..2 {
        let told = told.clone();
        custody.put(Record::Change(Box::new(|_| Ok(0)), Box::new(move |fate| drop(told.send(fate)))));
        fates.recv().expect("a fate");
    }
    println!(
        "{rows} frames, {} MB: opened in {:.3} s, with 16 lanes' state {:.3} s ({states} reads given back); a sweep with nothing to do {:.3} s",
        size >> 20,
        opened.as_secs_f64(),
        ready.as_secs_f64(),
        swept.elapsed().as_secs_f64()
    );
    custody.close();
}
