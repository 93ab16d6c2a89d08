//! What crosses here, as the site's people have written it down: lanes, portals, lists, addresses, limits. The only module that reads configuration.
//!
//! | file | is |
//! |---|---|
//! | this one | [`Site`]: plain data, valid once it exists |
//! | `schema` | every key, its default, its range |
//! | `network` | addresses that begin alike |
//! | `demo` | what the built-in example looks at |
//! | `reader` | a TOML file and environment variables, asked key by key; keeps where each value came from |
//!
//! A value comes from, in this order: the environment variable of its key (`limits.frame_bytes` is `GARITA__LIMITS__FRAME_BYTES`, `gap_ms` of lane
//! `north-1` is `GARITA__LANE__NORTH_1__GAP_MS`; three have short names as well, [`SHORT_NAMES`]), the site file, the default. A key that does not exist is
//! an error in either. All mistakes are told at once, each with its place and what to do. Paths are relative to the site file's folder; in environment
//! variables, to the working directory.
//!
//! Why by hand and not by `serde`: a derived reader stops at the first mistake, and forgets where a value came from.

pub mod demo;
mod network;
mod reader;
mod schema;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::error::{Error, Fault, Result};
use crate::lane::detect::View;
use crate::people::Role;
use crate::rail::thresholds::Thresholds;
use crate::watchlist::Mapping;

pub use network::Network;
pub use reader::{Mistake, Origin, Setting};

/// Environment variables with a short name, and the key that each sets.
pub const SHORT_NAMES: [(&str, &str); 3] = [("GARITA_LISTEN", "listen"), ("GARITA_DATA_DIR", "data_dir"), ("GARITA_MODELS", "models")];

/// The example that runs as it is, every key in it explained: `testdata/site/garita.example.toml`. Without a site file it is the site.
pub const EXAMPLE: &str = include_str!("../../testdata/site/garita.example.toml");

/// The example as a site of one's own begins, in any folder: what names files of `testdata/` is commented out, and the data lie beside the file.
#[must_use]
pub fn beginning() -> String {
    let (mut out, mut borrowed) = (String::new(), false);
    for line in EXAMPLE.replace("garita.example.toml", "garita.toml").replace("\"../../out/site\"", "\"data\"").lines() {
        borrowed = (borrowed && !line.is_empty()) || ["[lane.replay]", "[portal.replay]", "[[list]]"].contains(&line);
        if borrowed && !line.starts_with('#') {
            out.push('#');
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// A crossing as configured. Everything in it is valid: ids exist and are unique, numbers are in range, paths are absolute.
#[derive(Debug, Clone)]
pub struct Site {
    /// For people: page titles, logs.
    pub name: String,
    /// Where everything that must not be lost lies: the store, evidence, quarantine.
    pub data_dir: PathBuf,
    /// The key that signs checkpoints of the audit trail and evidence packs.
    pub audit_key: PathBuf,
    /// Where the service listens.
    pub listen: SocketAddr,
    /// Lane workers; each holds one core.
    pub workers: usize,
    /// Folder of weights; `None`: those inside the executable.
    pub models: Option<PathBuf>,
    /// The lanes, in the file's order; a frame's `lane` is an index into this.
    pub lanes: Vec<Lane>,
    /// The rail portals, in the file's order.
    pub portals: Vec<Portal>,
    /// The watchlists.
    pub lists: Vec<List>,
    /// How long things are kept.
    pub retention: Retention,
    /// What one sender can ask for.
    pub limits: Limits,
    /// Who is told what happens.
    pub webhooks: Vec<Webhook>,
    /// The broker that is told how the service is doing.
    pub mqtt: Option<Mqtt>,
    /// What is asked of whoever searches.
    pub search: SearchRules,
    /// Who may post; empty: whoever connects from the loopback address.
    pub devices: Vec<Device>,
    /// Who must say who they are.
    pub login: Login,
    /// Certificate and key; `None`: plain HTTP, on the loopback address alone.
    pub tls: Option<Tls>,
    /// What is obscured.
    pub masking: Masking,
    /// How the service writes its log.
    pub log: Log,
    /// Nobody's site: the built-in one over `testdata/`. Pages say so.
    pub demo: bool,
}

/// One camera's lane.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Names it in addresses and records: `[a-z0-9-]{1,32}`.
    pub id: String,
    /// For people; the id unless given.
    pub name: String,
    /// When there is something to see.
    pub mode: Mode,
    /// How its frames are looked at.
    pub view: View,
    /// A passage is over when no read of it came for this long, milliseconds of the frames' clock.
    pub gap_ms: i64,
    /// A lane from which no frame comes for this long is down, seconds; 0 for never.
    pub silence_s: u64,
    /// The list of those enrolled here: who is not on it is a hit.
    pub enrolled: Option<String>,
    /// Folder to watch for frames.
    pub folder: Option<PathBuf>,
    /// Stream to fetch frames from.
    pub pull: Option<Pull>,
    /// Files that stand in for a camera.
    pub replay: Option<Replay>,
}

/// When a lane has something to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Frames come all the time; under load this lane waits for the others.
    #[default]
    Continuous,
    /// A passage is what comes between two triggers.
    Triggered,
    /// Frames come all the time, and each of them counts: served before continuous lanes.
    Watch,
}

impl Mode {
    /// Whether it is served before continuous lanes under load.
    #[must_use]
    pub fn is_urgent(self) -> bool {
        self != Mode::Continuous
    }
}

/// A camera's stream, fetched by the service.
#[derive(Debug, Clone)]
pub struct Pull {
    /// How it is spoken to.
    pub kind: PullKind,
    /// `http://` for MJPEG, `rtsp://` for RTSP; without user and password.
    pub url: String,
    /// Who the service is to the camera.
    pub user: Option<String>,
    /// What it says to prove it, read from `password_file`.
    pub password: Option<Secret>,
    /// The most frames a second that are taken; others of the stream are passed over.
    pub fps: f64,
}

/// Kinds of stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullKind {
    /// JPEG pictures one after the other over HTTP (`multipart/x-mixed-replace`).
    Mjpeg,
    /// H.264 over RTP.
    Rtsp,
}

