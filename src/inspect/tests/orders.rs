//! Look-ups in the order of Chromium's IndexedDB, and in orders that are not known.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::trace::{Files, World, agrees, env_of, files_of, options, state_of, trace, world_of};
use super::*;
use crate::base::{IDB_NAME, IdbComparator};
use crate::env::MemoryEnv;
use crate::inspect::{Answer, LogInspector, Mention, Outcome, Rule, Window};
use crate::{Comparator, Db, Options, ReadOptions, UserComparator, block_on};

fn idb_options() -> Options {
    Options { comparator: UserComparator::named(IDB_NAME.as_bytes()).unwrap(), ..options() }
}

fn files_in(folder: &str) -> Files {
    let mut files: Files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file() && !entry.file_name().to_string_lossy().starts_with("LO"))
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

/// The databases of IndexedDB in the fixtures and in the corpus.
fn idb_databases() -> Vec<Files> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut folders = vec![fixtures.join("chromium-library"), fixtures.join("chromium-indexeddb")];
    if let Some(root) = corpus() {
        let manifest = std::fs::read_to_string(root.join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        let cases = manifest["cases"].as_array().unwrap();
        let of_idb = cases.iter().filter(|case| case["comparator"] == IDB_NAME);
        folders.extend(of_idb.map(|case| root.join(case["path"].as_str().unwrap())));
    }
    folders.iter().map(|folder| files_in(folder.to_str().unwrap())).collect()
}

/// The records of an object store, and some bytes that are no keys; both zeros are one key.
fn key_of(number: u64) -> Vec<u8> {
    let value = f64::from(u32::try_from(number % 60).unwrap()) - 30.0;
    let record = |kind: u8, value: f64| [&[0, 1, 1, 1, kind][..], &value.to_le_bytes()].concat();
    match number % 61 {
        0..15 => record(3, value * 4.0),
        15 => record(3, 0.0),
        16 => record(3, -0.0),
        17..40 => record(2, value),
        40..55 => vec![0, 1, 1, 1, 1, 1, 0, u8::try_from(number % 251).unwrap()],
        _ => number.to_le_bytes()[..usize::try_from(number % 7).unwrap()].to_vec(),
    }
}

/// All keys, and some that are not there.
fn keys_of(db: &Db) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    let mut it = db.iter(&ReadOptions::default()).unwrap();
    block_on(it.seek_to_first()).unwrap();
    while it.valid() {
        keys.push(it.key().to_vec());
        keys.push([it.key(), &[0]].concat());
        block_on(it.next()).unwrap();
    }
    it.status().unwrap();
    keys
}

/// Asserts that traces say what `get` says, now and at the snapshots; returns the outcomes of steps.
fn assert_agrees(world: &World, keys: &[Vec<u8>]) -> BTreeSet<String> {
    let files = files_of(&world.env);
    let state = state_of(&files);
    let mut outcomes = BTreeSet::new();
    for key in keys {
        let views = world.snapshots.iter().map(|snapshot| (Some(snapshot.sequence().get()), Some(snapshot.clone())));
        for (at, snapshot) in views.chain([(None, None)]) {
            let traced = trace(&files, &state, key, at);
            let got = block_on(world.db.get_with(&ReadOptions { snapshot, ..ReadOptions::default() }, key));
            assert!(agrees(&traced.answer, &got), "{} at {at:?}: {traced:?}, {got:?}", key.escape_ascii());
            assert!(!matches!(traced.answer, Answer::Unknown(_)), "{traced:?}");
            outcomes.extend(traced.steps.iter().map(|step| format!("{:?}", step.outcome)));
        }
    }
    outcomes
}

#[test]
fn trace_and_get_agree_in_the_order_of_indexed_db() {
    let mut outcomes = BTreeSet::new();
    for (steps, seed) in [(40, 1), (600, 2), (2500, 3)] {
        let world = world_of(Rc::new(MemoryEnv::new()), idb_options(), key_of, steps, seed);
        let keys: Vec<_> = (0..500).step_by(3).map(key_of).collect();
        outcomes.append(&mut assert_agrees(&world, &keys));
        block_on(world.db.close()).unwrap();
    }
    for outcome in ["Skipped", "Filtered", "Absent", "Newer", "Found", "Deleted"] {
        assert!(outcomes.contains(outcome), "{outcome} of {outcomes:?}");
    }
}

#[test]
fn every_key_of_chromium_is_found_also_after_changes() {
    for files in idb_databases() {
        let env = env_of(&files);
        let read_only = Options { read_only: true, create_if_missing: false, ..idb_options() };
        let db = block_on(Db::open(env.clone(), read_only)).unwrap();
        let mut keys = keys_of(&db);
        // Of a large database a part will do.
        let step = keys.len() / 1000 + 1;
        keys = keys.into_iter().step_by(step).collect();
        assert!(keys.len() > 20);
        let world = World { db, env, snapshots: Vec::new() };
        assert_agrees(&world, &keys);
        block_on(world.db.close()).unwrap();
        if files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 1 << 20 {
            continue;
        }
        // More versions of the same keys, at several levels, with snapshots between.
        let own = |number: u64| keys[usize::try_from(number).unwrap() % keys.len()].clone();
        let options = Options { create_if_missing: false, ..idb_options() };
        let world = world_of(env_of(&files), options, own, 700, 9);
        let outcomes = assert_agrees(&world, &keys);
        assert!(outcomes.contains("Newer") && outcomes.contains("Deleted"), "{outcomes:?}");
        block_on(world.db.close()).unwrap();
    }
}

