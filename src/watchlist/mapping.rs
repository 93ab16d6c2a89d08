//! Which column of somebody's file is which field of an entry: a mapping file in TOML, or one of the presets in `presets/`.
//!
//! Nothing is guessed that could be guessed wrong: a date is read in the formats that the mapping names, in their order, and 03/04/2026 is
//! whatever the first of them makes of it. Encoding and delimiter are guessed, and reported.

use jiff::civil;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use std::collections::BTreeMap;

use super::encoding::Encoding;
use super::entry::{Jurisdiction, List, Mode, Subject};
use crate::error::{Error, Fault, Result};

/// A field of an entry that a file can fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldName {
    /// Plate, mark or container; the one field that every line must fill.
    Text,
    /// Plate, mark or container: `plate`, `mark`, `container`.
    Subject,
    /// Issuing state or country.
    Jurisdiction,
    /// The list's name.
    List,
    /// Its class of entry.
    Category,
    /// 0 (highest) to 100.
    Priority,
    /// Why it is sought.
    Reason,
    /// Where it came from.
    Source,
    /// That source's version.
    SourceVersion,
    /// Who filed it.
    FiledBy,
    /// In force from.
    ValidFrom,
    /// In force until.
    ValidUntil,
    /// What an officer must know.
    Caution,
    /// `alert_on_match` or `alert_if_absent`.
    Mode,
    /// Whether a second person must confirm.
    TwoPerson,
    /// Days that hits are kept.
    RetentionDays,
    /// In incremental files: whether the line adds or removes.
    Action,
}

/// How many there are.
pub(crate) const FIELDS: usize = FieldName::Action as usize + 1;

/// A mapping file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// What it is for, for people.
    #[serde(default)]
    pub about: String,
    /// How the file is written.
    #[serde(default)]
    pub file: FileFormat,
    /// Which column, by its name in the header (any of several; case, spaces and `_` do not count) or by its number from 1.
    #[serde(default)]
    pub columns: BTreeMap<FieldName, Columns>,
    /// Whether every column of the file is to be a field: others are told then, misspelt ones refused. Else they are passed over.
    #[serde(default)]
    pub every_column: bool,
    /// In fixed-width files: first and last character of the field, from 1.
    #[serde(default)]
    pub fixed: BTreeMap<FieldName, [usize; 2]>,
    /// What a field is where the file says nothing.
    #[serde(default)]
    pub constants: BTreeMap<FieldName, String>,
    /// What a field's value means, by field and value (case does not count); other values stay as they are.
    #[serde(default)]
    pub values: BTreeMap<FieldName, BTreeMap<String, String>>,
    /// How times are written.
    #[serde(default)]
    pub dates: Dates,
    /// The country of subdivisions written without one: with `US`, `CA` is `US-CA`.
    #[serde(default)]
    pub country: String,
    /// Settings of the lists that the file fills, by name.
    #[serde(default)]
    pub lists: Vec<List>,
}

/// How a file is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileFormat {
    /// One character, or `auto`: the most frequent of `,` `;` tab `|` in the first line.
    pub delimiter: String,
    /// Whether the first line names the columns.
    pub header: bool,
    /// Whether `"` quotes.
    pub quotes: bool,
    /// Lines before the header or the first entry that are none.
    pub skip_lines: u64,
    /// How characters are written.
    pub encoding: Encoding,
}

impl Default for FileFormat {
    fn default() -> FileFormat {
        FileFormat { delimiter: "auto".to_owned(), header: true, quotes: true, skip_lines: 0, encoding: Encoding::Auto }
    }
}

/// Names or number of a column.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Columns {
    /// From 1.
    Number(usize),
    /// In the header.
    Name(String),
    /// The first of these that the header has.
    Names(Vec<String>),
}

/// How times are written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dates {
    /// `strptime` formats, tried in order; RFC 3339 is always understood.
    pub formats: Vec<String>,
    /// IANA time zone of times without one.
    pub time_zone: String,
    /// Whether an entry that is valid until a date without time is valid on that day.
    pub until_includes_day: bool,
}

impl Default for Dates {
    fn default() -> Dates {
        let formats = ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y%m%d"].map(str::to_owned).to_vec();
        Dates { formats, time_zone: "UTC".to_owned(), until_includes_day: true }
    }
}

