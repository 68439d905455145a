//! Files that end too early or too late (scorecard R08).

use varve::base::FileName;
use varve::env::Env;
use varve::{Options, ReadOptions, RecoveryMode, block_on, repair};

use super::bytes::records;
use super::image::{Image, Tally, long, open, options, reading, reads_anything, reads_right, reads_state, scan};
use crate::common::random::Random;
use std::rc::Rc;

const MODES: [RecoveryMode; 3] = [RecoveryMode::Strict, RecoveryMode::PointInTime, RecoveryMode::Compat];

fn writing(recovery: RecoveryMode) -> Options {
    Options { create_if_missing: false, recovery, ..options() }
}

/// 1 byte to 64 KiB of zeros, and of noise.
fn tails() -> Vec<Vec<u8>> {
    let mut random = Random::new(8);
    let mut found = Vec::new();
    for length in [1, 2, 3, 4, 6, 7, 8, 11, 12, 13, 48, 100, 512, 4096, 32_761, 32_768, 40_000, 65_536] {
        found.push(vec![0; length]);
        for _ in 0..4 {
            found.push((0..length).map(|_| random.next() as u8).collect());
        }
    }
    found
}

#[test]
fn a_log_truncated_anywhere_leaves_a_prefix() {
    let image = Image::with_log();
    let name = image.log_name();
    let bytes = image.read(&name);
    let read = ReadOptions::default();
    let mut tally = Tally::default();
    let step = if cfg!(debug_assertions) { 17 } else { 1 };
    for cut in (0..bytes.len()).step_by(step) {
        let env = image.env(&[(&name, &bytes[..cut])]);
        let mut before = None;
        let others = cut % 16 == 0 || long();
        for mode in MODES.into_iter().filter(|mode| others || *mode == RecoveryMode::PointInTime) {
            tally.case(|| {
                let Ok(db) = open(&env, reading(mode)) else {
                    assert!(mode == RecoveryMode::Strict, "cut at {cut}, {mode:?}");
                    return false;
                };
                let batches = image.prefix(&scan(&db, &read, None).unwrap());
                assert_eq!(*before.get_or_insert(batches), batches, "cut at {cut}: the modes differ");
                true
            });
        }
        assert!(before.is_some());
    }
    tally.print("log cuts");
}

#[test]
fn a_log_with_extra_bytes_keeps_its_records() {
    let image = Image::with_log();
    let name = image.log_name();
    let mut tally = Tally::default();
    let expected = image.whole();
    for tail in tails() {
        let bytes = [image.read(&name), &tail].concat();
        for mode in MODES {
            tally.case(|| {
                let env = image.env(&[(&name, &bytes)]);
                let Ok(db) = open(&env, writing(mode)) else {
                    assert!(mode == RecoveryMode::Strict, "a tail of {} bytes", tail.len());
                    return false;
                };
                assert!(reads_right(&db, &expected, &[b"count"]));
                true
            });
        }
    }
    tally.print("log tails");
}

#[test]
fn a_manifest_truncated_or_with_extra_bytes_is_an_error_or_unchanged() {
    let image = Image::with_log();
    let name = image.manifest_name();
    let bytes = image.read(&name);
    let mut tally = Tally::default();
    let cuts = (0..bytes.len()).map(|cut| bytes[..cut].to_vec());
    let tailed = tails().into_iter().map(|tail| [bytes, &tail].concat());
    for changed in cuts.chain(tailed) {
        for mode in MODES {
            for options in [reading(mode), writing(mode)] {
                tally.case(|| {
                    let env = image.env(&[(&name, &changed)]);
                    let Ok(db) = open(&env, options) else { return false };
                    let right = reads_state(&db, &image, mode, &[b"count", b"deep/0007"]);
                    assert!(right, "{} of {} bytes, {mode:?}", changed.len(), bytes.len());
                    true
                });
            }
        }
    }
    tally.print("manifest cuts and tails");
    assert!(records(bytes).len() > 3);
}

#[test]
fn a_table_truncated_or_with_extra_bytes_is_an_error() {
    let image = Image::with_log();
    let name = image.table_names().pop().unwrap();
    let bytes = image.read(&name);
    let expected = image.whole();
    let mut tally = Tally::default();
    let cuts = (0..bytes.len()).map(|cut| bytes[..cut].to_vec());
    let tailed = tails().into_iter().map(|tail| [bytes, &tail].concat());
    let keys: [&[u8]; 3] = [b"count", b"deep/0007", b"shallow/0002"];
    for changed in cuts.chain(tailed) {
        let env = image.env(&[(&name, &changed)]);
        tally.case(|| match open(&env, reading(RecoveryMode::PointInTime)) {
            Ok(db) => reads_right(&db, &expected, &keys),
            Err(_) => false,
        });
        tally.case(|| match open(&env, reading(RecoveryMode::Compat)) {
            Ok(db) => reads_anything(&db, &keys),
            Err(_) => false,
        });
    }
    tally.print("table cuts and tails");
}

/// LevelDB issue 251: a repair that accepted zeros at the end made a key of them.
#[test]
fn repair_makes_no_key_from_extra_bytes() {
    let image = Image::with_log();
    let (log, table) = (image.log_name(), image.table_names().pop().unwrap());
    let read = ReadOptions::default();
    let mut tally = Tally::default();
    let mut tails = tails();
    // Zeros where a record would begin, inside a file as well.
    tails.push(vec![0; 3 * 32_768]);
    for tail in &tails {
        for name in [&log, &table] {
            for cut in [0, 1, 1000] {
                for paranoid_checks in [true, false] {
                    tally.case(|| {
                        let whole = image.read(name);
                        let bytes = [&whole[..whole.len().saturating_sub(cut)], tail].concat();
                        let env = image.env(&[(name, &bytes)]);
                        let options = Options { paranoid_checks, ..options() };
                        if block_on(repair(Rc::new(env.clone()) as Rc<dyn Env>, options.clone())).is_err() {
                            return false;
                        }
                        let db = open(&env, options).unwrap();
                        let found = scan(&db, &read, None).unwrap();
                        if paranoid_checks || (cut == 0 && tail.iter().all(|byte| *byte == 0)) {
                            let strange = found.iter().find(|(k, v)| !image.was_written(k, v));
                            assert_eq!(strange, None, "{name}, a tail of {} bytes", tail.len());
                        }
                        true
                    });
                }
            }
        }
    }
    tally.print("repairs");
    assert!(matches!(FileName::parse(&log), Some(FileName::Log(_))));
}
