//! Runs every decoder on a small corpus and 100,000 mutations; `examples/fuzz.rs` runs longer.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "in a test a panic is how a failure is said"
)]

mod corpus;
#[path = "../engine/common/framing.rs"]
mod framing;
mod mutate;
#[path = "../engine/common/random.rs"]
#[allow(dead_code, reason = "shared with the engine's tests")]
mod random;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use mutate::Mutator;
use varve::fuzzing::TARGETS;

const SEED: u64 = 1;

fn run(name: &str) {
    let executions = if cfg!(debug_assertions) { 2_000 } else { 100_000 };
    // A table has many blocks.
    let executions = if name == "table" { executions / 5 } else { executions };
    let target = TARGETS.iter().find(|(n, _)| *n == name).unwrap().1;
    let corpus = corpus::read(name);
    assert!(!corpus.is_empty(), "no corpus of {name}");
    let mut mutator = Mutator::new(name, corpus.clone(), SEED);
    let inputs = corpus.into_iter().chain(std::iter::repeat_with(|| mutator.next()).take(executions));
    for (i, input) in inputs.enumerate() {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
            eprintln!("{name}: input {i} of seed {SEED}: {}", input.escape_ascii());
            resume_unwind(panic);
        }
    }
}

macro_rules! targets {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            run(stringify!($name));
        }
    )*};
}

targets!(log batch edit index block filter decompress table names archive);
