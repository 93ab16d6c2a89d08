//! Site files: every mistake is told with its place, every value with where it came from, and the example says what is true.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use garita::site::{EXAMPLE, Mistake, Mode, Origin, Site, beginning};
use proptest::prelude::*;

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn testdata() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn folder() -> std::path::PathBuf {
    testdata().join("site")
}

/// A site file with every section.
const WHOLE: &str = r#"
name = "Puente"
[[lane]]
id = "north-1"
[lane.pull]
kind = "rtsp"
url = "rtsp://192.0.2.1/stream"
[[lane]]
id = "south"
[lane.replay]
files = "../lane/img/*.jpg"
[[portal]]
id = "bridge"
[portal.replay]
files = "../rail/*.tif"
[[list]]
name = "stolen"
file = "../lane/watchlist.csv"
[retention]
[limits]
[log]
[[device]]
id = "camera"
key_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
[login]
[masking]
[[retention.rule]]
id = "short"
days = 3
"#;

/// The lines after which a key may stand.
fn places_for_keys() -> Vec<usize> {
    WHOLE.lines().enumerate().filter(|(_, line)| line.starts_with('[') || line.is_empty()).map(|(number, _)| number + 1).collect()
}

fn with_line(after: usize, line: &str) -> String {
    let mut lines: Vec<&str> = WHOLE.lines().collect();
    lines.insert(after, line);
    lines.join("\n")
}

/// What a mistake says it takes, by section.
fn known_keys() -> Vec<(usize, Vec<String>)> {
    let keys_after = |after: usize| {
        let mistakes = Site::parse(&with_line(after, "no_such_key = 1"), &folder(), []).unwrap_err();
        let (_, keys) = mistakes[0].message.split_once("it takes ").unwrap();
        (after, keys.split(", ").map(str::to_owned).collect())
    };
    places_for_keys().into_iter().map(keys_after).collect()
}

#[test]
fn a_site_begins_in_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let explained = Site::parse(&beginning(), folder.path(), []).unwrap();
    assert!(explained.notes.is_empty(), "{:?}", explained.notes);
    assert_eq!(explained.site.data_dir, folder.path().join("data"));
    assert_eq!((explained.site.lanes.len(), explained.site.portals.len(), explained.site.lists.len()), (1, 1, 0));
    let borrowed = |line: &&str| !line.starts_with('#') && line.contains("../");
    assert_eq!(beginning().lines().find(borrowed), None);
}

#[test]
fn mistakes_are_told_as_expected() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder().join("wrong")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        seen += 1;
        let mistakes = Site::explain(Some(&path), []).unwrap_err();
        let prefix = format!("{}/", folder().join("wrong").display());
        let told: String = mistakes.iter().map(|mistake| format!("{mistake}\n").replace(&prefix, "")).collect();
        let expected = path.with_extension("expected.txt");
        if std::env::var_os("GARITA_WRITE_EXPECTED").is_some() {
            std::fs::write(&expected, &told).unwrap();
        }
        assert_eq!(told, std::fs::read_to_string(&expected).unwrap(), "{}", path.display());
        let output = Command::new(env!("CARGO_BIN_EXE_garita")).args(["config", "check"]).arg(&path).output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap().replace(&prefix, "")), (Some(1), told));
    }
    assert!(seen >= 5, "{seen} files in testdata/site/wrong");
}

#[test]
fn the_example_is_right_and_its_comments_tell_the_defaults() {
    let plain = Site::explain(Some(&folder().join("garita.example.toml")), []).unwrap();
    assert_eq!((plain.site.lanes.len(), plain.site.portals.len(), plain.site.lists.len(), plain.notes.len()), (1, 1, 1, 0));
    assert!(plain.site.listen.ip().is_loopback());
    // As it is, but with the settings taken out of their comments where they show defaults.
    let mut section = "";
    let shows_default = |section: &str, line: &str| {
        matches!(section, "[retention]" | "[limits]" | "[log]" | "[search]" | "[login]" | "[masking]")
            || (section == "[[list]]" && !line.contains("mapping"))
            || (matches!(section, "[[lane]]" | "[[portal]]") && (line.contains("silence_s") || line.contains("two_person")))
    };
    let mut text = String::new();
    for line in EXAMPLE.lines() {
        let bare = line.strip_prefix('#').filter(|bare| bare.starts_with(|first: char| first.is_ascii_lowercase() || first == '['));
        if line.starts_with('[') || bare.is_some_and(|bare| bare.starts_with('[')) {
            section = bare.unwrap_or(line);
        }
        match bare {
            Some(bare) if shows_default(section, bare) => text += bare,
            _ => text += line,
        }
        text.push('\n');
    }
    let uncommented = Site::parse(&text, &folder(), []).unwrap();
    let defaults = plain.settings.iter().filter(|setting| setting.origin == Origin::Default && setting.key != "workers");
    let mut compared = 0;
    for default in defaults {
        let written = uncommented.settings.iter().find(|setting| setting.key == default.key).unwrap();
        assert!(matches!(written.origin, Origin::File(_)), "{} stands in no comment of the example", default.key);
        assert_eq!(written.value, default.value, "{}", default.key);
        compared += 1;
    }
    assert!(compared >= 15, "{compared} defaults compared");
}

