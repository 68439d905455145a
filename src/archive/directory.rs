//! Reads a zip by its central directory, which can be asked for one entry without reading the others.
//!
//! ```text
//! tail of the file -> End -> central directory -> Listed, one by one -> local header -> content
//! ```
//! As untrusted input, and tolerant: bytes before the archive, comments and gaps between entries are
//! no errors, since the directory is what counts. An entry that cannot be read says why.

use miniz_oxide::inflate::TINFLStatus;

use super::fields::{halves, head, wide};
use super::reader::{Inflater, limit, shown, unsupported, wrong};
use super::{CENTRAL, Crc32, DEFLATED, END, ENTRY, LATER16, LATER32, STORED, ZIP64_END, ZIP64_LOCATOR};
use crate::base::{Input, decode_fixed32, to_u64};
use crate::error::{Error, Malformed, Result};

/// Bytes of the end of the file that have the end record: with the longest comment and zip64's locator.
pub(crate) const TAIL_SIZE: usize = END_SIZE + LOCATOR_SIZE + 0xffff;
const END_SIZE: usize = 22;
const LOCATOR_SIZE: usize = 20;
/// Zip64's end record, without other tools' data.
pub(crate) const WIDE_END_SIZE: usize = 56;
/// The longest entry of the central directory.
pub(crate) const LISTED_SIZE_MAX: usize = 46 + 3 * 0xffff;

const ENCRYPTED: u16 = 1;
/// Patches, strong encryption, masked headers.
const OUTLANDISH: u16 = 1 << 5 | 1 << 6 | 1 << 13;
/// A small entry may inflate to this much, at any ratio.
const RATIO_FREE: u64 = 1 << 20;

/// Where the central directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) entries: u64,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    /// Bytes before the archive, which its offsets do not count.
    pub(crate) prefix: u64,
    /// Where zip64's end record is, which has the real values.
    pub(crate) wide: Option<u64>,
}

/// One entry of the central directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// As stored: any bytes.
    pub(crate) name: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) stored: u64,
    pub(crate) size: u64,
    /// Of its local header, in the file.
    pub(crate) offset: u64,
    /// Why its content cannot be read.
    pub(crate) problem: Option<&'static str>,
}

impl End {
    /// Finds the end record in the last bytes of a file of `size` bytes.
    pub(crate) fn find(tail: &[u8], size: u64) -> Result<End> {
        let start = size.saturating_sub(to_u64(tail.len()));
        let mark = END.to_le_bytes();
        for at in (0..tail.len().saturating_sub(END_SIZE - 1)).rev() {
            let Some(rest) = tail.get(at..).filter(|rest| rest.starts_with(&mark)) else { continue };
            let Ok((end, comment)) = End::decode(rest) else { continue };
            // What a comment has in it ends where the comment does.
            if to_u64(comment).saturating_add(to_u64(at + END_SIZE)) > to_u64(tail.len()) {
                continue;
            }
            let locator = at.checked_sub(LOCATOR_SIZE).and_then(|at| tail.get(at..));
            return end.placed(start.saturating_add(to_u64(at)), locator);
        }
        Err(wrong("archive", size, "it has no end record: it is cut short, or no zip"))
    }

    /// With the length of the comment.
    fn decode(bytes: &[u8]) -> Result<(End, usize), Malformed> {
        let mut input = Input::new(bytes);
        input.bytes(4, "mark")?;
        let disks = input.fixed32("disks")?;
        let [here, entries] = halves(input.fixed32("counts")?);
        let (size, offset) = (input.fixed32("size")?, input.fixed32("offset")?);
        let comment = input.fixed16("comment length")?;
        let is_wide = entries == LATER16 || size == LATER32 || offset == LATER32;
        if !is_wide && (disks != 0 || here != entries) {
            return Err(Malformed { offset: 4, reason: "the archive is one of several volumes".into() });
        }
        let end = End {
            entries: entries.into(),
            offset: offset.into(),
            size: size.into(),
            prefix: 0,
            wide: is_wide.then_some(0),
        };
        Ok((end, comment.into()))
    }

