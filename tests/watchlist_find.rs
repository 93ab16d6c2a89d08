//! What a search finds is what looking at every entry finds: on made-up posteriors, on edits, on changes by hand, and on posteriors of the
//! real reader over the dev crops beside the repository (and those of the JSON-lines file that `GARITA_READS` names, as `garita read --json` writes it).

#[path = "common/skip.rs"]
mod skip;

use std::sync::Arc;

use garita::eval::manifest;
use garita::eval::plates::look;
use garita::infer::Engine;
use garita::lane::detect::View;
use garita::models::{Models, Precision};
use garita::pipeline::LaneWorker;
use garita::posterior::{ALPHABET, Position, Posterior};
use garita::synth::watchlist::Maker;
use garita::watchlist::build::Builder;
use garita::watchlist::reads::{PlateSeen, each_read};
use garita::watchlist::{Entry, Finder, Jurisdiction, Key, List, Match, MatchClass, Mode, Query, ReaderModel, Snapshot, Subject, Watchlist, absent};
use jiff::Timestamp;
use proptest::prelude::*;

fn entry(text: &str, jurisdiction: &str, list: &str) -> Entry {
    Entry { text: text.into(), jurisdiction: Jurisdiction::of(jurisdiction).unwrap(), list: list.into(), ..Entry::default() }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Few different characters, some of them equivalent, so that texts meet.
fn text() -> impl Strategy<Value = String> {
    "[ABO08DQ1I]{1,8}"
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let one = (text(), 0usize..4, 0usize..3, 0i64..4, 0i64..4, any::<bool>()).prop_map(|(text, jurisdiction, list, from, until, absent)| Entry {
        valid_from: (from > 0).then(|| second(from)),
        valid_until: (until > 0).then(|| second(until + 2)),
        mode: if absent { Mode::AlertIfAbsent } else { Mode::AlertOnMatch },
        ..entry(&text, ["", "US-CA", "MX-BCN", "US"][jurisdiction], ["a", "b", "c"][list])
    });
    prop::collection::vec(one, 0..120)
}

fn lists() -> impl Strategy<Value = Vec<List>> {
    let one = (0.1f32..20.0, 0.0005f32..0.5, 1u8..3);
    prop::collection::vec(one, 3).prop_map(|settings| {
        let named = |((prior, threshold, edits), name): ((f32, f32, u8), &str)| List { name: name.into(), prior, threshold, edits, retention_days: None };
        settings.into_iter().zip(["a", "b", "c"]).map(named).collect()
    })
}

/// Posteriors between sure and hopeless, over the same few characters.
fn posterior() -> impl Strategy<Value = Posterior> {
    let position = (prop::collection::vec(0.0f32..1.0, 9), 1.0f32..12.0, 0.0f32..0.4).prop_map(|(weights, sharpness, absent)| {
        let mut characters = [1e-4f32; 36];
        for (weight, character) in weights.iter().zip(b"ABO08DQ1I") {
            characters[ALPHABET.iter().position(|other| other == character).unwrap()] = weight.powf(sharpness);
        }
        let sum: f32 = characters.iter().sum();
        Position { characters: characters.map(|weight| weight / sum), absent: absent * absent }
    });
    prop::collection::vec(position, 1..8).prop_map(|positions| {
        let mut posterior = Posterior::default();
        positions.into_iter().for_each(|position| assert!(posterior.push(position)));
        posterior
    })
}

fn check(snapshot: &Snapshot, query: &Query<'_>, model: ReaderModel) -> Vec<Match> {
    let (mut found, mut all) = (Vec::new(), Vec::new());
    let mut finder = Finder::new(model);
    finder.find(snapshot, query, &mut found);
    finder.find_by_looking_at_all(snapshot, query, &mut all);
    assert_eq!(found, all, "{query:?}");
    assert_eq!(finder.cut_short, 0);
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn finds_what_looking_at_every_entry_finds(
        entries in entries(), lists in lists(), posterior in posterior(), text in text(),
        jurisdiction in prop::option::of((0usize..4, 0.0f32..1.0)), at in 0i64..8, edits in prop::option::of(0u8..3), threshold in prop::option::of(0.001f32..0.2),
        missed in 0.0f32..0.05, doubled in 0.0f32..0.05,
    ) {
        let snapshot = Snapshot::of_entries(&entries, &lists).unwrap();
        let jurisdiction = jurisdiction.map(|(code, confidence)| (Jurisdiction::of(["US-CA", "MX-BCN", "US", "MX"][code]).unwrap(), confidence));
        let query = Query { posterior: &posterior, text: Key::of(&text).unwrap(), subject: Subject::Plate, jurisdiction, at: second(at), edits, threshold };
        check(&snapshot, &query, ReaderModel { missed, doubled, smear: 0.001, unknown: 0.5 });
    }

    #[test]
    fn changes_by_hand_are_as_if_built_in(entries in entries(), changes in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), text()), 1..12), posterior in posterior(), text in text()) {
        let watchlist = Watchlist::new(Snapshot::of_entries(&entries, &[]).unwrap());
        let mut after = entries;
        for (add, which, text) in changes {
            if add || after.is_empty() {
                let new = entry(&text, "US-CA", "a");
                watchlist.add(&new).unwrap();
                after.retain(|other| other.identity() != new.identity());
                after.push(new);
            } else {
                let old = after.remove(which.index(after.len()));
                after.retain(|other| other.identity() != old.identity());
                prop_assert!(watchlist.remove(&old).unwrap());
                prop_assert!(!watchlist.remove(&old).unwrap());
            }
        }
        let built = Snapshot::of_entries(&after, &[]).unwrap();
        let query = Query { edits: Some(1), ..Query::new(&posterior, Key::of(&text).unwrap(), None, second(3)) };
        let named = |snapshot: &Snapshot| {
            let mut found: Vec<_> = check(snapshot, &query, ReaderModel::default()).iter()
                .map(|found| (snapshot.entry(found.entry).unwrap(), found.class, found.edits, found.probability.to_bits())).collect();
            found.sort_by_key(|(entry, ..)| entry.identity());
            found
        };
        prop_assert_eq!(named(&watchlist.load()), named(&built));
        prop_assert_eq!(watchlist.load().len(), built.len());
    }
}

