//! The runs, each with its figures.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use garita::bytes::Bytes;
use garita::eval::statistics::quantile;
use garita::infer::Engine;
use garita::lane::detect::View;
use garita::lane::frame::Frame;
use garita::lane::passage::Passages;
use garita::models::{Models, Precision};
use garita::pipeline::lanes::{LaneEvent, LaneSettings, Lanes};
use garita::watchlist::snapshot::{Snapshot, Watchlist};

use super::Figure;
use super::camera::{Connection, Shot, unlike};
use super::pictures::Frames;
use super::server::{Server, Site};

/// Lanes of the load, and how often each has a frame.
const LANES: usize = 16;
const EVERY: Duration = Duration::from_millis(500);

fn site(frames: &Frames) -> Site {
    let site = Site::new(LANES, "");
    site.write_list(&format!("plate,list,priority,reason\n{},wanted,0,bench\n", frames.sought));
    site
}

/// Frame `number` of a lane, unlike any other, each `frames.held` of them of one vehicle. Lanes begin at different pictures.
fn shot(frames: &Frames, lane: usize, number: u64) -> (Shot, bool) {
    let at = frames.picture(lane, number, LANES);
    let bytes = unlike(&frames.frames[at], (lane as u64) << 48 | number);
    (Shot::new(&format!("lane-{lane}"), format!("{lane}-{number}"), bytes), at == frames.at)
}

/// What cameras were told: status and milliseconds from the last byte to the answer.
type Answers = Mutex<Vec<(u16, f64, Instant)>>;

fn post(connection: &mut Connection, shot: &Shot, answers: &Answers) {
    let begun = Instant::now();
    let reply = shot.post(connection).expect("the server answers");
    answers.lock().expect("nobody panics with it").push((reply.status, begun.elapsed().as_secs_f64() * 1e3, Instant::now()));
}

/// All lanes at their pace until `over`; answers how many of the frames were sought.
fn pace(frames: &Frames, server: &Server, first: u64, over: &AtomicBool, answers: &Answers) -> u64 {
    let sought = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let sought = &sought;
            scope.spawn(move || {
                let mut connection = Connection::open(server.address).expect("connects");
                // Cameras are not in step with each other.
                let mut due = Instant::now() + EVERY.mul_f64(lane as f64 / LANES as f64);
                for number in first.. {
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let (shot, is_sought) = shot(frames, lane, number);
                    post(&mut connection, &shot, answers);
                    sought.fetch_add(u64::from(is_sought), Ordering::Relaxed);
                    due += EVERY;
                }
            });
        }
    });
    sought.into_inner()
}

fn quantiles(answers: &[(u16, f64, Instant)]) -> (f64, f64) {
    let took: Vec<f64> = answers.iter().map(|answer| answer.1).collect();
    (quantile(&took, 0.5), quantile(&took, 0.99))
}

