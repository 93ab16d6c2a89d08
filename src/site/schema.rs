//! Every key of a site file: what it is called, its default, its range.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::reader::{Kind, Mistake, Otherwise, Reader, Section};
use super::{
    Class, Device, Explained, Lane, Limits, List, Log, LogFormat, LogLevel, Login, Masking, Mode, Portal, Pull, PullKind, Replay, Retention, RetentionRule,
    SearchRules, Secret, Site, Tls,
};
use super::{Mqtt, Network, Webhook, WebhookFormat};
use crate::audit::checkpoint::usual_key;
use crate::bytes::Bytes;
use crate::lane::detect::View;
use crate::lane::frame::MAX_BYTES;
use crate::lane::passage::GAP_MS;
use crate::lane::read::Code;
use crate::people::Role;
use crate::rail::thresholds::Thresholds;
use crate::service::webhooks::event::KINDS;
use crate::service::webhooks::signature::Secrets;
use crate::service::webhooks::target::Target;
use crate::watchlist::Mapping;
use crate::watchlist::mapping::PRESETS;

/// The most bytes of a site file; and of a file that it names, mappings and thresholds.
const MOST_BYTES: u64 = 4 << 20;
/// Settled in memory and on disk per lane; far more than a port of entry has.
const MOST_LANES: usize = 256;

pub(super) fn from_file(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Explained, Vec<Mistake>> {
    let wrong = |message: String| vec![Mistake { place: path.display().to_string(), message }];
    let bytes = Bytes::read(path, MOST_BYTES).map_err(|error| wrong(format!("cannot be read as a site file: {}", error.message)))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| wrong(format!("byte {} is no UTF-8: save the file as UTF-8", error.valid_up_to())))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    from_text(text, &path.display().to_string(), folder, environment)
}

pub(super) fn from_text(text: &str, name: &str, folder: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Explained, Vec<Mistake>> {
    let reader = Reader::new(text, name, folder, environment);
    let Some(root) = reader.root() else { return Err(reader.finish().mistakes) };
    let site = site(root);
    let outcome = reader.finish();
    match site {
        Some(site) if outcome.mistakes.is_empty() => Ok(Explained { site, settings: outcome.settings, notes: outcome.notes }),
        _ => Err(outcome.mistakes),
    }
}

/// `None` only after a mistake.
fn site(mut root: Section<'_, '_>) -> Option<Site> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(256).to_string();
    let name = text(&mut root, "name", Otherwise::Value("garita"));
    let data_dir = root.path("data_dir", Otherwise::Value("data"));
    let audit_key = root.path("audit_key", Otherwise::Nothing);
    let listen: Option<SocketAddr> = root.take("listen", Kind::Text, Otherwise::Value("127.0.0.1:8750"), |text| {
        text.parse().map_err(|_| "it takes an IP address and a port, such as \"127.0.0.1:8750\" or \"[::]:8750\"".to_owned())
    });
    let workers = number(&mut root, "workers", &cores, 1..=256);
    let models = root.path("models", Otherwise::Nothing);
    must_be_folder(&root, "models", models.as_deref());
    let lanes = root.sections("lane", "id");
    let portals = root.sections("portal", "id");
    let ids = |sections: &[(String, Section<'_, '_>)]| sections.iter().map(|(id, _)| id.clone()).filter(|id| !id.starts_with('#')).collect::<Vec<_>>();
    let (lane_ids, portal_ids) = (ids(&lanes), ids(&portals));
    // Each is read to its end before the first wrong one ends it all: every mistake is told.
    let lanes: Vec<_> = lanes.into_iter().map(lane).collect();
    let portals: Vec<_> = portals.into_iter().map(portal).collect();
    let lists: Vec<_> = root.sections("list", "name").into_iter().map(list).collect();
    let list_names: Vec<String> = lists.iter().flatten().map(|list: &List| list.name.clone()).collect();
    let retention = retention(root.section("retention"), &list_names);
    let limits = limits(root.section("limits"));
    let log = log(root.section("log"));
    let mqtt = root.optional_section("mqtt").map(mqtt);
    let search = search(root.section("search"));
    let webhooks: Vec<_> = root.sections("webhook", "id").into_iter().map(webhook).collect();
    let devices: Vec<_> = root.sections("device", "id").into_iter().map(|section| device(section, &lane_ids, &portal_ids)).collect();
    let login = login(root.section("login"));
    let tls = tls(root.section("tls"));
    let masking = masking(root.section("masking"));
    if lanes.len() > MOST_LANES {
        root.reader.mistake(root.place(), format!("{} lanes: one garita takes {MOST_LANES}; divide the site", lanes.len()));
    }
    let site = Site {
        name: name?,
        audit_key: audit_key.or_else(|| data_dir.as_deref().map(usual_key))?,
        data_dir: data_dir?,
        listen: listen?,
        workers: workers?,
        models,
        lanes: lanes.into_iter().collect::<Option<_>>()?,
        portals: portals.into_iter().collect::<Option<_>>()?,
        lists: lists.into_iter().collect::<Option<_>>()?,
        retention: retention?,
        limits: limits?,
        webhooks: webhooks.into_iter().collect::<Option<_>>()?,
        mqtt: sound(mqtt)?,
        search: search?,
        devices: devices.into_iter().collect::<Option<_>>()?,
        login: login?,
        tls: tls?,
        masking: masking?,
        log: log?,
        demo: false,
    };
    together(&root, &site);
    Some(site)
}

