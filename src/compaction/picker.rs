//! Picks the next compaction of a version, without I/O.

use std::cmp::Ordering;
use std::rc::Rc;

use super::plan::Compaction;
use crate::base::{FileNumber, InternalKeyComparator, Sorted, sort_by, to_u64, user_key};
use crate::error::Error;
use crate::version::{FileMetaData, LEVEL0_COMPACTION, LEVELS, UserRange, Version, VersionSet, total_size};

/// Target size of level 1 in bytes; each deeper level is ten times larger.
const LEVEL1_BYTES: u64 = 10 << 20;

/// Input of the picker beside the version.
pub(crate) struct Pick<'a> {
    pub(crate) versions: &'a VersionSet,
    pub(crate) max_file_size: u64,
    /// Whether to merge as little as possible at a time, because the storage was full.
    pub(crate) narrow: bool,
    /// A table with too many seeks that found nothing.
    pub(crate) seek_candidate: Option<&'a (usize, Rc<FileMetaData>)>,
    /// Unreadable tables, which are skipped.
    pub(crate) quarantine: &'a Sorted<FileNumber, Error>,
}

/// Returns how full a level is: from 1 on it needs compaction. The last level never does.
pub(crate) fn level_score(version: &Version, level: usize) -> f64 {
    if level == 0 {
        return ratio(to_u64(version.level(0).len()), u64::try_from(LEVEL0_COMPACTION).unwrap_or(1));
    }
    if level + 1 >= LEVELS {
        return 0.0;
    }
    let exponent = u32::try_from(level - 1).unwrap_or(0);
    ratio(version.level_bytes(level), LEVEL1_BYTES.saturating_mul(10u64.saturating_pow(exponent)))
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a score needs no exact integers")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

/// Picks the fullest level first, then the table marked by seeks.
pub(crate) fn pick(context: &Pick<'_>) -> Option<Compaction> {
    let version = context.versions.current();
    let mut levels: Vec<(usize, f64)> = (0..LEVELS - 1).map(|level| (level, level_score(version, level))).collect();
    levels.retain(|(_, score)| *score >= 1.0);
    sort_by(&mut levels, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (level, _) in levels {
        let found = start_files(context, level).find_map(|file| set_up(context, level, vec![file.clone()], false));
        if found.is_some() {
            return found;
        }
    }
    let (level, file) = context.seek_candidate?;
    let live = version.level(*level).iter().any(|f| f.number == file.number);
    if !live || level + 1 >= LEVELS {
        return None;
    }
    set_up(context, *level, vec![file.clone()], false)
}

/// Returns tables of `level` that may hold keys of the range; below level 0 at most about
/// `max_file_size`.
pub(crate) fn pick_range(context: &Pick<'_>, level: usize, range: UserRange<'_>) -> Option<Compaction> {
    let version = context.versions.current();
    let mut inputs = version.overlapping(context.versions.order(), level, range);
    if level == 0
        && context.narrow
        && let Some(oldest) = version.level(0).last().filter(|oldest| inputs.iter().any(|f| f.number == oldest.number))
    {
        inputs = vec![oldest.clone()];
    }
    if level > 0 {
        let mut bytes = 0u64;
        let keep = inputs.iter().take_while(|f| {
            let room = bytes < context.max_file_size;
            bytes = bytes.saturating_add(f.size);
            room
        });
        let count = keep.count();
        inputs.truncate(count);
    }
    if inputs.is_empty() { None } else { set_up(context, level, inputs, true) }
}

/// Rewrites at most about this many times `max_file_size` at once: few small tables result, and the
/// free space needed meanwhile stays small.
const REWRITE_MAX: u64 = 10;

/// Returns adjacent tables of `level` with keys of the range whose rewriting may remove entries.
/// Not the ones numbered `since` or later, which are new.
pub(crate) fn pick_rewrite(
    context: &Pick<'_>,
    level: usize,
    range: UserRange<'_>,
    since: FileNumber,
) -> Option<Compaction> {
    let version = context.versions.current();
    let order = context.versions.order();
    let limit = if context.narrow { 1 } else { context.max_file_size.saturating_mul(REWRITE_MAX) };
    let mut inputs: Vec<Rc<FileMetaData>> = Vec::new();
    for file in version.overlapping(order, level, range) {
        let due = file.number < since && !file.is_compact.get();
        if inputs.is_empty() && !due {
            continue;
        }
        if !due || total_size(&inputs) >= limit {
            break;
        }
        inputs.push(file);
    }
    // Entries of one key can be in adjacent tables, the newest first: it hides the others.
    loop {
        let (smallest, largest) = bounds(order, &inputs)?;
        let wider = version.overlapping(order, level, (Some(user_key(smallest)), Some(user_key(largest))));
        if wider.len() == inputs.len() {
            break;
        }
        inputs = wider;
    }
    if inputs.iter().any(|f| context.quarantine.contains(&f.number)) {
        return None;
    }
    plan(context, (level, level), [inputs, Vec::new()], true)
}

/// Returns the tables in round-robin order, from the compact pointer on.
fn start_files<'a>(context: &Pick<'a>, level: usize) -> impl Iterator<Item = &'a Rc<FileMetaData>> {
    let files = context.versions.current().level(level);
    let pointer = context.versions.compact_pointer(level);
    let order = context.versions.order();
    let behind = |f: &&Rc<FileMetaData>| pointer.is_empty() || order.compare(&f.largest, pointer) == Ordering::Greater;
    let start = match level {
        0 if context.narrow => files.len().saturating_sub(1),
        0 => 0,
        _ => files.iter().position(|f| behind(&f)).unwrap_or(0),
    };
    files.iter().skip(start).chain(files.iter().take(start))
}

