//! Who may do what: one table. What has no row here nobody may.

use crate::people::Role::{self, Admin, Auditor, Device, ListManager, Operator, Supervisor, Viewer};

/// A row: method, route as the router writes it, who may.
pub type Right = (&'static str, &'static str, Who);

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Whoever asks: it tells of no person and changes nothing.
    Anybody,
    /// These roles.
    Only(&'static [Role]),
}

/// Cameras, portals and programs.
pub const DEVICES: Who = Who::Only(&[Device]);
/// Everybody who works here.
pub const PEOPLE: Who = Who::Only(&[Viewer, Operator, Supervisor, ListManager, Auditor, Admin]);
/// Everybody who works here, and what has sent it.
pub const PEOPLE_AND_DEVICES: Who = Who::Only(&[Viewer, Operator, Supervisor, ListManager, Auditor, Admin, Device]);
/// Who judges hits and findings. An administrator can make themselves one, and alone on a machine is one.
pub const OFFICERS: Who = Who::Only(&[Operator, Supervisor, Admin]);
/// Who judges, who looks at how it was judged, and what has sent it.
pub const OFFICERS_AUDITORS_DEVICES: Who = Who::Only(&[Operator, Supervisor, Auditor, Admin, Device]);
/// Who judges, and who looks at how it was judged.
pub const OFFICERS_AND_AUDITORS: Who = Who::Only(&[Operator, Supervisor, Auditor, Admin]);
/// Who decides what keeps being kept.
pub const SUPERVISORS: Who = Who::Only(&[Supervisor, Admin]);
/// Who takes data out.
pub const SUPERVISORS_AND_AUDITORS: Who = Who::Only(&[Supervisor, Auditor, Admin]);
/// Who changes lists.
pub const LIST_MANAGERS: Who = Who::Only(&[ListManager, Admin]);
/// Who changes lists, and who looks at how they were changed.
pub const LIST_MANAGERS_AND_AUDITORS: Who = Who::Only(&[ListManager, Auditor, Admin]);
/// Who reads what everybody did.
pub const AUDITORS: Who = Who::Only(&[Auditor, Admin]);
/// Who makes and changes people.
pub const ADMINS: Who = Who::Only(&[Admin]);

