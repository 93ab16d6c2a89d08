//! What a look-up costs: this crate's index beside `fst` with a Levenshtein automaton, a scan with `rapidfuzz`, and a hash of deletions,
//! over the same entries with the same queries in the same run. Prints Markdown.
//!
//! `cargo bench --bench watchlist` takes 1 M entries; `-- --entries 10000000` takes 10 M, `--ours` leaves the others out.
//! Times are the thread's CPU time per query, less what reading that clock costs; medians and 99th percentiles. All pages are touched
//! once before (the index is verified), as a running garita has them.

use std::collections::HashMap;
use std::hint::black_box;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fst::automaton::Levenshtein;
use fst::{IntoStreamer, Streamer};
use garita::posterior::Posterior;
use garita::synth::watchlist::{Maker, Seen};
use garita::watchlist::build::Builder;
use garita::watchlist::import::{Limits, read};
use garita::watchlist::snapshot::MAX_OVERLAY;
use garita::watchlist::{Entry, Finder, Jurisdiction, Key, List, Mapping, Match, Pattern, Query, Snapshot, Watchlist, load_index, open_index};
use jiff::Timestamp;
use rapidfuzz::distance::levenshtein::{Args, BatchComparator};
use rustix::time::{ClockId, clock_gettime};

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Times of many calls, in microseconds, sorted; and how much they found.
struct Times {
    micros: Vec<f64>,
    found: usize,
}

impl Times {
    /// Calls `one` with each of `items`, after a tenth of them to warm up.
    fn of<T>(items: &[T], clock_cost: Duration, mut one: impl FnMut(&T) -> usize) -> Times {
        for item in &items[..items.len() / 10] {
            black_box(one(item));
        }
        let mut times = Times { micros: Vec::with_capacity(items.len()), found: 0 };
        for item in items {
            let begin = cpu();
            let found = one(item);
            times.micros.push((cpu() - begin).saturating_sub(clock_cost).as_secs_f64() * 1e6);
            times.found += found;
        }
        times.micros.sort_by(f64::total_cmp);
        times
    }

    fn at(&self, share: f64) -> f64 {
        self.micros[((self.micros.len() - 1) as f64 * share) as usize]
    }

    /// A row of the table.
    fn print(&self, name: &str, wanted: &str) {
        let count = self.micros.len();
        println!("| {name} | {:.2} | {:.2} | {:.2} | {wanted} | {count} |", self.at(0.5), self.at(0.99), self.found as f64 / count as f64);
    }
}

struct Arguments {
    entries: usize,
    ours: bool,
    two_edits: bool,
}

fn arguments() -> Arguments {
    let mut parsed = Arguments { entries: 1_000_000, ours: false, two_edits: true };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--entries" => parsed.entries = arguments.next().and_then(|count| count.parse().ok()).expect("--entries takes a number"),
            "--ours" => parsed.ours = true,
            "--one-edit" => parsed.two_edits = false,
            // What cargo itself passes.
            _ => {}
        }
    }
    parsed
}

/// Writes a list as an agency would export it, and answers its texts.
fn write_list(path: &Path, entries: usize) -> Vec<(String, &'static str)> {
    let mut out = BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(out, "plate,jurisdiction,list,category,priority,reason,source,source_version,filed_by,valid_from,valid_until").unwrap();
    let mut maker = Maker::new(1);
    let mut plates = Vec::with_capacity(entries);
    for number in 0..entries {
        let (text, jurisdiction) = maker.plate();
        let until = if number % 20 == 0 { "2026-06-30" } else { "2031-12-31" };
        writeln!(
            out,
            "{text},{jurisdiction},stolen,stolen vehicle,{},reported stolen case {number},synthetic,2026-11,desk {},2026-01-01,{until}",
            number % 101,
            number % 40
        )
        .unwrap();
        plates.push((text, jurisdiction));
    }
    plates
}

