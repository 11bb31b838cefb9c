// SPDX-License-Identifier: Apache-2.0
#include "bench/elastic_keys.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <functional>

#include <fmt/format.h>

#include "base/units.h"
#include "bench/turns.h"

namespace cirein::bench {
namespace {

struct Workload {
  std::uint64_t keys;
  std::size_t value_bytes;
  std::size_t threads;
  std::uint64_t reads;
  int rounds;
};

enum Verb : std::size_t { kPublish, kOverwrite, kUniform, kZipf, kVerbs };
enum Side : std::size_t { kElastic, kRocks, kLocal, kSides };

using Times = std::array<std::vector<double>, kVerbs>;
using ThreadDraws = std::vector<std::vector<std::uint32_t>>;

// What is published and drawn, the same for all sides and rounds.
struct Material {
  std::vector<DataObject> first, second;
  ThreadDraws uniform, zipf;
};

ThreadDraws DrawForThreads(const Workload& workload, Spread spread) {
  ThreadDraws draws;
  for (std::size_t thread = 0; thread < workload.threads; ++thread) {
    const DrawPlan plan{spread, workload.keys, workload.reads / workload.threads};
    draws.push_back(Draw(plan, thread + 1));
  }
  return draws;
}

Content ContentOf(const Workload& workload, std::uint64_t stamp) {
  return {.number = 0, .stamp = stamp, .bytes = workload.value_bytes};
}

Material Prepare(const Workload& workload) {
  return {.first = MakeObjects(workload.keys, ContentOf(workload, 1)),
          .second = MakeObjects(workload.keys, ContentOf(workload, 2)),
          .uniform = DrawForThreads(workload, Spread::kUniform),
          .zipf = DrawForThreads(workload, Spread::kZipf)};
}

// Nanoseconds of one thread for an operation.
double PerOperation(double seconds, std::size_t threads, std::uint64_t operations) {
  return seconds * 1e9 * double(threads) / double(operations);
}

double TimePublish(KeyStore& store, const Workload& workload,
                   const std::vector<DataObject>& objects) {
  const std::uint64_t share = workload.keys / workload.threads;
  const double seconds = TimeThreads(workload.threads, [&](std::size_t thread) {
    for (std::uint64_t i = thread * share; i < (thread + 1) * share; ++i) {
      store.Publish(KeyText(i), objects[i]);
    }
  });
  return PerOperation(seconds, workload.threads, share * workload.threads);
}

double TimeNeed(KeyStore& store, const ThreadDraws& draws, const Content& content) {
  const double seconds = TimeThreads(draws.size(), [&](std::size_t thread) {
    Content expected = content;
    for (const std::uint32_t draw : draws[thread]) {
      expected.number = draw;
      store.Need(KeyText(draw), expected, KeyStore::Look::kFront);
    }
  });
  return PerOperation(seconds, draws.size(), draws.size() * draws[0].size());
}

void MeasureOnce(KeyStore& store, const Workload& workload, const Material& material,
                 Times& times) {
  times[kPublish].push_back(TimePublish(store, workload, material.first));
  times[kOverwrite].push_back(TimePublish(store, workload, material.second));
  store.Tidy();
  const Content content = ContentOf(workload, 2);
  NeedAll(store, workload.keys, content);
  times[kUniform].push_back(TimeNeed(store, material.uniform, content));
  times[kZipf].push_back(TimeNeed(store, material.zipf, content));
}

StoreSettings SettingsOf(const Workload& workload, const std::string& directory) {
  return {.directory = directory,
          .log_bytes = LogBytesFor(workload.keys, workload.value_bytes),
          .cache_bytes = CacheBytesFor(workload.keys, workload.value_bytes)};
}

std::unique_ptr<KeyStore> MakeSide(Side side, const StoreSettings& settings) {
  if (side == kLocal) return MakeLocalStore();
  return side == kElastic ? MakeElasticStore(settings) : MakeRocksStore(settings);
}

void Compare(const Places& places, const Workload& workload) {
  fmt::print(stderr, "{} keys of {} B, {} threads\n", workload.keys, workload.value_bytes,
             workload.threads);
  const Material material = Prepare(workload);
  std::array<Times, kSides> times;
  for (int round = 0; round < workload.rounds; ++round) {
    for (const Side side : {kElastic, kRocks, kLocal}) {
      // New ones each time, gone before the next: no side works in the turn of another.
      const std::string directory = places.tmpfs + "/keys";
      MeasureOnce(*MakeSide(side, SettingsOf(workload, directory)), workload, material,
                  times[side]);
      std::filesystem::remove_all(directory);
    }
  }
  fmt::print("| {} B | {} | {} |", workload.value_bytes, workload.keys, workload.threads);
  for (const Verb verb : {kPublish, kOverwrite, kUniform, kZipf}) {
    const double elastic = Median(times[kElastic][verb]);
    const double rocks = Median(times[kRocks][verb]);
    const double local = Median(times[kLocal][verb]);
    fmt::print(" {:.0f}, {:.0f}, {:.0f}: **{:.1f}**, **{:.2f}** |", elastic, rocks, local,
               rocks / elastic, elastic / local);
  }
  fmt::print("\n");
  std::fflush(stdout);
}

// Of the cache: what of the keys' need it has.
struct CacheCase {
  const char* name;
  double values;     // Share of the keys whose objects it can hold...
  double shortcuts;  // ...and of those that it can remember the place of.
};
constexpr std::array<CacheCase, 4> kCaches = {{{"all", 2.0, 2.0},
                                               {"all places, few objects", 0.1, 1.0},
                                               {"a tenth", 0.1, 0.1},
                                               {"nothing", 0.0, 0.0}}};

std::uint64_t CacheBytes(const CacheCase& cache, const Workload& workload) {
  constexpr double kRecordBytes = 256;
  return static_cast<std::uint64_t>(
      double(workload.keys) *
      (cache.shortcuts * kRecordBytes + cache.values * double(workload.value_bytes + 64)));
}

struct NeedTimes {
  std::vector<double> uniform, zipf;
};

void TimeNeeds(KeyStore& store, const Material& material, const Content& content,
               NeedTimes& times) {
  times.uniform.push_back(TimeNeed(store, material.uniform, content));
  times.zipf.push_back(TimeNeed(store, material.zipf, content));
}

void CompareCaches(const Places& places, const Workload& workload) {
  fmt::print(stderr, "needs of {} keys of {} B with smaller caches\n", workload.keys,
             workload.value_bytes);
  const Material material = Prepare(workload);
  const Content content = ContentOf(workload, 2);
  StoreSettings settings = SettingsOf(workload, places.tmpfs + "/elastic");
  TimePublish(*MakeElasticStore(settings), workload, material.second);
  const auto rocks = MakeRocksStore(SettingsOf(workload, places.tmpfs + "/rocks"));
  TimePublish(*rocks, workload, material.second);
  rocks->Tidy();
  NeedAll(*rocks, workload.keys, content);
  std::array<NeedTimes, kCaches.size()> elastic;
  NeedTimes peer;
  for (int round = 0; round < workload.rounds; ++round) {
    for (std::size_t i = 0; i < kCaches.size(); ++i) {
      // Opened anew: what a pool has when it was closed is all merged, and nothing is cached.
      settings.cache_bytes = CacheBytes(kCaches[i], workload);
      const auto store = MakeElasticStore(settings);
      NeedAll(*store, workload.keys, content);
      TimeNeeds(*store, material, content, elastic[i]);
    }
    TimeNeeds(*rocks, material, content, peer);
  }
  const auto cell = [](const std::vector<double>& ours, const std::vector<double>& theirs) {
    return fmt::format("{:.0f}, {:.0f}: **{:.1f}**", Median(ours), Median(theirs),
                       Median(theirs) / Median(ours));
  };
  for (std::size_t i = 0; i < kCaches.size(); ++i) {
    fmt::print("| {} B | {} | {} | {} | {} | {} |\n", workload.value_bytes, workload.keys,
               kCaches[i].name, CacheBytes(kCaches[i], workload) >> 20,
               cell(elastic[i].uniform, peer.uniform), cell(elastic[i].zipf, peer.zipf));
  }
  std::fflush(stdout);
}

Workload MakeWorkload(Length length, std::size_t value_bytes, std::size_t threads) {
  const bool quick = length == Length::kQuick;
  return {.keys = quick ? 20'000U : 1'000'000U,
          .value_bytes = value_bytes,
          .threads = threads,
          .reads = quick ? 60'000U : 2'000'000U,
          .rounds = quick ? 3 : 5};
}

}  // namespace

void MeasureKeys(const Places& places, Length length) {
  fmt::print(
      "\nSmall objects on tmpfs, `process`: nanoseconds of one thread for an operation, "
      "`elastic:`, "
      "RocksDB, `local:`, and then **how many times as long RocksDB takes** (the aim is 3 for "
      "writes and 5 for reads) and **elastic / local** (the aim is 2 for needs); median of {} "
      "turns, "
      "each with new stores. The caches hold everything. RocksDB logs its writes without a sync, "
      "and reads from one sorted run.\n\n"
      "| object | keys | threads | publish new | overwrite | need, uniform | need, zipf 0.99 |\n"
      "|---|---|---|---|---|---|---|\n",
      length == Length::kQuick ? 3 : 5);
  for (const std::size_t value_bytes : {std::size_t{64}, std::size_t{1024}}) {
    for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
      Compare(places, MakeWorkload(length, value_bytes, threads));
      if (length != Length::kFull || value_bytes != 64) continue;
      Workload large = MakeWorkload(length, value_bytes, threads);
      large.keys = 10'000'000;
      large.rounds = 3;
      Compare(places, large);
    }
  }
}

void MeasureCaches(const Places& places, Length length) {
  fmt::print(
      "\nNeeds by one thread when the cache of the elastic pool is smaller: nanoseconds, "
      "`elastic:`, "
      "RocksDB with all in its block cache, and **how many times as long RocksDB takes**; median "
      "of {} turns, each with the pool opened anew and each key needed once before.\n\n"
      "| object | keys | in the cache | cache, MiB | need, uniform | need, zipf 0.99 |\n"
      "|---|---|---|---|---|---|\n",
      length == Length::kQuick ? 3 : 5);
  for (const std::size_t value_bytes : {std::size_t{64}, std::size_t{1024}}) {
    CompareCaches(places, MakeWorkload(length, value_bytes, 1));
  }
}

}  // namespace cirein::bench
