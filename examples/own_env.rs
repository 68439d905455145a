//! A storage of your own: named byte vectors. `varve::env` has the contract that it keeps.
#![allow(clippy::print_stdout, reason = "an example")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::rc::Rc;

use varve::env::{Access, Durability, Env, File, FileKind, Io, NameEdit, check_name};
use varve::{Db, Error, Options, Result, block_on};

/// One file; handles that are open when its name is removed keep the bytes.
#[derive(Clone, Default)]
struct Bytes(Rc<RefCell<Vec<u8>>>);

impl File for Bytes {
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        Io::ready(Ok(self.0.borrow().iter().skip(skip).take(length).copied().collect()))
    }
    fn append(&self, data: &[u8]) -> Io<u64> {
        self.0.borrow_mut().extend_from_slice(data);
        Io::ready(Ok(data.len() as u64))
    }
    fn sync(&self) -> Io<Durability> {
        Io::ready(Ok(Durability::Volatile)) // A real storage returns when the bytes are on the disk.
    }
    fn truncate(&self, size: u64) -> Io<()> {
        self.0.borrow_mut().resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
        Io::ready(Ok(()))
    }
    fn size(&self) -> Io<u64> {
        Io::ready(Ok(self.0.borrow().len() as u64))
    }
}

/// The files by name. By the contract, `lock(false)` and `list` fail with `NotFound` before the first
/// `lock(true)`, and a file opened for reading refuses changes; the engine needs neither.
#[derive(Default)]
struct Shelf {
    files: RefCell<BTreeMap<String, Bytes>>,
    locked: Cell<bool>,
}

impl Shelf {
    fn edit(&self, edit: NameEdit) -> Result<()> {
        edit.check()?;
        let mut files = self.files.borrow_mut();
        match edit {
            NameEdit::Remove { name } => _ = files.remove(&name),
            NameEdit::Replace { name, content, .. } => _ = files.insert(name, Bytes(Rc::new(RefCell::new(content)))),
            NameEdit::Rename { from, to } => {
                let file = files.remove(&from).ok_or_else(|| missing(&from, "rename"))?;
                files.insert(to, file);
            }
        }
        Ok(())
    }
}

fn missing(name: &str, operation: &'static str) -> Error {
    Error::io(name, operation, ErrorKind::NotFound, "no such file")
}

impl Env for Shelf {
    fn lock(&self, _create: bool) -> Io<u64> {
        let held = self.locked.replace(true);
        Io::ready(if held { Err(Error::Locked("the shelf is in use".into())) } else { Ok(0) })
    }
    fn unlock(&self) {
        self.locked.set(false);
    }
    fn list(&self) -> Io<Vec<String>> {
        let files = self.files.borrow();
        Io::ready(Ok(files.keys().filter(|name| !name.starts_with("lost/")).cloned().collect()))
    }
    fn create(&self, name: &str, _kind: FileKind, _size_hint: u64) -> Io<Rc<dyn File>> {
        let file = Bytes::default();
        Io::ready(check_name(name).map(|()| {
            self.files.borrow_mut().insert(name.to_owned(), file.clone());
            Rc::new(file) as Rc<dyn File>
        }))
    }
    fn open(&self, name: &str, _access: Access) -> Io<Rc<dyn File>> {
        let found = self.files.borrow().get(name).cloned();
        Io::ready(found.map(|file| Rc::new(file) as Rc<dyn File>).ok_or_else(|| missing(name, "open")))
    }
    fn edit_names(&self, edits: Vec<NameEdit>) -> Io<()> {
        Io::ready(edits.into_iter().try_for_each(|edit| self.edit(edit)))
    }
    fn remove_place(&self) -> Io<()> {
        self.unlock();
        Io::ready(Ok(()))
    }
    fn durability(&self) -> Durability {
        Durability::Volatile
    }
    fn appends_are_exact(&self) -> bool {
        true
    }
}

fn main() -> Result<()> {
    let shelf = Rc::new(Shelf::default());
    block_on(async {
        let options = Options { create_if_missing: true, ..Options::default() };
        let db = Db::open(shelf.clone(), options.clone()).await?;
        db.put(b"lake", b"Suigetsu").await?;
        db.flush().await?;
        db.close().await?;
        let db = Db::open(shelf.clone(), options).await?;
        println!("{:?}", db.get(b"lake").await?.map(|value| value.escape_ascii().to_string()));
        println!("{:?}", shelf.list().await?);
        db.close().await
    })
}
