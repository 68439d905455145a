//! The storage with injected faults.

use std::fmt;
use std::io::ErrorKind;
use std::rc::Rc;

use super::control::{Control, Fault, OpenFile, Turn};
use super::file::FaultFile;
use super::rule::{FaultKind, FaultRule, Operation};
use super::trace::Call;
use crate::env::{Access, Durability, Env, File, FileKind, Io, NameEdit};
use crate::error::{Error, Result};

/// A storage around another that records calls and makes some of them fail.
///
/// Clones share everything.
///
/// ```
/// use std::{io::ErrorKind, rc::Rc};
/// use varve::env::{Env, FaultEnv, FaultKind, FaultRule, FileKind, MemoryEnv, Operation, block_on};
///
/// let memory = MemoryEnv::new();
/// let env = FaultEnv::new(Rc::new(memory.clone()), 1);
/// env.add(FaultRule::at(2, FaultKind::ShortWrite { percent: 50, kind: ErrorKind::StorageFull }));
/// let file = block_on(env.create("a.log", FileKind::Log, 0))?;
/// assert_eq!(block_on(file.append(b"1234"))?, 4);
/// assert_eq!(block_on(file.append(b"5678")).unwrap_err().code(), "full");
/// assert_eq!(memory.read("a.log"), Some(b"123456".to_vec()));
/// assert_eq!(env.calls_of(Operation::Append), 2);
/// # Ok::<(), varve::Error>(())
/// ```
#[derive(Clone)]
pub struct FaultEnv {
    inner: Rc<dyn Env>,
    control: Rc<Control>,
}

impl FaultEnv {
    /// Wraps `inner`, without faults so far. `seed` determines all random numbers.
    pub fn new(inner: Rc<dyn Env>, seed: u64) -> FaultEnv {
        let control = Control::new(inner.durability(), seed);
        FaultEnv { inner, control: Rc::new(control) }
    }

    /// Plans a fault. If several rules match a call, the one added first applies.
    pub fn add(&self, rule: FaultRule) {
        self.control.rules.borrow_mut().push(rule);
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.control.rules.borrow_mut().clear();
    }

    /// Makes this percentage of calls pending for one to three polls; they are done only then.
    pub fn set_pending(&self, percent: u8) {
        self.control.pending_percent.set(percent);
    }

    /// Sets whether callers may trust the result of `append` alone.
    ///
    /// By default as the inner storage.
    pub fn set_appends_are_exact(&self, exact: bool) {
        self.control.exact.set(Some(exact));
    }

    /// Limits the number of open files, as in a process at its limit of descriptors.
    pub fn set_open_files_max(&self, max: usize) {
        self.control.open_files_max.set(max);
    }

    /// The number of open files.
    pub fn open_files(&self) -> usize {
        self.control.open_files.get()
    }

    /// The bytes that [`SectorFault::Stale`](super::SectorFault::Stale) returns.
    ///
    /// The earlier content of the medium, from the file's start.
    pub fn set_stale(&self, content: Vec<u8>) {
        self.control.stale.replace(content);
    }

    /// Sets whether calls are kept for [`trace`](FaultEnv::trace) (default true).
    ///
    /// Counts and hash continue.
    pub fn set_recording(&self, recording: bool) {
        self.control.trace.borrow_mut().recording = recording;
    }

    /// From now on every call fails and does nothing.
    pub fn stop(&self) {
        self.control.stopped.set(true);
    }

    /// Whether the storage was stopped.
    pub fn is_stopped(&self) -> bool {
        self.control.stopped.get()
    }

    /// The number of faults so far.
    pub fn faults(&self) -> u64 {
        self.control.faults.get()
    }

    /// The number of calls so far.
    pub fn calls(&self) -> u64 {
        self.control.trace.borrow().counts.iter().sum()
    }

    /// The number of calls of one operation so far.
    pub fn calls_of(&self, operation: Operation) -> u64 {
        let trace = self.control.trace.borrow();
        trace.counts.iter().zip(Operation::ALL).filter(|(_, op)| *op == operation).map(|(count, _)| count).sum()
    }

    /// The recorded calls, in the order in which they were done.
    pub fn trace(&self) -> Vec<Call> {
        self.control.trace.borrow().calls.clone()
    }

    /// A hash of all calls and results so far: equal for equal runs.
    pub fn trace_hash(&self) -> u64 {
        self.control.trace.borrow().hash
    }

