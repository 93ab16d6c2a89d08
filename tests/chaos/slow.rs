//! R8: connections that say little or nothing hold nobody up, and are ended.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::camera::{Connection, Reply, pictures, unlike};
use super::have;
use super::server::{Server, Site};

/// How many there are at once.
const SLOW: usize = 500;

#[test]
fn five_hundred_slow_connections_hold_nobody_up() {
    let site = Site::new(2, "[limits]\nbody_timeout_s = 3\nfree_bytes = \"24 MiB\"");
    let server = site.start();
    let picture = pictures("lane000-").swap_remove(2);
    let begun = Instant::now();
    let mut slow: Vec<Connection> = (0..SLOW)
        .map(|number| {
            let mut connection = Connection::open(server.address).expect("connects");
            let said: &[u8] = match number % 4 {
                0 => b"",
                1 => b"POST /v1/lanes/lane-0/fra",
                2 => b"POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n\xff\xd8",
                _ => b"POST /v1/plate-reader/ HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=B\r\ntransfer-encoding: chunked\r\n\r\n5\r\n--B\r\n\r\n",
            };
            connection.send(said).expect("sends");
            connection
        })
        .collect();
    let mut good = Connection::open(server.address).expect("connects");
    let mut posted = 0;
    while begun.elapsed() < Duration::from_secs(2) || posted < 10 {
        let bytes = unlike(&picture, posted);
        let reply = good.request("POST", "/v1/lanes/lane-1/frames", &[("idempotency-key", &posted.to_string())], &bytes).expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        posted += 1;
    }
    // All are ended, those in the middle of a body with an answer. A drop every second does not keep one alive.
    let mut told = 0;
    for (number, connection) in slow.iter_mut().enumerate() {
        let answer = connection.reply();
        if number % 4 == 2 {
            let reply = answer.expect("a slow body is told so");
            reply.assert_problem();
            assert_eq!(reply.status, 408, "{}", reply.text());
            told += 1;
        }
    }
    let ended = begun.elapsed();
    assert!(ended < Duration::from_secs(120), "slow connections were held for {ended:?}");
    println!("{posted} good frames beside {SLOW} slow connections, which were all ended after {ended:?}");
    assert_eq!(server.counts(), [posted, 0, told]);
    assert!(server.stop().1, "{}", site.log());
}

/// The tool that the field tests servers with, in its three ways, each with as many connections as there may be half-open ones; good frames beside it all the while.
#[test]
fn slowhttptest_holds_nobody_up() {
    if !have("slowhttptest", Command::new("sh").args(["-c", "command -v slowhttptest"])) {
        return;
    }
    let site = Site::new(2, "[limits]\nbody_timeout_s = 3\nconnections = 2048\nfree_bytes = \"24 MiB\"");
    let server = site.start();
    let picture = pictures("lane000-").swap_remove(2);
    let page = format!("http://{}/v1/openapi.json", server.address);
    let door = format!("http://{}/v1/lanes/lane-0/frames", server.address);
    let mut posted = 0;
    for (way, url, more) in [
        ("-H", &door, ["-i", "1", "-x", "24", "-t", "POST", "-s", "60000"]),
        ("-B", &door, ["-i", "1", "-x", "10", "-t", "POST", "-s", "60000"]),
        // Small windows, large answers, asked for again and again on one connection.
        ("-X", &page, ["-w", "16", "-y", "64", "-n", "60", "-k", "10"]),
    ] {
        let mut tool = Command::new("slowhttptest");
        tool.args([way, "-c", "500", "-r", "250", "-l", "12", "-p", "60", "-u", url]).args(more);
        let mut tool = tool.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        let begun = Instant::now();
        let mut good = Connection::open(server.address).expect("connects");
        let mut slow = 0;
        while tool.try_wait().expect("our child").is_none() {
            assert!(begun.elapsed() < Duration::from_secs(300), "slowhttptest {way} did not end");
            let reply = good.request("POST", "/v1/lanes/lane-1/frames", &[], &unlike(&picture, posted)).expect("an answer");
            assert_eq!(reply.status, 201, "{}", reply.text());
            posted += 1;
            slow = slow.max(open(&server));
        }
        assert!(slow > 100, "slowhttptest {way} held {slow} connections at once: it has tried nothing");
        // Nothing of it is left but this asking.
        let ended = (0..600).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            open(&server) <= 2
        });
        assert!(ended, "{} connections are open after slowhttptest {way}", open(&server));
        println!("slowhttptest {way}: {slow} slow connections at once, {posted} good frames so far");
    }
    assert_eq!(server.counts()[0], posted, "good frames");
    assert!(server.stop().1, "{}", site.log());
}

#[test]
fn who_reads_nothing_is_ended() {
    let site = Site::new(1, "[limits]\nbody_timeout_s = 2\nfree_bytes = \"24 MiB\"");
    let server = site.start();
    let mut connection = Connection::open(server.address).expect("connects");
    // More answers than any socket's buffers take, and none is read.
    let asked = b"GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    let sent = connection.send(&asked);
    let ended = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        open(&server) <= 1
    });
    assert!(ended, "whoever reads nothing is still there ({sent:?})");
}

