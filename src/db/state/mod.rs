//! All mutable state of one open database, its invariants and its transitions.
//!
//! ```text
//! Inner   one open database: the parts fixed at opening, and
//! State   the parts that change: each transition is a method (transitions, validity)
//! View    the state that a read works on (reading)
//! ```
//! Fields of `State` are visible in this folder only.

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
