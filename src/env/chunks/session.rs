//! The database while its lock is held: a queue of calls, and one transaction at a time.
//!
//! ```text
//! call -> queue -> plan -> transaction -> state after it -> result of the call
//!                              | the connection is lost
//!                              v
//!                        in doubt: connect again, and see by the head whether it is complete
//! ```
//! Calls that come during a transaction share the next one. What they read (names, sizes) is the state
//! after the last complete transaction.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::cache::Cache;
use super::content::{Content, chunks_of, read_chunks, read_content, slice};
use super::database::{ChunkDatabase, Written, connect, is_lost, reconnect};
use super::directory::{Directory, Stored};
use super::layout::Head;
use super::plan::{Plan, Planner, any_removes};
use super::request::Request;
use crate::base::{Driver, Sorted};
use crate::error::{Error, Result};

/// A call whose connection is lost each time is given up after so many attempts.
pub(super) const ATTEMPTS_MAX: u32 = 4;

pub(super) struct Session {
    pub(super) database: Rc<dyn ChunkDatabase>,
    pub(super) state: RefCell<State>,
    pub(super) queue: RefCell<VecDeque<Rc<Request>>>,
    pub(super) driver: Driver<Rc<Session>>,
    pub(super) is_open: Cell<bool>,
    /// Why nothing is possible any more: another owner, a database that is gone.
    pub(super) end: RefCell<Option<Error>>,
    /// The number of open files by their numbers.
    pub(super) open_files: RefCell<Sorted<u64, usize>>,
    pub(super) cache: RefCell<Cache>,
    /// Whether the quota or disk was full.
    pub(super) was_full: Cell<bool>,
}

/// What is known of the database.
pub(super) struct State {
    pub(super) head: Head,
    pub(super) directory: Directory,
    /// Whether a transaction is not flushed.
    pub(super) is_dirty: bool,
    /// The transaction that is under way.
    pub(super) running: Option<Rc<Plan>>,
    /// The transaction that may be complete, although its connection was lost.
    pub(super) doubt: Option<Rc<Plan>>,
}

/// A file that is open, or being read.
pub(super) struct Held {
    pub(super) session: Rc<Session>,
    pub(super) file: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.session.released(self.file);
    }
}

impl Session {
    /// Takes the database over from its last owner; returns the epoch too.
    pub(super) async fn begin(database: Rc<dyn ChunkDatabase>, create: bool) -> Result<(Rc<Session>, u64)> {
        let head = create.then(|| Head::new(database.unique()).encode());
        let mut loaded = match connect(&*database, head.as_deref()).await {
            Err(error) if is_lost(&error) => reconnect(&*database, head.as_deref()).await?,
            loaded => loaded?,
        };
        for _ in 0..ATTEMPTS_MAX {
            let (head, directory) = Directory::of(loaded)?;
            let plan = Planner::new(head, directory, &|_| false, &[]).own();
            loaded = match database.write(&plan.commit).await {
                Ok(Written::Done) => {
                    let epoch = plan.head.epoch;
                    return Ok((Rc::new(Session::new(database, plan)), epoch));
                }
                // A transaction of the last owner was under way.
                Ok(Written::Refused(_)) => reconnect(&*database, None).await.map_err(gone)?,
                Err(error) if is_lost(&error) => reconnect(&*database, None).await.map_err(gone)?,
                Err(error) => return Err(error),
            };
        }
        Err(Error::Locked("another owner goes on writing to the database".to_owned()))
    }

    fn new(database: Rc<dyn ChunkDatabase>, plan: Plan) -> Session {
        // What the last owner wrote may not be flushed.
        let state = State { head: plan.head, directory: plan.directory, is_dirty: true, running: None, doubt: None };
        Session {
            database,
            state: RefCell::new(state),
            queue: RefCell::default(),
            driver: Driver::new(Session::next_work),
            is_open: Cell::new(true),
            end: RefCell::default(),
            open_files: RefCell::default(),
            cache: RefCell::default(),
            was_full: Cell::new(false),
        }
    }

