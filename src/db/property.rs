//! LevelDB's properties, approximate sizes and the list of tables.

use std::fmt::Write;
use std::rc::Rc;

use super::report::TableInfo;
use super::state::Inner;
use crate::base::{InternalKeyComparator, LookupKey, SequenceNumber, parse_internal_key, to_u64, user_key};
use crate::error::Result;
use crate::version::{FileMetaData, LEVELS};

/// See [`Db::property`](super::Db::property).
pub(crate) fn property(inner: &Inner, name: &str) -> Option<String> {
    let rest = name.strip_prefix("leveldb.")?;
    match rest {
        "stats" => Some(stats(inner)),
        "sstables" => Some(sstables(inner)),
        "approximate-memory-usage" => Some(memory(inner).to_string()),
        _ => {
            let digits = rest.strip_prefix("num-files-at-level")?;
            let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            let level: usize = decimal.then(|| digits.parse().ok()).flatten()?;
            (level < LEVELS).then(|| inner.state.borrow().version().level(level).len().to_string())
        }
    }
}

/// The seconds column is 0: the engine reads no clock.
fn stats(inner: &Inner) -> String {
    let mut out = String::from(
        "                               Compactions\nLevel  Files Size(MB) Time(sec) Read(MB) Write(MB)\n--------------------------------------------------\n",
    );
    let state = inner.state.borrow();
    let version = state.version();
    for (level, (read, written)) in state.level_work().iter().enumerate() {
        let files = version.level(level).len();
        if files > 0 || *read > 0 || *written > 0 {
            let (size, read, written) = (megabytes(version.level_bytes(level)), megabytes(*read), megabytes(*written));
            let _ = writeln!(out, "{level:3} {files:8} {size:8} {:9} {read:8} {written:9}", 0);
        }
    }
    out
}

fn megabytes(bytes: u64) -> u64 {
    bytes.saturating_add(1 << 19) >> 20
}

fn sstables(inner: &Inner) -> String {
    let mut out = String::new();
    let state = inner.state.borrow();
    for level in 0..LEVELS {
        let _ = writeln!(out, "--- level {level} ---");
        for file in state.version().level(level) {
            let (smallest, largest) = (debug_key(&file.smallest), debug_key(&file.largest));
            let _ = writeln!(out, " {}:{}[{smallest} .. {largest}]", file.number.0, file.size);
        }
    }
    out
}

/// `'escaped user key' @ sequence : type`.
pub(crate) fn debug_key(key: &[u8]) -> String {
    match parse_internal_key(key) {
        Ok(parsed) => {
            let user = escape(parsed.user_key);
            format!("'{user}' @ {} : {}", parsed.sequence.get(), parsed.value_type.to_byte())
        }
        Err(_) => format!("(bad){}", escape(key)),
    }
}

/// Bytes 0x20 to 0x7e as they are, others as `\xhh`.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            0x20..=0x7e => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out
}

fn memory(inner: &Inner) -> u64 {
    let caches = inner.tables.blocks().weight().saturating_add(inner.rows.borrow().bytes());
    caches.saturating_add(inner.state.borrow().memtable_bytes())
}

/// See [`Db::tables`](super::Db::tables).
pub(crate) fn tables(inner: &Inner) -> Vec<TableInfo> {
    let version = inner.state.borrow().version().clone();
    let info = |(level, file): (usize, &Rc<FileMetaData>)| TableInfo {
        level,
        number: file.number.0,
        size: file.size,
        smallest: user_key(&file.smallest).to_vec(),
        largest: user_key(&file.largest).to_vec(),
    };
    version.files().map(info).collect()
}

/// See [`Db::approximate_sizes`](super::Db::approximate_sizes).
pub(crate) async fn approximate_sizes(inner: &Inner, ranges: &[(&[u8], &[u8])]) -> Result<Vec<u64>> {
    inner.check_open()?;
    inner.order.user().check_known()?;
    let mut sizes = Vec::with_capacity(ranges.len());
    for (begin, end) in ranges {
        let start = offset_of(inner, begin).await?;
        sizes.push(offset_of(inner, end).await?.saturating_sub(start));
    }
    Ok(sizes)
}

/// See [`Db::approximate_size_in_memory`](super::Db::approximate_size_in_memory).
pub(crate) fn approximate_size_in_memory(inner: &Inner, begin: &[u8], end: &[u8]) -> Result<u64> {
    inner.check_open()?;
    inner.order.user().check_known()?;
    if inner.options.comparator.compare(begin, end).is_ge() {
        return Ok(0);
    }
    let state = inner.state.borrow();
    Ok(state.memtables().map(|memtable| to_u64(memtable.size_between(begin, end))).sum())
}

/// Bytes of tables before `key`.
async fn offset_of(inner: &Inner, key: &[u8]) -> Result<u64> {
    let lookup = LookupKey::new(key, SequenceNumber::MAX);
    let key = lookup.internal_key();
    let order: &InternalKeyComparator = &inner.order;
    let version = inner.state.borrow().version().clone();
    let mut offset = 0u64;
    for (_, file) in version.files() {
        if order.compare(&file.largest, key).is_le() {
            offset = offset.saturating_add(file.size);
        } else if order.compare(&file.smallest, key).is_lt() {
            let table = inner.tables.table(file.number, file.size).await?;
            offset = offset.saturating_add(table.approximate_offset(key));
        }
    }
    Ok(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shown_as_leveldb_shows_them() {
        assert_eq!(debug_key(b"a\x00b\x01\x05\0\0\0\0\0\0"), "'a\\x00b' @ 5 : 1");
        assert_eq!(debug_key(b"short"), "(bad)short");
    }
}
