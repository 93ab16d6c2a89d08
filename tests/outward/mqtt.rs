//! State over MQTT: retained, told again after each connection, and gone when the service is.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::{site, until};

/// What a broker keeps: retained messages by topic, the last will of who is connected, and connections so far.
#[derive(Default)]
struct Kept {
    retained: BTreeMap<String, String>,
    connections: usize,
    /// Messages that were not to be retained.
    events: usize,
    /// The connection that there is.
    current: Option<TcpStream>,
}

/// Enough of a broker for one publisher: MQTT 3.1.1 with QoS 1.
fn broker() -> (u16, Arc<Mutex<Kept>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let kept = Arc::new(Mutex::new(Kept::default()));
    let keeping = Arc::clone(&kept);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            keeping.lock().expect("no panic").current = stream.try_clone().ok();
            let _ = serve(stream, &keeping);
        }
    });
    (port, kept)
}

fn serve(mut stream: TcpStream, kept: &Mutex<Kept>) -> std::io::Result<()> {
    let mut will = None;
    let ended = loop {
        let (kind, body) = match packet(&mut stream) {
            Ok(packet) => packet,
            Err(error) => break Err(error),
        };
        match kind >> 4 {
            1 => {
                // Name, level, flags, keep-alive, client, will's topic, will.
                assert_eq!((&body[..6], body[6]), (&b"\0\x04MQTT"[..], 4));
                let mut rest = &body[10..];
                let _client = text(&mut rest);
                if body[7] & 0x04 != 0 {
                    assert!(body[7] & 0x20 != 0, "the will is retained");
                    will = Some((text(&mut rest), text(&mut rest)));
                }
                kept.lock().expect("no panic").connections += 1;
                stream.write_all(&[0x20, 2, 0, 0])?;
            }
            3 => {
                let mut rest = &body[..];
                let topic = text(&mut rest);
                if kind & 0x06 != 0 {
                    stream.write_all(&[0x40, 2, rest[0], rest[1]])?;
                    rest = &rest[2..];
                }
                let mut kept = kept.lock().expect("no panic");
                match kind & 1 {
                    1 => drop(kept.retained.insert(topic, String::from_utf8_lossy(rest).into_owned())),
                    _ => kept.events += 1,
                }
            }
            12 => stream.write_all(&[0xd0, 0])?,
            14 => break Ok(()),
            _ => {}
        }
    };
    // Who goes without a word has their will done.
    if let (Err(_), Some((topic, message))) = (&ended, will) {
        kept.lock().expect("no panic").retained.insert(topic, message);
    }
    ended
}

fn packet(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let (kind, mut length, mut shift) = (byte[0], 0usize, 0);
    loop {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 127) << shift;
        shift += 7;
        if byte[0] < 128 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((kind, body))
}

fn text(rest: &mut &[u8]) -> String {
    let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
    let text = String::from_utf8(rest[2..2 + length].to_vec()).expect("UTF-8");
    *rest = &rest[2 + length..];
    text
}

#[test]
fn a_broker_knows_how_the_service_is_doing_and_that_it_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (port, kept) = broker();
    let mut server = site(folder.path(), &format!("[mqtt]\nbroker = \"127.0.0.1:{port}\"\nprefix = \"sites/north\"\n"));
    let told = |topic: &str| kept.lock().expect("no panic").retained.get(&format!("sites/north/{topic}")).cloned();
    let json = |topic: &str| told(topic).map_or(Value::Null, |text| serde_json::from_str(&text).expect("JSON"));
    until("it is told", || told("state").as_deref() == Some("online") && told("lists/sought").is_some());
    assert_eq!((&json("ready")["ready"], &json("lanes/south-1")["state"]), (&true.into(), &"up".into()));
    assert_eq!(json("lists/sought")["entries"], 1);
    std::fs::write(folder.path().join("sought.csv"), "nonsense").expect("written");
    until("it is told that a list is wrong", || json("ready")["ready"] == false && json("lists/sought")["error"].is_string());
    // The broker forgets, and is told all of it again.
    {
        let mut kept = kept.lock().expect("no panic");
        kept.retained.clear();
        kept.current.take().expect("connected").shutdown(std::net::Shutdown::Both).expect("shut down");
    }
    until("it is told again", || told("state").as_deref() == Some("online") && told("lanes/south-2").is_some());
    server.kill();
    until("its will is done", || told("state").as_deref() == Some("offline"));
    let kept = kept.lock().expect("no panic");
    assert_eq!((kept.connections, kept.events), (2, 0));
}
