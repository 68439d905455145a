// C++ LevelDB as the other side of the interoperability tests.
//
//   g++ -O2 -std=c++17 peer.cc -lleveldb -lsnappy -lpthread -o peer
//
//   peer digest  DIR [--gets]    iterate everything, print {"entries":n,"sha256":"..."}
//                                --gets: also get every 7th key, through the Bloom filters, and compare
//   peer write   DIR --seed S --count N [--after S:N]... [--acks]
//                                run workload W, print entries and digest of an in-memory model (not of the database);
//                                --after: workloads the directory already holds; --acks: "acked N" every 100 operations
//   peer prefix  DIR --seed S --count N [--after S:N]...
//                                is the database W stopped between two commits? {"first":a,"last":b}: operations done
//   peer compact DIR | destroy DIR | repair DIR
//   peer hold    DIR             open, print "held", wait for the end of stdin
//   peer trylock DIR             print "opened" (exit 0) or "locked: message" (exit 3)
//
// Options: --write-buffer B --max-file-size B --block-size B --restart N --compression none|snappy --bloom N
//          --reuse-logs --paranoid --verify --comparator bytewise|reverse|length-first
// Anything that fails prints {"error":"..."} and exits 2.
//
// The digest is SHA-256 over the entries in iteration order: u32le key length, key, u32le value length, value.
//
// Workload W(seed, count)
// =======================
// peer.cc, peer.mjs and examples/interop.rs must produce the same operations. All numbers are u64, arithmetic wraps,
// division rounds down.
//
//   mix(z):   z = (z ^ z>>30) * 0xBF58476D1CE4E5B9;  z = (z ^ z>>27) * 0x94D049BB133111EB;  return z ^ z>>31
//   next():   state += 0x9E3779B97F4A7C15;  return mix(state)                        (splitmix64)
//
//   run:      state = seed;  keys = max(1, count / 2);  done = 0
//             while done < count:
//               size = 1
//               if next() % 235 == 0:  size = min(2 + next() % 49, count - done)     (10 % of the operations)
//               `size` times:  add operation(done) to a group;  done += 1
//               commit the group as one write batch; with sync if done == count
//
//   operation(n):
//             k = next() % keys;  r = next()
//             if count >= 1000 and n is count/4, count/2 or count/4*3:  put, length 4194304
//             else if r % 10 == 0:                                      delete
//             else if (r >> 8) % 1000 == 0:                             put, length 301 + (r >> 32) % 99700
//             else:                                                     put, length (r >> 32) % 301
//             of key(k) and value(n, length)
//
//   key(k):   h = mix(seed ^ mix(k + 1))
//             h % 3 == 0:  the first min(8, (h >> 8) % 64) bytes of mix(h), little-endian      (so the empty key too)
//             h % 3 == 1:  k in decimal
//             h % 3 == 2:  "shared-prefix/" five times, the digit k % 10, "/", h as 8 bytes big-endian
//
//   value(n, length):
//             a splitmix64 generator with state = mix(seed + mix(n)); each 64 bytes of the value are four words from
//             it, little-endian, and the same four words again; the last piece is cut.
#include <leveldb/cache.h>
#include <leveldb/comparator.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

using leveldb::Slice;

// ---- SHA-256 (FIPS 180-4) ----

class Sha256 {
 public:
  using Digest = std::array<uint8_t, 32>;

  void Add(const void* data, size_t size) {
    auto p = static_cast<const uint8_t*>(data);
    total_ += size;
    while (size > 0) {
      size_t part = std::min(size, sizeof block_ - used_);
      memcpy(block_ + used_, p, part);
      used_ += part, p += part, size -= part;
      if (used_ == sizeof block_) Compress(), used_ = 0;
    }
  }
  void AddSized(const Slice& s) {
    uint32_t n = s.size();
    uint8_t le[4] = {uint8_t(n), uint8_t(n >> 8), uint8_t(n >> 16), uint8_t(n >> 24)};
    Add(le, 4);
    Add(s.data(), s.size());
  }
  Digest Finish() {
    uint64_t bits = total_ * 8;
    Add("\x80", 1);
    while (used_ != 56) Add("\0", 1);
    for (int i = 7; i >= 0; i--) {
      uint8_t b = bits >> (8 * i);
      Add(&b, 1);
    }
    Digest d;
    for (int i = 0; i < 32; i++) d[i] = h_[i / 4] >> (24 - 8 * (i % 4));
    return d;
  }
  std::string Hex() {
    std::string out;
    char two[3];
    for (uint8_t b : Finish()) snprintf(two, sizeof two, "%02x", b), out += two;
    return out;
  }

