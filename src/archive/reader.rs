//! Reads a zip of any tool from front to back, as untrusted input.
//!
//! ```text
//! step: Entry, Piece .., EntryEnd, Entry .. EntryEnd, End       More: more bytes are needed
//! ```
//! An entry may have its sizes and checksum before its content or after it (in a descriptor).
//! Deflated content marks its own end; stored content of unknown length ends at a descriptor with
//! the right length and checksum. At the end, the central directory must agree with the entries.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::fields::{descriptor, halves, head, wide};
use super::{CENTRAL, Crc32, DEFLATED, DESCRIPTOR, END, ENTRY, LATER16, LATER32, STORED, ZIP64_END, ZIP64_LOCATOR};
use crate::base::{Input, decode_fixed32, to_u64};
use crate::error::{Error, Malformed, Result};

/// More files than any database has; each uses memory until its central entry is read.
const ENTRIES_MAX: usize = 100_000;
/// Limit of a name with its folders.
const NAME_SIZE_MAX: usize = 1024;
/// Content returned at once, and the inflater's window.
const PIECE: usize = 64 << 10;
/// A small archive may contain this much, at any ratio.
const RATIO_FREE: u64 = 1 << 20;

const ENCRYPTED: u16 = 1;
const HAS_DESCRIPTOR: u16 = 1 << 3;
/// Patches, strong encryption, masked headers.
const OUTLANDISH: u16 = 1 << 5 | 1 << 6 | 1 << 13;

/// The longest descriptor: with its mark, and sizes of 64 bits.
const DESCRIPTOR_SIZE_MAX: usize = 24;
/// Zip64's end record may be followed by other tools' data.
const ZIP64_END_SIZE_MAX: usize = 4096;

/// Limits of an archive's content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of content, in total.
    pub(crate) bytes: u64,
    /// Ratio to the archive's size, beyond the first MiB.
    pub(crate) ratio: u64,
}

/// The result of a step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// More bytes are needed, if none were used.
    More,
    /// An entry begins.
    Entry(Entry),
    /// A part of its content.
    Piece,
    /// Its content is complete and valid.
    EntryEnd,
    /// The archive is complete and valid.
    End,
}

/// The header of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As stored: any bytes.
    pub(crate) name: Vec<u8>,
    /// Its offset in the archive.
    pub(crate) offset: u64,
    /// Size of its content; 0 if it is not known yet.
    pub(crate) size: u64,
}

/// The values that the central directory must repeat.
///
/// Of the name only the checksum is kept: a collision would be harmless.
struct Seen {
    offset: u64,
    fields: [u64; 5],
    /// The central directory has listed it.
    named: bool,
}

enum Body {
    /// A known number of stored bytes.
    Stored(u64),
    /// Stored, up to a descriptor.
    Searched,
    /// Deflated, up to its own end mark.
    Deflated(Box<Inflater>),
    Over,
}

pub(super) struct Inflater {
    state: DecompressorOxide,
    /// A ring of the latest output, since content repeats it.
    window: Vec<u8>,
    at: usize,
}

/// The entry whose content is being read.
struct Current {
    name: String,
    name_crc: u32,
    offset: u64,
    method: u16,
    has_descriptor: bool,
    /// The values in its header; meaningless if a descriptor follows.
    crc: u32,
    /// Stored size and size, if they are known before the content.
    said: Option<(u64, u64)>,
    body: Body,
    start: u64,
    made: u64,
}

/// A zip being read.
pub(crate) struct ZipReader {
    limits: Limits,
    crc: Crc32,
    /// By offset, which only increases.
    seen: Vec<Seen>,
    /// Bytes of the archive so far, and of content.
    offset: u64,
    made: u64,
    current: Option<Box<Current>>,
    /// Offset of the central directory.
    directory: Option<u64>,
    ended: bool,
}

