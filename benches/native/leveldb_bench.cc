// C++ LevelDB's side of `npm run bench:native`. examples/bench_native.rs is Varve's side, with the same
// data, workloads and protocol.
//
//   g++ -O2 -DNDEBUG -std=c++17 leveldb_bench.cc -lleveldb -lsnappy -lpthread -o leveldb_bench
//   leveldb_bench ROOT N SUSTAINED SEED VERIFY        VERIFY: default, on or off (checksums of blocks read)
//
// Prints one JSON line when its data is prepared, then one for each line on stdin: `run WORKLOAD`,
// `stats`.
//
// Data
//   Random numbers are splitmix64. A blob of 1 MiB consists of pieces of 50 random printable bytes, each
//   followed by the same 50 bytes; a value is 100 bytes of it, from
//   (7919 * number + 104729 * version) mod (1 MiB - 100).
//   The key of `number` is 2 * number in 16 decimal digits; odd keys are missing.
//   Keys and value positions of a workload are prepared before its clock starts, in memory that was
//   written before the baseline of resident memory was measured.
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using leveldb::Slice;

constexpr uint64_t kBlob = 1 << 20, kValue = 100, kKey = 16;
constexpr int kScanPasses = 3, kSeekNexts = 10;

// ---- Measurements ----

static uint64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
static double CpuSeconds() {
  rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}
static uint64_t StatusKb(const std::string& field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.rfind(field + ":", 0) == 0) return std::stoull(line.substr(field.size() + 1));
  return 0;
}
// Background threads are idle when they have used no processor time for two windows of 30 ms. Returns
// the start of these windows.
static double SettleSeconds() {
  uint64_t start = NowNs(), idle_since = start;
  for (int quiet = 0; quiet < 2;) {
    double cpu = CpuSeconds();
    usleep(30000);
    quiet = CpuSeconds() - cpu < 0.002 ? quiet + 1 : 0;
    if (quiet == 0) idle_since = NowNs();
  }
  return (idle_since - start) / 1e9;
}

// Latencies in buckets of 1/64 of a power of two of nanoseconds.
class Histogram {
 public:
  void Add(uint64_t ns) {
    counts_[Bucket(ns)]++;
    total_++;
    max_ = std::max(max_, ns);
    over_1ms_ += ns > 1000000;
  }
  std::string Json() const {
    char out[200];
    snprintf(out, sizeof out, ",\"p50_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f,\"max_us\":%.3f,\"over_1ms\":%llu", Quantile(.5),
             Quantile(.99), Quantile(.999), max_ / 1e3, (unsigned long long)over_1ms_);
    return out;
  }

 private:
  static int Bucket(uint64_t ns) {
    if (ns < 64) return ns;
    int shift = 63 - __builtin_clzll(ns) - 6;
    return (shift + 1) * 64 + ((ns >> shift) & 63);
  }
  static uint64_t UpperBound(int bucket) {
    if (bucket < 64) return bucket;
    return uint64_t(64 + bucket % 64 + 1) << (bucket / 64 - 1);
  }
  double Quantile(double q) const {
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); i++)
      if ((seen += counts_[i]) >= q * total_) return std::min(UpperBound(i), max_) / 1e3;
    return max_ / 1e3;
  }
  std::vector<uint64_t> counts_ = std::vector<uint64_t>(64 * 60);
  uint64_t total_ = 0, max_ = 0, over_1ms_ = 0;
};

// ---- Data ----

static uint64_t Mix(uint64_t z) {
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}
struct SplitMix64 {
  uint64_t state;
  uint64_t Next() { return Mix(state += 0x9E3779B97F4A7C15u); }
};

static uint64_t Sample(Slice value) {
  if (value.size() != kValue) throw std::runtime_error("a value has the wrong length");
  auto at = [&](size_t i) -> uint64_t { return static_cast<unsigned char>(value[i]); };
  return at(0) + (at(kValue / 2) << 8) + (at(kValue - 1) << 16);
}

