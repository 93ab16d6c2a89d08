//! A TOML file and environment variables, asked key by key. Keeps every mistake and where every value came from.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::SHORT_NAMES;

/// What is wrong with a site file or an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// `file:line:column`, or the environment variable.
    pub place: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything else.
    Default,
    /// The site file: `file:line:column`.
    File(String),
    /// This environment variable.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => formatter.write_str("default"),
            Origin::File(place) => formatter.write_str(place),
            Origin::Environment(name) => formatter.write_str(name),
        }
    }
}

/// A value as it counts, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `limits.frame_bytes`; lanes, portals, lists, devices and users by their name: `lane.north-1.gap_ms`.
    pub key: String,
    /// As TOML.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl fmt::Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} = {}  # {}", self.key, self.value, self.origin)
    }
}

/// Everything that is given, and what came of it.
pub(super) struct Reader<'t> {
    text: &'t str,
    /// What the file is called in messages.
    name: &'t str,
    /// What relative paths of the file are relative to; absolute.
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    outcome: RefCell<Outcome>,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) mistakes: Vec<Mistake>,
    pub(super) notes: Vec<Mistake>,
    pub(super) settings: Vec<Setting>,
    asked: BTreeSet<String>,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In quotes.
    Text,
    /// Without.
    Number,
    /// Either: bytes, or "8 GiB".
    Size,
    /// In quotes, and nobody's business.
    Key,
}

/// What counts where nothing is given.
#[derive(Clone, Copy)]
pub(super) enum Otherwise<'d> {
    /// It must be given.
    Required,
    /// Nothing.
    Nothing,
    /// This.
    Value(&'d str),
}

/// A value as found, before anybody has looked at it.
struct Found {
    text: String,
    origin: Origin,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, name: &'t str, folder: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Reader<'t> {
        let folder = folder.canonicalize().or_else(|_| std::path::absolute(folder)).unwrap_or_else(|_| folder.to_owned());
        Reader { text, name, folder, environment: environment.into_iter().collect(), outcome: RefCell::default() }
    }

