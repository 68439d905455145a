//! A database on a storage that fails and crashes, and its expected history.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use varve::env::{CrashModel, CrashNames, CrashTail, Env, FaultEnv, MemoryEnv, NameEdit};
use varve::{Db, DbState, Error, Options, ReadOptions, WriteBatch, WriteOptions, block_on, repair};

use super::model::Map;
use super::random::Random;

/// The changes of one batch: keys with their new values, `None` for a delete.
pub type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// `Err`: the database did something wrong. `Ok(Err)`: the storage failed, and the database
/// returned the error.
pub type Outcome<T = ()> = Result<Result<T, Error>, String>;

/// The acknowledged writes in order, and how many of them must survive a crash.
#[derive(Clone)]
pub struct History {
    writes: Vec<Changes>,
    /// `states[i]` is the contents after `i` writes.
    states: Vec<u64>,
    /// The number of writes that must survive a crash.
    pub synced: usize,
    /// Writes that may be applied, after all others, in order.
    pub maybe: Vec<Changes>,
    /// The contents after all acknowledged writes.
    pub map: Map,
}

impl Default for History {
    fn default() -> History {
        History::new()
    }
}

impl History {
    pub fn new() -> History {
        History { writes: vec![], states: vec![0], synced: 0, maybe: vec![], map: Map::new() }
    }

    pub fn acknowledge(&mut self, changes: Changes, synced: bool) {
        let mut state = *self.states.last().unwrap();
        apply_hashed(&mut self.map, &mut state, &changes);
        self.writes.push(changes);
        self.states.push(state);
        if synced {
            self.all_synced();
        }
    }

    pub fn all_synced(&mut self) {
        self.synced = self.writes.len();
    }

    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// The number of writes in `found` (`len` + 1 with those of unknown result).
    ///
    /// An error if it is not an allowed state.
    pub fn position(&self, found: &Map) -> Result<usize, String> {
        self.position_from(found, self.synced)
    }

    pub fn position_from(&self, found: &Map, at_least: usize) -> Result<usize, String> {
        let state = hash_of(found);
        if let Some(at) = (at_least..=self.len()).rev().find(|i| self.states[*i] == state) {
            return Ok(at);
        }
        let mut all = self.map.clone();
        for maybe in &self.maybe {
            let mut one = self.map.clone();
            apply(&mut one, maybe);
            apply(&mut all, maybe);
            if one == *found || all == *found {
                return Ok(self.len() + 1);
            }
        }
        let lost = (0..at_least).rev().find(|i| self.states[*i] == state);
        Err(match lost {
            Some(at) => format!("synced writes are lost: found the state after {at}, {at_least} were synced"),
            None => format!(
                "no state of the history ({at_least} synced, {} acknowledged, {} unknown): {}",
                self.len(),
                self.maybe.len(),
                difference(found, &self.map)
            ),
        })
    }

    /// Checks that each key has a value that it had after `at_least` writes or later: what a repair keeps,
    /// which may lack some of the later writes.
    pub fn each_is_recent(&self, found: &Map, at_least: usize) -> Result<(), String> {
        let mut allowed: BTreeMap<&Vec<u8>, Vec<Option<&Vec<u8>>>> = BTreeMap::new();
        for (at, changes) in self.writes.iter().chain(&self.maybe).enumerate() {
            for (key, value) in changes {
                let values = allowed.entry(key).or_insert_with(|| vec![None]);
                if at < at_least {
                    values.clear();
                }
                values.push(value.as_ref());
            }
        }
        if let Some(key) = found.keys().find(|key| !allowed.contains_key(key)) {
            return Err(format!("{} was never written", key.escape_ascii()));
        }
        for (key, values) in allowed {
            if !values.contains(&found.get(key)) {
                return Err(format!("{} has an older value than that after {at_least} writes", key.escape_ascii()));
            }
        }
        Ok(())
    }

    /// `found` was recovered: it is the history from now on.
    pub fn settle(&mut self, found: &Map) -> Result<(), String> {
        let at = self.position(found)?;
        if at <= self.len() {
            self.writes.truncate(at);
            self.states.truncate(at + 1);
        } else {
            let known: Changes = {
                let gone = self.map.keys().filter(|k| !found.contains_key(*k)).map(|k| (k.clone(), None));
                let new = found.iter().filter(|(k, v)| self.map.get(*k) != Some(*v));
                gone.chain(new.map(|(k, v)| (k.clone(), Some(v.clone())))).collect()
            };
            self.acknowledge(known, false);
        }
        self.maybe.clear();
        self.map.clone_from(found);
        Ok(())
    }
}

