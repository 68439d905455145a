//! Salvage: a new database of what can be read of a damaged one, as strict as asked.

use std::rc::Rc;

use varve::env::{Env, MemoryEnv};
use varve::{Compression, Db, Options, ReadOptions, SalvageReport, Strictness, WriteOptions, block_on};

const KEYS: u32 = 500;

/// A database with one table of uncompressed blocks, and a log with newer entries.
async fn damaged(damage: impl Fn(&mut Vec<u8>)) -> MemoryEnv {
    let env = MemoryEnv::new();
    let options = || Options {
        create_if_missing: true,
        block_size: 512,
        compression: Compression::None,
        filter_policy: None,
        ..Options::default()
    };
    let db = Db::open(Rc::new(env.clone()), options()).await.unwrap();
    for i in 0..KEYS {
        db.put(format!("k{i:05}").as_bytes(), format!("value {i}").repeat(4).as_bytes()).await.unwrap();
    }
    db.flush().await.unwrap();
    db.put_with(&WriteOptions::default(), b"k00000", b"newer").await.unwrap();
    db.delete(b"k00001").await.unwrap();
    db.close().await.unwrap();
    let table = env.names().into_iter().find(|name| name.ends_with(".ldb")).unwrap();
    let mut bytes = env.read(&table).unwrap();
    damage(&mut bytes);
    env.write(&table, &bytes);
    env
}

async fn salvaged(env: MemoryEnv, strictness: Strictness) -> SalvageReport {
    let env: Rc<dyn Env> = Rc::new(env);
    let (db, report) = Db::salvage(env, Options::default(), false, strictness).await.unwrap();
    let mut it = db.iter(&ReadOptions::default()).unwrap();
    let mut live = 0;
    let mut found = it.seek_to_first().await.unwrap();
    while found {
        live += 1;
        found = it.next().await.unwrap();
    }
    assert_eq!(live, report.counts.live);
    report
}

#[test]
fn a_sound_database_is_counted_as_it_is() {
    block_on(async {
        let report = salvaged(damaged(|_| {}).await, Strictness::Sound).await;
        let counts = report.counts;
        assert_eq!((counts.live, counts.keys, counts.tombstones), (u64::from(KEYS) - 1, u64::from(KEYS), 1));
        assert_eq!((report.sound.len(), report.at_risk.len(), report.doubtful.len()), (1, 0, 0));
        assert!(!report.repair.old_data_may_reappear);
    });
}

#[test]
fn a_block_with_a_wrong_checksum_is_left_behind_or_doubtful() {
    block_on(async {
        // A bit of a value.
        let flip = |bytes: &mut Vec<u8>| bytes[5000] ^= 1;
        let strict = salvaged(damaged(flip).await, Strictness::Carved).await;
        assert!(strict.counts.live < u64::from(KEYS) - 1);
        assert_eq!((strict.left_behind.len(), strict.at_risk.len(), strict.doubtful.len()), (1, 1, 0));
        // The key that separates two blocks counts for both.
        assert!(strict.at_risk[0].live <= 1 && strict.at_risk[0].from < strict.at_risk[0].to);
        let lax = salvaged(damaged(flip).await, Strictness::Doubtful).await;
        assert_eq!(lax.counts.live, u64::from(KEYS) - 1);
        assert_eq!((lax.left_behind.len(), lax.at_risk.len(), lax.doubtful.len()), (0, 0, 1));
    });
}

#[test]
fn a_table_without_its_footer_is_carved_unless_only_sound_blocks_are_wanted() {
    block_on(async {
        let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 10);
        let strict = salvaged(damaged(cut).await, Strictness::Sound).await;
        assert_eq!((strict.counts.live, strict.counts.tombstones), (1, 1));
        assert_eq!(strict.at_risk[0].from.as_deref(), Some(&b"k00000"[..]));
        let carved = salvaged(damaged(cut).await, Strictness::Carved).await;
        assert_eq!(carved.counts.live, u64::from(KEYS) - 1);
    });
}

// ---- Logs ----

/// Entries in the log of `logged`, each in a record of its own.
const LOGGED: u32 = 60;
/// Bytes of a header of a fragment, and of a batch.
const FRAGMENT_HEADER: usize = 7;
const BATCH_HEADER: usize = 12;

fn key(i: u32) -> Vec<u8> {
    format!("key {i:04}").into_bytes()
}

/// The value of the tenth is longer than a block.
fn value(i: u32) -> Vec<u8> {
    let size = if i == 10 { 80_000 } else { 40 };
    format!("value {i:04} ").into_bytes().into_iter().cycle().take(size).collect()
}

/// A database whose entries are in a log; its bytes, changed by `damage`, which is given where the records
/// begin.
async fn logged(damage: impl Fn(&mut Vec<u8>, &[usize])) -> MemoryEnv {
    let env = MemoryEnv::new();
    let options = Options { create_if_missing: true, ..Options::default() };
    let db = Db::open(Rc::new(env.clone()), options).await.unwrap();
    let log = env.names().into_iter().find(|name| name.ends_with(".log")).unwrap();
    let mut starts = Vec::new();
    for i in 0..LOGGED {
        starts.push(env.read(&log).unwrap().len());
        db.put(&key(i), &value(i)).await.unwrap();
    }
    db.close().await.unwrap();
    let mut bytes = env.read(&log).unwrap();
    damage(&mut bytes, &starts);
    env.write(&log, &bytes);
    env
}

