//! How many entries are in a block that cannot be used.
//!
//! ```text
//! whole layout      every entry leads to the next, up to the end                      exactly
//! a run is broken   but all others between two restart points have as many entries    exactly
//! otherwise         the sound runs, and one entry for each broken one                at least
//! no layout         the mean of the sound blocks of the table                           about
//! ```

use super::source::{EntryCount, LostBlock, Salvage};
use crate::error::Result;
use crate::table::block::{Block, Origin};
use crate::table::decode::Stored;

/// Decompressed bytes of all lost blocks of a table that are looked into: a hostile index can list one large
/// block many times.
const COUNTED_MAX: usize = 64 << 20;

/// Bytes of an internal key without its user key.
const TAG_SIZE: usize = 8;

impl Salvage<'_> {
    /// Counts the entries of blocks that are lost. `sound` are the numbers of entries and of blocks that
    /// are not.
    pub(crate) async fn count_lost(&self, lost: &mut [LostBlock], sound: (u64, u64)) -> Result<()> {
        let (entries, blocks) = sound;
        let mean = entries.saturating_add(blocks / 2).checked_div(blocks);
        let mut left = COUNTED_MAX;
        for block in lost {
            block.entries = None;
            if left > 0
                && let Some(contents) = self.laid_out(block).await?
            {
                left = left.saturating_sub(contents.bytes().len());
                block.entries = counted(&contents);
            }
            block.entries = block.entries.or(mean.map(EntryCount::About));
        }
        Ok(())
    }

    /// The contents of a block whatever its checksum is, if its restart points are possible.
    async fn laid_out(&self, block: &LostBlock) -> Result<Option<Block>> {
        let Some(bytes) = self.stored(block.handle).await? else { return Ok(None) };
        let contents = self.unverified().contents(block.handle, &mut Stored::Owned(bytes), Vec::new());
        let Ok((contents, raw)) = contents else { return Ok(None) };
        let origin = Origin { offset: block.handle.offset, size: block.handle.size, raw, verified: false };
        Ok(Block::new(contents, origin, false).ok())
    }
}

/// Counts run by run: those between two restart points all have as many entries, but for the last one.
fn counted(block: &Block) -> Option<EntryCount> {
    let (mut sum, mut broken, mut sound) = (0u64, 0u64, 0u64);
    let (mut interval, mut is_even, mut is_last_sound) = (None, true, true);
    for index in 0..block.restart_count() {
        let is_last = index + 1 == block.restart_count();
        let end = block.restart(index + 1).min(block.entries_end());
        match run(block, block.restart(index), end) {
            Some(entries) => {
                sum = sum.saturating_add(entries);
                sound += 1;
                is_even &= is_last || *interval.get_or_insert(entries) == entries;
            }
            None if is_last => is_last_sound = false,
            None => broken += 1,
        }
    }
    let each = interval.filter(|_| is_even);
    let all = sum.saturating_add(broken.saturating_mul(each.unwrap_or(1)));
    match () {
        () if sound == 0 => None,
        () if is_last_sound && (broken == 0 || each.is_some()) => Some(EntryCount::Exactly(all)),
        () => Some(EntryCount::AtLeast(all.saturating_add(u64::from(!is_last_sound)))),
    }
}

/// The number of entries from a restart point to the next; `None` if one leads elsewhere.
fn run(block: &Block, mut at: usize, end: usize) -> Option<u64> {
    let (mut entries, mut key) = (0u64, 0usize);
    while at < end {
        let entry = block.entry(at).filter(|entry| entry.end <= end && entry.shared <= key)?;
        key = entry.shared.checked_add(entry.value_start.checked_sub(entry.key_start)?)?;
        if key < TAG_SIZE {
            return None;
        }
        entries += 1;
        at = entry.end;
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::{EntryCount, counted};
    use crate::table::block::{Block, BlockBuilder, Origin};

    const INTERVAL: usize = 4;

    /// A block of `entries`, changed by `damage`, which is given where each entry begins.
    fn block(entries: usize, damage: impl Fn(&mut Vec<u8>, &[usize])) -> Option<EntryCount> {
        let mut builder = BlockBuilder::new(INTERVAL);
        let mut last = Vec::new();
        for i in 0..entries {
            let key = [format!("key{i:03}").as_bytes(), &[1; 8]].concat();
            builder.add(&last, &key, b"value").unwrap();
            last = key;
        }
        let mut bytes = builder.finish().to_vec();
        let sound = Block::new(bytes.clone(), Origin::default(), false).unwrap();
        let mut starts = vec![0];
        while let Some(entry) = sound.entry(starts[starts.len() - 1]) {
            starts.push(entry.end);
        }
        damage(&mut bytes, &starts);
        Block::new(bytes, Origin::default(), false).ok().and_then(|block| counted(&block))
    }

    #[test]
    fn a_layout_that_is_whole_tells_every_entry() {
        assert_eq!(block(18, |_, _| {}), Some(EntryCount::Exactly(18)));
        // A bit of a value.
        assert_eq!(block(18, |bytes, starts| bytes[starts[6] - 1] ^= 1), Some(EntryCount::Exactly(18)));
    }

    #[test]
    fn a_broken_run_has_as_many_entries_as_the_others() {
        assert_eq!(block(18, |bytes, starts| bytes[starts[6] + 2] ^= 64), Some(EntryCount::Exactly(18)));
    }

    #[test]
    fn a_broken_last_run_has_at_least_one_entry() {
        assert_eq!(block(18, |bytes, starts| bytes[starts[17] + 2] ^= 64), Some(EntryCount::AtLeast(17)));
    }

    #[test]
    fn without_a_layout_nothing_is_counted() {
        assert_eq!(block(3, |bytes, starts| bytes[starts[1] + 2] ^= 64), None);
        assert_eq!(block(18, |bytes, _| bytes.fill(0)), None);
        assert_eq!(block(18, |bytes, _| *bytes.last_mut().unwrap() = 9), None);
    }
}
