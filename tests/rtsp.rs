//! Cameras pulled over RTSP, against GStreamer's server from Debian's packages.
#![cfg(feature = "rtsp")]

#[path = "common/door.rs"]
mod door;
#[path = "common/skip.rs"]
mod skip;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use door::FakeDoor;
use garita::lane::frame::Luma;
use garita::service::mjpeg::Camera;
use garita::service::rtsp::pull;
use garita::service::source::{Link, Patience, Source};

/// A server; gone when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None`, said loudly, where what it needs is not installed.
fn server(port: u16) -> Option<Server> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new("/usr/bin/python3")
        .arg(folder.join("tests/common/rtsp_server.py"))
        .arg(port.to_string())
        .arg(folder.join("testdata/lane/img/lane000-%05d.jpg"))
        .arg("garita:secret")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Debian's Python");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    if let Ok(port) = line.trim().parse() {
        return Some(Server { child, port });
    }
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(3), "the server ends with {status}");
    let needs = "apt-get install gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly python3-gi";
    skip::skip(&format!("no RTSP server here; {needs}"));
    None
}

async fn wait(link: &mut tokio::sync::watch::Receiver<Link>, up: bool) -> Link {
    let right = |link: &Link| if up { matches!(link, Link::Up { .. }) } else { matches!(link, Link::Down { .. }) };
    let waited = tokio::time::timeout(Duration::from_secs(60), link.wait_for(right)).await;
    waited.unwrap_or_else(|_| panic!("not {} after a minute", if up { "up" } else { "down" })).expect("a state").clone()
}

/// The least mean difference of luma, 0..=255, to any of the pictures that the server sends.
fn difference(frame: &[u8]) -> f64 {
    let mut luma = Luma::default();
    luma.decode(frame).expect("a sound JPEG");
    (0..19)
        .map(|number| {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/lane/img/lane000-{number:05}.jpg"));
            let mut original = Luma::default();
            original.decode(&std::fs::read(path).expect("testdata")).expect("sound");
            assert_eq!((luma.width, luma.height), (original.width, original.height));
            let sum: u64 = luma.pixels.iter().zip(&original.pixels).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
            sum as f64 / luma.pixels.len() as f64
        })
        .fold(f64::MAX, f64::min)
}

#[tokio::test]
async fn frames_come_as_sent_and_come_again_after_the_camera_restarts() {
    let Some(first) = server(0) else { return };
    let port = first.port;
    let short = Duration::from_millis(100);
    let patience = Patience { first_wait: short, most_wait: 5 * short, stall: Duration::from_secs(20), steady: 5 * short };
    let login = Some(("garita".to_owned(), "secret".to_owned()));
    let camera = Camera { lane: 0, url: format!("rtsp://127.0.0.1:{port}/lane"), login, fps: 5.0, patience };
    let (source, door) = (Arc::new(Source::new("south-1", "pull")), FakeDoor::default());
    let mut link = source.link();
    let task = {
        let (source, submit) = (Arc::clone(&source), door.submit());
        tokio::spawn(async move { pull(camera, &source, submit).await })
    };
    wait(&mut link, true).await;
    while door.frames().len() < 5 {
        tokio::time::sleep(short).await;
        assert!(matches!(*link.borrow(), Link::Up { .. }), "{:?}", *link.borrow());
    }
    for frame in door.frames() {
        // 8: two lossy encodings and another range of luma; other pictures of the set differ by more.
        let difference = difference(&frame.bytes);
        assert!(difference < 8.0, "a frame differs by {difference:.1} from the nearest that was sent");
    }
    let sequences: Vec<_> = door.frames().iter().map(|frame| frame.sequence).collect();
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]), "{sequences:?}");
    drop(first);
    wait(&mut link, false).await;
    let before = door.frames().len();
    let _second = server(port).expect("it was installed before");
    wait(&mut link, true).await;
    door::until("frames come again", || door.frames().len() >= before + 2).await;
    assert_eq!(source.counts.incidents.load(Ordering::Relaxed), 1);
    task.abort();
}

#[tokio::test]
async fn what_cannot_be_pulled_says_why() {
    let Some(server) = server(0) else { return };
    let patience = Patience { first_wait: Duration::from_millis(50), ..Patience::default() };
    let url = |path: &str| format!("rtsp://127.0.0.1:{}/{path}", server.port);
    let login = |password: &str| Some(("garita".to_owned(), password.to_owned()));
    for (url, login, want) in
        [(url("lane"), login("wrong"), "401"), (url("other"), login("secret"), "404"), ("rtsp://127.0.0.1:1/".to_owned(), None, "refused")]
    {
        let camera = Camera { lane: 0, url, login, fps: 5.0, patience };
        let source = Arc::new(Source::new("south-1", "pull"));
        let mut link = source.link();
        let task = {
            let (source, submit) = (Arc::clone(&source), FakeDoor::default().submit());
            tokio::spawn(async move { pull(camera, &source, submit).await })
        };
        let Link::Down { why, .. } = wait(&mut link, false).await else { unreachable!() };
        assert!(why.contains(want) && why.starts_with("lane south-1: "), "{why}");
        task.abort();
    }
}