fn main() {
    let arguments = arguments();
    let clock_cost = Times::of(&[(); 20_000], Duration::ZERO, |()| 0).at(0.5);
    let clock_cost = Duration::from_secs_f64(clock_cost / 1e6);
    let folder = tempfile::tempdir().unwrap();
    let (csv, index_path) = (folder.path().join("list.csv"), folder.path().join("list.index"));
    let plates = write_list(&csv, arguments.entries);
    println!(
        "{} entries, CSV of {} MB; reading the clock costs {:.2} µs, taken off",
        plates.len(),
        std::fs::metadata(&csv).unwrap().len() >> 20,
        clock_cost.as_secs_f64() * 1e6
    );

    let (wall, busy) = (Instant::now(), cpu());
    let at: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let lists = [List { name: "stolen".into(), edits: if arguments.two_edits { 2 } else { 1 }, ..List::default() }];
    let mut builder = Builder::create(&index_path, &lists, 1 << 30).unwrap();
    let mapping = Mapping::preset("garita").unwrap();
    let file = BufReader::with_capacity(1 << 20, std::fs::File::open(&csv).unwrap());
    let imported = read(file, &mapping, Limits::default(), at, &mut |_, entry| builder.add(entry)).unwrap();
    assert_eq!(imported.bad, 0);
    let import = (wall.elapsed(), cpu() - busy);
    let (built, _) = builder.finish(at).unwrap();
    let whole = (wall.elapsed(), cpu() - busy);
    let per_entry = |bytes: u64| bytes as f64 / built.entries as f64;
    println!(
        "import {:.2} s + build {:.2} s = {:.2} s CPU ({:.2} s wall); {} different entries, {:.1} bytes of index an entry beside {:.1} of texts; peak memory of the process so far {} MB",
        import.1.as_secs_f64(),
        (whole.1 - import.1).as_secs_f64(),
        whole.1.as_secs_f64(),
        whole.0.as_secs_f64(),
        built.entries,
        per_entry(built.bytes - built.text_bytes),
        per_entry(built.text_bytes),
        peak_memory_mb(),
    );
    let (wall, busy) = (Instant::now(), cpu());
    drop(black_box(open_index(&index_path).unwrap()));
    println!("open {:.3} ms CPU, {:.3} ms wall", (cpu() - busy).as_secs_f64() * 1e3, wall.elapsed().as_secs_f64() * 1e3);
    let (wall, busy) = (Instant::now(), cpu());
    let index = load_index(&index_path).unwrap();
    println!("open and verify {:.1} ms CPU, {:.1} ms wall", (cpu() - busy).as_secs_f64() * 1e3, wall.elapsed().as_secs_f64() * 1e3);
    for (section, bytes) in index.sections() {
        println!("  {section} {:.1}", per_entry(bytes));
    }
    let snapshot = Snapshot::new(Arc::new(index));

    // Half are listed plates with one or two edits, half are other plates.
    let mut maker = Maker::new(2);
    let count = 20_000;
    let queries: Vec<String> = (0..count)
        .map(|number| {
            if number % 2 == 0 {
                maker.plate().0
            } else {
                let at = maker.below(plates.len());
                let edits = 1 + maker.below(2);
                maker.misread(&plates[at].0, edits)
            }
        })
        .collect();
    // What the reader sees: half of listed vehicles, half of others.
    let seen: Vec<Seen> = (0..count)
        .map(|number| {
            let (text, jurisdiction) = if number % 2 == 0 { maker.plate() } else { plates[maker.below(plates.len())].clone() };
            maker.see(&text, jurisdiction)
        })
        .collect();

    println!("\n| {} entries | p50 µs | p99 µs | found | wanted | queries |\n|---|---|---|---|---|---|", plates.len());
    let millions = plates.len() >= 5_000_000;
    let want = |one: &'static str, ten: &'static str| if millions { ten } else { one };
    ours(&snapshot, &queries, &seen, &plates, at, clock_cost, want);
    by_hand(&plates, at);
    swapping(&index_path, &seen, at, clock_cost);
    if !arguments.ours {
        println!("\n| the others | p50 µs | p99 µs | found | | queries |\n|---|---|---|---|---|---|");
        others(&plates, &queries, clock_cost);
    }
    println!("peak memory of the process {} MB", peak_memory_mb());
}

