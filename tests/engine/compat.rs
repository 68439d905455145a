//! Files of real engines in the repository (`tests/fixtures`), intact and damaged.

use std::path::Path;

use super::common::golden::{Case, load};

fn cases() -> Vec<Case> {
    let cases = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/expected.json"));
    assert_eq!(cases.len(), 16);
    cases
}

#[test]
fn intact_fixtures_read_as_expected() {
    cases().iter().filter(|case| case.is_intact()).for_each(Case::check_intact);
}

#[test]
fn intact_fixtures_stay_the_same_through_compaction_and_reopening() {
    cases().iter().filter(|case| case.is_intact() && !case.is_table()).for_each(Case::check_read_write);
}

#[test]
fn damaged_fixtures_are_read_in_each_recovery_mode() {
    for case in cases().iter().filter(|case| case.is_damaged()) {
        case.check_compat();
        case.check_point_in_time();
        assert!(case.strict_finds_it(), "{}", case.id);
    }
}

#[test]
fn a_repaired_fixture_has_the_entries_that_leveldbs_repair_recovers() {
    cases().iter().filter(|case| case.is_repair()).for_each(Case::check_repair);
}
