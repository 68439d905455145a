//! An open file.

use std::rc::Rc;

use super::content::{Content, read_content};
use super::database::{ChunkDatabase, is_lost, reconnect};
use super::directory::Directory;
use super::plan::Op;
use super::session::{Held, Session};
use crate::env::checked::opened_to_be_read;
use crate::env::{Access, Durability, File, Io};
use crate::error::{Error, Result};

/// A file of the owner.
pub(super) struct OwnedFile {
    held: Rc<Held>,
    name: Rc<str>,
    access: Access,
}

impl OwnedFile {
    pub(super) fn new(session: Rc<Session>, file: u64, name: &str, access: Access) -> Rc<OwnedFile> {
        Rc::new(OwnedFile { held: session.hold(file), name: name.into(), access })
    }

    fn session(&self) -> &Rc<Session> {
        &self.held.session
    }

    fn content(&self) -> Result<Content> {
        let size = self.session().stored(self.held.file)?.size;
        Ok(Content { file: self.held.file, name: self.name.clone(), size })
    }

    fn write(&self, operation: &'static str, op: Op) -> Io<u64> {
        if self.access == Access::Read {
            return Io::ready(Err(opened_to_be_read(&self.name, operation)));
        }
        let name = self.name.clone();
        self.session().submit(op).map(move |done| done.map_err(|error| named(error, &name, operation)))
    }

    fn append_as(&self, data: &[u8], is_strict: bool) -> Io<u64> {
        let mut copy = Vec::new();
        if copy.try_reserve_exact(data.len()).is_err() {
            return Io::ready(Err(Error::LimitExceeded(format!("no memory to append {} bytes", data.len()))));
        }
        copy.extend_from_slice(data);
        self.write("append", Op::Append { file: self.held.file, data: copy, is_strict })
    }
}

impl File for OwnedFile {
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        let content = match self.content() {
            Ok(content) => content,
            Err(error) => return Io::ready(Err(error)),
        };
        let length = content.part(offset, length);
        if length == 0 {
            return Io::ready(Ok(Vec::new()));
        }
        if let Some(bytes) = self.session().read_here(content.file, offset, length) {
            return Io::ready(Ok(bytes));
        }
        let held = self.held.clone();
        Io::pending(async move { held.session.read(&content, offset, length).await })
    }

    fn append(&self, data: &[u8]) -> Io<u64> {
        self.append_as(data, false)
    }

    fn append_before_sync(&self, data: &[u8]) -> Io<u64> {
        self.append_as(data, true)
    }

    fn sync(&self) -> Io<Durability> {
        let durability = self.session().database.durability();
        match self.session().check() {
            Err(error) => Io::ready(Err(error)),
            Ok(()) if self.session().is_flushed() => Io::ready(Ok(durability)),
            Ok(()) => {
                let name = self.name.clone();
                let synced = self.session().submit(Op::Sync);
                synced.map(move |done| done.map(|_| durability).map_err(|error| named(error, &name, "sync")))
            }
        }
    }

    fn truncate(&self, size: u64) -> Io<()> {
        self.write("truncate", Op::Truncate { file: self.held.file, size }).map(|done| done.map(drop))
    }

    fn size(&self) -> Io<u64> {
        Io::ready(self.content().map(|content| content.size))
    }
}

/// A file that is read without the lock.
pub(super) struct SeenFile {
    pub(super) database: Rc<dyn ChunkDatabase>,
    pub(super) content: Content,
}

impl SeenFile {
    /// Tells damage from a change that the owner has made since.
    async fn why(database: &dyn ChunkDatabase, content: &Content, error: Error) -> Error {
        let Ok(loaded) = database.load().await else { return error };
        let Ok((_, directory)) = Directory::of(loaded) else { return error };
        let is_same = directory.file(content.file).is_some_and(|stored| stored.size >= content.size);
        if is_same { error } else { Error::SourceChanged(format!("{} was removed by the owner", content.name)) }
    }
}

impl File for SeenFile {
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        let (database, content) = (self.database.clone(), self.content.clone());
        let length = content.part(offset, length);
        if length == 0 {
            return Io::ready(Ok(Vec::new()));
        }
        Io::pending(async move {
            let mut done = read_content(&*database, &content, offset, length).await;
            if matches!(&done, Err(error) if is_lost(error)) {
                reconnect(&*database, None).await?;
                done = read_content(&*database, &content, offset, length).await;
            }
            match done {
                Err(error @ Error::Corruption(_)) => Err(SeenFile::why(&*database, &content, error).await),
                done => done,
            }
        })
    }

    fn append(&self, _: &[u8]) -> Io<u64> {
        Io::ready(Err(opened_to_be_read(&self.content.name, "append")))
    }

    fn sync(&self) -> Io<Durability> {
        Io::ready(Ok(self.database.durability()))
    }

    fn truncate(&self, _: u64) -> Io<()> {
        Io::ready(Err(opened_to_be_read(&self.content.name, "truncate")))
    }

    fn size(&self) -> Io<u64> {
        Io::ready(Ok(self.content.size))
    }
}

/// The error with the name that the engine knows.
fn named(error: Error, name: &str, operation: &'static str) -> Error {
    match error {
        Error::Io(e) => Error::io(name, operation, e.kind, e.message),
        Error::Full(e) => Error::io(name, operation, e.kind, e.message),
        other => other,
    }
}
