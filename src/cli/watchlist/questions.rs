//! Asking an index: who is this, what does a threshold cost, was it here before.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;
use std::process::ExitCode;

use garita::error::{Error, Fault, Result};
use garita::synth::watchlist::Maker;
use garita::watchlist::advise::{Adviser, CLASSES, plot};
use garita::watchlist::find::{KNOWN_JURISDICTION, posterior_of_text};
use garita::watchlist::fit::Fit;
use garita::watchlist::reads::{PlateSeen, TEXT_ALONE, each_read};
use garita::watchlist::{Entry, Finder, Jurisdiction, Key, List, MatchClass, Pattern, Query, ReaderModel, Snapshot, Subject, load_index, normalise};
use indicatif::ProgressBar;
use jiff::{Timestamp, ToSpan};

use super::{AdviseArgs, FindArgs, LookbackArgs, StatsArgs, entry_json, open_with_progress};

pub(super) fn find(args: &FindArgs) -> Result<ExitCode> {
    let at = args.at.unwrap_or_else(Timestamp::now);
    let snapshot = crate::cli::load_watchlist(&args.index, at)?;
    if let Some(reads) = &args.reads {
        return find_reads(args, &snapshot, reads, at);
    }
    let text = args.text.as_deref().unwrap_or_default();
    if text.contains(['?', '*']) {
        let mut found = Vec::new();
        let more = snapshot.matching(&Pattern::parse(text)?, at, args.limit, &mut found);
        for handle in &found {
            show(args.json, &snapshot.entry(*handle)?, "", None);
        }
        eprintln!("{} entries{}", found.len(), if more { ", and more (--limit)" } else { "" });
        return Ok(ExitCode::SUCCESS);
    }
    let key = normalise(text).map_err(|refused| Error::new(Fault::Caller, refused.to_string()).in_(format!("{text:?}")))?;
    let posterior = posterior_of_text(key, TEXT_ALONE);
    let seen = PlateSeen {
        image: String::new(),
        captured_at: None,
        posterior,
        text: key,
        jurisdiction: jurisdiction(args.jurisdiction.as_ref())?,
        truth: None,
        issued_by: None,
    };
    let found = find_one(args, &snapshot, &seen, at, &mut Finder::default())?;
    eprintln!("{found} entries");
    Ok(ExitCode::SUCCESS)
}

fn find_reads(args: &FindArgs, snapshot: &Snapshot, reads: &Path, at: Timestamp) -> Result<ExitCode> {
    let (mut finder, mut found) = (Finder::default(), 0);
    let input = BufReader::new(open_with_progress(reads)?);
    let report = each_read(input, |seen| {
        found += find_one(args, snapshot, &seen, seen.captured_at.unwrap_or(at), &mut finder)?;
        Ok(())
    });
    let report = report.map_err(|error| error.in_(reads.display()))?;
    let proven = if args.prove { "; each as looking at every entry found them" } else { "" };
    eprintln!("{} images, {} plates ({} more without a usable text), {found} matches{proven}", report.lines, report.plates, report.unusable);
    Ok(ExitCode::SUCCESS)
}

fn find_one(args: &FindArgs, snapshot: &Snapshot, seen: &PlateSeen, at: Timestamp, finder: &mut Finder) -> Result<usize> {
    let mut query = Query::new(&seen.posterior, seen.text, seen.jurisdiction, at);
    query.subject = subject(&args.subject)?;
    // A text typed by a person is searched one edit wide; a read, by what was seen.
    query.edits = args.edits.or_else(|| args.reads.is_none().then_some(1));
    query.threshold = args.threshold;
    let mut matches = Vec::new();
    finder.find(snapshot, &query, &mut matches);
    if args.prove {
        let mut all = Vec::new();
        finder.find_by_looking_at_all(snapshot, &query, &mut all);
        if all != matches {
            return Err(Error::new(
                Fault::Machine,
                format!("{} {}: the search found {} entries, looking at every one {}", seen.image, seen.text, matches.len(), all.len()),
            ));
        }
    }
    for found in matches.iter().take(args.limit) {
        show(args.json, &snapshot.entry(found.entry)?, &seen.image, Some((seen.text, found.class, found.edits, found.probability)));
    }
    Ok(matches.len())
}

/// A probability with six digits; what would round to nothing is less than the last.
fn six_digits(probability: f32) -> String {
    if probability > 0.0 && probability < 5e-7 { "<0.000001".to_owned() } else { format!("{probability:.6}") }
}