/// Completes the inputs of a compaction from `upper`; `None` if one of them is damaged.
fn set_up(context: &Pick<'_>, level: usize, upper: Vec<Rc<FileMetaData>>, manual: bool) -> Option<Compaction> {
    let version = context.versions.current();
    let order = context.versions.order();
    let mut upper = upper;
    // The oldest table of level 0 may move down alone: the others hide what it holds.
    let oldest = version.level(0).last().filter(|_| level == 0 && context.narrow);
    let alone = oldest.is_some_and(|oldest| matches!(&*upper, [only] if only.number == oldest.number));
    if level == 0 && !alone {
        let (smallest, largest) = bounds(order, &upper)?;
        upper = version.overlapping(order, 0, (Some(user_key(smallest)), Some(user_key(largest))));
    }
    if !alone {
        add_boundary_files(order, version.level(level), &mut upper);
    }
    let mut lower = below(order, version, level + 1, &upper)?;

    // Adds more of the upper level if that adds nothing of the lower one.
    let both: Vec<_> = upper.iter().chain(&lower).cloned().collect();
    let (smallest, largest) = bounds(order, &both)?;
    if !lower.is_empty() && !context.narrow {
        let mut wider = version.overlapping(order, level, (Some(user_key(smallest)), Some(user_key(largest))));
        add_boundary_files(order, version.level(level), &mut wider);
        let limit = context.max_file_size.saturating_mul(25);
        if wider.len() > upper.len() && total_size(&lower).saturating_add(total_size(&wider)) < limit {
            let wider_lower = below(order, version, level + 1, &wider)?;
            if wider_lower.len() == lower.len() {
                (upper, lower) = (wider, wider_lower);
            }
        }
    }
    if upper.iter().chain(&lower).any(|f| context.quarantine.contains(&f.number)) {
        return None;
    }
    plan(context, (level, level + 1), [upper, lower], manual)
}

fn plan(
    context: &Pick<'_>,
    (level, output_level): (usize, usize),
    inputs: [Vec<Rc<FileMetaData>>; 2],
    manual: bool,
) -> Option<Compaction> {
    let version = context.versions.current();
    let order = context.versions.order();
    let both: Vec<_> = inputs.iter().flatten().cloned().collect();
    let (smallest, largest) = bounds(order, &both)?;
    let grandparents = if output_level + 1 < LEVELS {
        version.overlapping(order, output_level + 1, (Some(user_key(smallest)), Some(user_key(largest))))
    } else {
        Vec::new()
    };
    let compact_pointer = bounds(order, inputs.first()?)?.1.to_vec();
    Some(Compaction {
        level,
        output_level,
        deeper: (output_level + 1..LEVELS).map(|level| version.share_level(level)).collect(),
        inputs,
        grandparents,
        compact_pointer,
        after: None,
        up_to: None,
        max_file_size: context.max_file_size,
        manual,
    })
}

fn below(
    order: &InternalKeyComparator,
    version: &Version,
    level: usize,
    upper: &[Rc<FileMetaData>],
) -> Option<Vec<Rc<FileMetaData>>> {
    let (smallest, largest) = bounds(order, upper)?;
    let mut lower = version.overlapping(order, level, (Some(user_key(smallest)), Some(user_key(largest))));
    add_boundary_files(order, version.level(level), &mut lower);
    Some(lower)
}

/// Returns the smallest and largest internal keys of the tables.
fn bounds<'a>(order: &InternalKeyComparator, files: &'a [Rc<FileMetaData>]) -> Option<(&'a [u8], &'a [u8])> {
    let smallest = files.iter().map(|f| f.smallest.as_slice()).min_by(|a, b| order.compare(a, b))?;
    let largest = files.iter().map(|f| f.largest.as_slice()).max_by(|a, b| order.compare(a, b))?;
    Some((smallest, largest))
}

/// Adds tables that begin with an older entry of the key that the inputs end with: left in the
/// upper level, that entry would hide the newer one. Source: LevelDB `AddBoundaryInputs`.
fn add_boundary_files(order: &InternalKeyComparator, level: &[Rc<FileMetaData>], inputs: &mut Vec<Rc<FileMetaData>>) {
    let Some((_, largest)) = bounds(order, inputs) else { return };
    let mut largest = largest.to_vec();
    loop {
        let next = level
            .iter()
            .filter(|f| order.compare(&f.smallest, &largest) == Ordering::Greater)
            .filter(|f| order.user().compare(user_key(&f.smallest), user_key(&largest)) == Ordering::Equal)
            .min_by(|a, b| order.compare(&a.smallest, &b.smallest));
        let Some(file) = next else { return };
        largest.clone_from(&file.largest);
        if !inputs.iter().any(|f| f.number == file.number) {
            inputs.push(file.clone());
        }
    }
}
