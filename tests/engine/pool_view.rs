//! The files of a pool, read without its lock while a database writes to it: a reader that is interrupted
//! by any number of raw writes has a prefix of the puts, or is told to begin again (env/pool/view.rs).
//!
//! `VARVE_LONG=1` runs more seeds, `VARVE_SEED=n` one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use varve::env::{
    Durability, Io, MemoryEnv, NEWER_MAX, PoolContent, PoolEnv, PoolNames, RAW_HEADER_SIZE, RawDirectory, RawFile,
    RawModel, block_on, pool_names, raw_generation,
};
use varve::{Db, Error, Options};

use crate::common::random::Random;
use crate::common::world::{contents, open, seeds, small_options};

type Files = BTreeMap<String, Vec<u8>>;

/// Raw files that tell of each change.
#[derive(Clone)]
struct Told {
    raw: RawModel,
    changed: Rc<dyn Fn(&RawModel)>,
}

impl RawDirectory for Told {
    fn list(&self, create: bool) -> Io<Vec<String>> {
        self.raw.list(create)
    }

    fn open(&self, name: &str, create: bool) -> Io<Rc<dyn RawFile>> {
        let told = self.clone();
        self.raw.open(name, create).map(move |file| Ok(Rc::new(ToldFile(file?, told)) as Rc<dyn RawFile>))
    }

    fn remove(&self, name: &str) -> Io<()> {
        self.raw.remove(name)
    }

    fn remove_all(&self) -> Io<()> {
        self.raw.remove_all()
    }

    fn now(&self) -> u64 {
        self.raw.now()
    }

    fn unique(&self) -> u64 {
        self.raw.unique()
    }

    fn run_later(&self, delay: u64, work: Pin<Box<dyn Future<Output = ()>>>) {
        self.raw.run_later(delay, work);
    }

    fn durability(&self) -> Durability {
        self.raw.durability()
    }
}

struct ToldFile(Rc<dyn RawFile>, Told);

impl RawFile for ToldFile {
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, Error> {
        self.0.read(offset, into)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<u64, Error> {
        let done = self.0.write(offset, data);
        (self.1.changed)(&self.1.raw);
        done
    }

    fn size(&self) -> Result<u64, Error> {
        self.0.size()
    }

    fn truncate(&self, size: u64) -> Result<(), Error> {
        let done = self.0.truncate(size);
        (self.1.changed)(&self.1.raw);
        done
    }

    fn flush(&self) -> Result<(), Error> {
        self.0.flush()
    }
}

fn names(files: &Files) -> Option<PoolNames> {
    let slot = |name: &str| files.get(name).map(Vec::as_slice).unwrap_or_default();
    pool_names([slot("super-a"), slot("super-b"), slot("super-c")], None)
}

/// A reader between two steps, each of which sees other raw files.
#[derive(Default)]
struct Reader {
    step: usize,
    /// Puts that were acknowledged when it began.
    acknowledged: usize,
    first: Option<PoolNames>,
    names: Option<PoolNames>,
    taken: BTreeMap<String, Vec<u8>>,
}

fn is_log(name: &str) -> bool {
    name.ends_with(".log")
}

fn is_manifest(name: &str) -> bool {
    name.starts_with("MANIFEST")
}

/// What names manifests.
fn manifests(names: &PoolNames) -> Vec<&varve::env::PoolName> {
    names.files.iter().filter(|file| file.name == "CURRENT" || is_manifest(&file.name)).collect()
}

impl Reader {
    /// Takes one step; `true` if all was read. It begins again if it has to.
    fn go_on(&mut self, files: &Files, acknowledged: usize) -> bool {
        let now = names(files);
        let step = self.step;
        self.step += 1;
        match step {
            0 => {
                *self = Reader { step: 1, acknowledged, first: now, ..Reader::default() };
                if self.first.is_none() {
                    self.step = 0;
                }
            }
            1 => self.take(files, is_manifest, self.first.clone()),
            2 => {
                self.names = self.first.clone().zip(now).and_then(|(first, now)| joined(first, &now));
                if self.names.is_none() {
                    self.step = 0;
                }
            }
            3 => self.take(files, is_log, self.names.clone()),
            4 => self.check(files, now, |name| is_log(name) || is_manifest(name)),
            5 => self.take(files, |name| !is_log(name) && !is_manifest(name), self.names.clone()),
            _ => {
                self.check(files, now, |name| !is_log(name) && !is_manifest(name));
                return self.step > 0;
            }
        }
        false
    }

    fn take(&mut self, files: &Files, suits: impl Fn(&str) -> bool, names: Option<PoolNames>) {
        for file in names.iter().flat_map(|names| &names.files).filter(|file| suits(&file.name)) {
            let content = match &file.content {
                PoolContent::Inline(bytes) => bytes.clone(),
                PoolContent::Raw { raw, .. } => files[raw].get(RAW_HEADER_SIZE as usize..).unwrap_or_default().to_vec(),
            };
            self.taken.insert(file.name.clone(), content);
        }
    }

