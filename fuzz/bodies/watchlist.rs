//! What the fuzz targets do with their bytes; `tests/` runs the same over whatever has been collected, without a fuzzer.
#![allow(dead_code)]

use std::sync::Arc;

use garita::bytes::Bytes;
use garita::posterior::Posterior;
use garita::watchlist::import::{Limits, read};
use garita::watchlist::mapping::PRESETS;
use garita::watchlist::{Finder, Index, Key, Mapping, Pattern, Query, Snapshot};
use jiff::Timestamp;

/// Opens any bytes as an index, with the header's checksum mended so that what lies behind it is reached, and searches it.
pub(crate) fn index(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    if let Some(header) = bytes.get(..320) {
        let mut header = header.to_vec();
        header[28..32].fill(0);
        bytes[28..32].copy_from_slice(&crc32fast::hash(&header).to_le_bytes());
    }
    if let Ok(index) = Index::open(Bytes::from(bytes)) {
        search(index);
    }
}

/// Searches in every way, for what a damaged file might lead astray.
pub(crate) fn search(index: Index) {
    let index = Arc::new(index);
    let snapshot = Snapshot::new(Arc::clone(&index));
    let (mut finder, mut matches, mut found) = (Finder::default(), Vec::new(), Vec::new());
    for text in ["7ABC123", "A", "ABC1234", "MAB123C", "0000000000000000"] {
        let Some((posterior, key)) = Posterior::certain(text, 0.2).zip(Key::of(text)) else { continue };
        let query = Query { edits: Some(2), threshold: Some(0.0001), ..Query::new(&posterior, key, None, Timestamp::UNIX_EPOCH) };
        finder.find(&snapshot, &query, &mut matches);
        for found in &matches {
            let _ = (snapshot.entry(found.entry), snapshot.list(found.entry));
        }
        let _ = snapshot.exact(query.text, query.at).count();
    }
    for pattern in ["7A*", "*123", "*B*1*", "?BC?2*"].iter().filter_map(|pattern| Pattern::parse(pattern).ok()) {
        let _ = snapshot.matching(&pattern, Timestamp::UNIX_EPOCH, 100, &mut found);
    }
    for entry in index.entries().take(5) {
        let _ = entry;
    }
    let _ = index.verify().and_then(|()| index.verify_entries(|| ()));
}

/// Reads any bytes as a list in every preset's layout.
pub(crate) fn import(bytes: &[u8]) {
    for (name, _) in PRESETS {
        let Ok(mapping) = Mapping::preset(name) else { continue };
        let _ = read(bytes, &mapping, Limits { bad_share: 1.0, empty: true }, Timestamp::UNIX_EPOCH, &mut |_, entry| {
            assert!(entry.key().is_ok(), "{entry:?}");
            Ok(())
        });
    }
}