    fn placed(mut self, at: u64, locator: Option<&[u8]>) -> Result<End> {
        let found = locator.filter(|bytes| decode_fixed32(bytes) == Some(ZIP64_LOCATOR)).and_then(|bytes| {
            let mut input = Input::new(bytes);
            input.bytes(8, "mark and disk").ok()?;
            input.fixed64("offset").ok()
        });
        // Some tools write zip64's record although the values fit; some omit it and mean the values.
        self.wide = found;
        if self.wide.is_none() {
            let start = at.checked_sub(self.size);
            let prefix = start.and_then(|start| start.checked_sub(self.offset));
            let Some(prefix) = prefix else {
                return Err(wrong("archive", at, "the central directory would lie outside of the archive"));
            };
            self.prefix = prefix;
            self.offset = self.offset.saturating_add(prefix);
        }
        Ok(self)
    }

    /// Decodes zip64's end record, which is at `at`.
    pub(crate) fn widened(bytes: &[u8], at: u64) -> Result<End> {
        let decoded: Result<End, Malformed> = (|| {
            let mut input = Input::new(bytes);
            let mark = input.fixed32("mark")?;
            input.bytes(28, "size, versions, disks, count here")?;
            let (entries, size) = (input.fixed64("count")?, input.fixed64("size")?);
            let offset = input.fixed64("offset")?;
            if mark != ZIP64_END {
                return Err(Malformed {
                    offset: 0,
                    reason: "the zip64 end record is not where its locator says".into(),
                });
            }
            Ok(End { entries, offset, size, prefix: 0, wide: None })
        })();
        let mut end = decoded.map_err(|malformed| malformed.in_file("archive", at))?;
        let Some(prefix) = at.checked_sub(end.size).and_then(|start| start.checked_sub(end.offset)) else {
            return Err(wrong("archive", at, "the central directory would lie outside of the archive"));
        };
        end.prefix = prefix;
        end.offset = end.offset.saturating_add(prefix);
        Ok(end)
    }
}

impl Listed {
    /// Decodes the next entry; returns it and its size. `None`: more bytes are needed. `at`: where it is.
    pub(crate) fn decode(bytes: &[u8], prefix: u64, at: u64) -> Result<Option<(Listed, usize)>> {
        match decode_fixed32(bytes) {
            None => return Ok(None),
            Some(CENTRAL) => {}
            Some(_) => return Err(wrong("archive", at, "expected an entry of the central directory")),
        }
        let mut input = Input::new(bytes);
        let Ok(listed) = Listed::fields(&mut input, prefix) else { return Ok(None) };
        Ok(Some((listed, input.offset())))
    }

    fn fields(input: &mut Input<'_>, prefix: u64) -> Result<Listed, Malformed> {
        // The rest has the layout of a local header, after the version of the creator.
        input.bytes(2, "")?;
        let [_, method_flags, _, crc, stored, size] = head(input)?;
        let [name_length, extra_length] = halves(input.fixed32("lengths")?);
        let [comment_length, _] = halves(input.fixed32("comment length and disk")?);
        input.bytes(2, "")?;
        let (mode, offset) = (input.fixed32("mode")?, input.fixed32("offset")?);
        let name = input.bytes(name_length.into(), "name")?.to_vec();
        let extra = input.bytes(extra_length.into(), "extra field")?;
        input.bytes(comment_length.into(), "comment")?;
        let [flags, method] = halves(method_flags);
        let wide = wide(extra, [size, stored, offset]);
        let [size, stored, offset] = wide.unwrap_or([size.into(), stored.into(), offset.into()]);
        let is_link = mode >> 28 == 0o12;
        let problem = if wide.is_none() {
            Some("a 64-bit size is missing")
        } else if flags & ENCRYPTED != 0 {
            Some("it is encrypted")
        } else if flags & OUTLANDISH != 0 {
            Some("it is a patch, or its header is masked")
        } else if is_link {
            Some("it is a symbolic link")
        } else if method != STORED && method != DEFLATED {
            Some("it is neither stored nor deflated")
        } else if method == STORED && stored != size {
            Some("it is stored, but has two different sizes")
        } else {
            None
        };
        Ok(Listed { name, method, crc, stored, size, offset: offset.saturating_add(prefix), problem })
    }

    /// Bytes of the local header that tell where the content begins.
    pub(crate) fn header_size(&self) -> usize {
        self.name.len().saturating_add(30)
    }

