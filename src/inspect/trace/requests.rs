//! A storage whose files the caller reads: a read is pending until its bytes are fed.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::rc::Rc;
use std::task::Poll;

use crate::env::{Access, Durability, Env, File, FileKind, Io, NameEdit};
use crate::error::{Error, Result};

/// Bytes of a file that are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) file: usize,
    pub(super) offset: u64,
    pub(super) length: usize,
}

/// The files, and the read that waits. The engine makes one at a time.
#[derive(Debug, Default)]
pub(super) struct Requests {
    files: Vec<(String, u64)>,
    wanted: Option<Request>,
    fed: Option<Result<Vec<u8>, String>>,
}

pub(super) type Shared = Rc<RefCell<Requests>>;

impl Requests {
    pub(super) fn new(files: Vec<(String, u64)>) -> Shared {
        Rc::new(RefCell::new(Requests { files, wanted: None, fed: None }))
    }

    pub(super) fn wanted(&self) -> Option<Request> {
        self.wanted
    }

    /// Answers the request with the bytes that could be read, or why none could.
    pub(super) fn feed(&mut self, answer: Result<Vec<u8>, String>) {
        if self.wanted.take().is_some() {
            self.fed = Some(answer);
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.files.iter().position(|(known, _)| known == name)
    }
}

/// Reads bytes of a file; fewer if it ends before, or the rest cannot be read.
pub(super) async fn read(shared: &Shared, file: usize, offset: u64, length: usize) -> Result<Vec<u8>> {
    let (name, size) = shared.borrow().files.get(file).cloned().unwrap_or_default();
    let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
    let request = Request { file, offset, length: length.min(left) };
    if request.length == 0 {
        return Ok(Vec::new());
    }
    shared.borrow_mut().wanted = Some(request);
    let answer = poll_fn(|_| match shared.borrow_mut().fed.take() {
        Some(answer) => Poll::Ready(answer),
        None => Poll::Pending,
    });
    let mut bytes = answer.await.map_err(|reason| Error::io(name, "read", ErrorKind::Other, reason))?;
    bytes.truncate(request.length);
    Ok(bytes)
}

/// The storage.
pub(super) struct RequestEnv(pub(super) Shared);

struct RequestFile {
    shared: Shared,
    file: usize,
}

impl File for RequestFile {
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        let (shared, file) = (self.shared.clone(), self.file);
        Io::pending(async move { read(&shared, file, offset, length).await })
    }

    fn append(&self, _: &[u8]) -> Io<u64> {
        refused()
    }

    fn sync(&self) -> Io<Durability> {
        refused()
    }

    fn truncate(&self, _: u64) -> Io<()> {
        refused()
    }

    fn size(&self) -> Io<u64> {
        let size = self.shared.borrow().files.get(self.file).map_or(0, |(_, size)| *size);
        Io::ready(Ok(size))
    }
}

impl Env for RequestEnv {
    fn lock(&self, _: bool) -> Io<u64> {
        refused()
    }

    fn unlock(&self) {}

    fn list(&self) -> Io<Vec<String>> {
        Io::ready(Ok(self.0.borrow().files.iter().map(|(name, _)| name.clone()).collect()))
    }

    fn create(&self, _: &str, _: FileKind, _: u64) -> Io<Rc<dyn File>> {
        refused()
    }

    fn open(&self, name: &str, _: Access) -> Io<Rc<dyn File>> {
        let found = self.0.borrow().find(name);
        Io::ready(match found {
            Some(file) => Ok(Rc::new(RequestFile { shared: self.0.clone(), file })),
            None => Err(Error::io(name, "open", ErrorKind::NotFound, "the file is missing")),
        })
    }

    fn edit_names(&self, _: Vec<NameEdit>) -> Io<()> {
        refused()
    }

    fn remove_place(&self) -> Io<()> {
        refused()
    }

    fn durability(&self) -> Durability {
        Durability::Volatile
    }

    fn appends_are_exact(&self) -> bool {
        true
    }
}

fn refused<T>() -> Io<T> {
    Io::ready(Err(Error::NotSupported("files are only read".to_owned())))
}
