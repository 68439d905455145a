//! Damaged tables.

use super::*;

#[test]
fn a_damaged_block_is_reported_and_the_others_are_read() {
    let sound = inspect(&fixture("leveldb-table/block256-none.ldb"), false);
    let all = number(sound.last().unwrap(), "entries");
    let mut file = fixture("leveldb-table/block256-none.ldb");
    let block = of(&sound, "data")[3];
    file[usize::try_from(block.offset).unwrap() + 30] ^= 0x40;
    let spans = inspect(&file, false);
    assert_eq!(codes(&spans), ["T10"]);
    let wrong: Vec<_> = of(&spans, "data").into_iter().filter(|s| text(s, "checksum") == "wrong").collect();
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].offset, block.offset);
    assert_eq!(wrong[0].findings[0].offset, block.offset + block.length - 4);
    assert_eq!(number(spans.last().unwrap(), "damagedBlocks"), 1);
    assert!(number(spans.last().unwrap(), "entries") >= all - number(block, "entries"));
}

#[test]
fn without_an_index_the_blocks_are_found_by_their_checksums() {
    let file = fixture("leveldb-table/bloom10-none.ldb");
    let sound = inspect(&file, false);
    let entries = number(sound.last().unwrap(), "entries");
    let index = of(&sound, "index")[0];
    for damage in ["magic", "handle", "index", "bit of the index"] {
        let mut file = file.clone();
        let at = file.len();
        match damage {
            "magic" => file[at - 8..].fill(0xee),
            "handle" => file[at - 48..at - 40].fill(0xff),
            // In the first handle: what it would lead to is no damage of the file.
            "bit of the index" => file[usize::try_from(index.offset).unwrap() + 12] ^= 1,
            _ => {
                let at = usize::try_from(index.offset).unwrap();
                file[at..at + usize::try_from(index.length).unwrap()].fill(0xaa);
            }
        }
        let spans = inspect(&file, false);
        assert!(!codes(&spans).is_empty(), "{damage}");
        if damage == "bit of the index" {
            assert!(codes(&spans).iter().all(|code| ["T10", "T32"].contains(code)), "{:?}", codes(&spans));
        }
        assert_eq!(number(spans.last().unwrap(), "entries"), entries, "{damage}");
        assert_eq!(of(&spans, "data").len(), of(&sound, "data").len(), "{damage}");
        assert!(of(&spans, "data").iter().all(|span| span.fact("found") == Some(&Fact::Flag(true))));
        assert_eq!(of(&spans, "filter").len(), 1, "{damage}");
    }
    // Truncated: all blocks before the cut are found.
    let file = fixture("leveldb-table/block256-none.ldb");
    let sound = inspect(&file, false);
    let cut = &file[..file.len() * 6 / 10];
    let spans = inspect(cut, false);
    let whole = of(&sound, "data").into_iter().filter(|s| s.offset + s.length <= to_u64(cut.len())).count();
    assert!(whole > 3);
    assert_eq!(of(&spans, "data").len(), whole);
}

#[test]
fn damage_under_a_valid_checksum_is_reported() {
    let entry = |key: &[u8]| [&[0, u8::try_from(key.len()).unwrap(), 0], key].concat();
    let restart = b"\0\0\0\0\x01\0\0\0".to_vec();
    let cases: [(&str, Vec<u8>, &[&str]); 7] = [
        ("sound", [entry(b"a\x01\x02\0\0\0\0\0\0"), entry(b"a\x01\x01\0\0\0\0\0\0"), restart.clone()].concat(), &[]),
        (
            "the same twice",
            [entry(b"a\x01\x02\0\0\0\0\0\0"), entry(b"a\x01\x02\0\0\0\0\0\0"), restart.clone()].concat(),
            &["T23"],
        ),
        (
            "newer behind",
            [entry(b"a\x01\x01\0\0\0\0\0\0"), entry(b"a\x01\x02\0\0\0\0\0\0"), restart.clone()].concat(),
            &["T22"],
        ),
        ("a short key", [entry(b"abc"), restart.clone()].concat(), &["T25"]),
        ("an endless entry", [b"\0\xff\xff\xff\x7f\0abc".to_vec(), restart.clone()].concat(), &["T21"]),
        ("restarts beyond", b"\0\0\0\0\xff\xff\xff\x7f".to_vec(), &["T20"]),
        (
            "a restart inside an entry",
            [entry(b"a\x01\x02\0\0\0\0\0\0"), b"\0\0\0\0\x04\0\0\0\x02\0\0\0".to_vec()].concat(),
            &["T20"],
        ),
    ];
    for (name, contents, expected) in cases {
        let spans = inspect(&table_of(&contents), true);
        // Damage in a restart array is reported by both passes: over the whole and entry by entry.
        assert_eq!(codes(&spans), expected, "{name}: {spans:#?}");
    }
}

#[test]
fn a_block_is_read_on_from_the_restart_point_after_a_bad_entry() {
    let entry = |key: &[u8]| [&[0, u8::try_from(key.len()).unwrap(), 0], key].concat();
    let (bad, good) = (b"\0\x7f\0x".to_vec(), entry(b"b\x01\x02\0\0\0\0\0\0"));
    let first = entry(b"a\x01\x02\0\0\0\0\0\0");
    let points = [0, first.len(), first.len() + bad.len()].map(|at| u32::try_from(at).unwrap().to_le_bytes());
    let contents = [first, bad, good, points.concat(), 3u32.to_le_bytes().to_vec()].concat();
    let spans = inspect(&table_of(&contents), true);
    assert_eq!(codes(&spans), ["T21"]);
    let data = of(&spans, "data")[0];
    assert_eq!(number(data, "entries"), 2);
    assert_eq!(data.spans.len(), 2);
}

#[test]
fn a_prefix_bomb_costs_no_more_than_its_bytes() {
    // One key of 100 KiB, then 200,000 that share all of it but their tag: 20 GB of keys.
    let mut contents = vec![0];
    crate::base::put_varint64(&mut contents, 100 << 10);
    contents.push(0);
    contents.resize(contents.len() + (100 << 10), b'k');
    for i in 0..200_000u32 {
        crate::base::put_varint64(&mut contents, (100 << 10) - 8);
        contents.extend([8, 0, 1]);
        contents.extend((0xff_ffff - i).to_le_bytes());
        contents.extend([0; 3]);
    }
    contents.extend(b"\0\0\0\0\x01\0\0\0");
    let spans = inspect(&table_of(&contents), true);
    let data = of(&spans, "data")[0];
    assert_eq!(number(data, "entries"), 200_001);
    assert!(data.spans.len() < 1000, "{} listed", data.spans.len());
}