/// L1.
pub(super) fn load(frames: &Frames, seconds: u64) -> Vec<Figure> {
    let site = site(frames);
    let server = site.start();
    let (over, answers, memory) = (AtomicBool::new(false), Answers::default(), Mutex::new(Vec::new()));
    let cpu = cpu_seconds(server.pid);
    let sought = std::thread::scope(|scope| {
        scope.spawn(|| {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(seconds) {
                std::thread::sleep(Duration::from_secs(1));
                memory.lock().expect("nobody panics with it").push((begun.elapsed().as_secs_f64(), server.rss_kib() as f64));
            }
            over.store(true, Ordering::Relaxed);
        });
        pace(frames, &server, 0, &over, &answers)
    });
    let cpu = cpu_seconds(server.pid) - cpu;
    let answers = answers.into_inner().expect("nobody panics with it");
    let counts = server.counts();
    assert!(server.stop().1, "{}", site.log());
    let store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let mut hits = store.prepare("SELECT stored_ms - received_ms FROM hit").expect("hits");
    let hits: Vec<f64> = hits.query_map([], |row| row.get::<_, i64>(0)).expect("asks").map(|ms| ms.expect("a hit") as f64).collect();
    let (ack, told_ack) = (quantiles(&answers).1, quantiles(&answers).0);
    let memory = memory.into_inner().expect("nobody panics with it");
    let settled = &memory[memory.len() / 2..];
    let slope = slope(settled) * 600.0 / 1024.0;
    let mut figures = vec![
        Figure::told("L1 frames: accepted, shed, rejected", format!("{counts:?} in {seconds} s, {:.0} % of one core", 100.0 * cpu / seconds as f64)),
        Figure::at_most("L1 frames shed or rejected", (counts[1] + counts[2]) as f64, 0.0, "", "0"),
        Figure::at_most(
            "L1 frames with the sought plate and without a hit",
            sought.saturating_sub(hits.len() as u64) as f64,
            0.0,
            &format!("of {sought}"),
            "0",
        ),
        match seconds {
            600.. => Figure::at_most("L1 last byte → acknowledgement, p99", ack, 50.0, &format!("ms (p50 {told_ack:.1})"), "≤ 50 ms"),
            _ => Figure::at_most("L1 last byte → acknowledgement, p99, of a short run", ack, 150.0, &format!("ms (p50 {told_ack:.1})"), "≤ 150 ms"),
        },
    ];
    match hits.is_empty() {
        true => figures.push(Figure::at_most("L1 frame → hit: no hits", f64::INFINITY, 500.0, "ms", "≤ 500 ms")),
        false => {
            figures.push(Figure::at_most("L1 frame → hit, p99", quantile(&hits, 0.99), 500.0, &format!("ms (p50 {:.1})", quantile(&hits, 0.5)), "≤ 500 ms"))
        }
    }
    figures.push(match seconds {
        600.. => {
            let name = format!("L1 memory, slope of the second half (of {:.0} MiB)", settled.last().map_or(0.0, |last| last.1 / 1024.0));
            Figure::at_most(name, slope, 1.0, "MiB in 10 min", "< 1 MiB")
        }
        _ => {
            let grown = settled.last().map_or(0.0, |last| (last.1 - settled[0].1) / 1024.0);
            Figure::at_most("L1 memory, growth in the second half of a short run", grown, 32.0, "MiB", "≤ 32 MiB")
        }
    });
    figures
}

/// Least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / count, sum.1 + point.1 / count));
    let (above, below) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + (point.0 - x) * (point.1 - y), sum.1 + (point.0 - x).powi(2)));
    if below > 0.0 { above / below } else { 0.0 }
}