fn ours(
    snapshot: &Snapshot,
    queries: &[String],
    seen: &[Seen],
    plates: &[(String, &'static str)],
    at: Timestamp,
    clock_cost: Duration,
    want: impl Fn(&'static str, &'static str) -> &'static str,
) {
    let keys: Vec<(Key, Posterior)> = queries.iter().map(|text| (Key::of(text).unwrap(), Posterior::certain(text, 0.02).unwrap())).collect();
    let jurisdiction = Some((Jurisdiction::of("US-CA").unwrap(), 0.9));
    let (mut finder, mut matches) = (Finder::default(), Vec::<Match>::new());

    let mut maker = Maker::new(3);
    let mixed: Vec<Key> = (0..20_000)
        .map(|_| if maker.chance() < 0.5 { plates[maker.below(plates.len())].0.clone() } else { maker.plate().0 })
        .map(|text| Key::of(&text).unwrap())
        .collect();
    Times::of(&mixed, clock_cost, |key| snapshot.exact(*key, at).count()).print("exact", want("0.5 / 2", "1 / 5"));

    for (edits, wanted) in [(0, "-"), (1, want("4 / 15", "15 / 70")), (2, want("30 / 150", "-"))] {
        let times = Times::of(&keys, clock_cost, |(key, posterior)| {
            // A threshold above 1 leaves the posterior search out.
            let query = Query { edits: Some(edits), threshold: Some(2.0), ..Query::new(posterior, *key, jurisdiction, at) };
            finder.find(snapshot, &query, &mut matches);
            matches.len()
        });
        times.print(&format!("≤ {edits} edits, equivalences, jurisdiction and validity checked"), wanted);
    }

    for threshold in [0.01, 0.001] {
        let times = Times::of(seen, clock_cost, |seen| {
            let jurisdiction = seen.jurisdiction.and_then(|(code, confidence)| Jurisdiction::of(code).map(|code| (code, confidence)));
            let query = Query { threshold: Some(threshold), ..Query::new(&seen.posterior, seen.text, jurisdiction, at) };
            finder.find(snapshot, &query, &mut matches);
            matches.len()
        });
        times.print(&format!("posterior search, p ≥ {threshold}"), want("20 / 150", "60 / 400"));
    }
    assert_eq!(finder.cut_short, 0, "no search was cut short");

    for (name, patterns) in
        [("beginning and middle, `AB?12*`", wildcards(plates, 0)), ("end, `*4567`", wildcards(plates, 1)), ("middle, `*BC12*`", wildcards(plates, 2))]
    {
        let mut rows = Vec::new();
        let times = Times::of(&patterns, clock_cost, |pattern| {
            snapshot.matching(pattern, at, 1000, &mut rows);
            rows.len()
        });
        times.print(&format!("wildcard: {name}"), want("100", "-"));
    }
}

/// What a change by hand costs: the second layer is built anew.
fn by_hand(plates: &[(String, &'static str)], at: Timestamp) {
    let entry = |(text, code): &(String, &'static str)| Entry {
        text: text.clone(),
        jurisdiction: Jurisdiction::of(code).unwrap(),
        list: "hand".into(),
        ..Entry::default()
    };
    for count in [100, MAX_OVERLAY - 1] {
        let entries: Vec<Entry> = plates.iter().take(count).map(entry).collect();
        let hand = Snapshot::new(Arc::new(Builder::in_memory(&[]).into_index(at).unwrap())).with(&entries).unwrap();
        let new = Entry { text: "NEW1234".into(), list: "hand".into(), ..Entry::default() };
        let times = Times::of(&[(); 30], Duration::ZERO, |()| black_box(hand.with(std::slice::from_ref(&new)).unwrap()).len());
        println!("\nadding one to {count} by hand: {:.1} ms CPU p50, {:.1} p99", times.at(0.5) / 1e3, times.at(0.99) / 1e3);
    }
}

/// What swapping the list once a second costs the searches beside it.
fn swapping(path: &Path, seen: &[Seen], at: Timestamp, clock_cost: Duration) {
    let watchlist = Watchlist::new(Snapshot::new(Arc::new(load_index(path).unwrap())));
    let run = || {
        let (mut finder, mut matches, mut times) = (Finder::default(), Vec::new(), Vec::new());
        let begin = Instant::now();
        for seen in seen.iter().cycle() {
            if begin.elapsed().as_secs() >= 8 {
                break;
            }
            let before = cpu();
            let snapshot = watchlist.load();
            finder.find(&snapshot, &Query::new(&seen.posterior, seen.text, None, at), &mut matches);
            times.push((cpu() - before).saturating_sub(clock_cost).as_secs_f64() * 1e6);
        }
        times.sort_by(f64::total_cmp);
        Times { micros: times, found: 0 }
    };
    let alone = run();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (swapped, swaps) = std::thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            let mut swaps = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                watchlist.replace(Arc::new(load_index(path).unwrap()));
                swaps += 1;
                std::thread::sleep(Duration::from_secs(1));
            }
            swaps
        });
        let times = run();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        (times, swapper.join().unwrap())
    });
    let tell = |times: &Times| format!("p50 {:.2} p99 {:.2} p99.9 {:.2} µs ({} searches)", times.at(0.5), times.at(0.99), times.at(0.999), times.micros.len());
    println!("\nsearches of 8 s alone: {}; with {swaps} swaps of the list: {}", tell(&alone), tell(&swapped));
}

