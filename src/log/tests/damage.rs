//! Damaged logs.
//!
//! Cases that LevelDB's own tests lack, the end of the prefix, and the scan for the next record.

use super::*;

#[test]
fn log_matches_the_worked_example() {
    let batch = [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0x61, 1, 0x31];
    let log = Log::of(&[&batch]);
    assert_eq!(log.bytes[..7], [0xe9, 0x9f, 0x78, 0x19, 0x11, 0, 1]);
    assert_eq!(log.bytes[7..], batch);
    check(&log, &[&batch], 0, &[]);
}

#[test]
fn a_flipped_byte_loses_only_the_rest_of_its_block() {
    let records: Vec<_> = (0..2000).map(|i| big(&format!("record {i} "), 100)).collect();
    let records: Vec<_> = records.iter().map(Vec::as_slice).collect();
    let mut log = Log::of(&records);
    log.bytes[10] ^= 1;
    let outcome = log.read();
    assert_eq!(outcome.dropped, to_u64(BLOCK_SIZE) + 81);
    assert_eq!(outcome.reasons, ["checksum mismatch", "missing start of fragmented record(2)"]);
    assert_eq!(outcome.records, records[BLOCK_SIZE / 107 + 1..]);
}

#[test]
fn preallocated_space_is_skipped_silently_to_the_next_block() {
    let mut log = Log::of(&[b"foo"]);
    log.bytes.resize(BLOCK_SIZE, 0);
    log.write(b"bar");
    check(&log, &[b"foo", b"bar"], 0, &[]);
    let mut inside = Log::of(&[&big("foo", 40_000)]);
    inside.bytes.truncate(BLOCK_SIZE);
    inside.bytes.resize(2 * BLOCK_SIZE, 0);
    inside.write(b"bar");
    check(&inside, &[b"bar"], to_u64(BLOCK_SIZE - HEADER_SIZE), &["error in middle of record"]);
}

#[test]
fn an_empty_first_fragment_of_an_old_writer_is_dropped_silently() {
    for next in [b"bar".to_vec(), big("bar", 100_000)] {
        let mut log = Log::of(&[b""]);
        log.set_type(0, 2);
        log.write(&next);
        check(&log, &[&next], 0, &[]);
        assert_eq!(log.prefix_data(), [next]);
        assert_eq!(log.prefix().1, Tail::Clean);
    }
}

#[test]
fn two_unknown_types_are_handled_as_leveldb_does() {
    let mut log = Log::of(&[b"one", b"two", b"three"]);
    log.set_type(10, 6);
    check(&log, &[b"one", b"three"], 0, &[]);
    log.set_type(10, 5);
    check(&log, &[b"one"], 0, &[]);
    log.set_type(10, 0);
    check(&log, &[b"one", b"three"], 3, &["unknown record type 0"]);
    assert!(matches!(log.prefix(), (records, Tail::Torn { offset: 10, .. }) if records.len() == 1));
}

#[test]
fn without_verification_checksums_are_ignored() {
    let mut log = Log::of(&[b"foo", b"bar"]);
    log.bytes[8] = b'x';
    let mut reader = log.reader(Semantics::Compat { verify: false });
    let expected = Outcome { records: vec![b"fxo".to_vec(), b"bar".to_vec()], dropped: 0, reasons: vec![] };
    assert_eq!(read_all(&mut reader), expected);
}

#[test]
fn a_hostile_file_cannot_fill_memory_with_damage_reports() {
    let mut log = Log::default();
    for _ in 0..5000 {
        log.bytes.extend_from_slice(&checksum(&[0, 0, 0, 0, 0, 0, 9]).to_le_bytes());
        log.bytes.extend_from_slice(&[0, 0, 9]);
        if BLOCK_SIZE - log.bytes.len() % BLOCK_SIZE < HEADER_SIZE {
            log.bytes.resize(log.bytes.len().next_multiple_of(BLOCK_SIZE), 0);
        }
    }
    let mut reader = log.reader(COMPAT);
    assert_eq!(now(reader.next_record()), Ok(None));
    assert_eq!((reader.damage_count(), reader.take_damages().len()), (5000, 1000));
}

// The prefix, and how it ends.

#[test]
fn the_end_of_the_prefix_is_classified() {
    let whole = Log::of(&[b"foo", b"bar"]);
    assert_eq!(whole.prefix().1, Tail::Clean);
    let mut zeros = whole.clone();
    zeros.bytes.resize(100_000, 0);
    assert_eq!(zeros.prefix().1, Tail::Zeros { offset: 20 });
    zeros.bytes.truncate(23);
    assert_eq!(zeros.prefix().1, Tail::Zeros { offset: 20 });
    zeros.bytes.resize(100_000, 0);
    zeros.bytes[99_999] = 1;
    let reason = "record type 0, expected 1 to 4".to_owned();
    assert_eq!(zeros.prefix().1, Tail::Torn { offset: 20, reason });
    let mut flipped = whole.clone();
    flipped.bytes[18] ^= 1;
    let (records, Tail::Torn { offset: 10, reason }) = flipped.prefix() else { panic!() };
    assert!(reason.starts_with("checksum mismatch: "), "{reason}");
    assert_eq!(records, [Record { offset: 0, end: 10, data: b"foo".to_vec() }]);
    let mut cut = whole;
    cut.shrink(1);
    let reason = "record cut off: 2 bytes, expected 3".to_owned();
    assert_eq!(cut.prefix().1, Tail::Torn { offset: 10, reason });
}

