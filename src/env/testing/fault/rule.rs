//! Rules: the calls that fail, and how.

use std::fmt;
use std::io::ErrorKind;

/// The calls of a storage that are counted and can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// [`Env::lock`](crate::env::Env::lock)
    Lock,
    /// [`Env::list`](crate::env::Env::list)
    List,
    /// [`Env::create`](crate::env::Env::create)
    Create,
    /// [`Env::open`](crate::env::Env::open)
    Open,
    /// [`Env::edit_names`](crate::env::Env::edit_names)
    EditNames,
    /// [`File::read_at`](crate::env::File::read_at)
    ReadAt,
    /// [`File::append`](crate::env::File::append)
    Append,
    /// [`File::sync`](crate::env::File::sync)
    Sync,
    /// [`File::truncate`](crate::env::File::truncate)
    Truncate,
    /// [`File::size`](crate::env::File::size)
    Size,
    /// [`Env::remove_place`](crate::env::Env::remove_place)
    RemovePlace,
}

impl Operation {
    /// Every operation, in order.
    pub const ALL: [Operation; 11] = [
        Operation::Lock,
        Operation::List,
        Operation::Create,
        Operation::Open,
        Operation::EditNames,
        Operation::ReadAt,
        Operation::Append,
        Operation::Sync,
        Operation::Truncate,
        Operation::Size,
        Operation::RemovePlace,
    ];

    /// Whether the call changes what a crash leaves.
    pub fn is_change(self) -> bool {
        use Operation::{Append, Create, EditNames, RemovePlace, Sync, Truncate};
        matches!(self, Create | EditNames | Append | Sync | Truncate | RemovePlace)
    }

    /// The name in errors and traces.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Lock => "lock",
            Operation::List => "list",
            Operation::Create => "create",
            Operation::Open => "open",
            Operation::EditNames => "edit_names",
            Operation::ReadAt => "read",
            Operation::Append => "append",
            Operation::Sync => "sync",
            Operation::Truncate => "truncate",
            Operation::Size => "size",
            Operation::RemovePlace => "remove_place",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A kind of fault. One that applies to some operations only is ignored for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Nothing is done, and the call fails.
    ///
    /// `ErrorKind::Other` stands for EIO, `StorageFull` for ENOSPC.
    Fail(ErrorKind),
    /// The call is done, but returns an error.
    FailAfter(ErrorKind),
    /// Nothing is done: another owner has taken over.
    Fenced,
    /// An append writes only the first `percent` of its bytes, then fails.
    ShortWrite {
        /// The percentage of the data that is written.
        percent: u8,
        /// The error.
        kind: ErrorKind,
    },
    /// An append writes only the first `percent` of its bytes, and reports that without an error.
    ShortCount {
        /// The percentage of the data that is written.
        percent: u8,
    },
    /// An append writes nothing and returns this count, as Firefox (32523) and Chromium
    /// (4294967288) do on a full disk.
    WrongCount(u64),
    /// An append writes only the first `percent` of its bytes, but reports all of them.
    MissingBytes {
        /// The percentage of the data that is written.
        percent: u8,
    },
    /// A sync does nothing and reports success: the next crash of the inner storage loses the data.
    LoseSync,
    /// A read returns only the first `percent` of the bytes.
    ShortRead {
        /// The percentage of the data that is returned.
        percent: u8,
    },
    /// One random sector in the result of a read is damaged; the file is not.
    BadSector {
        /// The damage.
        fault: SectorFault,
        /// Sector size in bytes; sectors begin at multiples of it.
        size: usize,
    },
    /// The first `count` edits of a group are applied and durable, then the call fails.
    ///
    /// If the next edit is a replacement, half of its `via` has been written.
    CutNames(usize),
}

/// The damage of a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectorFault {
    /// All zeros.
    Zeroed,
    /// Random bytes.
    Noise,
    /// Another sector of the same file.
    Misdirected,
    /// The bytes that the medium held there before
    /// ([`FaultEnv::set_stale`](super::FaultEnv::set_stale)); zeros after their end.
    Stale,
    /// One flipped bit.
    BitFlip,
}

