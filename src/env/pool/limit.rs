//! How the model counts what is stored, as browsers do.

/// What a write does that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawLimit {
    /// A full disk: it writes a part.
    Disk,
    /// The quota of Chromium: it fails whole. A file that grows claims a power of two, at least 1 MiB,
    /// until it is closed.
    Reserving,
    /// The quota of Firefox: it writes nothing and returns 0.
    Refusing,
}

/// Up to here, claims are powers of two; beyond, multiples of it.
const CLAIM_DOUBLING_MAX: u64 = 128 << 20;

/// What a file of `size` bytes claims when it grows.
pub(super) fn claim_of(size: u64) -> u64 {
    if size <= CLAIM_DOUBLING_MAX {
        size.max(1 << 20).next_power_of_two()
    } else {
        size.next_multiple_of(CLAIM_DOUBLING_MAX)
    }
}