    /// Begins again if what was taken may be something else.
    fn check(&mut self, files: &Files, now: Option<PoolNames>, suits: impl Fn(&str) -> bool) {
        let (Some(names), Some(now)) = (&self.names, now) else {
            self.step = 0;
            return;
        };
        let is_recent = now.sequence.unwrap_or(0) - names.sequence.unwrap_or(0) < NEWER_MAX;
        for file in names.files.iter().filter(|file| suits(&file.name)) {
            let PoolContent::Raw { raw, generation, .. } = &file.content else { continue };
            let is_whole = raw_generation(&files[raw]) == Ok(*generation);
            assert!(is_whole || !is_recent, "{} lost its content within {NEWER_MAX} superblocks", file.name);
            if !is_whole {
                self.step = 0;
            }
        }
    }
}

/// The names of two readings, between which a manifest was read.
fn joined(first: PoolNames, now: &PoolNames) -> Option<PoolNames> {
    if now.sequence.unwrap_or(0) - first.sequence.unwrap_or(0) >= NEWER_MAX || manifests(&first) != manifests(now) {
        return None;
    }
    let both = first.files.into_iter().chain(now.files.iter().cloned());
    let all: BTreeMap<_, _> = both.map(|file| (file.name.clone(), file)).collect();
    Some(PoolNames { sequence: first.sequence, files: all.into_values().collect() })
}

fn key(number: usize) -> Vec<u8> {
    format!("{number:06}").into_bytes()
}

fn life(seed: u64) -> (usize, usize) {
    let acknowledged = Rc::new(Cell::new(0));
    let reader = Rc::new(RefCell::new((Reader::default(), Random::new(seed ^ 1), 0_u64)));
    let ended = Rc::new(Cell::new((0, 0)));
    let raw = RawModel::new(seed);
    let changed = {
        let (acknowledged, ended) = (acknowledged.clone(), ended.clone());
        move |raw: &RawModel| {
            let (reader, random, pause) = &mut *reader.borrow_mut();
            if *pause > 0 {
                *pause -= 1;
                return;
            }
            let longest = *random.pick(&[1, 1, 1, 3, 40, 150]);
            *pause = random.below(longest) as u64;
            let (step, (done, again)) = (reader.step, ended.get());
            if reader.go_on(&raw.files(), acknowledged.get()) {
                check(reader, acknowledged.get(), seed);
                *reader = Reader::default();
                ended.set((done + 1, again));
            } else if reader.step == 0 && step > 0 {
                ended.set((done, again + 1));
            }
        }
    };
    let told = Told { raw: raw.clone(), changed: Rc::new(changed) };
    let options = small_options();
    let env = Rc::new(PoolEnv::new(Rc::new(told)));
    let db = block_on(Db::open(env, options)).unwrap();
    let mut random = Random::new(seed);
    for number in 0..1500 {
        let value = format!("{number}|{}", "v".repeat(random.below(200)));
        block_on(db.put(&key(number), value.as_bytes())).unwrap();
        acknowledged.set(number + 1);
        if random.one_in(10) {
            raw.run_deferred(2);
        }
        // Removed files are kept while others are young.
        if random.one_in(5) {
            raw.advance(61_000);
        }
        if random.one_in(100) {
            block_on(db.flush()).unwrap();
        }
        while random.one_in(3) && db.has_background_work() {
            block_on(db.background(1 << 10)).unwrap();
        }
    }
    block_on(db.close()).unwrap();
    ended.get()
}

fn check(reader: &Reader, acknowledged: usize, seed: u64) {
    let image = MemoryEnv::new();
    for (name, content) in &reader.taken {
        image.write(name, content);
    }
    if !reader.taken.contains_key("CURRENT") {
        assert_eq!(reader.acknowledged, 0, "seed {seed}: CURRENT is missing");
        return;
    }
    let options = Options { read_only: true, create_if_missing: false, ..small_options() };
    let db = open(&image, &options).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    assert_eq!(db.recovery().findings(), [], "seed {seed}");
    let found = contents(&db).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    for (number, at) in found.keys().enumerate() {
        assert_eq!(*at, key(number), "seed {seed}: put {number} is missing");
    }
    // One put may be in the log already.
    let range = reader.acknowledged..=acknowledged + 1;
    assert!(range.contains(&found.len()), "seed {seed}: {} puts were read, expected {range:?}", found.len());
}

#[test]
fn a_reader_without_the_lock_has_a_prefix_of_the_puts() {
    let (mut done, mut again) = (0, 0);
    for seed in seeds(20, 2000) {
        let (read, repeated) = life(seed);
        done += read;
        again += repeated;
    }
    println!("{done} readings, {again} begun again");
    assert!(done > 100 && again > 5, "{done} readings, {again} begun again");
}