#[test]
fn the_example_has_every_key() {
    for (_, keys) in known_keys() {
        for key in keys {
            let shown = EXAMPLE.lines().map(|line| line.trim_start_matches('#')).any(|line| {
                line.starts_with(&format!("{key} ="))
                    || [format!("[{key}]"), format!("[[{key}]]")].iter().any(|header| line == header)
                    || [format!(".{key}]"), format!(".{key}]]")].iter().any(|end| line.ends_with(end.as_str()))
            });
            assert!(shown, "{key} is not in the example");
        }
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let given = variables(&[
        ("GARITA_LISTEN", "127.0.0.1:1"),
        ("GARITA__LISTEN", "127.0.0.1:2"),
        ("GARITA_DATA_DIR", "/srv/garita"),
        ("GARITA__LIMITS__FRAME_BYTES", "2 MiB"),
        ("GARITA__LANE__SOUTH_1__MODE", "triggered"),
        ("GARITA_SITE", "not a setting, but a variable of the command"),
    ]);
    let explained = Site::parse(EXAMPLE, &folder(), given).unwrap();
    let site = explained.site;
    assert_eq!((site.listen.port(), site.data_dir.as_path(), site.limits.frame_bytes), (2, Path::new("/srv/garita"), 2 << 20));
    assert_eq!(site.lanes[0].mode, Mode::Triggered);
    let mode = explained.settings.iter().find(|setting| setting.key == "lane.south-1.mode").unwrap();
    assert_eq!(mode.origin, Origin::Environment("GARITA__LANE__SOUTH_1__MODE".to_owned()));

    let wrong = variables(&[
        ("GARITA__LIMITS__FRAME_BYTE", "1"),
        ("GARITA__LANE__EAST__MODE", "watch"),
        ("GARITA__WORKERS", "many"),
        ("GARITA_LIMITS__FRAME_BYTES", "1"),
    ]);
    let mistakes = Site::parse(EXAMPLE, &folder(), wrong).unwrap_err();
    let places: Vec<&str> = mistakes.iter().map(|mistake| mistake.place.as_str()).collect();
    assert_eq!(places.len(), 4, "{mistakes:?}");
    for name in ["GARITA__LIMITS__FRAME_BYTE", "GARITA__LANE__EAST__MODE", "GARITA__WORKERS", "GARITA_LIMITS__FRAME_BYTES"] {
        assert!(places.contains(&name), "{mistakes:?}");
    }
}

#[test]
fn what_is_secret_is_not_shown() {
    let temporary = tempfile::tempdir().unwrap();
    std::fs::write(temporary.path().join("password"), "hunter2\n").unwrap();
    let text = WHOLE.replace("/stream\"", "/stream\"\nuser = \"garita\"\npassword_file = \"password\"").replace("../", &format!("{}/", testdata().display()));
    let explained = Site::parse(&text, temporary.path(), []).unwrap();
    let password = explained.site.lanes[0].pull.as_ref().unwrap().password.as_ref().unwrap();
    assert_eq!(password.expose(), "hunter2");
    let shown = format!("{explained:?}");
    assert!(!shown.contains("hunter2"));
    let settings: String = explained.settings.iter().map(|setting| format!("{setting}\n")).collect();
    assert!(settings.contains("key_sha256 = \"9f86d081…\"") && !settings.contains("9f86d0818"), "{settings}");
}

#[test]
fn what_can_still_come_is_a_note() {
    let text = WHOLE.replace("id = \"bridge\"", "id = \"bridge\"\nfolder = \"incoming\"").replace("../lane/watchlist.csv", "tonight.csv");
    let told = |listen: &str, text: &str| {
        let explained = Site::parse(text, &folder(), variables(&[("GARITA_LISTEN", listen)])).unwrap();
        explained.notes.iter().map(|note| (note.place.clone(), note.message.split(' ').next().unwrap_or_default().to_owned())).collect::<Vec<_>>()
    };
    let note = |place: &str, key: &str| (place.to_owned(), key.to_owned());
    assert_eq!(told("127.0.0.1:1", &text), [note("site file:14:10", "portal.bridge.folder"), note("site file:19:8", "list.stolen.file")]);
    let certified = format!("{WHOLE}[tls]\ncertificate = \"{0}/garita.example.toml\"\nkey = \"tonight.pem\"\n", folder().display());
    assert_eq!(told("0.0.0.0:1", &certified).iter().map(|note| note.1.as_str()).collect::<Vec<_>>(), ["tls.key"]);
    let open = format!(
        "{}[tls]\ncertificate = \"{1}/garita.example.toml\"\nkey = \"{1}/garita.example.toml\"\n",
        WHOLE.split("[[device]]").next().unwrap(),
        folder().display()
    );
    assert_eq!(told("0.0.0.0:1", &open), [note("GARITA_LISTEN", "listen")]);
}

#[test]
fn what_is_open_to_others_is_encrypted_and_asks_who_they_are() {
    let wrong = |text: &str| {
        let mistakes = Site::parse(text, &folder(), variables(&[("GARITA_LISTEN", "0.0.0.0:1")])).map(|_| ()).unwrap_err();
        mistakes.into_iter().map(|mistake| mistake.message).collect::<Vec<_>>()
    };
    assert!(wrong(WHOLE)[0].contains("add [tls]"), "{:?}", wrong(WHOLE));
    let certified = format!("{WHOLE}[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n").replace("[login]", "[login]\nrequired = \"no\"");
    assert!(wrong(&certified)[0].contains("required"), "{:?}", wrong(&certified));
    let half = format!("{WHOLE}[tls]\nkey = \"k.pem\"\n");
    assert!(wrong(&half)[0].contains("needs its certificate"), "{:?}", wrong(&half));
    let rule = WHOLE.replace("days = 3", "class = \"passage\"\nlist = \"stolen\"\ndays = 3");
    assert!(wrong(&rule)[0].contains("of no list"), "{:?}", wrong(&rule));
    let blind = WHOLE.replace("[masking]", "[masking]\nobscured = [\"viewer\", \"operator\"]");
    assert!(wrong(&blind)[0].contains("searches for plates"), "{:?}", wrong(&blind));
}

#[test]
fn without_a_file_the_site_is_the_example() {
    let output = Command::new(env!("CARGO_BIN_EXE_garita")).args(["config", "explain"]).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success());
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("lane.south-1.gap_ms = 2000") && told.contains("# default"), "{told}");
    let elsewhere = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_garita")).args(["config", "check"]).current_dir(elsewhere.path()).output().unwrap();
    assert!(output.status.success(), "what it replays is written there first: {}", String::from_utf8_lossy(&output.stdout));
    std::fs::write(elsewhere.path().join("garita.toml"), "wrong").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_garita")).args(["config", "check"]).current_dir(elsewhere.path()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.contains("garita.toml of this folder was not looked at"), "{told}");
}

