//! Files that stand in for cameras: a lane's `replay`, over and over.

use std::time::Duration;

use tokio::sync::watch;

use super::door::{Answer, Incoming};
use super::{Service, replayed};

/// Starts a task for each lane that replays files; they end when `stopped` says so.
pub(super) fn start(service: &Service, stopped: &watch::Receiver<bool>) {
    for (lane, settings) in service.site.lanes.iter().enumerate() {
        if let Some(replay) = &settings.replay
            && !replay.files.is_empty()
        {
            let (service, replay, mut stopped) = (service.clone(), replay.clone(), stopped.clone());
            tokio::spawn(async move {
                let mut every = tokio::time::interval(Duration::from_millis(replay.every_ms.max(1)));
                for sequence in 0u64.. {
                    tokio::select! {
                        _ = every.tick() => {}
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
