//! A bad link: passes bytes on late, cuts requests and answers in the middle, or stops passing anything and says nothing.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// A link to a server that may move; closed when dropped.
pub(crate) struct Proxy {
    /// Where cameras connect.
    pub(crate) address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    ended: Arc<AtomicBool>,
}

/// What becomes of one connection.
#[derive(Clone, Copy)]
enum Fault {
    None,
    /// Each piece comes this much later.
    Late(Duration),
    /// After so many bytes towards the server both ends are cut.
    CutRequest(usize),
    /// After so many bytes of the answers both ends are cut: the server has done its work, and nobody knows.
    CutAnswer(usize),
    /// After so many bytes nothing passes any more, and after a while it ends.
    HalfOpen(usize),
}

/// A half-open connection is given up after this long, so that cameras go on.
const GIVEN_UP: Duration = Duration::from_millis(400);

impl Proxy {
    /// A link to `target`; faults are drawn from `seed`.
    pub(crate) fn start(target: SocketAddr, seed: u64) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("a port");
        let (target, ended) = (Arc::new(Mutex::new(target)), Arc::new(AtomicBool::new(false)));
        let mut dice = Pcg64::seed_from_u64(seed);
        let (to, end) = (Arc::clone(&target), Arc::clone(&ended));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(near), target, fault) = (stream, *to.lock().unwrap_or_else(PoisonError::into_inner), draw(&mut dice)) else { continue };
                std::thread::spawn(move || link(near, target, fault));
            }
        });
        Proxy { address, target, ended }
    }

    /// The server has moved.
    pub(crate) fn aim(&self, target: SocketAddr) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

fn draw(dice: &mut Pcg64) -> Fault {
    match dice.random_range(0..8) {
        0 => Fault::Late(Duration::from_millis(dice.random_range(1..20))),
        1 | 2 => Fault::CutRequest(dice.random_range(0..150_000)),
        3 | 4 => Fault::CutAnswer(dice.random_range(0..4_000)),
        5 => Fault::HalfOpen(dice.random_range(0..100_000)),
        _ => Fault::None,
    }
}

fn link(near: TcpStream, target: SocketAddr, fault: Fault) {
    let Ok(far) = TcpStream::connect(target) else { return };
    let (Ok(near_back), Ok(far_back)) = (near.try_clone(), far.try_clone()) else { return };
    let (request, answer) = match fault {
        Fault::CutAnswer(after) => (Fault::None, Fault::CutRequest(after)),
        other => (other, Fault::None),
    };
    let back = std::thread::spawn(move || carry(far_back, near_back, answer));
    carry(near, far, request);
    let _ = back.join();
}

/// Passes bytes on until either end, or the fault, says stop; then both ends are closed.
fn carry(mut from: TcpStream, mut to: TcpStream, fault: Fault) {
    let (mut buffer, mut passed) = ([0; 4096], 0);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut length = read;
        match fault {
            Fault::Late(wait) => std::thread::sleep(wait),
            Fault::CutRequest(after) | Fault::CutAnswer(after) | Fault::HalfOpen(after) => length = length.min(after - passed),
            Fault::None => {}
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
        passed += length;
        if length < read {
            if let Fault::HalfOpen(_) = fault {
                std::thread::sleep(GIVEN_UP);
            }
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
