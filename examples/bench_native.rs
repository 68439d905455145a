//! Varve's side of `npm run bench:native`. `benches/native/leveldb_bench.cc` is the side of C++
//! LevelDB and describes the data, workloads and protocol.
//!
//! ```text
//! bench_native ROOT N SUSTAINED SEED VERIFY     VERIFY: default, on or off (checksums of blocks)
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "its data is its own")]

use std::error::Error;
use std::fmt::Write as _;
use std::io::{BufRead, Write as _};
use std::rc::Rc;
use std::time::Instant;

use varve::env::StdFsEnv;
use varve::{BloomFilterPolicy, Compression, Db, Options, ReadOptions, block_on};

type Answer<T = ()> = Result<T, Box<dyn Error>>;

const BLOB: usize = 1 << 20;
const VALUE: usize = 100;
const KEY: usize = 16;
const SCAN_PASSES: u64 = 3;
const SEEK_NEXTS: u64 = 10;
/// Bytes of background work per slice while settling.
const SETTLE_SLICE: u64 = 1 << 20;

// ---- Measurements ----

/// User and system time of all threads, in steps of 10 ms; 0 without /proc.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u32 = after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u32>().ok()).sum();
    f64::from(ticks) / 100.0
}

fn status_kb(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Latencies in buckets of 1/64 of a power of two of nanoseconds.
struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
    over_1ms: u64,
}

impl Histogram {
    fn new() -> Histogram {
        Histogram { counts: vec![0; 64 * 60], total: 0, max: 0, over_1ms: 0 }
    }

    fn add(&mut self, ns: u64) {
        self.counts[Histogram::bucket(ns)] += 1;
        self.total += 1;
        self.max = self.max.max(ns);
        self.over_1ms += u64::from(ns > 1_000_000);
    }

    fn bucket(ns: u64) -> usize {
        if ns < 64 {
            return ns as usize;
        }
        let shift = ns.ilog2() - 6;
        (shift as usize + 1) * 64 + ((ns >> shift) & 63) as usize
    }

    fn upper_bound(bucket: usize) -> u64 {
        if bucket < 64 { bucket as u64 } else { (64 + bucket as u64 % 64 + 1) << (bucket / 64 - 1) }
    }

    fn quantile_us(&self, per_mille: u64) -> f64 {
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            seen * 1000 >= per_mille * self.total
        });
        microseconds(reached.map_or(self.max, |bucket| Histogram::upper_bound(bucket).min(self.max)))
    }

    fn json(&self) -> String {
        format!(
            ",\"p50_us\":{:.3},\"p99_us\":{:.3},\"p999_us\":{:.3},\"max_us\":{:.3},\"over_1ms\":{}",
            self.quantile_us(500),
            self.quantile_us(990),
            self.quantile_us(999),
            microseconds(self.max),
            self.over_1ms
        )
    }
}

fn microseconds(ns: u64) -> f64 {
    std::time::Duration::from_nanos(ns).as_secs_f64() * 1e6
}

// ---- Data ----

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

#[inline]
fn sample(value: &[u8]) -> Answer<u64> {
    if value.len() != VALUE {
        return Err("a value has the wrong length".into());
    }
    Ok(u64::from(value[0]) + (u64::from(value[VALUE / 2]) << 8) + (u64::from(value[VALUE - 1]) << 16))
}

#[derive(Clone, Copy)]
struct Op {
    key: [u8; KEY],
    value: u32,
}

struct Data {
    seed: u64,
    blob: Vec<u8>,
    /// The operations of the current workload.
    ops: Vec<Op>,
    /// The numbers of their keys, in order.
    numbers: Vec<u32>,
    /// The model: the expected content of the database.
    version: Vec<u8>,
}

impl Data {
    fn new(capacity: usize, seed: u64) -> Data {
        let mut random = SplitMix64 { state: seed };
        let mut blob: Vec<u8> = Vec::with_capacity(BLOB);
        while blob.len() < BLOB {
            let fresh = blob.len() % VALUE < VALUE / 2;
            let byte = if fresh { 32 + (random.next() % 95) as u8 } else { blob[blob.len() - VALUE / 2] };
            blob.push(byte);
        }
        // Not zeros: pages of zeros count as resident only after the first write.
        let ops = vec![Op { key: [1; KEY], value: 1 }; capacity];
        Data { seed, blob, ops, numbers: vec![1; capacity], version: vec![1; capacity] }
    }

