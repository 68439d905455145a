//! Space that is kept for when the quota is used up: the raw file `reserve`, of which only the size counts.
//!
//! Tables, manifests and new files that find no room take it, so that flushes and compactions, which give
//! space back in the end, can be done. Puts wait until it is there again ([`Env::keep_room`]).
//!
//! [`Env::keep_room`]: crate::env::Env::keep_room

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::raw::RawFile;
use super::turn::Turn;

pub(super) const RESERVE: &str = "reserve";

#[derive(Default)]
pub(super) struct Reserve {
    pub(super) file: RefCell<Option<Rc<dyn RawFile>>>,
    pub(super) size: Cell<u64>,
    /// Whether it was open since the lock was taken.
    pub(super) was_opened: Cell<bool>,
    /// Whether log and manifest have what they take once they grow.
    pub(super) is_beside_claims: Cell<bool>,
    /// Of the call that opens the file.
    pub(super) turn: Turn,
}

impl Reserve {
    pub(super) fn is_open(&self) -> bool {
        self.file.borrow().is_some()
    }

    /// Takes the raw file over.
    pub(super) fn opened(&self, file: Rc<dyn RawFile>) {
        self.was_opened.set(true);
        self.size.set(file.size().unwrap_or(0));
        self.file.replace(Some(file));
    }

    pub(super) fn close(&self) {
        self.was_opened.set(false);
        self.size.set(0);
        self.is_beside_claims.set(false);
        self.file.take();
    }

    /// Gives the space back; whether there was any. With `reserves`, the quota counts the file's
    /// largest size until it is closed.
    pub(super) fn give_up(&self, reserves: bool) -> bool {
        let Some(file) = self.file.borrow().clone().filter(|_| self.size.get() > 0) else { return false };
        self.size.set(0);
        let is_empty = file.truncate(0).is_ok();
        drop(file);
        if reserves {
            self.file.take();
        }
        is_empty
    }
}
