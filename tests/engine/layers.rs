//! STYLE's layers: which module may import which. Every path through `crate::` in src/ is read, those of tests left out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Groups from the bottom up: their modules, and what else of ours these may import.
const LAYERS: [(&[&str], &[&str]); 12] = [
    (&["base", "error", "options", "events", "budget", "bugs"], &[]),
    (&["iter", "env"], &[FOUNDATION]),
    (&["batch"], &[FOUNDATION]),
    (&["log"], &[FOUNDATION, "env", "iter"]),
    (&["memtable"], &[FOUNDATION, "env", "iter"]),
    (&["table"], &[FOUNDATION, "env", "iter"]),
    (&["version"], &[FOUNDATION, "env", "iter", "log", "table"]),
    (&["flush"], &[FOUNDATION, "env", "iter", "table", "version", "memtable"]),
    (&["compaction"], &[FOUNDATION, "env", "iter", "table", "version"]),
    (&["archive"], &[FOUNDATION, "env"]),
    (&["fuzzing"], &[FOUNDATION, "env", "iter", "batch", "log", "memtable", "table", "version", "archive"]),
    (&["inspect"], &[FOUNDATION, "env", "iter", "batch", "log", "table", "version"]),
];

/// Stands for the whole first group.
const FOUNDATION: &str = "foundation";

/// These two see everything but one another: db nothing of wasm, wasm anything.
const UPPER: [(&str, &[&str]); 3] = [("db", &["wasm"]), ("wasm", &[]), ("lib", &[])];

/// What a lower module may take from a higher one, and why.
const EXCEPTIONS: [(&str, &str, &str); 0] = [];

/// Only these name JavaScript.
const JAVASCRIPT_FILES: [&str; 3] = ["env/opfs.rs", "env/indexed_db.rs", "env/foreign.rs"];
const JAVASCRIPT_CRATES: [&str; 5] = ["js_sys", "web_sys", "wasm_bindgen", "wasm_bindgen_futures", "JsValue"];

#[test]
fn imports_go_downward_only() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        for (line, target) in crate_paths(&text) {
            let module = module_of(&file);
            if !is_allowed(&module, &target) {
                wrong.push(format!("src/{}:{line}: {module} imports {}", file.display(), target.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{} imports that STYLE section 1 does not allow:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn javascript_is_named_at_the_border_alone() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let border = file.starts_with("wasm") || JAVASCRIPT_FILES.iter().any(|name| file == Path::new(name));
        let named = JAVASCRIPT_CRATES.iter().find(|name| code(&text).any(|(_, line)| line.contains(**name)));
        if let Some(name) = named.filter(|_| !border) {
            wrong.push(format!("src/{} names {name}", file.display()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_module_has_its_place() {
    let known: BTreeSet<&str> = LAYERS.iter().flat_map(|(modules, _)| *modules).copied().collect();
    for (file, _) in sources() {
        let module = module_of(&file);
        let placed = known.contains(&*module) || UPPER.iter().any(|(upper, _)| *upper == module);
        assert!(placed, "src/{}: module {module} is in no layer", file.display());
    }
}

#[test]
fn the_reader_of_imports_sees_what_it_should() {
    let text = "use crate::db::{Db, iter::X};\n// crate::db::No\nfn f() { crate::table::g() }\nuse crate::{log, env::Env};\n\
                #[cfg(test)]\nmod tests {\n    use crate::db::No;\n}\n";
    let found: Vec<String> = crate_paths(text).into_iter().map(|(_, path)| path.join("::")).collect();
    assert_eq!(found, ["db::Db", "db::iter::X", "table::g", "log", "env::Env"]);
    assert!(!is_allowed("options", &["db".into(), "Snapshot".into()]));
    assert!(!is_allowed("table", &["version".into(), "LEVELS".into()]));
    assert!(!is_allowed("log", &["memtable".into()]));
    assert!(!is_allowed("compaction", &["memtable".into()]));
    assert!(is_allowed("flush", &["memtable".into()]));
    assert!(is_allowed("db", &["flush".into()]) && !is_allowed("db", &["wasm".into()]));
}

fn is_allowed(module: &str, target: &[String]) -> bool {
    let first = target.first().map(String::as_str).unwrap_or_default();
    if module == first || (module, first) == ("lib", first) {
        return true;
    }
    if let Some((_, forbidden)) = UPPER.iter().find(|(upper, _)| *upper == module) {
        return !forbidden.contains(&first);
    }
    let foundation = LAYERS[0].0;
    let exception = EXCEPTIONS
        .iter()
        .any(|(from, to, name)| *from == module && *to == first && target.get(1).is_some_and(|found| found == name));
    let layer = LAYERS.iter().find(|(modules, _)| modules.contains(&module));
    let Some((group, below)) = layer else { return false };
    // Neighbours import one another in the two lowest groups alone.
    let neighbour = group.contains(&first);
    exception || neighbour || below.contains(&first) || below.contains(&FOUNDATION) && foundation.contains(&first)
}

/// Every file of src/ but tests, by its path there.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && path.file_name().is_some_and(|n| n != "tests.rs") {
                found.push((path.strip_prefix(&root).unwrap().to_path_buf(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 40, "src/ was found");
    found
}

/// `env` of both env.rs and env/memory.rs.
fn module_of(file: &Path) -> String {
    let first = file.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_string()
}

/// Numbered lines up to the unit tests, which close a file; without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]" && *line != "mod tests {");
    lines.enumerate().map(|(i, line)| (i + 1, line.split("//").next().unwrap_or_default()))
}

/// Every path that begins with `crate::`, groups taken apart, with the line where it begins.
fn crate_paths(text: &str) -> Vec<(usize, Vec<String>)> {
    let lines: Vec<_> = code(text).collect();
    let mut found = Vec::new();
    for (i, (number, line)) in lines.iter().enumerate() {
        for (at, marker) in line.match_indices("crate::") {
            let rest = &line[at + marker.len()..];
            // `pub(crate)` and names that end so are something else; a group may go on for lines.
            let preceded = line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$');
            if preceded {
                continue;
            }
            let following = lines[i + 1..].iter().map(|(_, line)| *line).collect::<Vec<_>>().join(" ");
            let mut tail = format!("{rest} {following}");
            let end = statement_end(&tail);
            tail.truncate(end);
            expand(&tail, &[], &mut found, *number);
        }
    }
    found
}

/// Where a path ends: after its group, or before what cannot be in a path.
fn statement_end(text: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return if depth == 1 { at + 1 } else { at },
            '}' => depth -= 1,
            _ if depth == 0 && !(c.is_alphanumeric() || c == '_' || c == ':') => return at,
            _ => {}
        }
    }
    text.len()
}

/// `a::{b, c::d}` to `a::b` and `a::c::d`.
fn expand(path: &str, before: &[String], found: &mut Vec<(usize, Vec<String>)>, line: usize) {
    let path = path.split(" as ").next().unwrap_or_default().trim();
    let (head, group) = path.split_once('{').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let mut names = before.to_vec();
    names.extend(head.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_string));
    let Some(group) = group else {
        return found.push((line, names));
    };
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let mut depth = 0;
    let parts = group.split(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    for part in parts.filter(|part| !part.trim().is_empty()) {
        expand(part, &names, found, line);
    }
}
