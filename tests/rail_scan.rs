//! The scan container: what is written is read back in place, and whatever else a file may be, it is refused by name and never panics.

#[path = "common/skip.rs"]
mod skip;

use std::io::Read;
use std::path::Path;

use garita::bytes::Bytes;
use garita::error::Fault;
use garita::rail::scan::{Column, Description, Fields, FirstDetector, Scan, ScanWriter, growing, seal, tiff, write};
use proptest::prelude::*;

const DETECTORS: usize = 24;
const COLUMNS: usize = 70;

fn count(column: usize, detector: usize) -> u16 {
    (column * 1000 + detector) as u16
}

fn counts() -> Vec<u16> {
    (0..COLUMNS).flat_map(|column| (0..DETECTORS).map(move |detector| count(column, detector))).collect()
}

fn table() -> Vec<Column> {
    (0..COLUMNS).map(|k| Column { t_s: k as f64 * 0.01, v_m_s: 1.6, ref_dose: 1.0, flags: u32::from(k == 7) }).collect()
}

fn description() -> Description {
    let mut description = Description { train: Some("T-1".into()), detectors: Some(DETECTORS), ..Description::default() };
    description.source.nuclide = Some("Cs-137".into());
    description.other.insert("site".into(), "nowhere".into());
    description
}

fn fields() -> Fields {
    Fields { dark: vec![64.0; DETECTORS], air: vec![40_000.0; DETECTORS], dead: (0..DETECTORS).map(|i| i == 3).collect() }
}

fn sealed(description: &Description, planes: usize, big: bool) -> Vec<u8> {
    let bytes: Vec<u8> = counts().iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut streams: Vec<&[u8]> = vec![&bytes; planes];
    let mut planes: Vec<&mut dyn Read> = streams.iter_mut().map(|stream| stream as &mut dyn Read).collect();
    let mut out = Vec::new();
    let write = if big {
        write::seal_big(&mut out, description, &table(), &mut planes, &fields())
    } else {
        seal(&mut out, description, &table(), &mut planes, &fields())
    };
    write.expect("sealed");
    out
}

/// Aligned like a mapping, so that reading in place can be asked for.
fn parse(bytes: &[u8]) -> Result<Scan, garita::error::Error> {
    Scan::parse(Bytes::from(bytes.to_vec()))
}

fn assert_is_the_scan(scan: &Scan) {
    assert_eq!((scan.columns(), scan.detectors()), (COLUMNS, DETECTORS));
    for columns in [0..COLUMNS, 10..11, 69..70, 5..5] {
        let wanted: Vec<u16> = columns.clone().flat_map(|column| (0..DETECTORS).map(move |detector| count(column, detector))).collect();
        assert_eq!(&*scan.counts(columns).expect("there"), &wanted[..]);
    }
    assert_eq!(scan.counts(60..71).expect_err("not there").fault, Fault::Caller);
}

#[test]
fn what_is_sealed_is_read_back() {
    for (big, planes) in [(false, 1), (true, 1), (false, 2)] {
        let scan = parse(&sealed(&description(), planes, big)).expect("a scan");
        assert_is_the_scan(&scan);
        assert_eq!(scan.planes(), planes);
        assert_eq!(scan.fields, fields());
        assert_eq!(scan.description, description());
        assert_eq!((0..COLUMNS).map(|k| scan.column(k)).collect::<Vec<_>>(), table());
    }
}

#[test]
fn a_mapped_scan_is_read_in_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("T-1.tif");
    std::fs::write(&path, sealed(&description(), 1, false)).expect("written");
    let scan = Scan::open(&path).expect("a scan");
    assert!(matches!(scan.counts(3..9).expect("there"), std::borrow::Cow::Borrowed(_)));
    assert_eq!(scan.name, "T-1.tif");
}

#[test]
fn a_scan_that_starts_at_the_bottom_is_turned_round() {
    let scan = parse(&sealed(&Description { first_detector: FirstDetector::Bottom, ..description() }, 1, false)).expect("a scan");
    assert_eq!(scan.counts(2..3).expect("there")[0], count(2, DETECTORS - 1));
    assert!(scan.fields.dead[DETECTORS - 1 - 3]);
}