proptest! {
    // 48,000 texts each.
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn the_likelihood_of_all_texts_is_one(positions in 1usize..3, doubt in 0.01f32..0.9, absent in 0.0f32..0.5, missed in 0.0f32..0.2) {
        // Texts of up to 2·positions+1 characters are all there are; 36^3 of them for one position.
        let mut posterior = Posterior::certain(&"A1"[..positions], doubt).unwrap();
        posterior.positions_mut()[0].absent = absent;
        let likelihood = garita::watchlist::find::Likelihood::new(&posterior, &ReaderModel { missed, ..ReaderModel::default() });
        let mut sum = f64::from(likelihood.of(Key::default()));
        let mut texts = vec![String::new()];
        for _ in 0..3 {
            texts = texts.iter().flat_map(|text| ALPHABET.iter().map(move |character| format!("{text}{}", *character as char))).collect();
            sum += texts.iter().map(|text| f64::from(likelihood.of(Key::of(text).unwrap()))).sum::<f64>();
        }
        if positions == 1 {
            prop_assert!((sum - 1.0).abs() < 1e-3, "{}", sum);
        } else {
            prop_assert!(sum <= 1.001, "{}", sum);
        }
    }
}

#[test]
fn classes_are_those_of_the_glossary() {
    let entries =
        [entry("7ABC123", "US-CA", "x"), entry("7ABC123", "MX-BCN", "x"), entry("7A8C123", "US-CA", "x"), entry("7ABC128", "", "x"), entry("7ABC12", "", "x")];
    let snapshot = Snapshot::of_entries(&entries, &[]).unwrap();
    let posterior = Posterior::certain("7ABC123", 0.05).unwrap();
    let california = Some((Jurisdiction::of("US-CA").unwrap(), 0.99));
    let query = Query { edits: Some(1), ..Query::new(&posterior, Key::of("7ABC123").unwrap(), california, second(0)) };
    let found = check(&snapshot, &query, ReaderModel::default());
    let mut classes: Vec<_> = found.iter().map(|found| (snapshot.entry(found.entry).unwrap().identity(), found.class, found.edits)).collect();
    classes.sort();
    let expected = [
        ("x/-/7ABC12", MatchClass::Near, 1),
        ("x/-/7ABC128", MatchClass::Near, 1),
        ("x/MX-BCN/7ABC123", MatchClass::OtherJurisdiction, 0),
        ("x/US-CA/7A8C123", MatchClass::Equivalent, 0),
        ("x/US-CA/7ABC123", MatchClass::Exact, 0),
    ];
    assert_eq!(classes, expected.map(|(identity, class, edits)| (identity.to_owned(), class, edits)));
    assert!(found[0].class == MatchClass::Exact && found[0].probability > 0.6, "{found:?}");

    let unknown = check(&snapshot, &Query { jurisdiction: None, ..query }, ReaderModel::default());
    let exact: Vec<_> = unknown.iter().filter(|found| found.class == MatchClass::Exact).collect();
    assert_eq!(exact.len(), 2, "a read of unknown jurisdiction may be either");
    assert!(exact.iter().all(|other| other.probability < found[0].probability && other.probability > 0.2));
}

