//! Iterates over the entries of one block, forwards and backwards.

use std::cmp::Ordering;
use std::rc::Rc;

use super::reader::Block;
use crate::base::{KeyOrder, TAG_SIZE, UserComparator, common_length, decode_fixed64};
use crate::error::Malformed;

/// Longer keys are not kept for backward moves.
const RUN_KEY_MAX: usize = 4 << 10;
/// The limit of all bytes kept: keys and offsets.
const RUN_SIZE_MAX: usize = 512 << 10;

/// An iterator over the entries of one block in memory.
///
/// Invariants:
/// 1. `valid`: an entry begins at `current`, its value is `value_start..next`, its key is in `key`.
/// 2. Not valid: `key` and the range `value_start..next` are empty.
pub(crate) struct BlockIterator {
    block: Rc<Block>,
    valid: bool,
    current: usize,
    value_start: usize,
    next: usize,
    key: Vec<u8>,
    run: Run,
    error: Option<Box<Malformed>>,
}

/// Entries from a restart point to the current one: decoded forwards once, returned backwards.
#[derive(Default)]
struct Run {
    entries: Vec<RunEntry>,
    keys: Vec<u8>,
}

struct RunEntry {
    offset: usize,
    key_start: usize,
    value_start: usize,
    next: usize,
}

impl BlockIterator {
    /// An iterator over `block`, not positioned.
    pub(crate) fn new(block: Rc<Block>) -> BlockIterator {
        BlockIterator::with_buffer(block, Vec::new())
    }

    /// The same, with a key buffer to reuse.
    pub(crate) fn with_buffer(block: Rc<Block>, mut key: Vec<u8>) -> BlockIterator {
        key.clear();
        let run = Run::default();
        BlockIterator { block, valid: false, current: 0, value_start: 0, next: 0, key, run, error: None }
    }