struct Op {
  char key[kKey];
  uint32_t value;
  Slice Key() const { return Slice(key, kKey); }
};

struct Data {
  uint64_t seed;
  std::string blob;
  std::vector<Op> ops;            // of the current workload
  std::vector<uint32_t> numbers;  // their numbers, in order
  std::vector<uint8_t> version;   // the model: the expected content

  Data(uint64_t capacity, uint64_t s) : seed(s), blob(kBlob, 0), ops(capacity), numbers(capacity), version(capacity) {
    SplitMix64 random{seed};
    for (uint64_t i = 0; i < kBlob; i++) blob[i] = i % kValue < kValue / 2 ? 32 + random.Next() % 95 : blob[i - kValue / 2];
    memset(static_cast<void*>(ops.data()), 1, capacity * sizeof(Op));
  }
  uint32_t ValueAt(uint64_t number, uint64_t version) const { return (7919 * number + 104729 * version) % (kBlob - kValue); }
  Slice Value(uint32_t at) const { return Slice(blob.data() + at, kValue); }
  uint64_t Expected(uint64_t number) const { return Sample(Value(ValueAt(number, version[number]))); }
  static uint64_t LastDigit(uint64_t number) { return '0' + 2 * number % 10; }

  void Sequence(uint64_t n) {
    numbers.resize(n);
    std::iota(numbers.begin(), numbers.end(), 0);
  }
  void Permutation(uint64_t n, uint64_t salt) {
    Sequence(n);
    SplitMix64 random{Mix(seed + salt)};
    for (uint64_t i = n - 1; i > 0; i--) std::swap(numbers[i], numbers[random.Next() % (i + 1)]);
  }
  void Uniform(uint64_t count, uint64_t below, uint64_t salt) {
    numbers.resize(count);
    SplitMix64 random{Mix(seed + salt)};
    for (auto& number : numbers) number = random.Next() % below;
  }
  void LayOut(uint64_t i, uint64_t key, uint32_t value) {
    for (int digit = kKey - 1; digit >= 0; digit--, key /= 10) ops[i].key[digit] = '0' + key % 10;
    ops[i].value = value;
  }
  void LayOutPuts() {
    for (uint64_t i = 0; i < numbers.size(); i++) {
      uint64_t number = numbers[i];
      LayOut(i, 2 * number, ValueAt(number, ++version[number]));
    }
  }
  void LayOutReads(uint64_t add) {
    for (uint64_t i = 0; i < numbers.size(); i++) LayOut(i, 2 * uint64_t(numbers[i]) + add, 0);
  }
};

// ---- Workloads ----

struct Result {
  uint64_t ops = 0;
  double seconds = 0, cpu = 0;
  std::string more;
};

class Clock {
 public:
  Result Stop(uint64_t ops) const { return {ops, (NowNs() - start_) / 1e9, CpuSeconds() - cpu_, ""}; }

 private:
  double cpu_ = CpuSeconds();
  uint64_t start_ = NowNs();
};

static void Must(const leveldb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}
static void Check(uint64_t found, uint64_t expected) {
  if (found != expected) throw std::runtime_error("wrong data read");
}

class Bench {
 public:
  Bench(const std::string& root, uint64_t n, uint64_t sustained, uint64_t seed, const std::string& verify)
      : root_(root), n_(n), sustained_(sustained), data_(std::max(n, sustained), seed) {
    read_.verify_checksums = verify == "on";
    options_.create_if_missing = true;
    options_.write_buffer_size = 4 << 20;
    options_.block_cache = cache_.get();
    options_.block_size = 4 << 10;
    options_.block_restart_interval = 16;
    options_.max_file_size = 2 << 20;
    options_.compression = leveldb::kSnappyCompression;
    options_.filter_policy = bloom_.get();
  }
  ~Bench() { Drop(); }

