//! Searches over what has passed: by text, exact or from its beginning, with wildcards, or nearly; by lane, time, list and jurisdiction; newest first.
//!
//! Three ways, each over an index that holds all that narrows a search down:
//!
//! - *By text*, where the beginning or the end of it is known or nearly: [`walk`] over the texts, or over the texts from their ends. All that match are gathered, at most
//!   [`MOST_GATHERED`], then sorted by time.
//! - *By time*, where that does not narrow it down: from the newest on, until the page is full.
//! - *By list*, where one is named: from its newest hit on.
//!
//! None takes longer than [`Search::patience`]. What was not looked at then is said ([`Found::cut`]), and the next page goes on where this one ended, so that asking
//! on finds everything.

pub mod automaton;
pub mod edge;
pub mod marks;
mod walk;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Row, ToSql};

use self::automaton::{Automaton, Place, known};
use crate::error::{Error, Fault, Result};
use crate::watchlist::entry::Jurisdiction;
use crate::watchlist::pattern::Pattern;
use crate::watchlist::text::normalise;

/// Passages that a search by text gathers at most before it goes by time instead: what matches so often fills a page soon.
const MOST_GATHERED: usize = 20_000;
/// The most passages of one page.
pub const MOST_FOUND: usize = 50_000;
/// How long a search may take: the budget of near and wildcard searches, less what reading the page costs.
pub const PATIENCE: Duration = Duration::from_millis(800);

/// How a text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Meant {
    /// This very text.
    Exact,
    /// It begins so.
    Prefix,
    /// `?` is one unknown character, `*` any number of them.
    Pattern,
    /// It, or what a reader takes for it, with at most so many edits as are asked for.
    Near,
}

/// What is sought.
#[derive(Debug, Clone)]
pub struct Search {
    /// What the text is like; none for any.
    pub text: Option<Automaton>,
    /// Ids of lanes; empty for all.
    pub lanes: Vec<String>,
    /// Not before this, milliseconds since the Unix epoch.
    pub from_ms: Option<i64>,
    /// Before this, milliseconds since the Unix epoch.
    pub until_ms: Option<i64>,
    /// With a hit of this list.
    pub list: Option<String>,
    /// That may be issued by it.
    pub jurisdiction: Option<Jurisdiction>,
    /// Older than this passage of the page before: last seen, number.
    pub before: Option<(i64, i64)>,
    /// Passages at most, up to [`MOST_FOUND`].
    pub limit: usize,
    /// How long it may take.
    pub patience: Duration,
}

/// A passage that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// When it was last seen, milliseconds since the Unix epoch.
    pub last_ms: i64,
    /// Its number.
    pub passage: i64,
    /// How many characters of its text differ.
    pub edits: u8,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Newest first; of a list, most recently settled first.
    pub matches: Vec<Match>,
    /// Where the next page begins; none where nothing older matches.
    pub next: Option<(i64, i64)>,
    /// It took too long: what is older than `next` was not looked at.
    pub cut: bool,
    /// Rows of indexes that were looked at.
    pub looked_at: u64,
}

/// What a written text means.
///
/// # Errors
/// `Caller` for what is no text or pattern.
pub fn automaton(written: &str, meant: Meant, edits: u8) -> Result<Automaton> {
    let key = || normalise(written).map_err(|refused| Error::new(Fault::Caller, format!("{written:?}: {refused}")));
    match meant {
        Meant::Exact => Automaton::new(known(key()?, Place::Is), 0),
        Meant::Prefix => Automaton::new([known(key()?, Place::Is), vec![Place::Any]].concat(), 0),
        Meant::Near => Automaton::new(known(key()?, Place::Like), edits),
        Meant::Pattern => {
            // Written out, a pattern is its places.
            let plain = Pattern::parse(written)?.to_string();
            let places = plain.bytes().map(|character| match character {
                b'*' => Place::Any,
                b'?' => Place::One,
                character => automaton::symbol(character).map_or(Place::One, Place::Is),
            });
            Automaton::new(places.collect(), 0)
        }
    }
}

impl Search {
    /// Everything, newest first.
    #[must_use]
    pub fn all(limit: usize) -> Search {
        Search { text: None, lanes: Vec::new(), from_ms: None, until_ms: None, list: None, jurisdiction: None, before: None, limit, patience: PATIENCE }
    }

    /// Looks.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn run(&self, connection: &Connection) -> rusqlite::Result<Found> {
        let mut looking = Looking { search: self, until: Instant::now() + self.patience / 2, looked_at: 0, late: false };
        let by_text = match (&self.list, &self.text) {
            (None, Some(text)) => looking.by_text(connection, text)?,
            _ => None,
        };
        let mut found = match by_text {
            Some(found) => found,
            None => {
                (looking.until, looking.late) = (Instant::now() + self.patience / 2, false);
                looking.newest_first(connection)?
            }
        };
        found.looked_at = looking.looked_at;
        Ok(found)
    }

    /// Whether a row is sought, its text aside.
    fn wants(&self, last_ms: i64, lane: &str, jurisdiction: Option<&str>) -> bool {
        self.from_ms.is_none_or(|from| last_ms >= from)
            && self.until_ms.is_none_or(|until| last_ms < until)
            && (self.lanes.is_empty() || self.lanes.iter().any(|wanted| wanted == lane))
            && self.jurisdiction.is_none_or(|wanted| jurisdiction.and_then(Jurisdiction::of).is_some_and(|found| wanted.agrees(found)))
    }

    fn takes(&self, row: &Row<'_>, edits: u8) -> rusqlite::Result<Option<Match>> {
        let (last_ms, passage) = (row.get(1)?, row.get(2)?);
        let jurisdiction = row.get_ref(4)?.as_str_or_null()?;
        Ok(self.wants(last_ms, row.get_ref(3)?.as_str()?, jurisdiction).then_some(Match { last_ms, passage, edits }))
    }
}