/// Prints one found entry.
fn show(json: bool, entry: &Entry, image: &str, how: Option<(Key, MatchClass, u8, f32)>) {
    if json {
        let mut object = entry_json(entry);
        if let Some((read, class, edits, probability)) = how {
            object["read"] = read.to_string().into();
            object["class"] = serde_json::json!(class);
            object["edits"] = edits.into();
            object["probability"] = probability.into();
        }
        if !image.is_empty() {
            object["image"] = image.into();
        }
        println!("{object}");
        return;
    }
    if let Some((read, class, edits, probability)) = how {
        let class = match class {
            MatchClass::Exact => "exact".to_owned(),
            MatchClass::Equivalent => "equivalent".to_owned(),
            MatchClass::Near => format!("near, {edits}"),
            MatchClass::OtherJurisdiction => "other jurisdiction".to_owned(),
            MatchClass::Absent => "not enrolled".to_owned(),
        };
        let (space, probable) = (if image.is_empty() { "" } else { " " }, six_digits(probability));
        print!("{image}{space}{read:<8} {class:<19} {probable:<9} ", read = read.to_string());
    }
    let until = entry.valid_until.map_or(String::new(), |until| format!(" until {until}"));
    let caution = if entry.caution.is_empty() { String::new() } else { format!(" CAUTION {}", entry.caution) };
    println!("{:<24} priority {:<3} {}: {}{until}{caution}", entry.identity(), entry.priority, entry.category, entry.reason);
}

fn subject(name: &str) -> Result<Subject> {
    match name {
        "plate" => Ok(Subject::Plate),
        "mark" => Ok(Subject::Mark),
        "container" => Ok(Subject::Container),
        _ => Err(Error::new(Fault::Caller, format!("--subject {name:?} is none of plate, mark, container"))),
    }
}

fn jurisdiction(code: Option<&String>) -> Result<Option<(Jurisdiction, f32)>> {
    let Some(code) = code else { return Ok(None) };
    let parsed = Jurisdiction::of(code).ok_or_else(|| Error::new(Fault::Caller, format!("--jurisdiction {code:?} is not ISO 3166-2, like US-CA or MX-BCN")))?;
    Ok(Some((parsed, 1.0)))
}

pub(super) fn lookback(args: &LookbackArgs) -> Result<ExitCode> {
    let at = args.at.unwrap_or_else(Timestamp::now);
    let since = at
        .checked_sub(i64::from(args.days).saturating_mul(24).hours())
        .map_err(|_| Error::new(Fault::Caller, format!("--days {} is too long ago", args.days)))?;
    let all = crate::cli::load_watchlist(&args.index, at)?;
    // Only the entries that are asked for, in an index of their own: a look-back has no use for the rest.
    let wanted = args.text.as_deref().map(normalise).transpose().map_err(|refused| Error::new(Fault::Caller, format!("--text: {refused}")))?;
    let snapshot = if args.list.is_none() && wanted.is_none() {
        all
    } else {
        let mut entries = Vec::new();
        for entry in all.base().entries() {
            let entry = entry?;
            if args.list.as_ref().is_none_or(|list| *list == entry.list) && wanted.is_none_or(|wanted| entry.key() == Ok(wanted)) {
                entries.push(entry);
            }
        }
        Snapshot::of_entries(&entries, all.base().lists())?
    };
    if snapshot.is_empty() {
        return Err(Error::new(Fault::Caller, "no entry of that list and text").in_(args.index.display()));
    }
    let (mut finder, mut matches, mut found, mut older, mut undated) = (Finder::default(), Vec::new(), 0, 0, 0);
    let input = BufReader::new(open_with_progress(&args.reads)?);
    let report = each_read(input, |seen| {
        undated += u64::from(seen.captured_at.is_none());
        if seen.captured_at.is_some_and(|captured| captured < since) {
            older += 1;
            return Ok(());
        }
        // As the list is now: the entry is new, and asked about the time before it.
        finder.find(&snapshot, &Query::new(&seen.posterior, seen.text, seen.jurisdiction, at), &mut matches);
        for hit in &matches {
            found += 1;
            let when = seen.captured_at.map_or("at an unknown time".to_owned(), |captured| captured.to_string());
            print!("{when} ");
            show(false, &snapshot.entry(hit.entry)?, &seen.image, Some((seen.text, hit.class, hit.edits, hit.probability)));
        }
        Ok(())
    });
    let report = report.map_err(|error| error.in_(args.reads.display()))?;
    eprintln!(
        "{} plates in {} images, {older} of them older than {} days, {undated} without a time; {found} matches with {} entries",
        report.plates,
        report.lines,
        args.days,
        snapshot.len()
    );
    Ok(ExitCode::SUCCESS)
}

