//! A closed database as bytes, its contents, and the checks of a damaged copy.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use varve::env::{Env, MemoryEnv};
use varve::{BloomFilterPolicy, Compression, Db, Error, Options, ReadOptions, RecoveryMode, WriteBatch, block_on};
use varve::{WriteOptions, base::FileName};

use crate::common::random::Random;

pub type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// No iterator may take more steps than this over these images.
const STEPS_MAX: usize = 200_000;

/// The batches in the log of [`Image::with_log`].
const LOG_BATCHES: usize = 120;

/// The files of one closed database.
pub struct Image {
    pub files: Vec<(String, Vec<u8>)>,
    /// The contents of its tables.
    pub tables: Map,
    /// The entries of each batch of its log, oldest first.
    pub batches: Vec<Vec<(Vec<u8>, Vec<u8>)>>,
}

pub fn long() -> bool {
    std::env::var_os("VARVE_LONG").is_some()
}

pub fn options() -> Options {
    Options {
        create_if_missing: true,
        write_buffer_size: 1 << 20,
        block_cache_size: 64 << 10,
        max_value_size: 1 << 20,
        ..Options::default()
    }
}

/// Half of it is compressible.
pub fn value_of(key: &[u8], length: usize) -> Vec<u8> {
    let seed = key.iter().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(*b)));
    Random::new(seed).bytes(length)
}

impl Image {
    pub fn of(env: &MemoryEnv, tables: Map, batches: Vec<Vec<(Vec<u8>, Vec<u8>)>>) -> Image {
        let files = env.names().into_iter().map(|name| (name.clone(), env.read(&name).unwrap())).collect();
        Image { files, tables, batches }
    }

    /// One table of about 64 KiB.
    pub fn of_one_table(compression: Compression) -> Image {
        let env = MemoryEnv::new();
        let entries = if compression == Compression::None { 460 } else { 820 };
        let mut map = Map::new();
        let db = block_on(Db::open(Rc::new(env.clone()), Options { compression, ..options() })).unwrap();
        for i in 0..entries {
            let key = format!("lake/{:05}/name", i * 7).into_bytes();
            let value = value_of(&key, 120);
            block_on(db.put(&key, &value)).unwrap();
            map.insert(key, value);
        }
        block_on(db.flush()).unwrap();
        drop(db);
        let image = Image::of(&env, map, Vec::new());
        let size = image.read(&image.table_names()[0]).len();
        assert!((56 << 10..72 << 10).contains(&size), "the table has {size} bytes");
        image
    }

    /// Tables on two levels, a manifest of several records, and a log of more than one block.
    pub fn with_log() -> Image {
        Image::with_log_of("log", 3)
    }

    /// The same with other keys of equal length and earlier sequence numbers.
    ///
    /// An older database may have left such files on the medium.
    pub fn with_other_log() -> Image {
        Image::with_log_of("old", 2)
    }

    fn with_log_of(kind: &str, rounds: usize) -> Image {
        let env = MemoryEnv::new();
        let mut map = Map::new();
        let open = || block_on(Db::open(Rc::new(env.clone()), options())).unwrap();
        let put = |db: &Db, map: &mut Map, key: Vec<u8>| {
            let value = value_of(&key, 40);
            block_on(db.put(&key, &value)).unwrap();
            map.insert(key, value);
        };
        let db = open();
        for i in 0..60 {
            put(&db, &mut map, format!("deep/{i:04}").into_bytes());
        }
        block_on(db.compact_range(None, None)).unwrap();
        drop(db);
        let db = open();
        for round in 0..rounds {
            for i in 0..20 {
                put(&db, &mut map, format!("shallow/{:04}", i * 5 + round).into_bytes());
            }
            put(&db, &mut map, b"deep/0007".to_vec());
            block_on(db.flush()).unwrap();
        }
        let mut batches = Vec::new();
        for i in 0..LOG_BATCHES {
            let mut batch = WriteBatch::new();
            let mut entries = vec![(b"count".to_vec(), i.to_string().into_bytes())];
            for j in 0..2 {
                let key = format!("{kind}/{i:04}/{j}").into_bytes();
                entries.push((key.clone(), value_of(&key, 120)));
            }
            for (key, value) in &entries {
                batch.put(key, value);
            }
            block_on(db.write(&WriteOptions::default(), batch)).unwrap();
            batches.push(entries);
        }
        drop(db);
        Image::of(&env, map, batches)
    }