    fn edit_names_now(&self, edits: Vec<NameEdit>) -> Io<()> {
        let turn = self.control.begin(Operation::EditNames, &describe(&edits), 0, 0, 0);
        if let Some(Fault::Planned(FaultKind::CutNames(count))) = turn.fault {
            let inner = Rc::clone(&self.inner);
            let error = turn.error(ErrorKind::Other);
            return turn.end(Io::pending(async move {
                cut_names(&*inner, edits, count).await?;
                Err(error)
            }));
        }
        turn.plainly(|| self.inner.edit_names(edits))
    }

    fn wrap(&self, turn: Turn, opened: impl FnOnce() -> Io<Rc<dyn File>>) -> Io<Rc<dyn File>> {
        let (control, name) = (Rc::clone(&self.control), turn.name.clone());
        if control.open_files.get() >= control.open_files_max.get() {
            let error = Error::io(&*name, turn.operation.name(), ErrorKind::ResourceBusy, "too many open files");
            return turn.end(Io::ready(Err(error)));
        }
        let open = OpenFile::new(&control);
        turn.plainly(opened).map(move |file| {
            let inner = file?;
            Ok(Rc::new(FaultFile { control, inner, name: name.into(), _open: Rc::new(open) }) as Rc<dyn File>)
        })
    }
}

impl Env for FaultEnv {
    fn lock(&self, create: bool) -> Io<u64> {
        let this = self.clone();
        self.control.soon(move || this.control.begin(Operation::Lock, "", 0, 0, 0).plainly(|| this.inner.lock(create)))
    }

    fn unlock(&self) {
        self.inner.unlock();
    }

    fn list(&self) -> Io<Vec<String>> {
        let this = self.clone();
        self.control.soon(move || this.control.begin(Operation::List, "", 0, 0, 0).plainly(|| this.inner.list()))
    }

    fn create(&self, name: &str, kind: FileKind, size_hint: u64) -> Io<Rc<dyn File>> {
        let (this, name) = (self.clone(), name.to_string());
        self.control.soon(move || {
            let turn = this.control.begin(Operation::Create, &name, size_hint, 0, 0);
            this.wrap(turn, || this.inner.create(&name, kind, size_hint))
        })
    }

    fn open(&self, name: &str, access: Access) -> Io<Rc<dyn File>> {
        let (this, name) = (self.clone(), name.to_string());
        self.control.soon(move || {
            let turn = this.control.begin(Operation::Open, &name, 0, 0, 0);
            this.wrap(turn, || this.inner.open(&name, access))
        })
    }

    fn edit_names(&self, edits: Vec<NameEdit>) -> Io<()> {
        let this = self.clone();
        self.control.soon(move || this.edit_names_now(edits))
    }

    fn remove_place(&self) -> Io<()> {
        let this = self.clone();
        self.control
            .soon(move || this.control.begin(Operation::RemovePlace, "", 0, 0, 0).plainly(|| this.inner.remove_place()))
    }

    fn durability(&self) -> Durability {
        self.inner.durability()
    }

    fn appends_are_exact(&self) -> bool {
        self.control.exact.get().unwrap_or_else(|| self.inner.appends_are_exact())
    }

    fn has_quota(&self) -> bool {
        self.inner.has_quota()
    }

    fn claims_powers_of_two(&self) -> bool {
        self.inner.claims_powers_of_two()
    }

    fn keep_room(&self, bytes: u64) -> Io<bool> {
        self.inner.keep_room(bytes)
    }

    fn knows_room(&self) -> bool {
        self.inner.knows_room()
    }

    fn use_room(&self) -> bool {
        self.inner.use_room()
    }

    fn creates_at_once(&self) -> bool {
        self.inner.creates_at_once()
    }
}

impl fmt::Debug for FaultEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultEnv ({} calls, {} faults)", self.calls(), self.faults())
    }
}

/// Applies the first `count` edits, and writes half of the temporary file of a replacement after
/// them.
async fn cut_names(inner: &dyn Env, mut edits: Vec<NameEdit>, count: usize) -> Result<()> {
    let next = edits.get(count).cloned();
    edits.truncate(count);
    if !edits.is_empty() {
        inner.edit_names(edits).await?;
    }
    if let Some(NameEdit::Replace { via, content, .. }) = next {
        let file = inner.create(&via, FileKind::Manifest, 0).await?;
        file.append(content.get(..content.len() / 2).unwrap_or_default()).await?;
    }
    Ok(())
}

fn describe(edits: &[NameEdit]) -> String {
    let one = |edit: &NameEdit| match edit {
        NameEdit::Rename { from, to } => format!("{from}>{to}"),
        NameEdit::Remove { name } => format!("-{name}"),
        NameEdit::Replace { name, .. } => format!("={name}"),
    };
    edits.iter().map(one).collect::<Vec<_>>().join(" ")
}