    fn value_at(number: u64, version: u64) -> u32 {
        ((7919 * number + 104_729 * version) % (BLOB - VALUE) as u64) as u32
    }

    #[inline]
    fn value(&self, at: u32) -> &[u8] {
        &self.blob[at as usize..at as usize + VALUE]
    }

    fn expected(&self, number: u64) -> Answer<u64> {
        sample(self.value(Data::value_at(number, u64::from(self.version[number as usize]))))
    }

    fn last_digit(number: u64) -> u64 {
        u64::from(b'0') + 2 * number % 10
    }

    fn sequence(&mut self, n: u64) {
        self.numbers.clear();
        self.numbers.extend(0..n as u32);
    }

    fn permutation(&mut self, n: u64, salt: u64) {
        self.sequence(n);
        let mut random = SplitMix64 { state: mix(self.seed.wrapping_add(salt)) };
        for i in (1..n).rev() {
            self.numbers.swap(i as usize, (random.next() % (i + 1)) as usize);
        }
    }

    fn uniform(&mut self, count: u64, below: u64, salt: u64) {
        let mut random = SplitMix64 { state: mix(self.seed.wrapping_add(salt)) };
        self.numbers.clear();
        self.numbers.extend((0..count).map(|_| (random.next() % below) as u32));
    }

    fn lay_out(&mut self, i: usize, mut key: u64, value: u32) {
        let op = &mut self.ops[i];
        for digit in op.key.iter_mut().rev() {
            *digit = b'0' + (key % 10) as u8;
            key /= 10;
        }
        op.value = value;
    }

    fn lay_out_puts(&mut self) {
        for i in 0..self.numbers.len() {
            let number = self.numbers[i];
            let version = &mut self.version[number as usize];
            *version = version.wrapping_add(1);
            let version = u64::from(*version);
            self.lay_out(i, 2 * u64::from(number), Data::value_at(u64::from(number), version));
        }
    }

    fn lay_out_reads(&mut self, add: u64) {
        for i in 0..self.numbers.len() {
            self.lay_out(i, 2 * u64::from(self.numbers[i]) + add, 0);
        }
    }

    fn ops(&self) -> &[Op] {
        &self.ops[..self.numbers.len()]
    }
}

// ---- Workloads ----

struct Outcome {
    ops: u64,
    seconds: f64,
    cpu: f64,
    more: String,
}

struct Clock {
    cpu: f64,
    start: Instant,
}

impl Clock {
    fn start() -> Clock {
        Clock { cpu: cpu_seconds(), start: Instant::now() }
    }

    fn stop(&self, ops: u64) -> Outcome {
        let seconds = self.start.elapsed().as_secs_f64();
        Outcome { ops, seconds, cpu: cpu_seconds() - self.cpu, more: String::new() }
    }
}

fn check(found: u64, expected: u64) -> Answer {
    if found == expected { Ok(()) } else { Err("wrong data read".into()) }
}

struct Bench {
    root: String,
    dir: String,
    n: u64,
    sustained: u64,
    generation: u32,
    data: Data,
    read: ReadOptions,
    db: Option<Db>,
}

impl Bench {
    fn run(&mut self, name: &str) -> Answer<Outcome> {
        let n = self.n;
        match name {
            "fillseq" | "fillrandom" | "sustained" => self.fresh()?,
            _ => {}
        }
        match name {
            "fillseq" => self.data.sequence(n),
            "fillrandom" => self.data.permutation(n, 1),
            "sustained" => self.data.permutation(self.sustained, 2),
            "overwrite" => self.data.uniform(n, n, 3),
            "readrandom" => self.data.uniform(n, n, 4),
            "readmissing" => self.data.uniform(n, n, 5),
            "seekrandom" => self.data.uniform(n / 4, n - SEEK_NEXTS, 6),
            _ => {}
        }
        match name {
            "fillseq" | "fillrandom" | "overwrite" => self.puts(),
            "sustained" => self.timed_puts(),
            "readrandom" => self.gets(),
            "readmissing" => self.missing_gets(),
            "readseq" => self.scan(false),
            "readreverse" => self.scan(true),
            "seekrandom" => self.seeks(),
            "compact" => self.compact(),
            _ => Err(format!("unknown workload {name}").into()),
        }
    }

