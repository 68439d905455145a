//! A model of the raw files of a browser, for tests: full disks, false counts, power failures.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::rc::Rc;

use super::limit::{RawLimit, claim_of};
use super::maturity::MATURITY_MS;
use super::node::{Node, Op, put};
use super::raw::{RawDirectory, RawFile, busy};
use crate::base::to_u64;
use crate::env::testing::Seeded;
use crate::env::{Durability, Io, try_now};
use crate::error::{Error, Result};

/// Raw files in memory. A clone is another user of the same files.
#[derive(Clone)]
pub struct RawModel {
    inner: Rc<Inner>,
}

struct Inner {
    state: RefCell<State>,
    now: Cell<u64>,
    /// Bytes that all files may have.
    capacity: Cell<u64>,
    limit: Cell<RawLimit>,
    calls: Cell<u64>,
    /// The call that fails, with its kind, and whether all later ones fail too.
    fault: Cell<Option<(u64, RawFault)>>,
    is_stopped: Cell<bool>,
    rng: RefCell<Seeded>,
    later: RefCell<Vec<Pin<Box<dyn Future<Output = ()>>>>>,
}

#[derive(Default)]
struct State {
    exists: bool,
    names: BTreeMap<String, Rc<Node>>,
    /// Open files, and the bytes that each has claimed.
    open: BTreeMap<String, u64>,
    /// Changes of names that may not be durable, oldest first.
    changes: Vec<Change>,
}

/// A change of a name: what it named before.
struct Change {
    time: u64,
    name: String,
    before: Option<Rc<Node>>,
}

/// What happens at one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawFault {
    /// The process ends before the call.
    Stop,
    /// The process ends after the call.
    StopAfter,
    /// A write writes a part, then the process ends.
    StopTorn,
    /// The call fails, without effect.
    Fail(ErrorKind),
    /// A write reports a count that has nothing to do with what it wrote, which is nothing.
    Garbage,
    /// A write writes a part and reports the whole.
    Short,
}

/// What a power failure leaves of unsynced data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawCrash {
    /// Determines all random numbers.
    pub seed: u64,
    /// The percentage of unsynced writes that survive.
    pub percent: u8,
    /// Whether young changes of names may be lost, as in Chromium.
    pub loses_names: bool,
}

impl RawModel {
    /// No directory, at a time in the year 2023.
    pub fn new(seed: u64) -> RawModel {
        RawModel::of(State::default(), 1_700_000_000_000, seed)
    }

    fn of(state: State, now: u64, seed: u64) -> RawModel {
        let inner = Inner {
            state: RefCell::new(state),
            now: Cell::new(now),
            capacity: Cell::new(u64::MAX),
            limit: Cell::new(RawLimit::Disk),
            calls: Cell::new(0),
            fault: Cell::new(None),
            is_stopped: Cell::new(false),
            rng: RefCell::new(Seeded::new(seed)),
            later: RefCell::default(),
        };
        RawModel { inner: Rc::new(inner) }
    }

    /// Lets time pass, in ms.
    pub fn advance(&self, time: u64) {
        self.inner.now.set(self.inner.now.get().saturating_add(time));
    }

    /// Sets the clock back, in ms.
    pub fn set_back(&self, time: u64) {
        self.inner.now.set(self.inner.now.get().saturating_sub(time));
    }

    /// Bytes that all files may have.
    pub fn set_capacity(&self, capacity: u64) {
        self.inner.capacity.set(capacity);
    }

    /// Bytes that all files may have, and what happens at the limit.
    pub fn set_limit(&self, limit: RawLimit, capacity: u64) {
        self.inner.limit.set(limit);
        self.inner.capacity.set(capacity);
    }

    /// Bytes that count towards the limit.
    pub fn used(&self) -> u64 {
        self.inner.used()
    }

    /// The calls so far.
    pub fn calls(&self) -> u64 {
        self.inner.calls.get()
    }

    /// Plans a fault at the call with this number, counted from 1.
    pub fn set_fault(&self, call: u64, fault: RawFault) {
        self.inner.fault.set(Some((call, fault)));
    }

