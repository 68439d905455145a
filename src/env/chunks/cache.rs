//! The last chunks that were read: a scan reads each of them several times, block by block.

use std::rc::Rc;

use super::layout::CHUNK;

/// The number of chunks: 1 MiB.
const CHUNKS_MAX: usize = 32;

/// Full chunks, the last used one last.
#[derive(Debug, Default)]
pub(super) struct Cache {
    chunks: Vec<(u64, u64, Rc<[u8]>)>,
    round: u64,
}

impl Cache {
    pub(super) fn get(&mut self, file: u64, chunk: u64) -> Option<Rc<[u8]>> {
        let at = self.chunks.iter().position(|(f, c, _)| (*f, *c) == (file, chunk))?;
        let found = self.chunks.remove(at);
        let content = found.2.clone();
        self.chunks.push(found);
        Some(content)
    }

    /// The number of times something was forgotten.
    pub(super) fn round(&self) -> u64 {
        self.round
    }

    /// Adds the full ones of the chunks from `first` on, which were read in `round`.
    pub(super) fn add(&mut self, round: u64, file: u64, first: u64, bytes: &[u8]) {
        if round != self.round {
            return;
        }
        for (chunk, content) in (first..).zip(bytes.chunks_exact(CHUNK)) {
            if self.get(file, chunk).is_some() {
                continue;
            }
            if self.chunks.len() >= CHUNKS_MAX {
                self.chunks.remove(0);
            }
            self.chunks.push((file, chunk, content.into()));
        }
    }

    /// Forgets files whose content was cut; reads that began before do not add it again.
    pub(super) fn forget(&mut self, files: &[u64]) {
        if !files.is_empty() {
            self.round = self.round.wrapping_add(1);
            self.chunks.retain(|(file, _, _)| !files.contains(file));
        }
    }
}
