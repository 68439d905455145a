//! Chooses among the blocks found where no index lists them.

use super::classify::{Found, Kind, lists_any};
use super::entries::each_entry;
use super::source::{DataBlock, Salvage};
use crate::base::{Input, to_u64};
use crate::error::Result;

/// Runs of adjacent blocks whose best order is looked for; of more, each must follow the last.
const RUNS_MAX: usize = 1000;

/// Adjacent data blocks.
struct Run {
    blocks: Vec<DataBlock>,
    smallest: Vec<u8>,
    largest: Vec<u8>,
}

impl Run {
    fn start(&self) -> u64 {
        self.blocks.first().map_or(0, |block| block.handle.offset)
    }

    fn end(&self) -> u64 {
        self.blocks.last().and_then(|block| block.handle.end()).unwrap_or(0)
    }

    fn bytes(&self) -> u64 {
        self.end().saturating_sub(self.start())
    }
}

/// The entries of a damaged block, up to one.
#[derive(Default)]
struct Walk {
    start: Option<u64>,
    at: u64,
    /// Bytes of the key before.
    key: u64,
    window: Window,
}

#[derive(Default)]
struct Window {
    offset: u64,
    bytes: Vec<u8>,
}

/// The lengths of an entry.
struct Header {
    shared: u64,
    unshared: u64,
    value_start: u64,
    value_size: u64,
}

impl Header {
    /// Whether it can follow a key of `previous` bytes.
    fn fits(&self, previous: u64, is_first: bool) -> bool {
        self.shared <= previous && (!is_first || self.shared == 0) && self.key_size() >= 8
    }

    fn key_size(&self) -> u64 {
        self.shared.saturating_add(self.unshared)
    }
}