/// The presets: name and mapping file.
pub const PRESETS: [(&str, &str); 5] = [
    ("garita", include_str!("presets/garita.toml")),
    ("genetec", include_str!("presets/genetec.toml")),
    ("vigilant", include_str!("presets/vigilant.toml")),
    ("uk-voi", include_str!("presets/uk-voi.toml")),
    ("rail-consist", include_str!("presets/rail-consist.toml")),
];

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// `Caller`, with line and column, for what is not one.
    pub fn parse(toml: &str) -> Result<Mapping> {
        let mapping: Mapping = toml::from_str(toml).map_err(|error| Error::new(Fault::Caller, error.to_string().trim_end().to_owned()))?;
        let fail = |message: String| Err(Error::new(Fault::Caller, message));
        if !mapping.columns.is_empty() && !mapping.fixed.is_empty() {
            return fail("has both [columns] and [fixed]; a file is either delimited or of fixed width".to_owned());
        }
        if !mapping.columns.contains_key(&FieldName::Text) && !mapping.fixed.contains_key(&FieldName::Text) {
            return fail("does not say where the text (the plate) is: [columns] or [fixed] needs `text`".to_owned());
        }
        if let Some((field, range)) = mapping.fixed.iter().find(|(_, [from, to])| *from == 0 || from > to) {
            return fail(format!("[fixed] {field:?} is {range:?}: first and last character, counted from 1"));
        }
        if mapping.file.delimiter != "auto" && (mapping.file.delimiter.len() != 1 || mapping.file.delimiter == "\"") {
            return fail(format!("[file] delimiter is {:?}; it is one ASCII character, or \"auto\"", mapping.file.delimiter));
        }
        for format in &mapping.dates.formats {
            let sample = BrokenDownTime::from(civil::date(2026, 1, 2).at(3, 4, 5, 0)).to_string(format);
            if !sample.is_ok_and(|sample| BrokenDownTime::parse(format, &sample).is_ok_and(|time| time.to_date().is_ok())) {
                return fail(format!("[dates] format {format:?} does not make a date; see strptime: %Y-%m-%d"));
            }
        }
        mapping.zone()?;
        Ok(mapping)
    }

    /// The preset of this name.
    ///
    /// # Errors
    /// `Caller`, naming those that there are.
    pub fn preset(name: &str) -> Result<Mapping> {
        let Some((_, toml)) = PRESETS.iter().find(|(preset, _)| *preset == name) else {
            let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
            return Err(Error::new(Fault::Caller, format!("there is no preset {name:?}, only {}; --mapping FILE takes your own", names.join(", "))));
        };
        Mapping::parse(toml)
    }

    /// The list that entries are of where the file does not say; `None` if the mapping does not either.
    #[must_use]
    pub fn list(&self) -> Option<&str> {
        self.constants.get(&FieldName::List).map(String::as_str)
    }

    /// Makes every entry one of `list`, whatever the file says.
    pub fn set_list(&mut self, list: &str) {
        self.columns.remove(&FieldName::List);
        self.fixed.remove(&FieldName::List);
        self.constants.insert(FieldName::List, list.to_owned());
    }

    /// The time zone of times without one.
    pub(crate) fn zone(&self) -> Result<TimeZone> {
        let name = &self.dates.time_zone;
        if name == "UTC" {
            return Ok(TimeZone::UTC);
        }
        TimeZone::get(name).map_err(|_| {
            Error::new(
                Fault::Caller,
                format!("[dates] time_zone {name:?} is not in this machine's time zone database; use UTC or an IANA name like America/Tijuana"),
            )
        })
    }

    /// What a value of a field means.
    pub(crate) fn meaning<'a>(&'a self, field: FieldName, value: &'a str) -> &'a str {
        let Some(values) = self.values.get(&field) else { return value };
        values.iter().find(|(written, _)| written.eq_ignore_ascii_case(value)).map_or(value, |(_, meant)| meant)
    }

    /// A jurisdiction as a file writes it: ISO 3166-2, or a subdivision of the mapping's country.
    pub(crate) fn jurisdiction(&self, value: &str) -> std::result::Result<Jurisdiction, String> {
        let value = value.trim();
        if !value.is_empty() && !self.country.is_empty() && !value.contains('-') && value.len() <= 3 {
            // `CA` is California in a list of the United States, not Canada.
            if let Some(jurisdiction) = Jurisdiction::of(&format!("{}-{value}", self.country)) {
                return Ok(jurisdiction);
            }
        }
        Jurisdiction::of(value).ok_or_else(|| {
            format!("{value:?} is no jurisdiction: ISO 3166-2 (US-CA, MX-BCN) is wanted; the mapping's [values.jurisdiction] can say what it means, its `country` what a bare state belongs to")
        })
    }

    /// A time as a file writes it; `None` for an empty one.
    pub(crate) fn time(&self, value: &str, zone: &TimeZone, is_end: bool) -> std::result::Result<Option<Timestamp>, String> {
        let value = value.trim();
        if value.is_empty() {
            return Ok(None);
        }
        if let Ok(time) = value.parse::<Timestamp>() {
            return Ok(Some(time));
        }
        for format in &self.dates.formats {
            let Ok(parsed) = BrokenDownTime::parse(format, value) else { continue };
            let Ok(mut date) = parsed.to_date() else { continue };
            // What is counted in seconds from 1970 in 32 bits; also catches the year 26 of "3/4/26" read with %Y.
            if !(1970..2106).contains(&date.year()) {
                return Err(format!("{value:?} is in the year {}, which is not in 1970 to 2105; does the format want %y?", date.year()));
            }
            if parsed.hour().is_none() && is_end && self.dates.until_includes_day {
                date = date.checked_add(1.day()).map_err(|_| format!("{value:?} is too late a date"))?;
            }
            let Ok(time) = parsed.to_time() else { continue };
            return zone.to_timestamp(date.to_datetime(time)).map(Some).map_err(|_| format!("{value:?} is no time in {}", self.dates.time_zone));
        }
        Err(format!("{value:?} is no date in {}; the mapping's [dates] formats can name others", self.dates.formats.join(", ")))
    }
}

