//! Starts what the service fetches itself: a task for each lane's camera and folder.

use std::sync::Arc;

use tokio::sync::watch;

use super::door::{Incoming, Refused};
use super::mjpeg::{self, Camera};
use super::source::{Patience, Source};
use super::{Service, folder};
#[cfg(not(feature = "rtsp"))]
use crate::error::{Error, Fault};
use crate::site::{Pull, PullKind, Site};

/// The sources of a lane.
pub(super) struct Fetched {
    pub(super) pull: Option<Arc<Source>>,
    pub(super) folder: Option<Arc<Source>>,
}

impl Fetched {
    /// The sources of each lane of the site.
    pub(super) fn of(site: &Site) -> Vec<Fetched> {
        let source = |lane: &str, kind| Arc::new(Source::new(lane, kind));
        let of_lane = |lane: &crate::site::Lane| Fetched {
            pull: lane.pull.as_ref().map(|_| source(&lane.id, "pull")),
            folder: lane.folder.as_ref().map(|_| source(&lane.id, "folder")),
        };
        site.lanes.iter().map(of_lane).collect()
    }
}

/// Starts them; they end when `stopped` says so.
pub(super) fn start(service: &Service, stopped: &watch::Receiver<bool>) {
    for (lane, (settings, fetched)) in service.site.lanes.iter().zip(service.fetched.iter()).enumerate() {
        let submit = {
            let door = service.door.clone();
            move |incoming: Incoming| {
                let door = door.clone();
                async move { door.submit(incoming).await }
            }
        };
        if let (Some(path), Some(source)) = (&settings.folder, &fetched.folder) {
            let (folder, source, submit, door) = (folder::Folder::new(lane, path.clone()), Arc::clone(source), submit.clone(), service.door.clone());
            let refused = move || door.refused(Some(lane), Refused::Rejected);
            until(stopped, async move { folder::watch(folder, &source, submit, refused).await });
        }
        if let (Some(pull), Some(source)) = (&settings.pull, &fetched.pull) {
            let (camera, source) = (camera(lane, pull), Arc::clone(source));
            match pull.kind {
                PullKind::Mjpeg => until(stopped, async move { mjpeg::pull(camera, &source, submit).await }),
                #[cfg(feature = "rtsp")]
                PullKind::Rtsp => until(stopped, async move { super::rtsp::pull(camera, &source, submit).await }),
                #[cfg(not(feature = "rtsp"))]
                PullKind::Rtsp => {
                    let message = "this garita was built without RTSP: build it with `--features rtsp`, or use the camera's MJPEG stream";
                    source.failed(&Error::new(Fault::Unsupported, message));
                }
            }
        }
    }
}

fn camera(lane: usize, pull: &Pull) -> Camera {
    let password = pull.password.as_ref().map_or("", |password| password.expose());
    let login = pull.user.as_ref().map(|user| (user.clone(), password.to_owned()));
    Camera { lane, url: pull.url.clone(), login, fps: pull.fps, patience: Patience::default() }
}

fn until(stopped: &watch::Receiver<bool>, fetching: impl Future<Output = ()> + Send + 'static) {
    let mut stopped = stopped.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = fetching => {}
            _ = stopped.changed() => {}
        }
    });
}
