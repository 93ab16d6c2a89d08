//! Trains rendered by `garita synth rail`, cut, identified and looked at through the library and the command.

use std::path::Path;
use std::process::Command;

use garita::rail::consist::{self, Consist};
use garita::rail::scan::Scan;
use garita::rail::session::Session;
use garita::watchlist::build::Builder;
use garita::watchlist::entry::{Entry, Subject};
use serde_json::Value;

/// Renders a train with the command's own simulator.
fn render(folder: &Path, arguments: &[&str]) {
    let done = Command::new(env!("CARGO_BIN_EXE_garita")).args(["synth", "rail", "--out"]).arg(folder).args(arguments).output().expect("garita runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("there")).expect("JSON")
}

fn inspect(arguments: &[&std::ffi::OsStr]) -> (Vec<Value>, Option<i32>) {
    let done = Command::new(env!("CARGO_BIN_EXE_garita")).args(["inspect", "--json"]).args(arguments).output().expect("garita runs");
    let lines = String::from_utf8(done.stdout).expect("text");
    (lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect(), done.status.code())
}

#[test]
fn every_car_is_found_with_its_axles_and_its_mark() {
    let folder = tempfile::tempdir().expect("a folder");
    for (source, seed) in [("cs137", "11"), ("co60", "12")] {
        render(folder.path(), &["--seed", seed, "--cars", "8", "--name", source, "--source", source]);
        let stem = folder.path().join(format!("{source}-{seed}"));
        let scan = Scan::open(&stem.with_extension("tif")).expect("a scan");
        let mut session = Session::begin(&scan).expect("air");
        let cars = session.advance(&scan, scan.columns(), true).expect("cars");
        let truth = json(&stem.with_extension("json"));
        let list = Consist::parse(&std::fs::read(stem.with_extension("consist.json")).expect("there")).expect("a list");
        assert_eq!(cars.len(), truth["cars"].as_array().expect("cars").len(), "{source}");
        for (car, (truth, identity)) in cars.iter().zip(truth["cars"].as_array().expect("cars").iter().zip(consist::align(&cars, &list, true))) {
            for (end, found) in [(0, car.columns.start), (1, car.columns.end)] {
                let off = found.abs_diff(truth["columns"][end].as_u64().expect("a column") as usize);
                assert!(off * 16 <= 1000, "{source} car {}: {found} is {off} columns off", car.position);
            }
            assert_eq!(identity.entries, [car.position - 1]);
        }
        let faulty: Vec<usize> = serde_json::from_value(truth["faulty"].clone()).expect("channels");
        assert_eq!(session.calibration().dead_detectors(), faulty, "{source}");
        let gain = truth["gain"].as_f64().expect("a gain");
        assert!((f64::from(session.calibration().gain) / gain - 1.0).abs() < 0.12, "{source}: gain {}", session.calibration().gain);
    }
}

#[test]
fn cars_come_out_the_same_however_the_columns_come_in() {
    let folder = tempfile::tempdir().expect("a folder");
    render(folder.path(), &["--seed", "21", "--cars", "3"]);
    let scan = Scan::open(&folder.path().join("S-21.tif")).expect("a scan");
    let whole = Session::begin(&scan).expect("air").advance(&scan, scan.columns(), true).expect("cars");
    let mut session = Session::begin(&scan).expect("air");
    let mut pieces = Vec::new();
    for end in (0..scan.columns()).step_by(97).chain([scan.columns()]) {
        pieces.extend(session.advance(&scan, end, end == scan.columns()).expect("cars"));
    }
    assert_eq!(pieces.len(), whole.len());
    for (piece, whole) in pieces.iter().zip(&whole) {
        assert!(piece.columns.start.abs_diff(whole.columns.start) <= 2 && piece.columns.end.abs_diff(whole.columns.end) <= 2, "{piece:?} {whole:?}");
    }
}

#[test]
fn the_command_writes_what_it_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    render(folder.path(), &["--seed", "31", "--cars", "2", "--empties"]);
    let scan = folder.path().join("S-31.tif");
    let (pictures, thickness) = (folder.path().join("pictures"), folder.path().join("mm"));
    let (lines, code) = inspect(&[scan.as_os_str(), "--draw".as_ref(), pictures.as_os_str(), "--thickness".as_ref(), thickness.as_os_str()]);
    assert_eq!((lines.len(), code), (3, Some(0)));
    for (index, car) in lines[..2].iter().enumerate() {
        assert_eq!(car["position"], index + 1);
        for key in [
            "scan",
            "columns",
            "kind",
            "kind_confidence",
            "mark",
            "mark_confidence",
            "empty_probability",
            "penetration_limited",
            "score",
            "findings",
            "hits",
            "timing_ms",
            "error",
        ] {
            assert!(car.get(key).is_some(), "{key}");
        }
        assert_eq!(car["error"], Value::Null);
    }
    for key in ["scan", "cars", "dead", "gain", "air", "image_quality", "consist", "alarms", "error"] {
        assert!(lines[2].get(key).is_some(), "{key}");
    }
    assert_eq!((&lines[2]["cars"], &lines[2]["consist"]), (&Value::from(2), &Value::from("matched")));
    assert_eq!(std::fs::read_dir(&pictures).expect("pictures").count(), 8);
    let opened = Scan::open(&scan).expect("a scan");
    let written = std::fs::metadata(thickness.join("S-31.tif")).expect("thickness").len();
    assert!(written >= (opened.columns() * opened.detectors() * 8) as u64);
}

