//! Properties that hold for every log.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Sizes that often end near the end of a block.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let near = (0usize..40).prop_map(|n| BLOCK_SIZE - 27 + n);
    vec(prop_oneof![4 => 0usize..300, 2 => near, 1 => 0usize..100_000], 1..12)
}

fn written(sizes: &[usize]) -> (Log, Vec<Vec<u8>>) {
    let records: Vec<_> = sizes.iter().enumerate().map(|(i, size)| big(&format!("{i}:{size} "), *size)).collect();
    let slices: Vec<_> = records.iter().map(Vec::as_slice).collect();
    (Log::of(&slices), records)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn records_round_trip(sizes in sizes()) {
        let (log, records) = written(&sizes);
        let outcome = log.read();
        prop_assert_eq!(outcome.dropped, 0);
        prop_assert_eq!(&outcome.records, &records);
        let (prefix, tail) = log.prefix();
        prop_assert_eq!(tail, Tail::Clean);
        let mut end = 0;
        for record in &prefix {
            prop_assert!(record.offset >= end && record.offset - end < HEADER_SIZE_U64);
            end = record.end;
        }
        prop_assert_eq!(end, to_u64(log.bytes.len()));
        prop_assert_eq!(prefix.into_iter().map(|r| r.data).collect::<Vec<_>>(), records);
    }

    #[test]
    fn a_truncated_log_yields_a_prefix_of_its_records(sizes in sizes(), cut: prop::sample::Index) {
        let (mut log, records) = written(&sizes);
        let whole = log.prefix().0;
        let cut = cut.index(log.bytes.len() + 1);
        log.bytes.truncate(cut);
        let count = whole.iter().filter(|r| r.end <= to_u64(cut)).count();
        let outcome = log.read();
        prop_assert_eq!(&outcome.records[..], &records[..count]);
        prop_assert_eq!(outcome.dropped, 0);
        let (prefix, tail) = log.prefix();
        prop_assert_eq!(&prefix[..], &whole[..count]);
        let end = prefix.last().map_or(0, |r| r.end);
        prop_assert_eq!(tail == Tail::Clean, end == to_u64(cut));
        if let Tail::Torn { offset, .. } = tail {
            prop_assert!(log.scan(offset).is_empty());
        }
    }

    #[test]
    fn one_flipped_bit_loses_records_but_never_changes_one(
        sizes in sizes(), at: prop::sample::Index, bit in 0u8..8,
    ) {
        let (mut log, records) = written(&sizes);
        let at = at.index(log.bytes.len());
        log.bytes[at] ^= 1 << bit;
        let mut rest = records.iter();
        for record in log.read().records {
            prop_assert!(rest.any(|r| *r == record));
        }
        prop_assert!(records.starts_with(&log.prefix_data()));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(
        mut bytes in vec(prop_oneof![Just(0u8), 0u8..5, any::<u8>()], 0..200), at in 0usize..3, fix: bool,
    ) {
        let mut log = Log { bytes: vec![0; at * BLOCK_SIZE - at.min(1) * 20] };
        log.bytes.append(&mut bytes);
        let header = log.bytes.len().saturating_sub(150);
        if fix && FragmentHeader::decode(&log.bytes[header..]).is_some_and(|h| header + h.size() <= log.bytes.len()) {
            log.fix_checksum(header);
        }
        log.read();
        let mut reader = log.reader(Semantics::Compat { verify: false });
        read_all(&mut reader);
        log.prefix();
        log.scan(0);
    }
}
