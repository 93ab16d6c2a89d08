//! Accepting connections: at most so many at once, and none for longer than its patience.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::access::ClientCertificate;
use super::tls::Tls;
use crate::custody::evidence::sha256;
use crate::site::Limits;

/// Serves `router` until `stopped`, encrypted where there is a certificate; then lets what is under way finish.
pub(super) async fn accept(listener: TcpListener, tls: Option<Arc<Tls>>, router: Router, limits: Limits, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let patience = Duration::from_secs(limits.body_timeout_s);
    let mut serving = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place.expect("never closed"),
            _ = stopped.changed() => break,
        };
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
        let _ = stream.set_nodelay(true);
        let (router, stopped, acceptor) = (router.clone(), stopped.clone(), tls.as_ref().map(|tls| tls.acceptor()));
        serving.spawn(async move {
            let _place = place;
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
        });
    }
    drop(listener);
    while serving.join_next().await.is_some() {}
}

/// Serves one connection.
async fn serve<Stream>(
    stream: Stream,
    (peer, certificate): (SocketAddr, Option<ClientCertificate>),
    router: Router,
    patience: Duration,
    mut stopped: watch::Receiver<bool>,
) where
    Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let (router, mut request) = (router.clone(), request.map(Body::new));
        request.extensions_mut().insert(ConnectInfo(peer));
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
