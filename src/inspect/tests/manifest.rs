//! Manifests: replayed, resumed, damaged.

use super::*;
use crate::base::{FileNumber, SequenceNumber};
use crate::inspect::{Checkpoint, Finding, ManifestInspector, RecordView, Window, pack_edits};
use crate::version::{NewFile, VersionEdit};

fn table(number: u64, smallest: &[u8], largest: &[u8]) -> NewFile {
    let key = |user: &[u8]| [user, b"\x01\x05\0\0\0\0\0\0"].concat();
    NewFile { number: FileNumber(number), size: number * 10, smallest: key(smallest), largest: key(largest) }
}

fn first() -> VersionEdit {
    VersionEdit {
        comparator: Some(b"leveldb.BytewiseComparator".to_vec()),
        log_number: Some(FileNumber(3)),
        next_file_number: Some(FileNumber(4)),
        last_sequence: Some(SequenceNumber::ZERO),
        ..VersionEdit::default()
    }
}

/// Each edit adds a table to level 1 and removes the one two before.
fn example(count: u64) -> Vec<u8> {
    let mut file = Vec::new();
    append_record(&mut file, &first().encode());
    for number in 5..5 + count {
        let name = format!("{number:09}");
        let mut edit = VersionEdit::default();
        edit.new_files.push((1, table(number, name.as_bytes(), name.as_bytes())));
        if number > 6 {
            edit.deleted_files.insert((1, FileNumber(number - 2)));
        }
        append_record(&mut file, &edit.encode());
    }
    file
}

struct Read {
    version: Span,
    edits: usize,
    findings: Vec<Finding>,
    checkpoints: Vec<Checkpoint>,
}

fn read(file: &[u8], from: &Checkpoint, edits_max: u64) -> Read {
    let mut window = Window::new(ManifestInspector::resume(to_u64(file.len()), from, edits_max));
    let (mut rows, mut findings, mut checkpoints, mut at) = (0, Vec::new(), Vec::new(), from.offset);
    while let Some((offset, length)) = window.wanted() {
        let start = usize::try_from(offset).unwrap();
        let end = start + if length == 0 { 0 } else { (1 << 16).min(file.len() - start) };
        window.feed(file[start..end].to_vec());
        rows += pack_edits(window.inspector()).len() / 56;
        findings.extend(window.inspector().take_findings());
        checkpoints.extend(window.inspector().take_checkpoint());
        for region in window.inspector().take_regions() {
            assert_eq!(region.offset, at);
            at = region.end();
        }
    }
    if edits_max == u64::MAX {
        assert_eq!(at, to_u64(file.len()));
    }
    Read { version: window.inspector().version(), edits: rows, findings, checkpoints }
}

fn start() -> Checkpoint {
    Checkpoint { edits: 0, offset: 0, regions: 0, state: Vec::new() }
}

#[test]
fn every_version_is_found_from_the_checkpoint_before_it() {
    let file = example(60_000);
    let all = read(&file, &start(), u64::MAX);
    assert_eq!((all.edits, all.findings), (60_001, Vec::new()));
    assert!(all.checkpoints.len() >= 2, "{}", all.checkpoints.len());
    for edits in [1, 2, 3, 100, 29_999, 30_000, 60_001, 70_000] {
        let from_start = read(&file, &start(), edits).version;
        let from = all.checkpoints.iter().rev().find(|checkpoint| checkpoint.edits <= edits).cloned();
        let resumed = read(&file, &from.unwrap_or(start()), edits).version;
        assert_eq!(from_start, resumed, "{edits}");
        assert_eq!(number(&resumed, "edits"), edits.min(60_001));
        let numbers: Vec<_> = resumed.spans.iter().map(|table| number(table, "number")).collect();
        let last = edits.min(60_001) + 3;
        assert_eq!(numbers, (5.max(last.saturating_sub(1))..=last).collect::<Vec<_>>(), "{edits}");
    }
}

#[test]
fn an_edit_is_explained_to_its_fields() {
    let mut edit = first();
    edit.previous_log_number = Some(FileNumber(300));
    edit.compact_pointers.push((2, table(1, b"p", b"").smallest));
    edit.deleted_files.insert((3, FileNumber(u64::MAX)));
    edit.new_files.push((6, table(1 << 40, b"a", b"z")));
    let mut file = Vec::new();
    append_record(&mut file, &edit.encode());
    let view = RecordView::of_edit(0, &file);
    assert_eq!((view.span.findings.len(), view.contents.findings.len()), (0, 0));
    assert_eq!(view.raw, edit.encode());
    let mut at = 0;
    for field in &view.contents.spans {
        assert_eq!(field.offset, at, "{field:?}");
        for part in &field.spans {
            assert_eq!(part.offset, at, "{field:?}");
            at += part.length;
        }
        assert_eq!(at, field.offset + field.length);
    }
    assert_eq!(at, to_u64(view.raw.len()));
    let names: Vec<_> = view.contents.spans.iter().filter_map(|field| field.name).collect();
    let counters = ["comparator", "log number", "previous log number", "next file number", "last sequence"];
    assert_eq!(names[..5], counters);
    assert_eq!(names[5..], ["compact pointer", "deleted file", "new file"]);
    let new_file = view.contents.spans.last().unwrap();
    assert_eq!((number(new_file, "level"), number(new_file, "number")), (6, 1 << 40));
    let key = KeyFact { key: b"z".to_vec(), size: 1, tag: Some((5, true)) };
    assert_eq!(new_file.fact("largest"), Some(&Fact::Key(key)));
}

#[test]
fn no_mutation_of_a_manifest_causes_a_panic_or_an_endless_loop() {
    let file = example(40);
    let mut seed = 5;
    for _ in 0..400 {
        let mut mutant = file.clone();
        for _ in 0..=random(&mut seed) % 5 {
            let at = random(&mut seed) % mutant.len();
            match random(&mut seed) % 3 {
                0 => mutant[at] ^= 1 << (random(&mut seed) % 8),
                1 => mutant.truncate(at.max(1)),
                _ => mutant.insert(at, 0xff),
            }
        }
        read(&mutant, &start(), u64::MAX);
    }
    // Any bytes under a valid checksum.
    for length in 0..300 {
        let bytes: Vec<u8> = (0..length).map(|_| u8::try_from(random(&mut seed) % 12).unwrap()).collect();
        let mut file = Vec::new();
        append_record(&mut file, &bytes);
        read(&file, &start(), u64::MAX);
        RecordView::of_edit(0, &file);
    }
}
