//! The data that the models of a power failure lose, keep and tear.

use std::rc::Rc;

use varve::env::{CrashModel, CrashNames, CrashTail, Durability, Env, File, FileKind, MemoryEnv, NameEdit, block_on};

fn create(env: &MemoryEnv, name: &str) -> Rc<dyn File> {
    block_on(env.create(name, FileKind::Log, 0)).unwrap()
}

fn edit(env: &MemoryEnv, edits: Vec<NameEdit>) {
    block_on(env.edit_names(edits)).unwrap();
}

fn append(file: &Rc<dyn File>, data: &[u8]) {
    assert_eq!(block_on(file.append(data)).unwrap(), data.len() as u64);
}

fn sync(file: &Rc<dyn File>) {
    assert_eq!(block_on(file.sync()).unwrap(), Durability::Volatile);
}

/// Writes `name` with `synced` durable and `unsynced` not.
fn half_synced(env: &MemoryEnv, name: &str, synced: &[u8], unsynced: &[u8]) -> Rc<dyn File> {
    let file = create(env, name);
    edit(env, vec![]);
    append(&file, synced);
    sync(&file);
    append(&file, unsynced);
    file
}

fn after(env: &MemoryEnv, model: CrashModel) -> Vec<u8> {
    env.crash(&model).read("a").unwrap()
}

#[test]
fn a_crash_loses_unsynced_bytes() {
    let env = MemoryEnv::new();
    let file = half_synced(&env, "a", b"synced", b" and not");
    assert_eq!(after(&env, CrashModel::DROP), b"synced");
    assert_eq!(after(&env, CrashModel::KEEP), b"synced and not");
    assert_eq!(env.read("a").unwrap(), b"synced and not", "the storage that crashed goes on");
    sync(&file);
    assert_eq!(after(&env, CrashModel::DROP), b"synced and not");
}

#[test]
fn a_crash_keeps_a_percentage_down_to_a_multiple_of_the_grain() {
    let env = MemoryEnv::new();
    let unsynced: Vec<u8> = (0..10_000u32).map(|i| (i % 251) as u8 + 1).collect();
    half_synced(&env, "a", &[0; 100], &unsynced);
    for percent in [0, 20, 50, 80, 100] {
        let kept = 100 + 100 * usize::from(percent);
        assert_eq!(after(&env, CrashModel::percent(percent)).len(), kept);
        for grain in [512, 4096] {
            let found = after(&env, CrashModel::percent(percent).with_grain(grain));
            let border = if percent == 100 { kept } else { (kept / grain * grain).max(100) };
            assert_eq!(found.len(), border, "{percent} % at {grain}");
            assert_eq!(found[100..], unsynced[..border - 100]);
        }
    }
}

#[test]
fn files_lose_their_bytes_independently() {
    let env = MemoryEnv::new();
    for name in ["a", "b"] {
        half_synced(&env, name, b"", &[7; 1000]);
    }
    let sizes = (0..200).map(|seed| {
        let found = env.crash(&CrashModel::random(seed));
        [found.read("a").unwrap().len(), found.read("b").unwrap().len()]
    });
    let sizes: Vec<_> = sizes.collect();
    assert!(sizes.iter().any(|[a, b]| a < b) && sizes.iter().any(|[a, b]| a > b));
    assert_eq!(env.crash(&CrashModel::random(5)).read("a"), env.crash(&CrashModel::random(5)).read("a"));
}

#[test]
fn the_torn_part_may_be_zeros_noise_or_holes() {
    let env = MemoryEnv::new();
    half_synced(&env, "a", &[1; 700], &[2; 9_300]);
    let (mut zeros, mut noise, mut holes) = (0, 0, 0);
    for seed in 0..100 {
        let model = CrashModel { seed, ..CrashModel::random(seed) }.with_grain(512);
        let cut = after(&env, model);
        assert!(cut.len() == 700 || cut.len().is_multiple_of(512) || cut.len() == 10_000);
        for tail in [CrashTail::Zeros, CrashTail::Noise] {
            let found = after(&env, model.with_tail(tail));
            assert_eq!(found[..cut.len()], cut);
            assert!(found.len() <= 10_000);
            let behind = &found[cut.len()..];
            if tail == CrashTail::Zeros {
                assert!(behind.iter().all(|b| *b == 0));
                zeros += usize::from(!behind.is_empty());
            } else {
                noise += usize::from(behind.iter().any(|b| *b != 0 && *b != 2));
            }
        }
        let found = after(&env, model.with_tail(CrashTail::Holes));
        assert_eq!(found.len(), 10_000);
        assert_eq!(found[..700], [1; 700]);
        assert!(found[700..1024].iter().all(|b| *b == found[700]), "up to the next border");
        assert!(found[1024..].chunks(512).all(|sector| sector.iter().all(|b| *b == sector[0])));
        let lost: Vec<bool> = found[1024..].chunks(512).map(|sector| sector[0] == 0).collect();
        holes += usize::from(lost.windows(2).any(|pair| pair == [true, false]));
    }
    assert!(zeros > 80 && noise > 80 && holes > 80, "{zeros} {noise} {holes}");
}

