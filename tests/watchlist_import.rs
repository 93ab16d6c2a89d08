//! Lists as agencies send them: each file in `testdata/watchlist/import/` (named `preset__why`) gives what stands beside it in
//! `.expected.txt`. `UPDATE=1 cargo test --test watchlist_import` writes those anew, to be read before they are committed.

use std::fmt::Write;
use std::io::Read;
use std::path::Path;

use garita::error::{Error, Fault};
use garita::watchlist::import::{Limits, NotTaken};
use garita::watchlist::update::{Import, diff};
use garita::watchlist::{Entry, List, Mapping, Mode, load, load_index, open_index};
use jiff::Timestamp;

fn import(mapping: &Mapping, incremental: bool) -> Import<'_> {
    import_with(mapping, incremental, Limits::default())
}

fn import_with(mapping: &Mapping, incremental: bool, limits: Limits) -> Import<'_> {
    Import { mapping, incremental, limits, memory: 1 << 26, at: "2026-11-24T00:00:00Z".parse().unwrap() }
}

/// What importing a file says and makes.
fn outcome(path: &Path, index: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    let mapping = Mapping::preset(name.split("__").next().unwrap()).unwrap();
    // Files that show how bad lines are told have more of them than a list would.
    let limits = if name.contains("too-many") { Limits::default() } else { Limits { bad_share: 0.5, ..Limits::default() } };
    let staged = match import_with(&mapping, name.contains("incremental"), limits).stage(std::fs::File::open(path).unwrap(), index) {
        Ok(staged) => staged,
        Err(error) => return format!("refused: {error}\n"),
    };
    let mut text = String::new();
    let read = &staged.imported[0];
    let separated = read.delimiter.map_or("fixed width".to_owned(), |delimiter| format!("separated by {delimiter:?}"));
    let _ = writeln!(
        text,
        "{:?}, {separated}: {} lines, {} to add, {} to remove, {} expired, {} bad",
        read.encoding, read.lines, read.added, read.removed, read.expired, read.bad
    );
    for bad in &read.told {
        let _ = writeln!(text, "  {bad}");
    }
    for (earlier, later) in &staged.repeated_lines {
        let _ = writeln!(text, "  line {later} repeats line {earlier}");
    }
    let _ = writeln!(text, "{} entries, {} repeated, {} removals of nothing", staged.built.entries, staged.built.repeated, staged.built.removed_nothing);
    for entry in staged.index.entries().take(5) {
        let entry = entry.unwrap();
        let _ = writeln!(text, "{} {:?} {:?} line {}", entry.identity(), entry.subject, entry.text, entry.line);
        let time = |time: Option<Timestamp>| time.map_or("-".to_owned(), |time| time.to_string());
        let _ =
            writeln!(text, "    {} {:?} {:?}, from {} until {}", entry.priority, entry.category, entry.reason, time(entry.valid_from), time(entry.valid_until));
        let Entry { source, source_version, filed_by, caution, mode, two_person, retention_days, .. } = entry;
        let _ = writeln!(text, "    {source:?} {source_version:?} {filed_by:?} {caution:?} {mode:?}, two persons {two_person}, kept {retention_days:?}");
    }
    text
}

