//! Properties that hold for every table, and for any bytes.

use super::*;

/// Reads everything in every way; only the end of each iteration matters.
fn exercise(bytes: &[u8], options: &TableOptions) -> Result<usize> {
    let mut steps = 0;
    let table = open(&TestFile::new(bytes.to_vec()), options)?;
    for (read, on_bad_block) in [(READ, OnBadBlock::Stop), (LENIENT, OnBadBlock::Skip)] {
        let mut iterator = table.iter(on_damage(read, on_bad_block));
        for backward in [false, true] {
            let step = if backward { iterator.seek_to_last() } else { iterator.seek_to_first() };
            finish_now(&mut iterator, step);
            while iterator.valid() {
                steps += iterator.key().len().min(1) + iterator.value().len().min(1);
                let step = if backward { iterator.prev() } else { iterator.next() };
                finish_now(&mut iterator, step);
            }
        }
        for i in 0..20u64 {
            let target = key(format!("key{:08}", i * 9).as_bytes(), 3);
            let step = iterator.seek(&target);
            finish_now(&mut iterator, step);
            for step in [InternalIterator::prev, InternalIterator::next, InternalIterator::next] {
                if iterator.valid() {
                    let step = step(&mut iterator);
                    finish_now(&mut iterator, step);
                }
            }
            let _ = block_on(table.get(&target, read, &mut (), |k, v| k.len() + v.len()));
            let _ = table.approximate_offset(&target);
        }
    }
    Ok(steps)
}

/// Corrects the checksums of all blocks that handles still refer to.
fn reseal(bytes: &mut [u8]) {
    let Ok(footer) = Footer::decode(&bytes[bytes.len() - FOOTER_SIZE..]) else { return };
    reseal_block(bytes, footer.metaindex);
    let Some(index) = reseal_block(bytes, footer.index) else { return };
    let mut entries = BlockIterator::new(index);
    entries.seek_to_first();
    while entries.valid() {
        if let Ok(handle) = BlockHandle::decode_value(entries.value()) {
            reseal_block(bytes, handle);
        }
        entries.next();
    }
}

fn reseal_block(bytes: &mut [u8], handle: BlockHandle) -> Option<Rc<Block>> {
    let stored = handle.stored_size(bytes.len() as u64).ok()?;
    let start = usize::try_from(handle.offset).unwrap();
    let (sealed, checksum) = bytes[start..start + stored].split_last_chunk_mut::<4>()?;
    *checksum = format::masked(format::checksum(sealed)).to_le_bytes();
    let (block_type, contents) = sealed.split_last()?;
    let mut decoded = Vec::new();
    decompress(codec_of(*block_type, contents).ok()?, contents, 1 << 20, &mut decoded).ok()?;
    Block::new(decoded, Origin::default(), true).ok().map(Rc::new)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_table_behaves_like_a_sorted_map(
        entries in prop::collection::btree_map(
            prop::collection::vec(prop_oneof![Just(0u8), Just(255), b'a'..b'd'], 0..12),
            prop::collection::vec(any::<u8>(), 0..200),
            0..200,
        ),
        targets in prop::collection::vec(prop::collection::vec(prop_oneof![Just(0u8), Just(255), b'a'..b'd'], 0..12), 0..20),
        block_size in 64usize..3000,
        block_restart_interval in 1usize..20,
        snappy in any::<bool>(),
        internal in any::<bool>(),
        pending in prop::option::of(0u32..2),
        read_ahead in prop_oneof![Just(0u32), 1u32..10_000],
        seed in any::<u64>(),
    ) {
        let entries: BTreeMap<Vec<u8>, Vec<u8>> = entries;
        let wrap = |user: &Vec<u8>| if internal { key(user, 5) } else { user.clone() };
        let rows: Vec<Row> = entries.iter().map(|(k, v)| (wrap(k), v.clone())).collect();
        let targets: Vec<Vec<u8>> = targets.iter().map(wrap).collect();
        let compression = if snappy { Compression::Snappy } else { Compression::None };
        let order = if internal { options().order } else { KeyOrder::BYTEWISE };
        let options = TableOptions { order, block_size, block_restart_interval, compression, ..options() };
        let file = TestFile::new(build(&rows, &options));
        file.pending_polls.set(pending);
        let table = open_with(&file, &options, Rc::new(BlockCache::new(2000))).unwrap();
        let read = BlockRead { read_ahead, ..READ };
        check(&mut table.iter(on_damage(read, OnBadBlock::Stop)), &rows, &options.order, &targets, seed);
        for target in rows.iter().map(|(k, _)| k).chain(&targets) {
            let expected = rows.binary_search_by(|(k, _)| options.order.compare(k, target)).ok().map(|i| &rows[i].1);
            let (_, found) = block_on(table.get(target, read, &mut (), |k, v| (k == target).then(|| v.to_vec()))).unwrap();
            prop_assert_eq!(found.flatten(), expected.cloned());
        }
    }

    #[test]
    fn mutated_tables_never_panic(
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        compressed in any::<bool>(),
        verify in any::<bool>(),
    ) {
        let compression = if compressed { Compression::Snappy } else { Compression::None };
        let options = TableOptions { block_size: 200, compression, policy: DamagePolicy::STOP.verifying(verify), ..options() };
        let mut bytes = build(&rows(30), &options);
        for (at, value) in mutations {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = exercise(&bytes, &options);
        reseal(&mut bytes);
        let _ = exercise(&bytes, &options);
    }
}
