//! Keys of Chromium's IndexedDB; see `base/idb/key.rs`.
//!
//! ```text
//! database 0            metadata of the origin, by a type byte
//! store 0               metadata of a database, by a type byte
//! index 1, 2, 3         a record, the mark that it exists, its blobs: user key
//! index 30 and above    an entry of an index: its key, 0, the primary key
//! ```

use super::text::utf16;
use crate::base::{
    KeyKind, KeyPrefix, take_byte, take_double, take_kind, take_sized, take_string, take_varint, to_u64,
};
use crate::inspect::span::{Fact, Span};

/// Arrays in arrays that are decoded, as deep as Chromium writes them.
const DEPTH_MAX: usize = 32;
/// Keys in arrays that are listed, of one key.
const PARTS_MAX: usize = 2000;

pub(super) fn explain(key: &[u8]) -> Option<Span> {
    let mut parts = Parts { key, rest: key };
    let prefix = parts.prefix()?;
    let KeyPrefix { database, store, index } = prefix;
    let mut span = match index {
        _ if database == 0 => parts.global()?,
        _ if store == 0 => parts.database()?,
        KeyPrefix::DATA => parts.record("record")?,
        KeyPrefix::EXISTS => parts.record("record exists")?,
        KeyPrefix::BLOBS => parts.record("blobs of a record")?,
        KeyPrefix::USER_INDEX_MIN.. => parts.index_entry()?,
        _ => return None,
    };
    let is_prefix_of_one = database != 0 || (store == 0 && index == 0);
    if !parts.rest.is_empty() || !is_prefix_of_one || (store == 0 && index != 0) {
        return None;
    }
    span.length = to_u64(key.len());
    let (lengths, mut at, mut fields) = (*key.first()?, 1, Vec::new());
    for (name, bits, value) in
        [("database", lengths >> 5, database), ("object store", lengths >> 2 & 7, store), ("index", lengths & 3, index)]
    {
        let size = u64::from(bits) + 1;
        if value > 0 || name == "database" {
            fields.push(Span::of_number(name, at, size, value));
        }
        at += size;
    }
    fields.append(&mut span.spans);
    span.spans = fields;
    Some(span)
}

