//! Write-ahead logs: sound, cut, damaged and hostile.

use super::*;
use crate::batch::WriteBatch;
use crate::inspect::{Finding, LogInspector, LogRecord, Reads, RecordView, Region, State, Window};

struct Log {
    regions: Vec<Region>,
    records: Vec<LogRecord>,
    findings: Vec<Finding>,
    summary: Span,
}

fn read(file: &[u8]) -> Log {
    let mut window = Window::new(LogInspector::new(to_u64(file.len())));
    let (mut regions, mut records, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    while let Some((offset, length)) = window.wanted() {
        let start = usize::try_from(offset).unwrap();
        let end = start + if length == 0 { 0 } else { (100_000).min(file.len() - start) };
        window.feed(file[start..end].to_vec());
        regions.extend(window.inspector().take_regions());
        records.extend(window.inspector().take_records());
        findings.extend(window.inspector().take_findings());
    }
    let mut at = 0;
    for region in &regions {
        assert_eq!(region.offset, at, "{region:?}");
        assert!(region.size > 0, "{region:?}");
        at = region.end();
    }
    assert_eq!(at, to_u64(file.len()));
    for found in &findings {
        assert!(found.offset + found.length <= to_u64(file.len()), "{found:?}");
    }
    let summary = window.inspector().take_summary().unwrap();
    assert_eq!(number(&summary, "records"), to_u64(records.len()));
    Log { regions, records, findings, summary }
}

fn found(log: &Log) -> Vec<(&'static str, Severity)> {
    log.findings.iter().map(|found| (found.code, found.severity)).collect()
}

fn batch(sequence: u64, operations: &[(&[u8], Option<&[u8]>)]) -> Vec<u8> {
    let mut batch = WriteBatch::new();
    for (key, value) in operations {
        match value {
            Some(value) => batch.put(key, value),
            None => batch.delete(key),
        }
    }
    batch.set_sequence(crate::base::SequenceNumber::new(sequence).unwrap());
    batch.as_bytes().to_vec()
}

/// Records of 20 small batches and one of two blocks.
fn example() -> (Vec<u8>, Vec<usize>) {
    let (mut file, mut ends, mut sequence) = (Vec::new(), Vec::new(), 1);
    for i in 0..21u64 {
        let value = vec![b'v'; if i == 10 { 70_000 } else { 100 }];
        append_record(&mut file, &batch(sequence, &[(&i.to_be_bytes(), Some(&value)), (b"gone", None)]));
        ends.push(file.len());
        sequence += 2;
    }
    (file, ends)
}

#[test]
fn a_sound_log_has_no_findings() {
    let (file, ends) = example();
    let log = read(&file);
    assert_eq!(found(&log), []);
    assert_eq!(log.records.iter().map(|record| usize::try_from(record.end).unwrap()).collect::<Vec<_>>(), ends);
    assert_eq!(
        log.records.iter().map(|record| record.sequence).collect::<Vec<_>>(),
        (0..21).map(|i| i * 2 + 1).collect::<Vec<_>>()
    );
    for (name, value) in
        [("records", 21), ("operations", 42), ("deletions", 21), ("minSequence", 1), ("maxSequence", 42)]
    {
        assert_eq!(number(&log.summary, name), value, "{name}");
    }
    assert_eq!(text(&log.summary, "end"), "clean");
    let large = log.records[10];
    assert!(large.fragments >= 3 && large.size > 70_000);
    let region = &log.regions[usize::try_from(large.region).unwrap()];
    assert_eq!((region.offset, region.kind), (large.offset, "first"));
    let log = read(b"");
    assert_eq!((found(&log), log.records.len()), (vec![], 0));
}

#[test]
fn a_record_is_explained_to_its_fields_and_operations() {
    let (file, ends) = example();
    for (index, end) in ends.iter().enumerate() {
        let start = index.checked_sub(1).map_or(0, |before| ends[before]);
        // The end of a block may be unused.
        let view = RecordView::of_batch(to_u64(start), &file[start..*end]);
        assert_eq!(view.span.findings, []);
        assert_eq!(view.contents.findings, []);
        let mut at = to_u64(start);
        for part in &view.span.spans {
            assert_eq!(part.offset, at);
            at += part.length;
        }
        assert_eq!(at, to_u64(*end));
        assert_eq!(number(&view.contents, "sequence"), to_u64(index) * 2 + 1);
        assert_eq!(view.rows.len(), 64);
        let column = |row: usize, at: usize| {
            usize::try_from(u32::from_le_bytes(view.rows[row * 32 + at..][..4].try_into().unwrap())).unwrap()
        };
        assert_eq!(view.raw[column(0, 12)..column(0, 16)], to_u64(index).to_be_bytes());
        assert!(view.raw[column(0, 20)..column(0, 24)].iter().all(|byte| *byte == b'v'));
        assert_eq!(view.raw[column(1, 12)..column(1, 16)], *b"gone");
        assert_eq!((column(0, 8), column(1, 8), column(1, 24)), (12, column(0, 24), view.raw.len()));
        assert_eq!((view.rows[28], view.rows[60]), (1, 0));
    }
}

#[test]
fn a_log_cut_anywhere_is_torn_and_keeps_the_records_before() {
    let (file, ends) = example();
    for cut in (0..file.len()).step_by(13).chain(ends.iter().copied()) {
        let log = read(&file[..cut]);
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let sound = log.records.iter().filter(|record| record.state == State::Sound).count();
        assert_eq!(sound, whole, "cut at {cut}");
        // The unused end of a block is no record.
        let is_torn = !ends.contains(&cut) && cut > 0 && text(&log.summary, "end") != "clean";
        let expected: &[_] = if is_torn { &[("W04", Severity::Info)] } else { &[] };
        assert_eq!(found(&log), expected, "cut at {cut}");
        assert_eq!(number(&log.summary, "recordsLeftBehind"), 0);
    }
}

#[test]
fn a_tail_that_no_writer_leaves_is_not_taken_for_a_torn_record() {
    let (file, ends) = example();
    let end = *ends.last().unwrap();
    // A type that there is not; and a length that no block has room for, of a known type.
    for (tail, code) in
        [(&b"\n<!-- appended -->\n"[..], "W03"), (&[0xff; 64], "W03"), (&[9, 9, 9, 9, 0xff, 0xff, 1, 7, 7], "W02")]
    {
        let log = read(&[&file[..end], tail].concat());
        assert_eq!(found(&log), [(code, Severity::Warn)]);
        assert_eq!(log.records.iter().filter(|record| record.state == State::Sound).count(), ends.len());
        assert_eq!(text(&log.summary, "end"), "damaged");
    }
}

#[test]
fn zeros_at_the_end_are_information_and_others_are_not() {
    let (file, _) = example();
    for zeros in [1, 6, 7, 40_000, 200_000] {
        let mut padded = file.clone();
        padded.resize(file.len() + zeros, 0);
        let log = read(&padded);
        assert_eq!(found(&log), [("W05", Severity::Info)], "{zeros}");
        assert_eq!(log.regions.last().map(|region| (region.kind, region.state)), Some(("zeros", State::Torn)));
        assert_eq!(text(&log.summary, "end"), "zeros");
    }
    let mut hole = file.clone();
    hole.resize(file.len().next_multiple_of(32 << 10) + (32 << 10), 0);
    append_record(&mut hole, &batch(43, &[(b"z", None)]));
    assert_eq!(found(&read(&hole)), [("W05", Severity::Warn), ("W08", Severity::Bad)]);
}

#[test]
fn every_flipped_bit_is_found_and_costs_one_record() {
    let (file, ends) = example();
    let file = &file[..ends[9]];
    for bit in 0..file.len() * 8 {
        let mut mutant = file.to_vec();
        mutant[bit / 8] ^= 1 << (bit % 8);
        let log = read(&mutant);
        let hit = ends.iter().take_while(|end| **end <= bit / 8).count();
        assert!(!log.findings.is_empty(), "bit {bit}");
        let sound = log.records.iter().filter(|record| record.state == State::Sound).count();
        assert_eq!(sound, 9, "bit {bit}: {:?}", log.findings);
        let left = if hit == 9 { 0 } else { 9 - hit };
        assert_eq!(number(&log.summary, "recordsLeftBehind"), to_u64(left), "bit {bit}: {:?}", log.findings);
        assert_eq!(log.findings.iter().any(|found| found.code == "W08"), left > 0);
    }
}

#[test]
fn damage_of_fragments_and_batches_has_its_code() {
    let (file, ends) = example();
    let codes = |file: &[u8]| read(file).findings.iter().map(|found| found.code).collect::<Vec<_>>();
    // A length that leads past the block: the first block is full.
    let mut overrun = file.clone();
    overrun[ends[3] + 5] = 0xff;
    assert_eq!(codes(&overrun)[0], "W02");
    // The first fragment of the record in three fragments is damaged: the others are without it.
    let mut headless = file.clone();
    headless[ends[9] + 20] ^= 1;
    assert_eq!(codes(&headless), ["W01", "W03", "W08"]);
    // Its last fragment is missing.
    let mut tailless = file[..64 << 10].to_vec();
    append_record(&mut tailless, &batch(100, &[(b"a", None)]));
    assert_eq!(codes(&tailless)[0], "W03");

    let mut wrong = Vec::new();
    let mut miscounted = batch(1, &[(b"a", None), (b"b", None)]);
    miscounted[8] = 3;
    append_record(&mut wrong, &miscounted);
    append_record(&mut wrong, &batch(4, &[(b"c", None)]));
    let log = read(&wrong);
    assert_eq!(found(&log), [("W06", Severity::Bad), ("W08", Severity::Bad)]);
    assert!(log.findings[0].reason.starts_with("the batch says 3 operations, 2 can be decoded"));
    for bad in [&b"short"[..], b"\x01\0\0\0\0\0\0\0\x01\0\0\0\x05"] {
        let mut file = Vec::new();
        append_record(&mut file, bad);
        assert_eq!(codes(&file), ["W06"]);
    }
    // A batch without operations takes no sequence number.
    let mut empty = Vec::new();
    for record in [batch(1, &[(b"a", None)]), batch(2, &[]), batch(2, &[(b"b", None)])] {
        append_record(&mut empty, &record);
    }
    assert_eq!(codes(&empty), Vec::<&str>::new());
    let mut sequences = Vec::new();
    for sequence in [1, 2, 7, 5] {
        append_record(&mut sequences, &batch(sequence, &[(b"a", None)]));
    }
    assert_eq!(found(&read(&sequences)), [("W07", Severity::Warn), ("W07", Severity::Bad)]);
}

#[test]
fn no_mutation_of_a_log_causes_a_panic_or_an_endless_loop() {
    let (file, _) = example();
    let mut seed = 11;
    for _ in 0..300 {
        let mut mutant = file.clone();
        for _ in 0..=random(&mut seed) % 40 {
            let at = random(&mut seed) % mutant.len();
            match random(&mut seed) % 4 {
                0 => mutant[at] ^= 1 << (random(&mut seed) % 8),
                1 => mutant[at..].iter_mut().take(50).for_each(|byte| *byte = 0),
                2 => mutant.truncate(at.max(1)),
                _ => mutant.insert(at, 0xff),
            }
        }
        let log = read(&mutant);
        for record in &log.records {
            let (start, end) = (usize::try_from(record.offset).unwrap(), usize::try_from(record.end).unwrap());
            let view = RecordView::of_batch(record.offset, &mutant[start..end]);
            if record.state == State::Sound {
                assert_eq!((view.span.findings.len(), view.contents.findings.len()), (0, 0));
            }
        }
    }
}

/// A block of fragments whose checksums are wrong and whose lengths overlap: each costs a checksum.
#[test]
fn a_hostile_block_is_read_in_linear_time() {
    let fragment = [1, 2, 3, 4, 0, 0x40, 1];
    let file: Vec<u8> = fragment.iter().copied().cycle().take(20 << 15).collect();
    let log = read(&file);
    assert!(log.records.is_empty());
    let mut inspector = LogInspector::new(0);
    assert_eq!(Reads::wanted(&inspector), Some((0, 0)));
    Reads::supply(&mut inspector, b"");
    assert_eq!(Reads::wanted(&inspector), None);
}
