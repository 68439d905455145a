//! Named files as chunks in transactions, for browsers that have no private files: IndexedDB.
//!
//! ```text
//! head    who owns the database, how many transactions there were     (layout.rs)
//! files   number -> name and size
//! chunks  number, chunk -> 32 KiB; pieces of the last chunk
//! ```
//! A transaction is atomic, and all that changed with one another is in one: content, sizes and names.
//! It is *strict* (flushed) exactly if a sync was asked for, or names that are durable; a strict
//! transaction also flushes those before it. Calls are never ready at once, but for reads from memory.
//!
//! Nothing but the head keeps two owners apart: each transaction checks that it is the one that this
//! owner wrote last. So does an owner whose connection was lost, to learn whether its last transaction
//! is complete.

mod cache;
mod commit;
mod content;
mod database;
mod directory;
mod doubt;
mod file;
mod layout;
#[cfg(feature = "testing")]
mod model;
mod plan;
mod request;
mod session;
#[cfg(feature = "testing")]
mod stores;
mod view;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

pub use database::{Change, ChunkDatabase, Commit, Loaded, Row, Written, lost};
#[cfg(feature = "testing")]
pub use model::{ChunkCounts, ChunkFault, ChunkModel};
pub use view::{CHUNK_BYTES, ChunkName, ChunkNames, chunk_file_size, chunk_names};

use self::content::Content;
use self::database::{connect, is_lost, reconnect};
use self::directory::Directory;
use self::file::{OwnedFile, SeenFile};
use self::plan::Op;
use self::session::Session;
use super::{Access, Durability, Env, File, FileKind, Io, NameEdit, check_name};
use crate::error::{Error, Result};

/// A storage in a database of chunks.
pub struct ChunkEnv {
    inner: Rc<Inner>,
}

struct Inner {
    database: Rc<dyn ChunkDatabase>,
    /// While the lock is held.
    session: RefCell<Option<Rc<Session>>>,
}

impl ChunkEnv {
    /// The storage in `database`.
    pub fn new(database: Rc<dyn ChunkDatabase>) -> ChunkEnv {
        ChunkEnv { inner: Rc::new(Inner { database, session: RefCell::default() }) }
    }

    /// Whether a synced write survives a power failure. Not once the quota or disk was full: Chromium
    /// then goes on writing behind a damaged record, and drops the database when it starts again.
    pub fn is_settled(&self) -> bool {
        self.inner.session.borrow().as_ref().is_none_or(|session| !session.was_full())
    }
}

impl Inner {
    fn session(&self) -> Result<Rc<Session>> {
        self.session.borrow().clone().ok_or(Error::Closed)
    }

    fn unlock(&self) {
        if let Some(session) = self.session.take() {
            session.close();
            self.database.release();
        }
    }

    async fn lock(self: Rc<Inner>, create: bool) -> Result<u64> {
        if self.session.borrow().is_some() {
            return Err(Error::Locked("the database is already open here".to_owned()));
        }
        self.database.acquire().await?;
        match Session::begin(self.database.clone(), create).await {
            Ok((session, epoch)) => {
                self.session.replace(Some(session));
                Ok(epoch)
            }
            Err(error) => {
                self.database.disconnect();
                self.database.release();
                Err(error)
            }
        }
    }

    /// The files as they are now, without the lock.
    async fn look(&self) -> Result<Directory> {
        let loaded = match connect(&*self.database, None).await {
            Err(error) if is_lost(&error) => reconnect(&*self.database, None).await?,
            loaded => loaded?,
        };
        Directory::of(loaded).map(|(_, directory)| directory)
    }

