//! The page's files as they are sent: without comments, indentation and what else only people need. The sources stay as they are written, and are what the
//! types are checked on; a test has a parser compare the two, statement by statement (`tests/page/browser.rs`).
//!
//! Nothing is renamed, and lines are joined only where no statement can end. Texts, templates and
//! regular expressions are copied. One thing is asked of the sources: no regular expression right after `)` or `}`, where only a parser could tell it from a
//! division.

/// A script, a style sheet or a language, lighter; anything else as it is.
#[must_use]
pub fn light(name: &str, text: &str) -> String {
    match name.rsplit_once('.').map(|name| name.1) {
        Some("js") => script(text),
        Some("css") => style(text),
        Some("json") => words(text),
        _ => text.to_owned(),
    }
}

/// Words after which a slash begins a regular expression.
const BEFORE_A_VALUE: [&str; 13] = ["return", "typeof", "case", "in", "of", "do", "else", "void", "delete", "throw", "new", "await", "yield"];

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

/// What has been written, and white space that has not yet.
#[derive(Default)]
struct Lighter {
    out: String,
    space: bool,
    line: bool,
}

impl Lighter {
    /// Writes what begins with `next`, after as much white space as the two need between them.
    fn write(&mut self, text: &str) {
        let (before, next) = (self.out.chars().next_back(), text.chars().next());
        if let (Some(before), Some(next)) = (before, next) {
            if self.line && !ends_nothing(before, next) {
                self.out.push('\n');
            } else if (self.space || self.line) && needs_space(before, next) {
                self.out.push(' ');
            }
        }
        (self.space, self.line) = (false, false);
        self.out.push_str(text);
    }

    /// Whether a slash that comes now begins a regular expression.
    fn expects_a_value(&self) -> bool {
        let written = self.out.trim_end();
        match written.chars().next_back() {
            None => true,
            Some(')' | ']' | '}' | '\'' | '"' | '`') => false,
            Some(last) if is_word(last) => {
                let word = written.rsplit(|character| !is_word(character)).next().unwrap_or_default();
                BEFORE_A_VALUE.contains(&word)
            }
            Some(_) => true,
        }
    }
}

/// Whether no statement can end on a line between these two.
fn ends_nothing(before: char, next: char) -> bool {
    matches!(before, ';' | '{' | '(' | '[' | ',') || matches!(next, '}' | ')' | ']')
}

/// Whether these two would be read as something else without a space between them.
fn needs_space(before: char, next: char) -> bool {
    (is_word(before) && is_word(next))
        || (before == next && matches!(before, '+' | '-'))
        || before == '/'
        || next == '/'
        || (before.is_ascii_digit() && next == '.')
}

/// The length of a text from its opening to its closing mark, both of them `mark`; all that is left where it is not closed.
fn quoted(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == mark => return at + mark.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The length of a regular expression with its flags.
fn expression(text: &str) -> usize {
    let (mut escaped, mut class) = (false, false);
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '/' if !class => return at + 1 + text[at + 1..].find(|character| !is_word(character)).unwrap_or(text.len() - at - 1),
            _ => {}
        }
    }
    text.len()
}

/// The length of a template's text up to and with its end or the `${` that interrupts it, and whether it goes on as code there.
fn template(text: &str) -> (usize, bool) {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '`' => return (at + 1, false),
            '$' if text[at..].starts_with("${") => return (at + 2, true),
            _ => {}
        }
    }
    (text.len(), false)
}

fn script(text: &str) -> String {
    let mut light = Lighter { out: String::with_capacity(text.len()), ..Lighter::default() };
    // Braces that are open in each interrupted template.
    let mut templates: Vec<usize> = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let taken = match character {
            '\n' => {
                light.line = true;
                1
            }
            _ if character.is_whitespace() => {
                light.space = true;
                character.len_utf8()
            }
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => {
                let length = rest.find("*/").map_or(rest.len(), |at| at + 2);
                light.space = true;
                light.line |= rest[..length].contains('\n');
                length
            }
            '/' if light.expects_a_value() => expression(rest),
            '\'' | '"' => quoted(rest, character),
            '`' => {
                let (length, code) = template(&rest[1..]);
                if code {
                    templates.push(0);
                }
                length + 1
            }
            '}' if templates.last() == Some(&0) => {
                templates.pop();
                let (length, code) = template(&rest[1..]);
                if code {
                    templates.push(0);
                }
                length + 1
            }
            '{' | '}' => {
                if let Some(open) = templates.last_mut() {
                    *open = if character == '{' { *open + 1 } else { *open - 1 };
                }
                1
            }
            _ => character.len_utf8(),
        };
        let is_white = character.is_whitespace() || (character == '/' && (rest.starts_with("//") || rest.starts_with("/*")));
        if !is_white {
            light.write(&rest[..taken]);
        }
        rest = &rest[taken..];
    }
    light.out
}