/// A value for `key`, as TOML, and whether it is text.
fn values() -> impl Strategy<Value = BTreeMap<&'static str, String>> {
    let text = "[^\\p{C}\\p{Z}]{1,20}( [^\\p{C}\\p{Z}]{1,20})?";
    let quoted = |text: String| toml::Value::String(text).to_string();
    let name = || text.prop_map(quoted).boxed();
    let number = |range: std::ops::Range<u64>| range.prop_map(|number| number.to_string()).boxed();
    let one_of = move |choices: &'static [&'static str]| proptest::sample::select(choices).prop_map(move |choice| quoted(choice.to_owned())).boxed();
    let size = (1_u64..60, proptest::sample::select(&[" MiB", "MiB", "_000_000"][..]))
        .prop_map(move |(number, unit)| if unit.starts_with('_') { format!("{number}{unit}") } else { quoted(format!("{number}{unit}")) })
        .boxed();
    let port = (1_u16..).prop_map(move |port| quoted(format!("127.0.0.1:{port}"))).boxed();
    let fps = (1_u32..4000).prop_map(|hundredths| format!("{}.{:02}", hundredths / 100, hundredths % 100)).boxed();
    let all: Vec<(&'static str, BoxedStrategy<String>)> = vec![
        ("name", name()),
        ("listen", port),
        ("workers", number(1..257)),
        ("lane.north-1.name", name()),
        ("lane.north-1.mode", one_of(&["continuous", "triggered", "watch"])),
        ("lane.north-1.view", one_of(&["whole", "still", "tiles"])),
        ("lane.south.gap_ms", number(100..600_001)),
        ("lane.south.replay.fps", fps),
        ("portal.bridge.name", name()),
        ("list.stolen.preset", one_of(&["garita", "genetec", "uk-voi"])),
        ("list.stolen.reload_s", number(1..86_401)),
        ("retention.frames_without_passage_s", number(0..1000)),
        ("retention.hits_days", number(1..36_501)),
        ("limits.frame_bytes", size.clone()),
        ("limits.scan_bytes", size.prop_map(|text| text.replace("_000_000", "_000_000_000")).boxed()),
        ("limits.connections", number(4..65_537)),
        ("log.level", one_of(&["error", "warn", "info", "debug", "trace"])),
        ("login.idle_minutes", number(1..1_441)),
        ("retention.rule.short.class", one_of(&["passage", "hit", "scan", "scan-hit"])),
    ];
    let some = proptest::sample::subsequence(all, 0..=19);
    some.prop_flat_map(|chosen| {
        let (keys, strategies): (Vec<_>, Vec<_>) = chosen.into_iter().unzip();
        strategies.prop_map(move |values| keys.iter().copied().zip(values).collect())
    })
}

