//! Spans: runs of bytes with facts and findings, as an inspector returns them.

/// A run of bytes of a file, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it is: `footer`, `metaindex`, `index`, `filter`, `meta`, `data`, `entry`, `gap`, or `table` for the file as a whole.
    pub kind: &'static str,
    /// Where it begins: in the file, or for what lies in a block in the decompressed contents of that.
    pub offset: u64,
    /// Bytes of it, a block's trailer among them.
    pub length: u64,
    /// What it says, by name.
    pub facts: Vec<(&'static str, Fact)>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// What it is made of.
    pub spans: Vec<Span>,
}

/// Something that bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A count, a size, an offset, a checksum.
    Number(u64),
    /// Whether.
    Flag(bool),
    /// A word of ours.
    Text(&'static str),
    /// Bytes from the file, shortened to the first 64 KiB.
    Bytes(Vec<u8>),
    /// An internal key.
    Key(KeyFact),
}

/// An internal key, as far as it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFact {
    /// The user's part; all of it where it is no internal key. Shortened to the first 64 KiB.
    pub key: Vec<u8>,
    /// Bytes before it was shortened.
    pub size: u64,
    /// When it was written, and whether that was a put (true) or a deletion.
    pub tag: Option<(u64, bool)>,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// Readable, but not as any writer makes it.
    Warn,
    /// Damage: something cannot be trusted or not be read.
    Bad,
}

/// What is wrong, where, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable; see the head of `inspect`.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// In the file.
    pub offset: u64,
    /// What was found and what was expected.
    pub reason: String,
}

impl Span {
    pub(crate) fn new(kind: &'static str, offset: u64, length: u64) -> Span {
        Span { kind, offset, length, facts: Vec::new(), findings: Vec::new(), spans: Vec::new() }
    }

    // Called from very many places: calls are smaller than what they do.
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
    pub(crate) fn find(&mut self, severity: Severity, code: &'static str, offset: u64, reason: String) {
        self.findings.push(Finding { code, severity, offset, reason });
    }

    /// A finding whose reason has the numbers in place of its `{}`.
    #[inline(never)]
    pub(crate) fn bad(&mut self, code: &'static str, offset: u64, reason: &str, numbers: &[u64]) {
        self.find(Severity::Bad, code, offset, fill(reason, numbers));
    }

    #[inline(never)]
    pub(crate) fn note(&mut self, severity: Severity, code: &'static str, offset: u64, reason: &str) {
        self.find(severity, code, offset, reason.to_owned());
    }

    /// The fact of that name.
    pub fn fact(&self, name: &str) -> Option<&Fact> {
        self.facts.iter().find(|(found, _)| *found == name).map(|(_, fact)| fact)
    }
}

/// `text` with the numbers in place of its `{}`, in hexadecimal in place of `{x}`. Smaller than `format!` where there are many.
#[inline(never)]
pub(crate) fn fill(text: &str, numbers: &[u64]) -> String {
    let mut out = String::new();
    let mut numbers = numbers.iter();
    for (index, part) in text.split(['{', '}']).enumerate() {
        match (index % 2 == 1, part) {
            (false, part) => out.push_str(part),
            (true, "x") => out.push_str(&format!("{:08x}", numbers.next().copied().unwrap_or(0))),
            (true, _) => out.push_str(&numbers.next().copied().unwrap_or(0).to_string()),
        }
    }
    out
}
