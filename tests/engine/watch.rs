//! What a watch tells leads from one state of its range to the next, whatever else goes on.
//! `VARVE_LONG=1` runs 3,000 seeds.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use crate::common::executor::Executor;
use crate::common::model::Restless;
use crate::common::random::Random;
use varve::env::{Env, FaultEnv, MemoryEnv};
use varve::{Compression, Db, Options, ReadOptions, Watch, WriteBatch, WriteOptions, block_on};

type State = BTreeMap<Vec<u8>, Vec<u8>>;
type Bound = Option<Vec<u8>>;

#[derive(Debug, PartialEq)]
enum Change {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    Clear(Bound, Bound),
}

/// Unpacks a page: its position, and its items.
fn items(bytes: &[u8]) -> (u64, Vec<(u64, Vec<Change>)>) {
    let mut rest = bytes;
    let mut take = |size: usize| rest.split_off(..size).unwrap();
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let position = number(take(8));
    let mut all = Vec::new();
    let mut left = bytes.len() - 8;
    while left > 0 {
        let (sequence, count) = (number(take(8)), number(take(4)));
        left -= 12;
        let mut changes = Vec::new();
        for _ in 0..count {
            let kind = take(1)[0];
            let mut bound = || match number(take(4)) {
                0xffff_ffff => {
                    left -= 4;
                    None
                }
                size => {
                    left -= 4 + size as usize;
                    Some(take(size as usize).to_vec())
                }
            };
            changes.push(match kind {
                0 => Change::Delete(bound().unwrap()),
                1 => Change::Put(bound().unwrap(), bound().unwrap()),
                _ => Change::Clear(bound(), bound()),
            });
            left -= 1;
        }
        all.push((sequence, changes));
    }
    (position, all)
}

fn lies_in(key: &[u8], begin: &Bound, end: &Bound) -> bool {
    begin.as_ref().is_none_or(|begin| key >= &begin[..]) && end.as_ref().is_none_or(|end| key < &end[..])
}

fn apply(state: &mut State, change: Change) {
    match change {
        Change::Put(key, value) => drop(state.insert(key, value)),
        Change::Delete(key) => drop(state.remove(&key)),
        Change::Clear(begin, end) => state.retain(|key, _| !lies_in(key, &begin, &end)),
    }
}

async fn read(db: &Db, begin: &Bound, end: &Bound) -> State {
    let bounds = ReadOptions { lower_bound: begin.clone(), upper_bound: end.clone(), ..ReadOptions::default() };
    let mut it = db.iter(&bounds).unwrap();
    let mut state = State::new();
    let mut found = it.seek_to_first().await.unwrap();
    while found {
        state.insert(it.key().to_vec(), it.value().to_vec());
        found = it.next().await.unwrap();
    }
    state
}

fn options(pause: bool) -> Options {
    Options {
        create_if_missing: true,
        compression: Compression::None,
        write_buffer_size: 16 << 10,
        max_file_size: 16 << 10,
        pause: pause.then(|| Rc::new(Restless) as _),
        ..Options::default()
    }
}

fn open(env: &Rc<dyn Env>, options: Options) -> Db {
    block_on(Db::open(env.clone(), options)).unwrap()
}

/// A copy of a range that follows a watch.
#[derive(Default)]
struct Replica {
    range: (Bound, Bound),
    state: RefCell<State>,
    position: Cell<u64>,
    gaps: Cell<u32>,
    is_done: Cell<bool>,
}

impl Replica {
    /// Follows until `is_done` and everything was told. After each page, others have some turns.
    async fn follow(&self, db: &Db, watch: &Watch, page_size: usize, slow: usize) {
        loop {
            let page = watch.next(page_size).await.unwrap();
            let (position, items) = items(&page.bytes);
            assert_eq!(items.len(), page.count as usize);
            assert!(position >= self.position.get());
            for (sequence, changes) in items {
                assert!(sequence <= position);
                if changes.is_empty() {
                    self.gaps.set(self.gaps.get() + 1);
                    let now = read(db, &self.range.0, &self.range.1).await;
                    self.state.replace(now);
                }
                for change in changes {
                    apply(&mut self.state.borrow_mut(), change);
                }
            }
            self.position.set(position);
            for _ in 0..slow {
                yield_now().await;
            }
            if page.done {
                if self.is_done.get() {
                    return;
                }
                watch.changed().await.unwrap();
            }
        }
    }
}

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
fn a_page_matches_the_worked_example() {
    let db = open(&(Rc::new(MemoryEnv::new()) as _), options(false));
    let watch = db.watch(None, None, None).unwrap();
    block_on(db.put(b"a", b"1")).unwrap();
    let page = block_on(watch.next(1000)).unwrap();
    let expected = [
        &[1, 0, 0, 0, 0, 0, 0, 0][..],
        &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        &[1, 1, 0, 0, 0, 0x61, 1, 0, 0, 0, 0x31],
    ];
    assert_eq!(page.bytes, expected.concat());
    assert_eq!((page.count, page.done), (1, true));
}

