//! Mutates valid inputs, and mostly corrects their checksums so that the code after the check is
//! reached.

use varve::base::{crc32c, mask, put_fixed32, put_varint64};

use super::corpus::blocks;
use super::framing::frame;
use super::random::Random;

/// The largest input.
const LENGTH_MAX: usize = 96 << 10;
/// The number of mutated inputs kept in addition to the corpus, to mutate them again.
const KEPT_MAX: usize = 64;

/// Values at which casts, additions and multiplications of lengths and offsets go wrong.
const NUMBERS: [u64; 24] = [
    0,
    1,
    2,
    7,
    8,
    47,
    48,
    127,
    128,
    255,
    256,
    0x7fff,
    0xffff,
    1 << 24,
    0x3fff_ffff,
    0x4000_0000,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    (1 << 56) - 1,
    1 << 56,
    1 << 63,
    u64::MAX,
];

/// Makes inputs for one target, the same for each seed.
pub struct Mutator {
    target: String,
    corpus: Vec<Vec<u8>>,
    kept: Vec<Vec<u8>>,
    random: Random,
}

impl Mutator {
    pub fn new(target: &str, corpus: Vec<Vec<u8>>, seed: u64) -> Mutator {
        Mutator { target: target.to_owned(), corpus, kept: Vec::new(), random: Random::new(seed) }
    }

    /// Returns the next input.
    pub fn next(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        let mut input = if !self.kept.is_empty() && random.one_in(4) {
            random.pick(&self.kept).clone()
        } else {
            random.pick(&self.corpus).clone()
        };
        let other = random.pick(&self.corpus).clone();
        let fix = !random.one_in(8);
        match self.target.as_str() {
            "table" => mutate_table(random, &mut input, &other, fix),
            "log" => mutate_log(random, &mut input, &other, fix),
            // The first byte is the type, which is mostly kept.
            "decompress" if !random.one_in(8) => {
                let mut contents = input.split_off(1.min(input.len()));
                mutate_times(random, &mut contents, &other);
                input.extend(contents);
            }
            _ => mutate_times(random, &mut input, &other),
        }
        input.truncate(LENGTH_MAX);
        if random.one_in(50) {
            if self.kept.len() < KEPT_MAX {
                self.kept.push(input.clone());
            } else {
                let place = random.below(KEPT_MAX);
                self.kept[place] = input.clone();
            }
        }
        input
    }
}

fn mutate_times(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..=random.below(4) {
        mutate(random, bytes, other);
    }
}

/// Makes one random change.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = random.below(bytes.len() + 1);
    let number = if random.one_in(4) { random.next() >> random.below(64) } else { *random.pick(&NUMBERS) };
    let length = [1, 2, 4, 16, 200][random.below(5)];
    let end = (at + 1 + random.below(length)).min(bytes.len());
    match random.below(11) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 if at < bytes.len() => bytes[at] = random.next() as u8,
        3 if at < bytes.len() => bytes[at] = bytes[at].wrapping_add([1, 255, 128, 127][random.below(4)]),
        4 => drop(bytes.drain(at..end)),
        5 => {
            let fill = random.next() as u8;
            drop(bytes.splice(at..at, vec![fill; length]));
        }
        6 => {
            let piece = bytes[at..end].to_vec();
            let to = random.below(bytes.len() + 1);
            drop(bytes.splice(to..to, piece));
        }
        7 => {
            let from = random.below(other.len() + 1);
            let piece = &other[from..(from + length * 4).min(other.len())];
            drop(bytes.splice(at..end, piece.iter().copied()));
        }
        8 => {
            // A fixed integer, mostly at the end, where counts and offsets are.
            let width = if random.one_in(3) { 8 } else { 4 };
            let back = bytes.len().saturating_sub(width * (1 + random.below(4)));
            let start = if random.one_in(2) { back } else { at };
            for (place, byte) in bytes.iter_mut().skip(start).zip(&number.to_le_bytes()[..width]) {
                *place = *byte;
            }
        }
        9 => {
            // Replace a varint.
            let mut stop = at;
            while stop < bytes.len() && stop < at + 9 && bytes[stop] & 0x80 != 0 {
                stop += 1;
            }
            let mut lie = Vec::new();
            put_varint64(&mut lie, number);
            if random.one_in(16) {
                lie = vec![0x80; 1 + random.below(12)];
            }
            drop(bytes.splice(at..(stop + 1).min(bytes.len()).max(at), lie));
        }
        _ if random.one_in(8) => bytes.truncate(at),
        _ => {}
    }
}