/// A key, and what is left of it.
struct Parts<'a> {
    key: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    fn at(&self) -> u64 {
        to_u64(self.key.len() - self.rest.len())
    }

    fn prefix(&mut self) -> Option<KeyPrefix> {
        KeyPrefix::take(&mut self.rest)
    }

    /// A part as a field with the facts that `fact` makes of it.
    #[inline(never)]
    fn field(&mut self, name: &'static str, take: fn(&mut &'a [u8]) -> Option<(&'static str, Fact)>) -> Option<Span> {
        let from = self.at();
        let (fact_name, fact) = take(&mut self.rest)?;
        let mut field = Span::of_field(name, from, self.at() - from);
        field.state(fact_name, fact);
        Some(field)
    }

    #[inline(never)]
    fn id(&mut self, name: &'static str) -> Option<Span> {
        self.field(name, |rest| Some(("value", Fact::Number(take_varint(rest)?))))
    }

    #[inline(never)]
    fn string(&mut self, name: &'static str) -> Option<Span> {
        self.field(name, |rest| Some(("text", utf16(take_string(rest)?, u16::from_be_bytes))))
    }

    #[inline(never)]
    fn of(kind: &'static str, spans: Vec<Span>) -> Span {
        Span { spans, ..Span::new(kind, 0, 0) }
    }

    fn global(&mut self) -> Option<Span> {
        let kind = match take_byte(&mut self.rest)? {
            0 => "schema version",
            1 => "largest database id",
            2 => "data version",
            3 => "blobs to remove after a crash",
            4 => "blobs in use",
            5 => "time of the next sweep",
            6 => "time of the next compaction",
            50 => {
                let bytes = std::mem::take(&mut self.rest);
                let mut field = Span::of_field("key", to_u64(self.key.len() - bytes.len()), to_u64(bytes.len()));
                field.state("binary", Fact::Bytes(bytes.to_vec()));
                return Some(Self::of("scope of transactions", vec![field]));
            }
            100 => return Some(Self::of("free database id", vec![self.id("database")?])),
            201 => return Some(Self::of("database name", vec![self.string("origin")?, self.string("name")?])),
            _ => return None,
        };
        Some(Self::of(kind, Vec::new()))
    }

    fn database(&mut self) -> Option<Span> {
        let kind = match take_byte(&mut self.rest)? {
            0 => "origin of the database",
            1 => "name of the database",
            2 => "version as text",
            3 => "largest object store id",
            4 => "version of the database",
            5 => "next blob number",
            50 => {
                let store = self.id("object store")?;
                let kind = match take_byte(&mut self.rest)? {
                    0 => "name of an object store",
                    1 => "key path of an object store",
                    2 => "whether keys are generated",
                    3 => "whether an object store may be evicted",
                    4 => "last version of an object store",
                    5 => "largest index id",
                    6 => "whether an object store has a key path",
                    7 => "next generated key",
                    _ => return None,
                };
                return Some(Self::of(kind, vec![store]));
            }
            100 => {
                let ids = vec![self.id("object store")?, self.id("index")?];
                let kind = match take_byte(&mut self.rest)? {
                    0 => "name of an index",
                    1 => "whether an index is unique",
                    2 => "key path of an index",
                    3 => "whether an index has each key of an array",
                    _ => return None,
                };
                return Some(Self::of(kind, ids));
            }
            150 => return Some(Self::of("free object store id", vec![self.id("object store")?])),
            151 => return Some(Self::of("free index id", vec![self.id("object store")?, self.id("index")?])),
            200 => return Some(Self::of("object store by name", vec![self.string("name")?])),
            201 => return Some(Self::of("index by name", vec![self.id("object store")?, self.string("name")?])),
            _ => return None,
        };
        Some(Self::of(kind, Vec::new()))
    }

    fn record(&mut self, kind: &'static str) -> Option<Span> {
        Some(Self::of(kind, vec![self.user_key("key", 0)?]))
    }

    fn index_entry(&mut self) -> Option<Span> {
        let mut spans = vec![self.user_key("key", 0)?];
        if !self.rest.is_empty() {
            let sequence = self.id("sequence")?;
            // Always 0 since primary keys are in the key.
            if sequence.fact("value") != Some(&Fact::Number(0)) {
                spans.push(sequence);
            }
        }
        if !self.rest.is_empty() {
            spans.push(self.user_key("primary key", 0)?);
        }
        Some(Self::of("index entry", spans))
    }

    #[inline(never)]
    fn user_key(&mut self, name: &'static str, depth: usize) -> Option<Span> {
        let from = self.at();
        let mut span = match take_kind(&mut self.rest)? {
            KeyKind::Number => self.field(name, |rest| Some(("number", double(take_double(rest)?))))?,
            KeyKind::Date => self.field(name, |rest| Some(("date", double(take_double(rest)?))))?,
            KeyKind::String => self.string(name)?,
            KeyKind::Binary => self.field(name, |rest| Some(("binary", Fact::Bytes(take_sized(rest)?.to_vec()))))?,
            KeyKind::Array if depth < DEPTH_MAX => {
                let count = take_varint(&mut self.rest)?;
                let mut spans = Vec::new();
                for _ in 0..count {
                    let part = self.user_key("key", depth + 1)?;
                    // Keys of an array of hostile length end with the bytes that they take.
                    if spans.len() < PARTS_MAX {
                        spans.push(part);
                    }
                }
                let mut array = Span { spans, ..Span::of_field(name, from, 0) };
                array.number("array", count);
                array
            }
            KeyKind::Array | KeyKind::Min | KeyKind::None => return None,
        };
        span.offset = from;
        span.length = self.at() - from;
        Some(span)
    }
}

/// The bits of a number, of which JavaScript makes text.
fn double(value: f64) -> Fact {
    Fact::Bytes(value.to_bits().to_be_bytes().to_vec())
}
