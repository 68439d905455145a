//! A traced look-up says the same as the engine's `get`.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::*;
use crate::base::Snapshot;
use crate::env::{Env, FileKind, MemoryEnv, append_checked, read_file};
use crate::inspect::{Answer, Bill, ManifestInspector, Outcome, Trace, Tracer, Window};
use crate::{Db, Error, Options, ReadOptions, WriteBatch, WriteOptions, block_on};

pub(super) type Files = Vec<(String, Vec<u8>)>;

pub(super) fn options() -> Options {
    Options {
        create_if_missing: true,
        write_buffer_size: 4096,
        max_file_size: 16 << 10,
        block_size: 256,
        ..Options::default()
    }
}

pub(super) fn files_of(env: &MemoryEnv) -> Files {
    let mut names = block_on(env.list()).unwrap();
    names.sort();
    names.into_iter().map(|name| (name.clone(), block_on(read_file(env, &name, 1 << 30)).unwrap())).collect()
}

pub(super) fn env_of(files: &Files) -> Rc<MemoryEnv> {
    let env = Rc::new(MemoryEnv::new());
    block_on(env.lock(true)).unwrap();
    for (name, bytes) in files {
        let file = block_on(env.create(name, FileKind::Table, 0)).unwrap();
        block_on(append_checked(&*env, &*file, name, bytes, to_u64(bytes.len()))).unwrap();
    }
    env.unlock();
    env
}

/// The last version of the manifest that CURRENT names.
pub(super) fn state_of(files: &Files) -> Vec<u8> {
    let content = |name: &str| files.iter().find(|(known, _)| known == name).map(|(_, bytes)| bytes.clone()).unwrap();
    let name = String::from_utf8(content("CURRENT")).unwrap();
    let manifest = content(name.trim());
    let mut window = Window::new(ManifestInspector::new(to_u64(manifest.len())));
    while let Some((offset, _)) = window.wanted() {
        window.feed(manifest[usize::try_from(offset).unwrap()..].to_vec());
        window.inspector().discard();
    }
    window.inspector().state()
}

pub(super) fn trace(files: &Files, state: &[u8], key: &[u8], at: Option<u64>) -> Trace {
    let sizes = files.iter().map(|(name, bytes)| (name.clone(), to_u64(bytes.len()))).collect();
    fed(Tracer::new(sizes, state, None, key.to_vec(), at), files)
}

fn fed(mut tracer: Tracer, files: &[(String, Vec<u8>)]) -> Trace {
    while let Some((file, offset, length)) = tracer.wanted() {
        let start = usize::try_from(offset).unwrap();
        tracer.feed(files[file].1[start..start + length].to_vec());
    }
    let trace = tracer.trace().unwrap().clone();
    let mut out = String::new();
    trace.steps.iter().for_each(|step| step.to_span().write_json(&mut out));
    trace.to_span().write_json(&mut out);
    trace
}

/// A database that has all levels of history: its files, and snapshots with what they see.
pub(super) struct World {
    pub(super) db: Db,
    pub(super) env: Rc<MemoryEnv>,
    pub(super) snapshots: Vec<Snapshot>,
}

fn key_of(number: u64) -> Vec<u8> {
    format!("key/{number:04}").into_bytes()
}

fn world(steps: u64, seed: u64) -> World {
    world_of(Rc::new(MemoryEnv::new()), options(), |number| key_of(number % 120 * 2), steps, seed)
}

/// As above; `key` makes a key of any number.
pub(super) fn world_of(
    env: Rc<MemoryEnv>,
    options: Options,
    key: impl Fn(u64) -> Vec<u8>,
    steps: u64,
    seed: u64,
) -> World {
    let db = block_on(Db::open(env.clone(), options)).unwrap();
    let (mut snapshots, mut random) = (Vec::new(), seed);
    for step in 0..steps {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let key = key(random >> 33);
        let mut batch = WriteBatch::new();
        match (random >> 20) % 4 {
            0 => batch.delete(&key),
            _ => batch.put(&key, format!("{step}/{}", "v".repeat(20)).as_bytes()),
        }
        block_on(db.write(&WriteOptions::default(), batch)).unwrap();
        if step % (steps / 5 + 1) == steps / 11 {
            snapshots.push(db.snapshot());
        }
    }
    World { db, env, snapshots }
}

pub(super) fn agrees(answer: &Answer, got: &Result<Option<Vec<u8>>, Error>) -> bool {
    match (answer, got) {
        (Answer::Value(value), Ok(Some(other))) => value == other,
        (Answer::Deleted | Answer::Absent, Ok(None)) | (Answer::Unknown(_), Err(_)) => true,
        _ => false,
    }
}