#[test]
fn every_truncation_is_refused_and_says_where() {
    let whole = sealed(&description(), 1, false);
    // What follows the last value is padding.
    let needed = whole.len() - (4096 - DETECTORS);
    for length in 0..needed {
        let error = parse(&whole[..length]).expect_err("cut off");
        assert_eq!(error.fault, Fault::Damaged, "{length}: {error}");
    }
    parse(&whole[..needed]).expect("whole");
    let error = parse(&whole[..8192 + 100 + DETECTORS * 2 * 12]).expect_err("cut off in column 14");
    assert!(error.message.contains("column 14 of 70"), "{error}");
}

#[test]
fn what_is_there_of_a_cut_off_scan_can_be_recovered() {
    let whole = sealed(&description(), 1, false);
    let cut = Bytes::from(whole[..8192 + 100 + DETECTORS * 2 * 12].to_vec());
    let scan = tiff::parse_partial(cut).expect("the columns that are there");
    assert_eq!(scan.columns(), 14);
    assert_eq!(scan.counts(13..14).expect("there")[5], count(13, 5));
}

/// Replaces the value of `tag` in the first directory.
fn with_tag(mut bytes: Vec<u8>, tag: u16, value: u32) -> Vec<u8> {
    let at = (0..12).map(|index| 10 + index * 12).find(|&at| bytes[at..at + 2] == tag.to_le_bytes()).expect("the tag is there");
    bytes[at + 8..at + 12].copy_from_slice(&value.to_le_bytes());
    bytes
}

#[test]
fn misdeclared_files_are_refused_by_whose_fault_it_is() {
    let whole = || sealed(&description(), 1, false);
    let mut big_endian = whole();
    big_endian[..4].copy_from_slice(b"MM\0*");
    let cases: Vec<(&str, Vec<u8>, Fault, &str)> = vec![
        ("big-endian", big_endian, Fault::Unsupported, "big-endian"),
        ("compressed", with_tag(whole(), 259, 5), Fault::Unsupported, "compressed"),
        ("8 bits", with_tag(whole(), 258, 8), Fault::Unsupported, "16 bits"),
        ("floats", with_tag(whole(), 339, 3), Fault::Unsupported, "unsigned"),
        ("3 samples", with_tag(whole(), 277, 3), Fault::Unsupported, "3 values a pixel"),
        ("absurd columns", with_tag(whole(), 257, u32::MAX), Fault::Limit, "columns"),
        ("absurd detectors", with_tag(whole(), 256, 70_000), Fault::Limit, "detectors"),
        ("more columns than bytes", with_tag(whole(), 257, 100_000), Fault::Damaged, "1 strips"),
        ("fewer detectors than it says", with_tag(whole(), 256, DETECTORS as u32 - 1), Fault::Damaged, "description says 24"),
        ("misaligned", with_tag(whole(), 273, 8193), Fault::Unsupported, "odd byte"),
        ("beyond the end", with_tag(whole(), 273, 80_000_000), Fault::Damaged, "column 0"),
        ("strip too small", with_tag(whole(), 279, 100), Fault::Damaged, "its strip has 100 bytes"),
        ("not a TIFF", b"GIF89a".to_vec(), Fault::Damaged, "not a TIFF"),
        ("nothing scanned", with_tag(whole(), 257, 0), Fault::Damaged, "nothing was scanned"),
    ];
    for (what, bytes, fault, says) in cases {
        let error = parse(&bytes).expect_err(what);
        assert_eq!(error.fault, fault, "{what}: {error}");
        assert!(error.message.contains(says), "{what}: {error}");
    }
    // Pages that refer to each other in a ring.
    let mut ring = whole();
    let next = 10 + 12 * 12;
    ring[next..next + 4].copy_from_slice(&8_u32.to_le_bytes());
    assert_eq!(parse(&ring).expect_err("a ring").fault, Fault::Limit);
}

