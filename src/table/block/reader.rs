//! The decoded contents of a block, with the layout of its entries and restart points.

use crate::base::{Input, decode_fixed32, to_u64};
use crate::error::{Error, Malformed};

/// The origin of a block's contents.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin {
    /// The block's offset in its file.
    pub(crate) offset: u64,
    /// Its stored size, without the trailer.
    pub(crate) size: u64,
    /// Not compressed: offsets in the block can be reported as offsets in the file.
    pub(crate) raw: bool,
    /// Its checksum was verified.
    pub(crate) verified: bool,
}

/// The decoded contents of one block.
///
/// Invariant: `entries_end + 4 * (restart_count + 1)` is the length of `bytes`.
#[derive(Debug)]
pub(crate) struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) entries_end: usize,
    pub(super) restart_count: usize,
    pub(super) origin: Origin,
}

impl Block {
    /// Wraps contents. `lenient` checks only what LevelDB does: that the restart array fits.
    pub(crate) fn new(bytes: Vec<u8>, origin: Origin, lenient: bool) -> Result<Block, Malformed> {
        let Some((rest, count)) = bytes.split_last_chunk::<4>() else {
            return Err(Malformed::new(0, format!("bad block contents: {} bytes, expected at least 4", bytes.len())));
        };
        let restart_count = usize::try_from(u32::from_le_bytes(*count)).unwrap_or(usize::MAX);
        let entries_end = restart_count.checked_mul(4).and_then(|size| rest.len().checked_sub(size));
        let Some(entries_end) = entries_end else {
            let reason = format!("bad block contents: {restart_count} restart points, {} bytes before", rest.len());
            return Err(Malformed::new(to_u64(rest.len()), reason));
        };
        let block = Block { bytes, entries_end, restart_count, origin };
        if !lenient {
            block.check_restarts()?;
        }
        Ok(block)
    }

    /// Checks that restart points begin at 0 and increase, each before the end of the entries.
    ///
    /// An empty block has one, at 0.
    pub(crate) fn check_restarts(&self) -> Result<(), Malformed> {
        if self.restart_count == 0 && self.entries_end > 0 {
            let reason = format!("bad block contents: {} bytes of entries, no restart point", self.entries_end);
            return Err(Malformed::new(0, reason));
        }
        let mut low = 0;
        for index in 0..self.restart_count {
            let at = self.restart(index);
            let high = if index == 0 { 1 } else { self.entries_end };
            if at < low || at >= high {
                let reason = format!("bad block contents: restart point {index} is {at}, expected {low} to {high}");
                return Err(Malformed::new(to_u64(self.entries_end + 4 * index), reason));
            }
            low = at + 1;
        }
        Ok(())
    }

    /// The size of its contents in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Its contents.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The end of the entries, where the restart points begin.
    pub(crate) fn entries_end(&self) -> usize {
        self.entries_end
    }

    /// The number of restart points.
    pub(crate) fn restart_count(&self) -> usize {
        self.restart_count
    }

    /// The origin of its contents.
    #[inline]
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// The contents, for reuse as a buffer.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// An error inside this block of `file`.
    #[cold]
    pub(crate) fn error(&self, file: &str, malformed: &Malformed) -> Error {
        if self.origin.raw {
            return malformed.clone().in_file(file, self.origin.offset);
        }
        let reason = format!("{} (at byte {} of the decompressed block)", malformed.reason, malformed.offset);
        Error::corruption(file, self.origin.offset, reason)
    }

    /// Restart point `index`, unchecked; past the entries if there is none.
    #[inline]
    pub(crate) fn restart(&self, index: usize) -> usize {
        let start = index.saturating_mul(4).saturating_add(self.entries_end);
        let stored = if index < self.restart_count { self.bytes.get(start..).and_then(decode_fixed32) } else { None };
        stored.and_then(|at| usize::try_from(at).ok()).unwrap_or(usize::MAX)
    }

