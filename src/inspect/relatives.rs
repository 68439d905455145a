//! Logs and manifests of RocksDB and Pebble, which have LevelDB's framing and names but fields of their own.
//!
//! Each sign below stands in bytes whose checksum is right: damage does not look like it. One operation of a
//! type that LevelDB does not have may be a mistake of a program; two are not.

use crate::base::{Input, crc32c, mask, to_u64};
use crate::batch::{BatchHeader, UNKNOWN_TAG, operations};
use crate::log::{BLOCK_SIZE, FragmentHeader, FragmentType, HEADER_SIZE, checksum};
use crate::version::EditField;

use super::span::fill;

/// The name of their logs.
pub(super) const LOG: &str = "RocksDB or Pebble write-ahead log";
/// The name of their manifests.
pub(super) const MANIFEST: &str = "RocksDB or Pebble manifest";

/// Bytes of a header with the number of the log, which tells what an earlier use of the file left.
const RECYCLABLE_HEADER_SIZE: usize = 11;

/// The name of the format and the reason, if the first bytes of a file have a sign of it.
pub(super) fn format_of(head: &[u8]) -> Option<(&'static str, String)> {
    let (mut record, mut begun_at, mut at) = (Vec::new(), 0, 0usize);
    let mut batches = 0u32;
    // The first record tells. The first of a manifest has a name, which as a batch is too high a sequence number.
    let mut is_log = None;
    loop {
        let left = BLOCK_SIZE - at % BLOCK_SIZE;
        if left < HEADER_SIZE {
            at += left;
        }
        let rest = head.get(at..)?;
        let header = FragmentHeader::decode(rest)?;
        if let Some(reason) = sign_in_header(header, rest) {
            return Some((LOG, fill(&reason, &[to_u64(at)])));
        }
        let fragment = rest.get(..header.size()).filter(|fragment| checksum(fragment) == header.checksum)?;
        let kind = FragmentType::from_byte(header.type_byte)?;
        if matches!(kind, FragmentType::Full | FragmentType::First) {
            record.clear();
            begun_at = to_u64(at);
        }
        record.extend_from_slice(fragment.get(HEADER_SIZE..).unwrap_or_default());
        if matches!(kind, FragmentType::Full | FragmentType::Last) {
            let is_batch = || BatchHeader::decode(&record).is_ok_and(|header| header.first_sequence().is_ok());
            if !*is_log.get_or_insert_with(is_batch) {
                if let Some(tag) = tag_of_edit(&record) {
                    let what = "a version edit with the tag {}, with a valid checksum, at {}";
                    return Some((MANIFEST, fill(what, &[u64::from(tag), begun_at])));
                }
            } else if let Some(tag) = tag_of_operation(&record) {
                batches += 1;
                if batches > 1 {
                    let what = "write batches with operations of types like {}, with valid checksums, up to {}";
                    return Some((LOG, fill(what, &[u64::from(tag), begun_at])));
                }
            }
        }
        at += header.size();
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

/// The first tag of a version edit that LevelDB does not have.
fn tag_of_edit(record: &[u8]) -> Option<u32> {
    let mut input = Input::new(record);
    loop {
        let mut field = input.clone();
        if EditField::read(&mut input).is_err() {
            let tag = field.varint32("tag").ok()?;
            return matches!(tag, 10 | 98..=107 | 200..=203 | 300 | 400 | 401 | 8192..=8300).then_some(tag);
        }
    }
}

/// The first type of an operation that LevelDB does not have.
fn tag_of_operation(record: &[u8]) -> Option<u8> {
    let malformed = operations(record).find_map(Result::err)?;
    let tag = *record.get(usize::try_from(malformed.offset).ok()?)?;
    (malformed.reason.starts_with(UNKNOWN_TAG) && matches!(tag, 2..=0x18)).then_some(tag)
}