/// One search under way.
struct Looking<'s> {
    search: &'s Search,
    until: Instant,
    looked_at: u64,
    late: bool,
}

impl Looking<'_> {
    /// Counts a row; false when it has taken too long.
    fn go_on(&mut self) -> bool {
        self.looked_at += 1;
        if self.looked_at.is_multiple_of(64) && Instant::now() >= self.until {
            self.late = true;
        }
        !self.late
    }

    /// None where neither end of the text is known, so much matches that going by time is quicker, or it took too long.
    fn by_text(&mut self, connection: &Connection, text: &Automaton) -> rusqlite::Result<Option<Found>> {
        let fixed = |places: &[Place]| places.iter().take_while(|place| !matches!(place, Place::Any)).count();
        let reversed = text.reversed();
        let (beginning, end) = (fixed(text.places()), fixed(reversed.places()));
        if beginning == 0 && end == 0 {
            return Ok(None);
        }
        let (automaton, column, index) = if beginning >= end { (text, "text", "passage_by_text") } else { (&reversed, "reversed", "passage_by_end") };
        let question = format!("SELECT {column}, last_ms, id, lane, jurisdiction FROM passage INDEXED BY {index} WHERE {column} >= ?1 ORDER BY {column}");
        let mut statement = connection.prepare_cached(&question)?;
        let (search, mut matches) = (self.search, Vec::new());
        let older = |found: &Match| search.before.is_none_or(|before| (found.last_ms, found.passage) < before);
        let gather = |row: &Row<'_>, edits| {
            matches.extend(search.takes(row, edits)?.filter(older));
            Ok(if matches.len() > MOST_GATHERED { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        if walk::walk(&mut statement, automaton, || self.go_on(), gather)?.is_break() {
            return Ok(None);
        }
        matches.sort_unstable_by_key(|found: &Match| std::cmp::Reverse((found.last_ms, found.passage)));
        let more = matches.len() > search.limit;
        matches.truncate(search.limit);
        let next = matches.last().filter(|_| more).map(|last| (last.last_ms, last.passage));
        Ok(Some(Found { matches, next, cut: false, looked_at: 0 }))
    }

    /// From the newest on, until the page is full.
    fn newest_first(&mut self, connection: &Connection) -> rusqlite::Result<Found> {
        let search = self.search;
        let newest = search.until_ms.map_or((i64::MAX, i64::MAX), |until| (until - 1, i64::MAX));
        let (last_ms, passage) = search.before.map_or(newest, |before| before.min(newest));
        let from_ms = search.from_ms.unwrap_or(i64::MIN);
        let by_time = "SELECT text, last_ms, id, lane, jurisdiction FROM passage INDEXED BY passage_by_time
                       WHERE (last_ms, id) < (?1, ?2) AND last_ms >= ?3 ORDER BY last_ms DESC, id DESC";
        // In the order of the index: no sorting before the first row.
        let by_list = "SELECT passage.text, last_ms, passage.id, passage.lane, passage.jurisdiction
                       FROM hit INDEXED BY hit_by_list CROSS JOIN passage ON passage.id = hit.passage
                       WHERE hit.list = ?1 AND hit.passage < ?2 ORDER BY hit.passage DESC";
        let before = search.before.map_or(i64::MAX, |before| before.1);
        let (question, parameters): (&str, Vec<&dyn ToSql>) = match &search.list {
            None => (by_time, vec![&last_ms, &passage, &from_ms]),
            Some(list) => (by_list, vec![list, &before]),
        };
        let mut statement = connection.prepare_cached(question)?;
        let mut rows = statement.query(parameters.as_slice())?;
        let mut found = Found::default();
        while let Some(row) = rows.next()? {
            let place = (row.get(1)?, row.get(2)?);
            // A passage may have hits of several entries of a list.
            let seen = found.matches.last().is_some_and(|last| last.passage == place.1);
            let edits = match &search.text {
                Some(text) => text.takes(row.get_ref(0)?.as_str()?.as_bytes()),
                None => Some(0),
            };
            if let Some(edits) = edits.filter(|_| !seen)
                && let Some(one) = search.takes(row, edits)?
            {
                if found.matches.len() == search.limit {
                    found.next = found.matches.last().map(|last| (last.last_ms, last.passage));
                    return Ok(found);
                }
                found.matches.push(one);
            }
            if !self.go_on() {
                (found.next, found.cut) = (Some(place), true);
                return Ok(found);
            }
        }
        Ok(found)
    }
}
