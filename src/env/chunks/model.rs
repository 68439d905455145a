//! A model of IndexedDB for tests: aborts, lost connections, quotas, power failures.
//!
//! A transaction is applied as a whole at the first poll of its call, and answered some polls later. A
//! power failure takes away some of the relaxed transactions since the last strict one: the last ones.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::rc::Rc;
use std::task::Poll;

use super::database::{Change, ChunkDatabase, Commit, Loaded, Row, Written, lost};
use super::stores::{Stores, row};
use crate::base::to_u64;
use crate::env::testing::Seeded;
use crate::env::{Durability, Io};
use crate::error::{Error, Result};

/// What happens at one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkFault {
    /// The process ends before the call.
    Stop,
    /// The process ends after the call.
    StopAfter,
    /// The call fails, without effect.
    Fail(ErrorKind),
    /// The connection is lost before the call has an effect, and so many attempts to connect fail.
    Lose(u32),
    /// The connection is lost after the call had its effect, and so many attempts to connect fail.
    LoseAfter(u32),
}

/// A database in memory, with one connection to it. A clone is another user of the same database.
pub struct ChunkModel {
    inner: Rc<Inner>,
    user: Rc<User>,
}

struct User {
    inner: Rc<Inner>,
    holds: Cell<bool>,
    is_connected: Cell<bool>,
    /// Whether this user has a transaction that writes; a second one would wait for it.
    is_writing: Cell<bool>,
}

impl User {
    fn end_connection(&self) {
        if self.is_connected.replace(false) {
            self.inner.connections.set(self.inner.connections.get().saturating_sub(1));
        }
    }

    fn release(&self) {
        if self.holds.replace(false) {
            self.inner.is_locked.set(false);
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.end_connection();
        self.release();
    }
}

struct Inner {
    stores: RefCell<Option<Stores>>,
    /// The stores after the last strict transaction.
    durable: RefCell<Option<Stores>>,
    /// The transactions since then.
    relaxed: RefCell<Vec<Commit>>,
    is_locked: Cell<bool>,
    connections: Cell<usize>,
    /// Bytes that all rows may have.
    capacity: Cell<u64>,
    calls: Cell<u64>,
    latency: Cell<u64>,
    fault: Cell<Option<(u64, ChunkFault)>>,
    outage: Cell<u32>,
    is_stopped: Cell<bool>,
    counts: Cell<ChunkCounts>,
    rng: RefCell<Seeded>,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkCounts {
    /// Complete transactions that were flushed.
    pub strict: u64,
    /// Complete transactions that were not.
    pub relaxed: u64,
    /// Bytes of content that they wrote.
    pub written: u64,
    /// Connections that were lost.
    pub lost: u64,
}

impl Clone for ChunkModel {
    fn clone(&self) -> ChunkModel {
        ChunkModel::user(self.inner.clone())
    }
}

impl ChunkModel {
    /// No database.
    pub fn new(seed: u64) -> ChunkModel {
        ChunkModel::of(None, seed)
    }

    fn of(stores: Option<Stores>, seed: u64) -> ChunkModel {
        ChunkModel::user(Rc::new(Inner {
            durable: RefCell::new(stores.clone()),
            stores: RefCell::new(stores),
            relaxed: RefCell::default(),
            is_locked: Cell::new(false),
            connections: Cell::new(0),
            capacity: Cell::new(u64::MAX),
            calls: Cell::new(0),
            latency: Cell::new(0),
            fault: Cell::new(None),
            outage: Cell::new(0),
            is_stopped: Cell::new(false),
            counts: Cell::default(),
            rng: RefCell::new(Seeded::new(seed)),
        }))
    }

    fn user(inner: Rc<Inner>) -> ChunkModel {
        let (holds, is_connected, is_writing) = (Cell::new(false), Cell::new(false), Cell::new(false));
        ChunkModel { user: Rc::new(User { inner: inner.clone(), holds, is_connected, is_writing }), inner }
    }

