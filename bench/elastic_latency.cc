// SPDX-License-Identifier: Apache-2.0
#include "bench/elastic_latency.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include "base/histogram.h"
#include "base/random.h"
#include "bench/turns.h"

namespace cirein::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Plan {
  std::uint64_t log_bytes;
  std::uint64_t fills;  // So many times as much as the log holds is written.
  int turns;
};

Plan MakePlan(Length length) {
  if (length == Length::kQuick) return {std::uint64_t{16} << 20, 3, 3};
  return {std::uint64_t{256} << 20, 5, 5};
}

struct Workload {
  std::size_t value_bytes;
  std::uint64_t keys;
  std::uint64_t writes;
};

// Half of the log is live, so the cleaner has to copy.
Workload MakeWorkload(const Plan& plan, std::size_t value_bytes) {
  const std::uint64_t entry_bytes = value_bytes + 128;
  return {value_bytes, plan.log_bytes / entry_bytes / 2, plan.fills * plan.log_bytes / entry_bytes};
}

template <typename Operation>
void Record(Histogram& histogram, const Operation& operation) {
  const auto start = Clock::now();
  operation();
  histogram.Record(static_cast<std::uint64_t>((Clock::now() - start).count()));
}

struct Latencies {
  Histogram publish, need;
};

// One thread overwrites, the other needs until it is through.
Latencies MeasureOnce(KeyStore& store, const Workload& workload,
                      const std::vector<DataObject>& objects) {
  const Content content{.number = 0, .stamp = 1, .bytes = workload.value_bytes};
  for (std::uint64_t i = 0; i < workload.keys; ++i) store.Publish(KeyText(i), objects[i]);
  std::atomic<bool> through{false};
  Latencies latencies;
  const auto write = [&] {
    Random random(1);
    for (std::uint64_t i = 0; i < workload.writes; ++i) {
      const std::uint64_t number = random.Below(workload.keys);
      Record(latencies.publish, [&] { store.Publish(KeyText(number), objects[number]); });
    }
    through = true;
  };
  const auto read = [&] {
    Random random(2);
    Content expected = content;
    while (!through.load(std::memory_order_relaxed)) {
      expected.number = random.Below(workload.keys);
      Record(latencies.need,
             [&] { store.Need(KeyText(expected.number), expected, KeyStore::Look::kFront); });
    }
  };
  TimeThreads(2, [&](std::size_t thread) { thread == 0 ? write() : read(); });
  NeedAll(store, workload.keys, content);
  return latencies;
}

constexpr std::array<double, 4> kPercents = {50, 99, 99.9, 100};

struct Percentiles {
  std::array<std::vector<double>, kPercents.size()> microseconds;

  void Add(const Histogram& histogram) {
    for (std::size_t i = 0; i < kPercents.size(); ++i) {
      microseconds[i].push_back(double(histogram.Percentile(kPercents[i])) / 1e3);
    }
  }
};

struct Figures {
  Percentiles publish, need;
};

void PrintRow(const Workload& workload, const char* verb, const Percentiles& elastic,
              const Percentiles& rocks) {
  fmt::print("| {} B | {} |", workload.value_bytes, verb);
  for (std::size_t i = 0; i < kPercents.size(); ++i) {
    const double ours = Median(elastic.microseconds[i]);
    const double theirs = Median(rocks.microseconds[i]);
    fmt::print(" {:.3g}, {:.3g}: **{:.1f}** |", ours, theirs, theirs / ours);
  }
  fmt::print("\n");
}

void Compare(const Places& places, const Plan& plan, std::size_t value_bytes) {
  const Workload workload = MakeWorkload(plan, value_bytes);
  fmt::print(stderr, "latencies with {} writes of {} B over {} keys\n", workload.writes,
             value_bytes, workload.keys);
  const std::vector<DataObject> objects =
      MakeObjects(workload.keys, {.number = 0, .stamp = 1, .bytes = value_bytes});
  Figures elastic;
  Figures rocks;
  for (int turn = 0; turn < plan.turns; ++turn) {
    for (Figures* const side : {&elastic, &rocks}) {
      const StoreSettings settings{.directory = places.tmpfs + "/latency",
                                   .log_bytes = plan.log_bytes};
      const Latencies latencies =
          MeasureOnce(side == &elastic ? *MakeElasticStore(settings) : *MakeRocksStore(settings),
                      workload, objects);
      side->publish.Add(latencies.publish);
      side->need.Add(latencies.need);
      std::filesystem::remove_all(settings.directory);
    }
  }
  PrintRow(workload, "publish", elastic.publish, rocks.publish);
  PrintRow(workload, "need", elastic.need, rocks.need);
  std::fflush(stdout);
}

}  // namespace

void MeasureLatency(const Places& places, Length length) {
  const Plan plan = MakePlan(length);
  fmt::print(
      "\nLatency on tmpfs, `process`: one thread overwrites random keys of a set that takes about "
      "half of a log of {} MiB, {} times what the log holds, so that merger and cleaner are busy; "
      "another needs random keys meanwhile. Microseconds, `elastic:`, RocksDB: **how many times as "
      "long RocksDB takes**; median of {} turns.\n\n"
      "| object | | p50 | p99 | p99.9 | longest |\n|---|---|---|---|---|---|\n",
      plan.log_bytes >> 20, plan.fills, plan.turns);
  for (const std::size_t value_bytes : {std::size_t{64}, std::size_t{1024}}) {
    Compare(places, plan, value_bytes);
  }
}

}  // namespace cirein::bench
