//! The border to JavaScript: a thin layer that converts and delegates.
//!
//! ```text
//! db.rs        class Engine: one database over the storage in memory
//! options.rs   a plain object to Options
//! page.rs      entries packed into one array of bytes
//! error.rs     Error to a JavaScript Error with `code`, `file` and `offset`
//! ```
//! A panic would end the whole instance: nothing here unwraps, and every future is polled by `try_now`.

mod db;
mod error;
mod options;
mod page;
