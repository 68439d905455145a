//! A native directory.
//!
//! ```text
//! append           write(2) on a descriptor opened with O_APPEND, until all is written
//! sync             fdatasync (Apple: F_FULLFSYNC): bytes and size
//! edit_names       rename, unlink ... in order, then one fsync of the directory
//! descriptors      those of tables are closed and opened again where the process may have few
//! lock             fcntl(F_SETLK) on the whole of `LOCK`, as C++ LevelDB does, and a table of this process's own locks
//! ```

mod descriptors;
mod helper_thread;
mod lock;
mod names;

use std::cell::RefCell;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use self::descriptors::{TableDescriptor, with_spare};
use self::helper_thread::HelperThread;
use self::lock::DirectoryLock;
use self::names::{apply, create_new, make_directory, parent_of, sync_directory};
use super::checked::opened_to_be_read;
use super::{Access, ComputeThread, Durability, Env, File, FileKind, Io, NameEdit, check_name};
use crate::base::{FileName, to_u64};
use crate::error::{Error, Result};

/// The files of one directory.
///
/// The syncs of tables and manifests, and `edit_names`, run on one helper thread, so that a flush
/// or compaction does not delay a writer; another thread compresses the blocks of new tables.
/// Everything else, including the sync of a log, happens inside the call. The threads start when
/// they are needed and end with the Env and its files.
///
/// ```no_run
/// use varve::env::{Env, StdFsEnv, block_on};
///
/// let env = StdFsEnv::new("/var/lib/example/db");
/// block_on(env.lock(true))?;
/// println!("{:?}", block_on(env.list())?);
/// # Ok::<(), varve::Error>(())
/// ```
#[derive(Debug)]
pub struct StdFsEnv {
    directory: PathBuf,
    lock: RefCell<Option<DirectoryLock>>,
    thread: Option<Rc<HelperThread>>,
    compute: Option<Rc<HelperThread>>,
}

impl StdFsEnv {
    /// The files of `directory`, which need not exist yet: [`lock`](Env::lock) creates it.
    pub fn new(directory: impl Into<PathBuf>) -> StdFsEnv {
        StdFsEnv::with_threads(directory, true)
    }

    /// The same without threads.
    ///
    /// Every call is ready at once, and system calls are made in the order of the calls.
    pub fn with_threads(directory: impl Into<PathBuf>, threads: bool) -> StdFsEnv {
        let helper = |name| threads.then(|| Rc::new(HelperThread::new(name)));
        let (thread, compute) = (helper("varve-sync"), helper("varve-compute"));
        StdFsEnv { directory: directory.into(), lock: RefCell::new(None), thread, compute }
    }

