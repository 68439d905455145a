//! Paths in code: those of `use`, with groups expanded, and those in the code itself.

/// One name imported by a `use`.
#[derive(Debug, PartialEq, Eq)]
pub struct Use {
    /// As written; ends with `*` for all names of a module.
    pub path: Vec<String>,
    /// The local name.
    pub name: String,
    /// Whether it is re-exported.
    pub is_public: bool,
    /// Whether it is at the top level of the file, not in a function.
    pub is_outermost: bool,
    /// Whether it is in a module within the file, whose `super` is the file.
    pub is_within: bool,
    /// The line, from 1.
    pub line: usize,
}

/// Returns every name imported by a `use`, and the code with blanks in place of all `use`.
pub fn uses(code: &str) -> (Vec<Use>, String) {
    let mut found = Vec::new();
    let mut left = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = next_use(rest) {
        let (before, statement) = rest.split_at(at);
        left.push_str(before);
        let line = left.lines().count().max(1);
        let head = left.rsplit('\n').next().unwrap_or_default().to_string();
        let end = statement.find(';').map_or(statement.len(), |end| end + 1);
        let tree = statement["use ".len()..end].trim_end_matches(';').split_whitespace().collect::<Vec<_>>().join(" ");
        let mut leaves = Vec::new();
        expand(&tree, &[], &mut leaves);
        found.extend(leaves.into_iter().map(|(path, name)| Use {
            path,
            name,
            is_public: head.trim_start().starts_with("pub"),
            is_outermost: !head.starts_with(' '),
            is_within: is_within_module(&left),
            line,
        }));
        left.extend(statement[..end].chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = &statement[end..];
    }
    (found, left + rest)
}

/// Whether the code after `before` is in a `mod name { ... }`.
fn is_within_module(before: &str) -> bool {
    let opened = before.lines().rev().find(|line| !line.starts_with(' ') && !line.is_empty()).unwrap_or_default();
    opened.ends_with('{') && opened.split_whitespace().any(|word| word == "mod")
}

/// Returns the offset of the next `use` statement.
fn next_use(rest: &str) -> Option<usize> {
    rest.match_indices("use ").map(|(at, _)| at).find(|at| {
        let head = rest[..*at].rsplit('\n').next().unwrap_or_default().trim();
        head.is_empty() || head == "pub" || head.starts_with("pub(") && head.ends_with(')')
    })
}

/// Expands `a::{b, c::d as e, self}` to `a::b`, `a::c::d` and `a`, each with its local name.
fn expand(tree: &str, before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let (head, group) = tree.split_once('{').map_or((tree, None), |(head, rest)| (head, Some(rest)));
    let (head, alias) = head.split_once(" as ").map_or((head, None), |(head, alias)| (head, Some(alias.trim())));
    let mut path = before.to_vec();
    path.extend(head.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_string));
    let Some(group) = group else {
        if path.len() > 1 && path.last().is_some_and(|name| name == "self") {
            path.pop();
        }
        let name = alias.or(path.last().map(String::as_str)).unwrap_or_default().to_string();
        return found.push((path, name));
    };
    let mut depth = 0;
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let parts = group.split(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    for part in parts.filter(|part| !part.trim().is_empty()) {
        expand(part.trim(), &path, found);
    }
}

/// Returns every path and single name of `code` outside of `use`, with its line.
pub fn inline_paths(code: &str) -> Vec<(usize, Vec<String>)> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(at) = rest.find(is_name) {
            let preceded = rest[..at].ends_with("::") || rest[..at].ends_with('$') || rest[..at].ends_with('.');
            let mut path = Vec::new();
            rest = &rest[at..];
            loop {
                let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                path.push(rest[..length].to_string());
                rest = &rest[length..];
                match rest.strip_prefix("::") {
                    Some(following) if following.starts_with(is_name) => rest = following,
                    _ => break,
                }
            }
            if !preceded {
                found.push((number + 1, path));
            }
        }
    }
    found
}

#[test]
fn groups_are_taken_apart() {
    let code = "use a::{b, c::{d as e, f}, self};\npub(crate) use super::g;\nfn h() {\n    use i::*;\n    j::k(l.m);\n}\nmod n {\n    use super::o;\n}\n";
    let (found, left) = uses(code);
    let shown: Vec<String> = found.iter().map(|u| format!("{} {} {}", u.line, u.path.join("::"), u.name)).collect();
    assert_eq!(shown, ["1 a::b b", "1 a::c::d e", "1 a::c::f f", "1 a a", "2 super::g g", "4 i::* *", "8 super::o o"]);
    assert_eq!(found.iter().map(|u| u.is_public).collect::<Vec<_>>(), [false, false, false, false, true, false, false]);
    let places: Vec<_> = found.iter().map(|u| (u.is_outermost, u.is_within)).skip(4).collect();
    assert_eq!(places, [(true, false), (false, false), (false, true)]);
    let paths: Vec<String> =
        inline_paths(&left).into_iter().map(|(line, p)| format!("{line} {}", p.join("::"))).collect();
    assert_eq!(paths, ["2 pub", "2 crate", "3 fn", "3 h", "5 j::k", "5 l", "7 mod", "7 n"]);
}
