//! The cases of LevelDB's `db/log_test.cc`, except reads that begin inside a file, which Varve does
//! not need.

use super::*;

#[test]
fn an_empty_log_has_no_records() {
    check(&Log::default(), &[], 0, &[]);
}

#[test]
fn records_are_read_as_written() {
    let records: [&[u8]; 4] = [b"foo", b"bar", b"", b"xxxx"];
    check(&Log::of(&records), &records, 0, &[]);
}

#[test]
fn many_blocks_are_read_as_written() {
    let records: Vec<_> = (0..100_000).map(|i| format!("{i}.").into_bytes()).collect();
    let records: Vec<_> = records.iter().map(Vec::as_slice).collect();
    check(&Log::of(&records), &records, 0, &[]);
}

#[test]
fn long_records_are_cut_and_joined() {
    let records: [&[u8]; 3] = [b"small", &big("medium", 50_000), &big("large", 100_000)];
    check(&Log::of(&records), &records, 0, &[]);
}

#[test]
fn an_empty_record_fits_in_a_trailer_of_its_size() {
    let first = big("foo", BLOCK_SIZE - 2 * HEADER_SIZE);
    let mut log = Log::of(&[&first]);
    assert_eq!(log.bytes.len(), BLOCK_SIZE - HEADER_SIZE);
    log.write(b"");
    assert_eq!(log.bytes.len(), BLOCK_SIZE);
    log.write(b"bar");
    check(&log, &[&first, b"", b"bar"], 0, &[]);
}

#[test]
fn a_record_begins_with_an_empty_fragment_in_a_trailer_of_that_size() {
    let first = big("foo", BLOCK_SIZE - 2 * HEADER_SIZE);
    let log = Log::of(&[&first, b"bar"]);
    assert_eq!(log.bytes.len(), BLOCK_SIZE + HEADER_SIZE + 3);
    assert_eq!(log.bytes[BLOCK_SIZE - 3..BLOCK_SIZE], [0, 0, 2]);
    check(&log, &[&first, b"bar"], 0, &[]);
}

#[test]
fn a_trailer_too_short_for_a_header_is_zeros() {
    let first = big("foo", BLOCK_SIZE - 2 * HEADER_SIZE + 4);
    let mut log = Log::of(&[&first]);
    assert_eq!(log.bytes.len(), BLOCK_SIZE - HEADER_SIZE + 4);
    log.write(b"");
    log.write(b"bar");
    assert_eq!(log.bytes[BLOCK_SIZE - 3..BLOCK_SIZE], [0, 0, 0]);
    check(&log, &[&first, b"", b"bar"], 0, &[]);
}

#[test]
fn a_file_may_end_before_its_trailer() {
    let first = big("foo", BLOCK_SIZE - 2 * HEADER_SIZE + 4);
    let log = Log::of(&[&first]);
    assert_eq!(log.bytes.len(), BLOCK_SIZE - HEADER_SIZE + 4);
    check(&log, &[&first], 0, &[]);
    assert_eq!(log.prefix().1, Tail::Clean);
}

#[test]
fn a_reopened_log_continues_at_its_offset_in_the_block() {
    for length in [5, 40_000, BLOCK_SIZE - 2 * HEADER_SIZE, BLOCK_SIZE - 2 * HEADER_SIZE + 4, BLOCK_SIZE - HEADER_SIZE]
    {
        let env = Rc::new(MemoryEnv::new());
        let file = now(env.create("000001.log", FileKind::Log, 0)).unwrap();
        let first = LogWriter::new(env.clone(), file, "000001.log".into(), 0);
        now(first.add_record(&big("hello", length))).unwrap();
        let file = now(env.open("000001.log", Access::Append)).unwrap();
        let second = LogWriter::new(env.clone(), file, "000001.log".into(), first.size());
        now(second.add_record(b"world")).unwrap();
        let log = Log { bytes: env.read("000001.log").unwrap() };
        assert_eq!(to_u64(log.bytes.len()), second.size());
        check(&log, &[&big("hello", length), b"world"], 0, &[]);
    }
}