/// What is right by itself, but not with the rest.
fn together(root: &Section<'_, '_>, site: &Site) {
    let watched = site.lanes.iter().map(|lane| (&lane.id, &lane.folder)).chain(site.portals.iter().map(|portal| (&portal.id, &portal.folder)));
    let mut folders: Vec<(&PathBuf, &String)> = watched.filter_map(|(id, folder)| Some((folder.as_ref()?, id))).collect();
    folders.sort();
    for pair in folders.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let message = format!("{} is watched for both {} and {}: give each a folder of its own", pair[0].0.display(), pair[0].1, pair[1].1);
        root.reader.mistake(root.place(), message);
    }
    if site.devices.iter().any(|device| device.certificate_sha256.is_some()) && site.tls.as_ref().is_none_or(|tls| tls.client_ca.is_none()) {
        root.reader
            .mistake(root.place(), "a [[device]] has a certificate_sha256, and [tls] no client_ca: name the authority that its certificate is signed by");
    }
    for lane in &site.lanes {
        if let Some(enrolled) = lane.enrolled.as_ref().filter(|&name| site.lists.iter().all(|list| list.name != *name)) {
            root.reader.mistake(root.place(), format!("lane {} is for those enrolled on {enrolled}, but no [[list]] has that name", lane.id));
        }
    }
    if site.lanes.is_empty() && site.portals.is_empty() {
        root.reader.mistake(root.place(), "there is neither a [[lane]] nor a [[portal]]: `garita config example` shows both");
    }
    if site.listen.ip().is_loopback() {
        return;
    }
    if site.tls.is_none() {
        root.mistake("listen", "is open to others, who would read along: add [tls] with certificate and key, or listen on 127.0.0.1");
    }
    if !site.login.required {
        root.mistake("listen", "is open to others: take required = \"no\" out of [login], or listen on 127.0.0.1");
    }
    if site.devices.is_empty() {
        root.note("listen", "is open to others, but without a [[device]] only this machine may post");
    }
}