/// Files that stand in for a camera or a portal, over and over: for trying things out.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The files, in order.
    pub files: Vec<PathBuf>,
    /// From one to the next, milliseconds.
    pub every_ms: u64,
}

/// One rail scanning station.
#[derive(Debug, Clone)]
pub struct Portal {
    /// Names it in addresses and records: `[a-z0-9-]{1,32}`.
    pub id: String,
    /// For people; the id unless given.
    pub name: String,
    /// What normal cars score here; `None`: the thresholds that ship.
    pub thresholds: Option<Thresholds>,
    /// A passing train whose columns stop coming for this long is taken to have passed, seconds.
    pub silence_s: u64,
    /// Whether two persons must confirm each finding.
    pub two_person: bool,
    /// Folder to watch for scans.
    pub folder: Option<PathBuf>,
    /// Scans that stand in for trains.
    pub replay: Option<Replay>,
}

impl Portal {
    /// What its scans are judged by.
    #[must_use]
    pub fn thresholds(&self) -> Thresholds {
        match &self.thresholds {
            Some(thresholds) => thresholds.clone().or(Thresholds::built_in()),
            None => Thresholds::built_in(),
        }
    }
}

/// One watchlist's file.
#[derive(Debug, Clone)]
pub struct List {
    /// Names it in hits and metrics, and is the list of entries whose file does not say: `[a-z0-9-]{1,32}`.
    pub name: String,
    /// An index built by `garita watchlist`, or a list's file in the layout of `mapping`. Need not be there yet.
    pub file: PathBuf,
    /// The layout of `file` where that is no index.
    pub mapping: Mapping,
    /// How often it is looked at for changes, seconds.
    pub reload_s: u64,
    /// How far back its new entries are looked for among what has passed, days; 0 for not at all.
    pub lookback_days: u32,
}