#[test]
fn truncated_bytes_may_reappear() {
    let env = MemoryEnv::new();
    let file = half_synced(&env, "a", b"synced", b"");
    append(&file, b"REJECTED");
    block_on(file.truncate(6)).unwrap();
    append(&file, b"xyz");
    assert_eq!(after(&env, CrashModel::DROP), b"synced");
    assert_eq!(after(&env, CrashModel::percent(60)), b"syncedREJECTE");
    assert_eq!(after(&env, CrashModel::percent(70)), b"syncedREJECTED");
    assert_eq!(after(&env, CrashModel::percent(90)), b"syncedx");
    block_on(file.truncate(3)).unwrap();
    assert_eq!(after(&env, CrashModel::DROP), b"synced", "a truncation is durable after a sync only");
    assert_eq!(after(&env, CrashModel::KEEP), b"syn");
    sync(&file);
    assert_eq!(after(&env, CrashModel::DROP), b"syn");
}

/// With any history and any model without noise, the result is a state of the file, or between two
/// of them.
#[test]
fn the_content_after_a_crash_existed_before() {
    for seed in 0..2_000u64 {
        let mut x = seed;
        let mut draw = |max: u64| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (x >> 33) % max
        };
        let env = MemoryEnv::new();
        let file = half_synced(&env, "a", b"", b"");
        let mut states: Vec<Vec<u8>> = vec![vec![]];
        for _ in 0..draw(20) {
            let mut state = states.last().unwrap().clone();
            match draw(6) {
                0 => {
                    sync(&file);
                    states.clear();
                }
                1 | 2 => {
                    state.resize(draw(40) as usize, 0);
                    block_on(file.truncate(state.len() as u64)).unwrap();
                }
                _ => {
                    let data: Vec<u8> = (0..draw(20)).map(|_| draw(250) as u8 + 1).collect();
                    append(&file, &data);
                    state.extend(&data);
                }
            }
            states.push(state);
        }
        assert_eq!(env.read("a").unwrap(), *states.last().unwrap());
        for round in 0..5 {
            let found = after(&env, CrashModel::random(seed * 5 + round).with_names(CrashNames::All));
            let passed = |pair: &[Vec<u8>]| {
                pair[1].starts_with(&pair[0]) && found.starts_with(&pair[0]) && pair[1].starts_with(&found)
            };
            assert!(states.contains(&found) || states.windows(2).any(passed), "seed {seed}: {found:?} of {states:?}");
        }
        assert_eq!(after(&env, CrashModel::DROP), states[0], "seed {seed}");
    }
}

#[test]
fn a_new_name_is_durable_after_edit_names_only() {
    let env = MemoryEnv::new();
    for name in ["a", "b", "c"] {
        let file = create(&env, name);
        append(&file, b"data");
        sync(&file);
    }
    assert!(env.crash(&CrashModel::DROP).names().is_empty());
    assert_eq!(env.crash(&CrashModel::KEEP).names(), ["a", "b", "c"]);
    let mut prefixes: Vec<usize> = Vec::new();
    for seed in 0..100 {
        let found = env.crash(&CrashModel::random(seed)).names();
        assert_eq!(found, ["a", "b", "c"][..found.len()]);
        prefixes.push(found.len());
    }
    assert!((0..=3).all(|count| prefixes.contains(&count)));
    edit(&env, vec![]);
    assert_eq!(env.crash(&CrashModel::DROP).names(), ["a", "b", "c"]);
    assert_eq!(env.crash(&CrashModel::DROP).read("b").unwrap(), b"data");
}