fn lane((id, mut section): (String, Section<'_, '_>)) -> Option<Lane> {
    let name = text(&mut section, "name", Otherwise::Value(&id));
    let mode = choice(&mut section, "mode", "continuous", &[("continuous", Mode::Continuous), ("triggered", Mode::Triggered), ("watch", Mode::Watch)]);
    let view = choice(&mut section, "view", "whole", &[("whole", View::Whole), ("still", View::Still), ("tiles", View::Tiled)]);
    let gap_ms = number(&mut section, "gap_ms", &GAP_MS.to_string(), 100..=600_000);
    // A triggered lane may be quiet for hours.
    let silence = if mode == Some(Mode::Triggered) { "0" } else { "60" };
    let silence_s = number(&mut section, "silence_s", silence, 0..=86_400);
    let enrolled = text(&mut section, "enrolled", Otherwise::Nothing);
    let folder = section.path("folder", Otherwise::Nothing);
    should_be_there(&section, "folder", folder.as_deref());
    let pull = section.optional_section("pull").map(pull);
    let replay = section.optional_section("replay").map(|section| replay(section, "fps"));
    let lane = Lane {
        name: name?,
        mode: mode?,
        view: view?,
        gap_ms: gap_ms?,
        silence_s: silence_s?,
        enrolled,
        folder,
        pull: sound(pull)?,
        replay: sound(replay)?,
        id,
    };
    if lane.pull.is_some() && lane.replay.is_some() {
        section.mistake("replay", "stands in for a camera, but there is a pull as well: take one of them out");
    }
    Some(lane)
}

/// What was not given is sound; what was given and wrong is not.
fn sound<T>(given: Option<Option<T>>) -> Option<Option<T>> {
    match given {
        None => Some(None),
        Some(value) => value.map(Some),
    }
}

fn pull(mut section: Section<'_, '_>) -> Option<Pull> {
    let kind = choice(&mut section, "kind", "", &[("mjpeg", PullKind::Mjpeg), ("rtsp", PullKind::Rtsp)]);
    let schemes: &[&str] = match kind {
        Some(PullKind::Mjpeg) => &["http"],
        Some(PullKind::Rtsp) => &["rtsp"],
        None => &["http", "rtsp"],
    };
    // Not shown when it is wrong: a password may stand in it.
    let url = section.take("url", Kind::Text, Otherwise::Required, |text| Ok(text.to_owned()));
    let url = url.filter(|url| match url_mistake(url, schemes) {
        Some(message) => {
            section.mistake("url", message);
            false
        }
        None => true,
    });
    let user = text(&mut section, "user", Otherwise::Nothing);
    let password_file = section.path("password_file", Otherwise::Nothing);
    let password = password_file.map(|path| match password(&path) {
        Ok(password) => Some(password),
        Err(message) => {
            section.mistake("password_file", message);
            None
        }
    });
    if user.is_none() && password.is_some() {
        section.mistake("password_file", "needs a user as well: add user");
    }
    let fps = fraction(&mut section, "fps", "2", 0.01..=60.0);
    Some(Pull { kind: kind?, url: url?, user, password: sound(password)?, fps: fps? })
}

fn url_mistake(url: &str, schemes: &[&str]) -> Option<String> {
    let wanted = schemes.iter().map(|scheme| format!("{scheme}://")).collect::<Vec<_>>().join(" or ");
    let Some((scheme, rest)) = url.split_once("://") else { return Some(format!("is no address: it begins with {wanted}")) };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if !schemes.contains(&scheme) {
        return Some(format!("begins with {scheme}://: this kind of pull takes {wanted}"));
    }
    if host.contains('@') {
        return Some("has a user or a password in it, which would be seen in logs: write user and password_file instead".to_owned());
    }
    let usable = !host.is_empty() && !host.starts_with(':') && url.bytes().all(|byte| byte.is_ascii_graphic());
    (!usable).then(|| "is no address: it needs a host, and neither spaces nor special characters".to_owned())
}

