//! Bugs found, each with its story.

use std::rc::Rc;

use varve::env::MemoryEnv;
use varve::{Db, Options, block_on};

/// A manual compaction took two tables of level 1 with a gap between them, and wrote one output across the gap. A memtable
/// that filled up meanwhile and lay inside the gap was flushed straight to the level of the output: two tables of one level
/// overlapped, and the edit was refused. A flush during a compaction now goes to level 0.
#[test]
fn a_flush_during_a_compaction_does_not_land_among_its_outputs() {
    let options = Options { create_if_missing: true, write_buffer_size: 16 << 10, ..Options::default() };
    let db = block_on(Db::open(Rc::new(MemoryEnv::new()), options)).unwrap();
    let put = |key: &str, size: usize| block_on(db.put(key.as_bytes(), &vec![7; size])).unwrap();
    for key in ["a", "z"] {
        for i in 0..50 {
            put(&format!("{key}{i:03}"), 1000);
        }
    }
    block_on(db.compact_range(None, None)).unwrap();
    for round in 0..200 {
        put(&format!("a{:03}", round % 50), 900);
        put(&format!("z{:03}", round % 50), 900);
        // A slice of whatever compaction is under way, then keys that lie in the gap.
        block_on(db.background(2000)).unwrap();
        put(&format!("m{round:03}"), 3000);
        if round % 20 == 0 {
            block_on(db.compact_range(None, None)).unwrap();
        }
    }
    assert_eq!(block_on(db.verify()).unwrap().findings, []);
}
