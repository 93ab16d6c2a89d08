//! What people make of hits. Every hit is a *case*; a *disposition* is what one person decided on it; nothing in garita acts on a hit but that.
//!
//! ```text
//!           confirmed, one person wanted ──────────────────────────▶ confirmed
//!  open ──▶ confirmed, two wanted ──▶ second ──▶ confirmed ────────▶ confirmed
//!    │                                  └──▶ rejected, referred ──▶ supervisor
//!    ├────▶ rejected ─────────────────────────────────────────────▶ rejected
//!    └────▶ referred (cannot tell) ──▶ supervisor ──▶ confirmed, rejected (or second again)
//! ```
//!
//! # Invariants
//!
//! 1. *One hand.* A case is claimed by one person at a time, for [`LEASE_MS`]; whoever still looks prolongs it. Nobody else decides while the lease runs.
//! 2. *Everybody once.* No person decides twice on one case, so the second is never the first. A unique index holds it, not this code.
//! 3. *Two where two are wanted.* A case whose entry wants two persons is confirmed by two; a trigger holds it.
//! 4. *Seen before decided.* A disposition names the picture that was on the screen by its SHA-256; the store refuses one that was never sent to that person
//!    (a foreign key), and [`decide`] one that is not the case's newest. That it was *painted* only the page can say, and it sends the time.
//! 5. *Nothing without its record.* Whatever is changed here and the audit record of who did it are one commit; only prolonging a lease leaves none.
//!
//! | file | is |
//! |---|---|
//! | this one | the words, and what becomes of a case |
//! | [`decide`] | claims, dispositions, undo, notes, viewings: changes in the store's transaction |
//! | [`cases`] | the queue and one case as the page gets them |
//! | [`diff`] | read against entry, character by character |
//! | [`cars`] | what people decide on findings in cars, and draw beside their pixels |
//! | [`display`] | what a pixel of a scan looks like: the reference |
//! | [`changes`] | which cases changed since |
//! | [`figures`] | what dispositions say of the reader and the lists; lanes by the hour |
//! | [`light`] | the page's files as they are sent |
//! | `web/` | the page: HTML, CSS, ES modules, two languages; embedded, built by nothing |
//!
//! A hit that its passage's vote withdraws leaves the queue (`withdrawn`) unless somebody has decided already.

pub mod cars;
pub mod cases;
pub mod changes;
pub mod decide;
pub mod diff;
pub mod display;
pub mod figures;
pub mod light;
pub mod web;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long a claim keeps others out, milliseconds, unless it is prolonged. The page prolongs every third of it: a browser that died blocks nobody for long.
pub const LEASE_MS: i64 = 45_000;

/// Within this a case that the same person looks at again is the same view, with one audit record; milliseconds. As long as a session may idle unless the site says otherwise.
pub const OPEN_MS: i64 = 30 * 60_000;

/// How long a disposition may be taken back by whoever made it, milliseconds; the page offers it for 10 s, and the way here takes its time.
pub const UNDO_MS: i64 = 12_000;

/// What a hit may take until somebody has decided, milliseconds since it was stored.
pub const DECIDE_BUDGET_MS: i64 = 8_000;

/// What a hit may take from frame to store, milliseconds.
pub const HIT_BUDGET_MS: i64 = 500;

/// The most characters of a note.
pub const MAX_NOTE: usize = 2_000;

/// Who does something here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Officer {
    /// Names them in records.
    pub id: String,
    /// As people read it.
    pub name: String,
    /// Whether they may decide what was referred to a supervisor.
    pub supervises: bool,
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CaseState)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has decided.
    Open,
    /// Confirmed by one; another one must.
    Second,
    /// Somebody could not tell, or two disagree.
    Supervisor,
    /// It is who is sought.
    Confirmed,
    /// It is not.
    Rejected,
    /// The vote of its passage took it back before anybody decided.
    Withdrawn,
}

impl State {
    /// Its name in the store and in answers.
    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Second => "second",
            State::Supervisor => "supervisor",
            State::Confirmed => "confirmed",
            State::Rejected => "rejected",
            State::Withdrawn => "withdrawn",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<State> {
        [State::Open, State::Second, State::Supervisor, State::Confirmed, State::Rejected, State::Withdrawn].into_iter().find(|state| state.name() == name)
    }

    /// Whether somebody must do something.
    pub fn waits(self) -> bool {
        matches!(self, State::Open | State::Second | State::Supervisor)
    }
}

