//! Reads a table without trusting its footer and index.
//!
//! ```text
//! search        blocks with a right checksum, in file order; a larger one replaces those inside it     search.rs
//! classify      data, index, or neither: by the layout of all entries, their keys and their values
//! index         if one of them lists most of the data blocks, only the blocks that it lists are used
//! no index      blocks inside a value of a damaged block, or out of the order of the keys, are not used
//! ```
//! A value may contain a copy of another table. Its blocks are sound, but their keys are not the
//! database's, so a block is used only if nothing speaks for that.
//!
//! The time is linear in the size of the file: the search is, each block is decoded a fixed number
//! of times, and the work spent on false hits is limited.

use std::rc::Rc;

use super::block::Block;
use super::codec::Codec;
use super::decode::{Context, Stored, stored_size};
use super::format::{FOOTER_SIZE, Footer, codec_of};
use super::handle::BlockHandle;
use super::options::TableOptions;
use super::policy::DamagePolicy;
use super::reader::Table;
use super::search::{BlockSearch, Hit};
use crate::base::{Input, SequenceNumber, parse_internal_key, to_u64};
use crate::budget::Budget;
use crate::env::File;
use crate::error::{Error, Result};

/// Bytes that are read at once.
const CHUNK: usize = 128 << 10;
/// Bytes that are given up if reading them fails.
const SECTOR: usize = 4 << 10;
/// Bytes of a false hit that are read to recognise it.
const PEEK: usize = 16;
/// Work on false hits that is always granted, in bytes; beyond it, this many times the file's size.
const FALSE_HITS: u64 = 64 << 20;
const FALSE_HITS_FACTOR: u64 = 4;
/// Runs of adjacent blocks whose best order is looked for; of more, each must follow the last.
const RUNS_MAX: usize = 1000;
/// Snappy makes its input at most a sixth longer, and at most 22 times shorter.
const SNAPPY_RATIO_MAX: u64 = 22;

/// A data block and the number of its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataBlock {
    pub(crate) handle: BlockHandle,
    pub(crate) entries: u64,
}

/// A block that an index lists, but that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LostBlock {
    pub(crate) handle: BlockHandle,
    /// Its keys are after this one (an internal key), if it is not the first block.
    pub(crate) after: Option<Vec<u8>>,
    /// None of its keys is after this one.
    pub(crate) up_to: Vec<u8>,
}

/// The contents of a table that was read without its footer.
#[derive(Default)]
pub(crate) struct Salvaged {
    /// The data blocks, in file order.
    pub(crate) data: Vec<DataBlock>,
    /// Blocks that an index lists and that are not among them.
    pub(crate) lost: Vec<LostBlock>,
    /// Bytes of the file that are in no sound block.
    pub(crate) unreadable: u64,
    /// A block has internal keys in another order than the given one.
    pub(crate) is_unordered: bool,
}

/// A file that may be a table.
pub(crate) struct Salvage<'a> {
    pub(crate) file: &'a dyn File,
    pub(crate) name: &'a str,
    pub(crate) size: u64,
    pub(crate) options: &'a TableOptions,
    /// Keys need not be in order.
    pub(crate) any_order: bool,
    pub(crate) budget: &'a Budget,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Data,
    /// The values are handles of blocks before it.
    Index {
        /// It could be a data block otherwise.
        is_data: bool,
        /// The blocks are adjacent, from the first byte of the file on.
        is_chain: bool,
    },
    /// Filter, metaindex and unknown.
    Other,
}

#[derive(Clone, Copy)]
struct Found {
    handle: BlockHandle,
    kind: Kind,
    entries: u64,
}

impl Found {
    fn end(&self) -> u64 {
        self.handle.end().unwrap_or(u64::MAX)
    }

    fn data(&self) -> DataBlock {
        DataBlock { handle: self.handle, entries: self.entries }
    }
}

impl Table {
    /// Reads every block that the index lists; returns the number of sound ones, and the others.
    pub(crate) async fn lost_blocks(&self, budget: &Budget) -> Result<(u64, Vec<LostBlock>)> {
        let (mut sound, mut lost) = (0, Vec::new());
        for (handle, after, up_to) in listed(self.index()) {
            let read = match self.stored_size(handle) {
                Ok(size) => self.file().read_at(handle.offset, size).await,
                Err(error) => Err(error),
            };
            budget.spent(usize::try_from(handle.size).unwrap_or(0)).await;
            let context = Context { name: self.name(), size_max: self.block_size_max(), policy: DamagePolicy::SKIP };
            match read.and_then(|bytes| context.decode(handle, &mut Stored::Owned(bytes), Vec::new())) {
                Ok(_) => sound += 1,
                Err(Error::Corruption(_) | Error::Io(_) | Error::LimitExceeded(_)) => {
                    lost.push(LostBlock { handle, after, up_to });
                }
                Err(error) => return Err(error),
            }
        }
        Ok((sound, lost))
    }
}

