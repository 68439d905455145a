//! Maps and sweeps: the same regions as the spans, in rows of numbers.

use super::*;
use crate::inspect::{Finding, Region, State, Window, pack_regions};

pub(super) struct Mapped {
    pub(super) spans: Vec<Span>,
    pub(super) regions: Vec<Region>,
    pub(super) findings: Vec<Finding>,
    pub(super) handles: Vec<Option<(u64, u64)>>,
}

/// Reads through a window of `ahead` bytes.
pub(super) fn read(file: &[u8], depth: Depth, ahead: usize) -> Mapped {
    let mut window = Window::new(TableInspector::new(to_u64(file.len()), depth));
    let mut read = Mapped { spans: Vec::new(), regions: Vec::new(), findings: Vec::new(), handles: Vec::new() };
    while let Some((offset, length)) = window.wanted() {
        let start = usize::try_from(offset).unwrap();
        let end = start + if length == 0 { 0 } else { length.max(ahead).min(file.len() - start) };
        window.feed(file[start..end].to_vec());
        read.spans.extend(window.inspector().take());
        read.regions.extend(window.inspector().take_regions());
        read.findings.extend(window.inspector().take_findings());
    }
    read.handles = window.inspector().take_index().map(|(_, handles)| handles).unwrap_or_default();
    read
}

fn assert_tiles(regions: &[Region], size: usize) {
    let mut at = 0;
    for region in regions {
        assert_eq!(region.offset, at, "{region:?}");
        assert!(region.size > 0);
        at = region.end();
    }
    assert_eq!(at, to_u64(size));
}

#[test]
fn a_map_and_a_sweep_agree_with_the_spans() {
    for (name, file) in fixtures() {
        let spans = inspect(&file, false);
        let map = read(&file, Depth::Map, 0);
        let sweep = read(&file, Depth::Sweep, 1 << 20);
        assert_tiles(&map.regions, file.len());
        let mut swept = sweep.regions.clone();
        swept.sort_by_key(|region| region.offset);
        assert_tiles(&swept, file.len());
        let place = |region: &Region| (region.kind, region.offset, region.size);
        assert_eq!(swept.iter().map(place).collect::<Vec<_>>(), map.regions.iter().map(place).collect::<Vec<_>>());
        let mut all: Vec<_> = spans.iter().filter(|span| span.kind != "table").map(Region::of).collect();
        all.sort_by_key(|region| region.offset);
        assert_eq!(swept, all, "{name}");
        assert!(swept.iter().all(|region| region.state == State::Sound), "{name}");
        assert!(map.regions.iter().all(|region| (region.state == State::Unread) == (region.kind == "data")));
        assert_eq!(sweep.spans, spans[spans.len() - 1..], "{name}");
        let of_spans: Vec<_> = spans.iter().flat_map(|span| span.findings.clone()).collect();
        assert_eq!(sweep.findings, of_spans, "{name}");
        let data = map.regions.iter().filter(|region| region.kind == "data").map(|r| Some((r.offset, r.size - 5)));
        assert_eq!(map.handles, data.collect::<Vec<_>>(), "{name}");
        assert_eq!(number(map.spans.last().unwrap(), "dataBlocks"), to_u64(map.handles.len()));
        assert_eq!(map.spans.last().unwrap().fact("entries"), None);
    }
}

#[test]
fn parts_are_explained_to_their_fields() {
    let file = fixture("leveldb-table/bloom10-none.ldb");
    let map = read(&file, Depth::Map, 0);
    let names = |span: &Span| span.spans.iter().map(|part| part.name.unwrap_or(part.kind)).collect::<Vec<_>>();
    let footer = of(&map.spans, "footer")[0];
    let handles = ["metaindex handle offset", "metaindex handle size", "index handle offset", "index handle size"];
    assert_eq!(names(footer)[..4], handles);
    assert_eq!(names(footer)[4..], ["padding", "magic"]);
    for span in [footer, of(&map.spans, "metaindex")[0], of(&map.spans, "filter")[0], of(&map.spans, "index")[0]] {
        let mut at = span.offset;
        for part in &span.spans {
            assert_eq!(part.offset, at, "{span:#?}");
            at += part.length;
        }
        assert_eq!(at, span.offset + span.length);
    }
    let metaindex = of(&map.spans, "metaindex")[0];
    assert_eq!(names(metaindex), ["contents", "codec", "checksum"]);
    let contents = &metaindex.spans[0];
    assert_eq!(names(contents), ["entry", "restart points", "restart count"]);
    let entry = names(&contents.spans[0]);
    assert_eq!(entry[..4], ["shared key length", "unshared key length", "value length", "unshared key"]);
    assert_eq!(entry[4..], ["handle offset", "handle size"]);
    let filter = &of(&map.spans, "filter")[0].spans[0];
    assert_eq!(names(filter)[..3], ["filters", "filter offsets", "start of the filter offsets"]);
}