    /// The directory, as given.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn take_lock(&self, create: bool) -> Result<u64> {
        if create {
            make_directory(&self.directory).map_err(|e| self.error("create", &e))?;
        }
        let mut held = self.lock.borrow_mut();
        if held.is_some() {
            return Err(Error::Locked(format!("{} is already locked by this handle", self.directory.display())));
        }
        *held = Some(DirectoryLock::take(&self.directory, create)?);
        Ok(0)
    }

    fn list_files(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in with_spare(|| fs::read_dir(&self.directory)).map_err(|e| self.error("list", &e))? {
            let entry = entry.map_err(|e| self.error("list", &e))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let regular = fs::metadata(entry.path()).is_ok_and(|m| m.is_file());
            if regular && check_name(&name).is_ok() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create_file(&self, name: &str, kind: FileKind) -> Result<Rc<dyn File>> {
        let path = path_of(&self.directory, name)?;
        let file = create_new(&path).map_err(|e| Error::from_std(name, "create", &e))?;
        Ok(StdFile::over(file, name, self.thread_for(kind)))
    }

    /// A log is synced while a writer waits: the thread would only add two switches.
    fn thread_for(&self, kind: FileKind) -> Option<Rc<HelperThread>> {
        self.thread.clone().filter(|_| kind != FileKind::Log)
    }

    fn open_file(&self, name: &str, access: Access) -> Result<Rc<dyn File>> {
        let path = path_of(&self.directory, name)?;
        let mut options = fs::OpenOptions::new();
        options.read(true).append(access == Access::Append);
        let file = with_spare(|| options.open(&path));
        let file = file.map_err(|e| Error::from_std(name, "open", &e))?;
        let metadata = file.metadata().map_err(|e| Error::from_std(name, "open", &e))?;
        if metadata.is_dir() {
            return Err(Error::io(name, "open", ErrorKind::IsADirectory, "is a directory"));
        }
        match access {
            Access::Append => {
                let manifest = matches!(FileName::parse(name), Some(FileName::Manifest(_)));
                let kind = if manifest { FileKind::Manifest } else { FileKind::Log };
                Ok(StdFile::over(file, name, self.thread_for(kind)))
            }
            Access::Read if matches!(FileName::parse(name), Some(FileName::Table(_))) => {
                let is_ours = self.lock.borrow().is_some();
                let source = Source::Table(TableDescriptor::new(path, file, &metadata, is_ours));
                Ok(Rc::new(StdReader { source, name: name.into() }))
            }
            Access::Read => Ok(Rc::new(StdReader { source: Source::File(file), name: name.into() })),
        }
    }

    fn remove_directory(&self) -> Result<()> {
        self.drain();
        let lock = match self.lock.take() {
            Some(lock) => lock,
            None => DirectoryLock::take(&self.directory, false)?,
        };
        // A directory that cannot be removed is not empty, or not ours: it stays.
        let _ = fs::remove_dir(self.directory.join("lost"));
        lock.release_and_remove(&self.directory).map_err(|e| self.error("remove", &e))?;
        match fs::remove_dir(&self.directory) {
            Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty => sync_directory(&self.directory),
            Err(e) => Err(e),
            Ok(()) => parent_of(&self.directory).map_or(Ok(()), sync_directory),
        }
        .map_err(|e| self.error("remove", &e))
    }

    /// Waits until the thread has finished its jobs.
    fn drain(&self) {
        if let Some(thread) = &self.thread {
            thread.drain();
        }
    }

    fn place(&self) -> String {
        self.directory.display().to_string()
    }

    fn error(&self, operation: &'static str, error: &io::Error) -> Error {
        Error::from_std(self.place(), operation, error)
    }
}

impl Env for StdFsEnv {
    fn lock(&self, create: bool) -> Io<u64> {
        Io::ready(self.take_lock(create))
    }

    fn unlock(&self) {
        self.drain();
        if let Some(lock) = self.lock.take() {
            lock.release(&self.directory);
        }
    }

    fn list(&self) -> Io<Vec<String>> {
        Io::ready(self.list_files())
    }

    fn create(&self, name: &str, kind: FileKind, _size_hint: u64) -> Io<Rc<dyn File>> {
        Io::ready(self.create_file(name, kind))
    }

    fn open(&self, name: &str, access: Access) -> Io<Rc<dyn File>> {
        Io::ready(self.open_file(name, access))
    }

    fn edit_names(&self, edits: Vec<NameEdit>) -> Io<()> {
        let directory = self.directory.clone();
        let job = move || apply(&directory, edits);
        match &self.thread {
            Some(thread) => thread.run(job),
            None => Io::ready(job()),
        }
    }

    fn remove_place(&self) -> Io<()> {
        Io::ready(self.remove_directory())
    }

    fn durability(&self) -> Durability {
        Durability::Durable
    }

    fn appends_are_exact(&self) -> bool {
        true
    }

    fn compute_thread(&self) -> Option<Rc<dyn ComputeThread>> {
        self.compute.clone().map(|thread| thread as Rc<dyn ComputeThread>)
    }
}

impl ComputeThread for HelperThread {
    fn run(&self, work: Box<dyn FnOnce() + Send>) -> Io<()> {
        HelperThread::run(self, move || {
            work();
            Ok(())
        })
    }
}

impl Drop for StdFsEnv {
    fn drop(&mut self) {
        self.unlock();
    }
}

/// A file that can be appended to.
struct StdFile {
    shared: Arc<Shared>,
    thread: Option<Rc<HelperThread>>,
}

/// The parts of a file that the thread uses.
struct Shared {
    file: fs::File,
    name: Box<str>,
    /// The first failed sync.
    ///
    /// The kernel may have dropped the dirty pages, and a second sync would succeed.
    sync_failed: OnceLock<Error>,
}

/// A file open for reading only.
struct StdReader {
    source: Source,
    name: Box<str>,
}

enum Source {
    File(fs::File),
    Table(TableDescriptor),
}

impl StdReader {
    fn with<T>(&self, act: impl FnOnce(&fs::File) -> Result<T>) -> Result<T> {
        match &self.source {
            Source::File(file) => act(file),
            Source::Table(table) => table.with(&self.name, act),
        }
    }
}

impl StdFile {
    fn over(file: fs::File, name: &str, thread: Option<Rc<HelperThread>>) -> Rc<dyn File> {
        let shared = Shared { file, name: name.into(), sync_failed: OnceLock::new() };
        Rc::new(StdFile { shared: Arc::new(shared), thread })
    }
}

impl Shared {
    fn usable(&self) -> Result<()> {
        self.sync_failed.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    fn append(&self, data: &[u8]) -> Result<u64> {
        self.usable()?;
        append_all(&self.file, data).map_err(|e| Error::from_std(&*self.name, "append", &e))?;
        Ok(to_u64(data.len()))
    }

    /// On Apple's systems the standard library implements this as F_FULLFSYNC.
    fn sync(&self) -> Result<Durability> {
        self.usable()?;
        match self.file.sync_data() {
            Ok(()) => Ok(Durability::Durable),
            Err(e) => Err(self.sync_failed.get_or_init(|| Error::from_std(&*self.name, "sync", &e)).clone()),
        }
    }
}

impl File for StdFile {
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        Io::ready(read_into(&self.shared.file, &self.shared.name, offset, length, Vec::new()))
    }

    fn append(&self, data: &[u8]) -> Io<u64> {
        Io::ready(self.shared.append(data))
    }

    fn sync(&self) -> Io<Durability> {
        match &self.thread {
            Some(thread) => {
                let shared = Arc::clone(&self.shared);
                thread.run(move || shared.sync())
            }
            None => Io::ready(self.shared.sync()),
        }
    }

    fn truncate(&self, size: u64) -> Io<()> {
        Io::ready(self.shared.file.set_len(size).map_err(|e| Error::from_std(&*self.shared.name, "truncate", &e)))
    }

    fn size(&self) -> Io<u64> {
        Io::ready(size_of(&self.shared.file, &self.shared.name))
    }
}

impl File for StdReader {
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        self.read_into(offset, length, Vec::new())
    }

    fn read_into(&self, offset: u64, length: usize, buffer: Vec<u8>) -> Io<Vec<u8>> {
        Io::ready(self.with(|file| read_into(file, &self.name, offset, length, buffer)))
    }

    fn append(&self, _data: &[u8]) -> Io<u64> {
        Io::ready(Err(opened_to_be_read(&self.name, "append")))
    }

    fn sync(&self) -> Io<Durability> {
        let sync = |file: &fs::File| file.sync_data().map_err(|e| Error::from_std(&*self.name, "sync", &e));
        Io::ready(self.with(sync).map(|()| Durability::Durable))
    }

    fn truncate(&self, _size: u64) -> Io<()> {
        Io::ready(Err(opened_to_be_read(&self.name, "truncate")))
    }

    fn size(&self) -> Io<u64> {
        Io::ready(self.with(|file| size_of(file, &self.name)))
    }
}

