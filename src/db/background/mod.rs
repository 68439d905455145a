//! Flushes and compactions, run in small steps.
//!
//! ```text
//! writers, the host, flush, compact_range -> slice -> job
//! job: build tables -> apply the edit -> remove files
//! ```

mod apply;
mod jobs;
mod maintenance;
mod slices;

pub(crate) use apply::{log_and_apply, log_and_apply_unless, new_file};
pub(crate) use jobs::{handle_failure, next_job};
pub(crate) use maintenance::{catch_up, compact_range, flush_memtables, resume, shorten_logs};
pub(crate) use slices::{has_work, poll_slice, tidy};
