//! Tables that are sound, of other formats, or unreadable.

use super::*;

#[test]
fn a_table_of_one_entry_is_explained() {
    let file = one_entry();
    let spans = inspect(&file, true);
    assert_eq!(codes(&spans), Vec::<&str>::new());
    assert_tiled(&spans, file.len());
    let kinds: Vec<_> = spans.iter().map(|span| span.kind).collect();
    assert_eq!(kinds, ["footer", "metaindex", "index", "data", "table"]);
    let footer = &spans[0];
    assert_eq!((footer.offset, footer.length, number(footer, "indexOffset")), (63, 48, 44));
    let data = &spans[3];
    assert_eq!((data.offset, data.length), (0, 31));
    assert_eq!((number(data, "storedSize"), number(data, "rawSize"), number(data, "entries")), (26, 26, 1));
    assert_eq!((text(data, "codec"), text(data, "checksum"), number(data, "restarts")), ("none", "sound", 1));
    assert_eq!(data.fact("firstKey"), data.fact("lastKey"));
    let key = KeyFact { key: b"only".to_vec(), size: 4, tag: Some((1, true)) };
    assert_eq!(data.fact("firstKey"), Some(&Fact::Key(key)));
    assert_eq!((data.spans.len(), number(&data.spans[0], "valueSize")), (1, 3));
    assert_eq!(number(&spans[4], "entries"), 1);
}

#[test]
fn spans_are_written_as_json() {
    let mut file = one_entry();
    file[20] ^= 1;
    for span in inspect(&file, true) {
        let mut line = String::new();
        span.write_json(&mut line);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["kind"], span.kind);
        assert_eq!(value["offset"], span.offset);
        if span.kind == "data" {
            assert_eq!(value["findings"][0]["code"], "T10");
            assert_eq!(value["findings"][0]["offset"], 27);
            assert_eq!(value["facts"]["firstKey"]["key"], "6f6e6c79");
            assert_eq!(value["spans"][0]["kind"], "entry");
        }
    }
    let mut line = String::new();
    let mut span = Span::new("x", u64::MAX, 0);
    span.text("say", "\"\\\n");
    span.write_json(&mut line);
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["offset"], "18446744073709551615");
    assert_eq!(value["facts"]["say"], "\"\\\u{fffd}");
}

#[test]
fn tables_of_real_engines_have_no_findings_and_every_byte_is_explained() {
    for (name, file) in fixtures() {
        let spans = inspect(&file, false);
        assert_eq!(codes(&spans), Vec::<&str>::new(), "{name}");
        assert_tiled(&spans, file.len());
        let table = spans.last().unwrap();
        assert_eq!(number(table, "dataBlocks"), to_u64(of(&spans, "data").len()), "{name}");
        assert_eq!(number(table, "damagedBlocks"), 0, "{name}");
    }
    let spans = inspect(&fixture("leveldb-table/block256-restart1.ldb"), false);
    assert_eq!(number(spans.last().unwrap(), "entries"), 300);
    let spans = inspect(&fixture("leveldb-table/bloom10-none.ldb"), false);
    let filter = of(&spans, "filter")[0];
    assert_eq!(number(filter, "probes"), 6);
    assert!(number(filter, "bitsSet") * 10 > number(filter, "bits"));
}

#[test]
fn other_kinds_of_files_are_identified() {
    let rocks = [
        vec![1; 100],
        vec![1, 0x20, 5, 0x30, 6],
        vec![0; 36],
        5u32.to_le_bytes().to_vec(),
        0x88e2_41b7_85f4_cff7u64.to_le_bytes().to_vec(),
    ]
    .concat();
    let spans = inspect(&rocks, false);
    assert_eq!(codes(&spans), ["T02"]);
    assert_eq!((text(&spans[0], "format"), number(&spans[0], "formatVersion")), ("RocksDB", 5));
    assert_eq!((text(&spans[0], "checksumType"), number(&spans[0], "indexOffset")), ("CRC-32C", 0x30));
    assert_eq!(text(spans.last().unwrap(), "format"), "RocksDB");

    let sqlite = [b"SQLite format 3\0".to_vec(), vec![7; 4096]].concat();
    let spans = inspect(&sqlite, false);
    assert_eq!(text(&spans[0], "format"), "SQLite database");
    assert_eq!(text(spans.last().unwrap(), "format"), "unknown");

    for size in [48, 4096, 100_000] {
        assert_eq!(codes(&inspect(&vec![0; size], false)), ["T01", "T32"], "{size}");
    }
    for size in [0, 1, 47] {
        let spans = inspect(&vec![0; size], false);
        assert_eq!((codes(&spans), spans.len()), (vec!["T01"], 2), "{size}");
    }
}

#[test]
fn unreadable_bytes_are_reported() {
    let file = fixture("leveldb-table/block256-none.ldb");
    let lost = of(&inspect(&file, false), "data")[2].offset;
    let mut inspector = TableInspector::new(to_u64(file.len()), Depth::Spans { entries: false });
    let mut spans = Vec::new();
    while let Some((offset, length)) = inspector.wanted() {
        let start = usize::try_from(offset).unwrap();
        inspector.supply(if offset == lost && length < 1000 { &[] } else { &file[start..start + length] });
        spans.append(&mut inspector.take());
    }
    assert_eq!(codes(&spans), ["S02"]);
    assert_eq!(number(spans.last().unwrap(), "damagedBlocks"), 1);
}
