//! Imports a database from a zip into a storage without one.
//!
//! The name of an entry determines how it is handled:
//!
//! ```text
//! CURRENT  MANIFEST-n  n.log  n.ldb  n.sst          written, if all are in one folder
//! LOCK  LOG  LOG.old  n.dbtmp  n.log.damaged
//! lost/*  __MACOSX/*  .DS_Store  Thumbs.db
//! desktop.ini  a folder                             ignored
//! anything else                                     an error
//! ```
//! An absolute name, one with `..`, and one with a backslash, a colon or a control character is
//! refused too. Files are written and synced one by one, CURRENT last: before it, there is no
//! database. After a failure nothing is left.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::reader::{Entry, Limits, Step, ZipReader, shown, wrong};
use crate::base::{FileKind, FileName, FileNumber, to_u64};
use crate::env::{Env, File, NameEdit, append_checked};
use crate::error::{Error, Result};

/// Limit of the size of CURRENT.
const CURRENT_SIZE_MAX: usize = 4096;
/// Content written at once, before other tasks run.
const SLICE: u64 = 1 << 20;

/// An import in progress.
pub(crate) struct Import {
    env: Rc<dyn Env>,
    /// `None` while it is working, and after its end.
    work: RefCell<Option<Box<Work>>>,
}

struct Work {
    zip: ZipReader,
    /// Bytes of the archive not processed yet.
    bytes: Vec<u8>,
    piece: Vec<u8>,
    target: Target,
    /// The folder of the database in the archive.
    folder: Option<Vec<u8>>,
    /// File numbers, by kind: each must be unique.
    numbers: [BTreeSet<FileNumber>; 3],
    current: Option<Vec<u8>>,
    /// Names to remove if the import fails.
    written: Vec<String>,
    locked: bool,
    /// The directory was created by this import.
    made_place: bool,
}

/// The destination of content.
enum Target {
    Nowhere,
    Current,
    File { name: String, file: Rc<dyn File>, size: u64 },
}

impl Import {
    /// Imports into `env`, which must not contain a database.
    pub(crate) fn new(env: Rc<dyn Env>, limits: Limits) -> Import {
        let work = Work {
            zip: ZipReader::new(limits),
            bytes: Vec::new(),
            piece: Vec::new(),
            target: Target::Nowhere,
            folder: None,
            numbers: Default::default(),
            current: None,
            written: Vec::new(),
            locked: false,
            made_place: false,
        };
        Import { env, work: RefCell::new(Some(Box::new(work))) }
    }

    /// Processes the next `bytes` of the archive; `last` marks its end.
    ///
    /// True: more bytes are needed, or everything is written and durable; false: call again without
    /// bytes. After an error nothing is left of the import.
    pub(crate) async fn feed(&self, bytes: &[u8], last: bool) -> Result<bool> {
        let taken = self.work.take();
        let Some(mut work) = taken else { return Err(Error::Closed) };
        work.bytes.extend_from_slice(bytes);
        match work.go_on(&*self.env, last).await {
            Ok(true) if last => work.unlock(&*self.env),
            Ok(more) => {
                self.work.replace(Some(work));
                return Ok(more);
            }
            Err(error) => {
                work.clean_up(&*self.env).await;
                return Err(error);
            }
        }
        Ok(true)
    }

    /// Abandons the import, and leaves nothing.
    pub(crate) async fn abort(&self) {
        let taken = self.work.take();
        if let Some(mut work) = taken {
            work.clean_up(&*self.env).await;
        }
    }
}

impl Work {
    /// Works until the bytes are processed, or much was written.
    async fn go_on(&mut self, env: &dyn Env, last: bool) -> Result<bool> {
        if !self.locked {
            self.take_place(env).await?;
        }
        let (mut at, mut written) = (0, 0u64);
        let done = loop {
            if written >= SLICE {
                break false;
            }
            let bytes = self.bytes.get(at..).unwrap_or_default();
            let (used, step) = self.zip.step(bytes, last, &mut self.piece)?;
            at += used;
            match step {
                Step::More if used == 0 => break true,
                Step::More => {}
                Step::Entry(entry) => self.begin(env, &entry).await?,
                Step::Piece => {
                    written = written.saturating_add(to_u64(self.piece.len()));
                    self.write(env).await?;
                }
                Step::EntryEnd => {
                    if let Target::File { file, .. } = std::mem::replace(&mut self.target, Target::Nowhere) {
                        file.sync().await?;
                    }
                }
                Step::End => {
                    self.switch(env).await?;
                    break true;
                }
            }
        };
        self.bytes.drain(..at.min(self.bytes.len()));
        Ok(done)
    }

