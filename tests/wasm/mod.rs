//! The tests that run in WebAssembly; `tests/node.rs` and `tests/web.rs` say where. The families are those of tests/engine
//! that need neither a directory nor another process.

use std::rc::Rc;

use varve::env::{Env, FaultEnv, MemoryEnv};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{env_contract, hostile, oracle};

#[wasm_bindgen_test]
fn usize_has_32_bits_here() {
    assert_eq!(usize::BITS, 32);
}

#[wasm_bindgen_test]
fn the_oracle_agrees() {
    for seed in 0..20 {
        oracle::run(seed, 2000);
    }
}

#[wasm_bindgen_test]
fn lies_get_the_same_verdicts_as_natively() {
    hostile::check();
}

#[wasm_bindgen_test]
async fn memory_keeps_the_contract() {
    for exact in [true, false] {
        env_contract::run_contract(|| {
            let memory = MemoryEnv::new();
            memory.set_appends_are_exact(exact);
            [Rc::new(memory.clone()), Rc::new(memory)]
        })
        .await;
    }
}

#[wasm_bindgen_test]
async fn memory_that_answers_later_keeps_the_contract() {
    for (seed, percent) in [(1, 100), (2, 50), (3, 20)] {
        env_contract::run_contract(|| users_that_wait(seed, percent)).await;
    }
}

fn users_that_wait(seed: u64, percent: u8) -> env_contract::Users {
    let memory = MemoryEnv::new();
    [memory.clone(), memory].map(|memory| {
        let env = FaultEnv::new(Rc::new(memory), seed);
        env.set_pending(percent);
        Rc::new(env) as Rc<dyn Env>
    })
}
