//! Files that stand in for cameras: a lane's `replay`, over and over; and in the demo what it begins with.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use super::door::{Answer, Incoming};
use super::{Service, replayed};

/// How long the demo's lane rests between rounds: its queue is to be looked at, not to run over.
const DEMO_REST: Duration = Duration::from_secs(120);

/// Starts a task for each lane that replays files; they end when `stopped` says so.
pub(super) fn start(service: &Service, stopped: &watch::Receiver<bool>) {
    for (lane, settings) in service.site.lanes.iter().enumerate() {
        if let Some(replay) = &settings.replay
            && !replay.files.is_empty()
        {
            let (service, replay, mut stopped) = (service.clone(), replay.clone(), stopped.clone());
            tokio::spawn(async move {
                if service.site.demo {
                    begin_demo(&service, lane, &replay.files).await;
                }
                let mut every = tokio::time::interval(Duration::from_millis(replay.every_ms.max(1)));
                for sequence in 0u64.. {
                    let rests = service.site.demo && sequence > 0 && sequence.is_multiple_of(replay.files.len() as u64);
                    tokio::select! {
                        () = tokio::time::sleep(DEMO_REST), if rests => every.reset_immediately(),
                        _ = every.tick(), if !rests => {}
                        _ = stopped.changed() => return,
                    }
                    let path = &replay.files[sequence as usize % replay.files.len()];
                    match replayed(path) {
                        Ok(bytes) => {
                            let captured_ms = Some(super::now_ms());
                            let answer = service.door.submit(Incoming { lane, bytes, captured_ms, sequence: Some(sequence), digest: None, key: None }).await;
                            if let Answer::Bad(error) = answer {
                                tracing::warn!(%error, file = %path.display(), "a replayed frame is bad");
                            }
                        }
                        Err(error) => tracing::warn!(%error, "a file to replay cannot be read"),
                    }
                }
            });
        }
    }
}

/// The single pictures beside the demo's frames through its lane, once: hits of every kind for the queue, read by the real networks. Sent without a time, so
/// that a store which has them knows them again.
async fn begin_demo(service: &Service, lane: usize, frames: &[PathBuf]) {
    let Some(folder) = frames.first().and_then(|frame| frame.parent()) else { return };
    for number in 0.. {
        let path = folder.join(format!("single-{number:04}.jpg"));
        if !path.is_file() {
            return;
        }
        let Ok(bytes) = replayed(&path) else { continue };
        // One vehicle after the other, as at a gate.
        let answer = service.door.submit(Incoming { lane, bytes, captured_ms: None, sequence: None, digest: None, key: None }).await;
        match answer {
            Answer::Kept(_) => _ = service.door.trigger(lane).await,
            other => tracing::warn!(?other, file = %path.display(), "the demo goes without this picture"),
        }
    }
}
