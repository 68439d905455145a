//! Raw files of the origin private file system (OPFS), for the pool.
//!
//! JavaScript opens and closes them (`src/js/storage/browser/opfs.js`), so that it can close every one
//! when an instance has failed. Reads, writes and flushes are calls of the open handle.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use js_sys::{Array, Date, Math, Promise};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{FileSystemReadWriteOptions, FileSystemSyncAccessHandle};

use super::answer::{answer, exact, number};
use super::error::{to_error, unexpected};
use super::foreign::Storage;
use crate::env::{Durability, Io, RawDirectory, RawFile};
use crate::error::Result;

#[wasm_bindgen]
extern "C" {
    /// The files of one directory.
    #[derive(Clone)]
    pub type OpfsFiles;
    #[wasm_bindgen(method, getter, js_name = isRaw)]
    fn is_raw(this: &OpfsFiles) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn reserves(this: &OpfsFiles) -> JsValue;
    #[wasm_bindgen(method, catch)]
    fn acquire(this: &OpfsFiles) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = letIn)]
    fn let_in(this: &OpfsFiles) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn list(this: &OpfsFiles, create: bool) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn open(this: &OpfsFiles, name: &str, create: bool) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn close(this: &OpfsFiles, handle: &FileSystemSyncAccessHandle) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn remove(this: &OpfsFiles, name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = removeAll)]
    fn remove_all(this: &OpfsFiles) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn pause(this: &OpfsFiles, ms: f64) -> Result<JsValue, JsValue>;
}

/// `storage` as a directory of raw files, if it is one.
pub(crate) fn raw_files(storage: &Storage) -> Option<Rc<dyn RawDirectory>> {
    let files: &OpfsFiles = storage.unchecked_ref();
    files.is_raw().is_truthy().then(|| Rc::new(OpfsDirectory(files.clone())) as Rc<dyn RawDirectory>)
}

/// The raw files of `storage`, an `OpfsFiles`, for tests.
#[cfg(feature = "testing")]
pub fn opfs_directory(storage: JsValue) -> Option<Rc<dyn RawDirectory>> {
    raw_files(&storage.unchecked_into())
}

struct OpfsDirectory(OpfsFiles);

impl RawDirectory for OpfsDirectory {
    fn acquire(&self) -> Io<()> {
        answer(self.0.acquire(), "the database", "lock", |_| Ok(()))
    }

    fn release(&self) {
        let _ = self.0.let_in();
    }

    fn list(&self, create: bool) -> Io<Vec<String>> {
        answer(self.0.list(create), "the database", "list", |value| {
            Ok(Array::from(&value).iter().filter_map(|name| name.as_string()).collect())
        })
    }

    fn open(&self, name: &str, create: bool) -> Io<Rc<dyn RawFile>> {
        let (files, file_name): (_, Rc<str>) = (self.0.clone(), name.into());
        answer(self.0.open(name, create), name, "open", move |value| {
            let handle = value.unchecked_into();
            let options = FileSystemReadWriteOptions::new();
            Ok(Rc::new(OpfsFile { files, handle, options, name: file_name }) as Rc<dyn RawFile>)
        })
    }

    fn remove(&self, name: &str) -> Io<()> {
        answer(self.0.remove(name), name, "remove", |_| Ok(()))
    }

    fn remove_all(&self) -> Io<()> {
        answer(self.0.remove_all(), "the database", "remove", |_| Ok(()))
    }

    fn now(&self) -> u64 {
        exact(&Date::now().floor().into()).unwrap_or(0)
    }

    fn unique(&self) -> u64 {
        let half = || exact(&(Math::random() * 4_294_967_296.0).floor().into()).unwrap_or(0);
        (half() << 32) | half()
    }

    fn run_later(&self, delay: u64, work: Pin<Box<dyn Future<Output = ()>>>) {
        let pause: Option<Promise> = self.0.pause(number(delay)).ok().and_then(|value| value.dyn_into().ok());
        spawn_local(async move {
            // It rejects when all files are closed.
            if let Some(pause) = pause
                && JsFuture::from(pause).await.is_ok()
            {
                work.await;
            }
        });
    }

    fn durability(&self) -> Durability {
        Durability::Durable
    }

    fn reserves(&self) -> bool {
        self.0.reserves().is_truthy()
    }
}

struct OpfsFile {
    files: OpfsFiles,
    handle: FileSystemSyncAccessHandle,
    options: FileSystemReadWriteOptions,
    name: Rc<str>,
}

impl OpfsFile {
    fn failed(&self, operation: &'static str) -> impl FnOnce(JsValue) -> crate::error::Error + '_ {
        move |thrown| to_error(&thrown, &self.name, operation)
    }

    fn counted(&self, count: f64, operation: &'static str) -> Result<u64> {
        exact(&count.into()).ok_or_else(|| unexpected(&self.name, operation, "a number of bytes"))
    }
}

impl RawFile for OpfsFile {
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.options.set_at(number(offset));
        let count = self.handle.read_with_u8_array_and_options(into, &self.options).map_err(self.failed("read"))?;
        Ok(usize::try_from(self.counted(count, "read")?).unwrap_or(usize::MAX))
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<u64> {
        self.options.set_at(number(offset));
        let count = self.handle.write_with_u8_array_and_options(data, &self.options).map_err(self.failed("write"))?;
        // A count that is no number is no proof either: see what the size says.
        Ok(self.counted(count, "write").unwrap_or(0))
    }

    fn size(&self) -> Result<u64> {
        let size = self.handle.get_size().map_err(self.failed("size"))?;
        self.counted(size, "size")
    }

    fn truncate(&self, size: u64) -> Result<()> {
        self.handle.truncate_with_f64(number(size)).map_err(self.failed("truncate"))
    }

    fn flush(&self) -> Result<()> {
        self.handle.flush().map_err(self.failed("flush"))
    }
}

impl Drop for OpfsFile {
    fn drop(&mut self) {
        let _ = self.files.close(&self.handle);
    }
}
