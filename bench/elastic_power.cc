// SPDX-License-Identifier: Apache-2.0
#include "bench/elastic_power.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>

#include <fmt/format.h>

#include "bench/turns.h"

namespace cirein::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kKeys = 65'536;
constexpr Content kContent{.number = 0, .stamp = 1, .bytes = 64};
constexpr std::size_t kSides = 3;

struct Plan {
  std::vector<std::size_t> writers;
  std::chrono::milliseconds turn;
  int turns;
};

Plan MakePlan(Length length) {
  if (length == Length::kQuick) return {{1, 8, 64}, std::chrono::milliseconds(150), 3};
  return {{1, 2, 4, 8, 16, 32, 64}, std::chrono::milliseconds(1000), 5};
}

// Publishes a second of all writers together. Each writes its own part of the keys.
double MeasureTurn(KeyStore& store, const std::vector<DataObject>& objects, std::size_t writers,
                   std::chrono::milliseconds length) {
  std::atomic<std::uint64_t> all{0};
  const std::uint64_t share = kKeys / writers;
  const double seconds = TimeThreads(writers, [&](std::size_t writer) {
    const auto end = Clock::now() + length;
    std::uint64_t done = 0;
    do {
      const std::uint64_t number = writer * share + done % share;
      store.Publish(KeyText(number), objects[number]);
      ++done;
    } while (Clock::now() < end);
    all += done;
  });
  return double(all.load()) / seconds;
}

// Publishes some keys by many writers and looks at them: a turn may be too short to reach all keys.
void Check(KeyStore& store, const std::vector<DataObject>& objects) {
  constexpr std::size_t kWriters = 16;
  constexpr std::uint64_t kChecked = 512;
  TimeThreads(kWriters, [&](std::size_t writer) {
    for (std::uint64_t i = writer; i < kChecked; i += kWriters) {
      store.Publish(KeyText(i), objects[i]);
    }
  });
  NeedAll(store, kChecked, kContent);
}

}  // namespace

void MeasurePower(const Places& places, Length length) {
  const Plan plan = MakePlan(length);
  fmt::print(
      "\nPublishes of 64 B a second on disk, `power`, all writers together, each of which waits "
      "for "
      "its answer; median of {} turns of {} ms. RocksDB syncs its log for each write, LMDB its "
      "file "
      "for each transaction; **how many times as many** the pool does (the aim is more than once "
      "from 8 writers on).\n\n"
      "| writers | elastic: | RocksDB | times | LMDB | times |\n|---|---|---|---|---|---|\n",
      plan.turns, plan.turn.count());
  const auto settings = [&](const char* name) {
    return StoreSettings{.directory = places.disk + name, .promise = Promise::kPower};
  };
  const std::array<std::unique_ptr<KeyStore>, kSides> stores = {
      MakeElasticStore(settings("/elastic")), MakeRocksStore(settings("/rocks")),
      MakeLmdbStore(settings("/lmdb"))};
  const std::vector<DataObject> objects = MakeObjects(kKeys, kContent);
  for (const std::size_t writers : plan.writers) {
    fmt::print(stderr, "{} writers with power durability\n", writers);
    std::array<std::vector<double>, kSides> rates;
    for (int turn = 0; turn < plan.turns; ++turn) {
      for (std::size_t side = 0; side < kSides; ++side) {
        rates[side].push_back(MeasureTurn(*stores[side], objects, writers, plan.turn));
      }
    }
    const double elastic = Median(rates[0]);
    const double rocks = Median(rates[1]);
    const double lmdb = Median(rates[2]);
    fmt::print("| {} | {:.0f} | {:.0f} | **{:.2f}** | {:.0f} | **{:.2f}** |\n", writers, elastic,
               rocks, elastic / rocks, lmdb, elastic / lmdb);
    std::fflush(stdout);
  }
  for (const auto& store : stores) Check(*store, objects);
}

}  // namespace cirein::bench
