//! Writes the entries of memtables to a log, for copies of a database whose order of keys is not known.

use std::rc::Rc;

use crate::base::{FileKind, FileName, FileNumber, SequenceNumber, ValueType, parse_internal_key, sort_by};
use crate::batch::WriteBatch;
use crate::budget::Budget;
use crate::env::Env;
use crate::error::Result;
use crate::iter::InternalIterator;
use crate::log::LogWriter;
use crate::memtable::MemTable;

/// Writes the entries up to `last_sequence` to the log `number`, in the order in which they were written.
///
/// Returns whether there are any; otherwise no log is made.
pub(super) async fn write_log(
    target: &Rc<dyn Env>,
    number: FileNumber,
    memtables: &[Rc<MemTable>],
    last_sequence: SequenceNumber,
    budget: &Budget,
) -> Result<bool> {
    let mut batches = Vec::new();
    for memtable in memtables {
        let mut it = memtable.iter();
        let _ = it.seek_to_first();
        while it.valid() {
            let parsed = parse_internal_key(it.key()).map_err(|malformed| malformed.in_file("memory", 0))?;
            if parsed.sequence <= last_sequence {
                let mut batch = WriteBatch::new();
                match parsed.value_type {
                    ValueType::Value => batch.put(parsed.user_key, it.value()),
                    ValueType::Deletion => batch.delete(parsed.user_key),
                }
                batch.set_sequence(parsed.sequence);
                batches.push(batch);
            }
            let _ = it.next();
        }
    }
    if batches.is_empty() {
        return Ok(false);
    }
    sort_by(&mut batches, |a, b| a.sequence().cmp(&b.sequence()));
    // A damaged log can give one sequence number twice: reads return the first found.
    batches.dedup_by(|a, b| a.sequence() == b.sequence());
    let name = FileName::Log(number).to_string();
    let file = target.create(&name, FileKind::Log, 0).await?;
    let writer = LogWriter::new(target.clone(), file.clone(), name, 0);
    for batch in &batches {
        writer.add_record(batch.as_bytes()).await?;
        budget.spent(batch.byte_size()).await;
    }
    file.sync().await?;
    Ok(true)
}