/// Patterns that a listed plate meets.
fn wildcards(plates: &[(String, &'static str)], kind: usize) -> Vec<Pattern> {
    let mut maker = Maker::new(4);
    (0..2_000)
        .map(|_| {
            let text = &plates[maker.below(plates.len())].0;
            let written = match kind {
                0 => format!("{}?{}*", &text[..2], &text[3..5]),
                1 => format!("*{}", &text[text.len() - 4..]),
                _ => format!("*{}*", &text[1..5]),
            };
            Pattern::parse(&written).unwrap()
        })
        .collect()
}

fn others(plates: &[(String, &'static str)], queries: &[String], clock_cost: Duration) {
    let mut texts: Vec<&str> = plates.iter().map(|(text, _)| text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();

    let busy = cpu();
    let set = fst::Set::from_iter(&texts).unwrap();
    let build = cpu() - busy;
    let size = set.as_fst().as_bytes().len() as f64 / texts.len() as f64;
    for (edits, count) in [(1, 500), (2, 30)] {
        let times = Times::of(&queries[..count], clock_cost, |query| {
            let automaton = Levenshtein::new(query, edits).unwrap();
            let (mut stream, mut found) = (set.search(automaton).into_stream(), 0);
            while stream.next().is_some() {
                found += 1;
            }
            found
        });
        times.print(&format!("`fst` + Levenshtein ≤ {edits} (built in {:.1} s from sorted texts, {size:.1} B an entry)", build.as_secs_f64()), "");
    }
    drop(set);

    let times = Times::of(&queries[..20], clock_cost, |query| {
        let comparator = BatchComparator::new(query.bytes());
        let arguments = Args::default().score_cutoff(1);
        texts.iter().filter(|text| comparator.distance_with_args(text.bytes(), &arguments).is_some()).count()
    });
    times.print("`rapidfuzz` scan ≤ 1", "");

    // The textbook version: a map from each text, and each text with one character less, to the texts it is of; packed, so that it can be built at 10 M too.
    let busy = cpu();
    let packed = |text: &[u8]| text.iter().fold(0u64, |packed, byte| packed << 8 | u64::from(*byte));
    let each = |text: &str, put: &mut dyn FnMut(u64)| {
        let text = text.as_bytes();
        if text.len() <= 8 {
            put(packed(text));
        }
        for at in 0..text.len() {
            let mut shorter = text.to_owned();
            shorter.remove(at);
            // Longer than 8: no text of the list is.
            if shorter.len() <= 8 {
                put(packed(&shorter));
            }
        }
    };
    // Texts of the same version are chained: the last, and of each the one before and whose it is.
    let (mut last, mut before, mut of) = (HashMap::<u64, u32>::with_capacity(texts.len() * 15 / 2), Vec::<u32>::new(), Vec::<u32>::new());
    for (number, text) in texts.iter().enumerate() {
        each(text, &mut |version| {
            let last = last.entry(version).or_insert(u32::MAX);
            before.push(std::mem::replace(last, before.len() as u32));
            of.push(number as u32);
        });
    }
    let build = cpu() - busy;
    let size = (last.capacity() * 17 * 8 / 7 + before.capacity() * 4 + of.capacity() * 4) as f64 / texts.len() as f64;
    let mut candidates = Vec::new();
    let times = Times::of(queries, clock_cost, |query| {
        candidates.clear();
        each(query, &mut |version| {
            let mut at = last.get(&version).copied().unwrap_or(u32::MAX);
            while at != u32::MAX {
                candidates.push(of[at as usize]);
                at = before[at as usize];
            }
        });
        candidates.sort_unstable();
        candidates.dedup();
        let comparator = BatchComparator::new(query.bytes());
        let arguments = Args::default().score_cutoff(1);
        candidates.iter().filter(|number| comparator.distance_with_args(texts[**number as usize].bytes(), &arguments).is_some()).count()
    });
    times.print(&format!("hash of deletions ≤ 1 (`HashMap`, built in {:.1} s, {size:.0} B an entry)", build.as_secs_f64()), "");
}

/// The most memory this process had, mapped files included.
fn peak_memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()).unwrap_or(0) / 1024
}