/// Longer reads are checked against the file's size before memory is allocated.
const TRUSTED_READ_SIZE: usize = 1 << 20;

fn read_into(file: &fs::File, name: &str, offset: u64, length: usize, buffer: Vec<u8>) -> Result<Vec<u8>> {
    let (mut length, mut data) = (length, buffer);
    if length > TRUSTED_READ_SIZE {
        let rest = size_of(file, name)?.saturating_sub(offset);
        length = length.min(usize::try_from(rest).unwrap_or(usize::MAX));
    }
    // The buffer's content is overwritten: no need to clear it.
    data.resize(length, 0);
    let mut filled = 0usize;
    while let Some(rest) = data.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(to_u64(filled));
        match read_some(file, rest, at) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::from_std(name, "read", &e)),
        }
    }
    data.truncate(filled);
    Ok(data)
}

/// Continues after a short write and after EINTR.
///
/// On Linux rustix makes the system call itself: libc's `write` and `pread` are cancellation
/// points, and in a process with threads that costs as much as half the call.
#[cfg(unix)]
fn append_all(file: &fs::File, data: &[u8]) -> io::Result<()> {
    let mut rest = data;
    while !rest.is_empty() {
        match rustix::io::write(file, rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn append_all(mut file: &fs::File, data: &[u8]) -> io::Result<()> {
    io::Write::write_all(&mut file, data)
}

#[cfg(unix)]
fn read_some(file: &fs::File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    // The kernel's offsets are signed: no file reaches further.
    if i64::try_from(offset).is_err() {
        return Ok(0);
    }
    Ok(rustix::io::pread(file, into, offset)?)
}

#[cfg(windows)]
fn read_some(file: &fs::File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, offset)
}

#[cfg(not(any(unix, windows)))]
fn read_some(mut file: &fs::File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read(into)
}

fn size_of(file: &fs::File, name: &str) -> Result<u64> {
    file.metadata().map(|m| m.len()).map_err(|e| Error::from_std(name, "size", &e))
}

fn path_of(directory: &Path, name: &str) -> Result<PathBuf> {
    check_name(name)?;
    Ok(directory.join(name))
}
