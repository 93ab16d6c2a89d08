//! Any text is a list's layout, something to search for, a site file, secrets of a webhook, or an error.
#![no_main]

use std::path::Path;

use garita::custody::search::{Meant, automaton};
use garita::service::webhooks::signature::Secrets;
use garita::site::Site;
use garita::watchlist::Mapping;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for meant in [Meant::Exact, Meant::Prefix, Meant::Near, Meant::Pattern] {
        if let Ok(automaton) = automaton(text, meant, 2) {
            let _ = (automaton.takes(b"7ABC123"), automaton.reversed().takes(b"321CBA7"));
        }
    }
    let _ = (Mapping::parse(text), Secrets::parse(text), Site::parse(text, Path::new("/nowhere"), []));
});
