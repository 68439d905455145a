//! Which calls fail, and how.

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

    /// As errors and traces call it.
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

/// What goes wrong. A fault that makes sense for some operations only is applied to those only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Nothing is done, and the call fails. `ErrorKind::Other` stands for EIO, `StorageFull` for ENOSPC.
    Fail(ErrorKind),
    /// The call is done, but says that it failed.
    FailAfter(ErrorKind),
    /// Nothing is done: another owner has taken over.
    Fenced,
    /// An append takes only the first `percent` of its bytes, then fails.
    ShortWrite {
        /// So much of the data is in the file afterwards.
        percent: u8,
        /// How it fails.
        kind: ErrorKind,
    },
    /// An append takes only the first `percent` of its bytes, and says so without failing.
    ShortCount {
        /// So much of the data is in the file afterwards.
        percent: u8,
    },
    /// An append takes nothing and answers this count, as Firefox (32523) and Chromium (4294967288) do on a full disk.
    WrongCount(u64),
    /// An append takes only the first `percent` of its bytes, but answers that it took all.
    MissingBytes {
        /// So much of the data is in the file afterwards.
        percent: u8,
    },
    /// A sync does nothing and says that all is durable: the next crash of the storage below drops the data.
    LoseSync,
    /// A read answers only the first `percent` of what is there.
    ShortRead {
        /// So much of the data is answered.
        percent: u8,
    },
    /// One sector of what a read answers, drawn, is wrong; the file is not.
    BadSector {
        /// What is wrong with it.
        fault: SectorFault,
        /// Bytes in a sector; the borders are at multiples of it.
        size: usize,
    },
    /// The first so many edits of a group are done and durable, then the call fails. A replacement that comes next has written
    /// half of its `via`.
    CutNames(usize),
}

/// How a sector is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectorFault {
    /// It is all zeros.
    Zeroed,
    /// It is anything.
    Noise,
    /// It is another sector of the same file.
    Misdirected,
    /// It is what the medium held there before ([`FaultEnv::set_stale`](super::FaultEnv::set_stale)); zeros behind its end.
    Stale,
    /// One bit is not what it was.
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

/// One planned fault: the matching call number `first` (from 1, counted from when the rule was added) goes wrong.
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
    /// At the matching call number `first`, once.
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

    /// Only calls of this operation match; said twice, either of the two.
    pub fn on(mut self, operation: Operation) -> FaultRule {
        self.operations.push(operation);
        self
    }

    /// Only calls that change something match ([`Operation::is_change`]).
    pub fn on_changes(mut self) -> FaultRule {
        self.operations.extend(Operation::ALL.into_iter().filter(|operation| operation.is_change()));
        self
    }

    /// Only calls about a file whose name contains `part` match; for `edit_names`, any of the names.
    pub fn named(mut self, part: impl Into<String>) -> FaultRule {
        self.name_part = part.into();
        self
    }

    /// Only calls about the file called `name` match.
    pub fn named_exactly(mut self, name: impl Into<String>) -> FaultRule {
        self.whole_name = true;
        self.named(name)
    }

    /// So many matching calls in a row go wrong.
    pub fn times(mut self, times: u64) -> FaultRule {
        self.times = times;
        self
    }

    /// This and every later matching call goes wrong.
    pub fn for_ever(self) -> FaultRule {
        self.times(u64::MAX)
    }

    /// After the fault no call does anything any more: the moment to [`crash`](crate::env::MemoryEnv::crash) the storage below.
    pub fn then_stop(mut self) -> FaultRule {
        self.stop = true;
        self
    }

    /// Counts a call; what goes wrong with it, and whether it is the last.
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