    /// Ends it; calls that wait fail.
    pub(super) fn close(&self) {
        self.is_open.set(false);
        self.driver.cancel();
        self.queue.take();
        self.database.disconnect();
    }

    /// An error if no call is possible any more.
    pub(super) fn check(&self) -> Result<()> {
        if !self.is_open.get() {
            return Err(Error::Closed);
        }
        self.end.borrow().clone().map_or(Ok(()), Err)
    }

    pub(super) fn was_full(&self) -> bool {
        self.was_full.get()
    }

    /// Looks at the files.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Directory) -> Result<T>) -> Result<T> {
        self.check()?;
        look(&self.state.borrow().directory)
    }

    pub(super) fn stored(&self, file: u64) -> Result<Rc<Stored>> {
        self.with(|directory| directory.file(file).cloned().ok_or(Error::Closed))
    }

    /// Whether the file is being removed, with its content.
    pub(super) fn is_going(&self, file: u64) -> bool {
        let state = self.state.borrow();
        any_removes(state.running.iter().chain(&state.doubt), file)
    }

    // ---- Open files ----

    /// Keeps the content of a file until the result is dropped, also if its name is removed.
    pub(super) fn hold(self: &Rc<Session>, file: u64) -> Rc<Held> {
        let mut open = self.open_files.borrow_mut();
        let count = open.get(&file).copied().unwrap_or(0);
        open.insert(file, count.saturating_add(1));
        Rc::new(Held { session: self.clone(), file })
    }

    fn released(&self, file: u64) {
        let mut open = self.open_files.borrow_mut();
        match open.get(&file).copied() {
            Some(count) if count > 1 => drop(open.insert(file, count.saturating_sub(1))),
            _ => {
                open.remove(&file);
                self.state.borrow_mut().directory.forget_tail(file);
            }
        }
    }

    // ---- Reading ----

    /// Reads bytes that a file has; again, if the connection is lost.
    pub(super) async fn read(&self, content: &Content, offset: u64, length: usize) -> Result<Vec<u8>> {
        for _ in 1..ATTEMPTS_MAX {
            let done = read_and_remember(self, content, offset, length).await;
            if !matches!(&done, Err(error) if is_lost(error)) {
                return done;
            }
            self.check()?;
            self.reconnect().await?;
        }
        read_and_remember(self, content, offset, length).await
    }

    /// What is in memory of a range: the end of a file that is appended to, and chunks that were read.
    pub(super) fn read_here(&self, file: u64, offset: u64, length: usize) -> Option<Vec<u8>> {
        let (first, end) = chunks_of(offset, length);
        let stored = self.stored(file).ok()?;
        if first == stored.last_chunk() {
            return slice(stored.tail.as_ref()?, offset, length);
        }
        let mut cache = self.cache.borrow_mut();
        let chunks = (first..end).map(|chunk| cache.get(file, chunk)).collect::<Option<Vec<_>>>()?;
        slice(&chunks.concat(), offset, length)
    }
}

/// Reads of more chunks than these are not remembered.
const REMEMBERED_MAX: u64 = 16;

async fn read_and_remember(session: &Session, content: &Content, offset: u64, length: usize) -> Result<Vec<u8>> {
    let (first, end) = chunks_of(offset, length);
    if end.saturating_sub(first) > REMEMBERED_MAX {
        return read_content(&*session.database, content, offset, length).await;
    }
    let round = session.cache.borrow().round();
    let bytes = read_chunks(&*session.database, content, first, end).await?;
    session.cache.borrow_mut().add(round, content.file, first, &bytes);
    Ok(slice(&bytes, offset, length).unwrap_or_default())
}

/// The error of a database that is not there any more.
pub(super) fn gone(error: Error) -> Error {
    if !error.is_not_found() {
        return error;
    }
    Error::Evicted("the browser deleted the database while it was open".to_owned())
}
