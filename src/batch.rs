//! A group of writes that is applied as one: either all or none of them.
//!
//! One batch is one record of the write-ahead log. Its bytes are LevelDB's own:
//!
//! ```text
//! sequence   u64    of the first operation; operation i has sequence + i
//! count      u32    how many operations follow
//! operation         01 lp(key) lp(value)     put
//!                   00 lp(key)               delete
//! ```
//! Integers are little-endian, `lp(x)` is a varint32 length and that many bytes. A key may occur
//! more than once; the last wins, since its sequence number is the highest. For example, put(a, 1)
//! as the first write of a database:
//!
//! ```text
//! 01 00 00 00 00 00 00 00   sequence 1
//! 01 00 00 00               one operation
//! 01  01 61  01 31          put, key "a", value "1"
//! ```
//! Source: LevelDB `db/write_batch.cc`.

use crate::base::{Input, SequenceNumber, decode_fixed32, decode_fixed64, put_varint32};
use crate::error::{Error, Malformed, Result};

/// Bytes of sequence and count.
const HEADER_SIZE: usize = 12;
const COUNT_OFFSET: usize = 8;
const TAG_DELETE: u8 = 0;
const TAG_PUT: u8 = 1;
/// A tag and two lengths of five bytes each.
const OPERATION_OVERHEAD_MAX: usize = 11;

/// A group of puts and deletes, applied together and in this order.
///
/// ```
/// use varve::WriteBatch;
///
/// let mut batch = WriteBatch::new();
/// batch.put(b"a", b"1");
/// batch.delete(b"b");
/// assert_eq!(batch.count(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
// Invariants:
// 1. `bytes` begins with a header whose count is `count`, followed by `count` complete operations.
// 2. Once `refused` is set, the batch lacks an operation that was requested, and is never written.
// 3. No key or value is longer than `longest`, and `puts` tells whether there is a put: the checks
//    before a write need not decode the operations.
pub struct WriteBatch {
    bytes: Vec<u8>,
    count: u32,
    longest: usize,
    puts: bool,
    refused: Option<Refused>,
}

/// The reason why an operation was not added to the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Length(usize),
    Count,
    Memory(usize),
}

/// One operation of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchOperation<'a> {
    /// Sets a key to a value.
    Put {
        /// The key.
        key: &'a [u8],
        /// Its new value.
        value: &'a [u8],
    },
    /// Deletes a key, whether it exists or not.
    Delete {
        /// The key.
        key: &'a [u8],
    },
}

impl Default for WriteBatch {
    fn default() -> WriteBatch {
        WriteBatch::with_capacity(0)
    }
}

impl WriteBatch {
    /// An empty batch.
    pub fn new() -> WriteBatch {
        WriteBatch::default()
    }

    /// An empty batch with room for operations of `size` bytes.
    ///
    /// If the memory is not available, the operation that needs it is refused.
    pub(crate) fn with_capacity(size: usize) -> WriteBatch {
        let mut bytes = Vec::new();
        let _ = bytes.try_reserve_exact(size.saturating_add(HEADER_SIZE));
        bytes.extend_from_slice(&[0; HEADER_SIZE]);
        WriteBatch { bytes, count: 0, longest: 0, puts: false, refused: None }
    }

    /// One put.
    #[inline]
    pub(crate) fn of_put(key: &[u8], value: &[u8]) -> WriteBatch {
        let size = key.len().saturating_add(value.len()).saturating_add(OPERATION_OVERHEAD_MAX);
        let mut batch = WriteBatch::with_capacity(size);
        batch.put(key, value);
        batch
    }

