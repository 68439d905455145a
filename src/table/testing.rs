//! Files and helpers for the tests of this module.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::builder::TableBuilder;
use super::{BlockCache, BlockRead, DamagePolicy, Table, TableOptions};
use crate::base::{BloomFilterPolicy, InternalKeyComparator, KeyOrder, SequenceNumber, ValueType, append_internal_key};
use crate::env::{Access, Durability, Env, File, FileKind, Io, NameEdit};
use crate::error::{Error, Result};
use crate::events::LiveCounters;
use crate::iter::OnBadBlock;
use crate::iter::conformance::Row;
use crate::options::Compression;

/// A file in memory whose reads are ready, or pending for a number of polls.
pub(super) struct TestFile {
    pub(super) bytes: RefCell<Vec<u8>>,
    pub(super) pending_polls: Cell<Option<u32>>,
    pub(super) reads: Cell<usize>,
    /// Appends write this many bytes fewer than they report.
    pub(super) loses: Cell<usize>,
    /// Reads fail from this offset on.
    pub(super) fails_from: Cell<u64>,
}

impl TestFile {
    pub(super) fn new(bytes: Vec<u8>) -> Rc<TestFile> {
        Rc::new(TestFile {
            bytes: RefCell::new(bytes),
            pending_polls: Cell::new(None),
            reads: Cell::new(0),
            loses: Cell::new(0),
            fails_from: Cell::new(u64::MAX),
        })
    }
}

impl File for TestFile {
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        self.reads.set(self.reads.get() + 1);
        let result = if offset >= self.fails_from.get() {
            Err(Error::io("000001.ldb", "read", std::io::ErrorKind::Other, "sector fault"))
        } else {
            let bytes = self.bytes.borrow();
            let start = usize::try_from(offset).unwrap().min(bytes.len());
            Ok(bytes[start..start.saturating_add(length).min(bytes.len())].to_vec())
        };
        match self.pending_polls.get() {
            None => Io::ready(result),
            Some(mut polls) => {
                let mut result = Some(result);
                Io::pending(poll_fn(move |_| {
                    if polls == 0 {
                        return Poll::Ready(result.take().unwrap());
                    }
                    polls -= 1;
                    Poll::Pending
                }))
            }
        }
    }

    fn append(&self, data: &[u8]) -> Io<u64> {
        let kept = data.len().saturating_sub(self.loses.get());
        self.bytes.borrow_mut().extend_from_slice(&data[..kept]);
        Io::ready(Ok(u64::try_from(data.len()).unwrap()))
    }

    fn sync(&self) -> Io<Durability> {
        Io::ready(Ok(Durability::Volatile))
    }

    fn truncate(&self, _: u64) -> Io<()> {
        unreachable!("tables are never truncated")
    }

    fn size(&self) -> Io<u64> {
        Io::ready(Ok(u64::try_from(self.bytes.borrow().len()).unwrap()))
    }
}

/// A storage of which only one method is called.
pub(super) struct TestEnv;

impl Env for TestEnv {
    fn lock(&self, _: bool) -> Io<u64> {
        unreachable!()
    }
    fn unlock(&self) {}
    fn list(&self) -> Io<Vec<String>> {
        unreachable!()
    }
    fn create(&self, _: &str, _: FileKind, _: u64) -> Io<Rc<dyn File>> {
        unreachable!()
    }
    fn open(&self, _: &str, _: Access) -> Io<Rc<dyn File>> {
        unreachable!()
    }
    fn edit_names(&self, _: Vec<NameEdit>) -> Io<()> {
        unreachable!()
    }
    fn remove_place(&self) -> Io<()> {
        unreachable!()
    }
    fn durability(&self) -> Durability {
        Durability::Volatile
    }
    fn appends_are_exact(&self) -> bool {
        true
    }
}

/// Polls `future` until it is ready.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

/// Internal keys, LevelDB's defaults, a Bloom filter.
pub(super) fn options() -> TableOptions {
    TableOptions {
        order: KeyOrder::Internal(InternalKeyComparator::default()),
        block_size: 4 << 10,
        block_restart_interval: 16,
        compression: Compression::Snappy,
        filter_policy: Some(Rc::new(BloomFilterPolicy::new(10))),
        block_size_max: 64 << 20,
        policy: DamagePolicy::STOP,
    }
}

/// The default options of a read.
pub(super) const READ: BlockRead =
    BlockRead { policy: DamagePolicy::STOP, fill_cache: true, fill_sought: false, use_cache: true, read_ahead: 0 };

/// LevelDB's default options of a read.
pub(super) const LENIENT: BlockRead =
    BlockRead { policy: DamagePolicy { verify_checksums: false, lenient: true, ..DamagePolicy::STOP }, ..READ };

/// `read` with another handling of bad blocks.
pub(super) fn on_damage(read: BlockRead, on_bad_block: OnBadBlock) -> BlockRead {
    BlockRead { policy: DamagePolicy { on_bad_block, ..read.policy }, ..read }
}

/// An internal key.
pub(super) fn key(user: &[u8], sequence: u64) -> Vec<u8> {
    let mut out = Vec::new();
    append_internal_key(&mut out, user, SequenceNumber::new(sequence).unwrap(), ValueType::Value);
    out
}

/// `count` rows with keys `key00000000`, `key00000002` and so on.
pub(super) fn rows(count: u64) -> Vec<Row> {
    (0..count).map(|i| (key(format!("key{:08}", i * 2).as_bytes(), i + 1), value_of(i))).collect()
}

/// Values of 0 to 60 bytes, half of them compressible.
pub(super) fn value_of(i: u64) -> Vec<u8> {
    let noise = i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    noise.repeat(8).into_iter().take(usize::try_from(i % 61).unwrap()).collect()
}

/// The bytes of a table of `rows`.
pub(super) fn build(rows: &[Row], options: &TableOptions) -> Vec<u8> {
    try_build(rows, options).unwrap()
}

pub(super) fn try_build(rows: &[Row], options: &TableOptions) -> Result<Vec<u8>> {
    let file = TestFile::new(Vec::new());
    let mut builder = TableBuilder::new(Rc::new(TestEnv), file.clone(), "000001.ldb".into(), Rc::new(options.clone()));
    for (key, value) in rows {
        builder.add(key, value)?;
        if builder.wants_write() {
            block_on(builder.write_out())?;
        }
    }
    assert_eq!(builder.entries(), u64::try_from(rows.len()).unwrap());
    let size = block_on(builder.finish())?;
    let bytes = file.bytes.take();
    assert_eq!(size, u64::try_from(bytes.len()).unwrap());
    Ok(bytes)
}

/// Opens `file` as a table, with its own cache of 1 MiB.
pub(super) fn open(file: &Rc<TestFile>, options: &TableOptions) -> Result<Rc<Table>> {
    open_with(file, options, Rc::new(BlockCache::new(1 << 20)))
}

pub(super) fn open_with(file: &Rc<TestFile>, options: &TableOptions, cache: Rc<BlockCache>) -> Result<Rc<Table>> {
    let size = u64::try_from(file.bytes.borrow().len()).unwrap();
    let counters = Rc::new(LiveCounters::default());
    let options = Rc::new(options.clone());
    block_on(Table::open(file.clone(), "000001.ldb".into(), size, 1, options, cache, counters)).map(Rc::new)
}