fn password(path: &Path) -> Result<Secret, String> {
    let bytes = Bytes::read(path, 4096).map_err(|error| format!("names {}, which cannot be read: {}", path.display(), error.message))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("names {}, which is no UTF-8 text", path.display()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.contains(['\r', '\n']) {
        return Err(format!("names {}, which must have one line, the password", path.display()));
    }
    Ok(Secret(text.to_owned()))
}

/// `rate`: the key that says how fast, `fps` or `every_s`.
fn replay(mut section: Section<'_, '_>, rate: &'static str) -> Option<Replay> {
    let pattern = section.path("files", Otherwise::Required);
    let files = pattern.and_then(|pattern| {
        let text = pattern.display().to_string();
        let files: Vec<PathBuf> = match glob::glob(&text) {
            Ok(found) => found.filter_map(Result::ok).filter(|path| path.is_file()).collect(),
            Err(error) => {
                section.mistake("files", format!("is no pattern: {}, at character {}", error.msg, error.pos));
                return None;
            }
        };
        if files.is_empty() {
            section.mistake("files", format!("matches nothing ({text}): name files, with * for any characters"));
        }
        Some(files)
    });
    let every_ms = match rate {
        "fps" => fraction(&mut section, rate, "2", 0.01..=60.0).map(|fps| (1000.0 / fps).round() as u64),
        _ => fraction(&mut section, rate, "60", 0.1..=86_400.0).map(|seconds| (1000.0 * seconds).round() as u64),
    };
    Some(Replay { files: files?, every_ms: every_ms? })
}

fn portal((id, mut section): (String, Section<'_, '_>)) -> Option<Portal> {
    let name = text(&mut section, "name", Otherwise::Value(&id));
    let path = section.path("calibration", Otherwise::Nothing);
    let thresholds = path.map(|path| named_file(&section, "calibration", &path, |bytes| Thresholds::parse(bytes).map_err(|error| error.message)));
    let silence_s = number(&mut section, "silence_s", "3600", 1..=86_400);
    let two_person = choice(&mut section, "two_person", "no", &YES_OR_NO);
    let folder = section.path("folder", Otherwise::Nothing);
    should_be_there(&section, "folder", folder.as_deref());
    let replay = section.optional_section("replay").map(|section| replay(section, "every_s"));
    Some(Portal { name: name?, thresholds: sound(thresholds)?, silence_s: silence_s?, two_person: two_person?, folder, replay: sound(replay)?, id })
}

fn list((name, mut section): (String, Section<'_, '_>)) -> Option<List> {
    let file = section.path("file", Otherwise::Required);
    should_be_there(&section, "file", file.as_deref());
    let presets: Vec<(&str, &str)> = PRESETS.iter().map(|(name, _)| (*name, *name)).collect();
    let preset = choice(&mut section, "preset", "garita", &presets);
    let path = section.path("mapping", Otherwise::Nothing);
    let mapping = match path {
        Some(path) => named_file(&section, "mapping", &path, |bytes| {
            let text = std::str::from_utf8(bytes).map_err(|_| "is no UTF-8 text".to_owned())?;
            Mapping::parse(text).map_err(|error| error.message)
        }),
        None => Mapping::preset(preset?).ok(),
    };
    let reload_s = number(&mut section, "reload_s", "10", 1..=86_400);
    let lookback_days = number(&mut section, "lookback_days", "30", 0..=3_650);
    Some(List { file: file?, mapping: mapping?, reload_s: reload_s?, lookback_days: lookback_days?, name })
}

fn retention(mut section: Section<'_, '_>, lists: &[String]) -> Option<Retention> {
    let frames_without_passage_s = number(&mut section, "frames_without_passage_s", "600", 0..=31_536_000);
    let passages_days = number(&mut section, "passages_days", "30", 1..=36_500);
    let hits_days = number(&mut section, "hits_days", "365", 1..=36_500);
    let scans_days = number(&mut section, "scans_days", "90", 1..=36_500);
    let uploads_s = number(&mut section, "uploads_s", "86400", 1..=31_536_000);
    let quarantine_bytes = size(&mut section, "quarantine_bytes", "1 GiB", 0..=1 << 50);
    let supervisor_after_days = number(&mut section, "supervisor_after_days", "90", 0..=36_500);
    let rules: Vec<_> = section.sections("rule", "id").into_iter().map(|section| rule(section, lists)).collect();
    Some(Retention {
        frames_without_passage_s: frames_without_passage_s?,
        passages_days: passages_days?,
        hits_days: hits_days?,
        scans_days: scans_days?,
        uploads_s: uploads_s?,
        quarantine_bytes: quarantine_bytes?,
        supervisor_after_days: supervisor_after_days?,
        rules: rules.into_iter().collect::<Option<_>>()?,
    })
}

fn limits(mut section: Section<'_, '_>) -> Option<Limits> {
    let frame_bytes = size(&mut section, "frame_bytes", "16 MiB", 1024..=MAX_BYTES);
    let scan_bytes = size(&mut section, "scan_bytes", "8 GiB", 1 << 20..=1 << 40);
    let body_timeout_s = number(&mut section, "body_timeout_s", "10", 1..=600);
    let connections = number(&mut section, "connections", "1024", 4..=65_536);
    // A guess: a browser holds six, a recorder that speaks for sixteen cameras thirty-two.
    let connections_per_peer = number(&mut section, "connections_per_peer", "128", 1..=65_536);
    let unlimited_peers = networks(&mut section, "unlimited_peers", &["127.0.0.0/8", "::1"]);
    let waiting = number(&mut section, "waiting", "256", 1..=65_536);
    let free_bytes = size(&mut section, "free_bytes", "1 GiB", 1 << 20..=1 << 50);
    let drain_s = number(&mut section, "drain_s", "10", 1..=300);
    let device_per_s = number(&mut section, "device_per_s", "500", 1..=1_000_000);
    let person_per_s = number(&mut section, "person_per_s", "50", 1..=1_000_000);
    Some(Limits {
        frame_bytes: frame_bytes?,
        scan_bytes: scan_bytes?,
        body_timeout_s: body_timeout_s?,
        connections: connections?,
        connections_per_peer: connections_per_peer?,
        unlimited_peers: unlimited_peers?,
        waiting: waiting?,
        free_bytes: free_bytes?,
        drain_s: drain_s?,
        device_per_s: device_per_s?,
        person_per_s: person_per_s?,
    })
}

fn log(mut section: Section<'_, '_>) -> Option<Log> {
    let format = choice(&mut section, "format", "json", &[("json", LogFormat::Json), ("text", LogFormat::Text)]);
    let levels = [("error", LogLevel::Error), ("warn", LogLevel::Warn), ("info", LogLevel::Info), ("debug", LogLevel::Debug), ("trace", LogLevel::Trace)];
    let level = choice(&mut section, "level", "info", &levels);
    Some(Log { format: format?, level: level? })
}

fn webhook((id, mut section): (String, Section<'_, '_>)) -> Option<Webhook> {
    let url = section.take("url", Kind::Text, Otherwise::Required, |text| Ok(text.to_owned()));
    let url = url.filter(|url| match Target::new(url, &[]) {
        Ok(_) => true,
        Err(error) => {
            section.mistake("url", error.message);
            false
        }
    });
    if url.as_deref().is_some_and(|url| url.starts_with("http://")) {
        section.note("url", "is not secured: whoever is on the way reads every event");
    }
    let secret_file = section.path("secret_file", Otherwise::Required);
    if let Some(path) = secret_file.as_deref().filter(|path| path.exists()) {
        named_file(&section, "secret_file", path, |bytes| Secrets::parse(&String::from_utf8_lossy(bytes)).map_err(|error| error.message));
    }
    should_be_there(&section, "secret_file", secret_file.as_deref());
    let events = section.texts("events").unwrap_or_default();
    for unknown in events.iter().filter(|event| !KINDS.contains(&event.as_str())) {
        section.mistake("events", format!("has {unknown:?}, which does not happen: there are {}", KINDS.join(", ")));
    }
    let format = choice(&mut section, "format", "cloudevents", &[("cloudevents", WebhookFormat::CloudEvents), ("openalpr", WebhookFormat::OpenAlpr)]);
    let networks = networks(&mut section, "networks", &[]);
    let ca = section.path("ca", Otherwise::Nothing);
    should_be_there(&section, "ca", ca.as_deref());
    Some(Webhook { id, url: url?, secret_file: secret_file?, events, format: format?, networks: networks?, ca })
}

/// `None` only after a mistake; each wrong one is told.
fn networks(section: &mut Section<'_, '_>, key: &'static str, otherwise: &[&str]) -> Option<Vec<Network>> {
    let texts = section.texts_or(key, otherwise);
    let networks: Vec<Option<Network>> = texts.iter().map(|text| text.parse().map_err(|message| section.mistake(key, message)).ok()).collect();
    networks.into_iter().collect()
}

fn mqtt(mut section: Section<'_, '_>) -> Option<Mqtt> {
    let broker = section.take("broker", Kind::Text, Otherwise::Required, |text| {
        let broker = text.rsplit_once(':').and_then(|(host, port)| Some((host.trim_matches(['[', ']']).to_owned(), port.parse::<u16>().ok()?)));
        broker.filter(|(host, _)| !host.is_empty()).ok_or_else(|| "it takes a host and a port, such as \"127.0.0.1:1883\"".to_owned())
    });
    let user = text(&mut section, "user", Otherwise::Nothing);
    let password = section.path("password_file", Otherwise::Nothing).map(|path| match password(&path) {
        Ok(password) => Some(password),
        Err(message) => {
            section.mistake("password_file", message);
            None
        }
    });
    let prefix = section.take("prefix", Kind::Text, Otherwise::Value("garita"), |text| {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"+#".contains(&byte));
        let sound = plain && (1..=100).contains(&text.len()) && !text.starts_with(['/', '$']) && !text.ends_with('/');
        if sound { Ok(text.to_owned()) } else { Err("it takes 1 to 100 characters of a topic, without + and #, such as \"sites/north\"".to_owned()) }
    });
    let (host, port) = broker?;
    Some(Mqtt { host, port, user, password: sound(password)?, prefix: prefix? })
}

