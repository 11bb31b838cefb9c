// SPDX-License-Identifier: Apache-2.0
#include "bench/small_objects.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <malloc.h>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <fmt/format.h>

#include "cirein/cirein.h"

#include "base/hash.h"
#include "base/random.h"
#include "base/scatter.h"
#include "base/zipf.h"
#include "bench/turns.h"

namespace cirein::bench {
namespace {

// Fewer where a round takes half a minute.
int Rounds(std::uint64_t keys) { return keys < 10'000'000 ? 5 : 3; }

// 15 bytes, which std::string keeps in place: the key is not what is measured.
std::string KeyText(std::uint64_t i) {
  std::string text = "user00000000000";
  for (std::size_t at = text.size(); i != 0; i /= 10) text[--at] = static_cast<char>('0' + i % 10);
  return text;
}

// What a program would write that needs no more than a map: the peer.
class ShardedMap {
 public:
  void Publish(std::string key, DataObject object) {
    Shard& shard = ShardOf(key);
    const std::lock_guard lock(shard.mutex);
    shard.objects.insert_or_assign(std::move(key), std::move(object));
  }
  DataObject Need(const std::string& key) {
    Shard& shard = ShardOf(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.objects.find(key);
    return found == shard.objects.end() ? DataObject() : found->second;
  }

 private:
  struct alignas(128) Shard {
    std::mutex mutex;
    absl::flat_hash_map<std::string, DataObject> objects;
  };
  Shard& ShardOf(const std::string& key) { return shards_[Hash64(key) >> 58]; }
  std::array<Shard, 64> shards_;
};

class CireinPool {
 public:
  CireinPool() : pool_(Connect("local:&behavior=DefaultLocal_EnableOverwrites").value()) {}
  ~CireinPool() { (void)pool_.Drop(Pattern::RowPrefix(""), kNoDeadline); }
  void Publish(std::string key, DataObject object) {
    if (!pool_.Publish(Key(std::move(key)), std::move(object)).ok()) std::abort();
  }
  DataObject Need(const std::string& key) { return *pool_.Need(Key(key)); }

