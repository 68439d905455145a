//! Explains files for JavaScript: requests ranges of bytes; returns spans and findings as lines of
//! JSON, and regions as rows of numbers.

use wasm_bindgen::prelude::wasm_bindgen;

use super::error::number;
use crate::base::to_u64;
use crate::inspect::{self, BlockView, Depth, Finding, Span, TableInspector, Window};

/// See [`TableInspector`].
#[wasm_bindgen]
pub struct Inspector(Window<TableInspector>);

/// Starts with a table file of `size` bytes. `depth`: 0 spans, 1 spans with entries, 2 map, 3 sweep.
#[wasm_bindgen(js_name = inspectTable)]
pub fn inspect_table(size: f64, depth: u8) -> Inspector {
    let depth = match depth {
        2 => Depth::Map,
        3 => Depth::Sweep,
        other => Depth::Spans { entries: other == 1 },
    };
    Inspector(Window::new(TableInspector::new(integer(size), depth)))
}

#[wasm_bindgen]
impl Inspector {
    /// Returns the offset of the next bytes to feed; -1 at the end.
    pub fn offset(&self) -> f64 {
        self.0.wanted().map_or(-1.0, |(offset, _)| number(offset))
    }

    /// Returns the number of bytes to feed; 0 to continue with those it has.
    pub fn length(&self) -> f64 {
        self.0.wanted().map_or(0.0, |(_, length)| number(to_u64(length)))
    }

    /// Takes these bytes: those that are needed and more, or fewer if they are not readable.
    pub fn feed(&mut self, bytes: Vec<u8>) {
        self.0.feed(bytes);
    }

    /// Returns finished spans, one line of JSON each.
    pub fn spans(&mut self) -> String {
        lines(&self.0.inspector().take())
    }

    /// Returns findings since the last call, one line of JSON each.
    pub fn findings(&mut self) -> String {
        finding_lines(&self.0.inspector().take_findings())
    }

    /// Returns regions, in rows of 40 bytes.
    pub fn regions(&mut self) -> Vec<u8> {
        inspect::pack_regions(&self.0.inspector().take_regions())
    }

    /// Returns the index of a map, once.
    pub fn index(&mut self) -> Option<View> {
        let (view, handles) = self.0.inspector().take_index()?;
        let pairs = handles.iter().map(|handle| handle.map_or([-1.0, 0.0], |(at, size)| [number(at), number(size)]));
        Some(View { handles: pairs.flatten().collect(), ..View::of(view) })
    }
}

/// A decoded block; each part is returned once.
#[wasm_bindgen]
pub struct View {
    span: Span,
    raw: Option<Vec<u8>>,
    plain: bool,
    rows: Vec<u8>,
    restarts: Vec<u32>,
    handles: Vec<f64>,
}

/// See [`BlockView::open`].
#[wasm_bindgen(js_name = openBlock)]
pub fn open_block(kind: &str, offset: f64, size: f64, stored: &[u8]) -> View {
    View::of(BlockView::open(kind, integer(offset), integer(size), stored))
}

impl View {
    fn of(view: BlockView) -> View {
        let BlockView { span, raw, plain, rows, restarts } = view;
        View { span, raw, plain, rows, restarts, handles: Vec::new() }
    }
}

#[wasm_bindgen]
impl View {
    /// Its span, as JSON.
    pub fn span(&self) -> String {
        let mut json = String::new();
        self.span.write_json(&mut json);
        json
    }

    /// Its contents.
    pub fn raw(&mut self) -> Option<Vec<u8>> {
        self.raw.take()
    }

    /// Whether they are stored as they are.
    pub fn plain(&self) -> bool {
        self.plain
    }

    /// Its entries, in rows of 32 bytes.
    pub fn rows(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rows)
    }

    /// Its restart points.
    pub fn restarts(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.restarts)
    }

    /// Offset and size of the handle in each entry's value, if it is an index.
    pub fn handles(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.handles)
    }
}

/// Tells what a file is: kind, named kind, format and reason, one line each; see [`inspect::detect`].
#[wasm_bindgen(js_name = detectFile)]
pub fn detect_file(name: &str, size: f64, head: &[u8], tail: &[u8]) -> String {
    let found = inspect::detect(name, integer(size), head, tail);
    [found.kind.name(), found.named.unwrap_or_default(), &found.format, &found.reason].join("\n")
}

fn lines(spans: &[Span]) -> String {
    let mut lines = String::new();
    for span in spans {
        span.write_json(&mut lines);
        lines.push('\n');
    }
    lines
}

fn finding_lines(findings: &[Finding]) -> String {
    let mut lines = String::new();
    for finding in findings {
        finding.write_json(&mut lines);
        lines.push('\n');
    }
    lines
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
fn integer(value: f64) -> u64 {
    value as u64
}
