//! The doors: what cameras, portals and people speak to. The only async room; analysis and custody are plain threads on the other side of [`door::Door`].
//!
//! | file | is |
//! |---|---|
//! | [`door`] | a frame in, its fate out |
//! | [`access`] | who asks, and whether they may |
//! | `frames` | frames and triggers over HTTP |
//! | `portals` | scans, columns and papers over HTTP |
//! | `uploads` | what is still coming: resumable, synced, complete before it is a scan |
//! | `portal_files` | a portal's watched folder; files that stand in for trains |
//! | `connections`, `peers`, `tls` | accepting them, within limits of number and patience; who has how many; encrypting them |
//! | `sessions`, `people` | logging in; who works here |
//! | `trail` | the audit trail and holds |
//! | `acts`, `asked` | what handlers change and record; what requests ask for, taken apart |
//! | `sources`, [`source`] | what the service fetches itself, and how that is doing |
//! | [`folder`], `watched`, [`mjpeg`], `rtsp` | folders watched; what they have in common with those of portals; cameras pulled |
//! | [`multipart`] | bodies of many parts, taken apart as they arrive |
//! | [`edge`], `edge_reads` | reads that cameras made themselves, taken apart; taken in as a second opinion, and told |
//! | `cases`, `live` | what people do with hits; what changes, as server-sent events |
//! | `viewer` | scans for people's eyes: tiles, thicknesses, what they decide and draw |
//! | `page` | the operators' page |
//! | [`webhooks`], `mqtt` | who is told what happens; who is told how the service is doing |
//! | `queries`, `lookback` | what there is, searched, taken out; what has passed before an entry was filed |
//! | [`openapi`] | what all requests are |
//! | `lists` | the watchlists, and their files when they change |
//! | `proposals` | new versions of them, which a second person activates |
//! | `activity` | which sources something came from lately |
//! | `silence` | lanes that see nothing |
//! | `health` | `/healthz`, `/readyz`, `/metrics`, `/v1/status` |
//! | `problem` | errors as HTTP tells them |
//!
//! Shutdown is the data ending: no more connections, then no more frames, the lanes finish what they have, its events run out, the store commits
//! them and closes. All of it has `limits.drain_s` from the signal on: what is not done then ends like at a power cut, which loses nothing that was acknowledged.

pub mod access;
mod activity;
mod acts;
mod asked;
mod cases;
mod connections;
pub mod door;
pub mod edge;
mod edge_reads;
pub mod fields;
pub mod folder;
mod frames;
mod health;
mod lists;
mod live;
mod lookback;
pub(crate) mod metrics;
pub mod mjpeg;
mod mqtt;
pub mod multipart;
pub mod openapi;
mod page;
mod peers;
mod people;
mod portal_files;
mod portals;
mod problem;
mod proposals;
mod queries;
mod replay;
#[cfg(feature = "rtsp")]
pub mod rtsp;
mod sessions;
mod silence;
pub mod source;
mod sources;
mod tls;
mod trace;
mod trail;
mod uploads;
mod viewer;
mod watched;
pub mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, head, patch, post, put};
use http_body_util::BodyExt;
use tokio::signal::unix::{Signal, SignalKind};
use tokio::sync::{Semaphore, watch};

use self::door::{Door, now_ms};
use self::problem::Problem;
use crate::audit::checkpoint::Signer;
use crate::bytes::Bytes;
use crate::custody::record::{Record, SightingRecord};
use crate::custody::{Custody, Settings};
use crate::error::{Error, Fault, Result};
use crate::infer::Engine;
use crate::lane::frame::Frame;
use crate::lane::hit::Matcher;
use crate::lane::passage::{NO_TRIGGER_MS, Passages, Settled};
use crate::models::{Models, Precision};
use crate::pipeline::lanes::{LaneSettings, Lanes};
use crate::pipeline::portals::{PortalSettings, Portals, Waker};
use crate::rail::anomaly::Anomaly;
use crate::site::{Lane, Mode, Site};
use crate::watchlist::snapshot::Watchlist;

/// How often the service says that it is well, while it is.
pub const WELL_EVERY: Duration = Duration::from_secs(5);
/// How often it does what goes by the clock.
const TICK: Duration = Duration::from_millis(250);

/// Of the time that stopping may take, connections have this share; what they have brought is finished in the other.
const CONNECTIONS_SHARE: f64 = 0.5;
/// At the end of that time whatever still runs is let go.
const LET_GO: Duration = Duration::from_millis(500);