    pub fn read(&self, name: &str) -> &[u8] {
        &self.files.iter().find(|(n, _)| n == name).unwrap().1
    }

    /// An independent storage with these files; `damaged` replaces the one of that name.
    pub fn env(&self, damaged: &[(&str, &[u8])]) -> MemoryEnv {
        let env = MemoryEnv::new();
        for (name, bytes) in &self.files {
            env.write(name, damaged.iter().find(|(n, _)| n == name).map_or(bytes, |(_, b)| b));
        }
        for (name, bytes) in damaged.iter().filter(|(n, _)| !self.files.iter().any(|(name, _)| name == n)) {
            env.write(name, bytes);
        }
        env
    }

    pub fn names(&self, wanted: impl Fn(FileName) -> bool) -> Vec<String> {
        let known = |name: &&String| FileName::parse(name).is_some_and(&wanted);
        self.files.iter().map(|(name, _)| name).filter(known).cloned().collect()
    }

    pub fn table_names(&self) -> Vec<String> {
        self.names(|n| matches!(n, FileName::Table(_)))
    }

    pub fn manifest_name(&self) -> String {
        self.names(|n| matches!(n, FileName::Manifest(_))).pop().unwrap()
    }

    pub fn log_name(&self) -> String {
        self.names(|n| matches!(n, FileName::Log(_))).pop().unwrap()
    }

    /// The contents of the database with the first `batches` of its log.
    pub fn state(&self, batches: usize) -> Map {
        let mut map = self.tables.clone();
        map.extend(self.batches[..batches].iter().flatten().cloned());
        map
    }

    pub fn whole(&self) -> Map {
        self.state(self.batches.len())
    }

    /// The number of batches of the log in `found`; panics if it is not such a state.
    pub fn prefix(&self, found: &Map) -> usize {
        let batches = found
            .get(b"count".as_slice())
            .map_or(0, |count| std::str::from_utf8(count).unwrap().parse::<usize>().unwrap() + 1);
        assert!(batches <= self.batches.len() && *found == self.state(batches), "not a prefix of the history");
        batches
    }

    /// Whether this value was ever written under this key.
    pub fn was_written(&self, key: &[u8], value: &[u8]) -> bool {
        self.tables.get(key).is_some_and(|v| v == value)
            || self.batches.iter().flatten().any(|(k, v)| k == key && v == value)
    }
}

/// The results of the cases of one test.
#[derive(Default)]
pub struct Tally {
    pub cases: usize,
    pub right: usize,
    pub errors: usize,
    pub slowest: Duration,
    begun: Option<Instant>,
}

#[allow(clippy::disallowed_methods, reason = "cases are timed")]
impl Tally {
    /// Runs one case: `true` is the right answer, `false` an error.
    pub fn case(&mut self, run: impl FnOnce() -> bool) {
        let start = Instant::now();
        self.begun.get_or_insert(start);
        if run() {
            self.right += 1;
        } else {
            self.errors += 1;
        }
        self.cases += 1;
        self.slowest = self.slowest.max(start.elapsed());
    }

    pub fn print(&self, what: &str) {
        let seconds = self.begun.map_or(0.0, |b| b.elapsed().as_secs_f64());
        println!(
            "{what}: {} cases, {} right, {} errors, {seconds:.1} s, slowest {:?}",
            self.cases, self.right, self.errors, self.slowest
        );
    }
}

pub fn open(env: &MemoryEnv, options: Options) -> Result<Db, Error> {
    block_on(Db::open(Rc::new(env.clone()) as Rc<dyn Env>, options))
}

