//! A storage that fails, reports wrong results, stops or delays calls, as planned by a test.
//!
//! ```text
//! engine -> FaultEnv -> MemoryEnv        each call: count, find the rule, record it in the trace,
//!              rules, trace, pending polls           then perform it, fail or return a wrong result
//! ```

mod control;
mod env;
mod file;
mod rule;
mod trace;

pub use env::FaultEnv;
pub use rule::{FaultKind, FaultRule, Operation, SectorFault};
pub use trace::Call;
