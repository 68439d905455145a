//! One open database: its fixed parts and the state.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{State, View};
use crate::base::{Driver, FileNumber, InternalKeyComparator, SequenceNumber, SnapshotList, to_u64};
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

/// Largest memtables and tables where the storage was full: with log or index they stay below 1 MiB,
/// the least that a file which grows claims of a quota in Chromium.
const TIGHT_SIZE: usize = 7 << 17;

/// A smaller database, with its memtable, needs no room kept.
const SMALL: u64 = 512 << 10;
/// What a file takes in Chromium at least, while it grows.
const CLAIM_MIN: u64 = 1 << 20;
/// What a step of a compaction takes, unless the tables are smaller.
const STEP_MIN: u64 = 3 << 20;
const STEP_MAX: u64 = 8 << 20;

/// Makes memtables and tables a sixteenth smaller where a file that grows beyond a power of two
/// claims the next one.
fn below_powers_of_two(env: &dyn Env, mut options: Options) -> Options {
    if env.claims_powers_of_two() {
        options.write_buffer_size -= options.write_buffer_size / 16;
        options.max_file_size -= options.max_file_size / 16;
    }
    options
}

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
    /// Whether the job under way began in small steps.
    pub(crate) job_is_tight: Cell<bool>,
    /// Whether a put found no room (`write/room.rs`), and none was found since.
    pub(crate) found_no_room: Cell<bool>,
    /// Whether a put was refused for that since opening.
    pub(crate) refused_for_room: Cell<bool>,
    /// Whether the memtable was flushed for room, so that everything is compacted next.
    pub(crate) flushed_for_room: Cell<bool>,
    /// The last sequence number and the bytes of tables when everything was compacted for room.
    pub(crate) compacted_at: Cell<(u64, u64)>,
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
        let options = below_powers_of_two(&**env, options);
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
            job_is_tight: Cell::new(false),
            found_no_room: Cell::new(false),
            refused_for_room: Cell::new(false),
            flushed_for_room: Cell::new(false),
            compacted_at: Cell::default(),
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

    /// Returns the size at which a memtable is full, in bytes.
    #[inline]
    pub(crate) fn buffer_size(&self) -> usize {
        let size = self.options.write_buffer_size;
        if self.state.borrow().is_tight() { size.min(TIGHT_SIZE) } else { size }
    }

    /// Returns the size of new tables, in bytes.
    pub(crate) fn file_size(&self) -> u64 {
        let size = self.options.max_file_size;
        if self.state.borrow().is_tight() { size.min(to_u64(TIGHT_SIZE)) } else { size }
    }

    /// Returns how many bytes the storage must keep for a full quota once the memtable has `bytes` more:
    /// for its table and a new log, or for a step of a compaction, which grows with the database. Powers
    /// of two, as Chromium counts.
    pub(crate) fn room_wanted(&self, bytes: usize) -> u64 {
        let state = self.state.borrow();
        let buffered = to_u64(state.active().logical_size().saturating_add(bytes));
        let tables = state.version().table_bytes();
        if buffered.saturating_add(tables) < SMALL {
            return 0;
        }
        // A table has an index; a small one is flushed while it fits the least claim.
        let table = buffered.saturating_add(if buffered < CLAIM_MIN { buffered / 7 } else { buffered / 16 });
        let claim = |bytes: u64| if self.env.claims_powers_of_two() { bytes.next_power_of_two() } else { bytes };
        let flush = claim(claim(table.max(CLAIM_MIN)).saturating_add(CLAIM_MIN));
        let step = (tables / 4).clamp(tables.min(STEP_MIN), STEP_MAX);
        let step = if self.env.claims_powers_of_two() { 1 << step.max(1).ilog2() } else { step };
        flush.max(step)
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