#[test]
fn lists_as_agencies_send_them() {
    let folder = Path::new("testdata/watchlist/import");
    let scratch = tempfile::tempdir().unwrap();
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|path| !path.to_str().unwrap().ends_with(".expected.txt")).collect();
    paths.sort();
    assert!(paths.len() >= 18);
    let mut wrong = Vec::new();
    for path in paths {
        let got = outcome(&path, &scratch.path().join("index"));
        assert!(!scratch.path().join("index").exists() && std::fs::read_dir(scratch.path()).unwrap().count() == 0, "{}: leaves nothing behind", path.display());
        let expected = path.with_extension("expected.txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&expected, &got).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != got {
            wrong.push(format!("{}:\n{got}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_bad_file_leaves_the_old_list() {
    let scratch = tempfile::tempdir().unwrap();
    let (index, mapping) = (scratch.path().join("index"), Mapping::preset("garita").unwrap());
    let header = "plate,list\n";
    import(&mapping, false).stage(format!("{header}AAA1,a\nAAA2,a\nBBB1,b\n").as_bytes(), &index).unwrap().commit().unwrap();
    let before = std::fs::read(&index).unwrap();
    for bad in ["", header, "plate,list\n#,a\n", "nothing\nof,it\n"] {
        assert!(import(&mapping, false).stage(bad.as_bytes(), &index).is_err(), "{bad:?}");
        assert_eq!(std::fs::read(&index).unwrap(), before);
    }
    // Dropped without being committed: a dry run.
    let dry = import(&mapping, false).stage(format!("{header}AAA3,a\n").as_bytes(), &index).unwrap();
    let changes = diff(Some(&open_index(&index).unwrap()), &dry.index, |_| {}).unwrap();
    assert_eq!((changes.added, changes.removed, changes.changed, changes.same), (1, 2, 0, 1));
    drop(dry);
    assert_eq!(std::fs::read(&index).unwrap(), before);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1);
}

#[test]
fn a_full_file_replaces_its_lists_and_an_incremental_one_changes_them() {
    let scratch = tempfile::tempdir().unwrap();
    let (index, mapping) = (scratch.path().join("index"), Mapping::preset("garita").unwrap());
    let names = || load_index(&index).unwrap().entries().map(|entry| entry.unwrap().identity()).collect::<Vec<_>>();
    let stage = |text: &str, incremental| import(&mapping, incremental).stage(text.as_bytes(), &index).unwrap().commit().unwrap();
    stage("plate,list\nAAA1,a\nAAA2,a\nBBB1,b\n", false);
    stage("plate,list\nAAA3,a\n", false);
    assert_eq!(names(), ["a/-/AAA3", "b/-/BBB1"]);
    let built = stage("plate,list,action\nAAA4,a,add\nAAA3,a,remove\nBBB2,b,remove\nBBB1,b,remove\nBBB1,b,add\n", true);
    assert_eq!(names(), ["a/-/AAA4", "b/-/BBB1"]);
    assert_eq!((built.removed_nothing, built.repeated), (1, 0));
}

/// What loading a file with this text as a list gives: entries and what is not taken of it, or what refuses it.
fn loaded(text: impl AsRef<[u8]>) -> Result<(usize, Vec<NotTaken>), Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    load(file.path(), Timestamp::UNIX_EPOCH).map(|(snapshot, not_taken)| (snapshot.len(), not_taken))
}

/// A list with so many good and bad lines.
fn list_of(good: usize, bad: usize) -> String {
    let good = (0..good).map(|number| format!("A{number:06},a\n"));
    "plate,list\n".to_owned() + &good.chain((0..bad).map(|_| "#,a\n".to_owned())).collect::<String>()
}

#[test]
fn a_few_bad_lines_cost_their_entries_and_too_many_the_file() {
    for (good, bad) in [(2, 1), (1, 1), (8, 2), (50, 5), (5, 5), (990, 10), (10_000, 100)] {
        let (entries, not_taken) = loaded(list_of(good, bad)).unwrap();
        let told = not_taken.iter().filter(|one| matches!(one, NotTaken::Line(_))).count();
        assert_eq!((entries, told), (good, bad.min(20)), "{good} good, {bad} bad");
        assert_eq!(not_taken.get(20), (bad > 20).then(|| NotTaken::Lines(bad as u64 - 20)).as_ref(), "{good} good, {bad} bad");
    }
    for (good, bad, says) in [
        (0, 1, "1 of 1 lines are bad, more than are good"),
        (1, 2, "2 of 3 lines are bad, more than are good"),
        (50, 6, "6 of 56 lines are bad, more than 1 %"),
        (500, 6, "6 of 506 lines are bad, more than 1 %"),
        (100, 25, "\n  … and 5 more bad lines"),
        (0, 20_000, "more than 1 %"),
    ] {
        let error = loaded(list_of(good, bad)).unwrap_err();
        assert!(error.fault == Fault::Damaged && error.message.contains(says), "{good} good, {bad} bad: {error}");
        assert!(error.message.contains("nothing of the file is taken") && error.message.contains("line "), "{error}");
    }
    // Whoever bears none says so.
    let mapping = Mapping::preset("garita").unwrap();
    let read = |bad_share: f64| {
        let limits = Limits { bad_share, empty: false };
        garita::watchlist::import::read(list_of(50, 1).as_bytes(), &mapping, limits, Timestamp::UNIX_EPOCH, &mut |_, _| Ok(()))
    };
    assert!(read(0.0).unwrap_err().message.contains("more than 0 %") && read(0.001).unwrap().bad == 1);
}

#[test]
fn a_column_that_would_be_lost_is_refused_and_one_that_is_no_field_is_told() {
    let with =
        |header: &str| loaded(format!("{header}\n{}\n", header.split(',').map(|name| if name == "list" { "a" } else { "" }).collect::<Vec<_>>().join(",")));
    // Refused for its header, before a line is read: the line is a bad one.
    for (header, says) in [
        ("plate,list,valid_untill", "line 1, column 12: valid_untill: unknown; did you mean valid_until?"),
        ("plate,list,Valid Untl", "did you mean valid_until?"),
        ("plate,list,valid_until:", "did you mean valid_until?"),
        ("plate,list,juristiction", "did you mean jurisdiction?"),
        ("plate,list,cauton", "did you mean caution?"),
        ("plate,lists", "did you mean list?"),
        ("plate,plate,list", "columns 1 and 2 are both the field Text (plate, plate)"),
        ("plate,list,valid_until,reason,Valid until", "columns 3 and 5 are both the field ValidUntil"),
        ("plate,text,list", "columns 1 and 2 are both the field Text"),
    ] {
        let error = with(header).unwrap_err();
        assert!(error.fault == Fault::Caller && error.message.contains(says), "{header}: {error}");
    }
    for (header, says) in [
        ("plate,list,colour", Some("line 1, column 12: unknown columns, which are not read: colour")),
        // Near names of fields: `plate` has its column already, and a model is no mode.
        ("plate,list,state,make,model,code,note", Some("state, make (did you mean mode?), model, code, note (did you mean mode?)")),
        ("plate,list,person,region", Some("person (did you mean reason?), region (did you mean reason?)")),
        ("plate,list,valid_until,valid_untill", Some("not read: valid_untill")),
        ("plate,list,\u{1b}[31mred", Some("not read: \\u{1b}[31mred")),
        ("plate,list,,", None),
        (
            "plate,jurisdiction,list,category,priority,reason,source,source_version,filed_by,valid_from,valid_until,caution,mode,two_person,retention_days,action",
            None,
        ),
    ] {
        let file = format!("{header}\nABC1,{}\n", header.split(',').skip(1).map(|name| if name == "list" { "a" } else { "" }).collect::<Vec<_>>().join(","));
        let (entries, not_taken) = loaded(file).unwrap();
        let told: Vec<String> = not_taken.iter().map(ToString::to_string).collect();
        assert!(entries == 1 && told.len() == usize::from(says.is_some()), "{header}: {told:?}");
        assert!(says.is_none_or(|says| matches!(&not_taken[..], [NotTaken::Columns(_)]) && told[0].contains(says)), "{header}: {told:?}");
    }
}

#[test]
fn a_mapping_of_some_columns_passes_over_the_others_but_not_over_a_doubled_one() {
    let read = |preset: &str, text: &str| {
        let mapping = Mapping::preset(preset).unwrap();
        garita::watchlist::import::read(text.as_bytes(), &mapping, Limits::default(), Timestamp::UNIX_EPOCH, &mut |_, _| Ok(()))
    };
    let passed = read("genetec", "PlateNumber;Categori;Colour;Notes;Comment\nABC1;x;red;a;b\n").unwrap();
    assert_eq!((passed.added, passed.unknown_columns), (1, None));
    let doubled = read("genetec", "PlateNumber;ExpiryDate;Expiry Date\nABC1;;\n").unwrap_err();
    assert!(doubled.message.contains("columns 2 and 3 are both the field ValidUntil"), "{doubled}");
    // A list that is named beside the file needs none of its columns.
    let mut mapping = Mapping::preset("garita").unwrap();
    mapping.set_list("wanted");
    let named = garita::watchlist::import::read(&b"plate,list\nABC1,other\n"[..], &mapping, Limits::default(), Timestamp::UNIX_EPOCH, &mut |_, entry| {
        assert_eq!(entry.list, "wanted");
        Ok(())
    });
    assert_eq!(named.unwrap().unknown_columns, None);
}

#[test]
fn what_is_no_list_is_said_to_be_none_in_few_words() {
    let jpeg = [
        &b"\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xFF\xDB\x00\x43\x00"[..],
        &[8; 64],
        &[0xE2, 0x81, b',', 0x9B, b'\n'].repeat(9_000),
    ]
    .concat();
    let commas = [&b"PK\x03\x04\x14\x00"[..], &[b','; 70_000]].concat();
    let words = ["word"; 400].join(",");
    for (bytes, says) in
        [(&jpeg[..], "is no CSV"), (&commas[..], "is no CSV"), (words.as_bytes(), "word, word, … and 384 more"), (&[b'x'; 3_000][..], "it has: xxx")]
    {
        let error = loaded(bytes).unwrap_err();
        assert!(error.message.contains(says) && error.message.len() < 400, "{error}");
        assert!(!error.message.contains(char::is_control), "{error:?}");
    }
}

#[test]
fn the_commands_say_what_is_not_taken_and_no_hit_has_probability_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let (list, index) = (scratch.path().join("list.csv"), scratch.path().join("index"));
    let (list, index) = (list.to_str().unwrap(), index.to_str().unwrap());
    std::fs::write(list, list_of(10_000, 25).replace("plate,list\n", "plate,list,colour\n7ABC128,a,red\n")).unwrap();
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_garita")).arg("watchlist").args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap())
    };
    for arguments in [&["find", list, "A000001"][..], &["import", list, "--into", index, "--list", "a", "--edits", "2"]] {
        let [_, said] = run(arguments);
        assert!(said.contains("… and 5 more bad lines") && said.contains("unknown columns, which are not read: colour"), "{arguments:?}: {said}");
        assert_eq!(said.lines().filter(|line| line.contains("character 1 is '#'")).count(), 20, "{said}");
    }
    // Two characters off: it comes up because it was asked for, not because it is probable.
    let [found, _] = run(&["find", index, "7OBC12S", "--edits", "2"]);
    assert!(found.contains("near, 2") && found.contains(" <0.000001 ") && !found.contains("0.000000"), "{found}");
}

