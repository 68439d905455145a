//! Lists the entries of a zip, and reads one of them.

use std::collections::BTreeSet;

use js_sys::{Array, Object};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::error::{number, set, to_js};
use crate::archive::{Content, End, LISTED_SIZE_MAX, Listed, TAIL_SIZE, WIDE_END_SIZE};
use crate::base::to_u64;
use crate::error::{Error, Result};

/// Each entry uses memory.
const ENTRIES_MAX: u64 = 100_000;

/// A zip whose central directory is being read; it requests bytes as inspectors do.
#[wasm_bindgen]
pub struct ZipDirectory {
    size: u64,
    state: State,
    entries: Vec<Listed>,
}

enum State {
    Tail,
    Wide(u64),
    /// The next of `left` entries is at `at`.
    Entries {
        end: End,
        at: u64,
        left: u64,
    },
    Done(End),
}

/// Starts with a zip of `size` bytes.
#[wasm_bindgen(js_name = openZip)]
pub fn open_zip(size: f64) -> ZipDirectory {
    ZipDirectory { size: whole(size), state: State::Tail, entries: Vec::new() }
}

#[wasm_bindgen]
impl ZipDirectory {
    /// Returns the offset of the next bytes to feed; -1 at the end.
    pub fn offset(&self) -> f64 {
        match self.state {
            State::Tail => number(self.size.saturating_sub(to_u64(TAIL_SIZE))),
            State::Wide(at) => number(at),
            State::Entries { at, .. } => number(at),
            State::Done(_) => -1.0,
        }
    }

    /// Returns the number of bytes to feed.
    pub fn length(&self) -> f64 {
        let wanted = match self.state {
            State::Tail => TAIL_SIZE,
            State::Wide(_) => WIDE_END_SIZE,
            State::Entries { .. } => LISTED_SIZE_MAX,
            State::Done(_) => 0,
        };
        number(to_u64(wanted).min(self.size.saturating_sub(whole(self.offset()))))
    }

    /// Takes these bytes, or more.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        self.take(bytes).map_err(|error| to_js(&error))
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        match self.state {
            State::Tail => {
                let end = End::find(bytes, self.size)?;
                match end.wide {
                    Some(at) => self.state = State::Wide(at),
                    None => self.begin(end)?,
                }
            }
            State::Wide(at) => self.begin(End::widened(bytes, at)?)?,
            State::Entries { end, mut at, mut left } => {
                let mut rest = bytes;
                while left > 0 {
                    let Some((listed, size)) = Listed::decode(rest, end.prefix, at)? else { break };
                    rest = rest.get(size..).unwrap_or_default();
                    at = at.saturating_add(to_u64(size));
                    left -= 1;
                    self.entries.push(listed);
                }
                if rest.len() == bytes.len() && left > 0 {
                    return Err(Error::corruption("archive", at, "the central directory ends too early"));
                }
                self.state = if left == 0 { State::Done(end) } else { State::Entries { end, at, left } };
            }
            State::Done(_) => {}
        }
        Ok(())
    }

    fn begin(&mut self, end: End) -> Result<()> {
        if end.entries > ENTRIES_MAX {
            return Err(Error::LimitExceeded(format!(
                "the archive has {} entries, at most {ENTRIES_MAX}",
                end.entries
            )));
        }
        self.state =
            if end.entries == 0 { State::Done(end) } else { State::Entries { end, at: end.offset, left: end.entries } };
        Ok(())
    }

    /// Bytes before the archive.
    pub fn prefix(&self) -> f64 {
        match self.state {
            State::Done(end) => number(end.prefix),
            _ => 0.0,
        }
    }

    /// `{ name, method, stored, size, offset, problem? }` of each entry. Bytes of a name that is not
    /// UTF-8 are escaped.
    pub fn entries(&self) -> Array {
        let mut seen = BTreeSet::new();
        let entry = |listed: &Listed| {
            let object = JsValue::from(Object::new());
            let name = std::str::from_utf8(&listed.name)
                .map_or_else(|_| listed.name.escape_ascii().to_string(), str::to_owned);
            set(&object, "name", name);
            set(&object, "method", listed.method);
            set(&object, "stored", number(listed.stored));
            set(&object, "size", number(listed.size));
            set(&object, "offset", number(listed.offset));
            let is_new = seen.insert(listed.name.clone());
            let problem = listed.problem.or((!is_new).then_some("another entry has the same name"));
            if let Some(problem) = problem {
                set(&object, "problem", problem);
            }
            object
        };
        self.entries.iter().map(entry).collect()
    }

    /// Bytes at the offset of an entry with which `contentAt` finds its content.
    #[wasm_bindgen(js_name = headerSize)]
    pub fn header_size(&self, entry: usize) -> f64 {
        self.entries.get(entry).map_or(0.0, |listed| number(to_u64(listed.header_size())))
    }

    /// Where the content of an entry begins.
    #[wasm_bindgen(js_name = contentAt)]
    pub fn content_at(&self, entry: usize, header: &[u8]) -> Result<f64, JsValue> {
        self.listed(entry)
            .and_then(|listed| listed.content(header, self.size))
            .map(number)
            .map_err(|error| to_js(&error))
    }

    /// Begins to read the content of an entry.
    pub fn content(&self, entry: usize, size_max: f64, ratio_max: f64) -> Result<ZipContent, JsValue> {
        let content = self.listed(entry).and_then(|listed| Content::new(listed, whole(size_max), whole(ratio_max)));
        Ok(ZipContent { content: content.map_err(|error| to_js(&error))?, piece: Vec::new(), used: 0 })
    }

    fn listed(&self, entry: usize) -> Result<&Listed> {
        self.entries.get(entry).ok_or_else(|| Error::InvalidArgument(format!("the archive has no entry {entry}")))
    }
}

/// The content of one entry.
#[wasm_bindgen]
pub struct ZipContent {
    content: Content,
    piece: Vec<u8>,
    used: usize,
}

#[wasm_bindgen]
impl ZipContent {
    /// Takes stored bytes, of which `used` were used; returns content.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Vec<u8>, JsValue> {
        self.used = self.content.step(bytes, &mut self.piece).map_err(|error| to_js(&error))?;
        Ok(self.piece.clone())
    }

    /// Of the bytes of the last step.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Whether all was returned.
    #[wasm_bindgen(js_name = isOver)]
    pub fn is_over(&self) -> bool {
        self.content.is_over()
    }

    /// After the content: what of its size and checksum is wrong.
    pub fn problem(&self) -> Option<String> {
        self.content.problem()
    }
}

/// Converts a JavaScript number to a count.
fn whole(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast stops at both ends")]
    {
        number as u64
    }
}
