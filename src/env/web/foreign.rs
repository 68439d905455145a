//! A storage written in JavaScript: `node:fs`, HTTP, or a user's own.
//!
//! `docs/border.md` describes the interface. Every method returns a value or a promise, from call
//! to call; a value is ready at once here too. Bytes are not copied at the border: JavaScript gets
//! a view of this module's memory, which is valid until it returns.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::answer::{answer, exact, number, promise};
use super::error::unexpected;
use crate::base::to_u64;
use crate::env::{Access, Durability, Env, File, FileKind, Io, NameEdit, check_name};
use crate::error::{Error, Result};

#[wasm_bindgen]
extern "C" {
    /// The storage object that a user passes.
    pub type Storage;
    #[wasm_bindgen(method, catch)]
    fn lock(this: &Storage, create: bool) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn unlock(this: &Storage) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn list(this: &Storage) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn create(this: &Storage, name: &str, kind: &str, size_hint: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn open(this: &Storage, name: &str, access: &str, size_hint: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = editNames)]
    fn edit_names(this: &Storage, edits: Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = removePlace)]
    fn remove_place(this: &Storage) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn link(this: &Storage, name: &str, source: &Storage) -> Result<JsValue, JsValue>;

    type StorageFile;
    #[wasm_bindgen(method, catch)]
    fn read(this: &StorageFile, offset: f64, into: &mut [u8]) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn append(this: &StorageFile, data: &[u8]) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn sync(this: &StorageFile) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn truncate(this: &StorageFile, size: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn size(this: &StorageFile) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn close(this: &StorageFile) -> Result<JsValue, JsValue>;
}

/// Longer reads are checked against the file's size before memory is allocated.
const TRUSTED_READ_SIZE: usize = 1 << 20;
/// JavaScript's numbers are exact up to here.
const EXACT_MAX: u64 = 1 << 53;

/// An Env over a JavaScript storage.
pub struct ForeignEnv {
    storage: Storage,
    durability: Durability,
    exact: bool,
    /// Whether the lock is ours: other users of the same storage object keep their lock.
    held: Rc<Cell<bool>>,
    /// The storage is releasing the lock.
    unlocking: RefCell<Option<Promise>>,
}

impl ForeignEnv {
    /// Wraps `storage`, whose `durability` and `appendsAreExact` are read now.
    pub fn new(storage: Storage) -> Result<ForeignEnv> {
        let property = |name: &str| Reflect::get(&storage, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED);
        let durability = property("durability").as_string();
        let durability = match durability.as_deref() {
            Some("volatile") => Durability::Volatile,
            Some("os-buffered") => Durability::OsBuffered,
            Some("durable") => Durability::Durable,
            _ => {
                let message = "a storage's durability is 'volatile', 'os-buffered' or 'durable'";
                return Err(Error::InvalidArgument(message.into()));
            }
        };
        let exact = property("appendsAreExact").as_bool().unwrap_or(false);
        Ok(ForeignEnv { storage, durability, exact, held: Rc::default(), unlocking: RefCell::default() })
    }

    /// Waits until the storage has released the lock, if it is doing so.
    pub(crate) async fn released(&self) {
        let unlocking = self.unlocking.take();
        if let Some(promise) = unlocking {
            // A failed release does not prevent taking the lock again.
            let _ = JsFuture::from(promise).await;
        }
    }

    /// Copies a file of `source` here by reference, under the same name.
    ///
    /// False if that is not possible.
    pub(crate) fn link(&self, source: &ForeignEnv, name: &str) -> Io<bool> {
        if !Reflect::get(&self.storage, &JsValue::from_str("link")).is_ok_and(|link| link.is_function()) {
            return Io::ready(Ok(false));
        }
        answer(self.storage.link(name, &source.storage), name, "link", |linked| Ok(linked.is_truthy()))
    }

    fn open_file(&self, name: &str, operation: &'static str, result: Result<JsValue, JsValue>) -> Io<Rc<dyn File>> {
        let (file_name, durability): (Rc<str>, _) = (name.into(), self.durability);
        answer(result, name, operation, move |value| {
            if !value.is_object() {
                return Err(unexpected(&file_name, operation, "a file"));
            }
            let handle = Rc::new(Handle(value.unchecked_into()));
            Ok(Rc::new(ForeignFile { handle, name: file_name, durability }) as Rc<dyn File>)
        })
    }
}

impl Env for ForeignEnv {
    fn lock(&self, create: bool) -> Io<u64> {
        let held = self.held.clone();
        answer(self.storage.lock(create), "the database", "lock", move |value| {
            held.set(true);
            Ok(exact(&value).unwrap_or(0))
        })
    }

    fn unlock(&self) {
        if !self.held.replace(false) {
            return;
        }
        if let Ok(value) = self.storage.unlock()
            && let Some(promise) = promise(&value)
        {
            let quiet = promise.clone();
            spawn_local(async move { drop(JsFuture::from(quiet).await) });
            self.unlocking.replace(Some(promise));
        }
    }

    fn list(&self) -> Io<Vec<String>> {
        answer(self.storage.list(), "the database", "list", |value| {
            if !Array::is_array(&value) {
                return Err(unexpected("the database", "list", "an array of names"));
            }
            let names = Array::from(&value);
            Ok(names.iter().filter_map(|name| name.as_string()).filter(|name| check_name(name).is_ok()).collect())
        })
    }

    fn create(&self, name: &str, kind: FileKind, size_hint: u64) -> Io<Rc<dyn File>> {
        if let Err(error) = check_name(name) {
            return Io::ready(Err(error));
        }
        let kind = match kind {
            FileKind::Log => "log",
            FileKind::Manifest => "manifest",
            FileKind::Table => "table",
        };
        self.open_file(name, "create", self.storage.create(name, kind, number(size_hint)))
    }

