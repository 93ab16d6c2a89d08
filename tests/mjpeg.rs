//! Cameras pulled over HTTP: pictures whole and in order, the newest under load, logins, silence and failure.

// Each of these tests uses its part of what they share.
#![allow(dead_code)]

#[path = "common/camera.rs"]
mod camera;
#[path = "common/door.rs"]
mod door;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use camera::{FakeCamera, Script, Then};
use door::{FakeDoor, until};
use garita::error::Fault;
use garita::lane::frame::MAX_BYTES;
use garita::service::door::{Answer, Incoming};
use garita::service::mjpeg::{Camera, pull};
use garita::service::multipart::{Part, Parts, boundary_of};
use garita::service::source::{Link, Patience, Source};
use proptest::prelude::*;
use tokio::task::JoinHandle;

fn pictures(number: usize) -> Vec<Vec<u8>> {
    (0..number).map(|at| [&[0xFF, 0xD8][..], format!("picture {at}").as_bytes(), &[0xFF, 0xD9]].concat()).collect()
}

fn camera(url: String) -> Camera {
    let short = Duration::from_millis(10);
    let patience = Patience { first_wait: short, most_wait: 2 * short, stall: Duration::from_millis(300), steady: Duration::from_millis(200) };
    Camera { lane: 3, url, login: None, fps: 1_000.0, patience }
}

fn start<F, Fut>(camera: Camera, submit: F) -> (Arc<Source>, JoinHandle<()>)
where
    F: Fn(Incoming) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send,
{
    let source = Arc::new(Source::new("south-1", "pull"));
    let own = Arc::clone(&source);
    (source, tokio::spawn(async move { pull(camera, &own, submit).await }))
}

async fn why_down(source: &Source) -> String {
    let mut link = source.link();
    let down =
        tokio::time::timeout(Duration::from_secs(60), link.wait_for(|link| matches!(link, Link::Down { .. }))).await.expect("it is down").expect("a state");
    let Link::Down { why, .. } = &*down else { unreachable!() };
    why.clone()
}

#[tokio::test]
async fn pictures_come_whole_and_in_order_with_and_without_lengths() {
    for lengths in [true, false] {
        let server = FakeCamera::start(Script { lengths, ..Script::of(pictures(5), Duration::from_millis(20)) }).await;
        let door = FakeDoor::default();
        let (source, task) = start(camera(server.url()), door.submit());
        until("ten have come", || door.frames().len() >= 10).await;
        for (at, frame) in door.frames().iter().enumerate().take(10) {
            assert_eq!((&frame.bytes[..], frame.lane, frame.sequence), (&pictures(5)[at % 5][..], 3, Some(at as u64)), "lengths: {lengths}");
            assert!(frame.captured_ms.is_some());
        }
        assert!(matches!(*source.link().borrow(), Link::Up { .. }));
        task.abort();
    }
}

#[tokio::test]
async fn the_newest_is_handed_in_and_no_more_than_wanted() {
    let server = FakeCamera::start(Script::of(pictures(50), Duration::from_millis(5))).await;
    let door = FakeDoor::default();
    let (source, task) = start(Camera { fps: 10.0, ..camera(server.url()) }, door.submit());
    until("four were handed in", || door.frames().len() >= 4).await;
    let seen = source.counts.frames.load(Ordering::Relaxed);
    // Three tenths of a second at 200 a second: far more came than were handed in, however slow the machine.
    assert!(seen >= 12, "{seen} came");
    let sequences: Vec<u64> = door.frames().iter().filter_map(|frame| frame.sequence).collect();
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]) && sequences[3] >= 9, "{sequences:?}");
    task.abort();
}