fn search(mut section: Section<'_, '_>) -> Option<SearchRules> {
    let reason = choice(&mut section, "reason", "compulsory", &[("compulsory", true), ("optional", false)]);
    let open_hours = number(&mut section, "open_hours", "24", 0..=876_000);
    Some(SearchRules { reason: reason?, open_hours: open_hours? })
}

fn device((id, mut section): (String, Section<'_, '_>), lane_ids: &[String], portal_ids: &[String]) -> Option<Device> {
    let certificate_sha256 = section.take("certificate_sha256", Kind::Key, Otherwise::Nothing, |text| {
        let digest = sha256(&text.replace(':', ""));
        digest.ok_or_else(|| "is no SHA-256: it takes what `openssl x509 -noout -fingerprint -sha256` prints behind the =".to_owned())
    });
    let otherwise = if certificate_sha256.is_some() { Otherwise::Nothing } else { Otherwise::Required };
    let key_sha256 = section.take("key_sha256", Kind::Key, otherwise, |text| {
        sha256(text).ok_or_else(|| "is no SHA-256: it takes the 64 hexadecimal digits that `printf %s KEY | sha256sum` prints".to_owned())
    });
    let lanes = among(&mut section, "lanes", lane_ids);
    let portals = among(&mut section, "portals", portal_ids);
    Some(Device { id, key_sha256, certificate_sha256, lanes, portals })
}

