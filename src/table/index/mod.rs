//! Finds the block of a key.
//!
//! ```text
//! index block -> accelerator    the first differing bytes of its keys as numbers, its handles decoded
//! ```

mod accelerator;

pub(in crate::table) use accelerator::Finder;
