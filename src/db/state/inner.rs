//! One open database: its fixed parts and the state.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{State, View};
use crate::base::{Driver, FileNumber, InternalKeyComparator, SequenceNumber, SnapshotList};
use crate::budget::Budget;
use crate::db::feed::Feed;
use crate::db::read::RowCache;
use crate::db::report::RecoveryReport;
use crate::db::write::Queue;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::events::{Event, LiveCounters};
use crate::options::Options;
use crate::table::TableCache;

/// One open database.
pub(crate) struct Inner {
    // Set at opening.
    pub(crate) env: Rc<dyn Env>,
    pub(crate) options: Options,
    pub(crate) order: InternalKeyComparator,
    pub(crate) recovery: RecoveryReport,
    // Each has its own invariants.
    pub(crate) tables: Rc<TableCache>,
    pub(crate) rows: RefCell<RowCache>,
    pub(crate) counters: Rc<LiveCounters>,
    pub(crate) snapshots: Rc<SnapshotList>,
    pub(crate) feed: Rc<Feed>,
    pub(crate) state: RefCell<State>,
    pub(crate) queue: RefCell<Queue>,
    /// Commits groups of writers.
    pub(crate) commits: Driver<Rc<Inner>>,
    /// Runs flushes and compactions.
    pub(crate) background: Driver<Rc<Inner>>,
    pub(crate) budget: Budget,
    // Changed by writers only (`write/pacing.rs`).
    /// Bytes of background work that writes owe.
    pub(crate) debt: Cell<u64>,
    /// Whether level 0 is so full that each writer does more work.
    pub(crate) slowed: Cell<bool>,
    /// A stalled commit worked for long: the host gets a pause after the write.
    pub(crate) owes_turn: Cell<bool>,
    /// The current write must finish in this call: it neither pauses nor waits.
    pub(crate) must_end: Cell<bool>,
    // Changed by `shut` only.
    closed: Rc<Cell<bool>>,
    locked: Cell<bool>,
}

impl Inner {
    /// Makes a database from its recovered state. Unless read-only, it holds the lock until
    /// [`shut`](Inner::shut).
    pub(crate) fn new(
        env: &Rc<dyn Env>,
        options: Options,
        (tables, counters): (Rc<TableCache>, Rc<LiveCounters>),
        order: InternalKeyComparator,
        state: State,
        (commits, background): (Driver<Rc<Inner>>, Driver<Rc<Inner>>),
    ) -> Inner {
        Inner {
            env: env.clone(),
            locked: Cell::new(!options.read_only),
            rows: RefCell::new(RowCache::beside(options.block_cache_size)),
            options,
            order,
            recovery: RecoveryReport::default(),
            tables,
            counters,
            snapshots: Rc::new(SnapshotList::default()),
            feed: Rc::new(Feed::default()),
            state: RefCell::new(state),
            queue: RefCell::default(),
            commits,
            background,
            budget: Budget::default(),
            debt: Cell::new(0),
            slowed: Cell::new(false),
            owes_turn: Cell::new(false),
            must_end: Cell::new(false),
            closed: Rc::new(Cell::new(false)),
        }
    }

    /// Emits an event.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if let Some(listener) = &self.options.listener
            && listener.listens()
        {
            listener.event(&event());
        }
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Returns the state shared with iterators, which may outlive the database.
    pub(crate) fn closed(&self) -> Rc<Cell<bool>> {
        self.closed.clone()
    }

    /// Refuses calls on a closed database.
    #[inline]
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::Closed) } else { Ok(()) }
    }

    /// Returns whether a write may be tried. On a full disk, deletes may.
    pub(crate) fn check_writes(&self, only_deletes: bool) -> Result<()> {
        self.check_open()?;
        self.state.borrow().check_writes(only_deletes)
    }

    /// Returns all that a read needs of the current state.
    pub(crate) fn view(&self) -> View {
        self.state.borrow().view()
    }

    /// Returns the oldest sequence number that a reader can still use.
    pub(crate) fn oldest_snapshot(&self) -> SequenceNumber {
        self.snapshots.oldest(self.state.borrow().last_sequence())
    }

    /// Reserves the number of a table to be written.
    pub(crate) fn new_output(&self) -> Result<FileNumber> {
        self.state.borrow_mut().new_output()
    }

    /// Refuses writes until `resume`.
    pub(crate) fn degrade(&self, cause: &Error) {
        self.state.borrow_mut().degrade(cause);
        self.emit(|| Event::BackgroundError { message: cause.to_string() });
    }

    /// Closes the database: nothing is written or removed afterwards.
    pub(crate) fn shut(&self) {
        if self.closed.replace(true) {
            return;
        }
        self.commits.cancel();
        self.background.cancel();
        if let Ok(mut state) = self.state.try_borrow_mut() {
            state.close();
        }
        if self.locked.replace(false) {
            self.env.unlock();
        }
        self.feed.wake();
    }
}
