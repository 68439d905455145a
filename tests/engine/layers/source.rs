//! The files of src/ as the compiler sees them: found by their `mod` lines, without comments, string
//! literals and tests.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of the crate.
pub struct Source {
    /// The path in src/, with `/` between folders.
    pub path: String,
    /// The path of its module; empty for `lib.rs`.
    pub module: Vec<String>,
    /// The code, with blanks in place of comments, string literals and tests; lines are kept.
    pub code: String,
}

/// Returns every file that `lib.rs` includes, directly or indirectly.
pub fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut waiting = vec![(PathBuf::from("lib.rs"), Vec::new())];
    while let Some((path, module)) = waiting.pop() {
        let code = without_tests(&without_texts(&fs::read_to_string(folder().join(&path)).unwrap()));
        let is_door = path.ends_with("mod.rs") || path.ends_with("lib.rs");
        let beside = if is_door { path.parent().unwrap().to_path_buf() } else { path.with_extension("") };
        for name in declared_modules(&code) {
            let file = beside.join(format!("{name}.rs"));
            let file = if folder().join(&file).exists() { file } else { beside.join(name).join("mod.rs") };
            waiting.push((file, [&module[..], &[name.to_string()]].concat()));
        }
        found.push(Source { path: text_of(&path), module, code });
    }
    assert!(found.len() > 40, "src/ was found");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Returns the text of every file in src/, also of tests, by path.
pub fn all_files() -> Vec<(String, String)> {
    let mut folders = vec![folder()];
    let mut found = Vec::new();
    while let Some(here) = folders.pop() {
        for entry in fs::read_dir(here).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((text_of(path.strip_prefix(folder()).unwrap()), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn text_of(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_str().unwrap()).collect::<Vec<_>>().join("/")
}

/// Returns the names of `mod name;` lines.
pub fn declared_modules(code: &str) -> impl Iterator<Item = &str> {
    code.lines().filter_map(|line| {
        let (before, name) = line.strip_suffix(';')?.rsplit_once(' ')?;
        matches!(before, "mod" | "pub mod" | "pub(crate) mod" | "pub(super) mod").then_some(name)
    })
}

/// Returns `text` with blanks in place of comments and quoted text.
pub fn without_texts(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let follows_name = out.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if !follows_name && rest.starts_with("r\"") || rest.starts_with("r#") {
            raw_text_length(rest)
        } else if first == '"' {
            quoted_length(rest, '"')
        } else if is_character(rest) {
            quoted_length(rest, '\'')
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        out.extend(rest[..length].chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = &rest[length..];
    }
    out
}

/// Whether a quote begins a character, not a lifetime.
fn is_character(rest: &str) -> bool {
    let mut following = rest.chars();
    following.next() == Some('\'') && (following.next() == Some('\\') || following.next() == Some('\''))
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Returns the length of `r"..."` or `r#"..."#`; one character for a raw identifier.
fn raw_text_length(rest: &str) -> usize {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    if !rest[1 + hashes..].starts_with('"') {
        return 1;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = 2 + hashes;
    rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len())
}

/// Returns `code` with blanks in place of every item that is only for tests.
pub fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(") {
        let condition = &rest[at + "#[cfg(".len()..];
        let is_test = condition.starts_with("test)") || condition.starts_with("all(test,");
        let length = if is_test { attribute_length(&rest[at..]) } else { 1 };
        let length = length + if is_test { item_length(&rest[at + length..]) } else { 0 };
        out.push_str(&rest[..at]);
        let item = &rest[at..at + length];
        out.extend(item.chars().map(|c| if is_test && c != '\n' { ' ' } else { c }));
        rest = &rest[at + length..];
    }
    out + rest
}

fn attribute_length(rest: &str) -> usize {
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        depth += i32::from(c == '[') - i32::from(c == ']');
        if c == ']' && depth == 0 {
            return at + 1;
        }
    }
    rest.len()
}

/// Returns the length of the item at the start of `rest`, with its other attributes, up to its
/// semicolon or last brace.
fn item_length(rest: &str) -> usize {
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        depth += i32::from(matches!(c, '{' | '(' | '[')) - i32::from(matches!(c, '}' | ')' | ']'));
        match c {
            ';' if depth == 0 => return at + 1,
            '}' if depth == 0 => return at + 1,
            '}' if depth < 0 => return at,
            _ => {}
        }
    }
    rest.len()
}

#[test]
fn comments_texts_and_tests_are_blank() {
    let text = "use a; // use b\nlet c = \"use d \\\" {\"; let e = ['{', '\\'', 'f']; fn g<'a>() {}\n\
                #[cfg(test)]\n#[expect(x)]\nmod tests {\n    fn h() {}\n}\n#[cfg(all(test, not(i)))]\nmod j;\n\
                #[cfg(any(test, k))]\nmod l;\nr#\"m\"n\"#; r\"o\"; r#for\n/* p\n */ q\n";
    let left = without_tests(&without_texts(text));
    assert_eq!(left.lines().count(), text.lines().count());
    let words: Vec<_> = left.split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "use a; let c = ; let e = [ , , ]; fn g<'a>() {} #[cfg(any(test, k))] mod l; ; ; #for q"
    );
    assert_eq!(declared_modules(&left).collect::<Vec<_>>(), ["l"]);
}
