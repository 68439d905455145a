//! Entry points of each decoder for fuzzing.
//!
//! Each function takes any bytes and panics on a wrong result.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::archive::{Import, Limits};
use crate::base::{BloomFilterPolicy, FileName, InternalKeyComparator, KeyOrder, UserComparator, to_u64};
use crate::batch::{BatchOperation, WriteBatch, operations};
use crate::env::{Access, Env, MemoryEnv, block_on};
use crate::error::Error;
use crate::events::LiveCounters;
use crate::iter::{InternalIterator, OnBadBlock, finish};
use crate::log::{LogReader, Semantics, frame_record};
use crate::options::Compression;
use crate::table::{
    Block, BlockCache, BlockHandle, BlockIterator, BlockRead, Codec, DamagePolicy, DecodeError, FOOTER_SIZE,
    FilterBlock, Footer, Origin, Table, TableOptions, codec_of, decompress,
};
use crate::version::{VersionEdit, VersionSet, read_current};

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: [(&str, Target); 10] = [
    ("log", log),
    ("batch", batch),
    ("edit", edit),
    ("index", index),
    ("block", block),
    ("filter", filter),
    ("decompress", decompression),
    ("table", table),
    ("names", names),
    ("archive", archive),
];

/// Larger than any block here may become.
const SIZE_MAX: usize = 4 << 20;

/// A zip, imported as a whole and in pieces.
///
/// Both give the same result, and a refused one leaves nothing.
pub fn archive(data: &[u8]) {
    let [whole, pieces] = [data.len().max(1), 7].map(|size| {
        let env = MemoryEnv::new();
        let import = Import::new(Rc::new(env.clone()), Limits { bytes: to_u64(SIZE_MAX), ratio: 200 });
        let result = block_on(async {
            for piece in data.chunks(size) {
                let mut bytes = piece;
                while !import.feed(bytes, false).await? {
                    bytes = &[];
                }
            }
            while !import.feed(&[], true).await? {}
            Ok::<(), Error>(())
        });
        // After the end there is nothing to abandon.
        block_on(import.abort());
        let names = env.names();
        assert_eq!(names.iter().any(|name| name == "CURRENT"), result.is_ok());
        assert!(result.is_ok() || names.is_empty(), "{names:?} are left of what was refused");
        assert!(names.iter().all(|name| FileName::parse(name).is_some()));
        names.into_iter().map(|name| (env.read(&name), name)).collect::<Vec<_>>()
    });
    assert_eq!(whole, pieces);
}

/// A log or manifest, with each of the semantics.
pub fn log(data: &[u8]) {
    let prefix = read_log(data, Semantics::Prefix);
    let compat = read_log(data, Semantics::Compat { verify: true });
    assert!(compat.starts_with(&prefix), "the prefix is not what LevelDB reads first");
    read_log(data, Semantics::Compat { verify: false });
    let mut again = Vec::new();
    let mut end = 0;
    for record in &prefix {
        end = frame_record(record, end, &mut again);
    }
    assert_eq!(read_log(&again, Semantics::Prefix), prefix);
}

fn read_log(data: &[u8], semantics: Semantics) -> Vec<Vec<u8>> {
    let mut reader = LogReader::from_bytes(data.to_vec(), "000001.log".into(), semantics);
    let mut records = Vec::new();
    let (mut bytes, mut end) = (0, 0);
    while let Some(record) = block_on(reader.next_record()).unwrap_or(None) {
        assert!(record.offset >= end && record.end > record.offset, "records overlap");
        end = record.end;
        bytes += record.data.len();
        assert!(bytes <= data.len(), "more payload than file");
        records.push(record.data);
    }
    assert_eq!(reader.good_end(), end);
    let mut from = reader.tail().offset().unwrap_or(end);
    while let Some(found) = block_on(reader.scan_for_record_after(from)).unwrap_or(None) {
        assert!(found.offset >= from && found.end > found.offset, "the scan goes back");
        from = found.end;
    }
    records
}

/// A write batch.
pub fn batch(data: &[u8]) {
    let found = operations(data).take_while(Result::is_ok).count();
    assert!(found <= data.len());
    let Ok(batch) = WriteBatch::from_bytes(data.to_vec()) else { return };
    let mut again = WriteBatch::new();
    again.set_sequence(batch.sequence());
    for operation in batch.iter() {
        match operation {
            Ok(BatchOperation::Put { key, value }) => again.put(key, value),
            Ok(BatchOperation::Delete { key }) => again.delete(key),
            Err(error) => unreachable!("{error:?} in a batch that was checked"),
        }
    }
    assert_eq!(again.count(), batch.count());
    let read = WriteBatch::from_bytes(again.as_bytes().to_vec()).unwrap_or_default();
    assert!(read.iter().eq(batch.iter()), "another batch after writing it again");
    assert_eq!(read.sequence(), batch.sequence());
}

