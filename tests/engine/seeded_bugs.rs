//! Proves that the tests find each planted bug (scorecard R41).
//!
//! Run with `cargo test --release --features seeded-bugs --test engine seeded_bugs`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use varve::{Bug, plant};

use crate::{crash, fault, oracle};

type Family = (&'static str, fn() -> Result<(), String>);

const RANDOM_CRASHES: Family = ("random crashes", || (0..600).try_for_each(crash::random_crash));
const CRASH_POINTS: Family = ("crash points", || crash::every_crash_point(1, 3).map(drop));
const REPEATED_CRASHES: Family = ("repeated crashes", || (0..400).try_for_each(crash::repeated_crash));
const LIES: Family = ("lies", || fault::every_lie(1, 3).map(drop));
const FAULTS: Family = ("faults", || fault::every_fault(1, 3).map(drop));
const ORACLE: Family = ("oracle", || {
    (0..10).for_each(|seed| oracle::run_on(seed, 3_000, std::rc::Rc::new(varve::env::MemoryEnv::new())));
    Ok(())
});

const FAMILIES: [Family; 6] = [RANDOM_CRASHES, CRASH_POINTS, REPEATED_CRASHES, LIES, FAULTS, ORACLE];

/// Each with the family that catches it soonest, which is tried before the others.
const BUGS: [(Bug, Family); 17] = [
    (Bug::LogNotSynced, RANDOM_CRASHES),
    (Bug::TableNotSynced, RANDOM_CRASHES),
    (Bug::ManifestNotSynced, RANDOM_CRASHES),
    (Bug::NamesNotSynced, CRASH_POINTS),
    (Bug::CurrentBeforeManifest, RANDOM_CRASHES),
    (Bug::SizeNotChecked, LIES),
    (Bug::FailedAppendNotTruncated, LIES),
    (Bug::FileNumberReused, RANDOM_CRASHES),
    (Bug::LogRemovedEarly, RANDOM_CRASHES),
    (Bug::RecoveryOffByOne, RANDOM_CRASHES),
    (Bug::TombstoneDroppedEarly, RANDOM_CRASHES),
    (Bug::OlderLogNotSynced, RANDOM_CRASHES),
    (Bug::CutNotSynced, FAULTS),
    (Bug::RecoveredLogNotSynced, RANDOM_CRASHES),
    (Bug::GapNotSeen, RANDOM_CRASHES),
    (Bug::SyncErrorIgnored, RANDOM_CRASHES),
    (Bug::RowsOutliveVersion, ORACLE),
];

#[test]
fn every_planted_bug_is_caught() {
    for (bug, likely) in BUGS {
        plant(Some(bug));
        let caught = [likely].iter().chain(&FAMILIES).find_map(|(name, family)| {
            let result = catch_unwind(AssertUnwindSafe(family));
            let error = result.unwrap_or_else(|_| Err("panic".to_owned())).err();
            error.map(|error| (*name, error))
        });
        plant(None);
        let Some((family, error)) = caught else { panic!("{bug:?} is not caught") };
        println!("{bug:?}: caught by {family}: {}", error.chars().take(160).collect::<String>());
    }
}
