//! The contract in `src/env/mod.rs`, tested on every storage; then the further guarantees of each
//! storage.

mod crash;
mod fault;
mod native;
mod suite;

use std::cell::Cell;
use std::rc::Rc;

use varve::env::{ChunkEnv, ChunkModel, Env, FaultEnv, MemoryEnv, PoolEnv, RawModel, StdFsEnv, block_on};

use crate::common::temp_dir::TempDir;
use suite::Users;

#[test]
fn memory_follows_the_contract() {
    block_on(suite::run_contract(|| {
        let memory = MemoryEnv::new();
        [Rc::new(memory.clone()), Rc::new(memory)]
    }));
}

#[test]
fn memory_with_untrusted_appends_follows_the_contract() {
    block_on(suite::run_contract(|| {
        let memory = MemoryEnv::new();
        memory.set_appends_are_exact(false);
        [Rc::new(memory.clone()), Rc::new(memory)]
    }));
}

#[test]
fn memory_with_pending_calls_follows_the_contract() {
    for (seed, percent) in [(1, 100), (2, 50), (3, 20)] {
        block_on(suite::run_contract(|| users_that_wait(seed, percent)));
    }
}

fn users_that_wait(seed: u64, percent: u8) -> Users {
    let memory = MemoryEnv::new();
    [memory.clone(), memory].map(|memory| {
        let env = FaultEnv::new(Rc::new(memory), seed);
        env.set_pending(percent);
        Rc::new(env) as Rc<dyn Env>
    })
}

#[test]
fn a_pool_of_raw_files_follows_the_contract() {
    block_on(suite::run_contract(|| {
        let raw = RawModel::new(1);
        [raw.clone(), raw].map(|raw| Rc::new(PoolEnv::new(Rc::new(raw))) as Rc<dyn Env>)
    }));
}

#[test]
fn chunks_in_transactions_follow_the_contract() {
    for seed in 0..20 {
        block_on(suite::run_contract(|| {
            let model = ChunkModel::new(seed);
            [model.clone(), model].map(|model| Rc::new(ChunkEnv::new(Rc::new(model))) as Rc<dyn Env>)
        }));
    }
}

#[test]
fn a_native_directory_follows_the_contract() {
    native_directory(false);
}

#[test]
fn a_native_directory_with_a_sync_thread_follows_the_contract() {
    native_directory(true);
}

fn native_directory(thread: bool) {
    let temp = TempDir::new();
    let count = Cell::new(0);
    block_on(suite::run_contract(|| {
        count.set(count.get() + 1);
        let place = temp.join(format!("db{}", count.get()));
        [(), ()].map(|()| Rc::new(StdFsEnv::with_threads(&place, thread)) as Rc<dyn Env>)
    }));
}
