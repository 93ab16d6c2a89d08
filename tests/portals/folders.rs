//! The portal's watched folder: nothing half written is taken for whole, nothing is replaced, and a bad list keeps no scan out.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::server::*;

/// A portal with a folder that it watches.
struct Watched {
    place: tempfile::TempDir,
    server: Server,
}

impl Watched {
    /// Starts one over a folder that is as `before` leaves it.
    fn start(before: impl FnOnce(&Path)) -> Watched {
        let place = tempfile::tempdir().expect("a folder");
        let incoming = place.path().join("in");
        fs::create_dir(&incoming).expect("made");
        before(&incoming);
        let server = Server::start(place.path(), "[[portal]]\nid = \"bridge\"\nfolder = \"in\"");
        Watched { place, server }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.path().join("in").join(name)
    }

    /// Writes a file as it should be written.
    fn put(&self, name: &str, bytes: &[u8]) {
        let part = self.at(&format!("{name}.part"));
        fs::write(&part, bytes).expect("written");
        fs::rename(part, self.at(name)).expect("renamed");
    }

    fn names(&self, of: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(of)).into_iter().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.expect("there").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}: {:?}, {:?}, {:?}", self.names("."), self.names("done"), self.names("failed"));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn reason(&self, name: &str) -> String {
        fs::read_to_string(self.at(&format!("failed/{name}.why.txt"))).expect("a reason")
    }

    /// The scans that the store has.
    fn scans(&self) -> Vec<Value> {
        self.server.get("/v1/portals/bridge/scans").json()["scans"].as_array().expect("scans").clone()
    }

    fn scan_of(&self, bytes: &[u8]) -> i64 {
        let scans = self.scans();
        let of = scans.iter().find(|scan| scan["sha256"] == hex(bytes)).and_then(|scan| scan["scan"].as_i64());
        of.unwrap_or_else(|| panic!("not of these {} bytes: {scans:?}", bytes.len()))
    }
}

#[test]
fn a_scan_that_is_still_written_is_taken_when_it_is_whole() {
    let watched = Watched::start(|_| {});
    let scan = rail("G-3.tif");
    let later = SystemTime::now() + Duration::from_secs(3600);
    let mut slow = File::create(watched.at("Z.tif")).expect("made");
    slow.write_all(&scan[..300_000]).expect("written");
    slow.set_modified(later).expect("set");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((watched.scans(), watched.names("done"), watched.at("Z.tif").exists()), (Vec::new(), Vec::new(), true));
    slow.write_all(&scan[300_000..]).expect("written");
    // It is taken all the same: what time it bears says nothing.
    slow.set_modified(later).expect("set");
    watched.until("it is done", || watched.names("done") == ["Z.tif"]);
    assert_eq!(fs::read(watched.at("done/Z.tif")).expect("there"), scan);
    assert_eq!(watched.scans().len(), 1, "{:?}", watched.scans());
    watched.scan_of(&scan);
}

#[test]
fn a_scan_whose_writer_has_died_is_kept_as_far_as_it_came_and_is_not_done() {
    let watched = Watched::start(|_| {});
    let half = &rail("G-3.tif")[..300_000];
    fs::write(watched.at("H.consist.json"), rail("G-3.consist.json")).expect("written");
    fs::write(watched.at("H.tif"), half).expect("written");
    watched.until("it has failed", || watched.names("failed").contains(&"H.tif".to_owned()));
    assert_eq!(watched.names("failed"), ["H.consist.json", "H.consist.json.why.txt", "H.tif", "H.tif.why.txt"]);
    let reason = watched.reason("H.tif");
    assert!(reason.contains("the file was cut off here") && reason.contains("scan 1: send it again, whole"), "{reason}");
    let told = watched.server.inspected(watched.scan_of(half));
    assert!(told["cut_short"].as_str().is_some_and(|why| why.contains("cut off")), "{told}");
    assert_eq!(watched.names("done"), [""; 0]);
}

#[test]
fn what_grows_while_it_is_taken_is_taken_once_more() {
    let watched = Watched::start(|_| {});
    let bytes = noise(16 << 20, 5);
    let mut slow = File::create(watched.at("W.png")).expect("made");
    slow.write_all(&bytes).expect("written");
    watched.until("it is being taken", || watched.at("taking/W.png").exists());
    slow.write_all(b"and a little more").expect("written");
    watched.until("it has failed: it is no picture", || watched.at("failed/W.png").exists());
    let put_away = fs::read(watched.at("failed/W.png")).expect("there");
    assert_eq!(put_away, [&bytes[..], b"and a little more"].concat());
    let scan = watched.scan_of(&put_away);
    assert!(watched.reason("W.png").contains(&format!("scan {scan}: send it again")), "{}", watched.reason("W.png"));
}

