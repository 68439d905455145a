//! The comparators of the corpus, by the names stored in databases.

use std::cmp::Ordering;
use std::rc::Rc;

use varve::{Comparator, UserComparator};

/// Reverse bytewise order.
pub struct ReverseBytewise;

impl Comparator for ReverseBytewise {
    fn name(&self) -> &str {
        "corpus.ReverseBytewise"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        b.cmp(a)
    }
}

/// Orders keys by length, then bytewise.
pub struct LengthFirst;

impl Comparator for LengthFirst {
    fn name(&self) -> &str {
        "corpus.LengthFirst"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        a.len().cmp(&b.len()).then_with(|| a.cmp(b))
    }
}

/// Returns the comparator with this name.
pub fn by_name(name: &[u8]) -> Option<UserComparator> {
    match name {
        b"corpus.ReverseBytewise" => Some(UserComparator::Custom(Rc::new(ReverseBytewise))),
        b"corpus.LengthFirst" => Some(UserComparator::Custom(Rc::new(LengthFirst))),
        _ => UserComparator::named(name),
    }
}
