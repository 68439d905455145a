//! Spans: ranges of bytes with facts and findings, as an inspector returns them.

/// A range of bytes of a file, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its kind.
    ///
    /// `footer`, `metaindex`, `index`, `filter`, `meta`, `data`, `entry`, `gap`, or `table` for the
    /// whole file. Of parts of these: `contents`, `field`.
    pub kind: &'static str,
    /// Of a `field`: its name.
    pub name: Option<&'static str>,
    /// Its offset in the file; inside a block, in the block's decompressed contents.
    pub offset: u64,
    /// Its size in bytes, including a block's trailer.
    pub length: u64,
    /// Its contents, by name.
    pub facts: Vec<(&'static str, Fact)>,
    /// Its damage.
    pub findings: Vec<Finding>,
    /// The spans inside.
    pub spans: Vec<Span>,
}

/// The value of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A count, a size, an offset, a checksum.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// A fixed word.
    Text(&'static str),
    /// Bytes from the file, truncated to 64 KiB.
    Bytes(Vec<u8>),
    /// An internal key.
    Key(KeyFact),
}

/// An internal key, as far as it is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFact {
    /// The user key, or the whole key if it is not an internal key. Truncated to 64 KiB.
    pub key: Vec<u8>,
    /// Bytes before truncation.
    pub size: u64,
    /// Its sequence number, and whether it is a put (true) or a deletion.
    pub tag: Option<(u64, bool)>,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Information; nothing is wrong.
    Info,
    /// Readable, but no writer produces it.
    Warn,
    /// Damage: data that is unreadable or cannot be trusted.
    Bad,
}

/// Damage, its offset and the expected value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable; the documentation of `inspect` lists the codes.
    pub code: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// Offset in the file.
    pub offset: u64,
    /// Number of bytes concerned, from there on.
    pub length: u64,
    /// The value found and the value expected.
    pub reason: String,
}

/// An offset and a number of bytes.
pub(crate) type Range = (u64, u64);

impl Span {
    pub(crate) fn new(kind: &'static str, offset: u64, length: u64) -> Span {
        Span { kind, name: None, offset, length, facts: Vec::new(), findings: Vec::new(), spans: Vec::new() }
    }

    /// A field.
    #[inline(never)]
    pub(crate) fn of_field(name: &'static str, offset: u64, length: u64) -> Span {
        Span { name: Some(name), ..Span::new("field", offset, length) }
    }

    /// A field whose value is a number.
    #[inline(never)]
    pub(crate) fn of_number(name: &'static str, offset: u64, length: u64, value: u64) -> Span {
        let mut span = Span::of_field(name, offset, length);
        span.number("value", value);
        span
    }

    // Called from very many places: calls are smaller than the inlined code.
    #[inline(never)]
    pub(crate) fn state(&mut self, name: &'static str, fact: Fact) {
        self.facts.push((name, fact));
    }

    #[inline(never)]
    pub(crate) fn number(&mut self, name: &'static str, value: u64) {
        self.state(name, Fact::Number(value));
    }

    #[inline(never)]
    pub(crate) fn text(&mut self, name: &'static str, value: &'static str) {
        self.state(name, Fact::Text(value));
    }

    #[inline(never)]
    pub(crate) fn find(&mut self, severity: Severity, code: &'static str, at: Range, reason: String) {
        let (offset, length) = at;
        self.findings.push(Finding { code, severity, offset, length, reason });
    }

    /// A finding whose reason has the numbers in place of its `{}`.
    #[inline(never)]
    pub(crate) fn bad(&mut self, code: &'static str, at: Range, reason: &str, numbers: &[u64]) {
        self.find(Severity::Bad, code, at, fill(reason, numbers));
    }

    #[inline(never)]
    pub(crate) fn note(&mut self, severity: Severity, code: &'static str, at: Range, reason: &str) {
        self.find(severity, code, at, reason.to_owned());
    }

    /// The fact of that name.
    pub fn fact(&self, name: &str) -> Option<&Fact> {
        self.facts.iter().find(|(found, _)| *found == name).map(|(_, fact)| fact)
    }
}

/// `text` with the numbers in place of its `{}`, and in hexadecimal in place of `{x}` and `{016x}`.
///
/// The code is smaller than that of `format!` where there are many calls.
#[inline(never)]
pub(crate) fn fill(text: &str, numbers: &[u64]) -> String {
    let mut out = String::new();
    let mut numbers = numbers.iter();
    for (index, part) in text.split(['{', '}']).enumerate() {
        match (index % 2 == 1, part) {
            (false, part) => out.push_str(part),
            (true, "016x") => out.push_str(&format!("{:016x}", numbers.next().copied().unwrap_or(0))),
            (true, "x") => out.push_str(&format!("{:08x}", numbers.next().copied().unwrap_or(0))),
            (true, _) => out.push_str(&numbers.next().copied().unwrap_or(0).to_string()),
        }
    }
    out
}
