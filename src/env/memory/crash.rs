//! What a power cut leaves: the history of one file since its last sync, and the models of a crash.
//!
//! ```text
//! append A, sync, append B, truncate to |A|, append C          bytes = A C
//! unsynced = [Appended |B|, Cut B, Appended |C|]                a crash may leave A, A b, A B, A, A c or A C
//! ```
//! The synced content is found by undoing the changes from the last to the first.

use crate::env::testing::Seeded;

/// What a storage in memory keeps of the bytes and names that were not yet durable when the power went.
///
/// Each file draws its own numbers from `seed` and its name, so files lose their bytes independently of one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashModel {
    /// At least so many percent of a file's unsynced bytes are found, from the oldest on.
    pub keep_min: u8,
    /// At most so many percent of them are found; each file draws between the two.
    pub keep_max: u8,
    /// Where a file may be torn: at offsets divisible by this many bytes. 1 = anywhere; disks have 512 or 4096.
    pub grain: usize,
    /// What follows the bytes that were kept.
    pub tail: CrashTail,
    /// Which creations are found, of those since the last [`edit_names`](crate::env::Env::edit_names).
    pub names: CrashNames,
    /// Determines everything that is drawn.
    pub seed: u64,
}

/// What is found behind the unsynced bytes that were kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashTail {
    /// Nothing: the file ends there.
    Cut,
    /// Zeros, up to a drawn length that the file had: its length reached the disk, its bytes did not.
    Zeros,
    /// Anything, up to a drawn length that the file had.
    Noise,
    /// The file has its full length; each `grain` of unsynced bytes was kept (with the percentage as chance) or is zeros.
    Holes,
}

/// Which pending creations a crash leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashNames {
    /// None: only names that were made durable.
    Durable,
    /// All of them.
    All,
    /// The oldest ones, a drawn number of them.
    Prefix,
}

impl CrashModel {
    /// All that was not durable is lost.
    pub const DROP: CrashModel =
        CrashModel { keep_min: 0, keep_max: 0, grain: 1, tail: CrashTail::Cut, names: CrashNames::Durable, seed: 0 };
    /// Nothing is lost, durable or not.
    pub const KEEP: CrashModel =
        CrashModel { keep_min: 100, keep_max: 100, names: CrashNames::All, ..CrashModel::DROP };

    /// Each file keeps a drawn part of its unsynced bytes, and a drawn number of the new files is found.
    pub fn random(seed: u64) -> CrashModel {
        CrashModel { keep_max: 100, names: CrashNames::Prefix, seed, ..CrashModel::DROP }
    }

    /// Each file keeps so many percent of its unsynced bytes; all names are found.
    pub fn percent(percent: u8) -> CrashModel {
        CrashModel { keep_min: percent, keep_max: percent, ..CrashModel::KEEP }
    }

    /// The same, torn at `grain`.
    pub fn with_grain(self, grain: usize) -> CrashModel {
        CrashModel { grain, ..self }
    }

    /// The same, with other bytes behind the kept ones.
    pub fn with_tail(self, tail: CrashTail) -> CrashModel {
        CrashModel { tail, ..self }
    }

    /// The same, with other names found.
    pub fn with_names(self, names: CrashNames) -> CrashModel {
        CrashModel { names, ..self }
    }

    /// How many of `pending` creations are found.
    pub(super) fn names_kept(&self, pending: usize) -> usize {
        match self.names {
            CrashNames::Durable => 0,
            CrashNames::All => pending,
            CrashNames::Prefix => Seeded::for_name(self.seed, "").up_to(pending),
        }
    }
}

/// What happened to a file since it was last synced, oldest first.
#[derive(Clone, Default)]
pub(super) struct History(Vec<Change>);

#[derive(Clone)]
enum Change {
    /// So many bytes were added.
    Appended(usize),
    /// These bytes were cut off.
    Cut(Vec<u8>),
}

/// A [`Change`] with what is needed to do it again.
enum Redo {
    Append(Vec<u8>),
    Cut(usize),
}

impl Redo {
    fn weight(&self) -> usize {
        match self {
            Redo::Append(bytes) => bytes.len(),
            Redo::Cut(_) => 1,
        }
    }
}

impl History {
    pub(super) fn appended(&mut self, count: usize) {
        match self.0.last_mut() {
            Some(Change::Appended(total)) => *total = total.saturating_add(count),
            _ if count > 0 => self.0.push(Change::Appended(count)),
            _ => {}
        }
    }

    pub(super) fn cut(&mut self, removed: Vec<u8>) {
        self.0.push(Change::Cut(removed));
    }

