//! Supplies an inspector from a window of a file, so that many small requests need one read.

/// An inspector that requests bytes.
pub trait Reads {
    /// Offset and size of the bytes that it needs next; `None` at the end.
    fn wanted(&self) -> Option<(u64, usize)>;
    /// Takes these bytes, or fewer if no more can be read.
    fn supply(&mut self, bytes: &[u8]);
    /// Whether so much is ready that it should be taken first.
    fn is_full(&self) -> bool;
}

/// An inspector, and the bytes that were read last.
#[derive(Debug)]
pub struct Window<T> {
    inspector: T,
    start: u64,
    bytes: Vec<u8>,
}

impl<T: Reads> Window<T> {
    /// A window without bytes.
    pub fn new(inspector: T) -> Window<T> {
        Window { inspector, start: 0, bytes: Vec::new() }
    }

    /// The inspector, for its results.
    pub fn inspector(&mut self) -> &mut T {
        &mut self.inspector
    }

    /// Offset and size of the bytes to feed next; the size is 0 if none are needed for now.
    ///
    /// `None` at the end.
    pub fn wanted(&self) -> Option<(u64, usize)> {
        let (offset, length) = self.inspector.wanted()?;
        Some(if self.slice(offset, length).is_some() { (offset, 0) } else { (offset, length) })
    }

    /// Takes the bytes of the file at the offset that is wanted: as many as are wanted, or more, or
    /// fewer if they cannot be read. Continues with them until it needs others or its results should
    /// be taken.
    pub fn feed(&mut self, bytes: Vec<u8>) {
        if let Some((offset, length)) = self.inspector.wanted()
            && self.slice(offset, length).is_none()
        {
            (self.start, self.bytes) = (offset, bytes);
            self.inspector.supply(self.bytes.get(..length).unwrap_or(&self.bytes));
        }
        while !self.inspector.is_full()
            && let Some((offset, length)) = self.inspector.wanted()
            && let Some((from, to)) = self.slice(offset, length)
        {
            self.inspector.supply(self.bytes.get(from..to).unwrap_or_default());
        }
    }

    /// Where the window has these bytes.
    fn slice(&self, offset: u64, length: usize) -> Option<(usize, usize)> {
        if length == 0 {
            return Some((0, 0));
        }
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(length)?;
        (to <= self.bytes.len()).then_some((from, to))
    }
}