/// A priority: a number of 0 to 100.
pub(crate) fn priority(value: &str) -> std::result::Result<u8, String> {
    value
        .trim()
        .parse::<u8>()
        .ok()
        .filter(|priority| *priority <= super::entry::LEAST_URGENT)
        .ok_or_else(|| format!("{value:?} is no priority: a number from 0 (highest) to 100 is wanted; the mapping's [values.priority] can say what it means"))
}

/// Yes or no, in English and Spanish.
pub(crate) fn yes(value: &str) -> std::result::Result<bool, String> {
    match value.trim().to_lowercase().as_str() {
        "yes" | "y" | "true" | "1" | "si" | "sí" | "s" => Ok(true),
        "no" | "n" | "false" | "0" | "" => Ok(false),
        _ => Err(format!("{value:?} is neither yes nor no")),
    }
}

/// A subject by its name.
pub(crate) fn subject(value: &str) -> std::result::Result<Subject, String> {
    match value.trim().to_lowercase().as_str() {
        "" | "plate" => Ok(Subject::Plate),
        "mark" => Ok(Subject::Mark),
        "container" => Ok(Subject::Container),
        _ => Err(format!("{value:?} is no subject: plate, mark or container")),
    }
}

/// A mode by its name.
pub(crate) fn mode(value: &str) -> std::result::Result<Mode, String> {
    match value.trim().to_lowercase().as_str() {
        "" | "alert_on_match" => Ok(Mode::AlertOnMatch),
        "alert_if_absent" => Ok(Mode::AlertIfAbsent),
        _ => Err(format!("{value:?} is no mode: alert_on_match or alert_if_absent")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_mappings() {
        for (name, _) in PRESETS {
            let mapping = Mapping::preset(name).unwrap();
            assert!(!mapping.about.is_empty(), "{name}");
        }
        assert!(Mapping::preset("x").unwrap_err().message.contains("genetec"));
    }

    #[test]
    fn dates_are_what_the_mapping_says() {
        let mut mapping = Mapping::preset("garita").unwrap();
        let time = |mapping: &Mapping, value, end| mapping.time(value, &mapping.zone().unwrap(), end).map(|time| time.map(|time| time.to_string()));
        assert_eq!(time(&mapping, "2026-03-04", false), Ok(Some("2026-03-04T00:00:00Z".to_owned())));
        assert_eq!(time(&mapping, "2026-03-04", true), Ok(Some("2026-03-05T00:00:00Z".to_owned())));
        assert_eq!(time(&mapping, "2026-03-04T05:06:07-08:00", true), Ok(Some("2026-03-04T13:06:07Z".to_owned())));
        assert!(time(&mapping, "04/03/2026", false).unwrap_err().contains("%Y-%m-%d"));
        mapping.dates.formats = vec!["%d/%m/%Y".to_owned()];
        assert_eq!(time(&mapping, "04/03/2026", false), Ok(Some("2026-03-04T00:00:00Z".to_owned())));
        assert!(time(&mapping, "31/02/2026", false).is_err());
    }

    #[test]
    fn a_wrong_mapping_says_what_is_wrong() {
        for (toml, says) in [
            ("", "text"),
            ("[columns]\ntext = 1\n[fixed]\ntext = [1, 2]", "both"),
            ("[fixed]\ntext = [0, 2]", "from 1"),
            ("[columns]\nplate = 1", "plate"),
            ("[columns]\ntext = 1\n[file]\ndelimiter = ';;'", "delimiter"),
            ("[columns]\ntext = 1\n[dates]\nformats = ['%H']", "%H"),
            ("[columns]\ntext = 1\n[dates]\ntime_zone = 'Mars/Olympus'", "Mars"),
        ] {
            let message = Mapping::parse(toml).unwrap_err().message;
            assert!(message.contains(says), "{toml}: {message}");
        }
    }
}