#[test]
fn a_scan_in_progress_is_followed_to_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    render(folder.path(), &["--seed", "41", "--cars", "2"]);
    let sealed = Scan::open(&folder.path().join("S-41.tif")).expect("a scan");
    let live = folder.path().join("live");
    std::fs::create_dir(&live).expect("made");
    let path = live.join("T.counts");
    std::fs::write(path.with_extension("scan.json"), garita::rail::scan::write::sidecar_json(&sealed.description, &sealed.fields)).expect("written");
    let create = |ending: &str| std::fs::File::create(path.with_extension(ending)).expect("created");
    let mut writer = garita::rail::scan::ScanWriter::new(create("counts"), create("columns"), sealed.detectors(), 0).expect("a writer");
    let command = Command::new(env!("CARGO_BIN_EXE_garita"))
        .args(["inspect", "--json", "--follow", "--idle", "2"])
        .arg(&path)
        .stdout(std::process::Stdio::piped())
        .spawn();
    let command = command.expect("garita runs");
    for column in 0..sealed.columns() {
        writer.append(&sealed.counts(column..column + 1).expect("there"), sealed.column(column)).expect("appended");
    }
    let done = command.wait_with_output().expect("ends");
    let lines: Vec<Value> = String::from_utf8(done.stdout).expect("text").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[2]["cars"], 2);
}

#[test]
fn a_scan_that_is_none_is_a_line_with_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.tif");
    std::fs::write(&path, b"II*\0nonsense").expect("written");
    let (lines, code) = inspect(&[path.as_os_str()]);
    assert_eq!((lines.len(), code), (1, Some(1)));
    assert!(lines[0]["error"].as_str().is_some_and(|error| error.contains("x.tif")), "{lines:?}");
}

#[test]
fn a_sought_mark_and_a_sought_container_are_hits_and_their_neighbours_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    render(folder.path(), &["--seed", "51", "--cars", "2", "--empties"]);
    let scan = folder.path().join("S-51.tif");
    let beside = scan.with_extension("consist.json");
    let mut list = json(&beside);
    list["cars"][1]["containers"] = serde_json::json!(["CSQU 305438-3"]);
    std::fs::write(&beside, list.to_string()).expect("written");
    let mark = list["cars"][0]["mark"].as_str().expect("a mark").to_owned();
    // The next number is another car.
    let (initials, number) = mark.split_once(' ').expect("two parts");
    let next = format!("{initials} {}", number.parse::<u32>().expect("a number") ^ 1);
    let seeks = |subject, text: &str, list: &str| Entry { subject, text: text.to_owned(), list: list.to_owned(), priority: 1, ..Entry::default() };
    let entries = [
        seeks(Subject::Mark, &mark, "cars"),
        seeks(Subject::Mark, &next, "cars"),
        seeks(Subject::Container, "CSQU3054383", "boxes"),
        seeks(Subject::Plate, &mark, "plates"),
    ];
    let index = folder.path().join("sought.index");
    let mut builder = Builder::create(&index, &[], 1 << 20).expect("a builder");
    entries.iter().for_each(|entry| builder.add(entry).expect("fits"));
    builder.finish("2026-01-01T00:00:00Z".parse().expect("a time")).expect("an index");
    let (lines, code) = inspect(&[scan.as_os_str(), "--watchlist".as_ref(), index.as_os_str()]);
    assert_eq!((lines.len(), code), (3, Some(0)));
    for (car, entry, list) in [(0, mark.as_str(), "cars"), (1, "CSQU3054383", "boxes")] {
        let hits = lines[car]["hits"].as_array().expect("hits");
        assert_eq!(hits.len(), 1, "{hits:?}");
        assert_eq!((&hits[0]["entry"], &hits[0]["list"], &hits[0]["class"], &hits[0]["priority"]), (&entry.into(), &list.into(), &"exact".into(), &1.into()));
        assert!(hits[0]["probability"].as_f64().is_some_and(|p| p > 0.9), "{hits:?}");
    }
}