    /// Where the content begins, by the local header, of which `bytes` are the first.
    pub(crate) fn content(&self, bytes: &[u8], file_size: u64) -> Result<u64> {
        let name = shown(&self.name);
        if let Some(problem) = self.problem {
            return Err(unsupported(&name, self.offset, problem));
        }
        let mut input = Input::new(bytes);
        let lengths = (|| {
            let [..] = head(&mut input)?;
            let [name_length, extra_length] = halves(input.fixed32("lengths")?);
            let local = input.bytes(name_length.into(), "name")?;
            Ok::<_, Malformed>((local == self.name, usize::from(name_length) + usize::from(extra_length)))
        })();
        let Ok((is_same, length)) = lengths.map_err(drop).and_then(|found| match decode_fixed32(bytes) {
            Some(ENTRY) => Ok(found),
            _ => Err(()),
        }) else {
            return Err(wrong(&name, self.offset, "the central directory leads here, where no entry begins"));
        };
        if !is_same {
            return Err(wrong(&name, self.offset, "the entry has another name than the central directory says"));
        }
        let start = self.offset.saturating_add(30).saturating_add(to_u64(length));
        if start.checked_add(self.stored).is_none_or(|end| end > file_size) {
            let reason = format!("the archive ends before the {} bytes of this entry", self.stored);
            return Err(wrong(&name, self.offset, &reason));
        }
        Ok(start)
    }
}

/// The content of one entry, in pieces.
pub(crate) struct Content {
    name: String,
    offset: u64,
    inflater: Option<Box<Inflater>>,
    crc: Crc32,
    said: (u32, u64),
    stored: u64,
    read: u64,
    made: u64,
    is_over: bool,
}

impl Content {
    /// Begins an entry; an impossible or forbidden size is refused before anything is read.
    pub(crate) fn new(entry: &Listed, size_max: u64, ratio_max: u64) -> Result<Content> {
        let name = shown(&entry.name);
        let is_deflated = entry.method == DEFLATED;
        let ratio_exceeded = entry.size > RATIO_FREE && entry.size > entry.stored.saturating_mul(ratio_max);
        if is_deflated && (entry.size > size_max || ratio_exceeded) {
            let (size, stored) = (entry.size, entry.stored);
            let what =
                format!("{name} at offset {}: {size} bytes out of {stored}; limits: {ratio_max} times,", entry.offset);
            return Err(limit(&what, size_max));
        }
        Ok(Content {
            name,
            offset: entry.offset,
            inflater: is_deflated.then(|| Box::new(Inflater::new())),
            crc: Crc32::new(),
            said: (entry.crc, entry.size),
            stored: entry.stored,
            read: 0,
            made: 0,
            is_over: false,
        })
    }

    /// Takes bytes; adds content to `piece`. Returns the number of bytes used.
    pub(crate) fn step(&mut self, bytes: &[u8], piece: &mut Vec<u8>) -> Result<usize> {
        piece.clear();
        let left = self.stored.saturating_sub(self.read);
        let given = bytes.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(bytes);
        let used = match &mut self.inflater {
            None => {
                piece.extend_from_slice(given);
                self.is_over = to_u64(given.len()) == left;
                given.len()
            }
            Some(inflater) => {
                let (status, used) = inflater.inflate(given, to_u64(given.len()) < left, piece);
                match status {
                    TINFLStatus::Done => self.is_over = true,
                    TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {}
                    _ => return Err(self.wrong("its deflated content is damaged")),
                }
                used
            }
        };
        self.read = self.read.saturating_add(to_u64(used));
        self.made = self.made.saturating_add(to_u64(piece.len()));
        self.crc.update(piece);
        if self.made > self.said.1 {
            return Err(self.wrong("its content is longer than the entry says"));
        }
        if used == 0 && piece.is_empty() && !self.is_over {
            return Err(self.wrong("its content ends too early"));
        }
        Ok(used)
    }

    /// Whether all content was returned.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// After the content: what of its size and checksum is wrong.
    pub(crate) fn problem(&self) -> Option<String> {
        let (crc, size) = self.said;
        if self.made != size || self.read != self.stored {
            return Some(format!("its content has {} bytes, the entry says {size}", self.made));
        }
        (self.crc.value() != crc).then(|| format!("its checksum is {:08x}, the entry says {crc:08x}", self.crc.value()))
    }

    fn wrong(&self, reason: &str) -> Error {
        wrong(&self.name, self.offset, reason)
    }
}
