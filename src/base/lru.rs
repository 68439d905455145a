//! A cache limited by the total weight of its values; evicts the least recently used.

use std::collections::HashMap;
use std::hash::Hash;

const NONE: u32 = u32::MAX;

/// Values by key, with a total weight of at most `capacity`.
// Invariants:
// 1. `weight` is the sum of the weights of all slots in the list.
// 2. The list from `newest` to `oldest` has exactly the slots in `index`.
pub struct WeightedLru<K, V> {
    capacity: u64,
    weight: u64,
    index: HashMap<K, u32, std::hash::BuildHasherDefault<Mix>>,
    slots: Vec<Slot<K, V>>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
}

struct Slot<K, V> {
    entry: Option<(K, V)>,
    weight: u64,
    newer: u32,
    older: u32,
}

impl<K: Hash + Eq + Clone, V: Clone> WeightedLru<K, V> {
    /// A cache of at most `capacity` in weight; 0 disables it.
    pub fn new(capacity: u64) -> WeightedLru<K, V> {
        WeightedLru {
            capacity,
            weight: 0,
            index: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
        }
    }

    /// The value under `key`, which becomes the most recently used.
    #[inline]
    pub fn get(&mut self, key: &K) -> Option<V> {
        let at = *self.index.get(key)?;
        if at != self.newest {
            self.unlink(at);
            self.link_newest(at);
        }
        self.slot(at)?.entry.as_ref().map(|(_, v)| v.clone())
    }

    /// Inserts `value` under `key`, and returns the last value evicted.
    ///
    /// A value heavier than the whole cache is not kept.
    pub fn insert(&mut self, key: K, value: V, weight: u64) -> Option<V> {
        let mut evicted = self.remove(&key);
        if weight > self.capacity {
            return evicted;
        }
        while self.weight + weight > self.capacity && self.oldest != NONE {
            evicted = self.evict_oldest().or(evicted);
        }
        let slot = Slot { entry: Some((key.clone(), value)), weight, newer: NONE, older: NONE };
        let at = match self.free.pop() {
            Some(at) => {
                if let Some(place) = self.slot_mut(at) {
                    *place = slot;
                }
                at
            }
            None => {
                let Ok(at) = u32::try_from(self.slots.len()) else { return evicted };
                self.slots.push(slot);
                at
            }
        };
        self.index.insert(key, at);
        self.weight += weight;
        self.link_newest(at);
        evicted
    }

    /// Removes `key`.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.index.remove(key)?;
        self.release(at).map(|(_, v)| v)
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        *self = WeightedLru::new(self.capacity);
    }

    /// The total weight.
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    fn evict_oldest(&mut self) -> Option<V> {
        let (key, value) = self.release(self.oldest)?;
        self.index.remove(&key);
        Some(value)
    }

    fn release(&mut self, at: u32) -> Option<(K, V)> {
        self.unlink(at);
        let slot = self.slot_mut(at)?;
        let entry = slot.entry.take();
        let weight = slot.weight;
        self.weight -= weight;
        self.free.push(at);
        entry
    }

    fn slot(&self, at: u32) -> Option<&Slot<K, V>> {
        usize::try_from(at).ok().and_then(|i| self.slots.get(i))
    }

    fn slot_mut(&mut self, at: u32) -> Option<&mut Slot<K, V>> {
        usize::try_from(at).ok().and_then(|i| self.slots.get_mut(i))
    }

    fn unlink(&mut self, at: u32) {
        let Some((newer, older)) = self.slot(at).map(|s| (s.newer, s.older)) else { return };
        match self.slot_mut(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slot_mut(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_newest(&mut self, at: u32) {
        let older = self.newest;
        if let Some(slot) = self.slot_mut(at) {
            slot.newer = NONE;
            slot.older = older;
        }
        match self.slot_mut(older) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }
}

/// A fast hash for our caches' integer keys (multiply and fold; not for keys an attacker picks).
#[derive(Default)]
pub struct Mix(u64);

impl std::hash::Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(26) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_value_is_evicted_first() {
        let mut lru = WeightedLru::new(3);
        for key in 1u64..=3 {
            lru.insert(key, key * 10, 1);
        }
        assert_eq!(lru.get(&1), Some(10));
        lru.insert(4, 40, 1);
        assert_eq!(lru.get(&2), None);
        assert_eq!((lru.get(&1), lru.get(&3), lru.get(&4)), (Some(10), Some(30), Some(40)));
    }

    #[test]
    fn total_weight_is_limited_and_a_value_too_heavy_is_not_kept() {
        let mut lru = WeightedLru::new(10);
        lru.insert(1u64, 'a', 6);
        lru.insert(2, 'b', 6);
        assert_eq!((lru.get(&1), lru.get(&2), lru.weight()), (None, Some('b'), 6));
        lru.insert(3, 'c', 11);
        assert_eq!((lru.get(&3), lru.len()), (None, 1));
        lru.insert(2, 'd', 1);
        assert_eq!((lru.get(&2), lru.weight()), (Some('d'), 1));
        lru.remove(&2);
        assert!(lru.is_empty() && lru.weight() == 0);
    }

    #[test]
    fn it_behaves_like_a_simple_list() {
        let mut lru = WeightedLru::new(8);
        let mut model: Vec<(u64, u64)> = Vec::new();
        let mut x = 7u64;
        for _ in 0..10_000 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = (x >> 33) % 16;
            if (x >> 60).is_multiple_of(2) {
                model.retain(|(k, _)| *k != key);
                model.push((key, x));
                if model.len() > 8 {
                    model.remove(0);
                }
                lru.insert(key, x, 1);
            } else {
                let at = model.iter().position(|(k, _)| *k == key);
                let expected = at.map(|i| model.remove(i));
                model.extend(expected);
                assert_eq!(lru.get(&key), expected.map(|(_, v)| v));
            }
        }
    }
}
