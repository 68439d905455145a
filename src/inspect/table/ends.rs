//! The ends of the file: the footer, and the signatures of other kinds of files.

use super::blocks::show_handle;
use super::inspector::{Depth, Role, Step, TAIL_SIZE, TableInspector};
use crate::base::{Input, to_u64};
use crate::inspect::fields;
use crate::inspect::listing::bytes_fact;
use crate::inspect::signatures::{BEGINNINGS, ENDINGS, ROCKSDB, checksum_name, format_version};
use crate::inspect::span::{Fact, Severity, Span, fill};
use crate::table::{BlockHandle, FOOTER_SIZE, Footer, MAGIC};

/// A magic number with at most this many wrong bits is taken for LevelDB's.
const MAGIC_BITS_MAX: u32 = 8;

impl TableInspector {
    #[inline(never)]
    pub(super) fn tail(&mut self, bytes: &[u8]) {
        let footer_size = self.size.min(to_u64(FOOTER_SIZE));
        let start = self.size - footer_size;
        let mut span = Span::new("footer", start, footer_size);
        if to_u64(bytes.len()) < self.size.min(TAIL_SIZE) {
            span.bad(
                "S02",
                (start, footer_size),
                "only {} bytes could be read at the end of the file",
                &[to_u64(bytes.len())],
            );
            self.step = Step::Head { footer: span, search: true };
            return;
        }
        let footer_bytes = bytes.get(bytes.len().saturating_sub(FOOTER_SIZE)..).unwrap_or_default();
        let (Some((handles, magic)), true) = (footer_bytes.split_last_chunk::<8>(), bytes.len() >= FOOTER_SIZE) else {
            span.bad(
                "T01",
                (0, self.size),
                "the file has {} bytes, a table has at least {}",
                &[self.size, to_u64(FOOTER_SIZE)],
            );
            self.step = Step::Head { footer: span, search: false };
            return;
        };
        span.state("magic", bytes_fact(magic));
        let magic = u64::from_le_bytes(*magic);
        if let Some((_, name)) = ENDINGS.iter().find(|(known, _)| *known == magic) {
            return self.foreign(span, name, magic, bytes);
        }
        let wrong_bits = (magic ^ MAGIC).count_ones();
        if wrong_bits > 0 {
            let reason = "not an sstable (bad magic number): {016x}, expected {016x}";
            span.bad("T02", (self.size - 8, 8), reason, &[magic, MAGIC]);
        }
        if wrong_bits > MAGIC_BITS_MAX {
            self.step = Step::Head { footer: span, search: true };
            return;
        }
        self.own(start, self.size);
        if self.has_fields() {
            fields::of_footer(&mut span, handles, magic);
        }
        self.handles(&mut span, handles, start);
        self.emit(span);
        self.advance();
    }

    #[inline(never)]
    pub(super) fn handles(&mut self, span: &mut Span, handles: &[u8], start: u64) {
        let end = start.saturating_add(to_u64(handles.len()));
        let mut input = Input::new(handles);
        let metaindex = BlockHandle::decode(&mut input);
        let index = BlockHandle::decode(&mut input);
        match (metaindex, index) {
            (Ok(metaindex), Ok(index)) => {
                show_handle(span, &["metaindexOffset", "metaindexSize"], metaindex);
                show_handle(span, &["indexOffset", "indexSize"], index);
                self.queue.extend([(Role::Index, index), (Role::Metaindex, metaindex)]);
                if let Err(malformed) = (Footer { metaindex, index }).check_padding(handles) {
                    let at = start.saturating_add(malformed.offset);
                    span.find(Severity::Warn, "T02", (at, end.saturating_sub(at)), malformed.reason);
                }
            }
            (Err(malformed), _) | (_, Err(malformed)) => {
                let at = start.saturating_add(malformed.offset);
                span.find(Severity::Bad, "T30", (at, end.saturating_sub(at)), malformed.reason);
            }
        }
    }

    /// A table of another format: its name and footer are explained, its blocks are not.
    #[inline(never)]
    pub(super) fn foreign(&mut self, mut span: Span, name: &'static str, magic: u64, bytes: &[u8]) {
        self.total.format = name;
        span.text("format", name);
        let version = format_version(bytes);
        let mut what = ["not a LevelDB table: the magic number is that of ", name].concat();
        if let (ROCKSDB, Some(version), [checksum, rest @ ..]) = (magic, version, bytes) {
            let checksum = checksum_name(*checksum);
            (span.offset, span.length) = (self.size.saturating_sub(TAIL_SIZE), TAIL_SIZE.min(self.size));
            if self.has_fields() && bytes.len() == 53 {
                fields::of_rocksdb_footer(&mut span, bytes, version, magic);
            }
            span.number("formatVersion", u64::from(version));
            span.text("checksumType", checksum);
            let mut input = Input::new(rest);
            // From version 6 on the footer has none.
            if version < 6
                && let Ok(metaindex) = BlockHandle::decode(&mut input)
                && let Ok(index) = BlockHandle::decode(&mut input)
            {
                show_handle(&mut span, &["metaindexOffset", "metaindexSize"], metaindex);
                show_handle(&mut span, &["indexOffset", "indexSize"], index);
            }
            what.push_str(&fill(" (format version {}, checksums ", &[u64::from(version)]));
            what.push_str(checksum);
            what.push(')');
        }
        span.find(Severity::Bad, "T02", (self.size.saturating_sub(8), 8), what);
        self.own(span.offset, self.size);
        self.emit(span);
        self.gaps_known = true;
        if self.depth == Depth::Map {
            self.map_regions();
        }
        self.conclude();
    }

    /// There is no footer: the beginning of the file may identify its kind.
    #[inline(never)]
    pub(super) fn head(&mut self, mut footer: Span, search: bool, bytes: &[u8]) {
        self.no_footer = true;
        let is_zeros = matches!(footer.fact("magic"), Some(Fact::Bytes(magic)) if *magic == [0; 8]);
        if is_zeros && bytes.iter().all(|byte| *byte == 0) {
            footer.findings.clear();
            let reason = "no table: the file begins with {} zeros and ends with zeros";
            footer.bad("T01", (0, self.size), reason, &[to_u64(bytes.len())]);
        }
        if let Some((known, name)) = BEGINNINGS.iter().find(|(known, _)| bytes.starts_with(known)) {
            footer.text("format", name);
            footer.note(
                Severity::Bad,
                "T02",
                (0, to_u64(known.len())),
                "the file begins with the signature of that format",
            );
            self.gaps_known = true;
        } else if !search {
            self.gaps_known = true;
        }
        self.emit(footer);
        self.advance();
    }
}