    /// Decodes the entry at `at`, if one can begin there.
    #[inline]
    pub(crate) fn entry(&self, at: usize) -> Option<Entry> {
        let rest = self.bytes.get(at..self.entries_end)?;
        if let [shared, unshared, value, ..] = rest
            && (shared | unshared | value) < 0x80
        {
            let key_start = at + 3;
            let value_start = key_start + usize::from(*unshared);
            let end = value_start + usize::from(*value);
            return (end <= self.entries_end).then_some(Entry {
                shared: usize::from(*shared),
                key_start,
                value_start,
                end,
            });
        }
        self.long_entry(at, rest)
    }

    fn long_entry(&self, at: usize, rest: &[u8]) -> Option<Entry> {
        if rest.len() < 3 {
            return None;
        }
        let mut input = Input::new(rest);
        let shared = usize::try_from(input.varint32("shared").ok()?).ok()?;
        let unshared = usize::try_from(input.varint32("unshared").ok()?).ok()?;
        let value = usize::try_from(input.varint32("value length").ok()?).ok()?;
        let key_start = at + input.offset();
        let value_start = key_start.checked_add(unshared)?;
        let end = value_start.checked_add(value)?;
        (end <= self.entries_end).then_some(Entry { shared, key_start, value_start, end })
    }

    /// The key at restart point `index`; `None` if no complete key is there.
    #[inline]
    pub(in crate::table) fn restart_key(&self, index: usize) -> Option<&[u8]> {
        let entry = self.entry(self.restart(index))?;
        if entry.shared != 0 {
            return None;
        }
        self.bytes.get(entry.key_start..entry.value_start)
    }

    /// The value of `entry`.
    pub(in crate::table) fn value(&self, entry: Entry) -> &[u8] {
        self.bytes.get(entry.value_start..entry.end).unwrap_or_default()
    }

    /// Whether its entries end at `at`, and it has this many restart points.
    pub(in crate::table) fn ends(&self, at: usize, restarts: usize) -> bool {
        at == self.entries_end && restarts == self.restart_count
    }

    /// The last restart point with an offset below `end`.
    pub(super) fn restart_before(&self, end: usize) -> Option<usize> {
        let (mut low, mut high) = (0, self.restart_count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.restart(middle) < end { low = middle + 1 } else { high = middle }
        }
        low.checked_sub(1)
    }

    /// The reason why no entry at `at` can follow a key of `previous` bytes.
    #[cold]
    pub(crate) fn explain(&self, at: usize, previous: usize, at_restart: bool) -> Malformed {
        let reason = |what: String| Malformed::new(to_u64(at), format!("bad entry in block: {what}"));
        let Some(rest) = self.bytes.get(at..self.entries_end) else {
            return reason(format!("restart point at {at}, entries end at {}", self.entries_end));
        };
        let mut input = Input::new(rest);
        let mut field = |what| input.varint32(what).map(u64::from);
        let lengths = field("shared").and_then(|s| Ok((s, field("unshared")?, field("value length")?)));
        match lengths {
            _ if rest.len() < 3 => reason(format!("{} bytes left, an entry has at least 3", rest.len())),
            Err(error) => reason(error.reason),
            Ok((shared, ..)) if at_restart && shared != 0 => {
                reason(format!("{shared} bytes shared at a restart point, expected 0"))
            }
            Ok((_, unshared, value)) if unshared + value > to_u64(input.remaining()) => {
                reason(format!("{unshared} bytes of key and {value} of value, {} left", input.remaining()))
            }
            Ok((shared, ..)) => reason(format!("{shared} bytes shared with a key of {previous}")),
        }
    }
}

/// The layout of one entry in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Bytes shared with the previous key.
    pub(crate) shared: usize,
    /// Offset of the unshared bytes of the key.
    pub(crate) key_start: usize,
    /// Offset of the value.
    pub(crate) value_start: usize,
    /// Offset of the next entry.
    pub(crate) end: usize,
}
