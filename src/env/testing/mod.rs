//! Test instruments (feature `testing`): a storage with planned faults, and seeded random numbers.

mod fault;
mod random;

pub use fault::{Call, FaultEnv, FaultKind, FaultRule, Operation, SectorFault};
pub(super) use random::Seeded;