impl ZipReader {
    pub(crate) fn new(limits: Limits) -> ZipReader {
        ZipReader {
            limits,
            crc: Crc32::new(),
            seen: Vec::new(),
            offset: 0,
            made: 0,
            current: None,
            directory: None,
            ended: false,
        }
    }

    /// Processes `bytes`, which follow those used so far; returns how many bytes were used.
    ///
    /// `last`: no bytes follow. `piece` receives content, if there is some.
    pub(crate) fn step(&mut self, bytes: &[u8], last: bool, piece: &mut Vec<u8>) -> Result<(usize, Step)> {
        piece.clear();
        let (used, step) = match self.current.take() {
            Some(current) => self.content(current, bytes, last, piece)?,
            None => self.between(bytes, last)?,
        };
        self.offset = self.offset.saturating_add(to_u64(used));
        if step == Step::More && last && used == 0 {
            let name = self.current.as_ref().map_or("archive", |current| &current.name);
            return Err(wrong(name, self.offset.saturating_add(to_u64(bytes.len())), "the archive is truncated here"));
        }
        Ok((used, step))
    }

    // ---- Entries ----

    /// Reads the mark of an entry, or of the central directory.
    fn between(&mut self, bytes: &[u8], last: bool) -> Result<(usize, Step)> {
        if self.ended {
            return match bytes.is_empty() {
                true if last => Ok((0, Step::End)),
                true => Ok((0, Step::More)),
                false => Err(self.wrong("something follows the end of the archive")),
            };
        }
        match (decode_fixed32(bytes), self.directory) {
            (None, _) => Ok((0, Step::More)),
            (Some(ENTRY), None) => self.begin(bytes),
            (Some(CENTRAL | END | ZIP64_END), None) => {
                self.directory = Some(self.offset);
                self.central(bytes)
            }
            (Some(_), Some(_)) => self.central(bytes),
            _ if self.offset == 0 => Err(self.wrong("this is not a zip file")),
            _ => Err(self.wrong("expected an entry or the central directory")),
        }
    }

    fn begin(&mut self, bytes: &[u8]) -> Result<(usize, Step)> {
        let mut input = Input::new(bytes);
        let Ok([_, method_flags, _, crc, stored, size]) = head(&mut input) else { return Ok((0, Step::More)) };
        let Ok(lengths) = input.fixed32("lengths") else { return Ok((0, Step::More)) };
        let [flags, method] = halves(method_flags);
        let [name_length, extra_length] = halves(lengths);
        let (Ok(name), Ok(extra)) = (input.bytes(name_length.into(), ""), input.bytes(extra_length.into(), "")) else {
            return Ok((0, Step::More));
        };
        let (shown, offset) = (shown(name), self.offset);
        let Some([size, stored]) = wide(extra, [size, stored]) else {
            return Err(wrong(&shown, offset, "a 64-bit size is missing"));
        };
        if name.len() > NAME_SIZE_MAX {
            return Err(wrong(&shown, offset, "the name is too long"));
        }
        if flags & ENCRYPTED != 0 {
            return Err(unsupported(&shown, offset, "the entry is encrypted"));
        }
        if flags & OUTLANDISH != 0 {
            return Err(unsupported(&shown, offset, "the entry is a patch, or its header is masked"));
        }
        if method != STORED && method != DEFLATED {
            return Err(unsupported(&shown, offset, "the entry is neither stored nor deflated"));
        }
        if self.seen.len() >= ENTRIES_MAX {
            return Err(limit("the archive has too many entries, more than", to_u64(ENTRIES_MAX)));
        }
        let has_descriptor = flags & HAS_DESCRIPTOR != 0;
        if !has_descriptor && method == STORED && stored != size {
            return Err(wrong(&shown, offset, "the entry is stored but has two different sizes"));
        }
        // With a descriptor, some tools omit both sizes and some only one. Deflated content needs
        // none.
        let said = (!has_descriptor || method == STORED && stored == size && size != 0).then_some((stored, size));
        let start = offset.saturating_add(to_u64(input.offset()));
        self.check_limits(
            said.map_or(0, |(_, size)| size),
            start.saturating_add(said.map_or(0, |(stored, _)| stored)),
        )?;
        let body = match (method, said) {
            (STORED, Some((stored, _))) => Body::Stored(stored),
            (STORED, None) => Body::Searched,
            _ => Body::Deflated(Box::new(Inflater::new())),
        };
        let name_crc = self.crc.of(name);
        self.crc.reset();
        let current =
            Current { name: shown, name_crc, offset, method, has_descriptor, crc, said, body, start, made: 0 };
        self.current = Some(Box::new(current));
        let entry = Entry { name: name.to_vec(), offset, size: said.map_or(0, |(_, size)| size) };
        Ok((input.offset(), Step::Entry(entry)))
    }