/// All rights. HEAD goes with GET. A device is told apart further by the lanes and portals that its `[[device]]` names.
pub const RIGHTS: &[Right] = &[
    ("GET", "/healthz", Who::Anybody),
    ("GET", "/readyz", Who::Anybody),
    ("GET", "/metrics", Who::Anybody),
    ("GET", "/login", Who::Anybody),
    ("GET", "/login.js", Who::Anybody),
    ("GET", "/v1/session", Who::Anybody),
    ("POST", "/v1/session", Who::Anybody),
    ("DELETE", "/v1/session", Who::Anybody),
    ("POST", "/v1/session/unlock", Who::Anybody),
    // --- what comes in ---
    ("POST", "/v1/lanes/{id}/frames", DEVICES),
    ("POST", "/v1/lanes/{id}/edge-reads", DEVICES),
    ("POST", "/v1/lanes/{id}/triggers", DEVICES),
    ("POST", "/v1/plate-reader/", DEVICES),
    ("POST", "/v1/portals/{id}/scans", DEVICES),
    ("POST", "/v1/portals/{id}/columns", DEVICES),
    ("POST", "/v1/portals/{id}/scans/{scan}/{paper}", DEVICES),
    ("HEAD", "/v1/uploads/{upload}", DEVICES),
    ("PATCH", "/v1/uploads/{upload}", DEVICES),
    ("DELETE", "/v1/uploads/{upload}", DEVICES),
    ("GET", "/v1/portals", PEOPLE_AND_DEVICES),
    ("GET", "/v1/portals/{id}/scans", PEOPLE_AND_DEVICES),
    ("GET", "/v1/scans/{scan}", OFFICERS_AUDITORS_DEVICES),
    // --- what people see ---
    ("GET", "/", PEOPLE),
    ("GET", "/web/{file}", Who::Anybody),
    ("GET", "/v1/status", PEOPLE),
    // --- what leaves: queries, exports, events ---
    ("GET", "/v1/passages", PEOPLE),
    ("GET", "/v1/passages/{id}", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/edge-reads", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/hits", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/hits/{id}", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/cars", PEOPLE),
    ("GET", "/v1/findings", PEOPLE),
    ("GET", "/v1/evidence/{sha256}", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/lists", PEOPLE),
    ("GET", "/v1/lists/{name}", PEOPLE),
    ("POST", "/v1/search", OFFICERS_AND_AUDITORS),
    ("POST", "/v1/exports", SUPERVISORS_AND_AUDITORS),
    ("POST", "/v1/packs", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/lookbacks", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/lookbacks/{id}", OFFICERS_AND_AUDITORS),
    ("POST", "/v1/lookbacks", OFFICERS),
    ("GET", "/v1/webhooks", AUDITORS),
    ("GET", "/v1/webhooks/{id}/dead", AUDITORS),
    ("POST", "/v1/webhooks/{id}/replay", ADMINS),
    ("GET", "/v1/openapi.json", PEOPLE_AND_DEVICES),
    ("GET", "/docs", PEOPLE),
    // --- what people decide: cases, lists ---
    ("GET", "/v1/cases", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/cases/{id}", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/cases/{id}/pictures/{digest}", OFFICERS_AND_AUDITORS),
    ("PUT", "/v1/cases/{id}/claim", OFFICERS),
    ("DELETE", "/v1/cases/{id}/claim", OFFICERS),
    ("POST", "/v1/cases/{id}/disposition", OFFICERS),
    ("DELETE", "/v1/cases/{id}/disposition", OFFICERS),
    ("POST", "/v1/cases/{id}/notes", OFFICERS),
    ("GET", "/v1/events", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/scans", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/scans/{scan}/tiles/{level}/{x}/{y}", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/scans/{scan}/cars", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/scans/{scan}/cars/{position}", OFFICERS_AND_AUDITORS),
    ("PUT", "/v1/scans/{scan}/cars/{position}/claim", OFFICERS),
    ("DELETE", "/v1/scans/{scan}/cars/{position}/claim", OFFICERS),
    ("GET", "/v1/scans/{scan}/cars/{position}/thumbnail", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/scans/{scan}/cars/{position}/thickness", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/scans/{scan}/cars/{position}/change", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/scans/{scan}/cars/{position}/made", OFFICERS_AND_AUDITORS),
    ("POST", "/v1/scans/{scan}/cars/{position}/findings/{number}/disposition", OFFICERS),
    ("DELETE", "/v1/scans/{scan}/cars/{position}/findings/{number}/disposition", OFFICERS),
    ("POST", "/v1/scans/{scan}/cars/{position}/annotations", OFFICERS),
    ("DELETE", "/v1/scans/{scan}/cars/{position}/annotations/{annotation}", OFFICERS),
    ("GET", "/v1/figures/accuracy", OFFICERS_AND_AUDITORS),
    ("GET", "/v1/figures/hours", PEOPLE),
    ("GET", "/v1/proposals", LIST_MANAGERS_AND_AUDITORS),
    ("GET", "/v1/proposals/{id}", LIST_MANAGERS_AND_AUDITORS),
    ("POST", "/v1/lists/{name}/proposals", LIST_MANAGERS),
    ("POST", "/v1/proposals/{id}/activation", LIST_MANAGERS),
    ("POST", "/v1/proposals/{id}/refusal", LIST_MANAGERS),
    // --- people and what they did ---
    ("POST", "/v1/session/password", PEOPLE),
    ("POST", "/v1/session/second-factor", PEOPLE),
    ("PUT", "/v1/session/second-factor", PEOPLE),
    ("DELETE", "/v1/session/second-factor", PEOPLE),
    ("PUT", "/v1/session/settings", PEOPLE),
    ("GET", "/v1/people", ADMINS),
    ("POST", "/v1/people", ADMINS),
    ("PATCH", "/v1/people/{id}", ADMINS),
    ("GET", "/v1/audit", AUDITORS),
    ("GET", "/v1/audit/checkpoint", AUDITORS),
    ("GET", "/v1/audit/verification", AUDITORS),
    ("GET", "/v1/holds", OFFICERS_AND_AUDITORS),
    ("POST", "/v1/holds", SUPERVISORS),
    ("DELETE", "/v1/holds/{id}", SUPERVISORS),
];

/// Who may ask `method` of `route`; `None`: nobody.
#[must_use]
pub fn who(method: &str, route: &str) -> Option<Who> {
    let row = |method: &str| RIGHTS.iter().find(|right| right.0 == method && right.1 == route).map(|right| right.2);
    row(method).or_else(|| if method == "HEAD" { row("GET") } else { None })
}

/// The methods that `route` has rows for.
pub(super) fn methods(route: &str) -> Vec<&'static str> {
    RIGHTS.iter().filter(|right| right.1 == route).map(|right| right.0).collect()
}
