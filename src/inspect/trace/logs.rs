//! The logs of a look-up, which stand for its memtables.

use super::requests::{Shared, read};
use super::step::{LookupStep, Outcome};
use crate::base::{FileNumber, InternalKeyComparator};
use crate::error::Result;
use crate::inspect::log::LogInspector;
use crate::inspect::regions::State;
use crate::inspect::rule::Rule;
use crate::inspect::sought::Mention;
use crate::inspect::span::{Severity, fill};
use crate::inspect::window::{Reads, Window};

/// Bytes that are read at once.
const READ_AHEAD: usize = 1 << 20;

/// A log that opening would replay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    pub(super) number: FileNumber,
    pub(super) file: usize,
    pub(super) size: u64,
}

/// What a log says of the key.
pub(super) struct Searched {
    pub(super) step: LookupStep,
    /// The value, if the step found one.
    pub(super) value: Option<Vec<u8>>,
    /// The highest sequence number in the log.
    pub(super) last: u64,
    /// Why its contents are not known for certain.
    pub(super) damage: Option<String>,
}

/// Reads a whole log, in parts; looks for the newest operation of the key up to `sequence`.
pub(super) async fn search(
    shared: &Shared,
    order: &InternalKeyComparator,
    log: Log,
    key: &[u8],
    sequence: Option<u64>,
) -> Result<Searched> {
    let mut inspector = LogInspector::new(log.size).with_rule(Rule::Known(order.clone()));
    inspector.seek(key.to_vec(), usize::MAX);
    let mut window = Window::new(inspector);
    let mut newest: Option<Mention> = None;
    let (mut mentions, mut hidden, mut damage) = (0u64, None, None);
    while let Some((offset, length)) = window.wanted() {
        let bytes =
            if length == 0 { Vec::new() } else { read(shared, log.file, offset, READ_AHEAD.max(length)).await? };
        window.feed(bytes);
        let inspector = window.inspector();
        inspector.discard();
        for finding in inspector.take_findings() {
            if finding.severity == Severity::Bad && damage.is_none() {
                damage = Some([&*fill("at offset {}: ", &[finding.offset]), &*finding.reason].concat());
            }
        }
        for mention in inspector.take_mentions().0 {
            mentions += 1;
            match mention.sequence {
                // What recovery to a point in time leaves behind is not in a memtable.
                Some(_) if mention.state != State::Sound => {}
                Some(own) if sequence.is_some_and(|seen| own > seen) => hidden = Some(own),
                _ => newest = Some(mention),
            }
        }
    }
    let inspector = window.inspector();
    if let Some(at) = inspector.unjoined() {
        damage.get_or_insert(fill("the record at {} is too large to be looked into", &[at]));
    }
    debug_assert!(inspector.wanted().is_none());
    let last = inspector.last_sequence();
    let step = LookupStep {
        file: Some(log.file),
        mentions,
        bytes: log.size,
        reason: damage.clone(),
        ..LookupStep::new(None, Some(log.number.0), Outcome::Absent)
    };
    let (outcome, sequence) = match &newest {
        // What was lost could be a newer operation.
        _ if damage.is_some() => (Outcome::Unknown, newest.as_ref().and_then(|found| found.sequence)),
        Some(found) if found.is_deletion => (Outcome::Deleted, found.sequence),
        Some(found) => (Outcome::Found, found.sequence),
        None if hidden.is_some() => (Outcome::Newer, hidden),
        None => (Outcome::Absent, None),
    };
    let place = newest.as_ref().map(|found| (found.offset, found.length));
    let entry = newest.as_ref().map(|found| found.entry);
    let value = newest.filter(|found| !found.is_deletion).map(|found| found.value);
    Ok(Searched { step: LookupStep { outcome, sequence, place, entry, ..step }, value, last, damage })
}
