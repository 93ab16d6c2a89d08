//! Which sources something came from lately: `garita_source_active`.

use std::sync::atomic::{AtomicI64, Ordering};

use super::door::now_ms;
use super::metrics;
use super::uploads::{Kind, Upload};

/// A source is active when something came from it within this, milliseconds: a camera's frames come every second, a passing train's columns faster.
const ACTIVE_MS: i64 = 60_000;

/// Ways in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Posted.
    Http,
    /// Columns while a train passes.
    Columns,
    /// A folder that is watched.
    Folder,
    /// Files that stand in for trains.
    Replay,
}

impl Source {
    const ALL: [Source; 4] = [Source::Http, Source::Columns, Source::Folder, Source::Replay];

    fn name(self) -> &'static str {
        match self {
            Source::Http => "http",
            Source::Columns => "columns",
            Source::Folder => "folder",
            Source::Replay => "replay",
        }
    }
}

impl From<Kind> for Source {
    fn from(kind: Kind) -> Source {
        match kind {
            Kind::Scan => Source::Http,
            Kind::Columns => Source::Columns,
        }
    }
}

/// When something came last, by portal and source.
#[derive(Debug, Default)]
pub(super) struct Activity {
    last_ms: Vec<[AtomicI64; Source::ALL.len()]>,
}

impl Activity {
    pub(super) fn new(portals: usize) -> Activity {
        Activity { last_ms: (0..portals).map(|_| Default::default()).collect() }
    }

    /// Something came.
    pub(super) fn hear(&self, portal: usize, source: Source) {
        self.last_ms[portal][source as usize].store(now_ms(), Ordering::Relaxed);
    }

    /// Something came of an upload, at its own time.
    pub(super) fn heard(&self, portal: Option<usize>, upload: &Upload) {
        if let Some(portal) = portal {
            let source = Source::from(upload.about.kind);
            self.last_ms[portal][source as usize].fetch_max(upload.heard_ms.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// When something came last from any source, milliseconds since the Unix epoch.
    pub(super) fn last_ms(&self, portal: usize) -> Option<i64> {
        self.last_ms[portal].iter().map(|last| last.load(Ordering::Relaxed)).max().filter(|&last| last > 0)
    }

    /// Sets the gauges; sources that nothing ever came from have none.
    pub(super) fn tell(&self, ids: impl Iterator<Item = impl AsRef<str>>, now_ms: i64) {
        for (id, lasts) in ids.zip(&self.last_ms) {
            for source in Source::ALL {
                let last = lasts[source as usize].load(Ordering::Relaxed);
                if last > 0 {
                    metrics::source_active(source.name(), id.as_ref(), now_ms - last <= ACTIVE_MS);
                }
            }
        }
    }
}
