//! The limit of the size of a file.

use std::collections::BTreeMap;

use super::source::all_files;

const LINES_MAX: usize = 500;

/// Files that are larger, with the reason.
const LARGER: &[(&str, &str)] = &[("db/mod.rs", "one method for each call of the database")];

#[test]
fn files_can_be_read_at_one_sitting() {
    let sizes: BTreeMap<String, usize> =
        all_files().into_iter().map(|(path, text)| (path, text.lines().count())).collect();
    let is_listed = |path: &str| LARGER.iter().any(|(larger, _)| *larger == path);
    let large: Vec<_> = sizes.iter().filter(|(path, lines)| **lines > LINES_MAX && !is_listed(path)).collect();
    assert!(large.is_empty(), "more than {LINES_MAX} lines: split them, or say in the list why not: {large:?}");
    for (path, reason) in LARGER {
        let lines = sizes.get(*path).copied().unwrap_or_default();
        assert!(lines > LINES_MAX, "src/{path} has {lines} lines; take it from the list ({reason})");
    }
}