#[test]
fn trace_and_get_agree_on_every_key_and_snapshot() {
    let (mut levels, mut outcomes) = (BTreeSet::new(), BTreeSet::new());
    for (steps, seed) in [(30, 1), (400, 2), (3000, 3), (3001, 4)] {
        let World { db, env, snapshots } = world(steps, seed);
        let files = files_of(&env);
        let state = state_of(&files);
        for number in 0..242 {
            let key = key_of(number);
            let views = snapshots.iter().map(|snapshot| (Some(snapshot.sequence().get()), Some(snapshot.clone())));
            for (at, snapshot) in views.chain([(None, None)]) {
                let traced = trace(&files, &state, &key, at);
                let got = block_on(db.get_with(&ReadOptions { snapshot, ..ReadOptions::default() }, &key));
                assert!(agrees(&traced.answer, &got), "{number} at {at:?}: {traced:?}, {got:?}");
                for step in &traced.steps {
                    levels.insert(step.level);
                    outcomes.insert(format!("{:?}", step.outcome));
                }
                let bill = Bill::of(&traced.steps);
                assert!(bill.noes + bill.false_positives <= bill.filters && bill.filters <= bill.tables);
                assert_eq!(bill.blocks + bill.noes, bill.blocks_unfiltered);
                let (last, before) = traced.steps.split_last().unwrap();
                assert!(before.iter().all(|step| !step.outcome.decides()), "{traced:?}");
                let ends = matches!(traced.answer, Answer::Absent) != last.outcome.decides();
                assert!(ends, "{traced:?}");
            }
        }
        block_on(db.close()).unwrap();
    }
    assert!(levels.len() >= 4, "{levels:?}");
    for outcome in ["Skipped", "Filtered", "Absent", "Newer", "Found", "Deleted"] {
        assert!(outcomes.contains(outcome), "{outcome} of {outcomes:?}");
    }
}

/// What a table says by itself is what it says on the way of a look-up, also under another name.
#[test]
fn table_alone_says_what_it_says_in_its_database() {
    let World { db, env, snapshots } = world(3000, 7);
    let files = files_of(&env);
    let state = state_of(&files);
    let mut outcomes = BTreeSet::new();
    for number in 0..242 {
        let key = key_of(number);
        for at in snapshots.iter().map(|snapshot| Some(snapshot.sequence().get())).chain([None]) {
            for step in trace(&files, &state, &key, at).steps {
                let Some((name, bytes)) = step.level.and(step.file).map(|file| &files[file]) else { continue };
                for name in [name, "picture.png"] {
                    let size = to_u64(bytes.len());
                    let alone = Tracer::of_table(name, size, b"", key.clone(), at);
                    let Trace { steps, answer, .. } = fed(alone, &[(name.to_owned(), bytes.clone())]);
                    let [one] = &*steps else { panic!("{steps:?}") };
                    if step.outcome == Outcome::Skipped {
                        assert!(!one.outcome.decides() && answer == Answer::Absent, "{step:?}, {one:?}");
                    } else {
                        assert_eq!(
                            (one.outcome, one.place, one.entry, one.sequence),
                            (step.outcome, step.place, step.entry, step.sequence)
                        );
                    }
                    outcomes.insert(format!("{:?}", one.outcome));
                }
            }
        }
    }
    block_on(db.close()).unwrap();
    for outcome in ["Filtered", "Absent", "Newer", "Found", "Deleted"] {
        assert!(outcomes.contains(outcome), "{outcome} of {outcomes:?}");
    }
    let alone = Tracer::of_table("000001.ldb", 9, b"reversed", b"key".to_vec(), None);
    let Trace { answer, steps, .. } = fed(alone, &[]);
    assert!(matches!(answer, Answer::Unknown(reason) if reason.contains("order of reversed")) && steps.is_empty());
    let short =
        fed(Tracer::of_table("000007.sst", 9, b"", b"key".to_vec(), None), &[("000007.sst".to_owned(), vec![0; 9])]);
    assert!(matches!(short.answer, Answer::Unknown(reason) if reason.starts_with("000007.sst")));
}

