//! The border to JavaScript: a thin layer that converts and delegates.
//!
//! ```text
//! open.rs      opens and removes databases
//! database.rs  class Database: over any storage, a value or a promise
//! cursor.rs    its iterators: entries in pages
//! export.rs    its copies: to zips, and to other storages
//! watch.rs     committed changes, as they happen
//! events.rs    events of the engine, passed to a function
//! info.rs      the state of a database as one object
//! place.rs     where a database is
//! regions.rs   memory regions for arguments and results
//! packed.rs    keys and values packed into one array of bytes
//! page.rs      entries packed into one array of bytes
//! options.rs   a plain object to Options
//! pause.rs     lets the host run other tasks during long calls
//! error.rs     Error to a JavaScript Error with `code`, `file` and `offset`
//! ```
//! Only in the full module:
//!
//! ```text
//! repair.rs    checks and rebuilds databases that are not open
//! salvage.rs   makes a new database of what can be read of a damaged one
//! import.rs    imports databases from zips
//! keys.rs      orders keys, and explains those of well-known applications
//! inspect.rs   explains the bytes of a file without a database
//! unzip.rs     lists the entries of a zip, and reads one of them
//! filter.rs    the filters of a table, and which bits a key asks for
//! trace.rs     traces look-ups in files
//! sha256.rs    the digest of a file that is given in parts
//! origin.rs    the names of databases of this origin, out of bytes
//! panic.rs     the message of a panic
//! ```
//! A panic would end the whole instance: nothing here unwraps, and every future is polled by
//! `try_now` or becomes a promise.

mod cursor;
mod database;
mod error;
mod events;
mod export;
#[cfg(feature = "full")]
mod filter;
#[cfg(feature = "full")]
mod import;
mod info;
#[cfg(feature = "full")]
mod inspect;
#[cfg(feature = "full")]
mod keys;
mod open;
mod options;
#[cfg(feature = "full")]
mod origin;
mod packed;
mod page;
#[cfg(feature = "full")]
mod panic;
mod pause;
mod place;
mod regions;
#[cfg(feature = "full")]
mod repair;
#[cfg(feature = "full")]
mod salvage;
#[cfg(feature = "full")]
mod sha256;
#[cfg(feature = "full")]
mod trace;
#[cfg(feature = "full")]
mod unzip;
mod watch;
