//! Decodes files and encodes them again, so that false contents can have valid checksums.

use varve::base::{crc32c, mask, put_fixed32, put_length_prefixed, put_varint32, put_varint64};

/// The records of a file of complete records.
pub fn records(file: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut record = Vec::new();
    for block in file.chunks(32 << 10) {
        let mut at = 0;
        while block.len() - at >= 7 {
            let length = usize::from(u16::from_le_bytes([block[at + 4], block[at + 5]]));
            record.extend_from_slice(&block[at + 7..at + 7 + length]);
            if matches!(block[at + 6], 1 | 4) {
                found.push(std::mem::take(&mut record));
            }
            at += 7 + length;
        }
    }
    found
}

pub fn varint(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint64(&mut out, value);
    out
}

pub fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_length_prefixed(&mut out, bytes);
    out
}

/// A user key with its tag.
pub fn internal(key: &[u8], sequence: u64, kind: u8) -> Vec<u8> {
    [key, &(sequence << 8 | u64::from(kind)).to_le_bytes()].concat()
}

/// A decoded table.
pub struct Parts {
    /// Index key and decompressed contents of each data block.
    pub data: Vec<(Vec<u8>, Vec<u8>)>,
    /// The same of the metaindex.
    pub meta: Vec<(Vec<u8>, Vec<u8>)>,
}

fn read_varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    unreachable!()
}

fn handle(mut bytes: &[u8]) -> (usize, usize) {
    (read_varint(&mut bytes) as usize, read_varint(&mut bytes) as usize)
}

fn contents(table: &[u8], (offset, size): (usize, usize)) -> Vec<u8> {
    let stored = &table[offset..offset + size];
    match table[offset + size] {
        0 => stored.to_vec(),
        1 => snap::raw::Decoder::new().decompress_vec(stored).unwrap(),
        other => panic!("type {other}"),
    }
}

/// The entries of a block.
pub fn entries(block: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let count = u32::from_le_bytes(*block.last_chunk().unwrap()) as usize;
    let mut rest = &block[..block.len() - 4 - 4 * count];
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    while !rest.is_empty() {
        let lengths = [(); 3].map(|()| read_varint(&mut rest) as usize);
        let [shared, unshared, value] = lengths;
        let mut key = found.last().map_or(Vec::new(), |(k, _)| k[..shared].to_vec());
        key.extend_from_slice(&rest[..unshared]);
        found.push((key, rest[unshared..unshared + value].to_vec()));
        rest = &rest[unshared + value..];
    }
    found
}

/// A block of entries, each a restart point.
pub fn block(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut restarts = Vec::new();
    for (key, value) in entries {
        put_fixed32(&mut restarts, out.len() as u32);
        put_varint32(&mut out, 0);
        put_varint32(&mut out, key.len() as u32);
        put_varint32(&mut out, value.len() as u32);
        out.extend_from_slice(key);
        out.extend_from_slice(value);
    }
    let count = entries.len().max(1) as u32;
    restarts.resize(4 * count as usize, 0);
    out.extend(restarts);
    put_fixed32(&mut out, count);
    out
}

/// Appends stored bytes with type and checksum; returns their handle.
pub fn seal(out: &mut Vec<u8>, stored: &[u8], kind: u8) -> Vec<u8> {
    let handle = [varint(out.len() as u64), varint(stored.len() as u64)].concat();
    let start = out.len();
    out.extend_from_slice(stored);
    out.push(kind);
    let sum = mask(crc32c(&out[start..]));
    put_fixed32(out, sum);
    handle
}

/// The last 48 bytes: the footer.
pub fn footer(metaindex: &[u8], index: &[u8]) -> Vec<u8> {
    let mut out = [metaindex, index].concat();
    out.resize(40, 0);
    out.extend_from_slice(&0xdb47_7524_8b80_fb57u64.to_le_bytes());
    out
}

pub fn parts(table: &[u8]) -> Parts {
    let mut foot = &table[table.len() - 48..];
    let handles = [(); 4].map(|()| read_varint(&mut foot) as usize);
    let [meta_at, meta_size, index_at, index_size] = handles;
    let take = |at| {
        let found = entries(&contents(table, at));
        found.into_iter().map(|(key, value)| (key, contents(table, handle(&value)))).collect()
    };
    let filter = |at| {
        let found = entries(&contents(table, at));
        let raw = |value: &[u8]| {
            let (offset, size) = handle(value);
            table[offset..offset + size].to_vec()
        };
        found.into_iter().map(|(key, value)| (key, raw(&value))).collect()
    };
    Parts { data: take((index_at, index_size)), meta: filter((meta_at, meta_size)) }
}

/// Corrects the checksum of the first data block of an uncompressed table.
pub fn reseal_first_block(table: &mut [u8]) {
    let mut foot = &table[table.len() - 48..];
    let handles = [(); 4].map(|()| read_varint(&mut foot) as usize);
    let index = entries(&contents(table, (handles[2], handles[3])));
    let (offset, size) = handle(&index[0].1);
    let sum = mask(crc32c(&table[offset..=offset + size])).to_le_bytes();
    table[offset + size + 1..offset + size + 5].copy_from_slice(&sum);
}