    /// Whether the planned end of the process has come.
    pub fn is_stopped(&self) -> bool {
        self.inner.is_stopped.get()
    }

    /// Runs the work that was put off, and what it puts off, up to `count` pieces.
    pub fn run_deferred(&self, count: usize) {
        for _ in 0..count {
            let work = {
                let mut later = self.inner.later.borrow_mut();
                if later.is_empty() { None } else { Some(later.remove(0)) }
            };
            match work {
                // Every call of this model ends at its first poll.
                Some(work) => drop(try_now(work)),
                None => return,
            }
        }
    }

    /// All files with their contents.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.inner.state.borrow();
        state.names.iter().map(|(name, node)| (name.clone(), node.bytes.borrow().clone())).collect()
    }

    /// Sets the content of a file, durable at once; `None` removes it.
    pub fn set_file(&self, name: &str, content: Option<Vec<u8>>) {
        let mut state = self.inner.state.borrow_mut();
        match content {
            Some(content) => {
                let node = state.names.entry(name.to_owned()).or_default();
                node.synced.replace(content.clone());
                node.bytes.replace(content);
                node.unsynced.take();
            }
            None => {
                state.names.remove(name);
            }
        }
    }

    /// What the end of the process leaves: everything. No file is open.
    pub fn kill(&self) -> RawModel {
        self.copied(|node| Node {
            bytes: node.bytes.clone(),
            synced: node.synced.clone(),
            unsynced: node.unsynced.clone(),
        })
    }

    /// What a power failure now may leave. This one continues.
    pub fn crash(&self, crash: RawCrash) -> RawModel {
        let mut rng = Seeded::new(crash.seed);
        let after = self.copied(|_| Node::default());
        {
            let (state, mut names) = (self.inner.state.borrow(), BTreeMap::new());
            names.clone_from(&state.names);
            if crash.loses_names {
                let now = self.inner.now.get();
                let young = state.changes.iter().filter(|c| now < c.time.saturating_add(MATURITY_MS)).count();
                // The index goes back to a moment of the last minute.
                for change in state.changes.iter().rev().take(rng.up_to(young)) {
                    match &change.before {
                        Some(node) => names.insert(change.name.clone(), node.clone()),
                        None => names.remove(&change.name),
                    };
                }
            }
            let found = names.iter().map(|(name, node)| {
                let mut rng = Seeded::for_name(crash.seed, name);
                let bytes = node.after_crash(crash.percent, &mut rng);
                (name.clone(), Rc::new(Node::synced(bytes)))
            });
            after.inner.state.borrow_mut().names = found.collect();
            after.inner.state.borrow_mut().changes.clear();
        }
        after
    }

    fn copied(&self, copy: impl Fn(&Node) -> Node) -> RawModel {
        let state = self.inner.state.borrow();
        let mut copies: BTreeMap<*const Node, Rc<Node>> = BTreeMap::new();
        let mut copy = |node: &Rc<Node>| copies.entry(Rc::as_ptr(node)).or_insert_with(|| Rc::new(copy(node))).clone();
        let changes = state.changes.iter();
        let changes = changes
            .map(|c| Change { time: c.time, name: c.name.clone(), before: c.before.as_ref().map(&mut copy) })
            .collect();
        let names = state.names.iter().map(|(name, node)| (name.clone(), copy(node))).collect();
        let after = State { exists: state.exists, names, open: BTreeMap::new(), changes };
        let model = RawModel::of(after, self.inner.now.get(), self.inner.rng.borrow_mut().next());
        model.inner.capacity.set(self.inner.capacity.get());
        model.inner.limit.set(self.inner.limit.get());
        model
    }
}

impl Inner {
    /// Counts a call; the fault that it has.
    fn call(&self, name: &str) -> Result<Option<RawFault>> {
        let stopped = || Error::io(name, "call", ErrorKind::Other, "the process has ended");
        if self.is_stopped.get() {
            return Err(stopped());
        }
        self.calls.set(self.calls.get().saturating_add(1));
        let fault = self.fault.get().filter(|(call, _)| *call == self.calls.get()).map(|(_, fault)| fault);
        match fault {
            Some(RawFault::Fail(kind)) => Err(Error::io(name, "call", kind, "planned")),
            Some(RawFault::Stop) => {
                self.is_stopped.set(true);
                Err(stopped())
            }
            Some(RawFault::StopAfter | RawFault::StopTorn) => {
                self.is_stopped.set(true);
                Ok(fault)
            }
            other => Ok(other),
        }
    }

