//! Reads that cameras made themselves: what they send, and how it compares with ours.

use std::path::PathBuf;

use garita::error::Fault;
use garita::lane::opinion::{Difference, Opinion, alike, compare};
use garita::service::edge::{Direction, EdgeRead, View};
use proptest::prelude::*;

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/edge").join(name)).expect("a sample")
}

const JPEG: &[u8] = b"\xFF\xD8 wide \xFF\xD9";
const FORM: &str = "multipart/form-data; boundary=----------------------------of-a-camera";

/// A form as Hikvision cameras send it.
fn form(event: &[u8], last: &str) -> Vec<u8> {
    let part = |head: &str, body: &[u8]| {
        let head = format!("------------------------------of-a-camera\r\nContent-Disposition: form-data; {head}\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body, b"\r\n"].concat()
    };
    [
        part("name=\"licensePlatePicture.jpg\"; filename=\"licensePlatePicture.jpg\"", b"\xFF\xD8 narrow \xFF\xD9"),
        part("name=\"anpr.xml\"; filename=\"anpr.xml\"", event),
        part("name=\"detectionPicture.jpg\"; filename=\"detectionPicture.jpg\"", JPEG),
        last.as_bytes().to_vec(),
    ]
    .concat()
}

#[test]
fn axis_reads() {
    let read = EdgeRead::parse("application/json", &sample("axis-new.json")).expect("a read");
    assert_eq!((read.text.as_str(), read.confidence, read.jurisdiction.to_string().as_str()), ("076CHZ", Some(0.8634), "US"));
    assert_eq!((read.captured_ms, read.direction), (Some(1_767_268_800_250), Some(Direction::Approaching)));
    let picture = read.picture.expect("a picture");
    assert_eq!((picture.view, &picture.bytes[..4]), (View::Vehicle, &b"\xFF\xD8\xFF\xE0"[..]));
    let read = EdgeRead::parse("application/json", &sample("axis-older.json")).expect("a read");
    assert_eq!((read.text.as_str(), read.confidence, read.jurisdiction.to_string().as_str()), ("XPX-802-H", Some(0.955), "MX"));
    assert_eq!((read.captured_ms, read.direction, read.picture), (Some(1_767_268_800_250), None, None));
}

#[test]
fn hikvision_reads() {
    for (event, text, jurisdiction) in [("hikvision.xml", "YSV9677", "MX"), ("hikvision-prefixed.xml", "FK5387T", "")] {
        let read = EdgeRead::parse("application/xml", &sample(event)).expect("a read");
        assert_eq!((read.text.as_str(), read.confidence, read.jurisdiction.to_string().as_str()), (text, Some(0.97), jurisdiction), "{event}");
        assert_eq!((read.captured_ms, read.direction, &read.picture), (Some(1_767_268_800_000), Some(Direction::Leaving), &None), "{event}");
        for last in ["------------------------------of-a-camera--\r\n", ""] {
            let whole = EdgeRead::parse(FORM, &form(&sample(event), last)).expect("a read");
            let picture = whole.picture.clone().expect("a picture");
            assert_eq!((picture.view, &picture.bytes[..]), (View::Whole, JPEG), "{event}");
            assert_eq!(EdgeRead { picture: None, ..whole }, read, "{event}");
        }
    }
}

#[test]
fn what_is_no_read_says_so() {
    let entities = br#"<!DOCTYPE a [<!ENTITY x "y">]><EventNotificationAlert><ANPR><licensePlate>&x;</licensePlate></ANPR></EventNotificationAlert>"#;
    let deep = "<a>".repeat(100);
    let long = format!(r#"{{"plateText":"{}"}}"#, "A".repeat(33));
    for (body, fault, want) in [
        (&sample("hikvision-motion.xml")[..], Fault::Unsupported, "event type \"VMD\""),
        (entities, Fault::Unsupported, "document type"),
        (&entities[30..], Fault::Damaged, "&x; is not declared"),
        (b"<EventNotificationAlert><ANPR>", Fault::Damaged, "ends inside <EventNotificationAlert><ANPR>"),
        (deep.as_bytes(), Fault::Limit, "inside one another"),
        (br#"{"carState":"new"}"#, Fault::Unsupported, "neither plateUTF8 nor plateText"),
        (br#"{"plateText":"----"}"#, Fault::Damaged, "is no plate"),
        (long.as_bytes(), Fault::Limit, "more than 32 characters"),
        (b"{", Fault::Damaged, "is no JSON"),
        (b"plate=ABC", Fault::Damaged, "neither JSON nor XML"),
    ] {
        let error = EdgeRead::parse("", body).expect_err("no read");
        assert_eq!(error.fault, fault, "{error}");
        assert!(error.message.contains(want), "{error}");
    }
    assert!(EdgeRead::parse(FORM, &form(b"nothing", "")).expect_err("no event").message.contains("no part of the form"));
}

#[test]
fn a_second_opinion_says_where() {
    let differ = |at: usize, ours: Option<char>, theirs: Option<char>| Opinion::Differ { at: vec![Difference { at, ours, theirs }] };
    for (theirs, ours, want) in [
        ("abc-123", "ABC123", Opinion::Agree),
        ("ABC128", "ABC123", differ(5, Some('3'), Some('8'))),
        ("AC123", "ABC123", differ(1, Some('B'), None)),
        ("ABC1231", "ABC123", differ(6, None, Some('1'))),
        ("ABC123", "", Opinion::OnlyTheirs),
        ("", "ABC123", Opinion::OnlyOurs),
        ("-", " ", Opinion::Neither),
    ] {
        assert_eq!(compare(theirs, ours), want, "{theirs} {ours}");
    }
}

#[test]
fn only_what_is_alike_is_one_vehicle() {
    for (theirs, ours, want) in
        [("ABC123", "ABC123", true), ("ABC128", "A8C123", true), ("MAX10KM", "ABC123", false), ("ABC123", "", false), ("AB", "AC", true)]
    {
        assert_eq!(alike(theirs, ours), want, "{theirs} {ours}");
    }
}

proptest! {
    #[test]
    fn differences_make_ours_into_theirs(ours in "[A-C0-1]{1,9}", theirs in "[A-C0-1]{1,9}") {
        let at = match compare(&theirs, &ours) {
            Opinion::Agree => Vec::new(),
            Opinion::Differ { at } => at,
            other => panic!("{other:?}"),
        };
        let (mut made, mut next) = (String::new(), 0);
        for difference in &at {
            made.push_str(&ours[next..difference.at]);
            next = difference.at + usize::from(difference.ours.is_some());
            prop_assert_eq!(difference.ours, difference.ours.and(ours[difference.at..].chars().next()));
            made.extend(difference.theirs);
        }
        made.push_str(&ours[next..]);
        prop_assert_eq!(&made, &theirs);
        prop_assert!(at.len() <= ours.len().max(theirs.len()));
    }

    #[test]
    fn no_bytes_panic(flips in prop::collection::vec((0..4000usize, any::<u8>()), 0..20), which in 0..5usize, cut in 0..5000usize) {
        let mut body = [sample("axis-new.json"), sample("axis-older.json"), sample("hikvision.xml"), form(&sample("hikvision-prefixed.xml"), ""), Vec::new()][which].clone();
        for (at, byte) in flips {
            if let Some(own) = body.get_mut(at) {
                *own = byte;
            }
        }
        body.truncate(cut);
        if let Ok(read) = EdgeRead::parse(if which == 3 { FORM } else { "" }, &body) {
            prop_assert!(!read.text.is_empty() && read.text.chars().count() <= 32);
            prop_assert!(read.confidence.is_none_or(|confidence| (0.0..=1.0).contains(&confidence)));
        }
    }
}
