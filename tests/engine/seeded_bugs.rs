//! Proves that the tests find each planted bug (scorecard R41).
//!
//! Run with `cargo test --release --features seeded-bugs --test engine seeded_bugs`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use varve::{Bug, plant};

use crate::{crash, fault, oracle};

const BUGS: [Bug; 17] = [
    Bug::LogNotSynced,
    Bug::TableNotSynced,
    Bug::ManifestNotSynced,
    Bug::NamesNotSynced,
    Bug::CurrentBeforeManifest,
    Bug::SizeNotChecked,
    Bug::FailedAppendNotTruncated,
    Bug::FileNumberReused,
    Bug::LogRemovedEarly,
    Bug::RecoveryOffByOne,
    Bug::TombstoneDroppedEarly,
    Bug::OlderLogNotSynced,
    Bug::CutNotSynced,
    Bug::RecoveredLogNotSynced,
    Bug::GapNotSeen,
    Bug::SyncErrorIgnored,
    Bug::RowsOutliveVersion,
];

type Family = (&'static str, fn() -> Result<(), String>);

const FAMILIES: [Family; 6] = [
    ("random crashes", || (0..600).try_for_each(crash::random_crash)),
    ("crash points", || crash::every_crash_point(1, 3).map(drop)),
    ("repeated crashes", || (0..400).try_for_each(crash::repeated_crash)),
    ("lies", || fault::every_lie(1, 3).map(drop)),
    ("faults", || fault::every_fault(1, 3).map(drop)),
    ("oracle", || {
        (0..10).for_each(|seed| oracle::run_on(seed, 3_000, std::rc::Rc::new(varve::env::MemoryEnv::new())));
        Ok(())
    }),
];

#[test]
fn every_planted_bug_is_caught() {
    for bug in BUGS {
        plant(Some(bug));
        let caught = FAMILIES.iter().find_map(|(name, family)| {
            let result = catch_unwind(AssertUnwindSafe(family));
            let error = result.unwrap_or_else(|_| Err("panic".to_owned())).err();
            error.map(|error| (name, error))
        });
        plant(None);
        let Some((family, error)) = caught else { panic!("{bug:?} is not caught") };
        println!("{bug:?}: caught by {family}: {}", error.chars().take(160).collect::<String>());
    }
}