    /// Reads a piece of content, or the descriptor after it.
    fn content(
        &mut self,
        mut current: Box<Current>,
        bytes: &[u8],
        last: bool,
        piece: &mut Vec<u8>,
    ) -> Result<(usize, Step)> {
        let used = match &mut current.body {
            Body::Over => return self.end(current, bytes, last),
            Body::Stored(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(PIECE);
                piece.extend_from_slice(bytes.get(..most).unwrap_or(bytes));
                *left = left.saturating_sub(to_u64(piece.len()));
                if *left == 0 {
                    current.body = Body::Over;
                }
                piece.len()
            }
            Body::Searched => {
                if self.search(bytes, current.made, piece) {
                    current.body = Body::Over;
                }
                piece.len()
            }
            Body::Deflated(inflater) => {
                let read = self.offset.saturating_sub(current.start);
                let left = current.said.map_or(u64::MAX, |(stored, _)| stored.saturating_sub(read));
                let left = usize::try_from(left).unwrap_or(usize::MAX);
                let given = bytes.get(..left).unwrap_or(bytes);
                let (status, used) = inflater.inflate(given, given.len() < left, piece);
                match status {
                    TINFLStatus::Done => current.body = Body::Over,
                    TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {}
                    _ => {
                        let at = self.offset.saturating_add(to_u64(used));
                        return Err(wrong(&current.name, at, "the deflated content is damaged"));
                    }
                }
                used
            }
        };
        self.crc.update(piece);
        current.made = current.made.saturating_add(to_u64(piece.len()));
        self.made = self.made.saturating_add(to_u64(piece.len()));
        self.check_limits(0, self.offset.saturating_add(to_u64(used)))?;
        if current.said.is_some_and(|(_, size)| current.made > size) {
            return Err(wrong(&current.name, self.offset, "the content is longer than the entry says"));
        }
        let step = match current.body {
            Body::Over => Step::Piece,
            _ if piece.is_empty() => Step::More,
            _ => Step::Piece,
        };
        self.current = Some(current);
        Ok((used, step))
    }

    /// Reads stored content of unknown length, up to a possible descriptor.
    ///
    /// True if it is the descriptor, so that `made` bytes were all.
    fn search(&self, bytes: &[u8], made: u64, piece: &mut Vec<u8>) -> bool {
        let mark = DESCRIPTOR.to_le_bytes();
        let searched = bytes.len().saturating_sub(DESCRIPTOR_SIZE_MAX + 1).min(PIECE);
        let found = (0..searched).find(|at| bytes.get(*at..).is_some_and(|rest| rest.starts_with(&mark)));
        let up_to = match found {
            Some(0) if descriptor(bytes, self.crc.value(), made, made).is_some() => return true,
            // The content may contain the mark.
            Some(0) => 1,
            found => found.unwrap_or(searched),
        };
        piece.extend_from_slice(bytes.get(..up_to).unwrap_or_default());
        false
    }

