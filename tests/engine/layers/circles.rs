//! Finds cycles of imports between files. Each name is followed through re-exports (`mod.rs`) to the
//! file that defines it.
//!
//! Re-exports are not imports; other code in a `mod.rs` is treated like that of any file.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Use, inline_paths, uses};
use super::source::{Source, declared_modules, sources};

#[test]
fn no_files_import_each_other_in_a_circle() {
    let house = House::of(sources());
    let circles: Vec<String> = house.circles().iter().map(|circle| house.tell(circle)).collect();
    assert!(circles.is_empty(), "{} circles of imports:\n{}", circles.len(), circles.join("\n"));
}

#[test]
fn every_path_leads_to_a_file() {
    let house = House::of(sources());
    assert_eq!(house.lost, Vec::<String>::new());
    let edges: usize = house.rooms.iter().map(|room| room.imports.len()).sum();
    assert!(edges > 3 * house.rooms.len(), "{edges} imports between {} files", house.rooms.len());
}

#[test]
fn names_are_followed_through_the_doors() {
    let file = |path: &str, code: &str| {
        let module = path.trim_end_matches(".rs").trim_end_matches("mod").trim_end_matches("lib").split('/');
        let module = module.filter(|name| !name.is_empty()).map(str::to_string).collect();
        Source { path: path.into(), module, code: code.into() }
    };
    let house = House::of(vec![
        file("lib.rs", "mod a;\nmod b;\nmod c;\npub use a::One;\n"),
        file("a/mod.rs", "mod one;\nmod two;\npub(crate) use one::{One, late};\npub(crate) use two::*;\n"),
        file("a/one.rs", "pub struct One;\npub const fn late() {\n    super::two();\n}\n"),
        file("a/two.rs", "use crate::b::Both as Other;\npub fn two() -> Other {}\n"),
        file("b.rs", "use crate::a;\npub enum Both {}\nfn f() -> crate::One {\n    a::late()\n}\n"),
        file("c/mod.rs", "mod d;\npub(crate) use d::D;\nimpl E for D {}\ntrait E {}\n"),
        file("c/d.rs", "pub struct D;\nimpl super::E for D {}\n"),
    ]);
    assert_eq!(house.lost, Vec::<String>::new());
    let imports = |path: &str| {
        let room = house.rooms.iter().find(|room| room.source.path == path).unwrap();
        room.imports.iter().map(|to| &*house.rooms[*to].source.path).collect::<Vec<_>>()
    };
    assert_eq!(imports("lib.rs"), Vec::<&str>::new());
    assert_eq!(imports("a/mod.rs"), Vec::<&str>::new());
    assert_eq!(imports("a/one.rs"), ["a/two.rs"]);
    assert_eq!(imports("a/two.rs"), ["b.rs"]);
    assert_eq!(imports("b.rs"), ["a/one.rs"]);
    assert_eq!(imports("c/mod.rs"), ["c/d.rs"]);
    assert_eq!(house.circles(), [vec!["a/one.rs", "a/two.rs", "b.rs"], vec!["c/mod.rs", "c/d.rs"]]);
}

/// All files and their imports.
struct House {
    rooms: Vec<Room>,
    by_module: BTreeMap<Vec<String>, usize>,
    /// Paths that cannot be resolved.
    lost: Vec<String>,
}

struct Room {
    source: Source,
    uses: Vec<Use>,
    /// The code outside of `use`.
    code: String,
    /// The names that it defines.
    items: BTreeSet<String>,
    imports: BTreeSet<usize>,
}

/// The target of a path.
enum Target {
    /// An item of this file.
    Item(usize),
    /// A module itself.
    Module,
    /// Outside of the crate.
    Foreign,
    Nowhere,
}

impl House {
    fn of(sources: Vec<Source>) -> House {
        let by_module = sources.iter().enumerate().map(|(at, source)| (source.module.clone(), at)).collect();
        let rooms = sources.into_iter().map(|source| {
            let (uses, code) = uses(&source.code);
            let items = items(&code);
            Room { source, uses, code, items, imports: BTreeSet::new() }
        });
        let mut house = House { rooms: rooms.collect(), by_module, lost: Vec::new() };
        for at in 0..house.rooms.len() {
            house.connect(at);
        }
        house
    }

    /// Finds what the file imports.
    fn connect(&mut self, at: usize) {
        let room = &self.rooms[at];
        let is_door = room.source.path.ends_with("mod.rs") || room.source.path == "lib.rs";
        let (mut imports, mut lost) = (BTreeSet::new(), Vec::new());
        let mut note = |line: usize, path: &[String], counts: bool| match self.resolve(&room.source.module, path, 0) {
            Target::Item(file) if counts => drop(imports.insert(file)),
            Target::Nowhere => lost.push(format!("src/{}:{line}: {}", room.source.path, path.join("::"))),
            _ => {}
        };
        for used in &room.uses {
            let is_own = used.is_within && used.path[0] == "super";
            let path = if is_own { [&["self".to_string()], &used.path[1..]].concat() } else { used.path.clone() };
            note(used.line, &path, !(is_door && used.is_public));
        }
        for (line, path) in inline_paths(&room.code) {
            let handed_on = || room.uses.iter().any(|u| u.is_public && u.name == path[0]);
            let own = room.items.contains(&path[0]) && !declared_modules(&room.code).any(|module| module == path[0]);
            if !own && (path.len() > 1 || is_door && handed_on()) {
                note(line, &path, true);
            }
        }
        imports.remove(&at);
        self.rooms[at].imports = imports;
        self.lost.extend(lost);
    }

