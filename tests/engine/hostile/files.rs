//! A small hand-made database in which any field can be false. Checksums are valid.

use varve::base::{
    BYTEWISE_NAME, BloomFilterPolicy, FilterPolicy, SequenceNumber, ValueType, append_internal_key, crc32c, mask,
    put_fixed32, put_fixed64, put_length_prefixed, put_varint64,
};
use varve::env::MemoryEnv;

/// The contents of the table: user key, sequence number, value.
pub const ENTRIES: [(&str, u64, &str); 3] = [("a", 1, "one"), ("b", 2, "two"), ("c", 3, "three")];

/// Every field of the table that is a length, an offset or a count.
#[derive(Clone, Copy, Default)]
pub struct Table {
    pub data: Handle,
    pub filter: Handle,
    pub index: Handle,
    pub metaindex: Handle,
    pub shared: Option<u64>,
    pub non_shared: Option<u64>,
    pub value_length: Option<u64>,
    pub restart_count: Option<u32>,
    pub first_restart: Option<u32>,
    /// The data block claims to be Snappy of this many bytes.
    pub snappy_length: Option<u64>,
    pub filter_offsets_start: Option<u32>,
    pub filter_offset: Option<u32>,
    pub filter_base_lg: Option<u8>,
}

/// False block handles.
#[derive(Clone, Copy, Default)]
pub struct Handle {
    pub offset: Option<u64>,
    pub size: Option<u64>,
}

impl Table {
    pub fn bytes(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let data = match self.snappy_length {
            None => add_block(&mut file, &self.data_block(), 0),
            Some(length) => add_block(&mut file, &[&varint(length)[..], b"\x08abc"].concat(), 1),
        };
        let filter = add_block(&mut file, &self.filter_block(), 0);
        let filter_key = [b"filter.", BloomFilterPolicy::new(10).name().as_bytes()].concat();
        let metaindex = add_block(&mut file, &block(&[(filter_key, self.filter.over(filter))]), 0);
        let index = add_block(&mut file, &block(&[(internal_key("c", 3), self.data.over(data))]), 0);
        let mut footer = [self.metaindex.over(metaindex), self.index.over(index)].concat();
        footer.resize(40, 0);
        put_fixed64(&mut footer, 0xdb47_7524_8b80_fb57);
        [file, footer].concat()
    }

    /// The first entry has the false fields.
    fn data_block(&self) -> Vec<u8> {
        let entries = ENTRIES.map(|(key, sequence, value)| (internal_key(key, sequence), value.as_bytes().to_vec()));
        let mut out = Vec::new();
        let mut restarts = Vec::new();
        for (i, (key, value)) in entries.iter().enumerate() {
            restarts.push(out.len() as u32);
            let lie =
                |field: Option<u64>, truth: usize| if i == 0 { field.unwrap_or(truth as u64) } else { truth as u64 };
            put_varint64(&mut out, lie(self.shared, 0));
            put_varint64(&mut out, lie(self.non_shared, key.len()));
            put_varint64(&mut out, lie(self.value_length, value.len()));
            out.extend_from_slice(key);
            out.extend_from_slice(value);
        }
        restarts[0] = self.first_restart.unwrap_or(0);
        restarts.iter().for_each(|restart| put_fixed32(&mut out, *restart));
        put_fixed32(&mut out, self.restart_count.unwrap_or(restarts.len() as u32));
        out
    }

    fn filter_block(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let keys = ENTRIES.map(|(key, _, _)| key.as_bytes());
        BloomFilterPolicy::new(10).create_filter(&keys, &mut out);
        let start = out.len() as u32;
        put_fixed32(&mut out, self.filter_offset.unwrap_or(0));
        put_fixed32(&mut out, self.filter_offsets_start.unwrap_or(start));
        out.push(self.filter_base_lg.unwrap_or(11));
        out
    }
}

impl Handle {
    fn over(self, (offset, size): (u64, u64)) -> Vec<u8> {
        [varint(self.offset.unwrap_or(offset)), varint(self.size.unwrap_or(size))].concat()
    }
}

/// The one batch of the log: puts `d`.
#[derive(Clone, Copy, Default)]
pub struct Batch {
    pub sequence: Option<u64>,
    pub count: Option<u32>,
    pub key_length: Option<u64>,
    pub value_length: Option<u64>,
}

