//! Varve as one side of the interoperability tests: the commands, options, output and workload W of
//! `tests/interop/peer.cc`, where they are specified.
//!
//! ```text
//! cargo run --release --example interop -- write DIR --seed 1 --count 20000
//! cargo run --release --example interop -- digest DIR --paranoid
//! ```
#![allow(clippy::print_stdout, reason = "a command line program")]

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::rc::Rc;

#[path = "support/comparators.rs"]
#[allow(dead_code, reason = "shared with other examples")]
mod comparators;

use comparators::{LengthFirst, ReverseBytewise};
use sha2::{Digest, Sha256};
use varve::env::{Env, StdFsEnv};
use varve::{
    BloomFilterPolicy, Compression, Db, Options, ReadOptions, UserComparator, WriteBatch, WriteOptions, block_on,
};

type Answer<T = ()> = Result<T, Box<dyn Error>>;

// ---- Workload W ----

fn mix(mut z: u64) -> u64 {
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }
}

/// A value as the numbers that generate it, so that the model of a large database stays small.
#[derive(Clone, Copy)]
struct ValueName {
    seed: u64,
    op: u64,
    length: u64,
}

impl ValueName {
    fn bytes(self) -> Vec<u8> {
        let length = usize::try_from(self.length).unwrap_or(0);
        let mut random = SplitMix64 { state: mix(self.seed.wrapping_add(mix(self.op))) };
        let mut bytes = Vec::with_capacity(length + 64);
        while bytes.len() < length {
            let half: Vec<u8> = (0..4).flat_map(|_| random.next().to_le_bytes()).collect();
            bytes.extend_from_slice(&half);
            bytes.extend_from_slice(&half);
        }
        bytes.truncate(length);
        bytes
    }
}

struct Operation {
    key: Vec<u8>,
    /// `None` deletes the key.
    value: Option<ValueName>,
}

#[derive(Clone, Copy, Default)]
struct Workload {
    seed: u64,
    count: u64,
}

impl Workload {
    fn parse(text: &str) -> Answer<Workload> {
        let (seed, count) = text.split_once(':').ok_or("--after wants SEED:COUNT")?;
        Ok(Workload { seed: seed.parse()?, count: count.parse()? })
    }

    fn key(self, k: u64) -> Vec<u8> {
        let h = mix(self.seed ^ mix(k.wrapping_add(1)));
        match h % 3 {
            0 => {
                let length = usize::try_from((h >> 8) % 64).unwrap_or(0);
                mix(h).to_le_bytes().into_iter().take(length).collect()
            }
            1 => k.to_string().into_bytes(),
            _ => {
                let mut key = format!("{}{}/", "shared-prefix/".repeat(5), k % 10).into_bytes();
                key.extend_from_slice(&h.to_be_bytes());
                key
            }
        }
    }

    fn operation(self, random: &mut SplitMix64, n: u64) -> Operation {
        let (k, r) = (random.next() % (self.count / 2).max(1), random.next());
        let quarter = self.count / 4;
        let huge = self.count >= 1000 && [quarter, self.count / 2, quarter * 3].contains(&n);
        let length = match (huge, (r >> 8).is_multiple_of(1000)) {
            (true, _) => 4 << 20,
            (false, true) => 301 + (r >> 32) % 99_700,
            (false, false) => (r >> 32) % 301,
        };
        let is_put = huge || !r.is_multiple_of(10);
        Operation { key: self.key(k), value: is_put.then_some(ValueName { seed: self.seed, op: n, length }) }
    }

    /// Calls back with each group of operations and the number of operations up to its end.
    fn run(self, mut commit: impl FnMut(&[Operation], u64) -> Answer) -> Answer {
        let mut random = SplitMix64 { state: self.seed };
        let mut done = 0;
        while done < self.count {
            let batch = random.next().is_multiple_of(235);
            let size = if batch { (2 + random.next() % 49).min(self.count - done) } else { 1 };
            let group: Vec<Operation> = (done..done + size).map(|n| self.operation(&mut random, n)).collect();
            done += size;
            commit(&group, done)?;
        }
        Ok(())
    }
}

fn comparator_by_name(name: &str) -> Answer<UserComparator> {
    match name {
        "bytewise" => Ok(UserComparator::Bytewise),
        "reverse" => Ok(UserComparator::Custom(Rc::new(ReverseBytewise))),
        "length-first" => Ok(UserComparator::Custom(Rc::new(LengthFirst))),
        _ => Err(format!("unknown comparator {name}").into()),
    }
}

// ---- Command line ----