/// What the service says of itself while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It takes frames, at this address.
    Ready(SocketAddr),
    /// Its threads run; said every [`WELL_EVERY`].
    Well,
    /// It was told to stop, and begins to.
    Stopping,
}

/// What requests need. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Service {
    site: Arc<Site>,
    door: Door,
    custody: Custody,
    lists: lists::Lists,
    uploads: uploads::Uploads,
    webhooks: webhooks::Webhooks,
    /// Since when each lane is down, milliseconds since the Unix epoch; 0 while it is up.
    down: Arc<[std::sync::atomic::AtomicI64]>,
    /// One look back at a time.
    looking_back: Arc<tokio::sync::Mutex<()>>,
    /// One new version of a list at a time.
    proposing: Arc<tokio::sync::Mutex<()>>,
    waker: Waker,
    activity: Arc<activity::Activity>,
    opened: Arc<viewer::Scans>,
    fetched: Arc<[sources::Fetched]>,
    recorder: metrics_exporter_prometheus::PrometheusHandle,
    stopping: watch::Sender<bool>,
    /// The number of the newest change of a case, while a screen is open.
    newest_change: watch::Sender<i64>,
    /// One permit for each byte of a frame that is being received or looked at.
    room: Arc<Semaphore>,
    /// One permit for each password that may be looked at at once.
    hashing: Arc<Semaphore>,
    rates: Arc<access::Rates>,
    /// Signs how far the audit trail goes.
    signer: Arc<Signer>,
}

impl Service {
    /// Whether it was told to stop.
    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// A thread that has ended though it should run, by name. Nothing brings it back but a new start.
    fn dead(&self) -> Option<String> {
        // Then they end.
        if self.is_stopping() {
            return None;
        }
        self.door.dead().or_else(|| (!self.waker.is_heard()).then(|| "rail worker".to_owned()))
    }

    /// The index of a lane.
    fn lane(&self, id: &str) -> std::result::Result<usize, Problem> {
        let known = self.site.lanes.iter().position(|lane| lane.id == id);
        known.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "No such lane", format!("{id:?} is no lane of this site; /v1/status lists them")))
    }

    /// The index of a portal.
    fn portal(&self, id: &str) -> std::result::Result<usize, Problem> {
        let known = self.site.portals.iter().position(|portal| portal.id == id);
        known.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "No such portal", format!("{id:?} is no portal of this site; /v1/status lists them")))
    }
}

