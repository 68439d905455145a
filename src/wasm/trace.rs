//! Traces look-ups for JavaScript: requests ranges of bytes of several files; returns steps as lines
//! of JSON.

use wasm_bindgen::prelude::wasm_bindgen;

use super::error::number;
use super::inspect::{integer, lines};
use crate::base::to_u64;
use crate::inspect::{Answer, Tracer};

/// See [`Tracer`]; files are numbered in the order in which they are added.
#[wasm_bindgen]
pub struct LookupTracer {
    files: Vec<(String, u64)>,
    tracer: Option<Tracer>,
}

/// Starts without files.
#[wasm_bindgen(js_name = traceLookup)]
pub fn trace_lookup() -> LookupTracer {
    LookupTracer { files: Vec::new(), tracer: None }
}

#[wasm_bindgen]
impl LookupTracer {
    /// Adds a file.
    pub fn add(&mut self, name: &str, size: f64) {
        self.files.push((name.to_owned(), integer(size)));
    }

    /// Begins: the last version as one edit, why it cannot be relied on (empty: it can), the key, and
    /// the sequence number (-1: the last).
    pub fn begin(&mut self, state: &[u8], doubt: &str, key: Vec<u8>, at: f64) {
        let doubt = Some(doubt.to_owned()).filter(|doubt| !doubt.is_empty());
        let at = (at >= 0.0).then(|| integer(at));
        self.tracer = Some(Tracer::new(std::mem::take(&mut self.files), state, doubt, key, at));
    }

    /// Begins with one table, the only file: the comparator (empty: bytewise), the key, and the
    /// sequence number (-1: the last).
    #[wasm_bindgen(js_name = beginTable)]
    pub fn begin_table(&mut self, comparator: &str, key: Vec<u8>, at: f64) {
        let at = (at >= 0.0).then(|| integer(at));
        self.tracer =
            self.files.pop().map(|(name, size)| Tracer::of_table(&name, size, comparator.as_bytes(), key, at));
    }

    fn wanted(&self) -> Option<(usize, u64, usize)> {
        self.tracer.as_ref()?.wanted()
    }

    /// Returns the number of the file of the next bytes to feed; -1 at the end.
    pub fn file(&self) -> f64 {
        self.wanted().map_or(-1.0, |(file, ..)| number(to_u64(file)))
    }

    /// Returns their offset.
    pub fn offset(&self) -> f64 {
        self.wanted().map_or(-1.0, |(_, offset, _)| number(offset))
    }

    /// Returns their number.
    pub fn length(&self) -> f64 {
        self.wanted().map_or(0.0, |(.., length)| number(to_u64(length)))
    }

    /// Takes these bytes, or fewer if they are not readable.
    pub fn feed(&mut self, bytes: Vec<u8>) {
        if let Some(tracer) = &mut self.tracer {
            tracer.feed(bytes);
        }
    }

    /// The bytes cannot be read.
    pub fn fail(&mut self, reason: &str) {
        if let Some(tracer) = &mut self.tracer {
            tracer.fail(reason.to_owned());
        }
    }

    /// Returns the answer and the bill, then the steps, as lines of JSON; empty before the end.
    pub fn result(&self) -> String {
        let Some(trace) = self.tracer.as_ref().and_then(Tracer::trace) else { return String::new() };
        let mut spans = vec![trace.to_span()];
        spans.extend(trace.steps.iter().map(|step| step.to_span()));
        lines(&spans)
    }

    /// Returns why step `index` failed, or its filter is not used; without an index, why nothing is
    /// known.
    pub fn reason(&self, index: Option<usize>) -> String {
        let Some(trace) = self.tracer.as_ref().and_then(Tracer::trace) else { return String::new() };
        match (index, &trace.answer) {
            (Some(index), _) => trace.steps.get(index).and_then(|step| step.reason.clone()).unwrap_or_default(),
            (None, Answer::Unknown(reason)) => reason.clone(),
            (None, _) => String::new(),
        }
    }

    /// Returns the value, if the answer is one.
    pub fn value(&self) -> Option<Vec<u8>> {
        match &self.tracer.as_ref()?.trace()?.answer {
            Answer::Value(value) => Some(value.clone()),
            _ => None,
        }
    }
}
