//! What was not seen is not cleared: scans whose beam, array, end or papers fail on the way, through the command.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use garita::rail::scan::write::seal;
use garita::rail::scan::{Column, FLAG_SHUT, Scan};
use serde_json::Value;

fn garita(arguments: &[&OsStr]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_garita")).args(arguments).output().expect("garita runs")
}

/// A train of three cars of which two are empty of everything.
fn render(folder: &Path) -> PathBuf {
    let numbers = ["--seed", "61", "--cars", "3", "--kinds", "tank,hopper,boxcar", "--empties"].map(OsStr::new);
    let done = garita(&[&["synth".as_ref(), "rail".as_ref(), "--out".as_ref(), folder.as_os_str()][..], &numbers[..]].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    folder.join("S-61.tif")
}

fn inspect(arguments: &[&OsStr]) -> (Vec<Value>, Option<i32>) {
    let done = garita(&[&["inspect".as_ref(), "--json".as_ref()], arguments].concat());
    let lines = String::from_utf8(done.stdout).expect("text");
    (lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect(), done.status.code())
}

fn columns(car: &Value) -> [usize; 2] {
    serde_json::from_value(car["columns"].clone()).expect("columns")
}

/// Writes the first `length` columns of a scan anew, each changed; its list goes with it.
fn altered(scan: &Path, name: &str, length: usize, change: impl Fn(usize, &mut [u16], &mut Column)) -> PathBuf {
    let (to, scan) = (scan.with_file_name(name), Scan::open(scan).expect("a scan"));
    let mut bytes = Vec::new();
    let mut table = Vec::new();
    for column in 0..length.min(scan.columns()) {
        let (mut counts, mut row) = (scan.counts(column..column + 1).expect("there").into_owned(), scan.column(column));
        change(column, &mut counts, &mut row);
        bytes.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
        table.push(row);
    }
    let mut counts = &bytes[..];
    let file = std::fs::File::create(&to).expect("created");
    seal(file, &scan.description, &table, &mut [&mut counts as &mut dyn Read], &scan.fields).expect("sealed");
    to
}

fn with_list(scan: &Path, altered: &Path) {
    std::fs::copy(scan.with_extension("consist.json"), altered.with_extension("consist.json")).expect("copied");
}

fn alarms(line: &Value) -> String {
    line["alarms"].to_string()
}

#[test]
fn a_car_behind_a_shut_source_is_no_empty_car() {
    let folder = tempfile::tempdir().expect("a folder");
    let scan = render(folder.path());
    let (before, _) = inspect(&[scan.as_os_str()]);
    let [from, to] = columns(&before[1]);
    // Between the couplers, which the segmenter has to see.
    let dark = from + 40..to - 40;
    let shut = altered(&scan, "shut.tif", usize::MAX, |column, counts, row| {
        if dark.contains(&column) {
            counts.fill(0);
            row.flags |= FLAG_SHUT;
        }
    });
    let (lines, code) = inspect(&[shut.as_os_str()]);
    assert_eq!((lines.len(), code), (4, Some(0)), "{lines:?}");
    let car = &lines[1];
    assert_eq!((&car["kind"], &car["empty_probability"], &car["penetration_limited"]), (&"locomotive".into(), &0.0.into(), &1.0.into()), "{car}");
    // The same without a word of it in the table: the source or the array has failed.
    let failed = altered(&scan, "failed.tif", usize::MAX, |column, counts, _| {
        if dark.contains(&column) {
            counts.fill(0);
        }
    });
    let (lines, code) = inspect(&[failed.as_os_str()]);
    assert_eq!((lines.len(), code), (4, Some(1)));
    assert!(lines[1]["error"].as_str().is_some_and(|error| error.contains("nothing was measured")), "{}", lines[1]);
    assert!(alarms(&lines[3]).contains("no beam in"), "{}", lines[3]);
    assert_eq!(lines[0]["error"], Value::Null);
}

#[test]
fn a_car_that_the_scan_cuts_off_is_not_cleared_and_keeps_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let scan = render(folder.path());
    let (before, _) = inspect(&[scan.as_os_str()]);
    let [from, to] = columns(&before[1]);
    let half = altered(&scan, "half.tif", (from + to) / 2, |_, _, _| {});
    with_list(&scan, &half);
    let (lines, code) = inspect(&[half.as_os_str()]);
    assert_eq!((lines.len(), code), (3, Some(1)), "{lines:?}");
    assert!(lines[1]["error"].as_str().is_some_and(|error| error.contains("inside this car")), "{}", lines[1]);
    assert_eq!(lines[1]["empty_probability"], 0.0);
    assert!(lines[1]["findings"].as_array().is_some_and(|findings| findings.iter().all(|finding| finding["detector"] != "manifest")), "{}", lines[1]);
    // Half a car is unusual everywhere, and says little: it was untouched.
    let probabilities: Vec<f64> =
        lines[1]["findings"].as_array().expect("a list").iter().map(|finding| finding["probability"].as_f64().expect("a number")).collect();
    assert!(!probabilities.is_empty() && probabilities.iter().all(|&probability| probability < 0.5), "{}", lines[1]);
    assert!(lines[1]["mark"] == before[1]["mark"] || lines[1]["mark"].is_null(), "{}", lines[1]);
    assert_eq!((&lines[0]["mark"], &lines[0]["error"]), (&before[0]["mark"], &Value::Null));
}

