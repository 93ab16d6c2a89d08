//! What rendered lane sets promise: the same seed the same bytes, and truth that fits the pictures.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use garita::error::Fault;
use garita::synth::lane::{Conditions, Kind, Options, generate};
use serde_json::Value;

const US: &str =
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY";
const MEXICO: &str = "AGU BCN BCS CAM CHP CHH COA COL CMX DUR GUA GRO HID JAL MEX MIC MOR NAY NLE OAX PUE QUE ROO SLP SIN SON TAB TAM TLA VER YUC ZAC";

fn options(out: &Path, kind: Kind, count: usize, width: usize, height: usize) -> Options {
    Options { seed: 41, count, kind, width, height, conditions: None, out: out.to_owned(), append: false, sheet: None }
}

fn rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn corners(plate: &Value) -> Vec<Vec<f64>> {
    plate["corners"].as_array().expect("corners").iter().map(numbers).collect()
}

fn plates(row: &Value) -> &[Value] {
    row["plates"].as_array().expect("plates")
}

/// Checks one manifest against the pictures beside it; answers how many plates it lists.
fn check(folder: &Path) -> usize {
    let regions: HashSet<String> = US.split(' ').map(|s| format!("US-{s}")).chain(MEXICO.split(' ').map(|s| format!("MX-{s}"))).collect();
    let mut count = 0;
    for row in rows(&folder.join("manifest.jsonl")) {
        let name = row["image"].as_str().expect("an image");
        let picture = image::open(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (width, height) = (row["width"].as_f64().expect("width"), row["height"].as_f64().expect("height"));
        assert_eq!((f64::from(picture.width()), f64::from(picture.height())), (width, height), "{name}");
        for field in ["group", "licence", "source"] {
            assert!(row[field].as_str().is_some_and(|s| !s.is_empty()), "{name}: {field}");
        }
        for plate in plates(&row) {
            count += 1;
            let (rectangle, corners) = (numbers(&plate["box"]), corners(plate));
            assert_eq!(corners.len(), 4, "{name}");
            let (mut low, mut high) = ([f64::MAX; 2], [f64::MIN; 2]);
            for corner in &corners {
                for axis in 0..2 {
                    low[axis] = low[axis].min(corner[axis]);
                    high[axis] = high[axis].max(corner[axis]);
                }
            }
            assert!(low[0] >= 0.0 && low[1] >= 0.0 && high[0] <= width && high[1] <= height, "{name}: {corners:?} leave the picture");
            let expected = [low[0], low[1], high[0] - low[0], high[1] - low[1]];
            assert!(rectangle.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.11), "{name}: box {rectangle:?} of {corners:?}");
            // Left top, right top, right bottom, left bottom: each turn goes the same way round.
            for i in 0..4 {
                let (a, b, c) = (&corners[i], &corners[(i + 1) % 4], &corners[(i + 2) % 4]);
                assert!((b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]) > 0.0, "{name}: corners turn the wrong way");
            }
            assert!(corners[0][0] < corners[1][0] && corners[0][1] < corners[3][1], "{name}: the first corner is not the left top");
            let text = plate["text"].as_str().expect("a text");
            assert!((4..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{name}: {text}");
            assert!(regions.contains(plate["region"].as_str().expect("a region")), "{name}: {}", plate["region"]);
            assert!(matches!(plate["lines"].as_u64(), Some(1 | 2)), "{name}");
        }
    }
    count
}

/// Luminance inside the plate's corners, on a grid.
fn luminances(picture: &image::GrayImage, corners: &[Vec<f64>]) -> Vec<u8> {
    let mut values = Vec::new();
    for row in 0..24 {
        for column in 0..64 {
            let (u, v) = ((f64::from(column) + 0.5) / 64.0, (f64::from(row) + 0.5) / 24.0);
            let at = |axis: usize| {
                let top = corners[0][axis] * (1.0 - u) + corners[1][axis] * u;
                let bottom = corners[3][axis] * (1.0 - u) + corners[2][axis] * u;
                top * (1.0 - v) + bottom * v
            };
            values.push(picture.get_pixel((at(0) as u32).min(picture.width() - 1), (at(1) as u32).min(picture.height() - 1)).0[0]);
        }
    }
    values.sort_unstable();
    values
}

#[test]
fn a_seed_makes_the_same_set_and_a_longer_set_begins_with_it() {
    let (first, second) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    generate(&options(first.path(), Kind::Single, 2, 640, 360), &mut |_, _| {}).expect("a set");
    generate(&options(second.path(), Kind::Single, 3, 640, 360), &mut |_, _| {}).expect("a set");
    for name in ["single-0000.jpg", "single-0001.jpg"] {
        let read = |folder: &Path| fs::read(folder.join("img").join(name)).expect("a picture");
        assert_eq!(read(first.path()), read(second.path()), "{name}");
    }
    let read = |folder: &Path| fs::read_to_string(folder.join("manifest.jsonl")).expect("a manifest");
    assert!(read(second.path()).starts_with(&read(first.path())));
}

#[test]
fn truth_fits_single_pictures_under_all_conditions() {
    for conditions in [Conditions::Day, Conditions::Dusk, Conditions::Night, Conditions::Ir, Conditions::Rain, Conditions::Glare] {
        let folder = tempfile::tempdir().expect("a folder");
        let wanted = Options { conditions: Some(conditions), ..options(folder.path(), Kind::Single, 2, 960, 540) };
        let summary = generate(&wanted, &mut |_, _| {}).expect("a set");
        assert_eq!(check(folder.path()), summary.plates, "{conditions:?}");
        assert!(summary.plates >= 2, "{conditions:?}: each single picture has its plate");
    }
}

#[test]
fn plates_by_day_can_be_seen_where_the_truth_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let wanted = Options { conditions: Some(Conditions::Day), ..options(folder.path(), Kind::Single, 6, 1280, 720) };
    generate(&wanted, &mut |_, _| {}).expect("a set");
    for row in rows(&folder.path().join("manifest.jsonl")) {
        let name = row["image"].as_str().expect("an image");
        let picture = image::open(folder.path().join(name)).expect("a picture").to_luma8();
        for plate in plates(&row).iter().filter(|plate| numbers(&plate["box"])[2] >= 60.0) {
            let values = luminances(&picture, &corners(plate));
            // Characters cover about a fifth of a plate: its darkest and lightest tenths are ink and ground, whichever is which.
            let (dark, light) = (values[values.len() / 10], values[values.len() * 9 / 10]);
            assert!(light > dark + 25, "{name} {}: {dark}..{light}", plate["text"]);
        }
    }
}