struct Arguments {
    command: String,
    dir: String,
    workload: Workload,
    after: Vec<Workload>,
    acks: bool,
    gets: bool,
    options: Options,
    read: ReadOptions,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Answer<Arguments> {
        let usage = "usage: interop digest|write|prefix|compact|destroy|repair|hold|trylock [--] DIR [options]";
        let command = words.next().ok_or(usage)?;
        let dir = words.next().filter(|word| word != "--").or_else(|| words.next()).ok_or(usage)?;
        let create_if_missing = ["write", "hold", "trylock"].contains(&command.as_str());
        let mut arguments = Arguments {
            command,
            dir,
            workload: Workload::default(),
            after: Vec::new(),
            acks: false,
            gets: false,
            options: Options { create_if_missing, filter_policy: None, ..Options::default() },
            read: ReadOptions { verify_checksums: false, fill_cache: false, ..ReadOptions::default() },
        };
        while let Some(flag) = words.next() {
            arguments.set(&flag, || words.next().ok_or_else(|| format!("{flag} needs a value").into()))?;
        }
        Ok(arguments)
    }

    fn set(&mut self, flag: &str, mut text: impl FnMut() -> Answer<String>) -> Answer {
        let options = &mut self.options;
        match flag {
            "--seed" => self.workload.seed = text()?.parse()?,
            "--count" => self.workload.count = text()?.parse()?,
            "--after" => self.after.push(Workload::parse(&text()?)?),
            "--acks" => self.acks = true,
            "--gets" => self.gets = true,
            "--paranoid" => options.paranoid_checks = true,
            "--verify" => self.read.verify_checksums = true,
            "--reuse-logs" => options.reuse_logs = true,
            "--write-buffer" => options.write_buffer_size = text()?.parse()?,
            "--max-file-size" => options.max_file_size = text()?.parse()?,
            "--block-size" => options.block_size = text()?.parse()?,
            "--restart" => options.block_restart_interval = text()?.parse()?,
            "--compression" => {
                options.compression = if text()? == "none" { Compression::None } else { Compression::Snappy };
            }
            "--comparator" => options.comparator = comparator_by_name(&text()?)?,
            "--bloom" => {
                let bits: u32 = text()?.parse()?;
                options.filter_policy = if bits > 0 { Some(Rc::new(BloomFilterPolicy::new(bits))) } else { None };
            }
            _ => return Err(format!("unknown option {flag}").into()),
        }
        Ok(())
    }

    fn env(&self) -> Rc<dyn Env> {
        Rc::new(StdFsEnv::new(&self.dir))
    }

    fn open(&self) -> varve::Result<Db> {
        block_on(Db::open(self.env(), self.options.clone()))
    }
}

fn for_each(db: &Db, read: &ReadOptions, mut visit: impl FnMut(&[u8], &[u8]) -> Answer) -> Answer {
    let mut iterator = db.iter(read)?;
    block_on(iterator.seek_to_first())?;
    while iterator.valid() {
        visit(iterator.key(), iterator.value())?;
        block_on(iterator.next())?;
    }
    Ok(iterator.status()?)
}

#[derive(Default)]
struct EntryDigest {
    sha: Sha256,
    entries: u64,
}

impl EntryDigest {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.entries += 1;
        for bytes in [key, value] {
            self.sha.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
            self.sha.update(bytes);
        }
    }

    fn print(self) {
        let hex: String = self.sha.finalize().iter().map(|b| format!("{b:02x}")).collect();
        println!("{{\"entries\":{},\"sha256\":\"{hex}\"}}", self.entries);
    }
}

// ---- Commands ----

fn digest(arguments: &Arguments) -> Answer {
    let db = arguments.open()?;
    let mut all = EntryDigest::default();
    for_each(&db, &arguments.read, |key, value| {
        all.add(key, value);
        if arguments.gets && all.entries % 7 == 1 {
            let got = block_on(db.get_with(&arguments.read, key))?;
            return if got.as_deref() == Some(value) { Ok(()) } else { Err("get and iterator differ".into()) };
        }
        Ok(())
    })?;
    block_on(db.close())?;
    all.print();
    Ok(())
}

type Model = BTreeMap<Vec<u8>, ValueName>;

fn apply(model: &mut Model, group: &[Operation]) {
    for operation in group {
        match operation.value {
            Some(value) => model.insert(operation.key.clone(), value),
            None => model.remove(&operation.key),
        };
    }
}

fn write(arguments: &Arguments) -> Answer {
    let mut model = Model::new();
    for before in &arguments.after {
        before.run(|group, _| {
            apply(&mut model, group);
            Ok(())
        })?;
    }
    let db = arguments.open()?;
    let mut acked = 0;
    arguments.workload.run(|group, done| {
        let options = WriteOptions { sync: done == arguments.workload.count };
        block_on(db.write(&options, to_batch(group)))?;
        apply(&mut model, group);
        if arguments.acks && done / 100 > acked / 100 {
            println!("acked {done}");
            std::io::stdout().flush()?;
        }
        acked = done;
        Ok(())
    })?;
    block_on(db.close())?;
    print_model(model, &arguments.options.comparator);
    Ok(())
}

