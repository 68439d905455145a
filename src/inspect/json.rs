//! Spans as JSON, one per line. Written by hand: the smallest code for this purpose.
//!
//! ```text
//! {"kind":"data","offset":0,"length":31,"facts":{"entries":1,"firstKey":{"key":"6f6e6c79","sequence":0,"type":"value"}},
//!  "findings":[{"code":"T10","severity":"bad","offset":27,"length":4,"reason":"..."}],"spans":[]}
//! ```
//! Bytes are hexadecimal. A number that JavaScript cannot represent exactly is a string of digits.

use super::span::{Fact, Finding, KeyFact, Severity, Span};

const EXACT_MAX: u64 = (1 << 53) - 1;

impl Span {
    /// Appends the span as JSON, without a line end.
    pub fn write_json(&self, out: &mut String) {
        out.push_str("{\"kind\":");
        text(out, self.kind);
        if let Some(name) = self.name {
            out.push_str(",\"name\":");
            text(out, name);
        }
        out.push_str(",\"offset\":");
        number(out, self.offset);
        out.push_str(",\"length\":");
        number(out, self.length);
        out.push_str(",\"facts\":{");
        for (index, (name, fact)) in self.facts.iter().enumerate() {
            separate(out, index);
            text(out, name);
            out.push(':');
            match fact {
                Fact::Number(value) => number(out, *value),
                Fact::Flag(value) => out.push_str(if *value { "true" } else { "false" }),
                Fact::Text(value) => text(out, value),
                Fact::Bytes(value) => hex(out, value),
                Fact::Key(value) => key(out, value),
            }
        }
        out.push_str("},\"findings\":[");
        for (index, finding) in self.findings.iter().enumerate() {
            separate(out, index);
            finding.write_json(out);
        }
        out.push_str("],\"spans\":[");
        for (index, span) in self.spans.iter().enumerate() {
            separate(out, index);
            span.write_json(out);
        }
        out.push_str("]}");
    }
}

impl Finding {
    /// Appends the finding as JSON.
    pub fn write_json(&self, out: &mut String) {
        out.push_str("{\"code\":");
        text(out, self.code);
        out.push_str(",\"severity\":");
        text(
            out,
            match self.severity {
                Severity::Info => "info",
                Severity::Warn => "warn",
                Severity::Bad => "bad",
            },
        );
        out.push_str(",\"offset\":");
        number(out, self.offset);
        out.push_str(",\"length\":");
        number(out, self.length);
        out.push_str(",\"reason\":");
        text(out, &self.reason);
        out.push('}');
    }
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

fn number(out: &mut String, value: u64) {
    let digits = value.to_string();
    if value <= EXACT_MAX { out.push_str(&digits) } else { text(out, &digits) }
}

fn key(out: &mut String, key: &KeyFact) {
    out.push_str("{\"key\":");
    hex(out, &key.key);
    out.push_str(",\"size\":");
    number(out, key.size);
    if let Some((sequence, put)) = key.tag {
        out.push_str(",\"sequence\":");
        number(out, sequence);
        out.push_str(if put { ",\"type\":\"value\"" } else { ",\"type\":\"deletion\"" });
    }
    out.push('}');
}

fn hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or('0');
    out.push('"');
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
    out.push('"');
}

fn text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            // Reasons are our own text, without control characters; if one occurs, the line must
            // stay whole.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.push('"');
}