fn apply(map: &mut Map, changes: &Changes) {
    let mut state = 0;
    apply_hashed(map, &mut state, changes);
}

fn apply_hashed(map: &mut Map, state: &mut u64, changes: &Changes) {
    for (key, value) in changes {
        let old = match value {
            Some(value) => {
                *state = state.wrapping_add(hash_entry(key, value));
                map.insert(key.clone(), value.clone())
            }
            None => map.remove(key),
        };
        if let Some(old) = old {
            *state = state.wrapping_sub(hash_entry(key, &old));
        }
    }
}

fn hash_entry(key: &[u8], value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, value).hash(&mut hasher);
    hasher.finish()
}

fn hash_of(map: &Map) -> u64 {
    map.iter().fold(0, |sum: u64, (k, v)| sum.wrapping_add(hash_entry(k, v)))
}

/// A few of the keys that differ in two maps.
pub fn difference(found: &Map, expected: &Map) -> String {
    let show = |v: Option<&Vec<u8>>| {
        v.map_or("nothing".to_owned(), |v| format!("{}({})", v[..v.len().min(12)].escape_ascii(), v.len()))
    };
    let mut keys: Vec<_> = found.keys().chain(expected.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.retain(|k| found.get(*k) != expected.get(*k));
    let lines = keys
        .iter()
        .take(8)
        .map(|k| format!("{}: {} instead of {}", k.escape_ascii(), show(found.get(*k)), show(expected.get(*k))));
    format!("{} keys differ: {}", keys.len(), lines.collect::<Vec<_>>().join("; "))
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Open {
        reuse_logs: bool,
    },
    Write {
        first: usize,
        count: usize,
        length: usize,
        sync: bool,
    },
    Delete {
        key: usize,
        sync: bool,
    },
    Sync,
    Flush,
    Compact,
    Slice(u64),
    Close,
    /// The process ends; the machine continues.
    Kill,
    /// CURRENT is missing: the database can only be repaired.
    LoseCurrent,
    Repair,
    /// Reads everything.
    Scan,
}

/// Options for which few bytes cause much work.
pub fn small_options() -> Options {
    Options {
        create_if_missing: true,
        write_buffer_size: 4 << 10,
        block_size: 512,
        max_file_size: 16 << 10,
        slice_size: 4 << 10,
        ..Options::default()
    }
}

/// A database, its storage, and its acknowledged writes.
pub struct Session {
    pub memory: MemoryEnv,
    pub env: FaultEnv,
    pub options: Options,
    pub db: Option<Db>,
    pub history: History,
    /// After a crash, a write that was not acknowledged may be applied; otherwise the error tells.
    pub any_failure_is_a_crash: bool,
    /// A repair reported an unreadable part, and continued without it.
    pub told_of_loss: bool,
    written: u64,
}

impl Session {
    pub fn new(memory: MemoryEnv, options: Options, history: History, seed: u64) -> Session {
        let env = FaultEnv::new(Rc::new(memory.clone()), seed);
        env.set_recording(is_one_seed());
        let written = history.len() as u64 * 1000;
        Session { memory, env, options, db: None, history, any_failure_is_a_crash: true, told_of_loss: false, written }
    }

    /// The calls so far, if `VARVE_SEED` selects one run.
    pub fn print_calls(&self) {
        self.env.trace().iter().for_each(|call| eprintln!("{call}"));
    }

    pub fn db(&self) -> &Db {
        self.db.as_ref().unwrap()
    }

    pub fn step(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Open { reuse_logs } => {
                self.options.reuse_logs = *reuse_logs;
                Ok(self.open())
            }
            Step::Write { first, count, length, sync } => {
                let changes = (0..*count).map(|i| (key(first + i), Some(self.value(*length)))).collect();
                Ok(self.write(changes, *sync))
            }
            Step::Delete { key: at, sync } => Ok(self.write(vec![(key(*at), None)], *sync)),
            Step::Sync => Ok(block_on(self.db().sync()).map(|()| self.history.all_synced())),
            Step::Flush => Ok(block_on(self.db().flush()).map(|()| self.history.all_synced())),
            Step::Compact => Ok(block_on(self.db().compact_range(None, None)).map(|()| self.history.all_synced())),
            Step::Slice(bytes) => {
                if bytes.is_multiple_of(5) {
                    self.db().tidy();
                }
                Ok(block_on(self.db().background(*bytes)).map(|_| ()))
            }
            Step::Close => {
                let result = block_on(self.db().close());
                self.db = None;
                Ok(result.map(|()| self.history.all_synced()))
            }
            Step::Kill => {
                self.db = None;
                Ok(Ok(()))
            }
            Step::LoseCurrent => {
                let lost = vec![NameEdit::Remove { name: "CURRENT".into() }];
                Ok(block_on(self.memory.edit_names(lost)))
            }
            Step::Repair => {
                let report = block_on(repair(Rc::new(self.env.clone()), self.options.clone()));
                self.told_of_loss |= report.as_ref().is_ok_and(|r| !r.findings.is_empty());
                Ok(report.map(|_| ()))
            }
            Step::Scan => match contents(self.db()) {
                Err(error) => Ok(Err(error)),
                Ok(found) if found == self.history.map => Ok(Ok(())),
                Ok(found) => Err(format!("a scan finds {}", difference(&found, &self.history.map))),
            },
        }
    }

    fn open(&mut self) -> Result<(), Error> {
        self.db = None;
        self.db = Some(block_on(Db::open(Rc::new(self.env.clone()), self.options.clone()))?);
        Ok(())
    }

    /// Different for every write.
    fn value(&mut self, length: usize) -> Vec<u8> {
        self.written += 1;
        let mut value = format!("{:08}.", self.written).into_bytes();
        value.extend(Random::new(self.written).bytes(length));
        value
    }

    pub fn write(&mut self, changes: Changes, sync: bool) -> Result<(), Error> {
        let mut batch = WriteBatch::new();
        for (key, value) in &changes {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        let result = block_on(self.db().write(&WriteOptions { sync }, batch));
        match &result {
            Ok(()) => self.history.acknowledge(changes, sync),
            Err(error) if self.any_failure_is_a_crash || error.maybe_applied() => self.history.maybe.push(changes),
            Err(_) => {}
        }
        result
    }

    /// Checks that every read returns acknowledged data or an error.
    pub fn reads_are_right_or_refused(&self) -> Result<(), String> {
        let Some(db) = &self.db else { return Ok(()) };
        if let Ok(found) = contents(db)
            && found != self.history.map
        {
            return Err(format!("with faults a scan finds {}", difference(&found, &self.history.map)));
        }
        for at in 0..40 {
            let key = key(at);
            if let Ok(found) = block_on(db.get(&key))
                && found.as_ref() != self.history.map.get(&key)
            {
                return Err(format!("with faults, get {} is wrong", key.escape_ascii()));
            }
        }
        Ok(())
    }

    pub fn is_degraded(&self) -> bool {
        self.db.as_ref().is_some_and(|db| matches!(db.state(), DbState::Degraded(_)))
    }
}

pub fn key(n: usize) -> Vec<u8> {
    format!("key{n:05}").into_bytes()
}

/// Everything in the database.
pub fn contents(db: &Db) -> Result<Map, Error> {
    let mut it = db.iter(&ReadOptions::default())?;
    let mut map = Map::new();
    let mut valid = block_on(it.seek_to_first())?;
    while valid {
        map.insert(it.key().to_vec(), it.value().to_vec());
        valid = block_on(it.next())?;
    }
    Ok(map)
}

pub fn open(image: &MemoryEnv, options: &Options) -> Result<Db, String> {
    block_on(Db::open(Rc::new(image.clone()), options.clone())).map_err(|e| format!("it does not open: {e}"))
}

/// Checks the database after a crash.
///
/// It must open, have a prefix of the history with all synced writes, verify, and accept writes
/// that last.
pub fn check_image(image: &MemoryEnv, history: &History, options: &Options, thorough: bool) -> Result<Map, String> {
    let db = match open(image, options) {
        // A repair was interrupted, or had not begun.
        Err(error) if error.contains("CURRENT is missing") => {
            text(block_on(repair(Rc::new(image.clone()), options.clone())))?;
            open(image, options)?
        }
        db => db?,
    };
    let found = text(contents(&db))?;
    history.position(&found)?;
    let report = text(block_on(db.verify()))?;
    if !report.findings.is_empty() {
        return Err(format!("verify finds {:?}", report.findings));
    }
    if thorough {
        drop(db);
        let again = open(image, options)?;
        let second = text(contents(&again))?;
        if second != found {
            return Err(format!("a second open finds {}", difference(&second, &found)));
        }
        goes_on(image, again, &found, options)?;
    } else {
        goes_on(image, db, &found, options)?;
    }
    Ok(found)
}

/// Checks that writes survive the next crash, with everything older.
fn goes_on(image: &MemoryEnv, db: Db, found: &Map, options: &Options) -> Result<(), String> {
    let sync = WriteOptions { sync: true };
    text(block_on(db.put_with(&sync, b"zz", b"after the crash")))?;
    let mut expected = found.clone();
    expected.insert(b"zz".to_vec(), b"after the crash".to_vec());
    drop(db);
    let image = image.crash(&CrashModel::DROP);
    let db = open(&image, options)?;
    let second = text(contents(&db))?;
    if second != expected {
        return Err(format!("after a synced write and another crash: {}", difference(&second, &expected)));
    }
    text(block_on(db.compact_range(None, None)))?;
    let third = text(contents(&db))?;
    if third != expected {
        return Err(format!("after compaction: {}", difference(&third, &expected)));
    }
    Ok(())
}

pub fn text<T>(result: Result<T, Error>) -> Result<T, String> {
    result.map_err(|e| e.to_string())
}

/// The models of a power failure.
pub fn crash_models(seed: u64) -> Vec<CrashModel> {
    let random = |n: u64| CrashModel::random(seed.wrapping_mul(64).wrapping_add(n));
    vec![
        CrashModel::DROP,
        CrashModel::KEEP,
        CrashModel::percent(50),
        CrashModel::DROP.with_names(CrashNames::All),
        random(1).with_grain(512),
        random(2),
        random(3).with_names(CrashNames::All),
        random(4).with_names(CrashNames::All).with_tail(CrashTail::Zeros),
        random(5).with_tail(CrashTail::Noise),
        random(6).with_names(CrashNames::All).with_tail(CrashTail::Holes).with_grain(512),
    ]
}

pub fn random_model(random: &mut Random) -> CrashModel {
    let models = crash_models(random.next());
    let grain = *random.pick(&[1, 1, 512, 4096]);
    random.pick(&models).with_grain(grain)
}

/// The number of threads for a family.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get().min(8))
}