impl Batch {
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_fixed64(&mut out, self.sequence.unwrap_or(4));
        put_fixed32(&mut out, self.count.unwrap_or(1));
        out.push(1);
        put_varint64(&mut out, self.key_length.unwrap_or(1));
        out.push(b'd');
        put_varint64(&mut out, self.value_length.unwrap_or(4));
        out.extend_from_slice(b"four");
        out
    }
}

/// The one record of the manifest.
#[derive(Clone, Copy, Default)]
pub struct Edit {
    pub comparator_length: Option<u64>,
    pub log_number: Option<u64>,
    pub previous_log_number: Option<u64>,
    pub next_file_number: Option<u64>,
    pub last_sequence: Option<u64>,
    pub level: Option<u64>,
    pub number: Option<u64>,
    pub size: Option<u64>,
    pub smallest_length: Option<u64>,
}

impl Edit {
    pub fn bytes(&self, table_size: u64) -> Vec<u8> {
        let mut out = varint(1);
        put_varint64(&mut out, self.comparator_length.unwrap_or(BYTEWISE_NAME.len() as u64));
        out.extend_from_slice(BYTEWISE_NAME.as_bytes());
        let numbers = [
            (2, self.log_number.unwrap_or(6)),
            (9, self.previous_log_number.unwrap_or(0)),
            (3, self.next_file_number.unwrap_or(7)),
            (4, self.last_sequence.unwrap_or(3)),
        ];
        numbers.iter().for_each(|(tag, number)| out.extend([varint(*tag), varint(*number)].concat()));
        let file = [7, self.level.unwrap_or(1), self.number.unwrap_or(5), self.size.unwrap_or(table_size)];
        file.iter().for_each(|number| put_varint64(&mut out, *number));
        let smallest = internal_key("a", 1);
        put_varint64(&mut out, self.smallest_length.unwrap_or(smallest.len() as u64));
        out.extend_from_slice(&smallest);
        put_length_prefixed(&mut out, &internal_key("c", 3));
        out
    }
}

/// All three, and the number that CURRENT names.
#[derive(Clone, Copy, Default)]
pub struct Database {
    pub table: Table,
    pub batch: Batch,
    pub edit: Edit,
    pub current: Option<&'static str>,
    /// Length of the log's only fragment.
    pub fragment_length: Option<u16>,
}

impl Database {
    pub fn env(&self) -> MemoryEnv {
        let env = MemoryEnv::new();
        let table = self.table.bytes();
        let edit = self.edit.bytes(table.len() as u64);
        env.write("000005.ldb", &table);
        env.write("000006.log", &log_file(&self.batch.bytes(), self.fragment_length));
        env.write("MANIFEST-000004", &log_file(&edit, None));
        env.write("CURRENT", self.current.unwrap_or("MANIFEST-000004\n").as_bytes());
        env
    }
}

/// One fragment with all of `record`.
fn log_file(record: &[u8], length: Option<u16>) -> Vec<u8> {
    let mut out = Vec::new();
    put_fixed32(&mut out, mask(crc32c(&[&[1][..], record].concat())));
    out.extend_from_slice(&length.unwrap_or(record.len() as u16).to_le_bytes());
    out.push(1);
    out.extend_from_slice(record);
    out
}

/// Every entry is a restart point.
fn block(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut restarts = Vec::new();
    for (key, value) in entries {
        put_fixed32(&mut restarts, out.len() as u32);
        [0, key.len(), value.len()].iter().for_each(|length| put_varint64(&mut out, *length as u64));
        out.extend_from_slice(key);
        out.extend_from_slice(value);
    }
    put_fixed32(&mut restarts, entries.len() as u32);
    [out, restarts].concat()
}

/// Returns offset and size of the block.
fn add_block(file: &mut Vec<u8>, contents: &[u8], kind: u8) -> (u64, u64) {
    let offset = file.len() as u64;
    let typed = [contents, &[kind]].concat();
    file.extend_from_slice(&typed);
    put_fixed32(file, mask(crc32c(&typed)));
    (offset, contents.len() as u64)
}

fn internal_key(user_key: &str, sequence: u64) -> Vec<u8> {
    let mut out = Vec::new();
    append_internal_key(&mut out, user_key.as_bytes(), SequenceNumber::new(sequence).unwrap(), ValueType::Value);
    out
}

fn varint(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint64(&mut out, value);
    out
}
