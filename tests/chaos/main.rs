//! What must never go wrong, tried on the real server: it is killed, starved of disk, lied to, flooded, and what it acknowledged is held against its store.
//!
//! Everything runs on the loopback address, is bounded, and stops by itself. These tests judge what is right, never how fast; `cargo bench --bench service` judges
//! that. By hand the same tests run longer: `cargo xtask chaos --long`, which sets the variables that [`number`] reads.
//!
//! | module | is |
//! |---|---|
//! | `server`, `camera`, `proxy`, `ledger` | the server's process, what posts frames, a bad link, and what was sent held against what was kept |
//! | `kills` | R1, R13: kill -9, and the same frame again |
//! | `disk` | R3, R4: a full disk, a disk that fails to sync |
//! | `hostile` | R5-R7: truncations, mutations, bombs, garbage, at the door for frames |
//! | `doors` | R5-R7 at the others: scans, columns, papers, reads of cameras |
//! | `slow` | R8: half-open and slow connections |
//! | `lists` | R9: lists replaced under load, entries that expire |
//! | `clocks` | R11: clocks that jump |
//! | `overload` | L3: more than can be looked at, every frame accounted for |
//! | `devices` | who may post |
//! | `outside` | stopping under load, and the log |
//! | `opinions` | what cameras read by themselves |
//! | `threads` | one that has died |

mod camera;
mod clocks;
mod devices;
mod disk;
mod doors;
mod hostile;
mod kills;
mod ledger;
mod lists;
mod opinions;
mod outside;
mod overload;
mod proxy;
mod server;
#[path = "../common/skip.rs"]
mod skip;
mod slow;
mod threads;

/// A number from the environment, for the long form; `usual` without one.
fn number(variable: &str, usual: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}: {text:?} is no whole number")),
        Err(_) => usual,
    }
}

/// Whether a tool of the system is there. A test without its tool says so loudly, and fails where `GARITA_FORBID_SKIP` is set.
fn have(tool: &str, probe: &mut std::process::Command) -> bool {
    let there = probe.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return true;
    }
    skip::skip(&format!("{tool} is missing or not permitted here; what it would have shown stays unproven"));
    false
}
