//! Files in memory. For tests, unsynced data can be lost.
//!
//! ```text
//! names     what calls see                 create adds here and to `pending`
//! durable   what a crash leaves            edit_names copies names here and clears `pending`
//! ```

mod content;
#[cfg(feature = "testing")]
mod crash;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::rc::Rc;

#[cfg(feature = "testing")]
pub(super) use crash::percent_of;
#[cfg(feature = "testing")]
pub use crash::{CrashModel, CrashNames, CrashTail};

use self::content::Content;
use super::checked::opened_to_be_read;
use super::{Access, Durability, Env, File, FileKind, Io, NameEdit, check_name};
use crate::base::{Sorted, to_u64};
use crate::error::{Error, Result};

/// A storage in memory.
///
/// Cheap to clone: a clone is another user of the same files, as another process would be.
///
/// Every call is ready at once. In tests (feature `testing`) it records the unsynced data of each
/// file and the names that are not durable, so that its method `crash` can return the storage that
/// a power failure would leave.
pub struct MemoryEnv {
    storage: Rc<Storage>,
    owns_lock: Cell<bool>,
}

struct Storage {
    state: RefCell<State>,
    space: Rc<Space>,
    exact: Cell<bool>,
}

/// Invariants:
/// 1. `durable`, with all of `pending` created in order, equals `names`.
/// 2. `locked` is true exactly while one handle `owns_lock`.
#[derive(Default)]
struct State {
    exists: bool,
    locked: bool,
    epoch: u64,
    names: Names,
    durable: Names,
    pending: Vec<(String, Rc<Node>)>,
}

type Names = Sorted<String, Rc<Node>>;

/// Bytes in all files, named or still open.
struct Space {
    used: Cell<u64>,
    capacity: Cell<u64>,
}

struct Node {
    content: RefCell<Content>,
    space: Rc<Space>,
}

struct MemoryFile {
    node: Rc<Node>,
    name: String,
    access: Access,
}

impl MemoryEnv {
    /// An empty storage without a limit.
    pub fn new() -> MemoryEnv {
        MemoryEnv::with_capacity(u64::MAX)
    }

    /// An empty storage that is full at `capacity` bytes.
    ///
    /// An append writes what still fits, then fails.
    pub fn with_capacity(capacity: u64) -> MemoryEnv {
        MemoryEnv::of(State::default(), Space::new(capacity), true)
    }

    /// Changes the capacity.
    pub fn set_capacity(&self, capacity: u64) {
        self.storage.space.capacity.set(capacity);
    }

    /// Sets whether callers may trust the result of `append` alone (true by default).
    pub fn set_appends_are_exact(&self, exact: bool) {
        self.storage.exact.set(exact);
    }

    /// An independent storage as a power failure now may leave it. This one continues.
    ///
    /// ```
    /// use varve::env::{CrashModel, Env, FileKind, MemoryEnv, block_on};
    ///
    /// let env = MemoryEnv::new();
    /// let file = block_on(env.create("a", FileKind::Log, 0))?;
    /// block_on(env.edit_names(vec![]))?; // the name is durable now
    /// block_on(file.append(b"synced"))?;
    /// block_on(file.sync())?;
    /// block_on(file.append(b", not synced"))?;
    /// assert_eq!(env.crash(&CrashModel::DROP).read("a"), Some(b"synced".to_vec()));
    /// assert_eq!(env.crash(&CrashModel::KEEP).read("a"), Some(b"synced, not synced".to_vec()));
    /// # Ok::<(), varve::Error>(())
    /// ```
    #[cfg(feature = "testing")]
    pub fn crash(&self, model: &CrashModel) -> MemoryEnv {
        let space = Space::new(self.storage.space.capacity.get());
        let state = self.storage.state.borrow();
        let mut names = state.durable.clone();
        names.extend(state.pending.iter().take(model.names_kept(state.pending.len())).cloned());
        let found = |(name, node): (&String, &Rc<Node>)| {
            let bytes = node.content.borrow().after_crash(model, name);
            (name.clone(), Node::new(&space, Content::synced(bytes)))
        };
        let names: Names = names.iter().map(found).collect();
        let after =
            State { exists: state.exists, epoch: state.epoch, durable: names.clone(), names, ..State::default() };
        MemoryEnv::of(after, Rc::clone(&space), self.storage.exact.get())
    }

    /// An independent copy as the end of the process would leave it.
    ///
    /// Nothing is lost, and nothing becomes durable.
    pub fn snapshot(&self) -> MemoryEnv {
        let space = Space::new(self.storage.space.capacity.get());
        let state = self.storage.state.borrow();
        let mut copies: BTreeMap<*const Node, Rc<Node>> = BTreeMap::new();
        let mut copy = |node: &Rc<Node>| {
            let made = || Node::new(&space, node.content.borrow().clone());
            Rc::clone(copies.entry(Rc::as_ptr(node)).or_insert_with(made))
        };
        let after = State {
            exists: state.exists,
            locked: false,
            epoch: state.epoch,
            names: state.names.iter().map(|(name, node)| (name.clone(), copy(node))).collect(),
            durable: state.durable.iter().map(|(name, node)| (name.clone(), copy(node))).collect(),
            pending: state.pending.iter().map(|(name, node)| (name.clone(), copy(node))).collect(),
        };
        MemoryEnv::of(after, Rc::clone(&space), self.storage.exact.get())
    }

