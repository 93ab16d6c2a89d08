//! What tests say that need more than Rust, Python and the provisioned library, and do not find it.

use std::io::Write;

/// Says aloud that something stays untried because of `why`; fails where `GARITA_FORBID_SKIP` is set, as `.ci/run`, which installs what is needed, does.
#[allow(dead_code, reason = "each test uses its part")]
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("GARITA_FORBID_SKIP").is_none(), "{why}; and GARITA_FORBID_SKIP is set");
    untried(why);
}

/// Says it alone: for what nothing could install, and what something else tries too.
#[allow(dead_code, reason = "each test uses its part")]
pub(crate) fn untried(why: &str) {
    // Past libtest, which keeps back what a passing test prints by eprintln!.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