#[test]
fn records_of_random_sizes_are_read_as_written() {
    let mut state = 301u64;
    let records: Vec<_> = (0..500)
        .map(|i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let length = (state >> 33) & ((1 << (state >> 60)) - 1);
            big(&format!("{i}."), length as usize)
        })
        .collect();
    let records: Vec<_> = records.iter().map(Vec::as_slice).collect();
    check(&Log::of(&records), &records, 0, &[]);
}

#[test]
fn a_failed_read_is_an_error_and_ends_the_log() {
    let file = Rc::new(Faulty { fail_reads: true.into(), ..Faulty::default() });
    let mut reader = LogReader::from_file(file, "000001.log".into(), COMPAT);
    assert_eq!(now(reader.next_record()).unwrap_err().code(), "io");
    assert_eq!(now(reader.next_record()), Ok(None));
}

#[test]
fn an_unknown_type_is_reported() {
    let mut log = Log::of(&[b"foo"]);
    log.set_type(0, 101);
    check(&log, &[], 3, &["unknown record type 101"]);
}

#[test]
fn a_header_cut_off_at_the_end_is_ignored() {
    let mut log = Log::of(&[b"foo"]);
    log.shrink(4);
    check(&log, &[], 0, &[]);
}

#[test]
fn a_length_past_the_end_of_a_full_block_is_reported() {
    let first = big("bar", BLOCK_SIZE - HEADER_SIZE);
    let mut log = Log::of(&[&first, b"foo"]);
    log.bytes[4] = log.bytes[4].wrapping_add(1);
    check(&log, &[b"foo"], to_u64(BLOCK_SIZE), &["bad record length"]);
}

#[test]
fn a_length_past_the_end_of_the_file_is_ignored() {
    let mut log = Log::of(&[b"foo"]);
    log.shrink(1);
    check(&log, &[], 0, &[]);
}

#[test]
fn a_wrong_checksum_is_reported() {
    let mut log = Log::of(&[b"foo"]);
    log.bytes[0] = log.bytes[0].wrapping_add(10);
    check(&log, &[], 10, &["checksum mismatch"]);
}

#[test]
fn a_middle_without_a_first_is_reported() {
    let mut log = Log::of(&[b"foo"]);
    log.set_type(0, 3);
    check(&log, &[], 3, &["missing start of fragmented record(1)"]);
}

#[test]
fn a_last_without_a_first_is_reported() {
    let mut log = Log::of(&[b"foo"]);
    log.set_type(0, 4);
    check(&log, &[], 3, &["missing start of fragmented record(2)"]);
}

#[test]
fn a_full_record_inside_another_is_reported() {
    let mut log = Log::of(&[b"foo", b"bar"]);
    log.set_type(0, 2);
    check(&log, &[b"bar"], 3, &["partial record without end(1)"]);
}

#[test]
fn a_first_fragment_inside_another_record_is_reported() {
    let long = big("bar", 100_000);
    let mut log = Log::of(&[b"foo", &long]);
    log.set_type(0, 2);
    check(&log, &[&long], 3, &["partial record without end(2)"]);
}

#[test]
fn a_missing_last_fragment_is_ignored() {
    let mut log = Log::of(&[&big("bar", BLOCK_SIZE)]);
    log.shrink(14);
    check(&log, &[], 0, &[]);
}

#[test]
fn a_last_fragment_cut_off_is_ignored() {
    let mut log = Log::of(&[&big("bar", BLOCK_SIZE)]);
    log.shrink(1);
    check(&log, &[], 0, &[]);
}

#[test]
fn fragments_of_two_records_are_never_joined() {
    let mut log = Log::of(&[&big("foo", BLOCK_SIZE), &big("bar", BLOCK_SIZE), b"correct"]);
    log.bytes[BLOCK_SIZE..2 * BLOCK_SIZE].fill(b'x');
    let outcome = log.read();
    assert_eq!(outcome.records, [b"correct"]);
    let block = to_u64(BLOCK_SIZE);
    assert!((2 * block..=2 * block + 100).contains(&outcome.dropped), "{}", outcome.dropped);
}
