//! Logs and manifests of RocksDB and Pebble, which have LevelDB's framing and names but fields of their own.
//!
//! Each sign below stands in bytes whose checksum is right: damage does not look like it. A record with a field
//! that LevelDB does not have may be a mistake of a program; two are not, nor is one in the first record of a
//! manifest, nor a whole field that adds a table.

use crate::base::{Input, crc32c, mask, to_u64};
use crate::batch::{BatchHeader, UNKNOWN_TAG, operations};
use crate::error::Malformed;
use crate::log::{BLOCK_SIZE, FragmentHeader, FragmentType, HEADER_SIZE, checksum};
use crate::version::{EditField, VersionEdit};

use super::span::fill;

/// The name of their logs.
pub(super) const LOG: &str = "RocksDB or Pebble write-ahead log";
/// The name of their manifests.
pub(super) const MANIFEST: &str = "RocksDB or Pebble manifest";

/// Whether this is the name of one of them.
pub(super) fn is_name(format: &str) -> bool {
    format == LOG || format == MANIFEST
}

/// Bytes of a header with the number of the log, which tells what an earlier use of the file left.
const RECYCLABLE_HEADER_SIZE: usize = 11;

/// The name of the format and the reason, if the first bytes of a file have signs of it.
pub(super) fn format_of(head: &[u8]) -> Option<(&'static str, String)> {
    let (mut record, mut begun_at, mut at) = (None, 0, 0usize);
    let mut signs = 0u32;
    // The first record tells.
    let mut is_log = None;
    loop {
        let left = BLOCK_SIZE - at % BLOCK_SIZE;
        if left < HEADER_SIZE {
            at += left;
        }
        let rest = head.get(at..)?;
        let rest = rest.get(..BLOCK_SIZE - at % BLOCK_SIZE).unwrap_or(rest);
        let header = FragmentHeader::decode(rest)?;
        if let Some(reason) = sign_in_header(header, rest) {
            return Some((LOG, fill(&reason, &[to_u64(at)])));
        }
        let fragment = rest.get(..header.size()).filter(|fragment| checksum(fragment) == header.checksum)?;
        let kind = FragmentType::from_byte(header.type_byte)?;
        if matches!(kind, FragmentType::Full | FragmentType::First) {
            record = Some(Vec::new());
            begun_at = to_u64(at);
        }
        if let Some(record) = &mut record {
            record.extend_from_slice(fragment.get(HEADER_SIZE..).unwrap_or_default());
        }
        at += header.size();
        if matches!(kind, FragmentType::First | FragmentType::Middle) {
            continue;
        }
        let Some(record) = record.take() else { continue };
        let is_first = is_log.is_none();
        let is_batch = || {
            let has_header = BatchHeader::decode(&record).is_ok_and(|header| header.first_sequence().is_ok());
            has_header && VersionEdit::decode(&record).is_err()
        };
        if *is_log.get_or_insert_with(is_batch) {
            if let Some(tag) = tag_of_operation(&record) {
                signs += 1;
                if signs > 1 {
                    let what = "write batches with operations of types like {}, with valid checksums, up to {}";
                    return Some((LOG, fill(what, &[u64::from(tag), begun_at])));
                }
            }
        } else if let Some((tag, is_whole)) = tag_of_edit(&record) {
            signs += 1;
            if signs > 1 || is_first || is_whole {
                let what = "version edits with tags like {}, with valid checksums, up to {}";
                return Some((MANIFEST, fill(what, &[u64::from(tag), begun_at])));
            }
        }
    }
}

/// A type of fragment that LevelDB does not have.
fn sign_in_header(header: FragmentHeader, rest: &[u8]) -> Option<String> {
    let (what, size) = match header.type_byte {
        5..=8 => ("a fragment with the number of its log", RECYCLABLE_HEADER_SIZE + usize::from(header.length)),
        9 => ("the name of a compression", header.size()),
        10 | 11 => ("sizes of timestamps", header.size()),
        130 | 131 => ("what is known of the log before", header.size()),
        _ => return None,
    };
    let covered = rest.get(..size)?.get(HEADER_SIZE - 1..)?;
    (mask(crc32c(covered)) == header.checksum).then(|| [what, ", with a valid checksum, at {}"].concat())
}

/// The first tag of a version edit that LevelDB does not have, and whether a whole new table follows it.
fn tag_of_edit(record: &[u8]) -> Option<(u32, bool)> {
    let mut input = Input::new(record);
    loop {
        let mut field = input.clone();
        if EditField::read(&mut input).is_err() {
            let tag = field.varint32("tag").ok()?;
            let is_known = matches!(tag, 98..=107 | 200..=203 | 300 | 400 | 401 | 8192..=8300);
            return is_known.then(|| (tag, adds_table(tag, &mut field).unwrap_or(false)));
        }
    }
}

/// Whether the fields of RocksDB's new files 2, 3 and 4 follow.
fn adds_table(tag: u32, input: &mut Input<'_>) -> Result<bool, Malformed> {
    let level = input.varint32("level")?;
    input.varint64("number")?;
    if tag == 102 {
        input.varint32("path")?;
    }
    input.varint64("size")?;
    let keys = [input.length_prefixed("smallest key")?, input.length_prefixed("largest key")?];
    let numbers = input.varint64("smallest sequence")? <= input.varint64("largest sequence")?;
    Ok(matches!(tag, 100 | 102 | 103) && level < 64 && keys.iter().all(|key| key.len() >= 8) && numbers)
}

/// The first type of an operation that LevelDB does not have.
fn tag_of_operation(record: &[u8]) -> Option<u8> {
    let malformed = operations(record).find_map(Result::err)?;
    let tag = *record.get(usize::try_from(malformed.offset).ok()?)?;
    (malformed.reason.starts_with(UNKNOWN_TAG) && matches!(tag, 2..=0x18)).then_some(tag)
}
