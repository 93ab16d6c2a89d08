//! State and health over MQTT 3.1.1, retained, for control rooms that watch a broker. Never events: a broker may lose what nobody asks for again.
//!
//! | topic | tells |
//! |---|---|
//! | `PREFIX/state` | `online`; `offline` by itself when the service goes, however it goes |
//! | `PREFIX/ready` | `{"ready": true, "why": []}`, as `/readyz` |
//! | `PREFIX/lanes/ID` | `{"state": "up"}` or `{"state": "down", "since_ms": …}` |
//! | `PREFIX/lists/NAME` | `{"entries": …, "version": …, "error": …}` |
//!
//! Told when it changes, and all of it after each new connection. Nothing waits for the broker. Plain TCP: a broker elsewhere wants a tunnel or a bridge beside the service.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, Packet, QoS};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{Service, health};
use crate::site::Mqtt;

/// How often states are looked at.
const LOOK: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Messages that wait for the broker; what does not fit is told with the next look.
const WAITING: usize = 256;
/// From one attempt to connect to the next.
const RETRY: Duration = Duration::from_secs(5);
/// For the last words.
const FAREWELL: Duration = Duration::from_secs(2);

/// Tells the site's broker, if it has one, until `stopped`.
pub(super) async fn tell(service: Service, mut stopped: watch::Receiver<bool>) {
    let Some(settings) = service.site.mqtt.clone() else { return };
    let (client, events) = AsyncClient::new(options(&settings), WAITING);
    let fresh = Arc::new(AtomicBool::new(false));
    let driving = tokio::spawn(drive(events, Arc::clone(&fresh)));
    let topic = |name: &str| format!("{}/{name}", settings.prefix);
    let mut told = BTreeMap::new();
    loop {
        tokio::select! {
            () = sleep(LOOK) => {}
            _ = stopped.changed() => break,
        }
        if fresh.swap(false, Ordering::SeqCst) {
            told.clear();
        }
        for (name, state) in states(&service) {
            if told.get(&name) != Some(&state) && client.try_publish(topic(&name), QoS::AtLeastOnce, true, state.clone()).is_ok() {
                told.insert(name, state);
            }
        }
    }
    let _ = client.try_publish(topic("state"), QoS::AtLeastOnce, true, "offline");
    let _ = client.try_disconnect();
    let _ = timeout(FAREWELL, driving).await;
}

fn options(settings: &Mqtt) -> MqttOptions {
    let mut options = MqttOptions::new(format!("garita-{}", settings.prefix.replace('/', "-")), &settings.host, settings.port);
    options.set_keep_alive(KEEP_ALIVE);
    options.set_last_will(LastWill::new(format!("{}/state", settings.prefix), "offline", QoS::AtLeastOnce, true));
    if let Some(user) = &settings.user {
        options.set_credentials(user, settings.password.as_ref().map_or("", |password| password.expose()));
    }
    options
}

/// Keeps the connection, from failure to failure; ends when we take our leave.
async fn drive(mut events: EventLoop, fresh: Arc<AtomicBool>) {
    let mut failing = false;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                tracing::info!("the MQTT broker is told");
                failing = false;
                fresh.store(true, Ordering::SeqCst);
            }
            Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
            Ok(_) => {}
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "the MQTT broker is not told; it is tried again until it is");
                }
                sleep(RETRY).await;
            }
        }
    }
}

/// What there is to tell, by topic below the prefix.
fn states(service: &Service) -> Vec<(String, String)> {
    let why = health::reasons(service);
    let mut states = vec![("state".to_owned(), "online".to_owned()), ("ready".to_owned(), json!({ "ready": why.is_empty(), "why": why }).to_string())];
    for (lane, down) in service.site.lanes.iter().zip(service.down.iter()) {
        let state = match down.load(Ordering::Relaxed) {
            0 => json!({ "state": "up" }),
            since_ms => json!({ "state": "down", "since_ms": since_ms }),
        };
        states.push((format!("lanes/{}", lane.id), state.to_string()));
    }
    for (name, entries, version, error) in service.lists.states() {
        states.push((format!("lists/{name}"), json!({ "entries": entries, "version": version, "error": error }).to_string()));
    }
    states
}