/// Opened read-only with this recovery mode.
pub fn reading(recovery: RecoveryMode) -> Options {
    Options {
        read_only: true,
        create_if_missing: false,
        recovery,
        filter_policy: Some(Rc::new(BloomFilterPolicy::new(10))),
        ..options()
    }
}

/// Reads everything forwards. An error ends it; each entry before that must agree with `expected`.
pub fn scan(db: &Db, read: &ReadOptions, expected: Option<&Map>) -> Result<Map, Error> {
    let mut it = db.iter(read)?;
    let mut wanted = expected.map(|e| e.iter());
    let mut found = Map::new();
    let mut more = block_on(it.seek_to_first())?;
    let mut steps = 0;
    while more {
        if let Some(wanted) = &mut wanted {
            let right = wanted.next().map(|(k, v)| (k.as_slice(), v.as_slice()));
            assert_eq!(right, Some((it.key(), it.value())), "a wrong entry");
        } else {
            found.insert(it.key().to_vec(), it.value().to_vec());
        }
        steps += 1;
        assert!(steps < STEPS_MAX, "an iterator that does not end");
        more = block_on(it.next())?;
    }
    it.status()?;
    if let Some(mut wanted) = wanted {
        assert_eq!(wanted.next(), None, "entries are missing, without an error");
    }
    Ok(found)
}

/// The same, backwards.
pub fn scan_back(db: &Db, read: &ReadOptions, expected: Option<&Map>) -> Result<(), Error> {
    let mut it = db.iter(read)?;
    let mut wanted = expected.map(|e| e.iter().rev());
    let mut more = block_on(it.seek_to_last())?;
    let mut steps = 0;
    while more {
        if let Some(wanted) = &mut wanted {
            let right = wanted.next().map(|(k, v)| (k.as_slice(), v.as_slice()));
            assert_eq!(right, Some((it.key(), it.value())), "a wrong entry, backwards");
        }
        steps += 1;
        assert!(steps < STEPS_MAX, "an iterator that does not end, backwards");
        more = block_on(it.prev())?;
    }
    it.status()?;
    if let Some(mut wanted) = wanted {
        assert_eq!(wanted.next(), None, "entries are missing backwards, without an error");
    }
    Ok(())
}

/// Whether nothing was wrong: gets, and a scan in each direction. Panics at a wrong result.
pub fn reads_right(db: &Db, expected: &Map, keys: &[&[u8]]) -> bool {
    let read = ReadOptions { fill_cache: false, ..ReadOptions::default() };
    let mut right = true;
    for key in keys {
        match block_on(db.get_with(&read, key)) {
            Ok(value) => assert_eq!(value.as_ref(), expected.get(*key), "a wrong value of {}", key.escape_ascii()),
            Err(_) => right = false,
        }
    }
    right &= scan(db, &read, Some(expected)).is_ok();
    right &= scan_back(db, &read, Some(expected)).is_ok();
    right
}

/// Reads everything without checking it: it must end, and not panic.
pub fn reads_anything(db: &Db, keys: &[&[u8]]) -> bool {
    let read = ReadOptions { fill_cache: false, verify_checksums: false, ..ReadOptions::default() };
    let mut right = true;
    for key in keys {
        right &= block_on(db.get_with(&read, key)).is_ok();
    }
    right &= scan(db, &read, None).is_ok();
    right & scan_back(db, &read, None).is_ok()
}

/// The whole state.
///
/// In `compat` mode a manifest may lose its last records, as in LevelDB; the values must still have
/// been written.
pub fn reads_state(db: &Db, image: &Image, mode: RecoveryMode, keys: &[&[u8]]) -> bool {
    if mode != RecoveryMode::Compat {
        return reads_right(db, &image.whole(), keys);
    }
    let found = scan(db, &ReadOptions::default(), None).unwrap();
    found.iter().all(|(k, v)| image.was_written(k, v)) && !found.is_empty()
}