/// User and system time of a process, seconds.
fn cpu_seconds(pid: u32) -> f64 {
    seconds_of(&std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process of ours"))
}

/// User and system time that a `stat` of `/proc` tells.
fn seconds_of(stat: &str) -> f64 {
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Ticks of 1/100 s, on every Linux that garita runs on.
    (fields[11].parse::<f64>().expect("ticks") + fields[12].parse::<f64>().expect("ticks")) / 100.0
}

/// Every lane posts its next frame as soon as the last is answered: the most that the service takes. Answers frames and seconds.
fn flat_out(frames: &Frames, server: &Server, first: u64, seconds: f64) -> (u64, f64) {
    let (done, begun) = (AtomicU64::new(0), Instant::now());
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let done = &done;
            scope.spawn(move || {
                let mut connection = Connection::open(server.address).expect("connects");
                for number in first.. {
                    if begun.elapsed().as_secs_f64() > seconds {
                        break;
                    }
                    let reply = shot(frames, lane, number).0.post(&mut connection).expect("the server answers");
                    assert_eq!(reply.status, 201, "{}", reply.text());
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    (done.into_inner(), begun.elapsed().as_secs_f64())
}

/// The same frames through the lanes alone. Answers frames, seconds, and the CPU seconds of the lanes' threads.
fn bare(frames: &Frames, seconds: f64) -> (u64, f64, f64) {
    let (engine, models) = (Engine::load().expect("provisioned"), Models::embedded(Precision::of_this_machine()));
    let settings = vec![LaneSettings { view: View::Whole, gap_ms: 1_000, first: false, enrolled: None }; LANES];
    let passages = (0..LANES).map(|_| Passages::new(1_000, 0)).collect();
    let watchlist = Arc::new(Watchlist::new(Snapshot::of_entries(&[], &[]).expect("empty")));
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (lanes, events) = Lanes::start(&engine, &models, workers, &settings, passages, vec![watchlist]).expect("starts");
    let encoded: Vec<Bytes> = frames.frames.iter().map(|frame| Bytes::from(frame.clone())).collect();
    let (begun, cpu) = (Instant::now(), lanes_cpu_seconds());
    let mut next = [0u64; LANES];
    let mut submit = |lane: usize| {
        let (number, clock_ms) = (next[lane], begun.elapsed().as_millis() as i64);
        next[lane] += 1;
        let encoded = encoded[frames.picture(lane, number, LANES)].clone();
        lanes.submit(Frame { lane, sequence: number, captured_ms: clock_ms, clock_ms, skipped: 0, encoded });
    };
    (0..LANES).for_each(&mut submit);
    let mut done = 0;
    for event in &events {
        if let LaneEvent::Analysed { frame, .. } = event {
            done += 1;
            if begun.elapsed().as_secs_f64() > seconds {
                break;
            }
            submit(frame.lane);
        }
    }
    let (took, cpu) = (begun.elapsed().as_secs_f64(), lanes_cpu_seconds() - cpu);
    drop(events);
    lanes.finish();
    (done, took, cpu)
}

/// User and system time of this process's lane workers and settler, seconds; handing frames over is what the service does instead.
fn lanes_cpu_seconds() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux");
    let ids = threads.map(|thread| thread.expect("a thread").file_name().into_string().expect("a number"));
    // One may end meanwhile.
    let of_lanes = ids.filter(|id| {
        std::fs::read_to_string(format!("/proc/self/task/{id}/comm")).is_ok_and(|name| name.starts_with("lane worker") || name.starts_with("settler"))
    });
    of_lanes.filter_map(|id| std::fs::read_to_string(format!("/proc/self/task/{id}/stat")).ok()).map(|stat| seconds_of(&stat)).sum()
}

/// The service against the bare pipeline, in turns: with vehicles seen in [`FRAMES_OF_A_VEHICLE`] frames each, and with a new one in every frame,
/// each of which has its passage stored and its evidence copied.
pub(super) fn overhead(frames: &mut Frames) -> Vec<Figure> {
    // Both stores stay until the end: where thousands of files have just been deleted, ext4 looks long for places of new ones.
    let sites = [site(frames), site(frames)];
    let mut figures = Vec::new();
    for (held, site) in [FRAMES_OF_A_VEHICLE, 1].into_iter().zip(&sites) {
        frames.held = held;
        figures.extend(overhead_of(frames, site));
    }
    frames.held = 1;
    figures
}

/// At 2 frames a second and 20 km/h, in a view of 10 m: a slow lane's vehicle is seen in three frames or more.
const FRAMES_OF_A_VEHICLE: u64 = 3;

fn overhead_of(frames: &Frames, site: &Site) -> Vec<Figure> {
    const TURNS: usize = 5;
    const SECONDS: f64 = 5.0;
    let server = site.start();
    let (mut alone, mut served, mut rates) = (Vec::new(), Vec::new(), (Vec::new(), Vec::new()));
    let _warm = (bare(frames, 1.0), flat_out(frames, &server, 0, 1.0));
    let each = |cpu: f64, done: u64| 1e3 * cpu / done as f64;
    for turn in 1..=TURNS {
        let (done, took, cpu) = bare(frames, SECONDS);
        alone.push(each(cpu, done));
        rates.0.push(done as f64 / took);
        let cpu = cpu_seconds(server.pid);
        let (done, took) = flat_out(frames, &server, turn as u64 * 1_000_000, SECONDS);
        served.push(each(cpu_seconds(server.pid) - cpu, done));
        rates.1.push(done as f64 / took);
    }
    let middle = |of: &[f64]| quantile(of, 0.5);
    let (alone, served) = (middle(&alone), middle(&served));
    let more = 100.0 * (served / alone - 1.0);
    let vehicle = match frames.held {
        1 => "each frame a vehicle of its own".to_owned(),
        held => format!("{held} frames a vehicle"),
    };
    vec![
        Figure::at_most(format!("overhead, CPU time a frame, {vehicle}"), more, 15.0, &format!("% ({served:.2} against {alone:.2} ms)"), "≤ 15 %"),
        Figure::told(
            format!("frames a second, bare and served (senders on the same cores), {vehicle}"),
            format!("{:.0}, {:.0}", middle(&rates.0), middle(&rates.1)),
        ),
    ]
}

/// L3.
pub(super) fn overload(frames: &Frames) -> Vec<Figure> {
    const SECONDS: f64 = 10.0;
    const SENDERS: usize = 6;
    let site = site(frames);
    let server = site.start();
    let _warm = flat_out(frames, &server, 0, 2.0);
    let (done, took) = flat_out(frames, &server, 1_000_000, SECONDS);
    let most = done as f64 / took;
    let before = server.counts();
    // Each of a lane's senders has its share of three times that.
    let every = Duration::from_secs_f64((LANES * SENDERS) as f64 / (3.0 * most));
    let (answers, begun) = (Answers::default(), Instant::now());
    std::thread::scope(|scope| {
        for sender in 0..LANES * SENDERS {
            let (answers, server) = (&answers, &server);
            scope.spawn(move || {
                let mut connection = Connection::open(server.address).expect("connects");
                let mut due = begun + every.mul_f64(sender as f64 / (LANES * SENDERS) as f64);
                for number in 0.. {
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    if begun.elapsed().as_secs_f64() > SECONDS {
                        break;
                    }
                    let (shot, _) = shot(frames, sender % LANES, 2_000_000 + (sender / LANES) as u64 * 1_000_000 + number);
                    post(&mut connection, &shot, answers);
                    due += every;
                }
            });
        }
    });
    let took = begun.elapsed().as_secs_f64();
    let ended = Instant::now();
    let answers = answers.into_inner().expect("nobody panics with it");
    let accepted = answers.iter().filter(|answer| answer.0 == 201).count();
    let exact = {
        let after = server.counts();
        let shed = answers.iter().filter(|answer| matches!(answer.0, 429 | 503)).count();
        [0, 1, 2].map(|at| (after[at] - before[at]) as usize) == [accepted, shed, 0] && accepted + shed == answers.len()
    };
    // Back to normal: the first second of usual load from which on its p99 is as it should be.
    let (over, calm) = (AtomicBool::new(false), Answers::default());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(15));
            over.store(true, Ordering::Relaxed);
        });
        pace(frames, &server, 20_000_000, &over, &calm);
    });
    let calm = calm.into_inner().expect("nobody panics with it");
    let second = |answer: &(u16, f64, Instant)| answer.2.duration_since(ended).as_secs();
    let late = (0..15).filter(|&one| {
        let of: Vec<_> = calm.iter().filter(|answer| second(answer) == one).copied().collect();
        !of.is_empty() && quantiles(&of).1 > 50.0
    });
    let back = late.max().map_or(0, |last| last + 1);
    assert!(server.stop().1, "{}", site.log());
    let goodput = accepted as f64 / took;
    vec![
        Figure::told(
            "L3 offered",
            format!("{:.0} frames a second, {:.1} times the most ({most:.0})", answers.len() as f64 / took, answers.len() as f64 / took / most),
        ),
        Figure {
            name: "L3 goodput".to_owned(),
            measured: format!("{:.0} % of the most", 100.0 * goodput / most),
            limit: "≥ 90 %",
            holds: Some(goodput >= 0.9 * most),
        },
        Figure {
            name: "L3 sent = accepted + shed + rejected".to_owned(),
            measured: format!("{exact}, {} sent", answers.len()),
            limit: "exactly",
            holds: Some(exact),
        },
        Figure::at_most("L3 back to an acknowledgement p99 of 50 ms", back as f64, 10.0, "s", "≤ 10 s"),
    ]
}