/// How long things are kept.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Frames that no passage refers to, seconds.
    pub frames_without_passage_s: u64,
    /// Passages without a hit, and their frames, days.
    pub passages_days: u32,
    /// Hits and their evidence, days, unless the list says otherwise.
    pub hits_days: u32,
    /// Scans and their findings, days.
    pub scans_days: u32,
    /// Uploads that are not finished and of which nothing comes, seconds.
    pub uploads_s: u64,
    /// The most bytes of refused files that are kept; the oldest go first.
    pub quarantine_bytes: u64,
    /// What is older needs a supervisor, days; 0: nothing does.
    pub supervisor_after_days: u32,
    /// What is kept for another time, the first that fits counts.
    pub rules: Vec<RetentionRule>,
}

/// Some things are kept for another time than others of their class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRule {
    /// Names it in messages: `[a-z0-9-]{1,32}`.
    pub id: String,
    /// What it is about.
    pub class: Class,
    /// Only hits of this list; never with [`Class::Passage`].
    pub list: Option<String>,
    /// Only of this jurisdiction: of a hit its entry's, of a passage the one that was read. `""`: of none.
    pub jurisdiction: Option<String>,
    /// For how long, days.
    pub days: u32,
}

/// Classes of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A passage that no hit names, with its frames and evidence.
    Passage,
    /// A hit of a lane, with its passage.
    Hit,
    /// A scan that no entry met, with its findings and file.
    Scan,
    /// A scan that an entry met.
    ScanHit,
}

/// What one sender can ask for, and how much waits.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most bytes of one frame.
    pub frame_bytes: u64,
    /// The most bytes of one scan.
    pub scan_bytes: u64,
    /// A frame's request, headers and body, must have come within this, seconds.
    pub body_timeout_s: u64,
    /// Connections at once; further ones are answered 503.
    pub connections: usize,
    /// Connections at once of one peer, an IPv4 address or the /64 of an IPv6 one; further ones are answered 429.
    pub connections_per_peer: usize,
    /// Who has no limit of its own: this machine, and proxies that speak for many.
    pub unlimited_peers: Vec<Network>,
    /// Requests that may wait for a worker or for the store; further ones are answered 429.
    pub waiting: usize,
    /// Below this many free bytes in `data_dir` nothing is acknowledged any more (507).
    pub free_bytes: u64,
    /// How long a stop may take until what was accepted is finished, seconds.
    pub drain_s: u64,
    /// Requests of one device, a second.
    pub device_per_s: u32,
    /// Requests of one person, a second.
    pub person_per_s: u32,
}

/// Somebody who is told what happens.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Names it in records: `[a-z0-9-]{1,32}`.
    pub id: String,
    /// Where it is told: `https://` or `http://`.
    pub url: String,
    /// Its secrets, one or two lines of `whsec_` and base64; read again whenever something is sent.
    pub secret_file: PathBuf,
    /// The kinds of event that it is told; empty for all.
    pub events: Vec<String>,
    /// As what.
    pub format: WebhookFormat,
    /// Networks of the site's own that it may be in.
    pub networks: Vec<Network>,
    /// The authority that its certificate hangs on, PEM; `None`: those of the system.
    pub ca: Option<PathBuf>,
}

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookFormat {
    /// CloudEvents 1.0, JSON.
    CloudEvents,
    /// Passages alone, as OpenALPR's agents write them.
    OpenAlpr,
}

/// A broker that is told how the service is doing, over MQTT.
#[derive(Debug, Clone)]
pub struct Mqtt {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who the service is to it.
    pub user: Option<String>,
    /// What it says to prove it, read from `password_file`.
    pub password: Option<Secret>,
    /// What its topics begin with.
    pub prefix: String,
}

/// What is asked of whoever searches.
#[derive(Debug, Clone, Copy)]
pub struct SearchRules {
    /// A search states its reason and a case number.
    pub reason: bool,
    /// Passages so old can be listed without a search, hours.
    pub open_hours: u32,
}

