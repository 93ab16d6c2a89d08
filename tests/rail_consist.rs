//! Identities: check digits from the standards' own examples, tag messages from the reader's manual, and alignments that say when they do not know.

use garita::error::Fault;
use garita::rail::consist::{Consist, ConsistCar, align};
use garita::rail::identity::{ReportingMark, Side, container, is_uic, tag_read};
use garita::rail::segment::CarSegment;
use proptest::prelude::*;

#[test]
fn check_digits() {
    // `shared/rail.md` 1.7: both UIC examples and both container codes were recomputed there.
    assert!(is_uic("21 81 2471 217-3") && is_uic("51 80 0843 001-0"));
    assert!(!is_uic("21 81 2471 217-4") && !is_uic("21 81 2471 217") && !is_uic("21 81 2471 2173 5"));
    assert_eq!(container("CSQU 305438-3").as_deref(), Some("CSQU3054383"));
    assert_eq!(container("msku9070323").as_deref(), Some("MSKU9070323"));
    assert_eq!(container("CSQU3054384"), None);
    assert_eq!(container("CSQX3054383"), None);
    // Any one digit changed is found (the check is modulo 11 with a distinct weight for each place, 0 and 10 apart).
    for place in 4..10 {
        let mut code = b"CSQU3054383".to_vec();
        code[place] = b'0' + (code[place] - b'0' + 1) % 10;
        assert_eq!(container(std::str::from_utf8(&code).expect("text")), None, "place {place}");
    }
}

#[test]
fn reporting_marks() {
    for (text, written) in [("UTLX 123456", "UTLX 123456"), ("utlx-012345", "UTLX 12345"), ("NS1526", "NS 1526"), ("  BNSF   0 ", "BNSF 0")] {
        assert_eq!(ReportingMark::parse(text).expect(text).to_string(), written);
    }
    for text in ["", "X 1", "UTLXX 1", "UTLX", "UTLX 1234567", "1234", "UT1X 5", "UTLX 12A"] {
        assert_eq!(ReportingMark::parse(text), None, "{text}");
    }
}

#[test]
fn tag_messages() {
    // Softrail AI4100 manual, p. 39.
    let tag = tag_read("01/16/2006 10:58,0004,\"51\",\"1\",\"19\",\"DEFX\",\"112344\",\"Left\",\"185\",\"4\",\"1\",\"0\"").expect("a railcar");
    assert_eq!(
        (tag.mark.to_string().as_str(), tag.side, tag.length_dm, tag.axles, tag.bearing, tag.platform),
        ("DEFX 112344", Side::Left, 185, 4, Some(1), Some(0))
    );
    let tag = tag_read("01/16/2006 10:58,0001,\"51\",\"1\",\"5\",\"NS \",\"1526\",\"Left\",\"183\",\"4\",\"1\"").expect("a locomotive");
    assert!(tag.is_locomotive() && tag.platform.is_none());
    for (line, says) in [
        ("", "1 fields"),
        ("a,b,c,d,19,UP,12,Up,1,1,1,1", "field 8"),
        ("a,b,c,d,19,UP,12,Left,x,1,1,1", "field 9"),
        ("a,b,c,d,99,UP,12,Left,1,1,1,1", "field 5"),
        ("a,b,c,d,19,U,12,Left,1,1,1,1", "field 6"),
    ] {
        assert!(tag_read(line).expect_err(line).message.contains(says), "{line}");
    }
    let lines = "t,1,51,1,5,NS,1526,Left,183,4,1\nt,2,51,1,19,UP,123456,Left,161,4,1,0\nt,3,51,2,19,UP,123456,Right,161,4,1,0\n";
    let consist = Consist::parse(lines.as_bytes()).expect("two cars");
    assert_eq!(consist.cars.iter().map(|car| car.written_mark().expect("a mark")).collect::<Vec<_>>(), ["NS 1526", "UP 123456"]);
    assert!(consist.cars[0].locomotive);
    let error = Consist::parse(b"t,1,51,1,5,NS,1526,Left,183,4,1\nnonsense").expect_err("line 2");
    assert!(error.message.starts_with("line 2"), "{error}");
}