/// Where in [`WHOLE`] the keys of a section go.
fn header_of(key: &str) -> &'static str {
    match key.rsplit_once('.').map_or("", |(section, _)| section) {
        "lane.north-1" => "id = \"north-1\"",
        "lane.south" => "id = \"south\"",
        "lane.south.replay" => "files = \"../lane/img/*.jpg\"",
        "portal.bridge" => "id = \"bridge\"",
        "list.stolen" => "name = \"stolen\"",
        "retention" => "[retention]",
        "limits" => "[limits]",
        "log" => "[log]",
        "login" => "[login]",
        "retention.rule.short" => "id = \"short\"",
        _ => "",
    }
}

proptest! {
    #[test]
    fn a_key_that_does_not_exist_is_told_wherever_it_stands(at in 0_usize..100, key in "[a-z_]{1,12}", indent in 0_usize..8, value in proptest::sample::select(&["1", "\"x\"", "[1, 2]", "{ a = 1 }", "true", "1979-05-27"][..])) {
        let known = known_keys();
        let (after, keys) = &known[at % known.len()];
        prop_assume!(!keys.contains(&key));
        let text = with_line(*after, &format!("{:indent$}{key} = {value}", ""));
        let mistakes = Site::parse(&text, &folder(), []).unwrap_err();
        prop_assert_eq!(mistakes.len(), 1);
        let Mistake { place, message } = &mistakes[0];
        prop_assert_eq!(place, &format!("site file:{}:{}", after + 1, indent + 1));
        prop_assert!(message.starts_with(&format!("there is no key {key:?} ")), "{message}");
    }

    #[test]
    fn any_value_is_explained_as_it_was_given(values in values(), through in proptest::collection::vec(any::<bool>(), 19)) {
        let mut text: Vec<String> = WHOLE.lines().map(|line| if line.starts_with("name = \"Puente") { String::new() } else { line.to_owned() }).collect();
        let mut environment = Vec::new();
        for ((key, value), in_environment) in values.iter().zip(through) {
            if in_environment {
                let value: toml::Value = toml::from_str::<toml::Table>(&format!("v = {value}")).unwrap()["v"].clone();
                let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                environment.push((format!("GARITA__{}", key.to_uppercase().replace('.', "__").replace('-', "_")), plain));
            } else {
                let header = header_of(key);
                let at = text.iter().position(|line| line == header).unwrap();
                text.insert(at + 1, format!("{} = {value}", key.rsplit('.').next().unwrap()));
            }
        }
        let told = Site::parse(&text.join("\n"), &folder(), environment.clone());
        prop_assert!(told.is_ok(), "{:?}", told.err());
        let explained = told.unwrap();
        let as_toml: String = explained.settings.iter().map(|setting| format!("{setting}\n")).collect();
        let as_toml: toml::Table = toml::from_str(&as_toml).unwrap();
        for (key, value) in &values {
            let given = toml::from_str::<toml::Table>(&format!("v = {value}")).unwrap()["v"].clone();
            let explained = key.split('.').try_fold(toml::Value::Table(as_toml.clone()), |table, part| table.get(part).cloned());
            prop_assert_eq!(explained, Some(given), "{}", key);
        }
        for setting in &explained.settings {
            let given = values.contains_key(setting.key.as_str());
            let from_environment = matches!(setting.origin, Origin::Environment(_));
            prop_assert_eq!(from_environment, environment.iter().any(|(name, _)| *name == setting.origin.to_string()));
            prop_assert!(!given || setting.origin != Origin::Default, "{}", setting.key);
        }
    }

    #[test]
    fn no_text_is_too_strange(text in "(\\[\\[?(lane|list|limits|x)\\]?\\]?|[a-z]{1,6} ?= ?|[^\\p{C}]{0,6}|\"|\n|\\{|id = \"a\"|\\.){0,30}") {
        if let Err(mistakes) = Site::parse(&text, &folder(), []) {
            prop_assert!(!mistakes.is_empty());
            let lines = text.matches('\n').count() + 1;
            for mistake in mistakes {
                let line: usize = mistake.place.split(':').nth(1).unwrap().parse().unwrap();
                prop_assert!((1..=lines).contains(&line), "{mistake}");
            }
        }
    }
}