#[test]
fn a_name_that_is_used_again_replaces_nothing() {
    let watched = Watched::start(|_| {});
    let (scans, letters) = ([rail("G-3.tif"), rail("earlier/G-3-e.tif")], [b"Dear operator,".to_vec(), b"Dear all,".to_vec()]);
    for round in 1..=2 {
        watched.put("A.tif", &scans[round - 1]);
        watched.put("E.tif", &letters[round - 1]);
        watched.until("both are put away", || watched.names("done").len() == round && watched.names("failed").len() == 2 * round);
    }
    let marked = |name: &str, bytes: &[u8]| format!("{name}-{}.tif", &hex(bytes)[..16]);
    let (again, letter) = (marked("A", &scans[1]), marked("E", &letters[1]));
    assert_eq!(watched.names("done"), [again.as_str(), "A.tif"]);
    assert_eq!(watched.names("failed"), [letter.as_str(), &format!("{letter}.why.txt"), "E.tif", "E.tif.why.txt"]);
    for (name, bytes) in
        [("done/A.tif", &scans[0]), (&format!("done/{again}"), &scans[1]), ("failed/E.tif", &letters[0]), (&format!("failed/{letter}"), &letters[1])]
    {
        assert_eq!(&fs::read(watched.at(name)).expect("there"), bytes, "{name}");
    }
    for (name, bytes) in [("E.tif", &letters[0]), (letter.as_str(), &letters[1])] {
        let (reason, scan) = (watched.reason(name), watched.scan_of(bytes));
        assert!(reason.contains(&format!("scan {scan}: send it again")), "{reason}");
    }
}

#[test]
fn done_and_failed_are_emptied_by_size_the_oldest_first_with_its_reason() {
    let long = |path: PathBuf, bytes: u64| File::create(path).and_then(|file| file.set_len(bytes)).expect("made");
    let watched = Watched::start(|incoming| {
        for own in ["done", "failed"] {
            fs::create_dir(incoming.join(own)).expect("made");
            for (name, bytes) in [("1.tif", 1 << 20), ("1.tif.why.txt", 10), ("2.tif", 3 << 29), ("2.tif.why.txt", 10)] {
                long(incoming.join(own).join(name), bytes);
            }
        }
    });
    // The newest is over the limit alone, and may be all that there is of its scan.
    for own in ["done", "failed"] {
        watched.until("the oldest is gone", || watched.names(own) == ["2.tif", "2.tif.why.txt"]);
    }
}

#[test]
fn a_paper_that_is_none_goes_alone_and_a_manifest_counts() {
    let watched = Watched::start(|_| {});
    let (first, second) = (rail("G-3.tif"), rail("earlier/G-3-e.tif"));
    // Another scan of the same train.
    let third = [first.clone(), vec![0; 4096]].concat();
    watched.put("B.consist.json", b"not json");
    watched.put("B.tif", &first);
    watched.put("C.consist.json", &vec![b' '; 20_000_000]);
    watched.put("C.tif", &second);
    watched.put("D.consist.json", &rail("G-3.consist.json"));
    watched.put("D.manifest.json", b"{\"mark\":\"CTCX 938969\",\"loaded\":true}\n");
    watched.put("D.tif", &third);
    watched.until("all are done", || ["B.tif", "C.tif", "D.tif"].iter().all(|name| watched.at("done").join(name).exists()));
    assert_eq!(watched.names("done"), ["B.tif", "C.tif", "D.consist.json", "D.manifest.json", "D.tif"]);
    assert_eq!(watched.names("failed"), ["B.consist.json", "B.consist.json.why.txt", "C.consist.json", "C.consist.json.why.txt"]);
    for (name, bytes, why) in [("B.consist.json", &first, "line 1"), ("C.consist.json", &second, "20000000 bytes, more than the limit of 4194304")] {
        let (reason, scan) = (watched.reason(name), watched.scan_of(bytes));
        assert!(reason.contains(why) && reason.contains(&format!("POST it to /v1/portals/bridge/scans/{scan}/consist")), "{reason}");
        let told = watched.server.inspected(scan);
        assert_eq!((&told["state"], &told["cars"][0]["mark"], &told["consist"]), (&json!("inspected"), &Value::Null, &json!(false)), "{told}");
    }
    let finding = |car: &Value| car["findings"].as_array().is_some_and(|findings| findings.iter().any(|finding| finding["detector"] == "manifest"));
    let told = watched.server.scan_when(watched.scan_of(&third), |scan| scan["state"] == "inspected" && finding(&scan["cars"][0]));
    assert_eq!((&told["cars"][0]["mark"], &told["manifest"]), (&json!("CTCX 938969"), &json!(true)), "declared loaded, and empty: {told}");
}