    /// Resolves `path` in `module`.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Target {
        assert!(depth < 20, "{} goes round", path.join("::"));
        let Some(first) = path.first() else { return Target::Module };
        let child = [module, std::slice::from_ref(first)].concat();
        match &**first {
            "crate" => self.walk(&[], &path[1..], depth),
            "self" => self.walk(module, &path[1..], depth),
            "super" if path.get(1).is_some_and(|next| next == "super") => {
                self.resolve(&module[..module.len() - 1], &path[1..], depth)
            }
            "super" => self.walk(&module[..module.len() - 1], &path[1..], depth),
            _ if self.by_module.contains_key(&child) => self.walk(module, path, depth),
            name => match self.named(module, name) {
                Some(used) if used.path[0] != *first => {
                    let whole = [&used.path[..], &path[1..]].concat();
                    self.resolve(module, &whole, depth + 1)
                }
                _ => Target::Foreign,
            },
        }
    }

    fn walk(&self, module: &[String], path: &[String], depth: usize) -> Target {
        let Some(file) = self.by_module.get(module).copied() else { return Target::Nowhere };
        let Some(name) = path.first() else { return Target::Module };
        if name == "*" {
            return Target::Module;
        }
        let child = [module, std::slice::from_ref(name)].concat();
        // A module and a function can have the same name; a longer path means the module.
        let (is_module, is_item) = (self.by_module.contains_key(&child), self.rooms[file].items.contains(name));
        if is_module && (path.len() > 1 || !is_item && self.named(module, name).is_none()) {
            return match self.walk(&child, &path[1..], depth) {
                Target::Module if path.len() == 1 => self.through_globs(file, module, path, depth, Target::Module),
                target => target,
            };
        }
        if is_item {
            return Target::Item(file);
        }
        if let Some(used) = self.named(module, name) {
            return self.resolve(module, &[&used.path[..], &path[1..]].concat(), depth + 1);
        }
        self.through_globs(file, module, path, depth, Target::Nowhere)
    }

    /// Resolves a name through `use module::*`.
    fn through_globs(&self, file: usize, module: &[String], path: &[String], depth: usize, or: Target) -> Target {
        for used in self.rooms[file].uses.iter().filter(|used| used.name == "*" && used.is_outermost) {
            let whole = [&used.path[..used.path.len() - 1], path].concat();
            if let target @ Target::Item(_) = self.resolve(module, &whole, depth + 1) {
                return target;
            }
        }
        or
    }

    fn named(&self, module: &[String], name: &str) -> Option<&Use> {
        let file = *self.by_module.get(module)?;
        self.rooms[file].uses.iter().find(|used| used.name == name)
    }

    /// Returns the groups of files that all import each other, directly or indirectly.
    fn circles(&self) -> Vec<Vec<&str>> {
        let reached: Vec<BTreeSet<usize>> = (0..self.rooms.len()).map(|at| self.reached_from(at)).collect();
        let mut circles = BTreeSet::new();
        for (at, reach) in reached.iter().enumerate().filter(|(at, reach)| reach.contains(at)) {
            let circle = reach.iter().filter(|other| reached[**other].contains(&at));
            circles.insert(circle.map(|other| &*self.rooms[*other].source.path).collect::<Vec<_>>());
        }
        circles.into_iter().collect()
    }

    fn reached_from(&self, start: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![start];
        while let Some(at) = waiting.pop() {
            waiting.extend(self.rooms[at].imports.iter().filter(|next| found.insert(**next)));
        }
        found
    }

    /// Returns the imports within `circle`.
    fn tell(&self, circle: &[&str]) -> String {
        let inside = |file: &&Room| circle.contains(&&*file.source.path);
        let lines = self.rooms.iter().filter(inside).map(|room| {
            let imports = room.imports.iter().map(|to| &self.rooms[*to]).filter(inside);
            let imports: Vec<_> = imports.map(|to| &*to.source.path).collect();
            format!("  {} imports {}", room.source.path, imports.join(", "))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Returns the names that `code` defines at the top level or in an `extern` block.
fn items(code: &str) -> BTreeSet<String> {
    const KINDS: [&str; 9] = ["fn", "struct", "enum", "trait", "type", "const", "static", "union", "macro_rules!"];
    let mut found = BTreeSet::new();
    let mut in_extern = false;
    for line in code.lines() {
        in_extern = if line.starts_with("extern") { true } else { in_extern && line != "}" };
        let line = if in_extern { line.trim_start() } else { line };
        if line.starts_with(' ') {
            continue;
        }
        let line = if line.starts_with("pub(") { line.split_once(')').map_or("", |(_, rest)| rest) } else { line };
        let mut words =
            line.split_whitespace().skip_while(|word| matches!(*word, "pub" | "async" | "unsafe" | "extern"));
        let Some(kind) = words.next().filter(|word| KINDS.contains(word)) else { continue };
        let name = words.find(|word| !matches!((kind, *word), ("const", "fn" | "unsafe") | ("static", "mut")));
        let name = name.unwrap_or_default();
        found.insert(name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_string());
    }
    found
}