    /// The content of a file.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.storage.state.borrow().names.get(name).map(|node| node.content.borrow().bytes().to_vec())
    }

    /// Sets the content of a file, durable at once; open files see the change.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let mut state = self.storage.state.borrow_mut();
        state.exists = true;
        let node = match state.names.get(name) {
            Some(node) => Rc::clone(node),
            None => Node::new(&self.storage.space, Content::default()),
        };
        node.replace(Content::synced(bytes.to_vec()));
        state.pending.retain(|(pending, _)| pending != name);
        state.durable.insert(name.to_string(), Rc::clone(&node));
        state.names.insert(name.to_string(), node);
    }

    /// All names, including those under `lost/`, sorted.
    pub fn names(&self) -> Vec<String> {
        self.storage.state.borrow().names.keys().cloned().collect()
    }

    /// Bytes in all files that have a name.
    pub fn total_bytes(&self) -> u64 {
        self.storage.state.borrow().names.values().map(|node| node.size()).sum()
    }

    fn of(state: State, space: Rc<Space>, exact: bool) -> MemoryEnv {
        let storage = Storage { state: RefCell::new(state), space, exact: Cell::new(exact) };
        MemoryEnv { storage: Rc::new(storage), owns_lock: Cell::new(false) }
    }

    fn take_lock(&self, create: bool) -> Result<u64> {
        let mut state = self.storage.state.borrow_mut();
        if !state.exists && !create {
            return Err(not_found("the storage in memory", "lock"));
        }
        if state.locked {
            return Err(Error::Locked("the storage in memory has another user".to_string()));
        }
        state.exists = true;
        state.locked = true;
        state.epoch = state.epoch.saturating_add(1);
        self.owns_lock.set(true);
        Ok(state.epoch)
    }

    fn list_names(&self) -> Result<Vec<String>> {
        let state = self.storage.state.borrow();
        if !state.exists {
            return Err(not_found("the storage in memory", "list"));
        }
        Ok(state.names.keys().filter(|name| !name.contains('/')).cloned().collect())
    }

    fn create_file(&self, name: &str) -> Result<Rc<dyn File>> {
        check_name(name)?;
        let node = Node::new(&self.storage.space, Content::default());
        let mut state = self.storage.state.borrow_mut();
        state.exists = true;
        state.names.insert(name.to_string(), Rc::clone(&node));
        state.pending.push((name.to_string(), Rc::clone(&node)));
        Ok(MemoryFile::open(node, name, Access::Append))
    }

    fn open_file(&self, name: &str, access: Access) -> Result<Rc<dyn File>> {
        check_name(name)?;
        let state = self.storage.state.borrow();
        let node = state.names.get(name).ok_or_else(|| not_found(name, "open"))?;
        Ok(MemoryFile::open(Rc::clone(node), name, access))
    }

    /// Applies all edits or, on an error, none.
    fn apply(&self, edits: Vec<NameEdit>) -> Result<()> {
        let mut state = self.storage.state.borrow_mut();
        let mut names = state.names.clone();
        for edit in edits {
            edit.check()?;
            match edit {
                NameEdit::Rename { from, to } => {
                    let node = names.remove(&from).ok_or_else(|| not_found(&from, "rename"))?;
                    names.insert(to, node);
                }
                NameEdit::Remove { name } => drop(names.remove(&name)),
                NameEdit::Replace { name, via, content } => {
                    if self.storage.space.left() < size_of_slice(&content) {
                        return Err(full(&name, "replace"));
                    }
                    names.remove(&via);
                    names.insert(name, Node::new(&self.storage.space, Content::synced(content)));
                }
            }
        }
        state.pending.clear();
        state.durable.clone_from(&names);
        state.names = names;
        Ok(())
    }

    fn remove(&self) -> Result<()> {
        if !self.owns_lock.get() {
            self.take_lock(false)?;
        }
        let mut state = self.storage.state.borrow_mut();
        self.owns_lock.set(false);
        state.locked = false;
        state.exists = !state.names.is_empty();
        Ok(())
    }
}

impl Env for MemoryEnv {
    fn lock(&self, create: bool) -> Io<u64> {
        Io::ready(self.take_lock(create))
    }

    fn unlock(&self) {
        if self.owns_lock.take() {
            self.storage.state.borrow_mut().locked = false;
        }
    }

    fn list(&self) -> Io<Vec<String>> {
        Io::ready(self.list_names())
    }

    fn create(&self, name: &str, _kind: FileKind, _size_hint: u64) -> Io<Rc<dyn File>> {
        Io::ready(self.create_file(name))
    }

    fn open(&self, name: &str, access: Access) -> Io<Rc<dyn File>> {
        Io::ready(self.open_file(name, access))
    }