  Result Run(const std::string& name) {
    if (name == "fillseq") return Fresh(), data_.Sequence(n_), Puts(false);
    if (name == "fillrandom") return Fresh(), data_.Permutation(n_, 1), Puts(false);
    if (name == "sustained") return Fresh(), data_.Permutation(sustained_, 2), Puts(true);
    if (!db_) throw std::runtime_error("no database is open");
    if (name == "overwrite") return data_.Uniform(n_, n_, 3), Puts(false);
    if (name == "readrandom") return data_.Uniform(n_, n_, 4), Gets();
    if (name == "readmissing") return data_.Uniform(n_, n_, 5), MissingGets();
    if (name == "readseq") return Scan(false);
    if (name == "readreverse") return Scan(true);
    if (name == "seekrandom") return data_.Uniform(n_ / 4, n_ - kSeekNexts, 6), Seeks();
    if (name == "compact") return Compact();
    throw std::runtime_error("unknown workload " + name);
  }
  std::string Stats() {
    std::string text;
    if (db_) db_->GetProperty("leveldb.stats", &text);
    return text;
  }
  uint64_t DiskBytes() const {
    uint64_t sum = 0;
    for (auto& entry : fs::directory_iterator(dir_)) sum += entry.file_size();
    return sum;
  }

 private:
  void Drop() {
    if (!db_) return;
    db_.reset();
    fs::remove_all(dir_);
  }
  void Fresh() {
    Drop();
    dir_ = root_ + "/db" + std::to_string(generation_++);
    fs::create_directories(root_);
    leveldb::DB* db;
    Must(leveldb::DB::Open(options_, dir_, &db));
    db_.reset(db);
    std::fill(data_.version.begin(), data_.version.end(), 0);
  }
  Result Puts(bool with_latency) {
    data_.LayOutPuts();
    return with_latency ? TimedPuts() : PlainPuts();
  }
  Result PlainPuts() {
    leveldb::WriteOptions write;
    Clock clock;
    for (uint64_t i = 0; i < data_.numbers.size(); i++) {
      const Op& op = data_.ops[i];
      Must(db_->Put(write, op.Key(), data_.Value(op.value)));
    }
    return clock.Stop(data_.numbers.size());
  }
  Result TimedPuts() {
    leveldb::WriteOptions write;
    Histogram histogram;
    Clock clock;
    uint64_t before = NowNs();
    for (uint64_t i = 0; i < data_.numbers.size(); i++) {
      const Op& op = data_.ops[i];
      Must(db_->Put(write, op.Key(), data_.Value(op.value)));
      uint64_t now = NowNs();
      histogram.Add(now - before);
      before = now;
    }
    Result result = clock.Stop(data_.numbers.size());
    result.more = histogram.Json();
    return result;
  }
  Result Gets() {
    data_.LayOutReads(0);
    std::string value;
    uint64_t sum = 0, expected = 0;
    for (auto number : data_.numbers) expected += data_.Expected(number);
    Clock clock;
    for (uint64_t i = 0; i < data_.numbers.size(); i++) {
      Must(db_->Get(read_, data_.ops[i].Key(), &value));
      sum += Sample(value);
    }
    Result result = clock.Stop(data_.numbers.size());
    Check(sum, expected);
    return result;
  }
  Result MissingGets() {
    data_.LayOutReads(1);
    std::string value;
    uint64_t missing = 0;
    Clock clock;
    for (uint64_t i = 0; i < data_.numbers.size(); i++) missing += db_->Get(read_, data_.ops[i].Key(), &value).IsNotFound();
    Result result = clock.Stop(data_.numbers.size());
    Check(missing, data_.numbers.size());
    return result;
  }
  Result Scan(bool reverse) {
    uint64_t sum = 0, expected = 0, count = 0;
    for (uint64_t i = 0; i < n_; i++) expected += data_.LastDigit(i) + data_.Expected(i);
    Clock clock;
    for (int pass = 0; pass < kScanPasses; pass++) {
      std::unique_ptr<leveldb::Iterator> it(db_->NewIterator(read_));
      for (reverse ? it->SeekToLast() : it->SeekToFirst(); it->Valid(); reverse ? it->Prev() : it->Next()) {
        sum += static_cast<unsigned char>(it->key()[kKey - 1]) + Sample(it->value());
        count++;
      }
      Must(it->status());
    }
    Result result = clock.Stop(count);
    Check(count, kScanPasses * n_);
    Check(sum, kScanPasses * expected);
    return result;
  }
  Result Seeks() {
    data_.LayOutReads(0);
    uint64_t sum = 0, expected = 0;
    for (auto number : data_.numbers)
      for (int k = 0; k <= kSeekNexts; k++) expected += k < kSeekNexts ? data_.LastDigit(number + k) + data_.Expected(number + k) : 0;
    Clock clock;
    for (uint64_t i = 0; i < data_.numbers.size(); i++) {
      std::unique_ptr<leveldb::Iterator> it(db_->NewIterator(read_));
      it->Seek(data_.ops[i].Key());
      for (int k = 0; k < kSeekNexts && it->Valid(); k++, it->Next())
        sum += static_cast<unsigned char>(it->key()[kKey - 1]) + Sample(it->value());
      Must(it->status());
    }
    Result result = clock.Stop(data_.numbers.size());
    Check(sum, expected);
    return result;
  }
  Result Compact() {
    Clock clock;
    db_->CompactRange(nullptr, nullptr);
    return clock.Stop(1);
  }