    /// The result of a call that was done: an error if the process ended with it.
    fn done<T>(&self, name: &str, result: T) -> Result<T> {
        if self.is_stopped.get() {
            return Err(Error::io(name, "call", ErrorKind::Other, "the process has ended"));
        }
        Ok(result)
    }

    fn used(&self) -> u64 {
        let state = self.state.borrow();
        let claimed = |name: &String| state.open.get(name).copied().unwrap_or(0);
        state.names.iter().map(|(name, node)| to_u64(node.bytes.borrow().len()).max(claimed(name))).sum()
    }

    /// Claims space for a file of `now` bytes to have `size`; whether it is granted.
    fn claim(&self, name: &str, now: u64, size: u64) -> bool {
        let claimed = self.state.borrow().open.get(name).copied().unwrap_or(0).max(now);
        if size <= claimed {
            return true;
        }
        let reserves = self.limit.get() == RawLimit::Reserving;
        let wanted = if reserves { claim_of(size) } else { size };
        if self.used().saturating_sub(claimed).saturating_add(wanted) > self.capacity.get() {
            return false;
        }
        if reserves {
            self.state.borrow_mut().open.insert(name.to_owned(), wanted);
        }
        true
    }
}

impl RawModel {
    fn open_now(&self, name: &str, create: bool) -> Result<Rc<dyn RawFile>> {
        let inner = &self.inner;
        inner.call(name)?;
        let mut state = inner.state.borrow_mut();
        if !state.names.contains_key(name) {
            if !create {
                return Err(Error::io(name, "open", ErrorKind::NotFound, "there is no such raw file"));
            }
            state.names.insert(name.to_owned(), Rc::default());
            state.changes.push(Change { time: inner.now.get(), name: name.to_owned(), before: None });
        }
        inner.done(name, ())?;
        if state.open.contains_key(name) {
            return Err(busy(name, "it is open"));
        }
        let node = state.names.get(name).cloned().unwrap_or_default();
        state.open.insert(name.to_owned(), 0);
        Ok(Rc::new(Handle { inner: inner.clone(), node, name: name.to_owned() }))
    }

    fn remove_now(&self, name: &str) -> Result<()> {
        self.inner.call(name)?;
        let mut state = self.inner.state.borrow_mut();
        if state.open.contains_key(name) {
            return Err(busy(name, "it is open"));
        }
        let Some(before) = state.names.remove(name) else {
            return Err(Error::io(name, "remove", ErrorKind::NotFound, "there is no such raw file"));
        };
        let time = self.inner.now.get();
        state.changes.push(Change { time, name: name.to_owned(), before: Some(before) });
        self.inner.done(name, ())
    }

    fn remove_all_now(&self) -> Result<()> {
        self.inner.call("the directory")?;
        let mut state = self.inner.state.borrow_mut();
        if !state.open.is_empty() {
            return Err(busy("the directory", "a file of it is open"));
        }
        *state = State::default();
        self.inner.done("the directory", ())
    }

    fn list_now(&self, create: bool) -> Result<Vec<String>> {
        self.inner.call("the directory")?;
        let mut state = self.inner.state.borrow_mut();
        if !state.exists && !create {
            return Err(Error::io("the directory", "list", ErrorKind::NotFound, "there is no such directory"));
        }
        state.exists = true;
        self.inner.done("the directory", state.names.keys().cloned().collect())
    }

    fn later<T: 'static>(&self, call: impl FnOnce(&RawModel) -> Result<T> + 'static) -> Io<T> {
        let model = self.clone();
        Io::pending(async move { call(&model) })
    }
}

impl RawDirectory for RawModel {
    fn list(&self, create: bool) -> Io<Vec<String>> {
        self.later(move |model| model.list_now(create))
    }

    fn open(&self, name: &str, create: bool) -> Io<Rc<dyn RawFile>> {
        let name = name.to_owned();
        self.later(move |model| model.open_now(&name, create))
    }

