//! Which sources something came from lately: `garita_source_active`.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::door::now_ms;
use super::metrics;
use super::uploads::{Kind, Upload};

/// A source is active when something came from it within this: a camera's frames come every second, a passing train's columns faster.
const ACTIVE: Duration = Duration::from_secs(60);

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

/// When something came last: by a clock that never jumps, which decides, and milliseconds since the Unix epoch, which is told.
type Last = Option<(Instant, i64)>;

/// When something came last, by portal and source.
#[derive(Debug, Default)]
pub(super) struct Activity {
    lasts: Vec<Mutex<[Last; Source::ALL.len()]>>,
}

impl Activity {
    pub(super) fn new(portals: usize) -> Activity {
        Activity { lasts: (0..portals).map(|_| Mutex::default()).collect() }
    }

    /// Something came.
    pub(super) fn hear(&self, portal: usize, source: Source) {
        self.note(portal, source, (Instant::now(), now_ms()));
    }

    /// Something came of an upload, at its own time.
    pub(super) fn heard(&self, portal: Option<usize>, upload: &Upload) {
        if let Some(portal) = portal {
            self.note(portal, Source::from(upload.about.kind), (upload.heard(), upload.heard_ms.load(Ordering::Relaxed)));
        }
    }

    fn note(&self, portal: usize, source: Source, heard: (Instant, i64)) {
        let last = &mut self.lasts(portal)[source as usize];
        if last.is_none_or(|(before, _)| before <= heard.0) {
            *last = Some(heard);
        }
    }

    fn lasts(&self, portal: usize) -> std::sync::MutexGuard<'_, [Last; Source::ALL.len()]> {
        self.lasts[portal].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When something came last from any source, milliseconds since the Unix epoch.
    pub(super) fn last_ms(&self, portal: usize) -> Option<i64> {
        self.lasts(portal).iter().flatten().max_by_key(|(heard, _)| *heard).map(|&(_, heard_ms)| heard_ms)
    }

    /// Sets the gauges; sources that nothing ever came from have none.
    pub(super) fn tell(&self, ids: impl Iterator<Item = impl AsRef<str>>) {
        for (portal, id) in ids.enumerate() {
            let lasts = *self.lasts(portal);
            for (source, last) in Source::ALL.into_iter().zip(lasts) {
                if let Some((heard, _)) = last {
                    metrics::source_active(source.name(), id.as_ref(), heard.elapsed() <= ACTIVE);
                }
            }
        }
    }
}
