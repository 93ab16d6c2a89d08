//! Answers that are longer than memory: written by a thread that may wait for a disk, sent as they come.

use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Pieces that wait to be sent, and the bytes of each.
const PIECES: usize = 4;
const PIECE: usize = 64 << 10;

/// A body that `write` writes. Where that fails the connection breaks, so that nobody takes a part for the whole.
pub(super) fn body(write: impl FnOnce(&mut Pieces) -> std::io::Result<()> + Send + 'static) -> Body {
    let (sender, received) = channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces { sender, piece: Vec::with_capacity(PIECE) };
        if let Err(error) = write(&mut pieces).and_then(|()| pieces.flush()) {
            tracing::warn!(%error, "an answer was broken off");
            let _ = pieces.sender.blocking_send(Err(error));
        }
    });
    Body::new(Received(received))
}

/// Where it writes to.
pub(super) struct Pieces {
    sender: Sender<std::io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE)));
        // Fails where nobody listens any more.
        self.sender.blocking_send(Ok(piece)).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
}

struct Received(Receiver<std::io::Result<Bytes>>);

impl hyper::body::Body for Received {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
