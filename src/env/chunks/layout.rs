//! The rows of the three stores.
//!
//! ```text
//! store   key                            value
//! head    0                              sealed("VARVEIH1": fixed64 database id, fixed64 epoch,
//!                                                           fixed64 commits, fixed64 next file)
//! files   [number of the file]           sealed("VARVEIF1": fixed64 size, lp(name))
//! chunks  [file, chunk]                  32 KiB of content
//!         [file, chunk, offset]          a piece of the last chunk, which begins there
//! ```
//! IndexedDB orders a key before those that it is the beginning of, so the values of a file, in the
//! order of their keys, are its content. A name is empty once it was removed, while the file is still
//! open. sealed: see `src/env/sealed.rs`.

use super::database::Row;
use crate::base::{Input, put_fixed64, put_length_prefixed, to_u64};
use crate::env::sealed::{opened, sealed, text};
use crate::error::{Error, Malformed, Result};

/// The size of a chunk. Chromium makes a file of its own of a value with 65,509 bytes or more; half of
/// that costs the same per byte, and a read of a block reads less.
pub(super) const CHUNK: usize = 32 << 10;
/// The same, for offsets.
pub(super) const CHUNK_SIZE: u64 = 32 << 10;

/// Larger numbers are not exact in JavaScript.
pub(super) const NUMBER_MAX: u64 = 1 << 52;

const HEAD_MAGIC: &[u8; 8] = b"VARVEIH1";
const FILE_MAGIC: &[u8; 8] = b"VARVEIF1";

/// The row that each transaction checks and replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) database: u64,
    /// Larger with every owner.
    pub(super) epoch: u64,
    /// Larger with every transaction that writes.
    pub(super) commits: u64,
    pub(super) next_file: u64,
}

impl Head {
    /// That of a new database, before it has an owner.
    pub(super) fn new(database: u64) -> Head {
        Head { database, epoch: 0, commits: 0, next_file: 1 }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for number in [self.database, self.epoch, self.commits, self.next_file] {
            put_fixed64(&mut body, number);
        }
        sealed(HEAD_MAGIC, &body)
    }

    fn decode(bytes: &[u8]) -> Result<Head, Malformed> {
        let mut input = Input::new(opened(HEAD_MAGIC, bytes)?);
        let database = input.fixed64("database id")?;
        let epoch = number(&mut input, "epoch")?;
        let commits = number(&mut input, "number of commits")?;
        let next_file = number(&mut input, "next file")?;
        let head = Head { database, epoch, commits, next_file };
        exactly(head, head.encode(), bytes)
    }

    /// The head in a row of the storage.
    pub(super) fn of(row: Option<Row>) -> Result<Head> {
        match row {
            None => Err(Error::Evicted("the browser removed the content of the database".to_owned())),
            Some(row) => Head::decode(&bytes_of(row, HEAD)?).map_err(|malformed| malformed.in_file(HEAD, 0)),
        }
    }
}

/// The name of the head in messages.
const HEAD: &str = "the head of the database";

/// The row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileRow {
    pub(super) size: u64,
    pub(super) name: String,
}

impl FileRow {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put_fixed64(&mut body, self.size);
        put_length_prefixed(&mut body, self.name.as_bytes());
        sealed(FILE_MAGIC, &body)
    }

    fn decode(bytes: &[u8]) -> Result<FileRow, Malformed> {
        let mut input = Input::new(opened(FILE_MAGIC, bytes)?);
        let row = FileRow { size: number(&mut input, "size")?, name: text(&mut input, "name")? };
        let encoded = row.encode();
        exactly(row, encoded, bytes)
    }

    /// The row of the file with this number.
    pub(super) fn of(row: Row, file: u64) -> Result<FileRow> {
        let name = format!("the row of file {file}");
        FileRow::decode(&bytes_of(row, &name)?).map_err(|malformed| malformed.in_file(&name, 0))
    }
}

/// `decoded`, if nothing but it is in `bytes`: a row is compared with what is expected as a whole.
fn exactly<T>(decoded: T, encoded: Vec<u8>, bytes: &[u8]) -> Result<T, Malformed> {
    if encoded == bytes {
        return Ok(decoded);
    }
    let reason = format!("the row has {} bytes, expected {}", bytes.len(), encoded.len());
    Err(Malformed::new(to_u64(encoded.len().min(bytes.len())), reason))
}

fn number(input: &mut Input<'_>, what: &str) -> Result<u64, Malformed> {
    let number = input.fixed64(what)?;
    if number > NUMBER_MAX { Err(input.malformed(format!("the {what} is {number}"))) } else { Ok(number) }
}

/// The bytes of a row; damage of `name` if it has none.
pub(super) fn bytes_of(row: Row, name: &str) -> Result<Vec<u8>> {
    match row {
        Row::Bytes(bytes) => Ok(bytes),
        Row::Foreign(what) => Err(Error::corruption(name, 0, format!("the value is {what}, expected bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_back_and_every_flipped_bit_is_found() {
        let head = Head { database: u64::MAX, epoch: 3, commits: 1 << 40, next_file: 9 };
        let file = FileRow { size: 1 << 33, name: "lost/000005.ldb".into() };
        assert_eq!(Head::decode(&head.encode()), Ok(head));
        assert_eq!(FileRow::decode(&file.encode()), Ok(file.clone()));
        for bytes in [head.encode(), file.encode()] {
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(Head::decode(&damaged).is_err() && FileRow::decode(&damaged).is_err(), "bit {bit}");
            }
        }
        assert!(Head::decode(&[]).is_err());
    }

    #[test]
    fn a_head_in_bytes() {
        let expected = "56415256454948312000000027a0b0c0";
        let bytes = Head { database: 1, epoch: 2, commits: 3, next_file: 4 }.encode();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex.len(), 96);
        assert_eq!(hex[..24], expected[..24]);
        assert_eq!(hex[32..], "0100000000000000020000000000000003000000000000000400000000000000"[..]);
    }

    #[test]
    fn numbers_that_javascript_does_not_have_are_damage() {
        let head = Head { database: 1, epoch: 2, commits: NUMBER_MAX + 1, next_file: 4 };
        assert!(Head::decode(&head.encode()).is_err());
        assert!(FileRow::decode(&FileRow { size: u64::MAX, name: String::new() }.encode()).is_err());
    }
}
