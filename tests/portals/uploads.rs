//! Uploads: resumable, synced, complete before they are scans.

use std::io::Write;
use std::time::Duration;

use super::server::*;

const PARTIAL: (&str, &str) = ("Content-Type", "application/partial-upload");

/// Goes on with an upload at `offset`.
fn patch(server: &Server, upload: &str, offset: usize, complete: &str, body: &[u8]) -> Answer {
    let offset = offset.to_string();
    send(server.address, "PATCH", upload, &[PARTIAL, ("Upload-Offset", &offset), ("Upload-Complete", complete)], body)
}

fn head(server: &Server, upload: &str) -> Answer {
    send(server.address, "HEAD", upload, &[], b"")
}

#[test]
fn a_whole_scan_in_one_request_is_kept_once_and_its_cars_arrive() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "");
    let scan = rail("G-3.tif");
    let first = server.post("/v1/portals/bridge/scans", &[("Repr-Digest", &digest_field(&scan))], &scan);
    assert_eq!((first.status, &first.json()["replay"]), (201, &false.into()), "{}", first.text());
    assert_eq!(first.field("location"), format!("/v1/scans/{}", first.scan()));
    let told = server.inspected(first.scan());
    assert_eq!((&told["state"], &told["sha256"], &told["length"]), (&"inspected".into(), &hex(&scan).into(), &scan.len().into()), "{told}");
    assert_eq!(told["cars"].as_array().map(Vec::len), Some(3), "{told}");
    assert_eq!(told["summary"]["cars"], 3);
    // The same bytes again, and ten at once, are the same scan.
    let again: Vec<Answer> = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..10).map(|_| scope.spawn(|| server.post("/v1/portals/bridge/scans", &[], &scan))).collect();
        posts.into_iter().map(|post| post.join().expect("answered")).collect()
    });
    for answer in again {
        assert_eq!((answer.status, answer.scan(), &answer.json()["replay"]), (201, first.scan(), &true.into()));
    }
    assert_eq!(server.files("scans").len(), 1);
    assert_eq!(server.files("uploads"), [""; 0]);
    assert_eq!(server.metric("garita_scans_total{portal=\"bridge\",outcome=\"inspected\"}"), Some(1.0));
    assert!(server.metric("garita_portal_image_quality{portal=\"bridge\",figure=\"penetration_mm_steel\"}").is_some_and(|mm| mm > 10.0));
    for (stage, times) in [("rail open", 1.0), ("rail cut of a car", 1.0), ("rail car", 3.0)] {
        assert_eq!(server.metric(&format!("garita_stage_seconds_count{{stage=\"{stage}\"}}")), Some(times), "{stage}");
        assert!(server.metric(&format!("garita_budget_seconds{{stage=\"{stage}\"}}")).is_some_and(|budget| budget > 0.0), "{stage}");
    }
    server.metric_when("garita_source_active{source=\"http\",lane=\"bridge\"}", 1.0);
    let status = server.get("/v1/status").json();
    assert_eq!(status["portals"][0]["id"], "bridge");
    assert_eq!(status["portals"][0]["inspected"], 1);
}

#[test]
fn ten_at_once_with_one_name_are_one_scan_and_other_bytes_under_it_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(folder.path(), "");
    let (scan, other) = (noise(300_000, 1), noise(300_000, 2));
    let named = [("Idempotency-Key", "train 17")];
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..10).map(|_| scope.spawn(|| server.post("/v1/portals/bridge/scans", &named, &scan))).collect();
        posts.into_iter().map(|post| post.join().expect("answered")).collect()
    });
    let first = answers[0].scan();
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.scan() == first));
    assert_eq!(answers.iter().filter(|answer| answer.json()["replay"] == false).count(), 1);
    server.kill();
    let server = Server::start(folder.path(), "");
    assert_eq!(server.post("/v1/portals/bridge/scans", &named, &scan).scan(), first);
    let refused = server.post("/v1/portals/bridge/scans", &named, &other);
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("other bytes"), "{}", refused.text());
    // With another name it is another scan; so is the same at another place.
    assert_ne!(server.post("/v1/portals/bridge/scans", &[("Idempotency-Key", "train 18")], &scan).scan(), first);
    assert_eq!(server.files("scans").len(), 2);
}