/// The indices of what `key` lists; all if it is not given.
fn among(section: &mut Section<'_, '_>, key: &'static str, ids: &[String]) -> Vec<usize> {
    let Some(wanted) = section.texts(key) else { return (0..ids.len()).collect() };
    let index_of = |id: &String| {
        let found = ids.iter().position(|known| known == id);
        if found.is_none() {
            section.mistake(key, format!("has {id:?}, which does not exist: there are {}", if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }));
        }
        found
    };
    wanted.iter().filter_map(index_of).collect()
}

fn sha256(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

const YES_OR_NO: [(&str, bool); 2] = [("yes", true), ("no", false)];

fn login(mut section: Section<'_, '_>) -> Option<Login> {
    let required = choice(&mut section, "required", "yes", &YES_OR_NO);
    let idle_minutes = number(&mut section, "idle_minutes", "30", 1..=1_440);
    let hours = number(&mut section, "hours", "12", 1..=168);
    Some(Login { required: required?, idle_minutes: idle_minutes?, hours: hours? })
}

/// Some of nothing where neither file is named.
fn tls(mut section: Section<'_, '_>) -> Option<Option<Tls>> {
    let certificate = section.path("certificate", Otherwise::Nothing);
    should_be_there(&section, "certificate", certificate.as_deref());
    let key = section.path("key", Otherwise::Nothing);
    should_be_there(&section, "key", key.as_deref());
    let client_ca = section.path("client_ca", Otherwise::Nothing);
    should_be_there(&section, "client_ca", client_ca.as_deref());
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Some(Tls { certificate, key, client_ca })),
        (None, None) => Some(None),
        (Some(_), None) => {
            section.mistake("certificate", "needs its key as well: add key");
            None
        }
        (None, Some(_)) => {
            section.mistake("key", "needs its certificate as well: add certificate");
            None
        }
    }
}

