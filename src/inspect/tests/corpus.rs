//! The databases that other engines wrote.

use super::*;

#[test]
fn the_corpus_tables_have_the_entries_that_its_manifest_counts() {
    let Some(root) = corpus() else { return };
    let manifest = std::fs::read_to_string(root.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let (mut tables, mut rocks) = (0, 0);
    for case in manifest["cases"].as_array().unwrap() {
        let path = root.join(case["path"].as_str().unwrap());
        let (kind, id) = (case["kind"].as_str().unwrap(), case["id"].as_str().unwrap());
        if kind == "rocksdb-sst" {
            let spans = inspect(&std::fs::read(&path).unwrap(), false);
            assert_eq!(text(spans.last().unwrap(), "format"), "RocksDB", "{id}");
            rocks += 1;
        } else if kind == "leveldb-table" {
            let spans = inspect(&std::fs::read(&path).unwrap(), false);
            assert_eq!(codes(&spans), Vec::<&str>::new(), "{id}");
            assert_eq!(number(spans.last().unwrap(), "entries"), case["expect"]["count"].as_u64().unwrap(), "{id}");
            tables += 1;
        } else if kind == "leveldb-db" {
            for expected in case["tables"].as_array().into_iter().flatten() {
                let name = expected["file"].as_str().unwrap();
                let spans = inspect(&std::fs::read(path.join(name)).unwrap(), false);
                let table = spans.last().unwrap();
                if expected.get("error").is_some() {
                    assert!(!codes(&spans).is_empty(), "{id} {name}");
                } else {
                    assert_eq!(codes(&spans), Vec::<&str>::new(), "{id} {name}");
                    assert_eq!(number(table, "entries"), expected["entries"].as_u64().unwrap(), "{id} {name}");
                    assert_eq!(number(table, "deletions"), expected["deletions"].as_u64().unwrap(), "{id} {name}");
                }
                tables += 1;
            }
        }
    }
    assert!(tables > 40 && rocks == 40, "{tables} tables, {rocks} of RocksDB");
}
