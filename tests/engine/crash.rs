//! Power failures: at every call of six scripts, at random calls, and during recovery (scorecard
//! R01, R02, R03, R38).
//!
//! `VARVE_LONG=1` runs more seeds, `VARVE_SEED=n` one.
#![allow(clippy::disallowed_methods, reason = "tests say how long they took")]

use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use varve::env::{CrashModel, FaultEnv, FaultKind, FaultRule, MemoryEnv, Operation};
use varve::{Compression, Db, Options, block_on};

use crate::common::random::Random;
use crate::common::scripts::{Prepared, prepare_all};
use crate::common::world::{
    History, Session, Step, check_image, contents, crash_models, difference, is_long, must, open, parallel,
    random_model, seeds, small_options, text, threads,
};

/// The time of the failure relative to a call.
const MOMENTS: [fn(u64) -> FaultRule; 3] = [
    |k| FaultRule::at(k, FaultKind::Fail(ErrorKind::Other)).then_stop(),
    |k| FaultRule::at(k, FaultKind::FailAfter(ErrorKind::Other)).then_stop(),
    |k| {
        let torn = FaultKind::ShortWrite { percent: 60, kind: ErrorKind::Other };
        FaultRule::at(k, torn).on(Operation::Append).then_stop()
    },
];

#[test]
fn power_failures_at_every_call_of_six_scripts() {
    let start = std::time::Instant::now();
    let cases = must("R01", every_crash_point(threads(), 1));
    println!("R01: {cases} crashes in {:.1} s", start.elapsed().as_secs_f64());
}

/// Every `stride`-th call; returns the number of crashes.
pub fn every_crash_point(threads: usize, stride: usize) -> Result<usize, String> {
    let calls: Vec<u64> = prepare_all()?.iter().map(|p| p.calls).collect();
    let points: Vec<(usize, u64)> =
        calls.iter().enumerate().flat_map(|(script, calls)| (1..=*calls + 1).map(move |k| (script, k))).collect();
    let cases = AtomicUsize::new(0);
    let count = points.len().div_ceil(stride);
    parallel(threads, count, prepare_all, |prepared, at| {
        let prepared = prepared.as_ref().map_err(Clone::clone)?;
        let (script, k) = points[at * stride];
        for (moment, rule) in MOMENTS.iter().enumerate() {
            let done = crash_script(&prepared[script], k, rule(k)).map_err(|error| {
                format!("{}, call {k} of {}, moment {moment}: {error}", prepared[script].script.name, calls[script])
            })?;
            cases.fetch_add(done, Ordering::Relaxed);
        }
        Ok(())
    })?;
    Ok(cases.into_inner())
}

fn crash_script(prepared: &Prepared, k: u64, rule: FaultRule) -> Result<usize, String> {
    let mut session = prepared.session(k);
    session.env.add(rule);
    for step in &prepared.script.steps {
        if let Err(error) = session.step(step)? {
            if !session.env.is_stopped() {
                return Err(format!("{step:?} failed before the crash: {error}"));
            }
            break;
        }
    }
    session.db = None;
    let models = crash_models(k);
    for model in &models {
        let image = session.memory.crash(model);
        let options = Options { reuse_logs: k.is_multiple_of(2), ..session.options.clone() };
        check_image(&image, &session.history, &options, k.is_multiple_of(4)).map_err(|error| {
            let files = image.names().join(" ");
            format!("{model:?}: {error}; files {files}")
        })?;
    }
    Ok(models.len())
}

/// Data that a killed process left unsynced must be synced before the next one relies on it.
#[test]
fn kills_at_every_call_and_power_failures_after_the_next_one() {
    let start = std::time::Instant::now();
    let prepared = must("R01", prepare_all());
    let points: Vec<(usize, u64)> =
        prepared.iter().enumerate().flat_map(|(script, p)| (1..=p.calls).map(move |k| (script, k))).collect();
    let stride = if is_long() { 1 } else { 3 };
    let run = |prepared: &mut Result<Vec<Prepared>, String>, at: usize| {
        let (script, k) = points[at * stride];
        let prepared = &prepared.as_ref().map_err(Clone::clone)?[script];
        let killed = kill_script(prepared, k, MOMENTS[(k % 2) as usize](k));
        killed.map_err(|error| format!("{}, call {k} of {}: {error}", prepared.script.name, prepared.calls))
    };
    must("R01", parallel(threads(), points.len().div_ceil(stride), prepare_all, run));
    println!("R01: {} kills in {:.1} s", points.len().div_ceil(stride), start.elapsed().as_secs_f64());
}