/// What a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is who is sought.
    Confirmed,
    /// It is not, for a [`Reason`].
    Rejected,
    /// Cannot tell: a supervisor decides.
    Referred,
}

impl Verdict {
    /// Its name in the store and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Confirmed => "confirmed",
            Verdict::Rejected => "rejected",
            Verdict::Referred => "referred",
        }
    }

    fn named(name: &str) -> Option<Verdict> {
        [Verdict::Confirmed, Verdict::Rejected, Verdict::Referred].into_iter().find(|verdict| verdict.name() == name)
    }
}

/// Why a hit is rejected: the false alarms that are known from the field, in the order of the keys 1 to 7 on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The plate says something else.
    Misread,
    /// The same characters, issued by somebody else.
    OtherJurisdiction,
    /// The picture does not show the vehicle that is sought.
    OtherVehicle,
    /// The entry should have expired.
    EntryOutdated,
    /// The same vehicle has been decided on already.
    Duplicate,
    /// A sign, a grille, lettering.
    NotAPlate,
    /// What the note says.
    Other,
}

impl Reason {
    /// All, in the order of their keys.
    pub const ALL: [Reason; 7] =
        [Reason::Misread, Reason::OtherJurisdiction, Reason::OtherVehicle, Reason::EntryOutdated, Reason::Duplicate, Reason::NotAPlate, Reason::Other];

    /// Its name in the store and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Misread => "misread",
            Reason::OtherJurisdiction => "other_jurisdiction",
            Reason::OtherVehicle => "other_vehicle",
            Reason::EntryOutdated => "entry_outdated",
            Reason::Duplicate => "duplicate",
            Reason::NotAPlate => "not_a_plate",
            Reason::Other => "other",
        }
    }
}

/// Where a case stands after these dispositions, oldest first: in which state each was made, and what it said.
pub fn state_after(two_person: bool, dispositions: &[(State, Verdict)]) -> State {
    let wanted = if two_person { 2 } else { 1 };
    // Everybody decides once: as many confirmations as persons.
    let confirmed = dispositions.iter().filter(|one| one.1 == Verdict::Confirmed).count();
    match dispositions.last() {
        None => State::Open,
        Some((_, Verdict::Referred)) => State::Supervisor,
        Some((_, Verdict::Confirmed)) if confirmed >= wanted => State::Confirmed,
        Some((_, Verdict::Confirmed)) => State::Second,
        // Against a colleague: neither is right by coming last.
        Some((State::Second, Verdict::Rejected)) => State::Supervisor,
        Some((_, Verdict::Rejected)) => State::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_goes_where_the_head_of_this_file_says() {
        use State::{Confirmed, Open, Rejected, Second, Supervisor};
        let (yes, no, unsure) = (Verdict::Confirmed, Verdict::Rejected, Verdict::Referred);
        for (two, dispositions, want) in [
            (false, &[][..], Open),
            (false, &[(Open, yes)], Confirmed),
            (true, &[(Open, yes)], Second),
            (true, &[(Open, yes), (Second, yes)], Confirmed),
            (true, &[(Open, yes), (Second, no)], Supervisor),
            (true, &[(Open, yes), (Second, unsure)], Supervisor),
            (true, &[(Open, yes), (Second, no), (Supervisor, no)], Rejected),
            (true, &[(Open, yes), (Second, no), (Supervisor, yes)], Confirmed),
            (true, &[(Open, unsure), (Supervisor, yes)], Second),
            (true, &[(Open, unsure), (Supervisor, yes), (Second, yes)], Confirmed),
            (false, &[(Open, unsure), (Supervisor, yes)], Confirmed),
            (true, &[(Open, no)], Rejected),
            (false, &[(Open, unsure)], Supervisor),
        ] {
            assert_eq!(state_after(two, dispositions), want, "{two}: {dispositions:?}");
        }
    }

    #[test]
    fn names_are_those_of_json() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).expect("plain data"), reason.name());
        }
        for name in ["open", "second", "supervisor", "confirmed", "rejected", "withdrawn"] {
            let state = State::named(name).expect("a state");
            assert_eq!(serde_json::to_value(state).expect("plain data"), name);
        }
        for name in ["confirmed", "rejected", "referred"] {
            let verdict = Verdict::named(name).expect("a verdict");
            assert_eq!(serde_json::to_value(verdict).expect("plain data"), name);
        }
    }
}