#[test]
fn sequences_approach_and_their_passages_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let summary = generate(&options(folder.path(), Kind::Sequence, 4, 640, 360), &mut |_, _| {}).expect("a set");
    assert_eq!(check(folder.path()), summary.plates);
    let frames = rows(&folder.path().join("manifest.jsonl"));
    for pair in frames.windows(2) {
        let number = |row: &Value, field: &str| row[field].as_u64().expect("a number");
        assert_eq!(number(&pair[0], "sequence") + 1, number(&pair[1], "sequence"));
        assert!((80..=120).contains(&(number(&pair[1], "captured_ms") - number(&pair[0], "captured_ms"))));
    }
    let passages = rows(&folder.path().join("passages.jsonl"));
    assert_eq!(passages.len(), 4);
    for passage in &passages {
        let names = passage["frames"].as_array().expect("frames");
        assert!((6..=12).contains(&names.len()));
        let mut widths = Vec::new();
        for name in names {
            let row = frames.iter().find(|row| row["image"] == *name).expect("a frame of the manifest");
            assert_eq!(row["vehicle"], passage["vehicle"]);
            for plate in plates(row) {
                assert_eq!((&plate["text"], &plate["region"]), (&passage["text"], &passage["region"]));
                let corners = corners(plate);
                widths.push((corners[1][0] - corners[0][0]).hypot(corners[1][1] - corners[0][1]));
            }
        }
        assert_eq!(widths.len(), names.len(), "the plate is in every frame of its passage");
        assert!(widths.windows(2).all(|pair| pair[0] < pair[1]), "{widths:?}");
        assert!(widths[0] < 60.0 && widths[widths.len() - 1] > 90.0, "{widths:?}");
    }
    assert!(frames.iter().any(|row| row["vehicle"].is_null() && plates(row).is_empty()), "there are empty frames between vehicles");
}

#[test]
fn wide_views_hold_several_small_plates() {
    let folder = tempfile::tempdir().expect("a folder");
    generate(&options(folder.path(), Kind::Wide4k, 1, 3840, 2160), &mut |_, _| {}).expect("a set");
    let plates = check(folder.path());
    let rows = rows(&folder.path().join("manifest.jsonl"));
    let small = rows[0]["plates"].as_array().expect("plates").iter().filter(|plate| (25.0..90.0).contains(&numbers(&plate["box"])[2])).count();
    assert!(plates >= 3 && small >= 3, "{plates} plates, {small} of them small");
}

#[test]
fn nonsense_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("none");
    for wanted in [options(&out, Kind::Single, 0, 1280, 720), options(&out, Kind::Single, 1, 0, 720), options(&out, Kind::Single, 1, 1280, 100_000)] {
        assert_eq!(generate(&wanted, &mut |_, _| {}).expect_err("refused").fault, Fault::Caller);
    }
    assert!(!out.exists());
}

#[test]
fn a_set_can_be_added_to() {
    let folder = tempfile::tempdir().expect("a folder");
    generate(&options(folder.path(), Kind::Single, 1, 640, 360), &mut |_, _| {}).expect("a set");
    let more = Options { append: true, ..options(folder.path(), Kind::Wide4k, 1, 640, 360) };
    generate(&more, &mut |_, _| {}).expect("a set");
    assert_eq!(rows(&folder.path().join("manifest.jsonl")).len(), 2);
}

#[test]
fn the_committed_set_is_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/lane");
    assert!(check(&folder) >= 12);
    let images: HashSet<String> = rows(&folder.join("manifest.jsonl")).iter().map(|row| row["image"].as_str().expect("an image").to_owned()).collect();
    let mut bytes = 0;
    for entry in fs::read_dir(folder.join("img")).expect("pictures") {
        let entry = entry.expect("an entry");
        assert!(images.contains(&format!("img/{}", entry.file_name().to_string_lossy())), "{:?} is in no manifest", entry.file_name());
        bytes += entry.metadata().expect("its size").len();
    }
    assert!(bytes <= 2_500_000, "{bytes} bytes");
    for passage in rows(&folder.join("passages.jsonl")) {
        assert!(passage["frames"].as_array().expect("frames").iter().all(|name| images.contains(name.as_str().expect("a name"))));
    }
}