/// What a salvage reads back.
async fn read_back(env: MemoryEnv, strictness: Strictness) -> (SalvageReport, Vec<(Vec<u8>, Vec<u8>)>) {
    let env: Rc<dyn Env> = Rc::new(env);
    let (db, report) = Db::salvage(env, Options::default(), false, strictness).await.unwrap();
    let mut it = db.iter(&ReadOptions::default()).unwrap();
    let mut entries = Vec::new();
    let mut found = it.seek_to_first().await.unwrap();
    while found {
        entries.push((it.key().to_vec(), it.value().to_vec()));
        found = it.next().await.unwrap();
    }
    assert_eq!(report.counts.live, entries.len() as u64);
    (report, entries)
}

/// The numbers of live entries and of doubtful records, with carved and with doubtful records.
fn counted(damage: impl Fn(&mut Vec<u8>, &[usize])) -> [(u64, usize); 2] {
    [Strictness::Carved, Strictness::Doubtful].map(|strictness| {
        let (report, _) = block_on(async { read_back(logged(&damage).await, strictness).await });
        // Damage is told in any case.
        assert!(!report.repair.findings.is_empty());
        (report.counts.live, report.doubtful.len())
    })
}

#[test]
fn a_record_with_a_wrong_checksum_is_doubtful_if_its_batch_fits() {
    let all = u64::from(LOGGED);
    let in_value = FRAGMENT_HEADER + BATCH_HEADER + 20;
    for record in [0, 1, 30, LOGGED as usize - 1] {
        assert_eq!(
            counted(|bytes, starts| bytes[starts[record] + in_value] ^= 1),
            [(all - 1, 0), (all, 1)],
            "{record}"
        );
    }
    // Of the record that is longer than a block, in its first, a middle and its last fragment.
    for place in [in_value, 40_000, 75_000] {
        assert_eq!(counted(|bytes, starts| bytes[starts[10] + place] ^= 1), [(all - 1, 0), (all, 1)], "{place}");
    }
    let both = counted(|bytes, starts| {
        bytes[starts[10] + in_value] ^= 1;
        bytes[starts[10] + 40_000] ^= 1;
        bytes[starts[11] + in_value] ^= 1;
    });
    assert_eq!(both, [(all - 2, 0), (all, 2)]);
    // The stored checksum itself.
    assert_eq!(counted(|bytes, starts| bytes[starts[30]] ^= 1), [(all - 1, 0), (all, 1)]);
}

#[test]
fn a_record_whose_batch_contradicts_the_others_is_left_behind() {
    let all = u64::from(LOGGED);
    // The sequence number, in its lowest and a high byte; the number of operations; a tag; a length.
    for place in [0, 5, 8, BATCH_HEADER, BATCH_HEADER + 1] {
        for record in [0, 1, 30] {
            let found = counted(|bytes, starts| bytes[starts[record] + FRAGMENT_HEADER + place] ^= 4);
            assert_eq!(found, [(all - 1, 0); 2], "{place} of {record}");
        }
    }
    // Nothing follows the last one, but much is known before it.
    let last = LOGGED as usize - 1;
    assert_eq!(counted(|bytes, starts| bytes[starts[last] + FRAGMENT_HEADER] ^= 4), [(all - 1, 0); 2]);
}

#[test]
fn records_behind_damage_at_the_start_are_doubtful_up_to_the_end_of_the_block() {
    // The first length leads nowhere, and its checksum is of no use.
    let damage = |bytes: &mut Vec<u8>, starts: &[usize]| {
        bytes[4] = 3;
        bytes[starts[0] + FRAGMENT_HEADER + BATCH_HEADER + 20] ^= 1;
    };
    let [(carved, none), (doubtful, used)] = counted(damage);
    assert_eq!(none, 0);
    assert_eq!(doubtful, u64::from(LOGGED) - 1);
    // Those of the first block, with the one that ends in another.
    assert_eq!((used, carved), (10, u64::from(LOGGED) - 11));
    let (report, entries) = block_on(async { read_back(logged(damage).await, Strictness::Doubtful).await });
    assert!(entries.iter().zip(1..).all(|((found, content), i)| *found == key(i) && *content == value(i)));
    assert!(report.doubtful.iter().all(|each| each.to_string().contains("nothing proves that a record begins here")));
}

#[test]
fn whatever_is_damaged_doubtful_records_only_add_to_what_is_proven() {
    let mut random = 11u64;
    for round in 0..60 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let damage = |bytes: &mut Vec<u8>, _: &[usize]| {
            let mut state = random;
            for _ in 0..=round % 4 {
                state = state.rotate_left(17).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let place = (state >> 20) as usize % bytes.len();
                bytes[place] ^= 1 << (state % 8);
            }
            if round % 7 == 0 {
                bytes.truncate(bytes.len() - (state >> 40) as usize % 1000);
            }
        };
        let (_, carved) = block_on(async { read_back(logged(damage).await, Strictness::Carved).await });
        let (report, doubtful) = block_on(async { read_back(logged(damage).await, Strictness::Doubtful).await });
        let is_true =
            |(found, content): &(Vec<u8>, Vec<u8>)| (0..LOGGED).any(|i| *found == key(i) && *content == value(i));
        assert!(carved.iter().all(is_true), "{round}");
        assert!(carved.iter().all(|entry| doubtful.contains(entry)), "{round}");
        let wrong = doubtful.iter().filter(|entry| !is_true(entry)).count();
        assert!(wrong <= report.doubtful.len(), "{round}: {wrong} of {}", report.doubtful.len());
        assert!(doubtful.len() <= carved.len() + report.doubtful.len(), "{round}");
    }
}