    /// The buffer for keys.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.key
    }

    /// Switches to `block`, not positioned, and returns the previous block.
    pub(crate) fn set(&mut self, block: Rc<Block>) -> Rc<Block> {
        self.invalidate();
        self.run.clear();
        self.error = None;
        std::mem::replace(&mut self.block, block)
    }

    /// Makes the iterator not valid.
    #[inline]
    pub(crate) fn invalidate(&mut self) {
        self.valid = false;
        self.value_start = 0;
        self.next = 0;
        self.key.clear();
    }

    /// The block.
    pub(crate) fn block(&self) -> &Rc<Block> {
        &self.block
    }

    #[inline]
    pub(crate) fn valid(&self) -> bool {
        self.valid
    }

    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    #[inline]
    pub(crate) fn value(&self) -> &[u8] {
        self.block.bytes.get(self.value_start..self.next).unwrap_or_default()
    }

    /// Offset of its value.
    pub(crate) fn value_offset(&self) -> usize {
        self.value_start
    }

    /// Clears the error of a bad entry.
    pub(crate) fn clear_error(&mut self) {
        self.error = None;
    }

    /// The first bad entry found in this block.
    #[inline]
    pub(crate) fn error(&self) -> Option<&Malformed> {
        self.error.as_deref()
    }

    pub(crate) fn seek_to_first(&mut self) {
        if self.block.restart_count > 0 {
            self.go_to_restart(0);
            self.next();
        } else {
            self.invalidate();
        }
    }

    pub(crate) fn seek_to_last(&mut self) {
        match self.block.restart_count.checked_sub(1) {
            Some(last) => self.scan(last, self.block.entries_end),
            None => self.invalidate(),
        }
    }

    /// Moves to the first entry at or after `target`.
    #[inline]
    pub(crate) fn seek(&mut self, order: &KeyOrder, target: &[u8]) {
        match order {
            KeyOrder::Internal(internal) if matches!(internal.user(), UserComparator::Bytewise) => {
                let compare = |key: &[u8]| internal.compare(key, target);
                let Some(restart) = self.restart_for(compare) else { return };
                if !(self.block.origin.verified && self.scan_for(restart, target)) {
                    self.scan_by(restart, compare);
                }
            }
            _ => {
                let compare = |key: &[u8]| order.compare(key, target);
                if let Some(restart) = self.restart_for(compare) {
                    self.scan_by(restart, compare);
                }
            }
        }
    }

    /// Moves to the last restart point whose key `compare` calls less, or to the first one.
    ///
    /// Without restart points, or at a bad one, the iterator is not valid.
    #[inline]
    fn restart_for(&mut self, compare: impl Fn(&[u8]) -> Ordering) -> Option<usize> {
        let Some(mut right) = self.block.restart_count.checked_sub(1) else {
            self.invalidate();
            return None;
        };
        let mut left = 0;
        while left < right {
            let middle = left + (right - left).div_ceil(2);
            match self.block.restart_key(middle) {
                Some(key) if compare(key) == Ordering::Less => left = middle,
                Some(_) => right = middle - 1,
                None => {
                    self.fail(self.block.restart(middle), true);
                    return None;
                }
            }
        }
        Some(left)
    }

    /// Moves from `restart` to the first entry whose key `compare` does not call less.
    #[inline]
    fn scan_by(&mut self, restart: usize, compare: impl Fn(&[u8]) -> Ordering) {
        self.go_to_restart(restart);
        while self.advance() && compare(&self.key) == Ordering::Less {}
    }

    /// The same for internal keys in bytewise order, without assembling keys on the way.
    ///
    /// The last key passed, P, is less than the target. It shares `same` bytes with the target,
    /// then both user keys continue with different bytes. A key K that follows P
    ///
    /// - and shares more with P differs from the target at the same byte, and is less;
    /// - and shares less with P continues with a larger byte than P, whose byte was the target's,
    ///   and is greater;
    /// - and shares just as much is compared from there on.
    ///
    /// Returns false if this does not apply (a user key that is a prefix of the target's, an older
    /// entry of the same key, a bad entry): nothing has been moved then.
    #[inline]
    fn scan_for(&mut self, restart: usize, target: &[u8]) -> bool {
        let Some((user_target, tag)) = target.split_last_chunk::<TAG_SIZE>() else { return false };
        let (block, mut at) = (&*self.block, self.block.restart(restart));
        let (mut same, mut previous) = (0, 0);
        let entry = loop {
            if at >= block.entries_end {
                self.invalidate();
                return true;
            }
            let Some(entry) = block.entry(at) else { return false };
            let unshared = entry.value_start - entry.key_start;
            if entry.shared > previous || unshared < TAG_SIZE {
                return false;
            }
            previous = entry.shared + unshared;
            if entry.shared < same {
                break entry;
            }
            if entry.shared == same {
                let user_end = entry.value_start - TAG_SIZE;
                let user = block.bytes.get(entry.key_start..user_end).unwrap_or_default();
                let rest = user_target.get(same..).unwrap_or_default();
                let common = common_length(user, rest);
                match (user.get(common), rest.get(common)) {
                    (Some(byte), Some(wanted)) if byte < wanted => same += common,
                    (Some(_), _) => break entry,
                    (None, Some(_)) => return false,
                    (None, None) => {
                        let stored = block.bytes.get(user_end..).and_then(decode_fixed64);
                        if stored.is_some_and(|stored| stored <= u64::from_le_bytes(*tag)) {
                            break entry;
                        }
                        return false;
                    }
                }
            }
            at = entry.end;
        };
        self.key.clear();
        self.key.extend_from_slice(target.get(..entry.shared).unwrap_or_default());
        self.key.extend_from_slice(block.bytes.get(entry.key_start..entry.value_start).unwrap_or_default());
        (self.current, self.value_start, self.next, self.valid) = (at, entry.value_start, entry.end, true);
        true
    }

    /// Moves to the entry at restart point `index`.
    pub(in crate::table) fn seek_to_restart(&mut self, index: usize) {
        self.go_to_restart(index);
        self.advance();
    }

    /// Moves to the next entry; the iterator must be valid.
    #[inline]
    pub(crate) fn next(&mut self) {
        self.advance();
    }

    /// Moves to the previous entry; the iterator must be valid.
    #[inline]
    pub(crate) fn prev(&mut self) {
        match self.run.entries.last() {
            Some(entry) if self.valid && entry.next == self.current => {
                self.key.clear();
                self.key.extend_from_slice(self.run.keys.get(entry.key_start..).unwrap_or_default());
                (self.current, self.value_start, self.next) = (entry.offset, entry.value_start, entry.next);
                self.run.keys.truncate(entry.key_start);
                self.run.entries.pop();
            }
            _ => self.prev_run(),
        }
    }

    fn prev_run(&mut self) {
        match self.block.restart_before(self.current) {
            Some(restart) if self.valid => self.scan(restart, self.current),
            _ => self.invalidate(),
        }
    }

    /// Moves from restart point `restart` to the last entry that begins before `end`.
    ///
    /// It stops there even if that entry does not end before `end`.
    fn scan(&mut self, restart: usize, end: usize) {
        self.run.clear();
        self.go_to_restart(restart);
        while self.advance() && self.next < end {
            self.run.push(self.current, self.value_start, self.next, &self.key);
        }
    }

    #[inline]
    fn go_to_restart(&mut self, index: usize) {
        self.next = self.block.restart(index);
        self.key.clear();
    }

    /// Decodes the entry at `next`, whose key continues `key`.
    ///
    /// False at the end of the block and at a bad entry.
    #[inline(always)]
    fn advance(&mut self) -> bool {
        let at = self.next;
        if at >= self.block.entries_end {
            self.invalidate();
            return false;
        }
        let Some(entry) = self.block.entry(at) else {
            self.fail(at, false);
            return false;
        };
        let unshared = self.block.bytes.get(entry.key_start..entry.value_start);
        let (Some(unshared), true) = (unshared, entry.shared <= self.key.len()) else {
            self.fail(at, false);
            return false;
        };
        self.key.truncate(entry.shared);
        self.key.extend_from_slice(unshared);
        (self.current, self.value_start, self.next, self.valid) = (at, entry.value_start, entry.end, true);
        true
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self, at: usize, at_restart: bool) {
        let error = self.block.explain(at, self.key.len(), at_restart);
        self.error.get_or_insert_with(|| Box::new(error));
        self.invalidate();
    }
}

impl Run {
    fn clear(&mut self) {
        self.entries.clear();
        self.keys.clear();
    }

    fn push(&mut self, offset: usize, value_start: usize, next: usize, key: &[u8]) {
        let size = self.keys.len().saturating_add(self.entries.len().saturating_mul(size_of::<RunEntry>()));
        if key.len() > RUN_KEY_MAX || size > RUN_SIZE_MAX {
            self.clear();
        }
        if key.len() <= RUN_KEY_MAX {
            self.entries.push(RunEntry { offset, key_start: self.keys.len(), value_start, next });
            self.keys.extend_from_slice(key);
        }
    }
}