fn style(text: &str) -> String {
    let mut light = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let taken = match character {
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            '\'' | '"' => quoted(rest, character),
            _ if character.is_whitespace() => {
                let length = rest.find(|character: char| !character.is_whitespace()).unwrap_or(rest.len());
                // Around braces, semicolons and commas nothing depends on it; elsewhere (`a b`, `a :b`, `1px + 2px`) it may.
                let none =
                    light.ends_with(['{', '}', ';', ',']) || light.is_empty() || rest[length..].starts_with(['{', '}', ';', ',']) || rest[length..].is_empty();
                light.push_str(if none || light.ends_with(' ') { "" } else { " " });
                rest = &rest[length..];
                continue;
            }
            _ => character.len_utf8(),
        };
        if !rest.starts_with("/*") {
            light.push_str(&rest[..taken]);
        }
        rest = &rest[taken..];
    }
    light
}

/// A language, on one line. What is no JSON stays as it is: a test says so before anybody else.
fn words(text: &str) -> String {
    serde_json::from_str::<std::collections::BTreeMap<String, String>>(text)
        .ok()
        .and_then(|words| serde_json::to_string(&words).ok())
        .unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_lose_what_only_people_need() {
        for (source, want) in [
            ("// a\nconst x = 1; // b\n\n  y();\n", "const x=1;y();"),
            ("f(\n  a,\n  [\n b\n ]\n)\n+c\n}", "f(a,[b])\n+c}"),
            ("/** @type {number} */\nlet a /* b */ = c;", "let a=c;"),
            // A comment over lines ends a statement as a line does.
            ("return /* a\n b */ x", "return\nx"),
            ("a + +b; a - -b; a - b; i++ + j", "a+ +b;a- -b;a-b;i++ +j"),
            ("const s = 'it\\'s // no /* comment */  here';", "const s='it\\'s // no /* comment */  here';"),
            ("x = \"  'a'  // b\" + c", "x=\"  'a'  // b\"+c"),
            ("`a  ${ b + `c  ${ { d: '}' } }  // e` }  /* f */`", "`a  ${b+`c  ${{d:'}'}}  // e`}  /* f */`"),
            ("`\\`  ${ x }`", "`\\`  ${x}`"),
            ("a.replace(/[/'\"]  \\/ /gu, ' ')", "a.replace(/[/'\"]  \\/ /gu,' ')"),
            ("return /'/.test(a) ? b / c : (d) / e / f", "return /'/.test(a)?b / c:(d) / e / f"),
            ("const a = b\nconst c = d", "const a=b\nconst c=d"),
            ("for (const a of b) if (a in c) delete d", "for(const a of b)if(a in c)delete d"),
            ("1 .toFixed()", "1 .toFixed()"),
            ("export const é = async () => {};", "export const é=async()=>{};"),
        ] {
            assert_eq!(script(source), want, "{source}");
        }
    }

    #[test]
    fn styles_and_words_stay_what_they_say() {
        let source = "/* a */\n.a .b > c:hover,\n.d { margin: 0 calc(1px + 2px); content: \"  /* no */ \"; }\n@media (a) { e { f: g } }\n";
        assert_eq!(light("x.css", source), ".a .b > c:hover,.d{margin: 0 calc(1px + 2px);content: \"  /* no */ \";}@media (a){e{f: g}}");
        assert_eq!(light("x.json", "{\n  \"a\": \"b  c\",\n  \"d\": \"é\"\n}\n"), "{\"a\":\"b  c\",\"d\":\"é\"}");
        assert_eq!(light("x.html", " <a>  "), " <a>  ");
    }
}