/// A version edit, decoded and applied.
pub fn edit(data: &[u8]) {
    let Ok(edit) = VersionEdit::decode(data) else { return };
    let encoded = edit.encode();
    assert_eq!(VersionEdit::decode(&encoded).as_ref(), Ok(&edit));
    let mut set = VersionSet::new(InternalKeyComparator::new(UserComparator::Bytewise));
    let Ok(version) = set.next_version(&edit) else { return };
    for level in 1..crate::version::LEVELS {
        assert!(version.level(level).windows(2).all(|pair| match pair {
            [a, b] => set.order().compare(&a.largest, &b.smallest).is_lt(),
            _ => true,
        }));
    }
    set.install(&edit, version);
    let snapshot = set.snapshot_edit();
    assert_eq!(VersionEdit::decode(&snapshot.encode()), Ok(snapshot));
    let _ = set.next_version(&edit);
}

fn order() -> KeyOrder {
    KeyOrder::Internal(InternalKeyComparator::new(UserComparator::Bytewise))
}

/// A footer, and the index block before it.
pub fn index(data: &[u8]) {
    let at = data.len().saturating_sub(FOOTER_SIZE);
    let (block, foot) = data.split_at(at);
    if let Ok(footer) = Footer::decode(foot) {
        let mut again = Vec::new();
        footer.encode_to(&mut again);
        assert_eq!(Footer::decode(&again), Ok(footer));
        for handle in [footer.metaindex, footer.index] {
            let size = to_u64(data.len());
            if let Ok(stored) = handle.stored_size(size) {
                assert!(stored <= data.len());
            }
        }
    }
    for lenient in [false, true] {
        let Ok(block) = Block::new(block.to_vec(), Origin::default(), lenient) else { continue };
        let mut entries = BlockIterator::new(Rc::new(block));
        entries.seek_to_first();
        while entries.valid() {
            if let Ok(stored) = BlockHandle::decode_value(entries.value()).and_then(|h| h.stored_size(1 << 20)) {
                assert!(stored <= 1 << 20);
            }
            entries.next();
        }
    }
}

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// The contents of a block, read in both directions and by seeking.
pub fn block(data: &[u8]) {
    for lenient in [false, true] {
        let Ok(block) = Block::new(data.to_vec(), Origin::default(), lenient) else { continue };
        let block = Rc::new(block);
        let mut it = BlockIterator::new(block.clone());
        let mut forward = Entries::new();
        let starts = entry_starts(&block);
        let mut bytes = 0usize;
        it.seek_to_first();
        while it.valid() {
            bytes = bytes.saturating_add(it.key().len());
            // Long keys that share much may be large in total, but must not be kept here.
            if bytes < SIZE_MAX {
                forward.push((it.key().to_vec(), it.value().to_vec()));
            }
            it.next();
        }
        let whole = it.error().is_none() && bytes < SIZE_MAX;
        assert!(starts.len() <= data.len());
        let restart_count = data.last_chunk().map_or(0, |count| u32::from_le_bytes(*count));
        let honest = (0..restart_count).filter_map(|i| usize::try_from(i).ok()).all(|i| {
            let at = block.restart(i);
            starts.contains(&at) && block.entry(at).is_some_and(|e| e.shared == 0)
        });
        let mut backward = Entries::new();
        let mut steps = 0;
        it.clear_error();
        it.seek_to_last();
        while it.valid() && bytes < SIZE_MAX {
            backward.push((it.key().to_vec(), it.value().to_vec()));
            steps += 1;
            assert!(steps <= data.len(), "backwards without end");
            it.prev();
        }
        backward.reverse();
        let sound = whole && honest && restart_count > 0;
        assert!(!sound || backward == forward, "backwards is not forwards reversed");
        seek_all(&mut it, &forward, sound);
    }
}

/// Offsets of entries, as far as their lengths tell.
fn entry_starts(block: &Block) -> BTreeSet<usize> {
    let mut starts = BTreeSet::new();
    let mut at = 0;
    while let Some(entry) = block.entry(at) {
        starts.insert(at);
        at = entry.end;
    }
    starts
}

fn seek_all(it: &mut BlockIterator, forward: &Entries, sound: bool) {
    let (bytewise, internal) = (KeyOrder::BYTEWISE, order());
    let sorted = forward.is_sorted_by(|a, b| a.0 < b.0);
    for (key, value) in forward.iter().step_by(forward.len().div_ceil(16).max(1)) {
        it.seek(&internal, key);
        it.seek(&bytewise, key);
        if sound && sorted {
            assert!(it.valid() && it.key() == key && it.value() == value, "a key that is there is not found");
        }
    }
    it.seek(&bytewise, b"");
    it.seek(&internal, &[0xff; 20]);
}