/// Runs the service until it is told to stop (SIGTERM, SIGINT); `told` hears how it is doing.
///
/// # Errors
/// `Caller` for an address that cannot be had, `Machine` and `Damaged` for a store that does not open, `Model` where a network does not load.
pub fn serve(site: Site, told: impl Fn(News) + Send + Sync + 'static) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|error| Error::io(&error).in_("tokio"))?;
    let recorder = metrics::install()?;
    let engine = Engine::load()?;
    let models = match &site.models {
        Some(folder) => Models::from_folder(folder, Precision::of_this_machine())?,
        None => Models::embedded(Precision::of_this_machine()),
    };
    let settings = Settings {
        frames_without_passage_ms: 1_000 * site.retention.frames_without_passage_s as i64,
        quarantine_bytes: site.retention.quarantine_bytes,
        free_bytes: site.limits.free_bytes,
        passages_days: site.retention.passages_days,
        hits_days: site.retention.hits_days,
        scans_days: site.retention.scans_days,
        rules: site.retention.rules.clone(),
        ..Settings::default()
    };
    metrics::models(&models);
    site.lanes.iter().for_each(|lane| metrics::lane(&lane.id));
    site.portals.iter().for_each(|portal| metrics::portal(&portal.id));
    metrics::frames_of(door::UNKNOWN);
    let tls = site.tls.as_ref().map(tls::Tls::load).transpose()?.map(Arc::new);
    let custody = Custody::open(&site.data_dir, settings)?;
    let signer = Arc::new(Signer::open(&site.audit_key)?);
    acts::configured(&custody, &site)?;
    if site.login.required {
        people::first(&custody)?;
    }
    lists::finish(&custody, &site.lists)?;
    let lists = lists::Lists::load(&site.lists)?;
    let (passages, next) = resume(&site, &custody, &lists.watchlists())?;
    let enrolled = |lane: &Lane| {
        let name = lane.enrolled.clone()?;
        Some((site.lists.iter().position(|list| list.name == name)?, name))
    };
    let settings = |lane: &Lane| LaneSettings { view: lane.view, gap_ms: gap_ms(lane), first: lane.mode.is_urgent(), enrolled: enrolled(lane) };
    let lanes: Vec<LaneSettings> = site.lanes.iter().map(settings).collect();
    let (lanes, events) = Lanes::start(&engine, &models, site.workers, &lanes, passages, lists.watchlists())?;
    let ids = site.lanes.iter().map(|lane| lane.id.clone()).collect();
    let door = Door::new(lanes, ids, &next, custody.clone());
    let relay = {
        let door = door.clone();
        std::thread::Builder::new().name("relay".to_owned()).spawn(move || door.relay(&events)).map_err(|error| Error::io(&error).in_("starting a thread"))?
    };
    let settings =
        site.portals.iter().map(|portal| PortalSettings { id: portal.id.clone(), thresholds: portal.thresholds(), two_person: portal.two_person }).collect();
    let portals = Portals::start(custody.clone(), settings, lists.watchlists(), Anomaly::open(&engine)?, |news| metrics::scan_news(&news))?;
    let waker = portals.waker();
    let uploads = uploads::Uploads::open(&custody, site.limits.clone(), waker.clone())?;
    let down = site.lanes.iter().map(|_| std::sync::atomic::AtomicI64::new(0)).collect();
    let webhooks = webhooks::Webhooks::open(&site, &custody)?;
    let activity = Arc::new(activity::Activity::new(site.portals.len()));
    let fetched = sources::Fetched::of(&site).into();
    let service = Service {
        site: Arc::new(site),
        door,
        custody,
        lists,
        uploads,
        webhooks,
        down,
        looking_back: Arc::default(),
        proposing: Arc::default(),
        waker,
        activity,
        opened: Arc::default(),
        fetched,
        recorder,
        stopping: watch::Sender::new(false),
        newest_change: watch::Sender::new(0),
        room: Arc::new(Semaphore::new(frames::MOST_BYTES_AT_ONCE)),
        hashing: sessions::hashing(),
        rates: Arc::default(),
        signer,
    };
    let drain = Duration::from_secs(service.site.limits.drain_s);
    let served = runtime.block_on(run(service.clone(), tls, Arc::new(told)));
    let until = *served.as_ref().unwrap_or(&Instant::now()) + drain - 2 * LET_GO;
    let (say, drained) = sync_channel(1);
    let closing = move || _ = say.send(close(&service, portals, relay));
    std::thread::Builder::new().name("closing".to_owned()).spawn(closing).map_err(|error| Error::io(&error).in_("starting a thread"))?;
    let drained = drained.recv_timeout(until.saturating_duration_since(Instant::now()));
    runtime.shutdown_timeout(LET_GO);
    match drained {
        Ok(true) => {}
        Err(RecvTimeoutError::Timeout) => tracing::warn!("what was under way is not finished within limits.drain_s; nothing that was acknowledged is lost"),
        Ok(false) | Err(RecvTimeoutError::Disconnected) => return Err(Error::new(Fault::Machine, "a thread panicked; see the log")),
    }
    served.map(|_| ())
}

/// Finishes what was accepted; whether all threads ended well. Requests under way get their answers from it.
fn close(service: &Service, portals: Portals, relay: JoinHandle<()>) -> bool {
    let finished = service.door.close().map(|lanes| std::thread::spawn(move || lanes.finish()));
    portals.finish();
    trail::tell(service, 0);
    let drained = finished.is_none_or(|thread| thread.join().is_ok()) && relay.join().is_ok();
    service.door.tell_shed();
    service.custody.close();
    drained
}

/// How long without a read ends a passage of `lane`, milliseconds: where triggers end them, no gap that its camera leaves.
fn gap_ms(lane: &Lane) -> i64 {
    match lane.mode {
        Mode::Triggered => NO_TRIGGER_MS,
        Mode::Continuous | Mode::Watch => lane.gap_ms,
    }
}