/// How many times 2 MB an upload has: one, unless `GARITA_UPLOAD_MB` says so by hand.
fn scale() -> usize {
    let megabytes = std::env::var("GARITA_UPLOAD_MB").map_or(2, |text| text.parse::<usize>().expect("GARITA_UPLOAD_MB is a whole number"));
    (megabytes / 2).max(1)
}

/// By hand with a scan of 1 GB: `GARITA_UPLOAD_MB=1024 cargo test --test portals an_upload_cut_anywhere -- --nocapture`.
#[test]
fn an_upload_cut_anywhere_and_killed_twice_ends_as_what_was_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(folder.path(), "[limits]\nbody_timeout_s = 5");
    let (scale, uploads) = (scale(), if scale() == 1 { 4 } else { 1 });
    for seed in 1..=uploads {
        let scan = noise(2_000_000 * scale + 77 * seed as usize, seed);
        let cuts = noise(64, 100 + seed);
        let length = scan.len().to_string();
        let name = format!("cut {seed}");
        let fields = [("Upload-Complete", "?0"), ("Upload-Length", length.as_str()), ("Repr-Digest", &digest_field(&scan)), ("Idempotency-Key", &name)];
        let first = usize::from(cuts[0]) * 300 * scale;
        let begun = server.post("/v1/portals/bridge/scans", &fields, &scan[..first]);
        assert_eq!((begun.status, begun.offset()), (201, first), "{}", begun.text());
        let upload = begun.field("location").to_owned();
        // How far anything that was ever sent reaches: what was cut off may come to its turn late.
        let (mut acknowledged, mut reach, mut kills, mut pieces) = (first, first, 0, 1);
        for cut in cuts.iter().skip(1) {
            // Cut off in the middle of the body: no answer, and nobody knows how much has come.
            let rest = &scan[acknowledged..];
            let sent = (usize::from(*cut) * 1_200 * scale).min(rest.len());
            let offset = acknowledged.to_string();
            pieces += 1;
            let mut stream = begin(server.address, "PATCH", &upload, &[PARTIAL, ("Upload-Offset", &offset), ("Upload-Complete", "?1")], rest.len());
            let _ = stream.write_all(&rest[..sent]);
            if cut % 16 == 3 && kills < 2 {
                kills += 1;
                server.kill();
                drop(stream);
                server = Server::start(folder.path(), "[limits]\nbody_timeout_s = 5");
            } else if sent == rest.len() {
                let answered = answer(stream);
                assert!([201, 409].contains(&answered.status), "{}", answered.text());
                if answered.status == 201 {
                    break;
                }
            } else {
                drop(stream);
            }
            let there = head(&server, &upload);
            assert_eq!(there.status, 204, "{there:?}");
            reach = reach.max(acknowledged + sent);
            assert!((acknowledged..=reach).contains(&there.offset()), "{} is not in {acknowledged}..={reach}", there.offset());
            acknowledged = there.offset();
            if there.field("upload-complete") == "?1" {
                break;
            }
        }
        let there = head(&server, &upload);
        if there.field("upload-complete") != "?1" {
            let mut done = patch(&server, &upload, there.offset(), "?1", &scan[there.offset()..]);
            // A request that was cut off may come to its turn late, and have written a little more.
            while done.status == 409 {
                done = patch(&server, &upload, done.offset(), "?1", &scan[done.offset()..]);
            }
            assert_eq!(done.status, 201, "{}", done.text());
            // The answer was lost, and the last piece comes again.
            let again = patch(&server, &upload, there.offset(), "?1", &scan[there.offset()..]);
            assert_eq!((again.status, again.scan(), &again.json()["replay"]), (201, done.scan(), &true.into()));
        }
        let location = head(&server, &upload).field("location").to_owned();
        let told = server.get(&location).json();
        assert_eq!((&told["sha256"], &told["length"], &told["name"]), (&hex(&scan).into(), &scan.len().into(), &name.into()), "{told}");
        println!("{} bytes in {pieces} pieces, {kills} kills: whole", scan.len());
    }
    assert_eq!((server.files("scans").len(), server.files("uploads").len()), (uploads as usize, 0));
}