#[test]
fn impossible_lists_are_refused() {
    for text in ["{", "{}", r#"{"cars":[{"length_dm":-3}]}"#, r#"{"cars":[{"weight_kg":1e300}]}"#, r#"{"cars":[{"axles":-1}]}"#, "\u{0}\u{1}"] {
        assert_eq!(Consist::parse(text.as_bytes()).expect_err(text).fault, Fault::Damaged, "{text}");
    }
    let many = format!(r#"{{"cars":[{}]}}"#, vec!["{}"; 1001].join(","));
    assert_eq!(Consist::parse(many.as_bytes()).expect_err("too many").fault, Fault::Limit);
}

fn car(length_m: f64, axles: usize) -> CarSegment {
    let axles_mm = (0..axles).map(|axle| 1000.0 * axle as f64).collect();
    CarSegment { position: 1, columns: 0..1, body: 0..1, length_mm: length_m * 1000.0, axles_mm, blank: 0.0, cut_off: false }
}

fn entry(mark: &str, length_m: f64) -> ConsistCar {
    ConsistCar { mark: Some(mark.into()), length_dm: Some(length_m * 10.0), axles: Some(4), ..ConsistCar::default() }
}

fn lengths() -> Vec<f64> {
    vec![17.2, 18.0, 21.6, 16.9, 20.6, 21.6, 27.4, 15.3]
}

#[test]
fn every_car_finds_its_entry_in_a_mixed_train() {
    let consist = Consist { train: None, cars: lengths().iter().map(|&m| entry("UP 1", m)).collect() };
    let cars: Vec<CarSegment> = lengths().iter().enumerate().map(|(i, m)| car(m + [0.3, -0.3][i % 2], 4)).collect();
    for (i, identity) in align(&cars, &consist, true).iter().enumerate() {
        assert_eq!(identity.entries, [i]);
        assert!(identity.confidence > 0.99, "{i}: {identity:?}");
    }
}

#[test]
fn a_missing_tag_leaves_its_car_unmatched_and_the_others_right() {
    let mut consist = Consist { train: None, cars: lengths().iter().map(|&m| entry("UP 1", m)).collect() };
    consist.cars.remove(3);
    let cars: Vec<CarSegment> = lengths().iter().map(|&m| car(m, 4)).collect();
    let found = align(&cars, &consist, true);
    assert!(found[3].entries.is_empty());
    for (i, identity) in found.iter().enumerate().filter(|(i, _)| *i != 3) {
        assert_eq!(identity.entries, [if i < 3 { i } else { i - 1 }]);
    }
}

#[test]
fn in_a_train_of_equal_cars_a_missing_tag_makes_doubt() {
    let consist = Consist { train: None, cars: vec![entry("UP 1", 18.0); 9] };
    let found = align(&vec![car(18.0, 4); 10], &consist, true);
    assert!(found.iter().all(|identity| identity.confidence < 0.95), "{found:?}");
    assert!(found[5].entries.is_empty() || found[5].confidence < 0.7);
}

#[test]
fn locomotives_without_beam_cover_several_entries_and_platforms_share_one() {
    let mut locomotives = car(44.0, 0);
    locomotives.blank = 1.0;
    let cars = [vec![locomotives], lengths().iter().map(|&m| car(m, 4)).collect()].concat();
    let mut consist = Consist { train: None, cars: vec![entry("NS 1", 22.0), entry("NS 2", 22.0)] };
    consist.cars.extend(lengths().iter().map(|&m| entry("UP 1", m)));
    let found = align(&cars, &consist, true);
    assert_eq!(found[0].entries, [0, 1]);
    assert_eq!(found[4].entries, [5]);
    let mut platforms = entry("DTTX 1", 48.0);
    platforms.platforms = Some(3);
    let consist = Consist { train: None, cars: vec![entry("UP 1", 17.0), platforms, entry("UP 2", 27.0)] };
    let found = align(&[car(17.0, 4), car(16.0, 2), car(16.0, 2), car(16.0, 4), car(27.0, 4)], &consist, true);
    assert_eq!(found.iter().map(|identity| identity.entries.clone()).collect::<Vec<_>>(), [[0], [1], [1], [1], [2]]);
}

#[test]
fn while_the_train_passes_the_list_may_go_on() {
    let consist = Consist { train: None, cars: lengths().iter().map(|&m| entry("UP 1", m)).collect() };
    let cars: Vec<CarSegment> = lengths()[..3].iter().map(|&m| car(m, 4)).collect();
    let found = align(&cars, &consist, false);
    assert_eq!(found[2].entries, [2]);
    assert!(found[2].confidence > 0.9, "{found:?}");
}

#[test]
fn entries_behind_the_last_car_take_nobody_s_name() {
    let mut consist = Consist { train: None, cars: lengths().iter().map(|&m| entry("UP 1", m)).collect() };
    consist.cars.extend([entry("NS 1", 28.0), entry("NS 2", 28.0)]);
    let cars: Vec<CarSegment> = lengths().iter().map(|&m| car(m, 4)).collect();
    for (i, identity) in align(&cars, &consist, true).iter().enumerate() {
        assert_eq!(identity.entries, [i]);
        assert!(identity.confidence > 0.99, "{i}: {identity:?}");
    }
}

/// Half of a car is no shorter car: the list goes on where the scan ends.
#[test]
fn a_car_that_the_scan_cuts_off_is_the_next_in_the_list() {
    let consist = Consist { train: None, cars: [17.2, 18.0, 21.6, 9.0].into_iter().map(|m| entry("UP 1", m)).collect() };
    let mut half = car(9.0, 2);
    half.cut_off = true;
    let found = align(&[car(17.2, 4), car(18.0, 4), half], &consist, true);
    assert_eq!(found[2].entries, [2], "{found:?}");
}

#[test]
fn tags_of_other_equipment_and_repeated_reads_are_no_cars() {
    let line = |group: u8, initials: &str, number: u32, side: &str| format!("12:00:00,1,1,0,{group},{initials},{number},{side},172,4,1,0\n");
    let text = [
        line(19, "TILX", 1, "L"),
        line(19, "CSXT", 2, "L"),
        line(19, "TILX", 1, "R"),
        line(19, "CSXT", 2, "R"),
        line(27, "MSKU", 907_032, "L"),
        line(19, "NAHX", 3, "L"),
        line(14, "CSXE", 4, "L"),
    ];
    let text = text.concat();
    for text in [text.clone(), format!("\u{feff}{text}")] {
        let consist = Consist::parse(text.as_bytes()).unwrap();
        let marks: Vec<_> = consist.cars.iter().filter_map(ConsistCar::written_mark).collect();
        assert_eq!(marks, ["TILX 1", "CSXT 2", "NAHX 3"]);
    }
    let refused = Consist::parse(br#"{"cars":[{"mark":"UP 1\u001b[31m"}]}"#).unwrap_err();
    assert!(refused.message.contains("car 1"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_an_identity_or_an_error(text in "\\PC{0,80}", line in "[a-zA-Z0-9,\" ]{0,80}") {
        let _ = (ReportingMark::parse(&text), container(&text), is_uic(&text), tag_read(&text), tag_read(&line));
        let _ = (Consist::parse(text.as_bytes()), Consist::parse(line.as_bytes()));
    }

    #[test]
    fn probabilities_are_probabilities(cars in proptest::collection::vec((3.0..90.0_f64, 0..9_usize), 0..12), list in proptest::collection::vec(3.0..90.0_f64, 0..12), complete: bool) {
        let cars: Vec<CarSegment> = cars.into_iter().map(|(m, axles)| car(m, axles)).collect();
        let consist = Consist { train: None, cars: list.into_iter().map(|m| entry("UP 1", m)).collect() };
        for identity in align(&cars, &consist, complete) {
            prop_assert!((0.0..=1.0).contains(&identity.confidence));
            prop_assert!(identity.entries.iter().all(|&j| j < consist.cars.len()));
        }
    }
}