#[test]
fn changes_lead_from_the_state_at_the_start_to_that_at_the_end() {
    let seeds = match std::env::var("VARVE_SEED") {
        Ok(seed) => seed.parse().unwrap()..seed.parse::<u64>().unwrap() + 1,
        Err(_) => 0..if std::env::var_os("VARVE_LONG").is_some() { 3000 } else { 120 },
    };
    let (mut gaps, mut replicas) = (0, 0);
    for seed in seeds {
        let result = std::panic::catch_unwind(|| history(seed));
        let Ok((more, count)) = result else { panic!("seed {seed} failed; VARVE_SEED={seed} runs it alone") };
        gaps += more;
        replicas += count;
    }
    println!("{replicas} replicas, {gaps} gaps");
    assert!(gaps < replicas * 8, "{gaps} gaps of {replicas} watches");
}

fn key(random: &RefCell<Random>) -> Vec<u8> {
    format!("k{:03}", random.borrow_mut().below(200)).into_bytes()
}

fn range(random: &RefCell<Random>) -> (Bound, Bound) {
    let (a, b) = (key(random), key(random));
    let (begin, end) = if a < b { (a, b) } else { (b, [&a, &b"~"[..]].concat()) };
    let mut random = random.borrow_mut();
    (Some(begin).filter(|_| !random.one_in(4)), Some(end).filter(|_| !random.one_in(4)))
}

async fn write(db: &Db, random: &RefCell<Random>, count: usize) {
    for i in 0..count {
        let kind = random.borrow_mut().below(20);
        let sync = WriteOptions { sync: random.borrow_mut().one_in(4) };
        let length = if random.borrow_mut().one_in(30) { 3000 } else { 40 };
        let value = format!("{i:0length$}").into_bytes();
        match kind {
            0..8 => db.put_with(&sync, &key(random), &value).await.unwrap(),
            8..11 => db.delete_with(&sync, &key(random)).await.unwrap(),
            11..17 => {
                let mut batch = WriteBatch::new();
                let size = random.borrow_mut().below(10);
                for _ in 0..=size {
                    if random.borrow_mut().one_in(3) {
                        batch.delete(&key(random));
                    } else {
                        batch.put(&key(random), &value);
                    }
                }
                db.write(&sync, batch).await.unwrap();
            }
            17 => {
                let (begin, end) = range(random);
                db.delete_range(begin.as_deref(), end.as_deref()).await.unwrap();
            }
            18 => db.flush().await.unwrap(),
            _ => yield_now().await,
        }
    }
}

/// Returns the gaps and the number of watches.
fn history(seed: u64) -> (u32, u32) {
    let random = RefCell::new(Random::new(seed));
    let memory: Rc<dyn Env> = Rc::new(MemoryEnv::new());
    let faults = FaultEnv::new(memory.clone(), seed);
    let env: Rc<dyn Env> = Rc::new(faults.clone());
    let db = open(&env, options(seed.is_multiple_of(3)));
    block_on(write(&db, &random, 60));
    let replicas: Vec<Replica> = (0..3)
        .map(|i| Replica { range: if i == 0 { (None, None) } else { range(&random) }, ..Replica::default() })
        .collect();
    let watches: Vec<Watch> = replicas
        .iter()
        .map(|r| {
            r.state.replace(block_on(read(&db, &r.range.0, &r.range.1)));
            db.watch(r.range.0.clone(), r.range.1.clone(), None).unwrap()
        })
        .collect();
    if seed.is_multiple_of(2) {
        faults.set_pending(60);
    }
    let running = Cell::new(3);
    let mut executor = Executor::new(seed);
    for _ in 0..3 {
        executor.spawn(async {
            write(&db, &random, 60).await;
            running.set(running.get() - 1);
            if running.get() == 0 {
                // The same change twice: each sees the second, or has seen the first.
                for round in 0..2 {
                    replicas.iter().for_each(|r| r.is_done.set(round == 1));
                    for Replica { range: (begin, _), .. } in &replicas {
                        db.put(begin.as_deref().unwrap_or_default(), b"last").await.unwrap();
                    }
                }
            }
        });
    }
    for (replica, watch) in replicas.iter().zip(&watches) {
        let size = random.borrow_mut().below(5000);
        let slow = random.borrow_mut().below(40);
        executor.spawn(replica.follow(&db, watch, size, slow));
    }
    // A deletion that is given up leaves what it has deleted.
    let given_up = executor.spawn(async {
        while db.delete_range(Some(b"k05"), Some(b"k1")).await.is_ok() {
            // Over a storage that answers at once, nothing else would.
            yield_now().await;
        }
    });
    let turns = random.borrow_mut().below(300);
    for _ in 0..turns {
        executor.turn();
    }
    executor.cancel(given_up);
    executor.run().unwrap();
    faults.set_pending(0);
    // Some may have ended while a deletion held changes back.
    for (replica, watch) in replicas.iter().zip(&watches) {
        block_on(replica.follow(&db, watch, 1000, 0));
    }
    let mut gaps = 0;
    for Replica { range: (begin, end), state, gaps: own, .. } in &replicas {
        assert_eq!(*state.borrow(), block_on(read(&db, begin, end)));
        gaps += own.get();
    }
    // Another process continues from the position, in the middle or at the end.
    let since = replicas[0].position.get();
    block_on(write(&db, &random, 5));
    drop(executor);
    drop(watches);
    block_on(db.close()).unwrap();
    let db = open(&env, options(false));
    let again = Replica { state: RefCell::new(replicas[0].state.take()), ..Replica::default() };
    again.is_done.set(true);
    block_on(again.follow(&db, &db.watch(None, None, Some(since)).unwrap(), 100, 0));
    assert_eq!(*again.state.borrow(), block_on(read(&db, &None, &None)));
    (gaps, 3)
}