/// Each lane's passages as they were left, and the number of its next frame. What of their reads meets a list is told again: a crash may have come
/// between a frame's commit and its hit's.
fn resume(site: &Site, custody: &Custody, watchlists: &[Arc<Watchlist>]) -> Result<(Vec<Passages>, Vec<u64>)> {
    let (mut all, mut next, mut matcher) = (Vec::new(), Vec::new(), Matcher::default());
    for (index, lane) in site.lanes.iter().enumerate() {
        let state = custody.lane_state(&lane.id)?;
        let mut passages = Passages::new(gap_ms(lane), state.next_track);
        let mut settled = Settled::default();
        for open in state.open {
            // By the frames' clock it is seen just now: the time that the service was away does not count.
            let frame = Frame { lane: index, sequence: open.sequence, captured_ms: open.captured_ms, clock_ms: 0, skipped: 0, encoded: open.encoded };
            let (read, mut hits) = (open.read.to_read(), Vec::new());
            for watchlist in watchlists {
                matcher.hits(&watchlist.load(), (&read.text, &read.posterior), read.jurisdiction, open.captured_ms, &mut hits)?;
            }
            if !hits.is_empty() {
                let record = SightingRecord { lane: lane.id.clone(), track: open.track, sequence: open.sequence, hits, now_ms: now_ms(), after_ms: None };
                custody.put(Record::Sighting(Box::new(record)));
            }
            passages.resume(open.track, &read, &frame, &mut settled);
        }
        debug_assert!(settled.passages.is_empty(), "no more tracks were open than a lane has");
        all.push(passages);
        next.push(state.next_sequence);
    }
    Ok((all, next))
}

/// Serves until the signal; answers when that came.
async fn run(service: Service, tls: Option<Arc<tls::Tls>>, told: Arc<impl Fn(News) + Send + Sync + 'static>) -> Result<Instant> {
    // Before anybody is told that it is ready: who stops it then is heard.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listen = service.site.listen;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| Error::new(Fault::Caller, format!("{error}; name another address (`listen` in the site file, or GARITA_LISTEN)")).in_(listen))?;
    let address = listener.local_addr().map_err(|error| Error::io(&error).in_(listen))?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(tick(service.clone(), stopped.clone(), Arc::clone(&told)));
    tokio::spawn(trail::export(service.clone(), stopped.clone()));
    tokio::spawn(lists::watch(service.clone(), stopped.clone()));
    tokio::spawn(silence::watch(service.clone(), stopped.clone()));
    tokio::spawn(live::watch(service.clone(), stopped.clone()));
    tokio::spawn(mqtt::tell(service.clone(), stopped.clone()));
    service.webhooks.start(&stopped);
    replay::start(&service, &stopped);
    sources::start(&service, &stopped);
    portal_files::start(&service, &stopped);
    told(News::Ready(address));
    if let Some(tls) = &tls {
        tokio::spawn(tls::watch(Arc::clone(tls), stopped.clone()));
    }
    let connections = connections::accept(listener, tls, router(service.clone()), service.site.limits.clone(), stopped);
    let connections = tokio::spawn(connections);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let signalled = Instant::now();
    told(News::Stopping);
    tracing::info!("stopping: what was accepted is finished first");
    service.stopping.send_replace(true);
    service.uploads.stop();
    let _ = stop.send(true);
    // Those that are not over then still get what the lanes find while these finish.
    let _ = tokio::time::timeout(Duration::from_secs(service.site.limits.drain_s).mul_f64(CONNECTIONS_SHARE), connections).await;
    Ok(signalled)
}

/// Hears a signal from now on.
fn signal(kind: SignalKind) -> Result<Signal> {
    tokio::signal::unix::signal(kind).map_err(|error| Error::io(&error).in_("listening for SIGTERM and SIGINT"))
}

