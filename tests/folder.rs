//! Watched folders: each file in once, in order, and where it belongs afterwards.

#[path = "common/door.rs"]
mod door;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use door::{FakeDoor, kept, until};
use garita::error::{Error, Fault};
use garita::service::door::{Answer, Incoming};
use garita::service::folder::{Folder, watch};
use garita::service::source::{Link, Patience, Source};

const JPEG: &[u8] = b"\xFF\xD8 a picture \xFF\xD9";
const OTHER: &[u8] = b"\xFF\xD8 another picture \xFF\xD9";

fn folder(path: &Path) -> Folder {
    let short = Duration::from_millis(5);
    let patience = Patience { first_wait: short, most_wait: 2 * short, stall: short, steady: short };
    Folder { every: short, patience, ..Folder::new(0, path.to_owned()) }
}

fn start<F, Fut>(folder: Folder, submit: F) -> (Arc<Source>, tokio::task::JoinHandle<()>)
where
    F: Fn(Incoming) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send,
{
    let source = Arc::new(Source::new("south-1", "folder"));
    let own = Arc::clone(&source);
    (source, tokio::spawn(async move { watch(folder, &own, submit, || {}).await }))
}

fn names(path: PathBuf) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()).unwrap_or_default();
    names.sort();
    names
}

#[tokio::test]
async fn finished_pictures_go_in_by_name_and_everything_else_stays() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    for name in ["b.jpg", "a.JPEG", "c.png.part", "notes.txt"] {
        fs::write(at(name), JPEG).expect("writes");
    }
    fs::write(at("d.png"), b"\x89PNG.. IEND....").expect("writes");
    fs::create_dir(at("e.jpg")).expect("creates");
    std::os::unix::fs::symlink(at("notes.txt"), at("f.jpg")).expect("links");
    assert!(std::process::Command::new("mkfifo").arg(at("g.jpg")).status().expect("mkfifo").success());
    let door = FakeDoor::default();
    let (source, task) = start(folder(place.path()), door.submit());
    until("three are done", || names(at("done")).len() == 3).await;
    fs::rename(at("c.png.part"), at("c.png")).expect("renames");
    fs::write(at("c.png"), b"\x89PNG.. IEND....").expect("writes");
    until("the fourth is done", || names(at("done")).len() == 4).await;
    let keys: Vec<String> = door.frames().into_iter().map(|frame| frame.key.expect("a key")).collect();
    let order: Vec<&str> = keys.iter().map(|key| key.split(' ').nth(1).expect("a name")).collect();
    assert_eq!(order, ["a.JPEG", "b.jpg", "d.png", "c.png"]);
    assert!(door.frames().iter().all(|frame| frame.captured_ms.is_some() && frame.digest.is_some()));
    assert_eq!(names(place.path().to_owned()), ["done", "e.jpg", "f.jpg", "failed", "g.jpg", "notes.txt", "taking"]);
    assert!(matches!(*source.link().borrow(), Link::Up { .. }));
    task.abort();
}

#[tokio::test]
async fn what_still_grows_is_left_alone() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("slow.jpg");
    let door = FakeDoor::default();
    fs::write(&path, &JPEG[..4]).expect("writes");
    let (_source, task) = start(folder(place.path()), door.submit());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(door.frames().is_empty() && path.exists(), "it has no end yet");
    fs::write(&path, JPEG).expect("writes");
    until("it is done", || names(place.path().join("done")) == ["slow.jpg"]).await;
    assert_eq!(door.frames().iter().map(|frame| &frame.bytes[..]).collect::<Vec<_>>(), [JPEG]);
    task.abort();
}

#[tokio::test]
async fn a_bad_frame_has_its_reason_beside_it_and_the_next_goes_on() {
    let place = tempfile::tempdir().expect("a folder");
    fs::write(place.path().join("1.jpg"), JPEG).expect("writes");
    fs::write(place.path().join("2.jpg"), OTHER).expect("writes");
    let door = FakeDoor::default();
    let bad = |number| if number == 0 { Answer::Bad(Error::new(Fault::Damaged, "bad frame: cut off")) } else { kept() };
    let (_source, task) = start(folder(place.path()), door.answering(bad));
    until("the second is done", || names(place.path().join("done")) == ["2.jpg"]).await;
    assert_eq!(names(place.path().join("failed")), ["1.jpg", "1.jpg.why.txt"]);
    assert_eq!(
        fs::read_to_string(place.path().join("failed/1.jpg.why.txt")).expect("reads"),
        "bad frame: cut off\nsend the frame again, whole, as another file\n"
    );
    task.abort();
}

