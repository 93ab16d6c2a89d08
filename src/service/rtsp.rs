//! Cameras that send H.264 over RTSP, fetched over TCP (interleaved) until the service stops. Needs the feature `rtsp`.
//!
//! ```text
//! camera ──RTP in TCP──▶ retina ──access units──▶ decoding thread (openh264) ──luma, JPEG──▶ newest ──fps──▶ door
//! ```
//!
//! Every picture has to be decoded, for each builds on the one before; only those that may be handed in become JPEG files. What follows a loss is not
//! looked at until the next key picture: it is smeared, and a smeared plate can be another plate. Where the decoder cannot keep up, what waits is let go, up to the next
//! key picture, and counted as lost. An H.264 frame has lost detail before it comes here; MJPEG or posted JPEG read better where there is a choice.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use jpeg_encoder::{ColorType, Encoder};
use openh264::decoder::Decoder;
use openh264::formats::YUVSource;
use retina::client::{Credentials, PlayOptions, Session, SessionOptions, SetupOptions, Transport};
use retina::codec::{CodecItem, FrameFormat, VideoFrame};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::door::{Answer, Incoming, now_ms};
use super::mjpeg::Camera;
use super::source::{Newest, Picture, Source, keep};
use crate::error::{Error, Fault, Result};

/// Of the JPEG files that are handed in and kept as evidence. A guess, unmeasured: far finer than what H.264 has left.
const QUALITY: u8 = 92;
/// Access units that wait for the decoder; then it is too slow.
const WAITING: usize = 16;
/// So many access units without a picture, and the stream is not one that the decoder knows.
const MOST_IN_VAIN: usize = 300;

/// Pulls from `camera` (`rtsp://HOST[:PORT]/PATH`), and hands its pictures to `submit`. Ends only by being dropped; its decoding thread ends soon after.
pub async fn pull<F, Fut>(camera: Camera, source: &Arc<Source>, submit: F)
where
    F: Fn(Incoming) -> Fut,
    Fut: Future<Output = Answer>,
{
    keep(camera.lane, camera.fps, camera.patience, source, submit, |newest| stream(&camera, source, newest)).await;
}

async fn stream(camera: &Camera, source: &Arc<Source>, newest: Newest) -> Result<()> {
    let stall = camera.patience.stall;
    let silent = |_| Error::new(Fault::Machine, format!("no answer for {} s", stall.as_secs_f32()));
    let broken = |error: retina::Error| Error::new(Fault::Machine, error.to_string());
    let url = url::Url::parse(&camera.url).map_err(|error| Error::new(Fault::Caller, format!("{:?} is no address: {error}", camera.url)))?;
    let credentials = camera.login.clone().map(|(username, password)| Credentials { username, password });
    let options = SessionOptions::default().creds(credentials).user_agent("garita".to_owned());
    let mut session = timeout_at(Instant::now() + stall, Session::describe(url, options)).await.map_err(silent)?.map_err(broken)?;
    source.connected();
    let video = session.streams().iter().position(|stream| stream.media() == "video" && stream.encoding_name() == "h264").ok_or_else(|| {
        let offered: Vec<String> = session.streams().iter().map(|stream| format!("{} {}", stream.media(), stream.encoding_name())).collect();
        Error::new(Fault::Unsupported, format!("the camera offers {}, no H.264 video: set its stream to H.264", offered.join(", ")))
    })?;
    let setup = SetupOptions::default().transport(Transport::Tcp(Default::default())).frame_format(FrameFormat::SIMPLE);
    timeout_at(Instant::now() + stall, session.setup(video, setup)).await.map_err(silent)?.map_err(broken)?;
    let playing = timeout_at(Instant::now() + stall, session.play(PlayOptions::default())).await.map_err(silent)?.map_err(broken)?;
    let mut items = playing.demuxed().map_err(broken)?;

    let (units, to_decode) = mpsc::channel(WAITING);
    let decoding = {
        let (camera, source) = (camera.clone(), Arc::clone(source));
        tokio::task::spawn_blocking(move || decode(to_decode, &camera, &source, &newest))
    };
    let feeding = feed(&mut items, units, stall, source);
    tokio::select! {
        fed = feeding => fed,
        decoded = decoding => decoded.unwrap_or_else(|error| Err(Error::new(Fault::Machine, format!("the decoder: {error}")))),
    }
}

