//! The layers of the crate: which module may import which, and that no files import each other in a
//! cycle. Tests are excluded.

mod circles;
mod paths;
mod sizes;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use paths::{inline_paths, uses};
use source::{Source, sources};

/// Groups from the bottom up: their modules, and the other modules that these may import.
const LAYERS: [(&[&str], &[&str]); 13] = [
    (&["base", "error", "options", "events", "budget", "bugs"], &[]),
    (&["iter", "env"], &[FOUNDATION]),
    (&["batch"], &[FOUNDATION]),
    (&["log"], &[FOUNDATION, "env", "iter"]),
    (&["memtable"], &[FOUNDATION, "env", "iter"]),
    (&["table"], &[FOUNDATION, "env", "iter"]),
    (&["sst"], &[FOUNDATION, "env", "iter", "table"]),
    (&["version"], &[FOUNDATION, "env", "iter", "log", "table"]),
    (&["flush"], &[FOUNDATION, "env", "iter", "table", "version", "memtable"]),
    (&["compaction"], &[FOUNDATION, "env", "iter", "table", "version"]),
    (&["archive"], &[FOUNDATION, "env"]),
    (&["fuzzing"], &[FOUNDATION, "env", "iter", "batch", "log", "memtable", "table", "version", "archive"]),
    (&["inspect"], &[FOUNDATION, "env", "iter", "batch", "log", "table", "version"]),
];

/// Stands for the whole first group.
const FOUNDATION: &str = "foundation";

/// These import everything below them: wasm also db, but db not wasm.
const UPPER: [(&str, &[&str]); 3] = [("db", &["wasm"]), ("wasm", &[]), ("lib", &[])];

/// Only these use JavaScript.
const JAVASCRIPT_FOLDERS: [&str; 2] = ["env/web/", "wasm/"];
const JAVASCRIPT_CRATES: [&str; 5] = ["js_sys", "web_sys", "wasm_bindgen", "wasm_bindgen_futures", "JsValue"];

#[test]
fn imports_go_downward_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (line, target) in crate_paths(&source.code) {
            let module = module_of(&source);
            if !is_allowed(module, &target) {
                wrong.push(format!("src/{}:{line}: {module} imports {}", source.path, target.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{} imports that STYLE section 1 does not allow:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn javascript_is_named_at_the_border_alone() {
    let mut wrong = Vec::new();
    for source in sources() {
        let border = JAVASCRIPT_FOLDERS.iter().any(|folder| source.path.starts_with(folder));
        let named = JAVASCRIPT_CRATES.iter().find(|name| source.code.contains(**name));
        if let Some(name) = named.filter(|_| !border) {
            wrong.push(format!("src/{} names {name}", source.path));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_module_has_its_place() {
    let known: BTreeSet<&str> = LAYERS.iter().flat_map(|(modules, _)| *modules).copied().collect();
    for source in sources() {
        let module = module_of(&source);
        let placed = known.contains(module) || UPPER.iter().any(|(upper, _)| *upper == module);
        assert!(placed, "src/{}: module {module} is in no layer", source.path);
    }
}

#[test]
fn files_that_the_architecture_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let is_part = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    let begins = text.match_indices("src/").filter(|(at, _)| !text[..*at].ends_with(is_part));
    let named = begins.map(|(at, _)| text[at..].split(|c| !is_part(c)).next().unwrap().trim_end_matches('.'));
    let named: Vec<&str> = named.collect();
    assert!(named.len() > 20, "{} names were found", named.len());
    let gone: Vec<&str> = named.into_iter().filter(|name| !root.join(name).exists()).collect();
    assert_eq!(gone, Vec::<&str>::new());
}

#[test]
fn the_reader_of_imports_sees_what_it_should() {
    let text = "use crate::db::{Db, iter::X};\n// crate::db::No\nfn f() { crate::table::g() }\nuse crate::{log, env::Env};\n\
                #[cfg(test)]\nmod tests {\n    use crate::db::No;\n}\n";
    let code = source::without_tests(&source::without_texts(text));
    let mut found: Vec<String> = crate_paths(&code).into_iter().map(|(_, path)| path.join("::")).collect();
    found.sort();
    assert_eq!(found, ["db::Db", "db::iter::X", "env::Env", "log", "table::g"]);
    assert!(!is_allowed("options", &["db".into(), "Db".into()]));
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
    let layer = LAYERS.iter().find(|(modules, _)| modules.contains(&module));
    let Some((group, below)) = layer else { return false };
    // Only modules of the two lowest groups import others of their group.
    let neighbour = group.contains(&first);
    neighbour || below.contains(&first) || below.contains(&FOUNDATION) && foundation.contains(&first)
}

/// Returns the top-level module of a file.
fn module_of(source: &Source) -> &str {
    source.module.first().map_or("lib", |name| name)
}

/// Returns every path that begins with `crate::`, without that prefix, and its line.
fn crate_paths(code: &str) -> Vec<(usize, Vec<String>)> {
    let (uses, code) = uses(code);
    let used = uses.into_iter().map(|used| (used.line, used.path));
    let all = used.chain(inline_paths(&code)).filter(|(_, path)| path.len() > 1 && path[0] == "crate");
    all.map(|(line, path)| (line, path[1..].to_vec())).collect()
}
