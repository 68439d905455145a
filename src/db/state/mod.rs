//! All mutable state of one open database, its invariants and its transitions.
//!
//! ```text
//! Inner   one open database: what stays as it was given at opening, and
//! State   what changes: each transition is a method that goes from valid state to valid state (transitions, validity)
//! View    what a read works on (reading)
//! ```
//! Fields of `State` are seen in this folder alone.

mod buffer;
mod inner;
mod manual;
mod reading;
mod transitions;
mod validity;

pub(crate) use buffer::{Buffer, Log};
pub(crate) use inner::Inner;
pub(crate) use manual::ManualCompaction;
pub(crate) use reading::View;
pub use transitions::DbState;
pub(crate) use transitions::{Files, State};