#[test]
fn another_offset_is_told_the_right_one_and_a_newcomer_ends_a_dead_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "");
    let scan = noise(100_000, 7);
    let begun = server.post("/v1/portals/bridge/scans", &[("Upload-Complete", "?0")], &scan[..1_000]);
    let upload = begun.field("location").to_owned();
    let wrong = patch(&server, &upload, 999, "?1", &scan[999..]);
    assert_eq!((wrong.status, wrong.offset()), (409, 1_000), "{}", wrong.text());
    assert!(wrong.text().contains("go on with Upload-Offset: 1000"), "{}", wrong.text());
    // A request that will never end: its sender is gone and the connection does not know.
    let mut dead = begin(server.address, "PATCH", &upload, &[PARTIAL, ("Upload-Offset", "1000"), ("Upload-Complete", "?1")], 99_000);
    dead.write_all(&scan[1_000..50_000]).expect("sent");
    std::thread::sleep(Duration::from_millis(200));
    let there = head(&server, &upload);
    assert_eq!((there.status, there.offset()), (204, 50_000));
    assert_eq!(answer(dead).status, 409);
    let done = patch(&server, &upload, 50_000, "?1", &scan[50_000..]);
    assert_eq!((done.status, &done.json()["sha256"]), (201, &hex(&scan).into()));
    // Without the right type, or where nothing is.
    assert_eq!(send(server.address, "PATCH", &upload, &[("Upload-Offset", "0")], b"x").status, 415);
    assert_eq!(patch(&server, "/v1/uploads/0123", 0, "?1", b"x").status, 404);
    assert_eq!(send(server.address, "PATCH", &upload, &[PARTIAL, ("Upload-Offset", "-1")], b"x").status, 400);
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "[limits]\nscan_bytes = \"1 MiB\"\nbody_timeout_s = 3");
    let scan = noise(1 << 20, 9);
    let post = |fields: &[(&str, &str)], body: &[u8]| server.post("/v1/portals/bridge/scans", fields, body);
    assert_eq!(server.post("/v1/portals/tunnel/scans", &[], &scan).status, 404);
    // Over the limit: by its length, by what it says it will have, and where nothing was said.
    let head_alone = begin(server.address, "POST", "/v1/portals/bridge/scans", &[], (1 << 20) + 1);
    assert_eq!(answer(head_alone).status, 413);
    assert_eq!(post(&[("Upload-Complete", "?0"), ("Upload-Length", "1048577")], b"").status, 413);
    let begun = post(&[("Upload-Complete", "?0")], &scan);
    assert_eq!((begun.status, begun.offset()), (201, 1 << 20));
    assert_eq!(patch(&server, begun.field("location"), 1 << 20, "?1", b"x").status, 413);
    assert_eq!(send(server.address, "DELETE", begun.field("location"), &[], b"").status, 204);
    let begun = post(&[("Upload-Complete", "?0"), ("Upload-Length", "10")], &scan[..5]);
    assert_eq!(patch(&server, begun.field("location"), 5, "?1", &scan[..6]).status, 413);
    // Another digest; no digest; an empty scan; more than one name.
    let wrong = post(&[("Repr-Digest", &digest_field(b"another"))], &scan);
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("changed on the way"), "{}", wrong.text());
    assert_eq!(post(&[("Content-Digest", &digest_field(b"another"))], &scan).status, 422);
    assert_eq!(post(&[("Repr-Digest", "sha-256=nonsense")], &scan).status, 400);
    // Digests that nobody would compare are not taken in silence.
    for name in ["Repr-Digest", "Content-Digest"] {
        let other = post(&[(name, "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:")], b"a scan");
        assert_eq!((other.status, other.field("want-content-digest")), (400, "sha-256=10"));
        assert!(other.text().contains("send sha-256=:BASE64:"), "{}", other.text());
    }
    // Less than it says it will have: nobody was told where it would go on, so that it does not.
    let short = post(&[("Upload-Length", "2000")], &scan[..1_000]);
    assert_eq!((short.status, short.field("location"), short.field("upload-offset")), (400, "", ""));
    assert!(short.text().contains("1000 of the 2000 bytes") && short.text().contains("send it again whole"), "{}", short.text());
    assert_eq!(post(&[], b"").status, 422);
    assert_eq!(post(&[("Idempotency-Key", "a"), ("Idempotency-Key", "b")], &scan).status, 400);
    // Too slow: a whole scan is gone, an upload goes on.
    let mut slow = begin(server.address, "POST", "/v1/portals/bridge/scans", &[], scan.len());
    slow.write_all(&scan[..1_000]).expect("sent");
    assert_eq!(answer(slow).status, 408);
    let mut slow = begin(server.address, "POST", "/v1/portals/bridge/scans", &[("Upload-Complete", "?0")], scan.len());
    slow.write_all(&scan[..1_000]).expect("sent");
    let answered = answer(slow);
    assert_eq!((answered.status, answered.offset()), (408, 1_000));
    assert_eq!(send(server.address, "DELETE", answered.field("location"), &[], b"").status, 204);
    assert_eq!(head(&server, answered.field("location")).status, 404);
    assert_eq!((server.files("scans"), server.files("uploads")), (Vec::new(), Vec::new()));
}

