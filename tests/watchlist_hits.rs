//! What entries of one text have of its probability, and how a hit is called whose jurisdiction is another: by the search, and by the matcher of the lanes.

use garita::lane::hit::{Hit, Matcher};
use garita::lane::read;
use garita::posterior::{Posterior, Text};
use garita::watchlist::{Entry, Finder, Jurisdiction, Key, List, Match, MatchClass, Query, Snapshot};
use jiff::Timestamp;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
/// Of two countries subdivisions and the whole, of two others one each, and none stated.
const PLACES: [&str; 9] = ["", "US", "US-CA", "US-TX", "MX", "MX-BCN", "MX-SON", "CA-ON", "GB"];

fn place(code: &str) -> Jurisdiction {
    Jurisdiction::of(code).unwrap()
}

fn entry(text: &str, jurisdiction: &str, list: &str) -> Entry {
    Entry { text: text.into(), jurisdiction: place(jurisdiction), list: list.into(), ..Entry::default() }
}

fn found(snapshot: &Snapshot, query: &Query<'_>) -> Vec<Match> {
    let (mut found, mut all) = (Vec::new(), Vec::new());
    let mut finder = Finder::default();
    finder.find(snapshot, query, &mut found);
    finder.find_by_looking_at_all(snapshot, query, &mut all);
    assert_eq!(found, all);
    found
}