fn to_batch(group: &[Operation]) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for operation in group {
        match operation.value {
            Some(value) => batch.put(&operation.key, &value.bytes()),
            None => batch.delete(&operation.key),
        }
    }
    batch
}

fn print_model(model: Model, comparator: &UserComparator) {
    let mut entries: Vec<(Vec<u8>, ValueName)> = model.into_iter().collect();
    entries.sort_by(|(a, _), (b, _)| comparator.compare(a, b));
    let mut all = EntryDigest::default();
    for (key, value) in entries {
        all.add(&key, &value.bytes());
    }
    all.print();
}

/// The values of one key in the database and in the model.
#[derive(Default)]
struct Cell {
    stored: Option<(usize, [u8; 32])>,
    in_model: bool,
    same_value: bool,
}

impl Cell {
    fn differs(&self) -> bool {
        self.stored.is_some() != self.in_model || (self.in_model && !self.same_value)
    }
}

fn hash(bytes: &[u8]) -> (usize, [u8; 32]) {
    (bytes.len(), Sha256::digest(bytes).into())
}

/// Counts the keys whose values differ between database and model while the workload is replayed.
/// The database is a prefix of the workload if the count reaches 0.
#[derive(Default)]
struct Comparison {
    cells: HashMap<Vec<u8>, Cell>,
    differences: usize,
}

impl Comparison {
    fn replay(&mut self, group: &[Operation]) {
        for operation in group {
            let cell = self.cells.entry(operation.key.clone()).or_default();
            self.differences -= usize::from(cell.differs());
            cell.in_model = operation.value.is_some();
            cell.same_value = match (operation.value, cell.stored) {
                (Some(value), Some((length, _))) if u64::try_from(length) != Ok(value.length) => false,
                (Some(value), Some(stored)) => hash(&value.bytes()) == stored,
                _ => false,
            };
            self.differences += usize::from(cell.differs());
        }
    }
}

fn prefix(arguments: &Arguments) -> Answer {
    let db = arguments.open()?;
    let mut comparison = Comparison::default();
    for_each(&db, &arguments.read, |key, value| {
        comparison.cells.insert(key.to_vec(), Cell { stored: Some(hash(value)), ..Cell::default() });
        Ok(())
    })?;
    block_on(db.close())?;
    let entries = comparison.cells.len();
    comparison.differences = entries;
    for before in &arguments.after {
        before.run(|group, _| {
            comparison.replay(group);
            Ok(())
        })?;
    }
    let mut matches = Vec::from_iter((comparison.differences == 0).then_some(0));
    arguments.workload.run(|group, done| {
        comparison.replay(group);
        matches.extend((comparison.differences == 0).then_some(done));
        Ok(())
    })?;
    let (Some(first), Some(last)) = (matches.first(), matches.last()) else {
        return Err(format!("the database is not a prefix of the workload ({entries} entries)").into());
    };
    println!("{{\"first\":{first},\"last\":{last},\"entries\":{entries}}}");
    Ok(())
}

fn compact(arguments: &Arguments) -> Answer {
    let db = arguments.open()?;
    block_on(db.compact_range(None, None))?;
    block_on(db.close())?;
    println!("{{}}");
    Ok(())
}

fn hold(arguments: &Arguments) -> Answer {
    let db = arguments.open()?;
    println!("held");
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(block_on(db.close())?)
}

fn try_lock(arguments: &Arguments) -> Answer<ExitCode> {
    match arguments.open() {
        Ok(db) => {
            println!("opened");
            block_on(db.close())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ varve::Error::Locked(_)) => {
            println!("locked: {error}");
            Ok(ExitCode::from(3))
        }
        Err(error) => Err(error.into()),
    }
}

fn destroy(arguments: &Arguments) -> Answer {
    block_on(varve::destroy(arguments.env()))?;
    println!("{{}}");
    Ok(())
}

fn repair(arguments: &Arguments) -> Answer {
    block_on(varve::repair(arguments.env(), arguments.options.clone()))?;
    println!("{{}}");
    Ok(())
}

fn run() -> Answer<ExitCode> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    match arguments.command.as_str() {
        "digest" => digest(&arguments)?,
        "write" => write(&arguments)?,
        "prefix" => prefix(&arguments)?,
        "compact" => compact(&arguments)?,
        "destroy" => destroy(&arguments)?,
        "repair" => repair(&arguments)?,
        "hold" => hold(&arguments)?,
        "trylock" => return try_lock(&arguments),
        unknown => return Err(format!("unknown command {unknown}").into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        println!("{{\"error\":{}}}", json_string(&error.to_string()));
        ExitCode::from(2)
    })
}

fn json_string(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c < ' ' => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
