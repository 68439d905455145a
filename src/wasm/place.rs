//! The location of a database: memory, raw files or IndexedDB of the browser, or a JavaScript storage.

use std::rc::Rc;

use wasm_bindgen::JsValue;

use super::error::to_js;
#[cfg(feature = "full")]
use crate::env::{ChunkEnv, chunk_database};
use crate::env::{Env, ForeignEnv, Io, MemoryEnv, PoolEnv, Storage, raw_files};
use crate::error::Result;

/// The location of a database.
#[derive(Clone)]
pub(super) enum Place {
    Memory(Rc<MemoryEnv>),
    Pool(Rc<PoolEnv>),
    #[cfg(feature = "full")]
    Chunks(Rc<ChunkEnv>),
    Foreign(Rc<ForeignEnv>),
}

impl Place {
    pub(super) fn of(storage: Option<Storage>) -> Result<Place, JsValue> {
        #[cfg(feature = "full")]
        if let Some(database) = storage.as_ref().and_then(chunk_database) {
            return Ok(Place::Chunks(Rc::new(ChunkEnv::new(database))));
        }
        Ok(match storage {
            None => Place::Memory(Rc::new(MemoryEnv::new())),
            Some(storage) => match raw_files(&storage) {
                Some(raw) => Place::Pool(Rc::new(PoolEnv::new(raw))),
                None => Place::Foreign(Rc::new(ForeignEnv::new(storage).map_err(|error| to_js(&error))?)),
            },
        })
    }

    pub(super) fn env(&self) -> Rc<dyn Env> {
        match self {
            Place::Memory(env) => env.clone(),
            Place::Pool(env) => env.clone(),
            #[cfg(feature = "full")]
            Place::Chunks(env) => env.clone(),
            Place::Foreign(env) => env.clone(),
        }
    }

    /// Links the file of that name of `source`, if both storages can.
    pub(super) fn link(&self, source: &Place, name: &str) -> Io<bool> {
        match (self, source) {
            (Place::Foreign(target), Place::Foreign(source)) => target.link(source, name),
            _ => Io::ready(Ok(false)),
        }
    }

    /// Returns `result` once the lock released on the way is free.
    pub(super) async fn released<T>(&self, result: Result<T>) -> Result<T> {
        if let Place::Foreign(env) = self {
            env.released().await;
        }
        result
    }
}
