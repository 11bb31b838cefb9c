// SPDX-License-Identifier: Apache-2.0
// The pool's index beside hash maps that do the same: index_bench [MAX_KEYS]
//
// All are fed from one log: entries of 16-byte keys and 64-byte objects, in the order they were
// written. To insert and overwrite is to apply an entry as the merger does: read it, find its key,
// leave the newer version in, and say how many bytes of the log died. The maps hold the key itself
// and the entry's place; the index holds the place alone, and compares keys in the log. To find is
// to get the place and read the entry's version there. One thread.

#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <time.h>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <fmt/format.h>
#include <libcuckoo/cuckoohash_map.hh>

#include "base/random.h"
#include "base/scatter.h"
#include "bench/turns.h"
#include "dpm/index.h"

namespace cirein::bench {
namespace {

using dpm::EntryView;
using dpm::Index;
using dpm::Location;

constexpr std::uint64_t kSegmentBytes = dpm::kDefaultSegmentBytes;
constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kObjectBytes = 64;
constexpr std::size_t kMergeBatch = 1024;

class Memory {
 public:
  explicit Memory(std::uint64_t bytes)
      : bytes_(static_cast<std::byte*>(std::aligned_alloc(dpm::kPage, bytes))) {
    std::memset(bytes_.get(), 0, bytes);
  }
  std::byte* get() const { return bytes_.get(); }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
};

class MemoryRegion final : public Region {
 public:
  MemoryRegion(const Memory& memory, std::uint64_t bytes) : Region("index", bytes) {
    data_ = stores_ = memory.get();
  }
  Status Write(std::uint64_t, std::span<const std::byte>) override { return OkStatus(); }
  Status Persist(std::uint64_t, std::uint64_t, PersistSite) override { return OkStatus(); }
};

using KeyBytes = std::array<char, kKeyBytes>;
KeyBytes KeyOf(std::uint64_t number) {
  KeyBytes key;
  std::memcpy(key.data(), fmt::format("user{:012}", number).data(), kKeyBytes);
  return key;
}
std::string_view View(const KeyBytes& key) { return {key.data(), key.size()}; }
KeyBytes KeyOf(const EntryView& entry) {
  KeyBytes key;
  std::memcpy(key.data(), entry.row().data(), kKeyBytes);
  return key;
}

struct HashKey {
  std::size_t operator()(const KeyBytes& key) const { return Hash64(View(key), 1); }
};

// Every key twice: first in one scattered order, then in another.
class Log {
 public:
  explicit Log(std::uint64_t keys)
      : keys_(keys),
        segments_(2 * keys * kEntryRoom / (kSegmentBytes - dpm::kFirstBatch) + 2),
        memory_(segments_ * kSegmentBytes) {
    Random random(1);
    places_.reserve(2 * keys);
    std::uint64_t end = dpm::kFirstBatch;
    for (std::uint64_t round = 0; round < 2; ++round) {
      std::vector<std::uint32_t> order(keys);
      for (std::uint32_t i = 0; i < keys; ++i) order[i] = i;
      for (std::uint64_t i = keys; i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
      for (const std::uint32_t number : order) end = Append(number, round + 1, end);
    }
  }
  std::uint64_t keys() const { return keys_; }
  std::uint64_t segments() const { return segments_; }
  const std::byte* bytes() const { return memory_.get(); }
  EntryView At(std::uint64_t offset) const { return EntryView::Trust(memory_.get() + offset); }
  // In the order written; the second half overwrites the first.
  const std::vector<std::uint64_t>& places() const { return places_; }

 private:
  static constexpr std::uint64_t kEntryRoom = 128 + 8;

  std::uint64_t Append(std::uint64_t number, std::uint64_t version, std::uint64_t end) {
    static constexpr std::array<std::byte, kObjectBytes> kObject{};
    const KeyBytes key = KeyOf(number);
    dpm::EntryFields fields{.key = KeyView(Bucket(1), View(key))};
    fields.slot = SlotOfRow(View(key));
    fields.version = {1, version};
    fields.data = kObject;
    const std::uint64_t bytes = dpm::EntryBytes(fields);
    if (end % kSegmentBytes == 0 || end % kSegmentBytes + bytes > kSegmentBytes) {
      end = dpm::AlignUp(end, kSegmentBytes) + dpm::kFirstBatch;
    }
    dpm::WriteEntry(fields, 1, end, memory_.get() + end);
    places_.push_back(end);
    return end + bytes;
  }

  std::uint64_t keys_;
  std::uint64_t segments_;
  Memory memory_;
  std::vector<std::uint64_t> places_;
};

// The processor time of this thread: all sides use one, and whatever else runs disturbs less.
double ProcessorTime(const std::function<void()>& work) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
  };
  const double start = now();
  work();
  return now() - start;
}

struct Draw {
  KeyBytes key;
  std::uint16_t slot;
};

// ---- The sides
// -----------------------------------------------------------------------------------

class CireinIndex {
 public:
  explicit CireinIndex(const Log& log)
      : log_(log),
        bytes_(dpm::IndexLayout{log.segments()}.heap() + dpm::AlignUp(Heap(), 4096)),
        memory_(bytes_) {
    index_ = Index::Format(std::make_unique<MemoryRegion>(memory_, bytes_), Options()).value();
    ops_.resize(kMergeBatch);
  }
  void Apply(std::span<const std::uint64_t> places) {
    for (std::size_t first = 0; first < places.size(); first += kMergeBatch) {
      const std::size_t count = std::min(kMergeBatch, places.size() - first);
      for (std::size_t i = 0; i < count; ++i) {
        Index::Op& op = ops_[i];
        op.entry = log_.At(places[first + i]);
        op.location = {places[first + i]};
        op.row_hash = Hash64(op.entry.row(), op.entry.header().bucket);
      }
      const auto superseded = [&](Location, const EntryView& entry) { dead_ += entry.size(); };
      if (index_->Apply({ops_.data(), count}, superseded) != count) std::abort();
      index_->Reclaim();
    }
  }
  std::uint64_t Find(const Draw& draw) const {
    const auto found = index_->Find(KeyView(Bucket(1), View(draw.key)), draw.slot);
    return found ? found->entry.version().counter : 0;
  }
  double BytesPerKey() const {
    const Index::Stats stats = index_->GetStats();
    return double(stats.used_bytes) / double(stats.keys);
  }
  std::uint64_t probed() const { return index_->GetStats().probed_buckets; }
  std::uint64_t dead() const { return dead_; }
  double OpenSeconds() {
    index_.reset();
    return ProcessorTime([&] {
      index_ = Index::Open(std::make_unique<MemoryRegion>(memory_, bytes_), Options()).value();
    });
  }

