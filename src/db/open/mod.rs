//! Opens databases, and repairs those that cannot be opened.
//!
//! ```text
//! lock -> CURRENT, manifest -> files -> logs: replay, verdict on each -> install -> open
//! ```

mod check;
mod discover;
mod files_on_storage;
mod install;
mod opening;
mod repair;
mod replay;
mod source;
mod verdict;

pub(crate) use discover::FILE_NUMBER_MAX;
pub(crate) use files_on_storage::FilesOnStorage;
pub(crate) use opening::open;
pub use repair::{AtRisk, LostRange, RecoveredFile, Remark, RepairReport, Strictness, UnusedFile, repair, repair_as};
pub(crate) use repair::{Details, rebuild};
pub(crate) use source::{ATTEMPTS, Stamp, changed};