    fn open(self: &Rc<Inner>, name: &str, access: Access) -> Io<Rc<dyn File>> {
        if let Ok(session) = self.session() {
            return open_owned(session, name, access);
        }
        let (inner, name) = (self.clone(), name.to_owned());
        Io::pending(async move {
            let directory = inner.look().await?;
            let found = directory.find(&name).and_then(|file| Some((file, directory.file(file)?)));
            let (file, stored) = found.ok_or_else(|| not_found(&name))?;
            let content = Content { file, name: name.into(), size: stored.size };
            Ok(Rc::new(SeenFile { database: inner.database.clone(), content }) as Rc<dyn File>)
        })
    }

    async fn remove_place(self: Rc<Inner>) -> Result<()> {
        if self.session.borrow().is_none() {
            self.clone().lock(false).await?;
        }
        let session = self.session()?;
        let is_empty = session.with(|directory| Ok(directory.is_empty()))?;
        if is_empty {
            session.close();
            // Under the lock, so that no other owner comes between.
            let removed = self.database.remove().await;
            self.session.take();
            self.database.release();
            return removed;
        }
        self.unlock();
        Ok(())
    }
}

fn open_owned(session: Rc<Session>, name: &str, access: Access) -> Io<Rc<dyn File>> {
    let find =
        |session: &Session, name: &str| session.with(|directory| directory.find(name).ok_or_else(|| not_found(name)));
    match find(&session, name) {
        // Its content goes with the transaction that is under way; if that fails, it stays.
        Ok(file) if session.is_going(file) => {
            let name = name.to_owned();
            session.submit(Op::Wait).map(move |_| {
                let file = find(&session, &name)?;
                Ok(OwnedFile::new(session, file, &name, access) as Rc<dyn File>)
            })
        }
        found => Io::ready(found.map(|file| OwnedFile::new(session, file, name, access) as Rc<dyn File>)),
    }
}

fn not_found(name: &str) -> Error {
    Error::io(name, "open", ErrorKind::NotFound, "there is no such file")
}

impl Env for ChunkEnv {
    fn lock(&self, create: bool) -> Io<u64> {
        Io::pending(self.inner.clone().lock(create))
    }

    fn unlock(&self) {
        self.inner.unlock();
    }

    fn list(&self) -> Io<Vec<String>> {
        if let Ok(session) = self.inner.session() {
            return Io::ready(session.with(|directory| Ok(directory.listed())));
        }
        let inner = self.inner.clone();
        Io::pending(async move { inner.look().await.map(|directory| directory.listed()) })
    }

    fn create(&self, name: &str, _: FileKind, _: u64) -> Io<Rc<dyn File>> {
        let session = match check_name(name).and_then(|()| self.inner.session()) {
            Ok(session) => session,
            Err(error) => return Io::ready(Err(error)),
        };
        let created = session.submit(Op::Create { name: name.to_owned() });
        let name = name.to_owned();
        created.map(move |file| Ok(OwnedFile::new(session, file?, &name, Access::Append) as Rc<dyn File>))
    }

    fn open(&self, name: &str, access: Access) -> Io<Rc<dyn File>> {
        match check_name(name) {
            Ok(()) => self.inner.open(name, access),
            Err(error) => Io::ready(Err(error)),
        }
    }

    fn edit_names(&self, edits: Vec<NameEdit>) -> Io<()> {
        let checked = edits.iter().try_for_each(NameEdit::check).and_then(|()| self.inner.session());
        match checked {
            Err(error) => Io::ready(Err(error)),
            Ok(session) if edits.is_empty() && session.is_flushed() => Io::ready(session.check()),
            Ok(session) => session.submit(Op::EditNames(edits)).map(|done| done.map(drop)),
        }
    }

    fn remove_place(&self) -> Io<()> {
        Io::pending(self.inner.clone().remove_place())
    }

    fn durability(&self) -> Durability {
        self.inner.database.durability()
    }

    fn appends_are_exact(&self) -> bool {
        true
    }

    fn appends_are_atomic(&self) -> bool {
        true
    }
}

impl Drop for ChunkEnv {
    fn drop(&mut self) {
        self.inner.unlock();
    }
}