fn masking(mut section: Section<'_, '_>) -> Option<Masking> {
    let roles = section.texts_or("obscured", &[Role::Viewer.name()]);
    let mut obscured = Vec::new();
    for name in &roles {
        match Role::of_person(name) {
            Some(role @ (Role::Viewer | Role::ListManager)) => obscured.push(role),
            Some(_) => section.mistake("obscured", format!("has {name:?}, who searches for plates and judges by them: it takes viewer and list-manager")),
            None => section.mistake("obscured", format!("has {name:?}: it takes viewer and list-manager")),
        }
    }
    let blur_exports = choice(&mut section, "blur_exports", "yes", &YES_OR_NO);
    Some(Masking { obscured, blur_exports: blur_exports? })
}

fn rule((id, mut section): (String, Section<'_, '_>), lists: &[String]) -> Option<RetentionRule> {
    let classes = [("passage", Class::Passage), ("hit", Class::Hit), ("scan", Class::Scan), ("scan-hit", Class::ScanHit)];
    let class = choice(&mut section, "class", "hit", &classes);
    let list = text(&mut section, "list", Otherwise::Nothing);
    if let Some(list) = &list {
        if !matches!(class, Some(Class::Hit | Class::ScanHit) | None) {
            section.mistake("list", "is for classes \"hit\" and \"scan-hit\": what no hit names is of no list");
        } else if !lists.contains(list) {
            // An index may hold entries of several lists.
            section.note("list", format!("is {list:?}, which is the name of no [[list]]: it is meant of lists inside a list's file"));
        }
    }
    let jurisdiction = section.take("jurisdiction", Kind::Text, Otherwise::Nothing, |text| {
        let sound = text.is_empty() || Code::of(text).is_some();
        if sound { Ok(text.to_owned()) } else { Err("it takes a code of ISO 3166-2 such as \"US-CA\" or \"MX\", or \"\" for none".to_owned()) }
    });
    let days = number(&mut section, "days", "", 1..=36_500);
    Some(RetentionRule { class: class?, list, jurisdiction, days: days?, id })
}

