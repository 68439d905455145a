//! The order by which the keys of a file are checked.

use std::cmp::Ordering;

use crate::base::{InternalKeyComparator, UserComparator};

/// The order of a database, as far as it is known here.
#[derive(Clone, Debug)]
pub enum Rule {
    /// The database's comparator, or bytewise order where nothing names one.
    Known(InternalKeyComparator),
    /// A comparator that this build does not have: only equal keys can be compared.
    Unknown,
}

impl Default for Rule {
    fn default() -> Rule {
        Rule::Known(InternalKeyComparator::default())
    }
}

impl Rule {
    /// The rule of a manifest that names this comparator. An empty name: none is known.
    pub fn named(name: &[u8]) -> Rule {
        if name.is_empty() {
            return Rule::default();
        }
        UserComparator::named(name).map_or(Rule::Unknown, |user| Rule::Known(InternalKeyComparator::new(user)))
    }

    /// The order of internal keys, if it is known.
    pub(super) fn order(&self) -> Option<&InternalKeyComparator> {
        match self {
            Rule::Known(order) => Some(order),
            Rule::Unknown => None,
        }
    }

    pub(super) fn is_bytewise(&self) -> bool {
        self.order().is_some_and(|order| order.user().is_bytewise())
    }

    /// Whether the order of two internal keys is one of the wrong ones; `false` if it is unknown.
    pub(super) fn contradicts(&self, a: &[u8], b: &[u8], wrong: fn(Ordering) -> bool) -> bool {
        self.order().is_some_and(|order| wrong(order.compare(a, b)))
    }
}
