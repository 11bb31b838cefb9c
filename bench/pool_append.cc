// SPDX-License-Identifier: Apache-2.0
#include "bench/pool_append.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "base/random.h"
#include "base/units.h"
#include "bench/pool_peers.h"
#include "bench/turns.h"

namespace cirein::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kStores = 4;
constexpr std::array<std::size_t, 3> kBatches = {1, 8, 64};

struct Values {
  std::size_t bytes;
  std::uint64_t keys;  ///< So many are overwritten again and again.
};
constexpr std::array<Values, 3> kValues = {{{64, 100'000}, {1024, 100'000}, {65536, 1'000}}};

struct Case {
  Values values;
  std::size_t batch;
  std::size_t writers;
};

// The keys of each writer, drawn ahead; no two writers share one, as in a pool's shards.
using Draws = std::vector<std::vector<BenchKey>>;
Draws DrawKeys(const Case& run) {
  constexpr std::size_t kDraws = 65'536;
  Draws draws(run.writers);
  Random random(run.values.bytes + run.writers);
  const std::uint64_t share = run.values.keys / run.writers;
  for (std::size_t writer = 0; writer < run.writers; ++writer) {
    draws[writer].resize(kDraws);
    for (BenchKey& key : draws[writer]) key = MakeKey(random.Below(share) * run.writers + writer);
  }
  return draws;
}

struct Turn {
  const Case& run;
  const Draws& draws;
  const std::vector<std::byte>& value;
  std::chrono::milliseconds length;
  std::size_t stride;  // Batches between two looks at the clock.
};

// Microseconds that a batch takes one of the writers.
double MeasureTurn(AppendStore& store, const Turn& turn) {
  std::atomic<std::uint64_t> batches{0};
  store.BeginTurn();
  const double seconds = TimeThreads(turn.run.writers, [&](std::size_t writer) {
    const std::span<const BenchKey> draws = turn.draws[writer];
    const auto end = Clock::now() + turn.length;
    std::uint64_t done = 0;
    std::size_t at = 0;
    do {
      for (std::size_t i = 0; i < turn.stride; ++i, ++done) {
        store.Append(writer, draws.subspan(at, turn.run.batch), turn.value);
        at = (at + turn.run.batch) % draws.size();
      }
    } while (Clock::now() < end);
    batches += done;
  });
  store.EndTurn();
  return seconds * 1e6 * double(turn.run.writers) / double(batches.load());
}

void Fill(AppendStore& store, const Values& values, const std::vector<std::byte>& value) {
  const std::vector<BenchKey> all = MakeKeys(values.keys);
  store.BeginTurn();
  for (std::size_t at = 0; at < all.size(); at += 64) {
    store.Append(0, std::span(all).subspan(at, std::min<std::size_t>(64, all.size() - at)), value);
  }
  store.EndTurn();
}

using Stores = std::array<std::unique_ptr<AppendStore>, kStores>;

void Compare(const Stores& stores, const Medium& medium, const Case& run, const AppendPlan& plan) {
  const Draws draws = DrawKeys(run);
  const std::vector<std::byte> value = MakeValue(run.values.bytes);
  const bool long_batch = medium.waits() || run.batch * run.values.bytes > 65536;
  const Turn turn{run, draws, value, plan.turn, long_batch ? std::size_t{1} : std::size_t{32}};
  for (const auto& store : stores) store->Settle();
  std::array<std::vector<double>, kStores> times;
  for (int round = 0; round < plan.turns; ++round) {
    for (std::size_t store = 0; store < kStores; ++store) {
      times[store].push_back(MeasureTurn(*stores[store], turn));
    }
  }
  std::array<double, kStores> medians{};
  for (std::size_t store = 0; store < kStores; ++store) medians[store] = Median(times[store]);
  const auto [pool, bare, rocks, lmdb] = medians;
  fmt::print(
      "| {} | {} | {} | {} | {:.3g} | {:.3g} | **{:.2f}** | {:.3g} | {:.1f} | {:.3g} | {:.1f} |\n",
      medium.name, FormatBytes(run.values.bytes), run.batch, run.writers, pool, bare, pool / bare,
      rocks, rocks / pool, lmdb, lmdb / pool);
  std::fflush(stdout);
}

void CompareOn(const Medium& medium, const std::vector<std::size_t>& writers,
               const AppendPlan& plan) {
  const AppendSettings settings{writers.back(), plan.log_bytes};
  for (const Values& values : kValues) {
    fmt::print(stderr, "appends of {} on {}\n", FormatBytes(values.bytes), medium.name);
    // New ones for each size: to tidy up what another left would be measured too.
    const Stores stores = {MakePoolStore(medium, settings), MakeBareStore(medium, settings),
                           MakeRocksStore(medium, settings), MakeLmdbStore(medium, settings)};
    const std::vector<std::byte> value = MakeValue(values.bytes);
    for (const auto& store : stores) Fill(*store, values, value);
    for (const std::size_t batch : kBatches) {
      for (const std::size_t count : writers) Compare(stores, medium, {values, batch, count}, plan);
    }
  }
}

}  // namespace

void MeasureAppends(const Media& media, const AppendPlan& plan) {
  fmt::print(
      "Microseconds that a batch takes one writer, until it is as durable as the medium says; "
      "median of {} turns of {} ms. The pool merges and cleans beside it, on the same two cores. "
      "*Bare* writes as many bytes as the pool does for the batch, with no checksum, by memcpy and "
      "flush or by pwrite and fdatasync, each writer for itself; **ratio** is pool / bare. RocksDB "
      "(WAL synced for `power`) and LMDB (MDB_NOSYNC for `process`), with the factor by which they "
      "are slower than the pool.\n\n"
      "| medium | object | batch | writers | pool | bare | ratio | RocksDB | times | LMDB | times "
      "|\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n",
      plan.turns, plan.turn.count());
  CompareOn(media.tmpfs_process, {1, 2}, plan);
  CompareOn(media.tmpfs_power, {1, 2}, plan);
  CompareOn(media.disk_process, {1}, plan);
  CompareOn(media.disk_power, {1, 2, 8, 16}, plan);
}

}  // namespace cirein::bench