    /// Adds a put of `key` and `value`.
    ///
    /// If it exceeds the format's limits (4 GiB and more), writing this batch fails.
    #[inline]
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        if let Some((key_length, value_length)) = self.make_room(key, value) {
            self.bytes.push(TAG_PUT);
            put_varint32(&mut self.bytes, key_length);
            self.bytes.extend_from_slice(key);
            put_varint32(&mut self.bytes, value_length);
            self.bytes.extend_from_slice(value);
            self.longest = self.longest.max(key.len()).max(value.len());
            self.puts = true;
            self.set_count(self.count + 1);
        }
    }

    /// Adds a deletion of `key`.
    ///
    /// If it exceeds the format's limits (4 GiB and more), writing this batch fails.
    #[inline]
    pub fn delete(&mut self, key: &[u8]) {
        if let Some((key_length, _)) = self.make_room(key, &[]) {
            self.bytes.push(TAG_DELETE);
            put_varint32(&mut self.bytes, key_length);
            self.bytes.extend_from_slice(key);
            self.longest = self.longest.max(key.len());
            self.set_count(self.count + 1);
        }
    }

    /// Appends all operations of `other`.
    pub fn append(&mut self, other: &WriteBatch) {
        let operations = other.operation_bytes();
        match self.count.checked_add(other.count) {
            None => self.refuse(Refused::Count),
            Some(_) if self.bytes.try_reserve(operations.len()).is_err() => {
                self.refuse(Refused::Memory(operations.len()));
            }
            Some(count) => {
                self.bytes.extend_from_slice(operations);
                self.longest = self.longest.max(other.longest);
                self.puts |= other.puts;
                self.set_count(count);
            }
        }
        if let Some(reason) = other.refused {
            self.refuse(reason);
        }
    }

    /// Removes all operations; keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.truncate(HEADER_SIZE);
        self.bytes.fill(0);
        self.count = 0;
        self.longest = 0;
        self.puts = false;
        self.refused = None;
    }

    /// The number of operations.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The length of the longest key or value.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Whether one of the operations is a put.
    pub(crate) fn has_puts(&self) -> bool {
        self.puts
    }

    /// Whether there are no operations.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes that this batch will take in the log, without the log's own headers (LevelDB's
    /// `ApproximateSize`).
    pub fn byte_size(&self) -> usize {
        self.bytes.len()
    }

    /// An error if an operation was too large to be added. Checked before a batch is written.
    pub fn check(&self) -> Result<()> {
        let Some(reason) = self.refused else { return Ok(()) };
        Err(Error::LimitExceeded(match reason {
            Refused::Length(length) => {
                format!("a key or value of a batch has {length} bytes, the format holds at most {}", u32::MAX - 1)
            }
            Refused::Count => format!("a batch has more than {} operations", u32::MAX),
            Refused::Memory(length) => format!("no memory for {length} more bytes of a batch"),
        }))
    }

    /// Decodes a batch and checks all of it.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<WriteBatch, Malformed> {
        let header = BatchHeader::decode(&bytes)?;
        let first = header.first_sequence()?;
        if first.advance(u64::from(header.count.saturating_sub(1))).is_none() {
            let reason = format!("sequence {} leaves no room for {} operations in 56 bits", first.get(), header.count);
            return Err(Malformed::new(0, reason));
        }
        let (mut longest, mut puts) = (0, false);
        for operation in operations(&bytes) {
            match operation? {
                BatchOperation::Put { key, value } => {
                    longest = longest.max(key.len()).max(value.len());
                    puts = true;
                }
                BatchOperation::Delete { key } => longest = longest.max(key.len()),
            }
        }
        Ok(WriteBatch { bytes, count: header.count, longest, puts, refused: None })
    }

    /// The bytes of the log record.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The sequence number of the first operation (0 until it is written).
    pub fn sequence(&self) -> SequenceNumber {
        decode_fixed64(&self.bytes).and_then(SequenceNumber::new).unwrap_or_default()
    }

    /// Sets the sequence number of the first operation.
    pub fn set_sequence(&mut self, sequence: SequenceNumber) {
        if let Some(field) = self.bytes.first_chunk_mut() {
            *field = sequence.get().to_le_bytes();
        }
    }

    /// The operations, in order.
    ///
    /// Never an error for a batch that was built here or returned by
    /// [`from_bytes`](WriteBatch::from_bytes).
    pub fn iter(&self) -> impl Iterator<Item = Result<BatchOperation<'_>, Malformed>> {
        operations(&self.bytes)
    }

    fn operation_bytes(&self) -> &[u8] {
        self.bytes.get(HEADER_SIZE..).unwrap_or_default()
    }

    /// Reserves room for one more operation, with its lengths as they are stored.
    #[inline]
    fn make_room(&mut self, key: &[u8], value: &[u8]) -> Option<(u32, u32)> {
        let (Some(key_length), Some(value_length)) = (stored_length(key), stored_length(value)) else {
            self.refuse(Refused::Length(key.len().max(value.len())));
            return None;
        };
        if self.count == u32::MAX {
            self.refuse(Refused::Count);
            return None;
        }
        let size = key.len().saturating_add(value.len()).saturating_add(OPERATION_OVERHEAD_MAX);
        if self.bytes.try_reserve(size).is_err() {
            self.refuse(Refused::Memory(size));
            return None;
        }
        Some((key_length, value_length))
    }

    #[cold]
    fn refuse(&mut self, reason: Refused) {
        self.refused.get_or_insert(reason);
    }

    #[inline]
    fn set_count(&mut self, count: u32) {
        self.count = count;
        if let Some(field) = self.bytes.get_mut(COUNT_OFFSET..).and_then(<[u8]>::first_chunk_mut) {
            *field = count.to_le_bytes();
        }
        debug_assert!(self.bytes.len() >= HEADER_SIZE);
    }
}

