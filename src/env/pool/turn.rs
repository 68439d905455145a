//! One call at a time opens a raw file: the second handle of a file is refused while the first is open.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Turn(Rc<State>);

#[derive(Default)]
struct State {
    is_held: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Turn {
    /// Takes the turn; `None` while another call has it.
    pub(super) fn try_take(&self) -> Option<Held> {
        (!self.0.is_held.replace(true)).then(|| Held(self.0.clone()))
    }

    /// Takes the turn when it is free.
    pub(super) fn take(&self) -> impl Future<Output = Held> {
        let turn = Turn(self.0.clone());
        poll_fn(move |cx| match turn.try_take() {
            Some(held) => Poll::Ready(held),
            None => {
                turn.0.waiting.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        })
    }
}

/// The turn, until it is dropped.
pub(super) struct Held(Rc<State>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.is_held.set(false);
        for waker in self.0.waiting.take() {
            waker.wake();
        }
    }
}