fn mutate_log(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8], fix: bool) {
    if random.one_in(4) {
        let from = random.below(other.len() + 1);
        let piece = other[from..(from + random.below(600)).min(other.len())].to_vec();
        frame(bytes, &piece, None);
    }
    mutate_times(random, bytes, other);
    if fix {
        seal_fragments(bytes);
    }
}

/// Corrects the checksums of all fragments, by their lengths.
fn seal_fragments(bytes: &mut [u8]) {
    for block in bytes.chunks_mut(32 << 10) {
        let mut at = 0;
        while let Some(header) = block.get(at..at + 7) {
            let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
            let Some(sealed) = block.get(at + 6..at + 7 + length) else { break };
            let sum = mask(crc32c(sealed)).to_le_bytes();
            block[at..at + 4].copy_from_slice(&sum);
            at += 7 + length;
        }
    }
}

/// Changes a block in place, replaces it by one of another length (later bytes move), or changes
/// any bytes.
fn mutate_table(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8], fix: bool) {
    let found = blocks(bytes).unwrap_or_default();
    let fits = |(offset, size): (usize, usize)| offset.checked_add(size)?.checked_add(5).filter(|e| *e <= bytes.len());
    let usable: Vec<_> = found.into_iter().filter(|at| fits(*at).is_some()).collect();
    if usable.is_empty() || random.one_in(6) {
        return mutate_times(random, bytes, other);
    }
    // The last two blocks are metaindex and index.
    let pick = if random.one_in(2) {
        usable.len() - 1 - random.below(2.min(usable.len()))
    } else {
        random.below(usable.len())
    };
    let (offset, size) = usable[pick];
    let kind = if random.one_in(8) { random.below(6) as u8 } else { bytes[offset + size] };
    let mut contents = bytes[offset..offset + size].to_vec();
    mutate_times(random, &mut contents, other);
    if random.one_in(4) {
        append_block(bytes, contents, kind, (offset, size), random);
        return;
    }
    contents.resize(size, 0);
    bytes[offset..offset + size].copy_from_slice(&contents);
    bytes[offset + size] = kind;
    if fix {
        let sum = mask(crc32c(&bytes[offset..=offset + size])).to_le_bytes();
        bytes[offset + size + 1..offset + size + 5].copy_from_slice(&sum);
    }
}

/// Appends the changed block before the footer, which then refers to it as index or metaindex.
fn append_block(bytes: &mut Vec<u8>, contents: Vec<u8>, kind: u8, old: (usize, usize), random: &mut Random) {
    bytes.truncate(bytes.len() - 48);
    let offset = bytes.len();
    let size = contents.len();
    bytes.extend(contents);
    bytes.push(kind);
    let sum = mask(crc32c(&bytes[offset..]));
    put_fixed32(bytes, sum);
    let mut foot = Vec::new();
    let mut handles = [(offset, size), old];
    if random.one_in(2) {
        handles.reverse();
    }
    for (offset, size) in handles {
        put_varint64(&mut foot, offset as u64);
        put_varint64(&mut foot, size as u64);
    }
    foot.resize(40, 0);
    foot.extend_from_slice(&0xdb47_7524_8b80_fb57u64.to_le_bytes());
    bytes.extend(foot);
}
