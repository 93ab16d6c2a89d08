//! Sends one webhook's events: in order of each subject, several subjects at once, until each was taken or a day has passed.
//!
//! *Backoff.* An event that was not taken is due again after 5 s, 10 s, and so on up to an hour. Where it is the other side that fails (no connection, no answer, 5xx, 408,
//! 429), one event alone is tried after 1 s, 2 s, up to a minute, or when the other side says; once that is taken, all that waits is sent. A 4xx is about its
//! event: others go on. After a day events are dead, and wait for somebody to replay them.
//!
//! *At least once.* What was taken is kept in the store after it was; a crash between the two sends it again, under the same `webhook-id`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rand::RngExt;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::event::{self, Event, MEDIA_TYPE};
use super::groups;
use super::signature::Secrets;
use super::target::Target;
use crate::custody::Custody;
use crate::custody::outbox::{self, Due, LONGEST_WAIT_MS, Outcome};
use crate::error::{Error, Result};
use crate::service::door::now_ms;
use crate::service::metrics;
use crate::service::uploads::blocking;
use crate::site::{Webhook, WebhookFormat};

/// Connections at once, and subjects and events of each that are taken from the outbox at once.
const CONNECTIONS: usize = 8;
const SUBJECTS: usize = 128;
const EACH: usize = 32;
/// How often the outbox is looked into.
const LOOK: Duration = Duration::from_millis(200);
/// For an answer, from the beginning of the connection; Standard Webhooks asks for 15 to 30 s.
const ANSWER: Duration = Duration::from_secs(15);
/// Before the first new attempt of an event, and of the other side.
const FIRST_WAIT_MS: i64 = 5_000;
const FIRST_REST: Duration = Duration::from_secs(1);
/// The longest that the other side is left alone, unless it asks for more.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// Bytes of an answer that are read.
const MOST_ANSWER: usize = 64 << 10;

/// One webhook at work.
pub(super) struct Sender {
    pub(super) webhook: Webhook,
    pub(super) health: Mutex<Health>,
    custody: Custody,
    target: Target,
    tls: TlsConnector,
}

/// How the other side is doing.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    /// Attempts of it in a row that failed.
    pub(super) failures: u32,
    /// Since when, milliseconds since the Unix epoch.
    pub(super) failing_since_ms: Option<i64>,
    /// What went wrong last.
    pub(super) last_error: Option<String>,
    /// When it took an event last, milliseconds since the Unix epoch.
    pub(super) taken_ms: Option<i64>,
}

/// Why an event was not taken.
struct Failure {
    error: String,
    /// The other side's, not the event's; and for how long it asks to be left alone.
    theirs: Option<Option<Duration>>,
}

impl Failure {
    fn theirs(error: impl ToString) -> Failure {
        Failure { error: error.to_string(), theirs: Some(None) }
    }
}

/// One event, ready to go.
struct Letter {
    due: Due,
    /// None where there is nothing left to tell.
    event: Option<(String, Bytes)>,
}

impl Sender {
    pub(super) fn new(webhook: Webhook, custody: Custody, tls: TlsConnector) -> Result<Sender> {
        let target = Target::new(&webhook.url, &webhook.networks)?;
        Ok(Sender { webhook, health: Mutex::default(), custody, target, tls })
    }

    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends until `stopped`.
    pub(super) async fn run(self: Arc<Sender>, mut stopped: watch::Receiver<bool>) {
        let sending = async {
            loop {
                let wait = match self.pass().await {
                    Ok(wait) => wait,
                    Err(error) => {
                        tracing::error!(webhook = self.webhook.id, %error, "events wait");
                        LONGEST_REST
                    }
                };
                sleep(wait).await;
            }
        };
        tokio::select! {
            () = sending => {}
            _ = stopped.changed() => {}
        }
    }

