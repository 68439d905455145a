//! The first sound record of a file that may be a log, and whether it is a write batch or an edit.

use crate::base::to_u64;
use crate::batch::{BatchHeader, WriteBatch};
use crate::log::{BLOCK_SIZE, FragmentHeader, FragmentType, HEADER_SIZE, checksum};
use crate::version::VersionEdit;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Batch,
    Edit,
    Other,
}

/// The first record of `head` that begins at the start of a block and has a valid checksum, and its
/// offset.
pub(super) fn of(head: &[u8]) -> Option<(u64, Head)> {
    (0..head.len()).step_by(BLOCK_SIZE).find_map(|start| {
        let block = head.get(start..)?;
        let begins = matches!(sound(block)?.0, FragmentType::Full | FragmentType::First);
        begins.then(|| (to_u64(start), kind(block)))
    })
}

/// The type and the size of the fragment at the start of `bytes`, if its checksum is right.
fn sound(bytes: &[u8]) -> Option<(FragmentType, usize)> {
    let header = FragmentHeader::decode(bytes)?;
    let kind = FragmentType::from_byte(header.type_byte)?;
    let fragment = bytes.get(..header.size())?;
    (checksum(fragment) == header.checksum).then_some((kind, header.size()))
}

/// Joins the record that begins at the start of `bytes`, as far as it is there, and decodes it.
fn kind(bytes: &[u8]) -> Head {
    let (mut record, mut at, mut whole) = (Vec::new(), 0usize, false);
    while let Some((kind, size)) = bytes.get(at..).and_then(sound) {
        if at > 0 && matches!(kind, FragmentType::Full | FragmentType::First) {
            break;
        }
        record.extend_from_slice(bytes.get(at + HEADER_SIZE..at + size).unwrap_or_default());
        at += size;
        if matches!(kind, FragmentType::Full | FragmentType::Last) {
            whole = true;
            break;
        }
        if BLOCK_SIZE - at % BLOCK_SIZE < HEADER_SIZE {
            at = at.next_multiple_of(BLOCK_SIZE);
        }
    }
    if whole {
        return match (WriteBatch::from_bytes(record.clone()), VersionEdit::decode(&record)) {
            (Ok(_), _) => Head::Batch,
            (_, Ok(_)) => Head::Edit,
            _ => Head::Other,
        };
    }
    // The first byte of an edit is a tag; as a batch, a comparator's name would be too high a sequence.
    let is_tag = matches!(record.first(), Some(1..=9));
    let is_batch = BatchHeader::decode(&record).is_ok_and(|header| header.first_sequence().is_ok());
    if is_tag && !is_batch { Head::Edit } else { Head::Batch }
}
