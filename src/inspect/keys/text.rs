//! Text in keys.

use crate::inspect::span::Fact;

/// Units of a text that are listed.
const UNITS_MAX: usize = 4096;

/// UTF-16 as a fact in UTF-8. A unit that is no character is written as `\ud800`.
#[inline(never)]
pub(super) fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Fact {
    let units = bytes.as_chunks::<2>().0.iter().take(UNITS_MAX).map(|pair| unit(*pair));
    let mut out = String::new();
    for character in char::decode_utf16(units) {
        match character {
            Ok(character) => out.push(character),
            Err(lone) => {
                out.push_str("\\u");
                let digits = lone.unpaired_surrogate();
                out.extend(
                    [12, 8, 4, 0].map(|bits| char::from_digit(u32::from(digits >> bits & 15), 16).unwrap_or('?')),
                );
            }
        }
    }
    Fact::Bytes(out.into_bytes())
}

/// Latin-1 as a fact in UTF-8.
#[inline(never)]
pub(super) fn latin1(bytes: &[u8]) -> Fact {
    Fact::Bytes(bytes.iter().take(UNITS_MAX).map(|byte| char::from(*byte)).collect::<String>().into_bytes())
}

/// UTF-8 as it is; the end of what is cut may be no character.
#[inline(never)]
pub(super) fn plain(bytes: &[u8]) -> Fact {
    Fact::Bytes(bytes.get(..UNITS_MAX).unwrap_or(bytes).to_vec())
}

/// A number in decimal digits, without a needless zero.
pub(super) fn decimal(bytes: &[u8]) -> Option<u64> {
    let is_plain = bytes.iter().all(u8::is_ascii_digit) && (bytes.len() == 1 || bytes.first() != Some(&b'0'));
    std::str::from_utf8(bytes).ok().filter(|_| is_plain)?.parse().ok()
}