#[test]
fn detectors_that_fail_on_the_way_hide_no_gap_and_raise_an_alarm() {
    let folder = tempfile::tempdir().expect("a folder");
    let scan = render(folder.path());
    let (before, _) = inspect(&[scan.as_os_str()]);
    assert!(!alarms(&before[3]).contains("fail"), "{}", before[3]);
    let since = columns(&before[1])[0];
    // Half a metre of the array: more than a band of detectors that must be clear in a gap.
    for (name, value) in [("dark.tif", 0), ("stuck.tif", 35_000), ("full.tif", u16::MAX)] {
        let failed = altered(&scan, name, usize::MAX, |column, counts, _| {
            if column >= since {
                counts[100..132].fill(value);
            }
        });
        let (lines, _) = inspect(&[failed.as_os_str()]);
        let last = lines.last().expect("the scan's own line");
        assert!(alarms(last).contains("32 detectors from 100 to 131 fail"), "{name}: {last}");
        assert_eq!(last["cars"], 3, "{name}");
        for (car, sound) in lines.iter().zip(&before).take(3) {
            for (end, other) in columns(car).iter().zip(columns(sound)) {
                assert!(end.abs_diff(other) <= 20, "{name}: {:?} and {:?}", columns(car), columns(sound));
            }
        }
    }
}

#[test]
fn thicknesses_are_not_written_over_their_scan() {
    let folder = tempfile::tempdir().expect("a folder");
    let scan = render(folder.path());
    let before = std::fs::read(&scan).expect("there");
    let (lines, code) = inspect(&[scan.as_os_str(), "--thickness".as_ref(), folder.path().as_os_str()]);
    assert_eq!(code, Some(1));
    let last = lines.last().expect("the scan's own line");
    assert!(last["error"].as_str().is_some_and(|error| error.contains("another folder")) && last["cars"] == 3, "{last}");
    assert!(std::fs::read(&scan).expect("there") == before, "the scan is as it was");
    // Two scans of one name: each has its own pictures.
    let other = folder.path().join("other");
    std::fs::create_dir(&other).expect("made");
    std::fs::copy(&scan, other.join("S-61.tif")).expect("copied");
    let pictures = folder.path().join("pictures");
    let (_, code) = inspect(&[scan.as_os_str(), other.join("S-61.tif").as_os_str(), "--draw".as_ref(), pictures.as_os_str()]);
    assert_eq!((code, std::fs::read_dir(&pictures).expect("pictures").count()), (Some(0), 24));
}

#[test]
fn a_copy_of_the_scan_is_no_earlier_scan() {
    let folder = tempfile::tempdir().expect("a folder");
    let scan = render(folder.path());
    let archive = folder.path().join("archive");
    std::fs::create_dir(&archive).expect("made");
    for ending in ["tif", "consist.json"] {
        std::fs::copy(scan.with_extension(ending), archive.join("Z-61.tif").with_extension(ending)).expect("copied");
    }
    let (alone, _) = inspect(&[scan.as_os_str()]);
    let (compared, code) = inspect(&[scan.as_os_str(), "--earlier".as_ref(), archive.as_os_str()]);
    assert_eq!(code, Some(0));
    let told = |lines: &[Value]| lines[..3].iter().map(|car| (car["score"].clone(), car["findings"].clone())).collect::<Vec<_>>();
    assert_eq!(told(&alone), told(&compared));
}