pub(super) fn fit(path: &Path) -> Result<ExitCode> {
    let mut fit = Fit::default();
    each_read(BufReader::new(open_with_progress(path)?), |seen| {
        fit.add(seen);
        Ok(())
    })
    .map_err(|error| error.in_(path.display()))?;
    if fit.reads() == 0 {
        return Err(Error::new(Fault::Caller, "has no read with a truth; `garita eval plates --reads FILE` writes some").in_(path.display()));
    }
    let share = |count: u64, of: u64| format!("{:.3} % ({count} of {of})", 100.0 * count as f64 / of.max(1) as f64);
    let [replaced, equivalent] = fit.replacements();
    println!("reads, exactly right            {} of {}", fit.exact(), fit.reads());
    println!("characters replaced             {}", share(replaced, fit.characters));
    println!("  of these by an equivalent one {}", share(equivalent, replaced));
    println!("characters missed               {}", share(fit.missed, fit.characters));
    println!("characters added                {}", share(fit.additional, fit.characters));
    for (name, [told, agree]) in [("at least", fit.sure), ("less than", fit.unsure)] {
        println!("jurisdictions named with {name} {KNOWN_JURISDICTION}: right {}", share(agree, told));
    }
    let most: Vec<String> = fit.confusions().iter().take(20).map(|(truth, read, count)| format!("{}→{} {count}", *truth as char, *read as char)).collect();
    println!("most frequent: {}", most.join(", "));
    let (before, model) = (ReaderModel::default(), fit.model(ReaderModel::default()));
    println!(
        "\nas built in: log-likelihood {:.4} a read, {before:?}\nfitted:      log-likelihood {:.4} a read, {model:?}",
        fit.score(&before),
        fit.score(&model)
    );
    Ok(ExitCode::SUCCESS)
}