    fn remove(&self, name: &str) -> Io<()> {
        let name = name.to_owned();
        self.later(move |model| model.remove_now(&name))
    }

    fn remove_all(&self) -> Io<()> {
        self.later(RawModel::remove_all_now)
    }

    fn now(&self) -> u64 {
        self.inner.now.get()
    }

    fn unique(&self) -> u64 {
        self.inner.rng.borrow_mut().next()
    }

    fn run_later(&self, _: u64, work: Pin<Box<dyn Future<Output = ()>>>) {
        self.inner.later.borrow_mut().push(work);
    }

    fn durability(&self) -> Durability {
        Durability::Durable
    }

    fn reserves(&self) -> bool {
        self.inner.limit.get() == RawLimit::Reserving
    }
}

struct Handle {
    inner: Rc<Inner>,
    node: Rc<Node>,
    name: String,
}

impl Handle {
    fn change(&self, op: Op) {
        match &op {
            Op::Write(offset, data) => put(&mut self.node.bytes.borrow_mut(), *offset, data),
            Op::Truncate(size) => self.node.bytes.borrow_mut().resize(*size, 0),
        }
        self.node.unsynced.borrow_mut().push(op);
    }
}

impl RawFile for Handle {
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.inner.call(&self.name)?;
        let bytes = self.node.bytes.borrow();
        let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let count = rest.len().min(into.len());
        for (target, byte) in into.iter_mut().zip(rest) {
            *target = *byte;
        }
        Ok(count)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<u64> {
        let fault = self.inner.call(&self.name)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = offset.saturating_add(data.len());
        let (size, limit) = (self.node.bytes.borrow().len(), self.inner.limit.get());
        let full = || Error::io(&*self.name, "write", ErrorKind::QuotaExceeded, "the quota is used up");
        if limit != RawLimit::Disk && !self.inner.claim(&self.name, to_u64(size), to_u64(end)) {
            return if limit == RawLimit::Refusing { Ok(0) } else { Err(full()) };
        }
        let growth = end.saturating_sub(size);
        let room = self.inner.capacity.get().saturating_sub(self.inner.used());
        if limit == RawLimit::Disk && to_u64(growth) > room {
            let part = data.len().saturating_sub(growth);
            let fits = part.saturating_add(usize::try_from(room).unwrap_or(usize::MAX)).min(data.len());
            let (head, _) = data.split_at_checked(fits).unwrap_or((data, &[]));
            self.change(Op::Write(offset, head.to_vec()));
            return Err(full());
        }
        let half = data.split_at_checked(data.len() / 2).map_or(data, |(head, _)| head);
        match fault {
            Some(RawFault::Garbage) => return Ok(self.inner.rng.borrow_mut().next() % 65_536),
            Some(RawFault::Short) => self.change(Op::Write(offset, half.to_vec())),
            Some(RawFault::StopTorn) => self.change(Op::Write(offset, half.to_vec())),
            _ => self.change(Op::Write(offset, data.to_vec())),
        }
        self.inner.done(&self.name, to_u64(data.len()))
    }

    fn size(&self) -> Result<u64> {
        self.inner.call(&self.name)?;
        self.inner.done(&self.name, to_u64(self.node.bytes.borrow().len()))
    }

    fn truncate(&self, size: u64) -> Result<()> {
        self.inner.call(&self.name)?;
        let now = to_u64(self.node.bytes.borrow().len());
        if self.inner.limit.get() != RawLimit::Disk && !self.inner.claim(&self.name, now, size) {
            return Err(Error::io(&*self.name, "truncate", ErrorKind::QuotaExceeded, "the quota is used up"));
        }
        self.change(Op::Truncate(usize::try_from(size).unwrap_or(usize::MAX)));
        self.inner.done(&self.name, ())
    }

    fn flush(&self) -> Result<()> {
        self.inner.call(&self.name)?;
        self.node.synced.replace(self.node.bytes.borrow().clone());
        self.node.unsynced.take();
        self.inner.done(&self.name, ())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.inner.state.borrow_mut().open.remove(&self.name);
    }
}
