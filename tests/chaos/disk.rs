//! R3, R4: a full disk, and a disk that fails to sync.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::camera::{Connection, Shot, pictures, testdata, unlike};
use super::have;
use super::ledger::Ledger;
use super::server::{SOUGHT, Server, Site, signal};

/// Posts frame `number` and writes down what came of it.
fn post(server: &Server, ledger: &Ledger, number: u64) -> u16 {
    let pictures = pictures("lane000-");
    let shot = Shot::new("lane-0", number.to_string(), unlike(&pictures[number as usize % pictures.len()], number));
    let outcome = Connection::open(server.address).and_then(|mut connection| shot.post(&mut connection));
    let reply = ledger.note(&shot, outcome).expect("an answer");
    if reply.status >= 400 {
        reply.assert_problem();
    }
    reply.status
}

/// Asks again and again until `done`; false after some seconds.
fn within_seconds(seconds: u64, mut done: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
fn a_full_disk_is_said_and_heals() {
    if !have("unshare with mounts of its own (util-linux, user namespaces)", Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"])) {
        return;
    }
    let site = Site::new(1, "[retention]\nframes_without_passage_s = 3600");
    std::fs::create_dir(&site.data).expect("creates");
    // A disk of 48 MiB of which 24 must stay free, seen by the server alone.
    let mounted = format!("mount -t tmpfs -o size=48m none '{}' && exec \"$0\" \"$@\"", site.data.display());
    let start = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script]).arg(env!("CARGO_BIN_EXE_garita"));
        site.start_under(command)
    };
    let server = start(&mounted);
    let inside = std::path::PathBuf::from(format!("/proc/{}/root{}", server.pid, site.data.display()));
    let ballast = inside.join("ballast");
    std::fs::write(&ballast, vec![0; 8 << 20]).expect("fills");
    let ledger = Ledger::default();
    assert_eq!(post(&server, &ledger, 0), 201);

    // Full by somebody else's file.
    let filler = inside.join("filler");
    std::fs::write(&filler, vec![0; 17 << 20]).expect("fills");
    assert_eq!(post(&server, &ledger, 1), 507);
    let ready = server.get("/readyz");
    assert!(ready.status == 503 && ready.text().contains("full"), "{}", ready.text());
    assert_eq!(post(&server, &ledger, 1), 507);
    std::fs::remove_file(&filler).expect("heals");
    assert_eq!(post(&server, &ledger, 1), 201);
    assert_eq!(server.get("/readyz").status, 200);

    // Full by the server's own doing: it stops before anything breaks, and what fitted is there.
    let filled = (2..4_000).find(|&number| post(&server, &ledger, number) == 507);
    assert!(filled.is_some(), "the disk took 4,000 frames: {}", server.get("/readyz").text());
    assert_eq!(server.get("/readyz").status, 503);
    // What waited in memory is kept now.
    std::fs::remove_file(&ballast).expect("heals");
    assert_eq!(post(&server, &ledger, 5_000), 201);
    assert_eq!(server.get("/readyz").status, 200);
    let counts = server.counts();
    let tally = ledger.tally();
    println!("a disk that was full twice: {tally:?}");
    assert_eq!(counts, [tally.accepted, tally.shed, tally.rejected]);
    // The disk ends with its server, and SQLite opens nothing through /proc: a copy is looked at, made while the server stands still.
    assert!(signal(server.pid, "STOP"));
    let copied = Command::new("cp").arg("-r").arg(&inside).arg(site.path("copy")).status();
    assert!(copied.is_ok_and(|status| status.success()), "the store could not be copied");
    ledger.check(&site.path("copy"), SOUGHT);
    assert!(!site.log().contains("panicked"), "{}", site.log());
}

#[test]
fn a_full_disk_heals_by_its_own_retention() {
    if !have("unshare with mounts of its own (util-linux, user namespaces)", Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"])) {
        return;
    }
    let site = Site::new(1, "[retention]\nframes_without_passage_s = 1");
    std::fs::create_dir(&site.data).expect("creates");
    let mounted = format!("mount -t tmpfs -o size=36m none '{}' && exec \"$0\" \"$@\"", site.data.display());
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &mounted]).arg(env!("CARGO_BIN_EXE_garita"));
    let server = site.start_under(command);
    let ledger = Ledger::default();
    // Pictures of an empty lane: nothing of them is kept for long.
    let empty = pictures("lane000-00008").swap_remove(0);
    let mut number = 0;
    let post = |number: u64| {
        let shot = Shot::new("lane-0", format!("empty {number}"), unlike(&empty, number));
        ledger.note(&shot, Connection::open(server.address).and_then(|mut connection| shot.post(&mut connection))).expect("an answer").status
    };
    let filled = within_seconds(300, || {
        number += 1;
        post(number) == 507
    });
    assert!(filled, "{number} frames fitted");
    let healed = within_seconds(120, || server.get("/readyz").status == 200);
    assert!(healed, "what had had its time was not deleted on a full disk: {}", server.get("/readyz").text());
    assert_eq!(post(0), 201);
}

/// A disk that fails to sync, for a running server.
struct Broken {
    strace: Child,
    log: PathBuf,
}

