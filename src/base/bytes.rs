//! Compares byte strings eight bytes at a time.
//!
//! In WebAssembly a call of `memcmp` costs more than comparing a short key.

use std::cmp::Ordering;

/// Bytes of a key prefix that is compared as a number.
pub const HEAD_SIZE: usize = 8;

/// Eight bytes of the key from `skip` on.
#[inline]
pub fn head_at(user_key: &[u8], skip: usize) -> u64 {
    let rest = user_key.get(skip..).unwrap_or_default();
    match (rest.first_chunk(), user_key.last_chunk()) {
        (Some(chunk), _) => u64::from_be_bytes(*chunk),
        // The key's last eight bytes, without those before `skip`.
        (None, Some(chunk)) if !rest.is_empty() => u64::from_be_bytes(*chunk) << (64 - 8 * rest.len()),
        _ => short_head(rest),
    }
}

#[inline(never)]
fn short_head(rest: &[u8]) -> u64 {
    let mut padded = [0; 8];
    for (to, from) in padded.iter_mut().zip(rest) {
        *to = *from;
    }
    u64::from_be_bytes(padded)
}

/// Bytewise order of two keys whose first `same` bytes are equal.
///
/// Word by word: keys differ early, and in WebAssembly a call of `memcmp` costs more than this
/// loop.
#[inline]
pub fn compare_from(a: &[u8], b: &[u8], same: usize) -> Ordering {
    let mut offset = same;
    loop {
        let (a_head, b_head) = (head_at(a, offset), head_at(b, offset));
        if a_head != b_head {
            return a_head.cmp(&b_head);
        }
        offset += HEAD_SIZE;
        if offset >= a.len() || offset >= b.len() {
            return a.len().cmp(&b.len());
        }
    }
}

/// Bytewise order.
#[inline]
pub fn compare_bytes(a: &[u8], b: &[u8]) -> Ordering {
    if cfg!(target_arch = "wasm32") { compare_from(a, b, 0) } else { a.cmp(b) }
}

/// Whether two strings are equal.
///
/// Their ends are compared first: there, neighbours in a sorted order differ.
#[inline]
pub fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && a.last_chunk::<HEAD_SIZE>() == b.last_chunk::<HEAD_SIZE>()
        && compare_bytes(a, b) == Ordering::Equal
}

/// The length of the common prefix of two strings.
#[inline]
pub fn common_length(a: &[u8], b: &[u8]) -> usize {
    let (a_words, b_words) = (a.as_chunks::<HEAD_SIZE>().0, b.as_chunks::<HEAD_SIZE>().0);
    let mut offset = 0;
    for (a_word, b_word) in a_words.iter().zip(b_words) {
        let differences = u64::from_le_bytes(*a_word) ^ u64::from_le_bytes(*b_word);
        if differences != 0 {
            return offset + usize::try_from(differences.trailing_zeros() / 8).unwrap_or(0);
        }
        offset += HEAD_SIZE;
    }
    let (a, b) = (a.get(offset..).unwrap_or_default(), b.get(offset..).unwrap_or_default());
    offset + a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_common_prefix_match_a_comparison_of_single_bytes() {
        let bytes = b"abcdefghijklmnopqrstuvwxyz";
        for a_size in 0..bytes.len() {
            for b_size in 0..bytes.len() {
                for changed in 0..bytes.len() {
                    let (a, mut b) = (&bytes[..a_size], bytes[..b_size].to_vec());
                    if let Some(byte) = b.get_mut(changed) {
                        *byte = if changed % 2 == 0 { 0 } else { 0xff };
                    }
                    let common = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
                    assert_eq!(common_length(a, &b), common);
                    assert_eq!(same_bytes(a, &b), *a == b[..]);
                    for same in 0..=common {
                        assert_eq!(compare_from(a, &b, same), a.cmp(&b), "{a:?} {b:?} {same}");
                    }
                }
            }
        }
        assert_eq!(compare_from(b"ab", b"ab\0", 0), Ordering::Less);
    }
}