  std::string root_, dir_;
  uint64_t n_, sustained_;
  int generation_ = 0;
  Data data_;
  leveldb::Options options_;
  leveldb::ReadOptions read_;
  std::unique_ptr<leveldb::Cache> cache_{leveldb::NewLRUCache(8 << 20)};
  std::unique_ptr<const leveldb::FilterPolicy> bloom_{leveldb::NewBloomFilterPolicy(10)};
  std::unique_ptr<leveldb::DB> db_;
};

// ---- Protocol ----

static void RunAndPrint(Bench& bench, const std::string& name) {
  Result result = bench.Run(name);
  double cpu = CpuSeconds(), settle = SettleSeconds(), settle_cpu = CpuSeconds() - cpu;
  printf("{\"ops\":%llu,\"seconds\":%.6f,\"cpu_seconds\":%.3f,\"settle_seconds\":%.3f,\"settle_cpu_seconds\":%.3f,",
         (unsigned long long)result.ops, result.seconds, result.cpu, settle, settle_cpu);
  printf("\"disk_bytes\":%llu,\"rss_kb\":%llu,\"peak_rss_kb\":%llu%s}\n", (unsigned long long)bench.DiskBytes(),
         (unsigned long long)StatusKb("VmRSS"), (unsigned long long)StatusKb("VmHWM"), result.more.c_str());
}

int main(int argc, char** argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: leveldb_bench ROOT N SUSTAINED SEED default|on|off\n");
    return 2;
  }
  Bench bench(argv[1], std::stoull(argv[2]), std::stoull(argv[3]), std::stoull(argv[4]), argv[5]);
  bool verify = std::string(argv[5]) == "on";
  printf("{\"engine\":\"LevelDB %d.%d\",\"verify_checksums\":%s,\"rss_kb\":%llu}\n", leveldb::kMajorVersion, leveldb::kMinorVersion,
         verify ? "true" : "false", (unsigned long long)StatusKb("VmRSS"));
  fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    try {
      if (line.rfind("run ", 0) == 0) RunAndPrint(bench, line.substr(4));
      else if (line == "stats") fprintf(stderr, "%s\n", bench.Stats().c_str()), printf("{}\n");
      else throw std::runtime_error("unknown command");
    } catch (const std::exception& error) {
      printf("{\"error\":\"%s\"}\n", error.what());
    }
    fflush(stdout);
  }
}