    /// Bytes that all rows may have.
    pub fn set_capacity(&self, capacity: u64) {
        self.inner.capacity.set(capacity);
    }

    /// Calls are answered after so many polls, or a few more.
    pub fn set_latency(&self, polls: u64) {
        self.inner.latency.set(polls);
    }

    /// The calls so far.
    pub fn calls(&self) -> u64 {
        self.inner.calls.get()
    }

    /// What was done so far.
    pub fn counts(&self) -> ChunkCounts {
        self.inner.counts.get()
    }

    /// Plans a fault at the call with this number, counted from 1.
    pub fn set_fault(&self, call: u64, fault: ChunkFault) {
        self.inner.fault.set(Some((call, fault)));
    }

    /// Whether the planned end of the process has come.
    pub fn is_stopped(&self) -> bool {
        self.inner.is_stopped.get()
    }

    /// Takes the lock from its holder, as a browser does that lets another page steal it.
    pub fn steal_lock(&self) {
        self.inner.is_locked.set(false);
    }

    /// The database vanishes, as when a browser evicts it.
    pub fn evict(&self) {
        self.inner.stores.take();
        self.inner.durable.take();
        self.inner.relaxed.take();
        self.inner.outage.set(0);
    }

    /// Its rows vanish, but not its stores.
    pub fn empty(&self) {
        let empty = Some(Stores::default());
        self.inner.stores.replace(empty.clone());
        self.inner.durable.replace(empty);
        self.inner.relaxed.take();
    }

    /// The number of rows: head, files, content.
    pub fn rows(&self) -> [usize; 3] {
        let stores = self.inner.stores.borrow();
        let of = |stores: &Stores| [usize::from(stores.head.is_some()), stores.files.len(), stores.chunks.len()];
        stores.as_ref().map_or([0; 3], of)
    }

    /// Changes one row, counted through head, files and content; `None` removes it.
    pub fn change_row(&self, at: usize, change: impl FnOnce(Row) -> Option<Row>) {
        let mut stores = self.inner.stores.borrow_mut();
        let Some(stores) = stores.as_mut() else { return };
        let change = |row: Rc<Row>| change(Row::clone(&row)).map(Rc::new);
        if at == 0 {
            stores.head = stores.head.take().and_then(change);
            return;
        }
        let at = at.saturating_sub(1);
        let count = stores.files.len();
        if let Some(key) = stores.files.keys().nth(at).copied() {
            let changed = stores.files.remove(&key).and_then(change);
            stores.files.extend(changed.map(|row| (key, row)));
        } else if let Some(key) = stores.chunks.keys().nth(at.saturating_sub(count)).copied() {
            let changed = stores.chunks.remove(&key).and_then(change);
            stores.chunks.extend(changed.map(|row| (key, row)));
        }
    }

    /// What the end of the process leaves: every complete transaction.
    pub fn kill(&self) -> ChunkModel {
        let after = ChunkModel::of(self.inner.stores.borrow().clone(), self.inner.rng.borrow_mut().next());
        after.inner.durable.replace(self.inner.durable.borrow().clone());
        after.inner.relaxed.replace(self.inner.relaxed.borrow().clone());
        after.inner.capacity.set(self.inner.capacity.get());
        after
    }

    /// What a power failure now may leave: the relaxed transactions but for the last ones. This one
    /// continues.
    pub fn crash(&self, seed: u64, percent: u8) -> ChunkModel {
        let relaxed = self.inner.relaxed.borrow();
        let mut rng = Seeded::new(seed);
        let kept = relaxed.iter().take_while(|_| rng.chance(percent)).count();
        let mut stores = self.inner.durable.borrow().clone();
        for commit in relaxed.iter().take(kept) {
            stores.get_or_insert_default().apply(commit);
        }
        ChunkModel::of(stores, seed)
    }

