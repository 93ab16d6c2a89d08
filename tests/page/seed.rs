//! Stores with hits in them, as lanes would have made them, with pictures that a browser can decode.

use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use garita::bytes::Bytes;
use garita::custody::evidence::sha256;
use garita::custody::record::{FrameRecord, PassageRecord, Record, StoredRead};
use garita::custody::{Custody, Settings};
use garita::lane::detect::PlateBox;
use garita::lane::frame::Frame;
use garita::lane::hit::Hit;
use garita::lane::passage::Passage;
use garita::lane::read::{Code, Jurisdiction, PlateRead};
use garita::posterior::{Posterior, Text};
use garita::watchlist::entry::{self, Entry};
use garita::watchlist::find::MatchClass;

/// The lane of all of it.
pub(crate) const LANE: &str = "south-1";

/// Markup, scripts, an attribute's end, a right-to-left override, a zero-width space, and no end.
pub(crate) const HOSTILE: &str = "<img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>'\"`{read}${1}\u{202e}gnal\u{200b}\u{0007} &amp; ";

/// As much of it as a site file takes for a name.
const HOSTILE_NAME: &str = "<img src=x onerror=window.pwned=1>'\"`{n}${1}\u{202e}gnal &amp;";

/// A picture of `testdata/lane/img`.
fn image(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/lane/img").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One vehicle: what was read, where it stands in the picture, whom it meets.
pub(crate) struct Vehicle {
    pub(crate) read: String,
    pub(crate) jurisdiction: Option<&'static str>,
    pub(crate) hits: Vec<Hit>,
    pub(crate) pictures: Vec<&'static str>,
    pub(crate) corners: [[f32; 2]; 4],
}

/// A vehicle in one picture that meets one entry.
pub(crate) fn vehicle(read: &str, entry: Entry, class: MatchClass) -> Vehicle {
    let edits = u8::from(class == MatchClass::Near);
    Vehicle {
        read: read.to_owned(),
        jurisdiction: Some("US-KS"),
        hits: vec![Hit { entry, class, edits, probability: 0.93 }],
        pictures: vec!["single-0000.jpg"],
        corners: [[710.5, 456.8], [800.1, 454.6], [800.9, 499.3], [711.3, 501.6]],
    }
}

pub(crate) fn entry(text: &str, priority: u8) -> Entry {
    Entry {
        text: text.to_owned(),
        jurisdiction: entry::Jurisdiction::of("US-KS").expect("Kansas"),
        list: "stolen".to_owned(),
        category: "stolen vehicle".to_owned(),
        priority,
        reason: "made up for a test".to_owned(),
        filed_by: "desk 4".to_owned(),
        source: "test".to_owned(),
        source_version: "7".to_owned(),
        ..Entry::default()
    }
}

/// Puts vehicles into the store of `data`, one after the other, as having passed just now.
pub(crate) fn store(data: &Path, vehicles: Vec<Vehicle>) {
    let custody = Custody::open(data, Settings { free_bytes: 1 << 20, ..Settings::default() }).unwrap_or_else(|error| panic!("{error}"));
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let mut sequence = 0;
    for (track, vehicle) in vehicles.into_iter().enumerate() {
        let best = PlateRead {
            plate: PlateBox { corners: vehicle.corners, score: 0.9 },
            text: Text::of(&vehicle.read).expect("a short text"),
            posterior: Posterior::certain(&vehicle.read, 0.08).expect("a short text"),
            probability: 0.9,
            confidence: 0.91,
            looked_again: false,
            jurisdiction: vehicle.jurisdiction.map(|code| Jurisdiction { code: Code::of(code).expect("a code"), confidence: 0.6 }),
        };
        let mut evidence = None;
        for name in &vehicle.pictures {
            let encoded = Bytes::from(image(name));
            let captured_ms = now_ms - 60_000 + 500 * sequence as i64;
            let (done, kept) = channel();
            custody.put(Record::Frame(Box::new(FrameRecord {
                lane: LANE.to_owned(),
                sequence,
                key: sha256(&sequence.to_be_bytes()),
                digest: sha256(&encoded),
                sender_sequence: None,
                captured_ms,
                received_ms: now_ms,
                skipped: 0,
                encoded: encoded.clone(),
                error: None,
                reads: vec![(track as u64, StoredRead::of(&best))],
                done: Box::new(move |fate| drop(done.send(fate))),
            })));
            kept.recv().expect("told");
            evidence = Some(Frame { lane: 0, sequence, captured_ms, clock_ms: 0, skipped: 0, encoded });
            sequence += 1;
        }
        let evidence = evidence.expect("a picture");
        let seen_ms = (evidence.captured_ms, evidence.captured_ms);
        let passage = Passage {
            lane: 0,
            track: track as u64,
            text: best.text,
            posterior: best.posterior,
            confidence: best.confidence,
            jurisdiction: best.jurisdiction,
            reads: vehicle.pictures.len() as u32,
            best,
            evidence,
            seen_ms,
        };
        custody.put(Record::Passage(Box::new(PassageRecord { lane: LANE.to_owned(), passage, hits: vehicle.hits, now_ms, after_ms: Some(40) })));
    }
    custody.close();
}

/// Ten thousand further hits on the first vehicle of a store.
pub(crate) fn ten_thousand(data: &Path) {
    let custody = Custody::open(data, Settings { free_bytes: 1 << 20, ..Settings::default() }).unwrap_or_else(|error| panic!("{error}"));
    let many = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
                INSERT INTO hit (lane, track, passage, state, sequence, list, text, jurisdiction, class, edits, probability, priority, entry, received_ms, stored_ms)
                SELECT lane, track, passage, state, sequence, list, printf('T%06d', i), jurisdiction, class, edits, probability, i % 100, entry, received_ms, stored_ms
                FROM n, (SELECT * FROM hit LIMIT 1)";
    let fate = custody.change(move |transaction| transaction.execute_batch(many).map(|()| 0));
    assert_eq!(fate, garita::custody::record::Fate::Kept(0));
    custody.close();
}

/// A site's folder with a site file, and its data.
pub(crate) fn site(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).expect("makes");
    let list = "plate,jurisdiction,list,priority,reason,two_person\nXPX802H,MX-TAM,wanted,0,warrant,yes\n076CHZ,US-KS,stolen,5,stolen,\n";
    std::fs::write(folder.join("sought.csv"), list).expect("writes");
    let text = format!(
        "name = {}\ndata_dir = \"data\"\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[[lane]]\nid = \"{LANE}\"\nname = {}\ngap_ms = 500\n\
         [login]\nrequired = \"{}\"\n[[list]]\nname = \"sought\"\nfile = \"sought.csv\"\n[[portal]]\nid = \"bridge\"\ntwo_person = \"{}\"\n[limits]\nfree_bytes = \"24 MiB\"\n[log]\nformat = \"text\"\nlevel = \"warn\"\n",
        serde_json::to_string(if name == "hostile" { HOSTILE_NAME } else { "Test crossing" }).expect("plain"),
        serde_json::to_string(if name == "hostile" { HOSTILE_NAME } else { "Southbound 1" }).expect("plain"),
        if matches!(name, "people" | "managers" | "login" | "officers") { "yes" } else { "no" },
        if name == "officers" { "yes" } else { "no" },
    );
    std::fs::write(folder.join("site.toml"), text).expect("writes");
    (folder.join("site.toml"), folder.join("data"))
}