 private:
  Pool pool_;
};

struct Workload {
  std::uint64_t keys;
  std::size_t value_bytes;
  std::size_t threads;
  std::uint64_t reads;
};

struct Figures {
  std::vector<double> publish_ns, overwrite_ns, uniform_ns, zipf_ns, bytes_per_key;
};

// Seconds of all threads for `operations` in all, as nanoseconds of one thread for one of them.
double PerOperation(double seconds, const Workload& workload, std::uint64_t operations) {
  return seconds * 1e9 * double(workload.threads) / double(operations);
}

std::vector<DataObject> MakeObjects(const Workload& workload) {
  std::vector<DataObject> objects;
  objects.reserve(workload.keys);
  for (std::uint64_t i = 0; i < workload.keys; ++i) {
    objects.push_back(
        DataObject::Allocate({.meta_bytes = 0, .data_bytes = workload.value_bytes, .type = 0})
            .value());
  }
  return objects;
}

// The draws are made ahead: the generator costs as much as a look-up.
std::vector<std::uint32_t> Draws(const Workload& workload, const Zipf* zipf, std::uint64_t seed) {
  Random random(seed);
  const Scatter scatter(workload.keys);
  std::vector<std::uint32_t> draws(workload.reads / workload.threads);
  for (std::uint32_t& draw : draws) {
    draw = static_cast<std::uint32_t>(zipf != nullptr ? scatter.Place(zipf->Draw(&random))
                                                      : random.Below(workload.keys));
  }
  return draws;
}

template <typename Store>
void MeasureOnce(const Workload& workload, const std::vector<DataObject>& objects,
                 const std::array<std::vector<std::vector<std::uint32_t>>, 2>& draws,
                 Figures& figures) {
  const auto heap = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
  const std::size_t before = heap();
  auto store = std::make_unique<Store>();
  const std::uint64_t share = workload.keys / workload.threads;
  const auto publish = [&](std::size_t thread) {
    for (std::uint64_t i = thread * share; i < (thread + 1) * share; ++i) {
      store->Publish(KeyText(i), objects[i]);
    }
  };
  const auto per_key = [&](double seconds) {
    return PerOperation(seconds, workload, workload.keys);
  };
  figures.publish_ns.push_back(per_key(TimeThreads(workload.threads, publish)));
  figures.bytes_per_key.push_back(double(heap() - before) / double(workload.keys));
  figures.overwrite_ns.push_back(per_key(TimeThreads(workload.threads, publish)));
  for (std::size_t i = 0; i < draws.size(); ++i) {
    const double seconds = TimeThreads(workload.threads, [&](std::size_t thread) {
      std::uint64_t bytes = 0;
      for (const std::uint32_t draw : draws[i][thread]) {
        bytes += store->Need(KeyText(draw)).data_bytes();
      }
      if (bytes != draws[i][thread].size() * workload.value_bytes) std::abort();
    });
    (i == 0 ? figures.uniform_ns : figures.zipf_ns)
        .push_back(PerOperation(seconds, workload, workload.reads));
  }
}

void Compare(const Workload& workload) {
  const std::vector<DataObject> objects = MakeObjects(workload);
  const Zipf zipf(workload.keys, 0.99);
  std::array<std::vector<std::vector<std::uint32_t>>, 2> draws;
  for (std::size_t thread = 0; thread < workload.threads; ++thread) {
    draws[0].push_back(Draws(workload, nullptr, thread + 1));
    draws[1].push_back(Draws(workload, &zipf, thread + 1));
  }
  Figures ours;
  Figures map;
  for (int round = 0; round < Rounds(workload.keys); ++round) {
    MeasureOnce<CireinPool>(workload, objects, draws, ours);
    MeasureOnce<ShardedMap>(workload, objects, draws, map);
  }
  const auto cell = [](const std::vector<double>& a, const std::vector<double>& b) {
    return fmt::format("{:.0f} / {:.0f} = **{:.2f}**", Median(a), Median(b), Median(a) / Median(b));
  };
  fmt::print("| {} B | {} | {} | {} | {} | {} | {} |\n", workload.value_bytes, workload.keys,
             workload.threads, cell(ours.publish_ns, map.publish_ns),
             cell(ours.overwrite_ns, map.overwrite_ns), cell(ours.uniform_ns, map.uniform_ns),
             cell(ours.zipf_ns, map.zipf_ns));
  std::fflush(stdout);
  if (workload.threads == 1) {
    fmt::print(stderr, "{} keys of {} B: {:.0f} bytes a key beside the object, the map {:.0f}\n",
               workload.keys, workload.value_bytes, Median(ours.bytes_per_key),
               Median(map.bytes_per_key));
  }
}

void MeasureMemory(std::uint64_t max_keys) {
  fmt::print(
      "\n| keys | Cirein: bytes a key | map: bytes a key | object of 64 B |\n"
      "|---|---|---|---|\n");
  for (std::uint64_t keys = 10'000; keys <= max_keys; keys *= 10) {
    const Workload workload{.keys = keys, .value_bytes = 64, .threads = 1, .reads = 1000};
    const std::vector<DataObject> objects = MakeObjects(workload);
    const std::vector<std::vector<std::uint32_t>> few = {Draws(workload, nullptr, 1)};
    const std::array<std::vector<std::vector<std::uint32_t>>, 2> draws = {few, few};
    Figures ours;
    Figures map;
    MeasureOnce<CireinPool>(workload, objects, draws, ours);
    MeasureOnce<ShardedMap>(workload, objects, draws, map);
    fmt::print("| {} | {:.0f} | {:.0f} | {} |\n", keys, ours.bytes_per_key[0], map.bytes_per_key[0],
               objects[0].memory_bytes());
  }
}

}  // namespace

void MeasureSmallObjects(std::uint64_t max_keys) {
  fmt::print(
      "Nanoseconds of one thread for an operation, Cirein / map = **ratio**; median of 5 turns "
      "(3 at 10 M keys). Keys of 15 bytes; 64 shards on both sides.\n\n"
      "| object | keys | threads | publish new | overwrite | need, uniform | need, zipf 0.99 |\n"
      "|---|---|---|---|---|---|---|\n");
  for (const std::size_t value_bytes : {std::size_t{64}, std::size_t{1024}}) {
    for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
      for (std::uint64_t keys = 10'000; keys <= max_keys; keys *= 10) {
        Compare(
            {.keys = keys,
             .value_bytes = value_bytes,
             .threads = threads,
             .reads = std::min<std::uint64_t>(std::max<std::uint64_t>(keys, 200'000), 2'000'000)});
      }
    }
  }
  MeasureMemory(max_keys);
}

}  // namespace cirein::bench