/// Goes on with an upload at `offset`, with the digest of what is sent.
fn patch_said(server: &Server, upload: &str, offset: usize, complete: &str, digest: &str, body: &[u8]) -> Answer {
    let offset = offset.to_string();
    send(server.address, "PATCH", upload, &[PARTIAL, ("Upload-Offset", &offset), ("Upload-Complete", complete), ("Content-Digest", digest)], body)
}

#[test]
fn a_piece_that_changed_on_the_way_comes_again_and_nothing_else_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(folder.path(), "");
    let scan = noise(100_000, 21);
    let spoiled = |range: std::ops::Range<usize>, at: usize| {
        let mut piece = scan[range].to_vec();
        piece[at] ^= 0x10;
        piece
    };
    let begun =
        server.post("/v1/portals/bridge/scans", &[("Upload-Complete", "?0"), ("Content-Digest", &digest_field(&scan[..1_000]))], &spoiled(0..1_000, 999));
    assert_eq!((begun.status, begun.offset()), (422, 0), "{}", begun.text());
    let upload = begun.field("location").to_owned();
    assert_eq!(head(&server, &upload).offset(), 0);
    let taken = patch_said(&server, &upload, 0, "?0", &digest_field(&scan[..60_000]), &scan[..60_000]);
    assert_eq!((taken.status, taken.offset()), (204, 60_000), "{}", taken.text());
    // One that more follows, and the last one; by either digest.
    for (complete, digest) in [("?0", digest_field(&scan[60_000..])), ("?1", long_digest_field(&scan[60_000..]))] {
        let refused = patch_said(&server, &upload, 60_000, complete, &digest, &spoiled(60_000..100_000, 12_345));
        assert_eq!((refused.status, refused.offset(), refused.field("location")), (422, 60_000, upload.as_str()), "{}", refused.text());
        assert!(refused.text().contains("send them again with Upload-Offset: 60000"), "{}", refused.text());
        assert_eq!(head(&server, &upload).offset(), 60_000);
    }
    server.kill();
    let server = Server::start(folder.path(), "");
    assert_eq!(head(&server, &upload).offset(), 60_000, "what was taken back stays away");
    let both = format!("{}, {}", digest_field(&scan[60_000..]), long_digest_field(&scan[60_000..]));
    let done = patch_said(&server, &upload, 60_000, "?1", &both, &scan[60_000..]);
    assert_eq!((done.status, &done.json()["sha256"]), (201, &hex(&scan).into()), "{}", done.text());
    assert_eq!(server.metric("garita_scans_total{portal=\"bridge\",outcome=\"refused\"}"), Some(0.0));
}

#[test]
fn either_digest_is_compared_and_both_where_both_are_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(folder.path(), "");
    let scan = noise(50_000, 22);
    let digests = [digest_field(&scan), long_digest_field(&scan), long_digest_field(b"another")];
    let [short, long, other] = digests.each_ref().map(String::as_str);
    let post = |server: &Server, fields: &[(&str, &str)]| server.post("/v1/portals/bridge/scans", fields, &scan);
    for wrong in [
        vec![("Repr-Digest", other)],
        vec![("Content-Digest", other)],
        vec![("Repr-Digest", short), ("Repr-Digest", other)],
        vec![("Repr-Digest", short), ("Content-Digest", other)],
        vec![("Repr-Digest", long), ("Content-Digest", other)],
    ] {
        let refused = post(&server, &wrong);
        assert_eq!(refused.status, 422, "{wrong:?}: {}", refused.text());
    }
    assert_eq!((server.files("scans"), server.files("uploads")), (Vec::new(), Vec::new()));
    let first = post(&server, &[("Repr-Digest", &format!("{long};x=1"))]);
    assert_eq!((first.status, &first.json()["replay"]), (201, &false.into()), "{}", first.text());
    let again = post(&server, &[("Repr-Digest", long), ("Repr-Digest", short), ("Content-Digest", short)]);
    assert_eq!((again.status, again.scan()), (201, first.scan()), "{}", again.text());
    // What was said of the whole when it began is known after a kill.
    let train = noise(50_000, 23);
    let begun =
        |server: &Server| server.post("/v1/portals/bridge/scans", &[("Upload-Complete", "?0"), ("Repr-Digest", &long_digest_field(&train))], &train[..20_000]);
    let (right, wrong) = (begun(&server), begun(&server));
    server.kill();
    let server = Server::start(folder.path(), "");
    assert_eq!(patch(&server, wrong.field("location"), 20_000, "?1", &scan[20_000..]).status, 422);
    assert_eq!(patch(&server, right.field("location"), 20_000, "?1", &train[20_000..]).status, 201);
}