    /// Checks the size and checksum of complete content.
    fn end(&mut self, current: Box<Current>, bytes: &[u8], last: bool) -> Result<(usize, Step)> {
        let stored = self.offset.saturating_sub(current.start);
        let (crc, made) = (self.crc.value(), current.made);
        let mut used = 0;
        if current.has_descriptor {
            if bytes.len() < DESCRIPTOR_SIZE_MAX + 2 && !last {
                self.current = Some(current);
                return Ok((0, Step::More));
            }
            let Some(size) = descriptor(bytes, crc, stored, made) else {
                return Err(wrong(
                    &current.name,
                    self.offset,
                    "the descriptor has another size or checksum than the content",
                ));
            };
            used = size;
        } else if current.crc != crc {
            return Err(wrong(&current.name, current.offset, "the content does not match the checksum of the entry"));
        }
        if current.said.is_some_and(|said| said != (stored, made)) {
            return Err(wrong(&current.name, current.offset, "the content does not match the size of the entry"));
        }
        let fields = [current.name_crc.into(), current.method.into(), crc.into(), stored, made];
        self.seen.push(Seen { offset: current.offset, fields, named: false });
        Ok((used, Step::EntryEnd))
    }

    /// Whether `more` content is allowed after `read` bytes of the archive.
    fn check_limits(&self, more: u64, read: u64) -> Result<()> {
        let made = self.made.saturating_add(more);
        let Limits { bytes, ratio } = self.limits;
        if made > bytes {
            return Err(limit("the archive contains more bytes than maxBytes,", bytes));
        }
        if made > RATIO_FREE && made > read.saturating_mul(ratio) {
            return Err(limit("the archive contains more, relative to its size, than maxRatio,", ratio));
        }
        Ok(())
    }

    // ---- The central directory ----

    /// Reads one central entry, or the end of the archive.
    fn central(&mut self, bytes: &[u8]) -> Result<(usize, Step)> {
        let mut input = Input::new(bytes);
        let found = match decode_fixed32(bytes) {
            Some(CENTRAL) => self.central_entry(&mut input),
            _ => self.tail(&mut input),
        };
        match found {
            Ok(Ok(())) => Ok((input.offset(), Step::More)),
            Ok(Err(reason)) => Err(self.wrong(reason)),
            Err(_) => Ok((0, Step::More)),
        }
    }

