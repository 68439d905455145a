//! Builds log records by hand, so that false contents can have valid checksums.

use varve::base::{crc32c, mask, put_fixed32};

/// A whole record in a file at `out.len()`, framed as in logs; `kind`, if given, replaces the
/// fragment types.
pub fn frame(out: &mut Vec<u8>, record: &[u8], kind: Option<u8>) {
    let mut rest = record;
    let mut begun = false;
    loop {
        let left = (32 << 10) - out.len() % (32 << 10);
        if left < 7 {
            out.resize(out.len() + left, 0);
            continue;
        }
        let (payload, after) = rest.split_at(rest.len().min(left - 7));
        rest = after;
        let natural = match (begun, rest.is_empty()) {
            (false, true) => 1,
            (false, false) => 2,
            (true, false) => 3,
            (true, true) => 4,
        };
        let sealed = [&[kind.unwrap_or(natural)], payload].concat();
        put_fixed32(out, mask(crc32c(&sealed)));
        out.extend_from_slice(&u16::try_from(payload.len()).unwrap().to_le_bytes());
        out.extend_from_slice(&sealed);
        begun = true;
        if rest.is_empty() {
            return;
        }
    }
}
