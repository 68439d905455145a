//! The entries of a block, read on after damage.

use std::cmp::Ordering;

use super::block::KEY_TESTED_MAX;
use super::rule::Rule;
use super::span::{Range, Severity, Span, fill};
use crate::base::to_u64;
use crate::error::Malformed;
use crate::table::{Block, Entry, Origin};

/// Findings about the entries of one block; damage could produce as many as there are bytes.
const FINDINGS_MAX: usize = 20;

/// An iterator over the entries of a block that continues after damage.
pub(super) struct Entries {
    block: Block,
    /// Offset of the block in the file, and whether offsets in the block are offsets in the file.
    origin: Origin,
    at: usize,
    key: Vec<u8>,
    rule: Rule,
    /// The end of the previous key, from the point where the two may differ; in any order but
    /// bytewise, all of it.
    tail: Vec<u8>,
    tail_at: usize,
    restart: usize,
    first: bool,
    findings: usize,
}

/// One entry.
pub(super) struct Found {
    pub(super) at: usize,
    pub(super) entry: Entry,
    pub(super) is_restart: bool,
    /// How it compares with the previous one, if there is one and both are internal keys.
    pub(super) order: Option<Order>,
}

/// The order of an entry and the previous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    After,
    /// In an order that is known.
    UserKeyBefore,
    /// The same user key, and not an older entry.
    TagNotOlder(Ordering),
}

impl Entries {
    /// `None`: nothing could be decoded; `span` has the reason.
    pub(super) fn new(contents: Vec<u8>, offset: u64, raw: bool, span: &mut Span) -> Option<Entries> {
        let origin = Origin { offset, size: 0, raw, verified: true };
        let block = match Block::new(contents, origin, true) {
            Ok(block) => block,
            Err(malformed) => {
                tell(span, origin, "T20", 4, &malformed);
                return None;
            }
        };
        if let Err(malformed) = block.check_restarts() {
            tell(span, origin, "T20", 4, &malformed);
        }
        span.number("restarts", to_u64(block.restart_count()));
        let (key, tail) = (Vec::new(), Vec::new());
        let rule = Rule::default();
        Some(Entries { block, origin, at: 0, key, rule, tail, tail_at: 0, restart: 0, first: true, findings: 0 })
    }

    /// Compares keys by this rule, not bytewise.
    pub(super) fn with_rule(mut self, rule: &Rule) -> Entries {
        self.rule = rule.clone();
        self
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn into_contents(self) -> Vec<u8> {
        self.block.into_bytes()
    }

    pub(super) fn block(&self) -> &Block {
        &self.block
    }

    pub(super) fn value(&self, entry: Entry) -> &[u8] {
        self.block.bytes().get(entry.value_start..entry.end).unwrap_or_default()
    }

    /// The next entry that can be decoded. Damage before it is added to `span`.
    pub(super) fn next(&mut self, span: &mut Span) -> Option<Found> {
        while self.at < self.block.entries_end() {
            let at = self.at;
            let is_restart = self.pass_restarts(at, span);
            match self.block.entry(at).filter(|entry| entry.shared <= self.key.len()) {
                Some(entry) if !(is_restart && entry.shared > 0) => {
                    let order = self.step(entry);
                    return Some(Found { at, entry, is_restart, order });
                }
                _ => self.skip(at, is_restart, span),
            }
        }
        self.pass_restarts(self.block.entries_end(), span);
        None
    }

    /// Reports restart points before `at` where no entry begins; returns whether one is at `at`.
    fn pass_restarts(&mut self, at: usize, span: &mut Span) -> bool {
        while self.restart < self.block.restart_count() {
            let point = self.block.restart(self.restart);
            if point > at {
                return false;
            }
            self.restart += 1;
            if point == at {
                return true;
            }
            let reason =
                fill("restart point {} is {}, but no entry begins there", &[to_u64(self.restart - 1), to_u64(point)]);
            self.tell(span, "T20", 1, &Malformed::new(to_u64(point), reason));
        }
        false
    }

    fn step(&mut self, entry: Entry) -> Option<Order> {
        let unshared = self.block.bytes().get(entry.key_start..entry.value_start).unwrap_or_default();
        let (before, after) = (self.key.len(), entry.shared.saturating_add(unshared.len()));
        let comparable = !self.first && before >= 8 && after >= 8;
        // The shared part is equal; a tag may lie in it, and is compared separately.
        let is_whole = !self.rule.is_bytewise() && before.max(after) <= KEY_TESTED_MAX;
        let shared = entry.shared.min(before.saturating_sub(8)).min(after.saturating_sub(8));
        let same = if is_whole { 0 } else { shared };
        self.tail.clear();
        self.tail.extend_from_slice(self.key.get(same..).unwrap_or_default());
        self.tail_at = same;
        self.key.truncate(entry.shared);
        self.key.extend_from_slice(unshared);
        self.at = entry.end;
        self.first = false;
        comparable.then(|| self.order(is_whole))
    }

    /// `is_whole`: `tail` is the whole previous key.
    fn order(&self, is_whole: bool) -> Order {
        let (Some((user_before, tag_before)), Some((user, tag))) = (
            self.tail.split_last_chunk::<8>(),
            self.key.get(self.tail_at..).unwrap_or_default().split_last_chunk::<8>(),
        ) else {
            return Order::After;
        };
        let order = match (user_before.cmp(user), self.rule.order()) {
            (Ordering::Equal, _) => Ordering::Equal,
            (bytewise, Some(order)) if order.user().is_bytewise() => bytewise,
            (_, Some(order)) if is_whole => order.user().compare(user_before, user),
            _ => Ordering::Less,
        };
        match order {
            Ordering::Less => Order::After,
            Ordering::Greater => Order::UserKeyBefore,
            Ordering::Equal => match u64::from_le_bytes(*tag).cmp(&u64::from_le_bytes(*tag_before)) {
                Ordering::Less => Order::After,
                other => Order::TagNotOlder(other),
            },
        }
    }

    /// Skips from an entry that cannot be decoded to the next restart point.
    fn skip(&mut self, at: usize, is_restart: bool, span: &mut Span) {
        let why = self.block.explain(at, self.key.len(), is_restart);
        let restarts = self.restart..self.block.restart_count();
        let next = restarts.map(|index| self.block.restart(index)).find(|point| *point > at);
        let end = self.block.entries_end();
        let skipped = next.unwrap_or(end).min(end).saturating_sub(at);
        self.tell(span, "T21", skipped, &why);
        self.at = next.unwrap_or(usize::MAX);
        self.key.clear();
        self.first = true;
    }

    /// A finding about `length` bytes of the block.
    pub(super) fn tell(&mut self, span: &mut Span, code: &'static str, length: usize, what: &Malformed) {
        self.findings += 1;
        if self.findings <= FINDINGS_MAX {
            tell(span, self.origin, code, length, what);
        }
    }
}

/// A finding about `length` bytes inside a block; about the whole block if it is compressed.
pub(super) fn tell(span: &mut Span, origin: Origin, code: &'static str, length: usize, what: &Malformed) {
    if origin.raw {
        let left = span.length.saturating_sub(what.offset);
        let at: Range = (origin.offset.saturating_add(what.offset), to_u64(length).min(left));
        span.find(Severity::Bad, code, at, what.reason.clone());
    } else {
        let place = fill(" (at byte {} of the decompressed block)", &[what.offset]);
        span.find(Severity::Bad, code, (origin.offset, span.length), [&*what.reason, &*place].concat());
    }
}
