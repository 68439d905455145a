//! Fuzzes the decoders on stable Rust.
//!
//! ```text
//! cargo run --release --features fuzzing --example fuzz -- TARGET|all [--seconds 600] [--seed N]
//! cargo run --release --features fuzzing --example fuzz -- corpus        writes tests/fuzz/corpus
//! cargo run --release --features fuzzing --example fuzz -- TARGET [--] FILE   one input
//! ```
//! A finding is a panic, an allocation of more than 64 MiB + 16 x input, or more than 10 seconds
//! for one input. The input is then written to `fuzz-TARGET-finding`, and the exit code is 1.
//! Inputs slower than 100 ms are reported.
#![allow(unsafe_code, reason = "an allocator that counts")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a tool for tests, which reads the clock"
)]

#[path = "../tests/fuzz/corpus.rs"]
mod corpus;
#[path = "../tests/engine/common/framing.rs"]
mod framing;
#[path = "../tests/fuzz/mutate.rs"]
mod mutate;
#[path = "../tests/engine/common/random.rs"]
#[allow(dead_code, reason = "shared with the engine's tests")]
mod random;

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use varve::fuzzing::{TARGETS, Target};

const MEMORY_MAX: usize = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn took(bytes: usize) {
    PEAK.fetch_max(USED.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: all calls are forwarded to the system allocator; only sizes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps the allocator's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        took(size);
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The current input, for the watchdog.
static RUNNING: Mutex<Option<(String, Vec<u8>, Instant)>> = Mutex::new(None);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |flag: &str, default: u64| {
        let at = arguments.iter().position(|a| a == flag);
        at.and_then(|at| arguments.get(at + 1)).map_or(default, |n| n.parse().unwrap())
    };
    let (seconds, seed) = (number("--seconds", 600), number("--seed", 1));
    let Some(wanted) = arguments.first() else {
        panic!("no target given: use one of {:?}, or all", TARGETS.map(|t| t.0))
    };
    if wanted == "corpus" {
        return corpus::make();
    }
    std::thread::spawn(watch);
    for (name, target) in TARGETS.iter().filter(|(name, _)| wanted == "all" || wanted == name) {
        let file = match arguments.get(1) {
            Some(word) if word == "--" => arguments.get(2),
            word => word.filter(|a| !a.starts_with("--")),
        };
        match file {
            Some(file) => println!("{name}: {:?}", execute(name, *target, &std::fs::read(file).unwrap())),
            None => fuzz(name, *target, Duration::from_secs(seconds), seed),
        }
    }
}

fn fuzz(name: &str, target: Target, time: Duration, seed: u64) {
    let mut mutator = mutate::Mutator::new(name, corpus::read(name), seed);
    let begun = Instant::now();
    let (mut executions, mut slowest) = (0u64, Duration::ZERO);
    while begun.elapsed() < time {
        for _ in 0..100 {
            let input = mutator.next();
            let took = execute(name, target, &input);
            if took > slowest {
                slowest = took;
                if took > Duration::from_millis(100) {
                    std::fs::write(format!("fuzz-{name}-slow"), &input).unwrap();
                    println!("{name}: {took:?} for {} bytes, see fuzz-{name}-slow", input.len());
                }
            }
        }
        executions += 100;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{name}: {executions} executions, {seconds:.0} s, seed {seed}, slowest {slowest:?}, no finding");
}

/// Runs one input and reports a finding.
fn execute(name: &str, target: Target, input: &[u8]) -> Duration {
    let begun = Instant::now();
    *RUNNING.lock().unwrap() = Some((name.to_owned(), input.to_vec(), begun));
    let before = USED.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = catch_unwind(AssertUnwindSafe(|| target(input)));
    let memory = PEAK.load(Relaxed).saturating_sub(before);
    *RUNNING.lock().unwrap() = None;
    if result.is_err() {
        found(name, input, "a panic");
    }
    if memory > MEMORY_MAX + 16 * input.len() {
        found(name, input, &format!("{memory} bytes allocated"));
    }
    begun.elapsed()
}

fn found(name: &str, input: &[u8], what: &str) -> ! {
    let file = format!("fuzz-{name}-finding");
    std::fs::write(&file, input).unwrap();
    println!("{name}: {what} for {} bytes, see {file}", input.len());
    exit(1);
}

fn watch() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        if let Some((name, input, begun)) = &*RUNNING.lock().unwrap()
            && begun.elapsed() > PATIENCE
        {
            found(name, input, "more than 10 seconds");
        }
    }
}