pub(super) fn check(path: &Path) -> Result<ExitCode> {
    let index = load_index(path)?;
    let bar = ProgressBar::new(index.len() as u64);
    index.verify_entries(|| bar.inc(1)).map_err(|error| error.in_(path.display()))?;
    bar.finish_and_clear();
    println!("{}: sound: {} entries, every checksum holds, every entry is found", path.display(), index.len());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn stats(args: &StatsArgs) -> Result<ExitCode> {
    let index = load_index(&args.index)?;
    let at = args.at.unwrap_or_else(Timestamp::now);
    println!("{}: {} entries, built {} by garita {}", args.index.display(), index.len(), index.info().built, index.info().garita);
    let mut lists: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    let mut jurisdictions: BTreeMap<String, u64> = BTreeMap::new();
    for entry in index.entries() {
        let entry = entry.map_err(|error| error.in_(args.index.display()))?;
        let counts = lists.entry(entry.list.clone()).or_default();
        counts[0] += 1;
        counts[1] += u64::from(entry.valid(at));
        counts[2] += u64::from(entry.valid_until.is_some_and(|until| until <= at));
        counts[3] += u64::from(entry.valid_from.is_some_and(|from| from > at));
        *jurisdictions.entry(if entry.jurisdiction.is_any() { "any".to_owned() } else { entry.jurisdiction.to_string() }).or_default() += 1;
    }
    println!("\n{:<24} {:>10} {:>10} {:>10} {:>10}  threshold  prior  edits  hits kept", "list", "entries", "in force", "expired", "not yet");
    for (name, [entries, in_force, expired, not_yet]) in &lists {
        let settings = index.lists().iter().find(|list| list.name == *name).cloned().unwrap_or_default();
        let kept = settings.retention_days.map_or("as the site says".to_owned(), |days| format!("{days} days"));
        let List { threshold, prior, edits, .. } = settings;
        println!("{name:<24} {entries:>10} {in_force:>10} {expired:>10} {not_yet:>10}  {threshold:<9}  {prior:<5}  {edits:<5}  {kept}");
    }
    println!("\njurisdiction    entries");
    let mut jurisdictions: Vec<_> = jurisdictions.into_iter().collect();
    jurisdictions.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (name, count) in jurisdictions.iter().take(20) {
        println!("{name:<12} {count:>10}");
    }
    println!("\nsection          bytes   an entry");
    for (name, bytes) in index.sections() {
        println!("{name:<12} {bytes:>10} {:>10.1}", bytes as f64 / index.len().max(1) as f64);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn advise(args: &AdviseArgs) -> Result<ExitCode> {
    let at = args.at.unwrap_or_else(Timestamp::now);
    let snapshot = crate::cli::load_watchlist(&args.index, at)?;
    let mut adviser = Adviser::new(&snapshot, ReaderModel::default(), at);
    let source = match &args.reads {
        Some(path) => {
            let input = BufReader::new(open_with_progress(path)?);
            each_read(input, |seen| {
                adviser.add(&seen);
                Ok(())
            })
            .map_err(|error| error.in_(path.display()))?;
            path.display().to_string()
        }
        None => {
            let bar = ProgressBar::new(args.samples);
            let mut maker = Maker::new(7);
            for _ in 0..args.samples {
                adviser.add(&made_up(&mut maker));
                bar.inc(1);
            }
            bar.finish_and_clear();
            "made-up reads, nine in ten of them right".to_owned()
        }
    };
    if adviser.reads() == 0 {
        return Err(Error::new(Fault::Caller, format!("{source} has no plate to learn from")));
    }
    let advice = adviser.advice(args.reads_per_day);
    if args.json {
        for row in &advice {
            let classes: serde_json::Map<String, serde_json::Value> = CLASSES
                .iter()
                .zip(row.false_a_day)
                .map(|(class, count)| (serde_json::json!(class).as_str().unwrap_or_default().to_owned(), count.into()))
                .collect();
            println!(
                "{}",
                serde_json::json!({"threshold": row.threshold, "false_a_day": classes, "at_most_a_day": row.at_most_a_day, "right_a_day": row.right_a_day, "found": row.found})
            );
        }
    } else {
        println!("{} entries; {} reads a day; {} reads to learn from: {source}\n", snapshot.len(), args.reads_per_day, adviser.reads());
        println!("            false hits a day                                              right hits  listed");
        println!("threshold   exact  equivalent  near    other jurisdiction  all    at most  a day       found");
        for row in &advice {
            let [exact, equivalent, near, other] = row.false_a_day;
            let found = row.found.map_or("?".to_owned(), |found| format!("{:.1} %", found * 100.0));
            let all: f64 = row.false_a_day.iter().sum();
            println!(
                "{:<11} {:<6} {:<11} {:<7} {:<19} {:<6} {:<8} {:<11} {found}",
                row.threshold,
                few(exact),
                few(equivalent),
                few(near),
                few(other),
                few(all),
                few(row.at_most_a_day),
                few(row.right_a_day)
            );
        }
        match advice.iter().find(|row| row.at_most_a_day <= args.budget) {
            Some(row) => println!("\nFor at most {} false hits a day (95 % sure): threshold {}", args.budget, row.threshold),
            None => {
                println!("\nNo threshold keeps below {} false hits a day for sure: learn from more reads, match fewer lists, or raise --budget", args.budget)
            }
        }
        println!("A false hit is counted once a vehicle, by its most probable entry. \"At most\" holds with 95 % confidence.");
    }
    if let Some(path) = &args.plot {
        let title = format!("{} entries, {} reads a day", snapshot.len(), args.reads_per_day);
        std::fs::write(path, plot(&advice, &title)).map_err(|error| Error::io(&error).in_(path.display()))?;
        eprintln!("plot: {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// A count with two digits that matter.
fn few(count: f64) -> String {
    match count {
        0.0 => "0".to_owned(),
        count if count >= 100.0 => format!("{count:.0}"),
        count if count >= 10.0 => format!("{count:.1}"),
        count if count >= 0.1 => format!("{count:.2}"),
        count => format!("{count:.3}"),
    }
}

pub(super) fn made_up(maker: &mut Maker) -> PlateSeen {
    let (text, issued_by) = maker.plate();
    let seen = maker.see(&text, issued_by);
    let jurisdiction = seen.jurisdiction.and_then(|(code, confidence)| Jurisdiction::of(code).map(|code| (code, confidence)));
    let (posterior, issued_by) = (seen.posterior, Jurisdiction::of(issued_by));
    PlateSeen { image: String::new(), captured_at: None, posterior, text: seen.text, jurisdiction, truth: Key::of(&text), issued_by }
}
