//! The real server in a folder of its own, and a client that keeps cookies.

#[path = "../common/serve.rs"]
mod serve;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use serve::Process;

/// How long anything may take here: machines are shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running `garita serve`, killed when dropped.
pub(crate) struct Server {
    process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) folder: PathBuf,
}

impl Server {
    /// Starts one over `folder`, with a lane, a device whose key is `camera key`, and whatever `more` of a site file says.
    pub(crate) fn start(folder: &Path, more: &str) -> Server {
        let device = format!("[[device]]\nid = \"camera\"\nkey_sha256 = \"{}\"\n", hex("camera key"));
        let site = format!(
            "data_dir = \"data\"\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[[lane]]\nid = \"north\"\n[[portal]]\nid = \"bridge\"\n{device}[limits]\nfree_bytes = \"24 MiB\"\n{more}\n"
        );
        let process = Process::start(folder, &site);
        Server { address: process.address, process, folder: folder.to_owned() }
    }

    /// Kills it, as a power cut would: SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM, and waits until it has ended.
    pub(crate) fn stop(mut self) {
        let _ = Command::new("kill").arg(self.process.child.id().to_string()).status();
        let begun = Instant::now();
        while self.process.child.try_wait().expect("our child").is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The first administrator, who has set a password of their own.
    pub(crate) fn admin(&self) -> Client {
        let once = std::fs::read_to_string(self.data().join("first-password")).expect("the first start makes one");
        self.newcomer("admin", once.trim())
    }

    /// Somebody who logs in with a password that is good once, and sets one of their own.
    pub(crate) fn newcomer(&self, id: &str, once: &str) -> Client {
        let mut client = self.client();
        let told = client.log_in(id, once);
        assert_eq!((told.status, &told.json()["must_change"]), (200, &Value::Bool(true)), "{}", told.text());
        assert_eq!(client.send("POST", "/v1/session/password", &json!({ "new": own_password(id) })).status, 204);
        client
    }

    /// Makes a person by `admin`'s hand, and logs them in.
    pub(crate) fn person(&self, admin: &mut Client, id: &str, role: &str) -> Client {
        let made = admin.send("POST", "/v1/people", &json!({ "id": id, "role": role }));
        assert_eq!(made.status, 201, "{}", made.text());
        let once = made.json()["password"].as_str().expect("a password").to_owned();
        self.newcomer(id, &once)
    }

    /// Somebody who has not logged in.
    pub(crate) fn client(&self) -> Client {
        Client { address: self.address, cookie: None, fields: vec![("Sec-Fetch-Site".to_owned(), "same-origin".to_owned())] }
    }

    /// The camera.
    pub(crate) fn device(&self) -> Client {
        Client { address: self.address, cookie: None, fields: vec![("Authorization".to_owned(), "Bearer camera key".to_owned())] }
    }

    /// What it wrote on standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

/// The password that somebody sets here.
pub(crate) fn own_password(id: &str) -> String {
    format!("a sentence of {id}")
}

fn hex(text: &str) -> String {
    garita::custody::evidence::hex(&garita::custody::evidence::sha256(text.as_bytes()))
}

/// A browser, as far as it matters.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) cookie: Option<String>,
    pub(crate) fields: Vec<(String, String)>,
}

impl Client {
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, b"")
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        self.request(method, path, body.to_string().as_bytes())
    }

    pub(crate) fn log_in(&mut self, id: &str, password: &str) -> Answer {
        self.send("POST", "/v1/session", &json!({ "id": id, "password": password }))
    }

    /// Sends a request; again where it came too often.
    pub(crate) fn request(&mut self, method: &str, path: &str, body: &[u8]) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.once(method, path, body);
            if answer.status != 429 || answer.json()["title"] != "Too often" || begun.elapsed() > PATIENCE {
                if let Some(cookie) = answer.field("set-cookie") {
                    let pair = cookie.split(';').next().expect("a value").to_owned();
                    self.cookie = if pair.ends_with('=') { None } else { Some(pair) };
                }
                return answer;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The status of a request that is sent but once.
    pub(crate) fn status_of(&self, path: &str) -> u16 {
        self.once("GET", path, b"").status
    }

    /// Sends a request, and reads the answer: of one without a length, its head.
    fn once(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream.write_all(&self.head(method, path, body.len())).expect("sent");
        let _ = stream.write_all(body);
        Answer::read(&mut stream)
    }

    /// The head of a request.
    pub(crate) fn head(&self, method: &str, path: &str, length: usize) -> Vec<u8> {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n");
        for (name, value) in self.fields.iter().map(|(name, value)| (name.as_str(), value)).chain(self.cookie.as_ref().map(|cookie| ("Cookie", cookie))) {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        head.into_bytes()
    }
}

/// What a server answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// Reads one.
    pub(crate) fn read(stream: &mut impl Read) -> Answer {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            let count = stream.read(&mut piece).expect("an answer");
            assert!(count > 0, "no answer: {:?}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&piece[..count]);
        };
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let mut lines = text.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).expect("a status");
        let fields: Vec<(String, String)> =
            lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let mut answer = Answer { status, fields, body: bytes[head + 4..].to_vec() };
        let length = answer.field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while answer.body.len() < length {
            match stream.read(&mut piece) {
                Ok(count) if count > 0 => answer.body.extend_from_slice(&piece[..count]),
                _ => break,
            }
        }
        answer
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.0 == name).map(|field| field.1.as_str())
    }

    pub(crate) fn text(&self) -> String {
        format!("{}: {}", self.status, String::from_utf8_lossy(&self.body))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }
}

/// Runs `garita`; what it prints, and whether it succeeded.
pub(crate) fn garita(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_garita")).args(arguments).output().expect("garita runs");
    (output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}