 private:
  static uint32_t Rot(uint32_t x, int n) { return x >> n | x << (32 - n); }
  void Compress() {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
      w[i] = uint32_t(block_[4 * i]) << 24 | block_[4 * i + 1] << 16 | block_[4 * i + 2] << 8 | block_[4 * i + 3];
    for (int i = 16; i < 64; i++) {
      uint32_t a = w[i - 15], b = w[i - 2];
      w[i] = w[i - 16] + (Rot(a, 7) ^ Rot(a, 18) ^ a >> 3) + w[i - 7] + (Rot(b, 17) ^ Rot(b, 19) ^ b >> 10);
    }
    memcpy(s, h_, sizeof s);
    for (int i = 0; i < 64; i++) {
      uint32_t a = s[0], e = s[4];
      uint32_t t1 = s[7] + (Rot(e, 6) ^ Rot(e, 11) ^ Rot(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + kRound[i] + w[i];
      uint32_t t2 = (Rot(a, 2) ^ Rot(a, 13) ^ Rot(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
      memmove(s + 1, s, 7 * sizeof s[0]);
      s[4] += t1;
      s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h_[i] += s[i];
  }

  static const uint32_t kRound[64];
  uint32_t h_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint8_t block_[64];
  size_t used_ = 0;
  uint64_t total_ = 0;
};

const uint32_t Sha256::kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// ---- Workload W ----

static uint64_t Mix(uint64_t z) {
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

struct SplitMix64 {
  uint64_t state;
  uint64_t Next() { return Mix(state += 0x9E3779B97F4A7C15u); }
};

// A value as the numbers that generate it, so that the model of a large database stays small.
struct ValueName {
  uint64_t seed, op, length;
  std::string Bytes() const {
    SplitMix64 random{Mix(seed + Mix(op))};
    std::string out(length, 0);
    for (size_t at = 0; at < length; at += 64) {
      uint8_t piece[64];
      for (int i = 0; i < 32; i += 8) {
        uint64_t word = random.Next();
        for (int j = 0; j < 8; j++) piece[i + j] = piece[i + j + 32] = word >> (8 * j);
      }
      memcpy(&out[at], piece, std::min<size_t>(64, length - at));
    }
    return out;
  }
};

struct Operation {
  std::string key;
  bool is_put;
  ValueName value;
};

struct Workload {
  uint64_t seed, count;

  std::string Key(uint64_t k) const {
    uint64_t h = Mix(seed ^ Mix(k + 1));
    std::string out;
    if (h % 3 == 0) {
      for (uint64_t i = 0, word = Mix(h); i < std::min<uint64_t>(8, (h >> 8) % 64); i++, word >>= 8) out += char(word);
    } else if (h % 3 == 1) {
      out = std::to_string(k);
    } else {
      for (int i = 0; i < 5; i++) out += "shared-prefix/";
      out += std::to_string(k % 10) + "/";
      for (int i = 7; i >= 0; i--) out += char(h >> (8 * i));
    }
    return out;
  }
  Operation Draw(SplitMix64& random, uint64_t n) const {
    uint64_t k = random.Next() % std::max<uint64_t>(1, count / 2), r = random.Next(), length = (r >> 32) % 301;
    bool huge = count >= 1000 && (n == count / 4 || n == count / 2 || n == count / 4 * 3);
    if (huge) length = 4 << 20;
    else if ((r >> 8) % 1000 == 0) length = 301 + (r >> 32) % 99700;
    return {Key(k), huge || r % 10 != 0, {seed, n, length}};
  }
  // Calls back with each group of operations and the number of operations up to its end.
  void Run(const std::function<void(const std::vector<Operation>&, uint64_t)>& commit) const {
    SplitMix64 random{seed};
    std::vector<Operation> group;
    for (uint64_t done = 0; done < count; group.clear()) {
      uint64_t size = 1;
      if (random.Next() % 235 == 0) size = std::min(2 + random.Next() % 49, count - done);
      while (size-- > 0) group.push_back(Draw(random, done++));
      commit(group, done);
    }
  }
};

// ---- Comparators of the corpus ----

struct PlainComparator : leveldb::Comparator {  // keys of index blocks are never shortened
  void FindShortestSeparator(std::string*, const Slice&) const override {}
  void FindShortSuccessor(std::string*) const override {}
};
struct ReverseBytewise : PlainComparator {
  const char* Name() const override { return "corpus.ReverseBytewise"; }
  int Compare(const Slice& a, const Slice& b) const override { return b.compare(a); }
};
struct LengthFirst : PlainComparator {
  const char* Name() const override { return "corpus.LengthFirst"; }
  int Compare(const Slice& a, const Slice& b) const override {
    return a.size() != b.size() ? (a.size() < b.size() ? -1 : 1) : a.compare(b);
  }
};

static const leveldb::Comparator* ComparatorByName(const std::string& name) {
  static const ReverseBytewise reverse;
  static const LengthFirst length_first;
  if (name == "bytewise") return leveldb::BytewiseComparator();
  if (name == "reverse") return &reverse;
  if (name == "length-first") return &length_first;
  throw std::runtime_error("unknown comparator " + name);
}

// ---- Command line ----

struct Arguments {
  std::string command, dir;
  Workload workload{0, 0};
  std::vector<Workload> after;
  bool acks = false, gets = false;
  leveldb::Options options;
  leveldb::ReadOptions read;
  std::unique_ptr<const leveldb::FilterPolicy> bloom;

  Arguments(int argc, char** argv) {
    if (argc < 3) throw std::runtime_error("usage: peer digest|write|prefix|compact|destroy|repair|hold|trylock DIR [options]");
    command = argv[1];
    dir = argv[2];
    for (at_ = 3; at_ < argc; at_++) Parse(argc, argv, argv[at_]);
    options.create_if_missing = command == "write" || command == "hold" || command == "trylock";
    read.fill_cache = false;
  }

 private:
  int at_;
  void Parse(int argc, char** argv, const std::string& flag) {
    auto text = [&] {
      if (++at_ >= argc) throw std::runtime_error(flag + " needs a value");
      return std::string(argv[at_]);
    };
    auto number = [&] { return std::stoull(text()); };
    if (flag == "--seed") workload.seed = number();
    else if (flag == "--count") workload.count = number();
    else if (flag == "--after") after.push_back(ParseWorkload(text()));
    else if (flag == "--acks") acks = true;
    else if (flag == "--gets") gets = true;
    else if (flag == "--paranoid") options.paranoid_checks = true;
    else if (flag == "--verify") read.verify_checksums = true;
    else if (flag == "--reuse-logs") options.reuse_logs = true;
    else if (flag == "--write-buffer") options.write_buffer_size = number();
    else if (flag == "--max-file-size") options.max_file_size = number();
    else if (flag == "--block-size") options.block_size = number();
    else if (flag == "--restart") options.block_restart_interval = number();
    else if (flag == "--compression") options.compression = text() == "none" ? leveldb::kNoCompression : leveldb::kSnappyCompression;
    else if (flag == "--comparator") options.comparator = ComparatorByName(text());
    else if (flag == "--bloom") SetBloom(number());
    else throw std::runtime_error("unknown option " + flag);
  }
  static Workload ParseWorkload(const std::string& text) {
    size_t colon = text.find(':');
    if (colon == std::string::npos) throw std::runtime_error("--after wants SEED:COUNT");
    return {std::stoull(text.substr(0, colon)), std::stoull(text.substr(colon + 1))};
  }
  void SetBloom(int bits) {
    bloom.reset(bits > 0 ? leveldb::NewBloomFilterPolicy(bits) : nullptr);
    options.filter_policy = bloom.get();
  }
};

static void Must(const leveldb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}
static std::unique_ptr<leveldb::DB> Open(const Arguments& args) {
  leveldb::DB* db = nullptr;
  Must(leveldb::DB::Open(args.options, args.dir, &db));
  return std::unique_ptr<leveldb::DB>(db);
}
static void ForEach(leveldb::DB& db, const leveldb::ReadOptions& read, const std::function<void(Slice, Slice)>& visit) {
  std::unique_ptr<leveldb::Iterator> it(db.NewIterator(read));
  for (it->SeekToFirst(); it->Valid(); it->Next()) visit(it->key(), it->value());
  Must(it->status());
}

// ---- Commands ----

static void Digest(const Arguments& args) {
  Sha256 sha;
  uint64_t entries = 0;
  auto db = Open(args);
  ForEach(*db, args.read, [&](Slice key, Slice value) {
    sha.AddSized(key), sha.AddSized(value);
    std::string got;
    if (entries++ % 7 > 0 || !args.gets) return;
    Must(db->Get(args.read, key, &got));
    if (value != got) throw std::runtime_error("get and iterator differ");
  });
  printf("{\"entries\":%llu,\"sha256\":\"%s\"}\n", (unsigned long long)entries, sha.Hex().c_str());
}

struct KeyOrder {
  const leveldb::Comparator* comparator;
  bool operator()(const std::string& a, const std::string& b) const { return comparator->Compare(a, b) < 0; }
};
using Model = std::map<std::string, ValueName, KeyOrder>;

static void Apply(Model& model, const std::vector<Operation>& group) {
  for (auto& op : group) {
    if (op.is_put) model[op.key] = op.value;
    else model.erase(op.key);
  }
}

static void Write(const Arguments& args) {
  Model model(KeyOrder{args.options.comparator});
  for (auto& before : args.after) before.Run([&](auto& group, uint64_t) { Apply(model, group); });
  auto db = Open(args);
  uint64_t acked = 0;
  args.workload.Run([&](auto& group, uint64_t done) {
    leveldb::WriteBatch batch;
    for (auto& op : group) {
      if (op.is_put) batch.Put(op.key, op.value.Bytes());
      else batch.Delete(op.key);
    }
    leveldb::WriteOptions write;
    write.sync = done == args.workload.count;
    Must(db->Write(write, &batch));
    Apply(model, group);
    if (args.acks && done / 100 > acked / 100) printf("acked %llu\n", (unsigned long long)done), fflush(stdout);
    acked = done;
  });
  Sha256 sha;
  for (auto& [key, value] : model) sha.AddSized(key), sha.AddSized(value.Bytes());
  printf("{\"entries\":%zu,\"sha256\":\"%s\"}\n", model.size(), sha.Hex().c_str());
}

// Counts the keys whose values differ between database and model while the workload is replayed. The
// database is a prefix of the workload if the count reaches 0.
static void Prefix(const Arguments& args) {
  struct Cell {
    bool in_database = false, in_model = false, same_value = false;
    uint64_t length = 0;
    Sha256::Digest digest{};
    bool Differs() const { return in_database != in_model || (in_database && !same_value); }
  };
  auto digest = [](Slice s) {
    Sha256 sha;
    sha.Add(s.data(), s.size());
    return sha.Finish();
  };
  std::unordered_map<std::string, Cell> cells;
  ForEach(*Open(args), args.read, [&](Slice key, Slice value) {
    Cell& cell = cells[key.ToString()];
    cell.in_database = true, cell.length = value.size(), cell.digest = digest(value);
  });
  uint64_t entries = cells.size(), differences = entries;
  auto replay = [&](const std::vector<Operation>& group) {
    for (auto& op : group) {
      Cell& cell = cells[op.key];
      differences -= cell.Differs();
      cell.in_model = op.is_put;
      cell.same_value = op.is_put && cell.in_database && cell.length == op.value.length && cell.digest == digest(op.value.Bytes());
      differences += cell.Differs();
    }
  };
  for (auto& before : args.after) before.Run([&](auto& group, uint64_t) { replay(group); });
  bool found = differences == 0;
  uint64_t first = 0, last = 0;
  args.workload.Run([&](auto& group, uint64_t done) {
    replay(group);
    if (differences != 0) return;
    if (!found) first = done;
    found = true, last = done;
  });
  if (!found) throw std::runtime_error("the database is not a prefix of the workload (" + std::to_string(entries) + " entries)");
  printf("{\"first\":%llu,\"last\":%llu,\"entries\":%llu}\n", (unsigned long long)first, (unsigned long long)last,
         (unsigned long long)entries);
}

static void Hold(const Arguments& args) {
  auto db = Open(args);
  puts("held");
  fflush(stdout);
  while (std::cin.get() != EOF) {
  }
}

static int TryLock(const Arguments& args) {
  leveldb::DB* db = nullptr;
  auto status = leveldb::DB::Open(args.options, args.dir, &db);
  std::unique_ptr<leveldb::DB> owner(db);
  if (!status.ok() && status.ToString().find("lock ") == std::string::npos) Must(status);
  puts(status.ok() ? "opened" : ("locked: " + status.ToString()).c_str());
  return status.ok() ? 0 : 3;
}

static int Run(const Arguments& args) {
  if (args.command == "digest") Digest(args);
  else if (args.command == "write") Write(args);
  else if (args.command == "prefix") Prefix(args);
  else if (args.command == "compact") Open(args)->CompactRange(nullptr, nullptr), puts("{}");
  else if (args.command == "destroy") Must(leveldb::DestroyDB(args.dir, args.options)), puts("{}");
  else if (args.command == "repair") Must(leveldb::RepairDB(args.dir, args.options)), puts("{}");
  else if (args.command == "hold") Hold(args);
  else if (args.command == "trylock") return TryLock(args);
  else throw std::runtime_error("unknown command " + args.command);
  return 0;
}

static std::string JsonString(const std::string& text) {
  std::string out = "\"";
  char code[8];
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') out += '\\', out += c;
    else if (c < 32) snprintf(code, sizeof code, "\\u%04x", c), out += code;
    else out += c;
  }
  return out + "\"";
}

int main(int argc, char** argv) {
  try {
    return Run(Arguments(argc, argv));
  } catch (const std::exception& error) {
    printf("{\"error\":%s}\n", JsonString(error.what()).c_str());
    return 2;
  }
}
