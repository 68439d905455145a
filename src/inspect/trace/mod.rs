//! A look-up of one key, step by step, over files that the caller reads.
//!
//! ```text
//! requests   a storage whose reads are requests to the caller
//! logs       the logs, which stand for the memtables
//! path       what the engine's own look-up in the tables tells
//! step       one step of it, the answer, and the bill
//! tracer     logs, then tables -> answer
//! ```
//! The order of the search is the engine's: `Version::get`, with an observer. Damage on the way
//! makes the answer unknown, never "absent".

mod logs;
mod path;
mod requests;
mod step;
mod tracer;

pub use step::{Answer, Bill, LookupStep, Outcome, Trace};
pub use tracer::Tracer;
