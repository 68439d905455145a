//! Instruments of tests (feature `testing`): a storage that fails as planned, and numbers drawn from a seed.

mod fault;
mod random;

pub use fault::{Call, FaultEnv, FaultKind, FaultRule, Operation, SectorFault};
pub(super) use random::Seeded;