/// Ten gigabytes of `A`, of which it notes how much was asked for.
struct OneLine {
    left: u64,
    given: u64,
}

impl Read for OneLine {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = into.len().min(usize::try_from(self.left).unwrap());
        into[..length].fill(b'A');
        (self.left, self.given) = (self.left - length as u64, self.given + length as u64);
        Ok(length)
    }
}

#[test]
fn ten_gigabytes_of_one_line_are_refused_in_fixed_memory_and_early() {
    let mapping = Mapping::preset("garita").unwrap();
    for (name, begin) in [("a line of the list", "plate,list\n"), ("the header", ""), ("a quote", "plate,list\n\""), ("UTF-16", "\u{feff}")] {
        let begin = if name == "UTF-16" { b"\xFF\xFE".to_vec() } else { begin.as_bytes().to_vec() };
        let mut line = OneLine { left: 10 << 30, given: 0 };
        let mut error = None;
        let used = allocation_counter::measure(|| {
            let input = begin.as_slice().chain(&mut line);
            error = garita::watchlist::import::read(input, &mapping, Limits::default(), Timestamp::UNIX_EPOCH, &mut |_, _| Ok(())).err();
        });
        let error = error.unwrap();
        assert!(error.fault == Fault::Damaged && error.message.contains("the line goes on for more than 64 MiB"), "{name}: {error}");
        assert!(used.bytes_max < 8 << 20, "{name}: {} bytes", used.bytes_max);
        assert!(line.given < 256 << 20, "{name}: {} bytes were read", line.given);
    }
}