 private:
  std::uint64_t Heap() const { return std::max<std::uint64_t>(log_.keys() * 48, 16 << 20); }
  Index::Options Options() {
    Index::Options options;
    options.log = log_.bytes();
    options.segment_bytes = kSegmentBytes;
    options.segments = log_.segments();
    options.epochs = &epochs_;
    return options;
  }

  const Log& log_;
  std::uint64_t bytes_;
  Memory memory_;
  dpm::ReadEpochs epochs_;
  std::unique_ptr<Index> index_;
  std::vector<Index::Op> ops_;
  std::uint64_t dead_ = 0;
};

class FlatMap {
 public:
  explicit FlatMap(const Log& log) : log_(log) {}
  void Apply(std::span<const std::uint64_t> places) {
    for (const std::uint64_t place : places) {
      const EntryView entry = log_.At(place);
      const auto [at, inserted] = map_.try_emplace(KeyOf(entry), place);
      if (inserted) continue;
      const EntryView old = log_.At(at->second);
      if (entry.version() <= old.version()) continue;
      dead_ += old.size();
      at->second = place;
    }
  }
  std::uint64_t Find(const Draw& draw) const {
    const auto found = map_.find(draw.key);
    return found == map_.end() ? 0 : log_.At(found->second).version().counter;
  }
  double BytesPerKey() const {
    return double(map_.capacity() * (sizeof(KeyBytes) + 8 + 1)) / double(map_.size());
  }
  std::uint64_t dead() const { return dead_; }

 private:
  const Log& log_;
  absl::flat_hash_map<KeyBytes, std::uint64_t, HashKey> map_;
  std::uint64_t dead_ = 0;
};

class CuckooMap {
 public:
  explicit CuckooMap(const Log& log) : log_(log) {}
  void Apply(std::span<const std::uint64_t> places) {
    for (const std::uint64_t place : places) {
      const EntryView entry = log_.At(place);
      map_.upsert(
          KeyOf(entry),
          [&](std::uint64_t& at) {
            const EntryView old = log_.At(at);
            if (entry.version() <= old.version()) return;
            dead_ += old.size();
            at = place;
          },
          place);
    }
  }
  std::uint64_t Find(const Draw& draw) const {
    std::uint64_t place = 0;
    return map_.find(draw.key, place) ? log_.At(place).version().counter : 0;
  }
  double BytesPerKey() const {
    return double(map_.capacity() * (sizeof(KeyBytes) + 8 + 2)) / double(map_.size());
  }
  std::uint64_t dead() const { return dead_; }