#[test]
fn a_crash_at_any_moment_of_a_deletion_leaves_no_silent_gap() {
    for seed in 0..200 {
        let memory = MemoryEnv::new();
        let faults = FaultEnv::new(Rc::new(memory.clone()), seed);
        let db = open(&(Rc::new(faults.clone()) as _), options(true));
        let random = RefCell::new(Random::new(seed));
        block_on(write(&db, &random, 80));
        let replica = Replica::default();
        replica.state.replace(block_on(read(&db, &None, &None)));
        let watch = (!seed.is_multiple_of(4)).then(|| db.watch(None, None, None).unwrap());
        replica.position.set(db.last_sequence());
        faults.set_pending(50);
        let mut executor = Executor::new(seed);
        executor.spawn(async {
            let _ = db.delete_range(Some(b"k02"), Some(b"k18")).await;
            write(&db, &random, 5).await;
        });
        if let Some(watch) = &watch {
            executor.spawn(replica.follow(&db, watch, 1000, 0));
        }
        let turns = random.borrow_mut().below(400);
        for _ in 0..turns {
            executor.turn();
        }
        // The process is killed: everything that was appended is there.
        drop(executor);
        drop(watch);
        drop(db);
        let db = open(&(Rc::new(memory) as _), options(false));
        replica.is_done.set(true);
        let watch = db.watch(None, None, Some(replica.position.get())).unwrap();
        block_on(replica.follow(&db, &watch, 1000, 0));
        assert_eq!(*replica.state.borrow(), block_on(read(&db, &None, &None)), "seed {seed}");
    }
}

#[test]
fn a_write_that_waits_while_its_range_is_deleted_is_kept() {
    for seed in 0..150 {
        let faults = FaultEnv::new(Rc::new(MemoryEnv::new()), seed);
        let db = open(&(Rc::new(faults.clone()) as _), options(true));
        for i in 0..300 {
            block_on(db.put(format!("k{i:03}").as_bytes(), &[7; 100])).unwrap();
        }
        faults.set_pending(60);
        let begun = Cell::new(false);
        let mut executor = Executor::new(seed);
        executor.spawn(async {
            let mut deleting = Box::pin(db.delete_range(None, None));
            poll_fn(|cx| {
                let polled = deleting.as_mut().poll(cx);
                begun.set(true);
                polled
            })
            .await
            .unwrap();
        });
        while !begun.get() {
            assert!(executor.turn());
        }
        for i in (0..300).step_by(3) {
            let db = &db;
            executor.spawn(async move {
                for _ in 0..i / 10 {
                    yield_now().await;
                }
                let options = WriteOptions { sync: i % 2 == 0 };
                db.put_with(&options, format!("k{i:03}").as_bytes(), b"new").await.unwrap();
            });
        }
        executor.run().unwrap();
        faults.set_pending(0);
        let expected: State = (0..300).step_by(3).map(|i| (format!("k{i:03}").into_bytes(), b"new".to_vec())).collect();
        assert_eq!(block_on(read(&db, &None, &None)), expected, "seed {seed}");
    }
}

#[test]
fn closing_the_database_ends_a_wait() {
    let db = open(&(Rc::new(MemoryEnv::new()) as _), options(false));
    let watch = db.watch(Some(b"x".to_vec()), None, None).unwrap();
    let ended = Cell::new(None);
    let mut executor = Executor::new(1);
    executor.spawn(async { ended.set(Some(watch.changed().await.unwrap_err().code())) });
    while executor.turn() {}
    block_on(db.put(b"a", b"1")).unwrap();
    while executor.turn() {}
    assert_eq!(ended.take(), None, "not in its range");
    block_on(db.close()).unwrap();
    executor.run().unwrap();
    assert_eq!(ended.take(), Some("closed"));
    assert_eq!(block_on(watch.next(1)).unwrap_err().code(), "closed");
    assert_eq!(db.watch(None, None, None).unwrap_err().code(), "closed");
}