#[test]
fn without_space_nothing_is_taken_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "");
    let scan = noise(100_000, 11);
    let begun = server.post("/v1/portals/bridge/scans", &[("Upload-Complete", "?0")], &scan[..60_000]);
    let upload = begun.field("location").to_owned();
    drop(server);
    let server = Server::start(folder.path(), "[limits]\nfree_bytes = \"1024 TiB\"");
    let full = server.post("/v1/portals/bridge/scans", &[], &scan);
    assert_eq!((full.status, full.field("retry-after")), (507, "30"), "{}", full.text());
    assert_eq!(patch(&server, &upload, 60_000, "?1", &scan[60_000..]).status, 507);
    drop(server);
    let server = Server::start(folder.path(), "");
    let there = head(&server, &upload).offset();
    assert!(there >= 60_000);
    let done = patch(&server, &upload, there, "?1", &scan[there..]);
    assert_eq!((done.status, &done.json()["sha256"]), (201, &hex(&scan).into()));
}

#[test]
fn half_uploads_go_when_their_time_is_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "[retention]\nuploads_s = 1");
    let begun = server.post("/v1/portals/bridge/scans", &[("Upload-Complete", "?0")], b"half");
    assert_eq!(begun.status, 201);
    let waited = std::time::Instant::now();
    while head(&server, begun.field("location")).status == 204 {
        assert!(waited.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(head(&server, begun.field("location")).status, 410);
    // Whoever goes on with it is told why it is gone, and what to do.
    let gone = patch(&server, begun.field("location"), 4, "?1", b"the rest");
    assert_eq!(gone.status, 410);
    assert!(gone.text().contains("retention.uploads_s") && gone.text().contains("begin anew"), "{}", gone.text());
    assert_eq!(server.files("uploads"), [""; 0]);
}

/// Who begins uploads and leaves them keeps nobody out: not at another portal, not at the same one, and no train.
#[test]
fn uploads_left_behind_give_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "[[portal]]\nid = \"bridge\"\n[[portal]]\nid = \"tunnel\"");
    let begin = |portal: &str| server.post(&format!("/v1/portals/{portal}/scans"), &[("Upload-Complete", "?0")], b"");
    let first = begin("bridge");
    let all: Vec<Answer> = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..8).map(|_| scope.spawn(|| (0..32).map(|_| begin("bridge")).collect::<Vec<_>>())).collect();
        posts.into_iter().flat_map(|post| post.join().expect("answered")).collect()
    });
    assert!(all.iter().all(|answer| answer.status == 201), "{:?}", all.iter().find(|answer| answer.status != 201));
    let last = begin("bridge");
    assert_eq!(server.metric("garita_uploads_open{portal=\"bridge\"}"), Some(256.0));
    assert_eq!(server.metric("garita_uploads_gave_way_total{portal=\"bridge\"}"), Some(2.0));
    // The first was silent longest, and whoever comes back to it is told why.
    let gone = patch(&server, first.field("location"), 0, "?1", b"x");
    assert_eq!(gone.status, 410);
    assert!(gone.text().contains("256 uploads of portal bridge were under way"), "{}", gone.text());
    assert_eq!(all.iter().chain([&last]).filter(|answer| head(&server, answer.field("location")).status == 204).count(), 256);
    assert_eq!(begin("tunnel").status, 201);
    let train = server.post("/v1/portals/bridge/columns", &[("Upload-Complete", "?0")], b"");
    assert_eq!((train.status, head(&server, train.field("location")).status), (201, 204), "{}", train.text());
    let scan = rail("G-3.tif");
    assert_eq!(server.post("/v1/portals/bridge/scans", &[], &scan).status, 201);
    assert_eq!(head(&server, train.field("location")).status, 204, "a train gives way last");
}