#[test]
fn damage_on_the_way_is_unknown_in_that_order_too() {
    let World { db, env, .. } = world_of(Rc::new(MemoryEnv::new()), idb_options(), key_of, 2500, 4);
    block_on(db.flush()).unwrap();
    block_on(db.close()).unwrap();
    let sound = files_of(&env);
    let state = state_of(&sound);
    let tables: Vec<usize> = (0..sound.len()).filter(|file| sound[*file].0.ends_with(".ldb")).collect();
    let (mut unknown, mut known) = (0, 0);
    for at in 0..20 {
        let mut files = sound.clone();
        let bytes = &mut files[tables[at * 7 % tables.len()]].1;
        let place = at * 997 % bytes.len();
        bytes[place] ^= 1 << (at % 8);
        let opened = Db::open(env_of(&files), Options { read_only: true, create_if_missing: false, ..idb_options() });
        let Ok(db) = block_on(opened) else { continue };
        for key in (0..200).map(key_of) {
            let traced = trace(&files, &state, &key, None);
            let got = block_on(db.get(&key));
            assert!(agrees(&traced.answer, &got), "{at}: {traced:?}, {got:?}");
            let is_unknown = matches!(traced.answer, Answer::Unknown(_));
            assert!(!is_unknown || traced.steps.last().unwrap().outcome == Outcome::Unknown);
            *(if is_unknown { &mut unknown } else { &mut known }) += 1;
        }
        block_on(db.close()).unwrap();
    }
    assert!(unknown > 50 && known > 500, "{unknown} {known}");
}

#[test]
fn an_order_that_is_not_known_is_told_by_name() {
    let files = files_in(&format!("{}/tests/fixtures/comparator-reverse", env!("CARGO_MANIFEST_DIR")));
    let traced = trace(&files, &state_of(&files), b"k", None);
    let Answer::Unknown(reason) = &traced.answer else { panic!("{traced:?}") };
    assert_eq!(reason, "the keys are in the order of corpus.ReverseBytewise, which is not known");
    assert_eq!(traced.steps, []);
}

/// The mentions of a key in all tables and logs, and the number of bytes that were read.
fn mentions(files: &Files, key: &[u8], rule: &Rule, is_ordered: bool) -> (Vec<Mention>, usize) {
    let (mut found, mut read) = (Vec::new(), 0);
    for (name, bytes) in files {
        let size = to_u64(bytes.len());
        let part = |(offset, length): (u64, usize)| {
            let start = usize::try_from(offset).unwrap();
            bytes[start..start + length].to_vec()
        };
        if name.ends_with(".log") {
            let mut window = Window::new(LogInspector::new(size).with_rule(rule.clone()));
            window.inspector().seek(key.to_vec(), 10);
            while let Some(wanted) = window.wanted() {
                window.feed(part(wanted));
            }
            found.append(&mut window.inspector().take_mentions().0);
        } else if name.ends_with(".ldb") {
            let mut inspector = TableInspector::new(size, Depth::Sweep).with_rule(rule.clone());
            inspector.seek(key.to_vec(), 10, is_ordered);
            let mut window = Window::new(inspector);
            while let Some(wanted) = window.wanted() {
                read += wanted.1;
                window.feed(part(wanted));
            }
            found.append(&mut window.inspector().take_mentions().0);
        }
    }
    (found, read)
}

#[test]
fn a_history_has_all_spellings_of_a_key_and_reads_few_blocks() {
    let World { db, env, .. } = world_of(Rc::new(MemoryEnv::new()), idb_options(), key_of, 2500, 5);
    block_on(db.close()).unwrap();
    let files = files_of(&env);
    let (idb, unknown) = (Rule::named(IDB_NAME.as_bytes()), Rule::named(b"other"));
    let (zero, minus) = (key_of(15), key_of(16));
    assert!(zero != minus && IdbComparator.compare(&zero, &minus).is_eq());
    for key in [&zero, &minus] {
        let (all, few) = mentions(&files, key, &idb, true);
        let (swept, whole) = mentions(&files, key, &idb, false);
        assert_eq!(all, swept);
        assert!(few * 2 < whole, "{few} of {whole} bytes");
        // As bytes, they are two keys.
        let (own, read) = mentions(&files, key, &unknown, true);
        assert_eq!(read, whole, "nothing can be left out");
        let other = if key == &zero { &minus } else { &zero };
        assert!(!own.is_empty() && own.iter().all(|mention| mention.key.is_none()));
        assert!(all.len() > own.len());
        for mention in &all {
            assert!(mention.key.is_none() == own.contains(mention) && mention.key.iter().all(|key| key == other));
        }
    }
}
