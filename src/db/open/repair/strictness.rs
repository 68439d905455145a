//! Which blocks of damaged tables and records of damaged logs are used.

/// Which blocks of damaged tables and records of damaged logs are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strictness {
    /// Blocks with a right checksum that a sound index lists.
    Sound,
    /// Also blocks that are found by their checksums where the index cannot be used.
    #[default]
    Carved,
    /// Also listed blocks with a wrong checksum, if they decode to their ends and their keys are in
    /// order between those of their neighbours; and records of logs with a wrong checksum, or after damage
    /// at the start of a log, if they are whole batches and their sequence numbers fit. What they hold may be
    /// wrong.
    Doubtful,
}
