//! The rows of the model.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::database::{Change, Commit, Row};
use crate::base::to_u64;

/// The three stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stores {
    pub(super) head: Option<Rc<Row>>,
    pub(super) files: BTreeMap<u64, Rc<Row>>,
    /// By file, chunk, and offset: whole chunks are before their pieces.
    pub(super) chunks: BTreeMap<(u64, u64, Option<u32>), Rc<Row>>,
}

pub(super) fn row(bytes: &[u8]) -> Rc<Row> {
    Rc::new(Row::Bytes(bytes.to_vec()))
}

impl Stores {
    pub(super) fn size(&self) -> u64 {
        let rows = self.files.values().chain(self.chunks.values());
        rows.map(|row| if let Row::Bytes(bytes) = &**row { to_u64(bytes.len()) } else { 0 }).sum()
    }

    pub(super) fn apply(&mut self, commit: &Commit) {
        for change in &commit.changes {
            match change {
                Change::PutFile { file, row: content } => {
                    self.files.insert(*file, row(content));
                }
                Change::RemoveFile { file } => {
                    self.files.remove(file);
                    self.cut(*file, 0);
                }
                Change::Cut { file, chunk } => self.cut(*file, *chunk),
                Change::PutChunk { file, chunk, offset, data } => {
                    self.chunks.insert((*file, *chunk, *offset), row(data));
                }
            }
        }
        self.head = Some(row(&commit.head));
    }

    fn cut(&mut self, file: u64, chunk: u64) {
        let range = (file, chunk, None)..(file.saturating_add(1), 0, None);
        let keys: Vec<_> = self.chunks.range(range).map(|(key, _)| *key).collect();
        keys.iter().for_each(|key| drop(self.chunks.remove(key)));
    }
}
