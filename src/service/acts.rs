//! What handlers change in the store, and what they tell the audit trail.

use std::sync::mpsc;

use axum::http::StatusCode;
use rusqlite::{OptionalExtension, Transaction};
use serde_json::{Value, json};

use super::Service;
use super::access::Person;
use super::door::now_ms;
use super::problem::Problem;
use super::uploads::{blocking, kept};
use crate::audit::{self, Act, Action};
use crate::custody::Custody;
use crate::custody::record::Fate;
use crate::error::{Error, Fault};
use crate::site::Site;

impl Service {
    /// Makes a change in the store, and answers what it answers once that is durable.
    ///
    /// # Errors
    /// 507 and 503 where the store takes nothing, 400 with what SQLite says.
    pub(super) async fn change<T: Send + 'static>(&self, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static) -> Result<T, Problem> {
        let custody = self.custody.clone();
        let (tell, told) = mpsc::sync_channel(1);
        let work = move |transaction: &Transaction<'_>| -> rusqlite::Result<i64> {
            let _ = tell.send(change(transaction)?);
            Ok(0)
        };
        kept(blocking(move || custody.change(work)).await)?;
        told.try_recv().map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The machine failed", "the store kept a change without making it"))
    }

    /// Writes down what `person` does, before they are told anything.
    ///
    /// # Errors
    /// As [`Service::change`]: what cannot be recorded is not done.
    pub(super) async fn record(&self, person: &Person, action: Action, subject: impl Into<String>, details: Value) -> Result<(), Problem> {
        let act = Act { who: person.id.clone(), action, subject: subject.into(), details, now_ms: now_ms() };
        self.change(move |transaction| audit::append(transaction, &act).map(|_| ())).await
    }
}

/// Tells the audit trail when the service runs with other settings than before: those that decide who may do what, and what is kept.
pub(super) fn configured(custody: &Custody, site: &Site) -> crate::error::Result<()> {
    let retention = &site.retention;
    let rule = |rule: &crate::site::RetentionRule| json!({ "id": rule.id, "class": rule.class, "list": rule.list, "jurisdiction": rule.jurisdiction, "days": rule.days });
    let details = json!({
        "garita": env!("CARGO_PKG_VERSION"),
        "site": site.name,
        "listen": site.listen.to_string(),
        "tls": site.tls.is_some(),
        "login": site.login.required,
        "idle_minutes": site.login.idle_minutes,
        "lanes": site.lanes.iter().map(|lane| &lane.id).collect::<Vec<_>>(),
        "portals": site.portals.iter().map(|portal| &portal.id).collect::<Vec<_>>(),
        "lists": site.lists.iter().map(|list| &list.name).collect::<Vec<_>>(),
        "webhooks": site.webhooks.iter().map(|webhook| json!({ "id": webhook.id, "url": webhook.url, "events": webhook.events })).collect::<Vec<_>>(),
        "search_reason": site.search.reason,
        "devices": site.devices.iter().map(|device| &device.id).collect::<Vec<_>>(),
        "retention": {
            "passages_days": retention.passages_days, "hits_days": retention.hits_days, "scans_days": retention.scans_days,
            "supervisor_after_days": retention.supervisor_after_days, "rules": retention.rules.iter().map(rule).collect::<Vec<_>>(),
        },
        "obscured": site.masking.obscured,
        "blur_exports": site.masking.blur_exports,
    });
    let change = move |transaction: &Transaction<'_>| -> rusqlite::Result<i64> {
        let last = "SELECT details FROM audit WHERE subject = 'configuration' ORDER BY id DESC LIMIT 1";
        let last: Option<String> = transaction.query_row(last, [], |row| row.get(0)).optional()?;
        if last.as_deref() == Some(details.to_string().as_str()) {
            return Ok(0);
        }
        let act = Act { who: "garita".to_owned(), action: Action::ConfigurationChanged, subject: "configuration".to_owned(), details, now_ms: now_ms() };
        audit::append(transaction, &act)
    };
    match custody.change(change) {
        Fate::Kept(_) => Ok(()),
        // A full disk heals; the next start tells it.
        Fate::Full(why) => {
            tracing::error!(why, "which settings are in force could not be recorded");
            Ok(())
        }
        Fate::Stopped(why) => Err(Error::new(Fault::Machine, why)),
        Fate::Failed(error) => Err(error),
    }
}
