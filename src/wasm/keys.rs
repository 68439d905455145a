//! Orders keys, and explains those of well-known applications.
//!
//! Many keys cross at once, packed as in `packed.rs`.

use wasm_bindgen::prelude::wasm_bindgen;

use super::inspect::lines;
use super::packed::unpack;
use crate::base::{UserComparator, sort_by};
use crate::inspect::Scheme;

/// Returns the name of the scheme that all of these keys are of; empty if they do not tell.
#[wasm_bindgen(js_name = guessKeys)]
pub fn guess_keys(packed: &[u8]) -> String {
    let keys = unpack(packed).unwrap_or_default();
    Scheme::guess(keys.iter().copied()).map(Scheme::name).unwrap_or_default().to_owned()
}

/// Returns a line for each key: its parts as JSON, or `null` if it is not of the scheme.
#[wasm_bindgen(js_name = explainKeys)]
pub fn explain_keys(scheme: &str, packed: &[u8]) -> String {
    let scheme = Scheme::named(scheme);
    let mut out = String::new();
    for key in unpack(packed).unwrap_or_default() {
        match scheme.and_then(|scheme| scheme.explain(key)) {
            Some(span) => out.push_str(&lines(&[span])),
            None => out.push_str("null\n"),
        }
    }
    out
}

/// Returns the rank of each key in this order, the same for equal ones; nothing if the order is not
/// known.
#[wasm_bindgen(js_name = rankKeys)]
pub fn rank_keys(comparator: &str, packed: &[u8]) -> Option<Vec<u32>> {
    let order = UserComparator::named(comparator.as_bytes())?;
    let keys = unpack(packed)?;
    let mut sorted: Vec<(usize, &[u8])> = keys.into_iter().enumerate().collect();
    sort_by(&mut sorted, |(_, a), (_, b)| order.compare(a, b));
    let mut ranks = vec![0; sorted.len()];
    let (mut rank, mut before) = (0, None);
    for (at, key) in sorted {
        if before.is_some_and(|before| order.compare(before, key).is_lt()) {
            rank += 1;
        }
        before = Some(key);
        if let Some(place) = ranks.get_mut(at) {
            *place = rank;
        }
    }
    Some(ranks)
}

/// Returns the key directly after `key` in this order, if there is one.
#[wasm_bindgen(js_name = keySuccessor)]
pub fn key_successor(comparator: &str, key: &[u8]) -> Option<Vec<u8>> {
    UserComparator::named(comparator.as_bytes())?.successor(key)
}
