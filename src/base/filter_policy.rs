//! Filters: small summaries of sets of keys that can rule a key out.
//!
//! ```text
//! bloom filter = bit array, k (1 byte)          bits = max(64, keys * bits_per_key), rounded up to bytes
//! ```
//! Probe i of k sets bit `(h + i * delta) mod bits`, h = hash32(key), delta = rotate_right(h, 17).
//! The tests below have the filter of the single key `hello` at 10 bits per key. Source: LevelDB
//! `util/bloom.cc`, `util/hash.cc`.

use super::coding::decode_fixed32;

/// Makes and queries filters.
///
/// The name is stored in every table; filters with other names are ignored when reading.
pub trait FilterPolicy {
    /// A name that must change whenever the filter's format does.
    fn name(&self) -> &str;
    /// Appends a filter for `keys` (which may repeat) to `out`.
    fn create_filter(&self, keys: &[&[u8]], out: &mut Vec<u8>);
    /// Returns false only if `key` was not among the keys of `filter`. Must accept any bytes.
    fn key_may_match(&self, key: &[u8], filter: &[u8]) -> bool;
}

/// LevelDB's Bloom filter, `leveldb.BuiltinBloomFilter2`.
#[derive(Clone, Debug)]
pub struct BloomFilterPolicy {
    bits_per_key: usize,
    probes: u8,
}

impl BloomFilterPolicy {
    /// Makes filters of `bits_per_key`.
    ///
    /// 10 gives about 1 % false positives; more than 43 has no effect (there are at most 30
    /// probes).
    pub fn new(bits_per_key: u32) -> BloomFilterPolicy {
        // 0.69 =~ ln(2), in integers so that the result is the same on every platform.
        let probes = (u64::from(bits_per_key) * 69 / 100).clamp(1, 30);
        BloomFilterPolicy {
            bits_per_key: usize::try_from(bits_per_key).unwrap_or(usize::MAX),
            probes: u8::try_from(probes).unwrap_or(30),
        }
    }
}

impl BloomFilterPolicy {
    /// The bits that `key` asks for in `filter`, and whether each is set; none if the filter is empty
    /// or has a reserved number of probes.
    pub fn bits_of(key: &[u8], filter: &[u8]) -> Vec<(u32, bool)> {
        let Some((count, array)) = filter.split_last().filter(|(count, array)| **count <= 30 && !array.is_empty())
        else {
            return Vec::new();
        };
        let bits = u32::try_from(array.len().saturating_mul(8)).unwrap_or(u32::MAX);
        let is_set = |bit: u32| {
            let byte = usize::try_from(bit / 8).ok().and_then(|i| array.get(i));
            byte.is_some_and(|b| b & (1 << (bit % 8)) != 0)
        };
        probes(key, *count, bits).map(|bit| (bit, is_set(bit))).collect()
    }
}

impl FilterPolicy for BloomFilterPolicy {
    fn name(&self) -> &str {
        "leveldb.BuiltinBloomFilter2"
    }

    fn create_filter(&self, keys: &[&[u8]], out: &mut Vec<u8>) {
        let bytes = keys.len().saturating_mul(self.bits_per_key).max(64).div_ceil(8);
        let start = out.len();
        out.resize(start + bytes, 0);
        let Some(array) = out.get_mut(start..) else { return };
        let bits = u32::try_from(bytes.saturating_mul(8)).unwrap_or(u32::MAX);
        for key in keys {
            for bit in probes(key, self.probes, bits) {
                if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|i| array.get_mut(i)) {
                    *byte |= 1 << (bit % 8);
                }
            }
        }
        out.push(self.probes);
    }

    #[inline]
    fn key_may_match(&self, key: &[u8], filter: &[u8]) -> bool {
        let Some((probe_count, array)) = filter.split_last() else { return false };
        if array.is_empty() {
            return false;
        }
        if *probe_count > 30 {
            return true; // reserved for new encodings
        }
        let bits = u32::try_from(array.len().saturating_mul(8)).unwrap_or(u32::MAX);
        probes(key, *probe_count, bits).all(|bit| {
            let byte = usize::try_from(bit / 8).ok().and_then(|i| array.get(i));
            byte.is_some_and(|b| b & (1 << (bit % 8)) != 0)
        })
    }
}

#[inline]
fn probes(key: &[u8], count: u8, bits: u32) -> impl Iterator<Item = u32> {
    let h = hash32(key, 0xbc9f_1d34);
    let delta = h.rotate_right(17);
    (0..u32::from(count)).map(move |i| h.wrapping_add(i.wrapping_mul(delta)) % bits)
}

/// LevelDB's 32-bit hash (Murmur-like); tail bytes are unsigned as in LevelDB since 1.18.
#[inline]
pub fn hash32(bytes: &[u8], seed: u32) -> u32 {
    const M: u32 = 0xc6a4_a793;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::as_conversions,
        reason = "lengths wrap at 32 bits by definition"
    )]
    let mut h = seed ^ (bytes.len() as u32).wrapping_mul(M);
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        h = h.wrapping_add(decode_fixed32(word).unwrap_or_default()).wrapping_mul(M);
        h ^= h >> 16;
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        for (i, byte) in tail.iter().enumerate() {
            h = h.wrapping_add(u32::from(*byte) << (8 * i));
        }
        h = h.wrapping_mul(M);
        h ^= h >> 24;
    }
    h
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_match_leveldbs() {
        let vectors: [(&[u8], u32); 6] = [
            (b"", 0xbc9f_1d34),
            (b"a", 0x286e_9db0),
            (b"hello", 0xf795_964e),
            (b"abcdefg", 0x8e0b_1532),
            (b"\x80", 0x365e_e853),
            (b"\xff\xfe\xfd", 0x4388_0227),
        ];
        for (input, expected) in vectors {
            assert_eq!(hash32(input, 0xbc9f_1d34), expected, "{input:?}");
        }
    }

    #[test]
    fn filter_matches_the_worked_example() {
        let mut filter = Vec::new();
        BloomFilterPolicy::new(10).create_filter(&[b"hello"], &mut filter);
        assert_eq!(filter.len(), 9);
        assert_eq!(filter[8], 6);
        assert_eq!(filter[..8].iter().map(|b| b.count_ones()).sum::<u32>(), 6);
    }

    #[test]
    fn every_added_key_matches_and_few_others_do() {
        let policy = BloomFilterPolicy::new(10);
        let keys: Vec<Vec<u8>> = (0u32..10_000).map(|i| i.to_le_bytes().to_vec()).collect();
        let slices: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let mut filter = Vec::new();
        policy.create_filter(&slices, &mut filter);
        assert!(slices.iter().all(|k| policy.key_may_match(k, &filter)));
        let strangers = (0u32..10_000).filter(|i| policy.key_may_match(&(i + 1_000_000_000).to_le_bytes(), &filter));
        assert!(strangers.count() < 200);
    }

    #[test]
    fn probe_counts_match_leveldbs() {
        for (bits, probes) in [(1, 1), (5, 3), (10, 6), (24, 16), (43, 29), (100, 30)] {
            assert_eq!(BloomFilterPolicy::new(bits).probes, probes);
        }
    }

    #[test]
    fn any_bytes_are_accepted_as_a_filter() {
        let policy = BloomFilterPolicy::new(10);
        assert!(!policy.key_may_match(b"k", b""));
        assert!(!policy.key_may_match(b"k", b"\x06"));
        assert!(policy.key_may_match(b"k", b"\x00\x1f"));
    }
}