#[test]
fn a_map_covers_every_byte_of_a_damaged_file() {
    let mut seed = 7;
    for (name, file) in fixtures() {
        for _ in 0..40 {
            let mut mutant = file.clone();
            let from_end = random(&mut seed) % 600.min(mutant.len());
            let at = mutant.len() - 1 - from_end;
            mutant[at] = u8::try_from(random(&mut seed) % 256).unwrap();
            if random(&mut seed).is_multiple_of(5) {
                mutant.truncate(at);
            }
            if mutant.is_empty() {
                continue;
            }
            let map = read(&mutant, Depth::Map, 0);
            assert_tiles(&map.regions, mutant.len());
            assert_eq!(map.spans.last().unwrap().kind, "table", "{name}");
            read(&mutant, Depth::Sweep, 4096);
        }
    }
}

#[test]
fn a_cut_table_keeps_all_its_whole_blocks() {
    let file = fixture("leveldb-table/block256-none.ldb");
    let sound = read(&file, Depth::Map, 0).regions;
    let data: Vec<_> = sound.iter().filter(|region| region.kind == "data").collect();
    let end = data.last().unwrap().end();
    for cut in (1..file.len()).step_by(61) {
        let sweep = read(&file[..cut], Depth::Sweep, 1 << 20);
        let whole: Vec<_> = data.iter().filter(|r| r.end() <= to_u64(cut)).map(|r| (r.offset, r.size)).collect();
        let found = sweep.regions.iter().filter(|region| region.kind == "data" && region.state == State::Found);
        let found: Vec<_> = found.map(|region| (region.offset, region.size)).collect();
        // Without a byte of another block after it, the file is too short to be searched.
        if cut >= 48 {
            assert_eq!(found, whole, "cut at {cut} of {end}");
        }
        assert_tiles(&read(&file[..cut], Depth::Map, 0).regions, cut);
    }
}

#[test]
fn overlapping_handles_are_reported_and_the_first_is_kept() {
    let data = b"\0\x09\0a\x01\x02\0\0\0\0\0\0\0\0\0\0\x01\0\0\0";
    let mut file = seal(data);
    let metaindex = file.len();
    file.extend(seal(b"\0\0\0\0\x01\0\0\0"));
    let index = file.len();
    let mut block = Vec::new();
    for (key, offset, size) in [(b'a', 0, data.len()), (b'b', 4, 9), (b'c', 1 << 40, 7)] {
        let mut handle = Vec::new();
        crate::base::put_varint64(&mut handle, offset);
        crate::base::put_varint64(&mut handle, to_u64(size));
        block.extend([0, 9, u8::try_from(handle.len()).unwrap(), key, 1, 0, 0, 0, 0, 0, 0, 0]);
        block.extend(handle);
    }
    block.extend(b"\0\0\0\0\x01\0\0\0");
    let size = block.len();
    file.extend(seal(&block));
    let start = file.len();
    for value in [metaindex, 8, index, size] {
        crate::base::put_varint64(&mut file, to_u64(value));
    }
    file.resize(start + 40, 0);
    file.extend([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
    let map = read(&file, Depth::Map, 0);
    assert_tiles(&map.regions, file.len());
    assert_eq!(map.findings.iter().map(|found| found.code).collect::<Vec<_>>(), ["T31", "T30"]);
    assert_eq!(map.handles, [Some((0, to_u64(data.len()))), Some((4, 9)), Some((1 << 40, 7))]);
    assert_eq!(map.regions.iter().filter(|region| region.kind == "data").count(), 1);
}

#[test]
fn rows_are_packed_as_documented() {
    let region = Region {
        offset: 1 << 40,
        size: 3,
        kind: "data",
        state: State::Found,
        codec: 1,
        raw: 4,
        entries: 5,
        deletions: 6,
        restarts: 7,
    };
    let row = pack_regions(&[region]);
    assert_eq!(row.len(), 40);
    assert_eq!(row[..8], 1_099_511_627_776f64.to_le_bytes());
    assert_eq!(row[16..32], [4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0]);
    assert_eq!(row[32..], [5, 3, 1, 0, 0, 0, 0, 0]);
}
