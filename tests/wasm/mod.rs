//! Tests that run in WebAssembly, in Node (`tests/node.rs`) or a browser (`tests/web.rs`): those of
//! tests/engine that need neither a directory nor another process.

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
fn hostile_databases_give_the_same_results_as_natively() {
    hostile::check();
}

#[wasm_bindgen_test]
async fn memory_follows_the_contract() {
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
async fn memory_with_pending_calls_follows_the_contract() {
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