/// A row-major TIFF as other tools write it: big strips, no description.
fn row_major(rows_per_strip: usize) -> Vec<u8> {
    let strips = DETECTORS.div_ceil(rows_per_strip);
    let tags: [(u16, u16, u32, u32); 8] = [
        (256, 4, 1, COLUMNS as u32),
        (257, 4, 1, DETECTORS as u32),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (273, 4, strips as u32, 300),
        (277, 3, 1, 1),
        (278, 4, 1, rows_per_strip as u32),
        (279, 4, strips as u32, 600),
    ];
    let mut bytes = b"II*\0\x08\0\0\0\x08\0".to_vec();
    let row = COLUMNS * 2;
    for (tag, kind, number, value) in tags {
        let value = match (tag, strips) {
            (273, 1) => 1000,
            (279, 1) => (DETECTORS * row) as u32,
            _ => value,
        };
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(number.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.resize(1000, 0);
    for strip in 0..strips {
        let rows = rows_per_strip.min(DETECTORS - strip * rows_per_strip);
        bytes[300 + strip * 4..304 + strip * 4].copy_from_slice(&(1000 + (strip * rows_per_strip * row) as u32).to_le_bytes());
        bytes[600 + strip * 4..604 + strip * 4].copy_from_slice(&((rows * row) as u32).to_le_bytes());
    }
    bytes.extend((0..DETECTORS).flat_map(|detector| (0..COLUMNS).flat_map(move |column| count(column, detector).to_le_bytes())));
    bytes
}

#[test]
fn row_major_tiff_is_gathered_from_its_strips() {
    for rows_per_strip in [1, 5, DETECTORS] {
        assert_is_the_scan(&parse(&row_major(rows_per_strip)).expect("a scan"));
        let whole = row_major(rows_per_strip);
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]).expect_err("cut off").fault, Fault::Damaged);
        }
    }
}

#[test]
fn a_sidecar_speaks_for_a_tiff_that_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("T.tif");
    std::fs::write(&path, row_major(5)).expect("written");
    assert!(Scan::open(&path).expect("a scan").fields.dark.is_empty());
    let mut said: serde_json::Value = serde_json::from_str(&write::sidecar_json(&description(), &fields())).expect("JSON");
    std::fs::write(path.with_extension("scan.json"), said.to_string()).expect("written");
    let scan = Scan::open(&path).expect("a scan");
    assert_eq!((scan.fields.dark.len(), &scan.description.source), (DETECTORS, &description().source));
    said["dead"] = serde_json::json!([9999]);
    std::fs::write(path.with_extension("scan.json"), said.to_string()).expect("written");
    assert!(Scan::open(&path).is_err_and(|error| error.fault == Fault::Damaged && error.message.contains("no detector 9999")), "there is none");
}

fn png(width: usize, height: usize, pixels: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Sixteen);
    let data: Vec<u8> = pixels.iter().flat_map(|value| value.to_be_bytes()).collect();
    encoder.write_header().expect("header").write_image_data(&data).expect("pixels");
    bytes
}

#[test]
fn png_is_decoded_and_refused_where_it_is_cut_off() {
    let pixels: Vec<u16> = (0..DETECTORS).flat_map(|detector| (0..COLUMNS).map(move |column| count(column, detector))).collect();
    let whole = png(COLUMNS, DETECTORS, &pixels);
    assert_is_the_scan(&parse(&whole).expect("a scan"));
    for length in 8..whole.len() - 40 {
        assert_eq!(parse(&whole[..length]).expect_err("cut off").fault, Fault::Damaged, "{length}");
    }
}

#[test]
fn raw_counts_need_their_sidecar() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("T-2.raw");
    let bytes: Vec<u8> = counts().iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(&path, &bytes).expect("written");
    assert_eq!(Scan::open(&path).expect_err("no sidecar").fault, Fault::Unsupported);
    std::fs::write(path.with_extension("json"), r#"{"scan": "T-2.raw", "cars": []}"#).expect("written");
    assert_eq!(Scan::open(&path).expect_err("that is a truth file").fault, Fault::Unsupported);
    std::fs::write(path.with_extension("json"), write::sidecar_json(&description(), &fields())).expect("written");
    let scan = Scan::open(&path).expect("a scan");
    assert_is_the_scan(&scan);
    assert_eq!(scan.fields, fields());
    std::fs::write(&path, &bytes[..bytes.len() - 3]).expect("written");
    let error = Scan::open(&path).expect_err("cut off");
    assert_eq!(error.fault, Fault::Damaged);
    assert!(error.message.contains("column 69"), "{error}");
}

