//! What posts frames: one HTTP/1.1 connection in plain sockets, and frames that are each unlike any other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use garita::custody::evidence::{Sha, sha256};

/// An answer is waited for this long: longer than the server may take for anything, so that a hang is an error here.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }

    /// That it is an error told as RFC 9457 wants it.
    pub(crate) fn assert_problem(&self) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}: {}", self.status, self.text());
        let told = self.json();
        assert_eq!(told["status"], self.status, "{told}");
        assert!(told["title"].as_str().is_some_and(|title| !title.is_empty()) && told["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{told}");
    }
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { stream: BufReader::new(stream) })
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Reply> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: garita\r\ncontent-length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        head += "\r\n";
        let sent = self.send(&[head.as_bytes(), body].concat());
        // A server that refuses answers before it has read everything.
        match self.reply() {
            Ok(reply) => Ok(reply),
            Err(error) => Err(sent.err().unwrap_or(error)),
        }
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Waits for an answer.
    pub(crate) fn reply(&mut self) -> std::io::Result<Reply> {
        let cut = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the connection ended before the answer");
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(cut());
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut lines = lines.into_iter();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(cut)?;
        let headers: Vec<(String, String)> =
            lines.filter_map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))).collect();
        let header = |name: &str| headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str());
        let mut body = Vec::new();
        match header("content-length").and_then(|length| length.parse().ok()) {
            Some(length) => {
                body.resize(length, 0);
                self.stream.read_exact(&mut body)?;
            }
            None if status != 100 && status != 204 => {
                self.stream.read_to_end(&mut body)?;
            }
            None => {}
        }
        Ok(Reply { status, headers, body })
    }
}

/// One frame as a camera sends it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shot {
    pub(crate) lane: String,
    /// Its idempotency key.
    pub(crate) key: String,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) digest: Sha,
    /// Milliseconds since the Unix epoch, where the camera says it.
    pub(crate) captured_ms: Option<i64>,
}

impl Shot {
    /// A frame of `lane`, known by `key`.
    pub(crate) fn new(lane: &str, key: String, bytes: Vec<u8>) -> Shot {
        Shot { lane: lane.to_owned(), key, digest: sha256(&bytes), bytes: bytes.into(), captured_ms: None }
    }

    /// Posts it.
    pub(crate) fn post(&self, connection: &mut Connection) -> std::io::Result<Reply> {
        let captured = self.captured_ms.map(|ms| ms.to_string());
        let mut headers = vec![("idempotency-key", self.key.as_str()), ("content-type", "image/jpeg")];
        headers.extend(captured.as_ref().map(|ms| ("garita-captured-at", ms.as_str())));
        connection.request("POST", &format!("/v1/lanes/{}/frames", self.lane), &headers, &self.bytes)
    }
}

/// The pictures of `testdata/lane` whose names begin with `start`, in order.
pub(crate) fn pictures(start: &str) -> Vec<Vec<u8>> {
    let folder = testdata().join("lane/img");
    let mut names: Vec<PathBuf> = std::fs::read_dir(&folder).expect("testdata").map(|file| file.expect("testdata").path()).collect();
    names.retain(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(start)));
    names.sort();
    assert!(!names.is_empty(), "no {start}* in {}", folder.display());
    names.iter().map(|path| std::fs::read(path).expect("testdata")).collect()
}

/// The repository's `testdata/`.
pub(crate) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// A JPEG that differs from all others of its kind: `number` stands behind its end marker, as some cameras pad.
pub(crate) fn unlike(jpeg: &[u8], number: u64) -> Vec<u8> {
    [jpeg, &number.to_be_bytes()].concat()
}
