//! What answers tell of portals, uploads and scans.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::service::uploads::Kind;

/// A scan.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct ScanTold {
    /// Its number.
    pub(super) scan: i64,
    /// The portal's id.
    pub(super) portal: String,
    /// What its sender calls it.
    pub(super) name: Option<String>,
    /// `passing`, `waiting`, `inspected` or `bad`.
    pub(super) state: &'static str,
    /// When it had come, milliseconds since the Unix epoch.
    pub(super) received_ms: i64,
    /// Bytes.
    pub(super) length: Option<i64>,
    /// SHA-256 of its file, hexadecimal.
    pub(super) sha256: Option<String>,
    /// Why it ends before the train did.
    pub(super) cut_short: Option<String>,
    /// Why it is bad.
    pub(super) error: Option<String>,
}

/// A scan that was kept.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct ScanKept {
    #[serde(flatten)]
    pub(super) scan: ScanTold,
    /// It had come before.
    pub(super) replay: bool,
}

/// An upload that has begun.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct Begun {
    /// Its name in addresses.
    pub(super) upload: String,
    /// Bytes that are there.
    pub(super) offset: u64,
}

/// What a request brought: all of a scan, or its beginning.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::service) enum Taken {
    Whole(ScanKept),
    Begun(Begun),
}

/// The newest scans of a portal, at most a hundred.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct ScansTold {
    pub(super) scans: Vec<ScanTold>,
}

/// A scan with what was found in it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct ScanWhole {
    #[serde(flatten)]
    pub(super) scan: ScanTold,
    /// The whole of `garita inspect --json`, but its cars; none before it was inspected.
    #[schema(value_type = Option<Object>)]
    pub(super) summary: Value,
    /// The object per car of `garita inspect --json`.
    #[schema(value_type = Vec<Object>)]
    pub(super) cars: Vec<Value>,
    /// Entries of lists that met the train's list.
    pub(super) hits: Vec<ScanHitTold>,
    /// Whether its consist has come.
    pub(super) consist: bool,
    /// Whether its manifest has come.
    pub(super) manifest: bool,
}

/// An entry of a list that met a train's list.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct ScanHitTold {
    pub(super) id: i64,
    /// The car, from the head of the train, from 1.
    pub(super) position: Option<i64>,
    /// `sighted`, `confirmed`, `withdrawn`.
    pub(super) state: String,
    /// `mark` or `container`.
    pub(super) subject: String,
    /// As the train's list has it.
    pub(super) seen: String,
    pub(super) list: String,
    /// The entry's text.
    pub(super) entry: String,
    pub(super) class: String,
    /// 0..=1.
    pub(super) probability: f64,
    pub(super) priority: i64,
    /// Milliseconds since the Unix epoch.
    pub(super) stored_ms: i64,
}

/// A paper that was kept.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct PaperKept {
    /// The scan, if it has come.
    pub(super) scan: Option<i64>,
    /// Its state.
    pub(super) state: Option<&'static str>,
    /// Cars or lines that the paper has.
    pub(super) cars: usize,
}

/// The portals.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct PortalsTold {
    pub(super) portals: Vec<PortalTold>,
}

/// A portal, and what is under way there.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct PortalTold {
    pub(super) id: String,
    pub(super) name: String,
    /// Trains that are passing.
    pub(super) passing: i64,
    /// Scans that wait to be inspected.
    pub(super) waiting: i64,
    /// Scans that were.
    pub(super) inspected: i64,
    /// Scans that are none.
    pub(super) bad: i64,
    pub(super) newest: Option<ScanTold>,
    /// When something came from it last, milliseconds since the Unix epoch.
    pub(super) last_heard_ms: Option<i64>,
    pub(super) uploads: Vec<UnderWay>,
}

/// An upload under way.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct UnderWay {
    /// Its name in addresses.
    pub(super) upload: String,
    pub(super) kind: Kind,
    /// What its sender calls it.
    pub(super) name: Option<String>,
    /// Bytes that are there.
    pub(super) offset: i64,
    /// Bytes that there will be.
    pub(super) length: Option<u64>,
    /// When something came last, milliseconds since the Unix epoch.
    pub(super) heard_ms: i64,
}