    /// Takes the lock of a place without a database, and creates the place if necessary.
    async fn take_place(&mut self, env: &dyn Env) -> Result<()> {
        match env.lock(false).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => {
                env.lock(true).await?;
                self.made_place = true;
            }
            Err(error) => return Err(error),
        }
        self.locked = true;
        let names = env.list().await?;
        let ours =
            |name: &&String| FileName::parse(name).is_some_and(|n| n != FileName::Lock && n != FileName::InfoLog);
        match names.iter().find(ours) {
            Some(name) => Err(Error::InvalidArgument(format!("the target already has files of a database: {name}"))),
            None => Ok(()),
        }
    }

    async fn begin(&mut self, env: &dyn Env, entry: &Entry) -> Result<()> {
        let refuse = |reason: &str| wrong(&shown(&entry.name), entry.offset, reason);
        let Content::File(name, kind, folder) = classify(&entry.name).map_err(refuse)? else { return Ok(()) };
        if *self.folder.get_or_insert_with(|| folder.to_vec()) != folder {
            return Err(refuse("the entry is not in the same folder as the files before it"));
        }
        let [manifests, logs, tables] = &mut self.numbers;
        let (numbers, kind, number) = match kind {
            FileName::Manifest(number) => (manifests, FileKind::Manifest, number),
            FileName::Log(number) => (logs, FileKind::Log, number),
            FileName::Table(number) => (tables, FileKind::Table, number),
            _ if self.current.is_none() => {
                self.current = Some(Vec::new());
                self.target = Target::Current;
                return Ok(());
            }
            _ => return Err(refuse("there are two entries with this name")),
        };
        if !numbers.insert(number) {
            return Err(refuse("there are two entries with this name"));
        }
        self.written.push(name.to_owned());
        let file = env.create(name, kind, entry.size).await?;
        self.target = Target::File { name: name.to_owned(), file, size: 0 };
        Ok(())
    }

    async fn write(&mut self, env: &dyn Env) -> Result<()> {
        match &mut self.target {
            Target::Nowhere => {}
            Target::Current => {
                let content = self.current.get_or_insert_default();
                if content.len().saturating_add(self.piece.len()) > CURRENT_SIZE_MAX {
                    return Err(wrong("CURRENT", 0, "it is too long"));
                }
                content.extend_from_slice(&self.piece);
            }
            Target::File { name, file, size } => {
                *size = size.saturating_add(to_u64(self.piece.len()));
                append_checked(env, &**file, name, &self.piece, *size).await?;
            }
        }
        Ok(())
    }

    /// Makes all names durable, then writes CURRENT, which completes the database.
    async fn switch(&mut self, env: &dyn Env) -> Result<()> {
        let Some(content) = self.current.take() else {
            return Err(wrong("archive", 0, "it has no CURRENT, so it contains no database"));
        };
        let named =
            content.strip_suffix(b"\n").and_then(|name| std::str::from_utf8(name).ok()).and_then(FileName::parse);
        let [manifests, ..] = &self.numbers;
        let via = match named {
            Some(FileName::Manifest(number)) if manifests.contains(&number) => FileName::Temporary(number).to_string(),
            _ => return Err(wrong("CURRENT", 0, "it does not name a manifest that is in the archive")),
        };
        env.edit_names(Vec::new()).await?;
        let name = FileName::Current.to_string();
        self.written.extend([via.clone(), name.clone()]);
        env.edit_names(vec![NameEdit::Replace { name, via, content }]).await
    }

    /// Removes the import.
    ///
    /// Files that cannot be removed are harmless without CURRENT, which is removed first.
    async fn clean_up(&mut self, env: &dyn Env) {
        self.target = Target::Nowhere;
        while let Some(name) = self.written.pop() {
            let _ = env.edit_names(vec![NameEdit::Remove { name }]).await;
        }
        if self.made_place && env.remove_place().await.is_ok() {
            self.locked = false;
        }
        self.unlock(env);
    }

    fn unlock(&mut self, env: &dyn Env) {
        if std::mem::take(&mut self.locked) {
            env.unlock();
        }
    }
}

/// How an entry is handled.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// One of LevelDB's files, in this folder.
    File(&'a str, FileName, &'a [u8]),
    Nothing,
}

/// How the entry of this name is handled, or the error in its name.
pub(super) fn classify(name: &[u8]) -> Result<Content<'_>, &'static str> {
    if name.iter().any(|byte| *byte < 0x20 || *byte == 0x7f) {
        return Err("the name has a control character");
    }
    if name.iter().any(|byte| matches!(byte, b'\\' | b':')) {
        return Err("the name has a backslash or a colon");
    }
    let path = name.strip_prefix(b"./").unwrap_or(name);
    let is_folder = path.is_empty() || path.ends_with(b"/");
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let mut parts = path.split(|byte| *byte == b'/');
    if name != b"./" && parts.any(|part| part.is_empty() || part == b"." || part == b"..") {
        return Err("the name is absolute, contains .. or is empty");
    }
    let slash = path.iter().rposition(|byte| *byte == b'/');
    let (folder, file) = path.split_at(slash.map_or(0, |at| at + 1));
    let of_a_system = path.starts_with(b"__MACOSX/") || matches!(file, b".DS_Store" | b"Thumbs.db" | b"desktop.ini");
    if is_folder || of_a_system || folder == b"lost/" || folder.ends_with(b"/lost/") {
        return Ok(Content::Nothing);
    }
    let text = std::str::from_utf8(file).unwrap_or_default();
    match FileName::parse(text) {
        Some(FileName::Lock | FileName::InfoLog | FileName::Temporary(_)) => Ok(Content::Nothing),
        Some(kind) => Ok(Content::File(text, kind, folder)),
        None if text.ends_with(".log.damaged") => Ok(Content::Nothing),
        None => Err("this is not a LevelDB file"),
    }
}
