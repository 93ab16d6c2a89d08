//! Making indexes of lists' files, comparing them, and writing them out again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use garita::error::{Error, Fault, Result};
use garita::posterior::{ALPHABET, Position};
use garita::synth::watchlist::Maker;
use garita::watchlist::import::Imported;
use garita::watchlist::mapping::PRESETS;
use garita::watchlist::update::{Change, Changes, Source, Staged, diff, stage_all};
use garita::watchlist::{load_index, open_index};
use jiff::Timestamp;

use super::questions::made_up;
use super::{BuildArgs, DiffArgs, ExportArgs, ImportArgs, SynthArgs, entry_json, open_with_progress};

pub(super) fn import(args: &ImportArgs) -> Result<ExitCode> {
    let mapping = args.format.mapping()?;
    let file = open_with_progress(&args.file)?;
    let staged = args.format.import(&mapping, args.incremental).stage(file, &args.into).map_err(|error| error.in_(args.file.display()))?;
    report(&args.file, &staged);
    let old = if args.into.exists() { Some(open_index(&args.into)?) } else { None };
    let mut shown = 0;
    let changes = if old.is_none() && !args.dry_run {
        Changes { added: staged.index.len() as u64, ..Changes::default() }
    } else {
        diff(old.as_ref(), &staged.index, |change| {
            if args.dry_run && shown < args.show {
                println!("{}", described(&change));
            }
            shown += 1;
        })?
    };
    if args.dry_run && shown > args.show {
        println!("… and {} more (--show)", shown - args.show);
    }
    let entries = staged.index.len();
    if args.dry_run {
        println!("{}: would have {entries} entries: {}; nothing was changed (--dry-run)", args.into.display(), summary(changes));
        return Ok(ExitCode::SUCCESS);
    }
    staged.commit()?;
    println!("{}: {entries} entries: {}", args.into.display(), summary(changes));
    Ok(ExitCode::SUCCESS)
}

/// Tells what was read, on standard error.
fn report(file: &Path, staged: &Staged) {
    for imported in &staged.imported {
        let Imported { lines, added, removed, expired, bad, encoding, delimiter, .. } = imported;
        let delimiter = delimiter.map_or("fixed width".to_owned(), |delimiter| format!("separated by {delimiter:?}"));
        eprintln!(
            "{}: {encoding:?}, {delimiter}: {lines} lines, {added} entries ({expired} of them expired), {removed} removals, {bad} bad lines",
            file.display()
        );
        for one in imported.not_taken() {
            eprintln!("  {one}");
        }
    }
    let built = &staged.built;
    if built.repeated > 0 {
        eprintln!("{} entries are repeated; the last line of each counts:", built.repeated);
        for (earlier, later) in &staged.repeated_lines {
            eprintln!("  line {later} repeats line {earlier}");
        }
    }
    if built.removed_nothing > 0 {
        eprintln!("{} removals were of entries that are not there", built.removed_nothing);
    }
}

fn summary(changes: Changes) -> String {
    format!("{} added, {} removed, {} changed, {} as before", changes.added, changes.removed, changes.changed, changes.same)
}

fn described(change: &Change) -> String {
    match change {
        Change::Added(entry) => format!("+ {} {}", entry.identity(), entry.reason),
        Change::Removed(entry) => format!("- {} {}", entry.identity(), entry.reason),
        Change::Changed(old, new) => {
            let mut fields = Vec::new();
            let mut compare = |name: &str, old: String, new: String| {
                if old != new {
                    fields.push(format!("{name} {old:?} → {new:?}"));
                }
            };
            compare("text", old.text.clone(), new.text.clone());
            compare("category", old.category.clone(), new.category.clone());
            compare("priority", old.priority.to_string(), new.priority.to_string());
            compare("reason", old.reason.clone(), new.reason.clone());
            compare("source", old.source.clone(), new.source.clone());
            compare("filed_by", old.filed_by.clone(), new.filed_by.clone());
            let time = |time: Option<Timestamp>| time.map_or("-".to_owned(), |time| time.to_string());
            compare("valid_from", time(old.valid_from), time(new.valid_from));
            compare("valid_until", time(old.valid_until), time(new.valid_until));
            compare("caution", old.caution.clone(), new.caution.clone());
            compare("mode", format!("{:?}", old.mode), format!("{:?}", new.mode));
            compare("two_person", old.two_person.to_string(), new.two_person.to_string());
            compare("retention_days", format!("{:?}", old.retention_days), format!("{:?}", new.retention_days));
            format!("~ {} {}", new.identity(), fields.join(", "))
        }
    }
}

