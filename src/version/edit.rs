//! One record of the MANIFEST: what changes from one version to the next.
//!
//! ```text
//! record = field*      field = tag (varint32), then
//!   1 comparator       lp(name)
//!   2 log number       varint64      logs below it are no longer needed
//!   3 next file number varint64
//!   4 last sequence    varint64
//!   5 compact pointer  varint32 level, lp(internal key)
//!   6 deleted file     varint32 level, varint64 number
//!   7 new file         varint32 level, varint64 number, varint64 size, lp(smallest), lp(largest)
//!   9 previous log     varint64      always 0 from current writers
//! ```
//! Written in the order 1, 2, 9, 3, 4, 5, 6, 7. Applied: compact pointers, deletions, additions.
//! The second record of a new database, log 3, next file 4: `02 03 09 00 03 04 04 00`.
//! Source: LevelDB `db/version_edit.cc`.

use std::collections::BTreeSet;

use super::shape::LEVELS;
use crate::base::{FileNumber, Input, SequenceNumber, put_length_prefixed, put_varint32, put_varint64, to_u64};
use crate::error::Malformed;

const COMPARATOR: u32 = 1;
const LOG_NUMBER: u32 = 2;
const NEXT_FILE_NUMBER: u32 = 3;
const LAST_SEQUENCE: u32 = 4;
const COMPACT_POINTER: u32 = 5;
const DELETED_FILE: u32 = 6;
const NEW_FILE: u32 = 7;
const PREVIOUS_LOG_NUMBER: u32 = 9;

/// The manifest's description of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// The table's file number.
    pub number: FileNumber,
    /// The table's size in bytes.
    pub size: u64,
    /// The table's first internal key.
    pub smallest: Vec<u8>,
    /// The table's last internal key.
    pub largest: Vec<u8>,
}

/// One record of the MANIFEST.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionEdit {
    /// Name of the user's comparator.
    pub comparator: Option<Vec<u8>>,
    /// Logs below it are no longer needed.
    pub log_number: Option<FileNumber>,
    /// One more log that is needed, in old databases.
    pub previous_log_number: Option<FileNumber>,
    /// Every file number in use is smaller.
    pub next_file_number: Option<FileNumber>,
    /// The largest sequence number of entries in tables.
    pub last_sequence: Option<SequenceNumber>,
    /// Start of the next compaction of a level.
    pub compact_pointers: Vec<(usize, Vec<u8>)>,
    /// Tables removed from a level.
    pub deleted_files: BTreeSet<(usize, FileNumber)>,
    /// Tables added to a level.
    pub new_files: Vec<(usize, NewFile)>,
}

impl VersionEdit {
    /// Encodes the record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(name) = &self.comparator {
            put_varint32(&mut out, COMPARATOR);
            put_length_prefixed(&mut out, name);
        }
        let numbers = [
            (LOG_NUMBER, self.log_number.map(|n| n.0)),
            (PREVIOUS_LOG_NUMBER, self.previous_log_number.map(|n| n.0)),
            (NEXT_FILE_NUMBER, self.next_file_number.map(|n| n.0)),
            (LAST_SEQUENCE, self.last_sequence.map(SequenceNumber::get)),
        ];
        for (tag, number) in numbers {
            if let Some(number) = number {
                put_varint32(&mut out, tag);
                put_varint64(&mut out, number);
            }
        }
        for (level, key) in &self.compact_pointers {
            put_varint32(&mut out, COMPACT_POINTER);
            put_level(&mut out, *level);
            put_length_prefixed(&mut out, key);
        }
        for (level, number) in &self.deleted_files {
            put_varint32(&mut out, DELETED_FILE);
            put_level(&mut out, *level);
            put_varint64(&mut out, number.0);
        }
        for (level, file) in &self.new_files {
            put_varint32(&mut out, NEW_FILE);
            put_level(&mut out, *level);
            put_varint64(&mut out, file.number.0);
            put_varint64(&mut out, file.size);
            put_length_prefixed(&mut out, &file.smallest);
            put_length_prefixed(&mut out, &file.largest);
        }
        out
    }

    /// Decodes a record.
    pub fn decode(record: &[u8]) -> Result<VersionEdit, Malformed> {
        let mut input = Input::new(record);
        let mut edit = VersionEdit::default();
        while !input.is_empty() {
            edit.add(EditField::read(&mut input)?);
        }
        Ok(edit)
    }

    fn add(&mut self, field: EditField<'_>) {
        match field {
            EditField::Comparator(name) => self.comparator = Some(name.to_vec()),
            EditField::LogNumber(number) => self.log_number = Some(number),
            EditField::PreviousLogNumber(number) => self.previous_log_number = Some(number),
            EditField::NextFileNumber(number) => self.next_file_number = Some(number),
            EditField::LastSequence(sequence) => self.last_sequence = Some(sequence),
            EditField::CompactPointer(level, key) => self.compact_pointers.push((level, key.to_vec())),
            EditField::DeletedFile(level, number) => {
                self.deleted_files.insert((level, number));
            }
            EditField::NewFile(level, number, size, [smallest, largest]) => {
                let (smallest, largest) = (smallest.to_vec(), largest.to_vec());
                self.new_files.push((level, NewFile { number, size, smallest, largest }));
            }
        }
    }
}