/// The most that entries come to which exclude each other, `with` among them: by trying every set of jurisdictions.
fn together(entries: &[&Match], with: Jurisdiction) -> f32 {
    let mut places: Vec<(Jurisdiction, f32)> = Vec::new();
    for found in entries {
        match places.iter_mut().find(|(place, _)| *place == found.jurisdiction) {
            Some((_, most)) => *most = most.max(found.alone),
            None => places.push((found.jurisdiction, found.alone)),
        }
    }
    let sets = (0..1u32 << places.len()).map(|set| places.iter().enumerate().filter(move |(at, _)| set >> at & 1 == 1).map(|(_, place)| *place));
    let sets = sets.map(Iterator::collect::<Vec<_>>).filter(|set| set.iter().any(|(place, _)| *place == with));
    let exclusive = |set: &Vec<(Jurisdiction, f32)>| set.iter().enumerate().all(|(at, one)| set[..at].iter().all(|other| !one.0.agrees(other.0)));
    sets.filter(exclusive).map(|set| set.iter().map(|(_, alone)| alone).sum::<f32>()).fold(0.0, f32::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn entries_that_exclude_each_other_are_no_more_probable_than_their_text(
        entries in prop::collection::vec(("7ABC12[38]", 0..PLACES.len(), 0usize..2), 1..24), by_hand in 0usize..4, doubt in 0.0f32..0.2,
        priors in (0.2f32..20.0, 0.2f32..20.0), read in prop::option::of((0..PLACES.len(), 0.0f32..1.0)),
    ) {
        let lists = [("a", priors.0), ("b", priors.1)].map(|(name, prior)| List { name: name.into(), prior, ..List::default() });
        let mut entries: Vec<Entry> = entries.into_iter().map(|(text, at, list)| entry(&text, PLACES[at], ["a", "b"][list])).collect();
        entries.sort_by_key(Entry::identity);
        entries.dedup_by_key(|entry| entry.identity());
        let (later, built) = entries.split_at(by_hand.min(entries.len()));
        let snapshot = Snapshot::of_entries(built, &lists).unwrap().with(later).unwrap();
        let posterior = Posterior::certain("7ABC123", doubt).unwrap();
        let jurisdiction = read.map(|(at, confidence)| (place(PLACES[at]), confidence));
        let query = Query { edits: Some(1), ..Query::new(&posterior, Key::of("7ABC123").unwrap(), jurisdiction, NOW) };
        let found = found(&snapshot, &query);
        prop_assert_eq!(found.len(), entries.len());
        for one in &found {
            let same: Vec<&Match> = found.iter().filter(|other| other.text == one.text).collect();
            let of_text = same.iter().map(|found| found.of_text).fold(0.0, f32::max);
            let share = if one.jurisdiction.is_any() { 1.0 } else { (of_text / together(&same, one.jurisdiction)).min(1.0) };
            prop_assert!((one.probability - one.alone * share).abs() <= 1e-5 * one.alone, "{:?}: {}", one, share);
            prop_assert!(one.alone <= one.of_text);
            // Told as they are, they come to no more than the text, whichever of them are taken.
            let told: Vec<Match> = same.iter().map(|found| Match { alone: found.probability, ..**found }).collect();
            if !one.jurisdiction.is_any() {
                prop_assert!(together(&told.iter().collect::<Vec<_>>(), one.jurisdiction) <= of_text * 1.0001);
            }
        }
    }
}

/// One text in five jurisdictions, of which the United States hold two.
fn of_five() -> Vec<Entry> {
    ["US-TX", "MX-BCN", "US-CA", "US", "CA-ON"].map(|code| entry("XPX802H", code, "wanted")).to_vec()
}

#[test]
fn a_read_of_unknown_jurisdiction_is_not_of_all_of_them_at_once() {
    let snapshot = Snapshot::of_entries(&of_five(), &[]).unwrap();
    let posterior = Posterior::certain("XPX802H", 0.01).unwrap();
    let found = found(&snapshot, &Query::new(&posterior, Key::of("XPX802H").unwrap(), None, NOW));
    let of = |code: &str| found.iter().find(|found| found.jurisdiction == place(code)).unwrap();
    let of_text = of("US").of_text;
    let sum: f32 = ["US-TX", "US-CA", "MX-BCN", "CA-ON"].map(|code| of(code).probability).iter().sum();
    assert!((0.8..1.0).contains(&of_text) && (sum / of_text - 1.0).abs() < 1e-4, "{sum} of {of_text}");
    // The United States exclude two of them only, and each by itself is as probable as ever.
    assert!((of("US").probability - of_text / 3.0).abs() < 1e-3 && (of("US-TX").probability - of_text / 4.0).abs() < 1e-3, "{found:?}");
    assert!(found.iter().all(|found| (found.alone - of_text / 2.0).abs() < 1e-3), "{found:?}");
}

/// What the lanes' matcher says of `text`, asked of each list in turn.
fn hits(lists: &[&[Entry]], text: &str, jurisdiction: Option<(&str, f32)>) -> Vec<Hit> {
    let (mut matcher, mut hits) = (Matcher::default(), Vec::new());
    let posterior = Posterior::certain(text, 0.01).unwrap();
    let jurisdiction = jurisdiction.map(|(code, confidence)| read::Jurisdiction { code: read::Code::of(code).unwrap(), confidence });
    // Of another read first: the matcher is kept from read to read.
    for _ in 0..2 {
        hits.clear();
        for list in lists {
            let snapshot = Snapshot::of_entries(list, &[]).unwrap();
            matcher.hits(&snapshot, (&Text::of(text).unwrap(), &posterior), jurisdiction, 0, &mut hits).unwrap();
        }
    }
    hits
}

#[test]
fn several_watchlists_share_as_one_does() {
    let entries = of_five();
    let told = |lists: &[&[Entry]]| {
        let hits = hits(lists, "XPX802H", None);
        let mut told: Vec<(String, f32)> = hits.iter().map(|hit| (hit.entry.identity(), hit.probability)).collect();
        told.sort_by(|one, other| one.0.cmp(&other.0));
        told
    };
    let one = told(&[&entries]);
    assert_eq!(one.len(), 5);
    assert_eq!(told(&[&entries[..2], &entries[2..3], &entries[3..]]), one);
}

#[test]
fn another_jurisdiction_is_said_of_the_same_characters_only() {
    let sought = [entry("XPX802H", "MX-TAM", "same"), entry("XPX8O2H", "MX-TAM", "equivalent"), entry("XPX803H", "MX-TAM", "near")];
    let classes = |jurisdiction| {
        let mut hits = hits(&[&sought], "XPX802H", jurisdiction);
        hits.sort_by_key(|hit| std::cmp::Reverse(hit.entry.list.clone()));
        hits.into_iter().map(|hit| (hit.entry.list, hit.class, hit.probability)).collect::<Vec<_>>()
    };
    let elsewhere = classes(Some(("US-TX", 0.95)));
    let expected = [("same", MatchClass::OtherJurisdiction), ("near", MatchClass::Near), ("equivalent", MatchClass::Equivalent)];
    assert_eq!(elsewhere.iter().map(|(list, class, _)| (list.as_str(), *class)).collect::<Vec<_>>(), expected);
    // Less sure than 0.8, and not at all: the same text is an exact hit.
    for jurisdiction in [Some(("US-TX", 0.79)), None] {
        let unsure = classes(jurisdiction);
        assert_eq!(unsure[0].1, MatchClass::Exact, "{jurisdiction:?}");
        // All of them fall with what is known of the jurisdiction.
        assert!(unsure.iter().zip(&elsewhere).all(|(unsure, sure)| sure.2 < 0.3 * unsure.2), "{unsure:?} {elsewhere:?}");
    }
}