 private:
  const Log& log_;
  libcuckoo::cuckoohash_map<KeyBytes, std::uint64_t, HashKey> map_;
  std::uint64_t dead_ = 0;
};

// ---- Measuring
// -----------------------------------------------------------------------------------

struct Figures {
  std::vector<double> insert_ns, overwrite_ns, hit_ns, miss_ns;
  double bytes_per_key = 0;
};

template <typename Side>
void Measure(const Log& log, Side& side, const std::vector<Draw>& hits,
             const std::vector<Draw>& misses, Figures& figures) {
  const std::span<const std::uint64_t> places(log.places());
  const auto per = [](double seconds, std::size_t count) { return seconds * 1e9 / double(count); };
  figures.insert_ns.push_back(
      per(ProcessorTime([&] { side.Apply(places.first(log.keys())); }), log.keys()));
  std::uint64_t found = 0;
  const auto find = [&](const std::vector<Draw>& draws) {
    return per(ProcessorTime([&] {
                 for (const Draw& draw : draws) found += side.Find(draw);
               }),
               draws.size());
  };
  figures.hit_ns.push_back(find(hits));
  if (found != hits.size()) std::abort();
  figures.miss_ns.push_back(find(misses));
  if (found != hits.size()) std::abort();
  figures.overwrite_ns.push_back(
      per(ProcessorTime([&] { side.Apply(places.subspan(log.keys())); }), log.keys()));
  figures.bytes_per_key = side.BytesPerKey();
  if (side.dead() < log.keys() * (kKeyBytes + kObjectBytes)) std::abort();
}

std::vector<Draw> Draws(std::uint64_t first, std::uint64_t keys) {
  Random random(7 + first);
  std::vector<Draw> draws(
      std::min<std::uint64_t>(2'000'000, std::max<std::uint64_t>(keys, 500'000)));
  for (Draw& draw : draws) {
    draw.key = KeyOf(first + random.Below(keys));
    draw.slot = SlotOfRow(View(draw.key));
  }
  return draws;
}

void Row(const char* what, const std::vector<double> Figures::*member, const Figures& cirein,
         const Figures& flat, const Figures& cuckoo) {
  const double ours = Median(cirein.*member);
  const double a = Median(flat.*member);
  const double b = Median(cuckoo.*member);
  fmt::print("| {} | {:.1f} ns | {:.1f} ns | {:.1f} ns | {:.2f} | {:.2f} |\n", what, ours, a, b,
             a / ours, b / ours);
}

void MeasureKeys(std::uint64_t keys) {
  const Log log(keys);
  const std::vector<Draw> hits = Draws(0, keys);
  const std::vector<Draw> misses = Draws(keys, keys);
  Figures cirein, flat, cuckoo;
  double inserted_lines = 0, overwritten_lines = 0;
  std::vector<double> open_ms;
  const int rounds = keys < 1'000'000 ? 7 : (keys < 10'000'000 ? 5 : 3);
  for (int round = 0; round < rounds; ++round) {
    {
      CireinIndex side(log);
      Measure(log, side, hits, misses, cirein);
      open_ms.push_back(side.OpenSeconds() * 1e3);
    }
    {
      FlatMap side(log);
      Measure(log, side, hits, misses, flat);
    }
    {
      CuckooMap side(log);
      Measure(log, side, hits, misses, cuckoo);
    }
  }
  {
    CireinIndex side(log);
    const std::span<const std::uint64_t> places(log.places());
    side.Apply(places.first(keys));
    inserted_lines = double(side.probed()) / double(keys);
    side.Apply(places.subspan(keys));
    overwritten_lines = double(side.probed()) / double(keys) - inserted_lines;
  }
  fmt::print("\n{} keys\n\n", keys);
  fmt::print("| | Cirein | flat_hash_map | libcuckoo | flat/Cirein | libcuckoo/Cirein |\n");
  fmt::print("|---|---|---|---|---|---|\n");
  Row("insert", &Figures::insert_ns, cirein, flat, cuckoo);
  Row("overwrite", &Figures::overwrite_ns, cirein, flat, cuckoo);
  Row("find, there", &Figures::hit_ns, cirein, flat, cuckoo);
  Row("find, not there", &Figures::miss_ns, cirein, flat, cuckoo);
  fmt::print("| bytes per key | {:.1f} | {:.1f} | {:.1f} | {:.2f} | {:.2f} |\n",
             cirein.bytes_per_key, flat.bytes_per_key, cuckoo.bytes_per_key,
             flat.bytes_per_key / cirein.bytes_per_key,
             cuckoo.bytes_per_key / cirein.bytes_per_key);
  fmt::print("\nBuckets (lines) for an insert {:.2f}, for an overwrite {:.2f}; open {:.1f} ms.\n",
             inserted_lines, overwritten_lines, Median(open_ms));
  std::fflush(stdout);
}

}  // namespace
}  // namespace cirein::bench

int main(int argc, char** argv) {
  const unsigned long max_keys = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000'000;
  fmt::print("`build/bench/bench/index_bench {}`\n", max_keys);
  for (unsigned long keys = 10'000; keys <= max_keys; keys *= 10) cirein::bench::MeasureKeys(keys);
  return 0;
}