/// One field of a record, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditField<'a> {
    /// Name of the user's comparator.
    Comparator(&'a [u8]),
    /// Logs below it are no longer needed.
    LogNumber(FileNumber),
    /// One more log that is needed, in old databases.
    PreviousLogNumber(FileNumber),
    /// Every file number in use is smaller.
    NextFileNumber(FileNumber),
    /// The largest sequence number of entries in tables.
    LastSequence(SequenceNumber),
    /// Level, and start of its next compaction.
    CompactPointer(usize, &'a [u8]),
    /// Level and number of a table that is removed.
    DeletedFile(usize, FileNumber),
    /// Level, number and size of a table that is added, with its first and last internal key.
    NewFile(usize, FileNumber, u64, [&'a [u8]; 2]),
}

impl<'a> EditField<'a> {
    /// Decodes the next field of a record.
    pub fn read(input: &mut Input<'a>) -> Result<EditField<'a>, Malformed> {
        let start = input.clone();
        Ok(match input.varint32("tag of a version edit")? {
            COMPARATOR => EditField::Comparator(input.length_prefixed("comparator name")?),
            LOG_NUMBER => EditField::LogNumber(FileNumber(input.varint64("log number")?)),
            PREVIOUS_LOG_NUMBER => EditField::PreviousLogNumber(FileNumber(input.varint64("previous log number")?)),
            NEXT_FILE_NUMBER => EditField::NextFileNumber(FileNumber(input.varint64("next file number")?)),
            LAST_SEQUENCE => EditField::LastSequence(sequence(input)?),
            COMPACT_POINTER => EditField::CompactPointer(level(input)?, internal_key(input, "compact pointer")?),
            DELETED_FILE => EditField::DeletedFile(level(input)?, FileNumber(input.varint64("deleted file's number")?)),
            NEW_FILE => {
                let level = level(input)?;
                let number = FileNumber(input.varint64("new file's number")?);
                let size = input.varint64("new file's size")?;
                let smallest = internal_key(input, "new file's smallest key")?;
                let largest = internal_key(input, "new file's largest key")?;
                EditField::NewFile(level, number, size, [smallest, largest])
            }
            tag => return Err(start.malformed(format!("VersionEdit: unknown tag {tag}"))),
        })
    }
}

fn put_level(out: &mut Vec<u8>, level: usize) {
    put_varint64(out, to_u64(level));
}

fn level(input: &mut Input<'_>) -> Result<usize, Malformed> {
    let start = input.clone();
    let level = input.varint32("level")?;
    usize::try_from(level)
        .ok()
        .filter(|l| *l < LEVELS)
        .ok_or_else(|| start.malformed(format!("level is {level}, expected 0 to {}", LEVELS - 1)))
}

fn sequence(input: &mut Input<'_>) -> Result<SequenceNumber, Malformed> {
    let start = input.clone();
    let number = input.varint64("last sequence")?;
    SequenceNumber::new(number)
        .ok_or_else(|| start.malformed(format!("last sequence is {number}, expected at most 2^56 - 1")))
}

fn internal_key<'a>(input: &mut Input<'a>, what: &str) -> Result<&'a [u8], Malformed> {
    let start = input.clone();
    let key = input.length_prefixed(what)?;
    if key.len() < 8 {
        return Err(start.malformed(format!("{what} has {} bytes, expected at least 8", key.len())));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example() {
        let edit = VersionEdit {
            log_number: Some(FileNumber(3)),
            previous_log_number: Some(FileNumber(0)),
            next_file_number: Some(FileNumber(4)),
            last_sequence: Some(SequenceNumber::ZERO),
            ..VersionEdit::default()
        };
        assert_eq!(edit.encode(), [0x02, 0x03, 0x09, 0x00, 0x03, 0x04, 0x04, 0x00]);
        assert_eq!(VersionEdit::decode(&edit.encode()).unwrap(), edit);
    }

    fn full() -> VersionEdit {
        let file =
            |n| NewFile { number: FileNumber(n), size: n << 33, smallest: vec![b'a'; 9], largest: vec![b'z'; 300] };
        VersionEdit {
            comparator: Some(b"c".to_vec()),
            log_number: Some(FileNumber(u64::MAX)),
            previous_log_number: Some(FileNumber(1)),
            next_file_number: Some(FileNumber(7)),
            last_sequence: Some(SequenceNumber::MAX),
            compact_pointers: vec![(1, vec![7; 8]), (6, vec![8; 20])],
            deleted_files: [(0, FileNumber(1)), (3, FileNumber(u64::MAX))].into(),
            new_files: vec![(0, file(3)), (6, file(u64::MAX >> 33))],
        }
    }

    #[test]
    fn every_field_round_trips() {
        assert_eq!(VersionEdit::decode(&full().encode()).unwrap(), full());
    }

    #[test]
    fn a_cut_record_is_refused_or_is_a_prefix_of_its_fields() {
        let bytes = full().encode();
        for cut in 0..bytes.len() {
            if let Ok(edit) = VersionEdit::decode(&bytes[..cut]) {
                assert_eq!(edit.encode(), bytes[..cut]);
            }
        }
    }

    #[test]
    fn invalid_fields_are_refused() {
        for record in
            [&[7, 7, 1, 1][..], &[4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], &[8, 0], &[5, 1, 3, 1, 2, 3]]
        {
            assert!(VersionEdit::decode(record).is_err(), "{record:?}");
        }
    }
}
