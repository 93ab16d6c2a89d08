//! Watched folders: each file in once, in order, and where it belongs afterwards.

#[path = "common/door.rs"]
mod door;
#[allow(dead_code)]
#[path = "common/serve.rs"]
mod serve;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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
    // Some writers give it its time before its bytes: how long it has been quiet is nothing that it says itself.
    fs::File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now() - Duration::from_secs(3600))).expect("set");
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

#[tokio::test]
async fn what_grows_while_it_is_handed_in_is_handed_in_again() {
    let place = tempfile::tempdir().expect("a folder");
    fs::write(place.path().join("1.jpg"), JPEG).expect("writes");
    let (door, taking) = (FakeDoor::default(), place.path().join("taking/1.jpg"));
    let submit = door.answering(move |number| {
        if number == 0 {
            fs::File::options().append(true).open(&taking).and_then(|mut file| file.write_all(OTHER)).expect("writes");
        }
        kept()
    });
    let (_source, task) = start(folder(place.path()), submit);
    until("it is done", || names(place.path().join("done")) == ["1.jpg"]).await;
    let whole = [JPEG, OTHER].concat();
    assert_eq!(door.frames().iter().map(|frame| frame.bytes.to_vec()).collect::<Vec<_>>(), [JPEG.to_vec(), whole.clone()]);
    assert_eq!(fs::read(place.path().join("done/1.jpg")).expect("reads"), whole);
    task.abort();
}

#[tokio::test]
async fn a_link_in_taking_is_not_followed() {
    let place = tempfile::tempdir().expect("a folder");
    let taking = place.path().join("taking");
    fs::create_dir(&taking).expect("creates");
    fs::write(place.path().join("secret.txt"), OTHER).expect("writes");
    std::os::unix::fs::symlink(place.path().join("secret.txt"), taking.join("l.jpg")).expect("links");
    fs::write(place.path().join("m.jpg"), JPEG).expect("writes");
    let door = FakeDoor::default();
    let (_source, task) = start(folder(place.path()), door.submit());
    until("the other is done", || names(place.path().join("done")) == ["m.jpg"]).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(door.frames().iter().map(|frame| &frame.bytes[..]).collect::<Vec<_>>(), [JPEG]);
    assert_eq!((names(taking), names(place.path().join("failed"))), (vec!["l.jpg".to_owned()], Vec::new()));
    task.abort();
}

#[tokio::test]
async fn the_longest_name_has_its_reason_beside_it() {
    let place = tempfile::tempdir().expect("a folder");
    fs::write(place.path().join(format!("{}.jpg", "x".repeat(251))), JPEG).expect("writes");
    fs::write(place.path().join("y.jpg"), OTHER).expect("writes");
    let bad = |number| if number == 0 { Answer::Bad(Error::new(Fault::Damaged, "bad frame: cut off")) } else { kept() };
    let (_source, task) = start(folder(place.path()), FakeDoor::default().answering(bad));
    until("the next is done", || names(place.path().join("done")) == ["y.jpg"]).await;
    let failed = names(place.path().join("failed"));
    assert!(failed.len() == 2 && failed[0].ends_with(".jpg") && failed[1] == format!("{}.why.txt", failed[0]), "{failed:?}");
    task.abort();
}

/// The real server: bad frames of one name, and a link that somebody put where frames are being taken.
#[test]
fn each_bad_frame_of_a_name_has_its_own_reason_and_no_link_is_read() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join("in").join(name);
    fs::create_dir_all(at("taking")).expect("creates");
    fs::write(place.path().join("secret.txt"), OTHER).expect("writes");
    std::os::unix::fs::symlink(place.path().join("secret.txt"), at("taking/l.jpg")).expect("links");
    let site = "data_dir = \"data\"\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[limits]\nfree_bytes = \"24 MiB\"\n[login]\nrequired = \"no\"\n\
                [[lane]]\nid = \"south-1\"\nfolder = \"in\"\n";
    let _server = serve::Process::start(place.path(), site);
    let begun = std::time::Instant::now();
    for (round, bytes) in [JPEG, OTHER].into_iter().enumerate() {
        fs::write(at("text.part"), bytes).expect("writes");
        fs::rename(at("text.part"), at("text.jpg")).expect("renames");
        while names(at("failed")).len() < 2 * (round + 1) || !names(at("taking")).iter().eq(["l.jpg"]) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?} {:?}", names(at("failed")), names(at("taking")));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let failed = names(at("failed"));
    assert_eq!((failed.len(), &failed[2..]), (4, &["text.jpg".to_owned(), "text.jpg.why.txt".to_owned()][..]), "{failed:?}");
    assert!(failed[0].starts_with("text-") && failed[1] == format!("{}.why.txt", failed[0]), "{failed:?}");
    for (name, bytes) in [("text.jpg", JPEG), (&failed[0], OTHER)] {
        assert_eq!(fs::read(at("failed").join(name)).expect("reads"), bytes);
        let why = fs::read_to_string(at("failed").join(format!("{name}.why.txt"))).expect("reads");
        assert!(why.ends_with("send the frame again, whole, as another file\n"), "{why}");
    }
}
