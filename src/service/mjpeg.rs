//! Cameras that send JPEG pictures one after the other over HTTP (`multipart/x-mixed-replace`), fetched until the service stops.
//!
//! Plain HTTP/1.1, Basic and Digest authentication. Not HTTPS: such cameras carry certificates that nobody can check; keep them on a network of
//! their own, or put a proxy before them.

use http_auth::{PasswordClient, PasswordParams};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming as Body;
use hyper::{Request, Response, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::door::{Answer, Incoming, is_believed, now_ms};
use super::multipart::{Part, Parts, boundary_of};
use super::source::{Newest, Patience, Picture, Source, keep};
use crate::error::{Error, Fault, Result};
use crate::lane::frame::MAX_BYTES;

/// A camera to pull from.
#[derive(Debug, Clone)]
pub struct Camera {
    /// Index of its lane in the site.
    pub lane: usize,
    /// Where its stream is: `http://HOST[:PORT]/PATH`.
    pub url: String,
    /// User and password.
    pub login: Option<(String, String)>,
    /// The most pictures a second that are handed in, above 0; always the newest.
    pub fps: f64,
    /// How long it is waited for.
    pub patience: Patience,
}

/// Pulls from `camera`, and hands its pictures to `submit`. Ends only by being dropped, and leaves nothing behind then.
pub async fn pull<F, Fut>(camera: Camera, source: &Source, submit: F)
where
    F: Fn(Incoming) -> Fut,
    Fut: Future<Output = Answer>,
{
    keep(camera.lane, camera.fps, camera.patience, source, submit, |newest| stream(&camera, source, newest)).await;
}

/// One connection, from its beginning to its end; a second one where the camera asks for a password.
async fn stream(camera: &Camera, source: &Source, newest: Newest) -> Result<()> {
    let url: Uri = camera.url.parse().map_err(|error| Error::new(Fault::Caller, format!("{:?} is no address: {error}", camera.url)))?;
    if url.scheme_str() != Some("http") {
        return Err(Error::new(Fault::Unsupported, "only http:// is spoken: switch HTTPS off for the stream, or put a proxy before the camera"));
    }
    let challenge = match request(camera, &url, None, source, &newest).await? {
        Outcome::Ended => return Ok(()),
        Outcome::Login(challenge) => challenge,
    };
    let Some((username, password)) = &camera.login else {
        return Err(Error::new(Fault::Caller, "the camera asks for a user and a password: set user and password_file of its pull"));
    };
    let unknown = |error: String| Error::new(Fault::Unsupported, format!("the camera asks for a login in a way that is not understood: {error}"));
    let mut client = PasswordClient::try_from(challenge.as_str()).map_err(unknown)?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let login = client.respond(&PasswordParams { username, password, uri: path, method: "GET", body: Some(&[]) }).map_err(unknown)?;
    match request(camera, &url, Some(login), source, &newest).await? {
        Outcome::Ended => Ok(()),
        Outcome::Login(_) => Err(Error::new(Fault::Caller, "the camera refuses the user or the password")),
    }
}

enum Outcome {
    Ended,
    /// What the camera says of the login that it wants.
    Login(String),
}

async fn request(camera: &Camera, url: &Uri, login: Option<String>, source: &Source, newest: &Newest) -> Result<Outcome> {
    let stall = camera.patience.stall;
    let silent = |_| Error::new(Fault::Machine, format!("no answer for {} s", stall.as_secs_f32()));
    let broken = |error: hyper::Error| Error::new(Fault::Machine, format!("the connection broke: {error}"));
    let (host, port) = (url.host().unwrap_or_default().trim_matches(['[', ']']), url.port_u16().unwrap_or(80));
    let until = Instant::now() + stall;
    let connection = timeout_at(until, TcpStream::connect((host, port))).await.map_err(silent)?;
    let connection = connection.map_err(|error| Error::io(&error))?;
    source.connected();
    let (mut sender, connection) = timeout_at(until, hyper::client::conn::http1::handshake(TokioIo::new(connection))).await.map_err(silent)?.map_err(broken)?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let authority = url.authority().map_or(host, |authority| authority.as_str());
    let mut request = Request::get(path).header(header::HOST, authority).header(header::ACCEPT, "multipart/x-mixed-replace");
    if let Some(login) = login {
        request = request.header(header::AUTHORIZATION, login);
    }
    let request = request.body(Empty::<bytes::Bytes>::new()).map_err(|error| Error::new(Fault::Caller, error.to_string()))?;
    let exchange = async {
        let response = timeout_at(until, sender.send_request(request)).await.map_err(silent)?.map_err(broken)?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let challenge = response.headers().get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
            return Ok(Outcome::Login(challenge.collect::<Vec<_>>().join(", ")));
        }
        pictures(camera, response, source, newest).await
    };
    // Its end is seen by whoever reads from it.
    let driving = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        biased;
        outcome = exchange => outcome,
        never = driving => never,
    }
}

async fn pictures(camera: &Camera, response: Response<Body>, source: &Source, newest: &Newest) -> Result<Outcome> {
    if response.status() != StatusCode::OK {
        return Err(Error::new(Fault::Caller, format!("the camera answers {}: is the address right?", response.status())));
    }
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = boundary_of(kind).ok_or_else(|| {
        Error::new(
            Fault::Unsupported,
            format!("the camera sends {kind:?}, no stream of pictures (multipart/x-mixed-replace): use the address of its MJPEG stream"),
        )
    })?;
    let mut parts = Parts::new(&boundary, usize::try_from(MAX_BYTES).unwrap_or(usize::MAX))?;
    let mut body = response.into_body();
    let stall = camera.patience.stall;
    let mut until = Instant::now() + stall;
    while !parts.is_over() {
        let chunk = timeout_at(until, body.frame()).await.map_err(|_| Error::new(Fault::Machine, format!("no picture for {} s", stall.as_secs_f32())))?;
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|error| Error::new(Fault::Machine, format!("the connection broke: {error}")))?;
        if let Some(data) = chunk.data_ref() {
            parts.push(data);
        }
        while let Some(part) = parts.next_part()? {
            if part.body.is_empty() {
                continue;
            }
            until = Instant::now() + stall;
            source.frame(&camera.patience);
            let captured_ms = captured_ms(&part);
            newest.send_modify(|newest| {
                let sequence = newest.as_ref().map_or(0, |before| before.sequence + 1);
                *newest = Some(Picture { bytes: part.body, captured_ms, sequence });
            });
        }
    }
    Ok(Outcome::Ended)
}

/// When the camera says that it took the picture (seconds since the Unix epoch in `X-Timestamp`), if that can be; else now.
fn captured_ms(part: &Part) -> i64 {
    let now = now_ms();
    let said = part.header("x-timestamp").and_then(|text| text.parse::<f64>().ok()).map(|seconds| (seconds * 1e3) as i64);
    said.filter(|&said| is_believed(said, now)).unwrap_or(now)
}