    fn count(&self, add: impl FnOnce(&mut ChunkCounts)) {
        let mut counts = self.inner.counts.get();
        add(&mut counts);
        self.inner.counts.set(counts);
    }

    /// A call: fails as planned, or does `act` at its first poll; answers some polls later.
    fn call<T: 'static>(&self, operation: &'static str, act: impl FnOnce(&ChunkModel) -> Result<T> + 'static) -> Io<T> {
        let this = self.same();
        let waits = this.inner.latency.get().saturating_add(this.inner.rng.borrow_mut().next() % 3);
        Io::pending(async move {
            let answer = this.act(operation, act);
            wait(waits).await;
            // The connection may have been ended meanwhile, although the call had its effect.
            if operation != "connect" && answer.is_ok() && !this.user.is_connected.get() {
                return Err(lost(operation, "the connection was ended"));
            }
            answer
        })
    }

    /// This user, not another one.
    fn same(&self) -> ChunkModel {
        ChunkModel { inner: self.inner.clone(), user: self.user.clone() }
    }

    fn act<T>(&self, operation: &'static str, act: impl FnOnce(&ChunkModel) -> Result<T>) -> Result<T> {
        let inner = &self.inner;
        let stopped = || Error::io("the database", operation, ErrorKind::Other, "the process has ended");
        if inner.is_stopped.get() {
            return Err(stopped());
        }
        if operation != "connect" && !self.user.is_connected.get() {
            return Err(lost(operation, "there is no connection"));
        }
        inner.calls.set(inner.calls.get().saturating_add(1));
        let fault = inner.fault.get().filter(|(call, _)| *call == inner.calls.get()).map(|(_, fault)| fault);
        match fault {
            None => act(self),
            Some(ChunkFault::Stop) => {
                inner.is_stopped.set(true);
                Err(stopped())
            }
            Some(ChunkFault::StopAfter) => {
                let _ = act(self);
                inner.is_stopped.set(true);
                Err(stopped())
            }
            Some(ChunkFault::Fail(kind)) => Err(Error::io("the database", operation, kind, "planned")),
            Some(ChunkFault::Lose(outage)) => Err(self.lose(operation, outage)),
            Some(ChunkFault::LoseAfter(outage)) => {
                let done = act(self);
                done.and(Err(self.lose(operation, outage)))
            }
        }
    }

    fn lose(&self, operation: &'static str, outage: u32) -> Error {
        self.count(|counts| counts.lost = counts.lost.saturating_add(1));
        self.inner.outage.set(outage);
        self.user.end_connection();
        lost(operation, "planned")
    }

    fn connect_now(&self, head: Option<Vec<u8>>) -> Result<()> {
        if self.user.is_connected.get() {
            return Ok(());
        }
        let outage = self.inner.outage.get();
        if outage > 0 {
            self.inner.outage.set(outage.saturating_sub(1));
            return Err(lost("connect", "an outage"));
        }
        let mut stores = self.inner.stores.borrow_mut();
        if stores.is_none() {
            let Some(head) = head else {
                return Err(Error::io("the database", "open", ErrorKind::NotFound, "there is no database here"));
            };
            let new = Some(Stores { head: Some(row(&head)), ..Stores::default() });
            // The transaction that creates a database is flushed.
            self.inner.durable.replace(new.clone());
            *stores = new;
        }
        self.user.is_connected.set(true);
        self.inner.connections.set(self.inner.connections.get().saturating_add(1));
        Ok(())
    }