    fn db(&self) -> Answer<&Db> {
        self.db.as_ref().ok_or_else(|| "no database is open".into())
    }

    fn drop_database(&mut self) -> Answer {
        let Some(db) = self.db.take() else { return Ok(()) };
        block_on(db.close())?;
        drop(db);
        Ok(std::fs::remove_dir_all(&self.dir)?)
    }

    fn fresh(&mut self) -> Answer {
        self.drop_database()?;
        self.dir = format!("{}/db{}", self.root, self.generation);
        self.generation += 1;
        std::fs::create_dir_all(&self.root)?;
        let options = Options {
            create_if_missing: true,
            write_buffer_size: 4 << 20,
            block_cache_size: 8 << 20,
            block_size: 4 << 10,
            block_restart_interval: 16,
            max_file_size: 2 << 20,
            compression: Compression::Snappy,
            filter_policy: Some(Rc::new(BloomFilterPolicy::new(10))),
            ..Options::default()
        };
        self.db = Some(block_on(Db::open(Rc::new(StdFsEnv::new(&self.dir)), options))?);
        self.data.version.fill(0);
        Ok(())
    }

    fn puts(&mut self) -> Answer<Outcome> {
        self.data.lay_out_puts();
        let (db, data) = (self.db()?, &self.data);
        let clock = Clock::start();
        for op in data.ops() {
            block_on(db.put(&op.key, data.value(op.value)))?;
        }
        Ok(clock.stop(data.numbers.len() as u64))
    }

    fn timed_puts(&mut self) -> Answer<Outcome> {
        self.data.lay_out_puts();
        let (db, data) = (self.db()?, &self.data);
        let mut histogram = Histogram::new();
        let clock = Clock::start();
        let mut before = Instant::now();
        for op in data.ops() {
            block_on(db.put(&op.key, data.value(op.value)))?;
            let now = Instant::now();
            histogram.add((now - before).as_nanos() as u64);
            before = now;
        }
        Ok(Outcome { more: histogram.json(), ..clock.stop(data.numbers.len() as u64) })
    }

    fn gets(&mut self) -> Answer<Outcome> {
        self.data.lay_out_reads(0);
        let (db, data) = (self.db()?, &self.data);
        let (mut sum, mut expected) = (0, 0);
        for number in &data.numbers {
            expected += data.expected(u64::from(*number))?;
        }
        let clock = Clock::start();
        for op in data.ops() {
            let value = block_on(db.get_with(&self.read, &op.key))?.ok_or("a key is missing")?;
            sum += sample(&value)?;
        }
        let outcome = clock.stop(data.numbers.len() as u64);
        check(sum, expected)?;
        Ok(outcome)
    }

    fn missing_gets(&mut self) -> Answer<Outcome> {
        self.data.lay_out_reads(1);
        let (db, data) = (self.db()?, &self.data);
        let mut missing = 0;
        let clock = Clock::start();
        for op in data.ops() {
            missing += u64::from(block_on(db.get_with(&self.read, &op.key))?.is_none());
        }
        let outcome = clock.stop(data.numbers.len() as u64);
        check(missing, data.numbers.len() as u64)?;
        Ok(outcome)
    }

    fn scan(&mut self, reverse: bool) -> Answer<Outcome> {
        let (db, data) = (self.db()?, &self.data);
        let (mut sum, mut expected, mut count) = (0, 0, 0);
        for number in 0..self.n {
            expected += Data::last_digit(number) + data.expected(number)?;
        }
        let clock = Clock::start();
        for _ in 0..SCAN_PASSES {
            let mut it = db.iter(&self.read)?;
            let mut valid = if reverse { block_on(it.seek_to_last())? } else { block_on(it.seek_to_first())? };
            while valid {
                sum += u64::from(it.key()[KEY - 1]) + sample(it.value())?;
                count += 1;
                valid = if reverse { block_on(it.prev())? } else { block_on(it.next())? };
            }
        }
        let outcome = clock.stop(count);
        check(count, SCAN_PASSES * self.n)?;
        check(sum, SCAN_PASSES * expected)?;
        Ok(outcome)
    }

