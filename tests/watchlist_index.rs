//! The index file: the same whatever the memory it was built in, refused when it is not whole, and never a panic or a read out of bounds
//! when it is damaged in a way that opening does not see.

use garita::bytes::Bytes;
use garita::error::Fault;
use garita::posterior::Posterior;
use garita::synth::watchlist::Maker;
use garita::watchlist::build::Builder;
use garita::watchlist::{Entry, Finder, Index, Jurisdiction, Key, List, Query, Snapshot, open_index};
use jiff::Timestamp;
use proptest::prelude::*;
use std::sync::Arc;

fn entries(count: usize) -> Vec<Entry> {
    let mut maker = Maker::new(9);
    let entry = |number: usize| {
        let (text, jurisdiction) = maker.plate();
        Entry {
            text,
            jurisdiction: Jurisdiction::of(jurisdiction).unwrap(),
            list: ["a", "b"][number % 2].into(),
            reason: format!("case {number}"),
            ..Entry::default()
        }
    };
    (0..count).map(entry).collect()
}

fn lists() -> [List; 1] {
    [List { name: "b".into(), edits: 2, ..List::default() }]
}

fn small() -> Vec<u8> {
    let mut builder = Builder::in_memory(&lists());
    entries(60).iter().for_each(|entry| builder.add(entry).unwrap());
    builder.finish(Timestamp::UNIX_EPOCH).unwrap().1.into_inner()
}

#[path = "../fuzz/bodies/watchlist.rs"]
mod bodies;

#[test]
fn an_index_does_not_depend_on_the_memory_it_was_built_in() {
    let folder = tempfile::tempdir().unwrap();
    let entries = entries(60_000);
    let build = |name: &str, memory: u64| {
        let path = folder.path().join(name);
        let mut builder = Builder::create(&path, &lists(), memory).unwrap();
        for (number, entry) in entries.iter().enumerate() {
            builder.add(entry).unwrap();
            if number % 7 == 0 {
                builder.remove(&entries[number / 2]).unwrap();
            }
        }
        let (built, _) = builder.finish(Timestamp::UNIX_EPOCH).unwrap();
        open_index(&path).unwrap().verify().unwrap();
        (built, std::fs::read(&path).unwrap())
    };
    // 1 MiB holds 16,384 rows: four runs and many passes.
    let (large, small) = (build("large", 1 << 30), build("small", 1));
    assert_eq!(large.0, small.0);
    assert!(large.1 == small.1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no run is left behind");
    open_index(&folder.path().join("small")).unwrap().verify_entries(|| ()).unwrap();
}

#[test]
fn what_is_not_a_whole_index_is_refused_with_a_reason() {
    let whole = small();
    assert!(Index::open(Bytes::from(whole.clone())).unwrap().verify().is_ok());
    let refused = |bytes: Vec<u8>, fault: Fault, says: &str| {
        let error = Index::open(Bytes::from(bytes)).and_then(|index| index.verify()).unwrap_err();
        assert!(error.fault == fault && error.message.contains(says), "{error:?}");
    };
    refused(b"plate,list\nABC1,a\n".to_vec(), Fault::Damaged, "not a garita watchlist index");
    refused(whole[..200].to_vec(), Fault::Damaged, "cut off");
    refused(whole[..whole.len() - 1].to_vec(), Fault::Damaged, "cut off or still being copied");
    refused([&whole[..], b"x"].concat(), Fault::Damaged, "bytes where its header says");
    let changed = |at: usize, to: u8| {
        let mut bytes = whole.clone();
        bytes[at] = to;
        bytes
    };
    refused(changed(8, 99), Fault::Unsupported, "format 99");
    refused(changed(40, !whole[40]), Fault::Damaged, "header");
    refused(changed(whole.len() / 2, !whole[whole.len() / 2]), Fault::Damaged, "checksum does not hold");
    for length in 0..whole.len().min(700) {
        assert!(Index::open(Bytes::from(whole[..length].to_vec())).is_err());
    }
}

#[test]
fn any_flipped_byte_is_found_and_none_leads_astray() {
    let whole = small();
    for at in (0..whole.len()).step_by(1 + whole.len() / 3000) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        let Ok(index) = Index::open(Bytes::from(bytes)) else { continue };
        // Bytes between sections belong to none.
        let covered = index.verify().is_err();
        bodies::search(index);
        assert!(covered || whole[at] == 0, "byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn rubbish_in_sections_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..400)) {
        let mut bytes = small();
        let length = bytes.len();
        for (at, to) in changes {
            bytes[32 + at.index(length - 32)] = to;
        }
        bodies::index(&bytes);
    }
}

#[test]
fn searches_while_lists_are_swapped_see_one_list_or_the_other() {
    use garita::watchlist::Watchlist;
    use std::sync::atomic::{AtomicBool, Ordering};
    let index = |text: &str| {
        let mut builder = Builder::in_memory(&[]);
        for list in 0..40 {
            builder.add(&Entry { text: text.into(), list: format!("list {list}"), ..Entry::default() }).unwrap();
        }
        Arc::new(builder.into_index(Timestamp::UNIX_EPOCH).unwrap())
    };
    let (one, other) = (index("AAA1111"), index("BBB2222"));
    let watchlist = Watchlist::new(Snapshot::new(Arc::clone(&one)));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0..2_000 {
                watchlist.replace(Arc::clone(if turn % 2 == 0 { &other } else { &one }));
            }
            stop.store(true, Ordering::Release);
        });
        let (mut finder, mut matches) = (Finder::default(), Vec::new());
        while !stop.load(Ordering::Acquire) {
            let snapshot = watchlist.load();
            let mut counts = [0, 0];
            for (count, text) in counts.iter_mut().zip(["AAA1111", "BBB2222"]) {
                let posterior = Posterior::certain(text, 0.01).unwrap();
                finder.find(&snapshot, &Query::new(&posterior, Key::of(text).unwrap(), None, Timestamp::UNIX_EPOCH), &mut matches);
                *count = matches.len();
                matches.iter().for_each(|found| assert_eq!(snapshot.entry(found.entry).unwrap().text, text));
            }
            assert!(counts == [40, 0] || counts == [0, 40], "{counts:?}");
        }
    });
}
