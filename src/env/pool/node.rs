//! One file of the model: what it holds, and what a power failure leaves of it.

use std::cell::RefCell;

use crate::env::testing::Seeded;

/// Disks write whole sectors.
const SECTOR: usize = 512;

#[derive(Default)]
pub(super) struct Node {
    pub(super) bytes: RefCell<Vec<u8>>,
    pub(super) synced: RefCell<Vec<u8>>,
    /// Since the last flush.
    pub(super) unsynced: RefCell<Vec<Op>>,
}

#[derive(Clone)]
pub(super) enum Op {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Node {
    pub(super) fn synced(bytes: Vec<u8>) -> Node {
        Node { bytes: RefCell::new(bytes.clone()), synced: RefCell::new(bytes), unsynced: RefCell::default() }
    }

    pub(super) fn after_crash(&self, percent: u8, rng: &mut Seeded) -> Vec<u8> {
        let mut bytes = self.synced.borrow().clone();
        for op in self.unsynced.borrow().iter() {
            match op {
                Op::Truncate(size) if rng.chance(percent) => bytes.resize(*size, 0),
                Op::Truncate(_) => {}
                Op::Write(offset, data) => {
                    // Sectors reach the disk in any order.
                    for (at, sector) in data.chunks(SECTOR).enumerate() {
                        if rng.chance(percent) {
                            put(&mut bytes, offset.saturating_add(at.saturating_mul(SECTOR)), sector);
                        }
                    }
                }
            }
        }
        bytes
    }
}

pub(super) fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset.saturating_add(data.len());
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(target) = bytes.get_mut(offset..end) {
        target.copy_from_slice(data);
    }
}
