//! Prefix compression and the restart array; see block.rs for the layout.

use crate::base::{put_fixed32, put_varint32};
use crate::error::{Error, Result};

/// Builds one block after another.
pub(crate) struct BlockBuilder {
    buffer: Vec<u8>,
    restarts: Vec<u32>,
    restart_interval: usize,
    /// Entries since the last restart.
    since_restart: usize,
    last_key: Vec<u8>,
    entries: usize,
}

impl BlockBuilder {
    pub(crate) fn new(restart_interval: usize) -> BlockBuilder {
        BlockBuilder {
            buffer: Vec::new(),
            restarts: vec![0],
            restart_interval: restart_interval.max(1),
            since_restart: 0,
            last_key: Vec::new(),
            entries: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    pub(crate) fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// Bytes of the block if it were finished now.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.buffer.len() + self.restarts.len() * 4 + 4
    }

    /// Adds an entry; the caller keeps keys in order.
    #[inline]
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let too_large = || Error::LimitExceeded("a table block has grown past 2^32 bytes".to_owned());
        let mut shared = 0;
        if self.since_restart < self.restart_interval {
            shared = common_prefix(&self.last_key, key);
        } else {
            self.restarts.push(u32::try_from(self.buffer.len()).map_err(|_| too_large())?);
            self.since_restart = 0;
        }
        let rest = key.get(shared..).unwrap_or_default();
        let lengths = [shared, rest.len(), value.len()];
        for length in lengths {
            put_varint32(&mut self.buffer, u32::try_from(length).map_err(|_| too_large())?);
        }
        self.buffer.extend_from_slice(rest);
        self.buffer.extend_from_slice(value);
        u32::try_from(self.buffer.len()).map_err(|_| too_large())?;
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(rest);
        self.since_restart += 1;
        self.entries += 1;
        Ok(())
    }

    /// The whole block; [`reset`](BlockBuilder::reset) starts the next.
    pub(crate) fn finish(&mut self) -> &[u8] {
        for restart in &self.restarts {
            put_fixed32(&mut self.buffer, *restart);
        }
        put_fixed32(&mut self.buffer, u32::try_from(self.restarts.len()).unwrap_or(u32::MAX));
        &self.buffer
    }

    pub(crate) fn reset(&mut self) {
        self.buffer.clear();
        self.restarts.clear();
        self.restarts.push(0);
        self.since_restart = 0;
        self.last_key.clear();
        self.entries = 0;
    }
}

#[inline]
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut words = a.chunks_exact(8).zip(b.chunks_exact(8));
    let equal = words.by_ref().take_while(|(x, y)| x == y).count() * 8;
    let (a, b) = (a.get(equal..).unwrap_or_default(), b.get(equal..).unwrap_or_default());
    equal + a.iter().zip(b).take_while(|(x, y)| x == y).count()
}
