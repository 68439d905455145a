//! The write path: writers queue, and the first one's group shares a log record and a flush.
//!
//! ```text
//! write -> queue -> [ make room -> log record -> flush if asked -> memtable ] -> acknowledged
//!                   '------------- one commit at a time ------------------'
//! ```

mod clear;
mod commit;
mod pacing;
mod queue;
mod room;
mod submit;
mod ticket;
mod wal;

pub(crate) use commit::next_commit;
pub(crate) use queue::{nobody_writes, rotate_in_turn};
pub(crate) use submit::{clear, write, write_checked, write_now};
pub(crate) use ticket::{Clear, Mark, Queue};
pub(crate) use wal::create_log;