#[test]
fn expiry_is_honoured_to_the_second() {
    let mut sought = entry("7ABC123", "", "x");
    sought.valid_until = Some(second(1_000));
    let snapshot = Snapshot::of_entries(&[sought], &[]).unwrap();
    let posterior = Posterior::certain("7ABC123", 0.01).unwrap();
    let hits = |at| check(&snapshot, &Query::new(&posterior, Key::of("7ABC123").unwrap(), None, second(at)), ReaderModel::default()).len();
    assert_eq!([hits(999), hits(1_000)], [1, 0]);
}

#[test]
fn a_lane_of_the_enrolled_alerts_on_whom_it_does_not_know() {
    let sentri = Entry { mode: Mode::AlertIfAbsent, ..entry("7ABC123", "", "sentri") };
    let snapshot = Snapshot::of_entries(&[sentri], &[]).unwrap();
    let absence = |text: &str| {
        let posterior = Posterior::certain(text, 0.005).unwrap();
        absent(&check(&snapshot, &Query::new(&posterior, Key::of(text).unwrap(), None, second(0)), ReaderModel::default()))
    };
    assert!(absence("7ABC123") < 0.15 && absence("7ABC124") > 0.9 && absence("9ZZZ999") == 1.0);
}

#[test]
fn what_was_added_by_hand_is_visible_within_50_ms() {
    let mut builder = Builder::in_memory(&[]);
    for number in 0..50_000 {
        builder.add(&entry(&format!("B{number:06}"), "US-CA", "base")).unwrap();
    }
    let watchlist = Watchlist::new(Snapshot::new(Arc::new(builder.into_index(second(0)).unwrap())));
    for number in 0..1_000 {
        watchlist.add(&entry(&format!("A{number:06}"), "US-CA", "hand")).unwrap();
    }
    let begin = std::time::Instant::now();
    watchlist.add(&entry("NEW1", "US-CA", "hand")).unwrap();
    let posterior = Posterior::certain("NEW1", 0.01).unwrap();
    let mut found = Vec::new();
    Finder::default().find(&watchlist.load(), &Query::new(&posterior, Key::of("NEW1").unwrap(), None, second(0)), &mut found);
    assert_eq!(found.len(), 1);
    assert!(begin.elapsed().as_millis() < 50, "{:?}", begin.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn two_edits_are_complete_where_a_list_turns_them_on(texts in prop::collection::vec("[AB0]{1,7}", 1..60), text in "[AB0]{1,7}") {
        let lists = [List { name: "far".into(), edits: 2, ..List::default() }];
        let entries: Vec<Entry> = texts.iter().map(|text| entry(text, "", "far")).collect();
        let snapshot = Snapshot::of_entries(&entries, &lists).unwrap();
        let posterior = Posterior::certain(&text, 0.01).unwrap();
        let query = Query { edits: Some(2), threshold: Some(2.0), ..Query::new(&posterior, Key::of(&text).unwrap(), None, second(0)) };
        check(&snapshot, &query, ReaderModel::default());
    }
}

/// What the built-in reader sees of the labelled dev crops beside the repository, and the reads of the file that `GARITA_READS` names, if it does.
fn reads_of_the_reader() -> Vec<PlateSeen> {
    let mut reads = Vec::new();
    if let Some(path) = std::env::var_os("GARITA_READS") {
        let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
        each_read(file, |read| {
            reads.push(read);
            Ok(())
        })
        .unwrap();
    }
    let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/plates/texts.jsonl");
    if !manifest.exists() {
        skip::untried("posteriors of the real reader; ../shared/data is not there");
        return reads;
    }
    let mut worker = LaneWorker::open(&Engine::load().unwrap(), &Models::embedded(Precision::of_this_machine())).unwrap();
    for (index, sample) in manifest::read(&manifest, Some("dev")).unwrap().iter().enumerate() {
        for read in look(&mut worker, index, sample, View::Whole).truths.into_iter().filter_map(|(_, read)| read) {
            let Some(text) = Key::of(&read.text.to_string()).filter(|text| !text.is_empty()) else { continue };
            let jurisdiction = read.jurisdiction.and_then(|one| Some((Jurisdiction::of(one.code.as_str())?, one.confidence)));
            let image = sample.name.clone();
            reads.push(PlateSeen { image, captured_at: None, posterior: read.posterior, text, jurisdiction, truth: None, issued_by: None });
        }
    }
    assert!(reads.len() > 500, "{} of the dev crops were read", reads.len());
    reads
}

/// On what the real reader saw; on made-up reads alone where the photographs are not there.
#[test]
fn posteriors_of_a_reader_find_what_looking_at_every_entry_finds() {
    let mut maker = Maker::new(5);
    let mut reads = reads_of_the_reader();
    println!("{} plates of the reader", reads.len());
    for _ in 0..200 {
        let (text, jurisdiction) = maker.plate();
        let seen = maker.see(&text, jurisdiction);
        let jurisdiction = seen.jurisdiction.map(|(code, confidence)| (Jurisdiction::of(code).unwrap(), confidence));
        reads.push(PlateSeen {
            image: String::new(),
            captured_at: None,
            posterior: seen.posterior,
            text: seen.text,
            jurisdiction,
            truth: None,
            issued_by: None,
        });
    }
    // Each read's text and three misreads of it, among 5,000 other plates.
    let mut sought: Vec<Entry> = (0..5_000).map(|_| entry(&maker.plate().0, "", "a")).collect();
    for PlateSeen { text, .. } in &reads {
        sought.push(entry(&text.to_string(), "US-CA", "b"));
        for edits in [1, 1, 2] {
            let other = maker.misread(&text.to_string(), edits);
            if !other.is_empty() {
                sought.push(entry(&other, "MX-BCN", "c"));
            }
        }
    }
    let snapshot = Snapshot::of_entries(&sought, &[]).unwrap();
    let mut found = 0;
    for PlateSeen { posterior, text, jurisdiction, .. } in &reads {
        for threshold in [0.1, 0.001, 0.0001] {
            let query = Query { threshold: Some(threshold), ..Query::new(posterior, *text, *jurisdiction, second(0)) };
            found += check(&snapshot, &query, ReaderModel::default()).len();
        }
    }
    assert!(found > reads.len());
}
