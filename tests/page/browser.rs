//! The page in Chromium.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use garita::rail::scan::Scan;
use garita::watchlist::find::MatchClass;

use super::seed::{self, HOSTILE, Vehicle};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

/// Whether a tool is there; loud where it is not, a failure where nothing may be skipped.
fn have(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return true;
    }
    super::skip::skip(&format!("{tool} is missing; the page was NOT looked at in a browser"));
    false
}

/// Installs what the tests need, exactly as locked; once.
fn install() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(install_now);
}

fn install_now() {
    let installed =
        Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]).current_dir(tests()).status().expect("npm runs");
    assert!(installed.success(), "npm ci in tests/browser failed: the tests need the npm registry once");
}

fn vehicles() -> Vec<Vehicle> {
    let sequence = ["lane000-00000.jpg", "lane000-00001.jpg", "lane000-00002.jpg", "lane000-00003.jpg", "lane000-00004.jpg"];
    let mut two = seed::entry("XPX802H", 0);
    (two.two_person, two.caution) = (true, "armed".to_owned());
    let mut film = seed::vehicle("XPX802H", two, MatchClass::Exact);
    film.pictures = sequence.to_vec();
    film.corners = [[392.6, 265.0], [457.7, 266.6], [456.6, 309.2], [391.5, 307.6]];
    let mut all = vec![film, seed::vehicle("076CHZ", seed::entry("076CHZ", 5), MatchClass::Exact)];
    all.push(seed::vehicle("FK5387T", seed::entry("FKS387T", 15), MatchClass::Equivalent));
    all.push(seed::vehicle("722PWD", seed::entry("722PWK", 40), MatchClass::Near));
    let mut elsewhere = seed::vehicle("KTE0327", seed::entry("KTE0327", 70), MatchClass::OtherJurisdiction);
    elsewhere.jurisdiction = Some("US-NC");
    all.push(elsewhere);
    all.extend((0..6).map(|number| seed::vehicle(&format!("BBB{number:03}"), seed::entry(&format!("BBB{number:03}"), 80), MatchClass::Exact)));
    all
}

fn hostile() -> Vec<Vehicle> {
    let mut entry = seed::entry("076CHZ", 3);
    for field in
        [&mut entry.category, &mut entry.reason, &mut entry.filed_by, &mut entry.source, &mut entry.source_version, &mut entry.caution, &mut entry.list]
    {
        *field = HOSTILE.repeat(3);
    }
    entry.text = format!("076-CHZ {HOSTILE}");
    vec![seed::vehicle("076CHZ", entry, MatchClass::Exact)]
}

#[test]
fn the_page_in_chromium() {
    if !["node", "npm", "chromium"].into_iter().all(have) {
        return;
    }
    install();
    let folder = tempfile::tempdir().expect("a folder");
    let mut sites = serde_json::Map::new();
    for (name, vehicles) in [
        ("small", vehicles()),
        ("hostile", hostile()),
        ("hundred", (0..101).map(|number| seed::vehicle(&format!("CCC{number:03}"), seed::entry(&format!("CCC{number:03}"), 5), MatchClass::Exact)).collect()),
        ("many", vec![seed::vehicle("076CHZ", seed::entry("076CHZ", 5), MatchClass::Exact)]),
        ("people", vehicles()),
    ] {
        let (file, data) = seed::site(folder.path(), name);
        seed::store(&data, vehicles);
        if name == "many" {
            seed::ten_thousand(&data);
        }
        sites.insert(name.to_owned(), file.display().to_string().into());
    }
    drive("run.mjs", sites);
}

#[test]
fn lists_logins_and_sounds_in_chromium() {
    if !["node", "npm", "chromium"].into_iter().all(have) {
        return;
    }
    install();
    let folder = tempfile::tempdir().expect("a folder");
    let mut sites = serde_json::Map::new();
    for (name, vehicles) in
        [("managers", vehicles()), ("login", vehicles()), ("sounds", vec![seed::vehicle("XPX802H", seed::entry("XPX802H", 80), MatchClass::Exact)])]
    {
        let (file, data) = seed::site(folder.path(), name);
        seed::store(&data, vehicles);
        sites.insert(name.to_owned(), file.display().to_string().into());
    }
    drive("lists.mjs", sites.clone());
    drive("login.mjs", sites);
}