    fn seeks(&mut self) -> Answer<Outcome> {
        self.data.lay_out_reads(0);
        let (db, data) = (self.db()?, &self.data);
        let (mut sum, mut expected) = (0, 0);
        for number in &data.numbers {
            for k in u64::from(*number)..u64::from(*number) + SEEK_NEXTS {
                expected += Data::last_digit(k) + data.expected(k)?;
            }
        }
        let clock = Clock::start();
        for op in data.ops() {
            let mut it = db.iter(&self.read)?;
            let mut valid = block_on(it.seek(&op.key))?;
            for _ in 0..SEEK_NEXTS {
                if !valid {
                    break;
                }
                sum += u64::from(it.key()[KEY - 1]) + sample(it.value())?;
                valid = block_on(it.next())?;
            }
        }
        let outcome = clock.stop(data.numbers.len() as u64);
        check(sum, expected)?;
        Ok(outcome)
    }

    fn compact(&mut self) -> Answer<Outcome> {
        let db = self.db()?;
        let clock = Clock::start();
        block_on(db.compact_range(None, None))?;
        Ok(clock.stop(1))
    }

    fn disk_bytes(&self) -> Answer<u64> {
        let mut sum = 0;
        for entry in std::fs::read_dir(&self.dir)? {
            sum += entry?.metadata()?.len();
        }
        Ok(sum)
    }

    /// Runs background work, as a host does, until none is left.
    fn settle(&self) -> Answer {
        while block_on(self.db()?.background(SETTLE_SLICE))? {}
        Ok(())
    }
}

// ---- Protocol ----

fn answer(bench: &mut Bench, line: &str) -> Answer<String> {
    let name = match line.strip_prefix("run ") {
        Some(name) => name,
        None if line == "stats" => {
            eprintln!("{}", bench.db()?.property("leveldb.stats").unwrap_or_default());
            return Ok("{}".into());
        }
        None => return Err("unknown command".into()),
    };
    let outcome = bench.run(name)?;
    let clock = Clock::start();
    bench.settle()?;
    let settled = clock.stop(0);
    let mut out = String::new();
    write!(out, "{{\"ops\":{},\"seconds\":{:.6},\"cpu_seconds\":{:.3},", outcome.ops, outcome.seconds, outcome.cpu)?;
    write!(out, "\"settle_seconds\":{:.3},\"settle_cpu_seconds\":{:.3},", settled.seconds, settled.cpu)?;
    write!(out, "\"disk_bytes\":{},\"rss_kb\":{},", bench.disk_bytes()?, status_kb("VmRSS"))?;
    write!(out, "\"peak_rss_kb\":{}{}}}", status_kb("VmHWM"), outcome.more)?;
    Ok(out)
}

fn main() -> Answer {
    let arguments: Vec<String> = std::env::args().skip(1).skip_while(|word| word == "--").collect();
    let [root, n, sustained, seed, verify] = &arguments[..] else {
        return Err("usage: bench_native [--] ROOT N SUSTAINED SEED default|on|off".into());
    };
    let (n, sustained): (u64, u64) = (n.parse()?, sustained.parse()?);
    let mut read = ReadOptions::default();
    read.verify_checksums = if verify == "default" { read.verify_checksums } else { verify == "on" };
    let data = Data::new(n.max(sustained) as usize, seed.parse()?);
    let (root, dir) = (root.clone(), String::new());
    let mut bench = Bench { root, dir, n, sustained, generation: 0, data, read, db: None };
    let version = env!("CARGO_PKG_VERSION");
    let verify = bench.read.verify_checksums;
    println!("{{\"engine\":\"Varve {version}\",\"verify_checksums\":{verify},\"rss_kb\":{}}}", status_kb("VmRSS"));
    for line in std::io::stdin().lock().lines() {
        match answer(&mut bench, &line?) {
            Ok(text) => println!("{text}"),
            Err(error) => println!("{{\"error\":\"{error}\"}}"),
        }
        std::io::stdout().flush()?;
    }
    bench.drop_database()
}
