//! Salvage: a new database of what can be read of a damaged one, as strict as asked.

use std::rc::Rc;

use varve::env::{Env, MemoryEnv};
use varve::{
    Compression, Db, EntryCount, Options, ReadOptions, SalvageReport, Strictness, TableFile, WriteOptions, block_on,
};

const KEYS: u32 = 500;

/// A database with one table of uncompressed blocks, and a log with newer entries.
async fn damaged(damage: impl Fn(&mut Vec<u8>)) -> MemoryEnv {
    let env = MemoryEnv::new();
    let options = || Options {
        create_if_missing: true,
        block_size: 512,
        block_restart_interval: 3,
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

/// Damages a table.
type Flip = &'static dyn Fn(&mut Vec<u8>);
/// How a number of entries is known.
type Known = fn(u64) -> EntryCount;

#[test]
fn a_damaged_block_is_left_behind_once_with_its_entries() {
    block_on(async {
        // A bit of a value; of a length; all of the block.
        let flips: [(Flip, Known); 3] = [
            (&|bytes| bytes[5000] ^= 1, EntryCount::Exactly),
            (&|bytes| entry_at(bytes, 5000, |entry| entry[2] ^= 64), EntryCount::Exactly),
            (&|bytes| bytes[4780..5290].fill(0xff), EntryCount::About),
        ];
        for (flip, count) in flips {
            let report = salvaged(damaged(flip).await, Strictness::Carved).await;
            let [left] = &report.left_behind[..] else { panic!("{:?}", report.left_behind) };
            let lost = u64::from(KEYS) - 1 - report.counts.live;
            assert_eq!((left.offset <= 5000, left.offset + left.length > 5000), (true, true));
            assert!(left.reason.contains("mismatch"), "{}", left.reason);
            assert_eq!(left.entries, report.at_risk[0].lost);
            match left.entries {
                Some(EntryCount::About(about)) => {
                    assert_eq!(count(0), EntryCount::About(0));
                    assert!(about.abs_diff(lost) <= 2, "{about} of {lost}");
                }
                other => assert_eq!(other, Some(count(lost))),
            }
            let used = salvaged(damaged(flip).await, Strictness::Doubtful).await;
            assert_eq!(used.left_behind.len() + used.doubtful.len(), 1);
        }
    });
}

/// Changes the first entry that begins at `from` or later, in a block of keys of eleven bytes.
fn entry_at(bytes: &mut [u8], from: usize, change: impl Fn(&mut [u8])) {
    let begins = |at: usize| bytes[at] > 3 && bytes[at] < 8 && bytes[at] + bytes[at + 1] == 14 && bytes[at + 2] == 36;
    let at = (from..).find(|at| begins(*at)).unwrap();
    change(&mut bytes[at..]);
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

#[test]
fn numbers_of_missing_records_tell_how_many_entries_they_had() {
    block_on(async {
        let damage = |bytes: &mut Vec<u8>, starts: &[usize]| {
            bytes[starts[20] + 30] ^= 1;
            bytes[starts[21] + 30] ^= 1;
            bytes[starts[40] + 30] ^= 1;
            bytes.truncate(bytes.len() - 3);
        };
        let (report, _) = read_back(logged(damage).await, Strictness::Carved).await;
        assert_eq!(report.counts.live, u64::from(LOGGED) - 4);
        let counts: Vec<_> = report.left_behind.iter().map(|left| left.entries).collect();
        // Of the end of a log nothing tells how much is missing.
        assert_eq!(counts, [Some(EntryCount::Exactly(2)), Some(EntryCount::Exactly(1)), None]);
        assert!(report.left_behind.iter().take(2).all(|left| left.length > 0 && left.reason.contains("mismatch")));
        // A record is doubtful only if a sound one follows it.
        let (report, _) = read_back(logged(damage).await, Strictness::Doubtful).await;
        assert_eq!((report.doubtful.len(), report.left_behind.len()), (1, 2));
    });
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
    assert!(report.doubtful.iter().all(|each| each.reason.contains("nothing proves that a record begins here")));
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

// ---- One table ----

/// The table of a database with several versions and tombstones in several files, in pieces of `size`.
async fn one_table(size: usize) -> (Vec<u8>, usize, Vec<(Vec<u8>, Vec<u8>)>) {
    let env = MemoryEnv::new();
    let options = Options { create_if_missing: true, block_size: 512, ..Options::default() };
    let db = Db::open(Rc::new(env), options).await.unwrap();
    for round in 0..3 {
        for i in (0..3000u32).filter(|i| round == 0 || i % (round + 1) == 0) {
            let key = format!("k{i:05}").into_bytes();
            if (i + round) % 7 == 0 {
                db.delete(&key).await.unwrap();
            } else {
                db.put(&key, format!("value {i} of round {round} ").repeat(20).as_bytes()).await.unwrap();
            }
        }
        if round < 2 {
            db.flush().await.unwrap();
        }
    }
    let (table, mut bytes, mut pieces) = (db.one_table().unwrap(), Vec::new(), 0);
    while let Some(piece) = table.next(size).await.unwrap() {
        bytes.extend_from_slice(&piece);
        pieces += 1;
    }
    assert!(table.next(size).await.unwrap().is_none());
    let mut it = db.iter(&ReadOptions::default()).unwrap();
    let (mut live, mut found) = (Vec::new(), it.seek_to_first().await.unwrap());
    while found {
        live.push((it.key().to_vec(), it.value().to_vec()));
        found = it.next().await.unwrap();
    }
    (bytes, pieces, live)
}

#[test]
fn one_table_has_the_newest_version_of_each_live_key() {
    block_on(async {
        let (bytes, pieces, live) = one_table(4096).await;
        let (whole, few, _) = one_table(usize::MAX).await;
        assert!(whole == bytes && few == 1 && pieces > 3, "{few} {pieces}");
        let env = MemoryEnv::new();
        env.write("000007.ldb", &bytes);
        let table = TableFile::open(&env, "000007.ldb", &Options::default()).await.unwrap();
        let mut it = table.iter(true);
        let (mut found, mut more) = (Vec::new(), it.seek_to_first().await);
        while more {
            let (key, tag) = it.key().split_at(it.key().len() - 8);
            assert_eq!(tag[0], 1, "a value");
            found.push((key.to_vec(), it.value().to_vec()));
            more = it.next().await;
        }
        it.status().unwrap();
        assert!(found == live && live.len() > 2000);
        // A database is repaired around it.
        let report = salvaged(env, Strictness::Sound).await;
        assert_eq!((report.counts.live, report.counts.entries), (live.len() as u64, live.len() as u64));
    });
}

#[test]
fn one_table_goes_on_after_a_call_that_never_began_and_ends_with_its_database() {
    block_on(async {
        let env: Rc<dyn Env> = Rc::new(MemoryEnv::new());
        let db = Db::open(env, Options { create_if_missing: true, ..Options::default() }).await.unwrap();
        let table = db.one_table().unwrap();
        drop(table.next(1));
        // Nothing had begun.
        assert!(!table.next(1).await.unwrap().unwrap().is_empty());
        assert!(table.next(1).await.unwrap().is_none());
        let table = db.one_table().unwrap();
        db.close().await.unwrap();
        assert!(table.next(1).await.is_err());
    });
}
