//! Somebody else's server on loopback: takes events, or does not, as a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::PATIENCE;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// As `verify.py` reads it.
    pub(crate) fn line(&self) -> String {
        let headers: serde_json::Map<String, Value> = self.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        json!({ "headers": headers, "body": self.body }).to_string()
    }
}

/// The server; down when dropped.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    status: Arc<AtomicU16>,
    down: Arc<AtomicBool>,
}

impl Sink {
    /// Listens on `address`, or on a free port of the loopback address.
    pub(crate) fn start(address: Option<SocketAddr>) -> Sink {
        Sink::start_as(address, None)
    }

    /// The same over TLS.
    pub(crate) fn start_secured(tls: Arc<rustls::ServerConfig>) -> Sink {
        Sink::start_as(None, Some(tls))
    }

    fn start_as(address: Option<SocketAddr>, tls: Option<Arc<rustls::ServerConfig>>) -> Sink {
        let listener = listen(address.unwrap_or_else(|| "127.0.0.1:0".parse().expect("an address")));
        let address = listener.local_addr().expect("an address");
        let (received, status, down) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU16::new(204)), Arc::new(AtomicBool::new(false)));
        let sink = Sink { address, received, status, down };
        let (received, status, down) = (Arc::clone(&sink.received), Arc::clone(&sink.status), Arc::clone(&sink.down));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if down.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { return };
                let (received, status, down) = (Arc::clone(&received), Arc::clone(&status), Arc::clone(&down));
                stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
                let secured = tls.clone().map(|tls| rustls::ServerConnection::new(tls).expect("sound"));
                std::thread::spawn(move || match secured {
                    None => serve(stream, &received, &status, &down),
                    Some(secured) => serve(rustls::StreamOwned::new(secured, stream), &received, &status, &down),
                });
            }
        });
        sink
    }

    /// What to answer from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Everything so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no panic").clone()
    }

    /// Everything that was taken, once it is so.
    pub(crate) fn taken_when(&self, what: &str, is_so: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let begun = Instant::now();
        loop {
            let taken: Vec<Received> = self.received().into_iter().filter(|one| one.status < 300).collect();
            if is_so(&taken) {
                return taken;
            }
            assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}: {} taken", taken.len());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.down.store(true, Ordering::SeqCst);
        // Wakes whoever waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

/// The port may still be held by connections that have just ended.
fn listen(address: SocketAddr) -> TcpListener {
    let begun = Instant::now();
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{address}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn serve(stream: impl Read + Write, received: &Mutex<Vec<Received>>, status: &AtomicU16, down: &AtomicBool) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line.trim().is_empty() => break,
                Ok(_) => lines.push(line),
            }
        }
        let headers: Vec<(String, String)> =
            lines.iter().skip(1).filter_map(|line| line.trim().split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() || down.load(Ordering::SeqCst) {
            return;
        }
        let status = status.load(Ordering::SeqCst);
        let body = String::from_utf8(body).expect("JSON");
        received.lock().expect("no panic").push(Received { headers, body, status });
        let answered = reader.get_mut().write_all(format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n").as_bytes());
        if answered.and_then(|()| reader.get_mut().flush()).is_err() {
            return;
        }
    }
}