/// A camera, portal or program that may post.
#[derive(Debug, Clone)]
pub struct Device {
    /// Names it in records: `[a-z0-9-]{1,32}`.
    pub id: String,
    /// SHA-256 of its key.
    pub key_sha256: Option<[u8; 32]>,
    /// SHA-256 of its certificate (of the DER), signed by [`Tls::client_ca`]. It has a key, a certificate, or either.
    pub certificate_sha256: Option<[u8; 32]>,
    /// Lanes that it may post to, as indices into [`Site::lanes`]; all unless given.
    pub lanes: Vec<usize>,
    /// Portals that it may post to, as indices into [`Site::portals`]; all unless given.
    pub portals: Vec<usize>,
}

/// Who must say who they are.
#[derive(Debug, Clone, Copy)]
pub struct Login {
    /// People log in; where not, whoever is on this machine is its administrator, and nobody else may do anything.
    pub required: bool,
    /// A session in which its person does nothing locks after this, minutes.
    pub idle_minutes: u32,
    /// A session ends after this, hours.
    pub hours: u32,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, then those that it hangs on: PEM.
    pub certificate: PathBuf,
    /// Its key: PEM.
    pub key: PathBuf,
    /// The authority of devices' client certificates, PEM; `None`: nobody is asked for one.
    pub client_ca: Option<PathBuf>,
}

/// What is obscured.
#[derive(Debug, Clone)]
pub struct Masking {
    /// Roles that are not told the plates of passages without a hit: of viewers and list managers.
    pub obscured: Vec<Role>,
    /// Where people sit is blurred in pictures that leave.
    pub blur_exports: bool,
}

/// How the service writes its log, on standard error.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// The least that is written.
    pub level: LogLevel,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object.
    Json,
    /// For people.
    Text,
}

/// Levels of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What somebody must mend.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happened.
    Info,
    /// Every request.
    Debug,
    /// Every step.
    Trace,
}

/// A password; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The password itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// A site, where each of its values came from, and what is not wrong but worth knowing.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The site.
    pub site: Site,
    /// Every value, in the order in which they are asked for.
    pub settings: Vec<Setting>,
    /// What will not work until something else is done: a folder or list that is not there yet.
    pub notes: Vec<Mistake>,
}

impl Site {
    /// The site of the file at `path`, or the example over [`demo::inputs`] if there is none; `environment` overrides it.
    ///
    /// # Errors
    /// `Caller`: the first mistake, and how many more there are. `Machine` where the example's pictures cannot be written.
    pub fn load(path: Option<&Path>, environment: impl IntoIterator<Item = (String, String)>) -> Result<Site> {
        if path.is_none() {
            demo::inputs()?;
        }
        Site::explain(path, environment).map(|explained| explained.site).map_err(|mistakes| {
            let first = mistakes.first().expect("no site without a mistake");
            let more = match mistakes.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more: garita config check)"),
            };
            Error::new(Fault::Caller, format!("{}{more}", first.message)).in_(&first.place)
        })
    }

    /// As [`Site::load`], with where each value came from.
    ///
    /// # Errors
    /// Every mistake there is.
    pub fn explain(path: Option<&Path>, environment: impl IntoIterator<Item = (String, String)>) -> std::result::Result<Explained, Vec<Mistake>> {
        match path {
            Some(path) => schema::from_file(path, environment),
            None => {
                let mut explained = schema::from_text(EXAMPLE, "the built-in example", &demo::place().join("site"), environment)?;
                explained.site.demo = true;
                Ok(explained)
            }
        }
    }

    /// A site written as `text`, as if it lay in `folder`.
    ///
    /// # Errors
    /// Every mistake there is.
    pub fn parse(text: &str, folder: &Path, environment: impl IntoIterator<Item = (String, String)>) -> std::result::Result<Explained, Vec<Mistake>> {
        schema::from_text(text, "site file", folder, environment)
    }

    /// The built-in site on loopback: a lane and a portal that replay [`demo::inputs`], and a list.
    ///
    /// # Errors
    /// `Caller` where those cannot be written.
    pub fn demo() -> Result<Site> {
        Site::load(None, environment())
    }
}

/// The environment variables that concern garita.
pub fn environment() -> Vec<(String, String)> {
    let named = |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned()));
    std::env::vars_os().filter_map(named).filter(|(name, _)| name.starts_with("GARITA_")).collect()
}