    fn write_now(&self, commit: &Commit) -> Result<Written> {
        let mut stores = self.inner.stores.borrow_mut();
        let Some(stores) = stores.as_mut() else { return Err(lost("write", "the database is gone")) };
        let head = stores.head.as_deref();
        if !matches!(head, Some(Row::Bytes(head)) if *head == commit.expected) {
            return Ok(Written::Refused(head.cloned()));
        }
        let mut after = stores.clone();
        after.apply(commit);
        let head = to_u64(commit.head.len());
        if after.size().max(stores.size()).saturating_add(head) > self.inner.capacity.get() {
            return Err(Error::io("the database", "write", ErrorKind::QuotaExceeded, "the quota is used up"));
        }
        *stores = after;
        let content = |change: &Change| if let Change::PutChunk { data, .. } = change { to_u64(data.len()) } else { 0 };
        let written: u64 = commit.changes.iter().map(content).sum();
        self.count(|counts| {
            counts.written = counts.written.saturating_add(written);
            let count = if commit.is_strict { &mut counts.strict } else { &mut counts.relaxed };
            *count = count.saturating_add(1);
        });
        if commit.is_strict {
            self.inner.relaxed.take();
            self.inner.durable.replace(Some(stores.clone()));
        } else {
            self.inner.relaxed.borrow_mut().push(commit.clone());
        }
        Ok(Written::Done)
    }
}

impl ChunkDatabase for ChunkModel {
    fn acquire(&self) -> Io<()> {
        if self.user.holds.get() {
            return Io::ready(Ok(()));
        }
        if self.inner.is_locked.replace(true) {
            return Io::ready(Err(Error::Locked("the database is open elsewhere".to_owned())));
        }
        self.user.holds.set(true);
        Io::ready(Ok(()))
    }

    fn release(&self) {
        self.user.release();
    }

    fn connect(&self, head: Option<Vec<u8>>) -> Io<()> {
        self.call("connect", move |model| model.connect_now(head))
    }

    fn disconnect(&self) {
        self.user.end_connection();
    }

    fn load(&self) -> Io<Loaded> {
        self.call("load", |model| {
            let stores = model.inner.stores.borrow();
            let Some(stores) = stores.as_ref() else { return Err(lost("load", "the database is gone")) };
            let files = stores.files.iter().map(|(file, row)| (Some(*file), Row::clone(row))).collect();
            Ok(Loaded { head: stores.head.as_deref().cloned(), files })
        })
    }

    fn read(&self, file: u64, first: u64, end: u64) -> Io<Vec<Row>> {
        self.call("read", move |model| {
            let stores = model.inner.stores.borrow();
            let Some(stores) = stores.as_ref() else { return Err(lost("read", "the database is gone")) };
            let range = (file, first, None)..(file, end.max(first), None);
            Ok(stores.chunks.range(range).map(|(_, row)| Row::clone(row)).collect())
        })
    }

    fn write(&self, commit: &Commit) -> Io<Written> {
        if self.user.is_writing.replace(true) {
            return Io::ready(Err(Error::Busy("two transactions write at once".to_owned())));
        }
        let (commit, writing) = (commit.clone(), Writing(self.user.clone()));
        let written = self.call("write", move |model| model.write_now(&commit));
        Io::pending(async move {
            let written = written.await;
            drop(writing);
            written
        })
    }

    fn remove(&self) -> Io<()> {
        let this = self.same();
        Io::pending(async move {
            if this.inner.is_stopped.get() {
                return Err(Error::io("the database", "remove", ErrorKind::Other, "the process has ended"));
            }
            if this.inner.connections.get() > 0 {
                return Err(Error::Locked("the database is open elsewhere".to_owned()));
            }
            this.evict();
            Ok(())
        })
    }

    fn pause(&self, _: u64) -> Io<()> {
        Io::pending(async {
            wait(1).await;
            Ok(())
        })
    }

    fn unique(&self) -> u64 {
        self.inner.rng.borrow_mut().next()
    }

    fn durability(&self) -> Durability {
        Durability::Durable
    }
}

/// Until a transaction that writes has been answered.
struct Writing(Rc<User>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.is_writing.set(false);
    }
}

/// Waits for so many polls.
fn wait(polls: u64) -> impl Future<Output = ()> {
    let mut left = polls;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left = left.saturating_sub(1);
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}
