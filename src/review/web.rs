//! The page's files, inside the executable: plain HTML, CSS, ES modules and two languages, as they lie in `src/review/web/`. Nothing builds them, and nothing
//! in them is anybody else's; what is sent is [`File::light`].

/// One file.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Its name, without a folder.
    pub name: &'static str,
    /// Its media type.
    pub kind: &'static str,
    /// What is in it.
    pub text: &'static str,
}

impl File {
    /// As it is sent.
    #[must_use]
    pub fn light(&self) -> String {
        super::light::light(self.name, self.text)
    }
}

macro_rules! files {
    ($($name:literal $kind:literal),* $(,)?) => { &[$(File { name: $name, kind: $kind, text: include_str!(concat!("web/", $name)) }),*] };
}

/// All of them.
pub const FILES: &[File] = files! {
    "index.html" "text/html; charset=utf-8",
    "page.css" "text/css; charset=utf-8",
    "icon.svg" "image/svg+xml",
    "en.json" "application/json",
    "es.json" "application/json",
    "page.js" "text/javascript; charset=utf-8",
    "dom.js" "text/javascript; charset=utf-8",
    "words.js" "text/javascript; charset=utf-8",
    "server.js" "text/javascript; charset=utf-8",
    "live.js" "text/javascript; charset=utf-8",
    "keys.js" "text/javascript; charset=utf-8",
    "sound.js" "text/javascript; charset=utf-8",
    "queue.js" "text/javascript; charset=utf-8",
    "evidence.js" "text/javascript; charset=utf-8",
    "facts.js" "text/javascript; charset=utf-8",
    "review.js" "text/javascript; charset=utf-8",
    "plot.js" "text/javascript; charset=utf-8",
    "health.js" "text/javascript; charset=utf-8",
    "accuracy.js" "text/javascript; charset=utf-8",
    "search.js" "text/javascript; charset=utf-8",
    "lists.js" "text/javascript; charset=utf-8",
    "trains.js" "text/javascript; charset=utf-8",
    "car.js" "text/javascript; charset=utf-8",
    "findings.js" "text/javascript; charset=utf-8",
    "look.js" "text/javascript; charset=utf-8",
    "measure.js" "text/javascript; charset=utf-8",
    "papers.js" "text/javascript; charset=utf-8",
    "stage.js" "text/javascript; charset=utf-8",
    "pixels.js" "text/javascript; charset=utf-8",
    "canvas.js" "text/javascript; charset=utf-8",
    "display.js" "text/javascript; charset=utf-8",
    "audit.js" "text/javascript; charset=utf-8",
    "people.js" "text/javascript; charset=utf-8",
    "help.js" "text/javascript; charset=utf-8",
};

/// The file of this name.
#[must_use]
pub fn file(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn words(language: &str) -> BTreeMap<String, String> {
        serde_json::from_str(file(language).expect("a language").text).unwrap_or_else(|error| panic!("{language}: {error}"))
    }

    /// What stands between quotation marks or backticks in the scripts, with where it stands.
    fn quoted() -> Vec<(&'static str, &'static str)> {
        let scripts = FILES.iter().filter(|file| file.name.ends_with(".js"));
        scripts.flat_map(|script| script.text.split(['\'', '`']).map(|text| (script.name, text))).collect()
    }

    #[test]
    fn the_table_is_the_folder() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/review/web");
        let there: BTreeSet<String> =
            std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name")).collect();
        assert_eq!(FILES.iter().map(|file| file.name.to_owned()).collect::<BTreeSet<_>>(), there);
    }

    #[test]
    fn both_languages_say_everything() {
        let (english, spanish) = (words("en.json"), words("es.json"));
        let missing: Vec<_> =
            english.keys().filter(|key| !spanish.contains_key(*key)).chain(spanish.keys().filter(|key| !english.contains_key(*key))).collect();
        assert!(missing.is_empty(), "in one language only: {missing:?}");
        for (key, text) in &english {
            let holes = |text: &str| text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|hole| hole.0.to_owned())).collect::<BTreeSet<_>>();
            assert_eq!(holes(text), holes(&spanish[key]), "{key}: the places for values differ");
            assert!(!text.trim().is_empty() && !spanish[key].trim().is_empty(), "{key} says nothing");
        }
    }

    #[test]
    fn every_key_in_the_scripts_has_words_and_every_word_a_key() {
        let english = words("en.json");
        let mut used = BTreeSet::new();
        for (script, text) in quoted() {
            if english.contains_key(text) {
                used.insert(text.to_owned());
            }
            // `t(`state.${…}`)`: any word that begins so.
            if let Some((prefix, _)) = text.split_once(".${") {
                let begun = format!("{prefix}.");
                let all: Vec<_> = english.keys().filter(|key| key.starts_with(&begun)).cloned().collect();
                assert!(!all.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_lowercase()), "{script}: no words begin with {begun}");
                used.extend(all);
            }
        }
        for script in FILES.iter().filter(|file| file.name.ends_with(".js")) {
            for call in script.text.split("t('").skip(1).filter_map(|rest| rest.split_once('\'').map(|key| key.0)) {
                let is_a_key = call.contains('.') && call.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_');
                assert!(!is_a_key || english.contains_key(call), "{}: no words for {call}", script.name);
            }
        }
        let idle: Vec<_> = english.keys().filter(|key| !used.contains(*key)).collect();
        assert!(idle.is_empty(), "nobody says {idle:?}");
    }

    #[test]
    fn no_text_becomes_markup_and_nothing_comes_from_elsewhere() {
        for file in FILES {
            for never in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "https://"] {
                assert!(!file.text.contains(never), "{}: {never}", file.name);
            }
            let elsewhere = file.text.match_indices("http://").find(|(at, _)| !file.text[*at..].starts_with("http://www.w3.org/"));
            assert!(elsewhere.is_none(), "{}: an address of another place", file.name);
        }
    }

    /// What these scripts fetch with them.
    fn with_imports(begin: &[&str]) -> BTreeSet<&'static str> {
        let mut all = BTreeSet::new();
        let mut open: Vec<&'static File> = begin.iter().map(|name| file(name).expect("a script")).collect();
        while let Some(script) = open.pop() {
            if all.insert(script.name) {
                open.extend(script.text.split(" from './").skip(1).filter_map(|rest| file(rest.split('\'').next().unwrap_or_default())));
            }
        }
        all
    }

    #[test]
    fn each_page_weighs_little() {
        let sent = |name: &&str| file(name).expect("a file").light().len();
        // One language is sent: the heavier counts.
        let language = ["en.json", "es.json"].iter().map(sent).max().expect("two");
        let always: usize = ["index.html", "page.css", "icon.svg"].iter().map(sent).sum::<usize>() + language;
        let frame = file("page.js").expect("the frame").text;
        let later: Vec<&str> = frame.split("(() => import('./").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
        assert_eq!(later.len(), 7, "pages that are fetched when somebody wants them");
        let weights: BTreeMap<&str, usize> =
            std::iter::once("page.js").chain(later).map(|page| (page, always + with_imports(&["page.js", page]).iter().map(sent).sum::<usize>())).collect();
        println!("bytes of each page, before gzip: {weights:?}");
        assert!(weights.values().all(|bytes| *bytes <= 150_000), "{weights:?}");
    }
}