fn text(section: &mut Section<'_, '_>, key: &'static str, otherwise: Otherwise<'_>) -> Option<String> {
    section.take(key, Kind::Text, otherwise, |text| {
        let sound = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control) && text.trim() == text;
        if sound { Ok(text.to_owned()) } else { Err("it takes 1 to 100 characters on one line, without spaces around".to_owned()) }
    })
}

/// Without a `default` it must be given.
fn number<T: FromStr + PartialOrd + std::fmt::Display>(section: &mut Section<'_, '_>, key: &'static str, default: &str, range: RangeInclusive<T>) -> Option<T> {
    let otherwise = if default.is_empty() { Otherwise::Required } else { Otherwise::Value(default) };
    section.take(key, Kind::Number, otherwise, |text| {
        let value = text.replace('_', "").parse().ok().filter(|value| range.contains(value));
        value.ok_or_else(|| format!("it takes a whole number from {} to {}", range.start(), range.end()))
    })
}

fn fraction(section: &mut Section<'_, '_>, key: &'static str, default: &str, range: RangeInclusive<f64>) -> Option<f64> {
    section.take(key, Kind::Number, Otherwise::Value(default), |text| {
        let value = text.replace('_', "").parse().ok().filter(|value| range.contains(value));
        value.ok_or_else(|| format!("it takes a number from {} to {}", range.start(), range.end()))
    })
}

fn choice<T: Copy>(section: &mut Section<'_, '_>, key: &'static str, default: &str, choices: &[(&str, T)]) -> Option<T> {
    let otherwise = if default.is_empty() { Otherwise::Required } else { Otherwise::Value(default) };
    section.take(key, Kind::Text, otherwise, |text| {
        let names = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| format!("it takes one of {names}"))
    })
}

const UNITS: [(&str, u64); 5] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

fn size(section: &mut Section<'_, '_>, key: &'static str, default: &str, range: RangeInclusive<u64>) -> Option<u64> {
    section.take(key, Kind::Size, Otherwise::Value(default), |text| {
        let digits = text.find(|character: char| !character.is_ascii_digit() && character != '_').unwrap_or(text.len());
        let number: Option<u64> = text[..digits].replace('_', "").parse().ok();
        let unit = match text[digits..].trim() {
            "" => Some(1),
            unit => UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes),
        };
        let bytes = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit)).filter(|bytes| range.contains(bytes));
        bytes.ok_or_else(|| format!("it takes {} to {}, as bytes or as a text such as \"2 MiB\"", in_units(*range.start()), in_units(*range.end())))
    })
}

/// A size in the largest unit that it is a whole number of.
fn in_units(bytes: u64) -> String {
    let (name, unit) = UNITS.iter().rev().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit)).unwrap_or(&UNITS[0]);
    format!("{} {name}", bytes / unit)
}

/// What stands in a file that the site file names.
fn named_file<T>(section: &Section<'_, '_>, key: &str, path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, String>) -> Option<T> {
    let read = Bytes::read(path, MOST_BYTES).map_err(|error| format!("cannot be read: {}", error.message));
    match read.and_then(|bytes| parse(&bytes)) {
        Ok(value) => Some(value),
        Err(message) => {
            section.mistake(key, format!("names {}, which is not right: {message}", path.display()));
            None
        }
    }
}

fn must_be_folder(section: &Section<'_, '_>, key: &str, path: Option<&Path>) {
    if let Some(path) = path.filter(|path| !path.is_dir()) {
        section.mistake(key, format!("names {}, which is no folder: create it, or take the key out", path.display()));
    }
}

/// What may come later: a service that is started before its list is delivered shall run.
fn should_be_there(section: &Section<'_, '_>, key: &str, path: Option<&Path>) {
    if let Some(path) = path.filter(|path| !path.exists()) {
        section.note(key, format!("names {}, which is not there yet", path.display()));
    }
}