#[path = "../fuzz/bodies/watchlist.rs"]
mod bodies;

#[test]
fn the_fuzz_target_takes_every_list_cut_anywhere() {
    for file in std::fs::read_dir("testdata/watchlist/import").unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for length in (0..bytes.len().min(2_000)).step_by(37) {
            bodies::import(&bytes[..length]);
        }
    }
}

#[test]
fn exports_come_back() {
    // What a list is and what is to be done about its entries: modes, second persons, retention per entry and per list.
    let scratch = tempfile::tempdir().unwrap();
    let (first, second) = (scratch.path().join("first"), scratch.path().join("second"));
    let mut mapping = Mapping::preset("garita").unwrap();
    let bolo = List { name: "bolo".into(), prior: 2.5, threshold: 0.003, edits: 2, retention_days: Some(90) };
    mapping.lists = vec![bolo, List { name: "sentri".into(), retention_days: Some(0), ..List::default() }];
    import(&mapping, false).stage(std::fs::File::open("testdata/watchlist/small.csv").unwrap(), &first).unwrap().commit().unwrap();
    let run = |arguments: &[&str]| std::process::Command::new(env!("CARGO_BIN_EXE_garita")).arg("watchlist").args(arguments).output().unwrap();
    let csv = scratch.path().join("out.csv");
    let toml = scratch.path().join("out.toml");
    assert!(run(&["export", first.to_str().unwrap(), "--out", csv.to_str().unwrap(), "--mapping", toml.to_str().unwrap()]).status.success());
    let imported = run(&["import", csv.to_str().unwrap(), "--mapping", toml.to_str().unwrap(), "--into", second.to_str().unwrap()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let changes = diff(Some(&open_index(&first).unwrap()), &open_index(&second).unwrap(), |change| panic!("{change:?}")).unwrap();
    assert_eq!(changes.same, 5);
    let lists = |path: &Path| open_index(path).unwrap().lists().to_vec();
    assert!(lists(&first) == lists(&second) && lists(&first).iter().any(|list| list.retention_days == Some(90)), "{:?}", lists(&second));
    let entries: Vec<Entry> = load_index(&second).unwrap().entries().map(Result::unwrap).collect();
    assert!(entries.iter().any(|entry| entry.mode == Mode::AlertIfAbsent) && entries.iter().any(|entry| entry.two_person && entry.retention_days == Some(30)));
    assert!(run(&["check", second.to_str().unwrap()]).status.success());
    assert_eq!(run(&["diff", first.to_str().unwrap(), second.to_str().unwrap()]).status.code(), Some(0));
}