    fn edit_names(&self, edits: Vec<NameEdit>) -> Io<()> {
        Io::ready(self.apply(edits))
    }

    fn remove_place(&self) -> Io<()> {
        Io::ready(self.remove())
    }

    fn durability(&self) -> Durability {
        Durability::Volatile
    }

    fn appends_are_exact(&self) -> bool {
        self.storage.exact.get()
    }
}

impl MemoryFile {
    fn open(node: Rc<Node>, name: &str, access: Access) -> Rc<dyn File> {
        Rc::new(MemoryFile { node, name: name.to_string(), access })
    }

    fn writable(&self, operation: &'static str) -> Result<()> {
        match self.access {
            Access::Append => Ok(()),
            Access::Read => Err(opened_to_be_read(&self.name, operation)),
        }
    }

    fn append_what_fits(&self, data: &[u8]) -> Result<u64> {
        self.writable("append")?;
        let room = usize::try_from(self.node.space.left()).unwrap_or(usize::MAX);
        let fits = data.get(..room).unwrap_or(data);
        let mut content = self.node.content.borrow_mut();
        if !content.has_room_for(fits.len()) {
            return Err(Error::io(&self.name, "append", ErrorKind::OutOfMemory, "out of memory"));
        }
        content.append(fits);
        self.node.space.add(size_of_slice(fits));
        if fits.len() < data.len() { Err(full(&self.name, "append")) } else { Ok(size_of_slice(data)) }
    }

    fn set_size(&self, size: u64) -> Result<()> {
        self.writable("truncate")?;
        let old = self.node.size();
        let mut content = self.node.content.borrow_mut();
        let more = size.saturating_sub(old);
        let (target, room) = (usize::try_from(size), usize::try_from(more));
        let (Ok(target), Ok(room)) = (target, room) else { return Err(full(&self.name, "truncate")) };
        if more > self.node.space.left() || !content.has_room_for(room) {
            return Err(full(&self.name, "truncate"));
        }
        content.set_size(target);
        self.node.space.add(more);
        self.node.space.give_back(old.saturating_sub(size));
        Ok(())
    }
}

impl File for MemoryFile {
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        let content = self.node.content.borrow();
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.bytes().len());
        let rest = content.bytes().get(from..).unwrap_or_default();
        Io::ready(Ok(rest.get(..length).unwrap_or(rest).to_vec()))
    }

    fn append(&self, data: &[u8]) -> Io<u64> {
        Io::ready(self.append_what_fits(data))
    }

    fn sync(&self) -> Io<Durability> {
        self.node.content.borrow_mut().sync();
        Io::ready(Ok(Durability::Volatile))
    }

    fn truncate(&self, size: u64) -> Io<()> {
        Io::ready(self.set_size(size))
    }

    fn size(&self) -> Io<u64> {
        Io::ready(Ok(self.node.size()))
    }
}

impl Node {
    fn new(space: &Rc<Space>, content: Content) -> Rc<Node> {
        space.add(size_of_slice(content.bytes()));
        Rc::new(Node { content: RefCell::new(content), space: Rc::clone(space) })
    }

    fn size(&self) -> u64 {
        size_of_slice(self.content.borrow().bytes())
    }

    fn replace(&self, content: Content) {
        self.space.give_back(self.size());
        self.space.add(size_of_slice(content.bytes()));
        *self.content.borrow_mut() = content;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.space.give_back(self.size());
    }
}

impl Space {
    fn new(capacity: u64) -> Rc<Space> {
        Rc::new(Space { used: Cell::new(0), capacity: Cell::new(capacity) })
    }

    fn left(&self) -> u64 {
        self.capacity.get().saturating_sub(self.used.get())
    }

    fn add(&self, bytes: u64) {
        self.used.set(self.used.get().saturating_add(bytes));
    }

    fn give_back(&self, bytes: u64) {
        self.used.set(self.used.get().saturating_sub(bytes));
    }
}

impl Clone for MemoryEnv {
    /// Another user of the same files; the lock is not inherited.
    fn clone(&self) -> MemoryEnv {
        MemoryEnv { storage: Rc::clone(&self.storage), owns_lock: Cell::new(false) }
    }
}

impl Default for MemoryEnv {
    fn default() -> MemoryEnv {
        MemoryEnv::new()
    }
}

impl Drop for MemoryEnv {
    fn drop(&mut self) {
        self.unlock();
    }
}

impl fmt::Debug for MemoryEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.storage.state.borrow();
        let sizes = state.names.iter().map(|(name, node)| (name, node.size()));
        f.write_str("MemoryEnv ")?;
        f.debug_map().entries(sizes).finish()
    }
}

fn size_of_slice(bytes: &[u8]) -> u64 {
    to_u64(bytes.len())
}

fn not_found(name: &str, operation: &'static str) -> Error {
    Error::io(name, operation, ErrorKind::NotFound, "no such file")
}

fn full(name: &str, operation: &'static str) -> Error {
    Error::io(name, operation, ErrorKind::StorageFull, "the storage in memory is full")
}