#[test]
fn a_crash_may_restore_the_file_that_a_creation_replaced() {
    let env = MemoryEnv::new();
    half_synced(&env, "a", b"old", b"");
    append(&create(&env, "a"), b"new");
    assert_eq!(after(&env, CrashModel::DROP), b"old");
    assert_eq!(after(&env, CrashModel::DROP.with_names(CrashNames::All)), b"");
    assert_eq!(after(&env, CrashModel::KEEP), b"new");
}

#[test]
fn edited_names_are_durable() {
    let env = MemoryEnv::new();
    half_synced(&env, "a", b"1", b"2");
    half_synced(&env, "b", b"3", b"4");
    edit(
        &env,
        vec![
            NameEdit::Rename { from: "a".into(), to: "c".into() },
            NameEdit::Remove { name: "b".into() },
            NameEdit::Replace { name: "CURRENT".into(), via: "t".into(), content: b"5".to_vec() },
        ],
    );
    let found = env.crash(&CrashModel::DROP);
    assert_eq!(found.names(), ["CURRENT", "c"]);
    assert_eq!(found.read("c").unwrap(), b"1");
    assert_eq!(found.read("CURRENT").unwrap(), b"5");
}

#[test]
fn the_storage_after_a_crash_is_independent_and_unlocked() {
    let env = MemoryEnv::new();
    assert_eq!(block_on(env.lock(true)).unwrap(), 1);
    half_synced(&env, "a", b"1", b"2");
    let found = env.crash(&CrashModel::DROP);
    assert_eq!(block_on(found.lock(false)).unwrap(), 2, "the epoch goes on");
    found.write("a", b"other");
    assert_eq!(env.read("a").unwrap(), b"12");
    assert_eq!(found.crash(&CrashModel::DROP).read("a").unwrap(), b"other");
}

#[test]
fn a_snapshot_loses_nothing_and_records_unsynced_data() {
    let env = MemoryEnv::new();
    let file = half_synced(&env, "a", b"synced", b" and not");
    append(&create(&env, "b"), b"unsynced");
    let copy = env.snapshot();
    sync(&file);
    assert_eq!(copy.names(), ["a", "b"]);
    assert_eq!(copy.total_bytes(), 14 + 8);
    assert_eq!(after(&copy, CrashModel::KEEP), b"synced and not");
    assert_eq!(after(&copy, CrashModel::DROP), b"synced");
    assert_eq!(copy.crash(&CrashModel::DROP).names(), ["a"]);
    edit(&copy, vec![]);
    assert_eq!(copy.crash(&CrashModel::DROP).names(), ["a", "b"]);
}

#[test]
fn a_full_storage_writes_what_fits() {
    let env = MemoryEnv::with_capacity(10);
    let file = create(&env, "a");
    append(&file, b"1234567");
    let error = block_on(file.append(b"89abc")).unwrap_err();
    assert_eq!(error.to_string(), "storage is full: append of a: the storage in memory is full");
    assert_eq!(env.read("a").unwrap(), b"123456789a");
    assert_eq!(block_on(file.truncate(11)).unwrap_err().code(), "full");
    let replace = NameEdit::Replace { name: "c".into(), via: "t".into(), content: b"5".to_vec() };
    assert_eq!(block_on(env.edit_names(vec![replace])).unwrap_err().code(), "full");
    block_on(file.truncate(7)).unwrap();
    append(&file, b"xyz");
    assert_eq!(env.total_bytes(), 10);
    let other = create(&env, "b");
    assert_eq!(block_on(other.append(b"1")).unwrap_err().code(), "full");
    env.set_capacity(11);
    append(&other, b"1");
    drop(file);
    edit(&env, vec![NameEdit::Remove { name: "a".into() }]);
    append(&other, b"234567890");
    assert_eq!(env.total_bytes(), 10);
}

#[test]
fn open_files_see_damage() {
    let env = MemoryEnv::new();
    let file = half_synced(&env, "a", b"sound", b"");
    env.write("a", b"damaged");
    assert_eq!(block_on(file.read_at(0, 99)).unwrap(), b"damaged");
    env.write("new", b"n");
    assert_eq!(env.crash(&CrashModel::DROP).names(), ["a", "new"]);
}