fn kill_script(prepared: &Prepared, k: u64, rule: FaultRule) -> Result<(), String> {
    let mut session = prepared.session(k);
    session.env.add(rule);
    for step in &prepared.script.steps {
        if session.step(step)?.is_err() {
            break;
        }
    }
    session.db = None;
    // The machine continues, with every byte that was written, synced or not.
    let synced = session.history.synced;
    session.history.all_synced();
    let writes = [false, true, false].map(|sync| Step::Write { first: 1, count: 2, length: 300, sync });
    for (reuse_logs, steps) in [(false, &writes[..]), (true, &writes), (false, &[Step::Sync]), (true, &[Step::Sync])] {
        let mut next = Session::new(session.memory.snapshot(), session.options.clone(), session.history.clone(), k);
        let open = Step::Open { reuse_logs };
        if let Err(error) = text(next.step(&open)?) {
            // A repair was killed: another one opens the database.
            if !error.contains("CURRENT is missing") {
                return Err(error);
            }
            text(next.step(&Step::Repair)?)?;
            text(next.step(&open)?)?;
        }
        let found = text(contents(next.db()))?;
        next.history.settle(&found)?;
        next.history.synced = synced;
        for step in steps {
            text(next.step(step)?)?;
            for model in crash_models(k) {
                let options = Options { reuse_logs, ..session.options.clone() };
                check_image(&next.memory.crash(&model), &next.history, &options, false).map_err(|error| {
                    format!("{step:?}, {model:?}: {error}; files {}", next.memory.names().join(" "))
                })?;
            }
        }
    }
    Ok(())
}

#[test]
fn power_failures_at_random_calls() {
    let start = std::time::Instant::now();
    let seeds = seeds(3_000, 100_000);
    let count = seeds.end - seeds.start;
    let run = |(): &mut (), at: usize| random_crash(seeds.start + at as u64);
    must("R02 (case = seed)", parallel(threads(), count as usize, || (), run));
    println!("R02: {count} seeds in {:.1} s", start.elapsed().as_secs_f64());
}

pub fn random_crash(seed: u64) -> Result<(), String> {
    let mut random = Random::new(seed);
    let session = until_a_crash(&mut random, seed)?;
    let model = random_model(&mut random);
    let image = session.memory.crash(&model);
    let options = Options { reuse_logs: random.one_in(2), ..session.options.clone() };
    let names = image.names().join(" ");
    check_image(&image, &session.history, &options, random.one_in(4)).map_err(|error| {
        session.print_calls();
        format!("seed {seed}, {model:?}: {error}; files {names}")
    })?;
    Ok(())
}

fn random_small_options(random: &mut Random) -> Options {
    Options {
        write_buffer_size: *random.pick(&[4 << 10, 4 << 10, 8 << 10, 16 << 10]),
        block_size: *random.pick(&[64, 512, 4096]),
        block_restart_interval: *random.pick(&[1, 4, 16]),
        max_file_size: *random.pick(&[16 << 10, 32 << 10]),
        compression: *random.pick(&[Compression::None, Compression::Snappy]),
        reuse_logs: random.one_in(2),
        slice_size: *random.pick(&[1 << 10, 4 << 10, 64 << 10]),
        ..small_options()
    }
}

/// Random steps until the storage stops, at a random call, or until there were enough.
fn until_a_crash(random: &mut Random, seed: u64) -> Result<Session, String> {
    let options = random_small_options(random);
    let mut session = Session::new(MemoryEnv::new(), options, History::new(), seed);
    // Writes take another path if counts of bytes cannot be trusted, and if the storage answers
    // later.
    session.env.set_appends_are_exact(seed.is_multiple_of(2));
    session.env.set_pending(if seed % 8 < 2 { 30 } else { 0 });
    let scale = *random.pick(&[30, 200, 600]);
    let k = 1 + random.below(scale) as u64;
    session.env.add(random.pick(&MOMENTS)(k));
    let space = *random.pick(&[10, 60, 300]);
    let mut steps = vec![Step::Open { reuse_logs: session.options.reuse_logs }];
    for _ in 0..20 + random.below(150) {
        add_random_steps(random, space, &mut steps);
        for step in steps.drain(..) {
            if let Err(error) = session.step(&step)? {
                if session.env.is_stopped() {
                    session.db = None;
                    return Ok(session);
                }
                return Err(format!("seed {seed}: {step:?} fails without a fault: {error}"));
            }
        }
    }
    session.db = None;
    Ok(session)
}

fn add_random_steps(random: &mut Random, space: usize, steps: &mut Vec<Step>) {
    let (first, sync) = (random.below(space), random.one_in(8));
    let step = match random.below(100) {
        0..45 => Step::Write { first, count: 1, length: random.below(300), sync },
        45..60 => Step::Delete { key: first, sync },
        60..80 => Step::Write { first, count: 1 + random.below(12), length: random.below(200), sync },
        80..82 => Step::Write { first, count: 1, length: random.below(70_000), sync },
        82..84 => Step::Sync,
        84..87 => Step::Flush,
        87..88 => Step::Compact,
        88..94 => Step::Slice(random.below(20_000) as u64),
        94..96 => Step::Scan,
        _ => {
            steps.push(if random.one_in(2) { Step::Close } else { Step::Kill });
            Step::Open { reuse_logs: random.one_in(2) }
        }
    };
    steps.push(step);
}