/// Gives what comes to the decoder, without what it could not make sense of.
async fn feed(items: &mut retina::client::Demuxed, units: mpsc::Sender<VideoFrame>, stall: Duration, source: &Source) -> Result<()> {
    // Nothing can be decoded before a key picture.
    let mut broken = true;
    loop {
        let item = timeout_at(Instant::now() + stall, items.next()).await;
        let item = item.map_err(|_| Error::new(Fault::Machine, format!("no picture for {} s", stall.as_secs_f32())))?;
        let Some(item) = item else { return Ok(()) };
        let CodecItem::VideoFrame(unit) = item.map_err(|error| Error::new(Fault::Machine, error.to_string()))? else { continue };
        source.counts.lost.fetch_add(u64::from(unit.loss()), Ordering::Relaxed);
        broken = (broken || unit.loss() > 0) && !unit.is_random_access_point();
        if !broken && units.try_send(unit).is_err() {
            source.counts.lost.fetch_add(1, Ordering::Relaxed);
            broken = true;
        }
    }
}

/// Decodes until there is nothing more to come.
fn decode(mut units: mpsc::Receiver<VideoFrame>, camera: &Camera, source: &Source, newest: &Newest) -> Result<()> {
    let unusable = |error: openh264::Error| Error::new(Fault::Machine, format!("the decoder: {error}"));
    let mut decoder = Decoder::new().map_err(unusable)?;
    let every = Duration::from_secs_f64(1.0 / camera.fps);
    let mut next = std::time::Instant::now();
    let (mut in_vain, mut luma) = (0, Vec::new());
    while let Some(unit) = units.blocking_recv() {
        let captured_ms = now_ms();
        let picture = match decoder.decode(unit.data()) {
            Ok(Some(picture)) => picture,
            outcome => {
                source.counts.lost.fetch_add(u64::from(outcome.is_err()), Ordering::Relaxed);
                in_vain += 1;
                if in_vain > MOST_IN_VAIN {
                    let why = outcome.err().map_or_else(String::new, |error| format!(": {error}"));
                    return Err(Error::new(
                        Fault::Unsupported,
                        format!("no picture in {MOST_IN_VAIN} parts of the stream{why}; set the camera to baseline or main profile"),
                    ));
                }
                continue;
            }
        };
        in_vain = 0;
        source.frame(&camera.patience);
        if std::time::Instant::now() < next {
            continue;
        }
        next = std::time::Instant::now() + every;
        let (width, height) = picture.dimensions();
        let stride = picture.strides().0;
        luma.clear();
        picture.y().chunks(stride).take(height).for_each(|row| luma.extend_from_slice(&row[..width]));
        let bytes = jpeg(&luma, width, height)?;
        newest.send_modify(|newest| {
            let sequence = newest.as_ref().map_or(0, |before| before.sequence + 1);
            *newest = Some(Picture { bytes: bytes.into(), captured_ms, sequence });
        });
    }
    Ok(())
}

/// Luma rows as a JPEG file.
fn jpeg(luma: &[u8], width: usize, height: usize) -> Result<Vec<u8>> {
    let side = |side: usize| u16::try_from(side).map_err(|_| Error::new(Fault::Limit, format!("a picture of {width}x{height}")));
    let (mut file, columns, rows) = (Vec::new(), side(width)?, side(height)?);
    Encoder::new(&mut file, QUALITY)
        .encode(luma, columns, rows, ColorType::Luma)
        .map_err(|error| Error::new(Fault::Machine, format!("a picture could not be encoded: {error}")))?;
    Ok(file)
}
