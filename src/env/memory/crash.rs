//! Models of a crash: the history of one file since its last sync, and the part that survives.
//!
//! ```text
//! append A, sync, append B, truncate to |A|, append C          bytes = A C
//! unsynced = [Appended |B|, Cut B, Appended |C|]                a crash may leave A, A b, A B, A, A c or A C
//! ```
//! The synced content is computed by undoing the changes from the last to the first.

use crate::env::testing::Seeded;

/// The part of bytes and names not yet durable that survives a power failure.
///
/// Each file draws its own numbers from `seed` and its name, so that files lose bytes
/// independently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashModel {
    /// At least this percentage of a file's unsynced bytes survives, the oldest first.
    pub keep_min: u8,
    /// At most this percentage survives; each file draws a value between the two.
    pub keep_max: u8,
    /// Files are torn at multiples of this many bytes. 1 = anywhere; disks have 512 or 4096.
    pub grain: usize,
    /// The bytes after those that survive.
    pub tail: CrashTail,
    /// The creations since the last [`edit_names`](crate::env::Env::edit_names) that survive.
    pub names: CrashNames,
    /// Determines all random numbers.
    pub seed: u64,
}

/// The bytes after the unsynced bytes that survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashTail {
    /// Nothing: the file ends there.
    Cut,
    /// Zeros, up to a random length that the file had.
    ///
    /// Its length reached the disk, its bytes did not.
    Zeros,
    /// Random bytes, up to a random length that the file had.
    Noise,
    /// The file has its full length.
    ///
    /// Each `grain` of unsynced bytes survives (with the percentage as probability) or is zeros.
    Holes,
}

/// The pending creations that survive a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashNames {
    /// None: only durable names survive.
    Durable,
    /// All of them.
    All,
    /// A random number of the oldest ones.
    Prefix,
}

impl CrashModel {
    /// Everything not durable is lost.
    pub const DROP: CrashModel =
        CrashModel { keep_min: 0, keep_max: 0, grain: 1, tail: CrashTail::Cut, names: CrashNames::Durable, seed: 0 };
    /// Nothing is lost.
    pub const KEEP: CrashModel =
        CrashModel { keep_min: 100, keep_max: 100, names: CrashNames::All, ..CrashModel::DROP };

    /// A random part of each file's unsynced bytes survives, and a random number of the new files.
    pub fn random(seed: u64) -> CrashModel {
        CrashModel { keep_max: 100, names: CrashNames::Prefix, seed, ..CrashModel::DROP }
    }

    /// A fixed percentage of each file's unsynced bytes survives, and all names.
    pub fn percent(percent: u8) -> CrashModel {
        CrashModel { keep_min: percent, keep_max: percent, ..CrashModel::KEEP }
    }

    /// The same, torn at `grain`.
    pub fn with_grain(self, grain: usize) -> CrashModel {
        CrashModel { grain, ..self }
    }

    /// The same, with other bytes after those that survive.
    pub fn with_tail(self, tail: CrashTail) -> CrashModel {
        CrashModel { tail, ..self }
    }

    /// The same, with another survival of names.
    pub fn with_names(self, names: CrashNames) -> CrashModel {
        CrashModel { names, ..self }
    }

    /// The number of `pending` creations that survive.
    pub(super) fn names_kept(&self, pending: usize) -> usize {
        match self.names {
            CrashNames::Durable => 0,
            CrashNames::All => pending,
            CrashNames::Prefix => Seeded::for_name(self.seed, "").up_to(pending),
        }
    }
}

/// Changes to a file since it was last synced, oldest first.
#[derive(Clone, Default)]
pub(super) struct History(Vec<Change>);

#[derive(Clone)]
enum Change {
    /// This many bytes were appended.
    Appended(usize),
    /// These bytes were truncated.
    Cut(Vec<u8>),
}

/// A [`Change`] with the data to redo it.
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

    /// The part of `bytes`, the file called `name`, that a crash now may leave.
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

/// Redoes the first `percent` of the changes; the last one is torn.
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

/// Appends at most `kept` bytes of `more`, down to a multiple of the grain, then the model's bytes.
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

/// All of `bytes`, but each unsynced grain either survives or is zeros.
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