/// A filter block.
pub fn filter(data: &[u8]) {
    let policy = Rc::new(BloomFilterPolicy::new(10));
    let Ok(filter) = FilterBlock::new(policy, data.to_vec()) else { return };
    assert_eq!(filter.len(), data.len());
    for offset in [0, 1, 2047, 2048, 4096, 10_000, 1 << 20, u64::from(u32::MAX), 1 << 32, 1 << 63, u64::MAX] {
        for key in [&b""[..], b"a", b"lake/suigetsu", &[0xff; 300]] {
            let _ = filter.key_may_match(offset, key);
        }
    }
}

/// First byte: the block's type; the rest: its contents.
pub fn decompression(data: &[u8]) {
    let Some((block_type, contents)) = data.split_first() else { return };
    let mut out = Vec::new();
    for size_max in [SIZE_MAX, 1000, 0] {
        let result = codec_of(*block_type, contents).map_err(DecodeError::from).and_then(|codec| {
            decompress(codec, contents, size_max, &mut out)?;
            Ok(codec)
        });
        // An uncompressed block cannot grow: its size was checked with its handle.
        assert!(matches!(result, Err(_) | Ok(Codec::None)) || out.len() <= size_max, "more than was allowed");
        assert!(out.capacity() <= SIZE_MAX.max(contents.len()) + (1 << 20), "{} bytes claimed", out.capacity());
    }
}

/// A whole table file, opened in each way, read in both directions, and searched.
pub fn table(data: &[u8]) {
    for (verify, lenient) in [(true, false), (false, true)] {
        read_table(data, verify, lenient);
    }
}

fn read_table(data: &[u8], verify: bool, lenient: bool) {
    let env = MemoryEnv::new();
    env.write("000001.ldb", data);
    let Ok(file) = block_on(env.open("000001.ldb", Access::Read)) else { return };
    let on_bad_block = if verify { OnBadBlock::Stop } else { OnBadBlock::Skip };
    let policy = DamagePolicy { verify_checksums: verify, paranoid: false, lenient, on_bad_block };
    let options = Rc::new(TableOptions {
        order: order(),
        block_size: 4096,
        block_restart_interval: 16,
        compression: Compression::Snappy,
        filter_policy: Some(Rc::new(BloomFilterPolicy::new(10))),
        block_size_max: 4 << 20,
        policy,
    });
    let cache = Rc::new(BlockCache::new(16 << 10));
    let size = to_u64(data.len());
    let opened = Table::open(file, "000001.ldb".into(), size, 1, options, cache, Rc::new(LiveCounters::default()));
    let Ok(table) = block_on(opened).map(Rc::new) else { return };
    let read = BlockRead { policy, fill_cache: true, fill_sought: false, use_cache: verify, read_ahead: 8 << 10 };
    // Many index entries may refer to one block, and a block's keys may share much.
    let mut left = 20_000usize;
    let mut keys = Vec::new();
    let mut it = table.iter(read);
    let step = it.seek_to_first();
    block_on(finish(&mut it, step));
    while it.valid() && left > 0 {
        left -= 1;
        if keys.len() < 32 && it.key().len() < 1000 {
            keys.push(it.key().to_vec());
        }
        let step = it.next();
        block_on(finish(&mut it, step));
    }
    let step = it.seek_to_last();
    block_on(finish(&mut it, step));
    while it.valid() && left > 0 {
        left -= 1;
        let step = it.prev();
        block_on(finish(&mut it, step));
    }
    for key in &keys {
        let _ = block_on(table.get(key, read, &mut (), |_, value| value.len()));
        let _ = table.approximate_offset(key);
        let step = it.seek(key);
        block_on(finish(&mut it, step));
    }
    let _ = it.status();
    let _ = block_on(table.get(&[0xff; 20], read, &mut (), |_, value| value.len()));
}

/// A file name, and the contents of CURRENT.
pub fn names(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(name) = FileName::parse(text)
    {
        assert_eq!(FileName::parse(&name.to_string()), Some(name));
    }
    let env = MemoryEnv::new();
    env.write("CURRENT", data);
    if let Ok(number) = block_on(read_current(&env)) {
        let text = data.strip_suffix(b"\n").unwrap_or_default();
        let parsed = std::str::from_utf8(text).ok().and_then(FileName::parse);
        assert_eq!(parsed, Some(FileName::Manifest(number)));
    }
}