/// What happens by the clock: passages end in silence, what was shed is written down, what has had its time is deleted, gauges are set, and that all is well is told.
async fn tick(service: Service, mut stopped: watch::Receiver<bool>, told: Arc<impl Fn(News)>) {
    let mut every = tokio::time::interval(TICK);
    let mut ticks = 0u64;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.changed() => return,
        }
        ticks += 1;
        let (looks, sweep) = (ticks % 4 == 1, ticks.is_multiple_of(40));
        if sweep {
            let service = service.clone();
            // A long train takes a while to become a scan: nothing else waits for it.
            tokio::spawn(async move {
                let silence_s = |id: &str| service.site.portals.iter().find(|portal| portal.id == id).map_or(0, |portal| portal.silence_s);
                service.uploads.expire(service.site.retention.uploads_s, silence_s).await;
                proposals::expire(&service, now_ms()).await;
            });
        }
        let ticking = service.clone();
        let ticked = tokio::task::spawn_blocking(move || {
            let service = ticking;
            let now_ms = now_ms();
            service.door.tick(now_ms);
            if sweep {
                service.custody.put(Record::Sweep { now_ms });
                if let Err(error) = portal_files::expire(&service, now_ms) {
                    tracing::warn!(%error, "old scans are not deleted");
                }
            }
            for upload in service.uploads.all() {
                service.activity.heard(service.site.portals.iter().position(|portal| portal.id == upload.about.portal), &upload);
            }
            service.activity.tell(service.site.portals.iter().map(|portal| &portal.id));
            service.opened.close_idle();
            if sweep {
                // Latencies wait to be sorted into their buckets until somebody asks or this does it: nobody may ever ask.
                service.recorder.run_upkeep();
            }
            metrics::queue("frames", service.door.under_way());
            metrics::queue("store", service.custody.waiting());
            if looks {
                let waiting = "SELECT count(*) FROM scan WHERE state = 'waiting'";
                let waiting = service.custody.ask(|connection| connection.prepare_cached(waiting)?.query_row([], |row| row.get::<_, i64>(0)));
                waiting.into_iter().for_each(|scans| metrics::queue("scans", scans as usize));
            }
            metrics::store(&service.custody.state(), service.custody.lost());
            metrics::memory();
        });
        // Had it come to a halt in there, nobody would be told that it is well.
        let _ = ticked.await;
        if ticks.is_multiple_of((WELL_EVERY.as_millis() / TICK.as_millis()) as u64) && service.dead().is_none() {
            told(News::Well);
        }
    }
}

fn router(service: Service) -> Router {
    let limit = usize::try_from(service.site.limits.frame_bytes).unwrap_or(usize::MAX);
    Router::new()
        .route("/v1/lanes/{id}/frames", post(frames::frame))
        .route("/v1/lanes/{id}/edge-reads", post(edge_reads::take))
        .route("/v1/lanes/{id}/triggers", post(frames::trigger))
        .route("/v1/plate-reader/", post(frames::plate_reader))
        .route("/v1/status", get(health::status))
        .route("/", get(page::index))
        .route("/web/{file}", get(page::file))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "Not found", "there is nothing at this address"))
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Wrong method", "this address takes other methods: see `Allow`"))
        .layer(DefaultBodyLimit::max(limit))
        .merge(outward())
        .route("/v1/portals", get(portals::portals))
        .route("/v1/portals/{id}/scans/{scan}/{paper}", post(portals::paper))
        .route("/v1/cases", get(cases::queue))
        .route("/v1/cases/{id}", get(cases::case))
        .route("/v1/cases/{id}/pictures/{digest}", get(cases::picture))
        .route("/v1/cases/{id}/claim", put(cases::claim).delete(cases::release))
        .route("/v1/cases/{id}/disposition", post(cases::disposition).delete(cases::undo))
        .route("/v1/cases/{id}/notes", post(cases::note))
        .route("/v1/events", get(live::events))
        .route("/v1/figures/accuracy", get(cases::accuracy))
        .route("/v1/figures/hours", get(cases::hours))
        .route("/v1/scans/{scan}", get(portals::scan))
        .merge(viewed())
        .route("/login", get(sessions::page))
        .route("/login.js", get(sessions::script))
        .route("/v1/session", get(sessions::told).post(sessions::log_in).delete(sessions::log_out))
        .route("/v1/session/unlock", post(sessions::unlock))
        .route("/v1/session/password", post(sessions::set_password))
        .route("/v1/session/second-factor", post(sessions::propose_factor).put(sessions::take_factor).delete(sessions::drop_factor))
        .route("/v1/session/settings", put(sessions::set_settings))
        .route("/v1/people", get(people::list).post(people::make))
        .route("/v1/people/{id}", patch(people::change))
        .route("/v1/audit", get(trail::records))
        .route("/v1/audit/checkpoint", get(trail::checkpoint))
        .route("/v1/audit/verification", get(trail::verification))
        .route("/v1/holds", get(trail::holds).post(trail::hold))
        .route("/v1/holds/{id}", delete(trail::release))
        .layer(middleware::from_fn_with_state(service.clone(), bounded))
        // A train does not come again: these end by themselves when the service stops, once what has come is synced.
        .route("/v1/portals/{id}/scans", get(portals::listed).post(portals::scans))
        .route("/v1/portals/{id}/columns", post(portals::columns))
        .route("/v1/uploads/{upload}", head(portals::offset).patch(portals::go_on).delete(portals::call_off))
        .layer(middleware::from_fn_with_state(service.clone(), access::guard))
        .layer(middleware::from_fn(trace::named))
        .with_state(service)
}