impl Salvage<'_> {
    /// Finds the data blocks.
    pub(crate) async fn run(&self) -> Result<Salvaged> {
        let mut salvaged = Salvaged::default();
        let found = self.search(&mut salvaged.is_unordered).await?;
        match self.index(&found).await? {
            Some(index) => {
                for (handle, after, up_to) in listed(&index) {
                    let at = found.partition_point(|block| block.handle.offset < handle.offset);
                    match found.get(at).filter(|block| block.handle == handle) {
                        Some(Found { kind: Kind::Data | Kind::Index { is_data: true, .. }, entries, .. }) => {
                            salvaged.data.push(DataBlock { handle, entries: *entries });
                        }
                        _ => salvaged.lost.push(LostBlock { handle, after, up_to }),
                    }
                }
            }
            None => salvaged.data = self.without_index(&found).await?,
        }
        let is_used = |block: &Found| {
            let at = salvaged.data.partition_point(|data| data.handle.offset < block.handle.offset);
            salvaged.data.get(at).is_some_and(|data| data.handle == block.handle)
        };
        let read = found.iter().filter(|block| block.kind != Kind::Data || is_used(block)).map(stored).sum::<u64>();
        let known = read.saturating_add(self.footer().await);
        salvaged.unreadable = self.size.saturating_sub(known);
        Ok(salvaged)
    }

    /// Reads and decodes a block.
    pub(crate) async fn block(&self, handle: BlockHandle) -> Result<Rc<Block>> {
        let size = stored_size(handle, self.name, self.size, self.options.block_size_max)?;
        let bytes = self.file.read_at(handle.offset, size).await?;
        self.decode(handle, bytes).map(Rc::new)
    }

    fn context(&self) -> Context<'_> {
        Context { name: self.name, size_max: self.options.block_size_max, policy: DamagePolicy::SKIP }
    }

    fn decode(&self, handle: BlockHandle, bytes: Vec<u8>) -> Result<Block> {
        self.context().decode(handle, &mut Stored::Owned(bytes), Vec::new())
    }

    /// The size of the footer, if there is one.
    async fn footer(&self) -> u64 {
        let Some(start) = self.size.checked_sub(to_u64(FOOTER_SIZE)) else { return 0 };
        match self.file.read_at(start, FOOTER_SIZE).await {
            Ok(bytes) if Footer::decode(&bytes).is_ok() => to_u64(FOOTER_SIZE),
            _ => 0,
        }
    }

    async fn search(&self, is_unordered: &mut bool) -> Result<Vec<Found>> {
        let mut search = BlockSearch::new();
        let mut found = Vec::new();
        let mut wasted = 0u64;
        let wasted_max = self.size.saturating_mul(FALSE_HITS_FACTOR).saturating_add(FALSE_HITS);
        while search.offset() < self.size {
            let chunk = self.chunk(search.offset()).await?;
            if chunk.is_empty() {
                break;
            }
            self.budget.spent(chunk.len()).await;
            let mut rest = &chunk[..];
            while !rest.is_empty() {
                let (taken, hit) = search.next(rest);
                rest = rest.get(taken..).unwrap_or_default();
                let Some(hit) = hit else { continue };
                if let Some(start) = self.accept(&hit, &mut found, &mut wasted, is_unordered).await? {
                    search.found_block(&hit, start);
                }
                if wasted > wasted_max {
                    search.only_likely();
                }
            }
        }
        Ok(found)
    }

    /// Reads the next chunk; sectors that cannot be read are zeros.
    async fn chunk(&self, offset: u64) -> Result<Vec<u8>> {
        let size = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(CHUNK).min(CHUNK);
        match self.file.read_at(offset, size).await {
            Err(error) if is_unreadable(&error) => {}
            chunk => return chunk,
        }
        let mut chunk = Vec::with_capacity(size);
        while chunk.len() < size {
            let part = SECTOR.min(size - chunk.len());
            match self.file.read_at(offset.saturating_add(to_u64(chunk.len())), part).await {
                Ok(bytes) => chunk.extend_from_slice(&bytes),
                Err(error) if is_unreadable(&error) => {}
                Err(error) => return Err(error),
            }
            let end = chunk.len().next_multiple_of(SECTOR).min(size).max(part);
            chunk.resize(end, 0);
        }
        Ok(chunk)
    }

    /// Adds the block of a hit to `found`, in place of those inside it. Returns its start, if it is one.
    async fn accept(
        &self,
        hit: &Hit,
        found: &mut Vec<Found>,
        wasted: &mut u64,
        is_unordered: &mut bool,
    ) -> Result<Option<u64>> {
        for start in hit.likely.iter().chain(&hit.starts) {
            let is_likely = hit.likely == Some(*start);
            let handle = BlockHandle { offset: *start, size: hit.end.saturating_sub(*start) };
            let inside = found.partition_point(|block: &Found| block.handle.offset < *start);
            let is_cut = inside.checked_sub(1).and_then(|at| found.get(at)).is_some_and(|before| before.end() > *start);
            if is_cut || !(is_likely || self.may_begin(handle, hit.block_type).await) {
                *wasted = wasted.saturating_add(to_u64(PEEK));
                continue;
            }
            let block = match self.kind_at(handle).await {
                Ok(Some(block)) if is_likely || block.kind != Kind::Other => block,
                Err(error) if error.is_too_many_open_files() => return Err(error),
                // A missing codec is an error only where a block is known to be.
                Err(error @ Error::MissingCodec(_)) if is_likely => return Err(error),
                Ok(None) if is_likely => {
                    *is_unordered = true;
                    continue;
                }
                _ => {
                    *wasted = wasted.saturating_add(handle.size);
                    continue;
                }
            };
            if inside < found.len() {
                *wasted = wasted.saturating_add(handle.size);
            }
            found.truncate(inside);
            found.push(block);
            return Ok(Some(*start));
        }
        Ok(None)
    }

    /// Whether the first bytes can be those of a data or index block of this type.
    async fn may_begin(&self, handle: BlockHandle, block_type: u8) -> bool {
        let size = usize::try_from(handle.size).unwrap_or(PEEK).min(PEEK);
        let Ok(bytes) = self.file.read_at(handle.offset, size).await else { return false };
        match codec_of(block_type, &bytes) {
            // The first entry shares nothing with one before it.
            Ok(Codec::None) => bytes.first() == Some(&0),
            Ok(Codec::Snappy) => {
                let mut input = Input::new(&bytes);
                let Ok(length) = input.varint32("length").map(u64::from) else { return false };
                let is_possible = length <= handle.size.saturating_mul(SNAPPY_RATIO_MAX)
                    && handle.size <= length.saturating_add(length / 6).saturating_add(32);
                // A literal comes first: its length in the tag, or in one to four bytes after it.
                let first = match input.rest() {
                    [tag, rest @ ..] if tag & 3 == 0 => rest.get(usize::from(tag >> 2).saturating_sub(59)),
                    _ => None,
                };
                is_possible && first == Some(&0)
            }
            Ok(_) => true,
            Err(_) => false,
        }
    }

    /// Decodes and classifies a block; `None` if its keys are in another order.
    async fn kind_at(&self, handle: BlockHandle) -> Result<Option<Found>> {
        let size = stored_size(handle, self.name, self.size, self.options.block_size_max)?;
        let bytes = self.file.read_at(handle.offset, size).await?;
        self.budget.spent(size).await;
        // The contents of a filter are not a block.
        let (contents, raw) = self.context().contents(handle, &mut Stored::Slice(&bytes), Vec::new())?;
        let origin = super::block::Origin { offset: handle.offset, size: handle.size, raw, verified: true };
        let other = Found { handle, kind: Kind::Other, entries: 0 };
        let Ok(block) = Block::new(contents, origin, false) else { return Ok(Some(other)) };
        let Some((kind, entries)) = self.classify(&block) else { return Ok(None) };
        Ok(Some(Found { handle, kind, entries }))
    }

    /// `None`: a data block with its keys in another order.
    fn classify(&self, block: &Block) -> Option<(Kind, u64)> {
        let own = block.origin().offset;
        let (mut is_data, mut is_index, mut is_chain, mut is_ordered) = (true, true, true, true);
        let (mut at, mut restart, mut entries, mut end) = (0, 0, 0u64, 0u64);
        let (mut key, mut previous) = (Vec::new(), Vec::new());
        while at < block.entries_end() {
            let Some(entry) = block.entry(at).filter(|entry| entry.shared <= key.len()) else {
                return Some((Kind::Other, 0));
            };
            if block.restart(restart) == at {
                restart += 1;
                if entry.shared != 0 {
                    return Some((Kind::Other, 0));
                }
            }
            std::mem::swap(&mut key, &mut previous);
            key.clear();
            key.extend_from_slice(previous.get(..entry.shared).unwrap_or_default());
            key.extend_from_slice(block.bytes().get(entry.key_start..entry.value_start).unwrap_or_default());
            // The keys of an index have the largest number, those of data never.
            is_data &= parse_internal_key(&key).is_ok_and(|parsed| parsed.sequence < SequenceNumber::MAX);
            is_ordered &= entries == 0 || self.options.order.compare(&previous, &key).is_lt();
            match exact_handle(block.value(entry)) {
                Some(handle) => {
                    is_chain &= handle.offset == end;
                    is_index &= handle.offset >= end && handle.end().is_some_and(|end| end <= own);
                    end = handle.end().unwrap_or(u64::MAX);
                }
                None => is_index = false,
            }
            if !is_data && !is_index {
                return Some((Kind::Other, 0));
            }
            entries += 1;
            at = entry.end;
        }
        if entries == 0 || restart != block.restart_count() {
            return Some((Kind::Other, 0));
        }
        let is_data = is_data && (is_ordered || self.any_order);
        match (is_index, is_data) {
            (true, is_data) => Some((Kind::Index { is_data, is_chain }, entries)),
            (false, true) => Some((Kind::Data, entries)),
            (false, false) => None,
        }
    }

    /// The index of the file: the block that lists most of the data blocks found.
    async fn index(&self, found: &[Found]) -> Result<Option<Rc<Block>>> {
        let data = found.iter().filter(|block| block.kind == Kind::Data).count();
        for block in found.iter().rev() {
            let Kind::Index { is_chain: true, .. } = block.kind else { continue };
            let index = self.block(block.handle).await?;
            let is_known = |handle: &BlockHandle| {
                let at = found.partition_point(|block| block.handle.offset < handle.offset);
                found.get(at).is_some_and(|block| block.handle == *handle)
            };
            let known = listed(&index).filter(|(handle, ..)| is_known(handle)).count();
            if known > 0 && known.saturating_mul(2) > data {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// The data blocks to use if no index is found.
    async fn without_index(&self, found: &[Found]) -> Result<Vec<DataBlock>> {
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

    /// Whether the bytes from `start` on, where a damaged block begins, are entries of which one has the run in its value.
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

fn is_unreadable(error: &Error) -> bool {
    matches!(error, Error::Io(_)) && !error.is_too_many_open_files()
}

fn stored(block: &Found) -> u64 {
    block.end().saturating_sub(block.handle.offset)
}

/// The handle that is all of `value`.
fn exact_handle(value: &[u8]) -> Option<BlockHandle> {
    let mut input = Input::new(value);
    let handle = BlockHandle::decode(&mut input).ok()?;
    input.is_empty().then_some(handle)
}

/// Whether a block lists one of those found.
fn lists_any(block: &Block, found: &[Found]) -> bool {
    listed(block).any(|(handle, ..)| {
        let at = found.partition_point(|block| block.handle.offset < handle.offset);
        found.get(at).is_some_and(|block| block.handle == handle)
    })
}

/// The blocks that an index lists, with the keys of the entry before and of their own.
fn listed(index: &Block) -> impl Iterator<Item = (BlockHandle, Option<Vec<u8>>, Vec<u8>)> + '_ {
    let (mut at, mut key, mut is_first) = (0, Vec::new(), true);
    std::iter::from_fn(move || {
        let entry = index.entry(at).filter(|entry| entry.shared <= key.len())?;
        let before = (!is_first).then(|| key.clone());
        key.truncate(entry.shared);
        key.extend_from_slice(index.bytes().get(entry.key_start..entry.value_start)?);
        (at, is_first) = (entry.end, false);
        Some((BlockHandle::decode_value(index.value(entry)).ok()?, before, key.clone()))
    })
}

/// Calls `each` for every entry of a block.
pub(crate) fn each_entry(block: &Block, mut each: impl FnMut(&[u8], &[u8])) {
    let (mut at, mut key) = (0, Vec::new());
    while let Some(entry) = block.entry(at).filter(|entry| entry.shared <= key.len()) {
        key.truncate(entry.shared);
        key.extend_from_slice(block.bytes().get(entry.key_start..entry.value_start).unwrap_or_default());
        each(&key, block.value(entry));
        at = entry.end;
    }
}