/// The length, if it is within the format's limits.
#[inline]
fn stored_length(bytes: &[u8]) -> Option<u32> {
    u32::try_from(bytes.len()).ok().filter(|length| *length < u32::MAX)
}

/// The header before the operations, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Sequence number of the first operation; unchecked, the format has 56 bits for it.
    pub sequence: u64,
    /// Number of operations that should follow.
    pub count: u32,
}

impl BatchHeader {
    /// Decodes the header of a log record.
    pub fn decode(record: &[u8]) -> Result<BatchHeader, Malformed> {
        let count = record.get(COUNT_OFFSET..).and_then(decode_fixed32);
        match (decode_fixed64(record), count) {
            (Some(sequence), Some(count)) => Ok(BatchHeader { sequence, count }),
            _ => Err(Malformed::new(
                0,
                format!("log record too small: {} bytes, expected at least {HEADER_SIZE}", record.len()),
            )),
        }
    }

    /// The sequence number, if it is valid.
    pub fn first_sequence(self) -> Result<SequenceNumber, Malformed> {
        SequenceNumber::new(self.sequence).ok_or_else(|| {
            Malformed::new(0, format!("sequence is {}, expected at most {}", self.sequence, SequenceNumber::MAX.get()))
        })
    }
}

/// The operations of an unchecked log record: all before the first error, then the error.
///
/// LevelDB applies those before the error, too. A wrong count is reported at the end.
pub fn operations(record: &[u8]) -> Operations<'_> {
    let (count, error) = match BatchHeader::decode(record) {
        Ok(header) => (header.count, None),
        Err(error) => (0, Some(error)),
    };
    let mut input = Input::new(record);
    let _ = input.bytes(HEADER_SIZE.min(record.len()), "header");
    Operations { input, count, found: 0, error, done: false }
}

/// See [`operations`].
#[derive(Clone, Debug)]
pub struct Operations<'a> {
    input: Input<'a>,
    /// The decoded header.
    count: u32,
    found: u32,
    error: Option<Malformed>,
    done: bool,
}

impl<'a> Iterator for Operations<'a> {
    type Item = Result<BatchOperation<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.input.is_empty() || self.error.is_some() {
            self.done = true;
            return self.verdict().map(Err);
        }
        let operation = read_operation(&mut self.input);
        self.done = operation.is_err();
        self.found = self.found.saturating_add(1);
        Some(operation)
    }
}

impl Operations<'_> {
    /// The error at the end of the bytes, if there is one.
    fn verdict(&mut self) -> Option<Malformed> {
        if let Some(error) = self.error.take() {
            return Some(error);
        }
        (self.found != self.count).then(|| {
            let reason = format!("WriteBatch has wrong count: {} stored, {} found", self.count, self.found);
            Malformed::new(u64::try_from(COUNT_OFFSET).unwrap_or(0), reason)
        })
    }
}

/// How the reason begins if an operation is neither put nor delete; the offset is that of its tag.
pub(crate) const UNKNOWN_TAG: &str = "unknown WriteBatch tag: ";

#[inline]
fn read_operation<'a>(input: &mut Input<'a>) -> Result<BatchOperation<'a>, Malformed> {
    let start = input.clone();
    match input.u8("WriteBatch tag")? {
        TAG_PUT => {
            let key = input.length_prefixed("bad WriteBatch Put: key")?;
            let value = input.length_prefixed("bad WriteBatch Put: value")?;
            Ok(BatchOperation::Put { key, value })
        }
        TAG_DELETE => Ok(BatchOperation::Delete { key: input.length_prefixed("bad WriteBatch Delete: key")? }),
        tag => Err(start.malformed(format!("{UNKNOWN_TAG}{tag}, expected 0 or 1"))),
    }
}

#[cfg(test)]
mod tests;