#[test]
fn what_has_come_to_hang_below_the_floor_is_found_against_an_earlier_scan() {
    let folder = tempfile::tempdir().expect("a folder");
    let numbers = ["--seed", "62", "--cars", "3", "--kinds", "boxcar", "--empties", "--earlier"].map(OsStr::new);
    let done = garita(&[&["synth".as_ref(), "rail".as_ref(), "--out".as_ref(), folder.path().as_os_str()][..], &numbers[..]].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (scan, archive) = (folder.path().join("S-62.tif"), folder.path().join("earlier"));
    let against = |scan: &Path| inspect(&[scan.as_os_str(), "--earlier".as_ref(), archive.as_os_str()]).0;
    let below = |car: &Value| -> Vec<(f64, [usize; 4])> {
        let findings = car["findings"].as_array().expect("a list").iter().filter(|finding| finding["detector"] == "earlier-under");
        findings.map(|finding| (finding["probability"].as_f64().expect("a number"), serde_json::from_value(finding["box"].clone()).expect("a box"))).collect()
    };
    let before = against(&scan);
    assert!(before[1]["kind"] == "boxcar" && below(&before[1]).iter().all(|(probability, _)| *probability < 0.5), "{}", before[1]);
    // A box of 0.6 by 0.2 m between the trucks, below the sill, that lets half of the beam through.
    let [from, to] = columns(&before[1]);
    let (along, up) = ((from + to) / 2..(from + to) / 2 + 38, 332..345);
    let hung = altered(&scan, "hung.tif", usize::MAX, |column, counts, _| {
        if along.contains(&column) {
            counts[up.clone()].iter_mut().for_each(|count| *count /= 2);
        }
    });
    with_list(&scan, &hung);
    let after = against(&hung);
    let there = |of: &[usize; 4]| of[0] < along.end && along.start < of[0] + of[2] && of[1] < up.end && up.start < of[1] + of[3];
    assert!(below(&after[1]).iter().any(|(probability, of)| *probability > 0.9 && there(of)), "{}", after[1]);
    assert_eq!(after[1]["empty_probability"].as_f64().map(|probability| probability < 0.5), Some(true));
}

#[test]
fn thresholds_of_a_few_cars_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let scan = render(folder.path());
    let few = folder.path().join("few.json");
    let made = garita(&["calibrate".as_ref(), "rail".as_ref(), scan.as_os_str(), "--out".as_ref(), few.as_os_str()]);
    assert!(made.status.success() && String::from_utf8_lossy(&made.stderr).contains("300 normal cars"), "{}", String::from_utf8_lossy(&made.stderr));
    let (lines, _) = inspect(&[scan.as_os_str(), "--calibration".as_ref(), few.as_os_str()]);
    assert!(alarms(&lines[3]).contains("of 3 normal cars"), "{}", lines[3]);
    // Of another source their gaps are filled from ours, which is said too.
    let mut other: Value = serde_json::from_slice(&std::fs::read(&few).expect("there")).expect("JSON");
    other["source"] = "Co-60".into();
    std::fs::write(&few, other.to_string()).expect("written");
    let (lines, _) = inspect(&[scan.as_os_str(), "--calibration".as_ref(), few.as_os_str()]);
    assert!(alarms(&lines[3]).contains("theirs are of Cs-137") && alarms(&lines[3]).contains("thresholds are of Co-60"), "{}", lines[3]);
    other["air_quanta"] = (-1.0).into();
    std::fs::write(&few, other.to_string()).expect("written");
    let refused = garita(&["inspect".as_ref(), scan.as_os_str(), "--calibration".as_ref(), few.as_os_str()]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("air_quanta"), "{}", String::from_utf8_lossy(&refused.stderr));
}

#[test]
fn papers_cost_names_and_never_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let scan = render(folder.path());
    let (before, _) = inspect(&[scan.as_os_str()]);
    let beside = scan.with_extension("consist.json");
    let list: Value = serde_json::from_slice(&std::fs::read(&beside).expect("there")).expect("JSON");
    let write = |list: &Value| std::fs::write(&beside, list.to_string()).expect("written");

    let mut odd = list.clone();
    odd["cars"][0]["containers"] = serde_json::json!(["CSQU3054384"]);
    odd["cars"][1]["mark"] = "21 81 2471 217-4".into();
    odd["cars"][2]["mark"] = odd["cars"][0]["mark"].clone();
    write(&odd);
    let (lines, code) = inspect(&[scan.as_os_str()]);
    let said = alarms(&lines[3]);
    assert_eq!(code, Some(0));
    for doubt in ["container CSQU3054384: the check digit is wrong, 3", "wagon 21 81 2471 217-4: the check digit is wrong", "cars 1 and 3 have one mark"] {
        assert!(said.contains(doubt), "{doubt}: {said}");
    }

    // Declared loaded, and nothing in it: that is said, and is nothing in it.
    let empties: Vec<usize> = (0..3).filter(|&car| before[car]["empty_probability"].as_f64().is_some_and(|empty| empty > 0.6)).collect();
    assert!(!empties.is_empty(), "{before:?}");
    let mut loaded = list.clone();
    for &car in &empties {
        loaded["cars"][car]["loaded"] = true.into();
        loaded["cars"][car]["weight_kg"] = 60_000.into();
    }
    write(&loaded);
    let (lines, _) = inspect(&[scan.as_os_str()]);
    for &car in &empties {
        assert_eq!(lines[car]["empty_probability"], before[car]["empty_probability"]);
        let findings = lines[car]["findings"].as_array().expect("findings");
        let missing = findings.iter().find(|finding| finding["kind"] == "manifest").unwrap_or_else(|| panic!("{}", lines[car]));
        assert!(missing["mass_kg"].as_f64().is_some_and(|mass| mass < -40_000.0), "{missing}");
    }

    let mut broken = list;
    broken["cars"][0]["mark"] = 5.into();
    write(&broken);
    let (lines, code) = inspect(&[scan.as_os_str()]);
    assert_eq!((lines.len(), code), (4, Some(1)));
    assert!(lines[3]["error"].as_str().is_some_and(|error| error.contains("consist")), "{}", lines[3]);
    assert!(lines[..3].iter().all(|car| car["error"].is_null() && car["mark"].is_null()));
}