#[test]
fn the_scan_viewer_in_chromium() {
    if !["node", "npm", "chromium"].into_iter().all(have) {
        return;
    }
    install();
    let folder = tempfile::tempdir().expect("a folder");
    let (file, _) = seed::site(folder.path(), "trains");
    drive("scans.mjs", serde_json::Map::from_iter([("trains".to_owned(), file.display().to_string().into())]));
}

#[test]
fn cars_as_cases_in_chromium() {
    if !["node", "npm", "chromium"].into_iter().all(have) {
        return;
    }
    install();
    let folder = tempfile::tempdir().expect("a folder");
    let mut sites = serde_json::Map::new();
    for name in ["portal", "officers"] {
        let (file, _) = seed::site(folder.path(), name);
        rendered(file.parent().expect("a folder"));
        sites.insert(name.to_owned(), file.display().to_string().into());
    }
    drive("cars.mjs", sites);
}

/// Beside a site file: `dual.tif`, two energies with things in each of its two cars, and `passing.head` and `passing.columns`, three cars with things in them as a
/// portal sends them while they pass.
fn rendered(folder: &Path) {
    let synth = |to: &str, arguments: &[&str]| {
        let made = Command::new(env!("CARGO_BIN_EXE_garita"))
            .args(["synth", "rail", "--anomalies", "1", "--empties", "--out"])
            .arg(folder.join(to))
            .args(arguments)
            .output();
        let made = made.expect("it runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        folder.join(to).join(format!("S-{}.tif", arguments[1]))
    };
    std::fs::rename(synth("dual", &["--seed", "7", "--source", "dual", "--cars", "2"]), folder.join("dual.tif")).expect("renames");
    let scan =
        Scan::open(&synth("passing", &["--seed", "65", "--cars", "3", "--kinds", "gondola,flat,hopper,tank", "--anomaly-kinds", "lead_pig"])).expect("a scan");
    let mut head = serde_json::to_value(&scan.description).expect("JSON");
    head["detectors"] = scan.detectors().into();
    head["dark"] = serde_json::json!(scan.fields.dark);
    std::fs::write(folder.join("passing.head"), format!("{head}\n")).expect("writes");
    let columns = (0..scan.columns()).flat_map(|column| {
        let counts = scan.counts(column..column + 1).expect("there");
        counts.iter().flat_map(|count| count.to_le_bytes()).chain(scan.column(column).to_bytes()).collect::<Vec<u8>>()
    });
    std::fs::write(folder.join("passing.columns"), columns.collect::<Vec<u8>>()).expect("writes");
}

/// Runs a file of tests under Node, against the servers of these sites.
///
/// One browser at a time: each draws in software, and takes a core or two.
fn drive(script: &str, sites: serde_json::Map<String, serde_json::Value>) {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target").join("page");
    std::fs::create_dir_all(&shots).expect("makes");
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let ran = Command::new("node")
        .args(["--test", "--test-reporter=spec", "--test-concurrency=1", script])
        .current_dir(tests())
        .env("GARITA", env!("CARGO_BIN_EXE_garita"))
        .env("GARITA_SITES", serde_json::Value::Object(sites).to_string())
        .env("GARITA_FRAMES", testdata.join("lane/img"))
        .env("GARITA_RAIL", testdata.join("rail"))
        .env("GARITA_GOLDEN", testdata.join("display/golden.json"))
        .env("GARITA_SHOTS", &shots)
        .status()
        .expect("node runs");
    assert!(ran.success(), "the page's tests failed; see above, and the pictures in {}", shots.display());
}

#[test]
fn the_scripts_types_agree() {
    if !["node", "npm"].into_iter().all(have) {
        return;
    }
    install();
    let checked = Command::new("node").args(["node_modules/typescript/bin/tsc", "-p", "."]).current_dir(tests()).output().expect("node runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn what_is_sent_is_what_was_written() {
    if !["node", "npm"].into_iter().all(have) {
        return;
    }
    install();
    let folder = tempfile::tempdir().expect("a folder");
    for file in garita::review::web::FILES {
        std::fs::write(folder.path().join(file.name), file.light()).expect("writes");
    }
    let written = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/review/web");
    let compared = Command::new("node").arg("light.mjs").args([&written, folder.path()]).current_dir(tests()).status().expect("node runs");
    assert!(compared.success(), "what is sent of a script is another script");
}