#[tokio::test]
async fn what_is_not_kept_stays_in_order_and_is_tried_again() {
    for refusal in [Answer::Shed { retry_after_s: 0 }, Answer::Full, Answer::Stopped("stopping".to_owned())] {
        let place = tempfile::tempdir().expect("a folder");
        fs::write(place.path().join("1.jpg"), JPEG).expect("writes");
        fs::write(place.path().join("2.jpg"), OTHER).expect("writes");
        let door = FakeDoor::default();
        let (_source, task) = start(folder(place.path()), door.answering(move |number| if number < 3 { refusal.clone() } else { kept() }));
        until("it was refused", || door.frames().len() > 1).await;
        until("both are done", || names(place.path().join("done")) == ["1.jpg", "2.jpg"]).await;
        let sent: Vec<bool> = door.frames().iter().map(|frame| frame.bytes == JPEG).collect();
        assert_eq!(sent, [true, true, true, true, false], "the second waits for the first");
        let keys: Vec<_> = door.frames().into_iter().map(|frame| frame.key).collect();
        assert!(keys[..4].iter().all(|key| *key == keys[0]) && keys[4] != keys[0]);
        task.abort();
    }
}

#[tokio::test]
async fn an_end_at_any_point_loses_nothing() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("1.jpg");
    fs::write(&path, JPEG).expect("writes");
    // The first one ends while its frame is under way.
    let first = FakeDoor::default();
    let record = first.submit();
    let (_source, task) = start(folder(place.path()), move |incoming| {
        drop(record(incoming));
        std::future::pending()
    });
    until("it was handed in", || first.frames().len() == 1).await;
    task.abort();
    let _ = task.await;
    // Its writer uses the name again meanwhile.
    fs::write(&path, OTHER).expect("writes");
    let second = FakeDoor::default();
    let (_source, task) = start(folder(place.path()), second.submit());
    until("both are done", || names(place.path().join("done")).len() == 2).await;
    let frames = second.frames();
    assert_eq!(frames.iter().map(|frame| &frame.bytes[..]).collect::<Vec<_>>(), [JPEG, OTHER]);
    assert_eq!(frames[0].key, first.frames()[0].key, "known for what it is");
    assert_eq!(names(place.path().to_owned()), ["done", "failed", "taking"]);
    assert!(names(place.path().join("taking")).is_empty());
    task.abort();
}

#[tokio::test]
async fn done_is_emptied_by_size_the_oldest_first() {
    let place = tempfile::tempdir().expect("a folder");
    let done = place.path().join("done");
    fs::create_dir(&done).expect("creates");
    for name in ["1.jpg", "2.jpg", "3.jpg"] {
        fs::write(done.join(name), [0; 100]).expect("writes");
        // The system's clock for files ticks every few milliseconds, and ages count whole seconds: names decide among equals.
    }
    let (_source, task) = start(Folder { keep_bytes: 250, ..folder(place.path()) }, FakeDoor::default().submit());
    until("one is gone", || names(done.clone()) == ["2.jpg", "3.jpg"]).await;
    task.abort();
    let (_source, task) = start(Folder { keep_for: Duration::ZERO, ..folder(place.path()) }, FakeDoor::default().submit());
    until("all are gone", || names(done.clone()).is_empty()).await;
    task.abort();
}

#[tokio::test]
async fn a_folder_that_comes_later_is_one_incident() {
    let place = tempfile::tempdir().expect("a folder");
    let later = place.path().join("later");
    let door = FakeDoor::default();
    let (source, task) = start(folder(&later), door.submit());
    let mut link = source.link();
    link.wait_for(|link| matches!(link, Link::Down { why, .. } if why.contains("later"))).await.expect("a state");
    tokio::time::sleep(Duration::from_millis(50)).await;
    fs::create_dir(&later).expect("creates");
    fs::write(later.join("1.jpg"), JPEG).expect("writes");
    until("it is done", || names(later.join("done")) == ["1.jpg"]).await;
    link.wait_for(|link| matches!(link, Link::Up { .. })).await.expect("a state");
    assert_eq!(source.counts.incidents.load(std::sync::atomic::Ordering::Relaxed), 1);
    task.abort();
}
