//! Accepting connections: at most so many at once, all together and of one peer ([`super::peers`]), and none for longer than its patience. For whom there is no place is
//! told so in HTTP and let go, without a look at what it sends; over TLS it is let go unheard, for a handshake is what costs most.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use super::access::ClientCertificate;
use super::metrics;
use super::peers::{NoPlace, Peers};
use super::problem::Problem;
use super::tls::Tls;
use crate::custody::evidence::sha256;
use crate::site::Limits;

/// Refusals that are being told at once; whoever comes beyond is let go unheard.
const REFUSALS: usize = 64;
/// How long one may take.
const REFUSAL: Duration = Duration::from_secs(2);
/// So often at most a refusal is in the log.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// Serves `router` until `stopped`, encrypted where there is a certificate; then lets what is under way finish.
pub(super) async fn accept(listener: TcpListener, tls: Option<Arc<Tls>>, router: Router, limits: Limits, mut stopped: watch::Receiver<bool>) {
    let (peers, refusals, mut said) = (Peers::new(&limits), Arc::new(Semaphore::new(REFUSALS)), None::<Instant>);
    let patience = Duration::from_secs(limits.body_timeout_s);
    let mut serving = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: others end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = stopped.changed() => break,
        };
        while serving.try_join_next().is_some() {}
        let place = match peers.enter(peer.ip()) {
            Ok(place) => place,
            Err(why) => {
                let limit = match why {
                    NoPlace::Total => "total",
                    NoPlace::Peer => "peer",
                };
                metrics::connection_refused(limit);
                if said.is_none_or(|said| said.elapsed() > SAID_EVERY) {
                    tracing::warn!(%peer, limit, "a connection was refused: as many as may are open (limits.connections, limits.connections_per_peer)");
                    said = Some(Instant::now());
                }
                if tls.is_none()
                    && let Ok(turn) = Arc::clone(&refusals).try_acquire_owned()
                {
                    serving.spawn(async move {
                        let _ = tokio::time::timeout(REFUSAL, refuse(stream, why)).await;
                        drop(turn);
                    });
                }
                continue;
            }
        };
        metrics::connections(peers.taken());
        let _ = stream.set_nodelay(true);
        let (router, stopped, acceptor) = (router.clone(), stopped.clone(), tls.as_ref().map(|tls| tls.acceptor()));
        let peers = peers.clone();
        serving.spawn(async move {
            match acceptor {
                None => serve(stream, (peer, None), router, patience, stopped).await,
                Some(acceptor) => match tokio::time::timeout(patience, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                        let certificate = certificate.map(|certificate| ClientCertificate(sha256(certificate)));
                        serve(stream, (peer, certificate), router, patience, stopped).await;
                    }
                    // Somebody who does not speak TLS 1.3, or does not trust us.
                    Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS"),
                    Err(_) => tracing::debug!(%peer, "no TLS in time"),
                },
            }
            drop(place);
            metrics::connections(peers.taken());
        });
    }
    drop(listener);
    while serving.join_next().await.is_some() {}
}

/// Says that there is no place. What the peer sends meanwhile is thrown away: were it left unread, closing would throw away the answer instead.
async fn refuse(mut stream: TcpStream, why: NoPlace) -> std::io::Result<()> {
    let problem = match why {
        NoPlace::Total => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Too many connections", "as many connections as may (limits.connections) are open"),
        NoPlace::Peer => {
            let detail = "this address has as many connections open as one may (limits.connections_per_peer): use them again, or end some";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many connections", detail)
        }
    };
    let (head, body) = problem.retry(1).into_response().into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut answer = format!("HTTP/1.1 {}\r\nconnection: close\r\ncontent-length: {}\r\n", head.status, body.len()).into_bytes();
    for (name, value) in &head.headers {
        answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    answer.extend_from_slice(b"\r\n");
    answer.extend_from_slice(&body);
    stream.write_all(&answer).await?;
    stream.shutdown().await?;
    let mut thrown_away = [0; 4096];
    while stream.read(&mut thrown_away).await? > 0 {}
    Ok(())
}

/// Serves one connection. Who takes nothing of an answer for as long as a request may take to come is ended.
async fn serve<Stream>(
    stream: Stream,
    (peer, certificate): (SocketAddr, Option<ClientCertificate>),
    router: Router,
    patience: Duration,
    mut stopped: watch::Receiver<bool>,
) where
    Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience));
    let stream = Box::pin(stream);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let (router, mut request) = (router.clone(), request.map(Body::new));
        request.extensions_mut().insert(ConnectInfo(peer));
        super::frames::with_slash(request.uri_mut());
        certificate.map(|certificate| request.extensions_mut().insert(certificate));
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let mut connection = std::pin::pin!(
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_buf_size(64 << 10)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