    fn central_entry(&mut self, input: &mut Input<'_>) -> Result<Result<(), &'static str>, Malformed> {
        let start = input.rest();
        // The rest has the layout of an entry's header, with the creator's version at the end of
        // the mark.
        input.bytes(2, "")?;
        let [_, method_flags, _, crc, stored, size] = head(input)?;
        let [name_length, extra_length] = halves(input.fixed32("lengths")?);
        let [comment_length, _] = halves(input.fixed32("comment length and disk")?);
        input.bytes(2, "")?;
        let (mode, offset) = (input.fixed32("mode")?, input.fixed32("offset")?);
        let name = input.bytes(name_length.into(), "name")?;
        let extra = input.bytes(extra_length.into(), "extra field")?;
        input.bytes(comment_length.into(), "comment")?;
        let Some([size, stored, offset]) = wide(extra, [size, stored, offset]) else {
            return Ok(Err("a 64-bit size is missing in the central directory"));
        };
        // Unix and macOS store the kind of file: links are refused.
        let made_on = start.get(5).copied().unwrap_or_default();
        if matches!(made_on, 3 | 19) && mode >> 28 == 0o12 {
            return Ok(Err("the central directory says that an entry is a symbolic link"));
        }
        let [_, method] = halves(method_flags);
        let fields = [self.crc.of(name).into(), method.into(), crc.into(), stored, size];
        let at = self.seen.partition_point(|seen| seen.offset < offset);
        let seen = self.seen.get_mut(at).filter(|seen| seen.offset == offset);
        Ok(match seen {
            Some(seen) if seen.fields == fields && !seen.named => {
                seen.named = true;
                Ok(())
            }
            Some(_) => Err("the central directory contradicts an entry, or names it twice"),
            None => Err("the central directory names an entry that does not exist"),
        })
    }

    /// Reads the rest after the last central entry, up to the end of the comment.
    fn tail(&mut self, input: &mut Input<'_>) -> Result<Result<(), &'static str>, Malformed> {
        let start = self.directory.unwrap_or(self.offset);
        let expected = [to_u64(self.seen.len()), self.offset.saturating_sub(start), start];
        let mut mark = input.fixed32("mark")?;
        let is_wide = mark == ZIP64_END;
        if is_wide {
            let size = usize::try_from(input.fixed64("size")?).unwrap_or(usize::MAX);
            if !(44..=ZIP64_END_SIZE_MAX).contains(&size) {
                return Ok(Err("the zip64 end record has an invalid size"));
            }
            let mut body = Input::new(input.bytes(size, "zip64 end")?);
            body.bytes(20, "versions, disks, count here")?;
            let said = [body.fixed64("count")?, body.fixed64("size")?, body.fixed64("offset")?];
            let locator = [input.fixed32("mark")?, input.fixed32("disk")?];
            if said != expected || locator != [ZIP64_LOCATOR, 0] || input.fixed64("offset")? != self.offset {
                return Ok(Err("the zip64 end record contradicts the archive"));
            }
            input.bytes(4, "disks")?;
            mark = input.fixed32("mark")?;
        }
        let disks = input.fixed32("disks")?;
        let [here, count] = halves(input.fixed32("counts")?);
        let (size, offset) = (input.fixed32("size")?, input.fixed32("offset")?);
        let comment = input.fixed16("comment length")?;
        input.bytes(comment.into(), "comment")?;
        let fits = |said: u32, later: u32, is: u64| u64::from(said) == is || is_wide && said == later;
        let [entries, bytes, start] = expected;
        if mark != END
            || !fits(count.into(), LATER16.into(), entries)
            || !fits(size, LATER32, bytes)
            || !fits(offset, LATER32, start)
        {
            return Ok(Err("the end record contradicts the archive"));
        }
        if here != count || disks != 0 && !(is_wide && disks == LATER32) {
            return Ok(Err("the archive is one of several volumes"));
        }
        if self.seen.iter().any(|seen| !seen.named) {
            return Ok(Err("the central directory does not name all entries"));
        }
        self.ended = true;
        Ok(Ok(()))
    }

    fn wrong(&self, reason: &str) -> Error {
        wrong("archive", self.offset, reason)
    }
}

impl Inflater {
    pub(super) fn new() -> Inflater {
        Inflater { state: DecompressorOxide::new(), window: vec![0; PIECE], at: 0 }
    }

    /// Inflates `input` until the window is full.
    ///
    /// Returns the reason for stopping and the bytes used.
    pub(super) fn inflate(&mut self, input: &[u8], more: bool, piece: &mut Vec<u8>) -> (TINFLStatus, usize) {
        let flags = if more { TINFL_FLAG_HAS_MORE_INPUT } else { 0 };
        let (status, used, made) = decompress(&mut self.state, input, &mut self.window, self.at, flags);
        let end = self.at.saturating_add(made);
        piece.extend_from_slice(self.window.get(self.at..end).unwrap_or_default());
        self.at = if end >= self.window.len() { 0 } else { end };
        (status, used)
    }
}

/// A printable form of any name.
pub(crate) fn shown(name: &[u8]) -> String {
    name.get(..200).unwrap_or(name).escape_ascii().to_string()
}

/// An error of an entry, or of the archive, with its offset.
#[cold]
pub(crate) fn wrong(name: &str, offset: u64, reason: &str) -> Error {
    Error::corruption(name, offset, reason)
}

#[cold]
pub(super) fn unsupported(name: &str, offset: u64, reason: &str) -> Error {
    Error::NotSupported(format!("{name} at offset {offset}: {reason}"))
}

#[cold]
pub(super) fn limit(what: &str, limit: u64) -> Error {
    Error::LimitExceeded(format!("{what} {limit}"))
}
