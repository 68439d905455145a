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
