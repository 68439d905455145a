//! Tests of reader and writer together.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is how a failure is said")]

mod damage;
mod leveldb;
#[cfg(not(target_arch = "wasm32"))]
mod properties;
mod writer;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::scan::Found;
use super::writer::frame_record;
use super::*;
use crate::base::to_u64;
use crate::env::{Access, Durability, Env, File, FileKind, Io, MemoryEnv, try_now};
use crate::error::Error;

const COMPAT: Semantics = Semantics::Compat { verify: true };

/// A log in memory, written by `frame_record`.
#[derive(Clone, Default)]
struct Log {
    bytes: Vec<u8>,
}

/// The results that LevelDB's tests check.
#[derive(Debug, PartialEq)]
struct Outcome {
    records: Vec<Vec<u8>>,
    dropped: u64,
    reasons: Vec<String>,
}

impl Log {
    fn of(records: &[&[u8]]) -> Log {
        let mut log = Log::default();
        for record in records {
            log.write(record);
        }
        log
    }

    fn write(&mut self, record: &[u8]) {
        let offset = to_u64(self.bytes.len());
        let end = frame_record(record, offset, &mut self.bytes);
        assert_eq!(end, to_u64(self.bytes.len()));
    }

    fn set_type(&mut self, header: usize, type_byte: u8) {
        self.bytes[header + 6] = type_byte;
        self.fix_checksum(header);
    }

    fn fix_checksum(&mut self, header: usize) {
        let found = FragmentHeader::decode(&self.bytes[header..]).unwrap();
        let sum = checksum(&self.bytes[header..header + found.size()]).to_le_bytes();
        self.bytes[header..header + 4].copy_from_slice(&sum);
    }

    fn shrink(&mut self, by: usize) {
        self.bytes.truncate(self.bytes.len() - by);
    }

    fn reader(&self, semantics: Semantics) -> LogReader {
        LogReader::from_bytes(self.bytes.clone(), "000001.log".into(), semantics)
    }

    /// Reads to the end, from memory and from a file; both must give the same.
    fn read(&self) -> Outcome {
        let outcome = read_all(&mut self.reader(COMPAT));
        let env = MemoryEnv::new();
        env.write("000001.log", &self.bytes);
        let mut reader = now(LogReader::open(&env, "000001.log", COMPAT)).unwrap();
        assert_eq!(read_all(&mut reader), outcome);
        outcome
    }

    /// The prefix of complete records, and the way it ends.
    fn prefix(&self) -> (Vec<Record>, Tail) {
        let mut reader = self.reader(Semantics::Prefix);
        let mut records = Vec::new();
        while let Some(record) = now(reader.next_record()).unwrap() {
            assert_eq!(record.end, reader.good_end());
            records.push(record);
        }
        assert_eq!(now(reader.next_record()), Ok(None));
        (records, reader.tail().clone())
    }

    fn prefix_data(&self) -> Vec<Vec<u8>> {
        self.prefix().0.into_iter().map(|r| r.data).collect()
    }

    /// The records that a scan from `offset` finds, with their offsets.
    fn scan(&self, mut offset: u64) -> Vec<(u64, FragmentType)> {
        let mut reader = self.reader(Semantics::Prefix);
        let mut all = Vec::new();
        while let Some(found) = now(reader.scan_for_valid_after(offset)).unwrap() {
            assert!(found.end > found.offset && found.offset >= offset);
            offset = found.end;
            all.push((found.offset, found.kind));
        }
        all
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    try_now(future).unwrap()
}

fn read_all(reader: &mut LogReader) -> Outcome {
    let mut records = Vec::new();
    while let Some(record) = now(reader.next_record()).unwrap() {
        records.push(record.data);
    }
    assert_eq!(now(reader.next_record()), Ok(None));
    let dropped = reader.damage_bytes();
    let reasons = reader.take_damages().into_iter().map(|d| d.reason.into_owned()).collect();
    Outcome { records, dropped, reasons }
}

fn big(text: &str, length: usize) -> Vec<u8> {
    text.bytes().cycle().take(length).collect()
}

#[track_caller]
fn check(log: &Log, records: &[&[u8]], dropped: u64, reasons: &[&str]) {
    let outcome = log.read();
    assert_eq!((outcome.dropped, outcome.reasons), (dropped, reasons.iter().map(ToString::to_string).collect()));
    assert_eq!(outcome.records, records);
}

// LevelDB's test cases.

/// A file that fails on request.
#[derive(Default)]
struct Faulty {
    bytes: RefCell<Vec<u8>>,
    fail_reads: Cell<bool>,
    /// The next append writes this many bytes, then fails (or reports success).
    take: Cell<Option<usize>>,
    lie: Cell<bool>,
    fail_truncate: Cell<bool>,
    fail_sync: Cell<bool>,
    hang: Cell<bool>,
}

fn failure<T>(operation: &'static str) -> Io<T> {
    Io::ready(Err(Error::io("000001.log", operation, std::io::ErrorKind::Other, "told to fail")))
}

impl File for Faulty {
    fn read_at(&self, _: u64, _: usize) -> Io<Vec<u8>> {
        if self.fail_reads.get() { failure("read") } else { Io::ready(Ok(Vec::new())) }
    }

    fn append(&self, data: &[u8]) -> Io<u64> {
        let take = self.take.take();
        self.bytes.borrow_mut().extend_from_slice(&data[..take.unwrap_or(data.len())]);
        if self.hang.get() {
            return Io::pending(std::future::pending());
        }
        if take.is_some() && !self.lie.get() { failure("append") } else { Io::ready(Ok(to_u64(data.len()))) }
    }

    fn sync(&self) -> Io<Durability> {
        if self.fail_sync.take() { failure("sync") } else { Io::ready(Ok(Durability::Durable)) }
    }

    fn truncate(&self, size: u64) -> Io<()> {
        if self.fail_truncate.take() {
            return failure("truncate");
        }
        self.bytes.borrow_mut().truncate(usize::try_from(size).unwrap());
        Io::ready(Ok(()))
    }

    fn size(&self) -> Io<u64> {
        Io::ready(Ok(to_u64(self.bytes.borrow().len())))
    }
}

fn faulty() -> (Rc<Faulty>, LogWriter) {
    let env = MemoryEnv::new();
    env.set_appends_are_exact(false);
    let file = Rc::new(Faulty::default());
    let writer = LogWriter::new(Rc::new(env), file.clone(), "000001.log".into(), 0);
    (file, writer)
}