    /// Sends what is due; answers how long to wait until the next pass.
    async fn pass(self: &Arc<Sender>) -> Result<Duration> {
        let failing = self.health().failures > 0;
        let secrets = self.secrets()?;
        let chains = self.due(if failing { (1, 1) } else { (SUBJECTS, EACH) }).await?;
        if chains.is_empty() {
            self.tell().await?;
            return Ok(LOOK);
        }
        let (queue, outcomes) = (Arc::new(Mutex::new(VecDeque::from(chains))), Arc::new(Mutex::new(Vec::new())));
        let mut at_work = tokio::task::JoinSet::new();
        for _ in 0..if failing { 1 } else { CONNECTIONS } {
            let (sender, queue, outcomes, secrets) = (Arc::clone(self), Arc::clone(&queue), Arc::clone(&outcomes), secrets.clone());
            at_work.spawn(async move { sender.work(&queue, &outcomes, &secrets).await });
        }
        let mut rest = None;
        while let Some(asked) = at_work.join_next().await {
            rest = rest.max(asked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
        }
        let outcomes = std::mem::take(&mut *outcomes.lock().unwrap_or_else(PoisonError::into_inner));
        self.settle(outcomes, rest.is_some(), failing).await?;
        self.tell().await?;
        Ok(match rest {
            None => Duration::ZERO,
            Some(asked) => asked.max(self.rest()),
        })
    }

    /// How long the other side is left alone after so many failures; never the same for two.
    fn rest(&self) -> Duration {
        let doubled = FIRST_REST * 2u32.saturating_pow(self.health().failures.saturating_sub(1).min(16));
        doubled.min(LONGEST_REST).mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// Read at each pass: a file that was changed counts at once.
    fn secrets(&self) -> Result<Secrets> {
        let text = std::fs::read_to_string(&self.webhook.secret_file).map_err(|error| Error::io(&error).in_(self.webhook.secret_file.display()))?;
        Secrets::parse(&text).map_err(|error| error.in_(self.webhook.secret_file.display()))
    }

    async fn due(&self, most: (usize, usize)) -> Result<Vec<Vec<Letter>>> {
        let (custody, id, format) = (self.custody.clone(), self.webhook.id.clone(), self.webhook.format);
        blocking(move || {
            custody.ask(|connection| {
                let store = outbox::store_id(connection)?;
                let chains = outbox::due(connection, &id, now_ms(), most)?;
                let letter = |due: Due| {
                    let told = match format {
                        WebhookFormat::CloudEvents => Event::of(connection, &store, &due)?.and_then(|event| serde_json::to_vec(&event).ok()),
                        WebhookFormat::OpenAlpr => groups::of(connection, &store, &due)?.and_then(|group| serde_json::to_vec(&group).ok()),
                    };
                    let event = told.map(|body| (event::id(&store, &due), Bytes::from(body)));
                    Ok(Letter { due, event })
                };
                chains.into_iter().map(|chain| chain.into_iter().map(letter).collect()).collect()
            })
        })
        .await
    }

    /// Takes chains from the queue and sends each in order, over one connection as long as it holds. Answers whether, and for how long, the other side is to be left alone.
    async fn work(&self, queue: &Mutex<VecDeque<Vec<Letter>>>, outcomes: &Mutex<Vec<(i64, Outcome)>>, secrets: &Secrets) -> Option<Duration> {
        let mut connection = None;
        loop {
            let chain = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
            for letter in chain {
                let sent = match &letter.event {
                    Some((id, body)) => self.send(&mut connection, id, body, secrets).await,
                    None => Ok(()),
                };
                let failed = sent.err();
                let outcome = match &failed {
                    None => Outcome::Taken,
                    Some(failure) => Outcome::Failed { error: failure.error.clone(), next_ms: now_ms() + wait_ms(letter.due.attempts) },
                };
                metrics::webhook(
                    &self.webhook.id,
                    if failed.is_some() {
                        "failed"
                    } else if letter.event.is_some() {
                        "taken"
                    } else {
                        "gone"
                    },
                );
                outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((letter.due.event, outcome));
                match failed {
                    None => {}
                    Some(Failure { theirs: Some(asked), .. }) => {
                        // Nobody else need find out.
                        queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
                        return Some(asked.unwrap_or_default());
                    }
                    // What comes after it of its subject waits for it.
                    Some(_) => break,
                }
            }
        }
    }

    /// One attempt.
    async fn send(&self, connection: &mut Option<SendRequest<Full<Bytes>>>, id: &str, body: &Bytes, secrets: &Secrets) -> std::result::Result<(), Failure> {
        let timestamp_s = now_ms().div_euclid(1000);
        let kind = match self.webhook.format {
            WebhookFormat::CloudEvents => MEDIA_TYPE,
            WebhookFormat::OpenAlpr => "application/json",
        };
        let request = || {
            Request::post(&self.target.path)
                .header(header::HOST, &self.target.authority)
                .header(header::CONTENT_TYPE, kind)
                .header(header::USER_AGENT, concat!("garita/", env!("CARGO_PKG_VERSION")))
                .header("webhook-id", id)
                .header("webhook-timestamp", timestamp_s)
                .header("webhook-signature", secrets.sign(id, timestamp_s, body))
                .body(Full::new(body.clone()))
                .map_err(|error| Failure { error: error.to_string(), theirs: None })
        };
        let attempt = async {
            let kept = connection.take().filter(|kept| !kept.is_closed());
            if let Some(mut kept) = kept
                && let Ok(answer) = kept.send_request(request()?).await
            {
                return Ok((kept, answer));
            }
            // None yet, or it was closed since: an event may come twice, never not at all.
            let stream = self.target.connect(&self.tls).await.map_err(Failure::theirs)?;
            let (mut fresh, driving) = handshake(TokioIo::new(stream)).await.map_err(Failure::theirs)?;
            tokio::spawn(driving);
            let answer = fresh.send_request(request()?).await.map_err(|error| Failure::theirs(format!("no answer: {error}")))?;
            Ok((fresh, answer))
        };
        let (kept, answer) = timeout(ANSWER, attempt).await.map_err(|_| Failure::theirs(format!("no answer within {} s", ANSWER.as_secs())))??;
        let (head, body) = answer.into_parts();
        // Read to its end, the connection can be used again.
        if let Ok(Ok(_)) = timeout(LOOK, Limited::new(body, MOST_ANSWER).collect()).await {
            *connection = Some(kept);
        }
        judge(head.status, &head.headers)
    }

    async fn settle(&self, outcomes: Vec<(i64, Outcome)>, failed: bool, was_failing: bool) -> Result<()> {
        let error = outcomes.iter().rev().find_map(|(_, outcome)| if let Outcome::Failed { error, .. } = outcome { Some(error.clone()) } else { None });
        let taken = outcomes.iter().any(|(_, outcome)| *outcome == Outcome::Taken);
        let answers = was_failing && !failed;
        {
            let mut health = self.health();
            let now_ms = now_ms();
            if taken {
                health.taken_ms = Some(now_ms);
            }
            if error.is_some() {
                health.last_error.clone_from(&error);
            }
            match failed {
                true => {
                    if health.failures == 0 {
                        tracing::error!(
                            webhook = self.webhook.id,
                            error = error.as_deref().unwrap_or_default(),
                            "events are not taken; it is tried again until they are"
                        );
                    }
                    health.failures += 1;
                    health.failing_since_ms.get_or_insert(now_ms);
                }
                false => {
                    if answers {
                        tracing::info!(webhook = self.webhook.id, "events are taken again");
                    }
                    (health.failures, health.failing_since_ms) = (0, None);
                }
            }
        }
        let (custody, id) = (self.custody.clone(), self.webhook.id.clone());
        let change = move |transaction: &rusqlite::Transaction<'_>| {
            let now_ms = now_ms();
            let mut died = outbox::settle(transaction, &id, &outcomes, now_ms)?;
            if failed {
                died += outbox::bury(transaction, &id, error.as_deref().unwrap_or("not taken"), now_ms)?;
            }
            if answers {
                outbox::hasten(transaction, &id)?;
            }
            Ok(died)
        };
        let died = crate::custody::scans::kept(blocking(move || custody.change(change)).await)?;
        if died > 0 {
            tracing::error!(webhook = self.webhook.id, events = died, "were not taken within a day and are dead: look at /v1/webhooks, then replay them");
        }
        Ok(())
    }

    /// Sets the gauges.
    async fn tell(&self) -> Result<()> {
        let (custody, id) = (self.custody.clone(), self.webhook.id.clone());
        let standing = blocking(move || custody.ask(|connection| outbox::standing(connection, &id))).await?;
        metrics::webhook_standing(&self.webhook.id, standing.waiting, standing.dead);
        Ok(())
    }
}

/// How long an event waits after so many attempts failed, milliseconds.
fn wait_ms(attempts: u32) -> i64 {
    let doubled = FIRST_WAIT_MS.saturating_mul(1 << attempts.min(20));
    (doubled.min(LONGEST_WAIT_MS) as f64 * rand::rng().random_range(0.8..=1.0)) as i64
}

/// What an answer means.
fn judge(status: StatusCode, headers: &HeaderMap) -> std::result::Result<(), Failure> {
    if status.is_success() {
        return Ok(());
    }
    let error = match status.is_redirection() {
        true => format!("answered {status}: redirections are not followed, give its new address in the site file"),
        false => format!("answered {status}"),
    };
    let theirs = status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT || status == StatusCode::TOO_MANY_REQUESTS;
    let asked = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|value| value.parse().ok()).map(Duration::from_secs);
    Err(Failure { error, theirs: theirs.then(|| asked.map(|asked| asked.min(Duration::from_millis(LONGEST_WAIT_MS as u64)))) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let waits: Vec<i64> = (0..40).map(wait_ms).collect();
        assert!((4_000..=5_000).contains(&waits[0]) && (8_000..=10_000).contains(&waits[1]), "{waits:?}");
        assert!(waits[10..].iter().all(|wait| (2_880_000..=3_600_000).contains(wait)), "{waits:?}");
        let day: i64 = waits.iter().take(35).sum();
        assert!(day > outbox::GIVEN_UP_MS * 3 / 4, "35 attempts fill a day: {day}");
    }

    #[test]
    fn whose_fault_an_answer_is() {
        let judge = |status: u16, fields: &[(&'static str, &str)]| {
            let headers = fields.iter().map(|(name, value)| (header::HeaderName::from_static(name), value.parse().expect("a value"))).collect();
            judge(StatusCode::from_u16(status).expect("a status"), &headers).err().map(|failure| failure.theirs)
        };
        assert_eq!([200, 202, 204].map(|status| judge(status, &[])), [None, None, None]);
        assert_eq!([400, 404, 410, 301].map(|status| judge(status, &[])), [Some(None); 4]);
        assert_eq!([500, 502, 408, 429].map(|status| judge(status, &[])), [Some(Some(None)); 4]);
        assert_eq!(judge(503, &[("retry-after", "120")]), Some(Some(Some(Duration::from_secs(120)))));
        assert_eq!(judge(503, &[("retry-after", "999999999")]), Some(Some(Some(Duration::from_secs(3600)))));
    }
}
