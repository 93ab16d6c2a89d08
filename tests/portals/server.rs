//! The real server in a folder of its own, and a client that can stop in the middle of a word.

#[path = "../common/serve.rs"]
mod serve;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::Value;
use serve::Process;
use sha2::{Digest, Sha256, Sha512};

/// How long anything may take here: machines are shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running `garita serve`, killed when dropped.
pub(crate) struct Server {
    process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) folder: PathBuf,
}

impl Server {
    /// Starts one over `folder` with one portal, `bridge`, and whatever `more` of a site file says.
    pub(crate) fn start(folder: &Path, more: &str) -> Server {
        let site = format!("data_dir = \"data\"\nlisten = \"127.0.0.1:0\"\nworkers = 1\n{more}\n");
        let site = format!("{site}[login]\nrequired = \"no\"\n");
        let site = if site.contains("[[portal]]") { site } else { format!("{site}[[portal]]\nid = \"bridge\"\n") };
        let process = Process::start(folder, &site);
        Server { address: process.address, process, folder: folder.to_owned() }
    }

    /// Kills it, as a power cut would: SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        send(self.address, "GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        send(self.address, "POST", path, fields, body)
    }

    /// The scan's JSON once `is_so`.
    pub(crate) fn scan_when(&self, id: i64, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let told = self.get(&format!("/v1/scans/{id}")).json();
            if is_so(&told) {
                return told;
            }
            assert!(begun.elapsed() < PATIENCE, "still {told}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn inspected(&self, id: i64) -> Value {
        self.scan_when(id, |scan| scan["state"] == "inspected" || scan["state"] == "bad")
    }

    /// The value of a metric's line that begins with `name`.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").text();
        text.lines().find(|line| line.starts_with(name)).and_then(|line| line.rsplit(' ').next()).and_then(|value| value.parse().ok())
    }

    /// Waits until a metric has a value.
    pub(crate) fn metric_when(&self, name: &str, value: f64) {
        let begun = Instant::now();
        while self.metric(name) != Some(value) {
            assert!(begun.elapsed() < PATIENCE, "{name} is {:?}", self.metric(name));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Names in a folder of the store.
    pub(crate) fn files(&self, of: &str) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.join("data").join(of)).expect("there").map(|file| file.expect("there").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// What a server answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}: {}", self.status, self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    pub(crate) fn offset(&self) -> usize {
        self.field("upload-offset").parse().unwrap_or_else(|_| panic!("no offset: {self:?}"))
    }

    pub(crate) fn scan(&self) -> i64 {
        self.json()["scan"].as_i64().unwrap_or_else(|| panic!("{}: {}", self.status, self.text()))
    }
}

/// A request with all of its body.
pub(crate) fn send(address: SocketAddr, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = begin(address, method, path, fields, body.len());
    // A server that refuses by the head does not read the body.
    let _ = stream.write_all(body);
    answer(stream)
}

/// A request's head, and a connection that waits for its body.
pub(crate) fn begin(address: SocketAddr, method: &str, path: &str, fields: &[(&str, &str)], length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: garita\r\nConnection: close\r\nContent-Length: {length}\r\n{fields}\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    stream
}

/// What comes back.
pub(crate) fn answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).expect("a status");
    let fields = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Answer { status, fields, body: bytes[end + 4..].to_vec() }
}

/// A digest as fields write it.
pub(crate) fn digest_field(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(bytes)))
}

/// The longer one of the two that are compared.
pub(crate) fn long_digest_field(bytes: &[u8]) -> String {
    format!("sha-512=:{}:", base64::engine::general_purpose::STANDARD.encode(Sha512::digest(bytes)))
}

/// A digest as answers write it.
pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file of `testdata/rail`.
pub(crate) fn rail(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rail").join(name)).expect("testdata")
}

/// Bytes of no meaning, always the same.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2) + 1;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(length)
    .collect()
}