#[test]
fn an_incomplete_record_is_a_torn_tail_at_the_end_of_the_file() {
    let mut log = Log::of(&[b"foo", &big("bar", 100_000)]);
    log.bytes.truncate(2 * BLOCK_SIZE);
    let reason = "the file ends inside the record that begins at offset 10".to_owned();
    let (records, tail) = log.prefix();
    assert_eq!((records.len(), tail), (1, Tail::Torn { offset: to_u64(2 * BLOCK_SIZE), reason }));
    assert_eq!(log.scan(to_u64(2 * BLOCK_SIZE)), []);
}

#[test]
fn a_block_trailer_that_is_not_zeros_is_reported_and_harmless() {
    let first = big("foo", BLOCK_SIZE - HEADER_SIZE - 4);
    let mut log = Log::of(&[&first, b"bar"]);
    assert_eq!(log.reader(Semantics::Prefix).odd_trailer(), None);
    log.bytes[BLOCK_SIZE - 1] = 1;
    let mut reader = log.reader(Semantics::Prefix);
    assert_eq!(read_all(&mut reader).records, [first, b"bar".to_vec()]);
    assert_eq!(reader.odd_trailer(), Some(to_u64(BLOCK_SIZE - 4)));
}

#[test]
fn records_longer_than_the_limit_are_refused() {
    let log = Log::of(&[b"foo", &big("bar", 100_000), b"baz"]);
    for semantics in [COMPAT, Semantics::Prefix] {
        let mut reader = log.reader(semantics);
        reader.set_record_size_max(50_000);
        assert_eq!(now(reader.next_record()).unwrap().unwrap().data, b"foo");
        assert_eq!(now(reader.next_record()).unwrap_err().code(), "limit-exceeded");
        assert_eq!(now(reader.next_record()), Ok(None));
    }
}

// The scan after damage.

#[test]
fn a_later_record_is_found_after_any_single_damage() {
    let records: Vec<_> = (0..400).map(|i| big(&format!("record {i} "), 50 + i)).collect();
    let records: Vec<_> = records.iter().map(Vec::as_slice).collect();
    let whole = Log::of(&records);
    let offsets: Vec<u64> = whole.prefix().0.iter().map(|r| r.offset).collect();
    for at in (0..whole.bytes.len() - 1000).step_by(97) {
        let mut log = whole.clone();
        log.bytes[at] ^= 0x55;
        let (records, Tail::Torn { offset, .. }) = log.prefix() else { panic!("{at}") };
        let found = log.scan(offset);
        let next = offsets.iter().find(|o| **o > to_u64(at)).unwrap();
        let begins = |kind| matches!(kind, FragmentType::Full | FragmentType::First);
        let first = found.iter().find(|(_, kind)| begins(*kind)).unwrap();
        assert_eq!(first.0, *next, "{at}: {} records before", records.len());
    }
}

#[test]
fn a_scan_returns_the_beginning_of_the_payload() {
    let mut log = Log::of(&[b"first", b"0123456789abcdef", b"short"]);
    log.bytes[8] ^= 1;
    let mut reader = log.reader(Semantics::Prefix);
    let found = now(reader.scan_for_valid_after(0)).unwrap().unwrap();
    let expected = Found { offset: 12, end: 35, kind: FragmentType::Full, head: b"0123456789ab".to_vec() };
    assert_eq!(found, expected);
    assert!(found.begins_record());
    let found = now(reader.scan_for_valid_after(found.end)).unwrap().unwrap();
    assert_eq!((found.offset, &found.head[..]), (35, &b"short"[..]));
    assert_eq!(now(reader.scan_for_valid_after(found.end)), Ok(None));
    assert_eq!(now(reader.scan_for_valid_after(u64::MAX / 2)), Ok(None));
}

#[test]
fn random_bytes_neither_look_like_records_nor_hide_one() {
    let mut state = 1u64;
    let mut random = |count: usize| -> Vec<u8> {
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect()
    };
    let mut log = Log { bytes: random(3 * BLOCK_SIZE + 777) };
    assert_eq!(log.scan(0), []);
    let at = to_u64(log.bytes.len());
    log.write(b"here");
    log.bytes.extend(random(50_000));
    assert_eq!(log.scan(5), [(at, FragmentType::Full)]);
}

#[test]
fn crafted_bytes_do_not_slow_the_scan_down() {
    // Every byte could be the type of a long fragment, and none is.
    let mut log = Log { bytes: [1u8, 0x20].repeat(20 * BLOCK_SIZE) };
    assert_eq!(log.scan(0), []);
    let at = 30 * BLOCK_SIZE;
    log.bytes.truncate(at);
    log.write(b"the first of a block is always seen");
    log.bytes.extend([1u8, 0x20].repeat(BLOCK_SIZE));
    assert_eq!(log.scan(0), [(to_u64(at), FragmentType::Full)]);
}

#[test]
fn a_log_truncated_at_any_byte_yields_a_prefix() {
    let records: Vec<_> = (0..30).map(|i| big(&format!("record {i} "), i * i)).collect();
    let slices: Vec<_> = records.iter().map(Vec::as_slice).collect();
    let whole = Log::of(&slices);
    let ends: Vec<_> = whole.prefix().0.iter().map(|r| r.end).collect();
    for cut in 0..whole.bytes.len() {
        let log = Log { bytes: whole.bytes[..cut].to_vec() };
        let count = ends.iter().filter(|end| **end <= to_u64(cut)).count();
        let mut reader = log.reader(COMPAT);
        assert_eq!(read_all(&mut reader).records, records[..count]);
        let (prefix, tail) = log.prefix();
        assert_eq!(prefix.len(), count);
        assert_eq!(tail == Tail::Clean, cut == 0 || ends.contains(&to_u64(cut)));
    }
}