/// R8.
pub(super) fn slow(frames: &Frames) -> Vec<Figure> {
    const TURNS: u64 = 3;
    let site = site(frames);
    let server = site.start();
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for turn in 0..2 * TURNS {
        let _slow: Vec<Connection> = (0..if turn % 2 == 0 { 0 } else { 500 })
            .map(|number| {
                let mut connection = Connection::open(server.address).expect("connects");
                let said: &[u8] =
                    if number % 2 == 0 { b"POST /v1/la" } else { b"POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\nabc" };
                connection.send(said).expect("sends");
                connection
            })
            .collect();
        let (over, answers) = (AtomicBool::new(false), Answers::default());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Less than the server's patience: they are there all the time.
                std::thread::sleep(Duration::from_secs(8));
                over.store(true, Ordering::Relaxed);
            });
            pace(frames, &server, turn * 1_000, &over, &answers);
        });
        let took = answers.into_inner().expect("nobody panics with it");
        if turn % 2 == 0 { &mut alone } else { &mut beside }.extend(took);
    }
    let (alone, beside) = (quantiles(&alone).1, quantiles(&beside).1);
    let name = "R8 acknowledgement p99 beside 500 half-open connections";
    vec![Figure::at_most(name, beside / alone, 2.0, &format!("times ({beside:.1} against {alone:.1} ms)"), "< 2 times")]
}

