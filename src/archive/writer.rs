//! Writes a zip: produces the headers; the caller writes the contents.

use super::{CENTRAL, END, ENTRY, LATER16, LATER32, STORED, ZIP64, ZIP64_END, ZIP64_LOCATOR};
use crate::base::{put_fixed32, put_fixed64, to_u64};

/// 1 January 1980, the earliest date in a zip: the engine reads no clock.
const DATE: u16 = 1 << 5 | 1;
/// The version a reader needs: for stored content, or for sizes of 64 bits.
const VERSION: u16 = 10;
const VERSION_ZIP64: u16 = 45;
/// Made on Unix, so that the mode below is used.
const MADE_BY: u16 = 3 << 8 | VERSION_ZIP64;
/// A regular file, accessible to its owner only.
const MODE: u32 = 0o100_600 << 16;

struct Entry {
    name: String,
    crc: u32,
    size: u64,
    offset: u64,
}

/// A zip being written.
#[derive(Default)]
pub(crate) struct ZipWriter {
    entries: Vec<Entry>,
    /// Bytes written so far.
    offset: u64,
}

impl ZipWriter {
    /// The header of a file, to be followed by exactly `size` bytes with that checksum.
    pub(crate) fn begin(&mut self, name: &str, crc: u32, size: u64) -> Vec<u8> {
        let entry = Entry { name: name.to_owned(), crc, size, offset: self.offset };
        let mut extra = Vec::new();
        if large(size) {
            put_zip64(&mut extra, &[size, size]);
        }
        let mut out = Vec::new();
        put_fixed32(&mut out, ENTRY);
        put_common(&mut out, &entry, version(&entry));
        put_u16(&mut out, extra.len());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&extra);
        self.offset = self.offset.saturating_add(to_u64(out.len())).saturating_add(size);
        self.entries.push(entry);
        out
    }

    /// The end of the archive.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut out = Vec::new();
        for entry in &self.entries {
            put_central(&mut out, entry);
        }
        let (count, bytes, offset) = (to_u64(self.entries.len()), to_u64(out.len()), self.offset);
        if count >= u64::from(LATER16) || large(bytes) || large(offset) {
            let end = offset.saturating_add(bytes);
            put_fixed32(&mut out, ZIP64_END);
            put_fixed64(&mut out, 44);
            out.extend([MADE_BY, VERSION_ZIP64].map(u16::to_le_bytes).as_flattened());
            put_fixed64(&mut out, 0);
            for field in [count, count, bytes, offset] {
                put_fixed64(&mut out, field);
            }
            put_fixed32(&mut out, ZIP64_LOCATOR);
            put_fixed32(&mut out, 0);
            put_fixed64(&mut out, end);
            put_fixed32(&mut out, 1);
        }
        put_fixed32(&mut out, END);
        put_fixed32(&mut out, 0);
        let count = u16::try_from(count).unwrap_or(LATER16);
        out.extend([count, count].map(u16::to_le_bytes).as_flattened());
        put_fixed32(&mut out, or_later(bytes));
        put_fixed32(&mut out, or_later(offset));
        put_u16(&mut out, 0);
        out
    }
}

/// The fields of both headers of an entry, up to the length of its name.
fn put_common(out: &mut Vec<u8>, entry: &Entry, version: u16) {
    out.extend([version, 0, STORED, 0, DATE].map(u16::to_le_bytes).as_flattened());
    put_fixed32(out, entry.crc);
    put_fixed32(out, or_later(entry.size));
    put_fixed32(out, or_later(entry.size));
    put_u16(out, entry.name.len());
}

fn put_central(out: &mut Vec<u8>, entry: &Entry) {
    let sizes: &[u64] = if large(entry.size) { &[entry.size, entry.size] } else { &[] };
    let offset: &[u64] = if large(entry.offset) { &[entry.offset] } else { &[] };
    let mut extra = Vec::new();
    if large(entry.size) || large(entry.offset) {
        put_zip64(&mut extra, &[sizes, offset].concat());
    }
    put_fixed32(out, CENTRAL);
    out.extend_from_slice(&MADE_BY.to_le_bytes());
    put_common(out, entry, version(entry));
    put_u16(out, extra.len());
    out.extend_from_slice(&[0; 6]);
    put_fixed32(out, MODE);
    put_fixed32(out, or_later(entry.offset));
    out.extend_from_slice(entry.name.as_bytes());
    out.extend_from_slice(&extra);
}

fn put_zip64(extra: &mut Vec<u8>, fields: &[u64]) {
    extra.extend_from_slice(&ZIP64.to_le_bytes());
    put_u16(extra, fields.len() * 8);
    for field in fields {
        put_fixed64(extra, *field);
    }
}

/// Lengths of names and extra fields: about twenty bytes.
fn put_u16(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(&u16::try_from(value).unwrap_or(LATER16).to_le_bytes());
}

fn version(entry: &Entry) -> u16 {
    if large(entry.size) || large(entry.offset) { VERSION_ZIP64 } else { VERSION }
}

/// Whether a number needs the 64-bit field.
fn large(number: u64) -> bool {
    number >= u64::from(LATER32)
}

fn or_later(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(LATER32)
}