/// Scans for people's eyes.
fn viewed() -> Router<Service> {
    Router::new()
        .route("/v1/scans", get(viewer::trains))
        .route("/v1/scans/{scan}/tiles/{level}/{x}/{y}", get(viewer::tile))
        .route("/v1/scans/{scan}/cars", get(viewer::train))
        .route("/v1/scans/{scan}/cars/{position}", get(viewer::car))
        .route("/v1/scans/{scan}/cars/{position}/claim", put(viewer::claim).delete(viewer::release))
        .route("/v1/scans/{scan}/cars/{position}/thumbnail", get(viewer::thumbnail))
        .route("/v1/scans/{scan}/cars/{position}/thickness", get(viewer::thickness))
        .route("/v1/scans/{scan}/cars/{position}/change", get(viewer::change))
        .route("/v1/scans/{scan}/cars/{position}/made", get(viewer::made_by_now))
        .route("/v1/scans/{scan}/cars/{position}/findings/{number}/disposition", post(viewer::decide).delete(viewer::undo))
        .route("/v1/scans/{scan}/cars/{position}/annotations", post(viewer::annotate))
        .route("/v1/scans/{scan}/cars/{position}/annotations/{annotation}", delete(viewer::remove))
}

/// What leaves: queries, exports, how webhooks do, and what all requests are.
fn outward() -> Router<Service> {
    Router::new()
        .route("/v1/passages", get(queries::passages::listed))
        .route("/v1/passages/{id}", get(queries::passages::one))
        .route("/v1/edge-reads", get(edge_reads::listed))
        .route("/v1/hits", get(queries::hits::listed))
        .route("/v1/hits/{id}", get(queries::hits::one))
        .route("/v1/cars", get(queries::rail::cars))
        .route("/v1/findings", get(queries::rail::findings))
        .route("/v1/evidence/{sha256}", get(queries::evidence::file))
        .route("/v1/lists", get(queries::lists::listed))
        .route("/v1/lists/{name}", get(queries::lists::one))
        .route("/v1/lists/{name}/proposals", post(proposals::propose))
        .route("/v1/proposals", get(proposals::listed))
        .route("/v1/proposals/{id}", get(proposals::one))
        .route("/v1/proposals/{id}/activation", post(proposals::activate))
        .route("/v1/proposals/{id}/refusal", post(proposals::refuse))
        .route("/v1/search", post(queries::search::search))
        .route("/v1/exports", post(queries::export::export))
        .route("/v1/packs", post(queries::pack::pack))
        .route("/v1/lookbacks", get(lookback::listed).post(lookback::asked))
        .route("/v1/lookbacks/{id}", get(lookback::one))
        .route("/v1/webhooks", get(webhooks::webhooks))
        .route("/v1/webhooks/{id}/dead", get(webhooks::dead))
        .route("/v1/webhooks/{id}/replay", post(webhooks::replay))
        .route("/v1/openapi.json", get(openapi::json))
        .route("/docs", get(openapi::page))
}

/// Refuses what cannot be dealt with any more: the service is stopping. Who is still sending when it begins to is told at once, too.
async fn bounded(State(service): State<Service>, route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let refuse = || {
        if let Some(route) = &route {
            frames::turned_away(&service, &method, route.as_str(), &path, door::Refused::Shed);
        }
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Stopping", "the service is stopping").retry(5).into_response()
    };
    if method == Method::POST && service.is_stopping() {
        return refuse();
    }
    // Held by the body, which goes when it has come, or when nobody wants more of it.
    let comes = Arc::new(());
    let coming = Arc::downgrade(&comes);
    let request = request.map(|body| match body.is_end_stream() {
        true => body,
        false => Body::new(body.map_frame(move |piece| {
            let _held = &comes;
            piece
        })),
    });
    let mut stopping = service.stopping.subscribe();
    let cut = async {
        let _ = stopping.wait_for(|stopping| *stopping).await;
        if coming.strong_count() == 0 {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        response = next.run(request) => response,
        () = cut => refuse(),
    }
}

/// Reads a file that stands in for a camera.
fn replayed(path: &std::path::Path) -> Result<bytes::Bytes> {
    let bytes = Bytes::read(path, crate::lane::frame::MAX_BYTES)?;
    Ok(bytes::Bytes::copy_from_slice(&bytes))
}
