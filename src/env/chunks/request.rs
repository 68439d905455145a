//! A call that waits for its transaction.

use std::cell::RefCell;

use super::plan::Op;
use crate::error::Result;

/// A call in the queue.
pub(super) struct Request {
    pub(super) op: Op,
    pub(super) result: RefCell<Option<Result<u64>>>,
}

impl Request {
    pub(super) fn new(op: Op) -> Request {
        Request { op, result: RefCell::default() }
    }

    pub(super) fn finish(&self, result: Result<u64>) {
        self.result.replace(Some(result));
    }
}
