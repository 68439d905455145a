//! A trace of the calls of a storage, in order.

use std::fmt;

use super::rule::Operation;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The operation.
    pub operation: Operation,
    /// The file; for `edit_names` all edits: `a>b` renames, `-a` removes, `=a` replaces.
    pub name: String,
    /// The offset of a read, the size of a truncate, or the size hint of a new file.
    pub offset: u64,
    /// Bytes requested or given.
    pub length: u64,
    /// CRC-32C of the bytes appended.
    pub checksum: u32,
    /// `ok` or the [code](crate::Error::code) of the error; empty until it is known.
    pub outcome: &'static str,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.name)?;
        match self.operation {
            Operation::ReadAt => write!(f, " {}+{}", self.offset, self.length)?,
            Operation::Append => write!(f, " {} ({:08x})", self.length, self.checksum)?,
            Operation::Truncate => write!(f, " to {}", self.offset)?,
            _ => {}
        }
        write!(f, ": {}", if self.outcome.is_empty() { "not finished" } else { self.outcome })
    }
}

/// The calls so far, and a hash of them that is updated even if they are not kept.
pub(super) struct Trace {
    pub(super) calls: Vec<Call>,
    pub(super) recording: bool,
    pub(super) hash: u64,
    pub(super) counts: [u64; Operation::ALL.len()],
}

impl Default for Trace {
    fn default() -> Trace {
        Trace { calls: Vec::new(), recording: true, hash: 0xcbf2_9ce4_8422_2325, counts: [0; Operation::ALL.len()] }
    }
}

impl Trace {
    /// Records a call; returns its index.
    pub(super) fn begin(&mut self, call: Call) -> usize {
        if let Some((count, _)) = self.counts.iter_mut().zip(Operation::ALL).find(|(_, op)| *op == call.operation) {
            *count = count.saturating_add(1);
        }
        self.mix(call.operation.name().as_bytes());
        self.mix(call.name.as_bytes());
        self.mix(&call.offset.to_le_bytes());
        self.mix(&call.length.to_le_bytes());
        self.mix(&call.checksum.to_le_bytes());
        if self.recording {
            self.calls.push(call);
            return self.calls.len().saturating_sub(1);
        }
        usize::MAX
    }

    pub(super) fn end(&mut self, at: usize, outcome: &'static str) {
        self.mix(outcome.as_bytes());
        if let Some(call) = self.calls.get_mut(at) {
            call.outcome = outcome;
        }
    }

    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