/// Connections that the server holds, this asking included.
fn open(server: &Server) -> u64 {
    let metrics = server.get("/metrics").text();
    let line = metrics.lines().find_map(|line| line.strip_prefix("garita_connections ")).unwrap_or_else(|| panic!("{metrics}"));
    line.parse::<f64>().expect("a number") as u64
}

/// Opens connections until one is answered without having asked anything; answers those that were not, and the answer.
fn fill(server: &Server) -> (Vec<Connection>, Reply) {
    let mut held = Vec::new();
    loop {
        let mut connection = Connection::open(server.address).expect("connects");
        // A connection that has a place is read from; one that has none is told so, and what it says is thrown away.
        let asked = connection.request("GET", "/healthz", &[], &[]).expect("an answer");
        if asked.status != 200 {
            return (held, asked);
        }
        held.push(connection);
        assert!(held.len() < 100, "nobody is refused");
    }
}

#[test]
fn who_takes_too_many_places_is_refused_and_others_are_not() {
    for (limits, places, status) in [
        ("connections = 40\nconnections_per_peer = 6\nunlimited_peers = []", 6, 429),
        // This machine has no limit of its own unless the site file says so.
        ("connections = 8\nconnections_per_peer = 2", 8, 503),
    ] {
        let site = Site::new(1, &format!("[limits]\nbody_timeout_s = 600\nfree_bytes = \"24 MiB\"\n{limits}"));
        let server = site.start();
        let (mut held, refusal) = fill(&server);
        assert_eq!((held.len(), refusal.status), (places, status), "{}", refusal.text());
        refusal.assert_problem();
        assert_eq!((refusal.header("retry-after"), refusal.header("connection")), (Some("1"), Some("close")));
        // Those who have a place keep it, and who leaves makes room.
        let picture = pictures("lane000-").swap_remove(2);
        let reply = held[0].request("POST", "/v1/lanes/lane-0/frames", &[], &picture).expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let metrics = held[1].request("GET", "/metrics", &[], &[]).expect("an answer").text();
        let refused = format!("garita_connections_refused_total{{limit=\"{}\"}} 1", if status == 429 { "peer" } else { "total" });
        assert!(metrics.contains(&refused) && metrics.contains(&format!("garita_connections {places}")), "{metrics}");
        drop(held);
        let room = (0..600).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            Connection::open(server.address).and_then(|mut connection| connection.request("GET", "/healthz", &[], &[])).is_ok_and(|reply| reply.status == 200)
        });
        assert!(room, "nobody was let in afterwards");
        assert!(server.stop().1, "{}", site.log());
    }
}

#[test]
fn a_body_in_drops_is_ended() {
    let site = Site::new(1, "[limits]\nbody_timeout_s = 2\nfree_bytes = \"24 MiB\"");
    let server = site.start();
    let mut connection = Connection::open(server.address).expect("connects");
    connection.send(b"POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n").expect("sends");
    let ended = (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(200));
        connection.send(b"d").is_err()
    });
    assert!(ended, "still taking drops after a minute");
}

#[test]
fn stopping_does_not_wait_for_idle_connections() {
    let site = Site::new(1, "");
    let server = site.start();
    let idle: Vec<Connection> = (0..20).map(|_| Connection::open(server.address).expect("connects")).collect();
    let (took, well) = server.stop();
    assert!(well && took < Duration::from_secs(12), "stopping took {took:?}: {}", site.log());
    drop(idle);
}

#[test]
fn many_large_bodies_cost_bounded_memory() {
    // Each may be 16 MiB, and all come at once but for their last byte: 640 MiB where 256 are allowed.
    let site = Site::new(1, "");
    let server = site.start();
    let before = server.rss_kib();
    let body = vec![0x55; (16 << 20) - 1];
    let connections: Vec<Connection> = (0..40)
        .map(|_| {
            let mut connection = Connection::open(server.address).expect("connects");
            let head = format!("POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", 16 << 20);
            // It may be refused before everything is sent.
            let _ = connection.send(head.as_bytes()).and_then(|()| connection.send(&body));
            connection
        })
        .collect();
    let grown = server.rss_kib().saturating_sub(before) >> 10;
    println!("memory grew by {grown} MiB under 640 MiB of bodies");
    assert!(grown < 450, "memory grew by {grown} MiB");
    // Who is still sending when the answer comes may never read it: the server's own count says it.
    assert!(server.counts()[1] > 0, "nobody was refused");
    drop(connections);
    // Whoever held the memory is gone: there is room again.
    let room = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        let picture = pictures("lane000-").swap_remove(2);
        Connection::open(server.address)
            .and_then(|mut connection| connection.request("POST", "/v1/lanes/lane-0/frames", &[], &picture))
            .is_ok_and(|reply| reply.status == 201)
    });
    assert!(room, "no frame was taken afterwards");
}
