//! The files of a database together.

use super::*;
use crate::base::{FileNumber, SequenceNumber};
use crate::inspect::{Directory, Report};
use crate::version::{NewFile, VersionEdit};

fn key(user: &[u8], sequence: u8) -> Vec<u8> {
    [user, &[1, sequence, 0, 0, 0, 0, 0, 0]].concat()
}

fn version() -> Vec<u8> {
    let mut edit = VersionEdit {
        comparator: Some(b"leveldb.BytewiseComparator".to_vec()),
        log_number: Some(FileNumber(7)),
        previous_log_number: Some(FileNumber(5)),
        next_file_number: Some(FileNumber(20)),
        last_sequence: Some(SequenceNumber::new(9).unwrap()),
        ..VersionEdit::default()
    };
    for (level, number) in [(0, 4), (2, 8)] {
        let file = NewFile { number: FileNumber(number), size: 100, smallest: key(b"a", 3), largest: key(b"z", 1) };
        edit.new_files.push((level, file));
    }
    edit.encode()
}

fn concluded(files: &[(&str, u64, &str)], fill: impl Fn(&mut Directory)) -> Report {
    let mut directory = Directory::new();
    for (at, (name, size, kind)) in files.iter().enumerate() {
        directory.add(name, *size);
        directory.detected(at, kind, "");
    }
    fill(&mut directory);
    directory.conclude()
}

fn told(report: &Report) -> Vec<(Option<usize>, &'static str)> {
    report.findings.iter().map(|(file, found)| (*file, found.code)).collect()
}

#[test]
fn the_manifest_that_current_names_is_read_or_else_the_newest() {
    let files = ["MANIFEST-000002", "MANIFEST-000010", "MANIFEST-000006", "CURRENT"];
    let choose = |current: Option<&[u8]>| {
        let mut directory = Directory::new();
        files.iter().for_each(|name| directory.add(name, 1));
        current.iter().for_each(|content| directory.current(content));
        directory.manifest()
    };
    assert_eq!(choose(Some(b"MANIFEST-000006\n")), Some(2));
    assert_eq!(choose(Some(b"MANIFEST-000002\n")), Some(0));
    for other in [None, Some(&b""[..]), Some(b"MANIFEST-000006"), Some(b"MANIFEST-000099\n"), Some(b"\xff\xfe\n")] {
        assert_eq!(choose(other), Some(1), "{other:?}");
    }
    assert_eq!(Directory::new().manifest(), None);
}

#[test]
fn roles_and_findings_of_a_version() {
    let files = [
        ("CURRENT", 16, "current"),
        ("MANIFEST-000006", 300, "manifest"),
        ("000003.log", 0, "empty"),
        ("000005.log", 10, "log"),
        ("000007.log", 10, "log"),
        ("000011.log", 10, "log"),
        ("000004.ldb", 100, "table"),
        ("000012.ldb", 100, "table"),
        ("lost-000013.ldb", 100, "table"),
    ];
    let report = concluded(&files, |directory| {
        directory.current(b"MANIFEST-000006\n");
        directory.version(&version());
        directory.table(6, &key(b"a", 3), &key(b"z", 1), Some(9));
        directory.without_footer(7);
    });
    assert_eq!(report.files[7].fact("unfinished"), Some(&Fact::Flag(true)));
    let roles: Vec<_> = report.files.iter().map(|span| text(span, "role")).collect();
    let expected = ["current", "current manifest", "old log", "log to replay", "log to replay", "current log"];
    assert_eq!(roles[..6], expected);
    assert_eq!(roles[6..], ["live", "orphan", "misnamed", "missing"]);
    assert_eq!((number(&report.files[6], "level"), number(&report.files[9], "number")), (0, 8));
    assert_eq!(told(&report), [(Some(8), "D03"), (Some(1), "M02"), (Some(7), "M03")]);
    assert_eq!((number(&report.summary, "lastSequence"), number(&report.summary, "files")), (9, 9));

    let report = concluded(&files[..8], |directory| {
        directory.version(&version());
        directory.table(6, &key(b"b", 3), &key(b"z", 1), Some(10));
        directory.unreadable(5, "no");
    });
    let codes: Vec<_> = told(&report).into_iter().map(|(_, code)| code).collect();
    assert_eq!(codes, ["D05", "D01", "M05", "T24", "M02", "M03"]);
}

#[test]
fn any_input_is_accepted() {
    let mut seed = 3;
    for _ in 0..500 {
        let mut bytes = version();
        let at = random(&mut seed) % bytes.len();
        bytes[at] ^= 1 << (random(&mut seed) % 8);
        let report = concluded(&[("000004.ldb", 1, ""), ("18446744073709551615.ldb", u64::MAX, "log")], |directory| {
            directory.current(&bytes);
            directory.version(&bytes);
            directory.table(usize::MAX, b"", b"", None);
            directory.unreadable(9, "");
        });
        assert!(report.files.len() >= 2);
    }
}

#[test]
fn a_database_of_rocksdb_is_told_once_and_not_compared() {
    let files = [("CURRENT", 16, "current"), ("MANIFEST-000005", 300, "foreign"), ("000009.sst", 900, "foreign")];
    let report = concluded(&files, |directory| {
        directory.detected(1, "foreign", "RocksDB or Pebble manifest");
        directory.current(b"MANIFEST-000005\n");
        assert!(directory.is_relative());
        assert_eq!(directory.manifest(), None);
    });
    assert_eq!(told(&report), [(Some(1), "D06")]);
    // An old manifest of another engine beside LevelDB's.
    let report = concluded(&files, |directory| {
        directory.add("MANIFEST-000002", 100);
        directory.detected(1, "foreign", "RocksDB or Pebble manifest");
        directory.current(b"MANIFEST-000002\n");
        assert!(!directory.is_relative());
        assert_eq!(directory.manifest(), Some(3));
    });
    assert_eq!(told(&report), [(None, "D02"), (Some(1), "D06")]);
}

#[test]
fn what_is_wrong_with_current_is_told_with_what_it_holds() {
    let files = [("CURRENT", 15, "current"), ("MANIFEST-000006", 300, "manifest")];
    for (content, reason) in [
        (&b""[..], "CURRENT is empty; MANIFEST-000006, the newest, is read"),
        (
            b"MANIFEST-000002",
            "CURRENT does not end with a newline; it holds \"MANIFEST-000002\", expected a name like MANIFEST-000002 \
             and a newline; MANIFEST-000006, the newest, is read",
        ),
        (
            b"\xff\x00\n",
            "CURRENT holds \"\\xff\\x00\", expected a name like MANIFEST-000002; MANIFEST-000006, the newest, is read",
        ),
        (b"MANIFEST-000009\n", "CURRENT names MANIFEST-000009, which is missing; MANIFEST-000006, the newest, is read"),
    ] {
        let report = concluded(&files, |directory| directory.current(content));
        assert_eq!(report.findings.first().map(|(_, found)| &*found.reason), Some(reason));
    }
    let report = concluded(&files, |directory| directory.current(&[b'x'; 4096]));
    let reason = &report.findings.first().unwrap().1.reason;
    assert!(reason.starts_with("CURRENT begins with \"xxxx") && reason.len() < 250, "{reason}");
}