    /// Parses the file. `None` where it is no TOML, which is told alone: what else is wrong would be guesses.
    pub(super) fn root(&self) -> Option<Section<'_, 't>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.mistake(self.place(error.span().map_or(0, |span| span.start)), error.message().trim().replace('\n', ", "));
        }
        errors.is_empty().then(|| Section::new(self, String::new(), String::new(), 0, table.into_inner()))
    }

    pub(super) fn mistake(&self, place: impl fmt::Display, message: impl Into<String>) {
        self.outcome.borrow_mut().mistakes.push(Mistake { place: place.to_string(), message: message.into() });
    }

    pub(super) fn note(&self, place: impl fmt::Display, message: impl Into<String>) {
        self.outcome.borrow_mut().notes.push(Mistake { place: place.to_string(), message: message.into() });
    }

    /// `file:line:column` of a byte of the file; both from 1, columns in characters.
    pub(super) fn place(&self, offset: usize) -> String {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or(before);
        format!("{}:{}:{}", self.name, before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    /// What came of it; variables that no key has are mistakes.
    pub(super) fn finish(self) -> Outcome {
        let mut outcome = self.outcome.into_inner();
        // With one underscore too few it is meant for a setting all the same.
        let meant = |name: &str| name.starts_with("GARITA__") || name.strip_prefix("GARITA_").is_some_and(|rest| rest.contains("__"));
        for name in self.environment.keys().filter(|name| meant(name) && !outcome.asked.contains(*name)) {
            let message = match name.starts_with("GARITA__") {
                true => {
                    "there is no such setting here: unset it, or see `garita config explain` for those that there are; one of a table that the site file has not \
                    (a lane, `mqtt`, …) needs the table there first"
                }
                false => "settings begin with GARITA__, two underscores",
            };
            outcome.mistakes.push(Mistake { place: name.clone(), message: message.to_owned() });
        }
        // In the file's order, then the variables.
        outcome.mistakes.sort_by_key(|mistake| {
            let mut numbers = mistake.place.rsplitn(3, ':').map(|number| number.parse::<usize>().unwrap_or(usize::MAX));
            let column = numbers.next();
            (numbers.next().unwrap_or(usize::MAX), column)
        });
        outcome
    }

    /// The value of a key in the environment.
    fn environment(&self, key: &str) -> Option<Found> {
        let long = format!("GARITA__{}", key.to_uppercase().replace('.', "__").replace('-', "_"));
        let short = SHORT_NAMES.iter().find(|(_, shortened)| *shortened == key).map(|(name, _)| (*name).to_owned());
        let mut names = [Some(long), short].into_iter().flatten();
        self.outcome.borrow_mut().asked.extend(names.clone());
        names.find_map(|name| Some(Found { text: self.environment.get(&name)?.clone(), origin: Origin::Environment(name) }))
    }

    /// A path, relative to the file's folder if it stands in the file, else to the working directory.
    fn path(&self, text: &str, origin: &Origin) -> PathBuf {
        let joined = if matches!(origin, Origin::Environment(_)) { std::path::absolute(text).unwrap_or_else(|_| text.into()) } else { self.folder.join(text) };
        let mut clean = PathBuf::new();
        for part in joined.components() {
            match part {
                Component::ParentDir => drop(clean.pop()),
                Component::CurDir => {}
                other => clean.push(other),
            }
        }
        clean
    }
}

/// A table of the file; each of its keys is asked once.
pub(super) struct Section<'r, 't> {
    pub(super) reader: &'r Reader<'t>,
    /// What its keys begin with: `lane.north-1.`
    prefix: String,
    /// As it stands in the file: `[[lane]]`
    title: String,
    /// Where it begins.
    offset: usize,
    entries: BTreeMap<String, (Range<usize>, Range<usize>, DeValue<'t>)>,
    known: Vec<&'static str>,
}

impl<'r, 't> Section<'r, 't> {
    fn new(reader: &'r Reader<'t>, prefix: String, title: String, offset: usize, table: DeTable<'t>) -> Section<'r, 't> {
        let entries = table.into_iter().map(|(key, value)| (key.get_ref().to_string(), (key.span(), value.span(), value.into_inner()))).collect();
        Section { reader, prefix, title, offset, entries, known: Vec::new() }
    }

    /// Where it begins.
    pub(super) fn place(&self) -> String {
        self.reader.place(self.offset)
    }

    /// The key in full.
    pub(super) fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Says that something is wrong with `key`, where its value came from.
    pub(super) fn mistake(&self, key: &str, message: impl fmt::Display) {
        self.reader.mistake(self.origin_place(key), format!("{} {message}", self.key(key)));
    }

    /// Says something about `key` that is not wrong.
    pub(super) fn note(&self, key: &str, message: impl fmt::Display) {
        self.reader.note(self.origin_place(key), format!("{} {message}", self.key(key)));
    }

    fn origin_place(&self, key: &str) -> String {
        let key = self.key(key);
        let outcome = self.reader.outcome.borrow();
        match outcome.settings.iter().rev().find(|setting| setting.key == key).map(|setting| &setting.origin) {
            Some(Origin::Default) | None => self.place(),
            Some(origin) => origin.to_string(),
        }
    }

    /// The value of `key`: found, recorded, and made what it means by `meaning`, which says what is wrong with it.
    pub(super) fn take<T>(&mut self, key: &'static str, kind: Kind, otherwise: Otherwise<'_>, meaning: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let found = self.find(key, kind, otherwise)?;
        let shown = match kind {
            Kind::Key => toml_string(&format!("{}…", found.text.chars().take(8).collect::<String>())),
            Kind::Number => found.text.clone(),
            Kind::Size if found.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') => found.text.clone(),
            Kind::Text | Kind::Size => toml_string(&found.text),
        };
        self.record(key, shown, found.origin);
        match meaning(&found.text) {
            Ok(value) => Some(value),
            Err(message) => {
                let said = match kind {
                    Kind::Key => message,
                    Kind::Number => format!("is {}: {message}", found.text),
                    Kind::Text | Kind::Size => format!("is {:?}: {message}", found.text),
                };
                self.mistake(key, said);
                None
            }
        }
    }

    /// A path, made absolute.
    pub(super) fn path(&mut self, key: &'static str, otherwise: Otherwise<'_>) -> Option<PathBuf> {
        let found = self.find(key, Kind::Text, otherwise)?;
        let path = self.reader.path(&found.text, &found.origin);
        self.record(key, toml_string(&path.display().to_string()), found.origin);
        if found.text.trim().is_empty() {
            self.mistake(key, "is empty: it takes a path");
            return None;
        }
        Some(path)
    }

    /// A list of texts: an array in the file, separated by commas in the environment. Nothing where it is not given.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        self.known.push(key);
        let from_file = self.entries.remove(key);
        if let Some(found) = self.reader.environment(&self.key(key)) {
            let texts: Vec<String> = found.text.split(',').map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect();
            self.record(key, toml_array(&texts), found.origin);
            return Some(texts);
        }
        let (_, span, value) = from_file?;
        let texts: Option<Vec<String>> = value.as_array().and_then(|array| array.iter().map(|value| value.get_ref().as_str().map(str::to_owned)).collect());
        self.record(key, texts.as_deref().map_or_else(String::new, toml_array), Origin::File(self.reader.place(span.start)));
        if texts.is_none() {
            self.mistake(key, "takes a list of texts, such as [\"north-1\"]");
        }
        texts
    }

    /// As [`Section::texts`], with what counts where nothing is given.
    pub(super) fn texts_or(&mut self, key: &'static str, otherwise: &[&str]) -> Vec<String> {
        let given = self.entries.contains_key(key) || self.reader.environment(&self.key(key)).is_some();
        let texts = self.texts(key);
        let otherwise: Vec<String> = otherwise.iter().map(|&text| text.to_owned()).collect();
        if !given {
            self.record(key, toml_array(&otherwise), Origin::Default);
        }
        texts.unwrap_or(otherwise)
    }

    /// The one table `key`, empty where it is not given.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'r, 't> {
        let fallback = Section::new(self.reader, format!("{}{key}.", self.prefix), self.title_of(key), self.offset, DeTable::new());
        self.optional_section(key).unwrap_or(fallback)
    }

    /// The one table `key`, if it is given.
    pub(super) fn optional_section(&mut self, key: &'static str) -> Option<Section<'r, 't>> {
        self.known.push(key);
        let (key_span, _, value) = self.entries.remove(key)?;
        let title = self.title_of(key);
        if let DeValue::Table(table) = value {
            return Some(Section::new(self.reader, format!("{}{key}.", self.prefix), title, key_span.start, table));
        }
        self.reader.mistake(self.reader.place(key_span.start), format!("{} is a table of its own: write {title}", self.key(key)));
        None
    }

    /// The tables `[[key]]`; each is called by its `name_key`, which must be an id of its own.
    pub(super) fn sections(&mut self, key: &'static str, name_key: &'static str) -> Vec<(String, Section<'r, 't>)> {
        self.known.push(key);
        let Some((key_span, _, value)) = self.entries.remove(key) else { return Vec::new() };
        let title = format!("[[{}]]", self.key(key));
        let DeValue::Array(array) = value else {
            self.reader.mistake(self.reader.place(key_span.start), format!("there can be several: write {title}"));
            return Vec::new();
        };
        let mut seen = BTreeSet::new();
        let mut sections = Vec::new();
        for (number, value) in array.into_iter().enumerate() {
            let offset = value.span().start;
            let DeValue::Table(table) = value.into_inner() else {
                self.reader.mistake(self.reader.place(offset), format!("{} {} is no table: write {title}", key, number + 1));
                continue;
            };
            let mut section = Section::new(self.reader, String::new(), title.clone(), offset, table);
            // The name comes from the file alone: it is part of the names of the variables.
            let given = section.entries.remove(name_key).map(|(_, span, value)| (span.start, value.as_str().map(str::to_owned)));
            section.known.push(name_key);
            let id = match given {
                Some((at, Some(id))) => {
                    section.prefix = format!("{}{key}.{id}.", self.prefix);
                    section.record(name_key, toml_string(&id), Origin::File(self.reader.place(at)));
                    if !is_id(&id) {
                        section.mistake(name_key, format!("is {id:?}: {ID_RULE}"));
                    } else if !seen.insert(id.clone()) {
                        section.mistake(name_key, format!("is there twice: give each {title} a name of its own"));
                    }
                    id
                }
                Some((at, None)) => {
                    self.reader.mistake(self.reader.place(at), format!("{name_key} of a {title} takes a text in quotes"));
                    format!("#{}", number + 1)
                }
                None => {
                    self.reader.mistake(self.reader.place(offset), format!("this {title} has no {name_key}: {ID_RULE}"));
                    format!("#{}", number + 1)
                }
            };
            section.prefix = format!("{}{key}.{id}.", self.prefix);
            sections.push((id, section));
        }
        sections
    }

    fn title_of(&self, key: &str) -> String {
        match self.title.trim_matches(['[', ']']) {
            "" => format!("[{key}]"),
            outer => format!("[{outer}.{key}]"),
        }
    }

    fn record(&self, key: &str, value: String, origin: Origin) {
        self.reader.outcome.borrow_mut().settings.push(Setting { key: self.key(key), value, origin });
    }

    /// Environment, file, default; in this order.
    fn find(&mut self, key: &'static str, kind: Kind, otherwise: Otherwise<'_>) -> Option<Found> {
        self.known.push(key);
        let from_file = self.entries.remove(key);
        if let Some(found) = self.reader.environment(&self.key(key)) {
            return Some(found);
        }
        if let Some((_, span, value)) = from_file {
            let text = match &value {
                DeValue::String(text) if kind != Kind::Number => Some(text.to_string()),
                DeValue::Integer(number) if matches!(kind, Kind::Number | Kind::Size) && number.radix() == 10 => Some(number.as_str().to_owned()),
                DeValue::Float(number) if kind == Kind::Number => Some(number.as_str().to_owned()),
                _ => None,
            };
            let origin = Origin::File(self.reader.place(span.start));
            if text.is_none() {
                let wanted = match kind {
                    Kind::Number => "a number, without quotes",
                    Kind::Size => "bytes as a number, or a text such as \"8 GiB\"",
                    Kind::Text | Kind::Key => "a text in quotes",
                };
                self.reader.mistake(&origin, format!("{} is {}: it takes {wanted}", self.key(key), article(value.type_str())));
            }
            return text.map(|text| Found { text, origin });
        }
        match otherwise {
            Otherwise::Value(text) => Some(Found { text: text.to_owned(), origin: Origin::Default }),
            Otherwise::Nothing => None,
            Otherwise::Required => {
                let section = if self.title.is_empty() { "the file".to_owned() } else { self.title.clone() };
                self.reader.mistake(self.place(), format!("{} is missing: {section} needs it", self.key(key)));
                None
            }
        }
    }
}

impl Drop for Section<'_, '_> {
    /// What nobody has asked for by now does not exist.
    fn drop(&mut self) {
        for (key, (span, ..)) in &self.entries {
            let section = if self.title.is_empty() { "at the top of a site file".to_owned() } else { format!("in {}", self.title) };
            let message = format!("there is no key {key:?} {section}: it takes {}", self.known.join(", "));
            self.reader.mistake(self.reader.place(span.start), message);
        }
    }
}

/// What names in addresses and in environment variables look like.
pub(super) const ID_RULE: &str = "it takes 1 to 32 of a-z, 0-9 and single hyphens inside";

fn is_id(text: &str) -> bool {
    let hyphens = text.starts_with('-') || text.ends_with('-') || text.contains("--");
    (1..=32).contains(&text.len()) && !hyphens && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn article(kind: &str) -> String {
    if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { format!("an {kind}") } else { format!("a {kind}") }
}

fn toml_string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn toml_array(texts: &[String]) -> String {
    toml::Value::Array(texts.iter().cloned().map(toml::Value::String).collect()).to_string()
}
