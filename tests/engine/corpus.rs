//! The shared corpus of golden files: `$VARVE_CORPUS`, or `../shared/corpus` beside the repository.
//!
//! Its README describes the fields of `manifest.json`. `compat.rs` does the same for the few cases
//! in the repository.

use std::path::PathBuf;

use super::common::golden::{Case, load};

/// Damage that no reader can detect: the files are intact, but not the ones that were written.
const INVISIBLE: [&str; 2] = [
    // The last record of the log was removed completely: the log ends as if it had never been
    // added.
    "wal-cut-exact-record",
    // The files are intact; the case is about opening them with another comparator than the one
    // they name.
    "wrong-comparator",
];

/// The cases, or none, with a message, if there is no corpus.
pub fn cases() -> Vec<Case> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let root = std::env::var_os("VARVE_CORPUS").map_or(beside, PathBuf::from);
    let manifest = root.join("manifest.json");
    if !manifest.is_file() {
        println!("SKIPPED: no corpus at {} (set VARVE_CORPUS)", root.display());
        return Vec::new();
    }
    load(&manifest)
}

#[test]
fn intact_cases_read_as_the_manifest_says() {
    cases().iter().filter(|case| case.is_intact()).for_each(Case::check_intact);
}

#[test]
fn intact_databases_stay_the_same_through_compaction_and_reopening() {
    cases().iter().filter(|case| case.is_intact() && !case.is_table()).for_each(Case::check_read_write);
}

#[test]
fn compat_mode_reads_damage_exactly_as_leveldb() {
    cases().iter().filter(|case| case.is_damaged()).for_each(Case::check_compat);
}

#[test]
fn strict_mode_finds_all_detectable_damage() {
    for case in cases().iter().filter(|case| case.is_damaged()) {
        assert_eq!(case.strict_finds_it(), !INVISIBLE.contains(&case.id.as_str()), "{}", case.id);
    }
}

#[test]
fn point_in_time_mode_returns_an_error_or_a_state_that_once_existed() {
    cases().iter().filter(|case| case.is_damaged()).for_each(Case::check_point_in_time);
}

#[test]
fn repair_recovers_the_same_entries_as_leveldbs_repair() {
    cases().iter().filter(|case| case.is_repair()).for_each(Case::check_repair);
}
