//! CRC-32C without tables or processor instructions.
//!
//! A long run of bytes is folded into a short one with the same remainder.
//!
//! A CRC is the remainder of the message as a polynomial, first bit highest. CRC-32C's polynomial
//! divides the following one, all of whose exponents are multiples of 8:
//!
//! ```text
//! x^(8 * 209) + x^(8 * 144) + x^(8 * 54) + x^(8 * 39) + x^(8 * 14) + 1
//! ```
//!
//! A byte may therefore be dropped if it is added (XOR) to the 65th, 155th, 170th, 195th and 209th
//! bytes after it: a few loads per eight bytes, where tables need eight look-ups and their index
//! computations. No step depends on its own result, since no distance is shorter than a step.
//!
//! Sources: K. Kadatch and B. Jenkins, "Everything we know about CRC but afraid to forget" (2010),
//! for the arithmetic; the use of sparse multiples is that of Chorba (zlib-ng, 2024), for CRC-32.
//! This multiple was found by a search: of all with six terms and no distance below 64, it has the
//! lowest degree.

/// The distances at which a byte is added.
const DISTANCES: [usize; 5] = [65, 155, 170, 195, 209];
/// Bytes left after folding: the longest distance in whole words.
pub(super) const LEFT: usize = 216;
/// Bytes that are folded at once.
const STEP: usize = 64;
/// Steps before the window moves back to the front of the buffer.
const STEPS: usize = 16;
const PAST: usize = 256;

const _: () = assert!(DISTANCES[0] >= STEP && DISTANCES[4] <= LEFT && LEFT <= PAST && LEFT.is_multiple_of(8));

/// Folds `bytes`, taken in by a CRC in `state`.
///
/// The result has the same remainder: [`LEFT`] bytes for a CRC of state 0, followed by the end of
/// `bytes`. `None` if `bytes` is too short to gain from it.
#[expect(
    clippy::indexing_slicing,
    reason = "each place is within what the constants above say, and the compiler sees it"
)]
pub(super) fn fold(state: u32, bytes: &[u8]) -> Option<([u8; LEFT], &[u8])> {
    let steps = bytes.len().checked_sub(LEFT + STEP)? / STEP + 1;
    let (folded, behind) = bytes.split_at_checked(steps * STEP)?;
    let (behind, end) = behind.split_at_checked(LEFT)?;
    let mut room = [0; PAST + STEPS * STEP];
    let mut state = u64::from(state);
    let mut at = 0;
    for step in folded.chunks_exact(STEP) {
        if at == STEPS * STEP {
            room.copy_within(at.., 0);
            at = 0;
        }
        let window = &mut room[at..at + PAST + STEP];
        for i in 0..STEP / 8 {
            let sum = word(step, 8 * i) ^ state ^ past(window, PAST + 8 * i);
            window[PAST + 8 * i..PAST + 8 * i + 8].copy_from_slice(&sum.to_le_bytes());
            state = 0;
        }
        at += STEP;
    }
    // Bytes after the last step are not dropped: they are added to, but not added further.
    let mut window = [0; PAST + LEFT];
    window[..PAST].copy_from_slice(&room[at..at + PAST]);
    let mut left = [0; LEFT];
    for i in 0..LEFT / 8 {
        let sum = word(behind, 8 * i) ^ past(&window, PAST + 8 * i);
        left[8 * i..8 * i + 8].copy_from_slice(&sum.to_le_bytes());
    }
    Some((left, end))
}

/// The value to add to the eight bytes at `place`.
#[inline(always)]
fn past(window: &[u8], place: usize) -> u64 {
    let mut sum = 0;
    for distance in DISTANCES {
        sum ^= word(window, place - distance);
    }
    sum
}

#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "see above")]
fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit.
    fn state_after(state: u32, bytes: &[u8]) -> u32 {
        bytes.iter().fold(state, |state, byte| {
            (0..8).fold(state ^ u32::from(*byte), |state, _| (state >> 1) ^ (0x82f6_3b78 * (state & 1)))
        })
    }

    #[test]
    fn folding_keeps_the_remainder() {
        let bytes: Vec<u8> = (0..6000u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
        for state in [0, !0, 0x1234_5678] {
            for length in (0..1400).chain([2048, 2200, 4096, 4101, 6000]) {
                let bytes = &bytes[..length];
                match fold(state, bytes) {
                    Some((left, end)) => {
                        assert!(end.len() < STEP);
                        assert_eq!(
                            state_after(state_after(0, &left), end),
                            state_after(state, bytes),
                            "{length} bytes"
                        );
                    }
                    None => assert!(length < LEFT + STEP, "{length} bytes"),
                }
            }
        }
    }

    #[test]
    fn the_polynomial_is_a_multiple_of_crc32cs() {
        // x^(8 * 209) and the other terms: a message with remainder 0.
        let mut message = [0; 214];
        for distance in [0].iter().chain(&DISTANCES) {
            message[*distance] = 0x80;
        }
        assert_eq!(state_after(0, &message), 0);
    }
}
