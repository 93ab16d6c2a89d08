//! Seen from outside: a stop under load finishes what was accepted, and the log says of every line which request it belongs to.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::camera::{Connection, Shot, pictures, unlike};
use super::ledger::Ledger;
use super::server::{SOUGHT, Site};

#[test]
fn a_stop_under_load_finishes_what_was_accepted() {
    let site = Site::new(4, "");
    let (server, ledger, over) = (site.start(), Ledger::default(), AtomicBool::new(false));
    let (took, well) = std::thread::scope(|scope| {
        for lane in site.lanes() {
            let (ledger, over, address) = (&ledger, &over, server.address);
            scope.spawn(move || {
                let picture = pictures("lane000-").swap_remove(2);
                let mut connection = Connection::open(address).expect("connects");
                for number in 0.. {
                    let shot = Shot::new(&lane, format!("{lane} {number}"), unlike(&picture, number));
                    // Until the server has gone.
                    if ledger.note(&shot, shot.post(&mut connection)).is_none() || over.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        let begun = std::time::Instant::now();
        while ledger.tally().accepted < 20 && begun.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let stopped = server.stop();
        over.store(true, Ordering::Relaxed);
        stopped
    });
    println!("stopping under load took {took:?}: {:?}", ledger.tally());
    // Ten seconds for what is under way (limits.drain_s), and as much again for a machine that does other things.
    assert!(well && took < Duration::from_secs(20), "stopping took {took:?}: {}", site.log());
    assert!(ledger.check(&site.data, SOUGHT) >= 20);
}

#[test]
fn every_line_of_the_log_is_json_and_names_its_request() {
    let site = Site::new(1, "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_garita"));
    command.env("GARITA__LOG__FORMAT", "json").env("GARITA__LOG__LEVEL", "debug");
    let server = site.start_under(command);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut connection = Connection::open(server.address).expect("connects");
    let headers = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    let reply = connection.request("POST", "/v1/lanes/lane-0/frames", &headers, &pictures("lane000-")[2]).expect("an answer");
    assert_eq!((reply.status, reply.header("trace-id")), (201, Some(trace)));
    let other = server.get("/healthz");
    let other = other.header("trace-id").expect("a trace id of the server's own");
    assert!(server.stop().1, "{}", site.log());
    let log = site.log();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    for (trace, path) in [(trace, "/v1/lanes/lane-0/frames"), (other, "/healthz")] {
        let of =
            |line: &&serde_json::Value| line["spans"].as_array().is_some_and(|spans| spans.iter().any(|span| span["trace"] == trace && span["path"] == path));
        assert!(lines.iter().any(|line| of(&line)), "no line of {path}: {log}");
    }
}