impl Broken {
    /// All syncs fail, or those of one file.
    fn of(site: &Site, server: &Server, file: Option<&Path>) -> Broken {
        let log = site.path("strace");
        let mut command = Command::new("strace");
        command.args(["-f", "-o"]).arg(&log).args(["-e", "trace=fsync,fdatasync,sync_file_range"]);
        command.args(["-e", "inject=fsync,fdatasync,sync_file_range:error=EIO", "-p", &server.pid.to_string()]);
        if let Some(file) = file {
            command.arg("-P").arg(file);
        }
        let strace = command.stderr(Stdio::null()).spawn().expect("strace, probed before");
        // To every thread: the one that writes is not the first.
        let traced = |thread: &Path| std::fs::read_to_string(thread.join("status")).is_ok_and(|status| !status.contains("TracerPid:\t0"));
        let attached = within_seconds(60, || {
            let mut threads = std::fs::read_dir(format!("/proc/{}/task", server.pid)).expect("it runs").map(|thread| thread.expect("a thread").path());
            threads.all(|thread| traced(&thread))
        });
        assert!(attached, "strace did not attach");
        Broken { strace, log }
    }

    /// Syncs work again.
    fn mend(mut self) {
        signal(self.strace.id(), "INT");
        let _ = self.strace.wait();
        let traced = std::fs::read_to_string(&self.log).expect("a trace");
        assert!(traced.contains("EIO") && traced.contains("INJECTED"), "nothing was injected: {traced}");
    }
}

#[test]
fn a_disk_that_fails_to_sync_an_upload_is_not_trusted_again() {
    if !have("strace", Command::new("strace").args(["-f", "-e", "trace=fsync", "true"])) {
        return;
    }
    let site = Site::new(1, "[[portal]]\nid = \"bridge\"");
    let server = site.start();
    let scan = std::fs::read(testdata().join("rail/G-3.tif")).expect("testdata");
    let send = |server: &Server, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]| {
        Connection::open(server.address).and_then(|mut connection| connection.request(method, path, fields, body)).expect("an answer")
    };
    let begun = send(&server, "POST", "/v1/portals/bridge/scans", &[("Upload-Complete", "?0")], &scan[..1_000]);
    assert_eq!(begun.status, 201, "{}", begun.text());
    let upload = begun.header("location").expect("where it goes on").to_owned();
    let id = upload.rsplit('/').next().expect("an id");
    let go_on = |server: &Server| {
        let fields = [("Content-Type", "application/partial-upload"), ("Upload-Offset", "1000"), ("Upload-Complete", "?1")];
        send(server, "PATCH", &upload, &fields, &scan[1_000..])
    };
    let broken = Broken::of(&site, &server, Some(&site.data.join("uploads").join(format!("{id}.part"))));
    let refused = go_on(&server);
    assert_eq!(refused.status, 503, "{}", refused.text());
    refused.assert_problem();
    let said = server.get("/readyz");
    assert!(said.status == 503 && said.text().contains("stopped"), "{}", said.text());
    broken.mend();
    // Neither that upload goes on, nor another one, nor is a frame taken; and the log says why.
    assert_eq!(go_on(&server).status, 503);
    assert_eq!(send(&server, "POST", "/v1/portals/bridge/scans", &[], &scan).status, 503);
    assert_eq!(post(&server, &Ledger::default(), 0), 503);
    assert!(site.log().contains("the store stops"), "{}", site.log());
    server.kill();
    // Opened anew, what was told is there, and no more.
    let server = site.start();
    let there = send(&server, "HEAD", &upload, &[], &[]);
    assert_eq!((there.status, there.header("upload-offset")), (204, Some("1000")));
    let done = go_on(&server);
    assert_eq!((done.status, &done.json()["length"]), (201, &scan.len().into()), "{}", done.text());
    assert!(server.stop().1, "{}", site.log());
}

#[test]
fn a_disk_that_fails_to_sync_is_not_trusted_again() {
    if !have("strace", Command::new("strace").args(["-f", "-e", "trace=fsync", "true"])) {
        return;
    }
    let site = Site::new(1, "");
    let server = site.start();
    let ledger = Ledger::default();
    for number in 0..5 {
        assert_eq!(post(&server, &ledger, number), 201);
    }
    let broken = Broken::of(&site, &server, None);
    assert_eq!(post(&server, &ledger, 5), 503);
    let said = server.get("/readyz");
    assert!(said.status == 503 && said.text().contains("stopped"), "{}", said.text());
    // The disk works again, as far as anybody can tell. It is not believed.
    broken.mend();
    for number in [5, 6, 0] {
        assert_eq!(post(&server, &ledger, number), 503);
    }
    assert_eq!(server.get("/readyz").status, 503);
    assert_eq!(server.get("/healthz").status, 200);
    server.kill();
    // Opened anew it takes frames, those of before included.
    let server = site.start();
    assert_eq!(server.get("/readyz").status, 200, "{}", server.get("/readyz").text());
    for number in 0..7 {
        assert_eq!(post(&server, &ledger, number), 201);
    }
    assert!(server.stop().1, "{}", site.log());
    ledger.check(&site.data, SOUGHT);
}
