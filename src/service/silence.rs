//! Lanes that see nothing: told outside once an incident, and kept, so that a search can say what it cannot have seen.
//!
//! A lane is *down* when no frame has come from it for its `silence_s`, by a clock that never jumps, or its camera is pulled and down; *up* with its next frame. That the service was
//! not running is known by its beat, written every ten seconds.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::watch;

use super::door::now_ms;
use super::source::Link;
use super::uploads::blocking;
use super::{Service, metrics};
use crate::custody::record::Fate;
use crate::custody::{lookback, outages, outbox};

/// How often lanes are looked at; every tenth time the beat is written.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS_A_BEAT: u64 = 10;
/// A beat so much older than now is of a service that was not running, milliseconds.
const GAP_MS: i64 = 30_000;

/// What is known of one lane.
struct Lane {
    /// When its last frame came in, by the machine's clock and by one that never jumps.
    last_ms: i64,
    last: Instant,
    down: bool,
}

/// Looks at the lanes until `stopped`.
pub(super) async fn watch(service: Service, mut stopped: watch::Receiver<bool>) {
    let begun_ms = now_ms();
    let ids: Vec<String> = service.site.lanes.iter().map(|lane| lane.id.clone()).collect();
    keep(&service, move |transaction| {
        lookback::end_all(transaction, begun_ms)?;
        outages::resume(transaction, &ids, begun_ms, GAP_MS)
    })
    .await;
    let mut lanes: Vec<Lane> = service.site.lanes.iter().map(|_| Lane { last_ms: begun_ms, last: Instant::now(), down: false }).collect();
    let mut every = tokio::time::interval(LOOK);
    let mut looks = 0u64;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.changed() => return,
        }
        looks += 1;
        for (index, lane) in lanes.iter_mut().enumerate() {
            look(&service, index, lane).await;
        }
        if looks.is_multiple_of(LOOKS_A_BEAT) {
            keep(&service, |transaction| outages::beat(transaction, now_ms())).await;
        }
    }
}

/// Whether the lane has gone down or come up, and keeps that.
async fn look(service: &Service, index: usize, lane: &mut Lane) {
    let settings = &service.site.lanes[index];
    let last_ms = service.door.counts(index).last_ms.load(Ordering::Relaxed);
    if last_ms != 0 && last_ms != lane.last_ms {
        (lane.last_ms, lane.last) = (last_ms, Instant::now());
    }
    let silent = settings.silence_s > 0 && lane.last.elapsed() >= Duration::from_secs(settings.silence_s);
    let link = service.fetched[index].pull.as_ref().map(|pull| pull.link().borrow().clone());
    let why = match link {
        Some(Link::Down { since_ms, why }) => Some((since_ms, why)),
        _ if silent => Some((lane.last_ms, format!("no frame for {} s", settings.silence_s))),
        _ => None,
    };
    metrics::lane_down(&settings.id, why.is_some());
    if why.is_some() == lane.down {
        return;
    }
    let (id, last_ms) = (settings.id.clone(), lane.last_ms);
    let kept = match why {
        Some((from_ms, why)) => {
            keep(service, move |transaction| {
                if outages::begin(transaction, &id, from_ms, &why)? {
                    outbox::tell(transaction, "lane.down", &format!("lane/{id}"), &json!({ "lane": id, "from_ms": from_ms, "why": why }), now_ms())?;
                }
                Ok(())
            })
            .await
        }
        None => {
            keep(service, move |transaction| {
                if outages::end(transaction, &id, last_ms)? {
                    outbox::tell(transaction, "lane.up", &format!("lane/{id}"), &json!({ "lane": id, "since_ms": last_ms }), now_ms())?;
                }
                Ok(())
            })
            .await
        }
    };
    // What was not kept is tried again with the next look.
    if kept {
        lane.down = !lane.down;
    }
}

/// Whether a change was kept.
async fn keep(service: &Service, change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<()> + Send + 'static) -> bool {
    let custody = service.custody.clone();
    let fate = blocking(move || custody.change(move |transaction| change(transaction).map(|()| 0))).await;
    if let Fate::Failed(error) = &fate {
        tracing::error!(%error, "what lanes did not see is not kept");
    }
    matches!(fate, Fate::Kept(_))
}