impl FaultKind {
    fn fits(&self, operation: Operation) -> bool {
        match self {
            FaultKind::Fail(_) | FaultKind::FailAfter(_) | FaultKind::Fenced => true,
            FaultKind::ShortWrite { .. }
            | FaultKind::ShortCount { .. }
            | FaultKind::WrongCount(_)
            | FaultKind::MissingBytes { .. } => operation == Operation::Append,
            FaultKind::LoseSync => operation == Operation::Sync,
            FaultKind::ShortRead { .. } | FaultKind::BadSector { .. } => operation == Operation::ReadAt,
            FaultKind::CutNames(_) => operation == Operation::EditNames,
        }
    }
}

/// One planned fault: the matching call number `first` fails.
///
/// Calls are counted from 1, from when the rule was added.
///
/// ```
/// use std::io::ErrorKind;
/// use varve::env::{FaultKind, FaultRule, Operation};
///
/// // The second append to a log finds the disk full, and so do all later ones.
/// let rule = FaultRule::at(2, FaultKind::Fail(ErrorKind::StorageFull)).on(Operation::Append).named(".log").for_ever();
/// // The power goes right after the seventh call.
/// let rule = FaultRule::at(7, FaultKind::FailAfter(ErrorKind::Other)).then_stop();
/// ```
#[derive(Clone, Debug)]
pub struct FaultRule {
    first: u64,
    kind: FaultKind,
    operations: Vec<Operation>,
    name_part: String,
    whole_name: bool,
    times: u64,
    stop: bool,
    seen: u64,
}

impl FaultRule {
    /// Fails the matching call number `first`, once.
    pub fn at(first: u64, kind: FaultKind) -> FaultRule {
        FaultRule {
            first,
            kind,
            operations: Vec::new(),
            name_part: String::new(),
            whole_name: false,
            times: 1,
            stop: false,
            seen: 0,
        }
    }

    /// Only calls of this operation match; if used twice, of either operation.
    pub fn on(mut self, operation: Operation) -> FaultRule {
        self.operations.push(operation);
        self
    }

    /// Only calls that change something match ([`Operation::is_change`]).
    pub fn on_changes(mut self) -> FaultRule {
        self.operations.extend(Operation::ALL.into_iter().filter(|operation| operation.is_change()));
        self
    }

    /// Only calls for a file whose name contains `part` match; for `edit_names`, any of the names.
    pub fn named(mut self, part: impl Into<String>) -> FaultRule {
        self.name_part = part.into();
        self
    }

    /// Only calls for the file called `name` match.
    pub fn named_exactly(mut self, name: impl Into<String>) -> FaultRule {
        self.whole_name = true;
        self.named(name)
    }

    /// This many matching calls in a row fail.
    pub fn times(mut self, times: u64) -> FaultRule {
        self.times = times;
        self
    }

    /// This and every later matching call fails.
    pub fn for_ever(self) -> FaultRule {
        self.times(u64::MAX)
    }

    /// After the fault no call does anything.
    ///
    /// [`crash`](crate::env::MemoryEnv::crash) the inner storage then.
    pub fn then_stop(mut self) -> FaultRule {
        self.stop = true;
        self
    }

    /// Counts a call; returns its fault, and whether it is the last call.
    pub(super) fn meet(&mut self, operation: Operation, name: &str) -> Option<(FaultKind, bool)> {
        let wanted = self.operations.is_empty() || self.operations.contains(&operation);
        let is_named = if self.whole_name { name == self.name_part } else { name.contains(&self.name_part) };
        if !wanted || !self.kind.fits(operation) || !is_named {
            return None;
        }
        self.seen = self.seen.saturating_add(1);
        let past = self.seen.checked_sub(self.first)?;
        (past < self.times).then(|| (self.kind.clone(), self.stop))
    }
}
