//! Searches over a store of a thousand passages find what looking at each finds, page by page.

use std::collections::BTreeMap;
use std::time::Duration;

use garita::custody::Custody;
use garita::custody::search::{Meant, Search, automaton};
use garita::watchlist::entry::Jurisdiction;
use garita::watchlist::text::{Distance, Key};
use proptest::prelude::*;

use crate::store::{open, raw};

/// A passage as a search sees it.
#[derive(Debug, Clone)]
struct Row {
    text: String,
    last_ms: i64,
    lane: &'static str,
    jurisdiction: Option<&'static str>,
    list: Option<&'static str>,
}

const ROWS: usize = 1_000;

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = ("[AB81C]{1,6}", 0i64..200, 0..3usize, 0..4usize, 0..8usize).prop_map(|(text, last_ms, lane, jurisdiction, list)| Row {
        text,
        last_ms,
        lane: ["a", "b", "c"][lane],
        jurisdiction: [None, Some("US-CA"), Some("US-AZ"), Some("MX-SON")][jurisdiction],
        list: [Some("one"), Some("two"), None, None, None, None, None, None][list],
    });
    prop::collection::vec(row, ROWS)
}

/// A store with these passages, and what of them searches need.
fn store(folder: &std::path::Path, rows: &[Row]) -> Custody {
    let custody = open(folder);
    let mut connection = raw(folder);
    connection.pragma_update(None, "foreign_keys", false).expect("set");
    let transaction = connection.transaction().expect("begins");
    for (number, row) in (1i64..).zip(rows) {
        transaction
            .execute(
                "INSERT INTO passage (id, lane, track, text, confidence, jurisdiction, reads, first_ms, last_ms, sequence, best, seen, sought, stored_ms)
                 VALUES (?1, ?2, ?1, ?3, 0.9, ?4, 3, ?5, ?5, ?1, '{}', '[]', 0, ?5)",
                rusqlite::params![number, row.lane, row.text, row.jurisdiction, row.last_ms],
            )
            .expect("inserted");
        let hit = "INSERT INTO hit (lane, track, passage, state, sequence, list, text, jurisdiction, class, edits, probability, priority, entry, received_ms, stored_ms)
                   VALUES (?1, ?2, ?2, 'confirmed', 0, ?3, ?4, '', 'exact', 0, 1, 0, '{}', 0, 0)";
        for text in row.list.map(|_| ["x", "y"]).into_iter().flatten() {
            transaction.execute(hit, rusqlite::params![row.lane, number, row.list, text]).expect("inserted");
        }
    }
    transaction.commit().expect("committed");
    custody
}

/// Whether a text is what is sought, by looking at it.
fn means(written: &str, meant: Meant, edits: u8, text: &str) -> bool {
    match meant {
        Meant::Exact => text == written,
        Meant::Prefix => text.starts_with(written),
        Meant::Near => Distance::from(Key::of(written).expect("a key")).to(Key::of(text).expect("a key")) <= edits,
        Meant::Pattern => like(written.as_bytes(), text.as_bytes()),
    }
}

fn like(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|at| like(rest, &text[at..])),
        Some((b'?', rest)) => !text.is_empty() && like(rest, &text[1..]),
        Some((character, rest)) => text.first() == Some(character) && like(rest, &text[1..]),
    }
}

/// Every page of a search.
fn all(custody: &Custody, search: &Search) -> Vec<i64> {
    let (mut search, mut found) = (search.clone(), Vec::new());
    loop {
        let page = custody.ask(|connection| search.run(connection)).expect("it searches");
        assert!(!page.cut && page.matches.len() <= search.limit, "{page:?}");
        found.extend(page.matches.iter().map(|one| one.passage));
        match page.next {
            Some(next) => search.before = Some(next),
            None => return found,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn it_finds_what_looking_at_each_passage_finds(rows in rows(), written in prop::collection::vec("[AB81C?*]{1,5}", 12), limit in 1usize..60) {
        let folder = tempfile::tempdir().expect("a folder");
        let custody = store(folder.path(), &rows);
        for (number, written) in written.iter().enumerate() {
            let plain: String = written.chars().map(|character| if matches!(character, '?' | '*') { 'A' } else { character }).collect();
            for (meant, edits, text) in [(Meant::Exact, 0, &plain), (Meant::Prefix, 0, &plain), (Meant::Near, 1, &plain), (Meant::Near, 2, &plain), (Meant::Pattern, 0, written)] {
                let Ok(sought) = automaton(text, meant, edits) else { continue };
                let mut search = Search { text: Some(sought), ..Search::all(limit) };
                // Each narrowed down in another way.
                match number % 4 {
                    1 => (search.from_ms, search.until_ms) = (Some(50), Some(150)),
                    2 => search.lanes = vec!["a".to_owned(), "c".to_owned()],
                    3 => search.jurisdiction = Jurisdiction::of("US"),
                    _ => search.list = (number == 4).then(|| "one".to_owned()),
                }
                let wanted: BTreeMap<_, _> = (1i64..).zip(&rows).filter(|(_, row)| {
                    means(text, meant, edits, &row.text)
                        && search.from_ms.is_none_or(|from| row.last_ms >= from) && search.until_ms.is_none_or(|until| row.last_ms < until)
                        && (search.lanes.is_empty() || search.lanes.iter().any(|lane| lane == row.lane))
                        && (search.jurisdiction.is_none() || row.jurisdiction.is_some_and(|code| code.starts_with("US")))
                        && (search.list.is_none() || row.list == search.list.as_deref())
                }).map(|(id, row)| ((if search.list.is_some() { 0 } else { row.last_ms }, id), id)).collect();
                let wanted: Vec<i64> = wanted.into_values().rev().collect();
                prop_assert_eq!(all(&custody, &search), wanted, "{:?} {}", meant, text);
            }
        }
    }
}

#[test]
fn a_search_that_takes_too_long_says_so_and_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = |number: usize| Row { text: format!("A{number:05}"), last_ms: number as i64, lane: "a", jurisdiction: None, list: None };
    let custody = store(folder.path(), &(0..2_000).map(row).collect::<Vec<_>>());
    let mut search = Search { text: Some(automaton("*9*", Meant::Pattern, 0).expect("a pattern")), patience: Duration::ZERO, ..Search::all(500) };
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = custody.ask(|connection| search.run(connection)).expect("it searches");
        assert!(page.cut == page.next.is_some(), "{page:?}");
        found.extend(page.matches.iter().map(|one| one.passage));
        pages += 1;
        match page.next {
            Some(next) => search.before = Some(next),
            None => break,
        }
    }
    let wanted: Vec<i64> = (0..2_000).rev().filter(|number| format!("{number:05}").contains('9')).map(|number| number + 1).collect();
    assert!(pages > 10 && found == wanted, "{pages} pages, {} found", found.len());
}