    fn open(&self, name: &str, access: Access) -> Io<Rc<dyn File>> {
        if let Err(error) = check_name(name) {
            return Io::ready(Err(error));
        }
        let access = if access == Access::Append { "append" } else { "read" };
        self.open_file(name, "open", self.storage.open(name, access, 0.0))
    }

    fn open_table(&self, name: &str, size: u64) -> Io<Rc<dyn File>> {
        if let Err(error) = check_name(name) {
            return Io::ready(Err(error));
        }
        self.open_file(name, "open", self.storage.open(name, "read", number(size)))
    }

    fn edit_names(&self, edits: Vec<NameEdit>) -> Io<()> {
        if let Some(error) = edits.iter().find_map(|edit| edit.check().err()) {
            return Io::ready(Err(error));
        }
        let subject = edits.first().map_or("the database", edited).to_string();
        let edits = edits.iter().map(edit_object).collect::<Array>();
        answer(self.storage.edit_names(edits), &subject, "change names", |_| Ok(()))
    }

    fn remove_place(&self) -> Io<()> {
        let held = self.held.clone();
        answer(self.storage.remove_place(), "the database", "remove", move |_| {
            held.set(false);
            Ok(())
        })
    }

    fn durability(&self) -> Durability {
        self.durability
    }

    fn appends_are_exact(&self) -> bool {
        self.exact
    }
}

impl Drop for ForeignEnv {
    fn drop(&mut self) {
        self.unlock();
    }
}

#[derive(Clone)]
struct ForeignFile {
    handle: Rc<Handle>,
    name: Rc<str>,
    durability: Durability,
}

/// Closes the file when its last user drops it.
struct Handle(StorageFile);

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.0.close();
    }
}

impl File for ForeignFile {
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        self.read_into(offset, length, Vec::new())
    }

    fn read_into(&self, offset: u64, length: usize, mut buffer: Vec<u8>) -> Io<Vec<u8>> {
        if offset >= EXACT_MAX {
            return Io::ready(Ok(Vec::new()));
        }
        let mut length = length;
        if length > TRUSTED_READ_SIZE {
            let Io::Ready(Some(Ok(size))) = self.size() else {
                return self.read_in_pieces(offset, length);
            };
            length = length.min(usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX));
        }
        // The buffer's content is overwritten: no need to clear it.
        buffer.resize(length, 0);
        let result = self.handle.0.read(number(offset), &mut buffer);
        if let Ok(value) = &result
            && let Some(count) = exact(value).and_then(|count| usize::try_from(count).ok())
        {
            if count > length {
                return Io::ready(Err(unexpected(&self.name, "read", "at most as many bytes as were asked for")));
            }
            buffer.truncate(count);
            return Io::ready(Ok(buffer));
        }
        drop(buffer);
        let name = self.name.clone();
        answer(result, &self.name, "read", move |value| match value.dyn_ref::<Uint8Array>() {
            Some(bytes) if to_u64(length) >= u64::from(bytes.length()) => Ok(bytes.to_vec()),
            _ => Err(unexpected(&name, "read", "the bytes that were asked for, or fewer")),
        })
    }

    fn append(&self, data: &[u8]) -> Io<u64> {
        let name = self.name.clone();
        answer(self.handle.0.append(data), &self.name, "append", move |value| {
            exact(&value).ok_or_else(|| unexpected(&name, "append", "how many bytes were taken"))
        })
    }

    fn sync(&self) -> Io<Durability> {
        let durability = self.durability;
        answer(self.handle.0.sync(), &self.name, "sync", move |_| Ok(durability))
    }

    fn truncate(&self, size: u64) -> Io<()> {
        answer(self.handle.0.truncate(number(size)), &self.name, "truncate", |_| Ok(()))
    }

    fn size(&self) -> Io<u64> {
        let name = self.name.clone();
        answer(self.handle.0.size(), &self.name, "size", move |value| {
            exact(&value).ok_or_else(|| unexpected(&name, "size", "a number of bytes"))
        })
    }
}

impl ForeignFile {
    /// A long read of a file of unknown size: memory is allocated only as bytes arrive.
    fn read_in_pieces(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        let part = self.clone();
        Io::pending(async move {
            let mut data = Vec::new();
            while data.len() < length {
                let piece = (length - data.len()).min(TRUSTED_READ_SIZE);
                let at = offset.saturating_add(to_u64(data.len()));
                let bytes = part.read_at(at, piece).await?;
                data.extend_from_slice(&bytes);
                if bytes.len() < piece {
                    break;
                }
            }
            Ok(data)
        })
    }
}

fn edited(edit: &NameEdit) -> &str {
    match edit {
        NameEdit::Rename { from, .. } => from,
        NameEdit::Remove { name } | NameEdit::Replace { name, .. } => name,
    }
}

fn edit_object(edit: &NameEdit) -> JsValue {
    let object = Object::new();
    let set = |name: &str, value: JsValue| {
        let _ = Reflect::set(&object, &JsValue::from_str(name), &value);
    };
    match edit {
        NameEdit::Rename { from, to } => {
            set("type", "rename".into());
            set("from", from.into());
            set("to", to.into());
        }
        NameEdit::Remove { name } => {
            set("type", "remove".into());
            set("name", name.into());
        }
        NameEdit::Replace { name, via, content } => {
            set("type", "replace".into());
            set("name", name.into());
            set("via", via.into());
            set("content", Uint8Array::from(&content[..]).into());
        }
    }
    object.into()
}
