//! Where the last whole record of a log ends, for readers of a log that is being written.

use super::{BLOCK_SIZE, FragmentHeader, FragmentType, HEADER_SIZE, checksum};

/// The end of the last whole record in `bytes`, which begin with a block, and end where the file did when
/// it was read: an append may be under way. `None` if no record begins or ends in them.
///
/// Damage before the end is no append: then it is the end of `bytes`.
pub(crate) fn end_of_records(bytes: &[u8]) -> Option<usize> {
    let mut end = None;
    let mut at = 0;
    while at < bytes.len() {
        let in_block = BLOCK_SIZE - at % BLOCK_SIZE;
        if in_block < HEADER_SIZE {
            at += in_block;
            continue;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(header) = FragmentHeader::decode(rest) else { return end };
        let size = header.size();
        let Some(kind) = FragmentType::from_byte(header.type_byte).filter(|_| size <= in_block) else {
            // The size of a file may grow before its content.
            let is_unwritten = rest.iter().all(|byte| *byte == 0);
            return if is_unwritten { end } else { Some(bytes.len()) };
        };
        let Some(fragment) = rest.get(..size) else { return end };
        if checksum(fragment) != header.checksum {
            return if size == rest.len() { end } else { Some(bytes.len()) };
        }
        end = match kind {
            FragmentType::Full | FragmentType::Last => Some(at + size),
            FragmentType::First => end.or(Some(at)),
            FragmentType::Middle => end,
        };
        at += size;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::super::writer::frame_record;
    use super::*;

    /// Records of these sizes, and where each ends.
    fn log(sizes: &[usize]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        let mut end = 0;
        for size in sizes {
            end = frame_record(&vec![7; *size], end, &mut bytes);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn wherever_a_log_is_cut_whole_records_are_left() {
        let (bytes, ends) = log(&[0, 100, 70_000, 1, 32_700, 3, 40_000]);
        let near = |cut: usize| ends.iter().any(|end| cut.abs_diff(*end) < 20) || cut % BLOCK_SIZE < 20;
        for cut in (0..=bytes.len()).filter(|cut| cut % 997 == 0 || near(*cut)) {
            let whole = ends.iter().copied().filter(|end| *end <= cut).max().unwrap_or(0);
            let found = end_of_records(&bytes[..cut]);
            assert!(found == Some(whole) || (found.is_none() && whole == 0), "{cut}: {found:?}, expected {whole}");
        }
    }

    #[test]
    fn the_last_blocks_suffice_if_a_record_begins_or_ends_there() {
        let (bytes, ends) = log(&[100, 100_000, 50]);
        let last = 3 * BLOCK_SIZE;
        assert_eq!(end_of_records(&bytes[last..]), Some(ends[2] - last));
        assert_eq!(end_of_records(&bytes[last..bytes.len() - 1]), Some(ends[1] - last));
        assert_eq!(end_of_records(&bytes[last..ends[1] - 1]), None);
        assert_eq!(end_of_records(&bytes[..ends[1] - 1]), Some(ends[0]));
    }

    #[test]
    fn damage_is_kept_and_unwritten_space_is_not() {
        let (bytes, ends) = log(&[10, 20, 30]);
        let mut damaged = bytes.clone();
        damaged[ends[0] + 8] ^= 1;
        assert_eq!(end_of_records(&damaged), Some(bytes.len()));
        damaged = bytes.clone();
        damaged[ends[1] + 8] ^= 1;
        assert_eq!(end_of_records(&damaged), Some(ends[1]));
        let mut longer = bytes.clone();
        longer.resize(bytes.len() + 500, 0);
        assert_eq!(end_of_records(&longer), Some(bytes.len()));
        longer[bytes.len() + 40] = 1;
        assert_eq!(end_of_records(&longer), Some(longer.len()));
    }
}
