//! The live snapshots, and the oldest of them.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::Sorted;
use super::sequence::SequenceNumber;

/// A state of the database that stays readable while this, or a clone of it, is alive.
#[derive(Clone)]
pub struct Snapshot(Rc<Held>);

struct Held {
    sequence: SequenceNumber,
    list: Rc<SnapshotList>,
}

impl Snapshot {
    /// Sequence number of the last write that it sees.
    pub fn sequence(&self) -> SequenceNumber {
        self.0.sequence
    }

    /// Whether it belongs to the database that owns `list`.
    pub(crate) fn is_of(&self, list: &Rc<SnapshotList>) -> bool {
        Rc::ptr_eq(&self.0.list, list)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({})", self.0.sequence.get())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut counts = self.list.counts.borrow_mut();
        match counts.get(&self.sequence).copied() {
            Some(count @ 2..) => drop(counts.insert(self.sequence, count - 1)),
            _ => drop(counts.remove(&self.sequence)),
        }
    }
}

/// The number of snapshots per sequence number.
#[derive(Default)]
pub(crate) struct SnapshotList {
    counts: RefCell<Sorted<SequenceNumber, usize>>,
}

impl SnapshotList {
    pub(crate) fn take(self: &Rc<Self>, sequence: SequenceNumber) -> Snapshot {
        let mut counts = self.counts.borrow_mut();
        let others = counts.get(&sequence).copied().unwrap_or(0);
        counts.insert(sequence, others + 1);
        Snapshot(Rc::new(Held { sequence, list: self.clone() }))
    }

    /// Whether there is no snapshot.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.borrow().is_empty()
    }

    /// The sequence number of the oldest snapshot; `last` if there is none.
    pub(crate) fn oldest(&self, last: SequenceNumber) -> SequenceNumber {
        self.counts.borrow().keys().next().copied().unwrap_or(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_snapshot_is_the_oldest_still_held() {
        let list = Rc::new(SnapshotList::default());
        let at = |n| SequenceNumber::new(n).unwrap();
        assert_eq!(list.oldest(at(9)), at(9));
        let (five, three) = (list.take(at(5)), list.take(at(3)));
        let again = three.clone();
        drop(three);
        assert_eq!(list.oldest(at(9)), at(3));
        drop(again);
        assert_eq!(list.oldest(at(9)), at(5));
        drop(five);
        assert_eq!(list.oldest(at(9)), at(9));
    }
}