#[test]
fn power_failures_during_recovery() {
    let start = std::time::Instant::now();
    let seeds = seeds(1_000, 20_000);
    let count = seeds.end - seeds.start;
    let run = |(): &mut (), at: usize| repeated_crash(seeds.start + at as u64);
    must("R03 (case = seed)", parallel(threads(), count as usize, || (), run));
    println!("R03: {count} seeds in {:.1} s", start.elapsed().as_secs_f64());
}

/// Crashes two to four times, from the second on while opening; recovery of one image is
/// deterministic.
pub fn repeated_crash(seed: u64) -> Result<(), String> {
    let mut random = Random::new(seed ^ 0x0052_3033);
    let session = until_a_crash(&mut random, seed)?;
    let mut history = session.history.clone();
    let mut image = session.memory.crash(&random_model(&mut random));
    for round in 0..1 + random.below(3) {
        let options = Options { reuse_logs: random.one_in(2), ..session.options.clone() };
        let rule = random.pick(&MOMENTS)(1 + random.below(60) as u64);
        let acknowledged = open_and_crash(&image, &options, rule, &mut history, seed);
        acknowledged.map_err(|error| format!("seed {seed}, crash {}: {error}", round + 2))?;
        let model = random_model(&mut random);
        image = image.crash(&model);
        let (one, other) = (image.snapshot(), image.snapshot());
        let first = check_image(&one, &history, &options, true);
        let first = first.map_err(|error| format!("seed {seed}, after crash {}, {model:?}: {error}", round + 2))?;
        let second = text(contents(&open(&other, &options)?))?;
        if first != second {
            return Err(format!("seed {seed}: two recoveries of one image: {}", difference(&second, &first)));
        }
    }
    Ok(())
}

/// Opens with a planned crash; if it does not happen, writes until the crash.
fn open_and_crash(
    image: &MemoryEnv,
    options: &Options,
    rule: FaultRule,
    history: &mut History,
    seed: u64,
) -> Result<(), String> {
    let env = FaultEnv::new(Rc::new(image.clone()), seed);
    env.set_recording(false);
    env.add(rule);
    let db = match block_on(Db::open(Rc::new(env.clone()), options.clone())) {
        Ok(db) => db,
        Err(_) if env.is_stopped() => return Ok(()),
        Err(error) => return Err(format!("it does not open: {error}")),
    };
    match contents(&db) {
        Ok(found) => history.settle(&found)?,
        Err(_) if env.is_stopped() => return Ok(()),
        Err(error) => return Err(format!("it cannot be read: {error}")),
    }
    let mut session = Session::new(image.clone(), options.clone(), history.clone(), seed);
    session.env = env.clone();
    session.db = Some(db);
    for i in 0..6 {
        let step = Step::Write { first: i, count: 1 + i, length: 300, sync: i % 3 == 2 };
        if let Err(error) = session.step(&step)? {
            if !env.is_stopped() {
                return Err(format!("{step:?}: {error}"));
            }
            break;
        }
    }
    *history = session.history.clone();
    Ok(())
}

#[test]
fn power_failures_during_repair() {
    let prepared = must("R03", prepare_all());
    let Some(repair) = prepared.iter().find(|p| p.script.name == "repair") else { panic!("no such script") };
    let step = if is_long() { 1 } else { 3 };
    for k in (1..repair.calls).step_by(step) {
        for (moment, rule) in MOMENTS.iter().enumerate() {
            for model in crash_models(k).iter().take(6) {
                let result = crash_repair_twice(repair, k, rule, model);
                must(&format!("crash at call {k} of repair, moment {moment}, {model:?}"), result);
            }
        }
    }
}

/// A repair is interrupted, and so is the next; the third completes.
fn crash_repair_twice(
    prepared: &Prepared,
    k: u64,
    rule: &fn(u64) -> FaultRule,
    model: &CrashModel,
) -> Result<(), String> {
    let mut session = prepared.session(k);
    let history = session.history.clone();
    for k in [k, k / 2 + 1] {
        session.env.add(rule(k));
        let _ = session.step(&Step::Repair)?;
        let image = session.memory.crash(model);
        session = Session::new(image, session.options.clone(), history.clone(), k);
    }
    session.step(&Step::Repair)?.map_err(|e| format!("the third repair: {e}"))?;
    check_image(&session.memory, &history, &session.options, true)?;
    Ok(())
}

#[test]
fn the_same_seed_makes_the_same_calls() {
    for seed in 0..100 {
        let run = || must("R38", until_a_crash(&mut Random::new(seed), seed)).env.trace_hash();
        assert_eq!(run(), run(), "R38: seed {seed}");
    }
}
