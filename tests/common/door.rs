//! A door that keeps a record of what is handed in, and answers as a test wants.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use garita::service::door::{Answer, Incoming, Kept};

/// What was handed in.
#[derive(Clone, Default)]
pub(crate) struct FakeDoor {
    frames: Arc<Mutex<Vec<Incoming>>>,
}

impl FakeDoor {
    /// Takes everything.
    pub(crate) fn submit(&self) -> impl Fn(Incoming) -> std::future::Ready<Answer> + Clone + Send + 'static {
        self.answering(|_| kept())
    }

    /// Answers as `answer` says, which is given the number of the frame.
    pub(crate) fn answering(
        &self,
        answer: impl Fn(usize) -> Answer + Clone + Send + 'static,
    ) -> impl Fn(Incoming) -> std::future::Ready<Answer> + Clone + Send + 'static {
        let frames = Arc::clone(&self.frames);
        move |incoming| {
            let mut frames = frames.lock().expect("no panic");
            frames.push(incoming);
            std::future::ready(answer(frames.len() - 1))
        }
    }

    /// All so far.
    pub(crate) fn frames(&self) -> Vec<Incoming> {
        self.frames.lock().expect("no panic").clone()
    }
}

/// The answer to a frame that was kept.
pub(crate) fn kept() -> Answer {
    Answer::Kept(Kept { frame: 1, sequence: 0, replay: false, skipped: 0, plates: Vec::new(), took_ms: 1.0 })
}

/// Waits until `true`, for at most a minute: machines are shared.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