/// R1: how soon the server is back, with a store of `rows` frames.
pub(super) fn ready(frames: &Frames, rows: u64) -> Vec<Figure> {
    let site = site(frames);
    assert!(site.start().stop().1);
    let mut store = rusqlite::Connection::open(garita::custody::database(&site.data)).expect("a store");
    let filling = store.transaction().expect("begins");
    filling
        .execute(
            "WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?1)
             INSERT INTO frame (lane, sequence, key, digest, captured_ms, received_ms, skipped, length)
             SELECT 'lane-' || (n % 16), n / 16, randomblob(32), randomblob(32), 1700000000000 + n, 1700000000000 + n, 0, 60000 FROM number",
            [rows as i64],
        )
        .and_then(|_| filling.execute("INSERT INTO track SELECT lane, sequence, 'passed' FROM frame", []))
        .and_then(|_| filling.execute("INSERT INTO read SELECT id, 0, lane, sequence, '{}' FROM frame", []))
        // The lanes' numbers go on behind these rows (invariant 3).
        .and_then(|_| filling.execute("INSERT OR REPLACE INTO lane SELECT lane, max(sequence) + 1, max(sequence) + 1 FROM frame GROUP BY lane", []))
        .unwrap_or_else(|error| panic!("{error}"));
    filling.commit().expect("commits");
    drop(store);
    let mut took = Vec::new();
    for turn in 0..5 {
        let server = site.start();
        took.push(server.ready_after.as_secs_f64());
        flat_out(frames, &server, turn * 1_000, 1.0);
        server.kill();
    }
    // The first is no start after a kill.
    let worst = took[1..].iter().copied().fold(0.0, f64::max);
    vec![Figure::at_most(format!("R1 ready after kill -9, a store of {rows} frames and reads, worst of {}", took.len() - 1), worst, 3.0, "s", "≤ 3 s")]
}