#[test]
fn trace_and_get_agree_on_a_damaged_database() {
    let World { db, env, .. } = world(3000, 5);
    block_on(db.flush()).unwrap();
    block_on(db.close()).unwrap();
    let sound = files_of(&env);
    let state = state_of(&sound);
    let (mut unknown, mut known) = (0, 0);
    for at in 0..60 {
        let mut files = sound.clone();
        let tables: Vec<usize> = (0..files.len()).filter(|file| files[*file].0.ends_with(".ldb")).collect();
        let file = tables[at * 7 % tables.len()];
        let bytes = &mut files[file].1;
        // Some of it in the ends of the file, where footer, index and filter are.
        let place = if at % 3 == 0 { bytes.len() - 1 - at * 5 % 300 } else { at * 997 % bytes.len() };
        bytes[place] ^= 1 << (at % 8);
        let env = env_of(&files);
        let opened = Db::open(env, Options { read_only: true, create_if_missing: false, ..options() });
        let Ok(db) = block_on(opened) else { continue };
        for number in 0..242 {
            let traced = trace(&files, &state, &key_of(number), None);
            let got = block_on(db.get(&key_of(number)));
            assert!(agrees(&traced.answer, &got), "{at}: {number}: {traced:?}, {got:?}");
            if let (Answer::Unknown(reason), Some(last)) = (&traced.answer, traced.steps.last()) {
                assert_eq!((last.outcome, last.reason.as_ref()), (Outcome::Unknown, Some(reason)));
                assert!(reason.contains(&files[file].0), "{reason}");
                unknown += 1;
            } else {
                known += 1;
            }
        }
        block_on(db.close()).unwrap();
    }
    assert!(unknown > 100 && known > 1000, "{unknown} {known}");
}

#[test]
fn what_is_missing_or_unreadable_makes_the_answer_unknown() {
    let World { db, env, .. } = world(2000, 6);
    block_on(db.close()).unwrap();
    let sound = files_of(&env);
    let state = state_of(&sound);
    let answers = |files: &Files, doubt: Option<&str>| {
        let sizes: Vec<_> = files.iter().map(|(name, bytes)| (name.clone(), to_u64(bytes.len()))).collect();
        let mut answers = Vec::new();
        for number in 0..242 {
            let doubt = doubt.map(str::to_owned);
            let mut tracer = Tracer::new(sizes.clone(), &state, doubt, key_of(number), None);
            while let Some((file, offset, length)) = tracer.wanted() {
                let start = usize::try_from(offset).unwrap();
                let part = files[file].1.get(start..start + length);
                match part {
                    Some(part) => tracer.feed(part.to_vec()),
                    None => tracer.fail("permission denied".to_owned()),
                }
            }
            answers.push(tracer.trace().unwrap().answer.clone());
        }
        answers
    };
    let of_sound = answers(&sound, None);
    let is_unknown = |answer: &Answer, of: &str| matches!(answer, Answer::Unknown(reason) if reason.contains(of));
    let tables: Vec<&String> = sound.iter().map(|(name, _)| name).filter(|name| name.ends_with(".ldb")).collect();
    let mut changed = 0;
    for table in tables {
        let without: Files = sound.iter().filter(|(name, _)| name != table).cloned().collect();
        for (answer, before) in answers(&without, None).iter().zip(&of_sound) {
            assert!(answer == before || is_unknown(answer, &format!("{table} is missing")), "{answer:?}");
            changed += u32::from(answer != before);
        }
    }
    assert!(changed > 50, "{changed}");
    for answer in answers(&sound, Some("CURRENT is missing")) {
        assert!(is_unknown(&answer, "CURRENT is missing"), "{answer:?}");
    }
    // A log that is damaged, and one that cannot be read.
    let log = sound.iter().position(|(name, bytes)| name.ends_with(".log") && bytes.len() > 200).unwrap();
    for readable in [true, false] {
        let mut files = sound.clone();
        let name = files[log].0.clone();
        if readable {
            files[log].1[100] ^= 4;
        } else {
            files[log].1.clear();
        }
        let sizes: Vec<_> = sound.iter().map(|(name, bytes)| (name.clone(), to_u64(bytes.len()))).collect();
        let mut tracer = Tracer::new(sizes, &state, None, key_of(3), None);
        while let Some((file, offset, length)) = tracer.wanted() {
            let start = usize::try_from(offset).unwrap();
            match files[file].1.get(start..start + length) {
                Some(part) => tracer.feed(part.to_vec()),
                None => tracer.fail("permission denied".to_owned()),
            }
        }
        let answer = &tracer.trace().unwrap().answer;
        assert!(is_unknown(answer, if readable { &name } else { "permission denied" }), "{answer:?}");
    }
}

#[test]
fn hostile_versions_are_refused_in_words() {
    for state in [&b""[..], b"\x01\x02", b"\x01\x08other.me", &[7, 1, 0xff, 0xff, 0xff, 0xff, 0xff]] {
        let mut tracer = Tracer::new(vec![("000003.log".to_owned(), 10)], state, None, b"key".to_vec(), Some(u64::MAX));
        while tracer.wanted().is_some() {
            tracer.feed(vec![0xff; 10]);
        }
        let trace = tracer.trace().unwrap();
        assert!(matches!(&trace.answer, Answer::Unknown(reason) if !reason.is_empty()), "{trace:?}");
    }
}