pub(super) fn build(args: &BuildArgs) -> Result<ExitCode> {
    let mapping = args.format.mapping()?;
    let mut sources = Vec::new();
    for path in &args.sources {
        let mut first = [0; 8];
        let is_index = File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok() && &first == b"GARITAWL";
        sources.push(if is_index { Source::Index(Box::new(load_index(path)?)) } else { Source::File(open_with_progress(path)?, path.display().to_string()) });
    }
    let staged = stage_all(sources, &args.format.import(&mapping, false), &args.out)?;
    report(&args.out, &staged);
    let built = staged.commit()?;
    let each = |bytes: u64| bytes as f64 / built.entries.max(1) as f64;
    println!(
        "{}: {} entries, {} bytes: {:.1} of index and {:.1} of texts an entry",
        args.out.display(),
        built.entries,
        built.bytes,
        each(built.bytes - built.text_bytes),
        each(built.text_bytes)
    );
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show_diff(args: &DiffArgs) -> Result<ExitCode> {
    let (old, new) = (load_index(&args.old)?, load_index(&args.new)?);
    let mut shown = 0;
    let changes = diff(Some(&old), &new, |change| {
        if shown < args.show {
            println!("{}", described(&change));
        }
        shown += 1;
    })?;
    if shown > args.show {
        println!("… and {} more (--show)", shown - args.show);
    }
    println!("{}", summary(changes));
    Ok(if changes.added + changes.removed + changes.changed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn export(args: &ExportArgs) -> Result<ExitCode> {
    let index = load_index(&args.index)?;
    let machine = |error: std::io::Error| Error::io(&error);
    if let Some(path) = &args.mapping {
        let lists: Vec<_> = index.lists().iter().filter(|list| args.list.as_ref().is_none_or(|name| *name == list.name)).collect();
        let settings = toml::to_string(&BTreeMap::from([("lists", lists)])).map_err(|error| Error::new(Fault::Machine, error.to_string()))?;
        let columns = PRESETS.iter().find(|(name, _)| *name == "garita").map_or("", |(_, toml)| toml);
        std::fs::write(path, format!("{columns}\n{settings}")).map_err(|error| Error::io(&error).in_(path.display()))?;
    }
    let out: Box<dyn Write> = match &args.out {
        Some(path) => Box::new(File::create(path).map_err(|error| Error::io(&error).in_(path.display()))?),
        None => Box::new(std::io::stdout().lock()),
    };
    let mut out = BufWriter::new(out);
    let entries = index.entries().filter(|entry| entry.as_ref().map_or(true, |entry| args.list.as_ref().is_none_or(|list| *list == entry.list)));
    match args.format.as_str() {
        "jsonl" => {
            for entry in entries {
                writeln!(out, "{}", entry_json(&entry?)).map_err(machine)?;
            }
        }
        "csv" => {
            let mut csv = csv::Writer::from_writer(&mut out);
            let failed = |error: csv::Error| Error::new(Fault::Machine, error.to_string());
            let header = [
                "text",
                "subject",
                "jurisdiction",
                "list",
                "category",
                "priority",
                "reason",
                "source",
                "source_version",
                "filed_by",
                "valid_from",
                "valid_until",
                "caution",
                "mode",
                "two_person",
                "retention_days",
            ];
            csv.write_record(header).map_err(failed)?;
            for entry in entries {
                let entry = entry?;
                let name = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                let time = |time: Option<Timestamp>| time.map_or(String::new(), |time| time.to_string());
                csv.write_record([
                    entry.text.as_str(),
                    &name(serde_json::json!(entry.subject)),
                    &entry.jurisdiction.to_string(),
                    &entry.list,
                    &entry.category,
                    &entry.priority.to_string(),
                    &entry.reason,
                    &entry.source,
                    &entry.source_version,
                    &entry.filed_by,
                    &time(entry.valid_from),
                    &time(entry.valid_until),
                    &entry.caution,
                    &name(serde_json::json!(entry.mode)),
                    if entry.two_person { "yes" } else { "no" },
                    &entry.retention_days.map_or(String::new(), |days| days.to_string()),
                ])
                .map_err(failed)?;
            }
            csv.flush().map_err(machine)?;
        }
        other => return Err(Error::new(Fault::Caller, format!("--format {other:?} is neither csv nor jsonl"))),
    }
    out.flush().map_err(machine)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn synth(args: &SynthArgs) -> Result<ExitCode> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let machine = |error: std::io::Error| Error::io(&error);
    let mut maker = Maker::new(args.seed);
    if let Some(reads) = args.reads {
        for number in 0..reads {
            let seen = made_up(&mut maker);
            let alternatives = |position: &Position| {
                let mut all: Vec<(char, f32)> = ALPHABET.iter().map(|character| *character as char).zip(position.characters).collect();
                all.sort_by(|one, other| other.1.total_cmp(&one.1));
                all.truncate(6);
                all.into_iter().map(|(character, probability)| serde_json::json!([character.to_string(), probability])).collect::<Vec<_>>()
            };
            let chars: Vec<_> = seen.posterior.positions().iter().map(alternatives).collect();
            let jurisdiction = seen.jurisdiction.map(|(code, confidence)| serde_json::json!({"code": code.to_string(), "confidence": confidence}));
            let plate = serde_json::json!({"text": seen.text.to_string(), "chars": chars, "jurisdiction": jurisdiction, "truth": seen.truth.map(|truth| truth.to_string()), "truth_jurisdiction": seen.issued_by.map(|code| code.to_string())});
            writeln!(out, "{}", serde_json::json!({"image": format!("made-up-{number}.jpg"), "plates": [plate]})).map_err(machine)?;
        }
    } else {
        writeln!(out, "plate,jurisdiction,list,category,priority,reason,source,source_version,filed_by,valid_from,valid_until").map_err(machine)?;
        for number in 0..args.entries {
            let (text, jurisdiction) = maker.plate();
            let until = if number % 20 == 0 { "2026-06-30" } else { "2031-12-31" };
            let (priority, desk) = (number % 101, number % 40);
            writeln!(
                out,
                "{text},{jurisdiction},stolen,stolen vehicle,{priority},reported stolen case {number},synthetic,2026-11,desk {desk},2026-01-01,{until}"
            )
            .map_err(machine)?;
        }
    }
    out.flush().map_err(machine)?;
    Ok(ExitCode::SUCCESS)
}
