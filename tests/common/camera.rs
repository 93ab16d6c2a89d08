//! A camera that sends MJPEG over HTTP on loopback, as well or as badly as a test wants.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the camera does on each connection.
#[derive(Clone)]
pub(crate) struct Script {
    /// Sent in turn, over and over; the turn goes on across connections.
    pub(crate) pictures: Vec<Vec<u8>>,
    /// From one picture to the next.
    pub(crate) every: Duration,
    /// The first so many connections end after `pictures_each`, as `then` says; later ones send for ever.
    pub(crate) flapping: u64,
    /// Pictures on a connection that ends.
    pub(crate) pictures_each: u64,
    /// What comes after the last of them.
    pub(crate) then: Then,
    /// Whether parts state their length.
    pub(crate) lengths: bool,
    /// The Basic or Digest login that is asked for: the header's value, and what an answer to it must contain.
    pub(crate) login: Option<(&'static str, &'static str)>,
}

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is closed.
    Close,
    /// Nothing more comes, and it stays open.
    Silence,
    /// Half a picture comes, and it is closed.
    Half,
}

impl Script {
    /// A camera that sends `pictures` for ever.
    pub(crate) fn of(pictures: Vec<Vec<u8>>, every: Duration) -> Script {
        Script { pictures, every, flapping: 0, pictures_each: 1, then: Then::Close, lengths: true, login: None }
    }
}

/// A camera; gone, with its connections, when dropped.
pub(crate) struct FakeCamera {
    pub(crate) address: SocketAddr,
    /// Connections taken.
    pub(crate) connections: Arc<AtomicU64>,
    /// Pictures sent.
    pub(crate) sent: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl FakeCamera {
    /// Listens on a free port of the loopback address.
    pub(crate) async fn start(script: Script) -> FakeCamera {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (connections, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let task = {
            let (connections, sent) = (Arc::clone(&connections), Arc::clone(&sent));
            tokio::spawn(async move {
                let mut serving = tokio::task::JoinSet::new();
                loop {
                    tokio::select! {
                        taken = listener.accept() => {
                            let Ok((connection, _)) = taken else { return };
                            let ends = connections.fetch_add(1, Ordering::SeqCst) < script.flapping;
                            let (script, sent) = (script.clone(), Arc::clone(&sent));
                            serving.spawn(async move { serve(connection, &script, ends, &sent).await.unwrap_or_default() });
                        }
                        Some(_) = serving.join_next() => {}
                    }
                }
            })
        };
        FakeCamera { address, connections, sent, task }
    }

    /// Its stream's address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/stream.mjpg?fps=5", self.address)
    }
}

impl Drop for FakeCamera {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut connection: TcpStream, script: &Script, ends: bool, sent: &AtomicU64) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if connection.read_buf(&mut request).await? == 0 || request.len() > 1 << 16 {
            return Ok(());
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    if let Some((challenge, answer)) = script.login
        && !request.contains(answer)
    {
        let refusal = format!("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return connection.write_all(refusal.as_bytes()).await;
    }
    connection.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=--shot\r\n\r\n").await?;
    if !script.lengths {
        connection.write_all(NEXT).await?;
    }
    for _ in 0..if ends { script.pictures_each } else { u64::MAX } {
        let picture = &script.pictures[sent.fetch_add(1, Ordering::SeqCst) as usize % script.pictures.len()];
        connection.write_all(&part(picture, script.lengths)).await?;
        connection.flush().await?;
        tokio::time::sleep(script.every).await;
    }
    match script.then {
        Then::Close => Ok(()),
        Then::Silence => std::future::pending().await,
        Then::Half => {
            let part = part(&script.pictures[0], script.lengths);
            connection.write_all(&part[..part.len() / 2]).await
        }
    }
}

/// Before a picture that does not state its length. It is known to be whole by the next one of these.
const NEXT: &[u8] = b"\r\n--shot\r\nContent-Type: image/jpeg\r\n\r\n";

fn part(picture: &[u8], lengths: bool) -> Vec<u8> {
    if lengths {
        let head = format!("--shot\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len());
        [head.as_bytes(), picture, b"\r\n"].concat()
    } else {
        [picture, NEXT].concat()
    }
}