#[test]
fn a_scan_in_progress_is_followed_column_by_column_and_sealed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("T-3.counts");
    let create = |extension: &str| std::fs::File::create(path.with_extension(extension)).expect("created");
    std::fs::write(path.with_extension("scan.json"), write::sidecar_json(&description(), &fields())).expect("written");
    let mut writer = ScanWriter::new(create("counts"), create("columns"), DETECTORS, 0).expect("a writer");
    let scan = Scan::open(&path).expect("a scan");
    assert_eq!((scan.columns(), scan.detectors()), (0, DETECTORS));
    for (k, (column, row)) in counts().chunks(DETECTORS).zip(table()).enumerate() {
        writer.append(column, row).expect("appended");
        assert_eq!(scan.columns(), k + 1);
        assert_eq!((&*scan.counts(k..k + 1).expect("there"), scan.column(k)), (column, row));
    }
    assert_eq!(writer.append(&[0; 3], table()[0]).expect_err("another width").fault, Fault::Caller);
    assert_is_the_scan(&scan);
    let mut sealed = Vec::new();
    let mut stream = std::fs::File::open(&path).expect("open");
    seal(&mut sealed, &description(), &table(), &mut [&mut stream], &fields()).expect("sealed");
    assert_is_the_scan(&parse(&sealed).expect("a scan"));
    // A column half written does not count, in whichever file it is.
    let whole = |counts, rows| growing::whole_columns(counts, rows, DETECTORS);
    assert_eq!((whole(480, 320), whole(479, 320), whole(480, 319), whole(0, 0)), (10, 9, 9, 0));
}

#[test]
fn the_samples_open() {
    let samples = Path::new("../shared/rail-samples");
    if !samples.exists() {
        skip::untried(&format!("the other simulator's samples; {} is not there", samples.display()));
        return;
    }
    for (name, columns) in [("A-100.tif", 7592), ("A-101.tif", 7342), ("PA-50.tif", 3769), ("earlier/PA-50-e.tif", 3808)] {
        let scan = Scan::open(&samples.join(name)).expect("a scan");
        assert_eq!((scan.columns(), scan.detectors()), (columns, 368));
        assert_eq!(scan.fields.dark, vec![64.0; 368]);
        assert_eq!(scan.description.source.nuclide.as_deref(), Some("Cs-137"));
        assert!((1.0..3.0).contains(&scan.column(columns - 1).v_m_s));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_scan_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..600), start in 0..4_usize) {
        let mut bytes = bytes;
        let magic: &[u8] = [&b"II*\0\x08\0\0\0"[..], b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0", b"\x89PNG\r\n\x1a\n", b""][start];
        bytes.splice(0..0, magic.iter().copied());
        let _ = parse(&bytes);
        let _ = tiff::parse_partial(Bytes::from(bytes));
    }

    #[test]
    fn flipped_bytes_are_a_scan_or_an_error(at in 0..10_000_usize, flips in proptest::collection::vec((0..5000_usize, any::<u8>()), 1..4), kind in 0..4_usize) {
        let mut bytes = match kind {
            0 => sealed(&description(), 1, false),
            1 => sealed(&description(), 1, true),
            2 => sealed(&description(), 2, false),
            _ => row_major(5),
        };
        let length = bytes.len();
        for (offset, flip) in flips {
            bytes[(at % 2 * offset + offset % 700) % length] ^= flip;
        }
        for scan in [parse(&bytes), tiff::parse_partial(Bytes::from(bytes))].into_iter().flatten() {
            for plane in 0..scan.planes() {
                let _ = scan.plane(plane, 0..scan.columns());
            }
            let _ = scan.column(scan.columns());
        }
    }
}
