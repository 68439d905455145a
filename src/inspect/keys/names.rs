//! Names of databases, object stores and indexes, out of the metadata of IndexedDB.
//!
//! ```text
//! key (0, 0, 0) 201, origin, name               value: id of the database, little-endian
//! key (database, 0, 0) 1                        value: its name, UTF-16, big-endian (older files)
//! key (database, 0, 0) 50, store, 0             value: name of the object store
//! key (database, 0, 0) 100, store, index, 0     value: name of the index
//! ```

use std::collections::BTreeMap;

use super::text::utf16;
use crate::base::{KeyPrefix, take_byte, take_string, take_varint};
use crate::inspect::span::Span;

/// Names that are kept, and bytes of one.
const NAMES_MAX: usize = 10_000;
const NAME_MAX: usize = 2000;

/// Names by database, object store and index; ids that do not apply are 0.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The newest name, and its sequence number.
    known: BTreeMap<(u64, u64, u64), (u64, Vec<u8>)>,
}

impl Names {
    /// Notes an entry; a deletion has no value.
    pub fn note(&mut self, key: &[u8], sequence: u64, value: Option<&[u8]>) {
        let (at, name) = match (database_of(key, value), place_of(key)) {
            (Some((database, name)), _) => ((database, 0, 0), Some(name)),
            (None, Some(at)) => (at, value),
            (None, None) => return,
        };
        if self.known.len() >= NAMES_MAX && !self.known.contains_key(&at) {
            return;
        }
        let name = name.filter(|name| name.len() <= NAME_MAX && name.len() % 2 == 0).unwrap_or_default();
        match self.known.get(&at) {
            Some((newer, _)) if *newer > sequence => {}
            _ => {
                self.known.insert(at, (sequence, name.to_vec()));
            }
        }
    }

    /// A span for each name, with the ids, the sequence number, and the name in UTF-8; an empty one
    /// was deleted.
    pub fn spans(&self) -> Vec<Span> {
        let spans = self.known.iter().map(|((database, store, index), (sequence, name))| {
            let mut span = Span::new("name", 0, 0);
            for (what, id) in [("database", database), ("store", store), ("index", index), ("sequence", sequence)] {
                span.number(what, *id);
            }
            span.state("text", utf16(name, u16::from_be_bytes));
            span
        });
        spans.collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// The id and the name of a database, if the entry has both.
fn database_of<'a>(key: &'a [u8], id: Option<&[u8]>) -> Option<(u64, &'a [u8])> {
    let mut rest = key.strip_prefix(&[0, 0, 0, 0, 201])?;
    take_string(&mut rest)?;
    let name = take_string(&mut rest)?;
    let id = id.filter(|id| rest.is_empty() && (1..=8).contains(&id.len()))?;
    let id = id.iter().rev().fold(0, |id, byte| id << 8 | u64::from(*byte));
    (id > 0).then_some((id, name))
}

/// The ids that a name is of, if the key is that of one.
fn place_of(key: &[u8]) -> Option<(u64, u64, u64)> {
    // Most keys are records: their prefix tells.
    let mut rest = key;
    let KeyPrefix { database, store: 0, index: 0 } = KeyPrefix::take(&mut rest)? else { return None };
    if database == 0 {
        return None;
    }
    let at = match take_byte(&mut rest)? {
        1 => (database, 0, 0),
        50 => (database, take_varint(&mut rest)?, 0),
        100 => (database, take_varint(&mut rest)?, take_varint(&mut rest)?),
        _ => return None,
    };
    let is_name = at.1 == 0 || take_byte(&mut rest)? == 0;
    (is_name && rest.is_empty()).then_some(at)
}