impl Salvage<'_> {
    /// The data blocks to use if no index is found.
    pub(super) async fn without_index(&self, found: &[Found]) -> Result<Vec<DataBlock>> {
        let mut runs: Vec<Run> = Vec::new();
        let mut end = 0;
        for block in found {
            let is_data = match block.kind {
                Kind::Data => true,
                // What may be an index is not data. A value may be two small numbers by accident.
                Kind::Index { is_data, is_chain } => {
                    is_data && !is_chain && !lists_any(&*self.block(block.handle).await?, found)
                }
                Kind::Other => false,
            };
            if !is_data {
                continue;
            }
            match runs.last_mut() {
                Some(run) if end == block.handle.offset => run.blocks.push(block.data()),
                _ => runs.push(Run { blocks: vec![block.data()], smallest: Vec::new(), largest: Vec::new() }),
            }
            end = block.end();
        }
        let mut outside: Vec<Run> = Vec::new();
        let mut walk = Walk::default();
        for run in runs {
            let end = outside.last().map_or(0, Run::end);
            if run.start() == end || !self.is_in_value(&mut walk, end, &run).await? {
                outside.push(run);
            }
        }
        if outside.len() > 1 && !self.any_order {
            for run in &mut outside {
                (run.smallest, run.largest) = self.ends_of(run).await?;
            }
            outside = self.in_order(outside);
        }
        Ok(outside.into_iter().flat_map(|run| run.blocks).collect())
    }

    async fn ends_of(&self, run: &Run) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut ends = (Vec::new(), Vec::new());
        if let (Some(first), Some(last)) = (run.blocks.first(), run.blocks.last()) {
            let first = self.block(first.handle).await?;
            each_entry(&first, |key, _| {
                if ends.0.is_empty() {
                    ends.0.extend_from_slice(key);
                }
            });
            each_entry(&*self.block(last.handle).await?, |key, _| {
                ends.1.clear();
                ends.1.extend_from_slice(key);
            });
        }
        Ok(ends)
    }

    /// The runs with the most bytes that are in the order of their keys.
    fn in_order(&self, runs: Vec<Run>) -> Vec<Run> {
        let follows = |a: &Run, b: &Run| self.options.order.compare(&a.largest, &b.smallest).is_lt();
        if runs.len() > RUNS_MAX {
            let mut kept: Vec<Run> = Vec::new();
            for run in runs {
                if kept.last().is_none_or(|last| follows(last, &run)) {
                    kept.push(run);
                }
            }
            return kept;
        }
        // For each run: the most bytes of a sequence that ends with it, and the run before it.
        let mut best: Vec<(u64, Option<usize>)> = Vec::new();
        for (at, run) in runs.iter().enumerate() {
            let before = runs.iter().zip(&best).take(at).enumerate().filter(|(_, (other, _))| follows(other, run));
            let before = before.map(|(at, (_, (bytes, _)))| (*bytes, at)).max();
            let bytes = before.map_or(0, |(bytes, _)| bytes).saturating_add(run.bytes());
            best.push((bytes, before.map(|(_, at)| at)));
        }
        let mut last = (0..best.len()).max_by_key(|at| best.get(*at).map(|(bytes, _)| *bytes));
        let mut chosen = vec![false; runs.len()];
        while let Some(at) = last {
            chosen.get_mut(at).into_iter().for_each(|slot| *slot = true);
            last = best.get(at).and_then(|(_, before)| *before);
        }
        runs.into_iter().zip(chosen).filter_map(|(run, is_chosen)| is_chosen.then_some(run)).collect()
    }

    /// Whether the run is in the value of an entry of the damaged block at `start`.
    ///
    /// Only blocks that are not compressed have entries there.
    async fn is_in_value(&self, walk: &mut Walk, start: u64, run: &Run) -> Result<bool> {
        if walk.start != Some(start) {
            *walk = Walk { start: Some(start), at: start, key: 0, window: std::mem::take(&mut walk.window) };
        }
        while walk.at < run.start() {
            let header = self.header(&mut walk.window, walk.at).await?;
            let Some(header) = header.filter(|header| header.fits(walk.key, walk.at == start)) else {
                return Ok(false);
            };
            let end = header.value_start.saturating_add(header.value_size);
            if header.value_start <= run.start() && run.end() <= end {
                // A length that is itself damaged has nothing plausible behind its value.
                let behind = self.header(&mut walk.window, end).await?;
                let is_entry = behind.is_some_and(|next| next.fits(header.key_size(), false));
                let is_end = self.bytes_at(&mut walk.window, end, 4).await? == [0; 4];
                return Ok(end > self.size || is_entry || is_end);
            }
            (walk.at, walk.key) = (end, header.key_size());
        }
        Ok(false)
    }

    async fn header(&self, window: &mut Window, at: u64) -> Result<Option<Header>> {
        let bytes = self.bytes_at(window, at, 15).await?;
        let mut input = Input::new(&bytes);
        let mut field = || input.varint32("length").ok().map(u64::from);
        let (Some(shared), Some(unshared), Some(value_size)) = (field(), field(), field()) else { return Ok(None) };
        let value_start = at.saturating_add(to_u64(input.offset())).saturating_add(unshared);
        // The type of the entry is the last byte but seven of its key.
        let has_type = unshared >= 8;
        let type_at = value_start.saturating_sub(8);
        let known_type = !has_type || matches!(self.bytes_at(window, type_at, 1).await?[..], [0 | 1]);
        Ok(known_type.then_some(Header { shared, unshared, value_start, value_size }))
    }

    /// Up to `size` bytes at `at`.
    async fn bytes_at(&self, window: &mut Window, at: u64, size: usize) -> Result<Vec<u8>> {
        let end = at.saturating_add(to_u64(size)).min(self.size);
        let window_end = window.offset.saturating_add(to_u64(window.bytes.len()));
        if at < window.offset || end > window_end {
            *window = Window { offset: at, bytes: if at < self.size { self.chunk(at).await? } else { Vec::new() } };
        }
        let from = usize::try_from(at.saturating_sub(window.offset)).unwrap_or(usize::MAX);
        let bytes = window.bytes.get(from..).unwrap_or_default();
        Ok(bytes.get(..size).unwrap_or(bytes).to_vec())
    }
}