    pub(super) fn synced(&mut self) {
        self.0.clear();
    }

    /// What a crash now may leave of `bytes`, those of the file called `name`.
    pub(super) fn after_crash(&self, bytes: &[u8], model: &CrashModel, name: &str) -> Vec<u8> {
        let mut rng = Seeded::for_name(model.seed, name);
        let spread = usize::from(model.keep_max.saturating_sub(model.keep_min));
        let percent = model.keep_min.saturating_add(u8::try_from(rng.up_to(spread)).unwrap_or(0)).min(100);
        if percent == 100 || self.0.is_empty() {
            return bytes.to_vec();
        }
        let (synced, redo) = self.undo(bytes);
        if model.tail == CrashTail::Holes {
            return with_holes(bytes, synced.len(), redo, percent, model.grain, &mut rng);
        }
        replay(synced, redo, percent, model, &mut rng)
    }

    /// The synced content, and the changes since, oldest first.
    fn undo(&self, bytes: &[u8]) -> (Vec<u8>, Vec<Redo>) {
        let mut bytes = bytes.to_vec();
        let mut redo = Vec::with_capacity(self.0.len());
        for change in self.0.iter().rev() {
            match change {
                Change::Appended(count) => {
                    let start = bytes.len().saturating_sub(*count);
                    redo.push(Redo::Append(bytes.split_off(start)));
                }
                Change::Cut(removed) => {
                    bytes.extend_from_slice(removed);
                    redo.push(Redo::Cut(removed.len()));
                }
            }
        }
        redo.reverse();
        (bytes, redo)
    }
}

/// Does the first `percent` of the changes again; the one on the border is torn.
fn replay(mut bytes: Vec<u8>, redo: Vec<Redo>, percent: u8, model: &CrashModel, rng: &mut Seeded) -> Vec<u8> {
    let total = redo.iter().fold(0usize, |sum, change| sum.saturating_add(change.weight()));
    let mut left = percent_of(total, percent);
    for change in redo {
        let weight = change.weight();
        match change {
            Redo::Cut(count) if left >= weight => bytes.truncate(bytes.len().saturating_sub(count)),
            Redo::Append(more) if left >= weight => bytes.extend_from_slice(&more),
            Redo::Append(more) => {
                tear(&mut bytes, &more, left, model, rng);
                break;
            }
            Redo::Cut(_) => break,
        }
        left = left.saturating_sub(weight);
    }
    bytes
}

/// Adds at most `kept` bytes of `more`, up to a border of the grain, then what the model puts behind them.
fn tear(bytes: &mut Vec<u8>, more: &[u8], kept: usize, model: &CrashModel, rng: &mut Seeded) {
    let start = bytes.len();
    let border = start.saturating_add(kept) / model.grain.max(1) * model.grain.max(1);
    let kept = border.saturating_sub(start);
    let (kept_bytes, lost) = more.split_at_checked(kept).unwrap_or((more, &[]));
    bytes.extend_from_slice(kept_bytes);
    let garbage_from = bytes.len();
    match model.tail {
        CrashTail::Cut | CrashTail::Holes => {}
        CrashTail::Zeros => bytes.resize(garbage_from.saturating_add(rng.up_to(lost.len())), 0),
        CrashTail::Noise => {
            bytes.resize(garbage_from.saturating_add(rng.up_to(lost.len())), 0);
            rng.fill(bytes.get_mut(garbage_from..).unwrap_or_default());
        }
    }
}

/// All of `bytes`, but of what is not synced each grain is there or zeros.
fn with_holes(bytes: &[u8], synced: usize, redo: Vec<Redo>, percent: u8, grain: usize, rng: &mut Seeded) -> Vec<u8> {
    let mut end = synced;
    let mut unchanged = synced;
    for change in &redo {
        match change {
            Redo::Append(more) => end = end.saturating_add(more.len()),
            Redo::Cut(count) => end = end.saturating_sub(*count),
        }
        unchanged = unchanged.min(end);
    }
    let grain = grain.max(1);
    let mut found = bytes.to_vec();
    let mut at = unchanged;
    while at < found.len() {
        let border = (at / grain).saturating_add(1).saturating_mul(grain).min(found.len());
        if !rng.chance(percent) {
            found.get_mut(at..border).unwrap_or_default().fill(0);
        }
        at = border;
    }
    found
}

pub(in crate::env) fn percent_of(total: usize, percent: u8) -> usize {
    let hundredths = u128::try_from(total).unwrap_or(0).saturating_mul(u128::from(percent)) / 100;
    usize::try_from(hundredths).unwrap_or(total)
}