/// Calls `work` for `0..count` in threads, each with its own state; returns the first error.
///
/// With one thread, this thread is used.
pub fn parallel<S>(
    threads: usize,
    count: usize,
    init: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<(), String> + Sync,
) -> Result<(), String> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let run = || {
        let mut state = init();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count || failure.lock().unwrap().is_some() {
                break;
            }
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&mut state, at)));
            let result = done.unwrap_or_else(|panic| Err(format!("panic: {}", panic_text(&*panic))));
            if let Err(error) = result {
                failure.lock().unwrap().get_or_insert(format!("case {at}: {error}"));
                break;
            }
        }
    };
    if threads == 1 {
        run();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(run);
            }
        });
    }
    failure.into_inner().unwrap().map_or(Ok(()), Err)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let plain = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    plain.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Fails the test with the error.
pub fn must<T>(family: &str, result: Result<T, impl Debug>) -> T {
    result.unwrap_or_else(|error| panic!("{family}: {error:?}"))
}

pub fn is_long() -> bool {
    std::env::var_os("VARVE_LONG").is_some()
}

fn is_one_seed() -> bool {
    std::env::var_os("VARVE_SEED").is_some()
}

/// The seeds to run: `VARVE_SEED` alone, or the first `count`.
pub fn seeds(ci: u64, long: u64) -> std::ops::Range<u64> {
    let one = std::env::var("VARVE_SEED").ok().and_then(|s| s.parse().ok());
    one.map_or(0..if is_long() { long } else { ci }, |seed: u64| seed..seed + 1)
}