/// An older `garita.db` under newer scans: what it does not know is not deleted, and is told.
#[test]
fn what_an_older_database_does_not_know_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, older) = (folder.path().join("data"), folder.path().join("older"));
    let mut server = Server::start(folder.path(), "");
    let first = server.post("/v1/portals/bridge/scans", &[], &noise(50_000, 1));
    assert_eq!(first.status, 201);
    server.kill();
    let database = |from: &std::path::Path, to: &std::path::Path| {
        for name in ["garita.db", "garita.db-wal"] {
            let _ = std::fs::remove_file(to.join(name));
            let _ = std::fs::copy(from.join(name), to.join(name));
        }
        let _ = std::fs::remove_file(to.join("garita.db-shm"));
    };
    std::fs::create_dir(&older).expect("made");
    database(&data, &older);
    let mut server = Server::start(folder.path(), "");
    assert_eq!(server.post("/v1/portals/bridge/scans", &[], &noise(50_000, 2)).status, 201);
    let begun = server.post("/v1/portals/bridge/scans", &[("Upload-Complete", "?0")], b"half");
    server.kill();
    database(&older, &data);
    // And columns that somebody was told are there.
    let id = begun.field("location").rsplit('/').next().expect("an id").to_owned();
    let train = format!("{:032x}", 7);
    let note = std::fs::read_to_string(data.join(format!("uploads/{id}.upload"))).expect("a note");
    std::fs::write(data.join(format!("uploads/{train}.upload")), note.replace("\"scan\"", "\"columns\"")).expect("written");
    std::fs::write(data.join(format!("uploads/{train}.stream")), b"columns").expect("written");
    let (scans, uploads) = (server.files("scans"), server.files("uploads"));
    assert_eq!((scans.len(), uploads.len()), (2, 4));
    let mut server = Server::start(folder.path(), "");
    assert_eq!((head(&server, begun.field("location")).offset(), server.files("scans"), server.files("uploads")), (4, scans.clone(), uploads));
    server.kill();
    let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
    let report = garita::custody::check::check(&data).expect("a store");
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.invariant, finding.subject.clone())).collect();
    let newer = scans.iter().find(|name| found.iter().any(|(_, subject)| subject.ends_with(*name))).expect("the newer scan is told");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.contains(&(5, format!("uploads/{train}.stream"))), "{found:?}");
    assert!(log.contains(newer) && log.contains(&train), "{log}");
    // Without any database nothing is begun anew.
    for name in ["garita.db", "garita.db-wal", "garita.db-shm"] {
        let _ = std::fs::remove_file(data.join(name));
    }
    let refused = garita::custody::Custody::open(&data, garita::custody::Settings::default()).err().expect("its database is missing");
    assert!(refused.message.contains("no database"), "{refused}");
    assert_eq!(server.files("scans"), scans);
}

#[test]
fn what_is_no_scan_is_bad_says_why_and_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "");
    let text = b"Dear operator, the scan is attached.\n".repeat(100);
    let taken = server.post("/v1/portals/bridge/scans", &[], &text);
    assert_eq!(taken.status, 201);
    let told = server.inspected(taken.scan());
    assert_eq!(told["state"], "bad");
    assert!(told["error"].as_str().is_some_and(|error| error.contains("neither TIFF nor PNG")), "{told}");
    // The next one is not held up by it, and one that was cut off says what was lost.
    let scan = rail("G-3.tif");
    let cut = server.post("/v1/portals/bridge/scans", &[], &scan[..scan.len() * 3 / 4]);
    let told = server.inspected(cut.scan());
    assert_eq!(told["state"], "inspected", "{told}");
    assert!(told["summary"]["error"].as_str().is_some_and(|error| !error.is_empty()), "{told}");
    // Nobody said so when it came; it is known now, and an alarm of the portal.
    assert!(told["cut_short"].as_str().is_some_and(|why| why.contains("cut off") && !why.contains("/scans/")), "{told}");
    assert!(told["summary"]["alarms"].to_string().contains("only a part of the train came"), "{told}");
    assert_eq!(server.metric("garita_scans_total{portal=\"bridge\",outcome=\"cut\"}"), Some(1.0));
    assert_eq!(server.files("scans").len(), 2);
    assert_eq!(server.metric("garita_scans_total{portal=\"bridge\",outcome=\"bad\"}"), Some(1.0));
}
