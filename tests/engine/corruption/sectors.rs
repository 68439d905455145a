//! Sectors that a storage reads wrongly (scorecard R09).

use std::rc::Rc;

use varve::env::{FaultEnv, FaultKind, FaultRule, MemoryEnv, Operation, SectorFault};
use varve::{Db, Options, ReadOptions, RecoveryMode, block_on};

use super::image::{Image, Map, Tally, long, open, options, reading, reads_right, scan, value_of};
use crate::common::random::Random;

const FAULTS: [SectorFault; 5] =
    [SectorFault::Zeroed, SectorFault::Noise, SectorFault::Misdirected, SectorFault::Stale, SectorFault::BitFlip];

fn seeds() -> u64 {
    if long() { 50_000 } else { 2_000 }
}

fn rule(random: &mut Random, name: &str, reads: usize, sizes: &[usize]) -> FaultRule {
    let fault = *random.pick(&FAULTS);
    let first = random.below(reads) as u64 + 1;
    let rule = FaultRule::at(first, FaultKind::BadSector { fault, size: *random.pick(sizes) })
        .on(Operation::ReadAt)
        .named(name);
    if random.one_in(4) { rule.for_ever() } else { rule }
}

/// The earlier content of the medium: files of an older database of the same shape, in both orders.
///
/// It is shifted by less than a sector from seed to seed, so that whole old blocks and records
/// appear.
fn stale(seed: u64, older: &Image, suffix: &str) -> Vec<u8> {
    let of = |wanted: bool| older.files.iter().filter(move |(name, _)| name.contains(suffix) == wanted);
    let bytes = of(true).chain(of(false)).flat_map(|(_, bytes)| bytes.iter().copied());
    bytes.skip(if seed.is_multiple_of(2) { 0 } else { seed as usize % 512 }).collect()
}

#[test]
fn a_bad_sector_of_a_table_is_detected_or_harmless() {
    let (image, older) = (Image::with_log(), Image::with_other_log());
    let expected = image.whole();
    let mut tally = Tally::default();
    let below = image.env(&[]);
    for seed in 0..seeds() {
        let mut random = Random::new(seed);
        let env = FaultEnv::new(Rc::new(below.clone()), seed);
        env.add(rule(&mut random, ".ldb", 8, &[512, 4096]));
        env.set_stale(stale(seed, &older, ".ldb"));
        tally.case(|| {
            let options = reading(RecoveryMode::PointInTime);
            let db = block_on(Db::open(Rc::new(env), options)).unwrap();
            reads_right(&db, &expected, &[b"count", b"deep/0007", b"deep/0050", b"shallow/0003", b"nothing"])
        });
    }
    tally.print("sectors of tables");
}

#[test]
fn a_bad_sector_of_the_log_leaves_a_prefix() {
    let (image, older) = (Image::with_log(), Image::with_other_log());
    let mut tally = Tally::default();
    let below = image.env(&[]);
    for seed in 0..seeds() {
        let mut random = Random::new(seed);
        let env = FaultEnv::new(Rc::new(below.clone()), seed);
        env.add(rule(&mut random, ".log", 1, &[64, 512, 4096]));
        // Damage that the format cannot detect: old records at the very start of a log (LevelDB's
        // manifests may be ahead of their logs), and an old last fragment after a new first one.
        let mut stale = stale(seed, &older, ".log");
        stale.chunks_mut(32 << 10).for_each(|block| block.iter_mut().take(4096).for_each(|byte| *byte = 0));
        env.set_stale(stale);
        tally.case(|| {
            let db = block_on(Db::open(Rc::new(env), reading(RecoveryMode::PointInTime))).unwrap();
            image.prefix(&scan(&db, &ReadOptions::default(), None).unwrap()) == image.batches.len()
        });
    }
    tally.print("sectors of the log");
}

