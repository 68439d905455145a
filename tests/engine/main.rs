//! The engine's tests, a module for each family.

mod common;
mod oracle;
mod regressions;