#[tokio::test]
async fn logins_of_both_kinds_and_a_refusal() {
    // The answer to Digest changes with every attempt; that it is one is seen by its user and its realm.
    let digest = (r#"Digest realm="camera", nonce="abc123", qop="auth", algorithm=MD5"#, r#"Digest username="garita", realm="camera""#);
    for login in [("Basic realm=\"camera\"", "Basic Z2FyaXRhOnNlY3JldA=="), digest] {
        let server = FakeCamera::start(Script { login: Some(login), ..Script::of(pictures(1), Duration::from_millis(5)) }).await;
        let door = FakeDoor::default();
        let with = |password: &str| Camera { login: Some(("garita".to_owned(), password.to_owned())), ..camera(server.url()) };
        let (_source, task) = start(with("secret"), door.submit());
        until("a picture has come", || !door.frames().is_empty()).await;
        task.abort();
        if login.0.starts_with("Basic") {
            let (source, task) = start(with("wrong"), FakeDoor::default().submit());
            assert!(why_down(&source).await.contains("refuses the user or the password"));
            task.abort();
        }
        let (source, task) = start(camera(server.url()), FakeDoor::default().submit());
        assert!(why_down(&source).await.contains("password_file"));
        task.abort();
    }
}

#[tokio::test]
async fn a_camera_that_fails_is_down_once_and_up_again() {
    for (then, want) in [(Then::Silence, "no picture for 0.3 s"), (Then::Half, "ended the stream"), (Then::Close, "ended the stream")] {
        let server = FakeCamera::start(Script { flapping: 3, then, ..Script::of(pictures(2), Duration::from_millis(5)) }).await;
        let (source, task) = start(camera(server.url()), FakeDoor::default().submit());
        let why = why_down(&source).await;
        assert!(why.contains(want), "{why}");
        let mut link = source.link();
        link.wait_for(|link| matches!(link, Link::Up { .. })).await.expect("a state");
        assert_eq!(source.counts.incidents.load(Ordering::Relaxed), 1);
        assert_eq!(server.connections.load(Ordering::SeqCst), 4);
        task.abort();
    }
}

#[tokio::test]
async fn what_is_no_stream_is_told_with_what_to_do() {
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address")
    };
    let server = FakeCamera::start(Script { pictures: vec![vec![0; MAX_BYTES as usize + 1]], ..Script::of(pictures(1), Duration::from_millis(5)) }).await;
    for (url, want) in [(format!("http://{nobody}/"), "refused"), ("https://127.0.0.1/".to_owned(), "only http://"), (server.url(), "a part has more than")] {
        let camera = camera(url);
        // Large pictures take their time.
        let patience = Patience { stall: Duration::from_secs(8), ..camera.patience };
        let (source, task) = start(Camera { patience, ..camera }, FakeDoor::default().submit());
        let why = why_down(&source).await;
        assert!(why.contains(want) && why.starts_with("lane south-1: "), "{why}");
        task.abort();
    }
}

fn take_apart(body: &[u8], boundary: &str, limit: usize, steps: &[usize]) -> garita::error::Result<(Vec<Part>, bool)> {
    let (mut parts, mut taken, mut rest, mut step) = (Parts::new(boundary, limit)?, Vec::new(), body, 0);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(steps[step % steps.len()].min(rest.len()));
        (rest, step) = (later, step + 1);
        parts.push(now);
        while let Some(part) = parts.next_part()? {
            taken.push(part);
        }
    }
    Ok((taken, parts.is_over()))
}

#[test]
fn boundaries_are_found_in_types() {
    for (kind, want) in [
        ("multipart/x-mixed-replace; boundary=--myboundary", Some("--myboundary")),
        ("Multipart/X-Mixed-Replace;boundary=\"shot\"; charset=x", Some("shot")),
        ("multipart/form-data; charset=utf-8; Boundary=a=b", Some("a=b")),
        ("multipart/x-mixed-replace", None),
        ("image/jpeg; boundary=no", None),
        ("é", None),
    ] {
        assert_eq!(boundary_of(kind).as_deref(), want, "{kind}");
    }
}

#[test]
fn what_cameras_do_to_the_standard() {
    for body in [
        &b"--b\r\nX-A: 1\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"[..],
        b"junk before\n--b\nX-A: 1\n\none\n--b\n\ntwo\n--b--\n",
        b"\r\n----b\r\nX-A:1\r\nContent-Length: 3\r\n\r\none----b  \r\nContent-Length:3\r\n\r\ntwojunk\r\n----b--\n",
    ] {
        let (parts, over) = take_apart(body, "--b", 100, &[1]).expect("sound");
        assert_eq!(parts.iter().map(|part| &part.body[..]).collect::<Vec<_>>(), [b"one", b"two"], "{}", body.escape_ascii());
        assert!(over && parts[0].header("x-a") == Some("1"));
    }
}

