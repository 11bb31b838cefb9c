// SPDX-License-Identifier: Apache-2.0
#include "bench/elastic_keys.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

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

struct CacheCase {
  const char* name;
  double share;  // Of what all keys and their objects take.
};
constexpr std::array<CacheCase, 4> kCaches = {
    {{"all", 1.25}, {"half", 0.5}, {"a tenth", 0.1}, {"nothing", 0.0}}};

std::uint64_t CacheBytes(const CacheCase& cache, const Workload& workload) {
  constexpr std::uint64_t kRecordBytes = 224;  // With the object's header.
  return static_cast<std::uint64_t>(cache.share * double(workload.keys) *
                                    double(kRecordBytes + workload.value_bytes));
}

// How the pool's node has answered reads, as the library tells it: with an object it had in memory,
// with an own write that was not merged, by a shortcut, after a look at the index.
using Answers = std::array<double, 4>;

Answers AnswersTillNow() {
  constexpr std::array<std::string_view, 4> kNames = {
      "cirein_elastic_value_hits_total", "cirein_elastic_own_writes_total",
      "cirein_elastic_shortcut_hits_total", "cirein_elastic_index_looks_total"};
  Answers answers{};
  std::istringstream lines(MetricsText());
  for (std::string line; std::getline(lines, line);) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const std::size_t value = line.rfind(' ');
      if (line.starts_with(kNames[i]) && value != std::string::npos) {
        answers[i] += std::strtod(line.c_str() + value, nullptr);
      }
    }
  }
  return answers;
}

std::string Percents(const Answers& answers) {
  double all = 0;
  for (const double count : answers) all += count;
  if (all == 0) return "-";
  return fmt::format("{:.0f}, {:.0f}, {:.0f}, {:.0f}", 100 * answers[0] / all,
                     100 * answers[1] / all, 100 * answers[2] / all, 100 * answers[3] / all);
}

struct Needs {
  std::vector<double> times;
  Answers answers{};
};
struct NeedFigures {
  Needs uniform, zipf;
};

void MeasureNeeds(KeyStore& store, const ThreadDraws& draws, const Content& content, Needs& needs) {
  const Answers before = AnswersTillNow();
  needs.times.push_back(TimeNeed(store, draws, content));
  const Answers after = AnswersTillNow();
  for (std::size_t i = 0; i < after.size(); ++i) needs.answers[i] += after[i] - before[i];
}

void MeasureNeeds(KeyStore& store, const Material& material, const Content& content,
                  NeedFigures& figures) {
  MeasureNeeds(store, material.uniform, content, figures.uniform);
  MeasureNeeds(store, material.zipf, content, figures.zipf);
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
  std::array<NeedFigures, kCaches.size()> elastic;
  NeedFigures peer;
  for (int round = 0; round < workload.rounds; ++round) {
    for (std::size_t i = 0; i < kCaches.size(); ++i) {
      // Opened anew: what a pool has when it was closed is all merged, and nothing is cached.
      settings.cache_bytes = CacheBytes(kCaches[i], workload);
      const auto store = MakeElasticStore(settings);
      NeedAll(*store, workload.keys, content);
      MeasureNeeds(*store, material, content, elastic[i]);
    }
    MeasureNeeds(*rocks, material, content, peer);
  }
  const auto cell = [](const Needs& ours, const Needs& theirs) {
    return fmt::format("{:.0f}, {:.0f}: **{:.1f}** | {}", Median(ours.times), Median(theirs.times),
                       Median(theirs.times) / Median(ours.times), Percents(ours.answers));
  };
  for (std::size_t i = 0; i < kCaches.size(); ++i) {
    fmt::print("| {} B | {} | {} | {:.1f} | {} | {} |\n", workload.value_bytes, workload.keys,
               kCaches[i].name, double(CacheBytes(kCaches[i], workload)) / 1048576,
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
      "of {} turns, each with the pool opened anew and each key needed once before. "
      "Answers: percent by objects in the cache, by own writes not merged yet, by shortcuts, after "
      "a "
      "look at the index.\n\n"
      "| object | keys | in the cache | cache, MiB | need, uniform | answers | need, zipf 0.99 | "
      "answers |\n|---|---|---|---|---|---|---|---|\n",
      length == Length::kQuick ? 3 : 5);
  for (const std::size_t value_bytes : {std::size_t{64}, std::size_t{1024}}) {
    CompareCaches(places, MakeWorkload(length, value_bytes, 1));
  }
}

}  // namespace cirein::bench
