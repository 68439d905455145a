//! The border to JavaScript: a thin layer that converts and delegates.
//!
//! ```text
//! database.rs  class Database: over any storage, a value or a promise; the package speaks to it
//! cursor.rs    its iterators: entries in pages
//! archive.rs   databases out of zips and to them
//! events.rs    what happens inside, told to a function
//! info.rs      how a database is doing, as one object
//! db.rs        class Engine: the smallest border, over the storage in memory, in place of the above
//! options.rs   a plain object to Options
//! pause.rs     others' chance of the thread between slices of long calls
//! page.rs      entries packed into one array of bytes
//! inspect.rs   what the bytes of a file mean, without a database
//! error.rs     Error to a JavaScript Error with `code`, `file` and `offset`
//! ```
//! A panic would end the whole instance: nothing here unwraps, and every future is polled by `try_now` or becomes a promise.

#[cfg(feature = "package")]
mod archive;
#[cfg(feature = "package")]
mod cursor;
#[cfg(feature = "package")]
mod database;
#[cfg(not(feature = "package"))]
mod db;
mod error;
#[cfg(feature = "package")]
mod events;
#[cfg(feature = "package")]
mod info;
#[cfg(feature = "package")]
mod inspect;
mod options;
mod page;
#[cfg(feature = "package")]
mod pause;