#[test]
fn a_bad_sector_of_manifest_or_current_is_an_error_or_changes_nothing() {
    let (image, older) = (Image::with_log(), Image::with_other_log());
    let expected = image.whole();
    let mut tally = Tally::default();
    for seed in 0..seeds() {
        let mut random = Random::new(seed);
        let env = FaultEnv::new(Rc::new(image.env(&[])), seed);
        let name = *random.pick(&["MANIFEST", "MANIFEST", "MANIFEST", "CURRENT"]);
        env.add(rule(&mut random, name, 1, &[16, 64, 512]));
        env.set_stale(stale(seed, &older, name));
        tally.case(|| {
            let options = Options { create_if_missing: random.one_in(2), ..options() };
            let Ok(db) = block_on(Db::open(Rc::new(env), options)) else { return false };
            assert!(reads_right(&db, &expected, &[b"count"]), "seed {seed}");
            true
        });
    }
    tally.print("sectors of manifest and CURRENT");
}

/// Three tables of level 0 above two of level 1.
fn layered() -> (MemoryEnv, Map) {
    let env = MemoryEnv::new();
    let mut map = Map::new();
    let db = block_on(Db::open(Rc::new(env.clone()), options())).unwrap();
    for round in 0..5 {
        for i in 0..60 {
            let key = format!("k{:05}", i * 7 + round).into_bytes();
            let value = value_of(&[&key[..], &[round as u8]].concat(), 90);
            block_on(db.put(&key, &value)).unwrap();
            map.insert(key, value);
        }
        block_on(db.flush()).unwrap();
        if round == 1 {
            block_on(db.compact_range(None, None)).unwrap();
        }
    }
    drop(db);
    (env, map)
}

#[test]
fn a_compaction_does_not_copy_damage() {
    let (below, expected) = layered();
    let mut tally = Tally::default();
    for seed in 0..seeds() {
        let mut random = Random::new(seed);
        let medium = below.snapshot();
        let env = FaultEnv::new(Rc::new(medium.clone()), seed);
        let db = block_on(Db::open(Rc::new(env.clone()), options())).unwrap();
        env.add(rule(&mut random, ".ldb", 12, &[512, 4096]));
        tally.case(|| {
            let compacted = block_on(db.compact_range(None, None)).is_ok();
            env.clear();
            if let Err(error) = block_on(db.resume()) {
                panic!("seed {seed}: no way back after the fault is gone: {error}");
            }
            drop(db);
            // The medium was right all the time, and so must be everything on it.
            let db = open(&medium, options()).unwrap();
            assert!(reads_right(&db, &expected, &[b"k00007", b"k00301", b"x"]), "seed {seed}");
            assert_eq!(block_on(db.verify()).unwrap().findings, [], "seed {seed}");
            compacted
        });
    }
    tally.print("compactions over bad sectors");
}

#[test]
fn a_compaction_with_a_damaged_table_keeps_the_other_tables() {
    let (below, expected) = layered();
    let names: Vec<String> = below.names().into_iter().filter(|n| n.ends_with(".ldb")).collect();
    let read = ReadOptions::default();
    let mut tally = Tally::default();
    for seed in 0..seeds() {
        let mut random = Random::new(seed);
        let env = below.snapshot();
        let name = random.pick(&names);
        let whole = env.read(name).unwrap();
        let mut bytes = whole.clone();
        let from = random.below(bytes.len());
        let to = (from + *random.pick(&[1, 64, 512])).min(bytes.len());
        let fill = random.next() as u8;
        bytes[from..to].iter_mut().for_each(|byte| *byte = byte.wrapping_add(fill | 1));
        env.write(name, &bytes);
        tally.case(|| {
            let Ok(db) = open(&env, options()) else { return false };
            let compacted = block_on(db.compact_range(None, None)).is_ok();
            for (key, value) in &expected {
                if let Ok(found) = block_on(db.get_with(&read, key)) {
                    assert_eq!(found.as_ref(), Some(value), "seed {seed}: a wrong value of {}", key.escape_ascii());
                }
            }
            drop(db);
            if env.read(name).is_some() {
                env.write(name, &whole);
            }
            let db = open(&env, options()).unwrap();
            assert!(reads_right(&db, &expected, &[b"k00007"]), "seed {seed}: the damage was passed on");
            compacted
        });
    }
    tally.print("compactions over damaged tables");
}