#[test]
fn everything_has_a_limit() {
    let long = vec![b'x'; 200_000];
    for (body, want) in [
        ([b"--b\r\nContent-Length: 1001\r\n\r\n", &long[..]].concat(), Fault::Limit),
        ([b"--b\r\n\r\n", &long[..]].concat(), Fault::Limit),
        ([b"--b\r\nA: ", &long[..]].concat(), Fault::Limit),
        (long.clone(), Fault::Damaged),
    ] {
        assert_eq!(take_apart(&body, "b", 1000, &[4096]).expect_err("too long").fault, want);
    }
    assert!(Parts::new("--", 10).is_err());
}

#[test]
fn a_length_that_is_too_long_costs_pictures_and_not_the_stream() {
    let picture = [7; 100_000];
    let body: Vec<u8> = (0..8).flat_map(|_| [&b"--b\r\nContent-Length: 100100\r\n\r\n"[..], &picture, b"\r\n"].concat()).collect();
    let (parts, _) = take_apart(&body, "b", 1 << 20, &[1_460]).expect("a boundary is found again");
    assert!(parts.len() >= 4 && parts.iter().all(|part| part.body.starts_with(&picture)), "{} parts", parts.len());
    // What never has a boundary is no stream of pictures.
    assert!(take_apart(&picture, "b", 1 << 20, &[1_460]).is_err());
}

#[test]
fn what_is_let_go_makes_no_line_begin() {
    // Two dashes and the name within a line are no boundary, also where all before them has been let go.
    let body = format!("x--b{}\r\n\r\npicture\r\n--b--\r\n", " ".repeat(198));
    for steps in [usize::MAX, 1] {
        let (parts, over) = take_apart(body.as_bytes(), "b", 1000, &[steps]).expect("a boundary");
        assert!(parts.is_empty() && over, "{parts:?}");
    }
}

proptest! {
    #[test]
    fn parts_come_out_as_they_went_in(
        bodies in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..400), any::<bool>()), 1..6),
        steps in prop::collection::vec(1..90usize, 1..8),
        line_end in prop::sample::select(vec!["\r\n", "\n"]),
    ) {
        let mut body = String::from("before").into_bytes();
        for (part, length) in &bodies {
            body.extend(format!("{line_end}--a-boundary-of-mine{line_end}").as_bytes());
            if *length {
                body.extend(format!("Content-Length: {}{line_end}", part.len()).as_bytes());
            }
            body.extend(line_end.as_bytes());
            body.extend(part);
        }
        body.extend(format!("{line_end}--a-boundary-of-mine--{line_end}").as_bytes());
        let (parts, over) = take_apart(&body, "a-boundary-of-mine", 400, &steps).expect("sound");
        prop_assert!(over);
        prop_assert_eq!(parts.len(), bodies.len());
        for (part, (body, length)) in parts.iter().zip(&bodies) {
            // Without a length, a CR at the end of a picture belongs to the line end after it where lines end with LF alone.
            let want = if *length || line_end == "\r\n" { &body[..] } else { body.strip_suffix(b"\r").unwrap_or(body) };
            prop_assert_eq!(&part.body[..], want);
        }
    }

    #[test]
    fn no_bytes_panic_and_steps_do_not_matter(
        pieces in prop::collection::vec(prop::sample::select(vec!["--b", "b", "-", "\r\n", "\n", "\r", "Content-Length: 3", ":", "x", "\u{e9}"]), 0..60),
        steps in prop::collection::vec(1..9usize, 1..5),
    ) {
        let body = pieces.concat();
        let whole = take_apart(body.as_bytes(), "b", 40, &[usize::MAX]);
        let in_steps = take_apart(body.as_bytes(), "b", 40, &steps);
        if let (Ok(whole), Ok(in_steps)) = (whole, in_steps) {
            prop_assert_eq!(whole.0, in_steps.0);
        }
    }
}
