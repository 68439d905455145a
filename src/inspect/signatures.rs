//! Signatures of other kinds of files, and RocksDB's footers.

use super::span::fill;
use crate::base::decode_fixed32;

/// RocksDB's block-based tables.
pub(super) const ROCKSDB: u64 = 0x88e2_41b7_85f4_cff7;
/// Bytes of RocksDB's footer.
pub(super) const ROCKSDB_FOOTER_SIZE: usize = 53;

/// The last eight bytes of tables of other formats.
pub(super) const ENDINGS: [(u64, &str); 5] = [
    (ROCKSDB, "RocksDB"),
    (0x8242_2296_63bf_9564, "RocksDB's plain table"),
    (0x4f34_18eb_7a8f_13b8, "RocksDB's plain table"),
    (0x9267_89d0_c5f1_7873, "RocksDB's cuckoo table"),
    (0xb3aa_9ff0_b3aa_9ff0, "Pebble"),
];

/// A block may begin so, too.
pub(super) const ZSTD: &str = "zstd";

/// The first bytes of other files.
pub(super) const BEGINNINGS: [(&[u8], &str); 15] = [
    (b"SQLite format 3\0", "SQLite database"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x28\xb5\x2f\xfd", ZSTD),
    (b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x89PNG", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"%PDF-", "PDF document"),
    (b"\0asm\x01\0\0\0", "WebAssembly module"),
    (b"{\n  \"report\": \"Varve inspector\"", "report of the inspector"),
    (b"<!doctype html>", "HTML page"),
];

/// Whether these are the last bytes of a zip without a comment, whatever is before its first entry.
pub(super) fn ends_as_zip(tail: &[u8]) -> bool {
    let end = tail.len().checked_sub(22).and_then(|at| tail.get(at..)).unwrap_or_default();
    end.starts_with(b"PK\x05\x06\0\0\0\0") && end.ends_with(&[0, 0])
}

/// Whether these are the first bytes of a tar: its mark is there, and its header's checksum is right.
pub(super) fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..512) else { return false };
    let digits = header.get(148..156).unwrap_or_default().trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let said = std::str::from_utf8(digits.get(..end).unwrap_or_default()).ok();
    let said = said.and_then(|digits| u32::from_str_radix(digits, 8).ok());
    // The checksum's own bytes count as blanks.
    let sum = header.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) });
    header.get(257..262) == Some(b"ustar") && said == Some(sum.sum())
}

/// The name of the checksums of RocksDB's tables.
pub(super) fn checksum_name(kind: u8) -> &'static str {
    match kind {
        0 => "none",
        1 => "CRC-32C",
        2 => "xxHash",
        3 => "xxHash64",
        4 => "XXH3",
        _ => "unknown",
    }
}

/// The format version in the last bytes of a RocksDB table.
pub(super) fn format_version(tail: &[u8]) -> Option<u32> {
    tail.len().checked_sub(12).and_then(|at| decode_fixed32(tail.get(at..)?))
}

/// The name of a table's format, with what its footer tells.
pub(super) fn table_format(magic: u64, tail: &[u8]) -> String {
    let name = ENDINGS.iter().find(|(known, _)| *known == magic).map_or("unknown", |(_, name)| *name);
    let footer = tail.len().checked_sub(ROCKSDB_FOOTER_SIZE).and_then(|at| tail.get(at..));
    let mut format = if name == "RocksDB" || name == "Pebble" { [name, " table"].concat() } else { name.to_owned() };
    if let (ROCKSDB, Some(footer), Some(version)) = (magic, footer, format_version(tail)) {
        format.push_str(&fill(", format version {}, checksums ", &[u64::from(version)]));
        format.push_str(checksum_name(footer.first().copied().unwrap_or(u8::MAX)));
    }
    format
}
