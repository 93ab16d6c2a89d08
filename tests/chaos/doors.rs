//! R5-R7 at the doors that take no frames: scans, columns of passing trains, papers, reads of cameras. What is taken is taken apart later: a scan ends as inspected, or as bad with
//! a reason, and its original is kept.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde_json::Value;

use super::camera::{pictures, testdata};
use super::hostile::{Victim, mutate};
use super::number;
use super::server::Site;

/// A lane and a portal whose trains have passed after a second of silence.
fn site() -> Site {
    Site::new(1, "[[portal]]\nid = \"bridge\"\nsilence_s = 1")
}

fn dice() -> Pcg64 {
    Pcg64::seed_from_u64(number("GARITA_CHAOS_SEED", 20_261_124))
}

/// The files of a folder of `testdata/` with one of these endings, in order.
fn files(folder: &str, endings: &[&str]) -> Vec<Vec<u8>> {
    let folder = testdata().join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder).expect("testdata").map(|file| file.expect("testdata").path()).collect();
    paths.retain(|path| path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| endings.contains(&ending)));
    paths.sort();
    assert!(!paths.is_empty(), "nothing of {endings:?} in {}", folder.display());
    paths.iter().map(|path| std::fs::read(path).expect("testdata")).collect()
}

/// A scan as columns: its first line, then each column's counts and its four numbers.
fn stream() -> Vec<u8> {
    let scan = garita::rail::scan::Scan::open(&testdata().join("rail/G-3.tif")).expect("a scan");
    let mut head = serde_json::to_value(&scan.description).expect("JSON");
    head["detectors"] = scan.detectors().into();
    let mut bytes = [serde_json::to_vec(&head).expect("JSON"), b"\n".to_vec()].concat();
    for column in 0..scan.columns() {
        bytes.extend(scan.counts(column..column + 1).expect("there").iter().flat_map(|count| count.to_le_bytes()));
        bytes.extend(scan.column(column).to_bytes());
    }
    bytes
}

#[test]
fn mutated_scans_are_inspected_or_bad() {
    // Each may cost a whole inspection, some hundred frames' worth.
    let rounds = (number("GARITA_MUTATIONS", 600) / 50).max(1);
    let (site, mut dice) = (site(), dice());
    let mut victim = Victim::new(&site);
    let tiffs = [files("rail", &["tif"]), files("rail/earlier", &["tif"])].concat();
    let columns = stream();
    let (mut inspected, mut bad, mut refused) = (0, 0, 0);
    for round in 0..rounds {
        // Every third as columns, every fourth cut off besides.
        let (path, mut bytes) = match round % 3 {
            0 => ("/v1/portals/bridge/columns", columns.clone()),
            _ => ("/v1/portals/bridge/scans", tiffs[dice.random_range(0..tiffs.len())].clone()),
        };
        mutate(&mut bytes, &tiffs, &mut dice);
        if round % 4 == 0 {
            bytes.truncate(dice.random_range(0..bytes.len()));
        }
        let reply = victim.send(path, &[], &bytes);
        match reply.status {
            201 => {}
            400..500 => {
                reply.assert_problem();
                victim.connect();
                refused += 1;
                continue;
            }
            status => panic!("{status}: {}", reply.text()),
        }
        let scan = reply.json()["scan"].as_i64().unwrap_or_else(|| panic!("{}", reply.text()));
        let (begun, mut told) = (Instant::now(), Value::Null);
        // As many cars as there are, 44 ms each; a minute is a hang on any machine.
        while begun.elapsed() < Duration::from_secs(60) && !["inspected", "bad"].iter().any(|state| told["state"] == *state) {
            std::thread::sleep(Duration::from_millis(5));
            told = victim.server.get(&format!("/v1/scans/{scan}")).json();
        }
        match told["state"].as_str() {
            Some("inspected") => inspected += 1,
            Some("bad") => {
                assert!(told["error"].as_str().is_some_and(|why| why.len() > 10), "{told}");
                bad += 1;
            }
            _ => panic!("scan {scan} is neither inspected nor bad after a minute: {told}"),
        }
        let kept = std::fs::read_dir(site.data.join("scans")).expect("scans").count();
        assert_eq!(kept, inspected + bad, "each original is kept");
    }
    println!("{rounds} scans: {inspected} inspected, {bad} bad, {refused} refused");
    victim.survived(&site, 256);
}

#[test]
fn mutated_papers_and_reads_are_taken_or_refused() {
    let rounds = number("GARITA_MUTATIONS", 600);
    let (site, mut dice) = (site(), dice());
    let mut victim = Victim::new(&site);
    let picture = pictures("single-").swap_remove(0);
    let reads: Vec<Vec<u8>> = files("edge", &["json", "xml"]);
    let lists = files("rail", &["json"]);
    let tags = b"SOU 001 R 12 4 RGTX 123456 L 180 4\nTTX 0000654321\n".to_vec();
    let manifest = br#"[{"mark":"GATX 12345","goods":"corn","mass_kg":90000,"container":"CSQU3054383"}]"#.to_vec();
    let papers: Vec<Vec<u8>> = lists.into_iter().chain([tags, manifest]).collect();
    let everything = [reads.clone(), papers.clone(), vec![picture.clone()]].concat();
    let (mut taken, mut refused) = (0, 0);
    for round in 0..rounds {
        let of = |all: &[Vec<u8>], dice: &mut Pcg64| all[dice.random_range(0..all.len())].clone();
        let (path, kind, mut bytes) = match round % 4 {
            0 => (format!("/v1/portals/bridge/scans/train-{}/consist", round % 40), "application/json", of(&papers, &mut dice)),
            1 => (format!("/v1/portals/bridge/scans/train-{}/manifest", round % 40), "application/json", of(&papers, &mut dice)),
            2 => ("/v1/lanes/lane-0/edge-reads".to_owned(), "application/json", of(&reads, &mut dice)),
            _ => {
                let event = of(&reads, &mut dice);
                let parts: [&[u8]; 5] = [
                    b"--B\r\ncontent-disposition: form-data; name=\"event\"\r\n\r\n",
                    &event,
                    b"\r\n--B\r\ncontent-disposition: form-data; name=\"scene\"; filename=\"scene.jpg\"\r\ncontent-type: image/jpeg\r\n\r\n",
                    &picture,
                    b"\r\n--B--\r\n",
                ];
                ("/v1/lanes/lane-0/edge-reads".to_owned(), "multipart/form-data; boundary=B", parts.concat())
            }
        };
        mutate(&mut bytes, &everything, &mut dice);
        let reply = victim.send(&path, &[("content-type", kind)], &bytes);
        match reply.status {
            200..300 => taken += 1,
            400..500 => {
                reply.assert_problem();
                victim.connect();
                refused += 1;
            }
            status => panic!("{path}: {status}: {}", reply.text()),
        }
    }
    println!("{rounds} papers and reads: {taken} taken, {refused} refused");
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused: mutations that are all alike try nothing");
    victim.survived(&site, 160);
}
